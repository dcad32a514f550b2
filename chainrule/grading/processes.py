"""Notebooks run from processes of this machine, each beginning with everything imported.

No student code ever runs in these processes: the notebooks' kernels are programs of their own, beside them.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from _thread import interrupt_main
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from multiprocessing import connection, forkserver, get_context, parent_process
from types import TracebackType

from traitlets.config import Config

from chainrule.course import CourseError
from chainrule.grading.kernel import Zygote
from chainrule.grading.sandbox import WorkerError
from chainrule.grading.task import Task, run_and_judge

# On Linux processes are forked from one that has imported torch and done nothing else.
if sys.platform == "linux":
    context = get_context("forkserver")
else:
    context = get_context("spawn")
IMPORTED = [
    "chainrule.cli",
    "chainrule.grading.run",
    "chainrule.grading.judge",
    "chainrule.judging.networks",
]
# Forking is sound without other threads only, and libraries start theirs when imported.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
STARTING = threading.Lock()
LEAVE_SECONDS = 10  # for a notebook that is interrupted to clean up after itself


class Processes:
    """Runs so many notebooks at a time, each process one after another; by default, as many as there are cores.

    What they are forked from begins to start at once.
    """

    def __init__(self, places: int | None = None) -> None:
        cores = os.cpu_count() or 1
        self.places = places or cores
        self.threads = max(1, cores // self.places)
        self.waiting = ThreadPoolExecutor(self.places)  # each thread waits for one process
        self.idle: deque[Process] = deque()
        self.busy: set[Process] = set()
        self.starting = threading.Lock()
        self.closed = False
        self.zygote: Zygote | None = None  # starts the kernels of all
        if sys.platform == "linux":
            self.zygote = Zygote(self.threads)
            with environment(ONE_THREAD):
                context.set_forkserver_preload(IMPORTED)
                forkserver.ensure_running()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: BaseException | TracebackType | None) -> None:
        self.closed = True
        self.waiting.shutdown(wait=False, cancel_futures=True)
        for process in [*self.busy]:  # if something went wrong, or Ctrl-C
            process.interrupt()
        for process in [*self.busy]:
            process.leave()
        self.waiting.shutdown()
        while self.idle:
            self.idle.pop().end()
        if self.zygote is not None:
            self.zygote.close()

    def submit(self, task: Task, attempt: int) -> Future[str]:
        return self.waiting.submit(self._run, task, fresh=attempt > 1)

    def news(self) -> list[str]:
        return []

    def _run(self, task: Task, fresh: bool) -> str:
        if fresh and self.idle:
            self.idle.pop().end()
        process = Process() if fresh or not self.idle else self.idle.pop()
        self.busy.add(process)
        try:
            if self.closed:
                raise WorkerError("interrupted")
            text = process.run(replace(task, options=self._with_zygote(task.options)))
            self.idle.append(process)
            return text
        except BaseException:
            process.end()
            raise
        finally:
            self.busy.discard(process)

    def _with_zygote(self, options: Config) -> Config:
        """The options with the address of a zygote that lives."""
        if sys.platform != "linux":
            return options
        with self.starting:
            if self.zygote is None or self.zygote.process.poll() is not None:
                self.zygote = Zygote(self.threads)
            options = copy(options)
            options.Run = options.Run.copy()
            options.Run.zygote = self.zygote.address
            return options


class Process:
    """A process that runs one notebook after another, its temporary files in a folder that goes with it."""

    def __init__(self) -> None:
        self.line, theirs = context.Pipe()
        self.folder = tempfile.mkdtemp(prefix="chainrule-")
        os.chmod(self.folder, 0o711)  # workers run as other users, in folders within
        with theirs, STARTING:
            for tries_left in (2, 1, 0):
                self.process = context.Process(target=serve, args=(theirs, dict(os.environ), self.folder))
                try:
                    with environment(ONE_THREAD):
                        context.set_forkserver_preload(IMPORTED)
                        self.process.start()
                    break
                except (EOFError, OSError) as error:
                    if tries_left:
                        time.sleep(
                            0.5
                        )  # the fork server was killed just now: once it is gone, a new one is started
                        continue
                    shutil.rmtree(self.folder)
                    why = f"{type(error).__name__}: {error}"
                    raise WorkerError(f"no process could be started ({why})") from None

    def run(self, task: Task) -> str:
        """The task's outcome.

        Raises:
            CourseError, WorkerError: see `run_and_judge`; the process may be gone.
        """
        try:
            self.line.send(task)
            text, error = self.line.recv()
        except (EOFError, OSError):
            self.process.join(1)
            raise WorkerError(f"its process ended, exit code {self.process.exitcode}") from None
        if error is not None:
            raise error
        return text

    def interrupt(self) -> None:
        """Stop the notebook that is running; its kernel and its folder get cleaned up."""
        with suppress(OSError):
            os.kill(self.process.pid or 0, signal.SIGINT)

    def end(self) -> None:
        """Have the process end, by force if it doesn't."""
        self.line.close()
        self.leave()

    def leave(self) -> None:
        """Wait for the process to end; kill it if it doesn't."""
        self.process.join(LEAVE_SECONDS)
        self.process.kill()
        self.process.join()
        shutil.rmtree(self.folder, ignore_errors=True)


def serve(line: connection.Connection, environ: dict[str, str], folder: str) -> None:
    """Run the tasks that come along the line, until it is closed; then remove the folder."""
    interruptible = threading.Event()

    def interrupted(*_: object) -> None:
        """Be interrupted once, for a terminal's Ctrl-C comes here directly and through our parent; and only
        amid a task, for without one the line's end is sign enough, and clearing up must not be cut short."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if interruptible.is_set():
            raise KeyboardInterrupt

    try:
        signal.signal(signal.SIGINT, interrupted)
        leave_with_parent(folder)
        os.environ.clear()  # the process we are forked from has an older one
        os.environ.update(environ)
        tempfile.tempdir = folder
        while True:
            task: Task = line.recv()
            outcome: tuple[str, Exception | None]
            try:
                interruptible.set()
                outcome = run_and_judge(task), None
            except (CourseError, WorkerError) as error:
                outcome = "", type(error)(str(error))
            finally:
                interruptible.clear()
            line.send(outcome)
    except (EOFError, ConnectionError, KeyboardInterrupt):
        pass
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # an interrupt may have cut the clearing up of a notebook


def leave_with_parent(folder: str) -> None:
    """Make this process end soon after its parent, even if that is killed, and nothing stay in the folder."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            interrupt_main()  # a notebook that is running gets its kernel cleaned up
            threading.main_thread().join(LEAVE_SECONDS)
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Have these environment variables for a while."""
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
