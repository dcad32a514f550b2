"""What a reader finally saw is what a graded notebook keeps: progress bars, captured outputs, cleared outputs."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from conftest import once
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from tiny_course import PLAIN, notebook

from chainrule.course import CourseFolder
from chainrule.grading.outputs import FinalOutputs
from chainrule.grading.run import Run

WHERE = {"nbgrader": {"student": "ann", "assignment": PLAIN, "notebook": PLAIN}}
WIDGET = "application/vnd.jupyter.widget-view+json"

CELLS = {
    "prints over itself": "import sys\n"
    "for k in range(50):\n    print(f'\\repoch {k}/50', end=''); sys.stdout.flush()\nprint()",
    "tqdm": "from tqdm import tqdm\nfor _ in tqdm(range(40), mininterval=0): pass",
    "tqdm between prints": "for k in tqdm(range(5), mininterval=0):\n    print('loss', k, flush=True)",
    "tqdm in a notebook": "from tqdm.notebook import tqdm as bar\nfor _ in bar(range(20), mininterval=0): pass",
    # rich puts a file before stdout that flushes nothing: unflushed text can end in its widget, and is cleared there
    "rich": "from rich.progress import track\nprint('before', flush=True)\n"
    "for _ in track(range(5), 'Learning'): pass\nprint('after')",
    "Keras": "for k in range(5):\n    print(f'{k + 1}/5 [===>...]' + '\\b' * 13, end='', flush=True)\n"
    "print('5/5 [=======]')",
    "clears": "from IPython.display import clear_output, display, Markdown\n"
    "for k in range(3):\n    clear_output(wait=True); print('plot', k)",
    "updates": "handle = display(Markdown('old'), display_id=True)\nhandle.update(Markdown('new'))",
    "captures an error": "import ipywidgets\nout = ipywidgets.Output()\nprint('kept')\n"
    "with out:\n    print('inside')\n    clear_output()\n    print('inside 2')\n    1 / 0\nprint('goes on')",
    "shows what was captured": "display(out)",
    "captures unseen": "other = ipywidgets.Output()\nwith other:\n    raise KeyError('unseen')\nprint('end')",
    "interacts": "ipywidgets.interact(lambda x: print('x is', x), x=3);",
    "a picture in a widget": "box = ipywidgets.Output()\nwith box:\n    display({'image/png': 'AAAA'}, raw=True)\n"
    "display(ipywidgets.VBox([ipywidgets.HTML('<b>Title</b>'), box]))",
    "fills one that stands above": "with box:\n    print('later')",
    "two streams": "import sys\n"
    "print('a', flush=True); print('b', file=sys.stderr, flush=True); print('c', flush=True)",
    "many": "for k in range(700): display({'text/plain': str(k)}, raw=True)",
}


@pytest.fixture(scope="session")
def cells(released: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, NotebookNode]:
    """The cells after a run, by name."""

    def make(course: Path) -> None:
        shutil.copytree(released, course)
        nb = notebook([new_code_cell(source) for source in CELLS.values()])
        options = CourseFolder(course).config
        nb = Run(config=options).preprocess(nb, WHERE)[0]
        nb = FinalOutputs(config=options).preprocess(nb, {})[0]
        nbformat.write(nb, course / "outputs.ipynb")

    course = once(tmp_path_factory, "outputs", make)
    nb = nbformat.read(course / "outputs.ipynb", as_version=4)
    return dict(zip(CELLS, nb.cells, strict=True))


def shown(cell: NotebookNode) -> list[str]:
    """Each output as text: a stream's text, or the MIME types of data."""
    return [
        output.text.strip()
        if output.output_type == "stream"
        else ", ".join(output.get("data", [output.output_type]))
        for output in cell.outputs
    ]


def test_a_progress_bar_is_one_line(cells: dict[str, NotebookNode]) -> None:
    assert shown(cells["prints over itself"]) == ["epoch 49/50"]
    (bar,) = shown(cells["tqdm"])
    assert bar.startswith("100%|")
    assert "\n" not in bar
    bar, losses = shown(cells["tqdm between prints"])
    assert bar.startswith("100%|")
    assert losses.splitlines() == [f"loss {k}" for k in range(5)]
    (bar,) = shown(cells["tqdm in a notebook"])
    assert bar.startswith("100% ██████████ 20/20 [")
    assert "\n" not in bar
    assert shown(cells["Keras"]) == ["5/5 [=======]"]
    # the bar stands where its widget was displayed, and rich ends with an empty line
    rich = shown(cells["rich"])
    assert sorted(rich) == ["after", "before", "text/html, text/plain", "text/html, text/plain"]
    (bar,) = [
        output.data
        for output in cells["rich"].outputs
        if "Learning" in output.get("data", {}).get("text/html", "")
    ]
    assert "100%" in bar["text/plain"]


def test_what_is_cleared_or_updated_shows_its_last_state(cells: dict[str, NotebookNode]) -> None:
    assert shown(cells["clears"]) == ["plot 2"]
    (output,) = cells["updates"].outputs
    assert output.data["text/markdown"] == "new"


def test_what_a_widget_captured_is_shown_where_the_widget_is(cells: dict[str, NotebookNode]) -> None:
    assert [o.output_type for cell in cells.values() for o in cell.outputs if o.output_type == "error"] == []
    assert shown(cells["captures an error"]) == ["kept\ngoes on"]
    (text,) = shown(cells["shows what was captured"])
    assert text.startswith("inside 2\n")
    assert "ZeroDivisionError" in text
    assert shown(cells["captures unseen"]) == ["end"]
    assert shown(cells["interacts"])[-1] == "x is 3"
    assert shown(cells["a picture in a widget"]) == ["Title", "image/png", "later"]
    assert shown(cells["fills one that stands above"]) == []


def test_other_outputs_stay_as_they_are(cells: dict[str, NotebookNode]) -> None:
    assert shown(cells["two streams"]) == ["a", "b", "c"]
    assert len(cells["many"].outputs) == 501
    assert cells["many"].outputs[250].text == "[… 200 outputs are left out]\n"
    assert cells["many"].outputs[-1].data["text/plain"] == "699"
    coloured = new_code_cell(outputs=[new_output("stream", text="\x1b[31mred\x1b[0m\r\nline\n")])
    assert (
        FinalOutputs().preprocess_cell(coloured, {}, 0)[0].outputs[0].text == "\x1b[31mred\x1b[0m\r\nline\n"
    )


def test_a_graded_cells_outputs_are_not_captured(released: Path) -> None:
    """Otherwise student code could take away the error of a failing assert."""
    first = (
        "import ipywidgets\nout = ipywidgets.Output()\n"
        "def capture(info):\n    out.__enter__()\n"
        "get_ipython().events.register('pre_run_cell', capture)"
    )
    graded = new_code_cell("assert False")
    graded.metadata["nbgrader"] = {
        "grade": True,
        "solution": False,
        "locked": True,
        "points": 1,
        "grade_id": "t",
        "schema_version": 3,
        "cell_type": "code",
    }
    nb = Run(config=CourseFolder(released).config).preprocess(
        notebook([new_code_cell(first), graded]), WHERE
    )[0]
    assert [output.ename for output in nb.cells[1].outputs if output.output_type == "error"] == [
        "AssertionError"
    ]
