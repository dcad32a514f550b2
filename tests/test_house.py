"""The house: `source/` ships, `judging/` never does, `chainrule/` names no question. See docs/architecture.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
ENGINE = sorted((ROOT / "chainrule").rglob("*.py"))
NOTEBOOKS = sorted(ROOT.glob("source/*/*.ipynb"))


def of_the_course() -> set[str]:
    """Names that belong to a question, a handout or a figure of one."""
    names = {path.parent.name for path in NOTEBOOKS} | {path.stem for path in NOTEBOOKS}
    for path in NOTEBOOKS:
        about = (cell.metadata.get("nbgrader", {}) for cell in nbformat.read(path, as_version=4).cells)
        ids = {cell["grade_id"] for cell in about if "grade_id" in cell}
        names |= ids | {
            question.group() for name in ids if (question := re.match(r"[pq]\d+_\d+\w*(?=-)", name))
        }
    for package in (path for path in ROOT.glob("judging/*") if path.is_dir()):
        names |= {f"judging.{package.name}", package.name}
        names |= {path.stem for path in package.glob("*.py") if re.search(r"\d", path.stem)}
    for folder in ("checks", "figures", "given"):
        names |= {f"{folder}.{path.stem}" for path in ROOT.glob(f"source/*/{folder}/*.py")}
    return {name for name in names if "." in name or "-" in name or ("_" in name and "__" not in name)}


def test_the_engine_names_no_question_no_handout_and_no_figure_of_one() -> None:
    names = of_the_course()
    assert len(names) > 200
    word = re.compile(
        rf"(?<![\w.-])(?:{'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})(?![\w-])"
    )
    handout = re.compile(r"CSC ?6022|CS ?480|Homework 2|Assignment 2", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in ENGINE
        for pattern in (word, handout)
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not found


def imports(path: Path) -> set[str]:
    """The top-level names and chainrule's parts that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in modules:
            top, _, rest = module.partition(".")
            found.add(f"{top}.{rest.partition('.')[0]}" if top == "chainrule" and rest else top)
    return found


def test_the_engine_imports_nothing_of_the_course() -> None:
    for path in ENGINE:
        assert not imports(path) & {"judging", "checks", "figures", "given", "source"}, path


SHIPPED = sorted(
    [
        *ROOT.glob("source/*/*/**/*.py"),
        *(path for part in ("lesson", "datasets", "handin") for path in ROOT.glob(f"chainrule/{part}/*.py")),
    ]
)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_ships_imports_only_what_ships(path: Path) -> None:
    found = {name for name in imports(path) if name.startswith(("chainrule.", "judging"))}
    shipped = {"errors", "on_demand", "lesson", "datasets", "handin"}
    assert found <= {f"chainrule.{part}" for part in shipped}


def test_no_two_test_modules_have_one_name() -> None:
    """Pytest imports a test module by its name alone: the second of a name cannot be collected beside the first."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
