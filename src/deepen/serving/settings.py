"""What can be chosen about a server."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from deepen.core.settings import Settings
from deepen.monitoring.journal import Fsync


@dataclass(frozen=True)
class Opening:
    """How a model process reads its runs.

    Attributes:
        num_threads: Of one computation.
        mask: Whether personal data is masked in every text, also for runs that were trained without.
        cascade: The share of answers that stay the same where cheaper rungs answer what they may; None asks the chosen
            rung alone.
        export: Whether an export that is faster answers in place of the model.
    """

    num_threads: int = 1
    mask: bool = False
    cascade: float | None = None
    export: bool = True


class ServeSettings(Settings):
    """How a server holds out under load. Seconds are wall time."""

    batch_seconds: float = Field(default=0.1, gt=0)
    """A batch is filled with as many tokens as a model process reads in this time, so nobody waits long for another."""
    batch_tokens: int = Field(default=16_384, ge=1)
    """And with this many at most: memory."""
    waiting_seconds: float = Field(default=5.0, gt=0)
    """When what waits would take longer than this, more is refused with 429: an early no is better than a late one."""
    waiting_rows: int = Field(default=4_096, ge=1)
    """And when this many rows wait."""
    request_seconds: float = Field(default=30.0, gt=0)
    """A request that nobody could answer for so long, since processes are being replaced, gets 503."""
    request_rows: int = Field(default=1_000, ge=1)
    """Rows of one request."""
    request_bytes: int = Field(default=8 << 20, ge=1)
    """Bytes of one request's body."""
    body_seconds: float = Field(default=10.0, gt=0)
    """Within which a request's headers must have come, and then its body: slow clients hold no place."""
    connections: int = Field(default=1_000, ge=1)
    """Clients at a time."""
    stuck_seconds: float = Field(default=3.0, gt=0)
    """A model process without an answer for so long (or ten times what its batch should take) is replaced."""
    canary_seconds: float = Field(default=1.0, gt=0)
    """Between two questions whose answers are known, to every model process."""
    export: bool = True
    """Whether the first start of a run folder with a network exports it into RUN/export, and answers by an export that
    is faster."""
    registry_seconds: float = Field(default=2.0, gt=0)
    """Between two looks into the registry, whether another version stands behind the word."""
    explained_rows: int = Field(default=10, ge=0)
    """Rows of one request that are explained; with 0, none. Explanations show training rows."""
    log_texts: bool = False
    """Whether the log keeps texts too, masked."""
    log_fsync: Fsync = "second"
    """When an answer in the journal is safe from a loss of power; `each` is before it leaves."""
    log_journal: str = ""
    """The journal's folder; empty is beside the database of SQLite, else `deepen-journal` here."""
