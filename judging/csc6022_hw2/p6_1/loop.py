"""What `fit` does with right functions in place of the student's, and hands to them."""

from __future__ import annotations

from functools import cache, cached_property

import torch

from chainrule.lesson.calls import call, entry
from chainrule.lesson.checks import numbers
from chainrule.lesson.student import CheckFailed, Student
from judging.csc6022_hw2.p6_1.reference import (
    LAM,
    MOMENTUM,
    RATE,
    draw_inputs,
    gradients,
    normalised_error,
    step,
)
from judging.csc6022_hw2.p6_1.replaced import agree


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
        self.returned, self.calls = call(
            student.fit.call_with, instead, *data, hidden, LAM, self.epochs, seed
        )
        if not self.calls["step"]:
            raise CheckFailed("`fit` does not call `step`")

    def expect_arguments(self) -> None:
        """Every step gets the training set, λ, rate, momentum and the velocity of the step before; the first one the
        start. Where parameters do not go from step to step, the velocity need not either: `expect_steps` judges it.
        """
        for i, (params, velocity, *given) in enumerate(self.calls["step"]):
            if not i and not agree(params, self.states[0][0]):
                raise CheckFailed("the first step should start from `initial(hidden, seed)`")
            if not agree(given[:2], [self.X, self.y]):
                raise CheckFailed("a step should get X and y, the training set")
            if not agree(given[2:3], [LAM]):
                raise CheckFailed("a step does not get `lam`")
            if not agree(given[3:], [RATE, MOMENTUM]):
                raise CheckFailed("a step should get `LEARNING_RATE` and `MOMENTUM`")
            known = [self.states[i % self.epochs][1]]
            known += [moved for place, moved in self.states if agree(params, place)]
            if not any(agree(velocity, one) for one in known):
                raise CheckFailed("the velocity should be 0 at first, then the one that `step` returned")

    def expect_steps(self) -> None:
        """As many steps as epochs, each from where the one before ended. The last one's parameters come back, if
        anything does: `expect_history` judges that."""
        taken = [params for params, *_ in self.calls["step"]]
        due = [params for params, _ in self.states[:-1]]
        due[0] = taken[0]  # `expect_arguments` judges the start
        if not agree(taken, due):
            raise CheckFailed("each epoch should be a step from where the one before ended")
        if self.returned is not None and self.place is None:
            raise CheckFailed("`fit` does not return the parameters of the last step")

    @cached_property
    def place(self) -> int | None:
        """Where in the pair that `fit` returns the last step's parameters are, None if nowhere."""
        last = self.states[-1][0]
        parts = self.returned if isinstance(self.returned, list | tuple) else [self.returned]
        return next((i for i, part in enumerate(parts) if agree(part, last)), None)

    def expect_history(self) -> None:
        """An entry for every tenth epoch at least, of the network after this epoch on each set."""
        if not isinstance(self.returned, list | tuple) or len(self.returned) != 2:
            raise CheckFailed("`fit` should return the parameters and a history")
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
            own = numbers(entry(self.returned[1], name, "fit"), f'the history "{name}"')
            if not agree(own, torch.tensor([known[k] for k, _ in asked])):
                raise CheckFailed(f'the history "{name}" does not hold the errors on this set')


@cache
def loop(student: Student) -> Loop:
    return Loop(student)
