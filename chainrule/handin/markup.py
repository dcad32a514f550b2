"""HTML of a notebook, reduced to what print can show.

Text, lists, tables and images are shown, with the colours of their style sheet. A page can do more: play, ask,
draw by a script, embed another page. Each such thing becomes a box with its name, and what its author can do instead.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import tinycss2
from bs4 import BeautifulSoup, Tag
from bs4.element import Comment, NavigableString
from tinycss2.color3 import parse_color

from chainrule.handin.formulas import MaskedMarkdown
from chainrule.handin.widgets import progress_bar

NOTE = "note"  # the class of a box
MAX_TAGS = 40_000  # of one text in HTML; a table of 1,000 rows and 24 columns has 26,000
MAX_SEARCHES = 300  # for the elements that a rule of a style sheet is for
_BETWEEN = "\n\n\ue002\n\n"  # texts: no formula goes on after it; the private-use character is in no text
ALWAYS = "Save it as a picture (PNG), or take a screenshot, and show that"

# What draws, by a word in its MIME type, script or address: its name, and how to show it in print.
TOOLS = [
    ("plotly", "a Plotly figure", 'Show it with fig.show("png"), which needs the package kaleido'),
    ("vega", "an Altair (Vega) chart", 'Save it with chart.save("chart.png") and show the picture'),
    (
        "bokeh",
        "a Bokeh plot",
        'Save it with bokeh.io.export_png(plot, filename="plot.png") and show the picture',
    ),
    ("holoviews", "a HoloViews plot", 'Show it with the backend "matplotlib"'),
    ("leaflet", "a map", "Take a screenshot of it and show the picture"),
    ("folium", "a map", "Take a screenshot of it and show the picture"),
    ("geo+json", "a map", "Take a screenshot of it and show the picture"),
    ("jupyter.widget", "a widget", "Print its value, or draw its plot without the widget"),
    ("audio", "a sound", "Say in words what can be heard"),
    ("pdf", "a PDF document", "Save its page as a picture (PNG) and show that"),
]
EMBEDDED = {
    "iframe": "an embedded page",
    "frame": "an embedded page",
    "video": "a video",
    "audio": "a sound",
    "canvas": "a drawing made by a script",
    "object": "an embedded object",
    "embed": "an embedded object",
    "applet": "an embedded program",
    "select": "a menu",
}
NO_TEXT = [
    "style",
    "script",
    "link",
    "meta",
    "base",
    "title",
    "template",
    "noscript",
    "source",
    "track",
    "param",
]
NO_TEXT += ["area", "datalist", "noframes", "noembed"]
# Elements that may be empty without anything missing. Others that are empty draw something themselves.
MAY_BE_EMPTY = re.compile(
    "a|abbr|address|article|aside|b|bdi|bdo|big|blockquote|body|br|button|caption|center|cite|code|col|colgroup|data|dd"
    "|del|details|dfn|dialog|dir|div|dl|dt|em|fieldset|figcaption|figure|font|footer|form|h[1-6]|head|header|hgroup|hr"
    "|html|i|img|input|ins|kbd|label|legend|li|main|map|mark|math|menu|nav|nobr|ol|optgroup|option|output|p|picture|pre"
    "|q|rp|rt|ruby|s|samp|search|section|small|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|textarea"
    "|tfoot|th|thead|time|tr|tt|u|ul|var|wbr|m[a-z]+|semantics|annotation"
)
# BeautifulSoup writes all names in small letters, but SVG needs these.
_SVG_NAMES = {
    name.lower(): name
    for name in (
        *(
            "viewBox",
            "preserveAspectRatio",
            "gradientUnits",
            "gradientTransform",
            "patternUnits",
            "patternTransform",
        ),
        *(
            "patternContentUnits",
            "clipPathUnits",
            "maskUnits",
            "maskContentUnits",
            "markerWidth",
            "markerHeight",
        ),
        *(
            "markerUnits",
            "refX",
            "refY",
            "textLength",
            "lengthAdjust",
            "startOffset",
            "spreadMethod",
            "pathLength",
        ),
        *(
            "stdDeviation",
            "filterUnits",
            "primitiveUnits",
            "linearGradient",
            "radialGradient",
            "clipPath",
            "textPath",
        ),
    )
}
_PIXELS = {"px": 1.0, "": 1.0, "pt": 4 / 3, "pc": 16.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "in": 96.0}
_PIXELS |= {"em": 14.0, "rem": 14.0, "ex": 7.0, "ch": 7.0, "vw": 9.0, "vh": 7.0}


@dataclass
class Printable:
    """HTML that print can show.

    Attributes:
        html: text, lists, tables, images and boxes.
        formulas: those whose marks are in `html`.
        boxed: the boxes' texts.
        interactive: whether it has controls or hidden parts, so that plain text may say the same more clearly.
    """

    html: str = ""
    formulas: MaskedMarkdown = field(default_factory=lambda: MaskedMarkdown(""))
    boxed: list[str] = field(default_factory=list)
    interactive: bool = False

    @property
    def has_text(self) -> bool:
        """Whether there is anything to see."""
        return bool(re.search(r"<(?:img|math|table|hr)\b|>\s*[^<\s]|^\s*[^<\s]", self.html))


def boxed_text(name: str, kind: str, advice: str = ALWAYS) -> str:
    """What a box says: what is missing, and what can be done."""
    return f"Print cannot show {name} ({kind}). {advice}."


def tool(text: str) -> tuple[str, str] | None:
    """Name and advice for what a MIME type, a script or an address draws; None if it is not known."""
    text = text.lower()
    return next(((name, advice) for word, name, advice in TOOLS if word in text), None)


def printable(html: str, *, formulas: bool = False) -> Printable:
    """Reduce HTML to what print can show.

    Args:
        formulas: whether dollars in its text mark formulas, as in the outputs that Jupyter shows.
    Raises:
        ValueError: it has too many elements.
    """
    if html.count("<") > MAX_TAGS:
        raise ValueError(f"it has more than {MAX_TAGS:,} elements")
    return _Reduction(html, formulas).result


def is_gone(element: Tag) -> bool:
    """Whether an element is no longer in its page. (bs4's `decomposed` searches all that is in the element.)"""
    return vars(element).get("parent") is None


class _Reduction:
    def __init__(self, html: str, formulas: bool) -> None:
        self.result = Printable()
        self._soup = soup = BeautifulSoup(html, "html.parser")
        for item in soup.select("li > li"):  # nobody has to close a list's item
            if item.parent:
                item.parent.insert_after(item)
        styles = [
            element.string or "" for element in soup.find_all("style") if not element.find_parent("svg")
        ]
        self._scripts = [
            f"{element.get('src', '')} {element.string or ''}"
            for element in soup.find_all("script")
            if "json" not in str(element.get("type", "")) and "math" not in str(element.get("type", ""))
        ]
        for comment in soup.find_all(string=lambda text: type(text) is not NavigableString):
            if isinstance(comment, Comment):
                comment.extract()
        self._hidden()
        self._images()
        for element in list(soup.find_all(True)):
            if not is_gone(element) and element.name in EMBEDDED:
                self._embedded(element)
        for element in soup.find_all(NO_TEXT):
            element.decompose()
        self._controls()
        self._filled_by_scripts()
        if not _paint(soup, styles):
            self._append_box("bars and other patterns in the cells of a table", "background")
        if formulas:
            self._mark_formulas()
        self.result.html = str(soup)

    def _box(self, element: Tag, name: str, kind: str, advice: str = ALWAYS) -> None:
        """Put a box in the element's place."""
        text = boxed_text(name, kind, advice)
        self.result.boxed.append(text)
        box = self._soup.new_tag("span", attrs={"class": NOTE})
        box.string = text
        element.replace_with(box)

    def _append_box(self, name: str, kind: str, advice: str = ALWAYS) -> None:
        mark = self._soup.new_tag("span")
        self._soup.append(mark)
        self._box(mark, name, kind, advice)

    def _mark_formulas(self) -> None:
        texts = [
            text
            for text in self._soup.find_all(string=True)
            if not text.find_parent(["code", "pre", "kbd", "samp", "math"])
            and not text.find_parent(class_=["tex2jax_ignore", NOTE])
        ]
        if any("$" in text or "\\begin{" in text for text in texts):
            self.result.formulas = MaskedMarkdown(
                _BETWEEN.join(text.replace("\ue002", "\ufffd") for text in texts)
            )
            for text, marked in zip(texts, self.result.formulas.text.split(_BETWEEN), strict=True):
                text.replace_with(marked)

    def _images(self) -> None:
        for element in self._soup.find_all("svg"):
            if is_gone(element) or element.find_parent("svg"):
                continue
            if element.find("foreignobject"):
                self._box(element, "a drawing with parts that are a page of their own", "svg")
            elif element.find(
                ["path", "rect", "circle", "line", "polygon", "polyline", "ellipse", "text", "image", "use"]
            ):
                image = self._soup.new_tag("img", attrs={"src": _svg_address(element)})
                for name, value in _style(element).items():
                    if name in ("width", "height"):
                        image[name] = value
                element.replace_with(image)
        for element in self._soup.find_all("img"):
            if not str(element.get("src", "")).strip():
                self._box(element, "an image without an address, which a script draws", "img")
                continue
            style = _style(element)
            for side in ("width", "height"):
                length = style.get(side) or style.get(f"max-{side}", "") or str(element.get(side, ""))
                if pixels := in_pixels(length):
                    element[side] = pixels
                else:
                    element.attrs.pop(side, None)
            element.attrs.pop("style", None)

    def _hidden(self) -> None:
        for element in list(self._soup.find_all(True)):
            if is_gone(element) or element.name in ("input", "svg", *NO_TEXT):
                continue
            style = _style(element)
            hidden = style.get("display") == "none" or style.get("visibility") == "hidden"
            if not hidden and "hidden" not in element.attrs:
                continue
            self.result.interactive = True
            says = "".join(
                text for text in element.find_all(string=True) if not text.find_parent(NO_TEXT)
            ).strip()
            if element.name in EMBEDDED:
                self._embedded(element)
            elif says or element.find([name for name in EMBEDDED if name != "select"]) or element.find("img"):
                self._box(
                    element, "a part that the page hides", element.name, "Show what is in it without HTML"
                )
            else:
                element.decompose()

    def _embedded(self, element: Tag) -> None:
        address = str(element.get("src") or element.get("data") or "")
        content = f"{element.name} {address} {element.get('type', '')} {element.get('srcdoc', '')}"
        name, advice = tool(content[:200_000]) or (EMBEDDED[element.name], ALWAYS)
        where = f": {address[:200]}" if address and not address.startswith("data:") else ""
        self._box(element, name, f"{element.name}{where}", advice)

    def _controls(self) -> None:
        for element in self._soup.find_all(["input", "progress", "meter", "button", "textarea"]):
            kind = str(element.get("type", "text")).lower() if element.name == "input" else element.name
            if kind in ("progress", "meter"):
                value, most = in_number(element.get("value")), in_number(element.get("max"))
                bar = (
                    progress_bar(value, in_number(element.get("min")) or 0.0, most or 1.0)
                    if value is not None
                    else ""
                )
                element.replace_with(bar or element.get_text())
                continue
            in_task = element.find_parent("li") is not None and kind == "checkbox"
            if in_task:  # pandoc makes them a list of tasks
                continue
            self.result.interactive = True
            if kind in ("checkbox", "radio"):
                element.replace_with("☒ " if "checked" in element.attrs else "☐ ")
            elif kind == "hidden":
                element.decompose()
            elif kind in ("submit", "reset"):
                element.replace_with(f"[{element.get('value') or kind}]")
            elif element.name == "input":
                self._box(
                    element,
                    f"a form's field with the value “{element.get('value', '')}”",
                    f"input {kind}",
                    "Print its value",
                )

    def _filled_by_scripts(self) -> None:
        """Box what scripts would draw: empty elements with a name, and what draws itself."""
        script = " ".join(self._scripts)
        name, advice = tool(script[:2_000_000]) or ("a drawing made by a script", ALWAYS)
        for element in list(self._soup.find_all(True)):
            if is_gone(element) or element.find(True) or element.get_text(strip=True):
                continue
            if not MAY_BE_EMPTY.fullmatch(element.name):
                self._box(element, "an element that draws itself", element.name)
            elif (
                self._scripts
                and element.get("id")
                and element.name in ("div", "span", "section", "figure", "p")
            ):
                self._box(element, name, "script", advice)
        if self._scripts and not self.result.boxed:
            visible = self._soup.get_text(strip=True) or self._soup.find(["img", "table"])
            if not visible:
                self._append_box(name, "script", advice)


def _svg_address(element: Tag) -> str:
    """An SVG element as an address of data."""
    for each in [element, *element.find_all(True)]:
        each.name = _SVG_NAMES.get(each.name, each.name)
        each.attrs = {_SVG_NAMES.get(name, name): value for name, value in each.attrs.items()}
    element.attrs.setdefault("xmlns", "http://www.w3.org/2000/svg")
    element.attrs.setdefault("xmlns:xlink", "http://www.w3.org/1999/xlink")
    return "data:image/svg+xml;base64," + base64.b64encode(str(element).encode()).decode()


def in_number(value: object) -> float | None:
    """A number in an attribute; None if it is none."""
    try:
        return float(str(value))
    except ValueError:
        return None


def in_pixels(length: str) -> str | None:
    """A length of CSS or HTML in CSS pixels, or a share of the width such as "50%"; None if it is neither."""
    match = re.fullmatch(
        r"\s*(\d{1,5}(?:\.\d{0,9})?|\.\d{1,9})\s*([a-z]{0,3}|%)\s*(?:!important)?\s*", length.lower()
    )
    if match is None or float(match[1]) == 0:
        return None
    if match[2] == "%":
        return f"{float(match[1]):g}%"
    return f"{float(match[1]) * _PIXELS[match[2]]:g}" if match[2] in _PIXELS else None


# Colours


def _style(element: Tag) -> dict[str, str]:
    """The declarations in an element's style attribute."""
    text = element.get("style")
    if not isinstance(text, str) or len(text) > 10_000:
        return {}
    return dict(
        _declarations(tinycss2.parse_declaration_list(text, skip_comments=True, skip_whitespace=True))
    )


def _declarations(nodes: list[object]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if getattr(node, "type", "") == "declaration":
            yield node.lower_name, tinycss2.serialize(node.value).strip()  # type: ignore[attr-defined]


def _paint(soup: BeautifulSoup, sheets: list[str]) -> bool:
    """Leave in each `style` attribute only colours and letter shapes; first put those of style sheets there.

    Returns:
        Whether all backgrounds are plain colours.
    """
    found: dict[int, dict[str, str]] = {}
    named = {str(element["id"]): element for element in soup.find_all(id=True)}
    searches = MAX_SEARCHES
    plain = True
    for sheet in sheets:
        for rule in tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True):
            if rule.type != "qualified-rule":
                continue
            declared = {
                name: value
                for name, value in _declarations(
                    tinycss2.parse_declaration_list(rule.content, skip_comments=True, skip_whitespace=True)
                )
                if name in _PAINTED
            }
            if not declared:
                continue
            selectors = tinycss2.serialize(rule.prelude)
            if re.fullmatch(
                r"\s*#[\w-]+(?:\s*,\s*#[\w-]+)*\s*", selectors
            ):  # as pandas writes them, by the thousand
                names = [part.strip()[1:] for part in selectors.split(",")]
                selected = [named[name] for name in names if name in named]
            else:
                searches -= 1
                selected = _selected(soup, selectors) if searches >= 0 else []
            for element in selected:
                found.setdefault(id(element), {}).update(declared)
    for element in soup.find_all(True):
        style = found.get(id(element), {}) | _style(element)
        if element.name == "font" and element.get("color"):
            style.setdefault("color", str(element["color"]))
            element.name = "span"
        if element.get("bgcolor"):
            style.setdefault("background-color", str(element["bgcolor"]))
        element.attrs.pop("style", None)
        plain = plain and "gradient(" not in style.get("background", "")
        if element.name == "mark":
            style.setdefault("background-color", "#fff3a3")
            element.name = "span"
        painted = _painted(style)
        if painted:
            _put(soup, element, painted)
    return plain


def _selected(soup: BeautifulSoup, selectors: str) -> list[Tag]:
    """The elements that a rule is for."""
    try:
        return list(soup.select(selectors))
    except Exception:  # a selector that soupsieve doesn't know
        return []


_PAINTED = {"color", "background-color", "background", "font-weight", "font-style", "text-decoration"}


def _painted(style: dict[str, str]) -> str:
    """A `style` attribute with what is kept, colours as #rrggbb."""
    kept = []
    background = _colour(style.get("background-color") or style.get("background") or "")
    colour = _colour(style.get("color") or "")
    if colour and _contrast(colour, background or (1.0, 1.0, 1.0)) < 1.6:
        colour = None  # on paper it could not be read
    if background and not colour and _contrast((0.0, 0.0, 0.0), background) < 2.5:
        colour = (1.0, 1.0, 1.0)
    for name, value in (("color", colour), ("background-color", background)):
        if value:
            kept.append(f"{name}:#{''.join(f'{round(255 * part):02x}' for part in value)}")
    if re.match(r"bold|[6-9]00", style.get("font-weight", "")):
        kept.append("font-weight:bold")
    if "italic" in style.get("font-style", ""):
        kept.append("font-style:italic")
    for line in ("underline", "line-through"):
        if line in style.get("text-decoration", ""):
            kept.append(f"text-decoration:{line}")
    return ";".join(kept)


Colour = tuple[float, float, float]


def _colour(text: str) -> Colour | None:
    """A colour of CSS on white paper, each part from 0 to 1; None for "transparent" and for what is no colour."""
    colour = parse_color(text.replace("!important", "").strip())
    if colour is None or isinstance(colour, str) or colour.alpha == 0:
        return None
    part = [
        min(1.0, max(0.0, 1 - colour.alpha * (1 - each))) for each in (colour.red, colour.green, colour.blue)
    ]
    return part[0], part[1], part[2]


def _contrast(one: Colour, other: Colour) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2)."""
    lightness = sorted(
        sum(
            weight * (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4)
            for weight, part in zip((0.2126, 0.7152, 0.0722), colour, strict=True)
        )
        for colour in (one, other)
    )
    return (lightness[1] + 0.05) / (lightness[0] + 0.05)


_BLOCKS = ("p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "dt", "dd", "caption", "summary", "figcaption")


def _put(soup: BeautifulSoup, element: Tag, style: str) -> None:
    """Give the element its style where pandoc keeps it: at cells and spans; other elements get a span inside."""
    if element.name in ("td", "th", "tr", "span", "div"):
        element["style"] = style
    elif element.name in _BLOCKS and not element.find(["p", "ul", "ol", "table", "div", "pre"]):
        inner = soup.new_tag("span", attrs={"style": style})
        inner.extend(list(element.contents))
        element.append(inner)
    elif element.name in (
        "b",
        "i",
        "em",
        "strong",
        "u",
        "s",
        "small",
        "sub",
        "sup",
        "code",
        "a",
        "big",
        "tt",
    ):
        element.wrap(soup.new_tag("span", attrs={"style": style}))
    elif element.name in ("table", "thead", "tbody", "tfoot"):
        for row in element.find_all("tr"):
            if not row.get("style"):
                row["style"] = style
