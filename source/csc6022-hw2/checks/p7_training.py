"""Visible checks of problem 7, parts 7.8 to 7.12: targets, loss, learning rate, training loop, decoding, tasks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from chainrule.lesson import CheckFailed, Item, expect
from chainrule.lesson.checks import numbers
from chainrule.lesson.student import Model, Student, returned
from checks.p7_probes import expect_module, expect_same, same, waves
from given import dates as given_dates

# Results of the worked examples.
LOSS = 1.42073
LOSSES = [
    [3.772246, 4.125031, 3.34121],
    [5.160497, 5.713651, 4.128358],
]  # of a pass over one batch or the other

# What trained models should reach; calibrated over seeds of the reference.
COPY_THRESHOLD = 0.9
DATES_THRESHOLD = 0.85

# -- 7.8 -------------------------------------------------------------------------------------------------


def number(value: Any, name: str) -> float:
    """A single number, also as an array or tensor with one entry."""
    entries = numbers(value, name).reshape(-1)
    if len(entries) != 1:
        raise CheckFailed(f"{name} is {len(entries)} numbers, not one")
    return float(entries[0])


def two(answer: Any, name: str) -> tuple[Tensor, Tensor]:
    """A pair of arrays of numbers, float64."""
    if not isinstance(answer, list | tuple) or len(answer) != 2:
        raise CheckFailed(f"{name} is {returned(answer)}, not a pair")
    return numbers(answer[0], f"the first part of {name}"), numbers(answer[1], f"the second part of {name}")


def shift(item: Item) -> None:
    """Visible checks of `shift`, on 3 sequences of 4 tokens and 2 of 6."""
    batches = [torch.arange(1, 13).reshape(3, 4), torch.tensor([[1, 7, 3, 9, 2, 0], [1, 5, 5, 8, 0, 0]])]

    def shifted(student: Student, tokens: Tensor) -> tuple[Tensor, Tensor]:
        parts = two(student.shift(tokens), "what `shift` returns")
        for part, name in zip(parts, ("the decoder input", "the labels"), strict=True):
            expect(part, name).has_shape(len(tokens), tokens.shape[1] - 1)
        return parts

    @item.visible_check(
        "a pair of tensors, one position shorter each", means="right form", hint="(B, n - 1) and (B, n - 1)"
    )
    def _(student: Student) -> None:
        for tokens in batches:
            shifted(student, tokens)

    @item.visible_check(
        "each label is what the decoder reads one position later",
        means="consistent",
        hint="at each position the label is the token that follows",
    )
    def _(student: Student) -> None:
        for tokens in batches:
            inputs, labels = shifted(student, tokens)
            expect_same(
                labels[:, :-1],
                inputs[:, 1:],
                f"for the sequences {tokens.tolist()}, labels, all but the last,",
            )

    @item.visible_check(
        "the first input and the labels are the sequence again, and so are the inputs and the last label",
        means="right",
        hint="inputs: everything but the last token; labels: everything but the first",
    )
    def _(student: Student) -> None:
        for tokens in batches:
            inputs, labels = shifted(student, tokens)
            for name, parts in {
                "the first input, then the labels": (inputs[:, :1], labels),
                "the inputs, then the last label": (inputs, labels[:, -1:]),
            }.items():
                expect_same(torch.cat(parts, 1), tokens, f"for the sequences {tokens.tolist()}, {name}")


def smoothing(item: Item) -> None:
    """Visible checks of `smoothed_targets` and `smoothed_loss`, on labels with padding."""
    labels = torch.tensor([[2, 4, 1, 5], [3, 1, 0, 0], [6, 0, 0, 0]])
    V, s = 7, 0.3
    words = labels != 0
    log_probs = waves(3, 4, V).log_softmax(-1)
    renamed = torch.where(labels == 0, 3, torch.where(labels == 3, 0, labels))  # 3 fills up, 0 is a word
    exchanged = [3, 1, 2, 0, 4, 5, 6]  # the classes by their new names

    def targets(student: Student, *arguments: Any) -> Tensor:
        found = numbers(student.smoothed_targets(*arguments), "what smoothed_targets returns")
        expect(found, "what smoothed_targets returns").has_shape(*arguments[0].shape, arguments[1])
        return found

    def loss(student: Student, *arguments: Any) -> float:
        value = student.smoothed_loss(*arguments)
        if isinstance(value, Tensor) and bool(value.isnan().any()):
            raise CheckFailed("the loss is NaN, and 0 · log 0 should count as 0")
        return number(value, "the loss")

    @item.visible_check(
        "a distribution over the classes for each position, and one number for the loss",
        means="right form",
        hint="smoothed_targets: (B, n, vocabulary); smoothed_loss: a scalar",
    )
    def _(student: Student) -> None:
        targets(student, labels, V, s)
        for dtype in (torch.float64, torch.float32):
            expect(student.smoothed_loss(log_probs.to(dtype), labels, s), "the loss").has_shape()

    @item.visible_check(
        "the targets of a word sum to 1, those of padding to 0",
        means="consistent",
        hint="1 - s for the label, s / (V - 2) for every other class but padding; zeros where the label is padding",
    )
    def _(student: Student) -> None:
        for smooth, size in ((s, V), (0.1, 11)):
            found = targets(student, labels, size, smooth)
            expect(bool((found >= 0).all())).is_true("there are negative targets")
            for name, rows, wanted in (("a word", found[words], 1.0), ("padding", found[~words], 0.0)):
                sums = rows.sum(-1)
                expect_same(
                    sums,
                    torch.full_like(sums, wanted),
                    f"smoothing {smooth:g}, {size} classes: the sum for {name}",
                )

    @item.visible_check(
        "padding is never the target",
        means="consistent",
        hint="a column of zeros at pad, and a row of zeros where the label is pad",
    )
    def _(student: Student) -> None:
        found = targets(student, labels, V, s)
        largest = float(found[..., 0].abs().max())
        expect(largest < 1e-6).is_true(f"the padding's class gets {largest:.3g}")
        largest = float(found[~words].abs().max())
        expect(largest < 1e-6).is_true(f"where the label is padding, a class gets {largest:.3g}")
        again = targets(student, renamed, V, s, 3)
        expect_same(
            again[..., exchanged], found, "if token 3 fills up, not 0: with the classes renamed, a target"
        )

    @item.visible_check(
        "the label gets 1 - s, and the other classes have equal shares",
        means="right",
        hint="1 - s for the label, s / (V - 2) for every other class but padding",
    )
    def _(student: Student) -> None:
        for smooth, arguments in ((0.3, (0.3,)), (0.0, (0.0,)), (0.1, ())):
            found = targets(student, labels, V, *arguments)
            at_labels = found.gather(-1, labels[..., None])[..., 0][words]
            name = f"smoothing {smooth:g}{'' if arguments else ', the default'}"
            expect_same(
                at_labels, torch.full_like(at_labels, 1 - smooth), f"{name}: the target of the label's class"
            )
            rows = found.scatter(-1, labels[..., None], float("nan"))[words][:, 1:]
            others = rows[~rows.isnan()].reshape(len(rows), -1)
            expect_same(
                others, others[:, :1].expand_as(others), f"{name}: the other classes have different targets"
            )

    @item.visible_check(
        "without smoothing, the loss is the mean of -log p of the labels",
        means="right",
        hint="F.kl_div or torch.xlogy: 0 · log 0 is 0; divide by the number of tokens that are not padding",
    )
    def _(student: Student) -> None:
        even = torch.full((3, 4, V), 1 / V, dtype=torch.float64).log()
        expect_same(
            loss(student, even, labels, 0.0), 1.94591, "every class has the probability 1/7: the loss"
        )
        likely = torch.tensor([[[0.1, 0.2, 0.5, 0.2], [0.1, 0.1, 0.2, 0.6]]]).double().log()
        found = loss(student, likely, torch.tensor([[2, 1]]), 0.0)
        expect_same(found, 1.497866, "the labels have the probabilities 0.5 and 0.1: the loss")

    @item.visible_check(
        "the loss is 0 at its own targets, and positive elsewhere",
        means="consistent",
        hint="Σ t (log t - log p): the cross-entropy alone is not 0 there; look at the sign, too",
    )
    def _(student: Student) -> None:
        perfect = targets(student, labels, V, s).clamp(min=1e-30).log()
        expect_same(
            loss(student, perfect, labels, s), 0.0, "the model predicts your targets: the loss", atol=1e-4
        )
        found = loss(student, log_probs, labels, s)
        expect(found > 0.01).is_true(
            f"the model predicts something else: the loss is {found:.4g}, not positive"
        )

    @item.visible_check(
        "the loss is a mean over tokens",
        means="consistent",
        hint="sum over everything, then divide by the number of tokens that are not padding",
    )
    def _(student: Student) -> None:
        whole = loss(student, log_probs, labels, s)
        first, rest = loss(student, log_probs[:1], labels[:1], s), loss(student, log_probs[1:], labels[1:], s)
        expect_same(
            whole, (4 * first + 3 * rest) / 7, "4 tokens in one batch and 3 in another, 7 in both: the loss"
        )
        longer = torch.cat([labels, torch.zeros(3, 2, dtype=torch.long)], 1)
        padded = loss(student, torch.cat([log_probs, log_probs[:, :2]], 1), longer, s)
        expect_same(padded, whole, "with two columns of padding more, the loss")
        twice = loss(student, log_probs.repeat(2, 1, 1), labels.repeat(2, 1), s)
        expect_same(twice, whole, "with every sequence twice, the loss")
        again = loss(student, log_probs[..., exchanged], renamed, s, 3)
        expect_same(again, whole, "if token 3 fills up, not 0, and all classes are renamed: the loss")

    @item.visible_check(
        "its gradient is minus your targets, per token",
        means="consistent",
        hint="stay with PyTorch from log_probs on: no detach(), item() or NumPy; the sum of -t log p has gradient -t",
    )
    def _(student: Student) -> None:
        upstream = torch.tensor(1.0, dtype=torch.float64)
        gradient = student.smoothed_loss.gradients(log_probs, labels, s, upstream=upstream).inputs[0]
        if gradient is None:
            raise CheckFailed("no gradient reaches log_probs")
        expect_same(-7 * gradient, targets(student, labels, V, s), "minus the gradient times 7 tokens")

    @item.visible_check("a worked example", means="right", hint="the two formulas of the text")
    def _(student: Student) -> None:
        default = loss(student, log_probs, labels)
        expect_same(
            default, loss(student, log_probs, labels, 0.1), "the loss with no smoothing given, and with 0.1"
        )
        expect(loss(student, log_probs, labels, s), "the loss of an example, smoothing 0.3,").close_to(LOSS)


# -- 7.9 -------------------------------------------------------------------------------------------------


def schedule(item: Item) -> None:
    """Visible checks of `learning_rate`."""

    def rate(student: Student, *arguments: Any) -> float:
        name = f"the learning rate at step {arguments[0]}"
        value = number(student.learning_rate(*arguments), name)
        expect(value > 0).is_true(f"{name} is {value:.4g}, not positive")
        return value

    @item.visible_check("one positive number for a step", means="right form", hint="return a number")
    def _(student: Student) -> None:
        for step in (1, 7, 5000):
            expect(rate(student, step, 32, 20) > 0).is_true(
                f"the learning rate at step {step} is not positive"
            )

    @item.visible_check(
        "it grows in a straight line, is largest at warm-up, then falls like 1/√step",
        means="consistent",
        hint="the smaller of step^(-1/2) and step · warmup^(-3/2); they meet at step = warmup",
    )
    def _(student: Student) -> None:
        for warmup in (20, 50):
            name, first = f"warm-up of {warmup} steps, d_model 32", rate(student, 1, 32, warmup)
            for step in (2, 5, warmup - 1, warmup):
                expect_same(rate(student, step, 32, warmup) / first, step, f"{name}: rate({step}) / rate(1)")
            peak = rate(student, warmup, 32, warmup)
            for step in (warmup - 1, warmup + 1):
                expect(rate(student, step, 32, warmup) < peak).is_true(
                    f"{name}: the rate at step {step} is not below that at {warmup}"
                )
            for times in (4, 9, 100):
                after = rate(student, times * warmup, 32, warmup)
                expect_same(after / peak, times**-0.5, f"{name}: rate({times * warmup}) / rate({warmup})")

    @item.visible_check(
        "step 0 is treated as step 1", means="consistent", hint="max(step, 1), before anything is divided"
    )
    def _(student: Student) -> None:
        for warmup in (20, 50):
            expect_same(
                rate(student, 0, 32, warmup), rate(student, 1, 32, warmup), "the rate at step 0", atol=1e-9
            )

    @item.visible_check(
        "twice the factor, twice the rate; four times the width, half the rate",
        means="consistent",
        hint="factor · d_model^(-1/2) in front; the factor is 1 by default",
    )
    def _(student: Student) -> None:
        for step in (3, 20, 300):
            before = rate(student, step, 32, 20, 1.0)
            ratio = rate(student, step, 32, 20, 2.0) / before
            expect_same(ratio, 2, f"step {step}: with twice the factor, the rate is multiplied by")
            expect_same(
                rate(student, step, 32, 20) / before, 1, f"step {step}: without a factor, multiplied by"
            )
            ratio = rate(student, step, 128, 20) / before
            expect_same(ratio, 0.5, f"step {step}: with four times d_model, the rate is multiplied by")

    @item.visible_check(
        "a worked example", means="right", hint="the formula of the text, with nothing in front"
    )
    def _(student: Student) -> None:
        expect(rate(student, 100, 64, 100), "for d_model 64 and warm-up 100, the rate at step 100").close_to(
            0.0125
        )
        expect(
            rate(student, 9, 16, 4, 3.0), "for d_model 16, warm-up 4, factor 3, the rate at step 9"
        ).close_to(0.25)


# -- 7.10 ------------------------------------------------------------------------------------------------


def batches(item: Item) -> None:
    """Visible checks of `shuffled_batches`: 14 pairs in batches of 4."""
    source = torch.arange(28).reshape(14, 2)  # row i begins with 2 i
    target = torch.arange(42).reshape(14, 3) + 100  # row i begins with 100 + 3 i

    def cut(student: Student, size: int = 4) -> list[tuple[Tensor, Tensor]]:
        """Batches as the rows' numbers in the source and in the target."""
        answer = student.shuffled_batches(source, target, size)
        if not isinstance(answer, list | tuple):
            raise CheckFailed(f"`shuffled_batches` returns {returned(answer)}, not a list of pairs")
        rows = []
        for batch in answer:
            first, second = two(batch, "a batch")
            for part, width, name in ((first, 2, "source"), (second, 3, "target")):
                expect(part.dim() == 2 and part.shape[1] == width).is_true(
                    f"the {name} of a batch has shape {tuple(part.shape)}, not rows of {width} tokens"
                )
            same_rows = [part - part[:, :1] - torch.arange(part.shape[1]) for part in (first, second)]
            expect(not any(bool(part.any()) for part in same_rows)).is_true(
                "rows are torn apart: a row is a sentence"
            )
            rows.append((first[:, 0] / 2, (second[:, 0] - 100) / 3))
        return rows

    @item.visible_check(
        "a list of pairs, 4 rows each and the last one shorter",
        means="right form",
        hint="[(source, target), …]",
    )
    def _(student: Student) -> None:
        for size, wanted in ((4, [4, 4, 4, 2]), (7, [7, 7]), (20, [14])):
            for part, name in ((0, "source"), (1, "target")):
                sizes = [len(batch[part]) for batch in cut(student, size)]
                expect(sizes == wanted).is_true(
                    f"14 pairs in batches of {size}: the sizes of {name}s are {sizes[:8]}"
                )

    @item.visible_check(
        "source and target stay together", means="consistent", hint="draw one order, and use it for both"
    )
    def _(student: Student) -> None:
        for first, second in cut(student):
            expect(first.shape == second.shape and torch.equal(first, second)).is_true(
                f"a batch has the sources {first.int().tolist()} and the targets {second.int().tolist()}"
            )

    @item.visible_check("every pair once", means="consistent", hint="an order of all rows: torch.randperm")
    def _(student: Student) -> None:
        for part, name in ((0, "source"), (1, "target")):
            seen = sorted(int(i) for batch in cut(student) for i in batch[part])
            expect(seen == list(range(14))).is_true(f"rows of {name} in all batches: {seen}")

    @item.visible_check(
        "a new order each time, of rows and not only of batches",
        means="consistent",
        hint="shuffle the rows before you cut them into batches, without a seed of your own",
    )
    def _(student: Student) -> None:
        passes = [[batch[0].int().tolist() for batch in cut(student)] for _ in range(6)]
        expect(any(one != passes[0] for one in passes)).is_true("six passes have the same order")
        sets = [sorted(map(sorted, one)) for one in passes]
        expect(any(one != sets[0] for one in sets)).is_true(
            "in six passes, the same rows are in a batch together"
        )
        for i in range(len(passes[0])):
            expect(any(sorted(one[i]) != sorted(passes[0][i]) for one in passes)).is_true(
                f"batch {i} has the same rows in six passes"
            )
        neighbours = [pair for one in passes for batch in one for pair in pairwise(batch)]
        expect(len({(after - before) % 14 for before, after in neighbours}) > 2).is_true(
            "within each batch the rows are neighbours in their old order"
        )


State = dict[str, Tensor]  # weights by name


class Example:
    """Two batches for a `TinyTranslator` of 6 tokens, with padding in sources and targets, and weights for it."""

    first = (
        torch.tensor([[1, 2, 3, 4, 0], [5, 3, 0, 0, 0]]),
        torch.tensor([[1, 2, 5, 3, 2, 4], [1, 4, 3, 0, 0, 0]]),
    )
    second = (
        torch.tensor([[2, 5, 4], [3, 3, 1], [4, 0, 0]]),
        torch.tensor([[1, 3, 3, 2], [1, 5, 0, 0], [1, 2, 0, 0]]),
    )
    tokens = (7, 5)  # labels that are no padding, in the first and in the second batch

    @staticmethod
    def state() -> State:
        """Weights by their names in the notebook."""
        parts = {name: waves(6, 4, start=i).float() for i, name in enumerate(("source", "target", "out"), 1)}
        return {f"{name}.weight": w for name, w in parts.items()} | {
            "out.bias": 0.3 * waves(6, start=4).float()
        }

    @classmethod
    def model(
        cls, student: Student, state: State | None = None, dropout: float = 0.0, training: bool = True
    ) -> Model:
        made = expect_module(student.tiny_model(6, 4, dropout, training), "tiny_model")
        made.load(state or cls.state())
        return made


def epoch(item: Item) -> None:
    """Visible checks of `train_epoch`. With the rate 0 the weights stay, and the loss is that of these weights."""
    first, second = Example.first, Example.second

    def train(
        student: Student,
        model: Model,
        batches: Sequence[Any],
        rate: float = 0.0,
        decay: float = 1.0,
        *rest: Any,
    ) -> Any:
        return student.train_epoch(model, list(batches), *student.tiny_optimizer(model, rate, decay), *rest)

    def loss(student: Student, batches: Sequence[Any], *smoothing: Any, state: State | None = None) -> float:
        """The loss that a pass with the rate 0 returns."""
        answer = train(student, Example.model(student, state), batches, 0.0, 1.0, *smoothing)
        return number(answer, "what train_epoch returns")

    def after(
        student: Student, batches: Sequence[Any], rate: float, decay: float = 1.0, state: State | None = None
    ) -> State:
        """The weights after a pass over the batches."""
        model = Example.model(student, state)
        train(student, model, batches, rate, decay)
        return model.state()

    def flat(state: State) -> Tensor:
        return torch.cat([state[name].double().flatten() for name in Example.state()])

    @item.visible_check(
        "a number, and three passes lower it",
        means="consistent",
        hint="zero_grad, forward, backward, step; return the mean loss",
    )
    def _(student: Student) -> None:
        model = Example.model(student)
        losses = [
            number(train(student, model, [first] * 2, 0.1), "what train_epoch returns") for _ in range(3)
        ]
        expect(losses[2] < losses[0]).is_true(
            f"the losses of three passes: {losses[0]:.4g} … {losses[2]:.4g}"
        )

    @item.visible_check(
        "the loss of a batch is that of your own parts",
        means="consistent",
        hint="shift the target; padding_mask(source), target_mask(inputs) for the model; smoothed_loss with smoothing",
    )
    def _(student: Student) -> None:
        state = Example.state()
        smoothings: list[tuple[float, ...]] = [(), (0.0,), (0.4,)]
        got = [[loss(student, [batch], *some) for some in smoothings] for batch in (first, second)]
        if same(got, LOSSES):  # right, whatever the parts that 7.2 and 7.8 look at
            return
        for (source, target), losses in zip((first, second), got, strict=True):
            inputs, labels = student.shift(target)
            masks = student.padding_mask(source), student.target_mask(inputs)
            hidden = numbers(Example.model(student).forward(source, inputs, *masks), "what the model returns")
            scores = hidden @ state["out.weight"].double().T + state["out.bias"].double()
            for some, value in zip(smoothings, losses, strict=True):
                wanted = number(student.smoothed_loss(scores.log_softmax(-1), labels, *some), "smoothed_loss")
                name = f"smoothing {some[0]:g}" if some else "the default smoothing"
                expect_same(value, wanted, f"a pass over a single batch, {name}: the loss")

    @item.visible_check(
        "a step goes down the slope of the loss",
        means="consistent",
        hint="loss.backward(), then optimizer.step(), with cleared gradients",
    )
    def _(student: Student) -> None:
        state, rate = Example.state(), 0.1
        moved = (flat(after(student, [first], rate)) - flat(state)) / rate
        expect(bool(moved.any())).is_true("after a pass, the weights are the same as before")
        for name, w in state.items():
            step, eps = waves(*w.shape, start=7).float(), 0.02
            ends = [loss(student, [first], state=state | {name: w + sign * eps * step}) for sign in (1, -1)]
            slope = (ends[0] - ends[1]) / (2 * eps)
            direction = flat({k: step if k == name else torch.zeros_like(v) for k, v in state.items()})
            expect_same(
                -moved @ direction,
                slope,
                f"slope of the loss along a direction in `{name}`, by your step and by differences of your losses",
                rtol=0.03,
                atol=3e-3,
            )

    @item.visible_check(
        "two batches in one pass do what two passes do",
        means="consistent",
        hint="optimizer.zero_grad() for each batch, so that nothing is left of the gradients before",
    )
    def _(student: Student) -> None:
        halfway = after(student, [first], 0.2)
        halfway = {name: w.float() for name, w in halfway.items()}
        apart, together = after(student, [second], 0.2, state=halfway), after(student, [first, second], 0.2)
        expect_same(
            flat(together), flat(apart), "the weights after two batches, in one pass and in two: an entry"
        )

    @item.visible_check(
        "the scheduler changes the rate after each batch",
        means="consistent",
        hint="scheduler.step() for each batch, after optimizer.step()",
    )
    def _(student: Student) -> None:
        plain = after(student, [first], 0.2)
        expect_same(
            flat(after(student, [first], 0.2, 0.5)),
            flat(plain),
            "the first step should have the full rate: a weight",
        )
        halfway = {name: w.float() for name, w in plain.items()}
        apart = after(student, [second], 0.1, state=halfway)
        together = after(student, [first, second], 0.2, 0.5)
        expect_same(
            flat(together), flat(apart), "with a rate that halves at each step, a weight after two batches"
        )

    @item.visible_check(
        "it trains in train mode, wherever the model comes from",
        means="consistent",
        hint="model.train() at the beginning of every pass",
    )
    def _(student: Student) -> None:
        state = Example.state()
        wanted = loss(student, [first, second], state=state | {"out.weight": 0 * state["out.weight"]})
        for training in (False, True):
            model = Example.model(student, None, 1.0, training)  # a dropout that leaves nothing
            for name in ("first", "second"):
                found = number(train(student, model, [first, second]), "what train_epoch returns")
                mode = "train" if training else "eval"
                expect_same(
                    found,
                    wanted,
                    f"the model has the dropout 1 and comes in {mode} mode; {name} pass, where everything should be "
                    "dropped: the loss",
                )

    @item.visible_check(
        "the loss of a pass is the mean over its tokens",
        means="consistent",
        hint="weigh each batch's loss by its number of labels that are not padding, and divide by their sum",
    )
    def _(student: Student) -> None:
        alone = [loss(student, [batch]) for batch in (first, second)]
        both, turned = loss(student, [first, second]), loss(student, [second, first])

        def mean(tokens: Sequence[int]) -> float:
            return (tokens[0] * alone[0] + tokens[1] * alone[1]) / max(sum(tokens), 1)

        tokens: Sequence[int] = Example.tokens
        with suppress(CheckFailed):  # 7.8 looks at `shift`
            labels = [two(student.shift(target), "what `shift` returns")[1] for _, target in (first, second)]
            own = [int((part != 0).sum()) for part in labels]
            tokens = own if same(both, mean(own), rtol=1e-4) else tokens
        seen = f"{tokens[0]} tokens have the mean loss {alone[0]:.4g} and {tokens[1]} others {alone[1]:.4g}"
        expect_same(both, mean(tokens), f"{seen}: the loss of all", rtol=1e-4)
        expect_same(turned, mean(tokens), f"the other way round, {seen}: the loss of all", rtol=1e-4)
        stepped = number(train(student, Example.model(student), [first], 0.5), "what train_epoch returns")
        expect_same(
            stepped, alone[0], "the loss of a single batch, which its step should not change", rtol=1e-4
        )


# -- 7.11 ------------------------------------------------------------------------------------------------


def greedy(item: Item) -> None:
    """Visible checks of `greedy_decode`, with the notebook's small model: 3 sources, two of them with padding."""
    source = torch.tensor([[1, 2, 3, 4], [5, 3, 0, 0], [2, 4, 5, 0]])
    mask, length = (source != 0)[:, None], 7

    def decode(
        student: Student, model: Model, start: int = 1, length: int = length, **other: Tensor
    ) -> Tensor:
        tokens = numbers(
            student.greedy_decode(model, other.get("source", source), other.get("mask", mask), length, start),
            "what greedy_decode returns",
        )
        expect(tokens, "what greedy_decode returns").has_shape(len(other.get("source", source)), length)
        whole = bool(((tokens == tokens.round()) & (tokens >= 0) & (tokens < 6)).all())
        expect(whole).is_true("what greedy_decode returns are no tokens from 0 to 5")
        return tokens.long()

    def model_of(student: Student, which: int = 0, dropout: float = 0.0, training: bool = False) -> Model:
        """One of three models that never predict the padding, and whose tokens depend on all that they should."""
        start = (57, 284, 376)[which]
        parts = {
            name: 1.6 * waves(6, 4, start=start + i) for i, name in enumerate(("source", "target", "out"))
        }
        state = {f"{name}.weight": w.float() for name, w in parts.items()}
        state["out.bias"] = 0.3 * waves(6, start=start + 5).float()
        state["out.bias"][0] = -30.0
        return Example.model(student, state, dropout, training)

    @item.visible_check(
        "a row of max_len tokens for each source, the first one the start token",
        means="right form",
        hint="shape (B, max_len); begin with a column of start, and append until there are max_len",
    )
    def _(student: Student) -> None:
        for start, n in ((1, length), (4, 3), (2, 2)):
            tokens = decode(student, model_of(student), start, n)
            expect(bool((tokens[:, 0] == start).all())).is_true(
                f"with start {start}, rows begin with {tokens[:, 0].tolist()}"
            )

    @item.visible_check(
        "a longer answer begins with the shorter one",
        means="consistent",
        hint="each token depends on those before it; max_len only says when to stop",
    )
    def _(student: Student) -> None:
        for which in range(3):
            longer, shorter = (decode(student, model_of(student, which), 1, n) for n in (12, 5))
            expect_same(
                longer[:, :5], shorter, "a token of max_len = 12 among the first 5, and of max_len = 5"
            )

    @item.visible_check(
        "each source on its own",
        means="consistent",
        hint="argmax over the vocabulary, the last dimension; the source's mask goes to encode and decode",
    )
    def _(student: Student) -> None:
        for which in range(3):
            model = model_of(student, which)
            tokens = decode(student, model)
            for b, words in enumerate((4, 2, 3)):
                short = source[b : b + 1, :words]
                alone = decode(student, model, source=short, mask=(short != 0)[:, None])
                expect_same(alone, tokens[b : b + 1], f"source {b} alone and without its padding: a token")

    @item.visible_check(
        "each token is the most probable one after those before it",
        means="consistent",
        hint="the last position's log-probabilities, argmax over the vocabulary; a causal mask for the decoder",
    )
    def _(student: Student) -> None:
        past = torch.ones(1, length - 1, length - 1).bool().tril()
        for which in range(3):
            model = model_of(student, which)
            tokens, state = decode(student, model), model.state()
            hidden = numbers(model.forward(source, tokens[:, :-1], mask, past), "what the model returns")
            scores = hidden @ state["out.weight"].T + state["out.bias"]
            chosen, best = scores.gather(-1, tokens[:, 1:, None])[..., 0], scores.amax(-1)
            wrong = [(int(b), int(i) + 1) for b, i in (chosen < best - 1e-4).nonzero()]
            if wrong:
                b, i = wrong[0]
                p = scores[b, i - 1].softmax(-1)
                raise CheckFailed(
                    f"row {b}: after {tokens[b, :i].tolist()} comes {int(tokens[b, i])}, of probability "
                    f"{float(p[tokens[b, i]]):.3g}; another token has {float(p.max()):.3g}"
                )

    @item.visible_check(
        "a dropout changes nothing while decoding",
        means="consistent",
        hint="model.eval() before anything else",
    )
    def _(student: Student) -> None:
        for which in range(3):
            without = decode(student, model_of(student, which))
            for training in (True, False):
                again = decode(student, model_of(student, which, 0.6, training))
                mode = "train" if training else "eval"
                expect_same(again, without, f"a model with dropout that comes in {mode} mode: a token")


# -- the tasks -------------------------------------------------------------------------------------------


def copying(item: Item) -> None:
    """Visible check of what was learnt in the copy task."""
    tokens = torch.randint(1, 11, (500, 10), generator=torch.Generator().manual_seed(20))
    tokens[:, 0] = 1

    @item.visible_check(
        f"your decoder copies {COPY_THRESHOLD:.0%} of 500 new sequences",
        means="right",
        hint="first make the checks above pass, then train again",
    )
    def _(student: Student) -> None:
        copies = numbers(student.translate(student.copy_model, tokens, 10), "what greedy_decode returns")
        expect(copies, "what greedy_decode returns").has_shape(500, 10)
        share = (copies == tokens).all(1).double().mean()
        expect(share, "the share of whole sequences that are right").at_least(COPY_THRESHOLD)


def choice(item: Item) -> None:
    """Visible checks of `best_epoch`, on 5 epochs: none is the best by two of the three numbers."""
    history = {
        "loss": [0.5, 0.4, 0.3, 0.1, 0.2],
        "validation": [0.1, 0.6, 0.5, 0.2, 0.3],
        "test": [0.7, 0.4, 0.8, 0.3, 0.5],
    }

    def chosen(student: Student, history: dict[str, list[float]]) -> int:
        place = number(student.best_epoch(history), "the epoch chosen")
        expect(place in range(5)).is_true(f"{place:g} is no place in a list of 5")
        return int(place)

    @item.visible_check("a place in the list", means="right form", hint="a whole number from 0 on")
    def _(student: Student) -> None:
        chosen(student, history)

    @item.visible_check(
        "the test accuracy has no say, nor has the training loss",
        means="consistent",
        hint="what is validation for?",
    )
    def _(student: Student) -> None:
        before = chosen(student, history)
        for name in ("test", "loss"):
            for turn in (1, 2, 3):
                other = history | {name: history[name][turn:] + history[name][:turn]}
                after = chosen(student, other)
                expect(after == before).is_true(
                    f'with another list "{name}", epoch {after} is chosen, not {before}'
                )
        tied = history | {"validation": [0.1, 0.6, 0.6, 0.2, 0.3]}
        turned = tied | {"test": [0.7, 0.8, 0.4, 0.3, 0.5]}
        expect(chosen(student, tied) == chosen(student, turned)).is_true(
            'of two epochs that are equally good in "validation", the list "test" decides'
        )

    @item.visible_check(
        "an epoch that gets much better is chosen",
        means="consistent",
        hint="the place of the largest validation accuracy; the first place is 0",
    )
    def _(student: Student) -> None:
        for best in range(5):
            accuracies = [0.99 if i == best else x for i, x in enumerate(history["validation"])]
            place = chosen(student, history | {"validation": accuracies})
            expect(place == best).is_true(f"for the validation accuracies {accuracies}, {place} is chosen")


def dates(item: Item) -> None:
    """Visible check of what was learnt of dates."""

    @item.visible_check(
        f"your decoder gets {DATES_THRESHOLD:.0%} of 500 new dates right",
        means="right",
        hint="first make the checks above pass, then train again",
    )
    def _(student: Student) -> None:
        source, target = given_dates.encoded(given_dates.sample(500, seed=20, part="test"))
        length = given_dates.ISO_LENGTH + 1
        found = numbers(student.translate(student.dates_model, source, length), "what greedy_decode returns")
        expect(found, "what greedy_decode returns").has_shape(*target.shape)
        share = (found == target).all(1).double().mean()
        expect(share, "the share of dates that are right").at_least(DATES_THRESHOLD)
