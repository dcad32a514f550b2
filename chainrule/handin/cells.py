"""One notebook's cells and outputs as Typst."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.handin.formulas import FormulaError, FormulaSource, Labels, MathJax
from chainrule.handin.images import ImageError, from_base64, is_svg, named_image, raster_format
from chainrule.handin.markup import printable
from chainrule.handin.notebook import final_screen, formulas_of, joined, merged, shortened
from chainrule.handin.outputs import Form, best_form
from chainrule.handin.prose import Length, Prose, ProseError, sensible_length
from chainrule.handin.typesetting import FONT_SIZE, TEXT_WIDTH, TypstPart, WriteUp, breakable, quoted
from chainrule.handin.widgets import Widgets, saved_models
from chainrule.handin.write_up import FRAME, ON_COVER, RESULT


class NotebookWriter:
    """Adds one notebook to a write-up, cell by cell."""

    def __init__(self, path: Path, writeup: WriteUp) -> None:
        self._name = path.name
        self._folder = path.resolve().parent
        self._writeup = writeup
        self._mathjax = MathJax()
        self._prose = Prose(self._formula, self._named_image, writeup.heading_level, self._warn)
        self._where = self._name
        self._attachments: Mapping[str, Any] = {}
        self._language = "python"
        self._widgets = Widgets({})
        self._empty = True

    def write(self, notebook: Mapping[str, Any]) -> None:
        metadata = notebook.get("metadata") or {}
        kernel = metadata.get("kernelspec") or {}
        self._language = str(kernel.get("language") or "python")
        self._mathjax = MathJax(Labels(formulas_of(notebook)))  # macros and labels belong to their notebook
        self._widgets = Widgets(saved_models(notebook))
        self._writeup.add_notebook(self._name)
        for number, cell in enumerate(notebook["cells"], 1):
            self._where = f"{self._name}, cell {number}"
            try:
                self._cell(cell)
            except Exception as error:
                # A cell can be malformed in many ways; the other cells must still be shown.
                self._warn(f"cannot be shown ({type(error).__name__}: {error})")
                self._add("#note[A cell that cannot be shown.]")
        if self._empty:
            self._add("#note[There is nothing in this notebook.]")

    def _add(self, typst: str, plain: str = "") -> None:
        self._empty = self._empty and not typst.strip()
        self._writeup.add(TypstPart(self._where, typst, plain))

    def _warn(self, problem: str) -> None:
        self._writeup.warnings.append(f"{self._where}: {problem}")

    # Cells

    def _cell(self, cell: Mapping[str, Any]) -> None:
        source = joined(cell.get("source", ""))
        kind = cell.get("cell_type")
        metadata = cell.get("metadata") or {}
        frame, result = metadata.get(FRAME), metadata.get(RESULT)
        if metadata.get(ON_COVER) is True:
            pass
        elif isinstance(result, str):
            self._add(f"#result({quoted(breakable(result))})", result)
        elif kind == "markdown":
            self._attachments = cell.get("attachments") or {}
            self._add(self._framed(self._readable(source), frame), source)
        elif kind == "code":
            outputs = cell.get("outputs") or []
            if source.strip() or outputs:
                count = cell.get("execution_count")
                label = quoted(f"[{count if isinstance(count, int) else ' '}]")
                code = quoted(breakable(source.rstrip()))
                if isinstance(frame, str):
                    listing = f"#raw({code}, lang: {quoted(self._language)}, block: true)"
                    self._add(self._framed(listing, frame), source)
                elif source.strip():
                    self._add(f"#code-cell({label}, {code}, lang: {quoted(self._language)})", source)
            for output in merged(list(self._widgets.replaced(outputs))):
                self._output(output)
        elif source.strip():
            self._add(f"#listing({quoted(breakable(source))})", source)

    @staticmethod
    def _framed(typst: str, title: Any) -> str:
        return f"#answer({quoted(title)})[{typst}]" if isinstance(title, str) else typst

    def _readable(self, markdown: str, *, chapters: bool = True) -> str:
        try:
            return self._prose.markdown(markdown, chapters=chapters)
        except ProseError as error:
            self._warn(f"shown as plain text: {error}")
            return f"#listing({quoted(breakable(markdown))})"

    # Outputs

    def _output(self, output: Mapping[str, Any]) -> None:
        kind = output.get("output_type")
        if kind == "stream":
            self._text(
                joined(output.get("text", "")), "stderr" if output.get("name") == "stderr" else "stdout"
            )
        elif kind == "error":
            trace = "\n".join(map(str, output.get("traceback") or []))
            self._text(trace or f"{output.get('ename')}: {output.get('evalue')}", "error")
        else:
            self._data(output.get("data") or {}, output.get("metadata") or {})

    def _text(self, text: str, kind: str) -> None:
        text = final_screen(text).strip("\n")
        if text.strip():
            text, missing = shortened(text)
            if missing:
                self._warn(f"{missing} lines of a long output are left out")
            self._add(f"#output-text({quoted(breakable(text))}, kind: {quoted(kind)})", text)

    def _data(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """An output in its best form that print can show, or a box."""
        form = best_form(data)
        plain = joined(data.get("text/plain", ""))
        if form.warning:
            self._warn(form.warning)
        match form.kind:
            case "image":
                self._image_output(form, metadata.get(form.mimetype) or {}, plain)
            case "html":
                try:
                    body = self._prose.html(printable(form.text, formulas=True))
                except ProseError as error:
                    self._warn(f"an HTML output is shown as plain text: {error}")
                    self._text(plain or form.text, "result")
                else:
                    self._add(f"#output[{body}]", plain)
            case "markdown":
                self._add(f"#output[{self._readable(form.text, chapters=False)}]", form.text)
            case "text":
                self._text(form.text, "result")
            case "box":
                self._add(f"#output[#note({quoted(breakable(form.text))})]")

    def _image_output(self, form: Form, metadata: Mapping[str, Any], plain: str) -> None:
        try:
            data = form.text.encode() if form.mimetype == "image/svg+xml" else from_base64(form.text)
            width, height = (sensible_length(metadata.get(side)) for side in ("width", "height"))
            typst = self._image(data, "Output of the cell above", width, height)
        except ImageError as error:
            self._warn(f"an image output is not shown: {error}")
            typst = f"#note({quoted(f'An image that cannot be shown: {error}.')});"
        self._add(f"#output[{typst}]", plain)

    # Inside prose: formulas and images

    def _formula(self, source: FormulaSource) -> str:
        tex = source.tex.strip()
        try:
            formula = self._mathjax.to_fit(tex, source.display, TEXT_WIDTH / FONT_SIZE)
        except FormulaError as error:
            self._warn(f"a formula is shown as source, {error}: {tex[:80]}")
            return f"#formula-source({quoted(breakable(tex))});"
        if not formula.width:
            return ""
        width = formula.width * FONT_SIZE
        if width > 2 * TEXT_WIDTH:
            self._warn(
                f"a formula is too wide and printed at {100 * TEXT_WIDTH / width:.0f} % of its size: {tex[:80]}"
            )
        file = self._writeup.add_file(formula.svg.encode(), "svg")
        alt = quoted(tex)
        if source.display or width > TEXT_WIDTH:  # a line of its own, where it can shrink to fit
            return f"#display-formula({file}, {formula.width:.3f}em, {alt});"
        return f"#formula({file}, {formula.height:.3f}em, {formula.baseline:.3f}em, {alt});"

    def _named_image(self, address: str, alt: str, width: Length, height: Length) -> str:
        try:
            data = named_image(address, self._folder, self._attachments)
            return self._image(data, alt or f"Image {address[:80]}", width, height)
        except (ValueError, OSError) as error:  # ImageError is a ValueError, as is that of an odd path
            name = address if len(address) <= 80 else address[:80] + "…"
            self._warn(f"image {name} is not shown: {error}")
            return f"#note({quoted(f'Image not shown: {name} ({error}).')});"

    def _image(self, data: bytes, alt: str, width: Length, height: Length) -> str:
        """Typst for an image, with its size in CSS pixels or as a share of the page. Raises `ImageError`."""
        # Typst takes the width from an SVG
        suffix, natural = ("svg", "none") if is_svg(data) else raster_format(data)
        file = self._writeup.add_file(data, suffix)
        size = f"natural: {natural}, width: {width or 'none'}, height: {height or 'none'}"
        return f"#notebook-image({file}, alt: {quoted(alt)}, {size});"
