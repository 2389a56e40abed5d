"""The server asks itself rows whose answers are known, through its own door, and holds each model process to them."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

from deepen.serving.access import CANARY
from deepen.serving.differences import differs
from deepen.serving.messages import dumps
from deepen.serving.metrics import Metrics
from deepen.serving.pool import Lane, Pool

_ROWS = 4  # of one question
_LATE = 4  # times between two questions, and no news is bad news


class Canary:
    """Asks every process each run in turns, some rows at a time, and knows what is wrong.

    Args:
        pool: The processes.
        metrics: What is counted.
        own: What the server shows at its own door.
        tls: Whether it speaks TLS.
        differs: Told of a run that answers otherwise, and how.
    """

    def __init__(
        self, pool: Pool, metrics: Metrics, own: str, *, tls: bool, differs: Callable[[str, str], None] | None = None
    ) -> None:
        self._differs = differs
        self._pool, self._metrics, self._own = pool, metrics, own
        self._tls = _any_certificate() if tls else None
        self._agreed: dict[tuple[str, int], float] = {}
        self._task: asyncio.Task[None] | None = None
        self.draining = False

    def start(self, address: tuple[str, int]) -> None:
        """Begins to ask the server at this address."""
        self._task = asyncio.create_task(self._run(address))

    async def stop(self) -> None:
        """Asks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def wrong(self) -> list[str]:
        """What speaks against sending requests here; nothing if every process answers as it should."""
        if self.draining:
            return ["the server is being stopped"]
        found = [f"model process {lane.slot}: {lane.wrong}" for lane in self._pool.lanes if lane.wrong is not None]
        up = [lane for lane in self._pool.lanes if lane.is_up]
        if not up:
            found.append("no model process is up")
        settings = self._pool.settings
        oldest = time.monotonic() - max(_LATE * settings.canary_seconds, settings.stuck_seconds + 1)
        silent = [lane for lane in up if lane.heard < oldest]  # others are writing a long answer
        asked = [(run, lane.slot) for lane in silent for run in self._pool.abouts]
        late = [f"{run} on model process {slot}" for run, slot in asked if self._agreed.get((run, slot), 0.0) < oldest]
        return [*found, *(f"no known row was answered lately: {where}" for where in late)]

    async def _run(self, address: tuple[str, int]) -> None:
        for turn in count():
            began = time.monotonic()
            lanes = [lane for lane in self._pool.lanes if lane.is_up]
            await asyncio.gather(*(self._ask(address, run, lane, turn) for lane in lanes for run in self._pool.abouts))
            self._metrics.ready.set(not self.wrong())
            self._metrics.waiting.set(self._pool.waiting.num_rows)
            await asyncio.sleep(max(0.0, self._pool.settings.canary_seconds - (time.monotonic() - began)))

    async def _ask(self, address: tuple[str, int], run: str, lane: Lane, turn: int) -> None:
        known, process = self._pool.abouts[run]["known"], lane.process
        num = len(known["rows"])
        chosen = sorted({(_ROWS * turn + more) % num for more in range(_ROWS)})
        try:
            async with asyncio.timeout(self._pool.settings.request_seconds):
                rows = [known["rows"][at] for at in chosen]
                answers = await self._post(address, f"/v1/runs/{run}/predict", rows, lane.slot)
        except (OSError, ValueError, LookupError):  # no answer, or a problem
            answers = []
        if len(answers) != len(chosen) or process is not lane.process:  # it was replaced meanwhile, which is known
            self._metrics.canaries.labels(run, "unanswered").inc()
            return
        told = zip(answers, (known["answers"][at] for at in chosen), strict=True)
        whys = (differs(answer, wanted, known["tolerance"]) for answer, wanted in told)
        why = next((why for why in whys if why is not None), None)
        self._metrics.canaries.labels(run, "agrees" if why is None else "differs").inc()
        if why is None:
            self._agreed[run, lane.slot] = time.monotonic()
        else:
            lane.wrong = f"{run} answers otherwise than it should: {why}"
            assert process is not None  # noqa: S101 - the lane was up, and is as it was
            self._pool.lose(lane, process, lane.wrong)
            if self._differs is not None:
                self._differs(run, lane.wrong)

    async def _post(self, address: tuple[str, int], path: str, rows: list[dict[str, Any]], slot: int) -> list[Any]:
        body = dumps({"rows": rows})
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._own}\r\n{CANARY}: {slot}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection(*address, ssl=self._tls)
        try:
            writer.write(head.encode() + body)
            said = await reader.read()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        return list(json.loads(said.partition(b"\r\n\r\n")[2])["answers"])


def _any_certificate() -> ssl.SSLContext:
    """For talking with oneself, whose name is on no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
