"""What a student gets who handed in nothing."""

from __future__ import annotations

from enum import StrEnum


class MissingMark(StrEnum):
    """The mark of a student who handed in nothing."""

    zero = "zero"
    empty = "empty"
