"""What a marker would miss in a notebook. Every finding is a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from nbformat import NotebookNode

from chainrule.handin.cover import collaborators

TAG = "hand-in"
MOST_ERRORS = 3  # of one notebook; the first is the cause of most of the others


def packs(cell: NotebookNode) -> bool:
    """Whether it is a cell that packs the hand-in or says so, which is no part of the work."""
    code = cell.cell_type == "code" and "from chainrule.handin import hand_in" in cell.source
    return code or TAG in cell.metadata.get("tags", [])


def unanswered(name: str, nb: NotebookNode, answers: Sequence[str], stubs: Sequence[str]) -> Iterator[str]:
    """Answers that are not there, and collaborators who are not named.

    Args:
        answers: grade_ids of the cells that want one.
        stubs: lines that stand where an answer is to be written.
    """
    cells = {label(cell): cell for cell in nb.cells if label(cell)}
    labelled = bool(
        set(answers) & set(cells)
    )  # some editors lose labels; then the cells are recognised otherwise
    for cell in nb.cells:
        for stub in stubs:
            if any(line.strip() == stub for line in cell.source.splitlines()):
                yield f"{name}, {what(cell)}: {stub} still stands there: write your answer in its place"
                break
        else:
            if label(cell) in answers and not cell.source.strip():
                yield f"{name}, {what(cell)}: it is empty: write your answer there"
    for answer in answers if labelled else ():
        if answer not in cells:
            yield f"{name}, {answer}: its cell is gone: copy it from a fresh copy of the notebook, and answer there"
    for part, names in collaborators(nb):
        if not names:
            line = f"“Collaborators{f' on {part}' if part else ''}”"
            yield f"{name}: the line {line} is not filled in: write names, or “none”"


def errors(name: str, nb: NotebookNode, *, unfinished: bool) -> Iterator[str]:
    """Cells of an executed notebook that failed, or that were not run.

    Args:
        unfinished: whether answers are missing: then `todo()` has its reasons, and was told before.
    """
    found = []
    for place, cell in enumerate(nb.cells, 1):
        failed = [out for out in cell.get("outputs", []) if out.output_type == "error"]
        if failed and not (unfinished and failed[0].ename == "Unfinished"):
            why = failed[0].evalue.splitlines() or [""]
            where = f"{name}, cell {place}" + (f" ({label(cell)})" if label(cell) else "")
            found.append(
                f"{where}: {failed[0].ename}: {why[0][:200]}: make it run after a restart of the kernel"
            )
    yield from found[:MOST_ERRORS]
    if len(found) > MOST_ERRORS:
        yield f"{name}: {len(found) - MOST_ERRORS} more cells fail, maybe for the same reason"


def oversized(name: str, size: int, mebibytes: Mapping[str, int]) -> Iterator[str]:
    """Whether a file of so many bytes is larger than the course takes, by its name or suffix."""
    suffix = PurePosixPath(name).suffix
    limit = mebibytes.get(name, mebibytes.get(suffix))
    if limit is not None and size > limit << 20:
        cure = "put out less text and smaller figures" if suffix in (".ipynb", ".pdf") else "make it smaller"
        yield f"{name} has {size / (1 << 20):.1f} MiB, and the course takes {limit}: {cure}"


def label(cell: NotebookNode) -> str:
    """The cell's grade_id, or "" if it has none."""
    about = cell.metadata.get("nbgrader", {})
    return str(about.get("grade_id", "")) if isinstance(about, Mapping) else ""


def what(cell: NotebookNode) -> str:
    first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
    return label(cell) or f"the cell that begins “{first[:40]}”"
