"""Question 2 of Assignment 2, backpropagation by hand: right values, known mistakes, and the numbers that vary.

Shapes, with D inputs, K hidden neurons, C classes: x (D,), W (K, D), b1, z, h (K,), U (C, K), b2, theta, p_hat (C,).
Everything is float64. A gradient is called d… and has the shape of what it belongs to. Classes and neurons are
counted from 0.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from chainrule.judging.derivation import FOUR_DECIMALS, Answers, Derivation, Rule, Step, alike
from chainrule.lesson.checks import differ, numbers
from chainrule.lesson.student import CheckFailed, Student, StudentError, kind_of, returned

GRADIENTS = ("dtheta", "dU", "db2", "dh", "dz", "dW", "db1")
ROUNDED = "rounded too early, four decimals are asked for"


def one_hot(y: Tensor, like: Tensor) -> Tensor:
    """1 at entry y, 0 elsewhere, of the shape of `like`.

    Raises:
        IndexError: there is no such entry.
    """
    if not 0 <= int(y) < len(like):
        raise IndexError(f"no class {int(y)} among {len(like)}")
    return torch.eye(len(like), dtype=torch.float64)[int(y)]


def entry(values: Tensor, y: Tensor) -> Tensor:
    """The entry of class y."""
    return values @ one_hot(y, values)


# -- the steps of both parts -----------------------------------------------------------------------------


def softmax_step(logits: str) -> Step:
    """Probabilities from logits."""
    return Step(
        (logits,),
        lambda v: v.softmax(0),
        {
            "not normalised: divide by the sum of all e^θ_j": lambda v: v.exp(),
            "the logits themselves are normalised, without the exponential": lambda v: v / v.sum(),
            "the softmax of −θ": lambda v: (-v).softmax(0),
            "powers of 2 in place of e": lambda v: (v * math.log(2)).softmax(0),
            "powers of 10 in place of e": lambda v: (v * math.log(10)).softmax(0),
            "e^θ is divided by its largest entry, not by the sum": lambda v: (v - v.max()).exp(),
            "this is the logarithm of the softmax": lambda v: v.log_softmax(0),
            ROUNDED: lambda v: v.softmax(0).mul(100).round() / 100,
            f"{ROUNDED} (three are given)": lambda v: v.softmax(0).mul(1000).round() / 1000,
        },
        plausible=lambda p: bool((p > 0).all() or (p < 0).all()),  # or their logarithms
    )


def loss_step(p: str) -> Step:
    """Cross-entropy J = −log p̂_y."""
    return Step(
        (p, "y"),
        lambda p, y: -entry(p, y).log(),
        {
            "the minus sign is missing": lambda p, y: entry(p, y).log(),
            "a logarithm to base 2; J uses the natural one": lambda p, y: -entry(p, y).log2(),
            "a logarithm to base 10; J uses the natural one": lambda p, y: -entry(p, y).log10(),
            "this is p̂_y, without the logarithm": entry,
            "this is 1 − p̂_y, not −log p̂_y": lambda p, y: 1 - entry(p, y),
            "classes are counted from 1 here; entry y counts from 0": lambda p, y: -entry(p, y - 1).log(),
            "this is the next class's loss": lambda p, y: -entry(p, y + 1).log(),
            "the losses of all classes are summed": lambda p, y: -p.log().sum(),
            "the losses of all classes are averaged": lambda p, y: -p.log().mean(),
            "this is the entropy of p̂": lambda p, y: -(p * p.log()).sum(),
            ROUNDED: lambda p, y: (-entry(p, y).log()).mul(100).round() / 100,
        },
    )


def logits_step(p: str, more: Mapping[str, Rule] | None = None) -> Step:
    """∂J/∂θ = p̂ − onehot(y): differentiate J = −θ_y + log Σ e^θ_j."""
    return Step(
        (p, "y"),
        lambda p, y: p - one_hot(y, p),
        {
            "the sign is turned round: it is p̂ minus the one-hot vector": lambda p, y: one_hot(y, p) - p,
            "this is p̂: 1 at the true class is not subtracted": lambda p, y: p,
            "1 is added at the true class, not subtracted": lambda p, y: p + one_hot(y, p),
            "1 is subtracted at every class": lambda p, y: p - 1,
            "classes are counted from 1 here; entry y counts from 0": lambda p, y: p - one_hot(y - 1, p),
            "1 is subtracted at the class after the true one": lambda p, y: p - one_hot(y + 1, p),
            "1 is subtracted at class 0, whatever y says": lambda p, y: p - one_hot(0 * y, p),
            "this is ∂p̂_y/∂θ: the logarithm is not differentiated": lambda p, y: (
                entry(p, y) * (one_hot(y, p) - p)
            ),
            "this is ∂J/∂p̂, not yet ∂J/∂θ": lambda p, y: -one_hot(y, p) / entry(p, y),
            "this is p̂(1 − p̂), the diagonal of the softmax's Jacobian": lambda p, y: p * (1 - p),
            "divided by the number of classes": lambda p, y: (p - one_hot(y, p)) / len(p),
            ROUNDED: lambda p, y: (p - one_hot(y, p)).mul(100).round() / 100,
            **(more or {}),
        },
    )


def warmup(theta: Sequence[float], y: int) -> Derivation:
    """2.1: logits θ (C,) and the true class y, then p̂ (C,), J (), ∂J/∂θ (C,)."""
    return Derivation(
        {"theta": theta, "y": y},
        {
            "p_warmup": softmax_step("theta"),
            "J_warmup": loss_step("p_warmup"),
            "dtheta_warmup": logits_step("p_warmup"),
        },
    )


def forward_steps() -> dict[str, Step]:
    """The forward pass of 2.2 from x, W, b1, U, b2, y."""
    return {
        "z": Step(
            ("W", "x", "b1"),
            lambda W, x, b1: W @ x + b1,
            {
                "the bias b1 is missing": lambda W, x, b1: W @ x,
                "the bias b1 is subtracted": lambda W, x, b1: W @ x - b1,
                "this is b1: W x is missing": lambda W, x, b1: b1,
                "the input is forgotten: these are row sums of W plus b1": lambda W, x, b1: W.sum(1) + b1,
                "the entries of x are exchanged": lambda W, x, b1: W @ x.flip(0) + b1,
                "this is already ReLU(z)": lambda W, x, b1: (W @ x + b1).relu(),
            },
        ),
        "h": Step(
            ("z",),
            torch.relu,
            {
                "the activation is missing: this is z": lambda z: z,
                "this is |z|; ReLU puts 0 where z is negative": lambda z: z.abs(),
                "this is the sigmoid, not ReLU": lambda z: z.sigmoid(),
                "this is tanh, not ReLU": lambda z: z.tanh(),
                "this is 1 where z > 0, which is ReLU's derivative": lambda z: (z > 0).double(),
                "ReLU keeps the positive entries, not the negative ones": lambda z: (-z).relu(),
                "ReLU is the larger of 0 and z, not the smaller": lambda z: -(-z).relu(),
            },
        ),
        "theta": Step(
            ("U", "h", "b2"),
            lambda U, h, b2: U @ h + b2,
            {
                "a minus sign too many": lambda U, h, b2: -(U @ h) + b2,
                "signs in U are lost": lambda U, h, b2: U.abs() @ h + b2,
                "this is the softmax already": lambda U, h, b2: (U @ h + b2).softmax(0),
            },
        ),
        "p_hat": softmax_step("theta"),
        "J": loss_step("p_hat"),
        "dead": Step(
            ("z",),
            lambda z: (z <= 0).nonzero().squeeze(),
            {
                "neurons are counted from 1 here; they count from 0": lambda z: (
                    (z <= 0).nonzero().squeeze() + 1
                ),
            },
        ),
    }


def weight_step(
    delta: str, layer: str, weight: str, above: str, units: str, more: Mapping[str, Rule]
) -> Step:
    """The gradient for a weight matrix, an outer product.

    Args:
        delta, layer: names of the upstream gradient and of the layer's input.
        weight, above, units: how messages call the matrix, the upstream gradient and the layer's outputs.
        more: further known mistakes.
    """
    return Step(
        (delta, layer),
        torch.outer,
        {
            f"the transpose: it must have the shape of {weight}": lambda d, h: torch.outer(h, d),
            "a minus sign too many": lambda d, h: -torch.outer(d, h),
            f"{layer} is forgotten: every column is {above}": lambda d, h: torch.outer(d, torch.ones_like(h)),
            f"{above} is forgotten: every row is {layer}": lambda d, h: torch.outer(torch.ones_like(d), h),
            f"divided by the number of {units}": lambda d, h: torch.outer(d, h) / len(d),
            **more,
        },
    )


def bias_step(delta: str, above: str, units: str, more: Mapping[str, Rule]) -> Step:
    """The gradient for a bias, which is the upstream gradient. Arguments as for `weight_step`."""
    return Step(
        (delta,),
        lambda d: d,
        {
            "a minus sign too many": lambda d: -d,
            f"averaged over the {units}": lambda d: d.mean().expand_as(d),
            f"the mean of {above}, one number for all {units}": lambda d: d.mean(),
            f"summed over the {units}": lambda d: d.sum().expand_as(d),
            f"the sum of {above}, one number for all {units}": lambda d: d.sum(),
            f"divided by the number of {units}": lambda d: d / len(d),
            **more,
        },
    )


def hidden_step(U_new: Tensor | None) -> Step:
    """∂J/∂h = Uᵀ ∂J/∂θ."""
    through_new: dict[str, Rule] = {}
    if U_new is not None:
        meaning = "computed with the updated U: propagate first, update afterwards"
        through_new[meaning] = lambda U, d: U_new.T @ d
    return Step(
        ("U", "dtheta"),
        lambda U, d: U.T @ d,
        {
            **through_new,
            "a minus sign too many": lambda U, d: -(U.T @ d),
            "signs in U are lost": lambda U, d: U.abs().T @ d,
            "only the sum of U's rows, ∂J/∂θ is missing": lambda U, d: U.sum(0),
            "only the true class's row of U is used": lambda U, d: U.T @ (d * (d < 0)),
            "the classes' contributions are averaged, not summed": lambda U, d: U.T @ d / len(d),
            "U is used without its transpose": lambda U, d: U @ d,
        },
    )


BACK_THROUGH_RELU = Step(
    ("dh", "z"),
    lambda d, z: d * (z > 0),
    {
        "ReLU's derivative is lost: it is 0 where z < 0": lambda d, z: d,
        "ReLU's mask is that of z > 0, not the sign of ∂J/∂h": lambda d, z: d * (d > 0),
        "multiplied by ReLU(z), not by its derivative": lambda d, z: d * z.relu(),
        "multiplied by z, not by ReLU's derivative": lambda d, z: d * z,
        "the mask is turned round: gradients pass where z > 0": lambda d, z: d * (z <= 0),
        "this is the mask alone; ∂J/∂h is missing": lambda d, z: (z > 0).double(),
        "a minus sign too many": lambda d, z: -d * (z > 0),
        "the sigmoid's derivative, not ReLU's": lambda d, z: d * z.sigmoid() * (1 - z.sigmoid()),
    },
)


def backward_steps(
    U_new: Tensor | None = None, mistakes: Mapping[str, Rule] | None = None
) -> dict[str, Step]:
    """The backward pass from p_hat, y, h, z, x and U.

    Args:
        U_new: U after the step, to recognise a backward pass through it.
        mistakes: further known wrong ∂J/∂θ.
    """
    return {
        "dtheta": logits_step("p_hat", mistakes),
        "dU": weight_step(
            "dtheta",
            "h",
            "U",
            "∂J/∂θ",
            "classes",
            {
                "only the sizes are multiplied, the sign of ∂J/∂θ is lost": lambda d, h: torch.outer(
                    d.abs(), h
                )
            },
        ),
        "db2": bias_step(
            "dtheta",
            "∂J/∂θ",
            "classes",
            {"1 everywhere: that is ∂θ/∂b2, the upstream ∂J/∂θ is missing": torch.ones_like},
        ),
        "dh": hidden_step(U_new),
        "dz": BACK_THROUGH_RELU,
        "dW": weight_step(
            "dz",
            "x",
            "W",
            "∂J/∂z",
            "neurons",
            {"the entries of x are exchanged": lambda d, x: torch.outer(d, x.flip(0))},
        ),
        "db1": bias_step(
            "dz",
            "∂J/∂z",
            "neurons",
            {
                "1 everywhere: that is ∂z/∂b1, the upstream ∂J/∂z is missing": torch.ones_like,
                "1 for every live neuron: ∂J/∂z itself is missing": lambda d: (d != 0).double(),
            },
        ),
    }


def step_down(weight: str, gradient: str) -> Step:
    """One step of gradient descent, A − t ∂J/∂A."""
    return Step(
        (weight, gradient, "t"),
        lambda A, d, t: A - t * d,
        {
            "the step goes uphill: subtract t times the gradient": lambda A, d, t: A + t * d,
            "the step size t is forgotten": lambda A, d, t: A - d,
            "the step size t is forgotten, and the step goes uphill": lambda A, d, t: A + d,
            "the step size is taken ten times too small": lambda A, d, t: A - t / 10 * d,
            "this is the step alone; the old weights are missing": lambda A, d, t: -t * d,
            "this is t times the gradient; the old weights are missing": lambda A, d, t: t * d,
            "nothing has changed": lambda A, d, t: A,
            "two steps in place of one": lambda A, d, t: A - 2 * t * d,
        },
    )


def network(
    x: Sequence[float],
    W: Sequence[Sequence[float]],
    b1: Sequence[float],
    U: Sequence[Sequence[float]],
    b2: Sequence[float],
    y: int,
    t: float = 0.1,
) -> Derivation:
    """2.2: the two-layer MLP, forward, backward, and one step of size t on W and U."""
    given = {"x": x, "W": W, "b1": b1, "U": U, "b2": b2, "y": y, "t": t}
    right = Derivation(given, forward_steps()).values
    dtheta = right["p_hat"] - one_hot(right["y"], right["p_hat"])
    U_new = right["U"] - t * torch.outer(dtheta, right["h"])
    return Derivation(
        given,
        {
            **forward_steps(),
            **backward_steps(U_new),
            "W_new": step_down("W", "dW"),
            "U_new": step_down("U", "dU"),
        },
    )


# -- judging values --------------------------------------------------------------------------------------


def expect_value(chain: Derivation, student: Student, name: str) -> None:
    """The student's value of a step is right, or follows from the student's own earlier values."""
    expect_step(chain, cache(partial(getattr, student)), name)


def expect_step(chain: Derivation, answers: Answers, name: str, **tolerance: float) -> None:
    """`Derivation.expect`; its message also names the first wrong value before this step, if there is one."""
    try:
        chain.expect(answers, name, **tolerance)  # type: ignore[arg-type]
    except CheckFailed as failure:
        first = first_wrong(chain, answers, name)
        if first is None or first in str(failure).split():
            raise
        raise CheckFailed(f"{failure} (the first wrong value is {first})", failure.cause) from None


def first_wrong(chain: Derivation, answers: Answers, name: str) -> str | None:
    """The first step, of those that `name` follows from, at which the student's value is wrong; None if none is."""

    def sources(name: str) -> set[str]:
        needs = {need for need in chain.steps[name].needs if need in chain.steps}
        return needs.union(*(sources(need) for need in needs))

    for step in chain.steps:
        if step in sources(name):
            try:
                value = alike(numbers(answers(step), step), chain.values[step])
            except CheckFailed:
                continue
            if differ(value, chain.values[step], 1e-5, FOUR_DECIMALS):
                return step
    return None


# -- judging code ----------------------------------------------------------------------------------------

NOTEBOOK_SIZES = (2, 3, 2)
SIZES = ((4, 6, 5), (3, 5, 7), (7, 8, 4))  # inputs, hidden neurons, classes: all different
ARGUMENTS = ("x", "y", "W", "b1", "U", "b2")

Forward = Callable[..., dict[str, Tensor]]


def forward(
    x: Tensor,
    W: Tensor,
    b1: Tensor,
    U: Tensor,
    b2: Tensor,
    activation: Callable[[Tensor], Tensor] = torch.relu,
) -> dict[str, Tensor]:
    """z (K,), h (K,) and p_hat (C,)."""
    z = W @ x + b1
    h = activation(z)
    return {"z": z, "h": h, "p_hat": (U @ h + b2).softmax(0)}


# Wrong forward passes. A backward pass that is right otherwise follows from their values.
FORWARD_MISTAKES: dict[str, Forward] = {
    "the forward pass leaves out b1": lambda x, W, b1, U, b2: forward(x, W, 0 * b1, U, b2),
    "the forward pass leaves out b2": lambda x, W, b1, U, b2: forward(x, W, b1, U, 0 * b2),
    "the forward pass leaves out both biases": lambda x, W, b1, U, b2: forward(x, W, 0 * b1, U, 0 * b2),
    "the forward pass leaves out W x": lambda x, W, b1, U, b2: forward(x, 0 * W, b1, U, b2),
    "the forward pass leaves out U h": lambda x, W, b1, U, b2: forward(x, W, b1, 0 * U, b2),
    "the forward pass has no ReLU": lambda x, W, b1, U, b2: forward(x, W, b1, U, b2, lambda z: z),
    "the forward pass has |z| in place of ReLU": lambda x, W, b1, U, b2: forward(x, W, b1, U, b2, torch.abs),
    "the forward pass has the sigmoid in place of ReLU": lambda x, W, b1, U, b2: forward(
        x, W, b1, U, b2, torch.sigmoid
    ),
    "the forward pass takes the softmax of −θ": lambda x, W, b1, U, b2: forward(x, W, b1, -U, -b2),
}


def sample(sizes: tuple[int, int, int], seed: int) -> dict[str, Any]:
    """Float64 arguments of `backward` at D, K, C, away from ReLU's kink.

    At every size but the notebook's, ∂J/∂h has both signs among the dead neurons and among the live ones, so that a
    lost or wrong mask shows; the true class is neither of the first two.
    """
    D, K, C = sizes
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    while True:
        given: dict[str, Any] = {
            "x": normal(D),
            "y": min(C - 1, 2 + seed % 2),
            "W": normal(K, D) / D**0.5,
            "b1": normal(K) / 2,
        }
        given |= {"U": normal(C, K) / K**0.5, "b2": normal(C) / 2}
        if sizes == NOTEBOOK_SIZES:
            return given
        values = gradients(**given).values
        dead, up = values["z"] < 0, values["dh"] > 0
        groups = [dead & up, dead & ~up, ~dead & up, ~dead & ~up]
        clear = min(values["z"].abs().min(), values["dh"].abs().min()) > 0.05
        if clear and all(bool(group.any()) for group in groups):
            return given


def gradients(
    x: Tensor,
    y: int,
    W: Tensor,
    b1: Tensor,
    U: Tensor,
    b2: Tensor,
    passed: Forward = forward,
    elsewhere: Answers | None = None,
) -> Derivation:
    """The backward pass as a chain, from the values of a forward pass.

    Args:
        elsewhere: as for `Derivation`.
    """
    mistakes = {
        meaning: lambda p, y, wrong=wrong: wrong(x, W, b1, U, b2)["p_hat"] - one_hot(y, p)
        for meaning, wrong in FORWARD_MISTAKES.items()
    }
    given = {"x": x, "y": y, "W": W, "b1": b1, "U": U, "b2": b2, **passed(x, W, b1, U, b2)}
    return Derivation(given, backward_steps(mistakes=mistakes), elsewhere)


@cache
def samples() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Arguments on which `backward` is judged, each with others of the same sizes."""
    return [(sample(sizes, seed), sample(sizes, seed + 10)) for seed, sizes in enumerate(SIZES)]


def expect_gradient(student: Student, name: str) -> None:
    """The student's `backward` gives this gradient at every sample, or what follows from earlier ones in the same dict.

    A wrong forward pass is recognised by its ∂J/∂θ: only ∂J/∂θ loses its points.
    """
    for given, other in samples():
        answers = answers_in(student, given)

        def elsewhere(name: str, other: Mapping[str, Any] = other) -> Any:
            return answers_in(student, other)(name)

        try:
            expect_step(gradients(**given, elsewhere=elsewhere), answers, name, rtol=1e-5, atol=1e-7)
        except CheckFailed:
            passed = wrong_forward(answers, given)
            if name == "dtheta" or passed is None:
                raise
            chain = gradients(**given, passed=passed, elsewhere=elsewhere)
            expect_step(chain, answers, name, rtol=1e-5, atol=1e-7)


def wrong_forward(answers: Answers, given: Mapping[str, Any]) -> Forward | None:
    """The wrong forward pass that explains the student's ∂J/∂θ; None if none does."""
    tensors = {key: value for key, value in given.items() if key != "y"}
    for wrong in FORWARD_MISTAKES.values():
        p = wrong(**tensors)["p_hat"]
        try:
            dtheta = alike(numbers(answers("dtheta"), "dtheta"), p)
        except CheckFailed:
            return None
        if differ(dtheta, p - one_hot(torch.tensor(given["y"]), p), 1e-5, 1e-7) == 0:
            return wrong
    return None


def answers_in(student: Student, given: Mapping[str, Any]) -> Answers:
    """The entries of the dict that the student's `backward` returns for given arguments.

    Raises:
        CheckFailed: it raises, or returns no dict.
    """
    arguments = [given[key] for key in ARGUMENTS]
    D, K, C = (len(given[key]) for key in ("x", "b1", "b2"))
    backward = student.backward
    if not callable(backward):
        raise CheckFailed(f"`backward` should be a function, and is {kind_of(backward)}")
    try:
        gradients = backward(*arguments)
    except StudentError as failure:
        if str(failure) == "not written yet":
            raise
        where = f"with {D} inputs, {K} hidden neurons, {C} classes"
        small = sample(NOTEBOOK_SIZES, 0)
        try:
            backward(*(small[key] for key in ARGUMENTS))
        except StudentError:
            raise CheckFailed(f"{where}: {failure}", failure.cause) from None
        raise CheckFailed(
            f"it runs with the notebook's sizes only; {where}: {failure}", failure.cause
        ) from None
    if not isinstance(gradients, dict):
        raise CheckFailed(f"`backward` returns {returned(gradients)}, expected a dict of gradients")

    def answer(name: str) -> Any:
        if name not in gradients:
            raise CheckFailed(f'the dict that `backward` returns has no "{name}"')
        return gradients[name]

    return answer


# -- the numbers -----------------------------------------------------------------------------------------


def draw(random: random.Random | None) -> dict[str, object]:
    """The question's numbers, and its texts with them: the handout's, or others of equal difficulty.

    In 2.2 exactly one neuron is dead and its column of U is zero; the two live ones have the same value, and the
    rows of U add up to 0, so that both logits are 0 and J = ln 2.

    Args:
        random: None for the handout's.
    """
    if random is None:
        logits, y = [0, 0.5, 0.25, 0.75], 2
        x, W, b1 = [1, 0.5], [[0.2, 0.4], [-0.3, 0.1], [0.5, -0.2]], [0.1, 0.2, 0.1]
        U: list[list[float]] = [[0.2, 0, -0.2], [-0.3, 0, 0.3]]
    else:
        logits, y = [tidied(k / 4) for k in random.sample(range(6), 4)], random.randrange(4)
        x, W, b1, U = draw_network(random)
    given: dict[str, Any] = {"x": x, "W": W, "b1": b1, "U": U, "b2": [0, 0], "y": 0}
    values = network(**given).values
    dead = int(values["dead"])
    sum_ = " + ".join(f"{bracketed(w)} \\cdot {tidied(v)}" for w, v in zip(W[dead], x, strict=True))
    shown = {f"q2_2_{name}": value for name, value in given.items() if name not in ("y", "b2")}
    shown |= {f"q2_2_{name}_tex": tex(given[name]) for name in ("x", "W", "b1", "U")}
    for name in ("z", "h", "dtheta", "dU", "dh", "dz", "dW", "W_new", "U_new"):
        shown[f"q2_2_{name}_tex"] = tex(values[name].tolist())
    return {
        "q2_1_theta": logits,
        "q2_1_theta_tex": ", ".join(map(str, logits)),
        "q2_1_y": y,
        "q2_1_ordinal": ("first", "second", "third", "fourth")[y],
        "q2_1_logit": logits[y],
        **shown,
        "q2_2_dead": dead,
        "q2_2_dead_sum": f"{sum_} + {bracketed(b1[dead])}",
        "q2_2_dead_z": tidied(values["z"][dead].item()),
    }


def draw_network(
    random: random.Random,
) -> tuple[list[float], list[list[float]], list[float], list[list[float]]]:
    """x, W, b1, U; everything in tenths, x in halves, so that z comes in twentieths."""

    def tenths(*values: int) -> list[float]:
        return [tidied(value / 10) for value in values]

    steps = [k for k in range(-5, 6) if k]
    while True:
        halves = random.choice([(2, 1), (1, 2)])
        W = [random.sample(steps, 2) for _ in range(3)]
        b1 = [random.randint(1, 3) for _ in range(3)]
        z = [
            sum(w * v for w, v in zip(row, halves, strict=True)) + 2 * b for row, b in zip(W, b1, strict=True)
        ]
        live = [k for k in range(3) if z[k] > 0]
        if len(live) == 2 and 0 not in z and z[live[0]] == z[live[1]] >= 4 and W[live[0]] != W[live[1]]:
            break
    first, second = random.sample(range(1, 5), 2)
    sign = random.choice([1, -1])
    U = [[0, 0, 0], [0, 0, 0]]
    for row, size in zip(U, (sign * first, -sign * second), strict=True):
        row[live[0]], row[live[1]] = size, -size
    return (
        [tidied(v / 2) for v in halves],
        [tenths(*row) for row in W],
        tenths(*b1),
        [tenths(*row) for row in U],
    )


def tidied(value: float) -> float:
    """The value rounded to a fraction with a denominator up to 10,000; an int if it is a whole number."""
    rounded = float(Fraction(value).limit_denominator(10_000))
    return int(rounded) if rounded == int(rounded) else rounded


def bracketed(value: float) -> str:
    """The value, in brackets if it is negative, for use after an operator."""
    return f"({value})" if value < 0 else f"{value}"


def tex(value: Sequence[Any]) -> str:
    """A vector as a column, or a matrix, as the TeX inside a pmatrix."""
    rows: Iterator[Sequence[float]] = (row if isinstance(row, list) else [row] for row in value)
    return r" \\ ".join(" & ".join(str(tidied(entry)) for entry in row) for row in rows)
