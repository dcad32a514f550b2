"""Workers of a notebook in TensorFlow: they come from a zygote of their own, and are confined like all others."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from tiny_course import PLAIN
from workers import run

from chainrule.course import CourseFolder
from chainrule.grading import kernel

TRAINS = """
import keras, tensorflow as tf
model = keras.Sequential([keras.layers.Conv2D(2, 3, padding="same"), keras.layers.Flatten(), keras.layers.Dense(2)])
x, y = tf.random.normal((8, 6, 6, 1)), tf.constant([0, 1] * 4)
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(x, y, epochs=2, verbose=0)
print("trained", tf.reduce_sum(x).shape)
"""
LOADED = "import sys; print('tensorflow' in sys.modules, 'torch' in sys.modules)"


@pytest.fixture
def in_tensorflow(course: Path) -> Path:
    """A course whose plain notebook is in TensorFlow."""
    (path,) = CourseFolder(course).notebooks(PLAIN)
    nb = nbformat.read(path, as_version=4)
    nb.metadata["chainrule"] = {"framework": "tensorflow"}
    nbformat.write(nb, path)
    return course


def printed(nb: nbformat.NotebookNode, index: int = 0) -> str:
    return "".join(output.text for output in nb.cells[index].outputs if output.get("name") == "stdout")


def test_a_worker_has_imported_tensorflow_and_trains(in_tensorflow: Path) -> None:
    nb = run(in_tensorflow, LOADED, TRAINS)
    assert printed(nb) == "True True\n"
    assert printed(nb, 1) == "trained ()\n"


def test_an_optimizer_of_pytorchs_works_beside_it(in_tensorflow: Path) -> None:
    source = "import torch\ntorch.optim.SGD([torch.zeros(1)], lr=0.1)\nprint('made')"
    assert printed(run(in_tensorflow, "import tensorflow", source), 1) == "made\n"


def test_workers_of_other_notebooks_have_not(course: Path) -> None:
    assert printed(run(course, LOADED)) == "False True\n"


def test_the_zygote_has_one_thread_after_the_import(in_tensorflow: Path) -> None:
    folder = CourseFolder(in_tensorflow)
    modules = folder.course.imported_before(folder.notebooks(PLAIN))[PLAIN]
    nursery = kernel.Zygote(1, modules)
    try:
        nursery.line().close()  # it is ready now
        assert "tensorflow" in Path(f"/proc/{nursery.process.pid}/maps").read_text()
        assert len([*Path(f"/proc/{nursery.process.pid}/task").iterdir()]) == 1
    finally:
        nursery.close()


def test_two_workers_draw_different_numbers(in_tensorflow: Path) -> None:
    draws = (
        "import keras, tensorflow as tf\nprint(tf.random.normal(()).numpy(), keras.random.normal(()).numpy())"
    )
    one, other = (printed(run(in_tensorflow, draws)).split() for _ in range(2))
    assert len(one) == 2
    assert all(a != b for a, b in zip(one, other, strict=True))
