"""A student's answer to an item, and its mark: as it is, as a marker wants it, and as the marker's page has seen it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from chainrule.marking.answers import Answer
from chainrule.marking.gradebook import Recorded


@dataclass(frozen=True)
class Mark:
    """A mark as it is in our table; `points` is None while there is none."""

    answer: str = ""
    rows: tuple[int, ...] = ()
    own_points: float | None = None
    points: float | None = None
    comment: str = ""
    marker: str = ""
    marked_at: float | None = None
    seconds: float = 0.0
    flagged: bool = False
    revision: int = 0
    token: str = ""
    claimed_by: str = ""
    claimed_in: str = ""
    claimed_until: float = 0.0


@dataclass(frozen=True)
class State:
    """A student's answer to an item, with what the gradebook and we know about its mark."""

    student: str
    answer: Answer
    recorded: Recorded
    mark: Mark

    @property
    def fingerprint(self) -> str:
        return self.answer.fingerprint if self.recorded.answer is None else self.recorded.answer

    @property
    def waits(self) -> bool:
        return self.recorded.score is None and self.recorded.needs_person

    @property
    def is_ours(self) -> bool:
        """Whether the mark in the gradebook was given in the marking room for this very answer."""
        mark = self.mark
        return mark.points is not None and mark.points == self.recorded.score and self.is_current

    @property
    def comment(self) -> str:
        """The one that students get, which formgrader may have changed; while the answer waits, the earlier mark's."""
        return self.mark.comment if self.waits else self.recorded.comment or ""

    @property
    def is_current(self) -> bool:
        return self.mark.answer == self.fingerprint

    def held_by_other(self, tab: str, now: float) -> bool:
        return self.mark.claimed_until > now and self.mark.claimed_in != tab


@dataclass(frozen=True)
class Draft:
    """What a marker wants to save."""

    rows: tuple[int, ...] = ()
    own_points: float | None = None
    comment: str = ""
    flagged: bool = False
    seconds: float = 0.0
    judged: bool = True  # False: only flagged, without points


@dataclass(frozen=True)
class Seen:
    """What the marker's page was made from."""

    answer: str
    revision: int
    rubric: str
    score: float | None
    comment: str
    token: str


@dataclass(frozen=True)
class Marker:
    """A marker, and the browser tab in which the marker works."""

    name: str
    tab: str


@dataclass
class Known:
    """An item's states as they were read.

    They are right while nobody else writes into the gradebook, but for `changed`. A file can change without the
    gradebook only until its answer is the one that was recorded: grading writes the file last.

    Attributes:
        version: the database's when they were read.
        states: by student, in the order of marking.
        unsure: what the files of other students had, and of those whose answer is not the recorded one.
        changed: students whose row or score we have changed since.
    """

    version: int
    states: dict[str, State]
    unsure: Mapping[str, Answer | None]
    changed: set[str] = field(default_factory=set)


def read_mark(row: Mapping[Any, Any]) -> Mark:
    """A mark from a row of our table or of the history."""
    values = {name: row[name] for name in Mark.__dataclass_fields__ if name in row}
    return Mark(**{**values, "rows": ticked(row["rows"]), "flagged": bool(row["flagged"])})


@lru_cache(4096)
def ticked(ids: str) -> tuple[int, ...]:
    """The ids of ticked rows, from our table."""
    return tuple(json.loads(ids))


def as_row(mark: Mark) -> dict[str, Any]:
    return {**vars(mark), "rows": json.dumps(mark.rows)}
