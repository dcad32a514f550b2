"""The LMSs that Chainrule knows."""

from __future__ import annotations

from enum import StrEnum


class LmsName(StrEnum):
    """The LMSs that Chainrule knows."""

    blackboard = "blackboard"
    brightspace = "brightspace"
    canvas = "canvas"
    moodle = "moodle"
