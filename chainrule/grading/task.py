"""A notebook to run, as plain data, the backend that runs it, and the queue that tries again."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Protocol

import nbformat
from nbformat import NotebookNode
from traitlets.config import Config

from chainrule.course import CourseError
from chainrule.grading.sandbox import WorkerError

ATTEMPTS = 3
Say = Callable[[str], None]  # gets lines about progress


@dataclass(frozen=True)
class Task:
    """One sanitised notebook to run. It is plain data, so it can be sent to another process or machine.

    Attributes:
        text: the notebook as JSON.
        key: what the finished run is kept under; see `store.key`.
        options: the course's configuration.
        kept: outputs of an earlier run that are still valid, by the cell's index, as JSON.
        ended: indices of graded cells at which the process that ran them ended, once for each time.
    """

    student: str
    assignment: str
    notebook: str
    text: str
    key: str
    options: Config
    kept: str = "{}"
    ended: tuple[int, ...] = ()


class RefereeEnded(WorkerError):
    """The process ended while it ran a graded cell.

    Attributes:
        cell: its index.
    """

    def __init__(self, message: str, cell: int) -> None:
        super().__init__(message)
        self.cell = cell


class FrameworkMissing(WorkerError):
    """This machine lacks what the notebook's networks are written in. Another attempt would end in the same way."""


def run_and_judge(task: Task, judging: Callable[[int | None], object] = lambda cell: None) -> str:
    """Run one sanitised notebook and judge its graded cells.

    Args:
        judging: gets the index of each graded cell before it is run in this process, and None after it.
    Returns:
        The notebook as JSON.
    Raises:
        CourseError: a mistake in the course keeps every notebook from being run.
        WorkerError: something else kept this one from being run.
    """
    from chainrule.grading.judge import Judge  # torch takes seconds to import, and planning doesn't need it
    from chainrule.grading.run import Run

    where = {"student": task.student, "assignment": task.assignment, "notebook": task.notebook}
    try:
        nb: NotebookNode = nbformat.v4.reads(task.text)
        resources: dict[str, Any] = {
            "nbgrader": where,
            "kept": json.loads(task.kept),
            "ended": task.ended,
            "judging": judging,
        }
        for step in (Run, Judge):
            nb, resources = step(config=task.options).preprocess(nb, resources)
        return str(nbformat.v4.writes(nb))
    except (CourseError, WorkerError):
        raise
    except Exception as error:
        raise WorkerError(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}") from error


class NotebookFuture(Protocol):
    """A notebook that is being run somewhere: the part of a `Future` that is used here."""

    def result(self) -> str: ...
    def add_done_callback(self, fn: Callable[[Any], object], /) -> object: ...


class Backend(Protocol):
    """What runs notebooks: processes of this machine, or a cluster."""

    @property
    def slots(self) -> int:
        """The number of notebooks that can run at a time."""

    @property
    def threads(self) -> int:
        """The number of threads that each may use for numerical libraries."""

    def submit(self, task: Task, attempt: int) -> NotebookFuture:
        """Start to run a notebook. After the first attempt, use a process that has run nothing yet, if possible."""

    def events(self) -> list[str]:
        """What happened to the backend since the last call, one line for each event."""


class RunQueue:
    """Runs notebooks on a backend, and tries again if one could not be run.

    A graded cell that ends its process may have met an accident, and is run again. The second time it was the answer,
    and the check fails: see `Task.ended`.

    Args:
        say: gets a line about each event and each new attempt.
    """

    def __init__(self, backend: Backend, say: Say) -> None:
        self.backend, self.say = backend, say
        self.running: dict[NotebookFuture, tuple[Task, int]] = {}
        self.done: SimpleQueue[NotebookFuture] = SimpleQueue()

    def submit(self, task: Task, attempt: int = 1) -> None:
        """Start to run a notebook."""
        future = self.backend.submit(task, attempt)
        self.running[future] = task, attempt
        future.add_done_callback(self.done.put)

    def finished(self) -> Iterator[tuple[Task, str | WorkerError]]:
        """Yield each task when it is finished, with the judged notebook as JSON or the error of the last attempt.

        Raises:
            KeyboardInterrupt: there was one, even if it was lost.
        """
        with noticed_interrupts() as interrupted:
            while self.running:
                if interrupted():
                    raise KeyboardInterrupt
                for line in self.backend.events():
                    self.say(line)
                try:
                    future = self.done.get(timeout=1)
                except Empty:
                    continue
                task, attempt = self.running.pop(future)
                try:
                    yield task, future.result()
                except RefereeEnded as error:
                    self.say(f"{task.student}: trying again ({error})")
                    self.submit(replace(task, ended=(*task.ended, error.cell)), attempt + 1)
                except FrameworkMissing as error:
                    yield task, error
                except WorkerError as error:
                    if attempt >= ATTEMPTS + len(task.ended):
                        yield task, error
                    else:
                        self.say(f"{task.student}: trying again ({error})")
                        self.submit(task, attempt + 1)


@contextmanager
def noticed_interrupts() -> Iterator[Callable[[], bool]]:
    """Tell whether there was a Ctrl-C in this block.

    Python drops the exception if it runs a destructor or a weak reference's callback, and then only graders would end.
    """
    seen = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        seen.set()
        signal.default_int_handler(number, frame)

    heeds = (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )  # a job in the background ignores it
    if not heeds or threading.current_thread() is not threading.main_thread():
        yield seen.is_set
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield seen.is_set
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
