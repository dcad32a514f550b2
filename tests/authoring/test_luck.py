"""Checks that ask about random numbers without a seed."""

from __future__ import annotations

from pathlib import Path

import pytest
from authors_notebook import answer, given, graded, said

ITEM = (
    'from chainrule.lesson import Item, expect\nimport torch\n\nitem = Item("test", points=2)\n\n\n'
    '@item.check("f", points=2)\ndef _(student):\n    {}\n\n\nitem.score()'
)


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        (
            "import numpy as np\nx = np.random.rand(3)\nassert np.allclose(f(x), x**2)",
            "np.random.seed(0) above it",
        ),
        ("import numpy\nassert f(numpy.random.normal(size=100)) < 0.5", "np.random.seed(0) above it"),
        ("from numpy import random as r\nassert f(r.randn()) == 1", "np.random.seed(0) above it"),
        (
            "import numpy as np\nrng = np.random.default_rng()\nx = rng.normal()\nassert f(x) == x",
            "np.random.default_rng(0) there",
        ),
        ("import random\nx = random.random()\nassert f(x) == x * x", "random.seed(0) above it"),
        (
            "from random import randint\nfor _ in range(3):\n    assert f(randint(1, 9)) > 0",
            "random.seed(0) above it",
        ),
        ("import random\nx = [1, 2, 3]\nrandom.shuffle(x)\nassert f(x) == 6", "random.seed(0) above it"),
        (
            "import torch\nx = torch.randn(2, 3)\ny = f(x)\nassert torch.allclose(y, x)",
            "torch.manual_seed(0) above it",
        ),
        ("import torch\nx = torch.empty(3).normal_()\nassert f(x) == 3", "torch.manual_seed(0) above it"),
        ("import torch\nif f(torch.rand(1)) < 0:\n    raise AssertionError", "torch.manual_seed(0) above it"),
        (
            "import numpy as np\nfor x in np.random.rand(3):\n    np.testing.assert_allclose(f(x), x)",
            "np.random.seed(0)",
        ),
        (ITEM.format("expect(student.f(torch.randn(3)), 'f').equals(1)"), "torch.manual_seed(0) above it"),
        (
            ITEM.format("x = torch.rand(3)\n    y = student.f(x)\n    expect(y).close_to(x)"),
            "torch.manual_seed(0)",
        ),
    ],
)
def test_a_question_of_luck(tmp_path: Path, source: str, remedy: str) -> None:
    (slip,) = said(tmp_path, graded(source))
    assert slip.startswith("tiny.ipynb, cell test (number 1 from the top): line ")
    assert "draws random numbers without a seed, so that students are asked different things: " in slip
    assert f"write {remedy}" in slip
    assert said(tmp_path, given(source)) == [] or "Item(" in source  # without points nobody loses any


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nnp.random.seed(1)\nx = np.random.rand(3)\nassert np.allclose(f(x), x**2)",
        "import numpy as np\nrng = np.random.default_rng(3)\nassert f(rng.normal()) == 1",
        "import torch\nx = torch.randn(3, generator=torch.Generator().manual_seed(1))\nassert f(x).sum() == 1",
        "import torch\nassert f(torch.randn(2, 3)).shape == (2, 5)",
        "import torch\nassert len(f(torch.randn(2, 3))) == 2 and isinstance(f(torch.rand(1)), torch.Tensor)",
        "import random\nrng = random.Random(3)\nassert f(rng.random()) == 1",
        "import math\nassert f(math.pi) == 1  # no random numbers",
        "def randn(x):\n    return x\n\n\nassert f(randn(3)) == 3",
        "import torch\nmodel(torch.rand(2, 3))\nassert model.count == 1",
        ITEM.format("expect(student.f(torch.randn(3, 4)), 'f').has_shape(3, 4)"),
        ITEM.format("torch.manual_seed(2)\n    x = torch.rand(3)\n    expect(student.f(x)).close_to(x)"),
    ],
)
def test_no_question_of_luck(tmp_path: Path, source: str) -> None:
    assert said(tmp_path, graded(source)) == []


def test_a_seed_above_in_the_notebook(tmp_path: Path) -> None:
    """It holds for plain asserts. The checks of an Item do not run in the notebook."""
    seed = given("import torch\ntorch.manual_seed(0)")
    assert said(tmp_path, seed, graded("x = torch.rand(3)\nassert f(x) == 1")) == []
    assert len(said(tmp_path, seed, graded(ITEM.format("expect(student.f(torch.rand(3))).equals(1)")))) == 1


def test_a_module_that_checks_import(tmp_path: Path) -> None:
    module = "import numpy as np\n\n\ndef check(f):\n    x = np.random.rand()\n    assert f(x) == x\n"
    cells = [
        answer("### BEGIN SOLUTION\nf = abs\n### END SOLUTION"),
        graded("from lots.draws import check\n\ncheck(f)"),
    ]
    (slip,) = said(tmp_path, *cells, files={"lots/draws.py": module, "lots/other.py": module})
    assert slip.startswith("source/tiny/lots/draws.py: line 5 draws random numbers without a seed")
    seeded = module.replace("    x =", "    np.random.seed(1)\n    x =")
    assert said(tmp_path, *cells, files={"lots/draws.py": seeded}) == []
