"""Graded cells as lists of named checks.

    item = Item("q1_1-classifier", points=0.75)

    @item.check("ten logits for every image", points=0.1, hint="the last layer has ten outputs")
    def _(student):
        expect(student.MLP().forward(torch.rand(4, 1, 28, 28))).has_shape(4, 10)

    item.score()

The cell's value is a `Result`: nbgrader reads it as a number, Jupyter shows it as a table, and Chainrule's grader
stores it as a record.
"""

from __future__ import annotations

import json
import math
import random
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from IPython.utils.capture import capture_output

from chainrule.lesson.exact import value_of
from chainrule.lesson.results import (
    CRASHED,
    CheckResult,
    Disclosure,
    Means,
    Result,
    counted,
    keep_result,
)
from chainrule.lesson.student import (
    CheckFailed,
    NeedsReview,
    Student,
    current_student,
    missing,
    noting_calls,
    printable,
    runs_visible_checks,
)

MESSAGE_LENGTH = 2000
ANOTHER_SHAPE = "another shape"
SIZES = re.compile(r"[(\[]?\d+(\s*[xX,]\s*\d+)+[)\]]?")  # "24 x 24 x 16", "(24, 24, 16)"


class Item:
    """One graded cell.

    Args:
        grade_id: the cell's nbgrader id.
        points: the cell's points; the shares of its checks add up to them, or to less.
        untouched: the points of hidden checks that look at what no visible check looks at. If it is left out, that are
            none of them, or all if no visible check says "consistent" or "right".
        words: phrases of checks that several notebooks share, and what this notebook says in their place: in names,
            hints and messages.
    Raises:
        ValueError: the points are not a positive number.

    >>> from chainrule.lesson.student import connect
    >>> from chainrule.lesson.verbs import Worker
    >>> connect(Worker({"double": lambda x: 2 * x}).serve)  # in a notebook this is not needed
    >>> item = Item("p1-double", points=1)
    >>> @item.check("doubles whole numbers", points=1, hint="multiply by 2")
    ... def _(student):
    ...     expect(student.double(3), "double(3)").equals(6)
    >>> item.score()
    1.0
    >>> connect(None)
    """

    def __init__(
        self,
        grade_id: str,
        points: float,
        untouched: float | None = None,
        words: Mapping[str, str] | None = None,
    ) -> None:
        if not 0 < points < math.inf:
            raise ValueError(f"{grade_id}: points must be positive, not {points}")
        self.grade_id = grade_id
        self.points = points
        self.untouched = untouched
        self.words = words or {}
        self._checks: list[tuple[CheckResult, Callable[[Student], None]]] = []

    def check(
        self, name: str, *, points: float, hint: str = "", disclose: Disclosure = "always"
    ) -> Callable[[Callable[[Student], None]], None]:
        """Add the decorated function as a check. It passes if it returns, it fails if an `expect` does.

        Args:
            name: what is checked, as the student reads it.
            points: its share of the item's points; 0 for a check that only informs.
            hint: what to look at when it fails.
            disclose: when the student sees name, message and hint: always, after the due date, or never.
        Raises:
            ValueError: the points are negative or not a number, or another check has this name.
        """
        if not (math.isfinite(points) and points >= 0):
            raise ValueError(f"{self.grade_id}: check {name!r} has impossible points {points}")
        return self._adds(CheckResult(name, points, False, hint, disclose))

    def _adds(self, check: CheckResult) -> Callable[[Callable[[Student], None]], None]:
        if any(known.name == check.name for known, _ in self._checks):
            raise ValueError(f"{self.grade_id}: two checks are called {check.name!r}")
        return lambda function: self._checks.append((check, function))

    def visible_check(
        self, name: str, *, means: Means, hint: str
    ) -> Callable[[Callable[[Student], None]], None]:
        """Add the decorated function as a visible check: it earns nothing, runs in the student's notebook and not when
        it is graded.

        Args:
            name: what is checked, as the student reads it.
            means: what passing says about the answer. "right form": it has the form that was asked for. "consistent":
                it agrees with the student's other answers, or has a property that the right answer has. "right": it
                gives the right values where it was tried.
            hint: what to do when it fails; the message says what was seen.
        Raises:
            ValueError: another check has this name.

        >>> from chainrule.lesson.student import connect
        >>> from chainrule.lesson.verbs import Worker
        >>> connect(Worker({"double": lambda x: 2 * x}).serve)
        >>> item = Item("p1-double", points=1)
        >>> @item.visible_check("twice the input is twice the output", means="consistent", hint="multiply by 2")
        ... def _(student):
        ...     expect(student.double(6), "double(6)").equals(2 * student.double(3))
        >>> item.score().checks[0].passed
        True
        >>> connect(None)
        """
        return self._adds(CheckResult(name, 0.0, False, hint, means=means))

    def score(self) -> Result:
        """Run all checks and return the result. Random states and output of the notebook stay as they were.

        Raises:
            ValueError: the shares add up to more than the item's points.
        """
        total = sum(check.points for check, _ in self._checks)
        if total > self.points + 1e-9:
            raise ValueError(
                f"{self.grade_id}: its checks share {counted(total)}, the item has {self.points:g}"
            )
        student = current_student()
        with noting_calls():
            results = [
                in_words(_run(check, function, student), self.words)
                for check, function in self._checks
                if runs_visible_checks() or not check.means
            ]
        result = Result(self.grade_id, self.points, results, self.untouched)
        keep_result(result)
        return result


def _run(check: CheckResult, function: Callable[[Student], None], student: Student) -> CheckResult:
    """Run one check. Nothing that it prints, warns of or displays reaches the cell: nbgrader gives no points to a cell
    that writes to stderr."""
    passed, message, internal_error, review, hint, cause = False, "", "", False, check.hint, ""
    try:
        with capture_output(), untouched_seeds(), told_if_not_callable(student):
            function(student)
        passed = True
    except CheckFailed as failure:
        message = printable(str(failure), MESSAGE_LENGTH)  # a value of the student's may be part of it
        review, hint = isinstance(failure, NeedsReview), failure.hint or check.hint
        cause = printable(failure.cause, MESSAGE_LENGTH)
    except Exception as error:
        if _out_of_memory(error):
            return replace(check, message="there is too much of it to be checked")
        message = f"{CRASHED} ({type(error).__name__})"  # not the answer's fault: a person decides
        internal_error = printable(traceback.format_exc(), 10 * MESSAGE_LENGTH)
    return replace(
        check,
        passed=passed,
        message=message,
        internal_error=internal_error,
        review=review,
        hint=hint,
        cause=cause,
    )


def in_words(check: CheckResult, words: Mapping[str, str]) -> CheckResult:
    """A check's result in other words; of several phrases that begin in one place the longest is replaced.

    >>> words = {"forward": "call", "forward()": "call(x)"}
    >>> in_words(CheckResult("forward gives scores", 1, False, hint="forward()"), words)
    CheckResult(name='call gives scores', points=1, passed=False, hint='call(x)', disclose='always', message='', \
internal_error='', review=False, means='', cause='')
    """
    if not words:
        return check
    phrase = re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))))
    told = {
        part: phrase.sub(lambda found: words[found[0]], getattr(check, part))
        for part in ("name", "hint", "message", "cause")
    }
    return replace(check, **told)  # type: ignore[arg-type]


@contextmanager
def told_if_not_callable(student: Student) -> Iterator[None]:
    """An error of the block is a failed check if the student has something else than a function or a network there.

    >>> from chainrule.lesson.student import connect
    >>> from chainrule.lesson.verbs import Worker
    >>> connect(Worker({"double": None}).serve)
    >>> student = current_student()
    >>> with told_if_not_callable(student):
    ...     student.double(2)
    Traceback (most recent call last):
    chainrule.lesson.student.CheckFailed: `double` is None, not a function
    >>> connect(None)
    """
    try:
        yield
    except (TypeError, AttributeError) as error:
        student.expect_callable(error)
        raise


def _out_of_memory(error: Exception) -> bool:
    """Whether an error says that there is no memory left: Python's, or PyTorch's, which has no type of its own.

    >>> _out_of_memory(MemoryError())
    True
    """
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)


@contextmanager
def untouched_seeds() -> Iterator[None]:
    """Restore the random states of torch, numpy and random at the end of the block.

    >>> before = torch.get_rng_state()
    >>> with untouched_seeds():
    ...     _ = torch.rand(3)
    >>> torch.equal(torch.get_rng_state(), before)
    True
    """
    # PyTorch would look for GPUs each time, and wake them
    devices: list[int] | None = None if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        before = np.random.get_state(), random.getstate()
        try:
            yield
        finally:
            np.random.set_state(before[0])
            random.setstate(before[1])


# -- what checks say about values ------------------------------------------------------------------------

Mistakes = Mapping[str, Any] | Iterable[tuple[str, Any]]  # what known mistakes mean, with what they give


def expect(value: Any, name: str = "the answer") -> Expectation:
    """Say what a value should be.

    Args:
        value: what the student's code gave.
        name: what to call it in messages.

    >>> expect([0.5, 1.0], "dW").close_to(torch.tensor([0.5, 1.0]))
    """
    return Expectation(value, name)


@dataclass(frozen=True)
class Expectation:
    """A value under test. Each method returns if the value is as it should be.

    Raises:
        CheckFailed: it is not; the message is for the student.

    >>> expect(0.93, "its accuracy").at_least(0.9)
    >>> expect(torch.zeros(2, 3), "z").has_shape(3, 2)
    Traceback (most recent call last):
    chainrule.lesson.student.CheckFailed: z has shape (2, 3), not (3, 2)
    """

    value: Any
    name: str

    def is_true(self, message: str) -> None:
        """The value is true; otherwise the student reads this message."""
        if not bool(self.value):
            raise CheckFailed(message)

    def equals(self, reference: Any) -> None:
        """Equal to the reference, by `==`: for numbers, strings, tuples."""
        try:
            same = bool(self.value == reference)
        except (RuntimeError, ValueError):  # arrays compare entry by entry
            same = False
        if not same:
            raise CheckFailed(f"{self.name} is {shorten(self.value)}, not {shorten(reference)}")

    def has_shape(self, *shape: int) -> None:
        """An array or tensor of that shape without NaN or infinity."""
        array = numbers(self.value, self.name)
        if tuple(array.shape) != shape:
            raise CheckFailed(f"{self.name} has shape {tuple(array.shape)}, not {shape}", cause=ANOTHER_SHAPE)

    def at_least(self, threshold: float) -> None:
        """A single number not below the threshold."""
        value = float(numbers(self.value, self.name))
        if value < threshold:
            raise CheckFailed(f"{self.name} is {value:.4g}, below {threshold:.4g}")

    def close_to(
        self,
        reference: Any,
        *,
        rtol: float = 1e-4,
        atol: float = 1e-6,
        mistakes: Mistakes = (),
    ) -> None:
        """Equal to the reference up to `atol + rtol · max|reference|`, and of the same shape.

        The tolerance is relative to the reference's largest entry, not to each entry, so that a value near zero does
        not need more digits than float32 has.

        Args:
            reference: numbers of any real dtype; compared in float64.
            mistakes: what known mistakes mean, with the wrong values they give or functions that compute them: pairs,
                or a dict. The first one that explains the answer is named.

        >>> expect(0.5, "dx").close_to(1.0, mistakes=[("the factor 2 is missing", 0.5)])
        Traceback (most recent call last):
        chainrule.lesson.student.CheckFailed: dx: the factor 2 is missing
        """
        got, want = numbers(self.value, self.name), numbers(reference, "the reference")
        if differ(got, want, rtol, atol) == 0:
            return
        for meaning, wrong in mistakes.items() if isinstance(mistakes, Mapping) else mistakes:
            wrong = numbers(wrong() if callable(wrong) else wrong, meaning)
            if differ(got, wrong, rtol, atol) == 0 and differ(wrong, want, rtol, atol) != 0:
                raise CheckFailed(f"{self.name}: {meaning}", cause=meaning)
        if got.shape != want.shape:
            message, cause = (
                f"{self.name} has shape {tuple(got.shape)}, not {tuple(want.shape)}",
                ANOTHER_SHAPE,
            )
            if got.ndim == 2 and differ(got.T, want, rtol, atol) == 0:
                cause = "it is the transpose of the right answer"
                message += f": {cause}"
            raise CheckFailed(message, cause)
        difference = (got - want).abs()
        worst = tuple(int(i) for i in np.unravel_index(int(difference.argmax()), difference.shape))
        place = f" at index {worst if len(worst) > 1 else worst[0]}" if worst else ""
        message = f"{self.name} is {got[worst]:.6g}{place}, off by {difference[worst]:.3g}"
        raise CheckFailed(message, cause="another value, which no known mistake explains")


def numbers(value: Any, name: str) -> torch.Tensor:
    """The value as a finite float64 tensor on the CPU. Texts are read as exact forms: "ln 2", "-1/8".

    Args:
        value: a number, a text, an array or tensor of any real dtype, or nested lists or tuples of these.
        name: what to call it in messages.
    Raises:
        CheckFailed: it is not a number or array of numbers, or contains NaN or infinity.

    >>> numbers([1, "-1/8"], "the answer")
    tensor([ 1.0000, -0.1250], dtype=torch.float64)
    """
    value = exact(value, name)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(
        value, int | float | list | tuple | np.ndarray | torch.Tensor
    ):
        raise CheckFailed(f"{name} is {missing(value)}, expected numbers", cause="no numbers")
    try:
        tensor = torch.as_tensor(stacked(value), dtype=torch.float64).detach().cpu()
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise CheckFailed(f"{name} is not a rectangular array of numbers") from None
    if not torch.isfinite(tensor).all():
        raise CheckFailed(f"{name} contains NaN or infinity", cause="NaN or infinity")
    return tensor


def stacked(value: Any) -> Any:
    """Nested lists with arrays or tensors in them as one tensor; any other value as it is.

    Raises:
        RuntimeError: they have different shapes.

    >>> stacked([torch.ones(2), np.zeros(2)])
    tensor([[1., 1.],
            [0., 0.]], dtype=torch.float64)
    """
    if not isinstance(value, list | tuple):
        return value
    entries = [stacked(entry) for entry in value]
    if not any(isinstance(entry, torch.Tensor | np.ndarray) for entry in entries):
        return entries
    return torch.stack([torch.as_tensor(entry, dtype=torch.float64).detach().cpu() for entry in entries])


def exact(value: Any, name: str) -> Any:
    """The value with every text in it, also in nested lists and tuples, replaced by its number. A text of sizes, such
    as "24 x 24 x 16", is replaced by a list.

    Raises:
        CheckFailed: a text is not an arithmetic expression.

    >>> exact(["1/2", 3], "the answer")
    [0.5, 3]
    """
    if isinstance(value, list | tuple):
        return [exact(entry, name) for entry in value]
    if not isinstance(value, str):
        return value
    if SIZES.fullmatch(value.strip()):
        return [float(size) for size in re.findall(r"\d+", value)]
    try:
        return value_of(value)
    except ValueError:
        raise CheckFailed(
            f"{name} has the text {shorten(value)}, which is no number: "
            'write 0.5 or, as a text, "1/2" or "ln(2)"'
        ) from None


def differ(a: torch.Tensor, b: torch.Tensor, rtol: float, atol: float) -> float:
    """By how much `a` is outside the tolerance around `b`, `atol + rtol · max|b|`: 0 if inside, infinite if the shapes
    differ.

    >>> differ(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.1]), rtol=0, atol=0.2)
    0.0
    """
    if a.shape != b.shape:
        return math.inf
    if a.numel() == 0:
        return 0.0
    return max(0.0, float((a - b).abs().max() - (atol + rtol * b.abs().max())))


def shorten(value: Any, length: int = 60) -> str:
    """A value as Python writes it, on one line and cut to a length that fits into a table; a text in double quotes.

    >>> shorten(list(range(100)), 10), shorten("é")
    ('[0, 1, 2,…', '"é"')
    """
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else " ".join(repr(value).split())
    return text if len(text) <= length else text[: length - 1] + "…"
