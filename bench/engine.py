"""A class graded twice: by stock `nbgrader autograde` with its own Execute, and by `chainrule grade`. Same checks.

python bench/engine.py                      all parts, each with its classes
python bench/engine.py --parts light        one part
python bench/engine.py --parts light cpu --students 4     small; nothing is recorded and no bound is judged

It exits with 1 if a bound is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from results import record

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from chainrule.course import PRELOAD, CourseFolder  # noqa: E402
from chainrule.grading import kernel  # noqa: E402
from chainrule.grading.classroom import scores  # noqa: E402
from chainrule.grading.sandbox import Limits, confinement, make_sandbox  # noqa: E402
from demo.handins import HandIn, fill, read  # noqa: E402

ASSIGNMENT, NOTEBOOK = "cs480-a2", "assignment2"
LIGHT = [
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


def make_course(course: Path, *, light: bool, more: Sequence[NotebookNode] = ()) -> None:
    """A course folder with the assignment released, nothing handed in.

    Args:
        light: only the light items.
        more: cells before all others.
    """
    source = course / "source" / ASSIGNMENT
    shutil.copytree(ROOT / "source" / ASSIGNMENT, source, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    path = source / f"{NOTEBOOK}.ipynb"
    nb = nbformat.read(path, as_version=4)
    if light:
        nb.cells = [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") in LIGHT]
    nb.cells = [*more, *nb.cells]
    nbformat.write(nb, path)
    config = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    settings = f"c.Course.data_folder = {str(ROOT / 'data')!r}\nc.Run.threads = 1\n"
    (course / "nbgrader_config.py").write_text(config + settings, encoding="utf-8")
    folder = CourseFolder(course)
    folder.succeed(folder.api.generate_assignment(ASSIGNMENT, force=True), "releasing")


def right_answers(course: Path) -> HandIn:
    """The demo's right answers to the cells that the course's notebook has."""
    nb = nbformat.read(course / "source" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)
    known = {cell.metadata.nbgrader.grade_id for cell in nb.cells if "nbgrader" in cell.metadata}
    right = read(ROOT / "demo" / ASSIGNMENT / "perfect.py")
    return replace(right, answers={name: text for name, text in right.answers.items() if name in known})


def build(course: Path, students: int, *, light: bool, extra: str = "") -> None:
    """A course folder with a class of students who all wrote the demo's right answers, each a little differently."""
    make_course(course, light=light)
    answers = right_answers(course)
    release = course / "release" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    for number in range(students):
        target = course / "submitted" / f"student{number:03}" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
        target.parent.mkdir(parents=True)
        handed_in = fill(release, answers)
        handed_in.cells.append(new_code_cell(f"'student {number}'\n{extra}"))
        nbformat.write(handed_in, target)


def spent(course: Path, *words: str) -> tuple[float, float]:
    """Seconds a command takes, typed in the course folder, and CPU seconds with its processes'; it must succeed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with open(course / "said.txt", "a") as said:
        subprocess.run(words, cwd=course, check=True, stdout=said, stderr=said)
    took, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def timed(course: Path, *words: str) -> float:
    """Seconds a command takes, typed in the course folder; it must succeed."""
    return spent(course, *words)[0]


def forget(course: Path, *, runs: bool = True) -> None:
    """As if nothing had been graded.

    Args:
        runs: False: what was run is kept, and only the record is forgotten.
    """
    for name in ("autograded", "runs")[: 1 + runs]:
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


def processor(students: int) -> list[dict[str, object]]:
    """CPU seconds of a light notebook: of a class less those of a third of it, so that no start counts."""
    costs = []
    for size in (students, max(1, students // 3)):
        with a_course(size, light=True) as course:
            both = spent(course, "chainrule", "grade", ASSIGNMENT)[1]
            forget(course, runs=False)
            recording = spent(course, "chainrule", "grade", ASSIGNMENT)[1]
            costs.append((size, both - recording, recording))
    (many, run, recorded), (few, run_few, recorded_few) = costs
    return [
        {
            "class": f"{many} and {few} × light items",
            "CPU seconds to run and judge": (run - run_few) / (many - few),
            "to record": (recorded - recorded_few) / (many - few),
        }
    ]


def waiting(students: int, seconds: float, jobs: int) -> list[dict[str, object]]:
    """Notebooks that wait as long as a whole assignment computes, by more workers than there are cores: what finishes
    must not queue for the one process that records."""
    with a_course(students, light=True, extra=f"import time\ntime.sleep({seconds})") as course:
        took = timed(course, "chainrule", "grade", ASSIGNMENT, "--jobs", str(jobs))
        ran = sorted(path.stat().st_mtime for path in (course / "runs").rglob("*.ipynb"))
        recorded = sorted(path.stat().st_mtime for path in course.glob("autograded/*/*/*.ipynb"))
    lags = [b - a for a, b in zip(ran, recorded, strict=True)]
    return [
        {
            "workers": jobs,
            "notebooks": students,
            "seconds": took,
            "waiting alone": students * seconds / jobs,
            "recorded after, median": statistics.median(lags),
            "recorded after, last quarter": statistics.median(lags[-max(1, students // 4) :]),
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


async def warm(name: str, modules: Sequence[str], count: int) -> dict[str, object]:
    """Private memory of idle workers that come from a zygote with these modules, and how long they take to be ready."""
    took, private = [], []
    with closing(kernel.Zygote(1, modules)) as nursery:
        nursery.line().close()  # it has imported everything now
        for _ in range(count):
            with tempfile.TemporaryDirectory() as root:
                folder = Path(root)
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
    return {"kernel": name, "seconds": statistics.median(took), "MiB": statistics.median(private) / 2**20}


async def memory(count: int) -> list[dict[str, object]]:
    return [await warm("warm, sandboxed", [*PRELOAD], count), cold()]


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


SIZES = {
    "light": (30, 100),
    "whole": (30,),
    "workers": (24,),
    "cpu": (30,),
    "waiting": (96,),
    "memory": (20,),
}
WAITS, WAITERS = 15.0, 16  # seconds, about those of Assignment 2 in the quick profile; workers


def missed(part: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The bounds that these rows miss."""
    if part in ("light", "whole"):
        least = {"light": {30: 12, 100: 15}, "whole": {30: 2}}[part]
        return [
            f"{row['class']}: {row['ratio']:.1f} times as fast as stock, at least {bound} are wanted"
            for row, bound in zip(rows, least.values(), strict=True)
            if row["ratio"] < bound
        ]
    if part == "workers" and rows[1]["against one"] < 1.85:
        return [f"two workers are {rows[1]['against one']:.2f} times as fast as one, not 1.85"]
    if part == "cpu" and rows[0]["CPU seconds to run and judge"] > 0.6:
        return [
            f"a light notebook costs {rows[0]['CPU seconds to run and judge']:.2f} CPU seconds, more than 0.6"
        ]
    if part == "waiting" and rows[0]["recorded after, last quarter"] > WAITS:
        return ["what is finished queues to be recorded"]
    return []


def measured(part: str, sizes: Sequence[int]) -> tuple[str, list[dict[str, object]], str]:
    """The section, its rows and its note."""
    match part:
        case "light" | "whole":
            light = part == "light"
            rows = [row for students in sizes for row in against_stock(students, light=light)]
            note = (
                "Stock: `nbgrader autograde` with nbgrader's own Execute. Ours: `chainrule grade` with as many jobs as "
                "cores, start-up and recording included. Overhead: a run's seconds without those its cells took."
            )
            return ("light items" if light else "whole assignment"), rows, note
        case "workers":
            note = f"{sizes[0]} notebooks that compute for 4 seconds beside the light items."
            return "workers", workers(sizes[0], 4.0), note
        case "cpu":
            note = "CPU seconds of all processes; a class less a third of it, so that nothing that is made once counts."
            return "CPU of a notebook", processor(sizes[0]), note
        case "waiting":
            note = (
                f"Notebooks that wait for {WAITS:g} seconds beside the light items. Recorded after: seconds from a "
                "notebook's end to its record."
            )
            return "recording", waiting(sizes[0], WAITS, WAITERS), note
        case _:
            note = "From nothing to ready; private memory (USS), supervisor included."
            return "a kernel", asyncio.run(memory(sizes[0])), note


def main() -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--students", type=int, help="of each class; then nothing is recorded")
    arguments.add_argument("--parts", nargs="*", choices=SIZES, default=list(SIZES))
    chosen = arguments.parse_args()
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ["OMP_NUM_THREADS"] = "1"
    wrong: list[str] = []
    for part in chosen.parts:
        load = os.getloadavg()[0]
        section, rows, note = measured(part, (chosen.students,) if chosen.students else SIZES[part])
        print(*rows, sep="\n", flush=True)
        if not chosen.students:
            about = (
                f"Sandbox: {confinement()}; referee on; 1 thread per kernel. Load of the machine: {load:.1f}."
            )
            record(f"Engine, {section}", rows, f"{note} {about}")
            wrong += missed(part, rows)
    for one in wrong:
        print(f"missed: {one}")
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
