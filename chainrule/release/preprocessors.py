"""What Chainrule adds to nbgrader's generate_assignment."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import ClearSolutions, NbGraderPreprocessor

import chainrule
from chainrule.course import CONFIG, Course, CourseError
from chainrule.handin.inspection import TAG
from chainrule.handin.names import Pattern, Student
from chainrule.handin.order import ORDER, Order
from chainrule.intake.files import declared
from chainrule.intake.notebook import MAX_BYTES, read
from chainrule.intake.wanted import OTHER_MIB, PDF_MIB
from chainrule.release.numbers import unmark


class AddLesson(NbGraderPreprocessor):
    """Put the package students import beside their notebook, so that the release works wherever it is unzipped."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        package = Path(chainrule.__file__).parent
        folders = [package / part for part in ("lesson", "datasets", "handin")]
        files = [package / "__init__.py", *(path for folder in folders for path in sorted(folder.glob("*.py")))]
        for path in files:
            # nbconvert's FilesWriter writes resources["outputs"] beside the notebook
            resources.setdefault("outputs", {})[str(path.relative_to(package.parent))] = path.read_bytes()
        return nb, resources


class AddHandIn(NbGraderPreprocessor):
    """Put a last cell into the notebook that packs the hand-in, and beside it what the handout asks for.

    Only in assignments that `c.Course.handin` has an entry for. The cell's tag makes nbclient skip it, so that
    it is not run in grading.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        assignment = resources["nbgrader"]["assignment"]
        added = self.cells(assignment)
        if added:
            nb.cells += added
            resources.setdefault("outputs", {})[ORDER] = self._order(assignment).text().encode()
        return nb, resources

    def cells(self, assignment: str) -> list[NotebookNode]:
        """What is put behind a notebook's own cells; nothing if the course doesn't say what is to be handed in.

        Raises:
            CourseError: it asks for something that cannot be made.
        """
        patterns = [Pattern.of(text) for text in Course(parent=self).handin.get(assignment, [])]
        alone = len(self._sources(assignment)) == 1
        for pattern in patterns:
            if not pattern.usable or not (pattern.inside or pattern.kind == ".pdf" or alone):
                raise CourseError(
                    f"c.Course.handin[{assignment!r}] in {CONFIG}: {pattern.name} cannot be made: write 'NAME.pdf', "
                    "'NAME.zip/*.py', 'NAME.zip/*.ipynb' or, if there is one notebook, 'NAME.ipynb'"
                )
        names = [pattern.named(EXAMPLE, assignment) for pattern in patterns]
        return packing_cells(names, alone=alone) if names else []

    def _sources(self, assignment: str) -> list[Path]:
        directory = CourseDirectory(parent=self)
        source = directory.format_path(directory.source_directory, ".", assignment)
        return sorted(Path(directory.root, source).glob("*.ipynb"))

    def _order(self, assignment: str) -> Order:
        notebooks = {path.name: read(path) for path in self._sources(assignment)}
        stubs = ClearSolutions(parent=self)
        return Order(
            assignment=assignment,
            files=Course(parent=self).handin[assignment],
            notebooks={name: answers(nb) for name, nb in notebooks.items()},
            beside=dict(chain.from_iterable(declared(nb).items() for nb in notebooks.values())),
            stubs=[stubs.code_stub["python"], stubs.text_stub],
            mebibytes={".ipynb": MAX_BYTES >> 20, ".pdf": PDF_MIB, ".py": OTHER_MIB},
        )


EXAMPLE = Student("Lastname", "Firstname", "0")

PACKING = """
from chainrule.handin import hand_in

hand_in()  # asks for your name and student number the first time
"""


def packing_cells(names: list[str], *, alone: bool) -> list[NotebookNode]:
    """The cells that pack the hand-in, and say so.

    Args:
        names: of the files that are made.
        alone: whether the notebook is the assignment's only one.
    """
    these = f"{', '.join(f'`{name}`' for name in names[:-1])} and `{names[-1]}`" if names[1:] else f"`{names[0]}`"
    run = "runs this notebook" if alone else "runs the notebooks of all problems, one after the other,"
    text = (
        f"## Hand in\n\nSave the notebook (Ctrl+S), then run the cell below. It {run} from top to bottom in a fresh "
        "kernel, says what is still missing, and writes\n"
        f"{these} with your name into the folder `hand-in/`. Nothing is sent: upload these files yourself."
    )
    told = {"deletable": False, "editable": False, "tags": [TAG]}
    code = {"deletable": False, "tags": [TAG, "skip-execution"]}
    return [
        new_markdown_cell(text, id="hand-in-intro", metadata=told),
        new_code_cell(PACKING.strip(), id="hand-in", metadata=code),
    ]


def answers(nb: NotebookNode) -> list[str]:
    """The grade_ids of the cells that students write in."""
    about = [cell.metadata.get("nbgrader", {}) for cell in nb.cells]
    return [cell["grade_id"] for cell in about if cell.get("solution")]


class SaveDueDate(NbGraderPreprocessor):
    """Write the course's due date into the gradebook."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        assignment = resources["nbgrader"]["assignment"]
        due = Course(parent=self).due_date(assignment)
        if due is not None:
            with Gradebook(resources["nbgrader"]["db_url"]) as gradebook:
                # the gradebook keeps UTC without a zone
                gradebook.update_or_create_assignment(assignment, duedate=due.replace(tzinfo=None))
        return nb, resources


class Tidy(NbGraderPreprocessor):
    """Close the gaps that removed regions leave, and drop marks that are for instructors."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        cell.source = re.sub(r"\n{4,}", "\n\n\n", cell.source).rstrip()
        unmark(cell)
        return cell, resources
