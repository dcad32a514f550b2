"""Rows of files/ in README.md: a notebook that Deepnote has saved."""

from pathlib import Path

import pytest
from sums_course import FB1, FILES, SUMS, grade_again, page, write

from chainrule.course import CourseFolder
from chainrule.grading.classroom import scores
from chainrule.intake.folder import intake

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # as in `chainrule.cli`


@pytest.mark.parametrize("command", ["chainrule", "nbgrader"])
def test_deepnote(tmp_path: Path, command: str) -> None:
    """`b03-deepnote.ipynb`, a hand-in of `fb1-source.ipynb`: full marks, and a line for each kind of repair."""
    root = write(tmp_path)
    folder = CourseFolder(root)
    handed_in = root / "download" / "dora"
    handed_in.mkdir(parents=True)
    (handed_in / f"{SUMS}.ipynb").write_bytes((FILES / "b03-deepnote.ipynb").read_bytes())
    assert len(intake(folder, FB1, handed_in.parent).taken) == 1
    said = grade_again(root, command, "dora")
    assert scores(folder, FB1, "dora") == {"q1-test": 2, "q2-test": 3, "q3-text": None, "q4-plot": None}
    lines = [line for line in page(root, "dora").splitlines() for _ in range(line.count("had lost"))]
    assert 1 <= len(lines) <= 2
    if command == "chainrule":
        assert said.count("dora: cell") <= 2
