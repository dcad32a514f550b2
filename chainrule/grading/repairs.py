"""What was repaired in a hand-in, and the sentences about it.

A repair that all hand-ins of a class needed is no student's doing, so staff are told about it once, and students not at
all. That is found cell by cell: a student with one more changed cell is told about this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from nbformat import NotebookNode

from chainrule.grading.recognise import Recognition, is_marked
from chainrule.metadata import Repair

MAX_NAMES = 6  # in a sentence about cells
MAX_TEXT = 10_000_000  # characters in one answer or in all added cells; a pasted image has a million

CHANGED = "had been changed: restored"
MISSING = "{was} missing: restored"
NO_ANSWER = "{was} missing: restored without an answer"
TWICE = "{is} there more than once: {it} {counts} once"
JOINED = "{is} there in several pieces: they were put together"
SPLIT = "{is} there in several versions: those that can't be joined follow each other"
ELSEWHERE = "{is} there more than once: the one in another position is kept as a separate cell"
HANDOUTS = "the notebook was made with the handout's numbers: this student's were put in"
ANOTHERS = "the notebook was made with another student's numbers: this student's were put in"
BY_CONTENT = "had lost {its} {label}: recognised by {its} content"
BY_POSITION = "had lost {its} {label}: recognised by {its} position"
TEXT_AFTER = "{was} left empty: the text after it is taken as the answer"
FOREIGN = "{is} not part of this notebook: kept without {its} points"
TOO_LONG = f"{{is}} longer than {MAX_TEXT:,} characters: left out"
ONE = {"was": "was", "is": "is", "its": "its", "label": "label", "it": "it", "counts": "counts"}
MANY = {"was": "were", "is": "are", "its": "their", "label": "labels", "it": "they", "counts": "count"}


class Repairs:
    """Collects repairs: the names of cells by what was repaired.

    Attributes:
        outdated: cells that the student has as in an earlier release, for instructors.
        written: a digest of what is in no release, so that it does not change with the instructor's notebook.
    """

    written = ""

    def __init__(self, known: Mapping[str, NotebookNode]) -> None:
        self.free = {name for name, cell in known.items() if not is_marked(cell)}
        self.noted: dict[str, dict[str, None]] = {}  # names in order, by what was repaired
        self.outdated: list[str] = []
        self.others: list[str] = []

    def note(self, name: str, what: str) -> None:
        if name in self.free:
            return  # students may change these cells
        self.noted.setdefault(what, {})[name] = None

    def note_outdated(self, name: str) -> None:
        """Note that a cell is as in an earlier release, which is not the student's doing."""
        if name not in self.outdated:
            self.outdated.append(name)

    def note_labels(self, recognition: Recognition) -> None:
        """Note how cells without labels were recognised."""
        pairs = zip(recognition.labels, recognition.names, strict=True)
        labelled = {label for label, name in pairs if label == name}
        for name, means in recognition.matched_by.items():
            if name not in labelled and recognition.is_renamed(name):
                self.note_outdated(name)
            elif name not in labelled:
                self.note(name, BY_POSITION if means == "position" else BY_CONTENT)
            elif means == "position":
                self.note(name, TEXT_AFTER)

    def found(self) -> list[Repair]:
        """One repair for each kind."""
        return [
            *(Repair(what=what, cells=[]) for what in self.others),
            *(Repair(what=what, cells=[*names]) for what, names in self.noted.items()),
        ]


def sentences(repairs: Iterable[Repair], most: int = MAX_NAMES) -> list[str]:
    """A sentence for each repair, which names at most so many cells."""
    return [sentence(repair["cells"], repair["what"], most) for repair in repairs]


def sentence(names: Sequence[str], what: str, most: int = MAX_NAMES) -> str:
    """A sentence about cells, of which it names at most so many; without cells, it is about the notebook."""
    if not names:
        return what
    if len(names) == 1:
        return f"cell {names[0]} {what.format_map(ONE)}"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"cells {', '.join(names[:most])}{more} {what.format_map(MANY)}"


def shared(hand_ins: Iterable[Iterable[Repair]]) -> list[Repair]:
    """The repairs that all of several hand-ins needed. No more of them are read than it takes to know."""
    hand_ins = iter(hand_ins)
    found, several = list(next(hand_ins, ())), False
    for repairs in hand_ins:
        found, several = _compared(found, repairs, keep=True), True
        if not found:
            break
    return found if several else []


def without(repairs: Iterable[Repair], others: Iterable[Repair]) -> list[Repair]:
    """The repairs that are not among the others."""
    return _compared(repairs, others, keep=False)


def _compared(repairs: Iterable[Repair], others: Iterable[Repair], *, keep: bool) -> list[Repair]:
    """Those repairs that are among the others, or those that are not, cell by cell."""
    known: dict[str, set[str]] = {}
    for other in others:
        known.setdefault(other["what"], set()).update(other["cells"])
    found = []
    for repair in repairs:
        what, about = repair["what"], known.get(repair["what"], set())
        cells = [cell for cell in repair["cells"] if (cell in about) is keep]
        if cells or (not repair["cells"] and (what in known) is keep):
            found.append(Repair(what=what, cells=cells))
    return found
