"""The table of a class that the command line prints."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from chainrule.printable import printable

if TYPE_CHECKING:  # torch takes seconds to import
    from chainrule.grading.classroom import ClassReport

# output to a file has no window to fit into
console = Console(width=None if sys.stdout.isatty() else 140)

WIDE, NARROW = 10, 6  # letters in a line of a column's title, at most and at least
MAX_COLUMNS = 12  # of scores; with more items, the columns are sums by question or problem


def class_table(report: ClassReport, width: int | None = None) -> Table:
    """The class as a table: a row per student, a column per item or, for many items, per question, problem or notebook.

    Args:
        width: characters of a line; those of the terminal by default. The finest columns that fit are taken. If need
            be, their titles have more lines, and the names of students are left out.
    """
    endless = Console(width=10_000)
    for columns in column_groups(list(report.points), report.notebooks):
        for letters, named in [*((wide, True) for wide in range(WIDE, NARROW - 1, -1)), (NARROW, False)]:
            table = table_of(report, columns, letters, named=named)
            if Measurement.get(endless, endless.options, table).maximum <= (width or console.width):
                return table
    return table


def table_of(report: ClassReport, columns: dict[str, list[str]], letters: int, *, named: bool) -> Table:
    """The class as a table of these columns, with titles of so many letters in a line, with or without names."""
    data = [f"{name}: {origin}" for name, origin in report.origins.items()]
    sandbox = [f"sandbox: {', '.join(sorted(report.sandbox))}"] if report.sandbox - {"bubblewrap"} else []
    title = " · ".join([report.assignment, f"{report.profile} profile", *data, *sandbox])
    padding = (0, 1) if letters == WIDE else 0
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=padding)
    table.add_column("student", no_wrap=True)
    names_of = report.names if named else {}
    if names_of:
        table.add_column("name", overflow="fold", max_width=24)
    for name, items in columns.items():
        points = sum(report.points[item] for item in items)
        table.add_column(f"{column_title(name, letters)}\n/{points:g}", justify="right", no_wrap=True)
    table.add_column(f"total\n/{report.maximum:g}", justify="right")
    table.add_column("time", justify="right")
    for student in report.students:
        cells = [
            score_text([student.scores.get(item, math.nan) for item in items]) for items in columns.values()
        ]
        names = [escape(printable(names_of.get(student.student, "")))] if names_of else []
        table.add_row(
            escape(printable(student.student)),
            *names,
            *cells,
            f"{student.total:.4g}",
            f"{student.seconds:.0f} s",
        )
    for student_id in report.absent:
        names = [escape(printable(names_of.get(student_id, "")))] if names_of else []
        table.add_row(escape(printable(student_id)), *names, *("–" for _ in columns), "nothing", "–")
    if any(None in student.scores.values() for student in report.students):
        summed = len(columns) < len(report.points)
        waits = "+, wait: a person marks items of this column" if summed else "wait: a person marks this item"
        table.caption = f"{waits}, by `chainrule mark` or in formgrader"
    return table


def column_groups(items: Sequence[str], notebooks: Mapping[str, str]) -> Iterator[dict[str, list[str]]]:
    """Items by column, from fine to coarse: each its own column; one per question, problem or notebook; none but the
    total.

    Args:
        notebooks: of the items, as far as they are known.
    """
    for pattern in (r".*", r"[a-z]+\d+_\d+", r"[a-z]+\d+"):
        found = {item: re.match(pattern, item) for item in items}
        yield from few(grouped({item: match[0] if match else item for item, match in found.items()}))
    yield from few(grouped({item: notebooks.get(item, item) for item in items}))
    yield {}


def grouped(titles: Mapping[str, str]) -> dict[str, list[str]]:
    """The items of each title."""
    columns: dict[str, list[str]] = {}
    for item, name in titles.items():
        columns.setdefault(name, []).append(item)
    return columns


def few(columns: dict[str, list[str]]) -> list[dict[str, list[str]]]:
    return [columns] if len(columns) <= MAX_COLUMNS else []


def column_title(name: str, letters: int) -> str:
    """A name in lines of at most so many letters, cut after -, _ and spaces where possible.

    >>> column_title("q9_2b-logits", 10), column_title("cell-3f2a9c8b7d6e", 6)
    ('q9_2b\\nlogits', 'cell\\n3f2a9c\\n8b7d6e')
    >>> column_title("1 - Notebook of week 7", 10)
    '1\\nNotebook\\nof week 7'
    """
    lines: list[str] = []
    for part in name.split("-", 1):
        line = ""
        for piece in re.findall(r"[^-_ ]+[-_ ]*|[-_ ]+", part):
            if line and len((line + piece).rstrip()) > letters:
                lines.append(line)
                line = ""
            line += piece
            while len(line) > letters:
                lines.append(line[:letters])
                line = line[letters:]
        lines += [line] if line else []
    return "\n".join(filter(None, map(str.strip, lines)))


def score_text(scores: Sequence[float | None]) -> str:
    """The text of a column for the scores of its items. None waits for a person, NaN was not graded."""
    known = [score for score in scores if score is not None and not math.isnan(score)]
    waiting = scores.count(None)
    if not known:
        return "wait" if waiting else "–"
    return f"{sum(known):.4g}{'+' * bool(waiting)}"
