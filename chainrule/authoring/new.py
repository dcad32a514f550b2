"""`chainrule new`: an assignment, and a question in a notebook, to be written by their author.

What is made is complete, so that `chainrule check` can say what is still to be written: the reference solution raises
an error, and so fails the check of its item.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from textwrap import dedent

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from chainrule.authoring.answers import identifier
from chainrule.course import CONFIG, CourseError, CourseFolder
from chainrule.lesson.results import counted
from chainrule.release.points_table import with_row

NAME = re.compile(r"[A-Za-z0-9][\w-]*", re.ASCII)
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}

TITLE = """\
# {name}

TODO: what this assignment is about, in two sentences.

| Question | Points |
|:--|--:|
| **Total** | **0** |
"""
STATEMENT = """\
## {label}TODO: a title ({points})

TODO: what is asked, in your own words, with shapes and an example.
"""
SOLUTION = '''\
def {function}(x):
    """TODO: what it returns, with shapes."""
    ### BEGIN SOLUTION
    raise NotImplementedError("TODO: the reference solution")
    ### END SOLUTION
'''
ITEM = """\
from chainrule.lesson import Item, expect

item = Item("{grade_id}", points={points:g})


### BEGIN HIDDEN TESTS
@item.check("TODO: what is checked", points={points:g}, disclose="after due", hint="TODO: where to look")
def _(student):
    expect(student.{function}(3.0), "{function}(3)").close_to(6.0)  # TODO: the right value


### END HIDDEN TESTS

item.score()
"""
MODEL_ANSWER = "TODO: the model answer."
SCHEME = """\
**Why?** TODO: what is to be explained.

*Marked by hand, {counted}:* TODO: what earns points.

### BEGIN MARK SCHEME

**Model answer.** TODO: what a right answer says.

| Points | For |
|--:|:--|
| {points:g} | TODO: what earns these points |

**Common mistakes.** TODO: what costs what, such as "a wrong sentence": 0.

### END MARK SCHEME
"""
ANSWERS = '''\
"""Answers that prove the checks of {grade_id}: right ones in other styles, wrong ones with a typical mistake.

`chainrule.authoring.answers` describes the form. Try them by `chainrule try {path} --item {grade_id}`.
"""

from chainrule.authoring.answers import Exercise, Problem, Wrong

PROBLEM = Problem(
    notebook="{notebook}",
    given=({given}),
    checks={{"{grade_id}": ("value",)}},  # a short name for each check
    exercises=(
        Exercise(
            items=("{grade_id}",),
            cell="{grade_id}-code",
            right={{"TODO: another style": "def {function}(x): ..."}},
            wrong={{
                "TODO: a typical mistake": Wrong({{"value"}}, "words of its message", "def {function}(x): return x"),
            }},
        ),
    ),
)
'''


# what an author replaces in a notebook
PLACEHOLDERS = [
    phrase.strip()
    for text in (TITLE, STATEMENT, SOLUTION, ITEM, SCHEME, MODEL_ANSWER)
    for phrase in re.findall(r"TODO: [^\n|\"{(:]+", text)
]


def new_assignment(folder: CourseFolder, name: str) -> list[Path]:
    """Make an assignment with one notebook, and its place in the judging package.

    Returns:
        The files that were written.
    Raises:
        CourseError: there is one of this name, or the name cannot be one.
    """
    source = folder.folder("source", ".", name)
    if not NAME.fullmatch(name):
        raise CourseError(
            f"{name!r} cannot be an assignment's name: write letters, digits, - and _, such as hw1"
        )
    if source.exists():
        raise CourseError(f"there is an assignment {name} in {source}: choose another name")
    cells = [
        marked(new_markdown_cell(TITLE.format(name=name)), "title"),
        new_markdown_cell('**Collaborators:** *name everyone you discussed it with, or write "none".*'),
        marked(new_code_cell("from chainrule.lesson import todo"), "imports"),
    ]
    source.mkdir(parents=True)
    notebook = source / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": KERNEL}), notebook)
    written = [notebook]
    if judging := judging_folder(folder, name):
        notes = judging / "notes.md"
        if not notes.exists():  # of an assignment that was here before
            notes.write_text(f"# {name}\n\nWhat its checks accept, and why.\n", encoding="utf-8")
            written.append(notes)
    return written


def new_question(
    folder: CourseFolder, notebook: Path, grade_id: str, *, points: float = 1.0, written: float = 1.0
) -> list[Path]:
    """Add a question at the end of a notebook: statement, stub, item, mark scheme, written answer; and answers to try.

    Args:
        grade_id: of its item; the other cells' names begin with it.
        points, written: of the item and of the written answer; 0 for none.
    Returns:
        The files that were written.
    Raises:
        CourseError: the notebook is not in `source/` or has such a cell, or the name or the points cannot be.
    """
    assignment = notebook.resolve().parent.name
    if notebook.resolve() not in [known.resolve() for known in folder.notebooks(assignment)]:
        raise CourseError(
            f"{notebook} is no notebook of {folder.root}/source: name one, such as source/hw1/hw1.ipynb"
        )
    if not NAME.fullmatch(grade_id):
        raise CourseError(
            f"{grade_id!r} cannot be a question's name: write letters, digits, - and _: q1_1-double"
        )
    if not (0 <= points < math.inf and 0 <= written < math.inf and points + written):
        raise CourseError("a question has points: write --points, --written, or both, as numbers above 0")
    nb = nbformat.read(notebook, as_version=4)
    known = {cell.metadata.get("nbgrader", {}).get("grade_id", "") for cell in nb.cells}
    if taken := sorted(name for name in known if name == grade_id or name.startswith(f"{grade_id}-")):
        raise CourseError(f"{notebook.name} has a cell {taken[0]}: choose another name for the question")
    judging = judging_folder(folder, assignment) if points else None
    answers = judging / "answers" / f"{identifier(grade_id)}.py" if judging else None
    if answers and answers.exists():
        raise CourseError(f"there are answers in {answers}: choose another name, or move them away")
    number = re.match(r"[a-z](\d+)(?:_(\d+[a-z]?))?", grade_id)
    label = f"{'.'.join(filter(None, number.groups()))} · " if number else ""
    function = identifier(grade_id.partition("-")[2] or grade_id)
    total = counted(f"{points + written:g}")
    cells = [marked(new_markdown_cell(STATEMENT.format(label=label, points=total)), f"{grade_id}-intro")]
    if points:
        cells += [
            marked(new_code_cell(SOLUTION.format(function=function)), f"{grade_id}-code", solution=True),
            marked(
                new_code_cell(ITEM.format(grade_id=grade_id, points=points, function=function)),
                grade_id,
                points,
            ),
        ]
    if written:
        scheme = SCHEME.format(points=written, counted=counted(f"{written:g}"))
        cells += [
            marked(new_markdown_cell(scheme), f"{grade_id}-why-intro"),
            marked(new_markdown_cell(MODEL_ANSWER), f"{grade_id}-why", written, solution=True),
        ]
    given = [
        cell.metadata.nbgrader.grade_id
        for cell in nb.cells
        if cell.cell_type == "code"
        and cell.metadata.get("nbgrader", {}).get("locked")
        and not cell.metadata.nbgrader.get("grade")
    ]
    for cell in nb.cells:
        if cell.cell_type == "markdown" and (source := with_row(cell.source, grade_id, points + written)):
            cell.source = source
            break
    nb.cells += cells
    nbformat.write(nb, notebook)
    files = [notebook]
    if answers:
        answers.write_text(
            ANSWERS.format(
                grade_id=grade_id,
                path=notebook,
                notebook=notebook.stem,
                given="".join(f'"{name}", ' for name in given).rstrip(" "),
                function=function,
            ),
            encoding="utf-8",
        )
        files.append(answers)
    return files


def judging_folder(folder: CourseFolder, assignment: str) -> Path | None:
    """The assignment's folder in the course's judging package, made if there is none; None if assignments of the course
    are judged by an installed package."""
    package = folder.course.judging
    if not package or (not (folder.root / package).is_dir() and judged_elsewhere(folder)):
        return None
    judging = folder.root / package / identifier(assignment)
    (judging / "answers").mkdir(parents=True, exist_ok=True)
    for place in (judging.parent, judging, judging / "answers"):
        (place / "__init__.py").touch()
    return judging


def judged_elsewhere(folder: CourseFolder) -> bool:
    """Whether an installed judging package, which one of its name in the course folder would hide, has a module for one
    of the assignments."""
    package, sources = folder.course.judging, folder.folder("source", ".", ".")
    return any(
        folder.modules(path.name).locate(f"{package}.{identifier(path.name)}")
        for path in (sources.iterdir() if sources.is_dir() else ())
        if path.is_dir()
    )


def marked(
    cell: NotebookNode, grade_id: str, points: float | None = None, *, solution: bool = False
) -> NotebookNode:
    """The cell as nbgrader marks it: an answer, an item if it has points, otherwise locked."""
    cell.source = dedent(cell.source).strip()
    cell.id = re.sub(r"[^a-zA-Z0-9_-]", "-", grade_id)[:64]
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


def next_steps(folder: CourseFolder, name: str) -> str:
    """What an author does after `chainrule new assignment`."""
    source = folder.folder("source", ".", name) / f"{name}.ipynb"
    return (
        f"next: chainrule new question {source} q1_1-double\n"
        f"its due date goes into {CONFIG}: c.Course.due[{name!r}] = 'YYYY-MM-DD HH:MM Area/City'"
    )
