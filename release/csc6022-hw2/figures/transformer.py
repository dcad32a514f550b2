"""The figures of a transformer's training, made as `chainrule.lesson.figures` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from chainrule.lesson.figures import LOOKS, NotYet, blank, picture, tensor_of

__all__ = ["confidence", "schedules", "targets", "training"]

Function = Callable[..., Any]
SETTINGS = ((64, 400), (64, 800), (256, 400))  # d_model and warmup of the lines
STEPS = 4000


@picture
def targets(smoothed_targets: Function | None, smoothing: float = 0.3) -> tuple[Figure, str]:
    """Show the target distributions of a short sentence with padding, a row for each position."""
    labels = torch.tensor([[3, 2, 5, 1, 0, 0]])
    classes = 7
    found = called("smoothed_targets", smoothed_targets, labels, classes, smoothing)
    if found.shape != (1, labels.shape[1], classes):
        raise NotYet(f"`smoothed_targets` should return shape {(1, labels.shape[1], classes)}")
    rows = found[0].numpy()

    title = "Smoothed targets: what each position should predict"
    note = f"Labels 3, 2, 5, 1 and two of padding (0); smoothing {smoothing:g}, {classes} classes."
    figure = blank(300, title, note, layout=True)
    axes = figure.subplots()
    axes.imshow(rows, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (i, j), p in np.ndenumerate(rows):
        axes.text(j, i, f"{p:.2f}", ha="center", va="center", color="white" if p > 0.5 else "#222222")
    axes.set_xticks(range(classes), ["0 (pad)", *map(str, range(1, classes))])
    axes.set_yticks(range(len(rows)), [f"label {label}" for label in labels[0].tolist()])
    axes.set_xlabel("Class")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    told = "; ".join(
        f"label {label}: {', '.join(f'{p:.2f}' for p in row)}"
        for label, row in zip(labels[0].tolist(), rows, strict=True)
    )
    return figure, f"{title}. {told}."


@picture
def confidence(smoothed_loss: Function | None) -> tuple[Figure, str]:
    """Show the loss of one token against the probability of its class, with and without smoothing; the other classes
    share the rest equally."""
    classes, label = 7, torch.tensor([[3]])
    p = torch.cat([torch.linspace(0.3, 0.99, 60), 1 - torch.logspace(-2.1, -5, 30)]).double()
    lines = {}
    for smoothing in (0.0, 0.1, 0.3):
        values = []
        for right in p:
            row = ((1 - right) / (classes - 2)).repeat(classes)
            row[0], row[3] = 1e-12, right
            value = called("smoothed_loss", smoothed_loss, row.log()[None, None], label, smoothing)
            if value.numel() != 1:
                raise NotYet("`smoothed_loss` should return a single number")
            values.append(float(value.reshape(())))
        lines[smoothing] = np.array(values)

    title = "Being too sure costs something"
    note = "Loss of one token against 1 − p, where p is its class's probability; certainty is on the right."
    figure = blank(310, title, note, layout=True)
    axes = figure.subplots()
    x = (1 - p).numpy()
    told = []
    for (smoothing, y), (color, _), dash in zip(lines.items(), LOOKS, ("-", "--", ":"), strict=False):
        if not np.isfinite(y).all():
            raise NotYet("`smoothed_loss` gives values that are not finite: see the checks below it")
        axes.semilogx(x, y, dash, color=color, label=f"smoothing {smoothing:g}")
        lowest = int(y.argmin())
        axes.plot(x[lowest], y[lowest], "o", color=color, markersize=5)
        told.append(f"smoothing {smoothing:g} is lowest, {y[lowest]:.3f}, at p = {1 - x[lowest]:.4f}")
    ticks = (0.5, 0.1, 0.01, 0.001, 0.0001, 0.00001)
    axes.set_xticks(ticks, [f"{tick:g}" if tick >= 0.001 else f"{tick:.5f}".rstrip("0") for tick in ticks])
    axes.minorticks_off()
    axes.invert_xaxis()
    axes.set_xlabel("1 − p")
    axes.set_ylabel("Loss (nats)")
    axes.grid(axis="y")
    axes.legend(frameon=False)
    return figure, f"{title}. {'; '.join(told)}."


@picture
def schedules(learning_rate: Function | None) -> tuple[Figure, str]:
    """Show the learning rate by step for a few widths and lengths of the warm-up."""
    steps = np.unique(np.linspace(1, STEPS, 200).astype(int))
    title = "The learning rate: up in a straight line, then down like 1/√step"
    figure = blank(310, title, layout=True)
    axes = figure.subplots()
    told = []
    for (d_model, warmup), (color, _), dash in zip(SETTINGS, LOOKS, ("-", "--", ":"), strict=False):
        values = [called("learning_rate", learning_rate, int(step), d_model, warmup) for step in steps]
        if any(value.numel() != 1 for value in values):
            raise NotYet("`learning_rate` should return a single number")
        y = np.array([float(value.reshape(())) for value in values])
        if not np.isfinite(y).all():
            raise NotYet("`learning_rate` gives values that are not finite: see the checks below it")
        name = f"d_model {d_model}, warmup {warmup}"
        axes.plot(steps, y, dash, color=color, label=name)
        told.append(f"{name}: highest, {y.max():.2g}, at step {steps[y.argmax()]}")
    axes.set_xlabel("Step")
    axes.set_ylabel("Learning rate")
    axes.grid(axis="y")
    axes.legend(frameon=False)
    return figure, f"{title}. {'; '.join(told)}."


@picture
def training(history: Mapping[str, Sequence[float]] | None, title: str) -> tuple[Figure, str]:
    """Show the training loss (left) and shares of whole sequences right (right) by epoch.

    Args:
        history: "loss" and any accuracies, a number for each epoch.
    """
    hint = "run the cell that trains the model"
    if not isinstance(history, Mapping) or "loss" not in history:
        raise NotYet(hint)
    lines = {str(name): tensor_of(values, name, hint).double().numpy() for name, values in history.items()}
    if any(values.ndim != 1 or len(values) != len(lines["loss"]) for values in lines.values()):
        raise NotYet("the history should hold one number per epoch in each list")
    if not all(np.isfinite(values).all() for values in lines.values()):
        raise NotYet("the training went wrong: its history holds numbers that are not finite")
    loss, scores = lines.pop("loss"), lines
    figure = blank(310, title, layout=True)
    left, right = figure.subplots(1, 2)
    epochs = range(1, len(loss) + 1)
    left.plot(epochs, loss, "-o", color=LOOKS[0][0], markersize=4)
    left.set_ylabel("Training loss per token (nats)")
    for (name, values), (color, marker), dash in zip(
        scores.items(), LOOKS[1:], ("-", "--", ":"), strict=False
    ):
        right.plot(epochs, values, dash, marker=marker, color=color, markersize=4, label=name)
    right.set_ylabel("Whole sequences right (share)")
    right.set_ylim(-0.03, 1.03)
    if scores:
        right.legend(frameon=False, loc="lower right")
    for axes in (left, right):
        axes.set_xlabel("Epoch")
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
        axes.grid(axis="y")
    told = ", ".join(f"{name} ends at {values[-1]:.3f}" for name, values in scores.items())
    return figure, f"{title}, {len(loss)} epochs. Training loss from {loss[0]:.3f} to {loss[-1]:.3f}; {told}."


def called(name: str, function: Function | None, *arguments: Any) -> Tensor:
    """What one of the reader's functions gives, as float64."""
    if not callable(function):
        raise NotYet(f"write `{name}` and run its cell")
    try:
        value = function(*arguments)
    except NotImplementedError:
        raise NotYet(f"write `{name}` and run its cell") from None
    except Exception as error:
        raise NotYet(f"`{name}` raises {type(error).__name__}") from None
    return tensor_of(value, name, f"let `{name}` return its result").double()
