"""What Chainrule adds to nbgrader's generate_feedback."""

from __future__ import annotations

from typing import Any

from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, NbGraderPreprocessor

from chainrule.course import Course
from chainrule.lesson.checks import RESULT_TYPE, Result


class Redact(NbGraderPreprocessor):
    """Show a student what is meant for students.

    Hidden checks and mark schemes are cut out, check results are drawn anew by their disclosure and the due
    date, and whatever a student's code put out is stripped of active content.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        due = Course(parent=self).is_due(resources["nbgrader"]["assignment"])
        for cell in nb.cells:
            if cell.metadata.get("nbgrader", {}).get("solution") or "nbgrader" not in cell.metadata:
                SanitizeHTML(parent=self).preprocess_cell(cell, resources, 0)
            elif cell.cell_type == "code" and RESULT_TYPE in _data(cell):
                cell.outputs = [_redrawn(cell, due)]
            elif cell.cell_type == "code":
                SanitizeHTML(parent=self).preprocess_cell(cell, resources, 0)
        for step in (ClearHiddenTests, ClearMarkScheme):
            nb, resources = step(parent=self).preprocess(nb, resources)
        for cell in nb.cells:
            if utils.is_grade(cell) and cell.cell_type == "code":
                cell.source = cell.source.rstrip()
        return nb, resources


def _data(cell: NotebookNode) -> dict[str, Any]:
    return cell.outputs[0].get("data", {}) if cell.outputs else {}


def _redrawn(cell: NotebookNode, due: bool) -> NotebookNode:
    record = _data(cell)[RESULT_TYPE]
    if "grader_error" in record:
        drawn = "<p>Not graded yet: a person will look at this item.</p>"
    else:
        drawn = Result.from_dict(record).table(due=due, graded=True)
    return new_output("execute_result", {"text/html": drawn}, execution_count=cell.execution_count)
