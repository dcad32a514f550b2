"""Grade a whole class: sanitise each notebook, run and judge them in parallel, record them one by one."""

from __future__ import annotations

import os
import threading
import time
from _thread import interrupt_main
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from traitlets.config import Config

from chainrule.course import CourseError, CourseFolder
from chainrule.data import prepare
from chainrule.grading.judge import Judge
from chainrule.grading.run import Run
from chainrule.grading.sanitise import Graft
from chainrule.grading.store import Store
from chainrule.intake.notebook import Unreadable, read

Progress = Callable[[str], None]


@dataclass
class Graded:
    """One student's outcome. Scores by grade_id; None waits for a human."""

    student: str
    scores: dict[str, float | None] = field(default_factory=dict)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def total(self) -> float:
        return round(sum(score or 0.0 for score in self.scores.values()), 6)


@dataclass
class ClassReport:
    """The outcome of grading an assignment: what each item is worth, what each student has."""

    assignment: str
    profile: str
    points: dict[str, float]
    students: list[Graded]
    origins: dict[str, str]


@dataclass(frozen=True)
class Task:
    """One sanitised notebook to run: plain data, so that it travels to another process."""

    student: str
    assignment: str
    notebook: str
    text: str
    key: str
    options: Config


def grade(
    folder: CourseFolder,
    assignment: str,
    *,
    profile: str = "quick",
    students: Sequence[str] = (),
    jobs: int | None = None,
    cell_seconds: int | None = None,
    say: Progress = print,
) -> ClassReport:
    """Grade the submitted notebooks of an assignment.

    A finished run is kept in runs/ and taken from there the next time, as long as nothing it depends on has
    changed; so an interrupted call goes on where it was.

    Args:
        profile: how much data the notebooks see, "quick" or "full".
        students: only these; all who submitted if empty.
        jobs: notebooks at a time; as many as there are cores by default.
        cell_seconds: time limit of one cell, in place of the profile's.
        say: told about progress, a line at a time.
    Raises:
        CourseError: there is no such assignment, or nothing was submitted.
    """
    folder.require(assignment)
    jobs = jobs or os.cpu_count() or 1
    options = folder.config.copy()
    options.Run.profile = profile
    options.Run.threads = max(1, (os.cpu_count() or 1) // jobs)
    if cell_seconds:
        options.Run.seconds = {profile: cell_seconds}
    ensure_assignment(folder, assignment)
    origins = prepare(
        folder.course.data.get(assignment, []), folder.root / folder.course.data_folder, profile
    )
    for name, origin in origins.items():
        say(f"data: {name} is {origin}, {profile} profile")

    store = Store(folder.root / "runs" / assignment)
    options.Run.results = str(store.folder)
    tasks: list[Task] = []
    failures: dict[str, str] = {}  # students without a result, and why
    wanted = submitted(folder, assignment, students)
    for student in wanted:
        try:
            tasks += sanitised(folder, assignment, student, options)
        except Unreadable as error:
            failures[student] = str(error)
    unfinished = [task for task in tasks if store.find(task.key) is None]
    failures |= run_all(unfinished, len(tasks), jobs, store, say)

    recorder = CourseFolder(folder.root, options)
    graded = []
    for student in wanted:
        outcome = Graded(student)
        for finished in (store.find(task.key) for task in tasks if task.student == student):
            if finished is not None:
                about = finished.metadata["chainrule"]
                outcome.seconds += about["seconds"]
                outcome.notes += about["repairs"] + ([about["dead"]] if about["dead"] else [])
                outcome.notes += grader_errors(finished)
        if student in failures:
            outcome.notes.append(f"not graded: {failures[student]}")
        else:
            try:
                folder.succeed(recorder.api.autograde(assignment, student, force=True), "recording")
            except CourseError as error:
                outcome.notes.append(str(error))
        outcome.scores = scores(folder, assignment, student)
        graded.append(outcome)
    return ClassReport(assignment, profile, points(folder, assignment), graded, origins)


def ensure_assignment(folder: CourseFolder, assignment: str) -> None:
    """Make the gradebook know the assignment as source/ has it now."""
    folder.succeed(folder.api.generate_assignment(assignment, force=True), f"releasing {assignment}")


def submitted(folder: CourseFolder, assignment: str, students: Sequence[str]) -> list[str]:
    """The students with a submission, or those asked for."""
    everyone = sorted(
        path.parent.name
        for path in folder.folder("submitted", "*", "x").parent.parent.glob(f"*/{assignment}")
    )
    missing = sorted(set(students) - set(everyone))
    if missing:
        raise CourseError(f"nothing submitted for {assignment} by {', '.join(missing)}")
    if not everyone:
        raise CourseError(
            f"nothing submitted for {assignment}: put the notebooks in a folder and run "
            f"`chainrule intake {assignment} FOLDER`"
        )
    return sorted(students) or everyone


def sanitised(folder: CourseFolder, assignment: str, student: str, options: Config) -> list[Task]:
    """A student's notebooks, ready to run.

    Raises:
        Unreadable: one of them is no notebook, or there is none.
    """
    tasks, run = [], Run(config=options)
    for master in folder.notebooks(assignment):
        path = folder.folder("submitted", student, assignment) / master.name
        if not path.exists():
            continue  # nbgrader records zeros for a missing notebook
        nb = read(path)
        where = {"student": student, "assignment": assignment, "notebook": master.stem}
        nb, _ = Graft(config=options).preprocess(nb, {"nbgrader": where})
        text, key = nbformat.writes(nb), run.key(nb, assignment)
        tasks.append(Task(student, assignment, master.stem, text, key, options))
    if not tasks:
        raise Unreadable("none of the assignment's notebooks was handed in")
    return tasks


def run_all(tasks: Sequence[Task], total: int, jobs: int, store: Store, say: Progress) -> dict[str, str]:
    """Run and judge notebooks in `jobs` processes and keep each result as soon as it is there.

    Returns:
        Students whose notebook could not be run, and why.
    """
    if len(tasks) < total:
        say(f"{total - len(tasks)} of {total} notebooks were finished before and are not run again")
    failures = {}
    started = time.monotonic()
    with closing(results(tasks, jobs)) as finished:
        for done, (task, outcome) in enumerate(finished, start=1):
            if isinstance(outcome, str):
                store.keep(task.key, nbformat.reads(outcome, as_version=4))
            else:
                failures[task.student] = f"could not be run ({type(outcome).__name__}: {outcome})"
            left = (time.monotonic() - started) / done * (len(tasks) - done)
            say(f"{done}/{len(tasks)} {task.student} · about {left:.0f} s left")
    return failures


def results(tasks: Sequence[Task], jobs: int) -> Generator[tuple[Task, str | BaseException]]:
    """Each task with its executed notebook as JSON, or with what prevented it, as they come.

    A notebook that takes down the process it is run from takes its neighbours down, too: those get another
    chance, each in a process of its own.
    """
    bereft = []
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=leave_with_parent) as pool:
        futures = {pool.submit(run_and_judge, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                error = future.exception()
                if isinstance(error, BrokenProcessPool) and len(tasks) > 1:
                    bereft.append(futures[future])
                else:
                    yield futures[future], error or future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for task in bereft:
        yield from results([task], 1)


def leave_with_parent() -> None:
    """Make this process end soon after its parent, even if that is killed."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            interrupt_main()  # a notebook that is running gets its kernel and its folder cleaned up
            time.sleep(10)
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_and_judge(task: Task) -> str:
    """Run one sanitised notebook and judge its graded cells; the notebook as JSON."""
    nb: NotebookNode = nbformat.reads(task.text, as_version=4)
    resources: dict[str, Any] = {
        "nbgrader": {"student": task.student, "assignment": task.assignment, "notebook": task.notebook}
    }
    for step in (Run, Judge):
        nb, resources = step(config=task.options).preprocess(nb, resources)
    return nbformat.writes(nb)


def points(folder: CourseFolder, assignment: str) -> dict[str, float]:
    """What each item is worth, in notebook order."""
    return {
        cell.metadata.nbgrader.grade_id: float(cell.metadata.nbgrader.points)
        for path in folder.notebooks(assignment)
        for cell in nbformat.read(path, as_version=4).cells
        if cell.metadata.get("nbgrader", {}).get("grade")
    }


def scores(folder: CourseFolder, assignment: str, student: str) -> dict[str, float | None]:
    """A student's scores as the gradebook has them; None for what waits for a human."""
    with Gradebook(folder.directory.db_url) as gradebook:
        try:
            submission = gradebook.find_submission(assignment, student)
        except MissingEntry:
            return {}
        return {
            grade.name: None if grade.needs_manual_grade and grade.manual_score is None else grade.score
            for notebook in submission.notebooks
            for grade in notebook.grades
        }


def grader_errors(finished: NotebookNode) -> list[str]:
    """What a person has to look at, a sentence each."""
    return [
        f"{record['grade_id']} waits for a person: {record['grader_error']}"
        for record in (cell.metadata.get("chainrule", {}) for cell in finished.cells)
        if "grader_error" in record
    ]
