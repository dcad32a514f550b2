"""Grade a class twice: by stock `nbgrader autograde` with its own Execute, and by `chainrule grade`. Same checks.

python bench/engine.py                      a class of 100, the light items
python bench/engine.py --parts whole --students 8
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import nbformat
import psutil
from nbformat.v4 import new_code_cell
from results import record

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from chainrule.course import PRELOAD, CourseFolder  # noqa: E402
from chainrule.grading import kernel  # noqa: E402
from chainrule.grading.classroom import scores  # noqa: E402
from chainrule.grading.sandbox import Limits, confinement, make_sandbox  # noqa: E402
from demo.handins import fill, read  # noqa: E402

ASSIGNMENT, NOTEBOOK = "cs480-a2", "assignment2"
LIGHT = [
    "title",
    "q3_0-imports",
    "q3_1-mlp",
    "q3_1-network",
    "q3_1-train",
    "q3_1-training",
    "q3_2-cnn",
    "q3_2-network",
]
STOCK = """
del c.Autograde.sanitize_preprocessors, c.Autograde.autograde_preprocessors
c.Execute.timeout = 600
"""
WORK = "import time\nstart = time.process_time()\nwhile time.process_time() - start < {}: pass"


def build(course: Path, students: int, *, light: bool, extra: str = "") -> None:
    """A course folder with a class of students who all wrote the demo's right answers, each a little differently."""
    source = course / "source" / ASSIGNMENT
    shutil.copytree(ROOT / "source" / ASSIGNMENT, source, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    path = source / f"{NOTEBOOK}.ipynb"
    nb = nbformat.read(path, as_version=4)
    if light:
        nb.cells = [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") in LIGHT]
    nbformat.write(nb, path)
    config = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    settings = f"c.Course.data_folder = {str(ROOT / 'data')!r}\nc.Run.threads = 1\n"
    (course / "nbgrader_config.py").write_text(config + settings, encoding="utf-8")
    folder = CourseFolder(course)
    folder.succeed(folder.api.generate_assignment(ASSIGNMENT, force=True), "releasing")
    answers = read(ROOT / "demo" / ASSIGNMENT / "perfect.py")
    known = {cell.metadata.nbgrader.grade_id for cell in nb.cells if "nbgrader" in cell.metadata}
    for name in set(answers.answers) - known:
        del answers.answers[name]
    release = course / "release" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    for number in range(students):
        target = course / "submitted" / f"student{number:03}" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
        target.parent.mkdir(parents=True)
        handed_in = fill(release, answers)
        handed_in.cells.append(new_code_cell(f"'student {number}'\n{extra}"))
        nbformat.write(handed_in, target)


def timed(course: Path, *words: str) -> float:
    """Seconds a command takes, typed in the course folder; it must succeed."""
    started = time.monotonic()
    with open(course / "said.txt", "a") as said:
        subprocess.run(words, cwd=course, check=True, stdout=said, stderr=said)
    return time.monotonic() - started


def forget(course: Path) -> None:
    """As if nothing had been graded."""
    for name in ("autograded", "runs"):
        shutil.rmtree(course / name, ignore_errors=True)
    (course / "gradebook.db").unlink(missing_ok=True)
    folder = CourseFolder(course)
    folder.succeed(folder.api.generate_assignment(ASSIGNMENT, force=True), "releasing")


def marks(course: Path) -> list[dict[str, float | None]]:
    folder = CourseFolder(course)
    return [scores(folder, ASSIGNMENT, p.name) for p in sorted((course / "submitted").iterdir())]


def finished(course: Path) -> list[float]:
    """Seconds between one student's autograded notebook and the next one's."""
    times = sorted(p.stat().st_mtime for p in course.glob(f"autograded/*/{ASSIGNMENT}/{NOTEBOOK}.ipynb"))
    return [b - a for a, b in pairwise(times)]


def kept(course: Path) -> list[dict[str, float]]:
    """What the finished runs say about themselves."""
    paths = (course / "runs").rglob("*.ipynb")
    return [nbformat.read(path, as_version=4).metadata["chainrule"] for path in paths]


@contextmanager
def a_course(students: int, *, light: bool, extra: str = "") -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        course = Path(name)
        build(course, students, light=light, extra=extra)
        yield course


def against_stock(students: int, *, light: bool) -> list[dict[str, object]]:
    """Both commands on one class, one after the other."""
    cores = os.cpu_count() or 1
    with a_course(students, light=light) as course:
        ours = timed(course, "chainrule", "grade", ASSIGNMENT, "--jobs", str(cores))
        runs, right = kept(course), marks(course)
        forget(course)
        config = course / "nbgrader_config.py"
        config.write_text(config.read_text(encoding="utf-8") + STOCK, encoding="utf-8")
        stock = timed(course, "nbgrader", "autograde", ASSIGNMENT)
        assert marks(course) == right, "the two commands must give the same scores"
        each = statistics.median(finished(course))
    overhead = statistics.median(run["seconds"] - run["busy_seconds"] for run in runs)
    return [
        {
            "class": f"{students} × {'light items' if light else 'whole assignment, quick'}",
            "stock, seconds": stock,
            "ours, seconds": ours,
            "ratio": stock / ours,
            "stock, median per notebook": each,
            "ours, median run": statistics.median(run["seconds"] for run in runs),
            "of it cells": statistics.median(run["busy_seconds"] for run in runs),
            "overhead": overhead,
        }
    ]


def workers(students: int, seconds: float) -> list[dict[str, object]]:
    """One and two local workers, and two processes of a Dask cluster, on notebooks that compute on their own."""
    rows: list[dict[str, object]] = []
    with a_course(students, light=True, extra=WORK.format(seconds)) as course:
        for jobs in ("1", "2"):
            forget(course)
            rows.append(
                {
                    "workers": f"{jobs} local",
                    "seconds": timed(course, "chainrule", "grade", ASSIGNMENT, "--jobs", jobs),
                }
            )
        forget(course)
        with dask_cluster(2) as address:
            took = timed(course, "chainrule", "grade", ASSIGNMENT, "--cluster", address)
            rows.append({"workers": "2 processes of a Dask cluster", "seconds": took})
    for row in rows:
        row["against one"] = float(str(rows[0]["seconds"])) / float(str(row["seconds"]))
    return rows


@contextmanager
def dask_cluster(processes: int) -> Iterator[str]:
    """A scheduler and its workers, each a process of its own."""
    from dask.distributed import LocalCluster

    with LocalCluster(n_workers=processes, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


async def memory(count: int) -> list[dict[str, object]]:
    """Private memory of idle workers with torch imported, and how long they take to be ready."""
    rows: list[dict[str, object]] = []
    with closing(kernel.Zygote(1, [*PRELOAD])) as nursery:
        took, private = [], []
        for _ in range(count):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                (folder / "support-files").mkdir()
                started = time.monotonic()
                with closing(make_sandbox(folder, None, Limits(), [], False)) as sandbox:
                    manager = kernel.WarmKernelManager(sandbox=sandbox, line=nursery.line(), threads=1)
                    await manager.start_kernel()
                    client = manager.client()
                    client.start_channels()
                    await client.wait_for_ready(timeout=60)
                    took.append(time.monotonic() - started)
                    family = psutil.Process(nursery.process.pid).children(recursive=True)
                    private.append(sum(process.memory_full_info().uss for process in family))
                    client.stop_channels()
                    await manager.shutdown_kernel(now=True)
        rows.append(
            {
                "kernel": "warm, sandboxed",
                "seconds": statistics.median(took),
                "MiB": statistics.median(private) / 2**20,
            }
        )
    return [*rows, cold()]


def cold() -> dict[str, object]:
    """The same for an ordinary kernel that imports torch and torchvision."""
    from jupyter_client.manager import start_new_kernel
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner

    started = time.monotonic()
    manager, client = start_new_kernel(kernel_name="python3")
    client.execute_interactive(
        "import torch, torchvision, matplotlib.pyplot", output_hook=lambda message: None
    )
    took = time.monotonic() - started
    assert isinstance(manager.provisioner, LocalProvisioner)
    private = psutil.Process(manager.provisioner.pid).memory_full_info().uss
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    return {"kernel": "cold, with torch", "seconds": took, "MiB": private / 2**20}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--students", type=int, default=100)
    arguments.add_argument("--parts", nargs="*", default=["light", "workers", "memory"])
    chosen = arguments.parse_args()
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ["OMP_NUM_THREADS"] = "1"
    sandbox = f"Sandbox: {confinement()}; referee on; 1 thread per kernel."
    for part in chosen.parts:
        light = part == "light"
        if part in ("light", "whole"):
            rows = against_stock(chosen.students, light=light)
            note = (
                "Stock: `nbgrader autograde` with nbgrader's own Execute. Ours: `chainrule grade` with as many jobs as "
                "cores, start-up and recording included. Overhead: a run's seconds without those its cells took. "
            )
            record(f"Engine, {'light items' if light else 'whole assignment'}", rows, note + sandbox)
        elif part == "workers":
            rows = workers(24, 4.0)
            record(
                "Engine, workers",
                rows,
                f"24 notebooks that compute for 4 seconds beside the light items. {sandbox}",
            )
        elif part == "memory":
            rows = asyncio.run(memory(20))
            record(
                "Engine, a kernel", rows, "From nothing to ready; private memory (USS), supervisor included."
            )
        print(*rows, sep="\n", flush=True)


if __name__ == "__main__":
    main()
