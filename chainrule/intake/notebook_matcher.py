"""Finds which of an assignment's notebooks a submitted one is, whatever its file name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from nbformat import NotebookNode

from chainrule.grading.recognise import is_answer, name_of, normal, visible

MIN_TEXT = 20  # characters; a shorter text may be in other notebooks, too


class NotebookMatcher:
    """Recognises an assignment's notebooks by features: names of cells, and texts that are not answers.

    Args:
        masters: the instructor's notebooks by file name.
    """

    def __init__(self, masters: Mapping[str, NotebookNode]) -> None:
        self.features = {name: set(_features(nb, is_master=True)) for name, nb in masters.items()}
        self.counts = Counter(feature for features in self.features.values() for feature in features)

    def matches(self, nb: NotebookNode) -> list[str]:
        """The notebooks that `nb` has cells of: none for a scratch notebook, several if it is ambiguous."""
        unique = {feature for feature in _features(nb, is_master=False) if self.counts[feature] == 1}
        return [name for name, features in self.features.items() if features & unique]

    def overlap(self, nb: NotebookNode) -> int:
        """The number of features that `nb` shares with the most similar notebook."""
        submitted = set(_features(nb, is_master=False))
        return max((len(features & submitted) for features in self.features.values()), default=0)


def _features(nb: NotebookNode, *, is_master: bool) -> Iterator[str]:
    for cell in nb.cells:
        name, text = name_of(cell), normal(visible(cell.source))
        if not is_master or "nbgrader" in cell.metadata:  # names of a master's other cells mean nothing
            yield f"name {name}"
        if len(text) >= MIN_TEXT and not (is_master and is_answer(cell)):
            yield f"text {text}"
