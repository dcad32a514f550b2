"""The error that a student sees when nothing can be packed."""

from __future__ import annotations

from chainrule.errors import ChainruleError


class HandInError(ChainruleError, ValueError):
    """The hand-in cannot be packed. The message says what to do."""

    def _render_traceback_(self) -> list[str]:
        # IPython's documented hook for exceptions that render themselves
        return [f"Not handed in: {self}"]
