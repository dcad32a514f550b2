"""How many mutants of the reference solutions survive the checks, and how many cost points at more than their own part.

python bench/mutate.py
python bench/mutate.py --notebook p1_mlp_backprop --cell p1_2 --show   # what survives; nothing is recorded

A run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import torch
from results import ROOT, record

from chainrule.authoring.answers import problems
from chainrule.authoring.mutants import Mutant
from chainrule.authoring.mutation import Mutation, Outcome
from chainrule.course import CourseFolder
from chainrule.datasets.registry import DATA_SETS

KEPT = ROOT / "bench" / ".mutants"
MOST_SURVIVE, MOST_ACROSS = 2.0, 3.0  # per cent


def row(mutation: Mutation, outcomes: Sequence[Outcome]) -> dict[str, object]:
    """A notebook's line of the table. Shares are of the mutants that are not equivalent to the reference."""
    survivors = [each for each in outcomes if each.survives]
    equivalent = [each for each in survivors if mutation.excuse(each)]
    real = max(len(outcomes) - len(equivalent), 1)
    across = [each for each in outcomes if each.spreads]
    left = len(survivors) - len(equivalent)
    return {
        "notebook": mutation.name,
        "mutants": len(outcomes),
        "killed": len(outcomes) - len(survivors),
        "of these, at other parts, too": len(across),
        "stop a cell": sum(each.stops for each in outcomes),
        "equivalent": len(equivalent),
        "survive": left,
        "survive, %": f"{100 * left / real:.1f}",
        "other parts, %": f"{100 * len(across) / real:.1f}",
        "noticed by visible checks, %": f"{100 * sum(each.noticed for each in outcomes) / real:.0f}",
    }


def tried(mutation: Mutation, folder: Path, jobs: int, cells: Sequence[str], own: bool) -> list[Outcome]:
    """Run a notebook's mutants and say how far it is."""

    def wanted(cell: str, mutant: Mutant) -> bool:
        return not cells or cell.startswith(tuple(cells))

    outcomes: list[Outcome] = []
    told = time.monotonic()
    for outcome in mutation.run(folder, jobs, wanted, across=not own):
        outcomes.append(outcome)
        if time.monotonic() > told + 30:
            told = time.monotonic()
            left = sum(each.survives and not mutation.excuse(each) for each in outcomes)
            print(f"{mutation.name}: {len(outcomes)} mutants, {left} survive", flush=True)
    return sorted(outcomes, key=lambda each: (list(mutation.cells).index(each.cell), each.line))


def main() -> None:
    """Try all mutants. Exits with 1 if too many survive, or too many cost points at other parts."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--notebook", action="append", default=[], help="only this one; nothing is recorded")
    options.add_argument("--cell", action="append", default=[], help="only cells that begin so")
    options.add_argument(
        "--own", action="store_true", help="judge a mutant by its own items alone; nothing is recorded"
    )
    options.add_argument("--show", action="store_true", help="list what survives and what costs other parts")
    options.add_argument("--jobs", type=int, default=2, help="mutants at once (default: 2)")
    chosen = options.parse_args()

    course = CourseFolder(ROOT)
    # What takes seconds to import, here once rather than in every mutant
    torch.optim.SGD([torch.zeros(1)], lr=0.1)
    for module in ("matplotlib.pyplot", "mpl_toolkits.mplot3d"):
        import_module(module)
    rows: list[Mapping[str, object]] = []
    survivors: list[str] = []
    silent: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for module in DATA_SETS.values():
            import_module(module).prepare(folder / "data", "quick")
        for path in (ROOT / "judging").rglob("*.safetensors"):
            shutil.copy(path, folder)
        for assignment in course.assignments:
            for notebook in dict.fromkeys(
                each.notebook for each in problems(course, assignment, here=True).values()
            ):
                if chosen.notebook and notebook not in chosen.notebook:
                    continue
                mutation = Mutation(course, assignment, notebook, KEPT)
                mutation.prepare(folder)
                outcomes = tried(mutation, folder, chosen.jobs, chosen.cell, chosen.own)
                rows.append(row(mutation, outcomes))
                print(rows[-1], flush=True)
                silent += mutation.silent
                left = [each for each in outcomes if each.survives and not mutation.excuse(each)]
                survivors += [f"{mutation.name}: {each}" for each in left]
                if chosen.show:
                    for each in left:
                        print(f"  survives: {each}")
                    for each in outcomes:
                        if each.spreads:
                            print(f"  other parts: {each}: {each.others}")
                        if each.crashed:
                            print(f"  a check crashed: {each}: {each.said}")
    if not (chosen.notebook or chosen.cell or chosen.own):
        listed = "".join(f"\n- {each}" for each in survivors)
        note = (
            "Mutants of the reference solutions, judged by all checks of the notebook but those that need a training "
            f"run, or a person; no other check judges what is in these cells: {', '.join(silent) or 'none'}. A mutant "
            "survives if it keeps every point of its own items. One that stops a cell of values, or a later one, with "
            "an error leaves no values to judge, and is not counted at other parts. These survive and "
            f"are not known to be equivalent to the reference:\n{listed}"
        )
        record("Mutants", rows, note)
    sys.exit(
        any(
            float(str(each["survive, %"])) > MOST_SURVIVE or float(str(each["other parts, %"])) > MOST_ACROSS
            for each in rows
        )
    )


if __name__ == "__main__":
    main()
