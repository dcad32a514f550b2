"""Part 7: the assembled model."""

from __future__ import annotations

import torch

from chainrule.lesson.checks import expect, numbers
from chainrule.lesson.student import Student
from judging.csc6022_hw2.p7.probes import expect_module, generator, normal
from judging.csc6022_hw2.p7.reference import causal_mask, padding_mask


def expect_reads_target(student: Student) -> None:
    """The output depends on the words written so far, and gradients reach the model's parameters."""
    model = expect_module(student.make_model(11, 13, 2, 16, 24, 4, 0.1), "make_model")
    # both of one length, so that swapped masks don't raise
    source = torch.tensor([[3, 7, 1, 9, 10], [2, 2, 9, 0, 0], [8, 6, 10, 5, 0]])
    target = torch.tensor([[1, 12, 5, 7, 2], [1, 3, 6, 0, 0], [1, 9, 4, 11, 2]])
    other = target.clone()
    other[:, 0] = torch.tensor([8, 4, 10])
    outputs = []
    for words in (target, other):
        output = model.forward(source, words, padding_mask(source), padding_mask(words) & causal_mask(5))
        expect(output, "the decoder's output").has_shape(3, 5, 16)
        outputs.append(numbers(output, "the decoder's output"))
    expect(float((outputs[1] - outputs[0]).abs().max()) > 1e-7).is_true(
        "another first word changes nothing in the output"
    )
    masks = padding_mask(source), padding_mask(target) & causal_mask(5)
    upstream = normal(generator(131), 3, 5, 16).float()
    gradients = model.gradients(source, target, *masks, upstream=upstream).parameters
    expect(any(g is not None and bool(g.any()) for g in gradients.values())).is_true(
        "no gradient reaches any parameter of the model"
    )
