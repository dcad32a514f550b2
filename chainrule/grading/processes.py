"""Runs notebooks in processes of this machine, which start with everything imported.

No student code runs in these processes: the notebooks' kernels are processes of their own.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from _thread import interrupt_main
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from multiprocessing import connection, forkserver, get_context, parent_process
from multiprocessing.reduction import recv_handle, send_handle
from types import TracebackType

from chainrule.course import CourseError
from chainrule.grading.kernel import BY_DESCRIPTOR, Zygote, own_zygote
from chainrule.grading.sandbox import WorkerError
from chainrule.grading.task import RefereeEnded, Task, run_and_judge

# On Linux, processes are forked from one that has imported torch and done nothing else.
if sys.platform == "linux":
    context = get_context("forkserver")
else:
    context = get_context("spawn")
IMPORTED = [
    "chainrule.cli",
    "chainrule.grading.run",
    "chainrule.grading.judge",
    "chainrule.grading.referee",
    "chainrule.judging.networks",
]
# A process can be forked safely only while it has one thread, and libraries start threads when imported.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
STARTING = threading.Lock()
EXIT_SECONDS = 10  # for a process to clean up after an interrupted notebook


class Processes:
    """Runs notebooks in parallel. Each process runs one notebook after another.

    The process that these are forked from, and the ones that fork workers, begin to start with their first notebook.

    Args:
        slots: the number of notebooks at a time; None for the number of cores.
        preload: modules that workers have imported before their notebook begins, by the notebook's name.
    """

    def __init__(self, slots: int | None = None, preload: Mapping[str, Sequence[str]] | None = None) -> None:
        cores = os.cpu_count() or 1
        self.slots = slots or cores
        self.preload = preload or {}
        self.threads = max(1, cores // self.slots)
        self.waiting = ThreadPoolExecutor(self.slots)  # each thread waits for one process
        self.idle: deque[Process] = deque()
        self.busy: set[Process] = set()
        self.starting = threading.Lock()
        self.closed = False
        self.begun = False

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: BaseException | TracebackType | None) -> None:
        self.closed = True
        self.waiting.shutdown(wait=False, cancel_futures=True)
        for process in [*self.busy]:  # if something went wrong, or Ctrl-C
            process.interrupt()
        for process in [*self.busy]:
            process.join()
        self.waiting.shutdown()
        while self.idle:
            self.idle.pop().end()

    def submit(self, task: Task, attempt: int) -> Future[str]:
        if not self.begun and sys.platform == "linux":
            self.begun = True
            self._zygote(task)
            with STARTING, temporary_environment(ONE_THREAD):
                start_fork_server()
        return self.waiting.submit(self._run, task, fresh=attempt > 1)

    def events(self) -> list[str]:
        return []

    def _run(self, task: Task, fresh: bool) -> str:
        if fresh and self.idle:
            self.idle.pop().end()
        process = Process() if fresh or not self.idle else self.idle.pop()
        self.busy.add(process)
        try:
            if self.closed:
                raise WorkerError("interrupted")
            text = process.run(task, self._line(task))
            self.idle.append(process)
            return text
        except BaseException:
            process.end()
            raise
        finally:
            self.busy.discard(process)

    def _line(self, task: Task) -> socket.socket | None:
        """A line to a running zygote, for one worker; None where there are none."""
        if sys.platform != "linux":
            return None
        with self.starting:
            return self._zygote(task).line()

    def _zygote(self, task: Task) -> Zygote:
        """What forks the task's worker: there is one for each framework, from the first notebook of it on."""
        return own_zygote(self.threads, self.preload.get(task.notebook, ()))


class Process:
    """A process that runs one notebook after another. Its temporary files are removed when it ends."""

    def __init__(self) -> None:
        with STARTING:
            for tries_left in (2, 1, 0):
                # Pipe and folder belong to one try: a fork server that is killed may have forked just before.
                self.pipe, child_end = context.Pipe()
                self.folder = tempfile.mkdtemp(prefix="chainrule-")
                os.chmod(self.folder, 0o711)  # workers run as other users, in folders within
                self.process = context.Process(target=serve, args=(child_end, dict(os.environ), self.folder))
                try:
                    with child_end, temporary_environment(ONE_THREAD):
                        if sys.platform == "linux":
                            start_fork_server()
                        self.process.start()
                    break
                except (EOFError, OSError) as error:
                    self.pipe.close()
                    shutil.rmtree(self.folder, ignore_errors=True)
                    if tries_left:
                        time.sleep(0.5)  # if the fork server was killed just now, a new one is started
                        continue
                    reason = f"{type(error).__name__}: {error}"
                    raise WorkerError(f"no process could be started ({reason})") from None

    def run(self, task: Task, line: socket.socket | None = None) -> str:
        """The judged notebook as JSON.

        Args:
            line: to a zygote. It is closed here, and the process has a descriptor of its own.
        Raises:
            CourseError, WorkerError: see `run_and_judge`; or the process has ended.
            RefereeEnded: it has ended in a graded cell.
        """
        cell: int | None = None
        try:
            self.pipe.send((task, line is not None))
            if line is not None:
                with line:
                    send_handle(self.pipe, line.fileno(), self.process.pid)
            reply: int | tuple[str, Exception | None] | None
            while not isinstance(reply := self.pipe.recv(), tuple):
                cell = reply
        except (EOFError, OSError):
            self.process.join(1)
            if cell is None:
                raise WorkerError(f"its process ended, exit code {self.process.exitcode}") from None
            message = f"its process ended in a graded cell, exit code {self.process.exitcode}"
            raise RefereeEnded(message, cell) from None
        text, error = reply
        if error is not None:
            raise error
        return text

    def interrupt(self) -> None:
        """Stop the notebook that is running. Its kernel and its folder are cleaned up."""
        with suppress(OSError):
            os.kill(self.process.pid or 0, signal.SIGINT)

    def end(self) -> None:
        """Tell the process to end, and wait for it."""
        self.pipe.close()
        self.join()

    def join(self) -> None:
        """Wait for the process to end; kill it if it doesn't."""
        self.process.join(EXIT_SECONDS)
        self.process.kill()
        self.process.join()
        shutil.rmtree(self.folder, ignore_errors=True)


def serve(pipe: connection.Connection, environ: dict[str, str], folder: str) -> None:
    """Run the tasks that come through the pipe until it is closed, then remove the folder."""
    interruptible = threading.Event()

    def interrupted(*_: object) -> None:
        """Take the first interrupt only: a terminal's Ctrl-C comes here directly and through the parent. And take it
        only during a task: otherwise the pipe's end is enough, and cleaning up must not be interrupted."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if interruptible.is_set():
            raise KeyboardInterrupt

    try:
        signal.signal(signal.SIGINT, interrupted)
        end_with_parent(folder)
        os.environ.clear()  # it may have changed since the fork server was started
        os.environ.update(environ)
        tempfile.tempdir = folder
        while True:
            task, has_line = pipe.recv()
            line = recv_handle(pipe) if has_line else None
            if line is not None:
                task = with_line(task, line)
            outcome: tuple[str, Exception | None]
            try:
                interruptible.set()
                outcome = run_and_judge(task, pipe.send), None
            except (CourseError, WorkerError) as error:
                outcome = "", type(error)(str(error))
            finally:
                interruptible.clear()
                if line is not None:
                    os.close(line)
            pipe.send(outcome)
    except (EOFError, ConnectionError, KeyboardInterrupt):
        pass
    finally:
        shutil.rmtree(
            folder, ignore_errors=True
        )  # an interrupt may have stopped a notebook's own cleaning up


def with_line(task: Task, descriptor: int) -> Task:
    """The task with the descriptor of a line to a zygote among its options."""
    options = copy(task.options)
    options.Run = options.Run.copy()
    options.Run.zygote = descriptor
    return replace(task, options=options)


def start_fork_server() -> None:
    """Start the process that others are forked from, and take its socket's name away.

    It runs whatever code it is sent. With a name, student code of our own user could connect to it where there is no
    bubblewrap. So in place of the name there is a link to a descriptor of ours, which in other processes is none.
    """
    context.set_forkserver_preload(IMPORTED)
    forkserver.ensure_running()
    address: str = forkserver._forkserver._forkserver_address  # type: ignore[attr-defined]
    if not os.path.islink(address):
        place = os.open(address, os.O_PATH)
        os.unlink(address)
        os.symlink(f"{BY_DESCRIPTOR}/{place}", address)


def end_with_parent(folder: str) -> None:
    """End this process soon after its parent, even if that is killed, and remove the folder."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            interrupt_main()  # so that the kernel of a running notebook is cleaned up
            threading.main_thread().join(EXIT_SECONDS)
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def temporary_environment(variables: dict[str, str]) -> Iterator[None]:
    """Set these environment variables, and restore them at the end."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
