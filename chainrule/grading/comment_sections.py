"""What we write into nbgrader's automatic comments: sections, each below a heading."""

from __future__ import annotations

import re

MARKED_BEFORE = "Marked before:"
REPAIRED = "Repaired before grading:"
NOT_GRADED = "Not graded:"
HEADINGS = (MARKED_BEFORE, REPAIRED, NOT_GRADED)


def with_section(comment: str, heading: str, text: str) -> str | None:
    """A comment with this text under its heading, or without the heading if the text is empty."""
    sections = re.split(rf"(?:^|\n\n)(?={'|'.join(map(re.escape, HEADINGS))})", comment)
    kept = [section.strip() for section in sections if not section.startswith(heading)]
    return "\n\n".join(filter(None, [*kept, f"{heading}{text}" if text else ""])) or None


def was_for_earlier(item: str) -> str:
    """How a sentence about the mark of an earlier answer begins."""
    return f"{item} was"
