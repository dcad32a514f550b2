"""Derivations as chains of steps, graded with error carried forward.

    chain = Derivation(
        {"x": x, "W": W, "b": b},
        {
            "z": Step(("W", "x", "b"), lambda W, x, b: W @ x + b, {"the bias is missing": lambda W, x, b: W @ x}),
            "h": Step(("z",), torch.relu),
        },
    )
    chain.expect(answers, "h")  # right, or the ReLU of the student's own z

Error carried forward (ECF) is how derivations are marked by hand: a step is also right if it follows from the student's
own earlier values. So a mistake loses the points of the step where it is made, and no others. Judging modules do the
same beyond chains of steps: where a check fails because of a mistake that another check finds, it passes.

Nothing follows from nothing: zeros follow from zeros, and within a tolerance from everything tiny. So a wrong value
carries on only if it is `telling`. Where it has NaN or infinity, so have the later ones; they are judged by the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch

from chainrule.lesson.checks import differ, exact, expect, numbers, stacked
from chainrule.lesson.student import CheckFailed

Answers = Callable[[str], Any]  # the student's value of a name; raises CheckFailed if there is none
Rule = Callable[..., Any]

FOUR_DECIMALS = 1.01e-4  # rounded or cut off after the fourth
WELL_OVER = 10  # tolerances
FLOAT32 = 1e-6  # relative; what is computed in float32 may be off by this
ORDINARY = 1e-3, 1e3  # sizes of factors that are usual between numbers of one exercise


def telling(value: torch.Tensor, others: Iterable[torch.Tensor], rtol: float, atol: float) -> bool:
    """Whether a value shows that something was computed, so that later values may follow from it.

    It differs from zero, from each of the others and their multiples, and between its entries, by well over the
    tolerance: by more than `leeway`. A single number only has to differ from zero.

    Args:
        others: what could have been copied, such as given values. Those of another shape, and single numbers, don't
            count.

    >>> telling(torch.tensor([0.5, -0.5]), [torch.tensor([1.0, 2.0])], rtol=0, atol=1e-4)
    True
    >>> telling(torch.tensor([1e-9, 0.0]), [], rtol=0, atol=1e-4)
    False
    >>> telling(1e20 * torch.tensor([1.0, 2.0]), [torch.tensor([1.0, 2.0])], rtol=0, atol=1e-4)
    False
    """
    if value.numel() < 2:
        return bool(value.any())
    others = list(others)
    return (
        float(value.max() - value.min()) > leeway(value, rtol, atol)
        and distinct(value, (torch.zeros_like(value), *others), rtol, atol)
        and not any(scaled(value, other, rtol, atol) for other in others)
    )


def distinct(value: torch.Tensor, others: Iterable[torch.Tensor], rtol: float, atol: float) -> bool:
    """Whether a value differs from each of the others, by well over the tolerance."""
    same = (other for other in others if other.shape == value.shape and other.numel() > 1)
    return all(float((value - other).abs().max()) > leeway(value, rtol, atol) for other in same)


def scaled(value: torch.Tensor, other: torch.Tensor, rtol: float, atol: float) -> bool:
    """Whether a value is another one times a factor. Two entries may be in proportion by chance, and one always is:
    then the factor has to be out of the ordinary."""
    c = multiple(value, other, rtol, atol)
    if c is None or other.numel() < 2:
        return False
    return int(other.count_nonzero()) > 2 or not ORDINARY[0] < abs(c) < ORDINARY[1]


def multiple(value: torch.Tensor, other: torch.Tensor, rtol: float, atol: float) -> float | None:
    """The c with value = c · other, up to what may be rounded; None if there is none, or the other one is zero."""
    square = float(other.square().sum())
    if value.shape != other.shape or square == 0:
        return None
    c = float((value * other).sum()) / square
    return c if float((value - c * other).abs().max()) <= leeway(value, rtol, atol) else None


def rearranged(value: torch.Tensor, other: torch.Tensor, rtol: float, atol: float) -> bool:
    """Whether all entries of a value are entries of another one, in whatever order and shape."""
    if value.numel() < 2 or other.numel() < 2:
        return False
    gaps = (value.reshape(-1, 1) - other.reshape(1, -1)).abs().amin(1)
    return float(gaps.max()) <= leeway(value, rtol, atol)


def leeway(value: torch.Tensor, rtol: float, atol: float) -> float:
    """By how much a value has to differ from what could pass for it: `WELL_OVER` times the tolerance."""
    return WELL_OVER * (atol + (rtol + FLOAT32) * float(value.abs().max()))


@dataclass(frozen=True)
class Step:
    """One step: what it is computed from, how, and what known mistakes give instead.

    Args:
        needs: names of given values or earlier steps, in the order in which `rule` and each mistake take them.
        rule: from float64 tensors to a number or tensor.
        mistakes: functions of the same arguments, by what the student reads about them.
        plausible: whether later steps may follow from this value, beyond being right, `telling` or what a known
            mistake gives.
    """

    needs: tuple[str, ...]
    rule: Rule
    mistakes: Mapping[str, Rule] = field(default_factory=dict)
    plausible: Callable[[torch.Tensor], bool] = lambda value: True


class Derivation:
    """A chain of steps with its right values, float64 tensors by name in `values`.

    Args:
        given: what the question states, or the arguments of the student's function: all that could be copied.
        steps: in order; each needs only given values and steps before it.
        elsewhere: what the student's function gives for other arguments of the same sizes. No step follows from what
            is the same there.
    """

    def __init__(
        self, given: Mapping[str, Any], steps: Mapping[str, Step], elsewhere: Answers | None = None
    ) -> None:
        self.steps = steps
        self.elsewhere = elsewhere
        self.values: dict[str, torch.Tensor] = {name: numbers(value, name) for name, value in given.items()}
        self.given = list(self.values.values())
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
        """The student's value of a step is right, or follows from the student's own earlier values.

        Vectors may be given as rows or columns, numbers as tensors with one entry.

        Args:
            called: the value's name in messages; `name` by default.
            rtol, atol: as for `Expectation.close_to`.
        Raises:
            CheckFailed: it is neither; a known mistake is named.
        """
        step, right, called = self.steps[name], self.values[name], called or name
        try:
            got = alike(numbers(answers(name), called), right)
        except CheckFailed:
            if self.hands_on_gaps(answers, name, rtol, atol):
                return
            raise
        sources = list(self.sources(answers, name, rtol, atol))
        if any(
            self.follows(got, step.rule, source, rtol, atol) and self.takes_work(name, source, rtol, atol)
            for source in sources
        ):
            if not (got.numel() > 1 and telling(got, self.given, rtol, atol)):
                self.expect_work(answers, called, rtol, atol)
            return
        for meaning, mistake in step.mistakes.items():
            # from the student's own values first
            if any(self.follows(got, mistake, source, rtol, atol) for source in reversed(sources)):
                raise CheckFailed(f"{called}: {meaning}", cause=meaning)
        carried = [
            need
            for need, own in zip(step.needs, sources[-1], strict=True)
            if not self.agree(own, self.values[need], rtol, atol)
        ]
        if carried:
            raise CheckFailed(
                f"{called} is not right, and does not follow from your {' and '.join(carried)} either",
                cause="not right, and does not follow from the student's own earlier values",
            )
        self.reject(got, right, called, rtol, atol)

    def expect_work(self, answers: Answers, called: str, rtol: float, atol: float) -> None:
        """There is work behind a right value that could be luck, such as zeros: another value of the student's is right
        and no luck, or telling and not put together from given entries, unless a known mistake does that.

        Raises:
            CheckFailed: there are other values, and none is.
        """
        atol = min(atol, FOUR_DECIMALS)  # a step that is rounded says nothing about other steps
        others = [
            (step, own)
            for step in self.steps
            if telling(self.values[step], self.given, rtol, atol) and self.values[step].numel() > 1
            if (own := self._numbers(answers, step)) is not None
        ]

        def works(step: str, own: torch.Tensor) -> bool:
            if self.agree(own, self.values[step], rtol, atol):
                return True
            known = self._read(answers, step) is not None and self._explained(answers, own, step, rtol, atol)
            copied = any(rearranged(own, given, rtol, atol) for given in self.given)
            return telling(own, self.given, rtol, atol) and (known or not copied)

        if others and not any(works(step, own) for step, own in others):
            raise CheckFailed(
                f"no points for {called} without a derivation: your other values are zero, one number, or copied"
            )

    def hands_on_gaps(self, answers: Answers, name: str, rtol: float, atol: float) -> bool:
        """Whether the student's value has NaN or infinity exactly where an earlier value's puts them, and is right
        elsewhere, but for that earlier value."""
        step = self.steps[name]
        own = [self._unbounded(answers, need) if need in self.steps else None for need in step.needs]
        got = self._unbounded(answers, name)
        if got is None or all(value is None or bool(value.isfinite().all()) for value in own):
            return False
        right = [self.values[need] for need in step.needs]
        spoilt = [want if value is None else value for value, want in zip(own, right, strict=True)]
        mended = [value.where(value.isfinite(), want) for value, want in zip(spoilt, right, strict=True)]
        reached, want = torch.as_tensor(step.rule(*spoilt)), applied(step.rule, tuple(mended))
        rest = got.isfinite()
        if want is None or not want[rest].any() or not torch.equal(rest, reached.isfinite()):
            return False
        return self.agree(got[rest], want[rest], rtol, atol) and all(
            self.agree(value, self.values[need], rtol, atol)
            or (
                need in self.steps
                and self.steps[need].plausible(value)
                and telling(value, self.given, rtol, atol)
            )
            for need, value in zip(step.needs, mended, strict=True)
        )

    def takes_work(self, name: str, source: tuple[torch.Tensor, ...], rtol: float, atol: float) -> bool:
        """Whether what follows from a source can't be had without it: it is the right value, differs from zero and from
        what is given, or is exactly zero, like the ReLU of negative numbers."""
        step, right = self.steps[name], self.values[name]
        want = applied(step.rule, source)
        if want is None or want.numel() < 2 or not want.any() or self.agree(want, right, rtol, atol):
            return True
        own = [value for need, value in zip(step.needs, source, strict=True) if need in self.steps]
        given = [value for value in self.given if all(differ(one, value, rtol, atol) for one in own)]
        return distinct(want, (torch.zeros_like(want), *given), rtol, atol)

    def sources(
        self, answers: Answers, name: str, rtol: float = 0.0, atol: float = FOUR_DECIMALS
    ) -> Iterator[tuple[torch.Tensor, ...]]:
        """The values a step may have been computed from: the right ones first, the student's own last, mixtures
        between."""
        choices = []
        for need in self.steps[name].needs:
            right = self.values[need]
            own = self._own(answers, need, rtol, atol) if need in self.steps else None
            choices.append([right] if own is None else [right, own])
        yield from product(*choices)

    def follows(
        self, got: torch.Tensor, rule: Rule, source: tuple[torch.Tensor, ...], rtol: float, atol: float
    ) -> bool:
        """Whether a rule gives, from this source, what the student got; False if it can't be applied."""
        want = applied(rule, source)
        return want is not None and self.agree(alike(got, want), want, rtol, atol)

    def agree(self, got: torch.Tensor, want: torch.Tensor, rtol: float, atol: float) -> bool:
        """Whether two values count as the same."""
        return differ(got, want, rtol, atol) == 0

    def reject(self, got: torch.Tensor, right: torch.Tensor, called: str, rtol: float, atol: float) -> None:
        """Say how a value that nothing explains differs from the right one.

        Raises:
            CheckFailed: always.
        """
        expect(got, called).close_to(right, rtol=rtol, atol=atol)

    def _own(self, answers: Answers, name: str, rtol: float, atol: float) -> torch.Tensor | None:
        """The student's value of an earlier step, None if nothing can follow from it."""
        own, step, atol = self._read(answers, name), self.steps[name], min(atol, FOUR_DECIMALS)
        if own is None or not step.plausible(own):
            return None
        known = self.agree(own, self.values[name], rtol, atol) or self._explained(
            answers, own, name, rtol, atol
        )
        computed = telling(own, self.given, rtol, atol) and self._differs_elsewhere(name, own, rtol, atol)
        return own if known or computed else None

    def _read(self, answers: Answers, name: str) -> torch.Tensor | None:
        """The student's value of a step, None if it is no numbers of the right shape."""
        own = self._numbers(answers, name)
        return own if own is not None and own.shape == self.values[name].shape else None

    def _numbers(self, answers: Answers, name: str) -> torch.Tensor | None:
        """The student's value of a step, None if it is no numbers."""
        try:
            return alike(numbers(answers(name), name), self.values[name])
        except CheckFailed:
            return None

    def _unbounded(self, answers: Answers, name: str) -> torch.Tensor | None:
        """The student's value of a step, which may have NaN and infinity; None if it is nothing of the right shape."""
        try:
            value = torch.as_tensor(stacked(exact(answers(name), name)), dtype=torch.float64)
        except (CheckFailed, TypeError, ValueError, RuntimeError, OverflowError):
            return None
        value = alike(value, self.values[name])
        return value if value.shape == self.values[name].shape else None

    def _explained(self, answers: Answers, own: torch.Tensor, name: str, rtol: float, atol: float) -> bool:
        """Whether a known mistake explains a value, so that it is no matter if it repeats one number."""
        mistakes = self.steps[name].mistakes.values()
        if not own.any() or not distinct(own, [torch.zeros_like(own)], rtol, atol):
            return False
        return any(
            self.follows(own, mistake, source, rtol, atol)
            for source in self.sources(answers, name, rtol, atol)
            for mistake in mistakes
        )

    def _differs_elsewhere(self, name: str, own: torch.Tensor, rtol: float, atol: float) -> bool:
        """Whether the student's value for other arguments, if there are any, is another one."""
        if self.elsewhere is None:
            return True
        try:
            other = alike(numbers(self.elsewhere(name), name), own)
        except CheckFailed:
            return True
        return distinct(own, [other], rtol, atol)


def applied(rule: Rule, source: tuple[torch.Tensor, ...]) -> torch.Tensor | None:
    """What a rule gives from a source, in float64; None if it can't be applied or gives no finite numbers."""
    try:
        want = torch.as_tensor(rule(*source), dtype=torch.float64)
    except (ValueError, ArithmeticError, RuntimeError, IndexError):
        return None
    return want if bool(torch.isfinite(want).all()) else None


def alike(value: torch.Tensor, model: torch.Tensor) -> torch.Tensor:
    """A row, a column or a tensor with a single entry in the shape of its model, if they have as many entries; other
    values as they are."""
    if model.ndim <= 1 and value.numel() == model.numel() and max(value.shape, default=1) == value.numel():
        return value.reshape(model.shape)
    return value
