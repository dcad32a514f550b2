"""Whole notebooks of right answers, each answer in another style.

A notebook of somebody's own mixes styles: NumPy in one cell, columns in the next, lists in a third. What one cell
gives, the next ones have to take, and the checks have to judge it all.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from chainrule.authoring.answers import Answer, Exercise, Problem, Right


def mixture(
    problems: Sequence[Problem], cells: Collection[str], seed: int
) -> tuple[list[str], dict[str, str]]:
    """A right answer to each exercise of a notebook, drawn at random: their names, and their sources by grade_id.

    Where right answers don't go together (`Problem.mixes`), one exercise has another answer than the reference's. What
    depends on trained networks (`Exercise.prepare`) is left to the reference, because others train other networks.

    Args:
        problems: the parts of the notebook.
        cells: the notebook's; an exercise whose answers are in other cells is left out.
    """
    draw = random.Random(seed)
    exercises = [
        exercise
        for problem in problems
        for exercise in problem.exercises
        if exercise.prepare is None and all(answer.cells.keys() <= {*cells} for answer in fitting(exercise))
    ]
    if not all(problem.mixes for problem in problems):
        exercises = [draw.choice(exercises)]
    names = list[str]()
    sources = {name: source for problem in problems for name, source in problem.beside.items()}
    for exercise in exercises:
        answer = draw.choice(fitting(exercise))
        if not sources.keys() & answer.cells.keys():
            names.append(f"{exercise.items[0]}: {answer.name}")
            sources |= answer.cells
    return names, sources


def fitting(exercise: Exercise) -> list[Answer]:
    """The right answers that earn everything, fail no check, and fit the other ones of the notebook."""
    alone = {name for name, right in exercise.right.items() if isinstance(right, Right) and not right.fits}
    return [
        each for each in exercise.answers if each.kind == "right" and not each.loses | ({each.name} & alone)
    ]
