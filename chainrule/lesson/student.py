"""The end of a check that holds the verdict: what a check sees of a student's notebook.

A check gets one object, `student`. Its attributes are the names of the student's notebook: numbers, strings,
containers, arrays and tensors come as copies, functions and classes can be called with data, models come as
a `Model` that can be run and inspected but not reached into. Everything passes through `wire`, whether
student code lives in this process (a notebook) or in another one (a grading run): only the transport differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from IPython.core.getipython import get_ipython

from chainrule.lesson.verbs import Worker
from chainrule.lesson.wire import Handle, WireError, pack, unpack

Transport = Callable[[bytes, float], bytes]  # (request, limit in seconds) -> reply

MESSAGE_LENGTH = 600  # of what the student's side says about an error
CALL_SECONDS = 30.0  # far above what any call of a check needs
FIT_SECONDS = 600.0  # a training run


class CheckFailed(Exception):
    """The student's answer is not right. The message is written for the student."""


class NeedsReview(CheckFailed):
    """A person should look at this before the item's score counts. Checks that may find it have no points."""


class StudentError(CheckFailed):
    """The student's code raised, or ran too long."""


class Student:
    """A student's notebook as checks see it.

    Args:
        transport: carries a packed request to the worker and brings back its packed reply.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._stuck: set[str] = set()  # what ran into the time limit once is not waited for again

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        match self._ask("look", name=name):
            case {"value": value}:
                return value
            case {"function": True}:
                return Function(self, name)
        raise CheckFailed(f"there is no `{name}` yet: finish the cell that defines it and run it")

    def make_network(self, *layers: Sequence[Any], state: Mapping[str, torch.Tensor] | None = None) -> Model:
        """A network of `torch.nn` layers on the student's side, to hand to the student's functions.

        Args:
            layers: each (name, arguments…), for instance ("Linear", 6, 4).
            state: values for some or all of its parameters, under `nn.Sequential`'s names ("0.weight").
        """
        return self._ask("network", layers=list(layers), state=dict(state or {}))

    def make_loader(self, x: torch.Tensor, y: torch.Tensor, batch: int) -> Any:
        """A data loader on the student's side that serves (x, y) in order, the last batch perhaps short."""
        return self._ask("loader", x=x, y=y, batch=batch)

    def make_mixer(self, query: float, key: float, value: float) -> Model:
        """A stand-in for an attention layer on the student's side, for judging apart from it what calls it.

        It gives `query` times the query, plus the mean over the allowed keys of `key` · key + `value` · value.
        """
        return self._ask("mixer", query=query, key=key, value=value)

    def _ask(self, verb: str, *, seconds: float = CALL_SECONDS, **args: Any) -> Any:
        """Send one request.

        Raises:
            StudentError: the student's code raised, took more than `seconds`, or answered with something
                that is no data.
        """
        model = args.get("model")
        subject = f"`{args.get('name') or getattr(model, 'label', verb)}`"
        if subject in self._stuck:
            raise StudentError(f"{subject} ran into its time limit before")
        try:
            reply = unpack(self._transport(pack({"verb": verb, "args": args}, _handle), seconds), self._proxy)
        except WireError as error:
            raise StudentError(f"{subject} did not answer with plain data: {error}") from None
        match reply:
            case {"value": value}:
                return value
            case {"error": {"type": "TimeLimit"}}:
                self._stuck.add(subject)
                raise StudentError(f"{subject} did not finish within {seconds:.0f} seconds: an endless loop?")
            case {"error": {"type": "Unfinished"}}:
                raise StudentError("not written yet")
            case {"error": {"type": kind, "message": message, "where": where}}:
                told = f"{printable(kind)}: {printable(message)}"
                raise StudentError(f"your code raised {told}" + (f" ({printable(where)})" if where else ""))
        raise StudentError(f"{subject} did not answer")

    def _proxy(self, handle: Handle) -> Any:
        return Model(self, handle) if handle.kind == "model" else Opaque(handle)


@dataclass(frozen=True)
class Layer:
    """One layer-like operation of a forward pass: see `worker.Tracer`. `values` holds float64 parameters by role."""

    kind: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    parameters: dict[str, str]
    settings: dict[str, Any]
    values: dict[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Gradients:
    """Gradients in float64, by position of the input and by name of the parameter. None: not reached."""

    inputs: list[torch.Tensor | None]
    parameters: dict[str, torch.Tensor | None]

    @classmethod
    def of(cls, reply: Any) -> Gradients:
        """What the worker's `do_gradients` replied.

        Raises:
            StudentError: no gradients.
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
    """A live object of the student's that can only be handed back. `label` is the name of its type."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.label = printable(handle.label, 80)


class Function:
    """A function or class of the student's. Calling it copies the arguments there and the result back."""

    def __init__(self, student: Student, name: str) -> None:
        self._student = student
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._student._ask("call", name=self._name, args=list(args), kwargs=kwargs)

    def expect_by_hand(self, *args: Any, **kwargs: Any) -> None:
        """It computes its answer for these arguments without automatic differentiation, as far as can be seen.

        Raises:
            NeedsReview: it doesn't; the message says by what sign.
        """
        signs = self._student._ask("autograd", name=self._name, args=list(args), kwargs=kwargs)
        if signs:
            told = printable(", ".join(map(str, signs)), 200)
            raise NeedsReview(f"`{self._name}` leaves the differentiation to a library ({told})")

    def gradients(self, *args: Any, upstream: torch.Tensor, **kwargs: Any) -> Gradients:
        """Gradients of the sum of output · upstream with respect to the arguments, by autograd on the student's side.

        Of several outputs the first counts.
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
    """A `torch.nn.Module` of the student's. Running it changes neither its mode nor its gradients."""

    def __init__(self, student: Student, handle: Handle) -> None:
        super().__init__(handle)
        self._student = student

    def forward(self, *inputs: Any, training: bool = False, dropout: bool = True) -> Any:
        """What the model returns for these inputs, computed without gradients in eval (or train) mode.

        With `dropout=False` PyTorch's dropouts let everything through, whatever the mode.
        """
        return self._student._ask(
            "forward", model=self, inputs=list(inputs), training=training, dropout=dropout
        )

    def logits(
        self, x: torch.Tensor, *, classes: int | None = None, training: bool = False, dropout: bool = True
    ) -> torch.Tensor:
        """Like `forward` for one input of N rows, as float64 (N, classes).

        Raises:
            CheckFailed: the output is no tensor of that shape.
        """
        y = self.forward(x, training=training, dropout=dropout)
        if not isinstance(y, torch.Tensor):
            found = "nothing (is a `return` missing?)" if y is None else f"a {type(y).__name__}"
            raise CheckFailed(f"the network returns {found}, not a tensor")
        if y.ndim != 2 or len(y) != len(x) or (classes is not None and y.shape[1] != classes):
            wanted = f"({len(x)}, {classes or 'classes'})"
            raise CheckFailed(f"for {len(x)} images the network returns shape {tuple(y.shape)}, not {wanted}")
        return y.double()

    def predict(self, x: torch.Tensor, *, batch: int = 1000) -> torch.Tensor:
        """Predicted classes (N,) for N inputs, in eval mode, asked for in pieces of `batch` rows."""
        return torch.cat([self.logits(part).argmax(1) for part in x.split(batch)])

    def gradients(self, *inputs: Any, upstream: torch.Tensor) -> Gradients:
        """Gradients of the sum of output · upstream in eval mode, with respect to inputs and parameters."""
        return Gradients.of(self._student._ask("gradients", model=self, args=list(inputs), upstream=upstream))

    def used(self, *inputs: Any) -> set[str]:
        """Names of PyTorch's functions that a pass in eval mode goes through, such as "softmax"."""
        return names_in(self._student._ask("used", model=self, args=list(inputs)))

    def attribute(self, name: str) -> Any:
        """A copy of an attribute that is data, None if there is none of that name."""
        return self._student._ask("attribute", model=self, attribute=name)

    def state(self) -> dict[str, torch.Tensor]:
        """Copies of parameters and buffers by the student's names for them, in float64 where they are floats."""
        state = self._student._ask("state", model=self)
        return {name: t.double() if t.is_floating_point() else t for name, t in state.items()}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Overwrite the named parameters and buffers."""
        self._student._ask("load", model=self, state=dict(state))

    def layers(self, *inputs: torch.Tensor) -> list[Layer]:
        """The layers of one forward pass in eval mode, in the order they ran."""
        operations = self._student._ask("trace", model=self, inputs=list(inputs), training=False)
        return [Layer(**operation) for operation in operations]

    def redraw(self, *inputs: torch.Tensor, generator: torch.Generator) -> list[Layer]:
        """Give every layer of one forward pass new random values, so that no lucky initialisation hides a slip.

        Weights keep the variance of their inputs, scales take both signs, running variances stay positive.

        Returns:
            The layers in the order they ran, with the `values` their parameters have now.
        """
        layers, state = self.layers(*inputs), self.state()
        drawn = []
        for layer in layers:
            values = {}
            for role, name in layer.parameters.items():
                shape = state[name].shape
                value = torch.randn(shape, generator=generator)
                if layer.kind == "batch_norm" and role in ("weight", "running_var"):
                    sign = value.sign() if role == "weight" else 1.0
                    value = sign * (0.5 + torch.rand(shape, generator=generator))
                elif role == "weight":
                    value = value / shape[1:].numel() ** 0.5
                values[role] = value.double()
            drawn.append(replace(layer, values=values))
        self.load({name: layer.values[role] for layer in drawn for role, name in layer.parameters.items()})
        return drawn

    def fit(
        self, x: torch.Tensor, y: torch.Tensor, *, steps: int, batch: int, lr: float, momentum: float
    ) -> None:
        """Train the model on (x, y) by our own SGD with momentum, for judging a network apart from the
        student's training loop."""
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
    """A text that came from the other side, cut, and without control characters and halves of characters."""
    if not isinstance(text, str):
        return f"a {type(text).__name__}"
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text[:length])


def names_in(reply: Any) -> set[str]:
    """The texts of a list that came from the other side."""
    return {printable(name, 80) for name in reply} if isinstance(reply, list) else set()


def _handle(value: Any) -> Handle:
    if isinstance(value, Opaque):
        return value.handle
    raise TypeError(f"a check sends data and the student's own objects, not a {type(value).__name__}")


# -- who carries the requests ----------------------------------------------------------------------------

_connected: Transport | None = None


def connect(transport: Transport | None) -> None:
    """Let checks in this process reach the student through `transport`; None goes back to the notebook."""
    global _connected
    _connected = transport


def current_student() -> Student:
    """The student behind the checks of this process.

    Raises:
        RuntimeError: there is neither a transport nor a notebook.
    """
    if _connected is not None:
        return Student(_connected)
    shell = get_ipython()
    if shell is None:
        raise RuntimeError("checks run in a notebook, or after connect(transport)")
    return Student(Worker(shell.user_ns).serve)
