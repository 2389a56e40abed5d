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
from deepen.evaluation.statistics import f1, resampled_score, resampled_sums, share

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
    2003 does. They agree wherever the most probable tags are well-formed.
    """
    labels_M = np.asarray(logits_MC).argmax(1)
    if how == "repair":
        return repair(labels_M, offsets_N1)
    rows = np.unique(rows_of(np.flatnonzero(_dangling(labels_M, offsets_N1)), offsets_N1))
    lengths = np.diff(offsets_N1)[rows]
    rows = rows[np.argsort(-lengths, kind="stable")]
    for start in range(0, len(rows), 256):
        _viterbi(logits_MC, offsets_N1, rows[start : start + 256], labels_M)
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
    starts, lengths = np.asarray(offsets_N1)[rows], np.diff(offsets_N1)[rows]
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


def matched(found: Entities, among: Entities) -> np.ndarray:
    """Which entities of `found` are also among the others, with the same ends and type."""
    places = np.searchsorted(among.starts_E, found.starts_E)
    inside = places < len(among.starts_E)
    right_E = np.zeros(len(found.starts_E), bool)
    at = places[inside]
    right_E[inside] = (
        (among.starts_E[at] == found.starts_E[inside])
        & (among.ends_E[at] == found.ends_E[inside])
        & (among.types_E[at] == found.types_E[inside])
    )
    return right_E


def rows_of(units: np.ndarray, offsets_N1: np.ndarray) -> np.ndarray:
    """The example that each of these units is of."""
    return np.searchsorted(offsets_N1, units, side="right") - 1


def entity_statistics(decided_M: np.ndarray, labels_M: np.ndarray, offsets_N1: np.ndarray) -> np.ndarray:
    """Right, decided and true entities of each example, (N, 3): what entity F1 is summed from."""
    num_types = (max(int(decided_M.max(initial=0)), int(labels_M.max(initial=0))) + 1) // 2
    counts_NS = _entity_counts(decided_M, labels_M, offsets_N1, num_types)
    return counts_NS.reshape(len(counts_NS), 3, num_types).sum(2).astype(np.float64)


def entity_f1(sums_BK: np.ndarray) -> np.ndarray:
    """Entity F1 from summed `entity_statistics`; 0 where there is no entity at all."""
    return f1(*sums_BK.T)


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
    entities_NS = _entity_counts(decided_M, labels_M, offsets_N1, num_types)
    stats_NS = np.concatenate([entities_NS, _token_counts(decided_M, labels_M, offsets_N1, num_tags)], axis=1)
    sums_BS = resampled_sums(stats_NS, seed=seed)
    by_type = np.split(sums_BS[:, : 3 * num_types], 3, axis=1)
    by_tag = np.split(sums_BS[:, 3 * num_types :], 3, axis=1)
    num_tokens = int(by_tag[2][0].sum())
    scores = _entity_scores(*(counts_BK.sum(1) for counts_BK in by_type))
    scores += [resampled_score(name, values_B, num_tokens) for name, values_B in _token_values(*by_tag).items()]
    for index, kind in enumerate(types_of(tags)):
        scores += _entity_scores(*(counts_BK[:, index] for counts_BK in by_type), label=kind)
    return scores


def _entity_scores(
    right_B: np.ndarray, decided_B: np.ndarray, true_B: np.ndarray, *, label: str | None = None
) -> list[Score]:
    decided, true = int(decided_B[0]), int(true_B[0])
    return [
        resampled_score("entity_precision", share(right_B, decided_B), decided, label=label),
        resampled_score("entity_recall", share(right_B, true_B), true, label=label),
        resampled_score("entity_f1", f1(right_B, decided_B, true_B), true, label=label),
    ]


def _token_values(right_BC: np.ndarray, decided_BC: np.ndarray, true_BC: np.ndarray) -> dict[str, np.ndarray]:
    f1_BC = f1(right_BC, decided_BC, true_BC)
    micro_B = share(right_BC.sum(1), true_BC.sum(1))
    return {
        "token_accuracy": micro_B,
        "token_micro_f1": micro_B,
        "token_macro_f1": share(f1_BC.sum(1), ((decided_BC + true_BC) > 0).sum(1)),
        "token_weighted_f1": share((f1_BC * true_BC).sum(1), true_BC.sum(1)),
    }


def _entity_counts(decided_M: np.ndarray, labels_M: np.ndarray, offsets_N1: np.ndarray, num_types: int) -> np.ndarray:
    """Right, decided and true entities of each type in each example, shape (N, 3K)."""
    gold, found = entities(labels_M, offsets_N1), entities(decided_M, offsets_N1)
    right_E = matched(found, gold)
    columns = (
        (found.starts_E[right_E], found.types_E[right_E]),
        (found.starts_E, found.types_E),
        (gold.starts_E, gold.types_E),
    )
    return _tables([(rows_of(units, offsets_N1), types) for units, types in columns], len(offsets_N1) - 1, num_types)


def _token_counts(decided_M: np.ndarray, labels_M: np.ndarray, offsets_N1: np.ndarray, num_tags: int) -> np.ndarray:
    """Right, decided and true tokens of each tag in each example, shape (N, 3C)."""
    scored = np.flatnonzero(np.asarray(labels_M) >= 0)
    rows, true, decided = rows_of(scored, offsets_N1), labels_M[scored], decided_M[scored]
    right = true == decided
    return _tables([(rows[right], true[right]), (rows, decided), (rows, true)], len(offsets_N1) - 1, num_tags)


def _tables(parts: Iterable[tuple[np.ndarray, np.ndarray]], num_rows: int, num_columns: int) -> np.ndarray:
    """How often each pair of a row and a column occurs, one table beside the other."""
    shape, least = (num_rows, num_columns), num_rows * num_columns
    tables = [np.bincount(rows * num_columns + columns, minlength=least).reshape(shape) for rows, columns in parts]
    return np.concatenate(tables, axis=1).astype(np.float32)
