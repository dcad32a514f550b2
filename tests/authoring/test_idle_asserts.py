"""Asserts that every answer passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from authors_notebook import answer, given, graded, said, text

ANSWER = answer("def f(x):\n    ### BEGIN SOLUTION\n    return x**2\n    ### END SOLUTION")
ASKS = "assert f(3) == 9\n"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("assert np.allclose", "line 2: np.allclose is not called: write ( ) after it"),
        ("assert (f(x) == 4).all", "line 2: (f(x) == 4).all is not called"),
        ("assert f(2) == 4 or 5", "line 2: `5` is true by itself: write `f(2) in (4, 5)`"),
        (
            "assert abs(f(2) - 4 < 1e-6)",
            "line 2: abs( ) holds the comparison, and everything below the bound",
        ),
        (
            "assert f(x).all() == x.all()",
            "whether all or any numbers of both sides are other than 0: write (… == …)",
        ),
        (
            "def test_more():\n    assert f(2) == 4",
            "line 2: nothing calls test_more, so that its asserts ask nobody: write",
        ),
        (
            "try:\n    assert f(2) == 4\nexcept:\n    print('no')",
            "line 3: its assert is caught in line 4, so that every",
        ),
        (
            "try:\n    assert f(2) == 4\nexcept AssertionError:\n    pass",
            "take the try away, or write raise below it",
        ),
    ],
)
def test_every_answer_passes(tmp_path: Path, source: str, says: str) -> None:
    (slip,) = said(tmp_path, given("import numpy as np\nx = np.ones(2)"), ANSWER, graded(ASKS + source))
    assert says in slip


@pytest.mark.parametrize(
    "source",
    [
        "assert np.isclose(f(2), 4) or f(2) is None",
        "assert abs(f(2) - 4) < 1e-6",
        "assert (f(x) == x).all() == True",
        "assert (f(x) > 0).all() == (x > 0).all()",
        "def close(a, b):\n    assert abs(a - b) < 1e-6\nclose(f(2), 4)",
        "try:\n    assert f(2) == 4\nexcept AssertionError as error:\n    raise AssertionError('square it') from error",
        "try:\n    assert f(2) == 4\nexcept TypeError:\n    pass",
        "try:\n    assert f(2) == 4\n    score = 2\nexcept AssertionError:\n    score = 1\nscore",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        assert f(2) == 4\n"
        "assert unittest.TextTestRunner().run(unittest.makeSuite(T)).wasSuccessful()",
        "for g in [f]:\n    assert g(2) == 4 and g(0) == 0",
    ],
)
def test_asserts_that_ask(tmp_path: Path, source: str) -> None:
    assert said(tmp_path, given("import numpy as np\nx = np.ones(2)"), ANSWER, graded(ASKS + source)) == []


def test_a_test_that_another_cell_calls(tmp_path: Path) -> None:
    later = given("test_more()", "later")
    test = graded(f"{ASKS}def test_more():\n    assert f(2) == 4")
    assert said(tmp_path, ANSWER, test, later) == []


def test_what_is_left_is_no_python(tmp_path: Path) -> None:
    source = "def f(x):\n    ### BEGIN SOLUTION\n    if x:\n        return x**2\n    ### END SOLUTION\n"
    source += "    else:\n        return 0"
    (slip,) = said(tmp_path, text("Write `f`."), answer(source), graded(ASKS))
    assert (
        "without what is cut out, students get no Python (invalid syntax, line 3 of theirs): cut out whole"
        in slip
    )
