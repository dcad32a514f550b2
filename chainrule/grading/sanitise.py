"""From what a student handed in to a notebook that is ours again.

The notebook to run is the instructor's, with nothing taken from the student but answers: the sources of
solution cells, and cells the student added. Points, ids, locked cells, kernel and order are ours.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
    NbGraderPreprocessor,
)

from chainrule.course import CourseFolder
from chainrule.grading.recognise import Recognition, is_answer, name_of, normal, visible
from chainrule.intake.files import declared, handed_in
from chainrule.intake.notebook import checked
from chainrule.release import AddHandIn
from chainrule.release.numbers import Manifest, Texts, templates, varied

MAX_ADDED = 2_000  # cells of the student's own
MAX_TEXT = 10_000_000  # characters in one answer, or in all cells of the student's own; a pasted picture has a million
MAX_JOINED = 200_000  # characters of code that are looked at to see whether pieces belong together
MAGIC = re.compile(r"^([ \t]*)(?:[%!?].*|[\w.]+\?+[ \t]*)$|(?<==)[ \t]*[%!].*$", re.MULTILINE)


class Graft(NbGraderPreprocessor):
    """nbgrader preprocessor that puts a student's answers into the instructor's notebook.

    The notebook is the student's own if there is a manifest of per-student numbers with the student in it.
    What had to be repaired is left in the notebook's metadata, `chainrule.repairs`, a sentence each. A
    sentence about one cell begins with "cell" and its name.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        where = resources["nbgrader"]
        course = CourseDirectory(parent=self)
        folder = course.format_path(course.source_directory, ".", where["assignment"])
        source = nbformat.read(Path(course.root, folder, f"{where['notebook']}.ipynb"), as_version=4)
        manifest = Manifest.read(Path(course.root), where["assignment"])
        numbers = manifest.students.get(where["student"]) if manifest else None
        master, submitted = self._master(source, numbers, where), checked(nb)
        master.cells += AddHandIn(parent=self).cells(
            where["assignment"]
        )  # in the release they are there, too
        repairs = []
        if manifest:
            varying = NotebookNode(source, cells=[cell for cell in source.cells if templates(cell)])
            own, handout = (self._master(varying, each, where).cells for each in (numbers, None))
            others = (self._master(varying, each, where).cells for each in manifest.students.values())
            repairs = renumber(submitted, own, handout, others)
        repairs += graft(master, submitted)
        place = course.format_path(course.submitted_directory, where["student"], where["assignment"])
        files, unusable = handed_in(Path(course.root, place), declared(source))
        repairs += unusable
        for repair in repairs:
            self.log.warning("%s: %s", where["student"], repair)
        master.metadata["chainrule"] = {"repairs": repairs}
        if files:
            master.metadata["chainrule"]["files"] = files  # by checksum: what the run gets to see
        return master, resources

    def _master(self, source: NotebookNode, numbers: Texts | None, where: Mapping[str, str]) -> NotebookNode:
        """The instructor's notebook with these numbers as in the release, but with hidden checks.

        nbgrader recognises an untouched answer by its checksum.
        """
        master = varied(source, numbers)
        for step in (LockCells, ClearSolutions, ClearOutput, CheckCellMetadata, ComputeChecksums):
            master, _ = step(parent=self).preprocess(master, {"nbgrader": dict(where)})
        return master


def renumber(
    submitted: NotebookNode,
    own: Sequence[NotebookNode],
    handout: Sequence[NotebookNode],
    others: Iterable[Sequence[NotebookNode]],
) -> list[str]:
    """Where a submitted notebook has a cell of ours with other numbers than this student's, put these in, in place.

    Args:
        own, handout, others: the cells that vary, with this student's numbers, the handout's and each student's.
    Returns:
        Whose numbers were there, a sentence each.
    """

    def shown(cells: Iterable[NotebookNode]) -> list[str]:
        return [normal(visible(cell.source)) for cell in cells]

    there = [normal(cell.source) for cell in submitted.cells]
    ours = set(shown(own))
    if not {text for text, cell in zip(shown(own), own, strict=True) if not is_answer(cell)} - set(there):
        return []  # an honest notebook: no need to look through all the others' numbers
    foreign: dict[str, tuple[str, NotebookNode]] = {}
    for says, cells in chain([(HANDOUTS, handout)], ((ANOTHERS, cells) for cells in others)):
        for text, cell in zip(shown(cells), own, strict=True):
            if text and text not in ours:
                foreign.setdefault(text, (says, cell))
    found = set()
    for text, theirs in zip(there, submitted.cells, strict=True):
        if text in foreign:
            says, cell = foreign[text]
            theirs.source = visible(cell.source)
            found.add(says)
    return sorted(found)


def extra_notebooks(folder: CourseFolder, assignment: str, student: str) -> list[str]:
    """Notebooks a student submitted that are none of the assignment's, by their paths: nobody grades them."""
    submitted = folder.folder("submitted", student, assignment)
    ours = {path.name for path in folder.notebooks(assignment)}
    paths = [path.relative_to(submitted) for path in submitted.rglob("*.ipynb")]
    return sorted(
        shown(path.as_posix())
        for path in paths
        if path.as_posix() not in ours and not any(part.startswith(".") for part in path.parts)
    )


def graft(master: NotebookNode, submitted: NotebookNode) -> list[str]:
    """Put the answers of a submitted notebook into the master, in place.

    Each submitted cell is recognised by its label, its content or its place. The pieces of an answer become
    one cell. Cells outside nbgrader, such as the line for collaborators, are the student's to change or
    delete. A cell that is none of ours was added by the student and keeps its place behind the cell it follows.

    Returns:
        What had to be repaired, a sentence each.
    """
    known = {name_of(cell) or f"cell {place}": cell for place, cell in enumerate(master.cells)}
    found, repairs = Recognition(known, submitted.cells), Repairs(known)
    repairs.note_language(master, submitted)
    pieces, own = sorted_out(found, repairs)
    repairs.note_labels(found)
    cells = own.pop("", [])
    for name, ours in known.items():
        theirs = pieces.get(name, [])
        if theirs and is_answer(ours):
            cells += [ours, *fill(ours, theirs, name, repairs)]
        elif theirs or "nbgrader" in ours.metadata:
            cells.append(ours)
            if not theirs:
                repairs.note(name, NO_ANSWER if is_answer(ours) else MISSING)
            elif normal(theirs[0].source) != normal(visible(ours.source)):
                repairs.note(name, CHANGED)
        cells += own.get(name, [])
    master.cells = within_limits(cells, {id(cell) for cell in known.values()}, repairs)
    return repairs.sentences()


def sorted_out(
    found: Recognition, repairs: Repairs
) -> tuple[dict[str, list[NotebookNode]], dict[str, list[NotebookNode]]]:
    """The pieces of each cell of ours, and the student's own cells behind it ("" for the top).

    A piece that stands among other cells is another version: text joins its answer, where a person reads it;
    code stays where it stood, so that the checks see what the student saw.
    """
    at_home = home(found)
    pieces: dict[str, list[NotebookNode]] = {}
    own: dict[str, list[NotebookNode]] = {}
    last = ""
    for place, (name, cell) in enumerate(zip(found.homes, found.theirs, strict=True)):
        label = found.labels[place]
        if place in at_home:
            last = name
            if found.means.get(name) != "place" or not found.is_untouched(place, name):
                pieces.setdefault(name, []).append(cell)
        elif name and is_answer(found.ours[name]) and name not in found.wanted:
            pieces.setdefault(name, []).append(cell)
        elif name and (name not in found.wanted or found.is_untouched(place, name)):
            repairs.note(name, TWICE)
        elif label and found.is_copy(place):  # ours, under the label of another cell
            repairs.note(found.fixed[found.texts[place]][0], TWICE)
        elif cell.source.strip():
            own.setdefault(last, []).append(added(cell))
            if label:
                repairs.note(label, ELSEWHERE)
            elif "nbgrader" in cell.metadata:
                repairs.note(shown(name_of(cell)) or "without a name", FOREIGN)
    for name, cells in pieces.items():
        if len(cells) > 1 and not is_answer(found.ours[name]):
            repairs.note(name, TWICE)
    return pieces, own


def home(found: Recognition) -> set[int]:
    """The submitted cells that stand where each cell of ours is: of several places the first that holds an
    answer, if possible in the right order."""
    runs = found.runs()
    best: dict[str, tuple[bool, bool, int]] = {}
    for number, (name, places) in enumerate(runs):
        before = runs[number - 1][0] if number else ""
        after = runs[number + 1][0] if number + 1 < len(runs) else ""
        empty = all(found.is_untouched(place, name) for place in places)
        rank = (empty, not found.in_order(before, name, after), number)
        best[name] = min(rank, best.get(name, rank))
    return {place for *_, number in best.values() for place in runs[number][1]}


# ---- what is said about it -----------------------------------------------------------------------------------

CHANGED = "had been changed: restored"
MISSING = "{was} missing: restored"
NO_ANSWER = "was missing: restored without an answer"
TWICE = "{is} there more than once: {it} {counts} once"
JOINED = "is there in several pieces: they were put together"
SPLIT = "is there in several versions: those that don't make one cell stand behind each other"
ELSEWHERE = "is there more than once: what stood elsewhere is kept as a cell of its own"
HANDOUTS = "the notebook was made with the handout's numbers: this student's were put in"
ANOTHERS = "the notebook was made with another student's numbers: this student's were put in"
BY_CONTENT = "had lost {its} {label}: recognised by {its} content"
BY_PLACE = "had lost its label: recognised by its place"
BEHIND = "was left empty: the text behind it is taken for the answer"
FOREIGN = "{is} not part of this notebook: kept without {its} points"
TOO_LONG = f"is longer than {MAX_TEXT:,} characters: left out"
ONE = {"was": "was", "is": "is", "its": "its", "label": "label", "it": "it", "counts": "counts"}
MANY = {"was": "were", "is": "are", "its": "their", "label": "labels", "it": "they", "counts": "count"}


class Repairs:
    """What had to be repaired. Many cells that aren't answers share a sentence."""

    def __init__(self, known: Mapping[str, NotebookNode]) -> None:
        self.answers = {name for name, cell in known.items() if utils.is_solution(cell)}
        self.free = {name for name, cell in known.items() if "nbgrader" not in cell.metadata}
        self.noted: dict[tuple[str, str], list[str]] = {}
        self.others: list[str] = []

    def note(self, name: str, what: str) -> None:
        if name in self.free:
            return  # the student's to do with as they like
        names = self.noted.setdefault((what, name if name in self.answers else ""), [])
        if name not in names[:100]:
            names.append(name)

    def note_labels(self, found: Recognition) -> None:
        """How cells were recognised that had lost their labels."""
        labelled = {label for label, home in zip(found.labels, found.homes, strict=True) if label == home}
        for name, means in found.means.items():
            if name not in labelled:
                self.note(name, BY_PLACE if means == "place" else BY_CONTENT)
            elif means == "place":
                self.note(name, BEHIND)

    def note_language(self, master: NotebookNode, submitted: NotebookNode) -> None:
        ours, theirs = language(master), language(submitted)
        if ours and ours.lower() not in theirs.lower() and theirs:
            self.others.append(f"the notebook was saved as {shown(theirs)}: run as {ours}")

    def sentences(self) -> list[str]:
        said = []
        for (what, _), names in self.noted.items():
            if len(names) <= 3:
                said += [f"cell {name} {what.format_map(ONE)}" for name in names]
            else:
                more = f" and {len(names) - 6} more" if len(names) > 6 else ""
                said.append(f"cells {', '.join(names[:6])}{more} {what.format_map(MANY)}")
        return self.others + said


def language(nb: NotebookNode) -> str:
    """The programming language a notebook says it is in, "" if it doesn't say."""
    for part, key in (("language_info", "name"), ("kernelspec", "language")):
        about = nb.metadata.get(part)
        if isinstance(about, dict) and isinstance(about.get(key), str):
            return str(about[key])
    return ""


def shown(name: str) -> str:
    """A name a student chose, short and printable."""
    return re.sub(r"[^\w./ -]", "?", name)[:60]


# ---- an answer from its pieces -------------------------------------------------------------------------------


def fill(
    ours: NotebookNode, pieces: Sequence[NotebookNode], name: str, repairs: Repairs
) -> list[NotebookNode]:
    """Put the pieces of an answer into its cell: the stub doesn't count, and of the same thing one.

    Returns:
        Cells to stand behind it, for what can't be joined.
    """
    stub = normal(ours.source)
    distinct = {piece.source.strip(): piece for piece in reversed(pieces) if len(piece.source) <= MAX_TEXT}
    written = [piece for text, piece in reversed(distinct.items()) if normal(text) not in ("", stub)]
    if len(pieces) > len(written) > 0 or len(distinct) < len(pieces):
        long = any(len(piece.source) > MAX_TEXT for piece in pieces)
        repairs.note(name, TOO_LONG if long else TWICE)
    if not written:
        emptied = not any(normal(piece.source) for piece in pieces)
        if emptied and not utils.is_grade(ours):  # to write it elsewhere; by hand, nothing waits for a person
            ours.source = ""
        return []
    first, *others = cells_from(written, ours.cell_type)
    if len(written) > 1:
        repairs.note(name, SPLIT if others else JOINED)
    answer(ours, first)
    return [added(cell) for cell in others]


def cells_from(pieces: Iterable[NotebookNode], kind: str) -> list[NotebookNode]:
    """As few cells as hold the pieces: joined if the whole makes sense, otherwise each alone."""
    cells = []
    for magic, group in groupby(
        pieces, lambda piece: kind == "code" and piece.source.lstrip().startswith("%%")
    ):
        neighbours = list(group)
        if not magic and (are_one_code if kind == "code" else are_one_text)(neighbours):
            cells.append(joined(neighbours, kind))
        else:
            cells += [joined([piece], kind) for piece in neighbours]
    return cells


def joined(pieces: Sequence[NotebookNode], kind: str) -> NotebookNode:
    source = "\n\n".join(piece.source for piece in pieces)
    pictures = {name: data for piece in pieces for name, data in pictures_of(piece).items()}
    return NotebookNode(cell_type=kind, source=source, attachments=pictures)


def are_one_text(pieces: Sequence[NotebookNode]) -> bool:
    """Whether their pictures have different names."""
    names = [name for piece in pieces for name in pictures_of(piece)]
    return len(names) == len(set(names))


def are_one_code(pieces: Sequence[NotebookNode]) -> bool:
    """Whether they are valid Python together."""
    code = "\n\n".join(piece.source for piece in pieces)
    return len(pieces) == 1 or (len(code) <= MAX_JOINED and is_python(code))


def is_python(code: str) -> bool:
    """Whether it compiles, magics of IPython aside."""
    for text in (code, MAGIC.sub(r"\1None", code)):
        try:
            with warnings.catch_warnings(action="ignore"):
                compile(text, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError):
            continue
        return True
    return False


def within_limits(cells: list[NotebookNode], ours: set[int], repairs: Repairs) -> list[NotebookNode]:
    """The cells without those of the student's own that are too many or too long to be run."""
    kept, count, length = [], 0, 0
    for cell in cells:
        if id(cell) not in ours:
            count, length = count + 1, length + len(cell.source)
        if id(cell) in ours or (count <= MAX_ADDED and length <= MAX_TEXT):
            kept.append(cell)
    if len(kept) < len(cells):
        repairs.others.append(
            f"{len(cells) - len(kept)} added cells were left out: {MAX_ADDED:,} cells and "
            f"{MAX_TEXT:,} characters of your own can be run"
        )
    return kept


def answer(cell: NotebookNode, theirs: NotebookNode) -> NotebookNode:
    """The cell with the source and the pictures of the student's."""
    cell.source = storable(theirs.source)
    if cell.cell_type == "markdown":
        pictures = pictures_of(theirs)
        cell.update({"attachments": pictures} if pictures else {})
    return cell


def pictures_of(cell: NotebookNode) -> dict[str, Any]:
    """What is attached to a cell in the form that the notebook format wants."""
    attachments = cell.get("attachments")
    if not isinstance(attachments, dict):
        return {}
    return {storable(name): data for name, data in attachments.items() if is_picture(data)}


def storable(text: str) -> str:
    """The text without halves of characters, which JSON can spell but no file can hold."""
    return text.encode("utf-8", "replace").decode()


def is_picture(data: object) -> bool:
    """Whether an attachment has the form the notebook format wants: base64 by MIME type."""
    return isinstance(data, dict) and all(isinstance(text, str) and text.isascii() for text in data.values())


def added(cell: NotebookNode) -> NotebookNode:
    """A student's own cell without outputs and metadata."""
    new = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
    return answer(new(), cell)
