"""Homework 2, problem 7, first part: attention, masks, and an encoder-decoder built from them.

The reference follows Vaswani et al., "Attention Is All You Need" (2017), and the Annotated Transformer of the
Harvard NLP group, with pre-norm sublayers. Sizes: B sentences, n_q queries, n_k keys, `heads` heads of
d_k = d_model / heads. Masks are boolean, True where attention is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

# -- the answers -----------------------------------------------------------------------------------------


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    dropout: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """softmax(Q Kᵀ / √d_k) V, and the weights.

    Args:
        query, key, value: (…, n_q, d_k), (…, n_k, d_k) and (…, n_k, d_v).
        mask: broadcastable to (…, n_q, n_k). A query that may look nowhere gets equal weights.
        dropout: applied to the weights.
    Returns:
        The output (…, n_q, d_v) and the weights (…, n_q, n_k) before dropout.
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])  # (…, n_q, n_k)
    if mask is not None:
        scores = scores.masked_fill(~mask, -1e9)
    weights = scores.softmax(-1)
    used = weights if dropout is None else dropout(weights)
    return used @ value, weights


def padding_mask(tokens: Tensor, pad: int = 0) -> Tensor:
    """(B, n) -> (B, 1, n): which keys are words."""
    return (tokens != pad)[:, None, :]


def causal_mask(n: int) -> Tensor:
    """(1, n, n): position i may look at positions 0 … i."""
    return torch.ones(1, n, n, dtype=torch.bool).tril()


def target_mask(tokens: Tensor, pad: int = 0) -> Tensor:
    """(B, n) -> (B, n, n): which keys are words and not in the future."""
    return padding_mask(tokens, pad) & causal_mask(tokens.shape[1]).to(tokens.device)


class MultiHeadAttention(nn.Module):
    """Attention in `heads` subspaces of d_model / heads dimensions, side by side."""

    weights: Tensor | None = None  # of the last pass, (B, heads, n_q, n_k)

    def __init__(self, heads: int, d_model: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.heads = heads
        self.to_query, self.to_key, self.to_value, self.to_output = (
            nn.Linear(d_model, d_model) for _ in range(4)
        )
        self.dropout = nn.Dropout(dropout)

    def split(self, x: Tensor) -> Tensor:
        """(B, n, d_model) -> (B, heads, n, d_k)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, n_q, d_model), (B, n_k, d_model) twice, mask (B, 1 or n_q, n_k) -> (B, n_q, d_model)."""
        q, k, v = (
            self.split(project(x))
            for project, x in [(self.to_query, query), (self.to_key, key), (self.to_value, value)]
        )
        mixed, weights = attention(q, k, v, None if mask is None else mask.unsqueeze(1), self.dropout)
        self.weights = weights.detach()
        return self.to_output(mixed.transpose(1, 2).flatten(2))


class Embeddings(nn.Module):
    """A learnt vector for each token, times √d_model."""

    def __init__(self, vocabulary: int, d_model: int) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, d_model)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, n) -> (B, n, d_model)."""
        return self.table(tokens) * math.sqrt(self.table.embedding_dim)


def encoding(n: int, d_model: int) -> Tensor:
    """(n, d_model): sin(t / 10000^(2i/d_model)) in column 2i, the cosine in column 2i + 1, for t = 0 … n - 1."""
    position = torch.arange(n, dtype=torch.float64)[:, None]
    angle = position / 10000 ** (torch.arange(0, d_model, 2) / d_model)  # (n, d_model / 2)
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)


class PositionalEncoding(nn.Module):
    """Adds the fixed `encoding`, then drops out."""

    def __init__(self, d_model: int, dropout: float, max_len: int = 512) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("table", encoding(max_len, d_model).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, d_model) -> the same shape."""
        return self.dropout(x + self.get_buffer("table")[: x.shape[1]])


class LayerNorm(nn.Module):
    """gain · (x - mean) / √(variance + eps) + bias over the last dimension, with the biased variance."""

    def __init__(self, features: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.ones(features)), nn.Parameter(torch.zeros(features))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(…, features) -> the same shape."""
        centred = x - x.mean(-1, keepdim=True)
        return self.gain * centred / (centred.square().mean(-1, keepdim=True) + self.eps).sqrt() + self.bias


class Sublayer(nn.Module):
    """A residual connection around any sublayer, which gets a normalised input (pre-norm)."""

    def __init__(self, size: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.dropout = LayerNorm(size), nn.Dropout(dropout)

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        """(B, n, size) -> the same shape."""
        return x + self.dropout(sublayer(self.norm(x)))


class DecoderLayer(nn.Module):
    """Masked self-attention, attention over the memory, feed-forward."""

    def __init__(
        self,
        d_model: int,
        self_attention: nn.Module,
        memory_attention: nn.Module,
        feed_forward: nn.Module,
        dropout: float,
    ) -> None:
        super().__init__()
        self.self_attention, self.memory_attention = self_attention, memory_attention
        self.feed_forward = feed_forward
        self.sublayers = nn.ModuleList(Sublayer(d_model, dropout) for _ in range(3))

    def forward(self, x: Tensor, memory: Tensor, source_mask: Tensor, target_mask: Tensor) -> Tensor:
        """(B, n, d_model), memory (B, m, d_model), masks (B, 1, m) and (B, n, n) -> (B, n, d_model)."""
        first, second, third = self.sublayers
        x = first(x, lambda x: self.self_attention(x, x, x, target_mask))
        x = second(x, lambda x: self.memory_attention(x, memory, memory, source_mask))
        return third(x, self.feed_forward)


# -- given in the notebook -------------------------------------------------------------------------------


class FeedForward(nn.Module):
    """Two layers applied to every position alike."""

    def __init__(self, d_model: int, d_ff: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(d_model, d_ff), nn.ReLU(), nn.Dropout(dropout), nn.Linear(d_ff, d_model)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, d_model) -> the same shape."""
        return self.layers(x)


class EncoderLayer(nn.Module):
    """Self-attention, feed-forward."""

    def __init__(
        self, d_model: int, self_attention: nn.Module, feed_forward: nn.Module, dropout: float
    ) -> None:
        super().__init__()
        self.self_attention, self.feed_forward = self_attention, feed_forward
        self.sublayers = nn.ModuleList(Sublayer(d_model, dropout) for _ in range(2))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, m, d_model), mask (B, 1, m) -> (B, m, d_model)."""
        first, second = self.sublayers
        return second(first(x, lambda x: self.self_attention(x, x, x, mask)), self.feed_forward)


class Encoder(nn.Module):
    """A stack of encoder layers, normalised at the end."""

    def __init__(self, d_model: int, layers: list[EncoderLayer]) -> None:
        super().__init__()
        self.layers, self.norm = nn.ModuleList(layers), LayerNorm(d_model)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, m, d_model), mask (B, 1, m) -> (B, m, d_model)."""
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x)


class Decoder(nn.Module):
    """A stack of decoder layers, normalised at the end."""

    def __init__(self, d_model: int, layers: list[DecoderLayer]) -> None:
        super().__init__()
        self.layers, self.norm = nn.ModuleList(layers), LayerNorm(d_model)

    def forward(self, x: Tensor, memory: Tensor, source_mask: Tensor, target_mask: Tensor) -> Tensor:
        """(B, n, d_model), memory (B, m, d_model), masks (B, 1, m) and (B, n, n) -> (B, n, d_model)."""
        for layer in self.layers:
            x = layer(x, memory, source_mask, target_mask)
        return self.norm(x)


class Generator(nn.Module):
    """Log-probabilities of the next token."""

    def __init__(self, d_model: int, vocabulary: int) -> None:
        super().__init__()
        self.project = nn.Linear(d_model, vocabulary)

    def forward(self, x: Tensor) -> Tensor:
        """(…, d_model) -> (…, vocabulary)."""
        return self.project(x).log_softmax(-1)


class EncoderDecoder(nn.Module):
    """Reads a source into a memory, then writes a target while looking at it."""

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        embed_source: nn.Module,
        embed_target: nn.Module,
        generator: Generator,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.generator = encoder, decoder, generator
        self.embed_source, self.embed_target = embed_source, embed_target

    def encode(self, source: Tensor, source_mask: Tensor) -> Tensor:
        """Tokens (B, m), mask (B, 1, m) -> memory (B, m, d_model)."""
        return self.encoder(self.embed_source(source), source_mask)

    def decode(self, memory: Tensor, source_mask: Tensor, target: Tensor, target_mask: Tensor) -> Tensor:
        """Memory (B, m, d_model), tokens (B, n), masks (B, 1, m) and (B, n, n) -> (B, n, d_model)."""
        return self.decoder(self.embed_target(target), memory, source_mask, target_mask)

    def forward(self, source: Tensor, target: Tensor, source_mask: Tensor, target_mask: Tensor) -> Tensor:
        """Tokens (B, m) and (B, n), their masks -> (B, n, d_model). `generator` turns that into log-probabilities."""
        return self.decode(self.encode(source, source_mask), source_mask, target, target_mask)


def make_model(
    source_vocabulary: int,
    target_vocabulary: int,
    layers: int = 2,
    d_model: int = 64,
    d_ff: int = 128,
    heads: int = 4,
    dropout: float = 0.1,
) -> EncoderDecoder:
    """A transformer with fresh weights: matrices by Xavier's uniform rule."""

    def multi_head() -> MultiHeadAttention:
        return MultiHeadAttention(heads, d_model, dropout)

    def wide() -> FeedForward:
        return FeedForward(d_model, d_ff, dropout)

    def embed(vocabulary: int) -> nn.Sequential:
        return nn.Sequential(Embeddings(vocabulary, d_model), PositionalEncoding(d_model, dropout))

    model = EncoderDecoder(
        Encoder(d_model, [EncoderLayer(d_model, multi_head(), wide(), dropout) for _ in range(layers)]),
        Decoder(
            d_model,
            [DecoderLayer(d_model, multi_head(), multi_head(), wide(), dropout) for _ in range(layers)],
        ),
        embed(source_vocabulary),
        embed(target_vocabulary),
        Generator(d_model, target_vocabulary),
    )
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
    return model
