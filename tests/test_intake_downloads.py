"""Downloads of LMSs: every file ends in the right list, every student's latest in submitted/."""

import json
import shutil
import zipfile
from datetime import timedelta
from pathlib import Path

import lms_downloads
import nbformat
import pytest
from lms_downloads import LMSS, PDF, archive, make
from tiny_course import RIGHT, SQUARE, TINY, filled, type_command

from chainrule.course import CONFIG, CourseError, CourseFolder
from chainrule.intake.download import intake_downloads
from chainrule.intake.report import Report

LISTS = ("taken", "repaired", "kept", "refused", "unknown")
EXTRA = """
c.Course.due = {"tiny": "2026-07-13 12:00 America/Toronto"}
c.Course.late = {"tiny": "zero"}
c.Course.handin = {"tiny": ["{last}_{first}_tiny.pdf", "{last}_{first}_tiny.ipynb"]}
"""


@pytest.fixture
def course(course: Path) -> Path:
    """The tiny course with what its handout asks for and two students."""
    with (course / CONFIG).open("a") as config:
        config.write(EXTRA)
    (course / "roster.csv").write_text(
        "id,username,last,first,email\n1,alee,Lee,Ann,a@x\n2,bo_lee,Chen,Bo,\n", encoding="utf-8"
    )
    return course


@pytest.fixture
def notebooks(course: Path) -> dict[str, bytes]:
    answers = {"right": {SQUARE: RIGHT}, "blank": {}, "wrong": {SQUARE: "def square(x):\n    return x"}}
    return {kind: nbformat.writes(filled(course, each)).encode() for kind, each in answers.items()}


def listed(report: Report) -> dict[str, str]:
    """Which list each file is in; none may be in two."""
    names = [(file, name) for name in LISTS for file in getattr(report, name)]
    assert len(dict(names)) == len(names)
    return dict(names)


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def take(course: Path, files: dict[str, bytes], name: str = "download.zip") -> Report:
    """The report of a download of these files, each in exactly one list."""
    path = course.parent / name
    path.write_bytes(archive(files))
    return intake_downloads(CourseFolder(course), TINY, [path])


@pytest.mark.parametrize("unpacked", [False, True], ids=["zip", "folder"])
@pytest.mark.parametrize("lms", LMSS)
def test_a_class_with_all_the_mess(
    course: Path, notebooks: dict[str, bytes], lms: str, unpacked: bool, tmp_path: Path
) -> None:
    made = make(lms, tmp_path / "lms", notebooks)
    shutil.copy(made.roster, course / "roster.csv")
    download = made.path
    if unpacked:
        download = tmp_path / "unpacked" / made.path.name  # its name is part of the files'
        with zipfile.ZipFile(made.path) as archive:
            archive.extractall(download)
    assert len(made.messes) >= 40
    report = intake_downloads(CourseFolder(course), TINY, [download])
    assert listed(report) == made.expected
    there = {p.parts[-3]: p.read_bytes() for p in course.glob("submitted/*/tiny/tiny.ipynb")}
    assert there == made.notebooks
    assert {student for student, receipt in report.students.items() if receipt.late} == made.late
    assert json.loads((course / "intake/tiny/report.json").read_text())["refused"] == report.refused
    assert len(report.students) + len(report.absent) == 30
    before = tree(course / "submitted"), tree(course / "intake")
    assert listed(intake_downloads(CourseFolder(course), TINY, [download])) == made.expected  # again
    assert (tree(course / "submitted"), tree(course / "intake")) == before
