"""Messages in right English, whatever numbers and types they name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from chainrule.lesson.results import counted
from chainrule.lesson.student import kind_of, returned

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("chainrule", "judging") for path in (ROOT / folder).rglob("*.py"))
# "{n:g} points" says "1 points" some day; `counted` does not.
POINTS = re.compile(r"\{(?!its\})[^{}]*\} points\b")
ARTICLE = re.compile(r"\b[Aa]n? \{[^{}]*__name__")


@pytest.mark.parametrize("rule", [POINTS, ARTICLE], ids=["counted points", "kind_of with its article"])
def test_no_message_has_a_form_that_fits_some_values_only(rule: re.Pattern[str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in SOURCES
        for line in path.read_text("utf-8").splitlines()
        if rule.search(line)
    ]
    assert not found


def test_one_is_singular_and_other_numbers_are_plural() -> None:
    assert [counted(n) for n in (0, 0.75, 1, 1.0, "1", "2")] == [
        "0 points",
        "0.75 points",
        "1 point",
        "1 point",
        "1 point",
        "2 points",
    ]


def test_a_type_has_the_article_that_it_is_spoken_with() -> None:
    values = (1, np.int64(1), np.ones(2), {}, "", 1.0, object())
    assert [kind_of(value) for value in values] == [
        "an int",
        "an int64",
        "an ndarray",
        "a dict",
        "a str",
        "a float",
        "an object",
    ]
    assert returned(None) == "nothing (is a `return` missing?)"
