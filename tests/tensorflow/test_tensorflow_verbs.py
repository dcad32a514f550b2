"""Checks see Keras networks and functions as they see PyTorch's: by the same references, in the same layouts."""

from __future__ import annotations

import doctest
import importlib
from collections.abc import Callable
from typing import Any

import torch._dynamo  # isort: skip (after TensorFlow it would crash: both bring a compiler)
import keras
import pytest
import tensorflow as tf
import torch
import torch.nn.functional as F

from chainrule.lesson.frameworks import Framework
from chainrule.lesson.student import CheckFailed, Model, Student
from chainrule.lesson.verbs import Worker

EXAMPLES = [
    "chainrule.lesson.verbs.tensorflow",
    "chainrule.lesson.weights_tensorflow",
    "chainrule.worker.stubs_tensorflow",
]
SHAPES = [(6, 3, 5, 5), (6,), (5, 6, 3, 3), (5,), (7, 5 * 8 * 9), (7,)]
LAYOUTS = Framework(
    "tensorflow",
    flatten="maps -> rows",
    random_weight="shape -> weight",
    convnet="maps, weights -> scores",
    start="-> weights",
    step="weights, batches -> weights, losses",
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.attempted > 0
    assert outcome.failed == 0


def notebook(**names: Any) -> Student:
    return Student(Worker({"__framework__": LAYOUTS, **names}).serve)


def pictures(seed: int = 1) -> torch.Tensor:
    return torch.randn(2, 3, 8, 9, generator=torch.Generator().manual_seed(seed))


def drawn(seed: int = 2) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=draw) / 5 for shape in SHAPES]


def reference(x: torch.Tensor, params: list[torch.Tensor], pads: tuple[int, int] = (2, 1)) -> torch.Tensor:
    w1, b1, w2, b2, w, b = params
    h = F.relu(F.conv2d(x, w1, b1, padding=pads[0]))
    h = F.relu(F.conv2d(h, w2, b2, padding=pads[1]))
    return F.linear(h.flatten(1), w, b)


def rows(x: Any) -> Any:
    return tf.reshape(x, (x.shape[0], -1))


def convnet(x: Any, params: Any) -> Any:
    w1, b1, w2, b2, w, b = params
    h = tf.nn.relu(tf.nn.conv2d(x, w1, 1, "SAME") + b1)
    h = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(h, w2, 1, "SAME"), b2))
    return rows(h) @ w + b


class Layers(keras.Model):
    """The last layer comes first, and the convolutions are in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = keras.layers.Dense(7)
        convolution = keras.layers.Conv2D
        self.convs = [convolution(6, 5, padding="same"), convolution(5, 3, padding="same", activation="relu")]

    def call(self, x: Any) -> Any:
        h = tf.nn.relu(self.convs[0](x))
        return self.fc(rows(self.convs[1](h)))


class Weights(keras.Model):
    """Operations of `tf.nn` on weights of its own, padded by hand."""

    def __init__(self) -> None:
        super().__init__()
        shapes = [(5, 5, 3, 6), (6,), (3, 3, 6, 5), (5,), (5 * 8 * 9, 7), (7,)]
        self.own = [self.add_weight(shape=shape, initializer="he_normal") for shape in shapes[::2]]
        self.biases = [self.add_weight(shape=shape, initializer="zeros") for shape in shapes[1::2]]

    def call(self, x: Any) -> Any:
        h = tf.pad(x, [[0, 0], [2, 2], [2, 2], [0, 0]])
        h = tf.nn.relu(tf.nn.conv2d(h, self.own[0], 1, "VALID") + self.biases[0])
        h = tf.nn.conv2d(h, self.own[1], 1, [[0, 0], [1, 1], [1, 1], [0, 0]])
        return tf.matmul(rows(tf.nn.relu(h + self.biases[1])), self.own[2]) + self.biases[2]


class InAGraph(Layers):
    @tf.function
    def call(self, x: Any) -> Any:
        return super().call(x)


def chain() -> Any:
    return keras.Sequential(
        [
            keras.layers.Conv2D(6, 5, padding="same", activation="relu"),
            keras.layers.Conv2D(5, 3, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(7),
        ]
    )


NETWORKS: dict[str, Callable[[], Any]] = {
    "layers": Layers,
    "weights": Weights,
    "graph": InAGraph,
    "chain": chain,
}


def by_role(model: Model, x: torch.Tensor) -> list[str]:
    """Names of the six parameters in the order of SHAPES."""
    weighted = [layer for layer in model.layers(x) if layer.kind in ("conv2d", "linear")]
    assert [layer.kind for layer in weighted] == ["conv2d", "conv2d", "linear"]
    return [layer.parameters[role] for layer in weighted for role in ("weight", "bias")]


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_a_network_has_the_scores_and_gradients_of_pytorchs(make: Callable[[], Any]) -> None:
    model, x, params = notebook(make=make).make(), pictures(), drawn()
    model.forward(x)
    names = by_role(model, x)
    assert [tuple(model.state()[name].shape) for name in names] == SHAPES
    model.load(dict(zip(names, params, strict=True)))
    leaves = [value.clone().requires_grad_() for value in (x, *params)]
    want = reference(leaves[0], leaves[1:])
    torch.testing.assert_close(model.forward(x), want.detach(), rtol=1e-4, atol=1e-5)
    upstream = pictures(3)[:, 0, 0, :7]
    right = torch.autograd.grad((want * upstream).sum(), leaves)
    own = model.gradients(x, upstream=upstream)
    for got, gradient in zip((own.inputs[0], *(own.parameters[n] for n in names)), right, strict=True):
        assert got is not None
        torch.testing.assert_close(got.float(), gradient, rtol=1e-3, atol=1e-5)


def test_padding_and_stride_are_pytorchs() -> None:
    model, x = notebook(make=chain).make(), pictures()
    first, second = [layer for layer in model.layers(x) if layer.kind == "conv2d"]
    assert first.settings == {"stride": (1, 1), "padding": (2, 2)}
    assert second.settings == {"stride": (1, 1), "padding": (1, 1)}
    assert (first.input, first.output) == ((2, 3, 8, 9), (2, 6, 8, 9))


def test_a_function_takes_and_gives_what_the_notebook_says() -> None:
    student = notebook(
        convnet=convnet,
        flatten=rows,
        random_weight=tf.random.normal,
        start=lambda: [tf.zeros((5, 5, 3, 6)), tf.zeros(6), tf.zeros((18, 2)), tf.Variable(tf.zeros(2))],
        step=lambda weights, batches: ([weights[0] + 1.0, weights[1]], [len(batches)]),
    )
    x, params = pictures(), drawn()
    torch.testing.assert_close(student.convnet(x, params), reference(x, params), rtol=1e-4, atol=1e-5)
    assert torch.equal(student.flatten(x), x.flatten(1))
    assert student.random_weight((6, 3, 5, 7)).shape == (6, 3, 5, 7)
    assert [tuple(value.shape) for value in student.start()] == [(6, 3, 5, 5), (6,), (2, 18), (2,)]
    (weight, _), losses = student.step(
        [torch.zeros(4, 6), torch.zeros(4)], [(torch.zeros(3, 6), torch.zeros(3))]
    )
    assert (weight.shape, losses) == ((4, 6), [1])


def test_gradients_of_a_function() -> None:
    student, x = notebook(convnet=convnet, flatten=rows), pictures()
    leaves = [value.clone().requires_grad_() for value in (x, *drawn())]
    want = reference(leaves[0], leaves[1:])
    right = torch.autograd.grad(want.sum(), leaves)
    own = student.convnet.gradients(x, drawn(), upstream=torch.ones(2, 7)).inputs
    for got, gradient in zip(own, right, strict=True):
        torch.testing.assert_close(got.float(), gradient, rtol=1e-3, atol=1e-5)
    upstream = torch.randn(2, 3 * 8 * 9)
    (gradient,) = student.flatten.gradients(x, upstream=upstream).inputs
    assert torch.equal(gradient.float(), upstream.reshape(x.shape))


def test_what_is_not_connected_has_no_gradient() -> None:
    student = notebook(f=lambda x, y: tf.stop_gradient(x) + y, g=lambda x: tf.constant(x.numpy()))
    assert student.f.gradients(torch.ones(2), torch.ones(2), upstream=torch.ones(2)).inputs[0] is None
    assert student.g.gradients(torch.ones(2), upstream=torch.ones(2)).inputs == [None]


def test_networks_and_loaders_for_the_students_functions() -> None:
    def evaluated(model: Any, loader: Any) -> list[Any]:
        return [(x.shape[-1], len(y), model(x, training=False)) for x, y in loader]

    student = notebook(evaluated=evaluated, sizes=lambda loader: [tuple(x.shape) for x, _ in loader])
    weight = torch.randn(4, 6)
    model = student.make_network(("Linear", 6, 4), ("ReLU",), state={"0.weight": weight})
    x = torch.randn(5, 6)
    batches = student.evaluated(model, student.make_loader(x, torch.arange(5), batch=3))
    assert [(size, count) for size, count, _ in batches] == [(6, 3), (6, 2)]
    torch.testing.assert_close(
        torch.cat([y for *_, y in batches]), F.relu(x @ weight.T), rtol=1e-5, atol=1e-6
    )
    assert student.sizes(student.make_loader(pictures(), torch.arange(2), batch=2)) == [(2, 8, 9, 3)]
    assert model.is_a("Sequential")
    assert not model.is_a("Linear")


def test_modes_show_in_dropout_and_statistics() -> None:
    student = notebook()
    layers = [("AdaptiveAvgPool2d", 1), ("Flatten",), ("Dropout", 1.0), ("Linear", 3, 10, False)]
    model = student.make_network(
        *layers, ("BatchNorm1d", 10, 1e-5, 0.1, False), state={"3.weight": torch.ones(10, 3)}
    )
    x = pictures() + 1
    assert model.forward(x).abs().max() > 0
    assert model.state()["4.num_batches_tracked"] == 0
    assert model.forward(x, training=True).abs().max() == 0
    assert model.state()["4.num_batches_tracked"] == 1
    half = notebook(make=lambda: keras.layers.Dropout(0.5)).make()
    assert bool((half.forward(torch.ones(500), training=True) == 0).any())
    assert torch.equal(half.forward(torch.ones(500), training=True, dropout=False), torch.ones(500))


def test_fit_lowers_the_loss() -> None:
    model, x, y = notebook(make=Layers).make(), pictures(), torch.tensor([1, 4])
    before = F.cross_entropy(model.logits(x), y)
    model.fit(x, y, steps=20, batch=2, lr=0.05, momentum=0.9)
    assert F.cross_entropy(model.logits(x), y) < before / 10


def test_operations_that_ran_are_named() -> None:
    student = notebook(make=chain, f=lambda x: tf.nn.softmax(x))
    assert {"conv2d", "linear", "relu"} <= student.make().used(pictures())
    assert "softmax" in student.f.used(torch.ones(1, 2))


def test_an_error_is_told_with_the_students_own_line() -> None:
    names: dict[str, Any] = {"tf": tf}
    exec("def wrong(x):\n    return tf.matmul(x, x)", names)
    with pytest.raises(CheckFailed, match="your code raised InvalidArgumentError"):
        notebook(**names).wrong(torch.ones(2, 3))


def test_stubs_are_tensorflows() -> None:
    namespace: dict[str, Any] = {"__framework__": Framework("tensorflow", look="maps -> rows")}
    exec("def flatten(x): todo()\ndef look(x): return flatten(x)", namespace)
    student = Student(Worker(namespace).serve)
    with student.with_stubs(flatten="rows"):
        assert torch.equal(student.look(pictures()), pictures().flatten(1))
