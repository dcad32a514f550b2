"""Stubs: what a check puts in place of a part of the student's, so that what builds on it is judged apart from it.

They take what the parts take, and what they give is easy to predict. Students don't get them: some look like answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import torch
from torch import nn

SLOPE: Final = 0.3  # of the scores in `stub_attention`, whatever the sizes
SHARE: Final = 0.7  # of the input that `StubConnection` hands on


def stub_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None = None,
    dropout: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention whose scores are `SLOPE` times the products of queries and keys: output and weights.

    >>> x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])  # (B, n, d)
    >>> output, weights = stub_attention(0 * x, x, x)
    >>> output.tolist(), weights.tolist()
    ([[[2.0, 3.0], [2.0, 3.0]]], [[[0.5, 0.5], [0.5, 0.5]]])
    """
    scores = SLOPE * query @ key.mT
    weights = (scores if mask is None else scores.masked_fill(~mask, -1e9)).softmax(-1)
    return (weights if dropout is None else dropout(weights)) @ value, weights


class StubConnection(nn.Module):
    """A residual connection around a sublayer, which gets `SHARE` times the input. What it gives goes through dropout.

    >>> StubConnection(2, 0.0)(torch.ones(1, 2), lambda y: 10 * y).tolist()
    [[8.0, 8.0]]
    """

    def __init__(self, size: int, dropout: float) -> None:
        super().__init__()
        # a parameter, so that it shows in the state of a module that keeps the stub
        self.share = nn.Parameter(torch.full((size,), SHARE))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, sublayer: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """(…, size) -> the same shape."""
        result: torch.Tensor = x + self.dropout(sublayer(self.share * x))
        return result


class StubHeads(nn.Module):
    """PyTorch's own attention by several heads, for masks (B, 1 or n_q, n_k) of what may be seen.

    >>> x = torch.ones(2, 3, 4)
    >>> StubHeads(2, 4, 0.0)(x, x, x, torch.ones(2, 1, 3, dtype=torch.bool)).shape
    torch.Size([2, 3, 4])
    """

    def __init__(self, heads: int, d_model: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.heads = heads
        self.inner = nn.MultiheadAttention(d_model, heads, dropout, batch_first=True)
        self.weights: torch.Tensor | None = None

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """(B, n_q, d_model) from (B, n_q, d_model) and twice (B, n_k, d_model)."""
        closed = None
        if mask is not None:
            closed = ~mask.expand(len(query), query.shape[1], key.shape[1]).repeat_interleave(self.heads, 0)
        output: torch.Tensor
        output, self.weights = self.inner(query, key, value, attn_mask=closed, average_attn_weights=False)
        return output


class StubPositions(nn.Module):
    """Adds a learnt vector for each position, then drops out.

    >>> StubPositions(4, 0.0)(torch.ones(2, 3, 4)).shape
    torch.Size([2, 3, 4])
    """

    def __init__(self, d_model: int, dropout: float, max_len: int = 512) -> None:
        super().__init__()
        self.places, self.dropout = nn.Embedding(max_len, d_model), nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, n, d_model) to the same shape."""
        result: torch.Tensor = self.dropout(x + self.places.weight[: x.shape[1]])
        return result


class StubDecoderLayer(nn.Module):
    """Both attentions and the feed-forward net, each behind a `StubConnection`."""

    def __init__(
        self,
        d_model: int,
        self_attention: nn.Module,
        memory_attention: nn.Module,
        feed_forward: nn.Module,
        dropout: float,
    ) -> None:
        super().__init__()
        self.inner = nn.ModuleList([self_attention, memory_attention, feed_forward])
        self.connections = nn.ModuleList([StubConnection(d_model, dropout) for _ in range(3)])

    def forward(
        self, x: torch.Tensor, memory: torch.Tensor, source_mask: torch.Tensor, target_mask: torch.Tensor
    ) -> torch.Tensor:
        """(B, n, d_model) from x (B, n, d_model) and memory (B, m, d_model)."""
        own, other, feed = self.inner
        first, second, third = self.connections
        x = first(x, lambda y: own(y, y, y, target_mask))
        x = second(x, lambda y: other(y, memory, memory, source_mask))
        result: torch.Tensor = third(x, feed)
        return result


def stub_window(n: int) -> torch.Tensor:
    """A mask (1, n, n): each position sees itself and the one before.

    >>> stub_window(3).int().tolist()
    [[[1, 0, 0], [1, 1, 0], [0, 1, 1]]]
    """
    return torch.ones(1, n, n, dtype=torch.bool).tril().triu(-1)


def stub_words(tokens: torch.Tensor, pad: int = 0) -> torch.Tensor:
    """A mask (B, 1, n) of tokens (B, n): two numbers in three are open.

    >>> stub_words(torch.tensor([[3, 4, 5]])).tolist()
    [[[False, True, True]]]
    """
    return (tokens % 3 != pad % 3)[:, None]


def stub_words_in_window(tokens: torch.Tensor, pad: int = 0) -> torch.Tensor:
    """Both masks at once, (B, n, n).

    >>> stub_words_in_window(torch.tensor([[4, 3]])).int().tolist()
    [[[1, 0], [1, 0]]]
    """
    return stub_words(tokens, pad) & stub_window(tokens.shape[1]).to(tokens.device)


def stub_pair(tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two tensors (B, n - 1) of tokens (B, n): without the first one, and backwards without the last one.

    >>> [part.tolist() for part in stub_pair(torch.tensor([[1, 2, 3]]))]
    [[[2, 3]], [[2, 1]]]
    """
    return tokens[:, 1:], tokens.flip(1)[:, 1:]


def stub_loss(
    log_probs: torch.Tensor, labels: torch.Tensor, smoothing: float = 0.1, pad: int = 0
) -> torch.Tensor:
    """PyTorch's cross-entropy with its own kind of smoothing, per label that is not padding.

    >>> loss = stub_loss(torch.tensor([[[0.25, 0.75]]]).log(), torch.tensor([[1]]), smoothing=0.0)
    >>> f"{loss:.4f} = -log 3/4"
    '0.2877 = -log 3/4'
    """
    return nn.functional.cross_entropy(log_probs.mT, labels, ignore_index=pad, label_smoothing=smoothing)


def stub_rows(x: torch.Tensor) -> torch.Tensor:
    """Each of N pictures or feature maps as a row: (N, …) → (N, all others).

    >>> stub_rows(torch.zeros(2, 3, 4, 5)).shape
    torch.Size([2, 60])
    """
    return x.flatten(1)


def stub_weight(shape: Sequence[int]) -> torch.Tensor:
    """Normal numbers of variance 2 / fan-in, float32: He et al., arXiv 1502.01852, equation 10.

    >>> stub_weight((1000, 3, 5, 5)).var().mul(75 / 2).round().item()
    1.0
    """
    return torch.randn(*shape) * math.sqrt(2 / math.prod(shape[1:]))


def stub_share_right(model: nn.Module, loader: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """The share of the loader's inputs whose largest score is at their label; the model is left in its mode.

    >>> stub_share_right(nn.Identity(), [(torch.eye(2), torch.tensor([0, 0]))])
    0.5
    """
    was_training, hits, seen = model.training, 0, 0
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            hits += int((model(x.to(device)).argmax(1).cpu() == y.cpu()).sum())
            seen += len(y)
    model.train(was_training)
    return hits / seen


# by the kinds that `Student.with_stubs` knows
STUBS: Final[dict[str, Callable[..., Any]]] = {
    "attention": stub_attention,
    "connection": StubConnection,
    "layer norm": nn.LayerNorm,
    "heads": StubHeads,
    "embeddings": nn.Embedding,
    "positions": StubPositions,
    "decoder layer": StubDecoderLayer,
    "window": stub_window,
    "words": stub_words,
    "words in window": stub_words_in_window,
    "pair": stub_pair,
    "loss": stub_loss,
    "rows": stub_rows,
    "weight": stub_weight,
    "zeros": torch.zeros,
    "share right": stub_share_right,
}
