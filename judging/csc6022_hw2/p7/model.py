"""Part 7: the assembled model.

Nothing is written here, so what stops it is a slip above. A single part that is wrong has cost its points there, and
costs none here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import wraps

import torch
from torch import Tensor

from chainrule.judging.apart import Judge
from chainrule.lesson.checks import expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student
from judging.csc6022_hw2.p7 import attention, decoder, heads, masks, positions, sublayers
from judging.csc6022_hw2.p7.probes import expect_module, fails, generator, normal
from judging.csc6022_hw2.p7.reference import causal_mask, padding_mask

PARTS: Mapping[str, Sequence[Judge]] = {
    "attention": (
        attention.expect_scale,
        attention.expect_softmax,
        attention.expect_output,
        attention.expect_mask,
        attention.expect_broadcast,
        attention.expect_dropout,
        attention.expect_gradients,
    ),
    "masks": (masks.expect_padding, masks.expect_any_pad, masks.expect_causal, masks.expect_target),
    "heads": (
        heads.expect_heads,
        heads.expect_cross,
        heads.expect_mask_in_heads,
        heads.expect_kept_weights,
        heads.expect_learnt,
        heads.expect_eval_without_dropout,
    ),
    "positional encoding": (
        positions.expect_lookup,
        positions.expect_embedding_scale,
        positions.expect_encoding,
        positions.expect_same_for_all,
        positions.expect_fixed,
        positions.expect_positions_dropped,
    ),
    "residual sublayer": (
        sublayers.expect_normalised,
        sublayers.expect_gain_and_bias,
        sublayers.expect_connected,
        sublayers.expect_sublayer_dropped,
    ),
    "decoder layer": (
        lambda student: decoder.expect_decoding(student, 0),
        lambda student: decoder.expect_decoding(student, 1),
        lambda student: decoder.expect_decoding(student, 2),
        decoder.expect_all_registered,
        decoder.expect_dropout_in_each,
    ),
}


def wrong_parts(student: Student) -> list[str]:
    """Names of those parts of the student's model that are wrong."""
    return [name for name, part in PARTS.items() if fails(part, student)]


def unless_paid(judge: Judge) -> Judge:
    """A judge of the model that finds no fault where one part alone is wrong."""

    @wraps(judge)
    def either(student: Student) -> None:
        try:
            judge(student)
        except CheckFailed:
            if len(wrong_parts(student)) != 1:
                raise

    return either


SOURCE = torch.tensor([[3, 7, 1, 9, 10], [2, 2, 9, 0, 0], [8, 6, 10, 5, 0]])
# of the same length, so that swapped masks don't raise
TARGET = torch.tensor([[1, 12, 5, 7, 2], [1, 3, 6, 0, 0], [1, 9, 4, 11, 2]])


def made(student: Student) -> Model:
    return expect_module(student.make_model(11, 13, 2, 16, 24, 4, 0.1), "make_model")


def decoded(model: Model, target: Tensor) -> Tensor:
    """The decoder's output (3, 5, 16)."""
    output = model.forward(SOURCE, target, padding_mask(SOURCE), padding_mask(target) & causal_mask(5))
    expect(output, "the decoder's output").has_shape(3, 5, 16)
    return numbers(output, "the decoder's output")


def expect_gradients(model: Model) -> None:
    """Gradients reach the model's parameters."""
    masks = padding_mask(SOURCE), padding_mask(TARGET) & causal_mask(5)
    upstream = normal(generator(131), 3, 5, 16).float()
    gradients = model.gradients(SOURCE, TARGET, *masks, upstream=upstream).parameters.values()
    expect(any(g is not None and bool(g.any()) for g in gradients)).is_true(
        "no gradient reaches any parameter of the model"
    )


@unless_paid
def expect_runs(student: Student) -> None:
    """The model gives a vector for each word, not the same everywhere."""
    model = made(student)
    expect(float(decoded(model, TARGET).std()) > 1e-3).is_true("the output is the same everywhere")
    expect_gradients(model)


@unless_paid
def expect_reads_target(student: Student) -> None:
    """The output depends on the words written so far, and gradients reach the model's parameters."""
    model, other = made(student), TARGET.clone()
    other[:, 0] = torch.tensor([8, 4, 10])
    change = decoded(model, other) - decoded(model, TARGET)
    expect(float(change.abs().max()) > 1e-7).is_true("another first word changes nothing in the output")
    expect_gradients(model)
