"""What stands behind each graded item: its checks, and the answers and mutants that they were tried on.

Everything here is read from the course; nothing is run but the definitions of the checks. That the answers and mutants
do what is said of them is what tests, `make early` and `make mutate` show.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from chainrule.authoring.answers import Answer, problems
from chainrule.authoring.early import form_of
from chainrule.authoring.mutants import mutants
from chainrule.authoring.mutation import judged_by
from chainrule.authoring.rehearse import Rehearsal, rehearse
from chainrule.course import CourseFolder


@dataclass(frozen=True)
class Evidence:
    """What stands behind the items that judge one exercise.

    Attributes:
        items: their grade_ids.
        points: of each item.
        checks: of all items, with their points.
        form: what students write: "code", "numbers" or "choice".
        right, wrong: answers.
        mutants: how many mutants the reference solution has.
        equivalent: changes of mutants that no check can tell from the reference, and why.
    """

    items: tuple[str, ...]
    points: Mapping[str, float]
    checks: Sequence[tuple[str, float]]
    form: str
    right: Sequence[Answer]
    wrong: Sequence[Answer]
    mutants: int
    equivalent: Mapping[str, str]

    @property
    def unnoticed(self) -> list[Answer]:
        """Wrong answers that no visible check notices. Each says why, but choices, which are never told right."""
        return [each for each in self.wrong if each.unnoticed or self.form == "choice"]


def evidence(course: CourseFolder, assignment: str) -> Iterator[tuple[str, list[Evidence]]]:
    """For each notebook of an assignment that has answers, what stands behind its items, in their order."""
    found: dict[str, list[Evidence]] = {}
    parts = problems(course, assignment).values()
    for problem in parts:
        rehearsal = Rehearsal(course, assignment, problem)
        source = course.folder("source", ".", assignment) / f"{problem.notebook}.ipynb"
        exercises = [each for part in parts if part.notebook == problem.notebook for each in part.exercises]
        judges = judged_by(source, exercises)
        for exercise in problem.exercises:
            with tempfile.TemporaryDirectory() as empty:
                # without the student's names every check fails at once
                results = rehearse(rehearsal.modules, rehearsal.sources, (), exercise.items, Path(empty))
            cells = [cell for cell, items in judges.items() if {*items} & {*exercise.items}]
            equivalent = [problem.equivalent.get(cell, {}) for cell in cells]
            answers = list(exercise.answers)
            found.setdefault(problem.notebook, []).append(
                Evidence(
                    exercise.items,
                    {item: result.points for item, result in results.items()},
                    [(check.name, check.points) for result in results.values() for check in result.checks],
                    form_of(rehearsal, exercise),
                    [each for each in answers if each.kind == "right"],
                    [each for each in answers if each.kind == "wrong"],
                    sum(1 for cell in cells for _ in mutants(rehearsal.sources[cell])),
                    dict(chain.from_iterable(each.items() for each in equivalent)),
                )
            )
    yield from found.items()
