"""The PDF made by a student: in the notebook's last cell, without the instructor's side."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from read_pdf import text_of
from tiny_course import ROOT, type_command

from chainrule.handin import PDFError, make_pdf, notebook_api

MAKE = 'from chainrule.handin import make_pdf\nmake_pdf(author="Ada Lovelace")'


def run(notebook: nbformat.NotebookNode, folder: Path) -> str:
    """What the last cell shows."""
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    return str(notebook.cells[-1].outputs[-1]["data"]["text/plain"])


def test_a_notebook_writes_its_own_pdf(tmp_path: Path) -> None:
    notebook = new_notebook(cells=[new_markdown_cell("# Mine"), new_code_cell("6 * 7"), new_code_cell(MAKE)])
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    said = run(notebook, tmp_path)
    assert "written to mine.pdf" in said
    assert "save it (Ctrl+S)" in said  # what ran is not in the file yet
    assert "42" not in text_of(tmp_path / "mine.pdf")

    nbformat.write(notebook, tmp_path / "mine.ipynb")
    assert run(notebook, tmp_path) == "written to mine.pdf"
    text = text_of(tmp_path / "mine.pdf")
    assert "Name: Ada Lovelace" in text
    assert "42" in text


def test_says_to_name_the_notebook_if_there_are_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    for name in ("one.ipynb", "two.ipynb"):
        nbformat.write(new_notebook(cells=[new_markdown_cell(f"in {name}")]), tmp_path / name)
    with pytest.raises(PDFError, match="Name it"):
        make_pdf()
    assert make_pdf("one.ipynb", "two.ipynb", target="both.pdf").warnings == []
    monkeypatch.setenv("JPY_SESSION_NAME", "course/two.ipynb")  # as Jupyter tells its kernels
    assert make_pdf().path == Path("two.pdf")
    assert "in two.ipynb" in text_of(tmp_path / "two.pdf")


def test_warnings_are_escaped() -> None:
    page = notebook_api.WrittenPdf(Path("<b>.pdf"), ["<script>"])._repr_html_()
    assert "<script>" not in page
    assert "<b>" not in page


def test_imports_nothing_of_the_instructors_side(tmp_path: Path) -> None:
    for path in (ROOT / "chainrule" / "handin").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert not name.startswith("nbgrader"), path
                assert not name.startswith("chainrule.") or name.startswith(
                    (
                        "chainrule.handin",
                        "chainrule.errors",
                        "chainrule.on_demand",
                        "chainrule.datasets.origins",
                    )
                ), path
    package = tmp_path / "chainrule"
    shutil.copytree(
        ROOT / "chainrule" / "handin", package / "handin", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("__init__.py", "errors.py", "on_demand.py"):
        shutil.copy(ROOT / "chainrule" / name, package)
    nbformat.write(new_notebook(cells=[new_markdown_cell("alone, $x$")]), tmp_path / "hw.ipynb")
    code = (
        "import sys; from chainrule.handin import make_pdf; print(make_pdf('hw.ipynb'), make_pdf.__module__); "
        "assert not [name for name in sys.modules if name.split('.')[0] in ('nbgrader', 'torch', 'sqlalchemy')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=6000
    )
    assert done.returncode == 0, done.stderr
    assert "alone" in text_of(tmp_path / "hw.pdf")


def test_the_command_says_whose_write_up_it_is(tmp_path: Path) -> None:
    notebook = new_notebook(
        cells=[new_markdown_cell("# Mine\n\nCollaborators:"), new_markdown_cell("![x](\x1b[31mno.png)")]
    )
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    options = ["--author", "Ada", "--number", "20815", "--course-name", "CS480"]
    said = type_command(tmp_path, "chainrule", "pdf", "mine.ipynb", "-o", "out/mine.pdf", *options)
    assert "warning: mine.ipynb: the line “Collaborators” is not filled in" in said
    assert "\x1b" not in said
    assert said.splitlines()[-1] == "written to out/mine.pdf"
    first = text_of(tmp_path / "out" / "mine.pdf").split("\f")[0]
    for fact in ("Name: Ada", "Student number: 20815", "Course: CS480", "Collaborators: (not filled in)"):
        assert fact in first
