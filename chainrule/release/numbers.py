"""Numbers that differ from student to student: their positions in a notebook, how they are drawn, and who has which.

A cell with such numbers has metadata, `chainrule.varies`: a template for each snippet of its source that varies. A
template replaces its snippet, and in it `@name@` is replaced by the number `name`:

    {"f(x) = 10x^2 + x": "f(x) = @a@x^2 + @b@x"}
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import nbformat
from nbformat import NotebookNode

from chainrule.course import CONFIG, CourseError, CourseFolder
from chainrule.metadata import cell_name, check_source, source_cell
from chainrule.modules import load_beside
from chainrule.validation import validated_json

MANIFEST = "manifest.json"
NAME = re.compile(r"@(\w+)@")

Draw = Callable[[Random | None], dict[str, Any]]
Texts = Mapping[str, str]  # a student's numbers, by name, as they are written in the notebook


# ---- in a notebook -------------------------------------------------------------------------------------------


def with_numbers(nb: NotebookNode, numbers: Texts | None) -> NotebookNode:
    """A copy of an instructor's notebook with these numbers, and without the marks that say where they are.

    Args:
        numbers: None for the handout's.
    Raises:
        CourseError: a snippet is not in its cell, or a template uses a number that is not drawn.
    """
    nb = deepcopy(nb)
    for cell in nb.cells:
        if numbers is not None:
            cell.source = replace_snippets(cell, numbers)
        remove_marks(cell)
    return nb


def replace_snippets(cell: NotebookNode, numbers: Texts) -> str:
    """The cell's source with filled templates in place of snippets.

    All are replaced in one pass, so that no snippet is found in the numbers of another template.
    """
    by_snippet = templates(cell)
    if not by_snippet:
        return str(cell.source)
    filled = {
        snippet: fill_template(template, numbers, cell_name(cell)) for snippet, template in by_snippet.items()
    }
    longest_first = sorted(filled, key=len, reverse=True)
    used: set[str] = set()

    def replacement(match: re.Match[str]) -> str:
        used.add(match[0])
        return filled[match[0]]

    source = re.sub("|".join(map(re.escape, longest_first)), replacement, cell.source)
    for snippet in filled:
        if snippet not in used:
            raise CourseError(
                f"cell {cell_name(cell)}: {snippet!r} varies by its metadata, but is not in its source outside "
                "other snippets that vary: make chainrule.varies and the source agree"
            )
    return source


def fill_template(template: str, numbers: Texts, cell: str) -> str:
    """Put numbers into a template."""
    for name in NAME.findall(template):
        if name not in numbers:
            known = ", ".join(sorted(numbers)) or "nothing"
            raise CourseError(
                f"cell {cell}: a template in its chainrule.varies uses @{name}@, but only {known} is drawn: "
                "correct the template, or draw that number too"
            )
    return NAME.sub(lambda match: numbers[match[1]], template)


def templates(cell: NotebookNode) -> dict[str, str]:
    """The templates by their snippets; empty if nothing in the cell varies.

    Raises:
        CourseError: the cell's metadata has something else.
    """
    return source_cell(cell).get("varies", {})


def remove_marks(cell: NotebookNode, marks: str = "varies") -> None:
    """Remove the marks, because templates of mark schemes and hidden checks are not for students.

    Args:
        marks: the key of the cell's metadata that has them.
    """
    about = cell.metadata.get("chainrule")
    if isinstance(about, dict):
        about.pop(marks, None)
        if not about:
            del cell.metadata["chainrule"]


# ---- drawing them ---------------------------------------------------------------------------------------------------


def find_draw(folder: CourseFolder, assignment: str) -> Draw:
    """The function that draws an assignment's numbers: `c.Course.variants = {"hw1": "module:function"}`.

    It is called with a generator of random numbers for the student, or with None for the handout's numbers. It returns
    the numbers by name. The module is in the course folder, or one that Python finds.

    Raises:
        CourseError: the course names no function, or one that cannot be imported.
    """
    where = folder.course.variants.get(assignment)
    if where is None:
        raise CourseError(
            f"{assignment} has no numbers that vary: name the function that draws them in {CONFIG}, "
            f'c.Course.variants = {{"{assignment}": "module:function"}}'
        )
    module, _, function = where.partition(":")
    try:
        draw: Draw = getattr(load_beside(folder.modules(assignment), module), function)
        if not callable(draw):
            raise TypeError("it is no function")
    except Exception as error:  # the module is code and may raise anything
        raise CourseError(
            f"c.Course.variants[{assignment!r}] in {CONFIG} is {where!r}, which cannot be imported "
            f"({type(error).__name__}: {error}); write 'module:function'"
        ) from error
    return draw


def draw_numbers(draw: Draw, seed: int, assignment: str, student: str) -> dict[str, str]:
    """A student's numbers. They don't depend on other students, so a late registration changes nothing."""
    digest = hashlib.sha256(f"{seed}\n{assignment}\n{student}".encode()).digest()
    return draw_texts(draw, Random(int.from_bytes(digest, "big")))


def draw_texts(draw: Draw, random: Random | None) -> dict[str, str]:
    """Draw numbers, and write them as in a notebook: strings as they are, anything else by `repr`.

    Args:
        random: None for the handout's numbers.
    Raises:
        CourseError: the function fails, or returns a value that Python can't read from its repr.
    """
    function = f"{draw.__module__}:{getattr(draw, '__name__', draw)}"
    try:
        numbers = draw(random)
    except Exception as error:
        raise CourseError(
            f"{function} cannot draw the numbers of a student: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(numbers, dict):
        raise CourseError(f"{function} gave {type(numbers).__name__}: it must return a dict, numbers by name")
    for name, value in numbers.items():
        if not (isinstance(name, str) and re.fullmatch(r"\w+", name)):
            raise CourseError(f"{function} gave a number the name {name!r}: use letters, digits and _")
        if not is_literal(value):
            raise CourseError(
                f"{function} gave {value!r} for {name}: give int, finite float, bool, str, None, or lists, tuples "
                "and dicts of them, such as float(x) of a tensor's element"
            )
    return {name: value if isinstance(value, str) else repr(value) for name, value in numbers.items()}


def is_literal(value: object) -> bool:
    """Whether Python reads the same value from its repr."""
    if isinstance(value, dict):
        return type(value) is dict and is_literal([*value, *value.values()])
    if isinstance(value, list | tuple):
        return type(value) in (list, tuple) and all(map(is_literal, value))
    return type(value) in (int, bool, str, type(None)) or (type(value) is float and math.isfinite(value))


def check_handout(folder: CourseFolder, assignment: str) -> dict[str, str]:
    """Make sure that with the handout's numbers every template becomes its snippet.

    Returns:
        The handout's numbers.
    Raises:
        CourseError: a template doesn't, or there is no template.
    """
    handout = draw_texts(find_draw(folder, assignment), None)
    count = 0
    for path in folder.notebooks(assignment):
        nb = nbformat.read(path, as_version=4)
        check_source(nb, path.name)
        for cell in nb.cells:
            replace_snippets(cell, handout)
            for snippet, template in templates(cell).items():
                count += 1
                if (text := fill_template(template, handout, cell_name(cell))) != snippet:
                    raise CourseError(
                        f"cell {cell_name(cell)}: with the handout's numbers the template {template!r} gives "
                        f"{text!r}, where the source has {snippet!r}: make the three agree"
                    )
    if not count:
        raise CourseError(
            f"no cell of {assignment} varies: mark some with chainrule.varies in their metadata"
        )
    return handout


# ---- who has which -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Manifest:
    """Each student's numbers, as released. It is kept in variants/<assignment>/manifest.json, for instructors only."""

    assignment: str
    seed: int
    students: Mapping[str, Texts]

    @classmethod
    def read(cls, root: Path, assignment: str) -> Manifest | None:
        """The manifest of an assignment in the course at `root`; None if no variants were released.

        Raises:
            CourseError: a folder with variants has no manifest, or a broken one.
        """
        path = variants_folder(root, assignment) / MANIFEST
        if not path.parent.exists():
            return None
        try:
            manifest = validated_json(cls, path.read_bytes())
            if manifest.assignment != assignment:
                raise ValueError(f"it is of {manifest.assignment}")
        except (OSError, ValueError) as error:
            raise CourseError(
                f"{path} cannot be used ({type(error).__name__}: {error}), and without it nobody knows the "
                f"students' numbers. Restore it from a backup. Or delete {path.parent} and release again with "
                "the same --seed, which gives the same students the same numbers; or, if nothing was handed "
                "out yet, with another"
            ) from None
        return manifest

    def write(self, root: Path) -> None:
        """Save it. No half-written file is ever found."""
        path = variants_folder(root, self.assignment) / MANIFEST
        path.parent.mkdir(parents=True, exist_ok=True)
        students = {student: dict(self.students[student]) for student in sorted(self.students)}
        content = {"assignment": self.assignment, "seed": self.seed, "students": students}
        partial = path.with_name(f".{MANIFEST}.part")
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(path)


def variants_folder(root: Path, assignment: str) -> Path:
    """The folder that the variants of an assignment are released to."""
    return root / "variants" / assignment
