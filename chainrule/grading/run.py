"""Run a sanitised notebook from top to bottom, whatever its code does.

The student's cells run in a kernel. Graded cells run in this process, in the `Referee`.
"""

from __future__ import annotations

import ast
import contextlib
import math
import os
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from IPython.utils.capture import capture_output
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionComplete, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_output, output_from_msg
from nbgrader import utils
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import Execute
from traitlets import Bool, Dict, Enum, Integer, Unicode

from chainrule.course import Course, CourseError, lacks
from chainrule.datasets.registry import DataSets, Profile
from chainrule.grading.kernel import THREADS, WarmKernelManager, WarmProvisioner, own_zygote
from chainrule.grading.outputs import CapturedOutputs, append
from chainrule.grading.sandbox import (
    UNCONFINED,
    Limits,
    Sandbox,
    confinement,
    make_sandbox,
)
from chainrule.grading.store import Store, depends, file_digest, key, stamp
from chainrule.grading.task import FrameworkMissing
from chainrule.handin.widgets import Widgets
from chainrule.intake.files import declared, lay_out, replaceable
from chainrule.lesson.own_time import Stopwatch, Usage, usage_here
from chainrule.metadata import GradedNotebook, framework_of, graded_notebook
from chainrule.modules import CourseModules, hidden_from_workers, imported, load, uses_judging
from chainrule.worker.messages import PACKER
from chainrule.worker.zygote import REFEREE

if TYPE_CHECKING:
    from chainrule.grading.referee import Referee

GRACE_SECONDS = 10  # for a kernel to react to an interrupt
FOLDER_IN_PATH = "--IPKernelApp.exec_lines=__import__('sys').path.append('')"  # as in a worker
ACCIDENTS = 2  # times a graded cell may end its process before it is the answer's fault
OUTPUTS = ("stream", "display_data", "execute_result", "error")  # messages that become outputs
MAX_OUTPUT = 20 << 20  # characters of output from one cell; a figure has 100,000


class Run(Execute):
    """nbgrader preprocessor that executes a notebook in an empty folder with the course's data at ./data.

    A cell that runs too long is interrupted. If the kernel doesn't react, it is killed and the remaining cells are
    marked as not run. In both cases the notebook is judged afterwards.

    What it leaves in the notebook's metadata is described in `GradedNotebook`.
    """

    profile = Enum([*Profile], Profile.quick, help="How much data notebooks see at ./data.").tag(config=True)
    seconds = Dict({"quick": 300, "full": 3600}, help="Time limit of one cell in seconds, by profile.").tag(
        config=True
    )
    timeout = Integer(
        0,
        allow_none=True,
        help=(
            "nbgrader's time limit of one cell in seconds, c.Execute.timeout, in both profiles; None for no limit but "
            "the notebook's, 0 for c.Run.seconds."
        ),
    ).tag(config=True)
    threads = Integer(0, help="Threads per kernel for numerical libraries; 0 leaves the number to them.").tag(
        config=True
    )
    notebook_seconds = Dict(
        {"quick": 1800, "full": 14400}, help="Time limit of a notebook in seconds, by profile."
    ).tag(config=True)
    memory = Integer(8 << 10, help="MiB of memory a notebook may use.").tag(config=True)
    disk = Integer(1 << 10, help="MiB a notebook may write.").tag(config=True)
    processes = Integer(512, help="Processes and threads a notebook may have.").tag(config=True)
    require_sandbox = Bool(False, help="Whether to refuse to run student code that is not isolated.").tag(
        config=True
    )
    gpu = Bool(False, help="Whether notebooks see this machine's NVIDIA GPUs.").tag(config=True)
    zygote = Integer(
        -1, help="Descriptor of a line to the process that starts kernels; if negative, one is started."
    ).tag(config=True)
    results = Unicode("", help="A folder of finished runs; with it, nothing is run.").tag(config=True)
    shutdown_kernel = Unicode("immediate", help="A worker is killed: it has nothing to save.").tag(
        config=True
    )
    iopub_timeout = Integer(30, help="Seconds to wait for a cell's last outputs.").tag(config=True)
    raise_on_iopub_timeout = Bool(False, help="Whether missing outputs are an error.").tag(config=True)
    extra_arguments: list[str]  # of the kernel; a trait of nbclient's

    @cached_property
    def cell_seconds(self) -> int:
        """The time limit of one cell, as the options say; nbclient's `timeout` is what is left of the notebook's."""
        if self.timeout is None or self.timeout < 0:
            return int(self.notebook_seconds[self.profile])
        return int(self.timeout or self.seconds[self.profile])

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any], km: Any = None
    ) -> tuple[NotebookNode, dict[str, Any]]:
        assignment = resources["nbgrader"]["assignment"]
        _ = self.cell_seconds  # before nbclient's `timeout` is set for the first cell
        about = graded_notebook(nb)
        if "depends" not in about:
            about["depends"] = self.depends(nb, assignment)
        finished = Store(Path(self.results)).find(key(about["depends"])) if self.results else None
        if finished is not None:
            finished.metadata["chainrule"].update(about)  # the repairs belong to this submission
            return finished, resources
        if self.results:  # the writer runs no student code
            raise RuntimeError("what the result depends on has changed in the meantime: grade again")
        path = self.source(assignment) / f"{resources['nbgrader']['notebook']}.ipynb"
        if reason := lacks(
            framework_of(path)
        ):  # its imports would fail, which is nothing that the student did
            raise FrameworkMissing(reason)
        directory, course = CourseDirectory(parent=self), Course(parent=self)
        data = Path(directory.root, course.data_folder)
        sets = DataSets(course.datasets, partial(load, self.modules(assignment)))
        origins = sets.prepare(course.data.get(assignment, []), data, self.profile)
        self.failure = ""  # why the remaining cells are not run
        self.output_size: Counter[int] = Counter()  # characters, by cell
        self.busy_seconds = 0.0
        self.listener: socket.socket | None = None  # an ordinary kernel's, for the referee
        self.widgets = CapturedOutputs()
        started = time.monotonic()
        self.notebook_time = Stopwatch(self._usage)
        with tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as scratch:
            self.folder = Path(scratch)
            visible = self._visible_data(assignment)
            self._make_folders(assignment, visible, data / "held-out")
            self._add_handed_in(about.get("files", {}), resources["nbgrader"])
            try:
                with self._worker(Path(directory.root), visible) as confined:
                    inside = {**resources, "metadata": {"path": str(self.folder / "work")}}
                    nb, _ = super().preprocess(nb, inside, km)
            except DeadKernelError:
                self.failure = self.failure or "the kernel died"  # while shutting down
            finally:
                if self.referee is not None:
                    self.referee.hang_up()
                if self.listener is not None:
                    self.listener.close()
        ran = GradedNotebook(
            profile=self.profile,
            origins=origins,
            sandbox=confined,
            seconds=round(time.monotonic() - started, 3),
            busy_seconds=round(self.busy_seconds, 3),
            failure=self.failure,
        )
        widgets = Widgets(self.widgets.models)
        for cell in nb.cells:
            if cell.get("outputs") and not (utils.is_grade(cell) and not utils.is_solution(cell)):
                cell.outputs = [from_dict(output) for output in widgets.replaced(cell.outputs)]
        nb.metadata["chainrule"] = {**about, **ran}
        return nb, resources

    def _visible_data(self, assignment: str) -> Path:
        """What the notebook sees at ./data: the folder of data sets, or a copy of several folders put together."""
        first, *others = folders = self.data_folders(assignment)
        if not others and first.parent != self.source(assignment):
            return first
        together = self.folder / "data"
        for folder in folders:
            if folder.is_dir():
                shutil.copytree(folder, together, dirs_exist_ok=True)
        for path in (together, *together.rglob("*")):  # a worker may be another user
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
        return together

    def _make_folders(self, assignment: str, visible: Path, held_out: Path) -> None:
        """Fill the run's folder: support files for the notebook, the referee's folder."""
        for name in ("support-files", "referee"):
            (self.folder / name).mkdir()
        for path in self.support_files(assignment):
            target = self.folder / "support-files" / path.name
            if path.is_dir():
                shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copy(path, target)
        for name, data_folder in (("data", visible), ("held-out", held_out)):
            (self.folder / "referee" / name).symlink_to(data_folder.resolve())
        from chainrule.grading.referee import Referee, RefereeLimits  # torch takes seconds to import

        modules = self.modules(assignment)
        limits = RefereeLimits(self.cell_seconds, self.memory << 20)  # those of a cell and a worker
        self.referee = Referee(self.folder / "referee", modules, limits) if os.name == "posix" else None
        if self.referee is not None:
            self.referee.usage, self.referee.seconds_left = self._usage, self._seconds_left

    def _add_handed_in(self, checksums: Mapping[str, str], where: Mapping[str, str]) -> None:
        """Add the files that the student handed in with the notebook to the support files."""
        if checksums:
            directory = CourseDirectory(parent=self)
            source = directory.format_path(directory.source_directory, ".", where["assignment"])
            path = Path(directory.root, source, f"{where['notebook']}.ipynb")
            limits = declared(nbformat.read(path, as_version=4), path.name)
            limits |= replaceable(self.config, where["assignment"])
            submitted = directory.format_path(
                directory.submitted_directory, where["student"], where["assignment"]
            )
            lay_out(Path(directory.root, submitted), checksums, limits, self.folder / "support-files")

    @contextlib.contextmanager
    def _worker(self, course: Path, data: Path) -> Iterator[str]:
        """Make the sandbox for the kernel.

        Yields:
            How well the kernel is confined, for people.
        Raises:
            CourseError: a sandbox is required and there is none, or the worker's user may not read the data.
        """
        possible = confinement()
        if possible.lacks and self.require_sandbox:
            raise CourseError(f"{possible.warning} Nothing was run, because a sandbox is required.")
        if possible.warning:
            self.log.warning(possible.warning)
        self.sandbox: Sandbox | None = None
        if possible is not UNCONFINED:
            limits = Limits(self.memory << 20, self.disk << 20, self.processes)
            visible = data.resolve() if data.is_dir() else None
            hidden = hidden_from_workers(course, Course(parent=self).judging)
            self.sandbox = make_sandbox(self.folder, visible, limits, hidden, self.gpu)
            private = (
                [p for p in visible.rglob("*") if not p.stat().st_mode & stat.S_IROTH] if visible else []
            )
            if private and self.sandbox.uid is not None:  # our mistake: it must not cost the student points
                self.sandbox.close()
                raise CourseError(
                    f"{private[0]} is readable by its owner only, and notebooks run as another user: "
                    f"run chmod -R a+rX {visible}"
                )
        else:
            shutil.copytree(self.folder / "support-files", self.folder / "work")
            (self.folder / "work" / "data").symlink_to(data.resolve())
        try:
            yield str(possible)
        finally:
            if self.sandbox is not None:
                self.sandbox.close()

    def depends(self, nb: NotebookNode, assignment: str) -> dict[str, str]:
        """What the outcome of running this sanitised notebook depends on; see `store.depends`."""
        limits = {
            "cell": self.cell_seconds,
            "notebook": self.notebook_seconds[self.profile],
            "memory": self.memory,
            "disk": self.disk,
            "processes": self.processes,
            "gpu": self.gpu,
        }
        files, data = self.support_files(assignment), self.data_folders(assignment)
        return depends(nb, files, self._judging(nb, assignment), data, self.profile, limits)

    def modules(self, assignment: str) -> CourseModules:
        """The course's own modules that graded cells of an assignment may import."""
        root = Path(CourseDirectory(parent=self).root)
        return CourseModules(root, Course(parent=self).judging, self.source(assignment))

    def _judging(self, nb: NotebookNode, assignment: str) -> list[Any]:
        """What the graded cells import: digests of files outside installed packages, and the packages' versions."""
        checks = [cell.source for cell in nb.cells if utils.is_grade(cell) and not utils.is_solution(cell)]
        files, versions = imported(self.modules(assignment), checks)
        return [[[file.name, file_digest(file, *stamp(file))] for file in files], versions]

    def source(self, assignment: str) -> Path:
        """The assignment's folder in source/."""
        directory = CourseDirectory(parent=self)
        return Path(directory.root, directory.format_path(directory.source_directory, ".", assignment))

    def data_folders(self, assignment: str) -> list[Path]:
        """The folders whose content the notebook sees at ./data: the course's data sets, and the assignment's own data.

        An assignment with data of its own sees the course's data sets only if it asks for one.
        """
        course = Course(parent=self)
        sets = Path(CourseDirectory(parent=self).root, course.data_folder)
        own = self.source(assignment) / "data"
        if not own.is_dir() or own.resolve().is_relative_to(sets.resolve()):  # a link to the data sets
            return [sets / self.profile]
        return [sets / self.profile, own] if course.data.get(assignment) else [own]

    def support_files(self, assignment: str) -> list[Path]:
        """The files and folders that come with the assignment, without its data."""
        return sorted(
            path
            for path in self.source(assignment).iterdir()
            if path.suffix != ".ipynb" and path.name != "data" and not path.name.startswith(".")
        )

    def create_kernel_manager(self) -> Any:
        if self.sandbox is None:
            return super().create_kernel_manager()
        line = (
            socket.socket(fileno=os.dup(self.zygote))
            if self.zygote >= 0
            else own_zygote(self.threads, self._imported_before()).line()
        )
        self.km = WarmKernelManager(sandbox=self.sandbox, line=line, threads=self.threads, config=self.config)
        return self.km

    def _imported_before(self) -> list[str]:
        where = self.resources["nbgrader"]
        notebooks = self.source(where["assignment"]).glob("*.ipynb")
        return Course(parent=self).imported_before(notebooks)[where["notebook"]]

    async def async_start_new_kernel(self, **kwargs: Any) -> None:
        if self.sandbox is None:  # an ordinary kernel, which starts cold
            threads = str(self.threads) if self.threads else None
            limited = dict.fromkeys(THREADS, threads) if threads else {}
            backend = "module://matplotlib_inline.backend_inline"
            env = dict(
                os.environ, PYTHONSAFEPATH="1", MPLBACKEND=backend, NBGRADER_EXECUTION="autograde", **limited
            )
            if os.name == "posix":  # sockets in our own folder instead of open ports
                self.km.transport, self.km.connection_file = "ipc", str(self.folder / "kernel.json")
                self.km.ip = str(self.folder / "kernel")
                self.listener = socket.socket(socket.AF_UNIX)  # for the referee
                self.listener.bind(str(self.folder / "worker"))
                self.listener.listen()
                kwargs["pass_fds"] = [self.listener.fileno()]
            # text that student code writes past IPython is dropped
            kwargs |= {"env": env, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            self.extra_arguments = [*self.extra_arguments, FOLDER_IN_PATH, PACKER]
        await super().async_start_new_kernel(**kwargs)

    start_new_kernel = run_sync(async_start_new_kernel)

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        if cell.cell_type != "code":
            return cell, resources
        left = self._seconds_left()
        if left <= 0 and not self.failure:
            self.failure = f"the notebook took {self.notebook_seconds[self.profile]} seconds, its limit"
        if self.failure:
            cell.outputs = [error_output("NotRun", f"not run: {self.failure}")]
            return cell, resources
        if kept := resources.get("kept", {}).get(
            str(index)
        ):  # outputs of an earlier run that are still valid
            cell.update(from_dict(kept))
            return cell, resources
        if self.referee is not None and has_checks(cell, Course(parent=self).judging):
            if Counter(resources.get("ended", ()))[index] >= ACCIDENTS:
                message = "the process that checked it ended each time: it takes too much memory or time"
                cell.outputs = [error_output("RefereeLimit", message)]
                return cell, resources
            started, judging = time.monotonic(), resources.get("judging", lambda index: None)
            judging(index)
            cell.outputs = self._refereed(cell, self.referee, why_missing(self.nb.cells[:index]))
            judging(None)
            self.busy_seconds += time.monotonic() - started
            return cell, resources
        self.timeout = max(1, min(self.cell_seconds, math.ceil(left)))
        self.cell_time = Stopwatch(self._usage)
        try:
            cell, resources = super().preprocess_cell(cell, resources, index)
        except (DeadKernelError, CellTimeoutError) as error:
            self.failure = "the kernel died" if isinstance(error, DeadKernelError) else str(error)[:200]
            cell.outputs.append(error_output(type(error).__name__, self.failure))
        except Exception as error:  # student code can make the kernel send anything
            self.failure = (
                f"the kernel sent a message that no kernel sends ({type(error).__name__}) and was killed"
            )
            cell.outputs.append(error_output("NoKernel", self.failure))
            run_sync(self.km.shutdown_kernel)(now=True)
        self.busy_seconds += busy_seconds(cell)
        if any(output.get("ename") == "CellTimeoutError" for output in cell.outputs) and not self.failure:
            cell.outputs = [o for o in cell.outputs if o.get("ename") != "CellTimeoutError"]
            message = f"stopped after {self.timeout} seconds, the limit for one cell"
            cell.outputs.append(error_output("CellTimeoutError", message))
            self._kill_unless_answered(self.kc.kernel_info())
        return cell, resources

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Keep a message of the kernel if it is a valid output and not far too long."""
        kind, content = msg["msg_type"], msg["content"]
        left = max(0, MAX_OUTPUT - self.output_size[cell_index])
        if kind != "status" and not kind.startswith("comm"):
            self.output_size[cell_index] += len(str(content))
        if kind in ("display_data", "update_display_data") and not left:
            return None
        try:
            # A graded cell's own outputs decide its points, so no widget may take them away.
            captures = not utils.is_grade(cell) or utils.is_solution(cell)
            if kind.startswith("comm"):
                if captures:
                    self.widgets.hear(msg)
                return None
            if kind == "stream":
                content["text"] = content["text"][:left]
            if not isinstance(content.get("execution_count", 0), int | None):
                del content["execution_count"]
            if captures and kind in (*OUTPUTS, "clear_output", "update_display_data"):
                captured = output_from_msg(msg) if kind in OUTPUTS else None
                if self.widgets.takes(msg, captured):
                    return captured
            output: NotebookNode | None = super().process_message(msg, cell, cell_index)
            return output
        except CellExecutionComplete:
            raise
        except Exception as error:  # student code can display things that no notebook can hold
            self.log.warning("an invalid output was left out: %s", str(error)[:200])
            return None

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Keep an output; a piece of a stream becomes part of the output before it."""
        if msg["msg_type"] != "stream" or self.clear_before_next_output:
            output: NotebookNode | None = super().output(outs, msg, display_id, cell_index)
            return output
        piece: NotebookNode = output_from_msg(msg)
        append(outs, piece)
        return piece

    def _refereed(
        self, cell: NotebookNode, referee: Referee, reasons: Mapping[str, str]
    ) -> list[NotebookNode]:
        """Run a graded cell in this process while the kernel answers its requests; return the cell's outputs."""
        if self.listener is not None:
            address, descriptor = str(self.folder / "worker"), self.listener.fileno()
        else:
            address, descriptor = self._provisioner().referee, REFEREE
        token = secrets.token_hex(16)
        attend = (
            "__import__('chainrule.lesson.verbs').lesson.verbs.attend("
            f"__import__('IPython').get_ipython().user_ns, {descriptor}, {token!r})"
        )
        request = self.kc.execute(attend, silent=True, store_history=False)
        name = cell.metadata.nbgrader.grade_id
        try:
            referee.connect(address, token, GRACE_SECONDS)
            with capture_output():
                value = referee.judge(cell.source, name, reasons)
        except Exception as error:
            message = f"{error}\n{traceback.format_exc()}"
            return [new_output("error", ename=type(error).__name__, evalue=str(error), traceback=[message])]
        finally:
            referee.hang_up()
            self._kill_unless_answered(request)
        draw = getattr(value, "_repr_mimebundle_", lambda: {"text/plain": repr(value)})
        return [new_output("execute_result", draw(), execution_count=None)]

    def _kill_unless_answered(self, request: str) -> None:
        """Wait for a request to be finished, and interrupt the kernel until it is. After the grace period, kill it."""
        if not self._answered(request):
            alive = run_sync(self.km.is_alive)()
            unresponsive = "the kernel did not react to being interrupted and was killed"
            self.failure = unresponsive if alive else "the kernel died"
            run_sync(self.km.shutdown_kernel)(now=True)

    def _answered(self, request: str) -> bool:
        """Whether the kernel lives and replies to a request within the grace period."""
        clock = Stopwatch(self._usage)
        while (left := GRACE_SECONDS - clock()) > 0:
            try:
                reply = run_sync(self.kc.shell_channel.get_msg)(timeout=min(left, 2.0))
            except Exception:  # queue.Empty: it is still busy, so interrupt it again
                if not run_sync(self.km.is_alive)():
                    return False
                run_sync(self.km.interrupt_kernel)()
                continue
            if reply["parent_header"].get("msg_id") == request:
                return True
        return False

    async def _async_handle_timeout(self, timeout: int, cell: NotebookNode | None = None) -> Any:
        """Wait until the cell's limit is over by its own time, too; then do what nbclient does."""
        while (left := timeout - self.cell_time()) > 0:
            if await self.kc.shell_channel.socket.poll(1000 * min(left, 1.0)):
                return None  # the caller receives it
            await self._async_check_alive()
        return await super()._async_handle_timeout(timeout, cell)

    def _seconds_left(self) -> float:
        """What is left of the notebook's time."""
        return float(self.notebook_seconds[self.profile] - self.notebook_time())

    def _usage(self) -> Usage:
        """What the worker and this process have used; they take turns."""
        provisioner = getattr(self.km, "provisioner", None)
        worker = provisioner.usage() if isinstance(provisioner, WarmProvisioner) else Usage(0.0, 0.0)
        ours = usage_here()
        return Usage(worker.waited + ours.waited, worker.used + ours.used)

    def _provisioner(self) -> WarmProvisioner:
        provisioner = self.km.provisioner
        assert isinstance(provisioner, WarmProvisioner)
        return provisioner


def has_checks(cell: NotebookNode, judging: str) -> bool:
    """Whether a cell is graded through `student`, and so can run outside the kernel.

    Args:
        judging: name of the judging package; a cell that imports it can run nowhere else.
    """
    if not utils.is_grade(cell) or utils.is_solution(cell):
        return False
    return "chainrule.lesson" in cell.source or uses_judging(cell.source, judging)


def why_missing(cells: Sequence[NotebookNode]) -> dict[str, str]:
    """The names that cells define, if the cell stopped with an error: what to say of each that is missing."""
    reasons: dict[str, str] = {}
    for cell in cells:
        errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
        if not errors or errors[0].ename in ("Unfinished", "NotRun"):
            continue
        told = f"the cell that defines it stopped with {errors[0].ename}: {errors[0].evalue}"[:300]
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    reasons[node.name] = told
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    reasons[node.id] = told
    return reasons


def busy_seconds(cell: NotebookNode) -> float:
    """How long the kernel worked on a cell, as the kernel says."""
    times = cell.metadata.get("execution", {})
    try:
        start, end = (datetime.fromisoformat(times[f"iopub.status.{state}"]) for state in ("busy", "idle"))
        return max(0.0, (end - start).total_seconds())
    except (KeyError, ValueError, TypeError):
        return 0.0


def error_output(name: str, message: str) -> NotebookNode:
    """The output of a cell with an error, whose traceback is one line."""
    output: NotebookNode = new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])
    return output
