"""Marks, claims, history, rubric: what a marker does is in the gradebook at once, and nobody is in another's way."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import marking_class
import nbformat
import pytest
from marking_class import (
    ESSAYS,
    NOTEBOOK,
    SOFTMAX,
    VARIANCE,
    copied,
    hand_in,
    in_formgrader,
    in_gradebook,
)
from marking_class import (
    SMALL as WRITTEN,
)
from postgres import Postgres
from sqlalchemy import select, update

from chainrule.course import CourseFolder
from chainrule.marking.errors import BusyError, ConflictError, MarkingError
from chainrule.marking.gradebook import Recorded, recorded
from chainrule.marking.room import MarkingRoom
from chainrule.marking.rows import RowChange, change_row, preview, read_rubric, write_back
from chainrule.marking.states import Draft, Mark, Marker, Seen, State
from chainrule.marking.tables import SETTINGS, SHARES, Database

ANN, BO = Marker("ann", "tab-a"), Marker("bo", "tab-b")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["sqlite", "postgresql"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> CourseFolder:
    """The class of four who wrote something and one who didn't."""
    if request.param == "sqlite":
        return copied(request.getfixturevalue("small_class"), tmp_path / "course")
    server: Postgres = request.getfixturevalue("postgres")
    root, template = request.getfixturevalue("small_class_in_postgres")
    return copied(root, tmp_path / "course", server.new_database(template))


@pytest.fixture
def room(folder: CourseFolder) -> Iterator[MarkingRoom]:
    room = MarkingRoom(folder, ESSAYS, clock=Clock())
    yield room
    room.database.close()


def seen(room: MarkingRoom, state: State, token: str = "") -> Seen:
    with room.database.transaction() as connection:
        version = read_rubric(connection, room, room.item(NOTEBOOK, VARIANCE)).version
    return Seen(
        state.answer.fingerprint,
        state.mark.revision,
        version,
        state.recorded.score,
        state.recorded.comment or "",
        token,
    )


def mark(room: MarkingRoom, student: str, draft: Draft, marker: Marker = ANN, item: str = VARIANCE) -> Mark:
    where = room.item(NOTEBOOK, item)
    with room.database.transaction() as connection:
        state = room.open(connection, where, marker, student)
        version = read_rubric(connection, room, where).version
        recorded = state.recorded
        now = Seen(
            state.fingerprint, state.mark.revision, version, recorded.score, recorded.comment or "", ""
        )
        return room.save(connection, where, student, draft, now, marker)


def take(room: MarkingRoom, marker: Marker, after: str | None = None) -> State | None:
    with room.database.transaction() as connection:
        return room.next_waiting(connection, room.item(NOTEBOOK, VARIANCE), marker, after)


def states(room: MarkingRoom) -> dict[str, State]:
    with room.database.transaction() as connection:
        return room.states(connection, room.item(NOTEBOOK, VARIANCE))


def test_a_mark_is_in_the_gradebook_at_once(room: MarkingRoom) -> None:
    done = mark(room, "ada", Draft((1, 2), comment="Why 1?", seconds=12.0))
    assert (done.points, done.rows, done.marker) == (0.5, (1, 2), "ann")
    assert in_gradebook(room.folder, "ada") == (0.5, "Why 1?")
    with room.database.transaction() as connection:
        (entry,) = room.history(connection, room.item(NOTEBOOK, VARIANCE), "ada")
    assert (entry["action"], entry["points"], entry["score_before"]) == ("mark", 0.5, None)
    assert not states(room)["ada"].waits


def test_items_come_from_the_source_and_untouched_answers_are_gone(room: MarkingRoom) -> None:
    assert [(item.name, item.maximum) for item in room.work.items()] == [(VARIANCE, 0.75), (SOFTMAX, 1.0)]
    assert set(states(room)) == {"ada", "bob", "cyd", "dee"}


@pytest.mark.parametrize(
    ("draft", "says"),
    [
        (Draft(own_points=0.8), r"0\.8 is more than the item has, 0\.75 points"),
        (Draft(own_points=-0.1), "no number of points"),
        (Draft(own_points=float("nan")), "no number of points"),
        (Draft((1, 99)), "no row 99"),
        (Draft(), "nothing is ticked"),
    ],
)
def test_impossible_points_are_refused(room: MarkingRoom, draft: Draft, says: str) -> None:
    with pytest.raises(MarkingError, match=says):
        mark(room, "ada", draft)
    assert in_gradebook(room.folder, "ada") == (None, None)


def test_an_own_number_wins_over_the_rows(room: MarkingRoom) -> None:
    assert mark(room, "ada", Draft((1,), own_points=0.7)).points == 0.7
    assert mark(room, "bob", Draft(own_points=0.0)).points == 0.0
    assert in_gradebook(room.folder, "bob") == (0.0, None)


def test_two_markers_never_get_the_same_answer(room: MarkingRoom) -> None:
    got = [take(room, marker) for marker in (ANN, BO)]
    assert None not in got
    assert len({state.student for state in got if state}) == 2
    with pytest.raises(ConflictError, match="bo has this answer open"):
        mark(room, got[1].student if got[1] else "", Draft((1,)))


def test_many_writers_at_once_lose_nothing(room: MarkingRoom) -> None:
    """Each thread marks until nothing waits."""

    def work(number: int) -> list[str]:
        marker, done = Marker(f"m{number}", f"t{number}"), []
        while True:
            try:
                with room.database.transaction(wait=20.0) as connection:
                    state = room.next_waiting(connection, room.item(NOTEBOOK, VARIANCE), marker)
                if state is None:
                    return done
                with room.database.transaction(wait=20.0) as connection:
                    item = room.item(NOTEBOOK, VARIANCE)
                    now = Seen(
                        state.fingerprint,
                        0,
                        read_rubric(connection, room, item).version,
                        None,
                        "",
                        str(number),
                    )
                    room.save(connection, item, state.student, Draft((1,)), now, marker)
                done.append(state.student)
            except BusyError:
                continue

    with ThreadPoolExecutor(4) as pool:
        done = [student for each in pool.map(work, range(4)) for student in each]
    assert sorted(done) == ["ada", "bob", "cyd", "dee"]
    assert all(in_gradebook(room.folder, student)[0] == 0.2 for student in done)


def test_a_lease_ends(room: MarkingRoom) -> None:
    first = [take(room, Marker(name, name)) for name in "abcd"]
    assert take(room, BO) is None
    room.clock.now += 299
    with room.database.transaction() as connection:
        room.stay(connection, Marker("a", "a"))
    room.clock.now += 2
    again = take(room, BO)
    assert again
    assert first[0]
    assert again.student != first[0].student
    with room.database.transaction() as connection:
        room.leave(connection, BO)
    assert take(room, ANN)


def test_the_same_save_again_is_harmless_and_another_is_a_conflict(room: MarkingRoom) -> None:
    state = take(room, ANN)
    assert state
    item, now = room.item(NOTEBOOK, VARIANCE), seen(room, state, "token-1")
    for _ in range(2):
        with room.database.transaction() as connection:
            done = room.save(connection, item, state.student, Draft((1,)), now, ANN)
            assert (done.points, done.revision) == (0.2, 1)
    with (
        pytest.raises(ConflictError, match=r"ann gave 0\.2 meanwhile"),
        room.database.transaction() as connection,
    ):
        room.save(connection, item, state.student, Draft((2,)), replace(now, token="token-2"), BO)
    assert in_gradebook(room.folder, state.student)[0] == 0.2


def test_a_score_of_formgrader_is_not_overwritten(room: MarkingRoom) -> None:
    state = take(room, ANN)
    assert state
    before = seen(room, state)
    in_formgrader(room.folder, state.student, 0.25)
    with pytest.raises(ConflictError, match=r"formgrader: it has 0\.25"), room.database.transaction() as c:
        room.save(c, room.item(NOTEBOOK, VARIANCE), state.student, Draft((1,)), before, ANN)
    assert not states(room)[state.student].waits
    assert not states(room)[state.student].is_ours


def test_a_changed_answer_waits_with_its_earlier_marking(room: MarkingRoom) -> None:
    mark(room, "ada", Draft((1, 2), comment="Good."))
    marking_class.hand_in(room.folder, "ada", WRITTEN["ada"])
    assert not states(room)["ada"].waits
    marking_class.hand_in(room.folder, "ada", {VARIANCE: "Another answer."})
    now = states(room)["ada"]
    assert now.waits
    assert not now.is_current
    assert (now.mark.rows, now.mark.comment) == ((1, 2), "Good.")
    before = Seen("0" * 32, 1, seen(room, now).rubric, None, "", "")
    with pytest.raises(ConflictError, match="graded again"), room.database.transaction() as connection:
        room.save(connection, room.item(NOTEBOOK, VARIANCE), "ada", Draft((1,)), before, ANN)
    marking_class.hand_in(room.folder, "ada", WRITTEN["ada"])
    assert not states(room)["ada"].waits
    assert in_gradebook(room.folder, "ada") == (0.5, "Good.")


def test_undo_takes_back_the_last_mark_and_then_the_one_before(room: MarkingRoom) -> None:
    item = room.item(NOTEBOOK, VARIANCE)
    mark(room, "ada", Draft((1,), comment="one"))
    mark(room, "bob", Draft((2,)), BO)
    mark(room, "ada", Draft((1, 2), comment="two"))
    for expected in ((0.2, "one"), (None, None)):
        with room.database.transaction() as connection:
            assert room.undo(connection, item, ANN) == ["ada"]
        assert in_gradebook(room.folder, "ada") == expected
    assert states(room)["ada"].waits
    with pytest.raises(MarkingError, match="no mark of yours"), room.database.transaction() as connection:
        room.undo(connection, item, ANN)
    assert in_gradebook(room.folder, "bob")[0] == 0.3


def test_equal_answers_get_the_same_mark_each_recorded(room: MarkingRoom) -> None:
    item = room.item(NOTEBOOK, VARIANCE)
    mark(room, "bob", Draft((1,), comment="Say more."))
    with room.database.transaction() as connection:
        assert room.save_equal(connection, item, "bob", ANN) == ["cyd"]  # "0." and "$0$" are not the same
    assert in_gradebook(room.folder, "cyd") == (0.2, "Say more.")
    assert in_gradebook(room.folder, "ada") == (None, None)
    with room.database.transaction() as connection:
        assert [entry["action"] for entry in room.history(connection, item, "cyd")] == ["equal"]


def test_undo_takes_back_what_one_key_did(room: MarkingRoom) -> None:
    item = room.item(NOTEBOOK, VARIANCE)
    mark(room, "dee", Draft((3,)))
    for _ in range(2):
        mark(room, "bob", Draft((1,)))
        with room.database.transaction() as connection:
            assert room.save_equal(connection, item, "bob", ANN) == ["cyd"]
        with room.database.transaction() as connection:
            assert room.undo(connection, item, ANN) == ["cyd", "bob"]
        assert [in_gradebook(room.folder, student)[0] for student in ("bob", "cyd")] == [None, None]
    mark(room, "bob", Draft((1,)))
    with room.database.transaction() as connection:
        room.save_equal(connection, item, "bob", ANN)
    in_formgrader(room.folder, "cyd", 0.1)
    with room.database.transaction() as connection:
        assert room.undo(connection, item, ANN) == ["bob"]
    assert in_gradebook(room.folder, "cyd")[0] == 0.1


def mark_and_fail(room: MarkingRoom, student: str) -> None:
    """Record a mark in a transaction that is rolled back."""
    item = room.item(NOTEBOOK, VARIANCE)
    with room.database.transaction() as connection:
        state = room.open(connection, item, ANN, student)
        room.record(connection, item, state, Draft((1,)), 0.2, ANN, "")
        assert room.states(connection, item)[student].mark.points == 0.2
        raise ZeroDivisionError


def test_what_others_do_meanwhile_is_seen(room: MarkingRoom) -> None:
    other = MarkingRoom(room.folder, ESSAYS, clock=room.clock)
    assert set(states(room)) == {"ada", "bob", "cyd", "dee"}
    mark(other, "ada", Draft((1,)), BO)
    assert states(room)["ada"].mark.points == 0.2
    mark(room, "ada", Draft((1, 2)))
    assert states(other)["ada"].mark.points == 0.5
    in_formgrader(room.folder, "bob", 0.1)
    assert states(room)["bob"].recorded.score == 0.1
    hand_in(room.folder, "cyd", {VARIANCE: "Another answer."})
    assert states(room)["cyd"].answer.text == "Another answer."
    hand_in(room.folder, "eve", {VARIANCE: "Late."})
    assert states(room)["eve"].waits
    with pytest.raises(ZeroDivisionError):
        mark_and_fail(room, "dee")
    assert states(room)["dee"].mark == Mark()
    other.database.close()


def test_files_that_change_without_the_gradebook_are_seen(room: MarkingRoom) -> None:
    """Grading writes the file after the gradebook; a student may be dropped by deleting the folder."""
    late, dropped = (room.work.graded_path(student, NOTEBOOK) for student in ("cyd", "dee"))
    before = late.read_bytes()
    hand_in(room.folder, "cyd", {VARIANCE: "Another answer."})
    after = late.read_bytes()
    late.write_bytes(before)
    assert states(room)["cyd"].answer.text != "Another answer."
    late.write_bytes(after)
    assert states(room)["cyd"].answer.text == "Another answer."
    late.unlink()
    with pytest.raises(MarkingError, match="wrote nothing"):
        mark(room, "cyd", Draft((1,)))
    late.write_bytes(after)
    assert "cyd" in states(room)
    dropped.unlink()
    for _ in range(3):
        state = take(room, ANN)
        assert state
        assert state.student != "dee"
        mark(room, state.student, Draft((1,)))
    assert take(room, ANN) is None


def test_a_save_reads_the_class_only_if_somebody_else_has_written(
    room: MarkingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: list[str] = []

    def count(*names: Any, student: str = "", grade: str = "") -> dict[str, Recorded]:
        whole.extend([] if student or grade else ["class"])
        return recorded(*names, student=student, grade=grade)

    monkeypatch.setattr("chainrule.marking.room.recorded", count)
    for number in range(20):  # PostgreSQL may tidy up at any time, which looks like another writer
        whole.clear()
        mark(room, "ada", Draft((1 + number % 3,)))
        take(room, ANN)
        if not whole:
            return
    pytest.fail("each of 20 saves has read the whole class again")


def test_an_answer_that_is_only_flagged_waits_and_comes_last(room: MarkingRoom) -> None:
    first = take(room, ANN)
    assert first
    assert mark(room, first.student, Draft(flagged=True)).points is None
    order = []
    while state := take(room, ANN):
        order.append(state.student)
        if state.student == first.student:
            break
        mark(room, state.student, Draft((1,)))
    assert order[-1] == first.student
    assert len(order) == 4


def test_a_marker_gets_only_the_students_given_to_them(room: MarkingRoom) -> None:
    with room.database.transaction() as connection:
        connection.execute(
            SHARES.insert().values(assignment=ESSAYS, marker="ann", kind="student", name="dee")
        )
    state = take(room, ANN)
    assert state
    assert state.student == "dee"
    mark(room, "dee", Draft((1,)))
    assert take(room, ANN) is None
    assert take(room, BO)


# ---- the rubric --------------------------------------------------------------------------------------------------


def test_re_pointing_a_row_changes_exactly_those_who_have_it(room: MarkingRoom) -> None:
    item = room.item(NOTEBOOK, VARIANCE)
    mark(room, "ada", Draft((1, 2), comment="A"))
    mark(room, "bob", Draft((2,), own_points=0.7))
    mark(room, "cyd", Draft((3,)))
    mark(room, "dee", Draft((2, 3)))
    in_formgrader(room.folder, "dee", 0.1)
    change = RowChange(2, 0.2, "the variance of a product")
    with room.database.transaction() as connection:
        shown = preview(connection, room, item, change)
    sentence = "1 answer, −0.1, 1 with a number of their own stay, 1 changed in formgrader stay"
    assert shown.sentence() == sentence
    with room.database.transaction() as connection:
        change_row(connection, room, item, change, BO, sentence)
    scores = {student: in_gradebook(room.folder, student) for student in ("ada", "bob", "cyd", "dee")}
    assert scores == {"ada": (0.4, "A"), "bob": (0.7, None), "cyd": (0.25, None), "dee": (0.1, None)}
    with room.database.transaction() as connection:
        assert [entry["action"] for entry in room.history(connection, item, "ada")] == ["mark", "rubric"]
    with pytest.raises(MarkingError, match="changed since"), room.database.transaction() as connection:
        room.undo(connection, item, ANN)


def test_a_change_of_a_row_is_refused_if_it_would_do_something_else_by_now(room: MarkingRoom) -> None:
    item = room.item(NOTEBOOK, VARIANCE)
    mark(room, "ada", Draft((1, 2, 3)))
    with pytest.raises(MarkingError, match=r"would get 0\.85"), room.database.transaction() as connection:
        preview(connection, room, item, RowChange(1, 0.3, "the mean"))
    with pytest.raises(ConflictError, match=r"1 answer, −0\.1"), room.database.transaction() as connection:
        change_row(connection, room, item, RowChange(1, 0.1, "the mean"), ANN, "0 answers")
    assert in_gradebook(room.folder, "ada")[0] == 0.75


def test_rows_are_added_removed_and_written_back(room: MarkingRoom) -> None:
    item = room.item(NOTEBOOK, VARIANCE)
    mark(room, "ada", Draft((1, 2)))
    with room.database.transaction() as connection:
        change_row(connection, room, item, RowChange(None, -0.1, "no *reason*"), ANN, "0 answers")
        change_row(connection, room, item, RowChange(2, removed=True), ANN, "1 answer, −0.3")
        rubric = read_rubric(connection, room, item)
    assert [(row.points, row.text) for row in rubric.rows.values()] == [
        (0.2, "the mean of a product is 0, by independence"),
        (0.25, "variances of *independent* terms add up"),
        (-0.1, "no *reason*"),
    ]
    assert rubric.differs
    assert in_gradebook(room.folder, "ada")[0] == 0.2
    assert write_back(room, item, rubric) == f"{NOTEBOOK}.ipynb"
    nb = nbformat.read(room.work.source_path(item), as_version=4)
    source = nb.cells[4].source
    assert "| −0.1 | no *reason* |" in source
    assert "0.3 |" not in source
    assert "THE-MODEL-ANSWER" in source
    assert source.count("| Points | For |") == 1
    with room.database.transaction() as connection:
        assert not read_rubric(connection, room, item).differs


def test_an_unused_rubric_follows_the_source(room: MarkingRoom) -> None:
    item = room.item(NOTEBOOK, VARIANCE)
    states(room)
    path = room.work.source_path(item)
    path.write_text(path.read_text().replace("| 0.2 | the mean", "| 0.3 | THE mean"))
    with room.database.transaction() as connection:
        rows = read_rubric(connection, room, item).rows
    assert rows[1].points == 0.3
    assert rows[1].text.startswith("THE mean")


# ---- the database ------------------------------------------------------------------------------------------------


def test_a_locked_gradebook_says_so_soon_and_saves_nothing(small_class: Path, tmp_path: Path) -> None:
    folder = copied(small_class, tmp_path / "course")
    room = MarkingRoom(folder, ESSAYS)
    with closing(sqlite3.connect(folder.root / "gradebook.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BusyError, match="another program"):
            mark(room, "ada", Draft((1,)))
        other.execute("ROLLBACK")
    assert mark(room, "ada", Draft((1,))).points == 0.2


def test_a_reader_that_holds_up_a_save_holds_up_no_later_one(small_class: Path, tmp_path: Path) -> None:
    folder = copied(small_class, tmp_path / "course")
    room = MarkingRoom(folder, ESSAYS)
    with closing(sqlite3.connect(folder.root / "gradebook.db", isolation_level=None)) as other:
        reading = other.execute("SELECT * FROM grade")
        reading.fetchone()
        for _ in range(2):
            with pytest.raises(BusyError, match="another program"):
                mark(room, "ada", Draft((1,)))
        reading.close()
    assert mark(room, "ada", Draft((1,))).points == 0.2


@pytest.mark.parametrize("place", ["write_score", "MarkingRoom.note"])
def test_killed_between_two_writes_leaves_nothing(room: MarkingRoom, place: str) -> None:
    """A child process is killed by `kill -9` after our row, or after the score, was written."""
    room.database.close()
    child = os.fork()
    if not child:
        own = MarkingRoom(room.folder, ESSAYS, Database(room.folder.directory.db_url), clock=Clock())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"chainrule.marking.room.{place}", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            mark(own, "ada", Draft((1, 2), comment="half"))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert in_gradebook(room.folder, "ada") == (None, None)
    assert states(room)["ada"].mark == Mark()
    assert mark(room, "ada", Draft((1, 2))).points == 0.5


def test_tables_of_a_later_version_are_refused(room: MarkingRoom) -> None:
    with room.database.transaction() as connection:
        connection.execute(update(SETTINGS).where(SETTINGS.c.name == "version").values(value="99"))
    with pytest.raises(MarkingError, match="update Chainrule"):
        Database(room.folder.directory.db_url)
    with room.database.transaction() as connection:
        assert connection.scalar(select(SETTINGS.c.value).where(SETTINGS.c.name == "secret")) == room.secret
