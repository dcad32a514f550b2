"""The notebook's small model. Loop and decoder are judged with it, so that a wrong attention does not matter there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Tiny:
    """The notebook's `TinyTranslator` with these weights: a position attends equally to all that its mask allows."""

    source: Tensor  # (V, d)
    target: Tensor  # (V, d)
    weight: Tensor  # (V, d)
    bias: Tensor  # (V,)

    NAMES = ("source.weight", "target.weight", "out.weight", "out.bias")

    @classmethod
    def random(cls, vocabulary: int, d_model: int, seed: int, scale: float = 1.0) -> Tiny:
        """Random weights that never predict the padding."""
        draw = torch.Generator().manual_seed(seed)
        source, target, weight = (
            torch.randn(vocabulary, d_model, generator=draw).double() * scale for _ in range(3)
        )
        bias = torch.randn(vocabulary, generator=draw).double() * 0.3
        bias[0] = -30.0
        return cls(source, target, weight, bias)

    def state(self) -> dict[str, Tensor]:
        """The weights by their names in the notebook."""
        return dict(zip(self.NAMES, self.weights(), strict=True))

    def weights(self) -> list[Tensor]:
        return [self.source, self.target, self.weight, self.bias]

    def flat(self) -> Tensor:
        """All weights as one vector."""
        return torch.cat([w.reshape(-1) for w in self.weights()])

    def log_probs(self, source: Tensor, inputs: Tensor, source_mask: Tensor, mask: Tensor) -> Tensor:
        """(B, n, V), in float64."""
        memory = mean(self.source[source], source_mask)
        x = self.target[inputs]
        for _ in range(2):
            x = x + torch.tanh(mean(x, mask) + memory)
        return F.linear(x, self.weight, self.bias).log_softmax(-1)


def mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean over the positions that the mask allows: values (B, m, d), mask (B, n, m) -> (B, n, d)."""
    allowed = mask.to(values.dtype)
    return allowed / allowed.sum(-1, keepdim=True).clamp(min=1) @ values
