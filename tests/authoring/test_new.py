"""`chainrule new`, and the walks of CONTRIBUTING.md: every command in them is typed here, in a course elsewhere, and
those of a whole course with the package as a wheel."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from command_line import Typed
from conftest import once
from environments import make_with_wheel, python_of, run, typist
from nbformat import NotebookNode
from tiny_course import PLAIN, ROOT, plain_notebook

from chainrule.authoring.new import PLACEHOLDERS
from chainrule.authoring.slips import slips
from chainrule.authoring.trial import known_problems
from chainrule.course import CONFIG, CourseFolder
from chainrule.grading.classroom import scores
from chainrule.release.points_table import with_row

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
WALK = PAGE.partition("## A course of your own in an hour")[2].partition("## Style")[0]
QUESTION = PAGE.partition("## Add a question in ten minutes")[2].partition("What makes a question good")[0]


def commands(text: str) -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def write_course(root: Path, more: str = "") -> None:
    (config,) = re.findall(r"```python\n(.*?)```", WALK, re.DOTALL)
    (root / CONFIG).write_text(config + more, encoding="utf-8")


def edit(path: Path, **sources: str) -> None:
    """What an author writes: by a cell's grade_id, with _ for -."""
    nb = nbformat.read(path, as_version=4)
    for cell in nb.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "").replace("-", "_")
        cell.source = sources.get(name, cell.source)
    nbformat.write(nb, path)


def write_texts(path: Path) -> None:
    """Write something wherever `chainrule new` has left that to the author."""
    nb = nbformat.read(path, as_version=4)
    for each in nb.cells:
        for phrase in PLACEHOLDERS:
            each.source = each.source.replace(phrase, "A text")
    nbformat.write(nb, path)


def cell(path: Path, grade_id: str) -> NotebookNode:
    cells = nbformat.read(path, as_version=4).cells
    return next(each for each in cells if each.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


@pytest.fixture
def here(tmp_path: Path, chainrule: Callable[..., Typed], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder outside of this repository, in which commands are typed."""
    (tmp_path / "my-course").mkdir()
    monkeypatch.chdir(tmp_path / "my-course")
    return tmp_path / "my-course"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the package as a wheel."""
    return python_of(once(tmp_path_factory, "wheel", make_with_wheel))


def test_what_a_wheel_installs(wheel: Path, tmp_path: Path) -> None:
    where = "import chainrule, judging; print(*chainrule.__path__, *judging.__path__, sep='\\n')"
    code, out, err = run(wheel, tmp_path, "-c", where)
    assert code == 0, err
    for place in out.splitlines():  # and not in this repository
        assert Path(place).is_relative_to(wheel.parents[1])
    code, out, err = run(wheel, tmp_path, wheel.with_name("chainrule"), "--help")
    assert (code, "new" in out) == (0, True), err


@pytest.fixture
def chainrule_of_wheel(wheel: Path, tmp_path: Path) -> Iterator[Callable[..., Typed]]:
    """Type a command of the wheel's in a folder outside of this repository."""
    (tmp_path / "my-course").mkdir()
    with typist(wheel, tmp_path / "my-course") as typed:
        yield typed


def test_a_course_elsewhere_from_new_to_marks(
    tmp_path: Path, chainrule_of_wheel: Callable[..., Typed]
) -> None:
    """By an author who has only the package."""
    here = tmp_path / "my-course"
    write_course(here, 'c.Course.judging = "right_values"\n')
    notebook = here / "source" / "hw1" / "hw1.ipynb"
    for words in commands(WALK):
        if words[1] == "intake":  # a hand-in: right code, the other notebook blank
            blank = here / "release" / "hw1"
            assert "NotImplementedError" in cell(blank / f"{PLAIN}.ipynb", "square-write").source
            assert "todo()" in cell(blank / "hw1.ipynb", "q1_1-double-code").source
            assert not [*blank.rglob("*right_values*")]
            (here / "inbox" / "ada").mkdir(parents=True)
            for path in blank.glob("*.ipynb"):
                (here / "inbox" / "ada" / path.name).write_bytes(path.read_bytes())
            edit(here / "inbox" / "ada" / "hw1.ipynb", q1_1_double_code="def double(x): return x + x")
        code, out, err = chainrule_of_wheel(*words[1:])
        if words[1] == "try" and code:  # the question is not written yet, and that is said
            assert "reference: 0 of 1 – it should earn every point" in out
            assert "'TODO: what is checked': your code raised NotImplementedError: TODO" in out
            write_question(notebook, here / "right_values" / "hw1")
            write_texts(notebook)
            nbformat.write(plain_notebook(), notebook.with_name(f"{PLAIN}.ipynb"))
            code, out, err = chainrule_of_wheel(*words[1:])
        assert (code, err) == (0, ""), (words, out, err)
    assert scores(CourseFolder(here), "hw1", "ada") == {
        "q1_1-double": 1.0,
        "q1_1-double-why": 0.0,
        "square-asserts": 0.0,
    }
    assert (here / "marks" / "hw1.csv").is_file()
    assert (here / "feedback" / "ada" / "hw1" / "hw1.html").is_file()


def write_question(notebook: Path, judging: Path) -> None:
    """What an author writes where a new question says TODO, with the right value in the judging package."""
    (judging / "q1_1.py").write_text("def twice(x):\n    return 2 * x\n", encoding="utf-8")
    check = cell(notebook, "q1_1-double").source
    check = check.replace(
        "### BEGIN HIDDEN TESTS\n", "### BEGIN HIDDEN TESTS\nfrom right_values.hw1.q1_1 import twice\n\n"
    )
    edit(
        notebook,
        q1_1_double_code="def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION",
        q1_1_double=check.replace("close_to(6.0)", "close_to(twice(3.0))"),
    )
    answers = judging / "answers" / "q1_1_double.py"
    text = answers.read_text().replace("def double(x): ...", "def double(x): return x + x")
    answers.write_text(text.replace("words of its message", "double(3) is 3, off by 3"))


def test_the_walk_of_a_question(here: Path, chainrule: Callable[..., Typed]) -> None:
    write_course(here)
    assert chainrule("new", "assignment", "hw1")[0] == 0
    new, *others = commands(QUESTION)
    assert chainrule(*new[1:])[0] == 0
    path = here / "source" / "hw1" / "hw1.ipynb"
    assert (
        cell(path, "q1_1-double").metadata.nbgrader.points,
        cell(path, "q1_1-double-why").metadata.nbgrader.points,
    ) == (2, 1)
    assert "| q1_1-double | 3 |\n| **Total** | **3** |" in cell(path, "title").source
    assert (
        here / "judging" / "hw1" / "answers" / "q1_1_double.py"
    ).is_file()  # its own, whatever is installed
    said = slips(CourseFolder(here), "hw1")
    left = {
        re.findall(r"cell (\S+) .*: it still says 'TODO: .*, as `chainrule new` left it: write", line)[0]
        for line in said
    }
    parts = ("intro", "code", "why-intro", "why")
    assert left == {"title", "q1_1-double", *(f"q1_1-double-{part}" for part in parts)}
    write_texts(path)
    assert slips(CourseFolder(here), "hw1") == []  # only a run shows that code and check are not right yet
    assert [words[1] for words in others] == ["try", "check"]  # typed in the other walk
    code, _, err = chainrule("new", "question", path, "q1_1-double")
    assert (code, "has a cell q1_1-double" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["assignment", "hw 1"], "cannot be an assignment's name"),
        (["assignment", "hw1"], "there is an assignment hw1"),
        (["question", "source/hw1/hw1.ipynb", "q 1"], "cannot be a question's name"),
        (["question", "elsewhere.ipynb", "q1"], "is no notebook of"),
        (
            ["question", "source/hw1/hw1.ipynb", "q1", "--points", "0", "--written", "0"],
            "a question has points",
        ),
        (["question", "source/hw1/hw1.ipynb", "q1", "--points", "nan"], "a question has points"),
        (["question", "source/hw1/hw1.ipynb", "q1", "--written", "inf"], "a question has points"),
    ],
)
def test_what_cannot_be_made(
    here: Path, chainrule: Callable[..., Typed], words: list[str], said: str
) -> None:
    write_course(here)
    chainrule("new", "assignment", "hw1")
    code, _, err = chainrule("new", *words)
    assert code == 2
    assert said in err


def test_a_name_that_python_cannot_have(here: Path, chainrule: Callable[..., Typed]) -> None:
    """Of a function and of the answers' package, which is found again."""
    write_course(here, 'c.Course.judging = "right_values"\n')
    chainrule("new", "assignment", "1st")
    notebook = here / "source" / "1st" / "1st.ipynb"
    assert chainrule("new", "question", str(notebook), "q1-lambda")[0] == 0
    assert cell(notebook, "q1-lambda-code").source.startswith("def lambda_(x)")
    assert [*known_problems(CourseFolder(here), "1st")] == ["q1_lambda"]


def test_a_judging_package_that_is_installed_is_not_hidden(
    here: Path, chainrule: Callable[..., Typed]
) -> None:
    """By a folder of its name in the course, where it has right values of another assignment."""
    write_course(here)
    (here / "source" / "cs480-a2").mkdir(parents=True)
    chainrule("new", "assignment", "hw1")
    assert chainrule("new", "question", "source/hw1/hw1.ipynb", "q1")[0] == 0
    assert not (here / "judging").exists()


def test_what_an_author_wrote_is_kept(here: Path, chainrule: Callable[..., Typed]) -> None:
    """The judging package of an assignment that was removed, or is spelt with - for _."""
    write_course(here, 'c.Course.judging = "right_values"\n')
    notes, answers = (here / "right_values" / "hw_1" / name for name in ("notes.md", "answers/q1.py"))
    answers.parent.mkdir(parents=True)
    notes.write_text("why")
    answers.write_text("PROBLEM = ...")
    chainrule("new", "assignment", "hw-1")
    notebook = here / "source" / "hw-1" / "hw-1.ipynb"
    before = notebook.read_text()
    code, _, err = chainrule("new", "question", str(notebook), "q1")
    assert code == 2
    assert "there are answers in" in err
    assert (notes.read_text(), answers.read_text(), notebook.read_text()) == ("why", "PROBLEM = ...", before)


def test_a_row_in_a_table_of_points() -> None:
    table = "# T\n\n| Q | Topic | Points |\n|:--|:--|--:|\n| a | x | 1 |\n| | **Total** | **1.5** |\n\nMore."
    assert with_row(table, "q2", 2.5) == table.replace(
        "| | **Total** | **1.5** |", "| q2 |  | 2.5 |\n|  | **Total** | **4** |"
    )
    assert with_row("no table", "q2", 1) is None
