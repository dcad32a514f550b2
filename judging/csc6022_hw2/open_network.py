"""Train the reference's open-ended network of problem 6.2 and write the weights that the tests hand in.

python -m judging.csc6022_hw2.open_network [--threads 2]

It learns CIFAR-10 and the generated stand-in at once, so that one small file serves machines with and without the
real pictures. The stand-in's pictures are of another seed than those that it is judged on.
"""

import argparse
import time
from pathlib import Path

import nbformat
import safetensors.torch
import torch
from results import ROOT, record
from torch.utils.data import DataLoader, TensorDataset

from chainrule.datasets import cifar_10
from chainrule.datasets.cifar_10 import CIFAR10, COPY, REAL, normalised, whole_batch
from chainrule.lesson.weights import save_weights

NOTEBOOK = ROOT / "source" / "csc6022-hw2" / "p6_2_cnn_pytorch.ipynb"
WEIGHTS = Path(__file__).with_name("p6_2_open.safetensors")
CELLS = ("p6_2-imports", "p6_2c-accuracy-code", "p6_2e-code")


class Both(CIFAR10):
    """The training pictures, with some of another stand-in behind them."""

    def __init__(self, root: str) -> None:
        super().__init__(root, "train")
        before, cifar_10.STAND_IN_SEED = cifar_10.STAND_IN_SEED, cifar_10.STAND_IN_SEED + 1000
        images, labels = cifar_10._generate("full").batches["data_batch_1"]
        cifar_10.STAND_IN_SEED = before
        self.images = torch.cat([self.images, torch.from_numpy(images)])
        self.labels = torch.cat([self.labels, torch.from_numpy(labels)])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--threads", type=int, default=2)
    torch.set_num_threads(options.parse_args().threads)
    torch.manual_seed(0)
    cells = {
        c.metadata.get("nbgrader", {}).get("grade_id"): c.source for c in nbformat.read(NOTEBOOK, 4).cells
    }
    names: dict = {"__name__": "__main__"}  # type: ignore[type-arg]
    for name in CELLS:
        exec(compile(cells[name], name, "exec"), names)
    root = str(ROOT / "data" / "full")
    origin = cifar_10.prepare(root, held_out=ROOT / "data" / "held-out")
    if origin not in (REAL, COPY):
        raise SystemExit(
            "data/full has no CIFAR-10: run `chainrule data cifar-10`, with --from if you have a copy"
        )
    model = names["OpenNetwork"]().to(names["device"])
    train = DataLoader(Both(root), batch_size=128, shuffle=True, collate_fn=whole_batch)
    val = DataLoader(CIFAR10(root, "val"), batch_size=250, collate_fn=whole_batch)
    began = time.perf_counter()
    history = names["train_open"](model, train, val)
    seconds = time.perf_counter() - began
    save_weights(model, WEIGHTS)
    state = safetensors.torch.load_file(WEIGHTS)
    half = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}  # half the size
    safetensors.torch.save_file(half, WEIGHTS)
    model.load_state_dict(half)

    test = cifar_10.complete(root, "full", ROOT / "data" / "held-out")
    sets = {"CIFAR-10, test": test, "stand-in, test": cifar_10._generate("quick")}
    rows = [
        {
            "pictures": "CIFAR-10, validation, after each epoch",
            "accuracy": _listed(history["validation accuracy"]),
        }
    ]
    for name, data in sets.items():
        if data is not None:
            images, labels = map(torch.from_numpy, data.batches[cifar_10.TEST])
            loader = DataLoader(TensorDataset(normalised(images), labels), batch_size=500)
            rows.append(
                {
                    "pictures": f"{name} ({len(labels):,})",
                    "accuracy": f"{names['accuracy'](model, loader):.4f}",
                }
            )
    note = f"Data: {origin}, and a generated stand-in. {seconds:.0f} s for ten epochs on {names['device']}."
    record("Open-ended network of problem 6.2", rows, note)


def _listed(values: list[float]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


if __name__ == "__main__":
    main()
