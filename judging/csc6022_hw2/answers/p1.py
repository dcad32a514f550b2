"""Answers to problem 1 of Homework 2, mostly written as a change to a plain right one."""

from __future__ import annotations

from chainrule.authoring.answers import Exercise, Problem, Right, Sources, Wrong, change

# Short names for the checks of each graded cell, in their order there. Those in brackets only inform.
CHECKS = {
    "p1_2-forward": ("z", "h", "a", "p", "loss", "large p", "large loss"),
    "p1_3-backward": ("(hand)", "u2", "u1", "V", "b2", "W", "b1", "x"),
    "p1_4-batch": ("(hand)", "U", "V", "W", "b", "X", "mean"),
}

# -- forward ---------------------------------------------------------------------------------------------

FORWARD = """
def mlp_forward(x, y, params):
    z = params["W"] @ x + params["b1"]
    h = torch.relu(z)
    a = params["V"] @ h + params["b2"]
    log_p = a - torch.logsumexp(a, 0)
    p = torch.exp(log_p)
    loss = -(y * log_p).sum()
    return {"z": z, "h": h, "a": a, "p": p, "loss": loss}
"""

RIGHT_FORWARD = {
    "torch": FORWARD,
    "library functions": """
def mlp_forward(x, y, params):
    F = torch.nn.functional
    z = F.linear(x, params["W"], params["b1"])
    h = F.relu(z)
    a = F.linear(h, params["V"], params["b2"])
    return {"z": z, "h": h, "a": a, "p": a.softmax(0), "loss": F.cross_entropy(a[None], y[None]).item()}
""",
    "numpy": """
def mlp_forward(x, y, params):
    z = np.dot(params["W"], x) + params["b1"]
    h = np.where(z > 0, z, 0.0)
    a = np.dot(params["V"], h) + params["b2"]
    e = np.exp(a - np.max(a, axis=0, keepdims=True))
    loss = np.log(np.sum(e)) + np.max(a) - np.sum(y * a)
    return {"z": z, "h": h, "a": a, "p": e / np.sum(e), "loss": loss}
""",
    "numpy that makes arrays of everything": """
def mlp_forward(x, y, params):
    x, y = np.asarray(x), np.asarray(y)
    W, b1, V, b2 = (np.asarray(params[k]) for k in ("W", "b1", "V", "b2"))
    z = W.dot(x) + b1
    h = np.maximum(0, z)
    a = V.dot(h) + b2
    shifted = a - a.max()
    p = np.exp(shifted) / np.exp(shifted).sum()
    return dict(z=z, h=h, a=a, p=p, loss=np.logaddexp.reduce(a) - a[y.argmax()])
""",
    "loops and lists": """
import math
def mlp_forward(x, y, params):
    def affine(M, v, b):
        return [sum(float(M[i][j]) * float(v[j]) for j in range(len(v))) + float(b[i]) for i in range(len(b))]
    z = affine(params["W"], x, params["b1"])
    h = [max(0.0, t) for t in z]
    a = affine(params["V"], h, params["b2"])
    top = max(a)
    total = sum(math.exp(t - top) for t in a)
    p = [math.exp(t - top) / total for t in a]
    loss = sum(float(y[i]) * (top + math.log(total) - a[i]) for i in range(len(a)))
    return {"z": z, "h": h, "a": a, "p": p, "loss": loss}
""",
    "modules": """
class Net(torch.nn.Module):
    def __init__(self, W, b1, V, b2):
        super().__init__()
        self.layers = torch.nn.ModuleList([torch.nn.Linear(*W.T.shape), torch.nn.Linear(*V.T.shape)]).double()
        self.load_state_dict({"layers.0.weight": W, "layers.0.bias": b1, "layers.1.weight": V, "layers.1.bias": b2})

    def forward(self, x):
        z = self.layers[0](x)
        return z, torch.relu(z), self.layers[1](torch.relu(z))

def mlp_forward(x, y, params):
    z, h, a = Net(**params)(x)
    loss = torch.nn.CrossEntropyLoss()(a.unsqueeze(0), y.argmax().unsqueeze(0))
    return {"z": z, "h": h, "a": a, "p": torch.nn.Softmax(dim=-1)(a), "loss": loss}
""",
    "columns": """
def mlp_forward(x, y, params):
    x, y = x.reshape(-1, 1), y.reshape(-1, 1)
    z = params["W"] @ x + params["b1"].reshape(-1, 1)
    h = z.clamp(min=0)
    a = params["V"] @ h + params["b2"].reshape(-1, 1)
    log_p = a.log_softmax(0)
    return {"z": z, "h": h, "a": a, "p": log_p.exp(), "loss": -(y.T @ log_p)}
""",
    "einsum, in float32": """
def mlp_forward(x, y, params):
    x, y = x.float(), y.float()
    W, b1, V, b2 = (params[k].float() for k in ("W", "b1", "V", "b2"))
    z = torch.einsum("kd,d->k", W, x) + b1
    h = z * (z >= 0)
    a = torch.einsum("ck,k->c", V, h) + b2
    log_p = torch.log_softmax(a, -1)
    return {"z": z, "h": h, "a": a, "p": log_p.exp(), "loss": -torch.dot(y, log_p), "note": "float32"}
""",
}

DIRECT = "p = torch.exp(a) / torch.exp(a).sum()"
WRONG_FORWARD = {
    "b1 missing": Wrong({"z"}, "bias b1 is missing", change(FORWARD, ' @ x + params["b1"] →  @ x')),
    "no ReLU": Wrong({"h"}, "ReLU is missing", change(FORWARD, "torch.relu(z) → z")),
    "sigmoid": Wrong({"h"}, "sigmoid", change(FORWARD, "torch.relu(z) → torch.sigmoid(z)")),
    "ReLU cut off at 6": Wrong({"h"}, '"h"', change(FORWARD, "torch.relu(z) → z.clamp(0, 6)")),
    "the mask for ReLU": Wrong({"h"}, "derivative", change(FORWARD, "torch.relu(z) → (z > 0).double()")),
    "second layer takes z": Wrong({"a"}, "before the ReLU", change(FORWARD, '["V"] @ h → ["V"] @ z')),
    "W transposed": Wrong({"z"}, '"z"', change(FORWARD, 'params["W"] @ → params["W"].T @')),
    "b2 missing": Wrong({"a"}, "bias b2 is missing", change(FORWARD, ' @ h + params["b2"] →  @ h')),
    "overflow": Wrong({"large p"}, "NaN or infinity", change(FORWARD, f"p = torch.exp(log_p) → {DIRECT}")),
    "logits less their mean": Wrong(
        {"large p"},
        "NaN or infinity",
        change(FORWARD, f"p = torch.exp(log_p) → {DIRECT.replace('(a)', '(a - a.mean())')}"),
    ),
    "log of the probability": Wrong(
        {"large loss"}, "NaN or infinity", change(FORWARD, "-(y * log_p).sum() → -(y * p.log()).sum()")
    ),
    "log of probability and a bit": Wrong(
        {"large loss"},
        "the same with ±450: something is cut off",
        change(FORWARD, "-(y * log_p).sum() → -(y * (p + 1e-12).log()).sum()"),
    ),
    "logits cut off at 30": Wrong(
        {"large p", "large loss"},
        "the same with ±450: something is cut off",
        change(FORWARD, "log_p = a - torch.logsumexp(a, 0) → log_p = a.clamp(-30, 30).log_softmax(0)"),
    ),
    "NaN turned into zeros": Wrong(
        {"large p"},
        "expected 0.687, 0, 0.313",
        change(FORWARD, f"p = torch.exp(log_p) → p = torch.nan_to_num({DIRECT.removeprefix('p = ')})"),
    ),
    "log-probabilities for probabilities": Wrong(
        {"p"}, "logarithms", change(FORWARD, "torch.exp(log_p) → log_p")
    ),
    "sigmoid for softmax": Wrong({"p"}, "sigmoid", change(FORWARD, "torch.exp(log_p) → torch.sigmoid(a)")),
    "loss without log": Wrong(
        {"loss"}, "logarithm is missing", change(FORWARD, "-(y * log_p).sum() → -(y * p).sum()")
    ),
    "loss with its sign turned": Wrong({"loss"}, "sign is turned", change(FORWARD, "= -(y → = (y")),
    "loss as a mean over classes": Wrong(
        {"loss"}, "number of classes", change(FORWARD, "log_p).sum() → log_p).mean()")
    ),
    "loss to base 2": Wrong({"loss"}, "base 2", change(FORWARD, "log_p).sum() → log_p).sum() / np.log(2)")),
    "no loss": Wrong({"loss", "large loss"}, 'no entry "loss"', change(FORWARD, ', "loss": loss → ')),
}

# -- backward --------------------------------------------------------------------------------------------

BACKWARD = """
def mlp_backward(x, y, params, cache):
    u2 = cache["p"] - y
    g = params["V"].T @ u2
    u1 = g * (cache["z"] > 0)
    dV = torch.outer(u2, cache["h"])
    db2 = u2
    dW = torch.outer(u1, x)
    db1 = u1
    dx = params["W"].T @ u1
    return {"u2": u2, "u1": u1, "V": dV, "b2": db2, "W": dW, "b1": db1, "x": dx}
"""

RIGHT_BACKWARD: dict[str, Sources | Right] = {
    "torch": BACKWARD,
    "after a forward pass in columns": {
        "p1_2-mlp_forward": RIGHT_FORWARD["columns"],
        "p1_3-mlp_backward": BACKWARD,
    },
    "mask from h": change(BACKWARD, '(cache["z"] > 0) → (cache["h"] > 0)'),
    "1 at the kink": change(BACKWARD, '(cache["z"] > 0) → (cache["z"] >= 0)'),
    "heaviside": change(
        BACKWARD, '(cache["z"] > 0) → torch.heaviside(cache["z"], torch.tensor(0.5).double())'
    ),
    "numpy": """
def mlp_backward(x, y, params, cache):
    u2 = np.subtract(cache["p"], y)
    u1 = np.where(np.asarray(cache["z"]) > 0, np.asarray(params["V"]).T.dot(u2), 0)
    return {"u2": u2, "u1": u1, "V": np.outer(u2, cache["h"]), "b2": u2.copy(), "W": np.outer(u1, x), "b1": u1.copy(),
            "x": np.asarray(params["W"]).T.dot(u1)}
""",
    "numpy that needs arrays": """
def mlp_backward(x, y, params, cache):
    u2 = cache["p"].copy()
    u2[np.argmax(y)] -= 1
    u1 = params["V"].T.dot(u2)
    u1[cache["z"] <= 0] = 0
    return {"u2": u2, "u1": u1, "V": np.outer(u2, cache["h"]), "b2": u2, "W": np.outer(u1, x), "b1": u1,
            "x": params["W"].T.dot(u1)}
""",
    "loops and lists": """
def mlp_backward(x, y, params, cache):
    C, K, D = len(y), len(cache["z"]), len(x)
    u2 = [float(cache["p"][c] - y[c]) for c in range(C)]
    u1 = [sum(float(params["V"][c][k]) * u2[c] for c in range(C)) if cache["z"][k] > 0 else 0.0 for k in range(K)]
    dx = [sum(float(params["W"][k][d]) * u1[k] for k in range(K)) for d in range(D)]
    return {
        "u2": u2, "u1": u1, "b2": u2, "b1": u1, "x": dx,
        "V": [[u2[c] * float(cache["h"][k]) for k in range(K)] for c in range(C)],
        "W": [[u1[k] * float(x[d]) for d in range(D)] for k in range(K)],
    }
""",
    "columns": """
def mlp_backward(x, y, params, cache):
    u2 = (cache["p"] - y).reshape(-1, 1)
    u1 = (params["V"].T @ u2) * (cache["z"].reshape(-1, 1) > 0)
    return {"u2": u2, "u1": u1, "V": u2 @ cache["h"].reshape(1, -1), "b2": u2, "W": u1 @ x.reshape(1, -1), "b1": u1,
            "x": params["W"].T @ u1}
""",
    "rows and Jacobians": """
def mlp_backward(x, y, params, cache):
    p = cache["p"]
    u2 = (-y / p)[None] @ (torch.diag(p) - torch.outer(p, p))
    u1 = u2 @ params["V"] @ torch.diag((cache["z"] > 0).double())
    return {"u2": u2, "u1": u1, "V": torch.einsum("ic,k->ck", u2, cache["h"]), "b2": u2,
            "W": torch.einsum("ik,d->kd", u1, x), "b1": u1, "x": u1 @ params["W"]}
""",
    "in place on the cache": """
def mlp_backward(x, y, params, cache):
    p = cache["p"]
    p -= y
    g = params["V"].t() @ p
    g[cache["z"] < 0] = 0
    return {"u2": p, "u1": g, "V": torch.outer(p, cache["h"]), "b2": p, "W": torch.outer(g, x), "b1": g,
            "x": torch.mv(params["W"].t(), g)}
""",
    "live units alone": """
def mlp_backward(x, y, params, cache):
    u2 = cache["p"] - y
    live = torch.nonzero(cache["z"] > 0).flatten()
    u1, dW = torch.zeros_like(cache["z"]), torch.zeros_like(params["W"])
    u1[live] = params["V"][:, live].T @ u2
    dW[live] = u1[live, None] * x
    return {"u2": u2, "u1": u1, "V": u2.view(-1, 1) * cache["h"].view(1, -1), "b2": u2, "W": dW, "b1": u1,
            "x": u1[live] @ params["W"][live]}
""",
    "own forward pass instead of the cache": Right(
        frozenset(),
        change(BACKWARD, "    u2 = cache →     cache = mlp_forward(x, y, params)\n    u2 = cache"),
        fits=False,
    ),
    "float32": """
def mlp_backward(x, y, params, cache):
    x, y = x.float(), y.float()
    V, W = params["V"].float(), params["W"].float()
    u2 = cache["p"].float() - y
    u1 = (V.T @ u2) * (cache["z"] > 0)
    return {"u2": u2, "u1": u1, "V": u2[:, None] * cache["h"].float(), "b2": u2, "W": u1[:, None] * x, "b1": u1,
            "x": W.T @ u1}
""",
}

WRONG_BACKWARD = {
    "y − p": Wrong({"u2"}, "the sign is turned", change(BACKWARD, 'cache["p"] - y → y - cache["p"]')),
    "p(1 − p)": Wrong(
        {"u2"},
        "factor p(1 − p)",
        change(BACKWARD, 'cache["p"] - y → (cache["p"] - y) * cache["p"] * (1 - cache["p"])'),
    ),
    "gradient for p": Wrong(
        {"u2"}, "before the softmax", change(BACKWARD, 'cache["p"] - y → -y / cache["p"]')
    ),
    "only the Jacobian's diagonal": Wrong(
        {"u2"}, "whole Jacobian", change(BACKWARD, 'cache["p"] - y → -y * (1 - cache["p"])')
    ),
    "factor 2": Wrong({"u2"}, "squared error", change(BACKWARD, 'cache["p"] - y → 2 * (cache["p"] - y)')),
    "mean over the classes": Wrong(
        {"u2"}, "number of classes", change(BACKWARD, 'cache["p"] - y → (cache["p"] - y) / len(y)')
    ),
    "lost mask": Wrong({"u1"}, "mask of the ReLU is lost", change(BACKWARD, 'g * (cache["z"] > 0) → g')),
    "mask from the upstream sign": Wrong(
        {"u1"}, "from the sign of", change(BACKWARD, 'g * (cache["z"] > 0) → g * (g > 0)')
    ),
    "mask from h, ≥": Wrong(
        {"u1"}, "mask of the ReLU is lost", change(BACKWARD, '(cache["z"] > 0) → (cache["h"] >= 0)')
    ),
    "h for its mask": Wrong({"u1"}, "by ReLU(z) itself", change(BACKWARD, '(cache["z"] > 0) → cache["h"]')),
    "z for its mask": Wrong({"u1"}, "by z itself", change(BACKWARD, '(cache["z"] > 0) → cache["z"]')),
    "mask inverted": Wrong(
        {"u1"}, "wrong way round", change(BACKWARD, '(cache["z"] > 0) → (cache["z"] < 0)')
    ),
    "mask without the bias": Wrong(
        {"u1"}, "u1", change(BACKWARD, '(cache["z"] > 0) → (params["W"] @ x > 0)')
    ),
    "of length 1": Wrong({"u1"}, "u1", change(BACKWARD, "    dV = →     u1 = u1 / u1.norm()\n    dV =")),
    "V updated before u1": Wrong(
        {"u1"},
        "u1",
        change(
            BACKWARD, '    g = →     params["V"] = params["V"] - 0.1 * torch.outer(u2, cache["h"])\n    g ='
        ),
    ),
    "sigmoid's derivative": Wrong(
        {"u1"},
        "is ",
        change(BACKWARD, '(cache["z"] > 0) → torch.sigmoid(cache["z"]) * (1 - torch.sigmoid(cache["z"]))'),
    ),
    "dV transposed": Wrong(
        {"V"}, "other way round", change(BACKWARD, 'outer(u2, cache["h"]) → outer(cache["h"], u2)')
    ),
    "dV with z": Wrong(
        {"V"}, "before the ReLU", change(BACKWARD, 'outer(u2, cache["h"]) → outer(u2, cache["z"])')
    ),
    "dV from ones": Wrong(
        {"V"},
        "all rows are h",
        change(BACKWARD, 'outer(u2, cache["h"]) → outer(torch.ones_like(u2), cache["h"])'),
    ),
    "db2 summed": Wrong({"b2"}, "summed up", change(BACKWARD, "db2 = u2 → db2 = u2.sum()")),
    "db2 averaged": Wrong({"b2"}, "summed up", change(BACKWARD, "db2 = u2 → db2 = u2.mean()")),
    "db2 divided by C": Wrong(
        {"b2"}, "divided by its length", change(BACKWARD, "db2 = u2 → db2 = u2 / len(u2)")
    ),
    "dW transposed": Wrong({"W"}, "other way round", change(BACKWARD, "outer(u1, x) → outer(x, u1)")),
    "dW with the masked input": Wrong(
        {"W"}, "W", change(BACKWARD, "outer(u1, x) → outer(u1, torch.relu(x))")
    ),
    "dW from g": Wrong({"W"}, "W", change(BACKWARD, "outer(u1, x) → outer(g, x)")),
    "db1 with ones": Wrong({"b1"}, "ones", change(BACKWARD, "db1 = u1 → db1 = torch.ones_like(u1)")),
    "db1 from g": Wrong({"b1"}, "b1", change(BACKWARD, "db1 = u1 → db1 = g")),
    "dx without mask": Wrong({"x"}, "x", change(BACKWARD, 'params["W"].T @ u1 → params["W"].T @ g')),
    "dx as column sums": Wrong(
        {"x"}, "summed without", change(BACKWARD, 'params["W"].T @ u1 → params["W"].sum(0)')
    ),
    "W updated before the gradient for x": Wrong(
        {"x"}, "x", change(BACKWARD, '    dx = params["W"].T →     dx = (params["W"] - 0.1 * dW).T')
    ),
    "V not transposed": Wrong(
        {"u1"}, "V is not transposed", change(BACKWARD, 'params["V"].T @ → params["V"] @')
    ),
    "W not transposed": Wrong(
        {"x"}, "W is not transposed", change(BACKWARD, 'params["W"].T @ → params["W"] @')
    ),
    "dx missing": Wrong({"x"}, 'no entry "x"', change(BACKWARD, ', "x": dx → ')),
    "NaN": Wrong({"x"}, "NaN", change(BACKWARD, '    dx = params["W"].T @ u1 →     dx = 0 * x / 0')),
}

# -- batch -----------------------------------------------------------------------------------------------

BATCH = """
def mlp_backward_batch(X, Y, params):
    N = len(X)
    Z = X @ params["W"].T + params["b1"]
    H = torch.relu(Z)
    A = H @ params["V"].T + params["b2"]
    P = torch.softmax(A, 1)
    U2 = (P - Y) / N
    G = U2 @ params["V"]
    U1 = G * (Z > 0)
    dV = U2.T @ H
    db2 = U2.sum(0)
    dW = U1.T @ X
    db1 = U1.sum(0)
    dX = U1 @ params["W"]
    return {"U2": U2, "U1": U1, "V": dV, "b2": db2, "W": dW, "b1": db1, "X": dX}
"""
LATE = change(
    BATCH, "(P - Y) / N → P - Y", "U2.T @ H → U2.T @ H / N", "U2.sum(0) → U2.mean(0)", "U1.T @ X → U1.T @ X / N",
    "U1.sum(0) → U1.mean(0)", 'dX = U1 @ params["W"] → dX = U1 @ params["W"] / N',
)  # fmt: skip

OWN_LOOP = """
def mlp_backward_batch(X, Y, params):
    parts = [mlp_backward(x, y, params, mlp_forward(x, y, params)) for x, y in zip(X, Y)]
    stack = {key: torch.stack([torch.as_tensor(part[key]) for part in parts]) for key in parts[0]}
    means = {key: stack[key].mean(0) for key in ("V", "b2", "W", "b1")}
    return {"U2": stack["u2"] / len(X), "U1": stack["u1"] / len(X), "X": stack["x"] / len(X), **means}
"""

RIGHT_BATCH: dict[str, Sources | Right] = {
    "1/N in U2": BATCH,
    "1/N at the end": LATE,
    "U2 told without 1/N": change(BATCH, 'return {"U2": U2, "U1": U1 → return {"U2": N * U2, "U1": N * U1'),
    "biases as rows": change(BATCH, "sum(0) → sum(0, keepdim=True)"),
    "loop over mlp_backward": OWN_LOOP,
    "einsum": """
def mlp_backward_batch(X, Y, params):
    W, b1, V, b2 = params["W"], params["b1"], params["V"], params["b2"]
    Z = torch.einsum("nd,kd->nk", X, W) + b1
    P = (torch.einsum("nk,ck->nc", Z.clamp(min=0), V) + b2).softmax(-1)
    U2 = P - Y
    U1 = torch.einsum("nc,ck->nk", U2, V) * (Z > 0)
    n = X.shape[0]
    return {"U2": U2, "U1": U1, "V": torch.einsum("nc,nk->ck", U2, Z.clamp(min=0)) / n, "b2": U2.sum(0) / n,
            "W": torch.einsum("nk,nd->kd", U1, X) / n, "b1": U1.sum(0) / n, "X": torch.einsum("nk,kd->nd", U1, W) / n}
""",
    "numpy, columns inside": """
def mlp_backward_batch(X, Y, params):
    W, b1, V, b2 = (np.asarray(params[k]) for k in ("W", "b1", "V", "b2"))
    X, Y = np.asarray(X).T, np.asarray(Y).T
    Z = W @ X + b1[:, None]
    H = np.maximum(Z, 0)
    A = V @ H + b2[:, None]
    P = np.exp(A - A.max(axis=0)) / np.exp(A - A.max(axis=0)).sum(axis=0)
    U2 = (P - Y) / X.shape[1]
    U1 = (V.T @ U2) * (Z > 0)
    return dict(U2=U2.T, U1=U1.T, V=U2 @ H.T, b2=U2.sum(axis=1, keepdims=True), W=U1 @ X.T, b1=U1.sum(axis=1),
                X=(W.T @ U1).T)
""",
    "numpy that needs arrays": """
def mlp_backward_batch(X, Y, params):
    Z = X.dot(params["W"].T) + params["b1"]
    H = Z.copy()
    H[Z < 0] = 0
    A = H.dot(params["V"].T) + params["b2"]
    E = np.exp(A - A.max(axis=1, keepdims=True))
    U2 = (E / E.sum(axis=1, keepdims=True) - Y) / X.shape[0]
    U1 = U2.dot(params["V"])
    U1[Z < 0] = 0
    return {"U2": U2, "U1": U1, "V": U2.T.dot(H), "b2": U2.sum(axis=0), "W": U1.T.dot(X), "b1": U1.sum(axis=0),
            "X": U1.dot(params["W"])}
""",
}

RIGHT_BATCH |= {
    "bias in the weights": """
def mlp_backward_batch(X, Y, params):
    X, Y = np.asarray(X), np.asarray(Y)
    W, b1, V, b2 = (np.asarray(params[k]) for k in ("W", "b1", "V", "b2"))
    N, ones = X.shape[0], np.ones((X.shape[0], 1))
    X1, W1, V1 = np.hstack([X, ones]), np.hstack([W, b1[:, None]]), np.hstack([V, b2[:, None]])
    Z = X1 @ W1.T
    H1 = np.hstack([np.maximum(Z, 0), ones])
    S = H1 @ V1.T
    S -= S.max(1, keepdims=True)
    P = np.exp(S)
    P /= P.sum(1, keepdims=True)
    P[np.arange(N), Y.argmax(1)] -= 1
    U1 = (P @ V) * (Z > 0)
    dV, dW = P.T @ H1 / N, U1.T @ X1 / N
    return {"U2": P, "U1": U1, "V": dV[:, :-1], "b2": dV[:, -1], "W": dW[:, :-1], "b1": dW[:, -1], "X": U1 @ W / N}
""",
    "vmap": """
def mlp_backward_batch(X, Y, params):
    def one(x, y):
        z = params["W"] @ x + params["b1"]
        h = torch.relu(z)
        u2 = torch.softmax(params["V"] @ h + params["b2"], 0) - y
        u1 = (u2 @ params["V"]) * (z > 0)
        return {"U2": u2, "U1": u1, "V": torch.outer(u2, h), "b2": u2, "W": torch.outer(u1, x), "b1": u1,
                "X": params["W"].T @ u1}
    out = torch.vmap(one)(X, Y)
    return {k: v / len(X) if k in ("U2", "U1", "X") else v.mean(0) for k, v in out.items()}
""",
    "running mean": Right(
        frozenset(),
        """
def mlp_backward_batch(X, Y, params):
    mean, rows = {}, {"U2": [], "U1": [], "X": []}
    for n, (x, y) in enumerate(zip(X, Y), 1):
        g = mlp_backward(x, y, params, mlp_forward(x, y, params))
        for k in ("V", "b2", "W", "b1"):
            mean[k] = g[k] if n == 1 else mean[k] + (g[k] - mean[k]) / n
        rows["U2"].append(g["u2"])
        rows["U1"].append(g["u1"])
        rows["X"].append(g["x"] / len(X))
    return {**mean, **{k: torch.vstack(v) for k, v in rows.items()}}
""",
        fits=False,
    ),
}

LOOP = """
def mlp_backward_batch(X, Y, params):
    N = len(X)
    out = {"U2": [], "U1": [], "X": [], "V": 0, "b2": 0, "W": 0, "b1": 0}
    for x, y in zip(X, Y):
        z = params["W"] @ x + params["b1"]
        h = torch.relu(z)
        p = torch.softmax(params["V"] @ h + params["b2"], 0)
        u2 = (p - y) / N
        u1 = (params["V"].T @ u2) * (z > 0)
        out["U2"].append(u2)
        out["U1"].append(u1)
        out["X"].append(params["W"].T @ u1)
        out["V"] += torch.outer(u2, h)
        out["b2"] += u2
        out["W"] += torch.outer(u1, x)
        out["b1"] += u1
    return {key: torch.stack(value) if isinstance(value, list) else value for key, value in out.items()}
"""
RIGHT_BATCH["loop over the samples"] = LOOP
LOOP_PARTS = [("V", "torch.outer(u2, h)"), ("b2", "u2"), ("W", "torch.outer(u1, x)"), ("b1", "u1")]

WRONG_BATCH = {
    "= for += in a loop": Wrong(
        {"V"}, "the part of one sample only, number 6 of 6", change(LOOP, " += →  =")
    ),
    "= for += for V": Wrong({"V"}, "the part of one sample only", change(LOOP, '"V"] += → "V"] =')),
    "= for +=, a sum": Wrong(
        {"V", "X"}, "the part of one sample only", change(LOOP, " += →  =", "(p - y) / N → p - y")
    ),
    "the last sample left out": Wrong(
        {"U"},
        "nothing for the last sample: does a loop leave it out?",
        change(LOOP, "zip(X, Y) → zip(X[:-1], Y[:-1])"),
    ),
    "one cache for all samples": Wrong(
        {"U"},
        "the forward pass of the first sample is used for all of them",
        change(
            OWN_LOOP,
            "mlp_forward(x, y, params)) for → cache) for",
            "    parts = →     cache = mlp_forward(X[0], Y[0], params)\n    parts =",
        ),
    ),
    "no ReLU in the batch": Wrong({"U"}, "U2", change(BATCH, "H = torch.relu(Z) → H = Z")),
    "softmax over the whole batch": Wrong(
        {"U"},
        "over the whole batch",
        change(BATCH, "torch.softmax(A, 1) → torch.exp(A) / torch.exp(A).sum()"),
    ),
    "divided by 32": Wrong({"mean"}, "the same number for every N, 32", change(BATCH, "N = len(X) → N = 32")),
    "one number for V": Wrong({"V"}, "shape ()", change(BATCH, "U2.T @ H → (U2.T @ H).mean()")),
    "divided by the root of N": Wrong(
        {"mean"}, "square root of N", change(BATCH, "(P - Y) / N → (P - Y) / N**0.5")
    ),
    "divided by N − 1": Wrong({"mean"}, "divided by N − 1", change(BATCH, "(P - Y) / N → (P - Y) / (N - 1)")),
    "divided by K": Wrong(
        {"mean"},
        "divided by the number of hidden units",
        change(BATCH, '(P - Y) / N → (P - Y) / len(params["b1"])'),
    ),
    "the sum is divided in every turn": Wrong(
        {"V"},
        "does not count all samples alike",
        change(
            LOOP,
            "(p - y) / N → p - y",
            'W"].T @ u1) → W"].T @ u1 / N)',
            *(f'out["{k}"] += {v} → out["{k}"] = (out["{k}"] + {v}) / N' for k, v in LOOP_PARTS),
        ),
    ),
    "the first sample left out": Wrong(
        {"V"},
        "number 1 of 6 is missing",
        change(
            LOOP,
            'out["V"] += → if out["X"][1:]: out["V"] +=',
            *(f'out["{k}"] += → if out["X"][1:]: out["{k}"] +=' for k in ("b2", "W", "b1")),
        ),
    ),
    "divided by C": Wrong(
        {"mean"}, "divided by the number of classes", change(BATCH, "(P - Y) / N → (P - Y) / Y.shape[1]")
    ),
    "1/N missing": Wrong({"mean"}, "1/N is missing", change(BATCH, "(P - Y) / N → P - Y")),
    "the weights alone summed": Wrong(
        {"mean"},
        '"V": the 1/N is missing',
        change(LATE, "U1.T @ X / N → U1.T @ X", "U2.T @ H / N → U2.T @ H"),
    ),
    "1/N twice": Wrong({"mean"}, "twice", change(BATCH, "(P - Y) / N → (P - Y) / N**2")),
    "1/N in U2 and in every gradient": Wrong(
        {"mean"}, "twice", change(LATE, "U2 = P - Y → U2 = (P - Y) / N")
    ),
    "1/N missing in W": Wrong({"mean"}, '"W": the 1/N is missing', change(LATE, "U1.T @ X / N → U1.T @ X")),
    "1/N twice in V": Wrong(
        {"mean"}, '"V": the 1/N is in it twice', change(BATCH, "U2.T @ H → U2.T @ H / N")
    ),
    "biases averaged after all": Wrong({"b"}, "one 1/N too many", change(BATCH, "sum(0) → mean(0)")),
    "biases summed, weights averaged": Wrong({"b"}, "1/N is missing", change(LATE, "mean(0) → sum(0)")),
    "X without 1/N": Wrong({"X"}, "1/N is missing", change(LATE, 'params["W"] / N → params["W"]')),
    "X with 1/N twice": Wrong(
        {"X"}, "one 1/N too many", change(BATCH, 'dX = U1 @ params["W"] → dX = U1 @ params["W"] / N')
    ),
    "biases over the wrong axis": Wrong({"b"}, "wrong axis", change(BATCH, "sum(0) → sum(1)")),
    "biases summed over both axes": Wrong({"b"}, "both axes", change(BATCH, "sum(0) → sum()")),
    "biases not summed": Wrong({"b"}, "not summed", change(BATCH, ".sum(0) → ")),
    "one bias over the wrong axis": Wrong({"b"}, '"b1"', change(BATCH, "U1.sum(0) → U1.sum(1)")),
    "softmax over the samples": Wrong(
        {"U"}, "over the samples", change(BATCH, "softmax(A, 1) → softmax(A, 0)")
    ),
    "softmax over the samples, 1/N at the end": Wrong(
        {"U"}, "over the samples", change(LATE, "softmax(A, 1) → softmax(A, 0)")
    ),
    "Y − P": Wrong({"U"}, "sign is turned", change(BATCH, "(P - Y) → (Y - P)")),
    "p(1 − p)": Wrong({"U"}, "factor P(1 − P)", change(BATCH, "(P - Y) → (P - Y) * P * (1 - P)")),
    "lost mask": Wrong({"U"}, "mask of the ReLU is lost", change(BATCH, "G * (Z > 0) → G")),
    "mask from the upstream sign": Wrong(
        {"U"}, "from the sign of", change(BATCH, "G * (Z > 0) → G * (G > 0)")
    ),
    "V transposed": Wrong({"V"}, "transpose", change(BATCH, "U2.T @ H → H.T @ U2")),
    "V from one sample": Wrong({"V"}, "one sample", change(BATCH, "U2.T @ H → N * torch.outer(U2[0], H[0])")),
    "W transposed": Wrong({"W"}, "transpose", change(BATCH, "U1.T @ X → X.T @ U1")),
    "W without mask": Wrong({"W"}, "W", change(BATCH, "U1.T @ X → G.T @ X")),
    "X summed": Wrong(
        {"X"},
        "summed over the samples",
        change(BATCH, 'dX = U1 @ params["W"] → dX = (U1 @ params["W"]).sum(0)'),
    ),
    "X from G": Wrong({"X"}, "X", change(BATCH, "dX = U1 @ → dX = G @")),
    "V the wrong way round": Wrong({"U"}, "U1", change(BATCH, 'U2 @ params["V"] → U2 @ params["V"].T')),
    "W the wrong way round": Wrong({"X"}, "X", change(BATCH, 'U1 @ params["W"] → U1 @ params["W"].T')),
    "no X": Wrong({"U", "V", "W", "b", "X", "mean"}, 'no entry "X"', change(BATCH, ', "X": dX → ')),
}

PROBLEM = Problem(
    notebook="p1_mlp_backprop",
    given=("p1_0-imports",),
    checks=CHECKS,
    equivalent={
        "p1_2-mlp_forward": {"… (z > 0) → … ((z >= 0))": "z is multiplied by it, so at 0 both give 0"},
        "p1_3-mlp_backward": {
            "…> 0) → …>= 0))": "the derivative at 0 is a convention; no unit is at 0, and its value is not asked for"
        },
        "p1_4-mlp_backward_batch": {
            "… (Z > 0) → … ((Z >= 0))": "as in 1.2 and 1.3",
            "… (Z > 0) → … (H > 0)": "H is positive where Z is",
            "E = torch.exp(… → E = torch.exp(…": "softmax is the same for shifted logits; large ones are 1.2's",
            "… / len(X) → … / len(…)": "each has a row for every sample",
        },
    },
    exercises=(
        Exercise(("p1_2-forward",), "p1_2-mlp_forward", RIGHT_FORWARD, WRONG_FORWARD),
        Exercise(("p1_3-backward",), "p1_3-mlp_backward", RIGHT_BACKWARD, WRONG_BACKWARD),
        Exercise(("p1_4-batch",), "p1_4-mlp_backward_batch", RIGHT_BATCH, WRONG_BATCH),
    ),
)
