"""Markdown and HTML to Typst.

Pandoc reads, we write. Pandoc's own Typst writer lets a document carry raw Typst and Typst attributes,
which in a stranger's notebook are commands; here every kind of element is written by name, and what has no
name is left out. Markdown goes through HTML, as it does in Jupyter, so that `<img width=…>`, `<table>` or
`<br>` in a cell mean what they mean there.
"""

import json
import subprocess
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pypandoc

from chainrule.handin.formulas import Found, Places
from chainrule.handin.typesetting import GUTTER, ROOM, breakable, quoted

MARKDOWN = "commonmark+pipe_tables+strikeout+autolink_bare_uris+task_lists+raw_html"
HTML = "html-native_divs-native_spans-auto_identifiers+task_lists"
SMALLEST = 6.5  # points, of the letters in a wide table
SECONDS = 30  # for pandoc to read one cell, which takes it some milliseconds

_WRAPPERS = {
    "Emph": "emph",
    "Strong": "strong",
    "Underline": "underline",
    "Strikeout": "strike",
    "Superscript": "super",
    "Subscript": "sub",
    "SmallCaps": "smallcaps",
}

Node = dict[str, Any]  # of pandoc's JSON: "t" is the type, "c" the contents


class ProseError(ValueError):
    """A text that pandoc cannot read."""


def _pandoc(text: str, source: str, target: str) -> str:
    # --sandbox: no files, no network. -M: memory for a text made to exhaust it.
    options = ["--sandbox", "--wrap=none", "--email-obfuscation=none", "--syntax-highlighting=none"]
    command = [pypandoc.get_pandoc_path(), "-f", source, "-t", target, *options, "+RTS", "-M512M", "-RTS"]
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=SECONDS, check=True)
    except subprocess.TimeoutExpired as error:
        raise ProseError(f"pandoc needs more than {SECONDS} s to read it") from error
    except subprocess.CalledProcessError as error:
        complaint = error.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise ProseError(f"pandoc cannot read it: {complaint}") from error
    return done.stdout.decode()


class Prose:
    """Writes texts as Typst. Formulas, images and the place of a heading are the caller's: `formula(found)` and
    `picture(address, alt, width in CSS pixels or None)` give the Typst for one, `level(written)` a heading's
    level in the whole document."""

    def __init__(
        self,
        formula: Callable[[Found], str],
        picture: Callable[[str, str, float | None], str],
        level: Callable[[int], int],
    ) -> None:
        self._formula = formula
        self._picture = picture
        self._level = level
        self._places = Places("")

    def markdown(self, text: str) -> str:
        """Raises `ProseError` if pandoc cannot read `text`."""
        places = Places(text)
        return self._write(_pandoc(places.text, MARKDOWN, "html"), places)

    def html(self, text: str) -> str:
        """As `markdown`; dollars in HTML outputs are dollars."""
        return self._write(text, Places(""))

    def _write(self, html: str, places: Places) -> str:
        self._places = places
        try:
            return self._blocks(json.loads(_pandoc(html, HTML, "json"))["blocks"])
        except RecursionError as error:
            raise ProseError("it is nested too deeply") from error

    # Blocks

    def _blocks(self, nodes: Iterable[Node]) -> str:
        return "\n\n".join(self._block(node) for node in nodes)

    def _block(self, node: Node) -> str:
        content: Any = node.get("c")
        match node["t"]:
            case "Plain" | "Para":
                return self._inlines(content)
            case "LineBlock":
                return "#linebreak();".join(self._inlines(line) for line in content)
            case "Header":
                level, _, inlines = content
                body = self._inlines(inlines)
                return f"#heading(level: {self._level(level)})[{body}]" if body.strip() else ""
            case "CodeBlock":
                (_, classes, _), source = content
                language = f", lang: {quoted(classes[0])}" if classes else ""
                return f"#listing({quoted(breakable(self._places.restore(source)))}{language})"
            case "BlockQuote":
                return f"#quotation[{self._blocks(content)}]"
            case "BulletList":
                return f"#list({self._items(content)})"
            case "OrderedList":
                (start, _, _), items = content
                return f"#enum(start: {start}, {self._items(items)})"
            case "DefinitionList":
                return "\n\n".join(
                    f"#terms.item([{self._inlines(term)}])[{'; '.join(map(self._blocks, definitions))}]"
                    for term, definitions in content
                )
            case "HorizontalRule":
                return "#rule()"
            case "Table":
                return self._table(content)
            case "Div":
                return self._blocks(content[1])
            case "Figure":
                _, (_, caption), blocks = content
                return self._blocks([*blocks, *caption])
        return ""  # raw HTML, TeX or Typst

    def _items(self, items: list[list[Node]]) -> str:
        tight = all(item[0]["t"] == "Plain" for item in items if item)
        return f"tight: {str(tight).lower()}, " + ", ".join(f"[{self._blocks(item)}]" for item in items)

    def _table(self, content: list[Any]) -> str:
        """A table; one too wide to be read comes as several, each with some columns and the first one again."""
        (_, classes, _), _, columns, (_, head), bodies, (_, foot) = content
        # pandas aligns its frames by a style sheet, which pandoc does not read.
        default = "right" if "dataframe" in classes else "auto"
        names = {"AlignLeft": "left", "AlignRight": "right", "AlignCenter": "center", "AlignDefault": default}
        align = [names[column[0]["t"]] for column in columns]
        rows = [(row, heads) for _, heads, first, rest in bodies for row in [*first, *rest]]
        rows += [(row, 0) for row in foot]
        every = [*head, *(row for row, _ in rows)]
        widths = _widths_in_em(every, len(columns))
        room = (ROOM - GUTTER) / SMALLEST
        regular = all(len(row[1]) == len(columns) for row in every)  # no cell spans others
        drawn = []
        for chosen in _groups(widths, room) if regular else [list(range(len(columns)))]:
            size = min(9.5, (ROOM - GUTTER) / max(1, sum(widths[at] for at in chosen)))
            header = "".join(self._cells(row, len(columns), chosen) for row in head)
            cells = "\n".join(self._cells(row, heads, chosen) for row, heads in rows)
            aligned = "".join(align[at] + ", " for at in chosen)
            drawn.append(
                f"#data-table({len(chosen)}, ({aligned}), {size:.2f}pt, header: ({header}),\n{cells}\n)"
            )
        return "\n\n".join(drawn)

    def _cells(self, row: list[Any], heads: int, chosen: Sequence[int]) -> str:
        """A row's cells in the chosen columns, each with a comma; the first `heads` are bold."""
        cells = []
        for at, (_, _, rows, columns, blocks) in enumerate(row[1]):
            if at not in chosen:
                continue
            body = self._blocks(blocks)
            span = f"rowspan: {rows}, colspan: {columns}"
            cells.append(f"table.cell({span})[{f'#strong[{body}]' if at < heads else body}], ")
        return "".join(cells)

    # Inlines

    def _inlines(self, nodes: Iterable[Node]) -> str:
        return "".join(self._inline(node) for node in nodes)

    def _inline(self, node: Node) -> str:
        kind: str = node["t"]
        content: Any = node.get("c")
        if kind in _WRAPPERS:
            return f"#{_WRAPPERS[kind]}[{self._inlines(content)}];"
        match kind:
            case "Str":
                return self._string(content)
            case "Space" | "SoftBreak":
                return " "
            case "LineBreak":
                return "#linebreak();"
            case "Code":
                return f"#raw({quoted(breakable(self._places.restore(content[1])))});"
            case "Math":
                display = content[0]["t"] == "DisplayMath"
                return self._formula(Found(content[1], display, content[1]))
            case "Quoted":
                left, right = "‘’" if content[0]["t"] == "SingleQuote" else "“”"
                return f"{left}{self._inlines(content[1])}{right}"
            case "Link":
                _, inlines, (address, _) = content
                return self._link(self._places.restore(address), self._inlines(inlines))
            case "Image":
                attributes, alt, (address, _) = content
                text = self._places.restore(_text(alt))
                return self._picture(
                    self._places.restore(address), text, sensible_width(dict(attributes[2]).get("width"))
                )
            case "Note":
                return f"#footnote[{self._blocks(content)}];"
            case "Span" | "Cite":
                return self._inlines(content[1])
        return ""  # raw HTML, TeX or Typst

    def _string(self, text: str) -> str:
        pieces = list(self._places.split(text))
        written = []
        for at, piece in enumerate(pieces):
            if isinstance(piece, Found):
                written.append(self._formula(piece))
            else:
                # No line may begin with the "-dimensional" of "$d$-dimensional": U+2060 joins the words.
                joiner = "\u2060" if at > 0 and (piece[0] == "-" or piece[0].isalnum()) else ""
                written.append(f"#{quoted(joiner + breakable(piece))};")
        return "".join(written)

    def _link(self, address: str, body: str) -> str:
        # Only what a reader can follow: a file or a section beside the notebook is not beside the PDF.
        if address.startswith(("https://", "http://", "mailto:")):
            return f"#link({quoted(address)})[{body}];"
        return body


def _text(node: Any) -> str:
    """The bare text of a piece of pandoc's JSON."""
    if isinstance(node, list):
        return "".join(map(_text, node))
    if isinstance(node, dict):
        if node["t"] in ("Space", "SoftBreak", "LineBreak"):
            return " "
        content: Any = node.get("c")
        if node["t"] in ("Str", "Code", "Math"):
            return content if isinstance(content, str) else content[1]
        return _text(content) if isinstance(content, list) else ""
    return ""


def sensible_width(width: object) -> float | None:
    """The width in CSS pixels that HTML or a notebook gives an image; None if it makes no sense."""
    try:
        pixels = float(str(width).removesuffix("px"))
    except ValueError:
        return None
    return pixels if 1 <= pixels <= 10_000 else None


def _widths_in_em(rows: Iterable[Any], columns: int) -> list[float]:
    """About how wide each column of a table must at least be: its longest word and the space between columns."""
    longest = [0] * columns
    for row in rows:
        for at, (_, _, _, _, blocks) in enumerate(row[1][:columns]):
            longest[at] = max([longest[at], *(min(60, len(word)) for word in _text(blocks).split())])
    return [0.55 * letters + 1 for letters in longest]


def _groups(widths: Sequence[float], room: float) -> list[list[int]]:
    """Columns by the table they go to, so that none is wider than `room`; column 0 heads every table."""
    groups: list[list[int]] = [[0]]
    for at in range(1, len(widths)):
        if len(groups[-1]) > 1 and sum(widths[other] for other in [*groups[-1], at]) > room:
            groups.append([0])
        groups[-1].append(at)
    return groups
