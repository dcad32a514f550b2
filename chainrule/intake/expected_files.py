"""The files that an assignment expects, and which of them a student's file is."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePosixPath

from chainrule.alternatives import group_of
from chainrule.course import CourseFolder
from chainrule.handin.file_names import FilePattern
from chainrule.intake.errors import RejectedFileError, UnexpectedFileError
from chainrule.intake.files import content, declared
from chainrule.intake.lms import contains_name, folded
from chainrule.intake.notebook import UnreadableNotebookError, foreign_encoding, read, read_source
from chainrule.intake.notebook_matcher import NotebookMatcher
from chainrule.intake.roster import Person
from chainrule.intake.unpack import is_zip

PDF_MIB = 100  # scans of handwriting are large
OTHER_MIB = 20
ARCHIVES = {".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"}
# what students hand in where a PDF is asked for
DOCUMENTS = {
    ".doc",
    ".docx",
    ".odt",
    ".rtf",
    ".pages",
    ".tex",
    ".html",
    ".htm",
    ".md",
    ".txt",
    ".ppt",
    ".pptx",
    ".key",
}
DOCUMENTS |= {
    ".heic",
    ".heif",
    ".jpg",
    ".jpeg",
    ".png",
    ".gif",
    ".tif",
    ".tiff",
    ".webp",
    ".bmp",
    ".xps",
    ".ps",
}
SAFE_NAME = re.compile(r"\w[\w .()+-]{0,120}")
# what browsers and file managers add to the name of a second copy
COPY = re.compile(r"(?: ?\((?P<number>\d{1,3})\)|[ _-]+copy(?: ?(?P<copy>\d{1,3}))?)$", re.IGNORECASE)
CANVAS_COPY = re.compile(r"-\d{1,3}$")  # what Canvas adds to the name of a second upload


@dataclass(frozen=True)
class MatchedFile:
    """A file that the assignment expects.

    Attributes:
        target: its name in submitted/<student>/<assignment>/.
        copy: the number of the copy, if its name says that it is one; else 0.
        repairs: what is not as the handout asks, a clause each.
        encoding: that of a notebook which is to be rewritten as UTF-8; else "".
        name: its own name, if that doesn't tell for which of several notebooks it is.
    """

    target: str
    copy: int
    repairs: tuple[str, ...]
    encoding: str = ""
    name: str = ""


class ExpectedFiles:
    """The notebooks, the files beside them and the other files that an assignment expects.

    Args:
        people: the roster.
    """

    def __init__(self, course: CourseFolder, assignment: str, people: list[Person]) -> None:
        self.assignment, self.people = assignment, people
        masters = {path.name: read_source(path) for path in course.notebooks(assignment)}
        self.notebooks = list(masters)
        self.matcher = NotebookMatcher(masters)
        self.other_assignments = {
            other: NotebookMatcher({path.name: read_source(path) for path in course.notebooks(other)})
            for other in course.assignments
            if other != assignment
        }
        of = {name: declared(nb, name) for name, nb in masters.items()}
        self.beside = dict(chain.from_iterable(files.items() for files in of.values()))
        self.owners = {file: name for name, files in of.items() for file in files}
        self.alternatives = [
            [f"{name}.ipynb" for name in group] for group in course.course.alternatives_of(assignment)
        ]
        self.patterns = [FilePattern.parse(text) for text in course.course.handin.get(assignment, [])]

    def match(self, path: Path, parts: Sequence[str], person: Person, *, canvas: bool = False) -> MatchedFile:
        """Find which of the expected files a student's file is.

        Args:
            path: where its content is.
            parts: the student's own name for it, after the zips and folders that contain it.
            canvas: whether `-1` at its end is Canvas's mark of a second upload.
        Raises:
            RejectedFileError: it is an expected file, but can't be used.
            UnexpectedFileError: it is not an expected file.
        """
        if any(part.startswith(".") for part in parts):
            raise UnexpectedFileError("a hidden file, which programs make")
        name, copy = without_copy_mark(parts[-1], canvas=canvas)
        if any(
            "*" not in pattern.name and pattern.matches(parts[-1], person.name) for pattern in self.patterns
        ):
            name, copy = parts[-1], 0
        name, suffix = self._without_added_suffix(path, name)
        encoding = ""
        if suffix == ".ipynb":
            target, repairs = self._notebook(path, name, person)
            if encoding := foreign_encoding(path):
                repairs.append(f"saved as {encoding}, not as UTF-8")
        elif beside := self._beside(name):
            target = beside[0]
            unclear = name if beside[1:] else ""
            repairs = [f"called {name}, not {target}"] if name != target and not unclear else []
            _content(path, self.beside[target])
            told = self._all_repairs(parts, name, copy, person, None, repairs, canvas)
            return MatchedFile(target, copy, told, name=unclear)
        elif suffix == ".pdf" and (pattern := self._pattern(".pdf", name, person)):
            if b"%PDF-" not in _content(path, PDF_MIB)[:1024]:
                raise RejectedFileError("called a PDF, but it is none: export it again")
            target, repairs = pattern.file_name(person.name, self.assignment), []
        elif suffix and self._pattern(suffix, name, person):
            _content(path, OTHER_MIB)
            if not SAFE_NAME.fullmatch(name):
                raise RejectedFileError("an odd name: rename it to letters, digits and . _ -")
            target, repairs = f"{suffix[1:]}/{name}", []
        elif suffix in ARCHIVES:
            raise RejectedFileError("an archive that is not opened: hand in a .zip")
        else:
            raise UnexpectedFileError("nothing that the assignment asks for")
        expected = self._pattern(suffix, name, person)
        return MatchedFile(
            target, copy, self._all_repairs(parts, name, copy, person, expected, repairs, canvas), encoding
        )

    def missing(self, folder: Path, person: Person) -> list[str]:
        """The expected files that are not in a student's folder, by the names that the handout asks for."""
        suffixes = {path.suffix.lower() for path in folder.rglob("*")}
        missing = [pattern for pattern in self.patterns if pattern.suffix not in suffixes]
        names = [
            f"{pattern.file_name(person.name, self.assignment)}{' with ' * bool(pattern.inside)}{pattern.inside}"
            for pattern in missing
        ]
        if not any(pattern.suffix == ".ipynb" for pattern in missing):
            groups = [*dict.fromkeys(tuple(group_of(self.alternatives, name)) for name in self.notebooks)]
            names += [
                " or ".join(group) for group in groups if not any((folder / name).exists() for name in group)
            ]
        return names

    def _without_added_suffix(self, path: Path, name: str) -> tuple[str, str]:
        """The name and its suffix in lower case, without a suffix that a program has added, as in `a.ipynb.txt`."""
        inner, outer = PurePosixPath(name).stem, PurePosixPath(name).suffix.lower()
        if (hidden := PurePosixPath(inner).suffix.lower()) in (".ipynb", ".pdf") and outer in (
            ".txt",
            ".json",
            ".download",
        ):
            return inner, hidden
        if not outer:
            with path.open("rb") as file:
                if file.read(5) == b"%PDF-":
                    return name, ".pdf"
        return name, outer

    def _pattern(self, suffix: str, name: str, person: Person) -> FilePattern | None:
        """The pattern for files with this suffix, if possible one that matches the name."""
        patterns = [pattern for pattern in self.patterns if pattern.suffix == suffix]
        matching = [pattern for pattern in patterns if pattern.matches(name, person.name)]
        return next(iter([*matching, *patterns]), None)

    def beside_handed_in(self, match: MatchedFile, handed_in: Collection[str]) -> MatchedFile:
        """A file whose name doesn't tell for which of several notebooks it is, beside the one that was handed in."""
        if not match.name:
            return match
        fitting = self._beside(match.name)
        target = next((file for file in fitting if self.owners[file] in handed_in), fitting[0])
        return replace(
            match, target=target, repairs=(f"called {match.name}, not {target}", *match.repairs), name=""
        )

    def _beside(self, name: str) -> list[str]:
        """The file beside a notebook that this is: the one of that name, or the only one with that suffix. There may be
        one for each of several notebooks of which one is handed in."""
        suffix = PurePosixPath(name).suffix.lower()
        same_suffix = [
            other for other in self.beside if PurePosixPath(other).suffix == suffix and suffix != ".pdf"
        ]
        if name in self.beside:
            return [name]
        group = group_of(self.alternatives, self.owners[same_suffix[0]]) if same_suffix else ()
        owners = [self.owners[file] for file in same_suffix]
        alone = len(same_suffix) == 1 or (len({*owners}) == len(owners) and {*owners} <= {*group})
        return same_suffix if alone else []

    def _notebook(self, path: Path, name: str, person: Person) -> tuple[str, list[str]]:
        try:
            nb = read(path)
        except UnreadableNotebookError as error:
            raise RejectedFileError(f"{error}: export it again from Jupyter") from None
        matches, overlap = self.matcher.matches(nb), self.matcher.overlap(nb)
        for other, matcher in self.other_assignments.items():
            if matcher.overlap(nb) > overlap:
                raise UnexpectedFileError(f"a notebook of {other}")
        named = self._named(name, person)
        if named and (named in matches or not matches):
            return named, [] if matches else ["none of its cells is the assignment's"]
        if len(matches) == 1:
            pattern = self._pattern(".ipynb", name, person)
            misnamed = named or not pattern or pattern.inside
            repairs = [f"called {name}, recognised as {matches[0]} by its cells"] if misnamed else []
            return matches[0], repairs
        if matches:
            raise UnexpectedFileError(
                f"it has cells of {' and '.join(matches)}: give it the name of one of them"
            )
        raise UnexpectedFileError("a notebook with no cell of this assignment")

    def _named(self, name: str, person: Person) -> str | None:
        """The notebook that a file of this name should be, or None."""
        if name in self.notebooks:
            return name
        pattern = self._pattern(".ipynb", name, person)
        if pattern is None or pattern.inside or "*" in pattern.name or len(self.notebooks) != 1:
            return None
        return self.notebooks[0] if pattern.matches(name, person.name) else None

    def _all_repairs(
        self,
        parts: Sequence[str],
        name: str,
        copy: int,
        person: Person,
        pattern: FilePattern | None,
        repairs: list[str],
        canvas: bool,
    ) -> tuple[str, ...]:
        """These repairs, and what is wrong with the names of the file, its zips and its folders."""
        zips = [part for part in parts[:-1] if is_zip(part)]
        expected = pattern.file_name(person.name, self.assignment) if pattern else ""
        if pattern and pattern.inside:
            if not zips:
                repairs.append("not in a zip, as the handout asks")
            elif not pattern.matches(without_copy_mark(zips[0], canvas=canvas)[0], person.name):
                repairs.append(f"in {zips[0]}; the handout asks for {expected}")
        elif pattern:
            if not pattern.matches(name, person.name):
                repairs.append(f"called {name}; the handout asks for {expected}")
            if zips:
                repairs.append("in a zip; the handout asks for the file itself")
        if copy:
            repairs.append("named as a second copy")
        if len(PurePosixPath(parts[-1]).suffixes) > 1 and not parts[-1].lower().endswith(
            PurePosixPath(name).suffix.lower()
        ):
            repairs.append(f"with an extra suffix: {parts[-1]}")
        for part in parts:
            words = [folded(word) for word in re.split(r"[\W_]+", PurePosixPath(part).stem)]
            words = [word for word in words if word]
            if contains_name(words, person):
                continue
            other = next((each for each in self.people if contains_name(words, each)), None)
            if other:
                repairs.append(
                    f"the name in it is that of {other.first} {other.last} ({other.id}), "
                    f"but {person.first} {person.last} ({person.id}) handed it in"
                )
                break
        return tuple(repairs)


def without_copy_mark(name: str, *, canvas: bool = False) -> tuple[str, int]:
    """A file's name without the mark of a copy, and the copy's number: `a (2).pdf` is copy 2 of `a.pdf`.

    `canvas`: Canvas's own mark of a second upload is removed, too, and doesn't count as a copy.
    """
    path = PurePosixPath(name)
    stem, number = path.stem, 0
    if canvas:
        stem = CANVAS_COPY.sub("", stem)
    while mark := COPY.search(stem):
        number += int(mark["number"] or mark["copy"] or 1)
        stem = stem[: mark.start()]
    return (stem + path.suffix, number) if stem.strip() else (name, 0)


def _content(path: Path, mebibytes: int) -> bytes:
    try:
        return content(path, mebibytes)
    except ValueError as error:
        raise RejectedFileError(f"{error}") from None
