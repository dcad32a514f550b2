"""Calls of a student's function in a check whose value nobody reads, so that any answer that runs passes.

A call may be there for what it does. So it counts only if the model solution does nothing but return a value, and if
nothing after the call could see what a student's function did to its arguments.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from chainrule.authoring.cell_items import checks_of, item_calls

BUILTINS = set(dir(builtins))
JUDGES = (ast.Assert, ast.Raise, ast.Try, ast.With, ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.Delete)
AUTOTEST = "AUTOTEST"  # nbgrader writes the asserts of such a cell when it releases it


class Called(NamedTuple):
    """A statement that calls a function of the student's, by the name that the check calls it by."""

    node: ast.Call
    function: str
    is_last: bool


def thrown_away(source: str, tree: ast.Module, solved: Mapping[str, ast.FunctionDef]) -> Iterator[str]:
    """What is wrong with a cell with points that calls functions of students.

    Args:
        source: the cell's.
        solved: the model solution of each function.
    """
    if AUTOTEST in source:
        return
    if item_calls(tree):
        for check in checks_of(tree):
            unread = set(names_stored(check)) - {each.id for each in loaded(check)}
            for call in calls_for_nothing(check.body, solved, in_item=True, unread=unread):
                yield (
                    f"line {call.node.lineno} calls {call.function} and reads nothing of what it returns: write "
                    f"expect({ast.unparse(call.node)}).equals(…)"
                )
        return
    said = False
    for call in calls_for_nothing(tree.body, solved, in_item=False, unread=set()):
        said = True
        if call.is_last and not source.rstrip().endswith(";"):
            yield (
                f"line {call.node.lineno} shows what {call.function} returns, and nbgrader takes a number there for "
                f"the score: write assert {ast.unparse(call.node)} == …"
            )
        else:
            yield (
                f"line {call.node.lineno} calls {call.function} and reads nothing of what it returns: write assert "
                f"{ast.unparse(call.node)} == …"
            )
    if not said and (name := only_shows(tree, solved)):
        yield f"it has points and asks nothing of what {name} returns: write assert {name}(…) == …"


def calls_for_nothing(
    body: list[ast.stmt], solved: Mapping[str, ast.FunctionDef], *, in_item: bool, unread: set[str]
) -> Iterator[Called]:
    for node, is_last in plain_statements(body):
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(node, ast.Assign) and all(
            isinstance(t, ast.Name) and t.id in unread for t in node.targets
        ):
            value = node.value
        if not isinstance(value, ast.Call):
            continue
        function = called(value, in_item)
        if function not in solved or not only_returns(solved[function]):
            continue
        if is_last or all(map(is_new, [*value.args, *(each.value for each in value.keywords)])):
            yield Called(value, ast.unparse(value.func), is_last)


def plain_statements(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, bool]]:
    """The statements of a block and of its loops and conditions, and whether each is the last.

    None of a `try` or a `with`, which may be about an error or about what is printed.
    """
    for number, node in enumerate(body, start=1):
        if isinstance(node, ast.For | ast.While | ast.If):
            yield from ((each, False) for each, _ in plain_statements([*node.body, *node.orelse]))
        else:
            yield node, number == len(body)


def called(call: ast.Call, in_item: bool) -> str:
    """The name of the student's function that a call may be of: `student.f(2)` in the check of an Item, else `f(2)`."""
    if not in_item:
        return call.func.id if isinstance(call.func, ast.Name) else ""
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        return call.func.attr if call.func.value.id == "student" else ""
    return ""


def only_returns(function: ast.FunctionDef) -> bool:
    """Whether a function returns a value and, as far as its text shows, does nothing else."""
    inside = list(ast.walk(function))
    returns = [node for node in inside if isinstance(node, ast.Return)]
    own = set(names_stored(function))
    changed = [
        root_of(node)
        for node in inside
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del)
    ]
    return (
        bool(returns)
        and all(node.value is not None for node in returns)
        and not any(
            isinstance(node, ast.Global | ast.Nonlocal | ast.Yield | ast.YieldFrom) for node in inside
        )
        and not any(isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) for node in inside)
        and set(changed) <= own
    )


def only_shows(tree: ast.Module, solved: Mapping[str, ast.FunctionDef]) -> str:
    """The function of a student that a cell calls if it does nothing but call, print and keep; "" otherwise."""
    inside = list(ast.walk(tree))
    calls = [node for node in inside if isinstance(node, ast.Call)]
    names = [node.func.id if isinstance(node.func, ast.Name) else "" for node in calls]
    of_students = [name for name in names if name in solved and only_returns(solved[name])]
    last = tree.body[-1] if tree.body else None
    scores = isinstance(last, ast.Expr) and not (
        isinstance(last.value, ast.Call) and called(last.value, False) == "print"
    )
    if scores or any(isinstance(node, JUDGES) for node in inside) or not set(names) <= {*BUILTINS, *solved}:
        return ""
    return of_students[0] if of_students and "print" in names else ""


def functions_of(sources: Iterable[ast.Module]) -> dict[str, ast.FunctionDef]:
    """The functions that some code defines at its top, without those that are defined twice."""
    found: dict[str, list[ast.FunctionDef]] = {}
    for tree in sources:
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, []).append(node)
    return {name: nodes[0] for name, nodes in found.items() if len(nodes) == 1}


def loaded(node: ast.AST) -> list[ast.Name]:
    """The names that are read in some code."""
    return [each for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)]


def is_new(value: ast.expr) -> bool:
    """Whether nobody else holds a value: a number, or what a call such as `np.ones(3)` makes of numbers."""
    makers = {root_of(call.func) for call in ast.walk(value) if isinstance(call, ast.Call)}
    return {each.id for each in loaded(value)} <= makers


def names_stored(node: ast.AST) -> Iterator[str]:
    return (
        each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    )


def root_of(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
