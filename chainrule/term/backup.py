"""A backup of a course: one zip with checksums, from which it is restored anywhere, with a gradebook of any kind."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nbgrader.api import Base
from sqlalchemy import Engine, MetaData, Table, create_engine, func, insert, inspect, select
from sqlalchemy.engine import make_url

from chainrule import __version__
from chainrule.course import CONFIG, CourseError, CourseFolder
from chainrule.gradebook import newest_revision, open_gradebook, revision
from chainrule.gradebook_tables import ANSWERS
from chainrule.marking import tables
from chainrule.one_writer import one_writer
from chainrule.students.decisions import DECISIONS

MANIFEST = "backup.json"
GRADEBOOK = "gradebook.db"
FORM = 1  # of the manifest
# What a course has beside its sources; data sets can be fetched again.
PARTS = [
    *("release", "versions", "variants", "kits", "submitted", "autograded", "feedback", "runs", "intake"),
    *("withdrawn", "marks", "rosters", "audit"),
]


@dataclass(frozen=True)
class Contents:
    """What a backup's manifest says.

    Attributes:
        files: by path, the SHA-256 and the time of modification in seconds since 1970.
        gradebook: whether there was one.
    """

    course: str
    made: str
    chainrule: str
    nbgrader: str
    files: dict[str, tuple[str, float]]
    gradebook: bool


def backup(folder: CourseFolder, target: Path | None = None) -> Path:
    """Write a backup of a course into a zip, by default into backups/. No half-written file is ever found.

    Raises:
        CourseError: the target is there already.
    """
    moment = datetime.now(UTC)
    target = target or folder.root / "backups" / f"{folder.root.name} {moment:%Y-%m-%d %H.%M.%S}.zip"
    if target.exists():
        raise CourseError(f"{target} is there already: name another file")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    files: dict[str, tuple[str, float]] = {}
    try:
        with (
            one_writer(folder.root, only_read=True),
            tempfile.TemporaryDirectory(prefix="chainrule-backup-") as scratch,
            zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            copy = Path(scratch, GRADEBOOK)
            has_gradebook = copy_gradebook(folder.directory.db_url, copy)
            own = {GRADEBOOK: copy} if has_gradebook else {}
            for name, path in {**dict(course_files(folder)), **own}.items():
                if not name.isprintable() and name != name.encode("utf-8", "replace").decode():
                    raise CourseError(f"{name!r} is no name in UTF-8: give the file another one")
                data = path.read_bytes()
                files[name] = (hashlib.sha256(data).hexdigest(), path.stat().st_mtime)
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
            manifest = {
                "form": FORM,
                "course": folder.directory.course_id,
                "made": moment.isoformat(timespec="seconds"),
                "chainrule": __version__,
                "nbgrader": version("nbgrader"),
                "gradebook": has_gradebook,
                "files": files,
            }
            archive.writestr(MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
        check(partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def course_files(folder: CourseFolder) -> Iterator[tuple[str, Path]]:
    """The files of a course that a backup has, by their paths in it."""
    root = folder.root
    source, judging = folder.directory.source_directory, folder.course.judging.partition(".")[0]
    singles = [
        *root.glob("*.py"),
        root / folder.course.roster,
        root / ".gitignore",
        root / "jupyter_config.json",
    ]
    folders = [root / name for name in dict.fromkeys([source, judging, *PARTS]) if name]
    found = [path for each in folders if each.is_dir() for path in each.rglob("*")]
    for path in sorted({*singles, *found}):
        made = {"__pycache__", ".ipynb_checkpoints"} & set(path.parts) or (
            path.name.startswith(".") and path.name.endswith(".part")
        )
        if path.is_file() and not path.is_symlink() and not made and path.is_relative_to(root):
            yield path.relative_to(root).as_posix(), path


def contents(path: Path) -> Contents:
    """What a backup has.

    Raises:
        CourseError: it is no backup, or one of a later version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            told = json.loads(archive.read(MANIFEST))
        if told["form"] > FORM:
            raise CourseError(
                f"{path} was made by a later version of chainrule ({told['chainrule']}): update this one"
            )
        files = {name: (str(digest), float(time)) for name, (digest, time) in told["files"].items()}
        names = ("course", "made", "chainrule", "nbgrader", "gradebook")
        return Contents(**{name: told[name] for name in names}, files=files)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError) as error:
        raise CourseError(f"{path} is no backup of a course: {error}") from None


def check(path: Path) -> Contents:
    """Make sure that a backup is whole.

    Raises:
        CourseError: a file is missing, damaged, or not in its list.
    """
    about = contents(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist()) - {MANIFEST}
            if names != set(about.files):
                odd = ", ".join(sorted(names ^ set(about.files))[:3])
                raise CourseError(f"{path} is damaged: its list of files does not fit ({odd})")
            for name, (digest, _) in about.files.items():
                if hashlib.sha256(archive.read(name)).hexdigest() != digest:
                    raise CourseError(f"{path} is damaged: {name} is not what was put in")
    except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, RuntimeError) as error:
        raise CourseError(f"{path} is damaged: {error}") from None
    return about


def restore(path: Path, target: Path, gradebook: str = "") -> CourseFolder:
    """Restore a course into a new folder.

    Args:
        gradebook: the URL of the database to restore the gradebook into, which is empty; by default what the course's
            configuration says.
    Raises:
        CourseError: the backup is damaged, or the folder or the database is not empty. Then nothing was restored.
    """
    about, target = check(path), target.resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CourseError(f"{target} is there and not empty: restore into a new folder")
    for name in about.files:
        if Path(name).anchor or ".." in Path(name).parts:
            raise CourseError(f"{path} has a file outside the course: {name}")
    if gradebook:
        require_empty(gradebook)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with zipfile.ZipFile(path) as archive:
            for name, (_, time) in about.files.items():
                place = partial / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(archive.read(name))
                os.utime(place, (time, time))
        if gradebook:
            with (partial / CONFIG).open("a", encoding="utf-8") as config:
                config.write(
                    f"\nc.CourseDirectory.db_url = {gradebook!r}  # since this course was restored\n"
                )
        copy = partial / GRADEBOOK
        url = make_url(CourseFolder(partial).directory.db_url)
        file = Path(url.database or "").resolve() if url.get_backend_name() == "sqlite" else None
        target.mkdir(exist_ok=True)  # the new gradebook may lie in it
        if about.gradebook and file not in (copy.resolve(), target / GRADEBOOK):
            require_empty(url.render_as_string(hide_password=False))
            fill_gradebook(copy, url.render_as_string(hide_password=False))
            copy.unlink()
        for each in partial.iterdir():  # not the folder itself: the target may be where a shell is
            each.rename(target / each.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return CourseFolder(target)


# ---- gradebooks ------------------------------------------------------------------------------------------------


def copy_gradebook(db_url: str, target: Path) -> bool:
    """Copy a gradebook as it is at one moment into a file of SQLite. Whether there was one."""
    url = make_url(db_url)
    if url.get_backend_name() == "sqlite":
        if not url.database or not Path(url.database).is_file():
            return False
        with closing(sqlite3.connect(url.database)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
        return True
    source_engine, target_engine = create_engine(db_url), create_engine(f"sqlite:///{target}")
    try:
        if not inspect(source_engine).get_table_names():
            return False
        copy_tables(source_engine, target_engine)
    finally:
        source_engine.dispose()
        target_engine.dispose()
    return True


def fill_gradebook(copy: Path, db_url: str) -> None:
    """Fill an empty database with the gradebook in a file of SQLite."""
    source, target = create_engine(f"sqlite:///{copy}"), create_engine(db_url)
    try:
        copy_tables(source, target)
    finally:
        source.dispose()
        target.dispose()


def copy_tables(source: Engine, target: Engine) -> None:
    """Copy all tables into an empty database, in one transaction.

    Columns have the types that nbgrader and we declare, which a database need not know; those of other tables are read.
    """
    names = inspect(source).get_table_names()
    known = {table.name: table for table in known_tables()}
    read = MetaData()
    read.reflect(bind=source, only=[name for name in names if name not in known])
    declared = [known[name] for name in names if name in known]
    others = [table for table in read.sorted_tables if table.name not in known]
    with source.connect() as reading, target.begin() as writing:
        for table in [*in_order(declared), *others]:
            table.create(writing, checkfirst=True)
            rows = [dict(row) for row in reading.execute(select(table)).mappings()]
            if rows:
                writing.execute(insert(table), rows)
            if writing.dialect.name == "postgresql":
                renumber(writing, table)


def known_tables() -> list[Table]:
    """The tables that nbgrader and we declare."""
    return [*Base.metadata.tables.values(), *tables.METADATA.tables.values(), ANSWERS, DECISIONS]


def in_order(some: list[Table]) -> list[Table]:
    """Tables after those that they refer to."""
    order = [
        table.name for metadata in {table.metadata for table in some} for table in metadata.sorted_tables
    ]
    return sorted(some, key=lambda table: order.index(table.name))


def renumber(connection: Any, table: Table) -> None:
    """Let PostgreSQL go on counting after the highest number of a table's rows."""
    column = table.autoincrement_column
    if column is not None:
        highest = connection.scalar(select(func.max(column)))
        if highest is not None:
            sequence = func.pg_get_serial_sequence(f'"{table.name}"', column.name)
            connection.execute(select(func.setval(sequence, highest)))


def require_empty(db_url: str) -> None:
    """Raise CourseError unless a database has no tables yet."""
    url = make_url(db_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return  # it will be made, perhaps in a folder that is made first
    engine = create_engine(db_url)
    try:
        if inspect(engine).get_table_names():
            raise CourseError(
                f"the database {make_url(db_url).render_as_string()} is not empty: make a new one, and name it by "
                "--gradebook URL"
            )
    finally:
        engine.dispose()


def upgrade(folder: CourseFolder) -> list[str]:
    """Bring a gradebook of an earlier nbgrader up to date, after a backup. Returns what was done."""
    from nbgrader import dbutil

    url, newest = folder.directory.db_url, newest_revision()
    before = revision(url)
    if before is None:
        return ["there is no gradebook yet: nothing to do"]
    if before == newest:
        return [f"the gradebook is up to date (nbgrader's tables {newest})"]
    kept = backup(folder)
    dbutil.upgrade(url)
    with open_gradebook(url, folder.directory.course_id):
        pass  # adds tables that are new
    return [f"a backup of what was there is in {kept}", f"the gradebook is up to date: {before} → {newest}"]
