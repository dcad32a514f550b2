"""Tables of the marking room in the gradebook's database, and transactions on them.

nbgrader deletes and makes its own rows again, so ours refer to them by names and never by foreign keys. A score, its
comment, our row about it and the line in the history are written in one transaction, or not at all.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    inspect,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import QueuePool

from chainrule.gradebook_tables import ANSWERS, GRADES
from chainrule.marking.errors import BusyError, MarkingError

VERSION = "1"  # of the tables below
WAIT = 0.3  # seconds for which a transaction waits for another program
LOCK = 0x6368_6169  # the number of our advisory lock in PostgreSQL
BUSY = "another program is writing into the gradebook; nothing was saved"
SQLITE_BUSY = {5, 6}  # SQLITE_BUSY, SQLITE_LOCKED
# a transaction's number, and that of the oldest one that is still writing
NUMBERS = "SELECT txid_current(), txid_snapshot_xmin(txid_current_snapshot())"

METADATA = MetaData()


def item_key(*more: Column[Any]) -> list[Column[Any]]:
    """Columns that name an item, as the beginning of a primary key."""
    return [
        *(Column(name, String(128), primary_key=True) for name in ("assignment", "notebook", "item")),
        *more,
    ]


MARKS = Table(
    "chainrule_mark",
    METADATA,
    *item_key(Column("student", String(128), primary_key=True)),
    Column("answer", String(32), nullable=False, default=""),  # fingerprint of the answer that was marked
    Column("rows", Text, nullable=False, default="[]"),  # ids of the ticked rubric rows, as JSON
    Column("own_points", Float),  # the marker's own number, in place of the rows' sum
    Column("points", Float),  # None: not marked, or taken back
    Column("comment", Text, nullable=False, default=""),
    Column("marker", String(128), nullable=False, default=""),
    Column("marked_at", Float),  # seconds since 1970, as all times here
    Column("seconds", Float, nullable=False, default=0.0),  # spent on it
    Column("flagged", Boolean, nullable=False, default=False),
    Column("revision", Integer, nullable=False, default=0),
    Column(
        "token", String(64), nullable=False, default=""
    ),  # of the last save, so that saving twice is harmless
    Column("claimed_by", String(128), nullable=False, default=""),
    Column("claimed_in", String(64), nullable=False, default=""),  # the browser tab
    Column("claimed_until", Float, nullable=False, default=0.0),
)

HISTORY = Table(
    "chainrule_mark_history",
    METADATA,
    Column("id", Integer, primary_key=True),
    *(Column(name, String(128), nullable=False) for name in ("assignment", "notebook", "item", "student")),
    Column("at", Float, nullable=False),
    Column("marker", String(128), nullable=False),
    Column("action", String(32), nullable=False),
    Column("answer", String(32), nullable=False),
    Column("rows", Text, nullable=False),
    Column("own_points", Float),
    Column("points", Float),
    Column("comment", Text, nullable=False),
    Column("flagged", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("score_before", Float),  # in the gradebook
    Column("comment_before", Text),
)

ROWS = Table(
    "chainrule_rubric_row",
    METADATA,
    *item_key(Column("id", Integer, primary_key=True)),
    Column("position", Integer, nullable=False),
    Column("points", Float, nullable=False),
    Column("text", Text, nullable=False),
    Column(
        "edited", Boolean, nullable=False, default=False
    ),  # by a marker, so that it differs from the mark scheme
    Column("removed", Boolean, nullable=False, default=False),
)

SECOND_MARKS = Table(
    "chainrule_second_mark",
    METADATA,
    *item_key(Column("student", String(128), primary_key=True)),
    Column("answer", String(32), nullable=False),
    Column("rows", Text, nullable=False),
    Column("own_points", Float),
    Column("points", Float, nullable=False),
    Column("comment", Text, nullable=False),
    Column("marker", String(128), nullable=False),
    Column("marked_at", Float, nullable=False),
    Column("first_points", Float),  # of the first mark at that time
    Column("settled", Boolean, nullable=False, default=False),
)

REQUESTS = Table(
    "chainrule_request",
    METADATA,
    Column("id", Integer, primary_key=True),
    *(Column(name, String(128), nullable=False) for name in ("assignment", "notebook", "item", "student")),
    Column("reason", Text, nullable=False),
    Column("sender", Text, nullable=False),  # an address, or the file that it came in
    Column("collected_at", Float, nullable=False),
    Column("points", Float, nullable=False),  # that the item had then
    Column("answer", Text, nullable=False, default=""),
    Column("answered_by", String(128), nullable=False, default=""),
    Column("answered_at", Float),
    Column("points_after", Float),
)

SHARES = Table(
    "chainrule_marker_share",
    METADATA,
    Column("assignment", String(128), primary_key=True),
    Column("marker", String(128), primary_key=True),
    Column("kind", String(16), primary_key=True),  # "item" or "student"
    Column("name", String(260), primary_key=True),
)

SETTINGS = Table(
    "chainrule_marking",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)


class Database:
    """The gradebook's database, for transactions that never wait long.

    Attributes:
        version: another number when another program has written, or a transaction of ours was rolled back: what was
            read before may be different now. Meant to be read in a transaction.
    """

    def __init__(self, url: str) -> None:
        """Open it and make our tables, if they aren't there.

        Raises:
            MarkingError: nothing was graded, or the tables are those of a later version of Chainrule.
        """
        self.version = 0
        self._next_number: int | None = (
            None  # of PostgreSQL's next transaction, if nobody else writes before it
        )
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(url) if self.is_sqlite else create_engine(url, pool_pre_ping=True)
        with self.transaction(wait=10.0) as connection:
            # nbgrader notes its version only in a database without tables: ours must not be the first
            if not inspect(connection).has_table(GRADES.name):
                raise MarkingError("nothing was graded yet: run `chainrule grade ASSIGNMENT` first")
            METADATA.create_all(connection)
            ANSWERS.create(connection, checkfirst=True)
            version = connection.scalar(select(SETTINGS.c.value).where(SETTINGS.c.name == "version"))
            if version is None:
                connection.execute(insert(SETTINGS).values(name="version", value=VERSION))
        if version not in (None, VERSION):
            raise MarkingError(
                f"the gradebook was marked with a later version of Chainrule (its tables are version {version}, "
                f"this one knows {VERSION}): update Chainrule"
            )

    @contextmanager
    def transaction(self, wait: float = WAIT) -> Iterator[Connection]:
        """The only writer for as long as it lasts; committed at its end, rolled back by an exception.

        Args:
            wait: seconds to wait for another writer.
        Raises:
            BusyError: another program writes for longer.
        """
        with self._begun(wait) as connection:
            try:
                yield connection
                connection.commit()
            except BaseException as error:
                self.version += 1
                if isinstance(error, OperationalError) and _is_busy(error):
                    connection.invalidate()  # SQLite leaves the transaction open if its end had to wait for a reader
                    raise BusyError(BUSY) from error
                raise

    def _begun(self, wait: float) -> Connection:
        """A connection in a transaction that may write."""
        end = time.monotonic() + wait
        while True:
            try:
                connection = self.engine.connect()
            except NoConnection as error:
                if time.monotonic() >= end:
                    raise BusyError(BUSY) from error
                continue
            try:
                connection.begin()
                if not self.is_sqlite:
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(wait * 1000)}")
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
                self._look_for_others(connection)
                return connection
            except OperationalError as error:
                connection.close()
                if not _is_busy(error):
                    raise
                if time.monotonic() >= end:
                    raise BusyError(BUSY) from error

    def _look_for_others(self, connection: Connection) -> None:
        """Count `version` up if another program has written since our last transaction."""
        if self.is_sqlite:
            now = connection.exec_driver_sql("PRAGMA data_version").scalar()
            alone = connection.info.get("data_version") == now
            connection.info["data_version"] = now
        else:
            number, oldest = connection.exec_driver_sql(NUMBERS).one()
            alone = number == self._next_number
            self._next_number = number + 1 if number == oldest else None
        self.version += not alone

    def close(self) -> None:
        self.engine.dispose()


def _sqlite_engine(url: str) -> Engine:
    # one connection for all threads: only one may write anyway, and it is told when another program has written
    engine = create_engine(
        url,
        connect_args={"timeout": WAIT, "check_same_thread": False},
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=WAIT,
    )

    @event.listens_for(engine, "connect")
    def no_transactions_of_its_own(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def write_from_the_start(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _is_busy(error: OperationalError) -> bool:
    original = error.orig
    if isinstance(original, sqlite3.OperationalError):
        return (original.sqlite_errorcode & 0xFF) in SQLITE_BUSY
    return getattr(original, "sqlstate", None) in ("55P03", "40001", "40P01")
