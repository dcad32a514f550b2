"""Kernels that start warm: forked from a zygote, put into a sandbox, talked to by Jupyter's own protocol.

`Zygote` starts `chainrule.worker.zygote` and asks it for workers. `WarmProvisioner` is jupyter_client's documented
way to bring a kernel of one's own, `WarmKernelManager` asks for it whatever kernelspecs are installed.
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
from dataclasses import asdict
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerBase
from traitlets import Any as AnyTrait
from traitlets import DottedObjectName, Type, Unicode, default

from chainrule.grading.sandbox import HOME, USER, Box, Corner, WorkerError
from chainrule.worker.confine import Cell

PROVISIONER = "chainrule-warm"
START_SECONDS = 120.0  # importing torch from a cold disk
CHANNELS = ("shell", "iopub", "stdin", "hb", "control")
MAX_MESSAGE = 32 << 20  # bytes; a figure has 100,000
MAX_WAITING = 64  # messages on our side; some thousand more wait in the kernel


class Zygote:
    """A process that forks warm kernels for whoever knows the address of its socket. It takes a while to start.

    Args:
        threads: for numerical libraries, in every worker; 0 leaves it to them.
    """

    def __init__(self, threads: int = 0) -> None:
        self.folder = tempfile.mkdtemp(prefix="chainrule-zygote-")
        self._address, self._ready = str(Path(self.folder, "line")), False
        places = {
            "HOME": self.folder,  # nobody's settings
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME")
            or str(Path.home() / ".cache"),  # list of fonts
        }
        if path := os.environ.get("PYTHONPATH"):
            places["PYTHONPATH"] = path
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "chainrule.worker.zygote", self._address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=environment(threads) | places,
            start_new_session=True,  # Ctrl-C is for us
        )

    @property
    def address(self) -> str:
        """Where it listens, as soon as it does.

        Raises:
            WorkerError: it did not start.
        """
        if not self._ready:
            assert self.process.stdout is not None
            told = select.select([self.process.stdout], [], [], START_SECONDS)[0]
            self._ready = bool(told and self.process.stdout.readline())
        if not self._ready:
            self.process.kill()
            words = self.process.communicate()[1].decode(errors="replace").strip().splitlines()
            self.close()
            why = words[-1] if words else "too slow"
            raise WorkerError(f"the process that starts kernels did not start: {why}")
        return self._address

    def close(self) -> None:
        """End the zygote. Workers it has started live on."""
        self.process.kill()
        self.process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)


_own: dict[int, Zygote] = {}


def zygote(address: str, threads: int) -> str:
    """The address of a zygote that answers: the given one, or else one of this process's own."""
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            if line.connect_ex(address) == 0:
                return address
    own = _own.get(threads)
    if own is None or own.process.poll() is not None:
        own = _own[threads] = Zygote(threads)
        atexit.register(own.close)
    return own.address


def environment(threads: int) -> dict[str, str]:
    """What a worker's environment has, whoever grades and wherever: nothing of the grader's own."""
    bounded = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)} if threads else {}
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "LANG": "C.UTF-8",
        "USER": USER,
        "LOGNAME": USER,
        "SHELL": "/bin/sh",
        "HOME": HOME,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONSAFEPATH": "1",  # a handed-in torch.py is not torch
        **bounded,
    }


def ask(address: str, cell: Cell, entrance: int | None) -> socket.socket:
    """Have a zygote start a worker; the line to its guardian.

    Raises:
        WorkerError: nobody there, or the guardian says why not.
    """
    line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    line.settimeout(START_SECONDS)
    try:
        line.connect(address)
        message = json.dumps(asdict(cell)).encode()
        if entrance is None:
            line.send(message)
        else:
            socket.send_fds(line, [message], [entrance])
        said = line.recv(4096).decode(errors="replace")
    except OSError as error:
        line.close()
        raise WorkerError(f"the process that starts kernels does not answer: {error}") from None
    if said != "started":
        line.close()
        raise WorkerError(
            f"a worker could not be started: {said.removeprefix('failed ') or 'it ended at once'}"
        )
    return line


class WarmProvisioner(KernelProvisionerBase):
    """Starts a kernel in a room of its own by asking a zygote, and ends both."""

    address = Unicode(help="Where the zygote listens.")
    room = AnyTrait(help="A `Box` or a `Corner`.")
    threads = AnyTrait(0)
    line: socket.socket | None = None
    status: int | None = None

    @property
    def has_process(self) -> bool:
        return self.line is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        return {"cmd": []}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        room: Box | Corner = self.room
        key = uuid.uuid4().hex
        ports = {f"{name}_port": number for number, name in enumerate(CHANNELS, start=1)}
        connection: dict[str, str | int] = {
            "transport": "ipc",
            "key": key,
            "signature_scheme": "hmac-sha256",
            "kernel_name": "python3",
            **ports,
        }
        cell = room.cell(connection, environment(self.threads))
        self.line = ask(self.address, cell, room.entrance)
        deadline = time.monotonic() + START_SECONDS
        doors = [room.outside(f"{room.sockets}/k-{number}") for number in ports.values()]
        while not all(map(os.path.exists, doors)):
            if await self.poll() is not None or time.monotonic() > deadline:
                raise WorkerError("the kernel ended before it began")
            await asyncio.sleep(0.005)
        return connection | {"key": key.encode(), "ip": room.outside(f"{room.sockets}/k")}

    async def poll(self) -> int | None:
        if self.line is None:
            return self.status or 0
        if select.select([self.line], [], [], 0)[0]:
            said = self.line.recv(64)  # "ended N", or nothing if the guardian itself was killed
            self.status = int(said.split()[1]) if said.startswith(b"ended") else -9
            self.line.close()
            self.line = None
            self.room.close()
        return self.status

    async def wait(self) -> int | None:
        while (status := await self.poll()) is None:
            await asyncio.sleep(0.005)
        return status

    async def send_signal(self, signum: int) -> None:
        self.say(b"interrupt")  # the only signal Jupyter sends that isn't `kill` or `terminate`

    async def kill(self, restart: bool = False) -> None:
        self.say(b"kill")
        await self.wait()

    async def terminate(self, restart: bool = False) -> None:
        await self.kill()

    async def cleanup(self, restart: bool = False) -> None:
        if self.line is not None:
            self.line.close()
            self.line = None
        self.room.close()

    def say(self, word: bytes) -> None:
        if self.line is not None:
            with contextlib.suppress(OSError):  # it has ended in this moment
                self.line.send(word)


class WarmClient(AsyncKernelClient):
    """Talks to a kernel that is there already."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until a request has been seen through on both channels; that takes milliseconds.

        Raises:
            RuntimeError: it took longer than `timeout` seconds.
        """
        deadline = time.monotonic() + (timeout or START_SECONDS)
        while time.monotonic() < deadline:
            request = self.kernel_info()
            try:
                while not is_idle(await self.iopub_channel.get_msg(timeout=0.1), request):
                    pass
            except Empty:  # asked before the channel was connected: ask again
                continue
            self._handle_kernel_info_reply(await self.shell_channel.get_msg(timeout=START_SECONDS))
            return
        raise RuntimeError(f"the kernel didn't respond within {timeout} seconds")


def is_idle(message: dict[str, Any], request: str) -> bool:
    """Whether a message says that the kernel is through with a request."""
    return (
        message["msg_type"] == "status"
        and message["parent_header"].get("msg_id") == request
        and message["content"]["execution_state"] == "idle"
    )


class WarmKernelManager(AsyncKernelManager):
    """Manages one kernel that a `WarmProvisioner` starts in the room it is given."""

    room = AnyTrait()
    address = Unicode()
    threads = AnyTrait(0)
    client_class = DottedObjectName(f"{__name__}.WarmClient")
    client_factory = Type(WarmClient)

    @property
    def kernel_spec(self) -> KernelSpec:
        config = {"room": self.room, "address": self.address, "threads": self.threads}
        return KernelSpec(
            argv=[],
            display_name="Python 3",
            language="python",
            metadata={"kernel_provisioner": {"provisioner_name": PROVISIONER, "config": config}},
        )

    @default("context")
    def _own_context(self) -> zmq.Context:
        """Sockets that take no more than they can hold, and never connect twice.

        A kernel that went away is not coming back: what appears at its address would be a student's doing.
        """
        self._created_context = True
        context = zmq.asyncio.Context()
        context.setsockopt(zmq.RECONNECT_IVL, -1)
        context.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
        context.setsockopt(zmq.RCVHWM, MAX_WAITING)
        context.setsockopt(zmq.LINGER, 0)
        return context
