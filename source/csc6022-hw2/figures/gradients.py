"""The figures of both backpropagation questions: how one thing depends on another in the network, how well differences
of the loss approximate a gradient, and what a step of gradient descent does."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from torch import Tensor
from torch.nn import functional as F

from chainrule.lesson.calls import as_arrays
from chainrule.lesson.checks import numbers
from chainrule.lesson.figures import (
    ACCENT,
    INK,
    LOOKS,
    MARGIN,
    SOFT,
    WIDTH,
    NotYet,
    blank,
    picture,
    tensor_of,
)
from chainrule.lesson.student import CheckFailed
from chainrule.lesson.todo import Unfinished

__all__ = ["graph", "one_step", "step_sizes"]

STEPS = 10.0 ** np.linspace(-13, -1, 49)
# Slopes to compare with: from, to, power of h, factor, label and its place.
GUIDES = [
    (1e-4, 1e-1, 1, 10.0, "∝ h", ("right", "bottom")),
    (1e-3, 1e-1, 2, 1e-2, "∝ h²", ("left", "top")),
    (1e-13, 1e-8, -1, 2e-17, "∝ 1/h", ("right", "top")),
]
FLOOR = 1e-16  # errors of exactly 0 have no logarithm
RATES = np.linspace(0, 0.5, 51)  # of the steps whose losses are drawn
SMALL = 10.0 ** np.linspace(-3, -1, 9)  # of those whose losses are compared
# What is computed from left to right, with its shape, and what enters on the way.
CHAIN = [("x", "D"), ("z", "K"), ("h", "K"), ("a", "C"), ("p", "C"), ("ℒ", "1")]
STEPS_BETWEEN = ["W x + b₁", "ReLU", "V h + b₂", "softmax", "−log, at y"]
ENTERING = {1: ("W", "K × D", "b₁", "K"), 3: ("V", "C × K", "b₂", "C"), 5: ("y", "C", "", "")}


@picture
def graph() -> tuple[Figure, str]:
    """Show the network as a graph of what is computed from what, with all shapes."""
    title = "What is computed from what"
    height = 190
    figure = blank(height, title, "Boxes: values with their shapes. Grey boxes: what comes in from outside.")
    whole = figure.get_figheight() * figure.dpi
    axes = figure.add_axes((MARGIN / WIDTH, 0, 1 - 2 * MARGIN / WIDTH, height / whole))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_axis_off()
    places = np.linspace(0.045, 0.945, len(CHAIN))
    half = 0.035
    for i, (name, shape) in enumerate(CHAIN):
        box(axes, places[i], 0.3, name, shape, given=i == 0)
        if i:
            arrow(axes, (places[i - 1] + half, 0.3), (places[i] - half, 0.3))
            middle = (places[i - 1] + places[i]) / 2
            axes.text(middle, 0.06, STEPS_BETWEEN[i - 1], ha="center", va="center", color=ACCENT, size=9)
    for i, (name, shape, other, shape_of_other) in ENTERING.items():
        middle = (places[i - 1] + places[i]) / 2
        for place, text, size in ((middle - 0.05, name, shape), (middle + 0.05, other, shape_of_other)):
            if text:
                place = place if other else middle
                box(axes, place, 0.8, text, size, given=True)
                arrow(axes, (place, 0.64), (middle, 0.34))
    steps = ", ".join(f"{name} by {step}" for (name, _), step in zip(CHAIN[1:], STEPS_BETWEEN, strict=True))
    return figure, f"{title}. From x, one after the other: {steps}. From outside come x, W, b₁, V, b₂ and y."


def box(axes: Axes, x: float, y: float, name: str, shape: str, *, given: bool) -> None:
    """A box with a value's name and shape; a grey one for what is given."""
    face = "#e4e4e4" if given else "white"
    look = {"boxstyle": "round,pad=0.35", "facecolor": face, "edgecolor": INK, "linewidth": 1.1}
    axes.text(x, y, f"{name}\n{shape}", ha="center", va="center", color=INK, size=9.5, bbox=look, zorder=3)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """An arrow from what is used to where it is used."""
    style = {"arrowstyle": "->", "color": SOFT, "linewidth": 1.1}
    axes.annotate("", xy=end, xytext=start, arrowprops=style, zorder=1)


@picture
def one_step(
    descend: Callable[..., Any], x: Tensor, o: Tensor, theta: Mapping[str, Tensor]
) -> tuple[Figure, str]:
    """Show the loss of one sample after a step of the student's `descend`, and after one that moves W2 too early.

    Args:
        descend: (x, o, theta, eta) to the new theta.
        x: (n,) and o: (K,) one-hot, the sample.
        theta: W1 (d, n), b1 (d,), W2 (K, d), b2 (K,), float64.
    """

    def both(rate: float) -> tuple[float, float]:
        step = moved(descend, x, o, theta, rate)
        return loss_of(x, o, step), loss_of(x, o, too_early(x, o, theta, step, rate))

    losses, early = np.array([both(rate) for rate in RATES.tolist()]).T
    apart = np.array([abs(one - other) for one, other in map(both, SMALL.tolist())])

    title = "The loss of one sample after one step"
    note = "Squares: W₂ moves first, and ∂E/∂h uses the new one. Dashed: straight on from η = 0."
    figure = blank(330, title, note, layout=True)
    left, right = figure.subplots(1, 2)
    (one, _), (other, marker) = LOOKS[:2]
    left.plot(RATES, losses, color=one, label="your descend")
    left.plot(RATES, early, color=other, marker=marker, markersize=4, markevery=5, label="W₂ first")
    slope = (loss_of(x, o, moved(descend, x, o, theta, 1e-6)) - losses[0]) / 1e-6
    left.plot(RATES, losses[0] + slope * RATES, "--", color=SOFT, linewidth=1)
    left.set_ylim(0, 1.15 * float(max(losses.max(), early.max())))
    left.set_ylabel("Loss E (nats)")
    left.legend(frameon=False)
    right.loglog(SMALL, apart.clip(FLOOR), color=other, marker=marker, markersize=4)
    right.set_ylabel("Difference of the two losses (nats)")
    for axis in (right.xaxis, right.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    for axes in (left, right):
        axes.set_xlabel("Learning rate η")
        axes.grid()
    ends = "; ".join(
        f"at η = {RATES[i]:g} {losses[i]:.3f} and, with W₂ first, {early[i]:.3f}" for i in (1, 10, 25, 50)
    )
    small = f"For small η the two differ by {apart[0]:.1e} at η = {SMALL[0]:g} and {apart[4]:.1e} at {SMALL[4]:g}."
    return figure, f"{title}: from {losses[0]:.3f} {ends}. {small}"


def moved(
    descend: Callable[..., Any], x: Tensor, o: Tensor, theta: Mapping[str, Tensor], rate: float
) -> dict[str, Tensor]:
    """The parameters after one step, as float64 of their shapes."""
    result = asked(descend, x, o, dict(theta), rate)
    step = {}
    for name, value in theta.items():
        if not isinstance(result, Mapping) or name not in result:
            raise NotYet(f'`descend` should return a dict with the entry "{name}"')
        step[name] = tensor_of(result[name], f'"{name}" of `descend`', "finish `descend`").double()
        if step[name].shape != value.shape:
            shapes = f"{tuple(step[name].shape)}, not {tuple(value.shape)}"
            raise NotYet(f'"{name}" has shape {shapes}, in what `descend` returns')
    return step


def loss_of(x: Tensor, o: Tensor, theta: Mapping[str, Tensor]) -> float:
    """The loss E of one sample."""
    z2 = theta["W2"] @ (theta["W1"] @ x + theta["b1"]).relu() + theta["b2"]
    return float(-(o * z2.log_softmax(0)).sum())


def too_early(
    x: Tensor, o: Tensor, theta: Mapping[str, Tensor], step: Mapping[str, Tensor], rate: float
) -> dict[str, Tensor]:
    """A step like `step` in the last layer; the first layer's gradient goes back through the W2 that has moved."""
    W1, b1 = (theta[name].clone().requires_grad_() for name in ("W1", "b1"))
    h = (W1 @ x + b1).relu()
    z2 = (theta["W2"] @ h.detach() + theta["b2"]).requires_grad_()
    (error,) = torch.autograd.grad(F.cross_entropy(z2, o), z2)
    slopes = torch.autograd.grad(error.dot(step["W2"] @ h), (W1, b1))
    return {**step, "W1": theta["W1"] - rate * slopes[0], "b1": theta["b1"] - rate * slopes[1]}


@picture
def step_sizes(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    x: Tensor,
    y: Tensor,
    params: Mapping[str, Tensor],
    place: tuple[int, int],
) -> tuple[Figure, str]:
    """Show the relative error of forward and central differences of the loss against the step size, log-log.

    The error is measured against the student's own gradient of the weight `params["W"][place]`.

    Args:
        forward: `mlp_forward`, (x, y, params) to a dict with "loss".
        backward: `mlp_backward`, (x, y, params, cache) to a dict with "W".
    """
    weight = float(params["W"][place])

    def loss(step: float) -> float:
        W = params["W"].clone()
        W[place] += step
        return number(asked(forward, x, y, {**params, "W": W}), "loss", "mlp_forward")

    cache = asked(forward, x, y, dict(params))
    here = number(cache, "loss", "mlp_forward")
    shape = tuple(params["W"].shape)
    gradient = number(asked(backward, x, y, dict(params), cache), "W", "mlp_backward", shape, place)
    if gradient == 0:
        raise NotYet("your gradient of this weight is 0, so there is no relative error")
    pairs = np.array([(loss(step), loss(-step)) for step in STEPS])
    # What was added to the weight is the step after rounding.
    up, down = (weight + STEPS) - weight, weight - (weight - STEPS)
    errors = {
        "forward": np.abs((pairs[:, 0] - here) / up - gradient) / abs(gradient),
        "central": np.abs((pairs[:, 0] - pairs[:, 1]) / (up + down) - gradient) / abs(gradient),
    }
    best = {name: (error.min(), STEPS[error.argmin()]) for name, error in errors.items()}

    title = "How close a difference quotient comes to your gradient"
    if best["central"][0] < 1e-6:
        finding = "; ".join(f"{name}: best error {e:.0e} at step {h:.0e}" for name, (e, h) in best.items())
        finding = f"{finding[0].upper()}{finding[1:]}. Larger steps suffer from curvature, smaller ones from rounding."
        seen = (
            "From the right the error of forward differences falls like h and that of central ones like h squared; "
            "below its best step each rises again like 1/h."
        )
    else:
        finding = f"Even the best quotient stays {best['central'][0]:.1%} away: the gradient or the loss has a slip."
        seen = "Both lines are flat where a right gradient would show errors falling with the step."
    figure = blank(400, title, finding, layout=True)
    axes = figure.subplots()
    said = {"forward": "Forward: (L(w + h) − L(w)) / h", "central": "Central: (L(w + h) − L(w − h)) / 2h"}
    for (name, error), (color, marker) in zip(errors.items(), LOOKS, strict=False):
        axes.loglog(
            STEPS, error.clip(FLOOR), marker, color=color, markersize=4, ls="-", lw=1.2, label=said[name]
        )
    axes.set_ylim(1e-14, max(10.0, 2 * max(error.max() for error in errors.values())))
    for low, high, power, scale, text, (ha, va) in GUIDES:
        ends = np.array([low, high])
        axes.loglog(ends, scale * ends**power, "--", color=SOFT, lw=1)
        middle = float(np.sqrt(low * high))
        axes.text(middle, scale * middle**power, f"  {text}  ", ha=ha, va=va, color=SOFT)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=8))
        axis.set_major_formatter(lambda value, _: f"1e{round(np.log10(value))}")
        axis.set_minor_locator(NullLocator())
    axes.set_xlabel("Step size h")
    axes.set_ylabel("Relative error")
    axes.grid()
    axes.legend(frameon=False, loc="lower left")
    alt = f"{title}, both axes logarithmic. {finding} {seen}"
    return figure, alt


def asked(function: Callable[..., Any], *args: Any) -> Any:
    """What the student's function returns, in whichever library it is written."""
    told = ""
    for form in (list(args), [as_arrays(value) for value in args]):
        try:
            return function(*form)
        except Unfinished:
            break
        except Exception as error:  # student code may raise anything
            told = told or f" (it raises {type(error).__name__})"
    raise NotYet(f"finish `{getattr(function, '__name__', 'the function')}`{told}")


def number(
    result: Any, key: str, function: str, shape: tuple[int, ...] = (), place: tuple[int, ...] = ()
) -> float:
    """One finite number out of what a function returned."""
    if not isinstance(result, Mapping) or key not in result:
        raise NotYet(f'`{function}` should return a dict with the entry "{key}"')
    try:
        value = numbers(result[key], f'"{key}" of `{function}`').squeeze()
    except CheckFailed as failure:
        raise NotYet(str(failure)) from None
    if tuple(value.shape) != shape:
        raise NotYet(f'"{key}" has shape {tuple(value.shape)}, not {shape}, in what `{function}` returns')
    return float(value[place])
