"""Read short answers: sizes, whole numbers and choices, in any of their usual spellings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.lesson.checks import numbers, shorten
from chainrule.lesson.student import NOT_WRITTEN, CheckFailed, kind_of

FILLERS = {"answer", "architecture", "model", "network", "only", "option", "the", "work"}


def entry(table: Any, key: str, name: str) -> Any:
    """The table's entry, for instance `volumes["conv1"]`.

    Args:
        table: the student's dict.
        name: what the student calls it.
    Raises:
        CheckFailed: it is not a dict, or the entry is missing or None.

    >>> entry({"conv1": None}, "conv1", "volumes")
    Traceback (most recent call last):
    chainrule.lesson.student.CheckFailed: there is no volumes["conv1"] yet
    """
    if table is None:
        raise CheckFailed(
            f"there is no `{name}` yet: finish the cell that defines it and run it", cause=NOT_WRITTEN
        )
    if not isinstance(table, Mapping):
        raise CheckFailed(f'`{name}` is {kind_of(table)}: write a dict, {{"{key}": …}}')
    if table.get(key) is None:
        raise CheckFailed(f'there is no {name}["{key}"] yet', cause=NOT_WRITTEN)
    return table[key]


def sizes(value: Any, name: str) -> tuple[int, ...]:
    """Sizes as positive whole numbers: from a tuple, list or array, a single number, or a text like "28 x 28 x 3".

    Raises:
        CheckFailed: it is none of these.

    >>> sizes("28 x 28 x 3", "the input")
    (28, 28, 3)
    """
    if isinstance(value, str):
        text = re.sub(r"\\times|\\cdot|[()\[\]$]", " ", value)
        value = [part for part in re.split(r"[\sx×X*·,;]+", text) if part] or value
    row = numbers(value, name).reshape(-1).tolist()
    if not row or any(size != round(size) or size < 1 for size in row):
        raise CheckFailed(f"{name} is {shorten(value)}: sizes are whole numbers from 1 on")
    return tuple(round(size) for size in row)


def volume(value: Any, name: str) -> tuple[int, int, int]:
    """An activation volume (height, width, channels), written as for `sizes`.

    Raises:
        CheckFailed: it does not have three sizes.

    >>> volume([28, 28, 3], "the input")
    (28, 28, 3)
    """
    written = sizes(value, name)
    if len(written) != 3:
        count = "one number" if len(written) == 1 else f"{len(written)} numbers"
        raise CheckFailed(f"{name} is {count}: write three sizes, (height, width, channels)")
    return written[0], written[1], written[2]


def flat(value: Any, name: str) -> tuple[int, int, int]:
    """A layer of neurons as a volume (1, 1, neurons): written like that, as (neurons,), or as a number.

    Raises:
        CheckFailed: it is none of these.

    >>> flat(10, "the output")
    (1, 1, 10)
    """
    beyond = [size for size in sizes(value, name) if size > 1] or [1]
    return (1, 1, beyond[0]) if len(beyond) == 1 else volume(value, name)


def whole_number(value: Any, name: str) -> int:
    """A whole number from 0 on: as a number, or as a text like "5*5*3 + 1" or "14 x 14" or "1,234".

    Raises:
        CheckFailed: it is not a whole number.

    >>> whole_number("5 x 5 x 3 + 1", "the parameters")
    76
    """
    if isinstance(value, str):
        value = re.sub(r"(?<=[\d)])\s*[xX]\s*(?=[\d(])", "*", value)
        value = re.sub(r"(?<=\d),(?=\d{3}\b)", "", value)
    tensor = numbers(value, name)
    if tensor.numel() != 1:
        raise CheckFailed(f"{name} is {tensor.numel()} numbers: write one")
    number = float(tensor.reshape(()))
    if number != round(number) or number < 0:
        raise CheckFailed(f"{name} is {number:g}, no whole number from 0 on")
    return round(number)


def chosen(value: Any, options: Mapping[str, Sequence[str]], name: str) -> str:
    """The option that an answer names.

    Args:
        options: other spellings of each option, by the option itself. Case, plurals, brackets and `FILLERS` don't
            matter.
    Raises:
        CheckFailed: it names none of them.

    >>> chosen("vision transformer", {"CNNs only": ["cnn"], "Vision Transformers only": ["vit"]}, "the answer")
    'Vision Transformers only'
    """
    for option, spellings in options.items():
        known = {option, *spellings, *(f"{option}: {text}" for text in spellings)}
        if isinstance(value, str) and stems(value) in map(stems, known):
            return option
    raise CheckFailed(f"{name} is {shorten(value, 30)}, not one of: {', '.join(options)}")


def stems(text: str) -> str:
    """The words of a text in lower case and singular, without `FILLERS` unless nothing else is there.

    >>> stems("(The) CNNs only")
    'cnn'
    """
    words = re.findall(r"[a-z]+", re.sub(r"['’]", "", text.lower()))
    singular = [word.removesuffix("s") if len(word) > 2 else word for word in words]
    return " ".join([word for word in singular if word not in FILLERS] or singular)
