"""The marking room's pages and files, and the forms of its start page."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from jupyter_server.auth.decorator import authorized
from pygments.formatters import HtmlFormatter
from tornado import web

from chainrule.marking import second_look, views
from chainrule.marking.drawing import Drawing
from chainrule.marking.errors import MarkingError
from chainrule.marking.exchange import export_csv
from chainrule.marking.handler import COOKIE, HERE, MarkingHandler
from chainrule.marking.shares import give, shares_of
from chainrule.one_writer import require_open


class AssignmentsPage(MarkingHandler):
    """The assignments of the course."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        folder = await self.in_thread(lambda: self.rooms.folder)
        self.page("assignments.html", assignments=folder.assignments)


class StartPage(MarkingHandler):
    """An assignment's items with their progress."""

    @web.authenticated
    @authorized
    async def get(self, assignment: str) -> None:
        def look() -> dict[str, Any]:
            room = self.rooms.room(assignment)
            for item in room.work.items():
                room.work.read_ahead(item)
            with room.database.transaction(wait=5.0) as connection:
                figures = views.overview(connection, room)
                looks = {
                    each.item: (
                        len(second_look.wanted(connection, room, each.item)),
                        list(second_look.comparisons(connection, room, each.item)),
                    )
                    for each in figures
                }
                return {
                    "figures": figures,
                    "several": len({each.item.notebook for each in figures}) > 1,
                    "looks": looks,
                    "go_on": views.where_to_go_on(connection, room, self.marker_name),
                    "shares": shares_of(connection, assignment),
                    "others": views.waiting_elsewhere(connection, room),
                }

        self.page("start.html", assignment=assignment, **await self.in_thread(look))


class ItemPage(MarkingHandler):
    """The page on which an item's answers are marked."""

    @web.authenticated
    @authorized
    async def get(self, assignment: str, notebook: str, name: str) -> None:
        _, item = await self.in_thread(partial(self.found, assignment, notebook, name))
        second = bool(self.get_argument("second", ""))
        who = str(self.get_argument("who", ""))
        self.page("item.html", assignment=assignment, item=item, second=second, who=who)


class WholeNotebookPage(MarkingHandler):
    """A student's whole notebook, drawn as in feedback."""

    @web.authenticated
    @authorized
    async def get(self, assignment: str, notebook: str, name: str, who: str) -> None:
        def look() -> Drawing:
            room, item = self.found(assignment, notebook, name)
            return views.notebook_drawing(room, item, room.student(who))

        (html,) = await self.rooms.drawings.drawn(await self.in_thread(look))
        self.page("notebook.html", assignment=assignment, html=html, who=who)


class ExportFile(MarkingHandler):
    """An item's marking as CSV."""

    @web.authenticated
    @authorized
    async def get(self, assignment: str, notebook: str, name: str) -> None:
        def look() -> bytes:
            room, item = self.found(assignment, notebook, name)
            with room.database.transaction() as connection:
                return export_csv(connection, room, item)

        data = await self.in_thread(look)
        self.set_header("Content-Type", "text/csv; charset=UTF-8")
        file_name = re.sub(r"[^\w.-]", "_", f"{notebook}-{name}", flags=re.ASCII)
        self.set_header("Content-Disposition", f'attachment; filename="{file_name}.csv"')
        self.finish(data)


class NameHandler(MarkingHandler):
    """Takes the marker's name, where the command was not told it."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        name = " ".join(str(self.asked().get("name", "")).split())
        if not re.fullmatch(r"[\w .@'-]{1,60}", name):
            raise MarkingError("write your name in letters and digits, with at most 60 characters")
        self.set_signed_cookie(COOKIE, name, path=self.base_url, httponly=True, samesite="Strict")
        self.finish({"name": name})


class ShareHandler(MarkingHandler):
    """Gives a marker items or students of an assignment."""

    @web.authenticated
    @authorized
    async def post(self, assignment: str) -> None:
        require_open(self.rooms.folder.root)
        body = self.asked()
        marker = " ".join(str(body.get("marker", "")).split())  # as the marker's own page takes the name
        items, students = (list(map(str, body.get(kind) or ())) for kind in ("items", "students"))

        def write() -> None:
            room = self.rooms.room(assignment)
            with room.database.transaction() as connection:
                give(connection, room, marker, items, students)

        await self.in_thread(write)
        self.finish({})


class FileHandler(MarkingHandler):
    """Our script and style sheet."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        kinds = {".js": "text/javascript", ".css": "text/css"}
        path = HERE / "static" / name
        if path.suffix not in kinds or not path.is_file():
            raise web.HTTPError(404)
        self.set_header("Content-Type", f"{kinds[path.suffix]}; charset=UTF-8")
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".css":
            text += HtmlFormatter().get_style_defs([".code", ".highlight"])
        self.finish(text)
