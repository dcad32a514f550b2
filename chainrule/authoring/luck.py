"""Checks of a matter of luck: what comes of random numbers without a seed is compared with a bound.

A comparison with what is computed from the same numbers, or with what holds for all (0, 1, an exact value), has no luck
in it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping

DRAWS = {  # functions that draw from a state of the whole program, by module
    "torch": "rand randn randint randperm normal bernoulli multinomial rand_like randn_like randint_like",
    "numpy.random": (
        "rand randn randint random random_sample normal uniform choice permutation standard_normal binomial poisson "
        "exponential shuffle"
    ),
    "random": "random randint randrange uniform gauss choice choices sample shuffle normalvariate",
    "tensorflow.random": "normal uniform truncated_normal shuffle",
}
WITHOUT_ARGUMENT = {"numpy.random": "default_rng RandomState", "random": "Random SystemRandom"}
IN_PLACE = {"normal_", "uniform_", "random_", "bernoulli_"}  # methods of tensors
ONLY_FORM = {"shape", "dtype", "ndim", "size", "dim", "device", "len", "isinstance", "type", "has_shape"}
NAMES = {
    f"{module}.{name}": module
    for module, names in [*DRAWS.items(), *WITHOUT_ARGUMENT.items()]
    for name in names.split()
}
SEEDED = re.compile(r"(?i)seed|generator\s*=")
TOLERANCES = {"atol", "rtol", "abs", "rel", "delta", "abs_tol", "rel_tol"}
EXACT, WIDE = 1e-3, 1e-2  # a bound up to the first is a tolerance; one from the second on is for a statistic
HOW = {
    "torch": "torch.manual_seed(0)",
    "numpy.random": "np.random.seed(0)",
    "random": "random.seed(0)",
    "tensorflow.random": "tf.random.set_seed(0)",
}


def lucky(tree: ast.Module, known: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with code that compares what comes of random numbers without a seed with a bound, once.

    Args:
        known: what names stand for that are imported elsewhere.
    """
    stands_for = {**known, **imported_names(tree)}
    scopes: list[ast.Module | ast.FunctionDef] = [tree]
    scopes += [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for scope in scopes:
        for line, remedy in asked_by_luck(scope, stands_for):
            yield (
                f"line {line} draws random numbers without a seed, so that points are a matter of luck: "
                f"write {remedy}"
            )
            return


def has_seed(source: str) -> bool:
    """Whether some code speaks of a seed or a generator of its own."""
    return bool(SEEDED.search(source))


def imported_names(tree: ast.AST) -> dict[str, str]:
    """What each name that some code imports stands for.

    >>> imported_names(ast.parse("import numpy as np, torch.nn; from numpy import random"))
    {'np': 'numpy', 'torch': 'torch', 'random': 'numpy.random'}
    """
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                top = each.name.partition(".")[0]
                found[each.asname or top] = each.name if each.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return found


def asked_by_luck(
    scope: ast.Module | ast.FunctionDef, stands_for: Mapping[str, str]
) -> Iterator[tuple[int, str]]:
    """The line of each draw in a function, or at the top, that what is asked there depends on, and its remedy."""
    drawn: dict[str, tuple[int, str]] = {}

    def source_of(node: ast.AST) -> tuple[int, str] | None:
        for each in parts_that_matter(node):
            if isinstance(each, ast.Name) and each.id in drawn:
                return drawn[each.id]
            if isinstance(each, ast.Call) and (remedy := draws(each, stands_for)):
                return each.lineno, remedy
        return None

    for node in statements(scope):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and (source := source_of(node.value)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            drawn |= {
                each.id: source
                for target in targets
                for each in ast.walk(target)
                if isinstance(each, ast.Name)
            }
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            module = draws(node.value, stands_for)
            if module:  # such as random.shuffle(x)
                drawn |= {
                    each.id: (node.lineno, module) for each in node.value.args if isinstance(each, ast.Name)
                }
            elif source := at_a_bound(node.value, source_of):
                yield source
        elif isinstance(node, ast.For) and (source := source_of(node.iter)):
            drawn |= {each.id: source for each in ast.walk(node.target) if isinstance(each, ast.Name)}
        elif (isinstance(node, ast.Assert) or raises(node)) and (
            source := at_a_bound(node.test, source_of)  # type: ignore[attr-defined]
        ):
            yield source


Drawn = tuple[int, str]  # the line, and what to write


def at_a_bound(node: ast.expr, source_of: Callable[[ast.AST], Drawn | None]) -> Drawn | None:
    """The draw that decides a comparison with a bound such as 0.9, or one with a tolerance that wide."""
    for each in ast.walk(node):
        if isinstance(each, ast.Compare) and len(each.ops) == 1:
            sides = [each.left, each.comparators[0]]
            drawn = [side for side in sides if source_of(side)]
            bound = next((number(side) for side in sides if side not in drawn), None)
            orders = isinstance(each.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE)
            if orders and len(drawn) == 1 and is_bound(bound) and not is_related(drawn[0], source_of):
                return source_of(drawn[0])
        elif isinstance(each, ast.Call):
            wide = [k for k in each.keywords if k.arg in TOLERANCES and (number(k.value) or 0) >= WIDE]
            at_least = isinstance(each.func, ast.Attribute) and each.func.attr == "at_least"
            asked = [*each.args, *([each.func.value] if isinstance(each.func, ast.Attribute) else [])]
            drawn = [part for part in asked if source_of(part)]
            if (wide or at_least) and len(drawn) == 1 and not is_related(drawn[0], source_of):
                return source_of(drawn[0])
    return None


def is_related(node: ast.expr, source_of: Callable[[ast.AST], Drawn | None]) -> bool:
    """Whether a value is of two things that both come of random numbers, such as an answer and what it should be."""
    for each in ast.walk(node):
        pair: list[ast.expr] = []
        if isinstance(each, ast.BinOp):
            pair = [each.left, each.right]
        elif isinstance(each, ast.Call):
            pair = each.args
        if sum(source_of(part) is not None for part in pair) > 1:
            return True
    return False


def is_bound(value: float | None) -> bool:
    """Whether a number is a bound of a statistic: not one that holds for all, and no tolerance."""
    return value is not None and abs(value) > EXACT and abs(value) != 1


def number(node: ast.expr) -> float | None:
    try:
        value = ast.literal_eval(node)
    except (ValueError, SyntaxError, TypeError):
        return None
    return value if isinstance(value, int | float) else None


def statements(scope: ast.AST) -> Iterator[ast.stmt]:
    """The statements of a function or of the top, in their order, without those of the functions in it."""
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.expr):
            yield from statements(node)


def parts_that_matter(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what is in it, without what only the form of a value is taken of."""
    taken = node.func if isinstance(node, ast.Call) else node
    name = taken.attr if isinstance(taken, ast.Attribute) else getattr(taken, "id", "")
    if name in ONLY_FORM:
        return
    yield node
    for each in ast.iter_child_nodes(node):
        yield from parts_that_matter(each)


def draws(call: ast.Call, stands_for: Mapping[str, str]) -> str:
    """What to write if a call draws from a state of the whole program; "" if it does not."""
    if any(keyword.arg in ("generator", "seed") for keyword in call.keywords):
        return ""
    if isinstance(call.func, ast.Attribute) and call.func.attr in IN_PLACE:
        return above("torch")
    name = dotted(call.func)
    top, _, rest = name.partition(".")
    full = ".".join(filter(None, [stands_for.get(top, ""), rest]))
    if top not in stands_for or full not in NAMES:
        return ""
    if full.rpartition(".")[2] in WITHOUT_ARGUMENT.get(NAMES[full], "").split():
        return "" if call.args or call.keywords else f"{name}(0) there"
    return above(NAMES[full])


def above(module: str) -> str:
    return f"{HOW[module]} above it"


def raises(node: ast.stmt) -> bool:
    """Whether a statement raises an error if something is so."""
    return isinstance(node, ast.If) and any(isinstance(each, ast.Raise) for each in node.body)


def dotted(node: ast.AST) -> str:
    """A name with its attributes, such as "np.random.rand"; "" for anything else."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""
