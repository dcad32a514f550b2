"""What the text of a code cell imports, defines and needs. Nothing is run."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.util import find_spec

from chainrule.modules import OURS, CourseModules, imports_in

SHIPS = ("lesson", "datasets", "handin", "errors")  # parts of our package that students get
MODULE_FILE = re.compile(r"(?:^|[\s/])(\w+)/(\w+)")  # such as judging/hw1
IN_JUPYTER = {"get_ipython", "display", "In", "Out"}  # names that need no definition


@lru_cache(maxsize=1_000)
def plain(source: str) -> str:
    """A cell's source as Python: magics as the calls that IPython makes of them."""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        from IPython.core.inputtransformer2 import TransformerManager  # most cells have no magic

        return TransformerManager().transform_cell(source)
    return source


def instructors_imports(source: str, judging: str, between: str) -> Iterator[str]:
    """What students get imports, and do not get.

    Args:
        between: where such an import may be.
    """
    for name in sorted({*imports_in(plain(source), "", judging), *spelt(plain(source))}):
        top, *rest = name.split(".")
        if top in {judging, "judging"} - {""} or (top == OURS and rest and not ships(rest)):
            known = judging if top in {judging, "judging"} else f"{top}.{rest[0]}"
            yield f"students get it, and it imports {known}, which no student has: move the import {between}"
            return


def spelt(source: str) -> Iterator[str]:
    """Dotted names of modules in the text that some code hands to a call, as `exec` and magics do, and those that it
    reaches through our package."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == OURS:
            yield f"{OURS}.{node.attr}"
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for text in (each.value for each in node.args if isinstance(each, ast.Constant)):
            if not isinstance(text, str):
                continue
            if called in ("__import__", "import_module"):
                yield text
            elif called in ("exec", "eval", "run_cell_magic"):
                yield from imports_in(text, "", "")
            yield from (f"{folder}.{name}" for folder, name in MODULE_FILE.findall(text))


def ships(rest: list[str]) -> bool:
    """Whether a module or name of our package, by its parts after `chainrule`, is in what students get."""
    return rest[0] in SHIPS or rest[0].startswith("_")


def missing_packages(tree: ast.Module, modules: CourseModules) -> Iterator[str]:
    """Top-level imports of what is neither installed nor beside the notebook nor in the judging package."""
    for node in unguarded(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        else:
            continue
        for name in names:
            top = name.partition(".")[0]
            if modules.owns(top):
                if modules.locate(name) is None:
                    yield f"line {node.lineno} imports {name}, and there is no such module: correct the name, or add it"
            elif not installed(top):
                yield (
                    f"line {node.lineno} imports {top}, which is not installed here: install it where notebooks are "
                    "graded, or take the import out"
                )


@cache
def installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def unguarded(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are not in a `try`, where a missing package may be foreseen."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.Try):
            yield node
            yield from unguarded(node)


def free_names(source: str) -> set[str]:
    """Names that a cell uses and neither defines nor imports anywhere at its top level; builtins excluded.

    Of a cell that imports everything from a module, none is known."""

    def scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
        yield table
        for child in table.get_children():
            yield from scopes(child)

    if imports_all(source):
        return set()
    top = symtable.symtable(source, "<cell>", "exec")
    defined = top_names(source)
    used = {
        s.get_name()
        for scope in scopes(top)
        for s in scope.get_symbols()
        if s.is_referenced() and (scope is top or s.is_global())
    }
    return used - defined - set(dir(builtins)) - IN_JUPYTER


def top_names(source: str) -> set[str]:
    """Names that a cell defines or imports at its top level."""
    symbols = symtable.symtable(source, "<cell>", "exec").get_symbols()
    return {s.get_name() for s in symbols if s.is_assigned() or s.is_imported() or s.is_namespace()}


def imports_all(source: str) -> bool:
    """Whether a cell imports everything from a module."""
    return "import" in source and any(
        isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.parse(source).body
    )


def parses(source: str) -> bool:
    """Whether a cell is Python, magics included."""
    try:
        ast.parse(plain(source))
    except (SyntaxError, ValueError):
        return False
    return True
