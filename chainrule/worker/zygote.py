"""A process that has imported torch once and forks a kernel from itself on request.

It imports and does nothing else. A tensor operation, a CUDA call, a thread or a ZMQ context would make the children
hang, or be shared by all of them. It holds no secrets, because children inherit its memory.

    python -P -m chainrule.worker.zygote [MODULE ...]

It listens nowhere, because a worker could connect to any name. Its standard input is a socket, over which it gets the
ends of *lines*, each a socket too. Every line leads to a *supervisor*, the process between the zygote and one kernel.
The supervisor waits for one request in JSON (see `confine.SandboxSpec`); for a worker in a sandbox it comes with the
pidfd of a process in there. "started" comes back, with descriptors (or "failed" with the reason). After that the
supervisor accepts "interrupt" and "kill", sends "ended" with the exit status, and ends everything when the line is
closed. The zygote ends, and removes its home folder, when its standard input is closed.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import secrets
import select
import shutil
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from chainrule.worker import confine
from chainrule.worker.messages import PACKER

MAX_REQUEST = 1 << 20
# The kernel's sockets, in the order of their ports, and then the referee's: their descriptors in a worker.
LISTENERS = range(3, 9)
REFEREE = LISTENERS[-1]


def main(preload: Sequence[str]) -> None:
    import_everything(preload)
    grader = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the system
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one decides when to end
    gc.collect()
    gc.freeze()  # so that a collection in a child doesn't copy every page
    print("ready", flush=True)
    while True:
        message, descriptors, _, _ = socket.recv_fds(grader, 64, 1)
        if not message:
            shutil.rmtree(os.environ["HOME"], ignore_errors=True)  # who started this process may be gone
            return
        (end,) = descriptors
        if os.fork() == 0:
            status = 1
            try:
                grader.close()
                status = serve(socket.socket(fileno=end))
            finally:
                os._exit(status)
        os.close(end)


def serve(line: socket.socket) -> int:
    """Wait for the request that comes over a line, and start its kernel. Returns the supervisor's exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    devnull = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(devnull, stream)
    message, descriptors, _, _ = socket.recv_fds(line, MAX_REQUEST, 1)
    return supervise(line, confine.SandboxSpec(**json.loads(message)), *descriptors) if message else 0


def import_everything(preload: Sequence[str]) -> None:
    """What kernels import, and what the course says that its notebooks do. Importing alone starts no thread.

    Args:
        preload: names of modules; one that can't be imported is left to the notebook that wants it.
    """
    # ruff: noqa: F401
    import sqlite3

    import ipykernel.debugger
    import ipykernel.ipkernel
    import ipykernel.kernelapp
    import IPython.core.completer
    import IPython.core.completerlib
    import IPython.core.magics
    import IPython.core.oinspect
    import IPython.extensions.storemagic

    import chainrule.lesson.verbs

    for name in preload:
        with contextlib.suppress(ImportError):
            import_module(name)


def supervise(connection: socket.socket, spec: confine.SandboxSpec, pidfd: int | None = None) -> int:
    """Start a kernel and make sure that none of its processes outlives the connection.

    Args:
        pidfd: of a process in the sandbox; None for no namespaces.
    Returns:
        The exit status of the supervisor.
    """
    try:
        confine.adopt_orphans()
        confine.join_cgroups(spec.cgroups)
        if pidfd is not None:
            confine.join_namespaces(pidfd)
        kernel = os.fork()
        if kernel == 0:
            become_kernel(connection, spec)
        kernel_pidfd = os.pidfd_open(kernel)
    except Exception as error:
        connection.send(f"failed {type(error).__name__}: {error}".encode())
        return 1
    while True:
        ready, _, _ = select.select([connection.fileno(), kernel_pidfd], [], [])
        if kernel_pidfd in ready:
            break
        command = connection.recv(64)
        if command == b"interrupt":
            signal.pidfd_send_signal(kernel_pidfd, signal.SIGINT)
        else:  # "kill", or empty: the connection was closed
            signal.pidfd_send_signal(kernel_pidfd, signal.SIGKILL)
            break
    _, status = os.waitpid(kernel, 0)
    confine.end_descendants()
    with contextlib.suppress(OSError):  # the grader may be gone
        connection.send(f"ended {os.waitstatus_to_exitcode(status)}".encode())
    return 0


def become_kernel(connection: socket.socket, spec: confine.SandboxSpec) -> None:
    """Confine this process, make it look like a fresh one, and run an IPython kernel in it. Doesn't return."""
    try:
        os.setsid()  # out of the supervisor's process group
        confine.drop_privileges(spec)
        folder = confine.make_work_folder(spec)
        listeners, places = listen_without_names(spec.sockets)
        socket.send_fds(connection, [b"started"], [*places, os.pidfd_open(os.getpid())])
    except BaseException as error:
        connection.send(f"failed {type(error).__name__}: {error}".encode())
        os._exit(1)
    for listener, descriptor in zip(listeners, LISTENERS, strict=True):
        os.dup2(listener, descriptor, inheritable=False)
    os.closerange(LISTENERS.stop, os.sysconf("SC_OPEN_MAX"))
    try:
        reset_state(spec)
        os.chdir(folder)
        # modules that ship beside a notebook are imported from its folder; it is last because of PYTHONSAFEPATH
        sys.path.append("")
        connection_file = Path(spec.sockets, "kernel.json")
        connection_file.write_text(json.dumps(spec.connection), encoding="utf-8")
        arguments = ["-f", str(connection_file), "--HistoryManager.hist_file=:memory:", PACKER]
        sys.argv = ["ipykernel_launcher", *arguments]
        kernel_class().launch_instance(argv=arguments)
    except SystemExit:
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def listen_without_names(folder: str) -> tuple[list[int], list[int]]:
    """Sockets to which nobody else can connect: their names are gone before they listen.

    Args:
        folder: where the names are for a moment.
    Returns:
        One descriptor of each socket, above those of `LISTENERS`, and one of the place in the file system that it had.
        Who holds the latter can connect to it, by /proc/self/fd.
    """
    listeners, places = [], []
    for _ in LISTENERS:
        name = os.path.join(folder, secrets.token_hex(8))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(name)
            places.append(os.open(name, os.O_PATH))
            os.unlink(name)
            listener.listen()
            listeners.append(fcntl.fcntl(listener, fcntl.F_DUPFD_CLOEXEC, LISTENERS.stop))
    return listeners, places


def kernel_class() -> Any:
    """IPython's kernel, but on the sockets of `LISTENERS`, whatever their ports' addresses say."""
    import zmq
    from ipykernel.kernelapp import IPKernelApp

    base: Any = IPKernelApp  # its methods have no types

    class Kernel(base):  # type: ignore[misc]
        def _try_bind_socket(self, s: Any, port: int) -> int:
            s.setsockopt(zmq.USE_FD, LISTENERS[port - 1])
            return int(super()._try_bind_socket(s, port))

        def init_control(self, context: Any) -> None:
            super().init_control(context)
            # a debugger's, which would try for ever to connect to a name that is gone
            self.debug_shell_socket.disconnect(self.shell_socket.getsockopt(zmq.LAST_ENDPOINT))

        def init_heartbeat(self) -> None:
            """There is none: the supervisor says when the kernel has ended."""

    return Kernel


def reset_state(spec: confine.SandboxSpec) -> None:
    """Give this process its own environment, signal handlers and random states, as if it had just started."""
    import random

    import numpy
    import torch

    for name in ("XDG_CACHE_HOME", "PYTHONPATH"):  # the zygote's; variables that imports have set stay
        os.environ.pop(name, None)
    os.environ.update(spec.environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()
    numpy.random.seed(None)
    torch.seed()


if __name__ == "__main__":
    main(sys.argv[1:])
