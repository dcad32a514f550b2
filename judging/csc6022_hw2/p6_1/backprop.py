"""6.1c: each value of backpropagation up to a factor, with error carried forward; the factor has a check of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache, cached_property, partial
from typing import Any

import torch
from torch import Tensor

from chainrule.judging.derivation import Derivation, Step, alike, applied, telling
from chainrule.lesson.calls import call, entry
from chainrule.lesson.checks import differ, numbers
from chainrule.lesson.student import CheckFailed, Student, StudentError
from judging.csc6022_hw2.p6_1.network import expect_vector
from judging.csc6022_hw2.p6_1.reference import ATOL, CASES, PARAMETERS, RTOL, case, near, parameters
from judging.csc6022_hw2.p6_1.replaced import flipped, forward_is_wrong, knowing, known_backprop


def slope(t: Tensor) -> Tensor:
    """σ′(t)."""
    return torch.sigmoid(t) * (1 - torch.sigmoid(t))


BACKPROP = {
    "A": Step(("z",), torch.sigmoid, {"the sigmoid is missing": lambda z: z}),
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


def slip(
    activation: Callable[[Tensor], Tensor], biases: bool
) -> Callable[[Mapping[str, Tensor]], dict[str, Tensor]]:
    """A and f of a forward pass with another activation, or without the hidden biases."""

    def run(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        A = activation(given["X"] @ given["W"].T + (given["b"] if biases else 0))
        return {"A": A, "f": A @ given["v"] + given["c"]}

    return run


SLIPS = {
    "the sigmoid is missing": slip(lambda z: z, True),
    "the biases b are missing": slip(torch.sigmoid, False),
    "tanh takes the place of the sigmoid": slip(torch.tanh, True),
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
        W, b, X = (self.given[name] for name in ("W", "b", "X"))
        self.answer = self._answer()
        steps = {name: replace(step, plausible=partial(self.alive, name)) for name, step in BACKPROP.items()}
        self.chain = UpToFactor({**self.given, "z": X @ W.T + b}, steps)
        self.sizes = N, D, H, seed

    def _answer(self) -> Any:
        """What `backprop` returns; where a wrong `forward` stops it, with a right one in its place."""
        arguments = parameters(self.given), self.given["X"], self.given["y"]
        try:
            return call(self.student.backprop, *arguments)
        except StudentError:
            if not forward_is_wrong(self.student):
                raise
            known = {"forward": known_backprop(*arguments)["forward"]}
            return knowing(self.student.backprop, known, *arguments)

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
        """A and f that `backprop` goes on from: those of `forward`, or of a pass of its own with a known mistake; empty
        if `forward` gives something else."""
        if self.own_pass:
            return SLIPS[self.own_pass](self.given)
        with suppress(CheckFailed, TypeError, ValueError):
            pair = call(self.student.forward, parameters(self.given), self.given["X"])
            A, f = (numbers(part, "the result") for part in pair)
            return {"A": A, "f": expect_vector(f, self.N, "f")}
        return {}

    @cached_property
    def own_pass(self) -> str:
        """Which of SLIPS explains "delta", if `forward` is right; "" if none does."""
        right = self.chain.values
        try:
            own = self.answers("delta")
        except CheckFailed:
            return ""
        if ratio(own, right["delta"]) is not None or forward_is_wrong(self.student):
            return ""
        return next(
            (
                slip
                for slip, of in SLIPS.items()
                if ratio(own, of(self.given)["f"] - self.given["y"]) is not None
            ),
            "",
        )

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
            hint = ": it is transposed" if tuple(flipped(value).shape) == shape else _along(key)
            raise CheckFailed(f'"{key}" has shape {tuple(value.shape)}, not {shape}{hint}')
        return value

    def factors(self, step: str) -> list[tuple[float, bool]]:
        """Numbers k such that the student's value is k times what follows from earlier values, right or the student's.

        With each k comes whether the first of these earlier values is the right one.

        Raises:
            CheckFailed: there is none; a known mistake is named.
        """
        own, rule, called = self.answers(step), self.chain.steps[step].rule, f'"{key_of(step)}"'
        if step == "delta" and self.own_pass:
            raise CheckFailed(
                f"{called}: {self.own_pass} in the forward pass of `backprop`, not in `forward`"
            )
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
        known = (
            common_factors(N, len(self.given["W"][0]))
            if absolute
            else dict.fromkeys((1.0, 2.0, 0.5, 1 / N, 2 / N), "")
        )
        for value, meaning in known.items():
            if near(k, value):
                if meaning:
                    raise CheckFailed(meaning)
                return
            if absolute and near(k, -value):
                rest = f"; besides, {meaning}" if meaning else ""
                raise CheckFailed(f"the sign is turned: δ has f − y, not y − f{rest}")
        raise CheckFailed(f"the gradients are {k:.4g} times those of J")


def common_factors(N: int, D: int) -> dict[float, str]:
    """What a factor of all gradients means, for N points of D inputs; "" for the right one."""
    return {
        1.0: "",
        N: "the factor 1/N of the mean is missing",
        1 / N: "1/N is there twice",
        0.5: "the factor 2 of the squared error's derivative is lost",
        2.0: "a factor 2 is too much",
        N / 2: "both factors, 2 and 1/N, are missing",
        0.5 / N: "1/N is there twice, and the factor 2 is lost",
        2 / N: "1/N is there twice, and a factor 2 is too much",
        N / D: "divided by D, the number of inputs, not by N, the number of points",
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


def _along(name: str) -> str:
    """What a bias's wrong shape means."""
    if name == "b":
        return ": sum over the samples, one number for each hidden unit"
    return ": sum over the samples" if name == "c" else ""


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
