"""What a check can ask of student code: a dozen verbs over the names of a notebook.

`Worker.serve` takes a packed request and returns a packed reply. In a student's notebook it is called directly; in a
grading run it is in another process than the checks. It judges nothing and knows no expected value.
"""

from __future__ import annotations

import copy
import inspect
import os
import socket
import traceback
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib import import_module
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from IPython.utils.capture import capture_output
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.hooks import RemovableHandle

from chainrule.lesson import by_hand
from chainrule.lesson.normalisation import keep, normalisation
from chainrule.lesson.stubs import StubAttention
from chainrule.lesson.time_limits import time_limit
from chainrule.lesson.todo import Unfinished
from chainrule.lesson.wire import Handle, WireError, pack, receive_request, send_reply, unpack

# frames of files in these folders are not the student's own lines
_NOT_STUDENT = tuple(
    os.path.dirname(path) for path in (os.path.dirname(torch.__file__), os.__file__, __file__)
)


class Worker:
    """Serves the verbs below: a request for the verb "get" is answered by `do_get`.

    Args:
        namespace: the student's names, for instance a notebook's `user_ns`.

    >>> request = pack({"verb": "call", "args": {"name": "double", "args": [3], "kwargs": {}}})
    >>> unpack(Worker({"double": lambda x: 2 * x}).serve(request, seconds=1.0))
    {'value': 6}
    """

    def __init__(self, namespace: MutableMapping[str, Any]) -> None:
        self.namespace = namespace
        self.objects: list[Any] = []
        self._stubbed: list[str] = []  # names that stand for stubs
        self._before: dict[str, Any] = {}  # what those of them were that the notebook defines

    def serve(self, request: bytes, seconds: float) -> bytes:
        """Answer one request: `{"value": …}` or, if student code raised, `{"error": {type, message, where}}`.

        What the student's code prints or displays is dropped. After `seconds` it is interrupted, and the error's type
        is "TimeLimit".
        """
        try:
            message = unpack(request, self._object)
            verb: Callable[..., Any] = getattr(self, f"do_{message['verb']}")
            with capture_output(), time_limit(seconds):
                return pack({"value": verb(**message["args"])}, self._handle)
        except WireError as error:
            return pack({"error": {"type": "WireError", "message": str(error), "where": ""}})
        except KeyboardInterrupt:
            raise  # the person at the keyboard, or the grader's cell limit
        except BaseException as error:  # SystemExit included: student code may raise anything
            return pack({"error": describe(error)})

    def _object(self, handle: Handle) -> Any:
        return self.objects[handle.id]

    def _handle(self, value: Any) -> Handle:
        id = next((i for i, known in enumerate(self.objects) if known is value), len(self.objects))
        if id == len(self.objects):
            self.objects.append(value)
        return Handle(id, "model" if isinstance(value, nn.Module) else "object", type(value).__name__)

    # -- the verbs ---------------------------------------------------------------------------------------

    def do_get(self, name: str) -> Any:
        """The value of a name, `{"value": …}`; `{"missing": True}`; or `{"function": True}` for what can be called."""
        if name not in self.namespace:
            return {"missing": True}
        value = self.namespace[name]
        if callable(value) and not isinstance(value, nn.Module):
            return {"function": True}
        return {"value": value}

    def do_call(self, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Call a function or class of the student's."""
        return self.namespace[name](*args, **kwargs)

    def do_call_with(
        self, instead: Mapping[str, Sequence[Any]], name: str, args: Sequence[Any]
    ) -> dict[str, Any]:
        """Call a function of the student's while others of the notebook return given values.

        Args:
            instead: the values by the others' names, one for each call in turn, then from the first again.
        Returns:
            "value", and "calls": for each of the others, the arguments of each of its calls, in the order of its own
            parameters.
        """
        names = self.namespace  # where the function looks for the others
        calls: dict[str, list[list[Any]]] = {other: [] for other in instead}

        def giving(other: str) -> Callable[..., Any]:
            def give(*args: Any, **kwargs: Any) -> Any:
                calls[other].append(in_order(before.get(other), args, kwargs))
                return copy.deepcopy(instead[other][(len(calls[other]) - 1) % len(instead[other])])

            return give

        before = {other: names[other] for other in instead if other in names}
        names.update({other: giving(other) for other in instead})
        try:
            return {"value": names[name](*args), "calls": calls}
        finally:
            for other in instead:
                names.pop(other, None)
            names.update(before)

    def do_stub(self, stubs: Mapping[str, str]) -> None:
        """From now on these names of the notebook, and no others, stand for stubs: kinds by name, of `STUBS`."""
        # only hidden checks ask for these: students have no such module
        kinds = import_module("chainrule.worker.stubs").STUBS
        self.unstub()
        self._before = {name: self.namespace[name] for name in stubs if name in self.namespace}
        self._stubbed = [*stubs]
        self.namespace.update({name: kinds[kind] for name, kind in stubs.items()})

    def unstub(self) -> None:
        """The names that stand for stubs are the notebook's own again."""
        for name in self._stubbed:
            self.namespace.pop(name, None)
        self.namespace.update(self._before)
        self._stubbed, self._before = [], {}

    def do_autograd(self, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> list[str]:
        """Signs that a function of the student's leaves the differentiation to a library: see `by_hand.watch`."""
        with by_hand.watch(self.namespace[name], self.namespace) as signs:
            self.namespace[name](*args, **kwargs)
        return sorted(signs)

    def do_forward(self, model: nn.Module, inputs: Sequence[Any], training: bool, dropout: bool) -> Any:
        """The model's output, without gradients, in train or eval mode; `dropout=False` switches dropout off."""
        with torch.no_grad(), in_mode(model, training), nullcontext() if dropout else NoDropout():
            return model(*on_device_of(model, inputs))

    def do_gradients(
        self,
        args: Sequence[Any],
        upstream: torch.Tensor,
        name: str = "",
        model: nn.Module | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Gradients of the sum of output · upstream, of a function of the student's or of a model in eval mode.

        Args:
            upstream: of the shape of the output; of several outputs the first counts.
        Returns:
            "inputs": one entry for each argument, and for each entry of one that is a list; None for those that are
            no float tensors or don't affect the output;
            "parameters": the model's by name, None for those that don't affect the output.
        """
        args = on_device_of(model, args) if model else args
        leaves: list[Any] = []

        def watched(arg: Any) -> Any:
            """The argument, of which autograd watches the tensors. As in a network they are no leaves, which student
            code could not change in place."""
            if isinstance(arg, list):
                return [watched(one) for one in arg]
            real = isinstance(arg, torch.Tensor) and arg.is_floating_point()
            leaves.append(arg.detach().clone().requires_grad_() if real else arg)
            return leaves[-1].clone() if real else arg

        given = [watched(arg) for arg in args]
        with torch.enable_grad(), in_mode(model, False) if model else nullcontext():
            result = (model or self.namespace[name])(*given, **(kwargs or {}))
        output = result[0] if isinstance(result, tuple | list) else result
        parameters = dict(model.named_parameters()) if model else {}
        wanted = [x for x in (*leaves, *parameters.values()) if getattr(x, "requires_grad", False)]
        gradients: dict[int, torch.Tensor | None] = {}
        if isinstance(output, torch.Tensor) and output.requires_grad:
            values = torch.autograd.grad(output, wanted, upstream.to(output), allow_unused=True)
            gradients = {id(x): g for x, g in zip(wanted, values, strict=True)}
        return {
            "inputs": [gradients.get(id(x)) for x in leaves],
            "parameters": {name: gradients.get(id(p)) for name, p in parameters.items()},
        }

    def do_is_a(self, model: nn.Module, name: str) -> bool:
        """Whether the model is a `torch.nn` module of this name, or of a class derived from it."""
        return isinstance(model, getattr(nn, name))

    def do_attribute(self, model: nn.Module, attribute: str) -> Any:
        """An attribute of a model that is data; None if there is none of that name."""
        return getattr(model, attribute, None)

    def do_used(
        self,
        args: Sequence[Any],
        name: str = "",
        model: nn.Module | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Names of PyTorch's functions that run in a call of a function, or in a forward pass of a model."""
        args = on_device_of(model, args) if model else args
        with torch.no_grad(), in_mode(model, False) if model else nullcontext(), Names() as mode:
            (model or self.namespace[name])(*args, **(kwargs or {}))
        return sorted(mode.names)

    def do_stub_attention(self, query: float, key: float, value: float) -> nn.Module:
        """See `stubs.StubAttention`."""
        return StubAttention(query, key, value)

    def do_state(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """Parameters and buffers by name, each under the first of its names if a layer is registered twice."""
        kept = model.state_dict(keep_vars=True)  # the tensors themselves, so that the same one can be told
        firsts = {id(value): name for name, value in reversed(kept.items())}
        return {name: value for name, value in model.state_dict().items() if firsts[id(kept[name])] == name}

    def do_adopt(self, model: nn.Module) -> None:
        """Register the layers that a module keeps in plain lists, tuples or dicts, so that all else can be judged."""
        for module in list(model.modules()):
            known = {id(other) for other in model.modules()}
            for name, value in list(vars(module).items()):
                if not name.startswith("_"):
                    for i, layer in enumerate(modules_in(value)):
                        if id(layer) not in known:
                            free = f"{name}_{i}"
                            while hasattr(module, free):  # a name of the student's own
                                free += "_"
                            module.add_module(free, layer)

    def do_load(self, model: nn.Module, state: dict[str, torch.Tensor]) -> None:
        """Overwrite these parameters and buffers, leave the others."""
        model.load_state_dict(model.state_dict() | state)

    def do_trace(self, model: nn.Module, inputs: Sequence[Any], training: bool) -> list[dict[str, Any]]:
        """The layers of one forward pass in the order they ran, as `Tracer` describes them."""
        inputs = on_device_of(model, inputs)
        with torch.no_grad(), in_mode(model, training):
            model(*inputs)  # gives lazy layers their parameters
            tracer = Tracer(model)
            with tracer:
                model(*inputs)
        return tracer.operations

    def do_bypass(self, model: nn.Module, modules: Sequence[str]) -> None:
        """From now on the outputs of these modules of the model are their inputs."""
        for name in modules:
            model.get_submodule(name).register_forward_hook(lambda module, args, output: args[0])

    def do_fit(
        self,
        model: nn.Module,
        x: torch.Tensor,
        y: torch.Tensor,
        steps: int,
        batch: int,
        lr: float,
        momentum: float,
    ) -> None:
        """Minimise cross-entropy by SGD with momentum, on `steps` batches in order."""
        x, y = on_device_of(model, (x, y))
        parameters = list(model.parameters())
        velocity = [torch.zeros_like(p) for p in parameters]
        with in_mode(model, training=True):
            for step in range(steps):
                take = torch.arange(step * batch, (step + 1) * batch, device=x.device) % len(x)
                loss = F.cross_entropy(model(x[take]), y[take])
                gradients = torch.autograd.grad(loss, parameters, materialize_grads=True)  # 0 if unused
                with torch.no_grad():
                    for p, v, g in zip(parameters, velocity, gradients, strict=True):
                        p.sub_(lr * v.mul_(momentum).add_(g))

    def do_network(self, layers: Sequence[Sequence[Any]], state: dict[str, torch.Tensor]) -> nn.Module:
        """A sequence of `torch.nn` layers, each given as (name, arguments…), with these weights."""
        network = nn.Sequential(*(getattr(nn, name)(*args) for name, *args in layers))
        network.load_state_dict(network.state_dict() | state)
        return network

    def do_loader(self, x: torch.Tensor, y: torch.Tensor, batch: int) -> DataLoader[tuple[torch.Tensor, ...]]:
        """A data loader that serves (x, y) in order; the last batch may be short."""
        return DataLoader(TensorDataset(x, y), batch_size=batch)


def attend(namespace: MutableMapping[str, Any], descriptor: int, token: str) -> None:
    """Answer the requests that the referee sends over a Unix socket, until it closes the connection.

    Args:
        namespace: as for `Worker`.
        descriptor: of a listening socket, to which the referee connects.
        token: what the referee says first, in ASCII. Other connections are closed: those of an earlier graded cell.

    >>> import tempfile
    >>> import threading
    >>> from chainrule.lesson.wire import receive_reply, send_request
    >>> line, listening = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     listening.bind(f"{folder}/worker")
    ...     listening.listen()
    ...     threading.Thread(target=attend, args=({"lr": 0.1}, listening.fileno(), "token")).start()
    ...     line.connect(f"{folder}/worker")
    >>> line.sendall(b"token")
    >>> line.recv(5)
    b'token'
    >>> send_request(line, pack({"verb": "get", "args": {"name": "lr"}}), seconds=5.0)
    >>> unpack(receive_reply(line, seconds=5.0))
    {'value': {'value': 0.1}}
    >>> line.close()
    """
    worker, said = Worker(namespace), token.encode()
    with socket.socket(fileno=os.dup(descriptor)) as listener:
        line, _ = listener.accept()
        while line.recv(len(said), socket.MSG_WAITALL) != said:
            line.close()
            line, _ = listener.accept()
    try:
        with line:
            line.sendall(said)
            while (received := receive_request(line)) is not None:
                try:
                    reply = worker.serve(*received)
                except KeyboardInterrupt:  # by the referee, which kills this process if that does not help
                    reply = pack({"error": {"type": "TimeLimit", "message": "interrupted", "where": ""}})
                send_reply(line, reply)
    finally:
        worker.unstub()  # the referee may have stopped within a block with stubs


def in_order(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """The arguments of a call in the order of the function's parameters.

    Raises:
        TypeError: the function does not take these arguments.

    >>> in_order(lambda a, b: None, [], {"b": 2, "a": 1})
    [1, 2]
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # nothing that can be called, or a function without a signature
        return [*args, *kwargs.values()]
    bound = signature.bind(*args, **kwargs)
    return [*bound.args, *bound.kwargs.values()]


def modules_in(value: Any) -> Iterator[nn.Module]:
    """The modules in a list, tuple or dict, also in those inside it.

    >>> [type(module).__name__ for module in modules_in([nn.ReLU(), {"last": (nn.Tanh(), 3)}])]
    ['ReLU', 'Tanh']
    """
    entries = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list | tuple):
        for entry in entries:
            if isinstance(entry, nn.Module):
                yield entry
            else:
                yield from modules_in(entry)


def describe(error: BaseException) -> dict[str, str]:
    """An exception of student code as three short strings: its type, its message, the student's own line.

    >>> describe(ValueError("a negative size"))
    {'type': 'ValueError', 'message': 'a negative size', 'where': ''}
    """
    where = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if not frame.filename.startswith(_NOT_STUDENT) and frame.line:
            where = f"line {frame.lineno} of `{frame.name}`: {frame.line}"
    try:
        message = str(error)
    except Exception:
        message = ""
    # A NotImplementedError without a message is a stub, too; PyTorch raises it with one for dtypes it can't handle.
    stub = isinstance(error, Unfinished) or (isinstance(error, NotImplementedError) and not message)
    kind = "Unfinished" if stub else type(error).__name__
    return {"type": kind[:80], "message": message[:400], "where": where[:200]}


def on_device_of(model: nn.Module, inputs: Sequence[Any]) -> list[Any]:
    """The inputs, tensors among them moved to the device of the model's parameters.

    >>> on_device_of(nn.Linear(2, 1), [torch.ones(2), 3])
    [tensor([1., 1.]), 3]
    """
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    return [x.to(device) if isinstance(x, torch.Tensor) else x for x in inputs]


@contextmanager
def in_mode(model: nn.Module, training: bool) -> Iterator[None]:
    """Train or eval mode in the block; at its end every module has its own mode again.

    >>> model = nn.Linear(2, 1)
    >>> with in_mode(model, training=False):
    ...     model.training
    False
    >>> model.training
    True
    """
    before = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, was_training in before:
            module.training = was_training


class NoDropout(TorchFunctionMode):
    """Switches PyTorch's dropouts off, also where student code forgets to do so in eval mode.

    >>> with NoDropout():
    ...     F.dropout(torch.ones(3), 0.5)
    tensor([1., 1., 1.])
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if "dropout" in getattr(func, "__name__", ""):
            return args[0] if args else kwargs["input"]
        return func(*args, **kwargs)


class Names(TorchFunctionMode):
    """Collects the names of PyTorch's functions that run.

    >>> with Names() as mode:
    ...     _ = torch.ones(3).softmax(0)
    >>> sorted(mode.names)
    ['ones', 'softmax']
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names.add(str(getattr(func, "__name__", "")))
        return func(*args, **(kwargs or {}))


class Tracer(TorchFunctionMode):
    """Records layers as they run, written as modules or as functions: `nn.ReLU()(x)`, `F.relu(x)`, `x.relu()`.

    `operations` has one dict for each: `kind` (a key of `ARGUMENTS`), `input` and `output` (shapes), `parameters` (the
    student's name of each parameter or buffer by its role, such as "weight"), and `settings` (other arguments, such as
    stride and padding).

    A module that normalises by its own code is recorded, too, with its name as the setting "module": as "batch_norm" if
    that is what it does, with scale and shift to learn, otherwise as "normalisation", with the parameters that it uses
    in eval mode as BatchNorm does.

    >>> model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    >>> with Tracer(model) as tracer:
    ...     _ = model(torch.ones(4, 3))
    >>> [(operation["kind"], operation["output"]) for operation in tracer.operations]
    [('linear', (4, 2)), ('relu', (4, 2))]
    """

    # The arguments that are recorded, by position: torch.nn.functional's documented order.
    ARGUMENTS: ClassVar[dict[str, dict[str, int]]] = {
        "linear": {"weight": 1, "bias": 2},
        "conv2d": {"weight": 1, "bias": 2, "stride": 3, "padding": 4, "dilation": 5, "groups": 6},
        "batch_norm": {"running_mean": 1, "running_var": 2, "weight": 3, "bias": 4},
        "max_pool2d": {"kernel_size": 1, "stride": 2, "padding": 3, "dilation": 4, "ceil_mode": 5},
        "avg_pool2d": {"kernel_size": 1, "stride": 2, "padding": 3, "ceil_mode": 4},
        "dropout": {"p": 1},
        **{kind: {} for kind in ("relu", "softmax", "log_softmax")},
    }

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        named = [*model.named_parameters(), *model.named_buffers()]
        self.names = {id(tensor): name for name, tensor in named}
        self.operations: list[dict[str, Any]] = []
        self._model = model
        self._hooks: list[RemovableHandle] = []
        self._starts: list[int] = []  # for each module that is running: how many operations came before it
        self._own: list[tuple[dict[str, Any], nn.Module, torch.Tensor]] = []

    def __enter__(self) -> Self:
        for name, module in self._model.named_modules():
            if name:
                self._hooks += [
                    module.register_forward_pre_hook(self._begin),
                    module.register_forward_hook(partial(self._end, name)),
                ]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()
        for operation, module, x in self._own:
            found = normalisation(module, x)
            name = operation["settings"]["module"]
            if found is None:
                self.operations = [other for other in self.operations if other is not operation]
                continue
            for own in found.parameters.values():
                keep(module, own)
            right = "weight" in found.parameters and found.by_batch
            operation["kind"] = "batch_norm" if right else "normalisation"
            operation["parameters"] = {role: f"{name}.{own}" for role, own in found.parameters.items()}

    def _begin(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self._starts.append(len(self.operations))

    def _end(self, name: str, module: nn.Module, args: tuple[Any, ...], result: Any) -> None:
        """Note a module that may be a normalisation: it keeps the shape, and no layer that is known ran in it."""
        start = self._starts.pop()
        inside = self.operations[start:]
        x = args[0] if args else None
        if not isinstance(x, torch.Tensor) or not x.is_floating_point() or x.ndim < 2:
            return
        # what runs F.batch_norm without a scale is looked at, too
        if inside and [(one["kind"], "weight" in one["parameters"]) for one in inside] != [
            ("batch_norm", False)
        ]:
            return
        if isinstance(result, torch.Tensor) and result.shape == x.shape:
            shape = tuple(x.shape)
            settings = {"module": name}
            operation = {"kind": "", "input": shape, "output": shape, "parameters": {}, "settings": settings}
            self.operations[start:] = [operation]
            self._own.append((operation, module, x))

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        kind = getattr(func, "__name__", "").rstrip("_")
        if kind in self.ARGUMENTS:
            x = args[0] if args else kwargs.get("input")
            known = {
                name: args[position] if position < len(args) else kwargs.get(name)
                for name, position in self.ARGUMENTS[kind].items()
            }
            self.operations.append(
                {
                    "kind": kind,
                    "input": tuple(getattr(x, "shape", ())),
                    "output": tuple(getattr(result, "shape", ())),
                    "parameters": {k: self.names[id(v)] for k, v in known.items() if id(v) in self.names},
                    "settings": {k: v for k, v in known.items() if isinstance(v, int | float | str | tuple)},
                }
            )
        return result
