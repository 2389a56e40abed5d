"""A run in a model process: it answers rows as `deepen.load(run).predict` does, in JSON.

A request may wish more: `{"explain": true}`, or `{"max_error": 0.05}`, the share of wrong answers among those given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deepen.core.errors import DeepenError, ModelError, SettingError
from deepen.core.files import read_object
from deepen.core.types import WRITTEN, Prediction, to_json
from deepen.data.columns import TARGET
from deepen.data.masking import mask
from deepen.evaluation.promises import NONE_OF_THESE, bound_file
from deepen.inference.exported import ExportedPredictor
from deepen.inference.model import Model, load_model
from deepen.problem.reading import ReadsTokens
from deepen.serving.first_export import EXPORT
from deepen.serving.messages import KNOWN, dumps
from deepen.serving.settings import Opening

if TYPE_CHECKING:
    from deepen.inference.cascade import Cascade

DOCUMENTS = "documents"
FAILED = "the model failed on this row"
LETTERS_A_TOKEN = 100
"""What WordPiece reads as one word at most."""
_LONGEST = 100_000  # characters of a text that is read to its end: a longer one would hold up all others
_BOTH = {"query": "query", "answer": "answer"}
_SHOWN = (
    *("output", "none_of_these", "probabilities", "entities", "rung", "answered_by", "num_tokens", "truncated"),
    *WRITTEN,
)
_WINDOW = 500  # rows after which a promise is held against what came
_KNOWN_TOKENS = 4  # of an answer that a network writes
_MOST_DOUBTS = 32  # shares of errors for which thresholds are kept

Row = dict[str, Any]
How = Mapping[str, Any]


class _RefusedError(Exception):
    """What is wished and this run can't grant, and why."""

    def __init__(self, wish: str, why: str) -> None:
        super().__init__(why)
        self.wish = wish


@dataclass(frozen=True)
class Served:
    """A model and how much of a text it can use."""

    model: Model
    most_letters: int | None
    """Letters of a text behind which nothing changes the answer; None if all of it does."""
    cascade: Cascade | None = None
    _doubts: dict[float, Cascade] = field(default_factory=dict)

    @property
    def expired(self) -> str | None:
        """Why the promise of the cascade holds no longer."""
        bound = None if self.cascade is None else self.cascade.bound
        return bound.why if bound is not None and bound.expired else None

    @property
    def writes(self) -> bool:
        """Whether a network writes its answers, which can be told while it does."""
        network = getattr(self.model.predictor, "network", None)  # that of an export tells no part of an answer
        return self.model.task.writes is not None and hasattr(network, "generate")

    @cached_property
    def _short(self) -> Model:
        """The model of known rows: their first tokens tell as much, and hold nobody up."""
        writer: Any = self.model.predictor
        return (
            replace(self.model, predictor=writer.held(None, max_new_tokens=_KNOWN_TOKENS))
            if self.writes
            else self.model
        )

    def about(self) -> dict[str, Any]:
        """What the front has to know of it."""
        model = self.model
        ranks = not model.task.fixed and model.task.writes is None
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
            "most_tokens": None if self.most_letters is None else self.most_letters // LETTERS_A_TOKEN,
            "promise": None if self.cascade is None else asdict(self.cascade.bound),
        }

    def answers(self, rows: Sequence[Row], hows: Sequence[How] = ()) -> list[bytes]:
        """Answers in the order of the rows; where some can't be answered together, the bad one alone has none.

        Args:
            rows: Rows by the names of the task's inputs.
            hows: What is wished of each row; empty if their answers are known.

        Returns:
            A JSON object a row.
        """
        found: dict[int, bytes] = {}
        groups: dict[Any, list[int]] = {}
        wished = list(hows) or [KNOWN] * len(rows)
        for at, (row, how) in enumerate(zip(rows, wished, strict=True)):
            groups.setdefault((_shape(row, at), *sorted(how.items())), []).append(at)
        for places in groups.values():
            found |= zip(places, self._alike([rows[at] for at in places], wished[places[0]]), strict=True)
        return [found[at] for at in range(len(rows))]

    def _alike(self, rows: Sequence[Row], how: How) -> list[bytes]:
        try:
            return halved(self._ranked if DOCUMENTS in rows[0] else partial(self._predicted, how=how), rows)
        except _RefusedError as refused:
            return [dumps({"refused": str(refused), "field": refused.wish})] * len(rows)

    def _predicted(self, rows: Sequence[Row], how: How) -> list[bytes]:
        cut = [self.cut(row) for row in rows]
        right = [row for row, _, why in cut if why is None]
        columns = {name: name for name in rows[0]}
        asked = self._asked(how)
        answers = iter(_predicted(asked, right, columns, known=bool(how.get("known"))))
        told = [self._record(row, next(answers), short) if why is None else {"skipped": why} for row, short, why in cut]
        if not isinstance(asked, Model) and asked.bound.expired:
            told = [record | {"promise_expired": asked.bound.why} for record in told]
        if how.get("explain"):
            self._explain([record for record in told if "skipped" not in record], right, columns)
        return list(map(dumps, told))

    def _asked(self, how: How) -> Model | Cascade:
        """What answers: the cascade of the server, the model, or that with as few errors as is wished.

        Raises:
            _RefusedError: If nothing backs the wish.
        """
        if how.get("known") and self.writes:
            return self._short
        if "max_error" not in how:
            return self.model if self.cascade is None or how.get("explain") else self.cascade
        most = round(how["max_error"], 4)
        if most not in self._doubts:
            if len(self._doubts) >= _MOST_DOUBTS:
                self._doubts.pop(next(iter(self._doubts)))
            from deepen.inference.cascade import doubting  # it loads torch, which an export does without

            try:
                self._doubts[most] = doubting(self.model, most, window=_WINDOW)
            except DeepenError as error:
                known = isinstance(error, SettingError)  # others may name a path
                why = str(error) if known else "the rows that would back it are damaged"
                raise _RefusedError("max_error", why) from None
        return self._doubts[most]

    def _explain(self, answers: Iterable[dict[str, Any]], rows: list[Row], columns: dict[str, str]) -> None:
        """Adds to each answer why it is so; training rows in it are masked as texts are."""
        try:
            explanations = self.model.explain(rows, columns=columns) if rows else []
        except SettingError as error:
            raise _RefusedError("explain", str(error)) from None
        kinds = self.model.settings.masked
        for record, found in zip(answers, explanations, strict=True):
            why = record["explanation"] = to_json(found)
            for one in (alike for answer in why["answers"] for alike in answer["analogies"]) if kinds else ():
                if (text := mask(one["text"], kinds=kinds).text) != one["text"]:
                    one |= {"text": text, "start": None, "end": None}  # a place in it would be another one

    def _record(self, row: Row, prediction: Prediction, short: bool) -> dict[str, Any]:
        """An answer; where it has places in a text that was masked, the masked text too."""
        record = _record(prediction, short)
        if "entities" in record and self.model.settings.masked and prediction.inputs:
            read = {name: value for name, value in prediction.inputs.items() if name in row and value != row[name]}
            return record | ({"inputs": read} if read else {})
        return record

    def _ranked(self, rows: Sequence[Row]) -> list[bytes]:
        """One query and the documents that come with it: a table of theirs, whose other queries nobody asked."""
        [row] = rows
        (query, *texts), short, why = self._texts([row["query"], *row[DOCUMENTS]])
        if why is not None:
            return [dumps({"skipped": why})]
        table = [{"query": query if at == 0 else "-", "answer": text} for at, text in enumerate(texts)]
        return [dumps(_record(self.model.predict(table, columns=_BOTH)[0], short))]

    def scored(self, row: Row) -> dict[str, Any]:
        """The answer to a row, and `logits`: of each label, or of each document that came with a query.

        Args:
            row: By the names of the task's inputs.

        Returns:
            An answer; without logits where it has no answer.
        """
        answer = answered(self.answers([row])[0])
        if "skipped" in answer:
            return answer
        texts, _, _ = self._texts([row["query"], *row[DOCUMENTS]] if DOCUMENTS in row else list(row.values()))
        if DOCUMENTS in row:
            table = [{"query": texts[0], "answer": text} for text in texts[1:]]
            part = self.model.read(table, columns=_BOTH, use="answer")
            if len(part) < len(table):
                return {"skipped": "a document is empty"}
        else:
            table = [dict(zip(row, texts, strict=True))]
            part = self.model.read(table, columns={name: name for name in row}, use="answer")
        logits = self.model.predictor.predict(part.take(np.array([0]))).values_MC[0].tolist()
        if DOCUMENTS in row:  # equal ones are one
            known = {text: at for at, text in enumerate(dict.fromkeys(part.values("answer")))}
            logits = [logits[known[text]] for text in part.values("answer")]
        return answer | {"logits": logits}

    def cut(self, row: Row) -> tuple[Row, bool, str | None]:
        """A row without what no model reads, whether something was cut, and why it can't be read at all."""
        texts, short, why = self._texts(list(row.values()))
        return dict(zip(row, texts, strict=True)), short, why

    def _texts(self, texts: list[Any]) -> tuple[list[Any], bool, str | None]:
        """Texts without what no model reads, whether something was cut, and why they can't be read at all."""
        whole = [len(text) if isinstance(text, str) else sum(map(len, text)) for text in texts]
        if self.most_letters is None:
            return texts, False, f"a text has more than {_LONGEST:,} characters" if max(whole) > _LONGEST else None
        cut = [text[: self.most_letters] if isinstance(text, str) else text for text in texts]
        return cut, max(whole) > self.most_letters, None


def halved(answers: Callable[[Sequence[Row]], list[bytes]], rows: Sequence[Row]) -> list[bytes]:
    """What a function answers rows; where it fails, each half by itself: the bad row alone has no answer."""
    try:
        return answers(rows)
    except _RefusedError:
        raise
    except Exception:  # of whatever library: no row may take others with it
        if len(rows) == 1:
            return [dumps({"skipped": FAILED})]
    half = len(rows) // 2
    return [*halved(answers, rows[:half]), *halved(answers, rows[half:])]


def _predicted(asked: Model | Cascade, rows: list[Row], columns: dict[str, str], *, known: bool) -> list[Prediction]:
    if not rows:
        return []
    if isinstance(asked, Model):
        return asked.predict(rows, columns=columns)
    return asked.predict(rows, columns=columns, watch=not known)


def _shape(row: Row, at: int) -> Any:
    """What rows must have in common to be read as one table; a query with its own documents is one by itself."""
    return at if DOCUMENTS in row else tuple((name, type(value)) for name, value in row.items())


def _record(prediction: Prediction, short: bool) -> dict[str, Any]:
    record = to_json(prediction)
    if prediction.skipped is not None:
        return {"skipped": record["skipped"]}
    shown = {name: record[name] for name in _SHOWN if name in record}
    return shown | ({"truncated": True} if short else {})


def open_served(folder: Path, opening: Opening | None = None) -> Served:
    """Reads the model of a run: its export if there is one that is faster.

    Args:
        folder: A run folder, or a model folder by itself.
        opening: How; None as it was trained.

    Returns:
        The model.

    Raises:
        DataError: If there is no such run.
        ModelError: If it is damaged, or its export is of another model.
        SettingError: If the export needs ONNX Runtime and it is not installed, or the run can't back a cascade.
    """
    opening = opening or Opening()
    settings = ["data.mask=all"] if opening.mask else []
    cascade: Cascade | None = None
    if opening.cascade is not None:
        from deepen.inference.cascade import load_cascade

        cascade = load_cascade(folder, agreement=opening.cascade, settings=settings)
        cascade.window = _WINDOW
        model = cascade.model
    else:
        model = (_exported(folder, settings) if opening.export else None) or load_model(folder, settings=settings)
    long = getattr(model.task.settings, "long", "head")
    head = model.task.form.head
    whole = model.task.writes is None and (head.is_row or head.shares)  # other heads read tokens that stand anywhere
    cuts = isinstance(model.predictor, ReadsTokens) and whole and long == "head"
    most = model.predictor.tokenizer.max_tokens * LETTERS_A_TOKEN if cuts else None  # type: ignore[attr-defined]
    return Served(model, most, cascade)


def _exported(folder: Path, settings: Sequence[str]) -> Model | None:
    about, of = folder / EXPORT / "deepen.json", folder / "model" / "deepen.json"
    if not about.is_file() or not of.is_file():
        return None
    if bound_file(folder, NONE_OF_THESE).is_file():  # an export has no states to compare
        return None
    there, chosen = read_object(about), read_object(of)
    if any(there.get(name) != chosen.get(name) for name in ("task", "rung", "labels")):
        said = f"{folder / EXPORT} is an export of another model than {folder / 'model'}"
        raise ModelError(f"{said}: remove it, and make it anew with `deepen export {folder} {folder / EXPORT}`")
    if float((there.get("parity") or {}).get("speedup", 0)) < 1:
        return None
    return replace(load_model(folder / EXPORT, settings=settings), run_folder=folder)


def answered(line: bytes) -> dict[str, Any]:
    """An answer as a record again."""
    return dict(json.loads(line))
