"""nbgrader's options `c.CourseDirectory`, for those who only want to know where things are.

Importing nbgrader takes longer than all that most commands do, as it brings its server extensions and nbconvert.
"""

from __future__ import annotations

import os
from pathlib import Path

from traitlets import Bool, Integer, List, Unicode, default, validate
from traitlets.config import LoggingConfigurable


class CourseDirectory(LoggingConfigurable):
    """The options of nbgrader's class of this name, with the same defaults: a test compares them."""

    course_id = Unicode("").tag(config=True)
    student_id = Unicode("*").tag(config=True)
    student_id_exclude = Unicode("").tag(config=True)
    assignment_id = Unicode("").tag(config=True)
    notebook_id = Unicode("*").tag(config=True)
    directory_structure = Unicode(os.path.join("{nbgrader_step}", "{student_id}", "{assignment_id}")).tag(
        config=True
    )
    source_directory = Unicode("source").tag(config=True)
    source_with_tests_directory = Unicode("source_with_tests").tag(config=True)
    release_directory = Unicode("release").tag(config=True)
    submitted_directory = Unicode("submitted").tag(config=True)
    autograded_directory = Unicode("autograded").tag(config=True)
    feedback_directory = Unicode("feedback").tag(config=True)
    solution_directory = Unicode("solution").tag(config=True)
    db_url = Unicode("").tag(config=True)
    root = Unicode("").tag(config=True)
    groupshared = Bool(False).tag(config=True)
    ignore = List([".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback"]).tag(config=True)
    include = List(["*"]).tag(config=True)
    max_file_size = Integer(100_000).tag(config=True)
    max_dir_size = Integer(100_000).tag(config=True)

    @default("db_url")
    def _in_the_course(self) -> str:
        return f"sqlite:///{os.path.abspath(Path(self.root, 'gradebook.db'))}"

    @validate("course_id")
    def _without_spaces_around(self, proposal: dict[str, str]) -> str:
        return proposal["value"].strip()

    def format_path(self, step: str, student: str, assignment: str) -> str:
        """The folder of a step, such as "submitted", for a student and an assignment."""
        names = {"nbgrader_step": step, "student_id": student, "assignment_id": assignment}
        return os.path.join(self.root, self.directory_structure.format(**names))
