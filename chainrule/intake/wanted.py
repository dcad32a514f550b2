"""What an assignment wants handed in, and which of it a student's file is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath

from chainrule.course import CourseFolder
from chainrule.intake.files import content, declared
from chainrule.intake.folder import Refused
from chainrule.intake.homes import Homes
from chainrule.intake.lms import called, folded
from chainrule.intake.names import Rule, original
from chainrule.intake.notebook import Unreadable, read
from chainrule.intake.roster import Person
from chainrule.intake.unpack import TOOLS, is_zip

PDF_MIB = 100  # scans of handwriting are large
OTHER_MIB = 20
ARCHIVES = {".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"}
PLAIN_NAME = re.compile(r"\w[\w .()+-]{0,120}")


class Unknown(ValueError):
    """A file that nobody asked for. The message says what it is not."""


@dataclass(frozen=True)
class Placed:
    """What a file is.

    Attributes:
        target: its name in submitted/<student>/<assignment>/.
        copy: which copy its name says it is; 0 for none.
        repairs: what is not as the handout asks, a clause each.
    """

    target: str
    copy: int
    repairs: tuple[str, ...]


class Wanted:
    """The notebooks, the files beside them and the other files that an assignment wants."""

    def __init__(self, course: CourseFolder, assignment: str, people: list[Person]) -> None:
        self.assignment, self.people = assignment, people
        masters = {path.name: read(path) for path in course.notebooks(assignment)}
        self.notebooks = list(masters)
        self.homes = Homes(masters)
        self.beside = dict(chain.from_iterable(declared(nb).items() for nb in masters.values()))
        self.rules = [Rule.of(pattern) for pattern in course.course.handin.get(assignment, [])]

    def place(self, path: Path, parts: Sequence[str], person: Person, *, canvas: bool = False) -> Placed:
        """What a file is that a person handed in.

        Args:
            path: where its content is.
            parts: the student's own name for it, with the zips and folders it is in.
            canvas: whether `-1` at its end is the LMS's mark of a second upload.
        Raises:
            Refused: it is one that is wanted, but can't be used.
            Unknown: it is none.
        """
        if TOOLS.intersection(parts) or any(part.startswith(".") for part in parts):
            raise Unknown("put there by a program")
        name, copy = original(parts[-1], canvas=canvas)
        if any("*" not in rule.name and rule.allows(parts[-1], person) for rule in self.rules):
            name, copy = parts[-1], 0
        name, suffix = self._suffix(path, name)
        if suffix == ".ipynb":
            target, repairs = self._notebook(path, name, person)
        elif beside := self._beside(name):
            target = beside
            repairs = [f"called {name}, not {target}"] if name != target else []
            _content(path, self.beside[target])
            return Placed(target, copy, self._common(parts, name, copy, person, None, repairs, canvas))
        elif suffix == ".pdf" and (rule := self._rule(".pdf", name, person)):
            if b"%PDF-" not in _content(path, PDF_MIB)[:1024]:
                raise Refused("called a PDF, but it is none: export it again")
            target, repairs = rule.named(person, self.assignment), []
        elif suffix and self._rule(suffix, name, person):
            _content(path, OTHER_MIB)
            if not PLAIN_NAME.fullmatch(name):
                raise Refused("an odd name: rename it to letters, digits and . _ -")
            target, repairs = f"{suffix[1:]}/{name}", []
        elif suffix in ARCHIVES:
            raise Refused("an archive that is not opened: hand in a .zip")
        else:
            raise Unknown("nothing that the assignment asks for")
        rule = self._rule(suffix, name, person)
        return Placed(target, copy, self._common(parts, name, copy, person, rule, repairs, canvas))

    def missing(self, there: Path, person: Person) -> list[str]:
        """What isn't there of what has to be handed in, by the names that the handout asks for."""
        suffixes = {path.suffix.lower() for path in there.rglob("*")}
        asked = [rule for rule in self.rules if rule.suffix not in suffixes]
        names = [
            f"{rule.named(person, self.assignment)}{' with ' * bool(rule.inside)}{rule.inside}"
            for rule in asked
        ]
        if not any(rule.suffix == ".ipynb" for rule in asked):
            names += [name for name in self.notebooks if not (there / name).exists()]
        return names

    def _suffix(self, path: Path, name: str) -> tuple[str, str]:
        """The name and its suffix in small letters; where programs have added one, without that."""
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

    def _rule(self, suffix: str, name: str, person: Person) -> Rule | None:
        """The rule for files of this kind, if possible one that allows the name."""
        rules = [rule for rule in self.rules if rule.suffix == suffix]
        return next((rule for rule in rules if rule.allows(name, person)), rules[0] if rules else None)

    def _beside(self, name: str) -> str | None:
        """The file beside a notebook that this is: by name, or the only one of its kind."""
        suffix = PurePosixPath(name).suffix.lower()
        alike = [each for each in self.beside if PurePosixPath(each).suffix == suffix and suffix != ".pdf"]
        return name if name in self.beside else alike[0] if len(alike) == 1 else None

    def _notebook(self, path: Path, name: str, person: Person) -> tuple[str, list[str]]:
        try:
            nb = read(path)
        except Unreadable as error:
            raise Refused(f"{error}: export it again from Jupyter") from None
        homes = self.homes.of(nb)
        named = self._named(name, person)
        if named and (named in homes or not homes):
            return named, [] if homes else ["none of its cells is the assignment's"]
        if len(homes) == 1:
            wrong = named or not self._rule(".ipynb", name, person)
            return homes[0], [f"called {name}, recognised as {homes[0]} by its cells"] if wrong else []
        if homes:
            raise Unknown(f"it has cells of {' and '.join(homes)}: which is it? Name it so")
        raise Unknown("a notebook with no cell of this assignment")

    def _named(self, name: str, person: Person) -> str | None:
        """The notebook that a file of this name should be."""
        if name in self.notebooks:
            return name
        rule = self._rule(".ipynb", name, person)
        if rule and not rule.inside and len(self.notebooks) == 1 and rule.allows(name, person):
            return self.notebooks[0]
        return None

    def _common(
        self,
        parts: Sequence[str],
        name: str,
        copy: int,
        person: Person,
        rule: Rule | None,
        repairs: list[str],
        canvas: bool,
    ) -> tuple[str, ...]:
        """These repairs, and those of any file's name."""
        zips = [part for part in parts[:-1] if is_zip(part)]
        if rule and rule.inside:
            if not zips:
                repairs.append("not in a zip, as the handout asks")
            elif not rule.allows(original(zips[0], canvas=canvas)[0], person):
                repairs.append(f"in {zips[0]}; the handout asks for {rule.named(person, self.assignment)}")
        elif rule:
            if not rule.allows(name, person):
                repairs.append(f"called {name}; the handout asks for {rule.named(person, self.assignment)}")
            if zips:
                repairs.append("in a zip; the handout asks for the file itself")
        if copy:
            repairs.append("named as a second copy")
        if len(PurePosixPath(parts[-1]).suffixes) > 1 and not parts[-1].lower().endswith(
            PurePosixPath(name).suffix.lower()
        ):
            repairs.append(f"with a suffix of its own: {parts[-1]}")
        for part in parts:
            words = [folded(word) for word in re.split(r"[\W_]+", PurePosixPath(part).stem)]
            words = [word for word in words if word]
            if not called(words, person) and (others := [p for p in self.people if called(words, p)]):
                other = others[0]
                repairs.append(
                    f"the name in it is that of {other.first} {other.last} ({other.id}), "
                    f"but {person.first} {person.last} ({person.id}) handed it in"
                )
                break
        return tuple(repairs)


def _content(path: Path, mebibytes: int) -> bytes:
    try:
        return content(path, mebibytes)
    except ValueError as error:
        raise Refused(f"{error}") from None
