"""The line by which a student asks for another look at an item: feedback pages have it, mails bring it back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote

BEGINS = "Regrade request"
REQUEST = re.compile(rf"{BEGINS}\s*\[([^\]\s]*(?:\s+[^\]\s]+)?)\]\s*:?", re.IGNORECASE)
QUOTED = re.compile(r"^[\t ]*(?:>[\t ]*)+", re.MULTILINE)
SAFE = "@.+-_"
MAX_REASON = 4_000  # characters


@dataclass(frozen=True)
class RequestLine:
    """What a student asks."""

    assignment: str
    notebook: str
    item: str
    student: str
    reason: str = ""


def request_line(assignment: str, notebook: str, item: str, student: str) -> str:
    """The line without its reason.

    >>> request_line("hw1", "part 1", "q1-a", "ada")
    'Regrade request [hw1/part%201/q1-a/ada]: '
    """
    parts = (quote(part, safe=SAFE) for part in (assignment, notebook, item, student))
    return f"{BEGINS} [{'/'.join(parts)}]: "


def requests_in(text: str) -> Iterator[RequestLine]:
    """The requests in a mail or a comment. A reason ends at an empty line or at the next request.

    >>> [each.reason for each in requests_in("Hi!\\n> Regrade request [a/b/c/d]: it is\\n> right\\n\\nBye")]
    ['it is right']
    """
    text = QUOTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    found = list(REQUEST.finditer(text))
    for at, match in enumerate(found):
        parts = [unquote(part) for part in re.sub(r"\s+", "", match[1]).split("/")]
        if len(parts) != 4:
            continue
        end = found[at + 1].start() if at + 1 < len(found) else len(text)
        reason = re.split(r"\n[\t ]*\n", text[match.end() : end], maxsplit=1)[0]
        assignment, notebook, item, student = parts
        yield RequestLine(assignment, notebook, item, student, " ".join(reason.split())[:MAX_REASON])
