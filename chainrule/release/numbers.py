"""Numbers that differ from student to student: where they stand in a notebook, how they are drawn, who has which.

A cell that holds such numbers says so in its metadata, `chainrule.varies`: each snippet of its source that
varies, with the template that takes its place. In a template `@name@` stands for the number `name`:

    {"f(x) = 10x^2 + x": "f(x) = @a@x^2 + @b@x"}
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import nbformat
from nbformat import NotebookNode

from chainrule.course import CONFIG, CourseError, CourseFolder
from chainrule.modules import load

VARIES = "varies"
MANIFEST = "manifest.json"
NAME = re.compile(r"@(\w+)@")

Draw = Callable[[Random | None], dict[str, Any]]
Texts = Mapping[str, str]  # a student's numbers as they stand in the notebook


# ---- in a notebook -------------------------------------------------------------------------------------------


def varied(nb: NotebookNode, numbers: Texts | None) -> NotebookNode:
    """A copy of an instructor's notebook with these numbers, without the marks that say where they stand.

    Args:
        numbers: None for the handout's own.
    Raises:
        CourseError: a snippet doesn't stand in its cell, or a template wants a number that is not drawn.
    """
    nb = deepcopy(nb)
    for cell in nb.cells:
        if numbers is not None:
            cell.source = replaced(cell, numbers)
        unmark(cell)
    return nb


def replaced(cell: NotebookNode, numbers: Texts) -> str:
    """The cell's source with templates in place of snippets: in one pass, so that none meets another's numbers."""
    wanted = templates(cell)
    if not wanted:
        return str(cell.source)
    filled = {snippet: fill(template, numbers, name_of(cell)) for snippet, template in wanted.items()}
    longest_first = sorted(filled, key=len, reverse=True)
    found: set[str] = set()

    def replacement(match: re.Match[str]) -> str:
        found.add(match[0])
        return filled[match[0]]

    source = re.sub("|".join(map(re.escape, longest_first)), replacement, cell.source)
    for snippet in filled:
        if snippet not in found:
            raise CourseError(
                f"cell {name_of(cell)}: {snippet!r} varies by its metadata, but doesn't stand in its source "
                "outside other snippets that vary: make chainrule.varies and the source agree"
            )
    return source


def fill(template: str, numbers: Texts, cell: str) -> str:
    """The template with numbers in it."""
    for name in NAME.findall(template):
        if name not in numbers:
            known = ", ".join(sorted(numbers)) or "nothing"
            raise CourseError(
                f"cell {cell}: a template in its chainrule.varies wants @{name}@, but only {known} is drawn: "
                "correct the template, or draw that number, too"
            )
    return NAME.sub(lambda match: numbers[match[1]], template)


def templates(cell: NotebookNode) -> dict[str, str]:
    """The templates by their snippets; none if nothing in the cell varies.

    Raises:
        CourseError: the cell's metadata say something else.
    """
    about = cell.metadata.get("chainrule", {})
    marks = about.get(VARIES, {}) if isinstance(about, dict) else {}
    if not isinstance(marks, dict) or not all(k and isinstance(v, str) for k, v in marks.items()):
        raise CourseError(
            f"cell {name_of(cell)}: chainrule.varies in its metadata must be a mapping from a snippet of its "
            "source to a template"
        )
    return dict(marks)


def unmark(cell: NotebookNode) -> None:
    """Take the marks away: templates of mark schemes and hidden checks are not for students."""
    about = cell.metadata.get("chainrule")
    if isinstance(about, dict):
        about.pop(VARIES, None)
        if not about:
            del cell.metadata["chainrule"]


def name_of(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id", "without a name"))


# ---- drawn ---------------------------------------------------------------------------------------------------


def draw_of(folder: CourseFolder, assignment: str) -> Draw:
    """The function that draws an assignment's numbers: `c.Course.variants = {"hw1": "module:function"}`.

    It is called with the student's own source of random numbers, or with None for the handout's numbers, and
    returns them by name. The module is one that Python finds, or lies in the course folder.

    Raises:
        CourseError: the course names none, or none that can be imported.
    """
    where = folder.course.variants.get(assignment)
    if where is None:
        raise CourseError(
            f"{assignment} has no numbers that vary: name the function that draws them in {CONFIG}, "
            f'c.Course.variants = {{"{assignment}": "module:function"}}'
        )
    if str(folder.root) not in sys.path:
        sys.path.append(str(folder.root))
    module, _, function = where.partition(":")
    try:
        draw: Draw = getattr(load(folder.modules(assignment), module), function)
        if not callable(draw):
            raise TypeError("it is no function")
    except Exception as error:  # the module is code and may raise anything
        raise CourseError(
            f"c.Course.variants[{assignment!r}] in {CONFIG} is {where!r}, which cannot be imported "
            f"({type(error).__name__}: {error}); write 'module:function'"
        ) from error
    return draw


def drawn(draw: Draw, seed: int, assignment: str, student: str) -> dict[str, str]:
    """A student's numbers: they depend on nobody else's, so whoever comes late changes nothing."""
    digest = hashlib.sha256(f"{seed}\n{assignment}\n{student}".encode()).digest()
    return texts(draw, Random(int.from_bytes(digest, "big")))


def texts(draw: Draw, random: Random | None) -> dict[str, str]:
    """What is drawn, as it stands in a notebook: strings as they are, anything else as Python writes it.

    Raises:
        CourseError: the function fails, or gives what cannot be written down.
    """
    who = f"{draw.__module__}:{getattr(draw, '__name__', draw)}"
    try:
        numbers = draw(random)
    except Exception as error:
        raise CourseError(
            f"{who} cannot draw the numbers of a student: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(numbers, dict):
        raise CourseError(f"{who} gave {type(numbers).__name__}: it must return a dict, numbers by name")
    for name, value in numbers.items():
        if not (isinstance(name, str) and re.fullmatch(r"\w+", name)):
            raise CourseError(f"{who} gave a number the name {name!r}: use letters, digits and _")
        if not is_plain(value):
            raise CourseError(
                f"{who} gave {value!r} for {name}: give int, finite float, bool, str, None, or lists, tuples "
                "and dicts of them, such as float(x) of a tensor's element"
            )
    return {name: value if isinstance(value, str) else repr(value) for name, value in numbers.items()}


def is_plain(value: object) -> bool:
    """Whether Python reads the value's repr as the value."""
    if isinstance(value, dict):
        return type(value) is dict and is_plain([*value, *value.values()])
    if isinstance(value, list | tuple):
        return type(value) in (list, tuple) and all(map(is_plain, value))
    return type(value) in (int, bool, str, type(None)) or (type(value) is float and math.isfinite(value))


def check_handout(folder: CourseFolder, assignment: str) -> dict[str, str]:
    """Make sure that with the handout's own numbers every template gives back its snippet.

    Returns:
        The handout's numbers.
    Raises:
        CourseError: one doesn't, or no cell has any.
    """
    handout = texts(draw_of(folder, assignment), None)
    count = 0
    for path in folder.notebooks(assignment):
        for cell in nbformat.read(path, as_version=4).cells:
            replaced(cell, handout)
            for snippet, template in templates(cell).items():
                count += 1
                if (text := fill(template, handout, name_of(cell))) != snippet:
                    raise CourseError(
                        f"cell {name_of(cell)}: with the handout's numbers the template {template!r} gives "
                        f"{text!r}, where the source has {snippet!r}: make the three agree"
                    )
    if not count:
        raise CourseError(f"no cell of {assignment} varies: mark some with chainrule.varies in their metadata")
    return handout


# ---- who has which -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Manifest:
    """Each student's numbers, as released: variants/<assignment>/manifest.json, for instructors only."""

    assignment: str
    seed: int
    students: Mapping[str, Texts]

    @classmethod
    def read(cls, root: Path, assignment: str) -> Manifest | None:
        """The manifest of an assignment in the course at `root`; None if no variants were released.

        Raises:
            CourseError: it is missing from a folder with variants, or broken.
        """
        path = variants_folder(root, assignment) / MANIFEST
        if not path.parent.exists():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found = cls(content["assignment"], content["seed"], content["students"])
            if found.assignment != assignment:
                raise ValueError(f"it is of {found.assignment}")
            if type(found.seed) is not int or not is_table(found.students):
                raise ValueError("it is no manifest")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CourseError(
                f"{path} cannot be used ({type(error).__name__}: {error}), and without it nobody knows the "
                f"students' numbers. Restore it from a backup. Or delete {path.parent} and release again with "
                "the same --seed, which gives the same students the same numbers; or, if nothing was handed "
                "out yet, with another"
            ) from None
        return found

    def write(self, root: Path) -> None:
        """Save it, all or nothing."""
        path = variants_folder(root, self.assignment) / MANIFEST
        path.parent.mkdir(parents=True, exist_ok=True)
        students = {student: dict(self.students[student]) for student in sorted(self.students)}
        content = {"assignment": self.assignment, "seed": self.seed, "students": students}
        partial = path.with_name(f".{MANIFEST}.part")
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(path)


def variants_folder(root: Path, assignment: str) -> Path:
    """Where the variants of an assignment are released to."""
    return root / "variants" / assignment


def is_table(students: object) -> bool:
    """Whether it is texts by name by student."""
    return isinstance(students, dict) and all(
        isinstance(numbers, dict) and all(isinstance(text, str) for text in numbers.values())
        for numbers in students.values()
    )
