"""Graded cells run here, in a process that never runs student code.

The student's objects stay in the kernel. For each graded cell the kernel is asked to attend: it connects to a
socket of ours and answers requests (see `lesson.verbs`) until we hang up. Hidden checks, expected values
and the verdict never leave this side.
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

GRACE_SECONDS = 5.0  # for a worker to say that its own time limit interrupted something


class Referee:
    """Judges graded cells against a worker behind a Unix socket.

    Args:
        address: where the worker connects; systems allow about 100 bytes.
        folder: the working folder of graded cells, with `data` in it.
        modules: the course's own that graded cells may import.
    """

    def __init__(self, address: Path, folder: Path, modules: CourseModules | None = None) -> None:
        self.folder, self.modules = folder, modules
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(address))
        self.listener.listen(1)
        self.line: socket.socket | None = None
        self.lost = ""
        self.deadline = math.inf  # of `time.monotonic`, when the whole notebook's time is over

    def accept(self, seconds: float) -> None:
        """Wait for the worker to connect. If it doesn't, everything it is asked fails."""
        self.listener.settimeout(seconds)
        try:
            self.line, _ = self.listener.accept()
            self.lost = ""
        except TimeoutError:
            self.lost = "the notebook's kernel does not answer"

    def hang_up(self) -> None:
        """Let the worker go."""
        if self.line is not None:
            self.line.close()
            self.line = None

    def close(self) -> None:
        """Judge no more."""
        self.hang_up()
        self.listener.close()

    def judge(self, source: str, name: str) -> Any:
        """Run a graded cell and return the value of its last expression.

        Args:
            source: the instructor's cell, hidden checks included.
            name: what to call it in a traceback.
        Raises:
            Exception: whatever the cell itself raises; what student code raises stays inside its checks.
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
        """The transport of the cell's checks: one request to the worker, one reply back.

        Once an exchange has failed the line is out of step, and every further request gets the same answer.
        """
        kind = "WorkerLost"
        seconds = min(seconds, self.deadline - time.monotonic())
        if seconds <= 0:
            self.lost = self.lost or "the notebook's time was over"
        if self.line is not None and not self.lost:
            try:
                send_request(self.line, request, seconds)
                return receive_reply(self.line, seconds + GRACE_SECONDS)
            except TimeoutError:
                kind, self.lost = "TimeLimit", "no answer within the time limit"
            except WireError as error:
                self.lost = f"the answer is {error}"
            except OSError:
                self.lost = "the notebook's kernel died"
        return pack({"error": {"type": kind, "message": self.lost, "where": ""}})


@contextlib.contextmanager
def working_folder(folder: Path) -> Iterator[None]:
    """Be in a folder for a while."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
