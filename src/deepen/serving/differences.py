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
        return _gap("a probability", answer.get("probabilities") or {}, known["probabilities"], tolerance)
    if known.get("entities"):  # whether the best of them is an answer may hang on a threshold
        return _gap("an entity", _scores(answer.get("entities") or []), _scores(known["entities"]), tolerance)
    said, wanted = answer.get("output"), known.get("output")
    if isinstance(wanted, float):
        told = {"": said} if isinstance(said, int | float) else {}
        return _gap("a score", told, {"": wanted}, tolerance * max(1.0, abs(wanted)))
    return None if said == wanted else "the output is another"


def _gap(what: str, there: Mapping[Any, float], wanted: Mapping[Any, float], tolerance: float) -> str | None:
    gap = max((abs(there.get(name, float("inf")) - value) for name, value in wanted.items()), default=0.0)
    return None if gap <= tolerance else f"{what} is another" if gap == float("inf") else f"{what} differs by {gap:.3g}"


def _scores(entities: list[dict[str, Any]]) -> dict[Any, float]:
    return {(entity["start"], entity["end"], entity["label"]): entity["score"] for entity in entities}
