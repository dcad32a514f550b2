"""The gradebook: made, opened many times by one command, and the version of its tables.

nbgrader is imported where its classes are needed: that takes longer than most commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, create_engine, inspect

if TYPE_CHECKING:
    from nbgrader.api import Gradebook

DEFAULT_COURSE = "default_course"  # nbgrader's own name for a course that has none
VERSION_TABLE = "alembic_version"


def open_gradebook(db_url: str, course_id: str = DEFAULT_COURSE) -> Gradebook:
    """The gradebook at this URL, made if there is none. Meant for a `with` statement.

    A command opens it several times for each hand-in. nbgrader's own class translates its queries to SQL again each
    time, which takes longer than asking them.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, open_gradebook(f"sqlite:///{folder}/gradebook.db") as gradebook:
    ...     gradebook.students
    []
    """
    from chainrule.quick_gradebook import QuickGradebook

    return QuickGradebook(_ready(db_url), course_id)


@contextmanager
def open_tables(db_url: str) -> Iterator[Connection]:
    """A connection to the gradebook at this URL, made if there is none, for queries with `chainrule.gradebook_tables`.

    A command that needs no more than these starts in half the time.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, open_tables(f"sqlite:///{folder}/gradebook.db") as connection:
    ...     connection.exec_driver_sql("SELECT id FROM student").all()
    []
    """
    engine = _ready(db_url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _ready(db_url: str) -> Engine:
    """The engine of a gradebook that has its tables."""
    engine = _engine(db_url)
    if not inspect(engine).has_table(VERSION_TABLE):
        _make_tables(engine)
    return engine


@lru_cache(maxsize=8)
def _engine(db_url: str) -> Engine:
    """The engine of a database. Who closes a gradebook closes its connections, so the file may be replaced then."""
    return create_engine(db_url)


def ensure_tables(db_url: str) -> None:
    """Make nbgrader's tables in an empty database, as nbgrader does.

    nbgrader itself starts the program `alembic` for their version, which takes five seconds of processor time.
    """
    _ready(db_url).dispose()


def _make_tables(engine: Engine) -> None:
    from alembic.migration import MigrationContext  # only for a new gradebook
    from alembic.script import ScriptDirectory
    from nbgrader.api import Base
    from nbgrader.dbutil import ALEMBIC_DIR

    with engine.begin() as connection:
        if not inspect(connection).get_table_names():
            Base.metadata.create_all(connection)
            MigrationContext.configure(connection).stamp(ScriptDirectory(ALEMBIC_DIR), "head")


def revision(db_url: str) -> str | None:
    """The version of nbgrader's tables in a gradebook; None without one."""
    engine = _engine(db_url)
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table(VERSION_TABLE):
                return None
            found: str = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar_one()
            return found
    finally:
        engine.dispose()


def newest_revision() -> str:
    """The version of this nbgrader's tables."""
    from alembic.script import ScriptDirectory
    from nbgrader.dbutil import ALEMBIC_DIR

    return str(ScriptDirectory(ALEMBIC_DIR).get_current_head())
