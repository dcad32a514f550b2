"""Answers to problem 7 of Homework 2, training side. Names that begin with a number: test_typical_mistakes.py."""

from __future__ import annotations

from chainrule.authoring.answers import Exercise, Problem, Wrong, change

# Short names for the checks of each graded cell, in their order there.
CHECKS = {
    "p7_8-shift": ("input", "labels"),
    "p7_8-smoothing": ("mass", "padding", "loss", "gradient"),
    "p7_9-schedule": ("shape", "scale", "zero"),
    "p7_10-batches": ("pairs",),
    "p7_10-epoch": ("steps", "mode", "report"),
    "p7_11-greedy": ("path", "start", "mode"),
    "p7_11-copy": ("learnt",),
    "p7_12-choice": ("choice",),
    "p7_12-dates": ("learnt",),
}


def every(item: str, *but: str) -> set[str]:
    """All checks of an item, some excepted."""
    return set(CHECKS[item]) - set(but)


# -- 7.8 -------------------------------------------------------------------------------------------------


def shift(expression: str) -> str:
    return f"def shift(tokens):\n    return {expression}\n"


RIGHT_SHIFT = {
    "slices": shift("tokens[:, :-1], tokens[:, 1:]"),
    "a list": shift("[tokens[..., :-1], tokens[..., 1:]]"),
    "narrow": shift("tokens.narrow(1, 0, tokens.shape[1] - 1), tokens.narrow(1, 1, tokens.shape[1] - 1)"),
    "index": shift("tuple(tokens[:, torch.arange(tokens.shape[1] - 1) + k] for k in (0, 1))"),
    "unbind": """
def shift(tokens):
    columns = tokens.unbind(1)
    return torch.stack(columns[:-1], 1), torch.stack(columns[1:], 1)
""",
    "clones": shift("tokens[:, :-1].clone(), tokens[:, 1:].clone()"),
}

WRONG_SHIFT = {
    "56 unshifted target": Wrong({"labels"}, "without the last one", shift("tokens[:, :-1], tokens[:, :-1]")),
    "56 unshifted input": Wrong({"input"}, "without the first one", shift("tokens[:, 1:], tokens[:, 1:]")),
    "the other way round": Wrong(
        {"input", "labels"}, "without the first", shift("tokens[:, 1:], tokens[:, :-1]")
    ),
    "the whole sequence twice": Wrong({"input", "labels"}, "not shifted", shift("tokens, tokens")),
    "the input keeps its last token": Wrong({"input"}, "not shifted", shift("tokens, tokens[:, 1:]")),
    "the labels wrap around": Wrong({"labels"}, "wrap around", shift("tokens[:, :-1], tokens.roll(-1, 1)")),
    "the batch is shifted": Wrong({"input", "labels"}, "the batch is", shift("tokens[:-1], tokens[1:]")),
    "shifted by two": Wrong({"labels"}, "by two", shift("tokens[:, :-1], tokens[:, 2:]")),
    "only the labels": Wrong({"input", "labels"}, "not a pair", shift("tokens[:, 1:]")),
    "nothing returned": Wrong({"input", "labels"}, "`return`", shift("None")),
    "zeros": Wrong({"input", "labels"}, "off by", shift("0 * tokens[:, 1:], 0 * tokens[:, 1:]")),
}

SMOOTHING = """
from torch.nn import functional as F

def smoothed_targets(labels, vocabulary, smoothing=0.1, pad=0):
    targets = torch.full((*labels.shape, vocabulary), smoothing / (vocabulary - 2))
    targets.scatter_(-1, labels.unsqueeze(-1), 1 - smoothing)
    targets[..., pad] = 0
    targets[labels == pad] = 0
    return targets

def smoothed_loss(log_probs, labels, smoothing=0.1, pad=0):
    targets = smoothed_targets(labels, log_probs.shape[-1], smoothing, pad).to(log_probs)
    return F.kl_div(log_probs, targets, reduction="sum") / (labels != pad).sum()
"""


def smoothing(*changes: str) -> str:
    return change(SMOOTHING, *changes)


RIGHT_SMOOTHING = {
    "kl_div": SMOOTHING,
    "one-hot": """
def smoothed_targets(labels, vocabulary, smoothing=0.1, pad=0):
    hot = nn.functional.one_hot(labels, vocabulary).double()
    rest = 1 - hot
    rest[..., pad] = 0
    return (labels != pad)[..., None] * (hot * (1 - smoothing) + rest * smoothing / (vocabulary - 2))

def smoothed_loss(log_probs, labels, smoothing=0.1, pad=0):
    t = smoothed_targets(labels, log_probs.size(-1), smoothing, pad)
    keep = t > 0
    return (t[keep] * (t[keep].log() - log_probs[keep])).sum() / (labels != pad).sum().item()
""",
    "loops": """
def smoothed_targets(labels, vocabulary, smoothing=0.1, pad=0):
    targets = torch.zeros(*labels.shape, vocabulary)
    for b in range(labels.shape[0]):
        for i in range(labels.shape[1]):
            y = int(labels[b, i])
            if y != pad:
                for k in range(vocabulary):
                    if k != pad:
                        targets[b, i, k] = 1 - smoothing if k == y else smoothing / (vocabulary - 2)
    return targets

def smoothed_loss(log_probs, labels, smoothing=0.1, pad=0):
    targets = smoothed_targets(labels, log_probs.shape[-1], smoothing, pad)
    total, count = 0.0, 0
    for b in range(labels.shape[0]):
        for i in range(labels.shape[1]):
            if labels[b, i] == pad:
                continue
            count += 1
            for k in range(log_probs.shape[-1]):
                t = targets[b, i, k]
                if t > 0:
                    total = total + t * (t.log() - log_probs[b, i, k])
    return total / count
""",
    "the Annotated Transformer's": """
def smoothed_targets(labels, vocabulary, smoothing=0.1, pad=0):
    flat = labels.reshape(-1)
    true = torch.zeros(len(flat), vocabulary).fill_(smoothing / (vocabulary - 2))
    true.scatter_(1, flat.unsqueeze(1), 1.0 - smoothing)
    true[:, pad] = 0
    places = torch.nonzero(flat == pad)
    if len(places):
        true.index_fill_(0, places.squeeze(-1), 0.0)
    return true.reshape(*labels.shape, vocabulary)

criterion = nn.KLDivLoss(reduction="sum")

def smoothed_loss(log_probs, labels, smoothing=0.1, pad=0):
    true = smoothed_targets(labels, log_probs.size(-1), smoothing, pad)
    return criterion(log_probs.reshape(-1, log_probs.size(-1)), true.reshape(-1, log_probs.size(-1))) / (
        (labels != pad).sum()
    )
""",
    "xlogy, and a mean over tokens": """
def smoothed_targets(labels, vocabulary, smoothing=0.1, pad=0):
    share = torch.tensor(smoothing / (vocabulary - 2))
    classes = torch.arange(vocabulary)
    targets = torch.where(classes == labels[..., None], 1 - smoothing, share)
    return torch.where((classes == pad) | (labels == pad)[..., None], 0.0, targets)

def smoothed_loss(log_probs, labels, smoothing=0.1, pad=0):
    t = smoothed_targets(labels, log_probs.shape[-1], smoothing, pad)
    each = (torch.xlogy(t, t) - t * log_probs).sum(-1)
    return each[labels != pad].mean()
""",
    "NumPy for the targets": """
import numpy as np

def smoothed_targets(labels, vocabulary, smoothing=0.1, pad=0):
    y = np.asarray(labels)
    t = np.where(np.eye(vocabulary)[y] > 0, 1 - smoothing, smoothing / (vocabulary - 2))
    t[..., pad] = 0
    t[y == pad] = 0
    return t

def smoothed_loss(log_probs, labels, smoothing=0.1, pad=0):
    t = torch.as_tensor(smoothed_targets(labels, log_probs.shape[-1], smoothing, pad)).to(log_probs)
    return nn.functional.kl_div(log_probs, t, reduction="none").sum() / (labels != pad).sum()
""",
}

WRONG_SMOOTHING = {
    "57 s over V − 1 classes": Wrong(
        {"mass"}, "V − 2 share it", smoothing("(vocabulary - 2) → (vocabulary - 1)")
    ),
    "57 s over V classes": Wrong({"mass"}, "over V classes", smoothing("/ (vocabulary - 2) → / vocabulary")),
    "57 PyTorch's smoothing": Wrong(
        {"mass", "padding"},
        "PyTorch's",
        smoothing(
            "/ (vocabulary - 2) → / vocabulary",
            "1 - smoothing) → 1 - smoothing + smoothing / vocabulary)",
            "    targets[..., pad] = 0\\n → ".replace("\\n", "\n"),
        ),
    ),
    "57 pad kept: the padding's class has a share": Wrong(
        {"padding"},
        "nobody should predict padding",
        smoothing("(vocabulary - 2) → (vocabulary - 1)", "    targets[..., pad] = 0\n → "),
    ),
    "57 pad kept: rows of padding count": Wrong(
        {"padding"}, "rows of padded positions", smoothing("    targets[labels == pad] = 0\n → ")
    ),
    "label and others exchanged": Wrong(
        {"mass"},
        "the label gets s",
        smoothing(
            "smoothing / (vocabulary - 2) → (1 - smoothing) / (vocabulary - 2)",
            "1 - smoothing) → smoothing)",
            "(smoothing) / → (1 - smoothing) /",
        ),
    ),
    "not smoothed": Wrong(
        {"mass"}, "not smoothed", smoothing("smoothing / (vocabulary - 2) → 0.0", "1 - smoothing) → 1.0)")
    ),
    "the label keeps 1": Wrong({"mass"}, "more than 1", smoothing("1 - smoothing) → 1.0)")),
    "every class gets s": Wrong({"mass"}, "all of s", smoothing("smoothing / (vocabulary - 2) → smoothing")),
    "divided by all positions": Wrong(
        {"loss"}, "all positions", smoothing("(labels != pad).sum() → labels.numel()")
    ),
    "divided by the rows": Wrong(
        {"loss"}, "number of sequences", smoothing("(labels != pad).sum() → len(labels)")
    ),
    "batchmean": Wrong(
        {"loss"},
        "number of sequences",
        smoothing('reduction="sum") / (labels != pad).sum() → reduction="batchmean")'),
    ),
    "not divided": Wrong({"loss"}, "not divided", smoothing(" / (labels != pad).sum() → ")),
    "averaged over everything": Wrong(
        {"loss"},
        "averaged over classes",
        smoothing('reduction="sum") / (labels != pad).sum() → reduction="mean")'),
    ),
    "cross-entropy": Wrong(
        {"loss"},
        "cross-entropy",
        smoothing('F.kl_div(log_probs, targets, reduction="sum") → -(targets * log_probs).sum()'),
    ),
    "0 log 0": Wrong(
        {"loss"},
        "0 · log 0",
        smoothing(
            'F.kl_div(log_probs, targets, reduction="sum") → (targets * (targets.log() - log_probs)).sum()'
        ),
    ),
    "sign": Wrong({"loss"}, "turned round", smoothing("return F.kl_div → return -F.kl_div")),
    "detached": Wrong(
        {"gradient"}, "no detach()", smoothing("F.kl_div(log_probs → F.kl_div(log_probs.detach()")
    ),
    "one number per sequence": Wrong(
        {"loss"},
        "entries",
        smoothing(
            'F.kl_div(log_probs, targets, reduction="sum") → F.kl_div(log_probs, targets, reduction="none").sum((1, 2))'
        ),
    ),
    "zeros": Wrong(
        {"mass", "padding", "loss", "gradient"},
        "no mass",
        smoothing("    return targets\n →     return 0 * targets\n"),
    ),
    "the same number everywhere": Wrong(
        {"mass", "padding", "loss", "gradient"},
        "the same",
        smoothing("    return targets\n →     return 0 * targets + 1 / vocabulary\n"),
    ),
    "nothing returned": Wrong(
        {"mass", "padding", "loss", "gradient"},
        "`return`",
        smoothing("    return targets\n → ", "    return F →     F"),
    ),
}

# -- 7.9 -------------------------------------------------------------------------------------------------

RATE = """
def learning_rate(step, d_model, warmup, factor=1.0):
    step = max(step, 1)
    return factor * d_model ** (-0.5) * min(step ** (-0.5), step * warmup ** (-1.5))
"""


def rate(*changes: str) -> str:
    return change(RATE, *changes)


RIGHT_RATE = {
    "the formula": RATE,
    "branches": """
def learning_rate(step, d_model, warmup, factor=1.0):
    step = step or 1
    if step < warmup:
        return factor / math.sqrt(d_model) * step / warmup / math.sqrt(warmup)
    return factor / math.sqrt(d_model * step)
""",
    "NumPy": """
import numpy as np

def learning_rate(step, d_model, warmup, factor=1.0):
    n = np.maximum(step, 1).astype(float)
    return factor * np.minimum(1 / np.sqrt(n), n / warmup**1.5) / np.sqrt(d_model)
""",
    "a tensor": """
def learning_rate(step, d_model, warmup, factor=1.0):
    n = torch.tensor(float(max(1, step)), dtype=torch.float64)
    return factor * torch.minimum(n.rsqrt(), n * warmup ** -1.5) / d_model ** 0.5
""",
    "recursive": """
def learning_rate(step, d_model, warmup, factor=1.0):
    if step == 0:
        return learning_rate(1, d_model, warmup, factor)
    return factor * pow(d_model, -1 / 2) * min(pow(step, -1 / 2), step * pow(warmup, -3 / 2))
""",
}

WRONG_RATE = {
    "max for min": Wrong({"shape"}, "max stands for min", rate("min( → max(")),
    "warmup exponent −0.5": Wrong({"shape"}, "−0.5, not −1.5", rate("(-1.5) → (-0.5)")),
    "warmup exponent −1": Wrong({"shape"}, "−1, not", rate("(-1.5) → (-1.0)")),
    "warmup exponent +1.5": Wrong({"shape"}, "no warm-up", rate("(-1.5) → 1.5")),
    "no d_model": Wrong({"scale"}, "no d_model", rate("d_model ** (-0.5) → 1.0")),
    "√d_model multiplies": Wrong({"scale"}, "should divide", rate("d_model ** (-0.5) → d_model ** 0.5")),
    "1/d_model": Wrong({"scale"}, "square root", rate("d_model ** (-0.5) → d_model ** -1.0")),
    "no factor": Wrong({"scale"}, "factor is not used", rate("factor * d → d")),
    "twice as large": Wrong({"scale"}, "2 times", rate("factor * d → 2 * factor * d")),
    "no warm-up": Wrong(
        {"shape"}, "no warm-up", rate("min(step ** (-0.5), step * warmup ** (-1.5)) → step ** -0.5")
    ),
    "division by zero": Wrong({"zero"}, "ZeroDivisionError", rate("    step = max(step, 1)\n → ")),
    "0 at step 0": Wrong(
        {"zero"}, "is 0", rate("    step = max(step, 1)\n →     if step == 0:\n        return 0.0\n")
    ),
    "counted one further": Wrong({"shape"}, "one step further", rate("max(step, 1) → step + 1")),
    "constant": Wrong(
        {"shape", "scale", "zero"},
        "constant",
        "def learning_rate(step, d_model, warmup, factor=1.0):\n    return 0.001\n",
    ),
    "zero": Wrong(
        {"shape", "scale", "zero"},
        "is 0",
        "def learning_rate(step, d_model, warmup, factor=1.0):\n    return 0.0\n",
    ),
    "nothing returned": Wrong({"shape", "scale", "zero"}, "`return`", rate("return → _ =")),
}

# -- 7.10 ------------------------------------------------------------------------------------------------


def batches(*lines: str) -> str:
    return "def shuffled_batches(source, target, size):\n" + "".join(f"    {line}\n" for line in lines)


RIGHT_BATCHES = {
    "split": batches(
        "order = torch.randperm(len(source))",
        "return list(zip(source[order].split(size), target[order].split(size)))",
    ),
    "slices": batches(
        "order = torch.randperm(len(source))",
        "return [(source[order[i:i + size]], target[order[i:i + size]]) for i in range(0, len(order), size)]",
    ),
    "random": batches(
        "import random",
        "order = random.sample(range(len(source)), len(source))",
        "return [[source[order[i:i + size]], target[order[i:i + size]]] for i in range(0, len(order), size)]",
    ),
    "NumPy's order": batches(
        "import numpy as np",
        "order = torch.from_numpy(np.random.permutation(len(source)))",
        "return tuple((source[part], target[part]) for part in order.split(size))",
    ),
    "a loader": batches(
        "from torch.utils.data import DataLoader, TensorDataset",
        "return [tuple(pair) for pair in DataLoader(TensorDataset(source, target), size, shuffle=True)]",
    ),
}

WRONG_BATCHES = {
    "turned round by chance": Wrong(
        {"pairs"},
        "come right after the one before",
        batches(
            "order = torch.arange(len(source)).roll(int(torch.randint(1, len(source), ())))",
            "return list(zip(source[order].split(size), target[order].split(size)))",
        ),
    ),
    "batches shuffled": Wrong(
        {"pairs"},
        "together each time",
        batches(
            "parts = list(zip(source.split(size), target.split(size)))",
            "return [parts[i] for i in torch.randperm(len(parts))]",
        ),
    ),
    "44 shuffled apart": Wrong(
        {"pairs"},
        "shuffled apart",
        batches(
            "s = source[torch.randperm(len(source))]",
            "t = target[torch.randperm(len(target))]",
            "return list(zip(s.split(size), t.split(size)))",
        ),
    ),
    "44 only the sources are shuffled": Wrong(
        {"pairs"},
        "shuffled apart",
        batches(
            "order = torch.randperm(len(source))",
            "return list(zip(source[order].split(size), target.split(size)))",
        ),
    ),
    "not shuffled": Wrong(
        {"pairs"}, "the same each time", batches("return list(zip(source.split(size), target.split(size)))")
    ),
    "the same order each time": Wrong(
        {"pairs"},
        "the same each time",
        batches(
            "order = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))",
            "return list(zip(source[order].split(size), target[order].split(size)))",
        ),
    ),
    "the last batch dropped": Wrong(
        {"pairs"},
        "20 are there",
        batches(
            "order = torch.randperm(len(source))[: len(source) // size * size]",
            "return list(zip(source[order].split(size), target[order].split(size)))",
        ),
    ),
    "with replacement": Wrong(
        {"pairs"},
        "each should be there once",
        batches(
            "order = torch.randint(len(source), (len(source),))",
            "return list(zip(source[order].split(size), target[order].split(size)))",
        ),
    ),
    "number of batches for size": Wrong(
        {"pairs"},
        "sizes",
        batches(
            "order = torch.randperm(len(source))",
            "return list(zip(source[order].chunk(size + 1), target[order].chunk(size + 1)))",
        ),
    ),
    "nothing returned": Wrong({"pairs"}, "no list", batches("pass")),
}

EPOCH = """
def train_epoch(model, batches, optimizer, scheduler, smoothing=0.1):
    model.train()
    total = tokens = 0
    for source, target in batches:
        inputs, labels = shift(target)
        hidden = model(source, inputs, padding_mask(source), target_mask(inputs))
        loss = smoothed_loss(model.generator(hidden), labels, smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        count = (labels != 0).sum().item()
        total += loss.item() * count
        tokens += count
    return total / tokens
"""


def epoch(*changes: str) -> str:
    return change(EPOCH, *changes)


RIGHT_EPOCH = {
    "the usual loop": EPOCH,
    "cleared at the end": epoch(
        "        optimizer.zero_grad()\n → ",
        "        scheduler.step()\n →         scheduler.step()\n        model.zero_grad()\n",
    ),
    "encode and decode by hand": epoch(
        "model(source, inputs, padding_mask(source), target_mask(inputs)) → "
        "model.decode(model.encode(source, padding_mask(source)), padding_mask(source), inputs, target_mask(inputs))"
    ),
    "keywords, slices": """
def train_epoch(model, batches, optimizer, scheduler, smoothing=0.1):
    weighted = []
    for source, target in batches:
        model.train()
        optimizer.zero_grad(set_to_none=False)
        log_probs = model.generator(
            model.forward(source, target[:, :-1], (source != 0).unsqueeze(-2), target_mask(target[:, :-1]))
        )
        loss = smoothed_loss(log_probs, target[:, 1:], smoothing)
        loss.backward()
        optimizer.step()
        scheduler.step()
        weighted.append((float(loss.detach()), int((target[:, 1:] > 0).sum())))
    return sum(a * n for a, n in weighted) / sum(n for _, n in weighted)
""",
    "a tensor": epoch("return total / tokens → return torch.tensor(total / tokens)"),
    "autograd.grad": epoch(
        "loss.backward() → \n        for p, g in zip(model.parameters(), "
        "torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)):\n            p.grad = g"
    ),
}

WRONG_EPOCH = {
    "fifty batches at most": Wrong(
        {"report"}, "is each of them used?", epoch("in batches: → in batches[:50]:")
    ),
    "37 no zero_grad": Wrong(
        {"steps"}, "zero_grad() is missing", epoch("        optimizer.zero_grad()\n → ")
    ),
    "37 zero_grad once an epoch": Wrong(
        {"steps"},
        "once an epoch",
        epoch(
            "        optimizer.zero_grad()\n → ",
            "    model.train()\n →     model.train()\n    optimizer.zero_grad()\n",
        ),
    ),
    "38 step before backward": Wrong(
        {"steps"},
        "step() comes before backward()",
        epoch(
            "        optimizer.zero_grad()\n        loss →         loss",
            "        optimizer.step()\n → ",
            "        inputs, labels →         optimizer.step()\n        optimizer.zero_grad()\n        inputs, labels",
        ),
    ),
    "38 step before backward, after zero_grad": Wrong(
        {"steps"},
        "the weights never change",
        epoch(
            "        loss.backward()\n        optimizer.step()\n →         optimizer.step()\n        loss.backward()\n"
        ),
    ),
    "no step": Wrong({"steps"}, "never change", epoch("        optimizer.step()\n → ")),
    "no backward": Wrong({"steps"}, "never change", epoch("        loss.backward()\n → ")),
    "no step, in eval mode": Wrong(
        {"steps", "mode"},
        "that of eval mode",
        epoch("        optimizer.step()\n → ", "model.train() → model.eval()"),
    ),
    "39 train mode not restored": Wrong({"mode"}, "eval mode", epoch("    model.train()\n → ")),
    "39 trained in eval mode": Wrong({"mode"}, "eval mode", epoch("model.train() → model.eval()")),
    "43 unequal batches averaged": Wrong(
        {"report"},
        "different numbers of tokens",
        epoch("total += loss.item() * count → total += loss.item()", "tokens += count → tokens += 1"),
    ),
    "padding counted in the mean": Wrong(
        {"report"}, "padding is counted", epoch("(labels != 0).sum().item() → labels.numel()")
    ),
    "weighted by rows": Wrong({"report"}, "by their rows", epoch("(labels != 0).sum().item() → len(labels)")),
    "the sum": Wrong(
        {"report"}, "this is the sum over all tokens", epoch("return total / tokens → return total")
    ),
    "the last loss": Wrong({"report"}, "last batch", epoch("return total / tokens → return loss.item()")),
    "nothing returned": Wrong({"report"}, "nothing", epoch("return total / tokens → pass")),
    "no scheduler": Wrong({"steps"}, "scheduler.step() is missing", epoch("        scheduler.step()\n → ")),
    "scheduler once an epoch": Wrong(
        {"steps"},
        "once an epoch",
        epoch("        scheduler.step()\n → ", "    return total →     scheduler.step()\n    return total"),
    ),
    "scheduler first": Wrong(
        {"steps"},
        "before optimizer.step()",
        epoch(
            "        optimizer.step()\n → ",
            "        scheduler.step()\n →         scheduler.step()\n        optimizer.step()\n",
        ),
    ),
    "no causal mask": Wrong(
        {"steps", "report"}, "sees later tokens", epoch("target_mask(inputs) → padding_mask(inputs)")
    ),
    "source's padding attended to": Wrong(
        {"steps", "report"},
        "padding is attended to",
        epoch("padding_mask(source) → torch.ones_like(source)[:, None] > 0"),
    ),
    "smoothing not passed on": Wrong(
        {"steps", "report"}, "smoothing is not used", epoch("labels, smoothing) → labels)")
    ),
    "ascent": Wrong({"steps"}, "larger, not smaller", epoch("loss.backward() → (-loss).backward()")),
    "only the first batch": Wrong({"steps", "report"}, "first batch", epoch("in batches: → in batches[:1]:")),
}

# -- 7.11 ------------------------------------------------------------------------------------------------

GREEDY = """
def greedy_decode(model, source, source_mask, max_len, start):
    model.eval()
    with torch.no_grad():
        memory = model.encode(source, source_mask)
        tokens = torch.full((source.shape[0], 1), start, dtype=source.dtype, device=source.device)
        for _ in range(max_len - 1):
            mask = causal_mask(tokens.shape[1]).to(source.device)
            hidden = model.decode(memory, source_mask, tokens, mask)
            log_probs = model.generator(hidden)
            following = log_probs[:, -1].argmax(dim=-1)
            tokens = torch.cat([tokens, following[:, None]], dim=1)
    return tokens
"""


def greedy(*changes: str) -> str:
    return change(GREEDY, *changes)


RIGHT_GREEDY = {
    "the usual loop": GREEDY,
    "target_mask": greedy("causal_mask(tokens.shape[1]).to(source.device) → target_mask(tokens)"),
    "max, not argmax": greedy("log_probs[:, -1].argmax(dim=-1) → torch.max(log_probs[:, -1], dim=1).indices"),
    "forward each time": greedy(
        "model.decode(memory, source_mask, tokens, mask) → model(source, tokens, source_mask, mask)"
    ),
    "topk": greedy("log_probs[:, -1].argmax(dim=-1) → log_probs[:, -1, :].topk(1).indices[:, 0]"),
    "a buffer": """
@torch.no_grad()
def greedy_decode(model, source, source_mask, max_len, start):
    was = model.training
    model.eval()
    out = torch.zeros(len(source), max_len, dtype=torch.long)
    out[:, 0] = start
    memory = model.encode(source, source_mask)
    for i in range(1, max_len):
        seen = out[:, :i]
        out[:, i] = model.generator(model.decode(memory, source_mask, seen, causal_mask(i))[:, i - 1]).argmax(1)
    model.train(was)
    return out
""",
    "sentence by sentence": """
def greedy_decode(model, source, source_mask, max_len, start):
    model.eval()
    rows = []
    for s, m in zip(source.split(1), source_mask.split(1)):
        memory, row = model.encode(s, m), [start]
        while len(row) < max_len:
            hidden = model.decode(memory, m, torch.tensor([row]), causal_mask(len(row)))
            row.append(int(model.generator(hidden)[0, -1].argmax()))
        rows.append(row)
    return torch.tensor(rows)
""",
}

WRONG_GREEDY = {
    "eight tokens seen": Wrong(
        {"path"},
        "for max_len 30",
        greedy("source_mask, tokens, mask) → source_mask, tokens[:, -8:], mask[:, -8:, -8:])"),
    ),
    "ends where only padding follows": Wrong(
        {"path"},
        "not (3, 30)",
        greedy(
            "            tokens = torch.cat"
            " →             if not following.any():\n                break\n            tokens = torch.cat"
        ),
    ),
    "42 argmax over the batch": Wrong(
        {"path", "start", "mode"}, "Error", greedy("argmax(dim=-1) → argmax(dim=0)")
    ),
    "42 argmax over the positions": Wrong(
        {"path"},
        "over the positions",
        greedy("log_probs[:, -1].argmax(dim=-1) → log_probs.argmax(dim=1)[:, -1]"),
    ),
    "the first position's prediction": Wrong(
        {"path"}, "first position", greedy("log_probs[:, -1] → log_probs[:, 0]")
    ),
    "the least probable": Wrong({"path"}, "least probable", greedy("argmax → argmin")),
    "no causal mask": Wrong(
        {"path"},
        "no causal mask",
        greedy(
            "causal_mask(tokens.shape[1]) → torch.ones(1, tokens.shape[1], tokens.shape[1], dtype=torch.bool)"
        ),
    ),
    "no source mask": Wrong(
        {"path"},
        "source's mask",
        greedy("model.decode(memory, source_mask → model.decode(memory, torch.ones_like(source_mask)"),
    ),
    "only the last token seen": Wrong(
        {"path"},
        "no more than its last token",
        greedy("source_mask, tokens, mask) → source_mask, tokens[:, -1:], mask[:, :1, :1])"),
    ),
    "sampled": Wrong(
        {"path", "mode"},
        "a token after the start",
        greedy("log_probs[:, -1].argmax(dim=-1) → torch.multinomial(log_probs[:, -1].exp(), 1)[:, 0]"),
    ),
    "start left out": Wrong({"start"}, "start token", greedy("return tokens → return tokens[:, 1:]")),
    "one too many": Wrong({"start"}, "number of tokens", greedy("max_len - 1 → max_len")),
    "one too few": Wrong({"start"}, "number of tokens", greedy("max_len - 1 → max_len - 2")),
    "36 dropout while decoding": Wrong({"mode"}, "with dropout", greedy("    model.eval()\n → ")),
    "train mode": Wrong({"mode"}, "with dropout", greedy("model.eval() → model.train()")),
    "a constant": Wrong(
        {"path", "start", "mode"},
        "different sources",
        greedy("return tokens → return tokens * 0 + start"),
    ),
    "the source": Wrong(
        {"path", "mode"},
        "off by",
        greedy("return tokens → return torch.cat([tokens[:, :1], source, source], 1)[:, :max_len]"),
    ),
    "nothing returned": Wrong({"path", "start", "mode"}, "nothing", greedy("return tokens → pass")),
}

# -- 7.12 ------------------------------------------------------------------------------------------------


def choice(expression: str) -> str:
    return f"def best_epoch(history):\n    return {expression}\n"


RIGHT_CHOICE = {
    "index": choice('history["validation"].index(max(history["validation"]))'),
    "max": choice('max(range(len(history["validation"])), key=history["validation"].__getitem__)'),
    "torch": choice('torch.tensor(history["validation"]).argmax()'),
    "torch, as a number": choice('torch.tensor(history["validation"]).argmax().item()'),
    "sorted": choice('sorted(enumerate(history["validation"]), key=lambda pair: -pair[1])[0][0]'),
}

WRONG_CHOICE = {
    "45 test and validation together": Wrong(
        {"choice"},
        "is chosen",
        choice(
            "max(range(len(history['test'])), key=lambda i: history['validation'][i] + history['test'][i])"
        ),
    ),
    "45 tuned on test": Wrong(
        {"choice"}, "tuned on test", choice('history["test"].index(max(history["test"]))')
    ),
    "the training loss": Wrong(
        {"choice"}, "lowest training loss", choice('history["loss"].index(min(history["loss"]))')
    ),
    "the test decides between equals": Wrong(
        {"choice"},
        "the test accuracy decides",
        choice(
            "max(range(len(history['test'])), key=lambda i: (history['validation'][i], history['test'][i]))"
        ),
    ),
    "before the first fall": Wrong(
        {"choice"},
        "1 is chosen",
        choice(
            "next((i for i, (a, b) in enumerate(zip(history['validation'], history['validation'][1:])) if b < a),"
            " len(history['validation']) - 1)"
        ),
    ),
    "rounded accuracies": Wrong(
        {"choice"},
        "3 is chosen",
        choice("max(range(len(history['test'])), key=lambda i: round(history['validation'][i], 1))"),
        unnoticed="in the visible checks accuracies differ by a tenth at least",
    ),
    "the first epoch left out": Wrong(
        {"choice"}, "is chosen", choice("history['validation'][1:].index(max(history['validation'][1:]))")
    ),
    "the last epoch": Wrong({"choice"}, "last epoch", choice('len(history["loss"]) - 1')),
    "counted from 1": Wrong(
        {"choice"}, "counts from 0", choice('history["validation"].index(max(history["validation"])) + 1')
    ),
    "the worst": Wrong(
        {"choice"}, "worst", choice('history["validation"].index(min(history["validation"]))')
    ),
    "the accuracy itself": Wrong({"choice"}, "no tokens", choice('max(history["validation"])')),
    "nothing returned": Wrong({"choice"}, "`return`", choice("None")),
}

ONE_DEVICE = "without a GPU there is one device only"
CLEARED = "gradients are cleared before backward"

PROBLEM = Problem(
    notebook="p7_attention",
    given=(
        "p7_0-imports",
        "p7_1-code",
        "p7_2-code",
        "p7_3-code",
        "p7_4-code",
        "p7_5-code",
        "p7_6-encoder",
        "p7_6-code",
        "p7_7-assembly",
        "p7_10-tiny",
        "p7_11-machinery",
    ),
    checks=CHECKS,
    equivalent={
        "p7_8-smoothing-code": {
            "… → …full((*labels.shape, vocabulary), smoothing / (vocabulary - 2))": ONE_DEVICE,
            "….to(log_probs) → ….to()": "float32 has digits enough, and there is one device only",
        },
        "p7_9-code": {
            "… → step = max(1, step)": "the larger of two, in either order",
            "…min(… → …min(step * warmup ** (-1.5), step ** (-0.5))": "the smaller of two, in either order",
        },
        "p7_10-batches-code": {
            "order = torch.randperm(… → order = torch.randperm(len(source))": ONE_DEVICE,
            "order = torch.randperm(… → order = torch.randperm(len(source), device=target.device)": ONE_DEVICE,
            "order = torch.randperm(… → order = torch.randperm(len(target), device=source.device)": "as many",
            "… → return list(zip(source[order].split(size), target[order].split(size)))": "both have as many batches",
            "… → …, target[order].split(size), strict=False))": "both have as many batches",
        },
        "p7_10-epoch-code": {
            "inputs, labels = shift(target) ⏎ … → optimizer.zero_grad() ⏎ inputs, labels = shift(target)": CLEARED,
            "optimizer.zero_grad() ⏎ … → …) ⏎ optimizer.zero_grad()": CLEARED,
            "optimizer.zero_grad() → model.zero_grad()": "the optimizer has all parameters of the model",
            "…target_mask(inputs)) → …target_mask(labels))": "a label that counts has no padding before it",
            "scheduler.step() ⏎ … → count = … ⏎ scheduler.step()": "neither needs the other",
            "total += … ⏎ … → tokens += count ⏎ total += loss.item() * count": "neither needs the other",
            "count = int((labels != 0).sum()) → count = ((labels != 0).sum())": "a tensor of one number will do",
            "total += loss.item() * count → total += loss * count": "a tensor of one number will do",
        },
        "p7_11-code": {
            "with torch.no_grad(): ⏎ … → with __import__…": "tokens are whole numbers, no gradients reach them",
            "memory = … ⏎ … → tokens = … ⏎ memory = …": "neither needs the other",
            "tokens = torch.full(…) → tokens = torch.full((len(source), 1), start)": ONE_DEVICE,
            "tokens = … → tokens = torch.full((len(source), 1), start, device=source_mask.device)": ONE_DEVICE,
            "tokens = … → tokens = torch.full((len(source_mask), 1), …)": "there is a mask for each source",
            "mask = … → mask = causal_mask(tokens.shape[1]).to()": ONE_DEVICE,
            "mask = … → mask = causal_mask(tokens.shape[1]).to(source_mask.device)": ONE_DEVICE,
            "…, dim=1) → …, dim=(-1))": "tokens have two dimensions",
        },
    },
    exercises=(
        Exercise(("p7_8-shift",), "p7_8-shift-code", RIGHT_SHIFT, WRONG_SHIFT),
        Exercise(("p7_8-smoothing",), "p7_8-smoothing-code", RIGHT_SMOOTHING, WRONG_SMOOTHING),
        Exercise(("p7_9-schedule",), "p7_9-code", RIGHT_RATE, WRONG_RATE),
        Exercise(("p7_10-batches",), "p7_10-batches-code", RIGHT_BATCHES, WRONG_BATCHES),
        Exercise(("p7_10-epoch",), "p7_10-epoch-code", RIGHT_EPOCH, WRONG_EPOCH),
        Exercise(("p7_11-greedy",), "p7_11-code", RIGHT_GREEDY, WRONG_GREEDY),
        Exercise(("p7_12-choice",), "p7_12-choice-code", RIGHT_CHOICE, WRONG_CHOICE),
    ),
)
