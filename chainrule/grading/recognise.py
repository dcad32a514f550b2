"""Match submitted cells with ours: by label, else by content, else by position.

Editors remove labels, swap them, or copy them when a cell is split or pasted. So a label is believed if the cell's
content doesn't contradict it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from nbformat import NotebookNode
from nbgrader import utils

from chainrule.handin.inspection import HAND_IN_TAG, untitled

DEFINITION = re.compile(r"^(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)


class Released:
    """What students were given: the texts of our cells in today's notebook and in every version that was released.

    Args:
        ours: our cells by name, with stubs as answers.
        versions: notebooks that were released.
    Attributes:
        texts: by the cell's name, also of cells that are gone.
        gone: names by the texts of cells that are gone and that students were not to edit.
        always: the names of cells that every version has.
    """

    def __init__(self, ours: Mapping[str, NotebookNode], versions: Iterable[NotebookNode] = ()) -> None:
        self.texts = {name: {normal(visible(cell.source))} for name, cell in ours.items()}
        self.gone: dict[str, str] = {}
        self.always = set(ours)
        # a version is kept before the cells that pack the hand-in are added
        named = {name_of(cell) for cell in ours.values() if HAND_IN_TAG not in cell.metadata.get("tags", [])}
        for version in versions:
            cells = {name: cell for cell in version.cells if (name := name_of(cell))}
            self.always -= named - cells.keys()
            for name, cell in cells.items():
                text = normal(visible(cell.source))
                self.texts.setdefault(name, set()).add(text)
                if name not in ours and text and is_marked(cell) and not is_answer(cell):
                    self.gone[text] = name


class Recognition:
    """Which of our cells each submitted cell is.

    Args:
        ours: our cells by name, in the notebook's order, with stubs as answers.
        theirs: the submitted cells.
        released: what students were given; by default `ours`.
    Attributes:
        names: for each submitted cell, the name of our cell that it is; "" for none.
        labels: for each submitted cell, the name of our cell that its label says; "" for none.
        matched_by: "content" or "position", by the names of our cells that were not found by a label.
    """

    def __init__(
        self,
        ours: Mapping[str, NotebookNode],
        theirs: Sequence[NotebookNode],
        released: Released | None = None,
    ) -> None:
        self.ours, self.theirs, self.released = ours, theirs, released or Released(ours)
        self.order = {name: index for index, name in enumerate(ours)}
        self.texts = [normal(cell.source) for cell in theirs]
        self.labels = [next((name for name in names_of(cell) if name in ours), "") for cell in theirs]
        self.defined = [defined_names(cell.source) for cell in theirs]
        # what each code answer defines
        self.expected = {
            name: defined_names(cell.source) for name, cell in ours.items() if is_code_answer(cell)
        }
        self.locked: dict[str, list[str]] = {}  # the names of cells that aren't answers, by their texts
        for name, cell in ours.items():
            if not utils.is_solution(cell):
                for text in self.released.texts[name] - {""}:
                    self.locked.setdefault(text, []).append(name)
        self.names = [""] * len(theirs)
        self.first_index: dict[str, int] = {}  # of the submitted cells that are one of ours
        self.matched_by: dict[str, str] = {}
        self._by_label()
        self._by_content()
        self._by_label_alone()
        self._by_position()

    def runs(self) -> list[tuple[str, list[int]]]:
        """Our cells in the student's order, each with the indices of its neighbouring pieces."""
        matched = [index for index, name in enumerate(self.names) if name]
        return [(name, list(indices)) for name, indices in groupby(matched, self.names.__getitem__)]

    def in_order(self, before: str, name: str, after: str) -> bool:
        """Whether a cell of ours is between these two in our order; "" for no neighbour."""
        index = self.order[name]
        return self.order.get(before, -1) < index < self.order.get(after, len(self.order))

    def is_locked_copy(self, index: int) -> bool:
        """Whether a submitted cell has the text of one of our cells that aren't answers."""
        return self.texts[index] in self.locked

    def is_untouched(self, index: int, name: str) -> bool:
        """Whether a submitted cell is blank or as that answer was released."""
        return not self.texts[index] or self.texts[index] in self.released.texts[name]

    def gone(self, index: int) -> str | None:
        """The name of a cell of ours that an instructor has removed, if a submitted cell is as it was released."""
        text = self.texts[index]
        if text in self.released.gone:
            return self.released.gone[text]
        name = name_of(self.theirs[index])
        was_released = name not in self.ours and text in self.released.texts.get(name, ())
        return name if was_released and is_marked(self.theirs[index]) else None

    def is_renamed(self, name: str) -> bool:
        """Whether the submitted cell that is this one of ours has the label of a cell that is gone."""
        names = names_of(self.theirs[self.first_index[name]])
        return any(other in self.released.texts and other not in self.ours for other in names)

    # ---- the passes ---------------------------------------------------------------------------------------

    def _match(self, index: int, name: str, by: str = "") -> None:
        self.names[index] = name
        self.first_index[name] = min(index, self.first_index.get(name, index))
        if by:
            self.matched_by[name] = by

    def _unmatched(self) -> Iterator[int]:
        return (index for index, name in enumerate(self.names) if not name)

    def _by_label(self) -> None:
        """Match cells whose content doesn't contradict their label."""
        for index, label in enumerate(self.labels):
            if label and self._fits(index, label):
                self._match(index, label)

    def _fits(self, index: int, name: str) -> bool:
        owners = self.locked.get(self.texts[index], [])
        if owners or not is_answer(self.ours[name]):
            return name in owners
        expected = self.expected.get(name)
        return not expected or not expected.isdisjoint(self.defined[index])

    def _by_content(self) -> None:
        """Match cells with the text of ours, and cells that define what a missing answer should define."""
        for index in self._unmatched():
            owners = [name for name in self.locked.get(self.texts[index], []) if name not in self.first_index]
            if owners:
                self._match(index, owners[0], "content")
        strays = {self.labels[index] for index in self._unmatched() if not self.is_locked_copy(index)}
        for name, expected in self.expected.items():
            if name in self.first_index:
                continue
            candidates = [p for p in self._unmatched() if not expected.isdisjoint(self.defined[p])]
            if name in strays:  # its cell is there with something else in it, so labels may have been swapped
                candidates = [p for p in candidates if self.labels[p]]
            if candidates:
                gap = self._gap(name)
                best = min(candidates, key=lambda p: (p not in gap, self.theirs[p].cell_type != "code", p))
                self._match(best, name, "content")

    def _by_label_alone(self) -> None:
        """Match other labelled cells: pieces of an answer, and our cells after they were edited."""
        for index in self._unmatched():
            label = self.labels[index]
            if not label or self.is_locked_copy(index):
                continue
            if is_answer(self.ours[label]) or label not in self.first_index:
                self._match(index, label)

    def _by_position(self) -> None:
        """Match cells in the position of an answer that is missing, or of a written one that was left empty."""
        for name, cell in self.ours.items():
            if utils.is_solution(cell) and self._is_unanswered(name):
                for index in self._candidates(name):
                    self._match(index, name, "position")

    def _is_unanswered(self, name: str) -> bool:
        if name not in self.first_index:
            return True
        by_hand = name not in self.expected and utils.is_grade(self.ours[name])
        return by_hand and all(
            self.is_untouched(index, name) for index, other in enumerate(self.names) if other == name
        )

    def _candidates(self, name: str) -> list[int]:
        """The cells that may be an answer: one for code; for text all, or one if the next answer is missing too."""
        code = name in self.expected
        candidates = [
            index
            for index in self._gap(name)
            if not self.names[index]
            and self.texts[index]
            and not self.is_locked_copy(index)
            and self.gone(index) is None
            and (self.theirs[index].cell_type == "code") == code
        ]
        if code:
            mentions = re.compile(r"\b(?:" + "|".join(self.expected[name]) + r")\b")
            return [index for index in candidates if mentions.search(self.theirs[index].source)][:1]
        return candidates[:1] if self._next_is_missing(name) else candidates

    def _next_is_missing(self, name: str) -> bool:
        """Whether the next of our cells is a written answer that is missing too."""
        names = list(self.ours)
        following = names[self.order[name] + 1 : self.order[name] + 2]
        return any(
            other not in self.first_index
            and utils.is_solution(self.ours[other])
            and other not in self.expected
            for other in following
        )

    def _gap(self, name: str) -> range:
        """The indices between the neighbours of one of our cells; empty if both neighbours are missing."""
        names, at = list(self.ours), self.order[name]
        before = [n for n in names[: at + 1] if n in self.first_index]
        after = [n for n in names[at + 1 :] if n in self.first_index]
        beside = [n for n in names[max(at - 1, 0) : at + 2] if n in self.first_index]
        if not beside:
            return range(0)
        low = self.first_index[before[-1]] + 1 if before else 0
        return range(low, self.first_index[after[0]] if after else len(self.theirs))


def name_of(cell: NotebookNode) -> str:
    """A cell's label: its nbgrader id, else its id in the notebook format; "" if it has neither."""
    return next(iter(names_of(cell)), "")


def names_of(cell: NotebookNode) -> list[str]:
    """A cell's nbgrader id and its id in the notebook format, as far as it has them."""
    marks = cell.metadata.get("nbgrader")
    grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
    return [str(name) for name in (grade_id, cell.get("id")) if name]


def is_marked(cell: NotebookNode) -> bool:
    """Whether nbgrader's metadata says that a cell is one of ours: an answer, an item, a task, or locked."""
    marks = cell.metadata.get("nbgrader")
    return isinstance(marks, dict) and any(marks.get(key) for key in ("solution", "grade", "locked", "task"))


def is_answer(cell: NotebookNode) -> bool:
    """Whether students may edit this cell of ours."""
    return not is_marked(cell) or bool(utils.is_solution(cell))


def is_code_answer(cell: NotebookNode) -> bool:
    return bool(cell.cell_type == "code" and utils.is_solution(cell))


def normal(source: str) -> str:
    """The source for comparisons, without differences in white space, which editors make.

    Nor with the title of a check cell: releases of earlier versions and of stock nbgrader have none.
    """
    return " ".join(untitled(source).split())


def defined_names(source: str) -> frozenset[str]:
    """The functions and classes that a cell defines, even if it isn't valid Python."""
    return frozenset(DEFINITION.findall(source))


def visible(source: str) -> str:
    """A graded cell's source in the release, without the regions that only instructors see."""
    lines, hidden = [], False
    for line in source.split("\n"):
        if "BEGIN HIDDEN TESTS" in line or "BEGIN MARK SCHEME" in line:
            hidden = True
        if not hidden:
            lines.append(line)
        if "END HIDDEN TESTS" in line or "END MARK SCHEME" in line:
            hidden = False
    return "\n".join(lines)
