"""Chainrule's steps of nbgrader's generate_feedback."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from html import escape
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import Preprocessor
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, NbGraderPreprocessor
from traitlets import Bool

from chainrule.course import Course
from chainrule.gradebook import open_gradebook
from chainrule.handin.formulas import FormulaSource, MaskedMarkdown
from chainrule.lesson.results import RESULT_TYPE
from chainrule.metadata import judged_record, result_of
from chainrule.release.after_due import ClearAfterDue
from chainrule.students.lateness import is_due

TABLE_TAGS = (
    "table",
    "caption",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "th",
    "td",
    "p",
    "br",
    "div",
    "span",
    "pre",
)


# What formulas need on a page with another style sheet.
STYLES = (
    "<style>.glyphs { position: absolute; width: 0; height: 0 } .formula { overflow: visible; max-width: none } "
    ".display { display: block; text-align: center; margin: .8em 0 } .wide { overflow: auto hidden; max-width: 100%; "
    "display: inline-block }</style>"
)
# MIME types of our own outputs; `Disarm` removes such outputs of students.
CHECKS_TYPE = "application/vnd.chainrule.checks+html"
SVG_TYPE = "application/vnd.chainrule.drawing"  # a student's SVG, which no page shows directly


class Disarm(Preprocessor):
    """Remove active content from students' texts and outputs.

    Pages that an HTMLExporter makes with this preprocessor are safe to open: formgrader's, for example.
    """

    enabled = Bool(True).tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        sanitizer = _Sanitizer(parent=self, strip=True)
        sanitizer.tags = [*sanitizer.tags, *TABLE_TAGS]
        sanitizer.safe_output_keys |= {"text/markdown", SVG_TYPE}  # for `_markdown` and for our own page
        for cell in nb.cells:
            if cell.cell_type != "markdown" and not is_result(cell):
                for data in (output.data for output in cell.get("outputs", []) if "data" in output):
                    if "image/svg+xml" in data:
                        data[SVG_TYPE] = data["image/svg+xml"]
                        data.setdefault("text/plain", "[a drawing]")  # for pages of other programs
                sanitizer.preprocess_cell(cell, resources, 0)
                for output in cell.get("outputs", []):
                    if "metadata" in output:
                        output.metadata = _only_alt_texts(output.metadata)
                        output.data = output.data or {"text/plain": ""}  # all of it was removed
        nb.metadata.pop("widgets", None)
        if isinstance(self.parent, HTMLExporter):
            draws = "submission_id" in resources  # only formgrader's pages have one
            self.parent.register_filter("markdown2html", _markdown(self.parent, draws))
        return nb, resources


class _Sanitizer(SanitizeHTML):
    """Removes style sheets and scripts together with their content, which is not text for readers."""

    def sanitize_html_tags(self, html_str: str) -> str:
        return str(
            super().sanitize_html_tags(re.sub(r"(?is)<(style|script)\b.*?(</\1\s*>|\Z)", "", html_str))
        )


class Redact(NbGraderPreprocessor):
    """Keep only what a student may see.

    Hidden checks and mark schemes are cut out. Results of checks are rendered again, according to their disclosure
    and the student's due date, and so are the answers to questions without points. Everything else goes through
    `Disarm`.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        where = resources["nbgrader"]
        with open_gradebook(where["db_url"]) as gradebook:
            due = is_due(
                Course(parent=self), gradebook.db.connection(), where["assignment"], where["student"]
            )
        where["due"] = due
        hidden = ClearHiddenTests(parent=self).begin_test_delimeter
        nb, resources = Disarm(parent=self.parent).preprocess(nb, resources)
        for cell in nb.cells:
            if is_result(cell):
                cell.outputs = [rendered_result(cell, due)]
            elif is_ours(cell) and cell.cell_type == "code" and hidden in cell.source:
                cell.outputs = _without_traceback(cell)
        for step in (ClearHiddenTests, ClearMarkScheme):
            nb, resources = step(parent=self).preprocess(nb, resources)
        answers = ClearAfterDue(parent=self)
        for index, cell in enumerate(nb.cells):
            if is_ours(cell):
                if due:
                    answers.disclose(cell)
                else:
                    answers.preprocess_cell(cell, resources, index)
        for cell in nb.cells:
            if utils.is_grade(cell) and cell.cell_type == "code":
                cell.source = cell.source.rstrip()
        return nb, resources


def is_result(cell: NotebookNode) -> bool:
    """Whether the cell's output is a result of our checks."""
    return cell.cell_type == "code" and is_ours(cell) and utils.is_grade(cell) and RESULT_TYPE in _data(cell)


def is_ours(cell: NotebookNode) -> bool:
    """Whether the cell is the instructor's, so that no student can have written it."""
    return "nbgrader" in cell.metadata and not utils.is_solution(cell)


class SafeRenderer(IPythonRenderer):
    """Markdown to HTML. HTML tags in the source become text, and links lead to web pages only."""

    def __init__(self, attachments: dict[str, Any]) -> None:
        super().__init__(
            escape=True, allow_harmful_protocols=False, exclude_anchor_links=True, attachments=attachments
        )

    def block_mermaidjs(self, code: str) -> str:
        return f"<pre>{escape(code)}</pre>"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        if re.match(r"\s*(\w+:)?//", url):  # its server would learn who reads this page, and when
            return self.link(text or url, url, title)
        try:
            return super().image(text, url, title)
        except InvalidNotebook:
            reason = "an image that is not shown, because its cell has no such attachment or a damaged one"
            return f"[{escape(text)}: {reason}]"


def _markdown(exporter: HTMLExporter, draws: bool) -> Callable[[Context, str], str]:
    """The exporter's filter for Markdown, which is strict with text that may be a student's.

    Args:
        draws: put formulas into the page as shapes, so that it needs no MathJax from the network.
    """

    @pass_context
    def markdown2html(context: Context, source: str) -> str:
        cell = context.get("cell", {})
        ours = cell.get("cell_type") == "markdown" and is_ours(cell)

        def render(text: str) -> str:
            if ours:
                page: str = exporter.markdown2html(context, text)
                return page
            return MarkdownWithMath(renderer=SafeRenderer(cell.get("attachments", {}))).render(text)

        return drawn(source, render) if draws else render(source)

    return markdown2html


def drawn(source: str, render: Callable[[str], str]) -> str:
    """Markdown as HTML with its formulas as shapes."""
    from chainrule.feedback.formulas import FormulaRenderer, with_formulas

    masked = MaskedMarkdown(source)
    sources = [piece.tex for piece in masked.split(masked.text) if isinstance(piece, FormulaSource)]
    if not sources:
        return render(source)
    prefix = f"g{hashlib.sha256(source.encode(errors='replace')).hexdigest()[:16]}"
    formulas = FormulaRenderer(sources, prefix=prefix)
    body = with_formulas(render(masked.text), masked, formulas)
    return STYLES + formulas.glyphs() + body


def _only_alt_texts(metadata: dict[str, Any]) -> NotebookNode:
    """The output's metadata without values that the page's template would copy into a tag unchanged."""
    kept: NotebookNode = from_dict(
        {
            kind: {"alt": values["alt"]}
            for kind, values in metadata.items()
            if isinstance(values, dict) and isinstance(values.get("alt"), str)
        }
    )
    return kept


def _data(cell: NotebookNode) -> dict[str, Any]:
    return cell.outputs[0].get("data", {}) if cell.outputs else {}


def _without_traceback(cell: NotebookNode) -> list[NotebookNode]:
    """The output of plain asserts, some of them hidden, without the traceback, which would show them."""
    errors = [output.ename for output in cell.outputs if output.output_type == "error"]
    return [new_output("stream", text=f"The checks stopped with: {', '.join(errors)}")] if errors else []


def rendered_result(cell: NotebookNode, due: bool) -> NotebookNode:
    """The output of a judged cell as a table, with what is disclosed before or after the due date."""
    record = judged_record(_data(cell)[RESULT_TYPE])
    if "grader_error" in record:
        table = "<p>Not graded yet: a person will look at this item.</p>"
    else:
        title = str(cell.metadata.get("nbgrader", {}).get("title") or "")
        table = result_of(record).table(due=due, graded=True, name=title)
    data = {"text/html": table, CHECKS_TYPE: table}
    output: NotebookNode = new_output("execute_result", data, execution_count=cell.execution_count)
    return output
