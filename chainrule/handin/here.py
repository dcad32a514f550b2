"""The PDF from inside the notebook: `make_pdf(author="Ada Lovelace", number="20815")` in its last cell."""

import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.handin.notebook import joined
from chainrule.handin.pdf import PDFError, read_notebook, write_pdf


@dataclass(frozen=True)
class Written:
    """A PDF and the warnings about it; in a notebook, a link to it and a list of them."""

    path: Path
    warnings: list[str]

    def __repr__(self) -> str:
        return "\n".join([f"written to {self.path}", *(f"warning: {warning}" for warning in self.warnings)])

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{html.escape(warning)}</li>" for warning in self.warnings)
        link = (
            f'<a href="{html.escape(self.path.as_posix())}" target="_blank">{html.escape(str(self.path))}</a>'
        )
        return f"<p>Written to {link}</p>" + (f"<p>Look at:</p><ul>{notes}</ul>" if notes else "")


def make_pdf(
    *notebooks: str | Path,
    target: str | Path | None = None,
    title: str | None = None,
    author: str | None = None,
    number: str | None = None,
    course: str | None = None,
) -> Written:
    """Write notebooks as one PDF to `target`; by default the notebook that calls this, beside itself.

    The PDF shows files as they are saved: a warning says if cells were run since. Raises `PDFError`.
    """
    paths = [Path(path) for path in notebooks] or [_this_notebook()]
    target = Path(target) if target else Path(paths[0].name).with_suffix(".pdf")
    warnings = write_pdf(paths, target, title=title, author=author, number=number, course=course)
    if not any(_is_current(read_notebook(path), _inputs()) for path in paths):
        warnings = [
            "cells were run since the notebook was saved: save it (Ctrl+S), then run this cell again",
            *warnings,
        ]
    return Written(target, warnings)


def _shell() -> Any:
    from IPython import get_ipython

    return get_ipython()


def _inputs() -> Sequence[str]:
    """What was run in this session, by execution count; the last one is running."""
    shell = _shell()
    return shell.history_manager.input_hist_raw if shell else []


def _is_current(notebook: Mapping[str, Any], inputs: Sequence[str]) -> bool:
    """Whether the cell that was run last before this one stands in the file as it was run."""
    before = [n for n in range(1, len(inputs)) if inputs[n].strip() and inputs[n] != inputs[-1]]
    cells = [cell for cell in notebook["cells"] if isinstance(cell, Mapping)]
    return not before or any(
        cell.get("execution_count") == before[-1]
        and joined(cell.get("source", "")).strip() == inputs[before[-1]].strip()
        for cell in cells
    )


def _this_notebook() -> Path:
    """The notebook that runs this: VS Code and Jupyter say which; else the only one in the folder."""
    shell = _shell()
    told = (shell.user_ns.get("__vsc_ipynb_file__") if shell else None) or os.environ.get("JPY_SESSION_NAME")
    name = Path(str(told)).name if told else ""
    if name.endswith(".ipynb") and Path(name).is_file():  # a kernel runs in its notebook's folder
        return Path(name)
    there = sorted(Path().glob("*.ipynb"))
    if len(there) != 1:
        raise PDFError('Which notebook? Name it: make_pdf("homework.ipynb").')
    return there[0]
