"""Written answers: where they are in graded notebooks, and which of them are equal or nearly equal."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode, from_dict
from nbgrader import utils

from chainrule.course import CourseFolder
from chainrule.grading.given_marks import answers as fingerprints
from chainrule.grading.store import load_notebook
from chainrule.handin.formulas import FormulaSource, MaskedMarkdown
from chainrule.handin.notebook import joined
from chainrule.marking.rubric import Delimiters, MarkScheme, read_scheme, scheme_cell
from chainrule.metadata import cell_name, is_added

NEAR = 0.6  # share of word triples that near answers have in common
COMPARED = 2_000  # words and blanks of an answer
AROUND = 12, 4  # cells before and after an answer that are shown with it


@dataclass(frozen=True)
class Item:
    """A written item of an assignment."""

    notebook: str
    name: str
    maximum: float

    @property
    def key(self) -> tuple[str, str]:
        return self.notebook, self.name


NO_SCHEME = MarkScheme("")


@dataclass(frozen=True)
class Answer:
    """A student's answer to an item: its cell and those that the student added after it.

    Attributes:
        fingerprint: of what the student wrote; "" for nothing.
        normal: what equal answers have in common; see `normal_form`.
        scheme: question and mark scheme, with the student's own numbers.
    """

    fingerprint: str
    cells: tuple[NotebookNode, ...]
    normal: str
    scheme: MarkScheme = NO_SCHEME

    @property
    def text(self) -> str:
        return "\n\n".join(cell.source for cell in self.cells)


@dataclass(frozen=True)
class Source:
    """The written items of an instructor's notebook, in its order, with their mark schemes.

    Attributes:
        changed: when the file was changed last, in seconds since 1970.
    """

    changed: float
    schemes: Mapping[Item, MarkScheme]


def is_written(cell: NotebookNode) -> bool:
    """Whether a person marks this cell."""
    return bool(utils.is_task(cell) or (utils.is_grade(cell) and utils.is_solution(cell)))


class WrittenWork:
    """The items of an assignment, and the class's answers to them, read from the course folder.

    Notebooks are read once, and again when their files have changed.
    """

    def __init__(self, folder: CourseFolder, assignment: str) -> None:
        self.folder, self.assignment = folder, assignment
        self.delimiters = Delimiters(folder.config)
        self._sources: dict[Path, Source] = {}
        self._graded: dict[str, tuple[float, dict[str, Answer]]] = {}
        self._paths: dict[tuple[str, str], str] = {}
        self._read: set[str] = set()  # notebooks whose hand-ins were all read once

    def items(self) -> list[Item]:
        """The written items, in the notebooks' order."""
        paths = self.folder.notebooks(self.assignment)
        return [item for path in paths for item in self._source(path).schemes]

    def scheme(self, item: Item) -> MarkScheme:
        """The item's question and mark scheme, as in `source/`."""
        return self._source(self.source_path(item)).schemes.get(item, NO_SCHEME)

    def source_path(self, item: Item) -> Path:
        return self.folder.folder("source", ".", self.assignment) / f"{item.notebook}.ipynb"

    def students(self) -> list[str]:
        """Everybody with a graded notebook."""
        pattern = self.folder.folder("autograded", "*", self.assignment)
        position = len(self.folder.root.parts)
        places = [i for i, part in enumerate(pattern.relative_to(self.folder.root).parts) if "*" in part]
        found = {
            path.parts[position + places[0]]
            for path in self.folder.root.glob(f"{pattern.relative_to(self.folder.root)}/*.ipynb")
        }
        return sorted(found)

    def graded_path(self, student: str, notebook: str) -> Path:
        return self.folder.folder("autograded", student, self.assignment) / f"{notebook}.ipynb"

    def answer(self, item: Item, student: str) -> Answer | None:
        """A student's answer; None if the student has no graded notebook with this item."""
        key = student, item.notebook
        if key not in self._paths:
            self._paths[key] = str(self.graded_path(*key))
        return self._answers(self._paths[key]).get(item.name)

    def answers(self, item: Item, students: Iterable[str]) -> dict[str, Answer]:
        """The answers of those who wrote something, by student."""
        found = {student: self.answer(item, student) for student in students}
        return {student: answer for student, answer in found.items() if answer and answer.fingerprint}

    def read_ahead(self, item: Item) -> None:
        """Read the class's notebooks, which takes seconds the first time, before a transaction keeps others waiting."""
        if item.notebook not in self._read:
            for student in self.students():
                self.answer(item, student)
            self._read.add(item.notebook)

    def notebook(self, student: str, notebook: str) -> NotebookNode | None:
        return load_notebook(self.graded_path(student, notebook))

    def around(self, item: Item, student: str) -> list[NotebookNode]:
        """What stands around an answer in the student's notebook, without other written answers."""
        nb = self.notebook(student, item.notebook)
        names = [cell_name(cell) for cell in nb.cells] if nb else []
        if nb is None or item.name not in names:
            return []
        at, (before, after) = names.index(item.name), AROUND
        cells = nb.cells[max(0, at - before) : at + after + 1]
        return [cell for cell in cells if not is_written(cell)]

    def _source(self, path: Path) -> Source:
        changed = path.stat().st_mtime
        if path not in self._sources or self._sources[path].changed != changed:
            nb = nbformat.read(path, as_version=4)
            items = [
                Item(path.stem, cell_name(cell), float(cell.metadata.nbgrader.points))
                for cell in nb.cells
                if is_written(cell)
            ]
            schemes = {item: scheme_of(nb, item.name, self.delimiters) for item in items}
            self._sources[path] = Source(changed, schemes)
        return self._sources[path]

    def _answers(self, path: str) -> dict[str, Answer]:
        try:
            changed = os.stat(path).st_mtime
        except OSError:
            return {}
        if self._graded.get(path, (0.0,))[0] != changed:
            self._graded[path] = changed, written_answers(without_outputs(Path(path)), self.delimiters)
        return self._graded[path][1]


def without_outputs(path: Path) -> NotebookNode:
    """A graded notebook's cells without their outputs, which is much faster to read; empty for a damaged file."""
    try:
        cells = json.loads(path.read_bytes())["cells"]
        kept = [
            {name: value for name, value in cell.items() if name not in ("outputs", "execution_count")}
            | {"source": joined(cell["source"])}
            for cell in cells
        ]
        nb: NotebookNode = from_dict({"cells": kept})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return NotebookNode(cells=[])
    return nb


def scheme_of(nb: NotebookNode, item: str, delimiters: Delimiters) -> MarkScheme:
    """The question and the mark scheme of an item, as they are in this notebook."""
    cell = scheme_cell(nb.cells, item, delimiters.begin)
    return read_scheme(cell.source, delimiters) if cell else MarkScheme("")


def written_answers(nb: NotebookNode, delimiters: Delimiters) -> dict[str, Answer]:
    """The written answers in a graded notebook, by item."""
    prints = fingerprints(nb)
    cells: dict[str, list[NotebookNode]] = {}
    last = ""
    for cell in nb.cells:
        if is_written(cell):
            last = cell_name(cell)
            cells[last] = [] if utils.is_task(cell) else [cell]  # a task is the instructor's text
        elif is_added(cell):
            if last:
                cells[last].append(cell)
        else:
            last = ""
    return {
        name: Answer(
            prints.get(name, ""),
            tuple(own),
            "\n".join(map(normal_form, own)),
            scheme_of(nb, name, delimiters),
        )
        for name, own in cells.items()
    }


# ---- equal and near answers --------------------------------------------------------------------------------------


def normal_form(cell: NotebookNode) -> str:
    """A cell's text without what changes no meaning: case, blanks, the punctuation of sentences, spacing in formulas.

    Numbers, signs, names in formulas and code stay as they are: answers of the same normal form are the same answer.
    """
    if cell.cell_type != "markdown":
        return "\n".join(line.rstrip() for line in cell.source.splitlines() if line.strip())
    masked = MaskedMarkdown(unicodedata.normalize("NFC", cell.source))
    pieces = [
        f" {normal_formula(piece.tex)} " if isinstance(piece, FormulaSource) else normal_prose(piece)
        for piece in masked.split(masked.text)
    ]
    attached = cell.get("attachments")
    if attached:
        pieces.append(hashlib.sha256(json.dumps(attached, sort_keys=True).encode()).hexdigest())
    return " ".join("".join(pieces).split())


TEX_SPACE = re.compile(r"\\[,;:! ]|\\(?:quad|qquad|displaystyle|textstyle|left|right)(?![a-zA-Z])|~")
CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]*`)", re.DOTALL)


def normal_formula(tex: str) -> str:
    """A formula without its spacing."""
    tex = re.sub(r"\\[dt]frac(?![a-zA-Z])", r"\\frac", TEX_SPACE.sub(" ", tex))
    tex = re.sub(r"(\\[a-zA-Z]+)\s+(?=[a-zA-Z])", "\\1\0", tex)  # this blank ends a command
    tex = re.sub(r"\s+", "", tex).replace("\0", " ")
    return f"${tex}$"


def normal_prose(text: str) -> str:
    """Text between formulas; what is between backticks stays as it is."""
    pieces = CODE.split(text)
    pieces[::2] = map(_normal_words, pieces[::2])
    return "".join(pieces)


def _normal_words(text: str) -> str:
    text = text.translate({0x2212: "-", 0x2019: "'", 0x201C: None, 0x201D: None, ord('"'): None})
    text = re.sub(r"(?<=\w)[.,;:?](?=\s|$)|(?<=[)\]])[.,;:](?=\s|$)", " ", text)
    text = re.sub(r"(?<!\S)[.,;:](?=\s|$)", " ", text)  # what is left behind a formula
    words = (
        word if len(word) == 1 or re.search(r"[=<>+/^_]", word) else word.casefold() for word in text.split()
    )
    edge = (" " if text[:1].isspace() else "", " " if text[-1:].isspace() else "")
    return edge[0] + " ".join(words) + edge[1]


def groups(answers: Mapping[str, Answer]) -> dict[str, list[str]]:
    """The students with equal answers, by normal form."""
    found: dict[str, list[str]] = {}
    for student, answer in sorted(answers.items()):
        found.setdefault(answer.normal, []).append(student)
    return found


def in_order(answers: Mapping[str, Answer], secret: str, item: Item) -> list[str]:
    """The order in which a class's answers are marked.

    It is shuffled, differently for each item, and always the same. Equal answers follow each other, and near ones
    follow the first that they are near to.
    """

    def place(text: str) -> str:
        return hashlib.sha256(f"{secret}/{item.notebook}/{item.name}/{text}".encode()).hexdigest()

    equal = groups(answers)
    chains: list[tuple[frozenset[tuple[str, ...]], list[str]]] = []
    for normal in sorted(equal, key=place):
        triples = triples_of(normal)
        chain = next((chain for first, chain in chains if are_near(first, triples)), None)
        if chain is None:
            chains.append((triples, [normal]))
        else:
            chain.append(normal)
    return [
        student for _, chain in chains for normal in chain for student in sorted(equal[normal], key=place)
    ]


def triples_of(text: str) -> frozenset[tuple[str, ...]]:
    """The triples of words that follow each other."""
    words = words_of(text)
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def words_of(text: str) -> list[str]:
    return re.findall(r"\\?\w+|[^\w\s]", text)


def are_near(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> bool:
    """Whether two answers are so much alike that a marker wants to see them one after the other."""
    smaller, larger = sorted((len(one), len(other)))
    if smaller < NEAR * larger or not larger:
        return False
    common = len(one & other)
    return common >= NEAR * (smaller + larger - common)


def difference(before: str, now: str) -> Iterator[tuple[str, str]]:
    """What differs between two texts, word by word: ("same" | "gone" | "new", words).

    There is nothing for texts of more than `COMPARED` words and blanks, which would take seconds.
    """
    old, new = (re.findall(r"\s+|\\?\w+|[^\w\s]", text) for text in (before, now))
    if max(len(old), len(new)) > COMPARED:
        return
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield "same", "".join(old[a:b])
            continue
        if b > a:
            yield "gone", "".join(old[a:b])
        if d > c:
            yield "new", "".join(new[c:d])


def first_of(order: Sequence[str], answers: Mapping[str, Answer], student: str) -> str | None:
    """The student before this one in the order, if their answers are near."""
    at = order.index(student)
    if not at:
        return None
    before = order[at - 1]
    near = are_near(triples_of(answers[before].normal), triples_of(answers[student].normal))
    return before if near else None
