"""Notebooks to a PDF write-up, with no TeX, no browser and no network.

    write_pdf([Path("hw1.ipynb")], Path("hw1.pdf"), author="Ada Lovelace", number="20815")

Prose is read by pandoc, formulas are drawn by MathJax, the page is set by Typst; all three come with the
Python packages. Where one of them is missing or fails, a Chromium that is there prints the pages instead. A
notebook is a stranger's file: nothing in it is run, images come from its own folder only, and whatever
cannot be shown becomes a note in the PDF and a warning, never a missing page.

This folder imports nothing of the instructor's side, so that students can have it.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

from chainrule.handin.cover import Cover, make_cover


class PDFError(ValueError):
    """No PDF can be written; the message says what to do about it."""


def write_pdf(
    notebooks: Sequence[Path],
    target: Path,
    *,
    title: str | None = None,
    author: str | None = None,
    number: str | None = None,
    course: str | None = None,
) -> list[str]:
    """Write `notebooks`, one after the other, as one PDF to `target`.

    The first page shows `title` (by default the notebooks' own), the author's name, student number, course,
    the collaborators that the notebooks name, and the contents.

    Returns warnings: what the PDF does not show as the notebook does, and in which notebook and cell. Raises
    `PDFError` for a missing file, a file that is no notebook, or a `target` that cannot be written.
    """
    notebooks, target = [Path(path) for path in notebooks], Path(target)
    if not notebooks:
        raise PDFError("No notebook to write. Name at least one .ipynb file.")
    if target.suffix.lower() != ".pdf":
        raise PDFError(f"{target}: give the PDF a name that ends in .pdf.")  # and never overwrite a notebook
    contents = [read_notebook(path) for path in notebooks]  # all of them, before the work on any begins
    named = dict(zip(notebooks, contents, strict=True))
    cover, notes = make_cover(named, target.stem, _clean([title, author, number, course]))
    pdf, more = _typeset(named, cover)
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(pdf)
        os.replace(part, target)  # never half a PDF
    except OSError as error:
        part.unlink(missing_ok=True)
        raise PDFError(f"{target} cannot be written ({error.strerror}). Is it open in a viewer?") from error
    return list(dict.fromkeys([*notes, *more]))


def _typeset(notebooks: Mapping[Path, Mapping[str, Any]], cover: Cover) -> tuple[bytes, list[str]]:
    """The PDF, and warnings: by Typst, or else printed by a browser."""
    try:
        from chainrule.handin.cells import NotebookWriter  # here, as its libraries may be missing
        from chainrule.handin.typesetting import WriteUp

        writeup = WriteUp(cover)
        for path, notebook in notebooks.items():
            NotebookWriter(path, writeup).write(notebook)
        return writeup.to_pdf(), writeup.warnings
    except Exception as error:  # a young library may fail in ways that nobody has seen; a PDF is due anyway
        first = f"{type(error).__name__}: {error}"
        try:
            from chainrule.handin.browser import print_pages

            pdf, printed = print_pages(notebooks, cover)
        except Exception as second:
            raise PDFError(
                f"No PDF could be typeset ({first}), nor printed by a browser ({second}). Install the packages "
                "pypandoc-binary, quickjax and typst, or Chromium; if they are there, please report this notebook."
            ) from error
        return pdf, [f"printed by a browser, as typesetting failed ({first})", *printed]


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
