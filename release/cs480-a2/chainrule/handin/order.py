"""What the course wants handed in: handin.json, which comes with every release, and the student's me.json."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chainrule.handin.names import HandInError, Pattern, Student

ORDER, ME = "handin.json", "me.json"


@dataclass(frozen=True)
class Order:
    """What is to be handed in for an assignment.

    Attributes:
        assignment: its name in the course.
        files: patterns of the files to be written, see `names`.
        notebooks: the grade_ids of the answers in each notebook, by file name.
        beside: files that are handed in with the notebooks, and their limits in MiB.
        stubs: what stands where an answer is to be written, in code and in text.
        mebibytes: limits of what is written, by suffix.
    """

    assignment: str
    files: list[str]
    notebooks: dict[str, list[str]]
    beside: dict[str, int]
    stubs: list[str]
    mebibytes: dict[str, int]

    def patterns(self) -> list[Pattern]:
        return [Pattern.of(text) for text in self.files]

    def text(self) -> str:
        """The content of handin.json."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def read_order(folder: Path) -> Order:
    """What the folder's assignment wants.

    Raises:
        HandInError: the folder is no release, or its handin.json is broken.
    """
    try:
        return Order(**json.loads((folder / ORDER).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise HandInError(
            f"{folder.resolve()} has no {ORDER}: go to the folder of the assignment, as it was unzipped"
        ) from None
    except (OSError, ValueError, TypeError):
        raise HandInError(f"{folder / ORDER} cannot be read: take it from the course's zip again") from None


def whose(folder: Path, last: str | None, first: str | None, number: str | None) -> Student:
    """Who hands in: what is given, else what was given before, else asked for; remembered in me.json.

    Raises:
        HandInError: nobody can be asked, or the answers cannot be used.
    """
    remembered: dict[str, Any] = {}
    try:
        read = json.loads((folder / ME).read_text(encoding="utf-8"))
        remembered = {name: text for name, text in read.items() if isinstance(text, str)}
    except FileNotFoundError:
        pass
    except (OSError, ValueError, AttributeError):
        print(f"{ME} cannot be read, so you are asked again")
    given = {"last": last, "first": first, "number": number}
    questions = {"last": "Last name: ", "first": "First name: ", "number": "Student number: "}
    answers = {
        name: text if text is not None else remembered[name] if name in remembered else _ask(questions[name])
        for name, text in given.items()
    }
    student = Student(**answers).tidy()
    written = json.dumps(asdict(student), indent=1, ensure_ascii=False) + "\n"
    (folder / ME).write_text(written, encoding="utf-8")
    return student


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
