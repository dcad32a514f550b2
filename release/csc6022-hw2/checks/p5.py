"""The visible checks of problem 5. Each gradient is compared with one that PyTorch's autograd takes of Eq. (1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from chainrule.lesson import Item
from chainrule.lesson.calls import about
from chainrule.lesson.checks import expect, numbers
from chainrule.lesson.student import CheckFailed, Student, returned
from checks.slopes import expect_slopes, shaped, slopes, wave

BY_HAND = "for your information: no automatic differentiation"
BY_FORMULA = "use the formula you derived"
Layers = dict[int, Tensor]
Kinds = dict[int, str]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "leaky_relu": lambda z: F.leaky_relu(z, 0.2),
}


def objective(D_real: Tensor, D_fake: Tensor) -> Tensor:
    """Eq. (1)."""
    return (D_real.log() + (1 - D_fake).log()).mean()


def sizes(n: int) -> tuple[Tensor, Tensor]:
    """D (n, 1) at real and at generated samples: one of each kind is recognised for sure, the others are between 0.1
    and 0.9."""
    D = 0.5 + 0.4 * wave(2, n, 1, start=0.6)
    D[0, 0], D[1, 0] = 1 - 1e-5, 1e-5
    return D[0], D[1]


# -- 5.2 and 5.3 -----------------------------------------------------------------------------------------


def gradient(item: Item) -> None:
    """Visible checks of grad_theta_d."""

    def example(n: int, P: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return *sizes(n), wave(n, P, start=1.0), wave(n, P, start=3.5)

    def judge(student: Student, real: float, fake: float, called: str) -> None:
        for n, P in ((3, 5), (6, 2)):
            D_real, D_fake, dD_real, dD_fake = example(n, P)
            dD_real, dD_fake = real * dD_real, fake * dD_fake

            def L(theta: Tensor, *D: Tensor) -> Tensor:  # D changes with theta as ∇D says
                return objective(D[0] + (D[2] @ theta)[:, None], D[1] + (D[3] @ theta)[:, None])

            arguments = D_real, D_fake, dD_real, dD_fake
            got = shaped(student.grad_theta_d(*arguments), "grad_theta_d", (P,))
            (want,) = slopes(
                lambda theta, a=arguments, L=L: L(theta, *a), torch.zeros(P, dtype=torch.float64)
            )
            expect_slopes(got, want, f"grad_theta_d for n = {n}{called}")

    @item.visible_check("one number for each parameter", means="right form", hint="shape (P,)")
    def _(student: Student) -> None:
        for n, P in ((3, 5), (6, 2)):
            shaped(student.grad_theta_d(*example(n, P)), f"grad_theta_d for {P} parameters", (P,))

    @item.visible_check(
        "L changes like this where ∇D is zero at all generated samples",
        means="right",
        hint="differentiate log u with u = D(X), and keep the factor 1/n and the sign of L",
    )
    def _(student: Student) -> None:
        judge(student, 1.0, 0.0, ", real samples alone")

    @item.visible_check(
        "L changes like this where ∇D is zero at all real samples",
        means="right",
        hint="differentiate log(1 − u) with u = D(G(Z)); mind its sign, and the factor 1/n",
    )
    def _(student: Student) -> None:
        judge(student, 0.0, 1.0, ", generated samples alone")

    @item.visible_check(
        "L changes like this with both",
        means="right",
        hint="the gradient of a sum is the sum of both gradients",
    )
    def _(student: Student) -> None:
        judge(student, 1.0, 1.0, "")

    @item.check(BY_HAND, points=0, hint=BY_FORMULA)
    def _(student: Student) -> None:
        student.grad_theta_d.expect_by_hand(*example(3, 5))


def last_layer(item: Item) -> None:
    """Visible checks of output_deltas."""

    def pair(student: Student, n: int) -> dict[str, Tensor]:
        """(real, generated), from a pair or from one array with all 2n numbers."""
        value = student.output_deltas(*sizes(n))
        if isinstance(value, torch.Tensor | np.ndarray) and len(value) == 2 * n:
            value = numbers(value, "what output_deltas returns").reshape(2, n)
        if not isinstance(value, list | tuple | torch.Tensor | np.ndarray) or len(value) != 2:
            what = returned(value) if value is None else "something else"
            raise CheckFailed(f"expected a pair: (delta_real, delta_fake), and output_deltas returns {what}")
        names = ("delta_real", "delta_fake")
        return {name: shaped(part, name, (n,)) for name, part in zip(names, value, strict=True)}

    @item.visible_check(
        "a pair with one number for each sample", means="right form", hint="(delta_real, delta_fake)"
    )
    def _(student: Student) -> None:
        for n in (3, 6):
            pair(student, n)

    for name, hint in (
        (
            "delta_real",
            "the derivative of log σ(z), divided by n: the chain rule through the sigmoid, simplified",
        ),
        (
            "delta_fake",
            "the derivative of log(1 − σ(z)), divided by n; mind its sign, and which D belongs here",
        ),
    ):

        @item.visible_check(f"{name}: L changes like this when z does", means="right", hint=hint)
        def _(student: Student, name: str = name) -> None:
            for n in (3, 6):
                got = pair(student, n)[name]
                z_real, z_fake = (torch.logit(D) for D in sizes(n))
                want = slopes(lambda p, q: objective(p.sigmoid(), q.sigmoid()), z_real, z_fake)
                expect_slopes(got, want[name == "delta_fake"].reshape(n), f"{name} for n = {n}")

    @item.check(BY_HAND, points=0, hint=BY_FORMULA)
    def _(student: Student) -> None:
        student.output_deltas.expect_by_hand(*sizes(3))


# -- 5.4 and 5.5 -----------------------------------------------------------------------------------------


def weights(widths: tuple[int, ...], start: float) -> Layers:
    return {l: wave(widths[l], widths[l - 1], start=start + l) for l in range(1, len(widths))}


def run(
    x: Tensor, W: Mapping[int, Tensor], kinds: Kinds, moved: Mapping[int, Tensor] | None = None
) -> tuple[Layers, Layers]:
    """z and A of all layers, as the notebook's `forward` gives them.

    Args:
        moved: added to the pre-activations.
    """
    z, A = {}, {0: x}
    for l in W:
        z[l] = A[l - 1] @ W[l].T + (moved[l] if moved else 0.0)
        A[l] = ACTIVATIONS[kinds[l]](z[l])
    return z, A


def numbered(names: str) -> Kinds:
    return dict(enumerate(names.split(), 1))


def of_layer(value: Any, l: int, shape: tuple[int, ...], name: str) -> Tensor:
    """The entry of a layer, from a dict or from a list that begins with layer 1.

    Raises:
        CheckFailed: there is none, or it has another shape.
    """
    if isinstance(value, list | tuple):
        value = dict(enumerate(value, 1))
    if not isinstance(value, Mapping):
        raise CheckFailed(f"expected a dict with an entry for each layer, and got {returned(value)}")
    if l not in value:
        raise CheckFailed(f"{name}[{l}] is missing: there are only the layers {list(value)}")
    expect(value[l], f"{name}[{l}]").has_shape(*shape)
    return numbers(value[l], f"{name}[{l}]")


Net = tuple[Tensor, Layers, Layers, Kinds, Tensor]  # delta, W, z, kinds, and the input


def net(n: int, widths: tuple[int, ...], names: str, start: float) -> Net:
    """A network that has run, with an error at its last pre-activation."""
    W, kinds, x = weights(widths, start), numbered(names), wave(n, widths[0], start=start)
    return wave(n, widths[-1], start=start + 0.5), W, run(x, W, kinds)[0], kinds, x


def recursion(item: Item) -> None:
    """Visible checks of backpropagate."""

    def judge(student: Student, example: Net, called: str) -> None:
        delta, W, z, kinds, x = example
        deltas = student.backpropagate(delta, W, z, kinds)

        def L(*moves: Tensor) -> Tensor:  # an L whose slope at the last layer is delta
            return (delta * run(x, W, kinds, dict(enumerate(moves, 1)))[0][len(W)]).sum()

        want = dict(enumerate(slopes(L, *(torch.zeros_like(value) for value in z.values())), 1))
        for l in reversed(range(1, len(W))):
            got = of_layer(deltas, l, tuple(z[l].shape), "delta")
            expect_slopes(got, want[l], f"delta[{l}] of {len(W)} layers{called}")

    @item.visible_check(
        "one entry for each layer, as large as its pre-activations",
        means="right form",
        hint="a dict with keys 1, 2, …, len(W)",
    )
    def _(student: Student) -> None:
        delta, W, z, kinds, _ = net(6, (4, 5, 3, 1), "tanh leaky_relu sigmoid", 1.0)
        deltas = student.backpropagate(delta, W, z, kinds)
        for l in (2, 1):  # the last layer's is what was given
            of_layer(deltas, l, tuple(z[l].shape), "delta")

    @item.visible_check(
        "through the weights: L changes like this without activations",
        means="right",
        hint="z[l + 1] = A[l] @ W[l + 1].T, so what changes in A[l] arrives through W[l + 1], and nothing else",
    )
    def _(student: Student) -> None:
        judge(student, net(6, (4, 5, 3, 2), "identity identity identity", 1.0), "")
        judge(student, net(3, (2, 4, 1), "identity sigmoid", 2.0), "")

    @item.visible_check(
        "through an activation: L changes like this with each kind of it",
        means="right",
        hint="A[l] = g(z[l]) entry by entry: multiply by the slope of layer l's own kind, at its pre-activation",
    )
    def _(student: Student) -> None:
        for kind in ("tanh", "leaky_relu", "softplus", "sigmoid"):
            judge(student, net(5, (3, 4, 2), f"{kind} tanh", 3.0), f", the first with {kind}")

    @item.visible_check(
        "from layer to layer: L changes like this with five layers",
        means="right",
        hint="for l = len(W) − 1, …, 1: delta[l] from delta[l + 1], by the same step",
    )
    def _(student: Student) -> None:
        judge(student, net(4, (3, 5, 2, 4, 6, 1), "softplus tanh leaky_relu tanh sigmoid", 0.2), "")

    @item.check(BY_HAND, points=0, hint=BY_FORMULA)
    def _(student: Student) -> None:
        student.backpropagate.expect_by_hand(*net(6, (4, 5, 3, 1), "tanh leaky_relu sigmoid", 1.0)[:4])


def sample_gradient(item: Item) -> None:
    """Visible checks of sample_gradient."""
    examples = [
        (wave(4, 3, start=1.0), wave(8, 4, start=2.0), wave(8, 4, start=3.3)),
        (wave(2, 6, start=0.5), wave(3, 2, start=1.2), wave(3, 2, start=4.0)),
    ]

    @item.visible_check("one row for each generated sample", means="right form", hint="shape (n, k)")
    def _(student: Student) -> None:
        for W1, real, fake in examples:
            expect(student.sample_gradient(W1, real, fake), "dL/dg").has_shape(len(fake), W1.shape[1])

    @item.visible_check(
        "L changes like this when a generated sample does",
        means="right",
        hint="z = A @ W1.T, and A is the sample itself: one step of 5.4, without an activation and without a factor",
    )
    def _(student: Student) -> None:
        for W1, real, fake in examples:
            got = numbers(student.sample_gradient(W1, 0 * real, fake), "dL/dg")
            expect(got, "dL/dg").has_shape(len(fake), W1.shape[1])
            x = torch.zeros_like(got)
            (want,) = slopes(lambda x, W=W1, u=fake: (u * (x @ W.T)).sum(), x)  # its slope at z is delta_fake
            expect_slopes(got, want, f"dL/dg for n = {len(fake)} where delta_real is 0")

    @item.visible_check(
        "other real samples change nothing",
        means="consistent",
        hint="which of the two sums in Eq. (1) does a generated sample occur in?",
    )
    def _(student: Student) -> None:
        for W1, real, fake in examples:
            one = numbers(student.sample_gradient(W1, real, fake), "dL/dg")
            other = numbers(student.sample_gradient(W1, -2 * real, fake), "dL/dg")
            expect(other, "dL/dg with another delta_real").close_to(one)
            expect(bool(one.any())).is_true("dL/dg is zero")

    @item.check(BY_HAND, points=0, hint=BY_FORMULA)
    def _(student: Student) -> None:
        student.sample_gradient.expect_by_hand(*examples[0])


# -- 5.6 -------------------------------------------------------------------------------------------------

# (n, widths and activations of the discriminator, then of the generator)
GAMES = [
    (6, (3, 5, 1), "tanh sigmoid", (2, 4, 3), "leaky_relu identity"),
    (4, (2, 6, 5, 1), "leaky_relu softplus sigmoid", (5, 3, 4, 2), "tanh softplus tanh"),
    (5, (4, 3, 1), "softplus sigmoid", (3, 6, 2, 5, 4), "sigmoid tanh leaky_relu identity"),
]


def generator(item: Item) -> None:
    """Visible checks of grad_theta_g and generator_gradients, and of the functions of 5.3 to 5.6 together."""
    jacobians = [
        (wave(5, 2, start=0.4), wave(5, 2, 7, start=1.0)),
        (wave(3, 4, start=2.0), wave(3, 4, 2, start=0.2)),
    ]
    generators = [
        net(5, (3, 4, 2), "tanh softplus", 1.5),
        net(6, (2, 5, 3, 4), "leaky_relu sigmoid tanh", 0.4),
    ]

    def layer_by_layer(student: Student, example: Net) -> Any:
        dL_dg, W, z, kinds, x = example
        return student.generator_gradients(dL_dg, W, z, run(x, W, kinds)[1], kinds)

    @item.visible_check(
        "gradients of the right shapes", means="right form", hint="see the functions' descriptions"
    )
    def _(student: Student) -> None:
        for dL_dg, dg in jacobians:
            P = dg.shape[-1]
            shaped(student.grad_theta_g(dL_dg, dg), f"grad_theta_g for {P} parameters", (P,))
        for example in generators:
            gradients = layer_by_layer(student, example)
            for l, W in example[1].items():
                of_layer(gradients, l, tuple(W.shape), "the gradient")

    @item.visible_check(
        "grad_theta_g: L changes like this when theta_g does",
        means="right",
        hint="L depends on a parameter through every coordinate of every sample: multiply and sum; 1/n is in dL_dg",
    )
    def _(student: Student) -> None:
        for dL_dg, dg in jacobians:
            n, k, P = dg.shape
            got = shaped(student.grad_theta_g(dL_dg, dg), "grad_theta_g", (P,))
            theta = torch.zeros(P, dtype=torch.float64)
            # an L whose slope at the samples is dL_dg; they change with theta as dg says
            (want,) = slopes(lambda theta, u=dL_dg, J=dg: (u * J.matmul(theta)).sum(), theta)
            expect_slopes(got, want, f"grad_theta_g for n = {n} and k = {k}")

    for name, hint in (
        ("the last layer", "dL_dg belongs to the last activation: first go back to its pre-activation"),
        (
            "the layers below",
            "your backpropagate with the generator's own W, z and kinds, then weight_gradients",
        ),
    ):

        @item.visible_check(
            f"generator_gradients, {name}: L changes like this when the weights do", means="right", hint=hint
        )
        def _(student: Student, below: bool = name != "the last layer") -> None:
            for example in generators:
                dL_dg, W, _, kinds, x = example
                gradients = layer_by_layer(student, example)

                def L(*moved: Tensor, x: Tensor = x, kinds: Kinds = kinds, u: Tensor = dL_dg) -> Tensor:
                    return (u * run(x, dict(enumerate(moved, 1)), kinds)[1][len(moved)]).sum()

                wanted = dict(enumerate(slopes(L, *W.values()), 1))
                for l in reversed(range(1, len(W))) if below else [len(W)]:
                    got = of_layer(gradients, l, tuple(W[l].shape), "the gradient")
                    expect_slopes(got, wanted[l], f"the gradient of layer {l} of {len(W)}")

    @item.visible_check(
        "5.3 to 5.6 together give what automatic differentiation gives",
        means="right",
        hint="the first gradient that differs shows where to look; run the cell above again after a change",
    )
    def _(student: Student) -> None:
        for i, (n, widths_d, names_d, widths_g, names_g) in enumerate(GAMES):
            theta_d, theta_g = weights(widths_d, 10.0 + i), weights(widths_g, 20.0 + i)
            theta_d, theta_g = ({l: 0.6 * w for l, w in theta.items()} for theta in (theta_d, theta_g))
            kinds_d, kinds_g = numbered(names_d), numbered(names_g)
            X, Z = wave(n, widths_d[0], start=30.0 + i), wave(n, widths_g[0], start=40.0 + i)
            got = student.gan_gradients(X, Z, theta_d, theta_g, kinds_d, kinds_g)

            def L(
                *thetas: Tensor,
                count: int = len(theta_d),
                X: Tensor = X,
                Z: Tensor = Z,
                kinds_d: Kinds = kinds_d,
                kinds_g: Kinds = kinds_g,
            ) -> Tensor:
                theta_d, theta_g = (dict(enumerate(part, 1)) for part in (thetas[:count], thetas[count:]))
                G = run(Z, theta_g, kinds_g)[1][len(theta_g)]
                return objective(*(run(x, theta_d, kinds_d)[1][count] for x in (X, G)))

            wanted = slopes(L, *theta_d.values(), *theta_g.values())
            for which, theta, part in (
                ("theta_d", theta_d, wanted[: len(theta_d)]),
                ("theta_g", theta_g, wanted[len(theta_d) :]),
            ):
                for l in reversed(theta):
                    with about(f"{len(theta)} layers"):
                        name = f"the gradient of L by {which}[{l}]"
                        expect_slopes(
                            of_layer(got[which], l, tuple(theta[l].shape), which), part[l - 1], name
                        )

    @item.check(BY_HAND, points=0, hint=BY_FORMULA)
    def _(student: Student) -> None:
        student.grad_theta_g.expect_by_hand(*jacobians[0])
        dL_dg, W, z, kinds, x = generators[0]
        student.generator_gradients.expect_by_hand(dL_dg, W, z, run(x, W, kinds)[1], kinds)


# -- 5.7 and 5.8 -----------------------------------------------------------------------------------------

Player = Literal["theta_d", "theta_g"]
# Samples and noise of one number each, so that both players' weights have the same shapes.
SHAPES = {1: (3, 1), 2: (1, 3)}
REAL, NOISE = 1 + wave(4, 1, start=0.3), wave(4, 1, start=1.5)


def play(theta_d: Mapping[int, Tensor], theta_g: Mapping[int, Tensor]) -> Tensor:
    """L of this small game."""
    G = run(NOISE, theta_g, numbered("tanh identity"))[1][2]
    return objective(*(run(x, theta_d, numbered("softplus sigmoid"))[1][2] for x in (REAL, G)))


def game() -> tuple[dict[Player, Layers], dict[Player, Layers]]:
    """The weights of both players, and the gradients of L."""
    theta_d, theta_g = ({l: wave(*shape, start=s + l) for l, shape in SHAPES.items()} for s in (0.5, 2.0))

    def L(*w: Tensor) -> Tensor:
        return play({1: w[0], 2: w[1]}, {1: w[2], 2: w[3]})

    d1, d2, g1, g2 = slopes(L, *theta_d.values(), *theta_g.values())
    return {"theta_d": theta_d, "theta_g": theta_g}, {"theta_d": {1: d1, 2: d2}, "theta_g": {1: g1, 2: g2}}


def update(item: Item, player: Player) -> None:
    """Visible checks of update_discriminator ("theta_d") or update_generator ("theta_g"), and the check for the weights
    that were given, which earns points."""
    function, wish, against = {
        "theta_d": ("update_discriminator", "larger", "smaller"),
        "theta_g": ("update_generator", "smaller", "larger"),
    }[player]
    other: Player = "theta_g" if player == "theta_d" else "theta_d"

    def moved(student: Student, alpha: float, own: float = 1.0, others: float = 1.0) -> Layers:
        """The new weights, with both gradients multiplied by a factor."""
        theta, gradients = game()
        scaled = {
            which: {l: factor * g for l, g in gradients[which].items()}
            for which, factor in ((player, own), (other, others))
        }
        new = getattr(student, function)(theta[player], scaled, alpha)
        return {l: of_layer(new, l, shape, f"the new {player}") for l, shape in SHAPES.items()}

    def steps(student: Student, alpha: float, **factors: float) -> Tensor:
        theta = game()[0][player]
        return torch.cat([(w - theta[l]).flatten() for l, w in moved(student, alpha, **factors).items()])

    @item.visible_check(
        "new weights for every layer",
        means="right form",
        hint=f"a dict with the keys of {player}, and a `return`",
    )
    def _(student: Student) -> None:
        moved(student, 0.1)
        three = {l: wave(2, 2, start=l) for l in (1, 2, 3)}
        new = getattr(student, function)(three, {"theta_d": three, "theta_g": three}, 0.1)
        for l in three:
            of_layer(new, l, (2, 2), f"the new {player} of three layers")

    expect_kept(item, player, function)

    @item.visible_check(
        "without a step the weights stay: alpha = 0, or no gradient",
        means="consistent",
        hint=f"the new weights are the current {player}[l] plus or minus a step",
    )
    def _(student: Student) -> None:
        nothing = torch.zeros(6)
        expect(steps(student, 0.0), "the step for alpha = 0").close_to(nothing)
        expect(steps(student, 0.1, own=0.0, others=0.0), "the step for gradients of 0").close_to(nothing)

    @item.visible_check(
        "twice the rate is twice the step, and so is twice the gradient",
        means="consistent",
        hint="the step is alpha times a gradient",
    )
    def _(student: Student) -> None:
        once = steps(student, 0.1)
        expect(steps(student, 0.2), "the step for alpha = 0.2").close_to(2 * once)
        for factor in (2.0, 100.0):  # a large gradient is not cut off
            longer = steps(student, 0.1, own=factor, others=factor)
            expect(longer, f"the step for {factor:g} times the gradients").close_to(factor * once)

    @item.visible_check(
        "the other player's gradient makes no difference",
        means="consistent",
        hint="gradients has two entries, one for each player",
    )
    def _(student: Student) -> None:
        changed = steps(student, 0.1, others=-3.0)
        expect(changed, f"the step with another {other}").close_to(steps(student, 0.1))

    @item.visible_check(
        f"a small step makes L {wish}",
        means="consistent",
        hint="which of the two players is this, and does it want L large or small?",
    )
    def _(student: Student) -> None:
        change = gain(student, 1e-3)
        expect(abs(change) > 1e-9).is_true("a step with alpha = 0.001 leaves L as it is")
        right = (change > 0) == (wish == "larger")
        expect(right).is_true(f"a step with alpha = 0.001 makes L {against}, by {abs(change):.2g}")

    @item.visible_check(
        "a small step changes L as fast as alpha and the gradient say",
        means="consistent",
        hint="alpha once, the whole gradient of every layer once, and no other factor",
    )
    def _(student: Student) -> None:
        slope = sum(float((g * g).sum()) for g in game()[1][player].values())  # along the gradient
        seen = abs(gain(student, 1e-3)) / 1e-3
        text = f"with alpha = 0.001 L changes {seen / slope:.3g} times as fast as along its gradient"
        expect(abs(seen / slope - 1) < 0.02).is_true(text)

    def gain(student: Student, alpha: float) -> float:
        theta = game()[0]
        after = {**theta, player: moved(student, alpha)}
        return float(play(after["theta_d"], after["theta_g"]) - play(theta["theta_d"], theta["theta_g"]))


def expect_kept(item: Item, player: Player, function: str) -> None:
    """The check for the weights that were given. It runs at grading, too."""
    shapes = {
        1: (3, 3),
        2: (3, 3),
    }  # as many rows as columns: which layer goes with which, other checks judge
    theta, for_d, for_g = (
        {l: torch.cos(start + torch.arange(r * c).double()).reshape(r, c) for l, (r, c) in shapes.items()}
        for start in (1, 2, 3)
    )
    gradients = {"theta_d": for_d, "theta_g": for_g}  # near 1

    @item.check(
        "the weights move, and the given ones are left as they were",
        points=0.25,
        hint="no +=, -= or assignment into the given dict: make new tensors and a new dict",
    )
    def _(student: Student) -> None:
        steps = []
        for factor, alpha in ((-1, 0.1), (1, 0.1), (1, 0.2), (-1, 0.1)):
            start = {l: w.clone() for l, w in theta.items()}
            scaled = {which: {l: factor * g for l, g in of.items()} for which, of in gradients.items()}
            new = getattr(student, function)(start, scaled, alpha)
            expect(isinstance(new, dict | list)).is_true(
                "expected a dict with new weights: is a `return` missing?"
            )
            there = [new[l] for l in shapes if l in new] if isinstance(new, dict) else list(new)
            expect(bool(there)).is_true("no new weights come back")
            steps.append(numbers(there, "the new weights").flatten())
        again = torch.equal(steps[0], steps[3])
        expect(again).is_true("with the same arguments the new weights change from one call to the next")
        moved = bool((steps[1] - steps[0]).abs().max() > 1e-5)
        expect(moved).is_true("the weights do not move, whatever the gradient is")
        copied = torch.equal(steps[0], -steps[1]) and torch.equal(steps[1], steps[2])
        expect(not copied).is_true(
            "what comes back is a gradient or a multiple of it, without theta and alpha"
        )
        step = steps[1] - steps[0]
        directions = torch.stack([torch.cat([g.flatten() for g in of.values()]) for of in gradients.values()])
        directions = directions[:, : len(step)].T  # one layer at least
        along = directions @ torch.linalg.lstsq(directions, step[:, None]).solution
        expect(bool(along.norm() > 0.5 * step.norm())).is_true(
            "the step is not made along a gradient"
        )  # how long it is, other checks judge
        around = (
            student.weights_around_theta_d_step
            if player == "theta_d"
            else student.weights_around_theta_g_step
        )
        before, after = around(theta, gradients, 0.1)
        expect(all(torch.equal(before[l], after[l]) for l in shapes)).is_true(
            "the weights that were given are changed by the call: return new ones instead"
        )
