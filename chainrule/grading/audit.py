"""Grade some students once more without the files they handed in, so that what these were made by runs here.

A network's weights can be trained on anything. An audit lets the notebook train them again, on the profile's data
whose test labels it doesn't see, and shows where that earns less. It changes no marks: it is a reason to ask.
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
from chainrule.datasets.registry import prepare
from chainrule.grading.classroom import machinery, points, sanitised, scores, submitted
from chainrule.grading.run import Run
from chainrule.grading.store import Store, key
from chainrule.grading.task import Progress, Runs, Task
from chainrule.intake.notebook import Unreadable
from chainrule.lesson.checks import Result


@dataclass(frozen=True)
class Audited:
    """One item as it was graded and as it comes out when everything is made here."""

    student: str
    item: str
    points: float
    graded: float | None
    again: float
    says: str  # why it comes out lower

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
    say: Progress = print,
) -> list[Audited]:
    """Run again the notebooks that came with files, without these files, and compare the scores with the gradebook.

    The executed notebooks are left in audit/<student>/<assignment>/. Finished ones are not run again.

    Args:
        students: only these.
        sample: so many of them, drawn at random; all if 0.
        seed: what the sample is drawn by.
    Raises:
        CourseError: nobody handed in a file, or nothing can be run.
    """
    folder.require(assignment)
    options = deepcopy(folder.config)
    options.Run.profile = profile
    if cell_seconds:
        options.Run.seconds = {profile: cell_seconds}
    if gpu:
        options.Run.gpu = True
    wanted = submitted(folder, assignment, students)
    tasks = [task for student in wanted for task in with_files(folder, assignment, student, options)]
    if not tasks:
        raise CourseError("nobody handed in a file that an audit could do without")
    if sample:
        everyone = sorted({task.student for task in tasks})
        drawn = random.Random(seed).sample(everyone, min(sample, len(everyone)))
        tasks = [task for task in tasks if task.student in drawn]
    data = folder.root / folder.course.data_folder
    for name, origin in prepare(folder.course.data.get(assignment, []), data, profile).items():
        say(f"data: {name} is {origin}, {profile} profile")
    store = Store(folder.root / "runs" / assignment)
    results: dict[str, NotebookNode] = {}  # by the task's key
    with machinery(folder, jobs, cluster, gpu=gpu) as machine:
        options.Run.threads = machine.threads
        runs = Runs(machine, say)
        for task in tasks:
            if kept := store.find(task.key):
                results[task.key] = kept
                say(f"{task.student}, {task.notebook}: audited before")
            else:
                runs.submit(task)
        for task, outcome in runs.finished():
            if not isinstance(outcome, str):
                say(f"{task.student}, {task.notebook}: could not be run ({outcome})")
                continue
            store.keep(task.key, outcome)
            results[task.key] = nbformat.v4.reads(outcome)
            say(f"{task.student}, {task.notebook}: audited")
    found: list[Audited] = []
    worth = points(folder, assignment)
    for task in tasks:
        if task.key in results:
            place = folder.root / "audit" / task.student / assignment
            place.mkdir(parents=True, exist_ok=True)
            nbformat.write(results[task.key], place / f"{task.notebook}.ipynb")
            graded = scores(folder, assignment, task.student)
            found += compared(task.student, results[task.key], graded, worth)
    return found


def with_files(folder: CourseFolder, assignment: str, student: str, options: Config) -> list[Task]:
    """A student's notebooks that came with files, ready to run without them."""
    try:
        tasks, _ = sanitised(folder, assignment, student, options)
    except Unreadable:
        return []
    found = []
    for task in tasks:
        nb = nbformat.v4.reads(task.text)
        if nb.metadata["chainrule"].pop("files", None):
            del nb.metadata["chainrule"]["depends"]
            parts = Run(config=options).depends(nb, assignment)
            nb.metadata["chainrule"]["depends"] = parts
            found.append(replace(task, text=nbformat.v4.writes(nb), key=key(parts)))
    return found


def compared(
    student: str, audited: NotebookNode, graded: dict[str, float | None], worth: dict[str, float]
) -> list[Audited]:
    """The items that checks have scored, before and in the audit."""
    found = []
    for cell in audited.cells:
        item = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        record = cell.metadata.get("chainrule", {})
        if cell.cell_type == "code" and "checks" in record and item in worth:
            result = Result.from_dict(record)
            says = " · ".join(check.message for check in result.checks if not check.passed and check.points)
            found.append(Audited(student, item, worth[item], graded.get(item), result.score, says))
    return found
