"""Part 11: greedy decoding."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from chainrule.judging.apart import apart_from
from chainrule.lesson.checks import differ, expect, numbers
from chainrule.lesson.student import CheckFailed, Model, Student
from judging.csc6022_hw2.p7.loop import tiny_model
from judging.csc6022_hw2.p7.masks import expect_causal
from judging.csc6022_hw2.p7.reference import causal_mask, padding_mask
from judging.csc6022_hw2.p7.tiny import Tiny
from judging.csc6022_hw2.p7.tokens import as_tokens

GREEDY = (13, 5)  # vocabulary and width
LENGTH, FIRST = 8, 4
LONG = 30
Mask = Callable[[int], Tensor]  # (1, n, n) for n tokens
upon_masks = apart_from(causal_mask="window", padding_mask="words", target_mask="words in window")


@dataclass(frozen=True)
class Path:
    """A way to decode, right by default or with a known mistake."""

    causal: bool = True
    hide_padding: bool = True
    # What argmax runs over: "vocabulary", "positions" or "batch". "first" takes the first position's prediction,
    # "least" the least probable token.
    pick: str = "vocabulary"
    forget: bool = False  # each token from the last one only


def greedy(
    tiny: Tiny,
    source: Tensor,
    source_mask: Tensor,
    length: int,
    start: int,
    path: Path = Path(),
    causal: Mask = causal_mask,
) -> Tensor:
    """(B, length) tokens, each the most probable after those before it; the first one is `start`."""
    tokens = torch.full((len(source), 1), start)
    mask = source_mask if path.hide_padding else torch.ones_like(source_mask)
    while tokens.shape[1] < length:
        seen = tokens[:, -1:] if path.forget else tokens
        n = seen.shape[1]
        allowed = causal(n) if path.causal else torch.ones(1, n, n, dtype=torch.bool)
        log_probs = tiny.log_probs(source, seen, mask, allowed)
        last = log_probs[:, 0 if path.pick == "first" else -1]  # (B, V)
        match path.pick:
            case "least":
                following = last.argmin(-1)
            case "batch":
                following = last.argmax(0)[: len(source)]
            case "positions":
                following = log_probs.argmax(1)[:, -1]
            case _:
                following = last.argmax(-1)
        tokens = torch.cat([tokens, following[:, None]], 1)
    return tokens


PATHS = {
    "the least probable token is taken": Path(pick="least"),
    "argmax runs over the batch, not over the vocabulary": Path(pick="batch"),
    "argmax runs over the positions, not over the vocabulary": Path(pick="positions"),
    "the first position's prediction is taken, not the last one's": Path(pick="first"),
    "the decoder sees no more than its last token": Path(forget=True),
    "the decoder gets no causal mask": Path(causal=False),
    "the source's mask is not used": Path(hide_padding=False),
}


def decoding_task(seed: int) -> tuple[Tiny, Tensor, Tensor]:
    """Weights, sources (3, 6) with padding, and their mask."""
    source = torch.randint(1, GREEDY[0], (3, 6), generator=torch.Generator().manual_seed(seed))
    source[1, 4:] = source[2, 3:] = 0
    return Tiny.random(*GREEDY, seed=seed + 50, scale=1.5), source, padding_mask(source)


DECODING_SEEDS = (71, 187, 342)  # where right and wrong paths all differ


def decoded(student: Student, model: Model, source: Tensor, mask: Tensor, length: int = LENGTH) -> Tensor:
    """What the student's `greedy_decode` returns: tokens, a row for each source.

    Raises:
        CheckFailed: it returns something else.
    """
    tokens = as_tokens(
        student.greedy_decode(model, source, mask, length, FIRST), "what `greedy_decode` returns"
    )
    if tokens.ndim != 2 or len(tokens) != len(source) or tokens.shape[1] < 3:
        raise CheckFailed(f"`greedy_decode` returns shape {tuple(tokens.shape)}, not {(len(source), length)}")
    return tokens


def following(tokens: Tensor) -> Tensor:
    """The first LENGTH - 2 tokens after the start token, which an answer may have kept or not."""
    kept = bool((tokens[:, 0] == FIRST).all())
    return tokens[:, kept:][:, : LENGTH - 2]


def begun_otherwise(got: Tensor, task: tuple[Tiny, Tensor, Tensor], length: int = LENGTH) -> bool:
    """Whether every row begins with the same other token than the start, and goes on rightly from there."""
    first = int(got[0, 0])
    if first == FIRST or not 0 <= first < GREEDY[0] or (got[:, 0] != first).any():
        return False
    right = greedy(*task, length, first)
    return torch.equal(got[:, : length - 1], right[:, : got.shape[1]][:, : length - 1])


def path_upon(student: Student, task: tuple[Tiny, Tensor, Tensor]) -> Tensor | None:
    """The tokens after the start by the student's own causal mask; None if it is no mask."""

    def own(n: int) -> Tensor:
        return numbers(student.causal_mask(n), "a mask") > 0

    with suppress(CheckFailed, RuntimeError, IndexError):
        return following(greedy(*task, LENGTH, FIRST, causal=own))
    return None


@upon_masks
def expect_path(student: Student) -> None:
    """The tokens after the start are the most probable ones, by the right mask or by the student's own."""
    for seed in DECODING_SEEDS:
        tiny, source, mask = decoding_task(seed)
        got = decoded(student, tiny_model(student, tiny, training=False), source, mask)

        def path(how: Path, task: tuple[Tiny, Tensor, Tensor] = (tiny, source, mask)) -> Tensor:
            return following(greedy(*task, LENGTH, FIRST, how))

        if begun_otherwise(got, (tiny, source, mask)):  # `expect_start` judges that
            continue
        own = path_upon(student, (tiny, source, mask))
        if own is not None and torch.equal(following(got), own):
            continue
        mistakes = {meaning: path(how) for meaning, how in PATHS.items()}
        expect(following(got), "a token after the start").close_to(
            path(Path()), rtol=0, atol=0.1, mistakes=mistakes
        )


def expect_tokens(student: Student) -> None:
    """The tokens are right, in long sentences, too, unless the student's masks, which other parts judge, are wrong."""
    expect_path(student)
    try:
        expect_causal(student)
    except CheckFailed:
        return
    expect_long(student, *decoding_task(DECODING_SEEDS[0]))


def expect_long(student: Student, tiny: Tiny, source: Tensor, mask: Tensor) -> None:
    """The same up to a length that is not tried elsewhere, and where nothing but padding follows."""
    silent = tiny.bias.clone()
    silent[0] = 30.0
    for some in (tiny, replace(tiny, bias=silent)):
        right = greedy(some, source, mask, LONG, FIRST)
        got = decoded(student, tiny_model(student, some, training=False), source, mask, LONG)
        n = min(got.shape[1], LONG)  # `expect_start` judges how many there are
        expect(n > LONG - 2).is_true(f"decoding stops at {n} tokens, and max_len is {LONG}")
        if begun_otherwise(got, (some, source, mask), LONG):  # `expect_start` judges that, too
            continue
        kept = bool((got[:, 0] == FIRST).all())
        expect(got[:, kept:][:, : LONG - 3], f"a token after the start, for max_len {LONG},").close_to(
            right[:, 1:][:, : LONG - 3], rtol=0, atol=0.1
        )


def expect_decoding(got: Tensor, task: tuple[Tiny, Tensor, Tensor]) -> None:
    """The tokens come from the model: they depend on the source, or a known mistake explains them."""
    tokens = following(got)
    if begun_otherwise(got, task) or (tokens != tokens[:1]).any():
        return
    known = [following(greedy(*task, LENGTH, FIRST, how)) for how in PATHS.values()]
    expect(any(differ(tokens, path, 0, 0.1) == 0 for path in known)).is_true(
        "different sources get the same tokens"
    )


@upon_masks
def expect_start(student: Student) -> None:
    """There are max_len tokens, the first one is the start token, and the others depend on the source."""
    tiny, source, mask = decoding_task(DECODING_SEEDS[0])
    got = decoded(student, tiny_model(student, tiny, training=False), source, mask)
    expect_decoding(got, (tiny, source, mask))
    expect(bool((got[:, 0] == FIRST).all())).is_true(
        f"each row begins with {int(got[0, 0])}, not with the argument start, {FIRST}"
        if begun_otherwise(got, (tiny, source, mask))
        else "the start token is not the first one of each row"
    )
    expect(got.shape[1], f"the number of tokens for max_len {LENGTH}, the start included,").equals(LENGTH)


@upon_masks
def expect_eval_mode(student: Student) -> None:
    """A model that arrives in train mode decodes without dropout."""
    for seed in DECODING_SEEDS:
        tiny, source, mask = decoding_task(seed)
        without = decoded(student, tiny_model(student, tiny, 0.0, training=False), source, mask)
        got = decoded(student, tiny_model(student, tiny, 0.6, training=True), source, mask)
        expect_decoding(without, (tiny, source, mask))
        another = tiny_model(student, decoding_task(seed + 1)[0], training=False)
        paths = [following(greedy(tiny, source, mask, LENGTH, FIRST, how)) for how in PATHS.values()]
        copied = torch.equal(decoded(student, another, source, mask), without)
        copied = copied and not any(torch.equal(following(without), path) for path in paths)
        expect(not copied).is_true("another model writes the same tokens")
        expect(without.shape == got.shape and torch.equal(without, got)).is_true(
            "a model in train mode decodes with dropout: call model.eval() first"
        )
