"""Nothing comes from nothing in TensorFlow either: junk of any kind in every function earns no points.

The same as `tests/course/test_junk.py`, for the notebooks whose framework is TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch._dynamo  # isort: skip (after TensorFlow it would crash: both bring a compiler)
import junk
import pytest
import torch
from course_modules import HW2, ROOT

from chainrule.authoring.rehearse import code_cells, rehearse
from chainrule.datasets import cifar_10

CELLS = code_cells(ROOT / "source" / "csc6022-hw2" / "p6_2_cnn_tensorflow.ipynb")
ITEMS = [name for name, source in CELLS.items() if "Item(" in source]
GIVEN = [
    name for name in CELLS if name.endswith(("-imports", "-code", "-rehearsal", "-mode", "-sgd", "-steps"))
]
# Forms of what trains, which takes too long to be asked for.
FORMS: dict[str, Callable[..., Any]] = {
    "train": lambda *_, **__: [0.5] * 4,
    "train_step": lambda *_, **__: 0.5,
    "accuracy": lambda *_, **__: 0.5,
    "train_open": lambda *_, **__: {"loss": [0.5] * 3, "validation accuracy": [0.5] * 3},
}
ANSWERS = [
    *(
        "flatten",
        "random_weight",
        "zero_bias",
        "three_layer_convnet",
        "init_params",
        "train_step",
        "accuracy",
    ),
    *("train", "sequential_net", "nesterov", "train_open"),
]
NETWORKS = ["ThreeLayerConvNet", "OpenNetwork"]
# Checks that junk passes because it is the right answer.
FLATTENED = {
    "flatten: one row for each picture",
    "flatten keeps pictures apart and the order channel, row, column",
    "flatten keeps pictures apart and their numbers in order",
}
DRAWN = "random_weight: float32 numbers around 0, others for each unit and in each call"
RIGHT = {
    "zeros": {"zero_bias: zeros"},
    "noise": {DRAWN},  # its variance is judged by others
    "arguments": FLATTENED,
    "last arguments": FLATTENED,
}


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("junk")
    cifar_10.prepare(folder / "data", "quick")
    return folder


def fill(names: dict[str, Any], kind: str) -> None:
    """Called by the notebook: puts junk in place of its answers."""
    for name in ANSWERS:
        names[name] = partial(junk.call, kind, FORMS.get(name, names[name]))
    for name in NETWORKS:
        right = names[name]
        names[name] = lambda *sizes, right=right: junk.junk(right(*sizes), kind, [])


@pytest.mark.parametrize("kind", junk.KINDS)
def test_junk_in_every_answer_earns_nothing(kind: str, pictures: Path) -> None:
    cells = CELLS | {"junk": f"__import__('test_tensorflow_junk').fill(globals(), {kind!r})"}
    torch.manual_seed(0)
    junk.RANDOM.manual_seed(0)
    done = rehearse(HW2, cells, [*GIVEN, "junk"], ITEMS, pictures)
    earned = {
        f"{name}: {check.name}": check.points
        for name, result in done.items()
        for check in result.checks
        if check.passed and check.points and check.name not in RIGHT.get(kind, ())
    }
    assert earned == {}
    errors = [(name, c.internal_error) for name, r in done.items() for c in r.checks if c.internal_error]
    assert errors == []
