"""How nbgrader reads what students handed in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode

from chainrule.intake.notebook import foreign_encoding, read


class HandInExporter(NotebookExporter):
    """Reads notebooks as intake does: in any encoding of Unicode, and of any version of the notebook format."""

    def from_file(
        self, file_stream: TextIO, resources: dict[str, Any] | None = None, **options: Any
    ) -> tuple[NotebookNode, dict[str, Any]]:
        path = Path(file_stream.name)
        if encoding := foreign_encoding(path):
            self.log.warning("%s was saved as %s: read so", path, encoding)
        convert: Callable[..., tuple[NotebookNode, dict[str, Any]]] = self.from_notebook_node
        return convert(read(path), resources=resources, **options)
