"""What nbgrader's formgrader does with a score above an item's maximum, and without a network."""

from __future__ import annotations

from typing import Any

from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from traitlets import Bool

# formgrader itself would save the maximum in place of what was typed, without a word. Its own script stops, with all
# of its shortcuts, if MathJax could not be fetched; formulas are drawn already.
SCRIPT = """<script>
window.MathJax = window.MathJax || {Hub: {Startup: {signal: {Interest: function (tell) { tell("End"); }}}}};
document.addEventListener("change", function (event) {
  const input = event.target;
  if (!input.matches("input.score")) return;
  const maximum = parseFloat((/\\/\\s*([\\d.]+)/.exec(input.parentElement.textContent) || [])[1]);
  let note = input.parentElement.querySelector(".above-maximum");
  if (note) note.remove();
  if (!(parseFloat(input.value) > maximum)) return;
  event.stopImmediatePropagation();
  note = document.createElement("strong");
  note.className = "above-maximum text-danger";
  note.setAttribute("role", "alert");
  note.textContent = " " + input.value + " is more than " + maximum + ": not saved. More is extra credit.";
  input.parentElement.appendChild(note);
  input.focus();
}, true);
</script>"""


class RefuseAboveMaximum(Preprocessor):
    """HTMLExporter's step, after `Disarm`: formgrader refuses a score above the maximum and says so.

    It also keeps formgrader's shortcuts alive on a machine without a network.
    """

    enabled = Bool(True).tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        if "submission_id" in resources:  # only formgrader's pages have one
            nb.cells.append(new_markdown_cell(SCRIPT, metadata={"nbgrader": {"locked": True}}))
        return nb, resources
