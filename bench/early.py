"""Early warnings: how many wrong answers the visible checks of the releases notice, item by item.

python bench/early.py
python bench/early.py --problem p5 --show   # what is not noticed; nothing is recorded
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from results import ROOT, record

from chainrule.authoring.early import Tried, share, try_answers
from chainrule.course import CourseFolder
from chainrule.datasets.registry import DATA_SETS

FORMS = ("code", "numbers", "choice")


def rows(tried: Sequence[Tried]) -> list[dict[str, object]]:
    """One row for each item, then one for each form of answer and one for all."""
    wrong = [each for each in tried if each.answer.kind == "wrong"]
    parts = [
        (item, [each for each in wrong if each.item == item]) for item in dict.fromkeys(e.item for e in wrong)
    ]
    parts += [(f"all {form}", [each for each in wrong if each.form == form]) for form in FORMS]
    return [
        {
            "item": name,
            "wrong answers": len(part),
            "noticed": sum(e.is_noticed for e in part),
            "share": share(part),
        }
        for name, part in [*parts, ("all", wrong)]
    ]


def main() -> None:
    """Try all answers; exit with 1 if a visible check fails on a right one."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--problem", action="append", default=[], help="only this one; nothing is recorded")
    options.add_argument("--show", action="store_true", help="list what is not noticed")
    chosen = options.parse_args()
    course = CourseFolder(ROOT)
    tried: list[Tried] = []
    with tempfile.TemporaryDirectory() as folder:
        for module in DATA_SETS.values():
            import_module(module).prepare(Path(folder, "data"), "quick")
        for assignment in course.assignments:
            for each in try_answers(course, assignment, Path(folder), chosen.problem):
                tried.append(each)
                if chosen.show and each.answer.kind == "wrong" and not each.is_noticed:
                    print(f"not noticed: {each.item}, {each.answer.name}")
    for row in rows(tried):
        print(f"{row['item']:28} {row['share']}")
    told = [each for each in tried if each.answer.kind == "right" and each.said]
    for each in told:
        print(f"right, but a visible check fails: {each.item}, {each.answer.name}: {each.said[0]}")
    if not chosen.problem:
        note = "Wrong answers of the catalogue, and how many of them a visible check of their items notices."
        record("Early warnings", rows(tried), note)
    sys.exit(bool(told))


if __name__ == "__main__":
    main()
