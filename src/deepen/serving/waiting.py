"""What waits for a model process: a bounded queue that gives out batches, of one run and of so many tokens."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deepen.serving.pace import Pace
from deepen.serving.problems import RefusedError
from deepen.serving.settings import ServeSettings


@dataclass(eq=False)
class Piece:
    """Rows of one request that are answered together. `tries` counts the processes that were lost over them."""

    run: str
    rows: list[dict[str, Any]]
    tokens: int
    answers: asyncio.Future[list[bytes]]
    came: float = field(default_factory=time.perf_counter)
    how: Mapping[str, Any] = field(default_factory=dict)
    """What the request wishes of its answers."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Of the model that answered."""
    tries: int = 0
    waited: float = 0.0
    seconds: float = 0.0
    """In the model process, with the rest of its batch."""
    parts: asyncio.Queue[str | None] | None = None
    """Where an answer is told while it is written, None at its end; such a piece is a batch by itself."""


class Waiting:
    """Pieces in the order in which they came, by run; for each process also those that it alone must answer."""

    def __init__(self, runs: list[str], num_processes: int, settings: ServeSettings) -> None:
        self.settings, self.num_processes = settings, num_processes
        self.paces = {run: Pace() for run in runs}
        self.num_rows = 0
        self._tokens = dict.fromkeys(runs, 0)
        self._pieces: dict[str, deque[Piece]] = {run: deque() for run in runs}
        self._own: dict[int, deque[Piece]] = {slot: deque() for slot in range(num_processes)}
        self._again: deque[Piece] = deque()
        self._idle: dict[int, asyncio.Future[None]] = {}

    def budget(self, run: str) -> int:
        """Tokens of a batch: of so many seconds, or where a batch costs as much by itself, of twice that."""
        pace = self.paces[run]
        return min(self.settings.batch_tokens, pace.tokens_within(max(self.settings.batch_seconds, 2 * pace.start)))

    def forecast(self) -> float:
        """Seconds until what waits is answered."""
        return sum(map(self._forecast, self._pieces)) / self.num_processes

    def _forecast(self, run: str) -> float:
        tokens, pace, budget = self._tokens[run], self.paces[run], self.budget(run)
        return pace.slope * tokens + pace.start * math.ceil(tokens / budget)

    def check(self, num_rows: int) -> None:
        """Whether there is room for so many more rows; an empty queue has room for any request.

        Raises:
            RefusedError: 429, with the time after which there should be.
        """
        if self.num_rows == 0:
            return
        seconds = self.forecast()
        if self.num_rows + num_rows > self.settings.waiting_rows or seconds > self.settings.waiting_seconds:
            raise RefusedError(429, "too many requests wait already", after=math.ceil(seconds))

    def put(self, piece: Piece, *, slot: int | None = None) -> None:
        """Lets a piece wait.

        Args:
            slot: The process that must answer it, before all others; None is any.
        """
        if slot is not None:
            self._own[slot].append(piece)
        else:
            self._pieces[piece.run].append(piece)
            self._count(piece, 1)
        self.wake(slot)

    def put_back(self, piece: Piece) -> None:
        """Lets a piece wait again whose process was lost: it goes first, and by itself, so it takes no others along."""
        self._again.append(piece)
        self.wake(None)

    def drop_own(self, slot: int, error: Exception) -> None:
        """Answers what only this process could answer."""
        while self._own[slot]:
            piece = self._own[slot].popleft()
            if not piece.answers.done():
                piece.answers.set_exception(error)

    def wake(self, slot: int | None) -> None:
        """Lets a process that waits look again; None is any of those that wait."""
        for number in [slot] if slot is not None else list(self._idle):
            idle = self._idle.pop(number, None)
            if idle is not None:
                idle.set_result(None)
                return

    async def take(self, slot: int) -> list[Piece]:
        """The next batch for a process; waits until there is one, or `wake` is called for it, and then it is empty."""
        batch = self._next(slot)
        if not batch:
            self._idle[slot] = asyncio.get_running_loop().create_future()
            try:
                await self._idle[slot]
            finally:
                self._idle.pop(slot, None)
            batch = self._next(slot)
        now = time.perf_counter()
        for piece in batch:
            piece.waited = now - piece.came
        return batch

    def _next(self, slot: int) -> list[Piece]:
        for queue in (self._own[slot], self._again):
            while queue:
                piece = queue.popleft()
                if not piece.answers.done():
                    return [piece]
        while any(self._pieces.values()):
            run = min(
                (run for run, pieces in self._pieces.items() if pieces), key=lambda run: self._pieces[run][0].came
            )
            batch = self._batch(run)
            if batch:
                return batch
        return []

    def _batch(self, run: str) -> list[Piece]:
        pieces, left = self._pieces[run], self.budget(run)
        batch: list[Piece] = []
        while pieces and (not batch or (pieces[0].tokens <= left and pieces[0].parts is None)):
            piece = pieces.popleft()
            self._count(piece, -1)
            if not piece.answers.done():  # else its client has gone
                batch.append(piece)
                left -= piece.tokens
        return batch

    def _count(self, piece: Piece, sign: int) -> None:
        self.num_rows += sign * len(piece.rows)
        self._tokens[piece.run] += sign * piece.tokens
