"""One notebook's cells and outputs in Typst."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from chainrule.handin.formulas import FormulaError, Found, Labels, MathJax, formulas
from chainrule.handin.images import decoded, is_drawing, named_image, raster
from chainrule.handin.prose import Prose, ProseError, sensible_width
from chainrule.handin.typesetting import ROOM, TEXT, Part, WriteUp, breakable, quoted

MOST_LINES = 160  # of one output; a write-up is read by people
MOST_LETTERS = 4_000  # of one line of output
LARGEST_TABLE = 500_000  # characters of HTML; the output's plain text is shown instead


class NotebookWriter:
    """Adds one notebook to a write-up, cell by cell."""

    def __init__(self, path: Path, writeup: WriteUp) -> None:
        self._name = path.name
        self._folder = path.resolve().parent
        self._writeup = writeup
        self._mathjax = MathJax()
        self._prose = Prose(self._formula, self._picture, writeup.level)
        self._where = self._name
        self._attachments: Mapping[str, Any] = {}
        self._language = "python"
        self._blank = True

    def write(self, notebook: Mapping[str, Any]) -> None:
        metadata = notebook.get("metadata") or {}
        kernel = metadata.get("kernelspec") or {}
        self._language = str(kernel.get("language") or "python")
        self._mathjax = MathJax(Labels(texts(notebook)))  # macros and labels belong to their notebook
        self._writeup.add_notebook(self._name)
        for number, cell in enumerate(notebook["cells"], 1):
            self._where = f"{self._name}, cell {number}"
            try:
                self._cell(cell)
            except Exception as error:
                # A cell can be malformed in more ways than we can name; none may cost the other cells.
                self._warn(f"cannot be shown ({type(error).__name__}: {error})")
                self._add("#note[A cell that cannot be shown.]")
        if self._blank:
            self._add("#note[There is nothing in this notebook.]")

    def _add(self, typst: str, plain: str = "") -> None:
        self._blank = self._blank and not typst.strip()
        self._writeup.add(Part(self._where, typst, plain))

    def _warn(self, problem: str) -> None:
        self._writeup.warnings.append(f"{self._where}: {problem}")

    # Cells

    def _cell(self, cell: Mapping[str, Any]) -> None:
        source = joined(cell.get("source", ""))
        kind = cell.get("cell_type")
        if kind == "markdown":
            self._attachments = cell.get("attachments") or {}
            self._add(self._readable(source), source)
        elif kind == "code":
            outputs = cell.get("outputs") or []
            if source.strip() or outputs:
                count = cell.get("execution_count")
                label = quoted(f"[{count if isinstance(count, int) else ' '}]")
                code = quoted(breakable(source.rstrip()))
                self._add(f"#code-cell({label}, {code}, lang: {quoted(self._language)})", source)
            for output in merged(outputs):
                self._output(output)
        elif source.strip():
            self._add(f"#listing({quoted(breakable(source))})", source)

    def _readable(self, markdown: str) -> str:
        try:
            return self._prose.markdown(markdown)
        except ProseError as error:
            self._warn(f"shown as plain text: {error}")
            return f"#listing({quoted(breakable(markdown))})"

    # Outputs

    def _output(self, output: Mapping[str, Any]) -> None:
        kind = output.get("output_type")
        if kind == "stream":
            self._text(
                joined(output.get("text", "")), "stderr" if output.get("name") == "stderr" else "stdout"
            )
        elif kind == "error":
            trace = "\n".join(map(str, output.get("traceback") or []))
            self._text(trace or f"{output.get('ename')}: {output.get('evalue')}", "error")
        else:
            self._data(output.get("data") or {}, output.get("metadata") or {})

    def _text(self, text: str, kind: str) -> None:
        text = final_screen(text).strip("\n")
        if text.strip():
            text = self._shortened(text)
            self._add(f"#output-text({quoted(breakable(text))}, kind: {quoted(kind)})", text)

    def _shortened(self, text: str) -> str:
        lines = [
            f"{line[:MOST_LETTERS]} […]" if len(line) > MOST_LETTERS else line for line in text.split("\n")
        ]
        missing = len(lines) - MOST_LINES
        if missing > 0:
            self._warn(f"{missing} lines of a long output are left out")
            lines[MOST_LINES // 2 : -MOST_LINES // 2] = [f"[… {missing} lines, which the notebook shows]"]
        return "\n".join(lines)

    def _data(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """One output that comes in several forms: the best one that print can show."""
        plain = joined(data.get("text/plain", ""))
        for mimetype in ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"):
            if mimetype in data:
                return self._image_output(
                    mimetype, joined(data[mimetype]), metadata.get(mimetype) or {}, plain
                )
        html = joined(data.get("text/html", ""))
        shown_by_html = "<table" in html or not plain or plain.startswith("<IPython.core.display.")
        if html and shown_by_html and len(html) <= LARGEST_TABLE:
            try:
                body = self._prose.html(html)
            except ProseError as error:
                self._warn(f"an HTML output is shown as plain text: {error}")
                body = ""
            if body.strip():
                return self._add(f"#output[{body}]", plain)
        for mimetype in ("text/markdown", "text/latex"):
            if mimetype in data:
                source = joined(data[mimetype])
                return self._add(f"#output[{self._readable(source)}]", source)
        if plain.strip() and not plain.startswith("<IPython.core.display."):
            return self._text(plain, "result")
        if data:
            kinds = ", ".join(sorted(data))
            self._warn(f"an output has no form that print can show ({kinds})")
            self._add(f"#output[#note({quoted(f'An output that print cannot show ({kinds}).')})]")

    def _image_output(self, mimetype: str, text: str, metadata: Mapping[str, Any], plain: str) -> None:
        try:
            data = text.encode() if mimetype == "image/svg+xml" else decoded(text)
            width = sensible_width(metadata.get("width"))
            shown = self._image(data, "Output of the cell above", width)
        except ValueError as error:
            self._warn(f"an image output is not shown: {error}")
            shown = f"#note({quoted(f'An image that cannot be shown: {error}.')});"
        self._add(f"#output[{shown}]", plain)

    # What stands inside prose: formulas and images

    def _formula(self, found: Found) -> str:
        tex = found.tex.strip()
        try:
            formula = self._mathjax.to_svg(tex, found.display)
        except FormulaError as error:
            self._warn(f"a formula is shown as source, {error}: {tex[:80]}")
            return f"#formula-source({quoted(breakable(tex))});"
        if not formula.width:
            return ""
        file = self._writeup.add_file(formula.svg.encode(), "svg")
        alt = quoted(tex)
        if found.display or formula.width * TEXT > ROOM:  # a line of its own, where it can shrink to fit
            return f"#display-formula({file}, {formula.width:.3f}em, {alt});"
        return f"#formula({file}, {formula.height:.3f}em, {formula.baseline:.3f}em, {alt});"

    def _picture(self, address: str, alt: str, width: float | None) -> str:
        try:
            return self._image(
                named_image(address, self._folder, self._attachments), alt or f"Image {address[:80]}", width
            )
        except (ValueError, OSError) as error:
            name = address if len(address) <= 80 else address[:80] + "…"
            self._warn(f"image {name} is not shown: {error}")
            return f"#note({quoted(f'Image not shown: {name} ({error}).')});"

    def _image(self, data: bytes, alt: str, width: float | None) -> str:
        """Typst for an image, `width` CSS pixels wide if that is said. Raises `ImageError`."""
        if is_drawing(data):
            suffix, pixels = "svg", width or "none"  # then Typst asks the drawing
        else:
            suffix, pixels = raster(data)
            pixels = width or pixels
        return f"#picture({self._writeup.add_file(data, suffix)}, alt: {quoted(alt)}, pixels: {pixels});"


def texts(notebook: Mapping[str, Any]) -> Iterator[str]:
    """The formulas of a notebook's Markdown cells, in order."""
    for cell in notebook["cells"]:
        if isinstance(cell, Mapping) and cell.get("cell_type") == "markdown":
            yield from (found.tex for _, found in formulas(joined(cell.get("source", ""))))


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
