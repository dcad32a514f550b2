"""The stub students replace: it says in one line what is still to be written."""

from __future__ import annotations

import sys


class Unfinished(NotImplementedError):
    """A part of the notebook nobody has written yet. Jupyter shows its one line instead of a traceback."""

    def _render_traceback_(self) -> list[str]:
        # IPython's documented hook for exceptions that draw themselves
        return [f"Not finished yet: {self}"]


def todo() -> None:
    """Stand in for code still to be written.

    Raises:
        Unfinished: always, naming the function it was called from.
    """
    name = sys._getframe(1).f_code.co_qualname
    place = "this cell" if name == "<module>" else f"`{name}`"
    raise Unfinished(
        f"write {place} where it says `todo()`, then run the cell that defines it and this one again."
    )
