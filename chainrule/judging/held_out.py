"""Images whose labels only the referee has."""

from __future__ import annotations

from pathlib import Path

import torch

from chainrule.datasets import cifar_10 as cifar
from chainrule.datasets.cifar_10 import CIFAR10

# Beside ./data in a referee's folder. In a student's or instructor's notebook ./data has the labels itself.
FOLDER = Path("held-out")


def cifar_10() -> tuple[torch.Tensor, torch.Tensor]:
    """CIFAR-10's test images, uint8 (N, 3, 32, 32), and their labels, int64 (N,); N is 10,000, or 1,000 in "quick".

    Raises:
        RuntimeError: the labels are neither in ./data nor kept beside it.
    """
    profile = CIFAR10("./data", "test").profile
    data = cifar.complete("./data", profile, FOLDER)
    if data is None:
        raise RuntimeError(
            "the labels of CIFAR-10's test images are not there: run `chainrule data cifar-10`"
        )
    images, labels = data.batches[cifar.TEST]
    return torch.from_numpy(images.copy()), torch.from_numpy(labels)
