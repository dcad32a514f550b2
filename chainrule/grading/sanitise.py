"""From a submitted notebook to one that can be graded.

The notebook to run is the instructor's. Only answers are taken from the student: the sources of solution cells, and
cells that the student added. Points, ids, locked cells, kernel and order are the instructor's.

In names and comments, "ours" are the cells of the instructor's notebook, "theirs" those of the submitted one.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor

from chainrule.course import CourseFolder
from chainrule.grading.options import refuse_options_without_effect
from chainrule.grading.recognise import Recognition, Released, is_answer, is_marked, name_of, normal, visible
from chainrule.grading.repairs import (
    ANOTHERS,
    CHANGED,
    ELSEWHERE,
    FOREIGN,
    HANDOUTS,
    JOINED,
    MAX_NAMES,
    MAX_TEXT,
    MISSING,
    NO_ANSWER,
    SPLIT,
    TOO_LONG,
    TWICE,
    Repairs,
    sentences,
)
from chainrule.grading.store import as_json, digest
from chainrule.intake.files import declared, handed_in, replaceable
from chainrule.intake.notebook import UnreadableNotebookError, attachments, checked, read
from chainrule.metadata import SKIPPED, AddedCell, GradedNotebook, check_source
from chainrule.release import AddHandIn, FoldChecks
from chainrule.release.master import language, master_of, release_steps
from chainrule.release.numbers import Manifest, Texts, templates, with_numbers
from chainrule.release.stubs import NBGRADERS, ClearSolutions
from chainrule.release.versions import kept_cell, kept_versions

MAX_ADDED = 2_000  # cells of the student's own
MAX_JOINED = 200_000  # characters of code, up to which we test whether pieces are one program
MAGIC = re.compile(r"^([ \t]*)(?:[%!?].*|[\w.]+\?+[ \t]*)$|(?<==)[ \t]*[%!].*$", re.MULTILINE)


class Graft(NbGraderPreprocessor):
    """nbgrader preprocessor that puts a student's answers into the instructor's notebook.

    If a manifest has numbers for this student, the notebook has these numbers. What was repaired is kept in the
    notebook's metadata, `chainrule.repaired`.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        refuse_options_without_effect(self.config)
        where = resources["nbgrader"]
        course = CourseDirectory(parent=self)
        folder = course.format_path(course.source_directory, ".", where["assignment"])
        path = Path(course.root, folder, f"{where['notebook']}.ipynb")
        source = nbformat.read(path, as_version=4)
        check_source(source, path.name)
        manifest = Manifest.read(Path(course.root), where["assignment"])
        numbers = manifest.students.get(where["student"]) if manifest else None
        assignment, notebook = where["assignment"], where["notebook"]
        numbered = with_numbers(source, numbers)
        for cell in numbered.cells:
            if not is_marked(
                cell
            ):  # nothing for nbgrader: students may edit it, and editors drop such metadata
                cell.metadata.pop("nbgrader", None)
        # it has checksums, because nbgrader recognises an unchanged answer by its checksum
        master = master_of(numbered, assignment, notebook, self.config)
        for cell in master.cells:
            if cell.cell_type == "code":  # only outputs of this run are judged
                cell.outputs, cell.execution_count = [], None
        submitted = checked(nb)
        master.cells += AddHandIn(parent=self).cells(where["assignment"])  # as in the release
        others = []  # repairs of the whole notebook
        if manifest:
            titled = deepcopy(source)
            if FoldChecks in release_steps(self.config):  # it changes the sources that students get
                titled, _ = FoldChecks(parent=self).preprocess(titled, {})
            varying = NotebookNode(titled, cells=[cell for cell in titled.cells if templates(cell)])
            stubs = ClearSolutions(parent=self)
            stubs.choose_stub(source)
            own, handout = (without_solutions(varying, each, stubs) for each in (numbers, None))
            all_students = (without_solutions(varying, each, stubs) for each in manifest.students.values())
            others = renumber(submitted, own, handout, all_students)
        released = released_versions(course, where, numbers)
        grafted = graft(
            master, submitted, [*released, with_nbgraders_stubs(master, ClearSolutions(parent=self))]
        )
        grafted.others[:0] = others
        handed_in_folder = course.format_path(
            course.submitted_directory, where["student"], where["assignment"]
        )
        limits = declared(source, path.name) | replaceable(self.config, where["assignment"])
        files, unusable = handed_in(Path(course.root, handed_in_folder), limits)
        grafted.others += unusable
        repaired = grafted.found()
        for repair, said in zip(repaired, sentences(repaired), strict=True):
            self.log.warning("%s: %s", where["student"], said)
            if len(repair["cells"]) > MAX_NAMES:
                self.log.info("%s: all of them: %s", where["student"], ", ".join(repair["cells"]))
        about: GradedNotebook = {"repaired": repaired, "written": grafted.written}
        if grafted.outdated:
            about["outdated"] = grafted.outdated
            self.log.info(
                "%s has these cells as in an earlier release: %s",
                where["student"],
                ", ".join(grafted.outdated),
            )
        if files:
            about["files"] = files
        master.metadata["chainrule"] = about
        return master, resources


def without_solutions(
    source: NotebookNode, numbers: Texts | None, stubs: ClearSolutions
) -> list[NotebookNode]:
    """The cells with these numbers, with stubs in the place of solutions."""
    cells = with_numbers(source, numbers).cells
    return [stubs.preprocess_cell(cell, {"language": "python"}, 0)[0] for cell in cells]


def renumber(
    submitted: NotebookNode,
    own: Sequence[NotebookNode],
    handout: Sequence[NotebookNode],
    others: Iterable[Sequence[NotebookNode]],
) -> list[str]:
    """Replace cells of ours with other numbers than this student's by those with this student's. Changes `submitted`.

    Args:
        own, handout, others: the cells that vary, with this student's numbers, the handout's and each student's.
    Returns:
        A sentence for each kind of numbers that were replaced.
    """

    def texts(cells: Iterable[NotebookNode]) -> list[str]:
        return [normal(visible(cell.source)) for cell in cells]

    theirs = [normal(cell.source) for cell in submitted.cells]
    ours = set(texts(own))
    if not {text for text, cell in zip(texts(own), own, strict=True) if not is_answer(cell)} - set(theirs):
        return []  # it has this student's numbers: no need to compare with those of all others
    foreign: dict[str, tuple[str, NotebookNode]] = {}
    for sentence, cells in chain([(HANDOUTS, handout)], ((ANOTHERS, cells) for cells in others)):
        for text, cell in zip(texts(cells), own, strict=True):
            if text and text not in ours:
                foreign.setdefault(text, (sentence, cell))
    sentences = set()
    for text, changed in zip(theirs, submitted.cells, strict=True):
        if text in foreign:
            sentence, cell = foreign[text]
            changed.source = visible(cell.source)
            sentences.add(sentence)
    return sorted(sentences)


def extra_notebooks(folder: CourseFolder, assignment: str, student: str) -> list[str]:
    """Paths of submitted notebooks that are not the assignment's. They are not graded."""
    submitted = folder.folder("submitted", student, assignment)
    ours = {path.name for path in folder.notebooks(assignment)}
    paths = [path.relative_to(submitted) for path in submitted.rglob("*.ipynb")]
    return sorted(
        safe_name(path.as_posix())
        for path in paths
        if path.as_posix() not in ours and not any(part.startswith(".") for part in path.parts)
    )


def released_versions(
    course: CourseDirectory, where: Mapping[str, str], numbers: Texts | None
) -> list[NotebookNode]:
    """Every version of a notebook that was released, with a student's numbers: those kept, and what is in release/."""
    versions = kept_versions(Path(course.root), where["assignment"], where["notebook"])
    released = [with_numbers(version, numbers) for version in versions]
    folder = course.format_path(course.release_directory, ".", where["assignment"])
    with suppress(UnreadableNotebookError, OSError):
        released.append(checked(read(Path(course.root, folder, f"{where['notebook']}.ipynb"))))
    return released


def with_nbgraders_stubs(master: NotebookNode, stubs: ClearSolutions) -> NotebookNode:
    """What nbgrader alone would have released: students have it if a course came to Chainrule later.

    Args:
        stubs: the course's.
    """
    code = stubs.code_stub.get("python", ""), NBGRADERS
    text = stubs.text_stub, ClearSolutions().text_stub
    cells = [kept_cell(cell) for cell in master.cells]
    for cell in cells:
        ours, nbgraders = map(normal, code if cell.cell_type == "code" else text)
        if ours and utils.is_solution(cell):
            cell.source = normal(visible(cell.source)).replace(ours, nbgraders)
    return NotebookNode(cells=cells)


def graft(master: NotebookNode, submitted: NotebookNode, versions: Iterable[NotebookNode] = ()) -> Repairs:
    """Put the answers of a submitted notebook into the master notebook. Changes `master`.

    Each submitted cell is recognised by its label, its content or its position. The pieces of an answer become one
    cell. Students may change or delete cells outside nbgrader, such as the line for collaborators. A cell that is not
    ours was added by the student, and stays after the cell that it follows.

    Args:
        versions: the notebook as it was released, also before it was edited. What is as in one of them was not changed
            by the student.
    """
    known = {name_of(cell) or f"cell {index}": cell for index, cell in enumerate(master.cells)}
    released = Released(known, versions)
    recognition, repairs = Recognition(known, submitted.cells, released), Repairs(known)
    spoken, saved_as = language(master), language(submitted)
    if spoken and saved_as and spoken.lower() not in saved_as.lower():
        repairs.others.append(f"the notebook was saved as {safe_name(saved_as)}: run as {spoken}")
    repairs.written = written(submitted.cells)
    pieces, own = collect_pieces(recognition, repairs)
    repairs.note_labels(recognition)
    cells = own.pop("", [])
    for name, ours in known.items():
        theirs = pieces.get(name, [])
        if theirs and is_answer(ours):
            cells += [ours, *fill_answer(ours, theirs, name, released.texts[name], repairs)]
        elif theirs or is_marked(ours) or name not in released.always:
            cells.append(ours)
            text = normal(theirs[0].source) if theirs else ""
            if not theirs and name in recognition.first_index:
                pass  # it is there, untouched
            elif not theirs and name in released.always:
                repairs.note(name, NO_ANSWER if is_answer(ours) else MISSING)
            elif not theirs or (text != normal(visible(ours.source)) and text in released.texts[name]):
                repairs.note_outdated(name)
            elif text not in released.texts[name]:
                repairs.note(name, CHANGED)
        cells += own.get(name, [])
    master.cells = within_limits(cells, {id(cell) for cell in known.values()}, repairs)
    return repairs


def written(cells: Iterable[NotebookNode]) -> str:
    """A digest of the submitted cells: nothing that an instructor does to the assignment changes it."""
    told = [
        [cell.cell_type, cell.source.rstrip(), attached_images(cell)] for cell in cells if cell.source.strip()
    ]
    return digest(as_json(told))


def collect_pieces(
    recognition: Recognition, repairs: Repairs
) -> tuple[dict[str, list[NotebookNode]], dict[str, list[NotebookNode]]]:
    """The pieces of each cell of ours, and the student's own cells after it ("" for the top).

    A piece among other cells is another version of the answer. Text is joined to the answer, where a person reads it.
    Code stays where it is, so that the checks see what the student saw.
    """
    primary = primary_cells(recognition)
    pieces: dict[str, list[NotebookNode]] = {}
    own: dict[str, list[NotebookNode]] = {}
    last = ""
    for index, (name, cell) in enumerate(zip(recognition.names, recognition.theirs, strict=True)):
        label = recognition.labels[index]
        if index in primary:
            last = name
            if recognition.matched_by.get(name) != "position" or not recognition.is_untouched(index, name):
                pieces.setdefault(name, []).append(cell)
        elif name and is_answer(recognition.ours[name]) and name not in recognition.expected:
            pieces.setdefault(name, []).append(cell)
        elif name and (name not in recognition.expected or recognition.is_untouched(index, name)):
            repairs.note(name, TWICE)
        elif label and recognition.is_locked_copy(index):  # ours, under the label of another cell
            repairs.note(recognition.locked[recognition.texts[index]][0], TWICE)
        elif (gone := recognition.gone(index)) is not None:
            repairs.note_outdated(gone)
        elif cell.source.strip():
            own.setdefault(last, []).append(own_cell(cell))
            if label:
                repairs.note(label, ELSEWHERE)
            elif is_marked(cell) and name_of(cell) in recognition.released.texts:
                repairs.note_outdated(name_of(cell))  # an answer that an instructor has removed
            elif is_marked(cell) or name_of(cell) != cell.get("id", ""):
                repairs.note(safe_name(name_of(cell)) or "without a name", FOREIGN)
    for name, cells in pieces.items():
        if len(cells) > 1 and not is_answer(recognition.ours[name]):
            repairs.note(name, TWICE)
    return pieces, own


def primary_cells(recognition: Recognition) -> set[int]:
    """The indices of the submitted cells in the position of each cell of ours.

    If there are several positions, it is the first with an answer, if possible in the right order.
    """
    runs = recognition.runs()
    best: dict[str, tuple[bool, bool, int]] = {}
    for number, (name, indices) in enumerate(runs):
        before = runs[number - 1][0] if number else ""
        after = runs[number + 1][0] if number + 1 < len(runs) else ""
        empty = all(recognition.is_untouched(index, name) for index in indices)
        rank = (empty, not recognition.in_order(before, name, after), number)
        best[name] = min(rank, best.get(name, rank))
    return {index for *_, number in best.values() for index in runs[number][1]}


def safe_name(name: str) -> str:
    """A name that a student chose, shortened to 60 harmless characters."""
    return re.sub(r"[^\w./ ()-]", "?", name)[:60]


# ---- an answer from its pieces -------------------------------------------------------------------------------


def fill_answer(
    ours: NotebookNode, pieces: Sequence[NotebookNode], name: str, stubs: Container[str], repairs: Repairs
) -> list[NotebookNode]:
    """Put the pieces of an answer into its cell, without stubs and repeated pieces. Changes `ours`.

    Args:
        stubs: what the cell was when it was released.
    Returns:
        Cells to put after it, with the pieces that can't be joined.
    """
    distinct = {piece.source.strip(): piece for piece in reversed(pieces) if len(piece.source) <= MAX_TEXT}
    written = [piece for text, piece in reversed(distinct.items()) if text and normal(text) not in stubs]
    if len(pieces) > len(written) > 0 or len(distinct) < len(pieces):
        long = any(len(piece.source) > MAX_TEXT for piece in pieces)
        repairs.note(name, TOO_LONG if long else TWICE)
    if not written:
        emptied = not any(normal(piece.source) for piece in pieces)
        if emptied and not utils.is_grade(
            ours
        ):  # the student wrote it elsewhere; an empty answer marked by hand stays the stub, which scores 0
            ours.source = ""
        return []
    first, *others = join_pieces(written, ours.cell_type)
    if len(written) > 1:
        repairs.note(name, SPLIT if others else JOINED)
    set_answer(ours, first)
    return [own_cell(cell) for cell in others]


def join_pieces(pieces: Iterable[NotebookNode], kind: str) -> list[NotebookNode]:
    """As few cells as possible with all the pieces: pieces that make sense together are joined."""
    cells = []
    for magic, group in groupby(
        pieces, lambda piece: kind == "code" and piece.source.lstrip().startswith("%%")
    ):
        neighbours = list(group)
        if not magic and (are_one_code if kind == "code" else are_one_text)(neighbours):
            cells.append(join_cells(neighbours, kind))
        else:
            cells += [join_cells([piece], kind) for piece in neighbours]
    return cells


def join_cells(pieces: Sequence[NotebookNode], kind: str) -> NotebookNode:
    source = "\n\n".join(piece.source for piece in pieces)
    images = {name: data for piece in pieces for name, data in attached_images(piece).items()}
    return NotebookNode(cell_type=kind, source=source, attachments=images)


def are_one_text(pieces: Sequence[NotebookNode]) -> bool:
    """Whether the attached images have different names, so that the texts can be joined."""
    names = [name for piece in pieces for name in attached_images(piece)]
    return len(names) == len(set(names))


def are_one_code(pieces: Sequence[NotebookNode]) -> bool:
    """Whether the pieces are valid Python when joined."""
    code = "\n\n".join(piece.source for piece in pieces)
    return len(pieces) == 1 or (len(code) <= MAX_JOINED and is_python(code))


def is_python(code: str) -> bool:
    """Whether the code compiles, apart from IPython's magics."""
    for text in (code, MAGIC.sub(r"\1None", code)):
        try:
            with warnings.catch_warnings(action="ignore"):
                compile(text, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError):
            continue
        return True
    return False


def within_limits(cells: list[NotebookNode], ours: set[int], repairs: Repairs) -> list[NotebookNode]:
    """The cells, without those of the student's own beyond the limits on number and length."""
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


def set_answer(cell: NotebookNode, theirs: NotebookNode) -> NotebookNode:
    """Give a cell the source and the images of the student's cell."""
    cell.source = without_surrogates(theirs.source)
    if cell.cell_type == "markdown":
        images = attached_images(theirs)
        cell.update({"attachments": images} if images else {})
    return cell


def attached_images(cell: NotebookNode) -> dict[str, Any]:
    """A cell's attachments that have the form of the notebook format."""
    return {without_surrogates(name): data for name, data in attachments(cell.get("attachments")).items()}


def without_surrogates(text: str) -> str:
    """The text without lone surrogates, which JSON can express but UTF-8 can't."""
    return text.encode("utf-8", "replace").decode()


def own_cell(cell: NotebookNode) -> NotebookNode:
    """A copy of a student's own cell, without outputs.

    Of its metadata only the tag that says not to run it is left; ours says that the student added it.
    """
    code = cell.cell_type == "code"
    added: AddedCell = {"added": True}
    new = set_answer(nbformat.v4.new_code_cell() if code else nbformat.v4.new_markdown_cell(), cell)
    new.metadata["chainrule"] = added
    if code and is_skipped(cell):
        new.metadata["tags"] = [SKIPPED]
    return new


def is_skipped(cell: NotebookNode) -> bool:
    """Whether a student's cell has the tag with which nbclient leaves it out."""
    tags = cell.get("metadata", {}).get("tags")
    return isinstance(tags, list) and SKIPPED in tags
