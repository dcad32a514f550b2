"""The verbs that run, look into or change a network of Keras's. Only notebooks in TensorFlow import this module.

Checks speak of sizes as PyTorch does, TensorFlow's idiom is another: channels come last, (N, H, W, C), and weights are
(k, k, in, out) and (in, out). A `Turn` brings one tensor from one to the other. Features are flattened in the order
row, column, channel here; a weight behind them is turned so that checks see the order channel, row, column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import zip_longest
from typing import Any, ClassVar, NamedTuple, Self

import keras
import numpy as np
import tensorflow as tf
import torch
from tensorflow.python.framework import op_callbacks

from chainrule.lesson.frameworks import Layouts

ROLES = {  # PyTorch's names of what Keras's layers keep
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


class Turn(NamedTuple):
    """How one tensor is turned.

    Args:
        kind: "maps", "rows", "weight", or "" for one that stays as it is.
        channels: of "rows", and of a "weight" (out, in) whose inputs are flattened feature maps: how many channels the
            maps have; 0 for no maps.

    >>> x = torch.zeros(2, 3, 4, 5)
    >>> Turn("maps").own(x).shape, Turn("weight").own(x).shape
    (TensorShape([2, 4, 5, 3]), TensorShape([4, 5, 3, 2]))
    >>> rows = Turn("rows", channels=2).own(torch.tensor([[1, 2, 3, 10, 20, 30]]))
    >>> rows.numpy().tolist()
    [[1, 10, 2, 20, 3, 30]]
    >>> Turn("rows", channels=2).neutral(rows).tolist()
    [[1, 2, 3, 10, 20, 30]]
    """

    kind: str = ""
    channels: int = 0

    def own(self, value: torch.Tensor) -> tf.Tensor:
        """Of TensorFlow's order."""
        match self.kind, value.ndim:
            case "maps", 4:
                value = value.permute(0, 2, 3, 1)
            case "rows", 2:
                value = split(value, self.channels).mT.flatten(1)
            case "weight", 4:
                value = value.permute(2, 3, 1, 0)
            case "weight", 2:
                value = split(value, self.channels).mT.flatten(1).T
        return tf.constant(value.detach().cpu().numpy())

    def neutral(self, value: Any) -> torch.Tensor:
        """Of the checks' order: the inverse of `own`."""
        array = value if isinstance(value, np.ndarray) else tf.convert_to_tensor(value).numpy()
        if array.dtype.kind not in "biuf":  # bfloat16 and its like are none of NumPy's own kinds
            array = array.astype(np.float32)
        tensor = torch.from_numpy(np.array(array))
        match self.kind, tensor.ndim:
            case "maps", 4:
                return tensor.permute(0, 3, 1, 2)
            case "rows", 2:
                return joined(tensor, self.channels)
            case "weight", 4:
                return tensor.permute(3, 2, 0, 1)
            case "weight", 2:
                return joined(tensor.T, self.channels)
        return tensor


def split(rows: torch.Tensor, channels: int) -> torch.Tensor:
    """(N, C · places) as (N, C, places); rows of no such length as (N, 1, length).

    >>> split(torch.zeros(2, 12), 3).shape
    torch.Size([2, 3, 4])
    """
    fits = channels > 0 and rows.shape[1] % channels == 0
    return rows.unflatten(1, (channels, -1)) if fits else rows[:, None]


def joined(rows: torch.Tensor, channels: int) -> torch.Tensor:
    """(N, places · C) as (N, C · places).

    >>> joined(torch.tensor([[1, 10, 2, 20, 3, 30]]), 2).tolist()
    [[1, 2, 3, 10, 20, 30]]
    """
    fits = channels > 0 and rows.shape[1] % channels == 0
    return rows.unflatten(1, (-1, channels)).mT.flatten(1) if fits else rows


def turns(shapes: Sequence[Sequence[int]], *, own: bool) -> list[Turn]:
    """How to turn a network's weights, in the order in which they are used.

    A weight behind a convolution takes its flattened features.

    Args:
        own: whether the shapes are TensorFlow's.

    >>> turns([(5, 5, 3, 8), (8,), (128, 10), (10,)], own=True)[2]
    Turn(kind='weight', channels=8)
    """
    channels, found = 0, []
    for shape in shapes:
        if len(shape) == 4:
            channels = shape[-1] if own else shape[0]
            found.append(Turn("weight"))
        elif len(shape) == 2:
            found.append(Turn("weight", channels))
            channels = 0
        else:
            found.append(Turn())
    return found


def is_tensor(value: Any) -> bool:
    """Whether a value is a dense tensor or a variable of numbers.

    >>> is_tensor(tf.ones(2)), is_tensor(np.ones(2)), is_tensor(tf.constant("text"))
    (True, False, False)
    """
    kinds = tf.Tensor, tf.Variable, keras.Variable
    return isinstance(value, kinds) and tf.as_dtype(value.dtype) not in (tf.string, tf.resource, tf.variant)


def tensors_in(value: Any) -> list[Any]:
    """The tensors of TensorFlow's or PyTorch's in lists and tuples, one by one.

    >>> len(tensors_in([tf.ones(2), [torch.ones(2), 3]]))
    2
    """
    if isinstance(value, list | tuple):
        return [tensor for entry in value for tensor in tensors_in(entry)]
    return [value] if is_tensor(value) or isinstance(value, torch.Tensor) else []


class Verbs:
    """Verbs over the names of a notebook whose networks are Keras's.

    >>> Verbs({}, {}).is_model(keras.layers.ReLU())
    True
    """

    STUBS: ClassVar = (
        "chainrule.worker.stubs_tensorflow"  # the module with what stands for parts of the notebook
    )

    def __init__(self, namespace: MutableMapping[str, Any], layouts: Layouts) -> None:
        self.namespace = namespace
        self.layouts = layouts

    def is_model(self, value: Any) -> bool:
        """Whether a value is a network or a layer."""
        return isinstance(value, keras.Layer)

    def own(self, value: Any, word: str = "") -> Any:
        """A value from a check, with TensorFlow's tensors in it.

        Args:
            word: what it is, as the notebook's layouts say.
        """
        if word == "shape":
            return self._shape(value)
        return self._turned(value, word, own=False)

    def neutral(self, value: Any, word: str = "", channels: int = 0) -> Any:
        """A value of the student's, with PyTorch's tensors in it: the inverse of `own`.

        Args:
            channels: of feature maps, if the value is their rows.
        """
        return self._turned(value, word, own=True, channels=channels)

    def _shape(self, value: Any) -> Any:
        """The shape of a weight in TensorFlow's order."""
        return (*value[2:], *value[1::-1]) if isinstance(value, tuple) and len(value) > 1 else value

    def _turned(self, value: Any, word: str, own: bool, channels: int = 0) -> Any:
        if word == "weights" and isinstance(value, list | tuple):
            if any(isinstance(entry, list | tuple) for entry in value):
                return [self._turned(entry, word, own) for entry in value]
            if all(is_tensor(entry) or isinstance(entry, torch.Tensor) for entry in value):
                each = turns([tuple(entry.shape) for entry in value], own=own)
                return [self._one(entry, turn, own) for entry, turn in zip(value, each, strict=True)]
        if isinstance(value, list | tuple):
            entries = [self._turned(entry, word, own, channels) for entry in value]
            return tuple(entries) if isinstance(value, tuple) else entries
        if isinstance(value, dict):
            return {key: self._turned(entry, word, own, channels) for key, entry in value.items()}
        kind = word if word in ("maps", "rows", "weight") else ""
        return self._one(value, Turn(kind, channels), own)

    def _one(self, value: Any, turn: Turn, own: bool) -> Any:
        if own:
            return turn.neutral(value) if is_tensor(value) else value
        return turn.own(value) if isinstance(value, torch.Tensor) else value

    def function(self, name: str) -> Callable[..., Any]:
        """A function or class of the student's, for arguments and results as checks have them."""
        function = self.namespace[name]
        takes, gives = self.layouts.get(name, ([], []))

        def call(*args: Any, **kwargs: Any) -> Any:
            given = [self.own(arg, word) for arg, word in zip_longest(args, takes[: len(args)], fillvalue="")]
            result = function(*given, **{key: self.own(value) for key, value in kwargs.items()})
            channels = channels_of(given, takes)
            if len(gives) > 1 and isinstance(result, tuple):
                each = zip_longest(result, gives[: len(result)], fillvalue="")
                return tuple(self.neutral(entry, word, channels) for entry, word in each)
            return self.neutral(result, gives[0] if gives else "", channels)

        return call

    # -- running -----------------------------------------------------------------------------------------

    def no_dropout(self) -> AbstractContextManager[None]:
        """A block in which `tf.nn.dropout` does nothing."""
        return no_dropout()

    def do_forward(self, model: Any, inputs: Sequence[Any], training: bool, dropout: bool) -> Any:
        """The model's output in training or inference mode; `dropout=False` switches dropout off."""
        with nullcontext() if dropout else no_dropout(model), Tracer(model):
            result = model(*self.own(list(inputs), "maps"), training=training)
        return self.neutral(result, "maps")

    def do_gradients(
        self,
        args: Sequence[Any],
        upstream: torch.Tensor,
        name: str = "",
        model: Any = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Gradients of the sum of output · upstream, of a function of the student's or of a model in inference mode:
        see `pytorch.Verbs.do_gradients`."""
        takes, gives = (["maps"] * len(args), []) if model else self.layouts.get(name, ([], []))
        words = [*takes, *[""] * len(args)][: len(args)]
        given = [self.own(arg, word) for arg, word in zip(args, words, strict=True)]
        leaves = [leaf for arg in given for leaf in (arg if isinstance(arg, list) else [arg])]
        watched = [leaf for leaf in leaves if is_tensor(leaf) and leaf.dtype.is_floating]
        with tf.GradientTape() as tape, Tracer(model) if model else nullcontext():
            tape.watch(watched)
            extra = {key: self.own(value) for key, value in (kwargs or {}).items()}
            result = model(*given, training=False) if model else self.namespace[name](*given, **extra)
            output = result[0] if isinstance(result, tuple | list) else result
        parameters = self._variables(model) if model else {}
        parameters = {key: variable for key, variable in parameters.items() if variable.trainable}
        sources = [*watched, *(variable.value for variable in parameters.values())]
        back = Turn(gives[0] if gives else "", channels_of(given, words)).own(upstream)
        values: list[Any] = [None] * len(sources)
        if is_tensor(output) and output.dtype.is_floating:
            values = tape.gradient(output, sources, tf.cast(back, output.dtype))
        by_id = {id(source): value for source, value in zip(sources, values, strict=True)}
        told = []
        for arg, word in zip(given, words, strict=True):
            entries = arg if isinstance(arg, list) else [arg]
            shapes = [tuple(getattr(entry, "shape", ())) for entry in entries]
            each = turns(shapes, own=True) if word == "weights" else [Turn(word)] * len(entries)
            for entry, turn in zip(entries, each, strict=True):
                gradient = by_id.get(id(entry))
                told.append(None if gradient is None else turn.neutral(gradient))
        named = {}
        for (key, variable), turn in zip(parameters.items(), self._turns(parameters.values()), strict=True):
            gradient = by_id.get(id(variable.value))
            named[key] = None if gradient is None else turn.neutral(gradient)
        return {"inputs": told, "parameters": named}

    def do_used(
        self,
        args: Sequence[Any],
        name: str = "",
        model: Any = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Names of operations that run in a call of a function, or in a forward pass of a model: those of
        `Tracer.KINDS`, and of others TensorFlow's own in lower case."""
        with Tracer(None) as tracer:
            if model is not None:
                model(*self.own(list(args), "maps"), training=False)
            else:
                self.function(name)(*args, **(kwargs or {}))
        return sorted(tracer.names)

    # -- looking into a network ------------------------------------------------------------------------------

    def do_is_a(self, model: Any, name: str) -> bool:
        """Whether the model is a layer or network of this name of PyTorch's, or of a class derived from it."""
        kinds = {"Sequential": keras.Sequential, "Linear": keras.layers.Dense}
        kind = kinds.get(name, getattr(keras.layers, name, None))
        return kind is not None and isinstance(model, kind)

    def do_attribute(self, model: Any, attribute: str) -> Any:
        """An attribute of a model that is data; None if there is none of that name."""
        return self.neutral(getattr(model, attribute, None))

    def _variables(self, model: Any) -> dict[str, Any]:
        """The model's variables by name: those that have run in that order, then the others."""
        ran = getattr(model, "_chainrule_order", [])
        place = {id(variable): i for i, variable in enumerate(ran)}
        known = sorted(model.variables, key=lambda variable: place.get(id(variable), len(place)))
        named: dict[str, Any] = {}
        for variable in known:
            if "seed_generator" not in variable.path:  # of a dropout
                *layers, last = variable.path.split("/")
                layers = layers[1:] if layers[:1] == [model.name] or len(layers) > 1 else layers
                name = ".".join([*layers, ROLES.get(last, last)])
                while name in named:
                    name += "_"
                named[name] = variable
        return named

    def _turns(self, variables: Any) -> list[Turn]:
        return turns([tuple(variable.shape) for variable in variables], own=True)

    def do_state(self, model: Any) -> dict[str, torch.Tensor]:
        """Weights and statistics by name, a layer's under PyTorch's names for them."""
        named = self._variables(model)
        each = zip(named.items(), self._turns(named.values()), strict=True)
        return {name: turn.neutral(variable) for (name, variable), turn in each}

    def do_load(self, model: Any, state: dict[str, torch.Tensor]) -> None:
        """Overwrite these weights and statistics, leave the others."""
        named = self._variables(model)
        each = dict(zip(named, self._turns(named.values()), strict=True))
        for name, value in state.items():
            variable = named[name]
            fits = each[name].own(value)
            variable.assign(tf.cast(tf.broadcast_to(fits, variable.shape), variable.dtype))

    def do_adopt(self, model: Any, inputs: Sequence[Any]) -> None:
        """Keras finds layers in lists and dicts by itself."""

    def do_trace(self, model: Any, inputs: Sequence[Any], training: bool) -> list[dict[str, Any]]:
        """The layers of one forward pass in the order they ran, as `Tracer` describes them."""
        given = self.own(list(inputs), "maps")
        with Tracer(model):
            model(*given, training=training)  # gives layers their weights
        names = {id(variable): name for name, variable in self._variables(model).items()}
        with Tracer(model, names) as tracer:
            model(*given, training=training)
        return tracer.operations

    # -- training, and networks of ours ------------------------------------------------------------------------

    def do_fit(
        self,
        model: Any,
        x: torch.Tensor,
        y: torch.Tensor,
        steps: int,
        batch: int,
        lr: float,
        momentum: float,
    ) -> None:
        """Minimise cross-entropy by SGD with momentum, on `steps` batches in order."""
        images, labels = self.own(x, "maps"), self.own(y)
        model(images[:1], training=False)  # gives layers their weights
        weights = [variable.value for variable in model.trainable_variables]
        velocity = [tf.zeros_like(weight) for weight in weights]
        for step in range(steps):
            take = np.arange(step * batch, (step + 1) * batch) % len(x)
            with tf.GradientTape() as tape:
                scores = model(tf.gather(images, take), training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(labels, take), scores)
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
            velocity = [momentum * v + g for v, g in zip(velocity, gradients, strict=True)]
            for weight, v in zip(weights, velocity, strict=True):
                weight.assign_sub(lr * v)

    def do_network(self, layers: Sequence[Sequence[Any]], state: dict[str, torch.Tensor]) -> Any:
        """A sequence of Keras's layers, each given as PyTorch's (name, arguments…), with these weights."""
        made = [LAYERS[name](str(i), *args) for i, (name, *args) in enumerate(layers)]
        network = keras.Sequential(made)
        size = next(args[0] for name, *args in layers if name in SIZED)
        maps = any(name not in SIZED | {"Dropout"} for name, *_ in layers[:1])
        network(tf.zeros((1, 2, 2, size) if maps else (1, size)))
        self.do_load(network, state)
        return network

    def do_loader(self, x: torch.Tensor, y: torch.Tensor, batch: int) -> Batches:
        """What serves batches of (x, y) in order; the last one may be short."""
        return Batches(self.own(x, "maps"), self.own(y), batch)


def channels_of(given: Sequence[Any], words: Sequence[str]) -> int:
    """How many channels the feature maps among the arguments have; 0 if there are none.

    >>> channels_of([tf.zeros((2, 4, 5, 3))], ["maps"])
    3
    """
    found = [
        arg.shape[-1] for arg, word in zip(given, words, strict=False) if word == "maps" and is_tensor(arg)
    ]
    return int(found[0]) if found else 0


class Batches:
    """Batches of inputs and labels, in order.

    >>> [len(y) for x, y in Batches(tf.zeros((5, 2)), tf.zeros(5), 2)]
    [2, 2, 1]
    """

    def __init__(self, x: tf.Tensor, y: tf.Tensor, batch: int) -> None:
        self.x, self.y, self.batch = x, y, batch

    def __len__(self) -> int:
        return -(-len(self.x) // self.batch)

    def __iter__(self) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        for first in range(0, len(self.x), self.batch):
            yield self.x[first : first + self.batch], self.y[first : first + self.batch]


class Drop(keras.layers.Dropout):
    """Dropout that may also drop everything.

    >>> float(tf.reduce_sum(Drop(1.0)(tf.ones(3), training=True)))
    0.0
    """

    def __init__(self, rate: float, **how: Any) -> None:
        super().__init__(min(rate, 0.5) if rate == 1 else rate, **how)
        self.everything = rate == 1

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return 0.0 * inputs if self.everything and training else super().call(inputs, training=training)


class Counter(keras.layers.BatchNormalization):
    """Batch normalisation that counts the batches it has seen in training, as PyTorch's does."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.seen = self.add_weight(
            name="num_batches_tracked", shape=(), dtype="int32", initializer="zeros", trainable=False
        )

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None) -> tf.Tensor:
        if training and self.trainable:
            self.seen.assign(self.seen + 1)
        return super().call(inputs, training=training, mask=mask)


SIZED = {"Linear", "BatchNorm1d"}  # their first argument is the size of their input
LAYERS: dict[str, Callable[..., Any]] = {
    "Linear": lambda name, inputs, outputs, bias=True: keras.layers.Dense(outputs, use_bias=bias, name=name),
    "ReLU": lambda name: keras.layers.ReLU(name=name),
    "Flatten": lambda name: keras.layers.Flatten(name=name),
    "Dropout": lambda name, rate: Drop(rate, name=name),
    "AdaptiveAvgPool2d": lambda name, side: keras.layers.GlobalAveragePooling2D(keepdims=True, name=name),
    "BatchNorm1d": lambda name, size, eps=1e-5, momentum=0.1, affine=True: Counter(
        momentum=1 - momentum, epsilon=eps, center=affine, scale=affine, name=name
    ),
}


@contextmanager
def no_dropout(model: Any = None) -> Iterator[None]:
    """Switches dropouts off in the block: layers of the model, if one is given, and `tf.nn.dropout`.

    >>> layer = keras.layers.Dropout(0.5)
    >>> with no_dropout(layer):
    ...     layer(tf.ones(3), training=True).numpy().tolist()
    [1.0, 1.0, 1.0]
    """
    own = [] if model is None else model._flatten_layers()
    layers = [layer for layer in own if hasattr(layer, "rate")]
    before, function = [(layer, layer.rate) for layer in layers], tf.nn.dropout
    for layer in layers:
        layer.rate = 0.0
    tf.nn.dropout = lambda x, *args, **kwargs: x
    try:
        yield
    finally:
        tf.nn.dropout = function
        for layer, rate in before:
            layer.rate = rate


class Tracer:
    """Records operations as they run, of layers or of `tf.nn`: `keras.layers.Conv2D(…)(x)`, `tf.nn.conv2d(x, w, …)`.

    `operations` is as `pytorch.Tracer` has it, for the kinds in `KINDS`. Sizes, strides and paddings are PyTorch's:
    "SAME" is the number of pixels, if it is the same on both sides.

    Args:
        model: it keeps in which order its variables were used.
        names: of its variables by their ids.

    >>> model = keras.Sequential([keras.layers.Dense(2), keras.layers.ReLU()])
    >>> _ = model(tf.ones((4, 3)))
    >>> with Tracer(model) as tracer:
    ...     _ = model(tf.ones((4, 3)))
    >>> [(operation["kind"], operation["output"]) for operation in tracer.operations]
    [('linear', (4, 2)), ('relu', (4, 2))]
    """

    KINDS: ClassVar = {
        "Conv2D": "conv2d",
        "MatMul": "linear",
        "Relu": "relu",
        "Softmax": "softmax",
        "LogSoftmax": "log_softmax",
        "MaxPool": "max_pool2d",
        "AvgPool": "avg_pool2d",
    }
    SAME_VALUES: ClassVar = {"Identity", "Reshape", "Squeeze", "Cast", "ReadVariableOp"}

    def __init__(self, model: Any, names: Mapping[int, str] | None = None) -> None:
        self.model, self.known = model, names or {}
        self.operations: list[dict[str, Any]] = []
        self.names: set[str] = set()
        self._order: list[Any] = []
        self._kept: list[Any] = []  # so that no id is given twice
        self._variables: dict[int, Any] = {}  # by the id of what was read
        self._made: dict[int, dict[str, Any]] = {}  # operations by the id of their output
        self._padded: dict[int, tuple[int, ...]] = {}

    def __enter__(self) -> Self:
        self._eagerly = tf.config.functions_run_eagerly()
        tf.config.run_functions_eagerly(True)
        op_callbacks.add_op_callback(self._note)
        return self

    def __exit__(self, *exception: Any) -> None:
        op_callbacks.remove_op_callback(self._note)
        tf.config.run_functions_eagerly(self._eagerly)
        if self.model is not None and self._order:
            by_handle = {id(variable.value.handle): variable for variable in self.model.variables}
            ran = [by_handle[id(handle)] for handle in self._order if id(handle) in by_handle]
            order = [*{id(variable): variable for variable in ran}.values()]
            object.__setattr__(self.model, "_chainrule_order", order)  # Keras would track the list

    def _note(self, kind: Any, inputs: Any, attrs: Any, outputs: Any, *_: Any, **__: Any) -> None:
        name = kind.decode() if isinstance(kind, bytes) else kind
        self.names.add(self.KINDS.get(name, name.lower()))
        self._kept += [*inputs, *outputs]
        if name == "ReadVariableOp":
            self._order.append(inputs[0])
            self._variables[id(outputs[0])] = inputs[0]
        elif name in self.SAME_VALUES and id(inputs[0]) in self._variables:
            self._variables[id(outputs[0])] = self._variables[id(inputs[0])]
        elif name in self.KINDS:
            self._layer(
                self.KINDS[name], inputs, dict(zip(attrs[::2], attrs[1::2], strict=False)), outputs[0]
            )
        elif name in ("BiasAdd", "AddV2", "Add"):
            for one, other in (inputs, inputs[::-1]):
                if id(one) in self._made and id(other) in self._variables:
                    self._parameter(self._made[id(one)], "bias", other)

    def _parameter(self, operation: dict[str, Any], role: str, value: Any) -> None:
        variables = (
            {id(v.value.handle): id(v) for v in self.model.variables} if self.model is not None else {}
        )
        name = self.known.get(variables.get(id(self._variables.get(id(value))), 0))
        if name is not None:
            operation["parameters"][role] = name

    def _layer(self, kind: str, inputs: Any, attrs: dict[str, Any], output: Any) -> None:
        x = inputs[0]
        settings: dict[str, Any] = {}
        if kind in ("conv2d", "max_pool2d", "avg_pool2d"):
            window = inputs[1].shape[:2] if kind == "conv2d" else attrs["ksize"][1:3]
            settings = {"stride": tuple(attrs["strides"][1:3]), "padding": padding_of(attrs, window)}
            settings |= {} if kind == "conv2d" else {"kernel_size": tuple(window)}
        operation = {
            "kind": kind,
            "input": as_checks_see(x.shape),
            "output": as_checks_see(output.shape),
            "parameters": {},
            "settings": settings,
        }
        self.operations.append(operation)
        self._made[id(output)] = operation
        if kind in ("conv2d", "linear"):
            self._parameter(operation, "weight", inputs[1])


def as_checks_see(shape: Any) -> tuple[int, ...]:
    """Sizes in the order of checks.

    >>> as_checks_see((2, 4, 5, 3))
    (2, 3, 4, 5)
    """
    sizes = tuple(int(size) for size in shape)
    return (sizes[0], sizes[3], sizes[1], sizes[2]) if len(sizes) == 4 else sizes


def padding_of(attrs: Mapping[str, Any], window: Sequence[int]) -> Any:
    """The padding as PyTorch has it, (rows, columns); "same" where the two sides differ.

    >>> padding_of({"padding": "SAME", "strides": (1, 1, 1, 1)}, (5, 3))
    (2, 1)
    """
    way = attrs["padding"]
    way = way.decode() if isinstance(way, bytes) else way
    if way == "EXPLICIT":
        _, _, top, bottom, left, right, *_ = attrs["explicit_paddings"]
        return (top, left) if (top, left) == (bottom, right) else "explicit"
    if way == "VALID":
        return (0, 0)
    even = all(side % 2 for side in window) and set(attrs["strides"]) == {1}
    return tuple((side - 1) // 2 for side in window) if even else "same"
