"""What is watched, read: the run's held-out rows, a file of rows or of predictions, the log of a server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import DataError, SettingError
from deepen.core.files import read_jsonl
from deepen.core.run import Run, open_run
from deepen.data.check.problem import rows as num_rows
from deepen.data.table import Part
from deepen.inference.backing import texts
from deepen.inference.model import Model, load_model
from deepen.monitoring.record import Record
from deepen.monitoring.store import open_store
from deepen.watching.rows import Rows

MOST_REFERENCE, FEWEST_REFERENCE = 5000, 100
_BLIND = "majority"
_EARLIEST, _AHEAD = 946_684_800.0, 86_400.0  # the year 2000; a day


@dataclass(frozen=True)
class Watched:
    """A run that is watched: its model, its cheaper rungs, and how its rows are read."""

    run: Run
    model: Model
    cheaper: tuple[Model, ...]
    say: Callable[[str], None]

    @cached_property
    def part(self) -> Part:
        """The held-out rows, as inputs; 5,000 of them drawn by chance where there are more."""
        row = self.run.ladder.row(self.model.rung)
        if row.refitted or self.run.ladder.none_held_out:
            raise DataError(
                f"{self.run.folder} has learned from its validation rows (--refit, or cross-validation), and none "
                "is left to watch by; train without"
            )
        path = self.run.rung(self.model.rung) / "predictions-validation.jsonl"
        held = list(read_jsonl(path))
        if len(held) < FEWEST_REFERENCE:
            raise DataError(
                f"{path} has {num_rows(len(held))}: to watch takes {FEWEST_REFERENCE} held-out rows; "
                "train with a larger file, or with --validation"
            )
        if len(held) > MOST_REFERENCE:
            drawn = np.random.default_rng(0).choice(len(held), MOST_REFERENCE, replace=False)
            held = [held[at] for at in np.sort(drawn)]
        if not all(isinstance(row.get("inputs"), dict) for row in held):
            raise DataError(f"{path} is damaged: a row has no inputs")
        return self._part([row["inputs"] | {"target": row.get("target")} for row in held], targets=True)

    @cached_property
    def reference(self) -> Rows:
        """What the run says of its held-out rows, with what is right."""
        places = {label: at for at, label in enumerate(self.model.labels)}
        return replace(
            self.answered(self.part),
            targets_N=np.array([places.get(str(one), -1) for one in self.part.values("target")]),
        )

    def _part(self, inputs: Sequence[Mapping[str, Any]], *, targets: bool = False) -> Part:
        names = [name for name in inputs[0] if name != "target"]
        columns = {name: name for name in names} | ({"label": "target"} if targets else {})
        part = self.model.read(list(inputs), columns=columns, use="answer", need_target=targets)
        if len(part) != len(inputs):
            raise DataError(
                f"{self.run.folder}: {num_rows(len(inputs) - len(part))} of {len(inputs):,} can't be read "
                "again by the run that answered them"
            )
        return part

    def answered(self, part: Part) -> Rows:
        """Lets the model and the cheaper rungs read rows."""
        said = self.model.answers(part)
        reads = getattr(self.model.predictor, "features", None)
        cheaper = [_probabilities((one.probabilities for one in model.answers(part)), model) for model in self.cheaper]
        return Rows(
            ids=[one.id for one in said],
            probabilities_NC=_probabilities((one.probabilities for one in said), self.model),
            texts=texts(part),
            states_NF=None if reads is None else reads(part),
            cheaper_RNC=np.array(cheaper, np.float32).reshape(len(cheaper), len(said), len(self.model.labels)),
            num_tokens_N=np.array([one.num_tokens for one in said]),
            truncated_N=np.array([one.truncated for one in said]),
            refused_N=None if self.model.refusing is None else np.array([one.none_of_these for one in said]),
        )

    def file(self, path: Path, columns: Mapping[str, str] | None) -> Rows:
        """The rows of a file: predictions as `predict --out` writes them, or rows that are answered now."""
        if path.suffix == ".jsonl" and path.is_file():
            first = next(iter(read_jsonl(path)), {})
            if ("rung" in first and ("output" in first or "skipped" in first)) or set(first) == {"row", "skipped"}:
                return self._predictions(path)
        part = self.model.read(path, columns=columns, use="answer")
        if not len(part):
            raise DataError(f"{path}: none of its rows can be answered")
        return self.answered(part)

    def _predictions(self, path: Path) -> Rows:
        rows = [row for row in read_jsonl(path) if "skipped" not in row]
        good = [row for row in rows if self._is_whole(row.get("output"), row.get("probabilities"))]
        self._tell_left_out(len(rows) - len(good), len(rows), str(path))
        inputs = [row["inputs"] for row in good if isinstance(row.get("inputs"), dict)]
        ids = [str(row.get("id", at)) for at, row in enumerate(good)]
        return self._kept(ids, [row["probabilities"] for row in good], inputs)

    def log(self, url: str, *, since: float = 0.0) -> Rows:
        """What a server kept of this model's answers, from the oldest on."""
        store = open_store(url)
        try:
            found = store.read(model=self.model.mark, since=since)
            own = [one for one in found if '"skipped"' not in one.answer[:12]]
            others = "" if own else ", ".join(f"{run} ({mark})" for run, mark in store.models()[:5]) or "nothing"
        finally:
            store.close()
        if not own:
            raise DataError(f"log {url} has no answer of {self.run.folder} ({self.model.mark}); it has: {others}")
        good = [(record, answer) for record in own if (answer := self._answer(record)) is not None]
        self._tell_left_out(len(own) - len(good), len(own), f"log {url}")
        wrong = sum(not _EARLIEST < record.at < time.time() + _AHEAD for record, _ in good)
        if wrong:
            self.say(
                f"  warning: {wrong:,} of {len(good):,} answers have a time that can't be: a clock jumped, and "
                "windows may mix what was answered at different times"
            )
        inputs = [text for record, _ in good if (text := _inputs(record)) is not None]
        if len(inputs) < len(good):
            self.say(
                f"  note: {len(good) - len(inputs):,} of {len(good):,} answers were logged without their text: "
                "only what the answers themselves show is watched (serve --set log_texts=true keeps texts)"
            )
        return self._kept([record.id for record, _ in good], [answer for _, answer in good], inputs)

    def _answer(self, record: Record) -> dict[str, float] | None:
        try:
            said = json.loads(record.answer)
            return said["probabilities"] if self._is_whole(said["output"], said["probabilities"]) else None
        except (ValueError, KeyError, TypeError):
            return None

    def _is_whole(self, output: Any, probabilities: Any) -> bool:
        if not isinstance(probabilities, dict) or set(probabilities) != set(self.model.labels):
            return False
        values = list(probabilities.values())
        return all(isinstance(one, int | float) and 0 <= one <= 1 for one in values) and abs(sum(values) - 1) < 1e-2

    def _tell_left_out(self, num: int, of: int, where: str) -> None:
        if num == of:
            raise DataError(f"{where}: no record is an answer of {self.run.folder} with a probability for each label")
        if num:
            self.say(
                f"  warning: {where}: {num:,} of {of:,} records are damaged, or of a model with other labels, "
                "and are left out"
            )

    def _kept(self, ids: list[str], probabilities: list[dict[str, float]], inputs: list[dict[str, Any]]) -> Rows:
        values_NC = _probabilities(probabilities, self.model)
        if len(inputs) < len(ids):
            return Rows(ids, values_NC)
        return replace(self.answered(self._part(inputs)), ids=ids, probabilities_NC=values_NC)


def open_watched(folder: Path, say: Callable[[str], None]) -> Watched:
    """A run with what it takes to watch it.

    Raises:
        SettingError: If its answers are not one label of several.
    """
    run = open_run(folder)
    model = load_model(run.folder, say=say)
    if (
        not model.task.fixed
        or len(model.labels) < 2
        or not all(
            isinstance(row.get("probabilities"), dict) and isinstance(row.get("output"), str)
            for row in _first(run, model.rung)
        )
    ):
        raise SettingError(f"{folder}: watch is for tasks with one label a row, and this is {model.task.name}")
    names = [row.rung for row in run.ladder.rungs]
    below = [name for name in names[: names.index(model.rung)] if name != _BLIND]
    cheaper = tuple(
        load_model(run.folder, rung=name) for name in below if (run.rung(name) / "model" / "deepen.json").is_file()
    )
    return Watched(run, model, cheaper, say)


def _first(run: Run, rung: str) -> Iterator[dict[str, Any]]:
    """The first of the run's held-out answers, if there is one."""
    for row in read_jsonl(run.rung(rung) / "predictions-validation.jsonl"):
        yield row
        return


def _probabilities(found: Any, model: Model) -> np.ndarray:
    return np.array([[one[label] for label in model.labels] for one in found], np.float32)


def _inputs(record: Record) -> dict[str, Any] | None:
    try:
        found = json.loads(record.text) if record.text is not None else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
