"""A run in a model process: it answers rows as `deepen.load(run).predict` does, in JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepen.core.errors import ModelError
from deepen.core.files import read_object
from deepen.core.types import WRITTEN, Prediction, to_json
from deepen.data.columns import TARGET
from deepen.inference.exported import ExportedPredictor
from deepen.inference.model import Model, load_model
from deepen.problem.reading import ReadsTokens
from deepen.serving.messages import dumps

EXPORT = "export"
"""Where in a run folder an export of its chosen rung lies: `deepen export RUN RUN/export`."""
DOCUMENTS = "documents"
FAILED = "the model failed on this row"
_LETTERS_A_TOKEN = 100  # what WordPiece reads as one word at most
_LONGEST = 100_000  # characters of a text that is read in windows to its end
_SHOWN = ("output", "probabilities", "entities", "rung", "num_tokens", "truncated", *WRITTEN)

Row = dict[str, Any]


@dataclass(frozen=True)
class Served:
    """A model and how much of a text it can use."""

    model: Model
    most_letters: int | None
    """Letters of a text behind which nothing changes the answer; None if all of it does."""

    def about(self) -> dict[str, Any]:
        """What the front has to know of it."""
        model = self.model
        ranks = not model.task.fixed
        inputs = [
            {"name": need.name, "kind": need.kind, "optional": need.optional}
            for need in model.task.needs
            if need.name != TARGET and not (ranks and need.optional)
        ]
        exported = model.predictor.runtime.form if isinstance(model.predictor, ExportedPredictor) else "deepen"
        return {
            "task": model.task.name,
            "rung": model.rung,
            "model": model.mark,
            "form": exported,
            "labels": [] if ranks else list(model.labels),
            "inputs": [*inputs, *([{"name": DOCUMENTS, "kind": "texts", "optional": True}] if ranks else [])],
            "most_tokens": None if self.most_letters is None else self.most_letters // _LETTERS_A_TOKEN,
        }

    def answers(self, rows: Sequence[Row]) -> list[bytes]:
        """Answers in the order of the rows; where some can't be answered together, the bad one alone has none.

        Args:
            rows: Rows by the names of the task's inputs.

        Returns:
            A JSON object a row.
        """
        found: dict[int, bytes] = {}
        groups: dict[Any, list[int]] = {}
        for at, row in enumerate(rows):
            groups.setdefault(_shape(row, at), []).append(at)
        for places in groups.values():
            found |= zip(places, self._alike([rows[at] for at in places]), strict=True)
        return [found[at] for at in range(len(rows))]

    def _alike(self, rows: Sequence[Row]) -> list[bytes]:
        try:
            if DOCUMENTS in rows[0]:
                return [self._ranked(rows[0])]
            return self._predicted(rows)
        except Exception:  # of whatever library: no row may take others with it
            if len(rows) == 1:
                return [dumps({"skipped": FAILED})]
            half = len(rows) // 2
            return [*self._alike(rows[:half]), *self._alike(rows[half:])]

    def _predicted(self, rows: Sequence[Row]) -> list[bytes]:
        cut = [self._cut(row) for row in rows]
        right = [row for row, _, why in cut if why is None]
        columns = {name: name for name in rows[0]}
        answers = iter(self.model.predict(right, columns=columns) if right else [])
        told = (self._record(row, next(answers), short) if why is None else {"skipped": why} for row, short, why in cut)
        return list(map(dumps, told))

    def _record(self, row: Row, prediction: Prediction, short: bool) -> dict[str, Any]:
        """An answer; where it has places in a text that was masked, the masked text too."""
        record = _record(prediction, short)
        if record.get("entities") and self.model.settings.masked and prediction.inputs:
            read = {name: value for name, value in prediction.inputs.items() if name in row and value != row[name]}
            return record | ({"inputs": read} if read else {})
        return record

    def _ranked(self, row: Row) -> bytes:
        """One query and the documents that come with it: a table of theirs, whose other queries nobody asked."""
        (query, *texts), short, why = self._texts([row["query"], *row[DOCUMENTS]])
        if why is not None:
            return dumps({"skipped": why})
        rows = [{"query": query if at == 0 else "-", "answer": text} for at, text in enumerate(texts)]
        return dumps(_record(self.model.predict(rows, columns={"query": "query", "answer": "answer"})[0], short))

    def _cut(self, row: Row) -> tuple[Row, bool, str | None]:
        texts, short, why = self._texts(list(row.values()))
        return dict(zip(row, texts, strict=True)), short, why

    def _texts(self, texts: list[Any]) -> tuple[list[Any], bool, str | None]:
        """Texts without what no model reads, whether something was cut, and why they can't be read at all."""
        whole = [len(text) if isinstance(text, str) else sum(map(len, text)) for text in texts]
        if self.most_letters is None:
            too_long = isinstance(self.model.predictor, ReadsTokens) and max(whole) > _LONGEST
            return texts, False, f"a text has more than {_LONGEST:,} characters" if too_long else None
        cut = [text[: self.most_letters] if isinstance(text, str) else text for text in texts]
        return cut, max(whole) > self.most_letters, None


def _shape(row: Row, at: int) -> Any:
    """What rows must have in common to be read as one table; a query with its own documents is one by itself."""
    return at if DOCUMENTS in row else tuple((name, type(value)) for name, value in row.items())


def _record(prediction: Prediction, short: bool) -> dict[str, Any]:
    record = to_json(prediction)
    if prediction.skipped is not None:
        return {"skipped": record["skipped"]}
    shown = {name: record[name] for name in _SHOWN if name in record}
    return shown | ({"truncated": True} if short else {})


def open_served(folder: Path) -> Served:
    """Reads the model of a run: its export if there is one that is faster.

    Args:
        folder: A run folder, or a model folder by itself.

    Returns:
        The model.

    Raises:
        DataError: If there is no such run.
        ModelError: If it is damaged, or its export is of another model.
        SettingError: If the export needs ONNX Runtime and it is not installed.
    """
    model = _exported(folder) or load_model(folder)
    long = getattr(model.task.settings, "long", "head")
    head = model.task.form.head
    whole = head.is_row or head.shares  # other heads read tokens that stand anywhere
    cuts = isinstance(model.predictor, ReadsTokens) and whole and long == "head"
    return Served(model, model.predictor.tokenizer.max_tokens * _LETTERS_A_TOKEN if cuts else None)  # type: ignore[attr-defined]


def _exported(folder: Path) -> Model | None:
    about, of = folder / EXPORT / "deepen.json", folder / "model" / "deepen.json"
    if not about.is_file() or not of.is_file():
        return None
    there, chosen = read_object(about), read_object(of)
    if any(there.get(name) != chosen.get(name) for name in ("task", "rung", "labels")):
        said = f"{folder / EXPORT} is an export of another model than {folder / 'model'}"
        raise ModelError(f"{said}: remove it, and make it anew with `deepen export {folder} {folder / EXPORT}`")
    if float((there.get("parity") or {}).get("speedup", 0)) < 1:
        return None
    return load_model(folder / EXPORT)


def answered(line: bytes) -> dict[str, Any]:
    """An answer as a record again."""
    return dict(json.loads(line))
