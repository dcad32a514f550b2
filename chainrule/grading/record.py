"""From verdicts to the gradebook. nbgrader writes the scores; grader errors are marked for a human."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor


class FlagGraderErrors(NbGraderPreprocessor):
    """nbgrader preprocessor, after SaveAutoGrades: a graded cell with a grader error waits for a human."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        where = resources["nbgrader"]
        broken = [cell for cell in nb.cells if "grader_error" in cell.metadata.get("chainrule", {})]
        if broken:
            with Gradebook(where["db_url"]) as gradebook:
                for cell in broken:
                    grade = gradebook.find_grade(
                        cell.metadata.nbgrader.grade_id,
                        where["notebook"],
                        where["assignment"],
                        where["student"],
                    )
                    grade.needs_manual_grade = True
                gradebook.db.commit()
        return nb, resources
