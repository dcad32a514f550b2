"""Class lists of each LMS bring the roster up to date, and nobody's work is lost."""

import csv
from pathlib import Path

import pytest
from marking_class import ESSAYS, copied
from nbgrader.api import Gradebook
from tiny_course import type_command

from chainrule.course import CourseFolder
from chainrule.intake.roster import Person, read_roster

LISTS = {
    "canvas": (
        "Student,ID,SIS User ID,SIS Login ID,Section,HW 1 (123)\n"
        "    Points Possible,,,,,10\n"
        '"Lovelace, Ada",77,1001,alovelace,CS 1,9\n"Nguyễn, Thị Ánh",78,1002,tnguyen,CS 1,\n'
        '"Student, Test",79,,abcdef,CS 1,\n'
    ),
    "brightspace": (
        "OrgDefinedId,Username,Last Name,First Name,Email,End-of-Line Indicator\r\n"
        "#1001,#alovelace,Lovelace,Ada,ada@example.org,#\r\n#1002,#tnguyen,Nguyễn,Thị Ánh,t@example.org,#\r\n"
    ),
    "blackboard": (
        '\ufeff"Last Name","First Name","Username","Student ID","Last Access"\r\n'
        '"Lovelace","Ada","alovelace","1001",""\r\n"Nguyễn","Thị Ánh","tnguyen","1002",""\r\n'
    ),
    "moodle": (
        "First name,Surname,ID number,Email address,Groups,Roles\n"
        "Ada,Lovelace,1001,ada@example.org,A,Student\nThị Ánh,Nguyễn,1002,t@example.org,B,Student\n"
        "Grace,Hopper,2000,grace@example.org,,Teacher\n"
    ),
    "moodle in German": (
        "Vorname;Nachname;ID-Nummer;E-Mail-Adresse\n"
        "Ada;Lovelace;1001;ada@example.org\nThị Ánh;Nguyễn;1002;t@example.org\n"
    ),
}


@pytest.fixture
def root(small_class: Path, tmp_path: Path) -> Path:
    return copied(small_class, tmp_path / "course").root


@pytest.mark.parametrize("lms", LISTS)
def test_a_class_list_becomes_the_roster(root: Path, lms: str) -> None:
    (root / "list.csv").write_bytes(LISTS[lms].encode())
    said = type_command(root, "chainrule", "roster", "list.csv")
    people = read_roster(root / "roster.csv")
    assert [(one.id, one.last, one.first) for one in people] == [
        ("1001", "Lovelace", "Ada"),
        ("1002", "Nguyễn", "Thị Ánh"),
    ]
    assert "roster.csv has 2 students" in said
    with Gradebook(CourseFolder(root).directory.db_url) as gradebook:
        assert gradebook.find_student("1001").last_name == "Lovelace"
    assert "up to date" in type_command(root, "chainrule", "roster", "list.csv")
    assert "1001 Ada Lovelace" in type_command(root, "chainrule", "roster")


def write(path: Path, people: list[Person]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "username", "last", "first", "email"])
        writer.writerows([one.id, one.username, one.last, one.first, one.email] for one in people)


def test_who_comes_goes_and_has_another_name(root: Path) -> None:
    write(
        root / "roster.csv",
        [Person("ada", "1001", "Byron", "Ada", ""), Person("bob", "1003", "Ross", "Bob", "")],
    )
    (root / "list.csv").write_text(
        "ID,Username,Last Name,First Name\n9,1001,Lovelace,Ada\n8,1002,Curie,Marie\n"
    )
    folder = CourseFolder(root)
    folder.folder("submitted", "bob", ESSAYS).mkdir(parents=True)
    before = (root / "roster.csv").read_bytes()
    said = type_command(root, "chainrule", "roster", "list.csv", "--drop", "--dry-run")
    assert (root / "roster.csv").read_bytes() == before
    assert "new: 8 Marie Curie (1002)" in said
    assert "changed: ada Ada Byron (1001): last Byron → Lovelace" in said
    assert "gone: bob Bob Ross (1003): taken off; has handed in essays, which stays" in said
    type_command(root, "chainrule", "roster", "list.csv")
    assert [one.id for one in read_roster(root / "roster.csv")] == ["ada", "bob", "8"]
    type_command(root, "chainrule", "roster", "list.csv", "--drop")
    assert [one.id for one in read_roster(root / "roster.csv")] == ["ada", "8"]
    assert folder.folder("submitted", "bob", ESSAYS).exists()
    assert before in [path.read_bytes() for path in (root / "rosters").iterdir()]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Colour,Shape\nred,round\n", "has no column with ids, usernames or emails"),
        ("Username\n", "there is no student in it"),
        ("Username,Last Name\n../up,Ross\n", "which cannot name a folder"),
        ("Username,Last Name\nbob,Ross\nBob,Ross\n", "two rows are of"),
    ],
)
def test_what_is_no_class_list_is_told(root: Path, text: str, said: str) -> None:
    (root / "list.csv").write_text(text)
    assert said in type_command(root, "chainrule", "roster", "list.csv", code=2)
    assert not (root / "roster.csv").exists()
