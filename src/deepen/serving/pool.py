"""The model processes together: each takes batches from the queue; one that is lost is replaced."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deepen.core.errors import DeepenError, ModelError
from deepen.serving.differences import differs
from deepen.serving.metrics import Metrics
from deepen.serving.model_process import GoneError, How, ModelProcess, Runs
from deepen.serving.names import MASK, TALK, job_names, run_of
from deepen.serving.pace import Pace
from deepen.serving.problems import RefusedError
from deepen.serving.settings import Opening, ServeSettings
from deepen.serving.waiting import Piece, Waiting

_FIRST_SECONDS = 60.0  # for the first batch of a process
_SLOWER = 10  # times its forecast, and a batch is stuck
_MOST_TRIES = 2
_ANY: dict[str, Any] = {"model": None, "most_tokens": None}  # of a job that is no run's
_MASK_PACE = 1e-4  # seconds a token, until it is measured
_PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before a process is started, by how often it failed in a row


@dataclass
class Lane:
    """A place for a model process: its number, the process that is in it now, if it is up, and what is wrong."""

    slot: int
    process: ModelProcess | None = None
    wrong: str | None = None
    failures: int = 0
    heard: float = 0.0
    """When it told a part of an answer last."""

    @property
    def is_up(self) -> bool:
        """Whether it takes batches."""
        return self.process is not None


@dataclass(frozen=True)
class Answered:
    """Answers in the order of the rows, all by one model, with the seconds in which they waited and were made."""

    answers: list[bytes]
    about: Mapping[str, Any]
    waited: float
    seconds: float


class Pool:
    """N model processes and what waits for them.

    Args:
        runs: What is served.
        num_processes: N.
        opening: How they read the runs.
        settings: Limits.
        metrics: What is counted.
        say: Told what a person should know.
    """

    def __init__(
        self,
        runs: Runs,
        settings: ServeSettings,
        metrics: Metrics,
        *,
        num_processes: int,
        opening: Opening,
        say: Callable[[str], None],
    ) -> None:
        self.runs, self.opening, self.settings, self.metrics, self.say = runs, opening, settings, metrics, say
        self.waiting = Waiting([*job_names(runs.folders), MASK], num_processes, settings)
        self.waiting.paces[MASK] = Pace(seconds_a_token=_MASK_PACE)
        self.lanes = [Lane(slot) for slot in range(num_processes)]
        self.abouts: dict[str, Any] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._closing: asyncio.Future[Any] | None = None

    async def start(self) -> None:
        """Starts every process; the first one says what is served.

        Raises:
            DeepenError: If a run can't be served, as its process says.
        """
        made = [ModelProcess(self.runs, self.opening) for _ in self.lanes]
        try:
            await _all_read(made)
        except GoneError:
            raise ModelError("a model process ended while it read the runs: is there enough memory?") from None
        self._take_over(made)
        self._tasks = [asyncio.create_task(self._run(lane)) for lane in self.lanes]

    async def swap(self, runs: Runs) -> None:
        """Starts processes with other folders behind the same names, which then take over, all at once.

        What is being answered at that moment is answered by the old ones; nothing is lost.

        Args:
            runs: What is served from then on, by the same names.

        Raises:
            DeepenError: If one of them can't be served, or reads something else than clients send; the old ones stay.
            GoneError: If a process ended over it; so they do too.
        """
        made: list[ModelProcess] = []
        try:
            for _ in self.lanes:  # one after the other: beside them others are answering
                made.append(ModelProcess(runs, self.opening))
                await _all_read(made[-1:])
            for run, about in made[0].abouts.items():
                if about["inputs"] != self.abouts[run]["inputs"]:
                    raise ModelError(f"{run} reads other inputs than the one before it, which clients would not send")
        except BaseException:
            for process in made:
                process.end()
            raise
        old = [lane.process for lane in self.lanes if lane.process is not None]
        self.runs = runs
        self._take_over(made)
        self._closing = asyncio.gather(*(process.close() for process in old))  # when each has answered what it has

    def _take_over(self, made: list[ModelProcess]) -> None:
        self.abouts = made[0].abouts
        for run, about in self.abouts.items():
            self.metrics.expired.labels(run).set(0)
            self.waiting.paces |= {job: Pace() for job in job_names([run])}
            rows = [_tokens(row, about["most_tokens"]) for row in about["known"]["rows"]]
            for num_rows, seconds in about["pace"]:
                for job in job_names([run]):
                    self.waiting.paces[job].learn(sum(rows[at % len(rows)] for at in range(num_rows)), seconds)
        for lane, process in zip(self.lanes, made, strict=True):
            process.abouts = self.abouts  # they are alike; one of them is told when a promise expires
            lane.process, lane.wrong, lane.failures = process, None, 0
        self.metrics.processes.set(len(made))

    async def stop(self) -> None:
        """Ends every process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(lane.process.close() for lane in self.lanes if lane.process is not None))
        if self._closing is not None:
            await self._closing

    async def answer(
        self, run: str, rows: list[dict[str, Any]], *, how: How | None = None, slot: int | None = None
    ) -> Answered:
        """Answers rows.

        Args:
            run: Its name, or that of another job (`names.py`).
            how: What is wished of the answers.
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
        pieces = await self._answered(run, rows, how or {}, slot)
        if len({piece.about["model"] for piece in pieces}) > 1:  # there was a swap between them
            pieces = await self._answered(run, rows, how or {}, slot)
        waited, seconds = (max(getattr(piece, name) for piece in pieces) for name in ("waited", "seconds"))
        answers = [answer for piece in pieces for answer in piece.answers.result()]
        return Answered(answers, pieces[0].about, waited, seconds)

    async def _answered(self, run: str, rows: list[dict[str, Any]], how: How, slot: int | None) -> list[Piece]:
        pieces = self._pieces(run, rows, how)
        for piece in pieces:
            self.waiting.put(piece, slot=slot)
        try:
            async with asyncio.timeout(self.settings.request_seconds):
                await asyncio.gather(*(piece.answers for piece in pieces))
        except TimeoutError:
            raise RefusedError(503, "no model process could answer in time", after=5) from None
        finally:
            for piece in pieces:
                piece.answers.cancel()  # nobody waits for what is left of it
        return pieces

    async def talk(self, run: str, row: dict[str, Any], *, tokens: int) -> AsyncGenerator[str | Answered]:
        """An answer while it is written.

        Args:
            run: Its name.
            row: What is asked, as `talking.py` reads it.
            tokens: About how many it reads and writes.

        Yields:
            Parts of the answer, and at last what `talking.py` says of all of it.

        Raises:
            RefusedError: 429 if too much waits, 503 if no process could do it.
        """
        if not any(lane.is_up for lane in self.lanes):
            raise RefusedError(503, "the model is being read again", after=5)
        self.waiting.check(1)
        parts: asyncio.Queue[str | None] = asyncio.Queue()
        piece = Piece(run + TALK, [row], tokens, asyncio.get_running_loop().create_future(), parts=parts)
        piece.answers.add_done_callback(lambda _: parts.put_nowait(None))
        self.waiting.put(piece)
        try:
            while True:
                async with asyncio.timeout(self.settings.request_seconds):  # without a word
                    part = await parts.get()
                if part is None:
                    break
                yield part
            yield Answered(piece.answers.result(), piece.about, piece.waited, piece.seconds)
        except TimeoutError:
            raise RefusedError(503, "no model process could answer in time", after=5) from None
        finally:
            piece.answers.cancel()  # and so its process is told that nobody listens

    def _pieces(self, run: str, rows: list[dict[str, Any]], how: How) -> list[Piece]:
        """Rows in pieces that each fit into a batch."""
        most, budget = self.abouts.get(run_of(run), _ANY)["most_tokens"], self.waiting.budget(run)
        new = asyncio.get_running_loop().create_future
        pieces: list[Piece] = []
        for row in rows:
            tokens = _tokens(row, most)
            if not pieces or pieces[-1].tokens + tokens > budget:
                pieces.append(Piece(run, [], 0, new(), how=how))
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
        hows = [piece.how for piece in batch for _ in piece.rows]
        forecast = self.waiting.paces[run].seconds(tokens)
        try:
            patience = max(self.settings.stuck_seconds, _SLOWER * forecast)
            heard = _listener(lane, batch[0])
            header, answers = await process.ask(run, rows, patience, hows=hows, heard=heard)
        except GoneError as gone:
            self.lose(lane, process, str(gone))
            for piece in batch:
                self._again(piece)
            return
        self.waiting.paces[run].learn(tokens, header["seconds"])
        self.metrics.batch(run, len(rows), header)
        if header["expired"] is not None:
            self._expire(run, process.abouts[run], header["expired"])
        lane.failures = 0
        at = 0
        for piece in batch:
            piece.seconds, piece.about = header["seconds"], process.abouts.get(run_of(run), _ANY)
            if not piece.answers.done():
                piece.answers.set_result(answers[at : at + len(piece.rows)])
            at += len(piece.rows)

    def _expire(self, run: str, about: dict[str, Any], why: str) -> None:
        """Takes notice that the promise of a cascade holds no longer; each process watches what it answers itself."""
        if not about["promise"]["expired"]:
            about["promise"] |= {"expired": True, "why": why}
            self.metrics.expired.labels(run).set(1)
            self.say(f"  warning: the promise of --cascade does not hold for what is asked of {run}: {why}")

    def _again(self, piece: Piece) -> None:
        piece.tries += 1
        if piece.answers.done():
            return
        if piece.tries < _MOST_TRIES:
            self.waiting.put_back(piece)
        else:
            piece.answers.set_exception(RefusedError(503, "the model process was lost over these rows", after=1))

    def lose(self, lane: Lane, process: ModelProcess, why: str) -> None:
        """Takes a process out of service; its lane starts another one, if it is not there already."""
        process.end()
        if lane.process is not process:
            return
        lane.process = None
        lane.failures += 1
        self.metrics.lost.inc()
        self.metrics.processes.set(sum(one.is_up for one in self.lanes))
        self.say(f"model process {lane.slot}: {why}; it is replaced")
        self.waiting.drop_own(lane.slot, RefusedError(503, "the model process was lost", after=1))
        self.waiting.wake(lane.slot)

    async def _start(self, lane: Lane) -> None:
        await asyncio.sleep(_PAUSES[min(lane.failures - 1, len(_PAUSES) - 1)])
        if lane.process is not None:  # there was a swap
            return
        runs, process = self.runs, ModelProcess(self.runs, self.opening)
        try:
            await process.read()
            await self._check(process)
        except (GoneError, DeepenError) as error:
            process.end()
            if runs is not self.runs:
                return
            lane.failures += 1
            lane.wrong = f"it can't be replaced{f': {error}' if isinstance(error, _ChangedError) else ''}"
            self.say(f"model process {lane.slot} can't be replaced: {error}")
            return
        except BaseException:
            process.end()
            raise
        if runs is not self.runs:  # there was a swap meanwhile, and the lane has its process
            process.end()
            return
        process.abouts = self.abouts
        lane.process, lane.wrong = process, None
        self.metrics.processes.set(sum(one.is_up for one in self.lanes))

    async def _check(self, process: ModelProcess) -> None:
        """Whether a process that comes in place of another one serves the same models, and answers as they do."""
        for run, about in self.abouts.items():
            if process.abouts[run]["model"] != about["model"]:
                raise _ChangedError(f"the folder of {run} holds another model than when the server was started")
            known = about["known"]
            _, answers = await process.ask(run, known["rows"], _FIRST_SECONDS)
            for line, wanted in zip(answers, known["answers"], strict=True):
                why = differs(json.loads(line), wanted, known["tolerance"])
                if why is not None:
                    raise _ChangedError(f"{run} answers otherwise than it should: {why}")


def _listener(lane: Lane, piece: Piece) -> Callable[[str], bool]:
    """What is called with parts of an answer, in the thread that hears them; whether its client is still there."""
    loop = asyncio.get_running_loop()

    def heard(part: str) -> bool:
        lane.heard = time.monotonic()
        if part:
            piece.tries = _MOST_TRIES  # what was told can't be told anew by another process
        if piece.parts is not None:
            loop.call_soon_threadsafe(piece.parts.put_nowait, part)
        return not piece.answers.done()

    return heard


async def _all_read(made: list[ModelProcess]) -> None:
    """Waits until processes have read their runs; ends all of them if one can't."""
    try:
        for process in made:
            await process.read()
    except BaseException:
        for process in made:
            process.end()
        raise


class _ChangedError(DeepenError):
    """A model that must not answer; what is said of it may be told to clients."""


def _tokens(row: Mapping[str, Any], most: int | None) -> int:
    """About how many tokens a row has: four bytes each, no more than are read."""
    texts = [text for value in row.values() for text in ([value] if isinstance(value, str) else value)]
    lengths = [2 + len(text.encode(errors="replace")) // 4 for text in texts]
    return sum(lengths) if most is None else sum(min(length, most) for length in lengths)
