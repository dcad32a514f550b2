"""Time limits end what they are around, and nothing else."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from chainrule.lesson.time_limits import time_limit


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_time_that_ends_in_the_last_moment_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    set_handler, before = signal.signal, signal.getsignal(signal.SIGALRM)

    def late(number: int, handler: Any) -> Any:
        if handler is before:  # the block is over, and only now its time
            end = time.process_time() + 0.1
            while time.process_time() < end:
                pass
        return set_handler(number, handler)

    monkeypatch.setattr(signal, "signal", late)
    with time_limit(0.05):
        assert signal.getsignal(signal.SIGALRM) is not before
    assert signal.getsignal(signal.SIGALRM) is before
