"""A notebook of thirty cells with everything that write-ups were seen to fail on.

Each cell holds a word of its own (`mark`), by which a test finds it in the PDF.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from PIL import Image

LONG = "https://example.org/" + "a-very-long-address/" * 12
FORMULAS = [line for line in (Path(__file__).parent / "formulas.txt").read_text("utf-8").splitlines() if line]
REFUSED = [  # of FORMULAS: these are no formulas, and the PDF shows them as they were written
    r"\undefinedmacro + 1",
    r"x + \foo{y}",
    r"\frac{1",
    r"\begin{tabular}{c} x \end{tabular}",
    r"\left( x",
    "x_1_2",
    r"\end{align} x",
    r"\begin{aligned} a",
    "{x",
    "x}",
    "a & b",
]


def write(folder: Path) -> Path:
    """The notebook, with the picture it names beside it."""
    Image.new("RGB", (320, 120), "seagreen").save(folder / "my plot.png")
    path = folder / "stress.ipynb"
    path.write_text(nbformat.writes(notebook()), encoding="utf-8")
    return path


def figure(kind: str) -> str:
    """A plot as a notebook keeps it: base64 of PNG, or SVG."""
    fig = Figure(figsize=(6, 3.2), layout="constrained")
    axes = fig.subplots()
    axes.plot([1, 2, 3, 4, 5], [2.3, 1.1, 0.6, 0.42, 0.4], marker="o", label="training loss")
    axes.set(xlabel="epoch", ylabel="loss", title="A figure")
    axes.legend()
    file = io.BytesIO()
    if kind == "svg":
        FigureCanvasSVG(fig).print_svg(file)
        return file.getvalue().decode()
    FigureCanvasAgg(fig).print_png(file)
    return base64.b64encode(file.getvalue()).decode()


def frame(columns: int, rows: int) -> str:
    """A DataFrame as pandas writes it."""
    names = "".join(f"<th>feature_{at}</th>" for at in range(columns))
    lines = "".join(
        f"<tr><th>{row}</th>" + "".join(f"<td>{row + at / 7:.6f}</td>" for at in range(columns)) + "</tr>"
        for row in range(rows)
    )
    return (
        "<div><style scoped>.dataframe tbody tr th { vertical-align: top; }</style>"
        '<table border="1" class="dataframe"><thead><tr style="text-align: right;"><th></th>'
        f"{names}</tr></thead><tbody>{lines}</tbody></table><p>{rows} rows × {columns} columns</p></div>"
    )


def said(text: str, name: str = "stdout") -> NotebookNode:
    output: NotebookNode = new_output("stream", name=name, text=text)
    return output


def shown(plain: str, **data: str) -> NotebookNode:
    data = {kind.replace("__", "/"): value for kind, value in data.items()}
    output: NotebookNode = new_output("execute_result", data={"text/plain": plain, **data}, execution_count=1)
    return output


def cells() -> list[NotebookNode]:
    picture = io.BytesIO()
    Image.new("RGB", (60, 40), "orange").save(picture, "PNG")
    trace = [
        "\x1b[0;31m-------------------------------\x1b[0m",
        "\x1b[0;31mValueError\x1b[0m   Traceback (most recent call last)",
        "Cell \x1b[0;32mIn[9], line 2\x1b[0m\n\x1b[1;32m      1\x1b[0m x = 1\n\x1b[0;32m----> 2\x1b[0m boom(x)",
        "\x1b[0;31mValueError\x1b[0m: shapes (3,4) and (5,6) not aligned",
    ]
    return [
        new_markdown_cell(
            "# A stress test of write-ups\n\nThe *first* cell, **bold**, ~~gone~~, `code --flag`."
        ),
        new_markdown_cell("**Collaborators on question 1:** Bo Yang, *Zoë* and 李雷"),
        new_markdown_cell(
            "## Equations\n\nA bare block with numbers:\n\n\\begin{align}\n"
            "\\mathbf z &= W \\mathbf x + \\mathbf b \\label{eq:z} \\\\\n"
            "\\bm h &= \\sigma(\\mathbf z) \\tag{H} \\label{eq:h} \\\\\n \\|x\\|_2^2 &= x^\\top x \\nonumber\n"
            "\\end{align}\n\nBy \\eqref{eq:z} and \\ref{eq:h}, and $\\eqref{eq:late}$ below."
        ),
        new_markdown_cell(
            "Inline $\\odot$, $p_i = e^{a_i}/\\sum_j e^{a_j}$ and a $d$-dimensional $\\mathbb R^d$.\n\n"
            "$$\\begin{vmatrix} 1 & 2 \\\\ 3 & 4 \\end{vmatrix} = -2, \\qquad "
            "f(x) = \\begin{cases} x & x > 0 \\\\ 0 & \\text{otherwise} \\end{cases}$$"
        ),
        new_markdown_cell("It costs $5 and then $6, or $7.50, while $x$ is a formula; \\$8 was escaped."),
        new_markdown_cell(
            "$$\nE = mc^2 \\label{eq:late}\n$$\n\nBroken: $\\undefinedmacro + 1$ and $\\frac{1$."
        ),
        new_markdown_cell(
            "$$" + " + ".join(f"w_{{{at}}} x_{{{at}}}" for at in range(40)) + "$$\n\nA long one."
        ),
        new_markdown_cell(
            "### A gap in headings follows\n\n##### Five levels down\n\n1. one\n   - nested\n     1. deep\n2. two\n\n"
            "- [x] done\n- [ ] open\n\n> quoted, with $q$\n\n---\n\nLine<br>break, H<sub>2</sub>O, x<sup>2</sup>"
        ),
        new_markdown_cell(
            "| layer | shape | $\\#$ |\n|:--|:-:|--:|\n| conv | $28 \\times 28$ | 320 |\n| fc | a longer text | 1,290 |"
        ),
        new_markdown_cell(f"A long address {LONG} and `{'long_code_' * 20}` here."),
        new_markdown_cell(
            "```python\ndef fenced(x):\n    return f'${x}$'  # no formula\n```\n\n~~~\nplain fence\n~~~"
        ),
        new_markdown_cell(
            "中文：损失函数下降。Ελληνικά, русский, 日本語, naïve, „Anführung“, emoji 😀 🎉 ✓ ✗ → ≤"
        ),
        new_markdown_cell(
            "![a green picture](my%20plot.png)\n\n<img src='my plot.png' width='60' alt='small'> small"
        ),
        new_markdown_cell(
            "![attached](attachment:dot.png) attached",
            attachments={"dot.png": {"image/png": base64.b64encode(picture.getvalue()).decode()}},
        ),
        new_markdown_cell("![outside](../../etc/passwd) ![remote](https://example.org/x.png) not shown"),
        new_code_cell(
            "import math\n\n\ndef f(x: float) -> float:\n    '''Docstring with ümlaut and 中文.'''\n"
            "    return math.exp(-x) + 1e-3  # a comment\n\n\nprint(f(1.0))",
            execution_count=1,
            outputs=[said("0.3688794411714423\n")],
        ),
        new_code_cell(f"address = '{LONG}'\nx = {list(range(60))}", execution_count=2),
        new_code_cell(
            "for epoch in tqdm(range(3)): ...",
            execution_count=3,
            outputs=[
                said("\r  0%|          | 0/3", "stderr"),
                said("\r100%|██████████| 3/3 [00:01<00:00]\n", "stderr"),
                said("epoch 1: loss 0.4\nepoch 2: loss 0.2\n"),
            ],
        ),
        new_code_cell(
            "plt.plot(losses)",
            execution_count=4,
            outputs=[
                shown("[<matplotlib.lines.Line2D at 0x7f>]"),
                new_output(
                    "display_data", data={"image/png": figure("png"), "text/plain": "<Figure size 600x320>"}
                ),
            ],
        ),
        new_code_cell(
            "plt.plot(losses)  # as a drawing",
            execution_count=5,
            outputs=[
                new_output("display_data", data={"image/svg+xml": figure("svg"), "text/plain": "<Figure>"})
            ],
        ),
        new_code_cell("df.head()", execution_count=6, outputs=[shown("frame", text__html=frame(5, 6))]),
        new_code_cell("wide", execution_count=7, outputs=[shown("frame", text__html=frame(30, 4))]),
        new_code_cell(
            "item.score()",
            execution_count=8,
            outputs=[
                shown(
                    "1.0",
                    text__html="<table><tr><th>check</th><th>result</th></tr><tr><td>u2 is p − y</td>"
                    "<td>✗ softmax and cross-entropy together</td></tr></table>",
                )
            ],
        ),
        new_code_cell(
            "x = 1\nboom(x)",
            execution_count=9,
            outputs=[new_output("error", ename="ValueError", evalue="shapes", traceback=trace)],
        ),
        new_code_cell("W", execution_count=10, outputs=[shown("tensor([[0.1, 0.2],\n        [0.3, 0.4]])")]),
        new_code_cell(
            "sympy.diff(f)", execution_count=11, outputs=[shown("2*x", text__latex="$\\displaystyle 2 x$")]
        ),
        new_code_cell("print('x' * 3000)", execution_count=12, outputs=[said("x" * 3000 + "\n")]),
        new_code_cell(
            "loud()", execution_count=13, outputs=[said("".join(f"line {at}\n" for at in range(1000)))]
        ),
        new_raw_cell('raw text with #commands "quoted" and $dollars$'),
        new_markdown_cell("## The end\n\nThe last words."),
    ]


def notebook() -> NotebookNode:
    """The notebook: `cells()`, each with its own word."""
    marked = cells()
    for number, cell in enumerate(marked, 1):
        word = mark(number)
        cell.source += f"\n# {word}" if cell.cell_type == "code" else f"\n\n{word}"
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    nb: NotebookNode = new_notebook(cells=marked, metadata={"kernelspec": kernel})
    return nb


def mark(number: int) -> str:
    """The word that only cell `number` holds."""
    return f"cellmark{number:02d}"
