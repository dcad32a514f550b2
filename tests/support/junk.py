"""Junk in the form of an answer: what fills it was not computed, but types, shapes and keys are right."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Fill = Callable[[Tensor, list[Any]], Tensor]  # from a right value and what could be copied


RANDOM = torch.Generator()  # not the global one, whose state checks restore


def noise(value: Tensor, size: float) -> Tensor:
    return size * torch.randn(value.shape, generator=RANDOM, dtype=torch.float64)


def copied(value: Tensor, given: list[Any], place: int, factor: float = 1) -> Tensor:
    """The first given array of this shape (place 0) or the last one (place -1), or as many numbers of the first or last
    array that has some, times a factor."""
    arrays = [torch.as_tensor(one).detach() for one in leaves(given)]
    alike = [array for array in arrays if array.shape == value.shape]
    if alike:
        return factor * alike[place]
    numbers = ([array for array in arrays if array.numel() > 1] or [torch.tensor([3.0])])[place]
    return factor * numbers.flatten()[torch.arange(value.numel()) % numbers.numel()].reshape(value.shape)


KINDS: dict[str, Fill] = {
    "zeros": lambda value, given: torch.zeros_like(value),
    "ones": lambda value, given: torch.ones_like(value),
    "a constant": lambda value, given: torch.full(value.shape, 0.7, dtype=torch.float64),
    "infinity": lambda value, given: torch.full(value.shape, torch.inf, dtype=torch.float64),
    "NaN": lambda value, given: torch.full(value.shape, torch.nan, dtype=torch.float64),
    "noise": lambda value, given: noise(value, 1),
    "tiny": lambda value, given: noise(value, 1e-9),
    "huge": lambda value, given: noise(value, 1e30),
    "arguments": lambda value, given: copied(value, given, 0),
    "tiny arguments": lambda value, given: copied(value, given, 0, 1e-9),
    "huge arguments": lambda value, given: copied(value, given, 0, 1e20),
    "last arguments": lambda value, given: copied(value, given, -1),
    "tiny last arguments": lambda value, given: copied(value, given, -1, 1e-9),
    "huge last arguments": lambda value, given: copied(value, given, -1, 1e20),
}


def leaves(value: Any) -> Iterator[Any]:
    """The numbers, arrays and tensors in a value."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from leaves(one)
    elif isinstance(value, int | float | np.ndarray | np.generic | Tensor) and not isinstance(value, bool):
        yield value


def junk(value: Any, kind: str, given: list[Any]) -> Any:
    """Junk in the form of a value."""
    if isinstance(value, Mapping):
        return {key: junk(one, kind, given) for key, one in value.items()}
    if isinstance(value, list | tuple):
        if value and all(isinstance(one, int | float) for one in value):
            filled = KINDS[kind](torch.tensor(value, dtype=torch.float64), given)
            return type(value)(filled.tolist())
        return type(value)(junk(one, kind, given) for one in value)
    if isinstance(value, nn.Module):
        return Network(kind)
    if of_tensorflow(value):
        return in_tensorflow(value, kind, given)
    if isinstance(value, Tensor):
        return KINDS[kind](value.detach(), given)
    if isinstance(value, np.ndarray | np.generic):
        return KINDS[kind](torch.as_tensor(value), given).numpy()
    if isinstance(value, int | float):
        return float(KINDS[kind](torch.tensor(float(value)), given))
    return 0


def of_tensorflow(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] in ("tensorflow", "keras")


def in_tensorflow(value: Any, kind: str, given: list[Any]) -> Any:
    """Junk in the form of a tensor, a variable or a network of TensorFlow's."""
    import keras
    import tensorflow as tf

    if isinstance(value, keras.Layer):

        class Layer(keras.Model):  # type: ignore[misc]  # keras has no types
            def __init__(self) -> None:
                super().__init__()
                self.idle = self.add_weight(shape=(1,), initializer="zeros")

            def call(self, x: Any, training: bool = False) -> Any:
                return tf.constant(KINDS[kind](torch.zeros(len(x), 10), [x]).float().numpy()) + 0 * self.idle

        return Layer()
    if not hasattr(value, "numpy"):
        return 0  # an optimizer
    filled = KINDS[kind](torch.as_tensor(np.array(value)).double(), [as_torch(one) for one in given])
    return tf.cast(filled.numpy(), value.dtype)


def as_torch(value: Any) -> Any:
    """A value with PyTorch's tensors in place of TensorFlow's."""
    if isinstance(value, list | tuple):
        return [as_torch(one) for one in value]
    return torch.as_tensor(np.array(value)) if of_tensorflow(value) and hasattr(value, "numpy") else value


class Network(nn.Module):
    """A network without layers, whose output is junk. One parameter that changes nothing lets optimizers take it."""

    def __init__(self, kind: str, shape: Callable[..., tuple[int, ...]] | None = None) -> None:
        super().__init__()
        self.idle = nn.Parameter(torch.zeros(1))
        self.kind, self.shape = kind, shape or (lambda x, *more: (len(x), 10))

    def forward(self, *inputs: Any) -> Tensor:
        filled = KINDS[self.kind](torch.zeros(self.shape(*inputs)), list(inputs)).float()
        return filled + 0 * self.idle


def replace(
    names: dict[str, Any], answers: Collection[str], kind: str, forms: Mapping[str, Any], which: str
) -> None:
    """Put junk in place of answers.

    Args:
        names: the notebook's names, with right answers among them; changed in place.
        answers: which of the names are answers.
        forms: by name, functions that give a right form from the arguments, where the answer itself takes long; for a
            class, the shape of its output from the inputs.
        which: "functions", with classes among them, or "values".
    """
    given = [value for name, value in names.items() if name not in answers and not name.startswith("_")]
    for name in answers:
        right = names.get(name, 0)
        if (callable(right) and not isinstance(right, nn.Module)) != (which == "functions"):
            continue
        if which == "values":
            names[name] = junk(right, kind, given)
        elif isinstance(right, type):
            names[name] = partial(build, kind, forms.get(name))
        elif not isinstance(right, partial):
            names[name] = partial(call, kind, forms.get(name, right))


def build(kind: str, form: Any, *_: Any, **__: Any) -> Network:
    """A network in place of a class's object."""
    return Network(kind, form)


def call(kind: str, form: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    """What a function returns in place of the right answer; its arguments stay as they are."""
    copies = [one.detach().clone() if isinstance(one, Tensor) else one for one in arguments]
    return junk(form(*copies, **more), kind, [*arguments, *more.values()])
