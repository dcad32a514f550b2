"""What a student reads of a marking: the rows of the rubric, with what earned points and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbformat import NotebookNode
from sqlalchemy import Connection, inspect, select

from chainrule.marking.answers import scheme_of
from chainrule.marking.gradebook import recorded
from chainrule.marking.rubric import Delimiters, Row, points_text, sum_of
from chainrule.marking.states import Mark, read_mark
from chainrule.marking.tables import MARKS, ROWS


def marked_rows(
    connection: Connection,
    assignment: str,
    student: str,
    notebook: str,
    nb: NotebookNode,
    delimiters: Delimiters,
) -> dict[str, str]:
    """A table in Markdown for each item of a graded notebook that was marked by its rubric, by the item's name.

    There is none for a mark that was changed in formgrader, or that was given for an earlier answer: its rows would not
    add up to the score.

    Args:
        nb: with its mark schemes, whose rows have the student's own numbers.
    """
    if not inspect(connection).has_table(MARKS.name):
        return {}
    mine = [MARKS.c.assignment == assignment, MARKS.c.notebook == notebook, MARKS.c.student == student]
    tables = {}
    for row in connection.execute(select(MARKS).where(*mine)).mappings():
        mark, item = read_mark(row), str(row["item"])
        found = recorded(connection, assignment, notebook, item, student).get(student)
        if found is None or mark.points is None or mark.points != found.score:
            continue
        if found.answer not in (None, mark.answer):
            continue
        of_item = [ROWS.c.assignment == assignment, ROWS.c.notebook == notebook, ROWS.c.item == item]
        stored = connection.execute(
            select(ROWS).where(*of_item).order_by(ROWS.c.position, ROWS.c.id)
        ).mappings()
        own = scheme_of(nb, item, delimiters).rows
        rows = [_row(each, own) for each in stored if not each["removed"]]
        if table := rows_table(rows, mark):
            tables[item] = table
    return tables


def _row(stored: Mapping[Any, Any], own: Sequence[Row]) -> Row:
    """A row as the student's own mark scheme has it, if nobody has edited it."""
    row = Row(stored["points"], stored["text"], stored["id"])
    at = stored["position"] - 1
    if not stored["edited"] and at < len(own) and own[at].points == row.points:
        return Row(row.points, own[at].text, row.id)
    return row


def rows_table(rows: Sequence[Row], mark: Mark) -> str:
    """The rows as a Markdown table; empty if a number of the marker's own is another one than their sum."""
    all_points = sum_of(row for row in rows if row.points > 0)
    earns_all = mark.own_points is not None and mark.own_points >= all_points
    if mark.own_points not in (None, sum_of(row for row in rows if row.id in mark.rows)) and not earns_all:
        return ""
    lines = []
    for row in rows:
        ticked = row.id in mark.rows or (earns_all and row.points > 0)
        if row.points > 0:
            earned = points_text(row.points if ticked else 0.0)
            lines.append(f"| {'✓' if ticked else '–'} {earned} of {points_text(row.points)} | {row.text} |")
        elif ticked:
            lines.append(f"| {points_text(row.points)} | {row.text} |")
    return "\n".join(["| Points | For |", "|:--|:--|", *lines]) if lines else ""
