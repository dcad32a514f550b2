"""The labels of test pictures: the referee has them, a notebook that looks for them everywhere does not."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell
from tiny_course import CONFIG, ROOT, marked, notebook, submit

from chainrule.course import CourseFolder
from chainrule.datasets import cifar_10
from chainrule.grading.classroom import grade
from chainrule.grading.sandbox import confinement
from chainrule.release.generate import generate

NAME = "thief"

SEARCH = """
import os
from chainrule.datasets.cifar_10 import CIFAR10
# TODO
### BEGIN SOLUTION
labels = CIFAR10("./data", "test").labels.tolist()
found = []
for root in (".", "..", "/tmp", "/run", "/home", "/proc/1/root"):
    for folder, below, files in os.walk(root):
        if folder.count("/") > 8:
            below.clear()
        found += [f"{folder}/{name}" for name in [*below, *files] if "test-labels" in name or name == "held-out"]
### END SOLUTION
"""

CHECK = """
from chainrule.lesson import Item, expect
from chainrule.judging import held_out

item = Item("q1_1-labels", points=3)


@item.check("the referee has every class", points=1)
def _(student):
    expect(sorted(set(held_out.cifar_10()[1].tolist())), "classes").equals(list(range(10)))


@item.check("the notebook has none", points=1)
def _(student):
    expect(sorted(set(student.labels)), "its labels").equals([-1])


@item.check("the notebook finds none", points=1)
def _(student):
    expect(student.found, "what it found").equals([])


item.score()
"""


def test_only_the_referee_has_the_labels(tmp_path: Path) -> None:
    folder = tmp_path / "source" / NAME
    folder.mkdir(parents=True)
    nb = notebook(
        [
            marked(new_code_cell(SEARCH.strip()), "q1_1-search", solution=True),
            marked(new_code_cell(CHECK.strip()), "q1_1-labels", 3),
        ]
    )
    nbformat.write(nb, folder / f"{NAME}.ipynb")
    lines = ["c.Course.due = {}", "c.Course.variants = {}", f"c.Course.data = {{{NAME!r}: ['cifar-10']}}"]
    (tmp_path / CONFIG).write_text("\n".join([(ROOT / CONFIG).read_text(), *lines, ""]))
    course = CourseFolder(tmp_path)
    generate(course, NAME)
    submit(tmp_path, "ann", nb, NAME)
    report = grade(course, NAME, jobs=1, say=lambda line: None)
    hidden = not confinement().lacks  # otherwise the search may find the file, but not read it
    assert report.students[0].scores["q1_1-labels"] in ((3.0,) if hidden else (2.0, 3.0))
    labels = tmp_path / "data" / "held-out" / "quick" / cifar_10.ANSWERS
    assert labels.is_file()
