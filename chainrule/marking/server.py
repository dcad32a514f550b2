"""The marking room as an extension of Jupyter's server: its token, login and XSRF; no student's code runs on its pages.

`chainrule mark` starts it alone, and then nothing else of Jupyter's server can be reached with the token.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from html import escape
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, FileSystemLoader
from jupyter_server.auth import Authorizer, User
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join
from pygments.formatters import HtmlFormatter
from sqlalchemy import Connection
from tornado import web
from traitlets import Unicode

from chainrule.course import CourseError, CourseFolder, find_course
from chainrule.errors import ChainruleError
from chainrule.marking import second_look, views
from chainrule.marking.answers import Item
from chainrule.marking.drawing import Drawing, Drawings
from chainrule.marking.errors import BusyError, ConflictError, MarkingError
from chainrule.marking.exchange import export_csv, import_csv
from chainrule.marking.room import MarkingRoom
from chainrule.marking.rows import RowChange, change_row, preview, read_rubric, write_back
from chainrule.marking.shares import give, shares_of
from chainrule.marking.states import Draft, Marker, Seen, State
from chainrule.marking.tables import Database
from chainrule.requests import views as request_views
from chainrule.requests.store import Requests

HERE = Path(__file__).parent
RESOURCE = "marking"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
COOKIE = "chainrule-marker"
AHEAD = 12  # answers that are drawn before they are asked for
MAX_BODY = 20_000_000  # bytes of an imported file

Result = TypeVar("Result")


class OnlyTheRoom(Authorizer):
    """Allows the marking room and nothing else: a marker's token must not list or run files."""

    def is_authorized(self, handler: Any, user: User, action: str, resource: str) -> bool:
        return resource == RESOURCE


class Rooms:
    """The marking rooms of a course, opened when they are first wanted."""

    def __init__(self, start: Path, marker: str = "") -> None:
        self._start, self.marker = start, marker
        self._folder: CourseFolder | None = None
        self._database: Database | None = None
        self._rooms: dict[str, MarkingRoom] = {}
        self.drawings = Drawings()
        self.threads = ThreadPoolExecutor(4, thread_name_prefix="marking")

    @property
    def folder(self) -> CourseFolder:
        if self._folder is None:
            self._folder = CourseFolder(find_course(self._start))
        return self._folder

    def room(self, assignment: str) -> MarkingRoom:
        """The room of an assignment.

        Raises:
            CourseError: there is no such assignment.
        """
        self.folder.require(assignment)
        if assignment not in self._rooms:
            self._rooms[assignment] = MarkingRoom(self.folder, assignment, self.database)
        return self._rooms[assignment]

    @property
    def database(self) -> Database:
        if self._database is None:
            self._database = Database(self.folder.directory.db_url)
        return self._database

    @property
    def requests(self) -> Requests:
        return Requests(self.database)

    def close(self) -> None:
        self.drawings.close()
        self.threads.shutdown(wait=False, cancel_futures=True)
        if self._database:
            self._database.close()


class MarkingHandler(JupyterHandler):
    """What all pages of the room have in common."""

    auth_resource = RESOURCE

    def initialize(self, rooms: Rooms) -> None:
        self.rooms = rooms

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Content-Type-Options", "nosniff")

    @property
    def content_security_policy(self) -> str:
        return POLICY

    @property
    def marker_name(self) -> str:
        """Who marks: as the command was told, else the hub's user, else as the marker has told the page."""
        if self.rooms.marker:
            return self.rooms.marker
        user = self.current_user
        known = getattr(user, "username", "") if user else ""
        if self.settings.get("hub_auth") or self.serverapp_is_hub:
            return str(known)
        cookie = self.get_signed_cookie(COOKIE)
        return cookie.decode() if cookie else ""

    @property
    def serverapp_is_hub(self) -> bool:
        return type(self.identity_provider).__module__.startswith("jupyterhub")

    async def in_thread(self, work: Callable[[], Result]) -> Result:
        """Do something with the database without keeping others waiting."""
        return await asyncio.get_running_loop().run_in_executor(self.rooms.threads, work)

    def page(self, template: str, **values: Any) -> None:
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        base = url_path_join(self.base_url, "marking")
        self.finish(
            TEMPLATES.get_template(template).render(
                base=base,
                marker=self.marker_name,
                asks_name=not self.rooms.marker and not self.serverapp_is_hub,
                xsrf=self.xsrf_token.decode(),
                **values,
            )
        )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Errors as a sentence: a page's or, for a request of our script, as JSON."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        sentence = str(error.log_message or error.reason) if isinstance(error, web.HTTPError) else str(error)
        if isinstance(error, ChainruleError | web.HTTPError):
            self.set_status(status_code)
        if self.request.method == "POST":
            self.set_header("Content-Type", "application/json")
            self.finish(json.dumps({"error": sentence}))
        else:
            self.set_header("Content-Type", "text/html; charset=UTF-8")
            self.finish(
                f'<!doctype html><html lang="en"><title>Marking</title><p>{escape(sentence)}</p></html>'
            )

    def _handle_request_exception(self, error: BaseException) -> None:
        if isinstance(error, BusyError):
            error = web.HTTPError(503, log_message=str(error).replace("%", "%%"))
        elif isinstance(error, ConflictError):
            error = web.HTTPError(409, log_message=str(error).replace("%", "%%"))
        elif isinstance(error, ChainruleError):
            error = web.HTTPError(400, log_message=str(error).replace("%", "%%"))
        super()._handle_request_exception(error)

    def asked(self) -> dict[str, Any]:
        """What a request of our script says.

        Raises:
            MarkingError: it is no JSON object, or has a number that is none.
        """
        try:
            body = json.loads(self.request.body or b"{}", parse_constant=_no_number)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise MarkingError("the request is not JSON")
        return body

    def found(self, assignment: str, notebook: str, name: str) -> tuple[MarkingRoom, Item]:
        room = self.rooms.room(assignment)
        return room, room.item(notebook, name)


def _no_number(word: str) -> None:
    raise ValueError(word)


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


class RequestsPage(MarkingHandler):
    """The regrade requests of the course."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        def look() -> list[request_views.Shown]:
            return request_views.shown(self.rooms)

        self.page("requests.html", requests=await self.in_thread(look))


class RequestWorkPage(MarkingHandler):
    """The notebook that a request is about."""

    @web.authenticated
    @authorized
    async def get(self, number: str) -> None:
        def look() -> tuple[str, Drawing]:
            return request_views.work(self.rooms, int(number))

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
            None if body.get(name) is None else _points(body[name]) for name in ("points", "seen")
        )

        def write() -> None:
            requests = self.rooms.requests
            with requests.database.transaction() as connection:
                requests.answer(
                    connection, int(number), str(body.get("answer", "")), self.marker_name, points, seen
                )

        await self.in_thread(write)
        self.finish({})


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
        body = self.asked()
        marker = " ".join(str(body.get("marker", "")).split())  # as the marker's own page takes the name
        items, students = (list(map(str, body.get(kind) or ())) for kind in ("items", "students"))

        def write() -> None:
            room = self.rooms.room(assignment)
            with room.database.transaction() as connection:
                give(connection, room, marker, items, students)

        await self.in_thread(write)
        self.finish({})


class ActionHandler(MarkingHandler):
    """What the marking page asks for; each action is a method below."""

    @web.authenticated
    @authorized
    async def post(self, assignment: str, notebook: str, name: str, action: str) -> None:
        if len(self.request.body) > MAX_BODY:
            raise web.HTTPError(413)
        body = self.asked()
        if not self.marker_name:
            raise MarkingError("say who you are first, on the assignment's page")
        room, item = await self.in_thread(partial(self.found, assignment, notebook, name))
        self.room, self.item, self.body = room, item, body
        self.marker = Marker(self.marker_name, str(body.get("tab", ""))[:64])
        method: Callable[[], Awaitable[dict[str, Any]]] | None = getattr(self, f"do_{action}", None)
        if method is None:
            raise web.HTTPError(404)
        try:
            reply = await method()
        except ChainruleError:
            raise
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise MarkingError(f"the request lacks something: {error}") from None
        self.finish(reply)

    async def with_database(self, work: Callable[[Connection], Result]) -> Result:
        """Do something in one transaction."""

        def whole() -> Result:
            self.room.work.read_ahead(self.item)
            with self.room.database.transaction() as connection:
                return work(connection)

        return await self.in_thread(whole)

    # ---- answers -------------------------------------------------------------------------------------------------

    async def do_next(self) -> dict[str, Any]:
        """Hand out the next waiting answer."""
        return await self._shown(await self.with_database(self._next))

    async def do_open(self) -> dict[str, Any]:
        """Hand out a certain answer, or the one before or after it."""
        student = self.room.student(self.body["who"])
        step = int(self.body.get("step", 0))

        def work(connection: Connection) -> dict[str, Any]:
            wanted = student
            if step:
                wanted = self.room.neighbour(connection, self.item, student, step)
            return self._offer(connection, self.room.open(connection, self.item, self.marker, wanted))

        return await self._shown(await self.with_database(work))

    async def do_save(self) -> dict[str, Any]:
        """Save a mark and hand out the next answer."""
        student, draft, seen = self._student(), self._draft(), self._seen()

        def work(connection: Connection) -> dict[str, Any]:
            if self.body.get("second"):
                found = second_look.save_look(
                    connection, self.room, self.item, student, draft, self.marker, seen.answer, seen.rubric
                )
                return self._compared(found)
            mark = self.room.save(connection, self.item, student, draft, seen, self.marker)
            return {"saved": mark.points} | self._next(connection, after=student)

        return await self._shown(await self.with_database(work))

    async def do_equal(self) -> dict[str, Any]:
        """Give all equal answers the mark that this one has just got."""
        student, draft, seen = self._student(), self._draft(), self._seen()

        def work(connection: Connection) -> dict[str, Any]:
            mark = self.room.save(connection, self.item, student, draft, seen, self.marker)
            done = self.room.save_equal(connection, self.item, student, self.marker)
            return {"saved": mark.points, "equalDone": len(done)} | self._next(connection, after=student)

        return await self._shown(await self.with_database(work))

    async def do_undo(self) -> dict[str, Any]:
        """Take back the marker's last mark and show its answer."""

        def work(connection: Connection) -> dict[str, Any]:
            if self.body.get("second"):
                raise MarkingError("a second look is not taken back here: leave it to take back a first mark")
            student = self.room.undo(connection, self.item, self.marker)
            return self._offer(connection, self.room.open(connection, self.item, self.marker, student))

        return await self._shown(await self.with_database(work))

    async def do_settle(self) -> dict[str, Any]:
        """Choose between a first and a second mark."""
        student, take = self._student(), bool(self.body["take"])
        await self.with_database(
            lambda connection: second_look.settle(
                connection, self.room, self.item, student, take, self.marker
            )
        )
        return {}

    async def do_leave(self) -> dict[str, Any]:
        """Give back what the tab holds."""
        await self.with_database(lambda connection: self.room.leave(connection, self.marker))
        return {}

    async def do_stay(self) -> dict[str, Any]:
        """Hold it for longer."""
        await self.with_database(lambda connection: self.room.stay(connection, self.marker))
        return {}

    async def do_around(self) -> dict[str, Any]:
        """What stands around the answer."""
        student = self._student()
        drawing = await self.in_thread(lambda: views.around_drawing(self.room, self.item, student))
        (html,) = await self.rooms.drawings.drawn(drawing)
        return {"html": html}

    async def do_name(self) -> dict[str, Any]:
        """Whose answer it is."""
        return {"name": self._student()}

    # ---- rubric --------------------------------------------------------------------------------------------------

    async def do_row(self) -> dict[str, Any]:
        """Change a row: say what it would do or, with the sentence said before, do it."""
        raw = self.body["change"]
        change = RowChange(
            None if raw.get("id") is None else int(raw["id"]),
            0.0 if raw.get("removed") else _points(raw.get("points")),
            str(raw.get("text", "")),
            bool(raw.get("removed")),
        )
        agreed = self.body.get("agreed")

        def work(connection: Connection) -> dict[str, Any]:
            if agreed is None:
                return {"preview": preview(connection, self.room, self.item, change).sentence()}
            done = change_row(connection, self.room, self.item, change, self.marker, str(agreed))
            rubric = read_rubric(connection, self.room, self.item)
            view = views.rubric_view(rubric, self.item)
            return {"done": done.sentence(), "rubric": view}

        reply = await self.with_database(work)
        return await self._with_row_texts(reply)

    async def do_scheme(self) -> dict[str, Any]:
        """Write the rubric into the mark scheme in `source/`."""

        def work(connection: Connection) -> dict[str, Any]:
            rubric = read_rubric(connection, self.room, self.item)
            return {"written": write_back(self.room, self.item, rubric)}

        return await self.with_database(work)

    async def do_import(self) -> dict[str, Any]:
        """Take in a marking as CSV; nothing is overwritten unless `overwrite` says so."""
        text, overwrite = str(self.body["text"]), bool(self.body.get("overwrite"))

        def work(connection: Connection) -> dict[str, Any]:
            taken = import_csv(connection, self.room, self.item, text, self.marker, overwrite=overwrite)
            return {"lines": taken.lines()}

        return await self.with_database(work)

    # ---- parts ---------------------------------------------------------------------------------------------------

    def _student(self) -> str:
        return self.room.student(str(self.body["who"]))

    def _draft(self) -> Draft:
        own = self.body.get("own")
        return Draft(
            tuple(int(row) for row in self.body["ticked"]),
            None if own is None else float(own),
            str(self.body.get("comment", "")),
            bool(self.body.get("flagged")),
            float(self.body.get("seconds") or 0.0),
            bool(self.body.get("judged", True)),
        )

    def _seen(self) -> Seen:
        score = self.body.get("score")
        return Seen(
            str(self.body["answer"]),
            int(self.body["revision"]),
            str(self.body["rubric"]),
            None if score is None else float(score),
            str(self.body.get("gradebookComment", "")),
            str(self.body.get("token", ""))[:64],
        )

    def _next(self, connection: Connection, after: str | None = None) -> dict[str, Any]:
        states = None
        if self.body.get("second"):
            state = second_look.next_look(connection, self.room, self.item, self.marker)
        else:
            if after is None and self.body.get("after"):
                after = self.room.student(str(self.body["after"]))
            states = self.room.states(connection, self.item)
            state = self.room.next_waiting(connection, self.item, self.marker, after, states)
        if state is None:
            return views.nothing_waits(connection, self.room, self.item, self.room.clock())
        return self._offer(connection, state, states)

    def _offer(
        self, connection: Connection, state: State, states: dict[str, State] | None = None
    ) -> dict[str, Any]:
        states = states or self.room.states(connection, self.item)
        blind = bool(self.body.get("second"))
        reply = views.offer(connection, self.room, self.item, state, states, blind=blind)
        order = list(states)
        at = order.index(state.student)
        ahead = [states[name] for name in order[at + 1 :] + order[:at] if states[name].waits]
        reply["_parts"] = views.parts_of(self.room, self.item, state)
        reply["_ahead"] = [views.answer_drawing(self.room, self.item, each) for each in ahead[:AHEAD]]
        return reply

    def _compared(self, found: second_look.Comparison) -> dict[str, Any]:
        first = found.first
        return {
            "compared": {
                "who": self.room.alias(found.student),
                "first": first.points,
                "second": found.second.points,
                "marker": first.marker,
                "comment": first.comment,
                "ticked": list(first.rows),
            }
        }

    async def _shown(self, reply: dict[str, Any]) -> dict[str, Any]:
        """The reply with the HTML of what is to be drawn; of the question only if the page has another one."""
        parts: views.Parts | None = reply.pop("_parts", None)
        ahead = reply.pop("_ahead", [])
        drawings = self.rooms.drawings
        if parts:
            reply["html"] = (await drawings.drawn(parts.answer))[0]
            reply["question"] = parts.question.key
            if self.body.get("question") != parts.question.key:
                reply["questionHtml"] = (await drawings.drawn(parts.question))[0]
                reply["schemeHtml"] = (await drawings.drawn(parts.scheme))[0]
                reply["mistakes"] = [{"text": text, "costs": costs} for text, costs in parts.mistakes]
            drawings.ahead(ahead)
        return await self._with_row_texts(reply)

    async def _with_row_texts(self, reply: dict[str, Any]) -> dict[str, Any]:
        rubric = reply.get("rubric")
        if rubric and self.body.get("rubric") != rubric["version"] and rubric["rows"]:
            texts = tuple(row["text"] for row in rubric["rows"])
            for row, html in zip(
                rubric["rows"], await self.rooms.drawings.drawn(Drawing(texts=texts)), strict=True
            ):
                row["html"] = html
        return reply


def _points(value: object) -> float:
    if not isinstance(value, int | float):
        raise MarkingError("write the row's points as a number, such as 0.5 or -0.1")
    return float(value)


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


class MarkingApp(ExtensionApp):
    """The extension, and the server of `chainrule mark`."""

    name = "chainrule_marking"
    app_name = "Chainrule marking"
    load_other_extensions = False
    default_url = "/marking"

    course = Unicode("", help="Course folder; by default the nearest one of the server's folder.").tag(
        config=True
    )
    marker = Unicode("", help="Who marks; by default the page asks.").tag(config=True)

    @classmethod
    def get_extension_package(cls) -> str:
        return "chainrule.marking"

    def initialize_settings(self) -> None:
        start = Path(self.course or self.serverapp.root_dir if self.serverapp else self.course or ".")
        self.rooms = Rooms(start, self.marker)

    def initialize_handlers(self) -> None:
        base = r"/marking"
        item = r"/([^/]+)/([^/]+)/([^/]+)"
        rooms = {"rooms": self.rooms}
        self.handlers.extend(
            [
                (rf"{base}/?", AssignmentsPage, rooms),
                (rf"{base}/files/([\w.-]+)", FileHandler, rooms),
                (rf"{base}/name", NameHandler, rooms),
                (rf"{base}/requests/?", RequestsPage, rooms),
                (rf"{base}/requests/(\d{{1,9}})/work", RequestWorkPage, rooms),
                (rf"{base}/requests/(\d{{1,9}})/answer", RequestAnswer, rooms),
                (rf"{base}/a/([^/]+)/?", StartPage, rooms),
                (rf"{base}/a/([^/]+)/shares", ShareHandler, rooms),
                (rf"{base}/a{item}/?", ItemPage, rooms),
                (rf"{base}/a{item}/marking\.csv", ExportFile, rooms),
                (rf"{base}/a{item}/notebook/(\w+)", WholeNotebookPage, rooms),
                (rf"{base}/a{item}/(\w+)", ActionHandler, rooms),
            ]
        )

    async def stop_extension(self) -> None:
        self.rooms.close()


def serve(
    folder: CourseFolder, assignment: str, marker: str, port: int, *, browser: bool, page: str = ""
) -> None:
    """Run the marking room's own server on 127.0.0.1 until it is interrupted.

    Args:
        page: the page that is opened, such as "requests"; by default that of the assignment.
    Raises:
        CourseError: there is no such assignment.
    """
    if assignment:
        folder.require(assignment)
    url = f"/marking/{page}" if page else f"/marking/a/{assignment}" if assignment else "/marking"
    arguments = [
        f"--MarkingApp.course={folder.root}",
        f"--MarkingApp.marker={marker}",
        f"--ServerApp.root_dir={HERE / 'static'}",
        "--ServerApp.authorizer_class=chainrule.marking.server.OnlyTheRoom",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        f"--ServerApp.open_browser={browser}",
        "--ServerApp.allow_unauthenticated_access=False",
        "--ServerApp.terminals_enabled=False",
        "--ServerApp.allow_root=True",
        "--Application.log_level=WARN",
    ]
    MarkingApp.default_url = url
    MarkingApp.launch_instance(arguments)


TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
TEMPLATES.filters["clock"] = lambda seconds: (
    f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
)

__all__ = ["CourseError", "MarkingApp", "OnlyTheRoom", "serve"]
