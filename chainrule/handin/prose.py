"""Markdown and HTML to Typst.

pandoc parses the text, this module writes Typst. pandoc's own Typst writer passes on raw Typst and Typst attributes,
which could run commands from an untrusted notebook. Here each kind of element is written explicitly, and all
others are left out. Markdown goes through HTML, as it does in Jupyter, so that `<img width=…>`, `<table>` or
`<br>` in a cell look as they do there.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pypandoc

from chainrule.errors import ChainruleError
from chainrule.handin.formulas import FormulaSource, MaskedMarkdown
from chainrule.handin.markup import NOTE, Printable, in_pixels, printable
from chainrule.handin.typesetting import GUTTER, TEXT_WIDTH, breakable, quoted

MARKDOWN = "commonmark+pipe_tables+strikeout+autolink_bare_uris+task_lists+raw_html"
HTML = "html-auto_identifiers+task_lists"
MIN_FONT_SIZE = 6.5  # points, in a wide table
SECONDS = 30  # time limit of pandoc for one cell, which usually takes some milliseconds

_WRAPPERS = {
    "Emph": "emph",
    "Strong": "strong",
    "Underline": "underline",
    "Strikeout": "strike",
    "Superscript": "super",
    "Subscript": "sub",
    "SmallCaps": "smallcaps",
}

Length = float | str | None
Node = dict[str, Any]  # of pandoc's JSON: "t" is the type, "c" the contents


class ProseError(ChainruleError, ValueError):
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
    """Writes texts as Typst.

    Args:
        formula: the Typst for a formula.
        image: the Typst for an image, from its address, alternative text, width and height; both in CSS pixels, as
            a share of the page such as "50%", or None.
        heading_level: a heading's level in the whole document, from its level in the text.
        boxed: told of what print can't show.
    """

    def __init__(
        self,
        formula: Callable[[FormulaSource], str],
        image: Callable[[str, str, Length, Length], str],
        heading_level: Callable[[int], int],
        boxed: Callable[[str], None],
    ) -> None:
        self._formula = formula
        self._image = image
        self._heading_level = heading_level
        self._boxed = boxed
        self._masked = MaskedMarkdown("")
        self._chapters = True
        self._in_heading = False

    def markdown(self, text: str, *, chapters: bool = True) -> str:
        """Markdown as Typst.

        Args:
            chapters: whether its headings are headings of the document.
        Raises:
            ProseError: pandoc cannot read it.
        """
        masked = MaskedMarkdown(text)
        try:
            page = printable(_pandoc(masked.text, MARKDOWN, "html"))
        except (ValueError, RecursionError) as error:
            raise ProseError(f"it cannot be read: {error}") from error
        return self._write(page, masked, chapters)

    def html(self, page: Printable) -> str:
        """HTML of an output as Typst. Its headings are none of the document. Raises as `markdown`."""
        return self._write(page, page.formulas, chapters=False)

    def _write(self, page: Printable, masked: MaskedMarkdown, chapters: bool) -> str:
        self._masked, self._chapters = masked, chapters
        try:
            typst = self._blocks(json.loads(_pandoc(page.html, HTML, "json"))["blocks"])
        except RecursionError as error:
            raise ProseError("it is nested too deeply") from error
        for text in page.boxed:
            self._boxed(masked.restore(text))
        return typst

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
                self._in_heading = self._chapters
                body = self._inlines(inlines)
                self._in_heading = False
                if not self._chapters:
                    return f"#strong[{body}]" if body.strip() else ""
                return f"#heading(level: {self._heading_level(level)})[{body}]" if body.strip() else ""
            case "CodeBlock":
                (_, classes, _), source = content
                if "mermaid" in classes:
                    self._boxed(
                        "a drawing in Mermaid is shown as its source: save it as a picture (PNG) and show that"
                    )
                language = f", lang: {quoted(classes[0])}" if classes else ""
                return f"#listing({quoted(breakable(self._masked.restore(source)))}{language})"
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
                (_, _, attributes), blocks = content
                return _coloured(self._blocks(blocks), dict(attributes).get("style", ""), background=False)
            case "Figure":
                _, (_, caption), blocks = content
                return self._blocks([*blocks, *caption])
        return ""  # raw HTML, TeX or Typst

    def _items(self, items: list[list[Node]]) -> str:
        tight = all(item[0]["t"] == "Plain" for item in items if item)
        return f"tight: {str(tight).lower()}, " + ", ".join(f"[{self._blocks(item)}]" for item in items)

    def _table(self, content: list[Any]) -> str:
        """A table. One that is too wide is split: each part has some columns and the first one again."""
        (_, classes, _), (_, caption), columns, (_, head), bodies, (_, foot) = content
        # pandas aligns its tables by a style sheet, which pandoc does not read.
        default = "right" if "dataframe" in classes else "auto"
        names = {"AlignLeft": "left", "AlignRight": "right", "AlignCenter": "center", "AlignDefault": default}
        align = [names[column[0]["t"]] for column in columns]
        rows = [(row, heads) for _, heads, first, rest in bodies for row in [*first, *rest]]
        rows += [(row, 0) for row in foot]
        all_rows = [*head, *(row for row, _ in rows)]
        widths = _widths_in_em(all_rows, len(columns))
        available = (TEXT_WIDTH - GUTTER) / MIN_FONT_SIZE
        regular = all(len(row[1]) == len(columns) for row in all_rows)  # no cell spans others
        tables = [f"#table-caption[{self._blocks(caption)}]"] if caption else []
        groups = _groups(widths, available) if regular else [list(range(len(columns)))]
        widest = max(sum(widths[column] for column in group) for group in groups)
        size = min(9.5, (TEXT_WIDTH - GUTTER) / max(1, widest))
        for group in groups:
            header = "".join(self._cells(row, len(columns), group) for row in head)
            cells = "\n".join(self._cells(row, heads, group) for row, heads in rows)
            aligned = "".join(align[column] + ", " for column in group)
            tables.append(
                f"#data-table({len(group)}, ({aligned}), {size:.2f}pt, header: ({header}),\n{cells}\n)"
            )
        return "\n\n".join(tables)

    def _cells(self, row: list[Any], heads: int, group: Sequence[int]) -> str:
        """A row's cells in these columns, each followed by a comma; the first `heads` are bold."""
        cells = []
        row_style = dict(row[0][2]).get("style", "")
        for at, ((_, _, attributes), _, rows, columns, blocks) in enumerate(row[1]):
            if at not in group:
                continue
            style = dict(attributes).get("style") or row_style
            background = _declared(style, "background-color")
            body = _coloured(self._blocks(blocks), style, background=False)
            span = f"rowspan: {rows}, colspan: {columns}" + (f", fill: {background}" if background else "")
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
                return f"#raw({quoted(breakable(self._masked.restore(content[1])))});"
            case "Math":
                display = content[0]["t"] == "DisplayMath"
                return self._formula(FormulaSource(content[1], display, content[1]))
            case "Quoted":
                left, right = "‘’" if content[0]["t"] == "SingleQuote" else "“”"
                return f"{left}{self._inlines(content[1])}{right}"
            case "Link":
                _, inlines, (address, _) = content
                return self._link(self._masked.restore(address), self._inlines(inlines))
            case "Image":
                attributes, alt, (address, _) = content
                text = self._masked.restore(_text(alt))
                width, height = (
                    sensible_length(dict(attributes[2]).get(side)) for side in ("width", "height")
                )
                return self._image(self._masked.restore(address), text, width, height)
            case "Note":
                return f"#footnote[{self._blocks(content)}];"
            case "Span":
                (_, classes, attributes), inlines = content
                if NOTE in classes:
                    return f"#note({quoted(breakable(self._masked.restore(_text(inlines))))});"
                return _coloured(self._inlines(inlines), dict(attributes).get("style", ""))
            case "Cite":
                return self._inlines(content[1])
        return ""  # raw HTML, TeX or Typst

    def _string(self, text: str) -> str:
        typst = []
        for index, piece in enumerate(self._masked.split(text)):
            if isinstance(piece, FormulaSource):
                typst.append(self._formula(piece))
                if self._in_heading:  # bookmarks and screen readers need the title as text
                    typst.append(f"#place(hide({quoted(breakable(piece.tex.strip()))}));")
            else:
                # No line may begin with the "-dimensional" of "$d$-dimensional": U+2060 joins the words.
                joiner = "\u2060" if index > 0 and (piece[0] == "-" or piece[0].isalnum()) else ""
                typst.append(f"#{quoted(joiner + breakable(piece))};")
        return "".join(typst)

    def _link(self, address: str, body: str) -> str:
        # Only addresses on the web: a file or a section beside the notebook is not beside the PDF.
        if address.startswith(("https://", "http://", "mailto:")):
            return f"#link({quoted(address)})[{body}];"
        return body


def _text(node: Any) -> str:
    """The plain text of a node of pandoc's JSON."""
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


def sensible_length(length: object) -> Length:
    """The width or height of an image in CSS pixels, or a share such as "50%"; None if it is not sensible."""
    text = in_pixels(str(length)) or ""
    if text.endswith("%"):
        return text if 1 <= float(text[:-1]) <= 100 else None
    return float(text) if text and 1 <= float(text) <= 10_000 else None


def _declared(style: str, name: str) -> str:
    """A colour that `markup` left in a style attribute, as Typst; "" if it has none."""
    match = re.search(rf"(?:^|;)\s*{name}:\s*(#[0-9a-f]{{6}})", style)
    return f'rgb("{match[1]}")' if match else ""


def _coloured(typst: str, style: str, *, background: bool = True) -> str:
    """Typst in the colours and letter shapes of a style attribute."""
    if not style or not typst.strip():
        return typst
    if "bold" in style:
        typst = f"#strong[{typst}];"
    if "italic" in style:
        typst = f"#emph[{typst}];"
    for line, function in (("underline", "underline"), ("line-through", "strike")):
        if line in style:
            typst = f"#{function}[{typst}];"
    if colour := _declared(style, "color"):
        typst = f"#text(fill: {colour})[{typst}];"
    if background and (fill := _declared(style, "background-color")):
        typst = f"#highlight(fill: {fill})[{typst}];"
    return typst


def _widths_in_em(rows: Iterable[Any], columns: int) -> list[float]:
    """About the least width of each column of a table: its longest word and the space between columns."""
    longest = [0] * columns
    for row in rows:
        for at, (_, _, _, _, blocks) in enumerate(row[1][:columns]):
            longest[at] = max([longest[at], *(min(60, len(word)) for word in _text(blocks).split())])
    return [0.55 * letters + 1 for letters in longest]


def _groups(widths: Sequence[float], available: float) -> list[list[int]]:
    """The columns of each part of a split table; no part is wider than `available` (em), and each has column 0."""
    groups: list[list[int]] = [[0]]
    for at in range(1, len(widths)):
        if len(groups[-1]) > 1 and sum(widths[other] for other in [*groups[-1], at]) > available:
            groups.append([0])
        groups[-1].append(at)
    return groups
