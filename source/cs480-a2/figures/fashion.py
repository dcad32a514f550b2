"""The figures of the Fashion-MNIST question: one idea each, shown as a PNG with alt text.

Every public function draws from what the notebook has computed so far. When that is missing or malformed it
prints one sentence saying what to do first, and never raises.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from torch import Tensor, nn

from chainrule.lesson.figures import (
    ACCENT,
    GREYS,
    INK,
    LOOKS,
    SIGNED,
    Line,
    NotYet,
    blank,
    draw_lines,
    ids_of,
    mosaic,
    names_of,
    picture,
    same_length,
    tensor_of,
)

__all__ = ["confusion", "curves", "filters", "mistakes", "samples"]

SIDE = 28  # pixels on a side of a Fashion-MNIST picture
HOME = "Fashion-MNIST"  # the origin of data that a title need not mention


@picture
def curves(
    histories: Mapping[str, Mapping[str, Sequence[float]] | None] | None, *, origin: str = HOME
) -> tuple[Figure, str]:
    """Show training loss (left) and training and test accuracy (right) by epoch.

    `histories` maps a model's name to its history: lists "loss", "train" and "test", one number per epoch,
    the accuracies as fractions of 1. Models whose history is None are left out.
    """
    hint = "finish `train` and run the cell that trains the MLP"
    if not isinstance(histories, Mapping | None):
        raise NotYet(f"`histories` should be a dict of models, and is of type {type(histories).__name__}")
    runs = {
        str(name): run_of(str(name), history)
        for name, history in (histories or {}).items()
        if history is not None
    }
    if not runs:
        raise NotYet(hint)

    title = titled("Loss and accuracy, epoch by epoch", origin)
    figure = blank(380, title, layout=True)
    left, right = figure.subplots(1, 2)
    looks = [LOOKS[i % len(LOOKS)] for i in range(len(runs))]
    losses, scores = [], []
    for (name, run), look in zip(runs.items(), looks, strict=True):
        losses.append(Line(name, run["loss"], *look, "-"))
        scores.append(Line(f"{name} test", run["test"], *look, "-"))
        scores.append(Line(f"{name} train", run["train"], *look, "--"))
    draw_lines(left, losses, "Mean cross-entropy (nats)")
    draw_lines(right, scores, "Accuracy (fraction right)")
    left.set_title("Training loss")
    right.set_title("Accuracy: test solid, training dashed")

    epochs = max(len(run["loss"]) for run in runs.values())
    loss = ", ".join(
        f"{name} from {run['loss'][0]:.3f} to {run['loss'][-1]:.3f}" for name, run in runs.items()
    )
    test, train = (
        ", ".join(f"{name} ends at {run[part][-1]:.3f}" for name, run in runs.items())
        for part in ("test", "train")
    )
    alt = (
        f"{title}; {epochs} epochs. Training loss: {loss}. Test accuracy: {test}. Training accuracy: {train}."
    )
    return figure, alt


@picture
def confusion(
    labels: Tensor | None,
    predictions: Tensor | None,
    classes: Sequence[str] | None,
    title: str,
    *,
    origin: str = HOME,
) -> tuple[Figure, str]:
    """Show, for each true class (row), the per cent of its pictures predicted as each class (column).

    `labels` and `predictions` are int tensors (N,), entries below `len(classes)`. The most frequent confusion
    is the mistake with the largest count; it is named under the title and framed.
    """
    hint = "run the cells that train the model and predict the classes of the test pictures"
    names = names_of(classes, hint)
    truth = ids_of(labels, "labels", names, hint)
    guess = ids_of(predictions, "predictions", names, hint)
    same_length(labels=truth, predictions=guess)

    n = len(names)
    counts = torch.bincount(truth * n + guess, minlength=n * n).reshape(n, n).numpy()
    totals = counts.sum(1)
    percent = 100 * counts / np.maximum(totals, 1)[:, None]  # a class without pictures is a row of zeros
    accuracy = counts.trace() / counts.sum()
    wrong = counts * (1 - np.eye(n, dtype=int))
    row, column = np.unravel_index(wrong.argmax(), wrong.shape)
    if wrong.any():
        finding = (
            f"Most frequent confusion: {names[row]} taken for {names[column]}, "
            f"{percent[row, column]:.1f} % of the time."
        )
    else:
        finding = "No confusion: every prediction is right."

    title = titled(title, origin)
    figure = blank(610, title, f"Accuracy {accuracy:.3f}. {finding}", layout=True)
    axes = figure.subplots()
    # The square root lifts the few per cent of a confusion out of the white.
    shade = PowerNorm(0.5, 0, 100)
    axes.imshow(percent, cmap="Blues", norm=shade, aspect="auto")
    for i, j in np.argwhere(counts > 0):
        color = "white" if shade(percent[i, j]) > 0.6 else INK
        axes.text(j, i, f"{percent[i, j]:.1f}", ha="center", va="center", color=color, size=8.5)
    if wrong.any():
        corner = (float(column) - 0.5, float(row) - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=ACCENT, linewidth=2.2, clip_on=False))
    axes.set_xticks(range(n), names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(n), names)
    axes.set_xlabel("Predicted class, in per cent of the true class (blank: never)")
    axes.set_ylabel("True class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)

    seen = np.flatnonzero(totals)
    right = percent.diagonal()[seen]
    best, worst = seen[right.argmax()], seen[right.argmin()]
    alt = (
        f"{title}. Matrix of {n} true classes by {n} predicted ones, {counts.sum()} pictures, "
        f"accuracy {accuracy:.3f}. {finding} Recognised best: {names[best]}, {percent[best, best]:.1f} %; "
        f"worst: {names[worst]}, {percent[worst, worst]:.1f} %."
    )
    return figure, alt


@picture
def filters(model: nn.Module | Tensor | None, title: str, *, origin: str = HOME) -> tuple[Figure, str]:
    """Show what the first layer looks for: its weights as pictures, zero in the middle of the colours.

    `model` is a network or the weight of its first layer: a Linear's (hidden, 784), of which the 32 units with
    the largest norm are shown, largest first, or a Conv2d's (filters, 1, k, k), all of which are shown in order.
    """
    hint = "build the model and run the cell that trains it"
    if isinstance(model, nn.Module):
        model = next((p for p in model.parameters() if p.ndim >= 2), None)
    w = tensor_of(model, "weight", hint).double()
    if w.ndim == 2 and w.shape[1] == SIDE * SIDE:
        strongest = w.norm(dim=1).argsort(descending=True)[:32]
        tiles = w[strongest].reshape(-1, SIDE, SIDE).numpy()
        finding = f"The {len(tiles)} of {len(w)} hidden units with the largest weights, strongest first."
    elif w.ndim == 4 and w.shape[1] == 1 and w.shape[2] == w.shape[3]:
        tiles = w[:, 0].numpy()
        finding = f"All {len(tiles)} filters of {w.shape[2]} × {w.shape[3]} weights."
    else:
        raise NotYet(
            f"`weight` should have shape (hidden, {SIDE * SIDE}) or (filters, 1, k, k), "
            f"and has shape {tuple(w.shape)}"
        )
    if not np.isfinite(tiles).all():
        raise NotYet("`weight` holds numbers that are not finite; train again with a smaller learning rate")

    title = titled(title, origin)
    limit = float(np.quantile(np.abs(tiles), 0.998)) or 1.0  # a few extremes would grey out all the rest
    gap = max(1, tiles.shape[1] // 14)
    figure, axes, image = mosaic(
        tiles, 8, (gap, gap), title, finding, right=88, cmap=SIGNED, norm=Normalize(-limit, limit)
    )
    box = axes.get_position()
    foot = box.height * gap / (-(-len(tiles) // 8) * (tiles.shape[1] + gap))  # the gap below the last row
    strip = figure.add_axes((box.x1 + 0.008, box.y0 + foot, 0.014, box.height - foot))
    bar = figure.colorbar(image, cax=strip, ticks=MaxNLocator(5), extend="both")
    bar.set_label("Weight", size=8.5, labelpad=1)
    strip.tick_params(labelsize=8.5)
    bar.outline.set_visible(False)
    alt = (
        f"{title}. {finding} Dark blue is negative, grey zero, light orange positive; "
        f"the weights shown go from {tiles.min():.2f} to {tiles.max():.2f}."
    )
    return figure, alt


@picture
def mistakes(
    images: Tensor | None,
    labels: Tensor | None,
    logits: Tensor | None,
    classes: Sequence[str] | None,
    title: str,
    count: int = 15,
    *,
    origin: str = HOME,
) -> tuple[Figure, str]:
    """Show the `count` pictures the model gets wrong with the highest probability, most certain first.

    `images` is float (N, 1, 28, 28), `labels` int (N,) and `logits` float (N, classes); a probability is the
    softmax of a picture's logits.
    """
    hint = "run the cells that train the model and compute its logits on the test pictures"
    names = names_of(classes, hint)
    pictures = pictures_of(images, hint)
    truth = ids_of(labels, "labels", names, hint)
    z = tensor_of(logits, "logits", hint).double()  # float32 would round many of these to 1
    if z.ndim != 2 or z.shape[1] != len(names):
        raise NotYet(f"`logits` should have shape (N, {len(names)}), and has shape {tuple(z.shape)}")
    if not z.isfinite().all():
        raise NotYet("`logits` holds numbers that are not finite; train again with a smaller learning rate")
    same_length(images=pictures, labels=truth, logits=z)

    probability, guess = z.softmax(1).max(1)
    wrong = (guess != truth).nonzero().flatten()
    if not len(wrong):
        raise NotYet("the model gets every picture right, so there is no mistake to show")
    worst = wrong[probability[wrong].argsort(descending=True, stable=True)][: max(1, count)]
    sure = probability[worst].tolist()
    said = [f"{p:.3f}" if p < 0.9995 else "> 0.999" for p in sure]

    title = titled(title, origin)
    finding = (
        f"{len(worst)} of the {len(wrong)} mistakes in {len(truth)} pictures: "
        "true class → predicted class and its probability."
    )
    gap = (12, 11)
    columns = 5
    figure, axes, _ = mosaic(pictures[worst].numpy(), columns, gap, title, finding, cmap=GREYS)
    pairs = [(names[t], names[g]) for t, g in zip(truth[worst], guess[worst], strict=True)]
    for i, ((true, predicted), p) in enumerate(zip(pairs, said, strict=True)):
        x, y = i % columns * (SIDE + gap[1]), (i // columns + 1) * (SIDE + gap[0]) - gap[0]
        axes.text(x, y + 4, true, size=8.5)
        axes.text(x, y + 8.3, f"→ {predicted} {p}", size=8.5, color="#a84300")
    listed = "; ".join(f"{t} taken for {g} ({p})" for (t, g), p in zip(pairs[:5], said[:5], strict=True))
    alt = f"{title}. {len(worst)} of {len(wrong)} mistakes, most certain first: {listed}"
    return figure, alt + ("." if len(worst) <= 5 else f"; down to {said[-1]}.")


@picture
def samples(
    images: Tensor | None, labels: Tensor | None, classes: Sequence[str] | None, *, origin: str = HOME
) -> tuple[Figure, str]:
    """Show the first ten pictures of every class, a row for each class.

    `images` is float (N, 1, 28, 28) and `labels` int (N,), entries below `len(classes)`.
    """
    hint = "run the cell that loads the data"
    names = names_of(classes, hint)
    pictures = pictures_of(images, hint)
    truth = ids_of(labels, "labels", names, hint)
    same_length(images=pictures, labels=truth)

    columns = 10
    found = [pictures[(truth == c).nonzero().flatten()[:columns]] for c in range(len(names))]
    sheet = np.full((len(names), columns, SIDE, SIDE), np.nan)  # a class with fewer pictures leaves gaps
    for row, some in zip(sheet, found, strict=True):
        row[: len(some)] = some.numpy()

    low, high = np.nanmin(sheet), np.nanmax(sheet)
    title = titled("A first look at the data: every row is one class", origin)
    finding = (
        f"The first {columns} pictures of each class, {SIDE} × {SIDE} pixels; "
        f"white is {low:.3g}, black is {high:.3g}."
    )
    gap = (2, 7)
    figure, axes, _ = mosaic(
        sheet.reshape(-1, SIDE, SIDE), columns, gap, title, finding, left=102, cmap=GREYS
    )
    for i, name in enumerate(names):
        axes.text(-4, i * (SIDE + gap[0]) + SIDE / 2, name, ha="right", va="center")
    numbers = ", ".join(f"{name} {len(some)}" for name, some in zip(names, found, strict=True))
    return figure, f"{title}. Pictures shown per class: {numbers}, out of {len(truth)}."


def titled(title: str, origin: str) -> str:
    """Name where the data comes from in the title, unless it is what the course is about."""
    return title if origin == HOME else f"{title} ({origin})"


def run_of(name: str, history: object) -> dict[str, np.ndarray]:
    """Return a model's "loss", "train" and "test", each as float64 (epochs,)."""
    if not isinstance(history, Mapping):
        raise NotYet(f"the history of {name} should be a dict, and is of type {type(history).__name__}")
    hint = f"finish `train` and run the cell that trains the {name}"
    run = {}
    for key in ("loss", "train", "test"):
        if key not in history:
            raise NotYet(f'the history of {name} has no "{key}", so finish `train` and train again')
        run[key] = tensor_of(history[key], f'histories["{name}"]["{key}"]', hint).double().numpy()
    if {values.shape for values in run.values()} != {(run["loss"].size,)}:
        raise NotYet(f'in the history of {name}, "loss", "train" and "test" should hold one number per epoch')
    return run


def pictures_of(images: object, hint: str) -> Tensor:
    """Return `images`, (N, 1, 28, 28) or any other shape of N such pictures, as (N, 28, 28)."""
    pictures = tensor_of(images, "images", hint)
    if pictures.ndim < 2 or pictures[0].numel() != SIDE * SIDE:
        raise NotYet(
            f"`images` should have shape (N, 1, {SIDE}, {SIDE}), and has shape {tuple(pictures.shape)}"
        )
    return pictures.reshape(-1, SIDE, SIDE)
