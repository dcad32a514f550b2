"""The inputs of lms/: teams, anonymous marking, and a column that Canvas doesn't import."""

import shutil
from pathlib import Path

import pytest
from lms_downloads import archive
from nbgrader.api import Gradebook

from chainrule.course import CONFIG, CourseFolder
from chainrule.intake.download import intake_downloads
from chainrule.intake.lms import DOWNLOAD_FORMATS
from chainrule.intake.lms_name import LmsName
from chainrule.intake.report import DownloadReport
from chainrule.marks import fill_for_lms

CASES = Path(__file__).parent

ROSTER = """id,username,last,first,email,group
ada,u1,Lovelace,Ada,ada@example.org,Group A
cy,u4,Cyan,Cy,,Group A
jm,u2,Muñoz Pérez,José,,Group B
nb,u3,van der Berg,Nina,,
"""

CONFIGURATION = """
import chainrule.config

c = get_config()
c.merge(chainrule.config.pipelines())
c.Course.due = {"fb1": "2030-07-13 12:00 America/Toronto"}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "course"
    (root / "source" / "fb1").mkdir(parents=True)
    shutil.copy(CASES / "files" / "fb1-source.ipynb", root / "source" / "fb1" / "sums.ipynb")
    (root / CONFIG).write_text(CONFIGURATION)
    (root / "roster.csv").write_text(ROSTER, encoding="utf-8")
    return root


def take(root: Path, download: Path, teams: str = "") -> tuple[DownloadReport, str, set[str]]:
    """The report, what it says, and who has something in submitted/."""
    path = root / "teams.csv"
    path.write_text(teams, encoding="utf-8")
    report = intake_downloads(CourseFolder(root), "fb1", [download], None, path if teams else None)
    return (
        report,
        "\n".join(report.lines()),
        {each.parts[-3] for each in root.glob("submitted/*/fb1/sums.ipynb")},
    )


@pytest.mark.parametrize(
    ("name", "teams"),
    [
        ("moodle_blind.zip", "name,id\nParticipant 111,ada\nParticipant_112,cy\n"),
        ("canvas_anon.zip", "name,id\nanon_aB3dE,ada\nanon_Zz9yX,cy\n"),
    ],
)
def test_anonymous_marking_is_named_and_a_csv_says_who_it_is(root: Path, name: str, teams: str) -> None:
    """moodle_blind.zip, canvas_anon.zip."""
    report, said, who = take(root, CASES / "lms" / name)
    assert len(report.refused) == 2
    assert said.count("anonymous marking") == 2
    assert all("  is" not in reason for reason in report.refused.values())  # a name without a number, too
    assert "--teams FILE.csv" in said
    assert "add them" not in said
    assert name not in said  # the lines don't repeat the zip's name
    assert who == set()
    report, said, who = take(root, CASES / "lms" / name, teams)
    assert (who, report.refused) == ({"ada", "cy"}, {})


@pytest.mark.parametrize(
    "files",
    [
        [
            "Teilnehmer_in_111_assignsubmission_file_sums.ipynb",
            "Teilnehmer_in_112_assignsubmission_file_sums.ipynb",
        ],
        ["Participante 7_111_assignsubmission_file_/sums.ipynb"],
        ["Group Z-Participant_111_assignsubmission_file_sums.ipynb"],
        ["anon_aB3dE_9001_sums.ipynb"],
        ["anonymous_101_9001_sums.ipynb"],
        ["12-34 - Anonymous User 4 - Mar 3, 2026 1105 AM - sums.ipynb"],
    ],
)
def test_other_shapes_of_hidden_names(root: Path, files: list[str]) -> None:
    nb = (CASES / "files" / "utf16.ipynb").read_bytes()
    download = root / "download.zip"
    download.write_bytes(archive(dict.fromkeys(files, nb)))
    report, said, _ = take(root, download)
    assert len(report.refused) == len(files)
    assert "anonymous marking" in said
    assert "add them" not in said


def test_a_teams_file_is_taken_for_each_member(root: Path) -> None:
    """moodle_group.zip: the members are in the roster or in a CSV; of a team that nobody names, a sentence says so."""
    report, said, who = take(root, CASES / "lms" / "moodle_group.zip")
    assert who == {"ada", "cy", "jm", "nb"}
    assert len(report.taken) == 3
    assert "→ submitted/cy/fb1/sums.ipynb" in said
    assert "Default group: its file was taken for Nina van der Berg (nb) alone" in said
    shutil.rmtree(root / "submitted")
    (root / "roster.csv").write_text(ROSTER.replace("Group A", ""), encoding="utf-8")
    assert take(root, CASES / "lms" / "moodle_group.zip")[2] == {"ada", "jm", "nb"}
    assert take(root, CASES / "lms" / "moodle_group.zip", "name,id\nGroup B,jm\nGroup B,cy\n")[2] == {
        *("ada", "cy", "jm", "nb")
    }


def test_a_member_with_a_file_of_their_own_keeps_it(root: Path) -> None:
    nb = (CASES / "files" / "bom.ipynb").read_bytes()
    download = root / "download.zip"
    files = {
        "Group A-Ada Lovelace_111_assignsubmission_file_/sums.ipynb": nb,
        "Group A-Cy Cyan_112_assignsubmission_file_/sums.ipynb": nb.replace(b"return x + x", b"return x * 2"),
    }
    download.write_bytes(archive(files))
    report, _, who = take(root, download)
    assert (who, report.shared) == ({"ada", "cy"}, {})
    assert (root / "submitted/ada/fb1/sums.ipynb").read_bytes() != (
        root / "submitted/cy/fb1/sums.ipynb"
    ).read_bytes()


def test_a_part_of_a_name_is_no_team_and_a_name_of_two_students_nobodys(root: Path) -> None:
    """Jean-Pierre Martin, who is not on the roster, is not Pierre Martin."""
    more = "pm,u5,Martin,Pierre,,\nx1,u6,Twin,Alex,,\nx2,u7,Twin,Alex,,\n"
    (root / "roster.csv").write_text(ROSTER + more, encoding="utf-8")
    nb = (CASES / "files" / "bom.ipynb").read_bytes()
    names = ("Jean-Pierre Martin_1", "Alex Twin_2", "Alex Twin_3", "Team 1-Alex Twin_4")
    download = root / "download.zip"
    download.write_bytes(archive({f"{name}_assignsubmission_file_/sums.ipynb": nb for name in names}))
    _, said, who = take(root, download)
    assert who == set()
    assert "several students are called Alex Twin" in said
    assert "anonymous" not in said


def test_a_csv_with_an_unknown_id_is_refused(root: Path) -> None:
    with pytest.raises(ValueError, match="line 2: no student on the roster has the id 'zoe'"):
        take(root, CASES / "lms" / "moodle_blind.zip", "name,id\nParticipant 111,zoe\n")


def test_what_is_no_pdf_is_joined_to_the_missing_one(root: Path) -> None:
    with (root / CONFIG).open("a") as config:
        config.write("c.Course.handin = {'fb1': ['{last}_{first}_fb1.pdf', '{last}_{first}_fb1.ipynb']}\n")
    nb = (CASES / "files" / "bom.ipynb").read_bytes()
    head = "Ada Lovelace_111_assignsubmission_file_/"
    files = {f"{head}Lovelace_Ada_fb1.ipynb": nb, f"{head}essay.docx": b"PK", f"{head}scan.HEIC": b"x"}
    files |= {f"{head}.DS_Store": b"x", f"{head}__MACOSX/._essay.docx": b"x", f"{head}Thumbs.db": b"x"}
    download = root / "download.zip"
    download.write_bytes(archive(files))
    report, said, _ = take(root, download)
    assert (
        "missing ada: Lovelace_Ada_fb1.pdf; essay.docx, scan.HEIC came, which is no PDF: ask for one" in said
    )
    assert "  unknown" not in said
    assert len(report.ignored) == 3


def test_a_column_that_canvas_ignores_is_warned_of(root: Path) -> None:
    """canvas_final.csv: filled, with a warning."""
    (root / "roster.csv").write_text(
        "id,username,last,first,email\na00-perfect,u00,Alpha,Ann,\n", encoding="utf-8"
    )
    folder = CourseFolder(root)
    folder.api.generate_assignment("fb1", force=True)
    with Gradebook(folder.directory.db_url) as gradebook:
        gradebook.add_submission("fb1", "a00-perfect")
    for grade, title in (("Final project fb1", "Final project fb1"),):
        filled = fill_for_lms(
            folder, "fb1", LmsName.canvas, export=CASES / "lms" / "canvas_final.csv", title=title
        )
        assert filled.changes
        warned = [names for sentence, names in filled.remarks().items() if "ignores columns" in sentence]
        assert warned == [[f"{grade} (77)"]]


def test_canvas_reads_anonymous_names_with_and_without_user_ids() -> None:
    canvas = DOWNLOAD_FORMATS["canvas"]
    for head in ("anon_aB3dE_LATE_101_9001_sums.ipynb", "anon_aB3dE_LATE_9001_sums.ipynb"):
        name = canvas.read(head)
        assert name is not None
        assert (name.who, name.late, name.file) == ("anon_aB3dE", True, "sums.ipynb")
