"""Checks that ask about random numbers without a seed."""

from __future__ import annotations

from pathlib import Path

import pytest
from authors_notebook import answer, given, graded, said

ITEM = (
    'from chainrule.lesson import Item, expect\nimport torch\n\nitem = Item("test", points=2)\n\n\n'
    '@item.check("f", points=2)\ndef _(student):\n    {}\n\n\nitem.score()'
)


NUMPY, TORCH = "import numpy as np\n", "import torch\n"


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        (f"{NUMPY}x = np.random.rand(100)\nassert f(x).mean() < 0.6", "np.random.seed(0) above it"),
        ("import numpy\nassert f(numpy.random.normal(size=100)) < 0.5", "np.random.seed(0) above it"),
        ("from numpy import random as r\nassert 0.9 <= f(r.randn(9))", "np.random.seed(0) above it"),
        (
            f"{NUMPY}rng = np.random.default_rng()\nx = rng.normal()\nassert f(x) > 3",
            "np.random.default_rng(0) there",
        ),
        ("import random\nx = random.random()\nassert f(x) < 0.3", "random.seed(0) above it"),
        (
            "from random import randint\nfor _ in range(3):\n    assert f(randint(1, 9)) > 2",
            "random.seed(0) above",
        ),
        ("import random\nx = [1, 2, 3]\nrandom.shuffle(x)\nassert f(x) < 6", "random.seed(0) above it"),
        (f"{TORCH}x = torch.empty(3).normal_()\nassert f(x) > 0.5", "torch.manual_seed(0) above it"),
        (f"{TORCH}if f(torch.rand(1)) < 0.1:\n    raise AssertionError", "torch.manual_seed(0) above it"),
        (f"{NUMPY}x = np.random.rand(3)\nassert np.isclose(f(x).mean(), 0.5, atol=0.1)", "np.random.seed(0)"),
        (f"{NUMPY}x = np.random.rand(3)\nassert abs(f(x).mean() - 0.5) < 0.05", "np.random.seed(0)"),
        (
            ITEM.format("expect(student.f(torch.randn(3)), 'f').at_least(0.9)"),
            "torch.manual_seed(0) above it",
        ),
        (
            ITEM.format("x = torch.rand(3)\n    y = student.f(x)\n    assert y.mean() > 0.4"),
            "torch.manual_seed(0)",
        ),
    ],
)
def test_a_question_of_luck(tmp_path: Path, source: str, remedy: str) -> None:
    (slip,) = said(tmp_path, graded(source))
    assert slip.startswith("tiny.ipynb, cell test (number 1 from the top): line ")
    assert "draws random numbers without a seed, so that points are a matter of luck: " in slip
    assert f"write {remedy}" in slip
    assert "Item(" in source or said(tmp_path, given(source)) == []  # without points nobody loses any


@pytest.mark.parametrize(
    "source",
    [
        f"{NUMPY}np.random.seed(1)\nx = np.random.rand(3)\nassert f(x).mean() < 0.6",
        f"{NUMPY}rng = np.random.default_rng(3)\nassert f(rng.normal()) > 0.5",
        f"{TORCH}x = torch.randn(3, generator=torch.Generator().manual_seed(1))\nassert f(x).sum() > 0.5",
        f"{TORCH}assert f(torch.randn(2, 3)).shape[0] < 5",
        f"{TORCH}assert len(f(torch.randn(2, 3))) < 3 and isinstance(f(torch.rand(1)), torch.Tensor)",
        "import random\nrng = random.Random(3)\nassert f(rng.random()) < 0.5",
        "import math\nassert f(math.pi) < 0.5  # no random numbers",
        "def randn(x):\n    return x\n\n\nassert f(randn(3)) < 0.5",
        f"{TORCH}model(torch.rand(2, 3))\nassert model.count < 5",
        # with what the same numbers give, or what holds for all numbers
        f"{NUMPY}x = np.random.rand(3)\nassert np.allclose(f(x), x**2, atol=0.1)",
        f"{NUMPY}x = np.random.rand(3)\nassert np.abs(f(x) - x**2).max() < 0.01",
        f"{NUMPY}x = np.random.rand(3)\nassert abs(f(x).sum() - 1) < 1e-6",
        f"{NUMPY}x = np.random.rand(3)\nassert f(x).min() >= 0 and f(x).max() <= 1",
        f"{NUMPY}x = np.random.rand(3)\nassert np.allclose(f(x).sum(), 1)",
        f"{NUMPY}x = np.random.rand(3)\nassert error(f(x), x) < 0.1",
        f"{NUMPY}for x in np.random.rand(3):\n    np.testing.assert_allclose(f(x), x)",
        ITEM.format("expect(student.f(torch.randn(3, 4)), 'f').has_shape(3, 4)"),
        ITEM.format("x = torch.rand(3)\n    expect(student.f(x)).close_to(2 * x, rtol=0.05)"),
        ITEM.format("torch.manual_seed(2)\n    expect(student.f(torch.rand(3))).at_least(0.9)"),
    ],
)
def test_no_question_of_luck(tmp_path: Path, source: str) -> None:
    assert said(tmp_path, graded(source)) == []


def test_a_seed_above_in_the_notebook(tmp_path: Path) -> None:
    """It holds for plain asserts. The checks of an Item do not run in the notebook."""
    seed = given("import torch\ntorch.manual_seed(0)")
    assert said(tmp_path, seed, graded("x = torch.rand(3)\nassert f(x) > 0.5")) == []
    assert (
        len(said(tmp_path, seed, graded(ITEM.format("expect(student.f(torch.rand(3))).at_least(0.5)")))) == 1
    )


def test_a_module_that_checks_import(tmp_path: Path) -> None:
    module = "import numpy as np\n\n\ndef check(f):\n    x = np.random.rand()\n    assert f(x) > 0.5\n"
    solution = answer("### BEGIN SOLUTION\nf = abs\n### END SOLUTION")
    cells = [solution, graded("from lots.draws import check\n\ncheck(f)")]
    (slip,) = said(tmp_path, *cells, files={"lots/draws.py": module, "lots/other.py": module})
    assert slip.startswith("source/tiny/lots/draws.py: line 5 draws random numbers without a seed")
    seeded = module.replace("    x =", "    np.random.seed(1)\n    x =")
    assert said(tmp_path, *cells, files={"lots/draws.py": seeded}) == []
