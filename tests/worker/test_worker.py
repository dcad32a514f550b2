"""A warm worker is what a fresh kernel would be, and it is alone, confined and gone afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from tiny_course import PLAIN, RIGHT, SQUARE, TINY, filled, notebook, submit, type_command
from workers import clear, hide_bubblewrap, run, value

from chainrule.course import PRELOAD, CourseError, CourseFolder
from chainrule.grading import kernel, sandbox
from chainrule.grading import run as run_module
from chainrule.grading.classroom import scores
from chainrule.lesson.own_time import Stopwatch, Usage
from chainrule.worker.messages import PACKER

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="workers are forked and confined on Linux only"
)


STATE = """
import asyncio, builtins, gc, json, locale, logging, multiprocessing, os, random, signal, sys, threading, warnings
import matplotlib, numpy, torch, torchvision
shell = get_ipython()
state = {
    "name": __name__, "main": sys.modules["__main__"] is shell.user_module,
    "names": sorted(n for n in shell.user_ns if not n.startswith("_")),
    "builtins": len(dir(builtins)), "recursion": sys.getrecursionlimit(), "dont write": sys.dont_write_bytecode,
    "flags": str(sys.flags), "argv": [os.path.basename(sys.argv[0]).split(".")[0], *sys.argv[3:]],
    "path": sys.path, "executable": sys.executable,
    "threads": sorted(t.name.split("-")[0] for t in threading.enumerate()), "main thread":
        threading.current_thread() is threading.main_thread(),
    "signals": {s.name: str(signal.getsignal(s)).split(" at ")[0] for s in signal.valid_signals()
                if isinstance(s, signal.Signals)},
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "umask": os.umask(0o22),
    "streams": [type(s).__name__ for s in (sys.stdin, sys.stdout, sys.stderr)], "encoding": sys.stdout.encoding,
    "locale": locale.getlocale(), "collect": gc.isenabled(), "thresholds": gc.get_threshold(),
    "warnings": sorted({str(f[:3]) for f in warnings.filters}), "loop": asyncio.get_running_loop().is_running(),
    "logging": [logging.getLogger().level, len(logging.getLogger().handlers)],
    "start method": multiprocessing.get_start_method(), "environment": sorted(os.environ),
    "torch": [torch.get_num_threads(), torch.get_num_interop_threads(), str(torch.get_default_dtype()),
              torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled(), torch.cuda.is_initialized()],
    "numpy": [numpy.geterr(), numpy.get_printoptions()["precision"]],
    "backend": matplotlib.get_backend(), "style": {k: str(v) for k, v in matplotlib.rcParams.items()},
    "shell": [type(shell).__name__, shell.colors, shell.xmode, shell.autocall, shell.history_length],
    "magics": sorted(shell.magics_manager.lsmagic()["cell"]), "history": shell.history_manager.hist_file,
    "folder": sorted(os.listdir()), "home is writable": os.access(os.path.expanduser("~"), os.W_OK),
    "children": multiprocessing.active_children(), "nice": os.nice(0),
}
json.dumps(state, default=str)
"""


def said(nb: NotebookNode, index: int = 0) -> str:
    """What a cell printed, or how it failed."""
    return "".join(o.get("text") or f"{o.get('ename')}: {o.get('evalue')}" for o in nb.cells[index].outputs)


@pytest.fixture
def without_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that has everything but bubblewrap."""
    monkeypatch.setenv("PATH", str(hide_bubblewrap(tmp_path / "bin")))
    clear()
    yield
    monkeypatch.undo()
    clear()


# ---- like a fresh kernel ---------------------------------------------------------------------------------


def fresh(source: str, threads: int) -> NotebookNode:
    """A notebook run in a kernel started from nothing, in an empty folder, with a worker's environment."""
    nb = notebook([new_code_cell(source)])
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "work").mkdir()
        environment = kernel.worker_environment(threads) | {"HOME": home, "TMPDIR": home}
        client = NotebookClient(nb, resources={"metadata": {"path": f"{home}/work"}}, timeout=600)
        client.extra_arguments = [run_module.FOLDER_IN_PATH, PACKER]
        client.create_kernel_manager()
        client.km.kernel_spec.env.clear()
        asyncio.run(client.async_execute(env=environment))
    return nb


def test_the_state_is_that_of_a_fresh_kernel(course: Path) -> None:
    warm, cold = value(run(course, STATE)), value(fresh(STATE, threads=1))
    cold["environment"].remove(
        "JPY_PARENT_PID"
    )  # a cold kernel has a thread that watches for its parent's end
    cold["threads"].remove("Thread")
    cold["threads"].remove("Heartbeat")  # the supervisor says when a worker has ended
    cold["argv"][1:] = sorted(cold["argv"][1:])
    cold["argv"].remove(run_module.FOLDER_IN_PATH)  # a worker's folder is put there without
    differences = {key: (warm[key], cold[key]) for key in cold if warm[key] != cold[key]}
    assert not differences, json.dumps(differences, indent=1)


SEEDS = """
import json, random, numpy, torch, uuid
drawn = [random.random(), numpy.random.rand(), torch.rand(1).item(), numpy.random.default_rng().random()]
json.dumps([*drawn, int(torch.initial_seed()), str(uuid.uuid4())])
"""


def test_random_numbers_differ_from_worker_to_worker(course: Path) -> None:
    first, second = value(run(course, SEEDS)), value(run(course, SEEDS))
    assert all(a != b for a, b in zip(first, second, strict=True))


SEEDED = "import json, torch\n_ = torch.manual_seed(3)\njson.dumps(torch.nn.Linear(3, 2).weight.tolist())"


def test_seeded_numbers_are_those_of_a_fresh_kernel(course: Path) -> None:
    assert value(run(course, SEEDED)) == value(fresh(SEEDED, threads=1))


TRAINS = """
import torch
from torch.utils.data import DataLoader, TensorDataset
torch.set_num_threads(2)
model = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.Flatten(), torch.nn.LazyLinear(10))
loader = DataLoader(TensorDataset(torch.rand(64, 1, 28, 28), torch.arange(64) % 10), 16, num_workers=2)
for x, y in loader:
    torch.nn.functional.cross_entropy(model(x), y).backward()
a = torch.rand(1500, 1500, requires_grad=True)
(a @ a).sum().backward()
print("trained")
"""

NOTEBOOK = """
%matplotlib inline
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.show()
"""


def test_threads_processes_magics_and_plots_work(course: Path) -> None:
    nb = run(course, TRAINS, NOTEBOOK, "%%bash\necho from bash", "%timeit -n1 -r1 1 + 1", "!echo shell")
    assert said(nb, 0) == "trained\n"
    assert "image/png" in nb.cells[1].outputs[-1].data
    assert said(nb, 2) == "from bash\n"
    assert "per loop" in said(nb, 3)
    assert "shell" in said(nb, 4)


def test_the_zygote_has_one_thread_and_forgets_its_children(course: Path) -> None:
    nursery = kernel.Zygote(1, [*PRELOAD])
    try:
        nursery.line().close()  # it is ready now
        tasks = Path(f"/proc/{nursery.process.pid}/task")
        assert len(list(tasks.iterdir())) == 1
        maps = Path(f"/proc/{nursery.process.pid}/maps").read_text()
        assert "libtorch" in maps
        assert "/dev/nvidia" not in maps
        assert said(run(course, TRAINS, zygote=nursery.line().detach())) == "trained\n"
        assert len(list(tasks.iterdir())) == 1
        deadline = time.monotonic() + 300
        while (tasks / str(nursery.process.pid) / "children").read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (tasks / str(nursery.process.pid) / "children").read_text() == ""
        environment = Path(f"/proc/{nursery.process.pid}/environ").read_bytes()
        assert b"PYTEST_CURRENT_TEST" not in environment
    finally:
        nursery.close()
    assert not Path(nursery.folder).exists()


def test_a_killed_zygote_is_replaced(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_zygotes", {})
    assert said(run(course, "print('here')")) == "here\n"
    (nursery,) = kernel._zygotes.values()
    nursery.process.kill()
    nursery.process.wait()
    assert said(run(course, "print('still here')")) == "still here\n"


# ---- alone and confined --------------------------------------------------------------------------------------

PROBE = """
import json, os, socket
def tried(action):
    try:
        action()
    except BaseException as error:
        return type(error).__name__
    return "done"
def write(path):
    with open(path, "w") as file:
        file.write("x")
course = {course!r}
json.dumps({{
    "source": tried(lambda: open(course + "/source/plain/plain.ipynb").read()),
    "gradebook": tried(lambda: write(course + "/gradebook.db")),
    "reference": tried(lambda: __import__("chainrule.judging.networks")),
    "data": tried(lambda: write("data/hello.txt")), "data is there": tried(lambda: open("data/hello.txt").read()),
    "system": tried(lambda: write("/usr/lib/x")), "packages": tried(lambda: write(os.__file__)),
    "home": tried(lambda: write(os.path.expanduser("~/x"))), "folder": tried(lambda: write("x")),
    "network": tried(lambda: socket.create_connection(("127.0.0.1", {port}), 2)),
    "secret": "CHAINRULE_TEST_SECRET" in os.environ, "user": os.path.expanduser("~root/.bashrc")[:5],
    "kill": tried(lambda: os.kill({pid}, 0)),
    "root": os.getuid() == 0 and tried(lambda: os.setuid(0)) == "done" and tried(lambda: os.chroot("/")) == "done",
}})
"""

REFUSED = ("FileNotFoundError", "PermissionError", "OSError", "ModuleNotFoundError", "ImportError")


def probe(course: Path) -> dict[str, Any]:
    (course / "data" / "quick").mkdir(parents=True)
    (course / "data" / "quick" / "hello.txt").write_text("hello")
    before = {path: path.stat().st_mtime_ns for path in course.rglob("*")}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        source = PROBE.format(course=str(course), port=listener.getsockname()[1], pid=os.getpid())
        found: dict[str, Any] = value(run(course, source))
    assert {path: path.stat().st_mtime_ns for path in course.rglob("*")} == before
    return found


def test_a_worker_sees_its_notebook_and_nothing_else(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_TEST_SECRET", "secret")
    found = probe(course)
    for tried in ("source", "gradebook", "reference", "data", "system", "packages", "network", "kill"):
        assert found[tried] in (*REFUSED, "ConnectionRefusedError", "ProcessLookupError"), tried
    assert found["data is there"] == found["home"] == found["folder"] == "done"
    assert not found["secret"]
    assert not found["root"]


@pytest.mark.usefixtures("without_bubblewrap")
def test_without_bubblewrap_files_are_still_out_of_reach(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_TEST_SECRET", "secret")
    found = probe(course)
    assert not found["secret"]
    assert found["data is there"] == found["home"] == found["folder"] == "done"
    lacks = sandbox.confinement().lacks
    assert lacks
    if "files" not in lacks:  # a system with Landlock
        for tried in ("source", "gradebook", "reference", "data", "system", "packages"):
            assert found[tried] in REFUSED, tried


LEAVES_BEHIND = """
import subprocess, os
child = os.fork()
if child == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "{marker}"])
    os._exit(0)
subprocess.Popen(["sleep", "{marker}"], start_new_session=True)
print("left")
"""


@pytest.mark.parametrize("tier", ["bubblewrap", "none"])
def test_nothing_of_a_notebook_lives_on(course: Path, tier: str, request: pytest.FixtureRequest) -> None:
    if tier == "none":
        request.getfixturevalue("without_bubblewrap")
    marker = f"98{os.getpid()}"
    assert "left" in said(run(course, LEAVES_BEHIND.format(marker=marker)))
    alive = [p for p in Path("/proc").glob("[0-9]*/cmdline") if marker.encode() in read(p)]
    assert alive == []


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


LIMITS = {
    "memory": ("x = bytearray(3 << 30)\nprint('got it')", "MemoryError"),
    "disk": ("with open('big', 'wb') as f:\n    for _ in range(200): f.write(bytes(1 << 20))", "OSError"),
    "many files": (
        "for i in range(200):\n    with open(f'/tmp/{i}', 'wb') as f: f.write(bytes(1 << 20))",
        "No space left",
    ),
    "processes": (
        "import os, time\nfor i in range(500):\n    if os.fork() == 0:\n        time.sleep(60); os._exit(0)",
        "BlockingIOError",
    ),
    "open files": ("files = [open('/dev/null') for _ in range(5000)]", "Too many open files"),
}


@pytest.mark.parametrize(("source", "told"), LIMITS.values(), ids=LIMITS.keys())
def test_limits_are_errors_of_the_cell_that_meets_them(course: Path, source: str, told: str) -> None:
    nb = run(course, source, "print('goes on')", memory=2048, disk=100, processes=100)
    assert told in said(nb, 0)
    if told != "BlockingIOError":  # a shell full of processes may not go on
        assert said(nb, 1) == "goes on\n"


CROWD = """
import os
os.sched_setaffinity(0, {{{core}}})
while True:
    pass
"""
WORKS = """
import os, time
os.sched_setaffinity(0, {{{core}}})
while time.thread_time() < {seconds}:
    pass
print("worked")
"""


def test_a_limit_does_not_count_the_time_for_which_others_had_the_core(course: Path) -> None:
    """Two seconds of work take about ten by the clock."""
    core = min(os.sched_getaffinity(0))
    crowd = [subprocess.Popen([sys.executable, "-c", CROWD.format(core=core)]) for _ in range(4)]
    try:
        nb = run(
            course,
            WORKS.format(core=core, seconds=2),
            WORKS.format(core=core, seconds=600),
            "print('goes on')",
            seconds={"quick": 4},
            notebook_seconds={"quick": 30},
        )
    finally:
        for process in crowd:
            process.kill()
            process.wait()
    assert said(nb, 0) == "worked\n"
    assert "the limit for one cell" in said(nb, 1)
    assert said(nb, 2) == "goes on\n"


def test_a_notebook_that_waits_for_its_own_processes_uses_its_time(course: Path) -> None:
    """Their processor time counts, wherever they are and whether they still run."""
    work = "import time\nwhile time.process_time() < 0.5: pass\nopen('done', 'a').write('x')"
    busy = f"""
import os, subprocess, sys, time
for _ in range(2):
    subprocess.run(["setsid", "-f", sys.executable, "-c", {work!r}])
while not os.path.exists("done") or os.path.getsize("done") < 2:
    time.sleep(0.1)
"""
    seen: list[Usage] = []

    class Watched(Stopwatch):
        def __call__(self) -> float:
            seen.append(self._usage())
            return super().__call__()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "Stopwatch", Watched)
        run(course, busy, "print('next')")
    assert seen[-1].used - seen[0].used > 1.0


def test_a_notebook_that_only_waits_uses_its_time(course: Path) -> None:
    nb = run(course, "import time; time.sleep(60)", seconds={"quick": 2})
    assert "the limit for one cell" in said(nb, 0)


def test_a_notebook_has_a_time_limit_of_its_own(course: Path) -> None:
    nap = "import time; time.sleep(1.5); print('slept')"
    nb = run(course, nap, nap, nap, nap, notebook_seconds={"quick": 4})
    assert said(nb, 0) == "slept\n"
    assert "limit" in said(nb, 3)
    assert "its limit" in nb.metadata.chainrule["failure"] or "stopped after" in said(nb, 2)


# ---- without a sandbox ---------------------------------------------------------------------------------------


def test_a_system_that_confines_nothing_runs_an_ordinary_kernel(
    course: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (course / "data" / "quick").mkdir(parents=True)
    (course / "data" / "quick" / "hello.txt").write_text("hello")
    monkeypatch.setattr(run_module, "confinement", lambda: sandbox.UNCONFINED)
    nb = run(course, "print(open('data/hello.txt').read())", "import os; os._exit(1)", "print('never')")
    assert said(nb) == "hello\n"
    assert nb.metadata.chainrule["failure"] == "the kernel died"
    assert "NOT isolated: files, network, memory, processes" in caplog.text
    submit(course, "ann", filled(course, {SQUARE: RIGHT}))
    type_command(course, "chainrule", "grade", TINY)
    ours = scores(CourseFolder(course), TINY, "ann")
    options = CourseFolder(course).config
    assert CourseFolder(course, options).api.autograde(TINY, "ann", force=True)["success"]
    assert scores(CourseFolder(course), TINY, "ann") == ours == {"square-check": 4.0, "why": 0.0}


@pytest.mark.usefixtures("without_bubblewrap")
def test_what_is_not_isolated_is_said_loudly(course: Path, caplog: pytest.LogCaptureFixture) -> None:
    nb = run(course, "print('ran')")
    assert said(nb) == "ran\n"
    assert "NO SANDBOX" in caplog.text
    assert "NOT isolated" in caplog.text
    assert "not isolated" in nb.metadata.chainrule["sandbox"]
    with pytest.raises(CourseError, match="Nothing was run, because a sandbox is required"):
        run(course, "print('ran')", require_sandbox=True)


def test_with_a_sandbox_nothing_is_said(course: Path, caplog: pytest.LogCaptureFixture) -> None:
    nb = run(course, "print('ran')", require_sandbox=True)
    assert said(nb) == "ran\n"
    assert "SANDBOX" not in caplog.text
    assert nb.metadata.chainrule["sandbox"] == "bubblewrap"


@pytest.mark.skipif(os.getuid() != 0, reason="only root's workers change their user")
def test_data_that_a_worker_may_not_read_is_the_graders_trouble(course: Path) -> None:
    hidden = course / "data" / "quick" / "hello.txt"
    hidden.parent.mkdir(parents=True)
    hidden.write_text("hello")
    hidden.chmod(0o600)
    with pytest.raises(CourseError, match=r"run chmod -R a\+rX"):
        run(course, "open('data/hello.txt').read()")


def test_stock_nbgrader_runs_sandboxed_too(course: Path) -> None:
    answer = f"{RIGHT}\nimport os\nprint('I see', os.listdir('/home'), os.path.exists({str(course)!r}))"
    submit(course, "ann", filled(course, {SQUARE: answer}, PLAIN), PLAIN)
    type_command(course, "nbgrader", "autograde", PLAIN)
    (executed,) = course.glob("autograded/ann/plain/plain.ipynb")
    assert "I see ['student'] False" in executed.read_text()


def test_another_user_can_grade(course: Path) -> None:
    """Someone who is not root gets the same sandbox, by a user namespace."""
    if os.getuid() != 0:
        pytest.skip("the other tests run as someone who is not root")
    python = shutil.which("python3", path="/usr/bin")
    version = [python or "false", "-c", "import sys; assert sys.version_info >= (3, 11)"]
    if subprocess.run(version).returncode != 0:
        pytest.skip("no Python that another user may run")
    program = (
        "from chainrule.grading.sandbox import confinement\n"
        "assert str(confinement()) == 'bubblewrap', confinement()"
    )
    path = os.pathsep.join(
        [str(Path(kernel.__file__).parents[2]), *(p for p in sys.path if "site-packages" in p)]
    )
    done = subprocess.run(
        [python, "-c", program],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "HOME": "/tmp"},
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        cwd="/",
    )
    if "Permission denied" in done.stderr and "chainrule" in done.stderr:
        pytest.skip("another user may not read this checkout")
    assert done.returncode == 0, done.stderr
