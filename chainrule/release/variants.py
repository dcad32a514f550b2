"""A release folder for each student, with their own numbers: variants/<assignment>/<student>/."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import SaveCells

from chainrule.course import CourseError, CourseFolder
from chainrule.gradebook import open_gradebook
from chainrule.intake.roster import STUDENT_ID
from chainrule.release.master import release_steps, resources_for
from chainrule.release.numbers import (
    MANIFEST,
    Manifest,
    Texts,
    check_handout,
    draw_numbers,
    find_draw,
    variants_folder,
    with_numbers,
)
from chainrule.release.preprocessors import SaveDueDate, SaveRoster
from chainrule.release.versions import KeepVersion


def release_variants(
    folder: CourseFolder,
    assignment: str,
    *,
    seed: int | None = None,
    students: Sequence[str] | None = None,
    say: Callable[[str], object] = print,
) -> Manifest:
    """Write notebooks with each student's own numbers. The assignment must be in release/ already.

    A student who is in the manifest keeps the numbers.

    Args:
        seed: of the random numbers; None for the manifest's, or for a new one if there is no manifest.
        students: only these; None for those in the gradebook and in the manifest.
        say: gets a line about each student.
    Returns:
        The manifest, as written.
    Raises:
        CourseError: the course draws no numbers, or not those that the notebooks use; there are no students, or one
            has an id that can't be a folder's name; the seed differs from the manifest's.
    """
    handout, draw = check_handout(folder, assignment), find_draw(folder, assignment)
    before = Manifest.read(folder.root, assignment)
    target = variants_folder(folder.root, assignment)
    if before is None:
        before = Manifest(assignment, secrets.randbits(64) if seed is None else seed, {})
    elif seed not in (None, before.seed):
        raise CourseError(
            f"{target / MANIFEST} has the seed {before.seed}: with another seed, hand-ins would be graded with other "
            f"numbers than they were made with. To start again, delete {target}."
        )
    chosen = chosen_students(folder, before, students)
    numbers = dict(before.students)
    for student in chosen:
        numbers.setdefault(student, draw_numbers(draw, before.seed, assignment, student))
        if numbers[student].keys() != handout.keys():
            raise CourseError(
                f"{student} has the numbers {', '.join(sorted(numbers[student]))}, and the handout "
                f"{', '.join(sorted(handout))}: always draw the same names. If they have changed since "
                f"variants were released, change them back, or delete {target} to start again."
            )
    manifest = Manifest(assignment, before.seed, numbers)
    manifest.write(folder.root)  # first, because without it nobody could grade what is handed out
    for count, student in enumerate(chosen, 1):
        write_release(folder, assignment, numbers[student], target / student)
        say(f"{count}/{len(chosen)} {student}")
    return manifest


def chosen_students(folder: CourseFolder, manifest: Manifest, ids: Sequence[str] | None) -> list[str]:
    """The students to release to, sorted and without duplicates.

    Raises:
        CourseError: there are none, or one has an id that can't be a folder's name.
    """
    chosen = set(ids or ())
    if ids is None:
        with open_gradebook(folder.directory.db_url, folder.directory.course_id) as gradebook:
            chosen = {student.id for student in gradebook.students} | set(manifest.students)
    if not chosen:
        raise CourseError(
            "there are no students to release to: name some by --student, or put them there with "
            "`nbgrader db student import students.csv`"
        )
    for student in sorted(chosen):
        if not STUDENT_ID.fullmatch(student) or student.lower() == MANIFEST:
            raise CourseError(f"{student!r} cannot be a student id: use letters, digits and . _ @ -")
    return sorted(chosen)


def write_release(folder: CourseFolder, assignment: str, numbers: Texts, target: Path) -> None:
    """Write a copy of the assignment's release with these numbers in its notebooks, and replace an old one."""
    partial = target.with_name(f".{target.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(folder.folder("release", ".", assignment), partial)
    for path in folder.notebooks(assignment):
        (partial / path.name).write_text(
            release_notebook(folder, assignment, path, numbers), encoding="utf-8"
        )
    if target.exists():
        shutil.rmtree(target)
    partial.rename(target)


def release_notebook(folder: CourseFolder, assignment: str, path: Path, numbers: Texts | None) -> str:
    """One of the assignment's notebooks as nbgrader would release it with these numbers; None for the handout's.

    It goes through the steps of generate_assignment except those that write to the gradebook, which has no variants,
    and to versions/, where templates are kept.
    """
    converter = GenerateAssignment(coursedir=folder.api.coursedir, config=folder.config)
    exporter = converter.exporter_class(parent=converter, config=converter.config)
    for step in release_steps(folder.config):
        if step not in (SaveCells, SaveDueDate, SaveRoster, KeepVersion):
            exporter.register_preprocessor(step)
    nb = with_numbers(nbformat.read(path, as_version=4), numbers)
    with contextlib.chdir(folder.root):  # as nbgrader does: paths in options are relative to it
        text, _ = exporter.from_notebook_node(nb, resources_for(folder.api.coursedir, assignment, path.stem))
    return str(text)
