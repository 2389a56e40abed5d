"""The model processes together: each takes batches from the queue; one that is lost is replaced."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deepen.core.errors import DeepenError, ModelError
from deepen.serving.differences import differs
from deepen.serving.metrics import Metrics
from deepen.serving.model_process import GoneError, ModelProcess
from deepen.serving.names import MASK, job_names, run_of
from deepen.serving.pace import Pace
from deepen.serving.problems import RefusedError
from deepen.serving.settings import ServeSettings
from deepen.serving.waiting import Piece, Waiting

_FIRST_SECONDS = 60.0  # for the first batch of a process
_SLOWER = 10  # times its forecast, and a batch is stuck
_MOST_TRIES = 2
_ANY = {"most_tokens": None}
_MASK_PACE = 1e-4  # seconds a token, until it is measured
_PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before a process is started, by how often it failed in a row


@dataclass
class Lane:
    """A place for a model process: its number, the process that is in it now, if it is up, and what is wrong."""

    slot: int
    process: ModelProcess | None = None
    wrong: str | None = None
    failures: int = 0

    @property
    def is_up(self) -> bool:
        """Whether it takes batches."""
        return self.process is not None


@dataclass(frozen=True)
class Answered:
    """Answers in the order of the rows, with the seconds in which they waited and were made."""

    answers: list[bytes]
    waited: float
    seconds: float


class Pool:
    """N model processes and what waits for them.

    Args:
        runs: Folders by name.
        num_processes: N.
        num_threads: Of one computation in one of them.
        settings: Limits.
        metrics: What is counted.
        say: Told what a person should know.
    """

    def __init__(
        self,
        runs: Mapping[str, str],
        settings: ServeSettings,
        metrics: Metrics,
        *,
        num_processes: int,
        num_threads: int,
        say: Callable[[str], None],
    ) -> None:
        self.runs, self.num_threads, self.settings, self.metrics, self.say = runs, num_threads, settings, metrics, say
        self.waiting = Waiting([*job_names(runs), MASK], num_processes, settings)
        self.waiting.paces[MASK] = Pace(seconds_a_token=_MASK_PACE)
        self.lanes = [Lane(slot) for slot in range(num_processes)]
        self.abouts: dict[str, Any] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Starts every process; the first one says what is served.

        Raises:
            DeepenError: If a run can't be served, as its process says.
        """
        made = [ModelProcess(self.runs, self.num_threads) for _ in self.lanes]
        try:
            found = [await process.abouts() for process in made]
        except BaseException as error:
            for process in made:
                process.end()
            if isinstance(error, GoneError):
                raise ModelError("a model process ended while it read the runs: is there enough memory?") from None
            raise
        self.abouts = found[0]
        for run, about in self.abouts.items():
            rows = [_tokens(row, about["most_tokens"]) for row in about["known"]["rows"]]
            for num_rows, seconds in about["pace"]:
                for job in job_names([run]):
                    self.waiting.paces[job].learn(sum(rows[at % len(rows)] for at in range(num_rows)), seconds)
        for lane, process in zip(self.lanes, made, strict=True):
            lane.process = process
            self._tasks.append(asyncio.create_task(self._run(lane)))
        self.metrics.processes.set(len(made))

    async def stop(self) -> None:
        """Ends every process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(lane.process.close() for lane in self.lanes if lane.process is not None))

    async def answer(self, run: str, rows: list[dict[str, Any]], *, slot: int | None = None) -> Answered:
        """Answers rows.

        Args:
            run: Its name, or that of another job (`names.py`).
            slot: The process that must do it, before all else; None is any, when it is their turn.

        Returns:
            The answers.

        Raises:
            RefusedError: 429 if too much waits, 503 if no process could do it.
        """
        if slot is None:
            if not any(lane.is_up for lane in self.lanes):
                raise RefusedError(503, "the model is being read again", after=5)
            self.waiting.check(len(rows))
        pieces = self._pieces(run, rows)
        for piece in pieces:
            self.waiting.put(piece, slot=slot)
        try:
            async with asyncio.timeout(self.settings.request_seconds):
                found = await asyncio.gather(*(piece.answers for piece in pieces))
        except TimeoutError:
            raise RefusedError(503, "no model process could answer in time", after=5) from None
        finally:
            for piece in pieces:
                piece.answers.cancel()  # nobody waits for what is left of it
        waited, seconds = (max(getattr(piece, name) for piece in pieces) for name in ("waited", "seconds"))
        return Answered([answer for some in found for answer in some], waited, seconds)

    def _pieces(self, run: str, rows: list[dict[str, Any]]) -> list[Piece]:
        """Rows in pieces that each fit into a batch."""
        most, budget = self.abouts.get(run_of(run), _ANY)["most_tokens"], self.waiting.budget(run)
        new = asyncio.get_running_loop().create_future
        pieces: list[Piece] = []
        for row in rows:
            tokens = _tokens(row, most)
            if not pieces or pieces[-1].tokens + tokens > budget:
                pieces.append(Piece(run, [], 0, new()))
            pieces[-1].rows.append(row)
            pieces[-1].tokens += tokens
        return pieces

    async def _run(self, lane: Lane) -> None:
        while True:
            if lane.process is None:
                await self._start(lane)
            while lane.process is not None:
                batch = await self.waiting.take(lane.slot)
                if lane.process is not None and batch:
                    await self._batch(lane, lane.process, batch)
                else:  # it was lost while it waited
                    for piece in batch:
                        self.waiting.put_back(piece)

    async def _batch(self, lane: Lane, process: ModelProcess, batch: list[Piece]) -> None:
        run, tokens = batch[0].run, sum(piece.tokens for piece in batch)
        rows = [row for piece in batch for row in piece.rows]
        forecast = self.waiting.paces[run].seconds(tokens)
        try:
            header, answers = await process.ask(run, rows, max(self.settings.stuck_seconds, _SLOWER * forecast))
        except GoneError as gone:
            self.lose(lane, str(gone))
            for piece in batch:
                self._again(piece)
            return
        self.waiting.paces[run].learn(tokens, header["seconds"])
        self.metrics.batch(run, len(rows), header)
        lane.failures = 0
        at = 0
        for piece in batch:
            piece.seconds = header["seconds"]
            if not piece.answers.done():
                piece.answers.set_result(answers[at : at + len(piece.rows)])
            at += len(piece.rows)

    def _again(self, piece: Piece) -> None:
        piece.tries += 1
        if piece.answers.done():
            return
        if piece.tries < _MOST_TRIES:
            self.waiting.put_back(piece)
        else:
            piece.answers.set_exception(RefusedError(503, "the model process was lost twice over these rows", after=1))

    def lose(self, lane: Lane, why: str) -> None:
        """Takes a process out of service; its lane starts another one."""
        if lane.process is None:
            return
        lane.process.end()
        lane.process = None
        lane.failures += 1
        self.metrics.lost.inc()
        self.metrics.processes.set(sum(one.is_up for one in self.lanes))
        self.say(f"model process {lane.slot}: {why}; it is replaced")
        self.waiting.drop_own(lane.slot, RefusedError(503, "the model process was lost", after=1))
        self.waiting.wake(lane.slot)

    async def _start(self, lane: Lane) -> None:
        await asyncio.sleep(_PAUSES[min(lane.failures - 1, len(_PAUSES) - 1)])
        process = ModelProcess(self.runs, self.num_threads)
        try:
            await self._check(process, await process.abouts())
        except (GoneError, DeepenError) as error:
            process.end()
            lane.failures += 1
            lane.wrong = f"it can't be replaced{f': {error}' if isinstance(error, _ChangedError) else ''}"
            self.say(f"model process {lane.slot} can't be replaced: {error}")
            return
        except BaseException:
            process.end()
            raise
        lane.process, lane.wrong = process, None
        self.metrics.processes.set(sum(one.is_up for one in self.lanes))

    async def _check(self, process: ModelProcess, abouts: dict[str, Any]) -> None:
        """Whether a process that comes in place of another one serves the same models, and answers as they do."""
        for run, about in self.abouts.items():
            if abouts[run]["model"] != about["model"]:
                raise _ChangedError(f"the folder of {run} holds another model than when the server was started")
            known = about["known"]
            _, answers = await process.ask(run, known["rows"], _FIRST_SECONDS)
            for line, wanted in zip(answers, known["answers"], strict=True):
                why = differs(json.loads(line), wanted, known["tolerance"])
                if why is not None:
                    raise _ChangedError(f"{run} answers otherwise than it should: {why}")


class _ChangedError(DeepenError):
    """A model that must not answer; what is said of it may be told to clients."""


def _tokens(row: Mapping[str, Any], most: int | None) -> int:
    """About how many tokens a row has: four bytes each, no more than are read."""
    texts = [text for value in row.values() for text in ([value] if isinstance(value, str) else value)]
    lengths = [2 + len(text.encode(errors="replace")) // 4 for text in texts]
    return sum(lengths) if most is None else sum(min(length, most) for length in lengths)
