"""Part 4: embeddings and positional encoding."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student
from judging.csc6022_hw2.p7.probes import (
    agree,
    expect_deterministic,
    expect_dropped,
    expect_module,
    generator,
    normal,
)
from judging.csc6022_hw2.p7.reference import encoding

VOCABULARY, SIZE = 11, 8


def embedded(student: Student) -> tuple[Tensor, Tensor]:
    """The student's embedding of some tokens, and the tokens' rows of its table, both (B, n, SIZE)."""
    layer = expect_module(student.Embeddings(VOCABULARY, SIZE), "Embeddings(vocabulary, d_model)")
    tables = [
        x if x.shape[0] == VOCABULARY else x.mT
        for x in layer.state().values()
        if sorted(x.shape) == [SIZE, VOCABULARY]
    ]
    if not tables:
        raise CheckFailed(f"there is no table of {VOCABULARY} × {SIZE} parameters to learn: use nn.Embedding")
    tokens = torch.tensor([[3, 7, 1, 0, 10], [2, 2, 9, 4, 0]])
    got = layer.forward(tokens)
    expect(got, "the embedding").has_shape(2, 5, SIZE)
    return numbers(got, "the embedding"), tables[0][tokens]


def expect_lookup(student: Student) -> None:
    """A token's embedding is its row of the table, up to a factor."""
    got, rows = embedded(student)
    factor = float((got * rows).sum() / rows.square().sum())
    expect(abs(factor) > 1e-6 and agree(got, factor * rows)).is_true(
        "a token's embedding is not its row of the table, times a number"
    )


def expect_embedding_scale(student: Student) -> None:
    """The factor is √d_model."""
    got, rows = embedded(student)
    factor = float((got * rows).sum() / rows.square().sum())
    factors = {
        "the factor √d_model is missing": 1.0,
        "it is d_model: take the root": SIZE,
        "divided, not multiplied, by √d_model": SIZE**-0.5,
        "it is the root of the size of the vocabulary: take √d_model": VOCABULARY**0.5,
    }
    expect(factor, f"the factor of the embeddings, for d_model = {SIZE},").close_to(
        SIZE**0.5, rtol=1e-3, mistakes=factors
    )


def positional(student: Student, d_model: int = SIZE, dropout: float = 0.0) -> Model:
    return expect_module(student.PositionalEncoding(d_model, dropout), "PositionalEncoding(d_model, dropout)")


def added(layer: Model, x: Tensor) -> Tensor:
    """What the student's layer adds to x (B, n, d_model), in float64."""
    got = layer.forward(x)
    expect(got, "the result").has_shape(*x.shape)
    return numbers(got, "the result") - x.double()


def frequencies(n: int, d_model: int, power: Tensor, first: int = 0) -> Tensor:
    """Sines and cosines (n, d_model / 2, 2) as in `encoding`.

    Args:
        power: the exponents (d_model / 2,) of 1/10000.
        first: the first position.
    """
    angle = torch.arange(first, first + n).double()[:, None] / 10000 ** power.double()
    return torch.stack([angle.sin(), angle.cos()], -1)


def expect_encoding(student: Student) -> None:
    """The values are right, from position 0 on."""
    for n, d in ((9, SIZE), (200, 6)):
        i = torch.arange(d // 2)
        right = encoding(n, d)
        pairs = frequencies(n, d, 2 * i / d)
        mistakes = {
            "the exponent is i/d_model: column pair i has 2i/d_model": frequencies(n, d, i / d).flatten(1),
            "the exponent counts columns twice: column pair i has 2i/d_model": frequencies(
                n, d, 4 * i / d
            ).flatten(1),
            "all sines come before all cosines: interleave them, sines in even columns": (
                pairs.mT.flatten(1)
            ),
            "all sines come first, and the exponent is i/d_model": frequencies(n, d, i / d).mT.flatten(1),
            "sine and cosine are swapped: the sine is in even columns": pairs.flip(-1).flatten(1),
            "positions begin at 1: begin at 0": frequencies(n, d, 2 * i / d, first=1).flatten(1),
            "the exponent has the wrong sign: frequencies fall with the column": frequencies(
                n, d, -2 * i / d
            ).flatten(1),
            "nothing is added": torch.zeros(n, d),
        }
        x = normal(generator(101), 2, n, d).float()
        expect(added(positional(student, d), x)[0], "what is added to a sequence").close_to(
            right, rtol=1e-3, atol=1e-4, mistakes=mistakes
        )
    long = student.PositionalEncoding(6, 0.0, 620)  # `max_len` is an argument
    got = added(expect_module(long, "PositionalEncoding(d_model, dropout, max_len)"), torch.zeros(1, 600, 6))
    expect(got[0], "what is added to a sequence of 600, with max_len=620,").close_to(
        encoding(600, 6), rtol=1e-3, atol=1e-3
    )


def expect_same_for_all(student: Student) -> None:
    """Every sequence of a batch gets the same values, whatever its words and its length; positions differ."""
    layer = positional(student)
    x = normal(generator(102), 3, 7, SIZE).float()
    first, *others = added(layer, x)
    expect(float(first.std(0).max()) > 1e-3).is_true("every position gets the same")
    for other in others:
        expect(differ(other, first, 1e-3, 1e-4) == 0).is_true(
            "sequences of a batch do not get the same added"
        )
    short = added(layer, x[:1, :3])
    expect(differ(short[0], first[:3], 1e-3, 1e-4) == 0).is_true(
        "a shorter sequence gets something else added"
    )


def expect_fixed(student: Student) -> None:
    """The encoding is not trained."""
    layer = positional(student)
    x = normal(generator(103), 2, 5, SIZE).float()
    expect(float(added(layer, x).std()) > 1e-3).is_true("nothing is added")
    gradients = layer.gradients(x, upstream=torch.ones(x.shape)).parameters
    trained = [name for name, gradient in gradients.items() if gradient is not None]
    if trained:
        raise CheckFailed(f"`{trained[0]}` is trained: the encoding is fixed, register it as a buffer")


def expect_positions_dropped(student: Student) -> None:
    """Dropout follows the sum, in training mode only."""
    layer = positional(student, dropout=0.3)
    x = 5 + normal(generator(104), 20, 30, SIZE).float().abs()  # the encoding is at most 1
    full = expect_deterministic(layer, x)
    expect_dropped(numbers(layer.forward(x, training=True), "the result"), full, 0.3)
