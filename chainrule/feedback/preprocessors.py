"""What Chainrule adds to nbgrader's generate_feedback."""

from __future__ import annotations

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
from chainrule.lesson.checks import RESULT_TYPE, Result

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


# Ours alone to put out: `Disarm` leaves no such output of a student's.
CHECKS_TYPE = "application/vnd.chainrule.checks+html"
DRAWING_TYPE = "application/vnd.chainrule.drawing"  # a student's SVG, which no page shows as it is


class Disarm(Preprocessor):
    """Strip what students wrote, and what their code put out, of active content.

    An HTMLExporter with this preprocessor makes pages that can be opened: formgrader's, for instance.
    """

    enabled = Bool(True).tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        harmless = _Strip(parent=self, strip=True)
        harmless.tags = [*harmless.tags, *TABLE_TAGS]
        harmless.safe_output_keys |= {"text/markdown", DRAWING_TYPE}  # for `_markdown` and for our own page
        for cell in nb.cells:
            if cell.cell_type != "markdown" and not _is_result(cell):
                for data in (output.data for output in cell.get("outputs", []) if "data" in output):
                    if "image/svg+xml" in data:
                        data[DRAWING_TYPE] = data["image/svg+xml"]
                        data.setdefault("text/plain", "[a drawing]")  # for pages that aren't ours
                harmless.preprocess_cell(cell, resources, 0)
                for output in cell.get("outputs", []):
                    if "metadata" in output:
                        output.metadata = _only_alt_texts(output.metadata)
                        output.data = output.data or {"text/plain": ""}  # nothing harmless was in it
        nb.metadata.pop("widgets", None)
        if isinstance(self.parent, HTMLExporter):
            self.parent.register_filter("markdown2html", _markdown(self.parent))
        return nb, resources


class _Strip(SanitizeHTML):
    """Takes style sheets and scripts out with what is in them, which is no text for readers."""

    def sanitize_html_tags(self, html_str: str) -> str:
        return str(
            super().sanitize_html_tags(re.sub(r"(?is)<(style|script)\b.*?(</\1\s*>|\Z)", "", html_str))
        )


class Redact(NbGraderPreprocessor):
    """Show a student what is meant for students.

    Hidden checks and mark schemes are cut out, check results are drawn anew by their disclosure and the due
    date, and everything else is disarmed.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        due = Course(parent=self).is_due(resources["nbgrader"]["assignment"])
        hidden = ClearHiddenTests(parent=self).begin_test_delimeter
        nb, resources = Disarm(parent=self.parent).preprocess(nb, resources)
        for cell in nb.cells:
            if _is_result(cell):
                cell.outputs = [_redrawn(cell, due)]
            elif is_ours(cell) and cell.cell_type == "code" and hidden in cell.source:
                cell.outputs = _unexplained(cell)
        for step in (ClearHiddenTests, ClearMarkScheme):
            nb, resources = step(parent=self).preprocess(nb, resources)
        for cell in nb.cells:
            if utils.is_grade(cell) and cell.cell_type == "code":
                cell.source = cell.source.rstrip()
        return nb, resources


def _is_result(cell: NotebookNode) -> bool:
    """Whether the cell's output is a verdict of ours."""
    return cell.cell_type == "code" and is_ours(cell) and utils.is_grade(cell) and RESULT_TYPE in _data(cell)


def is_ours(cell: NotebookNode) -> bool:
    """Whether no student can have written the cell."""
    return "nbgrader" in cell.metadata and not utils.is_solution(cell)


class Harmless(IPythonRenderer):
    """Markdown to HTML: tags of the writer's own come out as text, and links lead to pages only."""

    def __init__(self, attachments: dict[str, Any]) -> None:
        options = {"exclude_anchor_links": True, "attachments": attachments}
        super().__init__(escape=True, allow_harmful_protocols=False, **options)

    def block_mermaidjs(self, code: str) -> str:
        return f"<pre>{escape(code)}</pre>"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        if re.match(
            r"\s*(\w+:)?//", url
        ):  # whoever keeps it there would be told who reads this page, and when
            return self.link(text or url, url, title)
        try:
            return super().image(text, url, title)
        except InvalidNotebook:  # an attachment that got lost
            return f"[{escape(text)}]"


def _markdown(exporter: HTMLExporter) -> Callable[[Context, str], str]:
    """The exporter's filter for Markdown, strict with what may be a student's."""

    @pass_context
    def markdown2html(context: Context, source: str) -> str:
        cell = context.get("cell", {})
        if cell.get("cell_type") == "markdown" and is_ours(cell):
            return exporter.markdown2html(context, source)
        return MarkdownWithMath(renderer=Harmless(cell.get("attachments", {}))).render(source)

    return markdown2html


def _only_alt_texts(metadata: dict[str, Any]) -> NotebookNode:
    """The output's metadata without what the page's template would copy into a tag as it is."""
    return from_dict(
        {
            kind: {"alt": about["alt"]}
            for kind, about in metadata.items()
            if isinstance(about, dict) and isinstance(about.get("alt"), str)
        }
    )


def _data(cell: NotebookNode) -> dict[str, Any]:
    return cell.outputs[0].get("data", {}) if cell.outputs else {}


def _unexplained(cell: NotebookNode) -> list[NotebookNode]:
    """What may be told of plain asserts, some of them hidden: a traceback would show these."""
    errors = [output.ename for output in cell.outputs if output.output_type == "error"]
    return [new_output("stream", text=f"The checks stopped with: {', '.join(errors)}")] if errors else []


def _redrawn(cell: NotebookNode, due: bool) -> NotebookNode:
    record = _data(cell)[RESULT_TYPE]
    if "grader_error" in record:
        drawn = "<p>Not graded yet: a person will look at this item.</p>"
    else:
        drawn = Result.from_dict(record).table(due=due, graded=True)
    data = {"text/html": drawn, CHECKS_TYPE: drawn}
    return new_output("execute_result", data, execution_count=cell.execution_count)
