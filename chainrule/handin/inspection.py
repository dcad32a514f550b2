"""Finds what is missing or wrong in a notebook before it is handed in. Each problem says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from nbformat import NotebookNode

from chainrule.handin.cover import collaborators

HAND_IN_TAG = "hand-in"
MAX_ERRORS = 3  # of one notebook; the first usually causes the others


def is_hand_in_cell(cell: NotebookNode) -> bool:
    """Whether the cell calls `hand_in` or explains it. Such cells are not part of the answers."""
    calls_hand_in = cell.cell_type == "code" and "from chainrule.handin import hand_in" in cell.source
    return calls_hand_in or HAND_IN_TAG in cell.metadata.get("tags", [])


def unanswered(name: str, nb: NotebookNode, answers: Sequence[str], stubs: Sequence[str]) -> Iterator[str]:
    """Missing answers, and collaborators lines that are not filled in.

    Args:
        answers: grade_ids of the answer cells.
        stubs: the lines that students replace by an answer.
    """
    cells = {label(cell): cell for cell in nb.cells if label(cell)}
    # some editors drop all grade_ids; then nothing can be said about missing cells
    has_labels = bool(set(answers) & set(cells))
    for cell in nb.cells:
        for stub in stubs:
            if any(line.strip() == stub for line in cell.source.splitlines()):
                yield f"{name}, {describe(cell)}: {stub} is still there: write your answer in its place"
                break
        else:
            if label(cell) in answers and not cell.source.strip():
                yield f"{name}, {describe(cell)}: it is empty: write your answer there"
    for answer in answers if has_labels else ():
        if answer not in cells:
            yield f"{name}, {answer}: its cell is gone: copy it from a fresh copy of the notebook, and answer there"
    for part, names in collaborators(nb):
        if not names:
            line = f"“Collaborators{f' on {part}' if part else ''}”"
            yield f"{name}: the line {line} is not filled in: write names, or “none”"


def run_errors(name: str, nb: NotebookNode, *, unfinished: bool) -> Iterator[str]:
    """The first cells of an executed notebook that failed.

    Args:
        unfinished: whether answers are missing; then the errors of `todo()` were already reported.
    """
    problems = []
    for number, cell in enumerate(nb.cells, 1):
        failed = [out for out in cell.get("outputs", []) if out.output_type == "error"]
        if failed and not (unfinished and failed[0].ename == "Unfinished"):
            message = failed[0].evalue.splitlines() or [""]
            where = f"{name}, cell {number}" + (f" ({label(cell)})" if label(cell) else "")
            problems.append(
                f"{where}: {failed[0].ename}: {message[0][:200]}: make it run after a restart of the kernel"
            )
    yield from problems[:MAX_ERRORS]
    if len(problems) > MAX_ERRORS:
        yield f"{name}: {len(problems) - MAX_ERRORS} more cells fail, maybe for the same reason"


def oversized(name: str, size: int, mebibytes: Mapping[str, int]) -> Iterator[str]:
    """A problem if a file of `size` bytes is larger than the course takes; `mebibytes` has limits by name or suffix."""
    suffix = PurePosixPath(name).suffix
    limit = mebibytes.get(name, mebibytes.get(suffix))
    if limit is not None and size > limit << 20:
        advice = (
            "put out less text and smaller figures" if suffix in (".ipynb", ".pdf") else "make it smaller"
        )
        yield f"{name} has {size / (1 << 20):.1f} MiB, and the course takes {limit}: {advice}"


def label(cell: NotebookNode) -> str:
    """The cell's grade_id, or "" if it has none."""
    nbgrader = cell.metadata.get("nbgrader", {})
    return str(nbgrader.get("grade_id", "")) if isinstance(nbgrader, Mapping) else ""


def describe(cell: NotebookNode) -> str:
    """The cell's grade_id, or how its source begins."""
    first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
    return label(cell) or f"the cell that begins “{first[:40]}”"
