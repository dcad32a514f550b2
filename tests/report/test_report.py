"""The report names planted mistakes with the right numbers, and all its numbers follow from its table."""

from __future__ import annotations

import csv
import io
import shutil
import statistics as python_statistics
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import diagnosed_class as planted
import pytest
from bs4 import BeautifulSoup
from diagnosed_class import BACKWARD, FORWARD, HANDED_IN, HOMEWORK, LAYER, PLANTED, STUDENTS, WHY
from nbgrader.api import Gradebook
from read_pdf import text_of

from chainrule.course import CourseError, CourseFolder
from chainrule.report import statistics
from chainrule.report.causes import kind_of
from chainrule.report.page import About, Report, now, page, report_of
from chainrule.report.table import ClassTable, Line, class_table, visible_results
from chainrule.report.write import write_report

TITLES = {
    FORWARD: "1.1 · The forward pass",
    BACKWARD: "1.2 · The backward pass",
    LAYER: "Part 2 Problem 2 a · A layer of your own",
    WHY: "1.3 · Why the scale",
}


@pytest.fixture(scope="module")
def table(diagnosed_class: Path) -> ClassTable:
    return class_table(CourseFolder(diagnosed_class), HOMEWORK)


@pytest.fixture(scope="module")
def report(table: ClassTable) -> Report:
    return report_of(table, About("deep-learning", "Homework 3", "homework.csv", now()))


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return page(report)


# ---- mistakes by name ----------------------------------------------------------------------------------------


def test_one_point_is_not_points(html: str) -> None:
    assert "1 point lost in all" in html
    assert "students, 1 points" not in html


@pytest.mark.parametrize("mistake", PLANTED, ids=[each[2] or "a value" for each in PLANTED])
def test_a_planted_mistake_is_named_in_whom_it_is(report: Report, mistake: planted.Planted) -> None:
    item, _, cause, _, hint, students = mistake
    wanted = cause or "p is … at index …, off by …"
    places = [
        place
        for kind in report.mistakes
        if wanted in kind.causes
        for key, place in kind.causes[wanted].places.items()
        if key[1] == item
    ]
    assert [set(place.students) for place in places] == [set(students)]
    assert places[0].title == TITLES[item]
    assert list(places[0].hints) == [hint] * bool(hint)


def test_the_same_mistake_in_two_items_is_one_and_counts_once_for_a_student(report: Report) -> None:
    transposed = next(each for each in report.mistakes if each.kind == "transposed")
    assert transposed.students == {*STUDENTS[3:10], *STUDENTS[7:13]}
    assert transposed.items == {TITLES[BACKWARD]: 7, TITLES[LAYER]: 6}
    assert transposed.lost == 7 * 1.5 + 6 * 2.0


def test_who_has_two_mistakes_in_one_check_is_not_told_twice(report: Report) -> None:
    counts = [len(each.students) for each in report.mistakes]
    assert counts == sorted(counts, reverse=True)
    lost = sum(each.lost for each in report.mistakes)
    maximum = sum(sum(shares.values()) for shares in planted.CHECKS.values())
    earned = sum(result.score for student in HANDED_IN for result in planted.results(student).values())
    assert lost == pytest.approx(len(HANDED_IN) * maximum - earned)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("this is the transpose", "V is not transposed"),
        ("the sign is turned round: it is p̂ minus the one-hot vector", "a minus sign too many"),
        ("there is no `MLP` yet: finish the cell that defines it and run it", "not written yet"),
    ],
)
def test_different_words_for_the_same_mistake_are_put_together(one: str, other: str) -> None:
    assert kind_of(one) == kind_of(other)


# ---- numbers -------------------------------------------------------------------------------------------------


def rows_of(table: ClassTable) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.to_csv().decode())))


def correlated(x: list[float], y: list[float]) -> float:
    """Another way than the report's."""
    if find_spec("pandas"):
        import pandas

        return float(pandas.Series(x).corr(pandas.Series(y)))
    return python_statistics.correlation(x, y)


def test_the_figures_are_those_of_the_written_table(table: ClassTable, report: Report) -> None:
    rows = rows_of(table)
    points = [float(row["points"]) for row in rows if row["kind"] == "hand-in" and row["state"] == "graded"]
    assert report.totals.mean == pytest.approx(python_statistics.fmean(points))
    assert report.totals.deviation == pytest.approx(python_statistics.stdev(points))
    assert report.totals.quantiles() == pytest.approx(
        python_statistics.quantiles(points, n=4, method="inclusive")
    )
    scores = {
        item: {
            row["student"]: float(row["points"])
            for row in rows
            if row["kind"] == "item" and row["item"] == item and row["state"] == "done"
        }
        for item in TITLES
    }
    assert [each.key[1] for each in report.items] == [FORWARD, BACKWARD, WHY, LAYER]
    for each in report.items:
        own = scores[each.key[1]]
        assert each.title == TITLES[each.key[1]]
        assert each.mean == pytest.approx(python_statistics.fmean(own.values()))
        assert each.difficulty == pytest.approx(each.mean / each.maximum)
        others = [item for item in scores if item != each.key[1] and len(scores[item]) == len(HANDED_IN)]
        rest = [sum(scores[item][student] for item in others) for student in own]
        assert each.discrimination == pytest.approx(correlated(list(own.values()), rest))
    assert {each.key[1]: (each.done, each.waiting) for each in report.items}[WHY] == (20, 2)


def test_the_table_agrees_with_the_gradebook(diagnosed_class: Path, table: ClassTable) -> None:
    with Gradebook(CourseFolder(diagnosed_class).directory.db_url) as gradebook:
        scores = {each.student.id: each.score for each in gradebook.assignment_submissions(HOMEWORK)}
    lines = [line for line in table.of("hand-in") if line.state == "graded"]
    assert {line.student: line.points for line in lines} == pytest.approx(scores)


def test_under_twenty_students_there_is_no_discrimination_and_the_page_says_so(table: ClassTable) -> None:
    few = set(STUDENTS[:19])
    smaller = replace(table, lines=tuple(line for line in table.lines if line.student in few))
    figures = report_of(smaller, About("c", "t", "t.csv", now()))
    assert {each.discrimination for each in figures.items} == {None}
    assert "there is none for fewer than 20" in " ".join(page(figures).split())


def test_what_visible_checks_had_told(report: Report) -> None:
    told = {each.title: each for each in report.told}
    lost = {student for student in HANDED_IN if planted.results(student)[BACKWARD].score < 2}
    expected = sum(STUDENTS.index(student) % 2 for student in lost)
    assert (told[TITLES[BACKWARD]].told, told[TITLES[BACKWARD]].lost) == (expected, len(lost))
    assert told[TITLES[FORWARD]].told == 0


def test_rows_late_missing_repairs_and_runs(report: Report) -> None:
    ticked = planted.marks_of_why().values()
    missed = {row.text: row.missed for row in report.rows}
    assert missed["variances add up"] == sum(2 not in rows for rows in ticked)
    assert missed["a slip"] == sum(3 in rows for rows in ticked)
    assert {row.marked for row in report.rows} == {20}
    assert report.arrivals.late == {STUDENTS[1]: 1.5}
    assert report.arrivals.nothing == (planted.NOTHING,)
    assert report.arrivals.ungraded == (planted.UNREADABLE,)
    assert report.repairs == [
        ("part1: cell t1 was missing: restored", 1),
        ("part2: cell t1 was missing: restored", 1),
    ]
    assert [(run.notebook, run.runs, run.median, run.longest) for run in report.runs] == [
        ("part1", 22, 11.5, 22.0),
        ("part2", 22, 11.5, 22.0),
    ]


# ---- odd items -----------------------------------------------------------------------------------------------


def class_where(passes: dict[str, set[str]], **more: Any) -> ClassTable:
    """A class of 24: who passes which check of an item "it"; better students have more elsewhere."""
    lines = []
    for number, student in enumerate(STUDENTS):
        earned = sum(student in who for who in passes.values())
        lines += [
            Line(student, "hand-in", points=earned + number, maximum=30, state="graded"),
            Line(student, "item", "n", "it", "It", points=earned, maximum=len(passes), state="done"),
            Line(student, "item", "n", "rest", "Rest", points=number, maximum=30, state="done"),
            Line(student, "item", "n", "more", "More", points=number, maximum=30, state="done"),
        ]
        for check, who in passes.items():
            failed = {"state": "failed", "cause": "c", "cause_kind": "c", **more}
            state = {"state": "passed"} if student in who else failed
            lines.append(Line(student, "check", "n", "it", "It", part=check, points=0, maximum=1, **state))
    return ClassTable("a", 30, tuple(lines), {})


GOOD = set(STUDENTS[12:])


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (class_where({"a": set(STUDENTS) - GOOD}), "do worse here"),
        (class_where({"a": set(STUDENTS) - GOOD}), "of the best third, 0 of 8 pass"),
        (class_where({"a": set(), "b": GOOD}), "nobody of 24 passes the check “a”"),
        (class_where({"a": GOOD}, state="error"), "its author did not expect"),
        (
            class_where({"a": set(STUDENTS[:16])}, cause=statistics.UNKNOWN, message="x is 3"),
            "8 of the best 8 give the same answer",
        ),
    ],
)
def test_an_item_that_may_be_mis_keyed_is_named(table: ClassTable, reason: str) -> None:
    assert [each.title for each in statistics.suspicions(table) if reason in each.reason] == ["It"]


def test_an_ordinary_item_is_not() -> None:
    assert statistics.suspicions(class_where({"a": GOOD, "b": set(STUDENTS[6:])})) == []


# ---- pages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_the_page_loads_nothing(
    chromium: Any, html: str, tmp_path: Path, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    path = tmp_path / "report.html"
    path.write_text(html, encoding="utf-8")
    context = chromium.new_context(
        bypass_csp=True, viewport={"width": 400, "height": 800}, color_scheme=scheme
    )
    tab = context.new_page()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(path.as_uri())
    found = Axe().run(tab).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    assert asked == [path.as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth") <= 400
    context.close()


def test_every_figure_says_what_it_shows(html: str) -> None:
    soup = BeautifulSoup(html, "html.parser")
    figures = soup.find_all(class_="drawing")
    assert len(figures) == 5
    assert all(len(str(figure["aria-label"])) > 40 and figure.svg for figure in figures)
    ids = [element["id"] for element in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))


def test_what_students_write_stays_text(table: ClassTable) -> None:
    attack = "<script>alert(1)</script>"
    lines = tuple(
        replace(line, message=attack, cause=attack, cause_kind=attack, hint=attack)
        if line.state == "failed"
        else line
        for line in table.lines
    )
    soup = BeautifulSoup(
        page(report_of(replace(table, lines=lines), About("c", "t", "t.csv", now()))), "html.parser"
    )
    assert not soup.find_all("script")
    assert attack in soup.get_text()


def test_a_damaged_notebook_has_told_nothing(tmp_path: Path) -> None:
    path = tmp_path / "n.ipynb"
    for text in (
        "",
        "[]",
        '{"cells": [{"outputs": [{"data": {"application/vnd.chainrule.item+json": 3}}]}]}',
        "[" * 9000,
    ):
        path.write_text(text)
        assert visible_results(path) == {}


def test_the_command_writes_page_pdf_and_table(diagnosed_class: Path, tmp_path: Path, chainrule: Any) -> None:
    root = Path(shutil.copytree(diagnosed_class, tmp_path / "course"))
    written = write_report(CourseFolder(root), HOMEWORK)
    assert written.pdf is not None
    text = text_of(written.pdf)
    assert "10 students: transposed" in " ".join(text.split())
    assert "Last04" in text
    assert BeautifulSoup(written.page.read_text(encoding="utf-8"), "html.parser").find(id="mistakes")
    with pytest.raises(CourseError, match="no assignment 'other'"):
        write_report(CourseFolder(root), "other")


def test_a_report_needs_no_torch() -> None:
    code = "import sys, chainrule.report.write; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
