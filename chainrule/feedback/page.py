"""A student's page: points by question, then their notebook with scores, check results and comments.

The page is one file that loads nothing and runs nothing. Content that a student may have written is reduced to the few
elements and attributes that text, tables and images need.
"""

from __future__ import annotations

import base64
import re
import tempfile
from collections.abc import Callable, Mapping
from functools import cache, partial
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString
from jinja2 import Environment
from markupsafe import Markup
from nbconvert.exporters.exporter import Exporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from nbgrader.coursedir import CourseDirectory
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from traitlets import default
from traitlets.config import Config

from chainrule.course import CourseError
from chainrule.feedback.first import look_first
from chainrule.feedback.formulas import FormulaRenderer
from chainrule.feedback.points import Head, Points, points_text, together
from chainrule.feedback.preprocessors import CHECKS_TYPE, SVG_TYPE, SafeRenderer, is_ours
from chainrule.feedback.template import INDEX, NOTHING, PAGE, STYLE
from chainrule.handin.formulas import MaskedMarkdown
from chainrule.handin.images import ImageError, from_base64, is_svg, named_image, raster_format
from chainrule.handin.notebook import final_screen, formulas_of, joined, merged, shortened
from chainrule.lesson.results import counted
from chainrule.requests.line import request_line

ELEMENTS = {
    *("a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "del", "details", "div"),
    *("em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd"),
    *("li", "mark", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "summary", "sup"),
    *("table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul"),
}
ATTRIBUTES = {"alt", "colspan", "href", "rowspan", "scope", "src", "start", "title"}
AUTHORS_ATTRIBUTES = ATTRIBUTES | {"class", "id", "style", "width"}
REMOVED_ELEMENTS = [
    "script",
    "style",
    "title",
    "template",
    "iframe",
    "object",
    "svg",
    "math",
    "noscript",
    "textarea",
]
WEB = re.compile(r"\s*(https?://|mailto:)", re.IGNORECASE)
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
# What turns the direction of a text or takes no room, so that a reader sees another text than a program. The joiners of
# emoji and of Persian (U+200C, U+200D) are not among them.
INVISIBLE = re.compile(
    "[\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
FORMULA = re.compile(r'<span data-formula="(\d+)"></span>')
HIGHLIGHT = HtmlFormatter(nowrap=True)
SVG_PAGE = """
#set page(width: auto, height: auto, margin: 0pt)
#context {
  let size = measure(image("image.svg"))
  let fits = calc.min(1, 180mm / size.width, 240mm / size.height)
  image("image.svg", width: size.width * fits)
}
"""
ENVIRONMENT = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
ENVIRONMENT.globals.update(points_text=points_text, counted=counted)
template = cache(ENVIRONMENT.from_string)  # compiling one takes longer than filling it
INDEX_NAME = "index.html"


class FeedbackExporter(Exporter):
    """nbconvert's exporter for `nbgrader generate_feedback`; for several notebooks there is an index, too.

    It is no `HTMLExporter`, which needs templates in Jupyter's folders that this page does not use.
    """

    output_mimetype = "text/html"

    @default("file_extension")
    def _file_extension_default(self) -> str:
        return ".html"

    @property
    def default_config(self) -> Config:
        """An author's steps that remove cells by tag or pattern, as in `HTMLExporter`."""
        return Config(TagRemovePreprocessor={"enabled": True}, RegexRemovePreprocessor={"enabled": True})

    def from_notebook_node(  # type: ignore[override]  # nbconvert's HTML exporters break this promise, too
        self, nb: NotebookNode, resources: Any = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        """The page, and resources with the index in `outputs`."""
        nb, resources = super().from_notebook_node(nb, resources, **kwargs)
        context = resources["nbgrader"]
        self._leave_only_feedback(context, Path(resources["metadata"]["path"]))
        if len(context["all_points"]) > 1:
            if any(points.title == "index" for points in context["all_points"]):
                raise CourseError(
                    "a notebook called index has no page: rename it, as index.html lists them all"
                )
            folder = Path(resources["metadata"]["path"])
            resources.setdefault("outputs", {})[INDEX_NAME] = index(context, folder).encode()
        return page(nb, context, Path(resources["metadata"]["path"])), resources

    def _leave_only_feedback(self, context: Mapping[str, Any], graded: Path) -> None:
        """Remove what nbgrader has copied beside the pages: a page needs no file, and a student may have handed one in
        that looks like feedback."""
        directory = CourseDirectory(parent=self)
        path = directory.format_path(directory.feedback_directory, context["student"], context["assignment"])
        target = Path(directory.root, path)
        pages = {f"{points.title}.html" for points in context["all_points"]}
        pages |= {INDEX_NAME} if len(context["all_points"]) > 1 else set()
        copies = [file.relative_to(graded) for file in graded.rglob("*") if not file.is_dir()]
        for copy in copies:
            if str(copy) not in pages:
                (target / copy).unlink(missing_ok=True)
        for folder in sorted({parent for copy in copies for parent in copy.parents}, reverse=True):
            if folder.parts and (target / folder).is_dir() and not any((target / folder).iterdir()):
                (target / folder).rmdir()


def page(nb: NotebookNode, context: Mapping[str, Any], folder: Path) -> str:
    """The page of a redacted notebook.

    Args:
        context: resources["nbgrader"] from `GetPoints`.
        folder: the folder of the notebook's images.
    """
    cells = Cells(
        nb,
        folder,
        request=partial(request_line, context["assignment"], context["notebook"], student=context["student"]),
    )
    body = Markup("".join(cells.rendered()))
    items = {cell.metadata.nbgrader.grade_id for cell in nb.cells if is_item(cell)}
    return clean(
        template(PAGE).render(
            context=context,
            heading=heading_of(context, context["notebook"]),
            points=context["points"],
            first=look_first([context["points"]], folder, due=bool(context.get("due"))),
            graded={context["notebook"]},
            address=lambda place: f"#item-{place.item}",
            items=items,
            body=body,
            glyphs=Markup(cells.formulas.glyphs()),
            style=Markup(STYLE + HIGHLIGHT.get_style_defs([".code", ".highlight"])),
            index=INDEX_NAME if len(context["all_points"]) > 1 else "",
        )
    )


def index(context: Mapping[str, Any], folder: Path) -> str:
    """The page that summarises an assignment of several notebooks; `folder` has those that were graded."""
    notebooks: list[Points] = context["all_points"]
    total = together(context["assignment"], notebooks)
    head = context.get("head")
    graded = {path.stem for path in folder.glob("*.ipynb")}
    return clean(
        template(INDEX).render(
            context=context,
            heading=head.assignment if head else context["assignment"],
            notebooks=notebooks,
            total=total,
            first=look_first(
                [points for points in notebooks if points.title in graded and points.counts],
                folder,
                due=bool(context.get("due")),
            ),
            address=lambda place: f"{quote(place.notebook)}.html#item-{place.item}",
            called=lambda points: heading_of(context, points.title),
            graded=graded,
            style=Markup(STYLE),
        )
    )


def nothing_page(head: Head, student: str, name: str, reason: str) -> str:
    """The page of a student without a graded notebook."""
    return clean(
        template(NOTHING).render(head=head, student=student, name=name, reason=reason, style=Markup(STYLE))
    )


def heading_of(context: Mapping[str, Any], notebook: str) -> str:
    """What a notebook is called: its first heading, or its name."""
    head = context.get("head")
    return str(head.titles.get(notebook, notebook)) if head else notebook


def is_item(cell: NotebookNode) -> bool:
    """Whether the cell has points."""
    nbgrader = cell.metadata.get("nbgrader", {})
    return bool(nbgrader.get("grade") or nbgrader.get("task"))


def clean(page: str) -> str:
    """The page without control characters and lone surrogates, and with the names of invisible characters."""
    page = UNPRINTABLE.sub("\ufffd", page)
    page = INVISIBLE.sub(lambda found: f"[U+{ord(found[0]):04X}]", page)
    return page.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Cells:
    """A redacted notebook's cells as HTML."""

    def __init__(
        self,
        nb: NotebookNode,
        folder: Path,
        formulas: FormulaRenderer | None = None,
        request: Callable[[str], str] | None = None,
    ) -> None:
        """`request` gives the line by which a student asks for another look at an item."""
        self._nb, self._folder, self._request = nb, folder, request
        self.formulas = formulas or FormulaRenderer(formulas_of(nb))
        self._levels: list[int] = []
        self._ids: set[str] = set()

    def rendered(self) -> list[str]:
        """The HTML of each cell."""
        rendered = []
        for number, cell in enumerate(self._nb.cells, 1):
            nbgrader = cell.metadata.get("nbgrader", {})
            content = (
                self._markdown_cell(cell) if cell.cell_type == "markdown" else self._code_cell(cell, number)
            )
            if is_item(cell):
                content = self._label(nbgrader) + content
            if nbgrader.get("rows"):
                rows = self._markdown(str(nbgrader["rows"]), {}, ours=False)
                content += f'<div class="rows"><p class="label">Marking</p>{rows}</div>'
            if (nbgrader.get("solution") or nbgrader.get("task")) and nbgrader.get("comment"):
                comment = self._markdown(str(nbgrader["comment"]), {}, ours=False)
                content += f'<div class="comment"><p class="label">Comment</p>{comment}</div>'
            for asked in nbgrader.get("requests", ()):
                content += _answered_box(asked)
            if is_item(cell) and self._request and not nbgrader.get("waits"):
                content += _request_box(self._request(str(nbgrader["grade_id"])))
            kind = "item" if is_item(cell) else "answer" if nbgrader.get("solution") else "cell"
            if content:
                rendered.append(f'<div class="{kind}">{content}</div>\n')
        return rendered

    @staticmethod
    def _label(nbgrader: Mapping[str, Any]) -> str:
        name, maximum = str(nbgrader["grade_id"]), nbgrader["points"]
        title = str(nbgrader.get("title") or name)
        points = f"{points_text(nbgrader['score'], maximum)} of {counted(points_text(maximum, maximum))}"
        waits = ", not marked yet" if nbgrader.get("waits") else ""
        return (
            f'<p class="label" id="item-{escape(name)}"><strong>{escape(title)}</strong>: {points}{waits} '
            f'<a href="#points" aria-label="{escape(title)}: back to the points">↑ points</a></p>'
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
        if is_ours(cell) and is_item(cell) and code:  # long, and of little interest to students
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
        if "text/html" in data and (body := self._sanitised(data["text/html"], {}, ours=False)).strip():
            return f'<div class="out">{body}</div>'
        for kind in ("text/markdown", "text/latex"):
            if kind in data:
                return f'<div class="out">{self._markdown(data[kind], {}, ours=False)}</div>'
        for kind in (SVG_TYPE, "image/png", "image/jpeg"):
            if kind in data:
                metadata = output.get("metadata", {}).get(kind, {})
                alt = str(metadata.get("alt") or f"Figure that cell {number} has put out")
                return f'<div class="out">{_image_output(kind, data[kind], alt)}</div>'
        return _text(data.get("text/plain", "") or "[an output that this page cannot show]")

    # Text

    def _markdown(self, source: str, attachments: Mapping[str, Any], *, ours: bool) -> str:
        masked = MaskedMarkdown(source)
        renderer = (
            IPythonRenderer(escape=False, exclude_anchor_links=True, attachments=dict(attachments))
            if ours
            else SafeRenderer(dict(attachments))
        )
        body = MarkdownWithMath(renderer=renderer).render(masked.text)
        return self._sanitised(body, attachments, ours=ours, masked=masked)

    def _sanitised(
        self, body: str, attachments: Mapping[str, Any], *, ours: bool, masked: MaskedMarkdown | None = None
    ) -> str:
        """HTML with only text, tables and embedded images, suitable for screen readers.

        Args:
            ours: whether an author wrote it; then classes and styles are kept.
            masked: the text whose marks of formulas are in it.
        """
        soup = BeautifulSoup(body, "html.parser")
        for element in soup.find_all(REMOVED_ELEMENTS):
            element.extract()
        for comment in soup.find_all(string=lambda text: type(text) is not NavigableString):
            comment.extract()
        for element in soup.find_all(True):
            if element.name not in ELEMENTS:
                element.unwrap()
                continue
            kept = AUTHORS_ATTRIBUTES if ours else ATTRIBUTES
            element.attrs = {name: value for name, value in element.attrs.items() if name in kept}
            if masked:
                for name, value in element.attrs.items():
                    if isinstance(value, str):
                        element[name] = masked.restore(value)
            self._rename_ids(element, ours=ours)
            if element.name == "img":
                self._embed_image(soup, element, attachments)
        formulas: list[str] = []
        if masked:
            for text in soup.find_all(string=True):
                self._insert_formulas(soup, text, masked, formulas)
        for element in soup.find_all(True):
            self._make_accessible(soup, element)
        return FORMULA.sub(lambda found: formulas[int(found[1])], str(soup))

    def _rename_ids(self, element: Tag, *, ours: bool) -> None:
        """Rename ids and the links to them, so that they differ from the page's own."""
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

    def _insert_formulas(
        self, soup: BeautifulSoup, text: NavigableString, masked: MaskedMarkdown, formulas: list[str]
    ) -> None:
        """Replace marks by elements for the formulas, whose HTML is added to `formulas`; in code, by the source."""
        if text.find_parent(["code", "pre", "kbd", "samp"]):
            text.replace_with(masked.restore(str(text)))
            return
        pieces: list[str | Tag] = []
        for piece in masked.split(str(text)):
            if isinstance(piece, str):
                pieces.append(piece)
            else:
                pieces.append(soup.new_tag("span", attrs={"data-formula": str(len(formulas))}))
                formulas.append(self.formulas.render(piece))
        text.replace_with(*pieces)

    def _embed_image(self, soup: BeautifulSoup, image: Tag, attachments: Mapping[str, Any]) -> None:
        """Put the image's data into the element; it comes from the notebook or its folder."""
        address = str(image.get("src", ""))
        try:
            image["src"] = _data_address(named_image(address, self._folder, attachments))
            image["alt"] = str(image.get("alt", "")).strip() or "An image without a description"
        except (ImageError, OSError) as error:
            name = str(image.get("alt", "")).strip() or address[:80]
            note = soup.new_tag("span", attrs={"class": "note"})
            note.string = f"[{name}: an image that is not shown, {error}]"
            image.replace_with(note)

    def _make_accessible(self, soup: BeautifulSoup, element: Tag) -> None:
        """Give an element the structure, heading level and name that screen readers need."""
        parent = element.parent.name if element.parent else ""
        empty = not element.get_text(strip=True) and not element.find(["img", "span"])
        match element.name:
            case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
                element.name = "p" if empty else self._heading(int(element.name[1]))
            case "a" if "href" not in element.attrs:
                element.name = "span"
            case "a" if empty:
                element.string = str(element["href"])
            case "ul" | "ol" if any(
                child.name != "li" if isinstance(child, Tag) else str(child).strip()
                for child in element.children
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

    def _heading(self, source_level: int) -> str:
        """The element of a heading, in an outline without gaps below the page's own headings."""
        while self._levels and self._levels[-1] >= source_level:
            self._levels.pop()
        self._levels.append(source_level)
        return f"h{min(6, 2 + len(self._levels))}"


def _answered_box(asked: Mapping[str, str]) -> str:
    """A request and its answer."""
    answer = f'<p class="answer-text">{escape(asked["answer"])}</p>' if asked["answer"] else ""
    return (
        f'<div class="comment answered"><p class="label">You asked for another look: {escape(asked["outcome"])}</p>'
        f'<p class="note">{escape(asked["reason"])}</p>{answer}</div>'
    )


def _request_box(line: str) -> str:
    return (
        '<details class="request"><summary>Ask for another look</summary><p>Copy this line into a mail to your '
        "instructor, or into a comment where you handed in, and write your reason after it.</p>"
        f"<pre>{escape(line)}</pre></details>"
    )


def _scrolls(name: str) -> str:
    """Attributes of an element that may be wider than the page, so that it can be scrolled by keyboard."""
    return f'tabindex="0" role="group" aria-label="{escape(name)}"'


def _text(text: str, kind: str = "") -> str:
    """The text as a terminal would show it."""
    text, _ = shortened(final_screen(text).strip("\n"))
    return f'<pre class="out {kind}">{escape(text)}</pre>' if text.strip() else ""


def _image_output(kind: str, text: str, alt: str) -> str:
    """An image that code has put out."""
    try:
        address = _data_address(text.encode() if kind == SVG_TYPE else from_base64(text))
    except ImageError as error:
        return f'<p class="note">[{escape(alt)}: an image that is not shown, {escape(str(error))}]</p>'
    return f'<img alt="{escape(alt)}" src="{address}">'


def _data_address(data: bytes) -> str:
    """A data: address with the image. SVG becomes PNG, because SVG can contain scripts and links.

    Raises:
        ImageError: it is not an image.
    """
    if is_svg(data):
        data = to_png(data)
    return f"data:image/{raster_format(data)[0]};base64,{base64.b64encode(data).decode()}"


def to_png(svg: bytes) -> bytes:
    """Convert SVG to PNG by Typst, which runs no scripts and loads nothing.

    Raises:
        ImageError: Typst can't convert it.
    """
    import typst  # large, and seldom needed

    with tempfile.TemporaryDirectory(prefix="chainrule-svg-") as folder:
        Path(folder, "image.svg").write_bytes(svg)
        main = Path(folder, "main.typ")
        main.write_text(SVG_PAGE, encoding="utf-8")
        try:
            png = typst.compile(str(main), root=folder, format="png", ppi=144)
        except BaseException as error:
            # a crash inside Typst raises PanicException, which is not an Exception
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise ImageError("it is not SVG that can be shown") from error
    assert isinstance(png, bytes)
    return png
