"""The figures of the CIFAR-10 problem, made as `chainrule.lesson.figures` says.

Pictures are channels first. Arrays may be tensors on any device, NumPy arrays or lists; uint8 pictures go from 0 to
255, float ones from 0 to 1. Float pictures beyond that (standardised ones) are shown from their own darkest to their
own brightest value, and the figure says so.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from chainrule.lesson.figures import (
    ACCENT,
    DPI,
    INK,
    LOOKS,
    MARGIN,
    SOFT,
    WIDTH,
    NotYet,
    blank,
    ids_of,
    names_of,
    picture,
    same_length,
    spread,
    tensor_of,
)

__all__ = ["activations", "confusion", "curves", "examples", "first_filters", "saliency"]

HOME = "CIFAR-10"  # the origin of data that a title need not mention
ROOM = WIDTH - 2 * MARGIN  # screen pixels across
EACH = 4  # pictures of a class in `examples`
MOST_FILTERS, MOST_MAPS, MOST_PICTURES = 64, 32, 8
MANY = 40  # points on a line from which on markers would hide it
HEAT = colormaps["magma"].resampled(64)
RANGE_NOTE = " Colours of pictures: scaled to their own range."


class Line(NamedTuple):
    """A list of a history: what it measures (`kind`, "loss" or "accuracy"), of which `part`; values float (n,)."""

    name: str
    part: str
    kind: str
    values: np.ndarray


@picture
def examples(
    images: Tensor | np.ndarray | None,
    labels: Tensor | np.ndarray | None,
    classes: Sequence[str] | None,
    *,
    origin: str = HOME,
) -> tuple[Figure, str]:
    """Show the first pictures of every class, a column for each class.

    `images` is uint8 (N, 3, H, W) and `labels` int (N,), entries below `len(classes)`.
    """
    hint = "run the cell that loads the data"
    names = names_of(classes, hint)
    pictures = shaped(images, "images", "(N, 3, H, W)", hint)
    truth = ids_of(labels, "labels", names, hint)
    same_length(images=pictures, labels=truth)

    found = [(truth == c).nonzero().flatten()[:EACH] for c in range(len(names))]
    colours, note = colours_of(pictures[torch.cat(found)], "images")
    slot = ROOM // len(names)
    tiles = fitted(colours, slot - 6)
    side, across = tiles.shape[1:3]
    rows = max(len(some) for some in found)

    title = titled("A first look at the data: every column is one class", origin)
    finding = (
        f"The first {rows} pictures of each class, {pictures.shape[2]} × {pictures.shape[3]} pixels.{note}"
    )
    figure, axes = canvas(18 + rows * (side + 6), title, finding)
    columns = np.split(tiles, np.cumsum([len(some) for some in found])[:-1])
    for c, (name, column) in enumerate(zip(names, columns, strict=True)):
        x = MARGIN + c * slot
        axes.text(x + across / 2, 12, name, ha="center", size=9)
        for row, tile in enumerate(column):
            paste(axes, tile, x, 18 + row * (side + 6))
    numbers = ", ".join(f"{name} {len(some)}" for name, some in zip(names, found, strict=True))
    return figure, f"{title}. Pictures shown per class: {numbers}, out of {len(truth)}."


@picture
def first_filters(
    before: Tensor | np.ndarray | None, after: Tensor | np.ndarray | None, *, origin: str = HOME
) -> tuple[Figure, str]:
    """Show the filters of the first layer as colour pictures, before training (left) and after it (right).

    Both are float (F, 3, k, k), a filter at the same place in both halves. Each tile is scaled on its own: its
    smallest weight is black and its largest one full colour. At most 64 filters are shown.
    """
    hint = "run the cell that trains the network, keeping a copy of the first layer's weights from before"
    both = [
        finite(shaped(value, name, "(F, 3, k, k)", hint), name)
        for name, value in {"before": before, "after": after}.items()
    ]
    old, new = both
    if old.shape != new.shape:
        raise NotYet(f"`before` and `after` should have the same shape, and have {old.shape} and {new.shape}")

    count = min(len(old), MOST_FILTERS)
    columns = min(count, 4 if count <= 16 else 8)
    middle = 28  # screen pixels between the halves
    half = (ROOM - middle) // 2
    gap = 6
    halves = [sheet_of(fitted(own_range(w[:count]), half // columns - gap), columns, gap) for w in both]
    high = halves[0].shape[0]

    title = titled("What the first layer looks for, before and after training", origin)
    shown = f"All {count}" if count == len(old) else f"The first {count} of {len(old)}"
    moved = float(np.linalg.norm(new - old)) / (float(np.linalg.norm(old)) or 1.0)
    if moved == 0:
        change = "Nothing has changed: did you train, and is `before` a copy (`.clone()`)?"
    else:
        change = f"Training moved the weights by {percent(moved)}."
    finding = f"{shown} filters of {old.shape[2]} × {old.shape[3]}, each scaled to its own range. {change}"
    figure, axes = canvas(22 + high, title, finding)
    for i, (said, sheet) in enumerate(zip(("Before training", "After training"), halves, strict=True)):
        x = MARGIN + i * (half + middle)
        axes.text(x, 14, said, weight="bold")
        paste(axes, sheet, x, 22)
    alt = (
        f"{title}. {finding} Weights go from {old.min():.2f} to {old.max():.2f} before "
        f"and from {new.min():.2f} to {new.max():.2f} after."
    )
    return figure, alt


@picture
def activations(
    image: Tensor | np.ndarray | None,
    maps: Tensor | np.ndarray | None,
    title: str = "",
    *,
    origin: str = HOME,
) -> tuple[Figure, str]:
    """Show a picture (left) and what the channels of a layer make of it (right), all on one scale of greys.

    `image` is uint8 or float (3, H, W), `maps` float (C, h, w), of which the first 32 are shown; a batch of one
    is fine for both.
    """
    hint = "run the cells that train the network and compute its feature maps of a picture"
    one = shaped(alone(image), "image", "(3, H, W)", hint)
    values = finite(shaped(alone(maps), "maps", "(C, h, w)", hint), "maps")
    colours, note = colours_of(one, "image")
    count = min(len(values), MOST_MAPS)
    low, high = float(values[:count].min()), float(values[:count].max())
    top = float(np.quantile(values[:count], 0.99))  # a few extremes would leave all the rest black
    top = top if top > low else high
    greys = np.clip((values[:count] - low) / (top - low or 1.0), 0, 1)
    dead = int((np.ptp(values[:count], axis=(1, 2)) == 0).sum())

    left = fitted(colours, 192)
    start = left.shape[1] + 24
    gap = 6
    columns = min(8, count)
    sheet = sheet_of(fitted(greys[..., None].repeat(3, axis=-1), (ROOM - start) // 8 - gap), columns, gap)

    title = titled(title or "A picture and its feature maps", origin)
    shown = f"All {count}" if count == len(values) else f"The first {count} of {len(values)}"
    size = f"{values.shape[1]} × {values.shape[2]}"
    bounds = [f"{value:.2f}".replace("-", "−") for value in (low, top, high)]
    finding = f"{shown} maps of {size}. Black is {bounds[0]}, white is {bounds[1]}"
    finding += f" or more, up to {bounds[2]}." if bounds[1] != bounds[2] else "."
    if dead:
        finding += f" {dead} of them {'is' if dead == 1 else 'are'} the same everywhere."
    figure, axes = canvas(max(len(left), len(sheet)) + 4, title, finding + note)
    paste(axes, left, MARGIN, 4)
    paste(axes, sheet, MARGIN + start, 4)
    return figure, f"{title}. One picture and beside it its feature maps. {finding}"


@picture
def curves(
    history: Mapping[str, Sequence[float]] | None,
    *,
    target: float | None = None,
    by: str = "epoch",
    origin: str = HOME,
) -> tuple[Figure, str]:
    """Show losses (left) and accuracies (right) as training goes on.

    `history` maps names such as "training loss" and "validation accuracy" to lists, one number per epoch or step,
    accuracies as fractions of 1. A list with "loss" in its name is drawn left, one with "acc" right; others are
    left out. `by` is the label of the horizontal axis. If `history` has a list of that name, it gives the positions on
    this axis; else they are 1, 2, … `target` is an accuracy to reach, drawn as a line.
    """
    hint = "run the cell that trains the network"
    if not isinstance(history, Mapping | None):
        raise NotYet(f"`history` should be a dict of lists, and is of type {type(history).__name__}")
    if not history:
        raise NotYet(hint)
    lines = lines_of(history, by, hint)
    at = positions_of(history, by, lines, hint)
    losses, accuracies = ([line for line in lines if line.kind == kind] for kind in ("loss", "accuracy"))
    parts = list(dict.fromkeys(line.part for line in lines))
    looks = {part: LOOKS[i % len(LOOKS)] for i, part in enumerate(parts)}  # the same in both panels

    title = titled("How training went", origin)
    finding = reached(accuracies, at, target, by)
    figure = blank(340, title, finding, layout=True)
    panels = figure.subplots(1, bool(losses) + bool(accuracies), squeeze=False)[0]
    if losses:
        draw_panel(panels[0], losses, at, looks, "Loss", by)
    if accuracies:
        if target is not None:
            panels[-1].axhline(target, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
            panels[-1].text(
                0.01,
                target,
                f"target {target:.2f}",
                color=SOFT,
                size=8.5,
                va="bottom",
                transform=panels[-1].get_yaxis_transform(),
            )
        draw_panel(panels[-1], accuracies, at, looks, "Accuracy (fraction right)", by)
    told = "; ".join(f"{line.name} from {line.values[0]:.3f} to {line.values[-1]:.3f}" for line in lines)
    return figure, f"{title}: {told}. {finding}".strip()


@picture
def confusion(
    matrix: Tensor | np.ndarray | None, classes: Sequence[str] | None, *, origin: str = HOME
) -> tuple[Figure, str]:
    """Show how often each true class (row) is predicted as each class (column).

    `matrix` holds counts (n, n) for n classes. The numbers are these counts, the colour is the share of the row.
    The two largest counts beside the diagonal are named and framed.
    """
    hint = "run the cells that train the network and count its predictions"
    names = names_of(classes, hint)
    n = len(names)
    counts = finite(shaped(matrix, "matrix", f"({n}, {n})", hint), "matrix")
    if (counts < 0).any() or (counts != counts.round()).any():
        raise NotYet("`matrix` should hold counts: whole numbers from 0 on")
    if not counts.any():
        raise NotYet("`matrix` holds only zeros, so count the predictions")

    totals = counts.sum(1)
    share = counts / np.maximum(totals, 1)[:, None]  # a class without pictures is a row of zeros
    accuracy = counts.trace() / counts.sum()
    wrong = counts * (1 - np.eye(n))
    worst = [divmod(int(i), n) for i in wrong.argsort(axis=None, kind="stable")[::-1][:2] if wrong.flat[i]]
    said = [
        f"{names[i]} taken for {names[j]} ({counts[i, j]:.0f} of {totals[i]:.0f}, {percent(share[i, j])})"
        for i, j in worst
    ]
    finding = f"Most frequent: {' and '.join(said)}." if said else "No confusion: every prediction is right."

    title = titled("Which classes are taken for which", origin)
    figure = blank(600, title, f"Accuracy {accuracy:.3f}. {finding}", layout=True)
    axes = figure.subplots()
    shade = PowerNorm(0.5, 0, 1)  # the square root lifts the few per cent of a confusion out of the white
    axes.imshow(share, cmap="Blues", norm=shade, aspect="auto")
    for i, j in np.argwhere(counts > 0):
        color = "white" if shade(share[i, j]) > 0.6 else INK
        axes.text(j, i, f"{counts[i, j]:.0f}", ha="center", va="center", color=color, size=8.5)
    for i, j in worst:
        corner = (j - 0.5, i - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=ACCENT, linewidth=2.2, clip_on=False))
    axes.set_xticks(range(n), names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(n), names)
    axes.set_xlabel("Predicted class (blank: never). Number: pictures; colour: share of the row")
    axes.set_ylabel("True class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)

    seen = np.flatnonzero(totals)
    right = share.diagonal()[seen]
    best, least = seen[right.argmax()], seen[right.argmin()]
    alt = (
        f"{title}. Matrix of {n} true classes by {n} predicted ones, {counts.sum():.0f} pictures, "
        f"accuracy {accuracy:.3f}. {finding} Recognised best: {names[best]}, {percent(share[best, best])}; "
        f"worst: {names[least]}, {percent(share[least, least])}."
    )
    return figure, alt


@picture
def saliency(
    images: Tensor | np.ndarray | None,
    maps: Tensor | np.ndarray | None,
    titles: Sequence[str] | None = None,
    *,
    origin: str = HOME,
) -> tuple[Figure, str]:
    """Show pictures and below each one how strongly the score depends on each of its pixels.

    `images` is uint8 or float (N, 3, H, W), `maps` |gradient| (N, H, W), `titles` the text above each picture.
    Each map is scaled on its own. At most 8 pictures are shown.
    """
    hint = "run the cells that train the network and compute the gradients of its scores"
    pictures = shaped(images, "images", "(N, 3, H, W)", hint)
    values = finite(shaped(maps, "maps", "(N, H, W)", hint), "maps")
    same_length(images=pictures, maps=torch.from_numpy(values))
    if pictures.shape[2:] != values.shape[1:]:
        raise NotYet(
            f"pictures and maps should have the same size, and have {tuple(pictures.shape[2:])} "
            f"and {values.shape[1:]}"
        )
    if (values < 0).any():
        raise NotYet("`maps` should hold absolute values, and has negative numbers")
    said = [""] * len(values) if titles is None else names_of(titles, hint)
    if len(said) != len(values):
        raise NotYet(f"there are {len(values)} pictures and {len(said)} titles")

    count = min(len(values), MOST_PICTURES)
    colours, note = colours_of(pictures[:count], "images")
    slot = ROOM // max(count, 5)
    above = fitted(colours, slot - 8)
    # As above, a few extremes would leave the rest black.
    top = np.quantile(values[:count], 0.998, axis=(1, 2), keepdims=True)
    top = np.where(top > 0, top, values[:count].max((1, 2), keepdims=True))  # few pixels count at all
    below = fitted(HEAT(np.clip(values[:count] / np.where(top > 0, top, 1), 0, 1))[..., :3], slot - 8)
    high, wide = above.shape[1:3]
    heads = [textwrap.wrap(text, max(6, slot // 8))[:3] for text in said[:count]]
    head = 15 * max(len(lines) for lines in heads) + 4

    title = titled("Which pixels the score depends on", origin)
    zero = int((values[:count].max((1, 2)) == 0).sum())
    finding = "Below: |gradient| of the score, from black (none) to light (most), each map on its own scale."
    if zero:
        finding += f" {zero} of {count} maps {'is' if zero == 1 else 'are'} zero everywhere."
    figure, axes = canvas(head + 2 * (high + 8), title, finding + note)
    for i in range(count):
        x = MARGIN + i * slot
        axes.text(x + wide / 2, head - 6, "\n".join(heads[i]), ha="center", va="bottom", size=8.5)
        paste(axes, above[i], x, head)
        paste(axes, below[i], x, head + high + 8)
    listed = ": " + "; ".join(said[:count]) if titles is not None else ""
    return figure, f"{title}. {count} of {len(values)} pictures{listed}. {finding}"


def titled(title: str, origin: str) -> str:
    """Name where the data comes from in the title, unless it is what the course is about."""
    return title if origin == HOME else f"{title} ({origin})"


def shaped(value: object, name: str, shape: str, hint: str) -> Tensor:
    """Return `value` as a tensor of the shape written out, in which letters stand for any size; see `tensor_of`."""
    if isinstance(value, list | tuple) and value and all(isinstance(part, Tensor) for part in value):
        try:
            value = torch.stack([*value])
        except RuntimeError:
            raise NotYet(f"`{name}` holds tensors of different shapes") from None
    if isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value)  # torch takes no flipped views
    tensor = tensor_of(value, name, hint)
    sizes = shape.strip("()").split(", ")
    fits = tensor.ndim == len(sizes) and all(
        not size.isdigit() or int(size) == found for size, found in zip(sizes, tensor.shape, strict=True)
    )
    if not fits:
        raise NotYet(f"`{name}` should have shape {shape}, and has shape {tuple(tensor.shape)}")
    return tensor


def alone(value: object) -> object:
    """The only member of a batch of one; anything else as it is."""
    return (
        value[0] if isinstance(value, Tensor | np.ndarray) and value.ndim == 4 and len(value) == 1 else value
    )


def finite(tensor: Tensor, name: str) -> np.ndarray:
    """The tensor as float64, all of it finite."""
    array: np.ndarray = tensor.double().numpy()
    if not np.isfinite(array).all():
        raise NotYet(f"`{name}` holds numbers that are not finite")
    return array


def colours_of(pictures: Tensor, name: str) -> tuple[np.ndarray, str]:
    """Pictures (…, 3, H, W) as float (…, H, W, 3) from 0 to 1, and a note if that took a scale of their own."""
    array = np.moveaxis(finite(pictures, name), -3, -1)
    low, high = array.min(), array.max()
    if not pictures.is_floating_point() and low >= 0 and high <= 255:
        return array / 255, ""
    if low >= 0 and high <= 1:
        return array, ""
    return (array - low) / (high - low or 1.0), RANGE_NOTE


def own_range(filters: np.ndarray) -> np.ndarray:
    """Filters (F, 3, k, k) as pictures (F, k, k, 3), each from 0 to 1; one without contrast is grey."""
    low = filters.min((1, 2, 3), keepdims=True)
    extent = filters.max((1, 2, 3), keepdims=True) - low
    scaled = np.where(extent > 0, (filters - low) / np.where(extent > 0, extent, 1), 0.5)
    return np.moveaxis(scaled, 1, -1)


def fitted(pictures: np.ndarray, room: int) -> np.ndarray:
    """Pictures (…, H, W, 3) enlarged to at most `room` screen pixels a side, each pixel becoming a square of them.

    Pictures too large are thinned out.
    """
    largest, room = max(pictures.shape[-3:-1]), max(room, 1)
    step = -(-largest // room)
    factor = max(1, room // largest)
    thin = pictures[..., ::step, ::step, :]
    return thin.repeat(factor, axis=-3).repeat(factor, axis=-2)


def sheet_of(tiles: np.ndarray, columns: int, gap: int) -> np.ndarray:
    """Lay tiles (K, h, w, 3) out row by row on a white sheet, `gap` pixels apart."""
    k, h, w, _ = tiles.shape
    rows = -(-k // columns)
    sheet = np.ones((rows * columns, h + gap, w + gap, 3))
    sheet[:k, :h, :w] = tiles
    sheet = sheet.reshape(rows, columns, h + gap, w + gap, 3).swapaxes(1, 2)
    return sheet.reshape(rows * (h + gap), columns * (w + gap), 3)


def canvas(height: int, title: str, subtitle: str) -> tuple[Figure, Axes]:
    """A figure with `height` pixels free; data coordinates are screen pixels from the top left of those."""
    figure = blank(height + MARGIN, title, subtitle)
    whole = figure.get_figheight() * DPI
    axes = figure.add_axes((0, MARGIN / whole, 1, height / whole))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.set_axis_off()
    return figure, axes


def paste(axes: Axes, colours: np.ndarray, x: float, y: float) -> None:
    """Put a picture (h, w, 3) of screen pixels with its top left corner at x, y."""
    h, w, _ = colours.shape
    axes.imshow(colours, extent=(x, x + w, y + h, y), aspect="auto")


def percent(share: float) -> str:
    """A share in whole per cent."""
    return f"{100 * share:.0f} %"


def lines_of(history: Mapping[str, object], by: str, hint: str) -> list[Line]:
    """The losses and accuracies of a history, in its order."""
    lines = []
    for name, value in history.items():
        words = str(name).replace("_", " ").split()
        kinds = ["loss" if "loss" in w.lower() else "accuracy" if "acc" in w.lower() else "" for w in words]
        if not any(kinds):
            continue
        values = tensor_of(value, f'history["{name}"]', hint).double().numpy()
        if values.ndim != 1:
            raise NotYet(f'`history["{name}"]` should be a list of numbers')
        kind = next(filter(None, kinds))
        part = " ".join(word for word, of in zip(words, kinds, strict=True) if not of)
        if kind == "accuracy" and (values > 1).any():
            raise NotYet(f'`history["{name}"]` should hold fractions of 1, and goes up to {values.max():.4g}')
        lines.append(Line(str(name), part or kind, kind, values))
    if not lines:
        raise NotYet(f'`history` holds no list named "loss" or "accuracy", so {hint}')
    return lines


def positions_of(history: Mapping[str, object], by: str, lines: Sequence[Line], hint: str) -> np.ndarray:
    """The positions of the lines' numbers on the horizontal axis, float (longest,)."""
    longest = max(len(line.values) for line in lines)
    if history.get(by) is None:
        return np.arange(1.0, longest + 1)
    at = finite(tensor_of(history[by], f'history["{by}"]', hint), f'history["{by}"]')
    for line in lines:
        if at.shape != line.values.shape:
            raise NotYet(f'`history["{by}"]` and `history["{line.name}"]` should be lists of the same length')
    return at


def reached(accuracies: Sequence[Line], at: np.ndarray, target: float | None, by: str) -> str:
    """In a sentence the best accuracy on data not trained on, and when the target was reached first."""
    held_out = [line for line in accuracies if line.part.lower().startswith(("val", "test"))]
    if not held_out or not np.isfinite(held_out[0].values).any():
        return ""
    line = held_out[0]
    best = int(np.nanargmax(line.values))
    told = f"Best {line.part} accuracy: {line.values[best]:.3f} ({by} {at[best]:g})."
    if target is not None:
        there = np.flatnonzero(line.values >= target)
        told += (
            f" {target:.2f} reached first at {by} {at[there[0]]:g}."
            if len(there)
            else f" {target:.2f} is not reached yet."
        )
    return told


def draw_panel(
    axes: Axes,
    lines: Sequence[Line],
    at: np.ndarray,
    looks: Mapping[str, tuple[str, str]],
    ylabel: str,
    by: str,
) -> None:
    """Draw lines, each with its part and last value beside its end."""
    for line in lines:
        color, marker = looks[line.part]
        axes.plot(
            at[: len(line.values)],
            line.values,
            color=color,
            marker="" if len(line.values) > MANY else marker,
            markersize=4,
            linewidth=1 if len(line.values) > MANY else 1.5,
        )
    axes.set_xlabel(by.capitalize())
    axes.set_title(ylabel)
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    axes.grid(axis="y")

    low, high = axes.get_ylim()
    ends = [line.values[-1] if np.isfinite(line.values[-1]) else low for line in lines]
    beside = axes.get_yaxis_transform()
    for line, height in zip(lines, spread(ends, (high - low) * 0.06), strict=True):
        last = line.values[-1]
        said = f"{line.part} {last:.3f}" if np.isfinite(last) else f"{line.part}: not finite"
        axes.text(1.02, height, said, color=looks[line.part][0], va="center", transform=beside)
