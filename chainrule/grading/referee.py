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
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.lesson.own_time import Stopwatch, Usage
from chainrule.lesson.student import CheckFailed, connect
from chainrule.lesson.wire import TOO_LARGE, WireError, pack, receive, receive_reply, send_request
from chainrule.modules import CourseModules, importable

GRACE_SECONDS = 5.0  # for the worker to answer that it has interrupted a call at the time limit
MAX_RECEIVED = 1 << 31  # bytes of all answers of a notebook; most send less than a thousandth


class RefereeLimit(CheckFailed):
    """The checks of a cell took too long. What made them is the answer, so it fails."""


@dataclass(frozen=True)
class RefereeLimits:
    """What the checks of one graded cell may use: seconds of processor time, and bytes of memory in addition."""

    seconds: float = 300.0
    memory: int = 8 << 30


class Referee:
    """Runs graded cells, and asks a worker for the student's values through a Unix socket.

    Args:
        folder: the working folder of graded cells, with `data` in it.
        modules: the course's own that graded cells may import.
        limits: on the work of a graded cell's checks in this process.
    """

    def __init__(
        self, folder: Path, modules: CourseModules | None = None, limits: RefereeLimits = RefereeLimits()
    ) -> None:
        self.folder, self.modules, self.limits = folder, modules, limits
        self.received = 0  # bytes
        self.connection: socket.socket | None = None
        self.failure = ""  # why the worker can't be asked any more
        self.slow: set[str] = set()  # see `Student`
        self.usage: Callable[[], Usage] = lambda: Usage(0.0, 0.0)  # of the worker
        self.seconds_left: Callable[[], float] = lambda: math.inf  # of the whole notebook

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
            if receive(self.connection, len(token), seconds, Stopwatch(self.usage)) == token.encode():
                self.failure = ""

    def hang_up(self) -> None:
        """Close the connection to the worker, which ends its work for this cell."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def judge(self, source: str, name: str, reasons: Mapping[str, str] | None = None) -> Any:
        """Run a graded cell and return the value of its last expression.

        Args:
            source: the instructor's cell, hidden checks included.
            name: what to call it in a traceback.
            reasons: why names of the notebook may be missing; see `Student`.
        Raises:
            Exception: any that the cell itself raises; those of student code are caught by its checks.
        """
        namespace: dict[str, Any] = {"__name__": "__main__"}
        tree = ast.parse(source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        connect(self.carry, reasons, slow=self.slow, visible_checks=False)
        try:
            course = importable(self.modules) if self.modules else contextlib.nullcontext()
            with working_folder(self.folder), course, limited(self.limits):
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
        seconds = min(seconds, self.seconds_left())
        if seconds <= 0:
            self.failure = self.failure or "the notebook's time was over"
        if self.connection is not None and not self.failure:
            clock = Stopwatch(self.usage)
            try:
                send_request(self.connection, request, seconds, clock)
                reply = receive_reply(self.connection, seconds + GRACE_SECONDS, clock)
                self.received += len(reply)
                if self.received > MAX_RECEIVED:
                    raise WireError(f"one too many: all answers have {TOO_LARGE.format(MAX_RECEIVED >> 20)}")
                return reply
            except (RefereeLimit, MemoryError):
                self.failure = "its checks took too much time or memory"
                raise
            except TimeoutError:
                kind, self.failure = "TimeLimit", "no answer within the time limit"
            except WireError as error:
                self.failure = f"the answer is {error}"
            except OSError:
                self.failure = "the notebook's kernel died"
        return pack({"error": {"type": kind, "message": self.failure, "where": ""}})


@contextlib.contextmanager
def limited(limits: RefereeLimits) -> Iterator[None]:
    """Limit what the block uses. Only in the main thread of systems with POSIX signals.

    Raises:
        RefereeLimit: the processor time is over; and again after every further second.
        MemoryError: there is no memory left; some libraries raise an error of their own.
    """
    if os.name != "posix" or threading.current_thread() is not threading.main_thread():
        yield
        return
    import resource

    is_over = threading.Event()

    def stop(*_: object) -> None:
        if not is_over.is_set():
            raise RefereeLimit(f"it took more than {limits.seconds:.0f} seconds to be checked")

    used = resource.getrusage(resource.RUSAGE_SELF)
    ends = {  # for work that no Python code interrupts; the process dies of the first
        resource.RLIMIT_CPU: int(used.ru_utime + used.ru_stime + 2 * limits.seconds) + 10,
        resource.RLIMIT_DATA: data_size() + limits.memory,
    }
    before = {kind: resource.getrlimit(kind) for kind in ends}
    handler = signal.signal(signal.SIGPROF, stop)
    try:
        for kind, end in ends.items():
            soft, hard = before[kind]
            known = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
            resource.setrlimit(kind, (min([end, *known]), hard))
        signal.setitimer(signal.ITIMER_PROF, limits.seconds, 1.0)
        yield
    finally:
        try:
            is_over.set()  # a signal that comes now must not keep the limits in place: the process would die of them
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, handler)
            for kind, limit in before.items():
                resource.setrlimit(kind, limit)


def data_size() -> int:
    """Bytes of memory that count for RLIMIT_DATA; where the system doesn't say, as many as there could be."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmData:")[2].split()[0]) << 10
    except (OSError, LookupError, ValueError):
        return 1 << 40


@contextlib.contextmanager
def working_folder(folder: Path) -> Iterator[None]:
    """Change the working folder, and change it back at the end."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
