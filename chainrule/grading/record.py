"""From verdicts to the gradebook.

nbgrader writes the scores. This marks what a person has to look at, and writes comments about repairs.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Comment, SubmittedAssignment, SubmittedNotebook
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Dict, List, Unicode

from chainrule.course import CourseFolder
from chainrule.gradebook import open_gradebook
from chainrule.grading.comment_sections import NOT_GRADED, REPAIRED, with_section
from chainrule.grading.repairs import sentences, without
from chainrule.grading.verdicts import review_reasons
from chainrule.metadata import Repair, graded_notebook
from chainrule.release.master import masters


class WaitForPeople(NbGraderPreprocessor):
    """nbgrader preprocessor, after SaveAutoGrades: mark graded cells that a person has to look at.

    These are cells with a grader error, with a check that asks for a review, and with one that stopped with an error
    of its own.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        where = resources["nbgrader"]
        waiting = [cell for cell in nb.cells if review_reasons(cell)]
        if waiting:
            with open_gradebook(where["db_url"]) as gradebook:
                for cell in waiting:
                    grade = gradebook.find_grade(
                        cell.metadata.nbgrader.grade_id,
                        where["notebook"],
                        where["assignment"],
                        where["student"],
                    )
                    if grade.manual_score is None:  # else a person has looked at this very answer
                        grade.needs_manual_grade = True
                gradebook.db.commit()
        return nb, resources


class TellRepairs(NbGraderPreprocessor):
    """nbgrader preprocessor, after SaveAutoGrades: write into the gradebook's comments what was repaired.

    A sentence about a cell with a comment is written there. All others are written into the notebook's first comment.
    """

    shared = Dict(
        value_trait=List(Dict()),
        key_trait=Unicode(),
        help="By the notebook's name: repairs that all hand-ins needed, so that no student is told about them. "
        "`chainrule grade` finds them.",
    ).tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        where = resources["nbgrader"]
        shared = self.shared.get(where["notebook"], [])
        repairs = without(graded_notebook(nb).get("repaired", []), shared)
        with open_gradebook(where["db_url"]) as gradebook:
            submission = gradebook.find_submission_notebook(
                where["notebook"], where["assignment"], where["student"]
            )
            for comment, sentences in by_comment(repairs, comments(submission, nb)):
                items = "".join(f"\n- {sentence}" for sentence in sentences)
                set_comment(comment, REPAIRED, f"\n{items}" if items else "")
            gradebook.db.commit()
        return nb, resources


def record_ungraded(folder: CourseFolder, assignment: str, student: str, reason: str) -> bool:
    """Write into the gradebook that a hand-in could not be graded: 0 for every item, and a comment with the reason.

    No item waits for a person. A student who was graded before keeps the scores and the date of that hand-in; then only
    the comment is written.

    Args:
        reason: for the student, such as "not a readable notebook: it is empty".
    Returns:
        Whether the student keeps the scores of an earlier hand-in.
    """
    directory = folder.directory
    with open_gradebook(directory.db_url, directory.course_id) as gradebook:
        gradebook.update_or_create_student(student)
        submission = gradebook.update_or_create_submission(assignment, student)
        keeps = was_graded(folder, assignment, student, submission)
        if not keeps:
            submission.timestamp = received(folder, assignment, student)
            for grade in (grade for notebook in submission.notebooks for grade in notebook.grades):
                grade.auto_score, grade.needs_manual_grade = 0.0, False
        for comment in first_comment(folder, assignment, submission):
            set_comment(comment, NOT_GRADED, f" {reason}")
        gradebook.db.commit()
    return keeps


def comment_unreadable(
    folder: CourseFolder, assignment: str, student: str, reasons: Mapping[str, str]
) -> None:
    """Write into a comment which of a student's notebooks could not be read, and why.

    The comment belongs to another notebook, because feedback has no page for an unreadable one.

    Args:
        reasons: by the notebook's name.
    """
    directory = folder.directory
    with open_gradebook(directory.db_url, directory.course_id) as gradebook:
        submission = gradebook.find_submission(assignment, student)
        text = "; ".join(f"{name}: {why}" for name, why in reasons.items())
        for comment in first_comment(folder, assignment, submission, without=reasons):
            set_comment(comment, NOT_GRADED, f" {text}")
        gradebook.db.commit()


def was_graded(folder: CourseFolder, assignment: str, student: str, submission: SubmittedAssignment) -> bool:
    """Whether the student has points, marks by hand, or answers that wait for them."""
    if any(folder.folder("autograded", student, assignment).glob("*.ipynb")):
        return True
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    return any(grade.auto_score or grade.manual_score is not None for grade in grades)


def received(folder: CourseFolder, assignment: str, student: str) -> datetime | None:
    """When the hand-in was received, in UTC; None if intake didn't record it."""
    stamp = folder.folder("submitted", student, assignment) / "timestamp.txt"
    try:
        time: datetime = utils.parse_utc(stamp.read_text(encoding="utf-8").strip())
    except (OSError, ValueError, OverflowError):
        return None
    return time


def comments(submission: SubmittedNotebook, nb: NotebookNode) -> dict[str, Comment]:
    """The comments of a submitted notebook by cell, in the notebook's order."""
    by_name = {comment.name: comment for comment in submission.comments}
    names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells]
    return {name: by_name[name] for name in names if name in by_name}


def first_comment(
    folder: CourseFolder, assignment: str, submission: SubmittedAssignment, without: Container[str] = ()
) -> list[Comment]:
    """The first comment of a submission outside the notebooks `without`, as a list of one or none."""
    notebooks = {notebook.name: notebook for notebook in submission.notebooks if notebook.name not in without}
    for name, nb in masters(folder, assignment).items():
        if name in notebooks:
            for comment in comments(notebooks[name], nb).values():
                return [comment]
    return []


def by_comment(repairs: list[Repair], comments: Mapping[str, Comment]) -> list[tuple[Comment, list[str]]]:
    """Each comment with the sentences that belong into it."""
    if not comments:
        return []
    first = next(iter(comments))
    grouped: dict[str, list[str]] = {name: [] for name in comments}
    for repair, sentence in zip(repairs, sentences(repairs), strict=True):
        about = next((name for name in comments if repair["cells"] == [name]), first)
        grouped[about].append(sentence)
    return [(comments[name], sentences) for name, sentences in grouped.items()]


def set_comment(comment: Comment, heading: str, text: str) -> None:
    """Write a text under its heading into nbgrader's automatic comment, in place of the text from last time."""
    comment.auto_comment = with_section(comment.auto_comment or "", heading, text)
