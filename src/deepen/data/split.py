"""Holds rows out for validation, once or fold by fold, copies together.

Shape legend: N rows, G groups of rows, C labels.
"""

from __future__ import annotations

import hashlib

import numpy as np

from deepen.core.errors import DataError
from deepen.core.seed import derive
from deepen.data.near import components
from deepen.data.table import Part


def content_hashes(part: Part) -> np.ndarray:
    """A hash of each row's inputs that case and white space don't change; equal hashes are copies. uint64 (N,)."""
    hashes_N = np.empty(len(part), dtype=np.uint64)
    blake = hashlib.blake2b
    for row, texts in enumerate(zip(*(part.values(name) for name in part.table.texts), strict=True)):
        folded = "\x1f".join(" ".join((text or "").casefold().split()) for text in texts)
        hashes_N[row] = int.from_bytes(blake(folded.encode(), digest_size=8).digest(), "little")
    return hashes_N


def hold_out(
    part: Part,
    labels_N: np.ndarray | None,
    *,
    share: float = 0.1,
    at_least: int = 200,
    seed: int = 0,
    groups_N: np.ndarray | None = None,
) -> tuple[Part, Part]:
    """Splits rows into training and held-out rows, in their old order; every label keeps a training row.

    Which rows are held out depends on the seed and the content of each row, not on the order, so adding rows hardly
    moves others. Copies (equal inputs after case and white space) and rows of one group (0 or more in `groups_N`) stay
    on one side. It misleads if copies differ by more than that and no groups are given. `share`, in (0, 0.5], is held
    out of each of the `labels_N`, if there are any; `at_least` so many rows, but never more than half.
    """
    num = len(part)
    hashes_N = content_hashes(part)
    group_N, keys_G = _groups(hashes_N, groups_N)
    sizes_G = np.bincount(group_N, minlength=len(keys_G))
    labels_N = np.zeros(num, dtype=np.int64) if labels_N is None else np.asarray(labels_N, dtype=np.int64)
    label_G = np.full(len(keys_G), np.iinfo(np.int64).max)
    np.minimum.at(label_G, group_N, labels_N)
    order_G = _mixed(keys_G, derive(seed, "hold_out"))
    wanted = min(max(round(share * num), at_least), num // 2)
    held_G = _stratified(order_G, sizes_G, label_G, wanted, num)
    held_G = _topped_up(held_G, order_G, sizes_G, label_G, wanted)
    held_G = _half_at_most(held_G, order_G, sizes_G, num)
    held_G = _labels_kept(held_G, group_N, labels_N, order_G)
    held_N = held_G[group_N]
    if not held_N.any():
        said = f"{num} rows, all but {len(keys_G)} copies or near-copies" if len(keys_G) < num else f"{num} rows"
        raise DataError(f"{part.table.name} has {said}: too few to hold any out; pass --validation with others")
    return part.take(np.flatnonzero(~held_N)), part.take(np.flatnonzero(held_N))


def deal(
    part: Part, labels_N: np.ndarray | None, *, num_folds: int, seed: int = 0, groups_N: np.ndarray | None = None
) -> np.ndarray:
    """Deals rows into folds of which each is held out once: the fold of each row, int64 (N,); -1 is never held out.

    Every label is spread over the folds, copies and groups (as in `hold_out`) stay in one, and none of the `labels_N`
    is missing where a fold is held out: a row of a label that has no other group stays in training.
    """
    num = len(part)
    hashes_N = content_hashes(part)
    group_N, keys_G = _groups(hashes_N, groups_N)
    sizes_G = np.bincount(group_N, minlength=len(keys_G))
    labels_N = np.zeros(num, dtype=np.int64) if labels_N is None else np.asarray(labels_N, dtype=np.int64)
    label_G = np.full(len(keys_G), np.iinfo(np.int64).max)
    np.minimum.at(label_G, group_N, labels_N)
    order_G = _mixed(keys_G, derive(seed, "folds"))
    fold_G = np.full(len(keys_G), -1, dtype=np.int64)
    total_K = np.zeros(num_folds, dtype=np.int64)
    for label in np.unique(label_G):
        groups = np.flatnonzero(label_G == label)
        own_K = np.zeros(num_folds, dtype=np.int64)
        for group in groups[np.argsort(order_G[groups], kind="stable")]:
            fold = fold_G[group] = np.lexsort((total_K, own_K))[0]
            own_K[fold] += sizes_G[group]
            total_K[fold] += sizes_G[group]
    for label in np.unique(labels_N):
        groups = np.unique(group_N[labels_N == label])
        if len(np.unique(fold_G[groups])) == 1:
            fold_G[groups[np.argmax(order_G[groups])]] = -1
    fold_N = fold_G[group_N]
    if len(np.unique(fold_N[fold_N >= 0])) < num_folds:
        raise DataError(
            f"{part.table.name} has {num} rows: too few for {num_folds} folds; pass --validation with others"
        )
    return fold_N


def _groups(hashes_N: np.ndarray, groups_N: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The group of each row, and for each group its smallest hash, which no order of rows changes."""
    keys_G, group_N = np.unique(hashes_N, return_inverse=True)
    if groups_N is None or not (np.asarray(groups_N) >= 0).any():
        return group_N, keys_G
    groups_N = np.asarray(groups_N)
    rows = groups_N >= 0
    named, second = np.unique(groups_N[rows], return_inverse=True)
    joined = components(len(keys_G) + len(named), group_N[rows], len(keys_G) + second)
    # numbered again without gaps: every component holds at least one row
    merged_keys = np.full(joined.max() + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(merged_keys, joined[: len(keys_G)], keys_G)
    return joined[group_N], merged_keys


def _mixed(keys: np.ndarray, seed: int) -> np.ndarray:
    """Hashes of (seed, key): the finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        state = keys ^ (np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15))
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(state ^ (state >> np.uint64(31)), dtype=np.uint64)


def _stratified(order_G: np.ndarray, sizes_G: np.ndarray, label_G: np.ndarray, wanted: int, num: int) -> np.ndarray:
    """The groups that come first within their label, until the label has given its share."""
    label_C, code_G = np.unique(label_G, return_inverse=True)
    rows_C = np.bincount(code_G, weights=sizes_G, minlength=len(label_C))
    exact_C = rows_C * (wanted / num)
    quota_C = np.floor(exact_C)
    missing = int(wanted - quota_C.sum())
    quota_C[np.argsort(quota_C - exact_C, kind="stable")[:missing]] += 1
    order = np.lexsort((order_G, code_G))
    sizes = sizes_G[order]
    codes = code_G[order]
    starts = np.searchsorted(codes, np.arange(len(label_C)))
    ends = np.append(starts[1:], len(codes)) - 1
    total = np.cumsum(sizes)
    within = total - (total[starts] - sizes[starts])[codes]
    take = within - sizes / 2 <= quota_C[codes] - 0.5 + 1e-9
    take[ends] = False  # the last group of each label is for training
    held_G = np.zeros(len(order_G), dtype=bool)
    held_G[order[take]] = True
    return held_G


def _topped_up(
    held_G: np.ndarray, order_G: np.ndarray, sizes_G: np.ndarray, label_G: np.ndarray, wanted: int
) -> np.ndarray:
    """More groups, where whole groups and small labels left the held-out rows short of what is wanted."""
    short = wanted - int(sizes_G[held_G].sum())
    if short <= 0:
        return held_G
    order = np.lexsort((order_G, label_G))
    last = np.append(label_G[order][1:] != label_G[order][:-1], True)
    free_G = ~held_G
    free_G[order[last]] = False
    free = np.flatnonzero(free_G)
    free = free[np.argsort(order_G[free], kind="stable")]
    held_G = held_G.copy()
    held_G[free[np.cumsum(sizes_G[free]) <= short]] = True
    return held_G


def _half_at_most(held_G: np.ndarray, order_G: np.ndarray, sizes_G: np.ndarray, num: int) -> np.ndarray:
    held = np.flatnonzero(held_G)
    held = held[np.argsort(order_G[held], kind="stable")]
    held_G = np.zeros_like(held_G)
    held_G[held[np.cumsum(sizes_G[held]) <= num // 2]] = True
    return held_G


def _labels_kept(held_G: np.ndarray, group_N: np.ndarray, labels_N: np.ndarray, order_G: np.ndarray) -> np.ndarray:
    """Gives a group back to training for each label that only occurs in held-out groups of mixed labels."""
    held_G = held_G.copy()
    held_N = held_G[group_N]
    lost = np.setdiff1d(labels_N[held_N], labels_N[~held_N])
    for label in lost:
        groups = np.unique(group_N[labels_N == label])
        if held_G[groups].all():
            held_G[groups[np.argmax(order_G[groups])]] = False
    return held_G
