"""A backup restores all of a course elsewhere, into any kind of gradebook, or says that it is damaged."""

import os
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from marking_class import ESSAYS, SOFTMAX, copied
from nbgrader.api import Gradebook
from postgres import Postgres
from sqlalchemy import create_engine, inspect, select
from tiny_course import TINY, type_command

from chainrule.course import CourseFolder
from chainrule.marking.tables import Database
from chainrule.students.decisions import history
from chainrule.term.backup import known_tables


@pytest.fixture
def folder(small_class: Path, tmp_path: Path) -> CourseFolder:
    """A course with an extension, a set mark, and the marking room's tables."""
    folder = copied(small_class, tmp_path / "course")
    (folder.root / "roster.csv").write_text("id,username,last,first,email\nada,,Łucja,Ada,\n")
    Database(folder.directory.db_url).close()
    type_command(folder.root, "chainrule", "override", ESSAYS, "ada", SOFTMAX, "0.75", "--why", "well said")
    with Gradebook(folder.directory.db_url, folder.directory.course_id) as gradebook:
        gradebook.find_submission(ESSAYS, "ada").extension = timedelta(days=3)
        gradebook.db.commit()
    return folder


def rows(folder: CourseFolder) -> dict[str, list[Any]]:
    """All rows of a gradebook, by table."""
    engine = create_engine(folder.directory.db_url)
    with engine.connect() as connection:
        there = set(inspect(connection).get_table_names())
        found = {
            table.name: sorted(map(repr, connection.execute(select(table)).all()))
            for table in known_tables()
            if table.name in there
        }
    engine.dispose()
    return found


def files(root: Path) -> dict[str, tuple[bytes, float]]:
    made = ("gradebook.db", ".gradebook.lock")
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime)
        for path in root.rglob("*")
        if path.is_file() and path.name not in made and "backups" not in path.parts
    }


def the_backup(root: Path) -> Path:
    (made,) = (root / "backups").glob("*.zip")
    return made


def test_a_course_is_restored_in_another_place(folder: CourseFolder, tmp_path: Path) -> None:
    type_command(folder.root, "chainrule", "backup")
    made = the_backup(folder.root)
    assert "whole: " in type_command(tmp_path, "chainrule", "restore", str(made))
    type_command(tmp_path, "chainrule", "restore", str(made), "there/again")
    again = CourseFolder(tmp_path / "there" / "again")
    assert rows(again) == rows(folder)
    assert files(again.root) == files(folder.root)
    assert "graded 5" in type_command(again.root, "chainrule", "status")
    said = type_command(tmp_path, "chainrule", "restore", str(made), "there/again", code=2)
    assert "is there and not empty" in said


def test_a_gradebook_moves_to_postgres_and_back(
    folder: CourseFolder, tmp_path: Path, postgres: Postgres
) -> None:
    before = rows(folder)
    type_command(folder.root, "chainrule", "backup")
    url = postgres.new_database()
    type_command(tmp_path, "chainrule", "restore", str(the_backup(folder.root)), "there", "--gradebook", url)
    there = CourseFolder(tmp_path / "there")
    assert there.directory.db_url == url
    assert not (there.root / "gradebook.db").exists()
    assert rows(there) == before
    # what is counted goes on after the last number
    type_command(there.root, "chainrule", "penalty", ESSAYS, "ada", "1", "--why", "copied", "--as", "Dr X")
    assert "graded 5" in type_command(there.root, "chainrule", "status")
    with Gradebook(url, there.directory.course_id) as gradebook:
        assert [one.value for one in history(gradebook.db.connection())] == ["0.75", "1"]
    type_command(there.root, "chainrule", "backup", str(tmp_path / "second.zip"))
    back = f"sqlite:///{tmp_path / 'back.db'}"
    type_command(tmp_path, "chainrule", "restore", "second.zip", "back", "--gradebook", back)
    assert rows(CourseFolder(tmp_path / "back")) == rows(there)
    said = type_command(tmp_path, "chainrule", "restore", "second.zip", "more", "--gradebook", url, code=2)
    assert "is not empty" in said
    assert not (tmp_path / "more").exists()


def test_a_damaged_backup_is_refused(folder: CourseFolder, tmp_path: Path) -> None:
    type_command(folder.root, "chainrule", "backup", str(tmp_path / "good.zip"))
    with zipfile.ZipFile(tmp_path / "good.zip") as good, zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, good.read(name).replace("Łucja".encode(), b"Lucia"))
    said = type_command(tmp_path, "chainrule", "restore", "bad.zip", "new", code=2)
    assert "bad.zip is damaged: roster.csv is not what was put in" in said
    (tmp_path / "none.zip").write_bytes(b"no zip")
    assert "is no backup of a course" in type_command(tmp_path, "chainrule", "restore", "none.zip", code=2)
    assert not (tmp_path / "new").exists()


def test_nothing_changes_in_an_archived_course(folder: CourseFolder) -> None:
    type_command(folder.root, "chainrule", "archive")
    words = ["chainrule", "penalty", ESSAYS, "ada", "1", "--why", "copied"]
    assert "this course was archived" in type_command(folder.root, *words, code=2)
    assert "graded 5" in type_command(folder.root, "chainrule", "status")
    assert "files" in type_command(folder.root, "chainrule", "backup", "later.zip")
    type_command(folder.root, "chainrule", "archive", "--reopen")
    type_command(folder.root, *words)


def test_an_older_gradebook_is_upgraded(course: Path) -> None:
    folder = CourseFolder(course)
    (course / "gradebook.db").unlink()
    with Gradebook(folder.directory.db_url):
        pass
    engine = create_engine(folder.directory.db_url)
    with engine.begin() as connection:  # as nbgrader 0.5 made it
        connection.exec_driver_sql("ALTER TABLE student DROP COLUMN lms_user_id")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '167914646830'")
    engine.dispose()
    said = type_command(course, "chainrule", "status", code=2)
    assert "run `chainrule upgrade`" in said
    said = type_command(course, "chainrule", "upgrade")
    assert "a backup of what was there is in" in said
    assert "handed in 0 of 0" in type_command(course, "chainrule", "status", TINY)
    assert "is up to date" in type_command(course, "chainrule", "upgrade")
    assert os.listdir(course / "backups")


def test_odd_file_names_come_back_into_the_folder_where_one_is(folder: CourseFolder, tmp_path: Path) -> None:
    handed_in = folder.root / "submitted" / "ada" / ESSAYS
    handed_in.mkdir(parents=True, exist_ok=True)
    for name in ("a\\b.txt", "data.part"):
        (handed_in / name).write_text("x")
    type_command(folder.root, "chainrule", "backup")
    there = tmp_path / "there"
    there.mkdir()
    type_command(there, "chainrule", "restore", str(the_backup(folder.root)), ".")
    assert files(there) == files(folder.root)
