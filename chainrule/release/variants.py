"""A release folder per student, with numbers of their own: variants/<assignment>/<student>/."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import SaveCells
from traitlets import import_item

from chainrule.course import CourseError, CourseFolder
from chainrule.intake.folder import STUDENT_ID
from chainrule.release.numbers import (
    MANIFEST,
    Manifest,
    Texts,
    check_handout,
    draw_of,
    drawn,
    varied,
    variants_folder,
)
from chainrule.release.preprocessors import SaveDueDate


def release_variants(
    folder: CourseFolder,
    assignment: str,
    *,
    seed: int | None = None,
    students: Sequence[str] | None = None,
    say: Callable[[str], object] = print,
) -> Manifest:
    """Give students notebooks with numbers of their own, once the assignment has been released to release/.

    A student in the manifest keeps the numbers there.

    Args:
        seed: what numbers are drawn by; the manifest's, or a fresh one, if None.
        students: only these; by default those in the gradebook and in the manifest.
        say: told about progress, a line at a time.
    Returns:
        The manifest, as written.
    Raises:
        CourseError: the course draws no numbers or not those the notebooks want; there are no students, or one
            of them cannot be a folder's name; another seed than the manifest's.
    """
    handout, draw = check_handout(folder, assignment), draw_of(folder, assignment)
    before = Manifest.read(folder.root, assignment)
    place = variants_folder(folder.root, assignment)
    if before is None:
        before = Manifest(assignment, secrets.randbits(64) if seed is None else seed, {})
    elif seed not in (None, before.seed):
        raise CourseError(
            f"{place / MANIFEST} has the seed {before.seed}: with another, work that is handed in would be graded "
            f"by other numbers than it was done with. To begin again, delete {place}."
        )
    chosen = chosen_students(folder, before, students)
    numbers = dict(before.students)
    for student in chosen:
        numbers.setdefault(student, drawn(draw, before.seed, assignment, student))
        if numbers[student].keys() != handout.keys():
            raise CourseError(
                f"{student} has the numbers {', '.join(sorted(numbers[student]))}, and the handout "
                f"{', '.join(sorted(handout))}: always draw the same names. If they have changed since "
                f"variants were released, change them back, or delete {place} to begin again."
            )
    manifest = Manifest(assignment, before.seed, numbers)
    manifest.write(folder.root)  # first, so that nothing is handed out that nobody can grade
    for count, student in enumerate(chosen, 1):
        write_release(folder, assignment, numbers[student], place / student)
        say(f"{count}/{len(chosen)} {student}")
    return manifest


def chosen_students(folder: CourseFolder, manifest: Manifest, wanted: Sequence[str] | None) -> list[str]:
    """The students to release to, each once, whose ids can be names of folders."""
    chosen = set(wanted or ())
    if wanted is None:
        with Gradebook(folder.directory.db_url, folder.directory.course_id) as gradebook:
            chosen = {student.id for student in gradebook.students} | set(manifest.students)
    if not chosen:
        raise CourseError(
            "there are no students to release to: name some, --students ann,bo, or put them there with "
            "`nbgrader db student import students.csv`"
        )
    for student in sorted(chosen):
        if not STUDENT_ID.fullmatch(student) or student.lower() == MANIFEST:
            raise CourseError(f"{student!r} cannot be a student id: use letters, digits and . _ @ -")
    return sorted(chosen)


def write_release(folder: CourseFolder, assignment: str, numbers: Texts, target: Path) -> None:
    """A copy of the assignment's release with these numbers in its notebooks, in place of what was there."""
    partial = target.with_name(f".{target.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(folder.folder("release", ".", assignment), partial)
    for path in folder.notebooks(assignment):
        (partial / path.name).write_text(released(folder, assignment, path, numbers), encoding="utf-8")
    if target.exists():
        shutil.rmtree(target)
    partial.rename(target)


def released(folder: CourseFolder, assignment: str, path: Path, numbers: Texts | None) -> str:
    """One of the assignment's notebooks as nbgrader would release it with these numbers, None for the handout's.

    The steps are those of generate_assignment but for two that write the gradebook, which is not for variants.
    """
    converter = GenerateAssignment(coursedir=folder.directory, config=folder.config)
    exporter = converter.exporter_class(parent=converter, config=converter.config)
    for step in map(import_step, converter.preprocessors):
        if step not in (SaveCells, SaveDueDate):
            exporter.register_preprocessor(step)
    where = {"assignment": assignment, "notebook": path.stem, "student": "."}
    nb = varied(nbformat.read(path, as_version=4), numbers)
    text, _ = exporter.from_notebook_node(nb, {"nbgrader": where})
    return str(text)


def import_step(step: type | str) -> type:
    """A preprocessor, which a configuration may name as text."""
    return import_item(step) if isinstance(step, str) else step
