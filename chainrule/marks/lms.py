"""What Brightspace, Blackboard, Canvas and Moodle call things in the tables that they export and import.

By D2L's, Anthology's and Moodle's documentation and Canvas's and Moodle's sources as of 2024, in English. Sites and
languages differ, hence an instructor's own export always wins.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from chainrule.course import CourseError
from chainrule.intake.roster import Person
from chainrule.marks.sheet import Sheet
from chainrule.marks.totals import written


class LmsName(StrEnum):
    brightspace = "brightspace"
    blackboard = "blackboard"
    canvas = "canvas"
    moodle = "moodle"


@dataclass(frozen=True)
class Lms:
    """The conventions of one LMS.

    Attributes:
        keys: the columns that name a student, in small letters. Sites differ in what they put there: any may hold
            the id, the username or the email address.
        grade: what the header of a column of marks looks like. Its groups `title` and, where the header tells it,
            `points`.
        fresh: a table of these people with an empty column of marks for an item of so many points, and that
            column's index.
        id_prefix: what stands before ids and usernames and is no part of them.
        excused: a mark that says that a student needs none.
    """

    name: LmsName
    keys: frozenset[str]
    grade: re.Pattern[str]
    fresh: Callable[[Iterable[Person], str, Decimal], tuple[Sheet, int]]
    id_prefix: str = ""
    excused: str = ""

    def title(self, header: str) -> str | None:
        """What the item is called whose marks the column holds; None if it is no column of marks."""
        match = self.grade.fullmatch(header.strip())
        return None if match is None else (match["title"] or match[0])

    def maximum(self, sheet: Sheet, column: int) -> Decimal | None:
        """The item's maximum, where the table tells it."""
        match = self.grade.fullmatch(sheet.header[column].strip())
        texts = [match["points"]] if match and "points" in self.grade.groupindex else []
        for row in sheet.rows[1:]:
            if is_points_row(row) and len(row) > column:
                texts.append(row[column])
            texts += [cell for name, cell in zip(sheet.header, row, strict=False) if name == "Maximum Grade"]
        return next(filter(None, map(number, texts)), None)


def is_points_row(row: list[str]) -> bool:
    """Whether this is Canvas's row of maxima."""
    return bool(row) and row[0].strip() == "Points Possible"


def number(text: str | None) -> Decimal | None:
    """The number that stands there, with a point or a comma; None if there is none."""
    if text and re.fullmatch(r"-?\d+([.,]\d+)?", text.strip()):
        return Decimal(text.strip().replace(",", "."))
    return None


def _brightspace(people: Iterable[Person], item: str, maximum: Decimal) -> tuple[Sheet, int]:
    title = item if BRIGHTSPACE.title(item) else f"{item} Points Grade"
    rows = [[f"#{p.id}", f"#{p.username}" if p.username else "", "", "#"] for p in people]
    header = ["OrgDefinedId", "Username", title, "End-of-Line Indicator"]
    return Sheet([header, *rows], line_end="\r\n"), 2


def _blackboard(people: Iterable[Person], item: str, maximum: Decimal) -> tuple[Sheet, int]:
    match = re.fullmatch(r"(?P<title>.+?) *(?P<points>\[[^\]]*\])? *\| *(?P<id>\d+)", item)
    if match is None:
        raise CourseError(
            f"Blackboard knows a column by its id, which {item!r} lacks: give its own download by --columns, "
            f"or the id at the end of --item, as in --item '{item} |123456'"
        )
    points = match["points"] or f"[Total Pts: {written(maximum)} Score]"
    header = ["Last Name", "First Name", "Username", "Student ID"]
    rows = [[_one_line(p.last), _one_line(p.first), p.username, p.id, ""] for p in people if p.username]
    title = f"{match['title']} {points} |{match['id']}"
    sheet = Sheet([[*header, title], *rows], mark=codecs.BOM_UTF8, line_end="\r\n", quote_all=True)
    return sheet, 4


def _canvas(people: Iterable[Person], item: str, maximum: Decimal) -> tuple[Sheet, int]:
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", item]
    points = ["    Points Possible", "", "", "", "", written(maximum)]
    rows = [
        [", ".join(filter(None, map(_one_line, (p.last, p.first)))), "", p.id, p.username, "", ""]
        for p in people
    ]
    return Sheet([header, points, *rows]), 5


def _moodle(people: Iterable[Person], item: str, maximum: Decimal) -> tuple[Sheet, int]:
    return Sheet([["Email address", item], *([p.email, ""] for p in people if p.email)]), 1


def _one_line(name: str) -> str:
    """The name in one line, without control characters."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(name.split()))


BRIGHTSPACE = Lms(
    LmsName.brightspace,
    frozenset({"orgdefinedid", "username", "email"}),
    re.compile(r"(?P<title>.+?) Points Grade(?: <[^>]*?MaxPoints:(?P<points>[\d.,]+)[^>]*>)?"),
    _brightspace,
    id_prefix="#",
)
BLACKBOARD = Lms(
    LmsName.blackboard,
    frozenset({"username", "student id"}),
    # a calculated column has "up to" before its points
    re.compile(r"(?P<title>.+?) \[[^\[\]:]+: ?(?P<points>\d[\d.,]*)(?: [^\]]*)?\] ?\|\d+"),
    _blackboard,
)
CANVAS = Lms(
    LmsName.canvas,
    frozenset({"id", "sis user id", "sis login id"}),
    re.compile(r"(?P<title>.+) \(\d+\)"),
    _canvas,
    excused="EX",
)
MOODLE = Lms(
    LmsName.moodle,
    frozenset({"email address", "id number", "username"}),
    re.compile(r"(?:[^:]+: ?)?(?P<title>.+) \(Real\)|Grade"),
    _moodle,
)
LMS = {lms.name: lms for lms in (BRIGHTSPACE, BLACKBOARD, CANVAS, MOODLE)}
