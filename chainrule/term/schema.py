"""The version of nbgrader's tables in a gradebook."""

from __future__ import annotations

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from nbgrader.api import Base
from nbgrader.dbutil import ALEMBIC_DIR
from sqlalchemy import create_engine, inspect


def newest_revision() -> str:
    """The version of this nbgrader's tables."""
    return str(ScriptDirectory(ALEMBIC_DIR).get_current_head())


def revision(db_url: str) -> str | None:
    """The version of nbgrader's tables in a gradebook; None without one."""
    engine = create_engine(db_url)
    try:
        if not inspect(engine).has_table("alembic_version"):
            return None
        with engine.connect() as connection:
            found: str = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
            return found
    finally:
        engine.dispose()


def ensure_tables(db_url: str) -> None:
    """Make nbgrader's tables in an empty database, as nbgrader does.

    nbgrader itself starts the program `alembic` for their version, which takes five seconds of processor time.
    """
    engine = create_engine(db_url)
    try:
        with engine.begin() as connection:
            if not inspect(connection).get_table_names():
                Base.metadata.create_all(connection)
                MigrationContext.configure(connection).stamp(ScriptDirectory(ALEMBIC_DIR), "head")
    finally:
        engine.dispose()
