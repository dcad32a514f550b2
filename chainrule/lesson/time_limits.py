"""Stops code that runs too long, in checks, figures and given cells alike."""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from chainrule.lesson.own_time import Stopwatch, Usage, usage_here, waited_seconds

SHORTEST = 0.01  # seconds between two looks at the clock


class TimeLimit(BaseException):
    """Raised inside code that runs too long. Not an Exception, so that `except Exception` does not catch it.

    >>> issubclass(TimeLimit, Exception)
    False
    """


class TooLong(Exception):
    """Code did not finish in its time. Jupyter shows one line instead of a traceback.

    >>> raise TooLong(took_too_long("`train`", 600))
    Traceback (most recent call last):
    chainrule.lesson.time_limits.TooLong: `train` did not finish within 600 seconds: an endless loop?
    """

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def took_too_long(what: str, seconds: float) -> str:
    """What is said wherever code is stopped: in a check, in a figure, in a given cell, in a hand-in.

    >>> took_too_long("`f`", 30)
    '`f` did not finish within 30 seconds: an endless loop?'
    """
    return f"{what} did not finish within {seconds:g} seconds: an endless loop?"


@contextmanager
def within(seconds: float, what: str = "your code") -> Iterator[None]:
    """Run a block of a given cell, which calls code of the student's, for at most `seconds` of its own time.

    Raises:
        TooLong: it takes longer.

    >>> with within(0.01, "`train`"):
    ...     while True:
    ...         pass
    Traceback (most recent call last):
    chainrule.lesson.time_limits.TooLong: `train` did not finish within 0.01 seconds: an endless loop?
    """
    try:
        with time_limit(seconds):
            yield
    except TimeLimit:
        raise TooLong(took_too_long(what, seconds)) from None


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt the block after `seconds` of its own time (see `own_time`), and then every second until it ends.

    In the main thread of a system with POSIX signals this interrupts whatever Python can interrupt. Elsewhere, such as
    on Windows, a second thread does it: Python code stops, one long call of a library goes on to its end.

    Raises:
        TimeLimit: the time was over.

    >>> with time_limit(0.01):
    ...     while True:
    ...         pass
    Traceback (most recent call last):
    chainrule.lesson.time_limits.TimeLimit
    """
    has_signals = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    with _by_signals(seconds) if has_signals else _by_thread(seconds):
        yield


@contextmanager
def _by_signals(seconds: float) -> Iterator[None]:
    clock, is_over = Stopwatch(usage_here), False

    def interrupt(signum: int, frame: FrameType | None) -> None:
        if is_over:
            return
        left = seconds - clock()
        signal.setitimer(signal.ITIMER_REAL, max(left, SHORTEST) if left > 0 else 1.0)
        if left <= 0:
            raise TimeLimit

    before = signal.signal(signal.SIGALRM, interrupt)
    around, _ = signal.setitimer(signal.ITIMER_REAL, seconds)  # what is left of a timer that was set before
    started = time.monotonic()
    try:
        yield
    finally:
        try:
            is_over = True  # a signal that comes now must not leave this handler behind
        finally:
            signal.signal(signal.SIGALRM, before)
            left = max(around - (time.monotonic() - started), SHORTEST) if around else 0
            signal.setitimer(signal.ITIMER_REAL, left)


@contextmanager
def _by_thread(seconds: float) -> Iterator[None]:
    """The same for the calling thread, from a second one.

    >>> with _by_thread(0.05):
    ...     while True:
    ...         pass
    Traceback (most recent call last):
    chainrule.lesson.time_limits.TimeLimit
    """
    caller, place = threading.get_ident(), f"/proc/self/task/{threading.get_native_id()}"
    clock = Stopwatch(lambda: Usage(waited_seconds(place), usage_here().used))
    done = threading.Event()
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc  # what CPython has for this

    def watch() -> None:
        left = seconds
        while not done.wait(max(left, SHORTEST) if left > 0 else 1.0):
            left = seconds - clock()
            if left <= 0 and not done.is_set():
                raise_in(ctypes.c_ulong(caller), ctypes.py_object(TimeLimit))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        raise_in(ctypes.c_ulong(caller), None)  # one that was set, but not yet raised
