"""What is compared: each student's answers to the questions of a release."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from tqdm import tqdm

from chainrule.course import CourseError, CourseFolder
from chainrule.grading.recognise import Recognition, name_of, normal
from chainrule.grading.sanitise import graft
from chainrule.intake.notebook import Unreadable, read

MAX_ANSWER = 50_000  # characters of one answer that are compared; the longest honest ones have a tenth


@dataclass(frozen=True)
class Question:
    """An answer cell of the release: its notebook, its grade_id and whether it is code."""

    notebook: str
    name: str
    is_code: bool


@dataclass
class Handin:
    """One student's answers, as far as they are more than the stub.

    `term` is "" for the class itself. `says` is what stands in the cells that are the student's to change and
    belong to no question, such as the line for collaborators. `cut` are questions whose answer was too long.
    """

    student: str
    term: str = ""
    answers: dict[Question, str] = field(default_factory=dict)
    says: list[str] = field(default_factory=list)
    cut: list[Question] = field(default_factory=list)


@dataclass
class Collection:
    """The release, everything that could be read, and what could not: reasons by the file's name."""

    release: dict[str, NotebookNode]
    handins: list[Handin]
    unreadable: dict[str, str]

    @property
    def questions(self) -> list[Question]:
        """The release's questions, in its order."""
        return [question for stem, nb in self.release.items() for question in questions(stem, nb)]


def collect(folder: CourseFolder, assignment: str, past: Sequence[Path] = ()) -> Collection:
    """Read the class in submitted/ and past terms' folders.

    A past folder is a submitted/ folder or holds STUDENT.ipynb or STUDENT/….ipynb. Which of the assignment's
    notebooks a past one is tells its content, since terms name their folders differently.

    Raises:
        CourseError: there is no such assignment, no release of it, or a past folder is none or is the class's own.
    """
    folder.require(assignment)
    place = folder.folder("release", ".", assignment)
    paths = [place / path.name for path in folder.notebooks(assignment)]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise CourseError(
            f"{', '.join(missing)} is not released, and only what students add to a release is compared: "
            f"run `chainrule release {assignment}` first."
        )
    release = {path.stem: nbformat.read(path, as_version=4) for path in paths}
    found = Collection(release, [], {})
    submitted = folder.folder("submitted", "x", assignment).parent.parent
    _check_past(past, submitted)
    files = [
        (student.name, path)
        for student in sorted(submitted.glob("*"))
        for path in sorted((student / assignment).glob("*.ipynb"))
        if path.stem in release
    ]
    _read_into(found, "", submitted, files)
    for root, term in zip(past, term_names(past), strict=True):
        every = sorted(p for p in root.rglob("*.ipynb") if not _is_hidden(p.relative_to(root)))
        _read_into(found, term, root, [(_owner(path.relative_to(root)), path) for path in every])
    return found


def _check_past(past: Sequence[Path], submitted: Path) -> None:
    for root in past:
        if not root.is_dir():
            raise CourseError(f"{root} is no folder: name one with a past term's notebooks after --past")
        if root.resolve() == submitted.resolve():
            raise CourseError(f"{root} is this class's own folder: --past is for those of other terms")


def term_names(past: Sequence[Path]) -> list[str]:
    """What the folders of past terms are called in a report: as short as tells them apart."""
    short = [p.resolve().parent.name if p.name == "submitted" else p.resolve().name for p in past]
    counts = Counter(short)
    return [name if counts[name] == 1 else str(path) for name, path in zip(short, past, strict=True)]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _owner(path: Path) -> str:
    """Whose a notebook in a past folder is: the outermost folder's, or the file's own name."""
    return path.parts[0] if len(path.parts) > 1 else path.stem


def _read_into(found: Collection, term: str, root: Path, files: Iterable[tuple[str, Path]]) -> None:
    """Add the hand-ins of these notebooks, by owner, and the reasons why others can't be read."""
    students: dict[str, Handin] = {}
    for student, path in tqdm(
        list(files), f"reading {term or 'the class'}", leave=False, disable=None, unit=" notebooks"
    ):
        shown = f"{term}: {path.relative_to(root)}" if term else str(path.relative_to(root))
        try:
            submitted = read(path)
        except Unreadable as error:
            found.unreadable[shown] = str(error)
            continue
        stem = path.stem if not term else which(found.release, submitted)
        if not stem:
            found.unreadable[shown] = "none of the assignment's notebooks: it answers none of their questions"
            continue
        try:
            answer(students.setdefault(student, Handin(student, term)), stem, found.release[stem], submitted)
        except RecursionError:
            found.unreadable[shown] = "nested too deeply"
    found.handins += students.values()


def which(release: dict[str, NotebookNode], submitted: NotebookNode) -> str:
    """The release's notebook that this one is, by the cells recognised in it; "" if it is none."""
    recognitions = {stem: Recognition(_known(nb), submitted.cells) for stem, nb in release.items()}
    counts = {
        stem: sum(recognition.matched_by.get(name) != "position" for name in set(recognition.names) - {""})
        for stem, recognition in recognitions.items()
    }
    best = max(counts, key=lambda stem: counts[stem])
    return best if counts[best] else ""


def _known(nb: NotebookNode) -> dict[str, NotebookNode]:
    return {name_of(cell) or f"cell {place}": cell for place, cell in enumerate(nb.cells)}


def questions(stem: str, release: NotebookNode) -> list[Question]:
    """The answer cells of a released notebook."""
    return [
        Question(stem, name_of(cell), cell.cell_type == "code")
        for cell in release.cells
        if utils.is_solution(cell)
    ]


def answer(handin: Handin, stem: str, release: NotebookNode, submitted: NotebookNode) -> None:
    """Put the answers of a submitted notebook into the hand-in.

    Cells are recognised as in grading. A cell the student added belongs to the nearest answer of its kind
    before it, else to the first.
    """
    master = copy.deepcopy(release)
    graft(master, submitted)
    stubs = {name_of(cell): cell.source for cell in release.cells}
    ours = {question.name: question for question in questions(stem, release)}
    first = {
        is_code: next((q for q in ours.values() if q.is_code == is_code), None) for is_code in (True, False)
    }
    last, pieces = dict(first), dict[Question, list[str]]()
    for cell in master.cells:
        question = ours.get(name_of(cell)) if utils.is_solution(cell) else None
        if question:
            last[question.is_code] = question
        elif "nbgrader" not in cell.metadata:
            stub = stubs.get(name_of(cell))
            if stub is None:
                question = last[cell.cell_type == "code"]
            elif normal(cell.source) != normal(stub):
                handin.says.append(cell.source[:500])
        if question and normal(cell.source) not in ("", normal(stubs.get(name_of(cell), ""))):
            pieces.setdefault(question, []).append(cell.source)
    for question, texts in pieces.items():
        text = "\n\n".join(texts)
        if len(text) > MAX_ANSWER:
            handin.cut.append(question)
        handin.answers[question] = text[:MAX_ANSWER]
