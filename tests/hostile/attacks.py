"""Attacks as files: what a hostile student hands in, and what may come of it.

A file of FAMILY/ is one student. `# %% cell` starts the text of a cell (`last`: one more at the end), remarks stand
above:

    # base: right, wrong or blank    the answer before the attack's own lines (wrong earns 1 point of 4)
    # in: linear                     the assignment, `tiny` if not said
    # scores: 1                      the most it may earn; what its base is worth if not said
    # says: a text                   what its cells print when the attack has been tried, so that none passes untried
    # needs: sandbox                 never run without one
    # on every tier: yes             also run without bubblewrap, as root and as others (see test_tiers.py)
    # worked against: …              where it earns everything (see undefended.py), or finds what it looks for

`@course@`, `@project@`, `@port@`, `@abstract@`, `@socket@`, `@fd@`, `@key@`, `@cache@` and `@scratch@` stand for what a
student would have to find out, `@mark@` for what shows that something is the attackers' work.
Attacks on the notebook file itself are functions in `altered.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import altered
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from target import ANSWER_CELL, ANSWERS, ITEM
from tiny_course import TINY, filled, submit

HERE = Path(__file__).parent
FAMILIES = ("forging", "models", "stealing", "breaking", "tampering", "escaping")
WORTH = {"right": 4.0, "wrong": 1.0, "blank": 0.0}

HEADER = re.compile(r"^# %%(?: \[(?:markdown)\])? (\S+)$")
REMARK = re.compile(r"^# (base|in|scores|says|needs|on every tier|worked against): *(.+)$")


@dataclass(frozen=True)
class Attack:
    """One hostile student."""

    family: str
    name: str
    remarks: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    alter: Callable[[NotebookNode, Path], None] | None = None

    @property
    def assignment(self) -> str:
        return self.remarks.get("in", TINY)

    @property
    def item(self) -> str:
        return ITEM[self.assignment]

    @property
    def student(self) -> str:
        return self.remarks.get("as", self.name)

    @property
    def most(self) -> float:
        return float(self.remarks.get("scores", WORTH[self.remarks["base"]]))

    @property
    def least(self) -> float:
        return float(self.remarks.get("least", 0))

    @property
    def says(self) -> str:
        return self.remarks.get("says", "")

    @property
    def needs_sandbox(self) -> bool:
        return self.remarks.get("needs") == "sandbox"

    @property
    def on_every_tier(self) -> bool:
        return "on every tier" in self.remarks

    def hand_in(self, root: Path, places: Mapping[str, str]) -> None:
        """Put the submission where intake would."""
        answers = {name: put_in(text, places) for name, text in self.answers.items()}
        last = answers.pop("last", None)
        nb = filled(root, answers, self.assignment)
        nb.cells += [new_code_cell(last)] if last else []
        folder = root / "submitted" / self.student / self.assignment
        if self.alter is not None:
            folder.mkdir(parents=True)
            self.alter(nb, folder)
        notebook = folder / f"{self.assignment}.ipynb"
        if not (folder.is_symlink() or notebook.is_symlink() or notebook.exists()):
            submit(root, self.student, nb, self.assignment)


def put_in(text: str, places: Mapping[str, str]) -> str:
    """The text with this course's own paths and numbers in it."""
    for place, value in places.items():
        text = text.replace(f"@{place}@", value)
    return text


def read(path: Path) -> Attack:
    """The attack in a file."""
    remarks: dict[str, str] = {}
    cells: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if header := HEADER.match(line):
            current = cells.setdefault(header[1], [])
        elif current is not None:
            current.append(line)
        elif remark := REMARK.match(line):
            remarks[remark[1]] = remark[2].strip()
    answers = {name: "\n".join(lines).strip() for name, lines in cells.items()}
    assignment = remarks.get("in", TINY)
    cell = ANSWER_CELL[assignment]
    answers[cell] = f"{ANSWERS[assignment][remarks['base']]}\n\n\n{answers.get(cell, '')}".strip()
    return Attack(path.parent.name, path.stem, remarks, answers)


def every() -> list[Attack]:
    """All attacks, family by family."""
    found = []
    for family in FAMILIES:
        found += [read(path) for path in sorted((HERE / family).glob("*.py"))]
        for name, (remarks, alter) in altered.FUNCTIONS.get(family, {}).items():
            answers = {ANSWER_CELL[TINY]: ANSWERS[TINY][remarks["base"]]}
            found.append(Attack(family, name, remarks, answers, alter))
    return found
