"""Pages of the marking room about regrade requests."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from chainrule.marking.actions import row_points
from chainrule.marking.drawing import Drawing
from chainrule.marking.errors import MarkingError
from chainrule.marking.handler import MarkingHandler
from chainrule.requests import views


class RequestsPage(MarkingHandler):
    """The regrade requests of the course."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        def look() -> list[views.Shown]:
            return views.shown(self.rooms)

        self.page("requests.html", requests=await self.in_thread(look))


class RequestWorkPage(MarkingHandler):
    """The notebook that a request is about."""

    @web.authenticated
    @authorized
    async def get(self, number: str) -> None:
        def look() -> tuple[str, Drawing]:
            return views.work(self.rooms, int(number))

        assignment, drawing = await self.in_thread(look)
        (html,) = await self.rooms.drawings.drawn(drawing)
        self.page("notebook.html", assignment=assignment, html=html, who=f"request {number}")


class RequestAnswer(MarkingHandler):
    """Records the answer to a request."""

    @web.authenticated
    @authorized
    async def post(self, number: str) -> None:
        body = self.asked()
        if not self.marker_name:
            raise MarkingError("say who you are first, on the assignment's page")
        points, seen = (
            None if body.get(name) is None else row_points(body[name]) for name in ("points", "seen")
        )

        def write() -> None:
            requests = self.rooms.requests
            with requests.database.transaction() as connection:
                requests.answer(
                    connection, int(number), str(body.get("answer", "")), self.marker_name, points, seen
                )

        await self.in_thread(write)
        self.finish({})
