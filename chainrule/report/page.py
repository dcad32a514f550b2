"""The report as one HTML file: it loads nothing and runs nothing, in light, in the dark, and on paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import MarkdownWithMath

from chainrule.feedback.formulas import FormulaRenderer, with_formulas
from chainrule.feedback.page import clean
from chainrule.feedback.preprocessors import SafeRenderer
from chainrule.handin.formulas import FormulaSource, MaskedMarkdown
from chainrule.intake.roster import Person
from chainrule.lesson.results import counted
from chainrule.report import drawing, statistics
from chainrule.report.causes import UNNAMED
from chainrule.report.drawing import Drawing, places_text
from chainrule.report.table import ClassTable

TEMPLATES = Environment(
    loader=PackageLoader("chainrule.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
TEMPLATES.filters.update(
    counted=counted,
    points=lambda value: f"{round(value, 2):g}".replace("-", "−"),
    hours=lambda value: f"{value / 24:.1f} days" if value >= 48 else f"{value:.1f} h",
    two=lambda value: "–" if value != value else f"{value:.2f}".replace("-", "−"),
    places=places_text,
)


@dataclass(frozen=True)
class About:
    """What is written above a report."""

    course: str
    title: str
    csv_name: str
    made: datetime


@dataclass(frozen=True)
class Report:
    """All that a report says, ready to be laid out."""

    table: ClassTable
    about: About
    totals: statistics.Totals
    items: list[statistics.ItemFigures]
    mistakes: list[statistics.Mistake]
    suspicions: list[statistics.Suspicion]
    told: list[statistics.Told]
    rows: list[statistics.RowFigures]
    arrivals: statistics.Arrivals
    repairs: list[tuple[str, int]]
    runs: list[statistics.RunFigures]
    drawings: Mapping[str, Drawing]

    @property
    def handed_in(self) -> int:
        return len(self.totals.points)

    @property
    def class_size(self) -> int:
        return len(self.table.people)

    @property
    def waiting(self) -> int:
        """How many students have something that waits."""
        return sum(bool(points) for points in self.totals.waiting.values())

    @property
    def known_mistakes(self) -> list[statistics.Mistake]:
        """Those with a name: neither unwritten answers nor values that nothing explains."""
        return [mistake for mistake in self.mistakes if mistake.kind not in UNNAMED]

    def sentences(self) -> list[str]:
        """What to take along, most important first."""
        low, middle, high = self.totals.quantiles()
        found = [
            f"{self.handed_in} of {self.class_size} students are graded; half of them have between {low:.4g} and "
            f"{high:.4g} of {counted(f'{self.totals.maximum:g}')}, the median is {middle:.4g}."
        ]
        if self.waiting:
            found[0] += f" For {self.waiting} of them something still waits for a marker."
        for mistake in self.known_mistakes[:3]:
            made_by = len(mistake.students)
            found.append(
                f"{made_by} student{'s' * (made_by != 1)}: {mistake.name} ({places_text(mistake, 6)})."
            )
        hard = [each for each in self.items if each.done]
        if hard:
            hardest = min(hard, key=lambda each: each.difficulty)
            found.append(
                f"Hardest item: {hardest.title}, with {100 * hardest.difficulty:.0f} % of its points."
            )
        if self.suspicions:
            found.append(
                f"Look at {_listed(dict.fromkeys(each.title for each in self.suspicions))}: see below."
            )
        return found


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def report_of(table: ClassTable, about: About) -> Report:
    """Compute and draw what a table says."""
    totals = statistics.totals(table)
    items = statistics.item_figures(table)
    found = statistics.mistakes(table)
    told = statistics.told_before(table)
    arrivals = statistics.arrivals(table)
    drawings = [drawing.distribution(totals), drawing.by_item(items)]
    if found:
        drawings.append(drawing.by_mistake(found, len(totals.points)))
    if told:
        drawings.append(drawing.by_told(told))
    if arrivals.hours:
        drawings.append(drawing.by_arrival(arrivals))
    return Report(
        table,
        about,
        totals,
        items,
        found,
        statistics.suspicions(table),
        told,
        statistics.rows_missed(table),
        arrivals,
        statistics.repairs(table),
        statistics.run_times(table),
        {each.name: each for each in drawings},
    )


def page(report: Report) -> str:
    """The page."""
    rows = Texts([row.text for row in report.rows])
    return clean(
        TEMPLATES.get_template("report.html").render(
            report=report,
            enough=statistics.ENOUGH,
            unknown=statistics.UNKNOWN,
            figure=lambda name: _figure(report.drawings.get(name)),
            name=lambda student: name(report.table.people, student),
            rows=list(zip(report.rows, rows.html, strict=True)),
            glyphs=rows.glyphs,
        )
    )


def name(people: Mapping[str, Person], student: str) -> str:
    """A student's name, or the id of one without."""
    person = people.get(student)
    return (person and person.full_name) or student


def _figure(found: Drawing | None) -> Any:
    if found is None:
        return ""
    box = Markup('<div class="drawing" role="img" aria-label="{}">{}</div>')
    return box.format(found.alt, Markup(found.svg))


class Texts:
    """Markdown with formulas as HTML, for texts of mark schemes."""

    def __init__(self, sources: Sequence[str]) -> None:
        masked = [MaskedMarkdown(source) for source in sources]
        pieces = [piece for each in masked for piece in each.split(each.text)]
        tex = [piece.tex for piece in pieces if isinstance(piece, FormulaSource)]
        formulas = FormulaRenderer(tex) if tex else None
        self.html = []
        for each in masked:
            body = MarkdownWithMath(renderer=SafeRenderer({})).render(each.text)
            self.html.append(Markup(with_formulas(body, each, formulas) if formulas else body))
        self.glyphs = Markup(formulas.glyphs() if formulas else "")


def now() -> datetime:
    return datetime.now(UTC)
