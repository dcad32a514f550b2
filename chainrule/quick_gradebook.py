"""nbgrader's gradebook as `chainrule.gradebook.open_gradebook` opens it."""

from __future__ import annotations

from nbgrader.api import Gradebook
from sqlalchemy import Engine
from sqlalchemy.orm import scoped_session, sessionmaker


class QuickGradebook(Gradebook):
    """nbgrader's gradebook with a connection of its own, and with translated queries that the whole process shares."""

    def __init__(self, engine: Engine, course_id: str) -> None:
        self.engine, self.course_id, self.authenticator = engine, course_id, None
        self.db = scoped_session(sessionmaker(autoflush=True, bind=engine, future=True))
        self.check_course(course_id=course_id)
