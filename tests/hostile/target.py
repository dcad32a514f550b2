"""The course the attackers sit in: two small assignments, and things of value lying around.

`tiny` is the tests' usual one, `linear` grades a network through `student.Model`. Everything worth stealing holds a
canary, a text that occurs nowhere else.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import nbformat
import tiny_course
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook
from tiny_course import DOUBLES, RIGHT, SQUARE, TINY, marked, notebook, tiny_notebook

from chainrule.course import CONFIG, CourseFolder
from chainrule.release.generate import generate

LINEAR, MODEL = "linear", "model-write"
LIMITS = (
    "c.Run.memory = 2048\nc.Run.disk = 200\nc.Run.processes = 200\n"  # so that exhausting them takes seconds
)
CALL_SECONDS = 2  # for one call of a check, so that endless ones cost little

MODEL_RIGHT = """
import torch


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(5, 3)

    def forward(self, x):
        return self.layer(x)
"""

MODEL_WRONG = MODEL_RIGHT.replace("self.layer(x)", "self.layer(x * 0)")  # passes the visible check

MODEL_CHECKS = f"""
import torch
from chainrule.lesson import Item, expect
from chainrule.lesson.student import Student, expect_registered

item = Item("model-check", points=4)


@item.check("three logits for every row", points=1, hint="OPEN-HINT")
def _(student):
    student.make_loader(torch.rand(20_000, 5), torch.zeros(20_000), 100)  # a request too large for a socket's buffer
    expect(student.Model().logits(torch.rand(7, 5))).has_shape(7, 3)


### BEGIN HIDDEN TESTS
Student._ask.__kwdefaults__["seconds"] = {CALL_SECONDS}


@item.check("computes x W + b", points=2, disclose="never", hint="NEVER-HINT")
def _(student):
    model, x = student.Model(), torch.randn(7, 5)
    w, b = torch.randn(3, 5), torch.randn(3)
    layers = [layer for layer in model.layers(x) if layer.kind == "linear"]
    expect(len(layers), "the number of linear layers").equals(1)
    expect_registered(layers)
    names = layers[0].parameters
    model.load({{names["weight"]: w, names["bias"]: b}})
    expect(model.logits(x, classes=3)).close_to(x.double() @ w.double().T + b.double())


@item.check("learns the classes", points=1, disclose="after due", hint="LATE-HINT")
def _(student):
    centres = torch.randn(3, 5) * 4
    labels = torch.randint(0, 3, (300,))
    x = centres[labels] + 0.1 * torch.randn(300, 5)
    model = student.Model()
    model.fit(x, labels, steps=60, batch=50, lr=0.1, momentum=0.9)
    fresh = torch.randint(0, 3, (200,))
    found = model.predict(centres[fresh] + 0.1 * torch.randn(200, 5))
    expect((found == fresh).double().mean().item(), "the accuracy").at_least(0.9)
### END HIDDEN TESTS

item.score()
"""

IMPATIENT = f"""### BEGIN HIDDEN TESTS
from chainrule.lesson.student import Student

Student._ask.__kwdefaults__["seconds"] = {CALL_SECONDS}
### END HIDDEN TESTS

"""

# the answer an attack starts from, by assignment: what a diligent and what a mistaken student writes
ANSWER_CELL = {TINY: SQUARE, LINEAR: MODEL}
ANSWERS = {
    TINY: {"right": RIGHT, "wrong": DOUBLES, "blank": ""},
    LINEAR: {"right": MODEL_RIGHT.strip(), "wrong": MODEL_WRONG.strip(), "blank": ""},
}
ITEM = {TINY: "square-check", LINEAR: "model-check"}
HONEST = {  # students of every class: what they hand in, and the score they must have
    "a-honest": ("right", 4.0),
    "m-mistaken": ("wrong", 1.0),
    "z-honest": ("right", 4.0),
}

# what only instructors may read, wherever it turns up
INSTRUCTORS_ONLY = ["LATE-HINT", "NEVER-HINT", "THE-MARK-SCHEME", "THE-MODEL-ANSWER", "THE_SOLUTION"]


def linear_notebook() -> NotebookNode:
    """The instructor's notebook of `linear`."""
    solution = f"### BEGIN SOLUTION\n# THE_SOLUTION{MODEL_RIGHT}### END SOLUTION"
    cells = [
        marked(new_markdown_cell("# Linear\n\nOne network."), "title"),
        marked(new_code_cell(solution), MODEL, solution=True),
        marked(new_code_cell(MODEL_CHECKS.strip()), "model-check", 4),
        marked(new_markdown_cell("THE-MODEL-ANSWER"), "why", 1, solution=True),
    ]
    return notebook(cells)


def write(root: Path) -> None:
    """A course folder with both assignments released and canaries in its valuables (see canaries.json)."""
    tiny = tiny_notebook()
    item = next(cell for cell in tiny.cells if cell.id == "square-check")
    item.source = item.source.replace("item.score()", f"{IMPATIENT}item.score()")
    for assignment, nb in {TINY: tiny, LINEAR: linear_notebook()}.items():
        folder = root / "source" / assignment
        folder.mkdir(parents=True)
        nbformat.write(nb, folder / f"{assignment}.ipynb")
    tiny_course.set_due(root, tiny_course.FUTURE)
    places = (
        "environment",
        "home",
        "gradebook",
        "config",
        "submission",
        "runs",
        "descriptor",
        "shm",
        "data",
        "key",
    )
    canaries = {place: f"canary-{place}-{secrets.token_hex(8)}" for place in places}
    (root / "canaries.json").write_text(json.dumps(canaries))
    with open(root / CONFIG, "a", encoding="utf-8") as config:
        config.write(f"c.Run.iopub_timeout = 3\n{LIMITS}# password: {canaries['config']}\n")
    course = CourseFolder(root)
    for assignment in (TINY, LINEAR):
        generate(course, assignment)
        (root / "runs" / assignment).mkdir(parents=True)
        (root / "runs" / assignment / "notes.txt").write_text(canaries["runs"])
    with Gradebook(course.directory.db_url) as gradebook:
        gradebook.add_student("nobody", email=canaries["gradebook"])
    (root / "data" / "quick").mkdir(parents=True)
    (root / "data" / "quick" / "numbers.txt").write_text("1 2 3\n")
    (root / "data" / "full").mkdir()
    (root / "data" / "full" / "labels.txt").write_text(canaries["data"])  # of the other profile
    home = root / "home"
    (home / ".ipython" / "profile_default" / "startup").mkdir(parents=True)
    (home / ".jupyter").mkdir()
    (home / ".ssh").mkdir()
    for name in (".netrc", ".bashrc", ".ssh/id_ed25519", ".jupyter/jupyter_server_config.py"):
        (home / name).write_text(f"# {canaries['home']}\n")
