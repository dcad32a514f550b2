"""What a student should look at first: the three mistakes that cost most, in words that this student may read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from chainrule.feedback.points import ItemPoints, Points
from chainrule.grading.store import load_notebook
from chainrule.lesson.results import CheckResult, Result
from chainrule.metadata import judged_cell, result_of
from chainrule.report.causes import cause_of, kind_of

MOST = 3


@dataclass(frozen=True)
class Place:
    """An item that an advice is about."""

    notebook: str
    item: str
    title: str


@dataclass(frozen=True)
class Advice:
    """Something to look at.

    Attributes:
        lost: the points that it cost.
        places: the items in which it is, the most expensive first.
        text: what is wrong, for the student; as the first of the items says it.
        hint: what to do about it, or "".
    """

    lost: float
    places: tuple[Place, ...]
    text: str
    hint: str = ""
    key: str = field(default="", compare=False)


def look_first(all_points: Sequence[Points], folder: Path, *, due: bool, most: int = MOST) -> list[Advice]:
    """The advices that are worth most points.

    The same kind of mistake in several items is one advice. What is not disclosed yet is only said to be there.

    Args:
        all_points: of the notebooks that were handed in.
        folder: where they are as they were graded.
        due: the due date is over.
    """
    found: dict[str, Advice] = {}
    for points in all_points:
        results = judged(folder / f"{points.title}.ipynb")
        for item in points.items:
            for advice in _of_item(points.title, item, results.get(item.name), due):
                if before := found.get(advice.key):
                    first, second = sorted((before, advice), key=lambda each: -each.lost)
                    places = tuple(dict.fromkeys((*first.places, *second.places)))
                    found[advice.key] = replace(first, lost=before.lost + advice.lost, places=places)
                else:
                    found[advice.key] = advice
    return sorted(found.values(), key=lambda advice: -advice.lost)[:most]


def _of_item(notebook: str, item: ItemPoints, result: Result | None, due: bool) -> list[Advice]:
    lost = item.maximum - item.score
    if item.waits or lost <= 1e-9:
        return []
    place = Place(notebook, item.name, item.title or item.name)
    checks = [check for check in result.checks if not check.passed and check.points > 0] if result else []
    if not checks:
        text = "this answer did not get all its points: read its marking and its comment"
        return [Advice(lost, (place,), text, key=f"{notebook}/{item.name}")]
    share = min(
        1.0, lost / sum(check.points for check in checks)
    )  # a person may have given some of them back
    return [_of_check(place, check, check.points * share, due) for check in checks]


def _of_check(place: Place, check: CheckResult, lost: float, due: bool) -> Advice:
    if check.disclose == "always" or (check.disclose == "after due" and due):
        cause = cause_of(check.cause, check.message)
        text = check.message or check.name
        return Advice(lost, (place,), text, check.hint, key=kind_of(cause))
    later = ", which is explained after the due date" if check.disclose == "after due" else ""
    return Advice(lost, (place,), f"a hidden check fails{later}", key=f"{place.notebook}/{place.item}")


def judged(path: Path) -> Mapping[str, Result]:
    """The results of a graded notebook's checks, by item; empty for a file that cannot be read."""
    try:
        return _judged(path, path.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(64)
def _judged(path: Path, _: int) -> Mapping[str, Result]:
    nb = load_notebook(path)
    records = [judged_cell(cell) for cell in nb.cells] if nb else []
    return {
        record["grade_id"]: result_of(record) for record in records if record and "grader_error" not in record
    }
