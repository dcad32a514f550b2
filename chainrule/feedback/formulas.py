"""Formulas as drawings inside a page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from html import escape

from chainrule.handin.formulas import FormulaError, Found, Labels, MathJax

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
SHAPES = {"g", "path", "use", "rect", "line", "polygon", "polyline", "ellipse", "circle", "text"}
ATTRIBUTES = {
    *("transform", "d", "x", "y", "x1", "y1", "x2", "y2", "width", "height", "rx", "ry", "cx", "cy", "r"),
    *("points", "fill", "stroke", "stroke-width", "stroke-dasharray", "font-size", "font-family"),
}
HARMLESS = re.compile(r"(?!.*url)[\w\s.,#()%+-]*", re.IGNORECASE | re.DOTALL)

NARROWEST = 16  # em that there is room for on any screen; what is wider has to be scrolled


class Drawings:
    r"""Draws a notebook's formulas. What a letter looks like is kept once for the whole page, in `glyphs()`.

    MathJax obeys \href, \style and \cssId in a formula: only shapes get into the page.
    """

    def __init__(self, formulas: Iterable[str]) -> None:
        self._mathjax = MathJax(Labels(formulas))
        self._glyphs: dict[str, str] = {}

    def draw(self, found: Found) -> str:
        """The formula as HTML; its source in a box if it can't be drawn."""
        tex = found.tex.strip()
        try:
            formula = self._mathjax.to_svg(tex, found.display)
            if not formula.width:  # it only defines macros
                return ""
            drawing = ET.fromstring(formula.svg)
        except (FormulaError, ET.ParseError):
            return f'<code class="source">{escape(found.source.strip())}</code>'
        paths = {
            path.get("id", ""): self._glyphs.setdefault(path.get("d", ""), f"glyph-{len(self._glyphs)}")
            for path in drawing.iterfind(f"{SVG}defs/{SVG}path")
        }
        shapes = "".join(self._shape(child, paths) for child in drawing)
        size = f"width:{formula.width:.3f}em;height:{formula.height:.3f}em"
        if not found.display:
            size += f";vertical-align:{-formula.baseline:.3f}em"
        drawn = (
            f'<svg class="formula" role="img" aria-label="{escape(tex)}" style="{size}" '
            f'viewBox="{escape(drawing.get("viewBox", ""))}">{shapes}</svg>'
        )
        if formula.width > NARROWEST:
            kind = "wide display" if found.display else "wide"
            return f'<span class="{kind}" tabindex="0" role="group" aria-label="wide formula">{drawn}</span>'
        return f'<span class="display">{drawn}</span>' if found.display else drawn

    def glyphs(self) -> str:
        """The letters of all formulas drawn so far, not shown themselves."""
        paths = "".join(f'<path id="{name}" d="{escape(d)}"/>' for d, name in self._glyphs.items())
        return f'<svg class="glyphs" aria-hidden="true"><defs>{paths}</defs></svg>' if paths else ""

    def _shape(self, element: ET.Element, paths: dict[str, str]) -> str:
        name = element.tag.removeprefix(SVG)
        if name in ("defs", "foreignObject", "style", "script"):
            return ""
        inside = "".join(self._shape(child, paths) for child in element)
        if name not in SHAPES:  # a link, say: what it holds is still a part of the formula
            return inside
        attributes = {
            key: value.replace("black", "currentColor")
            for key, value in element.attrib.items()
            if key in ATTRIBUTES and HARMLESS.fullmatch(value)
        }
        if name == "use":
            glyph = paths.get(element.get(LINK, "").removeprefix("#"))
            if glyph is None:
                return ""
            attributes["href"] = f"#{glyph}"
        text = escape(element.text or "") if name == "text" else ""
        written = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
        return f"<{name}{written}>{text}{inside}</{name}>"
