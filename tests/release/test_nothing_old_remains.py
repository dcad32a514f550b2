"""Dates, names and the LMS stand in one file: when it changes, students read nothing of what it said before."""

import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from read_pdf import text_of
from tiny_course import CONFIG, RIGHT, ROOT, SQUARE, TINY, filled, submit, type_command

from chainrule.course import CourseFolder
from chainrule.release.generate import generate
from chainrule.release.kit import write_kit

OLD = re.compile(
    r"CS ?480|CSC ?6022|\b2026\b|\b2025\b|13 July|12 November|Toronto|Shanghai|\bLEARN\b|Blackboard"
    r"|[Ff]irst[Nn]ame_assignment2|OldU|OldLMS"
)
NEW = """
c.Course.names = {"cs480-a2": "INF 77", "csc6022-hw2": "INF 78", "tiny": "INF 79"}
c.Course.due = {name: "2031-03-04 17:00 Asia/Tokyo" for name in ("cs480-a2", "csc6022-hw2", "tiny")}
c.Course.lms = {name: "Moodle" for name in ("cs480-a2", "csc6022-hw2", "tiny")}
c.Course.late = {name: "10% per day" for name in ("cs480-a2", "csc6022-hw2", "tiny")}
c.Course.handin = {
    "cs480-a2": ["{last}-{first}-two.pdf", "{last}-{first}-two.ipynb"],
    "csc6022-hw2": ["*.pdf", "*.zip/p6_2*.py", "*.zip/*.ipynb"],
    "tiny": ["{last}-{first}-t.ipynb"],
}
"""
# Chainrule's own modules, which know every LMS
OWN = "chainrule/"


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and content of everything students can read in a folder, without Chainrule's own package."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if (
            path.suffix in (".ipynb", ".md", ".py", ".txt", ".json", ".toml", ".html", ".csv")
            and OWN not in name
        ):
            yield name, path.read_text(encoding="utf-8")


def old_words(name: str, text: str) -> list[str]:
    return [
        f"{name}: {text[max(0, found.start() - 60) : found.end() + 30]!r}" for found in OLD.finditer(text)
    ]


@pytest.mark.parametrize("assignment", ["cs480-a2", "csc6022-hw2"])
def test_nothing_old_is_in_a_release_or_its_kit(assignment: str, tmp_path: Path) -> None:
    root = tmp_path / "course"
    root.mkdir()
    for name in ("source", "judging"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "answers"))
    (root / CONFIG).write_text((ROOT / CONFIG).read_text(encoding="utf-8") + NEW, encoding="utf-8")
    folder = CourseFolder(root)
    generate(folder, assignment)
    kit = write_kit(folder, assignment)
    with zipfile.ZipFile(kit) as packed:
        packed.extractall(tmp_path / "kit")
    for place in (root / "release" / assignment, tmp_path / "kit"):
        found = list(texts(place))
        assert [old for name, text in found for old in old_words(name, text)] == []
        together = "".join(text for _, text in found)
        for new in ("INF 7", "Moodle", "Tuesday 4 March 2031, 17:00 (Tokyo time)"):
            assert new in together


def test_nothing_old_is_in_feedback_or_pdf(course: Path) -> None:
    path = course / "source" / TINY / f"{TINY}.ipynb"
    nb = nbformat.read(path, as_version=4)
    nb.cells[0].source = "# OldU: tiny\n\nDue 13 July 2026. Upload it to OldLMS."
    nb.cells[0].metadata.chainrule = {
        "facts": {"OldU": "@course@", "Due 13 July 2026": "Due @due@", "OldLMS": "@lms@"}
    }
    nbformat.write(nb, path)
    with (course / CONFIG).open("a", encoding="utf-8") as config:
        config.write('c.Course.names = {"tiny": "OldU"}\nc.Course.lms = {"tiny": "OldLMS"}\n')
        config.write('c.Course.due = {"tiny": "2026-07-13 12:00 America/Toronto"}\n')
    type_command(course, "chainrule", "release", TINY, "--unchecked")
    submit(course, "ann", filled(course, {SQUARE: RIGHT, "why": "Signs cancel."}))
    assert OLD.search(str(filled(course, {}).cells[0].source))

    with (course / CONFIG).open("a", encoding="utf-8") as config:  # as the term goes on
        config.write(NEW)
    type_command(course, "chainrule", "grade", TINY)
    type_command(course, "chainrule", "feedback", TINY, "--pdf")
    (page,) = (course / "feedback").rglob("*.html")
    (pdf,) = (course / "feedback").rglob("*.pdf")
    for text in (page.read_text(encoding="utf-8"), text_of(pdf)):
        assert old_words("feedback", text) == []
        assert "INF 79" in text
        assert "2031" in text
