"""Grade one student's hand-in of an assignment, the reference solution, on one core: seconds per notebook.

python bench/one_student.py [csc6022-hw2]
"""

import argparse
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from results import ROOT, record

from chainrule.course import CONFIG, CourseFolder
from chainrule.grading.store import Store


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("assignment", nargs="?", default="csc6022-hw2")
    assignment = options.parse_args().assignment
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
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
        submitted = course / "submitted" / "reference" / assignment
        submitted.mkdir(parents=True)
        for path in opened.notebooks(assignment):
            shutil.copy(path, submitted)
        began = time.monotonic()
        command = ["chainrule", "grade", assignment, "--jobs", "1"]
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
    scored = re.search(r"reference (\S+ of \S+)", said)
    note = f"The reference solution, {scored[1].rstrip(',') if scored else '?'} points, one core, one thread."
    record(f"One student, {assignment}", rows, note)
    print(f"{total:.1f} s for {len(rows) - 2} notebooks, {whole:.1f} s in all")


def title(run: dict) -> str:  # type: ignore[type-arg]
    return str(run["cells"][0]["source"]).splitlines()[0].lstrip("# ")


if __name__ == "__main__":
    main()
