"""Drawings of answers: one that can't be drawn costs the others nothing."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from nbformat.v4 import new_markdown_cell

from chainrule.marking import drawing
from chainrule.marking.drawing import Drawing, Drawings, drawing_of

SLOW, NEXT = (drawing_of([new_markdown_cell(text)], Path()) for text in ("slow", "next"))


@pytest.mark.parametrize("ended", ["broken", "cancelled"])
def test_an_answer_behind_a_slow_one_is_drawn_all_the_same(
    ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is ended because of the slow drawing, with what waits behind it."""
    monkeypatch.setattr(drawing, "SECONDS", 0.2)
    begun: dict[str, list[Future[list[str]]]] = {SLOW.key: [], NEXT.key: []}

    def submit(self: Drawings, wanted: Drawing) -> Future[list[str]]:
        future: Future[list[str]] = Future()
        begun[wanted.key].append(future)
        if len(begun[NEXT.key]) == 2:
            future.set_result(["drawn"])
        return future

    def end(self: Drawings) -> None:
        (waiting,) = begun[NEXT.key]
        waiting.set_exception(BrokenProcessPool()) if ended == "broken" else waiting.cancel()

    monkeypatch.setattr(Drawings, "_submit", submit)
    monkeypatch.setattr(Drawings, "_end_process", end)

    async def both() -> list[list[str]]:
        drawings = Drawings()
        slow = asyncio.ensure_future(drawings.drawn(SLOW))
        await asyncio.sleep(0.1)
        return [await drawings.drawn(NEXT), await slow]

    after, before = asyncio.run(both())
    assert after == ["drawn"]
    assert "could not be drawn" in before[0]
