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
LEAST = {"code": 90, "numbers": 50, "all": 75}  # per cent


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
    """Try all answers.

    Exits with 1 if a visible check fails on a right one, if too few wrong ones are noticed, or if one is not noticed
    and nobody has said why.
    """
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
    wrong = [each for each in tried if each.answer.kind == "wrong"]
    missed = [each for each in wrong if not each.is_noticed]
    unexplained = [each for each in missed if not each.reason]
    for each in unexplained:
        print(f"not noticed, without a reason: {each.item}, {each.answer.name}")
    few = []
    for form, least in LEAST.items():
        part = [each for each in wrong if form in (each.form, "all")]
        few += [form] if 100 * sum(each.is_noticed for each in part) < least * len(part) else []
    if few:
        print(f"too few are noticed: {', '.join(few)}")
    if not chosen.problem:
        listed = "".join(
            f"\n- {each.item}, {each.answer.name}: {each.reason or '?'}"
            for each in missed
            if each.form != "choice"
        )
        note = (
            "Wrong answers of the catalogue, and how many of them a visible check of their items notices. Choices are "
            f"told well-formed only. Of the others these are not noticed:\n{listed}"
        )
        record("Early warnings", rows(tried), note)
    sys.exit(bool(told or unexplained or few))


if __name__ == "__main__":
    main()
