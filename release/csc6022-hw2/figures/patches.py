"""The figure of the patches question: an image, cut and flattened as a Vision Transformer does it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chainrule.lesson.figures import ACCENT, GREYS, INK, SOFT, NotYet, blank, picture

__all__ = ["matrix"]

HEIGHT, WIDTH = 8, 12  # pixels of the image
# The first row, column of two pixels, one above the other. Patches of 4 and of 2 pixels have a border between them.
TOUCHING = ((3, 5), (4, 5))


@picture
def matrix(patch: int = 4) -> tuple[Figure, str]:
    """Show a small grey image in patches of patch × patch pixels, and beside it the matrix with a row for each."""
    if patch not in (2, 4):
        raise NotYet("`patch` should be 2 or 4 here")
    image = hill()
    down, across = HEIGHT // patch, WIDTH // patch
    rows = flattened(image, patch)  # (patches, length)

    title = f"Patches of {patch} × {patch} pixels: an image becomes a matrix"
    note = (
        f"Left: {HEIGHT} × {WIDTH} pixels, {down * across} patches. Right: a row of {patch * patch} numbers for each "
        "patch. Framed: two pixels that touch in the image."
    )
    figure = blank(300, title, note, layout=True)
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    draw(left, image)
    for y in range(0, HEIGHT + 1, patch):
        left.axhline(y - 0.5, color=INK, linewidth=1.2)
    for x in range(0, WIDTH + 1, patch):
        left.axvline(x - 0.5, color=INK, linewidth=1.2)
    for number in range(down * across):
        y, x = divmod(number, across)
        left.text(
            patch * x - 0.4, patch * y - 0.4, f"{number}", va="top", size=8, color=ACCENT, weight="bold"
        )
    left.set_title("The image, its patches counted from 0")
    draw(right, rows)
    right.set_title("The matrix, a row for each patch")
    right.set_ylabel("Patch")
    right.set_xlabel("Place in the patch, row by row")
    told = []
    for y, x in TOUCHING:
        row = y // patch * across + x // patch
        column = y % patch * patch + x % patch
        frame(left, x, y)
        frame(right, column, row)
        told.append(f"row {row}, column {column}")
    alt = (
        f"{title}. An image of {HEIGHT} × {WIDTH} pixels has {down * across} patches; the matrix beside it has "
        f"{down * across} rows of {patch * patch} numbers. Two pixels that touch are at {' and '.join(told)}."
    )
    return figure, alt


def hill() -> np.ndarray:
    """A grey image (HEIGHT, WIDTH) in which no two patches look the same: a dark hill on a slope."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image: np.ndarray = np.exp(-((y - 3.2) ** 2 + (x - 5.4) ** 2) / 9) + 0.03 * x + 0.02 * y
    return image


def flattened(image: np.ndarray, patch: int) -> np.ndarray:
    """The patches of an image as rows (patches, patch · patch), row by row of the image."""
    down, across = image.shape[0] // patch, image.shape[1] // patch
    return image.reshape(down, patch, across, patch).swapaxes(1, 2).reshape(down * across, patch * patch)


def draw(axes: Axes, values: np.ndarray) -> None:
    """Draw numbers as grey pixels, their rows and columns counted."""
    axes.imshow(values, cmap=GREYS, vmin=0, vmax=2.8, aspect="auto" if len(values) > HEIGHT else "equal")
    axes.tick_params(length=0, labelcolor=SOFT)
    axes.set_xticks(range(values.shape[1]))
    axes.set_yticks(range(0, len(values), 1 if len(values) <= HEIGHT else 4))
    axes.spines[:].set_visible(False)


def frame(axes: Axes, x: int, y: int) -> None:
    """Frame the pixel in column x and row y."""
    axes.add_patch(
        Rectangle(
            (x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor=ACCENT, linewidth=2.4, clip_on=False, zorder=3
        )
    )
