"""nbgrader's gradebook, opened many times by one command."""

from __future__ import annotations

from functools import lru_cache

from nbgrader.api import Gradebook
from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.orm import scoped_session, sessionmaker

from chainrule.term.schema import ensure_tables

DEFAULT_COURSE = "default_course"  # nbgrader's own name for a course that has none


def open_gradebook(db_url: str, course_id: str = DEFAULT_COURSE) -> Gradebook:
    """The gradebook at this URL, made if there is none. Meant for a `with` statement.

    A command opens it several times for each hand-in. nbgrader's own class translates its queries to SQL again each
    time, which takes longer than asking them.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, open_gradebook(f"sqlite:///{folder}/gradebook.db") as gradebook:
    ...     gradebook.students
    []
    """
    return Reopened(db_url, course_id)


class Reopened(Gradebook):
    """nbgrader's gradebook, whose connections are new and whose translated queries are those of the process."""

    def __init__(self, db_url: str, course_id: str) -> None:
        engine = _engine(db_url)
        if not inspect(engine).has_table("alembic_version"):
            ensure_tables(db_url)
        self.engine, self.course_id, self.authenticator = engine, course_id, None
        self.db = scoped_session(sessionmaker(autoflush=True, bind=engine, future=True))
        self.check_course(course_id=course_id)


@lru_cache(maxsize=8)
def _engine(db_url: str) -> Engine:
    """An engine without open connections: a closed gradebook has given them back and closed them."""
    return create_engine(db_url)
