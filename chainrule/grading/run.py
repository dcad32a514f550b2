"""Run a sanitised notebook from top to bottom, whatever its code does.

The student's cells run in a kernel, graded cells in this process, where the `Referee` holds the verdict.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import stat
import subprocess
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from IPython.utils.capture import capture_output
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionComplete, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import Execute
from traitlets import Bool, Dict, Enum, Integer, Unicode

from chainrule.course import Course, CourseError
from chainrule.datasets.registry import Profile, prepare
from chainrule.grading.kernel import WarmKernelManager, zygote
from chainrule.grading.referee import Referee
from chainrule.grading.sandbox import UNCONFINED, Box, Corner, Limits, confinement, room
from chainrule.grading.store import Store, depends, file_digest, key, stamp
from chainrule.intake.files import declared, lay_out
from chainrule.modules import CourseModules, hidden_from_workers, imported

GRACE_SECONDS = 10  # for a kernel to come back after an interrupt
MAX_OUTPUT = 20 << 20  # characters a cell may put out; a figure has 100,000


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
    notebook_seconds = Dict({"quick": 1800, "full": 14400}, help="Time limit of a notebook, by profile.").tag(
        config=True
    )
    memory = Integer(8 << 10, help="MiB of memory a notebook may use.").tag(config=True)
    disk = Integer(1 << 10, help="MiB a notebook may write.").tag(config=True)
    processes = Integer(512, help="Processes and threads a notebook may have.").tag(config=True)
    require_sandbox = Bool(False, help="Whether to refuse to run student code that is not isolated.").tag(
        config=True
    )
    gpu = Bool(False, help="Whether notebooks see this machine's NVIDIA GPUs.").tag(config=True)
    zygote = Unicode("", help="Where a process listens that starts kernels; started here if empty.").tag(
        config=True
    )
    results = Unicode("", help="A folder of finished runs to take instead of running anything.").tag(
        config=True
    )
    shutdown_kernel = Unicode("immediate", help="A worker has nothing to lose.").tag(config=True)
    iopub_timeout = Integer(30, help="Seconds to wait for a cell's last outputs.").tag(config=True)
    raise_on_iopub_timeout = Bool(False, help="Whether outputs that don't come are an error.").tag(
        config=True
    )

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any], km: Any = None
    ) -> tuple[NotebookNode, dict[str, Any]]:
        assignment = resources["nbgrader"]["assignment"]
        about = nb.metadata.setdefault("chainrule", {})
        if "depends" not in about:
            about["depends"] = self.depends(nb, assignment)
        finished = Store(Path(self.results)).find(key(about["depends"])) if self.results else None
        if finished is not None:
            finished.metadata.chainrule.update(about)  # repairs are of this submission
            return finished, resources
        if self.results:  # the writer runs no student code
            raise RuntimeError("what the result depends on has changed meanwhile: grade again")
        directory, course = CourseDirectory(parent=self), Course(parent=self)
        data = Path(directory.root, course.data_folder)
        origins = prepare(course.data.get(assignment, []), data, self.profile)
        self.dead = ""
        self.put_out: Counter[int] = Counter()  # characters by cell
        self.compute = 0.0
        started = time.monotonic()
        self.deadline = started + self.notebook_seconds[self.profile]
        with tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as scratch:
            self.folder = Path(scratch)
            self._lay_out(assignment, data)
            self._lay_out_handed_in(nb, resources["nbgrader"])
            try:
                with self._worker(Path(directory.root), data / self.profile) as confined:
                    inside = {**resources, "metadata": {"path": str(self.folder / "work")}}
                    nb, _ = super().preprocess(nb, inside, km)
            except DeadKernelError:
                self.dead = self.dead or "the kernel died"  # while shutting down
            finally:
                if self.referee is not None:
                    self.referee.close()
        nb.metadata.setdefault("chainrule", {}).update(
            profile=self.profile,
            origins=origins,
            sandbox=confined,
            seconds=round(time.monotonic() - started, 3),
            compute=round(self.compute, 3),
            dead=self.dead,
        )
        return nb, resources

    def _lay_out(self, assignment: str, data: Path) -> None:
        """The run's folder: the course's files for the notebook, a place for the referee, a line between them."""
        for name in ("furniture", "line", "referee"):
            (self.folder / name).mkdir()
        for path in self.furniture(assignment):
            target = self.folder / "furniture" / path.name
            if path.is_dir():
                shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copy(path, target)
        for name, place in (("data", data / self.profile), ("held-out", data / "held-out")):
            (self.folder / "referee" / name).symlink_to(place.resolve())
        line = self.folder / "line" / "referee"
        modules = self.modules(assignment)
        self.referee = Referee(line, self.folder / "referee", modules) if os.name == "posix" else None
        if self.referee is not None:
            self.referee.deadline = self.deadline

    def _lay_out_handed_in(self, nb: NotebookNode, where: dict[str, str]) -> None:
        """Beside the course's files, those that the student handed in with the notebook."""
        wanted = nb.metadata["chainrule"].get("files", {})
        if wanted:
            directory = CourseDirectory(parent=self)
            source = directory.format_path(directory.source_directory, ".", where["assignment"])
            master = nbformat.read(Path(directory.root, source, f"{where['notebook']}.ipynb"), as_version=4)
            place = directory.format_path(
                directory.submitted_directory, where["student"], where["assignment"]
            )
            lay_out(Path(directory.root, place), wanted, declared(master), self.folder / "furniture")

    @contextlib.contextmanager
    def _worker(self, course: Path, data: Path) -> Iterator[str]:
        """A place for the kernel, and how well it is confined there."""
        found = confinement()
        if found.lacks and self.require_sandbox:
            raise CourseError(f"{found.warning} Nothing was run, because a sandbox is required.")
        if found.warning:
            self.log.warning(found.warning)
        self.room: Box | Corner | None = None
        if found is not UNCONFINED:
            limits = Limits(self.memory << 20, self.disk << 20, self.processes)
            seen = data.resolve() if data.is_dir() else None
            hidden = hidden_from_workers(course, Course(parent=self).judging)
            self.room = room(self.folder, seen, limits, hidden, self.gpu)
            private = [p for p in seen.rglob("*") if not p.stat().st_mode & stat.S_IROTH] if seen else []
            if private and self.room.uid is not None:  # a missing right of ours must not cost the student
                self.room.close()
                raise CourseError(
                    f"{private[0]} is for its owner's eyes only, and notebooks run as another user: "
                    f"run chmod -R a+rX {seen}"
                )
            self.room.admit(self.folder / "line" / "referee")
        else:
            shutil.copytree(self.folder / "furniture", self.folder / "work")
            (self.folder / "work" / "data").symlink_to(data.resolve())
        try:
            yield str(found)
        finally:
            if self.room is not None:
                self.room.close()

    def depends(self, nb: NotebookNode, assignment: str) -> dict[str, str]:
        """What the outcome of running this sanitised notebook depends on, a short text for each part."""
        data = Path(CourseDirectory(parent=self).root, Course(parent=self).data_folder, self.profile)
        limits = {
            "cell": self.seconds[self.profile],
            "notebook": self.notebook_seconds[self.profile],
            "memory": self.memory,
            "disk": self.disk,
            "processes": self.processes,
            "gpu": self.gpu,
        }
        return depends(
            nb, self.furniture(assignment), self._judging(nb, assignment), data, self.profile, limits
        )

    def modules(self, assignment: str) -> CourseModules:
        """The course's own modules that graded cells of an assignment may import."""
        directory = CourseDirectory(parent=self)
        root = Path(directory.root)
        source = directory.format_path(directory.source_directory, ".", assignment)
        return CourseModules(root, Course(parent=self).judging, root / source)

    def _judging(self, nb: NotebookNode, assignment: str) -> list[Any]:
        """What the graded cells import: digests of files that are no part of a package, and packages' versions."""
        checks = [cell.source for cell in nb.cells if utils.is_grade(cell) and not utils.is_solution(cell)]
        files, versions = imported(self.modules(assignment), checks)
        return [[[file.name, file_digest(file, *stamp(file))] for file in files], versions]

    def furniture(self, assignment: str) -> list[Path]:
        """The files and folders that come with the assignment."""
        directory = CourseDirectory(parent=self)
        source = Path(directory.root, directory.format_path(directory.source_directory, ".", assignment))
        return sorted(
            path
            for path in source.iterdir()
            if path.suffix != ".ipynb" and path.name != "data" and not path.name.startswith(".")
        )

    def create_kernel_manager(self) -> Any:
        if self.room is None:
            return super().create_kernel_manager()
        address = zygote(self.zygote, self.threads)
        self.km = WarmKernelManager(room=self.room, address=address, threads=self.threads, config=self.config)
        return self.km

    async def async_start_new_kernel(self, **kwargs: Any) -> None:
        if self.room is None:  # a cold kernel, with what every system has
            threads = str(self.threads) if self.threads else None
            bounded = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads} if threads else {}
            backend = "module://matplotlib_inline.backend_inline"
            env = dict(os.environ, PYTHONSAFEPATH="1", MPLBACKEND=backend, **bounded)
            if os.name == "posix":  # sockets in our own folder instead of open ports
                self.km.transport, self.km.connection_file = "ipc", str(self.folder / "kernel.json")
                self.km.ip = str(self.folder / "kernel")
            # what student code writes past IPython is nobody's business
            kwargs |= {"env": env, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        await super().async_start_new_kernel(**kwargs)

    start_new_kernel = run_sync(async_start_new_kernel)

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        if cell.cell_type != "code":
            return cell, resources
        left = self.deadline - time.monotonic()
        if left <= 0 and not self.dead:
            self.dead = f"the notebook took {self.notebook_seconds[self.profile]} seconds, its limit"
        if self.dead:
            cell.outputs = [error_output("NotRun", f"not run: {self.dead}")]
            return cell, resources
        if kept := resources.get("kept", {}).get(str(index)):  # still what an earlier run put out
            cell.update(from_dict(kept))
            return cell, resources
        if self.referee is not None and has_checks(cell):
            started = time.monotonic()
            cell.outputs = self._refereed(cell, self.referee)
            self.compute += time.monotonic() - started
            return cell, resources
        self.timeout = max(1, min(self.seconds[self.profile], math.ceil(left)))
        try:
            cell, resources = super().preprocess_cell(cell, resources, index)
        except (DeadKernelError, CellTimeoutError) as error:
            self.dead = "the kernel died" if isinstance(error, DeadKernelError) else str(error)[:200]
            cell.outputs.append(error_output(type(error).__name__, self.dead))
        except Exception as error:  # student code can make the kernel send anything
            self.dead = f"the kernel sent what no kernel sends ({type(error).__name__}) and was killed"
            cell.outputs.append(error_output("NoKernel", self.dead))
            run_sync(self.km.shutdown_kernel)(now=True)
        self.compute += busy(cell)
        if any(output.get("ename") == "CellTimeoutError" for output in cell.outputs) and not self.dead:
            cell.outputs = [o for o in cell.outputs if o.get("ename") != "CellTimeoutError"]
            message = f"stopped after {self.timeout} seconds, the limit for one cell"
            cell.outputs.append(error_output("CellTimeoutError", message))
            self._kill_unless_answered(self.kc.kernel_info())
        return cell, resources

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take in what the kernel says, as far as it is an output, can be one, and is not far too much."""
        kind, content = msg["msg_type"], msg["content"]
        left = max(0, MAX_OUTPUT - self.put_out[cell_index])
        if kind != "status":
            self.put_out[cell_index] += len(str(content))
        if kind.startswith("comm") or (kind in ("display_data", "update_display_data") and not left):
            return None  # widgets have nobody to talk to
        try:
            if kind == "stream":
                content["text"] = content["text"][:left]
            if not isinstance(content.get("execution_count", 0), int | None):
                del content["execution_count"]
            return super().process_message(msg, cell, cell_index)
        except CellExecutionComplete:
            raise
        except Exception as error:  # student code can display what no notebook can hold
            self.log.warning("an output that is none: %s", str(error)[:200])
            return None

    def _refereed(self, cell: NotebookNode, referee: Referee) -> list[NotebookNode]:
        """The outputs of a graded cell that runs here while the kernel answers its requests."""
        line = self.room.line if self.room is not None else str(self.folder / "line" / "referee")
        attend = (
            "__import__('chainrule.lesson.verbs').lesson.verbs.attend("
            f"__import__('IPython').get_ipython().user_ns, {line!r})"
        )
        request = self.kc.execute(attend, silent=True, store_history=False)
        name = cell.metadata.nbgrader.grade_id
        try:
            referee.accept(GRACE_SECONDS)
            with capture_output():
                value = referee.judge(cell.source, name)
        except Exception as error:
            message = f"{error}\n{traceback.format_exc()}"
            return [new_output("error", ename=type(error).__name__, evalue=str(error), traceback=[message])]
        finally:
            referee.hang_up()
            self._kill_unless_answered(request)
        draw = getattr(value, "_repr_mimebundle_", lambda: {"text/plain": repr(value)})
        return [new_output("execute_result", draw(), execution_count=None)]

    def _kill_unless_answered(self, request: str) -> None:
        """Give the kernel a grace period to finish a request, interrupting it; then kill it."""
        if not self._answered(request):
            alive = run_sync(self.km.is_alive)()
            stuck = "the kernel did not react to being interrupted and was killed"
            self.dead = stuck if alive else "the kernel died"
            run_sync(self.km.shutdown_kernel)(now=True)

    def _answered(self, request: str) -> bool:
        """Whether the reply to a request comes within the grace period; not if the kernel died."""
        deadline = time.monotonic() + GRACE_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            try:
                reply = run_sync(self.kc.shell_channel.get_msg)(timeout=min(left, 2.0))
            except Exception:  # queue.Empty: still busy, so knock again
                if not run_sync(self.km.is_alive)():
                    return False
                run_sync(self.km.interrupt_kernel)()
                continue
            if reply["parent_header"].get("msg_id") == request:
                return True
        return False


def has_checks(cell: NotebookNode) -> bool:
    """Whether a cell is graded through `student`, so that it can run outside the kernel."""
    return utils.is_grade(cell) and not utils.is_solution(cell) and "chainrule.lesson" in cell.source


def busy(cell: NotebookNode) -> float:
    """Seconds the kernel worked on a cell, by its own account."""
    times = cell.metadata.get("execution", {})
    try:
        start, end = (datetime.fromisoformat(times[f"iopub.status.{state}"]) for state in ("busy", "idle"))
        return max(0.0, (end - start).total_seconds())
    except (KeyError, ValueError, TypeError):
        return 0.0


def error_output(name: str, message: str) -> NotebookNode:
    """An error as a cell's output, in one line."""
    return new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])
