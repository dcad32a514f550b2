"""What the handout asks for, by file names: c.Course.handin.

`{last}_{first}_hw1.pdf` is a name, `*.zip/*.py` is a zip of any name with .py files in it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath

from chainrule.intake.roster import Person

SEPARATOR = r"[ _'’.-]?"  # what may stand between the words of one name
# what browsers and file managers add to the name of a second copy
COPY = re.compile(r"(?: ?\((?P<number>\d{1,3})\)|[ _-]+copy(?: ?(?P<copy>\d{1,3}))?)$", re.IGNORECASE)
AGAIN = re.compile(r"-\d{1,3}$")  # what Canvas adds to that of a second upload


@dataclass(frozen=True)
class Rule:
    """One of the files that the handout asks for.

    Attributes:
        name: what it is called: {last}, {first} and * for anything.
        inside: if that is a zip, what the files in it are called.
    """

    name: str
    inside: str = ""

    @classmethod
    def of(cls, pattern: str) -> Rule:
        """The rule as it is written in nbgrader_config.py."""
        name, _, inside = pattern.partition("/")
        return cls(name, inside)

    @property
    def suffix(self) -> str:
        """The suffix of the files it asks for, in a zip or not: ".pdf"."""
        return PurePosixPath(self.inside or self.name).suffix.lower()

    def allows(self, name: str, person: Person) -> bool:
        """Whether that is how this student should call the file."""
        return _pattern(self.name, person).fullmatch(_plain(name)) is not None

    def named(self, person: Person, assignment: str) -> str:
        """What this student should call the file."""
        last, first = letters(person.last) or person.id, letters(person.first) or person.id
        anything = f"{last}_{first}_{assignment}"
        return self.name.replace("*", anything).replace("{last}", last).replace("{first}", first)


def letters(name: str) -> str:
    """The letters and digits of a name, as it stands in a file name: van der Berg is vanderBerg."""
    return "".join(c for c in unicodedata.normalize("NFC", name) if c.isalnum())


def original(name: str, *, canvas: bool = False) -> tuple[str, int]:
    """A file's name without what marks a copy, and which copy it is: `a (2).pdf` is copy 2 of `a.pdf`.

    `canvas`: Canvas's mark of a second upload goes, too; the student didn't put it there.
    """
    path = PurePosixPath(name)
    stem, number = path.stem, 0
    if canvas:
        stem = AGAIN.sub("", stem)
    while found := COPY.search(stem):
        number += int(found["number"] or found["copy"] or 1)
        stem = stem[: found.start()]
    return (stem + path.suffix, number) if stem.strip() else (name, 0)


@cache
def _pattern(name: str, person: Person) -> re.Pattern[str]:
    pattern = re.escape(name).replace(r"\*", ".+")
    for field in ("last", "first"):
        words = [re.escape(_plain(word)) for word in re.split(r"[\W_]+", getattr(person, field)) if word]
        pattern = pattern.replace(rf"\{{{field}\}}", SEPARATOR.join(words) or re.escape(person.id))
    return re.compile(pattern, re.DOTALL)


def _plain(text: str) -> str:
    """The text without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
