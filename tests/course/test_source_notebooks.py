"""What holds for every notebook in source/: sound checks, a reference that earns every point, blanks none."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
import trained_transformers
from course_modules import A2, COURSE, NOTEBOOKS, ROOT, RUNNABLE, a2
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

from chainrule.authoring.answers import Exercise
from chainrule.authoring.cell_names import free_names, top_names
from chainrule.authoring.rehearse import Rehearsal, rehearse
from chainrule.lesson.results import Result
from chainrule.modules import load
from chainrule.release.numbers import check_handout, draw_numbers, find_draw, templates, with_numbers

torch.set_num_threads(1)


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def nbgrader(cell: NotebookNode) -> dict[str, Any]:
    return cell.metadata.get("nbgrader", {})


def graded_code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and nbgrader(cell).get("grade")]


def every(kind: str) -> Any:
    """Parametrise by notebook, all or those that run here, or by graded code cell: in full, and as its visible part in
    the release."""
    if kind in ("notebook", "runnable notebook"):
        paths = NOTEBOOKS if kind == "notebook" else RUNNABLE
        return pytest.mark.parametrize("path", paths, ids=lambda path: f"{path.parent.name}/{path.stem}")
    values = []
    for path in NOTEBOOKS:
        visible, _ = ClearHiddenTests().preprocess(read(path), {})
        for part, notebook in {"full": read(path), "visible": visible}.items():
            for cell in graded_code(notebook):
                grade_id = nbgrader(cell)["grade_id"]
                values.append(pytest.param(cell, id=f"{path.parent.name}-{grade_id}-{part}"))
    return pytest.mark.parametrize("cell", values)


# -- the files -------------------------------------------------------------------------------------------

NOT_SHOWN = re.compile(r"### BEGIN (MARK SCHEME|HIDDEN TESTS|AFTER DUE)\n.*?### END \1", re.DOTALL)
ASKS = re.compile(r"\?(\s|$)")


@every("notebook")
def test_there_are_at_most_25_lines_between_two_things_to_do(path: Path) -> None:
    """To do: write an answer, fill a cell of one's own, or think about a question. Folded code is a line."""
    lines, since = 0, ""
    for cell in read(path).cells[1:]:
        marks, source = nbgrader(cell), NOT_SHOWN.sub("", cell.source)
        own = marks.get("solution") or not marks
        if not own and not marks.get("grade"):
            shown = [line for line in source.splitlines() if line.strip()]
            lines += 1 if source.startswith("# @title") else len(shown)
        prose = "\n".join(line for line in source.splitlines() if not line.startswith("|"))
        if own or (cell.cell_type == "markdown" and ASKS.search(prose)):
            assert lines <= 25, f"{lines} lines between {since} and {cell.id}"
            lines, since = 0, cell.id


@every("notebook")
def test_notebook_has_no_outputs(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@every("notebook")
def test_grade_ids_are_unique_and_those_of_graded_cells_begin_with_their_question(path: Path) -> None:
    known = [nbgrader(cell) for cell in read(path).cells if nbgrader(cell)]
    ids = [cell["grade_id"] for cell in known]
    assert len(set(ids)) == len(ids)
    for cell in known:
        if cell.get("grade"):
            assert re.match(r"[a-z]\d+_\d+[a-z]*-", cell["grade_id"])


@every("graded cell")
def test_graded_cell_fits_the_page(cell: NotebookNode) -> None:
    assert max(map(len, cell.source.splitlines())) <= 120


@every("notebook")
def test_nothing_later_needs_a_section_without_points(path: Path) -> None:
    skipped, inside = set[str](), False
    for cell in read(path).cells:
        heading = re.match(r"#+ .*", cell.source) if cell.cell_type == "markdown" else None
        inside = heading[0].endswith("(no points)") if heading else inside
        marks = nbgrader(cell)
        if inside:
            assert not any(map(marks.get, ("grade", "solution"))), marks["grade_id"]
        if cell.cell_type != "code":
            continue
        if inside:
            skipped |= top_names(cell.source)
        else:
            asked = {*free_names(cell.source), *re.findall(r"\bstudent\.(\w+)", cell.source)}
            assert not skipped & asked, (marks["grade_id"], skipped & asked)
            skipped -= top_names(cell.source)


@pytest.mark.parametrize("assignment", COURSE.course.variants)
def test_numbers_that_vary_are_the_handouts_by_default(assignment: str) -> None:
    handout = check_handout(COURSE, assignment)
    draw = find_draw(COURSE, assignment)
    many = [draw_numbers(draw, 7, assignment, student) for student in "abcdefghij"]
    assert all(numbers.keys() == handout.keys() for numbers in many)
    assert len({tuple(numbers.values()) for numbers in many}) == 10


@pytest.mark.parametrize("assignment", COURSE.course.variants)
@pytest.mark.parametrize("seed", [1, 2])
def test_reference_answers_any_numbers(assignment: str, seed: int, classroom: Path) -> None:
    """What needs training stands in no notebook with numbers that vary, or asks for the handout's own."""
    numbers = draw_numbers(find_draw(COURSE, assignment), seed, assignment, "ann")
    for path in COURSE.notebooks(assignment):
        notebook = with_numbers(read(path), numbers)
        marked = {cell.id for cell in read(path).cells if templates(cell)}
        items = [cell for cell in graded_code(notebook) if cell.id in marked]
        if items:
            code = [
                cell
                for cell in notebook.cells
                if cell.cell_type == "code" and not nbgrader(cell).get("grade")
            ]
            kept = [cell for cell in code if "train(" not in cell.source]
            run = {nbgrader(cell).get("grade_id", cell.id): cell.source for cell in [*kept, *items]}
            cells = [name for name in run if name not in names_of(items)]
            done = rehearse(COURSE.modules(assignment), run, cells, names_of(items), classroom)
            assert {name: result.score for name, result in done.items()} == {
                nbgrader(cell)["grade_id"]: pytest.approx(nbgrader(cell)["points"]) for cell in items
            }


def names_of(cells: list[NotebookNode]) -> list[str]:
    return [nbgrader(cell)["grade_id"] for cell in cells]


# -- written answers ---------------------------------------------------------------------------------------

WRITTEN = [
    pytest.param(path, nbgrader(cell)["grade_id"], id=nbgrader(cell)["grade_id"])
    for path in NOTEBOOKS
    for cell in read(path).cells
    if cell.cell_type == "markdown" and nbgrader(cell).get("grade")
]


@pytest.mark.parametrize(("path", "grade_id"), WRITTEN)
def test_written_answer_has_a_mark_scheme_whose_points_add_up(path: Path, grade_id: str) -> None:
    cells = read(path).cells
    place = next(i for i, cell in enumerate(cells) if nbgrader(cell).get("grade_id") == grade_id)
    question, answer = cells[place - 1], cells[place]
    worth = Fraction(str(nbgrader(answer)["points"]))
    rows = re.findall(r"^\| ([\d.]+) \|", question.source, re.MULTILINE)
    assert sum(map(Fraction, rows)) == worth
    assert "**Model answer.**" in question.source
    assert "**Common mistakes.**" in question.source
    assert re.search(rf"\*Marked by hand, {float(worth):g} points?:\*", question.source)
    assert len(answer.source) > 40  # the answer itself is written out

    released = read(ROOT / "release" / path.parent.name / path.name).cells
    told = {nbgrader(cell).get("grade_id"): cell.source for cell in released}
    assert told[grade_id] == "*Write your answer here.*"
    shown = told[nbgrader(question)["grade_id"]]
    assert "Marked by hand" in shown
    assert "Model answer" not in shown
    assert "mistakes" not in shown


# -- graded cells alone ----------------------------------------------------------------------------------


@every("graded cell")
def test_graded_cell_reaches_student_code_only_through_student(cell: NotebookNode) -> None:
    assert free_names(cell.source) == set()
    doors = {
        "globals",
        "locals",
        "vars",
        "eval",
        "exec",
        "compile",
        "__import__",
        "open",
        "input",
        "breakpoint",
    }
    used = {node.id for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)}
    assert not used & doors
    for node in ast.walk(ast.parse(cell.source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.split(".")[0] for name in names} & {"IPython", "__main__", "sys", "gc", "inspect"}


@every("graded cell")
def test_visible_part_imports_nothing_students_lack(
    cell: NotebookNode, request: pytest.FixtureRequest
) -> None:
    if "visible" in request.node.callspec.id:
        assert "HIDDEN" not in cell.source
        assert "judging" not in cell.source


@every("graded cell")
def test_shares_add_up_to_the_points_and_an_empty_notebook_gets_none(
    cell: NotebookNode, classroom: Path, request: pytest.FixtureRequest
) -> None:
    (assignment,) = (name for name in COURSE.assignments if request.node.callspec.id.startswith(f"{name}-"))
    (result,) = rehearse(COURSE.modules(assignment), {"item": cell.source}, [], ["item"], classroom).values()
    assert isinstance(result, Result)
    assert result.grade_id == nbgrader(cell)["grade_id"]
    assert result.points == pytest.approx(nbgrader(cell)["points"])
    shares = sum(check.points for check in result.checks)
    if "visible" in request.node.callspec.id:
        assert shares <= result.points + 1e-9
    else:
        assert shares == pytest.approx(result.points)
    assert result.score == 0
    for check in result.checks:
        assert not check.internal_error, check.internal_error
        assert 0 < len(check.message) <= 200


# -- whole notebooks -------------------------------------------------------------------------------------


def results(
    assignment: str, notebook: NotebookNode, folder: Path, loaded: Mapping[str, str] | None = None
) -> Mapping[str, Result]:
    """Run all of a notebook's student cells in order, then judge its items.

    Args:
        loaded: sources, by grade_id, of cells that load what theirs took long to train.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    sources = {nbgrader(cell).get("grade_id", cell.id): cell.source for cell in code} | dict(loaded or {})
    items = {nbgrader(cell)["grade_id"] for cell in graded_code(notebook)}
    run = [grade_id for grade_id in sources if grade_id not in items]
    return rehearse(COURSE.modules(assignment), sources, run, sorted(items), folder)


@every("runnable notebook")
def test_reference_gets_every_point(
    path: Path,
    classroom: Path,
    prepared: Callable[[Rehearsal, Exercise], Path],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    folder, loaded = classroom, dict[str, str]()
    # these notebooks' training cells have run when the folder was made
    if path.stem == "assignment2":
        answers = load(A2, "judging.cs480_a2.answers.question3")
        (table,) = (exercise for exercise in answers.PROBLEM.exercises if exercise.prepare)
        folder, loaded = prepared(a2("question3"), table), answers.LOADED
    elif path.stem == "p7_attention":
        folder, loaded = request.getfixturevalue("transformers"), trained_transformers.LOADED
    for grade_id, result in results(path.parent.name, read(path), folder, loaded).items():
        failed = [
            (check.name, check.message, check.internal_error) for check in result.checks if not check.passed
        ]
        assert failed == [], grade_id
        assert result.score == pytest.approx(result.points), grade_id


@every("runnable notebook")
def test_blank_release_gets_nothing_and_is_told_why(
    path: Path, classroom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    blank, _ = ClearSolutions(code_stub={"python": "todo()"}).preprocess(read(path), {})
    assert any("todo()" in cell.source for cell in blank.cells)
    for grade_id, result in results(path.parent.name, blank, classroom).items():
        for check in result.checks:
            assert not check.passed, (grade_id, check.name)
            assert not check.internal_error, (grade_id, check.internal_error)
            assert 0 < len(check.message) <= 150, (grade_id, check.message)
        assert result.score == 0
