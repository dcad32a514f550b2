"""Markers in other languages and of other tools, which cut nothing out here."""

from __future__ import annotations

from pathlib import Path

import pytest
from authors_notebook import answer, given, graded, said, text

from chainrule.authoring.other_markers import Mark, mark, other_markers

STOCK = ["BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN TESTS", "END HIDDEN TESTS"]
SOLUTIONS = [
    ("### DEBUT SOLUTION", "### FIN SOLUTION"),
    ("### DÉBUT DE LA SOLUTION", "### FIN DE LA SOLUTION"),
    ("# début corrigé", "# fin corrigé"),
    ("### ANFANG LÖSUNG", "### ENDE LÖSUNG"),
    ("### BEGINN MUSTERLÖSUNG", "### ENDE MUSTERLÖSUNG"),
    ("# Lösung: Anfang", "# Lösung: Ende"),
    ("### INICIO SOLUCIÓN", "### FIN SOLUCIÓN"),
    ("### INIZIO SOLUZIONE", "### FINE SOLUZIONE"),
    ("### INÍCIO DA SOLUÇÃO", "### FIM DA SOLUÇÃO"),
    ("### BEGIN OPLOSSING", "### EINDE OPLOSSING"),
    ("### НАЧАЛО РЕШЕНИЯ", "### КОНЕЦ РЕШЕНИЯ"),
    ("### 开始答案", "### 结束答案"),
    ("### START SOLUTION", "### END OF THE SOLUTION"),
    ("### SOLUTION BEGIN", "### SOLUTION END"),
    ("# start answer", "# end answer"),
    ("### BEGIN MODEL ANSWER ###", "### END MODEL ANSWER ###"),
    ("### BEGIN YOUR SOLUTION", "### END YOUR SOLUTION"),
    ("#<solution>", "#</solution>"),
]
TESTS = [
    ("### DEBUT TESTS CACHES", "### FIN TESTS CACHES"),
    ("### ANFANG VERSTECKTE TESTS", "### ENDE VERSTECKTE TESTS"),
    ("### INICIO PRUEBAS OCULTAS", "### FIN PRUEBAS OCULTAS"),
    ("### INIZIO TEST NASCOSTI", "### FINE TEST NASCOSTI"),
]


@pytest.mark.parametrize(("begin", "end"), SOLUTIONS)
def test_a_pair_of_lines_around_a_solution(begin: str, end: str) -> None:
    assert mark(begin) == Mark(True, "solution")
    assert mark(end) == Mark(False, "solution")
    code = f"def f(x):\n    {begin}\n    return x * x\n    {end}\n"
    assert [line.strip() for line, _ in other_markers(code, STOCK, code=True)] == [begin]
    words = f"## Why\n\n{begin}\n\nBecause a square has no sign.\n\n{end}"
    assert list(other_markers(words, STOCK, code=False)) == [(begin, "solution")]
    for scaffold in (
        "pass",
        "raise NotImplementedError()",
        "y = None\n    return y",
        "# write here",
        "y = ...",
        "",
    ):
        assert list(other_markers(code.replace("return x * x", scaffold), STOCK, code=True)) == []
    assert (
        list(other_markers(words.replace("Because a square has no sign", "Your answer"), STOCK, code=False))
        == []
    )
    assert list(other_markers(code, [begin, end], code=True)) == []  # where they are the course's own


@pytest.mark.parametrize(("begin", "end"), TESTS)
def test_a_pair_of_lines_around_hidden_tests(tmp_path: Path, begin: str, end: str) -> None:
    source = f"assert square(2) == 4\n{begin}\nassert square(-3) == 9\n{end}"
    (slip,) = said(tmp_path, graded(source))
    assert slip.startswith(
        f"tiny.ipynb, cell test (number 1 from the top): {begin!r} is not one of the markers"
    )
    assert slip.endswith("write ### BEGIN HIDDEN TESTS there, and ### END HIDDEN TESTS where it ends")


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    # start code here\n    return x\n    # end code here",
        "### START CODE HERE ###\nx = 3\n### END CODE HERE ###",
        "# Begin solution of the equation by Newton\nx = 3\n# End solution of the equation by Newton",
        "# the solution begins here\nx = 3\n# the solution ends here, at the end",
        "# begin: loading\nx = 3\n# end: loading",
        "# start tests\nx = 3\n# end tests",
        "begin_solution = 3\nend_solution = 4",
        "x = 3  # a solution",
        "x = 3  # The SOLUTION",
        "# SOLUTION\nx = 3",
        "### ANFANG LÖSUNG",
        "# region Solution\nx = 3\n# endregion",
    ],
)
def test_comments_that_mark_nothing(tmp_path: Path, source: str) -> None:
    assert said(tmp_path, given(source)) == []


@pytest.mark.parametrize(
    "source",
    ["## Solution\n\nText\n\n## End", "# Start\n\nThe answer.\n\n# End", "Start with the solution.\n\nEnd."],
)
def test_texts_that_mark_nothing(tmp_path: Path, source: str) -> None:
    assert said(tmp_path, text(source)) == []


def test_english_words_for_it_are_told_once(tmp_path: Path) -> None:
    source = "assert square(2) == 4\n### START HIDDEN TESTS\nassert square(-3) == 9\n### STOP HIDDEN TESTS"
    (slip,) = said(tmp_path, graded(source))
    assert (
        "students get what stands below '### START HIDDEN TESTS': write ### BEGIN HIDDEN TESTS there" in slip
    )


def test_in_capitals_it_needs_no_end(tmp_path: Path) -> None:
    (slip,) = said(tmp_path, given("### ANFANG LÖSUNG\nx = 3 * 4"))
    assert (
        "'### ANFANG LÖSUNG' is not one of the markers, and hides nothing: write ### BEGIN SOLUTION there"
        in slip
    )


def test_the_line_of_another_tool(tmp_path: Path) -> None:
    """Otter Assign replaces single lines."""
    (slip,) = said(tmp_path, given("x = 3 * 4  # SOLUTION"))
    assert "'x = 3 * 4 # SOLUTION' is not one of the markers" in slip


def test_around_a_whole_answer_they_are_told_too(tmp_path: Path) -> None:
    """There nbgrader cuts all of the cell out, its first line as well."""
    source = "def f(x):\n    ### DEBUT SOLUTION\n    return x * x\n    ### FIN SOLUTION"
    (slip,) = said(tmp_path, answer(source))
    assert "cell answer (number 1 from the top): '### DEBUT SOLUTION' is not one of the markers" in slip
    inside = f"### BEGIN SOLUTION\n{source}\n### END SOLUTION"
    assert said(tmp_path, answer(inside)) == []


OWN = (
    "c.ClearSolutions.begin_solution_delimeter = '### BEGIN SOLUTION'\n"
    "c.ClearSolutions.end_solution_delimeter = '### END SOLUTION'\n"
)


def test_markers_that_begin_with_a_sign(tmp_path: Path) -> None:
    """As older versions of nbgrader have them."""
    source = "def f(x):\n    ### BEGIN SOLUTION\n    return x * x\n    ### END SOLUTION"
    assert said(tmp_path, answer(source), config=OWN) == []
    for wrong in ("# BEGIN SOLUTION", "### BEGIN SOLUTON", "### begin solution", "###BEGIN SOLUTION"):
        told = said(tmp_path, answer(source.replace("### BEGIN SOLUTION", wrong)), config=OWN)
        assert any(line.endswith("write ### BEGIN SOLUTION") for line in told), (wrong, told)
    (slip,) = said(tmp_path, answer(source.replace("BEGIN", "DEBUT").replace("END", "FIN")), config=OWN)
    assert slip.endswith("write ### BEGIN SOLUTION there, and ### END SOLUTION where it ends")
