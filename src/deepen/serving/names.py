"""What the queue calls the jobs of a model process; no run's name has a stroke in it."""

from __future__ import annotations

from collections.abc import Iterable

SCORES, VECTORS, MASK, TALK = "/scores", "/vectors", "/mask", "/talk"


def job_names(runs: Iterable[str]) -> list[str]:
    """The names of the jobs of runs: answers, scores, vectors, and answers that are told while they are written."""
    return [run + job for run in runs for job in ("", SCORES, VECTORS, TALK)]


def run_of(job: str) -> str:
    """The run that a job is of; empty if of none."""
    return job.partition("/")[0]
