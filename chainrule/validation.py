"""Records that are read from files and notebooks, validated by pydantic.

Nothing is converted: a text is no number, and 1 is not True. pydantic is imported at the first use, because the command
line imports this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from chainrule.errors import ChainruleError

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

Record = TypeVar("Record")


class RecordError(ChainruleError, ValueError):
    """A record has another form than it must have. The message names the first such place in it."""


def validated(kind: type[Record], value: object) -> Record:
    """The value as a record of this kind, a TypedDict or a dataclass. Unknown keys are left out.

    Raises:
        RecordError: it is none.
    """
    with sentences():
        return adapter(kind).validate_python(value, strict=True)


def validated_json(kind: type[Record], text: str | bytes) -> Record:
    """The record in a JSON document; see `validated`.

    Raises:
        RecordError: there is none, or the text is not JSON.
    """
    with sentences():
        return adapter(kind).validate_json(text, strict=True)


ADAPTERS: dict[object, TypeAdapter[Any]] = {}


def adapter(kind: type[Record]) -> TypeAdapter[Record]:
    """What validates records of this kind; made once, because that takes longer than its use."""
    from pydantic import TypeAdapter

    if kind not in ADAPTERS:
        ADAPTERS[kind] = TypeAdapter(kind)
    return ADAPTERS[kind]


@contextmanager
def sentences() -> Iterator[None]:
    """Raise pydantic's errors as a RecordError of one sentence."""
    from pydantic import ValidationError

    try:
        yield
    except ValidationError as error:
        raise RecordError(first_problem(error)) from None


def first_problem(error: ValidationError) -> str:
    """The first thing that pydantic objects to, such as "files.a.txt: input should be a valid integer, not '20'"."""
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    text = problem["msg"][:1].lower() + problem["msg"][1:]
    value = "" if problem["type"] in ("missing", "json_invalid") else f", not {repr(problem['input'])[:60]}"
    return f"{where}: {text}{value}" if where else f"{text}{value}"
