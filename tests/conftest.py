"""Tests work in folders of their own; what takes long to make is made once, and its tests run in one process."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
import tiny_course

# nbgrader calls `alembic` by name
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

SHARED = ("graded", "fresh", "survived")  # fixtures that take long


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    for item in items:
        for name in SHARED:
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny course, released; to be copied, not changed."""
    return tiny_course.write(tmp_path_factory.mktemp("tiny") / "course")


@pytest.fixture
def course(released: Path, tmp_path: Path) -> Path:
    """A tiny course of the test's own, nothing submitted."""
    return Path(shutil.copytree(released, tmp_path / "course"))


@pytest.fixture(scope="session")
def graded(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny course with its class graded by `chainrule grade tiny`, whose output is in said.txt."""
    root = Path(shutil.copytree(released, tmp_path_factory.mktemp("graded") / "course"))
    tiny_course.hand_in_class(root)
    said = tiny_course.type_command(root, "chainrule", "grade", "tiny", "--jobs", "2")
    (root / "said.txt").write_text(said)
    return root


@pytest.fixture
def graded_course(graded: Path, tmp_path: Path) -> Path:
    """A graded course of the test's own."""
    return Path(shutil.copytree(graded, tmp_path / "course"))
