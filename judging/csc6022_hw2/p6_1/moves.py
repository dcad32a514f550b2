"""6.1d: the normalised error and one step with momentum."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache, cached_property, partial
from typing import Any

import torch
from torch import Tensor

from chainrule.judging.derivation import alike, telling
from chainrule.lesson.calls import call, entry
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Student
from judging.csc6022_hw2.p6_1.reference import (
    ATOL,
    CASES,
    FAINT,
    PARAMETERS,
    RTOL,
    Params,
    case,
    draw_inputs,
    gradients,
    parameters,
    step,
)
from judging.csc6022_hw2.p6_1.replaced import (
    gradients_are_wrong,
    knowing,
    known_backprop,
    own_gradients,
    own_or_right,
)

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
        free = gradients(self.params, self.X, self.y, 0)
        if self.lam and self.same(self.new_velocity, self.right(free)[1]):
            raise CheckFailed("the gradients are those without weight decay: `lam` has no part in the step")
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
