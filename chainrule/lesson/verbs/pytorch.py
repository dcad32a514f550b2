"""The verbs that run, look into or change a network of PyTorch's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.hooks import RemovableHandle

from chainrule.lesson.frameworks import Layouts
from chainrule.lesson.normalisation import keep, normalisation
from chainrule.lesson.stubs import StubAttention


class Verbs:
    """Verbs over the names of a notebook whose networks are PyTorch's.

    >>> Verbs({}, {}).is_model(nn.ReLU())
    True
    """

    STUBS: ClassVar = "chainrule.worker.stubs"  # the module with what stands for parts of the notebook

    def __init__(self, namespace: MutableMapping[str, Any], layouts: Layouts) -> None:
        self.namespace = namespace
        self.layouts = layouts

    def is_model(self, value: Any) -> bool:
        """Whether a value is a network or a layer."""
        return isinstance(value, nn.Module)

    def function(self, name: str) -> Callable[..., Any]:
        """A function or class of the student's, for arguments and results as checks have them."""
        function: Callable[..., Any] = self.namespace[name]
        return function

    def own(self, value: Any) -> Any:
        """A value from a check, with the framework's tensors in it."""
        return value

    def neutral(self, value: Any) -> Any:
        """A value of the student's, with PyTorch's tensors in place of the framework's: the inverse of `own`."""
        return value

    def no_dropout(self) -> NoDropout:
        """A block in which PyTorch's dropouts do nothing."""
        return NoDropout()

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
            result = (model or self.function(name))(*given, **(kwargs or {}))
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
            (model or self.function(name))(*args, **(kwargs or {}))
        return sorted(mode.names)

    def do_stub_attention(self, query: float, key: float, value: float) -> nn.Module:
        """See `stubs.StubAttention`."""
        return StubAttention(query, key, value)

    def do_state(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """Parameters and buffers by name, each under the first of its names if a layer is registered twice."""
        kept = model.state_dict(keep_vars=True)  # the tensors themselves, so that the same one can be told
        firsts = {id(value): name for name, value in reversed(kept.items())}
        return {name: value for name, value in model.state_dict().items() if firsts[id(kept[name])] == name}

    def do_adopt(self, model: nn.Module, inputs: Sequence[Any]) -> None:
        """Register the layers that a module keeps in plain lists, tuples or dicts, and of several outputs return the
        first, so that all else can be judged. For some inputs also register the layers that it makes on their way."""
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
        model.register_forward_hook(lambda module, args, output: first_of(output))
        if inputs:
            made = MadeOnTheWay(model)
            model.register_forward_pre_hook(made.begin)
            model.register_forward_hook(made.end, always_call=True)
            with torch.no_grad(), in_mode(model, False):
                model(*on_device_of(model, inputs))

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


def first_of(output: Any) -> Any:
    """The first of several outputs, if that is a tensor.

    >>> first_of((torch.tensor(1), 2)), first_of([3, 4])
    (tensor(1), [3, 4])
    """
    several = isinstance(output, tuple | list) and output and isinstance(output[0], torch.Tensor)
    return output[0] if several else output


class MadeOnTheWay:
    """Keeps the tensors of layers that a model makes in its first forward pass, as its own. Layers that it makes later
    get these, in the order in which they run.

    >>> class Late(nn.Module):
    ...     def forward(self, x):
    ...         return nn.Linear(2, 3)(x)
    >>> late = Late()
    >>> made = MadeOnTheWay(late)
    >>> _ = late.register_forward_pre_hook(made.begin), late.register_forward_hook(made.end)
    >>> once, again = late(torch.ones(2)), late(torch.ones(2))
    >>> torch.equal(once, again), sorted(late.state_dict())
    (True, ['made_on_the_way_0_bias', 'made_on_the_way_0_weight'])
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.kept: list[nn.Module] = []
        self.known: set[int] = set()
        self.seen = 0
        self.hook: RemovableHandle | None = None

    def begin(self, model: nn.Module, args: Any) -> None:
        """A forward pass begins."""
        self.seen, self.known = 0, {id(module) for module in model.modules()}
        self.hook = nn.modules.module.register_module_forward_pre_hook(self._run)

    def end(self, model: nn.Module, args: Any, output: Any) -> None:
        """It has ended, perhaps with an error."""
        if self.hook is not None:
            self.hook.remove()

    def _run(self, module: nn.Module, args: Any) -> None:
        tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        if id(module) in self.known or not tensors:
            return
        if self.seen == len(self.kept):
            self.kept.append(module)
            for name, value in tensors:  # no modules: a Sequential would run them
                own = f"made_on_the_way_{self.seen}_{name}"
                if isinstance(value, nn.Parameter):
                    self.model.register_parameter(own, value)
                else:
                    self.model.register_buffer(own, value)
        kept = self.kept[self.seen]
        self.seen += 1
        module._parameters.update(kept._parameters)
        module._buffers.update(kept._buffers)


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
