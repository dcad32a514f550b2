"""PDFs printed by a browser, for a machine where Typst or MathJax is missing or fails.

The HTML comes from nbconvert. Only elements of text, tables and images are passed on to the browser. The page forbids
scripts, frames and the network, and images are embedded in it.
"""

import base64
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from bs4 import BeautifulSoup, Tag
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

from chainrule.errors import ChainruleError
from chainrule.handin.cover import Cover
from chainrule.handin.formulas import FormulaError, FormulaSource, Labels, MaskedMarkdown, MathJax
from chainrule.handin.images import ImageError, is_svg, named_image, raster_format
from chainrule.handin.markup import printable
from chainrule.handin.notebook import REORDERING, final_screen, formulas_of, joined, merged, shortened
from chainrule.handin.outputs import best_form
from chainrule.handin.widgets import Widgets, saved_models

SECONDS = 120  # time limit of the browser
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge"]
INSTALL_PATHS = [  # of browsers that are not on the PATH
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
]
KEPT_ELEMENTS = re.compile(
    "a|abbr|b|blockquote|br|caption|code|col|colgroup|dd|del|details|div|dl|dt|em|figcaption|figure|h[1-6]|hr|i|img"
    "|input|kbd|li|mark|ol|p|pre|q|s|samp|small|span|strong|sub|summary|sup|table|tbody|td|tfoot|th|thead|tr|tt|u|ul"
)
REMOVED_ELEMENTS = ["script", "style", "title", "template", "iframe", "object"]  # with their contents
KEPT_ATTRIBUTES = re.compile(
    "alt|class|colspan|height|href|id|rowspan|scope|src|start|title|type|checked|disabled|width"
)
# What `printable` leaves in a style attribute.
KEPT_STYLE = re.compile(
    r"(?:(?:background-)?color: ?#[0-9a-f]{6}|font-weight: ?bold|font-style: ?italic|text-decoration: ?[a-z-]+|;| )*"
)

# nbconvert loses a whole cell if an attachment is missing. So it sees another address, and we resolve it.
_ATTACHMENT = re.compile(r"""(\]\(\s*<?|\bsrc\s*=\s*["']?)attachment:""")
ATTACHED = "attached-to-this-cell/"
_RENDERED_MARK = re.compile("\ue002(\\d+)\ue003")  # private-use characters, as in MaskedMarkdown
TEXT_WIDTH = 47  # em between the margins of the page below

STYLE = """
@page { size: A4; margin: 20mm 18mm; @bottom-center { content: counter(page) " / " counter(pages); font: 8pt serif } }
body { font: 10.5pt/1.4 "New Computer Modern", "Liberation Serif", serif; overflow-wrap: anywhere }
h1, h2, h3, h4 { break-after: avoid; line-height: 1.2 }
section { break-before: page }
pre { font: 7.7pt/1.35 "DejaVu Sans Mono", monospace; white-space: pre-wrap; margin: 0 }
.input_area, .raw { background: #f8f8f8; border: 0.5pt solid #ccc; padding: 6pt }
.prompt { font: 6.5pt monospace; color: #1f4fbf }
.output_stderr { background: #fdf5e6 } .output_error { background: #fdeeee; border-left: 2pt solid #a61b1b }
@page wide { size: A4 landscape }
.wide { page: wide } .wide td, .wide th { padding: 2pt 0.5em }
table { overflow-wrap: normal; border-collapse: collapse; border: solid black; border-width: 0.8pt 0; max-width: 100% }
th, td { padding: 2pt 5pt; text-align: left; vertical-align: top } .dataframe td, .dataframe th { text-align: right }
img { max-width: 100%; max-height: 200mm } .formula { vertical-align: baseline }
.display { display: block; text-align: center; margin: 0.6em 0 }
.source { font: 7.7pt monospace; color: #a61b1b; background: #fff3f3; border: 0.5pt solid #a61b1b; padding: 0 2pt }
.note { font-style: italic; color: #555; border-left: 2pt solid #bbb; padding-left: 5pt }
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-src 'none'; form-action 'none'"


class BrowserError(ChainruleError, RuntimeError):
    """There is no browser, or it does not print; the message says which."""


def print_pages(notebooks: Mapping[Path, Mapping[str, Any]], cover: Cover) -> tuple[bytes, list[str]]:
    """The PDF and warnings, see `write_pdf`. Raises `BrowserError`."""
    browser = find_browser()  # first, as nothing works without one
    warnings: list[str] = []
    sections = []
    for number, (path, notebook) in enumerate(notebooks.items()):
        body = "".join(_NotebookPages(path, notebook, number, warnings).cells())
        sections.append(
            f"<section>{body or '<p class=note>There is nothing in this notebook.</p>'}</section>"
        )
    return _print(browser, _page(cover, "".join(sections))), warnings


def find_browser() -> str:
    """A Chromium, Chrome or Edge on this machine; raises `BrowserError`."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    for path in INSTALL_PATHS:
        if Path(path).is_file():
            return path
    raise BrowserError("there is no Chromium, Chrome or Edge")


def _print(browser: str, page: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="chainrule-pdf-", ignore_cleanup_errors=True) as folder:
        source, target = Path(folder, "page.html"), Path(folder, "page.pdf")
        source.write_text(page, encoding="utf-8")
        command = [
            browser,
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ]
        command += ["--disable-sync", "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND"]
        command.append(f"--user-data-dir={Path(folder, 'profile')}")
        if sys.platform != "win32" and os.geteuid() == 0:
            command.append("--no-sandbox")  # Chromium has none for root; there are no scripts left to run
        command += ["--no-pdf-header-footer", "--generate-pdf-document-outline", f"--print-to-pdf={target}"]
        try:
            done = subprocess.run([*command, source.as_uri()], capture_output=True, timeout=SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BrowserError(f"{browser} does not print ({error})") from error
        pdf = target.read_bytes() if target.is_file() else b""
        if not pdf.startswith(b"%PDF"):
            reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
            raise BrowserError(f"{browser} prints nothing ({reason[0]})")
        return pdf


def _page(cover: Cover, body: str) -> str:
    headings = BeautifulSoup(body, "html.parser").find_all(["h1", "h2"])
    contents = "".join(
        f'<li><a href="#{html.escape(str(heading.get("id", "")))}">{html.escape(_title_of(heading))}</a></li>'
        for heading in headings
    )
    facts = "".join(
        f"<p><strong>{html.escape(label)}:</strong> {html.escape(text)}</p>"
        for label, text in cover.facts.items()
    )
    title = html.escape(cover.title)
    colours = HtmlFormatter().get_style_defs(".highlight")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{title}</title><style>{colours}{STYLE}</style></head>"
        f"<body><h1>{title}</h1>{facts}<ul>{contents}</ul>{body}</body></html>"
    )


def _title_of(heading: Tag) -> str:
    """The text of a heading; a formula's is its source."""
    parts = [
        str(part.get("alt", "")) if isinstance(part, Tag) else str(part)
        for part in heading.descendants
        if not isinstance(part, Tag) or part.name == "img"
    ]
    return "".join(parts).removesuffix("¶")


class _NotebookPages:
    """One notebook's cells as HTML that is safe to print."""

    def __init__(self, path: Path, notebook: Mapping[str, Any], number: int, warnings: list[str]) -> None:
        self._path, self._notebook, self._number, self._warnings = path, notebook, number, warnings
        self._exporter = HTMLExporter(template_name="basic")
        self._where = path.name
        self._rendered_outputs: list[str] = []  # those with formulas, of the current cell
        self._widgets = Widgets(saved_models(notebook))
        self._labels = Labels(formulas_of(notebook))
        self._mathjax: MathJax | None = None
        try:
            self._mathjax = MathJax(self._labels)
        except ImportError:
            self._warn("the browser sets the formulas, as quickjax is not installed")

    def cells(self) -> Iterator[str]:
        for number, cell in enumerate(self._notebook["cells"], 1):
            self._where = f"{self._path.name}, cell {number}"
            try:
                yield self._cell(cell)
            except Exception as error:  # the other cells must still be shown
                self._warn(f"cannot be shown ({type(error).__name__}: {error})")
                yield '<p class="note">A cell that cannot be shown.</p>'

    def _warn(self, problem: str) -> None:
        self._warnings.append(f"{self._where}: {problem}")

    def _cell(self, cell: Mapping[str, Any]) -> str:
        source = joined(cell.get("source", ""))
        attachments = cell.get("attachments") or {}
        kind = cell.get("cell_type")
        if kind == "raw":
            return f'<pre class="raw">{html.escape(source)}</pre>' if source.strip() else ""
        if kind == "markdown":
            return self._markdown(source, attachments)
        self._rendered_outputs = []
        shown = list(self._widgets.replaced(cell.get("outputs") or []))
        outputs = [output for each in merged(shown) if (output := self._output(each)) is not None]
        if not source.strip() and not outputs:
            return ""
        body = self._sanitised(self._rendered({**cell, "outputs": outputs}), {})
        return _RENDERED_MARK.sub(lambda mark: "".join(self._rendered_outputs[int(mark[1]) :][:1]), body)

    def _markdown(self, source: str, attachments: Mapping[str, Any]) -> str:
        masked = MaskedMarkdown(_ATTACHMENT.sub(rf"\1{ATTACHED}", source))
        markdown = {"cell_type": "markdown", "source": masked.text}
        return self._printed(self._rendered(markdown), masked, attachments)

    def _printed(self, body: str, masked: MaskedMarkdown | None, attachments: Mapping[str, Any]) -> str:
        """HTML reduced to what print can show; without `masked`, it is an output's, in which dollars mark formulas."""
        page = printable(body, formulas=masked is None)
        masked = masked or page.formulas
        for text in page.boxed:
            self._warn(masked.restore(text))
        pieces = list(masked.split(self._sanitised(page.html, attachments)))
        formulas = self._formulas([piece for piece in pieces if isinstance(piece, FormulaSource)])
        return "".join(piece if isinstance(piece, str) else next(formulas) for piece in pieces)

    def _rendered(self, cell: dict[str, Any]) -> str:
        metadata = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
        notebook = nbformat.from_dict(
            {
                "cells": [{"id": "cell", "metadata": {}, **cell}],
                "metadata": metadata,
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        )
        return str(self._exporter.from_notebook_node(notebook)[0])

    def _output(self, output: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """An output in a form that print shows; None if it is empty. SVG becomes an image: it can load nothing."""
        if output.get("output_type") == "stream":
            text, missing = shortened(final_screen(joined(output.get("text", ""))).strip("\n"))
            if missing:
                self._warn(f"{missing} lines of a long output are left out")
            return {"name": "stdout", **output, "text": text}
        data = output.get("data")
        if not isinstance(data, Mapping):
            return output
        form = best_form(data)
        if form.warning:
            self._warn(form.warning)
        shown = {"output_type": "display_data", "metadata": {}}
        match form.kind:
            case "nothing":
                return None
            case "text":
                return {**shown, "data": {"text/plain": shortened(form.text)[0]}}
            case "box":
                return {**shown, "data": {"text/html": f'<span class="note">{html.escape(form.text)}</span>'}}
            case "image":
                svg = form.mimetype == "image/svg+xml"
                image = base64.b64encode(form.text.encode()).decode() if svg else form.text
                element = f'<img alt="Output of the cell above" src="data:{form.mimetype};base64,{image}">'
                return {**shown, "data": {"text/html": element}}
            case "markdown":
                body = self._markdown(form.text, {})
            case "html":
                body = self._printed(form.text, None, {})
        # The contents name the headings of the notebook only.
        body = re.sub(r"<(/?)h[1-6]\b[^>]*>", r"<\1strong>", body)
        self._rendered_outputs.append(body)
        return {**shown, "data": {"text/html": f"<div>\ue002{len(self._rendered_outputs) - 1}\ue003</div>"}}

    def _formulas(self, sources: list[FormulaSource]) -> Iterator[str]:
        elements = (
            [self._formula(each) for each in sources] if self._mathjax else _mathml(sources, self._labels)
        )
        for source, element in zip(sources, elements, strict=True):
            tex = source.tex.strip()
            if element is None:
                self._warn(f"a formula is shown as source: {tex[:80]}")
                yield f'<code class="source">{html.escape(tex)}</code>'
            else:
                yield f'<span class="display">{element}</span>' if source.display else element

    def _formula(self, source: FormulaSource) -> str | None:
        """The formula as an image element; None if MathJax cannot typeset it."""
        assert self._mathjax
        tex = source.tex.strip()
        try:
            formula = self._mathjax.to_fit(tex, source.display, TEXT_WIDTH)
        except FormulaError:
            return None
        if not formula.width:
            return ""
        size = f"width: {formula.width:.3f}em; vertical-align: {-formula.baseline:.3f}em"
        return (
            f'<img class="formula" style="{size}" alt="{html.escape(tex)}" '
            f'src="data:image/svg+xml;base64,{base64.b64encode(formula.svg.encode()).decode()}">'
        )

    def _sanitised(self, body: str, attachments: Mapping[str, Any]) -> str:
        """HTML with only text, tables and images; the images come from the cell and the notebook's folder."""
        soup = BeautifulSoup(re.sub(f"[{REORDERING}]", "\ufffd", body), "html.parser")
        for element in soup.find_all(REMOVED_ELEMENTS) + soup.select(".anchor-link"):
            element.extract()
        for element in soup.find_all(True):
            if not KEPT_ELEMENTS.fullmatch(element.name):
                element.unwrap()
                continue
            style = element.get("style")
            for name in [name for name in element.attrs if not KEPT_ATTRIBUTES.fullmatch(name)]:
                del element[name]
            if isinstance(style, str) and KEPT_STYLE.fullmatch(style):
                element["style"] = style
            if element.name == "img":
                self._image(soup, element, attachments)
            elif "src" in element.attrs:
                del element["src"]
            if element.get("id"):
                element["id"] = f"{self._number}-{element['id']}"
            address = str(element.get("href", ""))
            if address and not address.startswith(("https://", "http://", "mailto:")):
                del element["href"]
        for table in soup.find_all("table"):
            self._fit(table)
        return str(soup)

    @staticmethod
    def _fit(table: Tag) -> None:
        """Make a table's font so small that no word of it is broken; a very wide table gets a landscape page."""
        rows = [row.find_all(["td", "th"]) for row in table.find_all("tr")]
        words = [[max(map(len, cell.get_text().split()), default=0) for cell in row] for row in rows]
        letters = max((sum(min(word, 60) + 2 for word in row) for row in words), default=0)
        size = 490 / (0.55 * max(1, letters))  # points between the margins; a letter takes 0.55 em
        if size < 5:
            table["class"] = " ".join([*filter(None, map(str, table.get("class") or [])), "wide"])
            size = max(3, size * 730 / 490)
        table["style"] = f"font-size: {min(8, size):.1f}pt"

    def _image(self, soup: BeautifulSoup, element: Tag, attachments: Mapping[str, Any]) -> None:
        address = re.sub(f"^{ATTACHED}", "attachment:", str(element.get("src", "")))
        try:
            data = named_image(address, self._path.parent, attachments)
            kind = "svg+xml" if is_svg(data) else raster_format(data)[0]
            element["src"] = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
        except (ImageError, OSError) as error:
            name = address if len(address) <= 80 else address[:80] + "…"
            self._warn(f"image {name} is not shown: {error}")
            note = soup.new_tag("span", attrs={"class": "note"})
            note.string = f"Image not shown: {name} ({error})."
            element.replace_with(note)


def _mathml(formulas: list[FormulaSource], labels: Labels) -> list[str | None]:
    """Formulas as MathML by pandoc, if that is installed; None for a formula that it cannot read."""
    try:
        import pypandoc

        blocks = [
            {
                "t": "Div",
                "c": [
                    ["", [], []],
                    [{"t": "Plain", "c": [{"t": "Math", "c": [{"t": kind}, labels.resolved(formula.tex)]}]}],
                ],
            }
            for formula in formulas
            for kind in ["DisplayMath" if formula.display else "InlineMath"]
        ]
        document = json.dumps({"pandoc-api-version": [1, 23], "meta": {}, "blocks": blocks})
        command = [pypandoc.get_pandoc_path(), "-f", "json", "-t", "html", "--mathml", "--sandbox"]
        done = subprocess.run(command, input=document.encode(), capture_output=True, timeout=30, check=True)
        divs = BeautifulSoup(done.stdout.decode(), "html.parser").find_all("div")
        return [str(div.math) if div.math else None for div in divs]
    except (ImportError, OSError, subprocess.SubprocessError):
        return [None] * len(formulas)
