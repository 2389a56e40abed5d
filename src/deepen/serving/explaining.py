"""Explanations as the front asks for them: one process of its own, so that no answer waits behind one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from deepen.core.errors import DeepenError
from deepen.serving.model_process import GoneError, ModelProcess
from deepen.serving.problems import RefusedError
from deepen.serving.settings import ServeSettings

_MOST_WAIT = 8  # requests
_NOT_THERE = "the process that explains is not there"


class Explainer:
    """The process that says why.

    Args:
        runs: Folders by name.
        settings: Limits.
        say: Told what a person should know.
    """

    def __init__(self, runs: Mapping[str, str], settings: ServeSettings, say: Callable[[str], None]) -> None:
        self._runs, self._settings, self._say = runs, settings, say
        self._explains: dict[str, bool] = {}
        self._process: ModelProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self._turn, self._waiting = asyncio.Lock(), 0

    def start(self) -> None:
        """Starts it; until it has read the runs and their training rows, it refuses."""
        self._task = asyncio.create_task(self._start())

    async def stop(self) -> None:
        """Ends it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._process is not None:
            await self._process.close()

    def explains(self, run: str) -> bool:
        """Whether it is there, and answers of a run can be explained."""
        return self._process is not None and self._explains[run]

    def check(self, run: str, num_rows: int) -> None:
        """Whether so many rows of a run can be explained now.

        Raises:
            RefusedError: 422 if they never can, 429 if too many wait, 503 if it is not there yet.
        """
        if not self._settings.explain:
            raise RefusedError(422, "this server explains nothing: --set explain=true at its start", field="explain")
        if num_rows > self._settings.explained_rows:
            raise RefusedError(422, f"{self._settings.explained_rows} rows are explained at a time", field="rows")
        if self._process is None:
            raise RefusedError(503, _NOT_THERE, after=5)
        if not self._explains[run]:
            raise RefusedError(422, "answers to this task can't be explained", field="explain")
        if self._waiting >= _MOST_WAIT:
            raise RefusedError(429, "too many explanations are asked for already", after=5)

    async def explain(self, run: str, rows: list[dict[str, Any]]) -> list[bytes]:
        """Explains rows, after `check`.

        Returns:
            A JSON object a row.

        Raises:
            RefusedError: 503 if it was lost over them.
        """
        self._waiting += 1
        try:
            async with self._turn:
                if self._process is None:  # it was lost while these waited
                    raise RefusedError(503, _NOT_THERE, after=5)
                _, found = await self._process.ask(run, rows, self._settings.explain_seconds)
        except GoneError as gone:
            self._process = None
            self._say(f"the process that explains: {gone}; it is replaced")
            self.start()
            raise RefusedError(503, "the process that explains was lost over these rows", after=5) from None
        finally:
            self._waiting -= 1
        return found

    async def _start(self) -> None:
        process = ModelProcess(self._runs, 1, explains=True)
        try:
            self._explains = await process.abouts()
        except BaseException as error:
            process.end()
            if isinstance(error, GoneError | DeepenError):
                self._say(f"  warning: no explanations: {error}")
                return
            raise
        self._process = process
