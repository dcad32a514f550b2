"""The PDF write-up, read back as text, and the parts it is made of."""

import base64
import io
import json
import subprocess
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from PIL import Image
from read_pdf import alternatives_in, is_accessible, properties_of, text_of

from chainrule.handin.cover import collaborators
from chainrule.handin.formulas import FormulaError, FormulaSource, Labels, MaskedMarkdown, MathJax, in_lines
from chainrule.handin.notebook import final_screen
from chainrule.handin.pdf import PDFError, write_pdf

DATAFRAME = """
<div><style scoped>.dataframe tbody { color: red }</style>
<table border="1" class="dataframe">
  <thead><tr style="text-align: right;"><th></th><th>epoch</th><th>accuracy</th></tr></thead>
  <tbody><tr><th>0</th><td>1</td><td>0.8125</td></tr><tr><th>1</th><td>2</td><td>0.8750</td></tr></tbody>
</table></div>
"""


def save(path: Path, *cells: nbformat.NotebookNode) -> Path:
    path.write_text(nbformat.writes(new_notebook(cells=list(cells))), encoding="utf-8")
    return path


def printed(folder: Path, *cells: nbformat.NotebookNode, title: str | None = None) -> tuple[str, list[str]]:
    """The text of the PDF of a notebook with these cells, and the warnings."""
    warnings = write_pdf([save(folder / "hw.ipynb", *cells)], folder / "hw.pdf", title=title)
    return text_of(folder / "hw.pdf"), warnings


def output(**data: str) -> nbformat.NotebookNode:
    """A code cell with one output; `image__png` stands for `image/png`."""
    data = {kind.replace("__", "/"): value for kind, value in data.items()}
    return new_code_cell("show()", outputs=[new_output("display_data", data=data)])


def png(width: int = 64, height: int = 48) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "navy").save(file, "PNG")
    return file.getvalue()


def images_in(pdf: Path) -> list[str]:
    """Width and height in points of each raster image, largest first."""
    listing = subprocess.run(["pdfimages", "-list", pdf], capture_output=True, check=True, text=True).stdout
    return [" ".join(line.split()[3:5]) for line in listing.splitlines()[2:]]


# Formulas


@pytest.mark.parametrize(
    "tex",
    [
        r"\begin{align} a &= b \\ c &= d \end{align}",
        r"\begin{align*} a &= b \tag{1} \\ c &= d \tag*{A} \label{eq:c_d} \end{align*}",
        r"\begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix}",
        r"\|x\|_2^2",
        r"u \odot \sigma'(z)",
        r"f(x) = \begin{cases} x & x > 0 \\ 0 & \text{otherwise, $x \le 0$} \end{cases}",
        r"\operatorname*{arg\,max}_\theta \, \mathbb{E}\left[\log p_\theta(x)\right] \eqref{eq:a_b}",
        r"\bm{x} \mathbbm{1} \boxed{y} \cancel{z} \color{red}{w} \textcolor{red}{\text{v}}",
        r"\text{中文 é 😀}",
    ],
)
def test_typesets(tex: str) -> None:
    formula = MathJax().to_svg(tex, display=True)
    assert 0.5 < formula.width < 40
    assert 0.5 < formula.height < 10
    assert formula.svg.startswith("<svg")
    assert "currentColor" not in formula.svg


def test_lengths_are_in_em() -> None:
    x = MathJax().to_svg("x", display=False)
    y = MathJax().to_svg("y", display=False)
    assert x.width == pytest.approx(0.57, abs=0.02)
    assert x.baseline == pytest.approx(0.01, abs=0.02)  # x stands on the line,
    assert y.baseline == pytest.approx(0.2, abs=0.03)  # y hangs below it


def letters(tex: str) -> str:
    svg = MathJax().to_svg(tex, display=True).svg
    return "".join(chr(int(use.split('"')[0], 16)) for use in svg.split('<use data-c="')[1:])


@pytest.mark.parametrize(
    ("tex", "shown"),
    [(r"\log[2]", "log\u2061[2]"), (r"4 \div 2", "4÷2"), (r"\Re", "ℜ"), (r"\exp(2)", "exp\u2061(2)")],
)
def test_macros_mean_what_they_mean_in_jupyter(tex: str, shown: str) -> None:
    assert letters(tex) == shown


@pytest.mark.parametrize(
    ("tex", "reason"),
    [
        (r"x + \foo", r"undefined macro \foo"),
        (r"\text{a \foo b}", r"undefined macro \foo"),
        (r"\frac{1", "Missing close brace"),
        (r"\begin{tabular} x \end{tabular}", "Unknown environment"),
        (r"\def\x{\x\x}\x", "recursive macro"),
        ("{" * 2000 + "}" * 2000, "gives up"),
        ("x+" * 5000, "longer than"),
        ("% x", "shows nothing"),
    ],
)
def test_says_what_cannot_be_typeset(tex: str, reason: str) -> None:
    with pytest.raises(FormulaError, match=reason.replace("\\", r"\\")):
        MathJax().to_svg(tex, display=False)


def test_macros_are_known_from_their_definition_on() -> None:
    mathjax = MathJax()
    assert mathjax.to_svg(r"\newcommand{\R}{\mathbb{R}}", display=True).width == 0
    assert mathjax.to_svg(r"\R^n", display=False).width > 0.5


NUMBERED = [
    r"\begin{equation} \label{first} a = \begin{pmatrix} 1 \\ 2 \end{pmatrix} \end{equation}",
    r"\begin{align} a &= b \tag{2} \\ c &= d \label{third} \\ e &= f \nonumber \end{align}",
    r"g = h \label{star} \tag*{$\star$}",
]


@pytest.mark.parametrize(
    ("tex", "meant"),
    [
        (
            NUMBERED[0],
            r"\begin{equation}  a = \begin{pmatrix} 1 \\ 2 \end{pmatrix} \qquad\text{(1)}\end{equation}",
        ),
        (
            NUMBERED[1],
            r"\begin{align} a &= b  \qquad\text{(2)}\\ c &= d  \qquad\text{(3)}\\ e &= f \nonumber \end{align}",
        ),
        (NUMBERED[2], r"g = h  \qquad\text{$\star$}"),
        (r"\eqref{first}, \ref{third}", r"\text{(1)}, \text{3}"),
        (r"\ref{star}, \eqref{un_known}", r"\text{$\star$}, \text{(un\_known)}"),
        (r"\begin{equation} x", r"\begin{equation} x"),
    ],
)
def test_numbers_equations_as_latex_does(tex: str, meant: str) -> None:
    shown = Labels(NUMBERED).resolved(tex)
    assert " ".join(shown.split()) == " ".join(meant.split())
    if tex in NUMBERED:
        assert MathJax(Labels(NUMBERED)).to_svg(tex, display=True).width > 2


def test_a_wide_formula_is_broken_at_its_signs() -> None:
    long = " + ".join(f"w_{{{n}}}" for n in range(40))
    assert (in_lines(f"y = {long}", 3) or "").count(r"\\") == 2
    assert in_lines(r"\begin{align} a &= b \end{align}", 2) is None
    assert in_lines(rf"\frac{{{long}}}{{2}}", 3) is None
    mathjax = MathJax()
    assert mathjax.to_svg(in_lines(long, 3) or "", True).width < mathjax.to_svg(long, True).width / 2


@pytest.mark.parametrize(
    ("markdown", "formulas"),
    [
        ("let $a_1 * b_1$ and $c$", ["a_1 * b_1", "c"]),
        ("$$x\n= y$$", ["x\n= y"]),
        ("\\begin{align}a&=b\\\\c&=`d`\\end{align}", ["\\begin{align}a&=b\\\\c&=`d`\\end{align}"]),
        (r"\\(x\\) and \\[y\\], but not \(z\)", ["x", "y"]),
        (r"by \eqref{eq:1}", [r"\eqref{eq:1}"]),
        (r"\$5 and \$6, $a\$b$", [r"a\$b"]),
        ("`$x$` and ``a`$y$`` and $z$", ["z"]),
        ("- ```python\n  cost = '$x$'\n  ```\n  $y$", ["y"]),
        ("~~~\n$x$", []),
        ("an open $ x\n\nand $y$", ["y"]),
        ("| a | $|x|$ |\n|---|---|", ["|x|"]),
        ("$$", []),
        ("It costs $5 and then $6.", []),
        ("between $5–$6 or ($7.50)", []),
        ("It costs $5, and $x$ is free", ["x"]),
        ("$5$ and $6x$ and $7 y $.", ["5", "6x", "7 y "]),
    ],
)
def test_finds_formulas_as_jupyter_does(markdown: str, formulas: list[str]) -> None:
    places = MaskedMarkdown(markdown)
    assert [piece.tex for piece in places.split(places.text) if isinstance(piece, FormulaSource)] == formulas
    assert places.restore(places.text) == markdown


@pytest.mark.parametrize(
    "unit", ["$", "`", "` ", "$$ x ", "$x ", "\\begin{a}", "\\\\[", "```a\n", "~~~\n", "\\"]
)
def test_finds_formulas_in_time_that_grows_with_the_text(unit: str) -> None:
    start = time.process_time()
    MaskedMarkdown(unit * 20_000)
    assert time.process_time() - start < 5


# Text outputs


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\x1b[0;31mred\x1b[0m and \x1b[38;5;241mgrey\x1b[39m", "red and grey"),
        ("  0%|    |\r 50%|##  |\r100%|####|\n", "100%|####|\n"),
        ("long line\rshort", "shortline"),  # as on a terminal: what is not overwritten stays
        ("long line\r\x1b[Kshort", "short"),
        ("outer 0\ninner 0\n\x1b[A\x1b[Aouter 1\ninner 1\n", "outer 1\ninner 1\n"),
        ("a\r\nb", "a\nb"),
        ("ab\x08c", "ac"),
        ("\x1b]0;title\x07\x1b", ""),
    ],
)
def test_shows_what_the_terminal_shows_in_the_end(written: str, shown: str) -> None:
    assert final_screen(written) == shown


# The PDF


def test_prose(tmp_path: Path) -> None:
    text, warnings = printed(
        tmp_path,
        new_markdown_cell(
            "# One network\n\n"
            "Some *emphasis*, `code --flag`, ~~gone~~ and [a link](https://example.org/).\n\n"
            "1. first\n   - nested\n2. second\n\n- [x] done\n\n> quoted\n\n"
            "| layer | units |\n|:--|--:|\n| hidden | 128 |\n\n"
            "Line<br>break, H<sub>2</sub>O\n\n<table><tr><td>raw cell</td></tr></table>"
        ),
        new_raw_cell("raw text"),
        title="Homework 2",
    )
    assert not warnings
    assert text.index("Homework 2") < text.index("One network")
    for words in (
        "emphasis",
        "code --flag",
        "a link",
        "1. first",
        "nested",
        "☒ done",
        "quoted",
        "break",
        "raw text",
    ):
        assert words in text
    assert [line.split() for line in text.splitlines() if "hidden" in line] == [["hidden", "128"]]
    assert "raw cell" in text
    assert "<" not in text
    assert "1/2" in text.replace(" ", "")  # the first page, with the contents
    assert "2/2" in text.replace(" ", "")


def test_the_first_page(tmp_path: Path) -> None:
    one = save(
        tmp_path / "one.ipynb",
        new_markdown_cell("# HW 2 · Problem 1\n\n**Collaborators on problem 1:** none"),
    )
    two = save(
        tmp_path / "two.ipynb",
        new_markdown_cell("# HW 2 · Problem 2"),
        new_markdown_cell("Collaborators: *none*"),
    )
    warnings = write_pdf(
        [one, two], tmp_path / "hw.pdf", author='Ann "#panic()" O\'Neil', number="007", course="CS 1"
    )
    assert not warnings
    assert is_accessible(tmp_path / "hw.pdf")
    assert properties_of(tmp_path / "hw.pdf")["Title"] == "HW 2"
    first = [
        line.strip() for line in text_of(tmp_path / "hw.pdf").split("\f")[0].splitlines() if line.strip()
    ]
    assert first[:5] == [
        "HW 2",
        'Name: Ann "#panic()" O\'Neil',
        "Student number: 007",
        "Course: CS 1",
        "Collaborators: none",
    ]
    assert [line.split(" . ")[0] for line in first[5:7]] == ["HW 2 · Problem 1", "HW 2 · Problem 2"]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('**Collaborators on question 1:** *name everyone you discussed it with, or write "none".*', ""),
        ("**Collaborators:**", ""),
        ("**Collaborators on question 1:** Bo, jo_smith@x.org", "Bo, jo_smith@x.org"),
        ("**Collaborators**: none", "none"),
        ("collaborators on question 1: Bo\nand Cy\n\nOther words.", "Bo and Cy"),
        ("Collaborators:\n\n- Bo\n- Cy", "Bo Cy"),
        ("Collaborators: <script>#panic()</script>", "<script>#panic()</script>"),
    ],
)
def test_collaborators_are_read_as_students_write_them(line: str, named: str) -> None:
    cells = [{"cell_type": "markdown", "source": line}]
    assert [names for _, names in collaborators({"cells": cells})] == [named]


def test_says_which_collaborators_line_is_not_filled_in(tmp_path: Path) -> None:
    text, warnings = printed(
        tmp_path,
        new_markdown_cell("Collaborators on question 1: Bo\n\nCollaborators on question 2: *name everyone*"),
    )
    assert len(warnings) == 1
    assert "“Collaborators on question 2” is not filled in" in warnings[0]
    assert "Collaborators on question 1: Bo" in text


def test_a_wide_table_comes_in_readable_parts(tmp_path: Path) -> None:
    names = "".join(f"<th>column_{n:02d}</th>" for n in range(40))
    cells = "".join(f"<td>{n}.25</td>" for n in range(40))
    text, warnings = printed(
        tmp_path,
        output(text__html=f"<table><tr><th>row</th>{names}</tr><tr><td>first</td>{cells}</tr></table>"),
    )
    assert not warnings
    heads = [line.split() for line in text.splitlines() if "column_" in line]
    assert len(heads) > 1
    assert {head[0] for head in heads} == {"row"}
    assert [name for head in heads for name in head[1:]] == [f"column_{n:02d}" for n in range(40)]
    assert text.count("first") == len(heads)


def test_headings_have_no_gaps_for_a_reader_who_hears_them(tmp_path: Path) -> None:
    path = save(tmp_path / "hw.ipynb", new_markdown_cell("### a\n\n##### b\n\n##### c\n\n# d\n\n#\n\n## e"))
    assert write_pdf([path], tmp_path / "hw.pdf") == []
    assert is_accessible(tmp_path / "hw.pdf")


def test_what_is_no_accessible_pdf_is_still_one(tmp_path: Path) -> None:
    text, warnings = printed(tmp_path, new_markdown_cell("\U0003fff0 and the rest, $x^2$"))
    assert len(warnings) == 1
    assert "not PDF/UA-1" in warnings[0]
    assert "and the rest" in text
    assert not is_accessible(tmp_path / "hw.pdf")
    assert properties_of(tmp_path / "hw.pdf")["Tagged"] == "yes"
    assert alternatives_in(tmp_path / "hw.pdf") == ["x^2"]


def test_formulas_are_drawn_or_shown_as_source(tmp_path: Path) -> None:
    text, warnings = printed(
        tmp_path,
        new_markdown_cell(
            "Bare:\n\\begin{align}\na &= \\|x\\|_2^2 \\\\\n "
            "&= \\begin{vmatrix}1&2\\\\3&4\\end{vmatrix}\n\\end{align}\n"
            "inline $u \\odot v$, a $d$-dimensional thing, $\\undefinedmacro + 1$ and $\\frac{1$.\n\n"
            "| $|x|$ |\n|--|\n| $$y$$ |\n\n$" + "+".join("x" * 200) + "$"
        ),
    )
    assert "\\undefinedmacro + 1" in text
    assert "\\frac{1" in text
    assert len(warnings) == 2
    assert warnings[0].startswith("hw.ipynb, cell 1: ")
    assert "\\undefinedmacro" in warnings[0]
    for drawn in ("align", "vmatrix", "odot", "$"):
        assert drawn not in text


def test_macros_belong_to_their_notebook(tmp_path: Path) -> None:
    one = save(
        tmp_path / "one.ipynb",
        new_markdown_cell(r"$\newcommand{\R}{\mathbb{R}}$"),
        new_markdown_cell(r"$\R$"),
    )
    two = save(tmp_path / "two.ipynb", new_markdown_cell(r"$\R$ again"))
    warnings = write_pdf([one, two], tmp_path / "both.pdf")
    assert len(warnings) == 1
    assert warnings[0].startswith("two.ipynb, cell 1: ")
    assert text_of(tmp_path / "both.pdf").count("\f") == 3  # each notebook begins a page


def test_code_and_text_outputs(tmp_path: Path) -> None:
    long = "https://example.org/" + "x" * 300
    text, warnings = printed(
        tmp_path,
        new_code_cell(
            f"def f(x):\n    return '{long}'",
            execution_count=7,
            outputs=[
                new_output("stream", name="stdout", text="hello\n"),
                new_output("stream", name="stderr", text="\r  0%|    | 0/10"),
                new_output("stream", name="stderr", text="\r100%|####| 10/10\n"),
                new_output("execute_result", data={"text/plain": "tensor([1., 2.])"}, execution_count=7),
            ],
        ),
        new_code_cell(
            "1/0",
            outputs=[
                new_output(
                    "error",
                    ename="ZeroDivisionError",
                    evalue="division by zero",
                    traceback=[
                        "\x1b[0;31mZeroDivisionError\x1b[0m Traceback",
                        "\x1b[1;32m----> 1\x1b[0m 1/0",
                    ],
                )
            ],
        ),
        new_code_cell(
            "loud()", outputs=[new_output("stream", text="".join(f"line {n}\n" for n in range(5000)))]
        ),
    )
    for words in ("[7]", "def f(x):", "hello", "100%|####| 10/10", "tensor([1., 2.])", "ZeroDivisionError"):
        assert words in text
    assert "0/10" not in text.replace("10/10", "")
    assert "[0;31m" not in text
    assert text.count("x") >= 300  # the long line goes on below, not past the margin
    assert "line 4999" in text
    assert "line 2500" not in text
    assert any("lines of a long output" in warning for warning in warnings)


def test_rich_outputs(tmp_path: Path) -> None:
    checks = (
        "<table><tr><th>check</th><th>result</th></tr><tr><td>u2 is p-y</td><td>✗ failed</td></tr></table>"
    )
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="40"><text y="20">drawn</text></svg>'
    text, warnings = printed(
        tmp_path,
        output(text__html=DATAFRAME, text__plain="   epoch ..."),
        output(image__png=base64.b64encode(png(5000, 300)).decode(), text__plain="<Figure size 640x480>"),
        output(**{"image__svg+xml": drawing}),
        output(text__latex=r"$\displaystyle x^2$", text__plain="x**2"),
        output(**{"application__vnd.chainrule+json": "{}", "text__html": checks, "text__plain": "no"}),
        output(text__html="<b>bold</b> words", text__plain="<IPython.core.display.HTML object>"),
    )
    assert not warnings
    assert ["0", "1", "0.8125"] in [line.split() for line in text.splitlines()]
    assert "color: red" not in text
    assert "Figure" not in text
    assert images_in(tmp_path / "hw.pdf") == ["5000 300"]
    assert "drawn" in text
    assert "x**2" not in text
    assert "✗ failed" in text
    assert "bold words" in text


def test_what_cannot_be_shown_becomes_a_note(tmp_path: Path) -> None:
    whole = base64.b64encode(png(300, 300)).decode()
    text, warnings = printed(
        tmp_path,
        output(image__png=whole[: len(whole) // 2]),
        output(image__png="not an image"),
        output(**{"image__svg+xml": "<svg><broken", "text__plain": "its text"}),
        output(**{"application__x-unknown": "?"}),
        output(text__html="<table><tr><td colspan=99999999>x</td></tr></table>", text__plain="plain instead"),
        new_markdown_cell("> " * 5000 + "deep"),
        new_markdown_cell("the end"),
    )
    assert text.count("An image that cannot be shown") == 2
    assert "its text" in text
    assert "application/x-unknown" in text
    assert "plain instead" in text
    assert "the end" in text
    assert [warning.partition(":")[0][-1] for warning in warnings] == ["1", "2", "4", "5", "6", "3"]


def test_images_come_from_the_notebooks_folder_only(tmp_path: Path) -> None:
    folder = tmp_path / "hw"
    folder.mkdir()
    (folder / "my plot.png").write_bytes(png(64, 48))
    (tmp_path / "secret.png").write_bytes(png(99, 99))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    reader = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="{}" width="9"/></svg>'
    addresses = [
        "../secret.png",
        "..%2fsecret.png",
        "link.png",
        f"{tmp_path}/secret.png",
        "%00.png",
        "missing.png",
    ]
    addresses += [f"file://{tmp_path}/secret.png", "https://example.org/x.png", "..\\secret.png", "."]
    attached = new_markdown_cell(
        "![a](attachment:a.png)", attachments={"a.png": {"image/png": base64.b64encode(png(32, 32)).decode()}}
    )
    text, warnings = printed(
        folder,
        new_markdown_cell("![one](my%20plot.png) <img src='my plot.png' width='30'>"),
        attached,
        new_markdown_cell(f"![d](data:image/png;base64,{base64.b64encode(png(16, 16)).decode()})"),
        *(new_markdown_cell(f"<img src='{address}'>") for address in addresses),
        output(**{"image__svg+xml": reader.format("../secret.png"), "text__plain": ""}),
        output(**{"image__svg+xml": reader.format(f"{tmp_path}/secret.png"), "text__plain": ""}),
    )
    assert {"64 48", "32 32", "16 16"} == set(images_in(folder / "hw.pdf"))
    assert text.count("Image not shown") == len(addresses)
    assert sum("is not shown" in warning for warning in warnings) == len(addresses)


def test_no_text_becomes_a_command(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("THE-SECRET")
    attack = f'#read("{secret}")'
    text, warnings = printed(
        tmp_path,
        new_markdown_cell(f"prose {attack} `code {attack}` $\\text{{{attack}}}$"),
        new_markdown_cell(
            f'```{{=typst}}\n{attack}\n```\n\n`{attack}`{{=typst}}\n\n```x"); {attack}\n{attack}\n```'
        ),
        new_markdown_cell(
            f"[x]{{typst:text:fill='read(\"{secret}\")'}} ![{attack}](none.png) [{attack}](#x)"
        ),
        new_markdown_cell(
            '#import "@preview/x:1.0.0": * // no comment /* ] ) } " \\ <label> @label *a\n= head\n/ t: d'
        ),
        new_markdown_cell(
            '<a href="https://e.org/&quot;)#panic()">link</a> <iframe src="secret.txt"></iframe>'
        ),
        new_code_cell(
            f'{attack} """ ``` \\', outputs=[new_output("stream", text=f'{attack} "]) #panic() \\')]
        ),
        output(text__html=f"<table class='\")#panic()'><tr><td>{attack}</td></tr></table>"),
        new_raw_cell(attack),
        title=f'T") {attack}',
    )
    assert "THE-SECRET" not in text
    assert text.count("#read(") >= 8
    assert '#import "@preview/x:1.0.0": * // no comment /* ] ) }' in text
    told = [warning for warning in warnings if "none.png" not in warning and "formula" not in warning]
    assert len(told) == 1
    assert "an embedded page (iframe: secret.txt)" in told[0]


def test_any_character(tmp_path: Path) -> None:
    everything = "".join(map(chr, [*range(0x800), *range(0x2000, 0x2100), 0xE000, 0xFFFE, 0xFFFF, 0x1F600]))
    path = tmp_path / "hw.ipynb"
    cells = [
        new_markdown_cell("naïve 😀 中文 Ελληνικά русский " + everything),
        new_markdown_cell("half \ud83d a letter, $x_\ud83d \0 中$"),
        new_code_cell(
            "# 中文 😀 \ud83d\0" + everything, outputs=[new_output("stream", text=everything + "\udc00")]
        ),
    ]
    path.write_text(json.dumps(new_notebook(cells=cells)))  # JSON escapes what UTF-8 cannot hold
    write_pdf([path], tmp_path / "hw.pdf", title="Été 😀 \ud83d")
    text = text_of(tmp_path / "hw.pdf")
    assert "naïve" in text
    assert "Ελληνικά русский" in text
    assert "half \ufffd a letter" in text


def test_warns_of_letters_that_no_font_has(tmp_path: Path) -> None:
    _, warnings = printed(tmp_path, new_markdown_cell("nobody has \U0003fff0, everybody has é and ✓"))
    assert len(warnings) == 1
    assert "no font on this computer has \U0003fff0:" in warnings[0]


def test_an_empty_notebook_says_so(tmp_path: Path) -> None:
    text, _ = printed(tmp_path, new_markdown_cell(""), new_code_cell(""))
    assert "There is nothing in this notebook" in text


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (None, "no such file"),
        ("", "is not JSON"),
        ("print(1)", "is not JSON"),
        ("[1, 2]", "is not a notebook"),
        ('{"a": 1}', "not a notebook"),
        ('{"cells": 5, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "not a notebook"),
        ("\udcff\udcfe", "not text"),
    ],
)
def test_says_what_to_do_about_a_file_that_is_no_notebook(
    tmp_path: Path, content: str | None, advice: str
) -> None:
    path = tmp_path / "hw.ipynb"
    if content is not None:
        path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(PDFError, match=advice):
        write_pdf([path], tmp_path / "hw.pdf")
    assert not (tmp_path / "hw.pdf").exists()


def test_says_what_to_do_about_other_arguments(tmp_path: Path) -> None:
    with pytest.raises(PDFError, match="at least one"):
        write_pdf([], tmp_path / "hw.pdf")
    with pytest.raises(PDFError, match=r"cannot be read|no such file"):
        write_pdf([tmp_path], tmp_path / "hw.pdf")
    notebook = save(tmp_path / "hw.ipynb", new_markdown_cell("x"))
    with pytest.raises(PDFError, match="name that ends in"):
        write_pdf([notebook], notebook)
    (tmp_path / "taken.pdf").mkdir()
    with pytest.raises(PDFError, match="cannot be written"):
        write_pdf([notebook], tmp_path / "taken.pdf")
