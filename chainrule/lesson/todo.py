"""The stub that students replace: it says in one line what is still to be written, and the notebook runs on."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from IPython.core.getipython import get_ipython

from chainrule.lesson.contents import contents


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
    if name == "<module>":
        raise Unfinished("write this cell where it says `todo()`, then run it again.")
    raise Unfinished(
        f"write `{name}`{_place(name.partition('.')[0])} where it says `todo()`, then run the cell that defines it "
        "and this one again."
    )


def _place(name: str) -> str:
    """Where a name is to be defined, such as " (3.1)"; "" if nobody says."""
    cell = (known := contents()).defining(name)
    return f" ({known.label(cell)})" if cell else ""


_continuing: list[Any] = []  # shells


def continue_past_unfinished() -> None:
    """From now on unfinished cells don't stop "Run All", nor do those that need a name of an unfinished cell.

    >>> continue_past_unfinished()  # nothing happens outside of a notebook
    """
    shell = get_ipython()
    if shell is None or shell in _continuing:
        return
    _continuing.append(shell)
    forgiven: list[BaseException] = []

    def name_error(
        shell: Any,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType,
        tb_offset: Any = None,
    ) -> None:
        name = error.name if type(error) is NameError and error.name else ""  # not of a local variable
        cell = (known := contents()).defining(name)
        if cell is None or name in shell.user_ns:
            shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
            return
        forgiven.append(error)
        needs = Unfinished(
            f"this needs `{name}`: write {known.label(cell)}, run it, and then this cell again."
        )
        shell.showtraceback((Unfinished, needs, trace), tb_offset=tb_offset)

    def ended(result: Any) -> None:
        # The message is shown. A frontend stops "Run All" where it is told of an error.
        if isinstance(result.error_in_exec, Unfinished) or result.error_in_exec in forgiven:
            result.error_in_exec = None
        forgiven.clear()

    shell.set_custom_exc((NameError,), name_error)
    shell.events.register("post_run_cell", ended)
