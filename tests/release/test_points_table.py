"""The table of points that students read, and the points that count."""

from pathlib import Path

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from sums_course import FB1, edit, grade_again, hand_in, source, write
from tiny_course import type_command

from chainrule.course import CourseFolder
from chainrule.release.points_table import misfits, stated_total

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # as in `chainrule.cli`


@pytest.mark.parametrize(
    ("table", "total"),
    [
        ("| Q | Points |\n|--|--|\n| 1 | 3 |\n| **Total** | **4.5** |", 4.5),
        ("| Q | Written | Points |\n|--|--|--|\n| | **Total** | **6** |", 6),
        ("| Part | Written | Points |\n|--|--|--|\n| a | 1 | 2 |\n| **Total** | **6** | **9** |", 9),
        ("| Frage | Punkte |\n|--|--|\n| 1 | 3 |\n| **Summe** | **4,5** |", 4.5),
        ("| Points | for |\n|--|--|\n| 1 | the total of all |", None),
        ("no table, 5 points in total", None),
    ],
)
def test_the_total_of_a_table(table: str, total: float | None) -> None:
    assert stated_total(new_notebook(cells=[new_markdown_cell(f"# Title\n\n{table}\n\nText.")])) == total


def test_a_total_that_does_not_fit_the_items_is_told(tmp_path: Path) -> None:
    course = write(tmp_path)
    nb = source(course)
    nb.cells[0].source += "\n\n| Part | Points |\n|:--|--:|\n| 1 | 2 |\n| | **Total** | \n| Total | **8** |\n"
    edit(course, nb)
    assert misfits(CourseFolder(course), FB1) == []
    (cell,) = (cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "q3-text")
    cell.metadata.nbgrader.points = 3
    edit(course, nb)
    warning = "sums.ipynb: its table of points has a total of 8, and its items add up to 9"
    assert f"chainrule: {warning}" in type_command(course, "chainrule", "release", FB1, code=2)
    hand_in(course, "ann")
    assert warning in grade_again(course, "chainrule")
