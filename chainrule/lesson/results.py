"""What a graded cell found: its checks, how each ended, and the table that people see.

Grading, feedback and marks read results without importing torch, which takes seconds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, Literal
from urllib.parse import quote

from chainrule.lesson.contents import contents

RESULT_TYPE = "application/vnd.chainrule.item+json"
CELL = 'style="text-align:left;vertical-align:top;padding:.2em .8em .2em 0;white-space:normal"'

# what students read of a check that itself stopped with an error
CRASHED = "this check itself stopped with an error"
LOOKED_AT = "a person is looking at it and gives its points"
TELL = "see whether your answer has the form that is asked for; if it has, tell your instructor"

Disclosure = Literal["always", "after due", "never"]
Means = Literal["", "right form", "consistent", "right"]


@dataclass(frozen=True)
class CheckResult:
    """How one check ended.

    Attributes:
        name, points, hint, disclose: as in `Item.check`.
        passed: whether the check earned its points.
        message: what was wrong, for the student.
        internal_error: the traceback if the check itself stopped with an error, for its author. Then a person decides
            about its points.
        review: a person should look at the answer before the item's score counts.
        means: what passing says about the answer, if it is a visible check; else "".
        cause: what the mistake is called, if the check knows it: the same words in all answers that have it.

    >>> CheckResult("the gradient", points=2, passed=True).earned
    2
    """

    name: str
    points: float
    passed: bool
    hint: str = ""
    disclose: Disclosure = "always"
    message: str = ""
    internal_error: str = ""
    review: bool = False
    means: Means = ""
    cause: str = ""

    @property
    def earned(self) -> float:
        return self.points if self.passed else 0.0


@dataclass(frozen=True)
class Result:
    """How a graded cell ended: its checks, and the sum of the points they earned as the cell's value.

    Attributes:
        grade_id, points, untouched: as for `Item`.

    >>> checks = [CheckResult("z", 1, True), CheckResult("h", 1.5, False, message="h is 2, off by 1")]
    >>> result = Result("p1-forward", 2.5, checks)
    >>> result
    1.0
    >>> result.to_dict()["score"]
    1.0
    """

    grade_id: str
    points: float
    checks: list[CheckResult] = field(default_factory=list)
    untouched: float | None = field(default=None, compare=False)

    @property
    def score(self) -> float:
        return round(sum((check.earned for check in self.checks), 0.0), 6)

    @property
    def reviews(self) -> list[str]:
        """What a person should look at, a sentence each."""
        crashed = [
            f"its check {check.name!r} stopped with an error of its own: {last_line(check.internal_error)}"
            for check in self.crashes
        ]
        return [check.message for check in self.checks if check.review] + crashed

    @property
    def crashes(self) -> list[CheckResult]:
        """The checks that stopped with an error of their own, which costs the student nothing.

        >>> Result("p1", 1, [CheckResult("z", 1, False, internal_error="TypeError: …")]).crashes[0].name
        'z'
        """
        return [check for check in self.checks if check.internal_error]

    def __float__(self) -> float:
        return self.score

    def __repr__(self) -> str:
        return repr(self.score)

    def to_dict(self) -> dict[str, Any]:
        """The structured result, JSON-ready."""
        record = asdict(self)
        del record["untouched"]
        return {"score": self.score, **record}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        # text/plain stays a bare number: that is what nbgrader reads as partial credit
        return {"text/plain": repr(self), "text/html": self.table(), RESULT_TYPE: self.to_dict()}

    def table(self, *, due: bool = False, graded: bool = False, name: str = "") -> str:
        """The result drawn as an HTML table, with every text escaped.

        Args:
            due: the due date is over, so names, messages and hints of checks disclosed "after due" are shown.
            graded: all checks ran; otherwise the caption says how many points hidden checks have.
            name: what the caption calls the item.
        """
        rows = "".join(_row(check, due, graded) for check in self.checks)
        shown = sum(check.points for check in self.checks)
        hidden = 0.0 if graded else round(self.points - shown, 6)
        sums = [f"{self.score:g} of {counted(shown)}"] if shown or not hidden else []
        if hidden:
            sums.append(f"{f'{hidden:g} more' if shown else counted(hidden)} for checks that run at grading")
        touched = f"; {self._touched(hidden)}" if hidden else ""
        head = "".join(f'<th scope="col" {CELL}>{name}</th>' for name in ("Check", "Points", "Result"))
        name = name or (self.grade_id if graded else contents().label(self.grade_id))
        return (
            f'<table id="checks-{quote(self.grade_id)}" class="chainrule-result" '
            'style="border-collapse:collapse;text-align:left;max-width:60em">'
            f'<caption style="text-align:left;padding:.3em 0"><b>{escape(name)}</b>: '
            f"{', and '.join(sums)}{touched}</caption>"
            f"<thead><tr>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )

    def _touched(self, hidden: float) -> str:
        """How much of what hidden checks decide the visible ones look at, too."""
        untouched = (
            hidden
            if self.untouched is None
            and not any(check.means in ("consistent", "right") for check in self.checks)
            else min(self.untouched or 0.0, hidden)
        )
        if untouched == hidden:
            return "no visible check touches them"
        return (
            f"no visible check touches {untouched:g} of them"
            if untouched
            else "visible checks touch all of them"
        )


def last_line(text: str) -> str:
    """The last line of a traceback, which names the error.

    >>> last_line("Traceback …\\n  line 3\\nTypeError: no")
    'TypeError: no'
    """
    return "".join(text.strip().splitlines()[-1:])


def counted(points: float | str) -> str:
    """A number of points, or its text, in words.

    >>> counted(1), counted("0.5")
    ('1 point', '0.5 points')
    """
    text = points if isinstance(points, str) else f"{points:g}"
    return f"{text} point" + "s" * (text != "1")


def _row(check: CheckResult, due: bool, graded: bool) -> str:
    disclosed = check.disclose == "always" or (check.disclose == "after due" and due)
    name = check.name if disclosed else "a hidden check"
    verdict = f"{check.means or 'passed'}" if check.passed else "not yet"
    if check.internal_error:
        verdict = f"{escape(CRASHED)}: {escape(LOOKED_AT if graded else TELL)}"
    elif not check.passed and disclosed:
        verdict += "".join(f"<br>{escape(text)}" for text in [check.message] if text)
        if check.hint and graded:
            verdict += f"<br>Hint: {escape(check.hint)}"
        elif check.hint:  # first where to look, and what to do only when asked for
            verdict += f"<details><summary>Hint</summary>{escape(check.hint)}</details>"
    elif not check.passed and check.disclose == "after due":
        verdict += "<br>explained after the due date"
    share = f"{check.earned:g}/{check.points:g}" if check.points else "–"
    return (
        f"<tr><td {CELL}>{escape(name)}</td><td {CELL}>{share}</td>"
        f"<td {CELL}>{_sign(check)} {verdict}</td></tr>"
    )


def _sign(check: CheckResult) -> str:
    """✓, ✗ or ? on a ground of its own, at least 4.5:1 whatever the page's colours are."""
    ground, sign = ("#1b7f4b", "✓") if check.passed else ("#b3261e", "✗")
    if check.internal_error:
        ground, sign = "#595f69", "?"
    return f'<span style="background:{ground};color:#ffffff;padding:0 .3em">{sign}</span>'


_last_results: dict[str, Result] = {}  # of this process, for `progress`


def keep_result(result: Result) -> None:
    """Note what an item says now.

    >>> keep_result(Result("quiz", 1.0))
    >>> last_results()["quiz"].points
    1.0
    """
    _last_results[result.grade_id] = result


def last_results() -> dict[str, Result]:
    """What each item said when it ran last in this process, by grade_id.

    >>> isinstance(last_results(), dict)
    True
    """
    return dict(_last_results)
