"""What the chosen rung's predictions tell: what is taken for what, how sure it is when right, the surest mistakes."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import DataError
from deepen.core.files import read_jsonl
from deepen.core.ladder import Ladder
from deepen.evaluation.calibration import ReliabilityBin, confidence_bins
from deepen.reporting import words
from deepen.reporting.shown import shown

MOST_CLASSES_DRAWN = 30
"""Of more labels a matrix can't be read, so its largest cells are listed."""
_MOST_PAIRS = 20
_MOST_MISTAKES = 10
_MOST_CHARACTERS = 300
_OUTSIDE = "O"
_ANSWERED = ("an answer", "no answer")


@dataclass(frozen=True, slots=True)
class Answers:
    """What the chosen rung's predictions on `where` tell: how sure it is when right, and what is taken for what.

    `num_labelled` rows have a label and probabilities; `bins` are empty without these. `taken` counts how often one of
    the `labels`, which are in the order of the matrix, was taken for another, or for itself.
    """

    where: str
    num_labelled: int
    num_wrong: int
    bins: list[ReliabilityBin]
    mistakes: list[dict[str, Any]]
    labels: tuple[str, ...]
    taken: Mapping[tuple[str, str], int]

    @property
    def matrix_CC(self) -> np.ndarray | None:
        """Counts, row the label, column the decision; None if there is nothing to tell apart, or too much to draw."""
        if not self.taken or not 1 < len(self.labels) <= MOST_CLASSES_DRAWN:
            return None
        place = {label: at for at, label in enumerate(self.labels)}
        matrix_CC = np.zeros((len(place), len(place)), np.int64)
        for (label, output), times in self.taken.items():
            matrix_CC[place[label], place[output]] = times
        return matrix_CC

    @property
    def pairs(self) -> list[dict[str, Any]]:
        """The most frequent confusions, with the share of the label's examples; empty where a matrix can be drawn."""
        if len(self.labels) <= MOST_CLASSES_DRAWN:
            return []
        labelled: Counter[str] = Counter()
        for (label, _), times in self.taken.items():
            labelled[label] += times
        wrong = [(times, pair) for pair, times in self.taken.items() if pair[0] != pair[1]]
        place = {label: at for at, label in enumerate(self.labels)}
        wrong.sort(key=lambda item: (-item[0], place[item[1][0]], place[item[1][1]]))
        return [
            {"label": label, "output": output, "times": times, "share": times / labelled[label]}
            for times, (label, output) in wrong[:_MOST_PAIRS]
        ]


def read_answers(run: Path, ladder: Ladder) -> Answers | None:
    """Reads the chosen rung's predictions once. None if there are none."""
    for where in ("test", "validation"):
        path = run / "rungs" / str(ladder.chosen) / f"predictions-{where}.jsonl"
        if path.is_file():
            try:
                return _read(path, where, shown(ladder).confused, ladder.labels)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise DataError(f"{path} is damaged: a line in it is no prediction: {error}") from None
    return None


def _read(path: Path, where: str, confused: str, labels: Sequence[str]) -> Answers:
    confidences: list[float] = []
    rights: list[bool] = []
    surest: list[tuple[float, int, dict[str, Any]]] = []
    names = _told_apart(confused, labels)
    known, taken = set(names), Counter[tuple[str, str]]()
    for place, line in enumerate(read_jsonl(path)):
        taken.update(pair for pair in _pairs_of(confused, line) if known.issuperset(pair))
        probabilities = line.get("probabilities")
        if not probabilities or isinstance(line["output"], list) or line.get("target") not in probabilities:
            continue
        confidence = float(probabilities.get(str(line["output"]), max(probabilities.values())))
        if not math.isfinite(confidence):
            continue
        right = line["output"] == line["target"]
        confidences.append(confidence)
        rights.append(right)
        if not right:
            heapq.heappush(surest, (confidence, -place, line))
            if len(surest) > _MOST_MISTAKES:
                heapq.heappop(surest)
    mistakes = [_mistake(line, sure) for sure, _, line in sorted(surest, key=lambda item: item[:2], reverse=True)]
    bins = confidence_bins(np.array(confidences), np.array(rights)) if confidences else []
    if names == _ANSWERED and not any(label == _ANSWERED[1] for label, _ in taken):
        taken.clear()  # every question has an answer
    return Answers(where, len(rights), len(rights) - sum(rights), bins, mistakes, names, taken)


def _mistake(line: Mapping[str, Any], confidence: float) -> dict[str, Any]:
    inputs = (line.get("inputs") or {}).items()
    return {
        "inputs": [(key, words.shorten(value, _MOST_CHARACTERS)) for key, value in inputs],
        "target": line["target"],
        "output": line["output"],
        "probability": confidence,
    }


def _told_apart(confused: str, labels: Sequence[str]) -> tuple[str, ...]:
    """What can be taken for something else: labels, types of entities, or that there is an answer."""
    if confused == "tags":
        return (*dict.fromkeys(label[2:] for label in labels if label != _OUTSIDE), _OUTSIDE)
    if confused == "answered":
        return _ANSWERED
    return tuple(labels) if confused else ()


def _pairs_of(confused: str, line: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    target, output = line.get("target"), line.get("output")
    if confused == "answered":
        if target is not None:
            yield _ANSWERED[not any(target)], _ANSWERED[not output]
    elif confused == "tags":
        if isinstance(target, list) and isinstance(output, list) and len(target) == len(output):
            yield from ((_kind(label), _kind(said)) for label, said in zip(target, output, strict=True))
    elif isinstance(target, str) and isinstance(output, str):
        yield target, output


def _kind(tag: str) -> str:
    """The type of a tag, whichever of an entity's words has it."""
    return tag if tag == _OUTSIDE else tag[2:]
