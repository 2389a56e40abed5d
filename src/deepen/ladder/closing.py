"""What makes a finished climb doubtful, said at its end, where people look: not once at its beginning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from deepen.core.ladder import Ladder
from deepen.data.source import clip, listed

_FEWEST_ROWS, _MISSED = 3, 0.2
_FLOOR = "majority"
_SEPARATORS = ("|", ";", ",", "+", "/")
_FEW_ROWS = 1000


def doubts(ladder: Ladder, *, one_label: bool) -> list[str]:
    """What a person should know before the model is used.

    Args:
        ladder: Of a climb whose rungs are all climbed and whose model is chosen.
        one_label: Whether every row has exactly one label.

    Returns:
        Sentences.
    """
    found = [*_never_found(ladder), *_no_better(ladder), *_close(ladder)]
    return [*found, *(_several_in_one(ladder.labels) if one_label else ())]


def _never_found(ladder: Ladder) -> Iterator[str]:
    """Labels of which the chosen model finds hardly a validation row."""
    recalls = [score for score in ladder.chosen_row.validation if score.get("label") and score["name"] == "recall"]
    missed = [score for score in recalls if score["value"] <= _MISSED and score["n"] >= _FEWEST_ROWS]
    if missed and len(recalls) > 1:
        names = listed([str(score["label"]) for score in missed], 5)
        rows, right = sum(score["n"] for score in missed), round(sum(score["n"] * score["value"] for score in missed))
        yield (
            f"{ladder.chosen} finds {right or 'none'} of the {rows:,} validation rows of {names}: more rows of "
            f"{'it' if len(missed) == 1 else 'them'}, or --decide-by macro_f1, may help"
        )


def _no_better(ladder: Ladder) -> Iterator[str]:
    climbed = [row.rung for row in ladder.rungs if row.climbed and row.rung != _FLOOR]
    if ladder.chosen == _FLOOR and climbed:
        yield f"nothing beats {_FLOOR}, which reads no text: is the label in the texts, and is it the right column?"


def _close(ladder: Ladder) -> Iterator[str]:
    """A choice that the validation rows can't tell from a cheaper one, and how many rows could."""
    rows = (ladder.data.validation if ladder.data else None) or 0
    cheaper = next((row for row in ladder.rungs if row.rung == ladder.cheapest_not_worse), None)
    one, two = ladder.chosen_row.score, cheaper.score if cheaper else None
    if one is None or two is None or ladder.cheapest_not_worse == ladder.chosen or rows >= _FEW_ROWS:
        return
    gap, low, high = abs(one["value"] - two["value"]), one.get("low"), one.get("high")
    told = f"{rows:,} validation rows are too few to tell {ladder.chosen} from {ladder.cheapest_not_worse}"
    if gap > 0 and low is not None and high is not None:
        # the interval of a difference is about as wide as that of a score where two models err on other rows
        told += f"; a difference of {100 * gap:.1f} points takes some {_round(rows * ((high - low) / 2 / gap) ** 2):,}"
    yield told


def _round(number: float) -> int:
    """A number with one digit that is not 0."""
    digits = len(str(int(number))) - 1
    return round(number / 10**digits) * int(10**digits)


def _several_in_one(labels: Sequence[str]) -> Iterator[str]:
    """Labels that are made of other labels: `a|b` beside `a` and `b`."""
    for mark in _SEPARATORS:
        joined = [label for label in labels if mark in label.strip(mark)]
        parts = Counter(part.strip() for label in labels for part in label.split(mark) if part.strip())
        recurring = {part for part, count in parts.items() if count > 1}
        of_others = [label for label in joined if all(part.strip() in recurring for part in label.split(mark))]
        if len(of_others) > 1 and 2 * len(of_others) >= len(joined):
            yield (
                f"labels such as '{clip(of_others[0])}' were learned as one label each: if they are several in a "
                "cell, --task multilabel learns them apart"
            )
            return
