"""Answers to questions without points, which stand in the instructor's notebook below the question.

    Which of the two learns faster?

    ### BEGIN AFTER DUE
    The second one: its gradient is larger.
    ### END AFTER DUE

Releases don't have them. Students read them in their feedback once their due date is over.
"""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode


def without_region(source: str, begin: str, end: str) -> str:
    """The lines of a cell that are in none of its regions between two markers.

    >>> without_region("Why?\\n### BEGIN AFTER DUE\\nBecause.\\n### END AFTER DUE", "BEGIN AFTER DUE", "END AFTER DUE")
    'Why?'
    """
    lines, within = [], False
    for line in source.splitlines():
        within |= begin in line
        if not within:
            lines.append(line)
        within &= end not in line
    return "\n".join(lines)


class ClearAfterDue(NbGraderPreprocessor):
    """Cut out what students read after the due date only. It stands in read-only Markdown cells."""

    begin_after_due_delimeter = Unicode("BEGIN AFTER DUE", help="begins an answer").tag(config=True)
    end_after_due_delimeter = Unicode("END AFTER DUE", help="ends an answer").tag(config=True)

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        parts = self._parts(cell)
        if any(told for _, told in parts):
            cell.source = "\n".join(line for line, told in parts if not told)
        return cell, resources

    def disclose(self, cell: NotebookNode) -> None:
        """Leave the answers in a cell, under a heading of their own."""
        parts = self._parts(cell)
        if any(told for _, told in parts):
            cell.source = "\n".join(
                "\n**Answer.**\n" if told and self.begin_after_due_delimeter in line else line
                for line, told in parts
                if not (told and self.end_after_due_delimeter in line)
            )

    def _parts(self, cell: NotebookNode) -> list[tuple[str, bool]]:
        """The lines of a cell, and whether each belongs to an answer or marks one.

        Raises:
            RuntimeError: as other steps of nbgrader, for markers without partner or in the wrong cell.
        """
        parts, inside = [], False
        for line in cell.source.split("\n"):
            begins, ends = self.begin_after_due_delimeter in line, self.end_after_due_delimeter in line
            if begins and inside:
                raise RuntimeError("Encountered nested after due regions")
            inside = inside or begins
            parts.append((line, inside))
            inside = inside and not (ends and not begins)
        if inside:
            raise RuntimeError("No end after due region found")
        if any(told for _, told in parts) and not (cell.cell_type != "code" and utils.is_locked(cell)):
            raise RuntimeError(
                "After due region in a cell that is no read-only Markdown cell: move it to one."
            )
        return parts
