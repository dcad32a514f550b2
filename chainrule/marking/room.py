"""One item's answers are handed out, marked, taken back and flagged: never the same answer to two people.

A save names the revision that its page was made from. The same save again is harmless; anything else that has changed
meanwhile is a conflict, and the message says what it was.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from chainrule.course import CourseFolder
from chainrule.lesson.results import counted
from chainrule.marking.answers import Item, WrittenWork, in_order
from chainrule.marking.errors import ConflictError, MarkingError
from chainrule.marking.gradebook import recorded, write_score
from chainrule.marking.rows import Rubric, read_rubric
from chainrule.marking.rubric import DECIMALS, sum_of
from chainrule.marking.states import Draft, Known, Mark, Marker, Seen, State, as_row, read_mark, ticked
from chainrule.marking.tables import HISTORY, MARKS, SETTINGS, SHARES, Database

LEASE = 300.0  # seconds for which an answer belongs to the tab that shows it
LONGEST = 900.0  # more seconds on one answer were a break
MAX_COMMENT = 10_000  # characters
# made once: they are asked at every key
ITEM_MARKS = select(MARKS.c.student, *(MARKS.c[name] for name in Mark.__dataclass_fields__)).where(
    *(MARKS.c[name] == bindparam(name) for name in ("assignment", "notebook", "item"))
)
ITEM_MARK = ITEM_MARKS.where(MARKS.c.student == bindparam("student"))
ITS_STUDENTS = select(SHARES.c.name).where(
    SHARES.c.assignment == bindparam("assignment"),
    SHARES.c.marker == bindparam("marker"),
    SHARES.c.kind == "student",
)
PUT = update(MARKS).where(
    *(MARKS.c[name] == bindparam(f"its_{name}") for name in ("assignment", "notebook", "item", "student"))
)
HELD = update(MARKS).where(
    MARKS.c.assignment == bindparam("its_assignment"), MARKS.c.claimed_in == bindparam("tab")
)
LEAVE = HELD.values(claimed_by="", claimed_in="", claimed_until=0.0)
NOTE = insert(HISTORY)
FEW = 20  # marks that are read again one by one


class MarkingRoom:
    """An assignment's written answers and their marks.

    Args:
        clock: gives the time in seconds since 1970.
    """

    def __init__(
        self, folder: CourseFolder, assignment: str, database: Database | None = None, clock: Any = time.time
    ) -> None:
        self.folder, self.assignment, self.clock = folder, assignment, clock
        self.work = WrittenWork(folder, assignment)
        self.database = database or Database(folder.directory.db_url)
        self.secret = self._secret()
        self._students: dict[str, str] = {}  # by anonymous id
        self._order = lru_cache(64)(self._ordered)
        self._known: dict[Item, Known] = {}  # in transactions only, of which there is one at a time

    # ---- names ---------------------------------------------------------------------------------------------------

    def _secret(self) -> str:
        """What anonymous ids and orders are made from; made once for a gradebook."""
        with self.database.transaction(wait=10.0) as connection:
            found = connection.scalar(select(SETTINGS.c.value).where(SETTINGS.c.name == "secret"))
            if found is None:
                found = secrets.token_hex(16)
                connection.execute(insert(SETTINGS).values(name="secret", value=found))
        return str(found)

    def alias(self, student: str) -> str:
        """The student's anonymous id in this assignment; never one that a spreadsheet reads as a number, as 123e45."""
        return "s" + hashlib.sha256(f"{self.secret}/{self.assignment}/{student}".encode()).hexdigest()[:10]

    def student(self, alias: str) -> str:
        """The student of an anonymous id.

        Raises:
            MarkingError: nobody has it.
        """
        if alias not in self._students:
            self._students = {self.alias(student): student for student in self.work.students()}
        if alias in self._students:
            return self._students[alias]
        raise MarkingError(f"no student of {self.assignment} has the id {alias}")

    def item(self, notebook: str, name: str) -> Item:
        """An item by its names.

        Raises:
            MarkingError: there is none.
        """
        for item in self.work.items():
            if item.key == (notebook, name):
                return item
        raise MarkingError(f"{self.assignment} has no written item {name} in {notebook}")

    # ---- states --------------------------------------------------------------------------------------------------

    def states(self, connection: Connection, item: Item) -> dict[str, State]:
        """The answers of everybody who wrote something, by student, in the order of marking."""
        known = self._known.get(item)
        if (
            known is None
            or known.version != self.database.version
            or len(known.changed) > FEW
            or any(self.work.answer(item, student) is not answer for student, answer in known.unsure.items())
        ):
            known = self._known[item] = self._read(connection, item)
        for student in known.changed & known.states.keys():
            known.states[student] = self._read_again(connection, item, known.states[student])
        known.changed.clear()
        return dict(known.states)

    def _read(self, connection: Connection, item: Item) -> Known:
        found = recorded(connection, self.assignment, *item.key)
        in_files = {student: self.work.answer(item, student) for student in found}
        answers = {student: answer for student, answer in in_files.items() if answer and answer.fingerprint}
        marks = self.marks(connection, item)
        key = tuple((student, answer.fingerprint) for student, answer in sorted(answers.items()))
        states = {
            student: State(student, answers[student], found[student], marks.get(student, Mark()))
            for student in self._order(item, key)
        }
        unsure = {
            student: answer
            for student, answer in in_files.items()
            if answer is None or answer.fingerprint != found[student].answer
        }
        return Known(self.database.version, states, unsure)

    def _read_again(self, connection: Connection, item: Item, state: State) -> State:
        """The state after we have changed its row or score."""
        found = recorded(connection, self.assignment, *item.key, grade=state.recorded.grade_id)
        return replace(state, recorded=found[state.student], mark=self.mark(connection, item, state.student))

    def mark(self, connection: Connection, item: Item, student: str) -> Mark:
        row = connection.execute(ITEM_MARK, self.names(item, student)).one_or_none()
        return _mark(row) if row else Mark()

    def changed(self, item: Item, student: str) -> None:
        """Say that a mark or its score was written in this transaction."""
        if item in self._known:
            self._known[item].changed.add(student)

    def _latest(self, connection: Connection, item: Item, student: str) -> State | None:
        """A student's state, with the answer as its file is at this moment; None without an answer."""
        state = self.states(connection, item).get(student)
        if state and self.work.answer(item, student) is not state.answer:
            del self._known[item]
            state = self.states(connection, item).get(student)
        return state

    def _ordered(self, item: Item, key: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
        answers = self.work.answers(item, [student for student, _ in key])
        return tuple(in_order(answers, self.secret, item))

    def marks(self, connection: Connection, item: Item) -> dict[str, Mark]:
        rows = connection.execute(ITEM_MARKS, self.names(item)).all()
        return {row[0]: _mark(row) for row in rows}

    def of(self, table: Any, item: Item, student: str | None = None) -> list[Any]:
        """Conditions for an item's rows in one of our tables."""
        conditions = [
            table.c.assignment == self.assignment,
            table.c.notebook == item.notebook,
            table.c.item == item.name,
        ]
        return conditions if student is None else [*conditions, table.c.student == student]

    def names(self, item: Item, student: str | None = None) -> dict[str, str]:
        """Values of the columns that name an item, for an insert."""
        names = {"assignment": self.assignment, "notebook": item.notebook, "item": item.name}
        return names if student is None else {**names, "student": student}

    def shared_students(self, connection: Connection, marker: str) -> set[str] | None:
        """The students whose answers this marker was given; None for all."""
        rows = connection.scalars(ITS_STUDENTS, {"assignment": self.assignment, "marker": marker})
        return set(rows) or None

    # ---- handing out ---------------------------------------------------------------------------------------------

    def next_waiting(
        self, connection: Connection, item: Item, marker: Marker, after: str | None = None
    ) -> State | None:
        """Hand out the next answer that waits: the first free one after a student's, or from the start.

        Answers that were flagged and not marked come last.
        """
        self.leave(connection, marker)
        mine, now = self.shared_students(connection, marker.name), self.clock()
        while True:
            states = self.states(connection, item)
            order = list(states)
            start = order.index(after) + 1 if after and after in states else 0
            free = [
                states[student]
                for student in order[start:] + order[:start]
                if states[student].waits
                and not states[student].held_by_other(marker.tab, now)
                and (mine is None or student in mine)
            ]
            if not free:
                return None
            chosen = min(free, key=lambda state: state.mark.flagged)
            if self._latest(connection, item, chosen.student) == chosen:
                return self._claim(connection, item, chosen, marker)

    def open(self, connection: Connection, item: Item, marker: Marker, student: str) -> State:
        """Hand out a certain answer, marked or not.

        Raises:
            ConflictError: somebody else has it.
            MarkingError: the student wrote nothing.
        """
        state = self._latest(connection, item, student)
        if state is None:
            raise MarkingError("this student wrote nothing for the item")
        if state.held_by_other(marker.tab, self.clock()):
            if state.mark.claimed_by == marker.name:
                raise ConflictError("you have this answer open in another tab")
            raise ConflictError(f"{state.mark.claimed_by} has this answer open")
        self.leave(connection, marker)
        return self._claim(connection, item, state, marker)

    def neighbour(self, connection: Connection, item: Item, marker: Marker, student: str, step: int) -> str:
        """The student before (-1) or after (1) this one in the order of marking, of those whom the marker was given."""
        mine = self.shared_students(connection, marker.name)
        order = [
            name for name in self.states(connection, item) if mine is None or name in mine or name == student
        ]
        if not order:
            raise MarkingError("no answer to this item is given to you")
        return order[(order.index(student) + step) % len(order)] if student in order else order[0]

    def _claim(self, connection: Connection, item: Item, state: State, marker: Marker) -> State:
        values = {
            "claimed_by": marker.name,
            "claimed_in": marker.tab,
            "claimed_until": self.clock() + LEASE,
        }
        self._put(connection, item, state.student, values)
        return replace(state, mark=replace(state.mark, **values))

    def _put(self, connection: Connection, item: Item, student: str, values: Mapping[str, Any]) -> None:
        """Change the row of a mark, or make it."""
        names = self.names(item, student)
        its = {f"its_{name}": value for name, value in names.items()}
        if not connection.execute(PUT, {**values, **its}).rowcount:
            connection.execute(insert(MARKS), {**names, **values})
        self.changed(item, student)

    def _held_changed(self, marker: Marker) -> None:
        """What this tab holds is about to change."""
        for item, known in self._known.items():
            for student, state in known.states.items():
                if state.mark.claimed_in == marker.tab:
                    self.changed(item, student)

    def leave(self, connection: Connection, marker: Marker) -> None:
        """Give back what this tab holds."""
        self._held_changed(marker)
        connection.execute(LEAVE, {"its_assignment": self.assignment, "tab": marker.tab})

    def stay(self, connection: Connection, marker: Marker) -> None:
        """Keep what this tab holds for another lease."""
        self._held_changed(marker)
        values = {"claimed_until": self.clock() + LEASE}
        connection.execute(
            HELD.where(MARKS.c.claimed_until > 0),
            {"its_assignment": self.assignment, "tab": marker.tab, **values},
        )

    # ---- saving --------------------------------------------------------------------------------------------------

    def save(
        self, connection: Connection, item: Item, student: str, draft: Draft, seen: Seen, marker: Marker
    ) -> Mark:
        """Record a mark: our row, nbgrader's score and comment, and a line in the history.

        Raises:
            MarkingError: the points are not possible.
            ConflictError: the answer, its mark or the rubric has changed since the page was made.
        """
        state = self._state(connection, item, student)
        if seen.token and state.mark.token == seen.token:
            return state.mark  # the reply to this very save got lost
        rubric = read_rubric(connection, self, item)
        self._require_unchanged(state, seen, rubric, marker)
        points = points_of(draft, rubric, item) if draft.judged else None
        if state.is_ours and _same(state, draft) and draft.flagged != state.mark.flagged:
            return self.record(connection, item, state, draft, None, marker, seen.token)  # still its marker's
        if points is None and not draft.flagged:
            raise MarkingError("nothing is ticked: press 0 for no points")
        return self.record(
            connection, item, state, replace(draft, rows=valid(draft, rubric)), points, marker, seen.token
        )

    def save_equal(self, connection: Connection, item: Item, student: str, marker: Marker) -> list[str]:
        """Give the waiting answers that equal a marked one the same mark, each recorded; returns their students."""
        states = self.states(connection, item)
        model = states.get(student)
        if model is None or not model.is_ours:
            raise MarkingError("mark this answer first")
        draft = Draft(model.mark.rows, model.mark.own_points, model.mark.comment)
        mine = self.shared_students(connection, marker.name)
        done = []
        for state in states.values():
            free = state.waits and not state.held_by_other(marker.tab, self.clock())
            free = free and (mine is None or state.student in mine)
            if free and not state.mark.flagged and state.answer.normal == model.answer.normal:
                self.record(connection, item, state, draft, model.mark.points, marker, "", action="equal")
                done.append(state.student)
        return done

    def _state(self, connection: Connection, item: Item, student: str) -> State:
        if known := self._latest(connection, item, student):
            return known
        found = recorded(connection, self.assignment, *item.key, student=student)
        answer = self.work.answer(item, student)
        if student not in found or answer is None:
            raise ConflictError("this student's graded notebook is gone: press S for the next answer")
        return State(student, answer, found[student], self.mark(connection, item, student))

    def _require_unchanged(self, state: State, seen: Seen, rubric: Rubric, marker: Marker) -> None:
        mark = state.mark
        require_same(state, seen.answer)
        if mark.revision != seen.revision:
            told = "took the mark back" if mark.points is None else f"gave {mark.points:g}"
            raise ConflictError(f"{mark.marker} {told} meanwhile: look at the answer again")
        if state.held_by_other(marker.tab, self.clock()):
            raise ConflictError(f"your hold of this answer ran out, and {mark.claimed_by} has it open now")
        if (state.recorded.score, state.recorded.comment or "") != (seen.score, seen.comment):
            score = "no score" if state.recorded.score is None else f"{state.recorded.score:g}"
            raise ConflictError(f"somebody changed this mark in formgrader: it has {score} there now")
        require_same(state, seen.answer, rubric, seen.rubric)

    def record(
        self,
        connection: Connection,
        item: Item,
        state: State,
        draft: Draft,
        points: float | None,
        marker: Marker,
        token: str,
        action: str = "mark",
    ) -> Mark:
        """Write a mark that has been found possible, in all places."""
        before, now = state.mark, self.clock()
        flagged_only = points is None
        mark = replace(
            before,
            answer=before.answer if flagged_only else state.fingerprint,
            rows=before.rows if flagged_only else draft.rows,
            own_points=before.own_points if flagged_only else draft.own_points,
            points=before.points if flagged_only else points,
            comment=before.comment if flagged_only else draft.comment.strip(),
            marker=before.marker if flagged_only and before.points is not None else marker.name,
            marked_at=before.marked_at if flagged_only else now,
            seconds=before.seconds + min(max(draft.seconds, 0.0), LONGEST),
            flagged=draft.flagged,
            revision=before.revision + 1,
            token=token,
            claimed_by="",
            claimed_in="",
            claimed_until=0.0,
        )
        self._put(connection, item, state.student, as_row(mark))
        if not flagged_only:
            write_score(connection, state.recorded, points, mark.comment)
        self.note(connection, item, state, mark, marker.name, "flag" if flagged_only else action)
        return mark

    def note(
        self, connection: Connection, item: Item, state: State, mark: Mark, marker: str, action: str
    ) -> None:
        """Add a line to the history: the mark as it is now, and what the gradebook had before."""
        kept = ("answer", "rows", "own_points", "points", "comment", "flagged", "revision")
        connection.execute(
            NOTE,
            {
                **self.names(item, state.student),
                "at": self.clock(),
                "marker": marker,
                "action": action,
                **{name: value for name, value in as_row(mark).items() if name in kept},
                "score_before": state.recorded.score,
                "comment_before": state.recorded.comment,
            },
        )

    def undo(self, connection: Connection, item: Item, marker: Marker) -> list[str]:
        """Take back what this marker did last to the item's marks: one mark, or one with all that equal it.

        Returns:
            The students, the one whose answer was on the page last.
        Raises:
            MarkingError: there is nothing, or somebody has changed it since.
        """
        taken, problem = [], MarkingError("there is no mark of yours to take back")
        for entry in list(self._last_done(connection, item, marker)):
            try:
                taken.append(self._take_back(connection, item, entry, marker))
            except MarkingError as error:
                problem = error
        if not taken:
            raise problem
        return taken

    def _last_done(self, connection: Connection, item: Item, marker: Marker) -> Iterator[Mapping[Any, Any]]:
        """The lines of the history that one key of the marker's has made, as far as they stand, the last one first."""
        entries = connection.execute(
            select(HISTORY)
            .where(*self.of(HISTORY, item), HISTORY.c.action.not_in(("rubric", "flag")))
            .order_by(HISTORY.c.id.desc())
        ).mappings()
        decided: set[str] = set()  # students whose last mark that stands was met
        undone: Counter[str] = Counter()  # marks that were taken back, still to come
        together = False  # after a line of equal answers, whose first line is the mark that they were given
        for entry in entries:
            student, mine = entry["student"], entry["marker"] == marker.name
            if together and not (mine and entry["action"] in ("equal", "mark")):
                return
            if entry["action"] == "undo":
                undone[student] += 1
            elif undone[student]:
                undone[student] -= 1
            elif student not in decided:
                decided.add(student)
                if mine and entry["action"] in ("mark", "equal"):
                    yield entry
                    together = True
            if together and entry["action"] == "mark":
                return

    def _take_back(self, connection: Connection, item: Item, entry: Mapping[Any, Any], marker: Marker) -> str:
        student = entry["student"]
        state = self._state(connection, item, student)
        if not state.is_ours or (state.recorded.comment or "") != state.mark.comment:
            raise MarkingError("your last mark was changed since, in formgrader or by another grading")
        earlier = connection.execute(
            select(HISTORY)
            .where(*self.of(HISTORY, item, student), HISTORY.c.id < entry["id"])
            .order_by(HISTORY.c.id.desc())
        ).mappings()
        before = earlier.first()
        mark = replace(
            read_mark(before) if before else Mark(),
            marker=marker.name,
            seconds=state.mark.seconds,
            revision=state.mark.revision + 1,
        )
        score = entry["score_before"]
        if score is None:
            mark = replace(mark, points=None)
        elif mark.points == score and mark.own_points is None:  # rows may have been changed meanwhile
            rubric = read_rubric(connection, self, item).rows
            rows = tuple(row for row in mark.rows if row in rubric)
            score = sum_of(rubric[row] for row in rows)
            if score > item.maximum:
                raise MarkingError(f"the rubric was changed since: your mark before would be {score:g} now")
            mark = replace(mark, rows=rows, points=score)
        self._put(connection, item, student, as_row(mark))
        write_score(connection, state.recorded, score, entry["comment_before"])
        self.note(connection, item, state, mark, marker.name, "undo")
        return str(student)

    def history(self, connection: Connection, item: Item, student: str) -> list[dict[str, Any]]:
        """What happened to a mark, oldest first."""
        rows = connection.execute(
            select(HISTORY).where(*self.of(HISTORY, item, student)).order_by(HISTORY.c.id)
        )
        return [dict(row) for row in rows.mappings()]


def _mark(row: Row[Any]) -> Mark:
    """A mark from a row of `ITEM_MARKS`."""
    _, answer, ids, *values = tuple(row)
    return Mark(answer, ticked(ids), *values)


def require_same(state: State, answer: str, rubric: Rubric | None = None, version: str = "") -> None:
    """Raise a ConflictError if it is another answer now, or another rubric."""
    if state.fingerprint != answer:
        raise ConflictError("the student's work was graded again, and this answer is another one now")
    if rubric and rubric.version != version:
        raise ConflictError("the rubric has changed: look at the rows again")


def _same(state: State, draft: Draft) -> bool:
    """Whether a draft says what the mark says, flags aside."""
    mine = state.mark
    rows, own, comment = set(draft.rows), draft.own_points, draft.comment.strip()
    return (rows, own, comment) == (set(mine.rows), mine.own_points, state.comment)


def points_of(draft: Draft, rubric: Rubric, item: Item) -> float | None:
    """The points of a draft: the marker's own number, else the sum of the ticked rows; None if nothing is ticked.

    Raises:
        MarkingError: they are not possible, or the comment is too long.
    """
    if len(draft.comment.strip()) > MAX_COMMENT:
        raise MarkingError(
            f"the comment has {len(draft.comment.strip())} characters: write at most {MAX_COMMENT}"
        )
    if draft.own_points is None and not draft.rows:
        return None
    if draft.own_points is not None:
        points = draft.own_points
        if not math.isfinite(points) or points < 0:
            raise MarkingError(f"{points} is no number of points: write one from 0 to {item.maximum:g}")
    else:
        points = sum_of(rubric.rows[row] for row in valid(draft, rubric))
    points = round(points, DECIMALS)
    if points > item.maximum:
        raise MarkingError(f"{points:g} is more than the item has, {counted(item.maximum)}: untick a row")
    return points


def valid(draft: Draft, rubric: Rubric) -> tuple[int, ...]:
    """The ticked rows in the rubric's order.

    Raises:
        MarkingError: the rubric has no such row.
    """
    if unknown := set(draft.rows) - set(rubric.rows):
        raise MarkingError(f"the rubric has no row {min(unknown)}")
    return tuple(row for row in rubric.rows if row in draft.rows)
