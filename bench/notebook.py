"""A whole notebook from top to bottom with the reference solution, as a student runs it: seconds per question.

python bench/notebook.py [--profile quick] [source/cs480-a2/assignment2.ipynb]
"""

import argparse
import os
import re
import tempfile
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from results import ROOT, record

from chainrule.datasets.fashion_mnist import SIZES, prepare


def seconds(cell: NotebookNode) -> float:
    """How long a cell ran."""
    times = cell.metadata.get("execution", {})
    start, end = (datetime.fromisoformat(times[f"iopub.status.{state}"]) for state in ("busy", "idle"))
    return (end - start).total_seconds()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("notebook", type=Path, nargs="?", default=ROOT / "source/cs480-a2/assignment2.ipynb")
    options.add_argument("--profile", choices=SIZES, default="full")
    options.add_argument("--threads", type=int, default=2, help="of PyTorch's (default: 2)")
    args = options.parse_args()

    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    data = ROOT / "data" / args.profile
    prepare(data, args.profile)
    busy = os.getloadavg()[0]
    notebook = nbformat.read(args.notebook, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "data").symlink_to(data)
        began = datetime.now()
        NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": folder}}).execute()
        whole = (datetime.now() - began).total_seconds()

    spent: defaultdict[str, float] = defaultdict(float)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            question = re.match(r"[a-z]+\d+_\d+", cell.metadata.get("nbgrader", {}).get("grade_id", ""))
            spent[question[0].replace("_", ".") if question else "other cells"] += seconds(cell)
    rows = [{"part": part, "seconds": f"{time:.1f}"} for part, time in spent.items()]
    rows.append({"part": "kernel start to last cell", "seconds": f"{whole:.1f}"})
    record(
        f"Whole notebook, {args.notebook.parent.name}/{args.notebook.stem}, {args.profile}",
        rows,
        f"Every cell of the instructor's notebook, hidden checks included, {args.threads} threads, on a machine "
        f"whose load was {busy:.1f} before. No cell raised an error.",
    )
    print(f"{args.profile}: {whole:.0f} s")


if __name__ == "__main__":
    main()
