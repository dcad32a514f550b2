"""A mark belongs to the answer that it was given for.

People mark in nbgrader's formgrader, where nothing of ours runs. So each time a notebook is recorded, we write into a
table of our own in the gradebook's database what the recorded answer is. If another answer is recorded next time, the
mark that stands in the gradebook was given for the earlier one: it is kept in that table, and the item waits again.
If the earlier answer comes back, so does its mark.

A person's comment belongs to an answer in the same way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Comment, Grade, Gradebook, SubmittedNotebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from sqlalchemy import delete, insert, select, update

from chainrule.gradebook import open_gradebook, open_tables
from chainrule.gradebook_tables import ANSWERS
from chainrule.grading.comment_sections import MARKED_BEFORE, was_for_earlier
from chainrule.grading.record import set_comment
from chainrule.metadata import is_added
from chainrule.submissions import graded_assignment

NOTHING = ""  # the fingerprint of an untouched answer, or of one that was not handed in


@dataclass(frozen=True)
class EarlierMark:
    """What a person gave an earlier answer."""

    score: float | None = None
    extra_credit: float | None = None
    comment: str | None = None


class KeepMarks(NbGraderPreprocessor):
    """nbgrader preprocessor, after SaveAutoGrades: keep each mark with the answer that it was given for.

    The item of another answer waits for a person again, except if nothing was answered. So does an answer that stands
    in cells below its own, which nbgrader takes for unanswered. The earlier mark is written into the automatic comment,
    which formgrader shows where the new comment is typed.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        where = resources["nbgrader"]
        with open_gradebook(where["db_url"]) as gradebook:
            ANSWERS.create(gradebook.engine, checkfirst=True)
            submission = gradebook.find_submission(where["assignment"], where["student"])
            for notebook in submission.notebooks:
                if notebook.name == where["notebook"]:
                    keep_marks(gradebook, notebook, answers(nb), nb.cells)
                    wait_for_marks(notebook, {*answered_below(nb)})
                elif not self._is_handed_in(where, notebook.name):
                    keep_marks(gradebook, notebook, {}, [])
            gradebook.db.commit()
        return nb, resources

    def _is_handed_in(self, where: dict[str, str], notebook: str) -> bool:
        course = CourseDirectory(parent=self)
        folder = course.format_path(course.submitted_directory, where["student"], where["assignment"])
        return Path(course.root, folder, f"{notebook}.ipynb").exists()


# ---- what an answer is -------------------------------------------------------------------------------------------


def answers(nb: NotebookNode) -> dict[str, str]:
    """The fingerprint of what the student wrote for each item and in each answer cell of a graded notebook, by name.

    An answer marked by hand is its cell with the cells that the student added after it. The answer to an item with
    checks is what the student wrote before them, after the checks above.
    """
    written: dict[str, list[Any]] = {}
    since: list[Any] = []  # what the student wrote after the last checks
    before: list[Any] = []  # and before them
    last = ""  # the answer that added cells belong to
    for cell in nb.cells:
        name = str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
        if is_added(cell):
            since.append(content(cell))
            written.setdefault(last, []).append(content(cell))
        elif utils.is_solution(cell):
            last = name
            written[name] = [content(cell)]
            since.append(content(cell))
        elif utils.is_grade(cell):
            before, since, last = since or before, [], ""
            written[name] = before
        else:
            last = name if utils.is_task(cell) else ""
            if last:
                written[name] = []
    return {name: fingerprint(texts) for name, texts in written.items() if name}


def answered_below(nb: NotebookNode) -> Iterator[str]:
    """The names of written answers whose own cell is untouched, but below which the student has written something.

    nbgrader takes them for unanswered.
    """
    name = ""  # the untouched answer above
    for cell in nb.cells:
        if not is_added(cell):
            written = utils.is_grade(cell) and utils.is_solution(cell)
            name = cell.metadata.nbgrader["grade_id"] if written and not content(cell) else ""
        elif name and (cell.source.strip() or cell.get("attachments")):
            yield name
            name = ""


def content(cell: NotebookNode) -> list[Any]:
    """What a student wrote in a cell; an untouched answer is nothing, whatever its stub says."""
    marks = cell.metadata.get("nbgrader", {})
    if marks.get("checksum") and marks["checksum"] == utils.compute_checksum(cell):
        return []
    text = "\n".join(line.rstrip() for line in cell.source.splitlines()).strip()
    return [cell.cell_type, text, cell.get("attachments") or {}]


def fingerprint(written: list[Any]) -> str:
    """A short text that differs for different answers. Computed in another way, it would make every mark wait."""
    if not any(written):
        return NOTHING
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()[:32]


# ---- the gradebook -----------------------------------------------------------------------------------------------


def wait_for_marks(notebook: SubmittedNotebook, names: Container[str]) -> None:
    """Let these written answers wait for a person, those that nobody has marked."""
    for grade in notebook.grades:
        if grade.name in names and grade.manual_score is None:
            grade.auto_score, grade.needs_manual_grade = None, True


def keep_marks(
    gradebook: Gradebook, notebook: SubmittedNotebook, now: dict[str, str], cells: Iterable[NotebookNode]
) -> None:
    """Compare a notebook's answers with those recorded last, and keep the marks of those that have changed.

    Args:
        now: the fingerprints of the answers; those that are not in it were not handed in.
        cells: the notebook's, in order.
    """
    comments = {comment.name: comment for comment in notebook.comments}
    told: dict[str, list[str]] = {}  # sentences by the name of the comment that they are written into
    place = answer_cells(cells)
    for grade in notebook.grades:
        earlier = keep_score(gradebook, grade, now.get(grade.name, NOTHING))
        if earlier and earlier.score is not None and grade.manual_score is None:
            about = grade.name if grade.name in comments else place.get(grade.name, next(iter(comments), ""))
            told.setdefault(about, []).append(
                f"{was_for_earlier(grade.name)} {earlier.score:.4g} for an earlier answer"
            )
    marked = {grade.name for grade in notebook.grades if grade.manual_score is not None}
    for comment in notebook.comments:
        earlier = keep_comment(gradebook, comment, now.get(comment.name, NOTHING))
        settled = comment.manual_comment is not None or comment.name in marked
        if earlier and earlier.comment and not settled:
            told.setdefault(comment.name, []).append(
                f"the comment on an earlier answer was: {earlier.comment}"
            )
    for name, comment in comments.items():
        sentences = "".join(f"\n- {sentence}" for sentence in told.get(name, []))
        set_comment(comment, MARKED_BEFORE, f"\n{sentences}" if sentences else "")


def answer_cells(cells: Iterable[NotebookNode]) -> dict[str, str]:
    """The name of the answer above each item with checks."""
    place, last = {}, ""
    for cell in cells:
        name = str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
        if utils.is_solution(cell):
            last = name
        elif utils.is_grade(cell) and last:
            place[name] = last
    return place


def keep_score(gradebook: Gradebook, grade: Grade, now: str) -> EarlierMark | None:
    """Keep a grade's score with the answer that it was given for.

    Returns:
        The last mark of another answer, if there is one.
    """
    given = EarlierMark(grade.manual_score, grade.extra_credit)
    found = exchange(gradebook, grade.id, now, given, grade.max_score)
    if found.is_another:
        grade.manual_score, grade.extra_credit = found.own.score, found.own.extra_credit
    if grade.manual_score is not None and not found.is_first:
        grade.needs_manual_grade = False  # it was given for this very answer
    elif grade.manual_score is None and found.earlier and found.earlier.score is not None:
        grade.needs_manual_grade = now != NOTHING
    return found.earlier


def keep_comment(gradebook: Gradebook, comment: Comment, now: str) -> EarlierMark | None:
    """The same for what a person wrote in a comment."""
    given = EarlierMark(comment=comment.manual_comment or None)
    found = exchange(gradebook, comment.id, now, given, None)
    if found.is_another:
        comment.manual_comment = found.own.comment
    return found.earlier


@dataclass(frozen=True)
class Exchange:
    """What is known about the answer that is recorded now.

    Attributes:
        is_first: no answer was recorded before, so that nobody knows what a mark was given for.
        is_another: it differs from the one recorded last.
        own: the mark that it had when it was recorded before.
        earlier: the last mark of another answer.
    """

    is_first: bool = False
    is_another: bool = False
    own: EarlierMark = EarlierMark()
    earlier: EarlierMark | None = None


def exchange(gradebook: Gradebook, id: str, now: str, given: EarlierMark, maximum: float | None) -> Exchange:
    """Write into our table which answer is recorded now, and keep what was given to the one before.

    Args:
        id: of nbgrader's grade or comment.
        given: what stands in the gradebook.
    """
    mine = ANSWERS.c.id == id
    rows = gradebook.db.execute(select(ANSWERS).where(mine).order_by(ANSWERS.c.number.desc())).all()
    kept = {row.answer: EarlierMark(row.score, row.extra_credit, row.comment) for row in rows}
    is_another = bool(rows) and rows[0].answer != now
    own = kept.pop(now, EarlierMark())
    if is_another:
        kept[rows[0].answer] = given
        gradebook.db.execute(
            update(ANSWERS)
            .where(mine, ANSWERS.c.answer == rows[0].answer)
            .values(score=given.score, extra_credit=given.extra_credit, comment=given.comment)
        )
    gradebook.db.execute(delete(ANSWERS).where(mine, ANSWERS.c.answer == now))
    number = rows[0].number + 1 if rows else 1
    gradebook.db.execute(insert(ANSWERS).values(id=id, answer=now, number=number, maximum=maximum))
    earlier = next((mark for mark in kept.values() if mark != EarlierMark()), None)
    return Exchange(not rows, is_another, own, earlier)


# ---- what to tell about it ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GivenMark:
    """A person's mark that stands in the gradebook.

    Attributes:
        maximum: of the item, today.
        maximum_before: of the item, when the answer was recorded last; None if that is not known.
    """

    score: float
    maximum: float
    maximum_before: float | None


def given_marks(db_url: str, assignment: str, student: str) -> dict[str, GivenMark]:
    """The marks that people gave a student and that stand in the gradebook, by the names of `chainrule.items`."""
    with open_tables(db_url) as connection:
        graded = graded_assignment(connection, assignment, (), student)  # in all notebooks
        if graded is None or student not in graded.submissions:
            return {}
        marked = {
            grade.id: (grade.item, grade.manual)
            for grade in graded.submissions[student].grades
            if grade.manual is not None
        }
        ANSWERS.create(connection, checkfirst=True)
        rows = connection.execute(
            select(ANSWERS.c.id, ANSWERS.c.maximum).where(ANSWERS.c.id.in_(marked)).order_by(ANSWERS.c.number)
        )
        before = {id: maximum for id, maximum in rows}
    return {
        item: GivenMark(score, graded.maxima[item], before.get(id)) for id, (item, score) in marked.items()
    }


def changed_marks(before: Mapping[str, GivenMark], now: Mapping[str, GivenMark]) -> dict[str, str]:
    """A sentence, without the item's name, for each mark that was taken back or has come back."""
    told = {}
    for item, mark in before.items():
        if item not in now:
            told[item] = f"was {mark.score:.4g} for an earlier answer"
    for item, mark in now.items():
        if item not in before:
            told[item] = f"has again the {mark.score:.4g} that this answer was given"
    return told


def above_maximum(marks: Mapping[str, GivenMark]) -> list[str]:
    """A sentence for each mark that is more than its item's maximum."""
    return [
        f"{item} is marked {mark.score:.4g} of {mark.maximum:.4g}, more than its maximum: correct it in formgrader"
        for item, mark in marks.items()
        if mark.score > mark.maximum
    ]
