"""What handed-in files are called.

A pattern is a file name in which {last} and {first} stand for the student's names and * for both and the
assignment. `*.zip/main*.py` is a zip, and what is to be in it.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

LONGEST = 60  # bytes of a name within a file name; file systems take 255 for all of it


class HandInError(ValueError):
    """Nothing can be handed in like this. The message says what to do."""

    def _render_traceback_(self) -> list[str]:
        # IPython's documented hook for exceptions that draw themselves
        return [f"Not handed in: {self}"]


@dataclass(frozen=True)
class Student:
    """Whose work it is; one of the names may be empty, for those who have only one."""

    last: str
    first: str
    number: str

    def tidy(self) -> Student:
        """The same with composed letters, single spaces and no control characters.

        Raises:
            HandInError: there is no student number, or no letter in either name.
        """
        student = Student(*(_tidy(text) for text in (self.last, self.first, self.number)))
        if not letters(student.last) and not letters(student.first):
            raise HandInError(
                "your name has no letter in it: give last and first name as the course knows you"
            )
        if not letters(student.number):
            raise HandInError("your student number is missing: give it as the course knows you")
        return student


@dataclass(frozen=True)
class Pattern:
    """A file that the handout asks for.

    Attributes:
        name: what it is called.
        inside: if it is a zip, which files are in it: `main*.py`.
    """

    name: str
    inside: str = ""

    @classmethod
    def of(cls, text: str) -> Pattern:
        """The pattern as it is written in nbgrader_config.py."""
        name, _, inside = text.partition("/")
        return cls(name, inside)

    @property
    def kind(self) -> str:
        """What is asked for, in a zip or not: ".pdf", ".ipynb" or ".py"."""
        return PurePosixPath(self.inside or self.name).suffix.lower()

    @property
    def usable(self) -> bool:
        """Whether it is something that can be made of notebooks, under a name that is no path."""
        kinds = (".py", ".ipynb") if self.inside else (".pdf", ".ipynb")
        zipped = self.name.lower().endswith(".zip")
        return (
            self.kind in kinds
            and zipped == bool(self.inside)
            and not set(self.name + self.inside) & set("/\\:")
        )

    def named(self, student: Student, assignment: str) -> str:
        """What this student's file is called."""
        number = letters(student.number)
        last, first = letters(student.last) or number, letters(student.first) or number
        zipped = f"_{self.kind[1:]}" if self.inside else ""  # or the two zips of a homework had one name
        name = self.name.replace("*", f"{{last}}_{{first}}_{assignment}{zipped}")
        return name.replace("{last}", last).replace("{first}", first)

    def of_these(self, notebooks: list[str]) -> list[str]:
        """The notebooks that go into it, by file name."""
        if not self.inside:
            return notebooks
        stems = [name.removesuffix(".ipynb") for name in notebooks]
        return [f"{stem}.ipynb" for stem in stems if fnmatchcase(f"{stem}{self.kind}", self.inside)]


def letters(name: str) -> str:
    """The letters and digits of a name, as it stands in a file name: van der Berg is vanderBerg, O'Neil ONeil.

    Accents and other alphabets stay.
    """
    kept = "".join(c for c in unicodedata.normalize("NFC", name) if c.isalnum())
    return kept.encode()[:LONGEST].decode(errors="ignore")


def _tidy(text: str) -> str:
    seen = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text))
    return " ".join(seen.split())
