"""The figures of the attention problem, made as `chainrule.lesson.figures` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from chainrule.lesson.figures import SIGNED, WIDTH, NotYet, array_of, attempt, blank, picture

__all__ = ["example", "heads", "hiding", "masks", "positions"]

Names = Mapping[str, Any]

CLOSED, OPEN = "#e3e6ea", "#1f5fa6"
SENTENCE = ("the", "cat", "saw", "the", "dog", "[pad]", "[pad]")
TOKENS = torch.tensor([[1, 2, 3, 1, 4, 0, 0]])


@picture
def heads(
    weights: Any,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str = "Attention, head by head",
    names: Sequence[str] | None = None,
) -> tuple[Figure, str]:
    """Show one heat map of attention weights for each head.

    Args:
        weights: (heads, n_q, n_k), or with a first dimension of one sentence.
        rows, columns: the labels of the queries and of the keys, words or characters.
        names: of the heads, "head 1" and so on if not given.
    """
    return maps(weights, rows, columns, title, names)


@picture
def hiding(
    weights: Any, effects: Any, rows: Sequence[str], columns: Sequence[str], title: str
) -> tuple[Figure, str]:
    """Show the attention weights, averaged over the heads, beside what hiding each key does.

    Args:
        weights: (heads, n_q, n_k).
        effects: (n_q, n_k), by how much the log-probability of what is written in a row falls when a key is hidden.
        rows, columns: the labels of the queries and of the keys.
    """
    if weights is None or effects is None:
        raise NotYet("run the model first, as it is and with characters hidden")
    size = (len(rows), len(columns))
    tables = {
        "Weight, mean of the heads": array_of(weights, (-1, *size), "the weights").mean(axis=0),
        "Fall of log p when hidden": array_of(effects, size, "the effects"),
    }
    side = min(20.0, (WIDTH - 190) / 2 / (len(columns) + 1))  # pixels of a cell
    note = "Row: character written. Column: character read, on the right: hidden. The darker, the more."
    figure = blank(round(len(rows) * side + 64), title, note, layout=True)
    told = []
    for axes, (name, table) in zip(figure.subplots(1, 2), tables.items(), strict=True):
        image = axes.imshow(table, cmap="Blues", vmin=0, vmax=max(float(table.max()), 1e-9))
        label(axes, rows, columns)
        axes.set_title(name)
        bar = figure.colorbar(image, ax=axes, pad=0.02, fraction=0.03, ticks=MaxNLocator(3))
        bar.outline.set_visible(False)
        most = [
            f"{row} {columns[int(line.argmax())]} {line.max():.2f}"
            for row, line in zip(rows, table, strict=True)
        ]
        told.append(f"{name}, the largest of each row: {', '.join(most)}")
    return figure, f"{title}. Two maps of {size[0]} characters written by {size[1]} read. {'; '.join(told)}."


@picture
def example(names: Names) -> tuple[Figure, str]:
    """Show what a mask does to the weights of a small sentence that attends to itself.

    Args:
        names: the notebook's, globals(). Used are the student's `attention` and masks.
    """
    words = torch.randn(5, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x = words[TOKENS]  # (1, 7, 8): the same word has the same vector
    masks = [None, made(names, "padding_mask", TOKENS), made(names, "target_mask", TOKENS)]
    weights = []
    for mask in masks:
        result = made(names, "attention", x, x, x, mask)
        if not isinstance(result, tuple | list) or len(result) != 2:
            raise NotYet("`attention` should return a pair, output and weights")
        weights.append(array_of(result[1], (len(SENTENCE), len(SENTENCE)), "the weights"))
    return maps(
        np.stack(weights),
        SENTENCE,
        SENTENCE,
        "Who looks where: your attention under your masks",
        ["no mask", "padding closed", "padding and future closed"],
    )


@picture
def masks(names: Names) -> tuple[Figure, str]:
    """Show the masks of one padded sentence: which key (column) a query (row) may look at.

    Args:
        names: the notebook's, globals(). Used are the student's three masks.
    """
    n = len(SENTENCE)
    tables = {
        "padding_mask(tokens)": made(names, "padding_mask", TOKENS),
        "causal_mask(n)": made(names, "causal_mask", n),
        "target_mask(tokens)": made(names, "target_mask", TOKENS),
    }
    title = "Three masks of a sentence with two padding tokens"
    figure = blank(335, title, "Blue: the query of this row may look at the key of this column.", layout=True)
    told = []
    for i, (axes, (name, mask)) in enumerate(zip(figure.subplots(1, 3), tables.items(), strict=True)):
        try:
            table = np.broadcast_to(array_of(mask, None, f"`{name}`"), (1, n, n))[0]
        except ValueError:
            raise NotYet(f"`{name}` doesn't fit a sentence of {n} tokens") from None
        axes.imshow(table > 0, cmap=ListedColormap([CLOSED, OPEN]), vmin=0, vmax=1)
        label(axes, SENTENCE if i == 0 else [""] * n, SENTENCE)
        axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.2)
        axes.tick_params(which="minor", length=0)
        axes.set_title(name)
        told.append(f"{name} opens {int((table > 0).sum())} of {n * n} places")
    return figure, f"{title}. Three square tables: {'; '.join(told)}."


@picture
def positions(encoding: Callable[..., Any] | None, d_model: int = 32, n: int = 60) -> tuple[Figure, str]:
    """Show what is added to each position.

    Args:
        encoding: the student's `PositionalEncoding`.
    """
    if encoding is None:
        raise NotYet("write `PositionalEncoding` and run its cell")
    with torch.no_grad():
        result = attempt(lambda: encoding(d_model, 0.0).cpu().eval()(torch.zeros(1, n, d_model)))
    table = array_of(result, (n, d_model), "the encoding")
    title = "What is added to each position"
    note = "Light is +1, dark is −1, grey is 0. Columns to the left turn fast, columns to the right slowly."
    figure = blank(390, title, note, layout=True)
    axes = figure.subplots()
    image = axes.imshow(table, cmap=SIGNED, vmin=-1, vmax=1, aspect="auto")
    axes.set_xlabel("Column of the encoding (even: sine, odd: cosine)")
    axes.set_ylabel("Position")
    bar = figure.colorbar(image, ax=axes, pad=0.015, ticks=[-1, 0, 1])
    bar.outline.set_visible(False)
    turns = [int((np.diff(np.sign(column)) != 0).sum()) for column in table.T]
    alt = (
        f"{title}: a table of {n} positions by {d_model} columns. Column 0 changes its sign {turns[0]} times, "
        f"column {d_model // 2} {turns[d_model // 2]} times, the last one {turns[-1]} times."
    )
    return figure, alt


def maps(
    weights: Any, rows: Sequence[str], columns: Sequence[str], title: str, names: Sequence[str] | None
) -> tuple[Figure, str]:
    """Heat maps side by side, with one scale of colours."""
    if weights is None:
        raise NotYet("there are no weights: run the model first")
    table = array_of(weights, None, "the weights")
    table = table[0] if table.ndim == 4 and len(table) == 1 else table
    if table.ndim != 3 or table.shape[1:] != (len(rows), len(columns)):
        raise NotYet(
            f"the weights should have shape (heads, {len(rows)}, {len(columns)}), and have {table.shape}"
        )
    count, n_q, n_k = table.shape
    called = list(names or [f"head {i + 1}" for i in range(count)])
    across = min(count, 4 if n_k <= 8 else 3 if n_k <= 14 else 2)
    down = -(-count // across)
    letters = max(map(len, [*columns, ""]))
    side = min(26.0, (WIDTH - 110) / across / (n_k + 2.5))  # pixels of a cell
    each = n_q * side + 42 + (7 * letters if letters > 1 else 10)
    figure = blank(
        round(max(each, 110) * down),
        title,
        "Row: query. Column: key. A row's weights sum to 1; the darker, the more.",
        layout=True,
    )
    if isinstance(engine := figure.get_layout_engine(), ConstrainedLayoutEngine):
        engine.set(h_pad=0.08)  # inches, so that a title keeps away from the letters above it
    panels = figure.subplots(down, across, squeeze=False)
    told = []
    shown: AxesImage | None = None
    for i, axes in enumerate(panels.flat):
        if i >= count:
            axes.set_axis_off()
            continue
        shown = axes.imshow(table[i], cmap="Blues", vmin=0, vmax=max(float(table.max()), 1e-9))
        label(axes, rows if i % across == 0 else [""] * n_q, columns)
        axes.set_title(called[i])
        q, k = np.unravel_index(table[i].argmax(), table[i].shape)
        told.append(f"{called[i]}: most from {rows[q]!r} to {columns[k]!r}, {table[i].max():.2f}")
    if shown is not None:
        bar = figure.colorbar(shown, ax=panels, pad=0.015, fraction=0.025, ticks=MaxNLocator(3))
        bar.outline.set_visible(False)
    return figure, f"{title}. Heat maps of {n_q} queries by {n_k} keys. {'; '.join(told)}."


def label(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Label the rows and columns; single characters upright, words slanted."""
    words = max(map(len, [*columns, ""])) > 1
    axes.set_yticks(range(len(rows)), list(rows))
    how: dict[str, Any] = {"rotation": 50, "ha": "right", "rotation_mode": "anchor"} if words else {}
    axes.set_xticks(range(len(columns)), list(columns), **how)
    axes.tick_params(length=0, labelsize=8.5)
    axes.spines[:].set_visible(False)


def made(names: Names, name: str, *arguments: Any) -> Any:
    """What one of the student's functions gives."""
    function = names.get(name)
    if not callable(function):
        raise NotYet(f"write `{name}` and run its cell")
    value = attempt(lambda: function(*arguments))
    if value is None:
        raise NotYet(f"let `{name}` return its result")
    return value.detach().cpu() if isinstance(value, Tensor) else value
