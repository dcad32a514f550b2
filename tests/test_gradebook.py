"""A new gradebook is as nbgrader makes it, and one that is opened again is read again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from nbgrader import coursedir
from nbgrader.api import Base, Gradebook
from sqlalchemy import TableClause
from traitlets.config import Config

from chainrule import gradebook_tables
from chainrule.directory import CourseDirectory
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


def test_our_tables_are_nbgraders() -> None:
    """A column that nbgrader renames, or reads in another way, must not be found out by a user."""
    ours = [one for one in vars(gradebook_tables).values() if isinstance(one, TableClause)]
    theirs = Base.metadata.tables
    columns = [column for one in ours if one is not gradebook_tables.ANSWERS for column in one.c]
    assert len(columns) > 30
    for column in columns:
        their = theirs[column.table.name].c[column.name]
        assert issubclass(type(their.type), type(column.type)), their


def test_our_course_directory_is_nbgraders(tmp_path: Path) -> None:
    config = Config(
        CourseDirectory={"root": str(tmp_path), "course_id": " deep ", "feedback_directory": "fb"}
    )
    config.CourseDirectory.ignore.append("*.tmp")
    for chosen in (Config(CourseDirectory={"root": str(tmp_path)}), config):
        ours, theirs = CourseDirectory(config=chosen), coursedir.CourseDirectory(config=chosen)
        options = theirs.trait_names(config=True)
        assert {name: getattr(ours, name) for name in options} == {
            name: getattr(theirs, name) for name in options
        }
        for student in (".", "ann"):
            assert ours.format_path("fb", student, "hw") == theirs.format_path("fb", student, "hw")
