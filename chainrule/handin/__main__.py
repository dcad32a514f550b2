"""`python -m chainrule.handin` packs the assignment in the current folder, as `chainrule handin` does."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import chainrule.handin._startup  # noqa: F401
from chainrule.handin.errors import HandInError
from chainrule.handin.pack import NotReadyError, hand_in


def main() -> int:
    """Returns the exit status: 0 packed, 1 there are problems, 2 it cannot be packed at all."""
    parser = argparse.ArgumentParser(
        prog="python -m chainrule.handin", description=(hand_in.__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("."), help="the assignment's folder; default: this one"
    )
    parser.add_argument("--last", help="last name, as the course knows you; remembered")
    parser.add_argument("--first", help="first name; remembered")
    parser.add_argument("--number", help="student number; remembered")
    parser.add_argument("--collaborators", help="names, or none; remembered")
    parser.add_argument(
        "--force", action="store_true", help="pack in spite of problems; the receipt lists them"
    )
    options = vars(parser.parse_args())
    try:
        print(hand_in(**options, how_to_force="add --force"))
    except HandInError as error:
        print(error, file=sys.stderr)
        return 1 if isinstance(error, NotReadyError) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
