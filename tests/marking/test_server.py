"""The server: who may ask it for what, and that a mark is there or is not, whatever happens."""

from __future__ import annotations

import csv
import io
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from marking_class import ESSAYS, SOFTMAX, copied, in_gradebook
from marking_server import Client, Server, served

from chainrule.course import CourseFolder
from chainrule.marking.room import MarkingRoom
from chainrule.one_writer import ARCHIVED


@pytest.fixture(scope="module")
def server(small_class: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of this file, each with an item or students of its own."""
    root = tmp_path_factory.mktemp("marking") / "course"
    copied(small_class, root)
    with served(root) as running:
        yield running


def test_a_token_opens_the_room_and_nothing_else(server: Server) -> None:
    client = Client(server, "tab")
    assert client.session.get(server.page()).ok
    paths = (
        "api/contents",
        "api/kernels",
        "api/sessions",
        "api/terminals",
        "files/marking.js",
        "tree",
        "lab",
    )
    for path in (*paths, "api/kernelspecs", "api/config/x", "nbconvert/html/x.ipynb", "formgrader"):
        assert client.session.get(f"{server.url}/{path}").status_code in (403, 404), path
    made = client.session.post(f"{server.url}/api/contents", data='{"type": "notebook"}')
    assert made.status_code == 403


def test_without_token_there_is_nothing(server: Server) -> None:
    for address in (server.page(), f"{server.url}/marking", f"{server.url}/marking/files/marking.js"):
        reply = requests.get(address, timeout=60)
        assert "login" in reply.url
    assert requests.post(f"{server.page()}/next", data="{}", timeout=60).status_code == 403


def test_a_request_of_another_site_is_refused(server: Server) -> None:
    client = Client(server, "tab", marker="ann")
    del client.session.headers["X-XSRFToken"]
    assert client.ask("next").status_code == 403


def test_pages_forbid_scripts_of_others_and_are_not_stored(server: Server) -> None:
    reply = Client(server, "tab").session.get(server.page())
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "form-action 'none'" in policy
    assert reply.headers["Cache-Control"] == "no-store"
    assert "ada" not in reply.text


def test_errors_are_sentences(server: Server) -> None:
    client = Client(server, "tab", marker="ann")
    unknown = client.session.get(f"{server.url}/marking/a/nowhere")
    assert unknown.status_code == 400
    assert "there is no assignment" in unknown.text
    assert "no written item x in part1" in client.session.get(server.page("x")).text
    assert client.ask("nonsense").status_code == 404
    assert (
        "lacks something" in client.ask("save", who="").json()["error"]
        or client.ask("save").status_code == 400
    )
    refused = client.post_to(f"{server.url}/marking/name", {"name": "<script>"})
    assert refused.status_code == 400


def test_nothing_is_marked_in_an_archived_course(server: Server) -> None:
    client = Client(server, "tab", SOFTMAX, marker="ann")
    mark = server.root / ARCHIVED
    mark.touch()
    try:
        shares = client.post_to(f"{server.url}/marking/a/{ESSAYS}/shares", {"marker": "bob", "items": []})
        for reply in (client.ask("next"), client.ask("save"), client.ask("undo"), shares):
            assert "this course was archived" in reply.text
    finally:
        mark.unlink()
    assert client.ask("next").ok
    assert client.ask("leave").ok


def test_the_rubric_of_a_reply_is_drawn_and_the_answer_is_anonymous(server: Server) -> None:
    client = Client(server, "tab", SOFTMAX, marker="ann")
    shown = client.next()
    assert [row["key"] for row in shown["rubric"]["rows"]] == ["1", "2"]
    assert "<svg" in shown["rubric"]["rows"][1]["html"]
    assert shown["results"] == ["q1_1-values: 1.5 of 2"]
    assert "BEGIN MARK SCHEME" not in shown["questionHtml"]
    assert not any(name in str(shown) for name in ("ada", "bob", "cyd"))
    assert client.ask("name", who=shown["who"]).json()["name"] in ("ada", "bob", "cyd")
    around = client.ask("around", who=shown["who"]).json()["html"]
    assert "[0.1 0.9]" in around
    assert "THE-MODEL-ANSWER" not in around
    assert client.ask("leave").ok


def test_a_mark_is_saved_undone_and_exported(server: Server) -> None:
    client = Client(server, "tab", marker="ann")
    order = []
    shown = client.next()
    while not shown.get("done"):
        order.append(shown["who"])
        reply = client.save(shown, [1, 2], comment="Say why.")
        assert reply.json()["saved"] == 0.5
        shown = reply.json()
    assert len(set(order)) == 4
    back = client.ask("undo").json()
    assert back["who"] == order[-1]
    assert back["waits"]
    folder = CourseFolder(server.root)
    room = MarkingRoom(folder, ESSAYS)
    scores = {room.alias(name): in_gradebook(folder, name) for name in ("ada", "bob", "cyd", "dee")}
    assert scores == {who: (0.5, "Say why.") for who in order[:-1]} | {order[-1]: (None, None)}
    file = client.session.get(f"{server.page()}/marking.csv")
    assert "attachment" in file.headers["Content-Disposition"]
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(file.content.decode("utf-8-sig")))}
    assert rows[order[0]]["rows"] == "1 2"
    assert rows[order[-1]]["rows"] == ""
    assert client.next()["comments"] == ["Say why."]


def test_a_locked_gradebook_is_told_and_the_same_save_succeeds_later(server: Server) -> None:
    client = Client(server, "locked", SOFTMAX, marker="ann")
    shown = client.next()
    with closing(sqlite3.connect(server.root / "gradebook.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        reply = client.save(shown, [1])
        assert reply.status_code == 503
        assert "another program is writing" in reply.json()["error"]
        other.execute("ROLLBACK")
    assert client.save(shown, [1]).json()["saved"] == 0.5
    assert client.save(shown, [1]).ok  # its reply could have got lost
    again = client.save(shown, [1], token="another")
    assert again.status_code == 409
    assert "ann gave 0.5 meanwhile" in again.json()["error"]


def test_a_request_that_makes_no_sense_gets_a_sentence(server: Server) -> None:
    client = Client(server, "odd", marker="ann")
    who = MarkingRoom(CourseFolder(server.root), ESSAYS).alias("dee")
    for action, body in (
        ("save", {"who": who, "ticked": ["x"]}),
        ("save", {"who": who, "ticked": [1], "seconds": float("nan")}),
        ("row", {"change": {"id": 1, "points": None, "text": "as typed: 0.1.2"}}),
        ("open", {"who": who, "step": "x"}),
        ("undo", {"second": True}),
    ):
        reply = client.ask(action, **body)
        assert reply.status_code == 400, action
        assert "Traceback" not in reply.text
    for path in ("name", f"a/{ESSAYS}/shares"):
        assert client.session.post(f"{server.url}/marking/{path}", data="[1").status_code == 400


def test_an_assignment_that_nobody_has_graded_says_so(server: Server) -> None:
    client = Client(server, "early", marker="ann")
    shutil.copytree(server.root / "source" / ESSAYS, server.root / "source" / "later")
    page = client.session.get(f"{server.url}/marking/a/later").text
    assert "Run <code>chainrule grade later</code> first" in page
    assert "chainrule grade" not in client.session.get(f"{server.url}/marking/a/{ESSAYS}").text
