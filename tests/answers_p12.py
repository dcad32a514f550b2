"""What students hand in for problems 1 and 2 of Homework 2: right answers in many forms, wrong ones by their mistake.

An answer is the source of a cell, mostly written as a change to a plain right one. A wrong answer lists the checks
with points that it loses, by the short names in CHECKS, and words that the message of one of them must contain.
"""

from __future__ import annotations

from answers_question3 import Wrong, change

# Short names for the checks of each graded cell, in their order there. Those in brackets only inform.
CHECKS = {
    "p1_2-forward": ("(shapes)", "z", "h", "a", "p", "loss", "large p", "large loss"),
    "p1_3-backward": ("(shapes)", "(numeric)", "(hand)", "u2", "u1", "V", "b2", "W", "b1", "x"),
    "p1_4-batch": ("(shapes)", "(one)", "(twice)", "(hand)", "U", "V", "W", "b", "X", "mean"),
    "p2_1a-output": ("(jacobian)", "(sum)", "(hand)", "J", "dz2"),
    "p2_2b-output-layer": ("(shapes)", "(silent)", "(hand)", "W2", "b2"),
    "p2_3c-hidden": ("(shapes)", "(linear)", "(hand)", "dh", "dz1"),
    "p2_4d-input-layer": ("(shapes)", "(fit)", "(hand)", "W1", "b1", "descend", "before"),
}

# -- problem 1, forward ----------------------------------------------------------------------------------

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
    "the mask for ReLU": Wrong({"h"}, "derivative", change(FORWARD, "torch.relu(z) → (z > 0).double()")),
    "second layer takes z": Wrong({"a"}, "before the ReLU", change(FORWARD, '["V"] @ h → ["V"] @ z')),
    "W transposed": Wrong({"z"}, '"z"', change(FORWARD, 'params["W"] @ → params["W"].T @')),
    "b2 missing": Wrong({"a"}, "bias b2 is missing", change(FORWARD, ' @ h + params["b2"] →  @ h')),
    "overflow": Wrong({"large p"}, "NaN or infinity", change(FORWARD, f"p = torch.exp(log_p) → {DIRECT}")),
    "log of the probability": Wrong(
        {"large loss"}, "NaN or infinity", change(FORWARD, "-(y * log_p).sum() → -(y * p.log()).sum()")
    ),
    "log of probability and a bit": Wrong(
        {"large loss"}, "log 0", change(FORWARD, "-(y * log_p).sum() → -(y * (p + 1e-12).log()).sum()")
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

# -- problem 1, backward ---------------------------------------------------------------------------------

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

RIGHT_BACKWARD = {
    "torch": BACKWARD,
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
    "own forward pass instead of the cache": change(
        BACKWARD, "    u2 = cache →     cache = mlp_forward(x, y, params)\n    u2 = cache"
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

# -- problem 1, batch ------------------------------------------------------------------------------------

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

RIGHT_BATCH = {
    "1/N in U2": BATCH,
    "1/N at the end": LATE,
    "U2 told without 1/N": change(BATCH, 'return {"U2": U2, "U1": U1 → return {"U2": N * U2, "U1": N * U1'),
    "biases as rows": change(BATCH, "sum(0) → sum(0, keepdim=True)"),
    "loop over mlp_backward": """
def mlp_backward_batch(X, Y, params):
    parts = [mlp_backward(x, y, params, mlp_forward(x, y, params)) for x, y in zip(X, Y)]
    stack = {key: torch.stack([torch.as_tensor(part[key]) for part in parts]) for key in parts[0]}
    means = {key: stack[key].mean(0) for key in ("V", "b2", "W", "b1")}
    return {"U2": stack["u2"] / len(X), "U1": stack["u1"] / len(X), "X": stack["x"] / len(X), **means}
""",
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

WRONG_BATCH = {
    "1/N missing": Wrong({"mean"}, "1/N is missing", change(BATCH, "(P - Y) / N → P - Y")),
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

# -- problem 2 -------------------------------------------------------------------------------------------

OUTPUT = """
def softmax_jacobian(o_hat):
    return torch.diag(o_hat) - torch.outer(o_hat, o_hat)

def dE_dz2(o_hat, o):
    return o_hat - o
"""
RIGHT_OUTPUT = {
    "torch": OUTPUT,
    "numpy": """
def softmax_jacobian(o_hat):
    return np.diag(o_hat) - np.outer(o_hat, o_hat)

def dE_dz2(o_hat, o):
    return np.subtract(o_hat, o)
""",
    "two cases": """
def softmax_jacobian(o_hat):
    K = len(o_hat)
    return [[float(o_hat[i] * ((i == j) - o_hat[j])) for j in range(K)] for i in range(K)]

def dE_dz2(o_hat, o):
    return [float(p - t) for p, t in zip(o_hat, o)]
""",
    "through the Jacobian": change(OUTPUT, "o_hat - o\n → softmax_jacobian(o_hat).T @ (-o / o_hat)\n"),
    "by the index of the class": """
def softmax_jacobian(o_hat):
    column = o_hat[:, None]
    return column * (torch.eye(len(o_hat)) - column.T)

def dE_dz2(o_hat, o):
    gradient = o_hat.clone()
    gradient[o.argmax()] -= 1
    return gradient[:, None]
""",
    "in place, on arrays": """
def softmax_jacobian(o_hat):
    J = -np.outer(o_hat, o_hat)
    J[np.diag_indices(len(o_hat))] += np.asarray(o_hat)
    return J

def dE_dz2(o_hat, o):
    gradient = o_hat.copy()
    gradient[o == 1] -= 1
    return gradient
""",
}
WRONG_OUTPUT = {
    "only the diagonal": Wrong(
        {"J"},
        "only its diagonal",
        change(OUTPUT, "diag(o_hat) - torch.outer(o_hat, o_hat) → diag(o_hat * (1 - o_hat))"),
    ),
    "a vector": Wrong(
        {"J"},
        "no matrix",
        change(OUTPUT, "torch.diag(o_hat) - torch.outer(o_hat, o_hat) → o_hat * (1 - o_hat)"),
    ),
    "diag missing": Wrong({"J"}, "diag(p) is missing", change(OUTPUT, "torch.diag(o_hat) - → -")),
    "outer missing": Wrong({"J"}, "not subtracted", change(OUTPUT, " - torch.outer(o_hat, o_hat) → ")),
    "sign of the Jacobian": Wrong(
        {"J"},
        "sign is turned",
        change(
            OUTPUT,
            "torch.diag(o_hat) - torch.outer(o_hat, o_hat) → torch.outer(o_hat, o_hat) - torch.diag(o_hat)",
        ),
    ),
    "diagonal, and the gradient from it": Wrong(
        {"J"},
        "only its diagonal",
        change(
            OUTPUT,
            "diag(o_hat) - torch.outer(o_hat, o_hat) → diag(o_hat * (1 - o_hat))",
            "o_hat - o\n → softmax_jacobian(o_hat).T @ (-o / o_hat)\n",
        ),
    ),
    "o − ô": Wrong({"dz2"}, "sign is turned", change(OUTPUT, "o_hat - o\n → o - o_hat\n")),
    "ô(1 − ô)": Wrong(
        {"dz2"}, "too much", change(OUTPUT, "o_hat - o\n → (o_hat - o) * o_hat * (1 - o_hat)\n")
    ),
    "gradient for ô": Wrong({"dz2"}, "before the softmax", change(OUTPUT, "o_hat - o\n → -o / o_hat\n")),
    "diagonal in the gradient": Wrong(
        {"dz2"}, "whole Jacobian", change(OUTPUT, "o_hat - o\n → -o * (1 - o_hat)\n")
    ),
    "a mean": Wrong({"dz2"}, "number of classes", change(OUTPUT, "o_hat - o\n → (o_hat - o) / len(o)\n")),
    "squared error": Wrong({"dz2"}, "squared error", change(OUTPUT, "o_hat - o\n → 2 * (o_hat - o)\n")),
    "ô alone": Wrong({"dz2"}, "not subtracted", change(OUTPUT, "o_hat - o\n → o_hat\n")),
    "transposed shapes": Wrong({"dz2"}, "shape", change(OUTPUT, "o_hat - o\n → o_hat[:, None] - o\n")),
}

LAYER2 = """
def dE_dW2(dz2, h):
    return torch.outer(dz2, h)

def dE_db2(dz2):
    return dz2
"""
RIGHT_LAYER2 = {
    "torch": LAYER2,
    "numpy": change(LAYER2, "torch.outer → np.outer", "return dz2 → return np.array(dz2)"),
    "column times row": change(
        LAYER2,
        "torch.outer(dz2, h) → dz2.reshape(-1, 1) @ h.reshape(1, -1)",
        "return dz2 → return dz2.reshape(-1, 1)",
    ),
    "einsum": change(
        LAYER2, 'torch.outer(dz2, h) → torch.einsum("i,j->ij", dz2, h)', "return dz2 → return 1 * dz2"
    ),
    "lists": change(
        LAYER2,
        "torch.outer(dz2, h) → [[float(u * v) for v in h] for u in dz2]",
        "return dz2 → return [float(u) for u in dz2]",
    ),
    "arrays only": change(
        LAYER2,
        "torch.outer(dz2, h) → dz2[:, np.newaxis].astype(float) * h",
        "return dz2 → return dz2.astype(float)",
    ),
}
WRONG_LAYER2 = {
    "transposed": Wrong({"W2"}, "other way round", change(LAYER2, "outer(dz2, h) → outer(h, dz2)")),
    "sign": Wrong({"W2"}, "sign is turned", change(LAYER2, "torch.outer → -torch.outer")),
    "no h": Wrong(
        {"W2"}, "h is missing", change(LAYER2, "torch.outer(dz2, h) → dz2[:, None].repeat(1, len(h))")
    ),
    "no dz2": Wrong({"W2"}, "dz2 is missing", change(LAYER2, "torch.outer(dz2, h) → h.repeat(len(dz2), 1)")),
    "inner product": Wrong({"W2"}, "shape", change(LAYER2, "torch.outer(dz2, h) → dz2.sum() * h.sum()")),
    "masked h": Wrong({"W2"}, "dE_dW2", change(LAYER2, "outer(dz2, h) → outer(dz2, (h > 0).double())")),
    "bias summed": Wrong({"b2"}, "summed up", change(LAYER2, "return dz2 → return dz2.sum()")),
    "bias averaged": Wrong({"b2"}, "averaged", change(LAYER2, "return dz2 → return dz2.mean()")),
    "bias divided": Wrong(
        {"b2"}, "divided by its length", change(LAYER2, "return dz2 → return dz2 / len(dz2)")
    ),
    "bias ones": Wrong({"b2"}, "ones", change(LAYER2, "return dz2 → return torch.ones_like(dz2)")),
    "nothing": Wrong({"b2"}, "return", change(LAYER2, "return dz2 → dz2")),
}

HIDDEN = """
def dE_dh(W2, dz2):
    return W2.T @ dz2

def dE_dz1(dh, z1):
    return dh * (z1 > 0)
"""
RIGHT_HIDDEN = {
    "torch": HIDDEN,
    "rows": change(HIDDEN, "W2.T @ dz2 → dz2 @ W2", "dh * (z1 > 0) → torch.where(z1 > 0, dh, 0.0)"),
    "1 at the kink": change(HIDDEN, "z1 > 0 → z1 >= 0"),
    "diag": change(HIDDEN, "dh * (z1 > 0) → torch.diag((z1 > 0).double()) @ dh"),
    "numpy": change(
        HIDDEN, "W2.T @ dz2 → np.einsum('ij,i->j', W2, dz2)", "dh * (z1 > 0) → np.where(z1 > 0, dh, 0)"
    ),
    "columns": change(
        HIDDEN, "W2.T @ dz2 → W2.T @ dz2.reshape(-1, 1)", "dh * (z1 > 0) → (dh * (z1 > 0))[:, None]"
    ),
    "loops": change(
        HIDDEN,
        "W2.T @ dz2 → [sum(float(W2[i, j] * dz2[i]) for i in range(len(dz2))) for j in range(W2.shape[1])]",
        "dh * (z1 > 0) → [float(g) if t > 0 else 0 for g, t in zip(dh, z1)]",
    ),
    "arrays only": change(
        HIDDEN, "W2.T @ dz2 → W2.T.dot(dz2)", "dh * (z1 > 0) → dh * (z1 > 0).astype(float)"
    ),
}
WRONG_HIDDEN = {
    "not transposed": Wrong({"dh"}, "your code raised", change(HIDDEN, "W2.T @ → W2 @")),
    "sign of dh": Wrong({"dh"}, "sign is turned", change(HIDDEN, "W2.T @ dz2 → -W2.T @ dz2")),
    "column sums": Wrong({"dh"}, "summed without", change(HIDDEN, "W2.T @ dz2 → W2.sum(0)")),
    "terms not summed": Wrong({"dh"}, "shape", change(HIDDEN, "W2.T @ dz2 → W2 * dz2[:, None]")),
    "only the largest error": Wrong(
        {"dh"}, "dE_dh", change(HIDDEN, "W2.T @ dz2 → W2[dz2.argmax()] * dz2.max()")
    ),
    "mask already there": Wrong({"dh"}, "dE_dh", change(HIDDEN, "W2.T @ dz2 → torch.relu(W2.T @ dz2)")),
    "mask lost": Wrong({"dz1"}, "mask of the ReLU is lost", change(HIDDEN, "dh * (z1 > 0) → dh")),
    "mask from the upstream sign": Wrong(
        {"dz1"}, "from the sign of dh", change(HIDDEN, "(z1 > 0) → (dh > 0)")
    ),
    "inverted": Wrong({"dz1"}, "wrong way round", change(HIDDEN, "z1 > 0 → z1 < 0")),
    "times h": Wrong({"dz1"}, "ReLU(z1) itself", change(HIDDEN, "(z1 > 0) → z1.clamp(min=0)")),
    "times z1": Wrong({"dz1"}, "z1 itself", change(HIDDEN, "(z1 > 0) → z1")),
    "sign of z1": Wrong({"dz1"}, "dead units", change(HIDDEN, "(z1 > 0) → z1.sign()")),
    "mask alone": Wrong({"dz1"}, "without dh", change(HIDDEN, "dh * (z1 > 0) → (z1 > 0).double()")),
}

LAYER1 = """
def dE_dW1(dz1, x):
    return torch.outer(dz1, x)

def dE_db1(dz1):
    return dz1

def descend(x, o, theta, eta):
    W1, b1, W2, b2 = theta["W1"], theta["b1"], theta["W2"], theta["b2"]
    z1, h, o_hat = predict(x, theta)
    dz2 = o_hat - o
    dh = W2.T @ dz2
    dz1 = dh * (z1 > 0)
    W2 = W2 - eta * torch.outer(dz2, h)
    b2 = b2 - eta * dz2
    W1 = W1 - eta * torch.outer(dz1, x)
    b1 = b1 - eta * dz1
    return {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
"""
COMPOSED = """
def dE_dW1(dz1, x):
    return torch.outer(dz1, x)

def dE_db1(dz1):
    return dz1

def descend(x, o, theta, eta):
    z1, h, o_hat = predict(x, theta)
    dz2 = dE_dz2(o_hat, o)
    dz1 = dE_dz1(dE_dh(theta["W2"], dz2), z1)
    gradient = {"W1": dE_dW1(dz1, x), "b1": dE_db1(dz1), "W2": dE_dW2(dz2, h), "b2": dE_db2(dz2)}
    return {name: theta[name] - eta * gradient[name] for name in theta}
"""
RIGHT_LAYER1 = {
    "written out": LAYER1,
    "composed": COMPOSED,
    "in place": change(
        LAYER1,
        'return {"W1": W1 → theta.update(W1=W1, b1=b1, W2=W2, b2=b2)\n    return theta\n    return {"W1": W1',
    ),
    "numpy": """
def dE_dW1(dz1, x):
    return np.outer(dz1, x)

def dE_db1(dz1):
    return np.array(dz1)

def descend(x, o, theta, eta):
    W1, b1, W2, b2 = (np.asarray(theta[name]).copy() for name in ("W1", "b1", "W2", "b2"))
    z1 = W1.dot(x) + b1
    h = np.maximum(0, z1)
    e = np.exp(W2.dot(h) + b2)
    dz2 = e / e.sum() - np.asarray(o)
    dz1 = W2.T.dot(dz2) * (z1 > 0)
    W1 -= eta * dE_dW1(dz1, x)
    b1 -= eta * dE_db1(dz1)
    W2 -= eta * np.outer(dz2, h)
    b2 -= eta * dz2
    return {"W1": W1, "W2": W2, "b1": b1, "b2": b2}
""",
    "first layer first": change(
        LAYER1,
        "    W2 = W2 - eta * torch.outer(dz2, h)\n → ",
        "    b1 = b1 - eta * dz1\n →     b1 = b1 - eta * dz1\n    W2 = W2 - eta * torch.outer(dz2, h)\n",
    ),
    "float32": change(
        LAYER1,
        "    z1, h →     x, o = x.float(), o.float()\n    theta = {k: v.float() for k, v in theta.items()}\n    z1, h",
        "dh = W2.T @ → dh = W2.float().T @",
        'theta["b2"]\n → theta["b2"]\n    W1, b1, W2, b2 = W1.float(), b1.float(), W2.float(), b2.float()\n',
    ),
    "columns, einsum": change(
        LAYER1,
        'outer(dz1, x)\n\ndef → einsum("i,j->ij", dz1, x)\n\ndef',
        "return dz1\n → return dz1[:, None]\n",
    ),
}
WRONG_LAYER1 = {
    "transposed": Wrong(
        {"W1"}, "other way round", change(LAYER1, "return torch.outer(dz1, x) → return torch.outer(x, dz1)")
    ),
    "no dz1": Wrong(
        {"W1"}, "dz1 is missing", change(LAYER1, "return torch.outer(dz1, x) → return x.repeat(len(dz1), 1)")
    ),
    "no x": Wrong(
        {"W1"},
        "x is missing",
        change(LAYER1, "return torch.outer(dz1, x) → return dz1[:, None].repeat(1, len(x))"),
    ),
    "sign of W1, composed": Wrong(
        {"W1"}, "sign is turned", change(COMPOSED, "return torch.outer → return -torch.outer")
    ),
    "bias summed": Wrong({"b1"}, "summed up", change(LAYER1, "return dz1\n → return dz1.sum()\n")),
    "bias averaged": Wrong({"b1"}, "averaged", change(LAYER1, "return dz1\n → return dz1.mean()\n")),
    "bias divided, composed": Wrong(
        {"b1"}, "divided", change(COMPOSED, "return dz1\n → return dz1 / len(dz1)\n")
    ),
    "uphill": Wrong({"descend"}, "uphill", change(COMPOSED, "- eta * → + eta *")),
    "mask lost": Wrong({"descend"}, '"W1"', change(LAYER1, "dh * (z1 > 0) → dh")),
    "o − ô": Wrong({"descend"}, "uphill", change(LAYER1, "o_hat - o → o - o_hat")),
    "biases stay": Wrong(
        {"descend"}, "does not move", change(LAYER1, "b1 - eta * dz1 → b1", "b2 - eta * dz2 → b2")
    ),
    "eta ignored": Wrong({"descend"}, "divided by eta", change(LAYER1, "eta * → 0.1 * ")),
    "2 eta": Wrong({"descend"}, "factor 2", change(LAYER1, "eta * → 2 * eta * ")),
    "W2 updated before the error goes down": Wrong(
        {"before"},
        "updated before",
        change(LAYER1, "dh = W2.T @ dz2 → dh = (W2 - eta * torch.outer(dz2, h)).T @ dz2"),
    ),
    "forward pass again with the new W2": Wrong(
        {"before"},
        "updated before",
        change(
            LAYER1,
            "    W1 = W1 - →     z1, h, o_hat = predict(x, {**theta, 'W2': W2, 'b2': b2})\n"
            "    dz1 = W2.T @ (o_hat - o) * (z1 > 0)\n    W1 = W1 -",
        ),
    ),
    "nothing returned": Wrong(
        {"descend", "before"}, "returns nothing", change(LAYER1, 'return {"W1" → theta = {"W1"')
    ),
    "gradients returned": Wrong(
        {"descend"},
        "W1",
        change(COMPOSED, "theta[name] - eta * gradient[name] → theta[name] - gradient[name]"),
    ),
}
