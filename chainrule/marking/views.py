"""What the page is told: an answer with its proposal, the rubric, comments said before, progress."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from typing import Any

from nbformat import NotebookNode
from sqlalchemy import Connection, select

from chainrule.alternatives import group_of
from chainrule.feedback.points import question
from chainrule.gradebook_tables import ASSIGNMENTS, CELLS, GRADES, SOURCES, of_grades
from chainrule.marking.answers import Item, difference, first_of, is_written
from chainrule.marking.drawing import Drawing, drawing_of
from chainrule.marking.gradebook import automatic_results
from chainrule.marking.room import MarkingRoom
from chainrule.marking.rows import Rubric, read_rubric
from chainrule.marking.rubric import KEYS
from chainrule.marking.states import State
from chainrule.marking.tables import MARKS, SHARES

MAX_COMMENTS = 60  # of those said before


@dataclass(frozen=True)
class Parts:
    """What is drawn for an answer."""

    answer: Drawing
    question: Drawing
    scheme: Drawing
    mistakes: tuple[tuple[str, float | None], ...] = ()


def parts_of(room: MarkingRoom, item: Item, state: State) -> Parts:
    """An answer, and the question and mark scheme with the student's own numbers."""
    folder = room.work.graded_path(state.student, item.notebook).parent
    scheme = state.answer.scheme
    if not scheme.question:  # a hand-in that was graded without it
        scheme = room.work.scheme(item)
    return Parts(
        answer_drawing(room, item, state),
        Drawing(texts=(scheme.question or "*(no question above the answer)*",), folder=str(folder)),
        Drawing(texts=(scheme.prose or "*(no model answer)*",), folder=str(folder)),
        tuple((mistake.text, mistake.costs) for mistake in scheme.mistakes),
    )


def answer_drawing(room: MarkingRoom, item: Item, state: State) -> Drawing:
    folder = room.work.graded_path(state.student, item.notebook).parent
    return drawing_of([plain(cell) for cell in state.answer.cells], folder)


def around_drawing(room: MarkingRoom, item: Item, student: str) -> Drawing:
    """What stands around an answer in the student's notebook, without mark schemes."""
    folder = room.work.graded_path(student, item.notebook).parent
    return drawing_of([shown(cell, room) for cell in room.work.around(item, student)], folder)


def notebook_drawing(room: MarkingRoom, item: Item, student: str) -> Drawing:
    """The student's whole notebook, without mark schemes."""
    path = room.work.graded_path(student, item.notebook)
    nb = room.work.notebook(student, item.notebook)
    cells = nb.cells if nb else []
    return drawing_of([plain(cell) if is_written(cell) else shown(cell, room) for cell in cells], path.parent)


def plain(cell: NotebookNode) -> NotebookNode:
    """A student's cell, as nothing but that."""
    return NotebookNode({**cell, "metadata": {}})


def shown(cell: NotebookNode, room: MarkingRoom) -> NotebookNode:
    if cell.cell_type != "markdown":
        return cell
    return NotebookNode({**cell, "source": "\n".join(room.work.delimiters.split(cell.source)[0])})


# ---- an answer ---------------------------------------------------------------------------------------------------


def offer(
    connection: Connection,
    room: MarkingRoom,
    item: Item,
    state: State,
    states: Mapping[str, State],
    *,
    blind: bool = False,
) -> dict[str, Any]:
    """What the page needs to know about an answer that was handed out.

    Args:
        states: of all answers to the item.
        blind: leave out what the first marker thought of it.
    """
    rubric = read_rubric(connection, room, item)
    mark, recorded = state.mark, state.recorded
    ticked, own, comment, note = mark.rows, mark.own_points, state.comment, ""
    equal = [
        other
        for other in states.values()
        if other.answer.normal == state.answer.normal and other.student != state.student
    ]
    if not state.waits:
        note = f"Marked by {mark.marker}." if state.is_ours else "Marked in formgrader."
        if not state.is_ours:
            ticked, own = (), recorded.score
        elif comment != mark.comment:
            note += " Its comment was changed in formgrader."
    elif mark.rows or mark.points is not None or mark.comment:
        given = "" if mark.points is None else f" It was given {mark.points:g}."
        if not state.is_current:
            note = f"{mark.marker} marked an earlier answer of this student.{given}"
    else:
        done = sorted((other for other in equal if other.is_ours), key=lambda one: one.mark.marked_at or 0.0)
        if done:
            model = done[-1].mark
            ticked, own, comment = model.rows, model.own_points, model.comment
            note = f"Filled in: {model.marker} marked an equal answer so. Enter confirms."
    if blind:
        ticked, own, comment, note = (), None, "", "Second look: mark it as if nobody had."
    order = list(states)
    before = first_of(order, {student: each.answer for student, each in states.items()}, state.student)
    waiting = sum(each.waits for each in states.values())
    mine = room.shared_students(connection, mark.claimed_by)
    return {
        "who": room.alias(state.student),
        "answer": state.answer.fingerprint,
        "revision": mark.revision,
        "score": recorded.score,
        "gradebookComment": recorded.comment or "",
        "rubric": rubric_view(rubric, item),
        "ticked": [row for row in ticked if row in rubric.rows],
        "own": own,
        "comment": comment,
        "flagged": mark.flagged and not blind,
        "waits": state.waits or blind,
        "note": note,
        "equal": sum(other.waits and (mine is None or other.student in mine) for other in equal),
        "difference": "".join(_marked_up(states[before].answer.text, state.answer.text)) if before else "",
        "position": f"{order.index(state.student) + 1} of {len(order)}",
        "progress": {"total": len(order), "waiting": waiting},
        "results": list(_results(connection, room, item, state.student)),
        "comments": comments_said(states),
        "usual": usual_comments(states),
        "until": mark.claimed_until,
    }


def rubric_view(rubric: Rubric, item: Item) -> dict[str, Any]:
    return {
        "version": rubric.version,
        "differs": rubric.differs,
        "lacks": [{"id": row.id or None, "points": row.points, "text": row.text} for row in rubric.lacks],
        "maximum": item.maximum,
        "rows": [
            {"id": row.id, "points": row.points, "text": row.text, "key": KEYS[at] if at < len(KEYS) else ""}
            for at, row in enumerate(rubric.rows.values())
        ],
    }


def _marked_up(before: str, now: str) -> Iterator[str]:
    """The difference to the answer shown before, as HTML."""
    if SequenceMatcher(None, before, now).quick_ratio() < 0.3:
        return
    for kind, words in difference(before, now):
        text = escape(words)
        yield (
            text
            if kind == "same"
            else f"<{'ins' if kind == 'new' else 'del'}>{text}</{'ins' if kind == 'new' else 'del'}>"
        )


def _results(connection: Connection, room: MarkingRoom, item: Item, student: str) -> Iterator[str]:
    """The automatic results of the same question, and what else was handed in of which one counts, a sentence each."""
    mine = _number(item.name)
    for result in automatic_results(connection, room.assignment, item.notebook, student):
        if result.name != item.name and mine and _number(result.name) == mine:
            yield f"{result.name}: {result.score:g} of {result.maximum:g}"
    for other in group_of(room.folder.course.alternatives_of(room.assignment), item.notebook):
        if other != item.notebook and room.work.graded_path(student, other).exists():
            yield f"{other} was handed in, too: the notebook with more points counts"


def _number(name: str) -> str:
    """The number of an item's question, without letters of parts: "Question 1.3" for q1_3b-slope."""
    found = re.match(r"\w+ \d+(?:\.\d+)?", question(name))
    return found[0] if found and question(name) != name else ""


def comments_said(states: Mapping[str, State]) -> list[str]:
    """The lines of comments on the item, those used most first."""
    marks = sorted((state.mark for state in states.values()), key=lambda mark: mark.marked_at or 0.0)
    said = [mark.comment for mark in marks if mark.comment]
    lines = Counter(line.strip() for comment in said for line in comment.split("\n") if line.strip())
    return [line for line, _ in lines.most_common(MAX_COMMENTS)]


def usual_comments(states: Mapping[str, State]) -> dict[str, str]:
    """The comment said most often with the same ticks; the ticks as ids with commas between."""
    said: dict[str, Counter[str]] = {}
    for mark in (state.mark for state in states.values()):
        if mark.comment and mark.points is not None:
            ticks = ",".join(str(row) for row in sorted(mark.rows))
            said.setdefault(ticks, Counter())[mark.comment] += 1
    return {ticks: comments.most_common(1)[0][0] for ticks, comments in said.items()}


def nothing_waits(connection: Connection, room: MarkingRoom, item: Item, now: float) -> dict[str, Any]:
    """What to say when nothing can be handed out."""
    states = room.states(connection, item)
    waiting = [state for state in states.values() if state.waits]
    held: dict[str, float] = {}
    for state in waiting:
        if state.mark.claimed_until > now:
            held[state.mark.claimed_by] = max(held.get(state.mark.claimed_by, 0.0), state.mark.claimed_until)
    return {
        "done": True,
        "progress": {"total": len(states), "waiting": len(waiting)},
        "held": [{"by": name, "until": until} for name, until in sorted(held.items())],
    }


# ---- the start page ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MarkerFigures:
    """How one marker has marked an item so far."""

    marker: str
    count: int
    mean: float
    seconds: float


@dataclass(frozen=True)
class ItemFigures:
    """How far an item's marking is."""

    item: Item
    total: int
    waiting: int
    flagged: int
    seconds: float
    markers: tuple[MarkerFigures, ...]
    held: tuple[str, ...]
    given_to: tuple[str, ...]

    @property
    def marked(self) -> int:
        return self.total - self.waiting


def overview(connection: Connection, room: MarkingRoom) -> list[ItemFigures]:
    """The items of an assignment, with the progress of each."""
    shares = connection.execute(
        select(SHARES).where(SHARES.c.assignment == room.assignment, SHARES.c.kind == "item")
    ).all()
    figures = []
    for item in room.work.items():
        states = list(room.states(connection, item).values())
        ours = [state.mark for state in states if state.is_ours]
        markers = []
        for name in sorted({mark.marker for mark in ours}):
            points = [mark.points or 0.0 for mark in ours if mark.marker == name]
            seconds = [mark.seconds for mark in ours if mark.marker == name]
            markers.append(
                MarkerFigures(name, len(points), sum(points) / len(points), sum(seconds) / len(seconds))
            )
        elsewhere = [state for state in states if not state.waits and not state.is_ours]
        if elsewhere:
            mean = sum(state.recorded.score or 0.0 for state in elsewhere) / len(elsewhere)
            markers.append(MarkerFigures("in formgrader", len(elsewhere), mean, 0.0))
        held = {state.mark.claimed_by for state in states if state.mark.claimed_until > room.clock()}
        figures.append(
            ItemFigures(
                item,
                len(states),
                sum(state.waits for state in states),
                sum(state.mark.flagged for state in states),
                sum(state.mark.seconds for state in states),
                tuple(markers),
                tuple(sorted(held)),
                tuple(sorted(row.marker for row in shares if row.name == item_name(item))),
            )
        )
    return figures


def item_name(item: Item) -> str:
    """An item's name among those of its assignment, as shares have it."""
    return f"{item.notebook}/{item.name}"


def where_to_go_on(connection: Connection, room: MarkingRoom, marker: str) -> Item | None:
    """The item that a marker marked last, if answers wait there; else the first of theirs where some do."""
    figures = overview(connection, room)
    given = {name for each in figures for name in each.given_to}
    mine = [each for each in figures if marker in each.given_to] if marker in given else figures
    students = room.shared_students(connection, marker)
    open_items = [
        each.item
        for each in mine
        if each.waiting
        and (
            students is None
            or any(
                state.waits and name in students for name, state in room.states(connection, each.item).items()
            )
        )
    ]
    last = connection.execute(
        select(MARKS.c.notebook, MARKS.c.item)
        .where(
            MARKS.c.assignment == room.assignment, MARKS.c.marker == marker, MARKS.c.marked_at.is_not(None)
        )
        .order_by(MARKS.c.marked_at.desc())
    ).first()
    if last:
        for item in open_items:
            if item.key == (last.notebook, last.item):
                return item
    return open_items[0] if open_items else None


def waiting_elsewhere(connection: Connection, room: MarkingRoom) -> int:
    """How many items with checks wait for a person: they are looked at in formgrader."""
    written = {item.key for item in room.work.items()}
    rows = connection.execute(
        of_grades(SOURCES.c.name, CELLS.c.name.label("item")).where(
            ASSIGNMENTS.c.name == room.assignment,
            GRADES.c.needs_manual_grade.is_(True),
            GRADES.c.manual_score.is_(None),
        )
    )
    return sum((row.name, row.item) not in written for row in rows)
