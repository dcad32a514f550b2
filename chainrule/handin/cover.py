"""The first page of a write-up: title, author and collaborators."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.handin.notebook import markdown_of

COLLABORATORS = re.compile(
    r"^[ \t>]*[*_]*Collaborators(?:[ \t]+on[ \t]+(?P<part>[^:*\n]{1,60}))?[*_]*:[*_]*(?P<names>.*)",
    re.MULTILINE | re.IGNORECASE,
)
UNFILLED = re.compile(r"\W*(?:name everyone\b.*)?", re.DOTALL | re.IGNORECASE)
MAX_NAMES_LENGTH = 400  # characters of one collaborators line


@dataclass(frozen=True)
class Cover:
    """What the first page shows; title and author are also in the PDF's properties.

    Attributes:
        facts: label → text, such as "Student number" → "20815".
    """

    title: str
    author: str | None
    facts: dict[str, str]


def make_cover(
    notebooks: Mapping[Path, Mapping[str, Any]], name: str, given: Sequence[str | None]
) -> tuple[Cover, list[str]]:
    """The cover of a write-up, and warnings about collaborators lines that are not filled in.

    Args:
        name: the title if there is no other.
        given: title, author, student number, course. What is None or blank is not shown; without a title, the
            notebooks' own is taken.
    """
    title, author, number, course = (text.strip() if text else "" for text in given)
    facts = {"Name": author, "Student number": number, "Course": course}
    notes = []
    for path, notebook in notebooks.items():
        for part, names in collaborators(notebook):
            label = "Collaborators" + (f" on {part}" if part else "")
            if not names:
                notes.append(f"{path.name}: the line “{label}” is not filled in; write names, or “none”")
            earlier = facts.get(label)
            if earlier is None or not names or names in earlier:
                facts[label] = earlier or names or "(not filled in)"
            else:
                facts[label] = f"{earlier}; {names}"
    helpers = {label: names for label, names in facts.items() if label.startswith("Collaborators")}
    if len(helpers) > 1 and len(set(helpers.values())) == 1:  # "none" seven times becomes one line
        facts = {label: text for label, text in facts.items() if label not in helpers}
        facts["Collaborators"] = next(iter(helpers.values()))
    facts = {label: text for label, text in facts.items() if text}
    return Cover(title or _title(list(notebooks.values())) or name, author or None, facts), notes


def collaborators(notebook: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The part ("question 1", or "") and the names of each collaborators line, as plain text; names "" if it is
    not filled in."""
    for source in markdown_of(notebook):
        lines = list(COLLABORATORS.finditer(source))
        for index, line in enumerate(lines):
            rest = source[line.end() : lines[index + 1].start() if index + 1 < len(lines) else None]
            if plain_text(line["names"]):
                names = line["names"] + re.split(r"\n[ \t]*\n", rest)[0]  # to the paragraph's end
            else:
                names = re.split(r"\n[ \t]*\n", rest.strip())[0]  # in the paragraph or list below
            names = plain_text(names)
            yield (
                plain_text(line["part"] or ""),
                "" if UNFILLED.fullmatch(names) else names[:MAX_NAMES_LENGTH],
            )


def with_collaborators(source: str, names: str) -> str:
    """A Markdown text in which these names stand in each collaborators line that is not filled in.

    >>> with_collaborators("**Collaborators on problem 1:** *name everyone …*", "none")
    '**Collaborators on problem 1:** none'
    """
    filled, end = [], 0
    for line in COLLABORATORS.finditer(source):
        if UNFILLED.fullmatch(plain_text(line["names"])):
            filled += [
                source[end : line.start("names")],
                " ",
                re.sub(r"([\\`*_{}\[\]<>#|$])", r"\\\1", names),
            ]
            end = line.end("names")
    return "".join([*filled, source[end:]])


def plain_text(markdown: str) -> str:
    """A line or two of Markdown without marks of emphasis, headings and lists."""
    text = re.sub(r"^[ \t]*(?:[-+*#>]+|\d+[.)])[ \t]+", "", markdown, flags=re.MULTILINE)
    text = re.sub(r"(?<!\\)[*`]+|(?<![\w\\])_+|(?<!\\)_+(?!\w)", "", text)
    text = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)
    return " ".join(text.split())


def _title(notebooks: Sequence[Mapping[str, Any]]) -> str:
    """The first heading of a notebook; for several notebooks the beginning that their headings share: "Homework"
    for "Homework · Problem 1" and "Homework · Problem 2"."""
    headings = [next(_headings(notebook), "") for notebook in notebooks]
    if len(headings) == 1:
        return headings[0]
    common = os.path.commonprefix(headings)  # letter by letter, on purpose  # noqa: RUF071
    return re.split(r"\s*[·:|–—,-]\s*[^·:|–—,-]*$", common)[0].strip() if common not in headings else common


def _headings(notebook: Mapping[str, Any]) -> Iterator[str]:
    for source in markdown_of(notebook):
        yield from (plain_text(line[1]) for line in re.finditer(r"^#\s+(.+?)\s*#*\s*$", source, re.MULTILINE))
