"""The stub that students replace: it says in one line what is still to be written, and the notebook runs on."""

from __future__ import annotations

import ast
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


def assigned(source: str) -> set[str]:
    """The names that a cell assigns when it runs; none if it is not plain Python.

    >>> sorted(assigned("with limit:\\n    model, history = train()\\ndef f():\\n    x = 1"))
    ['f', 'history', 'model']
    """
    names: set[str] = set()
    try:
        waiting: list[ast.AST] = list(ast.parse(source).body)
    except (SyntaxError, ValueError):
        return names
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return names


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
    unmade: set[str] = set()  # names that cells would have made which were not finished

    def name_error(
        shell: Any,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType,
        tb_offset: Any = None,
    ) -> None:
        name = error.name if type(error) is NameError and error.name else ""  # not of a local variable
        cell = (known := contents()).defining(name)
        if name in shell.user_ns or (cell is None and name not in unmade):
            shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
            return
        forgiven.append(error)
        what = (
            f"write {known.label(cell)}, run it"
            if cell
            else "finish what comes before, run the cell that makes it"
        )
        needs = Unfinished(f"this needs `{name}`: {what}, and then this cell again.")
        shell.showtraceback((Unfinished, needs, trace), tb_offset=tb_offset)

    def ended(result: Any) -> None:
        # The message is shown. A frontend stops "Run All" where it is told of an error.
        if isinstance(result.error_in_exec, Unfinished) or result.error_in_exec in forgiven:
            result.error_in_exec = None
            unmade.update(assigned(result.info.raw_cell))
        forgiven.clear()

    shell.set_custom_exc((NameError,), name_error)
    shell.events.register("post_run_cell", ended)
