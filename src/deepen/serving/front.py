"""The front: what every request goes through, whatever its route."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from deepen.core.errors import nearest
from deepen.serving.access import Door
from deepen.serving.bodies import AnyAddressed, Body, checked
from deepen.serving.canary import Canary
from deepen.serving.explaining import Explainer
from deepen.serving.keys import Key
from deepen.serving.log import Log
from deepen.serving.messages import KNOWN, REFUSED
from deepen.serving.metrics import Metrics
from deepen.serving.model_process import How
from deepen.serving.names import VECTORS
from deepen.serving.pool import Answered, Pool
from deepen.serving.problems import RefusedError
from deepen.serving.reading import read_body

Row = dict[str, Any]


@dataclass
class Front:
    """What answers requests."""

    pool: Pool
    door: Door
    canary: Canary
    metrics: Metrics
    explainer: Explainer
    log: Log | None = None
    bodies: dict[str, Body] = field(default_factory=dict)

    def learn_runs(self) -> None:
        """Makes the bodies that the runs want, once it is known what they are."""
        most = self.pool.settings.request_rows
        self.bodies = {
            run: Body(about["inputs"], most, wishes=about["wishes"]) for run, about in self.pool.abouts.items()
        }

    def check(self, run: str, *, field: str | None = None) -> None:
        """Whether a run is served.

        Args:
            run: Its name, as a client said it.
            field: Where in the body.

        Raises:
            RefusedError: 404 if not.
        """
        if run not in self.bodies:
            raise RefusedError(404, f"there is no run '{run[:60]}' here; {nearest(run, self.bodies)}", field=field)

    async def opened(self, request: Request, kind: type[AnyAddressed]) -> tuple[Key | None, str, AnyAddressed]:
        """Who asks, which run, and what: a key first, then the body, then whether the key may ask that run.

        Raises:
            RefusedError: If any of it is not as it must be.
        """
        key = self.door.enter(request, None)
        asked = checked(kind, await read_body(request, self.pool.settings))
        run = next(iter(self.bodies)) if asked.model is None else asked.model
        if key is not None and not key.may("predict", run):
            raise RefusedError(403, "this key has not the scope predict")
        self.check(run, field="model")
        request.scope["deepen.run"] = run
        return key, run, asked

    def allow(self, key: Key | None, num_rows: int, *, field: str) -> None:
        """Counts so many rows.

        Args:
            key: Who asks.
            num_rows: How many.
            field: Where in the body they are.

        Raises:
            RefusedError: 422 if they are too many for one request, 429 for the key.
        """
        most = self.pool.settings.request_rows
        if num_rows > most:
            raise RefusedError(422, f"a request may have {most:,} rows", field=field)
        self.door.spend(key, num_rows)

    async def ask(
        self,
        key: Key | None,
        run: str,
        rows: list[Row],
        *,
        job: str = "",
        how: How | None = None,
        slot: int | None = None,
    ) -> Answered:
        """Lets a model process answer rows that are allowed, and logs what it says of them.

        Args:
            key: Who asks.
            job: What is asked of the run (`names.py`); empty is its answers.
            how: What is wished of the answers.
            slot: The process that must do it, where the server asks itself.

        Returns:
            The answers.

        Raises:
            RefusedError: 422 if a wish can't be granted; others if nobody can answer now.
        """
        if how and how.get("explain"):
            answered = await self.explainer.answer(run, rows, how)
        else:
            answered = await self.pool.answer(run + job, rows, how=how if slot is None else KNOWN, slot=slot)
        for answer in answered.answers:
            if answer.startswith(REFUSED):
                said = json.loads(answer)
                raise RefusedError(422, said["refused"], field=said["field"])
        if self.log is not None and slot is None and job != VECTORS:
            await self.log.keep("" if key is None else key.id, run, answered.about, rows, answered.answers)
        return answered


def records(answers: Sequence[bytes]) -> list[dict[str, Any]]:
    """Answers as records."""
    return [dict(json.loads(line)) for line in answers]
