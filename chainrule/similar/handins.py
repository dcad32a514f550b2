"""Reads the answers to compare: those of each student to the questions of a release."""

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

from chainrule.alternatives import Alternatives
from chainrule.course import CourseError, CourseFolder
from chainrule.grading.recognise import Recognition, name_of, normal
from chainrule.grading.sanitise import graft
from chainrule.intake.notebook import UnreadableNotebookError, read

MAX_ANSWER = 50_000  # characters of one answer that are compared, ten times the longest honest ones


@dataclass(frozen=True)
class Question:
    """An answer cell of the release: its notebook, its grade_id, and whether it is code."""

    notebook: str
    name: str
    is_code: bool


@dataclass
class Handin:
    """One student's answers that differ from the stubs.

    Attributes:
        term: "" for the class itself.
        notes: changed cells that belong to no question, such as the collaborators line.
        cut: questions whose answers were too long and are compared in part.
    """

    student: str
    term: str = ""
    answers: dict[Question, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    cut: list[Question] = field(default_factory=list)


@dataclass
class Corpus:
    """The release, the hand-ins, and the files that could not be read, with reasons.

    Attributes:
        same: texts to write in notebooks of which one counts, each with that of the first of them. Their code stays
            apart: what everybody writes in a framework that few have chosen is nothing rare.
    """

    release: dict[str, NotebookNode]
    handins: list[Handin]
    unreadable: dict[str, str]
    same: dict[Question, Question] = field(default_factory=dict)

    @property
    def questions(self) -> list[Question]:
        """The release's questions, in its order."""
        found = (question for stem, nb in self.release.items() for question in questions(stem, nb))
        return [question for question in found if question not in self.same]


def collect(folder: CourseFolder, assignment: str, past: Sequence[Path] = ()) -> Corpus:
    """Read the class's hand-ins from submitted/ and those of past terms from their folders.

    A past term's folder is a submitted/ folder or contains STUDENT.ipynb or STUDENT/….ipynb. Its notebooks are
    recognised by their content, because terms name their assignments differently.

    Raises:
        CourseError: there is no such assignment or no release of it, or a past term's folder does not exist or is the
            class's own.
    """
    folder.require(assignment)
    released = folder.folder("release", ".", assignment)
    paths = [released / path.name for path in folder.notebooks(assignment)]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise CourseError(
            f"{', '.join(missing)} is not released, and only what students add to a release is compared: "
            f"run `chainrule release {assignment}` first."
        )
    release = {path.stem: nbformat.read(path, as_version=4) for path in paths}
    corpus = Corpus(release, [], {}, same_texts(release, folder.course.alternatives_of(assignment)))
    submitted = folder.folder("submitted", "x", assignment).parent.parent
    _check_past(past, submitted)
    files = [
        (student.name, path)
        for student in sorted(submitted.glob("*"))
        for path in sorted((student / assignment).glob("*.ipynb"))
        if path.stem in release
    ]
    _read_into(corpus, "", submitted, files)
    for root, term in zip(past, term_names(past), strict=True):
        notebooks = sorted(p for p in root.rglob("*.ipynb") if not _is_hidden(p.relative_to(root)))
        _read_into(corpus, term, root, [(_owner(path.relative_to(root)), path) for path in notebooks])
    return corpus


def _check_past(past: Sequence[Path], submitted: Path) -> None:
    for root in past:
        if not root.is_dir():
            raise CourseError(f"{root} is no folder: name one with a past term's notebooks after --past")
        if root.resolve() == submitted.resolve():
            raise CourseError(f"{root} is this class's own folder: --past is for those of other terms")


def term_names(past: Sequence[Path]) -> list[str]:
    """The names of past terms' folders in a report: as short as possible, but distinct."""
    short = [p.resolve().parent.name if p.name == "submitted" else p.resolve().name for p in past]
    counts = Counter(short)
    return [name if counts[name] == 1 else str(path) for name, path in zip(short, past, strict=True)]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _owner(path: Path) -> str:
    """The student of a notebook in a past term's folder: the outermost folder's name, or the file's."""
    return path.parts[0] if len(path.parts) > 1 else path.stem


def _read_into(corpus: Corpus, term: str, root: Path, files: Iterable[tuple[str, Path]]) -> None:
    """Add the hand-ins of these notebooks (student, path), and the reasons why some can't be read."""
    students: dict[str, Handin] = {}
    for student, path in tqdm(
        list(files), f"reading {term or 'the class'}", leave=False, disable=None, unit=" notebooks"
    ):
        name = f"{term}: {path.relative_to(root)}" if term else str(path.relative_to(root))
        try:
            submitted = read(path)
        except UnreadableNotebookError as error:
            corpus.unreadable[name] = str(error)
            continue
        stem = path.stem if not term else matching_notebook(corpus.release, submitted)
        if not stem:
            corpus.unreadable[name] = "none of the assignment's notebooks: it answers none of their questions"
            continue
        try:
            add_answers(
                students.setdefault(student, Handin(student, term)), stem, corpus.release[stem], submitted
            )
        except RecursionError:
            corpus.unreadable[name] = "nested too deeply"
    for handin in students.values():
        for question, first in corpus.same.items():
            if text := handin.answers.pop(question, ""):
                handin.answers[first] = "\n\n".join(filter(None, (handin.answers.get(first), text)))[
                    :MAX_ANSWER
                ]
    corpus.handins += students.values()


def same_texts(release: dict[str, NotebookNode], alternatives: Alternatives) -> dict[Question, Question]:
    """The texts to write in notebooks of which one counts, each with that of the first, where they have as many."""
    found: dict[Question, Question] = {}
    for group in alternatives:
        known = [stem for stem in group if stem in release]
        texts = [[one for one in questions(stem, release[stem]) if not one.is_code] for stem in known]
        for others in texts[1:]:
            if len(others) == len(texts[0]):
                found |= dict(zip(others, texts[0], strict=True))
    return found


def matching_notebook(release: dict[str, NotebookNode], submitted: NotebookNode) -> str:
    """The release's notebook with the most cells recognised in `submitted`; "" if there are none."""
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


def add_answers(handin: Handin, stem: str, release: NotebookNode, submitted: NotebookNode) -> None:
    """Add the answers in a submitted notebook to the hand-in.

    Cells are recognised as in grading. A cell that the student added belongs to the last answer of its kind (code or
    text) before it, or else to the first one.
    """
    master = copy.deepcopy(release)
    graft(master, submitted)
    stubs = {name_of(cell): cell.source for cell in release.cells}
    by_name = {question.name: question for question in questions(stem, release)}
    first = {
        is_code: next((q for q in by_name.values() if q.is_code == is_code), None)
        for is_code in (True, False)
    }
    last, texts = dict(first), dict[Question, list[str]]()
    for cell in master.cells:
        question = by_name.get(name_of(cell)) if utils.is_solution(cell) else None
        if question:
            last[question.is_code] = question
        elif "nbgrader" not in cell.metadata:
            stub = stubs.get(name_of(cell))
            if stub is None:
                question = last[cell.cell_type == "code"]
            elif normal(cell.source) != normal(stub):
                handin.notes.append(cell.source[:500])
        if question and normal(cell.source) not in ("", normal(stubs.get(name_of(cell), ""))):
            texts.setdefault(question, []).append(cell.source)
    for question, sources in texts.items():
        text = "\n\n".join(sources)
        if len(text) > MAX_ANSWER:
            handin.cut.append(question)
        handin.answers[question] = text[:MAX_ANSWER]
