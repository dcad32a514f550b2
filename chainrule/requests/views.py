"""What the marking room's page of regrade requests shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainrule.marking import views
from chainrule.marking.answers import Item
from chainrule.marking.drawing import Drawing
from chainrule.marking.errors import MarkingError
from chainrule.requests.store import Request, points_now
from chainrule.titles import item_titles

if TYPE_CHECKING:
    from chainrule.marking.handler import Rooms


@dataclass(frozen=True)
class Shown:
    """A request with what a marker wants to know.

    Attributes:
        title: of the item.
        now, maximum: the points that the item has now; None if the gradebook has it no longer.
        alias: the student's id in the marking room, if the item is one of written answers; else "".
    """

    request: Request
    title: str
    now: float | None
    maximum: float | None
    alias: str


def shown(rooms: Rooms) -> list[Shown]:
    """All requests, those that wait first."""
    requests = rooms.requests
    with requests.database.transaction(wait=5.0) as connection:
        found = [(request, _points(connection, request)) for request in requests.all(connection)]
    return [
        Shown(request, _title(rooms, request), *points, alias=_alias(rooms, request))
        for request, points in found
    ]


def _points(connection: object, request: Request) -> tuple[float | None, float | None]:
    try:
        return points_now(connection, request)  # type: ignore[arg-type]
    except MarkingError:
        return None, None


def _title(rooms: Rooms, request: Request) -> str:
    titles = item_titles(rooms.folder.notebooks(request.assignment), rooms.folder.config)
    title = titles.get((request.notebook, request.item))
    return title.text if title else request.item


def _alias(rooms: Rooms, request: Request) -> str:
    if request.assignment not in rooms.folder.assignments:
        return ""
    room = rooms.room(request.assignment)
    written = any(item.key == (request.notebook, request.item) for item in room.work.items())
    return room.alias(request.student) if written else ""


def work(rooms: Rooms, number: int) -> tuple[str, Drawing]:
    """The assignment of a request, and the student's notebook.

    Raises:
        MarkingError: there is no such request.
    """
    with rooms.requests.database.transaction(wait=5.0) as connection:
        request = rooms.requests.find(connection, number)
    room = rooms.room(request.assignment)
    return request.assignment, views.notebook_drawing(
        room, Item(request.notebook, request.item, 0.0), request.student
    )
