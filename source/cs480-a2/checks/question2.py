"""Visible checks of question 2. Values are compared with your other values, code with differences of the loss."""

import math
from collections.abc import Callable, Sequence
from itertools import combinations, permutations, product
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson import CheckFailed, Item, expect
from chainrule.lesson.checks import numbers
from chainrule.lesson.student import Student, returned

SHAPES = {
    **{"z": (3,), "h": (3,), "theta": (2,), "p_hat": (2,), "J": (), "dead": ()},
    **{"dtheta": (2,), "dU": (2, 3), "db2": (2,), "dh": (3,), "dz": (3,), "dW": (3, 2), "db1": (3,)},
    **{"W_new": (3, 2), "U_new": (2, 3), "p_warmup": (4,), "J_warmup": (), "dtheta_warmup": (4,)},
}
FOUR = 2e-4  # values have four decimals
TENTH = 0.1  # of what is only to be about as large

Matrix = Sequence[Sequence[float]]


def value(student: Student, name: str) -> Tensor:
    """A value of the student's in its shape; vectors may be rows or columns."""
    given = numbers(getattr(student, name), name).squeeze()
    expect(given, name).has_shape(*SHAPES[name])
    return given


def near(a: Tensor | float, b: Tensor | float) -> bool:
    """Equal up to what four decimals leave open."""
    a, b = torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64)
    return bool((a - b).abs().max() <= FOUR * max(1.0, float(b.abs().max())))


def form(item: Item, names: Sequence[str]) -> None:
    """One visible check: every value is there, in its shape."""
    shapes = ", ".join(f"{name}: {' × '.join(map(str, SHAPES[name])) or 'one number'}" for name in names)

    @item.visible_check("every value is there, in its shape", means="right form", hint=shapes)
    def _(student: Student) -> None:
        for name in names:
            value(student, name)


def probabilities(item: Item, p: str, logits: Callable[[Student], Tensor]) -> None:
    """Visible checks of a softmax's result: a distribution, in the order of its logits."""

    @item.visible_check(
        f"{p}: probabilities that sum to 1", means="consistent", hint="softmax divides by the sum"
    )
    def _(student: Student) -> None:
        own = value(student, p)
        expect(own.sum(), f"the sum of {p}").close_to(1, atol=2 * FOUR, rtol=0)
        expect(bool(((own > 0) & (own < 1)).all())).is_true(f"some entries of {p} are not between 0 and 1")

    @item.visible_check(
        f"{p}: the larger the logit, the more probable the class",
        means="consistent",
        hint="e to the power of each logit, divided by their sum: equal logits, equal probabilities",
    )
    def _(student: Student) -> None:
        own, theta = value(student, p), logits(student)
        for i, j in permutations(range(len(own)), 2):
            if near(theta[i], theta[j]):
                expect(near(own[i], own[j])).is_true(f"logits {i} and {j} are equal, and {p} differs there")
            elif theta[i] > theta[j]:
                expect(bool(own[i] > own[j])).is_true(
                    f"logit {i} is larger than logit {j}, and class {i} is not the more probable one in {p}"
                )


def surprise(item: Item, J: str, p: str, y: int) -> None:
    """Visible check: J is −log p̂_y of the student's own p̂."""

    @item.visible_check(
        f"{J}: e to the power of −{J} is your probability of the true class",
        means="consistent",
        hint=f"{J} = −log p̂_y with the natural logarithm; entry y of {p}, counted from 0",
    )
    def _(student: Student) -> None:
        loss, own = float(value(student, J)), value(student, p)
        expect(loss > 0).is_true(f"{J} is not above 0, and a probability below 1 has a loss above 0")
        expect(near(math.exp(-loss), own[y])).is_true(f"e^−{J} is not your entry {y} of {p}")


def at_logits(item: Item, d: str, p: str, y: int) -> None:
    """Visible checks of ∂J/∂θ: it sums to 0, has its signs, and goes with the student's own p̂."""

    @item.visible_check(
        f"{d}: its entries sum to 0",
        means="consistent",
        hint="the loss does not change when all logits grow by the same amount",
    )
    def _(student: Student) -> None:
        expect(value(student, d).sum(), f"the sum of {d}").close_to(0, atol=2 * FOUR)

    @item.visible_check(
        f"{d}: a larger logit of the true class lowers the loss, any other raises it",
        means="consistent",
        hint="a negative entry at y, counted from 0, and positive ones elsewhere",
    )
    def _(student: Student) -> None:
        own = value(student, d)
        for i, slope in enumerate(own.tolist()):
            expect(slope < 0 if i == y else slope > 0).is_true(f"{d} has the wrong sign at entry {i}")

    @item.visible_check(
        f"{d}: where a wrong class is more probable, its logit costs more",
        means="consistent",
        hint="away from the true class, ∂J/∂θ_i is the class's own probability",
    )
    def _(student: Student) -> None:
        own, others = value(student, p), [i for i in range(*SHAPES[p]) if i != y]
        expect(near(value(student, d)[others], own[others])).is_true(
            f"away from the true class, {d} does not go with your {p}"
        )


# -- 2.1 and 2.2 -----------------------------------------------------------------------------------------


def warmup(item: Item, theta: Sequence[float], y: int) -> None:
    """Visible checks of p_warmup, J_warmup and dtheta_warmup.

    Args:
        theta: the logits, (4,).
        y: the true class.
    """
    logits = torch.tensor(theta, dtype=torch.float64)
    form(item, ("p_warmup", "J_warmup", "dtheta_warmup"))
    probabilities(item, "p_warmup", lambda student: logits)
    surprise(item, "J_warmup", "p_warmup", y)
    at_logits(item, "dtheta_warmup", "p_warmup", y)


def forward(item: Item) -> None:
    """Visible checks of z, h, theta, p_hat, J and dead."""
    form(item, ("z", "h", "theta", "p_hat", "J", "dead"))

    @item.visible_check(
        "z and h: one neuron is off, and ReLU has done that",
        means="consistent",
        hint="ReLU(z) is z where z is positive, and 0 elsewhere",
    )
    def _(student: Student) -> None:
        z, h = value(student, "z"), value(student, "h")
        expect(bool((h >= 0).all())).is_true("h has a negative entry, which ReLU never gives")
        for k in range(3):
            fits = near(h[k], z[k]) if z[k] > 0 else float(h[k]) == 0
            expect(fits).is_true(f"entry {k} of h is not what ReLU makes of entry {k} of your z")
        expect(int((z < 0).sum()) == 1).is_true(
            "one neuron should be off, and z is negative for another number of them"
        )

    @item.visible_check(
        "dead: the index of the neuron that your z and h say is off",
        means="consistent",
        hint="its z is negative, its h is 0; the first neuron has index 0",
    )
    def _(student: Student) -> None:
        z, h, dead = value(student, "z"), value(student, "h"), float(value(student, "dead"))
        expect(dead in (0, 1, 2)).is_true(f"there is no neuron {dead:g}: they are 0, 1 and 2")
        off = float(z[int(dead)]) < 0 and float(h[int(dead)]) == 0
        expect(off).is_true(f"neuron {dead:g} is on by your z or h")

    probabilities(item, "p_hat", lambda student: value(student, "theta"))

    @item.visible_check(
        "theta and p_hat: a logit that is larger by δ makes a class e^δ times as probable",
        means="consistent",
        hint="p̂ is the softmax of your theta",
    )
    def _(student: Student) -> None:
        theta, p = value(student, "theta"), value(student, "p_hat")
        expect(near(p[1], p[0] * math.exp(float(theta[1] - theta[0])))).is_true(
            "the ratio of your probabilities does not go with the difference of your logits"
        )

    surprise(item, "J", "p_hat", 0)


def logits(item: Item) -> None:
    """Visible checks of dtheta."""
    form(item, ("dtheta",))
    at_logits(item, "dtheta", "p_hat", 0)


def zero_where_off(gradient: Tensor, h: Tensor, what: str) -> None:
    """The gradient is zero along its last dimension where h is.

    Raises:
        CheckFailed: it is not.
    """
    off = [k for k in range(len(h)) if float(h[k]) == 0]
    expect(not off or not bool(gradient[..., off].any())).is_true(
        f"{what} should be 0 where neuron {off} is off"
    )


def outer(
    item: Item, d: str, above: str, below: Callable[[Student], Tensor], weight: str, layer: str
) -> None:
    """Visible check: the gradient for a weight matrix is an outer product of the student's gradient above and of what
    comes from below."""

    @item.visible_check(
        f"{d}: rows go with {above}, columns with {layer}",
        means="consistent",
        hint=f"a weight of {weight} counts as much as the number it multiplies, and as what becomes of its sum",
    )
    def _(student: Student) -> None:
        own, up, down = value(student, d), value(student, above), below(student)
        for r, c in product(range(len(up)), range(len(down))):
            entry, moved = float(own[r, c]), float(up[r] * down[c])
            signs = [0 if abs(v) <= FOUR else math.copysign(1, v) for v in (entry, moved)]
            expect(signs[0] == signs[1]).is_true(
                f"{d}: the sign at row {r}, column {c} does not go with {above} at {r} and {layer} at {c}"
            )
        for a, b in combinations(range(len(down)), 2):
            expect(near(own[:, a] * down[b], own[:, b] * down[a])).is_true(
                f"{d}: columns {a} and {b} are not to each other as the entries of {layer} are"
            )
        size = float(up.abs().max() * down.abs().max())
        expect(abs(float(own.abs().max()) - size) <= TENTH * size + FOUR).is_true(
            f"{d}: its largest entry is {float(own.abs().max()):.3g}, not about as large as {above} times {layer}"
        )


def passed_on(item: Item, d: str, above: str, bias: str) -> None:
    """Visible check: a bias's gradient is the one above it."""

    @item.visible_check(
        f"{d}: what moves {bias} moves its sum as much",
        means="consistent",
        hint=f"{bias} is added, so the gradient arrives unchanged",
    )
    def _(student: Student) -> None:
        expect(near(value(student, d), value(student, above))).is_true(f"{d} differs from your {above}")


def output_layer(item: Item) -> None:
    """Visible checks of dU and db2."""
    form(item, ("dU", "db2"))

    @item.visible_check(
        "dU: what one class gains the other loses, and a neuron that is off counts for nothing",
        means="consistent",
        hint="the logits' gradients sum to 0, so each column of dU does; where h is 0, no weight matters",
    )
    def _(student: Student) -> None:
        own = value(student, "dU")
        expect(near(own.sum(0), torch.zeros(3))).is_true("some column of dU does not sum to 0")
        zero_where_off(own, value(student, "h"), "a column of dU")

    outer(item, "dU", "dtheta", lambda student: value(student, "h"), "U", "h")
    passed_on(item, "db2", "dtheta", "b2")


def hidden_layer(item: Item, U: Matrix) -> None:
    """Visible checks of dh and dz.

    Args:
        U: the given weights, (2, 3).
    """
    form(item, ("dh", "dz"))
    weights = torch.tensor(U, dtype=torch.float64)

    @item.visible_check(
        "dh: when a neuron's output grows a little, the loss moves the way dh says, and about as much",
        means="consistent",
        hint="the neuron reaches both logits: add up what it does to each of them, times your dtheta there",
    )
    def _(student: Student) -> None:
        own, d, h = (value(student, name) for name in ("dh", "dtheta", "h"))
        for k, more in enumerate(torch.eye(3, dtype=torch.float64)):
            logits = weights @ (h + more) - weights @ h  # what they gain
            slope, moved = float(own[k]), float((d * logits).sum())
            same = slope * moved > 0 or max(abs(slope), abs(moved)) <= FOUR
            expect(same).is_true(
                f"dh at neuron {k} has not the sign of what more of its output does to the loss"
            )
            expect(abs(slope - moved) <= TENTH * abs(moved) + FOUR).is_true(
                f"dh at neuron {k} is not about as large as what the neuron does through both logits together"
            )

    @item.visible_check(
        "dz: nothing gets through a neuron that is off, everything through one that is on",
        means="consistent",
        hint="ReLU's slope is 1 where your z is positive and 0 where it is negative",
    )
    def _(student: Student) -> None:
        z, dh, dz = (value(student, name) for name in ("z", "dh", "dz"))
        for k in range(3):
            if z[k] < 0:
                expect(float(dz[k]) == 0).is_true(f"neuron {k} is off by your z, and dz is not 0 there")
            else:
                expect(near(dz[k], dh[k])).is_true(
                    f"neuron {k} is on by your z, and dz differs from dh there"
                )


def first_layer(item: Item, x: Sequence[float]) -> None:
    """Visible checks of dW and db1.

    Args:
        x: the given input, (2,).
    """
    given = torch.tensor(x, dtype=torch.float64)
    form(item, ("dW", "db1"))

    @item.visible_check(
        "dW and db1: nothing to change at a neuron that is off",
        means="consistent",
        hint="where z is negative, a little more or less of a weight leaves the neuron at 0",
    )
    def _(student: Student) -> None:
        h = value(student, "h")
        zero_where_off(value(student, "dW").T, h, "a row of dW")
        zero_where_off(value(student, "db1"), h, "an entry of db1")

    outer(item, "dW", "dz", lambda student: given, "W", "x")
    passed_on(item, "db1", "dz", "b1")


def step(item: Item, W: Matrix, U: Matrix, t: float) -> None:
    """Visible checks of W_new and U_new.

    Args:
        W, U: the given weights, (3, 2) and (2, 3).
        t: the step size.
    """
    form(item, ("W_new", "U_new"))
    for name, old, d in (("W_new", W, "dW"), ("U_new", U, "dU")):

        @item.visible_check(
            f"{name}: the step goes against your {d}, and is t times as long",
            means="consistent",
            hint=f"{name[0]} minus t times {d}, entry by entry",
        )
        def _(student: Student, name: str = name, old: Matrix = old, d: str = d) -> None:
            before = torch.tensor(old, dtype=torch.float64)
            moved, gradient = value(student, name) - before, value(student, d)
            expect(bool(moved.any())).is_true(f"{name} is {name[0]}: no step was taken")
            expect(float((moved * gradient).sum()) < 0).is_true(
                f"from {name[0]} to {name} the loss grows, says your {d}"
            )
            ratio = float(moved.norm() / gradient.norm().clamp(min=1e-9))
            expect(abs(ratio - t) <= 0.02 * t).is_true(f"the step is {ratio:.3g} times as long as your {d}")
            expect(near(moved, -t * gradient)).is_true(f"the step does not go straight against your {d}")


# -- the same, as code -----------------------------------------------------------------------------------

GRADIENTS = ("dtheta", "dU", "db2", "dh", "dz", "dW", "db1")
ARGUMENTS = ("x", "W", "b1", "U", "b2")


def example(D: int, K: int, C: int, y: int) -> dict[str, Any]:
    """Float64 arguments of `backward`, some neurons on and some off, and none close to the kink."""

    def waves(start: float, *shape: int) -> Tensor:
        count = math.prod(shape)
        return torch.linspace(start, start + 2.3 * count, count, dtype=torch.float64).sin().reshape(shape)

    return {
        "x": waves(1, D),
        "y": y,
        "W": waves(2, K, D),
        "b1": waves(3, K) / 2,
        "U": waves(4, C, K),
        "b2": waves(5, C) / 2,
    }


EXAMPLES = (example(4, 6, 5, 2), example(3, 7, 4, 3))


def loss(given: dict[str, Any], moved: str, by: Tensor | float) -> float:
    """J of 2.2 with one of its values moved: an argument, or z, h or theta on the way.

    Args:
        by: what is added to it, of its shape.
    """
    given = {**given, moved: given[moved] + by} if moved in given else given
    z = given["W"] @ given["x"] + given["b1"] + (by if moved == "z" else 0)
    h = z.clamp(min=0) + (by if moved == "h" else 0)
    theta = given["U"] @ h + given["b2"] + (by if moved == "theta" else 0)
    return float(torch.logsumexp(theta, 0) - theta[given["y"]])


def differences(given: dict[str, Any], moved: str, shape: Sequence[int]) -> Tensor:
    """What J gains for each entry that is moved a little, forth and back."""
    slopes = torch.zeros(*shape, dtype=torch.float64)
    for place in range(slopes.numel()):
        little = torch.zeros(slopes.numel(), dtype=torch.float64)
        little[place] = 1e-5
        by = little.reshape(*shape)
        slopes.view(-1)[place] = (loss(given, moved, by) - loss(given, moved, -by)) / 2e-5
    return slopes


def code(item: Item) -> None:
    """Visible checks of `backward`, with 4 inputs, 6 hidden neurons and 5 classes, and with other sizes."""

    def gradients(student: Student, given: dict[str, Any]) -> dict[str, Any]:
        if not callable(student.backward):
            raise CheckFailed("`backward` should be a function")
        found = student.backward(given["x"], given["y"], *(given[name] for name in ARGUMENTS[1:]))
        if not isinstance(found, dict):
            raise CheckFailed(f"`backward` returns {returned(found)}, expected a dict of gradients")
        return found

    def entry(found: dict[str, Any], name: str, given: dict[str, Any]) -> Tensor:
        shapes = {name: tuple(given[name].shape) for name in ARGUMENTS}
        shapes |= {"theta": shapes["b2"], "h": shapes["b1"], "z": shapes["b1"]}
        expect(name in found).is_true(f'the dict that `backward` returns has no "{name}"')
        value = numbers(found[name], name)
        value = value.reshape(-1) if value.ndim == 2 and 1 in value.shape else value  # a row or a column
        expect(value, name).has_shape(*shapes[name[1:]])
        return value

    @item.visible_check(
        "seven gradients, each in the shape of what it belongs to",
        means="right form",
        hint="tried with 4 inputs, 6 hidden neurons, 5 classes",
    )
    def _(student: Student) -> None:
        found = gradients(student, EXAMPLES[0])
        for name in GRADIENTS:
            entry(found, name, EXAMPLES[0])

    @item.check(
        "for your information: the derivatives are written out",
        points=0,
        hint="a person will look at derivatives that a library has taken",
    )
    def _(student: Student) -> None:
        if not callable(student.backward):
            raise CheckFailed("`backward` should be a function")
        given = EXAMPLES[0]
        student.backward.expect_by_hand(given["x"], given["y"], *(given[name] for name in ARGUMENTS[1:]))

    for title, names, hint in [
        (
            "at the logits",
            ("dtheta",),
            "softmax of the logits, which need W, b1, ReLU, U and b2; then 2.1 at class y",
        ),
        ("output layer", ("dU", "db2"), "how does each logit change when U[c, k] or b2[c] does?"),
        (
            "hidden layer",
            ("dh", "dz"),
            "a neuron reaches every logit; ReLU lets a change pass where z is positive",
        ),
        ("first layer", ("dW", "db1"), "how does z[k] change when W[k, d] or b1[k] does?"),
    ]:

        @item.visible_check(
            f"{title}: small differences of J say the same as {' and '.join(names)}",
            means="right",
            hint=hint,
        )
        def _(student: Student, names: Sequence[str] = names) -> None:
            for given in EXAMPLES:
                found = gradients(student, given)
                for name in names:
                    own = entry(found, name, given)
                    slopes = differences(given, name[1:], own.shape)
                    if not torch.allclose(own, slopes, atol=1e-4, rtol=1e-3):
                        worst = tuple(
                            ((own - slopes).abs() == (own - slopes).abs().max()).nonzero()[0].tolist()
                        )
                        place = worst if len(worst) > 1 else worst[0]
                        raise CheckFailed(
                            f"{name} is {float(own[worst]):.4g} at {place}, and J changes by "
                            f"{float(slopes[worst]):.4g} for each unit more of {name[1:]} there"
                        )
