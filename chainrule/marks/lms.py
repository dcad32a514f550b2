"""The tables of marks that Brightspace, Blackboard, Canvas and Moodle export and import.

Their English names come from D2L's, Anthology's and Moodle's documentation and from Canvas's and Moodle's source code
in 2024. They differ between sites and languages, so an instructor's own export always has priority.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from chainrule.course import CourseError
from chainrule.intake.lms_name import LmsName
from chainrule.intake.roster import Person
from chainrule.marks.sheet import Sheet
from chainrule.marks.totals import decimal_text


@dataclass(frozen=True)
class TableFormat:
    """How one LMS writes its tables of marks.

    Attributes:
        keys: headers of the columns that identify a student, in lower case. Each may have ids, usernames or email
            addresses, which differs between sites.
        marks_header: matches the header of a column of marks. Group `title`; group `points` if the header has them.
        new_table: makes a table of these people with an empty column of marks, from its title and maximum; returns the
            table and the column's index.
        id_prefix: a text before ids and usernames that is not part of them.
        excused: the mark of a student who is excused.
        own_titles: matches how the titles of columns begin that the LMS computes itself, and so doesn't import.
    """

    name: LmsName
    keys: frozenset[str]
    marks_header: re.Pattern[str]
    new_table: Callable[[Iterable[Person], str, Decimal], tuple[Sheet, int]]
    id_prefix: str = ""
    excused: str = ""
    own_titles: re.Pattern[str] | None = None

    def title(self, header: str) -> str | None:
        """The title in the header of a column of marks; None if it is not such a column."""
        match = self.marks_header.fullmatch(header.strip())
        return None if match is None else (match["title"] or match[0])

    def maximum(self, sheet: Sheet, column: int) -> Decimal | None:
        """The maximum of a column of marks; None if the table doesn't have it."""
        match = self.marks_header.fullmatch(sheet.header[column].strip())
        texts = [match["points"]] if match and "points" in self.marks_header.groupindex else []
        for row in sheet.rows[1:]:
            if is_points_row(row) and len(row) > column:
                texts.append(row[column])
            texts += [cell for name, cell in zip(sheet.header, row, strict=False) if name == "Maximum Grade"]
        return next(filter(None, map(parse_decimal, texts)), None)


def is_points_row(row: list[str]) -> bool:
    """Whether this is the row in which Canvas has the maxima."""
    return bool(row) and row[0].strip() == "Points Possible"


def parse_decimal(text: str | None) -> Decimal | None:
    """A number with a decimal point or comma; None if the text is not a number."""
    if text and re.fullmatch(r"-?\d+([.,]\d+)?", text.strip()):
        return Decimal(text.strip().replace(",", "."))
    return None


def _brightspace(people: Iterable[Person], title: str, maximum: Decimal) -> tuple[Sheet, int]:
    header = title if BRIGHTSPACE.title(title) else f"{title} Points Grade"
    rows = [[f"#{p.id}", f"#{p.username}" if p.username else "", "", "#"] for p in people]
    columns = ["OrgDefinedId", "Username", header, "End-of-Line Indicator"]
    return Sheet([columns, *rows], line_end="\r\n"), 2


def _blackboard(people: Iterable[Person], title: str, maximum: Decimal) -> tuple[Sheet, int]:
    match = re.fullmatch(r"(?P<title>.+?) *(?P<points>\[[^\]]*\])? *\| *(?P<id>\d+)", title)
    if match is None:
        raise CourseError(
            f"Blackboard recognises a column by its id, which {title!r} lacks: give its own download by --export, "
            f"or the id at the end of --column, as in --column '{title} |123456'"
        )
    points = match["points"] or f"[Total Pts: {decimal_text(maximum)} Score]"
    header = ["Last Name", "First Name", "Username", "Student ID"]
    rows = [[_one_line(p.last), _one_line(p.first), p.username, p.id, ""] for p in people if p.username]
    marks_header = f"{match['title']} {points} |{match['id']}"
    sheet = Sheet([[*header, marks_header], *rows], mark=codecs.BOM_UTF8, line_end="\r\n", quote_all=True)
    return sheet, 4


def _canvas(people: Iterable[Person], title: str, maximum: Decimal) -> tuple[Sheet, int]:
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", title]
    points = ["    Points Possible", "", "", "", "", decimal_text(maximum)]
    rows = [
        [", ".join(filter(None, map(_one_line, (p.last, p.first)))), "", p.id, p.username, "", ""]
        for p in people
    ]
    return Sheet([header, points, *rows]), 5


def _moodle(people: Iterable[Person], title: str, maximum: Decimal) -> tuple[Sheet, int]:
    return Sheet([["Email address", title], *([p.email, ""] for p in people if p.email)]), 1


def _one_line(name: str) -> str:
    """The name on one line, without control characters."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(name.split()))


BRIGHTSPACE = TableFormat(
    LmsName.brightspace,
    frozenset({"orgdefinedid", "username", "email"}),
    re.compile(r"(?P<title>.+?) Points Grade(?: <[^>]*?MaxPoints:(?P<points>[\d.,]+)[^>]*>)?"),
    _brightspace,
    id_prefix="#",
)
BLACKBOARD = TableFormat(
    LmsName.blackboard,
    frozenset({"username", "student id"}),
    # a calculated column has "up to" before its points
    re.compile(r"(?P<title>.+?) \[[^\[\]:]+: ?(?P<points>\d[\d.,]*)(?: [^\]]*)?\] ?\|\d+"),
    _blackboard,
)
CANVAS = TableFormat(
    LmsName.canvas,
    frozenset({"id", "sis user id", "sis login id"}),
    re.compile(r"(?P<title>.+) \(\d+\)"),
    _canvas,
    excused="EX",
    own_titles=re.compile(r"\s*(?:unposted\s+)?(?:current|final|override)\b", re.IGNORECASE),
)
MOODLE = TableFormat(
    LmsName.moodle,
    frozenset({"email address", "id number", "username"}),
    re.compile(r"(?:[^:]+: ?)?(?P<title>.+) \(Real\)|Grade"),
    _moodle,
)
TABLE_FORMATS = {lms.name: lms for lms in (BRIGHTSPACE, BLACKBOARD, CANVAS, MOODLE)}
