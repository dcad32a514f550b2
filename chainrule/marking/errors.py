"""What can go wrong while marking; each message is for the marker."""

from chainrule.errors import ChainruleError


class MarkingError(ChainruleError, ValueError):
    """A request that can't be fulfilled, such as more points than the item has."""


class ConflictError(MarkingError):
    """Something has changed since the marker's page was made: another mark, another answer, another rubric."""


class BusyError(MarkingError):
    """Another program is writing into the gradebook; nothing was saved, and trying again is safe."""
