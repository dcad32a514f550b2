"""Grade a whole class: notebooks run and are judged in parallel, one writer records each student when ready."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from traitlets.config import Config

from chainrule.course import CourseError, CourseFolder
from chainrule.datasets.registry import prepare
from chainrule.grading.changes import Standing, changes, standing
from chainrule.grading.processes import Processes
from chainrule.grading.record import for_a_person, record_nothing, tell_unreadable
from chainrule.grading.rejudge import is_check, refereed, still_valid
from chainrule.grading.run import Run
from chainrule.grading.sandbox import WorkerError, confinement
from chainrule.grading.sanitise import Graft, extra_notebooks
from chainrule.grading.store import Store, depends_of, key, readable
from chainrule.grading.task import Machinery, Progress, Runs, Task
from chainrule.intake.notebook import Unreadable, read


@dataclass
class Graded:
    """One student's outcome. Scores by grade_id; None waits for a human."""

    student: str
    scores: dict[str, float | None] = field(default_factory=dict)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    trouble: str = ""  # what kept us from grading: not the student's fault, and worth another call

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
    sandbox: set[str] = field(default_factory=set)  # what was around the student's cells
    changes: list[str] = field(default_factory=list)  # against the gradebook as it was, if asked for
    unprotected: list[str] = field(default_factory=list)  # items whose checks student code can reach


def grade(
    folder: CourseFolder,
    assignment: str,
    *,
    profile: str = "quick",
    students: Sequence[str] = (),
    jobs: int | None = None,
    cell_seconds: int | None = None,
    cluster: str = "",
    gpu: bool = False,
    require_sandbox: bool = False,
    diff: bool = False,
    machine: Machinery | None = None,
    say: Progress = print,
) -> ClassReport:
    """Grade the submitted notebooks of an assignment.

    A finished run is kept in runs/ and taken from there the next time, as long as nothing it depends on has
    changed; so an interrupted call goes on where it was.

    Args:
        profile: how much data the notebooks see, "quick" or "full".
        students: only these; all who submitted if empty.
        jobs: notebooks at a time on this machine; as many as there are cores by default.
        cell_seconds: time limit of one cell, in place of the profile's.
        cluster: address of a Dask scheduler whose workers run the notebooks, instead of this machine.
        gpu: the notebooks may use a GPU.
        require_sandbox: run nothing outside a sandbox.
        diff: find out whose score changes, and why.
        machine: where to run them, instead of what `jobs` and `cluster` say.
        say: told about progress, a line at a time.
    Raises:
        CourseError: there is no such assignment, nothing was submitted, or nothing can be run.
    """
    folder.require(assignment)
    options = deepcopy(folder.config)
    options.Run.profile = profile
    if cell_seconds:
        options.Run.seconds = {profile: cell_seconds}
    if gpu:
        options.Run.gpu = True
    if require_sandbox:
        options.Run.require_sandbox = True
    if not cluster and confinement().warning:  # a cluster's workers speak for themselves
        if options.Run.get("require_sandbox"):
            raise CourseError(f"{confinement().warning} Nothing was run, because a sandbox is required.")
        say(confinement().warning)
    ensure_assignment(folder, assignment)
    origins = prepare(
        folder.course.data.get(assignment, []), folder.root / folder.course.data_folder, profile
    )
    for name, origin in origins.items():
        say(f"data: {name} is {origin}, {profile} profile")
    wanted = submitted(folder, assignment, students)
    writer = Writer(folder, assignment, options, diff=diff)
    with nullcontext(machine) if machine else machinery(folder, jobs, cluster, gpu=gpu) as chosen:
        options.Run.threads = chosen.threads
        run_all(writer, wanted, chosen, say)
    return ClassReport(
        assignment,
        profile,
        writer.points,
        [writer.graded[student] for student in wanted],
        origins,
        writer.sandbox,
        writer.changes,
        unprotected(folder, assignment),
    )


def machinery(
    folder: CourseFolder, jobs: int | None, cluster: str, *, gpu: bool
) -> AbstractContextManager[Machinery]:
    """Where the notebooks are run."""
    if cluster:
        from chainrule.grading.cluster import Cluster  # Dask takes a second to import

        return Cluster(cluster, folder.root, gpu=gpu)
    return Processes(jobs)


def run_all(writer: Writer, students: Sequence[str], machine: Machinery, say: Progress) -> None:
    """Have every notebook run that is not finished, and each student recorded when all of theirs are."""
    runs, started = Runs(machine, say), time.monotonic()
    missing: Counter[str] = Counter()  # notebooks not finished yet
    finished = again = 0
    for student in students:
        for task in writer.tasks(student):
            if (needed := writer.to_run(task)) is None:
                finished += 1
                continue
            runs.submit(needed)
            missing[student] += 1
            again += needed.kept != "{}"
    total, many = missing.total(), len(missing)
    if finished:
        say(f"{finished} of {finished + total} notebooks were finished before and are not run again")
    if again:
        say(f"{again} of {total} notebooks are judged again only where a check has changed")
    for student in students:
        if not missing[student]:
            writer.record(student)
    missing += Counter()  # only those still to come
    for task, outcome in runs.finished():
        if isinstance(outcome, str):
            writer.store.keep(task.key, outcome)
        else:
            writer.failed(task, outcome)
        missing[task.student] -= 1
        if not missing[task.student]:
            del missing[task.student]
            writer.record(task.student)
            line = f"{many - len(missing)}/{many} {writer.summary(task.student)}"
            left = seconds_left(time.monotonic() - started, total - missing.total(), total, machine.places)
            say(f"{line} · about {shown(left)} left" if missing else line)


def seconds_left(elapsed: float, done: int, total: int, places: int) -> float:
    """How long the rest will take, if those that are running are half done on average."""
    running = min(places, total - done)
    each = elapsed * places / (done + running / 2)  # a notebook takes this long, in its place
    return each * max(0.5, (total - done - running / 2) / places)


def shown(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


class Writer:
    """Records students in the gradebook: the only one who does while a class is graded.

    Args:
        options: the course's configuration as this grading has it.
        diff: compare with the gradebook as it was.
    """

    def __init__(self, folder: CourseFolder, assignment: str, options: Config, *, diff: bool = False) -> None:
        self.folder, self.assignment, self.options, self.diff = folder, assignment, options, diff
        self.store = Store(folder.root / "runs" / assignment)
        recording = deepcopy(options)
        recording.Run.results = str(self.store.folder)
        self.recorder = CourseFolder(folder.root, recording)
        self.points = points(folder, assignment)
        self.graded: dict[str, Graded] = {}
        self.results: dict[str, list[Task]] = {}
        self.unreadable: dict[
            str, dict[str, str]
        ] = {}  # by student, of notebooks beside others that can be read
        self.sandbox: set[str] = set()
        self.changes: list[str] = []

    def tasks(self, student: str) -> list[Task]:
        """A student's notebooks, ready to run; none if that can't be."""
        self.graded[student] = Graded(student)
        try:
            tasks, unreadable = sanitised(self.folder, self.assignment, student, self.options)
            self.results[student], self.unreadable[student] = tasks, unreadable
            self.graded[student].notes += [f"{name} not graded: {why}" for name, why in unreadable.items()]
        except Unreadable as error:
            self.results[student] = []
            self.graded[student].notes.append(f"not graded: {error}")
            record_nothing(self.folder, self.assignment, student, str(error))
        extra = extra_notebooks(self.folder, self.assignment, student)
        self.graded[student].notes += [f"{name} is none of the assignment's notebooks" for name in extra]
        return self.results[student]

    def to_run(self, task: Task) -> Task | None:
        """The task, with what an earlier run of the same answers still tells; None if it is finished."""
        if self._wanted(task.key):
            return None
        graded = self.folder.folder("autograded", task.student, self.assignment) / f"{task.notebook}.ipynb"
        parts = depends_of(readable(graded))
        earlier = self._wanted(key(parts)) if parts else None
        return replace(task, kept=still_valid(task.text, earlier)) if earlier else task

    def _wanted(self, key: str) -> NotebookNode | None:
        """The result kept under a key, if it is one that we would make now."""
        result = self.store.find(key)
        if result is None or not self.options.Run.get("require_sandbox"):
            return result
        return result if result.metadata["chainrule"].get("sandbox") == "bubblewrap" else None

    def failed(self, task: Task, error: WorkerError) -> None:
        """Take down that a notebook could not be run; the student's old score stays."""
        outcome = self.graded[task.student]
        outcome.trouble = f"not graded: {task.notebook} could not be run ({error})"
        outcome.notes.append(outcome.trouble)

    def record(self, student: str) -> None:
        """Write a student's results into the gradebook and autograded/."""
        outcome, tasks = self.graded[student], self.results[student]
        before = self._standing(student) if self.diff else None
        if tasks and not outcome.trouble:
            for task in tasks:
                self._take_down(task)
            try:
                with self._readable(student) as recorder:
                    done = recorder.api.autograde(self.assignment, student, force=True)
                self.folder.succeed(done, "recording")
                if unreadable := self.unreadable[student]:
                    tell_unreadable(self.folder, self.assignment, student, unreadable)
            except CourseError as error:
                outcome.trouble = str(error)
                outcome.notes.append(outcome.trouble)
        outcome.scores = scores(self.folder, self.assignment, student)
        if before:
            self.changes += changes(student, before, self._standing(student))

    @contextmanager
    def _readable(self, student: str) -> Iterator[CourseFolder]:
        """The course for nbgrader, where the student handed in only what can be read; the rest counts as missing."""
        if not self.unreadable[student]:
            yield self.recorder
            return
        handed_in = self.folder.folder("submitted", student, self.assignment)
        left_out = shutil.ignore_patterns(*(f"{name}.ipynb" for name in self.unreadable[student]))
        with TemporaryDirectory(prefix="chainrule-") as root:
            options = deepcopy(self.recorder.config)
            options.CourseDirectory.submitted_directory = root
            recorder = CourseFolder(self.folder.root, options)
            shutil.copytree(
                handed_in, recorder.folder("submitted", student, self.assignment), ignore=left_out
            )
            yield recorder

    def summary(self, student: str) -> str:
        """A student's outcome in a line."""
        outcome = self.graded[student]
        if outcome.trouble:
            return f"{student} {outcome.trouble}"
        waiting = sum(score is None for score in outcome.scores.values())
        waits = f", {waiting} item{'s' * (waiting > 1)} waiting" if waiting else ""
        return f"{student} {outcome.total:g} of {sum(self.points.values()):g}{waits}"

    def _take_down(self, task: Task) -> None:
        """What the report says about a result."""
        result, outcome = self.store.find(task.key), self.graded[task.student]
        if result is not None:
            about = result.metadata["chainrule"]
            outcome.seconds += about["seconds"]
            outcome.notes += nbformat.v4.reads(task.text).metadata["chainrule"]["repairs"]
            outcome.notes += ([about["dead"]] if about["dead"] else []) + reviews(result)
            self.sandbox |= {about["sandbox"]} if "sandbox" in about else set()

    def _standing(self, student: str) -> Standing:
        now = scores(self.folder, self.assignment, student)
        return standing(self.folder, self.assignment, student, now)


def ensure_assignment(folder: CourseFolder, assignment: str) -> None:
    """Make the gradebook know the assignment as source/ has it now."""
    folder.succeed(folder.api.generate_assignment(assignment, force=True), f"releasing {assignment}")


def unprotected(folder: CourseFolder, assignment: str) -> list[str]:
    """The items whose checks can't run in the referee."""
    return [
        cell.metadata.nbgrader.grade_id
        for path in folder.notebooks(assignment)
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and is_check(cell) and not refereed(cell)
    ]


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


def sanitised(
    folder: CourseFolder, assignment: str, student: str, options: Config
) -> tuple[list[Task], dict[str, str]]:
    """A student's notebooks, ready to run, and why others cannot be read, by their names.

    Raises:
        Unreadable: none can be read, there is none, or there is something that is no file.
    """
    only_files(folder.folder("submitted", student, assignment))
    tasks, run = [], Run(config=options)
    unreadable: dict[str, str] = {}
    for master in folder.notebooks(assignment):
        path = folder.folder("submitted", student, assignment) / master.name
        if not path.exists():
            continue  # nbgrader records zeros for a missing notebook
        where = {"student": student, "assignment": assignment, "notebook": master.stem}
        try:
            nb, _ = Graft(config=options).preprocess(read(path), {"nbgrader": where})
        except Unreadable as error:
            unreadable[master.stem] = str(error)
            continue
        nb.metadata["chainrule"]["depends"] = parts = run.depends(nb, assignment)
        tasks.append(Task(student, assignment, master.stem, nbformat.v4.writes(nb), key(parts), options))
    if not tasks:
        reasons = " · ".join(dict.fromkeys(unreadable.values()))
        raise Unreadable(reasons or "none of the assignment's notebooks was handed in")
    return tasks, unreadable


def only_files(handed_in: Path) -> None:
    """Refuse links, pipes and devices: nbgrader would copy what they lead to, a neighbour's answers for instance."""
    for path in chain([handed_in.parent, handed_in], handed_in.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise Unreadable(f"{path.name} is not an ordinary file or folder: hand in the files themselves")


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


def reviews(finished: NotebookNode) -> list[str]:
    """What a person has to look at, a sentence each."""
    return [sentence for cell in finished.cells for sentence in for_a_person(cell)]
