"""Where a cell is, in the words of its notebook: "2.2 c" rather than the invisible name of a cell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.handin.notebook import joined

HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*\s*$")
WHOLE = re.compile(
    r"(?:.*[·:–—]\s*)?((?:Question|Problem|Exercise|Task|Part)\s+\d+(?:\.\d+)*[a-z]?)\b", re.IGNORECASE
)
NUMBER = re.compile(r"(\d+(?:[.–-]\d+)*[a-z]?)(?=\s*[·:.)—–]|\s|$)")
LETTER = re.compile(r"(\([a-z]\)|[a-z]\)|[a-z](?=\s*[·:]))")
PART = re.compile(r"\*\*\s*(\([a-z]\)|[a-z]\))")  # "**b)** How many …" begins a part of its section
FENCE = re.compile(r"\s*(```|~~~)")


@dataclass(frozen=True)
class Place:
    """Where a cell is.

    Attributes:
        label: the numbers and letters of its headings, such as "2.2 (c)"; "" if they have none.
        heading: the text of the nearest heading above it, or "".
        section: the text of the nearest heading with a label, or "".
        section_label: the label of this section, without that of a part in bold.
        in_part: whether a part in bold begins after the nearest heading.
    """

    label: str
    heading: str
    section: str = ""
    section_label: str = ""
    in_part: bool = False


def places(notebook: Mapping[str, Any]) -> list[Place]:
    """The place of each cell of a notebook, a cell with a heading included in its section. An answer begins none.

    >>> texts = ["# Question 2", "## 2.2 · Backpropagation", "### (c) The output layer", "**b)** Why?", "## Notes"]
    >>> cells = [{"cell_type": "markdown", "source": text} for text in texts]
    >>> [place.label for place in places({"cells": cells})]
    ['Question 2', '2.2', '2.2 (c)', '2.2 (c) b)', 'Question 2']
    """
    found: list[Place] = []
    labels: list[tuple[float, str]] = []  # those that hold now, with the levels of their headings
    heading, headings, in_part = "", {"": ""}, False
    for cell in notebook["cells"]:
        if cell.get("cell_type") == "markdown" and not _is_answer(cell):
            fenced = False
            for line in joined(cell.get("source", "")).splitlines():
                fenced ^= bool(FENCE.match(line))
                if fenced:
                    continue
                if match := HEADING.match(line):
                    level, heading, in_part = float(len(match[1])), match[2], False
                    labels = [entry for entry in labels if entry[0] < level]
                    labels += [(level, label) for label in [label_of(heading)] if label]
                    if label_of(heading):
                        headings[_together(_of_headings(labels))] = heading
                elif (match := PART.match(line)) and labels:
                    # half a level below its section, so that a heading without a label goes on with it
                    level = max(entry[0] for entry in labels if entry[0] % 1 == 0) + 0.5
                    labels = [*(entry for entry in labels if entry[0] < level), (level, match[1])]
                    in_part = True
        section = _together(_of_headings(labels))
        label = _together([label for _, label in labels])
        found.append(Place(label, heading, headings.get(section, ""), section, in_part))
    return found


def _is_answer(cell: Mapping[str, Any]) -> bool:
    metadata = cell.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, Mapping) else None
    return isinstance(marks, Mapping) and marks.get("solution") is True


def _of_headings(labels: list[tuple[float, str]]) -> list[str]:
    """The labels without those of parts in bold."""
    return [label for level, label in labels if level % 1 == 0]


def label_of(heading: str) -> str:
    """The number or letter that a heading begins with, such as "2.2" or "(c)"; "" if it has none."""
    match = WHOLE.match(heading) or NUMBER.match(heading) or LETTER.match(heading)
    return match[1] if match else ""


def _together(labels: list[str]) -> str:
    """Labels from the outermost on as one.

    >>> _together(["Problem 6.1", "6.1a"]), _together(["Problem 4", "4"]), _together(["Problem 2", "(a)"])
    ('6.1a', 'Problem 4, 4', 'Problem 2 (a)')
    """
    whole = ""
    for label in labels:
        number = whole.rpartition(" ")[2]
        if not label[0].isdigit():
            whole = f"{whole} {label}" if whole else label
        elif not whole or re.match(rf"{re.escape(number)}[.a-z]", label):
            whole = label
        else:
            whole = f"{whole}, {label}"
    return whole
