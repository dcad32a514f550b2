"""A new gradebook is as nbgrader makes it, and one that is opened again is read again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from nbgrader.api import Gradebook

from chainrule.gradebook import ensure_tables, open_gradebook


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


def test_what_others_did_meanwhile_is_seen(tmp_path: Path) -> None:
    path, other = tmp_path / "gradebook.db", tmp_path / "other.db"
    url = f"sqlite:///{path}"
    for database, student in ((url, "ada"), (f"sqlite:///{other}", "bob")):
        with open_gradebook(database) as gradebook:
            gradebook.add_student(student)
    with open_gradebook(url) as one, open_gradebook(url) as two:
        one.add_student("cyd")
        assert [student.id for student in two.students] == ["ada", "cyd"]
    other.replace(path)  # as a backup that is put back
    with open_gradebook(url) as gradebook:
        assert [student.id for student in gradebook.students] == ["bob"]
    path.unlink()
    with open_gradebook(url) as gradebook:
        assert gradebook.students == []


def test_queries_are_translated_once(tmp_path: Path) -> None:
    """SQLAlchemy keeps what it has translated with the engine."""
    url = f"sqlite:///{tmp_path / 'gradebook.db'}"
    with open_gradebook(url) as one, open_gradebook(url) as two:
        assert one.engine is two.engine
    with open_gradebook(url) as again:
        assert again.engine is one.engine
