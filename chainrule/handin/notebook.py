"""What a notebook's JSON holds: its Markdown, its formulas, its outputs as they look in the end."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from chainrule.handin.formulas import formulas

MOST_LINES = 160  # of one output; a write-up is read by people
MOST_LETTERS = 4_000  # of one line of output


def markdown_of(notebook: Mapping[str, Any]) -> Iterator[str]:
    """The sources of the Markdown cells, in order."""
    for cell in notebook["cells"]:
        if isinstance(cell, Mapping) and cell.get("cell_type") == "markdown":
            yield joined(cell.get("source", ""))


def formulas_of(notebook: Mapping[str, Any]) -> Iterator[str]:
    """The TeX of every formula in the Markdown cells, in order."""
    for source in markdown_of(notebook):
        yield from (found.tex for _, found in formulas(source))


def joined(text: Any) -> str:
    """A text of a notebook, which JSON may keep as a list of lines."""
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def merged(outputs: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The outputs with runs of one stream joined: a progress bar's pieces overwrite each other."""
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
    """What a terminal shows in the end: no colours, and of a progress bar only its last state."""
    lines, row, column = [""], 0, 0
    for match in _TERMINAL.finditer(text.replace("\r\n", "\n")):
        token = match[0]
        if match["text"]:
            line = lines[row].ljust(column)
            line = line[:column] + token + line[column + len(token) :]
            lines[row] = line[: MOST_LETTERS + 1]
            column = min(column + len(token), MOST_LETTERS + 1)
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
    """An output as long as people read, and how many lines of it are left out."""
    lines = [f"{line[:MOST_LETTERS]} […]" if len(line) > MOST_LETTERS else line for line in text.split("\n")]
    missing = max(0, len(lines) - MOST_LINES)
    if missing:
        lines[MOST_LINES // 2 : -MOST_LINES // 2] = [f"[… {missing} lines, which the notebook shows]"]
    return "\n".join(lines), missing
