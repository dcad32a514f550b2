"""A stub of a layer, which a check hands to what builds on that layer, so that it is judged apart."""

from __future__ import annotations

import torch
from torch import nn


class StubAttention(nn.Module):
    """Takes what an attention layer takes, and its result is easy to predict: a weighted sum of the query, the mean of
    the keys and the mean of the values, over the keys that the mask allows.

    Args:
        query, key, value: the three weights.

    >>> stub = StubAttention(1.0, 0.0, 2.0)
    >>> query, keys = torch.zeros(1, 1, 2), torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])  # (B, n_q, d), (B, n_k, d)
    >>> stub(query, keys, keys, torch.tensor([[[True, False]]])).tolist()
    [[[2.0, 4.0]]]
    """

    def __init__(self, query: float, key: float, value: float) -> None:
        super().__init__()
        # a parameter, so that it shows in the state of a module that keeps the stub
        self.shares = nn.Parameter(torch.tensor([query, key, value]))

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(B, n_q, d), (B, n_k, d) twice, mask broadcastable to (B, n_q, n_k) -> (B, n_q, d)."""
        allowed = torch.ones(query.shape[1], key.shape[1], dtype=torch.bool, device=query.device)
        if mask is not None:
            allowed = mask.bool() & allowed
        share = allowed / allowed.sum(-1, keepdim=True).clamp(min=1)
        a, b, c = self.shares
        mixed: torch.Tensor = a * query + share.to(query) @ (b * key + c * value)
        return mixed
