"""Run a sanitised notebook from top to bottom, whatever its code does."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import Execute
from traitlets import Dict, Enum, Integer, Unicode

from chainrule.course import Course
from chainrule.data import Profile, prepare
from chainrule.grading.store import Store

GRACE_SECONDS = 10  # for a kernel to come back after an interrupt


class Run(Execute):
    """nbgrader preprocessor that executes a notebook in an empty folder with the course's data at ./data.

    A cell that runs too long is interrupted; if the kernel doesn't come back, it is killed and the remaining
    cells are marked as not run. Either way the notebook goes on to be judged.
    """

    profile = Enum([*Profile], Profile.quick, help="How much data notebooks see at ./data.").tag(config=True)
    seconds = Dict({"quick": 300, "full": 3600}, help="Time limit of one cell, by profile.").tag(config=True)
    threads = Integer(0, help="Threads per kernel for numerical libraries; 0 leaves it to them.").tag(
        config=True
    )
    results = Unicode("", help="A folder of finished runs to take instead of running again.").tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any], km: Any = None
    ) -> tuple[NotebookNode, dict[str, Any]]:
        finished = Store(Path(self.results)).find(nb, self.profile) if self.results else None
        if finished is not None:
            return finished, resources
        directory, course = CourseDirectory(parent=self), Course(parent=self)
        data = Path(directory.root, course.data_folder)
        origins = prepare(course.data.get(resources["nbgrader"]["assignment"], []), data, self.profile)
        self.timeout = self.seconds[self.profile]
        self.dead = ""
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="chainrule-", ignore_cleanup_errors=True) as scratch:
            self.folder = Path(scratch)
            work = self.folder / "work"
            work.mkdir()
            self._furnish(work, directory, resources["nbgrader"]["assignment"])
            (work / "data").symlink_to((data / self.profile).resolve())
            inside = {**resources, "metadata": {"path": str(work)}}
            try:
                nb, _ = super().preprocess(nb, inside, km)
            except DeadKernelError:
                self.dead = self.dead or "the kernel died"  # before the first cell, or while shutting down
        nb.metadata.setdefault("chainrule", {}).update(
            profile=self.profile,
            origins=origins,
            seconds=round(time.monotonic() - started, 2),
            dead=self.dead,
        )
        return nb, resources

    def _furnish(self, work: Path, directory: CourseDirectory, assignment: str) -> None:
        """Give the notebook the files that came with the assignment."""
        source = Path(directory.root, directory.format_path(directory.source_directory, ".", assignment))
        for path in source.iterdir():
            if path.suffix != ".ipynb" and path.name != "data" and not path.name.startswith("."):
                (shutil.copytree if path.is_dir() else shutil.copy)(path, work / path.name)

    async def async_start_new_kernel(self, **kwargs: Any) -> None:
        env = dict(os.environ, PYTHONSAFEPATH="1", MPLBACKEND="module://matplotlib_inline.backend_inline")
        if self.threads:
            env |= {"OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads)}
        if os.name == "posix":  # sockets in our own folder instead of open ports
            self.km.transport, self.km.connection_file = "ipc", str(self.folder / "kernel.json")
            self.km.ip = str(self.folder / "kernel")
        await super().async_start_new_kernel(env=env, **kwargs)

    start_new_kernel = run_sync(async_start_new_kernel)

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        if cell.cell_type != "code":
            return cell, resources
        if self.dead:
            cell.outputs = [error_output("NotRun", f"not run: {self.dead}")]
            return cell, resources
        try:
            cell, resources = super().preprocess_cell(cell, resources, index)
        except (DeadKernelError, CellTimeoutError, CellExecutionError) as error:
            self.dead = "the kernel died" if isinstance(error, DeadKernelError) else str(error)[:200]
            cell.outputs.append(error_output(type(error).__name__, self.dead))
        if any(output.get("ename") == "CellTimeoutError" for output in cell.outputs) and not self.dead:
            cell.outputs = [o for o in cell.outputs if o.get("ename") != "CellTimeoutError"]
            message = f"stopped after {self.timeout} seconds, the limit for one cell"
            cell.outputs.append(error_output("CellTimeoutError", message))
            if not self._kernel_came_back():
                self.dead = "the kernel did not react to being interrupted and was killed"
                run_sync(self.km.shutdown_kernel)(now=True)
        return cell, resources

    def _kernel_came_back(self) -> bool:
        """Whether the kernel answers again within the grace period after an interrupt."""
        request = self.kc.kernel_info()
        deadline = time.monotonic() + GRACE_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            try:
                reply = run_sync(self.kc.shell_channel.get_msg)(timeout=min(left, 2.0))
            except Exception:  # queue.Empty: still busy, so knock again
                run_sync(self.km.interrupt_kernel)()
                continue
            if reply["parent_header"].get("msg_id") == request:
                return True
        return False


def error_output(name: str, message: str) -> NotebookNode:
    """An error as a cell's output, in one line."""
    return new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])
