"""Where honest work ends up: test accuracies of the reference networks over many seeds, and the thresholds they allow.

python -m judging.cs480_a2.calibrate --profile full --seeds 10 --models MLP CNN
python -m judging.cs480_a2.calibrate --stand-in --seeds 10

Each network is trained in two ways: "trained" by the notebook's own loop, and "followed through" by the
grader's (judging/cs480_a2/question3.py: 470 steps on 6,000 pictures). A threshold is so low that an honest run
doesn't miss it by bad luck alone: four standard deviations below the mean, where the variance is that between
seeds plus that of drawing the n test pictures, p (1 - p) / n.

Every outcome is appended to data/calibration/ at once, so the same command continues an interrupted run.
`--seeds 0` trains nothing and reports the outcomes that exist.
"""

import argparse
import contextlib
import hashlib
import inspect
import io
import json
import math
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from results import ROOT, Row, record

from chainrule.datasets import fashion_mnist
from chainrule.datasets.fashion_mnist import REAL, SIZES, prepare
from chainrule.datasets.origins import STAND_IN
from chainrule.lesson.verbs import Worker
from chainrule.lesson.verbs.pytorch import Verbs
from judging.cs480_a2.question3 import OUR_TRAINING, inputs_of
from judging.cs480_a2.reference_run import cells, question3

SOLUTION = {"MLP": "q3_1-mlp", "CNN": "q3_2-cnn"}
WAYS = ("trained", "followed through")

Names = dict[str, Any]  # the notebook's
Outcome = dict[str, Any]  # network, way, seed, recipe, accuracies (one per epoch, or the only one), seconds


# ---- one outcome -------------------------------------------------------------------------------------------


def train(names: Names, network: str, seed: int) -> list[float]:
    """Test accuracies after each epoch of the reference's own training."""
    torch.manual_seed(seed)  # here, after get_FashionMNIST, which seeds with 480
    with contextlib.redirect_stdout(io.StringIO()):
        history = names["train"](
            names[network](), names["train_loader"], names["test_loader"], device=names["device"]
        )
    accuracies: list[float] = history["test"]
    return accuracies


def follow_through(names: Names, network: str, seed: int) -> list[float]:
    """The test accuracy after the grader's short training."""
    torch.manual_seed(seed)
    model = names[network]().to(names["device"])
    data = names["train_loader"].dataset
    for steps, lr in OUR_TRAINING:  # on 6,000 pictures, as in expect_accuracy
        Worker({}).framework.do_fit(
            model, inputs_of(data)[:6000], data.labels[:6000], steps, batch=128, lr=lr, momentum=0.9
        )
    return [names["compute_accuracy"](model, names["test_loader"], names["device"])]


def skip_training_set(names: Names) -> None:
    """Don't measure the accuracy on the training pictures: it isn't needed here, and takes time."""
    measure, train_loader = names["compute_accuracy"], names["train_loader"]
    names["compute_accuracy"] = lambda model, loader, device: (
        math.nan if loader is train_loader else measure(model, loader, device)
    )


def recipe(names: Names, network: str, way: str) -> str:
    """A digest of the solution, the training and the data. If one of them changes, old outcomes are not used."""
    sources = cells()
    how = sources["q3_1-train"] if way == "trained" else f"{inspect.getsource(Verbs.do_fit)}{OUR_TRAINING}"
    digest = hashlib.sha256(f"{sources[SOLUTION[network]]}{how}".encode())
    for loader in (names["train_loader"], names["test_loader"]):
        digest.update(loader.dataset.images.numpy())
        digest.update(loader.dataset.labels.numpy())
    return digest.hexdigest()[:16]


# ---- all of them -------------------------------------------------------------------------------------------


def summary(network: str, way: str, outcomes: list[Outcome], n: int) -> list[Row]:
    """Rows for the final epoch and, where there are several, for the best one."""
    epochs = {"final": -1} | ({"best": None} if len(outcomes[0]["accuracies"]) > 1 else {})
    rows: list[Row] = []
    for epoch, at in epochs.items():
        p = [max(o["accuracies"]) if at is None else o["accuracies"][at] for o in outcomes]
        mean, sd = statistics.mean(p), statistics.stdev(p) if len(p) > 1 else math.nan
        threshold = mean - 4 * math.sqrt(sd**2 + mean * (1 - mean) / n)
        rows.append(
            {
                "network": network,
                "way": way,
                "epoch": epoch,
                "seeds": len(p),
                "mean": f"{mean:.4f}",
                "sd": f"{sd:.4f}",
                "lowest": f"{min(p):.4f}",
                "bar": f"{threshold:.4f}",
                "seconds each": f"{statistics.mean(o['seconds'] for o in outcomes):.1f}",
            }
        )
    return rows


def minutes_left(todo: list[tuple[str, str, int]], done: list[Outcome]) -> float:
    """By the mean time of the same network and way, or else of all."""

    def seconds(network: str, way: str) -> float:
        alike = [o["seconds"] for o in done if (o["network"], o["way"]) == (network, way)]
        mean: float = statistics.mean(alike or [o["seconds"] for o in done])
        return mean

    return sum(seconds(network, way) for network, way, _ in todo) / 60


def force_stand_in() -> None:
    """Let `prepare` find neither Debian's package nor the network."""
    fashion_mnist.DEBIAN = Path("no such folder")
    fashion_mnist._from_download = lambda seconds=5.0: None


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--profile", choices=SIZES, default="quick")
    options.add_argument("--stand-in", action="store_true", help="on generated data")
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--models", nargs="+", choices=SOLUTION, default=list(SOLUTION))
    options.add_argument("--data", type=Path, help="folder of this profile's data (default: data/PROFILE)")
    options.add_argument(
        "--threads", type=int, default=1, help="of PyTorch's (default: 1, to be no nuisance)"
    )
    options.add_argument("--fresh", action="store_true", help="forget earlier outcomes of these models")
    args = options.parse_args()

    torch.set_num_threads(args.threads)
    if args.stand_in:
        force_stand_in()
    title = f"{args.profile}, {STAND_IN}" if args.stand_in else args.profile
    slug = f"{args.profile}-stand-in" if args.stand_in else args.profile
    root = args.data or ROOT / "data" / slug
    wanted, found = STAND_IN if args.stand_in else REAL, prepare(root, args.profile)
    if found != wanted:
        raise SystemExit(f"'{root}' holds {found}, not {wanted}: pass another folder as --data.")
    names = question3(root)
    skip_training_set(names)
    n = len(names["test_loader"].dataset)
    recipes = {(network, way): recipe(names, network, way) for network in SOLUTION for way in WAYS}

    folder = ROOT / "data" / "calibration"
    folder.mkdir(parents=True, exist_ok=True)
    logs = {network: folder / f"{slug}-{network}.jsonl" for network in SOLUTION}
    if args.fresh:
        for network in args.models:
            logs[network].unlink(missing_ok=True)
    lines = [line for log in logs.values() if log.exists() for line in log.read_text().splitlines()]
    done: list[Outcome] = [json.loads(line) for line in lines]
    done = [o for o in done if o["recipe"] == recipes[o["network"], o["way"]]]

    known = {(o["network"], o["way"], o["seed"]) for o in done}
    wishes = [(network, way, seed) for network in args.models for way in WAYS for seed in range(args.seeds)]
    todo = [wish for wish in wishes if wish not in known]
    print(f"{title}: {len(todo)} of {len(wishes)} outcomes to go", flush=True)
    while todo:
        network, way, seed = todo.pop(0)
        start = time.perf_counter()
        accuracies = (train if way == "trained" else follow_through)(names, network, seed)
        seconds = time.perf_counter() - start
        outcome = {"network": network, "way": way, "seed": seed, "recipe": recipes[network, way]}
        outcome |= {"accuracies": accuracies, "seconds": round(seconds, 1)}
        with logs[network].open("a") as log:
            log.write(json.dumps(outcome) + "\n")
        done.append(outcome)
        left = f"{len(todo)} to go, about {minutes_left(todo, done):.0f} min"
        print(f"{network} {way}, seed {seed}: {accuracies[-1]:.4f} in {seconds:.0f} s; {left}", flush=True)

    rows: list[Row] = []
    for network, way in recipes:
        if outcomes := [o for o in done if (o["network"], o["way"]) == (network, way)]:
            rows += summary(network, way, outcomes, n)
    if rows:
        data = "the real Fashion-MNIST" if found == REAL else f"a {found}, not Fashion-MNIST"
        note = f"Data: {data}. Accuracies on its {n:,} test pictures; bar = mean - 4 √(sd² + p(1-p)/{n:,})."
        record(f"Calibration, {title}", rows, note)
        for row in rows:
            print("  ".join(f"{value:>16}" for value in row.values()))


if __name__ == "__main__":
    main()
