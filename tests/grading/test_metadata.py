"""`metadata.chainrule`: an author's slip is one sentence at release and at grading; what grading wrote is read back."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from tiny_course import RIGHT, SQUARE, TINY, filled, submit, type_command

from chainrule.course import CourseError, CourseFolder
from chainrule.grading.classroom import grade
from chainrule.grading.store import load_notebook
from chainrule.intake.report import DownloadReport
from chainrule.metadata import graded_notebook, judged_cell, judged_record, source_cell, source_notebook
from chainrule.release.generate import generate
from chainrule.validation import RecordError, validated_json

CHECK = "square-check"
SLIPS: dict[str, tuple[str, Any, str]] = {
    "no mapping": (
        "",
        ["weights.txt"],
        "tiny.ipynb: .*: input should be a valid dictionary, not \\['weights.txt'\\]",
    ),
    "files in a list": (
        "",
        {"files": ["w.txt"]},
        "tiny.ipynb: .*: files: input should be a valid dictionary",
    ),
    "a limit in words": (
        "",
        {"files": {"w.txt": "20"}},
        "tiny.ipynb: .*: files.w.txt: .* valid integer, not '20'",
    ),
    "no room": ("", {"files": {"w.txt": 0}}, "tiny.ipynb: .*: files.w.txt: .* greater than 0, not 0"),
    "a number for a template": (
        CHECK,
        {"varies": {"x": 5}},
        f"tiny.ipynb, cell {CHECK}: .* varies.x: .* string, not 5",
    ),
    "templates in a list": (
        CHECK,
        {"varies": ["x"]},
        f"tiny.ipynb, cell {CHECK}: .*: varies: .* valid dictionary",
    ),
}


def write_slip(root: Path, cell: str, content: Any) -> None:
    """Put it into the metadata of a cell of the course's notebook, or of the notebook itself."""
    path = root / "source" / TINY / f"{TINY}.ipynb"
    nb = nbformat.read(path, as_version=4)
    changed = next((c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") == cell), nb)
    changed.metadata["chainrule"] = content
    nbformat.write(nb, path)


@pytest.mark.parametrize(("cell", "content", "said"), SLIPS.values(), ids=SLIPS.keys())
def test_an_authors_slip_is_one_sentence(course: Path, cell: str, content: Any, said: str) -> None:
    submit(course, "ann", filled(course, {SQUARE: RIGHT}))
    write_slip(course, cell, content)
    folder = CourseFolder(course)
    with pytest.raises(CourseError, match=said) as error:
        generate(folder, TINY)
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(CourseError, match=said):
        grade(folder, TINY, jobs=1, say=lambda line: None)


def test_the_command_line_says_it_in_one_line(course: Path) -> None:
    write_slip(course, CHECK, {"varies": {"x": 5}})
    (line,) = type_command(course, "chainrule", "release", TINY, code=2).strip().splitlines()
    assert f"{TINY}.ipynb, cell {CHECK}: metadata.chainrule" in line


def test_other_keys_are_the_authors_own() -> None:
    cell = new_code_cell("x = 1", metadata={"chainrule": {"varies": {"1": "@a@"}, "note": [1]}})
    nb = new_notebook(cells=[cell], metadata={"chainrule": {"note": 1}})
    assert source_cell(cell) == {"varies": {"1": "@a@"}}
    assert source_notebook(nb, "a.ipynb") == source_notebook(new_notebook(), "a.ipynb") == {}


# ---- what grading writes -----------------------------------------------------------------------------------

RECORD = {"grade_id": "q1", "points": 1, "score": 1.0, "checks": [{"name": "a", "points": 1, "passed": True}]}


def finished(about: dict[str, Any], record: dict[str, Any] = RECORD) -> NotebookNode:
    return new_notebook(
        cells=[new_code_cell("1", metadata={"chainrule": record})], metadata={"chainrule": about}
    )


def test_keys_of_earlier_versions_are_read() -> None:
    nb = finished({"dead": "the kernel died", "compute": 2, "seconds": 3.5})
    assert graded_notebook(nb) == {"failure": "the kernel died", "busy_seconds": 2.0, "seconds": 3.5}
    check = {"name": "a", "points": 1, "passed": False, "trouble": "Traceback"}
    old = judged_cell(finished({}, {**RECORD, "checks": [check]}).cells[0])
    assert old is not None
    assert old["checks"] == [{"name": "a", "points": 1.0, "passed": False, "internal_error": "Traceback"}]


@pytest.mark.parametrize(
    ("about", "record"),
    [({"depends": ["x"]}, RECORD), ({"seconds": "3"}, RECORD), ([], RECORD), ({}, {**RECORD, "checks": [1]})],
)
def test_a_damaged_run_is_none(tmp_path: Path, about: Any, record: dict[str, Any]) -> None:
    path = tmp_path / "run.ipynb"
    for content, is_read in (({"seconds": 1}, RECORD), True), ((about, record), False):
        path.write_text(json.dumps(finished(*content)))
        assert (load_notebook(path) is not None) == is_read


@pytest.mark.parametrize("record", [None, 1, [], {}, {**RECORD, "score": "1"}, {**RECORD, "grader_error": 1}])
def test_a_forged_verdict_is_refused(record: object) -> None:
    with pytest.raises(RecordError):
        judged_record(record)


def test_a_report_of_intake_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    report = DownloadReport("hw1", taken={"a/b": "submitted/ann/hw1/b"})
    report.write(path)
    assert validated_json(DownloadReport, path.read_bytes()) == report
    for damaged in ("", "[]", "{}", '{"assignment": "hw1", "taken": {"a": 1}}'):
        with pytest.raises(RecordError):
            validated_json(DownloadReport, damaged)
