"""What all pages and actions of the marking room have in common: who asks, errors as sentences, work in threads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, FileSystemLoader
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from chainrule.course import CourseFolder, find_course
from chainrule.errors import ChainruleError
from chainrule.marking.answers import Item
from chainrule.marking.drawing import Drawings
from chainrule.marking.errors import BusyError, ConflictError, MarkingError
from chainrule.marking.room import MarkingRoom
from chainrule.marking.tables import Database
from chainrule.requests.store import Requests

HERE = Path(__file__).parent
RESOURCE = "marking"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
COOKIE = "chainrule-marker"

Result = TypeVar("Result")


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


TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
TEMPLATES.filters["clock"] = lambda seconds: (
    f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
)
