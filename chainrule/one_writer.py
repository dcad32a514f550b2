"""One command at a time writes into a course's gradebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".gradebook.lock"


@contextmanager
def one_writer(course: Path, say: Callable[[str], object] = print) -> Iterator[None]:
    """Wait until no other command writes into the gradebook of the course in this folder, and keep others waiting.

    The lock belongs to the process: however that ends, the lock ends with it.

    Args:
        say: gets a sentence if there is something to wait for.
    """
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
