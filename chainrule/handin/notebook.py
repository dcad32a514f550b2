"""Reads a notebook's JSON: its Markdown, its formulas, and its outputs as they finally look."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from chainrule.handin.formulas import formulas

MAX_LINES = 160  # of one output; a write-up is read by people
MAX_LINE_LENGTH = 4_000  # of one line of output
# Characters for a pattern's [...] that show text in another order than it was written in, such as U+202E. Right-to-left
# languages are shown right without them.
REORDERING = "\u202a-\u202e\u2066-\u2069"


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
    """The outputs, with neighbouring outputs of the same stream joined, so that a progress bar can overwrite itself.

    A piece of a stream that begins with a carriage return goes on with the line where its stream stopped, even if the
    other stream wrote something in between, as in `for epoch in tqdm(...): print(...)`.
    """
    for is_text, run in groupby(outputs, lambda output: output.get("output_type") == "stream"):
        if not is_text:
            yield from run
            continue
        parts: list[tuple[Any, list[str]]] = []  # name and text of each joined output
        open_part: dict[Any, list[str]] = {}  # by name: the text whose last line is not finished
        for output in run:
            name, text = output.get("name"), joined(output.get("text", ""))
            if not text:
                continue
            if parts and parts[-1][0] == name:
                part = parts[-1][1]
            elif text.startswith("\r") and not text.startswith("\r\n") and name in open_part:
                part = open_part[name]
            else:
                part = []
                parts.append((name, part))
            part.append(text)
            if text.endswith("\n"):
                open_part.pop(name, None)
            else:
                open_part[name] = part
        for name, part in parts:
            yield {"output_type": "stream", "name": name, "text": "".join(part)}


_TERMINAL = re.compile(
    r"(?P<up>\x1b\[(?P<lines>\d{0,4})A)|(?P<erase>\x1b\[(?P<all>[02]?)K)"
    r"|(?P<other>\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?)"
    r"|(?P<control>[\r\n\x08])|(?P<text>[^\x1b\r\n\x08]+)",
    re.DOTALL,
)
_OVERWRITES = re.compile(r"\r+(?!\r*\n)|\x08|\x1b\[\d*[AK]")  # what a terminal does not only add at the end


def overwrites(text: str) -> bool:
    """Whether a text of a stream goes back to write over itself, as progress bars do."""
    return bool(_OVERWRITES.search(text))


def final_screen(text: str) -> str:
    """What a terminal finally shows: no colours, and only the last state of a progress bar."""
    lines: list[list[str]] = [[]]  # of characters
    row, column = 0, 0
    for match in _TERMINAL.finditer(re.sub(r"\r+\n", "\n", text)):
        token = match[0]
        if match["text"]:
            line = lines[row]
            line.extend(" " * (column - len(line)))
            line[column : column + len(token)] = token
            column += len(token)
        elif token == "\n":
            row, column = row + 1, 0
            if row == len(lines):
                lines.append([])
        elif token == "\r":
            column = 0
        elif token == "\x08":
            column = max(0, column - 1)
        elif match["up"]:
            row = max(0, row - int(match["lines"] or 1))
        elif match["erase"]:
            del lines[row][0 if match["all"] == "2" else column :]
    return "\n".join("".join(line).rstrip() for line in lines)


def shortened(text: str) -> tuple[str, int]:
    """The output without the middle of a very long text, and how many lines are left out."""
    lines = [
        f"{line[:MAX_LINE_LENGTH]} […]" if len(line) > MAX_LINE_LENGTH else line for line in text.split("\n")
    ]
    missing = max(0, len(lines) - MAX_LINES)
    if missing:
        lines[MAX_LINES // 2 : -MAX_LINES // 2] = [f"[… {missing} lines, which the notebook shows]"]
    return "\n".join(lines), missing
