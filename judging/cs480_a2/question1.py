"""Question 1 of Assignment 2: right values, known mistakes, and the numbers that vary.

Three derivations (gradient descent, the CNN's table, the Transformer layer), how a student's answer to each of their
steps is read, and right results for the attention experiment. Every function takes the question's numbers.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import torch

from chainrule.judging.derivation import Answers, Derivation, Step
from chainrule.lesson.checks import numbers, shorten
from chainrule.lesson.student import CheckFailed, Student

Vector = torch.Tensor

THREE_DIGITS = 0.005  # relative; rounded or cut off after the third
TWO_DIGITS = 0.05
SIDE = 28  # of a Fashion-MNIST image
CLASSES = 10


def by_name(student: Student) -> Answers:
    """A student's answers, each under the step's name in the notebook."""
    return lambda name: getattr(student, name)


def unless_alike(answers: Answers, names: Sequence[str], step: str) -> Answers:
    """The answers, without those of these names if they are all the same.

    So no error is carried forward from one number that was typed in everywhere.

    Args:
        step: the step that is graded: its answer always counts.
    """

    def alike() -> bool:
        try:
            values = [numbers(answers(name), name).flatten().tolist() for name in names]
        except CheckFailed:  # there is no such answer
            return False
        return all(value == values[0] for value in values)

    def answer(name: str) -> Any:
        if name in names and name != step and alike():
            raise CheckFailed(f"{' and '.join(names)} are all the same")
        return answers(name)

    return answer


# -- 1.1: gradient descent -------------------------------------------------------------------------------


def quadratic(a: float, b: float, x0: Sequence[float], epsilon: float) -> Derivation:
    """Curvature, step sizes and numbers of iterations for f(x) = ½ (a x₁² + b x₂²), a > b > 0.

    Args:
        x0: where gradient descent starts; the minimum is at 0.
        epsilon: how close f has to come to its minimum.
    """
    squared = float(sum(x * x for x in x0))
    return Derivation(
        {},
        {
            "H": hessian_step(a, b),
            "verdict": VERDICT,
            "L": LARGEST,
            "m": SMALLEST,
            "t_convex": convex_step_size(squared, epsilon),
            "t_strongly": STRONGLY_CONVEX_STEP_SIZE,
            **convex_iterations(squared, epsilon),
            "k_strongly": strongly_convex_iterations(squared, epsilon),
        },
    )


def hessian_step(a: float, b: float) -> Step:
    """The Hessian of ½ (a x₁² + b x₂²)."""

    def plausible(H: Vector) -> bool:
        low, high = torch.linalg.eigvalsh(H).tolist()
        return bool(torch.equal(H, H.T)) and high - low > 0.01 * abs(high) and abs(low) > 1e-6

    return Step(
        (),
        lambda: torch.tensor([[a, 0], [0, b]]),
        {
            "it is twice the Hessian: the 1/2 in f cancels the 2 of the derivative": lambda: torch.tensor(
                [[2 * a, 0], [0, 2 * b]]
            ),
            "it is half the Hessian: the square's derivative brings a factor 2": lambda: torch.tensor(
                [[a / 2, 0], [0, b / 2]]
            ),
            "the two second derivatives are exchanged": lambda: torch.tensor([[b, 0], [0, a]]),
        },
        plausible,
    )


def eigenvalue(H: Vector, which: int) -> Vector:
    """An eigenvalue of the Hessian: 0 for the smallest, -1 for the largest."""
    values: Vector = torch.linalg.eigvalsh(H)
    return values[which]


def verdict(H: Vector) -> Vector:
    """Convex and strongly convex, as 1 or 0 each."""
    smallest = eigenvalue(H, 0)
    return torch.tensor([smallest > -1e-9, smallest > 1e-9], dtype=torch.float64)


def positive(value: Vector) -> bool:
    return bool(value > 0)


VERDICT = Step(
    ("H",),
    verdict,
    {
        "strongly convex means that all eigenvalues of H are positive": lambda H: (
            verdict(H) - torch.tensor([0, 1])
        ).abs(),
        "convex means that no eigenvalue of H is negative": lambda H: (
            verdict(H) - torch.tensor([1, 0])
        ).abs(),
        "the signs of the eigenvalues of H decide both": lambda H: 1 - verdict(H),
    },
)
LARGEST = Step(
    ("H",),
    lambda H: eigenvalue(H, -1),
    {
        "this is the smallest eigenvalue of H, which is m": lambda H: eigenvalue(H, 0),
        "this is half the largest eigenvalue of H": lambda H: eigenvalue(H, -1) / 2,
        "this is twice the largest eigenvalue of H": lambda H: eigenvalue(H, -1) * 2,
        "this is the sum of the eigenvalues of H": torch.trace,
    },
    positive,
)
SMALLEST = Step(
    ("H",),
    lambda H: eigenvalue(H, 0),
    {
        "this is the largest eigenvalue of H, which is L": lambda H: eigenvalue(H, -1),
        "this is half the smallest eigenvalue of H": lambda H: eigenvalue(H, 0) / 2,
        "this is twice the smallest eigenvalue of H": lambda H: eigenvalue(H, 0) * 2,
    },
    positive,
)
STRONGLY_CONVEX_STEP_SIZE = Step(
    ("m", "L"),
    lambda m, L: 2 / (m + L),
    {
        "this is the bound of the convex theorem": lambda m, L: 1 / L,
        "the numerator is 2": lambda m, L: 1 / (m + L),
        "m is missing in the denominator": lambda m, L: 2 / L,
        "this is (m + L)/2, and the bound is its reciprocal": lambda m, L: (m + L) / 2,
        "m and L are added, not subtracted": lambda m, L: 2 / (L - m),
    },
    positive,
)


def convex_step_size(squared: float, epsilon: float) -> Step:
    """The bound 1/L.

    Args:
        squared: ‖x⁽⁰⁾ − x*‖².
    """
    return Step(
        ("L", "m"),
        lambda L, m: 1 / L,
        {
            "this is the bound of the strongly convex theorem": lambda L, m: 2 / (m + L),
            "the largest curvature limits the step, not the smallest": lambda L, m: 1 / m,
            "this is 2/L, where gradient descent stops converging": lambda L, m: 2 / L,
            "this is L, and the bound is its reciprocal": lambda L, m: L,
        },
        lambda t: bool(0 < t < squared / (20 * epsilon)),  # at least ten iterations
    )


# The right numbers of iterations below are a bound plus one half. So the bound rounded up differs from them by at most
# one half: for the bound 65.6 that is 66.1, and 66 is 0.1 away.


def convex_iterations(squared: float, epsilon: float) -> dict[str, Step]:
    """ "k_convex" from the step size, and "k_convex_from_L" if the step size is taken from L."""

    def count(t: float | Vector, squared: float = squared) -> float | Vector:
        return squared / (2 * t * epsilon) + 0.5

    mistakes = {
        "the 2 of 2tk is missing": lambda t: count(t / 2),
        "‖x⁽⁰⁾ − x*‖² is the sum of the squares of both entries": lambda t: count(t, 1.0),
        "the norm is to be squared": lambda t: count(t, squared**0.5),
        "with this k the bound is still above ε: round up": lambda t: count(t) - 1,
    }
    return {
        "k_convex": Step(("t_convex",), count, mistakes),
        "k_convex_from_L": Step(("L",), lambda L: count(1 / L)),
    }


def strongly_convex_iterations(squared: float, epsilon: float) -> Step:
    """The k with γᵏ (L/2) ‖x⁽⁰⁾ − x*‖² = ε, plus one half."""

    def by_rate(rate: Vector, first: Vector | float) -> float:
        """The k with rate**k · first = epsilon, plus one half."""
        return math.log(float(first) / epsilon) / -math.log(float(rate)) + 0.5

    def count(L: Vector, m: Vector, start: float = squared, half: float = 0.5) -> float:
        return by_rate(1 - m / L, half * L * start)

    return Step(
        ("L", "m"),
        count,
        {
            "with this k the bound is still above ε: round up": lambda L, m: count(L, m) - 1,
            "‖x⁽⁰⁾ − x*‖² is the sum of the squares of both entries": lambda L, m: count(L, m, 1.0),
            "the norm is to be squared": lambda L, m: count(L, m, squared**0.5),
            "the factor L/2 is missing": lambda L, m: by_rate(1 - m / L, squared),
            "the factor is L/2, not L": lambda L, m: count(L, m, half=1.0),
            "the factor is L/2, not 1/2": lambda L, m: by_rate(1 - m / L, squared / 2),
            "γ is 1 − m/L, not m/L": lambda L, m: by_rate(m / L, L / 2 * squared),
            "this γ belongs to the step 2/(m + L), not to 1/L": lambda L, m: by_rate(
                (L - m) / (L + m), L / 2 * squared
            ),
        },
    )


def truth(value: Any, name: str) -> float:
    """A yes or no as 1 or 0.

    Raises:
        CheckFailed: it is neither.
    """
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    text = str(value).strip().rstrip(".!").lower()
    for answer, words in ((1.0, ("true", "yes", "y", "1", "1.0")), (0.0, ("false", "no", "n", "0", "0.0"))):
        if text in words:
            return answer
    raise CheckFailed(f"{name} is {shorten(value)}, expected True or False")


def expect_curvature(chain: Derivation, student: Student, name: str) -> None:
    """H, L, m, or the verdict (convex and strongly convex) is right or follows from the student's H."""

    def answer(name: str) -> Any:
        if name != "verdict":
            return getattr(student, name)
        return [truth(getattr(student, word), word) for word in ("convex", "strongly_convex")]

    chain.expect(answer, name, called="convex and strongly_convex" if name == "verdict" else name)


def expect_step_size(chain: Derivation, student: Student, name: str) -> None:
    """A step size is right to three digits or follows from the student's L and m."""
    answers = unless_alike(by_name(student), ("L", "m"), name)
    chain.expect(answers, name, rtol=THREE_DIGITS)


def expect_iterations(chain: Derivation, student: Student, name: str) -> None:
    """A number of iterations is its bound rounded up, from the student's step size, L and m.

    For the right step size the convex bound is a whole number: that number counts, and the next one, which a strict
    inequality or floating point gives. For the strongly convex bound every k counts that follows from logarithms of
    three digits.
    """
    k = iteration_count(getattr(student, name), name)
    answers = unless_alike(by_name(student), ("L", "m"), name)
    if name == "k_convex":
        with contextlib.suppress(CheckFailed):  # the step may have been taken from L, whatever t_convex is
            chain.expect(
                lambda step: k if step == "k_convex_from_L" else answers(step), "k_convex_from_L", atol=0.5001
            )
            return
    rtol, atol = (0.0, 0.5001) if name == "k_convex" else (THREE_DIGITS, 0.5)
    try:
        chain.expect(answers, name, rtol=rtol, atol=atol)
    except CheckFailed as failure:
        other = "k_strongly" if name == "k_convex" else "k_convex"
        if str(failure).startswith(f"{name}:") or "does not follow" in str(failure):
            raise
        if abs(k - float(chain.values[other])) <= 0.51:
            raise CheckFailed(f"{name}: this is the k of the other bound") from None
        raise CheckFailed(f"{name} is {k:g}, not the smallest k whose bound is at most ε") from None


def iteration_count(value: Any, name: str) -> float:
    """The student's number of iterations.

    Raises:
        CheckFailed: it is not a single whole number above 0.
    """
    got = numbers(value, name)
    if got.numel() != 1:
        raise CheckFailed(f"{name} has shape {tuple(got.shape)}, expected one number")
    k = float(got)
    if abs(k - round(k)) > 1e-6:
        raise CheckFailed(f"{name} is {k:g}: an iteration count is a whole number, so round up")
    if k < 1:
        raise CheckFailed(f"{name} is {k:g}, expected at least one iteration")
    return k


# -- 1.2: the CNN ----------------------------------------------------------------------------------------

LAYERS = ("conv", "norm", "pool", "conv", "norm", "pool", "dropout", "linear")
CHANGING = ("size 1", "size 3", "size 4", "size 6")  # the layers that make another size
LEARNING = (1, 2, 4, 5, 8)


def slide(size: Vector, window: int, stride: int, channels: float | Vector, fit: Any = torch.floor) -> Vector:
    """The size (H, W, C) after a window × window kernel: 1 + (m − a)/s by 1 + (n − b)/s, rounded down.

    Raises:
        ValueError: the kernel is larger than the input.
    """
    if bool((size[:2] < window).any()):
        raise ValueError("the kernel is larger than its input")
    height, width = (fit(1 + (side - window) / stride) for side in size[:2])
    return torch.stack([height, width, torch.as_tensor(channels, dtype=torch.float64)])


def conv_size(kernel: int, filters: int) -> Step:
    """The size after a convolution with stride 1; the step's needs are added by `layer_steps`."""

    def sides(size: Vector, less: int) -> Vector:
        return torch.stack([size[0] - less, size[1] - less, torch.tensor(float(filters))])

    return Step(
        (),
        lambda size: slide(size, kernel, 1, filters),
        {
            "without padding the image gets smaller": lambda size: sides(size, 0),
            "the 1 + of the formula is missing": lambda size: sides(size, kernel),
            "the stride is 1": lambda size: slide(size, kernel, 2, filters),
            "every filter makes one channel": lambda size: slide(size, kernel, 1, size[2]),
            "a filter reads all input channels and makes one": lambda size: slide(
                size, kernel, 1, size[2] * filters
            ),
            "height and width come first, channels last: (H, W, C)": lambda size: slide(
                size, kernel, 1, filters
            ).roll(1),
        },
    )


def pool_size(window: int) -> Step:
    """The size after max-pooling; the step's needs are added by `layer_steps`."""

    def pooled(size: Vector, stride: int = window, channels: float = 1.0, fit: Any = torch.floor) -> Vector:
        return slide(size, window, stride, size[2] * channels, fit)

    return Step(
        (),
        pooled,
        {
            f"the windows are {window} apart, not 1": lambda size: pooled(size, 1),
            "the 1 + of the formula is missing": lambda size: pooled(size) - torch.tensor([1, 1, 0]),
            "a window that does not fit is dropped: round down": lambda size: pooled(size, fit=torch.ceil),
            "every channel is pooled on its own, so their number stays": lambda size: pooled(
                size, channels=1 / window
            ),
            "pooling makes the image smaller": lambda size: size,
            "height and width come first, channels last: (H, W, C)": lambda size: pooled(size).roll(1),
        },
    )


def conv_count(kernel: int, filters: int) -> Step:
    """The parameters of a convolution; the step's needs are added by `layer_steps`."""

    def count(size: Vector, bias: float | Vector = filters) -> Vector:
        return kernel * kernel * size[2] * filters + bias

    return Step(
        (),
        count,
        {
            "the biases are forgotten, one for each filter": lambda size: count(size, 0),
            "the input channels are forgotten": lambda size: kernel * kernel * filters + filters,
            "the input channels and the biases are forgotten": lambda size: kernel * kernel * filters,
            "this is one filter; there are more": lambda size: kernel * kernel * size[2] + 1,
            "there is one bias for the whole layer": lambda size: count(size, 1),
            "there is one bias for each filter, not for each pair of channels": lambda size: count(
                size, filters * size[2]
            ),
        },
    )


NORM_COUNT = Step(
    (),
    lambda size: 2 * size[2],
    {
        "running mean and variance are not learnt: only γ and β count": lambda size: 4 * size[2],
        "γ and β both count": lambda size: size[2],
        "there is one γ and one β for each channel, not for each pixel": lambda size: 2 * size.prod(),
    },
)


def linear_count(units: int) -> Step:
    """The parameters of the last layer; the step's needs are added by `layer_steps`."""
    return Step(
        (),
        lambda size: size.prod() * units + units,
        {
            "the biases are forgotten, one for each unit": lambda size: size.prod() * units,
            "all H·W·C numbers go in, not one for each channel": lambda size: size[2] * units + units,
            "all H·W·C numbers go in, not one channel": lambda size: size[0] * size[1] * units + units,
            "there is one bias for each unit": lambda size: size.prod() * units + 1,
        },
    )


def network(
    filters: Sequence[int], kernels: Sequence[int], pool: int, classes: int, hidden: int
) -> Derivation:
    """Sizes and parameters of the CNN, layer by layer, and parameters of a network with one hidden layer.

    Steps are "size 1" to "size 8", (H, W, C) each; "count 1" to "count 8"; "counts", all of them; "total";
    "fully_connected" and "times_as_many".

    Args:
        filters: of the two convolutions.
        kernels: their sides.
        pool: side and stride of the pooling windows.
        hidden: units of the other network's hidden layer.
    """
    given = {"size 0": [SIDE, SIDE, 1]}
    steps = layer_steps(filters, kernels, pool, classes)
    values = Derivation(given, steps).values
    right = torch.stack([values[f"count {layer}"] for layer in range(1, 9)])
    norms = torch.tensor([0.0, 1, 0, 0, 1, 0, 0, 0])
    total = Step(
        ("counts",),
        torch.sum,
        {"the BatchNorm layers are left out": lambda counts: (counts * (1 - norms)).sum()},
        lambda total: bool(total > right.sum() / 100),
    )
    times_as_many = Step(
        ("fully_connected", "total"),
        lambda dense, total: dense / total,
        {
            "it is upside down": lambda dense, total: total / dense,
            "this is how many times more; the question is how many times as many": lambda dense, total: (
                dense / total - 1
            ),
            "this is the difference; the question is how many times as many": lambda dense, total: (
                dense - total
            ),
        },
    )
    steps |= {"counts": counted(right), "total": total}
    steps |= {"fully_connected": fully_connected(hidden, classes), "times_as_many": times_as_many}
    return Derivation(given, steps)


def layer_steps(filters: Sequence[int], kernels: Sequence[int], pool: int, classes: int) -> dict[str, Step]:
    """The CNN's sizes and counts, "size 1" to "size 8" and "count 1" to "count 8"."""
    same = Step((), lambda size: size, {})
    nothing = Step((), lambda: 0.0)
    sizes = [
        conv_size(kernels[0], filters[0]),
        same,
        pool_size(pool),
        conv_size(kernels[1], filters[1]),
        same,
        pool_size(pool),
        same,
    ]
    steps = {
        f"size {layer}": Step(
            (f"size {layer - 1}",), step.rule, step.mistakes, lambda size: bool((size >= 1).all())
        )
        for layer, step in enumerate(sizes, 1)
    }
    steps["size 8"] = Step((), lambda: [1.0, 1.0, float(classes)])
    counts = {
        1: conv_count(kernels[0], filters[0]),
        2: NORM_COUNT,
        4: conv_count(kernels[1], filters[1]),
        5: NORM_COUNT,
        8: linear_count(classes),
    }
    for layer in range(1, 9):
        step = counts.get(layer, nothing)
        # A BatchNorm's output has the size of its input; the other counts need the size of the input.
        needs = (f"size {layer - 1}",) if layer in counts else ()
        steps[f"count {layer}"] = Step(needs, step.rule, step.mistakes)
    return steps


def fully_connected(hidden: int, classes: int) -> Step:
    """The parameters of the network with one hidden layer."""
    inputs = SIDE * SIDE
    count = inputs * hidden + hidden + hidden * classes + classes
    return Step(
        (),
        lambda: float(count),
        {
            "the biases are forgotten": lambda: float(count - hidden - classes),
            "the output layer's biases are forgotten": lambda: float(count - classes),
            "the hidden layer's biases are forgotten": lambda: float(count - hidden),
            "the output layer is missing": lambda: float(inputs * hidden + hidden),
            "the hidden layer is missing": lambda: float(inputs * classes + classes),
        },
        lambda value: bool(value > count / 10),
    )


def counted(right: Vector) -> Step:
    """A table of parameter counts. Its sum follows from a wrong table only if two entries or more are right."""
    return Step((), lambda: right, {}, lambda own: bool((own >= 0).all()) and int((own == right).sum()) >= 2)


def table(value: Any, name: str, length: int) -> list[Any]:
    """The entries of a table: from a list, tuple or array, or from a dict by layer. The input may be its first entry.

    Raises:
        CheckFailed: it is none of these.
    """
    if isinstance(value, Mapping):
        keys = list(value)
        value = [value[key] for key in (sorted(keys) if all(isinstance(key, int) for key in keys) else keys)]
    elif hasattr(value, "tolist"):
        value = value.tolist()
    if not isinstance(value, list | tuple):
        raise CheckFailed(f"{name} is {shorten(value)}, expected a list of {length}")
    return list(value[1:] if len(value) == length + 1 else value)


def entry(entries: Sequence[Any], layer: int) -> Any:
    """A layer's entry of a table. Layers are counted from 1.

    Raises:
        CheckFailed: there is none.
    """
    if layer > len(entries):
        raise CheckFailed(f"layer {layer} is missing: the table has {len(entries)} entries")
    return entries[layer - 1]


class CnnAnswers:
    """A student's table of the CNN, by the names of the steps of `network`.

    `rolled` says that all sizes are in the order (C, H, W): then they are read in this order, and only the first layer
    loses its points.
    """

    def __init__(self, chain: Derivation, student: Student) -> None:
        self.chain = chain
        self.student = student
        # Layers 1 to 6 have square sizes; missing ones don't count.
        triples = [triple for layer in range(1, 7) if (triple := self._triple(layer)) is not None]
        self.rolled = len(triples) > 1 and all(c != h and h == w for c, h, w in triples)

    def __call__(self, name: str) -> Any:
        kind, _, layer = name.partition(" ")
        if kind == "size":
            return self.size(int(layer))
        if kind == "count":
            return entry(table(self.student.layer_parameters, "layer_parameters", 8), int(layer))
        if kind == "counts":
            return table(self.student.layer_parameters, "layer_parameters", 8)
        return getattr(self.student, "total_parameters" if kind == "total" else name)

    def size(self, layer: int) -> Vector:
        """A layer's size as (H, W, C)."""
        given = numbers(self._given(layer), f"layer {layer}").flatten()
        if given.numel() == 3 and not (layer == 7 and bool((given[:2] == 1).all())):
            return given.roll(-1) if self.rolled and layer < 8 else given
        if layer == 8 and given.numel() == 1:
            return torch.stack([torch.ones(()), torch.ones(()), given[0]]).double()
        if layer == 7 and given.numel() in (1, 3):  # flattened before dropout
            for pooled in self._pooled():
                if float(pooled.prod()) == float(given[-1]):
                    return pooled
            return torch.stack([torch.ones(()), torch.ones(()), given[-1]]).double()
        answer = shorten(self._given(layer), 30)
        raise CheckFailed(f"layer {layer} is {answer}, expected three numbers (H, W, C)")

    def _pooled(self) -> list[Vector]:
        try:
            return [self.size(6), self.chain.values["size 6"]]
        except CheckFailed:
            return [self.chain.values["size 6"]]

    def _given(self, layer: int) -> Any:
        given = entry(table(self.student.layer_sizes, "layer_sizes", 8), layer)
        return given.replace("×", "x") if isinstance(given, str) else given  # no product, but sizes

    def _triple(self, layer: int) -> list[float] | None:
        try:
            given = numbers(self._given(layer), "").flatten().tolist()
        except CheckFailed:
            return None
        return given if len(given) == 3 else None


def expect_size(chain: Derivation, student: Student, layer: int) -> None:
    """A layer's size is right or follows from the student's size of the layer before it."""
    answers = CnnAnswers(chain, student)
    answers.size(layer)
    if layer == 1 and answers.rolled:
        raise CheckFailed("layer 1: height and width come first, channels last: (H, W, C)")
    step = f"size {layer}"
    chain.expect(unless_alike(answers, CHANGING, step), step, called=f"layer {layer}")


def expect_count(chain: Derivation, student: Student, layer: int) -> None:
    """A layer's parameters are right or follow from the student's sizes."""
    answers, step = CnnAnswers(chain, student), f"count {layer}"
    chain.expect(unless_alike(answers, CHANGING, step), step, called=f"layer {layer}")


def expect_no_parameters(chain: Derivation, student: Student) -> None:
    """Pooling and dropout have no parameters, in a table where other layers have some."""
    answers = CnnAnswers(chain, student)
    counts = {layer: numbers(answers(f"count {layer}"), f"layer {layer}") for layer in range(1, 9)}
    if not any(bool(counts[layer].any()) for layer in LEARNING):
        raise CheckFailed("the table holds nothing but zeros")
    for layer, count in counts.items():
        if layer not in LEARNING and bool(count.any()):
            raise CheckFailed(f"layer {layer}: {LAYERS[layer - 1]} has nothing to learn")


def expect_whole_network(chain: Derivation, student: Student, name: str) -> None:
    """The total, the other network's parameters or their ratio is right or follows from the student's numbers."""
    called = "total_parameters" if name == "total" else name
    rtol = TWO_DIGITS if name == "times_as_many" else 0.0
    chain.expect(CnnAnswers(chain, student), name, called=called, rtol=rtol)


# -- 1.3: the Transformer layer --------------------------------------------------------------------------

ENCODER = ("W_Q", "W_K", "W_V", "W_O", "W_1", "b_1", "W_2", "b_2", "norm_1", "norm_2")


def encoder(d: int, heads: int, d_ff: int) -> Derivation:
    """Parameters of one Transformer encoder layer without biases in attention: `ENCODER`, "counts" and "total"."""

    def square() -> float:
        return float(d * d)

    projection = Step(
        (),
        square,
        {
            "the heads share the d columns, so their number does not multiply": lambda: square() * heads,
            "this is one head's part of the matrix; count all heads": lambda: square() / heads,
            "this is one head's d_k × d_k; the matrix is d × d": lambda: (d / heads) ** 2,
            "the projections have no biases here": lambda: square() + d,
        },
    )
    norm = Step(
        (),
        lambda: 2.0 * d,
        {
            "γ and β both count": lambda: float(d),
            "this is both LayerNorms; count each for itself": lambda: 4.0 * d,
            "LayerNorm works on d numbers, not on d_ff": lambda: 2.0 * d_ff,
            "LayerNorm keeps no running statistics": lambda: 3.0 * d,
        },
    )

    def weight(bias: str, length: int) -> Step:
        return Step(
            (),
            lambda: float(d * d_ff),
            {
                f"{bias} has its own entry": lambda: float(d * d_ff + length),
                "the matrix goes between d and d_ff": square,
            },
        )

    def bias(length: int, other: int) -> Step:
        return Step(
            (),
            lambda: float(length),
            {
                f"there is one bias for each of the layer's outputs, not for its {other} inputs": lambda: (
                    float(other)
                )
            },
        )

    steps = dict.fromkeys(ENCODER[:4], projection) | {
        "W_1": weight("b_1", d_ff),
        "b_1": bias(d_ff, d),
        "W_2": weight("b_2", d),
        "b_2": bias(d, d_ff),
        "norm_1": norm,
        "norm_2": norm,
    }
    chain = Derivation({}, steps)
    right = torch.stack([chain.values[name] for name in ENCODER])
    steps["counts"] = counted(right)
    steps["total"] = Step(
        ("counts",),
        torch.sum,
        {
            "a LayerNorm is missing": lambda counts: counts[:-1].sum(),
            "both LayerNorms are missing": lambda counts: counts[:-2].sum(),
            "the feed-forward sublayer is missing": lambda counts: counts[:4].sum() + counts[8:].sum(),
            "W_2 and b_2 are missing": lambda counts: counts[:6].sum() + counts[8:].sum(),
            "the biases are missing": lambda counts: counts.sum() - counts[5] - counts[7],
            "W_O is missing": lambda counts: counts.sum() - counts[3],
        },
    )
    return Derivation({}, steps)


def expect_encoder(chain: Derivation, student: Student, name: str) -> None:
    """An entry of the encoder's table is right, or the total is or follows from the student's entries."""

    def lookup(name: str) -> Any:
        given = student.encoder_parameters
        if not isinstance(given, Mapping):
            raise CheckFailed("encoder_parameters should be a dict such as the one in the stub")
        by_letters = {re.sub(r"[\W_]", "", str(key)).lower(): value for key, value in given.items()}
        key = name.replace("_", "").lower()
        for spelling in (key, key.replace("norm", "layernorm"), key.replace("norm", "ln")):
            if spelling in by_letters:
                return by_letters[spelling]
        raise CheckFailed(f'there is no encoder_parameters["{name}"]')

    def answer(name: str) -> Any:
        if name == "counts":
            return [lookup(entry) for entry in ENCODER]
        return student.encoder_total if name == "total" else lookup(name)

    chain.expect(answer, name, called="encoder_total" if name == "total" else name)


def scores(q: Vector, k: Vector, scaled: bool, scale: Callable[[int], float] = math.sqrt) -> Vector:
    """Dot products of queries (n_queries, d_k) and keys (n_keys, d_k), as (n_queries, n_keys)."""
    products = q @ k.T
    return products / scale(q.shape[1]) if scaled else products


def entropy(p: Vector) -> Vector:
    """Entropy in nats of each row of probabilities, (rows, n) to (rows,); 0 · log 0 is 0."""
    parts: Vector = torch.special.entr(p)
    return parts.sum(1)


# -- numbers ---------------------------------------------------------------------------------------------


def draw(random: Random | None) -> dict[str, object]:
    """The question's numbers, and the texts of mark schemes with them: the handout's, or others of equal difficulty.

    Args:
        random: None for the handout's.
    """
    return draw_quadratic(random) | draw_network(random) | draw_encoder(random)


def draw_quadratic(random: Random | None) -> dict[str, object]:
    """Curvatures a > b and ε. The convex bound is a whole number, the strongly convex one is not close to one."""
    a, b, epsilon = 10, 1, 0.01
    start = (1, 1)
    while random:
        a, b = random.choice([8, 10, 12, 16, 20, 25]), random.choice([1, 2, 4])
        epsilon = random.choice([0.01, 0.02, 0.005])
        if a / b >= 4 and 0.15 <= bounds(a, b, start, epsilon)[1] % 1 <= 0.85:
            break
    convex, strongly = bounds(a, b, start, epsilon)
    gamma = 1 - b / a
    second = rf"{b}\," if b > 1 else ""
    return {
        "q1_1_a": a,
        "q1_1_b": b,
        "q1_1_f": rf"\tfrac{{1}}{{2}}\left({a}\,x_1^2 + {second}x_2^2\right)",
        "q1_1_gradient": rf"({a}\,x_1, {second}x_2)^\top",
        "q1_1_epsilon": epsilon,
        "q1_1_t_convex": f"{1 / a:.4g}",
        "q1_1_t_strongly": f"{2 / (a + b):.4f}",
        "q1_1_sum": a + b,
        "q1_1_gamma": f"{gamma:.4g}",
        "q1_1_convex": a,  # ‖x0‖²/(2t) for x0 = (1, 1) and t = 1/L
        "q1_1_ratio": f"{a / epsilon:.4g}",
        "q1_1_bound": f"{strongly:.2f}",
        "q1_1_k_convex": round(convex),
        "q1_1_k_strongly": math.ceil(strongly),
        "q1_1_k_less": math.ceil(strongly) - 1,
    }


def bounds(a: float, b: float, x0: Sequence[float], epsilon: float) -> tuple[float, float]:
    """How many iterations the convex and the strongly convex theorem ask for, as real numbers."""
    values = quadratic(a, b, x0, epsilon).values
    return float(values["k_convex"]) - 0.5, float(values["k_strongly"]) - 0.5


def draw_network(random: Random | None) -> dict[str, object]:
    """Filters, kernels and hidden units, such that every window fits."""
    filters, kernels, hidden = (16, 32), (5, 3), 256
    if random:
        kernels = random.choice([(5, 3), (5, 5), (3, 4), (3, 2), (7, 2), (7, 4)])
        filters = random.choice([(8, 16), (8, 24), (12, 24), (16, 24), (16, 32), (20, 40)])
        hidden = random.choice([128, 200, 256, 300])
    values = network(filters, kernels, 2, CLASSES, hidden).values
    (c1, c2), (a1, a2) = filters, kernels
    variables: dict[str, object] = {
        "q1_2_c1": c1,
        "q1_2_c2": c2,
        "q1_2_a1": a1,
        "q1_2_a2": a2,
        "q1_2_hidden": hidden,
    }
    for layer in range(1, 9):
        height, width, channels = (int(x) for x in values[f"size {layer}"])
        variables[f"q1_2_s{layer}"] = height
        variables[f"q1_2_size{layer}"] = f"{height} × {width} × {channels}"
        variables[f"q1_2_n{layer}"] = int(values[f"count {layer}"])
    dense, total = int(values["fully_connected"]), int(values["total"])
    variables["q1_2_flat"] = int(values["size 7"].prod())
    variables |= {
        "q1_2_total": f"{total:,}",
        "q1_2_dense": f"{dense:,}",
        "q1_2_times": f"{dense / total:.1f}",
    }
    return variables


def draw_encoder(random: Random | None) -> dict[str, object]:
    """Sizes of a Transformer layer."""
    d, heads = (256, 8)
    if random:
        d, heads = random.choice([(128, 4), (192, 6), (256, 8), (320, 8), (384, 6), (384, 12), (512, 8)])
    return {"q1_3_d": d, "q1_3_heads": heads, "q1_3_d_ff": 4 * d}
