"""A new gradebook is as nbgrader makes it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from nbgrader.api import Gradebook

from chainrule.term.schema import ensure_tables


def tables(path: Path) -> list[tuple[str, ...]]:
    """The definitions of all tables, and the version noted."""
    with closing(sqlite3.connect(path)) as opened:
        schema = opened.execute(
            "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%' ORDER BY name"
        )
        return [*schema, *opened.execute("SELECT version_num FROM alembic_version")]


def test_it_is_as_nbgrader_makes_it_and_made_once(tmp_path: Path) -> None:
    ours, nbgraders = tmp_path / "ours.db", tmp_path / "nbgraders.db"
    ensure_tables(f"sqlite:///{ours}")
    with Gradebook(f"sqlite:///{nbgraders}"):
        pass
    assert tables(ours) == tables(nbgraders)
    with Gradebook(f"sqlite:///{ours}") as gradebook:
        gradebook.add_student("ada")
    ensure_tables(f"sqlite:///{ours}")
    with Gradebook(f"sqlite:///{ours}") as gradebook:
        assert [student.id for student in gradebook.students] == ["ada"]
