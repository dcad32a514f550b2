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
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Any as AnyTrait
from traitlets import DottedObjectName, Type, Unicode, default

from chainrule.course import PRELOAD
from chainrule.grading.sandbox import HOME, USER, Sandbox, WorkerError
from chainrule.worker.confine import SandboxSpec

PROVISIONER = "chainrule-warm"
START_SECONDS = 120.0  # importing torch from a cold disk
CHANNELS = ("shell", "iopub", "stdin", "hb", "control")
MAX_MESSAGE = 32 << 20  # bytes; a figure has 100,000
MAX_QUEUED = 64  # messages on our side; the kernel queues some thousand more


class Zygote:
    """A process that forks warm kernels. It takes seconds to start, but this doesn't wait for it.

    Args:
        threads: for numerical libraries in every worker; 0 leaves the number to them.
        preload: modules that it imports before it forks the first worker: see `Course.preload`.
    """

    def __init__(self, threads: int = 0, preload: Sequence[str] = PRELOAD) -> None:
        self.folder = tempfile.mkdtemp(prefix="chainrule-zygote-")
        self._address, self._ready = str(Path(self.folder, "socket")), False
        folders = {
            "HOME": self.folder,  # without anybody's settings
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME")
            or str(Path.home() / ".cache"),  # for the list of fonts
        }
        if path := os.environ.get("PYTHONPATH"):
            folders["PYTHONPATH"] = path
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "chainrule.worker.zygote", self._address, *preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=worker_environment(threads) | folders,
            start_new_session=True,  # Ctrl-C is for this process alone
        )

    @property
    def address(self) -> str:
        """Where it listens. This waits until it does.

        Raises:
            WorkerError: the zygote did not start.
        """
        if not self._ready:
            assert self.process.stdout is not None
            readable = select.select([self.process.stdout], [], [], START_SECONDS)[0]
            self._ready = bool(readable and self.process.stdout.readline())
        if not self._ready:
            self.process.kill()
            lines = self.process.communicate()[1].decode(errors="replace").strip().splitlines()
            self.close()
            reason = lines[-1] if lines else "too slow"
            raise WorkerError(f"the process that starts kernels did not start: {reason}")
        return self._address

    def close(self) -> None:
        """End the zygote, but not the workers that it has started."""
        self.process.kill()
        self.process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)


_zygotes: dict[tuple[int, tuple[str, ...]], Zygote] = {}  # of this process, by the number of threads


def zygote_address(address: str, threads: int, preload: Sequence[str] = PRELOAD) -> str:
    """The address of a zygote that answers: the given one, or else that of this process's own."""
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            if connection.connect_ex(address) == 0:
                return address
    key = threads, tuple(preload)
    zygote = _zygotes.get(key)
    if zygote is None or zygote.process.poll() is not None:
        zygote = _zygotes[key] = Zygote(threads, preload)
        atexit.register(zygote.close)
    return zygote.address


def worker_environment(threads: int) -> dict[str, str]:
    """The environment variables of a worker. It inherits none from the grader."""
    limited = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)} if threads else {}
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


def start_worker(address: str, spec: SandboxSpec, pidfd: int | None) -> socket.socket:
    """Have a zygote start a worker.

    Args:
        address: of the zygote.
        pidfd: of a process in the worker's sandbox; None for no namespaces.
    Returns:
        The connection to the worker's supervisor.
    Raises:
        WorkerError: the zygote does not answer, or the worker could not be started.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(START_SECONDS)
    try:
        connection.connect(address)
        message = json.dumps(asdict(spec)).encode()
        if pidfd is None:
            connection.send(message)
        else:
            socket.send_fds(connection, [message], [pidfd])
        answer = connection.recv(4096).decode(errors="replace")
    except OSError as error:
        connection.close()
        raise WorkerError(f"the process that starts kernels does not answer: {error}") from None
    if answer != "started":
        connection.close()
        reason = answer.removeprefix("failed ") or "it ended at once"
        raise WorkerError(f"a worker could not be started: {reason}")
    return connection


class WarmProvisioner(KernelProvisionerBase):
    """Has a zygote start a kernel in a sandbox, and ends the kernel and the sandbox."""

    address = Unicode(help="Where the zygote listens.")
    sandbox = AnyTrait(help="A `Sandbox`.")
    threads = AnyTrait(0)
    supervisor: socket.socket | None = None  # the connection to it, as long as the kernel runs
    exit_status: int | None = None

    @property
    def has_process(self) -> bool:
        return self.supervisor is not None

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
        self.supervisor = start_worker(self.address, spec, sandbox.pidfd)
        deadline = time.monotonic() + START_SECONDS
        sockets = [sandbox.outside(f"{sandbox.sockets}/k-{number}") for number in ports.values()]
        while not all(map(os.path.exists, sockets)):
            if await self.poll() is not None or time.monotonic() > deadline:
                raise WorkerError("the kernel ended before it was ready")
            await asyncio.sleep(0.005)
        outside = connection | {"key": key.encode(), "ip": sandbox.outside(f"{sandbox.sockets}/k")}
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
        self.sandbox.close()

    def _send(self, command: bytes) -> None:
        if self.supervisor is not None:
            with contextlib.suppress(OSError):  # it may have ended just now
                self.supervisor.send(command)


class WarmClient(AsyncKernelClient):
    """A client of a kernel that has been started."""

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


class WarmKernelManager(AsyncKernelManager):
    """Manages one kernel, which `WarmProvisioner` starts in a sandbox."""

    sandbox = AnyTrait(help="A `Sandbox`.")
    address = Unicode()
    threads = AnyTrait(0)
    client_class = DottedObjectName(f"{__name__}.WarmClient")
    client_factory = Type(WarmClient)

    @property
    def kernel_spec(self) -> KernelSpec:
        config = {"sandbox": self.sandbox, "address": self.address, "threads": self.threads}
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
