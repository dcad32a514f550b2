"""The files that a course wants handed in (handin.json, part of every release) and the student (me.json)."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from chainrule.handin.errors import HandInError
from chainrule.handin.file_names import FilePattern, StudentName

SPEC_FILE, STUDENT_FILE = "handin.json", "me.json"


@dataclass(frozen=True)
class HandInSpec:
    """What is to be handed in for an assignment.

    Attributes:
        assignment: its name in the course.
        files: patterns of the files to write, see `file_names`.
        notebooks: the grade_ids of the answers in each notebook, by file name.
        beside: files that are handed in with the notebooks, and their limits in MiB.
        needs: by file name, which of these files belong to a notebook.
        alternatives: groups of notebooks, by file name, of which one is handed in.
        stubs: the lines that students replace by an answer, in code and in text.
        mebibytes: limits of the files that are written, by suffix.
        places: by grade_id, the label and the heading of each cell's place, see `places`.
        checked: the grade_ids of the cells with checks in each notebook, by file name.
        locked: the grade_ids of each notebook's cells that students leave as they are, by file name.
        defaults: by file name, the default values of arguments in the cells that students write, by function.
        defines: by file name, the grade_id of the cell in which each name is defined that students write.
    """

    assignment: str
    files: list[str]
    notebooks: dict[str, list[str]]
    beside: dict[str, int]
    stubs: list[str]
    mebibytes: dict[str, int]
    places: dict[str, list[str]] = field(default_factory=dict)
    checked: dict[str, list[str]] = field(default_factory=dict)
    defines: dict[str, dict[str, str]] = field(default_factory=dict)
    locked: dict[str, list[str]] = field(default_factory=dict)
    defaults: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    needs: dict[str, list[str]] = field(default_factory=dict)
    alternatives: list[list[str]] = field(default_factory=list)

    def patterns(self) -> list[FilePattern]:
        return [FilePattern.parse(text) for text in self.files]

    def group(self, notebook: str) -> list[str]:
        """The notebooks of which one is handed in, this one among them; it alone where it is always handed in."""
        return next((group for group in self.alternatives if notebook in group), [notebook])

    def beside_of(self, notebooks: Collection[str]) -> list[str]:
        """The files that are handed in with these notebooks."""
        others = {file for name, files in self.needs.items() if name not in notebooks for file in files}
        own = {file for name in notebooks for file in self.needs.get(name, ())}
        return [file for file in self.beside if file in own or file not in others]

    def to_json(self) -> str:
        """The content of handin.json."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def read_spec(folder: Path) -> HandInSpec:
    """The spec of the assignment in this folder.

    Raises:
        HandInError: the folder is not a release, or its handin.json is damaged.
    """
    try:
        return HandInSpec(**json.loads((folder / SPEC_FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise HandInError(
            f"{folder.resolve()} has no {SPEC_FILE}: go to the folder of the assignment, as it was unzipped"
        ) from None
    except (OSError, ValueError, TypeError):
        raise HandInError(
            f"{folder / SPEC_FILE} cannot be read: take it from the course's zip again"
        ) from None


def identify_student(folder: Path, last: str | None, first: str | None, number: str | None) -> StudentName:
    """The student who hands in. Values that are None come from me.json or are asked for; all are saved there.

    Raises:
        HandInError: there is nobody to ask, or the answers cannot be used.
    """
    remembered = _remembered(folder)
    arguments = {"last": last, "first": first, "number": number}
    questions = {"last": "Last name: ", "first": "First name: ", "number": "Student number: "}
    answers = {
        name: text if text is not None else remembered[name] if name in remembered else _ask(questions[name])
        for name, text in arguments.items()
    }
    student = StudentName(**answers).tidy()
    _remember(folder, {**remembered, **asdict(student)})
    return student


def name_collaborators(folder: Path, given: str | None) -> str:
    """With whom the student discussed the homework, for all lines that are not filled in; "" if nobody can be asked.

    It is asked for once and remembered in me.json.
    """
    remembered = _remembered(folder)
    names = given if given is not None else remembered.get("collaborators", "")
    if not names.strip():
        try:
            names = _ask("With whom did you discuss this homework? Names, or none: ")
        except HandInError:
            return ""
    names = " ".join(names.split())
    _remember(folder, {**remembered, "collaborators": names})
    return names


def _remembered(folder: Path) -> dict[str, str]:
    try:
        saved = json.loads((folder / STUDENT_FILE).read_text(encoding="utf-8"))
        return {name: text for name, text in saved.items() if isinstance(text, str)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError):
        print(f"{STUDENT_FILE} cannot be read, so you are asked again")
        return {}


def _remember(folder: Path, values: Mapping[str, str]) -> None:
    content = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    (folder / STUDENT_FILE).write_text(content, encoding="utf-8")


def _ask(question: str) -> str:
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    if shell is None and not sys.stdin.isatty():
        raise HandInError(
            "who are you? Give your name and number once: hand_in(last=…, first=…, number=…) in the notebook, "
            "--last, --first and --number on the command line"
        )
    try:
        return input(question)
    except (EOFError, NotImplementedError):  # IPython's StdinNotImplementedError is one
        raise HandInError("who are you? Write hand_in(last=…, first=…, number=…) in this cell") from None
