"""Grading a class: in parallel, once per notebook, and whatever one student hands in or an instructor interrupts."""

import os
import shutil
import subprocess
import time
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook
from tiny_course import DOUBLES, PLAIN, RIGHT, SCORES, SQUARE, TINY, filled, needs_proc, processes_in, submit
from traitlets.config import Config

from chainrule.course import CourseError, CourseFolder
from chainrule.grading import classroom
from chainrule.grading.classroom import ClassReport, Task, grade, results, sanitised, scores
from chainrule.grading.judge import Judge
from chainrule.grading.store import Store

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # as in `chainrule.cli`


def all_scores(course: Path, assignment: str = TINY) -> dict[str, dict[str, float | None]]:
    """What the gradebook says of everyone who submitted."""
    students = sorted(path.parent.name for path in course.glob(f"submitted/*/{assignment}"))
    return {student: scores(CourseFolder(course), assignment, student) for student in students}


def graded_again(course: Path, *students: str, **options: Any) -> tuple[ClassReport, str]:
    """The report of another `grade`, and what it said."""
    said: list[str] = []
    report = grade(CourseFolder(course), TINY, students=students, jobs=2, say=said.append, **options)
    return report, "\n".join(said)


# ---- one class, typed ------------------------------------------------------------------------------------


def test_everyone_has_the_score_of_what_they_wrote(graded: Path) -> None:
    assert all_scores(graded) == SCORES


def test_the_table_and_the_notes_say_what_happened(graded: Path) -> None:
    said = (graded / "said.txt").read_text()
    rows = {words[0]: words[1:] for words in map(str.split, said.splitlines()) if len(words) > 4}
    assert rows["ann"][:3] == ["4", "wait", "4"]
    assert rows["di"][:3] == ["–", "–", "0"]
    assert rows["fay"][:3] == ["1", "0", "1"]
    assert "di: not graded: not a readable notebook" in said
    assert "ed: the kernel died" in said
    assert "fay: cell square-check had been changed: restored" in said
    assert "5/5" in said
    assert "Traceback" not in said
    assert "\x1b" not in said


def test_every_result_is_kept_and_nothing_half_done(graded: Path) -> None:
    kept = sorted(graded.glob("runs/tiny/*"))
    assert len(kept) == 5
    assert all(path.suffix == ".ipynb" for path in kept)
    assert not list(graded.rglob("*.part"))
    assert sorted(path.parent.parent.name for path in graded.glob("autograded/*/tiny/tiny.ipynb")) == [
        "ann",
        "bo",
        "cy",
        "ed",
        "fay",
    ]


# ---- the same command again --------------------------------------------------------------------------------


def test_finished_notebooks_are_not_run_again(graded_course: Path) -> None:
    started = time.monotonic()
    report, said = graded_again(graded_course)
    assert "5 of 5 notebooks were finished before and are not run again" in said
    assert time.monotonic() - started < 30
    assert {graded.student: graded.scores for graded in report.students} == SCORES
    assert report.points == {"square-check": 4.0, "why": 1.0}


def test_only_what_changed_is_run_and_only_who_is_asked_for_is_graded(graded_course: Path) -> None:
    submit(graded_course, "bo", filled(graded_course, {SQUARE: RIGHT}))
    submit(graded_course, "cy", filled(graded_course, {SQUARE: RIGHT}))
    report, said = graded_again(graded_course, "ann", "bo")
    assert "1 of 2 notebooks were finished before" in said
    assert said.splitlines()[-1].startswith("1/1 bo")
    assert [graded.student for graded in report.students] == ["ann", "bo"]
    assert all_scores(graded_course) == {**SCORES, "bo": {"square-check": 4.0, "why": 0.0}}


def test_what_a_run_depends_on_makes_it_run_again(graded_course: Path) -> None:
    """Time limit, profile and the assignment's own files; seen by what would be run, without running it."""

    def unfinished(**options: Any) -> bool:
        folder = CourseFolder(graded_course)
        config = folder.config.copy()
        config.Run.update(options)
        (task,) = sanitised(folder, TINY, "ann", config)
        return Store(graded_course / "runs" / TINY).find(task.key) is None

    assert not unfinished()
    assert unfinished(profile="full")
    assert unfinished(seconds={"quick": 7})
    assert not unfinished(threads=7)
    helper = graded_course / "source" / TINY / "helper.py"
    helper.write_text("1")
    assert unfinished()
    helper.unlink()
    assert not unfinished()
    for kept in graded_course.glob("runs/tiny/*"):
        kept.write_text(kept.read_text()[:500])  # torn by a full disk
    assert unfinished()


def test_marks_given_by_hand_survive(graded_course: Path) -> None:
    url = CourseFolder(graded_course).directory.db_url
    with Gradebook(url) as gradebook:
        for student, item, marks in (("ann", "why", 0.75), ("cy", "square-check", 3.0)):
            entry = gradebook.find_grade(item, TINY, TINY, student)
            entry.manual_score, entry.needs_manual_grade = marks, False
        gradebook.find_comment("why", TINY, TINY, "ann").manual_comment = "nice"
        gradebook.db.commit()
    assert all_scores(graded_course)["ann"] == {"square-check": 4.0, "why": 0.75}
    report, _ = graded_again(graded_course)
    assert all_scores(graded_course)["ann"] == {"square-check": 4.0, "why": 0.75}
    assert all_scores(graded_course)["cy"]["square-check"] == 3.0
    assert report.students[0].total == 4.75
    with Gradebook(url) as gradebook:
        assert gradebook.find_comment("why", TINY, TINY, "ann").comment == "nice"
        assert gradebook.find_grade("why", TINY, TINY, "ann").needs_manual_grade  # to be looked at again


def test_a_grader_error_waits_for_a_person(graded_course: Path) -> None:
    """As when the author's cell itself fails: here in the kept result, so that nothing needs to run."""
    (kept,) = [path for path in graded_course.glob("runs/tiny/*") if "With Bo." in path.read_text()]
    store = Store(kept.parent)
    nb = store.find(kept.stem)
    assert nb is not None
    cell = next(cell for cell in nb.cells if cell.id == "square-check")
    cell.outputs[0].data = {"text/plain": "nan"}
    store.keep(kept.stem, Judge().preprocess(nb, {})[0])
    graded_again(graded_course, "ann")
    assert all_scores(graded_course)["ann"] == {"square-check": None, "why": None}
    with Gradebook(CourseFolder(graded_course).directory.db_url) as gradebook:
        entry = gradebook.find_grade("square-check", TINY, TINY, "ann")
        assert (entry.auto_score, entry.score, entry.needs_manual_grade) == (0.0, 0.0, True)


# ---- nothing to grade --------------------------------------------------------------------------------------


def test_what_is_missing_is_said(course: Path) -> None:
    folder = CourseFolder(course)
    with pytest.raises(CourseError, match="there is no assignment 'small'"):
        grade(folder, "small")
    with pytest.raises(CourseError, match="nothing submitted for tiny: put the notebooks in a folder"):
        grade(folder, TINY)
    submit(course, "ann", filled(course, {}))
    with pytest.raises(CourseError, match="nothing submitted for tiny by bo, cy"):
        grade(folder, TINY, students=["cy", "ann", "bo"])


def test_a_submission_without_the_notebook_gets_nothing(course: Path) -> None:
    (course / "submitted" / "ann" / TINY).mkdir(parents=True)
    (course / "submitted" / "ann" / TINY / "notes.txt").write_text("sorry")
    said: list[str] = []
    (ann,) = grade(CourseFolder(course), TINY, say=said.append).students
    assert ann.total == 0
    assert ann.notes == ["not graded: none of the assignment's notebooks was handed in"]


# ---- accidents ---------------------------------------------------------------------------------------------

SLOW = f"{RIGHT}\nimport time\ntime.sleep(4)"


@needs_proc
def test_a_class_whose_grading_was_killed_goes_on_where_it_was(course: Path) -> None:
    for student, answer in {"ann": RIGHT, "bo": SLOW, "cy": DOUBLES}.items():
        submit(course, student, filled(course, {SQUARE: answer}, PLAIN), PLAIN)
    scratch = course.parent / "t"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1"}
    command = ["chainrule", "grade", PLAIN, "--jobs", "1"]
    with subprocess.Popen(command, cwd=course, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert "1/3 ann" in running.stdout.readline()
        time.sleep(1)  # well into the next notebook
        running.kill()
    said: list[str] = []
    grade(CourseFolder(course), PLAIN, jobs=1, say=said.append)
    assert said[0] == "1 of 3 notebooks were finished before and are not run again"
    assert all_scores(course, PLAIN) == {
        "ann": {"square-asserts": 2.0},
        "bo": {"square-asserts": 2.0},
        "cy": {"square-asserts": 0.0},
    }
    deadline = time.monotonic() + 30
    while processes_in(scratch) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert processes_in(scratch) == []  # what the killed command had started
    assert not list(scratch.glob("chainrule-*"))


def task(student: str) -> Task:
    return Task(student, PLAIN, PLAIN, f"{student}'s result", student, Config())


class Processes(Executor):
    """Like a process pool, with one notebook that kills its process and so its pool."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.broken = False

    def submit(self, function: Any, task: Task) -> Any:  # type: ignore[override]
        future: Future[str] = Future()
        self.broken |= task.student == "bo"
        if self.broken:
            future.set_exception(BrokenProcessPool("terminated abruptly"))
        elif task.student == "di":
            future.set_exception(RuntimeError("no kernel"))
        else:
            future.set_result(task.text)
        return future


def test_a_notebook_that_takes_its_process_down_takes_nobody_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classroom, "ProcessPoolExecutor", Processes)
    got = {
        task.student: outcome for task, outcome in results([task(s) for s in ("ann", "bo", "cy", "di")], 2)
    }
    assert got["ann"] == "ann's result"
    assert got["cy"] == "cy's result"
    assert isinstance(got["bo"], BrokenProcessPool)
    assert isinstance(got["di"], RuntimeError)


def test_who_could_not_be_run_keeps_the_old_score_and_is_named(
    graded_course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(graded_course, "bo", filled(graded_course, {SQUARE: RIGHT}))
    monkeypatch.setattr(classroom, "ProcessPoolExecutor", Processes)
    report, said = graded_again(graded_course, "bo")
    assert said.splitlines()[-1].startswith("1/1 bo")
    assert report.students[0].notes == [
        "not graded: could not be run (BrokenProcessPool: terminated abruptly)"
    ]
    assert all_scores(graded_course) == SCORES


def test_graded_courses_can_be_moved(graded: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(graded, tmp_path / "elsewhere"))
    assert all_scores(moved) == SCORES
