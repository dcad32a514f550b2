"""Homework 2, problem 7: how well the reference learns to copy and to read dates, and the thresholds this allows.

python -m judging.csc6022_hw2.calibrate_p7 --seeds 10
"""

import argparse
import contextlib
import io
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import torch
from calibration import calibrate
from results import ROOT

from chainrule.lesson.student import Student
from chainrule.lesson.verbs import Worker
from given import dates
from judging.csc6022_hw2.p7.learnt import COPY, DATES, written

NOTEBOOKS = sorted((ROOT / "source" / "csc6022-hw2").glob("p7*.ipynb"))
THRESHOLDS = {"copy task, trained": COPY.threshold, "dates, chosen epoch": DATES.threshold}
N = 500  # sequences in a check


def code(path: Path) -> list[str]:
    """A notebook's code without its graded cells."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return [cell.source for cell in cells if not cell.metadata.get("nbgrader", {}).get("grade")]


SOURCES = [source for path in NOTEBOOKS for source in code(path)]
RUNS = [source for source in SOURCES if "torch.manual_seed(" in source or "best_epoch(dates" in source]
SHOWN = [
    source for source in SOURCES if "_plots." in source or "dates_model" in source
]  # once models are trained


def share(names: dict[str, Any], model: str, source: torch.Tensor, target: torch.Tensor) -> float:
    """The share of targets (N, n) that a model of the notebook's gets right as a whole, as the checks measure it."""
    student = Student(Worker(names).serve)
    got = written(student, getattr(student, model), source, target.shape[1], 1)
    return (got == target).all(1).double().mean().item()


def trained(names: dict[str, Any], which: str, seed: int) -> None:
    """Run the cells of one task with another seed than the notebook's."""
    chosen, fixed = seed, torch.manual_seed
    torch.manual_seed = lambda seed: fixed(chosen)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            for source in RUNS:
                if which in source:
                    exec(compile(source, which, "exec"), names)
    finally:
        torch.manual_seed = fixed


def names_of_notebooks() -> dict[str, Any]:
    """The notebooks' names, with all answers in them; nothing is trained."""
    names: dict[str, Any] = {"__name__": "problem7"}
    with contextlib.redirect_stdout(io.StringIO()):
        for source in SOURCES:
            if source not in RUNS and source not in SHOWN:
                exec(compile(source, "problem7", "exec"), names)
    return names


def copied(names: dict[str, Any], seed: int) -> float:
    trained(names, "copy_model", seed)
    fresh = torch.randint(1, 11, (N, 10), generator=torch.Generator().manual_seed(1000 + seed))
    fresh[:, 0] = 1
    return share(names, "copy_model", fresh, fresh)


def dated(names: dict[str, Any], seed: int) -> float:
    trained(names, "dates_", seed)
    return share(names, "dates_model", *dates.encoded(dates.sample(N, seed=1000 + seed, part="test")))


MEASURED = {"copy task, trained": copied, "dates, chosen epoch": dated}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument(
        "--threads", type=int, default=1, help="of PyTorch's (default: 1, to be no nuisance)"
    )
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    names = names_of_notebooks()
    calibrate(
        f"problem 7, {names['device']}",
        {title: partial(measure, names) for title, measure in MEASURED.items()},
        seeds=args.seeds,
        n=N,
        recipe="".join(SOURCES),
        bars=THRESHOLDS,
        note="Whole new sequences right, by greedy decoding. Both profiles: the data are generated.",
    )


if __name__ == "__main__":
    main()
