"""Read tokens from what students return."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from chainrule.lesson.checks import numbers
from chainrule.lesson.student import CheckFailed, returned


def token_pair(value: Any, name: str) -> tuple[Tensor, Tensor]:
    """Two tensors of tokens, int64.

    Args:
        name: the student's function.
    Raises:
        CheckFailed: it returned something else.
    """
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise CheckFailed(f"{name} returns {returned(value)}, not a pair")
    return as_tokens(value[0], f"the first of what {name} returns"), as_tokens(
        value[1], f"the second of what {name} returns"
    )


def as_tokens(value: Any, name: str) -> Tensor:
    """The value as tokens, int64.

    Raises:
        CheckFailed: it has numbers that are not whole.
    """
    tensor = numbers(value, name)
    if (tensor != tensor.round()).any():
        raise CheckFailed(f"{name} holds numbers that are no tokens")
    return tensor.long()
