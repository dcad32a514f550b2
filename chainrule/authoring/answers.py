"""The form of the answers that an assignment's checks are tried on: right ones in many styles, wrong ones by mistake.

A problem's answers are in one module of `judging/<assignment>/answers/`, which defines PROBLEM:

    PROBLEM = Problem(
        notebook="doubling",
        given=("q9_0-imports",),
        checks={"q9_1-double": ("(form)", "one number", "any shape")},
        exercises=(
            Exercise(
                items=("q9_1-double",),
                cell="q9_1-code",
                right={"torch": "def double(x): return 2 * x", "a sum": "def double(x): return x + x"},
                wrong={"squared": Wrong({"one number", "any shape"}, "x is squared", "def double(x): return x**2")},
            ),
        ),
    )

A right answer earns every point of its items. A wrong one loses the checks that it names and no others, so that one
mistake costs one check; and the message of one of them says what was wrong, in words that the answer quotes.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Literal

from chainrule.course import CourseFolder, lacks
from chainrule.metadata import framework_of
from chainrule.modules import importable

Sources = str | Mapping[str, str]  # of the exercise's cell, or of several cells by their grade_id


@dataclass(frozen=True)
class Right:
    """A right answer that fails checks without points, or doesn't fit every other right one. Others are written as
    their sources alone."""

    loses: Set[str]  # short names of these checks
    source: Sources
    fits: bool = True  # the right answers to the notebook's other exercises, in any style


@dataclass(frozen=True)
class Wrong:
    """An answer with one typical mistake."""

    loses: Set[str]  # short names of the checks that it fails
    says: str  # part of the message of one of them
    source: Sources
    unnoticed: str = ""  # why no visible check notices it; empty if one does


@dataclass(frozen=True)
class Answer:
    """An answer of either kind, as the rehearsal needs it.

    Attributes:
        name: what distinguishes it from the other answers of its kind in its exercise.
        cells: sources by grade_id, in place of the notebook's.
        loses: short names of the checks that it fails, no others; without points if it is right.
        says: part of the message of one of them; empty if it is right or no words are needed.
        unnoticed: why no visible check notices that it is wrong; empty if one does.
    """

    name: str
    kind: Literal["right", "wrong"]
    cells: Mapping[str, str]
    loses: frozenset[str] = frozenset()
    says: str = ""
    unnoticed: str = ""


@dataclass(frozen=True)
class Exercise:
    """One cell that students write, with answers by name.

    Attributes:
        items: grade_ids of the cells that judge it.
        cell: its grade_id. If there is no such cell, an answer runs after the reference's and says what differs.
        right, wrong: the answers.
        before: source that is put before each of them in the cell.
        given: more cells that run first, beyond those of the problem.
        prepare: called once with the notebook's sources and the folder in which answers run; it writes files there.
    """

    items: tuple[str, ...]
    cell: str
    right: Mapping[str, Sources | Right] = field(repr=False)
    wrong: Mapping[str, Wrong] = field(repr=False)
    before: str = field(default="", repr=False)
    given: tuple[str, ...] = ()
    prepare: Callable[[Mapping[str, str], Path], None] | None = None

    @property
    def answers(self) -> Iterator[Answer]:
        """All answers, the right ones first."""
        for name, right in self.right.items():
            known = right if isinstance(right, Right) else Right(frozenset(), right)
            yield Answer(name, "right", self._cells(known.source), frozenset(known.loses))
        for name, wrong in self.wrong.items():
            yield Answer(
                name, "wrong", self._cells(wrong.source), frozenset(wrong.loses), wrong.says, wrong.unnoticed
            )

    def _cells(self, source: Sources) -> Mapping[str, str]:
        return {self.cell: self.before + source} if isinstance(source, str) else source


@dataclass(frozen=True)
class Problem:
    """The answers to a part of a notebook.

    Attributes:
        notebook: its name in `source/<assignment>/`, without .ipynb.
        given: grade_ids of the cells that the answers need and that nobody writes, in any order. What trains or
            draws is left out, for it takes seconds.
        checks: for each item, short names of its checks in their order. A name in brackets is that of a check without
            points that a wrong answer may fail unsaid.
        exercises: the cells that students write.
        mixes: whether right answers to all exercises go together in one notebook, in any styles.
        beside: sources, by grade_id, of cells that stand beside answers of other styles: the reference's own needs more
            than it asks for, such as entries of a history.
        equivalent: mutants that no check can tell from the reference, by cell: the reason for each change,
            which is written as `Mutant.change` is; "…" in it stands for any text.
    """

    notebook: str
    given: tuple[str, ...]
    checks: Mapping[str, tuple[str, ...]]
    exercises: tuple[Exercise, ...] = field(repr=False)
    mixes: bool = True
    beside: Mapping[str, str] = field(default_factory=dict, repr=False)
    equivalent: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)


def problems(course: CourseFolder, assignment: str, *, here: bool = False) -> dict[str, Problem]:
    """The problems of an assignment, by the names of their modules in `judging/<assignment>/answers/`.

    In the package's name an assignment is spelt as `identifier` does.

    Args:
        here: only those whose notebooks can run on this machine, which may lack their framework.
    Raises:
        ImportError: it has no answers.
    """
    package = f"{course.course.judging}.{identifier(assignment)}.answers"
    with importable(course.modules(assignment)):
        modules = {
            found.name: import_module(f"{package}.{found.name}")
            for found in iter_modules(import_module(package).__path__)
        }
    found = {name: module.PROBLEM for name, module in modules.items()}
    source = course.folder("source", ".", assignment)
    missing = {path.stem for path in source.glob("*.ipynb") if here and lacks(framework_of(path))}
    return {name: problem for name, problem in found.items() if problem.notebook not in missing}


def identifier(name: str) -> str:
    """A name as Python can import it or define it.

    >>> identifier("part-a2"), identifier("1st"), identifier("lambda")
    ('part_a2', '_1st', 'lambda_')
    """
    known = re.sub(r"\W", "_", name)
    if keyword.iskeyword(known):
        return f"{known}_"
    return known if not known[:1].isdigit() else f"_{known}"


def change(source: str, *changes: str) -> str:
    """The source with changes such as "nn.ReLU() → nn.GELU()", each made wherever its left side occurs.

    >>> change("y = W @ x + b", "W @ x → x @ W", " + b → ")
    'y = x @ W'

    Raises:
        ValueError: it occurs nowhere.
    """
    for one in changes:
        old, new = one.split(" → ")
        if old not in source:
            raise ValueError(f"not in the source: {old!r}")
        source = source.replace(old, new)
    return source
