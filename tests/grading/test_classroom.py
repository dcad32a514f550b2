"""Grading a class: in parallel, once per notebook, and whatever one student hands in or an instructor interrupts."""

import csv
import gc
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from io import StringIO
from multiprocessing import active_children, forkserver
from pathlib import Path
from typing import Any

import nbformat
import pytest
from command_line import Typed
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook
from tiny_course import (
    ASSERTS,
    CHECKS,
    DOUBLES,
    PLAIN,
    RIGHT,
    SCORES,
    SOLUTION,
    SQUARE,
    TINY,
    filled,
    marked,
    needs_proc,
    notebook,
    processes_in,
    submit,
)
from traitlets.config import Config

from chainrule.course import CourseError, CourseFolder, lacks
from chainrule.grading import classroom
from chainrule.grading.classroom import ClassReport, garbage_collected, grade, sanitised_tasks, scores
from chainrule.grading.judge import Judge
from chainrule.grading.processes import Processes
from chainrule.grading.progress import NotebookProgress
from chainrule.grading.rejudge import valid_outputs
from chainrule.grading.sandbox import WorkerError
from chainrule.grading.store import Store, load_notebook
from chainrule.grading.task import RefereeEnded, RunQueue, Task
from chainrule.release.generate import generate

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # as in `chainrule.cli`


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for temporary files with a short name: sockets are made in it."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        yield Path(folder)


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
    assert rows["di"][:3] == ["0", "0", "0"]
    assert rows["fay"][:3] == ["1", "wait", "1"]
    assert "di: not graded: not a readable notebook" in said
    assert "ed: the kernel died" in said
    assert "fay: cells square-check, why-intro had been changed: restored" in said
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
    report, said = graded_again(graded_course)
    assert "5 of 5 notebooks were finished before and are not run again" in said
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
        ((task,), _) = sanitised_tasks(folder, TINY, "ann", config)
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
    images = graded_course / "data" / "quick" / "raw" / "images"
    images.parent.mkdir(parents=True)
    images.write_bytes(b"one")
    assert unfinished()
    before = os.stat(images)
    images.write_bytes(b"two")  # of the same size
    os.utime(images, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert unfinished()
    shutil.rmtree(graded_course / "data")
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
        grade = gradebook.find_grade("why", TINY, TINY, "ann")
        assert not grade.needs_manual_grade  # it is the answer that was marked


def test_a_hand_in_that_is_gone_keeps_its_marks_and_is_told(graded_course: Path) -> None:
    shutil.rmtree(graded_course / "submitted" / "ann" / TINY)
    report, _ = graded_again(graded_course)
    assert "ann" in report.absent
    assert [note for note in report.notes if note.startswith("ann: the hand-in is gone")]
    assert scores(CourseFolder(graded_course), TINY, "ann") == SCORES["ann"]


def test_a_grader_error_waits_for_a_person(graded_course: Path) -> None:
    """As when the author's cell itself fails: here in the kept result, so that nothing needs to run."""
    (kept,) = [path for path in graded_course.glob("runs/tiny/*") if "With Bo." in path.read_text()]
    store = Store(kept.parent)
    nb = store.find(kept.stem)
    assert nb is not None
    cell = next(cell for cell in nb.cells if cell.id == "square-check")
    cell.outputs[0].data = {"text/plain": "nan"}
    store.keep(kept.stem, nbformat.writes(Judge().preprocess(nb, {})[0]))
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


@pytest.mark.parametrize("second", ["{", "", "[]", None], ids=["cut", "empty", "no notebook", "missing"])
def test_a_notebook_that_cannot_be_read_costs_itself_alone(course: Path, second: str | None) -> None:
    source = course / "source" / PLAIN
    nb = nbformat.read(source / f"{PLAIN}.ipynb", as_version=4)
    for cell in nb.cells:
        cell.metadata.nbgrader.grade_id = f"second-{cell.metadata.nbgrader.grade_id}"
    nbformat.write(nb, source / "second.ipynb")
    folder = CourseFolder(course)
    generate(folder, PLAIN)
    submit(course, "ann", filled(course, {SQUARE: RIGHT}, PLAIN), PLAIN)
    handed_in = course / "submitted" / "ann" / PLAIN
    if second is not None:
        (handed_in / "second.ipynb").write_text(second)
    for _ in range(2):  # the second time from what was kept
        (ann,) = grade(folder, PLAIN, jobs=1).students
        assert ann.scores == {"square-asserts": 2.0, "second-square-asserts": 0.0}
        assert any("second not graded: not a readable notebook" in note for note in ann.notes) == (
            second is not None
        )
    with Gradebook(folder.directory.db_url) as gradebook:
        said = gradebook.find_comment(SQUARE, PLAIN, PLAIN, "ann").auto_comment or ""
        assert ("Not graded: second: not a readable notebook" in said) == (second is not None)
    assert (course / "autograded" / "ann" / PLAIN / f"{PLAIN}.ipynb").exists()
    nbformat.write(nb, handed_in / "second.ipynb")  # handed in again, readable
    (ann,) = grade(folder, PLAIN, jobs=1).students
    assert ann.scores == {"square-asserts": 2.0, "second-square-asserts": 2.0}
    assert not any("not graded" in note for note in ann.notes)
    with Gradebook(folder.directory.db_url) as gradebook:
        assert "Not graded" not in (gradebook.find_comment(SQUARE, PLAIN, PLAIN, "ann").auto_comment or "")


# ---- accidents ---------------------------------------------------------------------------------------------

SLOW = f"{RIGHT}\nimport time\ntime.sleep(4)"


@needs_proc
def test_a_class_of_thirty_killed_in_the_middle_goes_on_where_it_was(course: Path, scratch: Path) -> None:
    answers = {f"s{n:02}": [RIGHT, DOUBLES, ""][n % 3] + f"\n# {n}" for n in range(30)}
    for student, answer in answers.items():
        submit(course, student, filled(course, {SQUARE: answer}, PLAIN), PLAIN)
    environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1"}
    command = ["chainrule", "grade", PLAIN, "--jobs", "2"]
    with subprocess.Popen(command, cwd=course, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert any(line.startswith("11/30 ") for line in running.stdout)
        running.kill()
    finished = {path: path.stat().st_mtime_ns for path in course.glob(f"runs/{PLAIN}/*.ipynb")}
    assert 11 <= len(finished) < 30
    said: list[str] = []
    report = grade(CourseFolder(course), PLAIN, jobs=2, say=said.append)
    assert said[0] == f"{len(finished)} of 30 notebooks were finished before and are not run again"
    assert all(path.stat().st_mtime_ns == moment for path, moment in finished.items())
    right = {student: 2.0 if answer.startswith(RIGHT) else 0.0 for student, answer in answers.items()}
    assert all_scores(course, PLAIN) == {s: {"square-asserts": score} for s, score in right.items()}
    assert {graded.student: graded.total for graded in report.students} == right
    for student, score in right.items():  # the notebook a person looks at, too
        graded = nbformat.read(course / "autograded" / student / PLAIN / f"{PLAIN}.ipynb", as_version=4)
        assert graded.cells[1].metadata.chainrule.score == score
    deadline = time.monotonic() + 300
    while processes_in(scratch) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert processes_in(scratch) == []  # what the killed command had started, the fork server included
    assert [path for path in scratch.iterdir() if not path.name.startswith("pymp-")] == []  # Python's own


@needs_proc
def test_ctrl_c_leaves_one_line_and_nothing_running(course: Path, scratch: Path) -> None:
    for student, answer in {"ann": RIGHT, "bo": SLOW, "cy": SLOW + "\n"}.items():
        submit(course, student, filled(course, {SQUARE: answer}, PLAIN), PLAIN)
    environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        ["chainrule", "grade", PLAIN, "--jobs", "2"],
        cwd=course,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("1/3 ann 2 of 2")
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        out, err = running.communicate(timeout=300)
    assert (running.returncode, out) == (130, "")
    assert err == "chainrule: interrupted; run the same command again to go on.\n"
    assert len(list(course.glob(f"runs/{PLAIN}/*"))) == 1
    assert processes_in(scratch) == []
    assert [path for path in scratch.iterdir() if not path.name.startswith("pymp-")] == []  # Python's own


def test_what_a_record_leaves_is_soon_collected() -> None:
    """Garbage that has been in use for a while: Python itself waits until there is a quarter more of everything."""

    class Node:
        def __init__(self) -> None:
            self.itself = self

    kept: list[list[int]] = [[] for _ in range(1_000_000)]  # as a class that is planned
    gc.collect()
    records = []
    with garbage_collected():
        for _ in range(60):
            record = [Node() for _ in range(2_000)]
            gc.collect(1)  # it has survived this, and is old
            records.append(weakref.ref(record[0]))
            del record
    assert sum(record() is not None for record in records) < 30
    assert len(kept) == 1_000_000


@pytest.fixture
def heeding_ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_ends_a_class_even_if_python_drops_it(heeding_ctrl_c: None) -> None:
    """It does where it runs a destructor. The graders, which get it as well, have ended by then."""

    class Interrupted:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    class Done:
        slots, threads = 1, 1

        def submit(self, task: Task, attempt: int) -> "Future[str]":
            future: Future[str] = Future()
            future.set_result("judged")
            return future

        def events(self) -> list[str]:
            return []

    queue = RunQueue(Done(), print)
    for student in ("ann", "bo"):
        queue.submit(broken(student))
    finished = queue.finished()
    assert next(finished)[1] == "judged"
    Interrupted()
    with pytest.raises(KeyboardInterrupt):
        next(finished)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def broken(student: str) -> Task:
    """A task that no process can run."""
    return Task(student, PLAIN, PLAIN, "{", student, Config())


def plain_tasks(course: Path, answers: dict[str, str]) -> list[Task]:
    for student, answer in answers.items():
        submit(course, student, filled(course, {SQUARE: answer}, PLAIN), PLAIN)
    folder = CourseFolder(course)
    return [task for student in answers for task in sanitised_tasks(folder, PLAIN, student, folder.config)[0]]


def outcomes(runs: RunQueue, tasks: list[Task]) -> dict[str, float | str]:
    """What became of each student's task: a score, or why it has none."""
    for task in tasks:
        runs.submit(task)
    got: dict[str, float | str] = {}
    for task, outcome in runs.finished():
        if isinstance(outcome, str):
            got[task.student] = nbformat.reads(outcome, as_version=4).cells[1].metadata.chainrule.score
        else:
            got[task.student] = str(outcome)
    return got


@needs_proc
def test_what_the_backend_loses_is_run_again_and_nothing_else(course: Path) -> None:
    """A task that cannot be run, a killed process, a killed fork server: neighbours don't notice."""
    tasks = plain_tasks(course, {"ann": SLOW, "bo": RIGHT, "cy": DOUBLES})
    said: list[str] = []

    def accidents() -> None:
        while not active_children():
            time.sleep(0.05)
        os.kill(active_children()[0].pid or 0, signal.SIGKILL)
        while not said:
            time.sleep(0.05)
        os.kill(fork_server_pid(), signal.SIGKILL)

    with Processes(2) as backend:
        vandal = threading.Thread(target=accidents)
        vandal.start()
        runs = RunQueue(backend, said.append)
        got = outcomes(runs, tasks[:2])
        vandal.join()
        got |= outcomes(runs, [broken("di"), tasks[2]])
    assert {student: got[student] for student in ("ann", "bo", "cy")} == {"ann": 2.0, "bo": 2.0, "cy": 0.0}
    assert str(got["di"]).startswith("JSONDecodeError: ")
    killed = [line for line in said if not line.startswith("di:")]
    assert len(killed) == 1
    assert "trying again (its process ended, exit code " in killed[0]
    assert [line.split("(")[0] for line in said if line.startswith("di:")] == ["di: trying again "] * 2
    assert not active_children()


@needs_proc
def test_a_fork_server_killed_this_moment_is_replaced(course: Path) -> None:
    said: list[str] = []
    with Processes(1) as backend:
        tasks = plain_tasks(course, {"ann": RIGHT})
        os.kill(fork_server_pid(), signal.SIGKILL)
        assert outcomes(RunQueue(backend, said.append), tasks) == {"ann": 2.0}
    assert said == []  # no notebook was tried twice for that


def fork_server_pid() -> int:
    pid = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    assert isinstance(pid, int)
    return pid


@needs_proc
def test_processes_are_forked_from_one_that_has_torch_and_a_single_thread(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with Processes(1) as backend:
        outcomes(RunQueue(backend, print), [broken("di")])
        server = Path(f"/proc/{fork_server_pid()}")
        assert len(list((server / "task").iterdir())) == 1
        assert "libtorch_cpu" in (server / "maps").read_text()
    assert os.environ["OMP_NUM_THREADS"] == "3"


class Breakable:
    """A backend that fails so many times for each student."""

    slots, threads = 2, 1

    def __init__(self, **failures: int) -> None:
        self.failures, self.attempts = failures, list[tuple[str, int]]()

    def __enter__(self) -> "Breakable":
        return self

    def __exit__(self, *_: object) -> None: ...

    def events(self) -> list[str]:
        return []

    def submit(self, task: Task, attempt: int) -> "Future[str]":
        future: Future[str] = Future()
        self.attempts.append((task.student, attempt))
        if attempt <= self.failures.get(task.student, 0):
            future.set_exception(WorkerError("no kernel"))
        else:
            nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(id=str(i)) for i in range(2)])
            nb.cells[1].metadata.chainrule = {"score": 1.0}
            future.set_result(nbformat.writes(nb))
        return future


def test_only_the_backend_gets_second_and_third_chances_and_each_is_told() -> None:
    backend, said = Breakable(bo=2, cy=3), list[str]()
    got = outcomes(RunQueue(backend, said.append), [broken(student) for student in ("ann", "bo", "cy")])
    assert got == {"ann": 1.0, "bo": 1.0, "cy": "no kernel"}
    assert sorted(said) == ["bo: trying again (no kernel)"] * 2 + ["cy: trying again (no kernel)"] * 2
    assert sorted(backend.attempts) == [
        ("ann", 1), ("bo", 1), ("bo", 2), ("bo", 3), ("cy", 1), ("cy", 2), ("cy", 3),
    ]  # fmt: skip


class Fatal:
    """A backend whose process ends at these cells of each notebook, until they are not run any more."""

    slots, threads = 1, 1

    def __init__(self, *cells: int) -> None:
        self.cells = cells

    def events(self) -> list[str]:
        return []

    def submit(self, task: Task, attempt: int) -> "Future[str]":
        future: Future[str] = Future()
        for cell in self.cells:
            if task.ended.count(cell) < 2:
                future.set_exception(RefereeEnded("its process ended in a graded cell, exit code -9", cell))
                return future
        nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(id=str(i)) for i in range(2)])
        nb.cells[1].metadata.chainrule = {"score": 1.0}
        future.set_result(nbformat.writes(nb))
        return future


def test_graded_cells_that_end_their_process_twice_cost_a_failed_check_each() -> None:
    said = list[str]()
    assert outcomes(RunQueue(Fatal(3, 5, 8), said.append), [broken("ann")]) == {"ann": 1.0}
    assert said == ["ann: trying again (its process ended in a graded cell, exit code -9)"] * 6


def test_who_could_not_be_run_keeps_the_old_score_and_is_named(
    graded_course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(graded_course, "bo", filled(graded_course, {SQUARE: RIGHT}))
    monkeypatch.setattr(classroom, "Processes", lambda jobs, preload: Breakable(bo=3))
    report, said = graded_again(graded_course, "ann", "bo")
    assert said.splitlines()[-1] == "1/1 bo not graded: tiny could not be run (no kernel)"
    assert [graded.internal_error for graded in report.students] == [
        "",
        "not graded: tiny could not be run (no kernel)",
    ]
    assert all_scores(graded_course) == SCORES


def test_the_time_left_is_that_of_parallel_work() -> None:
    """Forty notebooks of 10 s each, four at a time."""
    clock, said = 0.0, {}
    progress = NotebookProgress(40, lambda: clock)
    for done in range(1, 41):
        clock = 10.0 * math.ceil(done / 4)
        progress.finish_one()
        said[done] = progress.time_left()
    assert said[4] == " · about 90 s left"
    assert said[32] == " · about 20 s left"
    assert said[40] == ""


def test_a_terminal_shows_a_bar_below_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", terminal)
    with NotebookProgress(3) as progress:
        progress.finish_one()
        print(f"1/3 ann 2 of 2{progress.time_left()}", flush=True)
    assert "1/3 ann 2 of 2\n" in terminal.getvalue()
    assert re.search(r"notebooks .*━.*1/3", terminal.getvalue())


# ---- a changed check ---------------------------------------------------------------------------------------

TRACED = "import time\nprint(time.time_ns())"


def traced_course(course: Path, **changed: str) -> Path:
    """A course with an assignment `traced`: three items, each below a cell that prints the time.

    The first two are judged by the referee and leave a trace in judged.txt; the third has plain asserts.
    """
    trace = f"open({str(course / 'judged.txt')!r}, 'a').write(item.grade_id + ' ')"
    cells = [marked(new_code_cell(SOLUTION.strip()), SQUARE, solution=True)]
    for name in ("one", "two", "three"):
        cells.append(marked(new_code_cell(TRACED), f"{name}-time"))
        source = CHECKS.strip().replace("square-check", f"{name}-check")
        source = (
            ASSERTS.strip() if name == "three" else source.replace("item.score()", f"{trace}; item.score()")
        )
        cells.append(marked(new_code_cell(changed.get(name, source)), f"{name}-check", 4))
    cells.append(marked(new_code_cell(TRACED), "last-time"))
    path = course / "source" / "traced" / "traced.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook(cells), path)
    return path


def read_traced(course: Path) -> dict[str, Any]:
    """The graded notebook's cells by name, as a person finds them in autograded/."""
    nb = nbformat.read(course / "autograded" / "ann" / "traced" / "traced.ipynb", as_version=4)
    return {cell.id: cell for cell in nb.cells}


def printed(cells: dict[str, Any]) -> dict[str, str]:
    return {
        name.removesuffix("-time"): cell.outputs[0].text for name, cell in cells.items() if "-time" in name
    }


def test_a_changed_check_judges_again_only_what_it_must(course: Path) -> None:
    path = traced_course(course)
    submit(course, "ann", nbformat.reads(path.read_text().replace("x * x", "x * 2"), as_version=4), "traced")
    said: list[str] = []

    def again(**options: Any) -> tuple[dict[str, Any], str]:
        (course / "judged.txt").write_text("")
        report = grade(CourseFolder(course), "traced", jobs=1, say=said.append, **options)
        assert report.students[0].internal_error == ""
        return read_traced(course), "\n".join(report.changes)

    first, changes = again(diff=True)
    assert "ann one-check – → 1" in changes
    assert (course / "judged.txt").read_text() == "one-check two-check "

    # a hidden check of the second item, judged by the referee
    nb = nbformat.read(path, as_version=4)
    nb.cells[4].source = nb.cells[4].source.replace(".equals(9)", ".equals(-6)")
    nbformat.write(nb, path)
    second, changes = again(diff=True)
    assert said[-2:] == [
        "1 of 1 notebooks are judged again only where a check has changed",
        "1/1 ann 3 of 12",
    ]
    assert changes == 'ann two-check 1 → 2: "squares -3" passes now, because the checks changed'
    assert (course / "judged.txt").read_text() == "two-check "
    ran = {name for name, text in printed(second).items() if text != printed(first)[name]}
    assert ran == {"one", "two"}
    assert second["one-check"] == first["one-check"]

    # an assert that runs among the student's cells, so that all below it may be different
    nb.cells[6].source = "assert square(2) == 4"
    nbformat.write(nb, path)
    third, changes = again(diff=True)
    assert (course / "judged.txt").read_text() == ""
    assert all(text != printed(second)[name] for name, text in printed(third).items())
    assert [third[name] for name in ("one-check", "two-check")] == [
        second[name] for name in ("one-check", "two-check")
    ]
    assert "ann three-check 0 → 4" in changes

    # a whole run gives the same, but for the time of day
    shutil.rmtree(course / "runs")
    whole, changes = again(diff=True)
    assert (course / "judged.txt").read_text() == "one-check two-check "
    assert changes == ""
    for cells in (third, whole):
        for name, cell in cells.items():
            cell.metadata.pop("execution", None)  # when it ran
            if "-time" in name:
                cell.outputs = []
    assert third == whole


@needs_proc
def test_an_answer_whose_check_kills_the_grader_fails_that_check_alone(course: Path) -> None:
    deadly = CHECKS.strip().replace("square-check", "two-check")
    deadly = deadly.replace("### BEGIN", "import os\n\n\n### BEGIN", 1)
    deadly = deadly.replace(
        "expect(student.square(-3)",
        "student.square(-3) < 0 and os.kill(os.getpid(), 9)\n    expect(student.square(-3)",
    )
    path = traced_course(course, two=deadly)
    for student, answer in (("ann", "x * x"), ("bo", "x * 2")):
        submit(
            course, student, nbformat.reads(path.read_text().replace("x * x", answer), as_version=4), "traced"
        )
    said: list[str] = []
    report = grade(CourseFolder(course), "traced", jobs=2, say=said.append)
    assert not any(graded.internal_error for graded in report.students)
    folder = CourseFolder(course)
    assert scores(folder, "traced", "ann") == {f"{n}-check": 4.0 for n in ("one", "two", "three")}
    assert scores(folder, "traced", "bo") == {"one-check": 1.0, "two-check": 0.0, "three-check": 0.0}
    assert said.count("bo: trying again (its process ended in a graded cell, exit code -9)") == 2


def test_only_a_sound_result_of_the_same_answers_is_built_upon(graded_course: Path) -> None:
    folder = CourseFolder(graded_course)
    ((ann,), _) = sanitised_tasks(folder, TINY, "ann", folder.config)
    store = Store(graded_course / "runs" / TINY)
    earlier = store.find(ann.key)
    assert earlier is not None
    changed = nbformat.reads(ann.text, as_version=4)
    changed.cells[5].source += "\n# changed"
    changed.metadata.chainrule["depends"]["source notebook"] = "another"

    def kept(before: Any, **parts: str) -> set[int]:
        nb = nbformat.from_dict(changed)
        nb.metadata.chainrule["depends"].update(parts)
        return {int(place) for place in json.loads(valid_outputs(nbformat.writes(nb), before))}

    everything = {place for place, cell in enumerate(changed.cells) if cell.cell_type == "code"}
    assert 5 in everything
    assert kept(earlier) == {place for place in everything if place > 5}
    for part in ("hand-in", "answers", "data", "chainrule", "packages", "limits", "profile", "files"):
        assert kept(earlier, **{part: "another"}) == set()
    changed.cells[4].source += "\n# and a cell of the student's kernel"
    assert kept(earlier) == set()
    changed.cells[4].source = earlier.cells[4].source
    changed.cells[0].source += " (text)"
    assert kept(earlier) == {place for place in everything if place > 5}
    died = nbformat.from_dict(earlier)
    died.metadata.chainrule["failure"] = "the kernel died"
    assert kept(died) == set()


def test_runs_and_notebooks_of_earlier_versions_are_read(graded_course: Path) -> None:
    """They have other names for the failure and the busy seconds in their metadata."""
    written = [*graded_course.glob("runs/tiny/*.ipynb"), *graded_course.glob("autograded/*/tiny/tiny.ipynb")]
    for path in written:
        text = path.read_text()
        assert '"failure": ' in text
        path.chmod(0o644)
        path.write_text(text.replace('"failure": ', '"dead": ').replace('"busy_seconds": ', '"compute": '))
    report, said = graded_again(graded_course, diff=True)
    assert "5 of 5 notebooks were finished before" in said
    assert report.changes == []
    assert next(graded.notes for graded in report.students if graded.student == "ed")[:1] == [
        "the kernel died"
    ]
    folder = CourseFolder(graded_course)
    for student, valid in (("ann", True), ("ed", False)):
        ((task,), _) = sanitised_tasks(folder, TINY, student, folder.config)
        earlier = load_notebook(graded_course / "autograded" / student / TINY / f"{TINY}.ipynb")
        assert earlier is not None
        assert (valid_outputs(task.text, earlier) != "{}") == valid


def test_graded_courses_can_be_moved(graded: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(graded, tmp_path / "elsewhere"))
    assert all_scores(moved) == SCORES


def test_a_check_that_crashes_costs_no_points_and_is_told_to_staff(
    course: Path, chainrule: Callable[..., Typed]
) -> None:
    path = course / "source" / TINY / f"{TINY}.ipynb"
    nb = nbformat.read(path, as_version=4)
    check = next(cell for cell in nb.cells if cell.id == "square-check")
    check.source = check.source.replace("student.square(0.5)", "len(student.square(0.5))")
    nbformat.write(nb, path)
    for student, answer in {"ann": RIGHT, "bo": DOUBLES}.items():
        submit(course, student, filled(course, {SQUARE: answer}))
    code, out, _ = chainrule("grade", TINY, "--jobs", 1, "--course", course)
    assert code == 0
    told = "square-check: its check 'squares 0.5' stopped with an error of its own for ann, bo, whose points wait"
    (place,) = (i for i, line in enumerate(out.splitlines()) if told in line)
    assert "Traceback" in out.splitlines()[place + 1]
    assert "TypeError: object of type 'float' has no len()" in out
    assert scores(CourseFolder(course), TINY, "ann")["square-check"] is None
    with Gradebook(CourseFolder(course).directory.db_url) as gradebook:
        grade = gradebook.find_grade("square-check", TINY, TINY, "ann")
        assert (grade.auto_score, grade.needs_manual_grade) == (2, True)
    status = chainrule("status", TINY, "--course", course)[1]
    assert (
        "square-check: its checks themselves had an error for 2 (ann, bo), whose points wait for a person"
        in status
    )
    assert (
        "correct them and run `chainrule grade tiny`, which names the error, or give the points by `chainrule mark"
        in status
    )
    chainrule("marks", TINY, "--course", course)
    with (course / "marks" / f"{TINY}.csv").open(newline="") as file:
        notes = {row["student_id"]: row["note"] for row in csv.DictReader(file)}
    why = "its check 'squares 0.5' stopped with an error of its own: TypeError: object of type 'float' has no len()"
    assert notes["ann"] == f"square-check waits for a person: {why}"
    with Gradebook(CourseFolder(course).directory.db_url) as gradebook:
        gradebook.find_grade("square-check", TINY, TINY, "ann").manual_score = 3
        gradebook.db.commit()
    assert "for 1 (bo), whose points wait" in chainrule("status", TINY, "--course", course)[1]
    chainrule("feedback", TINY, "--student", "bo", "--course", course)
    page = (course / "feedback" / "bo" / TINY / f"{TINY}.html").read_text()
    assert "this check itself stopped with an error: a person is looking at it and gives its points" in page
    assert "has no len()" not in page
    assert "squares 0.5" not in page  # disclosed never, as before


def test_what_many_students_share_is_one_line(
    course: Path, chainrule: Callable[..., tuple[int, str, str]]
) -> None:
    for student in ("ann", "bo"):
        submit(course, student, "{ this is no notebook")
    code, out, _ = chainrule("grade", TINY, "--course", course)
    assert code == 0
    assert out.count("not a readable notebook") == 1
    assert "ann, bo: not graded: not a readable notebook" in out


@pytest.mark.skipif(not lacks("tensorflow"), reason="TensorFlow is here")
def test_a_framework_that_is_not_here_is_told_in_a_sentence_and_the_others_are_graded(course: Path) -> None:
    folder = CourseFolder(course)
    (path,) = folder.notebooks(PLAIN)
    nb = nbformat.read(path, as_version=4)
    nb.metadata["chainrule"] = {"framework": "tensorflow"}
    nbformat.write(nb, path.with_name("other.ipynb"))
    submit(course, "ann", filled(course, {SQUARE: RIGHT}, PLAIN), PLAIN)
    shutil.copy(submit(course, "bo", filled(course, {SQUARE: RIGHT}, PLAIN), PLAIN), course / "other.ipynb")
    shutil.move(course / "other.ipynb", course / "submitted" / "bo" / PLAIN / "other.ipynb")
    lines: list[str] = []
    generate(folder, PLAIN)
    ann, bo = grade(folder, PLAIN, jobs=1, say=lines.append).students
    told = "TensorFlow isn't installed here: run pip install 'chainrule[tensorflow]'"
    assert ann.internal_error == ""
    assert bo.notes == [f"not graded: other could not be run ({told})"]
    assert not [line for line in lines if "trying again" in line]
