"""Multilabel: one text, any number of labels.

A row looks like `{"text": "A thief falls in love.", "label": ["comedy", "romance"]}`; in a CSV the labels are parted by
`|`, `;` or commas, or there is a column of 0 and 1 for each: `--columns text=plot,label=comedy+romance+drama`. The unit
is the row; each label has a logit of its own and is given where that is above 0, which is where validation has put it.

Shape legend: N examples, M units (here M = N), C labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deepen.core.ladder import Shown
from deepen.core.types import Outputs, Score, Targets
from deepen.data.columns import Need, plain_name
from deepen.data.source import Source, clip
from deepen.data.table import Part
from deepen.data.targets.label_lists import encode_many, flag_columns, holds_several, many_labels
from deepen.evaluation import multilabel
from deepen.models.heads import mean
from deepen.problem import one_label
from deepen.problem.losses import binary_cross_entropy, least_margins
from deepen.problem.target import MANY
from deepen.problem.task import Claim, Form, Shallow, Task
from deepen.shallow.tfidf import Frequencies, fit_many, load_frequencies, load_lexical

_MORE_NAMES = ("tags", "categories", "genres", "topics", "keywords", "关键词")
NEEDS = (one_label.TEXT, Need("label", "labels", (*one_label.LABEL.names, *_MORE_NAMES)))
_SURE = 2


def _recognise(source: Source) -> Claim | None:
    """A column that is called so has several labels in some cells, or several columns of 0 and 1 stand for labels."""
    usual = {plain_name(name) for name in ("label", *NEEDS[1].names)}
    names = source.names or ()
    for at, name in enumerate(names):
        if plain_name(name) in usual and _has_text(source):
            cells = [row[at] for row in source.sample if at < len(row)]
            if sum(map(holds_several, cells)) >= _SURE:
                return Claim(0.3, f"column {name} holds lists of labels")
    flags = flag_columns(source)
    others = {plain_name(name) for at, name in enumerate(names) if at not in flags}
    if names and len(flags) > _SURE and not others & usual:
        said = ", ".join(clip(names[at], 20) for at in flags[:6]) + (", ..." if len(flags) > 6 else "")
        return Claim(0.3, f"columns {said} hold 0 or 1, a label each")
    return None


def _has_text(source: Source) -> bool:
    return any(isinstance(row[at], str) for row in source.sample[:1] for at in range(len(row)))


def _targets(part: Part, labels: tuple[str, ...]) -> Targets:
    return Targets(encode_many(part, labels), np.arange(len(part) + 1))


def _check(part: Part, labels: tuple[str, ...]) -> None:
    encode_many(part, labels)


def _decode(outputs: Outputs, part: Part, labels: Sequence[str]) -> list[dict[str, Any]]:
    probs_NC = 1 / (1 + np.exp(-outputs.values_MC.astype(np.float64)))
    return [
        {
            "output": [label for label, logit in zip(labels, logits_C, strict=True) if logit > 0],
            "probabilities": {label: round(float(p), 6) for label, p in zip(labels, probs_C, strict=True)},
        }
        for logits_C, probs_C in zip(outputs.values_MC, probs_NC, strict=True)
    ]


def _scores(outputs: Outputs, targets: Targets, labels: Sequence[str], seed: int) -> list[Score]:
    return multilabel.multilabel_scores(outputs.values_MC, targets.labels_M, labels, seed=seed)


def _fit_frequencies(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> Frequencies:
    has_C = targets.labels_M.sum(0, dtype=np.int64)
    return Frequencies(np.log((has_C + 0.5) / (len(part) - has_C + 0.5)), len)


def _fit_lexical(part: Part, targets: Targets, num_outputs: int, settings: Any, seed: int) -> Any:
    return fit_many(one_label.texts, part, targets.labels_M, settings, seed)


TASK = Task(
    name="multilabel",
    needs=NEEDS,
    recognise=_recognise,
    form=Form(one_label.text_encoder, mean.HEAD),
    labels=lambda part, max_labels: many_labels(part, max_labels=max_labels),
    check=_check,
    targets=_targets,
    target=MANY,
    shown=Shown(pipeline="text-classification", confused="", answer="many"),
    losses=binary_cross_entropy,
    margins=least_margins,
    score_name="micro_f1",
    statistics=lambda outputs, targets: multilabel.statistics(outputs.values_MC, targets.labels_M),
    value_of=multilabel.micro_f1,
    scores=_scores,
    decode=_decode,
    baseline=Shallow(_fit_frequencies, lambda folder: load_frequencies(folder, len)),
    lexical=Shallow(_fit_lexical, lambda folder: load_lexical(folder, one_label.texts)),
    shift=lambda outputs, targets: -multilabel.thresholds(outputs.values_MC, targets.labels_M),
)
