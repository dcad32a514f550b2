"""Where the data of a run came from: what a hand-in says of the results."""

from __future__ import annotations

import os

STAND_IN = "generated stand-in"
ORIGINS = "CHAINRULE_ORIGINS"  # in the environment of a run: a file that takes a line for each data set


def note_origin(origin: str) -> None:
    """Say where a data set came from that was loaded just now, if somebody asked for it."""
    if path := os.environ.get(ORIGINS):
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{origin}\n")
