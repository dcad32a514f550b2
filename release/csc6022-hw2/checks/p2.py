"""The visible checks of problem 2. Each derivative is compared with one that PyTorch's autograd takes of a loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from chainrule.lesson import Item
from chainrule.lesson.calls import call, entry
from chainrule.lesson.checks import expect
from chainrule.lesson.student import Student
from checks.slopes import expect_slopes, one_hot, shaped, slopes, wave

BY_HAND = "for your information: no automatic differentiation"


# -- (a) -------------------------------------------------------------------------------------------------

# probabilities and the true class
PREDICTIONS = [
    (torch.tensor([0.2, 0.5, 0.1, 0.15, 0.05], dtype=torch.float64), one_hot(3, 5)),
    (torch.tensor([0.1, 0.6, 0.3], dtype=torch.float64), one_hot(1, 3)),
]


def output(item: Item) -> None:
    """Visible checks of softmax_jacobian and dE_dz2."""

    def jacobian(student: Student, o_hat: Tensor) -> Tensor:
        K = len(o_hat)
        return shaped(call(student.softmax_jacobian, o_hat), f"softmax_jacobian for K = {K}", (K, K))

    def gradient(student: Student, o_hat: Tensor, o: Tensor) -> Tensor:
        K = len(o_hat)
        return shaped(call(student.dE_dz2, o_hat, o), f"dE_dz2 for K = {K}", (K,))

    @item.visible_check(
        "softmax_jacobian: a K × K matrix whose columns sum to 0",
        means="consistent",
        hint="the probabilities sum to 1, whatever z2 does, so what one gains the others lose",
    )
    def _(student: Student) -> None:
        for o_hat, _ in PREDICTIONS:
            sums = jacobian(student, o_hat).sum(0)
            expect(sums, "the sum of its rows").close_to(torch.zeros(len(o_hat)))

    @item.visible_check(
        "softmax_jacobian: a softmax changes like this when z2 does",
        means="right",
        hint="entry (i, j) is the derivative of o_hat[i] for z2[j]: differentiate for i = j, then for i ≠ j",
    )
    def _(student: Student) -> None:
        for o_hat, _ in PREDICTIONS:
            rows = [slopes(lambda z, i=i: z.softmax(0)[i], o_hat.log())[0] for i in range(len(o_hat))]
            expect_slopes(
                jacobian(student, o_hat), torch.stack(rows), f"softmax_jacobian for K = {len(o_hat)}"
            )

    @item.visible_check(
        "dE_dz2: a vector that sums to 0",
        means="consistent",
        hint="the same number added to all of z2 changes no probability, so E doesn't change along (1, …, 1)",
    )
    def _(student: Student) -> None:
        for o_hat, o in PREDICTIONS:
            expect(gradient(student, o_hat, o).sum(), "its sum").close_to(0.0)

    @item.visible_check(
        "dE_dz2: E changes like this when z2 does",
        means="right",
        hint="the chain rule takes the whole Jacobian; then look at its sign and at what cancels",
    )
    def _(student: Student) -> None:
        for o_hat, o in PREDICTIONS:
            (want,) = slopes(lambda z, o=o: -(o * z.log_softmax(0)).sum(), o_hat.log())
            expect_slopes(gradient(student, o_hat, o), want, f"dE_dz2 for K = {len(o_hat)}")

    @item.check(BY_HAND, points=0, hint="write what you derived")
    def _(student: Student) -> None:
        o_hat, o = PREDICTIONS[0]
        call(student.softmax_jacobian.expect_by_hand, o_hat)
        call(student.dE_dz2.expect_by_hand, o_hat, o)


# -- (b), (c), and the two functions of (d) --------------------------------------------------------------


def check_layer(item: Item, weights: str, bias: str, error: str, layer: str, letters: str) -> None:
    """Visible checks of two functions: the gradients for a layer's weights and bias, from the error at its output.

    Args:
        weights, bias: the functions' names, for instance "dE_dW2".
        error, layer: their arguments' names.
        letters: the sizes of both in the problem's letters, for instance "Kd".
    """
    examples = [(wave(3, start=0.3), wave(5, start=2.0)), (wave(6, start=1.0), wave(2, start=4.0))]

    @item.visible_check(
        "each has the shape of its parameter",
        means="right form",
        hint=f"the weights are ({letters[0]}, {letters[1]}), the bias is ({letters[0]},)",
    )
    def _(student: Student) -> None:
        for delta, below in examples:
            sizes = len(delta), len(below)
            shaped(call(getattr(student, weights), delta, below), f"the result of {weights}", sizes)
            shaped(call(getattr(student, bias), delta), f"the result of {bias}", sizes[:1])

    @item.visible_check(
        f"{weights}: nothing where {layer} is 0",
        means="consistent",
        hint="a weight that multiplies a 0 makes no difference to what comes after it",
    )
    def _(student: Student) -> None:
        for delta, below in examples:
            silent = below.clone()
            silent[0] = 0.0
            got = shaped(call(getattr(student, weights), delta, silent), weights, (len(delta), len(below)))
            expect(got[:, 0], f"where {layer} is 0 it").close_to(torch.zeros(len(delta)))

    @item.visible_check(
        f"{weights}: E changes like this when the weights do",
        means="right",
        hint=f"one weight enters one entry of the layer's output; {error} says what that does to E",
    )
    def _(student: Student) -> None:
        for delta, below in examples:
            sizes = len(delta), len(below)
            got = shaped(call(getattr(student, weights), delta, below), f"the result of {weights}", sizes)
            # an E whose slope at the layer's output is delta
            (want,) = slopes(lambda W, u=delta, h=below: u.dot(W.mv(h)), wave(*sizes, start=0.0))
            expect_slopes(got, want, f"{weights} for sizes {sizes}")

    @item.visible_check(
        f"{bias}: E changes like this when the bias does",
        means="right",
        hint="which entries of the layer's output does one entry of the bias change, and by how much?",
    )
    def _(student: Student) -> None:
        for delta, _ in examples:
            got = shaped(call(getattr(student, bias), delta), f"the result of {bias}", (len(delta),))
            (want,) = slopes(lambda b, u=delta: u.dot(b), torch.zeros_like(delta))
            expect_slopes(got, want, f"{bias} for {len(delta)} units")


def output_layer(item: Item) -> None:
    """Visible checks of dE_dW2 and dE_db2."""
    check_layer(item, "dE_dW2", "dE_db2", "dz2", "h", "Kd")

    @item.check(BY_HAND, points=0, hint="write what you derived")
    def _(student: Student) -> None:
        dz2, h = wave(3, start=0.3), wave(5, start=2.0)
        call(student.dE_dW2.expect_by_hand, dz2, h)
        call(student.dE_db2.expect_by_hand, dz2)


def hidden(item: Item) -> None:
    """Visible checks of dE_dh and dE_dz1."""
    # W2, dz2; dh and z1 of as many units, on either side of 0
    examples = [
        (wave(3, 4, start=0.5), wave(3, start=0.3), wave(4, start=1.0), wave(4, start=3.0)),
        (wave(2, 5, start=2.5), wave(2, start=2.0), wave(5, start=4.0), wave(5, start=0.8)),
    ]

    @item.visible_check("one number for each hidden unit", means="right form", hint="both have shape (d,)")
    def _(student: Student) -> None:
        for W2, dz2, dh, z1 in examples:
            shaped(call(student.dE_dh, W2, dz2), "the result of dE_dh", dh.shape)
            shaped(call(student.dE_dz1, dh, z1), "the result of dE_dz1", dh.shape)

    @item.visible_check(
        "both are linear in the error from above",
        means="consistent",
        hint="three times the error gives three times the gradient, with its sign",
    )
    def _(student: Student) -> None:
        for W2, dz2, dh, z1 in examples:
            for name, once, other in (
                ("dE_dh", call(student.dE_dh, W2, dz2), call(student.dE_dh, W2, -3 * dz2)),
                ("dE_dz1", call(student.dE_dz1, dh, z1), call(student.dE_dz1, -3 * dh, z1)),
            ):
                got = shaped(other, f"{name} for −3 times the error", dh.shape)
                expect(got, f"{name} for −3 times the error").close_to(-3 * shaped(once, name, dh.shape))

    @item.visible_check(
        "dE_dh: E changes like this when h does",
        means="right",
        hint="a hidden unit reaches every output, each through its own weight: sum over them",
    )
    def _(student: Student) -> None:
        for W2, dz2, dh, _ in examples:
            got = shaped(call(student.dE_dh, W2, dz2), "the result of dE_dh", dh.shape)
            (want,) = slopes(lambda h, W=W2, u=dz2: u.dot(W.mv(h)), dh)  # an E whose slope at z2 is dz2
            expect_slopes(got, want, f"dE_dh for K = {len(dz2)} and d = {len(dh)}")

    @item.visible_check(
        "dE_dz1: E changes like this when z1 does",
        means="right",
        hint="what does ReLU do with a small change of z1, where z1 > 0 and where z1 < 0?",
    )
    def _(student: Student) -> None:
        for _, _, dh, z1 in examples:
            got = shaped(call(student.dE_dz1, dh, z1), "the result of dE_dz1", dh.shape)
            (want,) = slopes(lambda z, u=dh: u.dot(z.relu()), z1)  # an E whose slope at h is dh
            for j in range(len(z1)):
                where = f"dE_dz1 where z1 is {z1[j]:.2f} and dh is {dh[j]:.2f}"
                expect(got[j], where).close_to(want[j])

    @item.check(BY_HAND, points=0, hint="write what you derived")
    def _(student: Student) -> None:
        W2, dz2, dh, z1 = examples[0]
        call(student.dE_dh.expect_by_hand, W2, dz2)
        call(student.dE_dz1.expect_by_hand, dh, z1)


# -- (d) -------------------------------------------------------------------------------------------------

Sample = tuple[Tensor, Tensor, dict[str, Tensor]]


def sample(n: int, d: int, K: int, label: int, start: float) -> Sample:
    """An input, its one-hot target and parameters. Some hidden units are dead, and no z1 is near 0."""
    shapes = {"W1": (d, n), "b1": (d,), "W2": (K, d), "b2": (K,)}
    theta = {name: wave(*shape, start=i + 0.4) for i, (name, shape) in enumerate(shapes.items())}
    return wave(n, start=start), one_hot(label, K), theta


SAMPLES = [sample(4, 3, 5, 3, 6.0), sample(3, 6, 2, 0, 4.8)]


def moved(student: Student, example: Sample, eta: float) -> dict[str, Tensor]:
    """By how much descend decreases each parameter, divided by eta."""
    x, o, theta = example
    after = call(student.descend, x, o, theta, eta)
    return {
        name: (before - shaped(entry(after, name, "descend"), f'after the step "{name}"', before.shape)) / eta
        for name, before in theta.items()
    }


def input_layer(item: Item) -> None:
    """Visible checks of dE_dW1, dE_db1 and descend."""
    check_layer(item, "dE_dW1", "dE_db1", "dz1", "x", "dn")

    @item.visible_check(
        "descend: a small step goes against the gradient, in every parameter",
        means="right",
        hint="descend uses your functions of (a) to (d), so mend them first; then eta times the gradient, subtracted",
    )
    def _(student: Student) -> None:
        for example in SAMPLES:
            x, o, theta = example
            steps = moved(student, example, 1e-3)

            def loss(W1: Tensor, b1: Tensor, W2: Tensor, b2: Tensor, x: Tensor = x, o: Tensor = o) -> Tensor:
                return F.cross_entropy(F.linear(F.linear(x, W1, b1).relu(), W2, b2)[None], o[None])

            for name, want in reversed(list(zip(theta, slopes(loss, *theta.values()), strict=True))):
                expect_slopes(
                    steps[name], want, f'the step of "{name}", divided by eta', rtol=5e-3, atol=1e-3
                )

    @item.visible_check(
        "descend: a thousand times the rate gives a thousand times the step",
        means="consistent",
        hint="all four gradients belong to the parameters before the step: compute them first, then update",
    )
    def _(student: Student) -> None:
        for example in SAMPLES:
            small, large = moved(student, example, 1e-3), moved(student, example, 1.0)
            for name in ("W2", "b2", "W1", "b1"):
                text = f'with eta = 1 the step of "{name}", divided by eta,'
                expect(large[name], text).close_to(small[name], rtol=5e-3, atol=1e-3)

    @item.check(BY_HAND, points=0, hint="write what you derived")
    def _(student: Student) -> None:
        call(student.dE_dW1.expect_by_hand, wave(3, start=0.3), wave(4, start=2.0))
        call(student.dE_db1.expect_by_hand, wave(3, start=0.3))
        call(student.descend.expect_by_hand, *SAMPLES[0], 0.1)
