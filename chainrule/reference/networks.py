"""References and probes for feed-forward networks of Linear, Conv2d and BatchNorm layers.

A probe sets weights so that the output *shows* what is asked about. To see dropout, for instance, the layer
before it is made to put out 1 everywhere, and the last layer to copy single units to the logits: a logit is
then 0 where its unit was dropped. Nothing is assumed about how the student wrote or named the layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from chainrule.lesson.checks import expect
from chainrule.lesson.fashion_mnist import FashionMNIST
from chainrule.lesson.student import CheckFailed, Function, Layer, Model, Student

WEIGHTED = ("linear", "conv2d")


def with_parameters(layers: Sequence[Layer]) -> list[Layer]:
    """The layers that hold parameters, in running order."""
    return [layer for layer in layers if layer.kind in (*WEIGHTED, "batch_norm")]


def apply(layer: Layer, h: torch.Tensor) -> torch.Tensor:
    """One Linear, Conv2d or (eval mode) BatchNorm layer in float64, on the values it holds."""
    v = layer.values
    if layer.kind == "batch_norm":
        if "running_mean" not in v:
            raise CheckFailed("BatchNorm keeps no running statistics")
        return F.batch_norm(h, v["running_mean"], v["running_var"], v.get("weight"), v.get("bias"))
    if "weight" not in v:
        raise CheckFailed(f"the weights of a {layer.kind} layer are no parameters of the network")
    if layer.kind == "linear":
        return F.linear(h, v["weight"], v.get("bias"))
    s = layer.settings
    return F.conv2d(h, v["weight"], v.get("bias"), stride=s.get("stride", 1), padding=s.get("padding", 0))


def max_pool(pool: Layer | None, h: torch.Tensor) -> torch.Tensor:
    """Max pooling with the window of the student's own pooling layer, 2 × 2 where none was seen."""
    s = pool.settings if pool else {}
    return F.max_pool2d(h, s.get("kernel_size", 2), s.get("stride"), s.get("padding", 0))


# -- dropout ---------------------------------------------------------------------------------------------


def blocks(layers: Sequence[Layer]) -> list[tuple[Layer, Layer | None]]:
    """Each Linear or Conv2d layer with the BatchNorm that directly follows it, if one does."""
    following = [*layers[1:], None]
    return [
        (layer, after if after and after.kind == "batch_norm" else None)
        for layer, after in zip(layers, following, strict=True)
        if layer.kind in WEIGHTED
    ]


def fill(layer: Layer, weight: torch.Tensor | float, bias: float) -> dict[str, torch.Tensor]:
    """A state that sets a layer's weight and, where it has one, its bias."""
    state = {}
    for role, name in layer.parameters.items():
        if role in ("weight", "bias"):
            state[name] = torch.empty(layer.values[role].shape).copy_(
                torch.as_tensor(weight if role == "weight" else bias)
            )
    return state


def constant_block(model: Model, layers: Sequence[Layer], block: int, value: float = 1.0) -> None:
    """Make a hidden block put out the same number everywhere, whatever it is given."""
    layer, norm = blocks(layers)[block]
    model.load(fill(norm or layer, 0.0, value))


def copy_block(model: Model, layers: Sequence[Layer], block: int) -> None:
    """Make unit j of a hidden block depend on unit j of the block before it, increasing in it."""
    layer, norm = blocks(layers)[block]
    model.load(fill(layer, torch.eye(*layer.values["weight"].shape), 0.0))
    if norm:
        model.load(fill(norm, 1.0, 0.0))


def show_units(model: Model, last: Layer, units: Sequence[int]) -> None:
    """Make logit k copy feature units[k] of the last layer's input; the last logit is 0, to compare with."""
    weight = torch.zeros_like(last.values["weight"])
    weight[range(len(units)), units] = 1.0
    model.load(fill(last, weight, 0.0))


def heights(logits: torch.Tensor) -> torch.Tensor:
    """Each shown unit above the zero logit, (N, C - 1). Reads a softmax or log-softmax like the logits."""
    if bool((logits >= 0).all()) and torch.allclose(
        logits.sum(1), torch.ones(len(logits)).double(), atol=1e-3
    ):
        logits = logits.log()
    return logits[:, :-1] - logits[:, -1:]


def survivors(logits: torch.Tensor) -> tuple[float, float]:
    """The share of shown units that dropout left, and the mean height of those (0 if there are none)."""
    shown = heights(logits)
    alive = shown > 0.1
    return float(alive.double().mean()), float(shown[alive].mean()) if bool(alive.any()) else 0.0


def survive_together(logits: torch.Tensor) -> float:
    """The share of rows whose shown units all survive or all fall."""
    alive = heights(logits) > 0.1
    return float((alive.all(1) | ~alive.any(1)).double().mean())


# -- BatchNorm -------------------------------------------------------------------------------------------


def expect_batch_norm(model: Model, layers: Sequence[Layer], x: torch.Tensor) -> None:
    """Every hidden block has a BatchNorm whose running statistics follow the batches in training mode
    (momentum 0.1, unbiased variance) and are used, not changed, in eval mode.

    Args:
        model: just redrawn.
        layers: its layers with parameters, as `redraw` returned them.
        x: a batch of at least three pictures.
    """
    hidden = blocks(layers)[:-1]
    for i, (layer, norm) in enumerate(hidden):
        if norm is None:
            raise CheckFailed(f"there is no BatchNorm right after hidden layer {i + 1}")
        if not {"running_mean", "running_var"} <= norm.parameters.keys():
            raise CheckFailed(f"the BatchNorm after hidden layer {i + 1} keeps no running statistics")
        if i > 0:
            # With a silent block before it, the layer puts out its bias, whatever dropout does.
            constant_block(model, layers, block=i - 1, value=-1.0)
            z = torch.zeros(layer.output).double()
            if "bias" in layer.values:
                z = z + layer.values["bias"].view(-1, *[1] * (z.ndim - 2))
        else:
            z = apply(layer, x.double().flatten(1) if layer.kind == "linear" else x.double())
        axes = [axis for axis in range(z.ndim) if axis != 1]
        batch = {"running_mean": z.mean(axes), "running_var": z.var(axes)}  # var is unbiased
        before = model.state()
        model.forward(x, training=True)
        after = model.state()
        for role, statistic in batch.items():
            name, what = norm.parameters[role], f"the {role.replace('_', ' ')} of BatchNorm {i + 1}"
            expect(after[name], f"{what} after one batch in training mode").close_to(
                0.9 * before[name] + 0.1 * statistic,
                rtol=1e-3,
                mistakes={
                    "did not move": before[name],
                    "moved with momentum 0.9 instead of 0.1": 0.1 * before[name] + 0.9 * statistic,
                },
            )
        alone, among = model.logits(x[:1]), model.logits(x)[:1]
        expect(alone, "in eval mode, the answer for a picture alone").close_to(among, rtol=1e-3, atol=1e-4)
        expect(model.state()[norm.parameters["running_mean"]], "the running mean after eval mode").close_to(
            after[norm.parameters["running_mean"]]
        )


# -- training --------------------------------------------------------------------------------------------


def softmax_regression_by_sgd(
    weight: torch.Tensor,
    bias: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    *,
    batch: int,
    epochs: int,
    lr: float,
    momentum: float = 0.9,
    keep_gradients: bool = False,
    softmax_twice: bool = False,
    reduction: str = "mean",
    stale: bool = False,
    repeat: int = 1,
    last_only: bool = False,
) -> torch.Tensor:
    """Weights (C, D + 1) of softmax regression after SGD with momentum, in float64: v ← μv + g, w ← w - lr·v.

    Args:
        weight, bias: where training starts, (C, D) and (C,).
        x, y: inputs (N, D) and classes (N,), taken in order in batches.
        keep_gradients … last_only: known slips of a training loop, to recognise them by what they lead to.
    """
    w = torch.cat([weight, bias[:, None]], 1).double()
    x = torch.cat([x, torch.ones(len(x), 1)], 1).double()
    velocity, kept, previous = torch.zeros_like(w), torch.zeros_like(w), torch.zeros_like(w)
    for _ in range(epochs):
        batches = list(zip(x.split(batch), y.split(batch), strict=True))
        for xb, yb in batches[-1:] if last_only else batches:
            for _ in range(repeat):
                w.requires_grad_()
                logits = xb @ w.T
                loss = F.cross_entropy(
                    logits.softmax(1) if softmax_twice else logits, yb, reduction=reduction
                )
                (gradient,) = torch.autograd.grad(loss, w)
                w = w.detach()
                kept = kept + gradient if keep_gradients else gradient
                used, previous = (previous, kept) if stale else (kept, kept)
                velocity = momentum * velocity + used
                w = w - lr * velocity
    return w


def trains(student: Student) -> bool:
    """Whether the student's `train` runs at all and moves weights."""
    model = student.make_network(("Linear", 6, 4))
    before = model.state()
    loader = student.make_loader(torch.randn(8, 6), torch.arange(8) % 4, batch=4)
    try:
        student.train(model, loader, loader, epochs=1)
    except CheckFailed:
        return False
    return not torch.equal(before["0.weight"], model.state()["0.weight"])


def expect_accuracy(
    student: Student, trained: Model, build: Function, test: FashionMNIST, train_set: FashionMNIST, bar: float
) -> None:
    """The trained model reaches the bar on the test pictures.

    If it does not, but the student's training loop runs and moves weights, a fresh network of the student's
    may reach it after 470 steps of ours on 6,000 pictures: a slip in the loop is paid for where the loop is
    checked, not again in every accuracy.
    """

    def accuracy(model: Model) -> float:
        return float((model.predict(pictures(test)) == test.labels).double().mean())

    reached = accuracy(trained)
    if reached >= bar or not trains(student):
        expect(reached, "its test accuracy").at_least(bar)
        return
    fresh: Any = build()
    fresh.fit(
        pictures(train_set)[:6000], train_set.labels[:6000], steps=470, batch=128, lr=0.05, momentum=0.9
    )
    expect(
        accuracy(fresh), f"its test accuracy ({reached:.4g} as you trained it), trained by our loop,"
    ).at_least(min(bar, 0.79))


def pictures(data: FashionMNIST) -> torch.Tensor:
    """All pictures of a data set as a network wants them: float32 (N, 1, 28, 28) in [0, 1]."""
    return data.images[:, None] / 255
