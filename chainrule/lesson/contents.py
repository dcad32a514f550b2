"""What the folder of a homework says about its notebooks: where each cell is, and which cells have checks."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from IPython.core.getipython import get_ipython

FILE = "handin.json"  # beside the notebooks; `chainrule.handin.spec` describes it


@dataclass(frozen=True)
class Contents:
    """Of the homework in the current folder; all of it is empty where there is none.

    Attributes:
        places: by grade_id, a cell's label, such as "2.2 (c)", and the heading above it.
        checked: the grade_ids of the cells with checks in each notebook, by file name.
        defines: by file name, in which cell each name is defined that students write.

    >>> Contents().places
    {}
    """

    places: dict[str, tuple[str, str]] = field(default_factory=dict)
    checked: dict[str, list[str]] = field(default_factory=dict)
    defines: dict[str, dict[str, str]] = field(default_factory=dict)

    def label(self, grade_id: str) -> str:
        """What students call a cell: its label, with its heading if several cells with checks share the label.

        >>> places = {"net": ("3.1", "3.1 · An MLP"), "run": ("3.1", "Train it"), "why": ("4", "4 · Why?")}
        >>> contents = Contents(places, {"hw.ipynb": ["net", "run", "why"]})
        >>> contents.label("run"), contents.label("why"), contents.label("unknown")
        ('3.1, Train it', '4', 'unknown')
        """
        label, heading = self.places.get(grade_id, ("", ""))
        shared = sum(
            self.places.get(other, ("", ""))[0] == label for ids in self.checked.values() for other in ids
        )
        if not label:
            return heading or grade_id
        return f"{label}, {heading}" if shared > 1 and not heading.startswith(label) else label

    def defining(self, name: str) -> str | None:
        """The cell of this notebook in which students define a name; None if they define no such name."""
        here = notebook_here()
        tables = [table for file, table in self.defines.items() if here in (None, file)]
        cells = {table[name] for table in tables if name in table}
        return cells.pop() if len(cells) == 1 else None


def contents() -> Contents:
    """What the current folder's file says; empty if there is none, or if it was damaged.

    >>> contents().checked  # here is no homework
    {}
    """
    try:
        spec = json.loads(Path(FILE).read_text(encoding="utf-8"))
        return Contents(
            {grade_id: (str(label), str(heading)) for grade_id, (label, heading) in spec["places"].items()},
            {str(file): list(map(str, ids)) for file, ids in spec["checked"].items()},
            {str(file): dict(table) for file, table in spec["defines"].items()},
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return Contents()


def notebook_here() -> str | None:
    """The file name of the notebook that runs this code, as VS Code or Jupyter report it; None if they don't.

    >>> os.environ["JPY_SESSION_NAME"] = "/home/ada/homework/hw.ipynb"
    >>> notebook_here()
    'hw.ipynb'
    >>> del os.environ["JPY_SESSION_NAME"]
    """
    shell = get_ipython()
    reported = (shell and shell.user_ns.get("__vsc_ipynb_file__")) or os.environ.get("JPY_SESSION_NAME")
    name = PurePath(str(reported)).name if reported else ""
    return name if name.endswith(".ipynb") else None
