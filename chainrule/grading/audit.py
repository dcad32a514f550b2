"""Grade some students again without the files they handed in, so that the notebook makes these files itself.

A network's weights can be trained on anything. An audit lets the notebook train them again, on data whose test
labels it doesn't see, and shows where the result earns less. It changes no marks; a lower score is a reason to ask
the student.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import nbformat
from nbformat import NotebookNode
from traitlets.config import Config

from chainrule.course import CourseError, CourseFolder
from chainrule.grading.classroom import open_backend, points, sanitised_tasks, scores, submitted
from chainrule.grading.progress import NotebookProgress
from chainrule.grading.run import Run
from chainrule.grading.store import Store, key
from chainrule.grading.task import RunQueue, Say, Task
from chainrule.intake.notebook import UnreadableNotebookError
from chainrule.metadata import graded_notebook, judged_cell, result_of


@dataclass(frozen=True)
class Audited:
    """An item's score in the gradebook, and its score when the notebook makes every file itself.

    Attributes:
        graded: the score in the gradebook; None if there is none.
        says: the messages of the checks that failed in the audit.
    """

    student: str
    item: str
    points: float
    graded: float | None
    again: float
    says: str

    @property
    def lower(self) -> bool:
        return self.graded is not None and self.again < self.graded - 1e-6


def audit(
    folder: CourseFolder,
    assignment: str,
    *,
    students: Sequence[str] = (),
    sample: int = 0,
    seed: int | None = None,
    profile: str = "full",
    jobs: int | None = None,
    cell_seconds: int | None = None,
    cluster: str = "",
    gpu: bool = False,
    say: Say = print,
) -> list[Audited]:
    """Run again the notebooks that came with files, without these files, and compare the scores with the gradebook.

    The executed notebooks are written to audit/<student>/<assignment>/. Notebooks that were audited before are not run
    again.

    Args:
        students: only these; empty for all.
        sample: the number of students to draw at random; 0 for all.
        seed: of the random sample.
        profile, jobs, cell_seconds, cluster, gpu, say: as in `classroom.grade`.
    Raises:
        CourseError: nobody handed in a file, or nothing can be run.
    """
    folder.require(assignment)
    options = deepcopy(folder.config)
    options.Run.profile = profile
    if cell_seconds:
        options.Run.timeout = cell_seconds
    if gpu:
        options.Run.gpu = True
    chosen = submitted(folder, assignment, students)
    tasks = [task for student in chosen for task in without_files(folder, assignment, student, options)]
    if not tasks:
        raise CourseError("nobody handed in a file that an audit could do without")
    if sample:
        everyone = sorted({task.student for task in tasks})
        chosen = random.Random(seed).sample(everyone, min(sample, len(everyone)))
        tasks = [task for task in tasks if task.student in chosen]
    data = folder.root / folder.course.data_folder
    for name, origin in folder.data_sets.prepare(
        folder.course.data.get(assignment, []), data, profile
    ).items():
        say(f"data: {name} is {origin}, {profile} profile")
    store = Store(folder.root / "runs" / assignment)
    results: dict[str, NotebookNode] = {}  # by the task's key
    with open_backend(folder, assignment, jobs, cluster, gpu=gpu) as backend:
        options.Run.threads = backend.threads
        queue = RunQueue(backend, say)
        for task in tasks:
            if kept := store.find(task.key):
                results[task.key] = kept
                say(f"{task.student}, {task.notebook}: audited before")
            else:
                queue.submit(task)
        with NotebookProgress(len(queue.running)) as progress:
            for task, outcome in queue.finished():
                progress.finish_one()
                if isinstance(outcome, str):
                    store.keep(task.key, outcome)
                    results[task.key] = nbformat.v4.reads(outcome)
                    say(f"{task.student}, {task.notebook}: audited{progress.time_left()}")
                else:
                    say(f"{task.student}, {task.notebook}: could not be run ({outcome})")
    audited: list[Audited] = []
    maximum = points(folder, assignment)
    for task in tasks:
        if task.key in results:
            target = folder.root / "audit" / task.student / assignment
            target.mkdir(parents=True, exist_ok=True)
            nbformat.write(results[task.key], target / f"{task.notebook}.ipynb")
            graded = scores(folder, assignment, task.student)
            audited += compare_items(task, results[task.key], graded, maximum)
    return audited


def without_files(folder: CourseFolder, assignment: str, student: str, options: Config) -> list[Task]:
    """A student's notebooks that came with files, ready to run without them."""
    try:
        tasks, _ = sanitised_tasks(folder, assignment, student, options)
    except UnreadableNotebookError:
        return []
    changed = []
    for task in tasks:
        nb = nbformat.v4.reads(task.text)
        about = graded_notebook(nb)
        if about.pop("files", None):
            nb.metadata["chainrule"] = about
            about["depends"] = parts = Run(config=options).depends(nb, assignment)
            changed.append(replace(task, text=nbformat.v4.writes(nb), key=key(parts)))
    return changed


def compare_items(
    task: Task, nb: NotebookNode, graded: dict[str, float | None], maximum: dict[str, float]
) -> list[Audited]:
    """The items of an audited notebook that have checks, with both scores."""
    audited = []
    for cell in nb.cells:
        item = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if item not in maximum:  # another notebook has an item of the same id
            item = f"{task.notebook}/{item}"
        if cell.cell_type == "code" and (record := judged_cell(cell)) and item in maximum:
            result = result_of(record)
            says = " · ".join(check.message for check in result.checks if not check.passed and check.points)
            audited.append(Audited(task.student, item, maximum[item], graded.get(item), result.score, says))
    return audited
