"""Grade whole notebooks of right answers in many styles, in one class: they must earn every point that needs no person.

python bench/right_notebooks.py
python bench/right_notebooks.py --students 2 --assignment cs480-a2   # nothing is recorded

It exits with 1 if one loses points.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import nbformat
from one_student import hand_in
from results import ROOT, record

from chainrule.authoring.answers import problems
from chainrule.authoring.mixtures import mixture
from chainrule.authoring.rehearse import code_cells
from chainrule.course import CONFIG, CourseFolder
from chainrule.grading.classroom import grade

STUDENTS = {"cs480-a2": 12, "csc6022-hw2": 6}  # 12 + 6 · 8 notebooks


def course_in(root: Path, assignment: str) -> CourseFolder:
    """A course folder with this assignment, released."""
    shutil.copytree(ROOT / "source" / assignment, root / "source" / assignment)
    config = (ROOT / CONFIG).read_text(encoding="utf-8")
    (root / CONFIG).write_text(f"{config}\nc.Course.data_folder = {str(ROOT / 'data')!r}\n", encoding="utf-8")
    course = CourseFolder(root)
    course.succeed(course.api.generate_assignment(assignment, force=True), "releasing")
    return course


def write(course: CourseFolder, assignment: str, student: str, seed: int) -> dict[str, list[str]]:
    """Hand in a mixture of right answers to every notebook; the answers' names by notebook."""
    hand_in(course, assignment, blank=False, student=student)
    used = {}
    for path in course.folder("submitted", student, assignment).glob("*.ipynb"):
        parts = [
            each for each in problems(CourseFolder(ROOT), assignment).values() if each.notebook == path.stem
        ]
        used[path.stem], sources = mixture(parts, code_cells(path), seed)
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id")
            cell.source = sources.get(name, cell.source)
        nbformat.write(notebook, path)
    return used


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--assignment", action="append", choices=[*STUDENTS], help="only this one")
    options.add_argument("--students", type=int, help="of each assignment")
    options.add_argument("--jobs", type=int)
    args = options.parse_args()
    rows: list[Mapping[str, object]] = []
    for assignment in args.assignment or STUDENTS:
        with tempfile.TemporaryDirectory() as folder:
            course = course_in(Path(folder), assignment)
            students = [f"student{seed:02}" for seed in range(args.students or STUDENTS[assignment])]
            used = {
                student: write(course, assignment, student, seed) for seed, student in enumerate(students)
            }
            report = grade(course, assignment, jobs=args.jobs)
        lost = Counter[str]()
        for graded in report.students:
            for item, score in graded.scores.items():
                if score is not None and score < report.points[item]:
                    lost[graded.student] += 1
                    print(
                        f"{graded.student}: {item} {score:g} of {report.points[item]:g}; {used[graded.student]}"
                    )
            for note in graded.notes:
                print(f"{graded.student}: {note}")
        rows.append(
            {
                "assignment": assignment,
                "hand-ins": len(students),
                "notebooks": sum(map(len, used.values())),
                "answers other than the reference's": sum(
                    len(n) for each in used.values() for n in each.values()
                ),
                "hand-ins that lose points": len(lost),
            }
        )
        print(rows[-1], flush=True)
    if not (args.assignment or args.students):
        record(
            "Right notebooks",
            rows,
            "Whole notebooks, each with right answers of other styles than the reference's, drawn at random from the "
            "catalogue, graded by `chainrule grade` in the quick profile, sandbox and referee on. Counted are items "
            "that no person marks.",
        )
    sys.exit(any(row["hand-ins that lose points"] for row in rows))


if __name__ == "__main__":
    main()
