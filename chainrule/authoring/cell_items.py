"""The item in the text of a code cell, its checks, and statements that check nothing. Nothing is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from chainrule.lesson.results import counted

COLLECTS = re.compile(
    r"\b(?:i?pytest|unittest|nose|doctest|globals|locals|inspect|eval|exec)\b"
)  # calls tests by name
YES_OR_NO = {"allclose", "array_equal", "hasattr", "isclose", "isinstance", "issubclass"}


def item_calls(tree: ast.Module) -> list[ast.Call]:
    """The calls that make an `Item`."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Item"
    ]


def item_names(tree: ast.Module) -> set[str]:
    """The names that hold an `Item`."""
    calls = item_calls(tree)
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and node.value in calls
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def asked_of_student(tree: ast.Module) -> set[str]:
    """The names of a student's notebook that an item's checks read: `student.square`."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "student"
    }


def top_level_checks(tree: ast.Module) -> list[ast.Call]:
    """The decorators `@item.check(…)`; none if one is in a loop or a function, or the item is handed on."""
    names = item_names(tree)
    calls = [node for node in ast.walk(tree) if is_method(node, names, "check")]
    direct = [
        decorator
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if is_method(decorator, names, "check")
    ]
    handed_on = any(
        isinstance(value, ast.Name) and value.id in names
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for value in [*node.args, *(keyword.value for keyword in node.keywords)]
    )
    return (
        []
        if handed_on or len(direct) != len(calls)
        else [call for call in direct if isinstance(call, ast.Call)]
    )


def is_method(node: ast.AST, names: set[str], method: str) -> bool:
    """Whether a node calls this method of one of these names."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in names
        and node.func.attr == method
    )


def argument(call: ast.Call, index: int, name: str) -> str | float | None:
    """A literal argument of a call; None if there is none, or another expression."""
    values = [keyword.value for keyword in call.keywords if keyword.arg == name]
    values += call.args[index : index + 1]
    if not values:
        return None
    try:
        value = ast.literal_eval(values[0])
    except (ValueError, SyntaxError, TypeError):
        return None
    return value if isinstance(value, str | int | float) else None


def counted_value(value: str | float) -> str:
    return counted(f"{value:g}" if isinstance(value, int | float) else value)


def ends_with_score(tree: ast.Module) -> bool:
    """Whether the cell's value is that of `item.score()`."""
    last = tree.body[-1] if tree.body else None
    return isinstance(last, ast.Expr) and any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "score"
        for node in ast.walk(last)
    )


def idle_statements(tree: ast.Module) -> Iterator[str]:
    """Statements that are meant as a check and pass whatever students write."""
    last = tree.body[-1] if tree.body else None
    for value in filter(is_truth, returned(tree)):
        yield (
            f"line {value.lineno} returns whether the answer is right, and nobody reads that: write assert in place of "
            "return, or expect(…).equals(…)"
        )
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield from idle_assert(node)
        if not isinstance(node, ast.Expr) or node is last:
            continue
        value = node.value
        if is_truth(value):
            yield (
                f"line {value.lineno} compares and says nothing of the answer: write assert before it, or "
                "expect(…).equals(…)"
            )
        elif is_expect(value):
            yield f"line {value.lineno}: expect(…) asks for nothing: add what is expected, such as .equals(…)"
        elif isinstance(value, ast.Attribute) and is_expect(value.value):
            yield f"line {value.lineno}: expect(…).{value.attr} is not called: write ( ) after it"


def idle_assert(node: ast.Assert) -> Iterator[str]:
    """What is wrong with an assert that passes whatever students write."""
    if isinstance(node.test, ast.Tuple) and node.test.elts:
        yield f"line {node.lineno}: assert with ( , ) is always true: take the outer brackets away"
    elif always := always_true(node.test):
        yield f"line {node.lineno}: {always}"
    elif isinstance(node.test, ast.Constant) and node.test.value:
        yield f"line {node.lineno}: assert of {ast.unparse(node.test)} is always true: write what is asked for"
    elif isinstance(node.msg, ast.Constant) and not isinstance(node.msg.value, str):
        yield (
            f"line {node.lineno}: what stands after the comma of assert is its message, and is not compared: write == "
            "in place of the comma"
        )


def always_true(test: ast.expr) -> str:
    """Why a condition holds, whatever students write, and what to do; "" if it need not hold.

    >>> always_true(ast.parse("f(2) == 4 or 5", mode="eval").body)
    '`5` is true by itself: write `f(2) in (4, 5)`'
    """
    if isinstance(test, ast.Attribute) and test.attr in {*YES_OR_NO, "all", "any", "equal"}:
        return f"{ast.unparse(test)} is not called: write ( ) after it"
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        first, *others = test.values
        for other in others:
            if isinstance(other, ast.Constant) and other.value and not isinstance(other.value, bool):
                compared = isinstance(first, ast.Compare) and len(first.ops) == 1
                both = (
                    f"`{ast.unparse(first.left)} in ({ast.unparse(first.comparators[0])}, {ast.unparse(other)})`"
                    if compared and isinstance(first, ast.Compare)
                    else "a comparison there"
                )
                return f"`{ast.unparse(other)}` is true by itself: write {both}"
    if isinstance(test, ast.Call) and test.args and isinstance(test.args[0], ast.Compare):
        named = test.func.attr if isinstance(test.func, ast.Attribute) else getattr(test.func, "id", "")
        inner = test.args[0]
        if named in ("abs", "absolute", "fabs", "norm") and isinstance(inner.ops[0], ast.Lt | ast.LtE):
            return (
                f"{named}( ) holds the comparison, and everything below the bound passes: close it before "
                f"{OPERATORS[type(inner.ops[0])]}"
            )
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        sides = [test.left, test.comparators[0]]
        if all(is_reduced(side) for side in sides):
            return "it compares only whether all or any numbers of both sides are other than 0: write (… == …).all()"
    return ""


OPERATORS: dict[type, str] = {ast.Lt: "<", ast.LtE: "<="}


def is_reduced(node: ast.expr) -> bool:
    """Whether a node is `x.all()` or `x.any()`, where x is no comparison."""
    return (
        isinstance(node, ast.Call)
        and not node.args
        and not node.keywords
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("all", "any")
        and not isinstance(node.func.value, ast.Compare | ast.BinOp | ast.UnaryOp)
    )


def swallowed_asserts(tree: ast.Module) -> Iterator[str]:
    """Asserts whose failure is caught and told to nobody who grades."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Try) or node.orelse or not ends_with_asserts(node.body):
            continue
        for handler in node.handlers:
            caught = (
                {each.id for each in ast.walk(handler.type) if isinstance(each, ast.Name)}
                if handler.type
                else set()
            )
            if handler.type and not caught & {"AssertionError", "Exception", "BaseException"}:
                continue
            said = [each.value for each in handler.body if isinstance(each, ast.Expr)]
            if all(isinstance(each, ast.Pass) for each in handler.body) or (
                len(said) == len(handler.body) and all(map(only_says, said))
            ):
                yield (
                    f"line {node.body[-1].lineno}: its assert is caught in line {handler.lineno}, so that every answer "
                    "passes: take the try away, or write raise below it"
                )


def ends_with_asserts(body: list[ast.stmt]) -> bool:
    """Whether a block ends with an assert, and counts no points for others."""
    return isinstance(body[-1], ast.Assert) and not any(isinstance(each, ast.AugAssign) for each in body)


def only_says(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    )


def uncalled_tests(tree: ast.Module, elsewhere: str) -> Iterator[str]:
    """Functions with asserts that nobody calls.

    Args:
        elsewhere: the code of the whole notebook.
    """
    if COLLECTS.search(elsewhere):
        return
    for node in tree.body:
        if (
            isinstance(node, ast.FunctionDef)
            and not node.decorator_list
            and any(isinstance(each, ast.Assert) for each in ast.walk(node))
            and len(re.findall(rf"\b{node.name}\b", elsewhere)) == 1
        ):
            yield (
                f"line {node.lineno}: nothing calls {node.name}, so that its asserts ask nobody: write "
                f"{node.name}() below it"
            )


def is_truth(node: ast.AST | None) -> bool:
    """Whether a value is a comparison, or a call that only says yes or no, such as `torch.allclose`."""
    if isinstance(node, ast.BoolOp):
        return all(map(is_truth, node.values))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.Call):
        named = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return named in YES_OR_NO
    return isinstance(node, ast.Compare)


def returned(tree: ast.Module) -> Iterator[ast.expr]:
    """What the checks of an item return, without the functions in them."""
    for check in checks_of(tree):
        inner = {node for each in ast.walk(check) if is_inner(each, check) for node in ast.walk(each)}
        yield from (
            node.value
            for node in ast.walk(check)
            if isinstance(node, ast.Return) and node.value and node not in inner
        )


def checks_of(tree: ast.Module) -> list[ast.FunctionDef]:
    """The functions at the top that are checks of an item."""
    names = item_names(tree)
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(
            is_method(each, names, method)
            for each in node.decorator_list
            for method in ("check", "visible_check")
        )
    ]


def is_inner(node: ast.AST, outer: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node is not outer


def is_expect(node: ast.AST) -> bool:
    """Whether a node calls `expect` by its name."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "expect"


def misspelt_methods(tree: ast.Module, names: set[str]) -> Iterator[str]:
    """Methods of items and of what `expect` returns that there are not."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        if isinstance(node.value, ast.Name) and node.value.id in names:
            of, known = node.value.id, methods("checks", "Item")
        elif is_expect(node.value):
            of, known = "expect(…)", methods("checks", "Expectation")
        else:
            continue
        if node.attr not in known:
            meant = get_close_matches(node.attr, known, 1)
            yield (
                f"line {node.lineno}: {of} has no `{node.attr}`: write "
                f"{f'`{meant[0]}`' if meant else 'one of ' + ', '.join(sorted(known))}"
            )


@cache
def methods(module: str, name: str) -> frozenset[str]:
    """The public methods and attributes of a class of `chainrule.lesson`, read without importing torch."""
    spec = find_spec(f"chainrule.lesson.{module}")
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    own = {node.name for node in found.body if isinstance(node, ast.FunctionDef)}
    fields = (node.target for node in found.body if isinstance(node, ast.AnnAssign))
    own |= {target.id for target in fields if isinstance(target, ast.Name)}
    stored = {
        node.attr
        for node in ast.walk(found)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    return frozenset(each for each in own | stored if not each.startswith("_"))
