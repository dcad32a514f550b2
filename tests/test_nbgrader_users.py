"""What courses that come from nbgrader rely on: each works as there, or is refused with a sentence."""

from __future__ import annotations

import csv
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import nbformat
import nbgrader
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.api import Gradebook
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, ClearSolutions
from tiny_course import (
    DOUBLES,
    PLAIN,
    RIGHT,
    SOLUTION,
    SQUARE,
    TINY,
    filled,
    marked,
    notebook,
    plain_notebook,
    submit,
    tiny_notebook,
    type_command,
)

from chainrule.course import CONFIG, CourseError, CourseFolder, find_course
from chainrule.gradebook_tables import ANSWERS
from chainrule.grading.classroom import grade, points, scores
from chainrule.grading.options import DROPPED, FIXED, refuse_options_without_effect
from chainrule.items import item_names
from chainrule.release.generate import generate

ASSERTED = "square-asserts"
AUTOTESTS = Path(nbgrader.__file__).parent / "tests" / "apps" / "files" / "autotests.yml"
Typed = tuple[int, str, str]


def configure(root: Path, *lines: str) -> CourseFolder:
    with (root / CONFIG).open("a", encoding="utf-8") as config:
        config.write("\n".join([*lines, ""]))
    return CourseFolder(root)


def write_source(root: Path, nb: NotebookNode, name: str = PLAIN) -> None:
    nbformat.write(nb, root / "source" / PLAIN / f"{name}.ipynb")


def release(folder: CourseFolder) -> None:
    generate(folder, PLAIN)


def quiet(line: str) -> None:
    pass


# ---- steps of the release ------------------------------------------------------------------------------------


@pytest.mark.parametrize("hashed", ["", "HASHED "])
def test_autotests_are_made_at_release_and_take_their_points(course: Path, hashed: str) -> None:
    shutil.copy(AUTOTESTS, course / "autotests.yml")
    tests = marked(new_code_cell(f"### {hashed}AUTOTEST square(3); square(-2)"), ASSERTED, 2)
    write_source(course, notebook([marked(new_code_cell(SOLUTION.strip()), SQUARE, solution=True), tests]))
    folder = CourseFolder(course)
    release(folder)
    released = nbformat.read(course / "release" / PLAIN / f"{PLAIN}.ipynb", as_version=4)
    shown = next(cell for cell in released.cells if cell.id == ASSERTED).source
    assert "AUTOTEST" not in shown
    assert "assert" in shown
    for student, answer in {"ann": RIGHT, "bo": DOUBLES}.items():
        submit(course, student, filled(course, {SQUARE: answer}, PLAIN), PLAIN)
    report = grade(folder, PLAIN, jobs=1, say=quiet)
    assert [student.scores for student in report.students] == [{ASSERTED: 2.0}, {ASSERTED: 0.0}]
    assert not [note for student in report.students for note in student.notes]
    shutil.rmtree(course / "runs")
    type_command(course, "nbgrader", "autograde", PLAIN, "--force")
    assert [scores(folder, PLAIN, student)[ASSERTED] for student in ("ann", "bo")] == [2.0, 0.0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "has AUTOTEST lines, and nobody says what they test: put nbgrader's autotests.yml into the"),
        (
            "r:\n  setup: ''\n",
            "cannot be made tests of by autotests.yml (KeyError: 'python3'): it needs an entry for",
        ),
        ("python3: [\n", "cannot be made tests of by autotests.yml (ParserError: "),
    ],
)
def test_autotests_that_cannot_be_made(course: Path, content: str | None, says: str) -> None:
    if content:
        (course / "autotests.yml").write_text(content)
    tests = marked(new_code_cell("### AUTOTEST square(3)"), ASSERTED, 2)
    write_source(course, notebook([marked(new_code_cell(SOLUTION.strip()), SQUARE, solution=True), tests]))
    with pytest.raises(CourseError, match=re.escape(says)):
        release(CourseFolder(course))


def test_items_of_header_and_footer_are_graded(course: Path) -> None:
    header = marked(new_markdown_cell("# Write your name"), "header")
    footer = marked(new_code_cell("assert square(7) == 49"), "footer", 3)
    for name, cell in {"header": header, "footer": footer}.items():
        nbformat.write(notebook([cell]), course / f"{name}.ipynb")
    folder = configure(
        course, *(f'c.IncludeHeaderFooter.{name} = "{name}.ipynb"' for name in ("header", "footer"))
    )
    release(folder)
    submit(course, "ann", filled(course, {SQUARE: RIGHT}, PLAIN), PLAIN)
    report = grade(folder, PLAIN, jobs=1, say=quiet)
    assert report.points == {ASSERTED: 2.0, "footer": 3.0}
    assert report.students[0].scores == report.points
    assert report.students[0].notes == []


def test_a_step_of_the_course_is_part_of_the_notebook_that_is_graded(course: Path) -> None:
    (course / "ours.py").write_text(
        "from nbgrader.preprocessors import NbGraderPreprocessor\n"
        "class Sign(NbGraderPreprocessor):\n"
        "    def preprocess_cell(self, cell, resources, index):\n"
        "        cell.source = cell.source.replace('square(2) == 4', 'square(5) == 25')\n"
        "        return cell, resources\n"
    )
    folder = configure(
        course,
        "import sys; sys.path.insert(0, " + repr(str(course)) + ")",
        'c.GenerateAssignment.preprocessors.insert(1, "ours.Sign")',
    )
    release(folder)
    submit(course, "ann", filled(course, {SQUARE: RIGHT}, PLAIN), PLAIN)
    (student,) = grade(folder, PLAIN, jobs=1, say=quiet).students
    assert student.notes == []
    assert student.scores == {ASSERTED: 2.0}
    assert "square(5)" in (course / "autograded" / "ann" / PLAIN / f"{PLAIN}.ipynb").read_text()


def test_steps_that_save_no_cells_are_refused(course: Path) -> None:
    folder = configure(
        course, 'c.GenerateAssignment.preprocessors.remove("nbgrader.preprocessors.SaveCells")'
    )
    with pytest.raises(CourseError, match=r"has no nbgrader\.preprocessors\.SaveCells"):
        points(folder, PLAIN)


# ---- equal ids in two notebooks --------------------------------------------------------------------------------


def test_equal_ids_in_two_notebooks_are_two_items(course: Path, chainrule: Callable[..., Typed]) -> None:
    write_source(course, plain_notebook(), "other")
    folder = CourseFolder(course)
    release(folder)
    answers = {"other": DOUBLES, PLAIN: RIGHT}

    def hand_in() -> None:
        for name, answer in answers.items():
            nb = filled(course, {SQUARE: answer}, PLAIN)
            nbformat.write(nb, submit(course, "ann", nb, PLAIN).with_name(f"{name}.ipynb"))

    hand_in()
    code, said, _ = chainrule("grade", PLAIN, "--course", course)
    assert code == 0
    assert "2 of 4" in said
    first, second = f"other/{ASSERTED}", f"{PLAIN}/{ASSERTED}"
    assert scores(folder, PLAIN, "ann") == {first: 0.0, second: 2.0}
    assert points(folder, PLAIN) == {first: 2.0, second: 2.0}
    answers["other"] = RIGHT
    hand_in()
    _, said, _ = chainrule("grade", PLAIN, "--diff", "--course", course)
    assert f"ann {first} 0 → 2" in said
    assert f"ann {second}" not in said
    chainrule("marks", PLAIN, "--course", course)
    with open(course / "marks" / f"{PLAIN}.csv", newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row[first], row[second], row["score"]) == ("2.0", "2.0", "4.0")


def test_nbgraders_own_stubs_are_no_answers(course: Path) -> None:
    handed_in = tiny_notebook()  # released by nbgrader alone, before the course came to Chainrule
    stubs = ClearSolutions()
    for step in (stubs, ClearHiddenTests(), ClearMarkScheme(enforce_metadata=False)):
        handed_in, _ = step.preprocess(handed_in, {})
    submit(course, "ann", handed_in)
    submit(course, "bo", filled(course, {"why": f"{stubs.text_stub}, which is hard"}))
    grade(CourseFolder(course), TINY, jobs=1, say=quiet)
    with Gradebook(CourseFolder(course).directory.db_url) as gradebook:
        ann, bo = (gradebook.find_submission(TINY, student) for student in ("ann", "bo"))
        assert not ann.needs_manual_grade
        assert ann.score == 0
        for name in (SQUARE, "why"):
            assert gradebook.find_comment(name, TINY, TINY, "ann").comment == "No response."
        assert bo.needs_manual_grade


def test_a_gradebook_from_before_our_table(graded_course: Path, chainrule: Callable[..., Typed]) -> None:
    folder = CourseFolder(graded_course)
    with Gradebook(folder.directory.db_url) as gradebook:
        gradebook.find_grade("why", TINY, TINY, "ann").manual_score = 0.5
        gradebook.db.commit()
    for words in [("marks", TINY), ("feedback", TINY), ("grade", TINY, "--diff"), ("similar", TINY)]:
        with closing(sqlite3.connect(graded_course / "gradebook.db")) as database:
            database.execute(f"DROP TABLE {ANSWERS.name}")
            database.commit()
        code, said, _ = chainrule(*words, "--course", graded_course)
        assert code == 0, words
        assert "earlier answer" not in said
        with Gradebook(folder.directory.db_url) as gradebook:
            ANSWERS.create(gradebook.engine, checkfirst=True)
    assert scores(folder, TINY, "ann")["why"] == 0.5


def test_names_of_items() -> None:
    pairs = [("a", "one"), ("a", "two"), ("b", "two")]
    assert list(item_names(pairs).values()) == ["one", "a/two", "b/two"]


# ---- configuration ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH"])
def test_jupyters_configuration_is_read_as_nbgrader_reads_it(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    (tmp_path / "jupyter").mkdir()
    url = f"sqlite:///{tmp_path}/elsewhere.db"
    (tmp_path / "jupyter" / CONFIG).write_text(
        f"c = get_config()\nc.CourseDirectory.db_url = {url!r}\nc.CourseDirectory.course_id = 'loses'\n"
    )
    monkeypatch.setenv(variable, str(tmp_path / "jupyter"))
    folder = CourseFolder(course)
    assert folder.directory.db_url == url
    assert folder.directory.course_id != "loses"  # the course's own file wins
    release(folder)
    type_command(course, "nbgrader", "generate_assignment", PLAIN, "--force")
    with Gradebook(url) as gradebook:
        assert [assignment.name for assignment in gradebook.assignments] == [PLAIN]


def test_a_course_whose_only_configuration_is_jupyters(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chainrule: Callable[..., Typed]
) -> None:
    (tmp_path / "jupyter").mkdir()
    text = (course / CONFIG).read_text() + f"c.CourseDirectory.root = {str(course)!r}\n"
    (tmp_path / "jupyter" / CONFIG).write_text(text)
    (course / CONFIG).unlink()
    with pytest.raises(CourseError, match="is not a course folder"):
        CourseFolder(course)
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    assert find_course(Path.cwd()) == course
    code, said, _ = chainrule("release", PLAIN)
    assert code == 0
    assert str(course / "release" / PLAIN) in said


def test_an_error_names_the_file_that_has_it(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / CONFIG).write_text("1 / 0\n")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    with pytest.raises(CourseError, match=re.escape(f"{tmp_path / CONFIG} has an error: ZeroDivisionError")):
        CourseFolder(course)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "postgresql+pg8000://ta:secret@localhost/gradebook",
            r"pg8000, is not installed\. Run pip install pg8000",
        ),
        (
            "postgresql+psycopg2://ta:secret@localhost/gradebook",
            r"psycopg2, is not installed\. Run pip install psycopg2-binary",
        ),
        ("mysql://ta:secret@localhost/gradebook", r"MySQLdb, is not installed\. Run pip install mysqlclient"),
        (
            "postgres://ta:secret@localhost/gradebook",
            r"begins with postgres://, .*write sqlite:///…, postgresql://…",
        ),
        ("ta:secret@localhost", r"cannot be read as the URL of a database"),
    ],
)
def test_a_database_that_cannot_be_opened(course: Path, url: str, said: str) -> None:
    with pytest.raises(CourseError, match=said) as refused:
        configure(course, f"c.CourseDirectory.db_url = {url!r}")
    assert "secret" not in str(refused.value)


def test_zip_collect_follows_named_regexp_and_needs_no_course_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jupyter").mkdir()
    config = tmp_path / "jupyter" / CONFIG
    config.write_text("import chainrule.config\nc = get_config()\nc.merge(chainrule.config.pipelines())\n")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    root = tmp_path / "bare"
    archive = root / "downloaded" / "ps1" / "archive"
    archive.mkdir(parents=True)
    nbformat.write(plain_notebook(), archive / "ps1_hacker_attempt_2016-01-30-15-30-10_problem1.ipynb")
    said = type_command(root, "nbgrader", "zip_collect", "ps1")
    assert "named_regexp" in said
    assert "Traceback" not in said
    assert not (root / "submitted").exists()
    with config.open("a") as more:
        more.write(
            r"c.FileNameCollectorPlugin.named_regexp = r'.+_(?P<student_id>\w+)_attempt_[0-9\-]+_(?P<file_id>\w+)'"
        )
    type_command(root, "nbgrader", "zip_collect", "ps1", "--force")
    assert (root / "submitted" / "hacker" / "ps1" / "problem1.ipynb").is_file()


def test_zip_collect_refuses_archives_that_it_cannot_check(course: Path) -> None:
    configure(course, "c.ExtractorPlugin.zip_ext = ['.zip', '.tar']")
    archive = course / "downloaded" / PLAIN / "archive"
    archive.mkdir(parents=True)
    (archive / "ann.tar").touch()
    said = type_command(course, "nbgrader", "zip_collect", PLAIN, code=1)
    assert "c.ExtractorPlugin.zip_ext has no effect: .zip files are unpacked, other files are copied." in said
    assert not list(course.glob("downloaded/*/extracted/*"))
    configure(course, "c.ExtractorPlugin.zip_ext = ['.zip', '.gz']")
    (archive / "ann.tar").rename(archive / "ann.tar.gz")
    said = type_command(course, "nbgrader", "zip_collect", PLAIN)
    assert "'ann.tar.gz' is copied as it is: only .zip files are unpacked" in said


# ---- options -----------------------------------------------------------------------------------------------------


def test_nbgraders_late_penalty(course: Path) -> None:
    folder = configure(course, f'c.Course.due = {{"{PLAIN}": "2001-01-01 12:00 Europe/Zurich"}}')
    folder = configure(course, "c.LateSubmissionPlugin.penalty_method = 'zero'")
    release(folder)
    handed_in = submit(course, "ann", filled(course, {SQUARE: RIGHT}, PLAIN), PLAIN)
    handed_in.with_name("timestamp.txt").write_text("2001-01-02 12:00:00 UTC")
    grade(folder, PLAIN, jobs=1, say=quiet)
    with Gradebook(folder.directory.db_url) as gradebook:
        assert gradebook.find_submission(PLAIN, "ann").late_submission_penalty == 2.0


def test_nbgraders_time_limit(course: Path) -> None:
    folder = configure(course, "c.Execute.timeout = 1")
    submit(course, "ann", filled(course, {SQUARE: f"{RIGHT}\nwhile True: pass"}, PLAIN), PLAIN)
    (student,) = grade(folder, PLAIN, jobs=1, say=quiet).students
    graded = (course / "autograded" / "ann" / PLAIN / f"{PLAIN}.ipynb").read_text()
    assert "stopped after 1 seconds, the limit for one cell" in graded
    assert student.scores == {ASSERTED: 2.0}


def test_cells_know_that_they_are_graded(course: Path) -> None:
    answer = f"import os\nassert os.environ['NBGRADER_EXECUTION'] == 'autograde'\n{RIGHT}"
    submit(course, "ann", filled(course, {SQUARE: answer}, PLAIN), PLAIN)
    (student,) = grade(CourseFolder(course), PLAIN, jobs=1, say=quiet).students
    assert student.scores == {ASSERTED: 2.0}


def test_a_notebook_that_is_not_run_is_not_judged(course: Path) -> None:
    shown = (
        plain_notebook()
    )  # the instructor's own outputs, which the release keeps, are none of the student's
    shown.cells[-1].update(execution_count=1, outputs=[new_output("execute_result", {"text/plain": "2.0"})])
    write_source(course, shown)
    keeps = 'c.GenerateAssignment.preprocessors.remove("nbgrader.preprocessors.ClearOutput")'
    folder = configure(course, keeps)
    release(folder)
    handed_in = filled(course, {}, PLAIN)
    assert handed_in.cells[-1].outputs
    submit(course, "ann", handed_in, PLAIN)
    said = type_command(course, "nbgrader", "autograde", PLAIN, "--no-execute")
    assert f"{ASSERTED}: the cell was not run" in said
    assert scores(folder, PLAIN, "ann") == {ASSERTED: None}
    with Gradebook(folder.directory.db_url) as gradebook:
        submission = gradebook.find_submission(PLAIN, "ann")
        assert (submission.score, submission.needs_manual_grade) == (0, True)


@pytest.mark.parametrize("section", ["Execute", "Run", "ExecutePreprocessor"])
def test_chainrule_grade_runs_notebooks(course: Path, section: str) -> None:
    folder = configure(course, f"c.{section}.enabled = False")
    submit(course, "ann", filled(course, {}, PLAIN), PLAIN)
    with pytest.raises(
        CourseError, match=re.escape("`chainrule grade` runs notebooks: remove c.Execute.enabled")
    ):
        grade(folder, PLAIN, jobs=1, say=quiet)


@pytest.mark.parametrize(
    "line",
    [
        *(f"c.{name}.enabled = True" for name in DROPPED),
        *(f"c.ExecutePreprocessor.{name} = None" for name in FIXED),
    ],
)
def test_an_option_without_effect_is_refused(course: Path, line: str) -> None:
    folder = configure(course, line)
    with pytest.raises(CourseError) as refused:
        refuse_options_without_effect(folder.config)
    assert line.partition(" =")[0] in str(refused.value)


def test_the_steps_of_stock_nbgrader_keep_their_options(course: Path) -> None:
    line = "del c.Autograde.sanitize_preprocessors, c.Autograde.autograde_preprocessors"
    folder = configure(
        course, line, "c.OverwriteCells.add_missing_cells = True", "c.Execute.kernel_name = 'python3'"
    )
    refuse_options_without_effect(folder.config)


@pytest.mark.parametrize(
    ("kernelspec", "named"),
    [
        ({"display_name": "R", "language": "R", "name": "ir"}, "written in R"),
        ({"display_name": "R", "name": "ir"}, "written in ir"),
        ({"display_name": "Julia 1.10", "language": "julia", "name": "julia-1.10"}, "written in julia"),
    ],
)
def test_a_notebook_in_another_language_is_not_run_as_python(
    course: Path, kernelspec: dict[str, str], named: str
) -> None:
    nb = plain_notebook()
    nb.metadata.kernelspec = kernelspec
    write_source(course, nb)
    with pytest.raises(CourseError, match=named):
        points(CourseFolder(course), PLAIN)


def test_files_that_students_may_replace(course: Path) -> None:
    for folder in (course / "source" / PLAIN / "own", course / "submitted" / "ann" / PLAIN / "own"):
        folder.mkdir(parents=True)
        (folder / "mine.py").write_text(f"FROM = {folder.parts[-3]!r}")
        (folder / "ours.py").write_text(f"FROM = {folder.parts[-3]!r}")
    opened = configure(course, f'c.Autograde.exclude_overwriting = {{"{PLAIN}": ["own/mine.py"]}}')
    answer = f"from own import mine, ours\nassert (mine.FROM, ours.FROM) == ('ann', 'source')\n{RIGHT}"
    submit(course, "ann", filled(course, {SQUARE: answer}, PLAIN), PLAIN)
    (student,) = grade(opened, PLAIN, jobs=1, say=quiet).students
    assert student.scores == {ASSERTED: 2.0}


def test_left_out_students_are_left_out(course: Path) -> None:
    folder = configure(course, "c.CourseDirectory.student_id_exclude = 'bo'")
    for student in ("ann", "bo"):
        submit(course, student, filled(course, {SQUARE: RIGHT}, PLAIN), PLAIN)
    assert [student.student for student in grade(folder, PLAIN, jobs=1, say=quiet).students] == ["ann"]
    with pytest.raises(CourseError, match="student_id_exclude leaves out bo"):
        grade(folder, PLAIN, students=["bo"], jobs=1, say=quiet)


# ---- the tag skip-execution ----------------------------------------------------------------------------------------


def test_a_students_tag_skips_their_own_cells_and_no_graded_ones(course: Path) -> None:
    nb = filled(course, {SQUARE: RIGHT}, PLAIN)
    tags = ["skip-execution"]
    for cell in nb.cells:
        cell.metadata.tags = tags
    nb.cells.insert(1, new_code_cell("def square(x):\n    return 0", metadata={"tags": tags}))
    submit(course, "ann", nb, PLAIN)
    (student,) = grade(CourseFolder(course), PLAIN, jobs=1, say=quiet).students
    assert student.scores == {ASSERTED: 2.0}
    nb = filled(course, {SQUARE: DOUBLES}, PLAIN)
    nb.cells[-1].metadata.tags = nb.cells[0].metadata.tags = tags
    submit(course, "ann", nb, PLAIN)
    (student,) = grade(CourseFolder(course), PLAIN, jobs=1, say=quiet).students
    assert student.scores == {ASSERTED: 0.0}


def test_a_graded_cell_of_ours_with_the_tag_is_refused(course: Path) -> None:
    nb = plain_notebook()
    nb.cells[-1].metadata.tags = ["skip-execution"]
    write_source(course, nb)
    said = type_command(course, "chainrule", "release", PLAIN, code=2)
    assert ASSERTED in said
    assert "remove the tag" in said
