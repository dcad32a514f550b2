"""The figures of the backpropagation question: a small network drawn with its weights, its gradients, one step.

Every public function draws what the notebook has so far, says in one sentence what is missing, and never raises
(see `chainrule.lesson.figures`). Neurons, inputs and classes are counted from 0.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from chainrule.lesson.checks import numbers
from chainrule.lesson.figures import ACCENT, DPI, INK, SOFT, WIDTH, NotYet, blank, picture
from chainrule.lesson.student import CheckFailed

__all__ = ["descent", "gradients", "weights"]

NEGATIVE, POSITIVE, ZERO = "#1f5fa6", "#c96100", "#8a8a8a"
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
COLUMNS = (130, 400, 660)  # pixels from the left: inputs, hidden neurons, outputs
RADIUS, ROW = 23, 122  # pixels
FOOT = 30  # pixels free above and below the neurons, for their biases


@picture
def weights(
    x: Tensor | None, W: Tensor | None, b1: Tensor | None, U: Tensor | None, b2: Tensor | None, y: int = 0
) -> tuple[Figure, str]:
    """Draw the network: x (D,), W (K, D), b1 (K,), U (C, K), b2 (C,), the true class y framed."""
    names = {"x": x, "W": W, "b1": b1, "U": U, "b2": b2}
    hint = "run the cell that defines the network"
    v, c1, c2 = (array_of(names, name, hint, 1) for name in ("x", "b1", "b2"))
    A1 = array_of(names, "W", hint, 2, (len(c1), len(v)))
    A2 = array_of(names, "U", hint, 2, (len(c2), len(c1)))

    title = "The network and its weights"
    figure, axes = canvas(
        (len(v), len(c1), len(c2)), title, "Orange: positive, blue: negative, dashed: zero."
    )
    draw_edges(axes, [A1, A2])
    inputs = [f"x = {plain(value)}" for value in v]
    draw_nodes(axes, [inputs, *([f"bias {plain(value)}" for value in b] for b in (c1, c2))], y)
    alt = (
        f"{title}. {len(v)} inputs, {len(c1)} hidden neurons with ReLU, {len(c2)} outputs with softmax; "
        f"the true class is {y}. x = {v.tolist()}, W = {A1.tolist()}, b1 = {c1.tolist()}, "
        f"U = {A2.tolist()}, b2 = {c2.tolist()}."
    )
    return figure, alt


@picture
def gradients(names: Mapping[str, object] | None, y: int = 0) -> tuple[Figure, str]:
    """Draw the network with the gradients at its edges and biases, as the notebook's own values say.

    `names` holds z (K,), dW (K, D), db1 (K,), dU (C, K), db2 (C,); a neuron whose z is not positive is grey.
    """
    names = mapping_of(names)
    hint = "finish parts (a) to (e)"
    z, db2 = array_of(names, "z", hint, 1), array_of(names, "db2", hint, 1)
    db1 = array_of(names, "db1", hint, 1, (len(z),))
    dW = array_of(names, "dW", hint, 2, (len(z), None))
    dU = array_of(names, "dU", hint, 2, (len(db2), len(z)))

    dead = [k for k, value in enumerate(z) if value <= 0]
    title = "What the loss asks of every weight: its gradient"
    finding = (
        "Orange: increasing the weight increases the loss. Blue: it decreases the loss. The wider, the more. Dashed: "
        "the loss stays the same. Grey: neurons that are off."
    )
    figure, axes = canvas((dW.shape[1], len(z), len(db2)), title, finding)
    draw_edges(axes, [dW, dU])
    biases = [[f"∂J/∂b = {plain(value)}" for value in b] for b in (db1, db2)]
    draw_nodes(axes, [[""] * dW.shape[1], *biases], y, dead)
    off = f"Hidden neuron {', '.join(map(str, dead))} is off." if dead else "No hidden neuron is off."
    listed = "; ".join(f"{name} = {a.round(4).tolist()}" for name, a in [("∂J/∂W", dW), ("∂J/∂U", dU)])
    return figure, f"{title}. {off} {listed}."


@picture
def descent(names: Mapping[str, object] | None, y: int = 0, t: float = 0.1) -> tuple[Figure, str]:
    """Draw how the loss changes along the negative gradient of W and U, and where the step of size t has led.

    `names` holds the network x, W, b1, U, b2 and the answers dW, dU, W_new, U_new.
    """
    names = mapping_of(names)
    given = "run the cell that defines the network"
    x, b1, b2 = (array_of(names, name, given, 1) for name in ("x", "b1", "b2"))
    hint = "finish parts (c), (e) and (f)"
    shapes = {"W": (len(b1), len(x)), "U": (len(b2), len(b1))}
    W, U = (array_of(names, name, given, 2, shape) for name, shape in shapes.items())
    dW, dU = (array_of(names, f"d{name}", hint, 2, shape) for name, shape in shapes.items())
    W_new, U_new = (array_of(names, f"{name}_new", hint, 2, shape) for name, shape in shapes.items())

    def loss(W: np.ndarray, U: np.ndarray) -> float:
        theta = U @ np.maximum(W @ x + b1, 0) + b2
        return float(np.logaddexp.reduce(theta) - theta[y])

    start = loss(W, U)
    sizes = np.linspace(0, 10 * t, 101)
    change = np.array([loss(W - s * dW, U - s * dU) - start for s in sizes])
    reached = loss(W_new, U_new) - start
    promised = -float((dW**2).sum() + (dU**2).sum())

    title = "Along the negative gradient: what the slope promises, what the loss does"
    figure = blank(300, title, layout=True)
    axes = figure.subplots()
    axes.axhline(0, color=SOFT, linewidth=0.8)
    axes.plot(sizes, promised * sizes, "--", color=NEGATIVE, label="the slope at t = 0 goes on")
    axes.plot(sizes, change, color=INK, label="the loss")
    axes.plot([t], [reached], "o", color=ACCENT, markersize=8, label=f"your step, t = {t:g}")
    axes.set_xlabel("Step size t")
    axes.set_ylabel("Change of the loss (nats)")
    axes.grid(axis="y")
    axes.legend(frameon=False)
    alt = (
        f"{title}. At t = {t:g} the slope promises a change of {promised * t:.4f}; "
        f"your step changes the loss by {reached:.4f}; at t = {sizes[-1]:g} it has changed by {change[-1]:.4f}."
    )
    return figure, alt


def canvas(sizes: Sequence[int], title: str, subtitle: str) -> tuple[Figure, Axes]:
    """A figure whose data coordinates are pixels from the bottom left, with room for columns of neurons."""
    height = (max(sizes) - 1) * ROW + 2 * (RADIUS + FOOT)
    figure = blank(height, title, subtitle)
    axes = figure.add_axes((0, 0, 1, height / (figure.get_figheight() * DPI)))
    axes.set(xlim=(0, WIDTH), ylim=(0, height))
    axes.set_axis_off()
    return figure, axes


def place(axes: Axes, layer: int, i: int, size: int) -> np.ndarray:
    """The centre of neuron i of a layer with `size` neurons, the first one on top."""
    middle = axes.get_ylim()[1] / 2
    return np.array([COLUMNS[layer], middle + ((size - 1) / 2 - i) * ROW])


def draw_edges(axes: Axes, layers: Sequence[np.ndarray]) -> None:
    """An edge for each entry of (to, from) matrices: colour by sign, width by size, the value beside its start."""
    largest = max(float(np.abs(layer).max()) for layer in layers) or 1.0
    sizes = [layers[0].shape[1], *(len(layer) for layer in layers)]
    for depth, (before, after) in enumerate(pairwise(sizes)):
        for i, j in np.ndindex(after, before):
            value = layers[depth][i, j]
            start, end = place(axes, depth, j, before), place(axes, depth + 1, i, after)
            color = ZERO if value == 0 else NEGATIVE if value < 0 else POSITIVE
            axes.plot(
                *zip(start, end, strict=True),
                linestyle="--" if value == 0 else "-",
                linewidth=1.0 if value == 0 else 1.2 + 4 * abs(value) / largest,
                color=color,
                zorder=1,
            )
            at = start + 0.25 * (end - start)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            axes.text(
                at[0], at[1], plain(value), ha="center", va="center", color=INK, size=9, bbox=box, zorder=2
            )


def draw_nodes(axes: Axes, notes: Sequence[Sequence[str]], y: int, dead: Sequence[int] = ()) -> None:
    """Neurons of three layers with a note beside each; the true class framed, the dead ones grey."""
    for layer, (letter, said) in enumerate(zip("xhθ", notes, strict=True)):
        for i, note in enumerate(said):
            centre = place(axes, layer, i, len(said))
            off = layer == 1 and i in dead
            true = layer == 2 and i == y
            axes.add_patch(
                Circle(
                    tuple(centre),
                    RADIUS,
                    facecolor="#dcdcdc" if off else "white",
                    edgecolor=ACCENT if true else ZERO if off else INK,
                    linestyle="--" if off else "-",
                    linewidth=2.6 if true else 1.4,
                    zorder=3,
                )
            )
            name = f"{letter}{str(i).translate(SUBSCRIPTS)}"
            axes.text(
                centre[0],
                centre[1],
                name,
                ha="center",
                va="center",
                size=12,
                color=SOFT if off else INK,
                zorder=4,
            )
            if true:
                note = f"true class\n{note}"
            # where no edges arrive: beside the outer layers, above or below the hidden one
            side = (
                (-1, 0)
                if layer == 0
                else (1, 0)
                if layer == 2
                else (0, 1)
                if 2 * i + 1 < len(said)
                else (0, -1)
            )
            at = centre + (RADIUS + 7) * np.array(side)
            ha = {-1: "right", 0: "center", 1: "left"}[side[0]]
            va = {-1: "top", 0: "center", 1: "bottom"}[side[1]]
            axes.text(at[0], at[1], note, ha=ha, va=va, color=SOFT, size=9, zorder=4)


def plain(value: Any) -> str:
    """The value with up to four decimals, no minus at zero."""
    return f"{round(float(value), 4) + 0.0:.4f}".rstrip("0").rstrip(".").replace("-", "−")


def mapping_of(names: Mapping[str, object] | None) -> Mapping[str, object]:
    """The names of the notebook."""
    if not isinstance(names, Mapping):
        raise NotYet("the names of the notebook are needed, `globals()`")
    return names


def array_of(
    names: Mapping[str, object], name: str, hint: str, ndim: int, shape: tuple[int | None, ...] | None = None
) -> np.ndarray:
    """A value by its name as a float64 array; rows and columns are understood where a vector is meant.

    Raises:
        NotYet: it is missing, holds no numbers, or has another shape (None means any size).
    """
    if names.get(name) is None:
        raise NotYet(f"there is no `{name}`, so {hint}")
    try:
        value = numbers(names[name], f"`{name}`")
    except CheckFailed as failure:
        raise NotYet(str(failure)) from None
    if ndim == 1 and value.ndim == 2 and 1 in value.shape:
        value = value.flatten()
    wanted = shape or (None,) * ndim
    fits = value.ndim == ndim and all(w in (None, n) for w, n in zip(wanted, value.shape, strict=True))
    if not fits or not 1 <= min(value.shape) <= max(value.shape) <= 8:
        raise NotYet(f"`{name}` has shape {tuple(value.shape)}, which does not fit the network")
    return torch.clone(value).numpy()
