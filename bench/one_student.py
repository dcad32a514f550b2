"""Grade one student's hand-in of an assignment: seconds per notebook.

python bench/one_student.py csc6022-hw2                            # the reference solution
python bench/one_student.py csc6022-hw2 --blank
python bench/one_student.py csc6022-hw2 --profile full --cores 2
"""

import argparse
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import nbformat
from results import ROOT, record

from chainrule.course import CONFIG, CourseFolder
from chainrule.datasets.registry import Profile
from chainrule.grading.store import Store
from chainrule.intake.files import declared
from chainrule.release import ClearSolutions


def hand_in(course: CourseFolder, assignment: str, *, blank: bool, student: str = "student") -> None:
    """The reference solution with the files it comes with, or the release as it is."""
    submitted = course.folder("submitted", student, assignment)
    submitted.mkdir(parents=True)
    for path in course.notebooks(assignment):
        notebook = nbformat.read(path, as_version=4)
        if blank:
            notebook, _ = ClearSolutions(config=course.config).preprocess(notebook, {})
        else:
            for name in declared(notebook, path.name):
                shutil.copy(ROOT / "judging" / assignment.replace("-", "_") / name, submitted)
        nbformat.write(notebook, submitted / path.name)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("assignment", nargs="?", default="csc6022-hw2")
    options.add_argument("--profile", choices=[p.value for p in Profile], default="quick")
    options.add_argument("--cores", type=int, default=1)
    options.add_argument("--blank", action="store_true", help="nothing is filled in")
    args = options.parse_args()
    assignment = args.assignment
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.cores])
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder)
        shutil.copytree(ROOT / "source" / assignment, course / "source" / assignment)
        config = (ROOT / CONFIG).read_text(encoding="utf-8")
        (course / CONFIG).write_text(
            f"{config}\nc.Course.data_folder = {str(ROOT / 'data')!r}\n", encoding="utf-8"
        )
        opened = CourseFolder(course)
        opened.succeed(opened.api.generate_assignment(assignment, force=True), "releasing")
        hand_in(opened, assignment, blank=args.blank)
        command = ["chainrule", "grade", assignment, "--jobs", str(args.cores), "--profile", args.profile]
        began = time.monotonic()
        said = subprocess.run(command, cwd=course, check=True, capture_output=True, text=True).stdout
        whole = time.monotonic() - began
        runs = [Store(path.parent).find(path.stem) for path in (course / "runs" / assignment).glob("*.ipynb")]
        rows = [
            {"notebook": title(run), "seconds": f"{run.metadata.chainrule.seconds:.2f}"}
            for run in runs
            if run
        ]
    total = sum(float(str(row["seconds"])) for row in rows)
    rows = sorted(rows, key=lambda row: str(row["notebook"]))
    rows.append({"notebook": "all", "seconds": f"{total:.2f}"})
    rows.append({"notebook": "the whole command, start-up and gradebook included", "seconds": f"{whole:.2f}"})
    scored = re.search(r"^1/1 student (\S+ of [\d.]+)", said, re.MULTILINE)
    data = ", ".join(re.findall(r"^data: (.+), \w+ profile$", said, re.MULTILINE))
    what = "Nothing filled in" if args.blank else "The reference solution"
    many = "one core" if args.cores == 1 else f"{args.cores} cores, as many notebooks at a time"
    record(
        f"One student, {assignment}, {args.profile}{', blank' * args.blank}",
        rows,
        f"{what}: {scored[1] if scored else '?'} points; {many}, one thread each. Data: {data or 'none'}.",
    )
    print(
        f"{total:.1f} s for {len(rows) - 2} notebooks, {whole:.1f} s in all, {scored[1] if scored else said}"
    )


def title(run: dict) -> str:  # type: ignore[type-arg]
    return str(run["cells"][0]["source"]).splitlines()[0].lstrip("# ")


if __name__ == "__main__":
    main()
