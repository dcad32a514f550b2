"""A class of a thousand, one in 20 hostile, graded with two interruptions: does anything grow, stay or change?

python bench/soak.py
python bench/soak.py --students 60           # nothing is recorded
python bench/soak.py --fresh                 # forget an interrupted one

Each hand-in has the light items of Assignment 2 and one small item, at which the attacks of tests/hostile/breaking aim.
`chainrule grade` is interrupted as by Ctrl-C after a third and after two thirds of the notebooks, and goes on. It exits
with 1 if a process's memory grows, a process or file stays, a notebook comes to cost more, or equal answers get other
marks. An interrupted soak goes on where it stopped; its course is in data/soak-STUDENTS.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import engine
import nbformat
import psutil
from nbformat.v4 import new_code_cell
from results import ROOT, record

sys.path.insert(0, str(ROOT / "tests" / "support"))
sys.path.insert(0, str(ROOT / "tests" / "hostile"))

import arena
import attacks
import target
import tiny_course

from chainrule.course import CONFIG
from demo.handins import HandIn, fill

STUDENTS = 1000
HOSTILE = 20  # one in so many
LEGS = 3
SECONDS = 6  # of its own time, for one cell
PERIOD = 3.0  # seconds between two looks at the processes
PATIENCE = 30.0  # seconds for what an interrupted command leaves to end
GROWTH = 3.0  # MiB per 100 notebooks: the most that a process may grow
DEARER = 1.25  # the most that the CPU seconds per notebook of the last leg may be, against those of the first
BLANK, HALF, RIGHT = "blank", "the second network missing", "right"


@dataclass(frozen=True)
class Look:
    """A process at a moment.

    Attributes:
        finished: notebooks, in all legs.
        memory: private, in MiB.
    """

    leg: int
    finished: int
    role: str
    process: int
    memory: float
    descriptors: int


def kinds(students: int) -> dict[str, str]:
    """What each student hands in: an honest answer's name, or that of an attack."""
    hostile = [a for a in attacks.every() if a.family == "breaking" and a.assignment == tiny_course.TINY]
    if not arena.can_confine():
        hostile = [a for a in hostile if not a.needs_sandbox]
    found = {}
    for number in range(students):
        turn, place = divmod(number, HOSTILE)
        honest = (RIGHT, HALF, RIGHT, BLANK)[number % 4]
        found[f"student{number:04}"] = hostile[turn % len(hostile)].name if place == HOSTILE // 2 else honest
    return found


def write(course: Path, students: int) -> None:
    """The course with its class, nothing graded."""
    small = tiny_course.tiny_notebook().cells
    engine.make_course(
        course, light=True, more=[cell for cell in small if cell.id in ("square-write", "square-check")]
    )
    with (course / CONFIG).open("a", encoding="utf-8") as config:
        config.write(f"c.Run.iopub_timeout = 3\n{target.LIMITS}")
    answers = engine.right_answers(course).answers
    of = {a.name: a for a in attacks.every()}
    places = {"course": str(course), "project": str(ROOT), "cache": str(Path.home() / ".cache")}
    release = course / "release" / engine.ASSIGNMENT / f"{engine.NOTEBOOK}.ipynb"
    for student, kind in kinds(students).items():
        sources = {} if kind == BLANK else {**answers, tiny_course.SQUARE: tiny_course.RIGHT}
        if kind == HALF:
            del sources["q3_2-cnn"]
        if kind in of:
            sources[tiny_course.SQUARE] = attacks.put_in(of[kind].answers[tiny_course.SQUARE], places)
        nb = fill(release, HandIn(student, sources, set()))
        last = of[kind].answers.get("last", "") if kind in of else ""
        nb.cells.append(new_code_cell(f"'{student}'\n{attacks.put_in(last, places)}"))
        path = course / "submitted" / student / engine.ASSIGNMENT / f"{engine.NOTEBOOK}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(nb, path)


# ---- grading, watched --------------------------------------------------------------------------------------


def finished(course: Path) -> int:
    return sum(1 for _ in (course / "runs" / engine.ASSIGNMENT).glob("*.ipynb"))


def looks(main: psutil.Process, leg: int, done: int) -> Iterator[Look]:
    """The command's lasting processes: the one that records, the fork server, the graders and the zygotes."""
    for process, role in lasting(main):
        try:
            with process.oneshot():
                memory = process.memory_full_info().uss / 2**20
                yield Look(leg, done, role, process.pid, round(memory, 2), process.num_fds())
        except psutil.Error:  # it has ended
            continue


def lasting(main: psutil.Process) -> Iterator[tuple[psutil.Process, str]]:
    yield main, "recording"
    try:
        for child in main.children():
            words = " ".join(child.cmdline())
            if "chainrule.worker.zygote" in words:
                yield child, "zygote"
            elif "forkserver" in words:
                yield child, "fork server"
                yield from ((grader, "grader") for grader in child.children())
    except psutil.Error:
        return


def heed_interrupts() -> None:
    """What is started in a shell's background ignores them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def grade(course: Path, leg: int, until: int, jobs: int, log: Path) -> dict[str, Any]:
    """Grade until so many notebooks are finished, then interrupt; or to the end. What it cost and what stayed."""
    scratch = Path(tempfile.mkdtemp(prefix="soak-", dir="/tmp"))  # short: sockets live there
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), finished(course)
    command = ["chainrule", "grade", engine.ASSIGNMENT, "--jobs", str(jobs), "--cell-seconds", str(SECONDS)]
    with open(course / "said.txt", "a", encoding="utf-8") as said, log.open("a", encoding="utf-8") as seen:
        grading = subprocess.Popen(
            command,
            cwd=course,
            env={**os.environ, "TMPDIR": str(scratch)},
            stdout=said,
            stderr=said,
            start_new_session=True,
            preexec_fn=heed_interrupts,
        )
        try:
            main, told = psutil.Process(grading.pid), -1
            while grading.poll() is None and (done := finished(course)) < until:
                seen.writelines(f"{json.dumps(asdict(look))}\n" for look in looks(main, leg, done))
                if done != told:
                    told = done
                    print(f"leg {leg}: {done} notebooks", flush=True)
                time.sleep(PERIOD)
        finally:
            if grading.poll() is None:
                os.killpg(grading.pid, signal.SIGINT)
            code = grading.wait(600)
    left, patience = arena.left_behind(scratch), time.monotonic() + PATIENCE
    while left and time.monotonic() < patience:
        time.sleep(1)
        left = arena.left_behind(scratch)
    shutil.rmtree(scratch, ignore_errors=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "leg": leg,
        "notebooks": finished(course) - start,
        "cpu": round(cpu, 1),
        "code": code,
        "left": left,
    }


def soak(course: Path, students: int, jobs: int) -> list[dict[str, Any]]:
    """All legs, those of earlier calls included."""
    kept = course / "legs.json"
    legs: list[dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() else []
    while not legs or legs[-1]["whole"] is False:
        third = min(finished(course) * LEGS // students + 1, LEGS)
        until = students * third // LEGS if third < LEGS else sys.maxsize
        leg = grade(course, len(legs) + 1, until, jobs, course / "looks.jsonl")
        leg["whole"] = third == LEGS and leg["code"] in (0, 1)  # 1: somebody could not be graded
        if third == LEGS and not leg["whole"]:
            raise SystemExit(f"chainrule grade ended with {leg['code']}: see {course / 'said.txt'}")
        legs.append(leg)
        kept.write_text(json.dumps(legs))
        print(leg, flush=True)
    return legs


# ---- what came of it ---------------------------------------------------------------------------------------


def growth(seen: Sequence[Look]) -> dict[str, tuple[float, float, int, int]]:
    """By role: MiB at the end and MiB gained per 100 notebooks, the most of any process; descriptors then and gained.

    From the second third of a process's life on: the first is spent on what is imported and made once.
    """
    lives: dict[tuple[int, str, int], list[Look]] = {}
    for look in seen:
        lives.setdefault((look.leg, look.role, look.process), []).append(look)
    found: dict[str, tuple[float, float, int, int]] = {}
    for (_, role, _), life in lives.items():
        third = len(life) // 3
        if third < 3:
            continue
        middle, end = life[third : 2 * third], life[-third:]
        passed = statistics.median(look.finished for look in end) - statistics.median(
            look.finished for look in middle
        )
        gained = statistics.median(look.memory for look in end) - statistics.median(
            look.memory for look in middle
        )
        more = round(statistics.median(look.descriptors for look in end))
        new = more - round(statistics.median(look.descriptors for look in middle))
        rate = 100 * gained / passed if passed else 0.0
        before = found.get(role, (0.0, -999.0, 0, -999))
        memory = max(before[0], statistics.median(look.memory for look in end))
        found[role] = (memory, max(before[1], rate), max(before[2], more), max(before[3], new))
    return found


def marks(course: Path, students: int) -> dict[str, set[str]]:
    """The totals of each kind of hand-in."""
    subprocess.run(["chainrule", "marks", engine.ASSIGNMENT], cwd=course, check=True, capture_output=True)
    with (course / "marks" / f"{engine.ASSIGNMENT}.csv").open(encoding="utf-8", newline="") as file:
        scores = {row["student_id"]: row["score"] for row in csv.DictReader(file)}
    found: dict[str, set[str]] = {}
    for student, kind in kinds(students).items():
        found.setdefault(kind, set()).add(scores.get(student, "none"))
    return found


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--students", type=int, default=STUDENTS)
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options.add_argument("--fresh", action="store_true", help="forget an interrupted one")
    chosen = options.parse_args()
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ["OMP_NUM_THREADS"] = "1"
    course = ROOT / "data" / f"soak-{chosen.students}"
    if chosen.fresh or not (course / "ready").exists():
        shutil.rmtree(course, ignore_errors=True)
        course.mkdir(parents=True)
        write(course, chosen.students)
        (course / "ready").touch()
    load = os.getloadavg()[0]
    legs = soak(course, chosen.students, chosen.jobs)
    seen = [Look(**json.loads(line)) for line in (course / "looks.jsonl").read_text().splitlines()]
    by_role, totals = growth(seen), marks(course, chosen.students)
    whole_size = chosen.students >= STUDENTS  # fewer notebooks say nothing of growth
    each = [leg["cpu"] / leg["notebooks"] for leg in legs if leg["notebooks"]]
    missed = [f"{leg['leg']}. leg left {leg['left']}" for leg in legs if leg["left"]]
    missed += [
        f"equal answers, other marks: {kind} {sorted(of)}" for kind, of in totals.items() if len(of) > 1
    ]
    if whole_size:
        missed += [f"{role} grows" for role, (_, rate, _, new) in by_role.items() if rate > GROWTH or new > 2]
        missed += ["a notebook comes to cost more"] * (each[-1] > DEARER * each[0])
    rows = [
        {
            "process": role,
            "MiB": f"{memory:.0f}",
            "MiB gained per 100 notebooks": f"{rate:.2f}",
            "descriptors": descriptors,
            "gained": new,
        }
        for role, (memory, rate, descriptors, new) in by_role.items()
    ]
    costs = ", ".join(f"{one:.2f}" for one in each)
    hostile = sum(kind not in (RIGHT, HALF, BLANK) for kind in kinds(chosen.students).values())
    note = (
        f"{chosen.students:,} hand-ins, {hostile} of them hostile, {chosen.jobs} workers, {len(legs) - 1} "
        "interruptions. Private memory, the most of any process of its role, from the second third of its life on. "
        f"CPU seconds per notebook in each leg, start-up included: {costs}. Processes and files left: "
        f"{sum(len(leg['left']) for leg in legs)}. Kinds of answers with more than one mark: "
        f"{sum(len(of) > 1 for of in totals.values())}. Load of the machine before: {load:.1f}."
    )
    for row in rows:
        print(*row.values(), sep=" · ")
    print(note)
    if whole_size:
        record("Soak", rows, note)
    for one in missed:
        print(f"missed: {one}")
    return bool(missed)


if __name__ == "__main__":
    raise SystemExit(main())
