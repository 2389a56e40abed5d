"""What makes a finished climb doubtful, said at its end, where people look: not once at its beginning."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from deepen.core.ladder import Ladder
from deepen.data.source import clip, listed
from deepen.ladder.decide import Standing, Statistic, best_of, gain_over
from deepen.ladder.judge import Climbing, warn

_FEWEST_ROWS, _MISSED = 3, 0.2
_FLOOR = "majority"
_SEPARATORS = ("|", ";", ",", "+", "/")
_FEW_ROWS = 1000


def worth_it(standings: Sequence[Standing], value_of: Statistic, *, floor: str, seed: int) -> tuple[bool, str]:
    """Whether it was worth it to generate answers, beside what needs no network: the first that a person should know.

    Returns:
        Whether a network is surely better, and a sentence with the paired interval; an empty one if there is none.
    """
    shallow, written = ([one for one in standings if one.encoder is kind] for kind in (False, True))
    if not shallow or not written:
        return True, ""
    below, best = best_of(shallow), best_of(written)
    gain = gain_over(best, below, value_of, seed=seed).interval
    said = floor if below.name == _FLOOR else "the answer of the most similar training row"
    points = f"{100 * gain.value:+.1f} points [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    sure = gain.low > 0
    return (
        sure,
        f"generating is {'worth it' if sure else 'not shown to be worth it'}: {best.name} beside {said}, {points}",
    )


def doubts(ladder: Ladder, *, one_label: bool, writes: bool = False) -> list[str]:
    """What a person should know before the model is used.

    Args:
        ladder: Of a climb whose rungs are all climbed and whose model is chosen.
        one_label: Whether every row has exactly one label.
        writes: Whether answers are text: `worth_it` then says whether a network is better than none.
    """
    found = [*_never_found(ladder), *_no_better(ladder, writes=writes), *_close(ladder)]
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


def _no_better(ladder: Ladder, *, writes: bool) -> Iterator[str]:
    climbed = [row.rung for row in ladder.rungs if row.climbed and row.rung != _FLOOR]
    if writes or not climbed:
        return
    if ladder.chosen == _FLOOR:
        yield f"nothing beats {_FLOOR}, which reads no text: is the label in the texts, and is it the right column?"
    elif ladder.cheapest_not_worse == _FLOOR:
        yield (
            f"nothing is shown to beat {_FLOOR}, which reads no text: more rows may show it, if the label is in the "
            "texts and it is the right column"
        )


def _close(ladder: Ladder) -> Iterator[str]:
    """A choice that the validation rows can't tell from a cheaper one, and how many rows could."""
    rows = (ladder.data.validation if ladder.data else None) or 0
    cheaper = next((row for row in ladder.rungs if row.rung == ladder.cheapest_not_worse), None)
    one, two = ladder.chosen_row.score, cheaper.score if cheaper else None
    if one is None or two is None or ladder.cheapest_not_worse == ladder.chosen or rows >= _FEW_ROWS:
        return
    gap, low, high = abs(one["value"] - two["value"]), one.get("low"), one.get("high")
    point = 1 if one.get("unit") == "points" else 0.01
    told = f"{rows:,} validation rows are too few to tell {ladder.chosen} from {ladder.cheapest_not_worse}"
    if gap > 0 and low is not None and high is not None:
        # the interval of a difference is about as wide as that of a score where two models err on other rows
        needed = _round(rows * ((high - low) / 2 / gap) ** 2)
        told += f"; a difference of {gap / point:.1f} points takes some {needed:,}" if needed > rows else ""
    yield told


def _round(number: float) -> int:
    """A number with two digits that are not 0, rounded up: the rows that are there must not look enough."""
    step = 10 ** max(0, len(str(int(number))) - 2)
    return math.ceil(number / step) * step


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


def say_worth(state: Climbing, floor: str, seed: int) -> None:
    """Says first thing whether a network that writes is better than what needs none."""
    sure, sentence = worth_it(state.standings, state.work.problem.task.value_of, floor=floor, seed=seed)
    if not sure:
        warn(state, sentence)
    elif sentence:
        state.work.context.say(f"  {sentence}")
        state.note({"chosen_reason": " ".join(filter(None, (state.ladder.chosen_reason, sentence)))})
