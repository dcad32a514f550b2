"""What can be wrong with a file that was handed in."""

from __future__ import annotations

from chainrule.errors import ChainruleError


class RejectedFileError(ChainruleError, ValueError):
    """A file that is not taken in. The message says why and what to do."""


class UnexpectedFileError(ChainruleError, ValueError):
    """A file that the assignment does not ask for. The message says what it is."""


class UnsafeArchiveError(ChainruleError, ValueError):
    """A zip, or an entry of one, that is not unpacked. The message says why and what to do."""
