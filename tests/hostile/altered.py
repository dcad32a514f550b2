"""Attacks on the notebook file and on the folder it is handed in with.

Each function gets the notebook as the student would have handed it in, and the folder of the submission. What it writes
there itself is handed in instead. Remarks as in `attacks`; `as` is the student's own name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell
from target import ITEM
from tiny_course import DOUBLES, RIGHT, SQUARE, TINY

Alter = Callable[[NotebookNode, Path], None]
FUNCTIONS: dict[str, dict[str, tuple[dict[str, str], Alter]]] = {"tampering": {}, "escaping": {}}
CHECK = ITEM[TINY]
FULL = {
    "name": "all",
    "points": 4.0,
    "passed": True,
    "hint": "",
    "disclose": "always",
    "message": "",
    "internal_error": "",
}
RECORD = {"score": 4.0, "grade_id": CHECK, "points": 4.0, "checks": [FULL]}


def attack(family: str = "tampering", **remarks: str) -> Callable[[Alter], Alter]:
    """Register an attack; its answer is the mistaken one unless `base` says otherwise."""

    def add(function: Alter) -> Alter:
        FUNCTIONS[family][function.__name__] = {"base": "wrong", **remarks}, function
        return function

    return add


def cell(nb: NotebookNode, name: str) -> NotebookNode:
    return next(cell for cell in nb.cells if cell.id == name)


def written(nb: NotebookNode, folder: Path, **changes: object) -> None:
    """Hand the notebook in as JSON with other values at its top."""
    (folder / f"{TINY}.ipynb").write_text(json.dumps({**json.loads(nbformat.writes(nb)), **changes}))


# ---- points and ids ----------------------------------------------------------------------------------------


@attack()
def thousand_points(nb: NotebookNode, folder: Path) -> None:
    """Every cell is worth a thousand points, graded or not."""
    for each in nb.cells:
        each.metadata.setdefault("nbgrader", {"grade_id": each.id, "schema_version": 3})
        each.metadata.nbgrader.update(points=1000, grade=True, solution=False, locked=True, task=False)


@attack()
def answer_is_graded(nb: NotebookNode, folder: Path) -> None:
    """The answer takes the name of the graded cell, and the graded cell that of the answer."""
    answer, check = cell(nb, SQUARE), cell(nb, CHECK)
    answer.metadata.nbgrader, check.metadata.nbgrader = check.metadata.nbgrader, answer.metadata.nbgrader
    answer.source = f"{DOUBLES}\n4.0"


@attack()
def check_replaced(nb: NotebookNode, folder: Path) -> None:
    """The graded cell is a number, with the outputs and the record of a full score."""
    check = cell(nb, CHECK)
    check.source = "4.0"
    data = {"text/plain": "4.0", "application/vnd.chainrule.item+json": RECORD}
    check.outputs = [new_output("execute_result", data)]
    check.metadata.chainrule = RECORD
    nb.metadata.chainrule = {
        "repairs": [],
        "failure": "",
        "seconds": -1e9,
        "sandbox": "bubblewrap",
        "profile": "full",
    }


@attack()
def check_deleted(nb: NotebookNode, folder: Path) -> None:
    """The graded cell is gone, and a copy of it with another name is there ten times."""
    check = cell(nb, CHECK)
    nb.cells.remove(check)
    for number in range(10):
        copy = nbformat.from_dict(check)
        copy.id = f"copy-{number}"
        copy.metadata.nbgrader.grade_id = f"{CHECK}-{number}"
        nb.cells.append(copy)


@attack()
def everything_twice(nb: NotebookNode, folder: Path) -> None:
    """Every cell is there twice under one name, the second time as text; nbgrader stops a whole class at that."""
    for each in list(nb.cells):
        copy = new_markdown_cell("4.0", metadata=nbformat.from_dict(each.metadata), id=each.id)
        nb.cells.insert(0, copy)


@attack()
def manual_answer_as_code(nb: NotebookNode, folder: Path) -> None:
    """The written answer, marked by a person, becomes code that returns its points; the code becomes text."""
    nb.cells[nb.cells.index(cell(nb, "why"))] = new_code_cell(
        "1.0", id="why", metadata=cell(nb, "why").metadata
    )
    cell(nb, SQUARE).cell_type = "raw"


@attack()
def checksums_of_others(nb: NotebookNode, folder: Path) -> None:
    """Checksums, schema and types of nbgrader's metadata are what no nbgrader writes."""
    for each in nb.cells:
        if "nbgrader" in each.metadata:
            each.metadata.nbgrader.update(
                checksum=["x"], schema_version="∞", cell_type=5, points=float("1e308")
            )
    nb.metadata.nbgrader = {"grade_id": CHECK}


# ---- the kernel --------------------------------------------------------------------------------------------


@attack(base="right")
def kernel_of_its_own(nb: NotebookNode, folder: Path) -> None:
    """The notebook names a kernel that is a command, handed in beside it."""
    evil = folder / "kernels" / "evil"
    evil.mkdir(parents=True)
    argv = [
        "sh",
        "-c",
        "touch /tmp/hostile-was-here-kernel; exec python -m ipykernel_launcher -f {connection_file}",
    ]
    (evil / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"})
    )
    nb.metadata.kernelspec = {"name": f"../../../../{evil}", "display_name": "evil", "language": "bash"}
    nb.metadata.language_info = {"name": "bash", "version": "5"}


@attack(base="right")
def kernel_that_is_missing(nb: NotebookNode, folder: Path) -> None:
    """The notebook names no kernel, or one with the name of a list."""
    nb.metadata.kernelspec = {"name": "no-such-kernel", "argv": ["rm"], "display_name": "x"}
    nb.metadata.pop("language_info", None)


@attack(base="right")
def modules_handed_in(nb: NotebookNode, folder: Path) -> None:
    """Modules with the names of the grader's own are handed in beside the notebook."""
    for name in (
        "ipykernel_launcher",
        "torch",
        "nbformat",
        "chainrule",
        "nbgrader_config",
        "sitecustomize",
        "conftest",
    ):
        (folder / f"{name}.py").write_text(
            "open('/tmp/hostile-was-here-module', 'w'); raise SystemExit(name)"
        )
    (folder / "chainrule").mkdir()
    (folder / "chainrule" / "__init__.py").write_text("print('hostile was here')")
    (folder / "pytest.ini").write_text("[pytest]")


# ---- files that are none -----------------------------------------------------------------------------------


@attack(scores="0")
def link_to_the_solution(nb: NotebookNode, folder: Path) -> None:
    """The notebook is a link to the instructor's, with solutions and mark schemes."""
    (folder / f"{TINY}.ipynb").symlink_to(folder.parents[2] / "source" / TINY / f"{TINY}.ipynb")


@attack(scores="0")
def link_to_a_neighbour(nb: NotebookNode, folder: Path) -> None:
    """The whole submission is a link to the folder of somebody who is right."""
    folder.rmdir()
    folder.symlink_to(folder.parents[1] / "z-honest" / TINY)


@attack(scores="0")
def link_without_end(nb: NotebookNode, folder: Path) -> None:
    """The notebook is a link to a device from which one can read for ever."""
    (folder / f"{TINY}.ipynb").symlink_to("/dev/zero")


@attack(scores="0")
def pipe(nb: NotebookNode, folder: Path) -> None:
    """The notebook is a pipe that nobody ever writes to."""
    os.mkfifo(folder / f"{TINY}.ipynb")


@attack(base="right")
def links_beside(nb: NotebookNode, folder: Path) -> None:
    """Beside the notebook lie links to secrets, to the whole disk, to the folder itself, and a pipe."""
    targets = {"helper.py": "../../../source", "data": "/", "self": ".", "env": "/proc/self/environ"}
    for name, goal in targets.items():
        (folder / name).symlink_to(goal)
    os.mkfifo(folder / "pipe.py")


@attack(base="right")
def forged_timestamp(nb: NotebookNode, folder: Path) -> None:
    """The time of receipt is the student's own claim, and no time at all."""
    (folder / "timestamp.txt").write_text("<script>alert(1)</script> 1970-01-01 \x1b[31m" + "9" * 10_000)


@attack(base="right")
def thousand_notebooks(nb: NotebookNode, folder: Path) -> None:
    """Beside the notebook lie hundreds more, with the names of others' and of none."""
    for name in [
        "linear",
        "tiny (1)",
        "..tiny",
        "tiny.ipynb",
        "=1+1",
        "tiny\n",
        "\x1b[2J",
        *map(str, range(200)),
    ]:
        (folder / f"{name}.ipynb").write_text("{}")
    nbformat.write(nb, folder / f"{TINY}.ipynb")


# ---- notebooks that are none -------------------------------------------------------------------------------


@attack(scores="0")
def nested_json(nb: NotebookNode, folder: Path) -> None:
    """A notebook of brackets, a million deep."""
    (folder / f"{TINY}.ipynb").write_text('{"cells":' + "[" * 1_000_000)


@attack()
def gigantic_outputs(nb: NotebookNode, folder: Path) -> None:
    """A notebook with outputs of 60 MB and metadata of as much again."""
    cell(nb, "show").outputs = [new_output("stream", name="stdout", text="hostile " * 7_500_000)]
    nb.metadata.widgets = {"state": "hostile " * 7_500_000}


@attack(base="right")
def names_from_elsewhere(nb: NotebookNode, folder: Path) -> None:
    """Ids, names and attachments are paths that lead out, lists, and halves of characters."""
    picture = {"image/png": "iVBORw0KGgo="}
    names = [
        "../../../gradebook.db",
        "/etc/passwd",
        "..\\..\\x",
        "a\x00b",
        "<img src=x onerror=alert(1)>",
        "\ud800",
    ]
    why = cell(nb, "why")
    why.source = "\n".join(f"![x](attachment:{name})" for name in names[:4])
    why.attachments = {name: picture for name in names}
    for number, name in enumerate(names):
        extra = new_code_cell("1", metadata={"nbgrader": {"grade_id": name, "grade": True, "points": 4}})
        extra.id = f"x{number}"
        nb.cells.append(extra)
    written(nb, folder)


@attack(scores="0")
def not_what_it_says(nb: NotebookNode, folder: Path) -> None:
    """Cells are numbers, sources are objects, the format is from the future."""
    written(
        nb,
        folder,
        cells=[5, {"cell_type": "code", "source": {"a": 1}}, None],
        nbformat=4,
        nbformat_minor=10**9,
    )


@attack(scores="0")
def ancient_format(nb: NotebookNode, folder: Path) -> None:
    """A notebook of the format before last, whose conversion meets what it never expected."""
    sheets = [
        {
            "cells": [{"cell_type": "code", "input": RIGHT, "language": "python", "outputs": [{}]}],
            "metadata": 7,
        }
    ]
    (folder / f"{TINY}.ipynb").write_text(
        json.dumps({"nbformat": 3, "nbformat_minor": 0, "worksheets": sheets})
    )


@attack(base="right")
def foreign_cells(nb: NotebookNode, folder: Path) -> None:
    """Thousands of cells between the others: raw, code that waits, text; and metadata that hides or runs them."""
    for number in range(1500):
        nb.cells.insert(number, new_raw_cell("<script>alert(1)</script>", metadata={"format": "text/html"}))
    for name in ("init_cell", "hide_input", "run_on_load"):
        nb.cells.append(
            new_code_cell(
                "print('hostile')", metadata={name: True, "tags": ["raises-exception", "parameters"]}
            )
        )


@attack(base="right", least="4")
def damaged_attachments(nb: NotebookNode, folder: Path) -> None:
    """Attachments that are no dict, lists of numbers, texts, nothing; one of them is fine."""
    damaged = {
        "a.png": 5,
        "b.png": "x",
        "c.png": {},
        "d.png": {"image/png": [1]},
        "e.png": {"image/png": "iVBORw0K"},
    }
    cell(nb, "why").source = "\n".join(f"![{name}](attachment:{name}.png)" for name in "abcdef")
    raw = json.loads(nbformat.writes(nb))
    for each in raw["cells"]:
        each["attachments"] = damaged if each["id"] == "why" else ["a.png"]
    (folder / f"{TINY}.ipynb").write_text(json.dumps(raw))


# ---- what people open --------------------------------------------------------------------------------------


@attack("escaping", base="right")
def pictures_with_names(nb: NotebookNode, folder: Path) -> None:
    """Attachments whose names, types and data end the tag they are put into."""
    data = 'iVBORw0KGgo=" onerror="alert(1)'
    why = cell(nb, "why")
    why.attachments = {
        "a.png": {"image/png": data},
        'b.png" onerror="alert(1)': {"image/png": data},
        "c.svg": {"image/svg+xml": "PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+"},
        "d.png": {'image/png" onerror="alert(1)': data},
        "e.html": {"text/html": "<script>alert(1)</script>"},
    }
    why.source = (
        "\n\n".join(f"![x](attachment:{name})" for name in why.attachments) + "\n\n[x](attachment:e.html)"
    )


@attack("escaping", base="right")
def ids_for_terminals(nb: NotebookNode, folder: Path) -> None:
    """Names of cells that clear the reader's terminal, colour his table and forge a line of it."""
    names = [
        "\x1b[2J\x1b]0;owned\x07",
        "[bold red]x[/]",
        "\r9/9 z-honest · 4",
        "x\nz-honest: 4",
        "\u202eevil",
        "=cmd()",
    ]
    for number, name in enumerate(names):
        extra = new_code_cell("1", metadata={"nbgrader": {"grade_id": name, "grade": True, "points": 4}})
        extra.id = f"x{number}"
        nb.cells.append(extra)


@attack("escaping", base="right")
def metadata_for_pages(nb: NotebookNode, folder: Path) -> None:
    """The notebook's title, authors and language, and its cells' tags, are markup."""
    end = "</title></script><script>alert(1)</script>"
    nb.metadata.update(title=end, authors=[{"name": end}], language_info={"name": end, "pygments_lexer": end})
    nb.metadata.kernelspec = {"name": "python3", "display_name": end, "language": end}
    for each in nb.cells:
        each.metadata.tags = ['x" onload="alert(1)', end]
        each.metadata.title = end


@attack("escaping", base="right")
def raw_cells(nb: NotebookNode, folder: Path) -> None:
    """Raw cells, which pages copy as they are."""
    for kind in ("text/html", "text/markdown", "text/x-rst", "application/javascript", ""):
        page = "<script>alert(1)</script><img src=x onerror=alert(1)>"
        nb.cells.append(new_raw_cell(page, metadata={"format": kind, "raw_mimetype": kind}))


@attack("escaping", base="right")
def ten_thousand_formulas(nb: NotebookNode, folder: Path) -> None:
    """A written answer with 10,000 formulas, all different."""
    cell(nb, "why").source = " ".join(f"$x_{{{number}}}$" for number in range(10_000))


@attack("escaping", base="right")
def other_directions(nb: NotebookNode, folder: Path) -> None:
    """Characters that turn the direction of what follows, or take no room: in an answer, an output and an error."""
    turned = "\u202e4 fo 0\u202c, my\u200bself \u2067x\u2069 \ufeff \U000e0041"
    cell(nb, "why").source = f"The points are {turned} and ${turned}$"
    nb.cells += [new_code_cell(f"print({turned!a})"), new_code_cell(f"raise ValueError({turned!a})")]
    nb.cells.append(new_code_cell(f"# {turned}"))


@attack("escaping", base="right", **{"as": "=HYPERLINK(1)"})
def name_for_spreadsheets(nb: NotebookNode, folder: Path) -> None:
    """The student's name, and so the name of a folder, is a formula."""


@attack("escaping", base="right", **{"as": "\x1b[2J\x1b]0;owned\x07[bold]x"})
def name_for_terminals(nb: NotebookNode, folder: Path) -> None:
    """The student's name clears a terminal; something has to be said about the notebook, so that it is printed."""
    nb.cells.remove(cell(nb, CHECK))


@attack("escaping", base="right", **{"as": "<img src=x onerror=alert(1)>"})
def name_for_pages(nb: NotebookNode, folder: Path) -> None:
    """The student's name is markup, which formgrader and feedback show."""
