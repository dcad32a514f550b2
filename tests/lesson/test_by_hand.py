"""Whether derivations are left to a library is seen, told to a person, and costs nothing by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from nbgrader.api import Gradebook
from tiny_course import CHECKS, SQUARE, TINY, filled, submit

from chainrule.course import CourseFolder
from chainrule.grading.classroom import grade, scores
from chainrule.lesson.student import CheckFailed, NeedsReview, Student
from chainrule.lesson.verbs import Worker
from chainrule.release.generate import generate

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # as in `chainrule.cli`

BY_LIBRARY = {
    "backward": "def f(x):\n    x = x.clone().requires_grad_()\n    (x ** 2).sum().backward()\n    return x.grad",
    "grad": "def f(x):\n    x = x.clone().requires_grad_()\n    return torch.autograd.grad((x ** 2).sum(), x)[0]",
    "torch.func.grad": "def f(x):\n    return torch.func.grad(lambda x: (x ** 2).sum())(x)",
    "jacrev under another name": (
        "from torch.func import jacrev as j\ndef f(x):\n    return j(lambda x: (x ** 2).sum())(x)"
    ),
    "jvp": "def f(x):\n    return torch.func.jvp(lambda x: (x ** 2).sum(), (x,), (torch.ones(3),))[1]",
    "jacfwd": "def f(x):\n    return torch.func.jacfwd(lambda x: (x ** 2).sum())(x)",
    "functional.jacobian": (
        "def f(x):\n    return torch.autograd.functional.jacobian(lambda x: (x ** 2).sum(), x)"
    ),
    "in a helper": (
        "def helper(x):\n    x = x.clone().requires_grad_()\n    (x ** 2).sum().backward()\n    return x.grad\n"
        "def f(x):\n    return helper(x)"
    ),
    "on a branch that is not taken": (
        "def f(x):\n    if len(x) > 99:\n        return torch.autograd.grad(x.sum(), x)\n    return 2 * x"
    ),
}

BY_HAND = {
    "torch": "def f(x):\n    return 2 * x",
    "numpy": "import numpy as np\ndef f(x):\n    return np.asarray(x) * 2",
    "names that sound like it": (
        "def backward(x):\n    return 2 * x\ndef grad(x):\n    return backward(x)\n"
        "def f(x):\n    gradient = {'x.grad': grad(x)}\n    return gradient['x.grad']"
    ),
    "a function of one's own with a telling name": "def vjp(x):\n    return 2 * x\ndef f(x):\n    return vjp(x)",
    "no_grad": "def f(x):\n    with torch.no_grad():\n        return 2 * x",
    "recursion": "def f(x, n=1):\n    return 2 * x if n == 0 else f(x, n - 1)",
    "a lambda": "f = lambda x: 2 * x",
    "an object": "class F:\n    def __call__(self, x):\n        return 2 * x\nf = F()",
}


def function(source: str) -> Any:
    names: dict[str, Any] = {"torch": torch}
    exec(source, names)
    return Student(Worker(names).serve).f


@pytest.mark.parametrize("name", BY_LIBRARY)
def test_a_library_is_noticed(name: str) -> None:
    with pytest.raises(NeedsReview, match=r"leaves the differentiation to a library \(.+\)"):
        function(BY_LIBRARY[name]).expect_by_hand(torch.rand(3))


@pytest.mark.parametrize("name", BY_HAND)
def test_work_by_hand_is_not_suspected(name: str) -> None:
    function(BY_HAND[name]).expect_by_hand(torch.rand(3))


def test_what_fails_is_no_matter_for_a_person() -> None:
    with pytest.raises(CheckFailed) as failure:
        function("def f(x):\n    return 1 / 0").expect_by_hand(torch.rand(3))
    assert not isinstance(failure.value, NeedsReview)


def test_autograd_works_afterwards() -> None:
    student = function("def f(x):\n    return 2 * x")
    student.expect_by_hand(torch.rand(3))
    assert "noted" not in torch.autograd._engine_run_backward.__qualname__
    x = torch.ones(2, requires_grad=True)
    (x * x).sum().backward()
    assert x.grad is not None


REVIEWED = CHECKS.replace(
    "### BEGIN HIDDEN TESTS",
    """@item.check("for your information: differentiated by hand", points=0)
def _(student):
    import torch

    student.square.expect_by_hand(torch.ones(2))


### BEGIN HIDDEN TESTS""",
)


def test_such_an_answer_keeps_its_points_and_waits_for_a_person(course: Path) -> None:
    source = course / "source" / TINY / f"{TINY}.ipynb"
    nb = nbformat.read(source, as_version=4)
    next(cell for cell in nb.cells if cell.source == CHECKS.strip()).source = REVIEWED.strip()
    nbformat.write(nb, source)
    folder = CourseFolder(course)
    generate(folder, TINY)
    honest = "def square(x):\n    return x * x"
    answers = {
        "hand": honest,
        "library": f"import torch.autograd\n{honest} + 0 * hasattr(torch.autograd, 'grad')",
    }
    for student, answer in answers.items():
        submit(course, student, filled(course, {SQUARE: answer}))
    submit(course, "blank", filled(course, {}))
    report = grade(folder, TINY, jobs=1)
    got = {student: scores(folder, TINY, student)["square-check"] for student in (*answers, "blank")}
    assert got == {"hand": 4.0, "library": None, "blank": 0.0}
    with Gradebook(folder.directory.db_url) as gradebook:
        entry = gradebook.find_grade("square-check", TINY, TINY, "library")
        assert (entry.auto_score, entry.needs_manual_grade) == (4.0, True)
    notes = {graded.student: " ".join(graded.notes) for graded in report.students}
    assert (
        "square-check waits for a person: `square` leaves the differentiation to a library"
        in notes["library"]
    )
    assert "waits" not in notes["hand"] + notes["blank"]
