"""The marking room's server in a process of its own, and what its page asks it for."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from marking_class import ESSAYS, NOTEBOOK, VARIANCE

TOKEN = "a-token-of-the-tests"


class Server:
    """A running `chainrule mark`."""

    process: subprocess.Popen[bytes]

    def __init__(self, root: Path) -> None:
        self.root, self.port = root, free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def page(self, item: str = VARIANCE, assignment: str = ESSAYS, notebook: str = NOTEBOOK) -> str:
        """The address of an item's page."""
        return f"{self.url}/marking/a/{assignment}/{notebook}/{item}"

    def with_token(self, address: str) -> str:
        return f"{address}{'&' if '?' in address else '?'}token={TOKEN}"

    def kill(self) -> None:
        """As `kill -9` does, with the process that draws."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def start(self, *words: str) -> None:
        """Run the command in the course folder, and wait until it answers."""
        command = [sys.executable, "-c", "from chainrule.cli import main; main()", "mark", *words]
        with (self.root / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--no-browser", "--port", str(self.port)],
                cwd=self.root,
                env=jupyters_own(self.root),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self)


class Client:
    """A marker's browser, without a browser."""

    def __init__(
        self,
        server: Server,
        tab: str,
        item: str = VARIANCE,
        marker: str = "",
        assignment: str = ESSAYS,
        notebook: str = NOTEBOOK,
    ) -> None:
        self.server, self.tab, self.page = server, tab, server.page(item, assignment, notebook)
        self.session = requests.Session()
        self.session.get(server.with_token(f"{server.url}/marking"), timeout=60)
        page = self.session.get(f"{server.url}/marking/a/{assignment}", timeout=60)
        found = re.search(r'data-xsrf="([^"]+)"', page.text)
        assert found, page.text
        self.session.headers["X-XSRFToken"] = found[1]
        if marker:
            assert self.post_to(f"{server.url}/marking/name", {"name": marker}).ok

    def post_to(self, address: str, body: dict[str, Any]) -> requests.Response:
        return self.session.post(address, data=json.dumps(body), timeout=60)

    def ask(self, action: str, **body: Any) -> requests.Response:
        return self.post_to(f"{self.page}/{action}", {"tab": self.tab, **body})

    def next(self, **body: Any) -> dict[str, Any]:
        reply = self.ask("next", **body)
        assert reply.ok, reply.text
        return dict(reply.json())

    def save(self, shown: dict[str, Any], ticked: list[int], action: str = "save", **more: Any) -> Any:
        return self.ask(action, **{**saved(shown), "ticked": ticked, **more})


def saved(shown: dict[str, Any]) -> dict[str, Any]:
    """What the page sends back of an answer that it shows."""
    names = ("who", "answer", "revision", "score", "gradebookComment", "own", "comment", "flagged")
    return {name: shown[name] for name in names} | {"rubric": shown["rubric"]["version"], "token": "t"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(server: Server) -> None:
    """Wait until a server answers."""
    for _ in range(600):
        assert server.process.poll() is None, "the server has ended"
        try:
            requests.get(server.url, timeout=5)
            return
        except requests.ConnectionError:
            time.sleep(0.1)


def jupyters_own(root: Path) -> dict[str, str]:
    """The environment of a server with settings of its own, not those of whoever runs the tests."""
    return {
        **os.environ,
        "JUPYTER_TOKEN": TOKEN,
        "JUPYTER_CONFIG_DIR": str(root / ".jupyter"),
        "JUPYTER_DATA_DIR": str(root / ".jupyter-data"),
        "JUPYTER_RUNTIME_DIR": str(root / ".jupyter-runtime"),
    }


@contextmanager
def served(root: Path, *words: str, assignment: str = ESSAYS) -> Iterator[Server]:
    """Run the command in a course folder, with its own settings of Jupyter."""
    server = Server(root)
    server.start(assignment, *words)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()


@contextmanager
def formgrader(root: Path) -> Iterator[Server]:
    """Jupyter's server with nbgrader's formgrader, in a course folder."""
    server = Server(root)
    command = [sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root"]
    environment = jupyters_own(root)
    del environment["JUPYTER_DATA_DIR"]  # nbgrader is found there
    with (root / "formgrader.log").open("wb") as log:
        server.process = subprocess.Popen(
            [*command, f"--port={server.port}"], cwd=root, env=environment, stdout=log, stderr=log
        )
    try:
        wait_for(server)
        yield server
    finally:
        server.process.terminate()
        server.process.wait(30)
