"""Grade a class of attackers once, and write down everything that can be seen of it from outside."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import site
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import target
from attacks import Attack
from target import HONEST
from tiny_course import TINY, filled, submit
from workers import hide_bubblewrap

from chainrule.course import CONFIG
from chainrule.grading.sandbox import confinement
from chainrule.worker.confine import SYSTEM_CALLS

MARK = "hostile-was-here"  # in the name or content of whatever an attack leaves behind
SHOWN = ("forging", "breaking", "escaping")  # families whose feedback is written, too
TRACE = f"/tmp/{MARK}-without-a-sandbox"
SECONDS = 6  # of its own time, for one cell
JOBS = 4  # most attacks wait for something
PATIENCE = 1500  # seconds for a class, however busy the machine is
MEMORY = 6 << 30  # of each of the grader's processes: a hole must not cost the machine these tests run on
SPRINGS = ("/tmp", "/dev/shm", "/var/tmp")  # where anybody may write


def can_confine() -> bool:
    """Whether workers are in a sandbox here that lacks nothing."""
    return confinement().lacks == ""


@dataclass(frozen=True)
class Tier:
    """Who grades, and with what.

    Attributes:
        bubblewrap: whether it is there.
        user: None for this process's own; otherwise a user id, without a name.
        python_for_all: whether all users may enter the folder of this Python.
    """

    bubblewrap: bool = True
    user: int | None = None
    python_for_all: bool = False

    def prepare(self, root: Path, scratch: Path) -> None:
        """Let this user grade in `root`, and let workers that run as others reach their files."""
        if self.python_for_all:
            scratch.chmod(0o711)
        if self.user is not None:
            for path in [root, scratch, *root.rglob("*")]:
                os.chown(path, self.user, self.user, follow_symlinks=False)

    def command(self, command: Sequence[str]) -> list[str]:
        """What starts a command for this user."""
        before = []
        if self.python_for_all and (closed := closed_folder()):
            script = (
                'mount --bind "$1" /mnt && mount -t tmpfs -o mode=755 none "$2" && mkdir -p "$1" '
                '&& mount --move /mnt "$1" && shift 2 && exec "$@"'
            )
            before = ["unshare", "--mount", "sh", "-c", script, "sh", sys.base_prefix, str(closed)]
        if self.user is not None:
            before += ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
        return [*before, *command]

    def path(self, root: Path) -> str:
        """The value of PATH."""
        return os.environ["PATH"] if self.bubblewrap else str(hide_bubblewrap(root / "tools"))


def closed_folder() -> Path | None:
    """The folder with this Python in it that other users may not enter."""
    above = [folder for folder in Path(sys.base_prefix).parents if not folder.stat().st_mode & 1]
    return above[-1] if above else None


def play(root: Path, attacks: Sequence[Attack], *, confined: bool, tier: Tier = Tier()) -> None:
    """Make a course in `root`, hand in the attacks of one family, grade them and, for some families, write feedback.

    What was seen is left in said.txt, and in seen.json: what was heard at the listeners, the files that changed,
    the processes and files left behind.
    """
    target.write(root)
    if confined:
        with open(root / CONFIG, "a", encoding="utf-8") as config:
            config.write("c.Run.require_sandbox = True\n")
    canaries = json.loads((root / "canaries.json").read_text())
    assignments = sorted({attack.assignment for attack in attacks})
    scratch = Path(tempfile.mkdtemp(prefix="h-", dir="/tmp"))  # short: sockets live there
    with listeners(scratch) as (places, heard), secret_descriptor(root, canaries["descriptor"]) as descriptor:
        places |= {"course": str(root), "project": str(target.tiny_course.ROOT), "fd": str(descriptor)}
        places |= {"key": canaries["key"], "scratch": str(scratch), "cache": str(Path.home() / ".cache")}
        # another family's class may be graded at the same time: its processes are its own matter
        mark = places["mark"] = f"{MARK}-{scratch.name}"
        for attack in attacks:
            attack.hand_in(root, places)
        for assignment in assignments:
            hand_in_honest(root, assignment, canaries["submission"])
        shm = Path("/dev/shm") / f"grader-{canaries['shm'][-8:]}"
        shm.write_text(canaries["shm"])
        before = fingerprint(root)
        environment = {
            **os.environ,
            "GRADER_SECRET": canaries["environment"],
            "HOME": str(root / "home"),
            "XDG_CACHE_HOME": str(Path.home() / ".cache"),
            "TMPDIR": str(scratch),
            "PATH": tier.path(root),
        }
        tier.prepare(root, scratch)
        said = ""
        for assignment in assignments:
            grade = ["chainrule", "grade", assignment, "--jobs", str(JOBS), "--cell-seconds", str(SECONDS)]
            said += say(tier.command(grade), root, environment, descriptor, canaries["key"])
            if attacks[0].family in SHOWN:
                said += say(["chainrule", "feedback", assignment], root, environment, descriptor)
        shm.unlink()
        after = fingerprint(root)
        time.sleep(1)  # for what was left running to do what it was left for
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        seen = {"heard": heard, "changed": changed, "left": left_behind(scratch, mark)}
    shutil.rmtree(scratch, ignore_errors=True)
    (root / "said.txt").write_text(said)
    (root / "seen.json").write_text(json.dumps(seen))


def play_unconfined(root: Path) -> None:
    """Grade a course that requires a sandbox where bubblewrap is not on the PATH."""
    target.write(root)
    with open(root / CONFIG, "a", encoding="utf-8") as config:
        config.write("c.Run.require_sandbox = True\n")
    submit(root, "careless", filled(root, {target.SQUARE: f"{target.RIGHT}\nopen({TRACE!r}, 'w')"}))
    tools = hide_bubblewrap(root / "tools")
    environment = {**os.environ, "PATH": str(tools)}
    said = say(["chainrule", "grade", TINY, "--jobs", "1"], root, environment, 0)
    (root / "said.txt").write_text(said)
    shutil.rmtree(tools)


def hand_in_honest(root: Path, assignment: str, canary: str) -> None:
    """The honest part of the class; somebody's answer is worth copying."""
    for student, (answer, _) in HONEST.items():
        source = f"# {canary}\n{target.ANSWERS[assignment][answer]}"
        submit(root, student, filled(root, {target.ANSWER_CELL[assignment]: source}, assignment), assignment)


def say(
    command: list[str], root: Path, environment: Mapping[str, str], descriptor: int, key: str = ""
) -> str:
    """What a command says. It must end by itself, and well.

    Args:
        key: a name and value in its session's keyring.
    """

    def before() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        if key and (calls := SYSTEM_CALLS.get(os.uname().machine)):
            libc = ctypes.CDLL(None)
            libc.syscall(calls.keyctl, 1, None)  # a new session keyring
            libc.syscall(calls.forbidden[0], b"user", key.encode(), key.encode(), len(key), -3)

    with subprocess.Popen(
        command,
        cwd=root,
        env=environment,
        pass_fds=[descriptor],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="surrogateescape",
        start_new_session=True,
        preexec_fn=before,
    ) as running:
        try:
            said, _ = running.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGINT)
            time.sleep(5)
            os.killpg(running.pid, signal.SIGKILL)
            raise
    return f"$ {' '.join(command)}\n{said}\nexit code {running.returncode}\n"


# ---- what is watched ---------------------------------------------------------------------------------------


@contextmanager
def listeners(folder: Path) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Servers that write down whatever reaches them, on every kind of socket; where they are, what they heard."""
    heard: list[str] = []
    abstract, path = f"hostile-{os.getpid()}", folder / "listener"
    tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
    local, hidden = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    tcp.bind(("127.0.0.1", 0))
    port = tcp.getsockname()[1]
    udp.bind(("127.0.0.1", port))
    local.bind(str(path))
    hidden.bind(f"\0{abstract}")

    over = threading.Event()

    def listen(server: socket.socket) -> None:
        server.settimeout(0.2)
        while not over.is_set():
            with contextlib.suppress(OSError):  # nobody came, or somebody said nothing
                if server.type == socket.SOCK_DGRAM:
                    heard.append(repr(server.recvfrom(9999)[0]))
                    continue
                line, _ = server.accept()
                heard.append("somebody connected")
                with line:
                    line.settimeout(1)
                    heard.append(repr(line.recv(9999)))

    servers = (tcp, udp, local, hidden)
    threads = [threading.Thread(target=listen, args=(server,)) for server in servers]
    for server in (tcp, local, hidden):
        server.listen()
    for thread in threads:
        thread.start()
    try:
        yield {"port": str(port), "abstract": abstract, "socket": str(path)}, heard
    finally:
        over.set()
        for thread, server in zip(threads, servers, strict=True):
            thread.join()
            server.close()


@contextmanager
def secret_descriptor(root: Path, canary: str) -> Iterator[int]:
    """An open file that the grader has inherited from whoever started it."""
    path = root / "descriptor.txt"
    path.write_text(canary)
    descriptor = os.open(path, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def fingerprint(root: Path) -> dict[str, str]:
    """What must be the same before and after: the course, the home folder, this environment's start-up files."""
    packages = Path(site.getsitepackages()[0])
    code = [*packages.glob("*.pth"), *packages.glob("*customize.py"), *packages.glob("ipykernel/*.py")]
    code += [path for path in (target.tiny_course.ROOT / "chainrule").rglob("*.py")]
    files = [
        p for name in ("source", "release", "data", "home", "submitted") for p in (root / name).rglob("*")
    ]
    files = [*files, *code, root / CONFIG, Path.home() / ".bashrc"]
    ours = (
        "home/.cache",
        "home/.local/share/jupyter",
        "home/.ipython/profile_default",
    )  # Jupyter's own litter
    prints = {}
    for path in files:
        name = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
        if name.startswith(ours) and not (set(path.parts) & {"startup"}):
            continue
        if path.is_symlink():
            prints[name] = f"link to {os.readlink(path)}"
        elif path.is_file():
            prints[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif not path.is_dir():
            prints[name] = "device"
    return prints


def left_behind(scratch: Path, mark: str) -> list[str]:
    """Processes of this family's attackers, and files of any, that are still there."""
    found = [str(path) for path in scratch.iterdir() if path.name != "listener"]
    for spring in SPRINGS:
        found += [str(path) for path in Path(spring).glob(f"*{MARK}*")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            texts = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in texts[0] or str(scratch).encode() in texts[0] + texts[1]:
            found.append(texts[0].decode(errors="replace")[:200])
    return found


# ---- what came of it ---------------------------------------------------------------------------------------


def outputs(root: Path, student: str, assignment: str = TINY) -> str:
    """What the student's own cells put out, as JSON; graded cells hold the checks and are not the student's."""
    path = root / "autograded" / student / assignment / f"{assignment}.ipynb"
    if not path.exists():
        return ""
    nb = json.loads(path.read_text(encoding="utf-8"))
    return json.dumps(
        [
            cell.get("outputs", [])
            for cell in nb["cells"]
            if not cell["metadata"].get("nbgrader", {}).get("grade")
        ],
        ensure_ascii=False,
    )


def printed(root: Path, student: str, assignment: str = TINY) -> str:
    """The text in those outputs."""
    return re.sub(r"\\[nt]", "\n", outputs(root, student, assignment))
