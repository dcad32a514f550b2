"""Data sets by name and profile: data/full holds whole sets, data/quick small ones in the same format."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import ModuleType

from chainrule.errors import ChainruleError


class Profile(StrEnum):
    """How much data, and so how many epochs' worth of steps, accuracy items use."""

    quick = "quick"
    full = "full"


# name -> module with prepare(root, profile, full_root, …) -> origin, and load(root)
DATA_SETS = {"fashion-mnist": "chainrule.datasets.fashion_mnist", "cifar-10": "chainrule.datasets.cifar_10"}


class UnknownDataSetError(ChainruleError, ValueError):
    """There is no data set of this name, or its module cannot be used. The message says what to do."""


class DataSets:
    """The data sets that a course's notebooks may want: Chainrule's own, and those that the course adds.

    The module of a data set has `prepare(root, profile, full_root)`, which puts the set into `root` and returns its
    origin, and `load(root)`, which returns None if it is not there. If `prepare` takes `held_out`, a folder, it keeps
    there what notebooks must not see; if it takes `copy`, a folder, it can take the set from there.

    Args:
        added: modules by name of the set: `c.Course.datasets`.
        load: imports an added one by its name.
    """

    def __init__(
        self, added: Mapping[str, str] | None = None, load: Callable[[str], ModuleType] = import_module
    ) -> None:
        self.names = {**DATA_SETS, **(added or {})}
        self.load = load

    def module(self, name: str) -> ModuleType:
        """The module of a data set.

        Raises:
            UnknownDataSetError: there is none, or it cannot be imported.
        """
        if name not in self.names:
            raise UnknownDataSetError(f"unknown data set {name}. Known: {', '.join(self.names)}.")
        where = self.names[name]
        try:
            module = self.load(where)
        except ImportError as error:
            raise UnknownDataSetError(
                f"the data set {name!r} is of the module {where}, which cannot be imported ({error}): "
                "correct c.Course.datasets"
            ) from error
        for function in ("prepare", "load"):
            if not callable(getattr(module, function, None)):
                raise UnknownDataSetError(
                    f"{where}, module of the data set {name!r}, has no function `{function}`"
                )
        return module

    def takes(self, name: str, argument: str) -> bool:
        """Whether the set's `prepare` has an argument of this name."""
        return argument in inspect.signature(self.module(name).prepare).parameters

    def prepare(
        self, names: Iterable[str], folder: Path, profile: str, *, copy: Path | None = None
    ) -> dict[str, str]:
        """Make sure that data sets are in `<folder>/<profile>`, and what only the referee sees in `<folder>/held-out`.

        Args:
            copy: a folder to take the set from, where that is possible.
        Returns:
            Where each set comes from, by name: its proper name, or that it is a generated stand-in.
        Raises:
            UnknownDataSetError: a name that is no data set.
        """
        origins = {}
        for name in names:
            full_root = folder / "full" if profile == "quick" else None
            more: dict[str, Path] = {"held_out": folder / "held-out"} if self.takes(name, "held_out") else {}
            more |= {"copy": copy} if copy and self.takes(name, "copy") else {}
            origins[name] = self.module(name).prepare(folder / profile, profile, full_root, **more)
        return origins
