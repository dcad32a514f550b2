"""A line from a feedback page comes back in mails and comments, is answered once, and the student reads the answer."""

from __future__ import annotations

import mailbox
import re
import textwrap
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from marking_class import CHECKED, ESSAYS, NOTEBOOK, SOFTMAX, copied
from marking_server import Client, served
from nbgrader.api import Gradebook
from tiny_course import type_command

from chainrule.course import CourseError, CourseFolder
from chainrule.marking.errors import ConflictError, MarkingError
from chainrule.marking.room import MarkingRoom
from chainrule.marking.tables import Database
from chainrule.requests.collect import collect
from chainrule.requests.line import request_line, requests_in
from chainrule.requests.store import Request, Requests

LINE = request_line(ESSAYS, NOTEBOOK, CHECKED, "ada")
REASON = "my result is right, as numpy's documentation of softmax says; a long reason to be wrapped by a mail program"


@pytest.fixture
def course(small_class: Path, tmp_path: Path) -> CourseFolder:
    return copied(small_class, tmp_path / "course")


@pytest.fixture
def found(course: CourseFolder) -> Requests:
    return Requests(Database(course.directory.db_url), clock=lambda: 100.0)


def given(course: CourseFolder) -> float | None:
    """What a person has given ada's item."""
    with Gradebook(course.directory.db_url) as gradebook:
        score: float | None = gradebook.find_grade(CHECKED, NOTEBOOK, ESSAYS, "ada").manual_score
    return score


def waiting(found: Requests) -> list[Request]:
    with found.database.transaction() as connection:
        return [request for request in found.all(connection) if request.waits]


def mail(text: str, *, html: bool = False, sender: str = "Ada <ada@example.org>") -> EmailMessage:
    letter = EmailMessage(policy=SMTP)
    letter["From"], letter["To"], letter["Subject"] = sender, "staff@example.org", "a question"
    letter.set_content(text, subtype="html" if html else "plain", cte="quoted-printable")
    return letter


# ---- collecting ----------------------------------------------------------------------------------------------


def test_a_request_is_found_however_it_was_sent(
    course: CourseFolder, found: Requests, tmp_path: Path
) -> None:
    wrapped = textwrap.wrap(f"{LINE}{REASON}", 60, break_on_hyphens=False, break_long_words=False)
    files = {
        "plain.txt": f"Dear staff,\r\n\r\n{LINE}{REASON}\r\n\r\nAda".encode(),
        "mail.eml": mail(f"Hello\n\n{LINE}{REASON}\n\nAda").as_bytes(),
        "page.eml": mail(f"<p>Hello</p><p>{LINE}<b>{REASON}</b></p><p>Ada</p>", html=True).as_bytes(),
        "reply.txt": ("On Monday Ada wrote:\n" + "\n> ".join(["", *wrapped, "", "Ada"])).encode(),
        "comment.html": f"<div>{LINE}{REASON}</div>".encode(),
    }
    paths = []
    for name, data in files.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)
    box = mailbox.mbox(tmp_path / "all.mbox")
    box.add(mail(f"{LINE}{REASON}").as_bytes())
    box.close()
    done = collect(course, found, [*paths, tmp_path / "all.mbox"])
    assert (done.new, done.known, done.refused) == (1, len(files), [])
    (request,) = waiting(found)
    assert (request.item, request.student, request.reason) == (CHECKED, "ada", REASON)
    assert request.points == 1.5


def test_what_cannot_be_answered_is_named(course: CourseFolder, found: Requests, tmp_path: Path) -> None:
    path = tmp_path / "mails.txt"
    lines = [
        request_line("nowhere", NOTEBOOK, CHECKED, "ada") + "why",
        request_line(ESSAYS, NOTEBOOK, "no-item", "ada") + "why",
        request_line(ESSAYS, NOTEBOOK, CHECKED, "nobody") + "why",
        LINE,
    ]
    path.write_text("\n\n".join(lines))
    done = collect(course, found, [path])
    assert [done.new, len(done.refused)] == [0, 4]
    assert "there is no assignment nowhere" in done.refused[0]
    assert "it gives no reason" in done.refused[3]
    path.write_text("Dear staff, please look again.")
    with pytest.raises(CourseError, match="has no regrade request"):
        collect(course, found, [path])


def test_a_request_in_anothers_name_is_told(course: CourseFolder, found: Requests, tmp_path: Path) -> None:
    (course.root / "roster.csv").write_text("id,username,last,first,email\nada,ada,L,A,ada@example.org\n")
    for name, sender in (("one.eml", "Ada <ADA@example.org>"), ("two.eml", "eve@example.org")):
        (tmp_path / name).write_bytes(mail(f"{LINE}because of {name}", sender=sender).as_bytes())
    done = collect(course, found, [tmp_path / "one.eml", tmp_path / "two.eml"])
    assert done.remarks == ["two.eml: the request of ada came from eve@example.org, not from ada@example.org"]


def test_names_with_odd_letters_come_back() -> None:
    names = ("hw 1", "part/2 [a]", "q1-ü", "ada@x")
    (back,) = requests_in(request_line(*names) + "why")
    assert (back.assignment, back.notebook, back.item, back.student) == names


# ---- answering -----------------------------------------------------------------------------------------------


def add(course: CourseFolder, found: Requests, tmp_path: Path, line: str = LINE) -> int:
    path = tmp_path / "asked.txt"
    path.write_text(f"{line}{REASON}")
    collect(course, found, [path])
    return waiting(found)[-1].id


def test_an_answer_with_other_points_is_in_the_gradebook_and_its_history(
    course: CourseFolder, found: Requests, tmp_path: Path
) -> None:
    number = add(course, found, tmp_path)
    with found.database.transaction() as connection:
        request = found.answer(connection, number, "You are right.", "ann", points=2.0, seen=1.5)
    assert (request.points, request.points_after, request.answered_by, request.answered_at) == (
        1.5,
        2.0,
        "ann",
        100.0,
    )
    assert given(course) == 2.0
    with found.database.transaction() as connection:
        rows = connection.exec_driver_sql(
            "SELECT marker, action, points, comment FROM chainrule_mark_history"
        ).all()
    assert [tuple(row) for row in rows] == [("ann", "request", 2.0, "You are right.")]


def test_an_answer_without_points_leaves_the_score_alone(
    course: CourseFolder, found: Requests, tmp_path: Path
) -> None:
    number = add(course, found, tmp_path)
    with found.database.transaction() as connection:
        assert not found.answer(connection, number, "No: see 1.2.", "ann").changed
    assert given(course) is None


@pytest.mark.parametrize(
    ("text", "points", "seen", "said"),
    [
        (" ", None, None, "write an answer"),
        ("yes", 2.5, None, "from 0 to 2"),
        ("yes", float("nan"), None, "no number of points"),
        ("yes", 2.0, 1.0, "the item has 1.5 now"),
    ],
)
def test_an_impossible_answer_changes_nothing(
    course: CourseFolder,
    found: Requests,
    tmp_path: Path,
    text: str,
    points: float | None,
    seen: float | None,
    said: str,
) -> None:
    number = add(course, found, tmp_path)
    with pytest.raises((MarkingError, ConflictError), match=said), found.database.transaction() as connection:
        found.answer(connection, number, text, "ann", points, seen)
    assert len(waiting(found)) == 1
    assert given(course) is None


def test_two_markers_answer_once(course: CourseFolder, found: Requests, tmp_path: Path) -> None:
    number = add(course, found, tmp_path)
    with found.database.transaction() as connection:
        found.answer(connection, number, "No.", "ann")
    with pytest.raises(ConflictError, match="ann has answered"), found.database.transaction() as connection:
        found.answer(connection, number, "Yes.", "bo", points=2.0)


def test_the_feedback_page_has_the_line_and_then_the_answer(
    course: CourseFolder, found: Requests, tmp_path: Path
) -> None:
    def page() -> BeautifulSoup:
        course.succeed(course.api.generate_feedback(ESSAYS, "ada", force=True), "feedback")
        path = course.folder("feedback", "ada", ESSAYS) / f"{NOTEBOOK}.html"
        return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")

    lines = [pre.get_text() for pre in page().select(".request pre")]
    assert lines == [LINE]  # the written answers still wait for a marker
    number = add(course, found, tmp_path, lines[0])
    assert "not answered yet" in page().get_text()
    with found.database.transaction() as connection:
        found.answer(connection, number, "Yes: <b>softmax</b>.", "ann", points=2.0)
    after = page()
    (box,) = after.select(".answered")
    assert "1.5 → 2 points" in box.get_text()
    assert "Yes: <b>softmax</b>." in box.get_text()
    assert "2 of 2 points" in after.get_text()


# ---- the command and its page --------------------------------------------------------------------------------


def test_the_command_lists_requests_and_the_page_answers_them(
    course: CourseFolder, found: Requests, tmp_path: Path
) -> None:
    path = tmp_path / "asked.txt"
    written = request_line(ESSAYS, NOTEBOOK, SOFTMAX, "bob")
    path.write_text(f"{LINE}{REASON}\n\n{written}I wrote <script>so</script>")
    said = type_command(course.root, "chainrule", "requests", str(path), "--list")
    assert "2 new, 0 collected before, 0 not taken" in said
    assert f"{CHECKED} of ada (1.5): {REASON}" in said
    with served(course.root) as server:
        client = Client(server, "tab", marker="ann")
        page = client.session.get(f"{server.url}/marking/requests").text
        assert "I wrote &lt;script&gt;so" in page
        (who,) = re.findall(r"\?who=(s\w+)", page)
        assert who == MarkingRoom(course, ESSAYS).alias("bob")
        assert client.ask("open", who=who).ok
        body = {"answer": "Right.", "points": 1.75, "seen": 1.5}
        address = f"{server.url}/marking/requests/1"
        assert client.session.get(f"{address}/work").ok
        assert client.post_to(f"{address}/answer", body).ok
        assert client.post_to(f"{address}/answer", body).status_code == 409
        assert client.post_to(f"{server.url}/marking/requests/9/answer", body).status_code == 400
        assert "ann: 1.5 → 1.75: Right." in " ".join(
            client.session.get(f"{server.url}/marking/requests").text.split()
        )
    assert given(course) == 1.75


# ---- mails written by hand -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sender", ["<", '"', "a@[", "(" * 10_000], ids=["angle", "quote", "bracket", "nested"]
)
def test_a_mail_with_a_broken_sender_is_read_and_told(
    course: CourseFolder, found: Requests, tmp_path: Path, sender: str
) -> None:
    (course.root / "roster.csv").write_text("id,username,last,first,email\nada,ada,L,A,ada@example.org\n")
    (tmp_path / "odd.eml").write_bytes(f"From: {sender}\n\n{LINE}why\n".encode())
    done = collect(course, found, [tmp_path / "odd.eml"])
    assert (done.new, len(done.remarks)) == (1, 1)
    assert "came from nobody, not from ada@example.org" in done.remarks[0]


def test_a_mail_that_cannot_be_read_stops_no_other(
    course: CourseFolder, found: Requests, tmp_path: Path
) -> None:
    box = mailbox.mbox(tmp_path / "all.mbox")
    box.add(b"From: a@b\n" + b"Content-Type: message/rfc822\n\n" * 2000)
    box.add(f'From: a@b\nContent-Type: text/plain; charset="unicode_escape"\n\n{LINE}\\ud800 why\n'.encode())
    box.close()
    done = collect(course, found, [tmp_path / "all.mbox"])
    assert (done.new, len(done.refused)) == (1, 1)
    assert "cannot be read" in done.refused[0]


def test_an_archived_course_collects_nothing(course: CourseFolder, tmp_path: Path) -> None:
    type_command(course.root, "chainrule", "archive")
    (tmp_path / "asked.txt").write_text(f"{LINE}why")
    type_command(course.root, "chainrule", "requests", str(tmp_path / "asked.txt"), "--list", code=2)
    assert "there are no" in type_command(course.root, "chainrule", "requests", "--list")
