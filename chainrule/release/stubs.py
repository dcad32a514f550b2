"""What stands in the place of solutions in the release."""

from __future__ import annotations

import ast
from typing import Any

from nbformat import NotebookNode
from nbgrader import preprocessors

TODO = "todo()"
NBGRADERS = preprocessors.ClearSolutions().code_stub["python"]


class ClearSolutions(preprocessors.ClearSolutions):
    """nbgrader's step that puts stubs in the place of solutions. `todo()` stands only in notebooks that import it.

    All others get nbgrader's own stub: the NameError of a name that they lack could be what a test expects.
    """

    code_stub: dict[str, str]  # a trait of nbgrader's

    def choose_stub(self, nb: NotebookNode) -> None:
        """Take the stub that this whole notebook can run."""
        if self.code_stub.get("python") == TODO and not imports_todo(nb):
            self.code_stub = {**self.code_stub, "python": NBGRADERS}

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        self.choose_stub(nb)
        done: tuple[NotebookNode, dict[str, Any]] = super().preprocess(nb, resources)
        return done


def imports_todo(nb: NotebookNode) -> bool:
    """Whether one of a notebook's code cells imports `todo`, from wherever."""
    sources = [cell.source for cell in nb.cells if cell.cell_type == "code" and "todo" in cell.source]
    return any(imported(source) for source in sources)


def imported(source: str) -> bool:
    """Whether code imports `todo`, or everything from our lesson; for code with magics, whether it says so."""
    try:
        nodes = ast.walk(ast.parse(source))
    except SyntaxError:
        return any("import" in line and "todo" in line for line in source.splitlines())
    names = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return bool(names & {"todo", "*"})
