"""Downloads of LMSs: every file ends in exactly one list, each student's latest in submitted/, in nobody else's."""

import csv
import io
import json
import os
import shutil
import warnings
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from lms_downloads import LMSS, PDF, archive, edited, make
from nbgrader.api import Gradebook
from tiny_course import PLAIN, RIGHT, SQUARE, TINY, filled, type_command

from chainrule.course import CONFIG, CourseError, CourseFolder
from chainrule.handin.file_names import FilePattern
from chainrule.intake import unpack
from chainrule.intake.download import intake_downloads, is_plain_folder, lms_of, plan_intake
from chainrule.intake.expected_files import without_copy_mark
from chainrule.intake.lms import DOWNLOAD_FORMATS
from chainrule.intake.report import DownloadReport
from chainrule.intake.roster import Person, read_roster
from chainrule.intake.unpack import DownloadedFile
from chainrule.release.generate import generate

LISTS = ("taken", "repaired", "kept", "refused", "unknown", "ignored")
HANDIN = ["{last}_{first}_tiny.pdf", "{last}_{first}_tiny.ipynb"]
ROSTER = "id,username,last,first,email\n1,alee,Lee,Ann,ann@example.org\n2,bo_lee,Chen,Bo,\n3,lee,Lee,Cy,\n"
ANN = "HW_1_alee_attempt_2026-07-13-11-00-00_"


def configure(course: Path, *lines: str) -> None:
    with (course / CONFIG).open("a", encoding="utf-8") as config:
        config.write("\n".join(["", *lines, ""]))


@pytest.fixture
def course(course: Path) -> Path:
    """The tiny course with what its handout asks for and three students."""
    configure(
        course,
        'c.Course.due = {"tiny": "2026-07-13 12:00 America/Toronto"}',
        'c.Course.late = {"tiny": "zero"}',
        f'c.Course.handin = {{"tiny": {HANDIN}}}',
    )
    (course / "roster.csv").write_text(ROSTER, encoding="utf-8")
    return course


@pytest.fixture
def notebooks(course: Path) -> dict[str, bytes]:
    answers = {"right": {SQUARE: RIGHT}, "blank": {}, "wrong": {SQUARE: "def square(x):\n    return x"}}
    return {kind: nbformat.writes(filled(course, each)).encode() for kind, each in answers.items()}


@pytest.fixture
def nb(notebooks: dict[str, bytes]) -> bytes:
    return notebooks["right"]


def listed(report: DownloadReport) -> dict[str, str]:
    """Which list each file is in; none may be in two."""
    names = [(file, name) for name in LISTS for file in getattr(report, name)]
    assert len(dict(names)) == len(names)
    return dict(names)


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def zipped(course: Path, files: Mapping[str, bytes], name: str = "download") -> Path:
    path = course.parent / f"{name}.zip"
    path.write_bytes(archive(files))
    return path


def take(course: Path, files: Mapping[str, bytes], name: str = "download") -> DownloadReport:
    """The report of a download of these files, each in exactly one list."""
    report = intake_downloads(CourseFolder(course), TINY, [zipped(course, files, name)])
    assert len(listed(report)) >= len(files)
    return report


def reasons(report: DownloadReport) -> str:
    """Everything that is said about the files of a download."""
    return "\n".join(report.lines())


# ---- a whole class -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("unpacked", [False, True], ids=["zip", "folder"])
@pytest.mark.parametrize("lms", LMSS)
def test_a_class_with_all_the_mess(
    course: Path, notebooks: dict[str, bytes], lms: str, unpacked: bool, tmp_path: Path
) -> None:
    made = make(lms, tmp_path / "lms", notebooks)
    shutil.copy(made.roster, course / "roster.csv")
    download = made.path
    if unpacked:
        download = tmp_path / "unpacked" / made.path.name  # its name is part of the files'
        with zipfile.ZipFile(made.path) as opened:
            opened.extractall(download)
    assert len(made.messes) >= 40
    folder = CourseFolder(course)
    report = intake_downloads(folder, TINY, [download])
    assert listed(report) == made.expected
    there = {p.parts[-3]: p.read_bytes() for p in course.glob("submitted/*/tiny/tiny.ipynb")}
    assert there == made.notebooks
    assert {student for student, receipt in report.students.items() if receipt.late} == made.late
    assert json.loads((course / "intake/tiny/report.json").read_text())["refused"] == report.refused
    assert len(report.students) + len(report.absent) == 30
    before = tree(course / "submitted"), tree(course / "intake")
    assert listed(intake_downloads(folder, TINY, [download])) == made.expected  # again
    assert (tree(course / "submitted"), tree(course / "intake")) == before


# ---- attempts and times ------------------------------------------------------------------------------------


def test_the_clock_is_the_courses(course: Path, nb: bytes) -> None:
    report = take(course, {f"{ANN}Lee_Ann_tiny.ipynb": nb})
    assert (course / "submitted/1/tiny/timestamp.txt").read_text() == "2026-07-13 15:00:00 UTC\n"
    assert report.students["1"].received == "2026-07-13T15:00:00+00:00"
    assert report.students["1"].late == 0


@pytest.mark.parametrize("order", ["old first", "new first", "together"])
def test_the_latest_attempt_wins_and_earlier_ones_are_kept(course: Path, nb: bytes, order: str) -> None:
    old = {"HW_1_alee_attempt_2026-07-01-10-00-00_Lee_Ann_tiny.ipynb": edited(nb, "old")}
    new = {f"{ANN}Lee_Ann_tiny.ipynb": nb}
    downloads = {"old first": [old, new], "new first": [new, old], "together": [old | new]}[order]
    for number, files in enumerate(downloads):
        take(course, files, f"download {number}")
    assert (course / "submitted/1/tiny/tiny.ipynb").read_bytes() == nb
    kept = [path for path in tree(course / "intake/tiny/1") if path.startswith("2026-07-01_14-00-00_UTC/")]
    assert len(kept) == 1
    assert tree(course / "intake/tiny/1")[kept[0]] == edited(nb, "old")
    assert (course / "submitted/1/tiny/timestamp.txt").read_text() == "2026-07-13 15:00:00 UTC\n"


def test_a_file_that_was_not_sent_again_counts(course: Path, nb: bytes) -> None:
    """On Brightspace the PDF and the notebook often come one after the other."""
    report = take(
        course,
        {
            "5-9 - Ann Lee - Jul 13, 2026 1150 AM - Lee_Ann_tiny.pdf": PDF,
            "5-9 - Ann Lee - Jul 13, 2026 1203 PM - Lee_Ann_tiny.ipynb": nb,
        },
    )
    assert set(listed(report).values()) == {"taken"}
    assert report.students["1"].late == 180
    assert not report.students["1"].missing
    assert "late 1: by 3 minutes, earns nothing" in reasons(report)


def test_canvas_tells_only_that_somebody_is_late(course: Path, nb: bytes) -> None:
    report = take(course, {"leeann_LATE_5_6_Lee_Ann_tiny-2.ipynb": nb, "chenbo_7_8_Chen_Bo_tiny.ipynb": nb})
    assert set(listed(report).values()) == {"taken"}  # -2 is Canvas's mark of a second upload
    assert (course / "submitted/1/tiny/timestamp.txt").read_text() == "2026-07-13 16:00:01 UTC\n"
    assert not (course / "submitted/2/tiny/timestamp.txt").exists()
    assert report.students["2"].late is None


def test_a_time_that_cannot_be_is_refused(course: Path, nb: bytes) -> None:
    report = take(
        course,
        {
            "HW_1_alee_attempt_2026-13-45-11-00-00_a.ipynb": nb,
            "HW_1_alee_attempt_0001-01-01-00-00-00_b.ipynb": nb,
            "HW_1_lee_attempt_2026-07-13-11-00-00_c.ipynb": nb,
        },
    )
    assert len(report.refused) == 1 + ("0001" in " ".join(report.refused))
    assert "its time can't be read" in reasons(report)


def test_what_late_costs(course: Path) -> None:
    """A penalty of zero is the maximum, so that what a person marks later is taken, too."""
    nb = nbformat.writes(filled(course, {SQUARE: RIGHT}, PLAIN)).encode()
    late = "HW_1_lee_attempt_2026-07-13-12-00-01_plain.ipynb"
    path = zipped(course, {f"{ANN}hw.pdf": PDF, f"{ANN}plain.ipynb": nb, late: nb})
    for policy, penalty in [("zero", 2), ("report", 0)]:
        configure(
            course,
            f'c.Course.late = {{"plain": {policy!r}}}',
            'c.Course.handin = {"plain": ["*.pdf", "*.ipynb"]}',
            'c.Course.due = {"plain": "2026-07-13 12:00 America/Toronto"}',
        )
        folder = CourseFolder(course)
        if policy == "zero":
            generate(folder, PLAIN)  # sets the date
            report = intake_downloads(folder, PLAIN, [path])
            assert (report.students["1"].late, report.students["3"].late) == (0, 1)
        for student in ("1", "3"):
            folder.succeed(folder.api.autograde(PLAIN, student, force=True), "grading")
        with Gradebook(folder.directory.db_url) as gradebook:
            for student, expected in (("1", 0), ("3", penalty)):
                assert gradebook.find_submission(PLAIN, student).late_submission_penalty == expected


# ---- whose is it -------------------------------------------------------------------------------------------


def owners(
    names: list[str], people: list[Person], lms: str, notes: Mapping[str, str] | None = None
) -> list[str]:
    """Whose files of these names are, by their ids; "?" for nobody's."""
    sent = [DOWNLOAD_FORMATS[lms].read(name) for name in names]
    assert all(sent)
    found = DOWNLOAD_FORMATS[lms].owners([one for one in sent if one], people, notes or {})
    who = [found[one.who, one.number] for one in sent if one]
    return [one.id if isinstance(one, Person) else "?" for one in who]


def person(id: str, name: str, username: str = "") -> Person:
    first, _, last = name.rpartition(" ")
    return Person(id, username or f"u{id}", last, first, "")


def blackboard(*heads: str) -> list[str]:
    return [f"{head}_attempt_2026-07-13-11-00-00_x.ipynb" for head in heads]


def test_underscores_in_columns_and_usernames() -> None:
    people = [person("1", "Ann Lee", "ann_lee"), person("2", "Bo Lee", "lee"), person("3", "Cy Yu", "cy")]
    heads = blackboard("HW_2_ann_lee", "HW_2_lee", "HW_2_cy")
    assert owners(heads, people, "blackboard") == ["1", "2", "3"]
    assert owners(heads, people[1:], "blackboard") == ["?", "2", "3"]  # ann_lee has left the course
    assert owners(heads[:1], people, "blackboard") == ["?"]  # alone she could be either
    signed = {"HW_2_ann_lee": "Name: Ann Lee (ann_lee)\nAssignment: HW"}
    assert owners(heads[:1], people, "blackboard", signed) == ["1"]
    assert owners(heads[:1], people[1:], "blackboard", signed) == ["?"]


@pytest.mark.parametrize("word", ["attempt", "Versuch", "intento", "tentative", "försök", "尝试"])
def test_blackboards_word_for_attempt(word: str) -> None:
    head = f"HW_cy_{word}_2026-07-13-11-00-00_a_attempt_2020-01-01-00-00-00_b.ipynb"
    assert owners([head], [person("3", "Cy Yu", "CY")], "blackboard") == ["3"]
    sent = DOWNLOAD_FORMATS["blackboard"].read(head)
    assert sent
    assert sent.file == "a_attempt_2020-01-01-00-00-00_b.ipynb"  # what students write is not believed


def test_two_students_with_one_name() -> None:
    people = [person("11", "Ann Lee"), person("12", "Ann Lee"), person("13", "Bo Chen")]
    for lms, name in [
        ("brightspace", "{}-5 - Ann Lee - Jul 1, 2026 900 AM - x"),
        ("moodle", "Ann Lee_{}_assignsubmission_file_x"),
    ]:
        names = [name.format(number) for number in (99, 11, 12)]
        assert owners(names, people, lms) == ["?", "11", "12"]
        assert owners([names[0].replace("Ann Lee", "Bo Chen")], people, lms) == ["13"]


def test_a_number_of_the_lms_that_is_anothers_id_tells_nothing() -> None:
    people = [person("11", "Ann Lee"), person("12", "Bo Chen")]
    assert owners(["12-5 - Ann Lee - Jul 1, 2026 900 AM - x"], people, "brightspace") == ["11"]


def test_sites_that_write_the_last_name_first() -> None:
    people = [person("1", "Wei Li"), person("2", "Fang Zhao"), person("3", "Min Wu")]
    names = [f"{name}_{n}_assignsubmission_file" for n, name in enumerate(["Li Wei", "Zhao Fang", "Wu Min"])]
    assert owners(names, people, "moodle") == ["1", "2", "3"]
    assert owners(names[:1], people, "moodle") == ["?"]  # alone it may be another person


def test_names_as_lmss_write_them() -> None:
    people = [person("1", "Çağla van der Ünal"), person("2", "Eve O'Neil"), person("3", "Núria Núñez")]
    assert owners(["unalcaglavander_1_2_x", "oneileve_3_4_x"], people, "canvas") == ["1", "2"]
    decomposed = "Nu\u0301ria Nu\u0301n\u0303ez_5_assignsubmission_file_x.pdf"  # as macOS unpacks it
    assert owners([decomposed, "EVE ONEIL_6_assignsubmission_file_y"], people, "moodle") == ["3", "2"]


def test_another_name_in_the_file_is_told_and_its_sender_believed(course: Path, nb: bytes) -> None:
    report = take(course, {f"{ANN}Chen_Bo_tiny.ipynb": nb})
    assert (course / "submitted/1/tiny/tiny.ipynb").exists()
    assert "the name in it is that of Bo Chen (2), but Ann Lee (1) handed it in" in reasons(report)


# ---- which file is it --------------------------------------------------------------------------------------


@pytest.fixture
def two_notebooks(course: Path) -> Path:
    """The tiny course with a second notebook, and zips and a PDF of any name as Homework 2 wants them."""
    shutil.copy(course / "source/plain/plain.ipynb", course / "source/tiny/second.ipynb")
    configure(course, 'c.Course.handin = {"tiny": ["*.pdf", "*.zip/*.py", "*.zip/*.ipynb"]}')
    return course


def test_zips_of_scripts_and_notebooks(two_notebooks: Path, nb: bytes) -> None:
    second = (two_notebooks / "release/plain/plain.ipynb").read_bytes()
    code = archive({"tiny.py": b"print(1)", "torch.py": b"raise SystemExit"})
    both = archive({"x/tiny.ipynb": nb, "other.ipynb": second})
    report = take(two_notebooks, {f"{ANN}hw.pdf": PDF, f"{ANN}code.zip": code, f"{ANN}books.zip": both})
    assert sorted(tree(two_notebooks / "submitted/1/tiny")) == [
        *("Lee_Ann_tiny.pdf", "py/tiny.py", "py/torch.py", "second.ipynb", "timestamp.txt", "tiny.ipynb")
    ]
    assert list(report.repaired.values()) == [
        "called other.ipynb, recognised as second.ipynb by its cells → submitted/1/tiny/second.ipynb"
    ]
    assert not report.students["1"].missing


def test_what_is_not_in_a_zip_is_told(two_notebooks: Path, nb: bytes) -> None:
    report = take(two_notebooks, {f"{ANN}tiny.ipynb": nb})
    assert "not in a zip" in report.repaired[f"download.zip/{ANN}tiny.ipynb"]
    missing = report.students["1"].missing
    assert missing == ["Lee_Ann_tiny.pdf", "Lee_Ann_tiny_py.zip with *.py", "second.ipynb"]


def test_a_notebook_with_two_homes_is_unknown_unless_its_name_tells(two_notebooks: Path, nb: bytes) -> None:
    mixed = json.loads(nb)
    mixed["cells"] += json.loads((two_notebooks / "release/plain/plain.ipynb").read_text())["cells"]
    content = json.dumps(mixed).encode()
    cy = "HW_1_lee_attempt_2026-07-13-11-00-00_"
    report = take(two_notebooks, {f"{ANN}a.zip": archive({"x.ipynb": content}), f"{cy}second.ipynb": content})
    assert "it has cells of" in report.unknown[f"download.zip/{ANN}a.zip/x.ipynb"]
    assert not (two_notebooks / "submitted/1").exists()
    assert (two_notebooks / "submitted/3/tiny/second.ipynb").read_bytes() == content


def test_another_assignments_notebook_is_unknown(course: Path) -> None:
    report = take(course, {f"{ANN}hw.ipynb": (course / "release" / PLAIN / "plain.ipynb").read_bytes()})
    assert "a notebook of plain" in reasons(report)


def test_weights_beside_a_notebook(course: Path, nb: bytes) -> None:
    path = course / "source/tiny/tiny.ipynb"
    source = nbformat.read(path, as_version=4)
    source.metadata["chainrule"] = {"files": {"weights.safetensors": 1}}
    nbformat.write(source, path)
    bo, cy = (ANN.replace("alee", name) for name in ("bo_lee", "lee"))
    report = take(
        course,
        {
            f"{ANN}weights.safetensors": b"w",
            f"{bo}best (1).safetensors": b"b",
            f"{cy}weights.safetensors": bytes(range(256)) * 5000,
        },
    )
    assert (course / "submitted/1/tiny/weights.safetensors").read_bytes() == b"w"
    assert (course / "submitted/2/tiny/weights.safetensors").read_bytes() == b"b"
    assert "called best.safetensors, not weights.safetensors" in reasons(report)
    assert "it has more than 1 MiB" in reasons(report)


@pytest.mark.parametrize(
    ("name", "clean", "copy"),
    [
        ("a.pdf", "a.pdf", 0),
        ("a (1).pdf", "a.pdf", 1),
        ("a(2) (1).pdf", "a.pdf", 3),
        ("a - Copy.pdf", "a.pdf", 1),
        ("a copy 2.pdf", "a.pdf", 2),
        ("(1).pdf", "(1).pdf", 0),
        ("hw-1.pdf", "hw-1.pdf", 0),
    ],
)
def test_marks_of_copies(name: str, clean: str, copy: int) -> None:
    assert without_copy_mark(name) == (clean, copy)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("VanDerBerg_Zoe_a.pdf", False),
        ("vanderBerg_Zoë_a.pdf", True),
        ("van_der_Berg_Zoe_a.pdf", True),
        ("van der Berg_Zoë_a.pdf", True),
        ("Zoë_vanderBerg_a.pdf", False),
        ("vanderBergZoë_a.pdf", False),
        ("vanderBerg_Zoë_a.PDF", False),
    ],
)
def test_what_the_handouts_rule_allows(name: str, allowed: bool) -> None:
    zoe = Person("1", "", "van der Berg", "Zoë", "")
    assert FilePattern.parse("{last}_{first}_a.pdf").matches(name, zoe.name) == allowed


# ---- nothing leads out -------------------------------------------------------------------------------------


def test_sizes_are_counted_not_believed(course: Path, nb: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "STUDENT_BYTES", 3000)
    monkeypatch.setattr(unpack, "FILE_BYTES", 50_000)
    big = {name: os.urandom(2000) for name in ("a.pdf", "b.pdf")}
    huge = f"{ANN}huge.bin"
    report = take(
        course, {f"{ANN}x.zip": archive(big), f"{ANN}Lee_Ann_tiny.ipynb": nb, huge: os.urandom(50_001)}
    )
    assert "larger than" in report.refused[f"download.zip/{huge}"]
    assert "too large" in report.refused[f"download.zip/{ANN}x.zip/b.pdf"]
    assert f"download.zip/{ANN}Lee_Ann_tiny.ipynb" in report.taken  # another's share is not touched


def test_a_zip_that_lies_about_its_sizes(course: Path) -> None:
    made = bytearray(archive({"Lee_Ann_tiny.pdf": bytes(100_000)}))
    place = made.index(b"PK\x01\x02") + 24
    made[place : place + 4] = (10).to_bytes(4, "little")
    report = take(course, {f"{ANN}x.zip": bytes(made)})
    assert listed(report) == {f"download.zip/{ANN}x.zip/Lee_Ann_tiny.pdf": "refused"}


def test_links_in_a_folder_are_not_followed(course: Path, nb: bytes, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/tiny.ipynb").write_bytes(nb)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / f"{ANN}tiny.ipynb").symlink_to(tmp_path / "secret/tiny.ipynb")
    (inbox / "HW_1_lee_attempt_2026-07-13-11-00-00_x").symlink_to(tmp_path / "secret")
    os.mkfifo(inbox / f"{ANN}pipe.ipynb")
    report = intake_downloads(CourseFolder(course), TINY, [inbox])
    assert set(listed(report).values()) == {"refused"}
    assert len(listed(report)) == 3
    assert not list(course.glob("submitted/*/tiny"))


# ---- at the command line -----------------------------------------------------------------------------------


def test_the_command(course: Path, nb: bytes) -> None:
    zipped(course, {f"{ANN}\x1b[2J.ipynb": nb, "HW_1_nobody_attempt_2026-07-13-11-00-00_x.ipynb": nb})
    said = type_command(course, "chainrule", "intake", TINY, "../download.zip")
    assert "0 taken, 0 repaired, 0 kept, 2 refused, 0 unknown" in said
    assert "nobody on the roster has the username" in said
    assert "nothing from 1, 2, 3" in said
    assert "\x1b" not in said


def test_what_cannot_be_taken_in(course: Path, tmp_path: Path) -> None:
    folder = CourseFolder(course)
    for path, content, reason in [
        (tmp_path / "nowhere.zip", None, "isn't there"),
        (tmp_path / "a.txt", b"x", "no zip and no folder"),
        (tmp_path / "b.zip", b"x", "not a zip, or a damaged one"),
        (tmp_path / "c.zip", archive({"ann.ipynb": b"x"}), "no name in it is one of a known LMS's"),
        (tmp_path / "d.zip", archive({}), "no student's file in it"),
        (tmp_path / "e.zip", archive({".DS_Store": b"x"}), "no student's file in it"),
    ]:
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(CourseError, match=reason):
            intake_downloads(folder, TINY, [path])
    with pytest.raises(CourseError, match="no name in it is one of moodle's"):
        intake_downloads(folder, TINY, [zipped(course, {f"{ANN}tiny.ipynb": b"{}"})], "moodle")
    with pytest.raises(CourseError, match="unknown LMS 'sakai'"):
        intake_downloads(folder, TINY, [tmp_path / "c.zip"], "sakai")
    (course / "roster.csv").unlink()
    with pytest.raises(CourseError, match=r"roster\.csv cannot be read .* write a CSV"):
        intake_downloads(folder, TINY, [tmp_path / "c.zip"])


def test_without_a_due_date_the_time_zone_is_asked_for(course: Path, nb: bytes) -> None:
    configure(course, "c.Course.due = {}")
    with pytest.raises(CourseError, match="which time zone"):
        take(course, {f"{ANN}Lee_Ann_tiny.ipynb": nb})


def test_plain_folders_are_told_from_downloads(tmp_path: Path) -> None:
    def made(name: str, *files: str) -> Path:
        for file in files:
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).touch()
        return tmp_path / name

    assert is_plain_folder(made("a", "ann.ipynb", "bo.ipynb"))
    assert is_plain_folder(made("b", "ann/tiny.ipynb", "ann/x_1_2_y.ipynb"))
    assert not is_plain_folder(made("c", f"wrapped/{ANN}x.ipynb", f"wrapped/{ANN}y.pdf"))
    assert not is_plain_folder(made("d", "Ann Lee_5_assignsubmission_file_/x.ipynb"))
    assert not is_plain_folder(made("e", "1-2 - Ann Lee - Jul 1, 2026 900 AM/x.ipynb", "index.html"))


# ---- nbgrader's own command --------------------------------------------------------------------------------


@pytest.mark.parametrize("lms", ["blackboard", "moodle"])
def test_nbgrader_zip_collect(course: Path, notebooks: dict[str, bytes], lms: str, tmp_path: Path) -> None:
    made = make(lms, tmp_path / "lms", notebooks)
    shutil.copy(made.roster, course / "roster.csv")
    inbox = course / "downloaded/tiny/archive"
    inbox.mkdir(parents=True)
    shutil.copy(made.path, inbox)
    said = type_command(course, "nbgrader", "zip_collect", TINY)
    assert "Left out" in said
    there = {p.parts[-3]: p.read_bytes() for p in course.glob("submitted/*/tiny/tiny.ipynb")}
    odd = {student for student in made.notebooks if student not in there}
    assert there == {student: made.notebooks[student] for student in there}
    assert len(odd) == said.count(
        "only `chainrule intake` takes it as tiny.ipynb"
    )  # suffixes stay what they are
    assert not list(tmp_path.rglob("evil.ipynb"))
    if lms == "blackboard":
        stamp = (course / "submitted/20260000/tiny/timestamp.txt").read_text()
        assert stamp == "2026-07-13 15:00:00"


def test_nbgrader_zip_collect_takes_the_valid_suffixes(
    course: Path, notebooks: dict[str, bytes], tmp_path: Path
) -> None:
    made = make("blackboard", tmp_path / "lms", notebooks)
    shutil.copy(made.roster, course / "roster.csv")
    (course / "downloaded/tiny/archive").mkdir(parents=True)
    shutil.copy(made.path, course / "downloaded/tiny/archive")
    with (course / "nbgrader_config.py").open("a") as config:
        config.write("\nc.FileNameCollectorPlugin.valid_ext = ['.txt']\n")
    type_command(course, "nbgrader", "zip_collect", TINY)
    assert not list(course.glob("submitted/*/tiny/*.ipynb"))


# ---- names and rosters that nobody thought of --------------------------------------------------------------

quickly = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
a_name = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).map(
    lambda s: " ".join(s.split())
)
an_id = st.from_regex(r"[a-z0-9][a-z0-9._@-]{0,8}", fullmatch=True)
a_username = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
people_of = st.lists(
    st.builds(Person, an_id, a_username, a_name, a_name, st.just("")),
    min_size=1,
    max_size=8,
    unique_by=(lambda p: p.id.casefold(), lambda p: p.username.casefold()),
)
a_file = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\\\0"), min_size=1, max_size=30),
    st.sampled_from(
        ["a.ipynb", "x_1_2_y.pdf", "_attempt_2026-01-01-00-00-00_", ".", "tiny (1).ipynb", "a.zip"]
    ),
)


@quickly
@given(people_of, st.sampled_from(",;\t"), st.permutations(["id", "username", "last", "first", "email"]))
def test_a_roster_is_read_as_it_was_written(
    tmp_path: Path, people: list[Person], delimiter: str, columns: list[str]
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow([column.upper() for column in columns])
    writer.writerows([getattr(each, column) for column in columns] for each in people)
    path = tmp_path / "roster.csv"
    path.write_bytes(text.getvalue().encode("utf-8-sig"))
    read = read_roster(path)
    assert [(each.id, each.username) for each in read] == [(each.id, each.username) for each in people]


after_a_header = st.text(max_size=100).map(
    lambda text: f"id,username,last,first,email\n{text}".encode(errors="replace")
)


@quickly
@given(st.one_of(st.binary(max_size=200), after_a_header))
def test_any_roster_is_read_or_explained(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(content)
    with suppress(CourseError):
        assert all(isinstance(each, Person) for each in read_roster(path))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,username,last,first\n", "line 1: the column email must be there once"),
        ("id,id,username,last,first,email\n", "line 1: the column id must be there once"),
        ("ID,Username,Last,First,Email\n1,a,L,F,\n\n1,b,L,F,\n", "line 4: the id '1' is that of line 2 too"),
        ("id,username,last,first,email\n1,a,L,F,\n2,A,L,F,\n", "line 3: the username 'a' is that of line 2"),
        ("id,username,last,first,email\n,a,L,F,\n", "line 2: the id is missing"),
        ("id,username,last,first,email\n../x,a,L,F,\n", "line 2: the id '../x' cannot name a folder"),
        ("id,username,last,first,email\n1,a,van, der,F,\n", "line 2: 6 values under 5 columns"),
        ('id,username,last,first,email\n1,a,"L,F,\n', "look for a stray quote"),
    ],
)
def test_what_is_wrong_with_a_roster_is_said(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(CourseError) as error:
        read_roster(tmp_path / "roster.csv")
    assert told in str(error.value)


@quickly
@given(people_of, st.sampled_from(["{last}_{first}_a.pdf", "*.pdf", "x_{first}.ipynb"]))
def test_the_name_that_is_asked_for_is_allowed(people: list[Person], pattern: str) -> None:
    parsed = FilePattern.parse(pattern)
    for each in people:
        assert parsed.matches(parsed.file_name(each.name, "hw"), each.name)


@pytest.fixture(scope="module")
def opened(released: Path, tmp_path_factory: pytest.TempPathFactory) -> CourseFolder:
    """The tiny course, opened once."""
    root = Path(shutil.copytree(released, tmp_path_factory.mktemp("opened") / "course"))
    configure(
        root, f'c.Course.handin = {{"tiny": {HANDIN}}}', 'c.Course.due = {"tiny": "2026-07-13 12:00 UTC"}'
    )
    return CourseFolder(root)


@quickly
@given(
    st.sampled_from(LMSS),
    people_of,
    st.sets(st.integers(0, 7), max_size=3),
    st.lists(st.tuples(st.integers(0, 7), a_file), max_size=12),
)
def test_no_file_is_lost_and_none_gets_a_wrong_owner(
    opened: CourseFolder,
    tmp_path: Path,
    lms: str,
    people: list[Person],
    left: set[int],
    files: list[tuple[int, str]],
) -> None:
    """Some of those who handed in have left the course."""
    assume(all(each.last.strip() or each.first.strip() for each in people))
    content = tmp_path / "content"
    content.write_bytes((opened.root / "release/tiny/tiny.ipynb").read_bytes())
    found: dict[tuple[str, ...], Person] = {}
    for number, (place, file) in enumerate(files):
        sender = people[place % len(people)]
        name = f"{sender.first} {sender.last}"
        stamp = f"2026-07-01-10-{number:02}-00"
        head = {
            "blackboard": f"HW_1_{sender.username}_attempt_{stamp}_",
            "brightspace": f"{900 + number}-5 - {name} - Jul 1, 2026 10{number:02} AM - ",
            "canvas": f"{''.join(c for c in (sender.last + sender.first).lower() if c.isalnum())}_{number}_7_",
            "moodle": f"{name}_{900 + number}_assignsubmission_file_",
        }[lms]
        found[(head + file,)] = sender
        if lms == "blackboard":
            note = tmp_path / f"note {number}"
            note.write_text(f"Name: {name} ({sender.username})\n", encoding="utf-8")
            found[(f"HW_1_{sender.username}_attempt_{stamp}.txt",)] = sender
    everything = [
        DownloadedFile(
            parts,
            tmp_path / f"note {place // 2}" if lms == "blackboard" and place % 2 else content,
            label=parts[0],
        )
        for place, parts in enumerate(found)
    ]
    roster = (
        [each for place, each in enumerate(people) if place not in left] if lms == "blackboard" else people
    )
    recognition = lms_of(everything, lms)
    assume(recognition is not None)
    assert recognition is not None
    plan = plan_intake(opened, TINY, [(everything, *recognition)], roster, {})
    uploads = [upload for upload, _ in plan.chosen] + [upload for upload, _ in plan.kept]
    ended = [upload.label for upload in uploads]
    ended += [*plan.report.refused, *plan.report.unknown, *plan.report.ignored]
    assert sorted(ended) == sorted(one.label for one in everything)
    for upload in uploads:
        assert upload.person == found[upload.parts]


@quickly
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), max_size=6))
def test_any_names_in_a_zip(tmp_path: Path, names: list[str]) -> None:
    names = [name for name in names if not name.endswith("/")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a name twice
        inner = archive([(zipfile.ZipInfo(name), b"x") for name in names if "\0" not in name])
    path = tmp_path / "d.zip"
    path.write_bytes(archive({"ann/hw.zip": inner}))
    shutil.rmtree(tmp_path / "scratch", ignore_errors=True)
    (tmp_path / "scratch").mkdir()
    found = unpack.list_files(path, tmp_path / "scratch")
    count = len([name for name in names if "\0" not in name])
    assert len({one.label for one in found}) == len(found) == max(count, 1)
    assert {p.parent for p in (tmp_path / "scratch").iterdir()} == {tmp_path / "scratch"}
