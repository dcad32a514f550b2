"""What the names in an LMS's download say: who handed in, when, and which file.

Each LMS writes this into the first part of a name (its head); what follows is the student's own and never believed.
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

from chainrule.intake.roster import Person


@dataclass(frozen=True)
class Sent:
    """What a head says.

    Attributes:
        who: what names the student, in the LMS's way.
        number: an id of the LMS's own beside it, "" for none.
        moment: when it was received, by the LMS's clock; None if the head doesn't say.
        file: the student's name for the file; "" if the head is a folder's.
        late: whether the LMS calls it late.
        note: whether the LMS itself wrote the file.
    """

    who: str
    number: str = ""
    moment: datetime | None = None
    file: str = ""
    late: bool = False
    note: bool = False


Owner = Person | str  # a student, or why it is not known who


class Lms(ABC):
    """The conventions of one LMS."""

    name: str

    @abstractmethod
    def read(self, head: str) -> Sent | None:
        """What the first part of a name says; None if this LMS doesn't write such.

        Raises:
            ValueError: it says an impossible time.
        """

    @abstractmethod
    def owners(
        self, sent: Iterable[Sent], people: list[Person], notes: Mapping[str, str]
    ) -> dict[tuple[str, str], Owner]:
        """Who each (who, number) of a whole download is; `notes` are the LMS's own texts by `who`."""


class Blackboard(Lms):
    """`<Column>_<username>_attempt_YYYY-MM-DD-hh-mm-ss_<file>`, and `….txt` without a file for its receipt."""

    name = "blackboard"
    # the word for attempt is in the site's language
    pattern = re.compile(
        r"(?P<who>.+?)_[^\W\d_]+(?: [^\W\d_]+)*_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<file>.*)|(?P<note>\.txt))",
        re.DOTALL,
    )
    signed = re.compile(r"\A\s*[^\n]*?\((?P<username>[^()\n]+)\)[ \t\r]*$", re.MULTILINE)

    def read(self, head: str) -> Sent | None:
        if not (found := self.pattern.fullmatch(head)):
            return None
        moment = datetime.strptime(found["time"], "%Y-%m-%d-%H-%M-%S")
        file, note = found["file"] or "", bool(found["note"])
        return Sent(found["who"], moment=moment, file=head if note else file, note=note)

    def owners(
        self, sent: Iterable[Sent], people: list[Person], notes: Mapping[str, str]
    ) -> dict[tuple[str, str], Owner]:
        """Column and username may both have underscores: the column is the one that most students share."""
        by_username = {person.username.casefold(): person for person in people if person.username}
        heads = {one.who for one in sent}
        shared = Counter(
            column for head in heads for column, user in _splits(head) if user.casefold() in by_username
        )
        found: dict[tuple[str, str], Owner] = {}
        for head in heads:
            splits = _splits(head)
            if signature := self.signed.match(notes.get(head, "")):
                signer = signature["username"].strip().casefold()
                splits = [split for split in splits if split[1].casefold() == signer] or splits
            most = max((shared[column] for column, _ in splits), default=0)
            users = [user for column, user in splits if shared[column] == most] if most else []
            person = by_username.get(users[0].casefold()) if len(users) == 1 else None
            if person:
                found[head, ""] = person
            elif len(users) > 1:
                found[head, ""] = (
                    f"whose is this? The username is one of {', '.join(users)}: "
                    "take in the whole download, where others show the column's name"
                )
            else:
                found[head, ""] = f"nobody on the roster has the username at the end of {head!r}: add them"
        return found


def _splits(head: str) -> list[tuple[str, str]]:
    """All ways to read `<Column>_<username>`."""
    return [(head[: at.start()], head[at.end() :]) for at in re.finditer("_", head)]


class ByName(Lms):
    """An LMS that tells a student's full name, in one order for the whole site."""

    orders: tuple[Callable[[Person], str], ...] = (
        lambda person: person.first + person.last,
        lambda person: person.last + person.first,
    )

    def owners(
        self, sent: Iterable[Sent], people: list[Person], notes: Mapping[str, str]
    ) -> dict[tuple[str, str], Owner]:
        heads = {(one.who, one.number) for one in sent}
        ways = [_by_name(people, order) for order in self.orders]
        # the second order must be borne out by more than one: it might be another person
        hits = [len({who for who, _ in heads if folded(who) in way}) for way in ways]
        way = ways[hits.index(max(hits))] if max(hits) > 1 else ways[0]
        return {(who, number): self._owner(who, number, way) for who, number in heads}

    def _owner(self, who: str, number: str, way: Mapping[str, list[Person]]) -> Owner:
        same = way.get(folded(who), [])
        told = [person for person in same if number and person.id == number] or same
        if len(told) == 1:
            return told[0]
        if same:
            ids = ", ".join(person.id for person in same)
            return (
                f"several students are called {who}: write an id ({ids}) in the place of {number} in its name"
            )
        return f"nobody on the roster is called {who}: add them, or correct the name there"


def _by_name(people: list[Person], name: Callable[[Person], str]) -> dict[str, list[Person]]:
    found: dict[str, list[Person]] = {}
    for person in people:
        if key := folded(name(person)):
            found.setdefault(key, []).append(person)
    return found


class Brightspace(ByName):
    """`<id>-<id> - First Last - Mon D, YYYY HMM AM - <file>`, or a folder of that name without a file."""

    name = "brightspace"
    pattern = re.compile(
        r"(?P<number>\d+)-\d+ - (?P<who>.+?) - "
        r"(?P<month>[A-Za-z]+)\.? (?P<day>\d{1,2}), (?P<year>\d{4}) (?P<clock>\d{3,4})(?: ?(?P<half>[AP]M))?"
        r"(?: - (?P<file>.*))?",
        re.DOTALL | re.IGNORECASE,
    )

    def read(self, head: str) -> Sent | None:
        if head.lower() == "index.html":
            return Sent("", file=head, note=True)
        if not (found := self.pattern.fullmatch(head)):
            return None
        month, clock, half = found["month"][:3], found["clock"].zfill(4), found["half"]
        text = f"{month} {found['day']} {found['year']} {clock[:2]} {clock[2:]} {half or ''}"
        moment = datetime.strptime(text, "%b %d %Y %I %M %p" if half else "%b %d %Y %H %M ")
        return Sent(found["who"], number=found["number"], moment=moment, file=found["file"] or "")


class Canvas(ByName):
    """`<sortablename>[_LATE]_<userid>_<attachmentid>_<file>`, or `…_text.html`. It tells no time."""

    name = "canvas"
    orders = (
        lambda person: person.last + person.first,
        lambda person: _ascii(person.last + person.first),  # some sites drop other letters
    )
    pattern = re.compile(
        r"(?P<who>[^_]+)(?P<late>_LATE)?_(?P<number>\d+)_(?:\d+_(?P<file>.+)|(?P<note>text\.html?))",
        re.DOTALL | re.IGNORECASE,
    )

    def read(self, head: str) -> Sent | None:
        if not (found := self.pattern.fullmatch(head)):
            return None
        return Sent(
            found["who"],
            number=found["number"],
            file=head if found["note"] else found["file"],
            late=bool(found["late"]),
            note=bool(found["note"]),
        )


class Moodle(ByName):
    """`<Full name>_<participant id>_assignsubmission_file[_]<file>`, or that as a folder. It tells no time."""

    name = "moodle"
    pattern = re.compile(
        r"(?P<who>.+?)_(?P<number>\d+)_assignsubmission_(?P<kind>file|onlinetext)_?(?P<file>.*)", re.DOTALL
    )

    def read(self, head: str) -> Sent | None:
        if not (found := self.pattern.fullmatch(head)):
            return None
        return Sent(
            found["who"],
            number=found["number"],
            file=found["file"],
            note=found["kind"] == "onlinetext",
        )


LMS: dict[str, Lms] = {lms.name: lms for lms in (Blackboard(), Brightspace(), Moodle(), Canvas())}


def recognised(heads: Iterable[str]) -> Lms | None:
    """The LMS that writes most of these first parts of names; None if none writes any."""
    counted = Counter(lms.name for head in set(heads) for lms in LMS.values() if written_by(lms, head))
    return LMS[counted.most_common(1)[0][0]] if counted else None


def written_by(lms: Lms, head: str) -> bool:
    """Whether the LMS writes such names of students' files."""
    try:
        sent = lms.read(head)
    except ValueError:
        return True
    return sent is not None and bool(sent.who)


def folded(name: str) -> str:
    """A name without case, accents, spaces and punctuation, as LMSs write them differently."""
    return "".join(c for c in unicodedata.normalize("NFKD", name).casefold() if c.isalnum())


def _ascii(name: str) -> str:
    """What is left of a name in an LMS that drops other letters."""
    return "".join(c for c in name.lower() if c.isascii() and c.isalnum())


def called(words: list[str], person: Person) -> bool:
    """Whether these words have the person's last and first name side by side."""
    last, first = _words(person.last), _words(person.first)
    if not last or not first:
        return False
    wanted = (
        [*last, *first],
        [*first, *last],
        ["".join(last), "".join(first)],
        ["".join(first), "".join(last)],
    )
    return any(words[start:end] in wanted for start, end in combinations(range(len(words) + 1), 2))


def _words(name: str) -> list[str]:
    return [word for part in re.split(r"[\W_]+", name) if (word := folded(part))]
