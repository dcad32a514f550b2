"""A course from release to marks by its commands: if this fails, nothing else needs to be run."""

from __future__ import annotations

import csv
from pathlib import Path

from tiny_course import DOUBLES, RIGHT, SQUARE, TINY, filled, submit, type_command


def test_a_course_goes_from_release_to_marks(course: Path) -> None:
    for student, answer in (("ann", RIGHT), ("bo", DOUBLES)):
        submit(course, student, filled(course, {SQUARE: answer}))
    said = type_command(course, "chainrule", "grade", TINY, "--jobs", "2", new_process=True)
    assert "ann" in said
    assert "bo" in said
    type_command(course, "chainrule", "feedback", TINY, new_process=True)
    assert (course / "feedback" / "bo" / TINY / f"{TINY}.html").is_file()
    type_command(course, "chainrule", "marks", TINY, new_process=True)
    with (course / "marks" / f"{TINY}.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    earned = {student: float(rows[student]["score"]) for student in ("ann", "bo")}
    assert earned["ann"] > earned["bo"] > 0
