"""What widgets (ipywidgets) show, as ordinary outputs.

A page can't show a widget, but much of what widgets show is text: the last state of a `tqdm.notebook` bar, or what
was captured by an `Output` widget. A widget's state is in the notebook's metadata, if Jupyter saved it there.
"""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
MAX_DEPTH = 20  # of widgets in widgets; a widget can be told to contain itself
MAX_SHOWN = 30_000_000  # characters in all; a widget can be shown in many others
BAR_WIDTH = 10  # characters of a progress bar

Output = Mapping[str, Any]
Models = Mapping[str, Mapping[str, Any]]


def saved_models(notebook: Mapping[str, Any]) -> Models:
    """The state of each widget by its id, as Jupyter saved it in the notebook."""
    about: Any = notebook.get("metadata") or {}
    for key in ("widgets", STATE, "state"):
        about = about.get(key) or {} if isinstance(about, Mapping) else {}
    models = about if isinstance(about, Mapping) else {}
    return {
        str(name): {"_model_name": model.get("model_name"), **model["state"]}
        for name, model in models.items()
        if isinstance(model, Mapping) and isinstance(model.get("state"), Mapping)
    }


def model_of(output: Output) -> str | None:
    """The id of the widget that an output shows; None for other outputs."""
    data = output.get("data")
    view = data.get(VIEW) if isinstance(data, Mapping) else None
    return str(view.get("model_id")) if isinstance(view, Mapping) else None


class Widgets:
    """The widgets of a notebook.

    Args:
        models: the state of each by its id.
    """

    def __init__(self, models: Models) -> None:
        self.models = models
        self._left = MAX_SHOWN

    def replaced(self, outputs: Iterable[Any], depth: int = 0) -> Iterator[Any]:
        """The outputs, with ordinary outputs in place of each widget that shows only such outputs and text."""
        for output in outputs:
            model = model_of(output) if isinstance(output, Mapping) else None
            shown = None if model is None else self._shown(model, depth)
            if shown is None:
                yield output
            else:
                yield from shown

    def _shown(self, name: str, depth: int) -> list[Any] | None:
        """The outputs that a widget shows; None if they can't be told."""
        state = self.models.get(name)
        if state is None or depth > MAX_DEPTH or self._left <= 0:
            return None
        self._left -= 1_000
        if state.get("_model_name") == "OutputModel":
            captured: Any = state.get("outputs")
            outputs = [each for each in captured if isinstance(each, Mapping)] if _is_list(captured) else []
            self._left -= len(str(outputs))
            return list(self.replaced([_as_text(output) for output in outputs], depth + 1))
        if _is_list(state.get("children")):
            children = [str(child).removeprefix("IPY_MODEL_") for child in state["children"]]
            texts = [text for child in children if (text := _text(self.models.get(child, {}))) is not None]
            if len(texts) == len(children):
                between = " " if state.get("_model_name") == "HBoxModel" else "\n"
                return _printed(between.join(filter(None, texts)))
            views = [
                {"output_type": "display_data", "metadata": {}, "data": _view(child)} for child in children
            ]
            return list(self.replaced(views, depth + 1))
        text = _text(state)
        return None if text is None else _printed(text)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _view(name: str) -> dict[str, Any]:
    return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": name}, "text/plain": ""}


def _printed(text: str) -> list[Any]:
    return [{"output_type": "stream", "name": "stdout", "text": text + "\n"}] if text.strip() else []


def _as_text(output: Output) -> Output:
    """A captured error as text: the cell that caught it went on."""
    if output.get("output_type") != "error":
        return output
    trace = "\n".join(map(str, output.get("traceback") or []))
    text = trace or f"{output.get('ename')}: {output.get('evalue')}"
    return {"output_type": "stream", "name": "stdout", "text": text + "\n"}


def _text(state: Mapping[str, Any]) -> str | None:
    """The text that a single widget shows; None if it shows something else."""
    kind, value = state.get("_model_name"), state.get("value")
    description = html.unescape(re.sub(r"<[^<>]*>", "", str(state.get("description") or "")))
    if kind in ("HTMLModel", "HTMLMathModel", "LabelModel") and not re.search(
        r"<(?:img|svg|i?frame|video|audio|canvas|object|embed|table|script)\b", str(value), re.IGNORECASE
    ):
        text = html.unescape(re.sub(r"<[^<>]*>", "", str(value or "")))
    elif kind in ("FloatProgressModel", "IntProgressModel"):
        least, most = state.get("min", 0), state.get("max", 100)
        if not all(isinstance(each, int | float) for each in (value, least, most)):
            return None
        text = progress_bar(value, least, most)
    else:
        return None
    return " ".join(f"{description} {text}".split())


def progress_bar(value: Any, least: float, most: float) -> str:
    """A progress bar as text."""
    share = (value - least) / (most - least) if most > least else 1.0
    full = round(BAR_WIDTH * min(1.0, max(0.0, share))) if share == share else 0  # NaN differs from itself
    return "█" * full + "░" * (BAR_WIDTH - full)
