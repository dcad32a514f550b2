"""Mutants of a reference solution: each with one small slip, as a student might make it or as a check must exclude it.

A check that no mutant fails proves nothing; a mutant that no check fails shows what is not looked at. Kinds of slips
follow the usual mutation operators (DeMillo, Lipton and Sayward 1978) and what goes wrong in training code: axes,
arguments, modes, gradients, loaders, seeds.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"  # nbgrader's markers

OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
# Names of functions and modes that are taken for one another.
SIBLINGS = {
    frozenset(names.split())
    for names in (
        "sum mean",
        "min max",
        "argmin argmax",
        "zeros ones",
        "zeros_like ones_like",
        "sin cos",
        "tril triu",
        "var std",
        "train eval",
        "softmax log_softmax",
        "sigmoid tanh",
        "relu sigmoid",
        "floor ceil",
        "rand randn",
        "BatchNorm1d LayerNorm",
        "ReLU Tanh",
        "MaxPool2d AvgPool2d",
        "zeros_ ones_",
        "squeeze unsqueeze",
        "enc dec",
        "encode decode",
    )
}
# A method that changes nothing about the value, but what happens to it later.
KEPT = {"detach", "clone", "copy", "contiguous", "item", "double", "float"}
AXES = {"dim", "axis", "dims", "start_dim"}
LOADER = re.compile(r"(?<![a-z])(train|test|val)(?![a-z])")


@dataclass(frozen=True)
class Mutant:
    """A source with one slip.

    Attributes:
        kind: of slip, such as "constant" or "statement deleted".
        line: where it is, from 1.
        change: the lines that differ, before and after, such as "y = a - b → y = (a + b)".
        source: the whole cell.
    """

    kind: str
    line: int
    change: str
    source: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.kind}: {self.change}"


def mutants(source: str) -> Iterator[Mutant]:
    """All mutants of a cell, no two of the same code, in the order of their lines.

    Only what students write is changed: between nbgrader's solution markers, or everywhere if there are none.

    >>> for mutant in mutants("def f(x):\\n    return 2 * x"):
    ...     print(mutant)
    line 2, statement deleted: return 2 * x → pass
    line 2, sign added: return 2 * x → return -(2 * x)
    line 2, operator: return 2 * x → return (2 / x)
    line 2, operator: return 2 * x → return (2 + x)
    line 2, operand dropped: return 2 * x → return 2
    line 2, operand dropped: return 2 * x → return x
    line 2, constant: return 2 * x → return 3 * x
    line 2, constant: return 2 * x → return 1 * x
    line 2, constant: return 2 * x → return 4 * x
    """
    tree, lines = ast.parse(source), _solution_lines(source)
    text = _Text(source)
    seen = {_meaning(source)}
    found: list[Mutant] = []
    for scope, node in _scoped(tree):
        if getattr(node, "lineno", None) not in lines or getattr(node, "end_lineno", None) not in lines:
            continue
        for slip in SLIPS:
            for kind, place, after in slip(node, scope):
                mutated = text.replaced(place, after)
                meaning = _meaning(mutated)
                if meaning is None or meaning in seen:  # no Python, or another mutant's code
                    continue
                seen.add(meaning)
                found.append(Mutant(kind, place[0].lineno, _change(source, mutated), mutated))
    yield from sorted(found, key=lambda mutant: mutant.line)


def _change(before: str, after: str) -> str:
    """The lines that differ, without those around them.

    >>> _change("a = 1\\nb = 2  # two\\nc = 3", "a = 1\\nb = 4  # two\\nc = 3")
    'b = 2 → b = 4'
    """
    old, new = before.splitlines(), after.splitlines()
    while old and new and old[0] == new[0]:
        old, new = old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    sides = (" ⏎ ".join(re.sub(r"\s+# .*", "", line).strip() for line in side) for side in (old, new))
    return " → ".join(sides)


Place = Sequence[ast.stmt | ast.expr]  # nodes that follow each other in the source: one, or two neighbours
Slip = tuple[str, Place, str]  # kind, what is replaced, by what


@dataclass(frozen=True)
class Scope:
    """What is known where a node stands.

    Attributes:
        names: parameters and variables of the function, and names that the cell defines, in their order.
        parents: the nodes around it, from the inside out.
        strings: text constants of the cell.
    """

    names: tuple[str, ...]
    parents: tuple[ast.AST, ...]
    strings: tuple[str, ...]


def operators(node: ast.AST, scope: Scope) -> Iterator[Slip]:
    """Another operator, another comparison, `and` for `or`, a sign or a `not` that is missing."""
    match node:
        case ast.BinOp(op=op):
            for other in OPERATORS.get(type(op), ()):
                yield "operator", [node], _unparsed(node, op=other())
            if isinstance(op, ast.Sub | ast.Div | ast.MatMult | ast.FloorDiv | ast.Pow):
                yield "operands swapped", [node], _unparsed(node, left=node.right, right=node.left)
            yield "operand dropped", [node], ast.unparse(node.left)
            yield "operand dropped", [node], ast.unparse(node.right)
        case ast.AugAssign(op=op):
            for other in OPERATORS.get(type(op), ())[:1]:
                yield "operator", [node], _unparsed(node, op=other())
            yield "in-place", [node], f"{ast.unparse(node.target)} = {ast.unparse(node.value)}"
        case ast.Compare(ops=[op]):
            for comparison in COMPARISONS.get(type(op), ()):
                yield "comparison", [node], _unparsed(node, ops=[comparison()])
        case ast.BoolOp(op=op):
            yield "operator", [node], _unparsed(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.USub() | ast.Not() | ast.Invert()):
            yield "sign dropped", [node], f"({ast.unparse(node.operand)})"
        case ast.Return(value=ast.Name() | ast.BinOp() as value):
            yield "sign added", [value], f"-({ast.unparse(value)})"
        case ast.IfExp():
            yield "branch", [node], f"({ast.unparse(node.body)})"
            yield "branch", [node], f"({ast.unparse(node.orelse)})"


def constants(node: ast.AST, scope: Scope) -> Iterator[Slip]:
    """A number one off or doubled, another axis, True for False, another text of the same cell."""
    if not isinstance(node, ast.Constant) or any(isinstance(p, ast.JoinedStr) for p in scope.parents):
        return
    if isinstance(node.value, bool):
        yield "constant", [node], repr(not node.value)
    elif isinstance(node.value, int | float):
        parent = scope.parents[0]
        is_axis = isinstance(parent, ast.keyword) and parent.arg in AXES
        for other in (0, 1, -1, -2) if is_axis else (node.value + 1, node.value - 1, 2 * node.value):
            yield "axis" if is_axis else "constant", [node], _literal(other)
    elif isinstance(node.value, str) and not isinstance(scope.parents[0], ast.Expr):  # not a docstring
        for sibling in [*_siblings(node.value), *_loaders(node.value)]:
            yield "text", [node], repr(sibling)
        after = [text for text in scope.strings if text != node.value]
        for text in after[:2]:
            yield "text", [node], repr(text)


def calls(node: ast.AST, scope: Scope) -> Iterator[Slip]:
    """Arguments swapped or dropped, another function, a call that is left out."""
    if not isinstance(node, ast.Call):
        return
    for i, j in pairwise(range(len(node.args))):
        if not isinstance(node.args[i], ast.Starred) and not isinstance(node.args[j], ast.Starred):
            swapped = list(node.args)
            swapped[i], swapped[j] = swapped[j], swapped[i]
            yield "arguments swapped", [node], _unparsed(node, args=swapped)
    if node.args:
        yield "argument dropped", [node], _unparsed(node, args=node.args[:-1])
    for keyword in node.keywords:
        rest = [other for other in node.keywords if other is not keyword]
        yield "argument dropped", [node], _unparsed(node, keywords=rest)
    if isinstance(node.func, ast.Attribute) and node.func.attr in KEPT:
        yield "call dropped", [node], ast.unparse(node.func.value)
    if len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], ast.Starred):
        yield "call dropped", [node], f"({ast.unparse(node.args[0])})"
    if isinstance(node.func, ast.Attribute) and not node.args and not node.keywords:
        yield "call dropped", [node], f"({ast.unparse(node.func.value)})"


def names(node: ast.AST, scope: Scope) -> Iterator[Slip]:
    """Another variable of the function, the sibling of a function or an attribute, another loader."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        for other in [*_siblings(node.id), *_loaders(node.id)]:
            yield "name", [node], other
        if node.id in scope.names:
            i = scope.names.index(node.id)
            near = sorted(scope.names, key=lambda name: abs(scope.names.index(name) - i))
            for other in [name for name in near if name != node.id][:3]:
                yield "name", [node], other
    elif isinstance(node, ast.Attribute):
        for other in [*_siblings(node.attr), *_loaders(node.attr)]:
            yield "name", [node], f"{ast.unparse(node.value)}.{other}"
        if node.attr == "T":
            yield "call dropped", [node], f"({ast.unparse(node.value)})"


def subscripts(node: ast.AST, scope: Scope) -> Iterator[Slip]:
    """A slice without its bounds."""
    if isinstance(node, ast.Slice) and (node.lower or node.upper or node.step):
        yield "slice", [node], ":"


def statements(node: ast.AST, scope: Scope) -> Iterator[Slip]:
    """A statement deleted, two neighbours in the wrong order, a `with` without effect, another loop or condition."""
    kept = ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Pass
    if isinstance(node, ast.stmt) and not isinstance(node, kept) and not _is_text(node):
        yield "statement deleted", [node], "pass"
    for field in ("body", "orelse"):
        block = getattr(node, field, None)
        if isinstance(block, list):
            for first, second in pairwise(block):
                if first.lineno == second.lineno or _is_text(first):
                    continue
                if isinstance(first, SIMPLE) and isinstance(second, SIMPLE):
                    gap = "\n" + " " * first.col_offset
                    yield "statements reordered", [first, second], gap.join(map(ast.unparse, (second, first)))
    match node:
        case ast.With(items=[item]) if isinstance(item.context_expr, ast.Call):
            yield "with dropped", [node], _unparsed(node, items=[_nothing()])
        case ast.If(test=test):
            for value in ("True", "False"):
                yield "condition", [test], value
        case ast.For(iter=looped):
            for once in ("[:1]", "[1:]", "[:-1]"):
                yield "loop", [looped], f"list({ast.unparse(looped)}){once}"
            last = node.body[-1]
            for statement in node.body:
                if isinstance(statement, SIMPLE) and statement is last and node.body[1:]:
                    outside = f"\n{' ' * node.col_offset}"
                    yield "after the loop", [node], _without_last(node) + outside + ast.unparse(last)


def definitions(node: ast.AST, scope: Scope) -> Iterator[Slip]:
    """A decorator that is missing, a default that is."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.decorator_list:
        yield "decorator dropped", [node], _unparsed(node, decorator_list=[])


SLIPS: tuple[Callable[[ast.AST, Scope], Iterator[Slip]], ...] = (
    statements,
    operators,
    constants,
    calls,
    names,
    subscripts,
    definitions,
)
SIMPLE = ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr


def _scoped(tree: ast.Module) -> Iterator[tuple[Scope, ast.AST]]:
    """Every node but annotations, with what is known there."""
    strings = tuple(
        dict.fromkeys(
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 20
        )
    )
    top = tuple(dict.fromkeys(_stored(tree)))

    def walk(node: ast.AST, scope: Scope) -> Iterator[tuple[Scope, ast.AST]]:
        yield scope, node
        inner = Scope(scope.names, (node, *scope.parents), strings)
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            parameters = [
                each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            ]
            inner = Scope(tuple(dict.fromkeys([*parameters, *_stored(node)])), inner.parents, strings)
        for child in ast.iter_child_nodes(node):
            if child is not getattr(node, "annotation", None) and child is not getattr(node, "returns", None):
                yield from walk(child, inner)

    yield from walk(tree, Scope(top, (), strings))


def _stored(tree: ast.AST) -> Iterator[str]:
    """Names that get a value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _nothing() -> ast.withitem:
    """For `with`: a context that does nothing, without an import."""
    expression = ast.parse("__import__('contextlib').nullcontext()", mode="eval").body
    return ast.withitem(expression, None)


def _without_last(node: ast.For) -> str:
    shorter = copy.copy(node)
    shorter.body = node.body[:-1]
    return _indented(ast.unparse(shorter), node.col_offset)


def _unparsed(node: ast.AST, **changed: object) -> str:
    """The source of a node with other fields."""
    other = copy.copy(node)
    for field, value in changed.items():
        setattr(other, field, value)
    text = ast.unparse(ast.fix_missing_locations(copy.deepcopy(other)))
    if isinstance(node, ast.stmt):
        return _indented(text, node.col_offset)
    return f"({text})" if isinstance(node, ast.BinOp | ast.Compare | ast.BoolOp) else text


def _indented(text: str, columns: int) -> str:
    return text.replace("\n", "\n" + " " * columns)


def _literal(number: float) -> str:
    return f"({number})" if number < 0 else repr(number)


def _siblings(name: str) -> Iterator[str]:
    for siblings in SIBLINGS:
        if name in siblings:
            yield from siblings - {name}


def _loaders(name: str) -> Iterator[str]:
    """The same name with another split of the data in it."""
    if match := LOADER.search(name):
        for split in ("train", "test", "val"):
            if split != match[1] and name != match[1]:
                yield f"{name[: match.start()]}{split}{name[match.end() :]}"


def _solution_lines(source: str) -> set[int]:
    lines = source.splitlines()
    if not any(line.strip() == BEGIN for line in lines):
        return set(range(1, len(lines) + 1))
    inside, found = False, set()
    for number, line in enumerate(lines, 1):
        inside = line.strip() == BEGIN or (inside and line.strip() != END)
        if inside:
            found.add(number)
    return found


def _meaning(source: str) -> str | None:
    """The code of a source, without layout and comments; None if it is no Python."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return None


class _Text:
    """A source whose nodes are replaced by their places in it. Columns of `ast` count UTF-8 bytes."""

    def __init__(self, source: str) -> None:
        self.source = source.encode()
        self.starts = [0]
        for line in self.source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def _span(self, place: Place) -> tuple[int, int]:
        first, last = place[0], place[-1]
        assert last.end_lineno is not None
        assert last.end_col_offset is not None
        # a decorator stands above, after an @ in the column of its function
        above = [first.lineno, *(each.lineno for each in getattr(first, "decorator_list", []))]
        return self.starts[min(above) - 1] + first.col_offset, self.starts[
            last.end_lineno - 1
        ] + last.end_col_offset

    def replaced(self, place: Place, after: str) -> str:
        begin, end = self._span(place)
        return (self.source[:begin] + after.encode() + self.source[end:]).decode()
