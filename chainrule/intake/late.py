"""Late penalties, as c.Course.late sets them."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import AssignLatePenalties
from traitlets import default

from chainrule.course import Course


class LatePolicy(LateSubmissionPlugin):
    """nbgrader's plug-in for late submissions: "zero" takes the whole score, "report" takes nothing.

    An assignment that `c.Course.late` doesn't name follows nbgrader's `c.LateSubmissionPlugin.penalty_method`.
    """

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        """The points that are taken off; None for no penalty."""
        policy = Course(parent=self).late.get(self.parent.assignment_id)
        if policy is None:
            penalty: float | None = super().late_submission_penalty(student_id, score, total_seconds_late)
            return penalty
        return score if policy == "zero" and total_seconds_late > 0 else None


class LatePenalties(AssignLatePenalties):
    """nbgrader's step that records late penalties, by our policy.

    The penalty of "zero" in `c.Course.late` is the notebook's maximum, so that points given later in formgrader are
    taken off, too.
    """

    @default("plugin_class")
    def _plugin_class(self) -> type[LatePolicy]:
        return LatePolicy

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        nb, resources = super().preprocess(nb, resources)
        if Course(parent=self).late.get(self.assignment_id) == "zero":
            with Gradebook(self.db_url) as gradebook:
                key = (self.assignment_id, self.student_id)
                notebook = gradebook.find_submission_notebook(self.notebook_id, *key)
                if gradebook.find_submission(*key).total_seconds_late > 0:
                    notebook.late_submission_penalty = notebook.max_score
                    gradebook.db.commit()
        return nb, resources
