"""What Chainrule adds to nbgrader's generate_assignment."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader import preprocessors
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor

import chainrule
from chainrule.alternatives import Alternatives
from chainrule.course import CONFIG, Course, CourseError
from chainrule.gradebook import open_gradebook
from chainrule.handin.file_names import FilePattern, StudentName
from chainrule.handin.inspection import HAND_IN_TAG, TITLE, default_values
from chainrule.handin.places import places
from chainrule.handin.spec import SPEC_FILE, HandInSpec
from chainrule.intake.expected_files import OTHER_MIB, PDF_MIB
from chainrule.intake.files import declared
from chainrule.intake.notebook import MAX_BYTES, read_source
from chainrule.intake.roster import read_roster, save_people
from chainrule.lesson.frameworks import PYTORCH
from chainrule.metadata import source_notebook
from chainrule.release.numbers import remove_marks
from chainrule.release.source import REGIONS, problems, short
from chainrule.release.stubs import ClearSolutions


class CheckMetadata(NbGraderPreprocessor):
    """Refuse a notebook that nbgrader's steps would refuse or release with solutions, and name the cell.

    `metadata.chainrule`, of its own or of a cell, has to be what `chainrule.metadata` says.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        if found := list(problems(nb, f"{resources['nbgrader']['notebook']}.ipynb", self)):
            raise CourseError("\n".join(found))
        return nb, resources


class InstantiateTests(preprocessors.InstantiateTests):
    """nbgrader's step that makes tests of `### AUTOTEST` lines, by running the reference solution.

    Grading makes the instructor's notebook anew for each student, so the tests of equal notebooks are kept.
    """

    kept: ClassVar[dict[str, list[str]]] = {}  # the sources of a notebook's cells with tests

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        if not any(self.autotest_delimiter in cell.source for cell in nb.cells if cell.cell_type == "code"):
            return nb, resources
        folder = resources["metadata"]["path"]
        files = [Path(place, self.autotest_filename) for place in (folder, ".")]
        parts = [
            nb.metadata.get("kernelspec"),
            folder,
            [[cell.cell_type, cell.source, cell.metadata.get("nbgrader")] for cell in nb.cells],
            [path.read_text(encoding="utf-8") for path in files if path.is_file()],
        ]
        known = json.dumps(parts, sort_keys=True)
        if known not in self.kept:
            notebook = f"{resources['nbgrader']['notebook']}.ipynb"
            if not any(path.is_file() for path in files):
                raise CourseError(
                    f"{notebook} has {self.autotest_delimiter} lines, and nobody says what they test: put nbgrader's "
                    f"{self.autotest_filename} into the course's folder, or beside the notebook"
                )
            try:
                nb, resources = super().preprocess(nb, resources)
            except (KeyError, TypeError, AttributeError) as error:
                # nbgrader stumbles when it tells what is wrong with the YAML
                cause = error.__context__ or error
                raise CourseError(
                    f"{notebook}: its {self.autotest_delimiter} lines cannot be made tests of by "
                    f"{self.autotest_filename} ({type(cause).__name__}: {short(str(cause), 150)}): it needs an entry "
                    "for the notebook's kernel, such as python3, and in it what nbgrader's user guide lists"
                ) from None
            self.kept[known] = [cell.source for cell in nb.cells]
        for cell, source in zip(nb.cells, self.kept[known], strict=True):
            cell.source = source
        return nb, resources


class AddLesson(NbGraderPreprocessor):
    """Put the package that students import beside their notebook, so that the release works in any folder."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        package = Path(chainrule.__file__).parent
        folders = [package / part for part in ("lesson", "datasets", "handin")]
        files = [package / "__init__.py", package / "errors.py", package / "on_demand.py"]
        framework = source_notebook(nb, resources["nbgrader"]["notebook"]).get("framework", PYTORCH)
        files += [package / "lesson" / "verbs" / name for name in ("__init__.py", f"{framework}.py")]
        files += [path for folder in folders for path in sorted(folder.glob("*.py"))]
        for path in files:
            # nbconvert's FilesWriter writes resources["outputs"] beside the notebook
            resources.setdefault("outputs", {})[str(path.relative_to(package.parent))] = path.read_bytes()
        return nb, resources


class AddHandIn(NbGraderPreprocessor):
    """Add a last cell that packs the hand-in, and a file beside the notebook with what the handout asks for.

    This is done for assignments in `c.Course.handin`. The cell has a tag that makes nbclient skip it, so it is not run
    in grading. Above it stands the course's rule on generative AI, if `c.Course.generative_ai` has one.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        assignment = resources["nbgrader"]["assignment"]
        added = self.cells(assignment)
        nb.cells += added
        if Course(parent=self).handin.get(assignment):
            resources.setdefault("outputs", {})[SPEC_FILE] = self._spec(assignment).to_json().encode()
        return nb, resources

    def cells(self, assignment: str) -> list[NotebookNode]:
        """The cells to add to a notebook; empty if the course says neither what to hand in nor a rule on AI.

        Raises:
            CourseError: the course asks for a file that cannot be made.
        """
        course = Course(parent=self)
        patterns = [FilePattern.parse(text) for text in course.handin.get(assignment, [])]
        alone = len(self._sources(assignment)) == 1
        for pattern in patterns:
            if unknown := re.findall(r"\{(?!last\}|first\})[^}]*\}?", pattern.name):
                raise CourseError(
                    f"c.Course.handin[{assignment!r}] in {CONFIG}: {pattern.name} has {unknown[0]!r}; "
                    "only {last} and {first} are replaced by a student's names"
                )
            if not pattern.can_be_packed or not (pattern.inside or pattern.suffix == ".pdf" or alone):
                raise CourseError(
                    f"c.Course.handin[{assignment!r}] in {CONFIG}: {pattern.name} cannot be made: write 'NAME.pdf', "
                    "'NAME.zip/*.py', 'NAME.zip/*.ipynb' or, if there is one notebook, 'NAME.ipynb'"
                )
        names = [pattern.file_name(EXAMPLE, assignment) for pattern in patterns]
        rule = course.generative_ai.get(assignment, "").strip()
        told = (
            [new_markdown_cell(f"**Generative AI.** {rule}", id="generative-ai", metadata=GIVEN)]
            if rule
            else []
        )
        return told + (packing_cells(names, course.alternatives_of(assignment), alone=alone) if names else [])

    def _sources(self, assignment: str) -> list[Path]:
        directory = CourseDirectory(parent=self)
        source = directory.format_path(directory.source_directory, ".", assignment)
        return sorted(Path(directory.root, source).glob("*.ipynb"))

    def _spec(self, assignment: str) -> HandInSpec:
        notebooks = {path.name: as_released(read_source(path), self) for path in self._sources(assignment)}
        stubs: list[str] = []
        for nb in notebooks.values():
            step = ClearSolutions(parent=self)
            step.choose_stub(nb)
            stubs += [step.code_stub["python"], step.text_stub]
        return HandInSpec(
            assignment=assignment,
            files=Course(parent=self).handin[assignment],
            notebooks={name: answer_ids(nb) for name, nb in notebooks.items()},
            beside=dict(chain.from_iterable(declared(nb, name).items() for name, nb in notebooks.items())),
            needs={name: [*declared(nb, name)] for name, nb in notebooks.items()},
            alternatives=[
                [f"{name}.ipynb" for name in group if f"{name}.ipynb" in notebooks]
                for group in Course(parent=self).alternatives_of(assignment)
            ],
            stubs=[*dict.fromkeys(stubs)],
            mebibytes={".ipynb": MAX_BYTES >> 20, ".pdf": PDF_MIB, ".py": OTHER_MIB},
            places={grade_id: place for nb in notebooks.values() for grade_id, place in places_by_id(nb)},
            checked={name: checked_ids(nb) for name, nb in notebooks.items()},
            locked={name: locked_ids(nb) for name, nb in notebooks.items()},
            defaults={name: defaults_given(nb, self) for name, nb in notebooks.items()},
            defines={name: dict(names_defined(nb)) for name, nb in notebooks.items()},
        )


EXAMPLE = StudentName("Lastname", "Firstname", "0")
GIVEN = {"deletable": False, "editable": False, "tags": [HAND_IN_TAG]}  # metadata of an added text

PROGRESS = """
from chainrule.lesson import progress

progress()  # run it whenever you want to know what is still open
"""
PACKING = """
from chainrule.handin import hand_in

hand_in()  # asks for your name and student number the first time
"""


def packing_cells(names: list[str], alternatives: Alternatives = (), *, alone: bool) -> list[NotebookNode]:
    """A text cell with instructions, and the code cell that packs the hand-in.

    Args:
        names: of the files that are made.
        alternatives: notebooks of which one is handed in.
        alone: whether the notebook is the assignment's only one.
    """
    these = (
        f"{', '.join(f'`{name}`' for name in names[:-1])} and `{names[-1]}`" if names[1:] else f"`{names[0]}`"
    )
    run = "runs this notebook" if alone else "runs the notebooks of all problems, one after the other,"
    text = (
        f"## Hand in\n\nSave the notebook (Ctrl+S), then run the cell below. It {run} from top to bottom in a fresh "
        "kernel, says what is still missing, and writes\n"
        f"{these} with your name into the folder `hand-in/`. Nothing is sent: upload these files yourself."
    )
    for group in alternatives:
        text += f"\n\nOf {' and '.join(f'`{name}`' for name in group)} hand in one. One without an answer is left out."
    code_metadata = {"deletable": False, "tags": [HAND_IN_TAG, "skip-execution"]}
    return [
        new_markdown_cell("## Where you stand", id="progress-intro", metadata=GIVEN),
        new_code_cell(PROGRESS.strip(), id="progress", metadata=code_metadata),
        new_markdown_cell(text, id="hand-in-intro", metadata=GIVEN),
        new_code_cell(PACKING.strip(), id="hand-in", metadata=code_metadata),
    ]


def answer_ids(nb: NotebookNode) -> list[str]:
    """The grade_ids of the cells that students write in."""
    about = [cell.metadata.get("nbgrader", {}) for cell in nb.cells]
    return [cell["grade_id"] for cell in about if cell.get("solution")]


def places_by_id(nb: NotebookNode) -> Iterator[tuple[str, list[str]]]:
    """The label and the heading of each cell that students write in or that has points, by grade_id."""
    for cell, place in zip(nb.cells, places(nb), strict=True):
        about = cell.metadata.get("nbgrader", {})
        if about.get("solution") or about.get("grade"):
            yield about["grade_id"], [place.label, place.heading]


def checked_ids(nb: NotebookNode) -> list[str]:
    """The grade_ids of the code cells that give points."""
    code = [cell.metadata.get("nbgrader", {}) for cell in nb.cells if cell.cell_type == "code"]
    return [about["grade_id"] for about in code if about.get("grade")]


def locked_ids(nb: NotebookNode) -> list[str]:
    """The grade_ids of the cells that students leave as they are."""
    about = [cell.metadata.get("nbgrader", {}) for cell in nb.cells]
    return [each["grade_id"] for each in about if each.get("locked") and not each.get("solution")]


def defaults_given(nb: NotebookNode, parent: NbGraderPreprocessor) -> dict[str, dict[str, str]]:
    """The default values of arguments that stand in what students are given to write in, by function."""
    given: dict[str, dict[str, str]] = {}
    for cell in nb.cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution"):
            stub, _ = ClearSolutions(parent=parent).preprocess_cell(deepcopy(cell), {"language": "python"}, 0)
            given |= default_values(stub.source)
    return given


def names_defined(nb: NotebookNode) -> Iterator[tuple[str, str]]:
    """Each name that the reference solution defines where students write, and the grade_id of its cell."""
    for cell in nb.cells:
        about = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and about.get("solution"):
            try:
                nodes = ast.parse(cell.source).body
            except SyntaxError:  # a cell with a line magic
                continue
            for node in nodes:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    yield node.name, about["grade_id"]
                elif isinstance(node, ast.Assign):
                    stored = (name for target in node.targets for name in ast.walk(target))
                    yield from ((name.id, about["grade_id"]) for name in stored if isinstance(name, ast.Name))


class FoldChecks(NbGraderPreprocessor):
    """Fold the code of cells with checks, so that students see what a check says and not how it is written; and given
    code that begins with a title of Colab's, "# @title".

    Jupyter reads `jupyter.source_hidden` and shows the first line, Colab reads `cellView` and shows the title, VS Code
    has `inputCollapsed`.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        for cell, place in zip(nb.cells, places(as_released(nb, self)), strict=True):
            about = cell.metadata.get("nbgrader", {})
            if cell.cell_type != "code" or about.get("solution"):
                continue
            if about.get("grade") or (about.get("locked") and cell.source.startswith(TITLE)):
                cell.metadata["jupyter"] = {**cell.metadata.get("jupyter", {}), "source_hidden": True}
                cell.metadata["cellView"] = "form"
                cell.metadata["inputCollapsed"] = True
                if not cell.source.startswith(("%", TITLE)):  # a cell magic has to be first
                    cell.source = f"{TITLE} Checks of {place.label or 'your answer'}: run me\n{cell.source}"
        return nb, resources


def as_released(nb: NotebookNode, parent: NbGraderPreprocessor) -> NotebookNode:
    """The notebook without what is for instructors, but with its solutions."""
    nb = deepcopy(nb)
    for step in (step(parent=parent) for step in REGIONS if step is not preprocessors.ClearSolutions):
        nb.cells = [step.preprocess_cell(cell, {"language": "python"}, 0)[0] for cell in nb.cells]
    return nb


class SaveDueDate(NbGraderPreprocessor):
    """Write the course's due date into the gradebook."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        assignment = resources["nbgrader"]["assignment"]
        due = Course(parent=self).due_date(assignment)
        if due is not None:
            with open_gradebook(resources["nbgrader"]["db_url"]) as gradebook:
                # the gradebook keeps UTC without a zone
                gradebook.update_or_create_assignment(assignment, duedate=due.replace(tzinfo=None))
        return nb, resources


class SaveRoster(NbGraderPreprocessor):
    """Write the names and email addresses of the course's roster into the gradebook, if there is a roster."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        path = Path(CourseDirectory(parent=self).root, Course(parent=self).roster)
        if path.exists():
            with open_gradebook(resources["nbgrader"]["db_url"]) as gradebook:
                save_people(gradebook, read_roster(path))
        return nb, resources


class Tidy(NbGraderPreprocessor):
    """Remove the empty lines left by removed regions, their pictures, and marks that are for instructors."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        cell.source = re.sub(r"\n{4,}", "\n\n\n", cell.source).rstrip()
        pictures = cell.get("attachments", {})
        for name in [
            name for name in pictures if name not in unquote(cell.source)
        ]:  # of an answer or a mark scheme
            del pictures[name]
        remove_marks(cell)
        return cell, resources
