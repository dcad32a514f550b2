"""The stub that students replace: it says in one line what is still to be written."""

from __future__ import annotations

import sys


class Unfinished(NotImplementedError):
    """A part of the notebook that is not written yet. Jupyter shows one line instead of a traceback.

    >>> issubclass(Unfinished, NotImplementedError)
    True
    """

    def _render_traceback_(self) -> list[str]:
        # IPython's documented hook for exceptions that draw themselves
        return [f"Not finished yet: {self}"]


def todo() -> None:
    """A placeholder for code that is still to be written.

    Raises:
        Unfinished: always; the message names the function that calls it.

    >>> def square(x):
    ...     todo()
    >>> square(3)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    chainrule.lesson.todo.Unfinished: write `square` where it says `todo()`, then run the cell that defines it ...
    """
    name = sys._getframe(1).f_code.co_qualname
    place = "this cell" if name == "<module>" else f"`{name}`"
    raise Unfinished(
        f"write {place} where it says `todo()`, then run the cell that defines it and this one again."
    )
