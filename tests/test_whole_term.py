"""A term of 24 students with two assignments, by the documented commands only, and every total recomputed.

The totals are computed twice more: from what each student was meant to get (`Term.expected`), and from the rows of the
gradebook's tables (`in_the_tables`). Neither uses Chainrule or nbgrader.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from marking_server import Client, served
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from postgres import Postgres
from sqlalchemy import create_engine, text
from tiny_course import (
    ASSERTS,
    CHECKS,
    DOUBLES,
    RIGHT,
    SOLUTION,
    SQUARE,
    filled,
    marked,
    notebook,
    type_command,
)

from chainrule.course import CONFIG

ONE, TWO = "hw1", "hw2"
DUE = {ONE: datetime(2026, 3, 2, 12, 0), TWO: datetime(2026, 4, 6, 12, 0)}
SCHEME = """
## Why

Why is $x^2 \\ge 0$?

### BEGIN MARK SCHEME

| Points | For |
|--:|:--|
| 0.5 | the sign |
| 0.5 | the reason |

### END MARK SCHEME
"""
ROWS = ("sign", "because")  # words of an answer that earn the rows
TEXTS = ("It has no sign.", "It has no sign, because two signs cancel.", "I think so.", "")
NOTHING = "def square(x):\n    return -1"
# a student's answer to a question -> what it earns; the check of -3 in hw1 is changed in the middle of the term
CODE = {ONE: {RIGHT: 4.0, DOUBLES: 1.0, NOTHING: 0.0}, TWO: {RIGHT: 2.0, DOUBLES: 0.0, NOTHING: 0.0}}
AFTER_THE_CHANGE = {RIGHT: 4.0, DOUBLES: 2.0, NOTHING: 0.0}
ITEMS = {ONE: "square-check", TWO: "square-asserts"}
MAXIMUM = {ONE: 5.0, TWO: 3.0}

NAMES = """Ann Lee|Bo Chen|Çağla Ünal|Dirk van der Berg|Eve O'Neil|Fay Núñez|Gus Smith-Jones|Hal Østby|Ida Garcia Lopez|
Jo Kim|Kai Müller|Lou Park|Max Weiß|Nia Roy|Oz Tan|Pia Rossi|Quy Đặng|Ray Ito|Sam Hall|Tea Novak|Uma Rao|Vic Stone|
Wei Zhang|Xiu Zhao"""


@dataclass
class Student:
    """Who is meant to have which points.

    Attributes:
        code, why: this student's answers by assignment.
        late: how late the hand-in is.
        off: points that are taken off, by assignment.
    """

    id: str
    username: str
    first: str
    last: str
    code: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    late: dict[str, timedelta] = field(default_factory=dict)
    off: dict[str, float] = field(default_factory=dict)

    def file(self, assignment: str) -> str:
        """What the handout asks for."""
        return f"{letters(self.last)}_{letters(self.first)}_{assignment}.ipynb"


def letters(name: str) -> str:
    return "".join(c for c in name if c.isalnum())


def written(words: str) -> float:
    """What a marker gives for a written answer."""
    return sum(0.5 for word in ROWS if word in words)


TITLE = "# Old course, {}\n\nDue 1 May 2020. Hand in on OldLMS."
FACTS = {"Old course": "@course@", "Due 1 May 2020.": "Due @due@. @late@", "OldLMS": "@lms@"}
CONFIGURED = """
c.Course.names = {"hw1": "CS 101", "hw2": "CS 101"}
c.Course.lms = {"hw1": "Blackboard", "hw2": "Blackboard"}
c.Course.late = {"hw1": "10% per day, at most 50%, grace 15 minutes", "hw2": "zero"}
c.Course.handin = {name: [f"{{last}}_{{first}}_{name}.ipynb"] for name in ("hw1", "hw2")}
"""


def source(assignment: str) -> NotebookNode:
    """The instructor's notebook."""
    title = marked(new_markdown_cell(TITLE.format(assignment)), "title")
    title.metadata.chainrule = {"facts": FACTS}
    imports = "from chainrule.lesson import todo" if assignment == ONE else "import math"
    return notebook(
        [
            title,
            marked(new_code_cell(imports), "imports"),
            marked(new_code_cell(SOLUTION.strip()), SQUARE, solution=True),
            marked(
                new_code_cell((CHECKS if assignment == ONE else ASSERTS).strip()),
                ITEMS[assignment],
                MAXIMUM[assignment] - 1,
            ),
            marked(new_markdown_cell(SCHEME.strip()), "why-intro"),
            marked(new_markdown_cell("It has no sign, because two signs cancel."), "why", 1, solution=True),
        ]
    )


def everybody() -> dict[str, Student]:
    """A class of 24, by id, with what they answer."""
    students = {}
    for place, name in enumerate(NAMES.replace("\n", "").split("|")):
        first, _, last = name.partition(" ")
        one = Student(f"2026{place:04}", f"u{place}", first, last)
        for assignment, shift in ((ONE, 0), (TWO, 1)):
            one.code[assignment] = (RIGHT, DOUBLES, RIGHT, NOTHING)[(place + shift) % 4]
            one.why[assignment] = TEXTS[(place // 2 + shift) % 4]
        students[one.id] = one
    return students


# ---- what the LMS gives ----------------------------------------------------------------------------------------


def class_list(path: Path, students: Iterable[Student]) -> str:
    """Write a class list as Blackboard exports it."""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(["Last Name", "First Name", "Username", "Student ID", "Email"])
        writer.writerows([s.last, s.first, s.username, s.id, f"{s.username}@example.org"] for s in students)
    return str(path)


def attempt(student: Student, assignment: str, name: str, late: timedelta) -> str:
    """The name that Blackboard gives to a file that somebody handed in."""
    moment = DUE[assignment] - timedelta(hours=3) + (late + timedelta(hours=3) if late else timedelta(0))
    return f"Homework_{assignment}_{student.username}_attempt_{moment:%Y-%m-%d-%H-%M-%S}_{name}"


def download(path: Path, files: Mapping[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return str(path)


# ---- the two other ways to a total ------------------------------------------------------------------------------

ALL_GRADES = """
    SELECT assignment.name AS assignment, submitted_assignment.student_id AS student, base_cell.name AS item,
        grade.auto_score AS checks, grade.manual_score AS person, grade.needs_manual_grade AS waits,
        submitted_notebook.late_submission_penalty AS off
    FROM grade
    JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
    JOIN assignment ON assignment.id = submitted_assignment.assignment_id
    JOIN base_cell ON base_cell.id = grade.cell_id
"""


def in_the_tables(url: str) -> dict[str, dict[str, float]]:
    """Totals by assignment and student, as a strict reader of the gradebook's tables adds them up."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(text(ALL_GRADES)).mappings().all()
    engine.dispose()
    items: dict[tuple[str, str], dict[str, float]] = {}
    off: dict[tuple[str, str], float] = {}
    for row in rows:
        who = row["assignment"], row["student"]
        assert row["item"] not in items.setdefault(who, {}), "an item has one grade"
        assert not row["waits"], f"{who} {row['item']} waits"
        score = row["checks"] if row["person"] is None else row["person"]
        items[who][row["item"]] = float(score)
        off[who] = float(row["off"] or 0)
    totals: dict[str, dict[str, float]] = {}
    for (assignment, student), scores in items.items():
        totals.setdefault(assignment, {})[student] = max(0.0, sum(scores.values()) - off[assignment, student])
    return totals


def in_the_csv(root: Path, assignment: str) -> dict[str, str]:
    type_command(root, "chainrule", "marks", assignment)
    with (root / "marks" / f"{assignment}.csv").open(newline="", encoding="utf-8") as file:
        return {row["student_id"]: row["score"] for row in csv.DictReader(file)}


def in_feedback(root: Path, assignment: str, student: str) -> str:
    """The words above a student's work."""
    page = root / "feedback" / student / assignment / f"{assignment}.html"
    head = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").body
    assert head
    return " ".join(head.get_text(" ").split())


# ---- the term ------------------------------------------------------------------------------------------------------


class Term:
    """A course folder, and what each student is meant to have."""

    def __init__(self, folder: Path, gradebook: str = "") -> None:
        self.folder, self.root, self.students = folder, folder / "term", everybody()
        self.url = gradebook or f"sqlite:///{self.root / 'gradebook.db'}"
        self.code = {ONE: dict(CODE[ONE]), TWO: CODE[TWO]}
        self.gone: dict[str, set[str]] = {ONE: set(), TWO: set()}  # who has nothing that counts
        self.excused: dict[str, set[str]] = {ONE: set(), TWO: set()}
        self.set: dict[
            tuple[str, str, str], float
        ] = {}  # points that somebody has set, by assignment, student, item

    def type(self, *words: str, code: int = 0) -> str:
        return type_command(self.root, "chainrule", *words, code=code)

    def id(self, place: int) -> str:
        return f"2026{place:04}"

    def expected(self, assignment: str) -> dict[str, float]:
        """The total of everybody who has handed in."""
        totals = {}
        for one in self.students.values():
            if one.id in self.gone[assignment] | self.excused[assignment]:
                continue
            scores = {
                ITEMS[assignment]: self.code[assignment][one.code[assignment]],
                "why": written(one.why[assignment]),
            }
            scores |= {
                item: points for (a, s, item), points in self.set.items() if (a, s) == (assignment, one.id)
            }
            totals[one.id] = max(0.0, sum(scores.values()) - one.off.get(assignment, 0.0))
        return totals

    def file(self, place: int, assignment: str) -> bytes:
        """A student's notebook."""
        one = self.students[self.id(place)]
        answers = {SQUARE: one.code[assignment]}
        if one.why[assignment]:
            answers["why"] = one.why[assignment]
        return nbformat.writes(filled(self.root, answers, assignment)).encode()

    def hand_in(self, assignment: str, mess: Mapping[str, bytes]) -> str:
        """What the LMS has of the class, with what else was uploaded."""
        files = dict(mess)
        for one in self.students.values():
            if one.id not in self.gone[assignment] | self.excused[assignment]:
                late = one.late.get(assignment, timedelta(0))
                name = attempt(one, assignment, one.file(assignment), late)
                files.setdefault(name, self.file(int(one.id) - 20260000, assignment))
        return download(self.folder / f"{assignment}.zip", files)

    def mark(self, assignment: str, marker: str) -> int:
        """Mark all written answers that wait, as the marking room's page does; how many there were."""
        done = 0
        with served(self.root, assignment=assignment) as server:
            client = Client(server, "tab", "why", marker, assignment, assignment)
            while "who" in (shown := client.next()):
                words = BeautifulSoup(shown["html"], "html.parser").get_text()
                rows = [
                    row["id"]
                    for row, word in zip(shown["rubric"]["rows"], ROWS, strict=True)
                    if word in words
                ]
                more = {"token": f"{marker}-{assignment}-{done}"} | ({} if rows else {"own": 0.0})
                while (
                    reply := client.save(shown, rows, **more)
                ).status_code == 503:  # as the page does: try again
                    time.sleep(0.1)
                assert reply.ok, reply.text
                done += 1
        return done


def messes(term: Term) -> dict[str, bytes]:
    """Files of the first download that are not as the handout asks."""
    students = term.students

    def head(place: int, name: str, late: timedelta = timedelta(0)) -> str:
        return attempt(students[term.id(place)], ONE, name, late)

    def zipped(place: int, **more: bytes) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr(students[term.id(place)].file(ONE), term.file(place, ONE))
            for name, content in more.items():
                archive.writestr(name, content)
        return made.getvalue()

    stranger = Student("x", "stranger", "Sue", "Stranger")
    return {
        head(10, students[term.id(10)].file(ONE), timedelta(days=-2)): b"{ an earlier attempt, cut off",
        head(11, "hw1 (1).ipynb"): term.file(11, ONE),
        head(12, "all.zip"): zipped(12, **{"__MACOSX/._x": b"fork", ".DS_Store": b"x"}),
        head(13, "photo.heic"): b"ftypheic",
        attempt(stranger, ONE, stranger.file(ONE), timedelta(0)): b"{}",
    }


def played(folder: Path, gradebook: str = "") -> Term:
    """A term until both assignments are graded, marked and handed back."""
    term = Term(folder, gradebook)
    students, at = term.students, term.id

    # last year's course, and this year's
    old = folder / "old"
    type_command(folder, "chainrule", "init", "old", "--empty")
    for assignment in (ONE, TWO):
        path = old / "source" / assignment / f"{assignment}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(source(assignment), path)
    with (old / CONFIG).open("a", encoding="utf-8") as config:
        config.write(CONFIGURED)
    dates = [f"--due={name}={due:%Y-%m-%d %H:%M} Europe/Zurich" for name, due in DUE.items()]
    more = ["--gradebook", gradebook] if gradebook else []
    assert "hw1 is due 2026-03-02 12:00" in type_command(
        folder, "chainrule", "init", "term", "--from", "old", *dates, *more
    )

    # who is in the class; somebody comes, somebody goes, somebody marries
    term.type("roster", class_list(folder / "list.csv", students.values()))
    del students[at(23)]
    new = Student("20260024", "u24", "Yan", "Li", {ONE: RIGHT, TWO: RIGHT}, {ONE: TEXTS[1], TWO: TEXTS[0]})
    students[new.id] = new
    students[at(22)].last = "Zhang-Lee"
    said = term.type("roster", class_list(folder / "list.csv", students.values()), "--drop")
    assert "has 24 students" in said, said

    for assignment in (ONE, TWO):
        assert "released to" in term.type("release", assignment)

    # hw1 comes in
    students[at(0)].late[ONE], students[at(0)].off[ONE] = timedelta(minutes=90), 0.5
    students[at(1)].late[ONE] = timedelta(minutes=10)
    students[at(2)].late[ONE], students[at(2)].off[ONE] = timedelta(days=3, hours=5), 2.0
    students[at(3)].late[ONE] = timedelta(days=2)
    term.type("extend", ONE, at(3), "3d", "--why", "ill")
    term.gone[ONE].add(at(5))
    term.type("intake", ONE, term.hand_in(ONE, messes(term)))
    said = term.type("grade", ONE)
    assert "Traceback" not in said
    assert term.mark(ONE, "tina") == sum(
        1 for s in students.values() if s.why[ONE] and s.id not in term.gone[ONE]
    )
    assert in_the_tables(term.url)[ONE] == pytest.approx(term.expected(ONE))

    # one hands in again after the marking, and is marked while hw2 comes in and is graded by another process
    students[at(8)].code[ONE], students[at(8)].why[ONE] = RIGHT, TEXTS[1]
    again = attempt(students[at(8)], ONE, students[at(8)].file(ONE), timedelta(hours=-1))
    term.type("intake", ONE, download(folder / "again.zip", {again: term.file(8, ONE)}))
    assert "for an earlier answer" in term.type("grade", ONE)
    students[at(15)].late[TWO], students[at(15)].off[TWO] = timedelta(hours=1), 3.0
    term.excused[TWO].add(at(4))
    term.type("excuse", TWO, at(4), "--why", "in hospital")
    term.type("intake", TWO, term.hand_in(TWO, {}))
    grade = [sys.executable, "-c", "from chainrule.cli import main; main()", "grade", TWO]
    with subprocess.Popen(grade, cwd=term.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as other:
        assert term.mark(ONE, "tom") == 1
        said_there = other.communicate()[0].decode()
    assert other.returncode == 0, said_there
    term.mark(TWO, "tom")

    # decisions, and a check that was wrong
    students[at(6)].off[ONE] = 0.5
    term.type("penalty", ONE, at(6), "10%", "--why", "a file that was not asked for")
    term.set[ONE, at(7), ITEMS[ONE]] = 2.5
    term.type("override", ONE, at(7), ITEMS[ONE], "2.5", "--why", "right but for a sign")
    term.gone[ONE].add(at(9))
    term.type("withdraw", ONE, at(9), "--why", "a friend's file")
    path = term.root / "source" / ONE / f"{ONE}.ipynb"
    path.write_text(
        path.read_text().replace("student.square(-3)", "student.square(0)").replace("equals(9)", "equals(0)")
    )
    term.code[ONE] = AFTER_THE_CHANGE
    term.type("release", ONE)
    assert "square-check" in term.type("grade", ONE, "--diff")

    # somebody asks for another look
    term.type("feedback", ONE, "--student", at(17))
    page = term.root / "feedback" / at(17) / ONE / f"{ONE}.html"
    line = next(
        found.get_text()
        for found in BeautifulSoup(page.read_text(), "html.parser").select(".request pre")
        if ITEMS[ONE] in found.get_text()
    )
    (folder / "mail.txt").write_text(f"Hello,\n\n> {line}I doubled on purpose.\n")
    assert "1 new" in term.type("requests", str(folder / "mail.txt"), "--list")
    term.set[ONE, at(17), ITEMS[ONE]] = 3.0
    with served(term.root, assignment=ONE) as server:
        client = Client(server, "tab", "why", "tina", ONE, ONE)
        body = {"answer": "So be it.", "points": 3.0, "seen": term.code[ONE][students[at(17)].code[ONE]]}
        reply = client.post_to(f"{server.url}/marking/requests/1/answer", body)
        assert reply.ok, reply.text
    return term


# ---- what everybody gets ------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def term(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Term:
    gradebook = ""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        gradebook = server.new_database()
    return played(tmp_path_factory.mktemp("term"), gradebook)


def test_every_total_is_what_was_meant(term: Term) -> None:
    for assignment in (ONE, TWO):
        meant = term.expected(assignment)
        assert len(meant) == {ONE: 22, TWO: 23}[assignment]
        assert in_the_tables(term.url)[assignment] == pytest.approx(meant)
        in_csv = in_the_csv(term.root, assignment)
        assert in_csv.keys() == term.students.keys()
        for student, score in in_csv.items():
            if student in term.excused[assignment]:
                assert score == ""
            else:
                assert float(score) == pytest.approx(meant.get(student, 0.0)), student

        term.type("report", assignment, "--no-pdf")
        with (term.root / "reports" / f"{assignment}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert {
            r["student"]: float(r["points"]) for r in rows if r["kind"] == "hand-in" and r["points"]
        } == meant

        term.type("feedback", assignment)
        for student in term.students.values():
            words = in_feedback(term.root, assignment, student.id)
            assert f"{student.first} {student.last}" in words
            if student.id in meant:
                assert f"{meant[student.id]:g} of {MAXIMUM[assignment]:g} points" in words, words[:500]

    for place, words in {
        3: "ill",
        6: "a file that was not asked for",
        7: "right but for a sign",
        17: "So be it.",
    }.items():
        assert words in in_feedback(term.root, ONE, term.id(place))
    for student in term.students.values():
        for page in (term.root / "feedback" / student.id).rglob("*.html"):
            others = [s.id for s in term.students.values() if s.id != student.id and s.id in page.read_text()]
            assert not others


def test_it_is_restored_elsewhere_and_begins_again(term: Term, tmp_path: Path) -> None:
    term.type("backup")
    (kept,) = (term.root / "backups").glob("*.zip")
    url = f"sqlite:///{tmp_path / 'there' / 'gradebook.db'}"
    more = ["--gradebook", url] if not term.url.startswith("sqlite") else []
    type_command(tmp_path, "chainrule", "restore", str(kept), "there", *more)
    assert in_the_tables(url) == in_the_tables(term.url)
    assert in_the_csv(tmp_path / "there", ONE) == in_the_csv(term.root, ONE)

    url = f"sqlite:///{tmp_path / 'next' / 'gradebook.db'}"
    more = ["--gradebook", url] if not term.url.startswith("sqlite") else []
    said = type_command(
        term.root, "chainrule", "init", str(tmp_path / "next"), "--from", ".", "--shift", "364d", *more
    )
    assert "hw1 is due 2027-03-01 12:00 Europe/Zurich" in said
    for path in (tmp_path / "next").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [s.id for s in term.students.values() if s.id.encode() in content], path
    assert "released to" in type_command(tmp_path / "next", "chainrule", "release", ONE)
    title = nbformat.read(tmp_path / "next" / "release" / ONE / f"{ONE}.ipynb", 4).cells[0].source
    assert "Due Monday 1 March 2027, 12:00 (Zurich time)" in title
