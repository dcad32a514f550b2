"""The first page of a write-up: what it is, whose it is, and who helped."""

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
MOST_LETTERS = 400  # of one collaborators line


@dataclass(frozen=True)
class Cover:
    """The title, the title's place in a file's properties included, and facts by what they are called."""

    title: str
    author: str | None
    facts: dict[str, str]


def make_cover(
    notebooks: Mapping[Path, Mapping[str, Any]], name: str, given: Sequence[str | None]
) -> tuple[Cover, list[str]]:
    """The cover of a write-up, and warnings about collaborators that are not named.

    `given` is title, author, student number, course; what is None or blank is not shown, but for the title,
    which is then the notebooks' own, or `name` if they have none.
    """
    title, author, number, course = (text.strip() if text else "" for text in given)
    facts = {"Name": author, "Student number": number, "Course": course}
    notes = []
    for path, notebook in notebooks.items():
        for part, names in collaborators(notebook):
            what = "Collaborators" + (f" on {part}" if part else "")
            if not names:
                notes.append(f"{path.name}: the line “{what}” is not filled in; write names, or “none”")
            there = facts.get(what)
            if there is None or not names or names in there:
                facts[what] = there or names or "(not filled in)"
            else:
                facts[what] = f"{there}; {names}"
    helped = {what: names for what, names in facts.items() if what.startswith("Collaborators")}
    if len(helped) > 1 and len(set(helped.values())) == 1:  # "none" seven times is one line
        facts = {what: text for what, text in facts.items() if what not in helped}
        facts["Collaborators"] = next(iter(helped.values()))
    facts = {what: text for what, text in facts.items() if text}
    return Cover(title or _title(list(notebooks.values())) or name, author or None, facts), notes


def collaborators(notebook: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each collaborators line: what it is about ("question 1", or ""), and the names as plain text, "" if it
    is not filled in."""
    for source in markdown_of(notebook):
        lines = list(COLLABORATORS.finditer(source))
        for at, line in enumerate(lines):
            rest = source[line.end() : lines[at + 1].start() if at + 1 < len(lines) else None]
            if plain(line["names"]):
                names = line["names"] + re.split(r"\n[ \t]*\n", rest)[0]  # to the paragraph's end
            else:
                names = re.split(r"\n[ \t]*\n", rest.strip())[0]  # in the paragraph or list below
            names = plain(names)
            yield plain(line["part"] or ""), "" if UNFILLED.fullmatch(names) else names[:MOST_LETTERS]


def plain(markdown: str) -> str:
    """Markdown of a line or two without its signs of emphasis, headings and lists."""
    text = re.sub(r"^[ \t]*(?:[-+*#>]+|\d+[.)])[ \t]+", "", markdown, flags=re.MULTILINE)
    text = re.sub(r"[*`]+|(?<!\w)_+|_+(?!\w)", "", text)
    return " ".join(text.split())


def _title(notebooks: Sequence[Mapping[str, Any]]) -> str:
    """The first heading of a notebook; of several, what these have in common: "Homework" of "Homework ·
    Problem 1" and "Homework · Problem 2"."""
    headings = [next(_headings(notebook), "") for notebook in notebooks]
    if len(headings) == 1:
        return headings[0]
    common = os.path.commonprefix(headings)  # letter by letter, as wanted  # noqa: RUF071
    return re.split(r"\s*[·:|–—,-]\s*[^·:|–—,-]*$", common)[0].strip() if common not in headings else common


def _headings(notebook: Mapping[str, Any]) -> Iterator[str]:
    for source in markdown_of(notebook):
        yield from (plain(line[1]) for line in re.finditer(r"^#\s+(.+?)\s*#*\s*$", source, re.MULTILINE))
