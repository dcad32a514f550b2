"""The figures of the GAN problem, made as `chainrule.lesson.figures` says."""

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from chainrule.lesson.figures import LOOKS, NotYet, array_of, attempt, blank, error_in_words, picture

__all__ = ["film", "signals"]

PANELS = 6
PATIENCE = 20.0  # seconds a training may take
HUGE = 1e3  # samples of a training that works stay near the ring

# Blue where D says "generated", orange where it says "real", white where it can't tell; light, so that dots show.
FIELD = LinearSegmentedColormap.from_list("field", ["#5b8fc7", "#ffffff", "#f2a154"], N=64)


@picture
def signals(output_deltas: Callable[[Tensor, Tensor], Any] | None) -> tuple[Figure, str]:
    """Show n · ∂L/∂z of the discriminator's last layer against D, for real and generated samples.

    Dashed is what generated samples tell if the generator makes −(1/n) Σ log D(G(Z)) small: there they count as
    real ones do in L, with the other sign.
    """
    n = 25
    D = torch.linspace(0.02, 0.98, n, dtype=torch.float64)[:, None]
    value = attempt(lambda: output_deltas(D.clone(), D.clone()) if output_deltas else None)
    if not isinstance(value, list | tuple | Tensor | np.ndarray) or len(value) != 2:
        raise NotYet("`output_deltas` should return a pair, for real and for generated samples")
    lines = [n * array_of(part, (n,), "what `output_deltas` returns") for part in value]

    title = "What a sample tells the discriminator's last layer"
    figure = blank(330, title, layout=True)
    axes = figure.subplots()
    x = D[:, 0].numpy()
    axes.axhline(0, color="#999999", linewidth=0.8)
    for name, y, (color, marker) in zip(("real", "generated"), lines, LOOKS, strict=False):
        axes.plot(x, y, marker=marker, markersize=4, color=color, label=f"{name} samples")
    axes.plot(
        x, -lines[0], "--", color=LOOKS[2][0], label="generated samples, for −log D(G(Z)) in place of L"
    )
    axes.set_xlabel("D at the sample")
    axes.set_ylabel("n · ∂L/∂z of the last layer")
    axes.grid(axis="y")
    figure.legend(frameon=False, loc="outside lower center", ncols=3)
    told = "; ".join(
        f"{name} samples from {y[0]:.2f} at D = 0.02 to {y[-1]:.2f} at D = 0.98"
        for name, y in zip(("real", "generated"), lines, strict=True)
    )
    other = f"from {-lines[0][0]:.2f} to {-lines[0][-1]:.2f}"
    return (
        figure,
        f"{title}. Two lines: {told}. Dashed, for −log D of generated samples in place of L: {other}.",
    )


@picture
def film(
    training: Callable[[], Iterator[Mapping[str, Any]]],
    real: Tensor,
    centres: Tensor,
    radius: float,
    edge: float,
) -> tuple[Figure, str]:
    """Run a training of a GAN in the plane and show it as a strip of six moments.

    Args:
        training: gives an iterator over moments, each with "step", "samples" (n, 2) and "field" (r, r), D on a grid
            of the square from −edge to edge, the first row at the bottom.
        real: (m, 2), samples of the data.
        centres, radius: the middles (c, 2) of the data's blobs, and how far from one a sample counts as there.
    """
    moments, trouble = run(training)
    if trouble and len(moments) < 2:  # the first one is before any learning
        raise NotYet(trouble)
    chosen = [moments[round(i)] for i in np.linspace(0, len(moments) - 1, min(PANELS, len(moments)))]
    title = "A GAN and a ring of blobs, trained by your gradients alone"
    legend = (
        "Black: generated. Grey circles: data. D says real: orange, solid edge; generated: blue, dashed edge."
    )
    ending = f" Stopped: {trouble}." if trouble else ""
    figure = blank(590, title, legend + ending, layout=True)
    axes = figure.subplots(2, PANELS // 2, squeeze=False).flatten()
    told = []
    for ax, moment in zip(axes, chosen, strict=False):
        samples = moment["samples"]
        ax.imshow(
            moment["field"],
            origin="lower",
            extent=(-edge, edge, -edge, edge),
            cmap=FIELD,
            vmin=0.25,  # beyond, D is sure: the deepest colour
            vmax=0.75,
            interpolation="bilinear",
        )
        levels = [level for level in (0.45, 0.55) if moment["field"].min() < level < moment["field"].max()]
        if levels:  # for print without colours
            dashes = ["--" if level < 0.5 else "-" for level in levels]
            where = np.linspace(-edge, edge, len(moment["field"]))
            ax.contour(
                where, where, moment["field"], levels, colors="#555555", linewidths=0.7, linestyles=dashes
            )
        ax.plot(
            *real.numpy().T, "o", markersize=4, markerfacecolor="none", color="#8a8a8a", markeredgewidth=0.6
        )
        ax.plot(*samples.T, ".", color="black", markersize=2.6)
        ax.set(xlim=(-edge, edge), ylim=(-edge, edge), xticks=[], yticks=[])
        near, reached = score(samples, centres.numpy(), radius)
        ax.set_title(f"Step {moment['step']}: {near:.0%} in {reached} of {len(centres)} blobs", size=9)
        told.append(f"step {moment['step']}: {near:.0%} of the samples in {reached} of {len(centres)} blobs")
    for ax in axes[len(chosen) :]:
        ax.set_axis_off()
    return figure, f"{title}. " + "; ".join(told) + f".{ending}"


def score(samples: np.ndarray, centres: np.ndarray, radius: float) -> tuple[float, int]:
    """The share of samples (n, 2) in some blob, and how many blobs have at least a quarter of an equal part of them."""
    distance = np.linalg.norm(samples[:, None] - centres[None], axis=2)  # (n, c)
    inside = distance.min(1) < radius
    counts = np.bincount(distance.argmin(1)[inside], minlength=len(centres))
    return float(inside.mean()), int((counts >= len(samples) / len(centres) / 4).sum())


def run(training: Callable[[], Iterator[Mapping[str, Any]]]) -> tuple[list[dict[str, Any]], str]:
    """The moments of a training as long as it goes well, and in a few words why it ended early, if it did."""
    moments: list[dict[str, Any]] = []
    started = time.monotonic()
    try:
        for moment in islice(training(), 1000):
            step = int(moment["step"])
            samples = array_of(moment["samples"], (-1, 2), "the samples")
            field = array_of(moment["field"], None, "D on the grid")
            if np.abs(samples).max() > HUGE:
                return moments, f"the samples run away before step {step}"
            moments.append({"step": step, "samples": samples, "field": field})
            if time.monotonic() - started > PATIENCE:
                return moments, f"{PATIENCE:.0f} seconds are over at step {step}"
    except NotYet as reason:
        return moments, str(reason)
    except Exception as error:
        return moments, error_in_words(error)
    return moments, "" if moments else "the training has not begun"
