"""Homework 2, problem 6.1: right data, gradients and updates, and how the student's are judged.

    x → z = W x + b → a = σ(z) → f = v·a + c,    J = (1/N) Σ (f − y)² + λ (Σ W² + Σ v²)

The model of the data is exercise 11.5 of Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning"; δ and
s are the errors of its section 11.4, here with the factor 2/N of J in them. Tensors are float64; W is (H, D), b and v
are (H,), c is (1,), X is (N, D), a and s are (N, H), f, y and δ are (N,).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, cached_property, partial
from itertools import cycle
from typing import Any

import torch
from torch import Tensor

from chainrule.judging.derivation import Derivation, Step, alike, applied, telling
from chainrule.lesson.calls import about, as_arrays, call, entry
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Student, StudentError

RTOL, ATOL = 1e-4, 1e-7  # answers may be computed in float32
FAINT = 1e-5  # right values are near 1
PARAMETERS = ("W", "b", "v", "c")
NOISE = 0.30
CASES = [(7, 3, 5, 61), (11, 4, 6, 62), (8, 2, 3, 63)]  # N, D, H, seed

HIDDEN, EPOCHS, LAM = 10, 1000, 1e-4
RATE, MOMENTUM = 0.1, 0.9
DRAWS = 5
# For the median of the normalised test error over DRAWS data sets; see calibrate_p6_1.py
THRESHOLD = 0.10
LEARNT = 0.9  # with a larger error nothing is learnt: the mean of the targets has an error of 1

Params = dict[str, Tensor]

# -- the data --------------------------------------------------------------------------------------------


def conditional_mean(X: Tensor) -> Tensor:
    """E[Y | X] = σ(a1ᵀX) + (a2ᵀX)² for inputs (n, 2), with a1 = (3, 3) and a2 = (3, −3)."""
    return torch.sigmoid(3 * X[:, 0] + 3 * X[:, 1]) + (3 * X[:, 0] - 3 * X[:, 1]) ** 2


def _means(X: Tensor) -> dict[str, Tensor]:
    u, w = X @ torch.tensor([3.0, 3.0]).double(), X @ torch.tensor([3.0, -3.0]).double()
    return {
        "the sigmoid is missing": u + w**2,
        "the square is missing": torch.sigmoid(u) + w,
        "a1 and a2 are exchanged": torch.sigmoid(w) + u**2,
        "a2 is (3, −3): the sign of its second entry is lost": torch.sigmoid(u) + u**2,
        "the first term, σ(a1ᵀX), is missing": w**2,
        "the second term, (a2ᵀX)², is missing": torch.sigmoid(u),
        "the sigmoid belongs to the first term only": torch.sigmoid(u + w**2),
    }


def draw_inputs(n: int, seed: int, dimension: int = 2) -> Tensor:
    return torch.randn(n, dimension, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sample(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Inputs (n, 2) and targets (n,) of the model."""
    X = draw_inputs(n, seed)
    noise = torch.randn(n, generator=torch.Generator().manual_seed(seed + 10**6), dtype=torch.float64)
    return X, conditional_mean(X) + NOISE * noise


def expect_conditional_mean(student: Student) -> None:
    for n, seed in ((9, 1), (14, 2)):
        X = draw_inputs(n, seed) / 2
        own = alike(numbers(call(student.conditional_mean, X), "what `conditional_mean` returns"), X[:, 0])
        expect(own, "E[Y | X]").close_to(conditional_mean(X), rtol=RTOL, atol=ATOL, mistakes=_means(X))


def own_sample(student: Student, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """X (n, 2) and y (n,) by the student's `sample`.

    Raises:
        CheckFailed: it returns something else.
    """
    pair = student.sample(n, seed)
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise CheckFailed("`sample` should return two arrays, X and y")
    X, y = numbers(pair[0], "X"), numbers(pair[1], "y")
    if tuple(X.shape) != (n, 2):
        raise CheckFailed(f"X has shape {tuple(X.shape)}, not {(n, 2)}")
    return X, expect_vector(y, n, "y")


def expect_inputs(student: Student) -> None:
    """Inputs are independent and standard normal, the same for the same seed and others for another one. Tolerances
    are five standard errors or more."""
    n = 4000
    X, _ = own_sample(student, n, 11)
    if differ(X, own_sample(student, n, 11)[0], 0, 1e-12) > 0:
        raise CheckFailed("the same seed gives another X in a second call: start the generator from `seed`")
    if differ(X, own_sample(student, n, 12)[0], 0, 1e-12) == 0:
        raise CheckFailed("two seeds give the same X: start the generator from `seed`")
    mean, sd = X.mean(0), X.std(0)
    if (mean.abs() > 5 * sd / n**0.5).any():
        raise CheckFailed(
            f"the mean of X is {mean[mean.abs().argmax()]:.2f}, not 0: draw from the standard normal"
        )
    if ((sd - 1).abs() > 0.06).any():
        worst = float(sd[(sd - 1).abs().argmax()])
        raise CheckFailed(f"the standard deviation of X is {worst:.2f}, not 1: draw from the standard normal")
    if abs(float((X[:, 0] * X[:, 1]).mean())) > 5 / n**0.5:
        raise CheckFailed("X1 and X2 are not independent: draw them separately")
    if abs(float((X**4).mean()) - 3) > 0.7:  # 9 standard errors; a uniform distribution has 1.8
        raise CheckFailed("X has the right mean and spread, but is not normally distributed")


def drawn_again(noise: Tensor, X: Tensor) -> bool:
    """Whether the noise (n,) is made of numbers that are in X (n, 2) already, as a second generator from the same seed
    gives them."""
    z, known = noise / NOISE, X.flatten().sort().values
    place = torch.searchsorted(known, z).clamp(1, len(known) - 1)
    near = torch.minimum((z - known[place]).abs(), (z - known[place - 1]).abs())
    return float((near < 1e-9).double().mean()) > 0.5


def expect_noise(student: Student) -> None:
    """y is the conditional mean, right or the student's own, plus noise 0.30 Z."""
    n = 4000
    X, y = own_sample(student, n, 13)
    residuals = [y - conditional_mean(X)]
    try:
        own = numbers(call(student.conditional_mean, X), "what `conditional_mean` returns")
        residuals.append(y - expect_vector(own, n, "what `conditional_mean` returns"))
    except CheckFailed:
        pass
    message = ""  # about the right conditional mean, if there is one
    for r in residuals:
        sd = float(r.std())
        if sd < 1e-6:
            message = "there is no noise in y, or the same for all points"
        elif abs(sd - math.sqrt(NOISE)) < 0.02:
            message = message or "the variance of the noise is 0.30, its standard deviation should be"
        elif abs(sd - NOISE**2) < 0.005:
            message = message or "the standard deviation of the noise is 0.09: 0.30 is not the variance"
        elif abs(sd - NOISE) > 0.02:  # 6 standard errors
            message = message or f"y varies by {sd:.2f} around E[Y | X], not by 0.30"
        elif abs(float(r.mean())) > 0.03:
            message = message or "the mean of the noise is not 0"
        elif abs(float((r / NOISE).pow(4).mean()) - 3) > 0.8:
            message = message or "the noise has the right spread, but is not normally distributed"
        elif abs(float(torch.corrcoef(torch.stack([r, X[:, 0]]))[0, 1])) > 0.1:
            message = message or "the noise depends on X"
        elif drawn_again(r, X):
            message = (
                message or "the noise is made of the numbers that X has: one generator draws both, in turn"
            )
        else:
            return
    raise CheckFailed(message)


# -- scaling ---------------------------------------------------------------------------------------------


def expect_scaling(student: Student, what: str) -> None:
    """`standardise(values, train)` uses the training set's mean and standard deviation, with N or N − 1.

    Args:
        what: "train" for the training set itself, "test" for other values.
    """
    for shape, seed in (((9, 3), 1), ((9,), 2)):
        train = 3 + 2 * draw_inputs(shape[0], seed, 3)[:, : shape[-1]]
        train = train * torch.tensor([1.0, 4.0, 0.5]).double()
        test = 5 + 3 * draw_inputs(6, seed + 10, 3) ** 2
        if len(shape) == 1:
            train, test = train[:, 0], test[:, 0]
        values = train if what == "train" else test
        right = [(values - train.mean(0)) / train.std(0, correction=d) for d in (0, 1)]
        own = alike(numbers(call(student.standardise, values, train), "what `standardise` returns"), values)
        with about("scaling the training set" if what == "train" else "scaling a test set"):
            if all(differ(own, one, RTOL, ATOL) for one in right):
                mistakes = scaling_mistakes(values, train, test)
                expect(own, "the result").close_to(right[0], rtol=RTOL, atol=ATOL, mistakes=mistakes)


def scaling_mistakes(values: Tensor, train: Tensor, test: Tensor) -> list[tuple[str, Tensor]]:
    """What known mistakes make of the values, with N and then with N − 1 in the standard deviations."""
    mean, own_mean, both = train.mean(0), values.mean(0), torch.cat([train, test])
    mistakes = []
    for d in (0, 1):
        sd, own_sd = train.std(0, correction=d), values.std(0, correction=d)
        mistakes += [
            (
                "scaled by the statistics of the values themselves, not of the training set",
                (values - own_mean) / own_sd,
            ),
            (
                "the test set has entered mean and standard deviation",
                (values - both.mean(0)) / both.std(0, correction=d),
            ),
            ("the mean of the test set is subtracted", (values - own_mean) / sd),
            ("divided by the standard deviation of the test set", (values - mean) / own_sd),
            ("divided by the variance", (values - mean) / sd**2),
            (
                "one mean and one deviation for all columns",
                (values - train.mean()) / train.std(correction=d),
            ),
            ("the mean is not subtracted", values / sd),
            ("multiplied by the standard deviation", (values - mean) * sd),
        ]
    return [
        *mistakes,
        ("the standard deviation is missing", values - mean),
        ("nothing has changed", values),
    ]


# -- the network -----------------------------------------------------------------------------------------


@cache
def case(N: int, D: int, H: int, seed: int) -> dict[str, Tensor]:
    """A random network and data for it: "X" (N, D), "y" (N,) and the parameters. Units are not saturated."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    given = {"W": normal(H, D), "b": normal(H), "v": normal(H), "c": normal(1), "X": normal(N, D)}
    return {**given, "y": normal(N) * 2 + 0.5}


def parameters(given: Mapping[str, Tensor]) -> Params:
    return {name: given[name] for name in PARAMETERS}


def forward(params: Params, X: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden activations (N, H) and outputs (N,)."""
    A = torch.sigmoid(X @ params["W"].T + params["b"])
    return A, A @ params["v"] + params["c"]


def gradients(params: Params, X: Tensor, y: Tensor, lam: float) -> Params:
    """The gradients of J by the formulas; a test compares them with autograd's."""
    A, f = forward(params, X)
    delta = 2 * (f - y) / len(X)
    s = delta[:, None] * params["v"] * A * (1 - A)
    decay = {"W": 2 * lam * params["W"], "v": 2 * lam * params["v"]}
    data = {"W": s.T @ X, "b": s.sum(0), "v": A.T @ delta, "c": delta.sum().reshape(1)}
    return {name: value + decay.get(name, 0) for name, value in data.items()}


def step(params: Params, velocity: Params, g: Params, rate: float, momentum: float) -> tuple[Params, Params]:
    """Gradient descent with momentum: (new parameters, new velocity)."""
    velocity = {name: momentum * velocity[name] - rate * g[name] for name in PARAMETERS}
    return {name: params[name] + velocity[name] for name in PARAMETERS}, velocity


def normalised_error(y: Tensor, f: Tensor) -> float:
    return float(((f - y) ** 2).mean() / y.var(correction=0))


def expect_vector(value: Tensor, n: int, name: str) -> Tensor:
    """The value as a vector of n numbers; it may be a row or a column.

    Raises:
        CheckFailed: it has another shape.
    """
    if value.numel() != n or max(value.shape, default=1) != n:
        raise CheckFailed(f"{name} has shape {tuple(value.shape)}, not ({n},)")
    return value.reshape(n)


def expect_sigmoid(student: Student) -> None:
    """σ is right for moderate and for very large inputs, in arrays of several shapes."""
    for t in (torch.linspace(-4, 5, 12).double().reshape(3, 4), torch.tensor([-900.0, 900.0, 0.3]).double()):
        own = call(student.sigmoid, t)
        try:
            own = numbers(own, "σ")
        except CheckFailed:
            large = " (t = ±900: exp(900) is no float)" if t.abs().max() > 100 else ""
            raise CheckFailed(f"σ(t) is no finite number{large}") from None
        wrong = {
            "this is its derivative": torch.sigmoid(t) * (1 - torch.sigmoid(t)),
            "this is tanh": t.tanh(),
        }
        wrong["the sign of t is turned"] = torch.sigmoid(-t)
        expect(own, "σ(t)").close_to(torch.sigmoid(t), rtol=1e-5, atol=1e-9, mistakes=wrong)


def expect_forward(student: Student) -> None:
    for sizes in CASES:
        given = case(*sizes)
        X, params = given["X"], parameters(given)
        pair = call(student.forward, params, X)
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise CheckFailed("`forward` should return two arrays, A and f")
        A, f = forward(params, X)
        Z = X @ params["W"].T
        own_A, own_f = numbers(pair[0], "A"), expect_vector(numbers(pair[1], "f"), len(X), "f")
        expect(own_A, "A").close_to(
            A,
            rtol=RTOL,
            atol=ATOL,
            mistakes={"the bias b is missing": Z.sigmoid(), "the sigmoid is missing": Z + params["b"]},
        )
        output = {"the bias c is missing": A @ params["v"], "the output unit is linear: no σ": f.sigmoid()}
        expect(own_f, "f").close_to(f, rtol=RTOL, atol=ATOL, mistakes=output)


# -- backpropagation: each value up to a factor, with error carried forward; the factor in a check of its own -----


def slope(t: Tensor) -> Tensor:
    """σ′(t)."""
    return torch.sigmoid(t) * (1 - torch.sigmoid(t))


BACKPROP = {
    "A": Step(("z",), torch.sigmoid),
    "f": Step(("A", "v", "c"), lambda A, v, c: A @ v + c),
    "delta": Step(
        ("f", "y"),
        lambda f, y: 2 * (f - y) / len(y),
        {
            "the factor f(1 − f) is too much: the output unit is linear": lambda f, y: (f - y) * f * (1 - f),
            "the factor σ′(f) is too much: the output unit is linear": lambda f, y: (f - y) * slope(f),
            "y is not subtracted": lambda f, y: f,
            "the square itself, not its derivative": lambda f, y: (f - y) ** 2,
            "the sign of f − y only: that is the absolute error": lambda f, y: (f - y).sign(),
        },
    ),
    "s": Step(
        ("delta", "A", "v", "z"),
        lambda d, A, v, z: d[:, None] * v * A * (1 - A),
        {
            "the derivative of the hidden units, σ′(z), is missing": lambda d, A, v, z: d[:, None] * v,
            "σ′ is taken at the activation, σ(a)(1 − σ(a)), not at z": lambda d, A, v, z: (
                d[:, None] * v * slope(A)
            ),
            "σ′ is taken at what comes from above, not at z": lambda d, A, v, z: (
                d[:, None] * v * slope(d[:, None] * v)
            ),
            "σ′ is there twice": lambda d, A, v, z: d[:, None] * v * (A * (1 - A)) ** 2,
            "this is z(1 − z): with the activations it is a(1 − a)": lambda d, A, v, z: (
                d[:, None] * v * z * (1 - z)
            ),
            "1 − a² is the derivative of tanh": lambda d, A, v, z: d[:, None] * v * (1 - A**2),
            "multiplied by σ(z) itself, not by its derivative": lambda d, A, v, z: d[:, None] * v * A,
            "a mask for ReLU: these units are sigmoids": lambda d, A, v, z: d[:, None] * v * (z > 0),
            "v, the way back to the hidden units, is missing": lambda d, A, v, z: d[:, None] * A * (1 - A),
            "δ is missing": lambda d, A, v, z: v * A * (1 - A),
        },
    ),
    "dv": Step(
        ("delta", "A", "z"),
        lambda d, A, z: A.T @ d,
        {
            "taken with z, before the sigmoid": lambda d, A, z: z.T @ d,
            "the activations are summed without δ": lambda d, A, z: A.sum(0),
            "the errors are multiplied by σ′, which belongs to the hidden layer": lambda d, A, z: (
                (A * (1 - A)).T @ d
            ),
        },
    ),
    "dc": Step(("delta",), lambda d: d.sum().reshape(1)),
    "dW": Step(
        ("s", "X", "z"),
        lambda s, X, z: s.T @ X,
        {
            "the inputs are summed without s": lambda s, X, z: X.sum(0).expand(s.shape[1], -1),
            "taken without σ′(z), although s has it": lambda s, X, z: (s / slope(z)).T @ X,
        },
    ),
    "db": Step(
        ("s", "z"),
        lambda s, z: s.sum(0),
        {"taken without σ′(z), although s has it": lambda s, z: (s / slope(z)).sum(0)},
    ),
}


class UpToFactor(Derivation):
    """A derivation whose values may be any multiple, other than 0, of what they should be."""

    def agree(self, got: Tensor, want: Tensor, rtol: float, atol: float) -> bool:
        return multiple(got, want, rtol, atol) is not None

    def reject(self, got: Tensor, right: Tensor, called: str, rtol: float, atol: float) -> None:
        raise CheckFailed(f"{called} is not a multiple of the right gradient")


class Backprop:
    """What the student's `backprop` gives for one network.

    Values are graded up to a factor, and the factor by itself: of the gradients, most share one.

    Args:
        N, D, H, seed: as for `case`.
    """

    def __init__(self, student: Student, N: int, D: int, H: int, seed: int) -> None:
        self.student, self.N = student, N
        self.given = case(N, D, H, seed)
        W, b, X, y = (self.given[name] for name in ("W", "b", "X", "y"))
        self.answer = call(student.backprop, parameters(self.given), X, y)
        steps = {name: replace(step, plausible=partial(self.alive, name)) for name, step in BACKPROP.items()}
        self.chain = UpToFactor({**self.given, "z": X @ W.T + b}, steps)
        self.sizes = N, D, H, seed

    @cached_property
    def elsewhere(self) -> Backprop:
        """What the student's functions give for other parameters and data of the same sizes."""
        N, D, H, seed = self.sizes
        return Backprop(self.student, N, D, H, seed + 50)

    def alive(self, step: str, own: Tensor) -> bool:
        """Whether a value is computed from the input: `telling`, and neither what other input gives nor a multiple of
        something given. The sizes of A and f are right, too, for the rest depends on them."""
        right = self.chain.values[step]
        if step in ("A", "f") and not 1e-2 < float(own.abs().max() / right.abs().max()) < 1e2:
            return False
        try:
            other = self.elsewhere.answers(step)
        except CheckFailed:
            return False
        copies = [value for value in (*self.given.values(), other) if value.shape == own.shape]
        size = own.abs().max()
        return telling(own / size if size > 0 else own, (), RTOL, ATOL) and all(
            ratio(own, value) is None for value in copies if value.numel() > 1
        )

    @cached_property
    def forward(self) -> dict[str, Tensor]:
        """The student's A and f; empty if `forward` gives something else."""
        with suppress(CheckFailed, TypeError, ValueError):
            pair = call(self.student.forward, parameters(self.given), self.given["X"])
            A, f = (numbers(part, "the result") for part in pair)
            return {"A": A, "f": expect_vector(f, self.N, "f")}
        return {}

    def answers(self, step: str) -> Tensor:
        """The student's value of a step, in the right shape."""
        if step in ("A", "f"):
            if step not in self.forward:
                raise CheckFailed(f"there is no {step}")
            return self.forward[step]
        key, right = key_of(step), self.chain.values[step]
        value = alike(numbers(entry(self.answer, key, "backprop"), f'"{key}"'), right)
        if value.shape != right.shape:
            shape = tuple(right.shape)
            hint = ": it is transposed" if tuple(_flipped(value).shape) == shape else _along(key)
            raise CheckFailed(f'"{key}" has shape {tuple(value.shape)}, not {shape}{hint}')
        return value

    def factors(self, step: str) -> list[tuple[float, bool]]:
        """Numbers k such that the student's value is k times what follows from earlier values, right or the student's.

        With each k comes whether the first of these earlier values is the right one.

        Raises:
            CheckFailed: there is none; a known mistake is named.
        """
        own, rule, called = self.answers(step), self.chain.steps[step].rule, f'"{key_of(step)}"'
        try:
            self.chain.expect(self.answers, step, called=called, rtol=RTOL, atol=1e-12)
        except CheckFailed:
            if not own.any():
                raise CheckFailed(f"{called} is 0 everywhere") from None
            raise
        right = self.chain.values[self.chain.steps[step].needs[0]]
        factors = []
        for source in self.chain.sources(self.answers, step):
            want = applied(rule, source)
            k = None if want is None else multiple(own, want, RTOL, 1e-12)
            if k is not None:
                factors.append((k, source[0] is right))
        return factors

    def common(self) -> tuple[float, bool]:
        """The factor that most of the gradients v, W and b share, and whether it is relative to right values.

        Raises:
            CheckFailed: fewer than two of v, W and b are a multiple of what is right.
        """
        factors = []
        for step in ("dv", "dW", "db"):  # any c is a multiple of the right one
            with suppress(CheckFailed):
                factors.append(self.factors(step)[0])
        if len(factors) < 2:
            raise CheckFailed(
                "fewer than two of the gradients v, W, b point the right way: no factor to judge"
            )

        def votes(one: tuple[float, bool]) -> tuple[int, float]:
            return sum(near(one[0], k) for k, _ in factors), -abs(math.log(abs(one[0])))

        return max(factors, key=votes)

    def expect(self, key: str) -> None:
        """An entry of the student's dict is right up to a factor, which for a gradient is that of most others."""
        if key not in PARAMETERS:
            self.factors(key)
            return
        factors = [k for k, _ in self.factors(f"d{key}")]
        try:
            common, _ = self.common()
        except CheckFailed:
            if key == "c":
                known = (1.0, 2.0, 0.5, 1 / self.N, 2 / self.N, self.N, self.N / 2, 1 / self.N**2)
                if not any(near(abs(k), one) for k in factors for one in known):
                    raise CheckFailed('"c" is not the sum of the δ') from None
            return
        if not any(near(k, common) for k in factors):
            times = factors[-1] / common  # by the student's own values
            raise CheckFailed(f'"{key}" {relative_factor(times, self.N, len(self.given["v"]))}')

    def expect_factor(self) -> None:
        """The gradients are those of J itself, with 2/N exactly once."""
        k, absolute = self.common()
        N = self.N
        # A wrong δ has no right size, so any factor that has a reason passes.
        known = common_factors(N) if absolute else dict.fromkeys((1.0, 2.0, 0.5, 1 / N, 2 / N), "")
        for value, meaning in known.items():
            if near(k, value):
                if meaning:
                    raise CheckFailed(meaning)
                return
            if absolute and near(k, -value):
                rest = f"; besides, {meaning}" if meaning else ""
                raise CheckFailed(f"the sign is turned: δ has f − y, not y − f{rest}")
        raise CheckFailed(f"the gradients are {k:.4g} times those of J")


def common_factors(N: int) -> dict[float, str]:
    """What a factor of all gradients means; "" for the right one."""
    return {
        1.0: "",
        N: "the factor 1/N of the mean is missing",
        1 / N: "1/N is there twice",
        0.5: "the factor 2 of the squared error's derivative is lost",
        2.0: "a factor 2 is too much",
        N / 2: "both factors, 2 and 1/N, are missing",
        0.5 / N: "1/N is there twice, and the factor 2 is lost",
        2 / N: "1/N is there twice, and a factor 2 is too much",
    }


def relative_factor(times: float, N: int, H: int) -> str:
    """What it means that one gradient is so many times what it should be beside the others."""
    if near(times, 1 / N):
        return "is a sum over the samples, not their average: 1/N is in δ already"
    if near(times, N):
        return "lacks the factor 1/N that the other gradients have"
    if near(times, -1):
        return "has its sign turned, the other gradients have not"
    if near(times, 1 / H):
        return "is averaged over the hidden units"
    return f"is {times:.4g} times what it should be beside the other gradients"


def key_of(step: str) -> str:
    """The key under which the student's `backprop` returns a step's value."""
    return step[1:] if step[1:] in PARAMETERS else step


def _flipped(value: Tensor) -> Tensor:
    """A matrix transposed, anything else as it is."""
    return value.T if value.ndim == 2 else value


def _along(name: str) -> str:
    """What a bias's wrong shape means."""
    if name == "b":
        return ": sum over the samples, one number for each hidden unit"
    return ": sum over the samples" if name == "c" else ""


def near(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-3 * abs(b)


def multiple(got: Tensor, reference: Tensor, rtol: float, atol: float) -> float | None:
    """The number k ≠ 0 with got = k · reference, None if there is none.

    Args:
        rtol, atol: if they don't differ by more than that, k is 1.
    """
    return 1.0 if differ(got, reference, rtol, atol) == 0 else ratio(got, reference)


def ratio(got: Tensor, reference: Tensor) -> float | None:
    """The number k ≠ 0 with got = k · reference, None if there is none."""
    square = float((reference**2).sum())
    if got.shape != reference.shape or not 0 < square < math.inf:
        return None
    k = float((got * reference).sum()) / square
    return k if abs(k) > 1e-6 and differ(got, k * reference, 3e-4, 1e-12) == 0 else None


@cache
def cases(student: Student) -> list[Backprop]:
    """Cached by the student's object; each graded cell has another one."""
    return [Backprop(student, *sizes) for sizes in CASES]


# -- where earlier functions are wrong: right ones in their place ------------------------------------------

# For each function what it should be called with and what it then gives, call by call.
Known = dict[str, list[tuple[list[Any], Any]]]


def knowing(function: Any, known: Known, *arguments: Any) -> Any:
    """What a function of the student's returns where others of the student's give what they should.

    Raises:
        CheckFailed: it calls one of them with something else, or raises.
    """
    instead = {name: [gives for _, gives in each] for name, each in known.items()}
    value, calls = call(function.call_with, instead, *arguments)
    for name, each in calls.items():
        if not all(agree(got, wanted) for got, (wanted, _) in zip(each, cycle(known[name]), strict=False)):
            raise CheckFailed(f"`{name}` is called with other values than it should be")
    return value


def agree(got: Any, want: Any) -> bool:
    """Whether two values are the same numbers, in dicts and lists of the same form."""
    if isinstance(want, dict):
        return (
            isinstance(got, dict) and want.keys() == got.keys() and all(agree(got[k], want[k]) for k in want)
        )
    if isinstance(want, list):
        return isinstance(got, list | tuple) and len(got) == len(want) and all(map(agree, got, want))
    right = torch.as_tensor(want, dtype=torch.float64)
    try:
        return differ(alike(numbers(got, "an argument"), right), right, 1e-6, 1e-12) == 0
    except CheckFailed:
        return False


def known_backprop(params: Params, X: Tensor, y: Tensor) -> Known:
    """What `forward` and `backprop` give for one network and its data."""
    A, f = forward(params, X)
    delta = 2 * (f - y) / len(X)
    s = delta[:, None] * params["v"] * A * (1 - A)
    right = {"delta": delta, "s": s, **gradients(params, X, y, 0)}
    return {"forward": [([params, X], [A, f])], "backprop": [([params, X, y], right)]}


def own_or_right(expect: Callable[[bool], None], wrong: Callable[[], bool]) -> None:
    """Judge with the student's own functions of earlier parts and, if that fails and these are wrong, with right ones
    in their place.

    Args:
        expect: gets whether right ones are in their place.
        wrong: whether the student's own are.
    """
    try:
        expect(False)
    except CheckFailed as failure:
        if not wrong():
            raise
        try:
            expect(True)
        except CheckFailed as other:
            raise (other if isinstance(failure, StudentError) else failure) from None


def forward_is_wrong(student: Student) -> bool:
    """Whether the student's `forward` is; its own check judges that."""
    try:
        expect_forward(student)
    except CheckFailed:
        return True
    return False


def backprop_is_wrong(student: Student) -> bool:
    """Whether the student's `backprop` gives a wrong gradient, or `forward` a wrong value."""
    for sizes in CASES:
        given = case(*sizes)
        params, X, y = parameters(given), given["X"], given["y"]
        right = gradients(params, X, y, 0)
        try:
            own = call(student.backprop, params, X, y)
            if not agree([entry(own, name, "backprop") for name in right], list(right.values())):
                return True
        except CheckFailed:
            return True
    return forward_is_wrong(student)


def gradients_are_wrong(student: Student) -> bool:
    """Whether the student's `gradients` or `forward` gives wrong values."""
    for sizes in CASES:
        given = case(*sizes)
        right = gradients(parameters(given), given["X"], given["y"], LAMBDAS[0])
        try:
            if not agree(own_gradients(student, given, LAMBDAS[0]), right):
                return True
        except CheckFailed:
            return True
    return forward_is_wrong(student)


# -- weight decay ----------------------------------------------------------------------------------------

LAMBDAS = 0.35, 1.15


def own_gradients(
    student: Student, given: Mapping[str, Tensor], lam: float, repaired: bool = False
) -> Params:
    """What the student's `gradients` returns, each in its parameter's shape.

    Args:
        repaired: with right functions in place of `forward` and `backprop`.
    Raises:
        CheckFailed: it returns something else.
    """
    arguments = parameters(given), given["X"], given["y"]
    if repaired:
        result = knowing(student.gradients, known_backprop(*arguments), *arguments, lam)
    else:
        result = call(student.gradients, *arguments, lam)
    values = {}
    for name in PARAMETERS:
        value = alike(numbers(entry(result, name, "gradients"), f'"{name}"'), given[name])
        if value.shape != given[name].shape:
            value = _flipped(value)  # a mistake of `backprop`, judged there
        if value.shape != given[name].shape:
            raise CheckFailed(f'"{name}" has shape {tuple(value.shape)}, not {tuple(given[name].shape)}')
        values[name] = value
    return values


def decay_parts(student: Student, given: Mapping[str, Tensor], repaired: bool) -> Params:
    """What λ adds: the difference of the gradients with two λ. The data's part cancels.

    Raises:
        CheckFailed: it adds nothing, or changes from call to call.
    """
    low, high, again = (own_gradients(student, given, lam, repaired) for lam in (*LAMBDAS, LAMBDAS[0]))
    parts = {name: high[name] - low[name] for name in PARAMETERS}
    if any(differ(again[name], low[name], RTOL, FAINT) for name in PARAMETERS):
        raise CheckFailed("the same call twice gives other gradients")
    if not any(part.abs().max() > FAINT for part in parts.values()):
        raise CheckFailed("the gradients do not change with λ: there is no weight decay in them")
    return parts


def expect_decay(student: Student) -> None:
    """λ adds 2λW and 2λv."""
    own_or_right(partial(_expect_decay, student), partial(backprop_is_wrong, student))


def _expect_decay(student: Student, repaired: bool) -> None:
    for sizes in CASES:
        given, N = case(*sizes), sizes[0]
        more = LAMBDAS[1] - LAMBDAS[0]
        parts = decay_parts(student, given, repaired)
        for name in ("W", "v"):
            own, w = parts[name], given[name]
            expect(own, f'what λ adds to "{name}"').close_to(
                2 * more * w,
                rtol=RTOL,
                atol=1e-8,
                mistakes={
                    "λ for 2λ: the derivative of λw² is 2λw": more * w,
                    "the sign of the decay is turned": -2 * more * w,
                    "the sign of the decay is turned, and it is λ for 2λ": -more * w,
                    "λ sign(w) is the derivative of λ|w|, an L1 penalty": more * w.sign(),
                    "2λ sign(w): an L1 penalty": 2 * more * w.sign(),
                    "2λ/N: the penalty is not divided by N": 2 * more * w / N,
                    "λ/N for 2λ: the penalty is not divided by N": more * w / N,
                    "λ² for λ": 2 * (LAMBDAS[1] ** 2 - LAMBDAS[0] ** 2) * w,
                    "the penalty itself, not its derivative": more * w**2,
                    "the penalty itself, summed up": (more * w**2).sum().expand(w.shape),
                    "these weights are not decayed": 0 * w,
                },
            )


def expect_free_biases(student: Student) -> None:
    """λ leaves the biases' gradients alone."""
    own_or_right(partial(_expect_free_biases, student), partial(backprop_is_wrong, student))


def _expect_free_biases(student: Student, repaired: bool) -> None:
    for sizes in CASES:
        given = case(*sizes)
        parts = decay_parts(student, given, repaired)
        for name in ("b", "c"):
            if parts[name].abs().max() > FAINT:
                raise CheckFailed(f'the bias "{name}" is decayed: the penalty is on the weights W and v only')
        if all(ratio(parts[name], torch.ones_like(parts[name])) is not None for name in ("W", "v")):
            raise CheckFailed("what λ adds does not depend on the weights")


def expect_data_part(student: Student) -> None:
    """With other data the gradients change as those of the mean squared error do, right ones or the student's own."""
    own_or_right(partial(_expect_data_part, student), partial(backprop_is_wrong, student))


def _expect_data_part(student: Student, repaired: bool) -> None:
    for sizes in CASES:
        given = case(*sizes)
        params = parameters(given)
        other = {**given, "X": given["X"].flip(1) * 0.8 + 0.3, "y": given["y"].flip(0) * 0.7 - 1}
        change = [own_gradients(student, data, LAMBDAS[0], repaired) for data in (given, other)]
        right = [gradients(params, data["X"], data["y"], 0) for data in (given, other)]
        own: list[Any] = []
        with suppress(CheckFailed):
            own = [call(student.backprop, params, data["X"], data["y"]) for data in (given, other)]
        for name in PARAMETERS:
            got = change[0][name] - change[1][name]
            known = [right[0][name] - right[1][name]]
            try:
                a, b = (alike(numbers(entry(r, name, "backprop"), name), given[name]) for r in own)
                known += [
                    part
                    for part in (a - b, _flipped(a - b))
                    if part.abs().max() > FAINT and part.shape == got.shape
                ]
            except (CheckFailed, ValueError, RuntimeError):
                pass
            if all(differ(got, want, RTOL, 1e-8) for want in known):
                if not got.abs().max() > FAINT:
                    reason = "the decay is there in place of the data's gradient: add the two"
                    raise CheckFailed(f'"{name}" does not depend on the data: {reason}')
                raise CheckFailed(f'"{name}": without the decay, it is not what `backprop` gives')


# -- training --------------------------------------------------------------------------------------------

MOVES = [(0.35, 0.17, 0.6), (0.0, 0.05, 0.9), (0.0, 0.4, 0.3)]  # lam, rate, momentum


def expect_normalised_error(student: Student) -> None:
    """It is the mean squared error divided by Var(y), with N or N − 1 in the variance."""
    for n, seed in ((9, 3), (14, 4)):
        y, f = 2 * draw_inputs(n, seed)[:, 0] + 5, 3 * draw_inputs(n, seed + 5)[:, 0] + 4
        mse = ((f - y) ** 2).mean()
        own = numbers(call(student.normalised_error, y, f), "what `normalised_error` returns")
        if own.numel() != 1:
            raise CheckFailed(f"`normalised_error` returns shape {tuple(own.shape)}, not one number")
        own = own.reshape(())
        if not differ(own, mse / y.var(), RTOL, ATOL):
            continue
        expect(own, "the normalised error").close_to(
            mse / y.var(correction=0),
            rtol=RTOL,
            atol=ATOL,
            mistakes={
                "this is the mean squared error: divide by the variance of y": mse,
                "divided by the standard deviation of y, not by its variance": mse / y.std(correction=0),
                "divided by the standard deviation, with N − 1": mse / y.std(),
                "divided by the variance of f, not of y": mse / f.var(correction=0),
                "divided by the variance of f, not of y, with N − 1": mse / f.var(),
                "this is its square root": (mse / y.var(correction=0)).sqrt(),
                "this is its square root, with N − 1": (mse / y.var()).sqrt(),
                "this is R², one minus the normalised error": 1 - mse / y.var(correction=0),
                "this is R², one minus the normalised error, with N − 1": 1 - mse / y.var(),
                "divided by the mean of y², which is not its variance": mse / (y**2).mean(),
                "the mean of the absolute errors": (f - y).abs().mean() / y.var(correction=0),
                "a sum of squares over a variance: it needs the mean": n * mse / y.var(correction=0),
            },
        )


# of old velocity, gradient, rate, momentum
VelocityRule = Callable[[Tensor, Tensor, float, float], Tensor]
# of old parameter, old velocity, new velocity, rate
ParameterRule = Callable[[Tensor, Tensor, Tensor, float], Tensor]

VELOCITY_MISTAKES: dict[str, VelocityRule] = {
    "the sign of the gradient is turned: this climbs": lambda m, g, rate, mu: mu * m + rate * g,
    "the learning rate is missing": lambda m, g, rate, mu: mu * m - g,
    "the momentum is missing": lambda m, g, rate, mu: -rate * g,
    "the momentum is 1: the old velocity is not damped": lambda m, g, rate, mu: m - rate * g,
    "the old velocity's sign is turned": lambda m, g, rate, mu: -mu * m - rate * g,
    "an average with (1 − momentum), which the formula has not": lambda m, g, rate, mu: (
        mu * m - (1 - mu) * rate * g
    ),
    "without −η: it is momentum · velocity + gradient": lambda m, g, rate, mu: mu * m + g,
    "momentum and learning rate are exchanged": lambda m, g, rate, mu: rate * m - mu * g,
    "the old velocity, unchanged": lambda m, g, rate, mu: m,
}
# Where some gradients belong to parameters that have moved: which ones move first.
MOVED_EARLY = {
    "W and b are updated with a v that has moved already: all gradients belong to the old parameters": "vc",
    "v and c are updated with a W that has moved already: all gradients belong to the old parameters": "Wb",
}
PARAMETER_MISTAKES: dict[str, ParameterRule] = {
    "the parameters have not moved": lambda p, old, new, rate: p,
    "moved by the old velocity, not by the new one": lambda p, old, new, rate: p + old,
    "the velocity is subtracted: its sign points downhill already": lambda p, old, new, rate: p - new,
    "the learning rate is in the velocity already": lambda p, old, new, rate: p + rate * new,
    "moved by − learning rate · velocity: the learning rate and the sign are in the velocity": (
        lambda p, old, new, rate: p - rate * new
    ),
    "the velocity alone, without the parameters": lambda p, old, new, rate: new,
}


class Move:
    """One call of the student's `step`.

    Args:
        repaired: right functions stand in place of `gradients` and of those that it calls.
    Attributes:
        params, velocity: before the step.
        new_params, new_velocity: what the student's `step` returns.
        gradients: the right ones, then those of the student's own `gradients` if it gives any.
    """

    def __init__(
        self,
        student: Student,
        sizes: tuple[int, int, int, int],
        lam: float,
        rate: float,
        mu: float,
        repaired: bool,
    ):
        given = case(*sizes)
        self.params, self.X, self.y = parameters(given), given["X"], given["y"]
        self.lam, self.rate, self.mu = lam, rate, mu
        self.velocity = {name: 0.3 * value.cos() for name, value in self.params.items()}
        self.student, self.repaired = student, repaired
        self.new_params, self.new_velocity = self.after(self.params, self.velocity)
        self.gradients = [gradients(self.params, self.X, self.y, lam)]
        if not repaired:
            with suppress(CheckFailed):
                self.gradients.append(own_gradients(student, given, lam))

    def after(self, params: Params, velocity: Params) -> tuple[Params, Params]:
        """The student's step from here: the new parameters and the new velocity."""
        arguments = params, velocity, self.X, self.y, self.lam, self.rate, self.mu
        if self.repaired:
            right = gradients(params, self.X, self.y, self.lam)
            known = {
                **known_backprop(params, self.X, self.y),
                "gradients": [([params, self.X, self.y, self.lam], right)],
            }
            pair = knowing(self.student.step, known, *arguments)
        else:
            pair = call(self.student.step, *arguments)
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise CheckFailed("`step` should return two dicts, the new params and the new velocity")
        first, second = (
            self.shaped(part, name) for part, name in zip(pair, ("params", "velocity"), strict=True)
        )
        return first, second

    @cached_property
    def driven(self) -> bool:
        """Whether the student's velocity is one to move by: `telling`, of a usual size, and another one from another
        start."""
        other = {name: value.flip(0) + 0.5 for name, value in self.params.items()}
        _, velocity = self.after(other, {name: value.sin() for name, value in other.items()})
        return all(
            telling(self.new_velocity[name], (velocity[name],), RTOL, FAINT)
            and float(self.new_velocity[name].abs().max()) < 1e6
            for name in ("W", "v")
        )

    def shaped(self, part: Any, name: str) -> Params:
        """One of the two dicts that `step` returns, each entry in its parameter's shape."""
        values = {}
        for key, model in self.params.items():
            value = alike(numbers(entry(part, key, "step"), f'the new {name} "{key}"'), model)
            if value.shape != model.shape:
                raise CheckFailed(
                    f'the new {name} "{key}" has shape {tuple(value.shape)}, not {tuple(model.shape)}'
                )
            values[key] = value
        return values

    def right(self, g: Params) -> tuple[Params, Params]:
        """The right (new parameters, new velocity) with these gradients."""
        return step(self.params, self.velocity, g, self.rate, self.mu)

    def expect_velocity(self) -> None:
        """It is right, with right gradients or the student's own."""
        if any(self.same(self.new_velocity, self.right(g)[1]) for g in self.gradients):
            return
        for meaning, rule in VELOCITY_MISTAKES.items():
            for g in self.gradients:
                wrong = {k: rule(self.velocity[k], g[k], self.rate, self.mu) for k in PARAMETERS}
                if self.same(self.new_velocity, wrong):
                    raise CheckFailed(meaning)
        g = self.gradients[0]
        for meaning, first in MOVED_EARLY.items():
            moved, _ = self.right(g)
            mixed = {name: (moved if name in first else self.params)[name] for name in PARAMETERS}
            later = gradients(mixed, self.X, self.y, self.lam)
            used = {name: (g if name in first else later)[name] for name in PARAMETERS}
            if self.same(self.new_velocity, self.right(used)[1]):
                raise CheckFailed(meaning)
        for name in PARAMETERS:
            right = self.mu * self.velocity[name] - self.rate * g[name]
            expect(self.new_velocity[name], f'the new velocity "{name}"').close_to(
                right, rtol=RTOL, atol=ATOL
            )

    def expect_parameters(self) -> None:
        """They moved by the new velocity: the right one, or the student's own if it is one."""
        velocities = [self.right(g)[1] for g in self.gradients]
        if self.driven:
            velocities = [self.new_velocity, *velocities]
        for velocity in velocities:
            if self.same(self.new_params, {k: self.params[k] + velocity[k] for k in PARAMETERS}):
                return
        for meaning, rule in PARAMETER_MISTAKES.items():
            for velocity in velocities:
                wrong = {
                    k: rule(self.params[k], self.velocity[k], velocity[k], self.rate) for k in PARAMETERS
                }
                if self.same(self.new_params, wrong):
                    raise CheckFailed(meaning)
        raise CheckFailed("the new parameters are not the old ones plus the new velocity")

    @staticmethod
    def same(got: Params, want: Params) -> bool:
        return all(differ(got[name], want[name], RTOL, 1e-8) == 0 for name in PARAMETERS)

    def is_right(self) -> bool:
        """Whether both are right with right gradients."""
        params, velocity = self.right(self.gradients[0])
        return self.same(self.new_params, params) and self.same(self.new_velocity, velocity)

    def aligned(self) -> bool:
        """Whether the step moves, and what the gradient adds to it is along the right gradient, up or down."""
        right, before, momentum = (
            flat(self.gradients[0]),
            flat(self.params),
            self.mu * flat(self.velocity),
        )
        if not (flat(self.new_params) - before).any():
            return False
        parts = flat(self.new_params) - before - momentum, flat(self.new_velocity) - momentum
        return any(abs(float(own @ right)) > 0.4 * float(own.norm() * right.norm()) > 0 for own in parts)


def flat(values: Params) -> Tensor:
    """All numbers of a network in one vector."""
    return torch.cat([values[name].flatten() for name in PARAMETERS])


@cache
def moves(student: Student, repaired: bool = False) -> list[Move]:
    """Some steps of the student's.

    Args:
        repaired: with right functions in place of `gradients` and those that it calls.
    """
    return [Move(student, sizes, *move, repaired) for sizes, move in zip(CASES, MOVES, strict=True)]


def expect_velocity(student: Student) -> None:
    """The student's `step` makes the right new velocity."""
    own_or_right(
        lambda repaired: each_move(student, repaired, Move.expect_velocity),
        partial(gradients_are_wrong, student),
    )


def expect_parameters(student: Student) -> None:
    """The student's `step` moves the parameters by the new velocity."""
    own_or_right(
        lambda repaired: each_move(student, repaired, Move.expect_parameters),
        partial(gradients_are_wrong, student),
    )


def each_move(student: Student, repaired: bool, expect: Callable[[Move], None]) -> None:
    for move in moves(student, repaired):
        expect(move)


# -- fit -------------------------------------------------------------------------------------------------


def data_set(seed: int, n_test: int = 1000) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """100 training and `n_test` test points, scaled by the training set's statistics: X, y, X_test, y_test."""
    (X, y), (X_test, y_test) = sample(100, seed), sample(n_test, seed + 5000)
    return (
        (X - X.mean(0)) / X.std(0, correction=0),
        (y - y.mean()) / y.std(correction=0),
        (X_test - X.mean(0)) / X.std(0, correction=0),
        (y_test - y.mean()) / y.std(correction=0),
    )


class Fit:
    """What the student's `fit` returns for one of our data sets.

    Attributes:
        data: as from `data_set`.
        params: the student's parameters after training, in their shapes.
        history: as `fit` returned it.
    """

    def __init__(self, student: Student, seed: int, hidden: int = HIDDEN, epochs: int = EPOCHS) -> None:
        self.data = data_set(seed)
        self.epochs = epochs
        pair = call(student.fit, *self.data, hidden, LAM, epochs, seed)
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise CheckFailed("`fit` should return the parameters and a history")
        params, self.history = pair
        self.params = {}
        for name, shape in {"W": (hidden, 2), "b": (hidden,), "v": (hidden,), "c": (1,)}.items():
            value = alike(numbers(entry(params, name, "fit"), f'after training "{name}"'), torch.empty(shape))
            if tuple(value.shape) != shape:
                raise CheckFailed(f'the parameter "{name}" has shape {tuple(value.shape)}, not {shape}')
            self.params[name] = value

    def errors(self) -> tuple[float, float]:
        """The network's normalised errors on the training and the test set."""
        X, y, X_test, y_test = self.data
        return (
            normalised_error(y, forward(self.params, X)[1]),
            normalised_error(y_test, forward(self.params, X_test)[1]),
        )

    def own_error(self, student: Student) -> float:
        """The test error by the student's own `forward`, which another check judges; infinite if that fails."""
        X, y = self.data[2:]
        try:
            f = call(student.forward, self.params, X)[1]
            return normalised_error(y, expect_vector(numbers(f, "f"), len(X), "f"))
        except (CheckFailed, TypeError, LookupError):
            return math.inf


def expect_history(student: Student) -> None:
    """The history tells the errors, with the student's own functions or with right ones."""
    own_or_right(
        lambda repaired: loop(student).expect_history() if repaired else expect_own_history(student),
        partial(gradients_are_wrong, student),
    )


def expect_own_history(student: Student) -> None:
    """The history ends at the errors of the network that `fit` returns, by our functions or by the student's own.

    With a wrong `step` the weights may diverge: then it is enough that the history is right after few epochs.
    """
    try:
        _expect_history(
            student, 60
        )  # the outputs still vary less than the targets, so each tells its variance
    except CheckFailed as failure:
        try:
            _expect_history(student, 20)
        except CheckFailed:
            raise failure from None
        if "NaN" not in str(failure) and not step_is_wrong(student):
            raise


def _expect_history(student: Student, epochs: int) -> None:
    fit = Fit(student, 74, hidden=4, epochs=epochs)
    if _length(fit) > 2 and _length(fit) == _length(Fit(student, 74, hidden=4, epochs=2 * epochs)):
        raise CheckFailed(
            f"the history is as long after {epochs} epochs as after {2 * epochs}: is the argument `epochs` used?"
        )
    ends = {}
    for name in ("train", "test"):
        values = numbers(entry(fit.history, name, "fit"), f'the history "{name}"')
        due = epochs // 10
        if values.ndim != 1 or not due <= len(values) <= epochs + 2:
            raise CheckFailed(
                f'the history "{name}" should have an entry for every tenth epoch, here {due}; '
                f"yours has shape {tuple(values.shape)}"
            )
        ends[name] = float(values[-1])
    right = dict(zip(("train", "test"), fit.errors(), strict=True))
    sizes = {"train": len(fit.data[1]), "test": len(fit.data[3])}
    unbiased = {name: error * (sizes[name] - 1) / sizes[name] for name, error in right.items()}
    known = [right, unbiased]
    for form in (list, as_arrays):  # a variance may have N in arrays and N − 1 in tensors
        with suppress(CheckFailed, TypeError, LookupError, RuntimeError):
            own = {}
            for name, data in {"train": fit.data[:2], "test": fit.data[2:]}.items():
                X, y = form(list(data))
                f = call(student.forward, fit.params, X)[1]
                own[name] = float(numbers(call(student.normalised_error, y, f), "the error").reshape(()))
                own[name] = own[name] if float(numbers(f, "f").std()) > FAINT else math.nan
            known.append(own)  # other checks judge `forward` and `normalised_error`
    for errors in known:
        if matching(ends, errors):
            return
        if matching(ends, dict(zip(("test", "train"), errors.values(), strict=True))):
            raise CheckFailed("the histories of training and test set are exchanged")
        if matching(ends, {"train": errors["train"], "test": errors["train"]}):
            raise CheckFailed('the history "test" holds errors on the training set')
    name = max(ends, key=lambda name: abs(ends[name] - right[name]))
    raise CheckFailed(
        f'the history "{name}" ends at {ends[name]:.3g}; the network returned has an error of {right[name]:.3g}'
    )


def _length(fit: Fit) -> int:
    """How many entries the history of the training set has; 0 if there is none."""
    try:
        return numbers(entry(fit.history, "train", "fit"), "the history").numel()
    except CheckFailed:
        return 0


def matching(ends: Mapping[str, float], known: Mapping[str, float]) -> bool:
    """Whether a history ends at these errors, which it may round to two decimals or more."""

    def tells(end: float, error: float) -> bool:
        rounded = any(abs(end - round(error, digits)) < 1e-7 for digits in (2, 3, 4))
        return rounded or abs(end - error) <= 0.002 * abs(error)

    return all(tells(ends[name], known[name]) for name in ends)


@cache
def median_error(student: Student, hidden: int = HIDDEN) -> float:
    """Train the student's network on `DRAWS` data sets; return the median of the normalised test errors."""
    errors = []
    for draw in range(DRAWS):
        try:
            fit = Fit(student, 100 + draw, hidden)
            error = fit.errors()[1]
            errors.append(error if error <= THRESHOLD else min(error, fit.own_error(student)))
        except StudentError:
            raise
        except CheckFailed as failure:
            if "NaN" not in str(failure):
                raise
            errors.append(math.inf)
    return float(torch.tensor(errors).quantile(0.5))


def expect_accuracy(student: Student) -> None:
    """The network learns, or `fit` hands on what right functions give."""
    own_or_right(
        lambda repaired: loop(student).expect_steps() if repaired else expect_own_accuracy(student),
        partial(gradients_are_wrong, student),
    )


def expect_own_accuracy(student: Student) -> None:
    """The network learns. If it doesn't because of a mistake in `step` or before, it is enough that the training loop
    is right and learns anything."""
    median = median_error(student)
    if median <= THRESHOLD:
        return
    message = f"the median of the test errors over {DRAWS} data sets is {median:.3g}, above {THRESHOLD:g}"
    if not (repeats_steps(student) and step_is_wrong(student)):
        if not median < math.inf:
            message = f"in most of {DRAWS} trainings the weights run away to NaN or infinity"
        raise CheckFailed(message)
    if not (median < LEARNT or all(move.aligned() for move in moves(student) if not move.lam)):
        raise CheckFailed(f"{message}: nothing is learnt")


class Loop:
    """One training by the student's `fit` in which `step`, `forward` and `normalised_error` give right values, in turn.

    So `fit` is judged where earlier parts are wrong. Training and test set have the same targets, so that it does not
    matter on which of them an error is asked for first.

    Attributes:
        states: parameters and velocity before the first step and after each.
        calls: the arguments with which `fit` calls the three, by name.
    """

    def __init__(self, student: Student) -> None:
        hidden, seed = 4, 9
        self.epochs = 2 * int(numbers(student.EVERY, "EVERY"))
        self.X, self.X_test, self.y = draw_inputs(6, 81), draw_inputs(6, 82), draw_inputs(6, 83)[:, 0]
        start = {name: numbers(value, name) for name, value in student.initial(hidden, seed).items()}
        self.states = [(start, {name: torch.zeros_like(value) for name, value in start.items()})]
        for _ in range(self.epochs):
            params, velocity = self.states[-1]
            g = gradients(params, self.X, self.y, LAM)
            self.states.append(step(params, velocity, g, RATE, MOMENTUM))
        self.outputs = [draw_inputs(6, 900 + k)[:, 0] for k in range(2 * self.epochs + 2)]
        self.errors = [normalised_error(self.y, f) for f in self.outputs]
        instead = {
            "step": list(map(list, self.states[1:])),
            "forward": [[draw_inputs(6, 7, hidden).sigmoid(), f] for f in self.outputs],
            "normalised_error": self.errors,
        }
        data = self.X, self.y, self.X_test, self.y
        pair, self.calls = call(student.fit.call_with, instead, *data, hidden, LAM, self.epochs, seed)
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise CheckFailed("`fit` should return the parameters and a history")
        self.params, self.history = pair
        if not self.calls["step"]:
            raise CheckFailed("`fit` does not call `step`")

    def expect_arguments(self) -> None:
        """Every step gets the training set, λ and the velocity of the step before; the first one the start."""
        for i, (params, velocity, *given) in enumerate(self.calls["step"]):
            if not i and not agree(params, self.states[0][0]):
                raise CheckFailed("the first step should start from `initial(hidden, seed)`")
            if not agree(given[:2], [self.X, self.y]):
                raise CheckFailed("a step should get X and y, the training set")
            if not agree(given[2:3], [LAM]):
                raise CheckFailed("a step does not get `lam`")
            if not agree(velocity, self.states[i % self.epochs][1]):
                raise CheckFailed("the velocity should be 0 at first, then the one that `step` returned")

    def expect_steps(self) -> None:
        """As many steps as epochs, each from where the one before ended, with the given rate and momentum."""
        taken = [[params, *given[-2:]] for params, _, *given in self.calls["step"]]
        due: list[list[Any]] = [[params, RATE, MOMENTUM] for params, _ in self.states[:-1]]
        due[0][0] = taken[0][0]  # `expect_arguments` judges the start
        if not agree(taken, due):
            raise CheckFailed("each epoch should be a step from where the one before ended")
        if not agree(self.params, self.states[-1][0]):
            raise CheckFailed("`fit` does not return the parameters of the last step")

    def expect_history(self) -> None:
        """An entry for every tenth epoch at least, of the network after this epoch on each set."""
        known = dict(enumerate(self.errors))  # by the call of `forward`
        for error, (_, f) in zip(self.errors, self.calls["normalised_error"], strict=False):
            known |= {k: error for k, output in enumerate(self.outputs) if agree(f, output)}
        for name, X in (("train", self.X), ("test", self.X_test)):
            asked = [
                (k, next((t for t, (at, _) in enumerate(self.states) if agree(params, at)), -1))
                for k, (params, inputs) in enumerate(self.calls["forward"])
                if agree(inputs, X)
            ]
            if not {self.epochs // 2, self.epochs} <= {t for _, t in asked}:
                raise CheckFailed(
                    f'for the history "{name}" the network is not asked after every tenth epoch'
                )
            own = numbers(entry(self.history, name, "fit"), f'the history "{name}"')
            if not agree(own, torch.tensor([known[k] for k, _ in asked])):
                raise CheckFailed(f'the history "{name}" does not hold the errors on this set')


@cache
def loop(student: Student) -> Loop:
    return Loop(student)


MANY = 120  # epochs, twelve entries of the history
FEW = 3  # epochs, after which a wrong step has not run away yet


def expect_arguments(student: Student) -> None:
    """`fit` uses what it is given, with the student's own functions or with right ones."""
    own_or_right(
        lambda repaired: loop(student).expect_arguments() if repaired else expect_own_arguments(student),
        partial(gradients_are_wrong, student),
    )


def expect_own_arguments(student: Student) -> None:
    """`fit` trains on the training set alone, with λ, from the start that the seed gives, and hands the velocity on.

    An optimiser of the student's own may do this, too. If the student's `step` makes nothing of λ, its check has lost
    the points, and `fit` may ignore it, too.
    """
    X, y, X_test, y_test = data_set(75, 60)
    other_test = data_set(76, 40)[2:]

    def trained(
        test: tuple[Tensor, Tensor] = (X_test, y_test), lam: float = LAM, seed: int = 9, epochs: int = FEW
    ) -> dict[str, Tensor]:
        pair = call(student.fit, X, y, *test, 4, lam, epochs, seed)
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise CheckFailed("`fit` should return the parameters and a history")
        return {name: numbers(entry(pair[0], name, "fit"), f'after training "{name}"') for name in PARAMETERS}

    base = trained()
    if not equal(base, trained()):
        raise CheckFailed("the same call twice ends at other weights: start from `initial(hidden, seed)`")
    if not equal(base, trained(test=other_test)):
        raise CheckFailed("with another test set the weights are others: train on X and y alone")
    if equal(base, trained(seed=10)):
        raise CheckFailed("two seeds give the same weights: start from `initial(hidden, seed)`")
    if equal(base, trained(lam=0.5)) and not equal(steps(student, X, y), steps(student, X, y, lam=0.5)):
        raise CheckFailed("with another λ the weights are the same: is `lam` handed to every step?")
    if not equal(base, steps(student, X, y)):
        for made in (FEW - 1, FEW + 1, 2 * FEW):
            if equal(base, steps(student, X, y, count=made)):
                raise CheckFailed(f"{FEW} epochs are {made} steps: each is one step")
    resting = steps(student, X, y, keep=False)
    if resting and equal(base, resting) and not equal(base, steps(student, X, y)):
        raise CheckFailed("the velocity is 0 again in every step: hand on the one that `step` returned")
    # on the second test set errors rise while the network learns, so whoever looks at them ends early
    long, rising = trained(epochs=MANY), trained(test=(X_test, -y_test), epochs=MANY)
    if not equal(long, rising):
        raise CheckFailed(
            "which weights come back depends on the test set: train and choose on X and y alone"
        )
    if not calls_step(student, (X, y, X_test, y_test)) or any(same_steps(student, X, y, long, MANY)):
        return
    for judge in (expect_own_history, expect_own_accuracy):  # what they find costs no points here
        try:
            judge(student)
        except CheckFailed:
            return
    if any(same_steps(student, X, y, base, FEW)):
        raise CheckFailed(
            f"the first {FEW} epochs are right, and not all of {MANY}: every epoch is the same step, on all of X and "
            "y, with the velocity handed on"
        )
    raise CheckFailed(
        f"{FEW} epochs are not {FEW} steps on all of X and y with `LEARNING_RATE` and `MOMENTUM` from "
        "`initial(hidden, seed)`"
    )


def calls_step(student: Student, data: Sequence[Tensor]) -> bool:
    """Whether `fit` leaves its steps to the student's `step`; it may have an optimiser of its own."""
    start = student.initial(4, 9)
    try:
        _, calls = call(student.fit.call_with, {"step": [[start, start]]}, *data, 4, LAM, FEW, 9)
    except CheckFailed:
        return False
    return bool(calls["step"])


def same_steps(student: Student, X: Tensor, y: Tensor, got: Params, count: int) -> Iterator[bool]:
    """Whether a training ended where the student's own steps do, and where right ones do."""
    yield equal(got, steps(student, X, y, count=count))
    params = {name: numbers(value, name) for name, value in student.initial(4, 9).items()}
    velocity = {name: torch.zeros_like(value) for name, value in params.items()}
    for _ in range(count):
        params, velocity = step(params, velocity, gradients(params, X, y, LAM), RATE, MOMENTUM)
    yield all(differ(alike(got[name], params[name]), params[name], 1e-6, 1e-9) == 0 for name in params)


def equal(one: Params, other: Params) -> bool:
    """Whether two trainings end at the same weights, up to rounding."""
    return one.keys() == other.keys() and all(
        differ(alike(one[name], other[name]), other[name], 1e-9, 1e-12) == 0 for name in one
    )


def steps(
    student: Student, X: Tensor, y: Tensor, lam: float = LAM, keep: bool = True, count: int = FEW
) -> Params:
    """The parameters after some of the student's own steps from `initial(4, 9)`; empty if they give none.

    Args:
        keep: whether each step gets the velocity of the one before, not 0.
    """
    try:
        params = {name: numbers(value, name) for name, value in student.initial(4, 9).items()}
        velocity = still = {name: torch.zeros_like(value) for name, value in params.items()}
        for _ in range(count):
            pair = call(student.step, params, velocity if keep else still, X, y, lam, RATE, MOMENTUM)
            params, velocity = ({name: numbers(v, name) for name, v in part.items()} for part in pair)
    except (CheckFailed, AttributeError, TypeError, ValueError, LookupError):
        return {}
    return params


def step_is_wrong(student: Student) -> bool:
    """Whether the student's `step` gives a wrong result; its own checks judge that."""
    try:
        return not all(move.is_right() for move in moves(student))
    except CheckFailed:
        return False


def repeats_steps(student: Student) -> bool:
    """Whether some epochs of `fit` are as many of the student's own steps from the initial parameters."""
    X, y, *_ = data = data_set(72)
    params = steps(student, X, y)
    try:
        got = call(student.fit, *data, 4, LAM, FEW, 9)[0]
        return bool(params) and all(
            differ(alike(numbers(got[name], name), params[name]), params[name], RTOL, 1e-8) == 0
            for name in PARAMETERS
        )
    except (CheckFailed, AttributeError, TypeError, ValueError, LookupError):
        return False


# -- how many hidden units -------------------------------------------------------------------------------

UNITS = tuple(range(1, 11))
WELL = 0.15  # "does well", as the notebook defines it


def table_of(student: Student, draws: int = 1) -> dict[int, Tensor]:
    """The student's test errors by the number of hidden units.

    Raises:
        CheckFailed: there is none, it is not complete, or it has fewer draws.
    """
    table = student.unit_errors
    if not isinstance(table, Mapping) or not table:
        raise CheckFailed(
            "`unit_errors` is empty: finish `test_errors` and run the cell that fills the table"
        )
    errors = {}
    for units in UNITS:
        if units not in table:
            raise CheckFailed(f"`unit_errors` has no entry for {units} hidden units")
        values = numbers(table[units], f"the errors with {units} hidden units").flatten()
        if len(values) < draws:
            raise CheckFailed(
                f"with {units} hidden units there are errors of {len(values)} draws, fewer than {draws}"
            )
        errors[units] = values
    return errors


def expect_table(student: Student) -> None:
    """The table has errors of several draws, of a size that our training or the student's own `fit` gives."""
    table = table_of(student, draws=5)
    if any(float(values.std()) < 1e-6 * float(values.abs().max()) for values in table.values()):
        raise CheckFailed("the draws have the same error: each needs a data set and a start of its own")
    if len({round(float(values.quantile(0.5)), 9) for values in table.values()}) < 5:
        raise CheckFailed("the errors do not depend on the number of hidden units: is it handed to `fit`?")
    one, ten = (float(table[units].quantile(0.5)) for units in (1, 10))
    if 0.35 < one < 1.1 and 0 < ten < WELL:
        return
    for units, median in ((1, one), (10, ten)):
        usual = median_error(student, units)
        if not (usual < LEARNT or units == 1) or not usual / 5 < median < 5 * usual:
            raise CheckFailed(
                f"the median with {units} hidden unit{'s' * (units > 1)} is {median:.3g}, and your `fit` gives "
                f"{usual:.3g} on other data: are these normalised errors on the test set?"
            )


def expect_errors(student: Student) -> None:
    """The student's `test_errors` gives, for each draw, what `fit` does on this draw's data from this draw's start.

    It does so where all that it calls gives known values; or, if it goes about it in another way, with the student's
    own functions. With the second λ the error falls, then rises to 1 as the weights go to 0.
    """
    for lam, draws in ((3e-3, 2), (0.1, 1)):
        if not hands_on(student, 3, lam, draws):
            _expect_errors(student, 3, lam, draws)


def hands_on(student: Student, hidden: int, lam: float, draws: int) -> bool:
    """Whether `test_errors` calls `data_set` and `fit` for each draw, with what they should get, and returns the last
    error of the history or that of the parameters, whatever the student's own functions make of it."""
    epochs = int(numbers(student.EPOCHS, "EPOCHS"))
    known: Known = {name: [] for name in ("data_set", "fit", "forward", "normalised_error")}
    errors = []
    for draw in range(draws):
        (X, y), (X_test, y_test) = sample(6, 80 + draw), sample(7, 90 + draw)
        params = parameters(case(6, 2, hidden, 70 + draw))
        A, f = forward(params, X_test)
        errors.append(normalised_error(y_test, f))
        history = {
            "train": [errors[-1] / 4, errors[-1] / 5],
            "test": [2 * errors[-1], errors[-1] / 2, errors[-1]],
        }
        data = [X, y, X_test, y_test]
        known["data_set"].append(([draw], data))
        known["fit"].append(([*data, hidden, lam, epochs, draw], [params, history]))
        known["forward"].append(([params, X_test], [A, f]))
        known["normalised_error"].append(([y_test, f], errors[-1]))
    try:
        got = knowing(student.test_errors, known, hidden, lam, draws)
        return agree(numbers(got, "what `test_errors` returns").flatten(), torch.tensor(errors))
    except CheckFailed:
        return False


def _expect_errors(student: Student, hidden: int, lam: float, draws: int) -> None:
    own = numbers(call(student.test_errors, hidden, lam, draws), "what `test_errors` returns").flatten()
    if len(own) != draws:
        raise CheckFailed(f"for {draws} draws `test_errors` returns {len(own)} numbers")
    epochs = int(numbers(student.EPOCHS, "EPOCHS"))

    def history(data: int, seed: int, hidden: int = hidden, lam: float = lam) -> dict[str, Tensor]:
        pair = call(student.fit, *student.data_set(data), hidden, lam, epochs, seed)
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise CheckFailed("`fit` should return the parameters and a history")
        return {
            name: numbers(entry(pair[1], name, "fit"), f'the history "{name}"').flatten()
            for name in ("train", "test")
        }

    def near(got: Tensor, want: Tensor) -> bool:
        return bool((got - want).abs() <= 1e-6 * want.abs())

    rights = [history(draw, draw)["test"] for draw in range(draws)]
    if draws > 1 and all(near(right[-1], rights[0][-1]) for right in rights):
        raise CheckFailed("your `fit` ends with the same error on every data set: nothing follows from it")
    for draw, right in enumerate(rights):
        got = own[draw]
        if near(got, right[-1]):
            continue
        mistakes: dict[str, Callable[[int], Tensor]] = {
            "the smallest error of the training, and the last one is asked for": lambda d: history(d, d)[
                "test"
            ].min(),
            "an error on the training set": lambda d: history(d, d)["train"][-1],
            "the first error of the training, and the last one is asked for": lambda d: history(d, d)["test"][
                0
            ],
            "an error on data_set(0): every draw has a data set of its own": lambda d: history(0, d)["test"][
                -1
            ],
            "an error from the start with seed 0: every draw has a start of its own": (
                lambda d: history(d, 0)["test"][-1]
            ),
            "an error with ten hidden units, whatever `hidden` is": lambda d: history(d, d, hidden=10)[
                "test"
            ][-1],
            "an error without weight decay, whatever `lam` is": lambda d: history(d, d, lam=0)["test"][-1],
            "an error with λ = 0.0001, whatever `lam` is": lambda d: history(d, d, lam=1e-4)["test"][-1],
        }
        for meaning, wrong in mistakes.items():
            if near(got, wrong(draw)):
                raise CheckFailed(f"draw {draw}: this is {meaning}", cause=meaning)
        raise CheckFailed(
            f"draw {draw}: {got:.4g}, but the history of `fit(*data_set({draw}), {hidden}, {lam:g}, EPOCHS, {draw})` "
            f"ends at {right[-1]:.4g}"
        )


def expect_smallest(student: Student) -> None:
    """The number is the smallest one that does well in the student's own table."""
    value = student.smallest_number
    own = numbers(value, "`smallest_number`")
    if own.numel() != 1 or float(own.reshape(())) not in UNITS:
        raise CheckFailed("`smallest_number` should be a whole number from 1 to 10")
    number = int(own.reshape(()))
    medians = {units: float(values.quantile(0.5)) for units, values in table_of(student).items()}
    if len({round(m, 9) for m in medians.values()}) < 5:
        raise CheckFailed(
            "your table shows the same errors for all numbers of hidden units: nothing to choose by"
        )
    enough = [units for units in UNITS if medians[units] <= WELL]
    wanted = enough[0] if enough else None
    # torch.median takes the lower one of the two in the middle
    lower = [units for units, values in table_of(student).items() if float(values.median()) <= WELL]
    if number not in (wanted, *lower[:1]):
        if wanted is None:
            raise CheckFailed(f"in your table no number of hidden units has a median of {WELL:g} or less")
        where = "is not the first" if number in enough else f"has a median of {medians[number]:.3g}"
        raise CheckFailed(f"in your table {number} {where}: look for the first median of {WELL:g} or less")
