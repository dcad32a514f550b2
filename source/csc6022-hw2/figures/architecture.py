"""Two drawings of the transformer: how its parts are connected, and how vectors are split into heads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chainrule.lesson.figures import DPI, INK, LOOKS, MARGIN, SOFT, WIDTH, blank, picture

__all__ = ["split_into_heads", "transformer"]

MINE, GIVEN = "#cfe1f5", "#eeeeee"
WIDE, HIGH, STEP = 290, 38, 72  # pixels of a box, and from one box of a layer to the next
ENCODER, DECODER = 180, 608  # the middles of both columns
WORDS, HEADS, D_K = ("the", "cat", "saw", "it"), 2, 3
CELL = 31  # pixels of a number, wide; it is lower
LOW = 24


@picture
def transformer() -> tuple[Figure, str]:
    """Draw encoder (left) and decoder (right), each box with the part of the problem where it is written."""
    title = "The transformer, and where you write it"
    note = (
        "Read each column from the bottom to the top. Blue: written by you, in the part named. Grey: given."
    )
    figure, axes = canvas(525, title, note)
    layers = {
        ENCODER: ("EncoderLayer, given", [("Self-attention", "padding mask"), ("FeedForward", "")]),
        DECODER: (
            "DecoderLayer, 7.6",
            [
                ("Masked self-attention", "target mask"),
                ("Attention over the memory", "padding mask"),
                ("FeedForward", ""),
            ],
        ),
    }
    first = 345  # where the lowest box of a layer begins
    top = {}
    for x, (name, parts) in layers.items():
        said = "source tokens (B, m)" if x == ENCODER else "decoder input (B, n)"
        axes.text(x, 514, said, ha="center", va="center")
        arrow(axes, x, 504, 490)
        box(axes, x, 452, "Embeddings, positions", "7.4")
        arrow(axes, x, 452, first + HIGH)
        last = first - STEP * (len(parts) - 1)
        frame = (x - WIDE / 2 - 14, last - 46)
        axes.add_patch(
            Rectangle(frame, WIDE + 44, first + HIGH + 26 - frame[1], fill=False, edgecolor=SOFT, linewidth=1)
        )
        for said, place in ((name, -WIDE / 2 - 7), ("one or more of these", 12)):
            axes.text(x + place, frame[1] + 12, said, size=8.5, color=SOFT, va="center")
        for i, (part, mask) in enumerate(parts):
            y = first - STEP * i
            if mask:
                box(axes, x, y, part, "7.1, 7.3", f"under the {mask} (7.2)")
            else:
                box(axes, x, y, part, "given", "two linear layers for each word")
            around = x + WIDE / 2 + 15  # x, which is added to what the box gives
            axes.plot(
                [x, around, around, x + 7], [y + HIGH + 9, y + HIGH + 9, y - 10, y - 10], color=INK, lw=1
            )
            axes.plot(x, y - 10, "o", markersize=10, color="white", markeredgecolor=INK)
            axes.text(x, y - 10, "+", ha="center", va="center", size=9)
            arrow(axes, x, y - 17, y - STEP + HIGH if i + 1 < len(parts) else last - 66)
        box(axes, x, last - 66 - HIGH, "LayerNorm", "7.5")
        top[x] = last - 66 - HIGH
    arrow(axes, DECODER, top[DECODER], top[DECODER] - 16)
    box(axes, DECODER, top[DECODER] - 16 - HIGH, "Generator", "given")
    axes.text(DECODER, 6, "log-probabilities (B, n, vocabulary)", ha="center", va="center")
    arrow(axes, DECODER, top[DECODER] - 16 - HIGH, 14)

    over, into, between = top[ENCODER] - 16, first - STEP + HIGH / 2, (ENCODER + DECODER) / 2 + 2
    axes.plot([ENCODER, ENCODER, between, between], [top[ENCODER], over, over, into], color=INK, lw=1)
    axes.annotate(
        "", (DECODER - WIDE / 2, into), (between, into), arrowprops={"arrowstyle": "->", "shrinkA": 0}
    )
    axes.text(ENCODER, over - 11, "memory (B, m, d_model): keys and values", ha="center", va="center")
    axes.text(
        MARGIN,
        30,
        "Around each box of a layer is a Sublayer (7.5):\nx + dropout(sublayer(norm(x)))",
        va="center",
        size=9,
        color=SOFT,
    )
    alt = (
        f"{title}. Encoder: source tokens, embeddings and positions (7.4); layers of self-attention (7.1, 7.3) under "
        "the padding mask (7.2) and a given FeedForward; LayerNorm (7.5), which gives the memory. Decoder: its input, "
        "embeddings and positions; layers (7.6) of masked self-attention under the target mask, attention over the "
        "memory under the padding mask, and FeedForward; LayerNorm; a given Generator, which gives "
        "log-probabilities. Around each box of a layer is a Sublayer (7.5), which adds what went in."
    )
    return figure, alt


@picture
def split_into_heads() -> tuple[Figure, str]:
    """Show where the numbers of four words go when their vectors are split into two heads, and what a mere change of
    shape makes of them."""
    n, d_model = len(WORDS), HEADS * D_K
    x = torch.arange(n * d_model).view(n, d_model)  # the number of each entry: word · d_model + feature
    grouped = x.view(n, HEADS, D_K)
    title = "From words to heads: two ways to the same shape, one of them right"
    note = (
        f"One sentence of n = {n} words, d_model = {d_model}, h = {HEADS} heads of d_k = {D_K}. "
        "Colour and letter tell the word."
    )
    figure, axes = canvas(330, title, note)
    table = (CELL * d_model, CELL * D_K)
    start, middle, end = 62, 62 + table[0] + 66, 62 + table[0] + 66 + table[0] + 12 + 66
    for y, right in ((30, True), (200, False)):
        grid(axes, x, start, y, WORDS)
        axes.text(start, y - 12, "(B, n, d_model)", va="center")
        there = y + 2 * LOW
        if right:
            across(axes, start + table[0], middle, there)
            for head in range(HEADS):
                grid(axes, grouped[:, head], middle + head * (table[1] + 12), y)
            axes.text(middle, y - 12, "(B, n, h, d_k)", va="center")
            across(axes, middle + table[0] + 12, end, there)
            found = grouped.transpose(0, 1)
        else:
            across(axes, start + table[0], end, there)
            halfway = (start + table[0] + end) / 2
            for said, y_text in (("only the shape changes:", -12), ("the numbers stay in their order", 13)):
                axes.text(halfway, there + y_text, said, ha="center", va="center", size=9, color=SOFT)
            found = x.view(HEADS, n, D_K)
        for head in range(HEADS):
            left = end + head * (table[1] + 22)
            grid(axes, found[head], left, y)
            axes.text(
                left + table[1] / 2, y + 4 * LOW + 13, f"head {head + 1}", ha="center", va="center", size=9
            )
        axes.text(end, y - 12, "(B, h, n, d_k)", va="center")
        verdict = (
            "Right: each head has its part of every word, a row for each word."
            if right
            else "Wrong: a head has half of the words, and a row is half of a word."
        )
        axes.text(start, y + 4 * LOW + 15, verdict, va="center", weight="bold", size=9)
    alt = (
        f"{title}. Right: the {d_model} numbers of each word are cut into {HEADS} groups of {D_K}; then the dimensions "
        "of words and heads change places, so that each head has a row for each of the four words. Wrong: with the "
        "numbers in their old order, head 1 has two rows of “the” and two of “cat”, head 2 has “saw” and “it”."
    )
    return figure, alt


def canvas(height: int, title: str, note: str) -> tuple[Figure, Axes]:
    """A figure with `height` pixels free; data coordinates are pixels of the page from the top left of those."""
    figure = blank(height + MARGIN, title, note)
    axes = figure.add_axes(
        (0, MARGIN / (figure.get_figheight() * DPI), 1, height / (figure.get_figheight() * DPI))
    )
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.set_axis_off()
    return figure, axes


def box(axes: Axes, x: float, y: float, name: str, part: str, below: str = "") -> None:
    """A box with its top at y and its middle at x."""
    face = GIVEN if part == "given" else MINE
    left = x - WIDE / 2
    axes.add_patch(Rectangle((left, y), WIDE, HIGH, facecolor=face, edgecolor=INK, linewidth=1, zorder=2))
    middle = y + HIGH / 2 - (7 if below else 0)
    axes.text(left + 9, middle, name, va="center")
    axes.text(left + WIDE - 9, middle, part, va="center", ha="right", weight="bold")
    if below:
        axes.text(left + 9, y + HIGH - 10, below, va="center", size=8, color=SOFT)


def arrow(axes: Axes, x: float, low: float, high: float) -> None:
    """An arrow upwards."""
    axes.annotate("", (x, high), (x, low), arrowprops={"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0})


def across(axes: Axes, left: float, right: float, y: float) -> None:
    """An arrow to the right, with some space at both ends."""
    axes.annotate(
        "", (right - 8, y), (left + 8, y), arrowprops={"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0}
    )


def grid(axes: Axes, entries: torch.Tensor, x: float, y: float, rows: Sequence[str] = ()) -> None:
    """A table of entries, given by their number, in the colours of their words."""
    for i, row in enumerate(entries.tolist()):
        for j, entry in enumerate(row):
            word, feature = divmod(entry, HEADS * D_K)
            place = (x + j * CELL, y + i * LOW)
            face = LOOKS[word][0]
            axes.add_patch(Rectangle(place, CELL, LOW, facecolor=face, edgecolor="white", linewidth=1))
            axes.text(
                place[0] + CELL / 2,
                place[1] + LOW / 2,
                f"{WORDS[word][0]}{feature}",
                ha="center",
                va="center",
                color="white",
                size=8.5,
            )
    for i, name in enumerate(rows):
        axes.text(x - 8, y + (i + 0.5) * LOW, name, ha="right", va="center", size=9)
