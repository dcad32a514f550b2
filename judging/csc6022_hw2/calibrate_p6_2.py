"""Where honest work on problem 6.2 ends up: test accuracies of the notebook's three networks after one epoch.

python -m judging.csc6022_hw2.calibrate_p6_2 --profile quick --seeds 10
python -m judging.csc6022_hw2.calibrate_p6_2 --profile quick --seeds 10 --stand-in
python -m judging.csc6022_hw2.calibrate_p6_2 --framework tensorflow     where TensorFlow is installed

"ours": new networks after the grader's own short training (judging/csc6022_hw2/p6_2/accuracy.py), which a student gets
whose training is wrong. The open-ended network's thresholds are the handout's 70 % and two lower ones, less four
standard deviations of drawing the test pictures.
"""

import argparse
import ast
import contextlib
import io
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
import torch
from calibration import Measured, calibrate
from results import ROOT

from chainrule.datasets import cifar_10
from chainrule.datasets.cifar_10 import SIZES, normalised
from chainrule.datasets.origins import STAND_IN
from chainrule.lesson.student import Student
from chainrule.lesson.verbs import Worker
from judging.csc6022_hw2.p6_2 import accuracy as judge

NOTEBOOKS = ROOT / "source" / "csc6022-hw2"
FRAMEWORKS = ["pytorch", "tensorflow"]  # in their notebooks names of items begin with p and t
RUNS = {"barebones": "6_2b-run", "module": "6_2c-run", "sequential": "6_2d-run"}
NETWORKS = {"barebones": "barebones", "module": "module_net", "sequential": "sequential"}
ITEMS = {"barebones": "6_2b-accuracy", "module": "6_2c-accuracy", "sequential": "6_2d-accuracy"}


def thresholds_in_use(cells: dict[str, str], kind: str) -> dict[str, float]:
    """By network, as the notebook's checks have them."""
    found = {
        network: re.search(r"^THRESHOLDS = (\{.*\})", cells[item], re.MULTILINE)
        for network, item in ITEMS.items()
    }
    return {
        network: ast.literal_eval(thresholds[1])[kind] for network, thresholds in found.items() if thresholds
    }


def notebook(root: Path, framework: str) -> tuple[dict[str, str], dict[str, Any]]:
    """The notebook's code cells by their names less the first letter, and its names with all answers in them, on this
    data."""
    cells = {
        cell.metadata.nbgrader.grade_id[1:]: cell.source
        for cell in nbformat.read(NOTEBOOKS / f"p6_2_cnn_{framework}.ipynb", as_version=4).cells
        if cell.cell_type == "code"
    }
    names: dict[str, Any] = {}
    for name, source in cells.items():
        if name.endswith("-code") or name in ("6_2-imports", "6_2-data", "6_2c-sgd"):
            with contextlib.redirect_stdout(io.StringIO()):
                exec(source.replace('"./data"', repr(str(root))), names)
    return cells, names


def accuracy(student: Student, network: str, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Of test pictures uint8 (N, 3, 32, 32) and labels (N,), by the student's network of this name."""
    model = getattr(student, network)
    guesses = torch.cat([model.predict(normalised(part)) for part in images.split(1000)])
    return float((guesses == labels).double().mean())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--framework", choices=FRAMEWORKS, default="pytorch")
    options.add_argument("--profile", choices=SIZES, default="quick")
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--stand-in", action="store_true", help="on generated data")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--ours", action="store_true", help="also the grader's own training")
    args = options.parse_args()

    torch.set_num_threads(args.threads)
    held_out, title = ROOT / "data" / "held-out", f"problem 6.2, {args.profile}"
    if args.framework != "pytorch":
        title += f", {args.framework}"
        import_module("torch._dynamo")  # after TensorFlow it would crash: both bring a compiler
    root = ROOT / "data" / args.profile
    if args.stand_in:
        title += f", {STAND_IN}"
        root = ROOT / "data" / f"{args.profile}-stand-in"
        held_out = root / "held-out"
        cifar_10.answers = lambda *_: False  # type: ignore[attr-defined]  # an import of its; no network
    origin = cifar_10.prepare(root, args.profile, held_out=held_out)
    if (origin == STAND_IN) != args.stand_in:
        raise SystemExit(
            f"'{root}' holds {origin}: run `chainrule data cifar-10`, with --from if you have a copy"
        )
    cells, names = notebook(root, args.framework)
    framework, student = Worker(names).framework, Student(Worker(names).serve)
    data = cifar_10.complete(root, args.profile, held_out)
    assert data is not None  # just prepared
    test = [torch.from_numpy(part) for part in data.batches[cifar_10.TEST]]

    def seeded(seed: int) -> None:
        if args.framework == "tensorflow":
            names["keras"].utils.set_random_seed(seed)
        torch.manual_seed(seed)  # the loader shuffles by it

    def trained(network: str) -> Measured:
        def measure(seed: int) -> float:
            seeded(seed)
            with contextlib.redirect_stdout(io.StringIO()):
                exec(cells[RUNS[network]], names)
            return accuracy(student, NETWORKS[network], *test)

        return measure

    def ours(seed: int) -> float:
        seeded(seed)
        model = names["trained_by_us"] = names["sequential_net"](3, 32, 16, 10)
        if args.framework == "pytorch":
            model.to(names["device"])
        train = names["train_set"]
        x, y = normalised(train.images[:4000]), train.labels[:4000]
        for rows in torch.arange(judge.TIMES * judge.STEPS * judge.BATCH).split(judge.STEPS * judge.BATCH):
            part = x[rows % len(x)], y[rows % len(x)]
            framework.do_fit(model, *part, judge.STEPS, batch=judge.BATCH, lr=judge.RATES[0], momentum=0.9)
        return accuracy(student, "trained_by_us", *test)

    measured = {network: trained(network) for network in RUNS}
    thresholds = thresholds_in_use(cells, "stand-in" if args.stand_in else args.profile)
    if args.ours:
        measured["trained by us"] = ours
        thresholds["trained by us"] = judge.FLOOR
    answers = [source for name, source in cells.items() if name.endswith(("-code", "-run"))]
    calibrate(
        title,
        measured,
        seeds=args.seeds,
        n=len(test[1]),
        recipe=f"{origin}{judge.TIMES}{judge.STEPS}{judge.RATES}" + "".join(answers),
        bars=thresholds,
        note=f"Data: {origin}. One epoch.",
    )


if __name__ == "__main__":
    main()
