"""Late penalties, as c.Course.late sets them, and decided ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from nbformat import NotebookNode
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import AssignLatePenalties
from traitlets import default

from chainrule.course import Course
from chainrule.gradebook import open_tables
from chainrule.students.lateness import apply_dates, settle


class LatePolicy(LateSubmissionPlugin):
    """nbgrader's plug-in for late submissions: takes the share of the score that the rule in `c.Course.late` says.

    An assignment that `c.Course.late` doesn't name follows nbgrader's `c.LateSubmissionPlugin.penalty_method`.
    """

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        """The points that are taken off; None for no penalty."""
        rule = Course(parent=self).late_rule(self.parent.assignment_id)
        if rule is None:
            penalty: float | None = super().late_submission_penalty(student_id, score, total_seconds_late)
            return penalty
        return rule.cost(timedelta(seconds=total_seconds_late)) * score or None


class LatePenalties(AssignLatePenalties):
    """nbgrader's step that records late penalties, by our policy, with extensions, grace days and decided penalties.

    A penalty by `c.Course.late` is a share of the notebook's maximum, so that points given later in formgrader are
    taken off, too.
    """

    @default("plugin_class")
    def _plugin_class(self) -> type[LatePolicy]:
        return LatePolicy

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        where = resources["nbgrader"]
        with open_tables(where["db_url"]) as connection:
            apply_dates(Course(parent=self), connection, where["student"])
            connection.commit()
        nb, resources = super().preprocess(nb, resources)
        with open_tables(where["db_url"]) as connection:
            fresh = (where["assignment"], where["notebook"])
            settle(Course(parent=self), connection, where["student"], fresh=fresh)
            connection.commit()
        return nb, resources
