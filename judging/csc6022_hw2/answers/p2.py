"""Answers to problem 2 of Homework 2, mostly written as a change to a plain right one."""

from __future__ import annotations

from chainrule.authoring.answers import Exercise, Problem, Wrong, change

# Short names for the checks of each graded cell, in their order there. Those in brackets only inform.
CHECKS = {
    "p2_1a-output": ("(hand)", "J", "dz2"),
    "p2_2b-output-layer": ("(hand)", "W2", "b2"),
    "p2_3c-hidden": ("(hand)", "dh", "dz1"),
    "p2_4d-input-layer": ("(hand)", "W1", "b1", "descend", "before"),
}

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
    "a decay without eta": Wrong(
        {"descend"}, "W1", change(COMPOSED, "theta[name] - eta * → 0.99 * theta[name] - eta * ")
    ),
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

PROBLEM = Problem(
    notebook="p2_two_layer_gradients",
    given=(
        "p2_0-imports",
        "p2_0-network",
    ),
    checks=CHECKS,
    equivalent={
        "p2_1a-functions": {
            "…torch.as_tensor(o_hat)… → …torch.diag((o_hat))…": "a tensor stays what it is; arrays are not asked for"
        },
        "p2_3c-functions": {
            "…(z1 > 0) → …((z1 >= 0))": "the derivative at 0 is a convention; no unit is at 0"
        },
        "p2_4d-functions": {
            "… → …dE_dh(dz2, theta['W2']), z1)": "for a vector, dz2ᵀ W2 is W2ᵀ dz2",
            "…, z1) → …, h)": "h is above 0 exactly where z1 is",
            '… → …"b1": (dz1), …': "dE_db1 gives back what it takes",
            '… → …"b2": (dz2)}': "dE_db2 gives back what it takes",
        },
    },
    exercises=(
        Exercise(("p2_1a-output",), "p2_1a-functions", RIGHT_OUTPUT, WRONG_OUTPUT),
        Exercise(("p2_2b-output-layer",), "p2_2b-functions", RIGHT_LAYER2, WRONG_LAYER2),
        Exercise(("p2_3c-hidden",), "p2_3c-functions", RIGHT_HIDDEN, WRONG_HIDDEN),
        Exercise(("p2_4d-input-layer",), "p2_4d-functions", RIGHT_LAYER1, WRONG_LAYER1),
    ),
)
