"""Answers that students can read outside of what is cut out."""

from __future__ import annotations

from pathlib import Path

import pytest
from authors_notebook import answer, given, graded, said, text
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_raw_cell

LINE = "W = np.linalg.inv(X.T @ X) @ X.T @ y"
VALUE = LINE.removeprefix("W = ")
IMPORT = given("import numpy as np", "imports")
TEST = "assert np.allclose(fit(np.eye(3), np.ones(3)), [1, 1, 1])"
CASE = "X, y = np.eye(3), np.ones(3)\n"


def fit(above: str = "# TODO: the weights", below: str = "") -> str:
    return (
        f'def fit(X, y):\n    """The weights."""\n    {above}\n    ### BEGIN SOLUTION\n    {LINE}\n    return W\n'
        f"    ### END SOLUTION\n    {below}\n"
    )


@pytest.mark.parametrize(
    ("above", "below"),
    [
        (f"# {LINE}", ""),
        (f"#{LINE}", ""),
        (f"W = None  # {LINE}", ""),
        (f"# Least squares.\n    # {LINE}\n    # return W", ""),
        ("", f"# {LINE}"),
        ("", f"{LINE}\n    return W"),
        (f'"""\n    {LINE}\n    """', ""),
        (f'"""\n    >>> {VALUE}\n    """', ""),
        (f"# hint: no loops\n    # {VALUE}", ""),
    ],
)
def test_an_answer_beside_its_region_is_read(tmp_path: Path, above: str, below: str) -> None:
    (slip,) = said(tmp_path, IMPORT, answer(fit(above, below)), graded(TEST))
    assert slip.startswith(
        "tiny.ipynb, cell answer (number 2 from the top): students read 'W = np.linalg.inv("
    )
    assert slip.endswith("take it out, or put it between ### BEGIN SOLUTION and ### END SOLUTION")


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("raise NotImplementedError", ""),
        ("W = None", "return W"),
        ("# hint: np.linalg.inv, X.T @ X", ""),  # a part, and prose
        ("# W = ...", ""),
        ("# inverse of X.T @ X, times X.T @ y", ""),
        ("X = X - X.mean(axis=0)", "# the mean is 0 now"),
    ],
)
def test_a_scaffold_is_no_answer(tmp_path: Path, above: str, below: str) -> None:
    assert said(tmp_path, IMPORT, answer(fit(above, below)), graded(TEST)) == []


@pytest.mark.parametrize(
    ("cell", "todo"),
    [
        (
            graded(f"{CASE}{LINE}\nassert np.allclose(fit(X, y), W)"),
            "put it between ### BEGIN HIDDEN TESTS and",
        ),
        (
            graded(f"{CASE}assert np.allclose(fit(X, y), {VALUE})"),
            "put it between ### BEGIN HIDDEN TESTS and",
        ),
        (given(f"def check(X, y):\n    expected = {VALUE}\n    return expected"), "take it out"),
        (given(f"# {LINE}\nprint(1)"), "take it out"),
        (text(f"## Fit\n\n```python\n{LINE}\n```\n"), "take it out"),
        (text(f"The weights are `{VALUE}`."), "take it out"),
        (text(f"Least squares. <!-- {LINE} -->"), "take it out"),
        (text(f"<!--\n{LINE}\nreturn W\n-->"), "take it out"),
        (text(f"Least squares:\n\n    {LINE}\n    return W\n"), "take it out"),
        (text(f"<details>\n<pre>\n{LINE}\n</pre></details>"), "take it out"),
        (text(f"![{LINE}](https://example.org/fit.png)"), "take it out"),
        (text(f"```\n>>> {LINE}\n```"), "take it out"),
        (new_raw_cell(f"def fit(X, y):\n    {LINE}\n    return W"), "take it out"),
        (new_code_cell(f"%%writefile fit.py\ndef fit(X, y):\n    {LINE}\n    return W"), "take it out"),
        (new_code_cell(f"%%script false --no-raise-error\n{LINE}"), "take it out"),
    ],
)
def test_an_answer_in_another_cell_is_read(tmp_path: Path, cell: NotebookNode, todo: str) -> None:
    (slip,) = said(tmp_path, IMPORT, answer(fit()), cell)
    assert "cell answer (number 2 from the top) there ('W = np.linalg.inv(X.T @ X) @ X.T @ y'): " in slip
    assert f": {todo}" in slip


@pytest.mark.parametrize(
    "cell",
    [
        graded(
            f"{CASE}### BEGIN HIDDEN TESTS\n{LINE}\nassert np.allclose(fit(X, y), W)\n### END HIDDEN TESTS"
        ),
        graded(f"{CASE}assert np.allclose(X.T @ X @ fit(X, y), X.T @ y)"),
        graded(f"{CASE}W = fit(X, y)\nassert W.shape == (3,)"),
        given("def centred(X):\n    return X - X.mean(axis=0)"),
        text(
            "Set `W` to $(X^T X)^{-1} X^T y$. You need `np.linalg.inv` and `X.T @ X`.\n\n```\nfit(X, y)\n```"
        ),
    ],
)
def test_another_cell_that_tells_no_answer(tmp_path: Path, cell: NotebookNode) -> None:
    assert said(tmp_path, IMPORT, answer(fit()), cell) == []


@pytest.mark.parametrize(
    ("solution", "shown"),
    [
        ("import numpy as np\nx = np.arange(3)", "import numpy as np\nx = np.arange(3)\nprint(x)"),
        ("loss = criterion(model(x), y)\nloss.backward()", "loss = criterion(model(x), y)\nloss.backward()"),
        ("def double(x):\n    return x * 2", "print(double(3), 3 * 2)"),
        ("x = 5 * 3", "x = 5 * 3"),  # a first course: "set x to 5 * 3"
        ("figure = plot(x, y)\nshow()", "figure = plot(x, y)\nshow()"),
    ],
)
def test_lines_that_are_everywhere_are_no_answer(tmp_path: Path, solution: str, shown: str) -> None:
    """Those that only call something, and those of constants."""
    region = f"### BEGIN SOLUTION\n{solution}\n### END SOLUTION"
    assert said(tmp_path, answer(region), given(shown), text(f"```\n{shown}\n```")) == []


def test_an_answer_without_a_region_is_looked_for_too(tmp_path: Path) -> None:
    """nbgrader cuts the whole cell out."""
    whole = f"def fit(X, y):\n    {LINE}\n    return W"
    (slip,) = said(tmp_path, IMPORT, answer(whole), text(f"`{LINE}`"))
    assert "students read the solution of tiny.ipynb, cell answer (number 2 from the top) there" in slip


def test_a_module_that_ships_holds_no_answer(tmp_path: Path) -> None:
    files = {"checks/fits.py": f"import numpy as np\n\n\ndef right(X, y):\n    return {VALUE}\n"}
    (slip,) = said(tmp_path, IMPORT, answer(fit()), graded(TEST), files=files)
    assert slip.startswith(
        "checks/fits.py: students read the solution of tiny.ipynb, cell answer (number 2 from"
    )
    assert slip.endswith("move it into the judging package")


def test_markers_of_the_course_say_what_is_an_answer(tmp_path: Path) -> None:
    config = (
        "c.ClearSolutions.begin_solution_delimeter = '### DEBUT SOLUTION'\n"
        "c.ClearSolutions.end_solution_delimeter = '### FIN SOLUTION'\n"
    )
    source = fit().replace("BEGIN", "DEBUT").replace("END", "FIN")
    assert said(tmp_path, IMPORT, answer(source), graded(TEST), config=config) == []
    source = source.replace("# TODO: the weights", f"# {LINE}")
    (slip,) = said(tmp_path, IMPORT, answer(source), graded(TEST), config=config)
    assert slip.endswith("or put it between ### DEBUT SOLUTION and ### FIN SOLUTION")


TYPED = "count = None\n### BEGIN SOLUTION\ncount = 39760\n### END SOLUTION"
CHOICE = "choice = ''\n### BEGIN SOLUTION\nchoice = 'B'\n### END SOLUTION"


@pytest.mark.parametrize(
    ("source", "test", "where"),
    [
        (TYPED, "assert count == 39760", "cell test (number 3 from the top)"),
        (TYPED, "assert abs(count - 39760) < 1", "cell test (number 3 from the top)"),
        (TYPED, "import math\nassert math.isclose(count, 39760)", "cell test (number 3 from the top)"),
        (CHOICE, "assert choice == 'B', 'look again'", "cell test (number 3 from the top)"),
        (f"# count = 39760\n{TYPED}", "assert count", "cell answer (number 2 from the top)"),
    ],
)
def test_a_value_to_be_found_is_not_shown(tmp_path: Path, source: str, test: str, where: str) -> None:
    task = text("How many weights are there? (A) 392 (B) more. Type `count` and `choice`.")
    (slip,) = said(tmp_path, task, answer(source), graded(test))
    assert slip.startswith(f"tiny.ipynb, {where}: students read there that ")
    assert ", which they are to find: put it between ### BEGIN " in slip


@pytest.mark.parametrize(
    ("words", "source", "test"),
    [
        ("Set `count` to 39760.", TYPED, "assert count == 39760"),
        ("Write 'B' into `choice`.", CHOICE, "assert choice == 'B'"),
        ("How many?", TYPED, "assert count > 0\nassert isinstance(count, int)"),
        (
            "How many?",
            TYPED,
            "### BEGIN HIDDEN TESTS\nassert count == 39760\n### END HIDDEN TESTS\nassert count",
        ),
        ("How many?", TYPED.replace("39760", "1"), "assert count == 1"),  # as good as any start value
        ("One of A, B.", CHOICE, "assert choice in ('A', 'B')"),
    ],
)
def test_a_value_that_is_given(tmp_path: Path, words: str, source: str, test: str) -> None:
    assert said(tmp_path, text(words), answer(source), graded(test)) == []
