"""Triples from raw text: a tagger finds the entities, a relation model says what holds between each two of them.

Shape legend: N rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

from deepen.core.errors import DataError, SettingError
from deepen.core.places import path_of
from deepen.core.types import Prediction, Score
from deepen.data.columns import Need
from deepen.data.load import load_table
from deepen.data.settings import DataSettings
from deepen.data.source import Source
from deepen.evaluation.relations import is_null, relation_of, triple_scores
from deepen.inference.model import Model, load_model

Triple = tuple[str, str, str]
_NEEDS = (
    Need("text", "text", ("text", "sentence", "content", "文本", "句子")),
    Need("label", "labels", ("triples", "relations", "spo_list", "triple_list", "三元组")),
)


@dataclass(frozen=True)
class Triples:
    """A tagger and a relation model, one after the other. Make one with `deepen.load("TAGGER+RELATION")`."""

    tagger: Model
    relation: Model

    @property
    def rung(self) -> str:
        """Both rungs."""
        return f"{self.tagger.rung}+{self.relation.rung}"

    def predict(self, data: Any, *, columns: Mapping[str, str] | None = None) -> list[Prediction]:
        """Finds the triples of rows.

        Args:
            columns: Which columns are the inputs, if they are not called as in the tagger's training data.

        Returns:
            One prediction a row, or a gap: `output` is a list of (head, relation, tail), `entities` are the tagger's.
        """
        found = self.tagger.predict(data, columns=columns)
        marked, owners = [], []
        for row, prediction in enumerate(found):
            text = str((prediction.inputs or {}).get("text", ""))
            for head, tail in _pairs(prediction.entities or [], both_ways=not self._directed):
                marked.append({"text": _mark(text, head, tail)})
                owners.append((row, head["text"], tail["text"]))
        said = self.relation.predict(marked, columns={"text": "text"}) if marked else []
        triples: list[list[Triple]] = [[] for _ in found]
        for (row, head, tail), answer in zip(owners, said, strict=True):
            triple = _triple(str(answer.output), head, tail)
            if triple is not None and triple not in triples[row]:
                triples[row].append(triple)
        seconds = sum(answer.seconds for answer in said) / max(1, len(found))
        return [
            replace(one, output=these, rung=self.rung, target=None, seconds=one.seconds + seconds)
            if one.skipped is None
            else replace(one, rung=self.rung)
            for one, these in zip(found, triples, strict=True)
        ]

    def source(self, data: Any, *, columns: Mapping[str, str] | None = None) -> Source:
        """Rows as they are, as the tagger reads them."""
        return self.tagger.source(data, columns=columns)

    @property
    def _directed(self) -> bool:
        return any(relation_of(label) != label for label in self.relation.labels)

    def evaluate(self, data: Any, *, columns: Mapping[str, str] | None = None) -> list[Score]:
        """Scores the triples of rows whose triples are known.

        Args:
            data: Rows with a text and a list of triples, each a list of head, relation and tail.
            columns: Which columns are what, if they are not called `text` and `triples`.

        Returns:
            Precision, recall and F1 over all triples, each right only with both names and the relation.

        Raises:
            DataError: If the data can't be read.
        """
        table, _ = load_table(data, _NEEDS, DataSettings(), columns=columns)
        part = table.all_rows()
        said = [Counter(map(tuple, one.output or ())) for one in self.predict(list(part.values("text")))]
        right = [Counter(tuple(triple.split("\n")) for triple in triples) for triples in part.values("target")]
        counts_N3 = np.array(
            [[(one & other).total(), one.total(), other.total()] for one, other in zip(said, right, strict=True)], float
        )
        return triple_scores(counts_N3, seed=0)

    def explain(self, data: Any, *, columns: Mapping[str, str] | None = None) -> list[Any]:
        """Triples come from two models.

        Raises:
            SettingError: Always; each of the two can be asked by itself.
        """
        raise SettingError("two models in a chain can't be explained together: ask each of them")


def load_triples(
    path: str, *, rung: str | None = None, settings: Sequence[str] = (), say: Any = lambda line: None
) -> Triples | None:
    """Reads a chain of two models.

    Args:
        path: `TAGGER+RELATION`, two run or model folders.
        rung: A rung of both; None is the chosen one of each.
        settings: As in `load_model`, for both.

    Returns:
        The chain; None if the path names one folder.

    Raises:
        SettingError: If the first is no tagger or the second no relation model.
    """
    first, plus, second = path.partition("+")
    if not plus or path_of(path, kind=DataError).exists():
        return None
    models = [load_model(one.strip(), rung=rung, settings=settings, say=say) for one in (first, second)]
    for model, task in zip(models, ("tagging", "relation"), strict=True):
        if model.task.name != task:
            said = f"{path}: a chain is a tagger and a relation model, but {model.folder} is for {model.task.name}"
            raise SettingError(said)
    # what the second reads was made here: there is nothing to say of it
    return Triples(models[0], replace(models[1], say=lambda line: None))


def _pairs(entities: Sequence[dict[str, Any]], *, both_ways: bool) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every two entities that share no character; labels with a direction need each two only once."""
    return [
        (head, tail)
        for head, tail in permutations(entities, 2)
        if (head["end"] <= tail["start"] or (both_ways and tail["end"] <= head["start"]))
    ]


def _mark(text: str, head: dict[str, Any], tail: dict[str, Any]) -> str:
    """The text with tags around two spans."""
    ends = [(head["start"], head["end"], "e1"), (tail["start"], tail["end"], "e2")]
    for start, end, tag in sorted(ends, reverse=True):
        text = f"{text[:start]}<{tag}>{text[start:end]}</{tag}>{text[end:]}"
    return text


def _triple(label: str, head: str, tail: str) -> Triple | None:
    if is_null(label):
        return None
    turned = label.endswith("(e2,e1)")
    return (tail, relation_of(label), head) if turned else (head, relation_of(label), tail)
