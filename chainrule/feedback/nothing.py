"""A page for each student without a graded notebook, so that nobody is left without an answer."""

from __future__ import annotations

from nbgrader.api import Gradebook, MissingEntry, SubmittedAssignment
from traitlets.config import Configurable

from chainrule.course import CourseFolder
from chainrule.feedback.page import INDEX_NAME, nothing_page
from chainrule.feedback.points import head_of
from chainrule.gradebook import open_gradebook
from chainrule.grading.comment_sections import NOT_GRADED
from chainrule.intake.roster import class_list
from chainrule.marks.sheet import write_atomically
from chainrule.students.lateness import told

NOTHING = "Nothing was handed in for this assignment, so there is nothing to mark."
NOT_YET = "What was handed in is not graded yet."


def students_without_a_graded_notebook(
    folder: CourseFolder, assignment: str, graded: set[str]
) -> dict[str, str]:
    """The names of all students of the class who have none, by id."""
    with open_gradebook(folder.directory.db_url) as gradebook:
        people = class_list(folder, gradebook.db.connection())
    return {id: person.full_name for id, person in people.items() if id not in graded}


def write_nothing_pages(folder: CourseFolder, assignment: str, students: dict[str, str]) -> None:
    """Write a page for each of these students, which says why there is no more on it.

    Args:
        students: names by id.
    """
    notebooks = folder.notebooks(assignment)
    page_name = INDEX_NAME if len(notebooks) > 1 else f"{notebooks[0].stem}.html"
    head = head_of(Configurable(config=folder.config), assignment, notebooks)
    with open_gradebook(folder.directory.db_url) as gradebook:
        for student, name in students.items():
            text = nothing_page(head, student, name, reason(folder, gradebook, assignment, student))
            write_atomically(folder.folder("feedback", student, assignment) / page_name, text.encode())


def reason(folder: CourseFolder, gradebook: Gradebook, assignment: str, student: str) -> str:
    """Why a student has no graded notebook, and what was decided, in sentences."""
    about = told(folder.course, gradebook.db.connection(), assignment, student)
    try:
        submission = gradebook.find_submission(assignment, student)
    except MissingEntry:
        handed_in = folder.folder("submitted", student, assignment)
        return " ".join([*about, NOT_YET if handed_in.is_dir() and any(handed_in.iterdir()) else NOTHING])
    why = " ".join(not_graded(submission))
    return " ".join([*about, f"What was handed in could not be graded: {why}" if why else NOT_YET])


def not_graded(submission: SubmittedAssignment) -> list[str]:
    """What grading has written about notebooks that it could not read."""
    comments = (comment for notebook in submission.notebooks for comment in notebook.comments)
    texts = [str(comment.auto_comment or "") for comment in comments]
    return [text.partition(NOT_GRADED)[2].split("\n\n")[0].strip() for text in texts if NOT_GRADED in text]
