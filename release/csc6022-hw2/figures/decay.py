"""The figures of the weight decay problem, made as `chainrule.lesson.figures` says."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from chainrule.lesson.figures import LOOKS, SOFT, NotYet, array_of, attempt, blank, picture

__all__ = ["curves", "surfaces", "units"]

EDGE, GRID = 2.5, 41  # inputs from −EDGE to EDGE
LEVELS = 12  # of the surface
SLOPES = colormaps["cividis"].resampled(LEVELS + 2)  # and what lies below and above


@picture
def curves(
    histories: Mapping[float, Sequence[Mapping[str, Any]]] | None, *, every: int
) -> tuple[Figure, str]:
    """Show training and test error by epoch, a panel for each λ: the median of the draws and a band around it.

    Args:
        histories: by λ, a history for each draw: lists "train" and "test" of normalised errors.
        every: how many epochs lie between two entries.
    """
    if not isinstance(histories, Mapping) or not histories:
        raise NotYet("finish `fit`, and run the cell that trains for several λ")
    runs = {
        float(lam): {part: table(of, part) for part in ("train", "test")} for lam, of in histories.items()
    }
    best = min(float(np.median(run["test"], axis=0)[-1]) for run in runs.values())
    title = "Training and test error, epoch by epoch, a panel for each λ"
    draws = max(len(run["train"]) for run in runs.values())
    bands = (
        "the bands leave out the lowest and the highest"
        if draws > 2
        else "the bands reach from one to the other"
    )
    note = f"Median over {draws} data sets; {bands}. Dashed: the smallest of the test errors at the end."
    if draws == 1:
        note = "One data set. Dashed: the smallest of the test errors at the end."
    across = 2 if len(runs) in (2, 4) else min(3, len(runs))
    down = -(-len(runs) // across)
    figure = blank(80 + 230 * down, title, note, layout=True)
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    told = []
    for axes, (lam, run) in zip(panels.flat, runs.items(), strict=False):
        for part, (color, marker), first in zip(("train", "test"), LOOKS, (0, 1), strict=False):
            errors = np.sort(run[part], axis=0)  # (draws, records)
            epochs = every * np.arange(1, errors.shape[1] + 1)
            inner = errors[1:-1] if len(errors) > 2 else errors
            middle = np.median(errors, axis=0)
            axes.fill_between(epochs, inner[0], inner[-1], color=color, alpha=0.18, linewidth=0)
            apart = max(1, len(epochs) // 8)  # markers of the two curves stand between each other
            look = {"color": color, "marker": marker, "markersize": 4}
            look["markevery"] = (first * apart // 2, apart)
            axes.plot(epochs, middle, label="Training error" if part == "train" else "Test error", **look)
            told.append(f"λ = {lam:g} {part} error ends at {middle[-1]:.2g}")
            if middle.min() < 0.97 * middle[-1]:
                told[-1] += f" after {middle.min():.2g} at epoch {epochs[middle.argmin()]}"
        axes.axhline(best, color=SOFT, linewidth=1, linestyle="--", zorder=1)
        axes.set_title(f"λ = {lam:g}")
        logarithmic(axes)
    low, high = panels[0, 0].get_ylim()
    if high < 20 * low:
        panels[0, 0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    for axes in panels.flat[len(runs) :]:
        axes.set_axis_off()
    for column in range(across):  # the lowest panel of each column has the labels
        lowest = panels[(len(runs) - 1 - column) // across, column]
        lowest.set_xlabel("Epoch")
        lowest.tick_params(labelbottom=True)
    for row in panels[:, 0]:
        row.set_ylabel("Normalised error")
    panels[0, 0].legend(frameon=False, loc="upper right")
    return figure, f"{title}. {note} " + "; ".join(told) + "."


@picture
def surfaces(
    truth: Callable[[np.ndarray], Any],
    fits: Mapping[str, Callable[[np.ndarray], Any]],
    points: Callable[[], Any],
) -> tuple[Figure, str]:
    """Show the true surface and fitted ones beside it, on the square from −2.5 to 2.5, in the same colours.

    Args:
        truth, fits: functions of inputs (n, 2) to values (n,); fits by title.
        points: gives the training inputs (n, 2), drawn as dots.
    """
    if not fits:
        raise NotYet("run the cell that trains for several λ")
    side = np.linspace(-EDGE, EDGE, GRID)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)  # row by row, x1 fastest
    maps = {}
    for name, values_of in {"The model": truth, **fits}.items():
        values = attempt(partial(in_either_library, values_of, grid))
        maps[name] = array_of(values, (GRID, GRID), f"the values of {name}")
    dots = array_of(attempt(points), (-1, 2), "the training inputs")
    top = float(maps["The model"].max())
    if not top > float(maps["The model"].min()):
        raise NotYet("`conditional_mean` is the same everywhere")
    title = "The model's surface, and what the networks make of it"
    note = "Expected y by colour, from the floor of the valley (dark) to its walls (light). Dots: training points."
    figure = blank(300, title, note, layout=True)
    levels = top * np.linspace(0, 1, LEVELS + 1) ** 2  # equal steps up the walls of a parabola
    norm = BoundaryNorm(levels, SLOPES.N, extend="both")
    told = []
    panels = figure.subplots(1, len(maps), sharey=True, squeeze=False)[0]
    for axes, (name, values) in zip(panels, maps.items(), strict=True):
        axes.contourf(side, side, values, levels=levels, cmap=SLOPES, norm=norm, extend="both")
        axes.plot(*dots.T, "o", markersize=2.4, color="white", markeredgecolor="#333333", markeredgewidth=0.4)
        axes.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), aspect="equal", xticks=[-2, 0, 2], yticks=[-2, 0, 2])
        axes.set_title(name)
        axes.set_xlabel("x₁")
        corner = max(values[0, -1], values[-1, 0])
        told.append(
            f"{name}: from {values.min():.0f} to {values.max():.0f}, {corner:.0f} in the upper corners"
        )
    panels[0].set_ylabel("x₂")
    figure.colorbar(
        ScalarMappable(norm, SLOPES), ax=list(panels), ticks=levels[::3], format="%.0f", aspect=30, pad=0.01
    )
    return figure, f"{title}. {note} " + "; ".join(told) + "."


@picture
def units(errors: Mapping[int, Sequence[float]] | None, *, threshold: float) -> tuple[Figure, str]:
    """Show the test error against the number of hidden units: every draw as a dot, the medians as a line.

    Args:
        errors: by number of hidden units, the normalised test error of each draw.
        threshold: errors up to it do well.
    """
    if not isinstance(errors, Mapping) or not errors:
        raise NotYet("finish `test_errors`, and run the cell that fills the table")
    if not all(isinstance(n, int) for n in errors):
        raise NotYet("the keys of the table should be numbers of hidden units")
    rows = {n: array_of(of, (-1,), f"the errors with {n} hidden units") for n, of in errors.items()}
    title = "Test error against the number of hidden units"
    draws = max(len(row) for row in rows.values())
    note = f"Dots: {draws} data sets each. Line: their median. What does well lies below the dashed line."
    figure = blank(320, title, note, layout=True)
    axes = figure.subplots()
    (color, marker), (soft, _) = LOOKS[0], LOOKS[1]
    rng = np.random.default_rng(0)  # moves dots aside, so that none hides another
    for n, row in rows.items():
        aside = n + rng.uniform(-0.12, 0.12, len(row))
        axes.plot(aside, row, ".", color=soft, markersize=6, alpha=0.8, zorder=3)
    medians = {n: float(np.median(row)) for n, row in rows.items()}
    axes.plot(list(medians), list(medians.values()), marker=marker, markersize=5, color=color)
    axes.axhline(threshold, color="#444444", linewidth=1, linestyle="--")
    logarithmic(axes)
    axes.set_xticks(list(medians))
    axes.set_xlabel("Hidden units")
    axes.set_ylabel("Normalised test error")
    told = ", ".join(f"{n}: {median:.2g}" for n, median in medians.items())
    return (
        figure,
        f"{title}, {draws} draws each. Medians by hidden units: {told}. Dashed line at {threshold:g}.",
    )


def in_either_library(function: Callable[[Any], Any], inputs: np.ndarray) -> Any:
    """What a function gives for an array or, if it raises on it, for a tensor; raises what it raised first."""
    try:
        return function(inputs.copy())
    except Exception as error:
        with suppress(Exception):
            return function(torch.tensor(inputs))
        raise error


def logarithmic(axes: Axes) -> None:
    """A logarithmic y axis with plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y")


def table(histories: Sequence[Mapping[str, Any]], part: str) -> np.ndarray:
    """One part of all histories as positive numbers (draws, records)."""
    try:
        rows = [[float(error) for error in history[part]] for history in histories]
    except (TypeError, KeyError, IndexError, ValueError):
        raise NotYet(f'each history should be a dict with a list "{part}" of numbers') from None
    if not rows or len({len(row) for row in rows}) != 1:
        raise NotYet(f'the lists "{part}" should be equally long')
    values = array_of(rows, None, f'the errors "{part}"')
    if values.ndim != 2 or not (values > 0).all():
        raise NotYet(f'the errors "{part}" should be positive numbers')
    return values
