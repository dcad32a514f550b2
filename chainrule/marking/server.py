"""The marking room as an extension of Jupyter's server: its token, login and XSRF; no student's code runs on its pages.

`chainrule mark` starts it alone, and then nothing else of Jupyter's server can be reached with the token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.auth import Authorizer, User
from jupyter_server.extension.application import ExtensionApp
from traitlets import Unicode

from chainrule.course import CourseFolder
from chainrule.marking import pages
from chainrule.marking.actions import ActionHandler
from chainrule.marking.handler import HERE, RESOURCE, Rooms
from chainrule.requests import pages as requests


class OnlyTheRoom(Authorizer):
    """Allows the marking room and nothing else: a marker's token must not list or run files."""

    def is_authorized(self, handler: Any, user: User, action: str, resource: str) -> bool:
        return resource == RESOURCE


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
                (rf"{base}/?", pages.AssignmentsPage, rooms),
                (rf"{base}/files/([\w.-]+)", pages.FileHandler, rooms),
                (rf"{base}/name", pages.NameHandler, rooms),
                (rf"{base}/requests/?", requests.RequestsPage, rooms),
                (rf"{base}/requests/(\d{{1,9}})/work", requests.RequestWorkPage, rooms),
                (rf"{base}/requests/(\d{{1,9}})/answer", requests.RequestAnswer, rooms),
                (rf"{base}/a/([^/]+)/?", pages.StartPage, rooms),
                (rf"{base}/a/([^/]+)/shares", pages.ShareHandler, rooms),
                (rf"{base}/a{item}/?", pages.ItemPage, rooms),
                (rf"{base}/a{item}/marking\.csv", pages.ExportFile, rooms),
                (rf"{base}/a{item}/notebook/(\w+)", pages.WholeNotebookPage, rooms),
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
