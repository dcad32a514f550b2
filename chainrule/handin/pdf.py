"""Notebooks to a PDF write-up, with no TeX, no browser and no network.

    write_pdf([Path("hw1.ipynb")], Path("hw1.pdf"), title="Homework 1")

Prose is read by pandoc, formulas are drawn by MathJax, the page is set by Typst; all three come with the
Python packages. A notebook is a stranger's file: nothing in it is run, images come from its own folder
only, and whatever cannot be shown becomes a note in the PDF and a warning, never a missing page.
"""

import base64
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import nbformat
from PIL import Image

from chainrule.handin.formulas import FormulaError, Found, MathJax
from chainrule.handin.prose import Prose, ProseError, sensible_width
from chainrule.handin.typesetting import ROOM, TEXT, Part, TypesettingError, WriteUp, breakable, quoted

MOST_LINES = 160  # of one output; a write-up is read by people
MOST_LETTERS = 4_000  # of one line of output
LARGEST_TABLE = 500_000  # characters of HTML; the output's plain text is shown instead
LARGEST_IMAGE = 30_000_000  # bytes
MOST_PIXELS = 50_000_000


class PDFError(ValueError):
    """No PDF can be written; the message says what to do about it."""


class ImageError(ValueError):
    """An image that does not get into the PDF; the message says why."""


def write_pdf(notebooks: Sequence[Path], output: Path, *, title: str | None = None) -> list[str]:
    """Write `notebooks`, one after the other, as one PDF to `output`; `title` heads the first page.

    Returns warnings: what the PDF does not show as the notebook does, and in which notebook and cell. Raises
    `PDFError` for a missing file, a file that is no notebook, or an `output` that cannot be written.
    """
    if not notebooks:
        raise PDFError("No notebook to write. Name at least one .ipynb file.")
    if output.suffix.lower() != ".pdf":
        raise PDFError(f"{output}: give the PDF a name that ends in .pdf.")  # and never overwrite a notebook
    contents = [_read(path) for path in notebooks]  # all of them, before the work on any begins
    writeup = WriteUp(title and _clean(title), notebooks[0].stem)
    for path, notebook in zip(notebooks, contents, strict=True):
        _NotebookWriter(path, writeup).write(notebook)
    try:
        pdf = writeup.to_pdf()
    except TypesettingError as error:
        raise PDFError(
            f"{output.name} could not be typeset ({error}). Please report this notebook."
        ) from error
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(pdf)
    except OSError as error:
        raise PDFError(f"{output} cannot be written ({error.strerror}). Is it open in a viewer?") from error
    return list(dict.fromkeys(writeup.warnings))


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise PDFError(f"{path}: no such file. Give the path of a notebook (.ipynb).") from None
    except UnicodeDecodeError:
        raise PDFError(f"{path} is not a notebook: it is not text. Give an .ipynb file.") from None
    except OSError as error:
        raise PDFError(
            f"{path} cannot be read ({error.strerror}). Give an .ipynb file that you may read."
        ) from None
    try:
        with warnings.catch_warnings(action="ignore"):  # about ids that an old notebook lacks
            notebook = _clean(nbformat.reads(text, as_version=4))
    except Exception as error:  # on a file of another shape nbformat fails in many ways
        kind = "JSON" if isinstance(error, nbformat.reader.NotJSONError) else "a notebook"
        raise PDFError(
            f"{path} is not {kind}. If it is a notebook, open it in Jupyter, save it, and try again; "
            "if it was cut off in a download, download it again."
        ) from error
    if not isinstance(notebook.get("cells"), list):
        raise PDFError(f"{path} is JSON, but not a notebook: it has no cells. Give an .ipynb file.")
    return notebook


def _clean(value: Any) -> Any:
    """The same JSON without half characters (lone surrogates), which JSON can carry and UTF-8 cannot."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value


class _NotebookWriter:
    """Adds one notebook to a write-up, cell by cell."""

    def __init__(self, path: Path, writeup: WriteUp) -> None:
        self._name = path.name
        self._folder = path.resolve().parent
        self._writeup = writeup
        self._mathjax = MathJax()  # one for each notebook, as macros belong to theirs
        self._prose = Prose(self._formula, self._picture)
        self._where = self._name
        self._attachments: Mapping[str, Any] = {}
        self._language = "python"
        self._blank = True

    def write(self, notebook: Mapping[str, Any]) -> None:
        metadata = notebook.get("metadata") or {}
        kernel = metadata.get("kernelspec") or {}
        self._language = str(kernel.get("language") or "python")
        self._writeup.add_notebook(self._name)
        for number, cell in enumerate(notebook["cells"], 1):
            self._where = f"{self._name}, cell {number}"
            try:
                self._cell(cell)
            except Exception as error:
                # A cell can be malformed in more ways than we can name; none may cost the other cells.
                self._warn(f"cannot be shown ({type(error).__name__}: {error})")
                self._add("#note[A cell that cannot be shown.]")
        if self._blank:
            self._add("#note[There is nothing in this notebook.]")

    def _add(self, typst: str, plain: str = "") -> None:
        self._blank = self._blank and not typst.strip()
        self._writeup.add(Part(self._where, typst, plain))

    def _warn(self, problem: str) -> None:
        self._writeup.warnings.append(f"{self._where}: {problem}")

    # Cells

    def _cell(self, cell: Mapping[str, Any]) -> None:
        source = _joined(cell.get("source", ""))
        kind = cell.get("cell_type")
        if kind == "markdown":
            self._attachments = cell.get("attachments") or {}
            self._add(self._readable(source), source)
        elif kind == "code":
            outputs = cell.get("outputs") or []
            if source.strip() or outputs:
                count = cell.get("execution_count")
                label = quoted(f"[{count if isinstance(count, int) else ' '}]")
                code = quoted(breakable(source.rstrip()))
                self._add(f"#code-cell({label}, {code}, lang: {quoted(self._language)})", source)
            for output in _merged(outputs):
                self._output(output)
        elif source.strip():
            self._add(f"#listing({quoted(breakable(source))})", source)

    def _readable(self, markdown: str) -> str:
        try:
            return self._prose.markdown(markdown)
        except ProseError as error:
            self._warn(f"shown as plain text: {error}")
            return f"#listing({quoted(breakable(markdown))})"

    # Outputs

    def _output(self, output: Mapping[str, Any]) -> None:
        kind = output.get("output_type")
        if kind == "stream":
            self._text(
                _joined(output.get("text", "")), "stderr" if output.get("name") == "stderr" else "stdout"
            )
        elif kind == "error":
            trace = "\n".join(map(str, output.get("traceback") or []))
            self._text(trace or f"{output.get('ename')}: {output.get('evalue')}", "error")
        else:
            self._data(output.get("data") or {}, output.get("metadata") or {})

    def _text(self, text: str, kind: str) -> None:
        text = final_screen(text).strip("\n")
        if text.strip():
            text = self._shortened(text)
            self._add(f"#output-text({quoted(breakable(text))}, kind: {quoted(kind)})", text)

    def _shortened(self, text: str) -> str:
        lines = [
            f"{line[:MOST_LETTERS]} […]" if len(line) > MOST_LETTERS else line for line in text.split("\n")
        ]
        missing = len(lines) - MOST_LINES
        if missing > 0:
            self._warn(f"{missing} lines of a long output are left out")
            lines[MOST_LINES // 2 : -MOST_LINES // 2] = [f"[… {missing} lines, which the notebook shows]"]
        return "\n".join(lines)

    def _data(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """One output that comes in several forms: the best one that print can show."""
        plain = _joined(data.get("text/plain", ""))
        for mimetype in ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"):
            if mimetype in data:
                return self._image_output(
                    mimetype, _joined(data[mimetype]), metadata.get(mimetype) or {}, plain
                )
        html = _joined(data.get("text/html", ""))
        shown_by_html = "<table" in html or not plain or plain.startswith("<IPython.core.display.")
        if html and shown_by_html and len(html) <= LARGEST_TABLE:
            try:
                body = self._prose.html(html)
            except ProseError as error:
                self._warn(f"an HTML output is shown as plain text: {error}")
                body = ""
            if body.strip():
                return self._add(f"#output[{body}]", plain)
        for mimetype in ("text/markdown", "text/latex"):
            if mimetype in data:
                source = _joined(data[mimetype])
                return self._add(f"#output[{self._readable(source)}]", source)
        if plain.strip() and not plain.startswith("<IPython.core.display."):
            return self._text(plain, "result")
        if data:
            kinds = ", ".join(sorted(data))
            self._warn(f"an output has no form that print can show ({kinds})")
            self._add(f"#output[#note({quoted(f'An output that print cannot show ({kinds}).')})]")

    def _image_output(self, mimetype: str, text: str, metadata: Mapping[str, Any], plain: str) -> None:
        try:
            data = text.encode() if mimetype == "image/svg+xml" else _decoded(text)
            width = sensible_width(metadata.get("width"))
            shown = self._image(data, "Output of the cell above", width)
        except ValueError as error:
            self._warn(f"an image output is not shown: {error}")
            shown = f"#note({quoted(f'An image that cannot be shown: {error}.')});"
        self._add(f"#output[{shown}]", plain)

    # What stands inside prose: formulas and images

    def _formula(self, found: Found) -> str:
        tex = found.tex.strip()
        try:
            formula = self._mathjax.to_svg(tex, found.display)
        except FormulaError as error:
            self._warn(f"a formula is shown as source, {error}: {tex[:80]}")
            return f"#formula-source({quoted(breakable(tex))});"
        if not formula.width:
            return ""
        file = self._writeup.add_file(formula.svg.encode(), "svg")
        alt = quoted(tex)
        if found.display or formula.width * TEXT > ROOM:  # a line of its own, where it can shrink to fit
            return f"#display-formula({file}, {formula.width:.3f}em, {alt});"
        return f"#formula({file}, {formula.height:.3f}em, {formula.baseline:.3f}em, {alt});"

    def _picture(self, address: str, alt: str, width: float | None) -> str:
        try:
            return self._image(self._image_data(address), alt, width)
        except (ValueError, OSError) as error:
            name = address if len(address) <= 80 else address[:80] + "…"
            self._warn(f"image {name} is not shown: {error}")
            return f"#note({quoted(f'Image not shown: {name} ({error}).')});"

    def _image_data(self, address: str) -> bytes:
        """The image that a text names: an attachment, a data address, or a file in the notebook's folder."""
        if address.startswith("attachment:"):
            forms = self._attachments.get(unquote(address.removeprefix("attachment:"))) or {}
            for form in forms.values():
                return _decoded(_joined(form))
            raise ImageError("the cell has no such attachment")
        if address.startswith("data:"):
            head, _, body = address.partition(",")
            return _decoded(body) if head.endswith(";base64") else unquote(body).encode()
        file = unquote(address).replace("\\", "/").partition("?")[0]
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", file):
            raise ImageError("it is not a file beside the notebook; download it there")
        path = (self._folder / file).resolve()  # follows links, so none leads out
        if file.startswith("/") or not path.is_relative_to(self._folder):
            raise ImageError("it is outside the notebook's folder; copy it there")
        if not path.is_file():
            raise ImageError("there is no such file")
        if path.stat().st_size > LARGEST_IMAGE:
            raise ImageError(f"it is larger than {LARGEST_IMAGE // 1_000_000} MB")
        return path.read_bytes()

    def _image(self, data: bytes, alt: str, width: float | None) -> str:
        """Typst for an image, `width` CSS pixels wide if that is said. Raises `ImageError`."""
        if data.lstrip().startswith(b"<"):
            suffix, pixels = "svg", width or "none"  # then Typst asks the drawing
        else:
            suffix, pixels = _raster(data)
            pixels = width or pixels
        return f"#picture({self._writeup.add_file(data, suffix)}, alt: {quoted(alt)}, pixels: {pixels});"


def _raster(data: bytes) -> tuple[str, int]:
    """File suffix and width in pixels. Reads the image whole, as Typst gives no PDF for half a one."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "GIF", "WEBP"]) as image:
            large = image.width * image.height > MOST_PIXELS
            if not large:
                image.load()
            suffix, pixels = str(image.format).lower(), image.width
    except Exception as error:  # Pillow raises a dozen kinds
        raise ImageError("it is no readable PNG, JPEG, GIF, WebP or SVG image") from error
    if large:
        raise ImageError(f"it has more than {MOST_PIXELS // 1_000_000} million pixels")
    return suffix, pixels


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError as error:
        raise ImageError("its data is incomplete") from error


def _joined(text: Any) -> str:
    """A text of a notebook, which JSON may keep as a list of lines."""
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def _merged(outputs: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The outputs with runs of one stream joined: a progress bar's pieces overwrite each other."""
    for stream, run in groupby(
        outputs, lambda out: out.get("name") if out.get("output_type") == "stream" else None
    ):
        if stream is None:
            yield from run
        else:
            text = "".join(_joined(output.get("text", "")) for output in run)
            yield {"output_type": "stream", "name": stream, "text": text}


_TERMINAL = re.compile(
    r"(?P<up>\x1b\[(?P<lines>\d*)A)|(?P<erase>\x1b\[[02]?K)"
    r"|(?P<other>\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?)"
    r"|(?P<control>[\r\n\x08])|(?P<text>[^\x1b\r\n\x08]+)",
    re.DOTALL,
)


def final_screen(text: str) -> str:
    """What a terminal shows in the end: no colours, and of a progress bar only its last state."""
    lines, row, column = [""], 0, 0
    for match in _TERMINAL.finditer(text.replace("\r\n", "\n")):
        token = match[0]
        if match["text"]:
            line = lines[row].ljust(column)
            line = line[:column] + token + line[column + len(token) :]
            lines[row] = line[: MOST_LETTERS + 1]
            column = min(column + len(token), MOST_LETTERS + 1)
        elif token == "\n":
            row, column = row + 1, 0
            if row == len(lines):
                lines.append("")
        elif token == "\r":
            column = 0
        elif token == "\x08":
            column = max(0, column - 1)
        elif match["up"]:
            row = max(0, row - int(match["lines"] or 1))
        elif match["erase"]:
            lines[row] = lines[row][:column]
    return "\n".join(line.rstrip() for line in lines)
