from __future__ import annotations

import itertools
import random
import warnings

import numpy as np
import pytest

from deepen.evaluation.statistics import paired_bootstrap
from deepen.evaluation.tagging import decide, entities, entity_f1, entity_statistics, repair, tag_table, tagging_scores

TAGS = tag_table(["LOC", "PER", "ORG"])


def made(seed: int, *, num: int = 60, valid: bool = True) -> tuple[list[list[str]], np.ndarray, np.ndarray]:
    """Rows of random tags: as names, as one array, and where each row starts."""
    chance = random.Random(seed)
    rows = []
    for _ in range(num):
        row: list[str] = []
        for _ in range(chance.randint(1, 12)):
            tag = chance.choice(["O", "O", *TAGS])
            if valid and tag[0] == "I" and (not row or row[-1][1:] != tag[1:]):
                tag = "B" + tag[1:]
            row.append(tag)
        rows.append(row)
    flat = np.array([TAGS.index(tag) for row in rows for tag in row])
    return rows, flat, np.concatenate([[0], np.cumsum([len(row) for row in rows])])


def test_scores_are_those_of_seqeval_and_scikit_learn() -> None:
    from seqeval.metrics import f1_score, precision_score, recall_score
    from seqeval.scheme import IOB2
    from sklearn.metrics import f1_score as token_f1

    gold, gold_M, offsets = made(0)
    found, found_M, _ = made(0)
    for row, other in zip(found, made(1)[0], strict=True):  # a third of the rows is wrong in its own way
        if len(row) % 3 == 0:
            row[:] = (other * 12)[: len(row)]
    found_M = repair(np.array([TAGS.index(tag) for row in found for tag in row]), offsets)
    found = [[TAGS[tag] for tag in row] for row in np.split(found_M, offsets[1:-1])]
    scores = {(s.name, s.label): s for s in tagging_scores(found_M, gold_M, offsets, TAGS, seed=0)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, function in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
            strict = function(gold, found, mode="strict", scheme=IOB2)
            assert scores[f"entity_{name}", None].value == pytest.approx(strict, abs=1e-12)
            each = function(gold, found, mode="strict", scheme=IOB2, average=None)
            for kind, value in zip(["LOC", "ORG", "PER"], each, strict=True):
                assert scores[f"entity_{name}", kind].value == pytest.approx(value, abs=1e-12)
    for average in ("micro", "macro", "weighted"):
        value = token_f1(gold_M, found_M, average=average)
        assert scores[f"token_{average}_f1", None].value == pytest.approx(value, abs=1e-12)
    assert scores["token_accuracy", None].value == pytest.approx(float((gold_M == found_M).mean()))
    sums = entity_statistics(found_M, gold_M, offsets)
    assert entity_f1(sums.sum(0, keepdims=True))[0] == scores["entity_f1", None].value
    assert all(s.low is not None and s.low <= s.value <= (s.high or 1) for s in scores.values())
    assert paired_bootstrap(sums, sums, entity_f1, seed=0).interval.high == 0


def test_repair_reads_as_conlleval_does() -> None:
    from seqeval.metrics.sequence_labeling import get_entities  # its default mode is that of conlleval

    rows, wild_M, offsets = made(3, num=200, valid=False)
    found = entities(repair(wild_M, offsets), offsets)
    ours = [(int(s), int(e) - 1, TAGS[1 + 2 * k][2:]) for s, e, k in zip(*vars(found).values(), strict=True)]
    theirs = [
        (start + int(offset), end + int(offset), kind)
        for row, offset in zip(rows, offsets[:-1], strict=True)
        for kind, start, end in get_entities(row)
    ]
    assert ours == sorted(theirs)


def allowed(path: tuple[int, ...]) -> bool:
    pairs = zip((0, *path), path, strict=False)
    return all(tag % 2 or not tag or before in (tag, tag - 1) for before, tag in pairs)


def test_viterbi_finds_the_best_well_formed_tags() -> None:
    tags = tag_table("XY")
    chance = np.random.default_rng(0)
    lengths = [4, 1, 3, 4, 2] * 8
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    logits = chance.normal(size=(offsets[-1], len(tags))) * 2
    decided = decide(logits, offsets)
    for start, stop in itertools.pairwise(offsets):
        paths = (p for p in itertools.product(range(len(tags)), repeat=stop - start) if allowed(p))
        best = max(paths, key=lambda path: logits[np.arange(start, stop), path].sum())
        assert tuple(decided[start:stop]) == best
    repaired = decide(logits, offsets, how="repair")
    assert all(allowed(tuple(row)) for row in np.split(repaired, offsets[1:-1]))
    assert ((repaired + 1) // 2 == (logits.argmax(1) + 1) // 2).all()


def test_nothing_found_and_nothing_there() -> None:
    nothing = np.zeros(4, np.int64)
    scores = tagging_scores(nothing, nothing, np.array([0, 1, 4]), TAGS, seed=0)
    values = {s.name: s.value for s in scores if s.label is None}
    assert values["entity_f1"] == 0
    assert values["token_accuracy"] == values["token_macro_f1"] == 1
