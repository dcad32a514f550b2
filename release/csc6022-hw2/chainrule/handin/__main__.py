"""`python -m chainrule.handin` in an assignment's folder packs its hand-in; so does `chainrule handin`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chainrule.handin.names import HandInError
from chainrule.handin.pack import NotReady, hand_in


def main() -> int:
    """Exit status: 0 packed, 1 there are problems, 2 it can't be packed at all."""
    parser = argparse.ArgumentParser(
        prog="python -m chainrule.handin", description=(hand_in.__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("."), help="the assignment's folder; this one"
    )
    parser.add_argument("--last", help="last name, as the course knows you; remembered")
    parser.add_argument("--first", help="first name; remembered")
    parser.add_argument("--number", help="student number; remembered")
    parser.add_argument("--anyway", action="store_true", help="in spite of problems; the receipt tells them")
    given = vars(parser.parse_args())
    try:
        print(hand_in(**given, how="add --anyway"))
    except HandInError as error:
        print(error, file=sys.stderr)
        return 1 if isinstance(error, NotReady) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
