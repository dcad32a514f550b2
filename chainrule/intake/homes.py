"""Which of an assignment's notebooks a submitted one is, whatever it is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from nbformat import NotebookNode

from chainrule.grading.recognise import is_answer, name_of, normal, visible

SHORT = 20  # characters; a shorter text is in other people's notebooks, too


class Homes:
    """An assignment's notebooks, by what only one of them has: names of cells, and texts that aren't answers.

    Args:
        masters: the instructor's notebooks by file name.
    """

    def __init__(self, masters: Mapping[str, NotebookNode]) -> None:
        marks = {name: set(_marks(nb, ours=True)) for name, nb in masters.items()}
        owners = Counter(mark for each in marks.values() for mark in each)
        self.marks = {name: {mark for mark in each if owners[mark] == 1} for name, each in marks.items()}

    def of(self, nb: NotebookNode) -> list[str]:
        """The notebooks it has cells of; none if it is somebody's scratch paper, several if it can't be told."""
        theirs = set(_marks(nb, ours=False))
        return [name for name, marks in self.marks.items() if marks & theirs]


def _marks(nb: NotebookNode, *, ours: bool) -> Iterator[str]:
    for cell in nb.cells:
        name = name_of(cell)
        text = normal(visible(cell.source))
        if not ours or "nbgrader" in cell.metadata:  # our other cells' names mean nothing
            yield f"name {name}"
        if len(text) >= SHORT and not (ours and is_answer(cell)):
            yield f"text {text}"
