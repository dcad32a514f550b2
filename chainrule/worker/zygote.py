"""A process that has imported torch once and forks a kernel from itself on request.

It imports and does nothing else. A tensor operation, a CUDA call, a thread or a ZMQ context would make the children
hang, or be shared by all of them. It holds no secrets, because children inherit its memory.

    python -P -m chainrule.worker.zygote ADDRESS [MODULE ...]

listens on a Unix socket. A request is one JSON message (see `confine.SandboxSpec`). For a worker in a sandbox it comes
with the pidfd of a process in there. After that the connection leads to the worker's *supervisor*, the process between
the zygote and the kernel. The supervisor sends "started" (or "failed" with the reason), accepts "interrupt" and "kill",
sends "ended" with the exit status, and ends everything when the connection is closed. The zygote ends, and removes the
folder of ADDRESS, when its standard input is closed.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import shutil
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from chainrule.worker import confine
from chainrule.worker.messages import PACKER

MAX_REQUEST = 1 << 20


def main(address: str, preload: Sequence[str]) -> None:
    import_everything(preload)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address)
    os.chmod(address, 0o600)
    listener.listen(64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the system
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one decides when to end
    gc.collect()
    gc.freeze()  # so that a collection in a child doesn't copy every page
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([listener.fileno(), sys.stdin.fileno()], [], [])
        if sys.stdin.fileno() in ready:
            shutil.rmtree(
                Path(address).parent, ignore_errors=True
            )  # the process that started this one may be gone
            return
        connection, _ = listener.accept()
        message, descriptors, _, _ = socket.recv_fds(connection, MAX_REQUEST, 1)
        if message and os.fork() == 0:
            status = 1
            try:
                listener.close()
                status = supervise(connection, confine.SandboxSpec(**json.loads(message)), *descriptors)
            finally:
                os._exit(status)
        connection.close()
        for descriptor in descriptors:
            os.close(descriptor)


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
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    devnull = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(devnull, stream)
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
        connection.send(b"started")
    except BaseException as error:
        connection.send(f"failed {type(error).__name__}: {error}".encode())
        os._exit(1)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    try:
        reset_state(spec)
        os.chdir(folder)
        # modules that ship beside a notebook are imported from its folder; it is last because of PYTHONSAFEPATH
        sys.path.append("")
        connection_file = Path(spec.sockets, "kernel.json")
        connection_file.write_text(json.dumps(spec.connection), encoding="utf-8")
        arguments = ["-f", str(connection_file), "--HistoryManager.hist_file=:memory:", PACKER]
        sys.argv = ["ipykernel_launcher", *arguments]
        from ipykernel.kernelapp import IPKernelApp

        IPKernelApp.launch_instance(argv=arguments)
    except SystemExit:
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


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
    main(sys.argv[1], sys.argv[2:])
