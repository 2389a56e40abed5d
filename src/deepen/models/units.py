"""Words and characters to pieces, so that each has a piece of its own, and long rows to overlapping windows.

A tokenizer reads the whole text, as in pretraining; then each unit (a word or a Chinese character) is found by its
place in the text. Where one piece holds several units, as one for 今天 does in a unigram vocabulary, it is replaced by
the pieces of each unit, without the mark that starts a word.

Shape legend: B rows, T tokens, M units.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from deepen.core.types import Sequences
from deepen.models.tokenizer import Tokenizer

Places = Sequence[tuple[int, int]]
BARE_MARKS = frozenset(("▁", "Ġ"))
_OVERLAP_SHARE = 0.25


def encode_units(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    places: Sequence[Places],
    *,
    max_tokens: int,
    asked: Sequence[str] | None = None,
) -> Sequences:
    """Token ids with special tokens, in windows where a row is too long, and the token of each unit.

    The first piece of a unit stands for it; a bare word-start mark never does. A row of more than `max_tokens` becomes
    windows of equal length that overlap by a quarter or more, and each unit counts in the window where it has most
    context, so nothing is cut.

    Args:
        texts: B texts.
        places: Start and end of each unit in its text, in order, none empty.
        max_tokens: The longest sequence, special tokens included.
        asked: B questions, each of which stands before every window of its text, cut to half of `max_tokens`.

    Returns:
        The sequences, end to end; `units_M` counts from the row's first token.
    """
    maker = _Maker(tokenizer)
    before, after, kinds = maker.before, maker.after, [0, 0]
    ids: list[int] = []
    segments: list[int] = []
    lengths, counts, units, unit_counts, cut = [], [], [], [], []
    tokenizer.backend.no_truncation()
    encoded = tokenizer.backend.encode_batch(list(texts), add_special_tokens=False)
    questions = tokenizer.backend.encode_batch(list(asked), add_special_tokens=False) if asked is not None else encoded
    for text, spots, found, question in zip(texts, places, encoded, questions, strict=True):
        if asked is not None:
            most = max(1, max_tokens // 2)
            before, after, kinds = maker.around_pair(question.ids[:most])
            cut.append(len(question.ids) > most)
        width = max(1, max_tokens - len(before) - len(after))
        pieces, firsts = maker.pieces(text, spots, found)
        starts = _window_starts(len(pieces), width)
        row_starts = []
        size = 0
        for start in starts:
            row_starts.append(size + len(before) - start)
            window = [*before, *pieces[start : start + width], *after]
            ids += window
            segments += [kinds[0]] * len(before) + [kinds[1]] * (len(window) - len(before))
            size += len(window)
            lengths.append(len(window))
        owners = _owners(np.asarray(firsts, np.int64), np.asarray(starts, np.int64), width, len(pieces))
        units.append(np.asarray(firsts, np.int64) + np.asarray(row_starts, np.int64)[owners])
        counts.append(len(starts))
        unit_counts.append(len(spots))
    return Sequences(
        ids_T=np.asarray(ids, np.int32),
        lengths_B=np.asarray(lengths, np.int64),
        truncated_B=np.asarray(cut, bool) if asked is not None else np.zeros(len(counts), bool),
        segments_T=np.asarray(segments, np.int32) if asked is not None else None,
        units_M=np.concatenate(units) if units else np.zeros(0, np.int64),
        unit_counts_B=np.asarray(unit_counts, np.int64),
        sequence_counts_B=np.asarray(counts, np.int64),
    )


def unit_owners(tokenizer: Tokenizer, text: str, places: Places, *, max_tokens: int) -> np.ndarray:
    """The unit that each token of a row belongs to.

    Args:
        places: Start and end of each unit in it, at least one.
        max_tokens: As in `encode_units`.

    Returns:
        A number for each token that `encode_units` gives, in its windows; -1 for a special token.
    """
    maker = _Maker(tokenizer)
    width = max(1, max_tokens - len(maker.before) - len(maker.after))
    tokenizer.backend.no_truncation()
    pieces, firsts = maker.pieces(text, places, tokenizer.backend.encode(text, add_special_tokens=False))
    owners = np.searchsorted(np.asarray(firsts), np.arange(len(pieces)), side="right") - 1
    marks = np.array([piece in maker.bare for piece in pieces])
    owners = np.clip(np.where(marks, owners + 1, owners), 0, len(places) - 1)
    before, after = (np.full(len(special), -1) for special in (maker.before, maker.after))
    starts = _window_starts(len(pieces), width)
    return np.concatenate([part for start in starts for part in (before, owners[start : start + width], after)])


def _window_starts(num_pieces: int, width: int) -> list[int]:
    if num_pieces <= width:
        return [0]
    overlap = int(_OVERLAP_SHARE * width)
    num = -(-(num_pieces - overlap) // (width - overlap))
    return [round(index * (num_pieces - width) / (num - 1)) for index in range(num)]


def _owners(firsts_M: np.ndarray, starts_W: np.ndarray, width: int, num_pieces: int) -> np.ndarray:
    """The window of each unit: the one where the nearer cut is farthest; the ends of the row are no cuts."""
    if len(starts_W) == 1:
        return np.zeros(len(firsts_M), np.int64)
    left_MW = (firsts_M[:, None] - starts_W).astype(float)
    right_MW = (starts_W + width - 1 - firsts_M[:, None]).astype(float)
    outside_MW = (left_MW < 0) | (right_MW < 0)
    left_MW[:, starts_W == 0] = np.inf
    right_MW[:, starts_W + width >= num_pieces] = np.inf
    return np.where(outside_MW, -1.0, np.minimum(left_MW, right_MW)).argmax(1)


class _Maker:
    """Aligns pieces with units; remembers the pieces of characters it has split off."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.backend = tokenizer.backend
        self.before, self.after = tokenizer.around
        self._pair: tuple[list[int], list[int], list[int], list[int]] | None = None
        self.unknown = tokenizer.unknown_id
        self.bare = {token for mark in BARE_MARKS if (token := self.backend.token_to_id(mark)) is not None}
        self.known: dict[str, list[int]] = {}

    def around_pair(self, first: list[int]) -> tuple[list[int], list[int], list[int]]:
        """What stands before and after a second text whose first one is given, and the parts of the two."""
        if self._pair is None:
            one = self.backend.encode("a", add_special_tokens=False).ids
            both = self.backend.encode("a", "a")
            at = len(self.before)
            last = max(i for i in range(len(both.ids)) if both.ids[i : i + len(one)] == one)
            between, after = both.ids[at + len(one) : last], both.ids[last + len(one) :]
            self._pair = both.ids[:at], between, after, [both.type_ids[at], both.type_ids[last]]
        before, between, after, kinds = self._pair
        return [*before, *first, *between], after, kinds

    def own(self, unit: str) -> list[int]:
        """The pieces of a unit by itself, without the mark that starts a word; at least one."""
        found = self.known.get(unit)
        if found is None:
            normalizer = self.backend.normalizer
            text = normalizer.normalize_str(unit) if normalizer is not None else unit
            pieces = self.backend.model.tokenize(text.strip()) if text.strip() else []
            found = self.known[unit] = [piece.id for piece in pieces] or [self.unknown]
        return found

    def pieces(self, text: str, places: Places, encoded: object) -> tuple[list[int], list[int]]:
        """The row's pieces, and which of them stands for each unit."""
        ends = [end for _, end in places]
        out: list[int] = []
        firsts = [-1] * len(places)
        done = -1  # the last unit that has a piece

        def split_off(stop: int) -> None:
            nonlocal done
            for unit in range(done + 1, stop):
                firsts[unit] = len(out)
                out.extend(self.own(text[places[unit][0] : places[unit][1]]))
            done = max(done, stop - 1)

        ids, offsets = encoded.ids, encoded.offsets  # type: ignore[attr-defined]
        for piece, (start, end) in zip(ids, offsets, strict=True):
            unit = last = bisect_right(ends, start)
            while last + 1 < len(places) and places[last + 1][0] < end:
                last += 1
            between = unit >= len(places) or places[unit][0] >= end
            if not between:
                split_off(unit)  # units that the tokenizer left out
            if between or piece in self.bare:
                out.append(piece)
            elif last > unit:
                split_off(last + 1)
            else:
                if firsts[unit] < 0:
                    firsts[unit] = len(out)
                out.append(piece)
                done = max(done, unit)
        split_off(len(places))
        return out, firsts
