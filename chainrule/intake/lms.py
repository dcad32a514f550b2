"""Reads the file names in an LMS's download: which student handed in, when, and which file.

Each LMS writes this into the first part of a name, its head. The rest was written by the student and is not trusted.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from chainrule.intake.lms_name import LmsName
from chainrule.intake.roster import Person


@dataclass(frozen=True)
class ParsedName:
    """The content of a head.

    Attributes:
        who: the student's name or username, as the LMS writes it.
        number: the LMS's own id of the student, or "".
        received: when it came in, by the LMS's clock; None if the head doesn't say.
        file: the student's name for the file; "" if the head names a folder.
        late: whether the LMS marks it as late.
        note: whether the LMS itself wrote the file.
    """

    who: str
    number: str = ""
    received: datetime | None = None
    file: str = ""
    late: bool = False
    note: bool = False


Owner = Person | str  # a student, or the reason why the student is not known


class DownloadFormat(ABC):
    """How one LMS names the files of a download."""

    name: LmsName

    @abstractmethod
    def read(self, head: str) -> ParsedName | None:
        """The content of a head; None if this LMS doesn't write such heads.

        Raises:
            ValueError: its time is impossible.
        """

    @abstractmethod
    def owners(
        self, names: Iterable[ParsedName], people: list[Person], notes: Mapping[str, str]
    ) -> dict[tuple[str, str], Owner]:
        """The owner of each (who, number) in a complete download. `notes` are the LMS's own texts by `who`."""


class Blackboard(DownloadFormat):
    """`<Column>_<username>_attempt_YYYY-MM-DD-hh-mm-ss_<file>`, and `….txt` without a file for its receipt."""

    name = LmsName.blackboard
    # "attempt" is in the site's language
    pattern = re.compile(
        r"(?P<who>.+?)_[^\W\d_]+(?: [^\W\d_]+)*_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<file>.*)|(?P<note>\.txt))",
        re.DOTALL,
    )
    signed = re.compile(r"\A\s*[^\n]*?\((?P<username>[^()\n]+)\)[ \t\r]*$", re.MULTILINE)

    def read(self, head: str) -> ParsedName | None:
        if not (match := self.pattern.fullmatch(head)):
            return None
        received = datetime.strptime(match["time"], "%Y-%m-%d-%H-%M-%S")
        file, note = match["file"] or "", bool(match["note"])
        return ParsedName(match["who"], received=received, file=head if note else file, note=note)

    def owners(
        self, names: Iterable[ParsedName], people: list[Person], notes: Mapping[str, str]
    ) -> dict[tuple[str, str], Owner]:
        """Column and username may both have underscores; the column is the text that most heads share."""
        by_username = {person.username.casefold(): person for person in people if person.username}
        heads = {name.who for name in names}
        shared = Counter(
            column for head in heads for column, user in _splits(head) if user.casefold() in by_username
        )
        owners: dict[tuple[str, str], Owner] = {}
        for head in heads:
            splits = _splits(head)
            if signature := self.signed.match(notes.get(head, "")):
                signer = signature["username"].strip().casefold()
                splits = [split for split in splits if split[1].casefold() == signer] or splits
            most = max((shared[column] for column, _ in splits), default=0)
            users = [user for column, user in splits if shared[column] == most] if most else []
            person = by_username.get(users[0].casefold()) if len(users) == 1 else None
            if person:
                owners[head, ""] = person
            elif len(users) > 1:
                owners[head, ""] = (
                    f"whose is this? The username is one of {', '.join(users)}: "
                    "take in the complete download, in which other names show the column's name"
                )
            else:
                owners[head, ""] = f"nobody on the roster has the username at the end of {head!r}: add them"
        return owners


def _splits(head: str) -> list[tuple[str, str]]:
    """All ways to read `<Column>_<username>`."""
    return [(head[: at.start()], head[at.end() :]) for at in re.finditer("_", head)]


class ByName(DownloadFormat):
    """An LMS that writes the student's full name, in the same order for the whole site."""

    orders: tuple[Callable[[Person], str], ...] = (
        lambda person: person.first + person.last,
        lambda person: person.last + person.first,
    )

    def owners(
        self, names: Iterable[ParsedName], people: list[Person], notes: Mapping[str, str]
    ) -> dict[tuple[str, str], Owner]:
        heads = {(name.who, name.number) for name in names}
        indexes = [_by_name(people, order) for order in self.orders]
        # one hit is not enough for the second order: it might be another person
        hits = [len({who for who, _ in heads if folded(who) in index}) for index in indexes]
        index = indexes[hits.index(max(hits))] if max(hits) > 1 else indexes[0]
        return {(who, number): self._owner(who, number, index) for who, number in heads}

    def _owner(self, who: str, number: str, index: Mapping[str, list[Person]]) -> Owner:
        same_name = index.get(folded(who), [])
        candidates = [person for person in same_name if number and person.id == number] or same_name
        if len(candidates) == 1:
            return candidates[0]
        if same_name:
            ids = ", ".join(person.id for person in same_name)
            return (
                f"several students are called {who}: write an id ({ids}) in the place of {number} in its name"
            )
        return f"nobody on the roster is called {who}: add them, or correct the name there"


def _by_name(people: list[Person], name: Callable[[Person], str]) -> dict[str, list[Person]]:
    index: dict[str, list[Person]] = {}
    for person in people:
        if key := folded(name(person)):
            index.setdefault(key, []).append(person)
    return index


class Brightspace(ByName):
    """`<id>-<id> - First Last - Mon D, YYYY HMM AM - <file>`, or a folder of that name without a file."""

    name = LmsName.brightspace
    pattern = re.compile(
        r"(?P<number>\d+)-\d+ - (?P<who>.+?) - "
        r"(?P<month>[A-Za-z]+)\.? (?P<day>\d{1,2}), (?P<year>\d{4}) (?P<clock>\d{3,4})(?: ?(?P<half>[AP]M))?"
        r"(?: - (?P<file>.*))?",
        re.DOTALL | re.IGNORECASE,
    )

    def read(self, head: str) -> ParsedName | None:
        if head.lower() == "index.html":
            return ParsedName("", file=head, note=True)
        if not (match := self.pattern.fullmatch(head)):
            return None
        month, clock, half = match["month"][:3], match["clock"].zfill(4), match["half"]
        text = f"{month} {match['day']} {match['year']} {clock[:2]} {clock[2:]} {half or ''}"
        received = datetime.strptime(text, "%b %d %Y %I %M %p" if half else "%b %d %Y %H %M ")
        return ParsedName(match["who"], number=match["number"], received=received, file=match["file"] or "")


class Canvas(ByName):
    """`<sortablename>[_LATE]_<userid>_<attachmentid>_<file>`, or `…_text.html`. It doesn't say when.

    With anonymous marking, `anon_<anonymous id>` is in the place of the name, on some sites without a user id.
    """

    name = LmsName.canvas
    orders = (
        lambda person: person.last + person.first,
        lambda person: _ascii(person.last + person.first),  # some sites drop letters that are not ASCII
    )
    pattern = re.compile(
        r"(?P<who>[^_]+)(?P<late>_LATE)?_(?P<number>\d+)_(?:\d+_(?P<file>.+)|(?P<note>text\.html?))",
        re.DOTALL | re.IGNORECASE,
    )
    anonymous = re.compile(
        r"(?P<who>anon_[a-z0-9]+)(?P<late>_LATE)?(?:_(?P<number>\d+))?(?:_\d+_(?P<file>.+)|_(?P<note>text\.html?))",
        re.DOTALL | re.IGNORECASE,
    )

    def read(self, head: str) -> ParsedName | None:
        if not (match := self.anonymous.fullmatch(head) or self.pattern.fullmatch(head)):
            return None
        return ParsedName(
            match["who"],
            number=match["number"] or "",
            file=head if match["note"] else match["file"],
            late=bool(match["late"]),
            note=bool(match["note"]),
        )


class Moodle(ByName):
    """`<Full name>_<participant id>_assignsubmission_file[_]<file>`, or that as a folder. It doesn't say when."""

    name = LmsName.moodle
    pattern = re.compile(
        r"(?P<who>.+?)_(?P<number>\d+)_assignsubmission_(?P<kind>file|onlinetext)_?(?P<file>.*)", re.DOTALL
    )

    def read(self, head: str) -> ParsedName | None:
        if not (match := self.pattern.fullmatch(head)):
            return None
        return ParsedName(
            match["who"],
            number=match["number"],
            file=match["file"],
            note=match["kind"] == "onlinetext",
        )


DOWNLOAD_FORMATS: dict[str, DownloadFormat] = {
    lms.name: lms for lms in (Blackboard(), Brightspace(), Moodle(), Canvas())
}


def recognise(heads: Iterable[str]) -> DownloadFormat | None:
    """The LMS that writes most of these heads; None if no LMS writes any of them."""
    counted = Counter(
        lms.name for head in set(heads) for lms in DOWNLOAD_FORMATS.values() if is_student_file(lms, head)
    )
    return DOWNLOAD_FORMATS[counted.most_common(1)[0][0]] if counted else None


def is_student_file(lms: DownloadFormat, head: str) -> bool:
    """Whether the LMS names students' files so."""
    try:
        name = lms.read(head)
    except ValueError:
        return True
    return name is not None and bool(name.who)


def is_known(lms: DownloadFormat, head: str) -> bool:
    """Whether the LMS names students' files or its own files so."""
    return is_student_file(lms, head) or lms.read(head) is not None


def folded(name: str) -> str:
    """A name without case, accents, spaces and punctuation, which differ between LMSs."""
    return "".join(c for c in unicodedata.normalize("NFKD", name).casefold() if c.isalnum())


def _ascii(name: str) -> str:
    """A name's ASCII letters and digits, in lower case."""
    return "".join(c for c in name.lower() if c.isascii() and c.isalnum())


def contains_name(words: list[str], person: Person) -> bool:
    """Whether these words contain the person's last and first name side by side."""
    last, first = _words(person.last), _words(person.first)
    if not last or not first:
        return False
    names = (
        [*last, *first],
        [*first, *last],
        ["".join(last), "".join(first)],
        ["".join(first), "".join(last)],
    )
    return any(words[start:end] in names for start, end in combinations(range(len(words) + 1), 2))


def _words(name: str) -> list[str]:
    return [word for part in re.split(r"[\W_]+", name) if (word := folded(part))]
