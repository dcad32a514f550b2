"""The figure of the backpropagation question: how well differences of the loss approximate a gradient."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from torch import Tensor

from chainrule.lesson.calls import as_arrays
from chainrule.lesson.checks import numbers
from chainrule.lesson.figures import LOOKS, SOFT, NotYet, blank, picture
from chainrule.lesson.student import CheckFailed
from chainrule.lesson.todo import Unfinished

__all__ = ["step_sizes"]

STEPS = 10.0 ** np.linspace(-13, -1, 49)
# Slopes to compare with: from, to, power of h, factor, label and its place.
GUIDES = [
    (1e-4, 1e-1, 1, 10.0, "∝ h", ("right", "bottom")),
    (1e-3, 1e-1, 2, 1e-2, "∝ h²", ("left", "top")),
    (1e-13, 1e-8, -1, 2e-17, "∝ 1/h", ("right", "top")),
]
FLOOR = 1e-16  # errors of exactly 0 have no logarithm


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
