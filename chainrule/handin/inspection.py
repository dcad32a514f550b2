"""Finds what is missing or wrong in a notebook before it is handed in. Each problem says where, and what to do."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from nbformat import NotebookNode

from chainrule.handin.cover import collaborators
from chainrule.handin.places import places

HAND_IN_TAG = "hand-in"
MAX_ERRORS = 3  # of one notebook; the first usually causes the others
TITLE = "# @title"  # begins the first line of a check cell in a release
KIT = "grading takes the kit's again"


@dataclass(frozen=True)
class Problem:
    """Something that a student should look at.

    Attributes:
        notebook: its file name.
        where: the place in it, as a person finds it: "1.1 a), cell 6"; "" for the whole notebook.
        what: what is wrong there, and what to do.
    """

    notebook: str
    where: str
    what: str


def grouped(problems: Iterable[Problem]) -> list[str]:
    """A sentence for each problem; the places with the same problem in one notebook share theirs.

    >>> grouped([Problem("hw.ipynb", "1.1, cell 3", "it is empty"), Problem("hw.ipynb", "1.2, cell 7", "it is empty")])
    ['hw.ipynb: it is empty: 1.1, cell 3; 1.2, cell 7']
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        groups.setdefault((problem.notebook, problem.what), []).append(problem.where)
    return [
        f"{notebook}: {what}: {'; '.join(where)}"
        if where[1:]
        else ", ".join(filter(None, (notebook, where[0]))) + f": {what}"
        for (notebook, what), where in groups.items()
    ]


def is_hand_in_cell(cell: NotebookNode) -> bool:
    """Whether the cell calls `hand_in` or explains it. Such cells are not part of the answers."""
    calls_hand_in = cell.cell_type == "code" and "from chainrule.handin import hand_in" in cell.source
    return calls_hand_in or HAND_IN_TAG in cell.metadata.get("tags", [])


def untitled(source: str) -> str:
    """The source of a check cell without the title that the release gave it.

    Whitespace before the title, and other line ends, as some editors leave them, are no difference.

    >>> untitled("# @title Checks of 2.2: run me\\nitem.score()")
    'item.score()'
    """
    first, *rest = source.lstrip().splitlines() or [""]
    title = " ".join(first.split())
    return "\n".join(rest) if title.startswith(f"{TITLE} Checks of ") else source


def unanswered(
    name: str,
    nb: NotebookNode,
    answers: Sequence[str],
    stubs: Sequence[str],
    known: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[Problem]:
    """Missing answers.

    Args:
        answers: grade_ids of the answer cells.
        stubs: the lines that students replace by an answer.
        known: label and heading of cells by grade_id, for those that are gone.
    """
    cells = {label(cell): cell for cell in nb.cells if label(cell)}
    # some editors drop all grade_ids; then nothing can be said about missing cells
    has_labels = bool(set(answers) & set(cells))
    for cell, where in zip(nb.cells, whereabouts(nb), strict=True):
        for stub in stubs:
            if _stripped(stub) in _stripped(cell.source):
                first = stub.strip().splitlines()[0]
                yield Problem(name, where, f"{first} is still there: write your answer in its place")
                break
        else:
            if label(cell) in answers and not cell.source.strip():
                yield Problem(name, where, "it is empty: write your answer there")
    for answer in answers if has_labels else ():
        if answer not in cells:
            place = next(filter(None, (known or {}).get(answer, ())), answer)
            yield Problem(
                name, place, "its cell is gone: copy it from a fresh copy of the notebook, and answer there"
            )


def _stripped(text: str) -> str:
    """A text's lines without the spaces around them, each between line ends. A stub may have several."""
    return "\n" + "".join(f"{line.strip()}\n" for line in text.splitlines())


def without_collaborators(nb: NotebookNode) -> list[str]:
    """The collaborators lines of a notebook that are not filled in, by what they are about."""
    return [part for part, names in collaborators(nb) if not names]


def changes(
    name: str,
    nb: NotebookNode,
    locked: Sequence[str],
    defaults: Mapping[str, Mapping[str, str]],
    known: Mapping[str, Sequence[str]],
) -> Iterator[Problem]:
    """Cells of the kit that were changed or deleted, and arguments that no longer have the kit's value.

    Args:
        locked: grade_ids of the cells that students leave as they are.
        defaults: the default values of arguments in the kit, by function and argument.
        known: label and heading of cells by grade_id.
    """
    cells = {label(cell): cell for cell in nb.cells if label(cell)}
    for cell, where in zip(nb.cells, whereabouts(nb), strict=True):
        stored = marks(cell).get("checksum")
        if label(cell) in locked and stored and stored != checksum(cell):
            yield Problem(name, where, f"this cell of the kit was changed: {KIT}")
        if cell.cell_type == "code":
            for function, argument, value, before in _other_defaults(cell.source, defaults):
                what = f"`{function}` has {argument}={value}, and the kit has {argument}={before}: is it what you mean?"
                yield Problem(name, where, what)
    for gone in locked if set(locked) & set(cells) else ():
        if gone not in cells:
            place = next(filter(None, known.get(gone, ())), gone)
            yield Problem(name, place, f"a cell of the kit was deleted: {KIT}")


def checksum(cell: NotebookNode) -> str:
    """nbgrader's checksum of a cell (`nbgrader.utils.compute_checksum`), which a student's machine may not have."""
    about = marks(cell)
    parts = [
        cell.source,
        cell.cell_type,
        *(str(about.get(key, False)) for key in ("grade", "solution", "locked")),
    ]
    parts.append(str(about["grade_id"]))
    if about.get("grade"):
        parts.append(str(_number(about.get("points"))))
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def _number(points: Any) -> float:
    return float(points) if isinstance(points, int | float) else 0.0


def default_values(source: str) -> dict[str, dict[str, str]]:
    """The default values of the arguments of a cell's functions that are numbers, texts or the like.

    >>> default_values("def train(net, *, epochs=15, lr=1e-1): pass")
    {'train': {'epochs': '15', 'lr': '0.1'}}
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return {}
    functions = [("", node) for node in body] + [
        (f"{node.name}.", inner) for node in body if isinstance(node, ast.ClassDef) for inner in node.body
    ]
    found = {}
    for owner, function in functions:
        if not isinstance(function, ast.FunctionDef):
            continue
        names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
        pairs = [*zip(names[::-1], function.args.defaults[::-1], strict=False)][::-1]
        pairs += [
            (one.arg, value)
            for one, value in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
            if value is not None
        ]
        literal = {name: repr(value.value) for name, value in pairs if isinstance(value, ast.Constant)}
        if literal:
            found[owner + function.name] = literal
    return found


def _other_defaults(source: str, kit: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str, str, str]]:
    for function, own in default_values(source).items():
        for argument, value in own.items():
            before = kit.get(function, {}).get(argument)
            if before is not None and before != value:
                yield function, argument, value, before


def run_errors(name: str, nb: NotebookNode, *, unfinished: bool) -> Iterator[Problem]:
    """The first cells of an executed notebook that failed.

    Args:
        unfinished: whether answers are missing; then the errors of `todo()` were already reported.
    """
    problems = []
    for cell, where in zip(nb.cells, whereabouts(nb), strict=True):
        failed = [out for out in cell.get("outputs", []) if out.output_type == "error"]
        if failed and not (unfinished and failed[0].ename == "Unfinished"):
            message = (failed[0].evalue.splitlines() or [""])[0][:200]
            if failed[0].ename in ("TooLong", "CellTimeoutError"):  # the sentence says it all
                problems.append(Problem(name, where, message))
            else:
                told = f"{failed[0].ename}: {message}: make it run after a restart of the kernel"
                problems.append(Problem(name, where, told))
    yield from problems[:MAX_ERRORS]
    if len(problems) > MAX_ERRORS:
        yield Problem(name, "", f"{len(problems) - MAX_ERRORS} more cells fail, maybe for the same reason")


def oversized(name: str, size: int, mebibytes: Mapping[str, int]) -> Iterator[str]:
    """A problem if a file of `size` bytes is larger than the course takes; `mebibytes` has limits by name or suffix."""
    suffix = PurePosixPath(name).suffix
    limit = mebibytes.get(name, mebibytes.get(suffix))
    if limit is not None and size > limit << 20:
        advice = (
            "put out less text and smaller figures" if suffix in (".ipynb", ".pdf") else "make it smaller"
        )
        yield f"{name} has {size / (1 << 20):.1f} MiB, and the course takes {limit}: {advice}"


def marks(cell: Mapping[str, Any]) -> Mapping[str, Any]:
    """What nbgrader has noted in a cell; empty if it has noted nothing, or if a file has something else there."""
    noted = cell["metadata"].get("nbgrader")
    return noted if isinstance(noted, Mapping) else {}


def label(cell: Mapping[str, Any]) -> str:
    """The cell's grade_id, or "" if it has none."""
    return str(marks(cell).get("grade_id", ""))


def whereabouts(nb: NotebookNode) -> list[str]:
    """Where each cell of a notebook is, as a person finds it: its section, its number, or how it begins."""
    found = []
    for number, (cell, place) in enumerate(zip(nb.cells, places(nb), strict=True), 1):
        first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
        begins = f" (it begins “{first[:40]}”)" if first and not place.label else ""
        found.append(f"{place.label}, cell {number}" if place.label else f"cell {number}{begins}")
    return found
