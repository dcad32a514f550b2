"""Short answers, read kindly: sizes, whole numbers and choices in the spellings people use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.lesson.checks import numbers, shorten
from chainrule.lesson.student import CheckFailed

FILLERS = {"answer", "architecture", "model", "network", "only", "option", "the", "work"}


def entry(table: Any, key: str, name: str) -> Any:
    """The table's entry, for instance `volumes["conv1"]`.

    Args:
        table: the student's dict.
        name: what the student calls it.
    Raises:
        CheckFailed: it is no dict, or the entry is missing or None.
    """
    if table is None:
        raise CheckFailed(f"there is no `{name}` yet: finish the cell that defines it and run it")
    if not isinstance(table, Mapping):
        raise CheckFailed(f'`{name}` is a {type(table).__name__}: write a dict, {{"{key}": …}}')
    if table.get(key) is None:
        raise CheckFailed(f'there is no {name}["{key}"] yet')
    return table[key]


def sizes(value: Any, name: str) -> tuple[int, ...]:
    """Sizes as positive whole numbers: from a tuple, list or array, a single number, or a text like "28 x 28 x 3".

    Raises:
        CheckFailed: it is nothing of that kind.
    """
    if isinstance(value, str):
        text = re.sub(r"\\times|\\cdot|[()\[\]$]", " ", value)
        value = [part for part in re.split(r"[\sx×X*·,;]+", text) if part] or value
    row = numbers(value, name).reshape(-1).tolist()
    if not row or any(size != round(size) or size < 1 for size in row):
        raise CheckFailed(f"{name} is {shorten(value)}: sizes are whole numbers from 1 on")
    return tuple(round(size) for size in row)


def volume(value: Any, name: str) -> tuple[int, int, int]:
    """An activation volume (height, width, channels).

    Raises:
        CheckFailed: it is none.
    """
    found = sizes(value, name)
    if len(found) != 3:
        told = "one number" if len(found) == 1 else f"{len(found)} numbers"
        raise CheckFailed(f"{name} is {told}: write three sizes, (height, width, channels)")
    return found[0], found[1], found[2]


def flat(value: Any, name: str) -> tuple[int, int, int]:
    """A layer of neurons as a volume (1, 1, neurons): written like that, as (neurons,), or as a number.

    Raises:
        CheckFailed: it is neither.
    """
    found = sizes(value, name)
    beyond = [size for size in found if size > 1] or [1]
    return (1, 1, beyond[0]) if len(beyond) == 1 else volume(value, name)


def whole(value: Any, name: str) -> int:
    """A whole number from 0 on: as a number, or as a text like "5*5*3 + 1" or "14 x 14" or "1,234".

    Raises:
        CheckFailed: it is none.
    """
    if isinstance(value, str):
        value = re.sub(r"(?<=[\d)])\s*[xX]\s*(?=[\d(])", "*", value)
        value = re.sub(r"(?<=\d),(?=\d{3}\b)", "", value)
    found = numbers(value, name)
    if found.numel() != 1:
        raise CheckFailed(f"{name} is {found.numel()} numbers: write one")
    number = float(found.reshape(()))
    if number != round(number) or number < 0:
        raise CheckFailed(f"{name} is {number:g}, no whole number from 0 on")
    return round(number)


def chosen(value: Any, options: Mapping[str, Sequence[str]], name: str) -> str:
    """The option that an answer names.

    Args:
        options: other spellings of each option, by the option itself. Case, plurals, brackets and words that
            say nothing ("only", "option") don't matter.
    Raises:
        CheckFailed: it names none.
    """
    for option, spellings in options.items():
        known = {option, *spellings, *(f"{option}: {text}" for text in spellings)}
        if isinstance(value, str) and plain(value) in map(plain, known):
            return option
    raise CheckFailed(f"{name} is {shorten(value, 30)}, not one of: {', '.join(options)}")


def plain(text: str) -> str:
    """The words of a text that matter, in lower case and singular; all of them if none does."""
    words = re.findall(r"[a-z]+", re.sub(r"['’]", "", text.lower()))
    stems = [word.removesuffix("s") if len(word) > 2 else word for word in words]
    return " ".join([stem for stem in stems if stem not in FILLERS] or stems)
