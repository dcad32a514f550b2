"""Formgrader beside the room: nbgrader's tasks are marked here, and it shows scores of rows that were changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import marking_class
import requests
from marking_class import NOTEBOOK, VARIANCE, Handout
from marking_server import TOKEN, Server, formgrader
from nbformat.v4 import new_markdown_cell
from tiny_course import marked

from chainrule.course import CourseFolder
from chainrule.marking.room import MarkingRoom
from chainrule.marking.rows import RowChange, change_row, read_rubric
from chainrule.marking.states import Draft, Marker, Seen

PROJECT, TASK = "project", "q1_2-project"
ANN = Marker("ann", "tab")
STATEMENT = """### A project

Describe your data set in cells of your own.

### BEGIN MARK SCHEME

| Points | For |
|--:|:--|
| 1 | where it is from |
| 0.5 | its size |

### END MARK SCHEME"""


def with_a_task() -> Handout:
    nb = marking_class.source_notebook()
    task = marked(new_markdown_cell(STATEMENT), TASK)
    task.metadata.nbgrader.update(task=True, locked=False, points=1.5)
    nb.cells.append(task)
    return Handout(nb, PROJECT)


def mark(room: MarkingRoom, item: str, student: str, rows: tuple[int, ...], comment: str = "") -> None:
    where = room.item(NOTEBOOK, item)
    with room.database.transaction() as connection:
        state = room.open(connection, where, ANN, student)
        version = read_rubric(connection, room, where).version
        seen = Seen(state.fingerprint, state.mark.revision, version, None, "", "")
        room.save(connection, where, student, Draft(rows, comment=comment), seen, ANN)


def shown(server: Server) -> dict[str, tuple[float, dict[str, Any], dict[str, Any]]]:
    """What formgrader's pages ask for: the total, the scores and the comments by item, for each student."""
    session = requests.Session()
    session.get(f"{server.url}/tree?token={TOKEN}", timeout=60)
    session.headers["X-XSRFToken"] = session.cookies.get("_xsrf") or ""
    api = f"{server.url}/formgrader/api"

    def asked(path: str) -> list[dict[str, Any]]:
        reply = session.get(f"{api}/{path}", timeout=60)
        assert reply.ok, reply.text
        return list(reply.json())

    found = {}
    for row in asked(f"submitted_notebooks/{PROJECT}/{NOTEBOOK}"):
        page = session.get(f"{server.url}/formgrader/submissions/{row['id']}", timeout=60)
        assert f'id="{TASK}"' in page.text
        grades = {each["name"]: each["manual_score"] for each in asked(f"grades?submission_id={row['id']}")}
        said = {each["name"]: each["manual_comment"] for each in asked(f"comments?submission_id={row['id']}")}
        found[row["student"]] = row["written_score"] + row["task_score"], grades, said
    return found


def test_formgrader_shows_marked_tasks_and_re_pointed_rows(small_class: Path, tmp_path: Path) -> None:
    written = {
        "ada": {VARIANCE: "By independence.", TASK: "From a register, 1000 rows."},
        "bob": {VARIANCE: "I simulated it.", TASK: "from a register 1000 rows"},
        "cyd": {VARIANCE: "So it is.", TASK: "Mine."},
        "dee": {VARIANCE: "It follows."},
    }
    root = marking_class.copied(small_class, tmp_path / "course").root
    folder = marking_class.write(root, written, handout=with_a_task())
    room = MarkingRoom(CourseFolder(folder.root), PROJECT)
    task, variance = room.item(NOTEBOOK, TASK), room.item(NOTEBOOK, VARIANCE)
    assert task.maximum == 1.5
    with room.database.transaction() as connection:
        states = room.states(connection, task)
    assert {student: state.answer.text for student, state in states.items()} == {
        student: written[student][TASK] for student in ("ada", "bob", "cyd")
    }
    mark(room, TASK, "ada", (1, 2), "Which one?")
    with room.database.transaction() as connection:
        assert room.save_equal(connection, task, "ada", ANN) == ["bob"]
    for student, rows in (("ada", (1, 2)), ("bob", (2, 3)), ("cyd", (1, 3))):
        mark(room, VARIANCE, student, rows)
    with room.database.transaction() as connection:
        change_row(connection, room, variance, RowChange(2, 0.2, "less"), ANN, "2 answers, −0.1 each")
        change_row(connection, room, task, RowChange(2, 0.25, "its size"), ANN, "2 answers, −0.25 each")
    room.database.close()
    with formgrader(folder.root) as server:
        found = shown(server)
    scores = {student: (grades[VARIANCE], grades[TASK]) for student, (_, grades, _) in found.items()}
    assert scores == {"ada": (0.4, 1.25), "bob": (0.45, 1.25), "cyd": (0.45, None), "dee": (None, None)}
    assert {student: total for student, (total, _, _) in found.items()} == {
        "ada": 0.4 + 1.25,
        "bob": 0.45 + 1.25,
        "cyd": 0.45,
        "dee": 0.0,
    }
    assert [found[student][2][TASK] for student in ("ada", "bob", "cyd")] == [
        "Which one?",
        "Which one?",
        None,
    ]
