"""Names that a check needs and nothing tells students of."""

from __future__ import annotations

from pathlib import Path

import pytest
from authors_notebook import answer, given, graded, said, text
from nbformat import NotebookNode

SOLUTION = "### BEGIN SOLUTION\nfactors = [3, 4]\nproduct = factors[0] * factors[1]\n### END SOLUTION"
TASK = text("Compute the product of the numbers in `product`.")
HIDDEN = "### BEGIN HIDDEN TESTS\nassert product == factors[0] * factors[1]\n### END HIDDEN TESTS"
ITEM = """from chainrule.lesson import Item, expect

item = Item("test", points=2)


### BEGIN HIDDEN TESTS
@item.check("product", points=2)
def _(student):
    expect(student.product, "product").equals(student.factors[0] * 4)


### END HIDDEN TESTS

item.score()"""


@pytest.mark.parametrize("test", [HIDDEN, ITEM])
def test_a_name_of_the_reference_alone(tmp_path: Path, test: str) -> None:
    (slip,) = said(tmp_path, TASK, answer(SOLUTION), graded(test))
    assert slip == (
        "tiny.ipynb, cell test (number 3 from the top): it needs factors, which the reference solution defines and "
        "nothing tells students of: ask for this name in the text, or do without it"
    )


def test_a_function_whose_name_is_told_nowhere(tmp_path: Path) -> None:
    solution = "### BEGIN SOLUTION\ndef fit(x):\n    return x\n### END SOLUTION"
    test = "### BEGIN HIDDEN TESTS\nassert fit(2) == 2\n### END HIDDEN TESTS"
    (slip,) = said(tmp_path, text("Fit a line."), answer(solution), graded(test))
    assert "it needs fit, which" in slip


@pytest.mark.parametrize(
    "told",
    [
        given("# factors: two numbers"),
        given("print(product)  # of `factors`", "a-later-cell"),
    ],
)
def test_a_name_in_any_cell_is_told(tmp_path: Path, told: NotebookNode) -> None:
    assert said(tmp_path, TASK, answer(SOLUTION), told, graded(HIDDEN)) == []


def test_a_name_that_a_visible_test_reads_is_told(tmp_path: Path) -> None:
    assert said(tmp_path, TASK, answer(SOLUTION), graded(f"assert len(factors) == 2\n{HIDDEN}")) == []


@pytest.mark.parametrize("sheet", ["exercise.pdf", "sheet.md", "checks/q1.py"])
def test_a_sheet_beside_the_notebook_may_tell_it(tmp_path: Path, sheet: str) -> None:
    assert said(tmp_path, TASK, answer(SOLUTION), graded(HIDDEN), files={sheet: "# factors"}) == []
