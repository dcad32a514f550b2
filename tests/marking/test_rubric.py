"""Mark schemes are read as they are in notebooks, and rows are written back without touching anything else."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from marking_class import QUESTION
from tiny_course import ROOT

from chainrule.marking.answers import is_written, scheme_of
from chainrule.marking.rubric import Delimiters, Row, read_scheme, sum_of, with_rows
from chainrule.metadata import cell_name

NOTEBOOKS = sorted(ROOT.glob("source/*/*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_mark_scheme_of_the_courses_has_rows_that_sum_to_its_points(path: Path) -> None:
    nb = nbformat.read(path, as_version=4)
    for cell in nb.cells:
        if is_written(cell):
            scheme = scheme_of(nb, cell_name(cell), Delimiters())
            assert sum_of(scheme.rows) == cell.metadata.nbgrader.points, cell_name(cell)
            assert scheme.question
            assert scheme.mistakes
            assert "MARK SCHEME" not in scheme.question + scheme.prose


def test_the_parts_of_a_scheme() -> None:
    scheme = read_scheme(QUESTION.strip(), Delimiters())
    assert scheme.question.startswith("### (a) Variance")
    assert scheme.question.endswith("= d$.")
    assert scheme.rows[1] == Row(0.3, r"the variance of a product is $1 \cdot 1$")
    assert scheme.prose.startswith("**Model answer.**")
    assert "Common" not in scheme.prose
    assert [(mistake.text[:12], mistake.costs) for mistake in scheme.mistakes] == [
        ("The product ", 0.1),
        ("A simulation", None),
        ('"Variances a', 0.15),
    ]


def test_points_with_a_decimal_comma() -> None:
    begin, end = "### BEGIN MARK SCHEME", "### END MARK SCHEME"
    scheme = f"{begin}\n| Points | For |\n|--:|:--|\n| 1,5 | le signe |\n| −0,5 | une faute |\n{end}"
    assert read_scheme(scheme, Delimiters()).rows == (Row(1.5, "le signe"), Row(-0.5, "une faute"))


def test_writing_rows_changes_the_table_alone() -> None:
    source = QUESTION.strip()
    rows = list(read_scheme(source, Delimiters()).rows)
    assert with_rows(source, rows, Delimiters()) == source
    changed = with_rows(source, [*rows, Row(-0.1, "no reason")], Delimiters())
    assert set(changed.splitlines()) - set(source.splitlines()) == {"| −0.1 | no reason |"}
    assert tuple(read_scheme(changed, Delimiters()).rows) == (*rows, Row(-0.1, "no reason"))


@pytest.mark.parametrize(
    "source", ["Why?", "Why?\n\n### BEGIN MARK SCHEME\nOne for a reason.\n### END MARK SCHEME"]
)
def test_a_scheme_without_a_table_gets_one(source: str) -> None:
    changed = with_rows(source, [Row(1.0, "a reason")], Delimiters())
    scheme = read_scheme(changed, Delimiters())
    assert scheme.rows == (Row(1.0, "a reason"),)
    assert scheme.question == "Why?"


def test_minus_rows_never_lead_below_zero() -> None:
    assert sum_of([Row(0.1, "a"), Row(0.2, "b")]) == 0.3
    assert sum_of([Row(0.1, "a"), Row(-0.5, "b")]) == 0.0
