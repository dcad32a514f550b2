"""Question 3 as the reference solution answers it: accuracies and run times.

python bench/reference_run.py [--profile quick]
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

import nbformat
import torch
from results import ROOT, record

from chainrule.datasets.fashion_mnist import REAL, SIZES, FashionMNIST, prepare

NOTEBOOK = ROOT / "source" / "cs480-a2" / "assignment2.ipynb"
DEFINITIONS = ("q3_0-imports", "q3_0-data", "q3_1-mlp", "q3_1-train", "q3_2-cnn")
RUNS = {"MLP": "q3_1-run", "CNN": "q3_2-run"}


def cells() -> dict[str, str]:
    """The notebook's code by grade_id."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    return {c.metadata.nbgrader.grade_id: c.source for c in notebook.cells if c.cell_type == "code"}


def question3(root: Path) -> dict[str, Any]:
    """The notebook's names once question 3's data and solutions are defined, on the data in `root`."""
    names: dict[str, Any] = {"__name__": "question3"}
    for grade_id, source in cells().items():
        if grade_id in DEFINITIONS:
            exec(compile(source, grade_id, "exec"), names)
        if grade_id == "q3_0-imports":
            names["FashionMNIST"] = lambda _, train: FashionMNIST(root, train)  # the notebook's is "./data"
    return names


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--profile", choices=SIZES, default="full")
    options.add_argument("--data", type=Path, help="folder of this profile's data (default: data/PROFILE)")
    options.add_argument("--threads", type=int, default=2, help="of PyTorch's (default: 2)")
    args = options.parse_args()

    torch.set_num_threads(args.threads)
    root = args.data or ROOT / "data" / args.profile
    prepare(root, args.profile)
    busy = os.getloadavg()[0]
    names, sources = question3(root), cells()

    rows = []
    for network, grade_id in RUNS.items():
        start = time.perf_counter()
        exec(compile(sources[grade_id], grade_id, "exec"), names)
        seconds = time.perf_counter() - start
        history = names[f"{network.lower()}_history"]
        rows.append(
            {
                "network": network,
                "parameters": sum(p.numel() for p in names[network]().parameters()),
                "training accuracy": f"{history['train'][-1]:.4f}",
                "test accuracy": f"{history['test'][-1]:.4f}",
                "seconds": f"{seconds:.1f}",
            }
        )
        print(f"{network}: {seconds:.0f} s")

    data = names["data"]
    origin = "the real Fashion-MNIST" if data.origin == REAL else f"a {data.origin}, not Fashion-MNIST"
    note = (
        f"Data: {origin}, {len(data):,} training and {len(names['test_loader'].dataset):,} test pictures. "
        f"Accuracies after the last of {len(history['test'])} epochs; seconds with {args.threads} threads on "
        f"{names['device']}, evaluation included, on a machine whose load was {busy:.1f} before."
    )
    section = f"Reference run, {args.profile}" + ("" if data.origin == REAL else f", {data.origin}")
    record(section, rows, note)
    print(f"{section}: {note}")


if __name__ == "__main__":
    main()
