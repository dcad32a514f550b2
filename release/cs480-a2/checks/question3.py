"""Visible checks of question 3: probes of your networks and of your training loop, on small examples."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from chainrule.datasets.fashion_mnist import FashionMNIST
from chainrule.lesson import CheckFailed, Item, expect
from chainrule.lesson.checks import numbers
from chainrule.lesson.student import Layer, Model, Student, expect_registered

# -- what is inside a network ----------------------------------------------------------------------------

WEIGHTED = ("linear", "conv2d")
NORMS = ("batch_norm", "normalisation")
STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True)
class Block:
    """A layer with weights, and the normalisation between it and the next one."""

    layer: Layer
    norm: Layer | None


def waves(start: float, *shape: int) -> Tensor:
    """Numbers between −1 and 1 in that shape, the same everywhere and without order."""
    place = torch.arange(math.prod(shape), dtype=torch.float64)
    return (0.37 * place.square() + start * (place + 1)).sin().reshape(shape)


PICTURES = waves(1, 3, 1, 28, 28).float()


def blocks(model: Model, x: Tensor) -> list[Block]:
    """The layers with weights in the order in which they run, the last one makes the logits."""
    ran = [layer for layer in model.layers(x) if layer.kind in (*WEIGHTED, *NORMS)]
    starts = [place for place, layer in enumerate(ran) if layer.kind in WEIGHTED]
    parts = [ran[start:end] for start, end in zip(starts, [*starts, len(ran)][1:], strict=True)]
    hidden = len(parts) > 1 and parts[-1][0].kind == "linear"
    expect(hidden).is_true("hidden layers and a last Linear layer are expected")
    expect_registered([layer for layer, *_ in parts])
    return [Block(part[0], next((norm for norm in part[1:]), None)) for part in parts]


def fill(model: Model, layer: Layer, **values: Tensor | float) -> None:
    """Set a layer's parameters by their roles; a number goes everywhere, and what the layer lacks is left out."""
    state = model.state()
    given = {}
    for role, name in layer.parameters.items():
        if role in values:
            value, shape = torch.as_tensor(values[role], dtype=torch.float64), state[name].shape
            given[name] = (
                value.reshape(shape) if value.numel() == shape.numel() else value.expand(shape).clone()
            )
    model.load(given)


def worked_example(model: Model, x: Tensor) -> Tensor:
    """What the network makes of some pictures, in eval mode, once all its layers have numbers of ours. Biases of
    weighted layers are 0, so that one that a BatchNorm makes needless may be missing."""
    found = blocks(model, x)  # which gives lazy layers their parameters
    state = model.state()
    for place, block in enumerate(found):
        shape = state[block.layer.parameters["weight"]].shape
        fill(model, block.layer, weight=4 * waves(place + 2, *shape) / math.sqrt(shape[1:].numel()), bias=0.0)
        if block.norm:
            n = shape[0]
            scale = waves(place + 3, n)
            fill(model, block.norm, weight=scale.sign() + scale / 2, bias=waves(place + 4, n) / 2)
            fill(
                model,
                block.norm,
                running_mean=waves(place + 5, n) / 2,
                running_var=1 + waves(place + 6, n) / 2,
            )
    return model.logits(x)


def expect_norms(model: Model, x: Tensor) -> list[Block]:
    """A BatchNorm follows every hidden layer. Returns the blocks.

    Raises:
        CheckFailed: one is missing, or is another normalisation.
    """
    found = blocks(model, x)
    kind = found[0].layer.kind
    for place, block in enumerate((block for block in found[:-1] if block.layer.kind == kind), 1):
        where = f"the {kind} layer {place}"
        if block.norm is None:
            raise CheckFailed(f"no BatchNorm follows {where}")
        roles = block.norm.parameters
        expect(block.norm.kind == "batch_norm" or bool(roles)).is_true(
            f"what follows {where} is no BatchNorm"
        )
        expect("weight" in roles and "bias" in roles).is_true(
            f"the BatchNorm after {where} has no scale and shift"
        )
        expect(set(STATISTICS) <= roles.keys()).is_true(
            f"the BatchNorm after {where} keeps no running statistics"
        )
        expect(block.norm.kind == "batch_norm").is_true(
            f"the BatchNorm after {where} ignores the batch in training"
        )
    return found


def survivors(model: Model, x: Tensor, block: int, rows: int) -> tuple[Tensor, float]:
    """Which of nine units survive in training mode, (rows, 9), when a hidden block gives 1 everywhere; and how large
    those are that do, relative to eval mode. Units 0 to 3 are neighbours."""
    found = blocks(model, x)
    *hidden, last = found
    others = [one.norm for one in hidden if one.norm and one.norm.kind != "batch_norm"]
    model.bypass([str(norm.settings.get("module")) for norm in others])  # which have a check of their own
    norm = hidden[block].norm
    source = norm if norm and norm.kind == "batch_norm" else hidden[block].layer
    fill(model, source, weight=0.0, bias=1.0)
    state = model.state()
    for copy in hidden[block + 1 or len(hidden) :]:  # each unit grows with one of the block before
        out, width = state[copy.layer.parameters["weight"]].shape[:2]
        fill(model, copy.layer, weight=torch.eye(width)[torch.arange(out) % width], bias=0.0)
        if copy.norm and copy.norm.kind == "batch_norm":
            fill(model, copy.norm, weight=1.0, bias=0.5)
    logits, features = state[last.layer.parameters["weight"]].shape
    shown = torch.tensor(
        [0, 1, 2, 3, *torch.linspace(features // 2, features - 1, logits - 5).long().tolist()]
    )
    weight = torch.zeros(logits, features)
    weight[torch.arange(logits - 1), shown] = 1.0
    fill(model, last.layer, weight=weight, bias=0.0)
    torch.manual_seed(5)
    many = x[:1].expand(rows, *x.shape[1:])
    full, after = (
        model.logits(many[:n], training=how)[:, : logits - 1] for n, how in ((2, False), (rows, True))
    )
    alive = after > max(float(after.max()) / 2, 1e-6)
    size = float(after[alive].mean() / full.mean()) if bool(alive.any()) else 0.0
    return alive, size


def expect_dropout(model: Model, x: Tensor, after: int, rows: int) -> None:
    """One unit in five is dropped after each of the last `after` hidden blocks, in training mode alone.

    Raises:
        CheckFailed: it is not.
    """
    expect(len(blocks(model, x)) > after).is_true("the network has fewer hidden layers than the text")
    same = bool((model.logits(x) - model.logits(x)).abs().max() <= 1e-6)
    expect(same).is_true(
        "in eval mode the same pictures get other logits each time: dropout is active there, too"
    )
    count = sum(bool(layer.settings.get("p")) for layer in model.layers(x) if layer.kind == "dropout")
    expect(count <= after).is_true(f"{count} dropouts run, more than the text has")
    left = 1.0
    for back in range(1, after + 1):
        alive, size = survivors(model, x, -back, rows)
        share, place = (
            float(alive.double().mean()),
            "before the last layer" if back == 1 else "after hidden layer 1",
        )
        expect(bool(alive.any())).is_true("the logits show nothing of the hidden units in training mode")
        expect(share < 0.98 * left).is_true(f"in training mode no unit is dropped {place}")
        expect(abs(share / left - 0.8) < 0.05).is_true(
            f"in training mode a share of {1 - share / left:.2f} of the units is dropped {place}"
        )
        left = share
        if back == 1:
            expect(abs(size - 1.25) < 0.02).is_true(
                f"what dropout leaves in training mode is {size:.3g} times as large as in eval mode"
            )
            together = float((alive[:, :4].all(1) | ~alive[:, :4].any(1)).double().mean())
            expect(together < 0.6).is_true("neighbouring units are dropped together, not each by itself")


def expect_running_statistics(model: Model, x: Tensor) -> None:
    """Running statistics follow the batches in training mode, by a tenth, and are used in eval mode.

    Raises:
        CheckFailed: they don't, or aren't.
    """
    found = [block for block in expect_norms(model, x) if block.norm]
    for place, block in enumerate(found, 1):
        assert block.norm is not None
        name = block.norm.parameters["running_mean"]
        before, was = model.logits(x, dropout=False), model.state()[name]
        model.load({name: was + 1})
        moved = float((model.logits(x, dropout=False) - before).abs().max())
        expect(moved > 1e-4).is_true(f"in eval mode BatchNorm {place} does not use its running mean")
        kept = bool((model.state()[name] - was - 1).abs().max() < 1e-4)
        expect(kept).is_true(f"in eval mode BatchNorm {place} changes its running mean")
        model.load({name: was})
    for block in found:  # layers that give 0 everywhere: mean and variance of the batch are 0
        fill(model, block.layer, weight=0.0, bias=0.0)
    old = model.state()
    for _ in range(2):
        model.forward(x, training=True)
    now = model.state()
    for place, block in enumerate(found, 1):
        assert block.norm is not None
        for role in STATISTICS:
            name = block.norm.parameters[role]
            if not bool(old[name].any()):
                continue  # a running mean of 0 stays 0
            left = float((now[name].abs().sum() / old[name].abs().sum()).sqrt())
            expect(left < 0.999).is_true(
                f"the {role} of BatchNorm {place} does not follow the batches in training mode"
            )
            expect(abs(left - 0.9) < 1e-3).is_true(
                f"a batch leaves a share of {left:.2g} of the old {role} of BatchNorm {place}: is that the default?"
            )


def network(
    item: Item, build: Callable[[Student], Model], after: int, rows: int, example: Sequence[Any]
) -> None:
    """Visible checks that both networks share.

    Args:
        build: a new network of the student's.
        after: how many dropouts the text has.
        rows: how many copies of a picture dropout is counted on.
        example: logits of `worked_example`: those of picture 0, then of picture 1, four each.
    """

    @item.visible_check(
        "every weight of the layers that run gets a gradient",
        means="consistent",
        hint="hand on what each layer returns, without detach, .data or a new tensor made of its numbers",
    )
    def _(student: Student) -> None:
        model = build(student)
        y = worked_example(model, PICTURES)  # some start with weights of 0, behind which no gradient is left
        gradients = model.gradients(PICTURES, upstream=waves(3, *y.shape)).parameters
        for place, block in enumerate(blocks(model, PICTURES), 1):
            gradient = gradients.get(block.layer.parameters["weight"])
            reached = gradient is not None and bool(gradient.any())
            expect(reached).is_true(f"no gradient reaches the weights of layer {place}: it would never learn")

    @item.visible_check(
        "the logits are the last layer's sums, and nothing comes after them",
        means="right",
        hint="no softmax, no activation and no dropout on the logits: the loss takes care of the softmax",
    )
    def _(student: Student) -> None:
        model = build(student)
        last = blocks(model, PICTURES)[-1].layer
        if "bias" not in last.parameters:
            return
        sums = torch.linspace(-3, 4, last.output[-1])
        fill(model, last, weight=0.0, bias=sums)
        for training in (False, True):
            got = model.logits(PICTURES, training=training)
            expect(bool((got - sums).abs().max() < 1e-4)).is_true(
                f"with sums from -3 to 4 the logits go from {float(got.min()):.3g} to {float(got.max()):.3g}"
                f"{' in training mode' if training else ''}"
            )

    @item.visible_check(
        "a picture's logits in eval mode do not depend on the other pictures",
        means="consistent",
        hint="flatten(1) keeps the first dimension, which counts the pictures",
    )
    def _(student: Student) -> None:
        model = build(student)
        three, two = worked_example(model, PICTURES), model.logits(PICTURES[:2])
        expect(bool(three.std() > 1e-6)).is_true("all logits of all pictures are the same")
        expect(bool((three[:2] - two).abs().max() < 1e-3)).is_true(
            "two pictures get other logits when a third one is in their batch"
        )

    @item.visible_check(
        "BatchNorm: by the batch in training mode, by running statistics in eval mode",
        means="right",
        hint="nn.BatchNorm1d or 2d after each hidden layer, before its activation, with its defaults",
    )
    def _(student: Student) -> None:
        model = build(student)
        worked_example(model, PICTURES)
        expect_running_statistics(model, PICTURES)

    @item.visible_check(
        "dropout: one unit in five, each by itself, where the text has it and in training mode only",
        means="right",
        hint="nn.Dropout follows model.train() and model.eval(); its argument is the share that is dropped",
    )
    def _(student: Student) -> None:
        expect_dropout(build(student), PICTURES, after, rows)

    @item.visible_check(
        "a worked example: with weights of ours, the logits of two pictures",
        means="right",
        hint="compare the order of your layers and the activations with the text, from the input to the last layer",
    )
    def _(student: Student) -> None:
        got = worked_example(build(student), PICTURES)[:2, :4]
        right = torch.tensor(example, dtype=torch.float64).reshape(2, 4)
        expect(got, "a logit").close_to(right, rtol=3e-3)  # another ε in BatchNorm is allowed


def mlp(item: Item) -> None:
    """Visible checks of the MLP, and those with points that a student sees."""

    @item.check("ten logits for every picture", points=0.05, hint="the last layer has ten outputs")
    def _(student: Student) -> None:
        x, model = torch.rand(6, 1, 28, 28), student.MLP()
        expect(model.forward(x), "the output").has_shape(6, 10)
        model.expect_weights(x)

    @item.check(
        "Linear layers 784 → 256 → 128 → 10, in this order", points=0.15, hint="nn.Linear(inputs, outputs)"
    )
    def _(student: Student) -> None:
        layers = student.MLP().layers(torch.rand(6, 1, 28, 28))
        linear = [layer for layer in layers if layer.kind == "linear"]
        expect([layer.input[-1] for layer in linear], "the list of the Linear layers' inputs").equals(
            [784, 256, 128]
        )
        expect_registered(linear)

    @item.visible_check(
        "sizes and dropout rate are those that the constructor is given",
        means="right",
        hint="no numbers in the layers, but input_dim, hidden1, hidden2, output_dim and dropout_p",
    )
    def _(student: Student) -> None:
        small = student.MLP(input_dim=30, hidden1=9, hidden2=8, output_dim=7)
        with suppress(CheckFailed):  # for lazy layers; a forward pass may be made for 28 × 28 pixels alone
            small.forward(torch.rand(4, 1, 5, 6))
        shapes = [tuple(value.shape) for value in small.state().values() if value.ndim == 2]
        for inputs, outputs in ((30, 9), (9, 8), (8, 7)):
            expect((outputs, inputs) in shapes).is_true(
                f"with input_dim=30, hidden1=9, hidden2=8, output_dim=7 no Linear layer goes from {inputs} to {outputs}"
            )
        shares = []
        for rate in (0.1, 0.6):
            alive, _ = survivors(student.MLP(dropout_p=rate), PICTURES, -1, 400)
            shares.append(1 - float(alive.double().mean()))
        expect(shares[1] - shares[0] > 0.3).is_true(
            f"with dropout_p=0.1 a share of {shares[0]:.2f} of the units is dropped, with 0.6 {shares[1]:.2f}"
        )

    network(item, lambda student: student.MLP(), 2, 400, MLP_EXAMPLE)


def cnn(item: Item) -> None:
    """Visible checks of the CNN, and the one with points that a student sees."""

    @item.check(
        "as many logits for every picture as there are classes",
        points=0.25,
        hint="the last layer has num_classes outputs, 10 unless told otherwise",
    )
    def _(student: Student) -> None:
        x, model = torch.rand(6, 1, 28, 28), student.CNN()
        expect(model.forward(x), "the output").has_shape(6, 10)
        model.expect_weights(x)
        expect(student.CNN(num_classes=7).forward(x), "with num_classes=7 the output").has_shape(6, 7)

    @item.visible_check(
        "two convolutions and a Linear layer, with the text's filters, strides and windows",
        means="right form",
        hint="nn.Conv2d(channels in, filters, side of the kernel), and nothing else; windows of two rows and columns",
    )
    def _(student: Student) -> None:
        model = student.CNN()
        weighted = [block.layer for block in blocks(model, PICTURES)]
        wanted = ["conv2d", "conv2d", "linear"]
        expect([one.kind for one in weighted], "the list of layers with weights").equals(wanted)
        state = model.state()
        for place, (layer, filters, side) in enumerate(zip(weighted, (16, 32), (5, 3), strict=False), 1):
            found = state[layer.parameters["weight"]].shape
            expect(found[0], f"the number of filters of convolution {place}").equals(filters)
            expect(tuple(found[2:]), f"the kernel of convolution {place}").equals((side, side))
            fewer = layer.input[2] - layer.output[2], layer.input[3] - layer.output[3]
            expect(fewer == (side - 1, side - 1)).is_true(
                f"convolution {place} has another stride or padding than the text: {layer.input[2]} rows go in, "
                f"{layer.output[2]} come out"
            )
        for place, (layer, following) in enumerate(pairwise(weighted), 1):
            channels, *sides = layer.output[1:]
            read = math.prod(following.input[1:])
            expect(read == channels * math.prod(side // 2 for side in sides)).is_true(
                f"pooling {place} does not leave every second row and column of what convolution {place} makes"
            )

    network(item, lambda student: student.CNN(), 1, 150, CNN_EXAMPLE)


# Logits of the worked examples.
MLP_EXAMPLE = (-19.7746, -10.7366, 6.156, -2.7263, -9.1611, 10.0808, 19.0217, -0.5939)
CNN_EXAMPLE = (-44.7747, 20.607, -13.4744, 35.0384, -33.4369, 35.9115, 0.9675, 24.8872)


# -- the training loop -----------------------------------------------------------------------------------

W, B = waves(7, 4, 6).float(), waves(8, 4).float()
START = {"0.weight": W, "0.bias": B}
X, Y = 1.5 * waves(9, 10, 6).float(), torch.tensor([2, 0, 3, 1, 1, 3, 0, 2, 2, 1])  # batches of 4, 4 and 2
FAR, FAR_LABELS = 1.5 * waves(4, 7, 6).float(), torch.tensor([0, 1, 2, 3, 0, 1, 2])  # for the test loader


def slope(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """How the mean cross-entropy of a batch changes with weights and biases w, (4, 7): autograd's answer."""
    w = w.clone().requires_grad_()
    loss = F.cross_entropy(x.double() @ w[:, :6].T + w[:, 6], y)
    (gradient,) = torch.autograd.grad(loss, w)
    return gradient


def training(item: Item) -> None:
    """Visible checks of train and compute_accuracy, and the one with points that a student sees."""
    start = torch.cat([W, B[:, None]], 1).double()

    def trained(student: Student, x: Tensor, y: Tensor, **arguments: Any) -> Tensor:
        """Weights and biases, (4, 7), of a Linear layer that the student's loop has trained in batches of 4."""
        model = student.make_network(("Linear", 6, 4), state=START)
        loaders = student.make_loader(x, y, batch=4), student.make_loader(FAR, FAR_LABELS, batch=4)
        student.train(model, *loaders, device="cpu", **arguments)
        after = model.state()
        return torch.cat([after[name].reshape(4, -1) for name in START], 1)

    def expect_step(found: Tensor, wanted: Tensor, which: str, others: dict[str, Tensor]) -> None:
        """The step is what it should be; otherwise say what it is."""

        def alike(other: Tensor) -> bool:
            return bool((found - other).abs().max() <= 1e-4 * other.abs().max() + 1e-6)

        if alike(wanted):
            return
        expect(bool(found.abs().max() > 1e-7)).is_true(f"{which} changes nothing")
        for meaning, other in others.items():
            expect(not alike(other)).is_true(f"{which}: {meaning}")
        along = float((found * wanted).sum() / wanted.square().sum())
        straight = alike(along * wanted)
        expect(not straight).is_true(f"{which} is {along:.3g} times what it should be")
        raise CheckFailed(
            f"{which} goes another way than the gradient of the batch's mean cross-entropy asks for"
        )

    @item.check(
        "training changes the weights and lowers the loss",
        points=0.1,
        hint="loss.backward() computes gradients, optimizer.step() uses them",
    )
    def _(student: Student) -> None:
        x, y = torch.eye(4, 6).repeat(3, 1), torch.arange(12) % 4  # one input for each of four classes
        model = student.make_network(
            ("Linear", 6, 4), state={"0.weight": torch.zeros(4, 6), "0.bias": torch.zeros(4)}
        )
        ours = student.make_loader(x, y, 4)
        others = student.make_loader(x.roll(2, 1), y, batch=4)  # inputs 4 and 5 are for these pictures alone
        student.train(model, ours, others, epochs=3, device="cpu")
        weight = model.state()["0.weight"]
        expect(bool(weight.any())).is_true("after three epochs the weights are what they were")
        if weight[
            :, 4:
        ].any():  # inputs may be moved on the way: then this is so with black test pictures, too
            model.load({"0.weight": torch.zeros(4, 6), "0.bias": torch.zeros(4)})
            student.train(model, ours, student.make_loader(0 * x, y, batch=4), epochs=3, device="cpu")
            weight = weight * ~model.state()["0.weight"].any(0)
        expect(not weight[:, 4:].any()).is_true(
            "the weights follow the pictures of test_loader: train on those of train_loader, test_loader only measures"
        )
        loss = torch.nn.functional.cross_entropy(model.logits(x), y)
        expect(float(loss) < 1.386).is_true(
            f"the loss was log 4 = 1.386 before training and is {loss:.3f} after it"
        )

    @item.visible_check(
        "the first step is lr times the gradient, downhill, where momentum has nothing to add yet",
        means="right",
        hint="the criterion takes logits and labels; its mean over the batch is differentiated; then one step",
    )
    def _(student: Student) -> None:
        gradient = slope(start, X[:4], Y[:4])
        for lr in (0.12, 0.3):
            step = trained(student, X[:4], Y[:4], epochs=1, lr=lr) - start
            expect_step(
                step, -lr * gradient, f"with lr={lr:g} the first step", {"it goes uphill": lr * gradient}
            )

    @item.visible_check(
        "a second batch: its own gradient at the new weights, and 0.9 of the step before",
        means="right",
        hint="each batch: clear the gradients, forward, loss, backward, one step; every batch of the loader, in order",
    )
    def _(student: Student) -> None:
        lr = 0.12
        one, two, three = (trained(student, X[:n], Y[:n], epochs=1, lr=lr) for n in (4, 8, 10))
        for which, before, old, new, rows in (
            ("the second batch's step", start, one, two, slice(4, 8)),
            ("the step of a last, shorter batch", one, two, three, slice(8, 10)),
        ):
            kept, fresh = 0.9 * (old - before), -lr * slope(old, X[rows], Y[rows])
            known = {
                "it forgets the step before: where is the momentum?": fresh,
                "the gradients of the batch before are still in it": kept
                + fresh
                - lr * slope(start, X[:4], Y[:4])
                - (lr * slope(one, X[4:8], Y[4:8]) if rows.start == 8 else 0),
            }
            expect_step(new - old, kept + fresh, which, known)

    @item.visible_check(
        "a second epoch goes on where the first one ended, with the same momentum and lr",
        means="right",
        hint="one optimizer for all epochs, made before the loop; as many epochs as the argument says",
    )
    def _(student: Student) -> None:
        lr = 0.12
        one, two = (trained(student, X[:4], Y[:4], epochs=n, lr=lr) for n in (1, 2))
        kept, fresh = 0.9 * (one - start), -lr * slope(one, X[:4], Y[:4])
        known = {"it forgets the step before: is the optimizer made anew, or without momentum?": fresh}
        expect_step(two - one, kept + fresh, "the second epoch's step", known)

    @item.visible_check(
        "without arguments: ten epochs with lr 0.05",
        means="consistent",
        hint="the defaults in the first line of train",
    )
    def _(student: Student) -> None:
        usual, said = trained(student, X, Y), trained(student, X, Y, epochs=10, lr=0.05)
        expect(bool((usual - said).abs().max() < 1e-5)).is_true(
            "epochs=10 and lr=0.05 give other weights than none"
        )

    @item.visible_check(
        "training steps run in training mode, evaluations in eval mode, epoch after epoch",
        means="right",
        hint="model.train() before the batches of each epoch, model.eval() in compute_accuracy",
    )
    def _(student: Student) -> None:
        # Dropout(1) leaves nothing in training mode, so zero weights stay 0; BatchNorm keeps account of what it sees in
        # training mode, and what the test loader serves is far off.
        layers = ("BatchNorm1d", 6, 1e-5, 0.1, False), ("Dropout", 1.0), ("Linear", 6, 4)
        still = {"2.weight": torch.zeros(4, 6), "2.bias": torch.zeros(4)}
        model = student.make_network(*layers, state=still)
        loaders = student.make_loader(X, Y, batch=4), student.make_loader(X + 500, Y, batch=4)
        student.train(model, *loaders, epochs=3, device="cpu")
        state = model.state()
        expect(bool(state["0.num_batches_tracked"] > 0)).is_true(
            "no batch went through the model in training mode"
        )
        expect(not bool(state["2.weight"].any())).is_true("some training steps run in eval mode")
        expect(bool(state["0.running_mean"].abs().max() < 5)).is_true(
            "the test pictures are seen in training mode"
        )

    @item.visible_check(
        "compute_accuracy: a share from 0 to 1 that does not depend on the batches",
        means="right",
        hint="hits divided by pictures seen, over all batches; the class is the index of the largest logit",
    )
    def _(student: Student) -> None:
        # the model says class i for picture i mod 5, which is right for 4 of these 9
        x, y = torch.eye(5)[torch.arange(9) % 5], torch.tensor([0, 1, 2, 4, 3, 0, 0, 0, 1])
        model = student.make_network(
            ("Linear", 5, 5), state={"0.weight": 4 * torch.eye(5), "0.bias": torch.zeros(5)}
        )
        shares = {}
        for batch in (2, 4, 7, 9):
            found = numbers(
                student.compute_accuracy(model, student.make_loader(x, y, batch=batch), "cpu"), "the accuracy"
            )
            expect(found.numel() == 1).is_true("the accuracy is not one number")
            shares[batch] = float(found)
            expect(0 <= shares[batch] <= 1).is_true(
                f"the accuracy is {shares[batch]:.4g}, not a share from 0 to 1"
            )
        for batch, share in shares.items():
            expect(abs(share - shares[9]) < 1e-6).is_true(
                f"for the same pictures it is {shares[9]:.4g} in one batch and {share:.4g} in batches of {batch}"
            )
        expect(abs(shares[9] - 4 / 9) < 1e-6).is_true(f"with 4 hits and 5 misses it is {shares[9]:.4g}")

    @item.visible_check(
        "what train returns, if it returns a history: finite losses, and the test accuracy that was reached",
        means="consistent",
        hint="the last test accuracy is that of compute_accuracy after the last epoch",
    )
    def _(student: Student) -> None:
        model = student.make_network(("Linear", 6, 4), state=START)
        loaders = student.make_loader(X, Y, batch=4), student.make_loader(FAR, FAR_LABELS, batch=4)
        history = student.train(model, *loaders, epochs=3, device="cpu")
        if not isinstance(history, dict):
            return
        if isinstance(losses := history.get("loss"), list):
            finite = all(math.isfinite(loss) for loss in losses if isinstance(loss, int | float))
            expect(finite).is_true('history["loss"] has an entry that is not finite')
        if isinstance(measured := history.get("test"), list) and measured:
            share = float((model.predict(FAR) == FAR_LABELS).double().mean())
            last = numbers(measured[-1], 'the last entry of history["test"]').reshape(-1)[0]
            expect(abs(float(last) - share) < 1e-4).is_true(
                f'history["test"] ends with {float(last):.4g}, and the model that train leaves reaches {share:.4g}'
            )


# -- accuracies ------------------------------------------------------------------------------------------

ENTRIES = [(model, split) for model in ("MLP", "CNN") for split in ("train", "test")]
BARS = {"MLP": (0.865, 0.79), "CNN": (0.865, 0.8)}  # calibrated on the full and on the small data set


def test_pictures() -> FashionMNIST:
    """The test pictures in the data folder."""
    return FashionMNIST("./data", train=False)


def threshold(network: str, test: FashionMNIST) -> float:
    """The accuracy that "MLP" or "CNN" reaches on them."""
    full, small = BARS[network]
    return full if len(test) == 10_000 else small


def accuracy(item: Item, network: str) -> None:
    """Visible check of `mlp` or `cnn`, the trained network.

    Args:
        network: "MLP" or "CNN".
    """

    @item.visible_check(
        f"the trained {network} is good enough on the test pictures",
        means="right",
        hint="first make the checks above pass, then train again",
    )
    def _(student: Student) -> None:
        name, test = network.lower(), test_pictures()
        model = getattr(student, name)
        expect(model is not None).is_true(f"there is no trained `{name}` yet: run the cell that trains it")
        guesses = model.predict(test.images[:, None] / 255)
        expect((guesses == test.labels).double().mean(), "its test accuracy").at_least(
            threshold(network, test)
        )


def entry(student: Student, model: str, split: str) -> float:
    """One entry of the table as a fraction; per cent are understood, and names in small or capital letters."""
    name = f'accuracy["{model}"]["{split}"]'
    value = student.accuracy
    for key in (model, split):
        named = value if isinstance(value, Mapping) else {}
        found = [inner for known, inner in named.items() if str(known).lower() == key.lower()]
        if not found:
            raise CheckFailed(f"there is no {name}")
        value = found[0]
    expect(value, name).has_shape()  # a single number
    value = float(numbers(value, name))
    fraction = value / (100 if value > 1 else 1)
    expect(0 <= fraction <= 1).is_true(f"{name} is {value:g}, not between 0 and 1")
    return fraction


def table(item: Item) -> None:
    """Visible checks of the table of accuracies."""

    @item.visible_check(
        "the table has four fractions",
        means="right form",
        hint='accuracy["MLP"]["train"] and so on, each between 0 and 1',
    )
    def _(student: Student) -> None:
        for model, split in ENTRIES:
            entry(student, model, split)

    @item.visible_check(
        "two networks on two sets of pictures: not one number four times",
        means="consistent",
        hint="each network has its own last line of training",
    )
    def _(student: Student) -> None:
        values = {entry(student, model, split) for model, split in ENTRIES}
        expect(len(values) > 1).is_true("all four entries are the same")

    @item.visible_check(
        "the entries go with the networks that you have trained",
        means="consistent",
        hint="the last line that train printed for this network; another run may differ by some hundredths",
    )
    def _(student: Student) -> None:
        for model, split in ENTRIES:
            network, data = getattr(student, model.lower()), FashionMNIST("./data", train=split == "train")
            expect(isinstance(network, Model)).is_true(
                f"there is no trained `{model.lower()}` that it could be of"
            )
            guesses = network.predict(data.images[:500, None] / 255)
            own = float((guesses == data.labels[:500]).double().mean())
            expect(abs(entry(student, model, split) - own) < 0.125).is_true(
                f'accuracy["{model}"]["{split}"] is far from what your {model} reaches on the first {split} pictures'
            )
        last, before = {}, {}
        for model, split in ENTRIES:
            with suppress(CheckFailed, KeyError, TypeError, IndexError):
                history = numbers(getattr(student, f"{model.lower()}_history")[split], "accuracies").tolist()
                *before[model, split], last[model, split] = history
        for place, own in last.items():
            typed = entry(student, *place)
            other = [key for key, value in last.items() if key != place and abs(value - typed) < 1e-6]
            expect(abs(typed - own) < 0.006 or not other).is_true(
                f'accuracy["{place[0]}"]["{place[1]}"] is what your history has elsewhere: are entries exchanged?'
            )
            seen = f'accuracy["{place[0]}"]["{place[1]}"] is that of an earlier epoch; the last one counts'
            expect(
                abs(typed - own) < 1e-6 or not any(abs(typed - value) < 1e-6 for value in before[place])
            ).is_true(seen)
