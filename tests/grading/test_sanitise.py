"""What is run is the instructor's notebook with the student's answers in it, whatever was handed in."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell
from tiny_course import RIGHT, SQUARE, TINY, filled, marked, notebook, submit

from chainrule.course import CourseFolder
from chainrule.grading.recognise import name_of
from chainrule.grading.repairs import sentences
from chainrule.grading.sanitise import Graft, extra_notebooks, graft
from chainrule.intake import notebook as intake_notebook
from chainrule.intake.notebook import UnreadableNotebookError, read

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
    return sentences(nb.metadata.chainrule.repaired)


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


Damage = Callable[[NotebookNode], Any]


def deleted(*ids: str) -> Damage:
    def damage(nb: NotebookNode) -> None:
        nb.cells = [cell for cell in nb.cells if cell.id not in ids]

    return damage


def unlabelled(*ids: str) -> Damage:
    """As editors do that don't know nbgrader; every cell by default."""

    def damage(nb: NotebookNode) -> None:
        for cell in nb.cells:
            if not ids or cell.id in ids:
                cell.metadata, cell.id = NotebookNode(), f"new-{cell.id}"

    return damage


def swapped(one: str, other: str) -> Damage:
    """The labels of two cells."""

    def damage(nb: NotebookNode) -> None:
        cells = by_id(nb)
        first, second = cells[one], cells[other]
        first.metadata, second.metadata = second.metadata, first.metadata

    return damage


def written(name: str, *sources: str, **more: Any) -> Damage:
    """Several cells with one label, as a split or a pasted cell has."""

    def damage(nb: NotebookNode) -> None:
        place = [cell.id for cell in nb.cells].index(name)
        copies = [nbformat.from_dict({**nb.cells[place], "source": source, **more}) for source in sources]
        nb.cells[place : place + 1] = copies

    return damage


def behind(name: str, *sources: str) -> Damage:
    """Cells of the student's own."""

    def damage(nb: NotebookNode) -> None:
        place = [cell.id for cell in nb.cells].index(name) + 1
        new = new_markdown_cell if by_id(nb)[name].cell_type == "markdown" else new_code_cell
        nb.cells[place:place] = [new(source) for source in sources]

    return damage


def both(*damages: Damage) -> Damage:
    def damage(nb: NotebookNode) -> None:
        for one in damages:
            one(nb)

    return damage


def with_version_at_the_end(nb: NotebookNode) -> None:
    copy = nbformat.from_dict(by_id(nb)[SQUARE])
    copy.source = "def square(x):\n    return 0"
    nb.cells.append(copy)


def pasted_twice(nb: NotebookNode) -> None:
    """First with the stubs, then with the answers."""
    first = nbformat.from_dict(nb).cells
    written(SQUARE, STUB)(NotebookNode(cells=first))
    nb.cells = [*first, *nb.cells]


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
    cell = by_id(nb)["square-check"]
    cell.metadata.nbgrader.grade_id = cell.id = "mine"


def check_copied(nb: NotebookNode) -> None:
    nb.cells += [by_id(nb)["square-check"]] * 3


def foreign(nb: NotebookNode) -> None:
    nb.cells.append(
        new_code_cell("1", metadata={"nbgrader": {"grade_id": "<script>alert(1)</script>\x1b" * 9}})
    )


def in_r(nb: NotebookNode) -> None:
    nb.metadata = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}


STUB = "def square(x):\n    # TODO: the square of x\n    todo()"
HALF, OTHER_HALF = "def square(x):\n    y = x * x", "    return y"
WHY = "*Write your answer here.*"
TWICE, JOINED = (
    "is there more than once: it counts once",
    "is there in several pieces: they were put together",
)
ADDED = {"chainrule": {"added": True}}
BOTH_TWICE = "are there more than once: they count once"
BOTH_CONTENT = "had lost their labels: recognised by their content"
CONTENT = "had lost its label: recognised by its content"
PLACE = "had lost its label: recognised by its position"
SPLIT = "is there in several versions: those that can't be joined follow each other"

# what happened to the notebook, what is said about it, answers that are other than those of the perfect hand-in
DAMAGE: dict[str, tuple[Damage, list[str], dict[str, str]]] = {
    "locked cells deleted": (
        deleted("imports", "square-check"),
        ["cells imports, square-check were missing: restored"],
        {},
    ),
    "answers deleted": (
        deleted(SQUARE, "why"),
        [f"cells {SQUARE}, why were missing: restored without an answer"],
        {SQUARE: STUB, "why": WHY},
    ),
    "everything deleted": (
        deleted("title", "imports", SQUARE, "show", "square-check", "why-intro", "why"),
        [
            "cells title, imports, show, square-check, why-intro were missing: restored",
            f"cells {SQUARE}, why were missing: restored without an answer",
        ],
        {SQUARE: STUB, "why": WHY},
    ),
    "another version at the end": (
        with_version_at_the_end,
        [f"cell {SQUARE} is there more than once: the one in another position is kept as a separate cell"],
        {},
    ),
    "pasted twice": (
        pasted_twice,
        [
            f"cells {SQUARE}, title, imports, show, square-check, why-intro and 1 more {BOTH_TWICE}",
        ],
        {},
    ),
    "answers pasted twice": (
        both(written(SQUARE, RIGHT, RIGHT), written("why", "Signs cancel.", " Signs cancel.\n")),
        [f"cells {SQUARE}, why {BOTH_TWICE}"],
        {},
    ),
    "the stub left above the answer": (
        both(written(SQUARE, STUB, RIGHT), written("why", WHY, "Signs cancel.")),
        [f"cells {SQUARE}, why {BOTH_TWICE}"],
        {},
    ),
    "split in the middle": (
        both(written(SQUARE, HALF, OTHER_HALF), written("why", "Signs", "cancel.")),
        [f"cells {SQUARE}, why are there in several pieces: they were put together"],
        {SQUARE: f"{HALF}\n\n{OTHER_HALF}", "why": "Signs\n\ncancel."},
    ),
    "split in two of which one is a cell magic": (
        written(SQUARE, RIGHT, "%%time\nsquare(1)"),
        [f"cell {SQUARE} {SPLIT}"],
        {},
    ),
    "a broken attempt below": (written(SQUARE, RIGHT, "def square(x:"), [f"cell {SQUARE} {SPLIT}"], {}),
    "split with line magics": (
        written(SQUARE, RIGHT, "%time square(1)\n!ls\nfiles = !ls\nsquare?"),
        [f"cell {SQUARE} {JOINED}"],
        {SQUARE: f"{RIGHT}\n\n%time square(1)\n!ls\nfiles = !ls\nsquare?"},
    ),
    "re-typed": (retyped, [], {}),
    "emptied": (both(written(SQUARE, " "), written("why", "")), [], {SQUARE: "", "why": WHY}),
    "edited": (edited, ["cell square-check had been changed: restored"], {}),
    "reordered": (reordered, [], {}),
    "points, grade and solution changed": (revalued, [], {}),
    "relabelled": (relabelled, [f"cell square-check {CONTENT}"], {}),
    "no label anywhere": (
        unlabelled(),
        [
            f"cells title, imports, show, square-check, why-intro, {SQUARE} {BOTH_CONTENT}",
            f"cell why {PLACE}",
        ],
        {},
    ),
    "no label on the answers": (
        unlabelled(SQUARE, "why"),
        [f"cell {SQUARE} {CONTENT}", f"cell why {PLACE}"],
        {},
    ),
    "a lambda without a label": (
        both(written(SQUARE, "square = lambda x: x * x"), unlabelled(SQUARE)),
        [f"cell {SQUARE} {PLACE}"],
        {SQUARE: "square = lambda x: x * x"},
    ),
    "no label, and a draft at the end": (
        both(unlabelled(SQUARE), behind("show", f"{RIGHT} + 1")),
        [f"cell {SQUARE} {CONTENT}"],
        {},
    ),
    "answer and check with swapped labels": (
        swapped(SQUARE, "square-check"),
        [f"cells square-check, {SQUARE} {BOTH_CONTENT}"],
        {},
    ),
    "answer and question with swapped labels": (
        swapped("why", "why-intro"),
        [f"cell why-intro {CONTENT}", f"cell why {PLACE}"],
        {},
    ),
    "the check's label on the answer": (
        lambda nb: by_id(nb)[SQUARE].update(metadata=by_id(nb)["square-check"].metadata),
        [f"cell {SQUARE} {CONTENT}"],
        {},
    ),
    "the answer's label on a copy of the check": (
        written(SQUARE, RIGHT, "CHECK"),
        ["cell square-check is there more than once: it counts once"],
        {},
    ),
    "the answer behind its empty cell": (
        both(written("why", WHY), behind("why", "Signs", "cancel.")),
        ["cell why was left empty: the text after it is taken as the answer", f"cell why {JOINED}"],
        {"why": "Signs\n\ncancel."},
    ),
    "the check copied": (check_copied, [f"cell square-check {TWICE}"], {}),
    "foreign cells": (
        foreign,
        [
            "cell ?script?alert(1)?/script???script?alert(1)?/script???script? is not part of this notebook: "
            "kept without its points"
        ],
        {},
    ),
    "another language": (in_r, ["the notebook was saved as R: run as python"], {}),
}


@pytest.mark.parametrize(("damage", "said", "answers"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_repaired_and_reported(
    folder: CourseFolder,
    handed_in: NotebookNode,
    damage: Damage,
    said: list[str],
    answers: dict[str, str],
) -> None:
    right = sanitised(folder, nbformat.from_dict(handed_in))
    check = by_id(handed_in)["square-check"].source
    damage(handed_in)
    for cell in handed_in.cells:
        cell.source = cell.source.replace("CHECK", check)
    nb = sanitised(folder, handed_in)
    assert repairs(nb) == said
    assert nb.metadata.kernelspec == right.metadata.kernelspec
    assert ours(nb) == [
        (name, kind, answers.get(name, source), metadata) for name, kind, source, metadata in ours(right)
    ]
    assert len([cell for cell in nb.cells if "squares 2" in cell.source]) == 1
    assert "**Collaborators:** Bo" in sources(nb)


def ours(nb: NotebookNode) -> list[tuple[str, str, str, NotebookNode]]:
    return [(c.id, c.cell_type, c.source, c.metadata) for c in nb.cells if "nbgrader" in c.metadata]


def test_what_cannot_be_joined_stands_behind(folder: CourseFolder, handed_in: NotebookNode) -> None:
    written(SQUARE, "%%time\nsquare = 1", RIGHT, "square(1)", "%%writefile a.py\n1")(handed_in)
    nb = sanitised(folder, handed_in)
    assert [cell.source for cell in nb.cells[3:7]] == [
        "%%time\nsquare = 1",
        f"{RIGHT}\n\nsquare(1)",
        "%%writefile a.py\n1",
        "print('three squared is', square(3))",
    ]
    assert all(cell.metadata == ADDED for cell in nb.cells[4:6])


def test_pieces_whose_pictures_share_a_name_stay_apart(folder: CourseFolder, handed_in: NotebookNode) -> None:
    written("why", "![](attachment:cat.png)", "![](attachment:cat.png) again", attachments=PICTURE)(handed_in)
    nb = sanitised(folder, handed_in)
    assert [cell.attachments for cell in nb.cells[-2:]] == [PICTURE, PICTURE]
    assert repairs(nb) == [f"cell why {SPLIT}"]


def test_an_answer_copied_as_a_start_for_another_is_where_it_stands(folder: CourseFolder) -> None:
    """Copied with its label, and changed into something else: the student's own cell, run in the same order."""
    nb = filled(folder.root, {SQUARE: RIGHT})
    copy = nbformat.from_dict(by_id(nb)[SQUARE])
    copy.source = "def cube(x):\n    return square(x) * x"
    nb.cells.insert(6, copy)
    assert sources(sanitised(folder, nb))[5:7] == ["ITEM", "def cube(x):"]


def test_an_emptied_answer_does_not_hide_what_was_written_elsewhere(folder: CourseFolder) -> None:
    for left in ("", "import math"):
        nb = filled(folder.root, {SQUARE: left})
        nb.cells.insert(2, new_code_cell(RIGHT))
        assert [cell.source for cell in sanitised(folder, nb).cells[2:5]] == [
            RIGHT,
            "from chainrule.lesson import todo",
            left,
        ]


def test_a_students_own_copy_of_a_check_may_stay(folder: CourseFolder, handed_in: NotebookNode) -> None:
    behind("show", by_id(handed_in)["square-check"].source)(handed_in)
    nb = sanitised(folder, handed_in)
    assert repairs(nb) == []
    assert sources(nb).count("ITEM") == 2
    assert nb.cells[5].metadata == ADDED


def test_several_answers_that_lost_their_labels() -> None:
    """Each answer gets what stands in its place, never what stands beside another cell."""

    def answer(name: str, source: str) -> NotebookNode:
        return marked(new_markdown_cell(source), name, 1, solution=True)

    def cells(*answers: str) -> list[NotebookNode]:
        texts = [marked(new_markdown_cell(f"# {n}"), f"t{n}") for n in (1, 2, 3)]
        a, b, c = (answer(name, source) for name, source in zip("abc", answers, strict=True))
        return [texts[0], a, b, texts[1], c, texts[2]]

    master, nb = notebook(cells("?", "?", "?")), notebook(cells("one", "two", "three"))
    unlabelled()(nb)
    graft(master, nb)
    assert [cell.source for cell in master.cells] == ["# 1", "one", "two", "# 2", "three", "# 3"]

    master, nb = notebook(cells("?", "?", "?")), notebook(cells("one", "two", "three"))
    unlabelled()(nb)
    del nb.cells[1:3]
    graft(master, nb)
    assert [cell.source for cell in master.cells] == ["# 1", "?", "?", "# 2", "three", "# 3"]


def test_functions_in_each_others_cells() -> None:
    def cells(one: str, two: str) -> list[NotebookNode]:
        sources = {"a": f"def one(x):\n    {one}", "b": f"def two(x):\n    {two}"}
        return [marked(new_code_cell(source), name, solution=True) for name, source in sources.items()]

    master, nb = notebook(cells("todo()", "todo()")), notebook(cells("return 1", "return 2"))
    swapped("a", "b")(nb)
    said = sentences(graft(master, nb).found())
    assert [cell.source[-8:] for cell in master.cells] == ["return 1", "return 2"]
    assert said == [f"cells a, b {BOTH_CONTENT}"]


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
    assert nb.cells[5].metadata == ADDED
    assert nb.cells[-1].attachments == PICTURE


def test_the_collaborators_line_may_be_deleted(folder: CourseFolder, handed_in: NotebookNode) -> None:
    deleted("collaborators")(handed_in)
    nb = sanitised(folder, handed_in)
    assert repairs(nb) == []
    assert "Collaborators" not in nbformat.writes(nb)


def test_pictures_in_answers_are_kept(folder: CourseFolder, handed_in: NotebookNode) -> None:
    cells = by_id(handed_in)
    cells["why"].attachments = PICTURE | {"broken": 5, "broken too": {"image/png": ["x", 5]}}
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
    assert sentences(graft(master, plain()).found()) == []
    assert [cell.source for cell in master.cells] == ["one", "two", "three"]


def test_half_a_character_can_be_stored(folder: CourseFolder, handed_in: NotebookNode) -> None:
    by_id(handed_in)["why"].source = "half \ud83d of it"
    handed_in.cells.append(new_markdown_cell("\udc00"))
    nb = sanitised(folder, handed_in)
    nbformat.writes(nb).encode()
    assert by_id(nb)["why"].source == "half ? of it"


# ---- damages in any combination ----------------------------------------------------------------------------


def mangle(nb: NotebookNode, random: Random) -> None:
    """One thing that editors and students do to a notebook."""
    cells = nb.cells
    place, other = random.randrange(len(cells)), random.randrange(len(cells))
    cell = cells[place]
    copy = nbformat.from_dict(cell)
    cut = random.randrange(len(cell.source) + 1)
    marks = cell.metadata.get("nbgrader")
    match random.randrange(16):
        case 0 if len(cells) > 1:
            del cells[place]
        case 1:
            cells.insert(other, copy)
        case 2:
            cells.insert(other, cells.pop(place))
        case 3:
            cell.cell_type = random.choice(["code", "markdown", "raw"])
        case 4:
            cell.metadata = NotebookNode()
        case 5:
            cell.id = "new"
        case 6:
            cell.metadata, cells[other].metadata = cells[other].metadata, cell.metadata
        case 7:
            cell.source, copy.source = cell.source[:cut], cell.source[cut:]
            cells.insert(place + 1, copy)
        case 8:
            cell.source += f"\n# edited {random.random()}"
        case 9:
            cells.insert(place, new_code_cell(random.choice(["", "%%time", "1", "def square(x):"])))
        case 10:
            cells.insert(place, new_markdown_cell("a note"))
        case 11 if len(cells) < 100:
            cells += nbformat.from_dict(nb).cells
        case 12 if isinstance(marks, dict):
            marks["grade_id"] = random.choice(
                ["mine", "why", SQUARE, "title", "square-check", "", None, 5, ["a"]]
            )
        case 13:
            cell.metadata["nbgrader"] = random.choice(["", 5, None, [], {}, {"grade_id": {}}])
        case 14:
            cell.attachments = random.choice([PICTURE, 5, {"cat.png": {"image/png": "other"}}])
        case 15:
            random.shuffle(cells)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_the_notebook_is_ours_and_no_labelled_answer_is_lost(
    folder: CourseFolder, handed_in: NotebookNode, seed: int
) -> None:
    random = Random(seed)
    blank = sanitised(folder, filled(folder.root, {}))
    given = {
        cell.source.strip() for cell in handed_in.cells if cell.metadata.get("nbgrader", {}).get("locked")
    }
    given |= {"", STUB, WHY}
    for _ in range(40):
        nb = nbformat.from_dict(handed_in)
        for _ in range(random.randrange(1, 12)):
            mangle(nb, random)
        master = nbformat.from_dict(blank)
        answers = [
            (name_of(cell), cell.source.strip())
            for cell in nb.cells
            if name_of(cell) in (SQUARE, "why") and cell.source.strip() not in given
        ]
        said = sentences(graft(master, nb).found())
        assert [c[:2] + c[3:] for c in ours(master)] == [c[:2] + c[3:] for c in ours(blank)]
        locked = [c.id for c in blank.cells if c.metadata.get("nbgrader", {}).get("locked")]
        assert all(by_id(master)[name].source == by_id(blank)[name].source for name in locked)
        assert all(isinstance(sentence, str) and sentence.isprintable() for sentence in said)
        everything = "\0".join(cell.source for cell in master.cells)
        for _, answer in answers:
            assert answer in everything
        for name in (SQUARE, "why"):
            if any(label == name for label, _ in answers):
                assert by_id(master)[name].source not in ("", STUB, WHY)
        nbformat.validate(master)


# ---- bounds ------------------------------------------------------------------------------------------------


def seconds(folder: CourseFolder, nb: NotebookNode) -> float:
    """CPU seconds that sanitising takes."""
    started = time.process_time()
    sanitised(folder, nb)
    return time.process_time() - started


def test_gigantic_notebooks_are_cut_and_hold_nobody_up(folder: CourseFolder, handed_in: NotebookNode) -> None:
    many = nbformat.from_dict(handed_in)
    many.cells += [new_code_cell(f"x{number} = 1") for number in range(5_000)]
    assert seconds(folder, nbformat.from_dict(many)) < 5
    nb = sanitised(folder, many)
    assert len(nb.cells) == 8 + 2_000
    assert repairs(nb) == [
        "3000 added cells were left out: 2,000 cells and 10,000,000 characters of your own can be run"
    ]
    handed_in.cells += [new_code_cell("x = '" + "ha " * 2_000_000 + "'") for _ in range(3)]
    nb = sanitised(folder, handed_in)
    assert len(nb.cells) == 8 + 1
    assert repairs(nb)[0].startswith("2 added cells were left out")


@pytest.mark.parametrize(
    "source",
    ["x = 1\n" * 800_000, "(" * 5_000_000, "a" * 5_000_000, " " * 5_000_000, "def f(): 1\n" * 400_000],
    ids=["lines", "brackets", "a word", "blank", "definitions"],
)
def test_a_gigantic_answer_holds_nobody_up(
    folder: CourseFolder, handed_in: NotebookNode, source: str
) -> None:
    written(SQUARE, source, source + "1", RIGHT)(handed_in)
    written("why", source)(handed_in)
    assert seconds(folder, handed_in) < 10


@pytest.mark.parametrize("piece", ["!ls", "x = (", "%%time", "x = 1", "?", "(" * 500, "a = %time b"])
def test_an_answer_in_thousands_of_pieces_holds_nobody_up(
    folder: CourseFolder, handed_in: NotebookNode, piece: str
) -> None:
    written(SQUARE, *(f"{piece}\n# {number}" for number in range(3_000)))(handed_in)
    assert seconds(folder, handed_in) < 10


def test_an_answer_may_be_too_long(folder: CourseFolder, handed_in: NotebookNode) -> None:
    written("why", "why not " * 2_000_000)(handed_in)
    nb = sanitised(folder, handed_in)
    assert by_id(nb)["why"].source == WHY
    assert repairs(nb) == ["cell why is longer than 10,000,000 characters: left out"]


def test_notebooks_that_are_not_the_assignments_are_named(course: Path) -> None:
    folder = CourseFolder(course)
    path = submit(course, "ann", filled(course, {}))
    assert extra_notebooks(folder, TINY, "ann") == []
    for name in (
        "Untitled.ipynb",
        "old/tiny.ipynb",
        ".ipynb_checkpoints/tiny.ipynb",
        "\x1b[31m.ipynb",
        "notes.txt",
    ):
        (path.parent / name).parent.mkdir(exist_ok=True)
        (path.parent / name).write_text("")
    assert extra_notebooks(folder, TINY, "ann") == ["??31m.ipynb", "Untitled.ipynb", "old/tiny.ipynb"]
    assert extra_notebooks(folder, TINY, "nobody") == []


# ---- reading -----------------------------------------------------------------------------------------------

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
    "a number of thousands of digits": '{"cells": [], "metadata": ' + "1" * 5_000 + "}",
    "metadata nested too deeply": (
        '{"metadata": '
        + '{"a":' * 900
        + "1"
        + "}" * 900
        + ', "cells": [], "nbformat": 4, "nbformat_minor": 5}'
    ),
    "a torn file": '{"cells": [{"cell_type": "code", "sour',
    "a version that is a list": '{"cells": [], "nbformat": [], "nbformat_minor": 0, "metadata": {}}',
}


@pytest.mark.parametrize("text", NO_NOTEBOOKS.values(), ids=NO_NOTEBOOKS.keys())
def test_what_is_no_notebook_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    with pytest.raises(UnreadableNotebookError, match="not a readable notebook"):
        read(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"PK\x03\x04", None], ids=["bytes", "a zip", "no file"])
def test_what_is_no_text_is_no_notebook(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.ipynb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableNotebookError):
        read(path)


def test_a_sloppy_notebook_is_read(tmp_path: Path) -> None:
    """Tools forget outputs and ids, and add keys of their own; what matters is there."""
    path = tmp_path / "x.ipynb"
    cells = '[{"cell_type": "code", "source": ["a\\n", "b"], "metadata": {}, "colour": 1}]'
    path.write_text(f'{{"cells": {cells}, "metadata": {{}}, "nbformat": 4, "nbformat_minor": 4}}')
    assert read(path).cells[0].source == "a\nb"


def test_outputs_are_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    output = nbformat.v4.new_output("stream", text="x" * 10_000_000)
    nb = notebook([new_code_cell("1", outputs=[output])])
    for version in (nb, nbformat.convert(nbformat.from_dict(nb), 3)):
        path.write_text(nbformat.writes(version, version=version.nbformat))
        (cell,) = read(path).cells
        assert (cell.source, cell.outputs) == ("1", [])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_are_read(tmp_path: Path, handed_in: NotebookNode, encoding: str) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(nbformat.writes(handed_in), encoding=encoding)
    assert [cell.source for cell in read(path).cells] == [cell.source for cell in handed_in.cells]


def test_slips_of_tools_are_read_as_jupyter_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    cell = '{"cell_type": "sql", "source": "1", "source": "2", "metadata": {"a": NaN, "b": -Infinity, "c": 1e999}}'
    path.write_text(f'{{"cells": [{cell}], "metadata": {{}}, "nbformat": 4, "nbformat_minor": 4}}')
    (cell,) = read(path).cells
    assert (cell.cell_type, cell.source) == ("raw", "2")


def test_only_ordinary_files_of_a_sane_size_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.ipynb"
    nbformat.write(notebook([]), path)
    (tmp_path / "link.ipynb").symlink_to(path)
    os.mkfifo(tmp_path / "pipe.ipynb")
    for name, reason in {
        "link.ipynb": "it is a link",
        "pipe.ipynb": "it is not an ordinary file",
        "/dev/zero": "it is not an ordinary file",
        ".": "it is not an ordinary file",
        "none.ipynb": "it cannot be opened",
    }.items():
        with pytest.raises(UnreadableNotebookError, match=reason):
            read(tmp_path / name)
    monkeypatch.setattr(intake_notebook, "MAX_BYTES", 100)
    with pytest.raises(UnreadableNotebookError, match="it is larger than"):
        read(path)
    monkeypatch.setattr(intake_notebook, "MAX_BRACKETS", 3)
    monkeypatch.setattr(intake_notebook, "MAX_BYTES", 10_000)
    with pytest.raises(UnreadableNotebookError, match="it has more than 3 parts"):
        read(path)
