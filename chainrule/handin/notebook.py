"""Reads a notebook's JSON: its Markdown, its formulas, and its outputs as they finally look."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from chainrule.handin.formulas import formulas

MAX_LINES = 160  # of one output; a write-up is read by people
MAX_LINE_LENGTH = 4_000  # of one line of output


def markdown_of(notebook: Mapping[str, Any]) -> Iterator[str]:
    """The sources of the Markdown cells, in order."""
    for cell in notebook["cells"]:
        if isinstance(cell, Mapping) and cell.get("cell_type") == "markdown":
            yield joined(cell.get("source", ""))


def formulas_of(notebook: Mapping[str, Any]) -> Iterator[str]:
    """The TeX of every formula in the Markdown cells, in order."""
    for source in markdown_of(notebook):
        yield from (formula.tex for _, formula in formulas(source))


def joined(text: Any) -> str:
    """A text of a notebook as one string; its JSON may have a list of lines."""
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def merged(outputs: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The outputs, with consecutive outputs of the same stream joined, so that a progress bar can overwrite itself."""
    for stream, run in groupby(
        outputs, lambda out: out.get("name") if out.get("output_type") == "stream" else None
    ):
        if stream is None:
            yield from run
        else:
            text = "".join(joined(output.get("text", "")) for output in run)
            yield {"output_type": "stream", "name": stream, "text": text}


_TERMINAL = re.compile(
    r"(?P<up>\x1b\[(?P<lines>\d*)A)|(?P<erase>\x1b\[[02]?K)"
    r"|(?P<other>\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?)"
    r"|(?P<control>[\r\n\x08])|(?P<text>[^\x1b\r\n\x08]+)",
    re.DOTALL,
)


def final_screen(text: str) -> str:
    """What a terminal finally shows: no colours, and only the last state of a progress bar."""
    lines, row, column = [""], 0, 0
    for match in _TERMINAL.finditer(text.replace("\r\n", "\n")):
        token = match[0]
        if match["text"]:
            line = lines[row].ljust(column)
            line = line[:column] + token + line[column + len(token) :]
            lines[row] = line[: MAX_LINE_LENGTH + 1]
            column = min(column + len(token), MAX_LINE_LENGTH + 1)
        elif token == "\n":
            row, column = row + 1, 0
            if row == len(lines):
                lines.append("")
        elif token == "\r":
            column = 0
        elif token == "\x08":
            column = max(0, column - 1)
        elif match["up"]:
            row = max(0, row - int(match["lines"] or 1))
        elif match["erase"]:
            lines[row] = lines[row][:column]
    return "\n".join(line.rstrip() for line in lines)


def shortened(text: str) -> tuple[str, int]:
    """The output without the middle of a very long text, and how many lines are left out."""
    lines = [
        f"{line[:MAX_LINE_LENGTH]} […]" if len(line) > MAX_LINE_LENGTH else line for line in text.split("\n")
    ]
    missing = max(0, len(lines) - MAX_LINES)
    if missing:
        lines[MAX_LINES // 2 : -MAX_LINES // 2] = [f"[… {missing} lines, which the notebook shows]"]
    return "\n".join(lines), missing
