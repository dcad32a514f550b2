"""Problem 6.2 in its two frameworks: what is the same in both notebooks is said in the same words."""

from __future__ import annotations

from pathlib import Path

import nbformat
from course_modules import HW2, PYTORCHS, ROOT

from chainrule.authoring.rehearse import code_cells, rehearse

NOTEBOOKS = {
    name: ROOT / "source" / "csc6022-hw2" / f"p6_2_cnn_{name}.ipynb" for name in ("pytorch", "tensorflow")
}
SAME = [
    *("look", "b-init-intro", "c-run-intro", "c-look-intro", "c-maps-intro", "d-run-intro", "d-curves"),
    *("e-run-intro", "e-look-intro", "e-curves", "e-confusion-intro", "e-saliency-intro"),
    *("e-written-intro", "e-written"),
]


def sources(name: str) -> dict[str, str]:
    """The cells' sources by what follows 6_2 in their grade_ids, in order."""
    cells = nbformat.read(NOTEBOOKS[name], as_version=4).cells
    known = [cell for cell in cells if "nbgrader" in cell.metadata]
    return {cell.metadata.nbgrader.grade_id[4:].lstrip("-"): cell.source for cell in known}


def points(name: str) -> dict[str, float]:
    marks = [cell.metadata.get("nbgrader", {}) for cell in nbformat.read(NOTEBOOKS[name], as_version=4).cells]
    return {mark["grade_id"][1:]: mark["points"] for mark in marks if mark.get("grade")}


def test_the_parts_and_their_points_are_the_same() -> None:
    assert points("pytorch") == points("tensorflow")
    assert sum(points("tensorflow").values()) == 30
    assert list(sources("pytorch")) == list(sources("tensorflow"))


def test_what_names_no_framework_is_said_in_the_same_words() -> None:
    one, other = sources("pytorch"), sources("tensorflow")
    assert {name: one[name].replace("p6_2", "t6_2") for name in SAME} == {name: other[name] for name in SAME}


def test_no_check_of_the_one_in_tensorflow_speaks_of_pytorch(classroom: Path) -> None:
    cells = {
        name: source for name, source in code_cells(NOTEBOOKS["tensorflow"]).items() if "Item(" in source
    }
    results = rehearse(HW2, cells, (), list(cells), classroom, visible_checks=True)
    said = [text for one in results.values() for check in one.checks for text in (check.name, check.hint)]
    assert len(said) > 100
    assert [text for text in said if PYTORCHS.search(text)] == []
