"""Answers to problem 6.1 of Homework 2, mostly written as a change to a plain right one."""

from __future__ import annotations

from chainrule.authoring.answers import Exercise, Problem, Sources, Wrong, change

# Short names for the checks of each graded cell, in their order there. Those in brackets only inform.
CHECKS = {
    "p6_1a-data": ("mean", "X", "noise"),
    "p6_1b-scaling": ("train", "test"),
    "p6_1c-backprop": (
        "(hand)",
        "sigma",
        "forward",
        "delta",
        "s",
        "v",
        "W",
        "biases",
        "factor",
    ),
    "p6_1d-decay": ("(hand)", "decay", "biases", "data"),
    "p6_1e-training": ("error", "velocity", "params", "history", "arguments", "accuracy"),
    "p6_1g-units": ("table", "errors", "smallest"),
}

# -- 6.1a, the data --------------------------------------------------------------------------------------

DATA = """
def conditional_mean(X):
    t1, t2 = X @ np.array([3.0, 3.0]), X @ np.array([3.0, -3.0])
    return 1 / (1 + np.exp(-t1)) + t2 ** 2

def sample(n, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 2))
    Z = rng.standard_normal(n)
    y = conditional_mean(X) + 0.30 * Z
    return X, y
"""

RIGHT_DATA = {
    "numpy": DATA,
    "torch": """
def conditional_mean(X):
    a1, a2 = torch.tensor([3., 3.]).double(), torch.tensor([3., -3.]).double()
    return torch.sigmoid(X @ a1) + (X @ a2) ** 2

def sample(n, seed):
    g = torch.Generator().manual_seed(seed)
    X = torch.randn(n, 2, generator=g, dtype=torch.float64)
    return X, conditional_mean(X) + 0.3 * torch.randn(n, generator=g, dtype=torch.float64)
""",
    "loops and lists": """
import math, random
def conditional_mean(X):
    return [1 / (1 + math.exp(-3 * (float(a) + float(b)))) + 9 * (float(a) - float(b)) ** 2 for a, b in X]

def sample(n, seed):
    r = random.Random(seed)
    X = [[r.gauss(0, 1), r.gauss(0, 1)] for _ in range(n)]
    return X, [m + r.gauss(0, 0.3) for m in conditional_mean(X)]
""",
    "columns": change(
        DATA,
        "return 1 / (1 + np.exp(-t1)) + t2 ** 2 → return (1 / (1 + np.exp(-t1)) + t2 ** 2)[:, None]",
        "= conditional_mean(X) + 0.30 → = conditional_mean(X)[:, 0] + 0.30",
    ),
    "legacy seed, noise by its scale": change(
        DATA,
        "rng = np.random.default_rng(seed) → rng = np.random.RandomState(seed)",
        "0.30 * Z → rng.normal(0, 0.3, n)",
    ),
    "two columns drawn apart": change(
        DATA, "rng.standard_normal((n, 2)) → np.column_stack([rng.normal(size=n), rng.normal(size=n)])"
    ),
    "float32": """
def conditional_mean(X):
    X = torch.as_tensor(X).float()
    return torch.sigmoid(3 * X.sum(1)) + (3 * X[:, 0] - 3 * X[:, 1]).square()

def sample(n, seed):
    torch.manual_seed(seed)
    X = torch.randn(n, 2)
    return X, conditional_mean(X) + 0.3 * torch.randn(n)
""",
}

WRONG_DATA = {
    "a generator each, from the same seed": Wrong(
        {"noise"},
        "the numbers that X has",
        change(DATA, "Z = rng.standard_normal → Z = np.random.default_rng(seed).standard_normal"),
    ),
    "noise variance 0.30": Wrong(
        {"noise"}, "the variance of the noise is 0.30", change(DATA, "0.30 * Z → 0.30 ** 0.5 * Z")
    ),
    "noise deviation 0.09": Wrong({"noise"}, "0.30 is not the variance", change(DATA, "0.30 * Z → 0.09 * Z")),
    "no noise": Wrong({"noise"}, "no noise", change(DATA, " + 0.30 * Z → ")),
    "uniform noise": Wrong(
        {"noise"}, "not normally", change(DATA, "0.30 * Z → 0.30 * 12 ** 0.5 * (rng.random(n) - 0.5)")
    ),
    "one noise for all": Wrong(
        {"noise"}, "no noise", change(DATA, "Z = rng.standard_normal(n) → Z = rng.standard_normal()")
    ),
    "noise from X": Wrong(
        {"noise"}, "depends on X", change(DATA, "Z = rng.standard_normal(n) → Z = X[:, 0]")
    ),
    "a2 = (3, 3)": Wrong({"mean"}, "second entry", change(DATA, "[3.0, -3.0] → [3.0, 3.0]")),
    "vectors exchanged": Wrong({"mean"}, "exchanged", change(DATA, "t1, t2 = X → t2, t1 = X")),
    "square lost": Wrong({"mean"}, "square is missing", change(DATA, "t2 ** 2 → t2")),
    "sigmoid lost": Wrong({"mean"}, "sigmoid is missing", change(DATA, "1 / (1 + np.exp(-t1)) → t1")),
    "first term lost": Wrong(
        {"mean"}, "first term", change(DATA, "1 / (1 + np.exp(-t1)) + t2 ** 2 → t2 ** 2")
    ),
    "sign in the sigmoid": Wrong({"mean"}, "E[Y | X]", change(DATA, "np.exp(-t1) → np.exp(t1)")),
    "uniform inputs": Wrong(
        {"X"}, "mean of X", change(DATA, "rng.standard_normal((n, 2)) → rng.random((n, 2))")
    ),
    "uniform inputs of the right spread": Wrong(
        {"X"},
        "not normally",
        change(DATA, "rng.standard_normal((n, 2)) → (rng.random((n, 2)) - 0.5) * 12 ** 0.5"),
    ),
    "inputs with deviation 3": Wrong(
        {"X"},
        "standard deviation of X",
        change(DATA, "= rng.standard_normal((n, 2)) → = 3 * rng.standard_normal((n, 2))"),
    ),
    "one input twice": Wrong(
        {"X"},
        "independent",
        change(DATA, "rng.standard_normal((n, 2)) → np.repeat(rng.standard_normal((n, 1)), 2, 1)"),
    ),
    "X transposed": Wrong({"X"}, "shape (2, 4000)", change(DATA, "return X, → return X.T,")),
    "a point too few": Wrong(
        {"X"}, "shape (3999, 2)", change(DATA, "    rng = np →     n = n - 1\n    rng = np")
    ),
    "every y with every noise": Wrong(
        {"noise"}, "y", change(DATA, "= conditional_mean(X) + → = conditional_mean(X)[:, None] +")
    ),
    "seed not used": Wrong({"X"}, "two seeds", change(DATA, "default_rng(seed) → default_rng(0)")),
    "no seed": Wrong({"X"}, "a second call", change(DATA, "default_rng(seed) → default_rng()")),
}

# -- 6.1b, scaling ---------------------------------------------------------------------------------------

SCALING = """
def standardise(values, train):
    mean = train.mean(0)
    sd = train.std(0)
    return (values - mean) / sd
"""

RIGHT_SCALING = {
    "plain": SCALING,
    "numpy": "def standardise(values, train):\n    values, train = np.asarray(values), np.asarray(train)\n"
    "    return (values - np.mean(train, axis=0)) / np.std(train, axis=0, ddof=1)\n",
    "by the variance's root": change(SCALING, "train.std(0) → ((train - mean) ** 2).mean(0) ** 0.5"),
    "keeps the axis": change(
        SCALING,
        "train.mean(0) → np.asarray(train).mean(0, keepdims=True)",
        "train.std(0) → np.asarray(train).std(0, keepdims=True)",
        "(values - mean) → (np.asarray(values) - mean)",
    ),
    "a bit in the denominator": change(SCALING, "/ sd → / (sd + 1e-12)"),
    "lists": "def standardise(values, train):\n    m, s = np.array(train).mean(0), np.array(train).std(0)\n"
    "    return [((np.array(v) - m) / s).tolist() for v in values]\n",
}

OWN_SD = change(SCALING, "train.std(0) → values.std(0)")
WRONG_SCALING = {
    "18: test statistics used in scaling": Wrong(
        {"test"},
        "statistics of the values themselves",
        change(SCALING, "train → values", "values, values → values, train"),
    ),
    "18: test mean used in scaling": Wrong(
        {"test"}, "mean of the test set", change(SCALING, "train.mean(0) → values.mean(0)")
    ),
    "18: test deviation used in scaling": Wrong({"test"}, "standard deviation of the test set", OWN_SD),
    "18: both sets pooled": Wrong(
        {"test"},
        "test set has entered",
        change(
            SCALING,
            "    mean = →     train = np.concatenate([train, values])\n    mean = ",
            "(values - → (np.asarray(values) - ",
        ),
    ),
    "variance": Wrong({"train"}, "divided by the variance", change(SCALING, "/ sd → / sd ** 2")),
    "mean only": Wrong({"train"}, "standard deviation is missing", change(SCALING, " / sd → ")),
    "least and greatest value": Wrong(
        {"train"},
        "off by",
        "def standardise(values, train):\n    return (values - train.min()) / (train.max() - train.min())\n",
    ),
    "deviation of the mean": Wrong({"train"}, "off by", change(SCALING, "/ sd → / (sd / len(train) ** 0.5)")),
    "variance, of the test set": Wrong(
        {"train", "test"}, "divided by the variance", change(OWN_SD, "/ sd → / sd ** 2")
    ),
    "deviation only": Wrong({"train"}, "mean is not subtracted", change(SCALING, "(values - mean) → values")),
    "one number for all columns": Wrong(
        {"train"}, "all columns", change(SCALING, "mean(0) → mean()", "std(0) → std()")
    ),
    "in place": Wrong(
        {"test"},
        "changes the arrays",
        "def standardise(values, train):\n    mean, sd = train.mean(0), train.std(0)\n"
        "    values -= mean\n    values /= sd\n    return values\n",
        unnoticed="checks hand over copies; only `data_set`, further down in the notebook, shows it",
    ),
    "as it is": Wrong(
        {"train", "test"}, "nothing has changed", "def standardise(values, train):\n    return values\n"
    ),
    "rows": Wrong(
        {"train", "test"}, "must match the size", change(SCALING, "mean(0) → mean(-1)", "std(0) → std(-1)")
    ),
}

# -- 6.1c, back-propagation ------------------------------------------------------------------------------

BACKPROP = """
def sigmoid(t):
    return 1 / (1 + np.exp(-t))

def forward(params, X):
    A = sigmoid(X @ params["W"].T + params["b"])
    f = A @ params["v"] + params["c"]
    return A, f

def backprop(params, X, y):
    A, f = forward(params, X)
    N = len(X)
    v = params["v"]
    delta = 2 * (f - y) / N
    up = delta[:, None] * v
    s = up * A * (1 - A)
    dv = A.T @ delta
    dc = delta.sum(0).reshape(1)
    dW = s.T @ X
    db = s.sum(0)
    return {"delta": delta, "s": s, "W": dW, "b": db, "v": dv, "c": dc}
"""
LATE = change(
    BACKPROP,
    "2 * (f - y) / N → f - y",
    "A.T @ delta → 2 / N * (A.T @ delta)",
    "= delta.sum(0).reshape(1) → = 2 / N * delta.sum(0).reshape(1)",
    "s.T @ X → 2 / N * (s.T @ X)",
    "db = s.sum(0) → db = 2 / N * s.sum(0)",
)
EINSUM = """
def sigmoid(t):
    return torch.sigmoid(t)

def forward(params, X):
    A = torch.sigmoid(torch.nn.functional.linear(X, params["W"], params["b"]))
    return A, torch.einsum("nh,h->n", A, params["v"]) + params["c"]

def backprop(params, X, y):
    A, f = forward(params, X)
    delta = (f - y).mul(2).div(X.shape[0])
    s = torch.einsum("n,h,nh->nh", delta, params["v"], A - A.square())
    return dict(delta=delta, s=s, W=torch.einsum("nh,nd->hd", s, X), b=s.sum(dim=0),
                v=torch.einsum("nh,n->h", A, delta), c=delta.sum(dim=0, keepdim=True))
"""

RIGHT_BACKPROP = {
    "2/N in delta": BACKPROP,
    "2/N at the end": LATE,
    "1/N at the end, 2 in delta": change(LATE, "= f - y → = 2 * (f - y)", "2 / N * → 1 / N *"),
    "einsum, in torch": EINSUM,
    "columns": """
def sigmoid(t):
    return torch.exp(-torch.logaddexp(torch.zeros_like(t), -t))

def forward(params, X):
    A = sigmoid(X @ params["W"].T + params["b"])
    return A, A @ params["v"].reshape(-1, 1) + params["c"]

def backprop(params, X, y):
    A, f = forward(params, X)
    delta = 2 * (f - y.reshape(-1, 1)) / len(X)
    s = delta @ params["v"].reshape(1, -1) * A * (1 - A)
    return {"delta": delta, "s": s, "W": s.T @ X, "b": s.sum(0, keepdim=True), "v": A.T @ delta, "c": delta.sum()}
""",
    "loops": """
import math
def sigmoid(t):
    one = lambda x: 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
    return np.vectorize(one)(np.asarray(t))

def forward(params, X):
    W, b, v = (np.asarray(params[k]) for k in "Wbv")
    X = np.asarray(X)
    A = np.array([[sigmoid(sum(W[h][d] * x[d] for d in range(len(x))) + b[h]) for h in range(len(b))] for x in X])
    return A, np.array([sum(v[h] * a[h] for h in range(len(v))) + float(params["c"][0]) for a in A])

def backprop(params, X, y):
    A, f = forward(params, X)
    N, D, H = len(X), len(X[0]), len(params["v"])
    g = {"W": np.zeros((H, D)), "b": np.zeros(H), "v": np.zeros(H), "c": np.zeros(1)}
    deltas, errors = np.zeros(N), np.zeros((N, H))
    for n in range(N):
        deltas[n] = 2 * (f[n] - float(y[n])) / N
        g["c"][0] += deltas[n]
        for h in range(H):
            g["v"][h] += deltas[n] * A[n, h]
            errors[n, h] = deltas[n] * float(params["v"][h]) * A[n, h] * (1 - A[n, h])
            g["b"][h] += errors[n, h]
            for d in range(D):
                g["W"][h, d] += errors[n, h] * float(X[n][d])
    return {"delta": deltas, "s": errors, **g}
""",
    "a sum over samples of outer products": change(
        BACKPROP, "s.T @ X → sum(np.outer(np.asarray(s[n]), np.asarray(X[n])) for n in range(N))"
    ),
    "numpy of everything": """
def sigmoid(t):
    t = np.asarray(t)
    return np.where(t >= 0, 1 / (1 + np.exp(-np.abs(t))), np.exp(-np.abs(t)) / (1 + np.exp(-np.abs(t))))

def forward(params, X):
    W, b, v, c = (np.asarray(params[k]) for k in "Wbvc")
    A = sigmoid(np.dot(X, W.T) + b)
    return A, np.dot(A, v) + c

def backprop(params, X, y):
    A, f = forward(params, X)
    X = np.asarray(X)
    delta = 2 * np.subtract(f, y) / len(X)
    s = np.outer(delta, params["v"]) * A * (1 - A)
    return {"delta": delta, "s": s, "W": np.dot(s.T, X), "b": np.sum(s, axis=0),
            "v": np.dot(A.T, delta), "c": np.sum(delta)}
""",
    "sigmoid clipped": change(BACKPROP, "np.exp(-t) → np.exp(-t.clip(-500, 500))"),
}

OWN_PASS = """    A = X @ params["W"].T + params["b"]
    f = A @ params["v"] + params["c"]
    N"""
WRONG_BACKPROP = {
    "1: missing 1/N": Wrong(
        {"factor"}, "1/N of the mean is missing", change(BACKPROP, "2 * (f - y) / N → 2 * (f - y)")
    ),
    "2: double 1/N": Wrong(
        {"factor"}, "1/N is there twice", change(BACKPROP, "2 * (f - y) / N → 2 * (f - y) / N / N")
    ),
    "2: double 1/N, at the end": Wrong(
        {"factor"},
        "1/N is there twice",
        change(
            BACKPROP,
            "A.T @ delta → A.T @ delta / N",
            "dc = delta.sum → dc = 1 / N * delta.sum",
            "s.T @ X → s.T @ X / N",
            "db = s.sum(0) → db = s.sum(0) / N",
        ),
    ),
    "2: double 1/N in one gradient": Wrong(
        {"W"}, "not their average", change(BACKPROP, "s.T @ X → s.T @ X / N")
    ),
    "3: transposed dW": Wrong({"W"}, "transposed", change(BACKPROP, "dW = s.T @ X → dW = X.T @ s")),
    "4: db over the wrong axis": Wrong(
        {"biases"}, "one number for each hidden unit", change(BACKPROP, "db = s.sum(0) → db = s.sum(1)")
    ),
    "4: db averaged": Wrong(
        {"biases"}, "not their average", change(BACKPROP, "db = s.sum(0) → db = s.mean(0)")
    ),
    "4: dc averaged": Wrong(
        {"biases"}, "not their average", change(BACKPROP, "dc = delta.sum(0) → dc = delta.mean(0)")
    ),
    "4: both biases averaged": Wrong(
        {"biases"},
        "not their average",
        change(BACKPROP, "dc = delta.sum(0) → dc = delta.mean(0)", "db = s.sum(0) → db = s.mean(0)"),
    ),
    "4: db summed up to one number": Wrong(
        {"biases"}, "shape", change(BACKPROP, "db = s.sum(0) → db = s.sum()")
    ),
    "5: hidden derivative missing": Wrong(
        {"s"}, "is missing", change(BACKPROP, "s = up * A * (1 - A) → s = up")
    ),
    "6: derivative at what comes from above": Wrong(
        {"s"},
        "from above",
        change(BACKPROP, "s = up * A * (1 - A) → s = up * sigmoid(up) * (1 - sigmoid(up))"),
    ),
    "6: a mask by the upstream sign": Wrong(
        {"s"}, '"s"', change(BACKPROP, "s = up * A * (1 - A) → s = up * (up > 0)")
    ),
    "6: a mask by z": Wrong(
        {"s"}, "mask for ReLU", change(BACKPROP, "s = up * A * (1 - A) → s = up * (A > 0.5)")
    ),
    "7: σ′ at the activation": Wrong(
        {"s"},
        "at the activation",
        change(BACKPROP, "s = up * A * (1 - A) → s = up * sigmoid(A) * (1 - sigmoid(A))"),
    ),
    "8: extra a(1 − a)": Wrong(
        {"s"}, "twice", change(BACKPROP, "s = up * A * (1 - A) → s = up * (A * (1 - A)) ** 2")
    ),
    "8: extra f(1 − f)": Wrong(
        {"delta"}, "f(1 − f)", change(BACKPROP, "2 * (f - y) / N → 2 * (f - y) / N * f * (1 - f)")
    ),
    "8: extra σ′(f)": Wrong(
        {"delta"},
        "σ′(f)",
        change(BACKPROP, "2 * (f - y) / N → 2 * (f - y) / N * sigmoid(f) * (1 - sigmoid(f))"),
    ),
    "9: lost factor 2": Wrong({"factor"}, "factor 2", change(BACKPROP, "2 * (f - y) / N → (f - y) / N")),
    "9: lost factor 2 and 1/N": Wrong(
        {"factor"}, "both factors", change(BACKPROP, "2 * (f - y) / N → f - y")
    ),
    "10: samples overwritten, not summed": Wrong(
        {"W"}, '"W"', change(BACKPROP, "dW = s.T @ X → dW = s[-1][:, None] * X[-1]")
    ),
    "10: samples overwritten everywhere": Wrong(
        {"v", "W", "biases", "factor"},
        "fewer than two",
        change(
            BACKPROP,
            "s.T @ X → s[-1][:, None] * X[-1]",
            "db = s.sum(0) → db = s[-1]",
            "A.T @ delta → A[-1] * delta[-1]",
            "delta.sum(0).reshape(1) → delta[-1].reshape(1)",
        ),
    ),
    "12: overflow in the sigmoid": Wrong(
        {"sigma"}, "exp(900)", change(BACKPROP, "1 / (1 + np.exp(-t)) → np.exp(t) / (1 + np.exp(t))")
    ),
    "sign turned": Wrong({"factor"}, "y − f", change(BACKPROP, "f - y → y - f")),
    "tanh's derivative": Wrong({"s"}, "tanh", change(BACKPROP, "A * (1 - A) → (1 - A ** 2)")),
    "v missing": Wrong(
        {"s"}, "v, the way back", change(BACKPROP, "delta[:, None] * v → delta[:, None] * (0 * v + 1)")
    ),
    "delta missing": Wrong(
        {"s"}, "δ is missing", change(BACKPROP, "delta[:, None] * v → (0 * delta[:, None] + 1) * v")
    ),
    "σ itself": Wrong({"s"}, "σ(z) itself", change(BACKPROP, "up * A * (1 - A) → up * A")),
    "dv without delta": Wrong({"v"}, "without δ", change(BACKPROP, "A.T @ delta → A.sum(0)")),
    "dv from z": Wrong(
        {"v"},
        "before the sigmoid",
        change(BACKPROP, 'A.T @ delta → (X @ params["W"].T + params["b"]).T @ delta'),
    ),
    "dW without σ′": Wrong({"W"}, "without σ′", change(BACKPROP, "s.T @ X → up.T @ X")),
    "db without σ′": Wrong({"biases"}, "without σ′", change(BACKPROP, "db = s.sum(0) → db = up.sum(0)")),
    "y not subtracted": Wrong({"delta"}, "y is not subtracted", change(BACKPROP, "(f - y) → f")),
    "absolute error": Wrong(
        {"delta"}, "absolute error", change(BACKPROP, "2 * (f - y) / N → 2 * np.sign(f - y) / N")
    ),
    "bias b left out": Wrong({"forward"}, "bias b is missing", change(BACKPROP, ' + params["b"] → ')),
    "bias c left out": Wrong({"forward"}, "bias c is missing", change(BACKPROP, ' + params["c"] → ')),
    "output through σ": Wrong(
        {"forward"},
        "linear",
        change(BACKPROP, 'f = A @ params["v"] + params["c"] → f = sigmoid(A @ params["v"] + params["c"])'),
    ),
    "a pass of its own without the sigmoid": Wrong(
        {"delta"},
        "the sigmoid is missing in the forward pass",
        change(BACKPROP, "    A, f = forward(params, X)\n    N → " + OWN_PASS),
    ),
    "a pass of its own without b": Wrong(
        {"delta"},
        "the biases b are missing in the forward pass",
        change(
            BACKPROP,
            "    A, f = forward(params, X)\n    N → " + OWN_PASS,
            'A = X @ params["W"].T + params["b"]\n    f → A = sigmoid(X @ params["W"].T)\n    f',
        ),
    ),
    "W not transposed": Wrong(
        {"forward"}, "cannot be multiplied", change(BACKPROP, 'params["W"].T → params["W"]')
    ),
    "the mean over inputs": Wrong(
        {"factor"}, "the number of inputs", change(BACKPROP, "N = len(X) → N = X.shape[1]")
    ),
    "no s": Wrong({"s"}, 'no entry "s"', change(BACKPROP, '"s": s,  → ')),
    "no c": Wrong({"biases"}, 'no entry "c"', change(BACKPROP, ', "c": dc → ')),
    "NaN": Wrong({"v"}, "NaN", change(BACKPROP, "dv = A.T @ delta → dv = A.T @ delta * np.nan")),
}

# -- 6.1d, weight decay ----------------------------------------------------------------------------------

DECAY = """
def gradients(params, X, y, lam):
    data = backprop(params, X, y)
    N = len(X)
    g = {k: data[k] for k in ("W", "b", "v", "c")}
    for k in ("W", "v"):
        g[k] = g[k] + 2 * lam * params[k]
    return g
"""

RIGHT_DECAY = {
    "loop": DECAY,
    "in place": change(DECAY, "g[k] = g[k] + → g[k] += "),
    "one by one": """
def gradients(params, X, y, lam):
    g = backprop(params, X, y)
    return {"W": g["W"] + 2 * lam * params["W"], "v": g["v"] + lam * (params["v"] + params["v"]),
            "b": g["b"], "c": g["c"]}
""",
    "by the dimension": "def gradients(params, X, y, lam):\n    g = backprop(params, X, y)\n"
    "    return {k: g[k] + 2 * lam * (k in ('v', 'W')) * params[k] for k in params}\n",
    "all of backprop's entries": "def gradients(params, X, y, lam):\n    g = dict(backprop(params, X, y))\n"
    "    g['W'] = g['W'] + 2 * lam * params['W']\n    g['v'] = g['v'] + 2 * lam * params['v']\n    return g\n",
    "a backward pass of its own": """
def gradients(params, X, y, lam):
    A, f = forward(params, X)
    r = (f - y) * 2 / len(y)
    s = r[:, None] * A * (1 - A) * params["v"][None]
    return {"W": s.T @ X + 2 * lam * params["W"], "b": s.sum(0),
            "v": A.T @ r + 2 * lam * params["v"], "c": r.sum(0).reshape(1)}
""",
}

WRONG_DECAY = {
    "13: λ for 2λ": Wrong({"decay"}, "λ for 2λ", change(DECAY, "2 * lam → lam")),
    "14: biases decayed": Wrong({"biases"}, "is decayed", change(DECAY, 'for k in ("W", "v") → for k in g')),
    "14: one bias decayed": Wrong(
        {"biases"}, '"c" is decayed', change(DECAY, '("W", "v") → ("W", "v", "c")')
    ),
    "15: wrong sign": Wrong({"decay"}, "sign of the decay", change(DECAY, "+ 2 * lam → - 2 * lam")),
    "16: L1": Wrong({"decay"}, "L1", change(DECAY, "2 * lam * params[k] → lam * np.sign(params[k])")),
    "16: 2 L1": Wrong({"decay"}, "L1", change(DECAY, "2 * lam * params[k] → 2 * lam * np.sign(params[k])")),
    "17: λ/N": Wrong({"decay"}, "λ/N", change(DECAY, "2 * lam → lam / N")),
    "17: 2λ/N": Wrong({"decay"}, "2λ/N", change(DECAY, "2 * lam → 2 * lam / N")),
    "10: the decay overwrites the data's gradient": Wrong(
        {"data"}, "in place of the data", change(DECAY, "g[k] + 2 * → 2 * ")
    ),
    "10: overwritten where λ > 0": Wrong(
        {"data"},
        "in place of the data",
        change(
            DECAY,
            "        g[k] = g[k] + 2 * lam * params[k] →         if lam > 0: g[k] = 2 * lam * params[k]",
        ),
    ),
    "v not decayed": Wrong({"decay"}, "not decayed", change(DECAY, '("W", "v") → ("W",)')),
    "the gradient for the weight": Wrong(
        {"decay"}, "what λ adds", change(DECAY, "2 * lam * params[k] → 2 * lam * g[k]")
    ),
    "the data's gradient made smaller": Wrong(
        {"decay"}, "what λ adds", change(DECAY, "g[k] + 2 * lam * params[k] → g[k] * (1 - 2 * lam)")
    ),
    "λ²": Wrong({"decay"}, "λ²", change(DECAY, "2 * lam → 2 * lam ** 2")),
    "penalty itself": Wrong(
        {"decay"}, "penalty itself", change(DECAY, "2 * lam * params[k] → lam * params[k] ** 2")
    ),
    "no decay": Wrong(
        {"decay"}, "do not change with λ", change(DECAY, "+ 2 * lam * params[k] → + 0 * params[k]")
    ),
    "λ ignored": Wrong({"decay"}, "do not change with λ", change(DECAY, "2 * lam * → 2 * ")),
}

# -- 6.1e, training --------------------------------------------------------------------------------------

MOVES = """    m = {k: momentum * velocity[k] - lr * g[k] for k in params}
    new = {k: params[k] + m[k] for k in params}
    return new, m
"""
TRAINING = """
def normalised_error(y, f):
    return ((f - y) ** 2).mean() / y.var()

def step(params, velocity, X, y, lam, lr, momentum):
    g = gradients(params, X, y, lam)
    m = {k: momentum * velocity[k] - lr * g[k] for k in params}
    new = {k: params[k] + m[k] for k in params}
    return new, m

def fit(X, y, X_test, y_test, hidden, lam, epochs, seed):
    params = initial(hidden, seed)
    velocity = {k: np.zeros_like(params[k]) for k in params}
    history = {"train": [], "test": []}
    for epoch in range(epochs):
        params, velocity = step(params, velocity, X, y, lam, LEARNING_RATE, MOMENTUM)
        if (epoch + 1) % EVERY == 0:
            f, f_test = forward(params, X)[1], forward(params, X_test)[1]
            history["train"].append(normalised_error(y, f))
            history["test"].append(normalised_error(y_test, f_test))
    return params, history
"""

RIGHT_TRAINING = {
    "plain": TRAINING,
    "in place": change(
        TRAINING,
        f"{MOVES} → "
        + """    for k in params:
        velocity[k] *= momentum
        velocity[k] -= lr * g[k]
        params[k] += velocity[k]
    return params, velocity
""",
    ),
    "torch throughout": change(
        TRAINING,
        "params = initial(hidden, seed) → params = {k: torch.tensor(v) for k, v in initial(hidden, seed).items()}",
        "np.zeros_like → torch.zeros_like",
    ),
    "variance with N − 1, floats": change(
        TRAINING,
        "((f - y) ** 2).mean() / y.var() → float(np.square(np.subtract(f, y)).mean() / np.var(np.asarray(y), ddof=1))",
    ),
    "a trainer": """
def normalised_error(y, f):
    return np.mean((np.asarray(f) - np.asarray(y)) ** 2) / np.var(np.asarray(y))

def step(params, velocity, X, y, lam, lr, momentum):
    g = gradients(params, X, y, lam)
    for k in params:
        velocity[k] = momentum * velocity[k] - lr * g[k]
    return {k: params[k] + velocity[k] for k in params}, velocity

class Trainer:
    def __init__(self, X, y, X_test, y_test, lam):
        self.sets, self.lam = {"train": (X, y), "test": (X_test, y_test)}, lam
        self.log = {name: [] for name in self.sets}

    def run(self, hidden, epochs, seed):
        self.params, done = initial(hidden, seed), 0
        velocity = dict.fromkeys(self.params, 0.0)
        while done < epochs:
            done += 1
            self.params, velocity = step(
                self.params, velocity, *self.sets["train"], self.lam, LEARNING_RATE, MOMENTUM
            )
            if not done % EVERY:
                for name, (X, y) in self.sets.items():
                    self.log[name].append(float(normalised_error(y, forward(self.params, X)[1])))
        return self.params, self.log

def fit(X, y, X_test, y_test, hidden, lam, epochs, seed):
    return Trainer(X, y, X_test, y_test, lam).run(hidden, epochs, seed)
""",
    "history as arrays": change(
        TRAINING, "return params, history → return params, {k: np.array(v) for k, v in history.items()}"
    ),
    "history to two decimals": change(
        TRAINING, "return params, history → return params, {k: np.round(v, 2) for k, v in history.items()}"
    ),
    "history to three decimals, in float32": change(
        TRAINING,
        "return params, history → "
        "return params, {k: np.round(np.array(v, np.float32), 3) for k, v in history.items()}",
    ),
    "own optimizer: Adam": change(
        TRAINING,
        """        params, velocity = step(params, velocity, X, y, lam, LEARNING_RATE, MOMENTUM)
 →         g = gradients(params, X, y, lam)
        for k in params:
            first[k] = 0.9 * first[k] + 0.1 * g[k]
            second[k] = 0.99 * second[k] + 0.01 * g[k] ** 2
            scaled = first[k] / (1 - 0.9 ** (epoch + 1)) / (np.sqrt(second[k] / (1 - 0.99 ** (epoch + 1))) + 1e-9)
            params[k] = params[k] - 0.03 * scaled
""",
        "    history = { →     first, second = dict(velocity), dict(velocity)\n    history = {",
    ),
    "histories made by their first entries": change(
        TRAINING,
        'history = {"train": [], "test": []} → history = {}',
        'history["train"].append → history.setdefault("train", []).append',
        'history["test"].append → history.setdefault("test", []).append',
    ),
    "start recorded, too": change(
        TRAINING,
        "    for epoch in →     history = {p: [normalised_error(t, forward(params, Z)[1])] for p, t, Z in "
        "[('train', y, X), ('test', y_test, X_test)]}\n    for epoch in",
    ),
}

MOVED = """    g = gradients(params, X, y, lam)
    m = {k: momentum * velocity[k] - lr * g[k] for k in params}
    new = {k: params[k] + m[k] for k in params}
"""
EARLY = """    new, m = dict(params), {}
    for names in (("v", "c"), ("W", "b")):
        g = gradients(new, X, y, lam)
        for k in names:
            m[k] = momentum * velocity[k] - lr * g[k]
            new[k] = params[k] + m[k]
"""
STEP = "params, velocity = step(params, velocity, X"
WRONG_TRAINING = {
    "half the rate": Wrong(
        {"arguments"}, "are not 3 steps", change(TRAINING, "lam, LEARNING_RATE, → lam, LEARNING_RATE / 2,")
    ),
    "a momentum of its own": Wrong(
        {"arguments"}, "are not 3 steps", change(TRAINING, "RATE, MOMENTUM → RATE, 0.8")
    ),
    "another seed": Wrong(
        {"arguments"}, "are not 3 steps", change(TRAINING, "hidden, seed)\n    v → hidden, seed + 1)\n    v")
    ),
    "half the points, in turn": Wrong(
        {"arguments"},
        "are not 3 steps",
        change(
            TRAINING,
            "= step(params, velocity, X, y, → = step(params, velocity, X[epoch % 2 :: 2], y[epoch % 2 :: 2],",
        ),
    ),
    "λ in the first epochs only": Wrong(
        {"arguments"},
        "the first 3 epochs are right",
        change(TRAINING, "y, lam, LEARN → y, lam if epoch < 10 else 0.0, LEARN"),
    ),
    "velocity cleared at every record": Wrong(
        {"arguments"},
        "the first 3 epochs are right",
        change(
            TRAINING,
            "% EVERY == 0:\n → % EVERY == 0:\n            velocity = {k: np.zeros_like(params[k]) for k in params}\n",
        ),
    ),
    "the best on test points": Wrong(
        {"arguments"},
        "depends on the test set",
        change(
            TRAINING,
            "y_test, f_test))\n → y_test, f_test))\n"
            "            if history['test'][-1] == min(history['test']):\n                best = params\n",
            "return params, history → return best if history['test'] else params, history",
        ),
    ),
    "11: v updated before the delta propagates": Wrong(
        {"velocity"}, "with a v that has moved already", change(TRAINING, f"{MOVED} → {EARLY}")
    ),
    "11: W updated before the other gradients": Wrong(
        {"velocity"},
        "with a W that has moved already",
        change(TRAINING, f"{MOVED} → {EARLY}", '(("v", "c"), ("W", "b")) → (("W", "b"), ("v", "c"))'),
    ),
    "ascent": Wrong({"velocity"}, "climbs", change(TRAINING, "- lr * g → + lr * g")),
    "learning rate lost": Wrong(
        {"velocity"}, "learning rate is missing", change(TRAINING, "- lr * g[k] → - g[k]")
    ),
    "momentum lost": Wrong(
        {"velocity"}, "momentum is missing", change(TRAINING, "momentum * velocity[k] - lr → - lr")
    ),
    "not damped": Wrong(
        {"velocity"}, "not damped", change(TRAINING, "momentum * velocity[k] - lr → velocity[k] - lr")
    ),
    "average": Wrong(
        {"velocity"}, "(1 − momentum)", change(TRAINING, "- lr * g → - (1 - momentum) * lr * g")
    ),
    "old velocity used": Wrong(
        {"params"}, "old velocity", change(TRAINING, "params[k] + m[k] → params[k] + velocity[k]")
    ),
    "velocity subtracted": Wrong(
        {"params"}, "points downhill", change(TRAINING, "params[k] + m[k] → params[k] - m[k]")
    ),
    "learning rate twice": Wrong(
        {"params"}, "in the velocity already", change(TRAINING, "params[k] + m[k] → params[k] + lr * m[k]")
    ),
    "mean squared error": Wrong(
        {"error"},
        "divide by the variance",
        change(TRAINING, "f - y) ** 2).mean() / y.var() → f - y) ** 2).mean()"),
    ),
    "root": Wrong(
        {"error"},
        "square root",
        change(TRAINING, "((f - y) ** 2).mean() / y.var() → (((f - y) ** 2).mean() / y.var(0)) ** 0.5"),
    ),
    "R²": Wrong(
        {"error"},
        "R²",
        change(
            TRAINING,
            "return ((f - y) ** 2).mean() / y.var() → return 1 - ((f - y) ** 2).mean() / np.var(np.asarray(y))",
        ),
    ),
    "variance of f": Wrong(
        {"error"}, "variance of f", change(TRAINING, "/ y.var() → / np.var(np.asarray(f))")
    ),
    "history of the training set twice": Wrong(
        {"history"}, "on the training set", change(TRAINING, "(y_test, f_test) → (y, f)")
    ),
    "history to whole numbers": Wrong(
        {"history"},
        "ends at",
        change(
            TRAINING, "return params, history → return params, {k: np.round(v) for k, v in history.items()}"
        ),
    ),
    "history of squared errors to two decimals": Wrong(
        {"history"},
        "ends at",
        change(
            TRAINING,
            "normalised_error(y_test, f_test)) → ((f_test - y_test) ** 2).mean())",
            "return params, history → return params, {k: np.round(v, 2) for k, v in history.items()}",
        ),
    ),
    "history of the epoch before, to three decimals": Wrong(
        {"history"},
        "ends at",
        change(
            TRAINING,
            "        params, velocity = step( →         before = params\n        params, velocity = step(",
            "forward(params → forward(before",
            "return params, history → return params, {k: np.round(v, 3) for k, v in history.items()}",
        ),
        unnoticed="after 300 epochs one more changes little",
    ),
    "history exchanged": Wrong(
        {"history"},
        "exchanged",
        change(
            TRAINING, 'return params, history → return params, dict(zip(("test", "train"), history.values()))'
        ),
    ),
    "history of mean squared errors": Wrong(
        {"history"}, "ends at", change(TRAINING, "normalised_error(y, f)) → 3 * ((f - y) ** 2).mean())")
    ),
    "one entry": Wrong(
        {"history"}, "every tenth", change(TRAINING, "if (epoch + 1) % EVERY == 0 → if epoch + 1 == epochs")
    ),
    "a learning rate of its own, too small": Wrong(
        {"arguments"},
        "`LEARNING_RATE` and `MOMENTUM`",
        change(TRAINING, "lam, LEARNING_RATE → lam, LEARNING_RATE / 100"),
    ),
    "trains on test points, too": Wrong(
        {"arguments"},
        "with another test set the weights are others",
        change(
            TRAINING,
            f"{STEP}, y → params, velocity = step(params, velocity, np.concatenate([X, X_test[:50]]), "
            "np.concatenate([y, y_test[:50]])",
        ),
    ),
    "λ left out": Wrong(
        {"arguments"}, "with another λ", change(TRAINING, "y, lam, LEARNING → y, 0.0, LEARNING")
    ),
    "λ of the module": Wrong(
        {"arguments"}, "with another λ", change(TRAINING, "y, lam, LEARNING → y, 1e-4, LEARNING")
    ),
    "seed left out": Wrong(
        {"arguments"}, "two seeds", change(TRAINING, "initial(hidden, seed) → initial(hidden, 0)")
    ),
    "a start by chance": Wrong(
        {"arguments"},
        "the same call twice",
        change(TRAINING, "initial(hidden, seed) → initial(hidden, np.random.randint(10**6))"),
    ),
    "velocity always 0": Wrong(
        {"arguments"},
        "0 again in every step",
        change(
            TRAINING,
            "params, velocity = step(params, velocity, X → params, _ = step(params, velocity, X",
        ),
    ),
    "epochs left out": Wrong(
        {"history"}, "is the argument `epochs` used", change(TRAINING, "range(epochs) → range(EPOCHS)")
    ),
    "the step's parameters thrown away": Wrong(
        {"accuracy"},
        "median of the test errors",
        change(TRAINING, f"{STEP} → _, velocity = step(params, velocity, X"),
    ),
    "each step from the start": Wrong(
        {"accuracy"},
        "median of the test errors",
        change(
            TRAINING,
            "    for epoch in →     start, still = dict(params), dict(velocity)\n    for epoch in",
            f"{STEP} → params, velocity = step(start, still, X",
        ),
    ),
    "one epoch only": Wrong(
        {"history", "accuracy"}, "every tenth", change(TRAINING, "range(epochs) → range(1)")
    ),
    "the first epoch left out": Wrong(
        {"arguments"}, "3 epochs are 2 steps", change(TRAINING, "in range(epochs) → in range(1, epochs)")
    ),
    "targets and outputs exchanged in the error": Wrong(
        {"history"}, "ends at", change(TRAINING, "(y, f)) → (f, y))", "(y_test, f_test) → (f_test, y_test)")
    ),
    "recorded at every epoch but the tenth": Wrong(
        {"history"}, "ends at", change(TRAINING, "% EVERY == 0 → % EVERY != 0")
    ),
    "no return": Wrong(
        {"history"}, "return the parameters", change(TRAINING, "    return params, history → ")
    ),
    "the velocity returned": Wrong(
        {"history"},
        'no entry "train"',
        change(TRAINING, "return params, history → return velocity, params"),
    ),
    "no history returned": Wrong(
        {"history"}, "and a history", change(TRAINING, "return params, history → return params")
    ),
    "parameters and history exchanged": Wrong(
        {"history"},
        'no entry "train"',
        change(TRAINING, "return params, history → return history, params"),
    ),
    "ten hidden units whatever is asked for": Wrong(
        {"arguments"},
        "the network has 10 hidden units",
        change(TRAINING, "initial(hidden, seed) → initial(10, seed)"),
    ),
    "learning rate and λ exchanged": Wrong(
        {"arguments"},
        "a step does not get `lam`",
        change(TRAINING, "lam, LEARNING_RATE, MOMENTUM → LEARNING_RATE, lam, MOMENTUM"),
    ),
    "learning rate and momentum exchanged": Wrong(
        {"arguments"},
        "a step should get `LEARNING_RATE`",
        change(TRAINING, "LEARNING_RATE, MOMENTUM → MOMENTUM, LEARNING_RATE"),
    ),
    "stopped early by the test error": Wrong(
        {"history"},
        "as long after 60 epochs as after 120",
        change(
            TRAINING,
            "y_test, f_test))\n → y_test, f_test))\n"
            "            if len(history['test']) > 2 and history['test'][-1] > history['test'][-2]:\n"
            "                break\n",
        ),
        unnoticed="on the valley of the visible checks the test error falls all the time",
    ),
    "the best on training points": Wrong(
        {"history"},
        "the network returned has an error of",
        change(
            TRAINING,
            "    history = { →     best = params\n    history = {",
            "y_test, f_test))\n → y_test, f_test))\n"
            "            if history['train'][-1] == min(history['train']) and len(history['train']) % 2:\n"
            "                best = params\n",
            "return params, history → return (best if history['test'] else params), history",
        ),
    ),
    "the step without λ": Wrong(
        {"velocity"},
        "without weight decay",
        change(TRAINING, "gradients(params, X, y, lam) → gradients(params, X, y, 0)"),
    ),
    "the test set scaled once more": Wrong(
        {"history"},
        'the history "test"',
        change(
            TRAINING, "    params = initial →     X_test = standardise(X_test, X_test)\n    params = initial"
        ),
    ),
}

# -- 6.1g, hidden units ----------------------------------------------------------------------------------

TABLE = """
unit_errors = {h: [(0.6 if h == 1 else 0.06 / h ** 0.5) * (1 + k / 20) for k in range(8)] for h in range(1, 11)}
"""
UNITS = "smallest_number = 2\n"

RIGHT_UNITS: dict[str, Sources] = {
    "2": TABLE + UNITS,
    "as a text": TABLE + 'smallest_number = "2"\n',
    "as a float": TABLE + "smallest_number = 2.0\n",
    "arrays": TABLE
    + "unit_errors = {h: np.array(e) for h, e in unit_errors.items()}\nsmallest_number = np.int64(2)\n",
    "computed": TABLE + "smallest_number = min(h for h in unit_errors if np.median(unit_errors[h]) <= 0.1)\n",
    "five draws": TABLE + UNITS + "unit_errors = {h: e[:5] for h, e in unit_errors.items()}\n",
    "the mean of two in the middle": TABLE
    + "unit_errors[2] = [0.1, 0.1, 0.1, 0.14, 0.18, 0.2, 0.2, 0.2]\nsmallest_number = 3\n",
    "the lower one of two in the middle, as torch.median": TABLE
    + "unit_errors[2] = [0.1, 0.1, 0.1, 0.14, 0.18, 0.2, 0.2, 0.2]\nsmallest_number = 2\n",
    "another table, its own number": TABLE
    + "unit_errors[2] = [0.2, 0.25, 0.3, 0.2, 0.21]\nsmallest_number = 3\n",
}

WRONG_UNITS = {
    "ten": Wrong({"smallest"}, "not the first", TABLE + "smallest_number = 10\n"),
    "one": Wrong({"smallest"}, "has a median of 0.7", TABLE + "smallest_number = 1\n"),
    "zero": Wrong({"smallest"}, "from 1 to 10", TABLE + "smallest_number = 0\n"),
    "one draw": Wrong(
        {"table"},
        "fewer than 5",
        TABLE + UNITS + "unit_errors = {h: e[:1] for h, e in unit_errors.items()}\n",
    ),
    "an error below zero": Wrong(
        {"table"},
        "a test error is negative",
        TABLE + UNITS + "unit_errors[3] = [-0.01, *unit_errors[3][1:]]\n",
    ),
    "the same draw again": Wrong(
        {"table"},
        "data set and a start of its own",
        TABLE + UNITS + "unit_errors = {h: 8 * e[:1] for h, e in unit_errors.items()}\n",
    ),
    "always ten units": Wrong(
        {"table", "smallest"},
        "do not depend on the number",
        TABLE + UNITS + "unit_errors = {h: unit_errors[10] for h in range(1, 11)}\n",
    ),
    "training errors": Wrong(
        {"table"},
        "on the test set",
        TABLE
        + UNITS
        + "unit_errors = {h: [x / 100 for x in e] for h, e in unit_errors.items()}\nsmallest_number = 1\n",
    ),
    "five sizes only": Wrong(
        {"table", "smallest"},
        "no entry for 6",
        TABLE + UNITS + "unit_errors = {h: unit_errors[h] for h in range(1, 6)}\n",
    ),
    "no table": Wrong({"table", "smallest"}, "empty", "unit_errors = {}\n" + UNITS),
}

ERRORS = """
def test_errors(hidden, lam, draws):
    errors = []
    for draw in range(draws):
        X, y, X_test, y_test = data_set(draw)
        params, history = fit(X, y, X_test, y_test, hidden, lam, EPOCHS, draw)
        errors.append(history["test"][-1])
    return errors
"""


def errors(source: str) -> dict[str, str]:
    return {"p6_1g-functions": source, "p6_1g-number": TABLE + UNITS}


RIGHT_UNITS |= {
    "errors in a loop": errors(ERRORS),
    "errors of the parameters": errors(
        change(ERRORS, 'history["test"][-1] → normalised_error(y_test, forward(params, X_test)[1])')
    ),
    "errors as an array": errors(change(ERRORS, "return errors → return np.array(errors)")),
}
RUN = "unit_errors = {h: list(map(float, test_errors(h, 1e-4, 5))) for h in range(1, 11)}\n"


def run(errors: str, number: int) -> dict[str, str]:
    """`test_errors` with the table that it makes, and the number that follows from it."""
    return {"p6_1g-functions": errors, "p6_1g-table": RUN, "p6_1g-number": f"smallest_number = {number}\n"}


WRONG_UNITS |= {
    "hidden left out, in the table too": Wrong(
        {"errors"}, "ten hidden units", run(change(ERRORS, "hidden, lam, E → 10, lam, E"), 1)
    ),
    "one training for all draws, in the table too": Wrong(
        {"errors"},
        "ends at",
        run(change(ERRORS, "data_set(draw) → data_set(0)", "EPOCHS, draw → EPOCHS, 0"), 2),
    ),
    "the smallest error of each training": Wrong(
        {"errors"},
        "the smallest error of the training",
        errors(change(ERRORS, 'history["test"][-1] → min(history["test"])')),
    ),
    "the same data each time": Wrong(
        {"errors"}, "data_set(0)", errors(change(ERRORS, "data_set(draw) → data_set(0)"))
    ),
    "the same start each time": Wrong(
        {"errors"}, "a start of its own", errors(change(ERRORS, "EPOCHS, draw → EPOCHS, 0"))
    ),
    "errors on the training set": Wrong(
        {"errors"}, "training set", errors(change(ERRORS, 'history["test"] → history["train"]'))
    ),
    "hidden left out": Wrong(
        {"errors"}, "ten hidden units", errors(change(ERRORS, "hidden, lam, E → 10, lam, E"))
    ),
    "lam left out": Wrong(
        {"errors"}, "λ = 0.0001", errors(change(ERRORS, "hidden, lam, E → hidden, 1e-4, E"))
    ),
}

PROBLEM = Problem(
    notebook="p6_1_mlp_weight_decay",
    given=(
        "p6_1_0-imports",
        "p6_1e-settings",
        "p6_1f-data_set",
        "p6_1g-functions",
    ),
    checks=CHECKS,
    equivalent={
        "p6_1a-functions": {
            "t2 = 3 * X[:, 0] - 3 * X[:, 1] → t2 = (3 * X[:, 1] - 3 * X[:, 0])": "t2 is squared",
            "…conditional_mean(X) + 0.30… → …conditional_mean(X) - 0.3…": "the noise is symmetric",
        },
        "p6_1c-functions": {
            '"c": delta.sum(0).reshape(1), → "c": delta.sum(…).reshape(1),': "delta has one axis",
            "…len(X) → …len(y)": "every input has a target",
        },
        "p6_1d-functions": {
            "…= grads[name] + … → …= data[name] + …": "until then `grads` holds what `data` holds",
        },
        "p6_1e-functions": {
            "…(f - y)… → …(y - f)…": "it is squared",
            "…for name in params}… → …for name in velocity}…": "both have the same names",
            "velocity = {name: 0 * value… → velocity = {name: 0 for…": "a number that is added to an array",
            "if epoch % EVERY == 0: → if True:": "more entries than asked are right, too",
            'history["train"]… ⏎ history["test"]… → history[\'test\']… ⏎ …': "two lists of their own",
        },
    },
    mixes=False,  # lists in one cell and tensors in the next don't
    exercises=(
        Exercise(("p6_1a-data",), "p6_1a-functions", RIGHT_DATA, WRONG_DATA),
        Exercise(("p6_1b-scaling",), "p6_1b-functions", RIGHT_SCALING, WRONG_SCALING),
        Exercise(("p6_1c-backprop",), "p6_1c-functions", RIGHT_BACKPROP, WRONG_BACKPROP),
        Exercise(("p6_1d-decay",), "p6_1d-functions", RIGHT_DECAY, WRONG_DECAY),
        Exercise(("p6_1e-training",), "p6_1e-functions", RIGHT_TRAINING, WRONG_TRAINING),
        Exercise(("p6_1g-units",), "p6_1g-number", RIGHT_UNITS, WRONG_UNITS),
    ),
)
