"""Graded cells run here, in a process that never runs student code.

The student's objects stay in the kernel. For each graded cell we connect to a socket of the kernel's, and it answers
requests (see `lesson.verbs`) until we close the connection. Hidden checks, expected values and the verdict stay in
this process.
"""

from __future__ import annotations

import ast
import contextlib
import math
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chainrule.lesson.student import connect
from chainrule.lesson.wire import WireError, pack, receive_reply, send_request
from chainrule.modules import CourseModules, importable

GRACE_SECONDS = 5.0  # for the worker to answer that it has interrupted a call at the time limit


class Referee:
    """Runs graded cells, and asks a worker for the student's values through a Unix socket.

    Args:
        folder: the working folder of graded cells, with `data` in it.
        modules: the course's own that graded cells may import.
    """

    def __init__(self, folder: Path, modules: CourseModules | None = None) -> None:
        self.folder, self.modules = folder, modules
        self.connection: socket.socket | None = None
        self.failure = ""  # why the worker can't be asked any more
        self.deadline = math.inf  # of the whole notebook, by `time.monotonic`

    def connect(self, address: str, token: str, seconds: float) -> None:
        """Connect to the worker, and wait until it answers. If it doesn't, every request of the next cell fails.

        Args:
            address: of the socket on which the worker listens.
            token: a text that the worker repeats: see `verbs.attend`.
        """
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(seconds)
        self.failure = "the notebook's kernel does not answer"
        with contextlib.suppress(OSError):
            self.connection.connect(address)
            self.connection.sendall(token.encode())
            if self.connection.recv(len(token), socket.MSG_WAITALL) == token.encode():
                self.failure = ""

    def hang_up(self) -> None:
        """Close the connection to the worker, which ends its work for this cell."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def judge(self, source: str, name: str) -> Any:
        """Run a graded cell and return the value of its last expression.

        Args:
            source: the instructor's cell, hidden checks included.
            name: what to call it in a traceback.
        Raises:
            Exception: any that the cell itself raises; those of student code are caught by its checks.
        """
        namespace: dict[str, Any] = {"__name__": "__main__"}
        tree = ast.parse(source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        connect(self.carry)
        try:
            course = importable(self.modules) if self.modules else contextlib.nullcontext()
            with working_folder(self.folder), course:
                exec(compile(tree, f"<{name}>", "exec"), namespace)
                if isinstance(last, ast.Expr):
                    return eval(compile(ast.Expression(last.value), f"<{name}>", "eval"), namespace)
                return None
        finally:
            connect(None)

    def carry(self, request: bytes, seconds: float) -> bytes:
        """The transport of the cell's checks: send a request to the worker, return its reply.

        After a failure, requests and replies no longer match. So every later request fails in the same way.
        """
        kind = "WorkerLost"
        seconds = min(seconds, self.deadline - time.monotonic())
        if seconds <= 0:
            self.failure = self.failure or "the notebook's time was over"
        if self.connection is not None and not self.failure:
            try:
                send_request(self.connection, request, seconds)
                return receive_reply(self.connection, seconds + GRACE_SECONDS)
            except TimeoutError:
                kind, self.failure = "TimeLimit", "no answer within the time limit"
            except WireError as error:
                self.failure = f"the answer is {error}"
            except OSError:
                self.failure = "the notebook's kernel died"
        return pack({"error": {"type": kind, "message": self.failure, "where": ""}})


@contextlib.contextmanager
def working_folder(folder: Path) -> Iterator[None]:
    """Change the working folder, and change it back at the end."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
