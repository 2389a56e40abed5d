"""A progress bar with rate and time left on stderr, for work over two seconds; silent when not a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from deepen.core.cells import printable
from deepen.core.language import told

_QUIET_SECONDS = 2.0


class Advance(Protocol):
    """Called with the number of units done since the last call."""

    def __call__(self, amount: float = 1) -> None:
        """Moves the bar on."""


@contextmanager
def progress(title: str, total: float | None = None, *, unit: str = "rows") -> Iterator[Advance]:
    """Shows how far work is (`total` None: not known); gives a function to call with the units just done."""
    if not sys.stderr.isatty():
        yield lambda amount=1: None
        return
    began = time.monotonic()
    bar = None
    task = None
    done = 0.0

    def advance(amount: float = 1) -> None:
        nonlocal bar, task, done
        done += amount
        if bar is None and time.monotonic() - began >= _QUIET_SECONDS:
            bar = _bar(told(unit))
            task = bar.add_task(printable(told(title)), total=total, completed=done)
            bar.start()
        elif bar is not None:
            bar.update(task, completed=done)

    try:
        yield advance
    finally:
        if bar is not None:
            bar.stop()


def _bar(unit: str):  # type: ignore[no-untyped-def]
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    class Rate(TextColumn):
        def render(self, task):  # type: ignore[no-untyped-def]
            speed = task.finished_speed or task.speed or 0
            return self.text_format.format(speed=speed) if speed else ""

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        Rate("{speed:,.0f} " + unit + "/s"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
