"""The code of check cells is folded, from the release to the graded notebook."""

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.validator import Validator
from tiny_course import RIGHT, SQUARE, TINY, filled


def checks(path: Path) -> list[NotebookNode]:
    """The notebook's code cells with points."""
    cells = nbformat.read(path, as_version=4).cells
    about = [(cell, cell.metadata.get("nbgrader", {})) for cell in cells if cell.cell_type == "code"]
    return [cell for cell, marks in about if marks.get("grade") and not marks.get("solution")]


def assert_folded(path: Path) -> None:
    found = checks(path)
    assert found
    for cell in found:
        assert cell.metadata["jupyter"]["source_hidden"] is True  # JupyterLab, Notebook 7
        assert cell.metadata["cellView"] == "form"  # Colab
        assert cell.source.startswith("# @title Checks of ")


def test_folding_survives_release_validation_and_grading(
    graded: Path, released: Path, tmp_path: Path
) -> None:
    assert_folded(released / "release" / TINY / f"{TINY}.ipynb")
    for path in graded.glob(f"autograded/*/{TINY}/{TINY}.ipynb"):
        assert_folded(path)
    nb = filled(released, {SQUARE: RIGHT})
    copy = tmp_path / f"{TINY}.ipynb"
    nbformat.write(nb, copy)
    Validator().validate(str(copy))  # as the button in Jupyter does it
    assert_folded(copy)


def test_given_code_with_a_title_is_folded() -> None:
    paths = Path(__file__).parents[2].glob("release/*/*.ipynb")
    every = [cell for path in paths for cell in nbformat.read(path, as_version=4).cells]
    cells = [cell for cell in every if cell.source.startswith("# @title Given: ")]
    assert cells
    assert all(cell.metadata["jupyter"]["source_hidden"] for cell in cells)


def test_answers_and_given_code_are_not_folded(released: Path) -> None:
    nb = nbformat.read(released / "release" / TINY / f"{TINY}.ipynb", as_version=4)
    folded = {cell.id for cell in nb.cells if cell.metadata.get("jupyter", {}).get("source_hidden")}
    assert folded == {cell.id for cell in checks(released / "release" / TINY / f"{TINY}.ipynb")}


@pytest.mark.parametrize(
    "path", sorted(Path(__file__).parents[2].glob("release/*/*.ipynb")), ids=lambda p: p.stem
)
def test_check_cells_are_short(path: Path) -> None:
    assert_folded(path)
    assert max(len(cell.source.splitlines()) for cell in checks(path)) <= 12
