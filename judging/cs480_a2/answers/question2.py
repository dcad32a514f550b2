"""Answers to question 2 of Assignment 2. Each runs after the reference's and says what differs, or is a `backward`."""

from __future__ import annotations

from chainrule.authoring.answers import Exercise, Problem, Wrong, change

# Short names for the checks of each graded cell, in their order there. Those in brackets only inform.
CHECKS = {
    "q2_1-values": ("p_warmup", "J_warmup", "dtheta_warmup"),
    "q2_2a-forward": ("z", "h", "theta", "p_hat", "J", "dead"),
    "q2_2b-logits": ("dtheta",),
    "q2_2c-output": ("dU", "db2"),
    "q2_2d-hidden": ("dh", "dz"),
    "q2_2e-input": ("dW", "db1"),
    "q2_2f-step": ("W_new", "U_new"),
    "q2_2-code": (
        "(hand)",
        *(f"code {name}" for name in ("dtheta", "dU", "db2", "dh", "dz", "dW", "db1")),
    ),
}


# -- values ----------------------------------------------------------------------------------------------

_TEXTS = "s = '(e^0+e^0.5+e^0.25+e^0.75)'; p_warmup = [f'e^{v}/{s}' for v in ('0', '0.5', '0.25', '0.75')]"

RIGHT_VALUES = {
    "as the reference": "",
    "four decimals": "p_warmup = [0.1653, 0.2725, 0.2122, 0.3499]; J_warmup = 1.5500",
    "four decimals, rounded gradient": "dtheta_warmup = [0.1653, 0.2725, -0.7878, 0.3499]",
    "2.1 as texts": _TEXTS + "; J_warmup = '-0.25 + ln(e^0+e^0.5+e^0.25+e^0.75)'",
    "2.1 as tuple and array": "p_warmup = tuple(p_warmup.tolist()); dtheta_warmup = dtheta_warmup.numpy()",
    "2.1 as column": "p_warmup = p_warmup[:, None]; J_warmup = [float(J_warmup)]",
    "2.1 in float32": "p_warmup = p_warmup.float(); J_warmup = J_warmup.float(); dtheta_warmup = dtheta_warmup.float()",
    "J as a number": "J = 0.6931",
    "J by math": "J = math.log(2)",
    "J as TeX": r"J = r'\ln 2'",
    "J from the probability": "J = '-ln(1/2)'",
    "J as a tensor": "J = -p_hat[0].log()",
    "fractions": "from fractions import Fraction as F; dtheta = [F(-1, 2), F(1, 2)]; dh = dz = [F(-1, 4), 0, F(1, 4)]",
    "texts": "dU = [['-1/4', '0', '-1/4'], ['1/4', '0', '1/4']]; dW = [['-1/4', '-1/8'], [0, 0], ['1/4', '1/8']]",
    "arrays": "import numpy as np; z, h, dU, dW, W_new = (np.array(v) for v in (z, h, dU, dW, W_new))",
    "columns": "z, h, theta, p_hat, dtheta, dh, dz = (v[:, None] for v in (z, h, theta, p_hat, dtheta, dh, dz))",
    "rows": "z, h, theta, p_hat, db2, dh, dz, db1 = (v[None] for v in (z, h, theta, p_hat, db2, dh, dz, db1))",
    "lists": "z, h, theta, p_hat = z.tolist(), h.tolist(), theta.tolist(), p_hat.tolist(); W_new = W_new.tolist()",
    "dead in a list": "dead = [1]",
    "dead as a tensor": "dead = (z <= 0).nonzero()",
    "the updated matrices typed in": (
        "W_new = [[0.225, 0.4125], [-0.3, 0.1], [0.475, -0.2125]]; U_new = [[0.225, 0, -0.175], [-0.325, 0, 0.275]]"
    ),
    "with gradients attached": "z = z.clone().requires_grad_(); h = z.relu(); dU = dU.clone().requires_grad_()",
    "the given names changed afterwards": "W = W_new; U = U_new; x = y = b1 = b2 = None",
}

_P = "import torch; t_ = theta_warmup; hot = torch.eye(4)[2].double(); "

WRONG_VALUES = {
    # 2.1
    "not normalised": Wrong({"p_warmup"}, "not normalised", "p_warmup = theta_warmup.exp()"),
    "normalised logits": Wrong({"p_warmup"}, "without the exponential", "p_warmup = [0, 1/3, 1/6, 1/2]"),
    "softmax of −θ": Wrong({"p_warmup"}, "softmax of −θ", "p_warmup = (-theta_warmup).softmax(0)"),
    "powers of 2": Wrong({"p_warmup"}, "powers of 2", "p_warmup = 2**theta_warmup / (2**theta_warmup).sum()"),
    "powers of 10": Wrong(
        {"p_warmup"}, "powers of 10", "p_warmup = 10**theta_warmup / (10**theta_warmup).sum()"
    ),
    "log-softmax": Wrong({"p_warmup"}, "logarithm of the softmax", "p_warmup = theta_warmup.log_softmax(0)"),
    "two decimals": Wrong({"p_warmup"}, "rounded too early", "p_warmup = [0.17, 0.27, 0.21, 0.35]"),
    "three decimals": Wrong({"p_warmup"}, "rounded too early", "p_warmup = [0.165, 0.273, 0.212, 0.350]"),
    "another order": Wrong({"p_warmup"}, "off by", "p_warmup = p_warmup.roll(1)"),
    "three probabilities": Wrong({"p_warmup"}, "shape (3,)", "p_warmup = p_warmup[:3]"),
    "words": Wrong({"p_warmup"}, "no number", "p_warmup = 'softmax of theta'"),
    "J counted from 1": Wrong({"J_warmup"}, "counted from 1", "J_warmup = -p_warmup[1].log()"),
    "J without minus": Wrong({"J_warmup"}, "minus sign is missing", "J_warmup = p_warmup[2].log()"),
    "J in bits": Wrong({"J_warmup"}, "base 2", "J_warmup = -p_warmup[2].log2()"),
    "J to base 10": Wrong({"J_warmup"}, "base 10", "J_warmup = -p_warmup[2].log10()"),
    "J without log": Wrong({"J_warmup"}, "without the logarithm", "J_warmup = p_warmup[2]"),
    "J is the entropy": Wrong({"J_warmup"}, "entropy", "J_warmup = -(p_warmup * p_warmup.log()).sum()"),
    "J of all classes": Wrong({"J_warmup"}, "averaged", "J_warmup = -p_warmup.log().mean()"),
    "gradient counted from 1": Wrong(
        {"dtheta_warmup"}, "counted from 1", "dtheta_warmup = p_warmup.clone(); dtheta_warmup[1] -= 1"
    ),
    "one-hot minus p": Wrong({"dtheta_warmup"}, "turned round", "dtheta_warmup = -dtheta_warmup"),
    "one-hot forgotten": Wrong({"dtheta_warmup"}, "not subtracted", "dtheta_warmup = p_warmup"),
    "one-hot added": Wrong({"dtheta_warmup"}, "added", _P + "dtheta_warmup = p_warmup + hot"),
    "1 subtracted everywhere": Wrong({"dtheta_warmup"}, "every class", "dtheta_warmup = p_warmup - 1"),
    "Jacobian's row": Wrong(
        {"dtheta_warmup"}, "∂p̂_y/∂θ", _P + "dtheta_warmup = p_warmup[2] * (hot - p_warmup)"
    ),
    "gradient at p": Wrong({"dtheta_warmup"}, "∂J/∂p̂", _P + "dtheta_warmup = -hot / p_warmup[2]"),
    "everything of 2.1 counted from 1": Wrong(
        {"J_warmup", "dtheta_warmup"},
        "counted from 1",
        "J_warmup = -p_warmup[1].log(); dtheta_warmup = p_warmup.clone(); dtheta_warmup[1] -= 1",
    ),
    "a wrong p carried on": Wrong(
        {"p_warmup"},
        "powers of 2",
        "p_warmup = (theta_warmup * math.log(2)).softmax(0); J_warmup = -p_warmup[2].log(); "
        "dtheta_warmup = p_warmup.clone(); dtheta_warmup[2] -= 1",
        unnoticed="consistent in itself: only the right p would tell",
    ),
    # (a)
    "z without bias": Wrong({"z"}, "bias b1 is missing", "z = W @ x"),
    "z is the bias, carried on": Wrong(
        {"z"},
        "W x is missing",
        "z = h = b1; dead = 1; theta = U @ h; dU = torch.outer(dtheta, h); U_new = U - 0.1 * dU",
        unnoticed="consistent in itself: only the right z would tell",
    ),
    "z without input": Wrong({"z"}, "input is forgotten", "z = W.sum(1) + b1"),
    "z with x exchanged": Wrong({"z"}, "exchanged", "z = W @ x.flip(0) + b1"),
    "z after ReLU": Wrong({"z"}, "already ReLU", "z = h"),
    "z missing": Wrong({"z"}, "there is no `z`", "del z"),
    "h without ReLU": Wrong({"h"}, "activation is missing", "h = z"),
    "h is |z|": Wrong({"h"}, "|z|", "h = z.abs()"),
    "h is a sigmoid": Wrong({"h"}, "sigmoid", "h = z.sigmoid()"),
    "h is the mask": Wrong({"h"}, "derivative", "h = (z > 0).double()"),
    "h is the negative part": Wrong({"h"}, "positive entries", "h = (-z).relu()"),
    "theta by absolute weights": Wrong({"theta"}, "signs in U", "theta = U.abs() @ h"),
    "theta is p": Wrong(
        {"theta"},
        "softmax already",
        "theta = p_hat",
        unnoticed="the same probabilities: only the right logits would tell",
    ),
    "theta with a third entry": Wrong({"theta"}, "shape (3,)", "theta = [0, 0, 0]"),
    "p not normalised": Wrong({"p_hat"}, "not normalised", "p_hat = [1, 1]"),
    "p of another class": Wrong({"p_hat"}, "off by", "p_hat = [0.4, 0.6]"),
    "p negative": Wrong({"p_hat"}, "off by", "p_hat = [-0.5, 1.5]"),
    "loss in bits": Wrong({"J"}, "base 2", "J = 1"),
    "loss to base 10": Wrong({"J"}, "base 10", "J = math.log10(2)"),
    "loss without minus": Wrong({"J"}, "minus sign", "J = 'ln(1/2)'"),
    "loss without log": Wrong({"J"}, "without the logarithm", "J = 0.5"),
    "loss rounded": Wrong({"J"}, "rounded too early", "J = 0.69"),
    "loss in words": Wrong({"J"}, "no number", "J = 'log two'"),
    "dead counted from 1": Wrong({"dead"}, "counted from 1", "dead = 2"),
    "another neuron is dead": Wrong({"dead"}, "off by", "dead = 0"),
    "dead by name": Wrong({"dead"}, "no number", "dead = 'z_1'"),
    "all positive, carried on": Wrong(
        {"z"},
        "off by",
        "z = torch.tensor([0.5, 0.05, 0.5]); h = z; dead = []; dz = dh = torch.tensor([-0.25, 0, 0.25])",
    ),
    "logarithms of p, carried on": Wrong(
        {"p_hat"},
        "logarithm of the softmax",
        "p_hat = theta.log_softmax(0); dtheta = p_hat - torch.tensor([1.0, 0.0]); db2 = dtheta; "
        "dU = torch.outer(dtheta, h); dh = U.T @ dtheta; dz = dh * (z > 0); db1 = dz; dW = torch.outer(dz, x); "
        "W_new = W - 0.1 * dW; U_new = U - 0.1 * dU",
    ),
    # (b)
    "dtheta turned round": Wrong({"dtheta"}, "turned round", "dtheta = [0.5, -0.5]"),
    "dtheta is p": Wrong({"dtheta"}, "not subtracted", "dtheta = p_hat"),
    "dtheta with 1 added": Wrong({"dtheta"}, "added", "dtheta = [1.5, 0.5]"),
    "dtheta with 1 subtracted everywhere": Wrong({"dtheta"}, "every class", "dtheta = [-0.5, -0.5]"),
    "dtheta is ∂J/∂p": Wrong({"dtheta"}, "∂J/∂p̂", "dtheta = [-2, 0]"),
    "dtheta halved": Wrong({"dtheta"}, "number of classes", "dtheta = [-0.25, 0.25]"),
    # (c)
    "dU transposed": Wrong({"dU"}, "transpose", "dU = torch.outer(h, dtheta)"),
    "dU negative": Wrong({"dU"}, "minus sign", "dU = -dU"),
    "dU without h": Wrong({"dU"}, "h is forgotten", "dU = dtheta[:, None].expand(2, 3)"),
    "dU without dtheta": Wrong({"dU"}, "∂J/∂θ is forgotten", "dU = h.expand(2, 3)"),
    "dU without signs": Wrong({"dU"}, "sign of ∂J/∂θ", "dU = dU.abs()"),
    "dU a number": Wrong({"dU"}, "shape ()", "dU = 0.25"),
    "db2 averaged": Wrong({"db2"}, "one number for all", "db2 = dtheta.mean()"),
    "db2 is the mean everywhere": Wrong({"db2"}, "averaged", "db2 = [0, 0]"),
    "db2 is 1": Wrong({"db2"}, "upstream", "db2 = [1, 1]"),
    "db2 negative": Wrong({"db2"}, "minus sign", "db2 = -dtheta"),
    "db2 halved": Wrong({"db2"}, "divided by", "db2 = dtheta / 2"),
    # (d)
    "dh through the updated U": Wrong({"dh"}, "updated U", "dh = U_new.T @ dtheta"),
    "dh without dtheta": Wrong({"dh"}, "∂J/∂θ is missing", "dh = U.sum(0)"),
    "dh of one row": Wrong({"dh"}, "∂J/∂θ is missing", "dh = U[0] * dtheta[0]"),
    "dh by absolute weights": Wrong({"dh"}, "signs in U", "dh = U.abs().T @ dtheta"),
    "dh averaged": Wrong({"dh"}, "averaged", "dh = dh / 2"),
    "dh negative": Wrong({"dh"}, "minus sign", "dh = -dh"),
    "dz by the upstream sign": Wrong({"dz"}, "not the sign of", "dz = dh * (dh > 0)"),
    "dz times h": Wrong({"dz"}, "multiplied by ReLU(z)", "dz = dh * h"),
    "dz divided by the mask, NaN carried on": Wrong(
        {"dz"},
        "NaN",
        "dz = dh / (z > 0); db1 = dz; dW = torch.outer(dz, x); W_new = W - 0.1 * dW",
    ),
    "dz is the mask": Wrong({"dz"}, "mask alone", "dz = (z > 0).double()"),
    "dz through a sigmoid": Wrong({"dz"}, "sigmoid", "dz = dh * z.sigmoid() * (1 - z.sigmoid())"),
    "the mask turned round": Wrong({"dz"}, "turned round", "dz = [0, 0, 0]"),
    # (e)
    "dW transposed": Wrong({"dW"}, "transpose", "dW = torch.outer(x, dz)"),
    "dW without x": Wrong({"dW"}, "x is forgotten", "dW = dz[:, None].expand(3, 2)"),
    "dW without dz": Wrong({"dW"}, "∂J/∂z is forgotten", "dW = x.expand(3, 2)"),
    "dW with x exchanged": Wrong({"dW"}, "exchanged", "dW = torch.outer(dz, x.flip(0))"),
    "dW negative": Wrong({"dW"}, "minus sign", "dW = -dW"),
    "db1 summed": Wrong({"db1"}, "one number", "db1 = dz.sum()"),
    "db1 is the mask": Wrong({"db1"}, "itself is missing", "db1 = [1, 0, 1]"),
    "db1 is 1": Wrong({"db1"}, "upstream", "db1 = [1, 1, 1]"),
    "db1 negative": Wrong({"db1"}, "minus sign", "db1 = -dz"),
    # (f)
    "W uphill": Wrong({"W_new"}, "uphill", "W_new = W + 0.1 * dW"),
    "U uphill": Wrong({"U_new"}, "uphill", "U_new = U + 0.1 * dU"),
    "both without t": Wrong({"W_new", "U_new"}, "t is forgotten", "W_new = W - dW; U_new = U - dU"),
    "t = 0.01": Wrong({"W_new"}, "ten times too small", "W_new = W - 0.01 * dW"),
    "the step alone": Wrong({"U_new"}, "step alone", "U_new = -0.1 * dU"),
    "not updated": Wrong({"W_new", "U_new"}, "nothing has changed", "W_new = W; U_new = U"),
    "two steps": Wrong({"W_new"}, "two steps", "W_new = W - 0.2 * dW"),
    "W_new transposed": Wrong({"W_new"}, "transpose", "W_new = W_new.T"),
}

# -- code ------------------------------------------------------------------------------------------------

BACKWARD = """
def backward(x, y, W, b1, U, b2):
    z = W @ x + b1
    h = torch.relu(z)
    p = torch.softmax(U @ h + b2, 0)
    dtheta = p.clone()
    dtheta[y] -= 1
    dU = torch.outer(dtheta, h)
    db2 = dtheta
    dh = U.T @ dtheta
    dz = dh * (z > 0)
    dW = torch.outer(dz, x)
    db1 = dz
    return {"dtheta": dtheta, "dU": dU, "db2": db2, "dh": dh, "dz": dz, "dW": dW, "db1": db1}
"""

BACKWARD_NUMPY = """
import numpy as np

def backward(x, y, W, b1, U, b2):
    x, W, b1, U, b2 = (np.asarray(a)[..., None] if a.ndim == 1 else np.asarray(a) for a in (x, W, b1, U, b2))
    z = W @ x + b1
    h = np.maximum(0, z)
    theta = U @ h + b2
    p = np.exp(theta - theta.max())
    p /= p.sum()
    dtheta = p - np.eye(len(p))[:, [y]]
    dh = U.T @ dtheta
    dz = np.where(z >= 0, dh, 0)
    return dict(dtheta=dtheta, dU=dtheta @ h.T, db2=dtheta, dh=dh, dz=dz, dW=dz @ x.T, db1=dz)
"""

BACKWARD_LOOPS = """
def backward(x, y, W, b1, U, b2):
    D, K, C = len(x), len(b1), len(b2)
    z = [sum(float(W[k, d] * x[d]) for d in range(D)) + float(b1[k]) for k in range(K)]
    h = [max(v, 0.0) for v in z]
    e = [math.exp(sum(float(U[c, k]) * h[k] for k in range(K)) + float(b2[c])) for c in range(C)]
    dtheta = [e[c] / sum(e) - (c == y) for c in range(C)]
    dh = [sum(float(U[c, k]) * dtheta[c] for c in range(C)) for k in range(K)]
    dz = [dh[k] if z[k] > 0 else 0.0 for k in range(K)]
    return {
        "dtheta": dtheta, "dU": [[t * v for v in h] for t in dtheta], "db2": dtheta,
        "dh": dh, "dz": dz, "dW": [[g * float(v) for v in x] for g in dz], "db1": dz,
    }
"""


def code(*changes: str) -> str:
    return change(BACKWARD, *changes)


RIGHT_CODE = {
    "torch": BACKWARD,
    "NumPy, columns": BACKWARD_NUMPY,
    "loops": BACKWARD_LOOPS,
    "more keys": code('{"dtheta": dtheta → {"z": z, "p": p, "dtheta": dtheta'),
    "rows": code('"db1": db1 → "db1": db1[None]', '"dh": dh → "dh": dh[None]'),
    "float32": code(
        "z = W @ x + b1 → x, W, b1, U, b2 = (a.float() for a in (x, W, b1, U, b2))\n    z = W @ x + b1"
    ),
    "mask from h": code("dh * (z > 0) → dh * (h > 0)"),
    "mask by where": code("dh * (z > 0) → torch.where(z > 0, dh, torch.zeros_like(dh))"),
    "einsum": code('torch.outer(dz, x) → torch.einsum("k,d->kd", dz, x)'),
    "prints": code("db2 = dtheta → db2 = dtheta; print(db2)"),
}

_CODE = set(CHECKS["q2_2-code"][1:])


def code_loses(*names: str) -> set[str]:
    return {f"code {name}" for name in names}


WRONG_CODE = {
    "mask lost": Wrong(code_loses("dz"), "derivative is lost", code("dh * (z > 0) → dh")),
    "mask from the upstream sign": Wrong(
        code_loses("dz"), "not the sign of", code("dh * (z > 0) → dh.relu()")
    ),
    "mask turned round": Wrong(code_loses("dz"), "turned round", code("dh * (z > 0) → dh * (z < 0)")),
    "times h": Wrong(code_loses("dz"), "multiplied by ReLU(z)", code("dh * (z > 0) → dh * h")),
    "times z": Wrong(code_loses("dz"), "multiplied by z", code("dh * (z > 0) → dh * z")),
    "sign turned round": Wrong(
        code_loses("dtheta"), "turned round", code("dtheta[y] -= 1 → dtheta[y] -= 1; dtheta = -dtheta")
    ),
    "one-hot forgotten": Wrong(code_loses("dtheta"), "not subtracted", code("dtheta[y] -= 1 → pass")),
    "class 0 always": Wrong(code_loses("dtheta"), "whatever y says", code("dtheta[y] -= 1 → dtheta[0] -= 1")),
    "class counted from 1": Wrong(
        code_loses("dtheta"), "counted from 1", code("dtheta[y] -= 1 → dtheta[y - 1] -= 1")
    ),
    "b1 left out": Wrong(code_loses("dtheta"), "leaves out b1", code("W @ x + b1 → W @ x")),
    "b2 left out": Wrong(code_loses("dtheta"), "leaves out b2", code("U @ h + b2 → U @ h")),
    "W x left out": Wrong(code_loses("dtheta"), "leaves out W x", code("W @ x + b1 → b1")),
    "U h left out": Wrong(code_loses("dtheta"), "leaves out U h", code("U @ h + b2 → b2")),
    "divided by the mask": Wrong(code_loses("dz"), "NaN", code("dh * (z > 0) → dh / (z > 0)")),
    "no ReLU forward": Wrong(code_loses("dtheta"), "has no ReLU", code("torch.relu(z) → z")),
    "no ReLU at all": Wrong(
        code_loses("dtheta", "dz"), "derivative is lost", code("torch.relu(z) → z", "dh * (z > 0) → dh")
    ),
    "dU transposed": Wrong(
        code_loses("dU"), "transpose", code("torch.outer(dtheta, h) → torch.outer(h, dtheta)")
    ),
    "dU of x": Wrong(code_loses("dU"), "shape", code("torch.outer(dtheta, h) → torch.outer(dtheta, x)")),
    "db2 averaged": Wrong(code_loses("db2"), "one number", code("db2 = dtheta → db2 = dtheta.mean()")),
    "db2 halved": Wrong(code_loses("db2"), "divided by", code("db2 = dtheta → db2 = dtheta / len(b2)")),
    "dh of the true class": Wrong(
        code_loses("dh"), "true class's row", code("U.T @ dtheta → U[y] * dtheta[y]")
    ),
    "dh without dtheta": Wrong(code_loses("dh"), "∂J/∂θ is missing", code("U.T @ dtheta → U.sum(0)")),
    "dh through p": Wrong(code_loses("dh"), "off by", code("U.T @ dtheta → U.T @ p")),
    "dW transposed": Wrong(code_loses("dW"), "transpose", code("torch.outer(dz, x) → torch.outer(x, dz)")),
    "dW of dh": Wrong(code_loses("dW"), "off by", code("torch.outer(dz, x) → torch.outer(dh, x)")),
    "db1 summed": Wrong(code_loses("db1"), "one number", code("db1 = dz → db1 = dz.sum()")),
    "db1 is dh": Wrong(code_loses("db1"), "off by", code("db1 = dz → db1 = dh")),
    "a key missing": Wrong(code_loses("dh"), 'no "dh"', code('"dh": dh, → ')),
    "a tuple": Wrong(
        _CODE,
        "a tuple",
        code(
            'return {"dtheta": dtheta, "dU": dU, "db2": db2, "dh": dh, "dz": dz, "dW": dW, "db1": db1} → return 1, 2'
        ),
    ),
    "nothing returned": Wrong(_CODE, "returns nothing", code("return { → found = {")),
    "the notebook's sizes only": Wrong(
        _CODE,
        "notebook's sizes only",
        code(
            "db1 = dz → db1 = torch.stack([dz[0], dz[1], dz[2]]) + torch.zeros(3)",
            "db2 = dtheta → db2 = dtheta - torch.zeros(2)",
        ),
    ),
    "zeros": Wrong(
        _CODE,
        "off by",
        code("return { → return {k: v * 0 for k, v in {", '"db1": db1} → "db1": db1}.items()}'),
    ),
    "raises": Wrong(_CODE, "NameError", code("dh = U.T → dh = V.T")),
    "not a function": Wrong(_CODE, "should be a function", "backward = 3"),
    "nothing written": Wrong(_CODE, "not written yet", "def backward(x, y, W, b1, U, b2):\n    todo()"),
}

VALUES = tuple(item for item in CHECKS if item != "q2_2-code")

PROBLEM = Problem(
    notebook="assignment2",
    given=(
        *("q2_0-imports", "q2_1-given", "q2_1-answers", "q2_2-given"),
        *(
            "q2_2a-answers",
            "q2_2b-answers",
            "q2_2c-answers",
            "q2_2d-answers",
            "q2_2e-answers",
            "q2_2f-answers",
        ),
        "q2_2-backward",
    ),
    checks=CHECKS,
    exercises=(
        Exercise(VALUES, "q2-answer", RIGHT_VALUES, WRONG_VALUES),
        Exercise(("q2_2-code",), "q2-answer", RIGHT_CODE, WRONG_CODE),
    ),
    equivalent={
        "q2_2-backward": {
            "….softmax(0) → ….softmax((-1))": "logits have one dimension",
            "dz = dh * (z > 0) → dz = dh * ((z >= 0))": "no z is exactly 0, where ReLU has no derivative",
            "dz = dh * (z > 0) → dz = dh * (h > 0)": "h is positive where z is",
        },
    },
)
