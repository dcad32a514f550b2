"""Figures of gradient descent on f(x) = ½ xᵀHx: what a step size does, and what two theorems promise.

Both draw from the student's own answers, by their names in the notebook, and show nothing before those are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chainrule.lesson.checks import numbers
from chainrule.lesson.figures import INK, LOOKS, SOFT, NotYet, blank, picture
from chainrule.lesson.student import CheckFailed

__all__ = ["guarantees", "paths"]

Names = Mapping[str, Any]

STEPS = 25  # drawn in each panel
LONGEST = 20_000  # iterations of a run
FRAME = 2.0  # how far the panels reach, in units of x0's larger entry


@picture
def paths(names: Names) -> tuple[Figure, str]:
    """Show the first steps of gradient descent with the largest step size of each theorem, and with a larger one.

    Args:
        names: the notebook's, globals(). Used are `descend`, `x0` and the answers `H`, `L`, `t_convex` and
            `t_strongly`.
    """
    descend, start, H = given(names)
    L, t_convex, t_strongly = (positive(names, name) for name in ("L", "t_convex", "t_strongly"))
    beyond = 2.1 / L
    runs = [
        (t_convex, "t_convex", "largest, convex theorem"),
        (t_strongly, "t_strongly", "largest, strongly convex theorem"),
        (beyond, "2.1/L", "beyond 2/L"),
    ]

    title = "The step size decides where gradient descent goes"
    figure = blank(300, title, f"The first {STEPS} steps on the level lines of f, with your H.", layout=True)
    reach = FRAME * float(np.abs(start).max())
    ends = []
    for axes, (t, name, what), (color, _) in zip(figure.subplots(1, 3), runs, LOOKS, strict=False):
        path = run_of(descend, H, start, t, STEPS)
        level_lines(axes, H, reach)
        axes.plot(*path.T, "-o", color=color, markersize=3.2, linewidth=1.1)
        axes.plot(0, 0, "+", color=INK, markersize=9)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-reach, reach)
        axes.set_aspect("equal")
        axes.set_title(f"t = {t:.3g} ({name})\n{what}", size=9)
        axes.set_xlabel("x₁")
        axes.set_ylabel("x₂")
        far = float(np.hypot(*path[-1])) / max(float(np.hypot(*start)), 1e-12)
        ends.append(f"with t = {t:.3g} the distance to the minimum is then {far:.2g} times that of the start")
    return figure, f"{title}. Three panels, {STEPS} steps each: {'; '.join(ends)}."


@picture
def guarantees(names: Names) -> tuple[Figure, str]:
    """Show how f comes down in the student's own run, under what both theorems guarantee.

    Args:
        names: the notebook's, globals(). Used are `descend`, `x0`, `epsilon` and the answers `H`, `L`, `m`,
            `t_convex`, `k_convex` and `k_strongly`.
    """
    descend, start, H = given(names)
    L, m, t, epsilon = (positive(names, name) for name in ("L", "m", "t_convex", "epsilon"))
    asked = {name: positive(names, name) for name in ("k_convex", "k_strongly")}
    if m >= L:
        raise NotYet("`m` should be smaller than `L`")
    if max(asked.values()) > LONGEST:
        raise NotYet(f"`k_convex` and `k_strongly` should be at most {LONGEST:,} to be drawn")
    if min(asked.values()) < 1:
        raise NotYet("`k_convex` and `k_strongly` should be at least 1")

    last = int(1.6 * max(asked.values())) + 2
    path = run_of(descend, H, start, t, last)
    k = np.arange(1, last + 1)
    squared = float(start @ start)
    value = 0.5 * np.einsum("ki,ij,kj->k", path, H, path)[1:]
    bounds = {
        "convex bound": squared / (2 * t * k),
        "strongly convex bound": (1 - m / L) ** k * L / 2 * squared,
    }

    title = "Two guarantees for the same run"
    note = "Dotted: the accuracy ε. Dashed: your k, where each bound should meet it."
    figure = blank(370, title, note, layout=True)
    axes = figure.subplots()
    axes.loglog(k, np.maximum(value, 1e-300), color=SOFT, linewidth=2.2)
    axes.axhline(epsilon, color=INK, linestyle=":")
    top = 3 * max(squared / (2 * t), float(bounds["strongly convex bound"][0]), float(value[0]))
    for bound, iterations, (color, _) in zip(bounds.values(), asked.values(), LOOKS, strict=False):
        axes.loglog(k, np.maximum(bound, 1e-300), color=color)
        axes.axvline(iterations, color=color, linestyle="--", linewidth=1)
        axes.text(iterations, top, f"k = {iterations:g} ", color=color, ha="right", va="top", size=9)
    axes.set_ylim(epsilon * 1e-4, 1.3 * top)
    axes.set_xlim(1, last)
    axes.text(1.05, epsilon, "ε", color=INK, va="bottom", size=11)
    axes.legend(
        axes.lines[:1] + axes.lines[2::2],
        ["f(xₖ) − f* of your run", *bounds],
        loc="lower left",
        frameon=False,
    )
    axes.set_xlabel("Iteration k (logarithmic)")
    axes.set_ylabel("f(xₖ) − f* (logarithmic)")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(which="major")
    below = np.flatnonzero(value <= epsilon)
    reached = f"is below ε after {k[below[0]]} iterations" if len(below) else "does not come below ε"
    alt = (
        f"{title}. On logarithmic axes f minus its minimum falls with the iterations; the run with t = {t:.3g} "
        f"{reached}. The convex bound falls slowly, marked at k = {asked['k_convex']:g}; the strongly convex one "
        f"falls exponentially, marked at k = {asked['k_strongly']:g}."
    )
    return figure, alt


def level_lines(axes: Axes, H: np.ndarray, reach: float) -> None:
    """Draw level lines of ½ xᵀHx on a square that reaches this far from 0."""
    side = np.linspace(-reach, reach, 121)
    x = np.stack(np.meshgrid(side, side), axis=-1)  # (121, 121, 2)
    f = 0.5 * np.einsum("...i,ij,...j->...", x, H, x)
    axes.contour(
        side, side, f, levels=float(f.max()) * np.linspace(0.02, 1, 10) ** 2, colors="#b9c4cf", linewidths=0.8
    )


def given(names: Names) -> tuple[Any, np.ndarray, np.ndarray]:
    """The notebook's `descend`, its `x0` (2,) and the student's `H` (2, 2), symmetric and positive definite."""
    if not callable(names.get("descend")):
        raise NotYet("run the cell that defines `descend`")
    start, H = array(names, "x0"), array(names, "H")
    if start.shape != (2,):
        raise NotYet(f"`x0` should have shape (2,), and has shape {start.shape}")
    if H.shape != (2, 2) or not np.allclose(H, H.T) or np.linalg.eigvalsh(H)[0] <= 0 or np.abs(H).max() > 1e6:
        raise NotYet("`H` should be a symmetric 2 × 2 matrix with positive eigenvalues")
    return names["descend"], start, H


def array(names: Names, name: str) -> np.ndarray:
    """A notebook's numbers, exact forms included, as float64."""
    if names.get(name) is None:
        raise NotYet(f"give `{name}` first")
    value = names[name]
    if hasattr(type(value), "__float__") and not hasattr(value, "shape"):  # Fraction, sympy
        value = float(value)
    try:
        return numbers(value, name).numpy()
    except CheckFailed:
        raise NotYet(f"`{name}` does not hold numbers that can be drawn") from None


def positive(names: Names, name: str) -> float:
    """One of a notebook's numbers, above 0 and not beyond drawing."""
    value = array(names, name)
    if value.size != 1 or not 1e-6 < value.item() < 1e6:
        raise NotYet(f"`{name}` should be one positive number of reasonable size")
    return float(value.item())


def run_of(descend: Any, H: np.ndarray, start: np.ndarray, t: float, steps: int) -> np.ndarray:
    """The iterates of gradient descent (steps + 1, 2), those that overflow held far away."""
    with np.errstate(all="ignore"):
        path = np.asarray(descend(H, start, t, steps), dtype=float)
    return np.clip(np.nan_to_num(path, nan=1e6), -1e6, 1e6)
