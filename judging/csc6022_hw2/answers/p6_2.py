"""Answers to problem 6.2 of Homework 2, mostly written as a change to a plain right one."""

from __future__ import annotations

from chainrule.authoring.answers import Exercise, Problem, Wrong, change

# Short names for the checks of each graded cell, in their order there.
CHECKS = {
    "p6_2a-warm-up": ("row", "zeros", "flatten", "conv fan", "fc fan", "drawn"),
    "p6_2b-convnet": ("shape", "padding", "convolutions", "layout", "raw"),
    "p6_2b-init": ("shapes", "weights", "small", "biases"),
    "p6_2b-step": ("learns", "step", "cleared", "loss"),
    "p6_2b-accuracy": ("reached",),
    "p6_2c-network": ("shape", "parameters", "padding", "convolutions", "layout", "raw", "by heart"),
    "p6_2c-measure": ("even", "uneven", "mode", "restored"),
    "p6_2c-training": ("learns", "sgd", "mode", "losses"),
    "p6_2c-accuracy": ("reached",),
    "p6_2d-network": ("sequential", "parameters", "padding", "convolutions", "layout", "raw"),
    "p6_2d-optimizer": ("downhill", "nesterov", "rate"),
    "p6_2d-accuracy": ("reached",),
    "p6_2e-network": ("size", "first loss", "alone", "statistics", "by heart"),
    "p6_2e-training": ("trains",),
    "p6_2e-accuracy": ("50", "60", "70"),
}

# -- a: flatten and initial values -----------------------------------------------------------------------

WARM_UP = """
def flatten(x):
    return x.flatten(1)


def random_weight(shape):
    return torch.randn(shape, device=device) * (2 / math.prod(shape[1:])) ** 0.5


def zero_bias(size):
    return torch.zeros(size, device=device)
"""


def warm_up(*changes: str) -> str:
    return change(WARM_UP, *changes)


RIGHT_WARM_UP = {
    "flatten": WARM_UP,
    "view": warm_up("x.flatten(1) → x.view(len(x), -1)"),
    "reshape by sizes": warm_up("x.flatten(1) → x.reshape(x.shape[0], x.shape[1] * x.shape[2] * x.shape[3])"),
    "a list of rows": warm_up("x.flatten(1) → torch.stack([picture.reshape(-1) for picture in x])"),
    "einops by hand": warm_up("x.flatten(1) → x.permute(0, 2, 3, 1).permute(0, 3, 1, 2).reshape(len(x), -1)"),
    "nn.init": warm_up(
        "torch.randn(shape, device=device) * (2 / math.prod(shape[1:])) ** 0.5"
        " → nn.init.kaiming_normal_(torch.empty(shape, device=device))"
    ),
    "watched by autograd": warm_up(
        "return torch.randn(shape, device=device) * (2 / math.prod(shape[1:])) ** 0.5"
        " → return (torch.randn(shape) * (2 / math.prod(shape[1:])) ** 0.5).to(device).requires_grad_()",
        "torch.zeros(size, device=device) → torch.zeros(size, requires_grad=True, device=device)",
    ),
    "numel of one unit": warm_up("math.prod(shape[1:]) → torch.empty(shape)[0].numel()"),
}

WRONG_WARM_UP = {
    "24 flatten mixes the batch": Wrong(
        {"flatten"}, "mixes the images", warm_up("x.flatten(1) → x.reshape(-1, len(x)).T")
    ),
    "24 flatten transposes first": Wrong(
        {"flatten"}, "don't transpose", warm_up("x.flatten(1) → x.flatten(1).T.reshape(len(x), -1)")
    ),
    "24 flatten has channels last": Wrong(
        {"flatten"},
        "another order than channel, row, column",
        warm_up("x.flatten(1) → x.permute(0, 2, 3, 1).flatten(1)"),
    ),
    "23 flatten exchanges rows and columns": Wrong(
        {"flatten"}, "rows and columns are exchanged", warm_up("x.flatten(1) → x.mT.flatten(1)")
    ),
    "uniform numbers of the right variance": Wrong(
        {"drawn"},
        "no normal numbers",
        warm_up(
            "torch.randn(shape, device=device) * (2 / math.prod(shape[1:])) ** 0.5"
            " → nn.init.kaiming_uniform_(torch.empty(shape, device=device))"
        ),
    ),
    "the start of PyTorch's own layers": Wrong(
        {"conv fan"},
        "as that of PyTorch's own layers",
        warm_up(
            "torch.randn(shape, device=device) * (2 / math.prod(shape[1:])) ** 0.5"
            " → nn.init.kaiming_uniform_(torch.empty(shape, device=device), a=5**0.5)"
        ),
    ),
    "flatten makes one vector": Wrong({"row", "flatten"}, "shape", warm_up("x.flatten(1) → x.flatten()")),
    "flatten averages": Wrong({"row", "flatten"}, "shape", warm_up("x.flatten(1) → x.mean((2, 3))")),
    "28 fan-out": Wrong(
        {"conv fan"},
        "fan-out",
        warm_up("math.prod(shape[1:]) → (shape[0] * math.prod(shape[2:]))"),
    ),
    "28 without the kernel": Wrong(
        {"conv fan"}, "leaves out the kernel", warm_up("math.prod(shape[1:]) → shape[1]")
    ),
    "28 the first size": Wrong(
        {"conv fan", "fc fan"}, "first size of the shape", warm_up("math.prod(shape[1:]) → shape[0]")
    ),
    "28 all sizes": Wrong(
        {"conv fan"}, "all sizes are multiplied", warm_up("math.prod(shape[1:]) → math.prod(shape)")
    ),
    "28 variance 1/fan-in": Wrong({"conv fan"}, "1/fan-in", warm_up("(2 / → (1 /")),
    "28 Glorot": Wrong(
        {"conv fan", "fc fan"},
        "Glorot",
        warm_up("math.prod(shape[1:])) → (math.prod(shape[1:]) + shape[0] * math.prod(shape[2:])))"),
    ),
    "no square root": Wrong({"conv fan"}, "square root is missing", warm_up(" ** 0.5 → ")),
    "no scale": Wrong(
        {"conv fan", "fc fan"},
        "variance is 1",
        warm_up(" * (2 / math.prod(shape[1:])) ** 0.5 → "),
    ),
    "rand for randn": Wrong({"conv fan", "drawn"}, "it should be 0", warm_up("randn → rand")),
    "zeros": Wrong(
        {"conv fan", "fc fan", "drawn"},
        "the same number everywhere",
        warm_up("torch.randn(shape, device=device) * → torch.zeros(shape) *"),
    ),
    "one unit for all": Wrong(
        {"drawn"},
        "all units start alike",
        warm_up("torch.randn(shape, device=device) → torch.randn(shape[1:]).expand(shape)"),
    ),
    "absolute values": Wrong(
        {"drawn"}, "it should be 0", warm_up("torch.randn(shape, device=device) → torch.randn(shape).abs()")
    ),
    "a seed in every call": Wrong(
        {"drawn"},
        "the same numbers in each call",
        warm_up("    return torch.randn →     torch.manual_seed(0)\n    return torch.randn"),
    ),
    "float64": Wrong(
        {"drawn"}, "holds torch.float64", warm_up("randn(shape, → randn(shape, dtype=torch.float64,")
    ),
    "biases are whole numbers": Wrong(
        {"zeros"}, "holds torch.int64", warm_up("torch.zeros(size, → torch.tensor([0] * size,")
    ),
    "biases are a list": Wrong(
        {"zeros"}, "is a list, not a tensor", warm_up("torch.zeros(size, device=device) → [0.0] * size")
    ),
    "flatten by NumPy": Wrong(
        {"row"},
        "no gradient comes back",
        warm_up("x.flatten(1) → torch.from_numpy(x.detach().cpu().numpy().reshape(len(x), -1))"),
    ),
    "ones as biases": Wrong({"zeros"}, "off by 1", warm_up("torch.zeros → torch.ones")),
    "nothing returned": Wrong(
        {"row", "zeros", "flatten", "conv fan", "fc fan", "drawn"}, "`return`", warm_up("return → _ =")
    ),
}

# -- b: the forward pass ---------------------------------------------------------------------------------

CONVNET = """
def three_layer_convnet(x, params):
    w1, b1, w2, b2, w3, b3 = params
    h = F.relu(F.conv2d(x, w1, b1, padding=2))
    h = F.relu(F.conv2d(h, w2, b2, padding=1))
    return F.linear(flatten(h), w3, b3)
"""


def convnet(*changes: str) -> str:
    return change(CONVNET, *changes)


def by_hand(body: str) -> str:
    """The network with a convolution of one's own."""
    return body + convnet(
        "F.conv2d(x, w1, b1, padding=2) → conv(x, w1, b1, 2)",
        "F.conv2d(h, w2, b2, padding=1) → conv(h, w2, b2, 1)",
    )


UNFOLD = by_hand("""
def conv(x, w, b, pad):
    n, _, height, width = x.shape
    k = w.shape[-1]
    columns = F.unfold(x, k, padding=pad)  # (N, C·k·k, H·W)
    out = w.reshape(len(w), -1) @ columns + b[:, None]
    return out.reshape(n, len(w), height + 2 * pad - k + 1, width + 2 * pad - k + 1)
""")

EINSUM = by_hand("""
def conv(x, w, b, pad):
    k = w.shape[-1]
    windows = F.pad(x, (pad,) * 4).unfold(2, k, 1).unfold(3, k, 1)  # (N, C, H, W, k, k)
    return torch.einsum("nchwij,fcij->nfhw", windows, w) + b[:, None, None]
""")

LOOPS = by_hand("""
def conv(x, w, b, pad):
    k, padded = w.shape[-1], F.pad(x, (pad, pad, pad, pad))
    height, width = padded.shape[2] - k + 1, padded.shape[3] - k + 1
    out = b.reshape(1, -1, 1, 1)
    for i in range(k):
        for j in range(k):
            out = out + torch.einsum("nchw,fc->nfhw", padded[:, :, i : i + height, j : j + width], w[:, :, i, j])
    return out
""")

RIGHT_CONVNET = {
    "functional": CONVNET,
    "same": convnet("padding=2 → padding='same'", "padding=1 → padding='same'"),
    "unfold and a matrix product": UNFOLD,
    "einsum over windows": EINSUM,
    "a loop over the kernel": LOOPS,
    "clamp": convnet("F.relu(F.conv2d(x, w1, b1, padding=2)) → F.conv2d(x, w1, b1, padding=2).clamp(min=0)"),
    "padded by hand": convnet("F.conv2d(x, w1, b1, padding=2) → F.conv2d(F.pad(x, (2, 2, 2, 2)), w1, b1)"),
    "biases added": convnet(
        "F.conv2d(x, w1, b1, padding=2) → F.conv2d(x, w1, padding=2) + b1[:, None, None]"
    ),
    "a matrix product at the end": convnet("F.linear(flatten(h), w3, b3) → flatten(h) @ w3.T + b3"),
    "torch.functional": convnet("F.relu → torch.relu", "flatten(h) → h.reshape(x.shape[0], -1)"),
    "einsum at the end": convnet(
        "F.linear(flatten(h), w3, b3) → torch.einsum('nf,cf->nc', h.flatten(1), w3) + b3"
    ),
}

WRONG_CONVNET = {
    "20 no padding at all": Wrong(
        {"shape", "padding"}, "pads by 0, not 2", convnet(", padding=2 → ", ", padding=1 → ")
    ),
    "20 first padding lost": Wrong({"shape", "padding"}, "pads by 0, not 2", convnet(", padding=2 → ")),
    "19 padding of the first rounded down": Wrong(
        {"shape", "padding"}, "first convolution pads by 1, not 2", convnet("padding=2 → padding=1")
    ),
    "19 padding of the second too large": Wrong(
        {"shape", "padding"}, "second convolution pads by 2, not 1", convnet("padding=1 → padding=2")
    ),
    "21 kernels turned": Wrong(
        {"convolutions"},
        "turned by 180°",
        convnet("w1, b1, p → w1.flip(2, 3), b1, p", "w2, b2, p → w2.flip(2, 3), b2, p"),
    ),
    "21 unfold with a turned kernel": Wrong(
        {"convolutions"}, "turned by 180°", change(UNFOLD, "w.reshape(len(w) → w.flip(2, 3).reshape(len(w)")
    ),
    "21 first kernel turned": Wrong(
        {"convolutions"}, "first convolution's kernels", convnet("w1, b1, p → w1.flip(2, 3), b1, p")
    ),
    "22 in and out channels exchanged": Wrong(
        {"shape", "padding", "convolutions", "layout", "raw"},
        "RuntimeError",
        convnet("w1, b1, p → w1.transpose(0, 1), b1, p"),
    ),
    "23 height and width exchanged": Wrong(
        {"convolutions"}, "height and width", convnet("F.conv2d(x, → F.conv2d(x.mT,")
    ),
    "23 kernel rows and columns exchanged": Wrong(
        {"convolutions"},
        "of the kernels",
        change(EINSUM, "nchwij,fcij → nchwij,fcji"),
    ),
    "24 channels last": Wrong(
        {"layout"}, "another order", convnet("flatten(h) → h.permute(0, 2, 3, 1).reshape(len(h), -1)")
    ),
    "24 batch mixed": Wrong({"layout"}, "mixes the images", convnet("flatten(h) → h.reshape(-1, len(h)).T")),
    "27 softmax": Wrong(
        {"raw"},
        "softmax is applied",
        convnet("F.linear(flatten(h), w3, b3) → F.linear(flatten(h), w3, b3).softmax(1)"),
    ),
    "27 log-softmax": Wrong(
        {"raw"},
        "log-softmax is applied",
        convnet("F.linear(flatten(h), w3, b3) → F.log_softmax(F.linear(flatten(h), w3, b3), dim=1)"),
    ),
    "dropout": Wrong(
        {"convolutions"}, "dropout is at work", convnet("flatten(h) → F.dropout(flatten(h), 0.2)")
    ),
    "features come back, too": Wrong(
        {"shape"},
        "not a rectangular array",
        convnet("return F.linear(flatten(h), w3, b3) → return F.linear(flatten(h), w3, b3), h"),
    ),
    "scores divided by ten": Wrong(
        {"raw"},
        "multiplied by 0.1",
        convnet("return F.linear(flatten(h), w3, b3) → return F.linear(flatten(h), w3, b3) / 10"),
    ),
    "the largest score subtracted": Wrong(
        {"raw"},
        "the largest score is subtracted",
        convnet(
            "return F.linear(flatten(h), w3, b3)"
            " → z = F.linear(flatten(h), w3, b3)\n    return z - z.max(1, keepdim=True).values"
        ),
    ),
    "ReLU at the end": Wrong(
        {"raw"}, "ReLU follows", convnet("F.linear(flatten(h), w3, b3) → F.linear(flatten(h), w3, b3).relu()")
    ),
    "last bias lost": Wrong({"raw"}, "last layer's bias", convnet("w3, b3) → w3)")),
    "no ReLU": Wrong(
        {"convolutions"},
        "both ReLUs",
        convnet(
            "F.relu(F.conv2d(x, w1, b1, padding=2)) → F.conv2d(x, w1, b1, padding=2)",
            "F.relu(F.conv2d(h, w2, b2, padding=1)) → F.conv2d(h, w2, b2, padding=1)",
        ),
    ),
    "second ReLU lost": Wrong(
        {"convolutions"},
        "after the second convolution is missing",
        convnet("F.relu(F.conv2d(h, w2, b2, padding=1)) → F.conv2d(h, w2, b2, padding=1)"),
    ),
    "sigmoid for ReLU": Wrong({"convolutions"}, "sigmoid takes the place", convnet("F.relu → torch.sigmoid")),
    "biases lost": Wrong(
        {"convolutions"},
        "biases of both",
        convnet("b1, padding → None, padding", "b2, padding → None, padding"),
    ),
    "a slip of two": Wrong(
        {"convolutions", "raw"},
        "softmax",
        convnet("F.relu → F.gelu", "F.linear(flatten(h), w3, b3) → F.linear(flatten(h), w3, b3).softmax(1)"),
    ),
    "paddings exchanged": Wrong(
        {"padding"},
        "first convolution pads by 1, not 2",
        convnet("padding=2 → padding=0", "padding=1 → padding=2", "padding=0 → padding=1"),
    ),
    "stride 2": Wrong(
        {"shape", "padding"}, "first convolution moves on by 2", convnet("padding=2 → padding=2, stride=2")
    ),
    "pooling": Wrong(
        {"shape", "padding"},
        "the largest of 2 × 2 features",
        convnet("    return F →     h = F.max_pool2d(h, 2)\n    return F"),
    ),
    "padding on one side": Wrong(
        {"convolutions"},
        "off by",
        convnet("F.conv2d(x, w1, b1, padding=2) → F.conv2d(F.pad(x, (4, 0, 4, 0)), w1, b1)"),
    ),
    "ReLU6": Wrong({"convolutions"}, "ReLU6 takes the place", convnet("F.relu → F.relu6")),
    "GELU second": Wrong(
        {"convolutions"},
        "GELU takes the place of the second",
        convnet("F.relu(F.conv2d(h, w2 → F.gelu(F.conv2d(h, w2"),
    ),
    "pictures standardised": Wrong(
        {"convolutions"},
        "off by",
        convnet("    h = F.relu(F.conv2d(x, →     h = F.relu(F.conv2d((x - x.mean()) / x.std(),"),
    ),
    "features smoothed by pooling": Wrong(
        {"convolutions"},
        "off by",
        convnet("    return F →     h = F.interpolate(F.max_pool2d(h, 2), size=h.shape[2:])\n    return F"),
    ),
    "log-softmax over the batch": Wrong(
        {"raw"},
        "over the images",
        convnet("F.linear(flatten(h), w3, b3) → F.linear(flatten(h), w3, b3).log_softmax(0)"),
    ),
    "one picture size": Wrong(
        {"shape"}, "invalid for input of size", convnet("flatten(h) → h.reshape(-1, 16 * 32 * 32)")
    ),
    "zeros": Wrong(
        {"shape", "padding", "convolutions", "layout", "raw"},
        "the last layer's bias is not added",
        "def three_layer_convnet(x, params):\n    return torch.zeros(len(x), len(params[5]))\n",
    ),
    "biases only": Wrong(
        {"shape", "padding", "convolutions", "layout", "raw"},
        "don't come from the features",
        "def three_layer_convnet(x, params):\n    return params[5].expand(len(x), -1)\n",
    ),
    "nothing returned": Wrong(
        {"shape", "padding", "convolutions", "layout", "raw"}, "`return`", convnet("return F → _ = F")
    ),
}

# -- b: initial values -----------------------------------------------------------------------------------

INIT = """
def init_params():
    return [
        random_weight((32, 3, 5, 5)), zero_bias(32),
        random_weight((16, 32, 3, 3)), zero_bias(16),
        random_weight((10, 16 * 32 * 32)) / 10, zero_bias(10),
    ]
"""


def init(*changes: str) -> str:
    return change(INIT, *changes)


RIGHT_INIT = {
    "a ParameterList": init("return [ → return nn.ParameterList([", "    ]\n →     ])\n"),
    "a list": INIT,
    "a tuple": init("return [ → return (", "    ]\n →     )\n"),
    "a loop": """
def init_params():
    params = []
    for shape in ((32, 3, 5, 5), (16, 32, 3, 3), (10, 16384)):
        params += [random_weight(shape), zero_bias(shape[0])]
    params[4] *= 0.1
    return params
""",
    "written out": init("random_weight((32, 3, 5, 5)) → torch.randn(32, 3, 5, 5) * math.sqrt(2 / 75)"),
    "nn.init": init("random_weight((16, 32, 3, 3)) → nn.init.kaiming_normal_(torch.empty(16, 32, 3, 3))"),
}

WRONG_INIT = {
    "22 in and out channels exchanged": Wrong(
        {"shapes"}, "inputs and outputs are exchanged", init("(32, 3, 5, 5) → (3, 32, 5, 5)")
    ),
    "22 fc as (in, out)": Wrong(
        {"shapes"},
        "inputs and outputs are exchanged",
        init("(10, 16 * 32 * 32) → (16 * 32 * 32, 10)"),
    ),
    "20 sized for no padding": Wrong({"shapes"}, "shape (10, 10816)", init("16 * 32 * 32 → 16 * 26 * 26")),
    "channels 16 and 32": Wrong(
        {"shapes"},
        "layer 1",
        init("(32, 3, 5, 5) → (16, 3, 5, 5)", "(16, 32, 3, 3) → (32, 16, 3, 3)"),
    ),
    "large last layer": Wrong({"small"}, "is not made smaller", init(" / 10, zero → , zero")),
    "all layers small": Wrong(
        {"weights"},
        "has variance",
        init("random_weight((16, 32, 3, 3)) → 0.1 * random_weight((16, 32, 3, 3))"),
    ),
    "28 a fixed scale": Wrong(
        {"weights"}, "has variance", init("random_weight((32, 3, 5, 5)) → 0.01 * torch.randn(32, 3, 5, 5)")
    ),
    "zeros": Wrong(
        {"shapes", "weights", "small", "biases"},
        "filled alike",
        """
def init_params():
    return [torch.zeros(s) for s in ((32, 3, 5, 5), 32, (16, 32, 3, 3), 16, (10, 16384), 10)]
""",
    ),
    "weights before biases": Wrong(
        {"shapes"},
        "the bias of layer 1 has shape",
        "\n\ndef init_params():\n"
        "    w = [random_weight(s) for s in ((32, 3, 5, 5), (16, 32, 3, 3), (10, 16384))]\n"
        "    return [w[0], w[1], w[2] / 10, zero_bias(32), zero_bias(16), zero_bias(10)]\n",
    ),
    "a dict": Wrong(
        {"shapes"},
        "a list of six tensors",
        init(
            "return [ → names = 'w1', 'b1', 'w2', 'b2', 'w3', 'b3'\n    return dict(zip(names, [",
            "    ]\n →     ]))\n",
        ),
    ),
    "biases at one": Wrong({"biases"}, "the largest bias", init("zero_bias(16) → zero_bias(16) + 1")),
    "random biases": Wrong({"biases"}, "the largest bias", init("zero_bias(10) → torch.randn(10) * 0.01")),
    "five parameters": Wrong(
        {"shapes", "weights", "small", "biases"},
        "six tensors",
        init(" / 10, zero_bias(10), →  / 10,"),
    ),
}

# -- b: a training step ----------------------------------------------------------------------------------

STEP = """
def train_step(forward, params, x, y, lr):
    loss = F.cross_entropy(forward(x, params), y)
    loss.backward()
    with torch.no_grad():
        for p in params:
            p -= lr * p.grad
            p.grad = None
    return loss.item()
"""


def step(*changes: str) -> str:
    return change(STEP, *changes)


RIGHT_STEP = {
    "to float32": step("loss = F → x = x.to(device, dtype=torch.float32)\n    loss = F"),
    "no_grad": STEP,
    "data": step("p -= lr * p.grad → p.data -= lr * p.grad.data"),
    "sub_": step("p -= lr * p.grad → p.sub_(p.grad, alpha=lr)"),
    "zero_": step("p.grad = None → p.grad.zero_()"),
    "cleared first": step(
        "    loss.backward() →     for p in params:\n        p.grad = None\n    loss.backward()",
        "            p.grad = None\n → ",
    ),
    "autograd.grad": """
def train_step(forward, params, x, y, lr):
    loss = F.cross_entropy(forward(x, params), y)
    gradients = torch.autograd.grad(loss, params)
    with torch.no_grad():
        for p, g in zip(params, gradients):
            p.add_(g, alpha=-lr)
    return float(loss)
""",
    "log-softmax by hand": step(
        "F.cross_entropy(forward(x, params), y)"
        " → -F.log_softmax(forward(x, params), dim=1)[torch.arange(len(y)), y].mean()"
    ),
    "a tensor comes back": step("loss.item() → loss.detach()"),
    "nll_loss": step(
        "F.cross_entropy(forward(x, params), y) → F.nll_loss(forward(x, params).log_softmax(1), y)"
    ),
}

WRONG_STEP = {
    "37 no zero_grad": Wrong({"cleared"}, "pile up", step("            p.grad = None\n → ")),
    "38 step before backward": Wrong(
        {"step"},
        "backward() comes first",
        """
def train_step(forward, params, x, y, lr):
    loss = F.cross_entropy(forward(x, params), y)
    with torch.no_grad():
        for p in params:
            if p.grad is not None:
                p -= lr * p.grad
                p.grad = None
    loss.backward()
    return loss.item()
""",
    ),
    "27 softmax before cross-entropy": Wrong(
        {"step"}, "softmax is taken twice", step("forward(x, params), y → forward(x, params).softmax(1), y")
    ),
    "losses summed": Wrong(
        {"step"}, "summed, not averaged", step("params), y) → params), y, reduction='sum')")
    ),
    "nll_loss of scores": Wrong({"step"}, "nll_loss", step("F.cross_entropy → F.nll_loss")),
    "uphill": Wrong({"learns", "step"}, "uphill", step("p -= → p +=")),
    "not in place": Wrong(
        {"learns", "step", "cleared"},
        "never change",
        step("p -= lr * p.grad → p = p - lr * p.grad"),
    ),
    "only the last two parameters": Wrong(
        {"step"}, "of six parameters some take no step", step("in params:\n → in params[-2:]:\n")
    ),
    "others put into the list": Wrong(
        {"learns", "step", "cleared"},
        "never change",
        step(
            "for p in params:\n → for i, p in enumerate(params):\n",
            "            p -= lr * p.grad\n            p.grad = None\n"
            " →             params[i] = (p - lr * p.grad).requires_grad_()\n",
        ),
    ),
    "labels smoothed": Wrong(
        {"step"}, "after one step", step("params), y) → params), y, label_smoothing=0.1)")
    ),
    "squared error": Wrong(
        {"step"},
        "after one step",
        step(
            "F.cross_entropy(forward(x, params), y)"
            " → ((forward(x, params) - F.one_hot(y, params[-1].shape[0])) ** 2).mean()"
        ),
    ),
    "gradients clipped": Wrong(
        {"step"},
        "times as long as lr times the gradient",
        step("    with torch →     nn.utils.clip_grad_norm_(params, 0.5)\n    with torch"),
    ),
    "only the first parameter": Wrong(
        {"step"}, "only the weight moves", step("in params:\n → in params[:1]:\n")
    ),
    "only the last parameter": Wrong(
        {"step"}, "only the bias moves", step("in params:\n → in params[1:]:\n")
    ),
    "lr ignored": Wrong({"step"}, "lr is not used", step("lr * p.grad → p.grad")),
    "lr fixed": Wrong({"step"}, "1.5 times as long", step("lr * p.grad → 0.15 * p.grad")),
    "a longer step": Wrong({"step"}, "1.7 times as long", step("lr * p.grad → lr * p.grad * 1.7")),
    "42 labels by argmax": Wrong(
        {"step", "loss"},
        "after one step",
        step("forward(x, params), y → forward(x, params), forward(x, params).argmax(1)"),
    ),
    "nothing returned": Wrong({"loss"}, "is nothing", step("    return loss.item()\n → ")),
    "the loss after the step": Wrong(
        {"loss"}, "off by", step("return loss.item() → return F.cross_entropy(forward(x, params), y).item()")
    ),
    "the summed loss comes back": Wrong({"loss"}, "off by", step("loss.item() → loss.item() * len(y) * 2")),
    "a little weight decay": Wrong(
        {"step"},
        "no weight decay",
        step("p -= lr * p.grad → p -= lr * (p.grad + 1e-4 * p)"),
        unnoticed="it is smaller than what central differences see",
    ),
    "long gradients clipped": Wrong(
        {"step"},
        "where the gradient is long",
        step("    with torch →     nn.utils.clip_grad_norm_(params, 5.0)\n    with torch"),
        unnoticed="the visible checks have short gradients",
    ),
    "no backward": Wrong(
        {"learns", "step", "cleared", "loss"}, "TypeError", step("    loss.backward()\n → ")
    ),
    "pass": Wrong(
        {"learns", "step", "cleared", "loss"},
        "never change",
        "def train_step(forward, params, x, y, lr):\n    pass\n",
    ),
}

# -- c: the network --------------------------------------------------------------------------------------

MODULE = """
class ThreeLayerConvNet(nn.Module):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channel, channel_1, 5, padding=2)
        self.conv2 = nn.Conv2d(channel_1, channel_2, 3, padding=1)
        self.fc = nn.Linear(channel_2 * 32 * 32, num_classes)

    def forward(self, x):
        h = F.relu(self.conv1(x))
        h = F.relu(self.conv2(h))
        return self.fc(flatten(h))
"""


def module(*changes: str) -> str:
    return change(MODULE, *changes)


RIGHT_MODULE = {
    "layers": MODULE,
    "a subclass of nn.Sequential": """
class ThreeLayerConvNet(nn.Sequential):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super().__init__(
            nn.Conv2d(in_channel, channel_1, 5, padding=2), nn.ReLU(),
            nn.Conv2d(channel_1, channel_2, 3, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(channel_2 * 1024, num_classes))
""",
    "a ModuleDict, with a second result on request": """
class ThreeLayerConvNet(nn.Module):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super().__init__()
        self.layers = nn.ModuleDict({
            "one": nn.Conv2d(in_channel, channel_1, 5, padding="same"),
            "two": nn.Conv2d(channel_1, channel_2, 3, padding="same"),
            "head": nn.Linear(channel_2 * 32 * 32, num_classes)})

    def forward(self, x, return_features=False):
        for name in ("one", "two"):
            x = self.layers[name](x).relu()
        scores = self.layers["head"](torch.flatten(x, start_dim=1))
        return (scores, x) if return_features else scores
""",
    "Kaiming": module(
        "    def forward →         nn.init.kaiming_normal_(self.conv1.weight)\n\n    def forward"
    ),
    "a last layer that starts at zero": module(
        "    def forward →         nn.init.zeros_(self.fc.weight)\n\n    def forward"
    ),
    "zero biases": module("    def forward →         nn.init.zeros_(self.fc.bias)\n\n    def forward"),
    "same": module("padding=2 → padding='same'", "padding=1 → padding='same'"),
    "ReLU modules": module(
        "        self.fc = →         self.relu = nn.ReLU()\n        self.fc =", "F.relu → self.relu"
    ),
    "in a sequence": """
class ThreeLayerConvNet(nn.Module):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(in_channel, channel_1, 5, padding=2), nn.ReLU(),
            nn.Conv2d(channel_1, channel_2, 3, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(channel_2 * 1024, num_classes))

    def forward(self, x):
        return self.net(x)
""",
    "a module list": module(
        "        self.conv1 = nn.Conv2d(in_channel, channel_1, 5, padding=2)\n"
        "        self.conv2 = nn.Conv2d(channel_1, channel_2, 3, padding=1)\n"
        " →         self.convs = nn.ModuleList([\n"
        "            nn.Conv2d(in_channel, channel_1, 5, padding=2), nn.Conv2d(channel_1, channel_2, 3, padding=1)])\n",
        "self.conv1( → self.convs[0](",
        "self.conv2( → self.convs[1](",
    ),
    "registered twice": module(
        "\n    def forward →         self.layers = nn.ModuleList([self.conv1, self.conv2, self.fc])\n\n    def forward"
    ),
    "biases of its own": module(
        "        self.conv1 = nn.Conv2d(in_channel, channel_1, 5, padding=2)\n"
        " →         self.conv1 = nn.Conv2d(in_channel, channel_1, 5, padding=2, bias=False)\n"
        "        self.b1 = nn.Parameter(torch.zeros(1, channel_1, 1, 1))\n",
        "self.conv1(x) → self.conv1(x) + self.b1",
    ),
    "lazy layers": module(
        "nn.Conv2d(in_channel,  → nn.LazyConv2d(", "nn.Linear(channel_2 * 32 * 32,  → nn.LazyLinear("
    ),
    "parameters and unfold": """
class ThreeLayerConvNet(nn.Module):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super().__init__()
        self.w1 = nn.Parameter(0.1 * torch.randn(channel_1, in_channel * 25))
        self.b1 = nn.Parameter(torch.zeros(channel_1))
        self.w2 = nn.Parameter(0.1 * torch.randn(channel_2, channel_1 * 9))
        self.b2 = nn.Parameter(torch.zeros(channel_2))
        self.w3 = nn.Parameter(0.001 * torch.randn(channel_2 * 1024, num_classes))
        self.b3 = nn.Parameter(torch.zeros(num_classes))

    def forward(self, x):
        h = (self.w1 @ F.unfold(x, 5, padding=2) + self.b1[:, None]).relu().reshape(len(x), -1, 32, 32)
        h = (self.w2 @ F.unfold(h, 3, padding=1) + self.b2[:, None]).relu()
        return h.flatten(1) @ self.w3 + self.b3
""",
}

EVERY_READING = {"padding", "convolutions", "layout", "raw"}

WRONG_MODULE = {
    "no gradient for the first convolution": Wrong(
        {"by heart"},
        "no gradient reaches it",
        module("F.relu(self.conv1(x)) → F.relu(self.conv1(x)).detach()"),
    ),
    "20 first padding lost": Wrong(
        {"padding"},
        "first convolution pads by 0",
        module("5, padding=2) → 5)", "channel_2 * 32 * 32 → channel_2 * 28 * 28"),
    ),
    "20 no padding": Wrong(
        {"padding"},
        "pads by 0",
        module("5, padding=2) → 5)", "3, padding=1) → 3)", "channel_2 * 32 * 32 → channel_2 * 26 * 26"),
    ),
    "19 size for another picture": Wrong(
        {"shape", *EVERY_READING, "by heart"}, "RuntimeError", module("32 * 32 → 16 * 16")
    ),
    "22 in and out channels exchanged": Wrong(
        {"shape", "parameters", *EVERY_READING, "by heart"},
        "RuntimeError",
        module("in_channel, channel_1, 5 → channel_1, in_channel, 5"),
    ),
    "22 first and second channels exchanged": Wrong(
        {"parameters"},
        "there is no parameter of shape",
        module(
            "in_channel, channel_1, 5 → in_channel, channel_2, 5",
            "channel_1, channel_2, 3 → channel_2, channel_1, 3",
            "channel_2 * 32 → channel_1 * 32",
        ),
    ),
    "sizes fixed": Wrong(
        {"parameters"},
        "there is no parameter of shape",
        module("super().__init__() → super().__init__()\n        channel_1, channel_2 = 8, 6"),
    ),
    "23 height and width exchanged": Wrong(
        {"convolutions"}, "height and width", module("self.conv1(x) → self.conv1(x.transpose(2, 3))")
    ),
    "24 channels last": Wrong(
        {"layout"}, "another order", module("flatten(h) → h.permute(0, 2, 3, 1).flatten(1)")
    ),
    "24 batch mixed": Wrong({"layout"}, "mixes the images", module("flatten(h) → h.reshape(-1, len(h)).T")),
    "27 softmax": Wrong(
        {"raw"}, "softmax is applied", module("self.fc(flatten(h)) → self.fc(flatten(h)).softmax(1)")
    ),
    "27 softmax over the batch": Wrong(
        {"raw"},
        "over the images",
        module("self.fc(flatten(h)) → self.fc(flatten(h)).softmax(0)"),
    ),
    "40 layers in a plain list": Wrong(
        {"parameters"},
        "make layers in __init__",
        module(
            "self.conv1 = nn.Conv2d(in_channel, channel_1, 5, padding=2)"
            " → self.layers = [nn.Conv2d(in_channel, channel_1, 5, padding=2)]",
            "self.conv2 = nn.Conv2d(channel_1, channel_2, 3, padding=1)"
            " → self.layers += [nn.Conv2d(channel_1, channel_2, 3, padding=1)]",
            "self.fc = nn.Linear(channel_2 * 32 * 32, num_classes)"
            " → self.layers += [nn.Linear(channel_2 * 32 * 32, num_classes)]",
            "self.conv1( → self.layers[0](",
            "self.conv2( → self.layers[1](",
            "self.fc( → self.layers[2](",
        ),
    ),
    "41 a layer made in forward": Wrong(
        {"parameters"},
        "there is no parameter of shape",
        module(
            "self.conv2 = nn.Conv2d(channel_1, channel_2, 3, padding=1) → self.sizes = channel_1, channel_2",
            "self.conv2(h) → nn.Conv2d(*self.sizes, 3, padding=1)(h)",
        ),
    ),
    "41 the last layer made in forward": Wrong(
        {"parameters"},
        "its parameters have the shapes",
        module(
            "self.fc = nn.Linear(channel_2 * 32 * 32, num_classes) → self.classes = num_classes",
            "self.fc(flatten(h)) → nn.Linear(flatten(h).shape[1], self.classes)(flatten(h))",
        ),
    ),
    "a hidden Linear layer too many": Wrong(
        {"parameters"},
        "its parameters have the shapes",
        module(
            "nn.Linear(channel_2 * 32 * 32, num_classes)"
            " → nn.Sequential(nn.Linear(channel_2 * 32 * 32, 100), nn.ReLU(), nn.Linear(100, num_classes))"
        ),
    ),
    "a third convolution": Wrong(
        {"parameters"},
        "its parameters have the shapes",
        module(
            "        self.fc = →         self.conv3 = nn.Conv2d(channel_2, channel_2, 3, padding=1)\n        self.fc =",
            "        return →         h = F.relu(self.conv3(h))\n        return",
        ),
    ),
    "features come back, too": Wrong(
        {"shape"},
        "not a rectangular array",
        module("return self.fc(flatten(h)) → return self.fc(flatten(h)), h"),
    ),
    "two groups of channels": Wrong(
        {"parameters"},
        "out_channels must be divisible by groups",
        module("3, padding=1) → 3, padding=1, groups=2)"),
    ),
    "no ReLU": Wrong({"convolutions"}, "both ReLUs", module("F.relu → ")),
    "first ReLU lost": Wrong(
        {"convolutions"}, "after the first", module("F.relu(self.conv1(x)) → self.conv1(x)")
    ),
    "tanh for ReLU": Wrong({"convolutions"}, "tanh takes the place", module("F.relu → torch.tanh")),
    "no biases": Wrong(
        {"parameters"},
        "of shape (6,), its bias",
        module("padding=2 → padding=2, bias=False", "padding=1 → padding=1, bias=False"),
    ),
    "last bias lost": Wrong(
        {"parameters"},
        "its parameters have the shapes",
        module("num_classes)\n\n → num_classes, bias=False)\n\n"),
    ),
    "dropout": Wrong(
        {"convolutions"},
        "in training mode dropout is at work",
        module("self.fc(flatten(h)) → self.fc(F.dropout(flatten(h), 0.2, self.training))"),
    ),
    "all sizes written out": Wrong(
        {"parameters"},
        "there is no parameter of shape",
        module(
            "nn.Conv2d(in_channel, channel_1 → nn.Conv2d(3, 32",
            "nn.Conv2d(channel_1, channel_2 → nn.Conv2d(32, 16",
            "channel_2 * 32 * 32, num_classes → 16 * 32 * 32, 10",
        ),
    ),
    "stride 2": Wrong(
        {"padding"},
        "second convolution moves on by 2",
        module("3, padding=1 → 3, stride=2, padding=1", "32 * 32 → 16 * 16"),
    ),
    "pooling": Wrong(
        {"padding"},
        "the largest of 2 × 2 features",
        module("F.relu(self.conv2(h)) → F.max_pool2d(F.relu(self.conv2(h)), 2)", "32 * 32 → 16 * 16"),
    ),
    "second convolution missing": Wrong(
        {"parameters", *EVERY_READING},
        "expected two Conv2d layers",
        module("        h = F.relu(self.conv2(h))\n → ", "channel_2 * 32 * 32 → channel_1 * 32 * 32"),
    ),
    "zeros": Wrong(
        {"shape", "parameters", *EVERY_READING, "by heart"},
        "make layers in __init__",
        """
class ThreeLayerConvNet(nn.Module):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super().__init__()
        self.num_classes = num_classes

    def forward(self, x):
        return torch.zeros(len(x), self.num_classes)
""",
    ),
}

# -- c: accuracy -----------------------------------------------------------------------------------------

ACCURACY = """
def accuracy(model, loader):
    was = model.training
    model.eval()
    hits = seen = 0
    with torch.no_grad():
        for x, y in loader:
            hits += (model(x).argmax(1) == y).sum().item()
            seen += len(y)
    model.train(was)
    return hits / seen
"""


def measure(*changes: str) -> str:
    return change(ACCURACY, *changes)


RIGHT_ACCURACY = {
    "counts": ACCURACY,
    "all guesses": """
def accuracy(model, loader):
    was = model.training
    model.eval()
    with torch.inference_mode():
        right = torch.cat([model(x).max(dim=1).indices == y for x, y in loader])
    model.train(was)
    return right.float().mean()
""",
    "means weighted": measure(
        "(model(x).argmax(1) == y).sum().item() → (model(x).argmax(1) == y).float().mean().item() * len(y)"
    ),
    "try and finally": """
def accuracy(model, loader):
    mode = model.training
    try:
        model.train(False)
        right = [int(g == t) for x, y in loader for g, t in zip(model(x).argmax(-1).tolist(), y.tolist())]
        return sum(right) / len(right)
    finally:
        model.train(mode=mode)
""",
    "topk": measure("model(x).argmax(1) → model(x).topk(1).indices[:, 0]"),
    "probabilities": measure("model(x).argmax(1) → model(x).softmax(1).argmax(1)"),
}

WRONG_ACCURACY = {
    "39 layers left in evaluation mode": Wrong(
        {"restored"}, "its layers are left", measure("model.train(was) → model.training = was")
    ),
    "39 mode not restored": Wrong(
        {"restored"}, "left in evaluation mode", measure("    model.train(was)\n → ")
    ),
    "39 always back to training": Wrong(
        {"restored"}, "left in training mode", measure("train(was) → train()")
    ),
    "42 argmax over the batch": Wrong(
        {"even", "uneven", "restored"}, "RuntimeError", measure("argmax(1) → argmax(0)")
    ),
    "42 argmax of all": Wrong({"even", "uneven"}, "the accuracy is", measure("argmax(1) → argmax()")),
    "43 unequal batches averaged": Wrong(
        {"uneven"},
        "batches' accuracies are averaged",
        measure(
            "(model(x).argmax(1) == y).sum() → (model(x).argmax(1) == y).float().mean()", "+= len(y) → += 1"
        ),
    ),
    "no eval": Wrong({"mode"}, "seen in training mode", measure("    model.eval()\n → ")),
    "per cent": Wrong({"even"}, "per cent", measure("hits / seen → 100 * hits / seen")),
    "hits": Wrong({"even"}, "hits are counted", measure("hits / seen → hits")),
    "the share of wrong ones": Wrong({"even"}, "wrong answers", measure("== y → != y")),
    "the last batch only": Wrong(
        {"even", "uneven"}, "only the last batch", measure("hits +=  → hits = ", "seen += → seen =")
    ),
    "divided by batches": Wrong({"even"}, "number of batches", measure("seen += len(y) → seen += 1")),
    "the last batch left out": Wrong(
        {"even", "uneven"}, "the accuracy is", measure("in loader → in list(loader)[:-1]")
    ),
    "rounded down": Wrong({"even", "uneven"}, "the accuracy is 0", measure("hits / seen → hits // seen")),
    "only guesses above one half": Wrong(
        {"uneven"},
        "the accuracy is 0",
        measure(
            "(model(x).argmax(1) == y) → ((model(x).argmax(1) == y) & (model(x).softmax(1).amax(1) > 0.5))"
        ),
        unnoticed="the visible checks have networks that are sure of themselves",
    ),
    "a full batch supposed": Wrong(
        {"uneven"}, "counted as a full one", measure("+= len(y) → += loader.batch_size")
    ),
    "nothing returned": Wrong({"even", "uneven"}, "`return`", measure("    return hits / seen\n → ")),
}

# -- c: training -----------------------------------------------------------------------------------------

TRAIN = """
def train(model, optimizer, loader, epochs=1):
    losses = []
    for epoch in range(epochs):
        model.train()
        for x, y in loader:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses
"""


def loop(*changes: str) -> str:
    return change(TRAIN, *changes)


RIGHT_TRAIN = {
    "the usual": TRAIN,
    "a learner with callbacks": """
class Learner:
    def __init__(self, loader, model, loss_func, optimizer, callbacks):
        self.loader, self.model, self.loss_func = loader, model, loss_func
        self.optimizer, self.callbacks = optimizer, callbacks

    def one_batch(self, x, y):
        self.loss = self.loss_func(self.model(x), y)
        for callback in self.callbacks:
            callback.after_loss(self)
        self.loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def fit(self, epochs):
        self.optimizer.zero_grad()
        for _ in range(epochs):
            self.model.train()
            for x, y in self.loader:
                self.one_batch(x, y)

class Recorder:
    def __init__(self):
        self.values = []

    def after_loss(self, learner):
        self.values.append(learner.loss.detach().clone())

def train(model, optimizer, loader, epochs=1):
    recorder = Recorder()
    Learner(loader, model, F.cross_entropy, optimizer, [recorder]).fit(epochs)
    return torch.stack(recorder.values).numpy()
""",
    "cleared first": loop(
        "            optimizer.zero_grad()\n → ",
        "            loss = F →             optimizer.zero_grad()\n            loss = F",
    ),
    "cleared last": loop(
        "            optimizer.zero_grad()\n → ",
        "optimizer.step()\n → optimizer.step()\n            optimizer.zero_grad()\n",
    ),
    "a criterion": loop("F.cross_entropy( → nn.CrossEntropyLoss()("),
    "the model clears": loop("optimizer.zero_grad() → model.zero_grad()"),
    "training mode for every batch": loop(
        "            loss = F →             model.train(True)\n            loss = F"
    ),
    "training mode once": loop(
        "        model.train()\n → ", "    losses = []\n →     losses = []\n    model.train()\n"
    ),
    "detached losses": loop("loss.item() → loss.detach()"),
    "a closure": loop(
        "            optimizer.zero_grad()\n            loss.backward()\n            optimizer.step()\n"
        " →             optimizer.zero_grad(set_to_none=False)\n            loss.backward()\n"
        "            optimizer.step(lambda: loss)\n"
    ),
}

WRONG_TRAIN = {
    "37 no zero_grad": Wrong({"sgd"}, "pile up", loop("            optimizer.zero_grad()\n → ")),
    "37 cleared once an epoch": Wrong(
        {"sgd"},
        "pile up",
        loop(
            "            optimizer.zero_grad()\n → ",
            "model.train()\n → model.train()\n        optimizer.zero_grad()\n",
        ),
    ),
    "38 step before backward": Wrong(
        {"sgd"},
        "step() comes before backward()",
        loop(
            "            optimizer.zero_grad()\n            loss.backward()\n            optimizer.step()\n"
            " →             optimizer.step()\n            optimizer.zero_grad()\n            loss.backward()\n"
        ),
    ),
    "38 cleared between backward and step": Wrong(
        {"learns", "sgd"},
        "never change",
        loop(
            "            optimizer.zero_grad()\n            loss.backward()\n"
            " →             loss.backward()\n            optimizer.zero_grad()\n"
        ),
    ),
    "39 train mode not switched on": Wrong(
        {"mode"}, "model.train() is missing", loop("        model.train()\n → ")
    ),
    "27 softmax before cross-entropy": Wrong(
        {"sgd"}, "softmax is taken twice", loop("model(x), y → model(x).softmax(1), y")
    ),
    "44 labels shuffled apart": Wrong(
        {"learns", "sgd"},
        "images and labels come apart",
        loop("            loss = F →             y = y.roll(1)\n            loss = F").replace(
            "model(x), y)", "model(x), y)"
        ),
    ),
    "44 pictures turned round": Wrong(
        {"learns", "sgd"}, "images and labels come apart", loop("model(x), y → model(x.flip(0)), y")
    ),
    "no step": Wrong({"learns", "sgd"}, "never change", loop("            optimizer.step()\n → ")),
    "no backward": Wrong({"learns", "sgd"}, "never change", loop("            loss.backward()\n → ")),
    "losses summed": Wrong({"sgd"}, "summed", loop("model(x), y) → model(x), y, reduction='sum')")),
    "uphill": Wrong({"learns", "sgd"}, "made larger", loop("loss.backward() → (-loss).backward()")),
    "one epoch always": Wrong({"sgd"}, "epochs is not used", loop("range(epochs) → range(1)")),
    "the first batch only": Wrong(
        {"sgd"},
        "only the first batch",
        loop("losses.append(loss.item()) → losses.append(loss.item())\n            break"),
    ),
    "squared error": Wrong(
        {"sgd"},
        "does not go along the gradient",
        loop("F.cross_entropy(model(x), y) → F.mse_loss(model(x), F.one_hot(y, model(x).shape[1]).float())"),
    ),
    "a penalty on weights": Wrong(
        {"sgd"},
        "no weight decay or penalty",
        loop(
            "            optimizer.zero"
            " →             loss = loss + 0.01 * sum((p**2).sum() for p in model.parameters())\n"
            "            optimizer.zero"
        ),
    ),
    "labels from 1": Wrong(
        {"learns", "sgd"},
        "does not go along the gradient",
        loop("model(x), y) → model(x), (y + 1) % model(x).shape[1])"),
    ),
    "losses by epoch": Wrong(
        {"losses"},
        "is 2",
        loop(
            "        model.train()\n →         model.train()\n        own = []\n",
            "            losses.append(loss.item())\n"
            " →             own.append(loss.item())\n        losses.append(own)\n",
        ),
    ),
    "one epoch too few": Wrong(
        {"sgd", "mode", "losses"},
        "for one epoch: it has not changed",
        loop("range(epochs) → range(epochs - 1)"),
    ),
    "two steps a batch": Wrong(
        {"sgd"},
        "two steps",
        loop(
            "            optimizer.step()\n → "
            "            optimizer.step()\n            again = F.cross_entropy(model(x), y)\n"
            "            optimizer.zero_grad()\n            again.backward()\n            optimizer.step()\n"
        ),
    ),
    "step after the epoch": Wrong(
        {"sgd"},
        "only the last batch",
        loop(
            "            optimizer.step()\n            losses.append(loss.item())\n → "
            "            losses.append(loss.item())\n        optimizer.step()\n"
        ),
    ),
    "a little weight decay by hand": Wrong(
        {"sgd"},
        "no weight decay",
        loop(
            "optimizer.step()\n → optimizer.step()\n            with torch.no_grad():\n"
            "                for p in model.parameters():\n                    p.mul_(1 - 1e-5)\n"
        ),
    ),
    "long gradients clipped": Wrong(
        {"sgd"},
        "where the gradient is long",
        loop(
            "            optimizer.step()\n →             nn.utils.clip_grad_norm_(model.parameters(), 5.0)\n"
            "            optimizer.step()\n"
        ),
        unnoticed="the visible checks have short gradients",
    ),
    "a hundred batches at most": Wrong(
        {"sgd"},
        "an epoch of 225 batches",
        loop(
            "        for x, y in loader:\n →         for step, (x, y) in enumerate(loader):\n"
            "            if step == 100:\n                break\n"
        ),
        unnoticed="an epoch of the visible checks is shorter",
    ),
    "a running mean of the losses": Wrong(
        {"losses"},
        "that of its batch",
        loop("losses.append(loss.item()) → losses.append((sum(losses) + loss.item()) / (len(losses) + 1))"),
    ),
    "a loss for each epoch": Wrong(
        {"losses"}, "number of losses", loop("            losses.append →         losses.append")
    ),
    "nothing returned": Wrong({"losses"}, "is nothing", loop("    return losses\n → ")),
    "the rate halved every epoch": Wrong(
        {"sgd"},
        "the second epoch's is 0.5 times the first epoch's",
        loop(
            "        model.train()\n →         model.train()\n        for group in optimizer.param_groups:\n"
            "            group['lr'] *= 0.5 ** (epoch > 0)\n"
        ),
    ),
    "gradients of two batches added": Wrong(
        {"sgd"},
        "the gradients of two batches",
        loop(
            "for x, y in loader → for step, (x, y) in enumerate(loader, 1)",
            "            optimizer.zero_grad()\n → ",
            "            optimizer.step()\n →             if step % 2 == 0:\n"
            "                optimizer.step()\n                optimizer.zero_grad()\n",
        ),
    ),
    "39 evaluation mode after the first epoch": Wrong(
        {"mode"}, "after the first epoch", loop("        model.train()\n →         model.train(epoch == 0)\n")
    ),
    "the first epoch's losses again": Wrong(
        {"losses"}, "are those of the first", loop("return losses → return losses[: len(loader)] * epochs")
    ),
    "an optimizer of its own": Wrong(
        {"sgd"},
        "whatever the optimizer's learning rate",
        loop("    losses = []\n →     losses = []\n    optimizer = optim.SGD(model.parameters(), lr=0.05)\n"),
    ),
    "pass": Wrong(
        {"learns", "sgd", "mode", "losses"},
        "never change",
        "def train(model, optimizer, loader, epochs=1):\n    pass\n",
    ),
}

# -- d ---------------------------------------------------------------------------------------------------

SEQUENTIAL = """
def sequential_net(in_channel, channel_1, channel_2, num_classes):
    return nn.Sequential(
        nn.Conv2d(in_channel, channel_1, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(channel_1, channel_2, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(channel_2 * 32 * 32, num_classes),
    )


def nesterov(model, lr=0.01):
    return optim.SGD(model.parameters(), lr=lr, momentum=0.9, nesterov=True)
"""


def chain(*changes: str) -> str:
    return change(SEQUENTIAL, *changes)


RIGHT_SEQUENTIAL = {
    "a row": SEQUENTIAL,
    "in place": chain("nn.ReLU() → nn.ReLU(inplace=True)"),
    "same": chain("padding=2 → padding='same'", "padding=1 → padding='same'"),
    "named": """
from collections import OrderedDict

def sequential_net(in_channel, channel_1, channel_2, num_classes):
    return nn.Sequential(OrderedDict([
        ("one", nn.Conv2d(in_channel, channel_1, (5, 5), padding=(2, 2))), ("relu", nn.ReLU()),
        ("two", nn.Conv2d(channel_1, channel_2, (3, 3), padding=(1, 1))), ("relu2", nn.ReLU()),
        ("flat", nn.Flatten(1)), ("fc", nn.Linear(channel_2 * 32 ** 2, num_classes))]))
""",
    "nested": chain(
        "        nn.Conv2d(in_channel, channel_1, 5, padding=2),\n        nn.ReLU(),\n"
        " →         nn.Sequential(nn.Conv2d(in_channel, channel_1, 5, padding=2), nn.ReLU()),\n"
    ),
    "appended": """
def sequential_net(in_channel, channel_1, channel_2, num_classes):
    net = nn.Sequential()
    net.append(nn.Conv2d(in_channel, channel_1, 5, 1, 2)).append(nn.ReLU())
    net.append(nn.Conv2d(channel_1, channel_2, 3, 1, 1)).append(nn.ReLU()).append(nn.Flatten())
    return net.append(nn.LazyLinear(num_classes))
""",
}

WRONG_SEQUENTIAL = {
    "20 paddings lost": Wrong(
        {"padding"}, "pads by 0", chain("5, padding=2 → 5", "3, padding=1 → 3", "32 * 32 → 26 * 26")
    ),
    "20 second padding lost": Wrong(
        {"padding"}, "second convolution pads by 0", chain("3, padding=1 → 3", "32 * 32 → 30 * 30")
    ),
    "19 size rounded": Wrong(
        {"sequential", "parameters", *EVERY_READING}, "RuntimeError", chain("32 * 32 → 31 * 31")
    ),
    "22 channels exchanged": Wrong(
        {"sequential", "parameters", *EVERY_READING},
        "RuntimeError",
        chain("channel_1, channel_2, 3 → channel_2, channel_1, 3"),
    ),
    "24 pictures flattened together": Wrong(
        {"sequential", *EVERY_READING}, "RuntimeError", chain("nn.Flatten() → nn.Flatten(0)")
    ),
    "24 channels last": Wrong(
        {"layout"},
        "another order",
        "class Last(nn.Module):\n    def forward(self, x):\n        return x.permute(0, 2, 3, 1)\n"
        + chain("nn.Flatten() → Last(), nn.Flatten()"),
    ),
    "27 softmax": Wrong(
        {"raw"}, "softmax is applied", chain("num_classes),\n    ) → num_classes), nn.Softmax(1),\n    )")
    ),
    "27 LogSoftmax": Wrong(
        {"raw"},
        "log-softmax is applied",
        chain("num_classes),\n    ) → num_classes), nn.LogSoftmax(dim=1),\n    )"),
    ),
    "dropout": Wrong(
        {"convolutions"},
        "in training mode dropout is at work",
        chain("        nn.Linear( →         nn.Dropout(0.1),\n        nn.Linear("),
    ),
    "all sizes written out": Wrong(
        {"parameters"},
        "there is no parameter of shape",
        chain(
            "nn.Conv2d(in_channel, channel_1 → nn.Conv2d(3, 32",
            "nn.Conv2d(channel_1, channel_2 → nn.Conv2d(32, 16",
            "channel_2 * 32 * 32, num_classes → 16 * 32 * 32, 10",
        ),
    ),
    "a hidden Linear layer too many": Wrong(
        {"parameters"},
        "its parameters have the shapes",
        chain(
            "nn.Linear(channel_2 * 32 * 32, num_classes)"
            " → nn.Linear(channel_2 * 32 * 32, 128), nn.ReLU(), nn.Linear(128, num_classes)"
        ),
    ),
    "26 pooling": Wrong(
        {"padding"},
        "the largest of 2 × 2 features",
        chain("        nn.Flatten() →         nn.MaxPool2d(2),\n        nn.Flatten()", "32 * 32 → 16 * 16"),
    ),
    "second ReLU lost": Wrong(
        {"convolutions"},
        "after the second",
        chain("        nn.ReLU(),\n        nn.Flatten() →         nn.Flatten()"),
    ),
    "ReLU at the end": Wrong(
        {"raw"}, "ReLU follows", chain("num_classes),\n    ) → num_classes), nn.ReLU(),\n    )")
    ),
    "GELU": Wrong({"convolutions"}, "GELU", chain("nn.ReLU → nn.GELU")),
    "a module, no Sequential": Wrong(
        {"sequential"},
        "Sequential",
        "class Net(nn.Module):\n    def __init__(self, net):\n        super().__init__()\n        self.net = net\n\n"
        "    def forward(self, x):\n        return self.net(x)\n"
        + chain("return nn.Sequential( → return Net(nn.Sequential(", "    )\n\n\n →     ))\n\n\n"),
    ),
    "nothing returned": Wrong(
        {"sequential", "parameters", *EVERY_READING},
        "nothing (is a `return` missing?)",
        chain("return nn → _ = nn"),
    ),
}

RIGHT_NESTEROV = {
    "SGD": SEQUENTIAL,
    "by position": chain("lr=lr, momentum=0.9, nesterov=True → lr, 0.9, nesterov=True"),
    "groups": chain("model.parameters() → [{'params': list(model.parameters())}]"),
    "by name": chain("optim.SGD → torch.optim.SGD", "model.parameters() → params=model.parameters()"),
    "a list": chain("model.parameters() → [p for p in model.parameters() if p.requires_grad]"),
}

WRONG_NESTEROV = {
    "plain momentum": Wrong({"nesterov"}, "plain, not Nesterov's", chain(", nesterov=True → ")),
    "no momentum": Wrong({"nesterov"}, "no momentum", chain(", momentum=0.9, nesterov=True → ")),
    "momentum 0.99": Wrong({"nesterov"}, "0.99, not 0.9", chain("momentum=0.9 → momentum=0.99")),
    "momentum 0.1": Wrong({"nesterov"}, "0.1, not 0.9", chain("momentum=0.9 → momentum=0.1")),
    "lr ignored": Wrong({"rate"}, "off by", chain("lr=lr → lr=0.01")),
    "another default": Wrong({"rate"}, "without an argument", chain("lr=0.01) → lr=0.001)")),
    "ten times the rate": Wrong({"rate"}, "off by", chain("lr=lr → lr=10 * lr")),
    "plain momentum and another default": Wrong(
        {"nesterov", "rate"}, "plain", chain(", nesterov=True → ", "lr=0.01) → lr=0.1)")
    ),
    "Adam": Wrong(
        {"nesterov"},
        "don't end where SGD",
        chain(
            "optim.SGD(model.parameters(), lr=lr, momentum=0.9, nesterov=True) → optim.Adam(model.parameters(), lr=lr)"
        ),
    ),
    "weight decay": Wrong(
        {"nesterov"}, "no weight decay", chain("nesterov=True → nesterov=True, weight_decay=0.1")
    ),
    "a little weight decay": Wrong(
        {"nesterov"}, "no weight decay", chain("nesterov=True → nesterov=True, weight_decay=1e-5")
    ),
    "uphill": Wrong(
        {"downhill", "nesterov"},
        "after two steps with the gradient (1, -2)",
        chain("nesterov=True → nesterov=True, maximize=True"),
    ),
    "the last module's parameters": Wrong(
        {"nesterov"}, "don't end where SGD", chain("model.parameters() → model[-1].parameters()")
    ),
    "momentum for the first layer": Wrong(
        {"nesterov"},
        "don't end where SGD",
        chain(
            "model.parameters() → [{'params': model[0].parameters()}, {'params': [p for layer in model[1:] "
            "for p in layer.parameters()], 'momentum': 0.0, 'nesterov': False}]"
        ),
    ),
    "the last layer only": Wrong(
        {"downhill", "nesterov"},
        "the weight is [[0.0, 0.0]]",
        chain("model.parameters() → list(model.parameters())[1:]"),
    ),
    "nothing returned": Wrong(
        {"downhill", "nesterov", "rate"},
        "nothing (is a `return` missing?)",
        chain("return optim → _ = optim"),
    ),
}

# -- e ---------------------------------------------------------------------------------------------------

OPEN = """
class OpenNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc = nn.Linear(16 * 8 * 8, 10)

    def forward(self, x):
        h = F.max_pool2d(F.relu(self.norm(self.conv1(x))), 2)
        h = F.max_pool2d(F.relu(self.conv2(h)), 2)
        return self.fc(h.flatten(1))
"""


def open_net(*changes: str) -> str:
    return change(OPEN, *changes)


RIGHT_OPEN = {
    "plain": OPEN,
    "dropout": open_net("h.flatten(1) → F.dropout(h.flatten(1), 0.3, self.training)"),
    "no normalisation": open_net(
        "        self.norm = nn.BatchNorm2d(8)\n → ", "self.norm(self.conv1(x)) → self.conv1(x)"
    ),
    "group norm": open_net("BatchNorm2d(8) → GroupNorm(2, 8)"),
    "lazy": open_net("nn.Linear(16 * 8 * 8, → nn.LazyLinear("),
    "a skip": open_net(
        "self.conv2 = nn.Conv2d(8, 16, 3, padding=1) → self.conv2 = nn.Conv2d(8, 16, 3, padding=1)\n"
        "        self.short = nn.Conv2d(8, 16, 1)",
        "self.conv2(h) → self.conv2(h) + self.short(h)",
    ),
    "log-softmax": open_net("return self.fc(h.flatten(1)) → return self.fc(h.flatten(1)).log_softmax(1)"),
    "average pooling": open_net("16 * 8 * 8 → 16", "h.flatten(1) → h.mean((2, 3))"),
    "a sequence": """
def OpenNetwork():
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10)
    )
""",
}

WRONG_OPEN = {
    "29 batch statistics in evaluation": Wrong(
        {"alone"},
        "depend on the others",
        open_net("BatchNorm2d(8) → BatchNorm2d(8, track_running_stats=False)"),
    ),
    "29 normalised over the batch by hand": Wrong(
        {"alone"},
        "depend on the others",
        open_net(
            "        self.norm = nn.BatchNorm2d(8)\n → ",
            "self.norm(self.conv1(x)) → (lambda z: (z - z.mean((0, 2, 3), keepdim=True)) / z.std())(self.conv1(x))",
        ),
    ),
    "30 running statistics frozen": Wrong(
        {"statistics"}, "stays as it was", open_net("BatchNorm2d(8) → BatchNorm2d(8, momentum=0.0)")
    ),
    "30 updated in evaluation": Wrong(
        {"alone", "statistics"},
        "changes the network's running statistics",
        open_net(
            "self.norm(self.conv1(x))"
            " → F.batch_norm(self.conv1(x), self.norm.running_mean, self.norm.running_var, training=True)"
        ),
    ),
    "36 dropout in evaluation": Wrong(
        {"alone"}, "asked twice", open_net("h.flatten(1) → F.dropout(h.flatten(1))")
    ),
    "40 layers in a plain list": Wrong(
        {"size"},
        "make layers in __init__",
        """
class OpenNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 32 * 32, 10)]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
""",
    ),
    "41 layers made in forward": Wrong(
        {"alone"}, "asked twice", open_net("self.conv2(h) → nn.Conv2d(8, 16, 3, padding=1)(h)")
    ),
    "24 the batch is mixed": Wrong(
        {"alone"}, "depend on the others", open_net("h.flatten(1) → h.reshape(-1, len(h)).T")
    ),
    "a wild start": Wrong(
        {"first loss"},
        "before training the loss is",
        open_net("self.fc(h.flatten(1)) → 30 * self.fc(h.flatten(1))"),
    ),
    "nine classes": Wrong(
        {"size", "first loss", "alone", "by heart"}, "(3, 9)", open_net("8 * 8, 10) → 8 * 8, 9)")
    ),
    "too large": Wrong(
        {"size"},
        "numbers, expected up to",
        open_net(
            "        self.fc =  →         self.rest = nn.Parameter(torch.zeros(6_000_000))\n        self.fc = "
        ),
    ),
    "zeros": Wrong(
        {"alone", "by heart"},
        "scores every image alike",
        open_net("self.fc(h.flatten(1)) → 0 * self.fc(h.flatten(1))"),
    ),
}

OPEN_TRAINING = """
def train_open(model, train_loader, val_loader):
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    history = {"loss": [], "validation accuracy": []}
    for epoch in range(5):
        model.train()
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        history["loss"].append(loss.item())
        history["validation accuracy"].append(accuracy(model, val_loader))
    return history
"""


def open_training(*changes: str) -> str:
    return change(OPEN_TRAINING, *changes)


RIGHT_OPEN_TRAINING = {
    "Adam": OPEN_TRAINING,
    "ten epochs": open_training("range(5) → range(10)"),
    "tensors": open_training("loss.item() → loss.detach()"),
    "arrays": open_training(
        "return history → return {name: torch.tensor(values).numpy() for name, values in history.items()}"
    ),
    "more lists": open_training("history = { → history = {'learning rate': [0.001], "),
    "by part c's train": """
def train_open(model, train_loader, val_loader):
    optimizer = nesterov(model, 0.02)
    history = {"loss": [], "validation accuracy": []}
    for epoch in range(6):
        losses = train(model, optimizer, train_loader)
        history["loss"].append(sum(losses) / len(losses))
        history["validation accuracy"].append(accuracy(model, val_loader))
    return history
""",
    "the best weights are kept": open_training(
        "    return history → "
        "        if epoch == 0 or accuracy(model, val_loader) > best:\n"
        "            best, kept = accuracy(model, val_loader), {k: v.clone() for k, v in model.state_dict().items()}\n"
        "    model.load_state_dict(kept)\n    return history"
    ),
    "mixed pictures, one cycle, groups, per cent": """
def train_open(model, train_loader, val_loader):
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}])
    cycle = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, epochs=4, steps_per_epoch=len(train_loader))
    history = {"loss": [], "validation accuracy": []}
    for epoch in range(4):
        model.train()
        losses = []
        for x, y in train_loader:
            share, order = float(torch.distributions.Beta(0.4, 0.4).sample()), torch.randperm(len(x))
            scores = model(share * x + (1 - share) * x[order])
            loss = share * criterion(scores, y) + (1 - share) * criterion(scores, y[order])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            cycle.step()
            optimizer.zero_grad()
            losses.append(loss.detach())
        history["loss"].append(torch.stack(losses).mean().item())
        model.eval()
        with torch.no_grad():
            hits = sum((model(x).argmax(-1) == y).sum().item() for x, y in val_loader)
        history["validation accuracy"].append(100 * hits / len(val_loader.dataset))
    return history
""",
    "batches of its own": """
def train_open(model, train_loader, val_loader):
    x, y = (torch.cat(parts) for parts in zip(*train_loader))
    optimizer = optim.RMSprop(model.parameters(), lr=1e-3)
    history = {"loss": [], "validation accuracy": []}
    for epoch in range(6):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(64):
            mirrored = torch.rand(len(rows), 1, 1, 1) < 0.5
            loss = F.cross_entropy(model(torch.where(mirrored, x[rows].flip(3), x[rows])), y[rows])
            optimizer.zero_grad(), loss.backward(), optimizer.step()
            total += loss.item() * len(rows)
        history["loss"].append(total / len(x))
        history["validation accuracy"].append(accuracy(model, val_loader))
    return history
""",
    "groups by the layers' names": open_training(
        "optim.Adam(model.parameters(), lr=1e-3)"
        " → optim.SGD([{'params': model.conv1.parameters(), 'lr': 0.01}, {'params': [p for n, p in "
        "model.named_parameters() if not n.startswith('conv1')]}], lr=0.02)"
    ),
}

WRONG_OPEN_TRAINING = {
    "invented accuracies": Wrong(
        {"trains"}, "measure it after every epoch", open_training("accuracy(model, val_loader) → 0.5")
    ),
    "the training images' accuracy": Wrong(
        {"trains"},
        "on val_loader",
        open_training("accuracy(model, val_loader) → accuracy(model, train_loader)"),
    ),
    "eleven epochs": Wrong({"trains"}, "has 11 numbers", open_training("range(5) → range(11)")),
    "no history": Wrong({"trains"}, "a dict of lists", open_training("    return history\n → ")),
    "a list": Wrong({"trains"}, "a dict of lists", open_training("return history → return history['loss']")),
    "another name": Wrong({"trains"}, "validation accuracy", open_training('"validation accuracy" → "val"')),
    "nothing learnt": Wrong(
        {"trains"},
        "what they were before",
        open_training("            optimizer.step()\n → ").replace("model.train()", "model.eval()"),
    ),
    "37 no zero_grad": Wrong(
        {"trains"}, "add to the new ones", open_training("            optimizer.zero_grad()\n → ")
    ),
    "38 step before backward": Wrong(
        {"trains"},
        "no batch changes the weights",
        open_training(
            "            loss.backward()\n            optimizer.step()"
            " →             optimizer.step()\n            loss.backward()"
        ),
    ),
    "39 train mode not switched on": Wrong(
        {"trains"}, "comes in evaluation mode is trained in it", open_training("        model.train()\n → ")
    ),
    "39 evaluation mode after the first epoch": Wrong(
        {"trains"},
        "some batches are trained on in evaluation mode",
        open_training("train() → train(epoch == 0)"),
    ),
    "trains on val_loader": Wrong(
        {"trains"}, "trained on val_loader", open_training("in train_loader → in val_loader")
    ),
    "the step after the epoch": Wrong(
        {"trains"},
        "some change no weight (number 1, 2, 3, …)",
        open_training(
            "            loss.backward()\n            optimizer.step()"
            " →         loss.backward()\n        optimizer.step()"
        ),
    ),
    "half of the batches": Wrong(
        {"trains"},
        "some change no weight (number 2, 4, 6, …)",
        open_training("for x, y in train_loader → for x, y in list(train_loader)[::2]"),
    ),
    "the last batches never": Wrong(
        {"trains"},
        "some change no weight (number 11, 12)",
        open_training(
            "for x, y in train_loader → for x, y in list(train_loader)[: max(1, len(train_loader) - 2)]"
        ),
    ),
    "44 labels shuffled apart": Wrong(
        {"trains"}, "has not learnt the labels", open_training("model(x), y → model(x), y.roll(1)")
    ),
    "uphill": Wrong({"trains"}, "made larger", open_training("loss.backward() → (-loss).backward()")),
    "27 softmax before cross-entropy": Wrong(
        {"trains"}, "softmax taken twice", open_training("model(x), y → model(x).softmax(1), y")
    ),
    "27 softmax over the batch": Wrong(
        {"trains"},
        "cross-entropy of raw scores is large",
        open_training("model(x), y → model(x).softmax(0), y"),
    ),
    "the last layer only": Wrong(
        {"trains"},
        "`conv1.weight` is what it was",
        open_training("model.parameters() → model.fc.parameters()"),
    ),
    "another network's weights": Wrong(
        {"trains"},
        "no batch changes the weights",
        open_training("model.parameters() → OpenNetwork().parameters()"),
    ),
    "learning rate 0": Wrong({"trains"}, "a learning rate of 0", open_training("lr=1e-3 → lr=0.0")),
    "a constant loss": Wrong(
        {"trains"}, "is 0.7 after every epoch", open_training("append(loss.item()) → append(0.7)")
    ),
    "losses summed up": Wrong(
        {"trains"},
        "the sum over the batches",
        open_training(
            "        model.train()\n →         model.train()\n        total = 0\n",
            "            optimizer.step()\n →             optimizer.step()\n            total += loss.item()\n",
            "append(loss.item()) → append(total)",
        ),
    ),
    "measured once, at the start": Wrong(
        {"trains"},
        "validation accuracy is 0:",
        open_training(
            "    for epoch →     first = accuracy(model, val_loader)\n    for epoch",
            "append(accuracy(model, val_loader)) → append(first)",
        ),
    ),
    "43 unequal batches averaged": Wrong(
        {"trains"},
        "validation accuracy is 0.25",
        open_training(
            "append(accuracy(model, val_loader))"
            " → append(sum((model.eval()(x).argmax(1) == y).double().mean().item() for x, y in val_loader)"
            " / len(val_loader))"
        ),
    ),
    "one number for all epochs": Wrong(
        {"trains"},
        "one for each epoch",
        open_training(
            '        history["loss"] →     history["loss"]',
            '        history["validation →     history["validation',
        ),
    ),
    "45 trains on the global loader": Wrong(
        {"trains"}, "NameError", open_training("in train_loader → in test_loader")
    ),
    "not written": Wrong(
        {"trains"}, "not written yet", "def train_open(model, train_loader, val_loader):\n    todo()\n"
    ),
}

ONE_DEVICE = "without a GPU there is one device only"
ONE_NUMBER = "a tensor with one number counts as a number"

PROBLEM = Problem(
    notebook="p6_2_cnn_pytorch",
    given=(
        "p6_2-imports",
        "p6_2b-rehearsal",
        "p6_2c-mode",
        "p6_2c-sgd",
        "p6_2d-steps",
    ),
    checks=CHECKS,
    mixes=False,  # some fill half a cell
    equivalent={
        "p6_2a-code": {
            "return torch.randn(… → return -(torch.randn(shape, device=device) * math.sqrt(2 / fan_in))": "as random",
            "….randn(shape, device=device)… → ….randn(shape) * math.sqrt(2 / fan_in)": ONE_DEVICE,
            "return torch.zeros(size, device=device) → return torch.zeros(size)": ONE_DEVICE,
        },
        "p6_2b-step-code": {"return loss.item() → return loss": ONE_NUMBER},
        "p6_2c-accuracy-code": {
            "with torch.no_grad(): ⏎ … → with __import__…": "gradients that nobody asks for change no score",
            "guesses = … → guesses = (model(x.to(device_of(model))).argmax(dim=1))": ONE_DEVICE,
            "guesses = … → guesses = model(x.to()).argmax(dim=1).cpu()": ONE_DEVICE,
            "guesses = … → guesses = model(x.to(device_of(model))).argmax(dim=(-1)).cpu()": "the last dimension is 1",
            "hits += … ⏎ … → seen += len(y) ⏎ hits += …": "neither needs the other",
            "hits += … → hits += (guesses == y.cpu()).sum()": ONE_NUMBER,
            "hits += … → hits += (guesses == (y)).sum().item()": ONE_DEVICE,
            "seen += len(y) → seen += len(x)": "as many",
            "seen += len(y) → seen += len(guesses)": "as many",
        },
        "p6_2c-train-code": {
            "for step, … → for step, (x, y) in enumerate(loader…):": "steps are counted for what is printed",
            "x, y = … ⏎ … → loss = … ⏎ x, y = …": ONE_DEVICE,
            "x, y = … → pass": ONE_DEVICE,
            "x, y = … → x, y = x.to(), y.to(device_of(model))": ONE_DEVICE,
            "x, y = … → x, y = x.to(device_of(model)), y.to()": ONE_DEVICE,
            "loss = … ⏎ … → optimizer.zero_grad() ⏎ loss = …": "gradients are cleared before backward",
            "optimizer.zero_grad() → model.zero_grad()": "the optimizer has all parameters of the model",
            "optimizer.step() ⏎ … → losses.append(loss.item()) ⏎ optimizer.step()": "the loss is known before the step",
            "losses.append(loss.item()) → losses.append(loss)": ONE_NUMBER,
            "if step % 150 == 0 or step == len(loader):… → …": "it is about what is printed",
            "print(… → …": "it is about what is printed",
        },
        "p6_2d-code": {
            "… → …, padding=1), nn.Flatten(), nn.ReLU(), nn.Linear(…": "ReLU takes each number by itself",
        },
        "p6_2e-code": {
            # what survives here is another network, or another training, of those that the question leaves open
            **dict.fromkeys(
                (
                    *(
                        "return [nn.Conv2d(… → …",
                        "nn.MaxPool2d(2), → …",
                        "self.features = … → …",
                        "*block(… → …",
                    ),
                    *("optimizer = optim.SGD(… → …", "schedule = … → …", "steps = … → …"),
                    *("mirrored = … → …", "padded = … → …", "down, right = … → …", "rows = … → …"),
                    *("columns = … → …", "which = … → …", "return padded[… → …"),
                    *(
                        "x, y = augmented(… → …",
                        "schedule.step() → …",
                        "optimizer.step() ⏎ … → schedule.step() ⏎ …",
                    ),
                ),
                "the question leaves the network, its rates and how pictures are changed open; the accuracy that they "
                "lead to is measured",
            ),
            "epochs, device = 10, … → epochs, device = 9, …": "at most ten epochs",
            "for epoch in range(epochs): → for epoch in list(range(epochs))[…]:": "at most ten epochs",
            **dict.fromkeys(
                (
                    "model.train() ⏎ total = hits = seen = 0 → …",
                    "schedule.step() ⏎ … → …",
                    "total += … ⏎ … → …",
                    "hits += … ⏎ … → …",
                    'history["loss"]… ⏎ … → …',
                    'history["training accuracy"]… ⏎ … → …',
                ),
                "neither needs the other",
            ),
            "loss = … ⏎ … → optimizer.zero_grad() ⏎ loss = …": "gradients are cleared before backward",
            **dict.fromkeys(
                ("hits += … → …", 'history["training accuracy"]… → …'),
                "the question asks for no training accuracy",
            ),
            "total += … → total += loss * len(y)": ONE_NUMBER,
            **dict.fromkeys(
                (
                    "total += … → total += loss.item() * len(x)",
                    "total += … → total += loss.item() * len(scores)",
                    "seen += len(y) → seen += len(x)",
                    "seen += len(y) → seen += len(scores)",
                ),
                "as many",
            ),
            "print(… → …": "it is about what is printed",
        },
    },
    exercises=(
        Exercise(("p6_2a-warm-up",), "p6_2a-code", RIGHT_WARM_UP, WRONG_WARM_UP),
        Exercise(("p6_2b-convnet",), "p6_2b-convnet-code", RIGHT_CONVNET, WRONG_CONVNET),
        Exercise(("p6_2b-init",), "p6_2b-init-code", RIGHT_INIT, WRONG_INIT),
        Exercise(("p6_2b-step",), "p6_2b-step-code", RIGHT_STEP, WRONG_STEP),
        Exercise(("p6_2c-network",), "p6_2c-network-code", RIGHT_MODULE, WRONG_MODULE),
        Exercise(("p6_2c-measure",), "p6_2c-accuracy-code", RIGHT_ACCURACY, WRONG_ACCURACY),
        Exercise(("p6_2c-training",), "p6_2c-train-code", RIGHT_TRAIN, WRONG_TRAIN),
        Exercise(("p6_2d-network",), "p6_2d-code", RIGHT_SEQUENTIAL, WRONG_SEQUENTIAL),
        Exercise(("p6_2d-optimizer",), "p6_2d-code", RIGHT_NESTEROV, WRONG_NESTEROV),
        Exercise(("p6_2e-network",), "p6_2e-code", RIGHT_OPEN, WRONG_OPEN),
        Exercise(("p6_2e-training",), "p6_2e-code", RIGHT_OPEN_TRAINING, WRONG_OPEN_TRAINING, before=OPEN),
    ),
)
