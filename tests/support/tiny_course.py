"""A course that is quickly written, released and graded, with everything a real one has.

`tiny` has one item with a check of each disclosure and one marked by hand; `plain` has plain asserts and
imports nothing, so that its kernels start in a second. `varying`, which is added where it is wanted, has numbers
that vary from student to student.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from chainrule import cli
from chainrule.course import CONFIG, CourseFolder
from chainrule.release.generate import generate

ROOT = Path(__file__).parents[2]
TINY, PLAIN = "tiny", "plain"
FUTURE, PAST = "2099-01-01 12:00 Europe/Zurich", "2001-01-01 12:00 Europe/Zurich"

SQUARE = "square-write"
RIGHT = "def square(x):\n    return x * x"
DOUBLES = "def square(x):\n    return x * 2"  # passes the visible check

SOLUTION = """
def square(x):
    # TODO: the square of x
    ### BEGIN SOLUTION
    THE_SOLUTION = x * x
    return THE_SOLUTION
    ### END SOLUTION
"""

CHECKS = """
from chainrule.lesson import Item, expect

item = Item("square-check", points=4)


@item.check("squares 2", points=1, hint="OPEN-HINT")
def _(student):
    expect(student.square(2), "square(2)").equals(4)


### BEGIN HIDDEN TESTS
import chainrule.judging


@item.check("squares -3", points=1, disclose="after due", hint="LATE-HINT")
def _(student):
    expect(student.square(-3), "square(-3)").equals(9)


@item.check("squares 0.5", points=2, disclose="never", hint="NEVER-HINT")
def _(student):
    expect(student.square(0.5), "square(0.5)").equals(0.25)
### END HIDDEN TESTS

item.score()
"""

MARK_SCHEME = """
## Why

Why is $x^2 \\ge 0$?

### BEGIN MARK SCHEME
THE-MARK-SCHEME: 1 for the sign rule.
### END MARK SCHEME

And when is it 0?

### BEGIN AFTER DUE
LATE-ANSWER: for $x = 0$ alone.
### END AFTER DUE
"""

ASSERTS = """
assert square(2) == 4
### BEGIN HIDDEN TESTS
assert square(-3) == 9, "HIDDEN-ASSERT"
### END HIDDEN TESTS
"""


VARYING = "varying"

FUNCTION = """
def f(x):
    # 10x^2 + x
    ### BEGIN SOLUTION
    return GIVEN["a"] * x**2 + GIVEN["b"] * x
    ### END SOLUTION
"""

FUNCTION_CHECKS = """
from chainrule.lesson import Item, expect

item = Item("f-check", points=3)
A, B = 10, 1


@item.check("f(1)", points=1)
def _(student):
    expect(student.f(1), "f(1)").equals(A + B)


### BEGIN HIDDEN TESTS
THE_ANSWER = 42


@item.check("f(2)", points=2)
def _(student):
    expect(student.f(2), "f(2)").equals(THE_ANSWER)
### END HIDDEN TESTS

item.score()
"""

FUNCTION_SCHEME = """
Let $f(x) = 10x^2 + x$. What is $f(2)$?

### BEGIN MARK SCHEME
THE-MARK-SCHEME: f(2) is 42.
### END MARK SCHEME
"""

WORDS = """
For $10x^2 + x$:
### BEGIN SOLUTION
THE-MODEL-ANSWER: 42
### END SOLUTION
"""

DRAW = """
def draw(random):
    a, b = (10, 1) if random is None else (random.randint(2, 10**6), random.randint(2, 10**6))
    f = "10x^2 + x" if random is None else f"{a}x^2 + {b}x"
    return {"a": a, "b": b, "pair": (a, b), "f": f, "answer": 4 * a + 2 * b}
"""


def marked(
    cell: NotebookNode, grade_id: str, points: float | None = None, *, solution: bool = False
) -> NotebookNode:
    """The cell as nbgrader marks it: an answer, an item if it has points, otherwise locked text or code."""
    cell.id = grade_id
    cell.metadata.nbgrader = {
        "grade_id": grade_id,
        "grade": points is not None,
        "solution": solution,
        "locked": not solution,
        "task": False,
        "schema_version": 3,
    }
    if points is not None:
        cell.metadata.nbgrader.points = points
    return cell


def tiny_notebook() -> NotebookNode:
    """The instructor's notebook of `tiny`."""
    cells = [
        marked(new_markdown_cell("# Tiny\n\nTwo questions."), "title"),
        new_markdown_cell("**Collaborators:** *none*", id="collaborators"),
        marked(new_code_cell("from chainrule.lesson import todo"), "imports"),
        marked(new_code_cell(SOLUTION.strip()), SQUARE, solution=True),
        marked(new_code_cell("print('three squared is', square(3))"), "show"),
        marked(new_code_cell(CHECKS.strip()), "square-check", 4),
        marked(new_markdown_cell(MARK_SCHEME.strip()), "why-intro"),
        marked(new_markdown_cell("Signs cancel: THE-MODEL-ANSWER."), "why", 1, solution=True),
    ]
    return notebook(cells)


def plain_notebook() -> NotebookNode:
    """The instructor's notebook of `plain`."""
    cells = [
        marked(new_code_cell(SOLUTION.strip()), SQUARE, solution=True),
        marked(new_code_cell(ASSERTS.strip()), "square-asserts", 2),
    ]
    return notebook(cells)


def varying_notebook() -> NotebookNode:
    """The instructor's notebook of `varying`, an assignment with numbers that vary in every kind of cell."""
    formula = {"10x^2 + x": "@f@"}
    cells = [
        marked(new_markdown_cell("# Varying"), "title"),
        varying(
            marked(new_code_cell('GIVEN = {"a": 10, "b": 1}'), "given"),
            {'"a": 10, "b": 1': '"a": @a@, "b": @b@'},
        ),
        varying(marked(new_code_cell(FUNCTION.strip()), "f", solution=True), formula),
        varying(
            marked(new_code_cell(FUNCTION_CHECKS.strip()), "f-check", 3),
            {"A, B = 10, 1": "A, B = @a@, @b@", "THE_ANSWER = 42": "THE_ANSWER = @answer@"},
        ),
        varying(
            marked(new_markdown_cell(FUNCTION_SCHEME.strip()), "words-intro"),
            {**formula, "is 42": "is @answer@"},
        ),
        varying(marked(new_markdown_cell(WORDS.strip()), "words", 1, solution=True), formula),
    ]
    return notebook(cells)


def varying(cell: NotebookNode, templates: dict[str, str]) -> NotebookNode:
    """The cell with templates for its snippets that vary."""
    cell.metadata.chainrule = {"varies": templates}
    return cell


def notebook(cells: list[NotebookNode]) -> NotebookNode:
    """A Python notebook of these cells."""
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    nb: NotebookNode = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    return nb


def write(root: Path, due: str = FUTURE) -> Path:
    """A course folder with both assignments released, under the project's own configuration."""
    for assignment, nb in {TINY: tiny_notebook(), PLAIN: plain_notebook()}.items():
        folder = root / "source" / assignment
        folder.mkdir(parents=True)
        nbformat.write(nb, folder / f"{assignment}.ipynb")
    set_due(root, due)
    course = CourseFolder(root)
    for assignment in (TINY, PLAIN):
        generate(course, assignment)
    return root


def add_varying(root: Path, nb: NotebookNode | None = None) -> Path:
    """Add `varying` to a course folder, not released yet, with the module that draws its numbers."""
    folder = root / "source" / VARYING
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(nb or varying_notebook(), folder / f"{VARYING}.ipynb")
    (root / "tiny_draw.py").write_text(DRAW, encoding="utf-8")
    with (root / CONFIG).open("a", encoding="utf-8") as config:
        config.write(f'c.Course.variants = {{{VARYING!r}: "tiny_draw:draw"}}\n')
    return root


def set_due(root: Path, due: str) -> None:
    """Write the configuration with this due date of `tiny`."""
    lines = [f"c.Course.due = {{{TINY!r}: {due!r}}}", "c.Course.data = {}", 'c.Course.data_folder = "data"']
    config = (ROOT / CONFIG).read_text(encoding="utf-8")
    (root / CONFIG).write_text("\n".join([config, *lines, ""]), encoding="utf-8")


def filled(root: Path, answers: Mapping[str, str], assignment: str = TINY) -> NotebookNode:
    """The release with these sources by grade_id."""
    nb: NotebookNode = nbformat.read(root / "release" / assignment / f"{assignment}.ipynb", as_version=4)
    cells = {cell.id: cell for cell in nb.cells}
    for name, source in answers.items():
        cells[name].source = source
    return nb


def submit(root: Path, student: str, nb: NotebookNode | str, assignment: str = TINY) -> Path:
    """Put a notebook, or a text that is none, where intake puts it."""
    path = root / "submitted" / student / assignment / f"{assignment}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nb if isinstance(nb, str) else nbformat.writes(nb), encoding="utf-8")
    return path


def at(path: Path, moment: str) -> Path:
    """The file with this modification time in UTC."""
    seconds = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    os.utime(path, (seconds, seconds))
    return path


def type_command(root: Path, *words: str, code: int = 0, new_process: bool = False) -> str:
    """What a command says when typed in the course folder; it must end with this exit code.

    Args:
        new_process: also `chainrule` runs in a process of its own, which imports everything again.
    """
    if words[0] == "chainrule" and not new_process:
        ended, out, err = run_here(root, words)
    else:
        done = subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=300)
        ended, out, err = done.returncode, done.stdout, done.stderr
    assert ended == code, f"{words}: {ended}\n{out}\n{err}"
    return out + err


def run_here(root: Path, words: Sequence[str]) -> tuple[int, str, str]:
    """The exit code of a `chainrule` command, and what it writes to stdout and stderr."""
    out, err = StringIO(), StringIO()
    before, code = (sys.argv, os.getcwd(), os.environ.copy()), 0
    try:
        os.chdir(root)
        sys.argv = list(words)
        with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
            cli.main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = before[0]
        os.chdir(before[1])
        os.environ.clear()
        os.environ.update(before[2])
    return code, out.getvalue(), err.getvalue()


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="looks for processes in /proc"
)


def processes_in(folder: Path) -> list[str]:
    """Command lines of processes that name the folder there or in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            texts = [(process / name).read_bytes() for name in ("cmdline", "environ")]
        except OSError:
            continue
        if any(str(folder).encode() in text for text in texts):
            found.append(texts[0].decode(errors="replace"))
    return found


# ---- a class -----------------------------------------------------------------------------------------------

NASTY_CODE = f"""{DOUBLES}
from IPython.display import HTML, Image, Javascript, Latex, Markdown, display
print("<script>alert('STREAM')</script>")
display(HTML("<p>fine</p><script>alert('HTML')</script><img src=x onerror=alert('IMG')>"))
display(Javascript("alert('JAVASCRIPT')"))
display(Markdown("<script>alert('MARKDOWN')</script> [link](javascript:alert('MDLINK')) $a<b$"))
display(Latex("<script>alert('LATEX')</script>"))
display({{"image/svg+xml": "<svg onload=alert('SVG')></svg>"}}, raw=True)
display({{"image/png": 'iVBOR" onerror="alert(1)'}}, raw=True)
width = "1 onload=alert('WIDTH')"
display({{"image/png": "iVBOR"}}, metadata={{"image/png": {{"width": width, "alt": "a cat"}}}}, raw=True)
raise ValueError("<script>alert('ERROR')</script>")
"""

NASTY_TEXT = """
Since $a<b$ and $b>c$ & $$x_1 < y_2$$ we have `x<y` and

> a quote

<script>alert('TEXT')</script> <b onclick="alert('CLICK')">bold</b> <iframe src="https://example.org"></iframe>
[one](javascript:alert('LINK')) [two](JaVaScRiPt:alert('LINK')) <javascript:alert('AUTO')> [three][ref]
![missing](attachment:missing.png) [fine](https://example.org/a?b=1&c=2)

[ref]: javascript:alert('REF')

```python
if a < b: print("<script>")
```

```mermaid
</pre><script>alert('MERMAID')</script>
```
"""


def hand_in_class(root: Path) -> None:
    """Six students: perfect, blank, wrong and malicious, no notebook at all, suicidal, tampering."""
    submit(root, "ann", filled(root, {SQUARE: RIGHT, "why": "Signs cancel.", "collaborators": "With Bo."}))
    submit(root, "bo", filled(root, {}))
    submit(root, "cy", filled(root, {SQUARE: NASTY_CODE, "why": NASTY_TEXT, "collaborators": NASTY_TEXT}))
    submit(root, "di", "{ this is no notebook")
    submit(root, "ed", filled(root, {SQUARE: f"{RIGHT}\nimport os\nos._exit(1)"}))
    tampered = filled(root, {SQUARE: DOUBLES, "square-check": "4.0", "why-intro": "No question."})
    tampered.cells[5].metadata.nbgrader.points = 1000
    tampered.cells.append(
        new_code_cell("0", metadata={"nbgrader": {"grade_id": "\x1b[31mred", "grade": True}})
    )
    submit(root, "fay", tampered)


SCORES = {
    "ann": {"square-check": 4.0, "why": None},
    "bo": {"square-check": 0.0, "why": 0.0},
    "cy": {"square-check": 1.0, "why": None},
    "di": {"square-check": 0.0, "why": 0.0},
    "ed": {"square-check": 0.0, "why": 0.0},
    "fay": {"square-check": 1.0, "why": None},  # she wrote below the cell of the answer
}
