"""Confine a process: namespaces of a sandbox, another user, no privileges, Landlock, a filter of system calls, limits.
Linux only.

This runs between fork and the first line of student code, so it uses plain system calls only.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import shutil
import signal
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

# linux/sched.h
_CLONE = {"mnt": 0x00020000, "uts": 0x04000000, "ipc": 0x08000000, "user": 0x10000000, "pid": 0x20000000}
_CLONE_NET = 0x40000000
# linux/prctl.h
_SET_PDEATHSIG, _SET_DUMPABLE, _CAPBSET_DROP, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVS = 1, 4, 24, 36, 38
_CAPABILITY_VERSION_3 = 0x20080522
# linux/landlock.h: system calls, and rights by the version that brought them
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_LIST_RIGHT = 0b1000  # read directory
_READ_RIGHTS = 0b1101  # execute, read file, read directory
_FILE_RIGHTS = 0b1100_0000_0000_0111  # execute, write, read, truncate, ioctl: what a rule on a file may grant
# linux/keyctl.h, linux/seccomp.h, linux/filter.h
_JOIN_SESSION_KEYRING = 1
_SET_SECCOMP, _MODE_FILTER = 22, 2
_KILL, _REFUSE, _ALLOW = (
    0x80000000,
    0x00050000,
    0x7FFF0000,
)  # what a filter returns; the error is added to _REFUSE
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in what a filter sees of a system call
_X32 = 0x40000000  # of the numbers of x86-64's second set of system calls
_NEW_NAMESPACES = 0x7E020000  # the flags of `clone` that make them
_FAMILIES = (
    1,
    2,
    10,
    16,
)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: what programs use; not AF_VSOCK and fifty others


@dataclass(frozen=True)
class SystemCalls:
    """Numbers on one architecture: its own from linux/audit.h, and those of system calls.

    Attributes:
        forbidden: parts of the kernel that no notebook needs, that namespaces don't divide, or in which holes are
            found often: add_key, request_key, keyctl, bpf, perf_event_open, userfaultfd, unshare, setns.
    """

    architecture: int
    forbidden: tuple[int, ...]
    keyctl: int
    clone: int
    sockets: tuple[int, int]  # socket, socketpair


SYSTEM_CALLS = {
    "x86_64": SystemCalls(0xC000003E, (248, 249, 250, 321, 298, 323, 272, 308), 250, 56, (41, 53)),
    "aarch64": SystemCalls(0xC00000B7, (217, 218, 219, 280, 241, 282, 97, 268), 219, 220, (198, 199)),
}
_IO_URING = (425, 426, 427)  # setup, enter, register: the same numbers everywhere
_CLONE3 = 435  # its flags can't be seen by a filter; without it, libraries take `clone`


@dataclass(frozen=True)
class SandboxSpec:
    """What the zygote needs to start a worker: its folders, its environment and its limits.

    Args:
        connection: the kernel's sockets, as in a Jupyter connection file.
        sockets: the folder of these sockets; the worker can write to it.
        work: the notebook's folder.
        support_files: a folder whose contents are copied into `work`.
        environment: all environment variables of the worker.
        links: targets of symbolic links in `work`, by the links' names.
        uid: the user to change to; None keeps the current user.
        cgroups: `cgroup.procs` files of the control groups to join.
        limits: values of `resource.RLIMIT_…` by the part of the name after RLIMIT_.
        readable, writable: with Landlock, the only paths the worker may open; None doesn't use Landlock.
        listable: with Landlock, folders whose names the worker may list in addition.
    """

    connection: dict[str, str | int]
    sockets: str
    work: str
    support_files: str
    environment: dict[str, str]
    links: dict[str, str] = field(default_factory=dict)
    uid: int | None = None
    cgroups: Sequence[str] = ()
    limits: dict[str, int] = field(default_factory=dict)
    readable: Sequence[str] | None = None
    writable: Sequence[str] = ()
    listable: Sequence[str] = ()


def check_result(result: int, doing: str) -> int:
    """Return the result of a system call.

    Raises:
        OSError: the call failed while `doing`.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{doing}: {os.strerror(number)}")
    return result


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none can escape."""
    check_result(_libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "becoming a subreaper")


def end_descendants() -> None:
    """Kill and reap descendants until none is left."""
    while True:
        children = Path("/proc/self/task", str(os.getpid()), "children")
        try:
            left = [int(pid) for pid in children.read_text().split()]
        except OSError:
            return  # in a sandbox whose /proc doesn't show this process: they end with the sandbox
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def join_cgroups(files: Sequence[str]) -> None:
    """Put this process and its future children under the limits of control groups."""
    for file in files:
        Path(file).write_text("0")


def join_namespaces(pidfd: int) -> None:
    """Move into the namespaces of a process. Children forked after this see the processes in there only.

    Raises:
        OSError: the system does not allow it.
    """
    # a separate user namespace must be entered together with the others; our own can't be entered at all
    others = sum(_CLONE.values()) + _CLONE_NET - _CLONE["user"]
    if _libc.setns(pidfd, others + _CLONE["user"]) < 0:
        check_result(_libc.setns(pidfd, others), "entering the sandbox")


def drop_privileges(spec: SandboxSpec) -> None:
    """Give up, for good, every right that a notebook doesn't need."""
    for name, limit in spec.limits.items():
        number = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(number)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(number, (limit, limit))
    for capability in range(64):
        _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)
    if spec.uid is not None:
        os.setgroups([])
        os.setresgid(spec.uid, spec.uid, spec.uid)
        os.setresuid(spec.uid, spec.uid, spec.uid)
    nothing = struct.pack("Ii", _CAPABILITY_VERSION_3, 0), bytes(24)
    check_result(_libc.capset(*nothing), "dropping capabilities")
    check_result(_libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0), "making /proc/self readable again")
    check_result(_libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "forbidding new privileges")
    check_result(_libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "tying this process to its supervisor")
    if spec.readable is not None:
        restrict_files(spec.readable, spec.writable, spec.listable)
    leave_keyrings()
    filter_system_calls()


def leave_keyrings() -> None:
    """Exchange the session keyring, which was that of whoever started the grader, for an empty one."""
    if calls := SYSTEM_CALLS.get(os.uname().machine):
        _libc.syscall(
            calls.keyctl, _JOIN_SESSION_KEYRING, None
        )  # some containers forbid it, and keyrings with it


def system_call_filter(calls: SystemCalls) -> bytes:
    """A program for the kernel (struct sock_filter[]) that decides about every system call of a process.

    https://docs.kernel.org/userspace-api/seccomp_filter.html
    """

    def step(code: int, value: int, skip_if: int = 0, skip_else: int = 0) -> bytes:
        return struct.pack("HBBI", code, skip_if, skip_else, value)

    def answer(number: int, *steps: bytes) -> list[bytes]:
        """These steps, if it is the system call with this number."""
        return [step(_EQUAL, number, 0, len(steps)), *steps]

    refuse, unknown = (step(_RETURN, _REFUSE + error) for error in (errno.EPERM, errno.ENOSYS))
    allow, kill = step(_RETURN, _ALLOW), step(_RETURN, _KILL)
    argument = step(_LOAD, _FIRST_ARGUMENT)
    known = [part for family in _FAMILIES for part in (step(_EQUAL, family, 0, 1), allow)]
    no_family = step(_RETURN, _REFUSE + errno.EAFNOSUPPORT)
    program = [
        step(_LOAD, _ARCHITECTURE),
        step(_EQUAL, calls.architecture, 1),
        kill,
    ]  # such as 32-bit programs
    program += [step(_LOAD, _NUMBER), step(_AT_LEAST, _X32, 0, 1), kill]
    for number in (*calls.forbidden, *_IO_URING):
        program += answer(number, refuse)
    program += answer(_CLONE3, unknown)
    program += answer(calls.clone, argument, step(_ANY_BIT, _NEW_NAMESPACES, 0, 1), refuse, allow)
    for number in calls.sockets:
        program += answer(number, argument, *known, no_family)
    return b"".join([*program, allow])


def filter_system_calls() -> None:
    """Refuse system calls that no notebook needs to this process and its children."""
    if calls := SYSTEM_CALLS.get(os.uname().machine):
        program = system_call_filter(calls)
        steps = ctypes.create_string_buffer(program, len(program))
        header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(steps))
        check_result(_libc.prctl(_SET_SECCOMP, _MODE_FILTER, header, 0, 0), "filtering system calls")


def landlock_version() -> int:
    """The version of Landlock this system offers; 0 for none."""
    if sys.platform != "linux":
        return 0
    version: int = _libc.syscall(_CREATE_RULESET, None, 0, 1)
    return max(0, version)


def restrict_files(readable: Sequence[str], writable: Sequence[str], listable: Sequence[str] = ()) -> None:
    """With Landlock, let this process open only what is below these paths; no TCP, no signals to other processes.

    https://docs.kernel.org/userspace-api/landlock.html
    """
    version = landlock_version()
    files = (1 << (16 if version >= 5 else 15 if version >= 3 else 14 if version >= 2 else 13)) - 1
    net, scope = (3 if version >= 4 else 0), (3 if version >= 6 else 0)
    attributes = struct.pack("QQQ", files, net, scope)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = check_result(_libc.syscall(_CREATE_RULESET, attributes, size, 0), "making Landlock rules")
    for paths, rights in ((listable, _LIST_RIGHT), (readable, _READ_RIGHTS), (writable, files)):
        for path in paths:
            if not os.path.exists(path):
                continue
            descriptor = os.open(path, os.O_PATH)
            allowed = rights & files if os.path.isdir(path) else rights & files & _FILE_RIGHTS
            rule = struct.pack("=Qi", allowed, descriptor)
            check_result(_libc.syscall(_ADD_RULE, ruleset, 1, rule, 0), f"allowing {path}")
            os.close(descriptor)
    check_result(_libc.syscall(_RESTRICT_SELF, ruleset, 0), "applying Landlock rules")
    os.close(ruleset)


def make_work_folder(spec: SandboxSpec) -> Path:
    """Make the notebook's folder: copies of the support files, and links such as `data`."""
    work = Path(spec.work)
    work.mkdir(parents=True, exist_ok=True)
    for path in sorted(Path(spec.support_files).iterdir()):
        if path.is_dir():
            shutil.copytree(path, work / path.name)
        else:
            shutil.copyfile(path, work / path.name)
    for name, target in spec.links.items():
        (work / name).symlink_to(target)
    return work
