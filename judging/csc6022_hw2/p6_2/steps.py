"""One training step, and several in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from chainrule.judging.networks import softmax_regression_by_sgd
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student, returned
from judging.csc6022_hw2.p6_2.network import generator

Loss = Callable[[Tensor, Tensor], Tensor]


def unscaled(z: Tensor, y: Tensor) -> Tensor:
    """Keras's cross-entropy of scores that it takes for probabilities: it clips them and scales them to a sum of 1."""
    return F.cross_entropy(z.clamp(1e-7, 1 - 1e-7).log(), y)


LOSSES: dict[str, Loss] = {
    "": F.cross_entropy,
    "the softmax is taken twice: cross_entropy wants raw scores": lambda z, y: F.cross_entropy(
        z.softmax(1), y
    ),
    "the batch's losses are summed, not averaged": lambda z, y: F.cross_entropy(z, y, reduction="sum"),
    "nll_loss wants log-softmax, not scores": F.nll_loss,
    "the scores are taken for probabilities: from_logits=True is missing": unscaled,
}


class Regression(NamedTuple):
    """Softmax regression to be trained: weights (4, 6), biases (4,), inputs (15, 6), classes (15,), in batches of 4."""

    weight: Tensor
    bias: Tensor
    x: Tensor
    y: Tensor

    def after(self, lr: float, *, loss: Loss = F.cross_entropy, momentum: float = 0.0, **how: Any) -> Tensor:
        """Weights (4, 7), biases last, after training by `softmax_regression_by_sgd` with these arguments."""
        how = {"epochs": 1} | how
        return softmax_regression_by_sgd(
            self.weight, self.bias, self.x, self.y, batch=4, lr=lr, momentum=momentum, loss=loss, **how
        )

    @property
    def start(self) -> Tensor:
        """Weights (4, 7) before training, biases last."""
        return torch.cat([self.weight, self.bias[:, None]], 1)

    def at(self, weights: Tensor) -> Regression:
        """The same with other weights (4, 7) to start from."""
        return self._replace(weight=weights[:, :-1], bias=weights[:, -1])

    def rows(self, n: int) -> Regression:
        """The same with the first n inputs only."""
        return self._replace(x=self.x[:n], y=self.y[:n])

    def large(self) -> Regression:
        """The first four inputs, fifty times as large, and so are the gradients."""
        return self.rows(4)._replace(x=50 * self.x[:4])

    def dark(self) -> Regression:
        """The same with inputs of 0, for which the weights have no gradient."""
        return self._replace(x=0 * self.x)

    def batches(self) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self.x.split(4), self.y.split(4), strict=True))


def regression(seed: int) -> Regression:
    draw = generator(seed)
    weight, bias = (torch.randn(shape, generator=draw, dtype=torch.float64) for shape in ((4, 6), (4,)))
    x = torch.randn(15, 6, generator=draw, dtype=torch.float64)
    return Regression(weight, bias, x, torch.randint(4, (15,), generator=draw))


def joined(params: Any) -> Tensor:
    """Weight (4, 6) and bias (4,) as one (4, 7).

    Raises:
        CheckFailed: they are something else.
    """
    expect(isinstance(params, list | tuple) and len(params) == 2).is_true("two parameters should come back")
    weight, bias = (numbers(value, "a parameter") for value in params)
    expect(weight, "the weight").has_shape(4, 6)
    expect(bias, "the bias").has_shape(4)
    return torch.cat([weight, bias[:, None]], 1)


def stepped(
    student: Student, params: Sequence[Tensor], batches: Sequence[Any], lr: float
) -> tuple[list[Tensor], list[Any]]:
    """Parameters after a `train_step` for each batch, and the losses it returned. All is float32, as images are.

    Args:
        params: weight and bias of the regression, or several such pairs, which are added up.
    """
    single = [value.float() for value in params], [(x.float(), y) for x, y in batches]
    after, losses = student.rehearse_steps(*single, lr)
    return list(after), list(losses)


DECAYED = "where all inputs are 0 the weights change, too: no weight decay or penalty was asked for"


def expect_undecayed(c: Regression, after: Tensor) -> None:
    """Weights (4, 7) after training on `c.dark()` are those of before, biases apart."""
    expect(torch.equal(after[:, :-1].float(), c.weight.float())).is_true(DECAYED)


def expect_unclipped(c: Regression, after: Tensor, lr: float) -> None:
    """Weights (4, 7) after one step on `c.large()` are lr times the gradient away, however long that is."""
    large = c.large()
    share = share_of_step(large, lr, after)
    if share is None or abs(share - 1) > 1e-3:
        size = "another one" if share is None else f"{share:.3g} times as long"
        expect(after, f"where the gradient is long the step is {size}; a parameter").close_to(large.after(lr))


STAYED = (
    "the parameters never change: backward() comes first, then the update in place, `p -= …`; "
    "`p = p - …` makes another tensor"
)


def expect_step(student: Student, c: Regression) -> None:
    """One step is θ - lr · ∇ of the batch's mean cross-entropy, for every parameter."""
    for lr in (0.1, 0.3):
        got = joined(stepped(student, (c.weight, c.bias), c.batches()[:1], lr)[0])
        one = slice(1)
        start = torch.cat([c.weight, c.bias[:, None]], 1)
        right = c.after(lr, only=one)
        weight_only, bias_only = start.clone(), start.clone()
        weight_only[:, :-1], bias_only[:, -1] = right[:, :-1], right[:, -1]
        mistakes: dict[str, Any] = {
            STAYED: start,
            **{what: c.after(lr, only=one, loss=loss) for what, loss in LOSSES.items() if what},
            "the step goes uphill: subtract the gradient": 2 * start - right,
            "only the weight moves: every parameter in the list takes a step": weight_only,
            "only the bias moves: every parameter in the list takes a step": bias_only,
            "the argument lr is not used": start + (right - start) / lr,
            "the step is made twice": c.after(lr, only=one, repeat=2),
        }
        try:
            expect(got, "a parameter after one step").close_to(right, mistakes=mistakes)
        except CheckFailed as failure:
            share = share_of_step(c, lr, got)
            if share is None or any(what in str(failure) for what in mistakes):
                raise
            raise CheckFailed(
                f"with lr = {lr:g} the step is {share:.3g} times as long as lr times the gradient"
            ) from None
    expect_unclipped(c, joined(stepped(student, (c.weight, c.bias), c.large().batches(), 0.01)[0]), 0.01)
    dark = c.dark()
    expect_undecayed(c, joined(stepped(student, (c.weight, c.bias), dark.batches()[:1], 0.3)[0]))
    pairs = [value / 3 for _ in range(3) for value in (c.weight, c.bias)]
    after = stepped(student, pairs, c.batches()[:1], 0.3)[0]
    for n in range(3):
        moved = (
            3 * joined(pairs[2 * n : 2 * n + 2])
            + joined(after[2 * n : 2 * n + 2])
            - joined(pairs[2 * n :][:2])
        )
        expect(close(moved, right)).is_true(
            "of six parameters some take no step, or a wrong one: every parameter in the list takes a step"
        )


def expect_cleared(student: Student, c: Regression) -> None:
    """Three steps in one call are three steps in three calls: no gradients of the batch before are left."""
    start: list[Tensor] = [c.weight, c.bias]
    together = joined(stepped(student, start, c.batches(), 0.2)[0])
    expect(differ(together, joined(start), rtol=1e-5, atol=1e-6) > 0).is_true(STAYED)
    single = start
    for batch in c.batches():
        single = stepped(student, single, [batch], 0.2)[0]
    if differ(joined(single), joined(start), rtol=1e-5, atol=1e-6) == 0:
        # The step uses the batch before's gradients: `expect_step` judges that.
        late = differ(together, c.after(0.2, stale=True), rtol=1e-4, atol=1e-5) == 0
        expect(late).is_true("the first step changes nothing: backward() has to come before it")
        return
    expect(differ(together, joined(single), rtol=1e-4, atol=1e-5) == 0).is_true(
        "old gradients pile up: clear every p.grad after the step (or before backward)"
    )


def expect_run(student: Student, model: Model, loader: Any) -> None:
    """`accuracy` runs the model, a linear one, on the loader's images."""
    ran = "linear" in student.accuracy.used(model, loader)
    expect(ran).is_true("`accuracy` does not run the model on the loader's images")


def expect_losses(student: Student, c: Regression) -> None:
    """`train_step` returns the batch's loss before the step, by the loss function that the student trains with."""
    after, losses = stepped(student, (c.weight, c.bias), c.batches()[:1], 0.1)
    way = (c.start - joined(after)) / 0.1  # the gradient that was used

    def loss(weights: Tensor) -> Any:
        return stepped(student, (weights[:, :-1], weights[:, -1]), c.batches()[:1], 0.1)[1][0]

    kinds = LOSSES.values()
    used = next(
        (f for f in kinds if close(joined(after), c.after(0.1, only=slice(1), loss=f))), F.cross_entropy
    )
    try:
        expect_first_loss(losses[0], c, used)
    except CheckFailed:
        right_way = close(joined(after), c.after(0.1, only=slice(1)))
        if right_way or not descends(loss, c.start, way):
            raise


def descends(loss: Callable[[Tensor], Any], weights: Tensor, gradient: Tensor) -> bool:
    """Whether a loss, which is not that of the text, is the one that has this gradient: by differences along it."""
    length = float(gradient.norm())
    if length == 0:
        return False
    up, down = (numbers(loss(weights + h * gradient / length), "the loss") for h in (0.05, -0.05))
    return up.numel() == down.numel() == 1 and abs(float((up - down).sum()) / 0.1 - length) < 0.02 * length


def expect_first_loss(value: Any, c: Regression, trained_on: Loss = F.cross_entropy) -> None:
    """The value is the first batch's loss before training, a number."""
    z, y = c.x[:4] @ c.weight.T + c.bias, c.y[:4]
    expect(value is not None).is_true(f"the loss that `train_step` returns is {returned(None)}")
    got = numbers(value, "the loss")
    expect(got.numel() == 1).is_true(
        f"the loss that is returned has shape {tuple(got.shape)}: return one number"
    )
    expect(got.reshape(()), "the loss that is returned").close_to(
        trained_on(z, y), mistakes={what: loss(z, y) for what, loss in LOSSES.items() if what}
    )


def close(got: Tensor, want: Tensor) -> bool:
    return differ(got, want, rtol=1e-4, atol=1e-5) == 0


def share_of_step(c: Regression, lr: float, after: Tensor) -> float | None:
    """What multiple of the right step on the first batch leads to these weights (4, 7); None if none does."""
    right, made = c.after(lr, only=slice(1)) - c.start, after - c.start
    share = float((made * right).sum() / right.square().sum())
    return share if differ(made, share * right, rtol=1e-3, atol=1e-5) == 0 else None


def step_moves(student: Student) -> bool:
    """Whether `train_step` changes parameters."""
    c = regression(31)
    after = joined(stepped(student, (c.weight, c.bias), c.batches(), 0.2)[0])
    return differ(after, joined([c.weight, c.bias]), rtol=1e-5, atol=1e-6) > 0
