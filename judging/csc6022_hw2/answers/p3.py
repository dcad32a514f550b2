"""Answers to problem 3 of Homework 2."""

from __future__ import annotations

from chainrule.authoring.answers import Exercise, Problem, Wrong

# Short names for the checks of each graded cell, in their order there.
CHECKS = {
    "p3_1-volumes": ("conv1", "pool1", "conv2", "pool2", "fc"),
    "p3_1-parameters": (
        "conv1 weights",
        "conv1 biases",
        "pool1",
        "conv2 weights",
        "conv2 biases",
        "pool2",
        "fc weights",
        "fc biases",
    ),
}


def all_of(item: str, *spared: str) -> set[str]:
    """Every check of an item but those spared."""
    return set(CHECKS[item]) - set(spared)


# -- volumes ---------------------------------------------------------------------------------------------

VOLUMES = {
    "conv1": "(32, 32, 10)",
    "pool1": "(16, 16, 10)",
    "conv2": "(16, 16, 10)",
    "pool2": "(8, 8, 10)",
    "fc": "(10,)",
}


def volumes(**changes: str | None) -> str:
    """The cell with some layers' volumes written otherwise, or left out."""
    table = {**VOLUMES, **changes}
    return "volumes = {" + ", ".join(f'"{k}": {v}' for k, v in table.items() if v is not None) + "}"


RIGHT_VOLUMES = {
    "tuples": volumes(),
    "lists": volumes(conv1="[32, 32, 10]", pool1="[16, 16, 10]", conv2="[16, 16, 10]", fc="[10]"),
    "a number for fc": volumes(fc="10"),
    "(1, 1, 10) for fc": volumes(fc="(1, 1, 10)"),
    "(1, 10) for fc": volumes(fc="(1, 10)"),
    "(10, 1) for fc": volumes(fc="(10, 1)"),
    "texts": volumes(
        conv1='"32x32x10"', pool1='"16 × 16 × 10"', conv2='"16*16*10"', pool2='"(8, 8, 10)"', fc='"10"'
    ),
    "TeX": volumes(conv1=r'r"32 \times 32 \times 10"', pool2=r'r"$8 \cdot 8 \cdot 10$"', fc='"1x1x10"'),
    "arrays": "import numpy as np\n" + volumes(conv1="np.array([32, 32, 10])", fc="np.array([10])"),
    "tensors": "import torch\n"
    + volumes(pool1="torch.zeros(16, 16, 10).shape", pool2="torch.tensor([8, 8, 10])"),
    "divided": volumes(pool1="(32 / 2, 32 / 2, 10)", pool2="(16 // 2, 16 // 2, 10)"),
    "layer by layer": """
k, p = 5, 2
volumes, h, d = {}, 32, 1
for i in (1, 2):
    h, d = (h + 2 * p - k) // 1 + 1, 10
    volumes[f"conv{i}"] = h, h, d
    h //= 2
    volumes[f"pool{i}"] = h, h, d
volumes["fc"] = 10
""",
    "by torch": """
import torch
from torch import nn
x, volumes = torch.zeros(1, 1, 32, 32), {}
layers = {"conv1": nn.Conv2d(1, 10, 5, padding=2), "pool1": nn.MaxPool2d(2),
          "conv2": nn.Conv2d(10, 10, 5, padding=2), "pool2": nn.MaxPool2d(2)}
for name, layer in layers.items():
    x = layer(x)
    volumes[name] = tuple(x[0].permute(1, 2, 0).shape)
volumes["fc"] = nn.Linear(x.numel(), 10)(x.flatten()).shape
""",
}

WRONG_VOLUMES = {
    "padding forgotten": Wrong(
        {"conv1"},
        "the padding is forgotten",
        volumes(conv1="(28, 28, 10)", pool1="(14, 14, 10)", conv2="(14, 14, 10)", pool2="(7, 7, 10)"),
    ),
    "padding forgotten in both convolutions": Wrong(
        {"conv1", "conv2"},
        "the padding is forgotten",
        volumes(conv1="(28, 28, 10)", pool1="(14, 14, 10)", conv2="(10, 10, 10)", pool2="(5, 5, 10)"),
        unnoticed="consistent in itself",
    ),
    "padding forgotten, not carried on": Wrong({"conv1"}, "padding", volumes(conv1="(28, 28, 10)")),
    "padding counted once": Wrong(
        {"conv1"},
        "counted once",
        volumes(conv1="(30, 30, 10)", pool1="(15, 15, 10)", conv2="(15, 15, 10)", pool2="(7, 7, 10)"),
    ),
    "channels of the input kept": Wrong(
        {"conv1"}, "still those of the volume before", volumes(conv1="(32, 32, 1)", pool1="(16, 16, 1)")
    ),
    "channels multiplied": Wrong(
        {"conv2"}, "the depth is multiplied in", volumes(conv2="(16, 16, 100)", pool2="(8, 8, 100)")
    ),
    "kernel size for channels": Wrong({"conv1"}, "the 5 of the filters' size", volumes(conv1="(32, 32, 5)")),
    "pooling divides the channels": Wrong(
        {"pool1"}, "leaves the channels alone", volumes(pool1="(16, 16, 5)")
    ),
    "pooling divides the channels, twice": Wrong(
        {"pool1", "pool2"}, "leaves the channels alone", volumes(pool1="(16, 16, 5)", pool2="(8, 8, 5)")
    ),
    "pooling mixes the channels": Wrong({"pool2"}, "mixes no channels", volumes(pool2="(8, 8, 1)")),
    "pooling halves the channels only": Wrong({"pool2"}, "only the channels", volumes(pool2="(16, 16, 5)")),
    "pooling with stride 1": Wrong(
        {"pool1"}, "don't overlap", volumes(pool1="(31, 31, 10)", conv2="(31, 31, 10)", pool2="(15, 15, 10)")
    ),
    "pooling by four": Wrong(
        {"pool1"}, "a quarter", volumes(pool1="(8, 8, 10)", conv2="(8, 8, 10)", pool2="(4, 4, 10)")
    ),
    "pooling does nothing": Wrong({"pool1"}, "nothing is pooled", volumes(pool1="(32, 32, 10)")),
    "the first pooling forgotten, carried on": Wrong(
        {"pool1"},
        "nothing is pooled",
        volumes(pool1="(32, 32, 10)", conv2="(32, 32, 10)", pool2="(16, 16, 10)"),
        unnoticed="consistent in itself",
    ),
    "one side pooled": Wrong({"pool1"}, "not one of them", volumes(pool1="(16, 32, 10)")),
    "channels first": Wrong(
        {"conv1"},
        "(channels, height, width), not",
        volumes(conv1="(10, 32, 32)", pool1="(10, 16, 16)", conv2="(10, 16, 16)", pool2="(10, 8, 8)"),
    ),
    "channels first, in two": Wrong(
        {"conv2"}, "(channels, height, width)", volumes(conv2="(10, 16, 16)", pool2="(10, 8, 8)")
    ),
    "channels first and padding forgotten": Wrong(
        {"conv1"},
        "the padding is forgotten",
        volumes(conv1="(10, 28, 28)", pool1="(10, 14, 14)", conv2="(10, 14, 14)", pool2="(10, 7, 7)"),
    ),
    "fc keeps its input": Wrong({"fc"}, "the layer's input", volumes(fc="(8, 8, 10)")),
    "fc keeps its flattened input": Wrong({"fc"}, "flattened input", volumes(fc="640")),
    "fc has the weights": Wrong({"fc"}, "counts weights", volumes(fc="6400")),
    "products": Wrong({"conv1"}, "is one number: write three sizes", volumes(conv1="32 * 32 * 10")),
    "two sizes": Wrong({"pool1"}, "is 2 numbers", volumes(pool1="(16, 16)")),
    "no numbers": Wrong({"pool1"}, "no number", volumes(pool1='"half of it"')),
    "fractions": Wrong({"pool2"}, "whole numbers", volumes(pool2="(7.5, 7.5, 10)")),
    "one left out": Wrong({"pool1"}, 'no volumes["pool1"] yet', volumes(pool1=None)),
    "one None": Wrong({"conv2"}, 'no volumes["conv2"] yet', volumes(conv2="None")),
    "only the first": Wrong(
        {"pool1", "conv2", "pool2", "fc"},
        "yet",
        volumes(pool1=None, conv2=None, pool2=None, fc=None),
    ),
    "a list of rows": Wrong(all_of("p3_1-volumes"), "write a dict", "volumes = [(32, 32, 10), (16, 16, 10)]"),
    # nothing is earned by carrying on what is no answer
    "zeros": Wrong(all_of("p3_1-volumes"), "from 1 on", volumes(**dict.fromkeys(VOLUMES, "(0, 0, 0)"))),
    "ones": Wrong(all_of("p3_1-volumes"), "off by", volumes(**dict.fromkeys(VOLUMES, "(1, 1, 1)"))),
    "the input everywhere": Wrong(
        all_of("p3_1-volumes"), "still those", volumes(**dict.fromkeys(VOLUMES, "(32, 32, 1)"))
    ),
    "conv1 everywhere": Wrong(
        all_of("p3_1-volumes", "conv1"),
        "nothing is pooled",
        volumes(**dict.fromkeys(VOLUMES, "(32, 32, 10)")),
    ),
    "ten everywhere": Wrong(
        all_of("p3_1-volumes"), "off by", volumes(**dict.fromkeys(VOLUMES, "(10, 10, 10)"))
    ),
}

# -- parameters ------------------------------------------------------------------------------------------

PARAMETERS = {"conv1": "260", "pool1": "0", "conv2": "2510", "pool2": "0", "fc": "6410"}


def parameters(**changes: str | None) -> str:
    table = {**PARAMETERS, **changes}
    return "parameters = {" + ", ".join(f'"{k}": {v}' for k, v in table.items() if v is not None) + "}"


RIGHT_PARAMETERS: dict[str, str | dict[str, str]] = {
    "numbers": parameters(),
    "products": parameters(
        conv1="5 * 5 * 1 * 10 + 10", conv2="5 * 5 * 10 * 10 + 10", fc="8 * 8 * 10 * 10 + 10"
    ),
    "texts": parameters(conv1='"5*5*10+10"', conv2='"5*5*10*10+10"', pool1='"0"', fc='"(8*8*10+1)*10"'),
    "texts with crosses": parameters(
        conv1='"5x5x1x10 + 10"', conv2='"(5 x 5 x 10 + 1) x 10"', fc='"640 × 10 + 10"'
    ),
    "thousands": parameters(conv2='"2,510"', fc='"6,410"'),
    "TeX": parameters(conv2=r'r"5 \times 5 \times 10 \times 10 + 10"', fc=r'r"640 \cdot 10 + 10"'),
    "floats": parameters(conv1="260.0", fc="6.41e3"),
    "tensors": "import torch\n" + parameters(conv1="torch.tensor(260)", fc="torch.tensor([6410])"),
    "from the volumes": parameters(
        conv2='(25 * volumes["pool1"][2] + 1) * 10',
        fc='(volumes["pool2"][0] * volumes["pool2"][1] * volumes["pool2"][2] + 1) * 10',
    ),
    "by torch": """
from torch import nn
def count(layer): return sum(p.numel() for p in layer.parameters())
parameters = {"conv1": count(nn.Conv2d(1, 10, 5)), "pool1": count(nn.MaxPool2d(2)),
              "conv2": count(nn.Conv2d(10, 10, 5)), "pool2": 0, "fc": count(nn.Linear(640, 10))}
""",
}

WRONG_PARAMETERS = {
    "biases forgotten": Wrong(
        {"conv1 biases", "conv2 biases", "fc biases"},
        "the biases are forgotten",
        parameters(conv1="250", conv2="2500", fc="6400"),
    ),
    "one bias a layer": Wrong(
        {"conv1 biases", "conv2 biases", "fc biases"},
        "not one in all",
        parameters(conv1="251", conv2="2501", fc="6401"),
    ),
    "a bias for every channel": Wrong({"conv2 biases"}, "every channel", parameters(conv2="2600")),
    "a bias for every position": Wrong(
        {"conv1 biases"}, "every position", parameters(conv1="250 + 32 * 32 * 10")
    ),
    "depth forgotten": Wrong(
        {"conv2 weights"}, "the depth of the volume before", parameters(conv2="5*5*10 + 10")
    ),
    "depth and biases forgotten": Wrong(
        {"conv2 weights", "conv2 biases"}, "the depth of the volume before", parameters(conv2="5*5*1*10")
    ),
    "three channels": Wrong(
        {"conv1 weights"},
        "counted 3 deep, and the volume before it has depth 1",
        parameters(conv1="5*5*3*10 + 10"),
        unnoticed="the depth of the first convolution stays free: only the right count would tell",
    ),
    "one filter": Wrong({"conv1 weights"}, "one filter", parameters(conv1="5 * 5 + 10")),
    "own depth for the depth before": Wrong(
        {"conv1 weights"},
        "not as the one it makes",
        parameters(conv1="5 * 5 * 10 * 10 + 10"),
        unnoticed="the depth of the first convolution stays free: only the right count would tell",
    ),
    "five counted once": Wrong({"conv1 weights"}, "counts twice", parameters(conv1="5 * 10 + 10")),
    "weights at every position": Wrong(
        {"conv1 weights"},
        "the same filter",
        parameters(conv1="5 * 5 * 1 * 10 * 32 * 32 + 10"),
        unnoticed="the depth of the first convolution stays free: only the right count would tell",
    ),
    "activations": Wrong(
        {"conv1 weights", "conv1 biases"}, "not what is trained", parameters(conv1="32 * 32 * 10")
    ),
    "pooling has weights": Wrong({"pool1", "pool2"}, "nothing to train", parameters(pool1="4", pool2="4")),
    "pooling has weights in one": Wrong({"pool2"}, "nothing to train", parameters(pool2="2 * 2 * 10")),
    "pool2 not applied": Wrong(
        {"fc weights"}, "not what conv2 made", parameters(fc="16 * 16 * 10 * 10 + 10")
    ),
    "channels only": Wrong({"fc weights"}, "only the channels", parameters(fc="10 * 10 + 10")),
    "height and width only": Wrong({"fc weights"}, "one of these factors", parameters(fc="8 * 8 * 10 + 10")),
    "one neuron": Wrong({"fc weights"}, "one of these factors", parameters(fc="640 + 10")),
    "fc without biases": Wrong({"fc biases"}, "each of the 10 neurons", parameters(fc='"6,400"')),
    "garbage in one": Wrong(
        {"conv2 weights", "conv2 biases"}, "does not follow from your volumes", parameters(conv2="1234")
    ),
    "one left out": Wrong({"fc weights", "fc biases"}, 'no parameters["fc"] yet', parameters(fc=None)),
    "no number": Wrong({"pool1"}, "no number", parameters(pool1='"none"')),
    "a fraction": Wrong({"conv1 weights", "conv1 biases"}, "no whole number", parameters(conv1="260.5")),
    "a list of rows": Wrong(
        all_of("p3_1-parameters"), "write a dict", "parameters = [260, 0, 2510, 0, 6410]"
    ),
    # nothing is earned by what is no answer
    "zeros": Wrong(
        all_of("p3_1-parameters"), "once some other", parameters(**dict.fromkeys(PARAMETERS, "0"))
    ),
    "tens": Wrong(all_of("p3_1-parameters"), "not right", parameters(**dict.fromkeys(PARAMETERS, "10"))),
    "thousands everywhere": Wrong(
        all_of("p3_1-parameters"),
        "not right",
        parameters(**dict.fromkeys(PARAMETERS, "1000")),
    ),
    "negative": Wrong(all_of("p3_1-parameters"), "from 0 on", parameters(**dict.fromkeys(PARAMETERS, "-1"))),
}


def after(volumes: str, parameters: str) -> dict[str, str]:
    """Volumes, and counts that go with them."""
    return {"p3_1-volumes-answer": volumes, "p3_1-parameters-answer": parameters}


# Counts are right if they follow from wrong volumes.
RIGHT_PARAMETERS |= {
    "after volumes without padding": after(
        volumes(conv1="(28, 28, 10)", pool1="(14, 14, 10)", conv2="(10, 10, 10)", pool2="(5, 5, 10)"),
        parameters(fc="5 * 5 * 10 * 10 + 10"),
    ),
    "after channels halved": after(
        volumes(pool1="(16, 16, 5)", pool2="(8, 8, 5)"),
        parameters(conv2="5 * 5 * 5 * 10 + 10", fc="8 * 8 * 5 * 10 + 10"),
    ),
    "after channels first": after(
        volumes(conv1="(10, 32, 32)", pool1="(10, 16, 16)", conv2="(10, 16, 16)", pool2="(10, 8, 8)"),
        parameters(),
    ),
    "right after wrong volumes": after(volumes(pool1="(16, 16, 5)", pool2="(8, 8, 1)"), parameters()),
    "after no volumes": after("volumes = None", parameters()),
    "after volumes of no form": after('volumes = "?"', parameters()),
}

# Nothing follows from volumes that are no answers.
FC = {"fc weights", "fc biases"}
WRONG_PARAMETERS |= {
    "after one number": Wrong(
        FC, "not right, and", after(volumes(pool2="(1, 1, 1)"), parameters(fc="1 * 10 + 10"))
    ),
    "after zeros": Wrong(FC, "not right, and", after(volumes(pool2="(0, 0, 0)"), parameters(fc="10"))),
    "after copied numbers": Wrong(
        FC,
        "not right, and",
        after(volumes(conv2="(3, 3, 3)", pool2="(3, 3, 3)"), parameters(fc="27 * 10 + 10")),
        unnoticed="the slip is in the volumes, where it is noticed",
    ),
    "after more than the picture": Wrong(
        FC,
        "not right, and",
        after(volumes(pool2="(100, 100, 1)"), parameters(fc="10000 * 10 + 10")),
        unnoticed="the slip is in the volumes, where it is noticed",
    ),
}

PROBLEM = Problem(
    notebook="p3_cnn_arithmetic",
    given=("p3_0-imports",),
    checks=CHECKS,
    exercises=(
        Exercise(("p3_1-volumes",), "p3_1-volumes-answer", RIGHT_VOLUMES, WRONG_VOLUMES),
        Exercise(("p3_1-parameters",), "p3_1-parameters-answer", RIGHT_PARAMETERS, WRONG_PARAMETERS),
    ),
)
