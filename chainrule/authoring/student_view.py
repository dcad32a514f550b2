"""What students get of a cell, and the markers of what they do not get, as a course is configured."""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets.config import Configurable

from chainrule.release.source import REGIONS, as_written, cutters


class Region(NamedTuple):
    """The markers of what a step of nbgrader cuts out, as an author of this course writes them."""

    begin: str
    end: str

    @property
    def between(self) -> str:
        return f"between {self.begin} and {self.end}"


def region(step: type[NbGraderPreprocessor], parent: Configurable) -> Region:
    return Region(*(as_written(getattr(step(parent=parent), name)) for name in REGIONS[step]))


def as_students_get_it(cell: NotebookNode, parent: Configurable) -> str:
    """The source of a cell without solutions, hidden tests and mark schemes."""
    shown = deepcopy(cell)
    for step in cutters(parent):
        shown, _ = step.preprocess_cell(shown, {"language": "python"}, 0)
    return str(shown.source)
