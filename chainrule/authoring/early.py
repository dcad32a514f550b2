"""Early warnings: the share of wrong answers that a student is shown while they can still be mended.

Every wrong answer of the catalogue is put into its notebook, and the visible checks of the *release* are run on it. A
visible check that fails has noticed the mistake. On a right answer none may fail.
"""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from chainrule.authoring.answers import Answer, Exercise, problems
from chainrule.authoring.rehearse import Rehearsal, code_cells
from chainrule.course import CourseFolder


@dataclass(frozen=True)
class Tried:
    """An answer and what the visible checks of its items said about it.

    Attributes:
        item: the first item of its exercise.
        form: what students write in its cell: "code", "numbers" or "choice".
        said: messages of the visible checks that failed.
    """

    problem: str
    item: str
    form: str
    answer: Answer
    said: tuple[str, ...] = field(repr=False)

    @property
    def is_noticed(self) -> bool:
        return bool(self.said)

    @property
    def reason(self) -> str:
        """Why a wrong answer is not noticed; "" if nobody has said why."""
        return "a choice is told well-formed, never right" if self.form == "choice" else self.answer.unnoticed


def try_answers(
    course: CourseFolder, assignment: str, folder: Path, only: Sequence[str] = ()
) -> Iterator[Tried]:
    """What the visible checks say about each answer of an assignment, one after the other.

    Args:
        folder: the working folder, with `data` in it.
        only: names of problems; all of them if empty.
    """
    for name, problem in problems(course, assignment, here=True).items():
        if only and name not in only:
            continue
        rehearsal = Rehearsal(course, assignment, problem)
        released = code_cells(course.folder("release", ".", assignment) / f"{problem.notebook}.ipynb")
        for exercise in problem.exercises:
            visible, form = {item: released[item] for item in exercise.items}, form_of(rehearsal, exercise)
            with prepared(rehearsal, exercise, folder) as place:
                for answer in exercise.answers:
                    torch.manual_seed(0)
                    results = rehearsal.results(
                        exercise.items, answer.cells, place, exercise.given, judges=visible
                    )
                    checks = [check for result in results.values() for check in result.checks]
                    said = tuple(check.message for check in checks if not check.passed)
                    yield Tried(name, exercise.items[0], form, answer, said)


@contextmanager
def prepared(rehearsal: Rehearsal, exercise: Exercise, folder: Path) -> Iterator[Path]:
    """The folder in which an exercise's answers run: this one, or one with what the exercise writes beside the data."""
    if exercise.prepare is None:
        yield folder
        return
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "data").symlink_to(folder / "data")
        rehearsal.prepare(exercise, Path(place))
        yield Path(place)


def form_of(rehearsal: Rehearsal, exercise: Exercise) -> str:
    """What students write in an exercise's cell. Without such a cell, the right answers show it."""
    reference = rehearsal.sources.get(exercise.cell)
    right = [source for each in exercise.answers if each.kind == "right" for source in each.cells.values()]
    return form_of_source("\n".join(right if reference is None else [reference]))


def form_of_source(source: str) -> str:
    """What is written in a source.

    >>> form_of_source("def f(x): return x"), form_of_source("p = [1, 2]"), form_of_source('better = "cnn"')
    ('code', 'numbers', 'choice')
    """
    nodes = list(ast.walk(ast.parse(source)))
    if any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in nodes):
        return "code"
    values = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return "choice" if values and all(isinstance(value, str | bool) for value in values) else "numbers"


def share(tried: Iterable[Tried]) -> str:
    """How many were noticed, such as "3 of 4 (75 %)"."""
    noticed = [each.is_noticed for each in tried]
    return f"{sum(noticed)} of {len(noticed)} ({100 * sum(noticed) / max(len(noticed), 1):.0f} %)"
