"""A text with a gap: a pattern around it, one or more masks in it, and the pieces of the words that may fill them.

Shape legend: B rows, T tokens, M masks of all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepen.core.errors import SettingError
from deepen.core.types import Sequences
from deepen.models.tokenizer import Tokenizer
from deepen.models.units import BARE_MARKS

TEXT, GAP = "{}", "[MASK]"


@dataclass(frozen=True)
class Cloze:
    """A pattern such as `{} It was [MASK].`, with so many masks at its gap, whatever the tokenizer calls a mask."""

    pattern: str
    num_masks: int

    def __post_init__(self) -> None:
        """Raises SettingError if the pattern has not one place for the text and one gap."""
        if self.pattern.count(TEXT) != 1 or self.pattern.count(GAP) != 1:
            raise SettingError(f"the pattern '{self.pattern}' must have {TEXT} once, for the text, and {GAP} once")

    def encode(self, tokenizer: Tokenizer, texts: Sequence[str], *, max_tokens: int) -> Sequences:
        """Token ids of the pattern with each text in it; its masks are the row's units.

        Args:
            tokenizer: The tokenizer.
            texts: B texts; one that is too long loses its end, so that the whole pattern is read.
            max_tokens: The longest sequence, special tokens included.

        Returns:
            The sequences, end to end.

        Raises:
            SettingError: If the tokenizer has no mask or takes it for letters, or if there is no room for a text.
        """
        before, after, lead = self._sides(tokenizer)
        room = max_tokens - len(before) - len(after)
        if room < 1:
            raise SettingError(f"the pattern '{self.pattern}' leaves no room for a text in {max_tokens} tokens")
        tokenizer.backend.no_truncation()
        found = tokenizer.backend.encode_batch_fast([lead + text for text in texts], add_special_tokens=False)
        rows = [[*before, *item.ids[:room], *after] for item in found]
        mask = tokenizer.hidden_id  # a text may hold one too: only those of the pattern count
        ahead = [at for at, token in enumerate(before) if token == mask]
        behind = [at - len(after) for at, token in enumerate(after) if token == mask]
        units = [[*ahead, *(len(row) + at for at in behind)] for row in rows]
        return Sequences(
            ids_T=np.array([token for row in rows for token in row], np.int32),
            lengths_B=np.array([len(row) for row in rows], np.int64),
            truncated_B=np.array([len(item.ids) > room for item in found], bool),
            units_M=np.array(units, np.int64).ravel(),
            unit_counts_B=np.full(len(rows), self.num_masks, np.int64),
        )

    def _sides(self, tokenizer: Tokenizer) -> tuple[list[int], list[int], str]:
        """The tokens before and after the text, and the space that goes with its first word."""
        if tokenizer.mask is None:
            raise SettingError("the tokenizer has no mask, so nothing can be asked with a gap")
        ahead, behind = self.pattern.replace(GAP, tokenizer.mask * self.num_masks).split(TEXT)
        first, last = tokenizer.around
        tokenizer.backend.no_truncation()
        inner = [tokenizer.backend.encode(side, add_special_tokens=False).ids for side in (ahead.rstrip(" "), behind)]
        if sum(side.count(tokenizer.hidden_id) for side in inner) != self.num_masks:
            raise SettingError(f"the tokenizer does not read its own mask, {tokenizer.mask}, as one token")
        return [*first, *inner[0]], [*inner[1], *last], " " if ahead.endswith(" ") else ""


def pieces_of(tokenizer: Tokenizer, word: str, pattern: str) -> list[int]:
    """The pieces of a word as they would stand at the gap of a pattern.

    Args:
        tokenizer: The tokenizer.
        word: A word, or a few.
        pattern: The pattern: whether a space is before its gap matters to most vocabularies.

    Returns:
        Their numbers; none if the vocabulary lacks a part of the word.
    """
    backend = tokenizer.backend
    backend.no_truncation()
    ahead = pattern.partition(GAP)[0]
    spaced = ahead.endswith(" ")
    ids = list(backend.encode(" " * spaced + word.strip(), add_special_tokens=False).ids)
    if ahead and not spaced and ids:  # as in Chinese: it goes on, so nothing marks a word's start
        start = str(backend.id_to_token(ids[0]))
        rest = backend.token_to_id(start[1:]) if start[:1] in BARE_MARKS and len(start) > 1 else None
        ids[:1] = [] if start in BARE_MARKS else [ids[0] if rest is None else rest]
    return [] if tokenizer.unknown_id in ids else ids
