"""Answers to problem 5 of Homework 2, many of them written as a change to a plain right one."""

from __future__ import annotations

from chainrule.authoring.answers import Exercise, Problem, Sources, Wrong, change

# Short names for the checks of each graded cell, in their order there.
CHECKS = {
    "p5_2-gradient": ("by hand", "real", "generated", "average"),
    "p5_3-last-layer": ("by hand", "real", "generated", "average"),
    "p5_4-recursion": ("by hand", "weights", "slopes", "depth"),
    "p5_5-sample-gradient": ("by hand", "weights", "generated only"),
    "p5_6-generator": ("by hand", "chain", "sum", "last", "below"),
    "p5_7-update": ("kept", "direction", "gradient", "rate", "start"),
    "p5_8-update": ("kept", "direction", "gradient", "rate", "start"),
}


def returns(signature: str, expression: str) -> str:
    """A function of one line."""
    return f"def {signature}:\n    return {expression}\n"


# -- 5.2 -------------------------------------------------------------------------------------------------

THETA_D_ARGS = "grad_theta_d(D_real, D_fake, dD_real, dD_fake)"


def theta_d(expression: str) -> str:
    return returns(THETA_D_ARGS, expression)


THETA_D = theta_d("(dD_real / D_real - dD_fake / (1 - D_fake)).mean(0)")

RIGHT_THETA_D = {
    "a mean of rows": THETA_D,
    "float32": theta_d("(dD_real.float() / D_real.float() - dD_fake.float() / (1 - D_fake.float())).mean(0)"),
    "two means": theta_d("torch.mean(dD_real / D_real, dim=0) - torch.mean(dD_fake / (1 - D_fake), dim=0)"),
    "a row": theta_d("(dD_real / D_real - dD_fake / (1 - D_fake)).mean(0, keepdim=True)"),
    "a column": theta_d("(dD_real / D_real + dD_fake / (D_fake - 1)).mean(0)[:, None]"),
    "matrix products": theta_d(
        "((1 / D_real).T @ dD_real - (1 / (1 - D_fake)).T @ dD_fake) / D_real.shape[0]"
    ),
    "einsum": theta_d(
        "torch.einsum('np,nj->p', dD_real, 1 / D_real) / len(D_real)"
        " - torch.einsum('np,nj->p', dD_fake, 1 / (1 - D_fake)) / len(D_fake)"
    ),
    "a loop and a list": """
def grad_theta_d(D_real, D_fake, dD_real, dD_fake):
    n, P = dD_real.shape
    total = [0.0] * P
    for i in range(n):
        for p in range(P):
            total[p] += float(dD_real[i, p] / D_real[i, 0] - dD_fake[i, p] / (1 - D_fake[i, 0])) / n
    return total
""",
    "in place": """
def grad_theta_d(D_real, D_fake, dD_real, dD_fake):
    dD_real /= D_real
    dD_fake /= 1 - D_fake
    dD_real -= dD_fake
    return dD_real.sum(0) / len(D_real)
""",
    "safe division": theta_d("(dD_real / (D_real + 1e-8) - dD_fake / (1 - D_fake + 1e-8)).mean(0)"),
    "NumPy": """
import numpy as np

def grad_theta_d(D_real, D_fake, dD_real, dD_fake):
    D_real, D_fake, dD_real, dD_fake = map(np.asarray, (D_real, D_fake, dD_real, dD_fake))
    return np.mean(dD_real / D_real - dD_fake / (1 - D_fake), axis=0)
""",
}

WRONG_THETA_D = {
    "sign of the second term": Wrong(
        {"generated"}, "wrong sign: the derivative of log(1 − u)", change(THETA_D, "- dD_fake → + dD_fake")
    ),
    "sign of the first term": Wrong(
        {"real"}, "wrong sign: raising D there raises L", change(THETA_D, "(dD_real / → (-dD_real /")
    ),
    "gradient of −L": Wrong({"average"}, "gradient of −L", change(THETA_D, "(dD_real → -(dD_real")),
    "no 1/n": Wrong({"average"}, "1/n is missing", change(THETA_D, "mean → sum")),
    "1/(2n)": Wrong({"average"}, "divide by n, not by 2n", change(THETA_D, ".mean(0) → .mean(0) / 2")),
    "1/n twice": Wrong({"average"}, "twice", change(THETA_D, ".mean(0) → .mean(0) / len(D_real)")),
    "1/n in one term only": Wrong(
        {"average"}, "1/n is missing", theta_d("dD_real.div(D_real).mean(0) - dD_fake.div(1 - D_fake).sum(0)")
    ),
    "a factor of its own": Wrong({"average"}, "3 times", change(THETA_D, ".mean(0) → .mean(0) * 3")),
    "no 1/D": Wrong({"real"}, "not divided by its own D(X)", change(THETA_D, "dD_real / D_real → dD_real")),
    "no 1/(1 − D)": Wrong(
        {"generated"}, "not divided by its own 1 − D", change(THETA_D, "dD_fake / (1 - D_fake) → dD_fake")
    ),
    "non-saturating": Wrong(
        {"generated"},
        "belongs to log D(G(Z))",
        change(THETA_D, "- dD_fake / (1 - D_fake) → + dD_fake / D_fake"),
    ),
    "minus non-saturating": Wrong(
        {"generated"}, "belongs to log D", change(THETA_D, "(1 - D_fake) → D_fake")
    ),
    "multiplied": Wrong({"real"}, "multiplied by D(X)", change(THETA_D, "dD_real / → dD_real *")),
    "D of the other samples": Wrong({"generated"}, "by 1 − D(X)", change(THETA_D, "1 - D_fake → 1 - D_real")),
    "sigmoid's derivative too": Wrong(
        {"real"},
        "belongs to the last layer's sigmoid",
        change(THETA_D, "dD_real / D_real → dD_real * (1 - D_real)"),
    ),
    "real samples only": Wrong({"generated"}, "term is zero", theta_d("(dD_real / D_real).mean(0)")),
    "only the sum of the Ds": Wrong(
        {"real"},
        "not divided by its own D(X)",
        theta_d("dD_real.mean(0) / D_real.mean() - (dD_fake / (1 - D_fake)).mean(0)"),
    ),
    "one D for all samples": Wrong(
        {"real", "generated"},
        "its own",
        theta_d("dD_real.mean(0) / D_real.mean() - dD_fake.mean(0) / (1 - D_fake.mean())"),
    ),
    "gradients of real and generated samples exchanged": Wrong(
        {"real", "generated"},
        "stands where",
        theta_d("(dD_fake / D_real - dD_real / (1 - D_fake)).mean(0)"),
    ),
    "not summed": Wrong({"average"}, "the sum over them is missing", change(THETA_D, ".mean(0) → ")),
    "only the last sample": Wrong(
        {"average"}, "only the last sample is counted", change(THETA_D, ".mean(0) → [-1] / len(D_real)")
    ),
    "only the first sample": Wrong(
        {"average"}, "only the first sample is counted", change(THETA_D, ".mean(0) → [0]")
    ),
    "the last sample left out": Wrong(
        {"average"}, "the last sample is left out", change(THETA_D, ".mean(0) → [:-1].sum(0) / len(D_real)")
    ),
    "D cut off at 0.01 and 0.99": Wrong(
        {"real", "generated"},
        "no multiple of the right one",
        change(THETA_D, "/ D_real → / D_real.clamp(0.01, 0.99)", "1 - D_fake → 1 - D_fake.clamp(0.01, 0.99)"),
    ),
    "D and a bit": Wrong(
        {"real", "generated"},
        "no multiple of the right one",
        change(THETA_D, "/ D_real → / (D_real + 0.01)", "1 - D_fake → 1.01 - D_fake"),
    ),
    "the logarithm for its derivative": Wrong(
        {"real", "generated"},
        "no multiple of the right one",
        theta_d("(dD_real * D_real.log() - dD_fake * (1 - D_fake).log()).mean(0)"),
    ),
    "summed over the parameters": Wrong(
        {"real", "generated", "average"}, "shape", change(THETA_D, "mean(0) → mean(1)")
    ),
    "zeros": Wrong({"real", "generated", "average"}, "is zero", theta_d("0 * dD_real[0]")),
    "ones": Wrong({"real", "generated", "average"}, "no multiple", theta_d("torch.ones(dD_real.shape[1])")),
    "nothing returned": Wrong({"real", "generated", "average"}, "`return`", theta_d("None")),
    "autograd": Wrong(
        {"by hand"},
        "leaves the differentiation to a library",
        """
def grad_theta_d(D_real, D_fake, dD_real, dD_fake):
    p, q = D_real.clone().requires_grad_(), D_fake.clone().requires_grad_()
    (torch.log(p) + torch.log(1 - q)).mean().backward()
    return (p.grad * dD_real + q.grad * dD_fake).sum(0)
""",
    ),
}

# -- 5.3 -------------------------------------------------------------------------------------------------


def deltas(real: str, fake: str) -> str:
    return f"def output_deltas(D_real, D_fake):\n    n = len(D_real)\n    return {real}, {fake}\n"


OUTPUT = deltas("(1 - D_real) / n", "-D_fake / n")

RIGHT_OUTPUT = {
    "short": OUTPUT,
    "not simplified": deltas(
        "1 / D_real * D_real * (1 - D_real) / n", "-1 / (1 - D_fake) * D_fake * (1 - D_fake) / n"
    ),
    "a list": change(OUTPUT, "return (1 - D_real) / n, -D_fake / n → return [(1 - D_real) / n, -D_fake / n]"),
    "one tensor": change(
        OUTPUT, "return (1 - D_real) / n, -D_fake / n → return torch.stack([1 - D_real, -D_fake]) / n"
    ),
    "one below the other": change(
        OUTPUT, "return (1 - D_real) / n, -D_fake / n → return torch.cat([1 - D_real, -D_fake]) / n"
    ),
    "labels minus predictions": """
def output_deltas(D_real, D_fake):
    D, y = torch.cat([D_real, D_fake]), torch.cat([torch.ones_like(D_real), torch.zeros_like(D_fake)])
    delta = (y - D) / len(D_real)
    return delta[: len(D_real)], delta[len(D_real) :]
""",
    "NumPy": """
import numpy as np

def output_deltas(D_real, D_fake):
    D_real, D_fake = np.asarray(D_real), np.asarray(D_fake)
    return (1 - D_real) / len(D_real), -D_fake / len(D_fake)
""",
    "safe division": deltas(
        "1 / (D_real + 1e-8) * D_real * (1 - D_real) / n",
        "-1 / (1 - D_fake + 1e-8) * D_fake * (1 - D_fake) / n",
    ),
    "in place": """
def output_deltas(D_real, D_fake):
    n = D_real.shape[0]
    D_real -= 1
    D_real /= -n
    D_fake /= -n
    return D_real, D_fake
""",
    "through the logits": """
def output_deltas(D_real, D_fake):
    z_real, z_fake = torch.log(D_real / (1 - D_real)), torch.logit(D_fake)
    return torch.sigmoid(-z_real) / len(z_real), -torch.sigmoid(z_fake) / len(z_fake)
""",
    "nested lists": """
def output_deltas(D_real, D_fake):
    n = D_real.numel()
    return [[(1 - d) / n] for d in D_real.flatten().tolist()], [[-d / n] for d in D_fake.flatten().tolist()]
""",
}

WRONG_OUTPUT = {
    "sign of the second": Wrong({"generated"}, "wrong sign", change(OUTPUT, "-D_fake → D_fake")),
    "sign of the first": Wrong({"real"}, "wrong sign", change(OUTPUT, "(1 - D_real) → (D_real - 1)")),
    "gradient of −L": Wrong({"average"}, "gradient of −L", deltas("(D_real - 1) / n", "D_fake / n")),
    "D cut off at 0.01 and 0.99": Wrong(
        {"real", "generated"},
        "no multiple of the right one",
        deltas("(1 - D_real.clamp(0.01, 0.99)) / n", "-D_fake.clamp(0.01, 0.99) / n"),
    ),
    "the pair the other way round": Wrong(
        {"real", "generated"}, "the real samples' one comes first", deltas("-D_fake / n", "(1 - D_real) / n")
    ),
    "D of the other samples": Wrong(
        {"real"}, "D at the generated samples is used", deltas("(1 - D_fake) / n", "-D_fake / n")
    ),
    "squares": Wrong(
        {"real", "generated"},
        "no multiple of the right one",
        deltas("(1 - D_real) ** 2 / n", "-(D_fake ** 2) / n"),
    ),
    "a sigmoid too many": Wrong(
        {"real", "generated"},
        "no multiple of the right one",
        deltas("(1 - torch.sigmoid(D_real)) / n", "-torch.sigmoid(D_fake) / n"),
    ),
    "D cut off, without 1/n": Wrong(
        {"real", "generated", "average"},
        "1/n is missing",
        deltas("1 - D_real.clamp(0.01, 0.99)", "-D_fake.clamp(0.01, 0.99)"),
    ),
    "D cut off at 0.001": Wrong(
        {"real", "generated"},
        "no multiple of the right one",
        deltas("(1 - D_real.clamp(1e-3, 0.999)) / n", "-D_fake.clamp(1e-3, 0.999) / n"),
    ),
    "no 1/n": Wrong({"average"}, "1/n is missing", deltas("1 - D_real", "-D_fake")),
    "1/(2n)": Wrong({"average"}, "not by 2n", deltas("(1 - D_real) / (2 * n)", "-D_fake / (2 * n)")),
    "1/n in one only": Wrong({"average"}, "1/n is missing", deltas("(1 - D_real) / n", "-D_fake")),
    "no sigmoid": Wrong(
        {"real", "generated"},
        "sigmoid's derivative D(1 − D) is missing",
        deltas("1 / D_real / n", "-1 / (1 - D_fake) / n"),
    ),
    "no sigmoid for generated": Wrong(
        {"generated"}, "derivative D(1 − D) is missing", change(OUTPUT, "-D_fake → -1 / (1 - D_fake)")
    ),
    "D(1 − D) once more": Wrong(
        {"real"}, "extra factor", change(OUTPUT, "(1 - D_real) → (1 - D_real) * D_real * (1 - D_real)")
    ),
    "D(1 − D) once more for generated": Wrong(
        {"generated"}, "extra factor", change(OUTPUT, "-D_fake → -D_fake * D_fake * (1 - D_fake)")
    ),
    "only the sigmoid": Wrong(
        {"real"}, "not that of the logarithm", change(OUTPUT, "(1 - D_real) → D_real * (1 - D_real)")
    ),
    "non-saturating": Wrong({"generated"}, "non-saturating", change(OUTPUT, "-D_fake → (1 - D_fake)")),
    "minus non-saturating": Wrong({"generated"}, "non-saturating", change(OUTPUT, "-D_fake → -(1 - D_fake)")),
    "kinds exchanged": Wrong(
        {"real", "generated"}, "belongs to generated", deltas("-D_real / n", "(1 - D_fake) / n")
    ),
    "σ′ at D": Wrong(
        {"real"},
        "σ′ is taken at D",
        change(OUTPUT, "(1 - D_real) → torch.sigmoid(D_real) * (1 - torch.sigmoid(D_real)) / D_real"),
    ),
    "summed over the batch": Wrong(
        {"real", "generated", "average"}, "shape", deltas("(1 - D_real).mean()", "-D_fake.mean()")
    ),
    "one for all": Wrong(
        {"real", "generated", "average"},
        "pair",
        returns("output_deltas(D_real, D_fake)", "1 - D_real"),
    ),
    "real samples summed": Wrong({"real"}, "shape ()", deltas("(1 - D_real).sum() / n", "-D_fake / n")),
    "generated samples averaged": Wrong(
        {"generated"}, "shape ()", deltas("(1 - D_real) / n", "-D_fake.mean()")
    ),
    "zeros": Wrong({"real", "generated", "average"}, "is zero", deltas("0 * D_real", "0 * D_fake")),
    "ones": Wrong(
        {"real", "generated", "average"}, "no multiple", deltas("D_real * 0 + 1", "D_fake * 0 + 1")
    ),
    "autograd": Wrong(
        {"by hand"},
        "leaves the differentiation to a library",
        """
def output_deltas(D_real, D_fake):
    p, q = (torch.logit(D).requires_grad_() for D in (D_real, D_fake))
    L = (torch.log(torch.sigmoid(p)) + torch.log(1 - torch.sigmoid(q))).mean()
    return torch.autograd.grad(L, [p, q])
""",
    ),
}

# -- 5.4 -------------------------------------------------------------------------------------------------

BACK = """
def backpropagate(delta, W, z, kinds):
    deltas = {len(W): delta}
    for l in range(len(W) - 1, 0, -1):
        deltas[l] = (deltas[l + 1] @ W[l + 1]) * activation_prime(kinds[l], z[l])
    return deltas
"""

RIGHT_BACK = {
    "a loop": BACK,
    "einsum": change(BACK, "(deltas[l + 1] @ W[l + 1]) → torch.einsum('nj,jk->nk', deltas[l + 1], W[l + 1])"),
    "columns": change(BACK, "(deltas[l + 1] @ W[l + 1]) → (W[l + 1].T @ deltas[l + 1].T).T"),
    "recursive": """
def backpropagate(delta, W, z, kinds, l=None):
    l = l or len(W)
    if l == 1:
        return {1: delta}
    below = activation_prime(kinds[l - 1], z[l - 1]) * torch.matmul(delta, W[l])
    return backpropagate(below, W, z, kinds, l - 1) | {l: delta}
""",
    "one sample at a time": """
def backpropagate(delta, W, z, kinds):
    result = {l: torch.zeros_like(z[l]) for l in z}
    for i in range(len(delta)):
        d = delta[i]
        result[len(W)][i] = d
        for l in reversed(range(1, len(W))):
            d = torch.diag(activation_prime(kinds[l], z[l][i])) @ W[l + 1].T @ d
            result[l][i] = d
    return result
""",
    "NumPy": """
import numpy as np

def backpropagate(delta, W, z, kinds):
    delta = np.asarray(delta)
    deltas = {len(W): delta}
    for l in range(len(W) - 1, 0, -1):
        delta = delta @ np.asarray(W[l + 1]) * activation_prime(kinds[l], np.asarray(z[l]))
        deltas[l] = delta
    return deltas
""",
    "slopes of its own": """
def slope(kind, z):
    h = activation(kind, z)
    if kind == "tanh":
        return 1 - h * h
    if kind == "sigmoid":
        return h * (1 - h)
    if kind == "leaky_relu":
        return 0.2 + 0.8 * (z >= 0)
    return 1 / (1 + torch.exp(-z)) if kind == "softplus" else 1.0

def backpropagate(delta, W, z, kinds):
    out = {max(W): delta}
    for l in sorted(W, reverse=True)[:-1]:
        out[l - 1] = out[l].mm(W[l]).mul(slope(kinds[l - 1], z[l - 1]))
    return out
""",
    "without the last layer": change(BACK, "return deltas → del deltas[len(W)]; return deltas"),
    "a list": change(BACK, "return deltas → return [deltas[l] for l in sorted(deltas)]"),
    "takes the weights out": """
def backpropagate(delta, W, z, kinds):
    deltas = {}
    while len(W) > 1:
        l = len(W)
        deltas[l] = delta
        delta = delta @ W.pop(l) * activation_prime(kinds[l - 1], z[l - 1])
    return {**deltas, 1: delta}
""",
    "down to the input": change(BACK, "return deltas → deltas[0] = deltas[1] @ W[1]; return deltas"),
}

_ALL = {"weights", "slopes", "depth"}

WRONG_BACK = {
    "W not transposed": Wrong(
        {"by hand", "weights"}, "the wrong way round", change(BACK, "@ W[l + 1] → @ W[l + 1].T")
    ),
    "W of layer l": Wrong(
        {"by hand", "weights"}, "weights of layer l are used", change(BACK, "W[l + 1] → W[l]")
    ),
    "W of layer l, transposed": Wrong(
        {"by hand", "weights"}, "and the wrong way round", change(BACK, "W[l + 1] → W[l].T")
    ),
    "no weights": Wrong(
        {"by hand", "weights", "slopes", "depth"},
        "without its weights",
        change(BACK, "@ W[l + 1] → * 1.0"),
    ),
    "g′ at the activation": Wrong(
        {"slopes"},
        "it belongs at the pre-activation",
        change(BACK, "kinds[l], z[l] → kinds[l], activation(kinds[l], z[l])"),
    ),
    "no g′": Wrong({"slopes"}, "g′(z[l]) is missing", change(BACK, " * activation_prime(kinds[l], z[l]) → ")),
    "g for g′": Wrong({"slopes"}, "g itself", change(BACK, "activation_prime → activation")),
    "g′ of what comes from above": Wrong(
        {"slopes", "depth"},  # no longer linear in what comes from above, so nothing can be followed through
        "from what comes from above",
        change(BACK, "kinds[l], z[l] → kinds[l], deltas[l + 1] @ W[l + 1]"),
    ),
    "kind of layer l + 1": Wrong({"slopes"}, "g′ of layer l + 1", change(BACK, "kinds[l] → kinds[l + 1]")),
    "tanh for every kind": Wrong({"slopes"}, "with leaky_relu", change(BACK, "kinds[l] → 'tanh'")),
    "one step only": Wrong(
        {"depth"},
        "is missing",
        change(BACK, "range(len(W) - 1, 0, -1) → range(len(W) - 1, len(W) - 2, -1)"),
    ),
    "stops above the first layer": Wrong({"depth"}, "[1] is missing", change(BACK, "0, -1) → 1, -1)")),
    "always from the last delta": Wrong(
        {"by hand", "depth"}, "shapes cannot be multiplied", change(BACK, "deltas[l + 1] @ → delta @")
    ),
    "weights changed before the delta passes": Wrong(
        {"weights"},
        "0.9 times",
        change(
            BACK, "        deltas[l] =  →         W[l + 1] = W[l + 1] - 0.1 * W[l + 1]\n        deltas[l] = "
        ),
    ),
    "the last layer's kind and z": Wrong(
        {"by hand", "slopes"},
        "layer l + 1 is used, in z and in kinds",
        change(BACK, "kinds[l], z[l] → kinds[l + 1], z[l + 1]"),
    ),
    "the slope before the weights": Wrong(
        {"slopes"},
        "g′ of layer l + 1 is there, before the weights",
        change(
            BACK,
            "(deltas[l + 1] @ W[l + 1]) * activation_prime(kinds[l], z[l]) → "
            "(deltas[l + 1] * activation_prime(kinds[l + 1], z[l + 1])) @ W[l + 1]",
        ),
    ),
    "sigmoid for every kind": Wrong(
        {"slopes"},
        "the slope of sigmoid is there, whatever the kind is",
        change(BACK, "kinds[l] → 'sigmoid'"),
    ),
    "the last layer first, in a list": Wrong(
        {"weights", "slopes", "depth"},
        "does a list begin with layer 1?",
        change(BACK, "return deltas → return list(deltas.values())"),
    ),
    "two layers only": Wrong(
        {"by hand", "depth"},
        "shapes cannot be multiplied",
        returns(
            "backpropagate(delta, W, z, kinds)",
            "{2: delta, 1: delta @ W[2] * activation_prime(kinds[1], z[1])}",
        ),
    ),
    "two steps from the top": Wrong(
        {"depth"},
        "[1] is missing",
        """
def backpropagate(delta, W, z, kinds):
    L = len(W)
    deltas = {L: delta}
    for l in (L - 1, L - 2):
        deltas[l] = deltas[l + 1] @ W[l + 1] * activation_prime(kinds[l], z[l])
    return deltas
""",
    ),
    "three layers only": Wrong(
        {"depth"},
        "is not made from",
        """
def backpropagate(delta, W, z, kinds):
    two = delta @ W[3] * activation_prime(kinds[2], z[2])
    return {3: delta, 2: two, 1: two @ W[2] * activation_prime(kinds[1], z[1])}
""",
    ),
    "the last layer's slope once more": Wrong(
        {"weights"},
        "it meets no g′(z[2]) any more",
        change(BACK, "{len(W): delta} → {len(W): delta * activation_prime(kinds[len(W)], z[len(W)])}"),
    ),
    "averaged once more": Wrong(
        {"weights"},
        "1/n is in the last layer's delta already",
        change(BACK, "@ W[l + 1]) → @ W[l + 1] / len(delta))"),
    ),
    "zeros": Wrong(
        {"weights", "slopes", "depth"},
        "sent back",
        returns("backpropagate(delta, W, z, kinds)", "{l: 0 * z[l] for l in z}"),
    ),
    "ones": Wrong(
        {"weights", "slopes", "depth"},
        "sent back",
        returns("backpropagate(delta, W, z, kinds)", "{l: 0 * z[l] + 1 for l in z}"),
    ),
    "pre-activations": Wrong(
        {"weights", "slopes", "depth"}, "sent back", returns("backpropagate(delta, W, z, kinds)", "z")
    ),
    "a tensor": Wrong(
        {"weights", "slopes", "depth"},
        "expected a dict",
        returns("backpropagate(delta, W, z, kinds)", "delta"),
    ),
    "nothing returned": Wrong(_ALL, "`return`", change(BACK, "return deltas → return None")),
    "autograd": Wrong(
        {"by hand"},
        "leaves the differentiation to a library",
        """
def backpropagate(delta, W, z, kinds):
    deltas = {len(W): delta}
    for l in range(len(W) - 1, 0, -1):
        x = z[l].clone().requires_grad_()
        (activation(kinds[l], x) @ W[l + 1].T).backward(deltas[l + 1])
        deltas[l] = x.grad
    return deltas
""",
    ),
}

# -- 5.5 -------------------------------------------------------------------------------------------------


def sample(expression: str) -> str:
    return returns("sample_gradient(W1, delta_real, delta_fake)", expression)


RIGHT_SAMPLE = {
    "a product": sample("delta_fake @ W1"),
    "columns": sample("(W1.T @ delta_fake.T).T"),
    "einsum": sample("torch.einsum('nj,jk->nk', delta_fake, W1)"),
    "sample by sample": sample("torch.stack([W1.T @ row for row in delta_fake])"),
    "lists": sample("[[float(sum(d * w for d, w in zip(row, col))) for col in W1.T] for row in delta_fake]"),
    "NumPy": sample("__import__('numpy').asarray(delta_fake).dot(__import__('numpy').asarray(W1))"),
    "broadcast": sample("(delta_fake[:, :, None] * W1[None]).sum(1)"),
}

WRONG_SAMPLE = {
    "W not transposed": Wrong({"by hand", "weights"}, "the wrong way round", sample("delta_fake @ W1.T")),
    "real samples counted": Wrong(
        {"generated only"}, "changes with delta_real", sample("(delta_real + delta_fake) @ W1")
    ),
    "real and generated exchanged, with a factor": Wrong(
        {"weights", "generated only"}, "changes with delta_real", sample("2 * delta_real @ W1")
    ),
    "real samples subtracted": Wrong(
        {"generated only"}, "changes with delta_real", sample("(delta_fake - delta_real) @ W1")
    ),
    "real samples instead": Wrong(
        {"weights", "generated only"}, "delta_real is used", sample("delta_real @ W1")
    ),
    "both, one below the other": Wrong(
        {"weights", "generated only"},
        "(14, 4), not (7, 4)",
        sample("torch.cat([delta_real, delta_fake]) @ W1"),
    ),
    "sign": Wrong({"weights"}, "gradient of −L", sample("-delta_fake @ W1")),
    "1/n once more": Wrong({"weights"}, "1/n is in the deltas", sample("delta_fake @ W1 / len(delta_fake)")),
    "summed over the samples": Wrong({"weights"}, "shape", sample("(delta_fake @ W1).sum(0)")),
    "an activation too many": Wrong(
        {"weights", "generated only"},
        "off by",
        sample("(delta_fake @ W1) * (1 - torch.tanh(delta_fake @ W1) ** 2)"),
    ),
    "no weights": Wrong({"weights", "generated only"}, "only what was given", sample("delta_fake")),
    "zeros": Wrong({"weights", "generated only"}, "nothing can be said", sample("0 * delta_fake @ W1")),
    "ones": Wrong({"weights", "generated only"}, "nothing can be said", sample("0 * delta_fake @ W1 + 1")),
    "autograd": Wrong(
        {"by hand"},
        "leaves the differentiation to a library",
        """
def sample_gradient(W1, delta_real, delta_fake):
    x = torch.zeros(len(delta_fake), W1.shape[1], dtype=W1.dtype, requires_grad=True)
    (x @ W1.T * delta_fake).sum().backward()
    return x.grad
""",
    ),
}

# -- 5.6 -------------------------------------------------------------------------------------------------

GENERATOR = """
def grad_theta_g(dL_dg, dg):
    return torch.einsum("nk,nkp->p", dL_dg, dg)


def generator_gradients(dL_dg, W, z, A, kinds):
    delta = dL_dg * activation_prime(kinds[len(W)], z[len(W)])
    return weight_gradients(backpropagate(delta, W, z, kinds), A)
"""

_JACOBIAN = 'torch.einsum("nk,nkp->p", dL_dg, dg)'
_SLOPE = " * activation_prime(kinds[len(W)], z[len(W)])"

RIGHT_GENERATOR: dict[str, Sources] = {
    "einsum": GENERATOR,
    "tensordot": change(
        GENERATOR, 'torch.einsum("nk,nkp->p", dL_dg, dg) → torch.tensordot(dL_dg, dg, dims=2)'
    ),
    "sample by sample": change(
        GENERATOR, 'torch.einsum("nk,nkp->p", dL_dg, dg) → sum(J.T @ d for J, d in zip(dg, dL_dg))'
    ),
    "matmul": change(
        GENERATOR, 'torch.einsum("nk,nkp->p", dL_dg, dg) → torch.matmul(dL_dg[:, None, :], dg).sum(0)'
    ),
    "NumPy": change(
        GENERATOR,
        "torch.einsum → np.einsum",
        "return np → import numpy as np; return np",
        "dL_dg, dg)\n → dL_dg, dg).tolist()\n",
    ),
    "without backpropagate": """
def grad_theta_g(dL_dg, dg):
    return (dL_dg.unsqueeze(2) * dg).sum(dim=(0, 1))


def generator_gradients(dL_dg, W, z, A, kinds):
    gradients, upstream = {}, dL_dg
    for l in range(len(W), 0, -1):
        delta = upstream * activation_prime(kinds[l], z[l])
        gradients[l] = torch.einsum("no,ni->oi", delta, A[l - 1])
        upstream = delta @ W[l]
    return gradients
""",
}

# Right answers to the parts before in a form of their own: all functions are used together here.
RIGHT_GENERATOR |= {
    "after the last layer in float32": {
        "p5_3-code": deltas("(1 - D_real.float()) / n", "-D_fake.float() / n"),
        "p5_6-code": GENERATOR,
    },
    "after both of the last layer's in one": {
        "p5_3-code": RIGHT_OUTPUT["one below the other"],
        "p5_6-code": GENERATOR,
    },
    "after a list": {"p5_4-code": RIGHT_BACK["a list"], "p5_6-code": GENERATOR},
    "after NumPy": {"p5_4-code": RIGHT_BACK["NumPy"], "p5_6-code": GENERATOR},
    "after a list of samples": {
        "p5_5-code": sample("[W1.T @ row for row in delta_fake]"),
        "p5_6-code": GENERATOR,
    },
    "recursive": change(
        GENERATOR,
        f"    delta = dL_dg{_SLOPE}\n →     def down(l, upstream):\n"
        "        if l == 0:\n"
        "            return {}\n"
        "        delta = upstream * activation_prime(kinds[l], z[l])\n"
        "        return {**down(l - 1, delta @ W[l]), l: torch.einsum('no,ni->oi', delta, A[l - 1])}\n\n",
        "weight_gradients(backpropagate(delta, W, z, kinds), A) → down(len(W), dL_dg)",
    ),
    "names of arguments": change(GENERATOR, "(delta, W, z, kinds) → (delta=delta, W=W, z=z, kinds=kinds)"),
    "in place": change(GENERATOR, f"dL_dg{_SLOPE} → dL_dg.mul_({_SLOPE.removeprefix(' * ')})"),
    "a list": change(
        GENERATOR,
        "return weight_gradients(backpropagate(delta, W, z, kinds), A) → "
        "return list(weight_gradients(backpropagate(delta, W, z, kinds), A).values())[::-1]",
    ),
}

WRONG_GENERATOR = {
    "D forgotten": Wrong(
        {"chain"}, "the chain through D is cut", change(GENERATOR, f"{_JACOBIAN} → dg.sum((0, 1))")
    ),
    "1/n once more": Wrong(
        {"sum"}, "1/n is in ∂L/∂g already", change(GENERATOR, f"{_JACOBIAN} → {_JACOBIAN} / len(dg)")
    ),
    "sign": Wrong({"sum"}, "gradient of −L", change(GENERATOR, "return torch.einsum → return -torch.einsum")),
    "only the last sample": Wrong(
        {"sum"},
        "only the last sample is counted",
        change(GENERATOR, f"{_JACOBIAN} → dL_dg[-1] @ dg[-1]"),
    ),
    "not summed over the coordinates": Wrong(
        {"sum"}, "the sum over them is missing", change(GENERATOR, "nkp->p → nkp->kp")
    ),
    "three layers only": Wrong(
        {"by hand", "below"},
        "of 4 layers",
        change(
            GENERATOR,
            f"    delta = dL_dg{_SLOPE}\n →     d3 = dL_dg * activation_prime(kinds[3], z[3])\n"
            "    d2 = d3 @ W[3] * activation_prime(kinds[2], z[2])\n"
            "    d1 = d2 @ W[2] * activation_prime(kinds[1], z[1])\n",
            "return weight_gradients(backpropagate(delta, W, z, kinds), A) → "
            "return {3: d3.T @ A[2], 2: d2.T @ A[1], 1: d1.T @ A[0]}",
        ),
    ),
    "z of the layer below": Wrong(
        {"by hand", "last"}, "off by", change(GENERATOR, "z[len(W)]) → z[len(W) - 1])")
    ),
    "not summed over the samples": Wrong(
        {"sum"}, "the sum over them is missing", change(GENERATOR, "nkp->p → nkp->np")
    ),
    "averages multiplied": Wrong(
        {"chain"},
        "averaged over the samples before",
        change(GENERATOR, f"{_JACOBIAN} → dL_dg.mean(0) @ dg.sum(0)"),
    ),
    "first coordinate only": Wrong(
        {"chain"},
        "only the first coordinate",
        change(GENERATOR, f"{_JACOBIAN} → dL_dg[:, 0] @ dg[:, 0]"),
    ),
    "coordinates summed apart": Wrong(
        {"chain"}, "summed apart", change(GENERATOR, f"{_JACOBIAN} → dL_dg.sum(1) @ dg.sum(1)")
    ),
    "zeros for the formula": Wrong(
        {"chain", "sum"}, "no multiple", change(GENERATOR, f"{_JACOBIAN} → 0 * dg[0, 0]")
    ),
    "ones for the formula": Wrong(
        {"chain", "sum"}, "no multiple", change(GENERATOR, f"{_JACOBIAN} → 0 * dg[0, 0] + 1")
    ),
    "no g′ at the output": Wrong({"last"}, "last layer is missing", change(GENERATOR, f"{_SLOPE} → ")),
    "g′ at the output's activation": Wrong(
        {"last"}, "taken at its activation", change(GENERATOR, "z[len(W)]) → A[len(W)])")
    ),
    "1/n once more in the layers": Wrong(
        {"last"},
        "1/n is in ∂L/∂g already",
        change(GENERATOR, "delta = dL_dg → delta = dL_dg / len(dL_dg)"),
    ),
    "sign in the layers": Wrong(
        {"last"}, "gradient of −L", change(GENERATOR, "delta = dL_dg → delta = -dL_dg")
    ),
    "g′ everywhere once more": Wrong(
        {"below"},
        "off by",
        change(
            GENERATOR,
            "backpropagate(delta, W, z, kinds), A → again, A",
            "    return weight →     again = backpropagate(delta, W, z, kinds)\n"
            "    for l in range(1, len(W)):\n"
            "        again[l] = again[l] * activation_prime(kinds[l], z[l])\n"
            "    return weight",
        ),
    ),
    "g′ twice at the output": Wrong({"last"}, "off by", change(GENERATOR, f"{_SLOPE} → {_SLOPE} ** 2")),
    "g for g′ at the output": Wrong(
        {"last"}, "off by", change(GENERATOR, "activation_prime(kinds[len(W)] → activation(kinds[len(W)]")
    ),
    "pre-activations into the weights' gradients": Wrong(
        {"last"},
        "before the activation",
        change(GENERATOR, "z, kinds), A) → z, kinds), {0: A[0], **z})"),
    ),
    "activations of the layer itself": Wrong(
        {"last"},
        "shape",
        change(GENERATOR, "A) → {l - 1: a for l, a in A.items()})", "kinds), {l  → kinds), {l "),
    ),
    "activations handed on as pre-activations": Wrong(
        {"below"},
        "off by",
        change(GENERATOR, "backpropagate(delta, W, z, kinds) → backpropagate(delta, W, A, kinds)"),
    ),
    "weights and pre-activations exchanged": Wrong(
        {"by hand", "last", "below"},
        "raised",
        change(GENERATOR, "backpropagate(delta, W, z, kinds) → backpropagate(delta, z, W, kinds)"),
    ),
    "last layer only": Wrong(
        {"below"},
        "is missing",
        change(GENERATOR, "backpropagate(delta, W, z, kinds) → {len(W): delta}"),
    ),
    "transposed": Wrong(
        {"last"},
        "has shape",
        change(
            GENERATOR, "return weight → return {l: g.T for l, g in weight", "kinds), A) → kinds), A).items()}"
        ),
    ),
    "zeros in the layers": Wrong(
        {"last", "below"}, "off by", change(GENERATOR, "delta = dL_dg → delta = 0 * dL_dg")
    ),
    "ones in the layers": Wrong(
        {"last", "below"},
        "off by",
        change(
            GENERATOR,
            "weight_gradients(backpropagate(delta, W, z, kinds), A) → {l: 0 * w + 1 for l, w in W.items()}",
        ),
    ),
    "autograd": Wrong(
        {"by hand"},
        "leaves the differentiation to a library",
        change(
            GENERATOR,
            f"    delta = dL_dg{_SLOPE}\n →     own = {{l: w.clone().requires_grad_() for l, w in W.items()}}\n"
            "    forward(A[0], own, kinds)[1][len(W)].backward(dL_dg)\n"
            "    return {l: w.grad for l, w in own.items()}\n",
        ),
    ),
}

# -- 5.7 and 5.8 -----------------------------------------------------------------------------------------

UPDATE_D = returns(
    "update_discriminator(theta_d, gradients, alpha)",
    '{l: theta_d[l] + alpha * gradients["theta_d"][l] for l in theta_d}',
)
UPDATE_G = returns(
    "update_generator(theta_g, gradients, alpha)",
    '{l: theta_g[l] - alpha * gradients["theta_g"][l] for l in theta_g}',
)


def right_updates(plain: str, theta: str, sign: str) -> dict[str, str]:
    head = plain.split("\n")[0] + "\n"
    step = f'alpha * gradients["{theta}"]'
    return {
        "a comprehension": plain,
        "a loop": head
        + f"    new = {{l: w.clone() for l, w in {theta}.items()}}\n    for l in new:\n"
        + f"        new[l] {sign}= {step}[l]\n    return new\n",
        "a copy first": head
        + f"    new, g = dict({theta}), gradients[{theta!r}]\n    for l in new:\n"
        + f"        new[l] = torch.add(new[l], g[l], alpha={sign}alpha)\n    return new\n",
        "NumPy": head
        + f"    step = {{l: alpha * np.asarray(g) for l, g in gradients[{theta!r}].items()}}\n"
        + f"    return {{l: np.asarray(w) {sign} step[l] for l, w in {theta}.items()}}\n",
        "a list": head + f"    return [w {sign} {step}[l] for l, w in {theta}.items()]\n",
        "the last layer first": change(plain, f"for l in {theta} → for l in sorted({theta}, reverse=True)"),
        "zipped": head + f"    pairs = zip({theta}.values(), gradients[{theta!r}].values())\n"
        f"    return dict(zip({theta}, (w {sign} alpha * g for w, g in pairs)))\n",
    }


def wrong_updates(plain: str, theta: str, sign: str, other: str, against: str, told: str) -> dict[str, Wrong]:
    head = plain.split("\n")[0] + "\n"
    step = f'alpha * gradients["{theta}"]'
    in_place = f"    for l in {theta}:\n        {theta}[l] {sign}= {step}[l]\n    return {theta}\n"
    return {
        "the other direction": Wrong({"direction"}, told, change(plain, f"{sign} alpha → {against} alpha")),
        "the other's gradient": Wrong(
            {"gradient"}, f'gradients["{other}"] is used', change(plain, f's["{theta}"] → s["{other}"]')
        ),
        "both gradients": Wrong(
            {"gradient"},
            "both gradients",
            change(plain, f'gradients["{theta}"][l] → (gradients["{theta}"][l] + gradients["{other}"][l])'),
        ),
        "the other's gradient the other way": Wrong(
            {"gradient", "direction"},
            told,
            change(plain, f"{sign} alpha → {against} alpha", f's["{theta}"] → s["{other}"]'),
        ),
        "no α": Wrong({"rate"}, "α is not used", change(plain, "alpha * gradients → gradients")),
        "divided by α": Wrong(
            {"rate"}, "divided by α", change(plain, "alpha * gradients → 1 / alpha * gradients")
        ),
        "a rate of its own": Wrong(
            {"rate"}, "with α = 0.05", change(plain, "alpha * gradients → 0.01 * gradients")
        ),
        "only the step": Wrong(
            {"start"}, "θ itself is missing", change(plain, f"{theta}[l] {sign} → {sign} ")
        ),
        "in place": Wrong({"kept"}, "changed by the call", head + in_place),
        "into the given dict": Wrong(
            {"kept"},
            "changed by the call",
            head + in_place.replace(f"{theta}[l] {sign}=", f"{theta}[l] = {theta}[l] {sign}"),
        ),
        "in place, with sub_": Wrong(
            {"kept"},
            "changed by the call",
            head
            + f"    return {{l: w.add_(gradients[{theta!r}][l], alpha={sign}alpha) for l, w in {theta}.items()}}\n",
        ),
        "in place, nothing returned": Wrong(
            {"kept", "direction", "gradient", "rate", "start"},
            "`return`",
            head + in_place.replace(f"    return {theta}\n", ""),
        ),
        "a sign of the gradient": Wrong(
            {"rate"},
            "no multiple of it",
            change(plain, f'gradients["{theta}"][l] → torch.sign(gradients["{theta}"][l])'),
        ),
        "a clipped gradient": Wrong(
            {"rate"},
            "no multiple of it",
            change(plain, f'gradients["{theta}"][l] → gradients["{theta}"][l].clamp(-1, 1)'),
        ),
        "the sign of the other's gradient": Wrong(
            {"gradient", "rate"},
            f'gradients["{other}"] is used',
            change(plain, f'gradients["{theta}"][l] → torch.sign(gradients["{other}"][l])'),
        ),
        "unchanged": Wrong(
            {"kept", "direction", "gradient", "rate", "start"}, "do not move", head + f"    return {theta}\n"
        ),
        "zeros": Wrong(
            {"kept", "direction", "gradient", "rate", "start"},
            "do not move",
            head + f"    return {{l: 0 * w for l, w in {theta}.items()}}\n",
        ),
        "three layers, whatever the network": Wrong(
            {"start", "kept"}, "KeyError", change(plain, f"for l in {theta} → for l in (1, 2, 3)")
        ),
        "two layers, whatever the network": Wrong(
            {"start"}, "[3] is missing", change(plain, f"for l in {theta} → for l in (1, 2)")
        ),
        "a gradient of length 1": Wrong(
            {"rate"},
            "no multiple of it",
            change(
                plain, f'gradients["{theta}"][l] → gradients["{theta}"][l] / gradients["{theta}"][l].norm()'
            ),
        ),
        "another layer's gradient": Wrong(
            {"start"}, "must match", change(plain, f'["{theta}"][l] → ["{theta}"][max(l - 1, 1)]')
        ),
        "only the last layer moves": Wrong(
            {"rate"},
            "in all layers",
            head + f"    L = len({theta})\n    return {{**{theta}, L: {theta}[L] {sign} {step}[L]}}\n",
        ),
        "one gradient minus the other": Wrong(
            {"gradient"},
            "both gradients",
            change(plain, f'gradients["{theta}"][l] → (gradients["{theta}"][l] - gradients["{other}"][l])'),
        ),
        "a decay of its own": Wrong(
            {"start"}, "they change", change(plain, f"{theta}[l] {sign} → 0.99 * {theta}[l] {sign}")
        ),
        "first layer only": Wrong(
            {"start"}, "[2] is missing", head + f"    return {{1: {theta}[1] {sign} {step}[1]}}\n"
        ),
        "all layers but the last": Wrong(
            {"start"}, "[2] is missing", change(plain, f"for l in {theta} → for l in range(1, len({theta}))")
        ),
    }


RIGHT_UPDATE_D = right_updates(UPDATE_D, "theta_d", "+")
RIGHT_UPDATE_G = right_updates(UPDATE_G, "theta_g", "-")
WRONG_UPDATE_D = wrong_updates(UPDATE_D, "theta_d", "+", "theta_g", "-", "this is gradient descent")
WRONG_UPDATE_G = wrong_updates(UPDATE_G, "theta_g", "-", "theta_d", "+", "this is gradient ascent")

SAME_N = "both halves of a minibatch have n samples"

PROBLEM = Problem(
    notebook="p5_gan_backprop",
    given=(
        "p5_0-imports",
        "p5_0-networks",
        "p5_6-whole",
        "p5_7-kept",
        "p5_8-kept",
    ),
    checks=CHECKS,
    equivalent={
        "p5_2-code": {"…len(D_real) → …len(D_fake)": SAME_N, "…len(D_real) → …len(dD_…)": SAME_N},
        "p5_3-code": {"…len(D_real) → …len(D_fake)": SAME_N},
        "p5_4-code": {
            "…len(W)… → …len(z)…": "there is one z and one kind for each layer",
            "…len(W)… → …len(kinds)…": "there is one z and one kind for each layer",
        },
        "p5_6-code": {"last = len(W) → last = len(…)": "there is one z and one kind for each layer"},
    },
    exercises=(
        Exercise(("p5_2-gradient",), "p5_2-code", RIGHT_THETA_D, WRONG_THETA_D),
        Exercise(("p5_3-last-layer",), "p5_3-code", RIGHT_OUTPUT, WRONG_OUTPUT),
        Exercise(("p5_4-recursion",), "p5_4-code", RIGHT_BACK, WRONG_BACK),
        Exercise(("p5_5-sample-gradient",), "p5_5-code", RIGHT_SAMPLE, WRONG_SAMPLE),
        Exercise(("p5_6-generator",), "p5_6-code", RIGHT_GENERATOR, WRONG_GENERATOR),
        Exercise(("p5_7-update",), "p5_7-code", RIGHT_UPDATE_D, WRONG_UPDATE_D),
        Exercise(("p5_8-update",), "p5_8-code", RIGHT_UPDATE_G, WRONG_UPDATE_G),
    ),
)
