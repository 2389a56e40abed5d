"""What is counted, for Prometheus. Every label has few values: names of runs that are served, statuses."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        here = self._registry
        self._requests = Counter("deepen_requests", "Requests by run and status.", ["run", "status"], registry=here)
        self._seconds = Histogram(
            "deepen_request_seconds",
            "From the first byte of a request to its answer.",
            ["run"],
            buckets=_SECONDS,
            registry=here,
        )
        self._rows = Counter("deepen_rows", "Rows that went through a model.", ["run"], registry=here)
        self._failed = Counter("deepen_failed_rows", "Rows on which the model failed.", ["run"], registry=here)
        self._batch_rows = Histogram("deepen_batch_rows", "Rows of a batch.", ["run"], buckets=_ROWS, registry=here)
        self._batch_seconds = Histogram(
            "deepen_batch_seconds", "Of a batch in its model process.", ["run"], buckets=_SECONDS, registry=here
        )
        self.waiting = Gauge("deepen_waiting_rows", "Rows that wait for a model process.", registry=here)
        self.processes = Gauge("deepen_model_processes", "Model processes that take batches.", registry=here)
        self.lost = Counter("deepen_lost_model_processes", "Model processes that were replaced.", registry=here)
        self.canaries = Counter(
            "deepen_canaries", "Rows with known answers that were asked.", ["run", "result"], registry=here
        )
        self.unlogged = Counter("deepen_unlogged_rows", "Answers that went out and could not be logged.", registry=here)
        self.log_reached = Gauge("deepen_log_reached", "1 if the log's database took what was answered.", registry=here)
        self.expired = Gauge(
            "deepen_promise_expired", "1 if rows that came differ from those that back it.", ["run"], registry=here
        )
        self.version = Gauge("deepen_run_version", "In the registry, of what answers.", ["run"], registry=here)
        self.swaps = Counter(
            "deepen_swaps", "Versions that took over, or were rolled back.", ["run", "result"], registry=here
        )
        self.ready = Gauge("deepen_ready", "1 if every canary was answered as it should be.", registry=here)

    def request(self, run: str, status: int, seconds: float) -> None:
        """Counts a request; `run` is empty where it named none that is served."""
        self._requests.labels(run, str(status)).inc()
        self._seconds.labels(run).observe(seconds)

    def batch(self, run: str, rows: int, header: dict[str, Any]) -> None:
        """Counts a batch, with what its process says of it."""
        self._rows.labels(run).inc(rows)
        self._failed.labels(run).inc(header["failed"])
        self._batch_rows.labels(run).observe(rows)
        self._batch_seconds.labels(run).observe(header["seconds"])

    def text(self) -> bytes:
        """All of it in Prometheus' form."""
        return generate_latest(self._registry)
