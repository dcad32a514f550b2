"""Every attack against workers that have imported TensorFlow: `tests/hostile`'s promises hold for them as well."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).parents[1] / "hostile"))

import target
from test_hostile import *  # noqa: F403

from chainrule.course import CourseFolder
from chainrule.release.generate import generate

in_pytorch = target.write


def write(root: Path) -> None:
    """The attackers' course, its notebooks in TensorFlow as far as zygotes are concerned."""
    in_pytorch(root)
    for path in (root / "source").glob("*/*.ipynb"):
        nb = nbformat.read(path, as_version=4)
        nb.metadata["chainrule"] = {**nb.metadata.get("chainrule", {}), "framework": "tensorflow"}
        nbformat.write(nb, path)
        generate(CourseFolder(root), path.parent.name)


target.write = write
