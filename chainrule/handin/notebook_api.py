"""The PDF from inside a notebook: `make_pdf(author="Ada Lovelace", number="20815")` in its last cell."""

import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.handin.notebook import joined
from chainrule.handin.pdf import PDFError, read_notebook, write_pdf


@dataclass(frozen=True)
class WrittenPdf:
    """A PDF and the warnings about it. A notebook shows a link and a list."""

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
) -> WrittenPdf:
    """Write notebooks as one PDF; by default the notebook that calls this, to a file beside it.

    The PDF shows the files as they are saved. A warning says if cells were run since.

    Args:
        target: the PDF file; by default named like the first notebook, in the current folder.
        title, author, number, course: for the first page, see `write_pdf`.
    Raises:
        PDFError: a notebook cannot be read, or the PDF cannot be written.
    """
    paths = [Path(path) for path in notebooks] or [_this_notebook()]
    target = Path(target) if target else Path(paths[0].name).with_suffix(".pdf")
    warnings = write_pdf(paths, target, title=title, author=author, number=number, course=course)
    return WrittenPdf(target, [*unsaved_warnings(paths), *warnings])


def unsaved_warnings(notebooks: Sequence[Path]) -> list[str]:
    """A warning if this session ran cells after its notebook, one of these, was saved."""
    if any(_is_current(read_notebook(path), _inputs()) for path in notebooks):
        return []
    return ["cells were run since the notebook was saved: save it (Ctrl+S), then run this cell again"]


def _shell() -> Any:
    from IPython import get_ipython

    return get_ipython()


def _inputs() -> Sequence[str]:
    """The inputs of this session by execution count; the last one is running now."""
    shell = _shell()
    return shell.history_manager.input_hist_raw if shell else []


def _is_current(notebook: Mapping[str, Any], inputs: Sequence[str]) -> bool:
    """Whether the file has the cell that was run before this one, with the same source and execution count."""
    earlier = [n for n in range(1, len(inputs)) if inputs[n].strip() and inputs[n] != inputs[-1]]
    cells = [cell for cell in notebook["cells"] if isinstance(cell, Mapping)]
    return not earlier or any(
        cell.get("execution_count") == earlier[-1]
        and joined(cell.get("source", "")).strip() == inputs[earlier[-1]].strip()
        for cell in cells
    )


def _this_notebook() -> Path:
    """The notebook that runs this code, as VS Code or Jupyter name it; else the only one in the folder."""
    shell = _shell()
    reported = (shell.user_ns.get("__vsc_ipynb_file__") if shell else None) or os.environ.get(
        "JPY_SESSION_NAME"
    )
    name = Path(str(reported)).name if reported else ""
    if name.endswith(".ipynb") and Path(name).is_file():  # a kernel runs in its notebook's folder
        return Path(name)
    notebooks = sorted(Path().glob("*.ipynb"))
    if len(notebooks) != 1:
        raise PDFError('Which notebook? Name it: make_pdf("homework.ipynb").')
    return notebooks[0]
