"""What is run is the instructor's notebook with the student's answers in it, whatever was handed in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell
from tiny_course import RIGHT, SQUARE, TINY, filled, notebook

from chainrule.course import CourseFolder
from chainrule.grading.sanitise import Graft, graft
from chainrule.intake.notebook import Unreadable, read

PICTURE = {"cat.png": {"image/png": "iVBORw0KGgo="}}


@pytest.fixture(scope="session")
def folder(released: Path) -> CourseFolder:
    return CourseFolder(released)


@pytest.fixture
def handed_in(released: Path) -> NotebookNode:
    """A perfect hand-in."""
    return filled(released, {SQUARE: RIGHT, "why": "Signs cancel.", "collaborators": "**Collaborators:** Bo"})


def sanitised(folder: CourseFolder, nb: NotebookNode) -> NotebookNode:
    where = {"student": "ann", "assignment": TINY, "notebook": TINY}
    return Graft(config=folder.config).preprocess(nb, {"nbgrader": where})[0]


def repairs(nb: NotebookNode) -> list[str]:
    return nb.metadata.chainrule.repairs


def sources(nb: NotebookNode) -> list[str]:
    """The sources in order, graded cells by the name of their item."""
    return [cell.source.split("\n")[0] if "item" not in cell.source else "ITEM" for cell in nb.cells]


def by_id(nb: NotebookNode) -> dict[str, NotebookNode]:
    return {cell.id: cell for cell in nb.cells}


def test_an_honest_hand_in_needs_no_repair(folder: CourseFolder, handed_in: NotebookNode) -> None:
    nb = sanitised(folder, handed_in)
    assert repairs(nb) == []
    cells = by_id(nb)
    assert cells[SQUARE].source == RIGHT
    assert cells["why"].source == "Signs cancel."
    assert cells["collaborators"].source == "**Collaborators:** Bo"
    assert "NEVER-HINT" in cells["square-check"].source
    assert "THE_SOLUTION" not in nbformat.writes(nb)
    assert "THE-MODEL-ANSWER" not in nbformat.writes(nb)


def test_the_blank_release_needs_no_repair(folder: CourseFolder, released: Path) -> None:
    nb = sanitised(folder, filled(released, {}))
    assert repairs(nb) == []
    assert "todo()" in by_id(nb)[SQUARE].source


def damaged(*ids: str) -> Callable[[NotebookNode], Any]:
    def remove(nb: NotebookNode) -> None:
        nb.cells = [cell for cell in nb.cells if cell.id not in ids]

    return remove


def doubled(nb: NotebookNode) -> None:
    copy = nbformat.from_dict(by_id(nb)[SQUARE])
    copy.source = "def square(x):\n    return 0"
    nb.cells.append(copy)


def retyped(nb: NotebookNode) -> None:
    cells = by_id(nb)
    cells[SQUARE].cell_type = "markdown"
    cells["why"].cell_type = "code"
    cells["square-check"].cell_type = "raw"


def edited(nb: NotebookNode) -> None:
    by_id(nb)["square-check"].source = "4.0"


def revalued(nb: NotebookNode) -> None:
    for cell in nb.cells:
        cell.metadata.setdefault("nbgrader", {}).update(points=100, grade=True, solution=True, locked=False)


def reordered(nb: NotebookNode) -> None:
    nb.cells.reverse()


def relabelled(nb: NotebookNode) -> None:
    by_id(nb)["square-check"].metadata.nbgrader.grade_id = "mine"


DAMAGE: dict[str, tuple[Callable[[NotebookNode], Any], list[str]]] = {
    "deleted": (
        damaged("imports", "square-check"),
        ["cell imports was missing", "cell square-check was missing"],
    ),
    "doubled": (doubled, [f"cell {SQUARE} is there more than once"]),
    "retyped": (retyped, []),
    "edited": (edited, ["cell square-check had been changed"]),
    "reordered": (reordered, []),
    "relabelled": (relabelled, ["cell mine is not part of this notebook", "cell square-check was missing"]),
    "points, grade and solution changed": (revalued, []),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_repaired_and_reported(
    folder: CourseFolder,
    handed_in: NotebookNode,
    damage: Callable[[NotebookNode], Any],
    said: list[str],
) -> None:
    right = sanitised(folder, nbformat.from_dict(handed_in))
    damage(handed_in)
    nb = sanitised(folder, handed_in)
    assert [repair.split(":")[0] for repair in repairs(nb)] == said
    ours = [cell for cell in nb.cells if "nbgrader" in cell.metadata or cell.id == "collaborators"]
    assert [(c.id, c.cell_type, c.source, c.metadata) for c in ours] == [
        (c.id, c.cell_type, c.source, c.metadata) for c in right.cells
    ]


def test_whitespace_alone_is_no_change(folder: CourseFolder, handed_in: NotebookNode) -> None:
    for cell in handed_in.cells:
        if cell.metadata.get("nbgrader", {}).get("locked"):
            cell.source = "\r\n" + cell.source.replace("\n", "  \r\n\t") + "\n\n"
    assert repairs(sanitised(folder, handed_in)) == []


def test_cells_of_the_students_own_keep_their_places(folder: CourseFolder, handed_in: NotebookNode) -> None:
    cells = handed_in.cells
    cells.insert(0, new_markdown_cell("first of all"))
    cells.insert(5, new_code_cell("after the answer", metadata={"tags": ["mine"]}))
    cells.insert(6, new_raw_cell("raw"))
    cells.insert(7, new_code_cell("  \n"))
    cells.append(new_markdown_cell("![a cat](attachment:cat.png)", attachments=PICTURE))
    nb = sanitised(folder, handed_in)
    assert sources(nb) == [
        "first of all",
        "# Tiny",
        "**Collaborators:** Bo",
        "from chainrule.lesson import todo",
        "def square(x):",
        "after the answer",
        "raw",
        "print('three squared is', square(3))",
        "ITEM",
        "## Why",
        "Signs cancel.",
        "![a cat](attachment:cat.png)",
    ]
    assert repairs(nb) == []
    assert nb.cells[5].metadata == {}
    assert nb.cells[-1].attachments == PICTURE


def test_the_collaborators_line_may_be_deleted(folder: CourseFolder, handed_in: NotebookNode) -> None:
    damaged("collaborators")(handed_in)
    nb = sanitised(folder, handed_in)
    assert repairs(nb) == []
    assert "Collaborators" not in nbformat.writes(nb)


def test_pictures_in_answers_are_kept(folder: CourseFolder, handed_in: NotebookNode) -> None:
    cells = by_id(handed_in)
    cells["why"].attachments = PICTURE | {"broken": 5, "broken too": {"image/png": ["x"]}}
    cells[SQUARE].attachments = PICTURE
    cells["title"].attachments = PICTURE
    nb = by_id(sanitised(folder, handed_in))
    assert nb["why"].attachments == PICTURE
    assert "attachments" not in nb[SQUARE]
    assert "attachments" not in nb["title"]


def test_nothing_of_the_students_metadata_survives(folder: CourseFolder, handed_in: NotebookNode) -> None:
    handed_in.metadata.update({"kernelspec": {"name": "EVIL", "display_name": "EVIL"}, "widgets": "EVIL"})
    handed_in.cells.append(new_code_cell("1"))
    for cell in handed_in.cells:
        cell.metadata.update({"tags": ["EVIL"], "editable": True, "EVIL": 1})
        if cell.cell_type == "code":
            cell.execution_count = 666
            cell.outputs = [nbformat.v4.new_output("stream", text="EVIL")]
    nb = sanitised(folder, handed_in)
    text = nbformat.writes(nb)
    assert "EVIL" not in text
    assert "666" not in text
    assert nb.metadata.kernelspec.name == "python3"


def test_older_formats(folder: CourseFolder, handed_in: NotebookNode, tmp_path: Path) -> None:
    """Format 3, and 4.0 as Colab writes it: cells have no ids there."""
    path = tmp_path / "old.ipynb"
    want = by_id(sanitised(folder, nbformat.from_dict(handed_in)))
    handed_in.cells.insert(4, new_code_cell("mine"))
    for cell in handed_in.cells:
        del cell["id"]
    handed_in.nbformat_minor = 0
    older = nbformat.from_dict(handed_in)
    for nb in (older, nbformat.convert(handed_in, 3)):
        path.write_text(nbformat.writes(nb, version=nb.nbformat))
        got = sanitised(folder, read(path))
        assert repairs(got) == []
        assert sources(got)[1:6] == [
            "**Collaborators:** Bo",
            "from chainrule.lesson import todo",
            "def square(x):",
            "mine",
            "print('three squared is', square(3))",
        ]
        for name, cell in by_id(got).items():
            if "nbgrader" in cell.metadata:
                assert cell == want[name]


def test_a_master_without_cell_ids_loses_no_cell() -> None:
    def plain() -> NotebookNode:
        nb = notebook([new_markdown_cell(text) for text in ("one", "two", "three")])
        for cell in nb.cells:
            del cell["id"]
        return nb

    master = plain()
    assert graft(master, plain()) == []
    assert [cell.source for cell in master.cells] == ["one", "two", "three"]


def test_half_a_character_can_be_stored(folder: CourseFolder, handed_in: NotebookNode) -> None:
    by_id(handed_in)["why"].source = "half \ud83d of it"
    handed_in.cells.append(new_markdown_cell("\udc00"))
    nb = sanitised(folder, handed_in)
    nbformat.writes(nb).encode()
    assert by_id(nb)["why"].source == "half ? of it"


NO_NOTEBOOKS = {
    "nothing": "",
    "text": "print(1)",
    "a number": "1",
    "a list": "[]",
    "another thing": '{"a": 1}',
    "no cells": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    "cells that are a number": '{"cells": 5, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    "a cell that is a number": '{"cells": [5], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    "a cell without source": '{"cells": [{"cell_type": "code"}], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    "a source that is a number": (
        '{"cells": [{"cell_type": "code", "source": 5, "metadata": {}}], "nbformat": 4, "nbformat_minor": 5}'
    ),
    "metadata that is a list": (
        '{"cells": [{"cell_type": "code", "source": "", "metadata": []}], "nbformat": 4, "nbformat_minor": 5}'
    ),
    "a format of the future": '{"cells": [], "nbformat": 99, "nbformat_minor": 0, "metadata": {}}',
    "format 3 without worksheets": '{"nbformat": 3, "nbformat_minor": 0, "metadata": {}}',
    "nested too deeply": "[" * 100_000,
}


@pytest.mark.parametrize("text", NO_NOTEBOOKS.values(), ids=NO_NOTEBOOKS.keys())
def test_what_is_no_notebook_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    with pytest.raises(Unreadable, match="not a readable notebook"):
        read(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"PK\x03\x04", None], ids=["bytes", "a zip", "no file"])
def test_what_is_no_text_is_no_notebook(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.ipynb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Unreadable):
        read(path)


def test_a_sloppy_notebook_is_read(tmp_path: Path) -> None:
    """Tools forget outputs and ids, and add keys of their own; what matters is there."""
    path = tmp_path / "x.ipynb"
    cells = '[{"cell_type": "code", "source": ["a\\n", "b"], "metadata": {}, "colour": 1}]'
    path.write_text(f'{{"cells": {cells}, "metadata": {{}}, "nbformat": 4, "nbformat_minor": 4}}')
    assert read(path).cells[0].source == "a\nb"
