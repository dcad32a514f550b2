"""Visible checks of problem 6.1: properties of the data, of scaling and of training; central differences of the
student's own mean squared error; and three small worked examples.

X is (N, D), y and f are (N,), W is (H, D), b and v are (H,), c is (1,).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson import CheckFailed, Item, expect
from chainrule.lesson.calls import about, call, entry, expect_size
from chainrule.lesson.checks import differ, numbers
from chainrule.lesson.student import Student
from checks.differences import central_differences, expect_differences, expect_parts, ratio
from checks.slopes import wave

Params = dict[str, Tensor]

SIZES = (6, 3, 4), (5, 2, 3)  # N, D, H of the networks that are tried


# -- 6.1a, the data --------------------------------------------------------------------------------------


def data(item: Item) -> None:
    """Visible checks of conditional_mean and sample."""

    @item.visible_check(
        "a mean for each point, and data of the right shapes", means="right form", hint="(n,), (n, 2)"
    )
    def _(student: Student) -> None:
        means(student, torch.ones(5, 2).double())
        drawn(student, 6, 1)

    @item.visible_check(
        "E[Y | X] on the valley's floor, x₁ = x₂: it rises from 0 to 1",
        means="consistent",
        hint="there the square is 0, so what is left is the sigmoid of 3x₁ + 3x₂",
    )
    def _(student: Student) -> None:
        t = torch.linspace(-2, 2, 9).double()
        floor = means(student, torch.stack([t, t], 1))
        low, high = float(floor.min()), float(floor.max())
        expect(low >= -1e-6 and high <= 1 + 1e-6).is_true(f"it reaches from {low:.3g} to {high:.3g} there")
        expect(bool((floor.diff() > 0).all())).is_true("it does not rise with x₁ + x₂")
        expect(float(floor[4]), "at (0, 0) it").close_to(0.5)

    @item.visible_check(
        "E[Y | X] beside the floor: the same on both sides, and higher",
        means="consistent",
        hint="(a₂ᵀX)² is the square of 3x₁ − 3x₂",
    )
    def _(student: Student) -> None:
        X = torch.tensor([[0.4, -0.1], [0.9, -0.9], [-0.7, -0.3]]).double()
        one, other = means(student, X), means(student, X.flip(1))
        expect(other, "with x₁ and x₂ exchanged it").close_to(one, rtol=1e-4)
        floor = means(student, X.mean(1, keepdim=True).expand(3, 2).clone())
        expect(bool((one > floor).all())).is_true("it is not higher beside the floor than on it")

    @item.visible_check(
        "E[Y | X] at three points", means="right", hint="a₁ = (3, 3), a₂ = (3, −3), σ(t) = 1/(1 + exp(−t))"
    )
    def _(student: Student) -> None:
        own = means(student, torch.tensor([[0.2, -0.1], [-0.4, 0.3], [0.5, 0.1]]).double())
        expect(own, "E[Y | X]").close_to([1.3844425, 4.8355575, 2.2981489])

    @item.visible_check(
        "a seed gives the same data again, another seed other data",
        means="consistent",
        hint="start one generator from `seed` and draw everything from it",
    )
    def _(student: Student) -> None:
        (X, y), (X_again, y_again), (X_other, y_other) = (drawn(student, 50, seed) for seed in (3, 3, 4))
        for name, one, again, other in (("X", X, X_again, X_other), ("y", y, y_again, y_other)):
            expect(torch.equal(one, again)).is_true(f"the same seed gives another {name} in a second call")
            expect(not torch.equal(one, other)).is_true(f"two seeds give the same {name}")
        noise, noise_other = y - means(student, X), y_other - means(student, X_other)
        if float(noise.std()) > 1e-6:
            expect(differ(noise, noise_other, 0, 1e-6) > 0).is_true("two seeds give the same noise")

    @item.visible_check(
        "X is standard normal, its columns independent",
        means="right",
        hint="draw (n, 2) standard normal numbers",
    )
    def _(student: Student) -> None:
        X, _ = drawn(student, 4000, 11)
        for column in (0, 1):
            expect_normal(X[:, column], 1.0, f"column {column} of X")
        related = float((X[:, 0] * X[:, 1]).mean()) / float(X.std(0).prod())
        expect(abs(related) < 0.08).is_true(f"the two columns of X have a correlation of {related:.2f}")

    @item.visible_check(
        "y spreads around your E[Y | X] by 0.30, whatever X is",
        means="right",
        hint="to each mean add 0.30 times a standard normal number of its own",
    )
    def _(student: Student) -> None:
        X, y = drawn(student, 4000, 13)
        noise = y - means(student, X)
        expect_normal(noise, 0.30, "y − E[Y | X]")
        shown = {"x₁": X[:, 0], "x₂": X[:, 1], "the numbers in X": X.flatten()[: len(y)]}
        for name, values in shown.items():
            related = float(torch.corrcoef(torch.stack([noise, values]))[0, 1])
            expect(abs(related) < 0.1).is_true(f"y − E[Y | X] has a correlation of {related:.2f} with {name}")


def means(student: Student, X: Tensor) -> Tensor:
    """The student's E[Y | X], a vector."""
    own = call(student.conditional_mean, X)
    expect_size(own, "E[Y | X]", (len(X),))
    return numbers(own, "E[Y | X]").reshape(len(X))


def drawn(student: Student, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """The student's sample: X (n, 2) and y (n,)."""
    pair = student.sample(n, seed)
    expect(isinstance(pair, list | tuple) and len(pair) == 2).is_true("`sample` should return X and y")
    expect_size(pair[0], "X", (n, 2))
    expect_size(pair[1], "y", (n,))
    return numbers(pair[0], "X"), numbers(pair[1], "y").reshape(n)


def expect_normal(values: Tensor, sd: float, name: str) -> None:
    """4,000 numbers with mean 0, this standard deviation, and the tails of a normal distribution. The tolerances are
    five standard errors or more."""
    mean, own = float(values.mean()), float(values.std())
    expect(own > 1e-6).is_true(f"{name} is the same number everywhere")
    expect(abs(own / sd - 1) < 0.065).is_true(f"{name} has standard deviation {own:.3g}, not {sd:g}")
    expect(abs(mean) < 0.09 * sd).is_true(f"{name} has mean {mean:.3g}, not 0")
    tails = float(((values - mean) / own).pow(4).mean())
    expect(abs(tails - 3) < 0.75).is_true(
        f"{name} has the right spread but no normal distribution: the mean of its fourth powers, in standard "
        f"deviations, is {tails:.2g}, not 3"
    )


# -- 6.1b, scaling ---------------------------------------------------------------------------------------


def scaling(item: Item) -> None:
    """Visible checks of standardise."""

    @item.visible_check(
        "the shape stays, for one column and for several", means="right form", hint="see the docstring"
    )
    def _(student: Student) -> None:
        for train, test in tables():
            expect(float(scaled(student, test, train).std()), "its spread").at_least(1e-6)

    @item.visible_check(
        "scaled training data have mean 0 and standard deviation 1",
        means="right",
        hint="subtract each column's mean, divide by each column's standard deviation",
    )
    def _(student: Student) -> None:
        for train, _ in tables():
            own = scaled(student, train, train)
            expect(own.mean(0), "the mean of the scaled training data").close_to(0 * own.mean(0), atol=1e-4)
            sds = own.std(0, correction=0), own.std(0)
            expect(any(differ(sd, torch.ones_like(sd), 0, 1e-4) == 0 for sd in sds)).is_true(
                f"the scaled training data have standard deviations {listed(sds[0])}, not 1"
            )

    @item.visible_check(
        "a point is scaled alike, alone, among others and in the training set",
        means="consistent",
        hint="mean and standard deviation are those of `train`, whatever `values` are",
    )
    def _(student: Student) -> None:
        for train, test in tables():
            whole = scaled(student, test, train)
            part = scaled(student, test[1:3], train)
            expect(part, "the second and third test point without the others").close_to(whole[1:3])
            inside = scaled(student, train, train)[2:6]
            expect(scaled(student, train[2:6], train), "four training points without the others").close_to(
                inside
            )

    @item.visible_check(
        "scaling is a shift and a stretch", means="consistent", hint="(values − mean) / standard deviation"
    )
    def _(student: Student) -> None:
        for train, test in tables():
            one, other = train[:4], test[3:7]  # the other ones are far outside
            middle = scaled(student, (one + other) / 2, train)
            ends = scaled(student, one, train), scaled(student, other, train)
            expect(middle, "a point half-way between two others").close_to((ends[0] + ends[1]) / 2)
            ordered = bool((((ends[1] - ends[0]) * (other - one)) > 0).all())
            expect(ordered).is_true("the larger of two values is the smaller one when scaled")


def tables() -> list[tuple[Tensor, Tensor]]:
    """Training and test values, with several columns and as a vector. The test values are more, and other ones."""
    train, test = 3 + 2 * wave(9, 3, start=0.4), 5 + 3 * wave(12, 3, start=2.0) ** 2
    train = train * torch.tensor([1.0, 4.0, 0.5]).double()
    return [(train, test), (train[:, 1], test[:, 1])]


def scaled(student: Student, values: Tensor, train: Tensor) -> Tensor:
    """What the student's `standardise` gives, of the shape of the values."""
    own = call(student.standardise, values, train)
    expect_size(own, "the result", values.shape)
    return numbers(own, "the result").reshape(values.shape)


# -- 6.1c, back-propagation ------------------------------------------------------------------------------

GRADIENTS = {
    "v": "every activation has a part in f: back from f to v there is one step",
    "c": "c is added to every f",
    "W": "as for v, one layer down: what reaches z goes on to W and to b",
    "b": "b is added to every row of z",
}


def backprop(item: Item) -> None:
    """Visible checks of sigmoid, forward and backprop."""

    @item.visible_check(
        "every entry is there and has its shape", means="right form", hint="see the docstrings"
    )
    def _(student: Student) -> None:
        for sizes in SIZES:
            params, X, y = network(*sizes)
            N, D, H = sizes
            hidden_and_output(student, params, X)
            result = call(student.backprop, params, X, y)
            shapes = {"delta": (N,), "s": (N, H), "W": (H, D), "b": (H,), "v": (H,), "c": (1,)}
            for key, shape in shapes.items():
                expect_size(entry(result, key, "backprop"), f'"{key}"', shape)

    @item.visible_check(
        "σ rises from 0 to 1, and σ(t) + σ(−t) = 1, for large t too",
        means="right",
        hint="for t = −900, exp(−t) is more than a float holds: is there a form with exp of negative numbers only?",
    )
    def _(student: Student) -> None:
        t = torch.tensor([[-900.0, -40.0, -3.0], [-1.0, 0.0, 0.5], [2.0, 40.0, 900.0]]).double()
        own, mirrored = (call(student.sigmoid, sign * t) for sign in (1, -1))
        try:
            values, others = numbers(own, "σ"), numbers(mirrored, "σ")
        except CheckFailed:
            raise CheckFailed("σ(t) is no finite number for some t from −900 to 900") from None
        expect(values, "σ(t)").has_shape(3, 3)
        expect(bool((values.flatten().diff() >= 0).all())).is_true("σ does not rise with t")
        expect(values + others, "σ(t) + σ(−t)").close_to(torch.ones(3, 3))
        ends = float(values.min()), float(values.max())
        expect(abs(ends[0]) < 1e-6 and abs(ends[1] - 1) < 1e-6).is_true(
            f"σ reaches from {ends[0]:.3g} to {ends[1]:.3g}"
        )
        expect(float(values[1, 0]), "σ(−1)").close_to(0.2689414, rtol=1e-4)

    @item.visible_check(
        "a worked example of `forward`",
        means="right",
        hint="z = W x + b and f = v·a + c, for every row x of X",
    )
    def _(student: Student) -> None:
        params, X, _ = network(3, 2, 4)
        A, f = hidden_and_output(student, params, X)
        expect(A[1], "the second row of A").close_to([0.4212168, 0.8553861, 0.0719076, 0.8219946], rtol=1e-4)
        expect(f, "f").close_to([0.8685904, 0.9488200, 0.7108762], rtol=1e-4)

    for key, hint in GRADIENTS.items():

        @item.visible_check(
            f'the gradient "{key}" is what central differences of your mean squared error give',
            means="consistent",
            hint=hint,
        )
        def _(student: Student, key: str = key) -> None:
            for sizes in SIZES:
                params, X, y = network(*sizes)
                result = call(student.backprop, params, X, y)
                expect_size(entry(result, key, "backprop"), f'"{key}"', params[key].shape)
                own = numbers(result[key], f'"{key}"').reshape(params[key].shape)
                want = central_differences(partial(error_with, student, params, X, y, key), params[key])
                expect_differences(own, want, f'"{key}"')

    @item.visible_check(
        "δ is in proportion to what central differences of the mean squared error give",
        means="consistent",
        hint="δ says how the error changes with each output f, which is linear: no σ′ there",
    )
    def _(student: Student) -> None:
        params, X, y = network(*SIZES[0])
        _, f = hidden_and_output(student, params, X)
        want = central_differences(lambda f: float(((f - y) ** 2).mean()), f)
        expect_proportional(of_backprop(student, params, X, y, "delta", (len(y),)), want, '"delta"')

    @item.visible_check(
        "s is in proportion to what central differences by z give",
        means="consistent",
        hint="from f back to a hidden unit: first through v, then through the sigmoid at z",
    )
    def _(student: Student) -> None:
        params, X, y = network(*SIZES[1])
        N, H = len(y), len(params["v"])
        rows = [(X[n : n + 1], y[n : n + 1]) for n in range(N)]  # row n of z alone is moved, by the biases
        want = torch.stack(
            [
                central_differences(partial(error_with, student, params, *row, "b"), params["b"])
                for row in rows
            ]
        )
        expect_proportional(of_backprop(student, params, X, y, "s", (N, H)), want, '"s"')

    @item.check(
        "for your information: no automatic differentiation", points=0, hint="write down what you derived"
    )
    def _(student: Student) -> None:
        call(student.backprop.expect_by_hand, *network(*SIZES[0]))


def network(N: int, D: int, H: int) -> tuple[Params, Tensor, Tensor]:
    """Parameters, inputs and targets."""
    params = {"W": 1.3 * wave(H, D, start=0.3), "b": wave(H, start=1.1), "v": 1.5 * wave(H, start=2.3)}
    X, y = 1.4 * wave(N, D, start=0.7), 2 * wave(N, start=0.2)
    y = (
        y - 1.5 if D > 2 else y + 1.5
    )  # so that errors are mostly positive in one example, negative in another
    return {**params, "c": torch.tensor([0.4]).double()}, X, y


def hidden_and_output(student: Student, params: Params, X: Tensor) -> tuple[Tensor, Tensor]:
    """The student's A (N, H) and f (N,)."""
    pair = call(student.forward, params, X)
    expect(isinstance(pair, list | tuple) and len(pair) == 2).is_true("`forward` should return A and f")
    expect_size(pair[0], "A", (len(X), len(params["v"])))
    expect_size(pair[1], "f", (len(X),))
    return numbers(pair[0], "A"), numbers(pair[1], "f").reshape(len(X))


def of_backprop(
    student: Student, params: Params, X: Tensor, y: Tensor, key: str, shape: tuple[int, ...]
) -> Tensor:
    """One entry of the student's `backprop`."""
    value = entry(call(student.backprop, params, X, y), key, "backprop")
    expect_size(value, f'"{key}"', shape)
    return numbers(value, f'"{key}"').reshape(shape)


def error_with(student: Student, params: Params, X: Tensor, y: Tensor, key: str, value: Tensor) -> float:
    """The mean squared error of the student's network with another value of one parameter."""
    return float(((hidden_and_output(student, {**params, key: value}, X)[1] - y) ** 2).mean())


def expect_proportional(own: Tensor, want: Tensor, name: str) -> None:
    """Values are what differences give, up to a factor, which may as well be multiplied at the end."""
    if ratio(own, want) is not None:
        return
    expect(bool(own.any())).is_true(f"{name} is 0 everywhere")
    share = own / torch.where(want.abs() > 1e-6, want, torch.inf)
    worst = share.flatten()[want.flatten().abs() > 1e-3]
    expect(len(worst) > 0).is_true(
        f"differences for {name} are 0: the error does not change with it in your forward"
    )
    raise CheckFailed(
        f"{name} is between {float(worst.min()):.3g} and {float(worst.max()):.3g} times what differences give: "
        "the factor should be the same for all entries"
    )


def listed(values: Tensor) -> str:
    """Numbers for a message."""
    return ", ".join(f"{value:.3g}" for value in values.reshape(-1).tolist())


# -- 6.1d, weight decay ----------------------------------------------------------------------------------


def decay(item: Item) -> None:
    """Visible checks of gradients, beside the student's own backprop."""

    @item.visible_check(
        "a gradient for every parameter, which λ changes", means="right form", hint="see the docstring"
    )
    def _(student: Student) -> None:
        params, X, y = network(*SIZES[1])
        without, much = (own_gradients(student, params, X, y, lam) for lam in (0.0, 0.8))
        change = float((much["W"] - without["W"]).abs().max())
        expect(change, 'the largest change of "W" by λ').at_least(1e-9)

    @item.visible_check(
        "with λ = 0 the gradients are those of your `backprop`",
        means="consistent",
        hint="J is a sum of two terms",
    )
    def _(student: Student) -> None:
        for sizes in SIZES:
            params, X, y = network(*sizes)
            without, data = own_gradients(student, params, X, y, 0.0), call(student.backprop, params, X, y)
            for key, own in without.items():
                known = numbers(entry(data, key, "backprop"), key).reshape(own.shape)
                expect(own, f'with λ = 0 "{key}"').close_to(known)

    for keys, name, hint in (
        (
            ("W", "v"),
            "what λ adds for the weights",
            "derive the penalty by one weight; what belongs to the data stays",
        ),
        (("b", "c"), "what λ adds for the biases", "which parameters does the penalty contain?"),
    ):

        @item.visible_check(
            f"{name} is what central differences of the penalty give", means="consistent", hint=hint
        )
        def _(student: Student, keys: tuple[str, ...] = keys) -> None:
            for sizes in SIZES:
                params, X, y = network(*sizes)
                without = own_gradients(student, params, X, y, 0.0)
                for lam in (0.05, 0.8):
                    much = own_gradients(student, params, X, y, lam)
                    for key in keys:
                        want = central_differences(partial(penalty_with, params, lam, key), params[key])
                        with about(f"λ = {lam:g}"):
                            expect_differences(much[key] - without[key], want, f'its part of "{key}"')

    @item.check(
        "for your information: no automatic differentiation", points=0, hint="the penalty is a sum of squares"
    )
    def _(student: Student) -> None:
        call(student.gradients.expect_by_hand, *network(*SIZES[1]), 0.1)


def own_gradients(student: Student, params: Params, X: Tensor, y: Tensor, lam: float) -> Params:
    """What the student's `gradients` returns, each in its parameter's shape."""
    result = call(student.gradients, params, X, y, lam)
    return shaped(result, params, "gradients")


def shaped(result: Any, params: Params, function: str, what: str = "") -> Params:
    """The entries of a dict that a function of the student's returned, each in its parameter's shape."""
    values = {}
    for key, value in params.items():
        own = entry(result, key, function)
        expect_size(own, f'{what}"{key}"', value.shape)
        values[key] = numbers(own, f'{what}"{key}"').reshape(value.shape)
    return values


def penalty_with(params: Params, lam: float, key: str, value: Tensor) -> float:
    """λ · (sum of squared weights), with another value of one parameter."""
    params = {**params, key: value}
    return lam * float((params["W"] ** 2).sum() + (params["v"] ** 2).sum())


# -- 6.1e, training --------------------------------------------------------------------------------------


def training(item: Item) -> None:
    """Visible checks of normalised_error, step and fit, beside the student's own gradients and forward."""
    error_checks(item)
    step_checks(item)
    fit_checks(item)


def error_checks(item: Item) -> None:
    """The normalised error: what the text says of it."""

    @item.visible_check(
        "the normalised error is 0 for perfect predictions and 1 for the mean of the targets",
        means="consistent",
        hint="a mean of squares, over the variance of y",
    )
    def _(student: Student) -> None:
        y = 3 * wave(9, start=0.5) + 4
        expect(own_error(student, y, y), "for f = y the error").close_to(0.0, atol=1e-5)
        mean = own_error(student, y, y.mean().expand(9).clone())
        expect(1 - 1 / len(y) - 1e-4 <= mean <= 1 + 1e-4).is_true(
            f"for f = the mean of y the error is {mean:.4g}, not 1"
        )

    @item.visible_check(
        "the normalised error does not depend on the units of y",
        means="consistent",
        hint="both a mean of squares and a variance are in squared units of y",
    )
    def _(student: Student) -> None:
        y, f = 3 * wave(9, start=0.5) + 4, 2 * wave(9, start=1.5) + 3
        once = own_error(student, y, f)
        expect(own_error(student, 2 * y, 2 * f), "with y and f doubled the error").close_to(once)
        expect(own_error(student, y + 7, f + 7), "with 7 added to y and f the error").close_to(once)

    @item.visible_check(
        "misses twice as large make four times the normalised error",
        means="consistent",
        hint="misses are squared",
    )
    def _(student: Student) -> None:
        y, miss = 3 * wave(9, start=0.5) + 4, wave(9, start=1.5)
        once = own_error(student, y, y + miss)
        expect(own_error(student, y, y + 2 * miss), "with misses twice as large the error").close_to(4 * once)
        expect(own_error(student, y, y - miss), "with the misses' signs turned the error").close_to(once)


def own_error(student: Student, y: Tensor, f: Tensor) -> float:
    """The student's normalised error, a number."""
    own = numbers(call(student.normalised_error, y, f), "the normalised error")
    expect(own.numel() == 1).is_true(f"the normalised error has shape {tuple(own.shape)}: it is one number")
    return float(own.reshape(()))


def step_checks(item: Item) -> None:
    """One step of gradient descent with momentum."""

    @item.visible_check(
        "from rest, a step is the plain one: against your gradients, times the learning rate",
        means="consistent",
        hint="all gradients are those of the old parameters, with λ; the momentum multiplies the velocity alone",
    )
    def _(student: Student) -> None:
        for lam, lr, momentum in ((0.0, 0.05, 0.0), (0.3, 0.05, 0.6), (0.3, 0.2, 0.9)):
            params, X, y = network(*SIZES[0])
            gradients = own_gradients(student, params, X, y, lam)
            rest = {key: torch.zeros_like(value) for key, value in params.items()}
            _, velocity = stepped(student, params, rest, X, y, lam, lr, momentum)
            with about(f"λ = {lam:g}, learning rate {lr:g}, momentum {momentum:g}"):
                for key, own in velocity.items():
                    expect_parts(own, -lr * gradients[key], f'the new velocity "{key}"', "the plain step's")

    @item.visible_check(
        "of the old velocity, `momentum` times as much is in the new one",
        means="consistent",
        hint="μ m is the first of the two terms",
    )
    def _(student: Student) -> None:
        for momentum in (0.6, 0.9):
            params, X, y = network(*SIZES[0])
            moving = {key: 0.3 * value.cos() for key, value in params.items()}
            rest = {key: torch.zeros_like(value) for key, value in params.items()}
            _, with_it = stepped(student, params, moving, X, y, 0.2, 0.1, momentum)
            _, without = stepped(student, params, rest, X, y, 0.2, 0.1, momentum)
            with about(f"momentum {momentum:g}"):
                for key, old in moving.items():
                    more = with_it[key] - without[key]
                    expect_parts(more, momentum * old, f'its share of "{key}"', "momentum · old velocity")

    @item.visible_check(
        "the parameters move by the new velocity", means="consistent", hint="θ + m, with the m just computed"
    )
    def _(student: Student) -> None:
        params, X, y = network(*SIZES[0])
        moving = {key: 0.3 * value.cos() for key, value in params.items()}
        after, velocity = stepped(student, params, moving, X, y, 0.2, 0.1, 0.6)
        for key, old in params.items():
            expect_parts(after[key] - old, velocity[key], f'the move of "{key}"', "the new velocity")


def stepped(
    student: Student,
    params: Params,
    velocity: Params,
    X: Tensor,
    y: Tensor,
    lam: float,
    lr: float,
    momentum: float,
) -> tuple[Params, Params]:
    """The student's step: the new parameters and the new velocity."""
    pair = call(student.step, params, velocity, X, y, lam, lr, momentum)
    expect(isinstance(pair, list | tuple) and len(pair) == 2).is_true(
        "`step` should return two dicts, the new params and the new velocity"
    )
    return shaped(pair[0], params, "step", "the new "), shaped(pair[1], params, "step", "the new velocity ")


PARAMETERS = ("W", "b", "v", "c")


def fit_checks(item: Item) -> None:
    """The loop, on 80 training points of a valley."""

    @item.visible_check(
        "the parameters come back, and a history of every tenth epoch",
        means="right form",
        hint="return the parameters and {…}; `epochs` says how many steps there are",
    )
    def _(student: Student) -> None:
        _, short = fitted(student, epochs=30)
        _, long = fitted(student, epochs=60)
        for name in ("train", "test"):
            expect(3 <= len(short[name]) <= 32).is_true(
                f'after 30 epochs the history "{name}" has {len(short[name])} entries: one for every tenth'
            )
            expect(len(long[name]) > len(short[name])).is_true(
                f'after 60 epochs the history "{name}" is no longer than after 30'
            )

    @item.visible_check(
        "the history ends at the errors of the network that comes back",
        means="consistent",
        hint="record after the step: on X and y for the first list, on X_test and y_test for the second",
    )
    def _(student: Student) -> None:
        params, history = fitted(student, epochs=300)
        X, y, X_test, y_test = valley()
        for name, inputs, targets in (("train", X, y), ("test", X_test, y_test)):
            f = numbers(call(student.forward, params, inputs)[1], "f").reshape(len(inputs))
            error, last = own_error(student, targets, f), float(history[name][-1])
            rounded = (0.505 * 0.1**n for n in (2, 3, 4) if abs(last - round(last, n)) < 1e-7)
            expect(abs(last - error) <= 0.03 * abs(error) + next(rounded, 1e-6)).is_true(
                f'the history "{name}" ends at {last:.3g}; by your `forward` and `normalised_error` it is {error:.3g}'
            )

    @item.visible_check(
        "training lowers the error on the training set",
        means="consistent",
        hint="each step starts from what the last one gave; LEARNING_RATE and MOMENTUM are given",
    )
    def _(student: Student) -> None:
        _, history = fitted(student, epochs=300)
        last = float(history["train"][-1])
        expect(last < LEARNT).is_true(
            f"after 300 epochs with six hidden units the training error is {last:.3g}; "
            f"the mean of the targets alone has 1, and below {LEARNT:g} was to be reached"
        )

    @item.visible_check(
        "every epoch goes on from the one before, and so does its velocity",
        means="consistent",
        hint="params, velocity = step(params, velocity, …)",
    )
    def _(student: Student) -> None:
        ends = [fitted(student, epochs=epochs)[0] for epochs in (1, 2, 3)]
        for n in (1, 2):
            expect(not alike(ends[n], ends[n - 1])).is_true(
                f"after {n + 1} epochs the weights are those after {n}"
            )
        resting = own_steps(student, keep=False)
        if alike(ends[2], resting) and not alike(ends[2], own_steps(student, keep=True)):
            raise CheckFailed("three epochs are three of your steps from rest: the velocity is 0 each time")

    @item.visible_check(
        "the start depends on `seed` alone", means="consistent", hint="initial(hidden, seed), with this seed"
    )
    def _(student: Student) -> None:
        once, again, other = (fitted(student, epochs=3, seed=seed)[0] for seed in (9, 9, 10))
        expect(alike(once, again)).is_true("the same call twice ends at other weights")
        expect(not alike(once, other)).is_true("two seeds end at the same weights")

    @item.visible_check(
        "the test set has no part in the training", means="consistent", hint="X and y are for the steps"
    )
    def _(student: Student) -> None:
        once, other = fitted(student, epochs=3)[0], fitted(student, epochs=3, test=(0.5, -1.0))[0]
        expect(alike(once, other)).is_true("with another test set the weights are others")

    @item.visible_check(
        "λ has a part in the training", means="consistent", hint="hand `lam` on to every step"
    )
    def _(student: Student) -> None:
        once, more = fitted(student, epochs=3)[0], fitted(student, epochs=3, lam=0.5)[0]
        if alike(once, more) and not alike(own_steps(student, lam=1e-4), own_steps(student, lam=0.5)):
            raise CheckFailed("with another λ the weights are the same, though those of your steps are not")


LEARNT = 0.1  # an error that training is below after 300 epochs; that of the usual step is 0.001
HIDDEN = 6


def valley() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """80 training points of a valley, scaled, and 50 test points beside them: X, y, X_test, y_test."""
    X, X_test = wave(80, 2, start=0.9), 0.8 * wave(50, 2, start=3.1)
    y, y_test = ((points[:, 0] - points[:, 1]) ** 2 + 0.1 * points[:, 0] for points in (X, X_test))
    return (
        (X - X.mean(0)) / X.std(0, correction=0),
        (y - y.mean()) / y.std(correction=0),
        (X_test - X.mean(0)) / X.std(0, correction=0),
        (y_test - y.mean()) / y.std(correction=0),
    )


def fitted(
    student: Student, epochs: int, *, lam: float = 1e-4, seed: int = 9, test: tuple[float, float] = (1.0, 0.0)
) -> tuple[Params, dict[str, Tensor]]:
    """What the student's `fit` returns: parameters and, from the first record on, two histories.

    Args:
        test: what the test set is multiplied by, and what is added to it.
    """
    X, y, X_test, y_test = valley()
    times, more = test
    pair = call(student.fit, X, y, times * X_test + more, times * y_test + more, HIDDEN, lam, epochs, seed)
    expect(isinstance(pair, list | tuple) and len(pair) == 2).is_true(
        "`fit` should return the parameters and a history"
    )
    shapes = {"W": (HIDDEN, 2), "b": (HIDDEN,), "v": (HIDDEN,), "c": (1,)}
    params = shaped(
        pair[0], {key: torch.zeros(shape) for key, shape in shapes.items()}, "fit", "after training "
    )
    history = {}
    for name in ("train", "test") if epochs >= 10 else ():
        history[name] = numbers(entry(pair[1], name, "fit"), f'the history "{name}"')
        expect(history[name].ndim == 1).is_true(
            f'the history "{name}" has shape {tuple(history[name].shape)}: it is a list of numbers'
        )
        expect(len(history[name]) > 0).is_true(f'the history "{name}" is empty')
    return params, history


def alike(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Whether two networks have the same weights, up to rounding."""
    return one.keys() == other.keys() and all(differ(one[key], other[key], 1e-9, 1e-12) == 0 for key in one)


def own_steps(student: Student, *, lam: float = 1e-4, keep: bool = True) -> Params:
    """The parameters after three of the student's own steps from its start with seed 9.

    Args:
        keep: whether each step gets the velocity of the one before, not 0.
    """
    X, y, *_ = valley()
    params = {key: numbers(value, key) for key, value in student.initial(HIDDEN, 9).items()}
    velocity = rest = {key: torch.zeros_like(value) for key, value in params.items()}
    for _ in range(3):
        params, velocity = stepped(student, params, velocity if keep else rest, X, y, lam, 0.1, 0.9)
    return params


# -- 6.1g, hidden units ----------------------------------------------------------------------------------

WELL = 0.15  # "does well", as the text defines it


def units(item: Item) -> None:
    """Visible checks of test_errors, of the table, and of the number beside the student's own table."""

    @item.visible_check(
        "the table is complete, and there is a whole number from 1 to 10",
        means="right form",
        hint="run the cells above",
    )
    def _(student: Student) -> None:
        table(student)
        chosen(student)

    @item.visible_check(
        "each entry has several draws, which differ, and sizes differ",
        means="consistent",
        hint="data_set(draw) and the seed of the start change with the draw; `hidden` goes into `fit`",
    )
    def _(student: Student) -> None:
        errors = table(student)
        for size, values in errors.items():
            expect(len(values) >= 5).is_true(
                f"with {size} hidden units there are {len(values)} draws, fewer than 5"
            )
            expect(float(values.std()) > 1e-6 * float(values.abs().max())).is_true(
                f"with {size} hidden units all draws have the same error"
            )
        different = len({round(float(values.quantile(0.5)), 9) for values in errors.values()})
        expect(different >= 5).is_true("the errors hardly change with the number of hidden units")

    @item.visible_check(
        "the errors of one and of ten hidden units are of the size that your `fit` gives",
        means="consistent",
        hint="normalised errors on the test set, at the end of the training: run the cell of the table again",
    )
    def _(student: Student) -> None:
        errors = table(student)
        one, ten = (float(errors[size].quantile(0.5)) for size in (1, 10))
        if 0.35 < one < 1.1 and 0 < ten < WELL:
            return
        for size, median in ((1, one), (10, ten)):
            own = sorted(float(last_errors(student, draw, size, 1e-4)["test"]) for draw in range(3))[1]
            expect(own / 8 < median < 8 * own).is_true(
                f"the median with {size} hidden unit{'s' * (size > 1)} is {median:.3g}; three of your trainings "
                f"have {own:.3g}"
            )

    @item.visible_check(
        "`test_errors` gives what your `fit` ends with on each draw's data, from each draw's start",
        means="consistent",
        hint="fit(*data_set(seed), hidden, lam, EPOCHS, seed) for each seed; then the end of its history",
    )
    def _(student: Student) -> None:
        for lam, draws in ((3e-3, 2), (0.1, 1)):
            own = numbers(call(student.test_errors, 3, lam, draws), "what `test_errors` returns").reshape(-1)
            expect(len(own) == draws).is_true(f"for {draws} draws there are {len(own)} numbers")
            for draw in range(draws):
                want = float(last_errors(student, draw, 3, lam)["test"])
                expect(abs(float(own[draw]) - want) <= 1e-5 * abs(want)).is_true(
                    f"draw {draw} with 3 hidden units and λ = {lam:g}: {float(own[draw]):.4g}, and the history of "
                    f"your `fit` ends at {want:.4g}"
                )

    @item.visible_check(
        "in your table, your number does well, and no smaller one does",
        means="consistent",
        hint=f"go through the medians from one unit on: which is the first that is at most {WELL}?",
    )
    def _(student: Student) -> None:
        errors, number = table(student), chosen(student)
        medians = {size: float(values.quantile(0.5)) for size, values in errors.items()}
        lower = float(errors[number].median())  # as torch.median has it, where two are in the middle
        expect(lower <= WELL).is_true(
            f"in your table the median with {number} is {medians[number]:.3g}, above {WELL:g}"
        )
        smaller = [size for size in range(1, number) if medians[size] <= WELL]
        expect(not smaller).is_true(f"in your table a smaller number than {number} does well, too")


def table(student: Student) -> dict[int, Tensor]:
    """The student's errors by the number of hidden units, 1 to 10."""
    errors = student.unit_errors
    expect(isinstance(errors, Mapping)).is_true("`unit_errors` should be a dict")
    expect(len(errors), "the number of entries in `unit_errors`").equals(10)
    for size in range(1, 11):
        expect(size in errors).is_true(f"`unit_errors` has no entry for {size} hidden units")
    return {size: numbers(errors[size], f"unit_errors[{size}]").reshape(-1) for size in range(1, 11)}


def chosen(student: Student) -> int:
    """The student's smallest number."""
    own = numbers(student.smallest_number, "`smallest_number`")
    expect(own.numel(), "how many numbers `smallest_number` is").equals(1)
    number = float(own.reshape(()))
    expect(number in range(1, 11)).is_true(f"`smallest_number` is {number:g}, no whole number from 1 to 10")
    return int(number)


def last_errors(student: Student, draw: int, hidden: int, lam: float) -> dict[str, Tensor]:
    """How the histories of the student's `fit` end on a draw's data, from this draw's start."""
    pair = call(student.fit, *student.data_set(draw), hidden, lam, int(student.EPOCHS), draw)
    expect(isinstance(pair, list | tuple) and len(pair) == 2).is_true(
        "`fit` should return the parameters and a history"
    )
    return {
        name: numbers(entry(pair[1], name, "fit"), f'the history "{name}"').reshape(-1)[-1]
        for name in ("train", "test")
    }
