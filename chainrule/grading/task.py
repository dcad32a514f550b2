"""One notebook to run, as plain data, and the machinery that runs it, tried again when it fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import nbformat
from nbformat import NotebookNode
from traitlets.config import Config

from chainrule.course import CourseError
from chainrule.grading.sandbox import WorkerError

ATTEMPTS = 3
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """One sanitised notebook to run: plain data, so that it travels to another process or machine."""

    student: str
    assignment: str
    notebook: str
    text: str
    key: str
    options: Config
    kept: str = "{}"  # outputs that an earlier run's still are, by the cell's place, as JSON


def run_and_judge(task: Task) -> str:
    """Run one sanitised notebook and judge its graded cells; the notebook as JSON.

    Raises:
        CourseError: something about the course keeps every notebook from being run.
        WorkerError: something else did.
    """
    from chainrule.grading.judge import Judge  # torch takes seconds to import, and who plans tasks needs none
    from chainrule.grading.run import Run

    where = {"student": task.student, "assignment": task.assignment, "notebook": task.notebook}
    try:
        nb: NotebookNode = nbformat.v4.reads(task.text)
        resources: dict[str, Any] = {"nbgrader": where, "kept": json.loads(task.kept)}
        for step in (Run, Judge):
            nb, resources = step(config=task.options).preprocess(nb, resources)
        return str(nbformat.v4.writes(nb))
    except (CourseError, WorkerError):
        raise
    except Exception as error:
        raise WorkerError(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}") from error


class Attempt(Protocol):
    """A future: a notebook being run somewhere."""

    def result(self) -> str: ...
    def add_done_callback(self, fn: Callable[[Any], object], /) -> object: ...


class Machinery(Protocol):
    """Where notebooks are run: processes of this machine, or a cluster."""

    @property
    def places(self) -> int:
        """How many notebooks can run at a time."""

    @property
    def threads(self) -> int:
        """How many threads each of them may use for numerical libraries."""

    def submit(self, task: Task, attempt: int) -> Attempt:
        """Have a notebook run; after the first attempt in a process that has run nothing yet, if possible."""

    def news(self) -> list[str]:
        """What happened to the machinery since the last call, a line each."""


class Runs:
    """Notebooks on their way through the machinery."""

    def __init__(self, machinery: Machinery, say: Progress) -> None:
        self.machinery, self.say = machinery, say
        self.running: dict[Attempt, tuple[Task, int]] = {}
        self.done: SimpleQueue[Attempt] = SimpleQueue()

    def submit(self, task: Task, attempt: int = 1) -> None:
        """Have a notebook run."""
        future = self.machinery.submit(task, attempt)
        self.running[future] = task, attempt
        future.add_done_callback(self.done.put)

    def finished(self) -> Iterator[tuple[Task, str | WorkerError]]:
        """Each task with its executed notebook as JSON, or with what prevented it, as they come."""
        while self.running:
            for line in self.machinery.news():
                self.say(line)
            try:
                future = self.done.get(timeout=1)
            except Empty:
                continue
            task, attempt = self.running.pop(future)
            try:
                yield task, future.result()
            except WorkerError as error:
                if attempt == ATTEMPTS:
                    yield task, error
                else:
                    self.say(f"{task.student}: trying again ({error})")
                    self.submit(task, attempt + 1)
