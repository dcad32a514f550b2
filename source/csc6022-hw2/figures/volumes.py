"""The figure of the CNN's volumes: boxes to scale, drawn from what the student has filled in so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from chainrule.lesson import answers
from chainrule.lesson.figures import INK, MARGIN, SOFT, WIDTH, NotYet, blank, picture
from chainrule.lesson.student import CheckFailed

__all__ = ["boxes"]

SLANT = np.array([0.36, 0.27])  # where the next channel is drawn: right and up, in sides of a pixel
SLOT, GAP = 104, 8  # screen pixels that a layer's label needs, and between two layers
TALLEST, FOOT = 240, 56  # screen pixels for the highest box, and for the labels below
LARGEST = 10_000  # a side beyond this is a slip
FACES = {
    "input": "#c9ccd1",
    "conv": "#7fb0dd",
    "pool": "#f0b676",
    "fc": "#8fcbb0",
}  # told apart by label, too


class Box(NamedTuple):
    """A layer's volume, None if there is none yet."""

    layer: str
    size: tuple[int, int, int] | None  # (height, width, channels)

    @property
    def said(self) -> str:
        return " × ".join(map(str, self.size)) if self.size else "?"

    @property
    def width(self) -> float:
        return self.size[1] + SLANT[0] * self.size[2] if self.size else 0.0

    @property
    def height(self) -> float:
        return self.size[0] + SLANT[1] * self.size[2] if self.size else 0.0


@picture
def boxes(given: tuple[int, int, int], volumes: Mapping[str, object] | None) -> tuple[Figure, str]:
    """Show each activation volume as a box: height up, width across, channels to the back, all on one scale.

    Args:
        given: the input's (height, width, channels).
        volumes: the others by layer, in order; those that are missing or None are left open.
    """
    found = [
        Box("input", given),
        *(box_of(layer, volumes) for layer in ("conv1", "pool1", "conv2", "pool2", "fc")),
    ]
    if not any(box.size for box in found[1:]):
        raise NotYet("fill in `volumes` and run its cell")

    title = "The volumes you found, to scale"
    room = WIDTH - 2 * MARGIN
    scale = fitting(found, room)
    free = round(scale * max(box.height for box in found)) + 6
    figure = blank(free + FOOT, title, "Height up, width across, one step to the back for each channel.")
    whole = figure.get_figheight() * figure.dpi
    axes = figure.add_axes((MARGIN / WIDTH, 0, room / WIDTH, (free + FOOT) / whole))
    axes.set_xlim(0, room)  # screen pixels, the boxes standing on y = 0
    axes.set_ylim(-FOOT, free)
    axes.set_axis_off()
    x = (room - sum(slots(found, scale))) / 2
    for box, slot in zip(found, slots(found, scale), strict=True):
        draw_box(axes, box, x + slot / 2, scale)
        x += slot
    listed = ", ".join(f"{box.layer} {box.said}" for box in found)
    return figure, f"{title}: one box for each layer, {listed} (height × width × channels)."


def box_of(layer: str, volumes: object) -> Box:
    """A layer's box from the student's table."""
    if volumes is not None and not isinstance(volumes, Mapping):
        raise NotYet(f"`volumes` should be a dict, and is of type {type(volumes).__name__}")
    value = (volumes or {}).get(layer)
    if value is None:
        return Box(layer, None)
    name = f'volumes["{layer}"]'
    try:
        size = answers.flat(value, name) if layer == "fc" else answers.volume(value, name)
    except CheckFailed as reason:
        raise NotYet(str(reason)) from None
    if max(size) > LARGEST:
        raise NotYet(f"{name} has a side of {max(size):,}, too large to draw to scale")
    return Box(layer, size)


def slots(found: Sequence[Box], scale: float) -> list[float]:
    """The screen pixels across that each layer gets: for its box at this scale, and for its label."""
    return [max(scale * box.width, SLOT) + GAP for box in found]


def fitting(found: Sequence[Box], room: float) -> float:
    """The largest scale, in screen pixels, at which all boxes fit side by side and none is too high."""
    low, high = 0.0, TALLEST / max(box.height for box in found)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(slots(found, middle)) <= room else (low, middle)
    return low


def draw_box(axes: Axes, box: Box, middle: float, scale: float) -> None:
    """Draw a box standing on the line y = 0 around x = middle, with its layer and sizes below."""
    if box.size:
        height, width, channels = (scale * size for size in box.size)
        left, back = middle - scale * box.width / 2, SLANT * channels
        a, b, c, d = np.array([(left, 0), (left + width, 0), (left + width, height), (left, height)])
        color = FACES[box.layer.rstrip("12")]
        for face, alpha in (
            ([d, c, c + back, d + back], 0.55),
            ([b, b + back, c + back, c], 0.8),
            ([a, b, c, d], 1),
        ):
            axes.add_patch(Polygon(face, facecolor=color, alpha=alpha, edgecolor="none"))
            axes.add_patch(Polygon(face, fill=False, edgecolor=INK, linewidth=0.8, joinstyle="round"))
    count = f"{math.prod(box.size):,} numbers" if box.size else "not filled in"
    axes.text(middle, -8, box.layer, ha="center", va="top", weight="bold")
    axes.text(middle, -23, box.said, ha="center", va="top", size=9)
    axes.text(middle, -38, count, ha="center", va="top", size=8.5, color=SOFT)
