"""Outputs as they finally look: one line for a progress bar, and ordinary outputs for widgets."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode, from_dict, validate
from nbformat.v4 import new_output
from nbgrader.preprocessors import NbGraderPreprocessor

from chainrule.handin.notebook import final_screen, merged, overwrites

MAX_OUTPUTS = 500  # of one cell; a page with more of them is hard to open
MAX_TEXT = 4_000_000  # characters of one stream that is written over itself


class FinalOutputs(NbGraderPreprocessor):
    """nbgrader preprocessor that leaves in each cell what its reader finally saw.

    Neighbouring outputs of a stream are joined, and a text that writes over itself becomes its last state. All other
    outputs stay as they are; if there are more than 500, the middle ones are left out, with a note.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        if cell.get("outputs"):
            outputs = [_final(from_dict(output)) for output in merged(cell.outputs)]
            missing = len(outputs) - MAX_OUTPUTS
            if missing > 0:
                note = new_output("stream", text=f"[… {missing} outputs are left out]\n")
                outputs[MAX_OUTPUTS // 2 : -MAX_OUTPUTS // 2] = [note]
            cell.outputs = outputs
        return cell, resources


def _final(output: NotebookNode) -> NotebookNode:
    if output.output_type == "stream" and overwrites(output.text):
        text = output.text
        if len(text) > MAX_TEXT:
            text = f"{text[: MAX_TEXT // 2]}\n[…]\n{text[-MAX_TEXT // 2 :]}"
        output.text = final_screen(text)
    return output


class CapturedOutputs:
    """Stands in for a frontend that shows widgets: keeps what `Output` widgets capture, and what others show.

    A widget says by messages (comms) that it captures the outputs of a request, and what it shows. Nothing is sent back
    to the kernel, and only short texts of a widget's state are kept, because student code can send anything.
    """

    KEPT = ("_model_name", "children", "description", "max", "min", "outputs", "value")
    MAX_MODELS = 20_000
    MAX_CAPTURED = 2_000  # outputs of one widget

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self._capturing: list[tuple[str, str]] = []  # widget and request, the innermost last
        self._clear_first: set[str] = set()  # widgets whose outputs are replaced by the next one
        self._by_display: dict[str, list[NotebookNode]] = {}

    def hear(self, message: dict[str, Any]) -> None:
        """Take note of a widget's message."""
        content = message["content"]
        name, data = str(content.get("comm_id")), content.get("data")
        state = data.get("state") if isinstance(data, dict) else None
        if not isinstance(state, dict):
            return
        if message["msg_type"] == "comm_open" and len(self.models) < self.MAX_MODELS:
            self.models[name] = {"outputs": []}
        if name not in self.models:
            return
        self.models[name].update(
            {key: state[key] for key in self.KEPT if key in state and _is_short(state[key])}
        )
        if "outputs" in state:
            self.models[name]["outputs"] = [
                from_dict(output) for output in state["outputs"][: self.MAX_CAPTURED] if _is_output(output)
            ]
        if self.models[name].get("_model_name") == "OutputModel" and "msg_id" in state:
            request = message["parent_header"].get("msg_id")
            self._capturing = [each for each in self._capturing if each[0] != name]
            if state["msg_id"] and state["msg_id"] == request:
                self._capturing.append((name, request))

    def takes(self, message: dict[str, Any], output: NotebookNode | None) -> bool:
        """Whether a widget captures a message, whose output is then kept for it.

        Args:
            output: the message's output; None for one that clears outputs or changes one that was shown before.
        """
        request = message["parent_header"].get("msg_id")
        self._capturing = [each for each in self._capturing if each[1] == request]
        content = message["content"]
        display = (content.get("transient") or {}).get("display_id")
        if message["msg_type"] == "update_display_data":
            for shown in self._by_display.get(str(display), []):
                shown.data, shown.metadata = from_dict(content["data"]), from_dict(content["metadata"])
            return False  # the same may be shown outside, too
        if not self._capturing:
            return False
        name = self._capturing[-1][0]
        outputs = self.models[name]["outputs"]
        if message["msg_type"] == "clear_output":
            if content.get("wait"):
                self._clear_first.add(name)
            else:
                outputs.clear()
            return True
        if output is None:
            return False
        if name in self._clear_first:
            self._clear_first.discard(name)
            outputs.clear()
        if len(outputs) < self.MAX_CAPTURED:
            append(outputs, output)
            if display:
                self._by_display.setdefault(str(display), []).append(outputs[-1])
        return True


def _is_short(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= 1_000 and all(isinstance(each, str) and len(each) <= 100 for each in value)
    return isinstance(value, int | float | None) or (isinstance(value, str) and len(value) <= 10_000)


def _is_output(output: Any) -> bool:
    """Whether a value is an output that a notebook can hold."""
    try:
        validate(output, ref="output", version=4)
    except Exception:  # it can be anything
        return False
    return True


PIECE = 1 << 16  # characters; longer texts are not copied again for each piece that is added


def append(outputs: list[NotebookNode], output: NotebookNode) -> None:
    """Add an output of a kernel. A piece of a stream becomes part of the output before it."""
    last = outputs[-1] if outputs else None
    if (
        last is not None
        and output.output_type == last.output_type == "stream"
        and output.name == last.name
        and len(last.text) < PIECE
    ):
        last.text += output.text
    else:
        outputs.append(output)
