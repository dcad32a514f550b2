"""What the visible checks of a right notebook cost a student: CPU seconds of its check cells.

python bench/visible_checks.py
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from results import ROOT, record

from chainrule.datasets import cifar_10, fashion_mnist
from chainrule.handin.inspection import TITLE

MOST = 5.0  # CPU seconds of a notebook's check cells
CLOCK = f"""import time as _time
_began, _spent = [0.0], []
def _pre(info):
    _began[0] = _time.process_time()
def _post(result):
    if result.info.raw_cell.startswith({TITLE!r}):
        _spent.append(_time.process_time() - _began[0])
get_ipython().events.register("pre_run_cell", _pre)
get_ipython().events.register("post_run_cell", _post)"""


def measure(assignment: str, path: Path, folder: Path) -> tuple[int, float, float]:
    """Run the student's notebook with the reference solutions.

    Returns:
        How many check cells it has, the CPU seconds of all of them, and those of the slowest.
    """
    source = nbformat.read(ROOT / "source" / assignment / path.name, as_version=4)
    marked = [(cell, cell.metadata.get("nbgrader", {})) for cell in source.cells]
    answers = {marks["grade_id"]: cell.source for cell, marks in marked if marks.get("solution")}
    nb = nbformat.read(path, as_version=4)
    for cell in nb.cells:
        cell.source = answers.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
    nb.cells = [cell for cell in nb.cells if "from chainrule.handin import hand_in" not in cell.source]
    nb.cells.insert(0, nbformat.v4.new_code_cell(CLOCK))
    nb.cells.append(nbformat.v4.new_code_cell("print(*_spent)"))
    NotebookClient(nb, timeout=1800, resources={"metadata": {"path": str(folder)}}).execute()
    spent = [float(each) for each in nb.cells[-1].outputs[0].text.split()]
    return len(spent), sum(spent), max(spent)


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for assignment, data in (("cs480-a2", fashion_mnist), ("csc6022-hw2", cifar_10)):
            folder = Path(temporary, assignment)
            shutil.copytree(ROOT / "release" / assignment, folder)
            data.prepare(folder / "data", "quick")
            for path in sorted(folder.glob("*.ipynb")):
                cells, whole, slowest = measure(assignment, path, folder)
                rows.append(
                    {
                        "notebook": f"{assignment}/{path.stem}",
                        "check cells": cells,
                        "CPU seconds": f"{whole:.1f}",
                        "slowest cell": f"{slowest:.1f}",
                    }
                )
                print(rows[-1], flush=True)
    over = [row for row in rows if float(str(row["CPU seconds"])) > MOST]
    record(
        "Visible checks: what they cost a student",
        rows,
        f"CPU seconds of all check cells of the student's notebook, filled with the reference solutions, quick data. "
        f"At most {MOST:.0f} per notebook are allowed.",
    )
    if over:
        raise SystemExit(f"More than {MOST:.0f} s: {', '.join(str(row['notebook']) for row in over)}")


if __name__ == "__main__":
    main()
