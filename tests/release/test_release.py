"""What students get: everything they need, nothing they should not see, and always made from the source at hand."""

import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from conftest import once
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook
from tiny_course import (
    DOUBLES,
    PLAIN,
    ROOT,
    SQUARE,
    TINY,
    filled,
    plain_notebook,
    set_due,
    tiny_notebook,
)
from traitlets.config import Config

from chainrule.course import CONFIG, Course, CourseError, CourseFolder
from chainrule.metadata import framework_of
from chainrule.release import ClearSolutions, Tidy
from chainrule.release.generate import generate

ASSIGNMENTS = sorted({path.parent.name for path in ROOT.glob("source/*/*.ipynb")})
DUE = {"cs480-a2": datetime(2026, 7, 13, 16, 0), "csc6022-hw2": datetime(2025, 11, 12, 15, 59, 59)}
GONE = ["BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "MARK SCHEME", "AFTER DUE", "judging"]


def release(root: Path, assignment: str) -> Path:
    """The release of an assignment of a course, made now."""
    course = CourseFolder(root)
    generate(course, assignment)
    return root / "release" / assignment


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but what Python and Jupyter leave there."""
    found = (path for path in folder.rglob("*") if path.is_file())
    kept = (path for path in found if not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts))
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


@pytest.fixture(scope="session", params=ASSIGNMENTS)
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release of one of the course's own assignments, made in a folder apart, without its gradebook."""
    assignment = request.param

    def make(root: Path) -> None:
        leave = shutil.ignore_patterns(".ipynb_checkpoints")
        shutil.copytree(ROOT / "source" / assignment, root / "source" / assignment, ignore=leave)
        shutil.copy(ROOT / CONFIG, root)
        release(root, assignment)

    return once(tmp_path_factory, f"fresh {assignment}", make) / "release" / assignment


def test_committed_release_is_what_chainrule_release_makes_now(fresh: Path) -> None:
    """If this fails, run `make release` and commit what it made."""
    committed, now = (ours(folder) for folder in (ROOT / "release" / fresh.name, fresh))
    assert committed.keys() == now.keys()
    assert [name for name in now if committed[name] != now[name]] == []


def ours(folder: Path) -> dict[str, bytes]:
    """What git keeps of a release: all but the package that students import."""
    return {name: content for name, content in files(folder).items() if not name.startswith("chainrule/")}


def notebooks(folder: Path) -> dict[str, NotebookNode]:
    return {path.name: nbformat.read(path, as_version=4) for path in folder.glob("*.ipynb")}


REGION = re.compile(r"### BEGIN ([A-Z ]+)\n(.*?)### END [A-Z ]+", re.DOTALL)


def test_no_solution_hidden_check_or_mark_scheme_is_released(fresh: Path) -> None:
    everything = b"\n".join(files(fresh).values()).decode()
    # a visible check may be made like a hidden one, and give the same hint
    apart = b"\n".join(
        content for name, content in files(fresh).items() if not name.startswith("checks/")
    ).decode()
    cells = "\n".join(cell.source for nb in notebooks(fresh).values() for cell in nb.cells)
    assert not [word for word in GONE if word in cells]
    for nb in notebooks(fresh.parent.parent / "source" / fresh.name).values():
        source = "\n".join(cell.source for cell in nb.cells)
        visible = REGION.sub("", source)
        for kind, released in {
            "HIDDEN TESTS": apart,
            "SOLUTION": everything,
            "MARK SCHEME": everything,
            "AFTER DUE": everything,
        }.items():
            regions = [region for found, region in REGION.findall(source) if found == kind]
            lines = {line.strip() for region in regions for line in region.splitlines()}
            long = [line for line in lines if len(line) > 30 and not line.startswith(("from ", "import "))]
            assert not [line for line in long if line not in visible and line in released]


def test_students_get_lesson_and_hand_in_and_no_other_part_of_the_package(fresh: Path) -> None:
    package = {name for name in files(fresh) if name.startswith("chainrule/")}
    folders = [ROOT / "chainrule" / name for name in ("lesson", "datasets", "handin")]
    theirs = {f"chainrule/{folder.name}/{path.name}" for folder in folders for path in folder.glob("*.py")}
    source = (ROOT / "source" / fresh.name).glob("*.ipynb")
    verbs = {"__init__", *map(framework_of, source)}  # not of other frameworks
    theirs |= {f"chainrule/lesson/verbs/{name}.py" for name in verbs}
    alone = {f"chainrule/{name}.py" for name in ("__init__", "errors", "on_demand")}
    assert package == alone | theirs
    for name in package:
        text = (fresh / name).read_text()
        assert not re.search(r"(?:from|import) chainrule\.(?!lesson|datasets|handin|errors|on_demand)", text)
        assert not re.search(r"^\s*(?:from|import) (?:nbgrader|typer|sqlalchemy)", text, re.MULTILINE)


def test_notebooks_have_no_outputs_and_stubs_where_students_write(fresh: Path) -> None:
    for nb in notebooks(fresh).values():
        code = [cell for cell in nb.cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in code)
        answers = [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("solution")]
        assert answers
        for cell in answers:
            assert "todo()" in cell.source or "*Write your answer here.*" in cell.source


def test_the_gradebook_has_the_due_date_in_utc(fresh: Path) -> None:
    with Gradebook(f"sqlite:///{fresh.parent.parent / 'gradebook.db'}") as gradebook:
        assert gradebook.find_assignment(fresh.name).duedate == DUE[fresh.name]


@pytest.mark.parametrize("assignment", DUE)
def test_due_dates_of_the_course(assignment: str) -> None:
    assert CourseFolder(ROOT).course.due_date(assignment) == DUE[assignment].replace(tzinfo=UTC)


# ---- the tiny course ---------------------------------------------------------------------------------------


def test_the_tiny_release_hides_what_is_marked(released: Path) -> None:
    everything = b"\n".join(files(released / "release").values()).decode()
    secrets = [
        "THE_SOLUTION",
        "THE-MARK-SCHEME",
        "THE-MODEL-ANSWER",
        "HIDDEN-ASSERT",
        "LATE-HINT",
        "NEVER-HINT",
    ]
    assert not [
        secret for secret in [*GONE[:1], *secrets, "squares -3", "squares 0.5"] if secret in everything
    ]
    assert "OPEN-HINT" in everything


def test_what_students_get_runs_anywhere(released: Path, tmp_path: Path) -> None:
    """The notebook in a folder of its own, without the instructor's packages and with the chainrule beside it."""
    copy = Path(shutil.copytree(released / "release" / TINY, tmp_path / "home" / "tiny"))
    nb = filled(released, {SQUARE: DOUBLES})
    others = ("nbgrader", "nbconvert", "nbclient", "typer", "rich", "sqlalchemy")
    blocked = f"import sys\nsys.modules.update(dict.fromkeys({others}))"
    nb.cells.insert(0, new_code_cell(blocked))
    nb.cells.append(new_code_cell("import chainrule; print(chainrule.__file__)"))
    NotebookClient(nb, allow_errors=True, resources={"metadata": {"path": str(copy)}}).execute()
    outputs = [output for cell in nb.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.ename for output in outputs if output.output_type == "error"] == []
    assert outputs[-1].text.strip() == str(copy / "chainrule" / "__init__.py")
    (table,) = [output.data["text/html"] for output in outputs if output.output_type == "execute_result"]
    assert "1 of 1 point, and 3 more for checks that run at grading" in table


def test_a_release_is_made_anew(course: Path) -> None:
    folder = course / "release" / TINY
    (folder / "left over.txt").write_text("old")
    (folder / f"{TINY}.ipynb").write_text("old")
    release(course, TINY)
    assert not (folder / "left over.txt").exists()
    assert "Two questions." in (folder / f"{TINY}.ipynb").read_text()


def test_files_beside_the_notebook_come_along(course: Path) -> None:
    (course / "source" / PLAIN / "figures").mkdir()
    (course / "source" / PLAIN / "figures" / "cat.png").write_bytes(b"png")
    for left in (".env", ".git", "plain.ipynb~"):
        (course / "source" / PLAIN / left).write_text("of editors, systems, version control")
    made = release(course, PLAIN)
    assert (made / "figures" / "cat.png").read_bytes() == b"png"
    assert {path.name for path in made.iterdir()} == {"chainrule", "figures", "plain.ipynb"}


def test_pictures_of_what_is_cut_out_are_cut_out() -> None:
    """Of a model answer or a mark scheme: nbgrader takes their text alone, and leaves what is pasted into the cell."""
    cell = new_markdown_cell("Write here. ![plot](attachment:a%20plot.png)")
    cell.attachments = {name: {"image/png": "iVBORw0KGgo="} for name in ("a plot.png", "answer.png")}
    tidied, _ = Tidy().preprocess_cell(cell, {}, 0)
    assert list(tidied.attachments) == ["a plot.png"]


@pytest.mark.parametrize(
    "due",
    [
        "tomorrow",
        "2026-07-13",
        "2026-07-13 12:00",
        "2026-13-01 12:00 UTC",
        "2026-07-13 12:00 Mars/Base",
        "12:00 ../etc",
    ],
)
def test_a_due_date_nobody_can_read_is_said(course: Path, due: str) -> None:
    set_due(course, due)
    folder = CourseFolder(course)
    with pytest.raises(
        CourseError, match=r"c\.Course\.due\['tiny'\] in nbgrader_config\.py is .*; write 'YYYY-MM-DD"
    ):
        folder.course.due_date(TINY)
    with pytest.raises(CourseError, match="YYYY-MM-DD"):
        release(course, TINY)


@pytest.mark.parametrize(
    ("due", "utc"),
    [
        ("2026-07-13 12:00 America/Toronto", "2026-07-13 16:00"),
        ("2026-01-13 12:00 America/Toronto", "2026-01-13 17:00"),
        ("2025-11-12 23:59:59 Asia/Shanghai", "2025-11-12 15:59:59"),
        ("2026-01-01 00:00 UTC", "2026-01-01 00:00"),
    ],
)
def test_due_dates_are_kept_in_utc(due: str, utc: str) -> None:
    course = Course(due={TINY: due})
    assert course.due_date(TINY) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_an_assignment_may_have_no_due_date(course: Path) -> None:
    assert CourseFolder(course).course.due_date(PLAIN) is None


SLIPS: dict[str, Callable[[str], str]] = {
    "a syntax error": lambda text: text + "\nc.Course.due = {",
    "a name error": lambda text: text + "\nc.Course.due = due",
    "another type": lambda text: text + "\nc.Course.due = 5",
    "a module that is not there": lambda text: text + "\nimport nothing_like_it",
}


@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS.keys())
def test_a_slip_in_the_configuration_is_said(course: Path, slip: Callable[[str], str]) -> None:
    config = course / CONFIG
    config.write_text(slip(config.read_text()))
    with pytest.raises(CourseError, match=r"nbgrader_config\.py (has an error: |is 5)"):
        CourseFolder(course)


def test_todo_stands_only_where_it_is_imported() -> None:
    """A NameError could be what a test expects: in other notebooks there is nbgrader's own stub."""
    config = Config(ClearSolutions={"code_stub": {"python": "todo()"}})

    def stub(nb: NotebookNode) -> str:
        blank, _ = ClearSolutions(config=config).preprocess(nb, {})
        return next(cell.source for cell in blank.cells if cell.id == SQUARE)

    assert "todo()" in stub(tiny_notebook())
    assert "raise NotImplementedError()" in stub(plain_notebook())
    own = ClearSolutions(config=Config(ClearSolutions={"code_stub": {"python": "..."}}))
    blank, _ = own.preprocess(plain_notebook(), {})
    assert "..." in blank.cells[0].source  # the course's own stub stays
