"""What share of the variance problem 6.1's reference explains, over many seeds, and the threshold that allows.

python -m judging.csc6022_hw2.calibrate_p6_1 --seeds 10

As in the check, a measurement is the median over several data sets; each seed has data sets and starts of its own.
"""

import argparse
import statistics
from typing import Any

import nbformat
from calibration import Measured, calibrate
from results import ROOT

from judging.csc6022_hw2.p6_1 import reference, steps

NOTEBOOK = ROOT / "source" / "csc6022-hw2" / "p6_1_mlp_weight_decay.ipynb"
PARTS = ("p6_1_0-imports", "p6_1c-functions", "p6_1d-functions", "p6_1e-settings", "p6_1e-functions")


def solution() -> str:
    """The reference's network and training, as source."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    found = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell.source for cell in cells}
    return "\n\n".join(found[part] for part in PARTS)


def explained(names: dict[str, Any], hidden: int) -> Measured:
    """Of a seed: one minus the median test error with that many hidden units."""

    def measure(seed: int) -> float:
        errors = []
        for draw in range(reference.DRAWS):
            unique = 10_000 * (1 + seed) + draw
            data = [part.numpy() for part in steps.data_set(unique)]
            params, _ = names["fit"](*data, hidden, reference.LAM, reference.EPOCHS, unique)
            f = names["forward"](params, data[2])[1]
            errors.append(float(((f - data[3]) ** 2).mean() / data[3].var()))
        return 1 - statistics.median(errors)

    return measure


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=10)
    args = options.parse_args()
    source = solution()
    names: dict[str, Any] = {}
    exec(source, names)
    calibrate(
        "problem 6.1",
        {f"{n} hidden unit{'s' * (n > 1)}": explained(names, n) for n in (10, 2, 1)},
        seeds=args.seeds,
        n=None,
        recipe=f"{source}{reference.DRAWS} {reference.LAM} {reference.EPOCHS}",
        bars={"10 hidden units": 1 - reference.THRESHOLD},
        note=f"Share of the test targets' variance that is explained, the median of {reference.DRAWS} data sets.",
    )


if __name__ == "__main__":
    main()
