"""The referee's own work has limits, and what exceeds them is the answer's failure."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from chainrule.grading.referee import MAX_RECEIVED, Referee, RefereeLimit, RefereeLimits, limited
from chainrule.lesson.verbs import Worker

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")

CELL = """
import torch
from chainrule.lesson import Item

item = Item("q1", points=4)


@item.check("computes for ever", points=1)
def _(student):
    while True:
        pass


@item.check("needs 32 GB by PyTorch", points=1)
def _(student):
    torch.zeros(1 << 32, dtype=torch.float64)


@item.check("needs 32 GB", points=1)
def _(student):
    bytes(1 << 35)


@item.check("is right", points=1)
def _(student):
    pass


item.score()
"""


def test_checks_without_end_and_without_measure_fail_alone(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA), signal.getsignal(signal.SIGPROF)
    result = Referee(tmp_path, limits=RefereeLimits(seconds=5.0, memory=1 << 30)).judge(CELL, "q1")
    assert [check.earned for check in result.checks] == [0, 0, 0, 1]
    assert result.checks[0].message == "it took more than 5 seconds to be checked"
    assert result.checks[1].message == result.checks[2].message == "there is too much of it to be checked"
    assert not any(check.internal_error for check in result.checks)
    assert (resource.getrlimit(resource.RLIMIT_DATA), signal.getsignal(signal.SIGPROF)) == before


def test_a_cell_that_computes_for_ever_outside_its_checks_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(RefereeLimit):
        Referee(tmp_path, limits=RefereeLimits(seconds=0.5)).judge("while True: pass", "q1")


CALL = """
from chainrule.lesson import Item

item = Item("q1", points=1)


@item.check("answers", points=1)
def _(student):
    student.f()


item.score()
"""


def test_what_ran_into_its_limit_is_called_by_later_cells_and_not_waited_for_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spin() -> None:
        while True:
            pass

    names, asked = {"f": spin}, []

    def carry(request: bytes, seconds: float) -> bytes:
        asked.append(seconds)
        return Worker(names).serve(request, seconds / 100)

    referee = Referee(tmp_path)
    monkeypatch.setattr(referee, "carry", carry)
    assert [referee.judge(CALL, "q1").score for _ in range(2)] == [0, 0]
    first, again = asked[:2], asked[2:]
    assert sum(again) <= sum(first) / 10
    names["f"] = lambda: 1  # defined anew in between
    assert referee.judge(CALL, "q1").score == 1


def test_time_that_ends_in_the_last_moment_leaves_no_limit_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def limits() -> list[object]:
        return [
            *map(resource.getrlimit, (resource.RLIMIT_CPU, resource.RLIMIT_DATA)),
            signal.getsignal(signal.SIGPROF),
        ]

    setitimer, before = signal.setitimer, limits()

    def ends(which: int, seconds: float, interval: float = 0.0) -> None:
        if not seconds:
            signal.raise_signal(signal.SIGPROF)
        setitimer(which, seconds, interval)

    monkeypatch.setattr(signal, "setitimer", ends)
    with limited(RefereeLimits(seconds=5.0)):
        assert limits() != before
    assert limits() == before


def test_the_answers_of_a_notebook_have_a_limit_together(tmp_path: Path) -> None:
    import socket
    import threading

    from chainrule.lesson.wire import receive_request, send_reply, unpack

    ours, theirs = socket.socketpair()
    referee = Referee(tmp_path)
    referee.connection, referee.received = ours, MAX_RECEIVED - 10

    def answer() -> None:
        while receive_request(theirs) is not None:
            send_reply(theirs, b"eleven byte")

    threading.Thread(target=answer, daemon=True).start()
    (error,) = unpack(referee.carry(b"a request", 5.0)).values()
    assert "2048 MiB" in error["message"]
    referee.hang_up()
