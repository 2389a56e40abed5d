"""Each row is answered by the cheapest rung that may, or by none, with a promise of how often that is wrong.

Wrong is another answer than the chosen rung's, or than the right one. The promise comes from rows that the run held
out, by `evaluation/bounds.py`, and is kept in RUN/bounds/. It holds for rows like those, so each file that is answered
is compared with them. Start with `load_cascade`.

Shape legend: N rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.arguments import as_path
from deepen.core.errors import DataError, SettingError
from deepen.core.run import Run, open_run
from deepen.core.types import Prediction
from deepen.data.readers.parquet_arrow import is_dataset
from deepen.data.source import Source
from deepen.data.table import Part
from deepen.evaluation.bounds import threshold
from deepen.evaluation.promises import Bound, Slice, expired, read_bound, write_bound
from deepen.evaluation.shift import RISK, Seen, shift
from deepen.inference.backing import (
    Backing,
    answer_unlabelled,
    confidence,
    pooled,
    texts,
    unlabelled_rows,
    validation_rows,
)
from deepen.inference.gaps import in_place
from deepen.inference.given import as_rows
from deepen.inference.model import Model, load_model
from deepen.models.device import on

CONFIDENCE = 0.95
_CHEAPER = 0.5
"""Of the chosen rung's time: a rung that costs more saves nothing, since most rows then cost both."""
_UNSURE: dict[str, Any] = {"output": None, "answered_by": None}
_BLIND = "majority"  # it is as sure of every row


@dataclass
class Cascade:
    """A run's rungs, the cheapest first, with a promise. Make one with `load_cascade`.

    Attributes:
        model: The rung that is asked last.
        cheaper: Rungs that are asked before, each with the confidence from which on its answer is given.
        least: The confidence from which on the last one's is.
        bound: The promise; `expired` once rows that were answered are others than those that back it.
        name: What the run keeps it under; empty if it is not kept.
        seen: What the test of incoming rows compares them with.
        window: Rows after which the test is made, where they come a few at a time and without end; 0 tests each call.
    """

    model: Model
    cheaper: tuple[tuple[Model, float], ...]
    least: float
    bound: Bound
    name: str
    seen: Seen = field(repr=False)
    window: int = 0
    coming: Seen = field(default_factory=lambda: Seen(np.zeros(0), ()), repr=False)
    num_tests: int = 0

    @property
    def rung(self) -> str:
        """The rung that is asked last."""
        return self.model.rung

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the run."""
        return self.model.labels

    def source(self, data: Any, *, columns: Mapping[str, str] | None = None) -> Source:
        """Rows as they are; as `Model.source`."""
        return self.model.source(data, columns=columns)

    def predict(self, data: Any, *, columns: Mapping[str, str] | None = None, watch: bool = True) -> list[Prediction]:
        """Answers rows, and compares them with those that back the promise.

        Args:
            data: Rows in any form that `Model.predict` takes.
            watch: Whether they are compared.

        Returns:
            One prediction a row; `answered_by` is the rung, and None with an output of None where none is sure enough.

        Raises:
            DataError: If the data can't be read or lacks a column.
        """
        rows = as_rows(data)
        if not (is_dataset(rows) or isinstance(rows, str | Path) or len(rows)):
            return []
        part = self.model.read(rows, columns=columns, use="answer")
        answers = self._answers(part, watch=watch) if len(part) else []
        return list(in_place(answers, part.table, self.rung, is_file=isinstance(rows, str | Path)))

    def _answers(self, part: Part, *, watch: bool) -> list[Prediction]:
        found: list[Prediction] = []
        left_N, spent, first_N = np.arange(len(part)), 0.0, None
        for model, least in (*self.cheaper, (self.model, self.least)):
            said = model.answers(part.take(left_N)) if len(left_N) else []
            sure_N = np.array([confidence(one.output, one.probabilities) for one in said])
            if first_N is None:
                first_N, found = sure_N, list(said)
            spent += said[0].seconds if said else 0.0
            for at, one, sure in zip(left_N, said, sure_N, strict=True):
                given: dict[str, Any] = {"answered_by": one.answered_by or model.rung} if sure >= least else _UNSURE
                found[at] = replace(one, seconds=spent, **given)
            left_N = left_N[sure_N < least]
        self._say(found)
        if watch:
            self._watch(Seen(np.asarray(first_N), texts(part)))
        return found

    def _say(self, found: Sequence[Prediction]) -> None:
        counts = Counter(one.answered_by for one in found)
        names = dict.fromkeys([*(model.rung for model, _ in self.cheaper), *filter(None, counts), self.rung])
        shares = [f"{name} {counts[name] / len(found):.1%}" for name in names]
        unknown = f"; {counts[None] / len(found):.1%} are not known" if counts[None] else ""
        self.model.say(f"  answered by {', '.join(shares)} of the rows{unknown}")

    def _watch(self, coming: Seen) -> None:
        """Whether the rows that come are like those that back the promise.

        Of windows without end, the test of the k-th may err by 1 / (k (k + 1)) of the risk, which adds up to all of it.
        """
        confidences_N = np.concatenate([self.coming.confidences_N, coming.confidences_N])
        self.coming = Seen(confidences_N, [*self.coming.texts, *coming.texts])
        if len(self.coming.texts) < self.window:
            return
        coming, self.coming = self.coming, Seen(np.zeros(0), ())
        self.num_tests += bool(self.window)
        why = shift(self.seen, coming, risk=RISK / max(1, self.num_tests * (self.num_tests + 1)))
        if why:
            self.bound = expired(self.bound, f"rows that were answered differ from those that back it by {why}")
            self.model.say(f"  warning: the promise does not hold for these rows, which differ from its own by {why}")
            if self.name:
                _store(self.model, self.name, self.bound)


def doubting(model: Model, max_error: float, *, window: int = 0) -> Cascade:
    """A model of a run that says when it does not know; its promise is not kept with the run.

    Args:
        max_error: The share of wrong ones among the answers that are given.
        window: As in `Cascade`.

    Raises:
        DataError: If the rows that the run has kept are damaged.
        SettingError: If the rows that there are can't back it.
    """
    if model.run_folder is None:
        raise SettingError(f"max_error {max_error:g} rests on rows that a run keeps, and {model.folder} is by itself")
    _check_answers_all(model, f"max_error {max_error:g}")
    rows = validation_rows(open_run(model.run_folder), [model])
    bound = erring(rows, max_error)
    if not bound.kept:
        raise SettingError(f"max_error {max_error:g} can't be promised: {bound.why if len(rows) else _learned(model)}")
    return Cascade(model, (), float(bound.threshold or 0.0), bound, "", rows.seen(), window)


def _check_answers_all(model: Model, wish: str) -> None:
    """What a run says of the rows that it answers is no promise of both."""
    if model.refusing is not None:
        raise SettingError(
            f"{wish}: {model.run_folder} gives rows that look like none of its labels no answer; leave it out"
        )


def _learned(model: Model) -> str:
    return f"{model.rung} has learned from the validation rows too, and none is left"


def load_cascade(
    run: str | Path | Run,
    *,
    agreement: float | None = None,
    max_error: float | None = None,
    unlabelled: Any = None,
    rung: str | None = None,
    settings: Sequence[str] = (),
    device: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Cascade:
    """A run whose cheaper rungs answer what they may, or which says that it does not know.

    Args:
        agreement: The share of answers that are those of the rung alone, as in 0.99: with 95 % confidence no more than
            1 % are others.
        max_error: The share of wrong ones among the answers that are given, as in 0.05; the rest is not answered.
        unlabelled: For `agreement`, rows without a label that back it too, from now on: a file.
        rung: The rung that answers what is left; None is the chosen one.
        settings: Words such as `data.bad_rows=drop`, laid over how the training data was read.
        device: Where networks run; None is `auto`.
        say: Called with lines for the user.

    Raises:
        DataError: If there is no such run, or the rows that it has kept are damaged.
        SettingError: If the wish is none, or can't be backed by the rows that there are.

    Example:
        >>> deepen.load_cascade("runs/first", agreement=0.99).predict("new.csv")  # doctest: +SKIP
    """
    if agreement is None and unlabelled is not None:
        raise SettingError("--unlabelled goes with --cascade: whether an answer is wrong takes a label")
    wish, at_most = _wish(agreement, max_error)
    folder = run.folder if isinstance(run, Run) else as_path("run", run)
    with on(device, say):
        model = load_model(folder, rung=rung, settings=settings, say=say)
        if model.run_folder is None:
            raise SettingError(f"{folder} is a model by itself: {wish} rests on rows that a run keeps, so name the run")
        _check_answers_all(model, wish)
        opened = open_run(model.run_folder)
        names = _cheaper(opened, model.rung) if agreement is not None else []
        models = [*(load_model(folder, rung=name, settings=settings) for name in names), model]
    rows = validation_rows(opened, models)
    if unlabelled is not None:
        answer_unlabelled(opened, models, unlabelled, say)
    if agreement is not None:
        rows = pooled(rows, unlabelled_rows(opened, models), say)
        bound = agreeing(rows, names, at_most)
    else:
        bound = erring(rows, at_most)
    if not bound.kept:
        more = "; rows without a label back it too: --unlabelled FILE" if agreement is not None else ""
        raise SettingError(f"{wish} can't be promised: {bound.why if len(rows) else _learned(model)}{more}")
    name = "-".join([wish.removeprefix("--").replace(" ", "-").replace(".", "_"), *([] if rung is None else [rung])])
    bound = _store(model, name, bound)
    _tell(bound, model, say)
    made = {one.name: one.threshold for one in bound.slices}
    cheaper = tuple((one, least) for one in models[:-1] if (least := made[one.rung]) is not None)
    first = names.index(cheaper[0][0].rung) if cheaper else -1
    least = 0.0 if agreement is not None else float(bound.threshold or 0.0)
    return Cascade(model, cheaper, least, bound, name, rows.seen(first))


def _wish(agreement: float | None, max_error: float | None) -> tuple[str, float]:
    """The wish as a person writes it, and the share that it allows."""
    if (agreement is None) == (max_error is None):
        raise SettingError("give either --cascade, as in 0.99, or --max-error, as in 0.05")
    name, value, like = ("--cascade", agreement, 0.99) if agreement is not None else ("--max-error", max_error, 0.05)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise SettingError(f"{name} {value}: it must be a share above 0 and below 1, as in {like}")
    return f"{name} {value:g}", round(1 - value, 12) if agreement is not None else float(value)


def _cheaper(run: Run, rung: str) -> list[str]:
    """The rungs that cost at most half as much as one, by what the run measured, the cheapest first.

    Raises:
        SettingError: If there is none.
    """
    costs = {row.rung: row.seconds_per_1000_predictions for row in run.ladder.rungs if row.climbed}
    most = _CHEAPER * (costs.get(rung) or 0.0)
    there = {name: cost for name, cost in costs.items() if cost is not None and (run.rung(name) / "model").is_dir()}
    names = sorted(
        (name for name, cost in there.items() if cost <= most and name != _BLIND), key=lambda name: there[name]
    )
    if not names:
        raise SettingError(
            f"--cascade: {run.folder} has no rung that costs half as much as {rung} or less; leave it out"
        )
    return names


def agreeing(rows: Backing, names: Sequence[str], at_most: float) -> Bound:
    """Thresholds from which on each cheaper rung answers. They share what is allowed, and so need no order."""
    share = len(names)
    own = 1 - (1 - CONFIDENCE) / share
    found, given_N, differ_N, upper = [], np.zeros(len(rows), bool), np.zeros(len(rows), bool), 0.0
    for name, outputs_N, confidences_N in zip(names, rows.outputs_RN, rows.confidences_RN, strict=False):
        wrong_N = outputs_N != rows.outputs_RN[-1]
        one = threshold(confidences_N, wrong_N, "disagreement", at_most=at_most / share, confidence=own)
        found.append(Slice(name, one.rows, one.threshold, one.coverage, one.wrong, one.upper))
        if one.threshold is not None:
            new_N = (confidences_N >= one.threshold) & ~given_N
            given_N, differ_N, upper = given_N | new_N, differ_N | (new_N & wrong_N), upper + one.upper
    kept = any(one.threshold is not None for one in found)
    wrong = int(differ_N.sum())
    why = f"{wrong:,} of {len(rows):,} answers were others, which fits a share of {upper:.3%} at most"
    return replace(
        one,
        at_most=at_most,
        confidence=CONFIDENCE,
        threshold=found[0].threshold if share == 1 else None,
        coverage=float(given_N.mean()) if len(rows) else 0.0,
        wrong=wrong,
        upper=min(1.0, upper) if kept else one.upper,
        kept=kept,
        why=why if kept else one.why,
        slices=tuple(found),
    )


def erring(rows: Backing, at_most: float) -> Bound:
    """The threshold from which on the rung that is asked gives its answers."""
    wrong_N = rows.outputs_RN[-1] != rows.targets_N
    how: dict[str, Any] = {"at_most": at_most, "confidence": CONFIDENCE, "counted": "answered"}
    return threshold(rows.confidences_RN[-1], wrong_N, "error", **how)


def _store(model: Model, name: str, bound: Bound) -> Bound:
    """Keeps a promise with its run, unless it is there already: then it is as old as it was."""
    assert model.run_folder is not None  # noqa: S101 - `load_cascade` has looked
    with suppress(DataError):
        kept = read_bound(model.run_folder, name)
        if replace(kept, since=bound.since, why=bound.why, expired=bound.expired) == bound:
            bound = replace(bound, since=kept.since)
        if kept == bound:
            return bound
    try:
        write_bound(model.run_folder, name, bound)
    except SettingError as error:  # the run may be where nobody may write
        model.say(f"  note: the promise is not kept with the run: {error}")
    return bound


def _tell(bound: Bound, model: Model, say: Callable[[str], None]) -> None:
    backed = f"with {bound.confidence:.0%} confidence, by {bound.rows:,} rows"
    if bound.promise == "error":
        said = f"at most {bound.at_most:.3g} of the answers that are given are wrong, {backed}"
        say(
            f"  promise: {said}; {model.rung} answers from {bound.threshold:.4f} on, {bound.coverage:.1%} of those rows"
        )
        return
    from_on = [f"{one.name} answers from {one.threshold:.4f} on" for one in bound.slices if one.threshold is not None]
    said = f"at most {bound.at_most:.3g} of all answers are others than those of {model.rung} alone, {backed}"
    say(f"  promise: {said}; {', '.join(from_on)}, {bound.coverage:.1%} of those rows")
