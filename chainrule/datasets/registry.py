"""Data sets by name and profile: data/full holds whole sets, data/quick small ones in the same format."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from importlib import import_module
from pathlib import Path


class Profile(StrEnum):
    """How much data, and so how many epochs' worth of steps, accuracy items use."""

    quick = "quick"
    full = "full"


# name -> module with prepare(root, profile, full_root, …) -> origin
DATA_SETS = {"fashion-mnist": "chainrule.datasets.fashion_mnist", "cifar-10": "chainrule.datasets.cifar_10"}
HELD_OUT = {"cifar-10"}  # the labels of whose test pictures notebooks don't see while they are graded
BRINGABLE = {"cifar-10"}  # that can be taken from a folder one has


def prepare(names: Iterable[str], folder: Path, profile: str, *, copy: Path | None = None) -> dict[str, str]:
    """Make sure that data sets are in `<folder>/<profile>`, and what only the referee sees in `<folder>/held-out`.

    Args:
        copy: a folder to take the set from, for those in BRINGABLE.
    Returns:
        Where each set comes from, by name: its proper name, or that it is a generated stand-in.
    Raises:
        KeyError: a name that is no data set.
    """
    origins = {}
    for name in names:
        full_root = folder / "full" if profile == "quick" else None
        more: dict[str, Path] = {"held_out": folder / "held-out"} if name in HELD_OUT else {}
        more |= {"copy": copy} if copy and name in BRINGABLE else {}
        origins[name] = import_module(DATA_SETS[name]).prepare(folder / profile, profile, full_root, **more)
    return origins
