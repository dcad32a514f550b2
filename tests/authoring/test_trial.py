"""`chainrule try`: answers against checks in this process, with what their authors say of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from command_line import Typed
from tiny_course import DOUBLES, PLAIN, RIGHT, SQUARE, TINY, plain_notebook, set_due, tiny_notebook

CATALOGUE = """
from chainrule.authoring.answers import Exercise, Problem, Wrong

PROBLEM = Problem(
    notebook="tiny",
    given=("imports",),
    checks={"square-check": ("two", "negative", "half")},
    exercises=(
        Exercise(
            items=("square-check",),
            cell="square-write",
            right={"power": "def square(x): return x**2"},
            wrong={"doubled": Wrong({"negative", "half"}, "is -6", "def square(x): return x * 2")},
        ),
    ),
)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A course with a catalogue of answers, nothing released."""
    for assignment, nb in {TINY: tiny_notebook(), PLAIN: plain_notebook()}.items():
        folder = tmp_path / "source" / assignment
        folder.mkdir(parents=True)
        nbformat.write(nb, folder / f"{assignment}.ipynb")
    answers = tmp_path / "judging" / TINY / "answers"
    answers.mkdir(parents=True)
    for package in (answers.parents[1], answers.parent, answers):
        (package / "__init__.py").touch()
    (answers / "squares.py").write_text(CATALOGUE)
    set_due(tmp_path, "2099-01-01 12:00 Europe/Zurich")
    return tmp_path


def test_reference_blank_and_catalogue_are_tried(root: Path, chainrule: Callable[..., Typed]) -> None:
    code, out, err = chainrule("try", root / "source" / TINY / f"{TINY}.ipynb")
    assert (code, err) == (0, "")
    heads = [line for line in out.splitlines() if not line.startswith(" ")]
    assert heads == [
        "reference: 4 of 4",
        "blank: 0 of 4",
        "square-check/right/power: 4 of 4",
        "square-check/wrong/doubled: 1 of 4",
    ]
    assert "    square-check, 'squares -3': square(-3) is -6, not 9" in out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '{"negative", "half"}',
            '{"half"}',
            "wrong/doubled: 1 of 4 – it loses half, negative, and should lose half",
        ),
        ("is -6", "is 9", "wrong/doubled: 1 of 4 – no message says 'is 9'"),
        (
            "return x**2",
            "return x**3",
            "right/power: 0 of 4 – it loses half, negative, two, and should lose nothing",
        ),
    ],
)
def test_an_answer_with_another_fate_than_its_author_says(
    root: Path, chainrule: Callable[..., Typed], old: str, new: str, said: str
) -> None:
    path = root / "judging" / TINY / "answers" / "squares.py"
    path.write_text(CATALOGUE.replace(old, new))
    code, out, _ = chainrule("try", root / "source" / TINY / f"{TINY}.ipynb", "power", "doubled")
    assert code == 1
    assert said in out
    assert out.endswith("1 not as they should be\n")


def test_answers_in_files(root: Path, chainrule: Callable[..., Typed]) -> None:
    (root / "doubles.py").write_text(f"# an answer\n# %% {SQUARE}\n{DOUBLES}\n")
    nb = plain_notebook()
    nb.cells[0].source = f"%%time\n{RIGHT}"
    nbformat.write(nb, root / "ann.ipynb")
    tiny, plain = (root / "source" / name / f"{name}.ipynb" for name in (TINY, PLAIN))
    code, out, _ = chainrule("try", tiny, root / "doubles.py", "--item", "square-check")
    assert (code, out.splitlines()[0]) == (0, f"{root / 'doubles.py'}: 1 of 4")
    code, out, _ = chainrule("try", plain, "reference", "blank", root / "ann.ipynb", root / "doubles.py")
    assert code == 0
    assert [line.partition(": ")[2] for line in out.splitlines() if not line.startswith(" ")] == [
        "2 of 2",
        "0 of 2",
        "2 of 2",
        "0 of 2",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["squared"], "there is no answer squared: write reference, blank, a name of the catalogue"),
        (["--item", "q1"], "has no item q1: its items are square-check"),
    ],
)
def test_what_there_is_not(root: Path, chainrule: Callable[..., Typed], words: list[str], said: str) -> None:
    code, _, err = chainrule("try", root / "source" / TINY / f"{TINY}.ipynb", *words)
    assert code == 2
    assert said in err


def test_a_crash_is_shown_with_its_traceback(root: Path, chainrule: Callable[..., Typed]) -> None:
    path = root / "source" / TINY / f"{TINY}.ipynb"
    nb = nbformat.read(path, as_version=4)
    nb.cells[5].source = nb.cells[5].source.replace("student.square(2)", "len(student.square(2))")
    nbformat.write(nb, path)
    code, out, _ = chainrule("try", path, "reference")
    assert code == 1
    assert "reference: 3 of 4 – it should earn every point" in out
    assert "square-check, 'squares 2' crashed:" in out
    assert "TypeError: object of type 'int' has no len()" in out
