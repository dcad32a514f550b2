"""The figure of the CNN's volumes: boxes to scale, drawn from what the student has filled in so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from chainrule.lesson import answers
from chainrule.lesson.plots import INK, MARGIN, SOFT, WIDTH, NotYet, blank, picture
from chainrule.lesson.student import CheckFailed

__all__ = ["boxes"]

SLANT = np.array(
    [0.36, 0.27]
)  # where a channel further back is drawn: right and up, in pixels of the picture
GAP = 0.16  # between boxes, of the largest side
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
    known = [box for box in found if box.size]
    if len(known) == 1:
        raise NotYet("fill in `volumes` and run its cell")

    title = "The volumes you found, to scale"
    figure = blank(300, title, "Height up, width across, one step to the back for each channel.")
    whole = figure.get_figheight() * figure.dpi
    axes = figure.add_axes((MARGIN / WIDTH, 8 / whole, 1 - 2 * MARGIN / WIDTH, 292 / whole))
    largest = max(max(box.size[:2]) for box in known if box.size)
    spans = [extent(box, largest) for box in found]
    rest = sum(spans) + GAP * largest * len(found)
    tallest = max(box.size[0] + SLANT[1] * box.size[2] for box in known if box.size)
    x = 0.0
    for box, span in zip(found, spans, strict=True):
        draw_box(axes, box, x, span, largest)
        x += span + GAP * largest
    axes.set_xlim(-GAP * largest / 2, rest)
    below = 0.42 * max(tallest, rest * 0.15)
    axes.set_ylim(-below, tallest * 1.04)
    axes.set_aspect("equal", adjustable="box", anchor="NW")
    axes.set_axis_off()
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


def extent(box: Box, largest: int) -> float:
    """How wide a box is drawn, and never narrower than its label."""
    drawn = box.size[1] + SLANT[0] * box.size[2] if box.size else 0.0
    return max(float(drawn), 0.75 * largest)


def draw_box(axes: Axes, box: Box, x: float, span: float, largest: int) -> None:
    """Draw a box standing on the line y = 0 between x and x + span, with its layer and sizes below."""
    middle = x + span / 2
    if box.size:
        height, width, channels = box.size
        back = SLANT * channels
        left = middle - (width + back[0]) / 2
        corners = np.array([(left, 0), (left + width, 0), (left + width, height), (left, height)])
        color = FACES[box.layer.rstrip("12")]
        a, b, c, d = corners
        for face, alpha in (
            ([d, c, c + back, d + back], 0.55),
            ([b, b + back, c + back, c], 0.8),
            ([a, b, c, d], 1),
        ):
            axes.add_patch(Polygon(face, facecolor="white", edgecolor="none"))
            axes.add_patch(Polygon(face, facecolor=color, alpha=alpha, edgecolor="none"))
            axes.add_patch(Polygon(face, fill=False, edgecolor=INK, linewidth=0.8, joinstyle="round"))
    axes.annotate(
        box.layer, (middle, 0), (0, -8), textcoords="offset points", ha="center", va="top", weight="bold"
    )
    axes.annotate(box.said, (middle, 0), (0, -22), textcoords="offset points", ha="center", va="top")
    numbers = f"{int(np.prod(box.size, dtype=object)):,} numbers" if box.size else "not filled in"
    axes.annotate(
        numbers,
        (middle, 0),
        (0, -36),
        textcoords="offset points",
        ha="center",
        va="top",
        color=SOFT,
        size=8.5,
    )
