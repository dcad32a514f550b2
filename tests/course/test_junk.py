"""Nothing comes from nothing: junk of any kind in every answer of every notebook earns no points."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import junk
import numpy as np
import pytest
import torch
from course_modules import A2, HW2, RUNNABLE

from chainrule.authoring.rehearse import code_cells, rehearse
from chainrule.lesson.results import Result

torch.set_num_threads(1)

NOTEBOOKS = {path.stem: path for path in RUNNABLE}


def history(length: int, *names: str) -> dict[str, list[float]]:
    return {name: [0.5] * length for name in names}


def same(x: Any, *more: Any) -> Any:
    return x.shape


# Forms of what trains, which takes too long to be asked for; of classes, the shape of the output.
FORMS: dict[str, dict[str, Callable[..., Any]]] = {
    "assignment2": {
        "train": lambda model, a, b, epochs=10, lr=0.05, device="cpu": history(
            epochs, "loss", "train", "test"
        ),
        "compute_accuracy": lambda *_: 0.5,
    },
    "p6_1_mlp_weight_decay": {
        "fit": lambda X, y, X_test, y_test, hidden, lam, epochs, seed: (
            {
                "W": torch.zeros(hidden, 2),
                "b": torch.zeros(hidden),
                "v": torch.zeros(hidden),
                "c": torch.zeros(1),
            },
            history(epochs // 10, "train", "test"),
        ),
        "test_errors": lambda hidden, lam, draws: [0.5] * draws,
    },
    "p6_2_cnn_pytorch": {
        "train": lambda *_, **__: [0.5] * 4,
        "train_step": lambda *_, **__: 0.5,
        "accuracy": lambda *_, **__: 0.5,
        "train_open": lambda *_, **__: history(3, "loss", "validation accuracy"),
    },
    "p7_attention": {
        "train_epoch": lambda *_, **__: 0.5,
        "MultiHeadAttention": same,
        "Embeddings": lambda x, *_: (*x.shape, 8),
        "PositionalEncoding": same,
        "LayerNorm": same,
        "Sublayer": same,
        "DecoderLayer": same,
    },
}


FLATTENED = {
    "flatten: one row for each picture",
    "flatten keeps pictures apart and the order channel, row, column",
}
# Checks that junk passes because it is the right answer.
RIGHT = {
    # a bias's gradient is the argument itself; h in every row of the weights' gradient is a known mistake
    ("p2_two_layer_gradients", "last arguments"): {"the gradient for b2", "the gradient for b1"},
    ("p6_2_cnn_pytorch", "zeros"): {"zero_bias: zeros"},
    ("p6_2_cnn_pytorch", "arguments"): FLATTENED,
    ("p6_2_cnn_pytorch", "last arguments"): FLATTENED,
}


def defined(source: str) -> list[str]:
    """The names that a cell defines."""
    names: list[str] = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [
                name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)
            ]
    return list(dict.fromkeys(names))


FILL = "\n\n__import__('test_junk').fill(globals(), {}, {!r}, {!r}, {!r})"


@pytest.mark.parametrize("kind", junk.KINDS)
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_junk_in_every_answer_earns_nothing(
    notebook: str, kind: str, classroom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.lesson.figures.as_png", lambda figure: b"")  # nobody looks at it
    done = judged(notebook, kind, classroom)
    earned = {
        f"{name}: {c.name}": c.points
        for name, r in done.items()
        for c in r.checks
        if c.passed and c.points and c.name not in RIGHT.get((notebook, kind), ())
    }
    assert earned == {}
    assert [
        (name, c.message, c.internal_error) for name, r in done.items() for c in r.checks if c.internal_error
    ] == []


def judged(notebook: str, kind: str, folder: Path, seed: int = 0) -> dict[str, Result]:
    """The results of a notebook's items with junk in every answer."""
    path = NOTEBOOKS[notebook]
    sources, answers = code_cells(path), []
    items = [name for name, source in sources.items() if "Item(" in source]
    for name, source in sources.items():
        if "### BEGIN SOLUTION" in source:
            answers += defined(source)
            sources[name] = source + FILL.format(answers, kind, notebook, "functions")
    sources["junk"] = FILL.format(answers, kind, notebook, "values")  # last: what follows from junk may raise
    modules = A2 if path.parent.name == "cs480-a2" else HW2
    torch.manual_seed(seed)
    np.random.seed(seed)
    junk.RANDOM.manual_seed(seed)
    run = [name for name, source in sources.items() if name not in items and not only_draws(source)]
    return rehearse(modules, sources, run, items, folder)


def only_draws(source: str) -> bool:
    """Whether a cell is no answer, ends with a figure and defines nothing that a check could ask for."""
    end = (ast.parse(source).body or [ast.Pass()])[-1]
    return (
        "### BEGIN SOLUTION" not in source
        and not defined(source)
        and isinstance(end, ast.Expr)
        and isinstance(end.value, ast.Call)
        and ast.unparse(end.value.func).startswith("figures.")
    )


def fill(names: dict[str, Any], answers: list[str], kind: str, notebook: str, which: str) -> None:
    """Called by the notebook: puts junk in place of its answers."""
    junk.replace(names, answers, kind, FORMS.get(notebook, {}), which)
