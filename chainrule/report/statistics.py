"""What the table says about a class: totals, items, mistakes by name, and what is odd. Nothing here reads a file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from chainrule.report.causes import UNNAMED
from chainrule.report.table import ClassTable, Line

ENOUGH = 20  # students, for a correlation that says something
FEW = 5  # students, for "nobody"
LOW = 0.1  # a discrimination below this is no help in telling who knows more
UNKNOWN = "another value, which no known mistake explains"


@dataclass(frozen=True)
class Totals:
    """The totals of those who handed in.

    Attributes:
        points: by student, after penalties; what waits counts 0 so far.
        waiting: by student, the points that wait for a person.
    """

    points: dict[str, float]
    waiting: dict[str, float]
    maximum: float

    def quantiles(self) -> tuple[float, float, float]:
        """Lower quartile, median, upper quartile."""
        low, middle, high = np.quantile(list(self.points.values()), [0.25, 0.5, 0.75])
        return float(low), float(middle), float(high)

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.points.values())))

    @property
    def deviation(self) -> float:
        """The standard deviation, with n − 1."""
        return float(np.std(list(self.points.values()), ddof=1)) if len(self.points) > 1 else math.nan


def totals(table: ClassTable) -> Totals:
    points = {line.student: line.points or 0.0 for line in table.of("hand-in") if line.state == "graded"}
    waiting = dict.fromkeys(points, 0.0)
    for line in table.of("item"):
        if line.state == "waits":
            waiting[line.student] += line.maximum or 0.0
    return Totals(points, waiting, table.maximum)


@dataclass(frozen=True)
class ItemFigures:
    """How a class did in an item.

    Attributes:
        done, waiting: the numbers of students.
        mean: points of those whose item does not wait; nan without any.
        full, nothing: how many of them have all points, and none.
        discrimination: the correlation with the points of the other items that wait for nobody (corrected item-rest
            correlation); None if there is none.
        why: why there is none.
    """

    key: tuple[str, str]
    title: str
    section: str
    written: bool
    maximum: float
    done: int
    waiting: int
    mean: float
    deviation: float
    full: int
    nothing: int
    discrimination: float | None
    why: str = ""

    @property
    def difficulty(self) -> float:
        """The mean as a share of the maximum: 1 is easy, 0 is hard."""
        return self.mean / self.maximum if self.maximum else math.nan


def item_figures(table: ClassTable) -> list[ItemFigures]:
    by_item = grouped(table.of("item"))
    finished = {key for key, lines in by_item.items() if all(line.state == "done" for line in lines)}
    figures = []
    for key, lines in by_item.items():
        done = {line.student: line.points or 0.0 for line in lines if line.state == "done"}
        scores, maximum = list(done.values()), lines[0].maximum or 0.0
        rest = dict.fromkeys(done, 0.0)
        for other in finished - {key}:
            for line in by_item[other]:
                if line.student in rest:
                    rest[line.student] += line.points or 0.0
        discrimination, why = correlation(done, rest)
        figures.append(
            ItemFigures(
                key,
                lines[0].title,
                lines[0].section,
                lines[0].written,
                maximum,
                len(done),
                len(lines) - len(done),
                float(np.mean(scores)) if scores else math.nan,
                float(np.std(scores, ddof=1)) if len(scores) > 1 else math.nan,
                sum(score >= maximum - 1e-9 for score in scores),
                sum(score <= 1e-9 for score in scores),
                discrimination,
                why,
            )
        )
    return figures


def correlation(ones: dict[str, float], others: dict[str, float]) -> tuple[float | None, str]:
    """Pearson's correlation of two scores of the same students; or None, and why there is none."""
    if len(ones) < ENOUGH:
        return None, f"fewer than {ENOUGH} students"
    x, y = (np.array([scores[student] for student in ones]) for scores in (ones, others))
    if np.ptp(x) < 1e-9:
        return None, "all have the same"
    if np.ptp(y) < 1e-9:
        return None, "all have the same elsewhere"
    return float(np.corrcoef(x, y)[0, 1]), ""


def grouped(lines: Sequence[Line]) -> dict[tuple[str, str], list[Line]]:
    """Rows by item, in their order."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.notebook, line.item), []).append(line)
    return groups


@dataclass
class Place:
    """A cause in one item: who has it, which checks found it, with which hints."""

    title: str
    students: dict[str, str] = field(default_factory=dict)  # and what the check said to each
    hints: dict[str, None] = field(default_factory=dict)
    told: int = 0
    silent: int = 0


@dataclass
class Cause:
    """A cause over all items."""

    name: str
    places: dict[tuple[str, str], Place] = field(default_factory=dict)

    @property
    def students(self) -> set[str]:
        return {student for place in self.places.values() for student in place.students}


@dataclass
class Mistake:
    """A kind of mistake over all items, with its causes: those of most students first."""

    kind: str
    causes: dict[str, Cause] = field(default_factory=dict)
    lost: float = 0.0

    @property
    def name(self) -> str:
        """The cause itself if there is only one, and it is more than a message."""
        return next(iter(self.causes)) if len(self.causes) == 1 and self.kind not in UNNAMED else self.kind

    @property
    def students(self) -> set[str]:
        return {student for cause in self.causes.values() for student in cause.students}

    @property
    def items(self) -> dict[str, int]:
        """The number of students by the title of the item."""
        found: dict[str, set[str]] = {}
        for cause in self.causes.values():
            for place in cause.places.values():
                found.setdefault(place.title, set()).update(place.students)
        return {title: len(students) for title, students in found.items()}


def mistakes(table: ClassTable) -> list[Mistake]:
    """The mistakes that checks have found, those of most students first."""
    found: dict[str, Mistake] = {}
    for line in table.of("check"):
        if line.state == "passed":
            continue
        mistake = found.setdefault(line.cause_kind, Mistake(line.cause_kind))
        mistake.lost += (line.maximum or 0.0) - (line.points or 0.0)
        cause = mistake.causes.setdefault(line.cause, Cause(line.cause))
        place = cause.places.setdefault((line.notebook, line.item), Place(line.title))
        if line.student not in place.students:
            place.told += line.told == "yes"
            place.silent += line.told == "no"
        place.students.setdefault(line.student, line.message)
        if line.hint:
            place.hints[line.hint] = None
    for mistake in found.values():
        mistake.causes = dict(
            sorted(mistake.causes.items(), key=lambda pair: (-len(pair[1].students), pair[0]))
        )
    return sorted(found.values(), key=lambda mistake: (-len(mistake.students), -mistake.lost, mistake.kind))


@dataclass(frozen=True)
class Told:
    """Of those who lost points of an item to its checks: how many a visible check had told before they handed in."""

    title: str
    told: int
    silent: int
    unknown: int

    @property
    def lost(self) -> int:
        return self.told + self.silent + self.unknown


def told_before(table: ClassTable) -> list[Told]:
    """By item; "unknown" are those whose notebook came in without the outputs of its visible checks."""
    figures = []
    for lines in grouped(table.of("check")).values():
        states = {
            line.student: line.told for line in lines if line.state != "passed" and (line.maximum or 0.0) > 0
        }
        if states:
            counts = Counter(states.values())
            figures.append(Told(lines[0].title, counts["yes"], counts["no"], counts[""]))
    return figures


@dataclass(frozen=True)
class Suspicion:
    """Why an item may be mis-keyed, or may ask for something else than its author meant."""

    title: str
    reason: str


def suspicions(table: ClassTable) -> list[Suspicion]:
    """Items that an author should look at, with the reason in words."""
    found = []
    points = totals(table).points
    figures = {each.key: each for each in item_figures(table)}
    for key, each in figures.items():
        if each.discrimination is not None and each.discrimination < 0:
            found.append(
                Suspicion(
                    each.title,
                    "those who do well elsewhere do worse here: its correlation with the rest is "
                    f"{each.discrimination:.2f}".replace("-", "−"),
                )
            )
        lines = [line for line in table.of("check") if (line.notebook, line.item) == key]
        found += [Suspicion(each.title, reason) for reason in _odd_checks(lines, points)]
    return found


def _odd_checks(lines: Sequence[Line], points: dict[str, float]) -> list[str]:
    reasons = []
    by_check: dict[str, list[Line]] = {}
    for line in lines:
        by_check.setdefault(line.part, []).append(line)
    for check, results in by_check.items():
        errors = sum(line.state == "error" for line in results)
        if errors:
            reasons.append(
                f"the check “{check}” failed in {errors} answers in a way that its author did not expect"
            )
        tried = [line for line in results if line.cause_kind != "not written yet"]
        if not any((line.maximum or 0.0) > 0 for line in tried):
            continue
        if len(tried) >= FEW and all(line.state != "passed" for line in tried):
            reasons.append(f"nobody of {len(tried)} passes the check “{check}”")
        if len(tried) >= ENOUGH:
            ranked = sorted(tried, key=lambda line: (points.get(line.student, 0.0), line.student))
            third = len(ranked) // 3
            passed = [
                sum(line.state == "passed" for line in part) for part in (ranked[-third:], ranked[:third])
            ]
            if passed[1] - passed[0] >= max(2, third / 5):
                reasons.append(
                    f"of the best third, {passed[0]} of {third} pass the check “{check}”, of the last third {passed[1]}"
                )
            same = Counter(line.message for line in ranked[-third:] if line.cause == UNKNOWN)
            for message, count in same.most_common(1):
                if count * 2 >= third:
                    reasons.append(
                        f"{count} of the best {third} give the same answer, which no known mistake explains "
                        f"(“{message}”)"
                    )
    return reasons


@dataclass(frozen=True)
class RowFigures:
    """A row of a rubric: how many of those marked by it did not get it or, for a mistake, got it."""

    title: str
    text: str
    points: float
    marked: int
    missed: int


def rows_missed(table: ClassTable) -> list[RowFigures]:
    """By item, the rows missed most first."""
    figures = []
    for lines in grouped(table.of("row")).values():
        by_row: dict[str, list[Line]] = {}
        for line in lines:
            by_row.setdefault(line.part, []).append(line)
        rows = []
        for text, marked in by_row.items():
            points = marked[0].maximum or 0.0
            wrong = "missed" if points > 0 else "given"
            rows.append(
                RowFigures(
                    lines[0].title, text, points, len(marked), sum(line.state == wrong for line in marked)
                )
            )
        figures += sorted(rows, key=lambda row: -row.missed)
    return figures


@dataclass(frozen=True)
class Arrivals:
    """When work came in.

    Attributes:
        hours: before the due date (negative: late), by student; those whose time is not known are left out.
        nothing, ungraded: students who handed in nothing, and whose work is not graded yet.
        unknown: how many have no time.
        several: what is told of those who handed in several notebooks of which one counts, by student.
    """

    hours: dict[str, float]
    nothing: tuple[str, ...]
    ungraded: tuple[str, ...]
    unknown: int
    several: dict[str, str]

    @property
    def late(self) -> dict[str, float]:
        """Hours late, by student."""
        return {student: -hours for student, hours in self.hours.items() if hours < 0}


def arrivals(table: ClassTable) -> Arrivals:
    lines = table.of("hand-in")
    graded = [line for line in lines if line.state == "graded"]
    hours = {line.student: -line.seconds / 3600 for line in graded if line.seconds is not None}
    return Arrivals(
        hours,
        tuple(line.student for line in lines if line.state == "nothing"),
        tuple(line.student for line in lines if line.state == "not graded"),
        len(graded) - len(hours),
        {line.student: line.part for line in graded if line.part},
    )


def repairs(table: ClassTable) -> list[tuple[str, int]]:
    """What was repaired, with the number of students, the most frequent first."""
    students: dict[str, set[str]] = {}
    for line in table.of("repair"):
        students.setdefault(f"{line.notebook}: {line.part}", set()).add(line.student)
    return sorted(((what, len(who)) for what, who in students.items()), key=lambda pair: (-pair[1], pair[0]))


@dataclass(frozen=True)
class RunFigures:
    """How long a notebook's cells were busy, in seconds."""

    notebook: str
    runs: int
    median: float
    longest: float


def run_times(table: ClassTable) -> list[RunFigures]:
    seconds: dict[str, list[float]] = {}
    for line in table.of("run"):
        if line.seconds is not None:
            seconds.setdefault(line.notebook, []).append(line.seconds)
    return [
        RunFigures(name, len(times), float(np.median(times)), max(times)) for name, times in seconds.items()
    ]
