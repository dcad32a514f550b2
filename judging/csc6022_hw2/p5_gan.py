"""Homework 2, problem 5: the gradients of a GAN's objective, and known mistakes that explain wrong ones.

    L = 1/n Σ_i log D(X^i) + log(1 − D(G(Z^i)))

Samples are rows, there are no biases. Layers are numbered 1 … L; values of all layers are a dict with these keys.
`W[l]` is (out, in), so `z[l] = A[l-1] @ W[l].T`. Everything is float64.

Each `expect_…` judges one part of an answer and raises `CheckFailed` if it is wrong; mistakes in other parts lose no
points there (error carried forward, see `chainrule.judging.derivation`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from chainrule.judging.derivation import telling
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Function, StudentError, returned

Layers = dict[int, Tensor]
Kinds = dict[int, str]
Answer = Callable[..., Any]  # a function of the student's

RTOL, ATOL = 1e-5, 1e-8  # answers may be computed in float32
FAINT = 1e-5  # right values are near 1
HIDDEN_KINDS = ("tanh", "leaky_relu", "softplus", "sigmoid")

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "leaky_relu": lambda z: F.leaky_relu(z, 0.2),
}
SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": torch.ones_like,
    "tanh": lambda z: 1 - torch.tanh(z) ** 2,
    "sigmoid": lambda z: torch.sigmoid(z) * torch.sigmoid(-z),
    "softplus": torch.sigmoid,
    "leaky_relu": lambda z: torch.where(z > 0, 1.0, 0.2).to(z),
}


# -- the answers -----------------------------------------------------------------------------------------


def forward(x: Tensor, W: Layers, kinds: Kinds) -> tuple[Layers, Layers]:
    """Pre-activations z[1 … L] and activations A[0 … L] of rows x (n, inputs); A[0] is x."""
    z, A = {}, {0: x}
    for l in sorted(W):
        z[l] = A[l - 1] @ W[l].T
        A[l] = ACTIVATIONS[kinds[l]](z[l])
    return z, A


def objective(D_real: Tensor, D_fake: Tensor) -> Tensor:
    """Eq. (1) of the handout, from D (n, 1) at the real and the generated samples."""
    return (D_real.log() + (1 - D_fake).log()).mean()


def backpropagate(delta: Tensor, W: Layers, z: Layers, kinds: Kinds) -> Layers:
    """∂L/∂z^l (n, width of l) for every l, from the one of the last layer."""
    deltas = {len(W): delta}
    for l in range(len(W) - 1, 0, -1):
        deltas[l] = deltas[l + 1] @ W[l + 1] * SLOPES[kinds[l]](z[l])
    return deltas


# -- the given values ------------------------------------------------------------------------------------


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(draw: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=draw, dtype=torch.float64)


def probabilities(draw: torch.Generator, n: int, least: float = 0.002, most: float = 0.998) -> Tensor:
    """(n, 1) between 0.1 and 0.9, but two of them are close to 0 and 1."""
    value = 0.1 + 0.8 * torch.rand(n, 1, generator=draw, dtype=torch.float64)
    value[1], value[2] = least, most  # a discriminator that is sure counts, too: nothing is cut off
    return value


@dataclass(frozen=True)
class Network:
    """Random weights, pre-activations (random, not computed from these), and ∂L/∂z of the last layer (n, its width)."""

    W: Layers
    z: Layers
    kinds: Kinds
    delta: Tensor

    def args(self) -> tuple[Tensor, Layers, Layers, Kinds]:
        return self.delta, self.W, self.z, self.kinds


def network(seed: int, widths: tuple[int, ...], kinds: tuple[str, ...], n: int) -> Network:
    """A random network.

    Args:
        widths: of the input and of each layer. No z is close to the kink of a leaky ReLU, nor large.
        kinds: of the layers' activations.
        n: samples.
    """
    draw = generator(seed)
    layers = range(1, len(widths))
    W = {l: normal(draw, widths[l], widths[l - 1]) / widths[l - 1] ** 0.5 for l in layers}
    z = {}
    for l in layers:
        value = normal(draw, n, widths[l])
        z[l] = value.sign() * (0.1 + value.abs().clamp(max=2))
    return Network(W, z, dict(enumerate(kinds, 1)), normal(draw, n, widths[-1]))


# -- reading answers -------------------------------------------------------------------------------------


def layer(value: Any, l: int, shape: tuple[int, ...], name: str) -> Tensor:
    """The entry of a layer, from a dict or from a list that begins with layer 1.

    Raises:
        CheckFailed: there is none, or it has another shape.
    """
    called = f"{name}[{l}]"
    if isinstance(value, list | tuple):
        value = dict(enumerate(value, 1))
    if not isinstance(value, Mapping):
        raise CheckFailed(f"{name} is {returned(value)}, expected a dict with an entry for each layer")
    if l not in value:
        raise CheckFailed(f"{called} is missing: there are only the layers {list(value)}")
    got = numbers(value[l], called)
    expect(got, called).has_shape(*shape)
    return got


def rows(value: Any, like: Tensor, name: str) -> Tensor:
    """The value in the shape of `like`; a vector may be a row, a column or one-dimensional.

    Raises:
        CheckFailed: it has another shape.
    """
    got = numbers(value, name)
    if got.numel() == like.numel() and max(like.shape) == like.numel() == max(got.shape, default=1):
        return got.reshape(like.shape)
    expect(got, name).has_shape(*like.shape)
    return got


def in_rows(value: Any, like: Tensor, name: str) -> Tensor | CheckFailed:
    """`rows`, or what is wrong with the value."""
    try:
        return rows(value, like, name)
    except CheckFailed as failure:
        return failure


def pair(value: Any, like: Tensor) -> tuple[Any, Any]:
    """(real, generated) from a pair, or from one array of 2n numbers.

    Raises:
        CheckFailed: it is neither.
    """
    if isinstance(value, torch.Tensor | np.ndarray) and value.size != 2 and len(value) == 2 * len(like):
        value = numbers(value, "the answer").split(len(like))
    if not isinstance(value, list | tuple | torch.Tensor | np.ndarray) or len(value) != 2:
        nothing = f"what comes back is {returned(None)}, " if value is None else ""
        raise CheckFailed(f"{nothing}expected a pair: real samples, generated samples")
    return value[0], value[1]


def same(a: Tensor, b: Tensor) -> bool:
    return differ(a, b, RTOL, ATOL) == 0


def factor(got: Tensor, want: Tensor) -> float | None:
    """The c ≠ 0 with got = c · want; None if there is none."""
    if got.shape != want.shape:
        return None
    c = float((got * want).sum() / (want * want).sum())
    return c if abs(c) > 1e-6 and same(got, c * want) else None


def expect_told(value: Tensor, given: Iterable[Tensor], name: str) -> None:
    """Something follows from the value: it is `telling`, and no multiple of what was given in its shape.

    Raises:
        CheckFailed: nothing follows.
    """
    if not telling(value, (), RTOL, FAINT):
        what = "zero everywhere" if value.abs().max() < FAINT else "the same number everywhere"
        raise CheckFailed(f"{name} is {what}, so nothing can be said")
    if any(factor(value, other) is not None for other in given):
        raise CheckFailed(f"{name} is only what was given, or a multiple of it")


def explain(
    name: str, got: Tensor, want: Tensor, mistakes: Mapping[str, Tensor], otherwise: str
) -> CheckFailed:
    """The message about a wrong value: the known mistake of which it is a multiple, or `otherwise` with the two
    entries whose quotients differ most."""
    for meaning, wrong in mistakes.items():
        if factor(got, wrong) is not None:
            return CheckFailed(f"{name}: {meaning}", cause=meaning)
    quotients = (got / want).flatten()
    low, high = int(quotients.argmin()), int(quotients.argmax())
    seen = f"entry {low} is {quotients[low]:.3g} times the right one, entry {high} is {quotients[high]:.3g} times"
    return CheckFailed(f"{name}: {otherwise}: {seen}")


def check_size(c: float, meanings: Mapping[float, str], name: str) -> None:
    """The factor between an answer and the right one is 1.

    Args:
        meanings: of other factors' sizes.
    Raises:
        CheckFailed: it isn't.
    """
    if abs(c - 1) < 1e-4:
        return
    turned = "the overall sign: this is the gradient of −L"
    if abs(c + 1) < 1e-4:
        raise CheckFailed(f"{name}: {turned}", cause=turned)
    for size, meaning in meanings.items():
        if abs(abs(c) - size) < 1e-4 * size:
            raise CheckFailed(f"{name}: {meaning}" + (f"; besides, {turned}" if c < 0 else ""), cause=meaning)
    raise CheckFailed(f"{name}: every entry is {c:.4g} times what it should be")


def rows_or_one(value: Any, parts: Tensor, name: str) -> Tensor:
    """A vector like a row of `parts` (n, …), or n rows with the right sum.

    Raises:
        CheckFailed: it is neither.
    """
    got = numbers(value, name)
    unsummed = got.shape == parts.shape and factor(got.sum(0), parts.sum(0)) is not None
    return got if unsummed else rows(got, parts[0], name)


def some_samples(got: Tensor, parts: Tensor) -> tuple[str, float] | None:
    """What it means that a value is the sum, or 1/n of it, over some rows of `parts` (n, …), or still has these rows,
    and the factor between the two; None if it is none of these."""
    if got.shape == parts.shape and (c := factor(got.sum(0), parts.sum(0))) is not None:
        return f"a row for each of the {len(parts)} samples: the sum over them is missing", c
    known = {
        "only the last sample is counted: in a loop, is there = instead of +=?": parts[-1],
        "only the first sample is counted": parts[0],
        "the last sample is left out": parts[:-1].sum(0),
        "the first sample is left out": parts[1:].sum(0),
    }
    for meaning, part in known.items():
        c = factor(got, part)
        if c is not None and any(abs(abs(c) - size) < 1e-4 * size for size in (1, 1 / len(parts))):
            return meaning, c
    return None


def averages(n: int) -> dict[float, str]:
    """What a wrong factor means where L's average over n pairs comes in."""
    return {
        n: "the 1/n is missing: L averages over n pairs",
        1 / 2: "it is half as large: L averages over n pairs, so divide by n, not by 2n",
        n / 2: "it is n/2 times too large: L averages over n pairs",
        1 / n: "1/n is in it twice",
    }


# -- 5.2 and 5.3: a term for real samples, one for generated ones ----------------------------------------


@dataclass(frozen=True)
class Term:
    """One of the two terms: the student's or what is wrong with its form, the right one, and what known mistakes give,
    all up to a factor.

    Attributes:
        twice: the student's term for every sample twice, in the other order.
        parts: a row for each sample, of which the right term is the mean; None if the term has rows itself.
    """

    got: Tensor | CheckFailed
    want: Tensor
    mistakes: Mapping[str, Tensor]
    twice: Callable[[], Tensor | CheckFailed]
    parts: Tensor | None = None

    @property
    def factor(self) -> float | None:
        return None if isinstance(self.got, CheckFailed) else factor(self.got, self.want)

    @property
    def some(self) -> tuple[str, float] | None:
        """`some_samples` of a term that is not the right one."""
        if isinstance(self.got, CheckFailed) or self.parts is None or self.factor is not None:
            return None
        return some_samples(self.got, self.parts)

    def size(self, n: int) -> float | None:
        """How large a term is that may be wrong, next to a mean over n samples: the batch twice leaves a mean as it is
        and doubles a sum. None if this can't be said."""
        got, twice = self.got, self.twice()
        if (
            isinstance(got, CheckFailed)
            or isinstance(twice, CheckFailed)
            or not telling(got, (), RTOL, FAINT)
        ):
            return None
        return next((float(n) ** power for power in (0, 1, -1) if same(twice, 2.0**power * got)), None)


@dataclass(frozen=True)
class Terms:
    """Both terms for random arguments with n samples of each kind."""

    n: int
    real: Term
    fake: Term
    name: str


def theta_d_terms(answer: Answer) -> Iterator[Terms]:
    """The terms of 5.2, for several arguments. Each term is computed alone: the ∇D of the other one is zero."""
    for seed, n, parameters in ((1, 5, 7), (2, 8, 3)):
        draw = generator(seed)
        D_real, D_fake = probabilities(draw, n), probabilities(draw, n)
        dD_real, dD_fake = normal(draw, n, parameters), normal(draw, n, parameters)
        name, zero = "the result of grad_theta_d", torch.zeros_like(dD_real)
        parts_real, parts_fake = dD_real / D_real, -dD_fake / (1 - D_fake)
        want_real, want_fake = parts_real.mean(0), parts_fake.mean(0)
        for_real, for_fake = (D_real, D_fake, dD_real, zero), (D_real, D_fake, zero, dD_fake)
        real = rows_or_one(answer(*for_real), parts_real, name)
        fake = rows_or_one(answer(*for_fake), parts_fake, name)

        def twice(arguments: tuple[Tensor, ...], want: Tensor, name: str = name) -> Tensor | CheckFailed:
            return in_rows(answer(*map(doubled, arguments)), want, name)

        yield Terms(
            n,
            Term(
                real,
                want_real,
                {
                    "every sample's ∇D(X) is not divided by its own D(X): the derivative of log u is 1/u": (
                        dD_real.sum(0)
                    ),
                    "∇D(X) is divided by 1 − D(X) instead of D(X)": (dD_real / (1 - D_real)).sum(0),
                    "∇D(X) is multiplied by D(X), not divided by it": (dD_real * D_real).sum(0),
                    "∇D(X) is divided by D(G(Z))": (dD_real / D_fake).sum(0),
                    "∇D(X) stands where ∇D(G(Z)) belongs": (dD_real / (1 - D_fake)).sum(0),
                    "D(1 − D) belongs to the last layer's sigmoid, and is in ∇D already": (
                        dD_real * (1 - D_real)
                    ).sum(0),
                },
                partial(twice, for_real, want_real),
                parts_real,
            ),
            Term(
                fake,
                want_fake,
                {
                    "every sample's ∇D(G(Z)) is not divided by its own 1 − D(G(Z))": dD_fake.sum(0),
                    "it is divided by D(G(Z)): that belongs to log D(G(Z)), not to log(1 − D(G(Z)))": (
                        dD_fake / D_fake
                    ).sum(0),
                    "∇D(G(Z)) is multiplied by 1 − D(G(Z)), not divided by it": (dD_fake * (1 - D_fake)).sum(
                        0
                    ),
                    "∇D(G(Z)) is divided by 1 − D(X)": (dD_fake / (1 - D_real)).sum(0),
                    "∇D(G(Z)) stands where ∇D(X) belongs": (dD_fake / D_real).sum(0),
                    "D(1 − D) belongs to the last layer's sigmoid, and is in ∇D already": (
                        dD_fake * D_fake
                    ).sum(0),
                },
                partial(twice, for_fake, want_fake),
                parts_fake,
            ),
            name,
        )


def last_delta_terms(answer: Answer) -> Iterator[Terms]:
    """The terms of 5.3, for several arguments."""
    for seed, n in ((3, 6), (4, 9)):
        draw = generator(seed)
        # nothing is divided by what is nearly 0, so that 1e-8 in a denominator does no harm
        p, q = probabilities(draw, n, most=1 - 1e-5), probabilities(draw, n, least=1e-5)

        def asked(p: Tensor, q: Tensor) -> list[Tensor | CheckFailed]:
            names = "delta_real", "delta_fake"
            return [in_rows(part, p, name) for part, name in zip(pair(answer(p, q), p), names, strict=True)]

        def twice(which: int, p: Tensor = p, q: Tensor = q, n: int = n) -> Tensor | CheckFailed:
            got = asked(doubled(p), doubled(q))[which]
            return got if isinstance(got, CheckFailed) else 2 * got[:n].flip(0)  # a row has the mean's 1/n

        real, fake = asked(p, q)
        yield Terms(
            n,
            Term(
                real,
                (1 - p) / n,
                {
                    "the sigmoid's derivative D(1 − D) is missing": 1 / p,
                    "an extra factor D(1 − D): together with 1/D it is 1 − D already": p * (1 - p) ** 2,
                    "this is −D, which belongs to generated samples": p,
                    "only the sigmoid's derivative is there, not that of the logarithm": p * (1 - p),
                    "σ′ is taken at D instead of at z": torch.sigmoid(p) * torch.sigmoid(-p) / p,
                    "D at the generated samples is used": 1 - q,
                    "this is delta_fake: the real samples' one comes first": q,
                },
                partial(twice, 0),
            ),
            Term(
                fake,
                -q / n,
                {
                    "the sigmoid's derivative D(1 − D) is missing": 1 / (1 - q),
                    "an extra factor D(1 − D): together with 1/(1 − D) it is D already": q**2 * (1 - q),
                    "this belongs to log D(G(Z)), the non-saturating loss, not to Eq. (1)": 1 - q,
                    "only the sigmoid's derivative is there, not that of the logarithm": q * (1 - q),
                    "σ′ is taken at D instead of at z": torch.sigmoid(q) * torch.sigmoid(-q) / (1 - q),
                    "D at the real samples is used": p,
                    "this is delta_real: the generated samples' one comes second": 1 - p,
                },
                partial(twice, 1),
            ),
            "output_deltas",
        )


def doubled(rows: Tensor) -> Tensor:
    """Every row twice, in the other order."""
    return torch.cat([rows.flip(0)] * 2)


def expect_term(draws: Iterator[Terms], which: Literal["real", "fake"]) -> None:
    """One term is right up to a positive factor. If both terms have the wrong sign, `expect_average` judges that."""
    called = {"real": "the real samples' term", "fake": "the generated samples' term"}[which]
    for terms in draws:
        term, other = (terms.real, terms.fake) if which == "real" else (terms.fake, terms.real)
        c, d = (each.some[1] if each.some else each.factor for each in (term, other))
        if isinstance(term.got, CheckFailed):
            raise term.got
        if not term.got.any():
            raise CheckFailed(f"{called} is zero")
        if c is None:
            raise explain(called, term.got, term.want, term.mistakes, "it is no multiple of the right one")
        if c < 0 and not (d is not None and d < 0):
            reason = (
                "raising D there raises L" if which == "real" else "the derivative of log(1 − u) is negative"
            )
            raise CheckFailed(f"{called} has the wrong sign: {reason}", cause="the sign is turned")


def expect_average(draws: Iterator[Terms]) -> None:
    """Both terms have the right size, and not both the wrong sign: all samples are counted, with 1/n. Of a term that is
    not the right one, `Term.size` is judged if neither is."""
    for terms in draws:
        both = terms.real, terms.fake
        for term in both:
            if term.some:
                raise CheckFailed(f"{terms.name}: {term.some[0]}", cause=term.some[0])
        known = [c for term in both if (c := term.factor) is not None]
        if not known:
            known = [c for term in both if (c := term.size(terms.n)) is not None]
            if not known:
                raise CheckFailed("neither term can be recognised, so the factor 1/n cannot be checked")
        negated = len(known) == 2 and max(known) < 0  # a single wrong sign is judged by `expect_term`
        for c in known:
            check_size(c if negated else abs(c), averages(terms.n), terms.name)


# -- 5.4: the recursion ----------------------------------------------------------------------------------


def reaching_layer_1(answer: Answer) -> Answer:
    """The answer; one that raises for two layers, or stops above layer 1, gets one or two more layers below, and what
    it gives for these is left out. So it reaches layer 1 even if it is written for three or four layers, which
    `expect_depth` judges."""

    def asked(delta: Tensor, W: Layers, z: Layers, kinds: Kinds) -> Any:
        inputs = W[1].shape[1]
        below = torch.eye(inputs, dtype=W[1].dtype), normal(generator(0), len(delta), inputs), kinds[1]
        given: tuple[dict[int, Any], ...] = (W, z, kinds)
        outcomes: list[Any] = []
        for more in range(3):
            deeper = [
                dict.fromkeys(range(1, more + 1), one) | {l + more: value for l, value in values.items()}
                for one, values in zip(below, given, strict=True)
            ]
            try:
                value = answer(delta, *deeper)
            except StudentError as failure:
                outcomes.append(failure)
                continue
            if not more and not (isinstance(value, Mapping) and value and 1 not in value):
                return value
            found = dict(numbered(value))
            if 1 + more in found:
                return {l - more: part for l, part in found.items()}
            outcomes.append(value)
        if isinstance(outcomes[0], StudentError):
            raise outcomes[0]
        return outcomes[0]

    return asked


def numbered(value: Any) -> Iterable[tuple[int, Any]]:
    """Entries of layers with their numbers, from a dict or from a list that begins with layer 1; none from others."""
    if isinstance(value, Mapping):
        return [(l, part) for l, part in value.items() if isinstance(l, int)]
    return enumerate(value, 1) if isinstance(value, list | tuple) else []


def one_step(answer: Answer, above: Tensor, net: Network, l: int, heavier: float = 1.0) -> Tensor:
    """The student's ∂L/∂z^l from ∂L/∂z^{l+1} = above: layers l and l + 1 as a network of their own.

    Args:
        heavier: a factor on all weights.
    """
    W = {1: heavier * net.W[l], 2: heavier * net.W[l + 1]}
    got = reaching_layer_1(answer)(
        above, W, {1: net.z[l], 2: net.z[l + 1]}, {1: net.kinds[l], 2: net.kinds[l + 1]}
    )
    return layer(got, 1, tuple(net.z[l].shape), "delta")


def own_step(answer: Answer, above: Tensor, net: Network, l: int) -> Tensor | None:
    """`one_step` if it is plausible: told by more than what it was given, and doubled by twice the delta and by
    twice the weights; None if not."""
    try:
        got = one_step(answer, above, net, l)
        expect_told(got, (net.z[l],), "delta")
        double = [one_step(answer, 2 * above, net, l), one_step(answer, above, net, l, heavier=2)]
    except CheckFailed:
        return None
    return got if all(same(value, 2 * got) for value in double) else None


Way = Callable[[Tensor, Layers], Tensor]  # back from delta^2, through the weights, to layer 1

WRONG_WAYS: dict[str, Way] = {
    "W^{l+1} is the wrong way round: in rows the step is delta[l+1] @ W[l+1]": lambda d, W: d @ W[2].T,
    "the weights of layer l are used, those of layer l + 1 lie between": lambda d, W: d @ W[1],
    "the weights of layer l are used, and the wrong way round: layer l + 1's lie between": lambda d, W: (
        d @ W[1].T
    ),
    "the delta of the layer above is handed down without its weights": lambda d, W: d,
}


def expect_weights(answer: Answer) -> None:
    """A delta goes back through W^{l+1}; then it may be multiplied by anything that depends on z and n only."""
    answer = reaching_layer_1(answer)  # `expect_depth` judges how far it goes
    for seed, widths, n in ((5, (5, 5, 5), 7), (6, (4, 6, 3), 7), (7, (3, 5, 1), 4)):
        try:
            expect_way(answer, seed, widths, n)
        except StudentError:  # sizes that fit show a slip by its values
            expect_way(answer, seed, (5, 5, 5), n)


def expect_way(answer: Answer, seed: int, widths: tuple[int, int, int], n: int) -> None:
    """`expect_weights` for two layers of these widths."""
    net = network(seed, widths, ("tanh", "sigmoid"), n)
    # the same z with other deltas and weights, then with the identity
    other = network(seed + 50, widths, ("tanh", "sigmoid"), n)
    other = Network(other.W, net.z, net.kinds, other.delta)
    linear = Network(net.W, net.z, {**net.kinds, 1: "identity"}, net.delta)
    shape = (n, widths[1])
    got, again, alone = (layer(answer(*one.args()), 1, shape, "delta") for one in (net, other, linear))

    for value in (got, again):
        expect_told(value, (net.z[1],), "delta[1] of two layers is not delta[2] sent back: it")
    if got.shape == net.delta.shape and same(got, net.delta):
        raise CheckFailed(
            "delta[1] of two layers is delta[2] as it was given: are layers numbered from 1, and does a list begin "
            "with layer 1?"
        )

    def goes(way: Way) -> bool:
        sent, resent = way(net.delta, net.W), way(other.delta, other.W)
        if sent.shape != got.shape:
            return False
        # got / sent == again / resent, without a division
        return same(got * resent, again * sent) or same(alone, sent)

    if goes(lambda d, W: d @ W[2]):
        c = factor(alone, net.delta @ net.W[2])
        if c is not None and abs(c * n - 1) < 1e-6:
            raise CheckFailed("delta[1] of two layers: 1/n is in the last layer's delta already")
        if c is not None and abs(c - 1) > 1e-6:
            raise CheckFailed(f"delta[1] of two layers is {c:.4g} times what it should be")
        return

    def sloped_again(delta: Tensor, W: Layers) -> Tensor:
        return (delta * SLOPES[net.kinds[2]](net.z[2])) @ W[2]

    if goes(sloped_again):
        if same(got, sloped_again(net.delta, net.W)):
            return  # and the slope of layer 1 is not there, so `expect_slopes` says it
        raise CheckFailed(
            "delta[1] of two layers: delta is ∂L/∂z of the last layer already, so it meets no g′(z[2]) any more"
        )
    if len(set(widths)) == 1:
        for meaning, way in WRONG_WAYS.items():
            if goes(way):
                raise CheckFailed(f"delta[1] of two layers: {meaning}", cause=meaning)
    raise CheckFailed("delta[1] of two layers is not delta[2] sent back through W[2]")


def expect_slopes(answer: Answer) -> None:
    """What comes back through the weights, right or in the student's way, is multiplied by g′(z) of the layer."""
    answer = reaching_layer_1(answer)
    for seed, kind in enumerate(HIDDEN_KINDS, 8):
        wrong: list[list[str]] = []  # what may be wrong, below each of two kinds of layer
        for upper in [other for other in HIDDEN_KINDS if other != kind][:2]:
            net = network(seed, (4, 4, 4), (kind, upper), 6)
            got = layer(answer(*net.args()), 1, (6, 4), "delta")
            sent, linear = [net.delta @ net.W[2]], replace(net, kinds={**net.kinds, 1: "identity"})
            if same(got, sent[0] * SLOPES[kind](net.z[1])):
                continue
            if (own := own_step(answer, net.delta, linear, 1)) is not None:
                sent.append(own)
            if not any(same(got, u * SLOPES[kind](net.z[1])) for u in sent):
                known = [each for u in sent for each in wrong_slopes(u, net).items()]
                wrong.append([meaning for meaning, value in known if same(got, value)])
        if wrong:
            meaning = next((one for one in wrong[0] if all(one in each for each in wrong)), "")
            otherwise = "it is not what comes through the weights times g′(z[1])"
            raise CheckFailed(f"delta[1] with {kind}: {meaning or otherwise}", cause=meaning)


def wrong_slopes(u: Tensor, net: Network) -> dict[str, Tensor]:
    """What known mistakes make of u, which has come through the weights to layer 1 of two."""
    z, above = net.z[1], SLOPES[net.kinds[2]]
    slope, g = SLOPES[net.kinds[1]], ACTIVATIONS[net.kinds[1]]
    return {
        "g′ of layer l + 1 is there, before the weights: the step ends with g′(z[l])": (
            (net.delta * above(net.z[2])) @ net.W[2]
        ),
        "g′ is taken at the activation, it belongs at the pre-activation z[l]": u * slope(g(z)),
        "the factor g′(z[l]) is missing": u,
        "g itself is there instead of its derivative": u * g(z),
        "g′ is taken from what comes from above, it belongs at z[l]": u * slope(u),
        **{
            f"the slope of {other} is there, whatever the kind is": u * SLOPES[other](z)
            for other in HIDDEN_KINDS
            if other != net.kinds[1]
        },
        "g′ of layer l + 1 is used: kinds[l] belongs to layer l": u * above(z),
        "z[l + 1] is used instead of z[l]": u * slope(net.z[2]),
        "layer l + 1 is used, in z and in kinds": u * above(net.z[2]),
    }


def expect_depth(answer: Answer) -> None:
    """Every layer follows from the one above it, by the right step or by the student's own."""
    for seed, kinds, widths, n in (
        (12, ("tanh", "leaky_relu", "sigmoid"), (3, 6, 4, 1), 5),
        (13, ("softplus", "tanh", "sigmoid", "sigmoid"), (2, 5, 7, 3, 1), 6),
        (14, ("leaky_relu", "sigmoid", "tanh", "softplus", "identity"), (4, 3, 6, 5, 7, 2), 4),
        (15, ("tanh", "sigmoid"), (5, 4, 1), 3),
    ):
        net = network(seed, widths, kinds, n)
        if own_step(answer, net.delta, net, len(kinds) - 1) is None:
            net = network(seed, (4,) * len(widths), kinds, n)  # `expect_weights` judges the matrices
        try:
            deltas = answer(*net.args())
        except StudentError:  # as in `expect_weights`
            net = network(seed, (4,) * len(widths), kinds, n)
            deltas = answer(*net.args())
        above = net.delta
        for l in range(len(kinds) - 1, 0, -1):
            got = layer(deltas, l, tuple(net.z[l].shape), "delta")
            scale = above.abs().max()  # deltas shrink on their way down
            unit = above / scale
            right = unit @ net.W[l + 1] * SLOPES[kinds[l - 1]](net.z[l])
            if not same(got / scale, right):
                own = own_step(answer, unit, net, l)
                if own is None or not same(got / scale, own):
                    raise CheckFailed(
                        f"with {len(kinds)} layers delta[{l}] is not made from delta[{l + 1}] as in two layers"
                    )
            expect_told(got / scale, (net.z[l],), f"with {len(kinds)} layers delta[{l}]")
            above = got


# -- 5.5: the gradient at a generated sample -------------------------------------------------------------


def expect_sample_gradient(answer: Answer) -> None:
    """Without real samples: the generated ones' delta back through the first layer's weights."""
    for seed, n, units, k in ((16, 7, 4, 4), (17, 5, 6, 3), (18, 6, 3, 8)):
        draw = generator(seed)
        W, fake = normal(draw, units, k), normal(draw, n, units)
        want, name = fake @ W, "dL/dg"
        got = numbers(answer(W, torch.zeros_like(fake), fake), name)
        if same(got, want):
            continue
        mistakes = {"this is the gradient of −L": -want, "1/n is in the deltas already": want / n}
        mistakes |= {"the samples are not summed over: one row for each": want.sum(0).expand_as(want)}
        if units == k:
            mistakes["W is the wrong way round: in rows it is delta @ W"] = fake @ W.T
        if not got.any() and same(numbers(answer(W, fake, torch.zeros_like(fake)), name), want):
            raise CheckFailed(f"{name}: delta_real is used, and it belongs to the real samples")
        expect(got, name).close_to(want, rtol=RTOL, atol=ATOL, mistakes=mistakes)


def expect_generated_only(answer: Answer) -> None:
    """The result does not depend on real samples. It must be linear in the generated ones' delta and in the weights."""
    n, k = 6, 4
    draw = generator(19)
    W, real, fake = normal(draw, k, k), normal(draw, n, k), normal(draw, n, k)
    zero = torch.zeros_like(fake)
    alone, again, together = (numbers(answer(W, of_real, fake), "dL/dg") for of_real in (zero, zero, real))
    if same(alone, again) and not same(together, alone):
        raise CheckFailed("dL/dg changes with delta_real, but D(X) does not depend on the generator's output")
    expect_told(alone, (W, fake), "dL/dg")
    for name, value in {"delta_fake": answer(W, zero, 2 * fake), "W1": answer(2 * W, zero, fake)}.items():
        if not same(numbers(value, "dL/dg"), 2 * alone):
            raise CheckFailed(f"dL/dg is not a product with {name}: twice {name} does not give twice dL/dg")


# -- 5.6: the gradient of the generator's parameters -----------------------------------------------------


@dataclass(frozen=True)
class Product:
    """The chain rule through n samples with k coordinates: the student's result, the right one, and what known mistakes
    give, all up to a factor.

    Attributes:
        twice: the student's result for every sample twice, in the other order.
        uncounted: what is wrong with the sum alone; "" if nothing is known.
    """

    n: int
    k: int
    got: Tensor
    want: Tensor
    mistakes: Mapping[str, Tensor]
    twice: Callable[[], Tensor]
    uncounted: str = ""


def theta_g_products(answer: Answer) -> Iterator[Product]:
    """∇θg L from ∂L/∂g (n, k) and the Jacobians of g (n, k, parameters), for several random arguments."""
    for seed, n, k, parameters in ((20, 5, 3, 7), (21, 7, 2, 4)):
        draw = generator(seed)
        dL_dg, dg = normal(draw, n, k), normal(draw, n, k, parameters)
        name, parts = "the result of grad_theta_g", (dL_dg[:, :, None] * dg).sum(1)
        want, uncounted = parts.sum(0), ""
        got = numbers(answer(dL_dg, dg), name)
        if got.shape == (k, parameters) and factor(got.sum(0), want) is not None:
            got, uncounted = (
                got.sum(0),
                f"a row for each of the {k} coordinates: the sum over them is missing",
            )
        got = rows_or_one(got, parts, name)
        if factor(got, want) is None and (some := some_samples(got, parts)):
            uncounted = some[0]

        def twice(dL_dg: Tensor = dL_dg, dg: Tensor = dg, want: Tensor = want, name: str = name) -> Tensor:
            return rows(answer(doubled(dL_dg), doubled(dg)), want, name)

        mistakes = {
            "∂L/∂g is missing: the chain through D is cut": dg.sum((0, 1)),
            "∂L/∂g is averaged over the samples before it meets their Jacobians": torch.einsum(
                "k,kp->p", dL_dg.mean(0), dg.sum(0)
            ),
            "only the first coordinate of g is counted": torch.einsum("n,np->p", dL_dg[:, 0], dg[:, 0]),
            "the coordinates of ∂L/∂g and of g are summed apart": torch.einsum(
                "n,np->p", dL_dg.sum(1), dg.sum(1)
            ),
        }
        yield Product(n, k, got, want, mistakes, twice, uncounted)


def expect_chain(draws: Iterator[Product]) -> None:
    """The product with the Jacobians is right up to a factor."""
    for one in draws:
        if factor(one.got, one.want) is None and not one.uncounted:
            raise explain(
                "grad_theta_g", one.got, one.want, one.mistakes, "it is no multiple of Σ ∂L/∂g · ∂g/∂θ"
            )


def expect_sum(draws: Iterator[Product]) -> None:
    """The factor is 1: L's own 1/n is in ∂L/∂g. What is no multiple of the right one must be a sum over the samples."""
    for one in draws:
        if one.uncounted:
            raise CheckFailed(f"grad_theta_g: {one.uncounted}", cause=one.uncounted)
        c = factor(one.got, one.want)
        if c is None:
            if telling(one.got, (), RTOL, FAINT) and same(one.twice(), 2 * one.got):
                continue
            raise CheckFailed("grad_theta_g is no multiple of the right one, so its factor cannot be checked")
        meanings = {
            1 / one.n: "1/n is in ∂L/∂g already, so sum over the samples",
            1 / one.k: "it is averaged over the coordinates of g: sum over them",
            1
            / (
                one.n * one.k
            ): "it is averaged over samples and coordinates: sum over both, 1/n is in ∂L/∂g already",
        }
        check_size(c, meanings, "grad_theta_g")


@dataclass(frozen=True)
class Route:
    """A way to compute a generator's gradients.

    Attributes:
        mistake: what is wrong about it; "" if it is right.
        delta: ∂L/∂z of the last layer.
        scale: a factor of all gradients.
    """

    mistake: str
    delta: Tensor
    scale: float = 1.0


def expect_generator_layers(answer: Function, step: Answer, which: Literal["last", "below"]) -> None:
    """A generator's weight gradients in its last layer, or in those below, are right, or follow from the student's own
    `backpropagate`, or are right where that one is replaced.

    Args:
        answer: the student's `generator_gradients`.
        step: the student's `backpropagate`, which the answer may have called.
    """
    try:
        _expect_layers(answer, step, which)
    except CheckFailed as failure:
        try:
            _expect_layers(partial(with_right_steps, answer), step, which)
        except CheckFailed:
            raise failure from None


def with_right_steps(answer: Function, dL_dg: Tensor, W: Layers, z: Layers, A: Layers, kinds: Kinds) -> Any:
    """What a student's `generator_gradients` returns while `backpropagate` gives what it should.

    Raises:
        CheckFailed: it calls `backpropagate` with something else than ∂L/∂z of the last layer, W, z and kinds.
    """
    delta = dL_dg * SLOPES[kinds[len(W)]](z[len(W)])
    right = backpropagate(delta, W, z, kinds)
    value, calls = answer.call_with({"backpropagate": [right]}, dL_dg, W, z, A, kinds)
    for arguments in calls["backpropagate"]:
        if not arguments or not same(rows(arguments[0], delta, "delta"), delta):
            raise CheckFailed("`generator_gradients` calls `backpropagate` with another delta")
        wanted: dict[str, Mapping[int, Any]] = {"W": W, "z": z, "kinds": kinds}
        for name, own in zip(wanted, arguments[1:], strict=False):
            if unlike(own, wanted[name]):
                raise CheckFailed(f"`generator_gradients` calls `backpropagate` with another {name}")
    return value


def unlike(own: Any, wanted: Mapping[int, Any]) -> bool:
    """Whether an argument is not what belongs there: other values for some layers, or values for none of them."""
    if not isinstance(own, Mapping):
        return True
    layers = own.keys() & wanted.keys()
    return not layers or not all(
        same(numbers(own[l], "an argument"), wanted[l])
        if isinstance(wanted[l], Tensor)
        else isinstance(own[l], str) and own[l] == wanted[l]
        for l in layers
    )


def generator_network(
    seed: int, widths: tuple[int, ...], kinds: tuple[str, ...], n: int
) -> tuple[Network, Layers]:
    """A `network` after its forward pass, with ∂L/∂A of the last layer for delta, and its activations."""
    net = network(seed, widths, kinds, n)
    z, A = forward(normal(generator(seed + 100), n, widths[0]), net.W, net.kinds)
    return Network(net.W, z, net.kinds, net.delta), A


GENERATORS = (  # seed, kinds, widths, n
    # fewer samples than units feed the last layer, so its gradient shows the delta that it was made with
    (22, ("tanh", "leaky_relu", "tanh"), (4, 5, 7, 3), 6),
    (23, ("softplus", "sigmoid", "tanh", "softplus"), (3, 4, 6, 7, 2), 5),
    (24, ("sigmoid", "tanh"), (4, 7, 3), 5),
)


def _expect_layers(answer: Answer, step: Answer, which: Literal["last", "below"]) -> None:
    unjudged: list[CheckFailed] = []
    for seed, kinds, widths, n in GENERATORS:
        last = len(kinds)
        net, A = generator_network(seed, widths, kinds, n)
        try:
            value = answer(net.delta, net.W, net.z, A, net.kinds)
        except StudentError as failure:  # sizes that fit show a slip by its values
            net, A = generator_network(seed, (7,) * len(widths), kinds, n)
            try:
                value = answer(net.delta, net.W, net.z, A, net.kinds)
            except StudentError:
                if which == "below":
                    raise failure from None
                unjudged.append(failure)
                continue
        z = net.z
        dL_dg, slope = net.delta, SLOPES[kinds[-1]]
        routes = [
            Route("", dL_dg * slope(z[last])),
            Route("g′ of the generator's last layer is missing", dL_dg),
            Route("g′ of the last layer is taken at its activation, it belongs at z", dL_dg * slope(A[last])),
            Route("1/n is in ∂L/∂g already", dL_dg * slope(z[last]), 1 / n),
            Route("this is the gradient of −L", dL_dg * slope(z[last]), -1.0),
        ]
        name = "the gradient"

        def entry(l: int, value: Any = value, net: Network = net) -> Tensor:
            return layer(value, l, tuple(net.W[l].shape), "the gradient")

        if which == "last":
            if value and last not in dict(numbered(value)):
                unjudged.append(CheckFailed(f"{name}[{last}] is missing"))
                continue
            expect_told(entry(last), (net.W[last],), f"{name}[{last}]")
            own = _own_chain(step, routes[0].delta, net)
            if own is not None and same(entry(last), own[last].T @ A[last - 1]):
                continue
            got, want = entry(last), routes[0].delta.T @ A[last - 1]
            route = next((r for r in routes if same(got, r.scale * r.delta.T @ A[last - 1])), None)
            if route is None:
                wrong = {
                    meaning: form(routes[0].delta, last)
                    for meaning, form in gradient_forms(z, A).items()
                    if meaning and form(routes[0].delta, last).shape == want.shape
                }
                expect(got, f"{name}[{last}]").close_to(want, rtol=RTOL, atol=ATOL, mistakes=wrong)
            elif route.mistake:
                raise CheckFailed(f"{name}[{last}]: {route.mistake}")
            continue
        starts = [*shown_starts(value, routes, z, A, net), (gradient_forms(z, A)[""], routes[0].delta)]
        for l in range(last - 1, 0, -1):
            wants = []
            for form, delta in starts:
                own = _own_chain(step, delta, net)
                chains = [backpropagate(delta, net.W, z, net.kinds), *([] if own is None else [own])]
                wants += [form(chain[l], l) for chain in chains]
            own_form = unshaped(value, l)
            if own_form is None or not any(
                same(own_form / want.abs().max(), want / want.abs().max()) for want in wants
            ):
                first = starts[0][1]
                mistakes = {
                    "the generator's output gradient reaches it without the layers between": first.T
                    @ A[l - 1]
                    if first.shape[1] == net.W[l].shape[0]
                    else torch.zeros(0),
                }
                expect(entry(l), f"{name}[{l}] of {last} layers").close_to(
                    wants[0], rtol=RTOL, atol=ATOL, mistakes=mistakes
                )
    if len(unjudged) == len(
        GENERATORS
    ):  # one number of layers is enough for the last one: the others go below it
        raise unjudged[0]


Form = Callable[[Tensor, int], Tensor]  # from delta[l] and l to the gradient for W[l]


def gradient_forms(z: Layers, A: Layers) -> dict[str, Form]:
    """How a layer's gradient is made from its delta, right ("") or by mistake."""
    return {
        "": lambda delta, l: delta.T @ A[l - 1],
        "it is transposed": lambda delta, l: A[l - 1].T @ delta,
        "the activation of the last layer itself is used, A[L − 1] feeds its weights": lambda delta, l: (
            delta.T @ A[l]
        ),
        "z[L − 1] is used, before the activation: A[L − 1] feeds the last layer's weights": lambda delta, l: (
            delta.T @ (z[l - 1] if l > 1 else A[0])
        ),
    }


def unshaped(value: Any, l: int) -> Tensor | None:
    """The entry of a layer in whatever shape; None if there is none."""
    if isinstance(value, list | tuple):
        value = dict(enumerate(value, 1))
    with suppress(CheckFailed):
        return numbers(value[l], "the gradient") if isinstance(value, Mapping) and l in value else None
    return None


def shown_starts(
    value: Any, routes: Iterable[Route], z: Layers, A: Layers, net: Network
) -> list[tuple[Form, Tensor]]:
    """The forms and the deltas of the last layer with which the student's gradient of that layer may have been made.
    Whatever is wrong there has cost its points, so the layers below may follow from it."""
    last = len(net.W)
    got = unshaped(value, last)
    if got is None or not telling(got, (), RTOL, FAINT):
        return []
    deltas = [route.scale * route.delta for route in routes]
    for own in (got, got.T if got.ndim == 2 else got):
        if own.shape == net.W[last].shape:
            deltas.append((own @ torch.linalg.pinv(A[last - 1])).T)
    return [
        (form, delta)
        for form in gradient_forms(z, A).values()
        for delta in deltas
        if telling(delta, (), RTOL, FAINT) and same(form(delta, last), got)
    ]


def _own_chain(step: Answer, delta: Tensor, net: Network) -> Layers | None:
    """The deltas that the student's own `backpropagate` gives; None if nothing follows from them."""
    try:
        value = step(delta, net.W, net.z, net.kinds)
        chain = {l: layer(value, l, tuple(net.z[l].shape), "delta") for l in range(1, len(net.W))}
        above = delta
        for l in reversed(chain):
            expect_told(chain[l] / above.abs().max(), (net.z[l],), "delta")
            above = chain[l]
        with suppress(CheckFailed):
            delta = layer(value, len(net.W), tuple(delta.shape), "delta")
    except CheckFailed:
        return None
    return {**chain, len(net.W): delta}


# -- 5.7 and 5.8: the updates ----------------------------------------------------------------------------

SIGN = {"theta_d": 1.0, "theta_g": -1.0}  # ascent for the discriminator, descent for the generator
OTHER = {"theta_d": "theta_g", "theta_g": "theta_d"}
Which = Literal["theta_d", "theta_g"]


@dataclass(frozen=True)
class Move:
    """How an update moved the parameters.

    Attributes:
        theta: the parameters before it, as one vector; layers that don't come back are left out.
        rest: what they become where every gradient is zero.
        alpha: the learning rate.
        gradient: what they were moved along: "own", "other", "both", or "" for none of these.
        factor: the step is this multiple of it; 0 if it is no multiple of either gradient.
        cosine: of the angle between the step and what it was moved along.
        moved: whether any parameter moved.
        missing: layers that don't come back.
    """

    theta: Tensor
    rest: Tensor
    alpha: float
    gradient: str
    factor: float
    cosine: float
    moved: bool
    missing: list[int]


def moves(answer: Answer, which: Which, every_depth: bool = False) -> Iterator[Move]:
    """Updates of random parameters of networks with two, three and one layers.

    Args:
        every_depth: whether an answer must be able to update each of them; one is enough otherwise.
    Raises:
        CheckFailed: what comes back has not the form of an update, or the answer raises an exception.
    """
    failure, done = None, False
    for seed, widths, alpha in NETWORKS:
        try:
            yield one_move(answer, which, seed, widths, alpha)
            done = True
        except CheckFailed as error:
            if every_depth:
                raise
            failure = failure or error
    if failure and not done:
        raise failure


NETWORKS = (25, (4, 6, 3), 0.05), (26, (3, 5, 2, 7), 0.3), (27, (6, 2), 2.0)  # seed, widths, alpha


def one_move(answer: Answer, which: Which, seed: int, widths: tuple[int, ...], alpha: float) -> Move:
    """How an answer updates a random network. Both parts have the same shapes, so that either gradient fits."""
    draw = generator(seed)
    shapes = {l: (widths[l], widths[l - 1]) for l in range(1, len(widths))}

    def layers() -> Layers:
        return {l: normal(draw, *shape) for l, shape in shapes.items()}

    theta, gradients = layers(), {"theta_d": layers(), "theta_g": layers()}
    different = {"theta_d": layers(), "theta_g": layers()}
    none, turned = (
        {name: {l: factor * g for l, g in values.items()} for name, values in gradients.items()}
        for factor in (0, -1)
    )
    there = layers_there(answer(theta, gradients, alpha), theta) or [1]

    def updated(gradients: dict[str, Layers], alpha: float = alpha) -> Tensor:
        value = answer(theta, gradients, alpha)
        return flat({l: layer(value, l, tuple(theta[l].shape), "theta") for l in there})

    def vector(values: Layers) -> Tensor:
        return flat({l: values[l] for l in there})

    new = updated(gradients)
    try:
        rest = updated(none)
    except CheckFailed:  # zero divided by zero, where a gradient's length is divided by
        rest = (new + updated(turned)) / 2
    for name, values in gradients.items():
        if factor(new, vector(values)) is not None and same(new, updated(gradients, 2 * alpha)):
            raise CheckFailed(f'what comes back is gradients["{name}"] or a multiple of it, without θ and α')
    step = new - rest
    own, other = vector(gradients[which]), vector(gradients[OTHER[which]])
    gradient, c = "", 0.0
    directions = [("own", own), ("other", other), ("both", own + other), ("both", own - other)]
    for name, direction in directions:
        if (multiple := factor(step, direction)) is not None:
            gradient, c = name, multiple
    if not gradient and bool(step.any()):
        # something else is made of the gradients, such as their signs: of which one?
        follows = {
            name: not same(updated({**gradients, name: different[name]}) - rest, step) for name in gradients
        }
        gradient = {(True, False): "own", (False, True): "other", (True, True): "both"}.get(
            (follows[which], follows[OTHER[which]]), ""
        )
    along = {"own": own, "other": other, "both": own + other}.get(gradient, own)
    cosine = float(torch.cosine_similarity(step, along, dim=0))
    moved = bool(step.abs().max() > FAINT)
    return Move(vector(theta), rest, alpha, gradient, c, cosine, moved, sorted(theta.keys() - there))


def layers_there(value: Any, theta: Layers) -> list[int]:
    """The layers that an update gives back."""
    if isinstance(value, list | tuple):
        value = dict(enumerate(value, 1))
    return [l for l in theta if l in value] if isinstance(value, Mapping) else []


def flat(values: Layers) -> Tensor:
    return torch.cat([values[l].flatten() for l in sorted(values)])


UPHILL = (
    0.5  # the least cosine between a step that goes up and the gradient; random directions have one near 0
)


def expect_moves(move: Move) -> None:
    if not move.moved:
        raise CheckFailed("the parameters do not move, whatever the gradient is")
    if not (move.gradient and (move.factor or abs(move.cosine) > UPHILL)):
        raise CheckFailed("the step is no multiple of a gradient of L")


def expect_direction(answer: Answer, which: Which) -> None:
    """The step goes up for the discriminator and down for the generator, along either gradient, at any length."""
    for move in moves(answer, which):
        expect_moves(move)
        if (move.factor or move.cosine) * SIGN[which] < 0:
            raise CheckFailed(
                "this is gradient descent: L goes down, but the discriminator maximises it"
                if which == "theta_d"
                else "this is gradient ascent: L goes up, but the generator minimises it"
            )


def expect_own_gradient(answer: Answer, which: Which) -> None:
    """The step is along the gradient for these parameters."""
    for move in moves(answer, which):
        expect_moves(move)
        if move.gradient != "own":
            used = (
                f'gradients["{OTHER[which]}"] is used'
                if move.gradient == "other"
                else "both gradients are used"
            )
            raise CheckFailed(f'{used}: these parameters follow gradients["{which}"] alone')


def expect_learning_rate(answer: Answer, which: Which) -> None:
    """The step is α times the gradient, whatever its sign."""
    for move in moves(answer, which):
        expect_moves(move)
        if not move.factor:
            raise CheckFailed(
                "the step is made of the gradient, but no multiple of it: α times the gradient, entry by entry, in "
                "all layers"
            )
        c, alpha = abs(move.factor), move.alpha
        if abs(c - alpha) <= 1e-4 * alpha:
            continue
        if abs(c - 1) < 1e-4:
            raise CheckFailed("the learning rate α is not used")
        if abs(c * alpha - 1) < 1e-4:
            raise CheckFailed("the gradient is divided by α instead of multiplied by it")
        raise CheckFailed(f"with α = {alpha:g} the step is {c:.4g} times the gradient")


def expect_start(answer: Answer, which: Which) -> None:
    """The step begins at the current parameters, and all layers come back, however many there are."""
    for move in moves(answer, which, every_depth=True):
        if not move.moved:
            raise CheckFailed("the parameters do not move, whatever the gradient is")
        if move.missing:
            raise CheckFailed(f"theta[{move.missing[0]}] is missing: the weights of every layer come back")
        if not same(move.rest, move.theta):
            zero = not move.rest.any()
            result = "only the step is returned: θ itself is missing" if zero else "they change"
            raise CheckFailed(f"with a gradient of zero the parameters should stay, but {result}")
