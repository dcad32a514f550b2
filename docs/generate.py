"""Write docs/reference/ and docs/judging.md from the code: `make docs`.

Signatures, docstrings and examples are read from the source files. Options are read from the classes themselves,
because only an imported class knows its defaults.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import pkgutil
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.authoring.evidence import Evidence

ROOT = Path(__file__).resolve().parent.parent
DOCS = Path(__file__).resolve().parent
GENERATED = "<!-- Generated from the code by `make docs`. Do not edit. -->\n"

INTERNAL = {
    "__init__",
    "by_hand",
    "own_time",
    "verbs",
    "wire",
}  # the student's side of a check, which no check calls
NOTEBOOK = {"figures", "todo", "weights"}  # for notebooks and what ships beside them
SECTIONS = ("Args", "Attributes", "Returns", "Raises", "Yields")


def main() -> None:
    """Write every page."""
    (DOCS / "reference").mkdir(exist_ok=True)
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """The text of each page, by its path in docs/."""
    lesson = sorted((ROOT / "chainrule" / "lesson").glob("*.py"), key=lambda path: (rank(path), path.stem))
    judging = sorted((ROOT / "chainrule" / "judging").glob("*.py"))
    written = {
        "reference/checks.md": api_page(
            "The check API",
            "What a check cell may import from `chainrule.lesson`. It ships with every release. "
            "[CONTRIBUTING](../../CONTRIBUTING.md#add-a-question-in-ten-minutes) shows how a question uses it.",
            [path for path in lesson if path.stem not in INTERNAL | NOTEBOOK],
        ),
        "reference/notebooks.md": api_page(
            "For notebooks and figures",
            "What a notebook, and the modules that ship beside it, may import from `chainrule.lesson`.",
            [path for path in lesson if path.stem in NOTEBOOK],
        ),
        "reference/judging.md": api_page(
            "Tools for judging modules",
            "What hidden checks and the modules of `judging/` may import from `chainrule.judging`. "
            "No release contains it.",
            [path for path in judging if path.stem not in INTERNAL],
        ),
        "reference/options.md": options_page(),
        "reference/nbgrader.md": nbgrader_page(),
        "judging.md": evidence_page(),
    }
    metadata = ROOT / "chainrule" / "metadata.py"
    if metadata.exists():
        written["reference/metadata.md"] = metadata_page(metadata)
    return written


def rank(module: Path) -> int:
    """Where a module comes on its page: the two that every check needs first."""
    first = ["checks", "student"]
    return first.index(module.stem) if module.stem in first else len(first)


# -- functions and classes -------------------------------------------------------------------------------

Definition = ast.FunctionDef | ast.ClassDef


def api_page(title: str, intro: str, modules: Sequence[Path]) -> str:
    """A page with the public functions and classes of some modules: first a list of all, then each of them."""
    listed, entries, anchors = [], [], Counter([anchor(title)])
    for module in modules:
        name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
        tree = ast.parse(module.read_text(encoding="utf-8"))
        rows = []
        entries += [*heading(2, name, anchors)[1:], f"{markdown(ast.get_docstring(tree) or '')}\n"]
        for node in public(tree):
            fragment, *text = entry(node, anchors)
            rows.append(f"| [`{node.name}`](#{fragment}) | {cell(first_sentence(node))} |")
            entries += text
        listed.append(f"**`{name}`**\n\n| | |\n|:--|:--|\n" + "\n".join(rows) + "\n")
    return "\n".join([GENERATED, f"# {title}\n", f"{intro}\n", *listed, *entries])


def public(tree: ast.Module | ast.ClassDef) -> list[Definition]:
    """The functions and classes in a module or class that have a docstring and no leading underscore."""
    return [
        node
        for node in tree.body
        if isinstance(node, Definition) and not node.name.startswith("_") and ast.get_docstring(node)
    ]


def entry(node: Definition, anchors: Counter[str], owner: str = "") -> list[str]:
    """The anchor of a function or class, then what a page says about it and about its methods."""
    written = heading(4 if owner else 3, f"`{owner}.{node.name}`" if owner else f"`{node.name}`", anchors)
    written += [f"```python\n{signature(node)}\n```\n", f"{markdown(ast.get_docstring(node) or '')}\n"]
    if isinstance(node, ast.ClassDef):
        for method in public(node):
            written += entry(method, anchors, node.name)[1:]
    return written


def heading(level: int, text: str, anchors: Counter[str]) -> list[str]:
    """The anchor of a heading, numbered as GitHub does where it comes again, and the heading."""
    fragment = anchor(text)
    again, anchors[fragment] = anchors[fragment], anchors[fragment] + 1
    return [f"{fragment}-{again}" if again else fragment, f"{'#' * level} {text}\n"]


def signature(node: Definition) -> str:
    """How a function or a class is called; of a class without arguments, its bases."""
    if isinstance(node, ast.FunctionDef):
        decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
        returns = ast.unparse(node.returns) if node.returns else "None"
        if "property" in decorators:
            return f"{node.name}: {returns}"
        how = "@classmethod\n" if "classmethod" in decorators else ""
        return folded(how + node.name, arguments(node.args), f" -> {returns}")
    for initialiser in node.body:
        if isinstance(initialiser, ast.FunctionDef) and initialiser.name == "__init__":
            return folded(node.name, arguments(initialiser.args))
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        return folded(node.name, [field(n) for n in node.body if isinstance(n, ast.AnnAssign)])
    return folded(f"class {node.name}", [ast.unparse(base) for base in node.bases])


def arguments(node: ast.arguments) -> list[str]:
    """The arguments of a function as written, without `self`."""
    first = len(node.args) - len(node.defaults)
    plain = [
        argument(arg, node.defaults[i - first] if i >= first else None) for i, arg in enumerate(node.args)
    ]
    if node.args and node.args[0].arg in ("self", "cls"):
        del plain[0]
    star = [f"*{argument(node.vararg)}"] if node.vararg else ["*"] if node.kwonlyargs else []
    named = [argument(*pair) for pair in zip(node.kwonlyargs, node.kw_defaults, strict=True)]
    return plain + star + named + ([f"**{argument(node.kwarg)}"] if node.kwarg else [])


def argument(node: ast.arg, default: ast.expr | None = None) -> str:
    annotated = f"{node.arg}: {ast.unparse(node.annotation)}" if node.annotation else node.arg
    return f"{annotated} = {written(default)}" if default else annotated


def field(node: ast.AnnAssign) -> str:
    annotated = f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}"
    if node.value is None:
        return annotated
    made = isinstance(node.value, ast.Call)  # field(default_factory=…)
    return f"{annotated} = {'…' if made else written(node.value)}"


def written(value: ast.expr) -> str:
    """A default with the quotes that the code has."""
    text = ast.unparse(value)
    return text if '"' in text else text.replace("'", '"')


def folded(name: str, arguments: Sequence[str], end: str = "") -> str:
    """A signature in one line, or with a line of its own for each argument."""
    line = f"{name}({', '.join(arguments)}){end}"
    return line if len(line) <= 100 else "\n".join([f"{name}(", *(f"    {a}," for a in arguments), f"){end}"])


def first_sentence(node: Definition) -> str:
    text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", text)[0]


# -- docstrings ------------------------------------------------------------------------------------------


def markdown(docstring: str) -> str:
    """A docstring as Markdown: its sections as lists, its examples as code."""
    written: list[str] = []
    lines = docstring.splitlines()
    while lines:
        if (heading := lines[0].removesuffix(":")) in SECTIONS and lines[0].endswith(":"):
            end = next(
                (i for i, line in enumerate(lines[1:], 1) if line and not line[0].isspace()), len(lines)
            )
            written += section(heading, [line[4:] for line in lines[1:end]])
        elif lines[0].startswith(">>>"):
            end = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
            written += ["", "```pycon", *lines[:end], "```", ""]
        elif lines[0].startswith("    "):
            end = next((i for i, line in enumerate(lines) if line and not line[0].isspace()), len(lines))
            written += ["```python", *(line[4:] for line in strip(lines[:end])), "```", ""]
        else:
            end = 1
            written.append(escaped(lines[0]))
        lines = lines[end:]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(written)).strip()


def strip(lines: list[str]) -> list[str]:
    """The lines without empty ones at the end."""
    return "\n".join(lines).rstrip().splitlines()


def section(heading: str, lines: Sequence[str]) -> list[str]:
    """A section of a docstring: entries `name: text` become a list, anything else a paragraph."""
    entries: list[str] = []
    for line in lines:
        if line and not line[0].isspace():
            entries.append(line)
        elif entries and line.strip():
            entries[-1] += f" {line.strip()}"
    if heading in ("Returns", "Yields"):
        return ["", f"*{heading}*: {escaped(' '.join(entries))}", ""]
    items = []
    for item in entries:
        names, colon, text = item.partition(":")
        named = ", ".join(f"`{name.strip()}`" for name in names.split(","))
        items.append(f"- {named}: {escaped(text.strip())}" if colon else f"- {escaped(item)}")
    return ["", f"*{heading}*", "", *items, ""]


def escaped(text: str) -> str:
    """The text with signs that Markdown would read as markup escaped, except in code."""
    pieces = text.split("`")
    return "`".join(piece if i % 2 else re.sub(r"[<*]|__", escape, piece) for i, piece in enumerate(pieces))


def escape(sign: re.Match[str]) -> str:
    return "".join(f"\\{character}" for character in sign[0])


def cell(text: str) -> str:
    """The text inside a table."""
    return escaped(" ".join(text.split())).replace("|", "\\|")


def anchor(heading: str) -> str:
    """The fragment by which GitHub links to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# -- options ---------------------------------------------------------------------------------------------


def options_page() -> str:
    """Every option that our classes add to nbgrader_config.py, and what `chainrule.config.pipelines` sets."""
    import chainrule.config

    parts = [
        GENERATED,
        "# Options of nbgrader_config.py\n",
        "Write `c.Course.due = {…}`, `c.Run.memory = 4096` and so on. A class also has the options of the class of "
        "nbgrader or nbconvert that it extends; see their documentation.\n",
    ]
    without = []
    for each in configurables():
        base = next(
            (base for base in each.__mro__[1:] if not base.__module__.startswith("chainrule.")), object
        )
        if base.__module__.startswith("jupyter_client") or each.__name__ == "CourseDirectory":
            continue  # kernels that `Run` starts; nbgrader's own options
        extends = f"`{base.__module__}.{base.__name__}`"
        own = each.class_own_traits(config=True)
        about = (each.__doc__ or "").partition("\n\n")[0]
        if not own:
            without.append(f"| `{each.__name__}` | {cell(about)} | {extends} |")
            continue
        rows = [
            f"| `c.{each.__name__}.{name}` | {code(kind(trait))} | {code(default(trait))} | {cell(trait.help)} |"
            for name, trait in own.items()
        ]
        parts += [f"## {each.__name__}\n", f"{escaped(about)} It extends {extends}.\n"]
        parts += ["| Option | Type | Default | |\n|:--|:--|:--|:--|\n" + "\n".join(rows) + "\n"]
    parts += ["## Classes without options of their own\n"]
    parts += ["| Class | | Extends |\n|:--|:--|:--|\n" + "\n".join(without) + "\n"]
    parts += ["## What the pipelines set\n"]
    parts += [
        "`c.merge(chainrule.config.pipelines())` sets these options of nbgrader. Set them again after it to "
    ]
    parts[-1] += "choose otherwise.\n"
    rows = [
        f"| `c.{owner}.{name}` | {'<br>'.join(code(one) for one in listed(value))} |"
        for owner, options in sorted(chainrule.config.pipelines().items())
        for name, value in sorted(options.items())
    ]
    parts += ["| Option | Value |\n|:--|:--|\n" + "\n".join(rows) + "\n"]
    return "\n".join(parts)


def nbgrader_page() -> str:
    """What is different from stock nbgrader: for people, then option by option, then test by test."""
    from chainrule.grading.options import DROPPED, FIXED

    listed = tomllib.loads((ROOT / "bench" / "nbgrader_differences.toml").read_text(encoding="utf-8"))
    parts = [
        GENERATED,
        "# Differences from stock nbgrader\n",
        "With `c.merge(chainrule.config.pipelines())`, nbgrader's own commands run Chainrule's steps. nbgrader's own "
        "tests, which are installed with it, pass with these steps as they pass without (`make nbgrader-suite`; "
        "figures in [RESULTS.md](../../bench/RESULTS.md)), but for what the tables name.\n",
        "## What is different, and why\n",
        "| With Chainrule | Why | nbgrader's tests |\n|:--|:--|:--|",
        *(
            f"| {one['difference']} | {one['reason']} | {'<br>'.join(f'`{test}`' for test in one['tests']) or '–'} |"
            for one in listed["difference"]
        ),
        "",
        "## Options that are refused\n",
        "An option that cannot do here what it does in nbgrader stops grading with a sentence.\n",
        "| Option | Why |\n|:--|:--|",
        *(f"| `c.{name}.…` | {escaped(reason)} |" for name, reason in DROPPED.items()),
        "| `c.Execute.enabled = False` with `chainrule grade` | it runs notebooks |",
        *(f"| `c.Execute.{name}` | {escaped(reason)} |" for name, reason in FIXED.items()),
        "",
        "If a course's own lists of steps contain nbgrader's `OverwriteCells` or `Execute`, their options do what they "
        "do in nbgrader.",
    ]
    return "\n".join(parts) + "\n"


def evidence_page() -> str:
    """For each graded item, its checks, and the answers and mutants that they were tried on."""
    from chainrule.authoring.evidence import evidence
    from chainrule.course import CourseFolder

    course = CourseFolder(ROOT)
    parts = [
        GENERATED,
        "# What stands behind a mark\n",
        "For instructors, and for a student who doubts a mark: how each graded item is judged, and on which answers "
        "its checks were tried. It names what hidden checks look at, so show it after the due date.\n",
        "- **Right answers** are written in different styles. Each keeps every point (`make test`).\n"
        "- **Wrong answers** hold one mistake each. Each loses the points of the check that the mistake belongs to and "
        "no others, and is told what was seen (`make test`).\n"
        "- **Noticed early**: the wrong answers that a visible check notices before hand-in (`make early`). Choices "
        "are only told to be well-formed, for two tries would give the answer away.\n"
        "- **Mutants** are small slips that a program makes in the reference solution, one in each: another operator, "
        "another axis, a line that is missing (`make mutate`).\n",
        "Measured shares are in [RESULTS](../bench/RESULTS.md).\n",
    ]
    for assignment in course.assignments:
        for notebook, known in evidence(course, assignment):
            parts.append(f"## {assignment}: {notebook}\n")
            parts += [
                "| Items | Points | Right | Wrong | Noticed early | Mutants |",
                "|:--|--:|--:|--:|--:|--:|",
            ]
            for each in known:
                early = len(each.wrong) - len(each.unnoticed)
                items = "<br>".join(map(code, each.items))
                points = "<br>".join(f"{points:g}" for points in each.points.values())
                numbers = (len(each.right), len(each.wrong), early, each.mutants)
                parts.append(f"| {items} | {points} | {' | '.join(map(str, numbers))} |")
            parts.append("")
            for each in known:
                parts += evidence_section(each)
    return "\n".join(parts)


def evidence_section(each: Evidence) -> Iterator[str]:
    """The checks of the items that judge one cell, the mistakes that they were tried on, and what they can't tell."""
    yield f"### {', '.join(map(code, each.items))}\n"
    yield "| Check | Points |\n|:--|--:|"
    yield from (f"| {cell(name)} | {points:g} |" for name, points in each.checks)
    yield f"\nMistakes that were tried: {'; '.join(escaped(wrong.name) for wrong in each.wrong)}.\n"
    late = [wrong for wrong in each.unnoticed if wrong.unnoticed]
    if late:
        yield "Not noticed before hand-in:\n"
        yield from (f"- {escaped(wrong.name)}: {escaped(wrong.unnoticed)}" for wrong in late)
        yield ""
    if each.equivalent:
        yield "Mutants that no check can tell from the reference (… stands for what is left out):\n"
        for reason in dict.fromkeys(each.equivalent.values()):
            changes = [code(change) for change, why in each.equivalent.items() if why == reason]
            yield f"- {escaped(reason)}: {', '.join(changes)}"
        yield ""


def configurables() -> list[type[Any]]:
    """Our classes that nbgrader_config.py can configure, `Course` and `Run` first."""
    import chainrule

    for module in pkgutil.walk_packages(chainrule.__path__, "chainrule."):
        if not module.name.endswith(("__main__", "tensorflow")):  # which may not be installed
            importlib.import_module(module.name)
    from traitlets.config import Configurable

    found: set[type[Any]] = set()
    waiting: list[type[Any]] = [Configurable]
    while waiting:
        below = waiting.pop().__subclasses__()
        waiting += [each for each in below if each not in found]
        found |= set(below)
    ours = [e for e in found if e.__module__.startswith("chainrule.") and not e.__name__.startswith("_")]
    first = ["Course", "Run"]
    return sorted(ours, key=lambda e: (first.index(e.__name__) if e.__name__ in first else 9, e.__name__))


def kind(trait: Any) -> str:
    """The type of a trait as Python writes types."""
    from traitlets import Bool, Dict, Enum, Float, Integer, List, Unicode

    if isinstance(trait, Dict):
        key, value = getattr(trait, "_key_trait", None), getattr(trait, "_value_trait", None)
        return f"dict[{kind(key)}, {kind(value)}]" if key and value else "dict"
    if isinstance(trait, List):
        inner = getattr(trait, "_trait", None)
        return f"list[{kind(inner)}]" if inner and kind(inner) != "Any" else "list"
    if isinstance(trait, Enum):
        return " | ".join(f'"{value}"' if isinstance(value, str) else repr(value) for value in trait.values)
    names = {Unicode: "str", Bool: "bool", Integer: "int", Float: "float"}
    return next((name for of, name in names.items() if isinstance(trait, of)), "Any")


def default(trait: Any) -> str:
    value = trait.default()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def listed(value: Any) -> list[str]:
    """A setting as short lines."""
    return [str(one) for one in value] if isinstance(value, list) else [repr(value)]


def code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


# -- metadata --------------------------------------------------------------------------------------------


def metadata_page(module: Path) -> str:
    """The TypedDicts of a module: each key, its type, and the text or comment beside it."""
    source = module.read_text(encoding="utf-8")
    tree = ast.parse(source)
    parts = [GENERATED, "# `metadata.chainrule`\n", f"{markdown(ast.get_docstring(tree) or '')}\n"]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any("TypedDict" in ast.unparse(base) for base in node.bases):
            total = not any(k.arg == "total" and ast.unparse(k.value) == "False" for k in node.keywords)
            rows = [
                f"| `{name}` | {code(annotation)} | {'yes' if required else 'no'} | {cell(text)} |"
                for name, annotation, required, text in keys(node, source.splitlines(), total)
            ]
            parts += [f"## {node.name}\n", f"{markdown(ast.get_docstring(node) or '')}\n"]
            parts += ["| Key | Type | Required | |\n|:--|:--|:--|:--|\n" + "\n".join(rows) + "\n"]
    return "\n".join(parts)


def keys(node: ast.ClassDef, lines: Sequence[str], total: bool) -> Iterator[tuple[str, str, bool, str]]:
    """The keys of a TypedDict: name, type, whether it is required, and what the code says about it."""
    for statement, following in zip(node.body, [*node.body[1:], None], strict=True):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        annotation, required = ast.unparse(statement.annotation), total
        if wrapped := re.fullmatch(r"(?:\w+\.)?(NotRequired|Required)\[(.*)\]", annotation):
            required, annotation = wrapped[1] == "Required", wrapped[2]
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            text = str(following.value.value)
        else:
            end = statement.end_lineno or statement.lineno
            beside = lines[end - 1][statement.end_col_offset or 0 :].partition("#")[2]
            text = beside or comment_above(lines[: statement.lineno - 1])
        yield statement.target.id, annotation, required, text


def comment_above(lines: Sequence[str]) -> str:
    """The comment at the end of some lines, in one line."""
    comment = list(itertools.takewhile(lambda line: line.strip().startswith("#"), reversed(lines)))
    return " ".join(line.strip().lstrip("#: ") for line in reversed(comment))


if __name__ == "__main__":
    main()
