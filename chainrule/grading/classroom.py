"""Grade a class: notebooks are run and judged in parallel, and one writer records each student."""

from __future__ import annotations

import gc
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook
from traitlets.config import Config

from chainrule.alternatives import counted_maximum, group_of
from chainrule.course import CourseError, CourseFolder
from chainrule.gradebook import ensure_tables, open_gradebook, open_tables
from chainrule.grading.changes import Snapshot, changes, snapshot
from chainrule.grading.given_marks import GivenMark, above_maximum, changed_marks, given_marks
from chainrule.grading.processes import Processes
from chainrule.grading.progress import NotebookProgress
from chainrule.grading.record import comment_unreadable, record_ungraded
from chainrule.grading.recorded import (
    assignment_fingerprint,
    depends_on,
    fingerprint,
    has_only_known_steps,
    is_recorded,
    keep_recorded,
    releases_by_known_steps,
)
from chainrule.grading.rejudge import is_check, is_refereed, valid_outputs
from chainrule.grading.repairs import sentence, sentences, shared, without
from chainrule.grading.run import Run
from chainrule.grading.sandbox import WorkerError, confinement
from chainrule.grading.sanitise import Graft, extra_notebooks
from chainrule.grading.store import Store, depends_of, key, load_notebook
from chainrule.grading.task import Backend, RunQueue, Say, Task
from chainrule.grading.verdicts import review_reasons
from chainrule.intake.notebook import UnreadableNotebookError, foreign_encoding, read
from chainrule.intake.roster import class_list
from chainrule.items import item_names
from chainrule.lesson.results import CheckResult
from chainrule.metadata import GradedNotebook, Repair, graded_notebook, is_added, judged_cell, result_of
from chainrule.one_writer import one_writer
from chainrule.release.facts import item_points
from chainrule.release.generate import generate
from chainrule.release.master import kept_masters, masters
from chainrule.release.points_table import misfits
from chainrule.release.source import require_sound
from chainrule.release.versions import keep_version, kept_versions
from chainrule.students.decisions import excused
from chainrule.students.lateness import decided_since
from chainrule.submissions import Submission, graded_assignment

SINCE = "{was} changed, added or removed since then: what is in source/ now counts"
NAMED = 5  # students whose names a line has
GONE = "the hand-in is gone, but the gradebook keeps what was graded: put it back, or remove the submission there"


@dataclass
class Graded:
    """One student's outcome.

    Attributes:
        scores: by the item's name, of those that count; None for what a person has to mark.
        seconds: how long the student's notebooks ran.
        notes: sentences for the instructor.
        internal_error: why grading failed for a reason that is not the student's; then grading again may help.
    """

    student: str
    scores: dict[str, float | None] = field(default_factory=dict)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    internal_error: str = ""

    @property
    def total(self) -> float:
        return round(sum(score or 0.0 for score in self.scores.values()), 6)


@dataclass
class ClassReport:
    """The outcome of grading an assignment.

    Attributes:
        points: the maximum of each item.
        maximum: the points that a student can have; by default those of all items.
        origins: where each data set is from.
        sandbox: what was around the student's cells.
        changes: a line for each score that differs from the gradebook's before, if asked for.
        names: of the students, by id, as far as they are known.
        absent: ids of those who handed in nothing.
        unprotected: items whose checks student code can reach.
        notes: sentences for the instructor about the whole class.
        crashes: checks that stopped with an error of their own.
        notebooks: of the items.
    """

    assignment: str
    profile: str
    points: dict[str, float]
    students: list[Graded]
    origins: dict[str, str]
    sandbox: set[str] = field(default_factory=set)
    changes: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    unprotected: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    crashes: list[Crash] = field(default_factory=list)
    notebooks: dict[str, str] = field(default_factory=dict)
    maximum: float = 0.0

    def __post_init__(self) -> None:
        self.maximum = self.maximum or sum(self.points.values())


@dataclass
class Crash:
    """A check that itself stopped with an error, so that its points wait for a person.

    Attributes:
        students: at whose answers.
        traceback: of the first of them.
    """

    item: str
    check: str
    traceback: str
    students: list[str]

    def lines(self) -> list[str]:
        """What staff is told: which check, at whose answers, and the traceback."""
        who = ", ".join(self.students[:NAMED]) + f" and {len(self.students) - NAMED} more" * (
            len(self.students) > NAMED
        )
        points = "whose points wait for a person"
        head = f"{self.item}: its check {self.check!r} stopped with an error of its own for {who}, {points}:"
        return [head, *(f"    {line}" for line in self.traceback.strip().splitlines())]


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
    say: Say = print,
) -> ClassReport:
    """Grade the submitted notebooks of an assignment.

    A finished run is kept in runs/ and used again as long as nothing it depends on has changed. So after an
    interruption, another call continues.

    Args:
        profile: how much data the notebooks see, "quick" or "full".
        students: only these; empty for all who submitted.
        jobs: the number of notebooks at a time on this machine; None for the number of cores.
        cell_seconds: time limit of one cell, instead of the profile's.
        cluster: address of a Dask scheduler whose workers run the notebooks; empty for this machine.
        gpu: the notebooks may use a GPU.
        require_sandbox: run nothing outside a sandbox.
        diff: report whose score changes, and why.
        say: gets lines about progress.
    Raises:
        CourseError: there is no such assignment, nothing was submitted, or nothing can be run.
    """
    folder.require(assignment)
    options = deepcopy(folder.config)
    options.Run.profile = profile
    if cell_seconds:
        options.Run.timeout = cell_seconds
    if gpu:
        options.Run.gpu = True
    if require_sandbox:
        options.Run.require_sandbox = True
    if not cluster and confinement().warning:  # the workers of a cluster have sandboxes of their own
        if options.Run.get("require_sandbox"):
            raise CourseError(f"{confinement().warning} Nothing was run, because a sandbox is required.")
        say(confinement().warning)
    with one_writer(folder.root, say), kept_masters():
        ensure_assignment(folder, assignment)
        origins = folder.data_sets.prepare(
            folder.course.data.get(assignment, []), folder.root / folder.course.data_folder, profile
        )
        for name, origin in origins.items():
            say(f"data: {name} is {origin}, {profile} profile")
        chosen = submitted(folder, assignment, students)
        writer = GradebookWriter(folder, assignment, options, diff=diff)
        with open_backend(folder, assignment, jobs, cluster, gpu=gpu) as backend:
            options.Run.threads = backend.threads
            run_all(writer, chosen, backend, say)
        exposed = unprotected(folder, assignment)
    with open_tables(folder.directory.db_url) as connection:
        people = class_list(folder, connection)
        recorded = graded_assignment(connection, assignment, folder.course.alternatives_of(assignment))
        free = excused(connection, assignment)
    assert recorded is not None
    absent = [
        id for id in people if not folder.folder("submitted", id, assignment).exists() and id not in free
    ]
    gone = [] if students else [f"{id}: {GONE}" for id in absent if id in recorded.submissions]
    return ClassReport(
        assignment,
        profile,
        writer.points,
        [writer.graded[student] for student in chosen],
        origins,
        writer.sandbox,
        writer.changes,
        {id: person.full_name for id, person in people.items() if person.full_name},
        [] if students else absent,
        exposed,
        [*writer.notes(), *gone],
        [*writer.crashes.values()],
        {name: notebook for (notebook, _), name in recorded.items.items()},
        writer.maximum,
    )


def open_backend(
    folder: CourseFolder, assignment: str, jobs: int | None, cluster: str, *, gpu: bool
) -> AbstractContextManager[Backend]:
    """What runs an assignment's notebooks: a cluster if there is an address of one, else processes of this machine."""
    if cluster:
        from chainrule.grading.cluster import Cluster  # Dask takes a second to import

        return Cluster(cluster, folder.root, gpu=gpu)
    return Processes(jobs, folder.course.imported_before(folder.notebooks(assignment)))


def run_all(writer: GradebookWriter, students: Sequence[str], backend: Backend, say: Say) -> None:
    """Run every notebook that is not finished, and record each student when all of their notebooks are."""
    queue = RunQueue(backend, say)
    unfinished: Counter[str] = Counter()  # notebooks, by student
    finished = rejudged = 0
    for student in students:
        for task in writer.plan(student):
            if (needed := writer.to_run(task)) is None:
                finished += 1
                continue
            queue.submit(needed)
            unfinished[student] += 1
            rejudged += needed.kept != "{}"
    writer.find_shared_repairs()
    total, running = unfinished.total(), len(unfinished)
    if finished:
        say(f"{finished} of {finished + total} notebooks were finished before and are not run again")
    if rejudged:
        say(f"{rejudged} of {total} notebooks are judged again only where a check has changed")
    with garbage_collected():
        for student in students:
            if not unfinished[student]:
                writer.record(student)
        unfinished += Counter()  # drops the zeros
        with NotebookProgress(total) as progress:
            for task, outcome in queue.finished():
                if isinstance(outcome, str):
                    writer.store.keep(task.key, outcome)
                else:
                    writer.failed(task, outcome)
                progress.finish_one()
                unfinished[task.student] -= 1
                if not unfinished[task.student]:
                    del unfinished[task.student]
                    writer.record(task.student)
                    recorded = f"{running - len(unfinished)}/{running} {writer.summary(task.student)}"
                    say(recorded + progress.time_left())


@contextmanager
def garbage_collected() -> Iterator[None]:
    """Let Python look for garbage often in this block.

    nbgrader leaves half a MiB of it for each student, in cycles. Python looks for old garbage when there is a quarter
    more of everything than last time. What is there now is not counted and not looked through, so that this is soon.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # of nothing: this is what "last time" is
    try:
        yield
    finally:
        gc.unfreeze()


class GradebookWriter:
    """Records students in the gradebook. While a class is graded, nothing else writes to it.

    Args:
        options: the course's configuration, as changed for this grading.
        diff: compare the scores with those in the gradebook before.
    """

    def __init__(self, folder: CourseFolder, assignment: str, options: Config, *, diff: bool = False) -> None:
        self.folder, self.assignment, self.options, self.diff = folder, assignment, options, diff
        self.store = Store(folder.root / "runs" / assignment)
        self.about: dict[tuple[str, str], GradedNotebook] = {}  # what `Graft` wrote, by student and notebook
        self.shared: dict[str, list[Repair]] = {}  # what all hand-ins needed, by the notebook's name
        self.points = points(folder, assignment)
        self.maximum = maximum_of(folder, assignment)
        self.graded: dict[str, Graded] = {}
        self.tasks: dict[str, list[Task]] = {}  # by student
        self.unreadable: dict[str, dict[str, str]] = {}  # by student: reasons, by the notebook's name
        self.untouched: dict[
            str, list[str]
        ] = {}  # by student: notebooks in place of which another was handed in
        self.sandbox: set[str] = set()
        self.changes: list[str] = []
        self.crashes: dict[tuple[str, str, str], Crash] = {}  # by notebook, item and check
        self.rescaled: Counter[tuple[str, float, float]] = (
            Counter()
        )  # marks, by item and its maximum before and now

    def plan(self, student: str) -> list[Task]:
        """A student's notebooks, ready to run. If none can be read, that is recorded and the list is empty."""
        self.graded[student] = Graded(student)
        try:
            tasks, unreadable = sanitised_tasks(self.folder, self.assignment, student, self.options)
            self.tasks[student], self.unreadable[student] = self._answered(student, tasks), unreadable
            for task in self.tasks[student]:
                self.about[student, task.notebook] = graded_notebook(nbformat.v4.reads(task.text))
            self.graded[student].notes += [f"{name} not graded: {why}" for name, why in unreadable.items()]
        except UnreadableNotebookError as error:
            self.tasks[student] = []
            keeps = record_ungraded(self.folder, self.assignment, student, str(error))
            earlier = "; the scores are those of the hand-in before it" if keeps else ""
            self.graded[student].notes.append(f"not graded: {error}{earlier}")
        extra = extra_notebooks(self.folder, self.assignment, student)
        self.graded[student].notes += [f"{name} is not one of the assignment's notebooks" for name in extra]
        return self.tasks[student]

    @cached_property
    def recorder(self) -> CourseFolder:
        """The course as it is recorded: after all students are planned, when it is known which repairs all share."""
        recording = deepcopy(self.options)
        recording.Run.results = str(self.store.folder)
        recording.TellRepairs.shared = self.shared
        return CourseFolder(self.folder.root, recording)

    def find_shared_repairs(self) -> None:
        """Find the repairs that all of several hand-ins needed: no student can have caused them.

        Of students who are not graded now, it is known from their last grading.
        """
        others = [one for one in submitted(self.folder, self.assignment, ()) if one not in self.graded]
        for notebook in dict.fromkeys(notebook for _, notebook in self.about):
            planned = (about for (_, name), about in self.about.items() if name == notebook)
            recorded = (graded_notebook(nb) for one in others if (nb := self._recorded(one, notebook)))
            known = (about["repaired"] for about in chain(planned, recorded) if "repaired" in about)
            self.shared[notebook] = shared(known)

    def to_run(self, task: Task) -> Task | None:
        """The task, with the outputs of an earlier run that are still valid; None if it is finished."""
        if self._find(task.key):
            return None
        parts = depends_of(self._recorded(task.student, task.notebook))
        earlier = self._find(key(parts)) if parts else None
        return (
            replace(task, kept=valid_outputs(task.text, earlier, self.folder.course.judging))
            if earlier
            else task
        )

    def _recorded(self, student: str, notebook: str) -> NotebookNode | None:
        """A notebook as it was graded last; None if it was not."""
        return load_notebook(self.folder.folder("autograded", student, self.assignment) / f"{notebook}.ipynb")

    def _find(self, key: str) -> NotebookNode | None:
        """The run kept under a key; None if there is none, or none in a sandbox where one is required."""
        result = self.store.find(key)
        if result is None or not self.options.Run.get("require_sandbox"):
            return result
        return result if graded_notebook(result).get("sandbox") == "bubblewrap" else None

    def failed(self, task: Task, error: WorkerError) -> None:
        """Note that a notebook could not be run. The student keeps the old score."""
        outcome = self.graded[task.student]
        outcome.internal_error = f"not graded: {task.notebook} could not be run ({error})"
        outcome.notes.append(outcome.internal_error)

    def record(self, student: str) -> None:
        """Write a student's results into the gradebook and autograded/, if they do not stand there already."""
        outcome, tasks = self.graded[student], self.tasks[student]
        for task in tasks if not outcome.internal_error else []:
            self._add_notes(task)
        if self._stands(student):
            self._add_scores(student)
            outcome.notes += above_maximum(self._given_marks(student))
            return
        before = self._snapshot(student) if self.diff else None
        since = self._graded_at(student)
        marks = self._given_marks(student)
        if tasks and not outcome.internal_error:
            try:
                with self._without_the_rest(student) as recorder:
                    done = recorder.api.autograde(self.assignment, student, force=True)
                self.folder.succeed(done, "recording")
                if unreadable := self.unreadable[student]:
                    comment_unreadable(self.folder, self.assignment, student, unreadable)
            except CourseError as error:
                outcome.internal_error = str(error)
                outcome.notes.append(outcome.internal_error)
        self._add_scores(student)
        now = self._given_marks(student)
        told = changed_marks(marks, now)
        outcome.notes += [f"{item} {sentence}" for item, sentence in told.items()] + above_maximum(now)
        for item, mark in marks.items():
            if mark.maximum_before not in (None, mark.maximum):
                self.rescaled[item, mark.maximum_before, mark.maximum] += 1
        if before:
            self.changes += changes(student, before, self._snapshot(student), told)
            self.changes += decided_since(self.folder, self.assignment, student, since)
        if tasks and not outcome.internal_error and self._is_remembered:
            with open_gradebook(self.folder.directory.db_url) as gradebook:
                keep_recorded(gradebook, self._fingerprint(gradebook, student))

    def _stands(self, student: str) -> bool:
        """Whether nothing has changed since a student was recorded last."""
        if not self.tasks[student] or self.graded[student].internal_error or not self._is_remembered:
            return False
        with open_gradebook(self.folder.directory.db_url) as gradebook:
            if not is_recorded(gradebook, self._fingerprint(gradebook, student)):
                return False
        return not decided_since(self.folder, self.assignment, student, self._graded_at(student))

    @cached_property
    def _is_remembered(self) -> bool:
        return has_only_known_steps(self.options)

    @cached_property
    def _common(self) -> str:
        return depends_on(self.folder, self.assignment, self.options, self.shared)

    def _fingerprint(self, gradebook: Gradebook, student: str) -> tuple[str, str] | None:
        runs = [  # another run under the same key may end otherwise, as where an answer draws numbers
            [task.key, self.store.content(task.key), self.about[student, task.notebook]]
            for task in self.tasks[student]
        ]
        about = [self._common, runs, self.unreadable[student]]
        return fingerprint(gradebook, self.folder, self.assignment, student, about)

    def notes(self) -> list[str]:
        """Sentences about the whole class."""
        outdated = [names for about in self.about.values() if (names := about.get("outdated", []))]
        cells = [*dict.fromkeys(chain.from_iterable(outdated))]
        lines = misfits(self.folder, self.assignment)
        if outdated:
            of = f"{len(outdated)} of {len(self.about)}"
            lines.append(f"{of} hand-ins are of an earlier release: {sentence(cells, SINCE)}")
        lines += [
            f"all hand-ins of {notebook}: {repair}"
            for notebook, repairs in self.shared.items()
            for repair in sentences(repairs)
        ]
        return lines + [
            f"{item}: its maximum was {before:g} when it was graded last and is {now:g} now; the marks of "
            f"people, {count} so far, stay as they are: look at them again in formgrader"
            for (item, before, now), count in self.rescaled.items()
        ]

    @contextmanager
    def _without_the_rest(self, student: str) -> Iterator[CourseFolder]:
        """The course as nbgrader is to see it: with a copy of the submission that has what is graded of it."""
        left_out = [*self.unreadable[student], *self.untouched[student]]
        if not left_out:
            yield self.recorder
            return
        handed_in = self.folder.folder("submitted", student, self.assignment)
        rest = shutil.ignore_patterns(*(f"{name}.ipynb" for name in left_out))
        with TemporaryDirectory(prefix="chainrule-") as root:
            options = deepcopy(self.recorder.config)
            options.CourseDirectory.submitted_directory = root
            recorder = CourseFolder(self.folder.root, options)
            shutil.copytree(handed_in, recorder.folder("submitted", student, self.assignment), ignore=rest)
            yield recorder

    def summary(self, student: str) -> str:
        """A student's outcome in a line."""
        outcome = self.graded[student]
        if outcome.internal_error:
            return f"{student} {outcome.internal_error}"
        waiting = sum(score is None for score in outcome.scores.values())
        waits = f", {waiting} item{'s' * (waiting > 1)} waiting" if waiting else ""
        return f"{student} {outcome.total:g} of {self.maximum:g}{waits}"

    def _add_scores(self, student: str) -> None:
        """Add what counts of a student's points, and which notebook doesn't, if several were handed in."""
        alternatives = self.folder.course.alternatives_of(self.assignment)
        with open_tables(self.folder.directory.db_url) as connection:
            found = graded_assignment(connection, self.assignment, alternatives, student)
        submission = found.submissions.get(student) if found else None
        outcome = self.graded[student]
        outcome.scores = scores_of(submission) if submission else {}
        outcome.notes += submission.notes if submission else []

    def _answered(self, student: str, tasks: list[Task]) -> list[Task]:
        """The tasks without notebooks as they were released, if another was handed in of which one counts."""
        alternatives = self.folder.course.alternatives_of(self.assignment)
        blank = [task for task in tasks if len(group_of(alternatives, task.notebook)) > 1 and is_blank(task)]
        kept = tasks
        for task in blank:
            group = group_of(alternatives, task.notebook)
            if any(other.notebook in group for other in kept if other is not task):
                kept = [other for other in kept if other is not task]
        self.untouched[student] = [task.notebook for task in tasks if task not in kept]
        return kept

    def _add_notes(self, task: Task) -> None:
        """Add what the report says about a finished notebook."""
        result, outcome = self.store.find(task.key), self.graded[task.student]
        if result is not None:
            run = graded_notebook(result)
            failure = run.get("failure")
            outcome.seconds += run.get("seconds", 0.0)
            own = self.about[task.student, task.notebook].get("repaired", [])
            outcome.notes += sentences(without(own, self.shared[task.notebook]))
            outcome.notes += ([failure] if failure else []) + reviews(result)
            self.sandbox |= {run["sandbox"]} if "sandbox" in run else set()
            for item, check in crashes(result):
                known = Crash(item, check.name, check.internal_error, [])
                self.crashes.setdefault((task.notebook, item, check.name), known).students.append(
                    task.student
                )

    def _graded_at(self, student: str) -> float:
        """When a student was graded last, in seconds since 1970; 0 if never."""
        graded = self.folder.folder("autograded", student, self.assignment).glob("*.ipynb")
        return max((path.stat().st_mtime for path in graded), default=0.0)

    def _given_marks(self, student: str) -> dict[str, GivenMark]:
        return given_marks(self.folder.directory.db_url, self.assignment, student)

    def _snapshot(self, student: str) -> Snapshot:
        now = scores(self.folder, self.assignment, student)
        return snapshot(self.folder, self.assignment, student, now)


def ensure_assignment(folder: CourseFolder, assignment: str) -> None:
    """Write the assignment into the gradebook as it is in source/ now. What release/ has may be older, and is kept."""
    ensure_tables(folder.directory.db_url)
    with open_gradebook(folder.directory.db_url) as gradebook:
        before = assignment_fingerprint(gradebook, folder, assignment)
        if releases_by_known_steps(folder.config) and is_recorded(gradebook, before):
            return
    require_sound(folder, assignment)
    for path in folder.notebooks(assignment):
        released = folder.folder("release", ".", assignment) / path.name
        if not any(kept_versions(folder.root, assignment, path.stem)) and released.exists():
            with suppress(UnreadableNotebookError):
                keep_version(folder.root, assignment, path.stem, read(released))
    generate(folder, assignment)
    with open_gradebook(folder.directory.db_url) as gradebook:
        keep_recorded(gradebook, assignment_fingerprint(gradebook, folder, assignment))


def unprotected(folder: CourseFolder, assignment: str) -> list[str]:
    """The items whose checks can't run in the referee."""
    return [
        name
        for name, cell in items(folder, assignment).items()
        if cell.cell_type == "code" and is_check(cell) and not is_refereed(cell, folder.course.judging)
    ]


def submitted(folder: CourseFolder, assignment: str, students: Sequence[str]) -> list[str]:
    """The chosen students, or all with a submission.

    Raises:
        CourseError: one of them has none, or nobody has.
    """
    everyone = sorted(
        path.parent.name
        for path in folder.folder("submitted", "*", "x").parent.parent.glob(f"*/{assignment}")
    )
    excluded = set(folder.directory.student_id_exclude.split(",")) & {*students, *everyone}
    if left_out := sorted(excluded & set(students)):
        raise CourseError(f"c.CourseDirectory.student_id_exclude leaves out {', '.join(left_out)}")
    everyone = [student for student in everyone if student not in excluded]
    missing = sorted(set(students) - set(everyone))
    if missing:
        raise CourseError(f"nothing submitted for {assignment} by {', '.join(missing)}")
    if not everyone:
        raise CourseError(
            f"nothing submitted for {assignment}: put the notebooks in a folder and run "
            f"`chainrule intake {assignment} FOLDER`"
        )
    return sorted(students) or everyone


def sanitised_tasks(
    folder: CourseFolder, assignment: str, student: str, options: Config
) -> tuple[list[Task], dict[str, str]]:
    """A student's notebooks, ready to run.

    Returns:
        The tasks, and for other notebooks the reason why they can't be read, by name.
    Raises:
        UnreadableNotebookError: no notebook can be read, there is none, or the submission has a link or a device in it.
    """
    only_files(folder.folder("submitted", student, assignment))
    tasks, run = [], Run(config=options)
    if not run.enabled:
        raise CourseError(
            "`chainrule grade` runs notebooks: remove c.Execute.enabled. `nbgrader autograde --no-execute` records "
            "hand-ins that are not run; then every check waits for a person"
        )
    unreadable: dict[str, str] = {}
    for master in folder.notebooks(assignment):
        path = folder.folder("submitted", student, assignment) / master.name
        if not path.exists():
            continue  # nbgrader records zeros for a missing notebook
        where = {"student": student, "assignment": assignment, "notebook": master.stem}
        try:
            nb, _ = Graft(config=options).preprocess(read(path), {"nbgrader": where})
        except UnreadableNotebookError as error:
            unreadable[master.stem] = str(error)
            continue
        if encoding := foreign_encoding(path):
            repair = Repair(what=f"{master.name} was saved as {encoding}: read so", cells=[])
            nb.metadata["chainrule"]["repaired"].append(repair)
        nb.metadata["chainrule"]["depends"] = parts = run.depends(nb, assignment)
        tasks.append(Task(student, assignment, master.stem, nbformat.v4.writes(nb), key(parts), options))
    if not tasks:
        reasons = " · ".join(dict.fromkeys(unreadable.values()))
        raise UnreadableNotebookError(reasons or "none of the assignment's notebooks was handed in")
    return tasks, unreadable


def only_files(handed_in: Path) -> None:
    """Refuse links, pipes and devices: nbgrader would copy what they point to, such as another student's answers."""
    for path in chain([handed_in.parent, handed_in], handed_in.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise UnreadableNotebookError(
                f"{path.name} is not an ordinary file or folder: hand in the files themselves"
            )


def items(folder: CourseFolder, assignment: str) -> dict[str, NotebookNode]:
    """The cells with points, in notebook order, by the names of `chainrule.items`."""
    cells = {
        (notebook, cell.metadata.nbgrader.grade_id): cell
        for notebook, nb in masters(folder, assignment).items()
        for cell in nb.cells
        if utils.is_grade(cell) or utils.is_task(cell)
    }
    names = item_names(cells)
    return {names[item]: cell for item, cell in cells.items()}


def points(folder: CourseFolder, assignment: str) -> dict[str, float]:
    """The maximum of each item, in notebook order."""
    found = items(folder, assignment)
    return {name: float(cell.metadata.nbgrader.points) for name, cell in found.items()}


def maximum_of(folder: CourseFolder, assignment: str) -> float:
    """The points that a student can have in an assignment."""
    notebooks = {
        notebook: sum(points for _, points in item_points(nb))
        for notebook, nb in masters(folder, assignment).items()
    }
    return counted_maximum(folder.course.alternatives_of(assignment), notebooks)


def is_blank(task: Task) -> bool:
    """Whether a sanitised notebook has no answer, and nothing that the student has added."""
    return not any(
        cell.source.strip()
        if is_added(cell)
        else utils.is_solution(cell)
        and utils.compute_checksum(cell) != cell.metadata.nbgrader.get("checksum")
        for cell in nbformat.v4.reads(task.text).cells
    )


def scores_of(submission: Submission) -> dict[str, float | None]:
    """The scores that count, by the names of `chainrule.items`; None for what a person has to mark."""
    return {grade.item: None if grade.needs_person else grade.score for grade in submission.grades}


def scores(folder: CourseFolder, assignment: str, student: str) -> dict[str, float | None]:
    """A student's scores in the gradebook, by the names of `chainrule.items`; None for what a person has to mark.

    Those of notebooks in whose place another counts are among them.
    """
    with open_tables(folder.directory.db_url) as connection:
        graded = graded_assignment(connection, assignment, (), student)
    submission = graded.submissions.get(student) if graded else None
    return scores_of(submission) if submission else {}


def reviews(finished: NotebookNode) -> list[str]:
    """What a person has to look at, one sentence for each item."""
    return [sentence for cell in finished.cells for sentence in review_reasons(cell)]


def crashes(finished: NotebookNode) -> list[tuple[str, CheckResult]]:
    """The checks of a finished notebook that stopped with an error of their own, with their items."""
    records = (judged_cell(cell) for cell in finished.cells)
    return [
        (record["grade_id"], check) for record in records if record for check in result_of(record).crashes
    ]
