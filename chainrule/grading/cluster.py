"""Runs notebooks on the workers of an existing Dask cluster, `--cluster ADDRESS`.

A worker gets a task as plain data and returns the judged notebook as text. It reads the assignment's files and the data
sets from the course folder, so it must see that folder at the same path.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from distributed import Client, Future, get_worker
from distributed.comm.addressing import get_address_host_port

from chainrule.course import CourseError
from chainrule.grading.sandbox import WorkerError
from chainrule.grading.store import our_code, versions
from chainrule.grading.task import Task, run_and_judge

CONNECT_SECONDS = 10
ONE_AT_A_TIME = threading.Lock()  # a run changes the working folder and the output streams of its process


class Cluster:
    """Runs one notebook at a time on each worker of a cluster.

    Args:
        address: of the scheduler, such as tcp://10.0.0.1:8786.
        root: the course folder.
        gpu: send notebooks only to workers that were started with `--resources GPU=1`. To share one GPU, start
            several of them.
    Raises:
        CourseError: there is no such cluster, or its workers cannot run what this machine would.
    """

    def __init__(self, address: str, root: Path, *, gpu: bool = False) -> None:
        self.address = address
        self.resources = {"GPU": 1} if gpu else None
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # we report errors ourselves, in one line
        try:
            get_address_host_port(address)  # Client needs half a minute to report a bad address
            self.client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise CourseError(f"no Dask scheduler answers at {address} ({one_line(error)})") from None
        try:
            self._inspect(root)
        except BaseException:
            self.client.close()
            raise
        self.workers = self._workers()
        self.futures: list[ClusterFuture] = []

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: BaseException | TracebackType | None) -> None:
        if kind is not None and self.client.status == "running":
            self.client.cancel([pending.future for pending in self.futures], force=True)
        self.client.close()

    threads = 1  # a cluster is used by many

    @property
    def slots(self) -> int:
        return max(1, len(self.workers))

    def submit(self, task: Task, attempt: int) -> ClusterFuture:
        name = f"{task.student}-{task.notebook}-{attempt}-{uuid4()}"
        call = (run_on_worker, task, fingerprint())
        future = self.client.submit(*call, key=name, pure=False, resources=self.resources)
        self.futures.append(ClusterFuture(future))
        return self.futures[-1]

    def events(self) -> list[str]:
        if self.client.status != "running":
            raise CourseError(
                f"the Dask scheduler at {self.address} is gone; finished notebooks are kept: "
                "run the same command again to continue"
            )
        before, self.workers = self.workers, self._workers()
        lost = sorted(before.keys() - self.workers.keys())
        return [f"cluster: worker {name} is gone; what it was running is run again" for name in lost]

    def _workers(self) -> dict[str, Any]:
        """The workers that can run our notebooks, by address."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        required = self.resources or {}
        return {
            name: worker
            for name, worker in workers.items()
            if all(worker["resources"].get(what, 0) >= amount for what, amount in required.items())
        }

    def _inspect(self, root: Path) -> None:
        """Raise CourseError unless every worker has the same software and sees the same files."""
        try:
            self.client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError:
            raise CourseError(f"the Dask scheduler at {self.address} has no workers: start some") from None
        if self.resources and not self._workers():
            raise CourseError(
                f"no worker at {self.address} offers a GPU: start them with "
                f"`dask worker {self.address} --nthreads 1 --resources GPU=1`"
            )
        canary = root / "runs" / f".canary-{uuid4()}"
        canary.parent.mkdir(exist_ok=True)
        canary.write_text(canary.name)
        try:
            answers = self.client.run(fingerprint, str(canary), on_error="return")
        finally:
            canary.unlink()
        for worker, theirs in answers.items():
            if isinstance(theirs, ModuleNotFoundError):
                raise CourseError(
                    f"worker {worker} has no chainrule ({one_line(theirs)}): install the same there"
                )
            if isinstance(theirs, Exception):
                raise CourseError(
                    f"worker {worker} cannot be used: {type(theirs).__name__}: {one_line(theirs)}"
                )
            require_same(worker, theirs)
            if theirs["canary"] != canary.name:
                raise CourseError(
                    f"worker {worker} does not see the course folder {root}: a cluster needs it on a shared "
                    "file system, at the same path everywhere"
                )


class ClusterFuture:
    """A notebook being run on the cluster."""

    def __init__(self, future: Future[str]) -> None:
        self.future = future

    def result(self) -> str:
        try:
            text = self.future.result()
        except (CourseError, WorkerError):
            raise
        except Exception as error:  # a killed worker, a lost connection
            raise WorkerError(f"{type(error).__name__}: {one_line(error)}") from None
        finally:
            self.future.release()  # so that the cluster forgets the result
        return text

    def add_done_callback(self, fn: Callable[[ClusterFuture], object]) -> None:
        self.future.add_done_callback(lambda _: fn(self))


def run_on_worker(task: Task, expected: dict[str, str]) -> str:
    """Run and judge a notebook on this worker, which may have joined after the others were inspected."""
    require_same(get_worker().address, fingerprint(), expected)
    with ONE_AT_A_TIME:
        return run_and_judge(task)


def fingerprint(canary: str = os.devnull) -> dict[str, str]:
    """Versions of the software in this process, and the content of a file as this process sees it."""
    try:
        text = Path(canary).read_text()
    except OSError:
        text = ""
    return {**versions(), "chainrule": our_code(), "canary": text}


def require_same(worker: str, theirs: dict[str, str], ours: dict[str, str] | None = None) -> None:
    """Raise CourseError if a worker's software differs from ours."""
    for name, version in (ours or fingerprint()).items():
        if name != "canary" and theirs[name] != version:
            raise CourseError(
                f"worker {worker} has {name} {theirs[name][:12]}, this machine {version[:12]}: "
                "install the same versions on both"
            )


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
