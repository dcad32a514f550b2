"""What a check sees of a student's notebook.

A check gets one object, `student`. Its attributes are the names of the student's notebook: numbers, strings,
containers, arrays and tensors are copies, functions and classes can be called with data, and a model is a `Model`,
which can be run and inspected. Nothing else of the student's objects is reachable.

Everything goes through `wire` to the verbs of `verbs.Worker`. In a student's notebook they are called in the same
process, in a grading run in another process: only the transport differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from IPython.core.getipython import get_ipython

from chainrule.lesson.time_limits import took_too_long
from chainrule.lesson.verbs import Worker
from chainrule.lesson.wire import Handle, WireError, pack, unpack

Transport = Callable[[bytes, float], bytes]  # (request, limit in seconds) -> reply

MESSAGE_LENGTH = 600  # of an error's message that comes from the student's side
CALL_SECONDS = 30.0  # far above what any call of a check needs
FIT_SECONDS = 600.0  # a training run
AGAIN = 0.1  # the part of its time that is left to what ran into its limit in an earlier graded cell


NOT_WRITTEN = "not written yet"


class CheckFailed(Exception):
    """The student's answer is not right. The message is for the student.

    Args:
        cause: what the mistake is called, without names and values of this one answer, so that the same mistake can be
            counted over a class. Without it, it is the message without its numbers.

    >>> raise CheckFailed("the loss is negative")
    Traceback (most recent call last):
    chainrule.lesson.student.CheckFailed: the loss is negative
    >>> CheckFailed("dW: the sign is turned", cause="the sign is turned").cause
    'the sign is turned'
    """

    hint = ""  # shown in place of the check's hint, which is about other mistakes

    def __init__(self, message: str = "", cause: str = "") -> None:
        super().__init__(message)
        self.cause = cause


class NeedsReview(CheckFailed):
    """A person should look at the answer before the item's score counts. Checks that may raise this have no points.

    >>> issubclass(NeedsReview, CheckFailed)
    True
    """


class StudentError(CheckFailed):
    """The student's code raised an exception, or ran too long.

    >>> issubclass(StudentError, CheckFailed)
    True
    """


class TimeLimit(StudentError):
    """The student's code ran too long, which no check's hint is about.

    >>> issubclass(TimeLimit, StudentError)
    True
    """

    hint = "print inside the loop what changes from round to round"


class Unregistered(CheckFailed):
    """A network does not know the weights of some of its layers.

    >>> issubclass(Unregistered, CheckFailed)
    True
    """

    hint = "self.layers = nn.ModuleList([…]) in place of a plain list, and no layers made in forward"


class Student:
    """A student's notebook as checks see it. Its attributes are the notebook's names.

    Args:
        transport: sends a packed request to the worker and returns its packed reply.
        reasons: why a name may be missing, for instance that its cell stopped with an error.
        slow: what ran into its time limit in earlier graded cells of the notebook. It may have been defined anew since,
            so it is called again, but not waited for as long. What does so here is added.
    Raises:
        CheckFailed: by an attribute that the notebook does not define.

    >>> from chainrule.lesson.verbs import Worker
    >>> student = Student(Worker({"lr": 0.1, "double": lambda x: 2 * x}).serve)
    >>> student.lr, student.double(torch.ones(2))
    (0.1, tensor([2., 2.]))
    >>> student.accuracy
    Traceback (most recent call last):
    chainrule.lesson.student.CheckFailed: there is no `accuracy` yet: finish the cell that defines it and run it
    """

    def __init__(
        self,
        transport: Transport,
        reasons: Mapping[str, str] | None = None,
        slow: set[str] | None = None,
    ) -> None:
        self._transport = transport
        self._reasons = reasons or {}
        self._slow = set() if slow is None else slow
        self._stuck: set[str] = set()  # what ran into its time limit: it is not called again
        # what checks got last and its kind, by how a sentence about it begins
        self._got: dict[str, tuple[Any, str]] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        match self._ask("get", name=name):
            case {"value": value}:
                return self._noted(f"`{name}` is", value, stored(value))
            case {"function": True}:
                return self._noted(f"`{name}` is", function := Function(self, name), stored(function))
        reason = self._reasons.get(name, "finish the cell that defines it and run it")
        raise CheckFailed(f"there is no `{name}` yet: {reason}", cause=NOT_WRITTEN)

    def _noted(self, begins: str, value: Any, kind: str) -> Any:
        self._got.pop(begins, None)  # the latest is the last one
        self._got[begins] = value, kind
        return value

    def expect_callable(self, error: Exception) -> None:
        """The error of a check was not that the notebook has something else where a function or a network is expected.

        Raises:
            CheckFailed: it was.

        >>> from chainrule.lesson.verbs import Worker
        >>> student = Student(Worker({"double": 3}).serve)
        >>> try:
        ...     student.double(2)
        ... except TypeError as error:
        ...     student.expect_callable(error)
        Traceback (most recent call last):
        chainrule.lesson.student.CheckFailed: `double` is an int, not a function
        """
        for begins, (value, kind) in reversed(self._got.items()):
            wanted = []
            if str(error) == f"'{type(value).__name__}' object is not callable":
                wanted = ["a function"]
            elif isinstance(error, AttributeError) and error.obj is value:
                kinds = {"a function": Function, "a network": Model}
                wanted = [other for other, known in kinds.items() if hasattr(known, error.name or "")]
            if wanted:
                raise CheckFailed(f"{begins} {kind}, not {' or '.join(wanted)}") from None

    def make_network(self, *layers: Sequence[Any], state: Mapping[str, torch.Tensor] | None = None) -> Model:
        """A network of `torch.nn` layers on the student's side, to hand to the student's functions.

        Args:
            layers: each (name, arguments…), for instance ("Linear", 6, 4).
            state: values for some or all of its parameters, under `nn.Sequential`'s names ("0.weight").

        >>> from chainrule.lesson.verbs import Worker
        >>> student = Student(Worker({}).serve)
        >>> network = student.make_network(("Linear", 6, 4), ("ReLU",), state={"0.bias": torch.zeros(4)})
        >>> network.state()["0.bias"]
        tensor([0., 0., 0., 0.], dtype=torch.float64)
        """
        network: Model = self._ask("network", layers=list(layers), state=dict(state or {}))
        return network

    def make_loader(self, x: torch.Tensor, y: torch.Tensor, batch: int) -> Any:
        """A data loader on the student's side, to hand to the student's functions.

        Args:
            x, y: inputs (N, …) and labels (N,), served in this order.
            batch: rows of a batch; the last one may have fewer.

        >>> from chainrule.lesson.verbs import Worker
        >>> student = Student(Worker({"sizes": lambda loader: [len(x) for x, y in loader]}).serve)
        >>> student.sizes(student.make_loader(torch.rand(5, 3), torch.arange(5), batch=2))
        [2, 2, 1]
        """
        return self._ask("loader", x=x, y=y, batch=batch)

    def make_stub_attention(self, query: float, key: float, value: float) -> Model:
        """A stub of an attention layer on the student's side, so that a layer that uses attention is judged apart
        from it.

        It returns `query` times the query, plus the mean over the allowed keys of `key` · key + `value` · value.

        >>> from chainrule.lesson.verbs import Worker
        >>> stub = Student(Worker({}).serve).make_stub_attention(1.0, 0.0, 2.0)
        >>> query, keys = torch.zeros(1, 1, 2), torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])  # (B, n_q, d), (B, n_k, d)
        >>> stub.forward(query, keys, keys)
        tensor([[[4., 6.]]])
        """
        stub: Model = self._ask("stub_attention", query=query, key=key, value=value)
        return stub

    @contextmanager
    def with_stubs(self, **stubs: str) -> Iterator[None]:
        """In the block, names of the notebook stand for stubs, so that what uses them is judged apart from them.

        Args:
            stubs: by the notebook's name, the kind of stub: a key of `chainrule.worker.stubs.STUBS`.

        >>> from chainrule.lesson.verbs import Worker
        >>> names = {}
        >>> exec("def attention(q, k, v): todo()\\ndef look(x): return attention(x, x, x)[0]", names)
        >>> student = Student(Worker(names).serve)
        >>> with student.with_stubs(attention="attention"):
        ...     student.look(torch.ones(2, 1))
        tensor([[1.],
                [1.]])
        """
        self._ask("stub", stubs=stubs)
        try:
            yield
        finally:
            self._ask("stub", stubs={})

    def _ask(self, verb: str, *, seconds: float = CALL_SECONDS, **args: Any) -> Any:
        """Send one request.

        Raises:
            StudentError: the student's code raised, took more than `seconds`, or returned something that is
                not data.
        """
        called = args.get("name") or getattr(args.get("model"), "label", "")
        subject = f"`{called or verb}`"
        if (
            called and subject in self._stuck
        ):  # not our own verbs: a class of the student's may be called like one
            raise TimeLimit(f"{subject} ran into its time limit before")
        if called and subject in self._slow:
            seconds *= AGAIN
        try:
            reply = unpack(self._transport(pack({"verb": verb, "args": args}, _handle), seconds), self._proxy)
        except WireError as error:
            raise StudentError(f"{subject} did not answer with plain data: {error}") from None
        match reply:
            case {"value": value}:
                calls = _returned_nothing.get()
                if calls is not None and verb in ("call", "forward"):
                    calls.append(value is None)
                return value
            case {"error": {"type": "TimeLimit"}}:
                if called:
                    self._stuck.add(subject)
                    self._slow.add(subject)
                raise TimeLimit(took_too_long(subject, seconds))
            case {"error": {"type": "WireError", "message": message}}:
                raise StudentError(f"{subject} gives no plain data: {printable(message)}")
            case {"error": {"type": "Unfinished"}}:
                raise StudentError(NOT_WRITTEN, cause=NOT_WRITTEN)
            case {"error": {"type": kind, "message": message, "where": where}}:
                line = f" ({printable(where)})" if where else ""
                raise StudentError(
                    f"your code raised {printable(kind)}: {printable(message)}{line}",
                    cause=f"the code raises {printable(kind)}",
                )
        raise StudentError(f"{subject} did not answer")

    def _proxy(self, handle: Handle) -> Any:
        return Model(self, handle) if handle.kind == "model" else Opaque(handle)


@dataclass(frozen=True)
class Layer:
    """One layer of a forward pass, written as a module or as a function.

    Attributes:
        kind: a key of `verbs.pytorch.Tracer.ARGUMENTS`, such as "linear", or "normalisation" for a module that
            normalises in another way than BatchNorm.
        input, output: shapes.
        parameters: the student's name of each parameter or buffer by its role, such as "weight".
        settings: other arguments, such as the stride.
        values: float64 parameters by role, if known.

    >>> Layer("linear", (8, 6), (8, 4), {"weight": "fc.weight"}, {}).parameters["weight"]
    'fc.weight'
    """

    kind: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    parameters: dict[str, str]
    settings: dict[str, Any]
    values: dict[str, torch.Tensor] = field(default_factory=dict)


def expect_registered(weighted: Sequence[Layer]) -> None:
    """The network knows the weights of these layers.

    Args:
        weighted: the layers with weights, in the order they ran.
    Raises:
        Unregistered: it does not know all of them.

    >>> expect_registered([Layer("linear", (8, 6), (8, 4), {}, {})])
    Traceback (most recent call last):
    chainrule.lesson.student.Unregistered: the network does not know the weights of layers [1], so they won't be \
trained: make layers in __init__ and assign them to self, lists of them as nn.ModuleList
    """
    unknown = [i for i, layer in enumerate(weighted, 1) if "weight" not in layer.parameters]
    if unknown:
        raise Unregistered(
            f"the network does not know the weights of layers {unknown}, so they won't be trained: "
            "make layers in __init__ and assign them to self, lists of them as nn.ModuleList"
        )


@dataclass(frozen=True)
class Gradients:
    """Gradients in float64.

    Attributes:
        inputs: in the order of the arguments, those in a list one by one; None for one that does not affect the
            output, or is no tensor.
        parameters: by the student's names; None as for inputs.

    >>> Gradients.of({"inputs": [torch.ones(2)], "parameters": {"0.bias": None}}).inputs
    [tensor([1., 1.], dtype=torch.float64)]
    """

    inputs: list[torch.Tensor | None]
    parameters: dict[str, torch.Tensor | None]

    @classmethod
    def of(cls, reply: Any) -> Gradients:
        """From what `verbs.Worker.do_gradients` replied.

        Raises:
            StudentError: the reply has another form.
        """
        match reply:
            case {"inputs": list(inputs), "parameters": dict(parameters)} if all(
                g is None or isinstance(g, torch.Tensor) for g in (*inputs, *parameters.values())
            ):
                return cls(
                    [g if g is None else g.double() for g in inputs],
                    {name: g if g is None else g.double() for name, g in parameters.items()},
                )
        raise StudentError("there are no gradients")


class Opaque:
    """An object of the student's that can only be passed to the student's functions. `label` is its type's name.

    >>> Opaque(Handle(0, "object", "Adam")).label
    'Adam'
    """

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.label = printable(handle.label, 80)

    def __repr__(self) -> str:
        return kind_of(self)


class Function:
    """A function or class of the student's. Calling it copies the arguments to the student's side and the result back.

    >>> from chainrule.lesson.verbs import Worker
    >>> student = Student(Worker({"double": lambda x: 2 * x}).serve)
    >>> student.double([1, 2])
    [1, 2, 1, 2]
    >>> student.double.gradients(torch.ones(2), upstream=torch.tensor([1.0, 10.0])).inputs
    [tensor([ 2., 20.], dtype=torch.float64)]
    >>> sorted(student.double.used(torch.ones(2)))
    ['mul']
    """

    def __init__(self, student: Student, name: str) -> None:
        self._student = student
        self._name = name

    def __repr__(self) -> str:
        return kind_of(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        value = self._student._ask("call", name=self._name, args=list(args), kwargs=kwargs)
        return self._student._noted(f"`{self._name}` returns", value, returned(value))

    def without_dropout(self, *args: Any) -> Any:
        """Its value for these arguments while the framework's dropouts are switched off.

        >>> from chainrule.lesson.verbs import Worker
        >>> names = {}
        >>> exec("from torch.nn.functional import dropout\\ndef half(x): return dropout(x) / 2", names)
        >>> Student(Worker(names).serve).half.without_dropout(torch.ones(2))
        tensor([0.5000, 0.5000])
        """
        return self._student._ask("call", name=self._name, args=list(args), kwargs={}, dropout=False)

    def call_with(
        self, instead: Mapping[str, Sequence[Any]], *args: Any
    ) -> tuple[Any, dict[str, list[list[Any]]]]:
        """Its value while other functions of the notebook return what they should, whatever these are called with.

        So a function that calls others is judged where one of them is wrong, and that one has lost its points.

        Args:
            instead: values by the others' names, one for each call in turn, then from the first again.
        Returns:
            The value, and for each of the others the arguments of each of its calls.
        Raises:
            StudentError: the function raises.

        >>> from chainrule.lesson.verbs import Worker
        >>> names = {}
        >>> exec("def half(x): return x\\ndef quarter(x): return half(half(x))", names)
        >>> Student(Worker(names).serve).quarter.call_with({"half": [4, 2]}, 8)
        (2, {'half': [[8], [4]]})
        """
        reply = self._student._ask("call_with", instead=dict(instead), name=self._name, args=list(args))
        match reply:
            case {"value": value, "calls": dict(calls)} if calls.keys() == instead.keys() and all(
                isinstance(each, list) and all(isinstance(call, list) for call in each)
                for each in calls.values()
            ):
                return self._student._noted(f"`{self._name}` returns", value, returned(value)), calls
        raise StudentError(f"`{self._name}` cannot be called with other functions in place")

    def expect_by_hand(self, *args: Any, **kwargs: Any) -> None:
        """Its code for these arguments shows no sign of automatic differentiation.

        Raises:
            NeedsReview: it does; the message names the signs.
        """
        signs = self._student._ask("autograd", name=self._name, args=list(args), kwargs=kwargs)
        if signs:
            listed = printable(", ".join(map(str, signs)), 200)
            raise NeedsReview(f"`{self._name}` leaves the differentiation to a library ({listed})")

    def gradients(self, *args: Any, upstream: torch.Tensor, **kwargs: Any) -> Gradients:
        """Gradients of the sum of output · upstream with respect to the arguments, by autograd on the student's side.

        Args:
            upstream: of the shape of the output; of several outputs the first counts.
        """
        return Gradients.of(
            self._student._ask(
                "gradients", name=self._name, args=list(args), kwargs=kwargs, upstream=upstream
            )
        )

    def used(self, *args: Any, **kwargs: Any) -> set[str]:
        """Names of PyTorch's functions that this call goes through, such as "softmax"."""
        return names_in(self._student._ask("used", name=self._name, args=list(args), kwargs=kwargs))


class Model(Opaque):
    """A `torch.nn.Module` of the student's. Running it changes neither its mode nor its gradients.

    >>> from chainrule.lesson.verbs import Worker
    >>> network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    >>> model = Student(Worker({"network": network}).serve).network
    >>> x = torch.ones(4, 3)
    >>> model.forward(x).shape, model.predict(x).shape
    (torch.Size([4, 2]), torch.Size([4]))
    >>> [(layer.kind, layer.output) for layer in model.layers(x)]
    [('linear', (4, 2)), ('relu', (4, 2))]
    >>> model.load({"0.weight": torch.zeros(2, 3), "0.bias": torch.tensor([1.0, -1.0])})
    >>> model.logits(x[:1])
    tensor([[1., 0.]], dtype=torch.float64)
    >>> model.gradients(x, upstream=torch.ones(4, 2)).parameters["0.bias"]
    tensor([4., 0.], dtype=torch.float64)
    >>> model.is_a("Sequential"), model.is_a("Linear")
    (True, False)
    """

    def __init__(self, student: Student, handle: Handle) -> None:
        super().__init__(handle)
        self._student = student

    def forward(self, *inputs: Any, training: bool = False, dropout: bool = True) -> Any:
        """What the model returns for these inputs, computed without gradients.

        Args:
            training: in train mode; by default in eval mode.
            dropout: False switches PyTorch's dropouts off, in either mode.
        """
        return self._student._ask(
            "forward", model=self, inputs=list(inputs), training=training, dropout=dropout
        )

    def logits(
        self, x: torch.Tensor, *, classes: int | None = None, training: bool = False, dropout: bool = True
    ) -> torch.Tensor:
        """Like `forward` for one input of N rows, as float64 (N, classes).

        Raises:
            CheckFailed: the output is not a tensor of that shape.
        """
        y = self.forward(x, training=training, dropout=dropout)
        if not isinstance(y, torch.Tensor):
            raise CheckFailed(f"the network returns {returned(y)}, not a tensor")
        if y.ndim != 2 or len(y) != len(x) or (classes is not None and y.shape[1] != classes):
            wanted = f"({len(x)}, {classes or 'classes'})"
            raise CheckFailed(f"for {len(x)} images the network returns shape {tuple(y.shape)}, not {wanted}")
        return y.double()

    def expect_weights(self, x: torch.Tensor) -> None:
        """Weights take part in the output for `x`: it is not a copy, a constant or noise.

        Raises:
            CheckFailed: they don't.

        >>> from chainrule.lesson.verbs import Worker
        >>> Student(Worker({"network": torch.nn.Flatten()}).serve).network.expect_weights(torch.ones(2, 3))
        Traceback (most recent call last):
        chainrule.lesson.student.CheckFailed: no weight takes part in the network's output
        """
        if any(layer.kind in ("linear", "conv2d") for layer in self.layers(x)):
            return
        y = self.forward(x)
        gradients = self.gradients(x, upstream=torch.ones_like(y)).parameters.values()
        if not any(gradient is not None and bool(gradient.any()) for gradient in gradients):
            raise CheckFailed("no weight takes part in the network's output")

    def predict(self, x: torch.Tensor, *, batch: int = 1000) -> torch.Tensor:
        """Predicted classes (N,), int64, for N inputs, in eval mode and in batches of `batch` rows."""
        return torch.cat([self.logits(part).argmax(1) for part in x.split(batch)])

    def gradients(self, *inputs: Any, upstream: torch.Tensor) -> Gradients:
        """Gradients of the sum of output · upstream in eval mode, with respect to inputs and parameters.

        Args:
            upstream: of the shape of the output; of several outputs the first counts.
        """
        return Gradients.of(self._student._ask("gradients", model=self, args=list(inputs), upstream=upstream))

    def used(self, *inputs: Any) -> set[str]:
        """Names of PyTorch's functions that a pass in eval mode goes through, such as "softmax"."""
        return names_in(self._student._ask("used", model=self, args=list(inputs)))

    def is_a(self, name: str) -> bool:
        """Whether it is a `torch.nn` module of this name, such as "Sequential", or of a class derived from it."""
        return self._student._ask("is_a", model=self, name=name) is True

    def attribute(self, name: str) -> Any:
        """A copy of an attribute that is data; None if the model has no such attribute."""
        return self._student._ask("attribute", model=self, attribute=name)

    def state(self) -> dict[str, torch.Tensor]:
        """Copies of parameters and buffers by the student's names for them, in float64 where they are floats."""
        state = self._student._ask("state", model=self)
        return {name: t.double() if t.is_floating_point() else t for name, t in state.items()}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Overwrite these parameters and buffers, named as in `state`."""
        self._student._ask("load", model=self, state=dict(state))

    def adopt(self, *inputs: torch.Tensor) -> Model:
        """From now on the model knows the layers that it keeps in plain lists, tuples or dicts, and of several outputs
        it returns the first; returns the model.

        A check that is about something else calls this first. So a plain list costs its points once.

        Args:
            inputs: if given, the model also knows, and keeps, layers that it makes in the forward pass for them.
        """
        self._student._ask("adopt", model=self, inputs=list(inputs))
        return self

    def bypass(self, modules: Sequence[str]) -> None:
        """From now on these modules, which keep the shape of their inputs, return their inputs."""
        self._student._ask("bypass", model=self, modules=list(modules))

    def layers(self, *inputs: torch.Tensor) -> list[Layer]:
        """The layers of one forward pass in eval mode, in the order they ran."""
        operations = self._student._ask("trace", model=self, inputs=list(inputs), training=False)
        return [Layer(**operation) for operation in operations]

    def reinitialize(self, *inputs: torch.Tensor, generator: torch.Generator) -> list[Layer]:
        """Give every layer of one forward pass new random values, so that no lucky initialisation hides a mistake.

        Weights keep the variance of their inputs, scales take both signs, running variances stay positive.

        Returns:
            The layers in the order they ran, with the `values` their parameters have now.
        """
        traced, state = (
            self.layers(*inputs),
            self.state(),
        )  # in this order: tracing gives lazy layers their parameters
        layers = []
        drawn: dict[str, torch.Tensor] = {}  # by name, because layers may share a parameter
        for layer in traced:
            for role, name in layer.parameters.items():
                if name in drawn:
                    continue
                shape = state[name].shape
                value = torch.randn(shape, generator=generator)
                if layer.kind == "batch_norm" and role in ("weight", "running_var"):
                    sign = value.sign() if role == "weight" else 1.0
                    value = sign * (0.5 + torch.rand(shape, generator=generator))
                elif role == "weight":
                    value = value / shape[1:].numel() ** 0.5
                drawn[name] = value.double()
            layers.append(
                replace(layer, values={role: drawn[name] for role, name in layer.parameters.items()})
            )
        self.load(drawn)
        return layers

    def fit(
        self, x: torch.Tensor, y: torch.Tensor, *, steps: int, batch: int, lr: float, momentum: float
    ) -> None:
        """Train the model on (x, y) by SGD with momentum, so that a network is judged apart from the student's
        training loop.

        Args:
            x, y: inputs (N, …) and classes (N,), taken in order in batches of `batch` rows.
            steps: how many batches.
        """
        self._student._ask(
            "fit",
            seconds=FIT_SECONDS,
            model=self,
            x=x,
            y=y,
            steps=steps,
            batch=batch,
            lr=lr,
            momentum=momentum,
        )


def printable(text: Any, length: int = MESSAGE_LENGTH) -> str:
    """A text from the student's side, cut, with a replacement character for whatever can't be printed.

    >>> printable("line 3\x07", 6)
    'line 3'
    """
    if not isinstance(text, str):
        return kind_of(text)
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text[:length])


def kind_of(value: Any) -> str:
    """The type of what the student's code gave, with its article.

    >>> kind_of([1]), kind_of(1), kind_of(torch.ones(2).numpy())
    ('a list', 'an int', 'an ndarray')
    """
    if isinstance(value, Function):
        return "a function or a class"
    name = value.label if isinstance(value, Opaque) else type(value).__name__
    return f"{'an' if name[:1].lower() in tuple('aeiou') or name == 'ndarray' else 'a'} {name}"


def missing(value: Any) -> str:
    """What is in the place of numbers. None is a missing `return` where code of the student's returned None for this
    item, and the value of a name elsewhere.

    >>> missing(None), missing({})
    ('None', 'a dict')
    >>> from chainrule.lesson.verbs import Worker
    >>> with noting_calls():
    ...     missing(Student(Worker({"f": lambda: None}).serve).f())
    'nothing (is a `return` missing?)'
    """
    return returned(value) if True in (_returned_nothing.get() or ()) else stored(value)


def stored(value: Any) -> str:
    """What a name of the notebook holds, for a message that expects something else.

    >>> stored(None), stored(1)
    ('None', 'an int')
    """
    return "None" if value is None else kind_of(value)


@contextmanager
def noting_calls() -> Iterator[None]:
    """In the block it is noted whether a call of the student's code returned None: most checks hand a result on without
    its function's name.

    >>> from chainrule.lesson.verbs import Worker
    >>> with noting_calls():
    ...     Student(Worker({"f": lambda: None}).serve).f()
    ...     missing(None)
    'nothing (is a `return` missing?)'
    """
    token = _returned_nothing.set([])
    try:
        yield
    finally:
        _returned_nothing.reset(token)


def returned(value: Any) -> str:
    """What a function of the student's returned, for a message that expects something else.

    >>> returned(None), returned(1)
    ('nothing (is a `return` missing?)', 'an int')
    """
    return "nothing (is a `return` missing?)" if value is None else kind_of(value)


def names_in(reply: Any) -> set[str]:
    """The texts of a list from the student's side; an empty set if it is no list.

    >>> names_in(["softmax"])
    {'softmax'}
    """
    return {printable(name, 80) for name in reply} if isinstance(reply, list) else set()


def _handle(value: Any) -> Handle:
    if isinstance(value, Opaque):
        return value.handle
    raise TypeError(f"a check sends data and the student's own objects, not {kind_of(value)}")


# for each call of the student's code, whether it returned None; none are noted outside of `noting_calls`
_returned_nothing: ContextVar[list[bool] | None] = ContextVar("returned_nothing", default=None)

# -- the transport of this process -----------------------------------------------------------------------

_connected: Transport | None = None
_reasons: Mapping[str, str] = {}
_slow: set[str] | None = None
_visible_checks = True


def connect(
    transport: Transport | None,
    reasons: Mapping[str, str] | None = None,
    *,
    slow: set[str] | None = None,
    visible_checks: bool = True,
) -> None:
    """Let checks in this process reach the student through `transport`; None: in the notebook they run in.

    Args:
        reasons, slow: see `Student`.
        visible_checks: whether checks that are for the student alone run; a grading run leaves them out.

    >>> from chainrule.lesson.verbs import Worker
    >>> connect(Worker({"lr": 0.1}).serve)
    >>> current_student().lr
    0.1
    >>> connect(None)
    """
    global _connected, _reasons, _slow, _visible_checks
    _connected, _reasons, _slow, _visible_checks = transport, reasons or {}, slow, visible_checks


def runs_visible_checks() -> bool:
    """Whether checks that are for the student alone run in this process: see `connect`.

    >>> runs_visible_checks()
    True
    """
    return _visible_checks


def current_student() -> Student:
    """The student whose notebook the checks of this process judge.

    Raises:
        RuntimeError: `connect` was not called, and this is not a notebook.

    >>> current_student()
    Traceback (most recent call last):
    RuntimeError: checks run in a notebook, or after connect(transport)
    """
    if _connected is not None:
        return Student(_connected, _reasons, _slow)
    shell = get_ipython()
    if shell is None:
        raise RuntimeError("checks run in a notebook, or after connect(transport)")
    return Student(Worker(shell.user_ns).serve)
