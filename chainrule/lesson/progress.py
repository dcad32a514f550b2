"""Where a student stands in a notebook: one line about its visible checks, with links to what is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from chainrule.lesson.checks import Result, last_results
from chainrule.lesson.contents import Contents, contents, notebook_here


@dataclass(frozen=True)
class Progress:
    """What the cells with checks said last. Jupyter shows it as a line with links.

    Attributes:
        passed, all: visible checks that passed, and those that ran.
        open: label, heading and count of each cell in which one failed.
        not_run: label and heading of each cell that did not run since the kernel started.

    >>> Progress(31, 46, (("2.2 (d)", "(d) The hidden layer", "2 of 3"),), (("7.3", "7.3 · Heads"),))
    visible: 31 of 46 checks ✓; open: 2.2 (d) (2 of 3); not run yet: 7.3
    """

    passed: int
    all: int
    open: tuple[tuple[str, str, str], ...]
    not_run: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        parts = [f"visible: {self.passed} of {self.all} checks ✓"]
        if self.open:
            parts.append("open: " + ", ".join(f"{label} ({count})" for label, _, count in self.open))
        if self.not_run:
            parts.append("not run yet: " + ", ".join(label for label, _ in self.not_run))
        return "; ".join(parts)

    def _repr_html_(self) -> str:
        parts = [f"<b>Visible: {self.passed} of {self.all} checks ✓</b>"]
        if self.open:
            parts.append(
                "open: "
                + ", ".join(f"{_link(label, to)} ({escape(count)})" for label, to, count in self.open)
            )
        if self.not_run:
            parts.append("not run yet: " + ", ".join(_link(label, to) for label, to in self.not_run))
        return f"<p>{'; '.join(parts)}</p>"


def progress() -> Progress:
    """What the visible checks of this notebook said when their cells ran last; those at grading are not in it.

    >>> progress().not_run  # of a notebook of which nothing is known
    ()
    """
    known, results = contents(), last_results()
    cells = _cells_here(known, list(results))
    rows = [(known.label(cell), known.places.get(cell, ("", ""))[1], results.get(cell)) for cell in cells]
    checks = [check for _, _, result in rows if result for check in result.checks]
    return Progress(
        passed=sum(check.passed for check in checks),
        all=len(checks),
        open=tuple(
            (label, heading, _count(result)) for label, heading, result in rows if result and _fails(result)
        ),
        not_run=tuple((label, heading) for label, heading, result in rows if result is None),
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


def _fails(result: Result) -> bool:
    return any(not check.passed for check in result.checks)


def _count(result: Result) -> str:
    return f"{sum(check.passed for check in result.checks)} of {len(result.checks)}"


def _link(label: str, heading: str) -> str:
    """A link to a heading of the notebook, whose address in Jupyter is its text with - for spaces."""
    if not heading:
        return escape(label)
    return f'<a href="#{escape(heading.replace(" ", "-"))}">{escape(label)}</a>'
