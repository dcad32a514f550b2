"""A process that has imported torch once and forks a kernel from itself whenever it is asked to.

It imports and does nothing else: no tensor operation, no CUDA call, no thread, no ZMQ context; each of them
would hang or be shared by every child. It holds no secrets, for children inherit its memory.

    python -P -m chainrule.worker.zygote ADDRESS

listens on a Unix socket. A request is one JSON message (see `confine.Cell`) with, for a worker in a sandbox,
the file descriptor of a process in it. The connection is then the line to the worker's *guardian*, the process
between the zygote and the kernel: it says "started", takes "interrupt", says "ended" with the exit status, and ends
everything when the other end hangs up. The zygote itself ends when its standard input
does, and removes the folder of ADDRESS.
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
from pathlib import Path

from chainrule.worker import confine

MAX_REQUEST = 1 << 20


def main(address: str) -> None:
    import_everything()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address)
    os.chmod(address, 0o600)
    listener.listen(64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the system
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us decides when to end
    gc.collect()
    gc.freeze()  # so that a collection in a child doesn't copy every page
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([listener.fileno(), sys.stdin.fileno()], [], [])
        if sys.stdin.fileno() in ready:
            shutil.rmtree(Path(address).parent, ignore_errors=True)  # nobody else may be left to do it
            return
        line, _ = listener.accept()
        message, descriptors, _, _ = socket.recv_fds(line, MAX_REQUEST, 1)
        if message and os.fork() == 0:
            status = 1
            try:
                listener.close()
                status = guard(line, confine.Cell(**json.loads(message)), *descriptors)
            finally:
                os._exit(status)
        line.close()
        for descriptor in descriptors:
            os.close(descriptor)


def import_everything() -> None:
    """What kernels and deep-learning notebooks import. Importing alone starts no thread."""
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
    import matplotlib.pyplot  # not matplotlib_inline.backend_inline: it hooks into the shell when imported
    import numpy
    import torch
    import torchvision
    import tqdm.auto

    import chainrule.lesson.figures
    import chainrule.lesson.verbs


def guard(line: socket.socket, cell: confine.Cell, box: int | None = None) -> int:
    """Start a kernel and see to it that nothing of it outlives the line."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    try:
        confine.adopt_orphans()
        confine.join_cgroups(cell.cgroups)
        if box is not None:
            confine.join_namespaces(box)
        kernel = os.fork()
        if kernel == 0:
            become_kernel(line, cell)
        watched = os.pidfd_open(kernel)
    except Exception as error:
        line.send(f"failed {type(error).__name__}: {error}".encode())
        return 1
    while True:
        ready, _, _ = select.select([line.fileno(), watched], [], [])
        if watched in ready:
            break
        said = line.recv(64)
        if said == b"interrupt":
            signal.pidfd_send_signal(watched, signal.SIGINT)
        else:  # "kill", or nobody there any more
            signal.pidfd_send_signal(watched, signal.SIGKILL)
            break
    _, status = os.waitpid(kernel, 0)
    confine.end_descendants()
    with contextlib.suppress(OSError):  # nobody there to be told
        line.send(f"ended {os.waitstatus_to_exitcode(status)}".encode())
    return 0


def become_kernel(line: socket.socket, cell: confine.Cell) -> None:
    """Lock this process in, make it look like a fresh one, and run an IPython kernel in it. Doesn't return."""
    try:
        os.setsid()  # out of the guardian's process group
        confine.lock(cell)
        folder = confine.furnish(cell)
        line.send(b"started")
    except BaseException as error:
        line.send(f"failed {type(error).__name__}: {error}".encode())
        os._exit(1)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    try:
        freshen(cell)
        os.chdir(folder)
        connection = Path(cell.sockets, "kernel.json")
        connection.write_text(json.dumps(cell.connection), encoding="utf-8")
        arguments = ["-f", str(connection), "--HistoryManager.hist_file=:memory:"]
        sys.argv = ["ipykernel_launcher", *arguments]
        from ipykernel.kernelapp import IPKernelApp

        IPKernelApp.launch_instance(argv=arguments)
    except SystemExit:
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def freshen(cell: confine.Cell) -> None:
    """Give what a process gets at its start a new value: environment, signals, random states."""
    import random

    import numpy
    import torch

    for name in ("XDG_CACHE_HOME", "PYTHONPATH"):  # the zygote's own; what imports have added stays
        os.environ.pop(name, None)
    os.environ.update(cell.environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()
    numpy.random.seed(None)
    torch.seed()


if __name__ == "__main__":
    main(sys.argv[1])
