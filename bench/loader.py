"""The handout's loader against ours: one pass over the 60,000 training images, in one run on one thread.

python bench/loader.py
"""

import statistics
import tempfile
import time
from typing import Any

import torch
from results import record
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from chainrule.datasets.fashion_mnist import FashionMNIST, prepare, whole_batch


def seconds_per_pass(loader: DataLoader[Any], passes: int) -> float:
    """Median time of one pass over `loader`, in seconds."""
    times = []
    for _ in range(passes):
        start = time.perf_counter()
        for _images, _labels in loader:
            pass
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure() -> dict[str, float | int | str]:
    """Seconds of one pass with either loader (batches of 128, shuffled), and plain / ours as `ratio`."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as root:
            origin = prepare(root)
            plain_set = datasets.FashionMNIST(root, train=True, transform=transforms.ToTensor())
            ours_set = FashionMNIST(root, train=True)
        plain_loader = DataLoader(plain_set, batch_size=128, shuffle=True)
        ours_loader = DataLoader(ours_set, batch_size=128, shuffle=True, collate_fn=whole_batch)
        ours = seconds_per_pass(ours_loader, passes=3)
        plain = seconds_per_pass(plain_loader, passes=2)
    finally:
        torch.set_num_threads(threads)
    return {
        "data": origin,
        "images": len(ours_set),
        "plain_seconds": plain,
        "ours_seconds": ours,
        "ratio": plain / ours,
    }


if __name__ == "__main__":
    figures = {
        name: round(value, 3) if isinstance(value, float) else value for name, value in measure().items()
    }
    record(
        "Loader",
        [figures],
        "One pass over the training pictures on 1 thread, plain DataLoader and ours.",
    )
