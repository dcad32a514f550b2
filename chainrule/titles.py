"""What items, questions and assignments are called for people: "2.2 c · The output layer" rather than a cell's id.

Titles come from the headings of the instructor's notebooks, with the course's facts in them. Two items below the same
heading are told apart by the last words of their ids; an author can write `chainrule.title` into an item's metadata
instead.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearMarkScheme
from traitlets.config import Config

from chainrule.course import Course
from chainrule.handin.places import HEADING, places
from chainrule.metadata import source_cell
from chainrule.release.after_due import ClearAfterDue, without_region
from chainrule.release.facts import fill_known

POINTS = re.compile(r"\s*\([^()]*\bpoints?\)\s*$")  # at the end of a heading
LABEL = re.compile(r"^[\s(]*(?:[A-Z][a-z]+\s+)?(?:\d[\d.–-]*\s?[a-z]?|[a-z])\)?\s*(?:[·:.)—–]\s*|\s+)")
QUESTION = re.compile(r"[qp]\d+(?:_\w+?)?-")


@dataclass(frozen=True)
class Title:
    """What an item is called.

    Attributes:
        text: its whole title.
        section: the heading of the question that it belongs to, with its label.
        order: its position among the assignment's items.
    """

    text: str
    section: str
    order: int


Regions = tuple[tuple[str, str], ...]  # beginning and end of what is cut out
Titles = Mapping[tuple[str, str], Title]  # by notebook and grade_id


@dataclass(frozen=True)
class _Found:
    notebook: str
    name: str
    label: str
    words: str
    section: str
    own: str


@dataclass(frozen=True)
class _Facts:
    """What texts say that comes from the configuration; equal if nothing differs that a text may say."""

    key: str
    course: Course = field(compare=False)

    @classmethod
    def of(cls, config: Config | None) -> _Facts:
        return cls(repr((config or Config()).get("Course")), Course(config=config or Config()))

    def read(self, path: Path) -> NotebookNode:
        """An instructor's notebook as it is released: with facts in its texts, where they are known."""
        nb: NotebookNode = nbformat.read(path, as_version=4)
        fill_known(self.course, path.parent.name, nb)
        return nb


def item_titles(paths: Iterable[Path], config: Config | None = None) -> Titles:
    """The titles of all items of an assignment.

    Args:
        paths: the instructor's notebooks.
        config: the course's, which may have other delimiters of mark schemes.
    """
    scheme, later = ClearMarkScheme(config=config or Config()), ClearAfterDue(config=config or Config())
    regions = (
        (scheme.begin_mark_scheme_delimeter, scheme.end_mark_scheme_delimeter),
        (later.begin_after_due_delimeter, later.end_after_due_delimeter),
    )
    files = tuple((path, path.stat().st_mtime_ns) for path in sorted(paths))
    return _titles(files, regions, _Facts.of(config))


@lru_cache(32)
def _titles(files: tuple[tuple[Path, int], ...], regions: Regions, facts: _Facts) -> Titles:
    found = [each for path, _ in files for each in _found(path.stem, facts.read(path), regions)]
    headed = Counter((each.label, each.words) for each in found)
    titles: dict[tuple[str, str], Title] = {}
    for order, each in enumerate(found):
        unique = each.words and headed[each.label, each.words] == 1
        words = each.words if unique else _last_words(each.name)
        text = each.own or " · ".join(filter(None, (each.label, words))) or each.name
        titles[each.notebook, each.name] = Title(text, each.section or text, order)
    return titles


def _found(notebook: str, nb: NotebookNode, regions: Regions) -> Iterator[_Found]:
    cells = [_for_students(cell, regions) for cell in nb.cells]
    found = places({"cells": cells})
    own_title = next((place.heading for place in found if place.heading), "")
    for cell, place in zip(nb.cells, found, strict=True):
        about = cell.metadata.get("nbgrader", {})
        if about.get("grade") or about.get("task"):
            section = " · ".join(filter(None, (plain_label(place.section_label), words_of(place.section))))
            yield _Found(
                notebook,
                str(about["grade_id"]),
                plain_label(place.label),
                "" if place.in_part or place.heading == own_title else words_of(place.heading),
                section,
                source_cell(cell, notebook).get("title", ""),
            )


def _for_students(cell: NotebookNode, regions: Regions) -> NotebookNode:
    """The cell without what is cut out of it; without any text if students write it."""
    if cell.cell_type != "markdown" or cell.metadata.get("nbgrader", {}).get("solution"):
        return NotebookNode(cell_type="code", source="")
    source = cell.source
    for begin, end in regions:
        source = without_region(source, begin, end)
    return NotebookNode(cell_type="markdown", source=source)


def plain_label(label: str) -> str:
    """A label without brackets.

    >>> plain_label("2.2 (c)"), plain_label("1.1 b)"), plain_label("Problem 4, 4"), plain_label("6.1a")
    ('2.2 c', '1.1 b', 'Problem 4.4', '6.1 a')
    """
    text = re.sub(r"\(([a-z])\)|\b([a-z])\)", r"\1\2", label)
    text = re.sub(r"(?<=\d), (?=\d)", ".", text)
    return re.sub(r"(?<=\d)(?=[a-z]$)", " ", text)


def words_of(heading: str) -> str:
    """A heading without its label and its points.

    >>> words_of("2.1 · Warm-up: the gradient (1 point)"), words_of("(c) The output layer"), words_of("Train it")
    ('Warm-up: the gradient', 'The output layer', 'Train it')
    >>> words_of("A network (3.5 points)"), words_of("Problem 5 · GANs")
    ('A network', 'GANs')
    """
    text = POINTS.sub("", heading)
    match = LABEL.match(text)
    return text[match.end() :] if match and not text.startswith("A ") else text


def _last_words(name: str) -> str:
    """What an id says after the number of its question.

    >>> _last_words("q9_2-code"), _last_words("table-check")
    ('code', 'table check')
    """
    return QUESTION.sub("", name).replace("-", " ").replace("_", " ")


def assignment_title(paths: Iterable[Path], assignment: str, config: Config | None = None) -> str:
    """The assignment's title: the first heading of its notebook, or what the headings of several begin with.

    >>> assignment_title([], "hw1")
    'hw1'
    """
    facts = _Facts.of(config)
    found = (_first_heading(path, path.stat().st_mtime_ns, facts) for path in sorted(paths))
    headings = [heading for heading in found if heading]
    if not headings:
        return assignment
    if len(headings) == 1:
        return headings[0]
    parts = [heading.split(" · ") for heading in headings]
    common = [same[0] for same in zip(*parts, strict=False) if len(set(same)) == 1]
    return " · ".join(common) or assignment


@lru_cache(64)
def _first_heading(path: Path, _: int, facts: _Facts) -> str:
    for cell in facts.read(path).cells:
        if cell.cell_type == "markdown" and not cell.metadata.get("nbgrader", {}).get("solution"):
            for line in cell.source.splitlines():
                if match := HEADING.match(line):
                    return match[2]
    return ""
