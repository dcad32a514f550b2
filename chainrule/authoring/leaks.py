"""Answers that students can read: a region's own code, in a comment beside it, or elsewhere in what they get.

Code alone is compared, name by name, and a line counts only if it computes something: others are in every notebook. An
answer is found elsewhere only if all of it stands in one place.
"""

from __future__ import annotations

import ast
import re
import tokenize
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path
from textwrap import dedent

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions
from nbgrader.utils import is_grade, is_solution
from traitlets.config import Configurable

from chainrule.authoring.cell_names import parses, plain
from chainrule.authoring.student_view import as_students_get_it, region
from chainrule.handin.places import FENCE
from chainrule.modules import parsed
from chainrule.release.source import REGIONS, place, short

COMPUTES = (
    ast.BinOp,
    ast.Compare,
    ast.BoolOp,
    ast.IfExp,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
PARTS = (*COMPUTES, ast.UnaryOp, ast.Call, ast.Attribute, ast.Subscript)
SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr, ast.Assert, ast.Delete, ast.Raise)
INLINE = re.compile(r"(`+)(.+?)\1|!\[(.+?)\]\(|<!--(.+?)-->")  # code, a picture's description
TAGS = re.compile(r"<!--|-->|</?[a-z]\w*\s*/?>", re.IGNORECASE)
PROMPT = re.compile(r"^\s*(?:>>>|\.\.\.|In \[\d*\]:) ?")
# how many parts make a statement, or a value without its target, an answer of its own
A_STATEMENT, A_VALUE = 2, 4


@dataclass(frozen=True)
class Line:
    """A statement of an answer.

    Attributes:
        whole: the statement, as `ast.dump` writes it.
        value: what it computes, in the same way.
        parts: how many operations it has.
    """

    text: str
    whole: str
    value: str
    parts: int
    computes: bool
    has_target: bool
    words: frozenset[str]

    @classmethod
    def of(cls, node: ast.stmt) -> Line:
        value = getattr(node, "value", None)
        inside = list(ast.walk(node))
        names = any(isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load) for each in inside)
        return cls(
            text=ast.unparse(node),
            whole=ast.dump(node),
            value="" if value is None or isinstance(node, ast.AugAssign) else ast.dump(value),
            parts=sum(isinstance(each, PARTS) for each in inside),
            computes=names and any(isinstance(each, COMPUTES) for each in inside),
            has_target=isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return),
            words=frozenset(
                each.id for each in inside if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
            ),
        )


class Shown:
    """Code that students read in one place.

    Args:
        text: that it is in. It is read as code only when an answer's words are all in it.
        code: reads the text as pieces of code.
    """

    def __init__(self, text: str, code: Callable[[str], Iterable[str]]) -> None:
        self.words = words_of(text)
        self._text, self._code = text, code

    @cached_property
    def _dumps(self) -> tuple[set[str], set[str]]:
        """Its statements, and everything in them that has a value."""
        whole, values = set(), set()
        with warnings.catch_warnings(action="ignore"):  # of Python, about what is no code
            trees = [tree for each in self._code(self._text) if (tree := parsed(each))]
        for tree in trees:
            for node in ast.walk(tree):
                if isinstance(node, SIMPLE):
                    whole.add(ast.dump(node))
                elif isinstance(node, PARTS):
                    values.add(ast.dump(node))
        return whole, values

    def says(self, line: Line) -> bool:
        """Whether a line of an answer stands there as it is."""
        return line.words <= self.words and line.whole in self._dumps[0]

    def holds(self, line: Line) -> bool:
        """Whether a line of an answer, or what it computes, stands there and says enough to be known again."""
        return line.words <= self.words and (
            (line.parts >= A_STATEMENT and line.whole in self._dumps[0])
            or (line.parts >= A_VALUE and line.value in self._dumps[1])
        )

    def tells(self, answer: list[Line]) -> bool:
        return (
            all(line.words <= self.words for line in answer)
            and any(line.computes for line in answer)
            and all(map(self.holds, answer))
        )


def typed_answers(nb: NotebookNode, name: str, parent: Configurable) -> Iterator[str]:
    """A sentence for each cell that says the number or the word that students are to type."""
    solution, hidden = region(ClearSolutions, parent), region(ClearHiddenTests, parent)
    begin, end = (getattr(ClearSolutions(parent=parent), each) for each in REGIONS[ClearSolutions])
    texts = [as_students_get_it(cell, parent) for cell in nb.cells]
    told = "\n".join(text for cell, text in zip(nb.cells, texts, strict=True) if cell.cell_type != "code")
    for number, cell in enumerate(nb.cells):
        if cell.cell_type != "code" or not is_solution(cell) or not (tree := parsed(plain(cell.source))):
            continue
        lines = cell.source.splitlines()
        inside = [
            sum(begin in line for line in lines[:at]) > sum(end in line for line in lines[:at])
            for at in range(len(lines) + 1)
        ]
        values = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
            and inside[min(node.lineno, len(lines))]
            and is_typed(node.value.value)
            and not is_told(node.value.value, told)
        }
        for at, text in enumerate(texts):
            if not values or nb.cells[at].cell_type != "code":
                continue
            for known, value in said_of(text, at == number):
                if known in values and values[known] == value:
                    todo = f"put it {solution.between}" if at == number else f"put it {hidden.between}"
                    yield (
                        f"{place(name, at + 1, nb.cells[at])}: students read there that {known} is {value!r}, which "
                        f"they are to find: {todo}"
                    )


def is_typed(value: object) -> bool:
    """Whether a constant is an answer: not a start value such as 0 or ""."""
    return (
        isinstance(value, int | float | str) and not isinstance(value, bool) and value not in (0, 1, -1, "")
    )


def is_told(value: object, text: str) -> bool:
    """Whether a text says a value, as in "set `x` to 5"; a word has to be in quotation marks there."""
    if isinstance(value, str):
        return any(f"{mark}{value}{mark}" in text for mark in "`'\"")
    return re.search(rf"(?<![\w.]){re.escape(str(value))}(?![\w]|\.\d)", text) is not None


def said_of(text: str, is_own: bool) -> Iterator[tuple[str, object]]:
    """Names and what some code compares them with; or gives them, in the comments of the answer's own cell."""
    trees = [tree for each in (comments_of(text) if is_own else [plain(text)]) if (tree := parsed(each))]
    for node in (node for tree in trees for node in ast.walk(tree)):
        pair: list[ast.expr] = []
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq):
            pair = [node.left, node.comparators[0]]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            pair = [node.left, node.right]
        elif isinstance(node, ast.Call) and len(node.args) >= 2:
            pair = node.args[:2]
        elif isinstance(node, ast.Assign) and is_own:
            pair = [node.targets[0], node.value]
        names = [each.id for each in pair if isinstance(each, ast.Name)]
        values = [each.value for each in pair if isinstance(each, ast.Constant)]
        if len(names) == len(values) == 1:
            yield names[0], values[0]


def words_of(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text))


def readable_answers(
    notebooks: Mapping[str, NotebookNode], source: Path, parent: Configurable
) -> Iterator[str]:
    """A sentence for each answer of an assignment that students can read.

    Args:
        notebooks: by their names.
        source: the folder of the assignment, with the modules that ship beside them.
    """
    texts = {
        (name, number): as_students_get_it(cell, parent)
        for name, nb in notebooks.items()
        for number, cell in enumerate(nb.cells)
    }
    elsewhere = {
        (name, number): shown_of(notebooks[name].cells[number], text)
        for (name, number), text in texts.items()
    }
    modules = {path: shown_of_module(path) for path in sorted(source.rglob("*.py"))}
    solution, hidden = region(ClearSolutions, parent), region(ClearHiddenTests, parent)
    begin, end = (getattr(ClearSolutions(parent=parent), name) for name in REGIONS[ClearSolutions])
    for name, nb in notebooks.items():
        for number, cell in enumerate(nb.cells):
            if cell.cell_type != "code" or not is_solution(cell) or not parses(cell.source):
                continue
            where = place(name, number + 1, cell)
            for answer in answers(cell.source, begin, end):
                if text := beside(answer, texts[name, number]):
                    yield (
                        f"{where}: students read {short(text, 80)!r} of its solution: take it out, or put it "
                        f"{solution.between}"
                    )
                for (other, at), shown in elsewhere.items():
                    if (other, at) != (name, number) and shown.tells(answer):
                        cell_there = notebooks[other].cells[at]
                        yield (
                            f"{place(other, at + 1, cell_there)}: students read the solution of {where} there "
                            f"({short(answer[-1].text, 80)!r}): "
                            + (f"put it {hidden.between}" if is_grade(cell_there) else "take it out")
                        )
                for path, parts in modules.items():
                    if any(part.tells(answer) for part in parts):
                        yield (
                            f"{path.relative_to(source)}: students read the solution of {where} there "
                            f"({short(answer[-1].text, 80)!r}): move it into the judging package"
                        )


def shown_of(cell: NotebookNode, text: str) -> Shown:
    """The code in what students get of a cell."""
    return Shown(text, code_in_cell if cell.cell_type == "code" else code_in_text)


def shown_of_module(path: Path) -> list[Shown]:
    """The code of each function, class and other statement of a module."""
    text = path.read_text(encoding="utf-8", errors="replace")
    tree = parsed(text)
    lines = text.split("\n")
    found = ["\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in tree.body] if tree else []
    return [Shown(each, lambda piece: [piece]) for each in found]


def answers(source: str, begin: str, end: str) -> list[list[Line]]:
    """The lines of each solution region of a cell, of the whole cell if it has none; without those that say nothing.

    Args:
        begin, end: the markers of a region.
    """
    text = plain(source)
    if (tree := parsed(text)) is None:
        return []
    regions: list[tuple[int, int]] = []
    opened = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if begin in line:
            opened = number
        elif end in line and opened:
            regions.append((opened, number))
            opened = 0
    statements = [node for node in ast.walk(tree) if isinstance(node, SIMPLE)]
    return [
        found
        for first, last in regions or [(0, len(text) + 1)]
        if (
            found := [
                Line.of(node) for node in statements if first < node.lineno < last and says_something(node)
            ]
        )
    ]


def says_something(node: ast.stmt) -> bool:
    """Whether a statement is more than a start value, a result handed on, an error or a text."""
    if isinstance(node, ast.Raise | ast.Delete):
        return False
    value = getattr(node, "value", None)
    if isinstance(node, ast.Assign | ast.Return | ast.Expr) and value is not None:
        empty = isinstance(value, ast.List | ast.Tuple | ast.Dict | ast.Set) and not any(
            isinstance(each, ast.Name | ast.Constant) for each in ast.walk(value)
        )
        return not empty and not isinstance(value, ast.Name | ast.Constant)
    return value is not None or isinstance(node, ast.Assert)


def beside(answer: list[Line], shown: str) -> str:
    """A line of an answer that stands in what students get of its own cell; "" if none does.

    There a comment or a docstring that says one line of it is enough, and code that says all of it.
    """
    comments, code = Shown(shown, comments_of), Shown(shown, lambda text: [plain(text)])
    for line in answer:
        if line.has_target and line.computes and comments.holds(line):
            return line.text
    if any(line.computes for line in answer) and all(
        code.says(line) or comments.says(line) for line in answer
    ):
        return next(line.text for line in answer if line.computes)
    return ""


def code_in_cell(text: str) -> Iterator[str]:
    if text.lstrip().startswith("%%"):  # a magic, whose text Python does not read
        yield from pieces(text.lstrip().splitlines()[1:])
    elif parses(text):
        yield plain(text)
        yield from comments_of(text)


def comments_of(source: str) -> Iterator[str]:
    """What the comments and the texts of a cell may be as code: line by line, and those below each other as one."""
    together: list[str] = []
    row = 0
    for token in tokens(plain(source)):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            if not alone or token.start[0] != row + 1:
                yield from pieces(together)
                together = []
            together.append(token.string.lstrip("#"))
            row = token.start[0]
        elif token.type == tokenize.STRING:
            yield from pieces(token.string.strip("\"'").splitlines())
    yield from pieces(together)


def tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    """The tokens of some code, up to where it is no Python."""
    with suppress(tokenize.TokenError, SyntaxError):
        yield from tokenize.generate_tokens(StringIO(source).readline)


def pieces(lines: list[str]) -> Iterator[str]:
    """Lines as one text, and each on its own, without the prompts of an example."""
    lines = [PROMPT.sub("", line) for line in lines]
    if len(lines) > 1:
        yield dedent("\n".join(lines))
    yield from (line.strip() for line in lines if line.strip())


def code_in_text(text: str) -> Iterator[str]:
    """The code in a text: what is fenced, as a whole and line by line, what stands between backquotes, and each other
    line, whatever tags are around it."""
    fenced: list[str] | None = None
    for line in text.splitlines():
        if FENCE.match(line):
            yield from pieces(fenced or [])
            fenced = [] if fenced is None else None
        elif fenced is not None:
            fenced.append(line)
        else:
            yield from ("".join(found[1:]).strip() for found in INLINE.findall(line))
            yield from pieces([TAGS.sub("", line)])
