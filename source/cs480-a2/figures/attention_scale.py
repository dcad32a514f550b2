"""Figures of attention scores as d_k grows, computed by the student's own functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chainrule.lesson.figures import LOOKS, SOFT, NotYet, blank, picture, tensor_of

__all__ = ["entropies", "variances"]

Names = Mapping[str, Any]

D_K = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
QUERIES, KEYS = 200, 64
KINDS = {False: "without scaling", True: "with scaling"}


@picture
def variances(names: Names) -> tuple[Figure, str]:
    """Show the variance of the scores of random queries and keys against d_k, with and without scaling.

    Args:
        names: the notebook's, globals(). Used is the student's `scores`.
    """
    measured = {scaled: [float(s.var()) for s in sampled(names, scaled)] for scaled in KINDS}
    title = "Variance of the scores against d_k"
    figure = blank(330, title, "Dashed: Var = d_k and Var = 1. Both axes are logarithmic.", layout=True)
    axes = figure.subplots()
    axes.loglog(D_K, D_K, "--", color=SOFT, linewidth=1)
    axes.loglog(D_K, [1] * len(D_K), "--", color=SOFT, linewidth=1)
    axes.yaxis.set_major_formatter("{x:g}")
    return drawn(figure, axes, measured, title, "Variance of the scores")


@picture
def entropies(names: Names) -> tuple[Figure, str]:
    """Show the mean entropy of the attention weights against d_k, with and without scaling.

    Args:
        names: the notebook's, globals(). Used are the student's `scores`, `attention_weights` and `entropy`.
    """
    measured = {}
    for scaled in KINDS:
        weights = [called(names, "attention_weights", s, shape=s.shape) for s in sampled(names, scaled)]
        measured[scaled] = [float(called(names, "entropy", p, shape=(QUERIES,)).mean()) for p in weights]
    title = "Entropy of the attention weights against d_k"
    note = (
        f"Mean over {QUERIES} queries of the softmax over {KEYS} keys. Dashed: ln {KEYS}, all weights equal."
    )
    figure = blank(330, title, note, layout=True)
    axes = figure.subplots()
    axes.semilogx(D_K, [math.log(KEYS)] * len(D_K), "--", color=SOFT, linewidth=1)
    axes.set_ylim(min(0.0, *measured[False], *measured[True]), 1.08 * max(math.log(KEYS), *measured[True]))
    return drawn(figure, axes, measured, title, "Entropy (nats)")


def drawn(
    figure: Figure, axes: Axes, measured: Mapping[bool, list[float]], title: str, ylabel: str
) -> tuple[Figure, str]:
    """Draw the two lines, finish the axes and tell where the lines begin and end."""
    told = []
    for (scaled, values), (color, marker) in zip(measured.items(), LOOKS, strict=False):
        if not np.isfinite(values).all():
            raise NotYet("your functions give values that are not finite: see the checks below them")
        axes.plot(D_K, values, marker=marker, color=color, markersize=4, label=KINDS[scaled])
        told.append(
            f"{KINDS[scaled]} from {values[0]:.3g} at d_k = {D_K[0]} to {values[-1]:.3g} at d_k = {D_K[-1]}"
        )
    axes.set_xticks(D_K, [str(d) for d in D_K])
    axes.minorticks_off()
    axes.set_xlabel("d_k")
    axes.set_ylabel(ylabel)
    axes.grid(axis="y")
    axes.legend(frameon=False)
    return figure, f"{title}: {'; '.join(told)}."


def sampled(names: Names, scaled: bool) -> list[torch.Tensor]:
    """Scores (QUERIES, KEYS) for standard normal queries and keys, for each d_k the same ones at every call."""
    found = []
    for d in D_K:
        draw = torch.Generator().manual_seed(d)
        q, k = (torch.randn(n, d, generator=draw, dtype=torch.float64) for n in (QUERIES, KEYS))
        found.append(called(names, "scores", q, k, scaled, shape=(QUERIES, KEYS)))
    return found


def called(names: Names, name: str, *arguments: Any, shape: tuple[int, ...]) -> torch.Tensor:
    """What one of the student's functions gives, as float64 of that shape."""
    function = names.get(name)
    if not callable(function):
        raise NotYet(f"write `{name}` and run its cell")
    try:
        value = function(*arguments)
    except NotImplementedError:
        raise NotYet(f"write `{name}` and run its cell") from None
    except Exception as error:
        raise NotYet(f"`{name}` raises {type(error).__name__}") from None
    tensor = tensor_of(value, name, f"let `{name}` return its result").double()
    if tensor.shape != shape:
        raise NotYet(f"`{name}` should return shape {tuple(shape)}, and returns {tuple(tensor.shape)}")
    return tensor
