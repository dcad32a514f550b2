"""One command at a time writes into a course's gradebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from chainrule.errors import ChainruleError

LOCK = ".gradebook.lock"
ARCHIVED = "ARCHIVED"  # a file in a course whose term is closed


class ArchivedError(ChainruleError):
    """The course was archived. The message says how to go on."""


def require_open(course: Path) -> None:
    """Raise ArchivedError if the term of the course in this folder is closed."""
    if (course / ARCHIVED).exists():
        raise ArchivedError(
            "this course was archived, and nothing may change in it: begin a new term by `chainrule init FOLDER --from "
            "COURSE`, or open it again by `chainrule archive --reopen`"
        )


@contextmanager
def one_writer(
    course: Path, say: Callable[[str], object] = print, *, only_read: bool = False
) -> Iterator[None]:
    """Wait until no other command writes into the gradebook of the course in this folder, and keep others waiting.

    The lock belongs to the process: however that ends, the lock ends with it.

    Args:
        say: gets a sentence if there is something to wait for.
        only_read: nothing will be written, so the course may be archived.
    Raises:
        ArchivedError: the term is closed.
    """
    if not only_read:
        require_open(course)
    lock = FileLock(course / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        say("another command is writing into this course's gradebook: waiting until it has ended")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
