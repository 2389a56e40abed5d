"""Tags of IOB2: decoding that never gives an ill-formed sequence, entities, and their scores with intervals.

Labels are numbered so that the scheme can be read from the number: 0 is `O`, 2k + 1 is `B-` and 2k + 2 `I-` of type k
(`tag_table`). Everything works on all units of all examples at once. Start with `decide` and `tagging_scores`.

Shape legend: N examples, M units, C = 2K + 1 tags of K types, E entities, B resamples, S statistics of an example.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from deepen.core.types import Score
from deepen.evaluation.statistics import resample, resampled_score, share

Decoding = Literal["viterbi", "repair"]


def tag_table(types: Iterable[str]) -> tuple[str, ...]:
    """The tags of these entity types, in the order that a model's outputs have.

    Example:
        >>> tag_table(["PER", "LOC"])
        ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
    """
    return ("O", *(f"{mark}-{kind}" for kind in sorted(set(types)) for mark in "BI"))


def types_of(tags: Sequence[str]) -> list[str]:
    """The entity types of a tag table, in its order."""
    return [tag[2:] for tag in tags[1::2]]


@dataclass(frozen=True)
class Entities:
    """Entities in the order of their units: first unit, unit after the last, type."""

    starts_E: np.ndarray
    ends_E: np.ndarray
    types_E: np.ndarray


def decide(logits_MC: np.ndarray, offsets_N1: np.ndarray, *, how: Decoding = "viterbi") -> np.ndarray:
    """One tag a unit; every `I-` goes on an entity of its type.

    `viterbi` gives the most probable well-formed sequence, taking units as independent; `repair` takes each unit's most
    probable tag and reads an `I-` that follows nothing of its type as the start of an entity, as the script of CoNLL
    2003 does. They agree wherever the most probable tags are well-formed. `how` is `viterbi` or `repair`.
    """
    labels_M = np.asarray(logits_MC).argmax(1)
    wrong_M = _dangling(labels_M, offsets_N1)
    if how == "repair":
        return labels_M - wrong_M
    rows = np.unique(np.searchsorted(offsets_N1, np.flatnonzero(wrong_M), side="right") - 1)
    lengths = np.asarray(offsets_N1)[rows + 1] - np.asarray(offsets_N1)[rows]
    rows = rows[np.argsort(-lengths, kind="stable")]
    for some in np.array_split(rows, max(1, -(-len(rows) // 256))):
        if len(some):
            _viterbi(logits_MC, offsets_N1, some, labels_M)
    return labels_M


def repair(labels_M: np.ndarray, offsets_N1: np.ndarray) -> np.ndarray:
    """The labels with every `I-` that follows nothing of its type turned into `B-`."""
    return np.asarray(labels_M - _dangling(labels_M, offsets_N1))


def _dangling(labels_M: np.ndarray, offsets_N1: np.ndarray) -> np.ndarray:
    """Which units are an `I-` whose type is not that of the unit before, in the same example."""
    kinds_M = (np.asarray(labels_M) + 1) // 2
    before_M = np.concatenate([[0], kinds_M[:-1]])
    before_M[np.asarray(offsets_N1[:-1])[np.asarray(offsets_N1[:-1]) < len(before_M)]] = 0
    return (labels_M > 0) & (labels_M % 2 == 0) & (before_M != kinds_M)


def _viterbi(logits_MC: np.ndarray, offsets_N1: np.ndarray, rows: np.ndarray, labels_M: np.ndarray) -> None:
    """Writes the best well-formed labels of some rows, longest first, into `labels_M`."""
    starts = np.asarray(offsets_N1)[rows]
    lengths = np.asarray(offsets_N1)[rows + 1] - starts
    num_tags = logits_MC.shape[1]
    inside = np.arange(2, num_tags, 2)
    back = np.zeros((lengths[0], len(rows), num_tags), np.int32)
    best_RC = np.asarray(logits_MC[starts], np.float64).copy()
    best_RC[:, inside] = -np.inf
    for step in range(1, int(lengths[0])):
        alive = int(np.searchsorted(-lengths, -step, side="left"))
        before_RC = best_RC[:alive]
        top_R = before_RC.argmax(1)
        came_RC = np.repeat(top_R[:, None], num_tags, 1)
        came_RC[:, inside] = np.where(before_RC[:, inside] >= before_RC[:, inside - 1], inside, inside - 1)
        back[step, :alive] = came_RC
        best_RC[:alive] = np.take_along_axis(before_RC, came_RC, 1) + logits_MC[starts[:alive] + step]
    at_R = best_RC.argmax(1)
    for step in range(int(lengths[0]) - 1, -1, -1):
        alive = int(np.searchsorted(-lengths, -step, side="left"))
        labels_M[starts[:alive] + step] = at_R[:alive]
        at_R[:alive] = back[step, np.arange(alive), at_R[:alive]]


def entities(labels_M: np.ndarray, offsets_N1: np.ndarray) -> Entities:
    """The entities of well-formed labels; below 0 counts as outside. None reaches over the end of an example."""
    labels_M = np.maximum(labels_M, 0)
    starts_E = np.flatnonzero(labels_M % 2 == 1)
    stops = np.concatenate([np.flatnonzero((labels_M == 0) | (labels_M % 2 == 1)), np.asarray(offsets_N1)])
    stops = np.unique(stops)
    ends_E = stops[np.searchsorted(stops, starts_E, side="right")] if len(starts_E) else starts_E
    return Entities(starts_E, ends_E, labels_M[starts_E] // 2)


def _matched(gold: Entities, found: Entities) -> np.ndarray:
    """Which entities of `found` are in `gold`, with the same ends and type."""
    places = np.searchsorted(gold.starts_E, found.starts_E)
    inside = places < len(gold.starts_E)
    right_E = np.zeros(len(found.starts_E), bool)
    at = places[inside]
    right_E[inside] = (
        (gold.starts_E[at] == found.starts_E[inside])
        & (gold.ends_E[at] == found.ends_E[inside])
        & (gold.types_E[at] == found.types_E[inside])
    )
    return right_E


def entity_statistics(decided_M: np.ndarray, labels_M: np.ndarray, offsets_N1: np.ndarray) -> np.ndarray:
    """Right, decided and true entities of each example, (N, 3): what entity F1 is summed from."""
    gold, found = entities(labels_M, offsets_N1), entities(decided_M, offsets_N1)
    num = len(offsets_N1) - 1
    parts = (found.starts_E[_matched(gold, found)], found.starts_E, gold.starts_E)
    return np.stack([np.bincount(_rows(starts, offsets_N1), minlength=num) for starts in parts], 1).astype(np.float64)


def entity_f1(sums_BK: np.ndarray) -> np.ndarray:
    """Entity F1 from summed `entity_statistics`; 0 where there is no entity at all."""
    return share(2 * sums_BK[:, 0], sums_BK[:, 1] + sums_BK[:, 2])


def _rows(units: np.ndarray, offsets_N1: np.ndarray) -> np.ndarray:
    return np.searchsorted(offsets_N1, units, side="right") - 1


def tagging_scores(
    decided_M: np.ndarray, labels_M: np.ndarray, offsets_N1: np.ndarray, tags: Sequence[str], *, seed: int
) -> list[Score]:
    """Every score of a tagger: of entities, of tokens, and of the entities of each type.

    An entity is right if its first unit, its last and its type are (seqeval's strict mode in IOB2, the script of CoNLL
    2003). Token scores are over all tags, `O` too, as scikit-learn has them: macro is the mean over the tags that occur
    among labels or decisions, weighted by how often each is the label. They flatter: most tokens are `O`. Decisions are
    well-formed; units below 0 have no token score. Intervals are bootstrapped over examples. `n` counts decided
    entities for precision, true ones for recall and F1, tokens for token scores.
    """
    num_types, num_tags = (len(tags) - 1) // 2, len(tags)
    stats_NS = np.concatenate(
        [
            _entity_counts(decided_M, labels_M, offsets_N1, num_types),
            _token_counts(decided_M, labels_M, offsets_N1, num_tags),
        ],
        axis=1,
    )
    total_S = stats_NS.sum(0)
    values = _values(np.concatenate([total_S[None], resample(stats_NS, seed=seed)]), num_types)
    _, decided, true = np.split(total_S[: 3 * num_types], 3)
    tokens = int(total_S[3 * num_types + 2 * num_tags :].sum())
    sizes = {"entity_precision": decided, "entity_recall": true, "entity_f1": true}
    scores = []
    for name, value_B in values.items():
        if value_B.ndim == 1:
            n = int(sizes[name].sum()) if name in sizes else tokens
            scores.append(resampled_score(name, value_B, n))
    for index, kind in enumerate(types_of(tags)):
        for name in ("entity_precision", "entity_recall", "entity_f1"):
            of_type_B = values[f"{name} by type"][:, index]
            scores.append(resampled_score(name, of_type_B, int(sizes[name][index]), label=kind))
    return scores


def _entity_counts(decided_M: np.ndarray, labels_M: np.ndarray, offsets_N1: np.ndarray, num_types: int) -> np.ndarray:
    """Right, decided and true entities of each type in each example, shape (N, 3K)."""
    gold, found = entities(labels_M, offsets_N1), entities(decided_M, offsets_N1)
    matched = _matched(gold, found)
    columns = (
        (found.starts_E[matched], found.types_E[matched]),
        (found.starts_E, found.types_E),
        (gold.starts_E, gold.types_E),
    )
    return np.concatenate(
        [_table(_rows(u, offsets_N1), kinds, len(offsets_N1) - 1, num_types) for u, kinds in columns], 1
    )


def _token_counts(decided_M: np.ndarray, labels_M: np.ndarray, offsets_N1: np.ndarray, num_tags: int) -> np.ndarray:
    """Right, decided and true tokens of each tag in each example, shape (N, 3C)."""
    scored = np.flatnonzero(np.asarray(labels_M) >= 0)
    rows, true, decided = _rows(scored, offsets_N1), labels_M[scored], decided_M[scored]
    right = true == decided
    columns = ((rows[right], true[right]), (rows, decided), (rows, true))
    return np.concatenate([_table(r, tags, len(offsets_N1) - 1, num_tags) for r, tags in columns], 1)


def _table(rows: np.ndarray, columns: np.ndarray, num_rows: int, num_columns: int) -> np.ndarray:
    cells = np.bincount(rows * num_columns + columns, minlength=num_rows * num_columns)
    return cells.reshape(num_rows, num_columns).astype(np.float32)


def _values(sums_BS: np.ndarray, num_types: int) -> dict[str, np.ndarray]:
    """Every score from summed counts, shape (B,); those by type have shape (B, K)."""
    right_BK, decided_BK, true_BK = np.split(sums_BS[:, : 3 * num_types], 3, axis=1)
    right_BC, said_BC, gold_BC = np.split(sums_BS[:, 3 * num_types :], 3, axis=1)
    right_B, decided_B, true_B = right_BK.sum(1), decided_BK.sum(1), true_BK.sum(1)
    f1_BC = share(2 * right_BC, said_BC + gold_BC)
    micro_B = share(right_BC.sum(1), gold_BC.sum(1))
    return {
        "entity_precision": share(right_B, decided_B),
        "entity_recall": share(right_B, true_B),
        "entity_f1": share(2 * right_B, decided_B + true_B),
        "token_accuracy": micro_B,
        "token_micro_f1": micro_B,
        "token_macro_f1": share(f1_BC.sum(1), ((said_BC + gold_BC) > 0).sum(1)),
        "token_weighted_f1": share((f1_BC * gold_BC).sum(1), gold_BC.sum(1)),
        "entity_precision by type": share(right_BK, decided_BK),
        "entity_recall by type": share(right_BK, true_BK),
        "entity_f1 by type": share(2 * right_BK, decided_BK + true_BK),
    }
