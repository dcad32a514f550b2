"""Finds an author's slips by reading: what nbgrader would release without a word, and students would pay for.

`chainrule.release.source` finds what nbgrader's own steps refuse. Nothing is run here; see `chainrule.authoring.proof`
for what only a run shows.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections.abc import Iterator, Mapping
from copy import deepcopy
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, ClearSolutions
from traitlets.config import Configurable

from chainrule.authoring.new import PLACEHOLDERS
from chainrule.authoring.stated_points import heading_misfits, row_misfits, sections
from chainrule.course import CourseError, CourseFolder
from chainrule.intake.notebook import read_source
from chainrule.lesson.results import counted
from chainrule.marking.rubric import Delimiters, read_scheme, scheme_cell
from chainrule.modules import OURS, CourseModules, imports_in
from chainrule.release.facts import fill_known, item_points
from chainrule.release.points_table import misfit, stated_rows
from chainrule.release.source import place, problems

SHIPS = ("lesson", "datasets", "handin", "errors")  # parts of our package that students get
MODULE_FILE = re.compile(r"(?:^|[\s/])(\w+)/(\w+)")  # such as judging/hw1
IN_JUPYTER = {"get_ipython", "display", "In", "Out"}  # names that need no definition
ALIKE = "only in capital letters, which files on Windows and macOS and some tables do not tell apart"
BETWEEN = "between ### BEGIN HIDDEN TESTS and ### END HIDDEN TESTS"


def slips(folder: CourseFolder, assignment: str) -> list[str]:
    """A sentence about each thing that is wrong with an assignment: notebook, cell, and what to do."""
    parent = Configurable(config=folder.config)
    modules = folder.modules(assignment)
    found: list[str] = []
    sound: dict[str, NotebookNode] = {}
    for path in folder.notebooks(assignment):
        try:
            nb = read_source(path)
        except CourseError as error:
            found.append(str(error))
            continue
        unsound = list(problems(nb, path.name, parent))
        found += unsound
        if not unsound:
            fill_known(folder.course, assignment, nb)  # as a release says it
            sound[path.name] = nb
    total = sum(points for nb in sound.values() for _, points in item_points(nb))
    for name, nb in sound.items():
        found += notebook_slips(nb, name, modules, parent)
        found += points_slips(nb, name, total, parent)
    source = folder.folder("source", ".", assignment)
    return [*found, *names_alike(sound), *files_alike(source), *shipped_slips(source, modules)]


def notebook_slips(
    nb: NotebookNode, name: str, modules: CourseModules, parent: Configurable
) -> Iterator[str]:
    """What is wrong with a notebook that nbgrader accepts."""
    for number, cell in enumerate(nb.cells, start=1):
        if cell.cell_type == "code":
            where = place(name, number, cell)
            yield from (f"{where}: {slip}" for slip in code_slips(cell, modules, parent))
        elif cell.cell_type == "raw" and any(
            is_kind(cell) for is_kind in (utils.is_grade, utils.is_solution, utils.is_locked, utils.is_task)
        ):
            yield (
                f"{place(name, number, cell)}: it is a raw cell, which is neither run nor shown for marking: make it "
                "Code or Markdown"
            )
        elif utils.is_grade(cell):
            yield from (f"{place(name, number, cell)}: {slip}" for slip in scheme_slips(nb, cell, parent))
        if left := [phrase for phrase in PLACEHOLDERS if phrase in cell.source]:
            more = f" and {len(left) - 1} more" if len(left) > 1 else ""
            yield (
                f"{place(name, number, cell)}: it still says {left[0]!r}{more}, as `chainrule new` left it: write your "
                "own text there, or delete it"
            )


def points_slips(nb: NotebookNode, name: str, total: float, parent: Configurable) -> Iterator[str]:
    """Points that a notebook's texts state and its items do not have.

    Args:
        total: of the assignment.
    """
    if slip := misfit(nb):
        yield f"{name}: {slip}"
    texts = [as_students_get_it(cell, parent) if cell.cell_type == "markdown" else "" for cell in nb.cells]
    own = [dict(item_points(NotebookNode(nb, cells=[cell]))) for cell in nb.cells]
    items = dict(item_points(nb))
    found = sections(texts, own)
    wrong = list(heading_misfits(found, (sum(items.values()), total)))
    tables = ((number, table) for number, text in enumerate(texts) if (table := stated_rows(text)))
    for number, (rows, worth) in islice(tables, 1):
        wrong += [(number, slip) for slip in row_misfits(rows, worth, found, items)]
    yield from (f"{place(name, number + 1, nb.cells[number])}: {slip}" for number, slip in wrong)


def names_alike(notebooks: Mapping[str, NotebookNode]) -> Iterator[str]:
    """Cells whose grade_ids differ only in capital letters."""
    known: dict[str, tuple[str, str]] = {}
    for name, nb in notebooks.items():
        for number, cell in enumerate(nb.cells, start=1):
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            notebook, other = known.setdefault(grade_id.casefold(), (name, grade_id))
            if other != grade_id:
                yield (
                    f"{place(name, number, cell)}: its grade_id differs from {other} of {notebook} {ALIKE}: give one "
                    "of them another name"
                )


def files_alike(source: Path) -> Iterator[str]:
    """Files of an assignment whose names differ only in capital letters."""
    known: dict[str, str] = {}
    for path in sorted(path.relative_to(source).as_posix() for path in source.rglob("*")):
        if (other := known.setdefault(path.casefold(), path)) != path:
            yield f"{path}: its name differs from {other} {ALIKE}: rename one of them"


def code_slips(cell: NotebookNode, modules: CourseModules, parent: Configurable) -> Iterator[str]:
    """What is wrong with a code cell."""
    try:
        tree = ast.parse(plain(cell.source))
    except SyntaxError as error:
        yield f"it is not Python ({error.msg}, line {error.lineno}): correct that line"
        return
    yield from missing_packages(tree, modules)
    if utils.is_grade(cell) and not utils.is_solution(cell):
        yield from idle_statements(tree)
    shown = as_students_get_it(cell, parent)
    yield from instructors_imports(shown, modules.judging)
    items = item_calls(tree)
    if not utils.is_grade(cell) or utils.is_solution(cell):
        return
    if items:
        yield from item_slips(cell, tree, items)
        yield from score_slips(cell, shown, item_names(tree))
    if "chainrule.lesson" in cell.source or items:
        free = free_names(plain(cell.source))
        for free_name in sorted(free):
            yield (
                f"`{free_name}` is defined nowhere in the cell: write `student.{free_name}` if it is the student's, "
                "or import it"
            )
        for free_name in sorted(free_names(plain(shown)) - free):
            yield (
                f"students get a cell that needs `{free_name}`, and its definition is cut out for them: move it above "
                "### BEGIN HIDDEN TESTS, or its use below"
            )


def item_slips(cell: NotebookNode, tree: ast.Module, items: list[ast.Call]) -> Iterator[str]:
    """What is wrong with a cell that makes an `Item`, as far as its text shows."""
    marks = cell.metadata.nbgrader
    if len(items) > 1:
        yield "it makes more than one Item: give each a cell of its own, because a cell has one score"
        return
    said = {key: argument(items[0], index, key) for index, key in enumerate(("grade_id", "points"))}
    texts = [
        call for call in (items[0], *top_level_checks(tree)) if isinstance(argument(call, 1, "points"), str)
    ]
    for call in texts:
        yield (
            f"line {call.lineno}: its points are the text {argument(call, 1, 'points')!r}: write a number without "
            "quotes, such as points=2"
        )
    if texts:
        return
    if said["grade_id"] not in (None, marks.grade_id):
        yield (
            f"its Item is called {said['grade_id']!r} and the cell {marks.grade_id!r}: write "
            f"Item({marks.grade_id!r}, …)"
        )
    if said["points"] is not None and said["points"] != marks.points:
        yield (
            f"its Item has {counted_value(said['points'])} and the cell's metadata {marks.points:g}: change one of "
            "them, the metadata in nbgrader's Create Assignment panel"
        )
    shares = [argument(call, 1, "points") for call in top_level_checks(tree)]
    worth = said["points"] if said["points"] is not None else marks.points
    if shares and None not in shares and abs(sum(map(float, shares)) - float(worth)) > 1e-9:  # type: ignore[arg-type]
        yield (
            f"its checks share {counted(f'{sum(map(float, shares)):g}')}, and the item has {worth:g}: change "  # type: ignore[arg-type]
            "the shares of its checks"
        )
    names = item_names(tree)
    yield from misspelt_methods(tree, names)


def score_slips(cell: NotebookNode, shown: str, names: set[str]) -> Iterator[str]:
    """Whether the cell's value is its score, for the graders and, as `shown`, for students."""
    last = f"{min(names, default='item')}.score()"
    if not ends_with_score(ast.parse(plain(cell.source))):
        yield f"it does not end with `{last}`, so that it has no score: add this as its last line"
    elif cell.source.rstrip().endswith(";"):
        yield f"it ends with a semicolon, which hides its score from nbgrader: end it with `{last}`"
    elif not ends_with_score(ast.parse(plain(shown))):
        yield f"students get a cell without `{last}`: move it below ### END HIDDEN TESTS"


def scheme_slips(nb: NotebookNode, cell: NotebookNode, parent: Configurable) -> Iterator[str]:
    """Whether the mark scheme of a written answer has other points than the answer."""
    delimiters = Delimiters(parent.config)
    holds = scheme_cell(nb.cells, cell.metadata.nbgrader.grade_id, delimiters.begin)
    if holds is None:
        return
    rows = [row.points for row in read_scheme(holds.source, delimiters).rows if row.points > 0]
    worth = cell.metadata.nbgrader.points
    if rows and abs(sum(rows) - worth) > 1e-6:
        yield (
            f"its mark scheme gives {counted(f'{sum(rows):g}')}, and its metadata {worth:g}: change one of them"
        )


def shipped_slips(source: Path, modules: CourseModules) -> Iterator[str]:
    """Imports of what never ships in the modules that ship beside the notebooks."""
    for path in sorted(source.rglob("*.py")):
        if any(part.startswith(".") for part in path.relative_to(source).parts):
            continue
        try:
            for slip in instructors_imports(path.read_text(encoding="utf-8"), modules.judging):
                yield f"{path.relative_to(source)}: {slip}"
        except UnicodeDecodeError:
            yield f"{path.relative_to(source)}: it is not UTF-8: save it as UTF-8"


# -- what a cell imports and needs -------------------------------------------------------------------------


def plain(source: str) -> str:
    """A cell's source as Python: magics as the calls that IPython makes of them."""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        from IPython.core.inputtransformer2 import TransformerManager  # most cells have no magic

        return TransformerManager().transform_cell(source)
    return source


def as_students_get_it(cell: NotebookNode, parent: Configurable) -> str:
    """The source of a cell without solutions, hidden tests and mark schemes."""
    shown = deepcopy(cell)
    for step in (
        ClearSolutions(parent=parent),
        ClearHiddenTests(parent=parent),
        ClearMarkScheme(parent=parent),
    ):
        shown, _ = step.preprocess_cell(shown, {"language": "python"}, 0)
    return str(shown.source)


def instructors_imports(source: str, judging: str) -> Iterator[str]:
    """What students get imports, and do not get."""
    for name in sorted({*imports_in(plain(source), "", judging), *spelt(plain(source))}):
        top, *rest = name.split(".")
        if top in {judging, "judging"} - {""} or (top == OURS and rest and not ships(rest)):
            known = judging if top in {judging, "judging"} else f"{top}.{rest[0]}"
            yield f"students get it, and it imports {known}, which no student has: move the import {BETWEEN}"
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
    """Names that a cell uses and neither defines nor imports anywhere at its top level; builtins excluded."""

    def scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
        yield table
        for child in table.get_children():
            yield from scopes(child)

    top = symtable.symtable(source, "<cell>", "exec")
    defined = {
        s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()
    }
    used = {
        s.get_name()
        for scope in scopes(top)
        for s in scope.get_symbols()
        if s.is_referenced() and (scope is top or s.is_global())
    }
    return used - defined - set(dir(builtins)) - IN_JUPYTER


# -- an item in a cell's text ------------------------------------------------------------------------------


def item_calls(tree: ast.Module) -> list[ast.Call]:
    """The calls that make an `Item`."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Item"
    ]


def item_names(tree: ast.Module) -> set[str]:
    """The names that hold an `Item`."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and node.value in item_calls(tree)
        for target in node.targets
        if isinstance(target, ast.Name)
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
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and node is not tree.body[-1]]
    for value in (node.value for node in statements):
        if isinstance(value, ast.Compare):
            yield (
                f"line {value.lineno} compares and says nothing of the answer: write assert before it, or "
                "expect(…).equals(…)"
            )
        elif is_expect(value):
            yield f"line {value.lineno}: expect(…) asks for nothing: add what is expected, such as .equals(…)"
        elif isinstance(value, ast.Attribute) and is_expect(value.value):
            yield f"line {value.lineno}: expect(…).{value.attr} is not called: write ( ) after it"


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
