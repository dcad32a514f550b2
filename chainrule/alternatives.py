"""Notebooks of which one counts: `c.Course.alternatives` names them, such as the same problem in two frameworks.

A student hands in one of them. If several are handed in, the one with the most points counts. Both stand in nbgrader's
gradebook, which knows no choice; whatever sums points up leaves the others out by `left_out`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Alternatives = Sequence[Sequence[str]]  # names of notebooks, in groups of which one counts
Standing = tuple[float, bool]  # a notebook's points so far, and whether an answer in it waits for a person


def left_out(alternatives: Alternatives, standings: Mapping[str, Standing]) -> dict[str, str]:
    """A student's notebooks that don't count, each with the one that counts in its place.

    The one with the most points counts; of equal ones one with an answer that waits for a person, then the first.

    Args:
        standings: by notebook.

    >>> left_out([["pytorch", "jax"]], {"pytorch": (3.0, False), "jax": (5.0, False), "theory": (1.0, False)})
    {'pytorch': 'jax'}
    >>> left_out([["pytorch", "jax"]], {"pytorch": (0.0, False), "jax": (0.0, False)})
    {'jax': 'pytorch'}
    """
    found: dict[str, str] = {}
    for group in alternatives:
        known = [name for name in group if name in standings]
        if known:
            best = max(known, key=lambda name: (round(standings[name][0], 9), standings[name][1]))
            found |= {name: best for name in known if name != best}
    return found


def counted_maximum(alternatives: Alternatives, maxima: Mapping[str, float]) -> float:
    """The points that a student can have in an assignment.

    Args:
        maxima: the points of each notebook.

    >>> counted_maximum([["pytorch", "jax"]], {"pytorch": 30.0, "jax": 30.0, "theory": 20.0})
    50.0
    """
    others = left_out(alternatives, {name: (maximum, False) for name, maximum in maxima.items()})
    return sum(maximum for name, maximum in maxima.items() if name not in others)


def group_of(alternatives: Alternatives, notebook: str) -> Sequence[str]:
    """The notebooks of which one counts, this one among them; it alone where it always counts.

    >>> group_of([["pytorch", "jax"]], "jax"), group_of([["pytorch", "jax"]], "theory")
    (['pytorch', 'jax'], ['theory'])
    """
    return next((group for group in alternatives if notebook in group), [notebook])


def told(
    others: Mapping[str, str], standings: Mapping[str, Standing], called: Mapping[str, str] = {}
) -> list[str]:
    """A sentence about each notebook that has points, or may get some, and doesn't count.

    Args:
        others: what `left_out` says.
        called: what people call the notebooks, if not by their names.

    >>> told({"jax": "pytorch"}, {"pytorch": (5.0, False), "jax": (3.5, False)})
    ['pytorch counts, with 5 points; jax, handed in as well, has 3.5']
    """

    also = {name: best for name, best in others.items() if any(standings[name])}
    if not also:
        return []
    from chainrule.lesson.results import counted  # brings IPython, and there is rarely something to tell

    return [
        f"{called.get(best, best)} counts, with {counted(standings[best][0])}; {called.get(name, name)}, handed in as "
        f"well, has {standings[name][0]:g}"
        for name, best in also.items()
    ]
