"""In which framework a notebook's networks are written: in PyTorch, unless a cell of the notebook says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STATED = "__framework__"  # the name of the notebook that says it
PYTORCH = "pytorch"
Layouts = Mapping[str, tuple[list[str], list[str]]]  # words for arguments and for results, by function


class Framework:
    """A framework other than PyTorch. A given cell of the notebook assigns it to `__framework__`.

    Checks speak of sizes as PyTorch does: (N, C, H, W) for pictures and feature maps, (out, in, …) for weights. What
    goes into a function of the notebook and what it returns is turned round where the notebook says so.

    Args:
        name: of the module of `chainrule.lesson.verbs` with its verbs.
        layouts: for functions of the notebook, what they take and return, such as `"maps, weights -> scores"`. The
            words "maps", "rows", "weight", "weights" and "shape" mean something, others leave a value as it is.

    >>> Framework("tensorflow", flatten="maps -> rows").layouts
    {'flatten': (['maps'], ['rows'])}
    """

    def __init__(self, name: str, **layouts: str) -> None:
        self.name = name
        self.layouts: Layouts = {function: parsed(layout) for function, layout in layouts.items()}


def parsed(layout: str) -> tuple[list[str], list[str]]:
    """The words for arguments and for results.

    >>> parsed("weights, batches, lr -> weights, losses")
    (['weights', 'batches', 'lr'], ['weights', 'losses'])
    """
    takes, _, gives = layout.partition("->")
    one, other = ([word.strip() for word in part.split(",") if word.strip()] for part in (takes, gives))
    return one, other


def framework_in(namespace: Mapping[str, Any]) -> Framework:
    """The framework of a notebook with these names.

    >>> framework_in({}).name
    'pytorch'
    """
    stated = namespace.get(STATED)
    return stated if isinstance(stated, Framework) else Framework(PYTORCH)
