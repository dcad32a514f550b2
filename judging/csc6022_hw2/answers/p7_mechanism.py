"""Answers to problem 7 of Homework 2, first part, mostly written as a change to a plain right one."""

from __future__ import annotations

from chainrule.authoring.answers import Exercise, Problem, Right, Sources, Wrong, change

# Short names for the checks of each graded cell, in their order there.
CHECKS = {
    "p7_1-attention": (
        "own", "scale", "axis", "output", "mask", "broadcast", "dropout", "gradients",
    ),
    "p7_2-masks": ("padding", "any pad", "causal", "target"),
    "p7_3-heads": ("own", "result", "cross", "mask", "kept", "learnt", "eval"),
    "p7_4-positions": ("lookup", "root", "values", "same", "fixed", "dropout"),
    "p7_5-sublayer": ("own", "norm", "gain", "connected", "dropout"),
    "p7_6-decoder": ("memory", "masks", "order", "registered", "dropout"),
    "p7_7-model": ("runs", "words"),
}  # fmt: skip

# -- 7.1 -------------------------------------------------------------------------------------------------

ATTENTION = """
def attention(query, key, value, mask=None, dropout=None):
    d_k = query.size(-1)
    scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(d_k)
    if mask is not None:
        scores = scores.masked_fill(mask == 0, -1e9)
    p_attn = scores.softmax(dim=-1)
    if dropout is not None:
        p_attn = dropout(p_attn)
    return torch.matmul(p_attn, value), p_attn
"""


def attend(*changes: str) -> str:
    return change(ATTENTION, *changes)


RIGHT_ATTENTION: dict[str, Sources | Right] = {
    "matmul, weights after dropout": ATTENTION,
    "lowest finite number": attend("-1e9 → torch.finfo(scores.dtype).min"),
    "query scaled first": attend("matmul(query, → matmul(query / d_k**0.5,", " / math.sqrt(d_k) → "),
    "einsum and where": """
def attention(query, key, value, mask=None, dropout=None):
    scores = torch.einsum("...qd,...kd->...qk", query, key) * query.shape[-1] ** -0.5
    if mask is not None:
        scores = torch.where(mask, scores, torch.tensor(-1e12, dtype=scores.dtype))
    weights = torch.softmax(scores, -1)
    used = dropout(weights) if dropout else weights
    return torch.einsum("...qk,...kv->...qv", used, value), weights
""",
    "an additive float mask": attend(
        "scores = scores.masked_fill(mask == 0, -1e9) → scores = scores + (1.0 - mask.to(scores.dtype)) * -1e10"
    ),
    "exp and sum by hand": """
def attention(query, key, value, mask=None, dropout=None):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    open_ = torch.ones_like(scores) if mask is None else mask.to(scores).expand_as(scores)
    e = torch.exp(scores - scores.amax(-1, keepdim=True)) * open_
    weights = e / e.sum(-1, keepdim=True).clamp(min=1e-30)
    used = weights if dropout is None else dropout(weights)
    return used @ value, weights
""",
    "baddbmm": """
def attention(query, key, value, mask=None, dropout=None):
    lead, (n_q, d), n_k = query.shape[:-2], query.shape[-2:], key.shape[-2]
    bias = torch.zeros(*lead, n_q, n_k, dtype=query.dtype, device=query.device)
    if mask is not None:
        bias = bias.masked_fill(~mask, float("-1e9"))
    scores = torch.baddbmm(
        bias.reshape(-1, n_q, n_k), query.reshape(-1, n_q, d), key.reshape(-1, n_k, d).mT, alpha=d**-0.5
    )
    weights = scores.softmax(2).reshape(*lead, n_q, n_k)
    return (weights if dropout is None else dropout(weights)) @ value, weights
""",
    "a loop over queries, a list": """
def attention(query, key, value, mask=None, dropout=None):
    n_q, n_k, d_k = query.shape[-2], key.shape[-2], query.shape[-1]
    if mask is not None:
        mask = mask.expand(*query.shape[:-1], n_k)
    rows, outputs = [], []
    for i in range(n_q):
        s = (query[..., i : i + 1, :] * key).sum(-1) / math.sqrt(d_k)
        if mask is not None:
            s = s.masked_fill(mask[..., i, :].logical_not(), -1e20)
        w = torch.nn.functional.softmax(s, dim=-1)
        rows.append(w)
        u = w if dropout is None else dropout(w)
        outputs.append((u.unsqueeze(-1) * value).sum(-2))
    return [torch.stack(outputs, -2), torch.stack(rows, -2)]
""",
    "−∞ with care": attend("-1e9 → -math.inf", "softmax(dim=-1) → softmax(dim=-1).nan_to_num(0.0)"),
    # right wherever anything is asked
    "−∞, and nothing for closed rows": attend("-1e9 → float('-inf')"),
}

WRONG_ATTENTION = {
    "closed scores of −100": Wrong({"mask"}, "with large scores", attend("-1e9 → -1e2")),
    "causal wherever it can be": Wrong(
        {"mask"},
        "where all scores are 0",
        attend(
            "mask == 0, -1e9)\n → mask == 0, -1e9)\n        if scores.shape[-1] == scores.shape[-2]:\n"
            "            scores = scores.masked_fill(torch.ones_like(scores).triu(1) > 0, -1e9)\n"
        ),
    ),
    "no scale": Wrong({"scale"}, "not scaled", attend(" / math.sqrt(d_k) → ")),
    "√d_model": Wrong(
        {"scale"},
        "√d_model",
        attend("math.sqrt(d_k) → math.sqrt(d_k * (query.size(1) if query.dim() == 4 else 2))"),
    ),
    "√n_keys": Wrong({"scale"}, "number of keys", attend("math.sqrt(d_k) → math.sqrt(key.size(-2))")),
    "√n_queries": Wrong({"scale"}, "number of queries", attend("math.sqrt(d_k) → math.sqrt(query.size(-2))")),
    "√d_v": Wrong({"scale"}, "√d_v", attend("math.sqrt(d_k) → math.sqrt(value.size(-1))")),
    "d_k without root": Wrong({"scale"}, "take the root", attend("math.sqrt(d_k) → d_k")),
    "multiplied": Wrong({"scale"}, "multiplied", attend("/ math → * math")),
    "wrong sign": Wrong({"scale"}, "wrong sign", attend("/ math → / -math")),
    "softmax over queries": Wrong({"axis"}, "runs over the queries", attend("dim=-1 → dim=-2")),
    "softmax over heads": Wrong(
        {"axis"}, "over the batch or the heads", attend("dim=-1 → dim=1 if scores.dim() == 4 else -1")
    ),
    "no softmax, exp only": Wrong({"axis"}, "the sum", attend("scores.softmax(dim=-1) → scores.exp()")),
    "mask inverted": Wrong({"mask"}, "inverted", attend("mask == 0 → mask")),
    "mask after softmax": Wrong(
        {"mask"},
        "after the softmax",
        attend(
            "    if mask is not None:\n        scores = scores.masked_fill(mask == 0, -1e9)\n → ",
            "    if dropout → "
            "    if mask is not None:\n        p_attn = p_attn.masked_fill(mask == 0, 0.0)\n    if dropout",
        ),
    ),
    "fill after softmax": Wrong(
        {"mask"},
        "after the softmax",
        attend(
            "    if mask is not None:\n        scores = scores.masked_fill(mask == 0, -1e9)\n → ",
            "    if dropout → "
            "    if mask is not None:\n        p_attn = p_attn.masked_fill(mask == 0, -1e9)\n    if dropout",
        ),
    ),
    "scores times mask": Wrong(
        {"mask"}, "set to 0", attend("scores.masked_fill(mask == 0, -1e9) → scores * mask")
    ),
    "mask added as 0 and 1": Wrong(
        {"mask"}, "added as 0 and 1", attend("scores.masked_fill(mask == 0, -1e9) → scores + mask")
    ),
    "mask ignored": Wrong({"mask"}, "no effect", attend("mask is not None → False")),
    "masked result not kept": Wrong({"mask"}, "no effect", attend("scores = scores.masked → scores.masked")),
    "mask of full shape only": Wrong(
        {"broadcast"},
        "Error",
        attend("scores.masked_fill(mask == 0, -1e9) → scores - 1e9 * (~mask).double().reshape(scores.shape)"),
    ),
    "dropout ignored": Wrong({"dropout"}, "no effect", attend("if dropout is not None → if False")),
    "dropout on the output": Wrong(
        {"dropout"},
        "acts on the output",
        attend(
            "    if dropout is not None:\n        p_attn = dropout(p_attn)\n → ",
            "return torch.matmul(p_attn, value), → out = torch.matmul(p_attn, value)\n"
            "    return out if dropout is None else dropout(out),",
        ),
    ),
    "mean of the values": Wrong(
        {"output", "dropout", "gradients"},
        "mean of the values",
        attend("(p_attn, value), → (torch.ones_like(p_attn) / key.size(-2), value),"),
    ),
    "divided by n_keys": Wrong(
        {"output"},
        "divided by the number of keys",
        attend("(p_attn, value), → (p_attn, value) / key.size(-2),"),
    ),
    "weights detached": Wrong(
        {"gradients"},
        "no gradient reaches `query`",
        attend("matmul(p_attn, value) → matmul(p_attn.detach(), value)"),
    ),
    "key detached": Wrong({"gradients"}, "`key`", attend("key.transpose → key.detach().transpose")),
    "by NumPy": Wrong(
        {"gradients"},
        "`query`",
        attend("p_attn = scores → scores = torch.tensor(scores.detach().numpy())\n    p_attn = scores"),
    ),
    "PyTorch's own": Wrong(
        {"own"},
        "leaves its work to PyTorch",
        """
def attention(query, key, value, mask=None, dropout=None):
    weights = query @ key.mT / query.size(-1) ** 0.5
    if mask is not None:
        weights = weights.masked_fill(~mask, -1e9)
    weights = weights.softmax(-1)
    if dropout is not None:
        return dropout(weights) @ value, weights
    bias = None if mask is None else torch.zeros(mask.shape, dtype=query.dtype).masked_fill(~mask, -1e9)
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias), weights
""",
    ),
    "zeros": Wrong(
        {"scale", "axis", "output", "mask", "broadcast", "dropout", "gradients"},
        "do not follow",
        """
def attention(query, key, value, mask=None, dropout=None):
    weights = torch.zeros(*query.shape[:-1], key.shape[-2])
    return torch.zeros(*query.shape[:-1], value.shape[-1]), weights
""",
    ),
    "equal weights": Wrong(
        {"scale", "axis", "output", "mask", "broadcast", "dropout", "gradients"},
        "do not follow",
        """
def attention(query, key, value, mask=None, dropout=None):
    weights = torch.full((*query.shape[:-1], key.shape[-2]), 1 / key.shape[-2], dtype=query.dtype)
    return weights @ value, weights
""",
    ),
    "nothing returned": Wrong({*CHECKS["p7_1-attention"]} - {"own"}, "return", attend("return → _ =")),
    "output only": Wrong({*CHECKS["p7_1-attention"]} - {"own"}, "pair", attend("value), p_attn → value)")),
}

# -- 7.2 -------------------------------------------------------------------------------------------------

MASKS = """
def padding_mask(tokens, pad=0):
    return (tokens != pad).unsqueeze(-2)

def causal_mask(n):
    return torch.triu(torch.ones(1, n, n), diagonal=1) == 0

def target_mask(tokens, pad=0):
    return padding_mask(tokens, pad) & causal_mask(tokens.shape[-1]).to(tokens.device)
"""


def masks(*changes: str) -> str:
    return change(MASKS, *changes)


RIGHT_MASKS: dict[str, Sources | Right] = {
    "triu and its opposite": MASKS,
    "comparison of positions": masks(
        "torch.triu(torch.ones(1, n, n), diagonal=1) == 0 → "
        "(torch.arange(n)[:, None] >= torch.arange(n))[None]"
    ),
    "written out": Right(
        frozenset(),
        masks("(tokens != pad).unsqueeze(-2) → (tokens != pad)[:, None, :].expand(-1, tokens.shape[1], -1)"),
        fits=False,  # a row for each key fits self-attention, but not as many queries as a target has
    ),
    "no leading one": masks("torch.ones(1, n, n) → torch.ones(n, n)"),
    "a loop": masks(
        "    return torch.triu(torch.ones(1, n, n), diagonal=1) == 0 → "
        "    return torch.tensor([[[j <= i for j in range(n)] for i in range(n)]])"
    ),
    "logical_and": masks(
        "padding_mask(tokens, pad) & causal_mask(tokens.shape[-1]).to(tokens.device) → "
        "torch.logical_and(tokens.ne(pad)[:, None], torch.ones(tokens.shape[1], tokens.shape[1])"
        ".tril().bool())"
    ),
}

PAD, CAUSAL = "(tokens != pad).unsqueeze(-2)", "torch.triu(torch.ones(1, n, n), diagonal=1) == 0"
BOTH = "padding_mask(tokens, pad) & causal_mask(tokens.shape[-1]).to(tokens.device)"

WRONG_MASKS = {
    "a table for 512 words": Wrong(
        {"causal"},
        "doesn't fit",
        masks("torch.ones(1, n, n), diagonal=1) → torch.ones(1, 512, 512)[:, :n, :n], diagonal=1)"),
    ),
    "a table for 16 words": Wrong(
        {"causal"},
        "(1, 16, 16)",
        masks(
            "def causal_mask(n):\n → def causal_mask(n):\n    if n > 16:\n        return causal_mask(16)\n"
        ),
    ),
    "padding inverted": Wrong({"padding"}, "inverted", masks("tokens != pad → tokens == pad")),
    "pad mask on queries": Wrong({"padding"}, "closes the rows", masks(".unsqueeze(-2) → .unsqueeze(-1)")),
    "pad mask on queries and keys": Wrong(
        {"padding"},
        "rows and columns",
        masks(f"{PAD} → (tokens != pad)[:, None] & (tokens != pad)[..., None]"),
    ),
    "pad is 0": Wrong({"any pad"}, "use `pad`", masks("!= pad → != 0")),
    "causal without itself": Wrong({"causal"}, "may look at itself", masks("diagonal=1 → diagonal=0")),
    "causal one too far": Wrong({"causal"}, "sees the next one", masks("diagonal=1 → diagonal=2")),
    "causal inverted": Wrong({"causal"}, "inverted", masks("diagonal=1) == 0 → diagonal=1) == 1")),
    "causal transposed": Wrong(
        {"causal"},
        "transposed",
        masks("torch.triu(torch.ones(1, n, n), diagonal=1) → torch.tril(torch.ones(1, n, n), diagonal=-1)"),
    ),
    "target: padding only": Wrong(
        {"target"}, "close the future", masks(f"{BOTH} → padding_mask(tokens, pad)")
    ),
    "target: causal only": Wrong(
        {"target"}, "close the padding", masks(f"{BOTH} → causal_mask(tokens.shape[-1])")
    ),
    "target: or": Wrong({"target"}, "both must be open", masks("pad) & → pad) |")),
    "target: pad mask on queries": Wrong(
        {"target"}, "closes rows", masks("padding_mask(tokens, pad) & → (tokens != pad).unsqueeze(-1) &")
    ),
    "target inverted": Wrong({"target"}, "inverted", masks(f"{BOTH} → ~({BOTH})")),
    "all open": Wrong(
        {"padding", "any pad", "causal", "target"},
        "open everywhere",
        masks(
            f"{PAD} → torch.ones(len(tokens), 1, tokens.shape[1]).bool()",
            f"{CAUSAL} → torch.ones(1, n, n).bool()",
        ),
    ),
    "nothing returned": Wrong({"padding", "any pad", "causal", "target"}, "return", masks("return → _ =")),
}

# -- 7.3 -------------------------------------------------------------------------------------------------

HEADS = """
class MultiHeadAttention(nn.Module):
    def __init__(self, heads, d_model, dropout=0.1):
        super().__init__()
        self.d_k, self.h = d_model // heads, heads
        self.linears = nn.ModuleList([nn.Linear(d_model, d_model) for _ in range(4)])
        self.dropout = nn.Dropout(p=dropout)
        self.weights = None

    def forward(self, query, key, value, mask=None):
        B = query.size(0)
        if mask is not None:
            mask = mask.unsqueeze(1)
        query, key, value = [
            lin(x).view(B, -1, self.h, self.d_k).transpose(1, 2)
            for lin, x in zip(self.linears, (query, key, value))
        ]
        x, weights = attention(query, key, value, mask=mask, dropout=self.dropout)
        self.weights = weights.detach()
        x = x.transpose(1, 2).contiguous().view(B, -1, self.h * self.d_k)
        return self.linears[-1](x)
"""


def heads(*changes: str) -> str:
    return change(HEADS, *changes)


INLINE = """attention_inline(query, key, value, mask, self.dropout, DIVISOR)"""
OWN_ATTENTION = """

def attention_inline(q, k, v, mask, dropout, divisor):
    s = q @ k.mT / divisor
    if mask is not None:
        s = s.masked_fill(~mask, -1e9)
    w = s.softmax(-1)
    return dropout(w) @ v, w
"""


def inline(divisor: str) -> str:
    """Attention written into the layer, with this divisor."""
    call = "attention(query, key, value, mask=mask, dropout=self.dropout)"
    return heads(f"{call} → {INLINE.replace('DIVISOR', divisor)}") + OWN_ATTENTION


RIGHT_HEADS = {
    "lazy": heads("nn.Linear(d_model, d_model) → nn.LazyLinear(d_model)"),
    "a list of four": HEADS,
    "no biases": heads("nn.Linear(d_model, d_model) → nn.Linear(d_model, d_model, bias=False)"),
    "attention inline": inline("math.sqrt(self.d_k)"),
    "all four and their biases in one": """
class MultiHeadAttention(nn.Module):
    def __init__(self, heads, d_model, dropout=0.1):
        super().__init__()
        self.h = heads
        self.weight = nn.Parameter(torch.randn(4 * d_model, d_model) / d_model ** 0.5)
        self.bias = nn.Parameter(torch.zeros(4 * d_model))
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        W, b = self.weight.chunk(4), self.bias.chunk(4)
        parts = [nn.functional.linear(x, W[i], b[i]) for i, x in enumerate((query, key, value))]
        q, k, v = (part.unflatten(2, (self.h, -1)).transpose(1, 2) for part in parts)
        y, w = attention(q, k, v, mask if mask is None else mask[:, None], self.dropout)
        self.weights = w.detach()
        return nn.functional.linear(y.transpose(1, 2).flatten(2), W[3], b[3])
""",
    "fused, sliced": """
class MultiHeadAttention(nn.Module):
    def __init__(self, heads, d_model, dropout=0.1):
        super().__init__()
        self.heads, self.d = heads, d_model
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        parts = []
        for i, x in enumerate((query, key, value)):
            at = slice(i * self.d, (i + 1) * self.d)
            y = nn.functional.linear(x, self.qkv.weight[at], self.qkv.bias[at])
            parts.append(y.reshape(*x.shape[:2], self.heads, -1).permute(0, 2, 1, 3))
        mixed, weights = attention(*parts, None if mask is None else mask[:, None], self.drop)
        self.weights = weights.detach().clone()
        return self.out(mixed.permute(0, 2, 1, 3).flatten(-2))
""",
    "fused, chunks of each": """
class MultiHeadAttention(nn.Module):
    def __init__(self, heads, d_model, dropout=0.1):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(d_model, 3 * d_model, bias=False), nn.Linear(d_model, d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        q, k, v = (self.qkv(x).chunk(3, -1)[i].unflatten(-1, (self.heads, -1)).transpose(1, 2)
                   for i, x in enumerate((query, key, value)))
        y, w = attention(q, k, v, None if mask is None else mask.unsqueeze(1), self.drop)
        self.weights = w.detach()
        return self.out(y.transpose(1, 2).flatten(2))
""",
    "parameters by head, einsum": """
class MultiHeadAttention(nn.Module):
    def __init__(self, heads, d_model, dropout=0.1):
        super().__init__()
        d_k = d_model // heads
        self.Q, self.K, self.V = (nn.Parameter(torch.randn(heads, d_model, d_k) / d_model**0.5) for _ in range(3))
        self.O = nn.Parameter(torch.randn(heads, d_k, d_model) / d_model**0.5)
        self.p = dropout

    def forward(self, query, key, value, mask=None):
        q, k, v = (torch.einsum("bnd,hde->bhne", x, W) for x, W in ((query, self.Q), (key, self.K), (value, self.V)))
        scores = torch.einsum("bhqe,bhke->bhqk", q, k) / q.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None], float("-inf"))
        weights = scores.softmax(-1)
        self.weights = weights.detach()
        weights = nn.functional.dropout(weights, self.p, self.training)
        return torch.einsum("bhqk,bhke,hed->bqd", weights, v, self.O)
""",
    "a loop over heads": """
class MultiHeadAttention(nn.Module):
    def __init__(self, heads, d_model, dropout=0.1):
        super().__init__()
        d_k = d_model // heads
        self.parts = nn.ModuleList(
            nn.ModuleList(nn.Linear(d_model, d_k) for _ in range(3)) for _ in range(heads)
        )
        self.out = nn.Linear(heads * d_k, d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        found, kept = [], []
        for q, k, v in self.parts:
            y, w = attention(q(query), k(key), v(value), mask, self.drop)
            found.append(y)
            kept.append(w.detach())
        self.weights = torch.stack(kept, 1)
        return self.out(torch.cat(found, -1))
""",
    "another order of features": heads(
        ".view(B, -1, self.h, self.d_k).transpose(1, 2) → .view(B, -1, self.d_k, self.h).permute(0, 3, 1, 2)"
    ),
    "x @ W": """
class MultiHeadAttention(nn.Module):
    def __init__(self, heads, d_model, dropout=0.1):
        super().__init__()
        self.heads, self.drop = heads, nn.Dropout(dropout)
        self.W = nn.ParameterList(torch.randn(d_model, d_model) / d_model**0.5 for _ in range(4))

    def split(self, x):
        return torch.stack(x.chunk(self.heads, -1), 1)

    def forward(self, query, key, value, mask=None):
        q, k, v = (self.split(x @ W) for x, W in zip((query, key, value), self.W))
        y, w = attention(q, k, v, mask if mask is None else mask.unsqueeze(1), self.drop)
        self.weights = w.detach()
        return torch.cat(tuple(y.unbind(1)), -1) @ self.W[3]
""",
}

WRONG_HEADS = {
    "what comes out is dropped, too": Wrong(
        {"eval"},
        "only the weights are dropped",
        heads("return self.linears[-1](x) → return self.dropout(self.linears[-1](x))"),
    ),
    "values from the key": Wrong(
        {"result"},
        "the values are projected from `key`",
        heads("zip(self.linears, (query, key, value)) → zip(self.linears, (query, key, key))"),
    ),
    "values by the key's projection": Wrong(
        {"result"},
        "share one projection",
        heads(
            "zip(self.linears, (query, key, value)) → "
            "zip([self.linears[0], self.linears[1], self.linears[1]], (query, key, value))"
        ),
    ),
    "the residual inside": Wrong(
        {"result"},
        "the query is added",
        heads(
            "        B = query.size(0)\n →         B, start = query.size(0), query\n",
            "return self.linears[-1](x) → return start + self.linears[-1](x)",
        ),
    ),
    "a fixed dropout": Wrong(
        {"eval"}, "its rate is the argument", heads("nn.Dropout(p=dropout) → nn.Dropout(0.1)")
    ),
    "dropout on the output": Wrong(
        {"eval"},
        "acts on the output",
        heads(
            "dropout=self.dropout → dropout=None", "self.linears[-1](x) → self.dropout(self.linears[-1](x))"
        ),
    ),
    "weights without the mask": Wrong(
        {"kept"}, "before the mask", heads("weights.detach() → attention(query, key, value)[1].detach()")
    ),
    "view instead of transpose": Wrong(
        {"result"},
        "then transpose",
        heads(".view(B, -1, self.h, self.d_k).transpose(1, 2) → .view(B, self.h, -1, self.d_k)"),
    ),
    "view both ways": Wrong(
        {"result"},
        "then transpose",
        heads(
            ".view(B, -1, self.h, self.d_k).transpose(1, 2) → .view(B, self.h, -1, self.d_k)",
            "x.transpose(1, 2).contiguous().view(B → x.contiguous().view(B",
        ),
    ),
    "not transposed back": Wrong(
        {"result"}, "transposed back", heads("x.transpose(1, 2).contiguous() → x.contiguous()")
    ),
    "no scale": Wrong({"result"}, "not scaled", inline("1")),
    "√d_model": Wrong({"result"}, "√d_model", inline("(self.h * self.d_k) ** 0.5")),
    "√n_keys": Wrong({"result"}, "number of keys", inline("k.shape[-2] ** 0.5".replace("k.", "key."))),
    "d_k": Wrong({"result"}, "divided by d_k", inline("self.d_k")),
    "no output projection": Wrong(
        {"result"}, "output projection", heads("self.linears[-1](x) → x", "range(4) → range(3)")
    ),
    "one projection for all": Wrong(
        {"learnt"},
        "parameters are registered",
        heads(
            "zip(self.linears, (query, key, value)) → zip([self.linears[0]] * 3, (query, key, value))",
            "range(4) → range(2)",
        ),
    ),
    "mask dropped": Wrong({"mask"}, "no effect", heads("mask=mask → mask=None")),
    "mask inverted": Wrong({"mask"}, "inverted on its way", heads("mask.unsqueeze(1) → ~mask.unsqueeze(1)")),
    "no weights": Wrong({"kept"}, "no `.weights`", heads("self.weights = weights.detach() → pass")),
    "mean weights": Wrong({"kept"}, "shape", heads("weights.detach() → weights.detach().mean(1)")),
    "layers in a plain list": Wrong(
        {"learnt"},
        "no layers in a plain list",
        heads(
            "nn.ModuleList([nn.Linear(d_model, d_model) for _ in range(4)]) → "
            "[nn.Linear(d_model, d_model) for _ in range(4)]"
        ),
    ),
    "layers made in forward": Wrong(
        {"learnt"},
        "not in forward",
        heads(
            "        self.linears = nn.ModuleList([nn.Linear(d_model, d_model) for _ in range(4)])\n → ",
            "        B = query.size(0)\n → "
            "        B, d = query.size(0), query.size(-1)\n"
            "        self.__dict__['linears'] = [nn.Linear(d, d) for _ in range(4)]\n",
        ),
    ),
    "dropout in eval mode": Wrong(
        {"eval"},
        "active in eval mode",
        heads("dropout=self.dropout) → dropout=lambda w: nn.functional.dropout(w, self.dropout.p))"),
    ),
    "dropout forgotten": Wrong(
        {"eval"}, "no dropout in training", heads("dropout=self.dropout → dropout=None")
    ),
    "dropout by hand, in eval mode": Wrong(
        {"eval"},
        "active in eval mode",
        heads(
            "dropout=self.dropout) → dropout=lambda w: w * (torch.rand_like(w) >= self.dropout.p) / "
            "(1 - self.dropout.p))"
        ),
    ),
    "zeros": Wrong(
        {"result", "cross", "mask", "kept", "eval", "learnt"},
        "not what multi-head attention gives",
        heads(
            "        return self.linears[-1](x) → "
            "        self.weights = 0 * self.weights\n        return 0 * x"
        ),
    ),
    "PyTorch's own": Wrong(
        {"own"},
        "leaves its work to PyTorch",
        """
class MultiHeadAttention(nn.Module):
    def __init__(self, heads, d_model, dropout=0.1):
        super().__init__()
        self.heads = heads
        self.inner = nn.MultiheadAttention(d_model, heads, dropout, batch_first=True)

    def forward(self, query, key, value, mask=None):
        if mask is not None:
            mask = ~mask.expand(-1, query.shape[1], -1).repeat_interleave(self.heads, 0)
        y, w = self.inner(query, key, value, attn_mask=mask, average_attn_weights=False)
        self.weights = w.detach()
        return y
""",
    ),
}

# -- 7.4 -------------------------------------------------------------------------------------------------

POSITIONS = """
class Embeddings(nn.Module):
    def __init__(self, vocabulary, d_model):
        super().__init__()
        self.lut = nn.Embedding(vocabulary, d_model)
        self.d_model = d_model

    def forward(self, tokens):
        return self.lut(tokens) * math.sqrt(self.d_model)


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, dropout, max_len=512):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        pe = torch.zeros(max_len, d_model)
        position = torch.arange(0, max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * -(math.log(10000.0) / d_model))
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe.unsqueeze(0))

    def forward(self, x):
        return self.dropout(x + self.pe[:, : x.size(1)].requires_grad_(False))
"""


def positions(*changes: str) -> str:
    return change(POSITIONS, *changes)


RIGHT_POSITIONS = {
    "exp of logarithms": POSITIONS,
    "a loop": positions(
        "        pe[:, 0::2] = torch.sin(position * div_term)\n        pe[:, 1::2] = torch.cos(position * div_term) → "
        "        for t in range(max_len):\n            for i in range(d_model // 2):\n"
        "                angle = t / 10000 ** (2 * i / d_model)\n"
        "                pe[t, 2 * i], pe[t, 2 * i + 1] = math.sin(angle), math.cos(angle)"
    ),
    "a frozen parameter": positions(
        'self.register_buffer("pe", pe.unsqueeze(0)) → self.pe = nn.Parameter(pe.unsqueeze(0), requires_grad=False)',
    ),
    "computed in forward": positions(
        'self.register_buffer("pe", pe.unsqueeze(0)) → self.make = lambda: pe[None]',
        "self.pe[ → self.make()[",
    ),
    "a table of parameters": positions(
        "nn.Embedding(vocabulary, d_model) → nn.Parameter(torch.randn(vocabulary, d_model))",
        "self.lut(tokens) → self.lut[tokens]",
    ),
    "one-hot": positions(
        "nn.Embedding(vocabulary, d_model) → nn.Linear(vocabulary, d_model, bias=False)",
        "self.lut(tokens) → self.lut(nn.functional.one_hot(tokens, self.lut.in_features).float())",
    ),
    "phase shift": positions("torch.cos(position * div_term) → torch.sin(position * div_term + math.pi / 2)"),
    "not persistent": positions("pe.unsqueeze(0)) → pe.unsqueeze(0), persistent=False)"),
}

WRONG_POSITIONS = {
    "max_len not used": Wrong(
        {"values"}, "must match", positions("        pe = torch →         max_len = 512\n        pe = torch")
    ),
    "missing √d": Wrong({"root"}, "is missing", positions(" * math.sqrt(self.d_model) → ")),
    "divided by √d": Wrong({"root"}, "divided", positions("* math.sqrt → / math.sqrt")),
    "times d": Wrong({"root"}, "take the root", positions("math.sqrt(self.d_model) → self.d_model")),
    "√vocabulary": Wrong(
        {"root"}, "vocabulary", positions("math.sqrt(self.d_model) → math.sqrt(self.lut.num_embeddings)")
    ),
    "exponent i for 2i": Wrong(
        {"values"},
        "2i/d_model",
        positions("torch.arange(0, d_model, 2) * - → torch.arange(0, d_model // 2) * -"),
    ),
    "concatenated": Wrong(
        {"values"},
        "interleave",
        positions("pe[:, 0::2] → pe[:, : d_model // 2]", "pe[:, 1::2] → pe[:, d_model // 2 :]"),
    ),
    "sine and cosine swapped": Wrong(
        {"values"},
        "swapped",
        positions("torch.sin → torch.SIN", "torch.cos → torch.sin", "torch.SIN → torch.cos"),
    ),
    "from position 1": Wrong(
        {"values"}, "begin at 0", positions("torch.arange(0, max_len) → torch.arange(1, max_len + 1)")
    ),
    "growing frequencies": Wrong({"values"}, "wrong sign", positions("* -(math → * (math")),
    "1000 for 10000": Wrong({"values"}, "off by", positions("10000.0 → 1000.0")),
    "trainable": Wrong(
        {"fixed"},
        "is trained",
        positions(
            'self.register_buffer("pe", pe.unsqueeze(0)) → self.pe = nn.Parameter(pe.unsqueeze(0))',
            ".requires_grad_(False) → ",
        ),
    ),
    "learnt from scratch": Wrong(
        {"values", "fixed"},
        "is trained",
        positions(
            'self.register_buffer("pe", pe.unsqueeze(0)) → self.pe = nn.Parameter(torch.randn(1, max_len, d_model))',
            ".requires_grad_(False) → ",
        ),
    ),
    "the batch for the position": Wrong(
        {"values", "same"},
        "same",
        positions("self.pe[:, : x.size(1)].requires_grad_(False) → self.pe[0, : x.size(0), None]"),
    ),
    "dropout in eval mode": Wrong(
        {"dropout"},
        "active in eval",
        positions(
            "return self.dropout(x + → return nn.functional.dropout(x +",
            "requires_grad_(False)) → requires_grad_(False), self.dropout.p)",
        ),
    ),
    "no dropout": Wrong(
        {"dropout"}, "no dropout in training", positions("return self.dropout(x + → return (x +")
    ),
    "no rescale": Wrong(
        {"dropout"},
        "not divided by 1 − p",
        positions("return self.dropout( → return self.drop(") + "\n    def drop(self, x):\n"
        "        return x * (torch.rand_like(x) >= self.dropout.p) if self.training else x\n",
    ),
    "keep and drop swapped": Wrong(
        {"dropout"},
        "swapped",
        positions("return self.dropout( → return self.drop(") + "\n    def drop(self, x):\n"
        "        p = self.dropout.p\n"
        "        return x * (torch.rand_like(x) < p) / (1 - p) if self.training and p else x\n",
    ),
    "zeros": Wrong(
        {"lookup", "root", "values", "same", "fixed", "dropout"},
        "nothing is added",
        positions(
            "return self.lut(tokens) * math.sqrt(self.d_model) → return 0 * self.lut(tokens)",
            "return self.dropout(x + self.pe[:, : x.size(1)].requires_grad_(False)) → return x",
        ),
    ),
}

# -- 7.5 -------------------------------------------------------------------------------------------------

SUBLAYER = """
class LayerNorm(nn.Module):
    def __init__(self, features, eps=1e-6):
        super().__init__()
        self.a_2 = nn.Parameter(torch.ones(features))
        self.b_2 = nn.Parameter(torch.zeros(features))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = x.var(-1, keepdim=True, unbiased=False)
        return self.a_2 * (x - mean) / (var + self.eps).sqrt() + self.b_2


class Sublayer(nn.Module):
    def __init__(self, size, dropout):
        super().__init__()
        self.norm = LayerNorm(size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, sublayer):
        return x + self.dropout(sublayer(self.norm(x)))
"""


def sublayer(*changes: str) -> str:
    return change(SUBLAYER, *changes)


RIGHT_SUBLAYER = {
    "unbiased=False": SUBLAYER,
    "mean of squares": sublayer(
        "x.var(-1, keepdim=True, unbiased=False) → (x**2).mean(-1, keepdim=True) - mean**2"
    ),
    "std": sublayer("(var + self.eps).sqrt() → torch.pow(var + self.eps, 0.5)"),
    "rsqrt": sublayer("/ (var + self.eps).sqrt() → * torch.rsqrt(var + self.eps)"),
    "other order, row of parameters": sublayer(
        "        self.a_2 = nn.Parameter(torch.ones(features))\n"
        "        self.b_2 = nn.Parameter(torch.zeros(features))\n → "
        "        self.b_2 = nn.Parameter(torch.zeros(1, 1, features))\n"
        "        self.a_2 = nn.Parameter(torch.ones(1, 1, features))\n"
    ),
    "F.dropout with the mode": sublayer(
        "self.dropout(sublayer(self.norm(x))) → "
        "nn.functional.dropout(sublayer(self.norm(x)), self.dropout.p, self.training)"
    ),
    "dropout by hand": sublayer(
        "return x + self.dropout(sublayer(self.norm(x))) → return x + self.drop(sublayer(self.norm(x)))"
    )
    + "\n    def drop(self, y):\n        p = self.dropout.p\n"
    "        return y * (torch.rand_like(y) > p) / (1 - p) if self.training else y\n",
}

WRONG_SUBLAYER = {
    "statistics detached": Wrong(
        {"gain"}, "detach nothing", sublayer("unbiased=False) → unbiased=False).detach()")
    ),
    "mean detached": Wrong({"gain"}, "detach nothing", sublayer("mean = x.mean → mean = x.detach().mean")),
    "half the sublayer": Wrong(
        {"connected"},
        "0.5 · what the sublayer gives",
        sublayer("self.dropout(sublayer(self.norm(x))) → 0.5 * self.dropout(sublayer(self.norm(x)))"),
    ),
    "normalised twice": Wrong(
        {"connected"},
        "is normalised, too",
        sublayer("self.dropout(sublayer(self.norm(x))) → self.dropout(self.norm(sublayer(self.norm(x))))"),
    ),
    "the gain starts at random": Wrong(
        {"gain"}, "it should start at 1", sublayer("torch.ones(features) → torch.randn(features)")
    ),
    "unbiased variance": Wrong({"norm"}, "n − 1", sublayer("unbiased=False → unbiased=True")),
    "unbiased std plus eps": Wrong(
        {"norm"}, "n − 1", sublayer("(var + self.eps).sqrt() → (x.std(-1, keepdim=True) + self.eps)")
    ),
    "eps outside the root": Wrong(
        {"norm"}, "outside the root", sublayer("(var + self.eps).sqrt() → (var.sqrt() + self.eps)")
    ),
    "eps ignored": Wrong({"norm"}, "eps", sublayer("var + self.eps → var + 1e-6")),
    "wrong axes: positions": Wrong({"norm"}, "positions", sublayer("mean(-1 → mean(-2", "var(-1 → var(-2")),
    "wrong axes: batch": Wrong({"norm"}, "over the batch", sublayer("mean(-1 → mean(0", "var(-1 → var(0")),
    "wrong axes: all": Wrong(
        {"norm"},
        "everything",
        sublayer("x.mean(-1, keepdim=True) → x.mean()", "x.var(-1, keepdim=True → x.var(dim=None"),
    ),
    "no root": Wrong({"norm"}, "take its root", sublayer("(var + self.eps).sqrt() → (var + self.eps)")),
    "no gain and bias": Wrong(
        {"gain"}, "no parameters", sublayer("self.a_2 * (x - mean) → (x - mean)", " + self.b_2 → ")
    ),
    "gain not trained": Wrong(
        {"gain"}, "1 parameters", sublayer("nn.Parameter(torch.ones(features)) → torch.ones(features)")
    ),
    "bias times gain": Wrong(
        {"gain"},
        "gain · normalised + bias",
        sublayer(
            "self.a_2 * (x - mean) / (var + self.eps).sqrt() + self.b_2 → "
            "self.a_2 * ((x - mean) / (var + self.eps).sqrt() + self.b_2)"
        ),
    ),
    "post-norm": Wrong(
        {"connected"},
        "post-norm",
        sublayer("x + self.dropout(sublayer(self.norm(x))) → self.norm(x + self.dropout(sublayer(x)))"),
    ),
    "no residual": Wrong({"connected"}, "residual is missing", sublayer("return x + → return")),
    "no norm": Wrong({"connected"}, "no normalisation", sublayer("sublayer(self.norm(x)) → sublayer(x)")),
    "norm of the result": Wrong(
        {"connected"}, "not what it gets", sublayer("sublayer(self.norm(x)) → self.norm(sublayer(x))")
    ),
    "residual of the normalised": Wrong(
        {"connected"},
        "add x itself",
        sublayer("return x + → x = self.norm(x)\n        return x +", "sublayer(self.norm(x)) → sublayer(x)"),
    ),
    "no rescale": Wrong(
        {"dropout"},
        "not divided by 1 − p",
        sublayer("self.dropout(sublayer(self.norm(x))) → self.drop(sublayer(self.norm(x)))")
        + "\n    def drop(self, y):\n"
        "        return y * (torch.rand_like(y) >= self.dropout.p) if self.training else y\n",
    ),
    "keep and drop swapped": Wrong(
        {"dropout"}, "swapped", sublayer("nn.Dropout(dropout) → nn.Dropout(1 - dropout if dropout else 0.0)")
    ),
    "dropout in eval mode": Wrong(
        {"dropout"},
        "active in eval",
        sublayer(
            "self.dropout(sublayer(self.norm(x))) → nn.functional.dropout(sublayer(self.norm(x)), self.dropout.p)"
        ),
    ),
    "no dropout": Wrong(
        {"dropout"},
        "no dropout in training",
        sublayer("self.dropout(sublayer(self.norm(x))) → sublayer(self.norm(x))"),
    ),
    "x dropped, too": Wrong(
        {"dropout"},
        "x is dropped as well",
        sublayer("x + self.dropout(sublayer(self.norm(x))) → self.dropout(x + sublayer(self.norm(x)))"),
    ),
    "PyTorch's own": Wrong(
        {"own"},
        "leaves its work to PyTorch",
        sublayer(
            "        mean = x.mean(-1, keepdim=True)\n        var = x.var(-1, keepdim=True, unbiased=False)\n → ",
            "self.a_2 * (x - mean) / (var + self.eps).sqrt() + self.b_2 → "
            "nn.functional.layer_norm(x, x.shape[-1:], self.a_2, self.b_2, self.eps)",
        ),
    ),
    "zeros": Wrong(
        {"norm", "gain", "connected", "dropout"},
        "the result is 0, whatever goes in",
        sublayer(
            "return self.a_2 * → return 0 * self.a_2 *",
            " + self.b_2 → ",
            "return x + self.dropout(sublayer(self.norm(x))) → return 0 * x",
        ),
    ),
}

# -- 7.6 -------------------------------------------------------------------------------------------------

DECODER = """
class DecoderLayer(nn.Module):
    def __init__(self, d_model, self_attention, memory_attention, feed_forward, dropout):
        super().__init__()
        self.size = d_model
        self.self_attn = self_attention
        self.src_attn = memory_attention
        self.feed_forward = feed_forward
        self.sublayer = nn.ModuleList([Sublayer(d_model, dropout) for _ in range(3)])

    def forward(self, x, memory, source_mask, target_mask):
        m = memory
        x = self.sublayer[0](x, lambda x: self.self_attn(x, x, x, target_mask))
        x = self.sublayer[1](x, lambda x: self.src_attn(x, m, m, source_mask))
        return self.sublayer[2](x, self.feed_forward)
"""


def decoder(*changes: str) -> str:
    return change(DECODER, *changes)


FIRST = "        x = self.sublayer[0](x, lambda x: self.self_attn(x, x, x, target_mask))\n"
SECOND = "        x = self.sublayer[1](x, lambda x: self.src_attn(x, m, m, source_mask))\n"

RIGHT_DECODER = {
    "a list of sublayers": DECODER,
    "three names": decoder(
        "self.sublayer = nn.ModuleList([Sublayer(d_model, dropout) for _ in range(3)]) → "
        "self.a, self.b, self.c = Sublayer(d_model, dropout), Sublayer(d_model, dropout), Sublayer(d_model, dropout)",
        "self.sublayer[0] → self.a",
        "self.sublayer[1] → self.b",
        "self.sublayer[2] → self.c",
    ),
    "mask by name": decoder(
        "m, m, source_mask → m, m, mask=source_mask", "x, x, target_mask → x, x, mask=target_mask"
    ),
    "inner functions": decoder(
        f"{SECOND} → "
        "        def look(y):\n"
        "            return self.src_attn(query=y, key=memory, value=memory, mask=source_mask)\n\n"
        "        x = self.sublayer[1](x, look)\n"
    ),
    "written out": decoder(
        "self.sublayer = nn.ModuleList([Sublayer(d_model, dropout) for _ in range(3)]) → "
        "self.norms = nn.ModuleList(LayerNorm(d_model) for _ in range(3))\n        self.drop = nn.Dropout(dropout)",
        FIRST
        + " → "
        + "        y = self.norms[0](x)\n        x = x + self.drop(self.self_attn(y, y, y, target_mask))\n",
        SECOND + " → " + "        x = x + self.drop(self.src_attn(self.norms[1](x), m, m, source_mask))\n",
        "return self.sublayer[2](x, self.feed_forward) → return x + self.drop(self.feed_forward(self.norms[2](x)))",
    ),
}

WRONG_DECODER = {
    "memory detached": Wrong(
        {"registered"}, "no gradient reaches", decoder("m = memory → m = memory.detach()")
    ),
    "no dropout": Wrong(
        {"dropout"}, "hand on the argument", decoder("Sublayer(d_model, dropout) → Sublayer(d_model, 0.0)")
    ),
    "a fixed dropout": Wrong(
        {"dropout"}, "with dropout=0.0", decoder("Sublayer(d_model, dropout) → Sublayer(d_model, 0.1)")
    ),
    "memory ignored": Wrong(
        {"memory"},
        "the memory is ignored",
        decoder("x, m, m, source_mask → x, x, x, source_mask", "m = memory → m = x"),
    ),
    "memory attention missing": Wrong({"memory"}, "nothing reads the memory", decoder(f"{SECOND} → ")),
    "memory for keys only": Wrong(
        {"memory"}, "values do not come", decoder("x, m, m, source_mask → x, m, x, source_mask")
    ),
    "memory for values only": Wrong(
        {"memory"}, "keys do not come", decoder("x, m, m, source_mask → x, x, m, source_mask")
    ),
    "no target mask": Wrong(
        {"masks"}, "self-attention gets no mask", decoder("x, x, x, target_mask → x, x, x")
    ),
    "no source mask": Wrong(
        {"masks"}, "over the memory gets no mask", decoder("m, m, source_mask → m, m, None")
    ),
    "no masks": Wrong(
        {"masks"}, "neither", decoder("x, x, x, target_mask → x, x, x", "m, m, source_mask → m, m")
    ),
    "masks swapped": Wrong(
        {"masks"},
        "swapped",
        decoder(
            "x, x, x, target_mask → x, x, x, SM", "m, m, source_mask → m, m, target_mask", "SM → source_mask"
        ),
    ),
    "memory first": Wrong(
        {"order"}, "memory comes before", decoder(f"{FIRST} → ", SECOND + " → " + SECOND + FIRST)
    ),
    "feed-forward missing": Wrong(
        {"order"}, "feed-forward is missing", decoder("self.sublayer[2](x, self.feed_forward) → x")
    ),
    "no self-attention": Wrong({"order"}, "self-attention is missing", decoder(f"{FIRST} → ")),
    "layers in a plain list": Wrong(
        {"registered"},
        "plain list",
        decoder(
            "nn.ModuleList([Sublayer(d_model, dropout) for _ in range(3)]) → "
            "[Sublayer(d_model, dropout) for _ in range(3)]"
        ),
    ),
    "layers made in forward": Wrong(
        {"registered"},
        "none made in forward",
        decoder(
            "self.sublayer = nn.ModuleList([Sublayer(d_model, dropout) for _ in range(3)]) → self.rate = dropout",
            "m = memory → m = memory\n        sublayer = [Sublayer(self.size, self.rate) for _ in range(3)]",
            "self.sublayer → sublayer",
        ),
    ),
    "one sublayer for all": Wrong(
        {"registered"},
        "parameters are registered",
        decoder(
            "range(3)]) → range(1)])",
            "self.sublayer[1] → self.sublayer[0]",
            "self.sublayer[2] → self.sublayer[0]",
        ),
    ),
    "x returned": Wrong(
        {"memory", "masks", "order", "dropout"},
        "is not that of",
        decoder("return self.sublayer[2](x, self.feed_forward) → return 2 * m"),
    ),
    "one sublayer twice, one never": Wrong(
        {"registered"}, "takes no part in the result", decoder("self.sublayer[1] → self.sublayer[0]")
    ),
    "sublayers that nobody uses": Wrong(
        {"registered"}, "takes no part in the result", decoder("range(3)]) → range(6)])")
    ),
    "memory ignored and order wrong": Wrong(
        {"memory", "order"},
        "the memory is ignored",
        decoder(
            f"{FIRST} → ", SECOND + " → " + SECOND + FIRST, "x, m, m, source_mask → x, x, x, source_mask"
        ),
    ),
}

FILL = "exp gives 0, as the notebook allows"

PROBLEM = Problem(
    notebook="p7_attention",
    given=(
        "p7_0-imports",
        "p7_6-encoder",
        "p7_7-assembly",
    ),
    checks=CHECKS,
    equivalent={
        "p7_1-code": {
            "…key.transpose(-2, -1)… → …key.transpose(-1, -2)…": "dimensions change places, in either order",
            "…math.sqrt(query.size(-1)) → …math.sqrt(key.size(-1))": "queries and keys have one size",
            "…-1e9) → …-1000000001.0)": FILL,
            "…-1e9) → …-999999999.0)": FILL,
            "…-1e9) → …-2000000000.0)": FILL,
            "return kept @ value, weights → return kept @ value, kept": "as the Annotated Transformer does",
        },
        "p7_3-code": {
            "….transpose(1, 2)… → ….transpose(2, 1)…": "dimensions change places, in either order",
            "self.weights = weights.detach() → self.weights = weights": "their values are the same",
        },
        "p7_4-code": {
            "…torch.zeros(max_len, d_model) → …torch.ones(max_len, d_model)": "every entry is overwritten"
        },
        "p7_2-code": {
            "… → …padding_mask(pad, tokens)…": "a ≠ b is b ≠ a",
            "….to(tokens.device) → ….to()": "without a GPU there is one device only",
        },
    },
    exercises=(
        Exercise(("p7_1-attention",), "p7_1-code", RIGHT_ATTENTION, WRONG_ATTENTION),
        Exercise(("p7_2-masks",), "p7_2-code", RIGHT_MASKS, WRONG_MASKS),
        Exercise(("p7_3-heads",), "p7_3-code", RIGHT_HEADS, WRONG_HEADS),
        Exercise(("p7_4-positions",), "p7_4-code", RIGHT_POSITIONS, WRONG_POSITIONS),
        Exercise(("p7_5-sublayer",), "p7_5-code", RIGHT_SUBLAYER, WRONG_SUBLAYER),
        Exercise(("p7_6-decoder",), "p7_6-code", RIGHT_DECODER, WRONG_DECODER),
    ),
)
