"""The zip for an LMS: names by which it finds out whose a page is, and nothing that is nobody's business."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from tiny_course import PLAIN, TINY, type_command

from chainrule.course import CourseError, CourseFolder
from chainrule.feedback.upload import write_feedback_zip

ROSTER = "id,username,last,first,email\nann,alee,Lee,Ann,a@x.org\nbo,bb_1,Béé,Bo/../x,b@x.org\n"
HEADS = {
    "brightspace": ("12-34 - Ann Lee - Jul 1, 2026 900 AM", "12-34 - Ann Lee - Jul 1, 2026 900 AM/tiny.html"),
    "moodle": ("Ann Lee_12_assignsubmission_file_", "Ann Lee_12_assignsubmission_file_/tiny.html"),
}
FILES = {
    "brightspace": (
        "12-34 - Ann Lee - Jul 1, 2026 900 AM - tiny.ipynb",
        "12-34 - Ann Lee - Jul 1, 2026 900 AM/tiny.html",
    ),
    "canvas": ("leeann_LATE_12_345_my_work.ipynb", "leeann_LATE_12_345_tiny.html"),
    "moodle": ("Ann Lee_12_assignsubmission_file_x.ipynb", "Ann Lee_12_assignsubmission_file_tiny.html"),
}
CASES = [(lms, f"{head}/tiny.ipynb", name) for lms, (head, name) in HEADS.items()]
CASES += [(lms, file, name) for lms, (file, name) in FILES.items()]


@pytest.fixture
def with_pages(released: Path, tmp_path: Path) -> Path:
    """A course with a roster, and pages of ann and bo as if made."""
    root = Path(shutil.copytree(released, tmp_path / "course"))
    (root / "roster.csv").write_text(ROSTER, encoding="utf-8")
    for student in ("ann", "bo"):
        for step, name in [
            ("autograded", f"{TINY}.ipynb"),
            ("feedback", f"{TINY}.html"),
            ("feedback", "own.html"),
        ]:
            path = root / step / student / TINY / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name} of {student}", encoding="utf-8")
    return root


def report(root: Path, **lists: dict[str, str]) -> None:
    path = root / "intake" / TINY / "report.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"assignment": TINY, **lists}), encoding="utf-8")


def names(root: Path, lms: str) -> list[str]:
    upload = write_feedback_zip(CourseFolder(root), TINY, ["ann", "bo"], lms)
    with zipfile.ZipFile(upload.path) as packed:
        assert packed.read(packed.namelist()[0]) == b"tiny.html of ann"
        return packed.namelist()


@pytest.mark.parametrize(("lms", "label", "name"), CASES)
@pytest.mark.parametrize("around", ["download.zip", "a_1_2_b.zip/all_3_4_x"])
def test_names_are_those_of_the_download(
    with_pages: Path, lms: str, label: str, name: str, around: str
) -> None:
    taken = {f"{around}/{label}": f"submitted/ann/{TINY}/{TINY}.ipynb"}
    other = label.replace("Ann Lee", "Bo B").replace("leeann", "bbo").replace("12", "56")
    repaired = {f"{around}/{other}": f"was called x → submitted/bo/{TINY}/{TINY}.ipynb"}
    report(with_pages, taken=taken, repaired=repaired)
    found = names(with_pages, lms)
    assert found[0] == name
    assert found[1] == name.replace("Ann Lee", "Bo B").replace("leeann", "bbo").replace("12", "56")


@pytest.mark.parametrize("lms", ["brightspace", "canvas", "moodle"])
def test_who_is_not_in_the_download_gets_no_number(with_pages: Path, lms: str) -> None:
    upload = write_feedback_zip(CourseFolder(with_pages), TINY, ["ann", "bo"], lms)
    assert upload.unnamed == ["ann", "bo"]
    assert names(with_pages, lms) == ["Ann Lee (ann)/tiny.html", "Bo .. x Béé (bo)/tiny.html"]


def test_blackboard_goes_by_usernames(with_pages: Path) -> None:
    assert names(with_pages, "blackboard") == ["alee_tiny.html", "bb_1_tiny.html"]
    (with_pages / "roster.csv").unlink()
    assert names(with_pages, "blackboard") == ["ann_tiny.html", "bo_tiny.html"]


def test_an_index_leads_to_pages_by_their_new_names(with_pages: Path) -> None:
    (with_pages / "source" / TINY / "two.ipynb").write_text("{}")
    there = with_pages / "feedback" / "ann" / TINY
    (there / "index.html").write_text(f'<a href="{TINY}.html#item-x">', encoding="utf-8")
    upload = write_feedback_zip(CourseFolder(with_pages), TINY, ["ann"], "blackboard")
    with zipfile.ZipFile(upload.path) as packed:
        assert packed.read("alee_index.html") == f'<a href="alee_{TINY}.html#item-x">'.encode()


def test_what_is_wrong_is_said_before_anything_is_made(with_pages: Path) -> None:
    said = type_command(with_pages, "chainrule", "feedback", TINY, "--lms", "webct", code=2)
    assert "'webct' is not one of 'blackboard', 'brightspace', 'canvas', 'moodle'" in said
    said = type_command(with_pages, "chainrule", "feedback", PLAIN, "--lms", "moodle", code=2)
    assert "nothing is graded yet" in said
    (with_pages / "intake" / TINY).mkdir(parents=True)
    (with_pages / "intake" / TINY / "report.json").write_text("[]")
    with pytest.raises(CourseError, match="no report of intake"):
        write_feedback_zip(CourseFolder(with_pages), TINY, ["ann"], "moodle")
    assert not list((with_pages / "feedback").glob("*.zip*"))
    assert not list((with_pages / "feedback").glob(".*"))
