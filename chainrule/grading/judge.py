"""From the outputs of a run to one verdict per graded cell.

A verdict is a `Result` that has been looked over, or a grader error: a score no check can give. A grader
error is no mark; it waits for a human and is reported.
"""

from __future__ import annotations

import math
from html import escape
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor

from chainrule.errors import ChainruleError
from chainrule.lesson.checks import RESULT_TYPE, CheckResult, Result

STOPPED = ("CellTimeoutError", "DeadKernelError", "NotRun", "KeyboardInterrupt")


class GraderError(ChainruleError, ValueError):
    """A graded cell whose outcome is no possible score."""


class Judge(NbGraderPreprocessor):
    """nbgrader preprocessor that replaces the outputs of each graded cell by its verdict.

    Afterwards the cell's only output is a number nbgrader reads, drawn as a table, and the record lies in
    `cell.metadata.chainrule`. What the cell wrote to stderr is gone: it costs nothing.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        nb.metadata.pop("widgets", None)  # their kernel is gone, and pages copy their state into a script
        for cell in nb.cells:
            if "outputs" in cell:
                cell.outputs = [writable(output) for output in cell.outputs]
        return super().preprocess(nb, resources)

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        if cell.cell_type != "code" or not utils.is_grade(cell) or utils.is_solution(cell):
            return cell, resources
        name, points = cell.metadata.nbgrader.grade_id, float(cell.metadata.nbgrader.points)
        try:
            result = verdict(name, points, cell.outputs, asserts="Item(" not in cell.source)
            record: dict[str, Any] = result.to_dict()
            drawn = result.table(due=True, graded=True)  # for whoever grades
        except GraderError as error:
            self.log.error("grader error in %s: %s", name, error)
            result = Result(name, points)
            record = {**result.to_dict(), "grader_error": str(error)}
            drawn = f"<p><b>{escape(name)}</b>: not graded yet, a person will look at it.</p>"
        cell.metadata["chainrule"] = record
        data = {"text/plain": repr(result), "text/html": drawn, RESULT_TYPE: record}
        cell.outputs = [new_output("execute_result", data, execution_count=cell.execution_count)]
        return cell, resources


def writable(tree: Any) -> Any:
    """An output without halves of characters: a kernel can send them, but no file can hold them."""
    if isinstance(tree, dict):
        return NotebookNode({writable(name): writable(node) for name, node in tree.items()})
    if isinstance(tree, list):
        return [writable(node) for node in tree]
    return tree.encode("utf-8", "replace").decode() if isinstance(tree, str) else tree


def verdict(name: str, points: float, outputs: list[NotebookNode], *, asserts: bool = True) -> Result:
    """The verdict on one graded cell.

    Args:
        name, points: the cell's grade_id and points as the instructor's notebook has them.
        outputs: what the cell put out.
        asserts: the cell consists of plain asserts: silence is success, an error is a wrong answer.
    Raises:
        GraderError: the outputs hold no possible score.
    """
    results = [output.data for output in outputs if output.output_type == "execute_result"]
    errors = [output for output in outputs if output.output_type == "error"]
    if errors:
        error = errors[-1]
        if error.ename in STOPPED:
            return whole(name, points, 0.0, error.evalue or "stopped at the time limit")
        if asserts:  # the message may be a hidden one's
            held = (
                "an assertion does not hold" if error.ename == "AssertionError" else f"raised {error.ename}"
            )
            return whole(name, points, 0.0, held)
        raise GraderError(f"the graded cell itself raised {error.ename}: {error.evalue}")
    if not results and not asserts:
        raise GraderError("the cell's checks gave no result")
    if not results:
        return whole(name, points, points, "")  # plain asserts, none of which failed
    if RESULT_TYPE in results[-1]:
        record = results[-1][RESULT_TYPE]
        if isinstance(record, dict) and "grader_error" in record:  # a kept result, judged before
            raise GraderError(str(record["grader_error"]))
        return possible(record, name, points)
    text = results[-1].get("text/plain", "")
    try:
        score = float(text)
    except (TypeError, ValueError):
        raise GraderError(f"the cell's value is {str(text)[:80]!r}, not a number") from None
    if not 0 <= score <= points:  # false for NaN too
        raise GraderError(f"a score of {score} out of {points:g}")
    return whole(name, points, score, "")


def possible(record: Any, name: str, points: float) -> Result:
    """A structured result, if it is one this cell can have."""
    try:
        result = Result.from_dict(record)
        shares = [float(check.points) for check in result.checks]
        claimed = float(record["score"])
    except (ValueError, TypeError, KeyError) as error:
        raise GraderError(f"a malformed result: {error}") from None
    if result.grade_id != name or result.points != points:
        raise GraderError(
            f"the cell says {result.grade_id}, {result.points:g} points; its metadata {name}, {points:g}"
        )
    if not all(math.isfinite(share) and share >= 0 for share in shares) or sum(shares) > points + 1e-9:
        raise GraderError(f"impossible shares {shares} of {points:g} points")
    if claimed != result.score:
        raise GraderError(f"a score of {claimed}, but its checks earned {result.score}")
    return result


def whole(name: str, points: float, score: float, message: str) -> Result:
    """A cell without named checks, or one that was stopped, as a result of one check (two if partly right)."""
    if score in (0.0, points):
        return Result(name, points, [CheckResult("all checks", points, score > 0, message=message)])
    return Result(
        name, points, [CheckResult("earned", score, True), CheckResult("not earned", points - score, False)]
    )
