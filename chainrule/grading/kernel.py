"""Warm kernels: forked from a zygote, put into a sandbox, and used by Jupyter's own protocol.

`Zygote` starts `chainrule.worker.zygote`, and `start_worker` asks it for a worker. `WarmProvisioner` plugs these
kernels into jupyter_client, and `WarmKernelManager` uses it whatever kernelspecs are installed.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from queue import Empty
from typing import Any, cast

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.connect import ConnectionFileMixin, KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Any as AnyTrait
from traitlets import DottedObjectName, Type, default

from chainrule.grading.sandbox import HOME, USER, Sandbox, WorkerError
from chainrule.lesson.own_time import Usage, waited_seconds
from chainrule.worker.confine import SandboxSpec
from chainrule.worker.zygote import LISTENERS

PROVISIONER = "chainrule-warm"
START_SECONDS = 120.0  # a worker, whose imports are there
IMPORT_SECONDS = 1200.0  # of a zygote: TensorFlow takes minutes on a busy machine; one that ends is seen
BY_DESCRIPTOR = "/proc/self/fd"
CHANNELS = ("shell", "iopub", "stdin", "hb", "control")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
MAX_MESSAGE = 32 << 20  # bytes; a figure has 100,000
MAX_QUEUED = 64  # messages on our side; the kernel queues some thousand more


class Zygote:
    """A process that forks warm kernels. It takes seconds to start, but this doesn't wait for it.

    Args:
        threads: for numerical libraries in every worker; 0 leaves the number to them.
        preload: modules that it imports before it forks the first worker: see `Course.imported_before`.
    """

    def __init__(self, threads: int = 0, preload: Sequence[str] = ()) -> None:
        self.folder = tempfile.mkdtemp(prefix="chainrule-zygote-")
        self._ready = False
        copy_fonts(Path(self.folder))
        folders = {"HOME": self.folder}  # without anybody's settings
        if path := os.environ.get("PYTHONPATH"):
            folders["PYTHONPATH"] = path
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "chainrule.worker.zygote", *preload],
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=worker_environment(threads) | folders,
            start_new_session=True,  # Ctrl-C is for this process alone
        )
        theirs.close()

    def line(self) -> socket.socket:
        """A new line to it, for one worker. This waits until it can start workers.

        Raises:
            WorkerError: the zygote did not start, or has ended.
        """
        if not self._ready:
            assert self.process.stdout is not None
            readable = select.select([self.process.stdout], [], [], IMPORT_SECONDS)[0]
            self._ready = bool(readable and self.process.stdout.readline())
        if not self._ready:
            self.process.kill()
            lines = self.process.communicate()[1].decode(errors="replace").strip().splitlines()
            self.close()
            reason = lines[-1] if lines else "too slow"
            raise WorkerError(f"the process that starts kernels did not start: {reason}")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                socket.send_fds(self.control, [b"line"], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise WorkerError(f"the process that starts kernels does not answer: {error}") from None
        return ours

    def close(self) -> None:
        """End the zygote, but not the workers that it has started."""
        self.control.close()
        self.process.kill()
        self.process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)


_zygotes: dict[tuple[int, tuple[str, ...]], Zygote] = {}  # of this process, by the number of threads


def copy_fonts(home: Path) -> None:
    """Copy matplotlib's list of fonts, which takes seconds to make, to a home folder in which it is looked for.

    The process that has this home must not know the path of our own cache.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "matplotlib"
    (home / ".cache" / "matplotlib").mkdir(parents=True)
    with contextlib.suppress(OSError):
        for fonts in cache.glob("fontlist-*.json"):
            shutil.copyfile(fonts, home / ".cache" / "matplotlib" / fonts.name)


def own_zygote(threads: int, preload: Sequence[str] = ()) -> Zygote:
    """This process's own zygote, which is started if there is none. It ends with this process."""
    key = threads, tuple(preload)
    zygote = _zygotes.get(key)
    if zygote is None or zygote.process.poll() is not None:
        zygote = _zygotes[key] = Zygote(threads, preload)
        atexit.register(zygote.close)
    return zygote


def worker_environment(threads: int) -> dict[str, str]:
    """The environment variables of a worker. It inherits none from the grader."""
    limited = dict.fromkeys(THREADS, str(threads)) if threads else {}
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "LANG": "C.UTF-8",
        "USER": USER,
        "LOGNAME": USER,
        "SHELL": "/bin/sh",
        "HOME": HOME,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "NBGRADER_EXECUTION": "autograde",  # as in nbgrader, for cells that do something else than in class
        "PYTHONSAFEPATH": "1",  # a handed-in torch.py is not torch
        **limited,
    }


def start_worker(line: socket.socket, spec: SandboxSpec, pidfd: int | None) -> list[int]:
    """Have a zygote start a worker.

    Args:
        line: to the zygote. After that it leads to the worker's supervisor.
        pidfd: of a process in the worker's sandbox; None for no namespaces.
    Returns:
        Descriptors of the places of the worker's sockets (see `zygote.listen_without_names`), and the worker's pidfd.
    Raises:
        WorkerError: the zygote does not answer, or the worker could not be started.
    """
    line.settimeout(START_SECONDS)
    try:
        message = json.dumps(asdict(spec)).encode()
        socket.send_fds(line, [message], [] if pidfd is None else [pidfd])
        reply, descriptors, _, _ = socket.recv_fds(line, 4096, len(LISTENERS) + 1)
    except OSError as error:
        line.close()
        raise WorkerError(f"the process that starts kernels does not answer: {error}") from None
    answer = reply.decode(errors="replace")
    if answer != "started":
        line.close()
        reason = answer.removeprefix("failed ") or "it ended at once"
        raise WorkerError(f"a worker could not be started: {reason}")
    return descriptors


def fields_of(process: Path) -> list[str]:
    """What /proc/PID/stat says after the name of a process: its state, its parent, …"""
    return (process / "stat").read_text(errors="replace").rpartition(")")[2].split()


def processor_seconds(roots: Sequence[int]) -> float:
    """Processor time of these processes, of all that descend from them, and of those that have ended."""
    waiting, ticks = list(roots), 0
    while waiting:
        process = Path(f"/proc/{waiting.pop()}")
        with contextlib.suppress(OSError, LookupError, ValueError):
            ticks += sum(map(int, fields_of(process)[11:15]))
            for children in (process / "task").glob("*/children"):
                waiting += map(int, children.read_text(encoding="ascii").split())
    return ticks / os.sysconf("SC_CLK_TCK")


class WarmProvisioner(KernelProvisionerBase):
    """Has a zygote start a kernel in a sandbox, and ends the kernel and the sandbox."""

    line = AnyTrait(help="A line to the zygote.")
    sandbox = AnyTrait(help="A `Sandbox`.")
    threads = AnyTrait(0)
    supervisor: socket.socket | None = None  # the line to it, as long as the kernel runs
    descriptors: Sequence[int] = ()  # what `start_worker` returned
    exit_status: int | None = None

    @property
    def has_process(self) -> bool:
        return self.supervisor is not None

    @property
    def referee(self) -> str:
        """The address of the socket on which the worker listens for the referee; "" if there is no worker any more."""
        return f"{BY_DESCRIPTOR}/{self.descriptors[len(CHANNELS)]}" if self.descriptors else ""

    def usage(self) -> Usage:
        """What the worker has used; nothing if there is none (any more), or where the system does not say it."""
        try:
            about = Path(f"/proc/self/fdinfo/{self.descriptors[-1]}").read_text(encoding="ascii")
            kernel = int(about.partition("\nPid:")[2].split()[0])
            supervisor = int(fields_of(Path(f"/proc/{kernel}"))[1])
        except (OSError, LookupError, ValueError):
            return Usage(0.0, 0.0)
        roots = [supervisor, *self.sandbox.processes]
        return Usage(waited_seconds(f"/proc/{kernel}/task/{kernel}"), processor_seconds(roots))

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        return {"cmd": []}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        sandbox: Sandbox = self.sandbox
        key = uuid.uuid4().hex
        ports = {f"{name}_port": number for number, name in enumerate(CHANNELS, start=1)}
        connection: dict[str, str | int] = {
            "transport": "ipc",
            "key": key,
            "signature_scheme": "hmac-sha256",
            "kernel_name": "python3",
            **ports,
        }
        spec = sandbox.spec(connection, worker_environment(self.threads))
        self.descriptors = start_worker(self.line, spec, sandbox.pidfd)
        self.supervisor = self.line
        ours = dict(zip(ports, self.descriptors, strict=False))
        outside = connection | ours | {"key": key.encode(), "ip": BY_DESCRIPTOR}
        return cast(KernelConnectionInfo, outside)  # the type has str for the key; jupyter_client uses bytes

    async def poll(self) -> int | None:
        if self.supervisor is None:
            return self.exit_status or 0
        if select.select([self.supervisor], [], [], 0)[0]:
            message = self.supervisor.recv(64)  # "ended N"; empty if the supervisor itself was killed
            self.exit_status = int(message.split()[1]) if message.startswith(b"ended") else -9
            self._close()
        return self.exit_status

    async def wait(self) -> int | None:
        while (status := await self.poll()) is None:
            await asyncio.sleep(0.005)
        return status

    async def send_signal(self, signum: int) -> None:
        self._send(b"interrupt")  # the only signal that Jupyter sends besides `kill` and `terminate`

    async def kill(self, restart: bool = False) -> None:
        self._send(b"kill")
        await self.wait()

    async def terminate(self, restart: bool = False) -> None:
        await self.kill()

    async def cleanup(self, restart: bool = False) -> None:
        self._close()

    def _close(self) -> None:
        if self.supervisor is not None:
            self.supervisor.close()
            self.supervisor = None
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = ()
        self.sandbox.close()

    def _send(self, command: bytes) -> None:
        if self.supervisor is not None:
            with contextlib.suppress(OSError):  # it may have ended just now
                self.supervisor.send(command)


class ByDescriptor(ConnectionFileMixin):
    """Connects to sockets that have no names: "ports" are descriptors of the places where they were."""

    def _make_url(self, channel: str) -> str:
        descriptor = getattr(self, f"{channel}_port")
        return f"{self.transport}://{self.ip}/{descriptor}"


class WarmClient(ByDescriptor, AsyncKernelClient):
    """A client of a kernel that has been started."""

    def start_channels(
        self,
        shell: bool = True,
        iopub: bool = True,
        stdin: bool = True,
        hb: bool = False,
        control: bool = True,
    ) -> None:
        """As usual, but without a heartbeat: the supervisor says when the kernel has ended."""
        super().start_channels(shell, iopub, stdin, False, control)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until a request has been answered on both channels. This takes milliseconds.

        Raises:
            RuntimeError: it took longer than `timeout` seconds.
        """
        deadline = time.monotonic() + (timeout or START_SECONDS)
        while time.monotonic() < deadline:
            request = self.kernel_info()
            try:
                while not is_idle(await self.iopub_channel.get_msg(timeout=0.1), request):
                    pass
            except Empty:  # the request was sent before the channel was connected: send another
                continue
            self._handle_kernel_info_reply(await self.shell_channel.get_msg(timeout=START_SECONDS))
            return
        raise RuntimeError(f"the kernel didn't respond within {timeout} seconds")


def is_idle(message: dict[str, Any], request: str) -> bool:
    """Whether a message says that the kernel has finished a request."""
    return bool(
        message["msg_type"] == "status"
        and message["parent_header"].get("msg_id") == request
        and message["content"]["execution_state"] == "idle"
    )


class WarmKernelManager(ByDescriptor, AsyncKernelManager):
    """Manages one kernel, which `WarmProvisioner` starts in a sandbox."""

    sandbox = AnyTrait(help="A `Sandbox`.")
    line = AnyTrait(help="A line to the zygote.")
    threads = AnyTrait(0)
    client_class = DottedObjectName(f"{__name__}.WarmClient")
    client_factory = Type(WarmClient)

    @property
    def kernel_spec(self) -> KernelSpec:
        config = {"sandbox": self.sandbox, "line": self.line, "threads": self.threads}
        return KernelSpec(
            argv=[],
            display_name="Python 3",
            language="python",
            metadata={"kernel_provisioner": {"provisioner_name": PROVISIONER, "config": config}},
        )

    @default("context")
    def _own_context(self) -> zmq.asyncio.Context:
        """Sockets with limits on size and number of messages, which never connect again.

        A kernel that has ended doesn't come back. Whatever appears at its address was put there by student code.
        """
        self._created_context = True
        context = zmq.asyncio.Context()
        context.setsockopt(zmq.RECONNECT_IVL, -1)
        context.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
        context.setsockopt(zmq.RCVHWM, MAX_QUEUED)
        context.setsockopt(zmq.LINGER, 0)
        return context
