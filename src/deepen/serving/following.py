"""Runs of a registry, served as they are promoted: each change is fetched, tried, and takes over; or is taken back."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deepen.core.errors import DataError, DeepenError, ModelError, SettingError, one_line
from deepen.registry import promotions
from deepen.registry.place import Place, open_place
from deepen.registry.versions import Version, pull, version
from deepen.serving.metrics import Metrics
from deepen.serving.model_process import GoneError, Runs
from deepen.serving.pool import Pool

BY = "deepen serve"
"""Who goes back, in the history of a registry."""


@dataclass
class _Followed:
    """A name of the registry: the version that answers, and one that could not."""

    name: str
    stage: str
    """The word that is followed; empty if a number was named."""
    version: int
    before: int | None = None
    refused: int | None = None


class Following:
    """What is served from a registry.

    Args:
        url: The registry.
        references: As `NAME@production`, which is followed, or `NAME@3`.
        metrics: What is counted.
        say: Told of every change.

    Raises:
        DataError: If there is no such version, or it is damaged.
        SettingError: If the registry can't be reached, or a reference names no version.
    """

    def __init__(self, url: str, references: Sequence[str], metrics: Metrics, say: Callable[[str], None]) -> None:
        self._place: Place = open_place(url)
        self._metrics, self._say = metrics, say
        self._folder = Path(tempfile.mkdtemp(prefix="deepen-serve-"))
        self._followed: dict[str, _Followed] = {}
        self._wrong: dict[str, str] = {}
        self._looking = asyncio.Event()
        self._reached = True
        try:
            for reference in references:
                found = promotions.find(self._place, reference)
                if found.name in self._followed:
                    raise SettingError(f"--run: {found.name} is named twice, and one version of it can be served")
                stage = reference.partition("@")[2]
                self._followed[found.name] = _Followed(found.name, "" if stage.isdecimal() else stage, found.version)
                self._fetch(found)
        except BaseException:
            self.close()
            raise

    @property
    def runs(self) -> Runs:
        """What answers."""
        folders = {name: str(self._at(name, one.version)) for name, one in self._followed.items()}
        return Runs(folders, {name: one.version for name, one in self._followed.items()})

    def close(self) -> None:
        """Removes what was fetched."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def differs(self, run: str, why: str) -> None:
        """Takes notice that a run answers otherwise than it should."""
        if run in self._followed:
            self._wrong[run] = why
            self._looking.set()

    async def run(self, pool: Pool, swapped: Callable[[], None], seconds: float) -> None:
        """Follows, for ever.

        Args:
            swapped: Called when a version has taken over.
            seconds: Between two looks.
        """
        for one in self._followed.values():
            self._metrics.version.labels(one.name).set(one.version)
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._looking.wait(), seconds)
            self._looking.clear()
            for one in (one for one in self._followed.values() if one.stage):
                try:
                    await self._look(one, pool, swapped)
                except (DeepenError, OSError) as error:
                    if self._reached:
                        self._say(f"  warning: {one_line(str(error))}; {one.name}@{one.version} goes on meanwhile")
                    self._reached = False
                else:
                    self._reached = True

    async def _look(self, one: _Followed, pool: Pool, swapped: Callable[[], None]) -> None:
        if (why := self._wrong.get(one.name)) is not None:
            await self._go_back(one, one.version, why)
            self._wrong.pop(one.name, None)
        wanted = await asyncio.to_thread(promotions.current, self._place, one.name, one.stage)
        if wanted in (None, one.version):
            one.refused = None
        elif wanted != one.refused:
            await self._change(one, wanted, pool, swapped)

    async def _change(self, one: _Followed, wanted: int, pool: Pool, swapped: Callable[[], None]) -> None:
        """Lets another version take over, if its answers are those that it has stored."""
        self._say(f"  {one.name}@{one.stage} is {wanted} now: it is read beside {one.version}, which goes on meanwhile")
        found = await asyncio.to_thread(version, self._place, one.name, wanted)
        try:
            await asyncio.to_thread(self._fetch, found)
            folders = {**pool.runs.folders, one.name: str(self._at(one.name, wanted))}
            await pool.swap(Runs(folders, {**pool.runs.versions, one.name: wanted}))
        except (DataError, ModelError) as error:
            one.refused = wanted
            await self._go_back(one, wanted, str(error))
            return
        except (GoneError, SettingError) as error:  # this machine's fault, it may be
            one.refused = wanted
            self._say(f"  warning: {one.name}@{wanted} can't be served here: {error}; {one.version} goes on")
            return
        if one.before is not None and one.before != wanted:
            shutil.rmtree(self._at(one.name, one.before), ignore_errors=True)
        one.before, one.version, one.refused = one.version, wanted, None
        self._wrong.pop(one.name, None)
        self._metrics.version.labels(one.name).set(wanted)
        self._metrics.swaps.labels(one.name, "taken over").inc()
        swapped()
        self._say(f"  {one.name}@{wanted} answers")

    async def _go_back(self, one: _Followed, bad: int, why: str) -> None:
        """Goes back in the registry from a version that answers otherwise, unless somebody did so already."""
        said = one_line(why.replace(str(self._folder), "..."), 300)
        self._say(f"  {one.name}@{bad}: {said}")
        try:
            if await asyncio.to_thread(promotions.current, self._place, one.name, one.stage) != bad:
                return
            change = await asyncio.to_thread(
                promotions.rollback, self._place, one.name, to=one.stage, by=BY, why=f"version {bad}: {said}"
            )
        except (DeepenError, OSError) as error:
            self._say(f"  warning: {one.name}@{one.stage} could not be rolled back: {one_line(str(error))}")
            return
        self._metrics.swaps.labels(one.name, "rolled back").inc()
        self._say(f"  {one.name}@{one.stage} is {change.version} again: rolled back in the registry")

    def _fetch(self, wanted: Version) -> None:
        out = self._at(wanted.name, wanted.version)
        if not out.exists():
            self._say(f"  fetching {wanted.name}@{wanted.version}")
            pull(self._place, wanted, out)

    def _at(self, name: str, number: int) -> Path:
        return self._folder / f"{name}@{number}"
