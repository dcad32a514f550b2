"""Answers to question 1 of Assignment 2. Each runs after the reference's and says what differs."""

from __future__ import annotations

from chainrule.authoring.answers import Exercise, Problem, Wrong

# Short names for the checks of each graded cell, in their order there.
CHECKS = {
    "q1_1-curvature": ("H", "verdict", "L", "m"),
    "q1_1-steps": ("t_convex", "t_strongly"),
    "q1_1-iterations": ("k_convex", "k_strongly"),
    "q1_2-sizes": tuple(f"size {layer}" for layer in range(1, 9)),
    "q1_2-parameters": ("count 1", "count 2", "count 4", "count 5", "count 8", "none", "total"),
    "q1_2-comparison": ("dense", "times"),
    "q1_3-parameters": ("W_Q", "W_K", "W_V", "W_O", "W_1", "b_1", "W_2", "b_2", "norm_1", "norm_2", "total"),
    "q1_3-experiment": ("plain", "scaled", "weights", "entropy", "zero"),
}

# The graded cells of each part.
PARTS = {
    "1.1": ("q1_1-curvature", "q1_1-steps", "q1_1-iterations"),
    "1.2": ("q1_2-sizes", "q1_2-parameters", "q1_2-comparison"),
    "1.3 count": ("q1_3-parameters",),
    "1.3 functions": ("q1_3-experiment",),
}


def lost(part: str) -> set[str]:
    """Everything a part can lose."""
    return {name for item in PARTS[part] for name in CHECKS[item]}


# -- 1.1 -------------------------------------------------------------------------------------------------

RIGHT_1_1 = {
    "as it stands": "",
    "arrays": "H = np.diag([10, 1]); L = np.float32(10); m = np.int64(1)",
    "tensors": "H = torch.tensor([[10.0, 0], [0, 1]]); L = torch.tensor(10.0); t_convex = torch.tensor(0.1)",
    "texts": 'H = [["10", "0"], ["0", "1"]]; L = "10"; t_convex = "1/10"; t_strongly = "2/11"; k_convex = "1000"',
    "TeX": r't_strongly = r"\frac{2}{11}"; t_convex = "$0.1$"',
    "fractions": "from fractions import Fraction\nt_convex, t_strongly = Fraction(1, 10), Fraction(2, 11)",
    "sympy": "import sympy\nt_strongly = sympy.Rational(2, 11); L = sympy.Integer(10)",
    "four decimals": "t_strongly = 0.1818",
    "three decimals": "t_strongly = 0.182",
    "yes": 'convex = "yes"; strongly_convex = "Yes."',
    "NumPy's True": "convex = np.bool_(True); strongly_convex = torch.tensor(True)",
    "floats": "k_convex, k_strongly = 1000.0, 66.0",
    "a strict inequality": "k_convex = 1001",
    "floating-point rounding": "k_convex = math.ceil(2 / (2 * 0.1 * 0.01) + 1e-9)",
    "tuples and lists of one": "H = ((10, 0), (0, 1)); L, m = [10], [1]",
}

_EVERYTHING_FROM = """
t_convex, t_strongly = 1 / L, 2 / (m + L)
k_convex = round(2 / (2 * t_convex * 0.01))
k_strongly = math.ceil(math.log(L / 0.01) / -math.log(1 - m / L))
"""

WRONG_1_1 = {
    "½ forgotten, carried through": Wrong(
        {"H"},
        "twice",
        f"H = [[20, 0], [0, 2]]; L, m = 20, 2{_EVERYTHING_FROM}",
        unnoticed="consistent in itself: only the right H would tell",
    ),
    "½ kept, carried through": Wrong(
        {"H"},
        "half",
        f"H = [[5, 0], [0, 0.5]]; L, m = 5, 0.5{_EVERYTHING_FROM}",
        unnoticed="consistent in itself: only the right H would tell",
    ),
    "H doubled in its own cell only": Wrong({"H"}, "twice", "H = [[20, 0], [0, 2]]"),
    "entries exchanged": Wrong({"H"}, "exchanged", "H = [[1, 0], [0, 10]]", unnoticed="the same eigenvalues"),
    "the gradient for the Hessian": Wrong({"H"}, "shape (2,)", "H = [10, 1]"),
    "a Hessian with a sign slip": Wrong({"H"}, "H is", "H = [[10, 0], [0, -1]]"),
    "not strongly convex": Wrong({"verdict"}, "eigenvalues of H are positive", "strongly_convex = False"),
    "not convex": Wrong({"verdict"}, "no eigenvalue of H is negative", "convex = False"),
    "neither": Wrong({"verdict"}, "decide both", 'convex = strongly_convex = "no"'),
    "neither True nor False": Wrong({"verdict"}, "expected True or False", 'convex = "maybe"'),
    "L and m exchanged, steps carried through": Wrong(
        {"L", "m"}, "which is m", "L, m = 1, 10; t_convex = 1; k_convex = 100"
    ),
    "L halved, carried through": Wrong({"L"}, "half", f"L = 5{_EVERYTHING_FROM}"),
    "m halved, carried through": Wrong({"m"}, "half", f"m = 0.5{_EVERYTHING_FROM}"),
    "L is the trace": Wrong({"L"}, "sum of the eigenvalues", "L = 11"),
    "L missing": Wrong({"L"}, "no `L` yet", "del L"),
    "bounds exchanged": Wrong(
        {"t_convex", "t_strongly"}, "the strongly convex theorem", "t_convex, t_strongly = 2 / 11, 1 / 10"
    ),
    "1/m": Wrong({"t_convex"}, "not the smallest", "t_convex = 1"),
    "2/L": Wrong({"t_convex"}, "stops converging", "t_convex = 0.2"),
    "1/(m + L)": Wrong({"t_strongly"}, "numerator", "t_strongly = 1 / 11"),
    "2/L for the second": Wrong({"t_strongly"}, "m is missing", "t_strongly = 2 / 10"),
    "two digits": Wrong({"t_strongly"}, "t_strongly is 0.18", "t_strongly = 0.18"),
    "a wrong step, carried through": Wrong({"t_convex"}, "2/L", "t_convex = 0.2; k_convex = 500"),
    "a step missing, k taken from a wrong L": Wrong(
        {"L", "t_convex"},
        "no `t_convex` yet",
        "L = 20; k_convex = 2000; k_strongly = 149; del t_convex",
    ),
    "rounded down": Wrong({"k_strongly"}, "still above ε", "k_strongly = 65"),
    "one too few": Wrong({"k_convex"}, "still above ε", "k_convex = 999"),
    "one too many": Wrong({"k_strongly"}, "not the smallest k", "k_strongly = 67"),
    "not rounded": Wrong(
        {"k_strongly"}, "65.563: an iteration count is a whole number", "k_strongly = 65.563"
    ),
    "both exchanged": Wrong({"k_convex", "k_strongly"}, "other bound", "k_convex, k_strongly = 66, 1000"),
    "2 of 2tk forgotten": Wrong({"k_convex"}, "2tk", "k_convex = 2000"),
    "the norm is 1": Wrong({"k_convex", "k_strongly"}, "both entries", "k_convex, k_strongly = 500, 59"),
    "the norm not squared": Wrong({"k_convex"}, "squared", "k_convex = 708"),
    "γ = m/L": Wrong({"k_strongly"}, "not m/L", "k_strongly = 3"),
    "L for L/2": Wrong({"k_strongly"}, "not L", "k_strongly = 73"),
    "L/2 forgotten": Wrong({"k_strongly"}, "L/2 is missing", "k_strongly = 51"),
    "γ of the other step": Wrong({"k_strongly"}, "2/(m + L)", "k_strongly = 35"),
    "a list of k": Wrong({"k_convex"}, "one number", "k_convex = [1000, 66]"),
    "negative": Wrong({"k_strongly"}, "at least one", "k_strongly = -66"),
    "NaN": Wrong({"t_convex"}, "NaN", 't_convex = float("nan")'),
    "zeros": Wrong(
        lost("1.1"),  # the verdict, too: nothing is behind it
        "H is",
        "H = [[0, 0], [0, 0]]; L = m = t_convex = t_strongly = k_convex = k_strongly = 0",
    ),
    "ones": Wrong(
        lost("1.1"),
        "H is",
        "H = [[1, 1], [1, 1]]; L = m = t_convex = t_strongly = k_convex = k_strongly = 1",
    ),
    "two everywhere": Wrong(
        lost("1.1") - {"verdict", "k_convex"},  # which does follow from the step
        "H is",
        "H = [[2, 0], [0, 2]]; L = m = 2; t_convex = t_strongly = 0.5; k_convex = 200; k_strongly = 2",
    ),
    "words": Wrong({"L", "m"}, "no number", 'L, m = "ten", "one"'),
}

# -- 1.2 -------------------------------------------------------------------------------------------------

_SIZES = "(24, 24, 16), (24, 24, 16), (12, 12, 16), (10, 10, 32), (10, 10, 32), (5, 5, 32)"
_SAME = """
layer_sizes = [(28, 28, 16), (28, 28, 16), (14, 14, 16), (14, 14, 32), (14, 14, 32), (7, 7, 32), (7, 7, 32), (1, 1, 10)]
layer_parameters[7] = 7 * 7 * 32 * 10 + 10
"""

RIGHT_1_2 = {
    "as it stands": "",
    "flattened before dropout": f"layer_sizes = [{_SIZES}, (800,), (10,)]",
    "a plain 10": f"layer_sizes = [{_SIZES}, 800, 10]",
    "flat as 1 × 1 × 800": f"layer_sizes = [{_SIZES}, (1, 1, 800), (10,)]",
    "lists": "layer_sizes = [list(size) for size in layer_sizes]",
    "a dict by layer": "layer_sizes = {i: s for i, s in reversed(list(enumerate(layer_sizes, 1)))}",
    "an array": "layer_sizes = np.array(layer_sizes); layer_parameters = np.array(layer_parameters)",
    "sizes as texts": "layer_sizes = [' x '.join(map(str, size)) for size in layer_sizes]",
    "NumPy numbers in a list": "layer_parameters = list(np.array(layer_parameters))",
    "tensors": "layer_sizes = torch.tensor(layer_sizes); layer_parameters = torch.tensor(layer_parameters)",
    "with the input": "layer_sizes = [(28, 28, 1), *layer_sizes]",
    "products": 'layer_parameters[0] = "5*5*1*16 + 16"; layer_parameters[7] = "800·10 + 10"',
    "floats": "layer_parameters = [float(n) for n in layer_parameters]",
    "15": "times_as_many = 15",
    "15.5": "times_as_many = 15.5",
    "exact": 'fully_connected = "784*256 + 256 + 2570"; times_as_many = "203530/13162"',
}

WRONG_1_2 = {
    "padding, carried through": Wrong(
        {"size 1", "size 4"}, "without padding", f"{_SAME}total_parameters = sum(layer_parameters)"
    ),
    "1 + forgotten in layer 1": Wrong({"size 1"}, "1 + of the formula", "layer_sizes[0] = (23, 23, 16)"),
    "1 + forgotten in layer 1, carried through": Wrong(
        {"size 1"},
        "1 + of the formula",
        """layer_sizes = [(23, 23, 16), (23, 23, 16), (11, 11, 16), (9, 9, 32), (9, 9, 32), (4, 4, 32)]
layer_sizes += [(4, 4, 32), (10,)]
layer_parameters[7] = 5130; total_parameters = sum(layer_parameters)""",
    ),
    "rounded up": Wrong(
        {"size 4", "size 6"}, "round down", "layer_sizes[3:6] = [(11, 11, 32), (11, 11, 32), (6, 6, 32)]"
    ),
    "pooling with stride 1": Wrong({"size 3"}, "not 1", "layer_sizes[2] = (23, 23, 16)"),
    "pooling forgotten": Wrong({"size 6"}, "smaller", "layer_sizes[5] = (10, 10, 32)"),
    "pooling halves channels": Wrong({"size 3"}, "number stays", "layer_sizes[2] = (12, 12, 8)"),
    "pooling without 1 +": Wrong({"size 6"}, "1 + of the formula", "layer_sizes[5] = (4, 4, 32)"),
    "channels of the input": Wrong({"size 4"}, "one channel", "layer_sizes[3] = (10, 10, 16)"),
    "channels multiplied": Wrong({"size 4"}, "makes one", "layer_sizes[3] = (10, 10, 512)"),
    "stride 2": Wrong({"size 1"}, "stride is 1", "layer_sizes[0] = (12, 12, 16)"),
    "BatchNorm changes the size": Wrong({"size 2"}, "layer 2 is", "layer_sizes[1] = (12, 12, 16)"),
    "channels first, throughout": Wrong(
        {"size 1"}, "(H, W, C)", "layer_sizes = [(c, h, w) for h, w, c in layer_sizes[:7]] + [(10,)]"
    ),
    "channels first, once": Wrong({"size 4"}, "(H, W, C)", "layer_sizes[3] = (32, 10, 10)"),
    "height and width alone": Wrong({"size 1"}, "three numbers", "layer_sizes[0] = (24, 24)"),
    "flattened wrongly": Wrong({"size 7"}, "layer 7", "layer_sizes[6] = (400,)"),
    "nine classes": Wrong({"size 8"}, "layer 8", "layer_sizes[7] = (9,)"),
    "copies of the input": Wrong(
        lost("1.2") - {n for n in lost("1.2") if not n.startswith("size")},
        "layer 1",
        "layer_sizes = [(28, 28, 1)] * 8",
    ),
    "zeros as sizes": Wrong({f"size {i}" for i in range(1, 9)}, "layer 1", "layer_sizes = [(0, 0, 0)] * 8"),
    "sizes cut off": Wrong({"size 7", "size 8"}, "layer 7 is missing", "layer_sizes = layer_sizes[:6]"),
    "half a table, carried through": Wrong(
        {"size 1", "size 4", "size 5", "size 6", "size 7", "size 8"},
        "layer 4 is missing",
        "layer_sizes = [(28, 28, 16), (28, 28, 16), (14, 14, 16)]",
    ),
    "sizes as text": Wrong({f"size {i}" for i in range(1, 9)}, "expected a list", 'layer_sizes = "24x24x16"'),
    "no bias in layer 1": Wrong({"count 1"}, "biases are forgotten", "layer_parameters[0] = 400"),
    "no biases, carried through": Wrong(
        {"count 1", "count 4", "count 8"},
        "biases are forgotten",
        """layer_parameters[0], layer_parameters[3], layer_parameters[7] = 400, 4608, 8000
total_parameters = sum(layer_parameters); times_as_many = fully_connected / total_parameters""",
    ),
    "running statistics": Wrong(
        {"count 2", "count 5"},
        "not learnt",
        "layer_parameters[1], layer_parameters[4] = 64, 128; total_parameters = sum(layer_parameters)",
    ),
    "γ alone": Wrong({"count 2"}, "γ and β", "layer_parameters[1] = 16; total_parameters -= 16"),
    "γ and β for each pixel": Wrong(
        {"count 5"}, "each pixel", "layer_parameters[4] = 6400; total_parameters += 6336"
    ),
    "pooling learns": Wrong({"none"}, "pool has nothing", "layer_parameters[2] = 4; total_parameters += 4"),
    "dropout learns": Wrong(
        {"none"}, "dropout has nothing", "layer_parameters[6] = 1; total_parameters += 1"
    ),
    "c_in forgotten in layer 4": Wrong(
        {"count 4"}, "input channels", "layer_parameters[3] = 320; total_parameters = sum(layer_parameters)"
    ),
    "one filter": Wrong(
        {"count 4"}, "one filter", "layer_parameters[3] = 145; total_parameters -= 4640 - 145"
    ),
    "flatten: channels alone": Wrong(
        {"count 8"}, "not one for each", "layer_parameters[7] = 330; total_parameters = 5482"
    ),
    "flatten: one channel": Wrong(
        {"count 8"}, "not one channel", "layer_parameters[7] = 260; total_parameters = 5412"
    ),
    "BatchNorm left out of the total": Wrong({"total"}, "BatchNorm", "total_parameters = 13162 - 96"),
    "a wrong total": Wrong({"total"}, "total_parameters", "total_parameters = 13161"),
    "zeros as counts": Wrong(
        {"count 1", "count 2", "count 4", "count 5", "count 8", "none", "total"},
        "nothing but zeros",
        "layer_parameters = [0] * 8; total_parameters = 0; fully_connected / 13162",
    ),
    "sevens as counts": Wrong(
        {"count 1", "count 2", "count 4", "count 5", "count 8", "none", "total"},
        "layer 1",
        "layer_parameters = [7] * 8; total_parameters = 56",
    ),
    "1 to 8 as counts": Wrong(
        {"count 1", "count 2", "count 4", "count 5", "count 8", "none", "total"},
        "layer 1",
        "layer_parameters = list(range(1, 9)); total_parameters = 36",
    ),
    "no biases in the dense network": Wrong(
        {"dense"}, "biases are forgotten", "fully_connected = 203264; times_as_many = 203264 / 13162"
    ),
    "the output layer forgotten": Wrong({"dense"}, "output layer", "fully_connected = 200960"),
    "one bias vector forgotten": Wrong({"dense"}, "output layer's biases", "fully_connected = 203520"),
    "upside down": Wrong({"times"}, "upside down", "times_as_many = 13162 / 203530"),
    "times more": Wrong({"times"}, "how many times more", "times_as_many = 14.46"),
    "the difference": Wrong({"times"}, "difference", "times_as_many = 203530 - 13162"),
    "ones": Wrong({"dense", "times"}, "fully_connected", "fully_connected = times_as_many = 1"),
    "ones everywhere": Wrong(
        lost("1.2"),
        "expected",
        "layer_sizes = [1] * 8; layer_parameters = [1] * 8\n"
        "total_parameters = fully_connected = times_as_many = 1",
    ),
}

# -- 1.3 -------------------------------------------------------------------------------------------------

_ATTENTION = "encoder_parameters |= dict.fromkeys(['W_Q', 'W_K', 'W_V', 'W_O'], {})"
_SUM = "\nencoder_total = sum(encoder_parameters.values())"

RIGHT_1_3 = {
    "as it stands": "",
    "products": 'encoder_parameters["W_Q"] = "256*256"; encoder_parameters["W_1"] = "256 · 1024"',
    "other spellings": """
def spelt(name):
    return name.replace("norm", "LayerNorm").replace("_", " ").lower()

encoder_parameters = {spelt(name): count for name, count in encoder_parameters.items()}
""",
    "an entry of its own for the total": 'encoder_parameters["total"] = encoder_total',
    "ln": 'encoder_parameters["ln1"] = encoder_parameters.pop("norm_1")',
    "tensors": "encoder_parameters = {k: torch.tensor(v) for k, v in encoder_parameters.items()}",
    "floats": "encoder_parameters = {k: float(v) for k, v in encoder_parameters.items()}; encoder_total = 788736.0",
    "powers": 'encoder_parameters["W_O"] = "2^16"; encoder_total = "788736"',
}

_PROJECTIONS = {"W_Q", "W_K", "W_V", "W_O"}

WRONG_1_3 = {
    "times the heads": Wrong(_PROJECTIONS, "does not multiply", _ATTENTION.format("256 * 256 * 8") + _SUM),
    "divided by the heads": Wrong(_PROJECTIONS, "count all heads", _ATTENTION.format("256 * 32") + _SUM),
    "d_k × d_k": Wrong(_PROJECTIONS, "d × d", _ATTENTION.format("32 * 32") + _SUM),
    "biases in attention": Wrong(_PROJECTIONS, "no biases", _ATTENTION.format("256 * 256 + 256") + _SUM),
    "W_O forgotten": Wrong({"W_O", "total"}, "no encoder_parameters", 'del encoder_parameters["W_O"]' + _SUM),
    "W_1 with its bias": Wrong({"W_1"}, "own entry", 'encoder_parameters["W_1"] += 1024' + _SUM),
    "W_2 with its bias": Wrong({"W_2"}, "own entry", 'encoder_parameters["W_2"] += 256' + _SUM),
    "W_2 is d × d": Wrong({"W_2"}, "between d and d_ff", 'encoder_parameters["W_2"] = 65536' + _SUM),
    "b_1 of length d": Wrong({"b_1"}, "outputs", 'encoder_parameters["b_1"] = 256' + _SUM),
    "b_2 of length d_ff": Wrong({"b_2"}, "outputs", 'encoder_parameters["b_2"] = 1024' + _SUM),
    "β forgotten": Wrong(
        {"norm_1", "norm_2"}, "γ and β", 'encoder_parameters |= {"norm_1": 256, "norm_2": 256}' + _SUM
    ),
    "both norms in one": Wrong(
        {"norm_1", "norm_2"}, "both LayerNorms", 'encoder_parameters |= {"norm_1": 1024, "norm_2": 0}' + _SUM
    ),
    "LayerNorm once in the total": Wrong({"total"}, "a LayerNorm is missing", "encoder_total -= 512"),
    "W_2 forgotten in the total": Wrong({"total"}, "W_2", "encoder_total -= 256 * 1024 + 256"),
    "biases forgotten in the total": Wrong({"total"}, "biases", "encoder_total -= 1280"),
    "zeros": Wrong(
        lost("1.3 count"),
        "W_Q",
        "encoder_parameters = dict.fromkeys(encoder_parameters, 0); encoder_total = 0",
    ),
    "ones": Wrong(
        lost("1.3 count"),
        "W_Q",
        "encoder_parameters = dict.fromkeys(encoder_parameters, 1); encoder_total = 10",
    ),
    "1 to 10": Wrong(
        lost("1.3 count"),
        "W_Q",
        "encoder_parameters = {k: i for i, k in enumerate(encoder_parameters, 1)}; encoder_total = 55",
    ),
    "a list": Wrong(
        lost("1.3 count") - {"total"},
        "should be a dict",
        "encoder_parameters = list(encoder_parameters.values())",
    ),
    "text": Wrong({"W_Q"}, "no number", 'encoder_parameters["W_Q"] = "d*d"'),
}

RIGHT_FUNCTIONS = {
    "as it stands": "",
    "einsum": """
def scores(q, k, scaled):
    return torch.einsum("id,jd->ij", q, k) / (k.shape[-1] ** 0.5 if scaled else 1)
""",
    "broadcasting": """
def scores(q, k, scaled):
    s = (q[:, None] * k).sum(-1)
    return s * q.size(-1) ** -0.5 if scaled else s
""",
    "NumPy": """
def scores(q, k, scaled):
    q, k = np.asarray(q), np.asarray(k)
    return q @ k.T / (np.sqrt(q.shape[1]) if scaled else 1)

def attention_weights(s):
    e = np.exp(np.asarray(s) - np.asarray(s).max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)

def entropy(p):
    p = np.asarray(p)
    return -(p * np.log(np.where(p > 0, p, 1))).sum(1)
""",
    "exponentials": "def attention_weights(s):\n    return torch.exp(s) / torch.exp(s).sum(dim=1, keepdim=True)",
    "xlogy": "def entropy(p):\n    return -torch.xlogy(p, p).sum(-1)",
    "a tiny number": "def entropy(p):\n    return -(p * torch.log(p + 1e-12)).sum(-1)",
    "nansum": "def entropy(p):\n    return -(p * p.log()).nansum(1)",
    "Categorical": "def entropy(p):\n    return torch.distributions.Categorical(probs=p).entropy()",
    "a module": "attention_weights = nn.Softmax(dim=1)",
    "a lambda": "scores = lambda q, k, scaled=False: q @ k.T / (11**0.5 if scaled else 1)",
    "float32": "def scores(q, k, scaled):\n    s = q.float() @ k.float().T\n    return s / 11**0.5 if scaled else s",
}


def _scaled_by(scale: str) -> str:
    return f"def scores(q, k, scaled):\n    s = q @ k.T\n    return s / ({scale}) if scaled else s"


WRONG_FUNCTIONS = {
    "never scaled": Wrong({"scaled"}, "missing", "def scores(q, k, scaled):\n    return q @ k.T"),
    "always scaled": Wrong(
        {"plain"}, "even where", "def scores(q, k, scaled):\n    return q @ k.T / 11**0.5"
    ),
    "√n_keys": Wrong({"scaled"}, "number of keys", _scaled_by("len(k) ** 0.5")),
    "√n_queries": Wrong({"scaled"}, "number of queries", _scaled_by("len(q) ** 0.5")),
    "d_k": Wrong({"scaled"}, "not by its root", _scaled_by("q.shape[1]")),
    "multiplied": Wrong({"scaled"}, "multiplied", _scaled_by("q.shape[1] ** -0.5")),
    "transposed": Wrong(
        {"plain"},
        "rows are keys",
        "def scores(q, k, scaled):\n    return k @ q.T / (11**0.5 if scaled else 1)",
    ),
    "zeros": Wrong(
        {"plain", "scaled"},
        "scores is 0",
        "def scores(q, k, scaled):\n    return torch.zeros(len(q), len(k))",
    ),
    "constant": Wrong(
        {"plain", "scaled"},
        "scores is",
        "def scores(q, k, scaled):\n    return torch.ones(len(q), len(k)) / (11**0.5 if scaled else 1)",
    ),
    "no return": Wrong({"plain", "scaled"}, "return", "def scores(q, k, scaled):\n    s = q @ k.T"),
    "softmax over queries": Wrong(
        {"weights"}, "over the queries", "def attention_weights(s):\n    return s.softmax(0)"
    ),
    "softmax over all": Wrong(
        {"weights"},
        "together",
        "def attention_weights(s):\n    return s.flatten().softmax(0).reshape(s.shape)",
    ),
    "exponentials alone": Wrong(
        {"weights"}, "divided by their sum", "def attention_weights(s):\n    return s.exp()"
    ),
    "log-softmax": Wrong({"weights"}, "logarithms", "def attention_weights(s):\n    return s.log_softmax(1)"),
    "bits": Wrong(
        {"entropy"}, "bits", "def entropy(p):\n    return torch.special.entr(p).sum(1) / math.log(2)"
    ),
    "no minus": Wrong({"entropy"}, "minus sign", "def entropy(p):\n    return torch.xlogy(p, p).sum(1)"),
    "mean over keys": Wrong(
        {"entropy", "zero"}, "mean over the keys", "def entropy(p):\n    return torch.special.entr(p).mean(1)"
    ),
    "over queries": Wrong(
        {"entropy"}, "over the queries", "def entropy(p):\n    return torch.special.entr(p).sum(0)"
    ),
    "one number": Wrong(
        {"entropy"}, "for all rows", "def entropy(p):\n    return torch.special.entr(p).sum()"
    ),
    "mean of rows": Wrong(
        {"entropy"}, "mean of all rows", "def entropy(p):\n    return torch.special.entr(p).sum(1).mean()"
    ),
    "NaN at 0": Wrong({"zero"}, "not a number", "def entropy(p):\n    return -(p * p.log()).sum(1)"),
    "entropy 0": Wrong(
        {"entropy", "zero"}, "entropy is 0", "def entropy(p):\n    return torch.zeros(len(p))"
    ),
    "raises": Wrong({"weights"}, "raised", "def attention_weights(s):\n    return s.softmax(5)"),
    "not functions": Wrong(
        lost("1.3 functions"), "should be a function", "scores = attention_weights = entropy = None"
    ),
    "not written": Wrong({"plain", "scaled"}, "not written yet", "def scores(q, k, scaled):\n    todo()"),
}

PROBLEM = Problem(
    notebook="assignment2",
    given=(
        "q1-imports",
        *("q1_1-hessian", "q1_1-step-sizes", "q1_1-descent", "q1_1-counts"),
        *("q1_2-size-table", "q1_2-count-table", "q1_2-net", "q1_2-dense"),
        *("q1_3-count", "q1_3-functions"),
    ),
    checks=CHECKS,
    equivalent={
        "q1_1-counts": {"k_convex = 1000 → k_convex = 1001": "a bound with < in place of ≤ gives one more"},
        "q1_3-functions": {
            "…q.shape[1]… → …k.shape[1]…": "keys are as long as queries",
            "…dim=1… → …dim=(-1)…": "the last of two axes",
        },
        "q1_2-net": {"…": "the network earns nothing: a visible check compares it with the student's tables"},
    },
    exercises=(
        Exercise(PARTS["1.1"], "q1_1-answer", RIGHT_1_1, WRONG_1_1),
        Exercise(PARTS["1.2"], "q1_2-answer", RIGHT_1_2, WRONG_1_2),
        Exercise(PARTS["1.3 count"], "q1_3-answer", RIGHT_1_3, WRONG_1_3),
        Exercise(PARTS["1.3 functions"], "q1_3-answer", RIGHT_FUNCTIONS, WRONG_FUNCTIONS),
    ),
)
