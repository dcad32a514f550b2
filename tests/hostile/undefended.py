"""What the attacks on results earn where nothing defends: stock nbgrader, with every check inside the kernel.

    python tests/hostile/undefended.py [NAME …]

Prints the graded cells an attack gets all points of with a wrong answer, and what its remark `worked against` claims.
Only for attacks that change nothing outside their own kernel.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import attacks
import target
from attacks import Attack
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from nbgrader import utils
from nbgrader.preprocessors import Execute
from target import LINEAR
from tiny_course import TINY, marked, notebook

JUDGES = {
    TINY: {
        "asserts": "assert square(2) == 4\nassert square(-3) == 9\nassert square(0.5) == 0.25",
        "numpy asserts": "import numpy as np\n"
        "for x in (2, -3, 0.5):\n"
        "    np.testing.assert_allclose(square(x), x * x)\n"
        "    assert np.allclose(square(x), x * x)",
        "torch asserts": "import torch\n"
        "for x in (2, -3, 0.5):\n"
        "    assert torch.allclose(torch.as_tensor(square(x) * 1.0), torch.tensor(x * x * 1.0))",
    },
    LINEAR: {
        "torch asserts": "import torch\n"
        "model, x = Model(), torch.randn(7, 5)\n"
        "w, b = torch.randn(3, 5), torch.randn(3)\n"
        "model.load_state_dict({'layer.weight': w, 'layer.bias': b})\n"
        "y = model(x)\n"
        "assert y.shape == (7, 3)\n"
        "assert torch.allclose(y, x @ w.T + b, atol=1e-5)",
        "accuracy": "import torch\n"
        "labels = torch.randint(0, 3, (200,))\n"
        "x = torch.randn(200, 5)\n"
        "assert (Model()(x).argmax(1) == labels).float().mean() > 0.9",
    },
}


def worked(attack: Attack) -> list[str]:
    """The kinds of graded cells that give an attack all points."""
    master = target.tiny_notebook() if attack.assignment == TINY else target.linear_notebook()
    judged = next(cell for cell in master.cells if cell.id == attack.item)
    judges = {"Item": judged.source, **JUDGES[attack.assignment]}
    nb = notebook([new_code_cell("from chainrule.lesson import todo")])
    nb.cells += [new_code_cell(text) for text in attack.answers.values()]
    nb.cells += [marked(new_code_cell(source), name, 4) for name, source in judges.items()]
    with tempfile.TemporaryDirectory() as folder:
        try:
            Stock(timeout=20).preprocess(nb, {"metadata": {"path": folder}})
        except Exception as error:
            return [f"({type(error).__name__})"]
    return [name for name in judges if full_marks(next(cell for cell in nb.cells if cell.id == name))]


class Stock(Execute):
    """nbgrader's own, except that one cell's error is the end of that cell only (as `--allow-errors`)."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, index: int) -> Any:
        try:
            return super().preprocess_cell(cell, resources, index)
        except Exception as error:
            if "CellExecutionError" not in type(error).__name__:
                raise
            return cell, resources


def full_marks(cell: NotebookNode) -> bool:
    """Whether nbgrader takes the cell's outputs for all points or more."""
    try:
        score, points = utils.determine_grade(cell, logging.getLogger())
    except Exception:
        return False
    return score is not None and not score < points  # NaN is taken for full marks, too


def main() -> None:
    names = sys.argv[1:]
    chosen = [
        attack
        for attack in attacks.every()
        if attack.family in ("forging", "models")
        and not attack.needs_sandbox
        and (not names or attack.name in names)
    ]
    with ProcessPoolExecutor(2) as pool:
        for attack, found in zip(chosen, pool.map(worked, chosen), strict=True):
            claimed = attack.remarks.get("worked against", "")
            found = ", ".join(f"in-kernel {name}" for name in found)
            print(
                f"{'ok' if claimed == found else '!!'} {attack.name}: {found or '–'} (claimed: {claimed or '–'})",
                flush=True,
            )


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))
    main()
