"""Derivations as chains of steps, each graded from the student's own earlier values.

    chain = Derivation(
        {"x": x, "W": W, "b": b},
        {
            "z": Step(("W", "x", "b"), lambda W, x, b: W @ x + b, {"the bias is missing": lambda W, x, b: W @ x}),
            "h": Step(("z",), torch.relu),
        },
    )
    chain.expect(answers, "h")  # right, or ReLU of the student's own z

So a slip is paid for once, where it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch

from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed

Answers = Callable[[str], Any]  # the student's value of a name; raises CheckFailed if there is none
Rule = Callable[..., Any]

FOUR_DECIMALS = 1.01e-4  # rounded or cut off after the fourth


@dataclass(frozen=True)
class Step:
    """One step: what it is computed from, how, and what known mistakes give instead.

    Args:
        needs: names of given values or earlier steps, in the order `rule` and each mistake take them.
        rule: from float64 tensors to a number or tensor.
        mistakes: functions of the same arguments, by what the student is told.
        plausible: whether a wrong value of this step may be carried on. One that leaves nothing to compute
            (zeros, unless the right value is zero) never is.
    """

    needs: tuple[str, ...]
    rule: Rule
    mistakes: Mapping[str, Rule] = field(default_factory=dict)
    plausible: Callable[[torch.Tensor], bool] = lambda value: True


class Derivation:
    """A chain of steps with its right values, float64 tensors by name in `values`.

    Args:
        given: what the question states.
        steps: in order; each needs only what stands before it.
    """

    def __init__(self, given: Mapping[str, Any], steps: Mapping[str, Step]) -> None:
        self.steps = steps
        self.values: dict[str, torch.Tensor] = {name: numbers(value, name) for name, value in given.items()}
        for name, step in steps.items():
            self.values[name] = numbers(step.rule(*(self.values[need] for need in step.needs)), name)

    def expect(
        self,
        answers: Answers,
        name: str,
        *,
        called: str | None = None,
        rtol: float = 0.0,
        atol: float = FOUR_DECIMALS,
    ) -> None:
        """The student's value of a step is right, or follows from values of earlier steps that are the student's.

        Vectors may be given as rows or columns, numbers as tensors with one entry.

        Args:
            called: what to call it in messages; the name if not said.
        Raises:
            CheckFailed: it is neither; a known mistake is named.
        """
        step, right, called = self.steps[name], self.values[name], called or name
        got = alike(numbers(answers(name), called), right)
        sources = list(self._sources(answers, step))
        for source in sources:
            if matches(got, step.rule, source, rtol, atol):
                return
        for meaning, slip in step.mistakes.items():
            for source in reversed(sources):  # from the student's own values first
                if matches(got, slip, source, rtol, atol):
                    raise CheckFailed(f"{called}: {meaning}")
        carried = [
            need
            for need, own in zip(step.needs, sources[-1], strict=True)
            if differ(own, self.values[need], rtol, atol)
        ]
        if carried:
            raise CheckFailed(
                f"{called} is not right, and does not follow from your {' and '.join(carried)} either"
            )
        expect(got, called).close_to(right, rtol=rtol, atol=atol)

    def _sources(self, answers: Answers, step: Step) -> Iterator[tuple[torch.Tensor, ...]]:
        """What a step may have been computed from: the right values first, the student's own last, mixtures between."""
        choices = []
        for need in step.needs:
            right = self.values[need]
            own = self._own(answers, need) if need in self.steps else None
            choices.append([right] if own is None else [right, own])
        yield from product(*choices)

    def _own(self, answers: Answers, name: str) -> torch.Tensor | None:
        """The student's value of an earlier step, None if nothing can be carried on from it."""
        right = self.values[name]
        try:
            own = alike(numbers(answers(name), name), right)
        except CheckFailed:
            return None
        idle = bool(right.any()) and not bool(own.any())
        return own if own.shape == right.shape and not idle and self.steps[name].plausible(own) else None


def matches(
    got: torch.Tensor, rule: Rule, source: tuple[torch.Tensor, ...], rtol: float, atol: float
) -> bool:
    """Whether a rule, applied to this source, gives what the student got. A rule that can't be applied doesn't."""
    try:
        want = torch.as_tensor(rule(*source), dtype=torch.float64)
    except (ValueError, ArithmeticError, RuntimeError, IndexError):
        return False
    return bool(torch.isfinite(want).all()) and differ(alike(got, want), want, rtol, atol) == 0


def alike(value: torch.Tensor, model: torch.Tensor) -> torch.Tensor:
    """A vector's row or column, or a single number's tensor, in the shape of its model; others as they are."""
    if model.ndim <= 1 and value.numel() == model.numel() and max(value.shape, default=1) == value.numel():
        return value.reshape(model.shape)
    return value
