"""The form of an output that print shows: a picture, text, or a box that says what is missing."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chainrule.handin.markup import ALWAYS, boxed_text, printable, tool
from chainrule.handin.notebook import joined
from chainrule.handin.widgets import VIEW

IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
MAX_HTML = 500_000  # characters without images, scripts and style sheets
# The text of an object that has none of its own, such as <folium.folium.Map at 0x7f12>.
NAME_ONLY = re.compile(
    r"\s*<(?:[\w.]+|[\w.]*<locals>[\w.]+)+(?: object)?(?: at 0x[0-9a-fA-F]+)?>\s*|\s*<Figure size [^<>\n]*>\s*"
)
# Such objects that hide nothing: a generator of random numbers, and parts of a figure that is shown itself.
PLAIN_OBJECTS = re.compile(r"\s*<(?:matplotlib\.|torch\._C\.Generator)")
PROGRESS = re.compile(r"\d+%\|.*\|")  # a bar of tqdm, as it was drawn first
# For programs, not for readers; the same is there in another form.
FOR_PROGRAMS = re.compile(r"application/vnd\.(?:chainrule|dataresource|google\.colaboratory\.intrinsic)\b.*")


@dataclass(frozen=True)
class Form:
    """What print shows of an output.

    Attributes:
        text: the image's data, the text, or what the box says.
        mimetype: of an image.
        warning: what the reader of the PDF does not see; "" if nothing is missing.
    """

    kind: Literal["image", "html", "markdown", "text", "box", "nothing"]
    text: str = ""
    mimetype: str = ""
    warning: str = ""


def best_form(data: Mapping[str, Any]) -> Form:
    """The best form of an output that print can show, from its data by MIME type."""
    for mimetype in IMAGES:
        if mimetype in data:
            return Form("image", joined(data[mimetype]), mimetype)
    plain = joined(data.get("text/plain", ""))
    readable = bool(plain.strip()) and not NAME_ONLY.fullmatch(plain)
    warning = ""
    if html := joined(data.get("text/html", "")):
        try:
            page = printable(html)
        except (ValueError, RecursionError) as error:
            warning = f"an HTML output is shown as plain text: {error}"
        else:
            shows = (
                "<table" in page.html or "<img" in page.html or any("hides" not in box for box in page.boxed)
            )
            if len(re.sub(r'src="data:[^"]*"', "", page.html)) > MAX_HTML:
                warning = "an HTML output is shown as plain text: it is too long"
            elif page.has_text and (shows or not (page.interactive and readable)):
                return Form("html", html)
    for mimetype in ("text/markdown", "text/latex"):
        if mimetype in data:
            return Form("markdown", joined(data[mimetype]), mimetype, warning)
    others = [
        kind
        for kind in sorted(data)
        if kind not in ("text/plain", "text/html", "application/json") and not FOR_PROGRAMS.fullmatch(kind)
    ]
    texts = [kind for kind in others if kind.startswith("text/")]
    if others and not (VIEW in data and PROGRESS.search(plain)) and not texts:
        kinds = ", ".join(others)
        name, advice = tool(kinds) or (_kind_of(others[0]), ALWAYS)
        first = plain.strip().partition("\n")[0][:100]
        named = f"{kinds}; {first}" if first else kinds
        return _box(boxed_text(name, named, advice))
    if "application/json" in data and not readable:
        return Form("text", json.dumps(data["application/json"], indent=1, ensure_ascii=False))
    if texts and not readable:
        return Form("text", joined(data[texts[0]]), warning=warning)
    if readable or PLAIN_OBJECTS.match(plain):
        return Form("text", plain, warning=warning)
    if html and plain.strip() and warning:
        return Form("text", html, warning=warning)
    if plain.strip():
        advice = "If you meant to show what it holds, print that, or save it as a picture (PNG) and show that"
        return _box(boxed_text("an object without a text of its own", plain.strip(), advice))
    return Form("text", html, warning=warning) if warning else Form("nothing")


def _box(text: str) -> Form:
    return Form("box", text, warning=text)


def _kind_of(mimetype: str) -> str:
    family = mimetype.partition("/")[0]
    names = {"image": "an image of this kind", "video": "a video", "audio": "a sound", "model": "a 3D model"}
    if "javascript" in mimetype:
        return "what a script does"
    return names.get(family, "an output of this kind")
