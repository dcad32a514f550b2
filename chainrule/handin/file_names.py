"""The names of handed-in files: `hand_in` writes them, intake recognises them.

A pattern is a file name. `{last}` and `{first}` are the student's names; `*` is both names and the assignment, or
anything when a file is recognised. `*.zip/main*.py` is a zip and the files in it.

    >>> pattern = FilePattern.parse("{last}_{first}_hw1.pdf")
    >>> pattern.file_name(StudentName("van der Berg", "Anna", "20815"), "hw1")
    'vanderBerg_Anna_hw1.pdf'
    >>> pattern.matches("van-der-Berg_Anna_hw1.pdf", StudentName("van der Berg", "Anna", "20815"))
    True
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import PurePosixPath

from chainrule.handin.errors import HandInError

MAX_NAME_BYTES = 60  # of one name within a file name; file systems take 255 for the whole
SEPARATOR = r"[ _'’.-]?"  # what students write between the words of one name


CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]+")


@dataclass(frozen=True)
class StudentName:
    """A student in a file name. Either name may be empty, for students who have only one.

    Attributes:
        number: the student number; it replaces an empty name.
    """

    last: str
    first: str
    number: str

    @property
    def full(self) -> str:
        """Both names in the order of their script: Chinese, Japanese and Korean names begin with the family's.

        >>> StudentName("Lovelace", "Ada", "1").full, StudentName("王", "小明", "2").full
        ('Ada Lovelace', '王小明')
        """
        if CJK.fullmatch(self.last) and CJK.fullmatch(self.first):
            return self.last + self.first
        return f"{self.first} {self.last}".strip()

    def tidy(self) -> StudentName:
        """The same name with composed letters and single spaces, without control characters.

        Raises:
            HandInError: there is no student number, or no letter in either name.
        """
        student = StudentName(*(_tidy(text) for text in (self.last, self.first, self.number)))
        if not letters(student.last) and not letters(student.first):
            raise HandInError(
                "your name has no letter in it: give last and first name as the course knows you"
            )
        if not letters(student.number):
            raise HandInError("your student number is missing: give it as the course knows you")
        return student


@dataclass(frozen=True)
class FilePattern:
    """One of the files that the handout asks for.

    Attributes:
        name: the file's name, with {last}, {first} and *.
        inside: for a zip, the names of the files in it, with *: `main*.py`.
    """

    name: str
    inside: str = ""

    @classmethod
    def parse(cls, text: str) -> FilePattern:
        """The pattern as it is written in c.Course.handin."""
        name, _, inside = text.partition("/")
        return cls(name, inside)

    @property
    def suffix(self) -> str:
        """The suffix of the files it asks for, in a zip or not: ".pdf"."""
        return PurePosixPath(self.inside or self.name).suffix.lower()

    @property
    def can_be_packed(self) -> bool:
        """Whether `hand_in` can make the file from notebooks, under a name that is not a path."""
        suffixes = (".py", ".ipynb") if self.inside else (".pdf", ".ipynb")
        is_zip = self.name.lower().endswith(".zip")
        return (
            self.suffix in suffixes
            and is_zip == bool(self.inside)
            and not set(self.name + self.inside) & set("/\\:")
        )

    def file_name(self, student: StudentName, assignment: str) -> str:
        """The file name that the handout asks this student for."""
        number = letters(student.number)
        last, first = letters(student.last) or number, letters(student.first) or number
        # a handout may ask for several zips, which must not have the same name
        content = f"_{self.suffix[1:]}" if self.inside else ""
        name = self.name.replace("*", f"{{last}}_{{first}}_{assignment}{content}")
        return name.replace("{last}", last).replace("{first}", first)

    def matches(self, name: str, student: StudentName) -> bool:
        """Whether `name` is this student's spelling of the pattern. Accents and separators may differ."""
        return _regex(self.name, student).fullmatch(_without_accents(name)) is not None

    def notebooks(self, names: list[str]) -> list[str]:
        """Those of these notebooks (file names) that go into the file."""
        if not self.inside:
            return names
        stems = [name.removesuffix(".ipynb") for name in names]
        return [f"{stem}.ipynb" for stem in stems if fnmatchcase(f"{stem}{self.suffix}", self.inside)]


def letters(name: str) -> str:
    """The letters and digits of a name, for use in a file name: van der Berg becomes vanderBerg, O'Neil ONeil.

    Accents and other alphabets stay. The result has at most `MAX_NAME_BYTES` bytes of UTF-8.
    """
    kept = "".join(c for c in unicodedata.normalize("NFC", name) if c.isalnum())
    return kept.encode()[:MAX_NAME_BYTES].decode(errors="ignore")


@cache
def _regex(pattern: str, student: StudentName) -> re.Pattern[str]:
    regex = re.escape(pattern).replace(r"\*", ".+")
    number = _spellings(student.number)
    for field in ("last", "first"):
        regex = regex.replace(rf"\{{{field}\}}", _spellings(getattr(student, field)) or number)
    return re.compile(regex, re.DOTALL)


def _spellings(name: str) -> str:
    """A regular expression for a name: with any separator between its words, as it is, or as `letters` writes it."""
    words = [re.escape(_without_accents(word)) for word in re.split(r"[\W_]+", name) if word]
    others = [re.escape(_without_accents(text)) for text in (name, letters(name))]
    return f"(?:{'|'.join([SEPARATOR.join(words), *others])})" if words else ""


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _tidy(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text))
    return " ".join(printable.split())
