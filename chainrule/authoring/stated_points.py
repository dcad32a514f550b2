"""Points that texts state, in headings, sentences and the rows of the table of points, against what the items have.

A text is written for people: where it can be read in more than one way, it is wrong only if it is wrong in all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from chainrule.handin.places import FENCE, HEADING, label_of
from chainrule.lesson.results import counted
from chainrule.release.points_table import DECIMAL, WORD, Row, decimal
from chainrule.release.source import short

STATED = re.compile(
    rf"(?i)(?:[(\[]|[·:,–—-]\s)\s*({DECIMAL})\s*(?:{WORD})\s*(?:[)\]]|$)"  # "(2 points)"
)
AMOUNT = rf"({DECIMAL})\s*(?:{WORD})"
QUESTION = (
    r"(?:sub)?(?:question|exercise|problem|task|part)|exercice|partie|(?:teil)?aufgabe|pregunta|ejercicio|esercizio|"
    r"domanda|opgave|vraag"
)
BRACKETED = rf"[(\[]\s*{AMOUNT}\s*[)\]]"
LABEL = rf"(?:(?:{QUESTION})\b|\(?(?:[a-z]|[ivx]+|\d+(?:\.\d+)*)[.)])"
WORTH = r"(?:worth|counts?(?: for)?|carries|vaut|compte pour|gibt|vale)"
IN_SENTENCES = re.compile(
    rf"(?i)^\s*[*_]{{0,3}}{BRACKETED}"  # "(3 pts) Compute …"
    rf"|^\s*[*_]{{0,3}}{LABEL}.*{BRACKETED}\W*$"  # "(a) Compute … [2 marks]"
    rf"|\b(?:{QUESTION})\b[^.]{{0,20}}?\b{WORTH}\s+{AMOUNT}(?![\w%])"  # "This question is worth 3 points"
    rf"|^\s*[*_]{{1,3}}marked by hand, {AMOUNT}"
)
NOT_THAT_MANY = re.compile(  # a sentence with one of these is about other points, or about more
    r"(?i)\b(?:each|every|per|lose|loses|deduct\w*|minus|penalt\w*|late|up to|at most|at least|maxim\w*|out of|bonus|"
    r"extra|optional|chaque|chacune?|jeweils|je|cada|ciascun[ao]?|jede[rs]?)\b"
)
NOT_COUNTED = re.compile(r"(?i)\b(?:bonus|extra|optional)\b")
MORE = re.compile(r"\W*(?:(?:and|to)\b\s*)?[\d(]")  # after a label: "1.1 – 1.3", "(a) and (b)"

Items = dict[str, float]  # points by grade_id


@dataclass
class Section:
    """What is below a heading, down to the next one of its level.

    Attributes:
        cell: the position of its cell.
        stated: the points in its text; None if it has none.
        is_title: whether it is the first heading of its notebook.
        loose: the items down to the next heading that states points, whatever is between them.
        first: the items down to the next cell whose text states points, as "**Q1(b)** (3 points)" does.
    """

    cell: int
    level: int
    text: str
    stated: float | None
    is_title: bool
    items: Items = field(default_factory=dict)
    loose: Items = field(default_factory=dict)
    first: Items = field(default_factory=dict)


def sections(texts: Sequence[str], items: Sequence[Items]) -> list[Section]:
    """The sections of a notebook, in the order of their headings.

    Args:
        texts: of each cell as students read it; "" for code.
        items: of each cell, none or one.
    """
    found: list[Section] = []
    open_: list[Section] = []  # those that go on
    loose: list[Section] = []  # those that go on if only headings that state points end them
    beginning: list[Section] = []  # those below which no other text states points
    for number, text in enumerate(texts):
        if re.search(rf"(?i){BRACKETED}", text):
            beginning = []
        fenced = False
        for line in text.splitlines():
            fenced ^= bool(FENCE.match(line))
            if fenced or not (match := HEADING.match(line)):
                continue
            level, stated = len(match[1]), STATED.findall(match[2])
            points = decimal(stated[0]) if len(stated) == 1 and not NOT_COUNTED.search(match[2]) else None
            section = Section(number, level, match[2], points, not found)
            found.append(section)
            beginning.append(section)
            open_ = [*(each for each in open_ if each.level < level), section]
            if stated:
                loose = [*(each for each in loose if each.level < level), section]
        for section in open_:
            section.items |= items[number]
        for section in loose:
            section.loose |= items[number]
        for section in beginning:
            section.first |= items[number]
    return found


def heading_misfits(found: Iterable[Section], totals: Sequence[float]) -> Iterator[tuple[int, str]]:
    """The cell and a sentence for each heading with other points than the items below it.

    Args:
        totals: what a title may state as well: the points of the notebook, and of the assignment.
    """
    for section in found:
        if section.stated is None or not section.items:
            continue
        readings = [
            sum(section.items.values()),
            sum(section.loose.values()),
            sum(section.first.values()),
            *(totals if section.is_title else ()),
        ]
        if not fits(section.stated, readings):
            yield (
                section.cell,
                f"its heading {section.text!r} states {counted(f'{section.stated:g}')}, and the items below it have "
                f"{listed(section.items)}: correct the heading, or the points of the items",
            )


def sentence_misfits(
    texts: Sequence[str], items: Sequence[Items], found: Sequence[Section], totals: Sequence[float]
) -> Iterator[tuple[int, str]]:
    """The cell and a sentence for texts that state other points than the items below them.

    What is said on the way to an item is read together: points of its parts, or one of them for all.

    Args:
        texts: of each cell as students read it; "" for code.
        items: of each cell, none or one.
        totals: of the notebook and of the assignment.
    """
    said: list[tuple[int, str, float | None]] = []  # since the last item
    for number, (text, own) in enumerate(zip(texts, items, strict=True)):
        said += [(number, line, points) for line, points in in_sentences(text)]
        if not own or not said:
            continue
        below = [points for each in items[number:] for points in each.values()]
        readings = [sum(below[:length]) for length in range(1, len(below) + 1)]
        around = [section for section in found if section.cell <= number]
        readings += [sum(each.values()) for section in around for each in (section.items, section.loose)]
        stated = [points for _, _, points in said if points is not None]
        if len(stated) == len(said) and not any(
            fits(each, [*readings, *totals]) for each in [sum(stated), *stated]
        ):
            yield (
                said[0][0],
                f"it says {short(said[0][1], 80)!r}, and the item below it has {listed(own)}: correct the text, or the "
                "points of the item",
            )
        said = []


def in_sentences(text: str) -> Iterator[tuple[str, float | None]]:
    """The lines of a text, without its headings, tables and code, that state points of a question, with them; None for
    those that may be about others.

    >>> list(in_sentences("This question is worth 3 points.\\n\\n(a) Why? [2 marks]\\n\\n(a) (100 points) of data"))
    [('This question is worth 3 points.', 3.0), ('(a) Why? [2 marks]', 2.0)]
    """
    fenced = False
    for line in text.splitlines():
        fenced ^= bool(FENCE.match(line))
        if fenced or HEADING.match(line) or line.lstrip().startswith("|"):
            continue
        amounts = [next(filter(None, match.groups())) for match in IN_SENTENCES.finditer(line)]
        if amounts:
            sure = len(amounts) == 1 and not NOT_THAT_MANY.search(line)
            yield line.strip(), decimal(amounts[0]) if sure else None


def row_misfits(rows: Sequence[Row], total: float, found: Sequence[Section], items: Items) -> Iterator[str]:
    """A sentence for each row of a table of points with other points than its items; else about rows and total.

    Args:
        rows: those above its total.
        items: all of the notebook.
    """
    by_label: dict[str, float] = {}
    unknown, wrong = False, False
    for name, points in rows:
        label = row_label(name)
        by_label[label or name] = by_label.get(label or name, 0.0) + points
    for label, points in by_label.items():
        readings = [each for each in readings_of(label, list(by_label), found, items) if each]
        unknown |= not readings
        if readings and not fits(points, [sum(each.values()) for each in readings]):
            wrong = True
            yield (
                f"its table of points has {counted(f'{points:g}')} for {label!r}, and the items there have "
                f"{listed(readings[0])}: correct the row, or the points of the items"
            )
    if unknown and not wrong and not fits(total, sums([points for _, points in rows])):
        yield (
            f"the rows of its table of points add up to {sum(points for _, points in rows):g}, and its total is "
            f"{total:g}: correct the row that is wrong"
        )


def readings_of(label: str, labels: Sequence[str], found: Sequence[Section], items: Items) -> Iterator[Items]:
    """The items that a row may stand for: those of its name, and those below the headings with its label."""
    named = {name for name in items if begins(name, label)}
    others = [other for other in labels if len(other) > len(label)]
    yield {
        name: items[name]
        for name in items
        if name in named and not any(begins(name, other) for other in others)
    }
    yield {name: items[name] for name in items if name in named}
    for reading in (str, plain_label):
        alike = [section for section in found if reading(label_of(section.text)) == reading(label)]
        yield {name: points for section in alike for name, points in section.items.items()}


def begins(name: str, label: str) -> bool:
    """Whether an item is called so, or its name goes on after it: "slope-code" for "slope"."""
    return name == label or name.startswith((f"{label}-", f"{label}_"))


def row_label(name: str) -> str:
    """The label that a row begins with; "" if it has none, or stands for more than one.

    >>> row_label("1.1 · Slopes"), row_label("7.8 – 7.12"), row_label("(a)"), row_label("slope-code")
    ('1.1', '', '(a)', '')
    """
    label = label_of(name)
    return "" if not label or MORE.match(name.partition(label)[2]) else label


def plain_label(label: str) -> str:
    """A label without its word and brackets.

    >>> plain_label("Question 1"), plain_label("(a)")
    ('1', 'a')
    """
    return re.sub(r"(?i)^[a-z]+\s+|[()]", "", label)


def sums(points: Sequence[float]) -> set[float]:
    """What the rows of a table add up to, if a row may be the sum of those below it."""
    found = {sum(points)}
    for index, subtotal in enumerate(points):
        below = [sum(points[index + 1 : end]) for end in range(index + 3, len(points) + 1)]
        if fits(subtotal, below):
            found |= {each - subtotal for each in found}
    return found


def fits(stated: float, readings: Iterable[float]) -> bool:
    return any(abs(stated - reading) <= 1e-6 for reading in readings)


def listed(items: Items) -> str:
    """The points of items as a sum with their names.

    >>> listed({"a": 1, "b": 0.5}), listed({"a": 1})
    ('1.5 (a 1, b 0.5)', '1 (a)')
    """
    several = ", ".join(f"{name} {points:g}" for name, points in items.items())
    return f"{sum(items.values()):g} ({several if len(items) > 1 else ''.join(items)})"
