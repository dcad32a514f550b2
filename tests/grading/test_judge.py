"""A verdict is a possible score or a grader error that waits for a person; never marks by accident."""

import copy
import math
from typing import Any

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from tiny_course import marked

from chainrule.grading.judge import GraderError, Judge, verdict
from chainrule.lesson.results import RESULT_TYPE, CheckResult, Result
from chainrule.metadata import JudgedCell, judged_cell

CHECKS = [CheckResult("a", 0.5, True), CheckResult("b", 1.0, True), CheckResult("c", 0.5, False)]
GOOD = Result("q1", 2, CHECKS).to_dict()


def value(text: Any) -> NotebookNode:
    """The output of a cell whose value this is."""
    return new_output("execute_result", {"text/plain": text})


def result(record: Any) -> NotebookNode:
    """The output of an item with this record."""
    return new_output("execute_result", {"text/plain": "1.5", "text/html": "", RESULT_TYPE: record})


def error(name: str, message: str = "") -> NotebookNode:
    return new_output("error", ename=name, evalue=message, traceback=[])


def stderr(text: str) -> NotebookNode:
    return new_output("stream", name="stderr", text=text)


def test_the_checks_make_the_score() -> None:
    found = verdict("q1", 2, [result(GOOD)], asserts=False)
    assert found.score == 1.5
    assert found.checks == CHECKS


@pytest.mark.parametrize("text", ["0.0", "1.5", "2", "2.0", " 1 "])
def test_a_plain_number_is_partial_credit(text: str) -> None:
    assert verdict("q1", 2, [value(text)]).score == float(text)


@pytest.mark.parametrize(
    "text", ["nan", "-0.5", "2.1", "1e9", "inf", "-inf", "full marks", "None", "", ["1.5"]]
)
def test_an_impossible_score_is_a_grader_error(text: Any) -> None:
    with pytest.raises(GraderError):
        verdict("q1", 2, [value(text)])


def test_plain_asserts_that_hold_earn_everything() -> None:
    assert verdict("q1", 2, []).score == 2
    assert verdict("q1", 2, [new_output("stream", name="stdout", text="ok")]).score == 2


def test_an_item_that_says_nothing_earns_nothing() -> None:
    with pytest.raises(GraderError, match="no result"):
        verdict("q1", 2, [], asserts=False)


def test_stderr_costs_nothing() -> None:
    assert verdict("q1", 2, [stderr("UserWarning: careful"), result(GOOD), stderr("more")]).score == 1.5
    assert verdict("q1", 2, [stderr("UserWarning: careful")]).score == 2


def test_of_several_results_the_last_counts() -> None:
    zero = Result("q1", 2, [CheckResult("a", 2, False)]).to_dict()
    assert verdict("q1", 2, [result(GOOD), result(zero)]).score == 0
    assert verdict("q1", 2, [value("2.0"), result(GOOD)]).score == 1.5


@pytest.mark.parametrize("name", ["CellTimeoutError", "DeadKernelError", "NotRun", "KeyboardInterrupt"])
def test_a_stopped_cell_earns_nothing(name: str) -> None:
    found = verdict("q1", 2, [result(GOOD), error(name, "stopped after 5 seconds")])
    assert found.score == 0
    assert "stopped after 5 seconds" in found.table(graded=True)
    assert verdict("q1", 2, [error(name)]).checks[0].message


def test_an_error_of_the_graded_cell_itself_is_a_grader_error() -> None:
    outputs = [result(GOOD), error("NameError", "name 'Item' is not defined")]
    with pytest.raises(GraderError, match="raised NameError: name 'Item' is not defined"):
        verdict("q1", 2, outputs, asserts=False)


@pytest.mark.parametrize("name", ["AssertionError", "NameError", "TypeError"])
def test_a_plain_assert_that_fails_earns_nothing_and_keeps_its_message(name: str) -> None:
    found = verdict("q1", 2, [error(name, "the hidden value is 42")])
    assert found.score == 0
    assert "42" not in found.table(graded=True)


def changed(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(GOOD), **changes}


def share(points: Any) -> dict[str, Any]:
    """A record with one check of this share."""
    check = {**GOOD["checks"][0], "points": points}
    return changed(checks=[check], score=points)


TAMPERED: dict[str, Any] = {
    "another item": changed(grade_id="q2"),
    "other points": changed(points=100.0),
    "points that are NaN": changed(points=math.nan),
    "a score of its own": changed(score=2.0),
    "a score that is NaN": changed(score=math.nan),
    "a score in words": changed(score="full"),
    "no score": {key: GOOD[key] for key in ("grade_id", "points", "checks")},
    "no checks": {key: GOOD[key] for key in ("grade_id", "points", "score")},
    "checks of another kind": changed(checks=[{"name": "a", "score": 2}]),
    "checks in words": changed(checks="all passed"),
    "passed in words": changed(checks=[{**GOOD["checks"][0], "passed": "no"}], score=0.5),
    "a share in words": share("0.5"),
    "an infinite share": share(math.inf),
    "a share that is NaN": share(math.nan),
    "a negative share": changed(checks=[*GOOD["checks"], {**GOOD["checks"][0], "points": -1.0}], score=0.5),
    "shares over the points": changed(checks=GOOD["checks"] * 2, score=3.0),
    "a name that is none": changed(checks=[{**GOOD["checks"][0], "name": None}], score=0.5),
    "a list": [GOOD],
    "nothing": None,
    "a word": "2.0",
}


@pytest.mark.parametrize("record", TAMPERED.values(), ids=TAMPERED.keys())
def test_a_tampered_result_is_a_grader_error(record: Any) -> None:
    with pytest.raises(GraderError):
        verdict("q1", 2, [result(record)])


@pytest.mark.parametrize(
    "outputs", [[value("nan")], [result(TAMPERED["a list"])], [error("TypeError", "<b>")], []]
)
def test_a_judged_cell_always_has_one_harmless_number(outputs: list[NotebookNode]) -> None:
    cell = marked(new_code_cell("item = Item('q1', 2)\nitem.score()", outputs=outputs), "q1", 2)
    cell, _ = Judge().preprocess_cell(cell, {}, 0)
    (output,) = cell.outputs
    assert output.data["text/plain"] == "0.0"
    assert "a person will look at it" in output.data["text/html"]
    found = cell.metadata.chainrule["grader_error"]
    cell.metadata.pop("chainrule")
    assert Judge().preprocess_cell(cell, {}, 0)[0].metadata.chainrule["grader_error"] == found  # once more


def test_only_graded_code_is_judged() -> None:
    noise = [stderr("noise"), value("7")]
    answer = marked(new_code_cell("x", outputs=list(noise)), "a1", 2, solution=True)
    locked = marked(new_code_cell("x", outputs=list(noise)), "l1")
    for cell in (answer, locked, new_code_cell("x", outputs=list(noise))):
        assert Judge().preprocess_cell(cell, {}, 0)[0].outputs == noise
    graded = marked(new_code_cell("assert True", outputs=noise), "q1", 2)
    with pytest.raises(KeyError):
        _ = graded.metadata["chainrule"]


def test_what_no_file_can_hold_does_not_leave() -> None:
    """A kernel can send halves of characters, and the state of widgets that ends the script it is written into."""
    data = {"text/plain": "a \ud800", "application/json": {"\udc00": ["\ud800", 5, None]}}
    cell = new_code_cell("", outputs=[new_output("display_data", data), error("E\ud800")])
    nb = NotebookNode(cells=[cell], metadata=NotebookNode(widgets={"state": "</script>"}))
    judged, _ = Judge().preprocess(nb, {})
    assert str(judged.cells[0].outputs).encode()
    assert judged.cells[0].outputs[0].data["application/json"] == {"?": ["?", 5, None]}
    assert "widgets" not in judged.metadata


def test_a_package_that_the_cell_imports_and_that_is_missing_is_no_fault_of_the_students() -> None:
    missing = new_output(
        "error", ename="ModuleNotFoundError", evalue="No module named 'sklearn'", traceback=[]
    )
    with pytest.raises(
        GraderError, match="it imports sklearn, which is not installed where notebooks run: install"
    ):
        verdict("t", 2, [missing], imports={"sklearn.svm", "sklearn.svm.SVC"})
    result = verdict("t", 2, [missing], imports={"numpy"})  # the student's own import
    assert (result.score, result.checks[0].message) == (0, "raised ModuleNotFoundError")


def test_a_package_that_a_locked_cell_imports_and_that_is_missing_costs_nobody_points() -> None:
    """Below it; what is right in spite of it counts. A cell that students may edit is their own."""
    lacks = error("ModuleNotFoundError", "No module named 'scipy'")
    fails = error("NameError", "name 'qr' is not defined")

    def judged(**marks: bool) -> list[JudgedCell]:
        cells = [
            marked(new_code_cell("assert f", outputs=[fails], execution_count=1), "above", 1),
            marked(
                new_code_cell("%matplotlib inline\nfrom scipy.linalg import qr", outputs=[lacks]),
                "uses",
                **marks,
            ),
            marked(new_code_cell("assert qr", outputs=[fails], execution_count=3), "wrong", 2),
            marked(new_code_cell("assert f", execution_count=4), "right", 2),
        ]
        nb, _ = Judge().preprocess(NotebookNode(cells=cells, metadata=NotebookNode()), {})
        return [record for cell in nb.cells if (record := judged_cell(cell))]

    above, wrong, right = judged()
    assert "grader_error" not in above
    assert wrong["grader_error"].startswith("uses above imports scipy, which is not installed")
    assert right["score"] == 2
    assert all("grader_error" not in record for record in judged(solution=True))
