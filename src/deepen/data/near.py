"""Finds rows that say nearly the same: MinHash over character shingles, bands sorted in NumPy, pairs compared exactly.

docs/decisions/0011-near-duplicates.md says why this way, and what was measured.

Shape legend: N rows, T shingles of a piece of rows, P permutations, B bands, R values in a band, K pairs of rows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import field_validator

from deepen.core.progress import Advance, progress
from deepen.core.settings import Settings
from deepen.data.table import Part, Table

_SHINGLE_CHARS = 4
_BAND_VALUES = 5
_NUM_BANDS = 32
_NUM_PERMUTATIONS = _BAND_VALUES * _NUM_BANDS
_PERMUTATION_SEED = 1
# Characters folded at a time: their shingles and a permutation of them stay in the cache of one core.
_PIECE_CHARS = 1 << 16
# In a bucket each row is compared with so many before it, and with the first: the cost stays linear in the rows, and a
# template that thousands of rows share still holds together, since all are compared with its first row.
_WINDOW = 4
_MOST_REMEMBERED = 8_000_000
_PAIRS_AT_ONCE = 20_000
# Pairs whose signatures are compared at a time: both and the comparison stay in the cache of one core.
_BYTES_AT_ONCE = 2_000
# A signature tells the similarity with a standard deviation of at most 0.5 / sqrt(P) = 0.040: 3 of them are allowed.
_DOUBT = 0.12
# Punctuation of English and Chinese (after NFKC) and white space; symbols and emoji stay, since they carry feelings.
_SEPARATORS = re.compile("[\\s!-/:-@\\[-`{-~‘-‟…‹›«»¡¿、。〈-】〔-〟·—–]+")


class NearSettings(Settings):
    """What counts as nearly the same."""

    threshold: float = 0.6
    """Least share of common character 4-grams (Jaccard). 0.6: up to about 6 % of the characters may differ."""
    min_chars: int = 20
    """Shorter texts must be equal but for case, punctuation and spaces; one word of five makes another sentence."""
    max_rows: int = 2_000_000
    """Above so many rows only texts equal but for case, punctuation and spaces are found: memory is 0.3 kB a row."""

    @field_validator("threshold")
    @classmethod
    def _share(cls, value: float) -> float:
        if not 0.5 <= value <= 1:
            raise ValueError("it must be from 0.5 (below it unrelated texts look alike) to 1 (equal)")
        return value


@dataclass(frozen=True)
class Groups:
    """Rows of all parts in groups (-1: by itself): of equal folded texts, and near-duplicates too if `searched`."""

    same_N: np.ndarray
    near_N: np.ndarray
    searched: bool


def near_duplicates(parts: Sequence[Part], settings: NearSettings) -> Groups:
    """Groups rows that say the same or nearly the same.

    Texts are folded first: case, punctuation and white space don't count. Two rows are near if the sets of their
    character 4-grams overlap by the threshold; groups are closed, so the ends of a chain may differ by more. It
    misleads where one word turns the meaning ("not"): near rows may rightly have different labels. Of pairs just at 0.6
    one in fourteen is missed, at 0.7 one in 250: a pair is seen if one of the bands is equal, which happens with 1 - (1
    - similarity ** 5) ** 32.

    Example:
        >>> from deepen.data.load import DataSettings, Need, load_table
        >>> rows = [{"text": text} for text in ("When does my new card arrive?", "When does my new card arrive", "Hi!")]
        >>> table, _ = load_table(rows, [Need("text", "text")], DataSettings())
        >>> near_duplicates([table.all_rows()], NearSettings()).near_N.tolist()
        [0, 0, -1]
    """
    num = sum(len(part) for part in parts)
    same_N = _numbered(_content_keys(parts, num))
    if num > settings.max_rows or settings.threshold >= 1:
        return Groups(same_N, same_N.copy(), searched=False)
    first = np.flatnonzero((same_N < 0) | (same_N == np.arange(num)))  # one of each group
    bytes_NP, rows = _signatures(parts, first, settings)
    near_N = _search(bytes_NP, lambda pairs_K2: _overlap(parts, rows[pairs_K2]), settings.threshold)
    del bytes_NP
    whole_N = np.arange(num)
    whole_N[rows] = rows[near_N]
    tied = np.flatnonzero(same_N >= 0)
    whole_N[tied] = whole_N[same_N[tied]]
    return Groups(same_N, _numbered(whole_N), searched=True)


def fold(text: str) -> str:
    """A text without case, punctuation and superfluous space; a text of nothing else stays as it is."""
    folded = _SEPARATORS.sub(" ", text.casefold()).strip()
    return folded or text


def answers_alone(part: Part) -> Part:
    """Rows of which nothing is left but the first of their right answers, where those are lists of texts."""
    first = pc.list_element(pc.cast(part.table.arrow.column("target"), pa.list_(pa.string())), 0)
    arrow = pa.table({"answer": pc.fill_null(first, "")})
    return Part(Table(part.table.name, arrow, ("answer",), part.table.fingerprint, kept=False), part.rows_N)


def united(one_N: np.ndarray, two_N: np.ndarray) -> np.ndarray:
    """Groups of rows that are together in one grouping or the other, numbered by their first row; -1 for one alone.

    Example:
        >>> united(np.array([0, 0, -1, -1]), np.array([-1, 1, 1, -1])).tolist()
        [0, 0, 0, -1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    num = len(one_N)
    rows = np.concatenate([np.flatnonzero(groups >= 0) for groups in (one_N, two_N)])
    to = np.concatenate([num * (1 + at) + groups[groups >= 0] for at, groups in enumerate((one_N, two_N))])
    size = int(max(to.max(initial=0), num)) + 1
    found_N = connected_components(coo_array((np.ones(len(rows)), (rows, to)), shape=(size, size)))[1][:num]
    return _numbered(found_N.astype(np.uint64))


def row_texts(part: Part, rows: np.ndarray | None = None) -> Iterator[str]:
    """All texts of each row as one. `rows` are positions in the part; None takes all."""
    some = part if rows is None else part.take(rows)
    for values in zip(*(some.values(name) for name in part.table.texts), strict=True):
        yield "\n".join(value or "" for value in values)


def _content_keys(parts: Sequence[Part], num: int) -> np.ndarray:
    keys_N = np.empty(num, dtype=np.uint64)
    blake, row = hashlib.blake2b, 0
    for part in parts:
        for text in row_texts(part):
            keys_N[row] = int.from_bytes(blake(fold(text).encode("utf-8", "replace"), digest_size=8).digest(), "little")
            row += 1
    return keys_N


def _numbered(keys_N: np.ndarray) -> np.ndarray:
    """Groups of equal keys, numbered by their first row; -1 for a row by itself."""
    _, first, inverse, counts = np.unique(keys_N, return_index=True, return_inverse=True, return_counts=True)
    return np.where(counts[inverse] > 1, first[inverse], -1).astype(np.int64)


def _locate(parts: Sequence[Part], rows: np.ndarray) -> Iterator[tuple[Part, np.ndarray]]:
    """For each part, where in it the rows are that it holds; `rows` rise."""
    start = 0
    for part in parts:
        yield part, rows[(rows >= start) & (rows < start + len(part))] - start
        start += len(part)


# --- signatures -----------------------------------------------------------------------------------------------------


def _signatures(parts: Sequence[Part], rows: np.ndarray, settings: NearSettings) -> tuple[np.ndarray, np.ndarray]:
    """The lowest byte of each value of the MinHash of every row that is long enough, and which rows those are."""
    multipliers_P, offsets_P = permutations()
    bytes_NP = np.empty((len(rows), _NUM_PERMUTATIONS), dtype=np.uint8)
    kept_N = np.empty(len(rows), dtype=np.int64)
    num = start = 0
    with progress("looking for near-duplicates", len(rows)) as advance:
        for part, places in _locate(parts, rows):
            for folded, at in _pieces(part, places, settings.min_chars, advance):
                here = slice(num, num + len(at))
                bytes_NP[here] = minhash(folded, multipliers_P, offsets_P)
                kept_N[here] = at + start
                num += len(at)
            start += len(part)
    return bytes_NP[:num], kept_N[:num]


def _pieces(part: Part, places: np.ndarray, min_chars: int, advance: Advance) -> Iterator[tuple[list[str], np.ndarray]]:
    texts: list[str] = []
    at: list[int] = []
    size = 0
    least = max(min_chars, _SHINGLE_CHARS)
    for place, text in zip(places.tolist(), row_texts(part, places), strict=True):
        folded = fold(text)
        advance(1)
        if len(folded) >= least:
            texts.append(folded)
            at.append(place)
            size += len(folded)
        if size >= _PIECE_CHARS:
            yield texts, np.array(at, dtype=np.int64)
            texts, at, size = [], [], 0
    if texts:
        yield texts, np.array(at, dtype=np.int64)


def permutations() -> tuple[np.ndarray, np.ndarray]:
    """The random permutations of datasketch's MinHash: hash x becomes a * x + b modulo 2^32, a odd."""
    from datasketch import MinHash

    a_P, b_P = MinHash(num_perm=_NUM_PERMUTATIONS, seed=_PERMUTATION_SEED, scheme="affine32").permutations
    return np.asarray(a_P, dtype=np.uint32), np.asarray(b_P, dtype=np.uint32)


def shingle_hashes(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The hashes of each run of four characters, uint32, of texts end to end, and where each text starts."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "replace"), dtype=np.uint32)
    ends = np.cumsum([len(text) for text in texts])
    hashes = codes * np.uint32(0x9E3779B1)
    for step, factor in enumerate((0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F), 1):
        hashes[:-step] += codes[step:] * np.uint32(factor)
    whole = np.ones(len(codes), dtype=bool)
    for back in range(1, _SHINGLE_CHARS):  # a run that would reach into the next text
        whole[ends - back] = False
    starts = np.concatenate([[0], ends[:-1]]) - np.arange(len(texts)) * (_SHINGLE_CHARS - 1)
    return _mixed(hashes[whole]), starts


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """The finaliser of MurmurHash3, which spreads what is left of the structure of the text."""
    hashes ^= hashes >> np.uint32(16)
    hashes *= np.uint32(0x85EBCA6B)
    hashes ^= hashes >> np.uint32(13)
    hashes *= np.uint32(0xC2B2AE35)
    hashes ^= hashes >> np.uint32(16)
    return hashes


def minhash(texts: Sequence[str], multipliers_P: np.ndarray, offsets_P: np.ndarray) -> np.ndarray:
    """The MinHash signatures of folded texts, uint32 (N, P): two agree as often as their sets of shingles overlap."""
    hashes_T, starts = shingle_hashes(texts)
    signatures_NP = np.empty((len(texts), len(multipliers_P)), dtype=np.uint32)
    permuted_T = np.empty_like(hashes_T)
    for at, (multiplier, offset) in enumerate(zip(multipliers_P, offsets_P, strict=True)):
        np.multiply(hashes_T, multiplier, out=permuted_T)
        permuted_T += offset
        signatures_NP[:, at] = np.minimum.reduceat(permuted_T, starts)
    return signatures_NP


# --- pairs ----------------------------------------------------------------------------------------------------------


def _search(bytes_NP: np.ndarray, overlap: Callable[[np.ndarray], np.ndarray], threshold: float) -> np.ndarray:
    """The first row of each row's group, band by band; what is joined already or was refused is not compared."""
    num = len(bytes_NP)
    group_N = np.arange(num)
    refused = np.empty(0, dtype=np.int64)
    least = int(np.floor((threshold - _DOUBT) * _NUM_PERMUTATIONS))
    with progress("comparing near-duplicates", _NUM_BANDS, unit="bands") as advance:
        for band in range(_NUM_BANDS):
            for low, high in _neighbours(_band_keys(bytes_NP, band)):
                apart = group_N[low] != group_N[high]
                pairs_K2 = np.stack([low[apart], high[apart]], axis=1)
                pairs_K2 = pairs_K2[_agreeing(bytes_NP, pairs_K2, least)]
                keys_K = pairs_K2[:, 0] * num + pairs_K2[:, 1]
                fresh_K = ~np.isin(keys_K, refused, assume_unique=True)
                pairs_K2, keys_K = pairs_K2[fresh_K], keys_K[fresh_K]
                near_K = overlap(pairs_K2) >= threshold
                if len(refused) < _MOST_REMEMBERED:
                    refused = np.concatenate([refused, keys_K[~near_K]])
                if near_K.any():
                    group_N = _joined(group_N, pairs_K2[near_K])
            advance(1)
    return group_N


def _band_keys(bytes_NP: np.ndarray, band: int) -> np.ndarray:
    """One number for the values of a band in each row: their lowest bytes, side by side."""
    keys_N = np.zeros(len(bytes_NP), dtype=np.uint64)
    for value in range(_BAND_VALUES):
        keys_N <<= np.uint64(8)
        keys_N |= bytes_NP[:, band * _BAND_VALUES + value]
    return keys_N


def _neighbours(keys_N: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of rows with equal keys: each row with a few before it and with the first; smaller row first."""
    num = len(keys_N)
    order = np.argsort(keys_N, kind="stable")
    ordered = keys_N[order]
    fresh = np.ones(num, dtype=bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    start = np.maximum.accumulate(np.where(fresh, np.arange(num), 0))
    place = np.arange(num) - start
    for back in range(1, _WINDOW + 1):
        at = np.flatnonzero(place >= back)
        yield order[at - back], order[at]
    at = np.flatnonzero(place > _WINDOW)
    yield order[start[at]], order[at]


def _agreeing(bytes_NP: np.ndarray, pairs_K2: np.ndarray, least: int) -> np.ndarray:
    """The pairs that agree in at least so many places."""
    agree_K = np.zeros(len(pairs_K2), dtype=bool)
    for start in range(0, len(pairs_K2), _BYTES_AT_ONCE):
        i, j = pairs_K2[start : start + _BYTES_AT_ONCE].T
        same_KP = bytes_NP.take(i, axis=0) == bytes_NP.take(j, axis=0)
        agree_K[start : start + _BYTES_AT_ONCE] = same_KP.sum(axis=1, dtype=np.uint8) >= least
    return agree_K


def _overlap(parts: Sequence[Part], pairs_K2: np.ndarray) -> np.ndarray:
    """The Jaccard similarity of pairs of rows, told from their texts."""
    out_K = np.empty(len(pairs_K2))
    for start in range(0, len(pairs_K2), _PAIRS_AT_ONCE):
        rows, place = np.unique(pairs_K2[start : start + _PAIRS_AT_ONCE], return_inverse=True)
        sets = [one for part, places in _locate(parts, rows) for one in _shingle_sets(part, places)]
        for at, (i, j) in enumerate(place.reshape(-1, 2).tolist(), start):
            common = len(np.intersect1d(sets[i], sets[j], assume_unique=True))
            out_K[at] = common / (len(sets[i]) + len(sets[j]) - common)
    return out_K


def _shingle_sets(part: Part, places: np.ndarray) -> Iterator[np.ndarray]:
    texts = [fold(text) for text in row_texts(part, places)]
    for begin in range(0, len(texts), 512):
        hashes_T, starts = shingle_hashes(texts[begin : begin + 512])
        yield from (np.unique(hashes) for hashes in np.split(hashes_T, starts[1:]))


def _joined(group_N: np.ndarray, pairs_K2: np.ndarray) -> np.ndarray:
    """Groups joined by pairs; each row gets the first row of its group."""
    num = len(group_N)
    start = np.concatenate([np.arange(num), pairs_K2[:, 0]])
    joined = components(num, start, np.concatenate([group_N, pairs_K2[:, 1]]))
    _, first, inverse = np.unique(joined, return_index=True, return_inverse=True)
    return first[inverse]


def components(num: int, start_K: np.ndarray, end_K: np.ndarray) -> np.ndarray:
    """The number of the group of each of `num` things, where each pair of a start and an end is in one group."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(start_K), dtype=np.int8), (start_K, end_K)), shape=(num, num))
    return np.asarray(connected_components(edges, directed=False)[1])
