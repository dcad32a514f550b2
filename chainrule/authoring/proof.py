"""Proves an assignment by grading it: the reference solution earns every point, and the blank release none.

Both are handed in, in a folder of their own, and graded as students' notebooks are: in a sandbox, with the limits and
the data of the quick profile. Nothing is recorded. What was proven is kept in runs/, so it runs again only after a
change.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbformat import NotebookNode

import chainrule
from chainrule.authoring.answers import identifier
from chainrule.course import CourseFolder, lacks
from chainrule.grading.classroom import open_backend, sanitised_tasks
from chainrule.grading.store import Store, digest, key
from chainrule.grading.task import RunQueue, Say, Task
from chainrule.intake.files import declared
from chainrule.lesson.results import Result, counted, last_line
from chainrule.metadata import framework_of, graded_notebook, judged_cell, result_of
from chainrule.release.source import place, short
from chainrule.release.stubs import ClearSolutions

REFERENCE, BLANK = "reference", "blank"  # who hands them in
OURS = ("lesson", "judging", "datasets")  # parts of our package that decide what checks say


def unproven(folder: CourseFolder, assignment: str, say: Say = print) -> list[str]:
    """A sentence about each item with which the reference loses points or the blank earns some, and of each cell that
    the reference does not run through.

    Args:
        say: gets lines about progress.
    """
    options = deepcopy(folder.config)
    options.Run.profile = "quick"
    data = folder.root / folder.course.data_folder  # before the keys of the runs are made: they depend on it
    folder.data_sets.prepare(folder.course.data.get(assignment, []), data, "quick")
    unrunnable = {
        path.stem: why for path in folder.notebooks(assignment) if (why := lacks(framework_of(path)))
    }
    for name, why in unrunnable.items():
        say(f"{name}.ipynb is not proven: {why}")
    with TemporaryDirectory(prefix="chainrule-") as root:
        options.CourseDirectory.submitted_directory = root
        course = CourseFolder(folder.root, options)
        tasks = []
        for student in (REFERENCE, BLANK):
            hand_in(course, assignment, student)
            found, unreadable = sanitised_tasks(course, assignment, student, options)
            assert not unreadable, unreadable
            tasks += [task for task in found if task.notebook not in unrunnable]
        results = graded(course, assignment, tasks, say)
    found_wrong: list[str] = []
    for task in tasks:
        nb = results.get((task.student, task.notebook))
        if nb is None:
            found_wrong.append(f"{task.notebook}.ipynb: the {task.student} could not be run: try again")
        else:
            found_wrong += problems_of(nb, f"{task.notebook}.ipynb", task.student)
    return [*dict.fromkeys(found_wrong)]  # what cannot be judged is so for both


def hand_in(course: CourseFolder, assignment: str, student: str) -> None:
    """Write the reference, or the blank release, where intake puts hand-ins, with the files that are handed in beside
    it: the reference's own are in the assignment's folder of the judging package."""
    target = course.folder("submitted", student, assignment)
    target.mkdir(parents=True)
    for path in course.notebooks(assignment):
        nb = nbformat.read(path, as_version=4)
        if student == BLANK:
            nb, _ = ClearSolutions(config=course.config).preprocess(nb, {})
        else:
            judging = course.root / course.course.judging / identifier(assignment)
            for name in declared(nb, path.name):
                if (judging / name).is_file():
                    shutil.copy(judging / name, target / name)
        nbformat.write(nb, target / path.name)


def graded(
    course: CourseFolder, assignment: str, tasks: list[Task], say: Say
) -> dict[tuple[str, str], NotebookNode]:
    """The judged notebooks, by student and notebook; without those that could not be run."""
    store = Store(course.root / "runs" / assignment)
    keys = {(task.student, task.notebook): proof_key(task) for task in tasks}
    results = {name: nb for name, known in keys.items() if (nb := store.find(known))}
    waiting = [task for task in tasks if (task.student, task.notebook) not in results]
    if not waiting:
        return results
    names = ", ".join(dict.fromkeys(f"{task.notebook}.ipynb" for task in waiting))
    say(f"{assignment}: running the reference solution and the blank release ({names})")
    with open_backend(course, assignment, None, "", gpu=False) as backend:
        queue = RunQueue(backend, say)
        for task in waiting:
            queue.submit(task)
        for task, outcome in queue.finished():
            if isinstance(outcome, str):
                store.keep(keys[task.student, task.notebook], outcome)
                results[task.student, task.notebook] = nbformat.v4.reads(outcome)
            else:
                say(f"{task.notebook}.ipynb, the {task.student}: {outcome}")
    return results


def proof_key(task: Task) -> str:
    """What a proof is kept under: everything that a run depends on, and of our code only what decides verdicts."""
    parts = dict(graded_notebook(nbformat.v4.reads(task.text))["depends"])
    package = Path(chainrule.__file__).parent
    files = [file for part in OURS for file in sorted((package / part).rglob("*.py"))]
    return key(
        {**parts, "chainrule": digest(b"".join(file.read_bytes() for file in files)), "proof": task.student}
    )


def problems_of(nb: NotebookNode, name: str, student: str) -> Iterator[str]:
    """What is wrong with a judged notebook of the reference or the blank."""
    if failure := graded_notebook(nb).get("failure"):
        yield f"{name}: the {student} stopped ({failure}): let it run within the limits of grading"
        return
    for number, cell in enumerate(nb.cells, start=1):
        if cell.cell_type != "code":
            continue
        where, record = place(name, number, cell), judged_cell(cell)
        if record is None:
            yield from (f"{where}: {said}" for said in stopped(cell) if student == REFERENCE)
        elif "grader_error" in record:
            yield f"{where}: it cannot be judged: {short(record['grader_error'], 300)}: correct the cell"
        else:
            told = of_reference if student == REFERENCE else of_blank
            yield from (f"{where}: {said}" for said in told(result_of(record)))


def stopped(cell: NotebookNode) -> Iterator[str]:
    """How a cell of the reference stopped that is not meant to."""
    if "raises-exception" in cell.metadata.get("tags", []):
        return
    for output in cell.outputs:
        if output.output_type == "error":
            yield (
                f"the reference solution stops here with {output.ename}: {short(output.evalue, 200)}: correct it, or "
                "give the cell the tag raises-exception"
            )


def of_reference(result: Result) -> Iterator[str]:
    """Why the reference does not earn every point of an item."""
    crashed = {check.name for check in result.crashes}
    for check in result.checks:
        if check.name in crashed:
            yield crash(check.name, check.internal_error, "the reference solution")
        elif not check.passed and check.points:
            yield (
                f"the reference solution fails its check {check.name!r} ({short(check.message, 200)}): correct the "
                "solution or the check"
            )
    shares = round(sum(check.points for check in result.checks), 6)
    if abs(shares - result.points) > 1e-6:
        yield (
            f"its checks share {counted(f'{shares:g}')}, and the item has {result.points:g}: change the shares of "
            "its checks"
        )


def of_blank(result: Result) -> Iterator[str]:
    """Why the blank release earns points of an item, or cannot be judged."""
    for check in result.checks:
        if check.internal_error:
            yield crash(check.name, check.internal_error, "an answer that is not written")
        elif check.passed and check.points:
            yield (
                f"the blank release earns {counted(f'{check.points:g}')} by its check {check.name!r}: let the check "
                "need what students write"
            )


def crash(name: str, trace: str, of: str) -> str:
    error = short(last_line(trace), 200)
    return f"its check {name!r} stops with an error of its own at {of} ({error}): correct the check"
