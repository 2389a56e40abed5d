"""A model process as the front holds it: started, asked, ended."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from deepen.core import errors
from deepen.serving.messages import PART, STOP, hear, tell
from deepen.serving.process import work
from deepen.serving.settings import Opening

How = Mapping[str, Any]
"""What a request wishes of its answers: `explain`, `max_error`; see `answering.py`."""
_PATIENCE = 5.0  # seconds


@dataclass(frozen=True)
class Runs:
    """What is served.

    Attributes:
        folders: By name.
        versions: In the registry, by name; none of what is served from a folder.
    """

    folders: Mapping[str, str]
    versions: Mapping[str, int] = field(default_factory=dict)


class GoneError(Exception):
    """A process that ended, or that gave no answer in time and was ended."""


class ModelProcess:
    """One process with every run in it. A thread waits at its pipe, so the event loop never does.

    Args:
        runs: What it serves.
        opening: How they are read.
    """

    def __init__(self, runs: Runs, opening: Opening) -> None:
        self.abouts: dict[str, Any] = {}
        """What it serves, by name, once that is known."""
        self._versions = runs.versions
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._connection: Connection = ours
        self._process = context.Process(target=work, args=(theirs, dict(runs.folders), opening), daemon=True)
        self._process.start()
        theirs.close()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="deepen-pipe")

    @property
    def pid(self) -> int:
        """Its number in the system."""
        return int(self._process.pid or 0)

    async def read(self) -> dict[str, Any]:
        """Waits until the models are read; what it serves, by name.

        Raises:
            DeepenError: If a run can't be served, as the process says it.
            GoneError: If it ended before.
        """
        header, _ = await self._heard(None)
        if "error" in header:
            kind = getattr(errors, header["error"], errors.DeepenError)
            raise kind(header["message"])
        self.abouts = {run: {**about, "version": self._versions.get(run)} for run, about in header["runs"].items()}
        return self.abouts

    async def ask(
        self,
        run: str,
        rows: list[dict[str, Any]],
        timeout: float,
        *,
        hows: Sequence[How] = (),
        heard: Callable[[str], bool] | None = None,
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Lets it answer rows.

        Args:
            run: The name.
            timeout: Seconds without an answer, or a part of one, after which it is ended.
            hows: What is wished of each row; none if nothing of any.
            heard: Called in another thread with each part that it tells before the answer; whether anybody listens.

        Returns:
            How long it took, and the answers.

        Raises:
            GoneError: If there is no answer.
        """
        try:
            async with asyncio.timeout(timeout) as limit:
                loop = asyncio.get_running_loop()

                def wait_on() -> None:
                    if not limit.expired():
                        limit.reschedule(loop.time() + timeout)

                def listen(part: str) -> bool:
                    loop.call_soon_threadsafe(wait_on)
                    return heard is not None and heard(part)

                return await self._heard({"run": run, "rows": rows, "hows": list(hows)}, listen)
        except TimeoutError:
            self.end()
            raise GoneError("no answer in time") from None

    async def _heard(
        self, header: dict[str, Any] | None, listen: Callable[[str], bool] = lambda part: True
    ) -> tuple[dict[str, Any], list[bytes]]:
        def talk() -> tuple[dict[str, Any], list[bytes]]:
            if header is not None:
                tell(self._connection, header)
            while True:
                told = hear(self._connection)
                if PART not in told[0]:
                    return told
                if not listen(told[0][PART]):
                    tell(self._connection, STOP)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, talk)
        except (EOFError, OSError, ValueError, RuntimeError):  # the last, if it was ended before
            self.end()
            raise GoneError("it ended") from None

    async def close(self) -> None:
        """Lets it finish what it does, and end by itself; for a while."""
        with suppress(RuntimeError):  # it was ended before
            self._thread.submit(self._connection.close)
        await asyncio.to_thread(self._process.join, _PATIENCE)
        self.end()

    def end(self) -> None:
        """Ends it, whatever it does."""
        if self._process.is_alive():
            self._process.kill()
            self._process.join(1)
        with suppress(RuntimeError):  # it was ended before
            self._thread.submit(self._connection.close)  # when the thread has seen the end of the pipe
            self._thread.shutdown(wait=False)
