"""References and probes for feed-forward networks of Linear, Conv2d and BatchNorm layers.

A probe sets weights so that the output shows one property of the network. For dropout, for instance, the layer before
it gets weights that give 1 everywhere, and the last layer copies single units to the logits: a logit is then 0 where
its unit was dropped. A probe needs no names of the student's, and does not depend on what the other probes judge
(error carried forward, see `chainrule.judging.derivation`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Layer, Model, expect_registered, printable

WEIGHTED = ("linear", "conv2d")
POOLS = ("max_pool2d", "avg_pool2d")

Map = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Block:
    """A Linear or Conv2d layer with the BatchNorm and the pooling between it and the next one.

    Attributes:
        other_norm: a module that normalises in another way than BatchNorm; `reinitialized` makes it return its input.
        pool: the pooling's settings; a 2 × 2 window if the values become fewer without a known pooling.
    """

    layer: Layer
    norm: Layer | None
    other_norm: Layer | None
    pool: dict[str, Any] | None


def blocks(layers: Sequence[Layer]) -> list[Block]:
    """A network's blocks in running order; the last one makes the logits, those before it are hidden."""
    starts = [i for i, layer in enumerate(layers) if layer.kind in WEIGHTED]
    result = []
    for start, end in zip(starts, [*starts, len(layers)][1:], strict=True):
        layer, between = layers[start], layers[start + 1 : end]
        norm = next((other for other in between if other.kind == "batch_norm"), None)
        other_norm = next((other for other in between if other.kind == "normalisation"), None)
        pool = next((other.settings for other in between if other.kind in POOLS), None)
        if pool is None and end < len(layers):
            fewer = math.prod(layers[end].input[1:]) < math.prod(layer.output[1:])
            pool = {"kernel_size": 2} if fewer else None
        result.append(Block(layer, norm, other_norm, pool))
    return result


def reinitialized(model: Model, x: torch.Tensor, seed: int) -> list[Layer]:
    """Give the network new random values and return its layers in running order.

    Layers in a plain list are as good as registered ones here: `expect_registered` judges that.

    A normalisation that is not BatchNorm returns its input from now on: `expect_batch_norm` judges it, and the other
    checks judge the rest of the network.

    Raises:
        CheckFailed: the weights of some layers are not its parameters, it has no hidden layer, or the last layer is
            not Linear.
    """
    model.adopt(x)
    layers = model.reinitialize(x, generator=torch.Generator().manual_seed(seed))
    model.bypass([str(layer.settings.get("module")) for layer in layers if layer.kind == "normalisation"])
    weighted = [block.layer for block in blocks(layers)]
    expect_registered(weighted)
    if len(weighted) < 2 or weighted[-1].kind != "linear":
        kinds = ", ".join(layer.kind for layer in weighted) or "none"
        raise CheckFailed(
            f"hidden layers and a last Linear layer are expected, layers with weights are: {kinds}"
        )
    return layers


# -- the forward pass ------------------------------------------------------------------------------------


def feed_forward(
    layers: Sequence[Layer],
    x: torch.Tensor,
    *,
    activations: Sequence[Map] = (),
    order: Sequence[str] = ("norm", "relu", "pool"),
    pooling: Callable[..., torch.Tensor] = F.max_pool2d,
    flatten: Map = lambda h: h.flatten(1),
    batch_statistics: bool = False,
) -> torch.Tensor:
    """Logits in float64 and eval mode: hidden blocks of layer, BatchNorm, ReLU and pooling, then the last layer.

    Sizes, strides, paddings and windows are the student's own, and a missing BatchNorm or pooling is skipped: other
    checks judge those.

    Args:
        layers: a network's layers with their values.
        x: images (N, C, H, W).
        activations … batch_statistics: known mistakes, to recognise them by their results.
    """
    *hidden, last = blocks(layers)
    h = x.double()
    for i, block in enumerate(hidden):
        h = apply(block.layer, flatten(h) if block.layer.kind == "linear" and h.ndim > 2 else h)
        for step in order:
            if step == "norm" and block.norm:
                h = normalise(block.norm, h, batch_statistics)
            elif step == "relu":
                h = activations[i](h) if activations else h.relu()
            elif step == "pool" and block.pool:
                window, s = block.pool.get("kernel_size", 2), block.pool
                more = {"dilation": s["dilation"]} if "dilation" in s and pooling is F.max_pool2d else {}
                ceil_mode = s.get("ceil_mode", False)
                h = pooling(h, window, s.get("stride"), s.get("padding", 0), ceil_mode=ceil_mode, **more)
    h = averaged(last.layer, h) if h.ndim == 4 else h
    return apply(last.layer, flatten(h) if h.ndim > 2 else h)


def averaged(layer: Layer, h: torch.Tensor) -> torch.Tensor:
    """Feature maps (N, C, H, W), or their means if the layer takes one number for each channel.

    Raises:
        CheckFailed: it takes another number of features.
    """
    inputs = layer.values["weight"].shape[1]
    if inputs == h.shape[1] != h[0].numel():
        return h.mean((2, 3), keepdim=True)
    if inputs != h[0].numel():
        raise CheckFailed(
            f"the last layer takes {inputs} numbers, and the layers before it give {h[0].numel()}: what is between?"
        )
    return h


def apply(layer: Layer, h: torch.Tensor) -> torch.Tensor:
    """The output of one Linear or Conv2d layer with its values."""
    weight, bias = layer.values["weight"], layer.values.get("bias")
    if layer.kind == "linear":
        return F.linear(h, weight, bias)
    s = layer.settings
    how = {name: s[name] for name in ("stride", "padding", "dilation", "groups") if name in s}
    return F.conv2d(h, weight, bias, **how)


def normalise(norm: Layer, h: torch.Tensor, batch_statistics: bool = False) -> torch.Tensor:
    """The output of a BatchNorm layer with its values, by running statistics if it has them."""
    v = {
        role: value.flatten() for role, value in norm.values.items()
    }  # (C,), whatever shape it has in the module
    if batch_statistics or "running_mean" not in v:
        return F.batch_norm(h, None, None, v.get("weight"), v.get("bias"), training=True)
    return F.batch_norm(h, v["running_mean"], v["running_var"], v.get("weight"), v.get("bias"))


def expect_convolution(layer: Layer, weight: Sequence[int] | None, kernel: int, name: str) -> None:
    """A convolution has square filters of this side, stride 1, and neither padding, dilation nor groups.

    Args:
        weight: the shape of its weight, None if that is unknown.
        name: what to call the layer in messages.
    Raises:
        CheckFailed: it is another layer; the message says which.
    """
    s = layer.settings
    sides = tuple(weight[2:]) if weight is not None else (kernel, kernel)
    how = {
        what: _pair(s.get(what, usual)) for what, usual in (("stride", 1), ("padding", 0), ("dilation", 1))
    }
    right = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
    groups = s.get("groups", 1)
    if sides == (kernel, kernel) and how == right and groups == 1:
        return
    found = [f"kernel {sides[0]} × {sides[1]}"]
    found += [f"{what} {_shown(value)}" for what, value in how.items() if value != right[what]]
    found += [f"groups {groups}"] if groups != 1 else []
    raise CheckFailed(
        f"{name} has {', '.join(found)}; expected is kernel {kernel} × {kernel} and nothing else"
    )


def expect_pooling(layer: Layer, window: int, name: str) -> None:
    """A pooling has square windows of this side, next to each other, without padding or dilation.

    Raises:
        CheckFailed: it has others; the message says which.
    """
    s = layer.settings
    how = {
        "windows": _pair(s.get("kernel_size", window)),
        "stride": _pair(s.get("stride") or s.get("kernel_size", window)),
        "padding": _pair(s.get("padding", 0)),
        "dilation": _pair(s.get("dilation", 1)),
    }
    side = (window, window)
    if how != {"windows": side, "stride": side, "padding": (0, 0), "dilation": (1, 1)}:
        found = ", ".join(f"{what} {_shown(value)}" for what, value in how.items())
        raise CheckFailed(
            f"{name} has {found}; expected are windows {window} × {window} with stride {window}"
        )


def _pair(value: Any) -> tuple[Any, ...]:
    """A setting for height and width, whether it was given once or twice."""
    if value == "valid":
        value = 0
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    return values * 2 if len(values) == 1 else values


def _shown(values: tuple[Any, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else " × ".join(map(str, values))


def known_mistakes(
    layers: Sequence[Layer], x: torch.Tensor
) -> dict[str, torch.Tensor | Callable[[], torch.Tensor]]:
    """The outputs of known wrong forward passes, by what is wrong with them."""
    right = feed_forward(layers, x)
    hidden = len(blocks(layers)) - 1

    def computed(**how: Any) -> Callable[[], torch.Tensor]:
        return lambda: feed_forward(layers, x, **how)

    def same(h: torch.Tensor) -> torch.Tensor:
        return h

    others = {
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "GELU": F.gelu,
        "LeakyReLU": F.leaky_relu,
        "ELU": F.elu,
    }
    return {
        "softmax is applied to the logits; the loss does that itself": right.softmax(1),
        "log-softmax is applied to the logits; the loss does that itself": right.log_softmax(1),
        "a ReLU follows the last layer; logits may be negative": right.relu(),
        "a sigmoid follows the last layer; logits may be any number": right.sigmoid(),
        "a tanh follows the last layer; logits may be any number": right.tanh(),
        "the ReLU is missing": computed(activations=[same] * hidden),
        **{
            f"the ReLU of hidden layer {i + 1} is missing": computed(
                activations=[same if j == i else torch.relu for j in range(hidden)]
            )
            for i in range(hidden)
        },
        **{
            f"{name} takes the place of ReLU": computed(activations=[f] * hidden)
            for name, f in others.items()
        },
        "ReLU comes before BatchNorm": computed(order=("relu", "norm", "pool")),
        "pooling comes before BatchNorm": computed(order=("pool", "norm", "relu")),
        "ReLU and pooling come before BatchNorm": computed(order=("relu", "pool", "norm")),
        "average pooling takes the place of max pooling": computed(pooling=F.avg_pool2d),
        "height and width of the image are exchanged": lambda: feed_forward(layers, x.mT),
        "features are flattened in another order than channel, row, column": computed(
            flatten=lambda h: h.movedim(1, -1).flatten(1)
        ),
        "flattening mixes the images of a batch; its first dimension has to stay": computed(
            flatten=lambda h: h.reshape(-1, len(h)).T
        ),
        "flattening mixes the images of a batch; don't transpose before it": computed(
            flatten=lambda h: h.flatten(1).T.reshape(len(h), -1)
        ),
    }


def expect_forward(model: Model, layers: Sequence[Layer], x: torch.Tensor) -> None:
    """The network computes what the handout's does, with the layers that it has.

    Dropout is switched off and BatchNorm may use any statistics: other checks judge those.

    Args:
        model: just reinitialized.
        layers: what `reinitialized` returned.
        x: a few images.
    """
    got = numbers(model.logits(x, dropout=False), "the output")
    if differ(got, feed_forward(layers, x, batch_statistics=True), rtol=1e-3, atol=1e-6) > 0:
        expect(got, "the output").close_to(
            feed_forward(layers, x), rtol=1e-3, mistakes=known_mistakes(layers, x)
        )


def expect_gradients(model: Model, layers: Sequence[Layer], x: torch.Tensor) -> None:
    """Gradients reach the weights of all convolutions and Linear layers that run, and the last one has a bias.

    Args:
        layers: what `reinitialized` returned.
        x: a few images.
    """
    if "bias" not in layers[-1].parameters and layers[-1].kind == "linear":
        raise CheckFailed("the last Linear layer has no bias")
    upstream = torch.ones(numbers(model.logits(x, dropout=False), "the output").shape)
    reached = model.gradients(x, upstream=upstream).parameters
    for layer in layers:
        for role in ("weight", "bias"):
            name = layer.parameters.get(role) if layer.kind in ("linear", "conv2d") else None
            expect(name not in reached or reached[name] is not None).is_true(
                f"no gradient reaches `{printable(name, 60)}`, so training leaves it as it is: no torch.no_grad, "
                "detach or .data in forward"
            )


# -- dropout ---------------------------------------------------------------------------------------------


def fill(layer: Layer, weight: torch.Tensor | float, bias: float) -> dict[str, torch.Tensor]:
    """A state that sets a layer's weight and, where it has one, its bias."""
    given = {"weight": torch.as_tensor(weight), "bias": torch.as_tensor(bias)}
    return {
        name: given[role].expand(layer.values[role].shape)
        for role, name in layer.parameters.items()
        if role in given
    }


def show_units(model: Model, layers: Sequence[Layer], block: int) -> None:
    """Set weights so that the logits show units of the last hidden block.

    The given block gives the same number everywhere, for any input, and unit j of each later hidden block grows with
    unit j of the block before it. Each logit but the last shows one unit, multiplied by a small number: near 0 a
    softmax or sigmoid that is there by mistake is nearly linear. Half of the units are the first ones of one channel,
    the others are spread; the last one shown is the first again.
    """
    *hidden, last = blocks(layers)
    source, *copies = hidden[block:]
    model.load(fill(source.norm or source.layer, 0.0, 1.0))
    for copy in copies:
        units, inputs = copy.layer.values["weight"].shape[:2]
        model.load(fill(copy.layer, torch.eye(inputs)[torch.arange(units) % inputs], 0.0))
        if copy.norm:
            model.load(fill(copy.norm, 1.0, 0.5))
    logits, features = last.layer.values["weight"].shape
    near = logits // 2
    far = torch.linspace(features - 1, features // 2, logits - 1 - near).long()
    far[-1:] = 0
    weight = torch.zeros(logits, features)
    weight[torch.arange(logits - 1), torch.cat([torch.arange(near), far])] = 0.002
    model.load(fill(last.layer, weight, 0.0))


@dataclass(frozen=True)
class Survivors:
    """What dropout leaves of the units that are shown.

    Attributes:
        alive: which units survive, bool (N, C - 1).
        growth: how much larger they are than without dropout.
    """

    alive: torch.Tensor
    growth: float

    @property
    def share(self) -> float:
        return float(self.alive.double().mean())

    @property
    def together(self) -> float:
        """The share of images for which the units of one channel all survive or are all dropped."""
        near = self.alive[:, : (self.alive.shape[1] + 1) // 2]
        return float((near.all(1) | ~near.any(1)).double().mean())


def survivors(
    model: Model, layers: Sequence[Layer], image: torch.Tensor, block: int = -1, rows: int = 2000
) -> Survivors:
    """What the dropouts after a hidden block do to its units in training mode.

    Args:
        image: any image (1, C, H, W), of which `rows` copies are used.
    """

    def units(**mode: bool) -> torch.Tensor:
        logits = numbers(model.logits(image.expand(rows, *image.shape[1:]), **mode), "the output")
        return logits[:, :-1] - logits[:, -1:]

    show_units(model, layers, block)
    full, dropped = units(dropout=False), units(training=True)
    largest = float(dropped.max()) if dropped.numel() else 0.0
    alive = dropped > max(largest / 2, 1e-6)
    return Survivors(alive, float(dropped[alive].mean() / full.mean()))


def expect_dropout(
    model: Model, layers: Sequence[Layer], image: torch.Tensor, after: Sequence[int], rows: int = 2000
) -> None:
    """One unit in five is dropped after these hidden blocks, each unit by itself and in training mode only; survivors
    grow by 1 / 0.8, and nothing else is dropped.

    Args:
        model: just reinitialized.
        layers: what `reinitialized` returned.
        image: any image (1, C, H, W).
        after: numbers of those blocks, the last hidden block among them.
        rows: how many copies of the image to use.
    """
    many = image.expand(200, *image.shape[1:])
    once, again = (numbers(model.logits(many), "the output") for _ in range(2))
    expect(differ(once, again, rtol=1e-4, atol=1e-6) == 0).is_true(
        "dropout is active in eval mode too: nn.Dropout follows the mode, F.dropout needs training=self.training"
    )
    count = sum(bool(layer.settings.get("p")) for layer in layers if layer.kind == "dropout")
    expect(count <= len(after)).is_true(f"the network has {count} dropouts, not {len(after)}")
    last = len(blocks(layers)) - 2
    for later, block in enumerate(sorted(after, reverse=True)):
        left = survivors(model, layers, image, block, rows)
        expect(bool(left.alive.any())).is_true(
            "the output does not depend on the hidden units, whatever the weights"
        )
        place = "before the last layer" if block == last else f"after hidden layer {block + 1}"
        others = 0.8**later  # what the dropouts after this one leave
        what = f"the share of units left by the dropout {place}" + " and the next" * (later > 0)
        expect(left.share, what).close_to(
            0.8 * others,
            rtol=0,
            atol=0.03,
            mistakes={
                "there is no such dropout": others,
                "it keeps one unit in five and drops four": 0.2 * others,
                "it drops half the units, as nn.Dropout does by default": 0.5 * others,
            },
        )
        if block == last:
            expect(left.growth, "the size of what survives, relative to eval mode,").close_to(
                1.25, rtol=0, atol=0.02, mistakes={"survivors are not divided by 1 - p": 1.0}
            )
            expect(left.together < 0.6).is_true(
                "units are dropped together: nn.Dropout drops single ones, nn.Dropout1d and 2d whole channels"
            )
            expect(torch.equal(left.alive[:, 0], left.alive[:, -1])).is_true(
                "dropout comes after the last layer: it drops logits, not units"
            )


# -- BatchNorm -------------------------------------------------------------------------------------------


def expect_batch_norm(model: Model, layers: Sequence[Layer], x: torch.Tensor) -> None:
    """Every hidden layer (of a convolutional network: every convolution) has a BatchNorm. Its running statistics follow
    the batches in training mode, with momentum 0.1; in eval mode they are used and don't change.

    Args:
        model: just reinitialized.
        layers: what `reinitialized` returned.
        x: a few images.
    """
    first, *others = blocks(layers)[:-1]
    hidden = [first, *(block for block in others if block.layer.kind == first.layer.kind)]
    norms = []
    for i, block in enumerate(hidden, 1):
        if block.norm is None:
            raise CheckFailed(_instead_of_batch_norm(block.other_norm, i))
        known = block.norm.parameters.keys()
        if not {"running_mean", "running_var"} <= known:
            raise CheckFailed(f"the BatchNorm after hidden layer {i} uses no running statistics in eval mode")
        if not {"weight", "bias"} <= known:
            raise CheckFailed(f"the BatchNorm after hidden layer {i} has no scale and shift to learn")
        norms.append(block.norm.parameters)

    def evaluated() -> torch.Tensor:
        return numbers(model.logits(x, dropout=False), "the output")

    state = model.state()
    for i, norm in enumerate(norms, 1):
        name = norm["running_mean"]
        before = evaluated()
        model.load({name: state[name] + 1})
        expect(differ(before, evaluated(), rtol=1e-4, atol=1e-6) > 0).is_true(
            f"in eval mode BatchNorm {i} does not use its running statistics"
        )
        expect(model.state()[name], f"the running mean of BatchNorm {i} after eval mode").close_to(
            state[name] + 1
        )
        model.load({name: state[name]})

    # Layers of zeros give zeros: with such a batch, running statistics become 0.9 of what they were.
    model.load({name: value for block in hidden for name, value in fill(block.layer, 0.0, 0.0).items()})
    model.forward(x, training=True)
    after = model.state()
    for i, norm in enumerate(norms, 1):
        for role in ("running_mean", "running_var"):
            was = state[norm[role]]
            expect(
                after[norm[role]], f"the {role.replace('_', ' ')} of BatchNorm {i} after a batch"
            ).close_to(
                0.9 * was,
                mistakes={
                    "it does not follow the batches in training mode": was,
                    "it moves with momentum 0.9, not 0.1": 0.1 * was,
                },
            )


def _instead_of_batch_norm(found: Layer | None, hidden: int) -> str:
    """What to say where another normalisation or none is found after a hidden layer."""
    if found is None:
        return f"there is no BatchNorm after hidden layer {hidden}"
    if "weight" in found.parameters:
        return f"in training mode the BatchNorm after hidden layer {hidden} does not use mean and variance of the batch"
    if found.parameters:
        return f"the BatchNorm after hidden layer {hidden} has no scale and shift to learn"
    return (
        f"the normalisation after hidden layer {hidden} is not BatchNorm: that is (x − mean) / √(variance + ε) · "
        "scale + shift for each channel, in training mode by the batch, in eval mode by running statistics"
    )


# -- training --------------------------------------------------------------------------------------------


Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


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
    loss: Loss = F.cross_entropy,
    clear: str = "batch",
    stale: bool = False,
    repeat: int = 1,
    only: slice = slice(None),
) -> torch.Tensor:
    """Weights (C, D + 1) of softmax regression after SGD with momentum, in float64: v ← μv + g, w ← w - lr·v.

    Args:
        weight, bias: where training starts, (C, D) and (C,).
        x, y: inputs (N, D) and classes (N,), taken in order in batches.
        loss … only: known mistakes of a training loop, to recognise them by their results: another loss, gradients
            cleared every "batch", every "epoch" or "never", a step before the backward pass, several steps for each
            batch, some batches only.
    """
    w = torch.cat([weight, bias[:, None]], 1).double()
    x = torch.cat([x, torch.ones(len(x), 1)], 1).double()
    velocity, gradient = torch.zeros_like(w), torch.zeros_like(w)
    for _ in range(epochs):
        if clear == "epoch":
            gradient = torch.zeros_like(w)
        batches = list(zip(x.split(batch), y.split(batch), strict=True))[only]
        for xb, yb in [pair for pair in batches for _ in range(repeat)]:
            w.requires_grad_()
            (new,) = torch.autograd.grad(loss(xb @ w.T, yb), w)
            w = w.detach()
            before, gradient = gradient, new if clear == "batch" else gradient + new
            velocity = momentum * velocity + (before if stale else gradient)
            w = w - lr * velocity
    return w
