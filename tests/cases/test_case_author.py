"""The inputs of author/, and others of their kind: what is wrong in a source notebook is said with cell and remedy."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Typed
from nbformat.v4 import new_code_cell, new_markdown_cell
from tiny_course import type_command

from chainrule.course import CONFIG, CourseError, CourseFolder
from chainrule.release.source import require_sound

CASES = Path(__file__).parent / "author"
CONFIGURATION = """
import chainrule.config

c = get_config()
c.merge(chainrule.config.pipelines())
"""

SAID = {
    "unmatched": [
        "cell a (number 1 from the top)",
        "no end solution statement",
        "write END SOLUTION where it ends",
    ],
    "dupids": [
        "cell t (number 4 from the top)",
        "the same grade_id as cell 3",
        "give one of them another name",
    ],
    "schema1": [
        "cell a (number 2 from the top)",
        "version 1, and version 3 is needed",
        "run `nbgrader update",
    ],
    "outside": [
        "cell 4 from the top",
        "Solution region detected in a non-solution cell",
        "cell r",
        "take BEGIN SOLUTION",
    ],
    "hidden": ["cell 4 from the top", "Hidden test region detected in a non-grade cell", "Mark the cell"],
    "names": ["cell t 1 / é (number 2", "does not match", "write letters, digits, _ and - only"],
    "strpoints": ["cell t2 (number 2", "is the text '2'", "write 2 without quotes"],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "course"
    (root / "source" / "x").mkdir(parents=True)
    (root / CONFIG).write_text(CONFIGURATION)
    return root


@pytest.mark.parametrize("case", SAID)
def test_what_is_wrong_has_its_cell_and_what_to_do(
    root: Path, chainrule: Callable[..., Typed], case: str
) -> None:
    """unmatched, dupids, schema1, outside, hidden, names, strpoints: at release, and before grading."""
    shutil.copy(CASES / f"{case}.ipynb", root / "source" / "x" / "x.ipynb")
    (root / "submitted" / "ann" / "x").mkdir(parents=True)
    shutil.copy(CASES / f"{case}.ipynb", root / "submitted" / "ann" / "x" / "x.ipynb")
    for command in ("release", "grade"):
        code, _, err = chainrule(command, "x", "--course", root)
        assert code == 2
        assert err.startswith("chainrule: x.ipynb, cell ")
        assert not [words for words in SAID[case] if words not in err]
        assert "Traceback" not in err
    assert not (root / "release").exists()


def test_stock_nbgrader_says_the_same(root: Path) -> None:
    shutil.copy(CASES / "hidden.ipynb", root / "source" / "x" / "x.ipynb")
    said = type_command(root, "nbgrader", "generate_assignment", "x", code=1)
    assert "x.ipynb, cell 4 from the top (begins with '### BEGIN HIDDEN TESTS')" in said


def cell(source: str, **marks: Any) -> Any:
    about = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3, **marks}
    kind = new_markdown_cell if marks.pop("text", False) else new_code_cell
    about.pop("text", None)
    return kind(source, metadata={"nbgrader": about} if marks else {})


TEST = {"grade": True, "locked": True, "grade_id": "t", "points": 1}
ANSWER = {"solution": True, "grade_id": "a"}
WRONG = {
    "points-negative": (cell("assert x", **TEST | {"points": -1}), "write a number that is 0 or more"),
    "points-missing": (
        cell("assert x", **{k: v for k, v in TEST.items() if k != "points"}),
        "does not have points",
    ),
    "points-nan": (cell("assert x", **TEST | {"points": float("nan")}), "write a number that is 0 or more"),
    "points-infinite": (
        cell("assert x", **TEST | {"points": float("inf")}),
        "write a number that is 0 or more",
    ),
    "id-missing": (cell("x = 1", solution=True), "does not have a grade_id"),
    "id-empty": (cell("x = 1", solution=True, grade_id=""), "grade_id is empty"),
    "text-graded": (cell("Why?", text=True, **TEST), "is not marked as a solution cell"),
    "version-new": (cell("x = 1", **ANSWER | {"schema_version": 9}), "install a newer nbgrader"),
    "version-text": (cell("x = 1", **ANSWER | {"schema_version": "3"}), "metadata is damaged"),
    "nested": (
        cell("### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION", **ANSWER),
        "nested begin solution",
    ),
    "end-alone": (cell("x = 1\n### END SOLUTION", **ANSWER), "END SOLUTION without BEGIN SOLUTION"),
    "tests-unmatched": (
        cell("### BEGIN HIDDEN TESTS\nassert x", **TEST),
        "write END HIDDEN TESTS where it ends",
    ),
    "tests-misspelt": (
        cell("### BEGIN HIDDEN TEST\nassert x\n### END HIDDEN TEST", **TEST),
        "not one of the markers",
    ),
    "scheme-unmatched": (
        cell("### BEGIN MARK SCHEME", text=True, locked=True, grade_id="m"),
        "write END MARK SCHEME",
    ),
    "chainrule": (new_code_cell("x", metadata={"chainrule": {"varies": 1}}), "metadata.chainrule"),
}


def write(root: Path, *cells: Any, **metadata: Any) -> None:
    nb = {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    (root / "source" / "x" / "x.ipynb").write_text(json.dumps(nb), encoding="utf-8")


@pytest.mark.parametrize("kind", WRONG)
def test_others_of_the_kind(root: Path, kind: str) -> None:
    wrong, reason = WRONG[kind]
    write(root, new_markdown_cell("# T"), wrong)
    with pytest.raises(CourseError, match=re.escape(reason)) as raised:
        require_sound(CourseFolder(root), "x")
    assert re.match(r"x\.ipynb, cell (\S+ \(number 2|2 from the top|\w)", str(raised.value))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"{", "it is not JSON, or was cut off"),
        (b"<<<<<<< HEAD\n{}", "it is not JSON, or was cut off"),
        (b"[]", "it has no cells"),
        (
            b'{"cells": 1, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
            "x/x.ipynb: not a readable notebook",
        ),
        (b'\xef\xbb\xbf{"cells": []}', "saved as UTF-8 with a byte-order mark: save it as UTF-8"),
        ('{"cells": []}'.encode("utf-16"), "saved as UTF-16"),
    ],
)
def test_a_file_that_is_no_notebook_is_named(root: Path, content: bytes, reason: str) -> None:
    (root / "source" / "x" / "x.ipynb").write_bytes(content)
    with pytest.raises(CourseError, match=re.escape(reason)) as raised:
        require_sound(CourseFolder(root), "x")
    assert str(raised.value).startswith("x/x.ipynb")


def test_a_language_without_a_stub_is_named(root: Path) -> None:
    write(
        root, cell("x = 1", **ANSWER), kernelspec={"language": "julia", "name": "j", "display_name": "Julia"}
    )
    with pytest.raises(CourseError, match=r"x\.ipynb: language 'julia' has not been specified"):
        require_sound(CourseFolder(root), "x")


def test_all_that_is_wrong_is_said_at_once(root: Path) -> None:
    write(root, WRONG["end-alone"][0], WRONG["points-negative"][0])
    with pytest.raises(CourseError) as raised:
        require_sound(CourseFolder(root), "x")
    assert len(str(raised.value).splitlines()) == 2


def test_nbformats_warnings_are_not_for_instructors(root: Path) -> None:
    """Cells without ids, and two with the same id."""
    cells = [cell("x = 1", **ANSWER), cell("assert x", **TEST), cell("y"), cell("z")]
    del cells[0]["id"]
    cells[3]["id"] = cells[2]["id"]
    write(root, *cells)
    said = type_command(root, "chainrule", "release", "x", "--unchecked")
    assert "Warning" not in said
    assert len(said.splitlines()) == 2
