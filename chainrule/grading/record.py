"""From verdicts to the gradebook. nbgrader writes the scores; we mark grader errors and say what was repaired."""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Comment, Gradebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.preprocessors import NbGraderPreprocessor

from chainrule.course import CourseFolder
from chainrule.lesson.checks import Result

REPAIRED = "Repaired before grading:"
NOT_GRADED = "Not graded:"


class WaitForPeople(NbGraderPreprocessor):
    """nbgrader preprocessor, after SaveAutoGrades: a graded cell waits for a human if it has a grader error, or if
    a check asks for a review."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        where = resources["nbgrader"]
        waiting = [cell for cell in nb.cells if for_a_person(cell)]
        if waiting:
            with Gradebook(where["db_url"]) as gradebook:
                for cell in waiting:
                    grade = gradebook.find_grade(
                        cell.metadata.nbgrader.grade_id,
                        where["notebook"],
                        where["assignment"],
                        where["student"],
                    )
                    grade.needs_manual_grade = True
                gradebook.db.commit()
        return nb, resources


def for_a_person(cell: NotebookNode) -> list[str]:
    """Why a graded cell waits for a person, a sentence each."""
    record = cell.metadata.get("chainrule", {})
    if "grader_error" in record:
        return [f"{record['grade_id']} waits for a person: {record['grader_error']}"]
    reviews = Result.from_dict(record).reviews if "checks" in record else []
    return [f"{record['grade_id']} waits for a person: {review}" for review in reviews]


class TellRepairs(NbGraderPreprocessor):
    """nbgrader preprocessor, after SaveAutoGrades: tell students what was repaired, in the gradebook's comments.

    A sentence about a cell that has a comment goes there, the others to the notebook's first.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        where = resources["nbgrader"]
        repairs = nb.metadata.get("chainrule", {}).get("repairs", [])
        with Gradebook(where["db_url"]) as gradebook:
            submission = gradebook.find_submission_notebook(
                where["notebook"], where["assignment"], where["student"]
            )
            for comment, sentences in shared_out(repairs, comments(submission, nb)):
                items = "".join(f"\n- {sentence}" for sentence in sentences)
                tell(comment, REPAIRED, f"\n{items}" if items else "")
            gradebook.db.commit()
        return nb, resources


def record_nothing(folder: CourseFolder, assignment: str, student: str, reason: str) -> None:
    """Write into the gradebook that a hand-in could not be graded: 0 for every item, and why.

    Nothing waits for a human. Who was graded before keeps the scores and the date of that hand-in, and is told.

    Args:
        reason: for the student to read, as in "not a readable notebook: it is empty".
    """
    directory = folder.directory
    with Gradebook(directory.db_url, directory.course_id) as gradebook:
        gradebook.update_or_create_student(student)
        submission = gradebook.update_or_create_submission(assignment, student)
        if not was_graded(folder, assignment, student, submission):
            submission.timestamp = received(folder, assignment, student)
            for grade in (grade for notebook in submission.notebooks for grade in notebook.grades):
                grade.auto_score, grade.needs_manual_grade = 0.0, False
        for comment in first_comment(folder, assignment, submission):
            tell(comment, NOT_GRADED, f" {reason}")
        gradebook.db.commit()


def tell_unreadable(folder: CourseFolder, assignment: str, student: str, reasons: Mapping[str, str]) -> None:
    """Say in a comment which of a student's notebooks could not be read, where they will see it: in another one."""
    directory = folder.directory
    with Gradebook(directory.db_url, directory.course_id) as gradebook:
        submission = gradebook.find_submission(assignment, student)
        told = "; ".join(f"{name}: {why}" for name, why in reasons.items())
        for comment in first_comment(folder, assignment, submission, without=reasons):
            tell(comment, NOT_GRADED, f" {told}")
        gradebook.db.commit()


def was_graded(folder: CourseFolder, assignment: str, student: str, submission: SubmittedAssignment) -> bool:
    """Whether there are scores to lose: points, marks by hand, or answers that wait for them."""
    if any(folder.folder("autograded", student, assignment).glob("*.ipynb")):
        return True
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    return any(grade.auto_score or grade.manual_score is not None for grade in grades)


def received(folder: CourseFolder, assignment: str, student: str) -> datetime | None:
    """When the hand-in came in; None if intake didn't say."""
    stamp = folder.folder("submitted", student, assignment) / "timestamp.txt"
    try:
        return utils.parse_utc(stamp.read_text(encoding="utf-8").strip())
    except (OSError, ValueError, OverflowError):
        return None


def comments(submission: SubmittedNotebook, nb: NotebookNode) -> dict[str, Comment]:
    """The comments of a submitted notebook by cell, in the notebook's order."""
    found = {comment.name: comment for comment in submission.comments}
    names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells]
    return {name: found[name] for name in names if name in found}


def first_comment(
    folder: CourseFolder, assignment: str, submission: SubmittedAssignment, without: Container[str] = ()
) -> list[Comment]:
    """The first comment a submission has, if it has any, in none of these notebooks."""
    notebooks = {notebook.name: notebook for notebook in submission.notebooks if notebook.name not in without}
    for path in folder.notebooks(assignment):
        if path.stem in notebooks:
            nb = nbformat.read(path, as_version=4)
            for comment in comments(notebooks[path.stem], nb).values():
                return [comment]
    return []


def shared_out(repairs: list[str], places: Mapping[str, Comment]) -> list[tuple[Comment, list[str]]]:
    """Each comment with the sentences that belong there."""
    if not places:
        return []
    first = next(iter(places))
    told: dict[str, list[str]] = {name: [] for name in places}
    for sentence in repairs:
        about = next((name for name in places if sentence.startswith(f"cell {name} ")), first)
        told[about].append(sentence)
    return [(places[name], sentences) for name, sentences in told.items()]


def tell(comment: Comment, heading: str, text: str) -> None:
    """Put a text under its heading into nbgrader's own comment, in place of what stood there the last time."""
    before = (comment.auto_comment or "").partition(heading)[0].strip()
    parts = [before, f"{heading}{text}" if text else ""]
    comment.auto_comment = "\n\n".join(part for part in parts if part) or None
