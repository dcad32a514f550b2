"""What the marking room tells others: feedback, totals, CSV files; second looks and shares of several markers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from marking_class import ESSAYS, NOTEBOOK, SOFTMAX, VARIANCE, copied, hand_in, in_formgrader, in_gradebook
from nbgrader.api import Gradebook
from sqlalchemy import inspect

from chainrule.course import CourseFolder
from chainrule.marking import second_look
from chainrule.marking.errors import ConflictError, MarkingError
from chainrule.marking.exchange import export_csv, import_csv
from chainrule.marking.room import MarkingRoom
from chainrule.marking.rows import RowChange, change_row, read_rubric
from chainrule.marking.shares import give, shares_of
from chainrule.marking.states import Draft, Marker, Seen
from chainrule.marking.views import offer, overview, where_to_go_on
from chainrule.marks import MarksCsv

ANN, BO = Marker("ann", "tab-a"), Marker("bo", "tab-b")
EVERYBODY = ("ada", "bob", "cyd", "dee")


@pytest.fixture
def room(small_class: Path, tmp_path: Path) -> Iterator[MarkingRoom]:
    room = MarkingRoom(copied(small_class, tmp_path / "course"), ESSAYS)
    yield room
    room.database.close()


def mark(room: MarkingRoom, student: str, draft: Draft, marker: Marker = ANN, item: str = VARIANCE) -> None:
    where = room.item(NOTEBOOK, item)
    with room.database.transaction() as connection:
        state = room.open(connection, where, marker, student)
        given = state.recorded
        version = read_rubric(connection, room, where).version
        seen = Seen(state.fingerprint, state.mark.revision, version, given.score, given.comment or "", "")
        room.save(connection, where, student, draft, seen, marker)


def feedback(folder: CourseFolder, student: str) -> str:
    folder.succeed(folder.api.generate_feedback(ESSAYS, student, force=True), "feedback")
    page = folder.folder("feedback", student, ESSAYS) / f"{NOTEBOOK}.html"
    return re.sub(r"<svg.*?</svg>", "FORMULA", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def marking_in(page: str) -> list[list[str]]:
    """The tables of markings on a feedback page, as rows of texts."""
    tables = re.findall(r'<div class="rows">.*?</table>', page, re.DOTALL)
    return [
        [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td>(.*?)</td>", table, re.DOTALL)]
        for table in tables
    ]


def test_feedback_shows_what_earned_and_what_is_missing(room: MarkingRoom) -> None:
    item = room.item(NOTEBOOK, VARIANCE)
    with room.database.transaction() as connection:
        change_row(connection, room, item, RowChange(None, -0.1, "no reason"), ANN, "0 answers")
    mark(room, "ada", Draft((1, 4), comment="Say **why**."))
    mark(room, "bob", Draft(own_points=0.4, comment="BOBS COMMENT"))
    mark(room, "cyd", Draft((1, 2, 3)))
    page = feedback(room.folder, "ada")
    assert marking_in(page) == [
        [
            *("✓ 0.2 of 0.2", "the mean of a product is 0, by independence"),
            *("– 0 of 0.3", "the variance of a product is FORMULA"),
            *("– 0 of 0.25", "variances of independent terms add up"),
            *("−0.1", "no reason"),
        ]
    ]
    assert "Say <strong>why</strong>." in page
    assert "BOBS COMMENT" not in page
    assert "THE-MODEL-ANSWER" not in page
    assert marking_in(feedback(room.folder, "bob")) == []
    in_formgrader(room.folder, "cyd", 0.3)
    assert marking_in(feedback(room.folder, "cyd")) == []
    hand_in(room.folder, "ada", {VARIANCE: "Another answer."})
    assert marking_in(feedback(room.folder, "ada")) == []


def test_totals_are_nbgraders_and_those_of_the_csv(room: MarkingRoom, tmp_path: Path) -> None:
    for student in EVERYBODY:
        mark(room, student, Draft((1, 3)))
    mark(room, "ada", Draft((2,)), item=SOFTMAX)
    with Gradebook(room.folder.directory.db_url) as gradebook:
        MarksCsv(to=str(tmp_path / "marks.csv"), assignment=[ESSAYS], config=room.folder.config).export(
            gradebook
        )
        scores = {name: gradebook.find_submission(ESSAYS, name).score for name in EVERYBODY}
    with (tmp_path / "marks.csv").open() as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {name: float(rows[name]["score"]) for name in EVERYBODY} == scores
    assert scores == {"ada": 1.5 + 0.45 + 0.5} | dict.fromkeys(("bob", "cyd", "dee"), 1.5 + 0.45)
    assert rows["ada"]["waiting"] == "0"
    assert rows["bob"]["waiting"] == "1"


# ---- CSV ---------------------------------------------------------------------------------------------------------


def exported(room: MarkingRoom) -> list[dict[str, str]]:
    with room.database.transaction() as connection:
        data = export_csv(connection, room, room.item(NOTEBOOK, VARIANCE))
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def taken(
    room: MarkingRoom, rows: list[dict[str, str]], *, overwrite: bool = False, delimiter: str = ","
) -> list[str]:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    with room.database.transaction() as connection:
        item = room.item(NOTEBOOK, VARIANCE)
        return import_csv(connection, room, item, text.getvalue(), BO, overwrite=overwrite).lines()


def test_a_marking_goes_out_and_comes_back(room: MarkingRoom) -> None:
    mark(room, "ada", Draft((1,), comment="=1+1"))
    rows = exported(room)
    assert [row["id"] for row in rows[:4]] == ["#", "#1", "#2", "#3"]
    assert not any(student in str(rows) for student in EVERYBODY)
    lines = {row["id"]: row for row in rows}
    ada, bob, cyd, dee = (lines[room.alias(student)] for student in EVERYBODY)
    assert (ada["rows"], ada["comment"], ada["marker"]) == ("1", "'=1+1", "ann")
    bob |= {"rows": "1, 3", "comment": "Good."}
    cyd |= {"points": "0,7"}
    dee |= {"rows": "9"}
    said = taken(room, rows, delimiter=";")
    assert said[0] == "2 taken, 1 as before, 1 not taken"
    assert "not numbers of this rubric" in said[1]
    assert in_gradebook(room.folder, "bob") == (0.45, "Good.")
    assert in_gradebook(room.folder, "cyd") == (0.7, None)
    assert in_gradebook(room.folder, "ada") == (0.2, "=1+1")


def test_an_import_overwrites_nothing_without_saying_so(room: MarkingRoom) -> None:
    rows = exported(room)
    lines = {row["id"]: row for row in rows}
    for student in EVERYBODY:
        lines[room.alias(student)]["rows"] = "1 2 3"
    mark(room, "ada", Draft((1,)))
    in_formgrader(room.folder, "bob", 0.1)
    hand_in(room.folder, "cyd", {VARIANCE: "Another answer."})
    said = taken(room, rows)
    assert said[0] == "1 taken, 0 as before, 3 not taken"
    assert sorted(re.sub(r"^\w+: ", "", line) for line in said[1:]) == [
        "has 0.1 from formgrader: kept",
        "the student's work was graded again, and this answer is another one now",
        "was marked since the export and has 0.2: kept",
    ]
    assert [in_gradebook(room.folder, student)[0] for student in EVERYBODY] == [0.2, 0.1, None, 0.75]
    said = taken(room, rows, overwrite=True)
    assert said[0] == "2 taken, 1 as before, 1 not taken"
    assert said[1].startswith("overwritten: ")
    assert [in_gradebook(room.folder, student)[0] for student in EVERYBODY] == [0.75, 0.75, None, 0.75]


def test_another_items_file_is_refused(room: MarkingRoom) -> None:
    rows = exported(room)
    for row in rows:
        row["item"] = SOFTMAX
    with pytest.raises(MarkingError, match=f"the file is of {SOFTMAX}"):
        taken(room, rows)
    with pytest.raises(MarkingError, match="export it here first"):
        taken(room, [{"a": "1"}])


def test_the_command_line_exports_and_imports(
    room: MarkingRoom, chainrule: Callable[..., tuple[int, str, str]]
) -> None:
    root = room.folder.root
    target = root / "out"
    code, out, _ = chainrule("mark", ESSAYS, "--course", root, "--export", target)
    assert code == 0
    assert len(out.splitlines()) == 2
    path = target / f"{NOTEBOOK}-{VARIANCE}.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    next(row for row in rows if row["id"] == room.alias("dee"))["points"] = "0.5"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert chainrule("mark", ESSAYS, "--course", root, "--import", path)[0] == 2  # who has marked?
    code, out, _ = chainrule("mark", ESSAYS, "--course", root, "--import", path, "--as", "bo")
    assert (code, out) == (0, f"{VARIANCE}: 1 taken, 0 as before, 0 not taken\n")
    assert in_gradebook(room.folder, "dee")[0] == 0.5
    other = root / "other.csv"
    other.write_text("a,b\n1,2\n")
    code, _, err = chainrule("mark", ESSAYS, "--course", root, "--import", other, "--as", "bo")
    assert code == 2
    assert "is no export of an item" in err


# ---- second looks, several markers -------------------------------------------------------------------------------


def test_a_second_look_is_blind_and_the_difference_is_shown(
    room: MarkingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = room.item(NOTEBOOK, VARIANCE)
    monkeypatch.setattr(second_look, "SHARE", 0.0)
    for student in EVERYBODY:
        mark(room, student, Draft((1, 2), comment="first", flagged=student == "dee"))
    with room.database.transaction() as connection:
        state = second_look.next_look(connection, room, item, BO)
        assert state
        assert state.student == "dee"
        shown = offer(connection, room, item, state, room.states(connection, item), blind=True)
        assert (shown["ticked"], shown["own"], shown["comment"], shown["flagged"]) == ([], None, "", False)
        found = second_look.save_look(connection, room, item, "dee", Draft((1,)), BO)
    assert found.difference == pytest.approx(-0.3)
    assert in_gradebook(room.folder, "dee") == (0.5, "first")
    with room.database.transaction() as connection:
        assert second_look.next_look(connection, room, item, BO) is None
        second_look.settle(connection, room, item, "dee", True, BO)
        (pair,) = second_look.comparisons(connection, room, item)
    assert in_gradebook(room.folder, "dee") == (0.2, None)
    assert (pair.first.points, pair.second.points, pair.second.marker) == (0.5, 0.2, "bo")


def test_a_tenth_is_drawn_for_a_second_look_always_the_same(room: MarkingRoom) -> None:
    item = room.item(NOTEBOOK, VARIANCE)
    drawn = [name for name in map(str, range(2000)) if second_look.is_drawn(room, item, name)]
    assert drawn == [name for name in map(str, range(2000)) if second_look.is_drawn(room, item, name)]
    assert 140 < len(drawn) < 260


def test_a_settled_look_is_not_for_another_answer(room: MarkingRoom) -> None:
    item = room.item(NOTEBOOK, VARIANCE)
    mark(room, "dee", Draft((1,), flagged=True))
    with room.database.transaction() as connection:
        second_look.save_look(connection, room, item, "dee", Draft((2,)), BO)
    hand_in(room.folder, "dee", {VARIANCE: "Another answer."})
    with pytest.raises(MarkingError, match="no second mark"), room.database.transaction() as connection:
        second_look.settle(connection, room, item, "dee", True, BO)
    with pytest.raises(ConflictError, match="first mark is gone"), room.database.transaction() as connection:
        second_look.save_look(connection, room, item, "dee", Draft((2,)), BO)


def test_the_start_page_compares_markers_and_goes_on_where_one_was(room: MarkingRoom) -> None:
    mark(room, "ada", Draft((1, 2, 3), seconds=30))
    mark(room, "bob", Draft(own_points=0.0, seconds=10), BO)
    in_formgrader(room.folder, "cyd", 0.5)
    mark(room, "ada", Draft((1,)), BO, SOFTMAX)
    with room.database.transaction() as connection:
        first, second = overview(connection, room)
        assert (first.total, first.marked, first.waiting, first.seconds) == (4, 3, 1, 40.0)
        assert [(one.marker, one.count, one.mean) for one in first.markers] == [
            *(("ann", 1, 0.75), ("bo", 1, 0.0), ("in formgrader", 1, 0.5)),
        ]
        assert second.waiting == 2
        assert where_to_go_on(connection, room, "bo") == room.item(NOTEBOOK, SOFTMAX)
        assert where_to_go_on(connection, room, "new") == room.item(NOTEBOOK, VARIANCE)
        give(connection, room, "new", [f"{NOTEBOOK}/{SOFTMAX}"], ["ada"])
        assert where_to_go_on(connection, room, "new") == room.item(NOTEBOOK, SOFTMAX)
        assert shares_of(connection, ESSAYS)["new"].students == ("ada",)
        with pytest.raises(MarkingError, match="no student nobody"):
            give(connection, room, "new", [], ["nobody"])


# ---- formgrader, ungraded courses --------------------------------------------------------------------------------


def test_a_comment_changed_in_formgrader_is_shown_and_not_overwritten(room: MarkingRoom) -> None:
    mark(room, "ada", Draft((1,), comment="first"))
    with Gradebook(room.folder.directory.db_url) as gradebook:
        gradebook.find_comment(VARIANCE, NOTEBOOK, ESSAYS, "ada").manual_comment = "of the professor"
        gradebook.db.commit()
    item = room.item(NOTEBOOK, VARIANCE)
    with room.database.transaction() as connection:
        states = room.states(connection, item)
        shown = offer(connection, room, item, states["ada"], states)
    assert (shown["ticked"], shown["comment"]) == ([1], "of the professor")
    assert "changed in formgrader" in shown["note"]
    (line,) = (row for row in exported(room) if row["id"] == room.alias("ada"))
    assert line["comment"] == "of the professor"


def test_a_course_without_a_graded_hand_in_says_so_and_leaves_the_gradebook_to_nbgrader(
    small_class: Path, tmp_path: Path
) -> None:
    folder = copied(small_class, tmp_path / "course")
    (folder.root / "gradebook.db").unlink()
    with pytest.raises(MarkingError, match="nothing was graded yet"):
        MarkingRoom(folder, ESSAYS)
    with Gradebook(folder.directory.db_url) as gradebook:
        assert inspect(gradebook.engine).has_table("alembic_version")
