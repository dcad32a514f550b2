"""Backpropagation through a network with one hidden layer: random networks, true gradients, and steps of derivations.

    x → z = W x + b1 → h = ReLU(z) → a = V h + b2 → p = softmax(a) → L = −Σ y log p

The steps are made by functions that take the names of what the steps need, so that problems 1 and 2 share them. Vectors
are one-dimensional, tensors float64. `truth` is computed by autograd, the rules of the steps are Murphy's
("Probabilistic Machine Learning: An Introduction", section 13.3); a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, cached_property, lru_cache, partial
from itertools import cycle, permutations
from typing import Any, Literal

import torch
from torch import Tensor

from chainrule.judging.derivation import FLOAT32, Answers, Derivation, Step, alike, leeway, multiple, telling
from chainrule.lesson.calls import about, call, entry
from chainrule.lesson.checks import differ, numbers
from chainrule.lesson.student import CheckFailed, Student, StudentError

RTOL, ATOL = 1e-4, 1e-6  # float32 in between is precise enough
PARAMETERS = ("W", "b1", "V", "b2")
SQUARE = 5, 5, 5
Draws = tuple[dict[str, Tensor], ...]  # a network to judge on, and another of the same sizes

# -- random networks and their true gradients ----------------------------------------------------------------------


@cache
def network(
    seed: int, inputs: int, hidden: int, classes: int, *, batch: int | None = None
) -> dict[str, Tensor]:
    """A random network and data for it: "x" (inputs,), "y" (classes,) one-hot, "W", "b1", "V", "b2".

    Units are not close to ReLU's kink, some of each sample's are dead and some are not, and no probability is close
    to 0 or 1. With an odd seed pre-activations go up to about 20, else to about 3, with the same logits. With `batch`,
    x is (batch, inputs) and y (batch, classes).
    """
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    rows = batch or 1
    x = torch.empty(0, inputs)
    while len(x) < rows:
        W, b1 = normal(hidden, inputs) / inputs**0.5, normal(hidden) / 2
        V, b2 = normal(classes, hidden) / hidden**0.5, normal(classes) / 2
        if seed % 2:
            W, b1, V = 8 * W, 8 * b1, V / 8
        x = normal(20 * rows, inputs)
        z = x @ W.T + b1
        p = (z.relu() @ V.T + b2).softmax(1)
        live = (z > 0).sum(1)
        good = (
            (z.abs().amin(1) > 0.01) & (live >= 2) & (live < hidden) & (p.amax(1) < 0.9) & (p.amin(1) > 0.01)
        )
        x = x[good][:rows]
    label = torch.randint(classes, (rows,), generator=draw)
    y = torch.eye(classes, dtype=torch.float64)[label]
    if batch is None:
        x, y = x[0], y[0]
    return {"x": x, "y": y, "W": W, "b1": b1, "V": V, "b2": b2}


def draws(sizes: Sequence[int], seed: int, batch: int | None = None) -> Iterator[Draws]:
    """Two networks of these sizes (inputs, hidden, classes), then two whose sizes are all equal: there a wrong
    transpose does not raise."""
    for inputs, hidden, classes in (sizes, SQUARE):
        yield tuple(network(seed + more, inputs, hidden, classes, batch=batch) for more in (0, 50))


def truth(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gradients of the loss, for a batch of its mean, by autograd.

    Those of a and z are called "u2" and "u1", the others "dW", "db1", "dV", "db2" and "dx".
    """
    leaf = {name: given[name].clone().requires_grad_() for name in ("x", *PARAMETERS)}
    z = leaf["x"] @ leaf["W"].T + leaf["b1"]
    a = z.relu() @ leaf["V"].T + leaf["b2"]
    losses = -(given["y"] * a.log_softmax(-1)).sum(-1)
    wanted = {"u2": a, "u1": z, **{f"d{name}": tensor for name, tensor in leaf.items()}}
    return dict(zip(wanted, torch.autograd.grad(losses.mean(), list(wanted.values())), strict=True))


def parameters(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The argument `params` of the student's functions."""
    return {name: given[name] for name in PARAMETERS}


# -- steps, in the names of the problem ------------------------------------------------------------------


def linear(W: str, x: str, b: str, *, before: str | None = None) -> Step:
    """W x + b.

    Args:
        before: the name of the value before the activation, which may be used for x by mistake.
    """
    mistakes: dict[str, Callable[..., Tensor]] = {
        f"the bias {b} is missing": lambda W, x, b, *_: W @ x,
        f"the bias {b} is subtracted": lambda W, x, b, *_: W @ x - b,
    }
    if before:
        mistakes[f"computed from {before}, before the ReLU"] = lambda W, x, b, z: W @ z + b
    return Step((W, x, b, *([before] if before else [])), lambda W, x, b, *_: W @ x + b, mistakes)


def relu(z: str) -> Step:
    mistakes = {
        "the ReLU is missing": lambda z: z,
        "this is its derivative, not ReLU itself": lambda z: (z > 0).double(),
        "the absolute value is no ReLU": torch.abs,
        "this is a sigmoid, not ReLU": torch.sigmoid,
        "this is tanh, not ReLU": torch.tanh,
    }
    return Step((z,), torch.relu, mistakes)


def softmax(a: str) -> Step:
    mistakes = {
        "exponentials that are not divided by their sum": torch.exp,
        "one sigmoid for each class is no softmax": torch.sigmoid,
        "the logarithms of the probabilities": lambda a: a.log_softmax(0),
        "divided by the sum without exponentials": lambda a: a / a.sum(),
    }
    return Step((a,), lambda a: a.softmax(0), mistakes)


def cross_entropy(p: str, y: str) -> Step:
    mistakes = {
        "the logarithm is missing": lambda p, y: -(y * p).sum(),
        "the sign is turned": lambda p, y: (y * p.log()).sum(),
        "divided by the number of classes, which the sum is not": lambda p, y: -(y * p.log()).mean(),
        "a logarithm to base 2": lambda p, y: -(y * p.log2()).sum(),
        "terms (1 − y) log(1 − p) belong to independent labels": lambda p, y: (
            -(y * p.log() + (1 - y) * (1 - p).log()).sum()
        ),
        "y and p are exchanged": lambda p, y: -(p * y.clamp_min(1e-12).log()).sum(),
    }
    return Step((p, y), lambda p, y: -(y * p.log()).sum(), mistakes)


def logit_gradient(p: str, y: str) -> Step:
    """p − y."""
    mistakes = {
        f"the sign is turned: this is {y} − {p}": lambda p, y: y - p,
        f"the factor {p}(1 − {p}) is too much: it has cancelled": lambda p, y: (p - y) * p * (1 - p),
        f"this is the gradient for {p}, before the softmax": lambda p, y: -y / p,
        f"the softmax couples the classes: −{y}/{p} takes its whole Jacobian, not only the diagonal": lambda p, y: (
            -y * (1 - p)
        ),
        f"{y} is not subtracted": lambda p, y: p,
        "divided by the number of classes": lambda p, y: (p - y) / len(p),
        "a factor 2 belongs to the squared error": lambda p, y: 2 * (p - y),
    }
    return Step((p, y), lambda p, y: p - y, mistakes)


def softmax_jacobian(p: str) -> Step:
    """diag(p) − p pᵀ."""
    mistakes = {
        "only its diagonal: every output depends on every input": lambda p: (p * (1 - p)).diag(),
        "the diagonal of p(1 − p) is no matrix": lambda p: p * (1 - p),
        "off the diagonal the sign is minus": lambda p: p.diag() + p.outer(p) - 2 * (p * p).diag(),
        "p pᵀ is not subtracted": torch.diag,
        "diag(p) is missing": lambda p: -p.outer(p),
        "the sign is turned": lambda p: p.outer(p) - p.diag(),
    }
    return Step((p,), lambda p: p.diag() - p.outer(p), mistakes)


def through_softmax(jacobian: str, p: str, y: str) -> Step:
    """p − y, as the Jacobian times −y/p, so that it also follows from a wrong Jacobian."""
    known = logit_gradient(p, y).mistakes
    mistakes = {meaning: lambda J, p, y, mistake=mistake: mistake(p, y) for meaning, mistake in known.items()}
    return Step((jacobian, p, y), lambda J, p, y: J @ (-y / p), mistakes)


def outer(delta: str, layer: str, *, before: str | None = None) -> Step:
    """The gradient for a weight matrix: delta layerᵀ."""
    mistakes: dict[str, Callable[..., Tensor]] = {
        f"the outer product is the other way round: {delta} belongs to the rows": lambda u, h, *_: h.outer(u),
        "the sign is turned": lambda u, h, *_: -u.outer(h),
        f"{layer} is missing: all columns are {delta}": lambda u, h, *_: u[:, None].expand(-1, len(h)),
        f"{delta} is missing: all rows are {layer}": lambda u, h, *_: h.expand(len(u), -1),
    }
    if before:
        mistakes[f"taken with {before}, before the ReLU"] = lambda u, h, z: u.outer(z)
    return Step((delta, layer, *([before] if before else [])), lambda u, h, *_: u.outer(h), mistakes)


def bias(delta: str) -> Step:
    """The gradient for a bias: delta itself."""
    mistakes = {
        f"{delta} is summed up": lambda u: u.sum(),
        f"{delta} is averaged": lambda u: u.mean(),
        f"{delta} is divided by its length": lambda u: u / len(u),
        "the sign is turned": lambda u: -u,
        "ones: that is the derivative of z for b, without the chain": lambda u: torch.ones_like(u),
    }
    return Step((delta,), lambda u: u, mistakes)


def back_through_linear(W: str, delta: str) -> Step:
    """Wᵀ delta."""
    mistakes = {
        f"{W} is not transposed": lambda W, u: W @ u,
        "the sign is turned": lambda W, u: -W.T @ u,
        f"the columns of {W} are summed without {delta}": lambda W, u: W.sum(0),
    }
    return Step((W, delta), lambda W, u: W.T @ u, mistakes)


def back_through_relu(g: str, z: str) -> Step:
    """g ⊙ H(z)."""
    return Step((g, z), lambda g, z: g * (z > 0), _masks(g, z))


def hidden(V: str, u2: str, z: str) -> Step:
    """(Vᵀ u2) ⊙ H(z)."""
    known = _masks(f"{V}ᵀ{u2}", z)
    mistakes = {
        meaning: lambda V, u, z, mistake=mistake: mistake(V.T @ u, z) for meaning, mistake in known.items()
    }
    untransposed = {f"{V} is not transposed": lambda V, u, z: (V @ u) * (z > 0)}
    return Step((V, u2, z), lambda V, u, z: (V.T @ u) * (z > 0), mistakes | untransposed)


def _masks(g: str, z: str) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    return {
        f"the mask of the ReLU is lost: units with {z} < 0 let nothing through": lambda g, z: g,
        f"the mask is taken from the sign of {g}, not of {z}": lambda g, z: g * (g > 0),
        f"multiplied by ReLU({z}) itself, not by its derivative": lambda g, z: g * z.relu(),
        f"multiplied by {z} itself, not by the derivative of ReLU": lambda g, z: g * z,
        "the mask is the wrong way round": lambda g, z: g * (z < 0),
        f"the mask alone, without {g}": lambda g, z: (z > 0).double(),
        f"multiplied by the sign of {z}, which is −1 and not 0 for dead units": lambda g, z: g * z.sign(),
        "the sign is turned": lambda g, z: -g * (z > 0),
    }


# -- one sample ------------------------------------------------------------------------------------------

FORWARD = {
    "z": linear("W", "x", "b1"),
    "h": relu("z"),
    "a": linear("V", "h", "b2", before="z"),
    "p": softmax("a"),
    "loss": cross_entropy("p", "y"),
}
BACKWARD = {
    "u2": logit_gradient("p", "y"),
    "u1": hidden("V", "u2", "z"),
    "dV": outer("u2", "h", before="z"),
    "db2": bias("u2"),
    "dW": outer("u1", "x"),
    "db1": bias("u1"),
    "dx": back_through_linear("W", "u1"),
}


WEIGHTS = {"db2": "dV", "db1": "dW"}  # gradients of the same layer


def forward(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The right z, h, a, p and loss of one sample."""
    values = Derivation(given, FORWARD).values
    return {name: values[name] for name in FORWARD}


class Sample:
    """What a student's `mlp_forward` and `mlp_backward` return for one sample, graded step by step.

    Answers that are the same for another sample and network are not computed: no step follows from them.

    Args:
        sizes: (inputs, hidden, classes), all different. If the student's code raises there, for instance because of a
            missing transpose, it is judged where all sizes are equal, so that only its own step loses points.
    """

    def __init__(self, student: Student, sizes: Sequence[int], seed: int) -> None:
        given, other = usable_draws(student, sizes, seed, "z", "u2")
        self.answers = ask(student, given)
        again, elsewhere = ask(student, given), ask(student, other)
        self.chain = Derivation(given, from_live(FORWARD | BACKWARD, again, elsewhere, (given, other)))

    def expect(self, name: str) -> None:
        """The step is right, or follows from the student's own values.

        The gradient for a bias is the error of its layer. So it follows from a wrong error only if the gradient for
        the layer's weights, which takes work, shows that this was no lucky copy.
        """
        key = name.removeprefix("d")
        self.chain.expect(self.answers, name, called=f'"{key}"', rtol=RTOL, atol=ATOL)
        if name in WEIGHTS and not (self.right(name) or self.explained(WEIGHTS[name])):
            raise CheckFailed(
                f'"{key}" is not right; it follows from your error of this layer, but "{WEIGHTS[name][1:]}" does not'
            )

    def right(self, name: str) -> bool:
        want = self.chain.values[name]
        return differ(alike(numbers(self.answers(name), name), want), want, RTOL, ATOL) == 0

    def explained(self, name: str) -> bool:
        """Whether a step is right, follows from the student's own values, or is a known mistake."""
        try:
            self.chain.expect(self.answers, name, rtol=RTOL, atol=ATOL)
        except CheckFailed as failure:
            return any(str(failure).endswith(meaning) for meaning in self.chain.steps[name].mistakes)
        return True


@lru_cache(maxsize=8)
def sample(student: Student, sizes: tuple[int, int, int], seed: int) -> Sample:
    """A `Sample` that all checks of an item share."""
    return Sample(student, sizes, seed)


def ask(student: Student, given: Mapping[str, Tensor]) -> Answers:
    """Answers by step. `mlp_backward` is called with right values of the forward pass, not with the student's."""
    x, y, params = given["x"], given["y"], parameters(given)
    results: dict[str, Any] = {}

    def answer(name: str) -> Any:
        function = "mlp_forward" if name in FORWARD else "mlp_backward"
        if function not in results:
            cache = [] if name in FORWARD else [forward(given)]
            try:
                results[function] = call(getattr(student, function), x, y, params, *cache)
            except CheckFailed as failure:
                results[function] = failure
        if isinstance(results[function], CheckFailed):
            raise results[function]
        return entry(results[function], name.removeprefix("d"), function)

    return answer


def usable_draws(student: Student, sizes: Sequence[int], seed: int, *names: str) -> Draws:
    """The first draws for which the student's code returns these values without raising; if none, those of `sizes`."""
    pairs = list(draws(sizes, seed))
    return next((pair for pair in pairs if runs(ask(student, pair[0]), *names)), pairs[0])


def runs(answers: Answers, *names: str) -> bool:
    """Whether the student's code returns these values without raising."""
    for name in names:
        try:
            answers(name)
        except StudentError:
            return False
        except CheckFailed:
            continue
    return True


def alive(
    own: Tensor, name: str, again: Answers, elsewhere: Answers, arguments: Sequence[Mapping[str, Tensor]] = ()
) -> bool:
    """Whether a value is computed from the input: equal in a second call, `telling`, not what another input gives, and
    not `copied`.

    Args:
        arguments: of the call that gave the value, and of the one elsewhere.
    """
    try:
        repeated, other = numbers(again(name), name), alike(numbers(elsewhere(name), name), own)
    except CheckFailed:
        return False
    if differ(alike(repeated, own), own, RTOL, ATOL) or not telling(own, (), RTOL, ATOL):
        return False
    return differ(other, own, 0, leeway(own, RTOL, ATOL)) > 0 and not copied(own, other, arguments)


def copied(own: Tensor, other: Tensor, arguments: Sequence[Mapping[str, Tensor]]) -> bool:
    """Whether a value is a multiple of something given, and the same multiple of it elsewhere; a single number, of an
    entry of something given."""

    def factors(value: Tensor, given: Tensor) -> Tensor:
        if value.numel() == 1:
            return value.flatten() / given.flatten()
        c = multiple(value, given, RTOL, ATOL)
        return torch.tensor([torch.nan if c is None else c])

    given, elsewhere = (list(draw.values()) for draw in arguments) if arguments else ([], [])
    for here, there in zip(given, elsewhere, strict=True):
        c, d = factors(own, here), factors(other, there)
        if c.shape == d.shape and bool(
            torch.isclose(c, d, rtol=10 * FLOAT32, atol=0).logical_and(c.isfinite()).any()
        ):
            return True
    return False


def from_live(
    steps: Mapping[str, Step], again: Answers, elsewhere: Answers, arguments: Sequence[Mapping[str, Tensor]]
) -> dict[str, Step]:
    """The steps, changed so that no later step follows from values that are not `alive`."""
    return {
        name: replace(
            step, plausible=partial(alive, name=name, again=again, elsewhere=elsewhere, arguments=arguments)
        )
        for name, step in steps.items()
    }


def expect_forward_survives(student: Student, name: Literal["p", "loss"]) -> None:
    """With logits of ±900 the probabilities ("p") or the loss are right; if they are wrong with small logits, too, it
    is enough that they are finite."""
    sizes = 4, 6, 3
    mild, other = usable_draws(student, sizes, 30, "z")
    first, second = torch.full((2, len(mild["b2"])), -900.0, dtype=torch.float64)
    first[0], first[-1] = 900, 899
    second[1] = 900  # the mean is far below it
    for b2 in (first, second):
        large = {**mild, "b2": b2, "y": torch.eye(len(b2), dtype=torch.float64)[2 if b2 is second else 1]}
        result = call(student.mlp_forward, large["x"], large["y"], parameters(large))
        with about("with logits of ±900"):
            got = numbers(entry(result, name, "mlp_forward"), f'"{name}"')
            try:
                sample(student, sizes, 30).expect(name)
            except CheckFailed:
                # Its formula is judged with small logits.
                own = numbers(ask(student, mild)(name), name)
                if not alive(own, name, ask(student, mild), ask(student, other), (mild, other)):
                    raise CheckFailed(f'"{name}" does not depend on the input') from None
                continue
            own_logits = numbers(entry(result, "a", "mlp_forward"), '"a"').reshape(-1)
            right_logits = large["V"] @ (large["W"] @ large["x"] + large["b1"]).relu() + b2
            if not any(survives(got, name, logits, large["y"]) for logits in (own_logits, right_logits)):
                half = call(student.mlp_forward, large["x"], large["y"], parameters({**large, "b2": b2 / 2}))
                still = numbers(entry(half, name, "mlp_forward"), f'"{name}"')
                cut = " and the same with ±450: something is cut off" if same([still], [got]) else ""
                want = right_answer(name, right_logits, large["y"])
                raise CheckFailed(f'"{name}" is {shown(got)}, expected {shown(want)}{cut}')


def shown(value: Tensor) -> str:
    """A number, or the entries of a short vector, in few letters."""
    return ", ".join(f"{float(entry):.3g}" for entry in value.flatten())


def survives(got: Tensor, name: str, logits: Tensor, y: Tensor) -> bool:
    """Whether the probabilities or the loss belong to these logits (classes,)."""
    if logits.shape != y.shape:
        return False
    want = right_answer(name, logits, y)
    return differ(alike(got, want), want, RTOL, ATOL) == 0


def right_answer(name: str, logits: Tensor, y: Tensor) -> Tensor:
    """The probabilities ("p") of logits (classes,), or the loss."""
    log_p = logits.log_softmax(0)
    return log_p.exp() if name == "p" else -(y * log_p).sum()


# -- a batch ---------------------------------------------------------------------------------------------

BATCH_FORWARD = {
    "z": Step(("x", "W", "b1"), lambda x, W, b1: x @ W.T + b1),
    "h": Step(("z",), torch.relu),
    "a": Step(("h", "V", "b2"), lambda h, V, b2: h @ V.T + b2),
    "p": Step(("a",), lambda a: a.softmax(1)),
}


def _deltas() -> dict[str, Step]:
    wrong_forward = {
        "the softmax runs over the samples, not over the classes": lambda p, y, a: (
            (a.softmax(0) - y) / len(y)
        ),
        "the softmax runs over the whole batch, not over the classes of one sample": lambda p, y, a: (
            (a.flatten().softmax(0).reshape(a.shape) - y) / len(y)
        ),
        "the forward pass of the first sample is used for all of them": lambda p, y, a: (p[0] - y) / len(y),
        "the forward pass of the last sample is used for all of them": lambda p, y, a: (p[-1] - y) / len(y),
        "nothing for the first sample: does a loop leave it out?": lambda p, y, a: with_row(
            (p - y)[1:] / len(y), 0, len(y)
        ),
        "nothing for the last sample: does a loop leave it out?": lambda p, y, a: with_row(
            (p - y)[:-1] / len(y), len(y) - 1, len(y)
        ),
    }
    mistakes = {
        meaning: lambda p, y, a, mistake=mistake: (
            torch.stack([mistake(*row) for row in zip(p, y, strict=True)]) / len(y)
        )
        for meaning, mistake in logit_gradient("P", "Y").mistakes.items()
    }
    masks = _masks("U2 V", "Z")
    return {
        "U2": Step(("p", "y", "a"), lambda p, y, a: (p - y) / len(y), wrong_forward | mistakes),
        "U1": Step(
            ("V", "U2", "z"),
            lambda V, U2, z: (U2 @ V) * (z > 0),
            {
                meaning: lambda V, U2, z, mistake=mistake: mistake(U2 @ V, z)
                for meaning, mistake in masks.items()
            },
        ),
    }


def _matrix(delta: str, layer: str) -> Step:
    mistakes = {
        "this is the transpose": lambda U, H: H.T @ U,
        "the sign is turned": lambda U, H: -U.T @ H,
    }
    return Step((delta, layer), lambda U, H: U.T @ H, mistakes)


def _vector(delta: str) -> Step:
    mistakes = {
        "summed over the wrong axis: one number for each unit is left, not one for each sample": lambda U: (
            U.sum(1)
        ),
        "averaged over the wrong axis: one number for each unit is left, not one for each sample": lambda U: (
            U.mean(1) * len(U)
        ),
        "summed over both axes": lambda U: U.sum(),
        "not summed over the samples": lambda U: U,
        "the sign is turned": lambda U: -U.sum(0),
    }
    return Step((delta,), lambda U: U.sum(0), mistakes)


BATCH_BACKWARD = {
    **_deltas(),
    "dV": _matrix("U2", "h"),
    "db2": _vector("U2"),
    "dW": _matrix("U1", "x"),
    "db1": _vector("U1"),
    "dX": Step(("U1", "W"), lambda U1, W: U1 @ W, {"summed over the samples": lambda U1, W: (U1 @ W).sum(0)}),
}
# Answers with a row for each sample, and their names for one sample.
PER_SAMPLE = {"U2": "u2", "U1": "u1", "dX": "dx"}


class BatchAnswers:
    """What a student's `mlp_backward_batch` returns for one batch and for others, and what their functions for one
    sample return row by row. Called with the name of a step, it gives the answer with the right power of N.

    The batch repeated twice leaves the gradients of a mean as they are and doubles those of a sum, whatever else is
    wrong with them. So the power of N in an answer is measured, and removed before the answer is judged.

    Args:
        sizes: (inputs, hidden, classes), all different; if the code raises there, all sizes are equal.
        n: samples.
        replaced: functions for one sample that give right values while `mlp_backward_batch` runs.
    """

    def __init__(
        self, student: Student, sizes: Sequence[int], n: int, seed: int, replaced: Collection[str] = ()
    ) -> None:
        self.student, self.n, self.replaced = student, n, replaced
        for self.given, self.other in draws(sizes, seed, n):
            with suppress(StudentError):
                self.ask(self.given)
                break
        else:
            self.given, self.other = next(draws(sizes, seed, n))

    def ask(self, given: Mapping[str, Tensor]) -> dict[str, Any]:
        function, arguments = self.student.mlp_backward_batch, (given["x"], given["y"], parameters(given))
        if self.replaced:
            samples = [{**given, "x": x, "y": y} for x, y in zip(given["x"], given["y"], strict=True)]
            instead = {name: [right_sample(name, sample) for sample in samples] for name in self.replaced}
            result, calls = call(function.call_with, instead, *arguments)
            for name, each in calls.items():
                if not all(
                    same(got[:2], [sample["x"], sample["y"]]) for got, sample in zip(each, cycle(samples))
                ):
                    raise CheckFailed(
                        f"`mlp_backward_batch` does not call `{name}` for one sample after the other"
                    )
        else:
            result = call(function, *arguments)
        answers = {
            name: entry(result, name.removeprefix("d"), "mlp_backward_batch") for name in BATCH_BACKWARD
        }
        return with_every_row(answers, truth(given)["u2"])

    @cached_property
    def result(self) -> dict[str, Any]:
        return self.ask(self.given)

    @cached_property
    def again(self) -> dict[str, Any]:
        return self.ask(self.given)

    @cached_property
    def elsewhere(self) -> dict[str, Any]:
        return self.ask(self.other)

    @cached_property
    def twice(self) -> dict[str, Any]:
        return self.ask({**self.given, **{name: self.given[name].repeat(2, 1) for name in ("x", "y")}})

    @cached_property
    def singles(self) -> list[Answers]:
        """The student's functions for one sample, called for each row."""
        rows = zip(self.given["x"], self.given["y"], strict=True)
        return [ask(self.student, {**self.given, "x": x, "y": y}) for x, y in rows]

    def __call__(self, name: str) -> Tensor:
        if name in BATCH_FORWARD:  # the student's own, from the functions for one sample
            return torch.stack([numbers(single(name), name).reshape(-1) for single in self.singles])
        value, divisor = numbers(self.result[name], name), self.divisor(name)
        return value * divisor[0] / self.n if divisor else value / float(self.n) ** self.power(name)

    def alive(self, name: str) -> bool:
        """Whether the student's code computes this answer from the batch."""
        if name in BATCH_FORWARD:
            own = numbers(self(name), name)
            moved = (own[1:] - own[0]).abs().amax(1)
            return bool((moved > leeway(own, RTOL, ATOL)).all()) and telling(
                own, self.given.values(), RTOL, ATOL
            )
        own = numbers(self.result[name], name)
        return alive(own, name, self.again.__getitem__, self.elsewhere.__getitem__, (self.given, self.other))

    def divisor(self, name: str) -> tuple[int, str] | None:
        """The number by which an answer is divided where the number of samples belongs, and what it is."""
        right = truth(self.given)[PER_SAMPLE.get(name, name)]
        own = numbers(self.result[name], name).squeeze()
        W, V = self.given["W"], self.given["V"]
        numbers_of = {
            "the number of classes": V.shape[0],
            "the number of hidden units": W.shape[0],
            "the number of inputs": W.shape[1],
        }
        known = [(n, what) for what, n in numbers_of.items() if self.power(name) == 1] + [
            (self.n - 1, "N − 1")
        ]
        if self.power(name) == 1 and (c := multiple(own, right, RTOL, ATOL)) and self.n / c > 1.5:
            known.append((round(self.n / c), "the same number for every N"))
        return next((one for one in known if differ(own * one[0] / self.n, right, RTOL, ATOL) == 0), None)

    @cached_property
    def uneven(self) -> dict[str, Tensor]:
        """Gradients for parameters in which samples do not count alike, as after a loop with = for +=: the factor of
        each sample's part (n,), which in a mean is 1/n."""
        found: dict[str, Tensor] = {}
        single = torch.eye(self.n, dtype=torch.float64)
        alone = [row / float(self.n) ** power for power in (1, 0, 2) for row in single]
        for name in ("dV", "db2", "dW", "db1"):
            with suppress(CheckFailed, RuntimeError):
                own = numbers(self.result[name], name).flatten()
                for parts in self.parts(name):
                    if multiple(own, parts.sum(0), RTOL, ATOL) is not None:
                        break  # they do count alike
                    # a bias has too few entries to tell the factors of all samples
                    solved = (
                        [] if name in WEIGHTS else [torch.linalg.lstsq(parts.T, own[:, None]).solution[:, 0]]
                    )
                    for factors in (*found.values(), *alone, *solved):
                        if differ(factors @ parts, own, RTOL, ATOL) == 0:
                            found.setdefault(name, factors)
        return found

    def own_layers(self) -> Iterator[Tensor]:
        """What the student's hidden layer (n, hidden) may be: that of one sample in all rows, or what the gradients for
        V are made with if the code is given one sample after the other."""
        given = self.given
        H = (given["x"] @ given["W"].T + given["b1"]).relu()
        for row in H:
            yield row.expand(self.n, -1)
        rows = []
        with suppress(CheckFailed, RuntimeError):
            for i in range(self.n):
                alone = self.ask({**given, **{name: given[name][i : i + 1] for name in ("x", "y")}})
                u2, dV = (numbers(alone[name], name).squeeze(0) for name in ("U2", "dV"))
                rows.append(u2 @ dV / u2.square().sum())
            yield torch.stack(rows)

    def parts(self, name: str) -> Iterator[Tensor]:
        """Each sample's gradient in a row: the right ones, then those of the student's functions for one sample."""
        rows = list(zip(self.given["x"], self.given["y"], strict=True))
        yield torch.stack([truth({**self.given, "x": x, "y": y})[name].flatten() for x, y in rows])
        yield torch.stack([numbers(single(name), name).flatten() for single in self.singles])

    def power(self, name: str) -> float:
        """The power of N that an answer has too much: 0 in a gradient of the mean, 1 in one of the sum."""
        if name in self.uneven:  # with 1/N and without it the power is 0
            return -1 if float(self.uneven[name].abs().max()) < 0.5 / self.n else 0
        once, twice = numbers(self.result[name], name), numbers(self.twice[name], name)
        rows = name in PER_SAMPLE
        if rows and len(twice) == 2 * len(once):
            twice = twice[: len(once)] * 2  # a row of the mean's gradient has 1/N
        if once.shape == twice.shape:
            for power in (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5):
                if differ(twice, 2.0**power * once, RTOL, ATOL) == 0:
                    return power
        # Samples are mixed. A row of (p − y)/N has no entry above 1/N.
        if name in ("U2", "U1"):
            return int(float(numbers(self.result["U2"], "U2").abs().max()) > 1 / self.n + ATOL)
        return 0


class Batch:
    """Judges a student's `mlp_backward_batch`, and the powers of N in its answers by themselves.

    What is wrong with the student's own functions is judged again with right functions for one sample in place of
    theirs.

    Args:
        sizes, n, replaced: as for `BatchAnswers`.
    """

    def __init__(
        self, student: Student, sizes: Sequence[int], n: int, seed: int, replaced: Collection[str] = ()
    ) -> None:
        self.answers = answers = BatchAnswers(student, sizes, n, seed, replaced)
        self.asked = student, sizes, n, seed

        def plausible(own: Tensor, name: str) -> bool:
            return answers.alive(name)

        steps = {
            name: replace(step, plausible=partial(plausible, name=name))
            for name, step in {**BATCH_FORWARD, **BATCH_BACKWARD}.items()
        }
        self.chain = Derivation(answers.given, steps)

    @cached_property
    def repaired(self) -> Batch | None:
        """The same with right functions for one sample in place of those that are wrong; None if none is."""
        student, sizes, n, seed = self.asked
        wrong = [name for name in ("mlp_forward", "mlp_backward") if not sample_is_right(student, name)]
        return Batch(student, sizes, n, seed, wrong) if wrong and not self.answers.replaced else None

    def expect(self, name: str) -> None:
        """An answer, with the right power of N, is right, follows from the student's own U2 and U1, or is the sum over
        what the student's functions for one sample return."""
        self._or_repaired(lambda batch: batch._expect(name))

    def _or_repaired(self, expect: Callable[[Batch], None]) -> None:
        try:
            expect(self)
        except CheckFailed as failure:
            if (repaired := self.repaired) is None:
                raise
            try:
                expect(repaired)
            except CheckFailed:
                raise failure from None

    def _expect(self, name: str) -> None:
        try:
            self.chain.expect(self.answers, name, called=f'"{name.removeprefix("d")}"', rtol=RTOL, atol=ATOL)
        except CheckFailed as failure:
            with suppress(CheckFailed, RuntimeError):
                if self.adds_up(name) or (name == "dV" and self._follows_own_layer()):
                    return
            if self._slipped_before(name):
                return
            if name in self.answers.uneven:
                key, factors = name.removeprefix("d"), self.answers.uneven[name]
                raise CheckFailed(f'"{key}" {uneven_samples(factors)}') from None
            raise failure from None

    def _slipped_before(self, name: str) -> bool:
        """Whether samples have the same factors in an earlier gradient: there the slip has cost its points."""
        uneven, alive = self.answers.uneven, self.answers.alive
        first = next(iter(uneven), name)
        if name == first or name not in uneven:
            return False
        own, known = (factors / factors.abs().max() for factors in (uneven[name], uneven[first]))
        if differ(own, known, RTOL, ATOL):
            return False
        return alive(first) and alive(name)

    def _follows_own_layer(self) -> bool:
        """Whether the gradient for V follows from U2 and from a hidden layer with which U2 was made: where that layer
        is wrong, U2 has cost its points."""
        if not (self.answers.alive("U2") and self.answers.alive("dV")):
            return False
        given, own, U2 = self.answers.given, self.answers("dV"), self.answers("U2")
        P = self.answers.n * U2 + given["y"]
        for H in self.answers.own_layers():
            logits = H @ given["V"].T + given["b2"]
            if differ(logits.softmax(1), P, RTOL, ATOL) == 0 == differ(U2.T @ H, own, RTOL, ATOL):
                return True
        return False

    def adds_up(self, name: str) -> bool:
        """Whether an answer is the sum over what the student's functions for one sample return."""
        single = PER_SAMPLE.get(name, name)
        rows = torch.stack([numbers(answers(single), name).squeeze() for answers in self.answers.singles])
        total = rows if name in PER_SAMPLE else rows.sum(0)
        own = self.answers(name)
        computed = len(rows.unique(dim=0)) > 1 and self.answers.alive(name)
        return computed and differ(own.squeeze(), total / self.answers.n, RTOL, ATOL) == 0

    def expect_mean(self) -> None:
        """The gradients for both weight matrices are those of the mean."""
        self._or_repaired(Batch._expect_mean)

    def _expect_mean(self) -> None:
        meanings = {
            1: "the 1/N is missing: this is the gradient of the sum",
            0.5: "divided by the square root of N: the mean divides by N",
            -1: "the 1/N is in it twice",
        }
        names = [name for name in ("dV", "dW") if self.answers.alive(name)]
        if not names:
            raise CheckFailed('neither "V" nor "W" is computed from the batch')
        for name in names:
            key = name.removeprefix("d")
            power = self.answers.power(name)
            if divisor := self.answers.divisor(name):
                number, what = divisor
                raise CheckFailed(
                    f'"{key}": divided by {what}, {number}; the mean is over the {self.answers.n} samples'
                )
            if power:
                raise CheckFailed(f'"{key}": {meanings.get(power, "its power of N is wrong")}')

    def expect_same_power(self, names: Iterable[str]) -> None:
        """These answers have the power of N that the student's weight gradients have."""
        self._or_repaired(lambda batch: batch._expect_same_power(names))

    def _expect_same_power(self, names: Iterable[str]) -> None:
        power = self.answers.power
        weights = {power("dV"), power("dW")}
        for name in names:
            if power(name) not in weights | {0}:  # what has 1/N once is right, whatever the weights have
                few = power(name) < min(weights)
                meaning = "one 1/N too many: U2 has it already" if few else "the 1/N is missing"
                raise CheckFailed(
                    f'"{name.removeprefix("d")}": {meaning} (the weights\' gradients have another)'
                )


def with_every_row(answers: dict[str, Any], u2: Tensor) -> dict[str, Any]:
    """The answers for a batch; where a loop has left out the first or the last sample, with a row of zeros for it. So
    the slip costs its points in U2, and all that follows from U2 has the form that is asked for.

    Args:
        u2: the right U2 (n, classes), or a multiple of it.
    """
    with suppress(CheckFailed):
        rows = numbers(answers["U2"], "U2")
        for part, at in ((u2[1:], 0), (u2[:-1], len(u2) - 1)):
            if multiple(rows, part, RTOL, ATOL):
                return answers | {name: with_row(answers[name], at, len(u2)) for name in PER_SAMPLE}
    return answers


def with_row(value: Any, at: int, n: int) -> Any:
    """A value of n − 1 rows with a row of zeros in this place; others as they are."""
    rows = numbers(value, "rows")
    if rows.ndim != 2 or len(rows) != n - 1:
        return value
    return torch.cat([rows[:at], torch.zeros_like(rows[:1]), rows[at:]])


def uneven_samples(factors: Tensor) -> str:
    """What it means that samples have these factors (n,) in a gradient of their mean."""
    n, used = len(factors), factors.abs() > 1e-6 * factors.abs().max()
    if int(used.sum()) == 1:
        only = int(used.nonzero()) + 1
        return f"has the part of one sample only, number {only} of {n}: in a loop, is there = instead of +=?"
    if not used.all():
        missing = int((~used).nonzero()[0]) + 1
        return f"does not have the parts of all samples: that of number {missing} of {n} is missing"
    low, high = int(factors.argmin()) + 1, int(factors.argmax()) + 1
    times = float(factors.max() / factors.min())
    return f"does not count all samples alike: number {high} of {n} has {times:.3g} times the weight of number {low}"


def right_sample(name: str, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `mlp_forward` or `mlp_backward` should return for one sample."""
    if name == "mlp_forward":
        return forward(given)
    right = truth(given)
    return {step.removeprefix("d"): right[step] for step in BACKWARD}


def sample_is_right(student: Student, name: str) -> bool:
    """Whether the student's `mlp_forward` or `mlp_backward` returns what it should."""
    given = network(10, 4, 7, 3)
    answers, steps = ask(student, given), FORWARD if name == "mlp_forward" else BACKWARD
    right = right_sample(name, given)
    try:
        return all(
            differ(alike(numbers(answers(step), step), want), want, RTOL, ATOL) == 0
            for step in steps
            for want in [right[step.removeprefix("d")]]
        )
    except CheckFailed:
        return False


# -- functions that are checked alone, and put together --------------------------------------------------


def normal(seed: int, **shapes: tuple[int, ...]) -> dict[str, Tensor]:
    """Normal numbers by name and shape, none of them close to 0 and some of either sign."""
    draw = torch.Generator().manual_seed(seed)
    values = {}
    for name, shape in shapes.items():
        while True:
            value = torch.randn(*shape, generator=draw, dtype=torch.float64)
            if value.abs().min() > 0.05 and bool((value > 0).any()) and bool((value < 0).any()):
                break
        values[name] = value
    return values


def prediction(seed: int, classes: int) -> dict[str, Tensor]:
    """Probabilities "o_hat" and a one-hot target "o", (classes,) both."""
    draw = torch.Generator().manual_seed(seed)
    o_hat = torch.randn(classes, generator=draw, dtype=torch.float64).softmax(0)
    label = int(torch.randint(classes, (), generator=draw))
    return {"o_hat": o_hat, "o": torch.eye(classes, dtype=torch.float64)[label]}


class Functions:
    """A student's functions for single steps, each called with given values and graded by its step.

    Args:
        steps: by the function's name. Its arguments are what the step needs, except the results of other functions.
        given: the values of the arguments.
        other: other values for them, as for `Sample`.
    """

    def __init__(
        self,
        student: Student,
        steps: Mapping[str, Step],
        given: Mapping[str, Tensor],
        other: Mapping[str, Tensor],
    ) -> None:
        def asking(values: Mapping[str, Tensor]) -> Answers:
            def answer(name: str) -> Any:
                arguments = [values[need] for need in steps[name].needs if need not in steps]
                return call(getattr(student, name), *arguments)

            return answer

        self.answers = asking(given)
        self.chain = Derivation(given, from_live(steps, self.answers, asking(other), (given, other)))

    def expect(self, name: str) -> None:
        """The function's value is right, or follows from those of the student's earlier functions."""
        self.chain.expect(self.answers, name, called=f"the result of {name}", rtol=RTOL, atol=ATOL)


# Problem 2's parameters, and their names in `network` and `truth`.
THETA = {"W1": "W", "b1": "b1", "W2": "V", "b2": "b2"}
SMALL, LARGE = 1e-4, 1.0  # learning rates: with the large one, an update changes the other gradients
COARSE = {"rtol": 5e-3, "atol": 2e-3}  # a small step of a float32 number has few digits


# Problem 2's functions for single steps, in the names of `network`: what each takes, and what it gives.
SINGLE_STEPS: dict[str, tuple[tuple[str, ...], str]] = {
    "dE_dz2": (("p", "y"), "u2"),
    "dE_dW2": (("u2", "h"), "dV"),
    "dE_db2": (("u2",), "db2"),
    "dE_dh": (("V", "u2"), "dh"),
    "dE_dz1": (("dh", "z"), "u1"),
    "dE_dW1": (("u1", "x"), "dW"),
    "dE_db1": (("u1",), "db1"),
}


def expect_descent(
    student: Student, sizes: Sequence[int], seed: int, expect: Callable[[Descent], None]
) -> None:
    """What a student's `descend` does is right, or follows from the student's own functions, or is right where those
    functions are replaced that are wrong.

    Args:
        sizes, seed: as for `Descent`.
        expect: `Descent.expect_gradients` or `Descent.expect_one_point`.
    """
    try:
        expect(Descent(student, sizes, seed))
    except CheckFailed as failure:
        try:
            expect(Descent(student, sizes, seed, repaired=True))
        except CheckFailed:
            raise failure from None


class Descent:
    """What a student's `descend(x, o, theta, eta)` does to the parameters.

    Its gradients are right, or those that the student's own functions for single steps give. A parameter for which
    these give nothing usable, for instance a number for a vector, is not judged: its function has lost the points.

    Args:
        sizes: (n, d, K), all different; if `descend` raises there, all sizes are equal.
        repaired: those of the student's functions for single steps that are wrong give right values while
            `descend` runs.
    """

    def __init__(self, student: Student, sizes: Sequence[int], seed: int, *, repaired: bool = False) -> None:
        self.student, self.replaced = student, frozenset[str]()
        if repaired:
            known = next(draws(sizes, seed))[0]
            self.replaced = frozenset(name for name in SINGLE_STEPS if not self.is_right(name, known))
            if not self.replaced:
                raise CheckFailed("all functions for single steps are right")
        for self.given, self.other in draws(sizes, seed):
            with suppress(StudentError):
                self.moved(self.given, SMALL)
                break
        else:
            self.given, self.other = next(draws(sizes, seed))
        right = truth(self.given)
        gradients = {
            f"d{name}": Step((), partial(right.__getitem__, f"d{ours}")) for name, ours in THETA.items()
        }
        moves = {name: Step((f"d{name}",), lambda g: g, DESCENT_MISTAKES) for name in THETA}
        self.chain = Derivation({}, from_live(gradients, *self.composed(), (self.given, self.other)) | moves)

    def is_right(self, name: str, given: Mapping[str, Tensor]) -> bool:
        """Whether the student's function for a single step gives what it should."""
        values, (needs, gives) = single_steps(given), SINGLE_STEPS[name]
        try:
            got = numbers(call(getattr(self.student, name), *(values[need] for need in needs)), name)
        except CheckFailed:
            return False
        return differ(alike(got, values[gives]), values[gives], RTOL, ATOL) == 0

    def composed(self) -> tuple[Answers, Answers]:
        """Gradients by the student's functions for single steps, for the sample and for another."""
        return (
            partial(composed, self.student, self.given, replaced=self.replaced),
            partial(composed, self.student, self.other, replaced=self.replaced),
        )

    def moved(self, given: Mapping[str, Tensor], eta: float) -> dict[str, Tensor]:
        """By how much `descend` decreases each parameter."""
        theta = {name: given[ours] for name, ours in THETA.items()}
        after = self.descended(given, theta, eta)
        moved = {}
        for name, before in theta.items():
            new = alike(numbers(entry(after, name, "descend"), f'"{name}"'), before)
            if new.shape != before.shape:
                raise CheckFailed(
                    f'"{name}" has shape {tuple(new.shape)} after the step, not {tuple(before.shape)}'
                )
            moved[name] = before - new
        return moved

    def descended(self, given: Mapping[str, Tensor], theta: Mapping[str, Tensor], eta: float) -> Any:
        """What `descend` returns.

        Raises:
            CheckFailed: a function that is replaced was called with something else than its arguments.
        """
        if not self.replaced:
            return call(self.student.descend, given["x"], given["y"], theta, eta)
        values = single_steps(given)
        instead = {name: [values[SINGLE_STEPS[name][1]]] for name in self.replaced}
        after, calls = call(self.student.descend.call_with, instead, given["x"], given["y"], theta, eta)
        for name, each in calls.items():
            wanted = [values[need] for need in SINGLE_STEPS[name][0]]
            if not all(any(same(arguments, order) for order in permutations(wanted)) for arguments in each):
                raise CheckFailed(f"`descend` calls `{name}` with other values than it should")
        return after

    def expect_gradients(self) -> None:
        """A small step moves every parameter against its gradient."""
        moved = self.moved(self.given, SMALL)

        def answer(name: str) -> Any:
            return moved[name] / SMALL if name in THETA else composed(self.student, self.given, name)

        for name in self.judged():
            self.chain.expect(answer, name, called=f'the step of "{name}", divided by eta', **COARSE)

    def judged(self) -> list[str]:
        """The parameters that are judged.

        Raises:
            CheckFailed: no weight matrix is among them.
        """
        own_gradient, elsewhere = self.composed()
        names = []
        for name, ours in THETA.items():
            try:
                own = own_gradient(f"d{name}")
            except CheckFailed:  # the student's functions give none: the step must be right
                names.append(name)
                continue
            if own.shape == self.given[ours].shape and alive(
                own, f"d{name}", own_gradient, elsewhere, (self.given, self.other)
            ):
                names.append(name)
        if not {"W1", "W2"} & set(names):
            raise CheckFailed("your gradients for the weights do not depend on the sample")
        return names

    def expect_one_point(self) -> None:
        """A large step is proportional to the small one, so every gradient was taken at the old parameters; as it is,
        or but for what moves with eta = 0, which `expect_gradients` finds."""
        try:
            self._expect_one_point(self.moved)
        except CheckFailed as failure:
            try:
                self._expect_one_point(self.moved_by_eta)
            except CheckFailed:
                raise failure from None

    def moved_by_eta(self, given: Mapping[str, Tensor], eta: float) -> dict[str, Tensor]:
        """`moved`, less what moves without eta."""
        still = self.moved(given, 0.0)
        return {name: step - still[name] for name, step in self.moved(given, eta).items()}

    def _expect_one_point(self, moved: Callable[[Mapping[str, Tensor], float], dict[str, Tensor]]) -> None:
        small, large, again = (moved(self.given, eta) for eta in (SMALL, LARGE, LARGE))
        elsewhere = moved({**self.given, "x": self.other["x"], "y": self.other["y"]}, LARGE)
        names = self.judged()
        for name in names:
            if "W" in name and not alive(large[name], name, again.__getitem__, elsewhere.__getitem__):
                raise CheckFailed(f'the step of "{name}" does not depend on the sample')
        top = "W2" if "W2" in names else "W1"
        ratio = float((small[top] * large[top]).sum() / (large[top] ** 2).sum())
        for name in reversed(names):
            if differ(small[name] / ratio if ratio else small[name], large[name], **COARSE):
                raise CheckFailed(
                    f'the step of "{name}" changes its direction with eta: was another parameter updated before?'
                )


DESCENT_MISTAKES: dict[str, Callable[[Tensor], Tensor]] = {
    "this step goes uphill": torch.neg,
    f"with eta = {SMALL:g} it does not move": torch.zeros_like,
    "a factor 2 is too much": lambda g: 2 * g,
}


def single_steps(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The values of `network` and all that problem 2's functions for single steps take and give."""
    right = truth(given)
    z = given["W"] @ given["x"] + given["b1"]
    h = z.relu()
    p = (given["V"] @ h + given["b2"]).softmax(0)
    return {**given, **right, "z": z, "h": h, "p": p, "dh": given["V"].T @ right["u2"]}


def same(arguments: Sequence[Any], wanted: Sequence[Tensor]) -> bool:
    """Whether a function of the student's was called with these values."""
    if len(arguments) != len(wanted):
        return False
    try:
        return all(
            differ(alike(numbers(got, "an argument"), want), want, RTOL, ATOL) == 0
            for got, want in zip(arguments, wanted, strict=True)
        )
    except CheckFailed:
        return False


def composed(
    student: Student, given: Mapping[str, Tensor], name: str, replaced: Collection[str] = ()
) -> Tensor:
    """The gradient "dW1", "db1", "dW2" or "db2" by the student's functions for single steps.

    Each function is called with what the ones before it returned, after a right forward pass.

    Args:
        replaced: functions in whose place right ones stand.
    """
    right = single_steps(given)
    z, h, o_hat = (right[each] for each in ("z", "h", "p"))

    def step(function: str, like: Tensor, *args: Tensor) -> Tensor:
        if function in replaced:
            return right[SINGLE_STEPS[function][1]]
        return alike(numbers(call(getattr(student, function), *args), function), like)

    delta, layer = step("dE_dz2", o_hat, o_hat, given["y"]), h
    if name.endswith("1"):
        delta, layer = step("dE_dz1", z, step("dE_dh", h, given["V"], delta), z), given["x"]
    like = given[THETA[name.removeprefix("d")]]
    return step(f"dE_{name}", like, delta, *([layer] if "W" in name else []))
