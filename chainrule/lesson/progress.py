"""Where a student stands in a notebook: one line about its visible checks, with links to what is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from chainrule.lesson.contents import Contents, contents, notebook_here
from chainrule.lesson.results import Result, last_results


@dataclass(frozen=True)
class Progress:
    """What the cells with checks said last. Jupyter shows it as a line with links.

    Attributes:
        passed, all: visible checks that passed, and those that ran.
        open: label, count and grade_id of each cell in which one failed.
        not_run: label of each cell that did not run since the kernel started.

    >>> Progress(31, 46, (("2.2 (d)", "2 of 3", "hidden-layer"),), ("7.3",))
    visible: 31 of 46 checks ✓; open: 2.2 (d) (2 of 3); not run yet: 7.3
    """

    passed: int
    all: int
    open: tuple[tuple[str, str, str], ...]
    not_run: tuple[str, ...]

    def __repr__(self) -> str:
        parts = [f"visible: {self.passed} of {self.all} checks ✓"]
        if self.open:
            parts.append("open: " + ", ".join(f"{label} ({count})" for label, count, _ in self.open))
        if self.not_run:
            parts.append("not run yet: " + ", ".join(self.not_run))
        return "; ".join(parts)

    def _repr_html_(self) -> str:
        parts = [f"<b>Visible: {self.passed} of {self.all} checks ✓</b>"]
        if self.open:
            # a table's id, rather than a heading's text: JupyterLab finds no heading with letters outside ASCII
            links = (
                f'<a href="#checks-{quote(grade_id)}">{escape(label)}</a> ({escape(count)})'
                for label, count, grade_id in self.open
            )
            parts.append(f"open: {', '.join(links)}")
        if self.not_run:
            parts.append("not run yet: " + escape(", ".join(self.not_run)))
        return f"<p>{'; '.join(parts)}</p>"


def progress() -> Progress:
    """What the visible checks of this notebook said when their cells ran last; those at grading are not in it.

    >>> progress().not_run  # of a notebook of which nothing is known
    ()
    """
    known, results = contents(), last_results()
    cells = _cells_here(known, list(results))
    ran = [results[cell] for cell in cells if cell in results]
    checks = [check for result in ran for check in result.checks]
    return Progress(
        passed=sum(check.passed for check in checks),
        all=len(checks),
        open=tuple(
            (known.label(result.grade_id), _count(result), result.grade_id)
            for result in ran
            if any(not check.passed for check in result.checks)
        ),
        not_run=tuple(known.label(cell) for cell in cells if cell not in results),
    )


def _cells_here(known: Contents, ran: Sequence[str]) -> Sequence[str]:
    """The cells with checks of this notebook; where nobody says which one it is, of the one whose cells ran."""
    here = notebook_here()
    if here in known.checked:
        return known.checked[here]
    own = [cells for cells in known.checked.values() if set(cells) & set(ran)]
    if not own:
        own = list(known.checked.values()) if len(known.checked) == 1 else [list(ran)]
    return [cell for cells in own for cell in cells]


def _count(result: Result) -> str:
    return f"{sum(check.passed for check in result.checks)} of {len(result.checks)}"
