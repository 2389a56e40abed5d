"""Explanations come from a process of their own: each takes as long as many answers, and none has to wait for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

from deepen.core.errors import DeepenError
from deepen.serving.model_process import GoneError, How, ModelProcess, Runs
from deepen.serving.pool import Answered, Pool
from deepen.serving.problems import RefusedError

_MOST_WAITING = 8
_LONGEST = 1_800.0  # seconds: the first explanation of a run reads all its training rows


class Explainer:
    """Answers rows with explanations, one request after the other. Its process starts with the first of them.

    Args:
        pool: Those that answer. Explanations are of the model itself, not of its export or of a cascade.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool, self._opening = pool, replace(pool.opening, export=False, cascade=None)
        self._read: Runs | None = None
        self._process: ModelProcess | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def answer(self, run: str, rows: list[dict[str, Any]], how: How) -> Answered:
        """Answers and explains rows.

        Raises:
            RefusedError: 422 if they are too many, 429 if too many wait, 503 if it takes too long or went wrong.
        """
        most = self._pool.settings.explained_rows
        if len(rows) > most:
            said = f"at most {most} rows of a request are explained" if most else "this server gives no explanations"
            raise RefusedError(422, said, field="explain")
        if self._waiting >= _MOST_WAITING:
            raise RefusedError(429, "too many requests wait for explanations", after=10)
        self._waiting += 1
        task = asyncio.create_task(self._explained(run, rows, how))
        task.add_done_callback(self._done)
        try:
            async with asyncio.timeout(self._pool.settings.request_seconds):
                return await asyncio.shield(task)
        except TimeoutError:
            said = "an explanation takes longer the first time, when the training rows are read: ask again"
            raise RefusedError(503, said, after=10) from None
        except (GoneError, DeepenError):
            raise RefusedError(503, "the process that explains was lost", after=1) from None

    def _done(self, task: asyncio.Task[Answered]) -> None:
        self._waiting -= 1
        if not task.cancelled():
            task.exception()  # whoever still waited was told

    async def _explained(self, run: str, rows: list[dict[str, Any]], how: How) -> Answered:
        loop = asyncio.get_running_loop()
        came = loop.time()
        async with self._turn:
            try:
                process = await self._started()
                waited = loop.time() - came
                header, answers = await process.ask(run, rows, _LONGEST, hows=[how] * len(rows))
            except BaseException:
                self._end()
                raise
            return Answered(answers, process.abouts[run], waited, header["seconds"])

    async def _started(self) -> ModelProcess:
        """The process, with the runs as they are served now."""
        runs = self._pool.runs
        if self._process is None or runs is not self._read:
            self._end()
            self._process, self._read = ModelProcess(runs, self._opening), runs
            await self._process.read()
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def stop(self) -> None:
        """Ends the process."""
        with suppress(RuntimeError):
            self._end()
