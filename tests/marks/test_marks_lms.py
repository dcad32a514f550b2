"""Marks as an LMS takes them: read again by strict parsers, equal to the gradebook, nobody lost, nothing executed."""

import codecs
import csv
import io
import random
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from command_line import Typed, is_one_line
from conftest import once
from nbgrader.api import Gradebook
from tiny_course import TINY

from chainrule.course import CourseFolder
from chainrule.intake.roster import Person
from chainrule.marks.sheet import read_sheet
from chainrule.marks.totals import rounded

Run = Callable[..., Typed]

NAMES = [
    *[
        ("Müller", "Jörg"),
        ("Ångström", "Åsa"),
        ("Łukasiewicz", "Żaneta"),
        ("O'Neill", "Siân"),
        ("Ünal", "Gül"),
    ],
    *[("王", "小明"), ("李", "娜"), ("欧阳", "修"), ("Nguyễn", "Thị Ánh"), ("Παπαδόπουλος", "Νίκος")],
    *[("Smith, Jr.", "John"), ('O"Brien', 'Pat "PJ"'), ("de la Cruz", "José; María"), ("A,B", "C,D")],
    *[("=1+1", "Sum"), ('=HYPERLINK("http://x","y")', "Link"), ("+SUM(A1)", "Plus"), ("-2+3", "Minus")],
    *[("@SUM(A1)", "At"), ("\tTab", "Tab"), ("\r=Return", "Return"), ("＝1+1", "Wide"), ("'quoted'", "'q'")],
    *[("line\nbreak", "Two"), ("Twin", "Alex"), ("Twin", "Alex"), ("", "Mononym"), ("Null", "None")],
    *[("Absent", "Abby"), ("عمر", "سارة")],
]
ABSENT = 28  # hands in nothing
PEOPLE = [
    Person(f"{246 + 1001 * i:08}", f"user{i}.x", last, first, f"user{i}@example.org")
    for i, (last, first) in enumerate(NAMES)
]


def fill_gradebook(root: Path) -> None:
    """Thirty students; points with many digits, penalties, extra credit, full marks; nothing waits."""
    random.seed(7)
    with (root / "roster.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "username", "last", "first", "email"])
        writer.writerows([p.id, p.username, p.last, p.first, p.email] for p in PEOPLE)
    with opened(root) as gradebook:
        for i, person in enumerate(PEOPLE):
            gradebook.add_student(
                person.id, last_name=person.last, first_name=person.first, email=person.email
            )
            if i == ABSENT:
                continue
            submission = gradebook.add_submission(TINY, person.id)
            for grade in submission.notebooks[0].grades:
                full = i in (0, 1)
                grade.auto_score = float(grade.max_score) if full else random.uniform(0, grade.max_score)
                grade.needs_manual_grade = False
            if i in (1, 2, 3):
                submission.notebooks[0].late_submission_penalty = [0.5, 9.0, 0.125][i - 1]
            if i == 4:
                submission.notebooks[0].grades[0].extra_credit = 6.0
        gradebook.db.commit()


def opened(root: Path) -> Gradebook:
    return Gradebook(CourseFolder(root).directory.db_url)


@pytest.fixture(scope="session")
def thirty(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(root: Path) -> None:
        shutil.copytree(released, root)
        fill_gradebook(root)

    return once(tmp_path_factory, "thirty", make)


@pytest.fixture
def root(thirty: Path, tmp_path: Path) -> Path:
    """A course of the test's own with the class in its gradebook."""
    return Path(shutil.copytree(thirty, tmp_path / "course"))


@pytest.fixture
def marks(chainrule: Run, root: Path) -> Run:
    """Type `chainrule marks tiny` and these words; it must succeed."""

    def run(*words: object) -> Typed:
        said = chainrule("marks", TINY, "--course", root, *words)
        assert said[0] == 0, said
        return said

    return run


@pytest.fixture
def expected(root: Path) -> dict[str, str]:
    """Everybody's points by id, computed from nbgrader's totals."""
    points = {}
    with opened(root) as gradebook:
        for submission in gradebook.assignment_submissions(TINY):
            exact = max(0.0, submission.score - submission.late_submission_penalty)
            points[submission.student.id] = f"{exact:.2f}"
    assert len(points) == len(PEOPLE) - 1
    return points


def strict(path: Path, *, mark: bytes = b"", encoding: str = "utf-8", end: str) -> list[list[str]]:
    """The rows, if the file is just so: its mark, its line ends, as many cells in every row."""
    data = path.read_bytes()
    assert data.startswith(mark)
    text = data[len(mark) :].decode(encoding)
    assert "\ufeff" not in text
    assert text.endswith(end)
    lines = text.split(end)
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len(lines) == len(rows) + 1  # no cell has a line break, no line another end
    assert "\r" not in text.replace(end, "")
    assert {len(row) for row in rows} == {len(rows[0])}
    return rows


def no_formula(rows: list[list[str]]) -> None:
    for cell in (cell for row in rows for cell in row):
        assert cell == "" or cell[0] not in "=+-@\t\r＝" or cell.lstrip("-").replace(".", "").isdigit(), cell


def same_points(got: dict[str, str], expected: dict[str, str]) -> None:
    assert got.keys() == {person.id for person in PEOPLE}
    assert got.pop(PEOPLE[ABSENT].id) == ""
    assert {key: Decimal(value) for key, value in got.items()} == {
        key: Decimal(value) for key, value in expected.items()
    }


# ---- tables of our own -------------------------------------------------------------------------------------


def test_brightspace(marks: Run, root: Path, expected: dict[str, str]) -> None:
    _, out, _ = marks("--lms", "brightspace", "--column", "Assignment 2")
    rows = strict(root / "marks" / "tiny-brightspace.csv", end="\r\n")
    assert rows[0] == ["OrgDefinedId", "Username", "Assignment 2 Points Grade", "End-of-Line Indicator"]
    for row, person in zip(rows[1:], PEOPLE, strict=True):
        assert (row[0], row[1], row[3]) == (f"#{person.id}", f"#{person.username}", "#")
    same_points({row[0][1:]: row[2] for row in rows[1:]}, expected)
    assert f"handed in nothing: {PEOPLE[ABSENT].id}\n" in out


def test_blackboard(marks: Run, root: Path, expected: dict[str, str]) -> None:
    marks("--lms", "blackboard", "--column", "Homework 2 |123456", "-o", root / "bb.csv")
    rows = strict(root / "bb.csv", mark=codecs.BOM_UTF8, end="\r\n")
    assert rows[0] == [
        *("Last Name", "First Name", "Username", "Student ID"),
        "Homework 2 [Total Pts: 5 Score] |123456",
    ]
    assert (root / "bb.csv").read_bytes()[3:].startswith(b'"Last Name","First Name"')
    same_points({row[3]: row[4] for row in rows[1:]}, expected)
    assert [row[2] for row in rows[1:]] == [person.username for person in PEOPLE]
    no_formula(rows)
    names = [row[0] for row in rows[1:]]
    assert names[:2] == ["Müller", "Ångström"]
    assert names[10:12] == ["Smith, Jr.", 'O"Brien']
    assert "'=1+1" in names
    assert "'＝1+1" in names
    assert "line break" in names


def test_blackboard_wants_the_columns_id(chainrule: Run, root: Path) -> None:
    said = chainrule("marks", TINY, "--course", root, "--lms", "blackboard")
    assert is_one_line(said)
    assert "--column 'tiny |123456'" in said[2]


def test_canvas(marks: Run, root: Path, expected: dict[str, str]) -> None:
    marks("--lms", "canvas", "--column", "A2 (123)")
    rows = strict(root / "marks" / "tiny-canvas.csv", end="\n")
    assert rows[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "A2 (123)"]
    assert rows[1] == ["    Points Possible", "", "", "", "", "5"]
    same_points({row[2]: row[5] for row in rows[2:]}, expected)
    assert [row[3] for row in rows[2:]] == [person.username for person in PEOPLE]
    assert rows[2][0] == "Müller, Jörg"
    assert rows[28][0] == "Mononym"
    no_formula(rows)


def test_moodle(marks: Run, root: Path, expected: dict[str, str]) -> None:
    marks("--lms", "moodle", "--column", "A2")
    rows = strict(root / "marks" / "tiny-moodle.csv", end="\n")
    assert rows[0] == ["Email address", "A2"]
    ids = {person.email: person.id for person in PEOPLE}
    same_points({ids[row[0]]: row[1] for row in rows[1:]}, expected)


def test_who_has_no_submission_may_have_zero(marks: Run, root: Path) -> None:
    marks("--lms", "moodle", "--missing", "zero")
    rows = strict(root / "marks" / "tiny-moodle.csv", end="\n")
    assert dict(rows)[PEOPLE[ABSENT].email] == "0"


def test_without_a_roster_the_gradebook_is_the_class(marks: Run, root: Path) -> None:
    (root / "roster.csv").unlink()
    marks("--lms", "canvas")
    rows = strict(root / "marks" / "tiny-canvas.csv", end="\n")
    assert {row[2] for row in rows[2:]} == {row[3] for row in rows[2:]} == {person.id for person in PEOPLE}


def test_who_cannot_be_named_to_the_lms_is_told(marks: Run, root: Path) -> None:
    with opened(root) as gradebook:
        gradebook.add_student("zoe")
    _, out, _ = marks("--lms", "moodle")
    assert "not in the LMS's table: zoe\n" in out
    assert "in the gradebook, not in the roster: zoe\n" in out


ROUNDED = [
    *[(12.345, 25, "12.35"), (12.344999, 25, "12.34"), (0.1 + 0.2, 25, "0.3"), (2.675, 25, "2.68")],
    *[(24.996, 25, "25"), (25.0, 25, "25"), (8.3349, 8.335, "8.33"), (8.335, 8.335, "8.33")],
    (25.006, 25, "25.01"),  # extra credit
]


@pytest.mark.parametrize(("score", "maximum", "points"), ROUNDED)
def test_halves_go_up_but_never_past_the_maximum(score: float, maximum: float, points: str) -> None:
    assert rounded(score, Decimal(str(maximum))) == Decimal(points)


# ---- the instructor's own export ---------------------------------------------------------------------------


def brightspace_export() -> tuple[list[list[str]], int]:
    header = [
        "OrgDefinedId",
        "Username",
        "Last Name",
        "First Name",
        "Quiz Points Grade <Numeric MaxPoints:9>",
    ]
    grade = "A2 Points Grade <Numeric MaxPoints:5 Weight:10 Category:Assignments CategoryWeight:50>"
    rows = [[f"#{p.id}", f"#{p.username.upper()}", p.last, p.first, "-1.5", "", "#"] for p in PEOPLE]
    return [[*header, grade, "End-of-Line Indicator"], *rows], 5


def blackboard_export() -> tuple[list[list[str]], int]:
    header = ["Last Name", "First Name", "Username", "Student ID", "Last Access", "Availability"]
    grades = ["Weighted Total [Total Pts: up to 10 Score] |11", "A2 [Total Pts: 5 Score] |12"]
    rows = [[p.last, p.first, p.username, p.id, "2026-01-01 10:00:00", "Yes", "7.5", "2"] for p in PEOPLE]
    return [[*header, *grades], *rows], 7


def canvas_export() -> tuple[list[list[str]], int]:
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "A2 (77)", "A3 (78)", "Final Score"]
    special = [
        ["", "", "", "", "", "Manual Posting", "", ""],
        ["    Points Possible", *[""] * 4, "5", "5", "(read only)"],
    ]
    rows = [
        [f"{p.last}, {p.first}", str(i), p.id, p.email, "L01, L02", "", "N/A", "81.2"]
        for i, p in enumerate(PEOPLE)
    ]
    return [header, *special, *rows], 5


def moodle_export() -> tuple[list[list[str]], int]:
    header = ["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade"]
    rows = [
        [
            f"Participant {900 + i}",
            f"{p.first} {p.last}",
            p.email,
            "Submitted",
            "",
            "5.00",
            "Yes",
            "-",
            "<p>=a</p>",
        ]
        for i, p in enumerate(PEOPLE)
    ]
    return [[*header, "Grade can be changed", "Last modified (grade)", "Feedback comments"], *rows], 4


def saved(
    path: Path,
    rows: list[list[str]],
    mark: bytes = b"",
    encoding: str = "utf-8",
    end: str = "\r\n",
    **how: Any,
) -> Path:
    lines = []
    for row in rows:
        line = io.StringIO(newline="")
        csv.writer(line, lineterminator="\r\n", **how).writerow(row)
        lines.append(line.getvalue().removesuffix("\r\n") + end)
    path.write_bytes(mark + "".join(lines).encode(encoding))
    return path


FORMS: dict[str, dict[str, Any]] = {
    "brightspace": {"mark": codecs.BOM_UTF8},
    "blackboard": {
        "mark": codecs.BOM_UTF16_LE,
        "encoding": "utf-16-le",
        "end": "\n",
        "delimiter": "\t",
        "quoting": csv.QUOTE_ALL,
    },
    "canvas": {"delimiter": ";", "end": "\n"},
    "moodle": {},
}
EXPORTS = {
    "brightspace": brightspace_export,
    "blackboard": blackboard_export,
    "canvas": canvas_export,
    "moodle": moodle_export,
}


@pytest.fixture(params=EXPORTS)
def lms(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_round_trip_with_an_export(
    marks: Run, root: Path, tmp_path: Path, lms: str, expected: dict[str, str]
) -> None:
    rows, column = EXPORTS[lms]()
    random.Random(1).shuffle(rows[3:])
    export = saved(tmp_path / "export.xls", rows, **FORMS[lms])
    before = export.read_bytes()
    item = ["--column", "A2"] if lms != "moodle" else []
    marks("--lms", lms, "--export", export, *item, "-o", tmp_path / "filled.csv")
    assert export.read_bytes() == before
    filled = read_sheet(tmp_path / "filled.csv")
    ids = {p.id: p.id for p in PEOPLE} | {f"#{p.id}": p.id for p in PEOPLE} | {p.email: p.id for p in PEOPLE}
    got = {}
    for old, new in zip(rows, filled.rows, strict=True):
        for i, (cell, now) in enumerate(zip(old, new, strict=True)):
            if i == column and (owner := next((ids[c] for c in old if c in ids), None)):
                got[owner] = now
            else:
                assert now in (cell, f"'{cell}")
                assert (now != cell) == (cell.startswith(tuple("=+-@\t\r＝")) and cell not in ("-", "-1.5"))
    absent = got[PEOPLE[ABSENT].id]
    assert absent == ("2" if lms == "blackboard" else "")  # what the LMS had
    same_points(got | {PEOPLE[ABSENT].id: ""}, expected)
    # nothing else differs: with the old cells in, it is the old file
    for old, new in zip(rows, filled.rows, strict=True):
        new[:] = old
    assert filled.to_bytes() == before


def test_filled_once_nothing_changes_again(marks: Run, tmp_path: Path, lms: str) -> None:
    rows, _ = EXPORTS[lms]()
    export = saved(tmp_path / "export.csv", rows, **FORMS[lms])
    words = ["--lms", lms] + (["--column", "A2"] if lms != "moodle" else [])
    marks(*words, "--export", export, "-o", tmp_path / "once.csv")
    _, out, _ = marks(*words, "--export", tmp_path / "once.csv", "-o", tmp_path / "twice.csv")
    assert ": 0 marks new or changed, 30 rows as before" in out
    assert (tmp_path / "once.csv").read_bytes() == (tmp_path / "twice.csv").read_bytes()


def test_a_dry_run_shows_old_and_new_and_writes_nothing(marks: Run, root: Path, tmp_path: Path) -> None:
    rows, column = blackboard_export()
    rows[1][column], rows[2][column] = "5.00", "4"
    export = saved(tmp_path / "export.csv", rows)
    files = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    _, out, _ = marks("--lms", "blackboard", "--export", export, "--column", "A2", "--dry-run")
    assert files == {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert f"{PEOPLE[0].id} (" not in out  # 5.00 is 5
    assert f"  {PEOPLE[1].id} (Åsa Ångström): 4 → 4.5\n" in out
    assert "nothing written" in out
    assert "\r" not in out  # names don't talk to the terminal


def test_who_is_not_in_both_is_told(marks: Run, root: Path, tmp_path: Path) -> None:
    rows, _ = canvas_export()
    gone = rows.pop(5)
    rows.append(["Student, Test", "999", "", "f00baa", "L01", "", "", ""])
    with opened(root) as gradebook:
        gradebook.add_student("zoe")
    _, out, _ = marks("--lms", "canvas", "--column", "A2", "--export", saved(tmp_path / "c.csv", rows))
    assert f"not in the LMS's table: {gone[2]}, zoe\n" in out
    assert f"left as they are: row {len(rows)} (999, , f00baa)\n" in out
    assert read_sheet(root / "marks" / "tiny-canvas.csv").rows[-1] == rows[-1]


def test_rows_that_contradict_themselves_are_left(marks: Run, root: Path, tmp_path: Path) -> None:
    rows, column = brightspace_export()
    rows[1][1] = rows[2][1]  # one student's id, another's username
    rows.append([*rows[9][:5], "1", "#"])  # a student twice
    _, out, _ = marks("--lms", "brightspace", "--column", "A2", "--export", saved(tmp_path / "b.csv", rows))
    assert f"{PEOPLE[0].id} or {PEOPLE[1].id}" in out
    assert f"rows 10, {len(rows)}: all of them {PEOPLE[8].id}" in out
    after = read_sheet(root / "marks" / "tiny-brightspace.csv").rows
    assert [after[i][column] for i in (1, 9, -1)] == ["", "", "1"]
    assert after[2][column] == "4.5"


def test_a_site_may_have_ids_or_addresses_as_usernames(marks: Run, tmp_path: Path) -> None:
    rows, _ = blackboard_export()
    for i, (row, person) in enumerate(zip(rows[1:], PEOPLE, strict=True)):
        row[2], row[3] = person.email.upper() if i % 2 else person.id, ""
    _, out, _ = marks("--lms", "blackboard", "--column", "A2", "--export", saved(tmp_path / "b.csv", rows))
    assert "roster" not in out
    assert "unclear" not in out


def test_excused_students_stay_excused(marks: Run, root: Path, tmp_path: Path) -> None:
    rows, column = canvas_export()
    rows[3][column] = "EX"
    _, out, _ = marks("--lms", "canvas", "--column", "A2", "--export", saved(tmp_path / "c.csv", rows))
    assert f"excused in the LMS; left so: {PEOPLE[0].id}\n" in out
    assert read_sheet(root / "marks" / "tiny-canvas.csv").rows[3][column] == "EX"


def test_an_export_in_another_language(
    marks: Run, root: Path, tmp_path: Path, expected: dict[str, str]
) -> None:
    """Columns of ids are known by what is in them, and a comma stays a comma."""
    rows = [["Nachname", "Benutzername", "Zensur", "Bestnote"]]
    rows += [[p.last, p.username, "", "5,00"] for p in PEOPLE]
    marks("--lms", "moodle", "--column", "Zensur", "--export", saved(tmp_path / "c.csv", rows, delimiter=";"))
    after = read_sheet(root / "marks" / "tiny-moodle.csv")
    for person, row in zip(PEOPLE, after.rows[1:], strict=True):
        assert "." not in row[2]
        if person.id in expected:
            assert Decimal(row[2].replace(",", ".")) == Decimal(expected[person.id])


def test_another_maximum_is_told(marks: Run, tmp_path: Path, lms: str) -> None:
    rows, _ = EXPORTS[lms]()
    words = {"MaxPoints:5": "MaxPoints:50", "Pts: 5 ": "Pts: 50 ", "5.00": "50.00"}
    for row in rows:
        for old, new in words.items():
            row[:] = [cell.replace(old, new) for cell in row]
    if lms == "canvas":
        rows[2][5] = "50"
    item = ["--column", "A2"] if lms != "moodle" else []
    _, out, _ = marks("--lms", lms, *item, "--export", saved(tmp_path / "c.csv", rows))
    assert "the assignment's maximum is 5, that of the LMS's column: 50\n" in out


SUMS = ("+1+1", "-1+1")  # an id may look so, and calls nothing


@pytest.mark.parametrize("name", [*SUMS, "=1+1", '=cmd|"/C calc"!A0', "@SUM(1)", "\t=1", "\r=1"])
def test_no_cell_of_an_export_becomes_a_formula(marks: Run, root: Path, tmp_path: Path, name: str) -> None:
    rows, _ = blackboard_export()
    rows[1][0] = rows[2][2] = name  # a name, and a username: the row is still known by the student's id
    rows[3][4], rows[3][5] = "-12.5", "+3%"
    _, out, _ = marks("--lms", "blackboard", "--column", "A2", "--export", saved(tmp_path / "c.csv", rows))
    after = read_sheet(root / "marks" / "tiny-blackboard.csv").rows
    assert after[1][0] == f"'{name}"
    assert after[2][2] == (name if name in SUMS else f"'{name}")
    assert ("type their marks in: row 3" in out) == (name not in SUMS)
    assert after[3][4:6] == ["-12.5", "+3%"]


def test_plain_ids_stay_as_they_are(marks: Run, root: Path, tmp_path: Path) -> None:
    rows, _ = blackboard_export()
    rows[1][2], rows[2][2] = "-ann", "+bo@x.org"
    marks("--lms", "blackboard", "--column", "A2", "--export", saved(tmp_path / "c.csv", rows))
    after = read_sheet(root / "marks" / "tiny-blackboard.csv").rows
    assert [after[1][2], after[2][2]] == ["-ann", "+bo@x.org"]


# ---- what is refused ---------------------------------------------------------------------------------------


@pytest.fixture
def waits(root: Path) -> Path:
    with opened(root) as gradebook:
        grade = gradebook.find_grade("why", TINY, TINY, PEOPLE[5].id)
        grade.auto_score, grade.needs_manual_grade = None, True
        gradebook.db.commit()
    return root


def test_marks_that_wait_for_a_person_are_not_written(chainrule: Run, waits: Path, marks: Run) -> None:
    words = ["--lms", "brightspace"]
    code, out, err = chainrule("marks", TINY, "--course", waits, *words)
    assert (code, err.count("\n")) == (2, 1)
    assert "finish them by `chainrule mark` or in formgrader" in err
    assert f"waiting for a person: {PEOPLE[5].id} (why)" in out
    assert not (waits / "marks").exists()
    _, out, _ = marks(*words, "--dry-run")
    assert "would be refused" in out
    assert not (waits / "marks").exists()
    marks(*words, "--allow-waiting")
    rows = strict(waits / "marks" / "tiny-brightspace.csv", end="\r\n")
    with opened(waits) as gradebook:
        assert float(rows[6][2]) == pytest.approx(
            gradebook.find_submission(TINY, PEOPLE[5].id).score, abs=0.005
        )


def test_a_hand_in_that_is_not_graded_is_no_missing_one(chainrule: Run, root: Path, marks: Run) -> None:
    folder = root / "submitted" / PEOPLE[ABSENT].id / TINY
    folder.mkdir(parents=True)
    (folder / "tiny.ipynb").write_text("{}")
    code, out, _ = chainrule("marks", TINY, "--course", root, "--lms", "moodle")
    assert code == 2
    assert f"not graded yet; no mark written: {PEOPLE[ABSENT].id}\n" in out
    marks("--lms", "moodle", "--allow-waiting", "--missing", "zero")
    assert dict(strict(root / "marks" / "tiny-moodle.csv", end="\n"))[PEOPLE[ABSENT].email] == ""


def broken(path: Path, kind: str) -> Path:
    rows, _ = canvas_export()
    match kind:
        case "an Excel file":
            path.write_bytes(b"PK\x03\x04" + bytes(range(256)) * 9)
        case "empty":
            path.write_bytes(b"")
        case "cut off":
            path.write_text('Student,ID,"Se', encoding="utf-8")
        case "another course's":
            saved(path, [rows[0], ["X, Y", "1", "77777777", "nobody", "L", "", "", ""]])
        case "too few columns":
            saved(path, [*rows, rows[3][:5]])
        case "several columns":
            saved(path, rows)
        case "one folder":
            path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("an Excel file", "save it as 'CSV UTF-8'"),
        ("empty", "no column names"),
        ("cut off", "line 1: unexpected end of data"),
        ("another course's", "is it this course's"),
        ("too few columns", "row 34 of the export has 5 columns, its header 8"),
        ("several columns", "choose by --column one of 'A2 (77)', 'A3 (78)'"),
        ("one folder", "Is a directory"),
        ("none", "No such file"),
    ],
)
def test_an_export_that_cannot_be_used(
    chainrule: Run, root: Path, tmp_path: Path, kind: str, says: str
) -> None:
    export = broken(tmp_path / "export.csv", kind)
    item = ["--column", "A2"] if kind != "several columns" else []
    said = chainrule("marks", TINY, "--course", root, "--lms", "canvas", "--export", export, *item)
    assert is_one_line(said), said
    assert says in said[2]
    assert not (root / "marks").exists()


def test_the_export_itself_is_never_overwritten(chainrule: Run, root: Path, tmp_path: Path) -> None:
    export = saved(tmp_path / "c.csv", canvas_export()[0])
    before = export.read_bytes()
    words = ["--lms", "canvas", "--column", "A2", "--export", export, "-o", export]
    said = chainrule("marks", TINY, "--course", root, *words)
    assert is_one_line(said)
    assert "name another file" in said[2]
    assert export.read_bytes() == before


def test_a_file_that_cannot_be_replaced_leaves_nothing_half(
    chainrule: Run, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    said = chainrule("marks", TINY, "--course", root, "--lms", "moodle", "-o", tmp_path / "taken")
    assert said[0] == 2
    assert not list(tmp_path.glob(".*"))


def test_options_of_an_lms_want_its_name(chainrule: Run, root: Path) -> None:
    said = chainrule("marks", TINY, "--course", root, "--dry-run")
    assert is_one_line(said)
    assert "--lms" in said[2]
