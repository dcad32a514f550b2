"""The browser's route to a PDF: taken where the other one fails, with as much in it and as little risk."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import stress_notebook
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from read_pdf import letters_of, properties_of, text_of
from stress_notebook import mark

from chainrule.handin import browser
from chainrule.handin.pdf import PDFError, write_pdf


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Let these packages be missing."""
    for name in [name for name in sys.modules if name.startswith("chainrule.handin.")]:
        if name.rpartition(".")[2] in ("cells", "typesetting", "prose"):
            monkeypatch.delitem(sys.modules, name)
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)


def save(path: Path, *cells: nbformat.NotebookNode) -> Path:
    path.write_text(nbformat.writes(new_notebook(cells=list(cells))), encoding="utf-8")
    return path


def test_without_typst_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = stress_notebook.write(tmp_path)
    without(monkeypatch, "typst")
    warnings = write_pdf([notebook], tmp_path / "hw.pdf", author="Ada", number="20815", course="CS480")
    assert "printed by a browser" in warnings[0]
    assert "typst" in warnings[0]
    assert [warning.split(": ")[0] for warning in warnings[1:]] == [
        f"stress.ipynb, cell {n}" for n in (6, 6, 15, 15, 28)
    ]
    text = letters_of(tmp_path / "hw.pdf")
    assert [n for n in range(1, 31) if mark(n) not in text] == []
    for words in (
        "Name:Ada",
        "Studentnumber:20815",
        "Collaboratorsonquestion1:BoYang",
        r"\undefinedmacro+1",
        "$5andthen$6",
        "100%|██████████|3/3",
        "feature_29",
        "ValueError:shapes",
        "✗softmax",
        'rawtextwith#commands"quoted"and$dollars$',
    ):
        assert words in text, words
    assert text.count("x") >= 3000
    assert "displaystyle" not in text  # a formula in an output is one
    properties = properties_of(tmp_path / "hw.pdf")
    assert properties["Title"] == "A stress test of write-ups"
    assert properties["Tagged"] == "yes"
    assert f"2/{properties['Pages']}" in text


def test_without_mathjax_formulas_are_still_formulas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = save(
        tmp_path / "hw.ipynb", new_markdown_cell("$u \\odot v$ and $\\undefinedmacro$\n\n$$a = b \\tag{7}$$")
    )
    without(monkeypatch, "quickjax")
    warnings = write_pdf([notebook], tmp_path / "hw.pdf")
    assert sum("a formula is shown as source" in warning for warning in warnings) == 1
    text = text_of(tmp_path / "hw.pdf")
    assert "⊙" in text
    assert "\\odot" not in text
    assert "(7)" in text
    assert "\\undefinedmacro" in text


def test_a_failing_typst_is_no_missing_pdf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typst

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(typst, "compile", fail)
    notebook = save(tmp_path / "hw.ipynb", new_markdown_cell("the words"))
    warnings = write_pdf([notebook], tmp_path / "hw.pdf")
    assert "out of order" in warnings[0]
    assert "the words" in text_of(tmp_path / "hw.pdf")


def test_says_what_to_install_if_neither_route_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = save(tmp_path / "hw.ipynb", new_markdown_cell("the words"))
    without(monkeypatch, "typst")
    monkeypatch.setattr(browser, "BROWSERS", [])
    monkeypatch.setattr(browser, "INSTALL_PATHS", [])
    with pytest.raises(PDFError, match=r"(?s)typst.*no Chromium.*Install") as failed:
        write_pdf([notebook], tmp_path / "hw.pdf")
    assert "\n" not in str(failed.value)
    assert not (tmp_path / "hw.pdf").exists()


@pytest.fixture
def site() -> Iterator[socket.socket]:
    """A port that nobody may connect to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def test_nothing_of_a_stranger_runs_or_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: socket.socket
) -> None:
    (tmp_path / "secret.txt").write_text("THE-SECRET")
    (tmp_path / "hw").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "outside.png")
    address = f"http://127.0.0.1:{site.getsockname()[1]}"
    secret = (tmp_path / "secret.txt").as_uri()
    attack = (
        f"<script>fetch('{address}'); document.body.innerHTML = 'RAN'</script><img src='{address}/x.png'>"
        f"<iframe src='{secret}'></iframe><object data='{secret}'></object><embed src='{secret}'>"
        f"<link rel='stylesheet' href='{address}'><style>body {{ background: url({address}) }}</style>"
        f"<meta http-equiv='refresh' content='0;url={secret}'><base href='{address}'>"
        f"<svg onload='document.body.innerHTML = 1'><image href='{address}'/></svg>"
        f"<p style='background: url({address})' onclick='x()'>fine</p><img src=x onerror='document.title = 1'>"
        f"<xmp><p title=\"</xmp><meta http-equiv='refresh' content='0;url={secret}'>\"></xmp>"
    )
    drawing = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><image href='{address}/y.png'/></svg>"
    )
    notebook = save(
        tmp_path / "hw" / "hw.ipynb",
        new_markdown_cell(f"words {attack}\n\n![o](../outside.png) [l](javascript:alert(1))"),
        new_code_cell(
            "show()",
            outputs=[
                new_output("display_data", data={"text/html": attack}),
                new_output("display_data", data={"image/svg+xml": drawing}),
                new_output("display_data", data={"application/javascript": f"fetch('{address}')"}),
                new_output("stream", text=attack),
            ],
        ),
        new_markdown_cell("the end"),
    )
    without(monkeypatch, "typst")
    warnings = write_pdf([notebook], tmp_path / "hw.pdf", title="<script>T</script>", author=attack)
    with pytest.raises(BlockingIOError):
        site.accept()
    text = text_of(tmp_path / "hw.pdf")
    assert "THE-SECRET" not in text
    assert text.count("fine") >= 2
    assert "the end" in text
    assert properties_of(tmp_path / "hw.pdf")["Title"] == "<script>T</script>"
    assert any("outside.png is not shown: it is outside" in warning for warning in warnings)
