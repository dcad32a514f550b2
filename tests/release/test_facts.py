"""What students read about dates, rules, points and names is what nbgrader_config.py says at release."""

from pathlib import Path

import nbformat
import pytest
from tiny_course import CONFIG, TINY, type_command

TITLE = """# Old course

**Due 1 May 2020.** On OldLMS.

| Part | Points |
|:--|--:|
| All | 5 |
| **Total** | **5** |"""
FACTS = {
    "# Old course": "# @course@",
    "Due 1 May 2020.** On OldLMS.": "Due @due@.** @late@ On @lms@, as `@file:1@`.",
    "| All | 5 |": "| All | @points:square+why@ |",
    "| **Total** | **5** |": "| **Total** | **@total@** |",
}


@pytest.fixture
def told(course: Path) -> Path:
    """The tiny course with a title that states facts, and a README."""
    write(course, TITLE, FACTS)
    (course / "source" / TINY / "README.md").write_text("Upload @file:1@ to @lms@ (mail a@b@c). Due @due@.\n")
    configure(course, "2099-05-01 12:00 America/Toronto", "Moodle")
    return course


def write(course: Path, title: str, facts: dict[str, str]) -> None:
    path = course / "source" / TINY / f"{TINY}.ipynb"
    nb = nbformat.read(path, as_version=4)
    nb.cells[0].source = title
    nb.cells[0].metadata.chainrule = {"facts": facts}
    nbformat.write(nb, path)


def configure(course: Path, due: str, lms: str, late: str = "10% per day") -> None:
    with (course / CONFIG).open("a", encoding="utf-8") as config:
        config.write(
            f"c.Course.due = {{{TINY!r}: {due!r}}}\nc.Course.lms = {{{TINY!r}: {lms!r}}}\n"
            f"c.Course.names = {{{TINY!r}: 'CS 101'}}\nc.Course.late = {{{TINY!r}: {late!r}}}\n"
            f"c.Course.handin = {{{TINY!r}: ['{{last}}_{{first}}_tiny.ipynb']}}\n"
        )


def released(course: Path) -> str:
    type_command(course, "chainrule", "release", TINY)
    folder = course / "release" / TINY
    nb = nbformat.read(folder / f"{TINY}.ipynb", as_version=4)
    assert all("chainrule" not in cell.metadata for cell in nb.cells)
    return nb.cells[0].source + (folder / "README.md").read_text()


def test_a_change_in_one_file_reaches_all_that_students_read(told: Path) -> None:
    text = released(told)
    assert "# CS 101" in text
    assert (
        "**Due Friday 1 May 2099, 12:00 (Toronto time).** Late hand-ins lose 10 % of the points per" in text
    )
    assert "On Moodle, as `Lastname_Firstname_tiny.ipynb`." in text
    assert "| All | 5 |" in text
    assert "Upload Lastname_Firstname_tiny.ipynb to Moodle (mail a@b@c). Due Friday 1 May 2099" in text
    configure(told, "2098-06-02 09:30 Europe/Paris", "Canvas", "zero")
    text = released(told)
    assert "Due Monday 2 June 2098, 09:30 (Paris time).** Late hand-ins get 0 points. On Canvas" in text
    kit = told / "kits" / f"{TINY}.zip"
    for old in ("Moodle", "2099", "Toronto", "OldLMS", "Old course", "@due@"):
        assert old not in text
        assert old.encode() not in kit.read_bytes()


def test_a_source_that_says_something_else_is_refused_and_brought_up_to_date(told: Path) -> None:
    said = type_command(told, "chainrule", "check", TINY, code=1)
    assert "cell title: the source says '# Old course', and by nbgrader_config.py it is '# CS 101'" in said
    said = type_command(told, "chainrule", "check", TINY, "--no-run", "--write")
    assert "written: source/tiny/tiny.ipynb" in said
    assert "tiny: nothing to mend" in said
    source = nbformat.read(told / "source" / TINY / f"{TINY}.ipynb", as_version=4).cells[0].source
    assert "Friday 1 May 2099" in source
    assert "nothing to mend" in type_command(told, "chainrule", "check", TINY, "--no-run")
    before = released(told)
    configure(told, "2098-06-02 09:30 Europe/Paris", "Canvas")
    assert "Monday 2 June 2098" in type_command(told, "chainrule", "check", TINY, code=1)
    assert released(told) != before


@pytest.mark.parametrize(
    ("title", "facts", "said"),
    [
        ("Due 1 May 2020.", {}, "'Due 1 May 2020' is a due date written by hand"),
        ("Now.", {"Later.": "@due@"}, "'Later.' is in its chainrule.facts and not in its text"),
        ("Now.", {"Now.": "@when@"}, "@when@ is no fact here"),
        ("Now.", {"Now.": "@file:2@"}, "write c.Course.handin['tiny']"),
        ("Now.", {"Now.": "@points:q9@"}, "no item's name begins so: square-check, why"),
    ],
)
def test_what_cannot_be_told_is_refused(told: Path, title: str, facts: dict[str, str], said: str) -> None:
    write(told, title, facts)
    assert said in type_command(told, "chainrule", "check", TINY, code=1)
