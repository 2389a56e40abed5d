"""Masking row by row as data is read: what was masked is counted, and words keep their tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deepen.data.masking import KINDS, Kind, Masked, Place, Span, check_digits, mask, replaced


@dataclass(frozen=True)
class Masker:
    """Masks text after text, and counts in `changed` what was masked and what was kept for the task."""

    kinds: tuple[Kind, ...]
    changed: dict[str, int]

    def __post_init__(self) -> None:
        if self.kinds:
            check_digits()  # a missing package is said before anything is read

    def __call__(self, text: str, keep: Sequence[Place] = ()) -> Masked:
        """As `mask`."""
        if not self.kinds:
            return Masked(text, ())
        found = mask(text, kinds=self.kinds, keep=keep)
        for what, spans in ((_MASKED, found.spans), (_KEPT, found.kept)):
            for span in spans:
                self.changed[what + span.kind] = self.changed.get(what + span.kind, 0) + 1
        return found


_MASKED, _KEPT = "masked ", "kept "


def kept_kinds(changed: Mapping[str, int]) -> tuple[Kind, ...]:
    """The kinds of which something was kept, since a target overlaps it."""
    return tuple(kind for kind in KINDS if changed.get(_KEPT + kind))


def told_masked(changed: Mapping[str, int]) -> list[str]:
    """What a `Masker` counted, as sentences."""
    counts = {
        what: [f"{changed[what + kind]:,} {kind}" for kind in KINDS if what + kind in changed]
        for what in (_MASKED, _KEPT)
    }
    masked, kept = (", ".join(counts[what]) for what in (_MASKED, _KEPT))
    said = [f"masked {masked}"] if masked else []
    return said + ([f"not masked, since what the task must find overlaps them: {kept}"] if kept else [])


def mask_words(
    text: str, places: Sequence[Place], spans: Sequence[Span], *, merge: bool
) -> tuple[str, list[Place], list[int]]:
    """A text of words (start, end) with spans replaced word by word, so that each word keeps its tag.

    Args:
        merge: Whether the words of a span become one; else each of them is replaced.
    """
    pieces: list[str] = []
    left: list[int] = []
    now: list[Place] = []
    at = done = 0
    for number, (start, end) in enumerate(places):
        inside = [span for span in spans if span.start < end and start < span.end]
        begun = bool(inside) and inside[0].start < start  # with the word before
        first = min(end, inside[0].end) if merge and begun else start
        word = replaced(text, first, end, inside[1:] if merge and begun else inside)
        if word:
            gap = "" if merge and begun else text[done:start]
            pieces += [gap, word]
            now.append((at + len(gap), at + len(gap) + len(word)))
            at = now[-1][1]
            left.append(number)
        done = end
    return "".join([*pieces, text[done:]]), now, left
