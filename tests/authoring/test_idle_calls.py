"""Calls of a student's function in a cell with points whose value nobody reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from authors_notebook import answer, graded, said

RETURNS = "def f(x):\n    ### BEGIN SOLUTION\n    y = x * x\n    return y\n    ### END SOLUTION"
DOES = {
    "changes its argument": "    x[0] = 1\n    return x",
    "prints": "    print(x)\n    return x",
    "keeps": "    KEPT[x] = 1\n    return x",
    "sets": "    global KEPT\n    KEPT = x\n    return x",
    "gives nothing back": "    y = x\n    return",
}
ITEM = (
    'from chainrule.lesson import Item, expect\nimport torch\n\nitem = Item("test", points=2)\n\n\n'
    '@item.check("f", points=2)\ndef _(student):\n    {}\n\n\nitem.score()'
)
EXPECT = 'expect(student.f(3), "f(3)").equals(9)'
LINE = "reads nothing of what it returns: write "


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (
            "student.f(2)",
            "line 9 calls student.f and reads nothing of what it returns: write expect(student.f(2)).eq",
        ),
        (f"student.f(2)\n    {EXPECT}", "line 9 calls student.f and"),
        (f"student.f(torch.ones(3, 2))\n    {EXPECT}", "line 9 calls student.f and"),
        (f"for x in (1, 2):\n        student.f(3)\n    {EXPECT}", "line 10 calls student.f and"),
        ("x = torch.ones(3)\n    student.f(x)", "line 10 calls student.f and"),
        (f"y = student.f(2)\n    {EXPECT}", "line 9 calls student.f and"),
    ],
)
def test_in_the_check_of_an_item(tmp_path: Path, check: str, says: str) -> None:
    (slip,) = said(tmp_path, answer(RETURNS), graded(ITEM.format(check)))
    assert slip.startswith("tiny.ipynb, cell test (number 2 from the top): ")
    assert says in slip


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("f(2)\nassert f(3) == 9", f"line 1 calls f and {LINE}assert f(2) == …"),
        (
            "f(2)",
            "line 1 shows what f returns, and nbgrader takes a number there for the score: write assert f(2) == …",
        ),
        ("f(2);", f"line 1 calls f and {LINE}assert f(2) == …"),
        (
            "assert f(3) == 9\nf(2)",
            "line 2 shows what f returns, and nbgrader takes a number there for the score",
        ),
        ("print(f(2))", "it has points and asks nothing of what f returns: write assert f(…) == …"),
        ("y = f(2)\nprint('yours:', y)", "it has points and asks nothing of what f returns"),
    ],
)
def test_in_a_cell_of_asserts(tmp_path: Path, source: str, says: str) -> None:
    (slip,) = said(tmp_path, answer(RETURNS), graded(source))
    assert says in slip


@pytest.mark.parametrize(
    "check",
    [
        EXPECT,
        f"x = torch.ones(3)\n    student.f(x)\n    expect(x).equals(torch.ones(3))\n    {EXPECT}",  # is not changed
        "with torch.no_grad():\n        student.f(2)",
        "try:\n        student.f(2)\n    except ValueError:\n        pass",
        "student.g(2)",  # what it does, nobody knows
        "y = student.f(2)\n    expect(y).equals(4)",
        "student.f",
    ],
)
def test_checks_that_ask(tmp_path: Path, check: str) -> None:
    assert said(tmp_path, answer(RETURNS), graded(ITEM.format(check))) == []


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    f(2)\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError",
        "x = [1]\nf(x)\nassert x == [1]",
        "print(f(2))\nassert f(3) == 9",
        "score = 1.5 if f(2) == 4 else 0\nscore",
        "check(f)\nprint(f(2))",
        "print('well done')",
        "### AUTOTEST f(2)\nf(2)",
        "g(2)",
    ],
)
def test_cells_that_ask(tmp_path: Path, source: str) -> None:
    assert said(tmp_path, answer(RETURNS), graded(source)) == []


@pytest.mark.parametrize("what", DOES)
def test_a_function_that_does_more_than_return(tmp_path: Path, what: str) -> None:
    solution = f"def f(x):\n    ### BEGIN SOLUTION\n{DOES[what]}\n    ### END SOLUTION"
    assert said(tmp_path, answer(solution), graded("f(2)\nassert KEPT")) == []
    assert said(tmp_path, answer(solution), graded(ITEM.format("student.f(2)"))) == []
