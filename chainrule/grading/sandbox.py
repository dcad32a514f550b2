"""What keeps a worker from everything but its notebook.

`Box` is made by bubblewrap: a small process holds namespaces open, and the warm worker steps into them. Where
bubblewrap can't make namespaces, `Corner` confines the worker by Landlock and limits alone; `lacks` says what is then
not isolated. Either one knows where the worker lives, seen from inside and from outside, and ends all of it.
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
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import chainrule
from chainrule.worker.confine import Cell, landlock_version

START_SECONDS = 20.0
USER, HOME, WORK = "student", "/home/student", "/home/student/work"
FREE_UIDS = range(61184, 65520)  # systemd's range for users that exist for a while
FOR_WORKERS = ("__init__.py", "lesson", "datasets", "worker")  # of this package
VISIBLE = ["ld.so.cache", "fonts", "alternatives", "localtime", "mime.types"]  # of /etc


class WorkerError(RuntimeError):
    """A notebook could not be run, and not by its own fault: what that does is recorded in the notebook."""


@dataclass(frozen=True)
class Limits:
    """What one notebook may use: bytes of memory and of disk, processes and threads, open files."""

    memory: int = 8 << 30
    disk: int = 1 << 30
    processes: int = 512
    files: int = 1024

    def rlimits(self, uid: int | None) -> dict[str, int]:
        """By the names of `resource`, for a worker with this user id, None for our own.

        Memory counts per process. The system counts processes by user, so that our own come on top.
        """
        ours = tasks_of(os.getuid()) if uid is None else 0
        return {
            "CORE": 0,
            "DATA": self.memory,
            "FSIZE": self.disk,
            "NOFILE": self.files,
            "NPROC": self.processes + ours,
        }


def tasks_of(uid: int) -> int:
    """How many processes and threads a user has now."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid == uid:
                count += len(list((process / "task").iterdir()))
    return count


@dataclass(frozen=True)
class Confinement:
    """How well workers can be confined on this machine. `lacks` names what is not isolated, "" if nothing."""

    kind: str
    lacks: str = ""

    @property
    def warning(self) -> str:
        """One loud line, or ""."""
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
    """The best that really works here, found out by trying."""
    if sys.platform != "linux":
        return UNCONFINED
    if why_no_box() == "":
        return Confinement("bubblewrap")
    version = landlock_version()
    if version >= 6:
        return Confinement("Landlock and limits", "UDP, the names of processes, disk space")
    if version:
        network = "UDP" if version >= 4 else "network"
        return Confinement("Landlock and limits", f"{network}, processes, disk space")
    return Confinement("limits on each process", "files, network, processes, disk space")


@cache
def why_no_box() -> str:
    """Why bubblewrap can't make a box here; "" if it can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    try:
        with contextlib.closing(Box(Path(os.devnull).parent, None, Limits())) as box:
            return "" if Path(box.outside("/run")).is_dir() else "the sandbox cannot be reached from outside"
    except (WorkerError, OSError) as error:
        return str(error)


# -- bubblewrap ------------------------------------------------------------------------------------------


class Box:
    """A sandbox made by bubblewrap, empty but for a shell that waits for our end of a pipe to close.

    Inside: the system and this Python read-only, of Chainrule only `lesson` and `worker`; an empty home with the
    notebook's folder, `./data` in it read-only; no network, no process but the notebook's own.

    Args:
        folder: of this run: `furniture/` with the course's files, `line/` with the referee's socket.
        data: what the notebook sees at ./data; None for nothing.
        hidden: folders that must not be seen even where they lie in a visible place.
    Raises:
        WorkerError: bubblewrap says why not.
    """

    kind = "bubblewrap"
    sockets, work = "/run/kernel", WORK
    line = "/run/line/referee"

    def __init__(
        self, folder: Path, data: Path | None, limits: Limits, hidden: Sequence[Path] = (), gpu: bool = False
    ) -> None:
        self.limits = limits
        self.uid = FREE_UIDS[os.getpid() % len(FREE_UIDS)] if os.getuid() == 0 else None
        self.cgroups = Cgroups(limits)
        about, about_end = os.pipe()
        arguments = os.memfd_create("arguments", 0)  # on its command line, the inmates could read them
        os.write(arguments, "\0".join(mounts(folder, data, limits, hidden, gpu, self.uid)).encode())
        os.lseek(arguments, 0, os.SEEK_SET)
        sleeper = ["/bin/sh", "-c", "echo ready; read -r end"]
        self.process = subprocess.Popen(
            ["bwrap", "--args", str(arguments), "--info-fd", str(about_end), *sleeper],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[about_end, arguments],
            env={"PATH": os.environ.get("PATH", os.defpath)},
        )
        os.close(about_end)
        os.close(arguments)
        try:
            assert self.process.stdout is not None
            assert self.process.stderr is not None
            if self.process.stdout.readline() != b"ready\n":
                told = self.process.stderr.read(500).decode(errors="replace").strip()
                raise WorkerError(f"bubblewrap makes no sandbox here: {told or 'it ended at once'}")
            self.pid = int(json.loads(os.read(about, 4096))["child-pid"])
            self.entrance: int | None = os.pidfd_open(self.pid)
        except BaseException:
            self.close()
            raise
        finally:
            os.close(about)

    def admit(self, socket: Path) -> None:
        """Let the worker connect to a socket of ours, and nobody else."""
        admit(socket, self.uid)

    def outside(self, path: str) -> str:
        """A path inside the sandbox as we reach it."""
        return f"/proc/{self.pid}/root{path}"

    def cell(self, connection: dict[str, str | int], environment: dict[str, str]) -> Cell:
        """What to tell the zygote."""
        return Cell(
            connection=connection | {"ip": f"{self.sockets}/k"},
            sockets=self.sockets,
            work=self.work,
            furniture="/run/furniture",
            environment=environment | places(HOME, "/tmp"),
            uid=self.uid,
            cgroups=self.cgroups.files,
            limits=self.limits.rlimits(self.uid),
        )

    def close(self) -> None:
        """End every process inside, and with them all they have written."""
        self.process.kill()  # the first process inside dies with it, and all others with that one
        self.process.communicate()
        if getattr(self, "entrance", None) is not None:
            assert self.entrance is not None
            wait_for_end(self.entrance)
            os.close(self.entrance)
            self.entrance = None
        self.cgroups.close()


def places(home: str, temporary: str) -> dict[str, str]:
    """Environment variables for where a worker may write."""
    return {"HOME": home, "TMPDIR": temporary, "TORCHINDUCTOR_CACHE_DIR": f"{temporary}/torchinductor"}


def wait_for_end(pidfd: int) -> None:
    """Wait until a process is gone."""
    import select

    select.select([pidfd], [], [], START_SECONDS)


def mounts(
    folder: Path, data: Path | None, limits: Limits, hidden: Sequence[Path], gpu: bool, uid: int | None
) -> list[str]:
    """What makes the box, as arguments of bubblewrap."""
    # A privileged bwrap is run without a user namespace: in one, it would still own root's files, /proc/sys
    # among them. The worker changes its user instead.
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
        *(devices() if gpu else ()),
        *("--perms", "1777", "--size", size, "--tmpfs", "/dev/shm"),
        *("--remount-ro", "/dev"),
        *("--perms", "1777", "--size", size, "--tmpfs", "/tmp"),
        *("--size", "1048576", "--tmpfs", "/run"),
        *("--perms", "0777", "--size", "1048576", "--tmpfs", "/run/kernel"),
        *("--perms", "0777", "--size", size, "--tmpfs", HOME, "--perms", "0777", "--dir", WORK),
        *above([*python_places(), package]),
        *(flag for place in python_places() for flag in ("--ro-bind", str(place), str(place))),
        *(flag for place in hidden if is_visible(place) for flag in emptied(place)),
        *("--perms", "0755", "--tmpfs", str(package)),
        *(flag for part in FOR_WORKERS for flag in ("--ro-bind", str(package / part), str(package / part))),
        *(("--ro-bind", str(data), f"{WORK}/data") if data else ()),
        *("--ro-bind-try", str(folder / "furniture"), "/run/furniture"),
        *("--ro-bind-try", str(folder / "line"), "/run/line"),
        *("--ro-bind-try", str(names / "passwd"), "/etc/passwd"),
        *("--ro-bind-try", str(names / "group"), "/etc/group"),
        *("--remount-ro", str(package), "--remount-ro", "/run", "--remount-ro", "/", "--chdir", "/"),
    ]


def system_mounts() -> Iterator[str]:
    """The operating system, without anything a person has put on this machine."""
    yield from ("--ro-bind", "/usr", "/usr")
    for name in ("/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        if os.path.islink(name):
            yield from ("--symlink", os.readlink(name), name)
        elif os.path.isdir(name):
            yield from ("--ro-bind", name, name)
    for name in VISIBLE:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")


def above(places: Iterable[Path]) -> Iterator[str]:
    """The folders that lead to some places. Left to itself, bubblewrap makes them for root's eyes only."""
    for folder in sorted({parent for place in places for parent in place.parents} - {Path("/")}):
        yield from ("--perms", "0755", "--dir", str(folder))


def devices() -> Iterator[str]:
    """NVIDIA's device files."""
    for path in sorted(Path("/dev").glob("nvidia*")):
        yield from ("--dev-bind", str(path), str(path))


def python_places() -> list[Path]:
    """Where this Python, its standard library and its packages live, without what lies below another or /usr."""
    places = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent.parent}
    places |= {
        Path(p) for p in sys.path if Path(p).name in ("site-packages", "dist-packages") and os.path.isdir(p)
    }
    places |= {place.resolve() for place in places}
    return sorted(
        p for p in places if not any(q in p.parents for q in [*places, Path("/usr")]) and p != Path("/usr")
    )


def emptied(place: Path) -> list[str]:
    """What puts nothing in the place of a folder or a file."""
    return ["--tmpfs", str(place)] if place.is_dir() else ["--ro-bind", os.devnull, str(place)]


def without(places: Sequence[Path], hidden: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Some places less what must not be seen, for Landlock, which can allow but not take back.

    Returns:
        Folders whose names may be listed, because something hidden is in them, and all that may be read.
    """
    waiting = list(dict.fromkeys(place.resolve() for place in places if place.exists()))
    around = {parent for place in waiting for parent in place.parents}  # a course with its Python in it, say
    unseen = {each.resolve() for each in hidden} - around
    listable: list[Path] = []
    readable: list[Path] = []
    while waiting:
        place = waiting.pop()
        if place in unseen or place.is_symlink():  # what a link leads to has, or has not, a rule of its own
            continue
        if any(place in each.parents for each in unseen):
            listable.append(place)
            waiting += place.iterdir()
        else:
            readable.append(place)
    return listable, readable


def is_visible(place: Path) -> bool:
    """Whether a folder lies where the box shows this machine's files."""
    return any(shown == place or shown in place.parents for shown in [*python_places(), Path("/usr")])


# -- without bubblewrap ----------------------------------------------------------------------------------


class Corner:
    """A folder for a worker that is confined by Landlock, where there is any, and by limits. As `Box`."""

    entrance: int | None = None

    def __init__(
        self, folder: Path, data: Path | None, limits: Limits, hidden: Sequence[Path] = (), gpu: bool = False
    ) -> None:
        self.folder, self.data, self.limits = folder / "worker", data, limits
        self.kind = str(confinement())
        self.sockets, self.work = str(self.folder / "run"), str(self.folder / "home" / "work")
        self.furniture, self.line = str(folder / "furniture"), str(folder / "line" / "referee")
        package = Path(chainrule.__file__).parent
        system = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
        self.listable, readable = without([*map(Path, system), *python_places()], [*hidden, package])
        self.readable = [
            *("/proc", "/sys/devices/system/cpu"),
            *(f"/etc/{name}" for name in VISIBLE),
            *map(str, readable),
            *(str(package / part) for part in FOR_WORKERS),
            *([str(data)] if data else []),
            str(folder / "furniture"),
        ]
        self.writable = [
            str(self.folder),
            str(folder / "line"),
            "/dev/null",
            "/dev/zero",
            "/dev/urandom",
            "/dev/shm",
        ]
        self.writable += sorted(map(str, Path("/dev").glob("nvidia*"))) if gpu else []
        if os.getuid() == 0:
            folder.chmod(0o711)
        unprivileged = os.getuid() == 0 and all(map(for_everyone, [*python_places(), folder]))
        self.uid = FREE_UIDS[os.getpid() % len(FREE_UIDS)] if unprivileged else None
        self.cgroups = Cgroups(limits)
        for name in ("run", "home", "home/work", "tmp"):
            (self.folder / name).mkdir(parents=True)
            if self.uid is not None:
                os.chown(self.folder / name, self.uid, self.uid)

    def admit(self, socket: Path) -> None:
        admit(socket, self.uid)

    def outside(self, path: str) -> str:
        return path

    def cell(self, connection: dict[str, str | int], environment: dict[str, str]) -> Cell:
        confined = landlock_version() > 0
        return Cell(
            connection=connection | {"ip": f"{self.sockets}/k"},
            sockets=self.sockets,
            work=self.work,
            furniture=self.furniture,
            environment=environment | places(str(self.folder / "home"), str(self.folder / "tmp")),
            links={"data": str(self.data)} if self.data else {},
            uid=self.uid,
            cgroups=self.cgroups.files,
            limits=self.limits.rlimits(self.uid),
            readable=self.readable if confined else None,
            listable=[str(place) for place in self.listable],
            writable=self.writable,
        )

    def close(self) -> None:
        """End what the guardian could not."""
        self.cgroups.close()


def admit(socket: Path, uid: int | None) -> None:
    socket.chmod(0o600)
    if uid is not None:
        os.chown(socket, uid, uid)


def for_everyone(place: Path) -> bool:
    """Whether any user may go into this folder."""
    return all(path.stat().st_mode & stat.S_IXOTH for path in [place, *place.parents])


def room(folder: Path, data: Path | None, limits: Limits, hidden: Sequence[Path], gpu: bool) -> Box | Corner:
    """The best place for a worker that this machine has."""
    for_worker = {"passwd": f"{USER}:x:{{0}}:{{0}}::{HOME}:/bin/sh\n", "group": f"{USER}:x:{{0}}:\n"}
    kind = Box if confinement().kind == "bubblewrap" else Corner
    uid = FREE_UIDS[os.getpid() % len(FREE_UIDS)] if os.getuid() == 0 else 1000
    (folder / "etc").mkdir(exist_ok=True)
    for name, line in for_worker.items():
        (folder / "etc" / name).write_text(line.format(uid), encoding="utf-8")
    return kind(folder, data, limits, hidden, gpu)


# -- control groups --------------------------------------------------------------------------------------


class Cgroups:
    """Limits on all processes of a notebook together, where we may set them (as root, mostly).

    Version 1 has a tree per resource, version 2 one for all. `files` names where to write a process's id.
    """

    ROOT = Path("/sys/fs/cgroup")

    def __init__(self, limits: Limits) -> None:
        memory, processes = str(limits.memory + limits.disk), str(limits.processes)
        wanted = [
            ("", {"memory.max": memory, "memory.swap.max": "0", "pids.max": processes}),
            ("memory", {"memory.limit_in_bytes": memory}),
            ("pids", {"pids.max": processes}),
        ]
        self.groups: list[Path] = []
        name = f"chainrule-{os.getpid()}-{time.monotonic_ns()}"
        for tree, settings in wanted:
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
        return [str(group / "cgroup.procs") for group in self.groups]

    def close(self) -> None:
        """Kill what is left in the groups, then remove them."""
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
