"""What tasks share whose answer is text: the columns, what is right, the scores, how answers are shown and made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from deepen.core.errors import DataError
from deepen.core.ladder import Shown
from deepen.core.settings import Settings
from deepen.core.types import Score, Sequences, Texts, TextTargets
from deepen.data.columns import Need, plain_name
from deepen.data.source import Source, as_text
from deepen.data.table import Part
from deepen.data.tokens import Encode
from deepen.evaluation.texts import VALUES, text_scores, text_statistics
from deepen.models.heads import mean
from deepen.models.tokenizer import Tokenizer
from deepen.problem.target import TEXT
from deepen.problem.task import Claim, Decider, Form, Shallow, Task, Writes
from deepen.shallow.texts import Memory, Says, commonest, lead, load_memory, load_says

SOURCE = "source"
_MANY_CUT = 0.05
_LOOKED = 200
_NO_PAIRS = frozenset(("label", "labels", "category", "class", "sentiment", "answer_start"))


class TextSettings(Settings):
    """How a model is asked, and how its answers are made."""

    prompt: str | None = None
    """What it reads, with {source}; None is the usual one of the task."""
    chat: bool = True
    """Whether the model's chat template goes around it, if it has one."""
    max_new_tokens: int | None = Field(default=None, ge=1)
    """The longest answer; None is half as much again as all but the longest 1 % of training answers have."""
    min_new_tokens: int = Field(default=0, ge=0)
    """The shortest answer."""
    num_beams: int = Field(default=1, ge=1)
    """Answers that are followed at once, of which the likeliest is given; each costs as much time as one alone."""
    length_penalty: float = 1.0
    """With several beams: above 1 prefers longer answers, below it shorter ones."""
    no_repeat_ngram_size: int = Field(default=0, ge=0)
    """No run of so many tokens occurs twice in an answer; 0 allows it."""
    sample: bool = False
    """Whether each token is drawn by chance, from the run's seed, instead of the likeliest."""
    temperature: float = Field(default=1.0, gt=0)
    """With `sample`: below 1 draws likely tokens more often."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """With `sample`: draws among the likeliest tokens that have this share of probability together."""
    stop: tuple[str, ...] | None = None
    """An answer ends before one of these; None is a line end for a decoder that was not trained, if no training answer
    holds one."""
    general: str | None = None
    """A text file of no task, in UTF-8: trained rungs of a decoder say what a byte of it costs before and after, in
    bits (docs/decisions/0055)."""


def needs(source: Sequence[str], answer: Sequence[str]) -> tuple[Need, Need]:
    """The two columns, with usual names of each."""
    return Need(SOURCE, "text", ("source", *source, "text")), Need("label", "texts", ("target", *answer))


def looks_like(pairs: Sequence[tuple[str, str]], strength: float, about: str) -> Callable[[Source], Claim | None]:
    """Recognises a table with columns of these names whose second is free text: cells that differ and have words."""

    def recognise(source: Source) -> Claim | None:
        names = [plain_name(name) for name in source.names or ()]
        if _NO_PAIRS & {*names}:
            return None
        for one, two in pairs:
            if one in names and two in names and _is_free(source, names.index(one), names.index(two)):
                return Claim(strength, f"columns '{one}' and '{two}' are {about}")
        return None

    return recognise


def _is_free(source: Source, one: int, two: int) -> bool:
    """Whether the second of two columns is text and no label: its cells differ, and most have several words."""
    rows = [
        (as_text(a), as_text(b)) for a, b in zip(source.cells(one)[:_LOOKED], source.cells(two)[:_LOOKED], strict=False)
    ]
    texts = [b.strip() for a, b in rows if a and b and b.strip()]
    several = sum(" " in text or (not text.isascii() and len(text) > 4) for text in texts)
    return bool(texts) and 2 * len(set(texts)) > len(texts) and 2 * several > len(texts)


def _references(part: Part) -> list[tuple[str, ...]]:
    if not part.table.has_target:
        raise DataError(f"{part.table.name} has no answers: --columns label=... names the column that holds them")
    return [tuple(found or ()) for found in part.values("target")]


def answers(part: Part) -> list[str]:
    """The answer of each training row: the first of its references."""
    return [found[0] for found in _references(part)]


def _labels(part: Part, max_labels: Any) -> tuple[str, ...]:
    """No label table: an answer is any text. Looks whether there is something to learn."""
    found = set(answers(part))
    if len(found) < 2:
        raise DataError(f"{part.table.name}: every row has the same answer, and there is nothing to learn")
    return ()


def _check(part: Part, labels: tuple[str, ...]) -> None:
    for line, found in zip(part.values("line"), _references(part), strict=True):
        if not found:
            raise DataError(f"{part.table.name} line {line}: label is empty")


def _targets(part: Part, labels: tuple[str, ...]) -> Any:
    return TextTargets(tuple(part.values(SOURCE)), tuple(_references(part)))


def _encoder(tokenizer: Tokenizer, max_tokens: int) -> Encode:
    def encode(columns: dict[str, list[Any]]) -> Sequences:
        return tokenizer.encode(columns[SOURCE], max_tokens=max_tokens)

    return encode


def _decode(outputs: Any, part: Part, labels: Sequence[str]) -> list[dict[str, Any]]:
    found = zip(outputs.texts, outputs.sure_N.tolist(), outputs.counts_N.tolist(), outputs.stopped, strict=True)
    return [
        {
            "output": text,
            "confidence": None if sure != sure else round(sure, 6),
            "num_generated": int(count) if count else None,
            "stopped": stopped,
        }
        for text, sure, count, stopped in found
    ]


def _doubts(name: str, outputs: Texts) -> list[str]:
    """What silently makes scores of texts low: answers that were cut."""
    cut = sum(stopped == "limit" for stopped in outputs.stopped)
    if cut <= _MANY_CUT * len(outputs):
        return []
    share, longest = f"{cut:,} of {len(outputs):,} answers ({100 * cut / len(outputs):.0f} %)", outputs.counts_N.max()
    return [
        f"{share} are cut at {longest} tokens; --set tasks.{name}.max_new_tokens={2 * longest} lets more of them end"
    ]


def _unknown(*given: Any) -> Any:
    raise NotImplementedError("answers that are text have no logits of units")  # no rung that writes asks for them


_FLOORS: dict[str, Callable[[Sequence[str]], Says]] = {
    "the source": lambda found: Says(),
    "its first sentences": lead,
    "the commonest answer": commonest,
}


def text_task(
    name: str,
    columns: tuple[Need, Need],
    recognise: Callable[[Source], Claim | None],
    writes: Writes,
    *,
    scores: Sequence[str],
    support: bool = False,
    settings: TextSettings | None = None,
) -> Task:
    """A task whose answer is text.

    Args:
        columns: As `needs` makes them.
        writes: How a model is asked; its `floor` names what the rung `majority` says.
        scores: Names of overlap scores, the one that decides first.
        support: Whether an answer is in the words of its source.
        settings: What was chosen about it; None is the defaults.
    """

    def all_scores(outputs: Any, targets: Any, labels: Sequence[str], seed: int) -> list[Score]:
        return text_scores(outputs, targets, names=scores, support=support, seed=seed)

    def configured(chosen: TextSettings) -> Task:
        return text_task(name, columns, recognise, writes, scores=scores, support=support, settings=chosen)

    def fit_floor(part: Part, *given: Any) -> Any:
        return _FLOORS[writes.floor](answers(part))

    def fit_memory(part: Part, *given: Any) -> Any:
        return Memory(list(part.values(SOURCE)), answers(part))

    return Task(
        name=name,
        needs=columns,
        recognise=recognise,
        form=Form(_encoder, mean.HEAD),
        labels=_labels,
        check=_check,
        targets=_targets,
        target=TEXT,
        losses=_unknown,
        margins=_unknown,
        score_name=scores[0],
        statistics=_statistics,
        value_of=VALUES[scores[0]],
        deciders={one: Decider(_statistics, VALUES[one], None) for one in scores[1:]},
        scores=all_scores,
        decode=_decode,
        baseline=Shallow(fit_floor, load_says),
        lexical=Shallow(fit_memory, load_memory),
        settings=settings or TextSettings(),
        configured=configured,
        fixed=False,
        shown=Shown(encodes=False, confused="", answer="text"),
        writes=writes,
        doubts=partial(_doubts, name),
    )


def _statistics(outputs: Any, targets: Any) -> np.ndarray:
    return text_statistics(outputs, targets)
