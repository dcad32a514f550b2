"""Answers, questions and rubric rows as HTML without active content, drawn by a process of its own.

MathJax takes half a second to start and then some ten milliseconds a formula, so what will soon be shown is drawn
ahead and kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import multiprocessing
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path

from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_markdown_cell, new_notebook

LOG = logging.getLogger(__name__)
BUDGET = 12_000  # of formulas in one drawing: some 300 short ones
SECONDS = 20.0  # for one drawing; then the text is shown as it is
KEPT = 48_000_000  # characters of HTML


@dataclass(frozen=True)
class Drawing:
    """What to draw: cells below each other, or texts by themselves.

    Attributes:
        cells: as JSON, with nbgrader's metadata where a cell is the instructor's.
        texts: Markdown of the instructor's.
        folder: of the notebook's images.
    """

    cells: str = "[]"
    texts: tuple[str, ...] = ()
    folder: str = "."

    @property
    def key(self) -> str:
        text = json.dumps([self.cells, self.texts, self.folder])
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def drawing_of(cells: Sequence[NotebookNode], folder: Path) -> Drawing:
    """A drawing of these cells."""
    kept = [{name: cell[name] for name in SHOWN if name in cell} for cell in cells]
    return Drawing(json.dumps(kept, sort_keys=True), (), str(folder))


SHOWN = ("cell_type", "source", "metadata", "attachments", "outputs", "execution_count")


# ---- in the drawing process --------------------------------------------------------------------------------------


def draw(drawing: Drawing) -> list[str]:
    """The HTML of a drawing: of all cells in one piece, or of each text."""
    from chainrule.feedback.formulas import FormulaRenderer
    from chainrule.feedback.page import Cells, clean, is_item
    from chainrule.feedback.preprocessors import Disarm, is_result, rendered_result
    from chainrule.handin.notebook import formulas_of

    if drawing.texts:
        about = {"nbgrader": {"locked": True}}
        cells = [new_markdown_cell(text, metadata=about) for text in drawing.texts]
    else:
        cells = from_dict(json.loads(drawing.cells))
    nb = new_notebook(cells=cells)
    nb, _ = Disarm(parent=None).preprocess(nb, {})  # type: ignore[no-untyped-call]  # nbconvert's
    for cell in nb.cells:
        if is_result(cell):
            cell.outputs = [rendered_result(cell, due=True)]
        if is_item(cell):  # its points are in the gradebook, not here
            cell.metadata.nbgrader.update(grade=False, task=False)
    formulas = FormulaRenderer(formulas_of(nb), budget=BUDGET, prefix=f"g{drawing.key}")
    drawn = Cells(nb, Path(drawing.folder), formulas).rendered()
    if drawing.texts and len(drawn) < len(drawing.texts):
        return as_text(drawing)  # one of them shows nothing
    pieces = [inline(piece) for piece in drawn] if drawing.texts else ["".join(drawn)]
    return [clean(formulas.glyphs() * (not number) + piece) for number, piece in enumerate(pieces)]


def inline(piece: str) -> str:
    """A text of one paragraph without the elements around it, so that it fits into a label."""
    found = re.fullmatch(r'<div class="cell"><p>((?:(?!</?p\b).)*)</p>\s*</div>\s*', piece, re.DOTALL)
    return found[1] if found else piece


def as_text(drawing: Drawing) -> list[str]:
    """The same as plain text, for what can't be drawn."""
    texts = list(drawing.texts) or ["\n\n".join(str(cell["source"]) for cell in json.loads(drawing.cells))]
    note = '<p class="note">[This could not be drawn; here is its source.]</p>'
    return [f"{note}<pre>{escape(text)}</pre>" for text in texts]


# ---- in the server -----------------------------------------------------------------------------------------------


class Drawings:
    """Draws in a process of its own and keeps what was drawn."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, list[str]] = OrderedDict()
        self._size = 0
        self._pool: ProcessPoolExecutor | None = None
        self._running: dict[str, Future[list[str]]] = {}
        self._ahead: asyncio.Task[None] | None = None
        self._closed = False

    async def drawn(self, drawing: Drawing) -> list[str]:
        """The HTML, from what was kept if it is there."""
        key = drawing.key
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        for attempt in range(2):
            future = self._running.get(key) or self._begin(drawing)
            try:
                return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), SECONDS)
            except (
                Exception,
                asyncio.CancelledError,
            ) as error:  # the marker must see the answer all the same
                ended = isinstance(error, BrokenProcessPool) or future.cancelled()
                if isinstance(error, asyncio.CancelledError) and not ended:
                    raise  # nobody waits for it any longer
                self._running.pop(key, None)
                if ended and not attempt and not self._closed:
                    continue  # the process was ended because of another drawing
                LOG.warning("an answer is shown as text, because drawing it failed: %r", error)
                if ended or isinstance(error, TimeoutError):
                    self._end_process()
                break
        pieces = as_text(drawing)
        self._keep(key, pieces)
        return pieces

    def _begin(self, drawing: Drawing) -> Future[list[str]]:
        """Let it be drawn, and kept even if nobody waits for it any longer."""
        future, loop = self._submit(drawing), asyncio.get_running_loop()
        self._running[drawing.key] = future

        def keep(done: Future[list[str]]) -> None:
            self._running.pop(drawing.key, None)
            if not done.cancelled() and done.exception() is None:
                self._keep(drawing.key, done.result())

        def tell(done: Future[list[str]]) -> None:
            with suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(keep, done)

        future.add_done_callback(tell)
        return future

    def ahead(self, drawings: Iterable[Drawing]) -> None:
        """Draw these in the background, one after the other, in place of what was asked for before."""
        if self._ahead:
            self._ahead.cancel()
        wanted = [drawing for drawing in drawings if drawing.key not in self._kept]
        self._ahead = asyncio.get_running_loop().create_task(self._draw_ahead(wanted))

    async def _draw_ahead(self, wanted: list[Drawing]) -> None:
        for drawing in wanted:
            await self.drawn(drawing)

    def _submit(self, drawing: Drawing) -> Future[list[str]]:
        for _ in range(2):
            if self._pool is None:
                self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
            with suppress(BrokenProcessPool):
                return self._pool.submit(draw, drawing)
            self._pool = None
        failed: Future[list[str]] = Future()
        failed.set_result(as_text(drawing))
        return failed

    def _keep(self, key: str, pieces: list[str]) -> None:
        self._kept[key] = pieces
        self._size += sum(map(len, pieces))
        while self._size > KEPT and len(self._kept) > 1:
            self._size -= sum(map(len, self._kept.popitem(last=False)[1]))

    def start(self) -> None:
        """Start the process, so that the first answer need not wait for it."""
        self._submit(Drawing(texts=("$x$",)))

    def close(self) -> None:
        """Draw nothing more."""
        self._closed = True
        self._end_process()

    def _end_process(self) -> None:
        """End the process, whatever it does; the next drawing starts another."""
        pool, self._pool = self._pool, None
        if pool:
            for process in list((pool._processes or {}).values()):
                process.kill()
            pool.shutdown(wait=False, cancel_futures=True)
