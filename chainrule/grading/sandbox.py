"""The sandbox around a worker.

`BubblewrapSandbox` holds namespaces that bubblewrap has made, and the warm worker joins them. Where bubblewrap can't
make namespaces, `LandlockSandbox` confines the worker by Landlock and limits alone; `Confinement.lacks` says what is
then not isolated. Both know the worker's paths, and end all of its processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import chainrule
from chainrule.errors import ChainruleError
from chainrule.worker.confine import SYSTEM_CALLS, SandboxSpec, landlock_version, system_call_filter

START_SECONDS = 20.0
USER, HOME, WORK = "student", "/home/student", "/home/student/work"
FREE_UIDS = range(61184, 65520)  # systemd's range for temporary users
FOR_WORKERS = ("__init__.py", "errors.py", "lesson", "datasets", "worker")  # of this package
VISIBLE = ["ld.so.cache", "fonts", "alternatives", "localtime", "mime.types"]  # in /etc


class WorkerError(ChainruleError, RuntimeError):
    """A notebook could not be run, for a reason outside the notebook. What a notebook itself does is recorded in it."""


@dataclass(frozen=True)
class Limits:
    """What one notebook may use: bytes of memory and of disk, processes and threads, open files."""

    memory: int = 8 << 30
    disk: int = 1 << 30
    processes: int = 512
    files: int = 1024

    def rlimits(self, uid: int | None) -> dict[str, int]:
        """Limits by the part of their names after RLIMIT_ in `resource`.

        Memory counts per process. Processes count per user, so those that run already are added.

        Args:
            uid: the worker's user; None for our own.
        """
        ours = count_tasks(os.getuid()) if uid is None else 0
        return {
            "CORE": 0,
            "DATA": self.memory,
            "FSIZE": self.disk,
            "NOFILE": self.files,
            "NPROC": self.processes + ours,
        }


def count_tasks(uid: int) -> int:
    """The number of processes and threads that a user has now."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid == uid:
                count += len(list((process / "task").iterdir()))
    return count


@dataclass(frozen=True)
class Confinement:
    """How well workers are confined on this machine.

    Attributes:
        kind: what confines them.
        lacks: what is not isolated; "" if everything is.
    """

    kind: str
    lacks: str = ""

    @property
    def warning(self) -> str:
        """One line in capitals for people, or ""."""
        if not self.lacks:
            return ""
        return (
            f"NO SANDBOX: bubblewrap does not work here, so student code is confined by {self.kind} only. "
            f"NOT isolated: {self.lacks}. Install bubblewrap, or grade on a machine where that does no harm."
        )

    def __str__(self) -> str:
        return f"{self.kind}; not isolated: {self.lacks}" if self.lacks else self.kind


UNCONFINED = Confinement("no more than time limits", "files, network, memory, processes")


@cache
def confinement() -> Confinement:
    """The best confinement that works on this machine, found out by making a sandbox."""
    if sys.platform != "linux":
        return UNCONFINED
    if bubblewrap_error() == "":
        return Confinement("bubblewrap")
    version = landlock_version()
    lacks = [] if version else ["files"]
    lacks += ["UDP" if version >= 4 else "network", "the names of processes" if version >= 6 else "processes"]
    lacks += ["disk space", "shared memory", "Unix sockets of other programs"]
    if os.getuid() == 0 and not runs_unprivileged(Path(tempfile.gettempdir())):
        lacks.append("root's own account, because other users may not enter the folder of this Python")
    return Confinement("Landlock and limits" if version else "limits on each process", ", ".join(lacks))


@cache
def bubblewrap_error() -> str:
    """Why bubblewrap can't make a sandbox here; "" if it can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    try:
        with contextlib.closing(BubblewrapSandbox(Path(os.devnull).parent, None, Limits())):
            return ""
    except (WorkerError, OSError) as error:
        return str(error)


class Sandbox(ABC):
    """What is around one worker. It is made for a run, and closed with it.

    Args:
        folder: of the run, with `support-files/` (the course's files).
        data: what the notebook sees at ./data; None for nothing.
        limits: what the notebook may use.
        hidden: folders that the worker must not see even where they are inside a readable folder.
        gpu: whether the worker may use this machine's NVIDIA GPUs.
    Attributes:
        kind: what confines the worker, for people.
        uid: the user the worker runs as; None for our own.
        pidfd: of a process in the sandbox, whose namespaces the worker joins; None if there are no namespaces.
        sockets, work: a folder for the kernel and the notebook's folder, as paths inside the sandbox.
    """

    kind: str
    uid: int | None
    pidfd: int | None = None
    sockets: str
    work: str

    @abstractmethod
    def __init__(
        self, folder: Path, data: Path | None, limits: Limits, hidden: Sequence[Path] = (), gpu: bool = False
    ) -> None: ...

    @property
    def processes(self) -> list[int]:
        """Processes outside from which all inside descend that the worker's supervisor doesn't know."""
        return []

    @abstractmethod
    def spec(self, connection: dict[str, str | int], environment: dict[str, str]) -> SandboxSpec:
        """What to send to the zygote.

        Args:
            connection: as in a Jupyter connection file, without the address of the sockets.
            environment: the worker's variables, without those that depend on the sandbox.
        """

    @abstractmethod
    def close(self) -> None:
        """End every process inside."""


def make_sandbox(
    folder: Path, data: Path | None, limits: Limits, hidden: Sequence[Path], gpu: bool
) -> Sandbox:
    """The best sandbox that this machine offers. The arguments are those of `Sandbox`."""
    lines = {"passwd": f"{USER}:x:{{0}}:{{0}}::{HOME}:/bin/sh\n", "group": f"{USER}:x:{{0}}:\n"}
    kind = BubblewrapSandbox if confinement().kind == "bubblewrap" else LandlockSandbox
    uid = FREE_UIDS[os.getpid() % len(FREE_UIDS)] if os.getuid() == 0 else 1000
    (folder / "etc").mkdir(exist_ok=True)
    for name, line in lines.items():
        (folder / "etc" / name).write_text(line.format(uid), encoding="utf-8")
    return kind(folder, data, limits, hidden, gpu)


# -- bubblewrap ------------------------------------------------------------------------------------------


class BubblewrapSandbox(Sandbox):
    """Namespaces made by bubblewrap, which are empty but for a shell that waits for our end of a pipe to close.

    Inside there is the system and this Python, read-only; of Chainrule only `lesson` and `worker`; an empty home with
    the notebook's folder, and `./data` in it, read-only. There is no network and no process but the notebook's own.

    Raises:
        WorkerError: bubblewrap made no sandbox; the message says why.
    """

    kind = "bubblewrap"
    sockets, work = "/run/kernel", WORK

    def __init__(
        self, folder: Path, data: Path | None, limits: Limits, hidden: Sequence[Path] = (), gpu: bool = False
    ) -> None:
        self.limits = limits
        self.uid = FREE_UIDS[os.getpid() % len(FREE_UIDS)] if os.getuid() == 0 else None
        self.cgroups = Cgroups(limits)
        info, info_end = os.pipe()
        flags, inherited = mounts(folder, data, limits, hidden, gpu, self.uid), [info_end]
        if calls := SYSTEM_CALLS.get(os.uname().machine):  # for bubblewrap's own processes inside
            inherited.append(in_memory("filter", system_call_filter(calls)))
            flags += ["--seccomp", str(inherited[-1])]
        # on its command line, processes inside could read them
        inherited.append(in_memory("arguments", "\0".join(flags).encode()))
        sleeper = ["/bin/sh", "-c", "echo ready; read -r end"]
        self.process = subprocess.Popen(
            ["bwrap", "--args", str(inherited[-1]), "--info-fd", str(info_end), *sleeper],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=inherited,
            env={"PATH": os.environ.get("PATH", os.defpath)},
        )
        for descriptor in inherited:
            os.close(descriptor)
        try:
            assert self.process.stdout is not None
            assert self.process.stderr is not None
            if self.process.stdout.readline() != b"ready\n":
                message = self.process.stderr.read(500).decode(errors="replace").strip()
                raise WorkerError(f"bubblewrap makes no sandbox here: {message or 'it ended at once'}")
            self.pidfd = os.pidfd_open(int(json.loads(os.read(info, 4096))["child-pid"]))
        except BaseException:
            self.close()
            raise
        finally:
            os.close(info)

    @property
    def processes(self) -> list[int]:
        return [self.process.pid]

    def spec(self, connection: dict[str, str | int], environment: dict[str, str]) -> SandboxSpec:
        return SandboxSpec(
            connection=connection | {"ip": f"{self.sockets}/k"},
            sockets=self.sockets,
            work=self.work,
            support_files="/run/support-files",
            environment=environment | writable_folders(HOME, "/tmp"),
            uid=self.uid,
            cgroups=self.cgroups.files,
            limits=self.limits.rlimits(self.uid),
        )

    def close(self) -> None:
        """End every process inside. What they have written is gone with them."""
        self.process.kill()  # this ends the first process inside, and that one's end ends all others
        self.process.communicate()
        if self.pidfd is not None:
            wait_for_end(self.pidfd)
            os.close(self.pidfd)
            self.pidfd = None
        self.cgroups.close()


def in_memory(name: str, content: bytes) -> int:
    """A descriptor of a file that is nowhere on the disk."""
    descriptor = os.memfd_create(name, 0)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def writable_folders(home: str, temporary: str) -> dict[str, str]:
    """The environment variables that say where a worker may write."""
    return {"HOME": home, "TMPDIR": temporary, "TORCHINDUCTOR_CACHE_DIR": f"{temporary}/torchinductor"}


def wait_for_end(pidfd: int) -> None:
    """Wait until a process has ended."""
    import select

    select.select([pidfd], [], [], START_SECONDS)


def mounts(
    folder: Path, data: Path | None, limits: Limits, hidden: Sequence[Path], gpu: bool, uid: int | None
) -> list[str]:
    """The arguments of bubblewrap."""
    # As root, bwrap runs without a user namespace: root in there would still own root's files, /proc/sys among
    # them. The worker changes its user instead.
    user = ["--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000"] if uid is None else []
    size = str(limits.disk)
    package = Path(chainrule.__file__).parent
    names = folder / "etc"
    return [
        *user,
        *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv", "--hostname", "notebook"),
        *system_mounts(),
        *("--proc", "/proc", "--dev", "/dev"),
        *(flag for name in ("keys", "key-users") for flag in ("--ro-bind", os.devnull, f"/proc/{name}")),
        *(devices() if gpu else ()),
        *("--perms", "1777", "--size", size, "--tmpfs", "/dev/shm"),
        *("--remount-ro", "/dev"),
        *("--perms", "1777", "--size", size, "--tmpfs", "/tmp"),
        *("--size", "1048576", "--tmpfs", "/run"),
        *("--perms", "0777", "--size", "1048576", "--tmpfs", "/run/kernel"),
        *("--perms", "0777", "--size", size, "--tmpfs", HOME, "--perms", "0777", "--dir", WORK),
        *make_parents([*python_folders(), package]),
        *(flag for folder in python_folders() for flag in ("--ro-bind", str(folder), str(folder))),
        *(flag for path in hidden if is_visible(path) for flag in mount_nothing(path)),
        *("--perms", "0755", "--tmpfs", str(package)),
        *(flag for part in FOR_WORKERS for flag in ("--ro-bind", str(package / part), str(package / part))),
        *(("--ro-bind", str(data), f"{WORK}/data") if data else ()),
        *("--ro-bind-try", str(folder / "support-files"), "/run/support-files"),
        *("--ro-bind-try", str(names / "passwd"), "/etc/passwd"),
        *("--ro-bind-try", str(names / "group"), "/etc/group"),
        *("--remount-ro", str(package), "--remount-ro", "/run", "--remount-ro", "/", "--chdir", "/"),
    ]


def system_mounts() -> Iterator[str]:
    """The operating system, without anything that people have put on this machine."""
    yield from ("--ro-bind", "/usr", "/usr")
    for name in ("/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        if os.path.islink(name):
            yield from ("--symlink", os.readlink(name), name)
        elif os.path.isdir(name):
            yield from ("--ro-bind", name, name)
    for name in VISIBLE:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")


def make_parents(paths: Iterable[Path]) -> Iterator[str]:
    """The parent folders of these paths. By itself, bubblewrap would make them readable by root only."""
    for folder in sorted({parent for path in paths for parent in path.parents} - {Path("/")}):
        yield from ("--perms", "0755", "--dir", str(folder))


def devices() -> Iterator[str]:
    """NVIDIA's device files."""
    for path in sorted(Path("/dev").glob("nvidia*")):
        yield from ("--dev-bind", str(path), str(path))


def python_folders() -> list[Path]:
    """The folders of this Python, its standard library and its packages, but none inside another one or in /usr."""
    folders = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent.parent}
    folders |= {
        Path(p) for p in sys.path if Path(p).name in ("site-packages", "dist-packages") and os.path.isdir(p)
    }
    folders |= {folder.resolve() for folder in folders}
    return sorted(
        p for p in folders if not any(q in p.parents for q in [*folders, Path("/usr")]) and p != Path("/usr")
    )


def mount_nothing(path: Path) -> list[str]:
    """The arguments of bubblewrap that put an empty folder or file in place of this one."""
    return ["--tmpfs", str(path)] if path.is_dir() else ["--ro-bind", os.devnull, str(path)]


def without_hidden(paths: Sequence[Path], hidden: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Split up these paths so that nothing hidden is in them: Landlock can allow a path, but not take away a part.

    Returns:
        Folders in which only names may be listed, because something hidden is in them, and paths that may be read.
    """
    waiting = list(dict.fromkeys(path.resolve() for path in paths if path.exists()))
    parents = {
        parent for path in waiting for parent in path.parents
    }  # such as a course that contains its Python
    unseen = {path.resolve() for path in hidden} - parents
    listable: list[Path] = []
    readable: list[Path] = []
    while waiting:
        path = waiting.pop()
        if path in unseen or path.is_symlink():  # the target of a link has its own rule, or none
            continue
        if any(path in each.parents for each in unseen):
            listable.append(path)
            waiting += path.iterdir()
        else:
            readable.append(path)
    return listable, readable


def is_visible(path: Path) -> bool:
    """Whether a folder is inside one that the sandbox shows."""
    return any(visible == path or visible in path.parents for visible in [*python_folders(), Path("/usr")])


# -- without bubblewrap ----------------------------------------------------------------------------------


class LandlockSandbox(Sandbox):
    """A folder for a worker that is confined by limits and, where the system has it, by Landlock."""

    def __init__(
        self, folder: Path, data: Path | None, limits: Limits, hidden: Sequence[Path] = (), gpu: bool = False
    ) -> None:
        self.folder, self.data, self.limits = folder / "worker", data, limits
        self.kind = str(confinement())
        self.sockets, self.work = str(self.folder / "run"), str(self.folder / "home" / "work")
        self.support_files = str(folder / "support-files")
        package = Path(chainrule.__file__).parent
        system = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
        self.listable, readable = without_hidden([*map(Path, system), *python_folders()], [*hidden, package])
        self.readable = [
            *("/proc", "/sys/devices/system/cpu"),
            *(f"/etc/{name}" for name in VISIBLE),
            *map(str, readable),
            *(str(package / part) for part in FOR_WORKERS),
            *([str(data)] if data else []),
            self.support_files,
        ]
        self.writable = [
            str(self.folder),
            "/dev/null",
            "/dev/zero",
            "/dev/urandom",
            "/dev/shm",
        ]
        self.writable += sorted(map(str, Path("/dev").glob("nvidia*"))) if gpu else []
        if os.getuid() == 0:
            folder.chmod(0o711)
        self.uid = FREE_UIDS[os.getpid() % len(FREE_UIDS)] if runs_unprivileged(folder) else None
        self.cgroups = Cgroups(limits)
        for name in ("run", "home", "home/work", "tmp"):
            (self.folder / name).mkdir(parents=True)
            (self.folder / name).chmod(0o700)
            if self.uid is not None:
                os.chown(self.folder / name, self.uid, self.uid)

    def spec(self, connection: dict[str, str | int], environment: dict[str, str]) -> SandboxSpec:
        has_landlock = landlock_version() > 0
        return SandboxSpec(
            connection=connection | {"ip": f"{self.sockets}/k"},
            sockets=self.sockets,
            work=self.work,
            support_files=self.support_files,
            environment=environment | writable_folders(str(self.folder / "home"), str(self.folder / "tmp")),
            links={"data": str(self.data)} if self.data else {},
            uid=self.uid,
            cgroups=self.cgroups.files,
            limits=self.limits.rlimits(self.uid),
            readable=self.readable if has_landlock else None,
            listable=[str(folder) for folder in self.listable],
            writable=self.writable,
        )

    def close(self) -> None:
        """End the processes that the supervisor could not end."""
        self.cgroups.close()


def runs_unprivileged(folder: Path) -> bool:
    """Whether workers without a sandbox, whose files are in this folder, run as another user than root."""
    return os.getuid() == 0 and all(map(is_traversable, [*python_folders(), folder]))


def is_traversable(folder: Path) -> bool:
    """Whether every user may enter this folder."""
    return all(path.stat().st_mode & stat.S_IXOTH for path in [folder, *folder.parents])


# -- control groups --------------------------------------------------------------------------------------


class Cgroups:
    """Limits on all processes of a notebook together, where we have the right to set them (mostly as root).

    Version 1 of control groups has a tree for each resource, version 2 one tree for all.
    """

    ROOT = Path("/sys/fs/cgroup")

    def __init__(self, limits: Limits) -> None:
        memory, processes = str(limits.memory + limits.disk), str(limits.processes)
        trees = [
            ("", {"memory.max": memory, "memory.swap.max": "0", "pids.max": processes, "cpu.weight": "100"}),
            ("memory", {"memory.limit_in_bytes": memory}),
            ("pids", {"pids.max": processes}),
            ("cpu", {}),  # a notebook of a hundred processes gets the share of one
        ]
        self.groups: list[Path] = []
        name = f"chainrule-{os.getpid()}-{time.monotonic_ns()}"
        for tree, settings in trees:
            group = self.ROOT / tree / name
            if not (self.ROOT / tree / "cgroup.procs").exists():
                continue
            with contextlib.suppress(OSError):
                group.mkdir()
                self.groups.append(group)
                for setting, value in settings.items():
                    if (group / setting).exists():
                        (group / setting).write_text(value)

    @property
    def files(self) -> list[str]:
        """The files that a process writes its id into to join the groups."""
        return [str(group / "cgroup.procs") for group in self.groups]

    def close(self) -> None:
        """Kill the processes in the groups, then remove the groups."""
        deadline = time.monotonic() + START_SECONDS
        for group in self.groups:
            while group.exists() and time.monotonic() < deadline:
                for pid in processes(group):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    group.rmdir()
                    break
                time.sleep(0.01)
        self.groups = []


def processes(group: Path) -> Iterable[int]:
    with contextlib.suppress(OSError):
        return map(int, (group / "cgroup.procs").read_text().split())
    return ()
