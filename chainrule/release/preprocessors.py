"""What Chainrule adds to nbgrader's generate_assignment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

import chainrule
from chainrule.course import Course
from chainrule.release.numbers import unmark


class AddLesson(NbGraderPreprocessor):
    """Put the package students import beside their notebook, so that the release works wherever it is unzipped."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        package = Path(chainrule.__file__).parent
        files = [package / "__init__.py", *sorted((package / "lesson").glob("*.py"))]
        for path in files:
            # nbconvert's FilesWriter writes resources["outputs"] beside the notebook
            resources.setdefault("outputs", {})[str(path.relative_to(package.parent))] = path.read_bytes()
        return nb, resources


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
