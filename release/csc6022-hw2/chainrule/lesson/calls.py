"""Ask a student's functions in the library they are written in, and take entries out of what they return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from chainrule.lesson.checks import numbers
from chainrule.lesson.student import CheckFailed, StudentError


def call(function: Callable[..., Any], *args: Any) -> Any:
    """What a function of the student's gives for these tensors or, if it raises on them, for NumPy arrays.

    Args:
        function: `student.f`, or its `expect_by_hand`.
        args: tensors, numbers, and dicts of tensors.
    Raises:
        StudentError: it raises on both; told is what it said of the tensors.
    """
    try:
        return function(*args)
    except StudentError as failure:
        told = failure
    try:
        return function(*map(as_arrays, args))
    except StudentError:
        raise told from None


def as_arrays(value: Any) -> Any:
    """The same with NumPy arrays for tensors."""
    if isinstance(value, torch.Tensor):
        return value.numpy()
    return {name: as_arrays(entry) for name, entry in value.items()} if isinstance(value, dict) else value


def entry(result: Any, key: str, function: str) -> Any:
    """One entry of the dict that a function of the student's returned.

    Raises:
        CheckFailed: it returned no dict, or one without this key.
    """
    if not isinstance(result, Mapping):
        found = "nothing (is a `return` missing?)" if result is None else f"a {type(result).__name__}"
        raise CheckFailed(f"`{function}` returns {found}, not a dict")
    if key not in result:
        raise CheckFailed(f'what `{function}` returns has no entry "{key}"')
    return result[key]


def expect_size(value: Any, name: str, shape: Sequence[int]) -> None:
    """Finite numbers of this shape. A vector may be a row or a column, a single number a tensor with one entry.

    Raises:
        CheckFailed: something else; the message names both shapes.
    """
    got = tuple(numbers(value, name).shape)
    long = [size for size in got if size != 1]
    same = got == tuple(shape) or (len(shape) < 2 and long == [size for size in shape if size != 1])
    if not same:
        raise CheckFailed(f"{name} has shape {got}, not {tuple(shape)}")


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Failures in the block name their subject first."""
    try:
        yield
    except CheckFailed as failure:
        raise type(failure)(f"{subject}: {failure}") from None
