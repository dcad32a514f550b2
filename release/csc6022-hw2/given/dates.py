"""Written dates and their ISO form, a small task of translation, character by character.

    the 3rd of March 2021  →  2021-03-03
    Mar 3, 2021            →  2021-03-03
    3/3/21                 →  2021-03-03        month first, as in the United States

Everything is generated; nothing is downloaded. Days run from 1950 to 2049, so that two digits name a year. Training,
validation and test never share a day.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import Literal

import torch
from torch import Tensor

__all__ = ["ISO_LENGTH", "SOURCE_SIZE", "START", "TARGET_SIZE", "encoded", "iso_text", "sample"]

Part = Literal["train", "validation", "test"]

FIRST, DAYS = date(1950, 1, 1), 36_525  # a hundred years
PARTS: dict[Part, tuple[int, ...]] = {
    "train": (0, 1, 2, 3, 4, 5, 6, 7),
    "validation": (8,),
    "test": (9,),
}  # day % 10
# English in any locale.
MONTHS = ["January", "February", "March", "April", "May", "June"]
MONTHS += ["July", "August", "September", "October", "November", "December"]

PAD, START = 0, 1
SOURCE_SYMBOLS = " ,/0123456789" + "".join(sorted(set("the of st nd rd th" + "".join(MONTHS)) - {" "}))
TARGET_SYMBOLS = "-0123456789"
SOURCE_SIZE = 1 + len(SOURCE_SYMBOLS)  # with the padding
TARGET_SIZE = 2 + len(TARGET_SYMBOLS)  # with padding and start
ISO_LENGTH = 10


def ordinal(day: int) -> str:
    """1st, 2nd, 3rd, 4th, …, 11th, …"""
    ending = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


FORMS: tuple[Callable[[date], str], ...] = (
    lambda d: f"the {ordinal(d.day)} of {MONTHS[d.month - 1]} {d.year}",
    lambda d: f"{MONTHS[d.month - 1]} {ordinal(d.day)}, {d.year}",
    lambda d: f"{MONTHS[d.month - 1][:3]} {d.day}, {d.year}",
    lambda d: f"{d.day} {MONTHS[d.month - 1]} {d.year}",
    lambda d: f"{d.day} {MONTHS[d.month - 1][:3]} {d.year % 100:02d}",
    lambda d: f"{d.month}/{d.day}/{d.year % 100:02d}",
)


def sample(n: int, seed: int, part: Part = "train") -> list[tuple[str, str]]:
    """n random days, each as (written, ISO), the same ones for the same seed.

    Args:
        part: whose days: "train" has eight days in ten, "validation" and "test" have one each.
    """
    draw = random.Random(seed)
    found = []
    for _ in range(n):
        number = 10 * draw.randrange(DAYS // 10) + draw.choice(PARTS[part])
        day = FIRST + timedelta(days=number)
        found.append((draw.choice(FORMS)(day), day.isoformat()))
    return found


def encoded(pairs: Iterable[tuple[str, str]]) -> tuple[Tensor, Tensor]:
    """Pairs (written, ISO) as int64 tokens: source (n, longest), padded with 0 at the end, and target (n, 11), which
    begins with START.

    Raises:
        ValueError: a text has a character that no date has.
    """
    texts, isos = zip(*pairs, strict=True)
    longest = max(map(len, texts))
    source = [numbered(text, SOURCE_SYMBOLS, 1) + [PAD] * (longest - len(text)) for text in texts]
    target = [[START, *numbered(iso, TARGET_SYMBOLS, 2)] for iso in isos]
    return torch.tensor(source), torch.tensor(target)


def numbered(text: str, symbols: str, first: int) -> list[int]:
    """Each character's place among the symbols, counted from `first`."""
    return [first + symbols.index(character) for character in text]


def iso_text(tokens: Tensor | Sequence[int]) -> str:
    """Target tokens as text, without START; padding and what is no token become "?"."""
    known = dict(enumerate(TARGET_SYMBOLS, 2)) | {START: ""}
    return "".join(known.get(int(token), "?") for token in tokens)
