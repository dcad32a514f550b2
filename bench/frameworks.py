"""What a second framework costs: its own workers, and a class that doesn't use it.

python bench/frameworks.py                              where TensorFlow is installed
python bench/frameworks.py --kernels 3 --students 2     small; nothing is recorded and no bound is judged

A class in PyTorch is graded in turn by this Python and by that of `.venv`, which has no TensorFlow. It exits with 1
if a warm worker in TensorFlow takes more than 0.2 s to be ready, or if the class costs a tenth more time or memory
where TensorFlow is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from pathlib import Path
from threading import Event, Thread

import psutil
from engine import ASSIGNMENT, a_course, forget, spent, warm
from results import ROOT, record

from chainrule.course import PRELOAD, PRELOADED_FOR, lacks

READY = 0.2  # seconds
MORE = 1.1
WITHOUT, WITH = "without TensorFlow", "with TensorFlow"
BIN = {WITHOUT: ROOT / ".venv" / "bin", WITH: Path(sys.executable).parent}


def most_memory(until: Event, found: list[int]) -> None:
    """The most private memory of this process's children together, in bytes, appended to `found`."""
    most = 0
    while not until.wait(0.2):
        now = 0
        for process in psutil.Process().children(recursive=True):
            try:
                now += process.memory_full_info().uss
            except psutil.Error:
                continue  # it has ended
        most = max(most, now)
    found.append(most)


def graded(course: Path, environment: str) -> tuple[float, float]:
    """CPU seconds and MiB of a class, graded by the command of an environment."""
    forget(course)
    ended, found = Event(), list[int]()
    watch = Thread(target=most_memory, args=(ended, found))
    watch.start()
    before = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join([str(BIN[environment]), before])
    try:
        cpu = spent(course, "chainrule", "grade", ASSIGNMENT, "--jobs", "2")[1]
    finally:
        os.environ["PATH"] = before
        ended.set()
        watch.join()
    return cpu, found[0] / 2**20


def both_ways(students: int, times: int) -> list[dict[str, object]]:
    """The same class in turn, in either environment."""
    figures: dict[str, list[tuple[float, float]]] = {WITHOUT: [], WITH: []}
    with a_course(students, light=True) as course:
        for environment in figures:
            graded(course, environment)  # once before, from a cold disk
        for _ in range(times):
            for environment, taken in figures.items():
                taken.append(graded(course, environment))
                print(environment, *taken[-1], flush=True)
    rows: list[dict[str, object]] = []
    for environment, taken in figures.items():
        cpu, memory = (statistics.median(each) for each in zip(*taken, strict=True))
        rows.append({"class in PyTorch": environment, "CPU seconds": cpu, "MiB": memory})
    return rows


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--kernels", type=int, default=20)
    options.add_argument("--students", type=int, default=8)
    options.add_argument("--times", type=int, default=5)
    chosen = options.parse_args()
    if said := lacks("tensorflow"):
        raise SystemExit(said)
    os.environ["OMP_NUM_THREADS"] = "1"
    load, started = os.getloadavg()[0], time.monotonic()
    kernels = [
        asyncio.run(warm(f"warm, in {name}", [*PRELOAD, *PRELOADED_FOR[name]], chosen.kernels))
        for name in ("pytorch", "tensorflow")
    ]
    print(*kernels, sep="\n", flush=True)
    classes = both_ways(chosen.students, chosen.times)
    print(*classes, sep="\n", flush=True)
    if chosen != options.parse_args([]):
        return 0
    about = f"Load of the machine: {load:.1f}; {time.monotonic() - started:.0f} s in all."
    record(
        "Frameworks, a kernel",
        kernels,
        f"From nothing to ready, the zygote being up; private memory (USS). {about}",
    )
    record(
        "Frameworks, a class in PyTorch",
        classes,
        f"{chosen.students} × light items, 2 jobs, in turn, medians of {chosen.times}; the most private memory of all "
        f"processes at a time. {about}",
    )
    (without, with_it), wrong = classes, []
    if float(str(kernels[1]["seconds"])) > READY:
        wrong.append(f"a warm worker in TensorFlow takes more than {READY} s to be ready")
    wrong += [
        f"{what}: {with_it[what]:.4g} where TensorFlow is installed, {without[what]:.4g} elsewhere"
        for what in ("CPU seconds", "MiB")
        if float(str(with_it[what])) > MORE * float(str(without[what]))
    ]
    for one in wrong:
        print(f"missed: {one}")
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
