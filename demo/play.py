"""Play a whole course with a sample class: release, hand-ins, intake, grading, feedback, marks, a PDF.

Everything happens in demo/course, a course folder of its own; look around in it afterwards.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

import nbformat

from chainrule.cli import main as chainrule
from chainrule.datasets.fashion_mnist import prepare
from demo.handins import HandIn, fill, read

HERE = Path(__file__).parent
ASSIGNMENT, NOTEBOOK = "cs480-a2", "assignment2"


def play(course: Path, students: list[HandIn], cell_seconds: int) -> None:
    """Take the class through every stage, by the commands an instructor types."""
    set_up(course)
    step("release", ASSIGNMENT, "--unchecked", "--course", course)  # checked before, in this project's folder
    inbox = course / "inbox"
    inbox.mkdir()
    for hand_in in students:
        nb = fill(course / "release" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", hand_in)
        nbformat.write(nb, inbox / f"{hand_in.student}.ipynb")
    shown = next((hand_in for hand_in in students if not hand_in.loses), students[0])
    show_write_up(course, shown)
    step("intake", ASSIGNMENT, inbox, "--course", course)
    step("grade", ASSIGNMENT, "--course", course, "--cell-seconds", cell_seconds)
    step("feedback", ASSIGNMENT, "--course", course)
    step("marks", ASSIGNMENT, "--course", course)


def show_write_up(course: Path, hand_in: HandIn) -> None:
    """What a student does: hand in from the kit's folder. Keeps the PDF as write-up.pdf."""
    kit = course / "a student's folder"
    shutil.copytree(course / "release" / ASSIGNMENT, kit)
    nbformat.write(fill(kit / f"{NOTEBOOK}.ipynb", hand_in), kit / f"{NOTEBOOK}.ipynb")
    prepare(kit / "data", "quick", HERE.parent / "data" / "full")
    step(
        "handin",
        kit,
        "--last",
        "Lovelace",
        "--first",
        "Ada",
        "--number",
        "1815",
        "--collaborators",
        "none",
        "--force",
    )
    shutil.copy(next((kit / "hand-in").glob("*.pdf")), course / "write-up.pdf")


def set_up(course: Path) -> None:
    """A fresh course folder with this project's notebooks, sharing its data."""
    shutil.rmtree(course, ignore_errors=True)
    course.mkdir(parents=True)
    shutil.copytree(
        HERE.parent / "source", course / "source", ignore=shutil.ignore_patterns(".ipynb_checkpoints")
    )
    config = (HERE.parent / "nbgrader_config.py").read_text(encoding="utf-8")
    data = HERE.parent / "data"
    (course / "nbgrader_config.py").write_text(
        f"{config}\nc.Course.data_folder = {str(data)!r}\n", encoding="utf-8"
    )


def step(*words: object) -> None:
    """Run one chainrule command as if typed."""
    sys.argv = ["chainrule", *map(str, words)]
    print(f"\n$ {' '.join(sys.argv)}", flush=True)
    try:
        chainrule()
    except SystemExit as end:
        if end.code:
            raise


def surprises(course: Path, students: list[HandIn]) -> list[str]:
    """Where the gradebook differs from what each student's file says it must be."""
    from chainrule.course import CourseFolder
    from chainrule.grading.classroom import points, scores

    folder = CourseFolder(course)
    worth, found = points(folder, ASSIGNMENT), []
    for hand_in in students:
        got = scores(folder, ASSIGNMENT, hand_in.student)
        for item, full in worth.items():
            score = got.get(item)
            if score is None:
                continue  # waits for a human
            if (score < full) != (item in hand_in.loses):
                found.append(f"{hand_in.student}: {item} has {score:g} of {full:g}")
            if hand_in.student == "blank" and score:
                found.append(f"blank: {item} has {score:g}")
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--course", type=Path, default=HERE / "course")
    arguments.add_argument("--cell-seconds", type=int, default=40, help="time limit of one cell")
    arguments.add_argument(
        "--student", dest="students", action="append", default=[], help="only this one; repeatable"
    )
    chosen = arguments.parse_args()
    hand_ins = [read(path) for path in sorted((HERE / ASSIGNMENT).glob("*.py"))]
    students = [hand_in for hand_in in hand_ins if not chosen.students or hand_in.student in chosen.students]
    started = time.monotonic()
    play(chosen.course.resolve(), students, chosen.cell_seconds)
    found = surprises(chosen.course.resolve(), students)
    for surprise in found:
        print(f"unexpected: {surprise}")
    print(f"\n{time.monotonic() - started:.0f} s. Look at {chosen.course}:")
    print(f"  feedback/*/{ASSIGNMENT}/{NOTEBOOK}.html, marks/{ASSIGNMENT}.csv, write-up.pdf")
    if found:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
