"""Whether an answer is the one that is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def differs(answer: Mapping[str, Any], known: Mapping[str, Any], tolerance: float) -> str | None:
    """In what an answer is another one than is known; None if in nothing.

    Args:
        answer: Of a server.
        known: As it should be.
        tolerance: By how much a probability or a score may be another.
    """
    if answer.get("skipped") != known.get("skipped"):
        return "it is not answered" if "skipped" in answer else "it is answered now"
    if known.get("probabilities") is not None:
        there, wanted = answer.get("probabilities") or {}, known["probabilities"]
        gaps = [abs(there.get(label, 0.0) - value) for label, value in wanted.items()]
        return None if max(gaps, default=0.0) <= tolerance else f"a probability differs by {max(gaps):.3g}"
    said, wanted = answer.get("output"), known.get("output")
    if isinstance(wanted, float):
        gap = abs(said - wanted) if isinstance(said, int | float) else float("inf")
        return None if gap <= tolerance * max(1.0, abs(wanted)) else f"a score differs by {gap:.3g}"
    return None if said == wanted else "the output is another"
