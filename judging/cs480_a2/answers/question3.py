"""Answers to question 3 of Assignment 2, mostly written as a change to a plain right one."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.authoring.answers import Exercise, Problem, Wrong, change
from chainrule.grading.referee import working_folder

# Short names for the checks of each graded cell, in their order there.
CHECKS = {
    "q3_1-network": ("logits", "sizes", "arguments", "forward", "dropout", "norm"),
    "q3_1-training": ("learns", "sgd", "modes", "accuracy"),
    "q3_1-accuracy": ("reached",),
    "q3_2-network": ("logits", "sizes", "forward", "dropout", "norm"),
    "q3_2-accuracy": ("reached",),
    "q3_3-table-check": ("mlp train", "mlp test", "cnn train", "cnn test"),
}


def mlp(*changes: str) -> str:
    return change(MLP, *changes)


def cnn(*changes: str) -> str:
    return change(CNN, *changes)


def loop(*changes: str) -> str:
    return change(TRAIN, *changes)


# -- BatchNorm by hand -----------------------------------------------------------------------------------

OWN_NORM = """
class Norm(nn.Module):
    def __init__(self, n, momentum=0.1, eps=1e-5):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(n)), nn.Parameter(torch.zeros(n))
        self.register_buffer("mean", torch.zeros(n))
        self.register_buffer("var", torch.ones(n))
        self.momentum, self.eps = momentum, eps

    def forward(self, x):
        over, shape = [d for d in range(x.ndim) if d != 1], [1, -1] + [1] * (x.ndim - 2)
        if self.training:
            mean, var = x.mean(over), x.var(over, unbiased=False)
            with torch.no_grad():
                self.mean += self.momentum * (mean - self.mean)
                self.var += self.momentum * (var - self.var)
        else:
            mean, var = self.mean, self.var
        x = (x - mean.view(shape)) / (var.view(shape) + self.eps).sqrt()
        return self.gamma.view(shape) * x + self.beta.view(shape)
"""

# Statistics are plain attributes, and every tensor has the shape that it is multiplied in.
OWN_NORM_PLAIN = """
class Norm(nn.Module):
    def __init__(self, n, ndim):
        super().__init__()
        shape = (1, n) if ndim == 2 else (1, n, 1, 1)
        self.over = 0 if ndim == 2 else (0, 2, 3)
        self.scale, self.shift = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.zeros(shape))
        self.moving_mean, self.moving_var = torch.zeros(shape), torch.ones(shape)

    def forward(self, x):
        if not self.training:
            normal = (x - self.moving_mean) / torch.sqrt(self.moving_var + 1e-5)
            return normal * self.scale + self.shift
        mean = x.mean(self.over, keepdim=True)
        var = ((x - mean) ** 2).mean(self.over, keepdim=True)
        self.moving_mean = 0.9 * self.moving_mean + 0.1 * mean.detach()
        self.moving_var = 0.9 * self.moving_var + 0.1 * var.detach()
        return (x - mean) / torch.sqrt(var + 1e-5) * self.scale + self.shift
"""


def own_norm(network: str, *changes: str) -> str:
    """A network with the BatchNorm written by hand, changed."""
    return change(OWN_NORM, *changes) + network.replace("BatchNorm1d", "Norm").replace(
        "BatchNorm2d", "Norm"
    ).replace("nn.Norm(", "Norm(")


def own_norm_plain(network: str) -> str:
    for size in (1, 2):
        for n in ("hidden1", "hidden2", "16", "32"):
            network = network.replace(f"nn.BatchNorm{size}d({n})", f"Norm({n}, {2 * size})")
    return OWN_NORM_PLAIN + network


def wrong_norms(network: str) -> dict[str, Wrong]:
    """BatchNorm written by hand with one mistake each: only its own check fails."""
    return {
        "own BatchNorm without scale and shift": Wrong(
            {"norm"},
            "no scale and shift",
            own_norm(
                network,
                "self.gamma.view(shape) * x + self.beta.view(shape) → x",
                "self.gamma, self.beta = nn.Parameter(torch.ones(n)), nn.Parameter(torch.zeros(n)) → pass",
            ),
        ),
        "own BatchNorm divides by the variance": Wrong(
            {"norm"}, "is not BatchNorm", own_norm(network, ").sqrt() → )")
        ),
        "own BatchNorm without running statistics": Wrong(
            {"norm"},
            "uses no running statistics",
            own_norm(
                network,
                "mean, var = self.mean, self.var → mean, var = x.mean(over), x.var(over, unbiased=False)",
            ),
        ),
        "own BatchNorm with running statistics in training": Wrong(
            {"norm"},
            "in training mode the BatchNorm after hidden layer 1 does not use",
            own_norm(network, "        else:\n            mean, var → \n        mean, var"),
        ),
        "own BatchNorm with momentum 0.9": Wrong(
            {"norm"}, "momentum 0.9", own_norm(network, "momentum=0.1 → momentum=0.9")
        ),
    }


# -- the MLP ---------------------------------------------------------------------------------------------

MLP = """
class MLP(nn.Module):
    def __init__(self, input_dim=784, hidden1=256, hidden2=128, output_dim=10, dropout_p=0.2):
        super().__init__()
        self.fc1 = nn.Linear(input_dim, hidden1)
        self.bn1 = nn.BatchNorm1d(hidden1)
        self.fc2 = nn.Linear(hidden1, hidden2)
        self.bn2 = nn.BatchNorm1d(hidden2)
        self.fc3 = nn.Linear(hidden2, output_dim)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, x):
        x = x.view(x.size(0), -1)
        x = self.dropout(self.relu(self.bn1(self.fc1(x))))
        x = self.dropout(self.relu(self.bn2(self.fc2(x))))
        return self.fc3(x)
"""

MLP_SEQUENTIAL = """
class MLP(nn.Module):
    def __init__(self, input_dim=784, hidden1=256, hidden2=128, output_dim=10, dropout_p=0.2):
        super(MLP, self).__init__()
        self.net = nn.Sequential(
            nn.Flatten(),
            nn.Linear(input_dim, hidden1), nn.BatchNorm1d(hidden1), nn.ReLU(), nn.Dropout(dropout_p),
            nn.Linear(hidden1, hidden2), nn.BatchNorm1d(hidden2), nn.ReLU(), nn.Dropout(dropout_p),
            nn.Linear(hidden2, output_dim),
        )

    def forward(self, x):
        return self.net(x)
"""

MLP_LOOP = """
class MLP(nn.Module):
    def __init__(self, input_dim=784, hidden1=256, hidden2=128, output_dim=10, dropout_p=0.2):
        super().__init__()
        sizes = [input_dim, hidden1, hidden2]
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.norms = nn.ModuleList(nn.BatchNorm1d(n) for n in sizes[1:])
        self.out = nn.Linear(hidden2, output_dim)
        self.p = dropout_p

    def forward(self, x):
        h = torch.flatten(x, 1)
        for linear, norm in zip(self.linears, self.norms):
            h = nn.functional.dropout(torch.relu(norm(linear(h))), self.p, self.training)
        return self.out(h)
"""

# The output layer is made first, and nothing is called as in the handout.
MLP_OWN_NAMES = """
class MLP(nn.Module):
    def __init__(self, input_dim=784, hidden1=256, hidden2=128, output_dim=10, dropout_p=0.2):
        nn.Module.__init__(self)
        self.kopf = nn.Linear(hidden2, output_dim)
        self.schichten = nn.ModuleDict({"b": self.block(hidden1, hidden2, dropout_p)})
        self.add_module("a", self.block(input_dim, hidden1, dropout_p))

    @staticmethod
    def block(n, m, p):
        return nn.Sequential(nn.Linear(n, m), nn.BatchNorm1d(num_features=m), nn.ReLU(inplace=True), nn.Dropout(p=p))

    def forward(self, bild):
        return self.kopf(self.schichten["b"](self.a(bild.reshape(len(bild), -1))))
"""

MLP_BY_HAND = """
class MLP(nn.Module):
    def __init__(self, input_dim=784, hidden1=256, hidden2=128, output_dim=10, dropout_p=0.2):
        super().__init__()
        self.fc1, self.bn1 = nn.Linear(input_dim, hidden1), nn.BatchNorm1d(hidden1)
        self.fc2, self.bn2 = nn.Linear(hidden1, hidden2), nn.BatchNorm1d(hidden2)
        self.fc3 = nn.Linear(hidden2, output_dim)
        self.p = dropout_p

    def drop(self, h):
        if not self.training:
            return h
        return h * (torch.rand_like(h) >= self.p) / (1 - self.p)

    def forward(self, x):
        h = self.drop(self.bn1(self.fc1(x.flatten(1))).clamp(min=0))
        h = self.drop(torch.maximum(self.bn2(self.fc2(h)), torch.tensor(0.0)))
        return self.fc3(h)
"""

MLP_DROPS_BY_MODE = """
class MLP(nn.Module):
    def __init__(self, input_dim=784, hidden1=256, hidden2=128, output_dim=10, dropout_p=0.2):
        super().__init__()
        self.p = dropout_p
        self.first, self.norm1 = nn.Linear(input_dim, hidden1), nn.BatchNorm1d(hidden1)
        self.second, self.norm2 = nn.Linear(hidden1, hidden2), nn.BatchNorm1d(hidden2)
        self.third = nn.Linear(hidden2, output_dim)

    def hidden(self, h, linear, norm):
        h = norm(linear(h)).relu_()
        return torch.dropout(h, self.p, True) if self.training else h

    def forward(self, x):
        h = x.flatten(start_dim=1)
        for linear, norm in [(self.first, self.norm1), (self.second, self.norm2)]:
            h = self.hidden(h, linear, norm)
        return self.third(h)
"""

RIGHT_MLP = {
    "one shared ReLU and Dropout": MLP,
    "nn.Sequential": MLP_SEQUENTIAL,
    "ModuleList in a loop": MLP_LOOP,
    "own names": MLP_OWN_NAMES,
    "dropout and ReLU by hand": MLP_BY_HAND,
    "F.relu": mlp("self.relu( → nn.functional.relu("),
    "x.relu_()": mlp("self.relu(self.bn1(self.fc1(x))) → self.bn1(self.fc1(x)).relu_()"),
    "F.threshold_": mlp("self.relu( → torch.nn.functional.threshold_(", "(x)))) → (x)), 0, 0))"),
    "ReLU(inplace=True)": mlp("nn.ReLU() → nn.ReLU(inplace=True)"),
    "dropout before ReLU": mlp("self.dropout(self.relu( → self.relu(self.dropout("),
    "two Dropouts": mlp(
        "self.dropout =  → self.d1 = self.d2 = ",
        "self.dropout(self.relu(self.bn1(self.fc1(x)))) → self.d1(self.relu(self.bn1(self.fc1(x))))",
        "self.dropout(self.relu(self.bn2(self.fc2(x)))) → self.d2(self.relu(self.bn2(self.fc2(x))))",
    ),
    "inplace dropout": mlp("nn.Dropout(dropout_p) → nn.Dropout(dropout_p, inplace=True)"),
    "F.dropout with training by name": mlp(
        "nn.Dropout(dropout_p) → dropout_p",
        "self.dropout( → nn.functional.dropout(p=self.dropout, training=self.training, input=",
    ),
    "dropout in training only": MLP_DROPS_BY_MODE,
    "no bias before BatchNorm": mlp("hidden1)\n        self.bn1 → hidden1, bias=False)\n        self.bn1"),
    "lazy layers": mlp(
        "nn.Linear(input_dim,  → nn.LazyLinear(",
        "nn.Linear(hidden1,  → nn.LazyLinear(",
        "nn.BatchNorm1d(hidden1) → nn.LazyBatchNorm1d()",
    ),
    "view(-1, 28 * 28)": mlp("x.view(x.size(0), -1) → x.view(-1, 28 * 28)"),
    "reshape(-1, input_dim)": mlp(
        "x.view(x.size(0), -1) → x.reshape(-1, self.fc1.in_features)",
        "self.relu =  → self.act = ",
        "self.relu( → self.act(",
    ),
    "super old style": mlp("super() → super(MLP, self)"),
    "weights drawn by He": mlp(
        "    def forward →         nn.init.kaiming_normal_(self.fc1.weight)\n\n    def forward"
    ),
    "BatchNorm by F.batch_norm": mlp(
        "self.bn1(self.fc1(x)) → nn.functional.batch_norm(self.fc1(x), *self.bn1.buffers(), training=self.training)",
        "*self.bn1.buffers() → self.bn1.running_mean, self.bn1.running_var, self.bn1.weight, self.bn1.bias",
    ),
    "BatchNorm by hand": own_norm(MLP),
    "BatchNorm and dropout by hand": own_norm(MLP_BY_HAND),
    "BatchNorm by hand, statistics as plain attributes": own_norm_plain(MLP),
    "the last layer starts at 0": mlp(
        "output_dim)\n → output_dim)\n        nn.init.zeros_(self.fc3.weight), nn.init.zeros_(self.fc3.bias)\n"
    ),
    "a layer too many that nothing uses": mlp(
        "self.relu =  → self.spare = nn.Linear(5, 7)\n        self.relu = "
    ),
    "another variable for the output": mlp(
        "return self.fc3(x) → logits = self.fc3(x)\n        return logits"
    ),
}

_NETWORK = {"sizes", "arguments", "forward", "dropout", "norm"}  # all that look inside

WRONG_MLP = {
    "the first layer gets no gradient": Wrong(
        {"forward"},
        "no gradient reaches `fc1.weight`",
        mlp("self.bn2(self.fc2(x)) → self.bn2(self.fc2(x.detach()))"),
    ),
    "no bias at the end": Wrong(
        {"forward"}, "last Linear layer has no bias", mlp("output_dim) → output_dim, bias=False)")
    ),
    # layers and sizes
    "hidden sizes exchanged": Wrong(
        {"sizes"}, "784, 128, 256", mlp("hidden1=256, hidden2=128 → hidden1=128, hidden2=256")
    ),
    "wrong size": Wrong({"sizes"}, "[784, 512, 128]", mlp("hidden1=256 → hidden1=512")),
    "nine outputs": Wrong({"logits"}, "(6, 9), not (6, 10)", mlp("output_dim=10 → output_dim=9")),
    "sizes hard-coded": Wrong(
        {"arguments"},
        "no Linear layer goes from 42 to 11",
        mlp(
            "(input_dim, hidden1) → (784, 256)",
            "d(hidden1) → d(256)",
            "(hidden1, hidden2) → (256, 128)",
            "d(hidden2) → d(128)",
            "(hidden2, output_dim) → (128, 10)",
        ),
    ),
    "outputs hard-coded": Wrong({"arguments"}, "from 13 to 3", mlp("output_dim)\n → 10)\n")),
    "inputs hard-coded": Wrong({"arguments"}, "from 42 to 11", mlp("nn.Linear(input_dim, → nn.Linear(784,")),
    "a hidden layer too many": Wrong(
        {"sizes"},
        "[784, 256, 128, 128]",
        mlp(
            "self.relu =  → self.fc4, self.bn4 = nn.Linear(hidden2, hidden2), nn.BatchNorm1d(hidden2); self.relu = ",
            "return self.fc3(x) → return self.fc3(self.dropout(self.relu(self.bn4(self.fc4(x)))))",
        ),
    ),
    "a hidden layer too few": Wrong(
        {"sizes", "arguments"},  # one argument has nothing to set
        "[784, 256], not",
        mlp(
            "self.dropout(self.relu(self.bn2(self.fc2(x)))) → x",
            "nn.Linear(hidden2, output_dim) → nn.Linear(hidden1, output_dim)",
            "self.fc2 = nn.Linear(hidden1, hidden2) → pass",
            "self.bn2 = nn.BatchNorm1d(hidden2) → pass",
        ),
    ),
    "no hidden layer": Wrong(
        _NETWORK,
        "layers with weights are: linear",
        mlp(
            "self.dropout(self.relu(self.bn1(self.fc1(x)))) → x",
            "self.dropout(self.relu(self.bn2(self.fc2(x)))) → x",
            "nn.Linear(hidden2, output_dim) → nn.Linear(input_dim, output_dim)",
        ),
    ),
    # dropout
    "no dropout": Wrong(
        {"dropout"},
        "before the last layer: there is no such dropout",
        mlp("self.dropout(self.relu( → (self.relu("),
    ),
    "no first dropout": Wrong(
        {"dropout"},
        "after hidden layer 1 and the next: there is no such dropout",
        mlp("self.dropout(self.relu(self.bn1(self.fc1(x)))) → (self.relu(self.bn1(self.fc1(x))))"),
    ),
    "no second dropout": Wrong(
        {"dropout"},
        "before the last layer: there is no such dropout",
        mlp("self.dropout(self.relu(self.bn2(self.fc2(x)))) → (self.relu(self.bn2(self.fc2(x))))"),
    ),
    "dropout 0.2 hard-coded": Wrong(
        {"arguments"}, "with dropout_p=0.5", mlp("Dropout(dropout_p) → Dropout(0.2)")
    ),
    "dropout without a rate": Wrong({"dropout"}, "half the units", mlp("Dropout(dropout_p) → Dropout()")),
    "keep and drop exchanged": Wrong(
        {"dropout"},
        "keeps one unit in five and drops four",
        mlp("Dropout(dropout_p) → Dropout(1 - dropout_p)"),
    ),
    "dropout active in eval mode": Wrong(
        {"dropout"},
        "active in eval mode",
        mlp(
            "nn.Dropout(dropout_p) → dropout_p",
            "self.dropout( → nn.functional.dropout(p=self.dropout, input=",
        ),
    ),
    "dropout active in eval mode, rate hard-coded": Wrong(
        {"dropout", "arguments"},
        "active in eval mode",
        mlp("self.dropout( → nn.functional.dropout(p=0.2, input="),
    ),
    "survivors not rescaled": Wrong(
        {"dropout"}, "not divided by 1 - p", change(MLP_BY_HAND, " / (1 - self.p) → ")
    ),
    "whole pictures dropped": Wrong({"dropout"}, "dropped together", mlp("nn.Dropout( → nn.Dropout1d(")),
    "dropout before BatchNorm": Wrong(
        {"dropout"},
        "before the last layer: there is no such dropout",
        mlp(
            "self.dropout(self.relu(self.bn1(self.fc1(x)))) → self.relu(self.bn1(self.dropout(self.fc1(x))))",
            "self.dropout(self.relu(self.bn2(self.fc2(x)))) → self.relu(self.bn2(self.dropout(self.fc2(x))))",
        ),
    ),
    "dropout on the pictures instead of the first hidden layer": Wrong(
        {"dropout"},
        "after hidden layer 1 and the next: there is no such dropout",
        mlp(
            "self.dropout(self.relu(self.bn1(self.fc1(x)))) → self.relu(self.bn1(self.fc1(self.dropout(x))))"
        ),
    ),
    "dropout on the pictures too": Wrong(
        {"dropout"}, "3 dropouts", mlp("self.fc1(x) → self.fc1(self.dropout(x))")
    ),
    "dropout on the logits too": Wrong(
        {"dropout"}, "3 dropouts, not 2", mlp("return self.fc3(x) → return self.dropout(self.fc3(x))")
    ),
    "dropout on the logits": Wrong(
        {"dropout"},
        "drops logits",
        mlp(
            "self.dropout(self.relu(self.bn2(self.fc2(x)))) → (self.relu(self.bn2(self.fc2(x))))",
            "return self.fc3(x) → return self.dropout(self.fc3(x))",
        ),
    ),
    # BatchNorm
    "no BatchNorm": Wrong(
        {"norm"}, "no BatchNorm after hidden layer 1", mlp("self.bn1( → (", "self.bn2( → (")
    ),
    "no second BatchNorm": Wrong({"norm"}, "no BatchNorm after hidden layer 2", mlp("self.bn2( → (")),
    "LayerNorm": Wrong({"norm"}, "is not BatchNorm", mlp("BatchNorm1d → LayerNorm")),
    "BatchNorm without scale and shift": Wrong(
        {"norm"},
        "no scale and shift",
        mlp("1d(hidden1 → 1d(hidden1, affine=False", "1d(hidden2 → 1d(hidden2, affine=False"),
    ),
    **wrong_norms(MLP),
    "BatchNorm after ReLU": Wrong(
        {"forward"},
        "ReLU comes before BatchNorm",
        mlp(
            "self.relu(self.bn1(self.fc1(x))) → self.bn1(self.relu(self.fc1(x)))",
            "self.relu(self.bn2(self.fc2(x))) → self.bn2(self.relu(self.fc2(x)))",
        ),
    ),
    "BatchNorm after dropout": Wrong(
        {"forward", "dropout"},  # both ReLU and dropout are on its wrong side
        "ReLU comes before BatchNorm",
        mlp(
            "self.dropout(self.relu(self.bn1(self.fc1(x)))) → self.bn1(self.dropout(self.relu(self.fc1(x))))",
            "self.dropout(self.relu(self.bn2(self.fc2(x)))) → self.bn2(self.dropout(self.relu(self.fc2(x))))",
        ),
    ),
    "no running statistics": Wrong(
        {"norm"},
        "uses no running statistics",
        mlp(
            "BatchNorm1d(hidden1 → BatchNorm1d(hidden1, track_running_stats=False",
            "BatchNorm1d(hidden2 → BatchNorm1d(hidden2, track_running_stats=False",
        ),
    ),
    "BatchNorm momentum 0.9": Wrong(
        {"norm"}, "momentum 0.9", mlp("BatchNorm1d(hidden1 → BatchNorm1d(hidden1, momentum=0.9")
    ),
    "BatchNorm frozen": Wrong(
        {"norm"}, "does not follow the batches", mlp("x = x.view → self.bn1.eval(); x = x.view")
    ),
    "batch statistics and updates in eval mode": Wrong(
        {"norm"},
        "does not use its running statistics",
        mlp("x = x.view → self.bn1.train(); self.bn2.train(); x = x.view"),
    ),
    # activations
    "no ReLU": Wrong({"forward"}, "the ReLU is missing", mlp("self.relu( → (")),
    "no first ReLU": Wrong({"forward"}, "ReLU of hidden layer 1", mlp("self.relu(self.bn1 → (self.bn1")),
    "no second ReLU": Wrong({"forward"}, "ReLU of hidden layer 2", mlp("self.relu(self.bn2 → (self.bn2")),
    "ReLU on the logits": Wrong(
        {"forward"}, "a ReLU follows", mlp("return self.fc3(x) → return self.relu(self.fc3(x))")
    ),
    "sigmoid for ReLU": Wrong({"forward"}, "sigmoid takes the place", mlp("nn.ReLU() → nn.Sigmoid()")),
    "tanh for ReLU": Wrong({"forward"}, "tanh takes the place", mlp("nn.ReLU() → nn.Tanh()")),
    "GELU for ReLU": Wrong({"forward"}, "GELU takes the place", mlp("nn.ReLU() → nn.GELU()")),
    "LeakyReLU for ReLU": Wrong({"forward"}, "LeakyReLU takes", mlp("nn.ReLU() → nn.LeakyReLU()")),
    "softmax at the end": Wrong(
        {"forward"}, "softmax is applied", mlp("return self.fc3(x) → return self.fc3(x).softmax(dim=1)")
    ),
    "log-softmax at the end": Wrong(
        {"forward"},
        "log-softmax",
        mlp("return self.fc3(x) → return nn.functional.log_softmax(self.fc3(x), dim=1)"),
    ),
    "sigmoid at the end": Wrong(
        {"forward"}, "a sigmoid follows", mlp("return self.fc3(x) → return self.fc3(x).sigmoid()")
    ),
    # flattening
    "flattening mixes pictures": Wrong(
        {"forward"}, "mixes the images", mlp("x.view(x.size(0), -1) → x.reshape(-1, len(x)).T")
    ),
    "height and width exchanged": Wrong(
        {"forward"}, "height and width", mlp("x.view(x.size(0), -1) → x.transpose(2, 3).flatten(1)")
    ),
    # what PyTorch doesn't see
    "hidden layers in a plain list": Wrong(
        {"sizes"},
        "nn.ModuleList",
        change(MLP_LOOP, "nn.ModuleList(nn.Linear(a, b) → list(nn.Linear(a, b)"),
    ),
    "layers made in forward": Wrong(
        {"sizes", "arguments"},
        "make layers in __init__",
        mlp("self.fc2(x) → nn.Linear(256, 128)(x)", "self.fc2 = → fc2 ="),
    ),
    # what does nothing
    "zeros": Wrong(
        _NETWORK | {"logits"},
        "layers with weights are: none",
        mlp("x = x.view(x.size(0), -1) → return torch.zeros(len(x), 10)"),
    ),
    "zeros after the layers": Wrong(
        {"forward", "dropout", "norm"}, "the output", mlp("return self.fc3(x) → return 0 * self.fc3(x)")
    ),
    "nothing returned": Wrong(
        {"logits", "forward", "dropout", "norm", "arguments"},
        "is a `return` missing",
        mlp("return self.fc3(x) → self.fc3(x)"),
    ),
    "no flattening": Wrong({"logits", *_NETWORK}, "RuntimeError", mlp("x = x.view(x.size(0), -1) → pass")),
    "super().__init__ forgotten": Wrong(
        {"logits", *_NETWORK}, "before Module.__init__()", mlp("super().__init__() → pass")
    ),
}

# -- the CNN ---------------------------------------------------------------------------------------------

CNN = """
class CNN(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3)
        self.bn2 = nn.BatchNorm2d(32)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(32 * 5 * 5, num_classes)

    def forward(self, x):
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        x = self.pool(self.relu(self.bn2(self.conv2(x))))
        x = self.dropout(self.flatten(x))
        return self.fc(x)
"""

CNN_SEQUENTIAL = """
class CNN(nn.Module):
    def __init__(self, num_classes=10):
        super(CNN, self).__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels=1, out_channels=16, kernel_size=5, stride=1, padding=0),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=2, stride=2),
            nn.Conv2d(16, 32, kernel_size=(3, 3)),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
            nn.MaxPool2d((2, 2)),
        )
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(p=0.2), nn.Linear(800, num_classes))

    def forward(self, x):
        return self.classifier(self.features(x))
"""

CNN_LOOP = """
class CNN(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.convs = nn.ModuleList()
        channels = 1
        for filters, kernel in [(16, 5), (32, 3)]:
            self.convs.append(nn.Sequential(nn.Conv2d(channels, filters, kernel), nn.BatchNorm2d(filters)))
            channels = filters
        self.out = nn.Linear(channels * 25, num_classes)

    def forward(self, images):
        h = images
        for conv in self.convs:
            h = nn.functional.max_pool2d(conv(h).relu(), 2)
        return self.out(nn.functional.dropout(h.reshape(h.shape[0], -1), 0.2, self.training))
"""

RIGHT_CNN = {
    "one shared ReLU and pool": CNN,
    "nn.Sequential": CNN_SEQUENTIAL,
    "ModuleList and functions": CNN_LOOP,
    "ReLU after pooling": cnn("self.pool(self.relu( → self.relu(self.pool("),
    "F.relu": cnn("self.relu( → torch.nn.functional.relu("),
    "dropout before Flatten": cnn("self.dropout(self.flatten(x)) → self.flatten(self.dropout(x))"),
    "dropout twice, once with rate 0": cnn("(self.conv1(x) → (nn.functional.dropout(self.conv1(x), 0.0)"),
    "no bias before BatchNorm": cnn("16, 5) → 16, 5, bias=False)", "32, 3) → 32, 3, bias=False)"),
    "lazy layers": cnn(
        "nn.Conv2d(1, 16, 5) → nn.LazyConv2d(16, 5)",
        "nn.BatchNorm2d(16) → nn.LazyBatchNorm2d()",
        "nn.Conv2d(16, 32, 3) → nn.LazyConv2d(32, 3)",
        "nn.Linear(32 * 5 * 5,  → nn.LazyLinear(",
    ),
    "view": cnn("self.flatten(x) → x.view(-1, 800)"),
    "torch.flatten": cnn("self.flatten(x) → torch.flatten(x, start_dim=1)"),
    "F.max_pool2d": cnn("self.pool( → nn.functional.max_pool2d(kernel_size=2, stride=2, input="),
    "pooling with indices": cnn(
        "self.pool(self.relu( → (lambda h: nn.functional.max_pool2d(h, 2, return_indices=True)[0])(self.relu("
    ),
    "adaptive pooling": cnn(
        "self.pool(self.relu(self.bn2(self.conv2(x)))) → self.adapt(self.relu(self.bn2(self.conv2(x))))",
        "self.flatten = nn.Flatten() → self.flatten, self.adapt = nn.Flatten(), nn.AdaptiveMaxPool2d(5)",
    ),
    "pooling by amax": cnn(
        "self.pool = nn.MaxPool2d(2) → pass",
        "self.pool(self.relu( → (lambda h: h.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2)))(self.relu(",
    ),
    "padding as text": cnn("16, 5) → 16, 5, padding='valid')"),
    "own names": cnn("self.conv1 → self.c", "self.bn1 → self.n", "self.fc → self.zzz"),
    "BatchNorm by hand": own_norm(CNN),
    "BatchNorm by hand, statistics as plain attributes": own_norm_plain(CNN),
    "channels_last": cnn("(self.conv1(x) → (self.conv1(x.to(memory_format=torch.channels_last))"),
}

_INSIDE = {"sizes", "forward", "dropout", "norm"}

CNN_WITHOUT_CONVOLUTIONS = """
class CNN(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 99), nn.ReLU(), nn.Linear(99, num_classes))

    def forward(self, x):
        return self.net(x)
"""

WRONG_CNN = {
    "the first convolution gets no gradient": Wrong(
        {"sizes"}, "no gradient reaches `conv1.weight`", cnn("self.conv2(x) → self.conv2(x.detach())")
    ),
    # layers and sizes
    "padding added": Wrong(
        {"sizes"},
        "the first convolution's output",
        cnn("16, 5) → 16, 5, padding=2)", "32 * 5 * 5 → 32 * 6 * 6"),
    ),
    "padding 'same'": Wrong(
        {"sizes"}, "second convolution", cnn("32, 3) → 32, 3, padding='same')", "32 * 5 * 5 → 32 * 6 * 6")
    ),
    "stride 2": Wrong(
        {"sizes"},
        "is (16, 12, 12), not (16, 24, 24)",
        cnn("16, 5) → 16, 5, stride=2)", "32 * 5 * 5 → 32 * 2 * 2"),
    ),
    "kernels exchanged": Wrong(
        {"sizes"}, "(16, 26, 26)", cnn("16, 5) → 16, 3)", "32, 3) → 32, 5)", "32 * 5 * 5 → 32 * 4 * 4")
    ),
    "filters exchanged": Wrong(
        {"sizes"},
        "(32, 24, 24)",
        cnn(
            "Conv2d(1, 16, 5) → Conv2d(1, 32, 5)",
            "2d(16) → 2d(-16)",
            "2d(32) → 2d(16)",
            "2d(-16) → 2d(32)",
            "(16, 32, 3) → (32, 16, 3)",
            "32 * 5 → 16 * 5",
        ),
    ),
    "pooling window 3": Wrong(
        {"sizes"}, "first pooling", cnn("MaxPool2d(2) → MaxPool2d(3, 2)", "32 * 5 * 5 → 32 * 4 * 4")
    ),
    "pooling stride 1": Wrong(
        {"sizes"}, "first pooling", cnn("MaxPool2d(2) → MaxPool2d(2, 1)", "32 * 5 * 5 → 32 * 20 * 20")
    ),
    "pooling with padding": Wrong(
        {"sizes"},
        "(16, 13, 13), not (16, 12, 12)",
        cnn("MaxPool2d(2) → MaxPool2d(2, padding=1)", "32 * 5 * 5 → 32 * 6 * 6"),
    ),
    "no second pooling": Wrong(
        {"sizes"},
        "second pooling",
        cnn(
            "self.pool(self.relu(self.bn2(self.conv2(x)))) → (self.relu(self.bn2(self.conv2(x))))",
            "32 * 5 * 5 → 32 * 10 * 10",
        ),
    ),
    "no pooling": Wrong({"sizes"}, "first pooling", cnn("self.pool( → (", "32 * 5 * 5 → 32 * 22 * 22")),
    "a hidden Linear layer too many": Wrong(
        {"sizes"},
        "['conv2d', 'conv2d', 'linear', 'linear']",
        cnn(
            "32 * 5 * 5,  → 64, ",
            "self.relu =  → self.fc0 = nn.Linear(800, 64); self.relu = ",
            "self.dropout(self.flatten(x)) → self.dropout(self.relu(self.fc0(self.flatten(x))))",
        ),
    ),
    "a third convolution": Wrong(
        {"sizes"},
        "the list of layers with weights",
        cnn(
            "self.relu =  → self.conv3, self.bn3 = nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32); self.relu = ",
            "self.flatten(x) → self.flatten(self.relu(self.bn3(self.conv3(x))))",
        ),
    ),
    "only one convolution": Wrong(
        {"sizes"},
        "the list of layers with weights",
        cnn("self.pool(self.relu(self.bn2(self.conv2(x)))) → x", "32 * 5 * 5 → 16 * 12 * 12"),
    ),
    "an MLP": Wrong(_INSIDE, "no convolution", CNN_WITHOUT_CONVOLUTIONS),
    "num_classes not used": Wrong({"logits"}, "with num_classes=7", cnn("5, num_classes → 5, 10")),
    # dropout
    "no dropout": Wrong(
        {"dropout"}, "before the last layer: there is no such dropout", cnn("self.dropout( → (")
    ),
    "Dropout2d": Wrong(
        {"dropout"},
        "whole channels",
        cnn("nn.Dropout( → nn.Dropout2d(", "self.dropout(self.flatten(x)) → self.flatten(self.dropout(x))"),
    ),
    "dropout of one half": Wrong({"dropout"}, "drops half", cnn("Dropout(0.2) → Dropout(0.5)")),
    "keep and drop exchanged": Wrong(
        {"dropout"}, "keeps one unit in five and drops four", cnn("Dropout(0.2) → Dropout(0.8)")
    ),
    "dropout active in eval mode": Wrong(
        {"dropout"},
        "active in eval mode",
        cnn("self.dropout(self.flatten(x)) → nn.functional.dropout(self.flatten(x), 0.2)"),
    ),
    "dropout before the second pooling": Wrong(
        {"dropout"},
        "before the last layer: there is no such dropout",
        cnn(
            "self.relu(self.bn2(self.conv2(x))) → self.dropout(self.relu(self.bn2(self.conv2(x))))",
            "self.dropout(self.flatten(x)) → self.flatten(x)",
        ),
    ),
    "dropout after every block": Wrong(
        {"dropout"}, "2 dropouts, not 1", cnn("self.conv2(x) → self.conv2(self.dropout(x))")
    ),
    "dropout on the logits": Wrong(
        {"dropout"},
        "drops logits",
        cnn(
            "self.dropout(self.flatten(x)) → self.flatten(x)",
            "return self.fc(x) → return self.dropout(self.fc(x))",
        ),
    ),
    # BatchNorm
    "no BatchNorm": Wrong(
        {"norm"}, "no BatchNorm after hidden layer 1", cnn("self.bn1( → (", "self.bn2( → (")
    ),
    "no second BatchNorm": Wrong({"norm"}, "no BatchNorm after hidden layer 2", cnn("self.bn2( → (")),
    "BatchNorm after ReLU": Wrong(
        {"forward"},
        "ReLU comes before BatchNorm",
        cnn(
            "self.relu(self.bn1(self.conv1(x))) → self.bn1(self.relu(self.conv1(x)))",
            "self.relu(self.bn2(self.conv2(x))) → self.bn2(self.relu(self.conv2(x)))",
        ),
    ),
    "pooling before BatchNorm": Wrong(
        {"forward"},
        "pooling comes before BatchNorm",
        cnn(
            "self.pool(self.relu(self.bn1(self.conv1(x)))) → self.relu(self.bn1(self.pool(self.conv1(x))))",
            "self.pool(self.relu(self.bn2(self.conv2(x)))) → self.relu(self.bn2(self.pool(self.conv2(x))))",
        ),
    ),
    "BatchNorm after pooling": Wrong(
        {"forward"},
        "ReLU and pooling come before BatchNorm",
        cnn(
            "self.pool(self.relu(self.bn1(self.conv1(x)))) → self.bn1(self.pool(self.relu(self.conv1(x))))",
            "self.pool(self.relu(self.bn2(self.conv2(x)))) → self.bn2(self.pool(self.relu(self.conv2(x))))",
        ),
    ),
    "no running statistics": Wrong(
        {"norm"},
        "no running statistics",
        cnn("2d(16) → 2d(16, track_running_stats=False)", "2d(32) → 2d(32, track_running_stats=False)"),
    ),
    "BatchNorm without scale and shift": Wrong(
        {"norm"}, "no scale and shift", cnn("2d(16) → 2d(16, affine=False)")
    ),
    **wrong_norms(CNN),
    "BatchNorm momentum 0.01": Wrong({"norm"}, "BatchNorm 2", cnn("2d(32) → 2d(32, momentum=0.01)")),
    # activations
    "no ReLU": Wrong({"forward"}, "the ReLU is missing", cnn("self.relu( → (")),
    "no second ReLU": Wrong({"forward"}, "ReLU of hidden layer 2", cnn("self.relu(self.bn2 → (self.bn2")),
    "ReLU on the logits": Wrong(
        {"forward"}, "a ReLU follows", cnn("return self.fc(x) → return self.relu(self.fc(x))")
    ),
    "sigmoid for ReLU": Wrong({"forward"}, "sigmoid takes the place", cnn("nn.ReLU() → nn.Sigmoid()")),
    "LeakyReLU for ReLU": Wrong(
        {"forward"},
        "LeakyReLU takes",
        cnn("nn.ReLU() → nn.LeakyReLU()"),
        unnoticed="within the tolerance that other values of ε need",
    ),
    "softmax at the end": Wrong(
        {"forward"}, "softmax is applied", cnn("return self.fc(x) → return torch.softmax(self.fc(x), 1)")
    ),
    "log-softmax at the end": Wrong(
        {"forward"}, "log-softmax", cnn("return self.fc(x) → return self.fc(x).log_softmax(-1)")
    ),
    "average pooling": Wrong({"forward"}, "average pooling", cnn("nn.MaxPool2d → nn.AvgPool2d")),
    # layout
    "height and width exchanged": Wrong(
        {"forward"}, "height and width", cnn("self.conv1(x) → self.conv1(x.transpose(2, 3))")
    ),
    "features in another order": Wrong(
        {"forward"}, "another order", cnn("self.flatten(x) → self.flatten(x.permute(0, 2, 3, 1))")
    ),
    "flattening mixes pictures": Wrong(
        {"forward"}, "mixes the images", cnn("self.flatten(x) → x.permute(1, 2, 3, 0).reshape(len(x), -1)")
    ),
    # what PyTorch doesn't see, and what doesn't run
    "convolutions in a plain list": Wrong(
        {"sizes"}, "nn.ModuleList", change(CNN_LOOP, "nn.ModuleList() → []")
    ),
    "features miscounted": Wrong({"logits", *_INSIDE}, "RuntimeError", cnn("32 * 5 * 5 → 32 * 4 * 4")),
    "three input channels": Wrong({"logits", *_INSIDE}, "RuntimeError", cnn("2d(1, 16 → 2d(3, 16")),
    "constant": Wrong(
        _INSIDE, "the list of", cnn("return self.fc(x) → return torch.ones(len(x), self.fc.out_features)")
    ),
}

# -- the training loop -----------------------------------------------------------------------------------

ACCURACY = """
def compute_accuracy(model, loader, device):
    model.eval()
    correct, total = 0, 0
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            preds = model(images).argmax(dim=1)
            correct += (preds == labels).sum().item()
            total += labels.size(0)
    return correct / total
"""

ACCURACY_AT_ONCE = """
@torch.no_grad()
def compute_accuracy(model, loader, device):
    model.eval()
    hits = [model(images.to(device)).argmax(1).cpu() == labels for images, labels in loader]
    return torch.cat(hits).double().mean()
"""

# The handout's, which returns nothing.
LOOP = """
def train(model, train_loader, test_loader, epochs=10, lr=0.05, device="cpu"):
    model.to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    for epoch in range(epochs):
        model.train()
        for images, labels in train_loader:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
        tr = compute_accuracy(model, train_loader, device)
        te = compute_accuracy(model, test_loader, device)
        print(f"Epoch {epoch+1:2d} Train: {tr:.4f} Test: {te:.4f}")
"""

TRAIN = ACCURACY + LOOP

TRAIN_WITH_HISTORY = (
    ACCURACY
    + """
def train(model, train_loader, test_loader, epochs=10, lr=0.05, device="cpu"):
    model.to(device)
    optimizer = optim.SGD(model.parameters(), lr, 0.9)
    history = {"loss": [], "train": [], "test": []}
    for epoch in range(epochs):
        model.train()
        for i, (X, y) in enumerate(tqdm(train_loader)):
            J = nn.functional.cross_entropy(input=model(X.to(device)), target=y.to(device))
            optimizer.zero_grad(set_to_none=False)
            J.backward()
            optimizer.step()
        history["loss"].append(J.item())
        history["train"].append(compute_accuracy(model, train_loader, device))
        history["test"].append(compute_accuracy(model, test_loader, device))
    return history
"""
)

TRAIN_WITHOUT_OPTIMIZER = (
    ACCURACY
    + """
def train(model, train_loader, test_loader, epochs=10, lr=0.05, device="cpu"):
    model.to(device)
    parameters = list(model.parameters())
    velocity = [torch.zeros_like(p) for p in parameters]
    for epoch in range(epochs):
        model.train()
        for images, labels in train_loader:
            logits = model(images.to(device))
            right = logits.gather(1, labels.to(device)[:, None])[:, 0]
            gradients = torch.autograd.grad((logits.logsumexp(1) - right).mean(), parameters)
            with torch.no_grad():
                for p, v, g in zip(parameters, velocity, gradients):
                    p -= lr * v.mul_(0.9).add_(g)
        print(compute_accuracy(model, test_loader, device))
"""
)

TRAIN_WITH_CLOSURE = (
    ACCURACY
    + """
def train(model, train_loader, test_loader, epochs=10, lr=0.05, device="cpu"):
    optimizer = optim.SGD(model.to(device).parameters(), lr=lr, momentum=0.9)
    for epoch in range(epochs):
        for images, labels in train_loader:
            model.train()

            def closure():
                optimizer.zero_grad()
                loss = nn.CrossEntropyLoss()(model(images.to(device)), labels.to(device))
                loss.backward()
                return loss

            optimizer.step(closure)
"""
)

_STEP = """
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
"""


def step(*lines: str) -> str:
    """The training loop with these lines for what happens to a batch."""
    return TRAIN.replace(_STEP, "\n" + "".join(f"            {line}\n" for line in lines))


_ZERO = "optimizer.zero_grad()"
_LOSS = "loss = criterion(model(images), labels)"

RIGHT_TRAIN = {
    "the handout's": TRAIN,
    "a history, enumerate, tqdm, other names": TRAIN_WITH_HISTORY,
    "no optimizer": TRAIN_WITHOUT_OPTIMIZER,
    "a closure": TRAIN_WITH_CLOSURE,
    "zero_grad after step": step(_LOSS, "loss.backward()", "optimizer.step()", _ZERO),
    "zero_grad between loss and backward": step(_LOSS, _ZERO, "loss.backward()", "optimizer.step()"),
    "model.zero_grad()": step("model.zero_grad()", _LOSS, "loss.backward()", "optimizer.step()"),
    "gradients set to None": step(
        "for p in model.parameters(): p.grad = None", _LOSS, "loss.backward()", "optimizer.step()"
    ),
    "logits on a line of their own": loop(
        "loss = criterion(model → out = model(images); loss = criterion((lambda x: out)"
    ),
    "log-softmax and NLLLoss": loop(
        "nn.CrossEntropyLoss() → nn.NLLLoss()", "(images), labels → (images).log_softmax(1), labels"
    ),
    "log-softmax before cross-entropy": loop("(images), labels → (images).log_softmax(1), labels"),
    "one-hot labels": loop("(images), labels → (images), torch.eye(model(images).shape[1])[labels]"),
    "arguments in another order": loop('epochs=10, lr=0.05, device="cpu" → device="cpu", lr=0.05, epochs=10'),
    "device without a default": loop('epochs=10, lr=0.05, device="cpu" → device, epochs=10, lr=0.05'),
    "accuracies at the end only": loop("        tr =  →     if True:\n        tr = "),
    "training accuracy counted on the way": step(
        _ZERO,
        _LOSS,
        "loss.backward()",
        "optimizer.step()",
        "hits = (model(images).argmax(1) == labels).sum()",
    ),
    "accuracy goes back to training mode": loop(
        "    return correct / total →     model.train()\n    return correct / total"
    ),
    "accuracy by tensors": loop("(preds == labels).sum().item() → (preds == labels).float().sum()"),
    "accuracy of all pictures at once": ACCURACY_AT_ONCE + LOOP,
    "accuracy by softmax and max": loop(
        "model(images).argmax(dim=1) → torch.max(model(images).softmax(1), 1)[1]"
    ),
    "accuracy as a NumPy number": loop(
        "return correct / total → import numpy; return numpy.float32(correct / total)"
    ),
    "eval mode set by train": loop("model.eval() → pass", "tr =  → model.eval(); tr = "),
    "history of tensors": change(TRAIN_WITH_HISTORY, "correct / total → torch.tensor(correct / total)"),
}

_EVERYTHING = {"learns", "sgd", "modes", "accuracy"}

WRONG_TRAIN = {
    "a hundred batches at most": Wrong(
        {"sgd"},
        "an epoch of 150 batches",
        loop(
            "for images, labels in train_loader:\n → for n, (images, labels) in enumerate(train_loader):\n"
            "            if n >= 100:\n                break\n"
        ),
    ),
    "pictures mirrored": Wrong(
        {"learns", "sgd"},
        "first step is wrong",
        step(
            _ZERO, "loss = criterion(model(images.flip(-1)), labels)", "loss.backward()", "optimizer.step()"
        ),
    ),
    "the history's accuracies exchanged": Wrong(
        {"accuracy"},
        "that is the test accuracy",
        TRAIN_WITH_HISTORY.replace("train_loader, device)", "TEST, device)")
        .replace("test_loader, device)", "train_loader, device)")
        .replace("TEST, device)", "test_loader, device)"),
    ),
    # the step
    "no zero_grad": Wrong(
        {"sgd"}, "optimizer.zero_grad() is missing", step(_LOSS, "loss.backward()", "optimizer.step()")
    ),
    "zero_grad once an epoch": Wrong(
        {"sgd"},
        "cleared once an epoch",
        loop("optimizer.zero_grad() → pass", "model.train() → model.train(); optimizer.zero_grad()"),
    ),
    "zero_grad between backward and step": Wrong(
        {"learns", "sgd"}, "what they were", step(_LOSS, "loss.backward()", _ZERO, "optimizer.step()")
    ),
    "no backward": Wrong({"learns", "sgd"}, "never change", step(_ZERO, _LOSS, "optimizer.step()")),
    "no step": Wrong({"learns", "sgd"}, "never change", step(_ZERO, _LOSS, "loss.backward()")),
    "step before backward": Wrong(
        {"learns", "sgd"}, "what they were", step(_ZERO, _LOSS, "optimizer.step()", "loss.backward()")
    ),
    "step before backward, cleared between": Wrong(
        {"sgd"}, "step() comes before backward()", step(_LOSS, "optimizer.step()", _ZERO, "loss.backward()")
    ),
    "two steps on one gradient": Wrong(
        {"sgd"},
        "first step is wrong",
        step(_ZERO, _LOSS, "loss.backward()", "optimizer.step()", "optimizer.step()"),
    ),
    "each batch twice": Wrong(
        {"sgd"},
        "used for two steps",
        loop(
            "for images, labels in train_loader: → for images, labels in (b for b in train_loader for _ in '12'):"
        ),
    ),
    "step outside the batch loop": Wrong(
        {"sgd"}, "outside the loop", loop("            optimizer.step() →         optimizer.step()")
    ),
    "whole step outside the batch loop": Wrong(
        {"sgd"}, "outside the loop", TRAIN.replace(_STEP, _STEP.replace("            ", "        "))
    ),
    "break after the first batch": Wrong(
        {"sgd"}, "first batch of each epoch", loop("optimizer.step() → optimizer.step(); break")
    ),
    # the loss
    "softmax before cross-entropy": Wrong(
        {"sgd"}, "taken twice", loop("(images), labels → (images).softmax(1), labels")
    ),
    "gradient ascent": Wrong(
        {"learns", "sgd"}, "larger, not smaller", loop("loss = criterion → loss = -criterion")
    ),
    "NLLLoss of logits": Wrong({"sgd"}, "NLLLoss wants log-softmax", loop("CrossEntropyLoss → NLLLoss")),
    "loss summed": Wrong({"sgd"}, "summed, not averaged", loop("Loss() → Loss(reduction='sum')")),
    "labels smoothed": Wrong({"sgd"}, "first step is wrong", loop("Loss() → Loss(label_smoothing=0.1)")),
    "squared error": Wrong(
        {"sgd"},
        "first step is wrong",
        loop(
            "CrossEntropyLoss → MSELoss",
            "(images), labels → (images), torch.eye(model(images).shape[1])[labels]",
        ),
    ),
    # the optimizer and the arguments
    "no momentum": Wrong({"sgd"}, "no momentum", loop(", momentum=0.9 → ")),
    "Nesterov": Wrong({"sgd"}, "first step is wrong", loop("momentum=0.9 → momentum=0.9, nesterov=True")),
    "weight decay": Wrong(
        {"sgd"}, "first step is wrong", loop("momentum=0.9 → momentum=0.9, weight_decay=0.01")
    ),
    "Adam": Wrong({"sgd"}, "first step is wrong", loop("optim.SGD → optim.Adam", ", momentum=0.9 → ")),
    "optimizer made anew for each epoch": Wrong(
        {"sgd"},
        "first step is right",
        loop("model.train() → model.train(); optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)"),
    ),
    "learning rate falling": Wrong(
        {"sgd"}, "first step is right", loop("tr =  → optimizer.param_groups[0]['lr'] *= 0.9; tr = ")
    ),
    "lr not used": Wrong({"sgd"}, "argument lr is not used", loop("lr=lr → lr=0.05")),
    "epochs not used": Wrong({"sgd"}, "argument epochs is not used", loop("range(epochs) → range(10)")),
    "lr and epochs not used": Wrong(
        {"sgd"}, "arguments epochs and lr", loop("range(epochs) → range(10)", "lr=lr → lr=0.05")
    ),
    "one epoch less": Wrong({"sgd"}, "one epoch is missing", loop("range(epochs) → range(1, epochs)")),
    # modes
    "training mode set once": Wrong(
        {"modes"},
        "steps run in eval mode",
        loop("model.train() → pass", "for epoch in → model.train()\n    for epoch in"),
    ),
    "training mode never set": Wrong({"modes"}, "steps run in eval mode", loop("model.train() → pass")),
    "eval mode never set": Wrong({"modes"}, "evaluation runs in training mode", loop("model.eval() → pass")),
    "eval mode while training": Wrong(
        {"modes"}, "steps run in eval mode", loop("model.train() → model.eval()")
    ),
    # the accuracy
    "accuracies of batches averaged": Wrong(
        {"accuracy"},
        "averaged, though the last batch is shorter",
        loop("sum().item() → float().mean().item()", "labels.size(0) → 1"),
    ),
    "per cent": Wrong({"accuracy"}, "per cent", loop("return correct → return 100 * correct")),
    "first batch only": Wrong(
        {"accuracy"}, "only the first batch", loop("    return correct →             return correct")
    ),
    "hits counted": Wrong({"accuracy"}, "hits are counted", loop("correct / total → correct")),
    "divided by batches": Wrong(
        {"accuracy"}, "number of batches", loop("correct / total → correct / len(loader)")
    ),
    "errors counted": Wrong(
        {"accuracy"}, "share of wrong answers", loop("preds == labels → preds != labels")
    ),
    "smallest logit": Wrong({"accuracy"}, "compute_accuracy is", loop("argmax → argmin")),
    "history of errors": Wrong(
        {"accuracy"},
        "wrong answers",
        change(TRAIN_WITH_HISTORY, '["test"].append( → ["test"].append(1 - '),
    ),
    # these stop with an error, and so does the training of the notebook
    "argmax over the batch": Wrong(
        {"sgd", "modes", "accuracy"}, "RuntimeError", loop("argmax(dim=1) → argmax(dim=0)")
    ),
    "loss never computed": Wrong(
        _EVERYTHING, "name 'loss' is not defined", step(_ZERO, "loss.backward()", "optimizer.step()")
    ),
    "logits and labels exchanged": Wrong(
        _EVERYTHING, "NotImplementedError", loop("(model(images), labels) → (labels, model(images))")
    ),
    "pass": Wrong(_EVERYTHING, "no batch", step("pass")),
}

# -- cheats: forms of answers nobody asked for -----------------------------------------------------------

STUBBORN = """
import contextlib

def wait_for_ever():
    while True:
        with contextlib.suppress(Exception):
            while True:
                pass
"""

FORGED_STATE = """
class Forged(MLP):
    def state_dict(self, *args, **kwargs):
        return {"weight": torch.ones(256, 784)}

MLP = Forged
"""

LIAR = """
class Liar({base}):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = {base}.__hash__
"""

# Each with the checks it may pass all the same.
CHEATS = {
    "a list": (mlp("return self.fc3(x) → return self.fc3(x).tolist()"), {"logits", "sizes"}),
    "a tuple": (mlp("return self.fc3(x) → return self.fc3(x), 1"), _NETWORK),  # the network itself is right
    "text": (mlp("return self.fc3(x) → return 'ten logits'"), {"sizes"}),
    "True": (mlp("return self.fc3(x) → return True"), {"sizes"}),
    "zeros of the right shape": (
        mlp("x = x.view(x.size(0), -1) → return torch.zeros(len(x), 10)"),
        {"logits"},
    ),
    "random logits": (mlp("x = x.view(x.size(0), -1) → return torch.randn(len(x), 10)"), {"logits"}),
    "NaN": (mlp("return self.fc3(x) → return self.fc3(x) * float('nan')"), {"sizes"}),
    "infinity": (mlp("return self.fc3(x) → return self.fc3(x) / 0"), {"sizes"}),
    "complex logits": (mlp("return self.fc3(x) → return self.fc3(x) * 1j"), {"sizes"}),
    "a sparse tensor": (mlp("return self.fc3(x) → return self.fc3(x).to_sparse()"), {"sizes"}),
    "a float that equals everything": (
        LIAR.format(base="float") + mlp("return self.fc3(x) → return Liar(3)"),
        {"sizes"},
    ),
    "a tensor that equals everything": (
        LIAR.format(base="torch.Tensor")
        + mlp("return self.fc3(x) → return torch.zeros(len(x), 10).as_subclass(Liar)"),
        {"logits", "sizes", "arguments"},
    ),
    "a network in the place of logits": (mlp("return self.fc3(x) → return self"), {"sizes"}),
    "320 MB of logits": (mlp("return self.fc3(x) → return torch.zeros(1).expand(80_000_000)"), {"sizes"}),
    "nested without end": (mlp("return self.fc3(x) → y = []; y.append(y); return y"), {"sizes"}),
    "exit()": (mlp("return self.fc3(x) → raise SystemExit(0)"), set()),
    "an exception that cannot be printed": (
        "class Mute(Exception):\n    def __str__(self):\n        raise self\n"
        + mlp("return self.fc3(x) → raise Mute"),
        set(),
    ),
    "recursion without end": (mlp("return self.fc3(x) → return self.forward(x.flatten(1))"), set()),
    "an endless loop": (mlp("return self.fc3(x) → while True:\n            pass"), set()),
    "an endless loop that catches everything": (
        STUBBORN + mlp("return self.fc3(x) → wait_for_ever()"),
        set(),
    ),
    "a forged state": (MLP + FORGED_STATE, {"logits", "sizes"}),
    "a number for a network": ("def MLP(**sizes):\n    return 10", set()),
    "no class": ("MLP = None", set()),
    "nothing": ("", set()),
}

# -- the table of 3.3 ------------------------------------------------------------------------------------

TABLE = 'accuracy = {"MLP": {"train": %s, "test": %s}, "CNN": {"train": %s, "test": %s}}'
_LAST = (
    'mlp_history["train"][-1]',
    'mlp_history["test"][-1]',
    'cnn_history["train"][-1]',
    'cnn_history["test"][-1]',
)


def _each(form: str) -> tuple[str, ...]:
    return tuple(form.format(value) for value in _LAST)


TABLE_COMPUTED = """
from collections import defaultdict

accuracy = defaultdict(dict)
for name, model in [("MLP", mlp), ("CNN", cnn)]:
    for split, loader in [("train", train_loader), ("test", test_loader)]:
        accuracy[name][split] = compute_accuracy(model, loader, device)
"""

RIGHT_TABLE = {
    "from the histories": TABLE % _LAST,
    "NumPy numbers": f"import numpy as np\n{TABLE % _each('np.float32({})')}",
    "NumPy arrays of no dimension": f"import numpy as np\n{TABLE % _each('np.array({})')}",
    "tensors": TABLE % _each("torch.tensor({})"),
    "per cent": TABLE % _each("100 * {}"),
    "rounded": TABLE % _each("round({}, 2)"),
    "typed in after a full run": TABLE % (0.9312, 0.8874, 0.9285, 0.9071),
    "typed in after a full run, in per cent": TABLE % (93.1, 88.7, 92.9, 90.7),
    "names in small letters": (TABLE % _LAST).replace('"MLP"', '"mlp"').replace('"CNN"', '"cnn"'),
    "as text": TABLE % ('"0.9312"', '"0.8874"', '"0.9285"', '"0.9071"'),
    "computed": TABLE_COMPUTED,
}

_ALL = set(CHECKS["q3_3-table-check"])

WRONG_TABLE = {
    "the first network's numbers twice": Wrong(
        {"cnn train", "cnn test"}, "its entry for the MLP's", TABLE % (*_LAST[:2], *_LAST[:2])
    ),
    "one entry twice": Wrong(
        {"mlp test"}, "its entry for the MLP's train", TABLE % (_LAST[0], _LAST[0], *_LAST[2:])
    ),
    "the first epoch": Wrong(
        _ALL, "those after epoch 1", TABLE % tuple(last.replace("[-1]", "[0]") for last in _LAST)
    ),
    "one digit": Wrong(_ALL, "all four entries are the same", TABLE % _each("round({}, 1)")),
    "error rates": Wrong(_ALL, "the table says 0.", TABLE % _each("1 - {}")),
    "0.99 everywhere": Wrong(_ALL, "the table says 0.99", TABLE % (0.99, 0.99, 0.99, 0.99)),
    "one too good": Wrong({"cnn test"}, "your trained CNN reaches", TABLE % (*_LAST[:3], 0.99)),
    "one too bad": Wrong({"mlp train"}, "the table says 0.5", TABLE % (0.5, *_LAST[1:])),
    "chance": Wrong(_ALL, "the table says 0.1", TABLE % (0.1, 0.1, 0.1, 0.1)),
    "zeros": Wrong(_ALL, "all four entries are the same", TABLE % (0, 0, 0, 0)),
    "an entry missing": Wrong(
        {"cnn train"},
        'there is no accuracy["CNN"]["train"]',
        TABLE % _LAST + '\ndel accuracy["CNN"]["train"]',
    ),
    "a model missing": Wrong(
        {"cnn train", "cnn test"},
        'there is no accuracy["CNN"]',
        TABLE % _LAST + '\ndel accuracy["CNN"]',
    ),
    "other keys": Wrong(
        {"mlp train", "cnn train"}, "there is no", TABLE.replace('"train"', '"Training"') % _LAST
    ),
    "text": Wrong({"cnn test"}, "no number", TABLE % (*_LAST[:3], '"about 0.9"')),
    "None": Wrong({"cnn test"}, "expected numbers", TABLE % (*_LAST[:3], None)),
    "True": Wrong({"cnn test"}, "expected numbers", TABLE % (*_LAST[:3], True)),
    "NaN": Wrong({"cnn test"}, "NaN", TABLE % (*_LAST[:3], 'float("nan")')),
    "negative": Wrong({"cnn test"}, "not between 0 and 1", TABLE % (*_LAST[:3], -0.9)),
    "120 per cent": Wrong({"cnn test"}, "not between 0 and 1", TABLE % (*_LAST[:3], 120)),
    "the whole history": Wrong({"cnn test"}, "shape (3,)", TABLE % (*_LAST[:3], 'cnn_history["test"]')),
    "a list": Wrong(_ALL, "there is no", "accuracy = [0.9, 0.8, 0.9, 0.8]"),
    "a function": Wrong(_ALL, "there is no", "def accuracy(model, split):\n    return 0.9"),
    "no table": Wrong(_ALL, "there is no `accuracy` yet", ""),
}


def train_networks(cells: Mapping[str, str], folder: Path) -> None:
    """Write both networks of the notebook, trained on the data in the folder, to trained.pt."""
    names: dict[str, Any] = {"__name__": "__main__"}
    with working_folder(folder), contextlib.redirect_stdout(io.StringIO()):
        for cell in ("q3_0-imports", "q3_0-data", "q3_1-mlp", "q3_1-train", "q3_2-cnn"):
            exec(cells[cell], names)
        names["torch"].manual_seed(1)
        for cell in LOADED:
            exec(cells[cell], names)
        saved = {}
        for name in ("mlp", "cnn"):
            saved[name] = names[name].state_dict()
            saved[f"{name}_history"] = {
                what: values[-3:] for what, values in names[f"{name}_history"].items()
            }
        names["torch"].save(saved, "trained.pt")


# The cells that train, with what loads what they leave.
LOADED = {
    f"{question}-run": f"""
{name} = {name.upper()}()
{name}.load_state_dict(torch.load("trained.pt")["{name}"])
{name}_history = torch.load("trained.pt")["{name}_history"]
"""
    for question, name in (("q3_1", "mlp"), ("q3_2", "cnn"))
}
TRAINED = "".join(LOADED.values())

PROBLEM = Problem(
    notebook="assignment2",
    beside={"q3_3-table": TABLE_COMPUTED},
    equivalent={
        "q3_1-mlp": {
            "…nn.ReLU(), nn.Dropout(dropout_p)… → …nn.Dropout(dropout_p), nn.ReLU()…": "what is dropped is 0 anyway",
        },
        "q3_2-cnn": {
            "…nn.ReLU(), nn.MaxPool2d(2)… → …nn.MaxPool2d(2), nn.ReLU()…": "ReLU is monotone: the largest comes out",
            "…nn.Flatten(), nn.Dropout(0.2)… → …nn.Dropout(0.2), nn.Flatten()…": "dropout drops single numbers",
        },
    },
    given=("q3_0-imports",),
    checks=CHECKS,
    exercises=(
        Exercise(("q3_1-network",), "q3_1-mlp", RIGHT_MLP, WRONG_MLP),
        Exercise(("q3_1-training",), "q3_1-train", RIGHT_TRAIN, WRONG_TRAIN),
        Exercise(("q3_2-network",), "q3_2-cnn", RIGHT_CNN, WRONG_CNN),
        Exercise(
            ("q3_3-table-check",),
            "q3_3-table",
            RIGHT_TABLE,
            WRONG_TABLE,
            before=TRAINED,
            given=("q3_0-data",),
            prepare=train_networks,
        ),
    ),
)
