"""The model of the data, the network, its gradients and its updates: what the answers are compared with.

The model of the data is exercise 11.5 of Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning".
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

RTOL, ATOL = 1e-4, 1e-7  # answers may be computed in float32
FAINT = 1e-5  # right values are near 1
PARAMETERS = ("W", "b", "v", "c")
NOISE = 0.30
CASES = [(7, 3, 5, 61), (11, 4, 6, 62), (8, 2, 3, 63)]  # N, D, H, seed

HIDDEN, EPOCHS, LAM = 10, 1000, 1e-4
RATE, MOMENTUM = 0.1, 0.9
DRAWS = 5
# For the median of the normalised test error over DRAWS data sets; see calibrate_p6_1.py
THRESHOLD = 0.10
LEARNT = 0.9  # with a larger error nothing is learnt: the mean of the targets has an error of 1

Params = dict[str, Tensor]


def conditional_mean(X: Tensor) -> Tensor:
    """E[Y | X] = σ(a1ᵀX) + (a2ᵀX)² for inputs (n, 2), with a1 = (3, 3) and a2 = (3, −3)."""
    return torch.sigmoid(3 * X[:, 0] + 3 * X[:, 1]) + (3 * X[:, 0] - 3 * X[:, 1]) ** 2


def means(X: Tensor) -> dict[str, Tensor]:
    u, w = X @ torch.tensor([3.0, 3.0]).double(), X @ torch.tensor([3.0, -3.0]).double()
    return {
        "the sigmoid is missing": u + w**2,
        "the square is missing": torch.sigmoid(u) + w,
        "a1 and a2 are exchanged": torch.sigmoid(w) + u**2,
        "a2 is (3, −3): the sign of its second entry is lost": torch.sigmoid(u) + u**2,
        "the first term, σ(a1ᵀX), is missing": w**2,
        "the second term, (a2ᵀX)², is missing": torch.sigmoid(u),
        "the sigmoid belongs to the first term only": torch.sigmoid(u + w**2),
    }


def draw_inputs(n: int, seed: int, dimension: int = 2) -> Tensor:
    return torch.randn(n, dimension, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sample(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Inputs (n, 2) and targets (n,) of the model."""
    X = draw_inputs(n, seed)
    noise = torch.randn(n, generator=torch.Generator().manual_seed(seed + 10**6), dtype=torch.float64)
    return X, conditional_mean(X) + NOISE * noise


@cache
def case(N: int, D: int, H: int, seed: int) -> dict[str, Tensor]:
    """A random network and data for it: "X" (N, D), "y" (N,) and the parameters. Units are not saturated."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    given = {"W": normal(H, D), "b": normal(H), "v": normal(H), "c": normal(1), "X": normal(N, D)}
    return {**given, "y": normal(N) * 2 + 0.5}


def parameters(given: Mapping[str, Tensor]) -> Params:
    return {name: given[name] for name in PARAMETERS}


def forward(params: Params, X: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden activations (N, H) and outputs (N,)."""
    A = torch.sigmoid(X @ params["W"].T + params["b"])
    return A, A @ params["v"] + params["c"]


def gradients(params: Params, X: Tensor, y: Tensor, lam: float) -> Params:
    """The gradients of J by the formulas; a test compares them with autograd's."""
    A, f = forward(params, X)
    delta = 2 * (f - y) / len(X)
    s = delta[:, None] * params["v"] * A * (1 - A)
    decay = {"W": 2 * lam * params["W"], "v": 2 * lam * params["v"]}
    data = {"W": s.T @ X, "b": s.sum(0), "v": A.T @ delta, "c": delta.sum().reshape(1)}
    return {name: value + decay.get(name, 0) for name, value in data.items()}


def step(params: Params, velocity: Params, g: Params, rate: float, momentum: float) -> tuple[Params, Params]:
    """Gradient descent with momentum: (new parameters, new velocity)."""
    velocity = {name: momentum * velocity[name] - rate * g[name] for name in PARAMETERS}
    return {name: params[name] + velocity[name] for name in PARAMETERS}, velocity


def normalised_error(y: Tensor, f: Tensor) -> float:
    return float(((f - y) ** 2).mean() / y.var(correction=0))


def near(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-3 * abs(b)
