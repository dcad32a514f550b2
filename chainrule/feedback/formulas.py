"""Formulas as SVG inside a page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from html import escape

from chainrule.handin.formulas import (
    MAX_ALL,
    FormulaError,
    FormulaSource,
    Labels,
    MaskedMarkdown,
    MathJax,
    TooManyFormulas,
)

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
SVG_ELEMENTS = {"g", "path", "use", "rect", "line", "polygon", "polyline", "ellipse", "circle", "text"}
SVG_ATTRIBUTES = {
    *("transform", "d", "x", "y", "x1", "y1", "x2", "y2", "width", "height", "rx", "ry", "cx", "cy", "r"),
    *("points", "fill", "stroke", "stroke-width", "stroke-dasharray", "font-size", "font-family"),
}
SAFE_VALUE = re.compile(r"(?!.*url)[\w\s.,#()%+-]*", re.IGNORECASE | re.DOTALL)

MAX_WIDTH = 16  # em that fit on any screen; a wider formula can be scrolled


class FormulaRenderer:
    r"""Renders a notebook's formulas as SVG. The shapes of letters are stored once for the whole page, in `glyphs()`.

    MathJax obeys \href, \style and \cssId in a formula, so only shapes are copied to the page.

    Args:
        formulas: the TeX of all formulas, for their numbers.
        budget: see `MathJax`.
        prefix: of the ids of letters, for a page with several notebooks' formulas.
    """

    def __init__(self, formulas: Iterable[str], *, budget: int = MAX_ALL, prefix: str = "glyph") -> None:
        self._mathjax = MathJax(Labels(formulas), budget=budget)
        self._prefix = prefix
        self._glyphs: dict[str, str] = {}
        self._told = False  # that there are too many

    def render(self, source: FormulaSource) -> str:
        """The formula as HTML; its source in a box if it can't be typeset."""
        tex = source.tex.strip()
        try:
            formula = self._mathjax.to_svg(tex, source.display)
            if not formula.width:  # it only defines macros
                return ""
            svg = ET.fromstring(formula.svg)
        except (FormulaError, ET.ParseError) as error:
            boxed = f'<code class="source">{escape(source.source.strip())}</code>'
            if isinstance(error, TooManyFormulas) and not self._told:
                self._told = True
                return (
                    f'<span class="note">[From here on, formulas are shown as text: {error}.]</span> {boxed}'
                )
            return boxed
        paths = {
            path.get("id", ""): self._glyphs.setdefault(
                path.get("d", ""), f"{self._prefix}-{len(self._glyphs)}"
            )
            for path in svg.iterfind(f"{SVG}defs/{SVG}path")
        }
        shapes = "".join(self._shape(child, paths) for child in svg)
        size = f"width:{formula.width:.3f}em;height:{formula.height:.3f}em"
        place = "" if source.display else f"vertical-align:{-formula.baseline:.3f}em"
        is_wide = formula.width > MAX_WIDTH
        html = (
            f'<svg class="formula" role="img" aria-label="{escape(tex)}" '
            f'style="{size}{";" * bool(place)}{"vertical-align:bottom" if is_wide and place else place}" '
            f'viewBox="{escape(svg.get("viewBox", ""))}">{shapes}</svg>'
        )
        if is_wide:  # what scrolls has its base line at its lower edge, so it is lowered itself
            kind = "wide display" if source.display else "wide"
            style = f' style="{place}"' * bool(place)
            return f'<span class="{kind}"{style} tabindex="0" role="group" aria-label="wide formula">{html}</span>'
        return f'<span class="display">{html}</span>' if source.display else html

    def glyphs(self) -> str:
        """An invisible SVG with the letters of all formulas rendered so far."""
        paths = "".join(f'<path id="{name}" d="{escape(d)}"/>' for d, name in self._glyphs.items())
        return f'<svg class="glyphs" aria-hidden="true"><defs>{paths}</defs></svg>' if paths else ""

    def _shape(self, element: ET.Element, paths: dict[str, str]) -> str:
        name = element.tag.removeprefix(SVG)
        if name in ("defs", "foreignObject", "style", "script"):
            return ""
        content = "".join(self._shape(child, paths) for child in element)
        if name not in SVG_ELEMENTS:  # such as a link: its content is still a part of the formula
            return content
        attributes = {
            key: value.replace("black", "currentColor")
            for key, value in element.attrib.items()
            if key in SVG_ATTRIBUTES and SAFE_VALUE.fullmatch(value)
        }
        if name == "use":
            glyph = paths.get(element.get(LINK, "").removeprefix("#"))
            if glyph is None:
                return ""
            attributes["href"] = f"#{glyph}"
        text = escape(element.text or "") if name == "text" else ""
        attribute_text = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
        return f"<{name}{attribute_text}>{text}{content}</{name}>"


def with_formulas(html: str, masked: MaskedMarkdown, formulas: FormulaRenderer) -> str:
    """HTML made from a masked text, with formulas in place of its marks; with their sources in code and in tags."""
    pieces, in_code = [], 0
    for piece in re.split(r"(<[^>]*>)", html):
        if tag := re.match(r"<(/?)(?:code|pre|kbd|samp)\b", piece):
            in_code += -1 if tag[1] else 1
        for part in masked.split(piece):
            if isinstance(part, str):
                pieces.append(part)
            elif in_code or piece.startswith("<"):
                pieces.append(escape(part.source))
            else:
                pieces.append(formulas.render(part))
    return "".join(pieces)
