"""What a course's figures are made with: one look, shown as a PNG with alt text.

A function decorated with `picture` draws from what the notebook has computed so far. When that is missing or malformed
it raises `NotYet`, and the reader sees one sentence that says what to do first. Nothing here touches pyplot or leaves
a changed rcParam behind, so the figures look the same under any backend and any style of the reader's.
"""

import textwrap
from collections.abc import Callable, Sequence
from functools import wraps
from io import BytesIO
from typing import Any, NamedTuple, ParamSpec

import numpy as np
import PIL.Image
import torch
from IPython.display import Image, display
from matplotlib import colormaps, style
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from chainrule.lesson.time_limits import TooLong, within

P = ParamSpec("P")

DPI = 110
SHARPNESS = 2  # pixels of the file for one of the page
DRAW_SECONDS = 300.0  # far above what any figure needs, those that train included
WIDTH = 820  # pixels, so every figure is 7.5 in wide
MARGIN = 12  # pixels left free at the edges
INK, SOFT, ACCENT = "#222222", "#5a5a5a", "#d55e00"

# Told apart by hue for the colour-blind, by lightness and marker in a grayscale print.
LOOKS = [("#0b3c6f", "o"), ("#c96100", "s"), ("#00805d", "^"), ("#9a5c8f", "D")]

# Blue to orange through grey. It gets lighter from minus to plus, so that the sign can be seen in a grayscale print.
SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#06204a", "#1f5fa6", "#94989c", "#f4b55c", "#ffe9bd"], N=65
)
GREYS = colormaps["gray_r"].resampled(64)  # looks like all 256, and the PNG is smaller

STYLE = {
    "font.size": 9.5,
    "text.color": INK,
    "text.parse_math": False,  # a "$" in a title is a dollar
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "grid.color": "#e4e4e4",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "image.interpolation": "nearest",  # a pixel of the data stays a square
}


class Line(NamedTuple):
    """A line of a plot: `values` is float (epochs,); the rest is in matplotlib's words."""

    name: str
    values: np.ndarray
    color: str
    marker: str
    dash: str


class NotYet(Exception):
    """There is nothing to draw; the message says in a few words what to do first."""


def picture(draw: Callable[P, tuple[Figure, str]]) -> Callable[P, None]:
    """Turn `draw`, which returns a figure and its alt text, into a function that shows the one with the other."""

    @wraps(draw)
    def show(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with style.context(["default", STYLE]), within(DRAW_SECONDS):
                figure, alt = draw(*args, **kwargs)
                png = as_png(figure)
        except (NotYet, TooLong) as reason:
            print(f"Nothing to draw yet: {str(reason).rstrip('?.')}.")
        else:
            display(Image(data=png, format="png", alt=alt, width=WIDTH))

    return show


def as_png(figure: Figure) -> bytes:
    """The figure with two pixels for each of the page's, so that it is sharp on every screen and in print."""
    full, small = BytesIO(), BytesIO()
    figure.savefig(full, format="png", dpi=SHARPNESS * DPI)
    picture = PIL.Image.open(full).convert("RGB")
    # 256 colours are enough for a figure, and keep the file as small as it was with a quarter of the pixels
    picture.quantize(256, method=PIL.Image.Quantize.MEDIANCUT, dither=PIL.Image.Dither.NONE).save(
        small, format="png", optimize=True
    )
    return small.getvalue()


def blank(height: int, title: str, subtitle: str = "", *, layout: bool = False) -> Figure:
    """Make a figure with its title at the top left and `height` pixels free below it.

    With `layout` matplotlib arranges the axes within those pixels, else the caller places them.
    """
    head = textwrap.wrap(title, WIDTH // 11, break_on_hyphens=False)  # characters of 12 pt bold on a line
    note = textwrap.wrap(subtitle, WIDTH // 8)  # of 9.5 pt
    top = MARGIN + 23 * len(head)
    header = top + 19 * len(note) + 8
    whole = height + header
    figure = Figure(figsize=(WIDTH / DPI, whole / DPI), dpi=DPI)
    figure.text(MARGIN / WIDTH, 1 - MARGIN / whole, "\n".join(head), va="top", size=12, weight="bold")
    figure.text(MARGIN / WIDTH, 1 - top / whole, "\n".join(note), va="top", color=SOFT)
    if layout:
        figure.set_layout_engine("constrained", rect=(0.005, 0.005, 0.99, height / whole - 0.005))
    return figure


def mosaic(
    pictures: np.ndarray,
    columns: int,
    gap: tuple[int, int],
    title: str,
    subtitle: str,
    *,
    left: int = MARGIN,
    right: int = MARGIN,
    cmap: Colormap,
    norm: Normalize | None = None,
) -> tuple[Figure, Axes, AxesImage]:
    """Lay pictures (K, h, w) out row by row on one white sheet, `gap` = (below, beside) pixels apart.

    A pixel of a picture becomes a whole number of pixels on the screen. Data coordinates count pixels of the
    sheet from the top left corner of the first picture. `left` and `right` are screen pixels kept free.
    """
    k, h, w = pictures.shape
    rows = -(-k // columns)
    high, wide = h + gap[0], w + gap[1]
    sheet = np.full((rows * columns, high, wide), np.nan)  # imshow leaves NaN white
    sheet[:k, :h, :w] = pictures
    sheet = sheet.reshape(rows, columns, high, wide).swapaxes(1, 2).reshape(rows * high, columns * wide)

    scale = (WIDTH - left - right) // (columns * wide)
    height, width = scale * rows * high, scale * columns * wide
    figure = blank(height + MARGIN, title, subtitle)
    whole = figure.get_figheight() * DPI
    axes = figure.add_axes((left / WIDTH, MARGIN / whole, width / WIDTH, height / whole))
    image = axes.imshow(sheet, cmap=cmap, norm=norm, extent=(0, columns * wide, rows * high, 0))
    axes.set_axis_off()
    return figure, axes, image


def draw_lines(axes: Axes, lines: Sequence[Line], ylabel: str) -> None:
    """Draw lines by epoch, each with its name and last value beside its end."""
    for line in lines:
        fill = "white" if line.dash == "--" else line.color
        epochs = np.arange(1, len(line.values) + 1)
        look = line.dash + line.marker
        axes.plot(epochs, line.values, look, color=line.color, markersize=4, markerfacecolor=fill)
    axes.set_xlabel("Epoch")
    axes.set_ylabel(ylabel)
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    axes.grid(axis="y")

    low, high = axes.get_ylim()
    finite = [line.values[np.isfinite(line.values)] for line in lines]
    heights = spread([values[-1] if len(values) else low for values in finite], (high - low) * 0.055)
    beside = axes.get_yaxis_transform()
    for line, height in zip(lines, heights, strict=True):
        last = line.values[-1]
        said = f"{line.name} {last:.3f}" if np.isfinite(last) else f"{line.name}: not finite"
        axes.text(1.02, height, said, color=line.color, va="center", transform=beside)


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move labels apart, the close ones in equal parts, until neighbours are about `gap` apart."""
    order = np.argsort(heights, kind="stable")
    moved = np.array(heights, dtype=float)[order]
    for _ in range(100):
        for i in range(len(moved) - 1):
            push = max(0.0, gap - (moved[i + 1] - moved[i])) / 2
            moved[i] -= push
            moved[i + 1] += push
    in_order: list[float] = moved[np.argsort(order)].tolist()
    return in_order


def tensor_of(value: object, name: str, hint: str) -> Tensor:
    """Return `value` as a tensor on the CPU without gradient; `hint` says what to do when there is none."""
    if value is None:
        raise NotYet(hint)
    try:
        tensor = torch.as_tensor(value).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"`{name}` does not hold numbers; it is of type {type(value).__name__}") from None
    if not tensor.numel():
        raise NotYet(f"`{name}` is empty, so {hint}")
    return tensor


def ids_of(value: object, name: str, classes: Sequence[str], hint: str) -> Tensor:
    """Return `value` as class numbers, int64 (N,), every one below `len(classes)`."""
    ids = tensor_of(value, name, hint)
    if ids.ndim != 1:
        raise NotYet(
            f"`{name}` should hold one class per picture, shape (N,), and has shape {tuple(ids.shape)}"
        )
    if (ids != ids.long()).any() or ids.min() < 0 or ids.max() >= len(classes):
        raise NotYet(f"`{name}` should hold whole numbers from 0 to {len(classes) - 1}")
    return ids.long()


def names_of(classes: Sequence[str] | None, hint: str) -> list[str]:
    """Return the names of the classes."""
    if not isinstance(classes, Sequence) or not classes:
        raise NotYet(hint)
    return [str(name) for name in classes]


def same_length(**tensors: Tensor) -> None:
    """Check that the tensors speak of the same N pictures."""
    if len({len(t) for t in tensors.values()}) > 1:
        lengths = ", ".join(f"{len(t)} in `{name}`" for name, t in tensors.items())
        raise NotYet(f"the numbers of pictures differ ({lengths}), so compute them from the same data")


def attempt(call: Callable[[], Any]) -> Any:
    """What code of the reader's gives, or `NotYet` with what it raised."""
    try:
        return call()
    except Exception as error:
        raise NotYet(error_in_words(error)) from None


def error_in_words(error: Exception) -> str:
    """An error of the reader's code in a few words, without a full stop."""
    if isinstance(error, NotImplementedError):
        return str(error).rstrip(".") or "a function is not finished"
    return f"your code raised {type(error).__name__}: {' '.join(str(error).split())[:120]}".rstrip(". ")


def array_of(value: Any, shape: tuple[int, ...] | None, name: str) -> np.ndarray:
    """Finite numbers as float64, reshaped if a shape is given."""
    try:
        array = np.asarray(torch.as_tensor(value).detach().cpu().double())
        array = array if shape is None else array.reshape(shape)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"{name} should be numbers of another form") from None
    if not array.size or not np.isfinite(array).all():
        raise NotYet(f"{name} hold NaN or infinity" if array.size else f"{name} are empty")
    return array
