"""Where and how a climb runs, whatever is learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Context:
    """Where and how a climb runs.

    Attributes:
        folder: The run's.
        say: Prints a line for the user.
        deadline: The moment (`time.monotonic`) at which the budget is spent; None without one.
        reached: The validation score of the encoder below; None where there is none.
        start: The model folder that trained rungs start from in place of the rung below; None is that.
        finished: A model folder that a rung takes as it is, with nothing to train; None trains.
    """

    folder: Path
    seed: int
    say: Callable[[str], None]
    deadline: float | None = None
    reached: float | None = None
    start: Path | None = None
    finished: Path | None = None

    def rung_folder(self, name: str) -> Path:
        """Where a rung keeps its files."""
        return self.folder / "rungs" / name
