"""Data sets by name: Chainrule's own, and those that a course adds."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_course import type_command

from chainrule.course import CONFIG, CourseFolder
from chainrule.datasets.registry import DataSets, UnknownDataSetError

OWN = """
def prepare(root, profile, full_root=None):
    root.mkdir(parents=True, exist_ok=True)
    (root / "numbers.txt").write_text(profile)
    return "ten numbers"

def load(root):
    return None
"""


def test_a_course_adds_a_data_set_of_its_own(course: Path) -> None:
    (course / "judging").mkdir()
    (course / "judging" / "__init__.py").write_text("")
    (course / "judging" / "numbers_set.py").write_text(OWN)
    with (course / CONFIG).open("a") as config:
        config.write('\nc.Course.datasets = {"numbers": "judging.numbers_set"}\n')
    said = type_command(course, "chainrule", "data", "numbers", "--profile", "quick")
    assert "numbers, quick: ten numbers in" in said
    assert (CourseFolder(course).data("quick") / "numbers.txt").read_text() == "quick"
    assert not CourseFolder(course).data_sets.takes("numbers", "copy")


@pytest.mark.parametrize(
    ("added", "name", "words"),
    [
        ({}, "nowhere", "unknown data set nowhere. Known: fashion-mnist, cifar-10"),
        ({"own": "no_such_module"}, "own", "correct c.Course.datasets"),
        ({"own": "json"}, "own", "has no function `prepare`"),
    ],
)
def test_a_slip_in_the_configuration_is_one_sentence(added: dict[str, str], name: str, words: str) -> None:
    with pytest.raises(UnknownDataSetError, match=words):
        DataSets(added).module(name)
