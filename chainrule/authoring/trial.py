"""`chainrule try`: answers against the checks of one notebook, in this process and in seconds.

Nothing is confined: try only what an author wrote. `chainrule check` grades the same notebook as a hand-in.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import torch
from nbformat import NotebookNode

from chainrule.authoring.answers import Answer, Exercise, Problem, identifier, problems
from chainrule.authoring.rehearse import get_ready, rehearse
from chainrule.course import CourseError, CourseFolder
from chainrule.lesson.results import CheckResult, Result
from chainrule.metadata import framework_of
from chainrule.modules import importable
from chainrule.release.stubs import ClearSolutions

REFERENCE, BLANK = "reference", "blank"
CELL = re.compile(r"^# %% (?:\[\w+\] )?(\S+)$", re.MULTILINE)  # begins a cell in a file of answers


@dataclass(frozen=True)
class Trial:
    """An answer and what the checks said.

    Attributes:
        answer: its name.
        results: by item.
        unexpected: what is otherwise than the answer's author says; empty if nothing is, or if nobody says.
    """

    answer: str
    results: Mapping[str, Result] = field(repr=False)
    unexpected: str = ""

    def lines(self) -> Iterator[str]:
        """A line for the answer's points, and one for each check that it fails."""
        score = sum(result.score for result in self.results.values())
        points = sum(result.points for result in self.results.values())
        yield f"{self.answer}: {score:g} of {points:g}{f' – {self.unexpected}' * bool(self.unexpected)}"
        for item, result in self.results.items():
            for check in result.checks:
                if check.internal_error:
                    yield f"    {item}, {check.name!r} crashed:"
                    yield from (f"        {line}" for line in check.internal_error.strip().splitlines())
                elif not check.passed:
                    yield f"    {item}, {check.name!r}: {check.message}"


class Notebook:
    """A notebook of `source/` with the answers of its catalogue.

    Args:
        only: items; empty for all.
    Raises:
        CourseError: it is not in `source/`, or has no such item.
    """

    def __init__(self, course: CourseFolder, path: Path, only: Sequence[str] = ()) -> None:
        self.course, self.path, self.assignment = course, path, path.resolve().parent.name
        if path.resolve() not in [known.resolve() for known in course.notebooks(self.assignment)]:
            raise CourseError(
                f"{path} is no notebook of {course.root}/source: name one, such as source/hw1/hw1.ipynb"
            )
        nb = nbformat.read(path, as_version=4)
        blank, _ = ClearSolutions(config=course.config).preprocess(nbformat.read(path, as_version=4), {})
        self.sources, self.blank = sources_of(nb), sources_of(blank)
        self.points = {
            cell.metadata.nbgrader.grade_id: float(cell.metadata.nbgrader.points)
            for cell in nb.cells
            if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade")
        }
        self.answers = {
            cell.metadata.nbgrader.grade_id
            for cell in nb.cells
            if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")
        }
        if unknown := set(only) - set(self.points):
            raise CourseError(
                f"{path.name} has no item {', '.join(sorted(unknown))}: its items are {', '.join(self.points)}"
            )
        self.only = list(only) or list(self.points)
        self.problems = {
            name: problem
            for name, problem in known_problems(course, self.assignment).items()
            if problem.notebook == path.stem
        }

    @property
    def catalogue(self) -> Iterator[tuple[Problem, Exercise, Answer]]:
        """The answers to the chosen items."""
        for problem in self.problems.values():
            for exercise in problem.exercises:
                if set(exercise.items) & set(self.only):
                    yield from ((problem, exercise, answer) for answer in exercise.answers)

    def trials(self, wanted: Sequence[str]) -> Iterator[Trial]:
        """Try answers: "reference", "blank", names of the catalogue's, `.py` files of cells, notebooks.

        Args:
            wanted: empty for the reference, the blank and all of the catalogue.
        Raises:
            CourseError: there is no such answer.
        """
        named = list(self.catalogue)
        chosen = list(wanted) or [REFERENCE, BLANK, *(name_of(*entry[1:]) for entry in named)]
        with self.folder() as folder:
            for name in chosen:
                fitting = [entry for entry in named if name in (name_of(*entry[1:]), entry[2].name)]
                if name == REFERENCE:
                    yield Trial(name, results := self.whole({}, folder), of_reference(results.values()))
                elif name == BLANK:
                    stubs = {cell: self.blank[cell] for cell in self.answers}
                    yield Trial(name, results := self.whole(stubs, folder), of_blank(results.values()))
                elif fitting:
                    yield from (self.of_catalogue(*entry, folder) for entry in fitting)
                else:
                    yield Trial(name, self.whole(self.cells_of(Path(name)), folder))

    def of_catalogue(self, problem: Problem, exercise: Exercise, answer: Answer, folder: Path) -> Trial:
        """An answer of the catalogue, and whether it loses what it says."""
        if exercise.prepare is not None:
            with importable(self.course.modules(self.assignment)):
                exercise.prepare(self.sources, folder)
        given = {*problem.given, *(each.cell for each in problem.exercises), *exercise.given}
        results = self.judged(answer.cells, given, exercise.items, folder)
        failed = {
            name: check
            for item, result in results.items()
            for name, check in zip(problem.checks.get(item, ()), result.checks, strict=False)
            if not check.passed
        }
        return Trial(name_of(exercise, answer), results, differs(answer, failed))

    def whole(self, cells: Mapping[str, str], folder: Path) -> dict[str, Result]:
        """The results of a notebook with these cells in place of the reference's. What takes long and is not needed for
        the chosen items is left out, if the catalogue says what is needed."""
        exercises = [each for problem in self.problems.values() for each in problem.exercises]
        known = {item for exercise in exercises for item in exercise.items}
        if set(self.only) <= known:
            given = {cell for problem in self.problems.values() for cell in problem.given}
            for exercise in exercises:
                given |= {exercise.cell, *exercise.given}
        else:
            given = set(self.sources) - set(self.points)
        return self.judged(cells, given, self.only, folder)

    def judged(
        self, cells: Mapping[str, str], given: set[str], items: Iterable[str], folder: Path
    ) -> dict[str, Result]:
        run = [cell for cell in self.sources if cell in given | set(cells) and cell not in self.points]
        run += [cell for cell in cells if cell not in self.sources]
        get_ready(framework_of(self.path))
        torch.manual_seed(0)
        return rehearse(
            self.course.modules(self.assignment),
            {**self.sources, **cells},
            run,
            [item for item in items if item in self.only],
            folder,
            points=self.points,
        )

    def cells_of(self, path: Path) -> dict[str, str]:
        """The answers in a file: a notebook, or a Python file whose cells begin with `# %% GRADE_ID`.

        Raises:
            CourseError: there is no such file, or it answers none of the notebook's cells.
        """
        if path.suffix not in (".py", ".ipynb") or not path.is_file():
            raise CourseError(
                f"there is no answer {path}: write reference, blank, a name of the catalogue, or a .py or .ipynb file"
            )
        if path.suffix == ".ipynb":
            found = sources_of(nbformat.read(path, as_version=4))
            cells = {name: source for name, source in found.items() if name in self.answers}
        else:
            _, *parts = CELL.split(path.read_text(encoding="utf-8"))
            cells = dict(zip(parts[::2], parts[1::2], strict=True))
        if not set(cells) & self.answers:
            raise CourseError(
                f"{path} answers no cell of {self.path.name}: begin each answer with a line such as "
                f"`# %% {min(self.answers, default='GRADE_ID')}`"
            )
        return cells

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A working folder with the data and the files that come with the notebook."""
        source = self.path.parent
        sets = self.course.data("quick")
        self.course.data_sets.prepare(self.course.course.data.get(self.assignment, []), sets.parent, "quick")
        with tempfile.TemporaryDirectory(prefix="chainrule-") as place:
            folder = Path(place)
            own = source / "data"
            if (data := own if own.is_dir() else sets).is_dir():
                (folder / "data").symlink_to(data.resolve())
            for path in source.iterdir():
                if path.is_file() and path.suffix != ".ipynb":
                    shutil.copy(path, folder)
            yield folder


def known_problems(course: CourseFolder, assignment: str) -> dict[str, Problem]:
    """The catalogue's problems; none if the assignment has no catalogue."""
    answers = course.root / course.course.judging / identifier(assignment) / "answers"
    return problems(course, assignment) if answers.is_dir() else {}


def sources_of(nb: NotebookNode) -> dict[str, str]:
    """Sources of a notebook's code cells, by grade_id or id, in order."""
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    return {
        cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id", f"cell {i}"): cell.source
        for i, cell in enumerate(code)
    }


def name_of(exercise: Exercise, answer: Answer) -> str:
    """An answer of the catalogue as people name it: its exercise's first item, its kind, its own name."""
    return f"{exercise.items[0]}/{answer.kind}/{answer.name}"


def differs(answer: Answer, failed: Mapping[str, CheckResult]) -> str:
    """What an answer of the catalogue loses otherwise than it says; "" if nothing."""
    informs = {name for name in failed if name.startswith("(")}
    lost = set(failed) - (informs if answer.kind == "wrong" else set())
    if lost != answer.loses:
        loses, should = (", ".join(sorted(names)) or "nothing" for names in (lost, answer.loses))
        return f"it loses {loses}, and should lose {should}"
    if answer.says and not any(answer.says in failed[name].message for name in answer.loses & set(failed)):
        return f"no message says {answer.says!r}"
    return ""


def of_reference(results: Iterable[Result]) -> str:
    return "it should earn every point" if any(each.score < each.points - 1e-6 for each in results) else ""


def of_blank(results: Iterable[Result]) -> str:
    return "it should earn nothing" if any(each.score for each in results) else ""
