"""The report as PDF: the same figures and tables, set as a write-up is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell, new_notebook

from chainrule.feedback.pdf import plain
from chainrule.handin.pdf import write_pdf
from chainrule.lesson.results import counted
from chainrule.report.page import Report, name


def write_report_pdf(report: Report, target: Path) -> list[str]:
    """Write the report to `target`.

    Returns warnings, and raises `PDFError`, as `write_pdf` does.
    """
    with tempfile.TemporaryDirectory(prefix="chainrule-report-") as scratch:
        for drawing in report.drawings.values():
            Path(scratch, f"{drawing.name}.svg").write_bytes(drawing.plain)
        path = Path(scratch, "report.ipynb")
        nbformat.write(new_notebook(cells=[new_markdown_cell(text) for text in sections(report)]), path)
        return write_pdf(
            [path],
            target,
            title=f"Report: {report.about.title}",
            course=report.about.course,
            note=f"For staff: it names students. {report.about.made:%Y-%m-%d %H:%M} UTC",
        )


def sections(report: Report) -> list[str]:
    """The report in Markdown."""
    low, middle, high = report.totals.quantiles()
    who = report.table.people
    parts = ["\n".join(f"- {plain(sentence)}" for sentence in report.sentences())]
    parts.append(
        f"# Totals\n\n{_image(report, 'distribution')}\n\n{report.handed_in} "
        f"student{'s' * (report.handed_in != 1)}; mean {report.totals.mean:.2f}; "
        f"quartiles {low:.2f}, {middle:.2f}, {high:.2f}; out of {report.totals.maximum:g}."
    )
    if report.mistakes:
        parts.append(f"# Mistakes by name\n\n{_image(report, 'mistakes')}")
        for mistake in report.mistakes:
            where = "; ".join(f"{title} ({count})" for title, count in mistake.items.items())
            said = [
                f"- {plain(cause.name)}: {plain(place.title)}, {len(place.students)}: "
                f"{plain(', '.join(name(who, student) for student in place.students))}. "
                + " ".join(f"*Hint: {plain(hint)}*" for hint in place.hints)
                for cause in mistake.causes.values()
                for place in cause.places.values()
            ]
            head = (
                f"## {plain(mistake.name)}\n\n{len(mistake.students)} of {report.handed_in} students, "
                f"{counted(f'{mistake.lost:.4g}')} lost in all: {plain(where)}."
            )
            parts.append("\n\n".join([head, "\n".join(said)]))
    rows = [
        (
            plain(each.title),
            f"{each.mean:.2f} / {each.maximum:g}",
            f"{each.difficulty:.2f}",
            f"{each.discrimination:.2f}" if each.discrimination is not None else each.why,
            str(each.full),
            str(each.nothing),
            str(each.waiting or "–"),
        )
        for each in report.items
    ]
    columns = ("Item", "Mean", "Difficulty", "Discrimination", "All", "None", "Waiting")
    parts.append(f"# Items\n\n{_image(report, 'items')}\n\n{_table(columns, rows)}")
    if report.suspicions:
        odd = "\n".join(f"- **{plain(each.title)}**: {plain(each.reason)}." for each in report.suspicions)
        parts.append(f"# Items to look at\n\n{odd}")
    if report.told:
        told = [
            (plain(each.title), str(each.lost), str(each.told), str(each.silent), str(each.unknown))
            for each in report.told
        ]
        head_told = ("Item", "Lost points", "Told", "Not told", "Without outputs")
        parts.append(f"# Before they handed in\n\n{_image(report, 'told')}\n\n{_table(head_told, told)}")
    if report.rows:
        missed = [
            (
                plain(row.title),
                row.text.replace("|", r"\|"),
                f"{row.points:g}",
                f"{row.missed} of {row.marked}",
            )
            for row in report.rows
        ]
        parts.append(f"# Written answers\n\n{_table(('Item', 'Row', 'Points', 'Missed'), missed)}")
    parts.append(_time(report))
    return parts


def _time(report: Report) -> str:
    who, arrivals = report.table.people, report.arrivals
    lines = ["# Late and missing", _image(report, "arrivals")]
    if arrivals.late:
        late = sorted(arrivals.late.items(), key=lambda pair: -pair[1])
        lines.append(
            "Late: " + plain(", ".join(f"{name(who, each)} by {hours:.1f} h" for each, hours in late)) + "."
        )
    if arrivals.nothing:
        lines.append(f"Handed in nothing: {plain(', '.join(name(who, each) for each in arrivals.nothing))}.")
    lines += [plain(f"{name(who, each)}: {said}.") for each, said in arrivals.several.items()]
    if report.repairs:
        lines.append(_table(("Repair", "Students"), [(plain(what), str(n)) for what, n in report.repairs]))
    if report.runs:
        runs = [(plain(run.notebook), f"{run.median:.1f} s", f"{run.longest:.1f} s") for run in report.runs]
        lines.append(_table(("Notebook", "Median run", "Longest run"), runs))
    return "\n\n".join(filter(None, lines))


def _image(report: Report, key: str) -> str:
    found = report.drawings.get(key)
    return f"![{plain(found.alt)}]({found.name}.svg)" if found else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|:--" + "|--:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
