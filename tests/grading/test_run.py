"""A notebook runs to its end whatever its code does, and what happened to each cell can be read from it."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from conftest import once
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from tiny_course import PLAIN, needs_proc, notebook, processes_in

from chainrule.course import CourseFolder
from chainrule.grading import run as run_module
from chainrule.grading.kernel import own_zygote
from chainrule.grading.run import Run
from chainrule.lesson.checks import CheckFailed
from chainrule.lesson.student import Student
from chainrule.lesson.verbs import Worker

WHERE = {"nbgrader": {"student": "ann", "assignment": PLAIN, "notebook": PLAIN}}


def run(course: Path, *sources: str, seconds: int = 60, last_outputs: int = 30) -> NotebookNode:
    """A notebook of these code cells after its run."""
    options = CourseFolder(course).config.copy()
    options.Run.seconds = {"quick": seconds}
    options.Run.iopub_timeout = last_outputs
    nb = notebook([new_code_cell(source) for source in sources])
    return Run(config=options).preprocess(nb, WHERE)[0]


def printed(cell: NotebookNode, stream: str = "stdout") -> str:
    return "".join(output.text for output in cell.outputs if output.get("name") == stream)


def errors(nb: NotebookNode) -> list[list[str]]:
    """The names of each cell's errors."""
    return [[o.ename for o in cell.outputs if o.output_type == "error"] for cell in nb.cells]


SURVIVED = {
    "raises": "1 / 0",
    "goes on": "print('still here'); 6 * 7",
    "sees its folder": "import os; print(sorted(os.listdir()))",
    "sees the data": "print(open('data/hello.txt').read())",
    "sees what came with the assignment": "print(open('helper.py').read(), open('extra/table.csv').read())",
    "does not import from its folder": "open('json.py', 'w').write('1/0'); import subprocess, sys; "
    "print(subprocess.run([sys.executable, '-c', 'import json'], capture_output=True).returncode)",
    "asks": "input('your name? ')",
    "exits": "import sys; sys.exit(3)",
    "writes to stderr": "import sys; print('careful', file=sys.stderr)",
    "shows what no notebook can hold": "from IPython.display import display\n"
    "display({'text/plain': 5, 'image/png': None}, raw=True); print('shown')",
    "is no Python": "def f(:",
    "prints a lot": "for i in range(30_000): print('x' * 1000)\nprint('the end')",
    "knows its value after that": "'a value'",
    "loops": "import time\nwhile True: time.sleep(0.1)",
    "goes on after the loop": "print(__name__)",
    "forges a time limit": "raise type('CellTimeoutError', (Exception,), {})('mine')",
    "ends well": "print('done')",
}


@pytest.fixture(scope="session")
def survived(released: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, NotebookNode]:
    """One notebook with many troubles, run with a time limit of 8 seconds; its cells by name."""

    def make(course: Path) -> None:
        shutil.copytree(released, course)
        (course / "data" / "quick").mkdir(parents=True)
        (course / "data" / "quick" / "hello.txt").write_text("data says hello")
        source = course / "source" / PLAIN
        (source / "helper.py").write_text("HELP = 1")
        (source / "extra").mkdir()
        (source / "extra" / "table.csv").write_text("1,2")
        nbformat.write(run(course, *SURVIVED.values(), seconds=8), course / "survived.ipynb")

    course = once(tmp_path_factory, "survived", make)
    nb = nbformat.read(course / "survived.ipynb", as_version=4)
    assert nb.metadata.chainrule["failure"] == ""
    assert nb.metadata.chainrule["profile"] == "quick"
    assert nb.metadata.chainrule["seconds"] > 8
    return dict(zip(SURVIVED, nb.cells, strict=True))


def test_an_error_stops_one_cell_only(survived: dict[str, NotebookNode]) -> None:
    assert survived["raises"].outputs[0].ename == "ZeroDivisionError"
    assert printed(survived["goes on"]) == "still here\n"
    assert survived["goes on"].outputs[-1].data["text/plain"] == "42"
    assert survived["is no Python"].outputs[0].ename == "SyntaxError"


def test_the_folder_is_empty_but_for_data_and_what_came_along(survived: dict[str, NotebookNode]) -> None:
    assert printed(survived["sees its folder"]) == "['data', 'extra', 'helper.py']\n"
    assert printed(survived["sees the data"]) == "data says hello\n"
    assert printed(survived["sees what came with the assignment"]) == "HELP = 1 1,2\n"


def test_modules_beside_the_notebook_do_not_take_the_place_of_real_ones(
    survived: dict[str, NotebookNode],
) -> None:
    assert printed(survived["does not import from its folder"]) == "0\n"


def test_asking_for_input_does_not_hang(survived: dict[str, NotebookNode]) -> None:
    assert survived["asks"].outputs[-1].ename == "StdinNotImplementedError"


def test_leaving_and_warning_are_no_more_than_that(survived: dict[str, NotebookNode]) -> None:
    assert survived["exits"].outputs[-1].get("ename", "SystemExit") == "SystemExit"
    assert printed(survived["writes to stderr"], "stderr") == "careful\n"


def test_outputs_that_are_none_are_left_out(survived: dict[str, NotebookNode]) -> None:
    assert [o.output_type for o in survived["shows what no notebook can hold"].outputs] == ["stream"]


def test_huge_output_is_cut_and_later_cells_keep_theirs(survived: dict[str, NotebookNode]) -> None:
    cell = survived["prints a lot"]
    assert 1_000_000 < sum(len(str(output)) for output in cell.outputs) < 2 * run_module.MAX_OUTPUT
    assert survived["knows its value after that"].outputs[0].data["text/plain"] == "'a value'"


def test_a_loop_is_stopped_and_the_next_cells_run(survived: dict[str, NotebookNode]) -> None:
    (output,) = [
        o for o in survived["loops"].outputs if o.output_type == "error" and o.ename != "KeyboardInterrupt"
    ]
    assert output.ename == "CellTimeoutError"
    assert output.evalue == "stopped after 8 seconds, the limit for one cell"
    assert printed(survived["goes on after the loop"]) == "__main__\n"
    assert printed(survived["ends well"]) == "done\n"


@pytest.fixture
def scratch(course: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files, with a name short enough for sockets; kernels are started from elsewhere."""
    if sys.platform == "linux":
        folder = CourseFolder(course)
        own_zygote(
            Run().threads, folder.course.imported_before(folder.notebooks("tiny"))["tiny"]
        ).line().close()
    with tempfile.TemporaryDirectory() as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


@needs_proc
def test_nothing_of_the_run_stays_behind(course: Path, scratch: Path) -> None:
    before = sorted(course.rglob("*"))
    nb = run(course, "open('mine.txt', 'w').write('x')", "import os; print(sorted(os.listdir()))")
    assert "mine.txt" in printed(nb.cells[1])
    assert list(scratch.iterdir()) == []
    assert processes_in(scratch) == []
    assert sorted(course.rglob("*")) == before


def test_a_kernel_that_ends_itself_leaves_the_rest_not_run(course: Path) -> None:
    nb = run(course, "print('first')", "import os; os._exit(7)", "print('never')")
    assert printed(nb.cells[0]) == "first\n"
    assert errors(nb)[1:] == [["DeadKernelError"], ["NotRun"]]
    assert nb.metadata.chainrule["failure"] == "the kernel died"
    assert "not run: the kernel died" in nb.cells[2].outputs[0].evalue


STUBBORN = """
import time
print("started", flush=True)
while True:
    try:
        while True: time.sleep(0.1)
    except BaseException: pass
"""


@needs_proc
def test_a_kernel_that_swallows_interrupts_is_killed(
    course: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "GRACE_SECONDS", 3)
    nb = run(course, "print('first')", STUBBORN, "print('never')", seconds=2, last_outputs=2)
    assert printed(nb.cells[1]) == "started\n"
    assert errors(nb) == [[], ["CellTimeoutError"], ["NotRun"]]
    assert "stopped after 2 seconds" in nb.cells[1].outputs[-1].evalue
    assert "killed" in nb.metadata.chainrule["failure"]
    assert processes_in(scratch) == []


def test_a_flood_of_output_ends_at_the_time_limit(course: Path) -> None:
    nb = run(course, "while True: print('x' * 100_000)", "print('after')", seconds=1)
    assert errors(nb)[0][-1:] == ["CellTimeoutError"]
    assert sum(len(str(output)) for output in nb.cells[0].outputs) < 2 * run_module.MAX_OUTPUT
    assert "NotRun" in errors(nb)[1] or printed(nb.cells[1]) == "after\n"


def test_text_cells_pass(course: Path) -> None:
    options = CourseFolder(course).config
    nb = notebook([new_markdown_cell("text"), new_code_cell("  ")])
    nb = Run(config=options).preprocess(nb, WHERE)[0]
    assert nb.cells[0].source == "text"
    assert nb.cells[1].outputs == []


NOISE = """
kernel = get_ipython().kernel
kernel.iopub_thread.send_multipart([b"noise"])
kernel.session.send(kernel.iopub_socket, "stream", content="no dictionary")
import time
time.sleep(3)
"""


def test_a_kernel_that_is_none_any_more_is_ended(course: Path) -> None:
    nb = run(course, "print('first')", NOISE, "print('never')")
    assert printed(nb.cells[0]) == "first\n"
    assert "killed" in nb.metadata.chainrule["failure"]
    assert errors(nb)[2] == ["NotRun"]


def test_a_name_is_missing_because_its_cell_stopped() -> None:
    stopped = new_code_cell("import scipy\nrate = 1\ndef square(x):\n    return x * x")
    stopped.outputs = [run_module.error_output("ModuleNotFoundError", "No module named 'scipy'")]
    unfinished = new_code_cell("def cube(x): pass\ntodo()")
    unfinished.outputs = [run_module.error_output("Unfinished", "write this cell")]
    reasons = run_module.why_missing([new_code_cell("fine = 1"), stopped, unfinished])
    assert set(reasons) == {"rate", "square"}
    student = Student(Worker({"fine": 1}).serve, reasons)
    assert student.fine == 1
    with pytest.raises(CheckFailed, match="stopped with ModuleNotFoundError: No module named 'scipy'"):
        _ = student.square
    with pytest.raises(CheckFailed, match="there is no `cube` yet: finish the cell"):
        _ = student.cube
