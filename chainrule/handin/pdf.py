"""Notebooks to a PDF write-up, without TeX, browser or network.

    write_pdf([Path("hw1.ipynb")], Path("hw1.pdf"), author="Ada Lovelace", number="20815")

pandoc reads the prose, MathJax typesets the formulas, Typst lays out the pages; all three come with the Python
packages. If one of them is missing or fails, an installed Chromium prints the pages instead. A notebook is an
untrusted file: nothing in it is run, and images come only from its own folder. What cannot be shown becomes a note in
the PDF and a warning, never a missing page.

This folder imports nothing that is only for instructors, so that it can be given to students.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

from chainrule.errors import ChainruleError
from chainrule.handin.cover import Cover, make_cover


class PDFError(ChainruleError, ValueError):
    """No PDF can be written; the message says what to do."""


def write_pdf(
    notebooks: Sequence[Path],
    target: Path,
    *,
    title: str | None = None,
    author: str | None = None,
    number: str | None = None,
    course: str | None = None,
    note: str = "",
) -> list[str]:
    """Write `notebooks`, one after the other, as one PDF to `target`.

    The first page shows `title` (by default the notebooks' own), the author's name, student number, course,
    the collaborators that the notebooks name, and the contents.

    Args:
        note: one more line for the first page, such as where the data came from.
    Returns:
        Warnings: what the PDF shows differently from the notebook, with the notebook and the cell.
    Raises:
        PDFError: a file is missing or is not a notebook, or `target` cannot be written.
    """
    notebooks, target = [Path(path) for path in notebooks], Path(target)
    if not notebooks:
        raise PDFError("No notebook to write. Name at least one .ipynb file.")
    if target.suffix.lower() != ".pdf":
        raise PDFError(
            f"{target}: give the PDF a name that ends in .pdf."
        )  # so that no notebook is overwritten
    contents = {path: read_notebook(path) for path in notebooks}  # all of them, before any work begins
    cover, cover_warnings = make_cover(contents, target.stem, _clean([title, author, number, course]))
    if note:
        cover.facts["Note"] = note
    pdf, typesetting_warnings = _typeset(contents, cover)
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(pdf)
        os.replace(part, target)  # all or nothing
    except OSError as error:
        part.unlink(missing_ok=True)
        raise PDFError(f"{target} cannot be written ({error.strerror}). Is it open in a viewer?") from error
    return list(dict.fromkeys([*cover_warnings, *typesetting_warnings]))


def _typeset(notebooks: Mapping[Path, Mapping[str, Any]], cover: Cover) -> tuple[bytes, list[str]]:
    """The PDF and warnings; by Typst, or else printed by a browser."""
    try:
        from chainrule.handin.cells import NotebookWriter  # here, as its libraries may be missing
        from chainrule.handin.typesetting import WriteUp
        from chainrule.handin.write_up import WRITE_UP

        compact = any(WRITE_UP in notebook.get("metadata", {}) for notebook in notebooks.values())
        writeup = WriteUp(cover, compact=compact)
        for path, notebook in notebooks.items():
            NotebookWriter(path, writeup).write(notebook)
        return writeup.to_pdf(), writeup.warnings
    except Exception as error:  # these libraries are young and may fail in unknown ways; students need a PDF
        reason = f"{type(error).__name__}: {error}"
        try:
            from chainrule.handin.browser import print_pages

            pdf, browser_warnings = print_pages(notebooks, cover)
        except Exception as browser_error:
            raise PDFError(
                f"No PDF could be typeset ({reason}), nor printed by a browser ({browser_error}). Install the packages "
                "pypandoc-binary, quickjax and typst, or Chromium; if they are there, please report this notebook."
            ) from error
        return pdf, [f"printed by a browser, as typesetting failed ({reason})", *browser_warnings]


def read_notebook(path: Path) -> dict[str, Any]:
    """A notebook's JSON; raises `PDFError`, which says what is wrong with the file."""
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
        with warnings.catch_warnings(action="ignore"):  # about the missing ids of an old notebook
            notebook: dict[str, Any] = _clean(nbformat.reads(text, as_version=4))
    except Exception as error:  # nbformat fails in many ways on other JSON
        kind = "JSON" if isinstance(error, nbformat.reader.NotJSONError) else "a notebook"
        raise PDFError(
            f"{path} is not {kind}. If it is a notebook, open it in Jupyter, save it, and try again; "
            "if it was cut off in a download, download it again."
        ) from error
    if not isinstance(notebook.get("cells"), list):
        raise PDFError(f"{path} is JSON, but not a notebook: it has no cells. Give an .ipynb file.")
    return notebook


def _clean(value: Any) -> Any:
    """The same JSON without lone surrogates, which JSON can hold and UTF-8 cannot."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
