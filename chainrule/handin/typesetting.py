"""Typst: the design of the pages, and how a write-up becomes a PDF.

Everything that came from a notebook enters the Typst source as a string literal (`quoted`), never as
markup, so no text can become a Typst command.
"""

import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typst

from chainrule.errors import ChainruleError
from chainrule.handin.cover import Cover
from chainrule.handin.notebook import REORDERING

PAGE = r"""
#let pixel = 0.66pt // of a notebook, on paper
#let gutter = 24pt
#let mono = "DejaVu Sans Mono" // like New Computer Modern, it comes with Typst
#let blue = rgb("#1f4fbf")
#let red = rgb("#a61b1b")

#set page(paper: "a4", margin: (x: 18mm, y: 20mm), numbering: "1 / 1")
#set text(font: "New Computer Modern", size: 10.5pt, lang: "en", ligatures: false) // else -- becomes a dash
#set par(leading: 0.62em, spacing: 1.05em)
#set heading(numbering: none)
#set list(indent: 0.6em)
#set enum(indent: 0.6em)
#set raw(tab-size: 4)
#show raw: set text(font: mono, size: 7.7pt)
#show raw.where(block: false): highlight.with(fill: luma(236), extent: 1.5pt, radius: 1.5pt)
#show heading: set block(above: 1.5em, below: 0.8em)
#show link: it => if type(it.dest) == str { text(fill: blue, it) } else { it } // no blue contents

// The first page: title, author, contents.
#let cover(..facts) = {
  v(3em)
  title()
  v(1.5em)
  if facts.pos().len() > 0 {
    terms(separator: [:#h(0.6em)], spacing: 0.9em, ..facts.pos().map(fact => terms.item(..fact)))
  }
  v(2em)
  context {
    let entries = query(heading.where(level: 1)).len() + query(heading.where(level: 2)).len()
    if entries > 24 { // on one page
      set text(size: 8.5pt)
      columns(2, outline(title: none, depth: 2))
    } else if entries > 0 { outline(title: none, depth: 2) }
  }
}
#let running-head(name) = { set text(size: 8pt, fill: luma(110)); h(1fr); name }
#let quotation(body) = block(inset: (left: 1em, y: 2pt), stroke: (left: 2pt + luma(200)), body)
#let rule() = line(length: 100%, stroke: 0.5pt + luma(160))
#let listing(source, lang: none) = block(
  width: 100%, fill: luma(246), inset: 6pt, radius: 2pt, raw(source, lang: lang, block: true),
)

// Formulas. Lengths come in em of the text around them.
#let formula(file, height, baseline, alt) = box(baseline: baseline, image(file, height: height, alt: alt))
#let display-formula(file, width, alt) = layout(region => align(
  center, image(file, width: calc.min(width.to-absolute(), region.width), alt: alt),
))
#let formula-source(tex) = box(
  stroke: 0.5pt + red, fill: rgb("#fff3f3"), inset: (x: 2pt), outset: (y: 2pt), radius: 2pt,
  text(font: mono, size: 7.7pt, fill: red, tex),
)

// Pixels are smaller on paper: a figure 640 pixels wide is narrower than the text, and two fit on a page. `natural` is
// the image's own width in pixels; `width` and `height` are what the notebook asks for, in pixels or as a ratio.
#let notebook-image(file, alt: none, natural: none, width: none, height: none) = context {
  let size = measure(image(file))
  let slope = size.height / size.width
  let on-paper(pixels) = pixel * pixels
  let draw(wide, tall, available) = {
    let shrink = calc.min(1, available / wide, 200mm / tall)
    image(file, alt: alt, width: wide * shrink, height: tall * shrink, fit: "stretch")
  }
  let sized(region) = {
    let tall = if type(height) == ratio { none } else if height != none { on-paper(height) }
    let wide = if type(width) == ratio { region * (width / 100%) } else if width != none { on-paper(width) }
    if wide == none and tall == none {
      wide = if natural == none { pixel / 1pt * size.width * 4 / 3 } else { on-paper(natural) } // 3 points are 4 pixels
    }
    if wide == none { wide = tall / slope }
    if tall == none { tall = wide * slope }
    (wide, tall)
  }
  let (wide, tall) = sized(120pt)
  // An icon stays in its line of text; a figure has its own, as wide as the list or table around it leaves.
  if type(width) != ratio and wide < 120pt { box(draw(wide, tall, wide)) } else {
    box(width: 100%, layout(region => draw(..sized(region.width), region.width)))
  }
}
// What print can't show, and what to do about it.
#let note(body) = box(
  stroke: 0.5pt + luma(150), fill: luma(250), inset: (x: 5pt, y: 3pt), outset: (y: 1pt), radius: 2pt,
  text(size: 9pt, style: "italic", fill: luma(60), body),
)
#let table-caption(body) = block(above: 0.9em, below: 0.5em, sticky: true, text(size: 9.5pt, body))

// Cells. The execution count is in the gutter, left of the code; outputs are aligned with the code.
#let code-cell(count, source, lang: none) = grid(
  columns: (gutter, 1fr),
  pad(top: 6pt, text(font: mono, size: 6.5pt, fill: blue, count)),
  block(
    width: 100%, fill: luma(248), stroke: 0.5pt + luma(205), radius: 2pt, inset: 6pt,
    raw(source, lang: lang, block: true),
  ),
)
// What the student wrote, and one line about an item.
#let answer(title, body) = block(width: 100%, stroke: 0.7pt + blue, radius: 2pt, inset: 7pt)[
  #block(below: 0.7em, sticky: true, text(size: 8pt, weight: "bold", fill: blue, title))
  #body
]
#let result(text-of-it) = block(above: 0.7em, below: 1.2em, text(size: 8.5pt, fill: luma(70), text-of-it))
#let output(body) = pad(left: gutter, body)
#let output-text(body, kind: "stdout") = output(block(
  width: 100%,
  inset: (x: 6pt, y: 4pt),
  fill: if kind == "error" { rgb("#fdeeee") } else if kind == "stderr" { rgb("#fdf5e6") },
  stroke: if kind == "error" { (left: 2pt + red) },
  raw(body, block: true),
))

#let data-table(columns, align, size, header: (), ..cells) = {
  set text(size: size)
  set par(justify: false)
  table(
    columns: columns, align: align, stroke: none, inset: (x: 0.5em, y: 0.36em),
    table.hline(stroke: 0.8pt),
    ..if header.len() > 0 { (table.header(..header), table.hline(stroke: 0.5pt)) },
    ..cells,
    table.hline(stroke: 0.8pt),
  )
}
"""
TEXT_WIDTH = 493  # points between the margins of PAGE
GUTTER = 24  # points, as in PAGE
FONT_SIZE = 10.5  # points, of prose, as in PAGE

# In a write-up, which is read once and marked, more fits on a page.
COMPACT = """
#set page(margin: (x: 18mm, y: 15mm))
#set text(size: 9.5pt)
#show raw: set text(size: 7pt)
#set par(leading: 0.55em, spacing: 0.85em)
#show heading: set block(above: 1.2em, below: 0.7em)
"""

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


def quoted(text: str) -> str:
    """`text` as a Typst string.

    Control characters, which no font has, become U+FFFD; so do those that change the order in which text is shown.
    """
    text = re.sub("\r\n?", "\n", text)
    text = re.sub(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff{REORDERING}]", "\ufffd", text)
    return '"' + re.sub(r'[\\"\n\t]', lambda match: _ESCAPES[match[0]], text) + '"'


def breakable(text: str) -> str:
    """`text` with zero-width spaces, where lines may break, in every word that is too long for a line of code."""
    return re.sub(
        r"\S{61,}", lambda run: re.sub(r"\S{10}(?=\S)", lambda ten: ten[0] + "\u200b", run[0]), text
    )


@dataclass
class TypstPart:
    """A part of the write-up that can be typeset on its own: a markdown cell, a code cell, an output.

    Attributes:
        where: its name in warnings.
        typst: Typst markup.
        plain: the text that is shown instead if Typst cannot compile `typst`.
    """

    where: str
    typst: str
    plain: str = ""


class TypesettingError(ChainruleError, RuntimeError):
    """Typst cannot compile a document. The message is its first error, `details` are all of them."""

    def __init__(self, message: str, details: str) -> None:
        super().__init__(message)
        self.details = details


class WriteUp:
    """The content of one PDF, as Typst, and the warnings about it."""

    def __init__(self, cover: Cover, *, compact: bool = False) -> None:
        author = quoted(cover.author or "")
        page = PAGE.replace("#let pixel = 0.66pt", "#let pixel = 0.45pt") + COMPACT if compact else PAGE
        self._head = f"{page}\n#set document(title: {quoted(cover.title)}, author: {author}, date: none)\n"
        facts = "".join(f"([{_text(label)}], [{_text(text)}]), " for label, text in cover.facts.items())
        self._parts = [TypstPart("the first page", f"#cover({facts})")]
        self._compact = compact
        self._headings: list[int] = []
        self._files: dict[str, bytes] = {}
        self.warnings: list[str] = []

    def add_notebook(self, name: str) -> None:
        """Start a new page, with the notebook's file name in its header; in a compact write-up go on below."""
        if self._compact:
            self.add(TypstPart(name, "#v(1.2em)"))
        else:
            self.add(TypstPart(name, f"#set page(header: running-head({quoted(name)}))"))

    def add(self, part: TypstPart) -> None:
        self._parts.append(part)

    def heading_level(self, source_level: int) -> int:
        """The level of a heading in an outline without gaps, which accessibility needs: # and ### become 1 and 2."""
        while self._headings and self._headings[-1] >= source_level:
            self._headings.pop()
        self._headings.append(source_level)
        return len(self._headings)

    def add_file(self, data: bytes, suffix: str) -> str:
        """Keep an image for the PDF; returns its name as a Typst string. Equal images are kept once."""
        name = f"{hashlib.sha256(data).hexdigest()[:20]}.{suffix}"
        self._files[name] = data
        return quoted(name)

    def to_pdf(self) -> bytes:
        """Typeset everything, as accessible PDF/UA-1 where the content allows.

        A part that Typst cannot compile, such as damaged SVG, is shown as plain text and named in the warnings.
        Raises `TypesettingError` if that does not help.
        """
        with tempfile.TemporaryDirectory(prefix="chainrule-pdf-") as folder:
            for name, data in self._files.items():
                (Path(folder) / name).write_bytes(data)
            try:
                return self._accessible(folder)
            except TypesettingError:
                self._parts = [self._checked(folder, part) for part in self._parts]
                return self._accessible(folder)

    def _accessible(self, folder: str) -> bytes:
        """The PDF, as PDF/UA-1 if possible, else with tags only and a warning."""
        try:
            return _compile(folder, self._head, self._parts, standard="ua-1")
        except TypesettingError as error:
            problems = re.findall(r"^error: (.*)", error.details, re.MULTILINE)
            if not problems or not all(problem.startswith("PDF/UA-1") for problem in problems):
                raise
        pdf = _compile(folder, self._head, self._parts)  # still with tags
        letters = re.findall(r'the text `"(.+?)"` could not be displayed', "\n".join(problems))
        missing = "".join(
            dict.fromkeys(re.sub(r"\\u\{(\w+)\}", lambda code: chr(int(code[1], 16)), "".join(letters)))
        )
        if missing:
            excerpt = missing[:40] + "…" * (len(missing) > 40)
            self.warnings.append(
                f"no font on this computer has {excerpt}: the PDF shows boxes instead, so it is not PDF/UA-1. "
                "Install a font that has them (for Chinese, Noto Sans CJK) and write the PDF again."
            )
        others = [problem for problem in problems if "could not be displayed" not in problem]
        if others:
            self.warnings.append(
                f"the PDF is tagged, but not PDF/UA-1: {others[0].removeprefix('PDF/UA-1 error: ')}"
            )
        return pdf

    def _checked(self, folder: str, part: TypstPart) -> TypstPart:
        try:
            _compile(folder, self._head, [part])
        except TypesettingError as error:
            self.warnings.append(f"{part.where}: something could not be typeset ({error})")
            text = f"\n#listing({quoted(breakable(part.plain))})" if part.plain.strip() else ""
            return TypstPart(part.where, f"#note[This part could not be typeset.]{text}")
        return part


def _text(text: str) -> str:
    return f"#{quoted(breakable(text))};"


def _compile(
    folder: str, head: str, parts: list[TypstPart], standard: Literal["ua-1"] | None = None
) -> bytes:
    """The PDF. Typst reads no file outside `folder`, and downloads nothing because no part can name a package."""
    main = Path(folder) / "main.typ"
    main.write_text(head + "\n\n".join(part.typst for part in parts), encoding="utf-8")
    try:
        return typst.compile(str(main), root=folder, format="pdf", pdf_standards=standard or [])
    except typst.TypstError as error:
        raise TypesettingError(error.message, error.diagnostic) from error
    except BaseException as error:
        # A crash inside Typst raises PanicException, which is not an Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise TypesettingError("Typst stopped unexpectedly", "") from error
