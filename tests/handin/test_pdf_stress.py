"""A notebook of everything that goes wrong, and all the formulas there are: nothing is lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import nbformat
import pytest
import stress_notebook
from conftest import once
from nbformat.v4 import new_markdown_cell, new_notebook
from read_pdf import alternatives_in, is_accessible, letters_of, properties_of, text_of
from stress_notebook import FORMULAS, LONG, REFUSED, mark
from tiny_course import ROOT

from chainrule.handin.notebook import formulas_of
from chainrule.handin.pdf import write_pdf

CELLS = range(1, 31)


@pytest.fixture(scope="session")
def stress(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stress notebook, its PDF, and the warnings about it."""

    def make(folder: Path) -> None:
        folder.mkdir()
        notebook = stress_notebook.write(folder)
        warnings = write_pdf(
            [notebook], folder / "stress.pdf", author="Ada Lovelace", number="20815", course="CS480/680"
        )
        (folder / "warnings.txt").write_text("\n".join(warnings))

    return once(tmp_path_factory, "stress", make)


def test_every_cell_is_in_the_pdf(stress: Path) -> None:
    text = letters_of(stress / "stress.pdf")
    assert [number for number in CELLS if mark(number) not in text] == []
    assert sorted(CELLS, key=lambda number: text.index(mark(number))) == list(CELLS)


def test_every_cells_words_are_in_the_pdf(stress: Path) -> None:
    text = letters_of(stress / "stress.pdf")
    for words in (
        "Itcosts$5andthen$6,or$7.50,while",
        "isaformula;$8wasescaped.",
        LONG,
        "long_code_" * 20,
        "returnf'${x}$'#noformula",
        "Ελληνικά,русский",
        "Docstringwithümlaut",
        "100%|██████████|3/3[00:01<00:00]",
        "epoch2:loss0.2",
        "feature_29",
        "u2isp−y",
        "✗softmax",
        "ValueError:shapes(3,4)and(5,6)notaligned",
        "tensor([[0.1,0.2],[0.3,0.4]])",
        "x" * 3000,
        "line999",
        'rawtextwith#commands"quoted"and$dollars$',
    ):
        assert words in text, words
    assert "frame" not in text.replace("DataFrame", "")


def test_the_first_page_says_whose_it_is(stress: Path) -> None:
    first, second, *_ = text_of(stress / "stress.pdf").split("\f")
    facts = [line.replace(" / ", "/").strip() for line in first.splitlines() if line.strip()]
    assert facts[0] == "A stress test of write-ups"
    assert facts[1:4] == ["Name: Ada Lovelace", "Student number: 20815", "Course: CS480/680"]
    assert facts[4].startswith("Collaborators on question 1: Bo Yang, Zoë and")
    assert [line.split(" . ")[0] for line in facts[5:8]] == [
        "A stress test of write-ups",
        "Equations",
        "The end",
    ]
    pages = properties_of(stress / "stress.pdf")["Pages"]
    assert facts[-1] == f"1/{pages}"
    assert f"2/{pages}" in second.replace(" ", "")


def test_what_is_not_shown_is_told(stress: Path) -> None:
    warnings = (stress / "warnings.txt").read_text().splitlines()
    told = [warning for warning in warnings if not warning.startswith("no font")]
    assert [warning.split(": ")[0] for warning in told] == [
        f"stress.ipynb, cell {n}" for n in (6, 6, 15, 15, 28)
    ]
    text = letters_of(stress / "stress.pdf")
    assert r"\undefinedmacro+1" in text
    assert r"\frac{1" in text


def test_it_is_accessible_where_there_are_fonts(stress: Path) -> None:
    missing = "no font on this computer has" in (stress / "warnings.txt").read_text()
    assert is_accessible(stress / "stress.pdf") is not missing
    properties = properties_of(stress / "stress.pdf")
    assert properties["Tagged"] == "yes"
    assert properties["Title"] == "A stress test of write-ups"
    assert properties["Author"] == "Ada Lovelace"
    alternatives = alternatives_in(stress / "stress.pdf")
    assert "a green picture" in alternatives
    assert alternatives.count("Output of the cell above") == 2


def test_of_700_formulas_none_is_lost(tmp_path: Path) -> None:
    sources = [nbformat.read(path, as_version=4) for path in sorted(ROOT.glob("source/*/*.ipynb"))]
    written = {tex.strip() for source in sources for tex in formulas_of(source)}
    every = [*FORMULAS, *sorted(written - set(FORMULAS))]
    assert len(every) >= 700
    shown = [tex if tex.startswith(r"\begin") and tex not in REFUSED else f"$${tex}$$" for tex in every]
    cells = [new_markdown_cell("\n\n".join(shown[at : at + 20])) for at in range(0, len(shown), 20)]
    path = tmp_path / "formulas.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    said = write_pdf([path], tmp_path / "formulas.pdf")
    warnings = [warning for warning in said if not warning.startswith("no font")]  # for the Chinese one

    drawn = Counter(alternatives_in(tmp_path / "formulas.pdf"))
    assert drawn == Counter(tex for tex in every if tex not in REFUSED)
    text = letters_of(tmp_path / "formulas.pdf")
    assert [tex for tex in REFUSED if tex.replace(" ", "") not in text] == []
    assert len(warnings) == len(REFUSED)
    for tex, warning in zip(REFUSED, warnings, strict=True):
        assert "a formula is shown as source" in warning
        assert warning.endswith(tex)
