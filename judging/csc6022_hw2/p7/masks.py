"""Part 2: the masks of padding and of the future."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson.checks import expect, numbers
from chainrule.lesson.student import CheckFailed, Student
from judging.csc6022_hw2.p7.reference import causal_mask, padding_mask


def sentences(pad: int = 0) -> Tensor:
    """Tokens (3, 5) with padding at the end, at the beginning and in the middle."""
    return torch.tensor([[5, 8, 2, pad, pad], [pad, 1, 6, 5, 4], [3, 4, pad, 6, pad]])


def long_sentences() -> Tensor:
    """Tokens (2, 37), the second sentence with padding at the end."""
    tokens = torch.arange(74).reshape(2, 37) % 9 + 1
    tokens[1, 20:] = 0
    return tokens


def table_of(mask: Any, name: str, shape: Sequence[int]) -> Tensor:
    """A mask as numbers 0 and 1, expanded to every sentence, query and key.

    Raises:
        CheckFailed: it is not a mask that broadcasts to this shape.
    """
    table = numbers(mask, name)
    if not ((table == 0) | (table == 1)).all():
        raise CheckFailed(f"{name} holds other things than True and False")
    try:
        if table.dim() < 2:
            raise RuntimeError
        return table.expand(*shape)
    except RuntimeError:
        raise CheckFailed(
            f"{name} has shape {tuple(table.shape)}, which doesn't fit scores of shape {tuple(shape)}"
        ) from None


PADDING_MISTAKES: dict[str, Callable[[Tensor], Tensor]] = {
    "it is inverted: True where there is a word": lambda right: ~right,
    "it closes the rows of padding, queries: close the columns, keys": lambda right: right.mT,
    "it closes rows and columns: close the columns of padding, keys": lambda right: right & right.mT,
    "it closes the columns of words and the rows too": lambda right: ~right.mT,
    "it is open everywhere": torch.ones_like,
}


def expect_padding(student: Student) -> None:
    """(B, 1, n), open at the keys that are words."""
    for tokens in (sentences(), long_sentences()):
        (rows, n), name = tokens.shape, "the padding mask"
        right = padding_mask(tokens).expand(rows, n, n)
        expect(table_of(student.padding_mask(tokens), name, (rows, n, n)), name).close_to(
            right, mistakes={meaning: f(right) for meaning, f in PADDING_MISTAKES.items()}
        )


def expect_any_pad(student: Student) -> None:
    """The padding token is the argument `pad`, whatever its value."""
    first = table_of(student.padding_mask(sentences()), "the padding mask", (3, 5, 5))
    expect(bool((first != first[0, 0, 0]).any())).is_true("the padding mask is the same everywhere")
    target = table_of(student.target_mask(sentences()), "the target mask", (3, 5, 5))
    for pad in (9, 11):
        again = table_of(student.padding_mask(sentences(pad), pad), "the padding mask", (3, 5, 5))
        expect(torch.equal(first, again)).is_true("the padding token is not always 0: use `pad`")
        again = table_of(student.target_mask(sentences(pad), pad), "the target mask", (3, 5, 5))
        expect(torch.equal(target, again)).is_true(
            "the padding token of `target_mask` is not always 0: use its argument `pad`"
        )


CAUSAL_MISTAKES: dict[str, Callable[[int], Tensor]] = {
    "off by one: a position may look at itself, too": lambda n: torch.ones(n, n).tril(-1),
    "off by one: a position sees the next one": lambda n: torch.ones(n, n).tril(1),
    "inverted: the past is closed and the future open": lambda n: torch.ones(n, n).triu(1),
    "transposed: a query (row) sees keys (columns) up to its own": lambda n: torch.ones(n, n).triu(),
    "only a position itself is open": lambda n: torch.eye(n),
    "everything is open": lambda n: torch.ones(n, n),
}


def expect_causal(student: Student) -> None:
    """(1, n, n), open up to the diagonal."""
    for n in (5, 8, 1, 37, 600):
        table = table_of(student.causal_mask(n), "the causal mask", (1, n, n))
        mistakes = {meaning: f(n)[None] for meaning, f in CAUSAL_MISTAKES.items()}
        expect(table, f"the causal mask for n = {n}").close_to(causal_mask(n), mistakes=mistakes)


def expect_target(student: Student) -> None:
    """Both masks together, the right ones or the student's own."""
    expect_target_of(student, sentences())
    try:
        expect_padding(student)
        expect_causal(student)
    except CheckFailed:
        return  # where these don't work for long sentences, their checks say so
    expect_target_of(student, long_sentences())


def expect_target_of(student: Student, tokens: Tensor) -> None:
    """The same for these sentences (B, n)."""
    rows, n = tokens.shape
    shape = (rows, n, n)
    table = table_of(student.target_mask(tokens), "the target mask", shape)
    padding, causal = padding_mask(tokens).expand(shape), causal_mask(n).expand(shape)
    right = padding & causal
    if torch.equal(table, right.double()):
        return
    with contextlib.suppress(CheckFailed):
        own = [
            table_of(student.padding_mask(tokens), "the padding mask", shape),
            table_of(student.causal_mask(n), "the causal mask", shape),
        ]
        varied = [bool((part != part.flatten()[0]).any()) for part in own]
        if all(varied) and torch.equal(table, own[0] * own[1]):
            return
    expect(table, "the target mask").close_to(
        right,
        mistakes={
            "only the padding is closed: close the future, too": padding,
            "only the future is closed: close the padding, too": causal,
            "open where one of the two masks is: both must be open": padding | causal,
            "the padding closes rows, queries: close the columns, keys": padding.mT & causal,
            "the padding closes rows and columns: close the columns, keys": padding & padding.mT & causal,
            "inverted": ~right,
            "off by one: a position may look at itself, too": padding & causal.tril(-1),
            "off by one: a position sees the next one": padding & torch.ones_like(causal).tril(1),
        },
    )
