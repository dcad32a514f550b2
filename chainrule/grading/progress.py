"""How far a class is: a bar on a terminal, an estimate in words elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

A_DAY = 86_400.0  # seconds of work that the speed is taken from; rich's default, 30, suits downloads


class NotebookProgress(Progress):
    """A bar that counts finished notebooks and estimates the time left. It is drawn only on a terminal.

    Args:
        total: the number of notebooks to finish.
        get_time: the clock, in seconds; None for the system's.
    """

    def __init__(self, total: int, get_time: Callable[[], float] | None = None) -> None:
        super().__init__(
            TextColumn("notebooks"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(),
            transient=True,
            speed_estimate_period=A_DAY,
            get_time=get_time,
            disable=not sys.stdout.isatty(),
        )
        self.notebooks = self.add_task("notebooks", total=total)
        self.advance(self.notebooks, 0)  # the speed counts from now

    def finish_one(self) -> None:
        """Count one more notebook."""
        self.advance(self.notebooks)

    def time_left(self) -> str:
        """The estimate for a line of text; "" while there is none, and where the bar shows it."""
        seconds = self.tasks[0].time_remaining
        if not (self.disable and seconds):
            return ""
        return f" · about {seconds:.0f} s left" if seconds < 100 else f" · about {seconds / 60:.0f} min left"
