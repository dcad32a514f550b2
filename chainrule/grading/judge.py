"""From the outputs of a run to one verdict for each graded cell.

A verdict is a `Result` that has been checked, or a grader error: a score that no check can give. A grader error is
not a mark. It is reported, and a person has to look at it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from html import escape
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor

from chainrule.course import Course
from chainrule.errors import ChainruleError
from chainrule.lesson.results import RESULT_TYPE, CheckResult, Result, counted
from chainrule.metadata import judged_record, result_of
from chainrule.modules import imports_in, uses_judging
from chainrule.validation import RecordError

MISSING = re.compile(r"No module named '([\w.]+)'")
NOT_INSTALLED = "{who} imports {what}, which is not installed where notebooks run: install it and grade again"
STOPPED = ("CellTimeoutError", "DeadKernelError", "NotRun", "KeyboardInterrupt", "RefereeLimit")


class GraderError(ChainruleError, ValueError):
    """The outputs of a graded cell hold no possible score."""


class Judge(NbGraderPreprocessor):
    """nbgrader preprocessor that replaces the outputs of each graded cell by its verdict.

    Afterwards the cell has one output, a number for nbgrader that is displayed as a table, and the record is in
    `cell.metadata.chainrule`. Output to stderr is removed, so that it costs no points.

    What a locked cell imports and is not installed costs no points, either, in any cell below it.
    """

    lacking = ""  # why cells below a locked one cannot be judged

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        nb.metadata.pop(
            "widgets", None
        )  # they are useless without their kernel, and pages would copy their state into a script
        for cell in nb.cells:
            if "outputs" in cell:
                cell.outputs = [clean_output(output) for output in cell.outputs]
        self.lacking = ""
        nb, resources = super().preprocess(nb, resources)
        return nb, resources

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        if cell.cell_type != "code" or not utils.is_grade(cell) or utils.is_solution(cell):
            if cell.cell_type == "code" and utils.is_locked(cell):
                errors = [output for output in cell.outputs if output.output_type == "error"]
                if lacks := missing(errors, imports_in(cell.source, "", "")):
                    self.lacking = NOT_INSTALLED.format(
                        who=f"{cell.metadata.nbgrader.grade_id} above", what=lacks
                    )
            return cell, resources
        name, points = cell.metadata.nbgrader.grade_id, float(cell.metadata.nbgrader.points)
        try:
            asserts = "Item(" not in cell.source and not uses_judging(
                cell.source, Course(parent=self).judging
            )
            if not cell.outputs and cell.get("execution_count") is None and cell.source.strip():
                raise GraderError("the cell was not run")  # it must not count as passed
            result = verdict(
                name, points, cell.outputs, asserts=asserts, imports=imports_in(cell.source, "", "")
            )
            if self.lacking and result.score < points:
                raise GraderError(self.lacking)
            record: dict[str, Any] = result.to_dict()
            html = result.table(due=True, graded=True)  # for people who grade
        except GraderError as error:
            self.log.error("grader error in %s: %s", name, error)
            result = Result(name, points)
            record = {**result.to_dict(), "grader_error": str(error)}
            html = f"<p><b>{escape(name)}</b>: not graded yet, a person will look at it.</p>"
        cell.metadata["chainrule"] = record
        data = {"text/plain": repr(result), "text/html": html, RESULT_TYPE: record}
        cell.outputs = [new_output("execute_result", data, execution_count=cell.execution_count)]
        return cell, resources


def clean_output(tree: Any) -> Any:
    """An output without lone surrogates: a kernel can send them, but they can't be encoded as UTF-8."""
    if isinstance(tree, dict):
        return NotebookNode({clean_output(name): clean_output(node) for name, node in tree.items()})
    if isinstance(tree, list):
        return [clean_output(node) for node in tree]
    return tree.encode("utf-8", "replace").decode() if isinstance(tree, str) else tree


def verdict(
    name: str,
    points: float,
    outputs: list[NotebookNode],
    *,
    asserts: bool = True,
    imports: Iterable[str] = (),
) -> Result:
    """The verdict on one graded cell.

    Args:
        name, points: the cell's grade_id and points in the instructor's notebook.
        outputs: the cell's outputs.
        asserts: whether the cell consists of plain asserts. Then no output means that all hold, and an error is a
            wrong answer.
        imports: what the cell imports; it is not the student's fault if that is not installed.
    Raises:
        GraderError: the outputs hold no possible score.
    """
    results = [output.data for output in outputs if output.output_type == "execute_result"]
    errors = [output for output in outputs if output.output_type == "error"]
    if errors:
        error = errors[-1]
        if error.ename in STOPPED:
            return single_check(name, points, 0.0, error.evalue or "stopped at the time limit")
        if lacks := missing(errors, imports):
            raise GraderError(NOT_INSTALLED.format(who="it", what=lacks))
        if asserts:  # without its message, which may belong to a hidden check
            reason = (
                "an assertion does not hold" if error.ename == "AssertionError" else f"raised {error.ename}"
            )
            return single_check(name, points, 0.0, reason)
        raise GraderError(f"the graded cell itself raised {error.ename}: {error.evalue}")
    if not results and not asserts:
        raise GraderError("the cell's checks gave no result")
    if not results:
        return single_check(name, points, points, "")  # plain asserts, none of which failed
    if RESULT_TYPE in results[-1]:
        return checked_record(results[-1][RESULT_TYPE], name, points)
    text = results[-1].get("text/plain", "")
    try:
        score = float(text)
    except (TypeError, ValueError):
        raise GraderError(f"the cell's value is {str(text)[:80]!r}, not a number") from None
    if not 0 <= score <= points:  # false for NaN too
        raise GraderError(f"a score of {score} out of {points:g}")
    return single_check(name, points, score, "")


def missing(errors: list[NotebookNode], imports: Iterable[str]) -> str:
    """The package that a cell imports itself and for which it stopped; empty if it did not, or for another."""
    error = errors[-1] if errors else None
    lacks = MISSING.match(error.evalue or "") if error and error.ename == "ModuleNotFoundError" else None
    # `from scipy.linalg import qr` fails for scipy
    return lacks[1] if lacks and any(f"{name}.".startswith(f"{lacks[1]}.") for name in imports) else ""


def checked_record(record: Any, name: str, points: float) -> Result:
    """The result that a record describes, if this cell can have it.

    Raises:
        GraderError: it can't.
    """
    try:
        known = judged_record(record)
    except RecordError as error:
        raise GraderError(f"a malformed result: {error}") from None
    if "grader_error" in known:  # the result of a kept run, judged before
        raise GraderError(known["grader_error"])
    result, claimed = result_of(known), known["score"]
    shares = [check.points for check in result.checks]
    if result.grade_id != name or result.points != points:
        raise GraderError(
            f"the cell says {result.grade_id}, {counted(result.points)}; its metadata {name}, {points:g}"
        )
    if not all(math.isfinite(share) and share >= 0 for share in shares) or sum(shares) > points + 1e-9:
        raise GraderError(f"impossible shares {shares} of {counted(points)}")
    if claimed != result.score:
        raise GraderError(f"a score of {claimed}, but its checks earned {result.score}")
    return result


def single_check(name: str, points: float, score: float, message: str) -> Result:
    """The result of a cell without named checks, or one that was stopped: one check, or two if it is partly right."""
    if score in (0.0, points):
        return Result(name, points, [CheckResult("all checks", points, score > 0, message=message)])
    return Result(
        name, points, [CheckResult("earned", score, True), CheckResult("not earned", points - score, False)]
    )
