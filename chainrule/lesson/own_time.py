"""Time limits that mean the same on a busy machine: what counts is a process's own time.

The time for which it was ready to run, but other processes had the cores, does not count. A process that sleeps or
waits for something uses its time. Where the system does not say how long a process had no core, all time counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

MOST = 10.0  # times its limit is the longest that anything takes by the clock, whoever has the cores


class Usage(NamedTuple):
    """What a process has used so far, in seconds.

    Attributes:
        waited: for which its main thread was ready to run and had no core.
        used: of processor time, by all its threads and by processes that belong to it.

    >>> Usage(waited=0.5, used=2.0).used
    2.0
    """

    waited: float
    used: float


class Stopwatch:
    """Own time in seconds since it was made. It is called like a clock.

    A process keeps itself from a core if processes of its own have them. So the time counts in full as long as they
    have one core in all.

    Args:
        usage: of the process, now.

    >>> usage = Usage(waited=0.0, used=0.0)
    >>> clock = Stopwatch(lambda: usage)
    >>> usage = Usage(waited=1000.0, used=0.0)
    >>> clock() < 0.1
    True
    """

    def __init__(self, usage: Callable[[], Usage]) -> None:
        self._usage = usage
        self._before = time.monotonic(), usage()

    def __call__(self) -> float:
        started, before = self._before
        now = self._usage()
        elapsed = time.monotonic() - started
        return own_seconds(elapsed, max(0.0, now.waited - before.waited), now.used - before.used)


def own_seconds(elapsed: float, waited: float, used: float) -> float:
    """The part of `elapsed` seconds that counts.

    >>> own_seconds(60.0, waited=50.0, used=8.0)  # it had a core for 8 seconds, and slept for 2
    10.0
    >>> own_seconds(60.0, waited=59.0, used=100.0)  # others had its core, but they were its own
    60.0
    >>> own_seconds(60.0, waited=60.0, used=0.0)
    6.0
    """
    return max(elapsed - waited, min(used, elapsed), elapsed / MOST)


def waited_seconds(thread: str) -> float:
    """Seconds for which a thread was ready to run and had no core; 0 where the system does not count them.

    Args:
        thread: its folder in /proc.

    >>> waited_seconds("/proc/thread-self") >= 0.0
    True
    """
    try:  # https://docs.kernel.org/scheduler/sched-stats.html
        with open(f"{thread}/schedstat", "rb", buffering=0) as file:  # read for every request of every check
            return int(file.read().split()[1]) / 1e9
    except (OSError, LookupError, ValueError):
        return 0.0


def usage_here() -> Usage:
    """The usage of this process, whose main thread is the one that calls.

    >>> usage_here().used > 0.0
    True
    """
    return Usage(waited_seconds("/proc/thread-self"), time.process_time())
