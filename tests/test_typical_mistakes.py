"""The typical mistakes of such homework, numbered: each is handed in somewhere, and fails a check of its own there.

That it does is proven where the answer stands: `tests/test_<module>.py` judges every one of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

# number -> (module of answers, its table, the wrong answer)
MISTAKES: dict[int, list[tuple[str, str, str]]] = {
    # a multi-layer perceptron's gradients
    1: [("p61", "BACKPROP", "1: missing 1/N"), ("p12", "BATCH", "1/N missing")],
    2: [("p61", "BACKPROP", "2: double 1/N"), ("p12", "BATCH", "1/N twice")],
    3: [("p61", "BACKPROP", "3: transposed dW"), ("p12", "BACKWARD", "dW transposed")],
    4: [("p61", "BACKPROP", "4: db over the wrong axis"), ("p61", "BACKPROP", "4: db averaged")],
    5: [("p61", "BACKPROP", "5: hidden derivative missing"), ("p12", "BACKWARD", "lost mask")],
    6: [
        ("p61", "BACKPROP", "6: a mask by the upstream sign"),
        ("p12", "BACKWARD", "mask from the upstream sign"),
    ],
    7: [("p61", "BACKPROP", "7: σ′ at the activation"), ("p5", "BACK", "g′ at the activation")],
    8: [("p61", "BACKPROP", "8: extra a(1 − a)"), ("p12", "BACKWARD", "p(1 − p)")],
    9: [("p61", "BACKPROP", "9: lost factor 2")],
    10: [("p61", "BACKPROP", "10: samples overwritten, not summed"), ("p12", "HIDDEN", "terms not summed")],
    11: [
        ("p61", "TRAINING", "11: v updated before the delta propagates"),
        ("p5", "BACK", "weights changed before the delta passes"),
    ],
    12: [("p61", "BACKPROP", "12: overflow in the sigmoid"), ("p12", "FORWARD", "overflow")],
    # weight decay
    13: [("p61", "DECAY", "13: λ for 2λ")],
    14: [("p61", "DECAY", "14: biases decayed")],
    15: [("p61", "DECAY", "15: wrong sign")],
    16: [("p61", "DECAY", "16: L1")],
    17: [("p61", "DECAY", "17: λ/N")],
    18: [("p61", "SCALING", "18: test statistics used in scaling")],
    # convolutional networks
    19: [("p62", "CONVNET", "19 padding of the first rounded down"), ("question1", "1_2", "rounded up")],
    20: [("p62", "CONVNET", "20 no padding at all"), ("p34", "VOLUMES", "padding forgotten")],
    21: [("p62", "CONVNET", "21 kernels turned")],
    22: [("p62", "MODULE", "22 in and out channels exchanged")],
    23: [("p62", "CONVNET", "23 height and width exchanged")],
    24: [
        ("p62", "WARM_UP", "24 flatten mixes the batch"),
        ("p62", "WARM_UP", "24 flatten has channels last"),
    ],
    25: [("p34", "PARAMETERS", "biases forgotten"), ("question1", "1_2", "no bias in layer 1")],
    26: [("p34", "PARAMETERS", "pooling has weights")],
    27: [("p62", "STEP", "27 softmax before cross-entropy"), ("p62", "MODULE", "27 softmax")],
    28: [("p62", "WARM_UP", "28 fan-out")],
    # normalisation and dropout
    29: [("p62", "OPEN", "29 batch statistics in evaluation"), ("question3", "MLP", "no running statistics")],
    30: [("p62", "OPEN", "30 running statistics frozen"), ("p62", "OPEN", "30 updated in evaluation")],
    31: [("p7_mechanism", "SUBLAYER", "unbiased variance")],
    32: [
        ("p7_mechanism", "SUBLAYER", "wrong axes: positions"),
        ("p7_mechanism", "SUBLAYER", "wrong axes: batch"),
    ],
    33: [("question3", "MLP", "BatchNorm momentum 0.9")],
    34: [("p7_mechanism", "SUBLAYER", "no rescale"), ("question3", "MLP", "survivors not rescaled")],
    35: [
        ("p7_mechanism", "SUBLAYER", "keep and drop swapped"),
        ("question3", "MLP", "keep and drop exchanged"),
    ],
    36: [("p62", "OPEN", "36 dropout in evaluation"), ("p7_training", "GREEDY", "36 dropout while decoding")],
    # the training loop
    37: [("p62", "TRAIN", "37 no zero_grad"), ("p7_training", "EPOCH", "37 no zero_grad")],
    38: [("p62", "TRAIN", "38 step before backward"), ("p7_training", "EPOCH", "38 step before backward")],
    39: [("p62", "ACCURACY", "39 mode not restored"), ("p7_training", "EPOCH", "39 train mode not restored")],
    40: [("p62", "MODULE", "40 layers in a plain list"), ("p7_mechanism", "HEADS", "layers in a plain list")],
    41: [
        ("p62", "MODULE", "41 a layer made in forward"),
        ("p7_mechanism", "HEADS", "layers made in forward"),
    ],
    42: [
        ("p62", "ACCURACY", "42 argmax over the batch"),
        ("p7_training", "GREEDY", "42 argmax over the positions"),
    ],
    43: [
        ("p62", "ACCURACY", "43 unequal batches averaged"),
        ("p7_training", "EPOCH", "43 unequal batches averaged"),
    ],
    44: [("p62", "TRAIN", "44 labels shuffled apart"), ("p7_training", "BATCHES", "44 shuffled apart")],
    45: [
        ("p7_training", "CHOICE", "45 tuned on test"),
        ("p62", "OPEN_TRAINING", "45 trains on the global loader"),
    ],
    # attention
    46: [("p7_mechanism", "ATTENTION", "no scale"), ("p7_mechanism", "HEADS", "no scale")],
    47: [("p7_mechanism", "ATTENTION", "√d_model"), ("p7_mechanism", "ATTENTION", "√n_keys")],
    48: [("p7_mechanism", "ATTENTION", "softmax over queries")],
    49: [("p7_mechanism", "HEADS", "view instead of transpose")],
    50: [("p7_mechanism", "ATTENTION", "mask inverted"), ("p7_mechanism", "HEADS", "mask inverted")],
    51: [("p7_mechanism", "ATTENTION", "mask after softmax")],
    52: [("p7_mechanism", "MASKS", "causal without itself"), ("p7_mechanism", "MASKS", "causal one too far")],
    53: [("p7_mechanism", "MASKS", "pad mask on queries")],
    54: [("p7_mechanism", "DECODER", "memory ignored"), ("p7_mechanism", "DECODER", "memory for keys only")],
    # encoding and smoothing
    55: [("p7_mechanism", "POSITIONS", name) for name in ("exponent i for 2i", "concatenated", "trainable")],
    56: [("p7_mechanism", "POSITIONS", "missing √d"), ("p7_training", "SHIFT", "56 unshifted target")],
    57: [
        ("p7_training", "SMOOTHING", "57 s over V − 1 classes"),
        ("p7_training", "SMOOTHING", "57 pad kept: rows of padding count"),
    ],
    # generative adversarial networks
    58: [("p5", "UPDATE_D", "both gradients"), ("p5", "UPDATE_G", "both gradients")],
    59: [("p5", "OUTPUT", "sign of the second"), ("p5", "OUTPUT", "kinds exchanged")],
    60: [("p5", "THETA_D", "real samples only"), ("p5", "GENERATOR", "D forgotten")],
}


def test_all_sixty_are_here() -> None:
    assert sorted(MISTAKES) == list(range(1, 61))


@pytest.mark.parametrize("number", MISTAKES)
def test_a_mistake_loses_a_check(number: int) -> None:
    for module, table, name in MISTAKES[number]:
        answers: Any = import_module(f"answers_{module}")
        wrong = getattr(answers, f"WRONG_{table}")[name]
        assert wrong.loses
