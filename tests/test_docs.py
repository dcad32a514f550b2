"""The pages say what the code does: generated pages are current, the example runs, links and paths exist."""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from chainrule.lesson.student import connect
from chainrule.lesson.verbs import Worker

ROOT = Path(__file__).resolve().parent.parent
GENERATOR = runpy.run_path(str(ROOT / "docs" / "generate.py"))
PAGES = [
    page
    for pattern in ("*.md", "docs/**/*.md", "judging/*/notes.md", "bench/README.md", "source/*/README.md")
    for page in sorted(ROOT.glob(pattern))
]
# Folders that a run fills; what is in them is not in the repository.
RUN_MAKES = {
    *(
        "kits",
        "marks",
        "runs",
        "submitted",
        "autograded",
        "feedback",
        "variants",
        "intake",
        "data",
        "audit",
        "reports",
    ),
    *("hand-in", "demo/course", "release/*/chainrule"),
}


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def test_generated_pages_are_current() -> None:
    expected = GENERATOR["pages"]()
    docs = ROOT / "docs"
    found = {*(docs / "reference").glob("*.md"), *(docs / name for name in expected)}
    written = {
        str(page.relative_to(docs)): page.read_text(encoding="utf-8") for page in found if page.exists()
    }
    differ = [name for name in expected | written if expected.get(name) != written.get(name)]
    assert not differ, f"run `make docs`: {', '.join(differ)}"


def test_the_readmes_check_gives_the_readmes_table() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    check, answer = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[:2]
    namespace: dict[str, Any] = {}
    exec(answer, namespace)
    connect(Worker(namespace).serve)
    try:
        tree = ast.parse(check)
        last = tree.body.pop()
        assert isinstance(last, ast.Expr)
        here: dict[str, Any] = {}
        exec(compile(tree, "README.md", "exec"), here)
        result = eval(compile(ast.Expression(last.value), "README.md", "eval"), here)
    finally:
        connect(None)
    assert as_markdown(result.table()) in readme


def as_markdown(table: str) -> str:
    """The table of a result as quoted Markdown."""

    def text(html: str) -> str:
        html = re.sub(r"</?span[^>]*>", "", html)
        return unescape(re.sub(r"</?b>", "**", html))

    caption = re.search(r"<caption[^>]*>(.*?)</caption>", table)
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", table)]
    assert caption
    lines = [text(caption[1]), "", *(f"| {' | '.join(map(text, row))} |" for row in rows)]
    lines.insert(3, "|:--" * len(rows[0]) + "|")
    return "\n".join(f"> {line}".rstrip() for line in lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"\w+:", target):
            continue
        path, _, fragment = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), f"{page.name} → {target}"
        if fragment and there.suffix == ".md":
            assert fragment in anchors(there), f"{page.name} → {target}"


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page may say after its #."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        anchor = GENERATOR["anchor"](heading)
        again = sum(re.fullmatch(rf"{re.escape(anchor)}(-\d+)?", other) is not None for other in found)
        found.add(f"{anchor}-{again}" if again else anchor)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_of_the_repository_exist(page: Path) -> None:
    """Those in backticks: from the root, from chainrule/ or from the page's folder, with `<a>` for any name."""
    for path, name in paths(prose(page)):
        found = [hit for base in (ROOT, ROOT / "chainrule", page.parent) for hit in base.glob(path)]
        assert found, f"{page.name}: there is no {path}"
        if name:
            assert any(name in names(file) for file in found), f"{page.name}: there is no {name} in {path}"


def paths(text: str) -> Iterator[tuple[str, str]]:
    """Paths that should exist, as patterns, and what the text names in them: `grading/run.py:Run.preprocess`."""
    folders = {path.name for base in (ROOT, ROOT / "chainrule") for path in base.iterdir() if path.is_dir()}
    for token in re.findall(r"`([^`\n]+)`", text):
        path, _, name = re.sub(r"<[^>]+>", "*", token).partition(":")
        made = any(path.startswith(folder) for folder in RUN_MAKES) and not path.endswith(".py")
        if re.fullmatch(r"[\w.*/-]+", path) and "/" in path and path.split("/")[0] in folders and not made:
            yield path.removesuffix("/"), name


def names(file: Path) -> set[str]:
    """The functions, classes, methods and constants of a module, methods as Class.method."""

    def defined(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield f"{prefix}{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from defined(node.body, f"{node.name}.")
            for target in getattr(node, "targets", [getattr(node, "target", None)]):
                if isinstance(target, ast.Name):
                    yield f"{prefix}{target.id}"

    return set(defined(ast.parse(file.read_text(encoding="utf-8")).body))


def test_a_page_for_typed_dicts(tmp_path: Path) -> None:
    """What `docs/reference/metadata.md` will be made from: text below a key, a comment beside it, or above it."""
    module = tmp_path / "metadata.py"
    module.write_text('''"""What Chainrule writes into a notebook."""

class Run(TypedDict):
    """How a notebook ran."""

    seconds: float
    """From start to end."""
    sandbox: NotRequired[str]  # "bubblewrap" | "Landlock"
    # Whose cells were repaired,
    # a sentence each.
    repairs: list[str]
''')
    page = GENERATOR["metadata_page"](module)
    assert "## Run\n\nHow a notebook ran.\n" in page
    assert "| `seconds` | `float` | yes | From start to end. |" in page
    assert '| `sandbox` | `str` | no | "bubblewrap" \\| "Landlock" |' in page
    assert "| `repairs` | `list[str]` | yes | Whose cells were repaired, a sentence each. |" in page


def test_docstrings_become_markdown() -> None:
    page = GENERATOR["markdown"]("""Sizes of a <table>.

    sizes("2x3")

Args:
    a, b: tensors (N,) of
        any dtype.
Returns:
    The size.

>>> sizes("2x3")
(2, 3)
""")
    assert page == (
        'Sizes of a \\<table>.\n\n```python\nsizes("2x3")\n```\n\n*Args*\n\n- `a`, `b`: tensors (N,) of any dtype.\n\n'
        '*Returns*: The size.\n\n```pycon\n>>> sizes("2x3")\n(2, 3)\n```'
    )
