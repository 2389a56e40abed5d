"""What a server keeps of its answers: in a journal before they leave, and from there in a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deepen.core.errors import DeepenError
from deepen.core.types import Prediction
from deepen.data.masking import check_digits
from deepen.monitoring.journal import Journal
from deepen.monitoring.record import masked, record_of
from deepen.monitoring.store import open_store
from deepen.serving.answering import answered
from deepen.serving.metrics import Metrics
from deepen.serving.settings import ServeSettings

_DRAINED = 1.0  # seconds between two drains
_JOURNAL = "deepen-journal"
_READ = ("probabilities", "entities", "skipped")


class Log:
    """The log of a server.

    Args:
        url: The database, as `open_store` takes it.
        say: Told when the database can't be written, and when it can be again.
        mask: Whether inputs are masked before anything is made of them, as before the model.

    Raises:
        SettingError: If the database can't be reached or the journal not be written.
    """

    def __init__(
        self, url: str, settings: ServeSettings, metrics: Metrics, say: Callable[[str], None], *, mask: bool = False
    ) -> None:
        self._mask = mask
        if settings.log_texts or mask:
            check_digits()  # says now what masking lacks, not at the first answer
        self._store, self._metrics, self._say, self._texts = open_store(url), metrics, say, settings.log_texts
        file = self._store.engine.url.database if self._store.engine.dialect.name == "sqlite" else None
        self.folder = Path(settings.log_journal or (f"{file}.journal" if file else _JOURNAL))
        self._journal = Journal(self.folder, fsync=settings.log_fsync)
        self._task: asyncio.Task[None] | None = None
        self._reached = True
        metrics.log_reached.set(1)

    async def keep(
        self, who: str, run: str, about: Mapping[str, Any], rows: Sequence[dict[str, Any]], answers: Sequence[bytes]
    ) -> None:
        """Puts the answers to a request into the journal. Where that is full they are counted, and go out all the same.

        Args:
            who: The id of a key; empty where none is needed.
            about: What the run is, as its process told.
            rows: What was asked, as it came.
            answers: A JSON object a row.
        """

        def append() -> int:
            records = []
            for row, answer in zip(rows, answers, strict=True):
                said = answered(answer)
                shown: dict[str, Any] = {name: said.get(name) for name in _READ}
                prediction = Prediction("", said.get("output"), said.get("answered_by") or about["rung"], **shown)
                inputs = masked(row) if self._mask else row
                of: dict[str, Any] = {"run": run, "model": about["model"], "version": about.get("version")}
                records.append(record_of(prediction, who=who, inputs=inputs, keep_text=self._texts, **of))
            return self._journal.extend(records)

        self._metrics.unlogged.inc(len(rows) - await asyncio.to_thread(append))

    def start(self) -> None:
        """Drains from now on."""
        self._task = asyncio.create_task(self._drain_on())

    async def stop(self) -> None:
        """Drains once more, and closes the database."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._drain()
        self._store.close()

    async def _drain_on(self) -> None:
        while True:
            await asyncio.sleep(_DRAINED)
            await asyncio.shield(self._drain())

    async def _drain(self) -> None:
        try:
            drained = await asyncio.to_thread(self._journal.drain, self._store.put)
        except (DeepenError, OSError) as error:
            if self._reached:
                self._say(f"  warning: {error}; answers wait in {self.folder} until it is back")
            self._reached = False
        else:
            if drained.damaged:
                self._say(f"  warning: {drained.damaged} damaged lines in {self.folder}, kept there as *.damaged")
            if not self._reached:
                self._say("  the log can be written again")
            self._reached = True
        self._metrics.log_reached.set(self._reached)
