"""A student's page: points by question, then their notebook with scores, check results and comments.

It is one file that loads nothing and runs nothing. Whatever a student may have written is built anew from
the few elements and attributes that text, tables and pictures need.
"""

from __future__ import annotations

import base64
import re
import tempfile
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, NavigableString, Tag
from jinja2 import Environment
from markupsafe import Markup
from nbconvert.exporters import HTMLExporter
from nbconvert.exporters.exporter import Exporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from chainrule.course import CourseError
from chainrule.feedback.formulas import Drawings
from chainrule.feedback.points import Points, shown
from chainrule.feedback.preprocessors import CHECKS_TYPE, DRAWING_TYPE, Harmless, is_ours
from chainrule.feedback.template import INDEX, PAGE, STYLE
from chainrule.handin.formulas import Places
from chainrule.handin.images import ImageError, decoded, is_drawing, named_image, raster
from chainrule.handin.notebook import final_screen, formulas_of, joined, merged, shortened

ELEMENTS = {
    *("a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "del", "details", "div"),
    *("em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd"),
    *("li", "mark", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "summary", "sup"),
    *("table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul"),
}
ATTRIBUTES = {"alt", "colspan", "href", "rowspan", "scope", "src", "start", "title"}
AUTHORS_ATTRIBUTES = ATTRIBUTES | {"class", "id", "style", "width"}
EMPTIED = ["script", "style", "title", "template", "iframe", "object", "svg", "math", "noscript", "textarea"]
WEB = re.compile(r"\s*(https?://|mailto:)", re.IGNORECASE)
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
HIGHLIGHT = HtmlFormatter(nowrap=True)
DRAWING = """
#set page(width: auto, height: auto, margin: 0pt)
#context {
  let size = measure(image("drawing.svg"))
  let fits = calc.min(1, 180mm / size.width, 240mm / size.height)
  image("drawing.svg", width: size.width * fits)
}
"""
ENVIRONMENT = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
ENVIRONMENT.globals.update(shown=shown)
INDEX_NAME = "index.html"


class FeedbackExporter(HTMLExporter):
    """nbconvert's exporter for `nbgrader generate_feedback`; for several notebooks there is an index, too."""

    def from_notebook_node(
        self, nb: NotebookNode, resources: Any = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        """The page, and resources whose `outputs` hold the index."""
        nb, resources = Exporter.from_notebook_node(self, nb, resources, **kwargs)
        about = resources["nbgrader"]
        if len(about["all_points"]) > 1:
            if any(points.title == "index" for points in about["all_points"]):
                raise CourseError(
                    "a notebook called index has no page: rename it, as index.html lists them all"
                )
            folder = Path(resources["metadata"]["path"])
            resources.setdefault("outputs", {})[INDEX_NAME] = index(about, folder).encode()
        return page(nb, about, Path(resources["metadata"]["path"])), resources


def page(nb: NotebookNode, about: Mapping[str, Any], folder: Path) -> str:
    """The page of a redacted notebook.

    Args:
        about: what `GetPoints` has put into resources["nbgrader"].
        folder: where the notebook's pictures are.
    """
    cells = Cells(nb, folder)
    body = Markup("".join(cells.drawn()))
    items = {cell.metadata.nbgrader.grade_id for cell in nb.cells if is_item(cell)}
    return _clean(
        ENVIRONMENT.from_string(PAGE).render(
            about=about,
            points=about["points"],
            items=items,
            body=body,
            glyphs=Markup(cells.drawings.glyphs()),
            style=Markup(STYLE + HIGHLIGHT.get_style_defs([".code", ".highlight"])),
            index=INDEX_NAME if len(about["all_points"]) > 1 else "",
        )
    )


def index(about: Mapping[str, Any], folder: Path) -> str:
    """The page that sums the notebooks of an assignment up; `folder` has those that were graded."""
    every: list[Points] = about["all_points"]
    whole = Points(
        about["assignment"],
        tuple(item for points in every for item in points.items),
        sum(points.penalty for points in every),
    )
    there = {path.stem for path in folder.glob("*.ipynb")}
    return _clean(
        ENVIRONMENT.from_string(INDEX).render(
            about=about, every=every, whole=whole, there=there, style=Markup(STYLE)
        )
    )


def is_item(cell: NotebookNode) -> bool:
    """Whether the cell has points."""
    marks = cell.metadata.get("nbgrader", {})
    return bool(marks.get("grade") or marks.get("task"))


def _clean(page: str) -> str:
    """The page without what no text has: control characters, and halves of characters."""
    page = UNPRINTABLE.sub("\ufffd", page)
    return page.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Cells:
    """A redacted notebook's cells as HTML."""

    def __init__(self, nb: NotebookNode, folder: Path) -> None:
        self._nb, self._folder = nb, folder
        self.drawings = Drawings(formulas_of(nb))
        self._levels: list[int] = []
        self._ids: set[str] = set()

    def drawn(self) -> list[str]:
        """Each cell's HTML."""
        found = []
        for number, cell in enumerate(self._nb.cells, 1):
            marks = cell.metadata.get("nbgrader", {})
            inside = (
                self._markdown_cell(cell) if cell.cell_type == "markdown" else self._code_cell(cell, number)
            )
            if is_item(cell):
                inside = self._label(marks) + inside
            if (marks.get("solution") or marks.get("task")) and marks.get("comment"):
                comment = self._markdown(str(marks["comment"]), {}, ours=False)
                inside += f'<div class="comment"><p class="label">Comment</p>{comment}</div>'
            kind = "item" if is_item(cell) else "answer" if marks.get("solution") else "cell"
            if inside:
                found.append(f'<div class="{kind}">{inside}</div>\n')
        return found

    @staticmethod
    def _label(marks: Mapping[str, Any]) -> str:
        name = str(marks["grade_id"])
        points = (
            f"{shown(marks['score'], marks['points'])} of {shown(marks['points'], marks['points'])} points"
        )
        waits = ", not marked yet" if marks.get("waits") else ""
        return (
            f'<p class="label" id="item-{escape(name)}"><strong>{escape(name)}</strong>: {points}{waits} '
            f'<a href="#points" aria-label="{escape(name)}: back to the points">↑ points</a></p>'
        )

    def _markdown_cell(self, cell: NotebookNode) -> str:
        return self._markdown(cell.source, cell.get("attachments", {}), ours=is_ours(cell))

    def _code_cell(self, cell: NotebookNode, number: int) -> str:
        source = UNPRINTABLE.sub("\ufffd", cell.source)
        if cell.cell_type == "raw":
            return f"<pre>{escape(source)}</pre>" if source.strip() else ""
        code = (
            f'<pre class="code">{highlight(source, PythonLexer(), HIGHLIGHT)}</pre>' if source.strip() else ""
        )
        outputs = [self._output(output, number) for output in merged(cell.get("outputs", []))]
        if is_ours(cell) and is_item(cell) and code:  # long, and not what a student looks for
            code = f"<details><summary>The checks you can see</summary>{code}</details>"
            return "".join([*outputs, code])
        return "".join([code, *outputs])

    # Outputs

    def _output(self, output: Mapping[str, Any], number: int) -> str:
        kind = output.get("output_type")
        if kind == "stream":
            return _text(joined(output.get("text", "")), "error" if output.get("name") == "stderr" else "")
        if kind == "error":
            trace = "\n".join(map(str, output.get("traceback") or []))
            return _text(trace or f"{output.get('ename')}: {output.get('evalue')}", "error")
        data = {kind: joined(value) for kind, value in output.get("data", {}).items()}
        if CHECKS_TYPE in data:
            return f'<div class="checks" {_scrolls("check results")}>{data[CHECKS_TYPE]}</div>'
        if "text/html" in data and (body := self._safe(data["text/html"], {}, ours=False)).strip():
            return f'<div class="out">{body}</div>'
        for kind in ("text/markdown", "text/latex"):
            if kind in data:
                return f'<div class="out">{self._markdown(data[kind], {}, ours=False)}</div>'
        for kind in (DRAWING_TYPE, "image/png", "image/jpeg"):
            if kind in data:
                about = output.get("metadata", {}).get(kind, {})
                alt = str(about.get("alt") or f"Figure that cell {number} has put out")
                return f'<div class="out">{_picture(kind, data[kind], alt)}</div>'
        return _text(data.get("text/plain", "") or "[an output that this page cannot show]")

    # Text

    def _markdown(self, source: str, attachments: Mapping[str, Any], *, ours: bool) -> str:
        places = Places(source)
        renderer = (
            IPythonRenderer(escape=False, exclude_anchor_links=True, attachments=dict(attachments))
            if ours
            else Harmless(dict(attachments))
        )
        body = MarkdownWithMath(renderer=renderer).render(places.text)
        return self._safe(body, attachments, ours=ours, places=places)

    def _safe(
        self, body: str, attachments: Mapping[str, Any], *, ours: bool, places: Places | None = None
    ) -> str:
        """HTML with nothing but text, tables and pictures that are part of the page, fit for screen readers.

        Args:
            ours: whether an author wrote it, whose classes and styles are kept.
            places: what the marks of formulas in it stand for.
        """
        soup = BeautifulSoup(body, "html.parser")
        for element in soup.find_all(EMPTIED):
            element.extract()
        for comment in soup.find_all(string=lambda text: type(text) is not NavigableString):
            comment.extract()
        for element in soup.find_all(True):
            if element.name not in ELEMENTS:
                element.unwrap()
                continue
            kept = AUTHORS_ATTRIBUTES if ours else ATTRIBUTES
            element.attrs = {name: value for name, value in element.attrs.items() if name in kept}
            if places:
                for name, value in element.attrs.items():
                    if isinstance(value, str):
                        element[name] = places.restore(value)
            self._identify(element, ours=ours)
            if element.name == "img":
                self._picture(soup, element, attachments)
        drawn: list[str] = []
        if places:
            for text in soup.find_all(string=True):
                self._formulas(soup, text, places, drawn)
        for element in soup.find_all(True):
            self._fit(soup, element)
        written = str(soup)
        for number, formula in enumerate(drawn):
            written = written.replace(f'<span data-formula="{number}"></span>', formula)
        return written

    def _identify(self, element: Tag, *, ours: bool) -> None:
        """Ids and links to them, kept apart from the page's own."""
        if name := element.attrs.pop("id", ""):
            name = f"nb-{name}"
            if name not in self._ids:
                self._ids.add(name)
                element["id"] = name
        if address := str(element.attrs.pop("href", "")):
            if WEB.match(address):
                element["href"] = address
                element["rel"] = "noopener noreferrer"
            elif ours and address.startswith("#"):
                element["href"] = f"#nb-{address[1:]}"

    def _formulas(self, soup: BeautifulSoup, text: NavigableString, places: Places, drawn: list[str]) -> None:
        """Put formulas where their marks are; in code they are text again."""
        if text.find_parent(["code", "pre", "kbd", "samp"]):
            text.replace_with(places.restore(str(text)))
            return
        pieces: list[str | Tag] = []
        for piece in places.split(str(text)):
            if isinstance(piece, str):
                pieces.append(piece)
            else:
                pieces.append(soup.new_tag("span", attrs={"data-formula": str(len(drawn))}))
                drawn.append(self.drawings.draw(piece))
        text.replace_with(*pieces)

    def _picture(self, soup: BeautifulSoup, image: Tag, attachments: Mapping[str, Any]) -> None:
        """Make a picture a part of the page; it comes from the notebook or its folder."""
        address = str(image.get("src", ""))
        try:
            image["src"] = _address(named_image(address, self._folder, attachments))
            image["alt"] = str(image.get("alt", "")).strip() or "A picture without a description"
        except (ImageError, OSError) as error:
            name = str(image.get("alt", "")).strip() or address[:80]
            note = soup.new_tag("span", attrs={"class": "note"})
            note.string = f"[{name}: a picture that is not shown, {error}]"
            image.replace_with(note)

    def _fit(self, soup: BeautifulSoup, element: Tag) -> None:
        """Give an element the place, level and name that a reader without sight needs."""
        parent = element.parent.name if element.parent else ""
        empty = not element.get_text(strip=True) and not element.find(["img", "span"])
        match element.name:
            case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
                element.name = "p" if empty else self._level(int(element.name[1]))
            case "a" if "href" not in element.attrs:
                element.name = "span"
            case "a" if empty:
                element.string = str(element["href"])
            case "ul" | "ol" if any(
                child.name != "li" if isinstance(child, Tag) else str(child).strip() for child in element.children
            ):
                element.name = "div"
            case "li" if parent not in ("ul", "ol"):
                element.name = "div"
            case "th" if empty:
                element.name = "td"
                element.attrs.pop("scope", None)
            case "th" if element.get("scope") not in ("col", "row", "colgroup", "rowgroup"):
                row = element.find_parent("tr")
                heads = row is not None and not any(cell.get_text(strip=True) for cell in row.find_all("td"))
                element["scope"] = "col" if heads or element.find_parent("thead") else "row"
            case "table" if not element.find_parent("table"):
                box = soup.new_tag("div", attrs={"class": "scroll", "tabindex": "0", "role": "group"})
                box["aria-label"] = "table"
                element.wrap(box)

    def _level(self, written: int) -> str:
        """A heading's element: below the page's own, and without gaps above it."""
        while self._levels and self._levels[-1] >= written:
            self._levels.pop()
        self._levels.append(written)
        return f"h{min(6, 2 + len(self._levels))}"


def _scrolls(name: str) -> str:
    """Attributes of what may be wider than the page, so that a keyboard can reach all of it."""
    return f'tabindex="0" role="group" aria-label="{escape(name)}"'


def _text(text: str, kind: str = "") -> str:
    """What a terminal would show."""
    text, _ = shortened(final_screen(text).strip("\n"))
    return f'<pre class="out {kind}">{escape(text)}</pre>' if text.strip() else ""


def _picture(kind: str, text: str, alt: str) -> str:
    """A picture that code has put out."""
    try:
        address = _address(text.encode() if kind == DRAWING_TYPE else decoded(text))
    except ImageError as error:
        return f'<p class="note">[{escape(alt)}: a picture that is not shown, {escape(str(error))}]</p>'
    return f'<img alt="{escape(alt)}" src="{address}">'


def _address(data: bytes) -> str:
    """A picture as an address that holds it; a drawing becomes pixels, as SVG can do more than show.

    Raises:
        ImageError: it is none.
    """
    if is_drawing(data):
        data = pixels(data)
    return f"data:image/{raster(data)[0]};base64,{base64.b64encode(data).decode()}"


def pixels(drawing: bytes) -> bytes:
    """An SVG as PNG, by Typst, which runs and fetches nothing.

    Raises:
        ImageError: Typst can't draw it.
    """
    import typst  # seldom needed, and large

    with tempfile.TemporaryDirectory(prefix="chainrule-drawing-") as folder:
        Path(folder, "drawing.svg").write_bytes(drawing)
        main = Path(folder, "main.typ")
        main.write_text(DRAWING, encoding="utf-8")
        try:
            png = typst.compile(str(main), root=folder, format="png", ppi=144)
        except BaseException as error:
            # a crash inside Typst arrives as a PanicException, which is no Exception
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise ImageError("it is no drawing that can be shown") from error
    assert isinstance(png, bytes)
    return png
