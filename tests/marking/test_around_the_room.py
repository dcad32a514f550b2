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
from sqlalchemy import Connection, inspect
from tiny_course import TINY

from chainrule.course import CourseFolder
from chainrule.marking import exchange, second_look
from chainrule.marking.errors import ConflictError, MarkingError
from chainrule.marking.exchange import export_csv, import_csv
from chainrule.marking.files import import_files
from chainrule.marking.room import MarkingRoom
from chainrule.marking.rows import RowChange, change_row, preview, read_rubric
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


def look(
    connection: Connection, room: MarkingRoom, student: str, draft: Draft, answer: str = ""
) -> second_look.Comparison:
    """A second look, of the answer and the rubric as they are unless another answer was seen."""
    item = room.item(NOTEBOOK, VARIANCE)
    answer = answer or room.states(connection, item)[student].fingerprint
    version = read_rubric(connection, room, item).version
    return second_look.save_look(connection, room, item, student, draft, BO, answer, version)


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
    mark(room, "bob", Draft((1, 2), own_points=0.4, comment="BOBS COMMENT"))
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
    assert not any(
        re.search(rf"\b{student}\b", str(rows)) for student in EVERYBODY
    )  # aliases may have their letters
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
    for row in rows:
        row |= {"item": VARIANCE, "notebook": "part2"}
    with pytest.raises(MarkingError, match=f"{VARIANCE} in part2, not in {NOTEBOOK}"):
        taken(room, rows)
    with pytest.raises(MarkingError, match="export it here first"):
        taken(room, [{"a": "1"}])


def test_an_answer_that_has_no_mark_and_does_not_wait_is_exported(
    graded_course: Path, chainrule: Callable[..., tuple[int, str, str]]
) -> None:
    """Such as fay's in an older gradebook: she left the answer's own cell as it was, and added one below it."""
    with Gradebook(CourseFolder(graded_course).directory.db_url) as gradebook:
        grade = gradebook.find_grade("why", TINY, TINY, "fay")
        grade.auto_score, grade.needs_manual_grade = 0.0, False
        gradebook.db.commit()
    assert chainrule("mark", TINY, "--course", graded_course, "--export", graded_course / "out")[0] == 0
    text = (graded_course / "out" / f"{TINY}-why.csv").read_text(encoding="utf-8-sig")
    (row,) = (row for row in csv.DictReader(io.StringIO(text, newline="")) if row["text"].endswith("\n0"))
    assert (row["points"], row["marker"]) == ("", "")


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
        found = look(connection, room, "dee", Draft((1,)))
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
        look(connection, room, "dee", Draft((2,)))
    hand_in(room.folder, "dee", {VARIANCE: "Another answer."})
    with pytest.raises(MarkingError, match="no second mark"), room.database.transaction() as connection:
        second_look.settle(connection, room, item, "dee", True, BO)
    with pytest.raises(ConflictError, match="first mark is gone"), room.database.transaction() as connection:
        look(connection, room, "dee", Draft((2,)))


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
        give(connection, room, "new", [f"{NOTEBOOK}/{SOFTMAX}"], ["bob"])
        assert where_to_go_on(connection, room, "new") == room.item(NOTEBOOK, SOFTMAX)
        assert shares_of(connection, ESSAYS)["new"].students == ("bob",)
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


def test_taking_back_gives_the_mark_before_as_the_rubric_is_now(room: MarkingRoom) -> None:
    item = room.item(NOTEBOOK, VARIANCE)
    mark(room, "ada", Draft((1,)))
    mark(room, "ada", Draft((1, 2)))
    with room.database.transaction() as connection:
        change_row(connection, room, item, RowChange(1, 0.1, "the mean"), ANN, "1 answer, −0.1")
        room.undo(connection, item, ANN)
        assert room.states(connection, item)["ada"].mark.points == 0.1
    assert in_gradebook(room.folder, "ada")[0] == 0.1


def test_a_comment_is_never_cut(room: MarkingRoom) -> None:
    with pytest.raises(MarkingError, match="10001 characters: write at most 10000"):
        mark(room, "ada", Draft((1,), comment="x" * 10_001))
    mark(room, "ada", Draft((1,), comment="<b>\"'" + "x" * 9_995))
    assert in_gradebook(room.folder, "ada") == (0.2, "<b>\"'" + "x" * 9_995)


def test_a_flag_leaves_the_mark_to_its_marker(room: MarkingRoom) -> None:
    mark(room, "ada", Draft((1,), comment="c"))
    for flagged in (True, False):
        mark(room, "ada", Draft((1,), comment="c", flagged=flagged), BO)
        with room.database.transaction() as connection:
            state = room.states(connection, room.item(NOTEBOOK, VARIANCE))["ada"]
        assert (state.mark.marker, state.mark.points, state.mark.flagged) == ("ann", 0.2, flagged)


def test_a_second_look_is_of_the_answer_that_was_seen(room: MarkingRoom) -> None:
    mark(room, "dee", Draft((1,), flagged=True))
    hand_in(room.folder, "dee", {VARIANCE: "Another answer."})
    mark(room, "dee", Draft((1,), flagged=True))
    with pytest.raises(ConflictError, match="another one now"), room.database.transaction() as connection:
        look(connection, room, "dee", Draft((2,)), answer="of before")


def test_a_row_that_is_new_or_would_end_the_mark_scheme_is_refused(room: MarkingRoom) -> None:
    item = room.item(NOTEBOOK, VARIANCE)
    for change, says in (
        (RowChange(None, removed=True), "choose the row"),
        (RowChange(None, 0.1, "### END MARK SCHEME"), "begin or end a mark scheme"),
    ):
        with pytest.raises(MarkingError, match=says), room.database.transaction() as connection:
            preview(connection, room, item, change)


def test_a_marker_of_some_students_marks_and_goes_on_with_these_only(room: MarkingRoom) -> None:
    item = room.item(NOTEBOOK, VARIANCE)
    with room.database.transaction() as connection:
        give(connection, room, "ann", [], ["ada", "bob"])
    mark(room, "ada", Draft((1,)))  # bob's and cyd's are equal
    mark(room, "bob", Draft((1,)))
    with room.database.transaction() as connection:
        states = room.states(connection, item)
        state = room.open(connection, item, ANN, "bob")
        assert offer(connection, room, item, state, states)["equal"] == 0
        assert room.save_equal(connection, item, "bob", ANN) == []
        assert where_to_go_on(connection, room, "ann") == room.item(NOTEBOOK, SOFTMAX)
        assert where_to_go_on(connection, room, "new") == item


def test_ids_are_no_numbers_to_a_spreadsheet(room: MarkingRoom) -> None:
    assert not any(re.fullmatch(r"[\d.]+(e\d+)?", room.alias(str(number))) for number in range(2000))


def test_a_file_with_a_long_answer_is_taken_and_a_damaged_one_is_told(
    room: MarkingRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = exported(room)
    (line,) = (row for row in rows if row["id"] == room.alias("ada"))
    line |= {"rows": "1", "text": "x" * 200_000}
    assert taken(room, rows)[0] == "1 taken, 0 as before, 0 not taken"
    monkeypatch.setattr(exchange, "MAX_FIELD", 1000)
    with pytest.raises(MarkingError, match="is no CSV: field larger"):
        taken(room, rows)
    path = room.folder.root / f"{NOTEBOOK}-{VARIANCE}.csv"
    line |= {"text": "x" * 9000, "comment": "für"}
    plain = line | {"comment": ""}
    text = "\n".join(",".join(row) for row in (rows[0], plain.values(), plain.values(), line.values()))
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(MarkingError, match="not in UTF-8"):
        list(import_files(room.folder, ESSAYS, [path], "bo"))
