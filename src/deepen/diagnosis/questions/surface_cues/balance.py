"""Against a length that a model leans on: rows of other labels made as long, with what the model learned of long rows.

Shape legend: N training rows, S surplus rows, W windows of all of them, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepen.core.cells import write_csv
from deepen.data.near import row_texts
from deepen.data.words import insert_words, split_words
from deepen.diagnosis.questions.surface_cues.find import Cue
from deepen.diagnosis.questions.surface_cues.rows import Known, run_of

# Of the training rows, at most this share is written anew.
_MOST = 0.15
_WINDOWS_A_ROW = 6


@dataclass(frozen=True)
class _Telling:
    """A surplus row, the places of its words, and where the window starts that tells its label most."""

    text: str
    places: list[tuple[int, int]]
    start: int


def write_lengthened(known: Known, cue: Cue, path: Path) -> None:
    """Writes rows of other labels made as long, until the label is no more frequent among long rows than elsewhere.

    They get runs of words of the surplus rows, from where a head takes them for the label only because it has learned
    those rows, and stand where they stood there: at an end, or in between. The CSV has the inputs and the label of each
    row, for `--add`.
    """
    rng = known.case.rng("surface_cues", "lengthened", cue.text, cue.label)
    surplus = known.surplus(cue)
    others = rng.permutation(np.flatnonzero((known.labels_N != cue.label) & (known.lengths_N < cue.shortest)))
    wanted = round(len(surplus) * (1 - cue.expected) / max(cue.expected, 1e-9))
    chosen = np.sort(others[: min(wanted, round(_MOST * len(known.labels_N)))])
    part = known.train.take(chosen)
    size = known.usually_missing(cue)
    telling = _telling(known, cue, surplus, size)
    texts = []
    for text in row_texts(part):
        source = telling[int(rng.integers(len(telling)))]
        goal = int(known.lengths_N[int(rng.choice(surplus))])
        texts.append(_lengthened(text, source, size, goal, rng))
    changed = part.table.texts[0]
    columns = [texts if name == changed else list(part.values(name)) for name in part.table.inputs]
    labels = [known.case.labels[label] for label in known.labels_N[chosen]]
    write_csv(path, [[*part.table.inputs, "label"], *zip(*columns, labels, strict=True)])


def _telling(known: Known, cue: Cue, surplus: np.ndarray, size: int) -> list[_Telling]:
    """The half of the surplus rows whose label is told most by something that the twin does not know, and where."""
    rows: list[_Telling] = []
    owners: list[int] = []
    for owner, text in enumerate(row_texts(known.train.take(surplus))):
        places = split_words(text)
        for start in np.unique(np.linspace(0, max(0, len(places) - size), _WINDOWS_A_ROW).astype(int)).tolist():
            rows.append(_Telling(text, places, start))
            owners.append(owner)
    if not rows or not known.has_encoder:
        return rows
    runs = [run_of(one.text, one.places, one.start, size) for one in rows]
    features_WF = known.encode(known.train.take(surplus[owners]), runs)
    twin = known.without(surplus)
    gaps_W = known.head.scores(features_WF, cue.label) - np.maximum(twin.scores(features_WF, cue.label), 0)
    best: dict[int, int] = {}
    for at in np.argsort(-gaps_W, kind="stable").tolist():
        best.setdefault(owners[at], at)
    return [rows[at] for at in list(best.values())[: -(-len(best) // 2)]]


def _lengthened(text: str, source: _Telling, size: int, goal: int, rng: np.random.Generator) -> str:
    """A text with so many words of a surplus row that it has `goal` words, those of its window among them."""
    num, there = len(split_words(text)), len(source.places)
    size, missing = min(size, there), min(max(size, goal - num), there)
    start = min(max(0, source.start - (missing - size) // 2), there - missing)
    place = num if start + missing == there else 0 if start == 0 else int(rng.integers(num + 1))
    return insert_words(text, run_of(source.text, source.places, start, missing), place)
