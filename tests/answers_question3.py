"""What students hand in for question 3 of Assignment 2: right answers in many forms, wrong ones by their mistake.

An answer is the source of a cell, mostly written as a change to a plain right one. A wrong answer lists the
checks it loses, by the short names in CHECKS, and words that the message of one of them must contain.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Short names for the checks of each graded cell, in their order there.
CHECKS = {
    "q3_1-network": ("logits", "sizes", "arguments", "forward", "dropout", "norm"),
    "q3_1-training": ("learns", "sgd", "modes", "accuracy"),
    "q3_1-accuracy": ("told", "reached"),
    "q3_2-network": ("logits", "sizes", "forward", "dropout", "norm"),
    "q3_2-accuracy": ("told", "reached"),
    "q3_3-table-check": ("fractions", "mlp train", "mlp test", "cnn train", "cnn test"),
}


@dataclass(frozen=True)
class Wrong:
    """An answer with one typical mistake."""

    source: str
    loses: set[str] = field(default_factory=set)
    says: str = ""  # part of a lost check's message


def change(source: str, *changes: tuple[str, str]) -> str:
    """The source with each first text, which must be there, replaced everywhere by the second."""
    for old, new in changes:
        if old not in source:
            raise ValueError(f"not in the source: {old!r}")
        source = source.replace(old, new)
    return source


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

_ACTIVE1 = "self.dropout(self.relu(self.bn1(self.fc1(x))))"
_ACTIVE2 = "self.dropout(self.relu(self.bn2(self.fc2(x))))"

RIGHT_MLP = {
    "one shared ReLU and Dropout": MLP,
    "nn.Sequential": MLP_SEQUENTIAL,
    "ModuleList in a loop": MLP_LOOP,
    "own names": MLP_OWN_NAMES,
    "dropout and ReLU by hand": MLP_BY_HAND,
    "F.relu": change(MLP, ("self.relu(", "nn.functional.relu(")),
    "x.relu_()": change(MLP, ("self.relu(self.bn1(self.fc1(x)))", "self.bn1(self.fc1(x)).relu_()")),
    "torch.clamp": change(MLP, ("self.relu(", "torch.nn.functional.threshold_("), ("(x))))", "(x)), 0, 0))")),
    "ReLU(inplace=True)": change(MLP, ("nn.ReLU()", "nn.ReLU(inplace=True)")),
    "dropout before ReLU": change(MLP, ("self.dropout(self.relu(", "self.relu(self.dropout(")),
    "two Dropouts": change(
        MLP,
        ("self.dropout = ", "self.d1 = self.d2 = "),
        (_ACTIVE1, _ACTIVE1.replace("dropout", "d1")),
        (_ACTIVE2, _ACTIVE2.replace("dropout", "d2")),
    ),
    "inplace dropout": change(MLP, ("nn.Dropout(dropout_p)", "nn.Dropout(dropout_p, inplace=True)")),
    "F.dropout with training by name": change(
        MLP,
        ("nn.Dropout(dropout_p)", "dropout_p"),
        ("self.dropout(self.relu(", "nn.functional.dropout(p=self.dropout, training=self.training, input=self.relu("),
    ),
    "F.dropout in training only": change(
        MLP,
        ("nn.Dropout(dropout_p)", "dropout_p"),
        ("    def forward", "    def drop(self, h):\n        return torch.dropout(h, self.dropout, True) if self.training else h\n\n    def forward"),
        ("self.dropout(self.relu", "self.drop(self.relu"),
    ),
    "no bias before BatchNorm": change(MLP, ("hidden1)\n        self.bn1", "hidden1, bias=False)\n        self.bn1")),
    "lazy layers": change(
        MLP,
        ("nn.Linear(input_dim, ", "nn.LazyLinear("),
        ("nn.Linear(hidden1, ", "nn.LazyLinear("),
        ("nn.BatchNorm1d(hidden1)", "nn.LazyBatchNorm1d()"),
    ),
    "view(-1, 28 * 28)": change(MLP, ("x.view(x.size(0), -1)", "x.view(-1, 28 * 28)")),
    "reshape(-1, input_dim)": change(
        MLP, ("x.view(x.size(0), -1)", "x.reshape(-1, self.fc1.in_features)"), ("self.relu = ", "self.act = "), ("self.relu(", "self.act(")
    ),
    "super old style": change(MLP, ("super()", "super(MLP, self)")),
    "weights drawn by He": change(MLP, ("    def forward", "        nn.init.kaiming_normal_(self.fc1.weight)\n\n    def forward")),
    "BatchNorm by F.batch_norm": change(
        MLP,
        (
            "self.bn1(self.fc1(x))",
            "nn.functional.batch_norm(self.fc1(x), self.bn1.running_mean, self.bn1.running_var, "
            "self.bn1.weight, self.bn1.bias, self.training)",
        ),
    ),
    "sum of pieces": change(MLP, ("return self.fc3(x)", "y = self.fc3(x)\n        assert y.ndim == 2\n        return y + 0")),
}

_NETWORK = {"sizes", "arguments", "forward", "dropout", "norm"}  # all that look inside

WRONG_MLP = {
    # layers and sizes
    "hidden sizes exchanged": Wrong(
        change(MLP, ("hidden1=256, hidden2=128", "hidden1=128, hidden2=256")), {"sizes"}, "784, 128, 256"
    ),
    "wrong size": Wrong(change(MLP, ("hidden1=256", "hidden1=512")), {"sizes"}, "[784, 512, 128]"),
    "nine outputs": Wrong(change(MLP, ("output_dim=10", "output_dim=9")), {"logits"}, "(6, 9), not (6, 10)"),
    "sizes hard-coded": Wrong(
        change(
            MLP,
            ("(input_dim, hidden1)", "(784, 256)"), ("d(hidden1)", "d(256)"),
            ("(hidden1, hidden2)", "(256, 128)"), ("d(hidden2)", "d(128)"), ("(hidden2, output_dim)", "(128, 10)"),
        ),
        {"arguments"},
        "no Linear layer goes from 42 to 11",
    ),
    "outputs hard-coded": Wrong(change(MLP, ("output_dim)\n", "10)\n")), {"arguments"}, "from 13 to 3"),
    "inputs hard-coded": Wrong(change(MLP, ("nn.Linear(input_dim,", "nn.Linear(784,")), {"arguments"}, "from 42 to 11"),
    "a hidden layer too many": Wrong(
        change(
            MLP,
            ("self.relu = ", "self.fc4 = nn.Linear(hidden2, hidden2)\n        self.bn4 = nn.BatchNorm1d(hidden2)\n        self.relu = "),
            ("        return", "        x = self.dropout(self.relu(self.bn4(self.fc4(x))))\n        return"),
        ),
        {"sizes", "dropout"},  # it brings a third dropout
        "[784, 256, 128, 128]",
    ),
    "a hidden layer too few": Wrong(
        change(
            MLP,
            (_ACTIVE2, "x"), ("nn.Linear(hidden2, output_dim)", "nn.Linear(hidden1, output_dim)"),
            ("        self.fc2 = nn.Linear(hidden1, hidden2)\n", ""), ("        self.bn2 = nn.BatchNorm1d(hidden2)\n", ""),
        ),
        {"sizes", "arguments", "dropout"},  # with it goes an argument and a dropout
        "[784, 256], not",
    ),
    "no hidden layer": Wrong(
        change(MLP, (_ACTIVE1, "x"), (_ACTIVE2, "x"), ("nn.Linear(hidden2, output_dim)", "nn.Linear(input_dim, output_dim)")),
        {"sizes", "forward", "dropout", "norm"} | {"arguments"},
        "no hidden one",
    ),
    # dropout
    "no dropout": Wrong(change(MLP, ("self.dropout(self.relu(", "(self.relu(")), {"dropout"}, "no dropout before the last layer"),
    "no first dropout": Wrong(
        change(MLP, (_ACTIVE1, _ACTIVE1.replace("self.dropout", ""))), {"dropout"}, "no dropout after hidden layer 1"
    ),
    "no second dropout": Wrong(
        change(MLP, (_ACTIVE2, _ACTIVE2.replace("self.dropout", ""))), {"dropout"}, "no dropout before the last layer"
    ),
    "dropout 0.2 hard-coded": Wrong(change(MLP, ("Dropout(dropout_p)", "Dropout(0.2)")), {"arguments"}, "with dropout_p=0.5"),
    "dropout without a rate": Wrong(change(MLP, ("Dropout(dropout_p)", "Dropout()")), {"dropout"}, "half the units"),
    "keep and drop exchanged": Wrong(
        change(MLP, ("Dropout(dropout_p)", "Dropout(1 - dropout_p)")), {"dropout"}, "keeps one unit in five"
    ),
    "dropout active in eval mode": Wrong(
        change(MLP, ("nn.Dropout(dropout_p)", "dropout_p"), ("self.dropout(", "nn.functional.dropout(p=self.dropout, input=")),
        {"dropout"},
        "active in eval mode",
    ),
    "dropout active in eval mode, rate hard-coded": Wrong(
        change(MLP, ("self.dropout(", "nn.functional.dropout(p=0.2, input=")), {"dropout", "arguments"}, "active in eval mode"
    ),
    "survivors not rescaled": Wrong(change(MLP_BY_HAND, (" / (1 - self.p)", "")), {"dropout"}, "not divided by 1 - p"),
    "whole pictures dropped": Wrong(change(MLP, ("nn.Dropout(", "nn.Dropout1d(")), {"dropout"}, "dropped together"),
    "dropout before BatchNorm": Wrong(
        change(MLP, (_ACTIVE1, "self.relu(self.bn1(self.dropout(self.fc1(x))))"), (_ACTIVE2, "self.relu(self.bn2(self.dropout(self.fc2(x))))")),
        {"dropout"},
        "no dropout before the last layer",
    ),
    "dropout on the pictures instead of the first hidden layer": Wrong(
        change(MLP, (_ACTIVE1, "self.relu(self.bn1(self.fc1(self.dropout(x))))")), {"dropout"}, "no dropout after hidden layer 1"
    ),
    "dropout on the pictures too": Wrong(change(MLP, ("self.fc1(x)", "self.fc1(self.dropout(x))")), {"dropout"}, "3 dropouts"),
    "dropout on the logits": Wrong(
        change(MLP, ("return self.fc3(x)", "return self.dropout(self.fc3(x))")), {"dropout"}, "3 dropouts, not 2"
    ),
    # BatchNorm
    "no BatchNorm": Wrong(change(MLP, ("self.bn1(", "("), ("self.bn2(", "(")), {"norm"}, "no BatchNorm after hidden layer 1"),
    "no second BatchNorm": Wrong(change(MLP, ("self.bn2(", "(")), {"norm"}, "no BatchNorm after hidden layer 2"),
    "LayerNorm": Wrong(change(MLP, ("BatchNorm1d", "LayerNorm")), {"forward", "norm"}, "no BatchNorm"),
    "BatchNorm after ReLU": Wrong(
        change(MLP, ("self.relu(self.bn1(self.fc1(x)))", "self.bn1(self.relu(self.fc1(x)))"), ("self.relu(self.bn2(self.fc2(x)))", "self.bn2(self.relu(self.fc2(x)))")),
        {"forward"},
        "ReLU comes before BatchNorm",
    ),
    "BatchNorm after dropout": Wrong(
        change(MLP, (_ACTIVE1, "self.bn1(self.dropout(self.relu(self.fc1(x))))"), (_ACTIVE2, "self.bn2(self.dropout(self.relu(self.fc2(x))))")),
        {"forward", "dropout"},  # ReLU and dropout are both on its wrong side
        "ReLU comes before BatchNorm",
    ),
    "no running statistics": Wrong(
        change(MLP, ("BatchNorm1d(hidden1", "BatchNorm1d(hidden1, track_running_stats=False"), ("BatchNorm1d(hidden2", "BatchNorm1d(hidden2, track_running_stats=False")),
        {"norm"},
        "keeps no running statistics",
    ),
    "BatchNorm momentum 0.9": Wrong(change(MLP, ("BatchNorm1d(hidden1", "BatchNorm1d(hidden1, momentum=0.9")), {"norm"}, "momentum 0.9"),
    "BatchNorm frozen": Wrong(
        change(MLP, ("        x = x.view", "        self.bn1.eval()\n        x = x.view")), {"norm"}, "do not follow the batches"
    ),
    "batch statistics and updates in eval mode": Wrong(
        change(MLP, ("        x = x.view", "        self.bn1.train()\n        self.bn2.train()\n        x = x.view")), {"norm"}, "does not use its running statistics"
    ),
    # activations
    "no ReLU": Wrong(change(MLP, ("self.relu(", "(")), {"forward"}, "the ReLU is missing"),
    "no first ReLU": Wrong(change(MLP, ("self.relu(self.bn1", "(self.bn1")), {"forward"}, "ReLU of hidden layer 1"),
    "no second ReLU": Wrong(change(MLP, ("self.relu(self.bn2", "(self.bn2")), {"forward"}, "ReLU of hidden layer 2"),
    "ReLU on the logits": Wrong(change(MLP, ("return self.fc3(x)", "return self.relu(self.fc3(x))")), {"forward"}, "a ReLU follows"),
    "sigmoid for ReLU": Wrong(change(MLP, ("nn.ReLU()", "nn.Sigmoid()")), {"forward"}, "sigmoid takes the place"),
    "tanh for ReLU": Wrong(change(MLP, ("nn.ReLU()", "nn.Tanh()")), {"forward"}, "tanh takes the place"),
    "GELU for ReLU": Wrong(change(MLP, ("nn.ReLU()", "nn.GELU()")), {"forward"}, "GELU takes the place"),
    "LeakyReLU for ReLU": Wrong(change(MLP, ("nn.ReLU()", "nn.LeakyReLU()")), {"forward"}, "LeakyReLU takes"),
    "softmax at the end": Wrong(change(MLP, ("return self.fc3(x)", "return self.fc3(x).softmax(dim=1)")), {"forward"}, "softmax is applied"),
    "log-softmax at the end": Wrong(
        change(MLP, ("return self.fc3(x)", "return nn.functional.log_softmax(self.fc3(x), dim=1)")), {"forward"}, "log-softmax"
    ),
    "sigmoid at the end": Wrong(change(MLP, ("return self.fc3(x)", "return self.fc3(x).sigmoid()")), {"forward"}, "a sigmoid follows"),
    # flattening
    "flattening mixes pictures": Wrong(
        change(MLP, ("x.view(x.size(0), -1)", "x.reshape(-1, len(x)).T")), {"forward"}, "mixes the pictures"
    ),
    "height and width exchanged": Wrong(
        change(MLP, ("x.view(x.size(0), -1)", "x.transpose(2, 3).flatten(1)")), {"forward"}, "height and width"
    ),
    # what PyTorch doesn't see
    "hidden layers in a plain list": Wrong(
        change(MLP_LOOP, ("nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))", "[nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]")),
        _NETWORK,
        "nn.ModuleList",
    ),
    "layers made in forward": Wrong(
        change(MLP, ("self.fc2(x)", "nn.Linear(256, 128)(x)"), ("self.fc2 =", "fc2 =")), _NETWORK, "make layers in __init__"
    ),
    # what does nothing
    "zeros": Wrong(
        change(MLP, ("        x = x.view(x.size(0), -1)", "        return torch.zeros(len(x), 10)")), _NETWORK - {"arguments"} | {"arguments"}, "0 layers"
    ),
    "zeros after the layers": Wrong(
        change(MLP, ("return self.fc3(x)", "return 0 * self.fc3(x)")), {"forward", "dropout", "norm"}, "the output"
    ),
    "nothing returned": Wrong(change(MLP, ("return self.fc3(x)", "self.fc3(x)")), {"logits", "forward", "dropout", "norm", "arguments"}, "NoneType"),
    "no flattening": Wrong(
        change(MLP, ("        x = x.view(x.size(0), -1)\n", "")), {"logits", *_NETWORK}, "RuntimeError"
    ),
    "super().__init__ forgotten": Wrong(change(MLP, ("        super().__init__()\n", "")), {"logits", *_NETWORK}, "super().__init__"),
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

_BLOCK1 = "self.pool(self.relu(self.bn1(self.conv1(x))))"
_BLOCK2 = "self.pool(self.relu(self.bn2(self.conv2(x))))"

RIGHT_CNN = {
    "one shared ReLU and pool": CNN,
    "nn.Sequential": CNN_SEQUENTIAL,
    "ModuleList and functions": CNN_LOOP,
    "ReLU after pooling": change(CNN, ("self.pool(self.relu(", "self.relu(self.pool(")),
    "F.relu": change(CNN, ("self.relu(", "torch.nn.functional.relu(")),
    "dropout before Flatten": change(CNN, ("self.dropout(self.flatten(x))", "self.flatten(self.dropout(x))")),
    "dropout twice, once with rate 0": change(CNN, (_BLOCK1, f"nn.functional.dropout({_BLOCK1}, 0.0)")),
    "no bias before BatchNorm": change(CNN, ("16, 5)", "16, 5, bias=False)"), ("32, 3)", "32, 3, bias=False)")),
    "lazy layers": change(
        CNN,
        ("nn.Conv2d(1, 16, 5)", "nn.LazyConv2d(16, 5)"), ("nn.BatchNorm2d(16)", "nn.LazyBatchNorm2d()"),
        ("nn.Conv2d(16, 32, 3)", "nn.LazyConv2d(32, 3)"), ("nn.Linear(32 * 5 * 5, ", "nn.LazyLinear("),
    ),
    "view": change(CNN, ("self.flatten(x)", "x.view(-1, 800)")),
    "torch.flatten": change(CNN, ("self.flatten(x)", "torch.flatten(x, start_dim=1)")),
    "F.max_pool2d": change(CNN, ("self.pool(", "nn.functional.max_pool2d(kernel_size=2, stride=2, input=")),
    "pooling with indices": change(CNN, ("self.pool(self.relu(self.bn1(self.conv1(x))))", "nn.functional.max_pool2d(self.relu(self.bn1(self.conv1(x))), 2, return_indices=True)[0]")),
    "adaptive pooling": change(CNN, (_BLOCK2, _BLOCK2.replace("self.pool", "nn.functional.adaptive_max_pool2d").replace("))))", "))), 5)"))),
    "pooling by amax": change(CNN, (_BLOCK1, "self.relu(self.bn1(self.conv1(x))).unflatten(3, (12, 2)).unflatten(2, (12, 2)).amax(dim=(3, 5))")),
    "padding as text": change(CNN, ("16, 5)", "16, 5, padding='valid')")),
    "own names, Dropout after ReLU": change(CNN, ("self.conv1", "self.c"), ("self.bn1", "self.n"), ("self.fc", "self.zzz")),
    "channels_last": change(CNN, ("        x = self.pool(self.relu(self.bn1", "        x = x.to(memory_format=torch.channels_last)\n        x = self.pool(self.relu(self.bn1")),
}  # fmt: skip

_INSIDE = {"sizes", "forward", "dropout", "norm"}

WRONG_CNN = {
    # layers and sizes
    "padding added": Wrong(
        change(CNN, ("16, 5)", "16, 5, padding=2)"), ("32 * 5 * 5", "32 * 6 * 6")), {"sizes"}, "first convolution (channels, height, width) is"
    ),
    "padding 'same'": Wrong(change(CNN, ("32, 3)", "32, 3, padding='same')"), ("32 * 5 * 5", "32 * 6 * 6")), {"sizes"}, "second convolution"),
    "stride 2": Wrong(change(CNN, ("16, 5)", "16, 5, stride=2)"), ("32 * 5 * 5", "32 * 2 * 2")), {"sizes"}, "(16, 12, 12)"),
    "kernels exchanged": Wrong(
        change(CNN, ("16, 5)", "16, 3)"), ("32, 3)", "32, 5)"), ("32 * 5 * 5", "32 * 4 * 4")), {"sizes"}, "(16, 26, 26)"
    ),
    "filters exchanged": Wrong(
        change(CNN, ("Conv2d(1, 16, 5)", "Conv2d(1, 32, 5)"), ("2d(16)", "2d(-16)"), ("2d(32)", "2d(16)"), ("2d(-16)", "2d(32)"), ("(16, 32, 3)", "(32, 16, 3)"), ("32 * 5", "16 * 5")),
        {"sizes"},
        "(32, 24, 24)",
    ),
    "pooling window 3": Wrong(change(CNN, ("MaxPool2d(2)", "MaxPool2d(3, 2)"), ("32 * 5 * 5", "32 * 4 * 4")), {"sizes"}, "first pooling"),
    "pooling stride 1": Wrong(change(CNN, ("MaxPool2d(2)", "MaxPool2d(2, 1)"), ("32 * 5 * 5", "32 * 20 * 20")), {"sizes"}, "first pooling"),
    "pooling with padding": Wrong(
        change(CNN, ("MaxPool2d(2)", "MaxPool2d(2, padding=1)"), ("32 * 5 * 5", "32 * 6 * 6")), {"sizes"}, "(16, 13, 13)"
    ),
    "no second pooling": Wrong(change(CNN, (_BLOCK2, _BLOCK2.replace("self.pool", "")), ("32 * 5 * 5", "32 * 10 * 10")), {"sizes"}, "second pooling"),
    "no pooling": Wrong(change(CNN, ("self.pool(", "("), ("32 * 5 * 5", "32 * 22 * 22")), {"sizes"}, "first pooling"),
    "a hidden Linear layer too many": Wrong(
        change(CNN, ("32 * 5 * 5, ", "64, "), ("        self.fc =", "        self.fc0 = nn.Linear(800, 64)\n        self.fc ="), ("self.dropout(self.flatten(x))", "self.dropout(self.relu(self.fc0(self.flatten(x))))")),
        {"sizes"},
        "['conv2d', 'conv2d', 'linear', 'linear']".replace("'", '"'),
    ),
    "a third convolution": Wrong(
        change(CNN, ("        self.relu =", "        self.conv3 = nn.Conv2d(32, 32, 3, padding=1)\n        self.bn3 = nn.BatchNorm2d(32)\n        self.relu ="), ("        x = self.dropout", "        x = self.relu(self.bn3(self.conv3(x)))\n        x = self.dropout")),
        {"sizes"},
        "the list of layers with weights",
    ),
    "only one convolution": Wrong(
        change(CNN, (_BLOCK2, "x"), ("32 * 5 * 5", "16 * 12 * 12")), {"sizes"}, "the list of layers with weights"
    ),
    "an MLP": Wrong(
        "class CNN(nn.Module):\n    def __init__(self, num_classes=10):\n        super().__init__()\n"
        "        self.a, self.b = nn.Linear(784, 99), nn.Linear(99, num_classes)\n\n"
        "    def forward(self, x):\n        return self.b(torch.relu(self.a(x.flatten(1))))\n",
        _INSIDE,
        "no convolution",
    ),
    "num_classes not used": Wrong(change(CNN, ("5, num_classes", "5, 10")), {"logits"}, "with num_classes=7"),
    # dropout
    "no dropout": Wrong(change(CNN, ("self.dropout(", "(")), {"dropout"}, "no dropout before the last layer"),
    "Dropout2d": Wrong(change(CNN, ("nn.Dropout(", "nn.Dropout2d("), ("self.dropout(self.flatten(x))", "self.flatten(self.dropout(x))")), {"dropout"}, "whole channels"),
    "dropout of one half": Wrong(change(CNN, ("Dropout(0.2)", "Dropout(0.5)")), {"dropout"}, "drops half"),
    "keep and drop exchanged": Wrong(change(CNN, ("Dropout(0.2)", "Dropout(0.8)")), {"dropout"}, "keeps one unit in five"),
    "dropout active in eval mode": Wrong(
        change(CNN, ("self.dropout(self.flatten(x))", "nn.functional.dropout(self.flatten(x), 0.2)")), {"dropout"}, "active in eval mode"
    ),
    "dropout before the second pooling": Wrong(
        change(CNN, (_BLOCK2, "self.pool(self.dropout(self.relu(self.bn2(self.conv2(x)))))"), ("self.dropout(self.flatten(x))", "self.flatten(x)")), {"dropout"}, "survive"
    ),
    "dropout after every block": Wrong(change(CNN, (_BLOCK1, f"self.dropout({_BLOCK1})")), {"dropout"}, "2 dropouts, not 1"),
    "dropout on the logits": Wrong(
        change(CNN, ("self.dropout(self.flatten(x))", "self.flatten(x)"), ("return self.fc(x)", "return self.dropout(self.fc(x))")), {"dropout"}, "survi"
    ),
    # BatchNorm
    "no BatchNorm": Wrong(change(CNN, ("self.bn1(", "("), ("self.bn2(", "(")), {"norm"}, "no BatchNorm after hidden layer 1"),
    "no second BatchNorm": Wrong(change(CNN, ("self.bn2(", "(")), {"norm"}, "no BatchNorm after hidden layer 2"),
    "BatchNorm after ReLU": Wrong(
        change(CNN, ("self.relu(self.bn1(self.conv1(x)))", "self.bn1(self.relu(self.conv1(x)))"), ("self.relu(self.bn2(self.conv2(x)))", "self.bn2(self.relu(self.conv2(x)))")),
        {"forward"},
        "ReLU comes before BatchNorm",
    ),
    "pooling before BatchNorm": Wrong(
        change(CNN, (_BLOCK1, "self.relu(self.bn1(self.pool(self.conv1(x))))"), (_BLOCK2, "self.relu(self.bn2(self.pool(self.conv2(x))))")),
        {"forward"},
        "pooling comes before BatchNorm",
    ),
    "BatchNorm after pooling": Wrong(
        change(CNN, (_BLOCK1, "self.bn1(self.pool(self.relu(self.conv1(x))))"), (_BLOCK2, "self.bn2(self.pool(self.relu(self.conv2(x))))")),
        {"forward"},
        "ReLU and pooling come before BatchNorm",
    ),
    "no running statistics": Wrong(
        change(CNN, ("2d(16)", "2d(16, track_running_stats=False)"), ("2d(32)", "2d(32, track_running_stats=False)")), {"norm"}, "no running statistics"
    ),
    "BatchNorm without scale and shift": Wrong(
        change(CNN, ("2d(16)", "2d(16, affine=False)")), {"norm"}, "no scale and shift"
    ),
    "BatchNorm momentum 0.01": Wrong(change(CNN, ("2d(32)", "2d(32, momentum=0.01)")), {"norm"}, "BatchNorm 2"),
    # activations
    "no ReLU": Wrong(change(CNN, ("self.relu(", "(")), {"forward"}, "the ReLU is missing"),
    "no second ReLU": Wrong(change(CNN, ("self.relu(self.bn2", "(self.bn2")), {"forward"}, "ReLU of hidden layer 2"),
    "ReLU on the logits": Wrong(change(CNN, ("return self.fc(x)", "return self.relu(self.fc(x))")), {"forward"}, "a ReLU follows"),
    "sigmoid for ReLU": Wrong(change(CNN, ("nn.ReLU()", "nn.Sigmoid()")), {"forward"}, "sigmoid takes the place"),
    "LeakyReLU for ReLU": Wrong(change(CNN, ("nn.ReLU()", "nn.LeakyReLU()")), {"forward"}, "LeakyReLU takes"),
    "softmax at the end": Wrong(change(CNN, ("return self.fc(x)", "return torch.softmax(self.fc(x), 1)")), {"forward"}, "softmax is applied"),
    "log-softmax at the end": Wrong(change(CNN, ("return self.fc(x)", "return self.fc(x).log_softmax(-1)")), {"forward"}, "log-softmax"),
    "average pooling": Wrong(change(CNN, ("nn.MaxPool2d", "nn.AvgPool2d")), {"forward"}, "average pooling"),
    # layout
    "height and width exchanged": Wrong(
        change(CNN, ("self.conv1(x)", "self.conv1(x.transpose(2, 3))")), {"forward"}, "height and width"
    ),
    "features in another order": Wrong(
        change(CNN, ("self.flatten(x)", "self.flatten(x.permute(0, 2, 3, 1))")), {"forward"}, "another order"
    ),
    "flattening mixes pictures": Wrong(
        change(CNN, ("self.flatten(x)", "x.permute(1, 2, 3, 0).reshape(len(x), -1)")), {"forward"}, "mixes the pictures"
    ),
    # what PyTorch doesn't see, and what doesn't run
    "convolutions in a plain list": Wrong(change(CNN_LOOP, ("nn.ModuleList()", "[]")), _INSIDE, "nn.ModuleList"),
    "features miscounted": Wrong(change(CNN, ("32 * 5 * 5", "32 * 4 * 4")), {"logits", *_INSIDE}, "RuntimeError"),
    "three input channels": Wrong(change(CNN, ("2d(1, 16", "2d(3, 16")), {"logits", *_INSIDE}, "RuntimeError"),
    "constant": Wrong(change(CNN, ("return self.fc(x)", "return torch.ones(len(x), self.fc.out_features)")), _INSIDE, "the list of"),
}  # fmt: skip

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

# The handout's, which returns nothing.
TRAIN = (
    ACCURACY
    + """
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
)

_ZERO, _LOSS = "            optimizer.zero_grad()\n", "criterion(model(images), labels)"
_BACKWARD, _STEP = "            loss.backward()\n", "            optimizer.step()\n"

TRAIN_HISTORY = change(
    TRAIN,
    ("    for epoch in range(epochs):\n", '    history = {"loss": [], "train": [], "test": []}\n    for epoch in range(epochs):\n'),
    ("        print(f", '        history["loss"].append(loss.item())\n        history["train"].append(tr)\n        history["test"].append(te)\n        print(f'),
) + "    return history\n"  # fmt: skip

RIGHT_TRAIN = {
    "the handout's": TRAIN,
    "with a history": TRAIN_HISTORY,
    "set_to_none=False": change(TRAIN, ("zero_grad()", "zero_grad(set_to_none=False)")),
    "model.zero_grad()": change(TRAIN, ("optimizer.zero_grad()", "model.zero_grad()")),
    "zero_grad after step": change(TRAIN, (_ZERO, ""), (_STEP, _STEP + _ZERO)),
    "gradients set to None": change(
        TRAIN, (_ZERO, "            for p in model.parameters():\n                p.grad = None\n")
    ),
    "zero_grad between loss and backward": change(TRAIN, (_ZERO, ""), (_BACKWARD, _ZERO + _BACKWARD)),
    "F.cross_entropy": change(TRAIN, ("criterion(", "torch.nn.functional.cross_entropy(")),
    "log-softmax and NLLLoss": change(
        TRAIN, ("nn.CrossEntropyLoss()", "nn.NLLLoss()"), ("model(images), labels)", "model(images).log_softmax(1), labels)")
    ),
    "log-softmax before cross-entropy": change(TRAIN, (_LOSS, "criterion(model(images).log_softmax(1), labels)")),
    "cross-entropy by hand": change(
        TRAIN, (_LOSS, "(model(images).logsumexp(1) - model(images).gather(1, labels[:, None])[:, 0]).mean()")
    ),
    "other names": change(TRAIN, ("loss = criterion(model(images), labels)", "J = criterion(input=model(images), target=labels)"), ("loss.backward", "J.backward")),
    "enumerate and tqdm": change(TRAIN, ("for images, labels in train_loader", "for i, (images, labels) in enumerate(tqdm(train_loader))")),
    "gradients by torch.autograd": change(
        TRAIN,
        (_BACKWARD, "            for p, g in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters()))):\n                p.grad = g\n"),
    ),
    "step by hand": change(
        TRAIN,
        ("    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)\n", "    velocity = [torch.zeros_like(p) for p in model.parameters()]\n"),
        ("optimizer.zero_grad()", "model.zero_grad()"),
        (_STEP, "            with torch.no_grad():\n                for p, v in zip(model.parameters(), velocity):\n                    v.mul_(0.9).add_(p.grad)\n                    p -= lr * v\n"),
    ),
    "device and epochs in another order": change(
        TRAIN, ('epochs=10, lr=0.05, device="cpu"', 'device="cpu", lr=0.05, epochs=10')
    ),
    "device without a default": change(
        TRAIN, ('test_loader, epochs=10, lr=0.05, device="cpu"', "test_loader, device, epochs=10, lr=0.05")
    ),
    "accuracies at the end only": change(TRAIN, ("        tr = ", "    if True:\n        tr = ")),
    "training accuracy counted on the way": change(TRAIN, ("        model.train()\n", "        model.train()\n        hits = 0\n"), (_STEP, _STEP + "            hits += (model(images).argmax(1) == labels).sum().item()\n")),
    "accuracy goes back to training mode": change(TRAIN, ("    return correct / total", "    model.train()\n    return correct / total")),
    "accuracy by tensors": change(TRAIN, ("(preds == labels).sum().item()", "(preds == labels).float().sum()")),
    "accuracy of all logits at once": change(
        TRAIN, (ACCURACY[ACCURACY.index("    correct,") :], "    with torch.no_grad():\n        hits = torch.cat([model(x.to(device)).argmax(1).cpu() == y for x, y in loader])\n    return hits.double().mean()\n")
    ),
    "eval mode set by train": change(TRAIN, ("    model.eval()\n", ""), ("        tr = ", "        model.eval()\n        tr = ")),
    "accuracy by softmax and max": change(TRAIN, ("model(images).argmax(dim=1)", "torch.max(model(images).softmax(1), 1)[1]")),
    "accuracy as a NumPy number": change(TRAIN, ("correct / total\n", "__import__('numpy').float32(correct / total)\n")),
    "history of tensors": change(TRAIN_HISTORY, ("correct / total", "torch.tensor(correct / total)")),
    "closure": change(
        TRAIN,
        ("            loss = criterion(model(images), labels)\n" + _BACKWARD + _STEP, "            def closure():\n                optimizer.zero_grad()\n                loss = criterion(model(images), labels)\n                loss.backward()\n                return loss\n\n            optimizer.step(closure)\n"),
    ),
}  # fmt: skip

WRONG_TRAIN = {
    "no zero_grad": Wrong(change(TRAIN, (_ZERO, "")), {"sgd"}, "optimizer.zero_grad() is missing"),
    "zero_grad once an epoch": Wrong(
        change(TRAIN, (_ZERO, ""), ("        model.train()\n", "        model.train()\n        optimizer.zero_grad()\n")), {"sgd"}, "cleared once an epoch"
    ),
    "zero_grad between backward and step": Wrong(change(TRAIN, (_BACKWARD, _BACKWARD + _ZERO)), {"learns", "sgd"}, "what they were"),
    "no backward": Wrong(change(TRAIN, (_BACKWARD, "")), {"learns", "sgd"}, "what they were"),
    "no step": Wrong(change(TRAIN, (_STEP, "")), {"learns", "sgd"}, "never change"),
    "step before backward": Wrong(
        change(TRAIN, (_BACKWARD, ""), (_STEP, _STEP + _BACKWARD), (_ZERO, ""), ("            loss =", "            loss =")), {"sgd"}, ""
    ),
    "step before backward, cleared between": Wrong(
        change(TRAIN, (_ZERO, ""), (_BACKWARD + _STEP, _STEP + _ZERO + _BACKWARD)), {"sgd"}, "step() comes before backward()"
    ),
    "two steps for each batch": Wrong(change(TRAIN, (_STEP, _STEP + _STEP)), {"sgd"}, "a weight after training"),
    "each batch twice": Wrong(
        change(TRAIN, (_STEP, _STEP + _ZERO + "            criterion(model(images), labels).backward()\n" + _STEP)), {"sgd"}, "two steps"
    ),
    "softmax before cross-entropy": Wrong(change(TRAIN, ("(model(images), labels)", "(model(images).softmax(1), labels)")), {"sgd"}, "taken twice"),
    "gradient ascent": Wrong(change(TRAIN, (_LOSS, "-" + _LOSS)), {"learns", "sgd"}, "larger, not smaller"),
    "loss of the labels' own kind": Wrong(change(TRAIN, ("CrossEntropyLoss", "NLLLoss")), {"sgd"}, "NLLLoss wants log-softmax"),
    "loss summed": Wrong(change(TRAIN, ("CrossEntropyLoss()", "CrossEntropyLoss(reduction='sum')")), {"sgd"}, "summed, not averaged"),
    "squared error": Wrong(
        change(TRAIN, (_LOSS, "((model(images) - torch.eye(model(images).shape[1])[labels]) ** 2).mean()")), {"sgd"}, "a weight after training"
    ),
    "no momentum": Wrong(change(TRAIN, (", momentum=0.9", "")), {"sgd"}, "no momentum"),
    "Adam": Wrong(change(TRAIN, ("optim.SGD(model.parameters(), lr=lr, momentum=0.9)", "optim.Adam(model.parameters(), lr=lr)")), {"sgd"}, "a weight after"),
    "weight decay": Wrong(change(TRAIN, ("momentum=0.9", "momentum=0.9, weight_decay=0.01")), {"sgd"}, "a weight after"),
    "Nesterov": Wrong(change(TRAIN, ("momentum=0.9", "momentum=0.9, nesterov=True")), {"sgd"}, "a weight after"),
    "optimizer made anew for each epoch": Wrong(
        change(TRAIN, ("        model.train()\n", "        model.train()\n        optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)\n")), {"sgd"}, "a weight after"
    ),
    "lr not used": Wrong(change(TRAIN, ("lr=lr", "lr=0.05")), {"sgd"}, "argument lr is not used"),
    "epochs not used": Wrong(change(TRAIN, ("range(epochs)", "range(10)")), {"sgd"}, "argument epochs is not used"),
    "one epoch less": Wrong(change(TRAIN, ("range(epochs)", "range(1, epochs)")), {"sgd"}, "one epoch is missing"),
    "step outside the batch loop": Wrong(change(TRAIN, (_STEP, _STEP[4:])), {"sgd"}, "outside the loop"),
    "training step outside the batch loop": Wrong(
        change(TRAIN, (_ZERO, _ZERO[4:]), ("            loss =", "        loss ="), (_BACKWARD + _STEP, _BACKWARD[4:] + _STEP[4:])), {"sgd"}, "outside the loop"
    ),
    "break after the first batch": Wrong(change(TRAIN, (_STEP, _STEP + "            break\n")), {"sgd"}, "first batch of each epoch"),
    "training mode set once": Wrong(
        change(TRAIN, ("        model.train()\n", ""), ("    for epoch in", "    model.train()\n    for epoch in")), {"modes"}, "eval mode"
    ),
    "training mode never set": Wrong(change(TRAIN, ("        model.train()\n", "")), {"modes"}, "training steps run in eval mode"),
    "eval mode never set": Wrong(change(TRAIN, ("    model.eval()\n", "")), {"modes"}, "evaluation runs in training mode"),
    "accuracies of batches averaged": Wrong(
        change(TRAIN, ("correct += (preds == labels).sum().item()", "correct += (preds == labels).float().mean().item()"), ("labels.size(0)", "1")),
        {"accuracy"},
        "averaged, though the last batch is shorter",
    ),
    "per cent": Wrong(change(TRAIN, ("return correct / total", "return 100 * correct / total")), {"accuracy"}, "per cent"),
    "first batch only": Wrong(change(TRAIN, ("    return correct / total", "            return correct / total")), {"accuracy"}, "only the first batch"),
    "hits counted": Wrong(change(TRAIN, ("return correct / total", "return correct")), {"accuracy"}, "hits are counted"),
    "divided by batches": Wrong(change(TRAIN, ("return correct / total", "return correct / len(loader)")), {"accuracy"}, "number of batches"),
    "errors counted": Wrong(change(TRAIN, ("preds == labels", "preds != labels")), {"accuracy"}, "share of wrong answers"),
    "smallest logit": Wrong(change(TRAIN, ("argmax", "argmin")), {"accuracy"}, "compute_accuracy"),
    "history of another split": Wrong(change(TRAIN_HISTORY, ('["test"].append(te)', '["test"].append(1 - te)')), {"accuracy"}, "wrong answers"),
    # these stop with an error, and so does the training of the notebook
    "argmax over the batch": Wrong(change(TRAIN, ("argmax(dim=1)", "argmax(dim=0)")), {"learns", "sgd", "modes", "accuracy"}, "RuntimeError"),
    "loss never computed": Wrong(change(TRAIN, ("            loss = criterion(model(images), labels)\n", "")), {"learns", "sgd", "modes", "accuracy"}, "loss"),
    "logits and labels exchanged": Wrong(change(TRAIN, (_LOSS, "criterion(labels, model(images))")), {"learns", "sgd", "modes", "accuracy"}, "RuntimeError"),
    "pass": Wrong(change(TRAIN, (_ZERO, ""), ("            loss = criterion(model(images), labels)\n" + _BACKWARD + _STEP, "            pass\n")), {"learns", "sgd", "modes", "accuracy"}, "no batch"),
}  # fmt: skip
