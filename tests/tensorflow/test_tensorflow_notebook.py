"""A student's Jupyter runs the notebook from top to bottom: nothing has been imported there before its first cell, and
it has to get the pictures itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from tiny_course import ROOT

ASSIGNMENT, NOTEBOOK = "csc6022-hw2", "p6_2_cnn_tensorflow"
WEIGHTS = ROOT / "judging" / "csc6022_hw2" / "p6_2_open_tensorflow.safetensors"


def test_right_answers_run_in_an_ordinary_jupyter(tmp_path: Path) -> None:
    home = Path(shutil.copytree(ROOT / "release" / ASSIGNMENT, tmp_path / "home"))
    shutil.copy(WEIGHTS, home)
    right = nbformat.read(ROOT / "source" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)
    answers = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in right.cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")
    }
    nb = nbformat.read(home / f"{NOTEBOOK}.ipynb", as_version=4)
    cells = {cell.metadata.nbgrader.grade_id: cell for cell in nb.cells if "nbgrader" in cell.metadata}
    for name, source in answers.items():
        cells[name].source = source
    NotebookClient(nb, allow_errors=True, timeout=3600, resources={"metadata": {"path": str(home)}}).execute()
    errors = {
        name: output.evalue
        for name, cell in cells.items()
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    }
    assert errors == {}
    tables = {
        name: BeautifulSoup(output.data["text/html"], "html.parser").get_text(" ")
        for name, cell in cells.items()
        if cell.cell_type == "code"
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    }
    assert len(tables) >= 10
    assert [table for table in tables.values() if "✗" in table or "stopped with an error" in table] == []
