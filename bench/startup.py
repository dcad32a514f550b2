"""How long commands take on a small course, most of it their start: CPU seconds and seconds, medians.

python bench/startup.py
python bench/startup.py --times 1 status     # only this one; nothing is recorded

A class of six with a light notebook, graded before. `bound` is the most CPU seconds that we want; it exits with 1 if
one is missed.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import ROOT, record

sys.path.insert(0, str(ROOT / "tests" / "support"))

import tiny_course

CHAINRULE = [sys.executable, "-c", "from chainrule.cli import main; main()"]
NOTEBOOK = ROOT / "source" / "cs480-a2" / "assignment2.ipynb"
COMMANDS: dict[str, tuple[list[str], float]] = {  # name: what is typed, bound
    "--help": (["--help"], 0.3),
    "--version": (["--version"], 0.3),
    "status": (["status"], 1.2),
    "marks": (["marks", "tiny"], 1.2),
    "extend": (["extend", "tiny", "ann", "1d", "--why", "ill"], 1.2),
    "grade, nothing to do": (["grade", "tiny"], 1.5),
    "release, one notebook": (["release", "tiny", "--unchecked"], 2.5),
    "try, one item": (["try", str(NOTEBOOK), "--item", "q2_2b-logits", "reference", "blank"], 5.0),
}


def run(words: list[str], course: Path) -> tuple[float, float]:
    """Run a command to its end; its CPU seconds, those of its processes included, and seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([*CHAINRULE, *words], cwd=course, capture_output=True, text=True)
    took, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"chainrule {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, took


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("command", nargs="*", help=f"of: {', '.join(COMMANDS)}")
    options.add_argument("--times", type=int, default=5)
    chosen = options.parse_args()
    rows: list[dict[str, object]] = []
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder, "course")
        tiny_course.write(course)
        tiny_course.hand_in_class(course)
        run(["grade", "tiny"], course)
        for name, (words, bound) in COMMANDS.items():
            if chosen.command and name not in chosen.command:
                continue
            run(words, course)  # once before, from a cold disk
            figures = [run(words, course) for _ in range(chosen.times)]
            cpu, seconds = (statistics.median(each) for each in zip(*figures, strict=True))
            missed += [name] * (cpu > bound)
            rows.append({"command": name, "CPU s": f"{cpu:.2f}", "bound": bound, "s": f"{seconds:.2f}"})
            print(*rows[-1].values(), sep=" · ", flush=True)
    if not chosen.command and chosen.times > 1:
        load = f"Load of the machine: {os.getloadavg()[0]:.1f}."
        record("Start of commands", rows, f"Medians of {chosen.times}, on a class of six. {load}")
    if missed:
        print(f"more than the bound: {', '.join(missed)}")
    return bool(missed)


if __name__ == "__main__":
    raise SystemExit(main())
