"""Hand-ins of a sample class, made from the release by filling in what each student wrote.

A file of cs480-a2/ is one student: `# %% grade_id` starts the text of a cell. `# base:` names the student
whose answers it starts from ("release" for none), `# without:` cells that it leaves as they were released, and
`# loses:` the items in which the student must lose points.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

HEADER = re.compile(r"^# %%(?: \[(markdown)\])? (\S+)$")


@dataclass(frozen=True)
class HandIn:
    """What one student wrote: cell sources by grade_id, and the items that must lose points."""

    student: str
    answers: dict[str, str]
    loses: set[str]


def read(path: Path) -> HandIn:
    """Read a student's file, on top of the file it is based on."""
    remarks: dict[str, str] = {}
    answers: dict[str, list[str]] = {}
    kinds: dict[str, str] = {}
    current = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if header := HEADER.match(line):
            kind, current = header.groups()
            kinds[current], answers[current] = kind or "code", []
        elif current is not None:
            answers[current].append(line)
        elif remark := re.match(r"# (base|without|loses):(.*)", line):
            remarks[remark[1]] = remark[2].strip()
    texts = {
        name: "\n".join(re.sub("^# ?", "", line) for line in lines)
        if kinds[name] == "markdown"
        else "\n".join(lines)
        for name, lines in answers.items()
    }
    base = remarks["base"]
    inherited = {} if base == "release" else read(path.with_name(f"{base}.py")).answers
    for left_out in remarks.get("without", "").split():
        del inherited[left_out]
    return HandIn(
        path.stem, inherited | {k: v.strip() for k, v in texts.items()}, set(remarks["loses"].split())
    )


def fill(release: Path, hand_in: HandIn) -> nbformat.NotebookNode:
    """The release notebook with a student's answers in it.

    Raises:
        KeyError: an answer for a cell the release doesn't have.
    """
    nb: NotebookNode = nbformat.read(release, as_version=4)
    cells = {cell.metadata.nbgrader.grade_id: cell for cell in nb.cells if "nbgrader" in cell.metadata}
    for grade_id, source in hand_in.answers.items():
        cells[grade_id].source = source
    return nb
