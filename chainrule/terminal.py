"""What the command line prints: the table of a class, and texts from submissions without control characters."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:  # torch takes seconds to import
    from chainrule.grading.classroom import ClassReport

# output to a file has no window to fit into
console = Console(width=None if sys.stdout.isatty() else 140)

MAX_COLUMNS = 12  # of scores; with more items, the columns are sums by question or problem


def printable(text: str) -> str:
    """Text from a submission without control characters, which a terminal might obey."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def class_table(report: ClassReport) -> Table:
    """The class as a table: a row per student, a column per item or, for many items, per question or problem."""
    data = [f"{name}: {origin}" for name, origin in report.origins.items()]
    sandbox = [f"sandbox: {', '.join(sorted(report.sandbox))}"] if report.sandbox - {"bubblewrap"} else []
    title = " · ".join([report.assignment, f"{report.profile} profile", *data, *sandbox])
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    table.add_column("student", no_wrap=True)
    if report.names:
        table.add_column("name", overflow="fold", max_width=24)
    columns = group_items(list(report.points))
    for name, items in columns.items():
        points = sum(report.points[item] for item in items)
        table.add_column(f"{name.replace('-', chr(10), 1)}\n/{points:g}", justify="right", no_wrap=True)
    table.add_column(f"total\n/{sum(report.points.values()):g}", justify="right")
    table.add_column("time", justify="right")
    for student in report.students:
        cells = [
            score_text([student.scores.get(item, math.nan) for item in items]) for items in columns.values()
        ]
        names = [escape(printable(report.names.get(student.student, "")))] if report.names else []
        table.add_row(
            escape(printable(student.student)),
            *names,
            *cells,
            f"{student.total:.4g}",
            f"{student.seconds:.0f} s",
        )
    for student_id in report.absent:
        names = [escape(printable(report.names.get(student_id, "")))] if report.names else []
        table.add_row(escape(printable(student_id)), *names, *("–" for _ in columns), "nothing", "–")
    table.caption = "wait: a person marks this item, by `chainrule mark` or in formgrader"
    if len(columns) < len(report.points):
        table.caption = "+: a person marks items of this question, by `chainrule mark` or in formgrader"
    return table


def group_items(items: Sequence[str]) -> dict[str, list[str]]:
    """Items by column: each its own column, or one per question, or one per problem."""
    columns: dict[str, list[str]] = {}
    for pattern in (r".*", r"[a-z]+\d+_\d+", r"[a-z]+\d+"):
        columns = {}
        for item in items:
            match = re.match(pattern, item)
            columns.setdefault(match[0] if match else item, []).append(item)
        if len(columns) <= MAX_COLUMNS:
            break
    return columns


def score_text(scores: Sequence[float | None]) -> str:
    """The text of a column for the scores of its items. None waits for a person, NaN was not graded."""
    known = [score for score in scores if score is not None and not math.isnan(score)]
    waiting = scores.count(None)
    if not known:
        return "wait" if waiting else "–"
    return f"{sum(known):.4g}{'+' * bool(waiting)}"
