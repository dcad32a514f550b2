"""Which of our cells each submitted cell is: by its label, else by its content, else by its place.

Editors strip metadata, swap it, or copy it with a cell that is split or pasted; so a label is believed when
the cell's content doesn't contradict it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from nbformat import NotebookNode
from nbgrader import utils

DEFINITION = re.compile(r"^(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)


class Recognition:
    """What a submitted notebook's cells were recognised as.

    Args:
        ours: the master's cells by name, in order, answers as stubs.
        theirs: the submitted cells.
    Attributes:
        homes: for each submitted cell the name of ours it is, "" for one that is none.
        labels: for each submitted cell the name of ours it says it is, "" if it says none.
        means: "content" or "place", by the names of our cells that no label led to.
    """

    def __init__(self, ours: Mapping[str, NotebookNode], theirs: Sequence[NotebookNode]) -> None:
        self.ours, self.theirs = ours, theirs
        self.order = {name: place for place, name in enumerate(ours)}
        self.texts = [normal(cell.source) for cell in theirs]
        self.labels = [label if (label := name_of(cell)) in ours else "" for cell in theirs]
        self.defined = [defined(cell.source) for cell in theirs]
        self.wanted = {name: defined(ours[name].source) for name in ours if is_code_answer(ours[name])}
        self.fixed: dict[str, list[str]] = {}  # names of cells that aren't answers, by their texts
        for name, cell in ours.items():
            if not utils.is_solution(cell) and (text := normal(visible(cell.source))):
                self.fixed.setdefault(text, []).append(name)
        self.homes = [""] * len(theirs)
        self.first: dict[str, int] = {}  # where each cell of ours was first found
        self.means: dict[str, str] = {}
        self._by_label()
        self._by_content()
        self._by_label_alone()
        self._by_place()

    def runs(self) -> list[tuple[str, list[int]]]:
        """Our cells in the student's order, each with the places of its neighbouring pieces."""
        found = [place for place, home in enumerate(self.homes) if home]
        return [(name, list(places)) for name, places in groupby(found, self.homes.__getitem__)]

    def in_order(self, before: str, name: str, after: str) -> bool:
        """Whether a cell of ours stands on the right side of its neighbours; "" for none."""
        place = self.order[name]
        return self.order.get(before, -1) < place < self.order.get(after, len(self.order))

    def is_copy(self, place: int) -> bool:
        """Whether a submitted cell is one of ours that isn't an answer, word for word."""
        return self.texts[place] in self.fixed

    def is_untouched(self, place: int, name: str) -> bool:
        """Whether a submitted cell is blank or the stub of that answer."""
        return self.texts[place] in ("", normal(self.ours[name].source))

    # ---- the passes ---------------------------------------------------------------------------------------

    def _settle(self, place: int, name: str, means: str = "") -> None:
        self.homes[place] = name
        self.first[name] = min(place, self.first.get(name, place))
        if means:
            self.means[name] = means

    def _homeless(self) -> Iterator[int]:
        return (place for place, home in enumerate(self.homes) if not home)

    def _by_label(self) -> None:
        """Cells whose content doesn't contradict their label."""
        for place, label in enumerate(self.labels):
            if label and self._fits(place, label):
                self._settle(place, label)

    def _fits(self, place: int, name: str) -> bool:
        owners = self.fixed.get(self.texts[place], [])
        if owners or not is_answer(self.ours[name]):
            return name in owners
        wanted = self.wanted.get(name)
        return not wanted or not wanted.isdisjoint(self.defined[place])

    def _by_content(self) -> None:
        """Cells that are ours word for word, and those that define what a missing answer defines."""
        for place in self._homeless():
            owners = [name for name in self.fixed.get(self.texts[place], []) if name not in self.first]
            if owners:
                self._settle(place, owners[0], "content")
        strays = {self.labels[place] for place in self._homeless() if not self.is_copy(place)}
        for name, wanted in self.wanted.items():
            if name in self.first:
                continue
            candidates = [p for p in self._homeless() if not wanted.isdisjoint(self.defined[p])]
            if (
                name in strays
            ):  # its cell is there with something else in it: only labels can have been swapped
                candidates = [p for p in candidates if self.labels[p]]
            if candidates:
                gap = self._gap(name)
                best = min(candidates, key=lambda p: (p not in gap, self.theirs[p].cell_type != "code", p))
                self._settle(best, name, "content")

    def _by_label_alone(self) -> None:
        """Other labelled cells: pieces of an answer, and what was one of our cells before it was edited."""
        for place in self._homeless():
            label = self.labels[place]
            if not label or self.is_copy(place):
                continue
            if is_answer(self.ours[label]) or label not in self.first:
                self._settle(place, label)

    def _by_place(self) -> None:
        """Answers still missing, and written ones left empty: what stands where they belong."""
        for name, cell in self.ours.items():
            if utils.is_solution(cell) and self._is_unanswered(name):
                for place in self._candidates(name):
                    self._settle(place, name, "place")

    def _is_unanswered(self, name: str) -> bool:
        if name not in self.first:
            return True
        by_hand = name not in self.wanted and utils.is_grade(self.ours[name])
        return by_hand and all(
            self.is_untouched(place, name) for place, home in enumerate(self.homes) if home == name
        )

    def _candidates(self, name: str) -> list[int]:
        """Code: one cell, the others stay behind it. Text: all cells, but one for each of several answers."""
        code = name in self.wanted
        found = [
            place
            for place in self._gap(name)
            if not self.homes[place]
            and self.texts[place]
            and not self.is_copy(place)
            and (self.theirs[place].cell_type == "code") == code
        ]
        if code:
            mentions = re.compile(r"\b(?:" + "|".join(self.wanted[name]) + r")\b")
            return [place for place in found if mentions.search(self.theirs[place].source)][:1]
        return found[:1] if self._has_rival(name) else found

    def _has_rival(self, name: str) -> bool:
        """Whether the next of our cells is a written answer that is missing, too."""
        names = list(self.ours)
        following = names[self.order[name] + 1 : self.order[name] + 2]
        return any(
            other not in self.first and utils.is_solution(self.ours[other]) and other not in self.wanted
            for other in following
        )

    def _gap(self, name: str) -> range:
        """The places between the neighbours of one of our cells, one of which must have been found."""
        names, at = list(self.ours), self.order[name]
        before = [n for n in names[: at + 1] if n in self.first]
        after = [n for n in names[at + 1 :] if n in self.first]
        beside = [n for n in names[max(at - 1, 0) : at + 2] if n in self.first]
        if not beside:
            return range(0)
        low = self.first[before[-1]] + 1 if before else 0
        return range(low, self.first[after[0]] if after else len(self.theirs))


def name_of(cell: NotebookNode) -> str:
    """What a cell is recognised by: its nbgrader id, or the notebook format's own."""
    marks = cell.metadata.get("nbgrader")
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return str(name or cell.get("id", ""))


def is_answer(cell: NotebookNode) -> bool:
    """Whether a cell of the master is the student's to edit."""
    return "nbgrader" not in cell.metadata or utils.is_solution(cell)


def is_code_answer(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and utils.is_solution(cell)


def normal(source: str) -> str:
    """The source as it is compared: editors change white space."""
    return " ".join(source.split())


def defined(source: str) -> frozenset[str]:
    """The functions and classes a cell defines, even if it isn't valid Python."""
    return frozenset(DEFINITION.findall(source))


def visible(source: str) -> str:
    """A graded cell's source as the release shows it, without the regions only the instructor sees."""
    lines, hidden = [], False
    for line in source.split("\n"):
        if "BEGIN HIDDEN TESTS" in line or "BEGIN MARK SCHEME" in line:
            hidden = True
        if not hidden:
            lines.append(line)
        if "END HIDDEN TESTS" in line or "END MARK SCHEME" in line:
            hidden = False
    return "\n".join(lines)
