"""The typical mistakes of such homework, numbered: each is handed in somewhere, and fails a check of its own there.

That it does is proven by `tests/course/test_answers.py`, which judges every answer.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from course_modules import COURSE

from chainrule.authoring.answers import Wrong, problems

WRONG: dict[str, Mapping[str, Wrong]] = {
    exercise.items[0]: exercise.wrong
    for assignment in COURSE.assignments
    for problem in problems(COURSE, assignment).values()
    for exercise in problem.exercises
}

# number -> (the first item that judges it, the wrong answer)
MISTAKES: dict[int, list[tuple[str, str]]] = {
    # a multi-layer perceptron's gradients
    1: [("p6_1c-backprop", "1: missing 1/N"), ("p1_4-batch", "1/N missing")],
    2: [("p6_1c-backprop", "2: double 1/N"), ("p1_4-batch", "1/N twice")],
    3: [("p6_1c-backprop", "3: transposed dW"), ("p1_3-backward", "dW transposed")],
    4: [
        ("p6_1c-backprop", "4: db over the wrong axis"),
        ("p6_1c-backprop", "4: db averaged"),
    ],
    5: [("p6_1c-backprop", "5: hidden derivative missing"), ("p1_3-backward", "lost mask")],
    6: [
        ("p6_1c-backprop", "6: a mask by the upstream sign"),
        ("p1_3-backward", "mask from the upstream sign"),
    ],
    7: [
        ("p6_1c-backprop", "7: σ′ at the activation"),
        ("p5_4-recursion", "g′ at the activation"),
    ],
    8: [("p6_1c-backprop", "8: extra a(1 − a)"), ("p1_3-backward", "p(1 − p)")],
    9: [("p6_1c-backprop", "9: lost factor 2")],
    10: [
        ("p6_1c-backprop", "10: samples overwritten, not summed"),
        ("p2_3c-hidden", "terms not summed"),
    ],
    11: [
        ("p6_1e-training", "11: v updated before the delta propagates"),
        ("p5_4-recursion", "weights changed before the delta passes"),
    ],
    12: [("p6_1c-backprop", "12: overflow in the sigmoid"), ("p1_2-forward", "overflow")],
    # weight decay
    13: [("p6_1d-decay", "13: λ for 2λ")],
    14: [("p6_1d-decay", "14: biases decayed")],
    15: [("p6_1d-decay", "15: wrong sign")],
    16: [("p6_1d-decay", "16: L1")],
    17: [("p6_1d-decay", "17: λ/N")],
    18: [("p6_1b-scaling", "18: test statistics used in scaling")],
    # convolutional networks
    19: [
        ("p6_2b-convnet", "19 padding of the first rounded down"),
        ("q1_2-sizes", "rounded up"),
    ],
    20: [("p6_2b-convnet", "20 no padding at all"), ("p3_1-volumes", "padding forgotten")],
    21: [("p6_2b-convnet", "21 kernels turned")],
    22: [("p6_2c-network", "22 in and out channels exchanged")],
    23: [("p6_2b-convnet", "23 height and width exchanged")],
    24: [
        ("p6_2a-warm-up", "24 flatten mixes the batch"),
        ("p6_2a-warm-up", "24 flatten has channels last"),
    ],
    25: [("p3_1-parameters", "biases forgotten"), ("q1_2-sizes", "no bias in layer 1")],
    26: [("p3_1-parameters", "pooling has weights")],
    27: [("p6_2b-step", "27 softmax before cross-entropy"), ("p6_2c-network", "27 softmax")],
    28: [("p6_2a-warm-up", "28 fan-out")],
    # normalisation and dropout
    29: [
        ("p6_2e-network", "29 batch statistics in evaluation"),
        ("q3_1-network", "no running statistics"),
    ],
    30: [
        ("p6_2e-network", "30 running statistics frozen"),
        ("p6_2e-network", "30 updated in evaluation"),
    ],
    31: [("p7_5-sublayer", "unbiased variance")],
    32: [
        ("p7_5-sublayer", "wrong axes: positions"),
        ("p7_5-sublayer", "wrong axes: batch"),
    ],
    33: [("q3_1-network", "BatchNorm momentum 0.9")],
    34: [
        ("p7_5-sublayer", "no rescale"),
        ("q3_1-network", "survivors not rescaled"),
    ],
    35: [
        ("p7_5-sublayer", "keep and drop swapped"),
        ("q3_1-network", "keep and drop exchanged"),
    ],
    36: [
        ("p6_2e-network", "36 dropout in evaluation"),
        ("p7_11-greedy", "36 dropout while decoding"),
    ],
    # the training loop
    37: [("p6_2c-training", "37 no zero_grad"), ("p7_10-epoch", "37 no zero_grad")],
    38: [
        ("p6_2c-training", "38 step before backward"),
        ("p7_10-epoch", "38 step before backward"),
    ],
    39: [
        ("p6_2c-measure", "39 mode not restored"),
        ("p7_10-epoch", "39 train mode not restored"),
    ],
    40: [
        ("p6_2c-network", "40 layers in a plain list"),
        ("p7_3-heads", "layers in a plain list"),
    ],
    41: [
        ("p6_2c-network", "41 a layer made in forward"),
        ("p7_3-heads", "layers made in forward"),
    ],
    42: [
        ("p6_2c-measure", "42 argmax over the batch"),
        ("p7_11-greedy", "42 argmax over the positions"),
    ],
    43: [
        ("p6_2c-measure", "43 unequal batches averaged"),
        ("p7_10-epoch", "43 unequal batches averaged"),
    ],
    44: [
        ("p6_2c-training", "44 labels shuffled apart"),
        ("p7_10-batches", "44 shuffled apart"),
    ],
    45: [
        ("p7_12-choice", "45 tuned on test"),
        ("p6_2e-training", "45 trains on the global loader"),
    ],
    # attention
    46: [("p7_1-attention", "no scale"), ("p7_3-heads", "no scale")],
    47: [("p7_1-attention", "√d_model"), ("p7_1-attention", "√n_keys")],
    48: [("p7_1-attention", "softmax over queries")],
    49: [("p7_3-heads", "view instead of transpose")],
    50: [
        ("p7_1-attention", "mask inverted"),
        ("p7_3-heads", "mask inverted"),
    ],
    51: [("p7_1-attention", "mask after softmax")],
    52: [
        ("p7_2-masks", "causal without itself"),
        ("p7_2-masks", "causal one too far"),
    ],
    53: [("p7_2-masks", "pad mask on queries")],
    54: [
        ("p7_6-decoder", "memory ignored"),
        ("p7_6-decoder", "memory for keys only"),
    ],
    # encoding and smoothing
    55: [("p7_4-positions", name) for name in ("exponent i for 2i", "concatenated", "trainable")],
    56: [
        ("p7_4-positions", "missing √d"),
        ("p7_8-shift", "56 unshifted target"),
    ],
    57: [
        ("p7_8-smoothing", "57 s over V − 1 classes"),
        ("p7_8-smoothing", "57 pad kept: rows of padding count"),
    ],
    # generative adversarial networks
    58: [("p5_7-update", "both gradients"), ("p5_8-update", "both gradients")],
    59: [("p5_3-last-layer", "sign of the second"), ("p5_3-last-layer", "kinds exchanged")],
    60: [("p5_2-gradient", "real samples only"), ("p5_6-generator", "D forgotten")],
}


def test_all_sixty_are_here() -> None:
    assert sorted(MISTAKES) == list(range(1, 61))


@pytest.mark.parametrize("number", MISTAKES)
def test_a_mistake_loses_a_check(number: int) -> None:
    for item, name in MISTAKES[number]:
        assert WRONG[item][name].loses
