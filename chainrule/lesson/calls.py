"""Call a student's functions with tensors or NumPy arrays, and take entries out of what they return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from chainrule.lesson.checks import numbers
from chainrule.lesson.student import CheckFailed, StudentError, returned


def call(function: Callable[..., Any], *args: Any) -> Any:
    """What a function of the student's returns for these tensors or, if it raises for them, for NumPy arrays.

    Args:
        function: `student.f`, or its `expect_by_hand`.
        args: tensors, numbers, and dicts and lists of tensors.
    Raises:
        StudentError: it raises for both; the message is the one about tensors.

    >>> call(lambda x: x.sum(), torch.ones(2))
    tensor(2.)
    """
    try:
        return function(*args)
    except StudentError as failure:
        error = failure
    try:
        return function(*map(as_arrays, args))
    except StudentError:
        raise error from None


def as_arrays(value: Any) -> Any:
    """The value with NumPy arrays for tensors, also in dicts and lists.

    >>> as_arrays({"W": torch.ones(2)})
    {'W': array([1., 1.], dtype=float32)}
    """
    if isinstance(value, torch.Tensor):
        return value.numpy()
    if isinstance(value, list):
        return list(map(as_arrays, value))
    return {name: as_arrays(entry) for name, entry in value.items()} if isinstance(value, dict) else value


def entry(result: Any, key: str, function: str) -> Any:
    """One entry of the dict that a function of the student's returned.

    Raises:
        CheckFailed: it returned no dict, or one without this key.

    >>> entry({"W": [1, 2]}, "b", "backprop")
    Traceback (most recent call last):
    chainrule.lesson.student.CheckFailed: what `backprop` returns has no entry "b"
    """
    if not isinstance(result, Mapping):
        raise CheckFailed(f"`{function}` returns {returned(result)}, not a dict")
    if key not in result:
        raise CheckFailed(f'what `{function}` returns has no entry "{key}"')
    return result[key]


def expect_size(value: Any, name: str, shape: Sequence[int]) -> None:
    """The value is finite numbers of this shape. A vector may be a row or a column, a number a tensor with one entry.

    Raises:
        CheckFailed: it is something else; the message names both shapes.

    >>> expect_size([[1.0], [2.0]], "b", (2,))
    """
    got = tuple(numbers(value, name).shape)
    long = [size for size in got if size != 1]
    same = got == tuple(shape) or (len(shape) < 2 and long == [size for size in shape if size != 1])
    if not same:
        raise CheckFailed(f"{name} has shape {got}, not {tuple(shape)}")


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Failures in the block begin with this subject.

    >>> with about("the second batch"):
    ...     raise CheckFailed("the loss is 0")
    Traceback (most recent call last):
    chainrule.lesson.student.CheckFailed: the second batch: the loss is 0
    """
    try:
        yield
    except CheckFailed as failure:
        raise type(failure)(f"{subject}: {failure}", failure.cause) from None
