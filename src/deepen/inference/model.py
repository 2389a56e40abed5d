"""A run, ready to answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from deepen.core import html
from deepen.core.errors import DataError, SettingError
from deepen.core.files import fingerprint
from deepen.core.foreign import blaming
from deepen.core.places import path_of
from deepen.core.run import Run, open_run
from deepen.core.seed import derive
from deepen.core.settings import Settings, override, parse
from deepen.core.types import WRITTEN, Explanation, Outputs, Prediction, Score
from deepen.data.check.problem import rows
from deepen.data.columns import Columns, columns_from_json
from deepen.data.label_names import LabelNames
from deepen.data.load import Use, load_table, open_source
from deepen.data.marks import ForSplit
from deepen.data.readers.parquet_arrow import is_dataset
from deepen.data.settings import DataSettings
from deepen.data.source import Source
from deepen.data.table import Part, Table
from deepen.inference.explain import ExplainSettings, explain
from deepen.inference.folder import check_outputs, model_folder, tuples, uneven, with_labels
from deepen.inference.frames import as_frame, probabilities
from deepen.inference.gaps import in_place, told_rows
from deepen.inference.given import as_rows, columns_for, is_plain
from deepen.inference.held import kept, wanted
from deepen.inference.refusing import Refusing, read_refusing, refused_rows
from deepen.models.device import device_in_use
from deepen.preparation.catalog import load_rung, load_task
from deepen.preparation.manifest import read_about
from deepen.preparation.place import warn
from deepen.preparation.scorable import scorable
from deepen.preparation.told import Told
from deepen.problem.early import answered_by
from deepen.problem.task import Predictor, Task

if TYPE_CHECKING:
    import torch

    from deepen.inference.explain import Asked


@dataclass(frozen=True)
class Model:
    """A model of a run with what it needs to read new data. Make one with `deepen.load`.

    `strict` says that a row which can't be answered is an error, `refusing` which rows belong to none of the labels.
    """

    folder: Path
    task: Task
    rung: str
    labels: tuple[str, ...]
    columns: Columns
    settings: DataSettings
    predictor: Predictor
    label_names: LabelNames | None = None
    say: Callable[[str], None] = lambda line: None
    run_folder: Path | None = None
    mark: str = ""
    explaining: ExplainSettings = field(default_factory=ExplainSettings)
    strict: bool = False
    refusing: Refusing | None = None
    device: torch.device | None = field(default_factory=device_in_use)

    def __repr__(self) -> str:
        """What it answers, and where it came from."""
        labels = ", ".join(self.labels[:5]) + (f" and {len(self.labels) - 5} more" if len(self.labels) > 5 else "")
        return f"Model({str(self.folder)!r}, {self.task.name}, {self.rung}, labels: {labels or 'none'})"

    def _repr_html_(self) -> str:
        about = {"task": self.task.name, "rung": self.rung, "device": self.device or "cpu"}
        about["labels"] = ", ".join(self.labels[:20])
        return html.table(str(self.folder), (), [[html.cell(name), html.cell(value)] for name, value in about.items()])

    @overload
    def predict(
        self,
        data: Any,
        *,
        columns: Mapping[str, str] | None = None,
        choices: Sequence[str] | None = None,
        regex: str | None = None,
        json_schema: Any = None,
        max_new_tokens: int | None = None,
        as_pandas: Literal[False] = False,
    ) -> list[Prediction]: ...
    @overload
    def predict(
        self,
        data: Any,
        *,
        columns: Mapping[str, str] | None = None,
        choices: Sequence[str] | None = None,
        regex: str | None = None,
        json_schema: Any = None,
        max_new_tokens: int | None = None,
        as_pandas: Literal[True],
    ) -> Any: ...
    def predict(
        self,
        data: Any,
        *,
        columns: Mapping[str, str] | None = None,
        choices: Sequence[str] | None = None,
        regex: str | None = None,
        json_schema: Any = None,
        max_new_tokens: int | None = None,
        as_pandas: bool = False,
    ) -> Any:
        """Answers rows.

        Args:
            data: A text, a row (a mapping from column names to values), a list of either, a Series, an array, a
                DataFrame, or a path.
            columns: Which columns are the inputs, if they are not called as in the training data.
            choices: Where answers are text: each is one of these.
            regex: Or all of it is a match of this regular expression.
            json_schema: Or it is JSON after this schema: a mapping, a file, or a class of pydantic.
            max_new_tokens: The longest of such an answer, or of any text.
            as_pandas: Whether to return a DataFrame under the index of the data: `output`, and `p_<label>` for each
                label.

        Returns:
            One prediction a row, in order. A row that can't be answered (a blank text, a line with too many cells, an
            answer that was cut) keeps its place: its `skipped` says why, and its `output` is None.

        Raises:
            DataError: If the data can't be read or lacks a column.
            SettingError: If answers can't be held to what is wanted.
        """
        form = wanted(choices, regex, json_schema, max_new_tokens)
        model = self if form is None else replace(self, predictor=form.on(self.predictor, self.task, self.rung))
        rows = as_rows(data)
        there = is_dataset(rows) or isinstance(rows, str | Path) or len(rows)
        found = kept(model._predict(rows, columns) if there else [], form)
        return as_frame(found, self.labels, data) if as_pandas else found

    def predict_proba(self, data: Any, *, columns: Mapping[str, str] | None = None) -> np.ndarray:
        """The probability of each label of rows as `predict` takes them, as scikit-learn's classifiers give it.

        Returns:
            One row a row, one column a label in the order of `labels`; NaN where a row can't be answered.

        Raises:
            DataError: If the data can't be read or lacks a column.
            SettingError: If the task's answers are no choice among labels.
        """
        return probabilities(self.predict(data, columns=columns), self.labels)

    def _predict(self, data: Any, columns: Mapping[str, str] | None) -> list[Prediction]:
        part = self.read(data, columns=columns, use="answer")
        pieces = self.task.pieces(part, self.labels) if len(part) else []
        answers = (answer for piece in pieces for answer in self.answers(piece))
        return list(in_place(answers, part.table, self.rung, is_file=isinstance(data, str | Path)))

    def answers(self, part: Part) -> list[Prediction]:
        """One prediction for each row of a part, which does not know its place in a source yet."""
        from deepen.problem.reading import tokens_read

        outputs, seconds = self._timed(part)
        decoded = self.task.decode(outputs, part, self.labels)
        refused = refused_rows(self.refusing, self.predictor, part, outputs)
        beside = (tokens_read(self.predictor, part), refused, answered_by(outputs, self.rung))
        return [
            Prediction(
                id=example.id,
                output=None if none else answer["output"],
                rung=self.rung,
                inputs=example.inputs,
                target=example.target,
                probabilities=answer.get("probabilities"),
                entities=answer.get("entities"),
                **{name: answer.get(name) for name in WRITTEN},
                num_tokens=num_tokens,
                truncated=truncated,
                seconds=seconds,
                none_of_these=none,
                answered_by=layer,
            )
            for example, answer, (num_tokens, truncated), none, layer in zip(
                part.examples(), decoded, *beside, strict=True
            )
        ]

    def evaluate(self, data: Any, *, columns: Mapping[str, str] | None = None) -> list[Score]:
        """Scores the answers to labelled rows.

        Args:
            data: Rows with targets, in any form that `predict` takes.
            columns: Which columns are what, if not as in the training data.

        Returns:
            Every score of the task, with intervals.

        Raises:
            DataError: If the data can't be read, or has a label that the model does not know.
        """
        part, outputs, _ = self.run(data, columns=columns, need_target=True)
        scores = self.task.scores(outputs, self.task.targets(part, self.labels), self.labels, derive(0, "evaluate"))
        return scores + (self.refusing.scores(self.predictor, part, seed=0) if self.refusing else [])

    def explain(self, data: Any, *, columns: Mapping[str, str] | None = None) -> list[Explanation]:
        """Says why rows get the answers that `predict` gives them.

        The first call lets the model read the training rows once, for the analogies; later ones find that in the cache.

        Args:
            data: Rows in any form that `predict` takes.
            columns: Which columns are the inputs, if they are not called as in the training data.

        Returns:
            One explanation a row that `predict` answers, in order.

        Raises:
            DataError: If the data can't be read.
            ModelError: If another rung of the run is damaged.
            SettingError: If captum is not installed, or the task can't be explained.
        """
        from deepen.models.device import using

        part = self.read(data, columns=columns, use="answer")
        with using(self.device):
            return explain(self.asked, part) if len(part) else []

    @property
    def asked(self) -> Asked:
        """This model with what it takes to explain its answers."""
        from deepen.inference.explain import Asked

        rungs = {self.rung: lambda: self.predictor}
        if self.run_folder is not None:
            rungs = _rungs(self.run_folder) | rungs
        more = (self.predictor, self.explaining, self.mark, self.run_folder, rungs)
        return Asked(self.task, self.labels, self.rung, *more)

    def run(self, data: Any, *, columns: Mapping[str, str] | None, need_target: bool) -> tuple[Part, Outputs, float]:
        """Reads rows and computes their outputs.

        Args:
            columns: Which columns are what; None as in the training data.
            need_target: Whether every row must have a target.

        Returns:
            The rows, the outputs and the seconds for one row.
        """
        part = self.read(data, columns=columns, need_target=need_target)
        return part, *self._timed(part)

    def _timed(self, part: Part) -> tuple[Outputs, float]:
        began = time.perf_counter()
        outputs = self.predictor.predict(part)
        check_outputs(self.folder, outputs, self.task.num_outputs(part, self.labels), len(self.labels))
        return outputs, (time.perf_counter() - began) / max(1, len(part))

    def read(
        self, data: Any, *, columns: Mapping[str, str] | None = None, need_target: bool = False, use: Use = "score"
    ) -> Part:
        """Reads rows as this model wants them.

        Args:
            columns: Which columns are what; None as in the training data.
            need_target: Whether every row must have a target.
            use: What for, as in `load_table`.

        Returns:
            The rows.

        Raises:
            DataError: If the data can't be read or lacks a column.
        """
        data = as_rows(data)
        chosen = columns_for(data, columns, self.task, self.columns)
        settings = self.settings
        if use == "answer":  # nothing is too bad to be said, unless it was asked to be an error
            settings = settings.model_copy(update={"bad_rows": "error" if self.strict else "drop"})
        table, found = load_table(
            ForSplit(data, "test") if need_target else data,
            self.task.needs,
            settings,
            columns=chosen,
            need_target=need_target,
            label_names=self.label_names,
            use=use,
        )
        if not is_plain(data):
            self._tell(table, found)
        how: dict[str, Any] = {"bad_rows": self.settings.bad_rows, "outside": self.refusing and self.refusing.label}
        part = scorable(table, self.task, self.labels, **how) if need_target else table.all_rows()
        for line in told_rows(table, plain=is_plain(data)) if use == "answer" else ():
            self.say(line)
        for note in part.table.notes[len(table.notes) :]:
            self.say(f"  note: {note}")
        return part

    def source(self, data: Any, *, columns: Mapping[str, str] | None = None) -> Source:
        """Rows as they are, before anything is made of them: what `predict` answers, row by row.

        Args:
            data: Rows in any form that `predict` takes.
            columns: As for `predict`.

        Returns:
            The source.

        Raises:
            DataError: If the data can't be opened.
        """
        data = as_rows(data)
        return open_source(data, self.task.needs, self.settings, columns_for(data, columns, self.task, self.columns))

    def _tell(self, table: Table, columns: Columns) -> None:
        """How a file was read: its columns, and what was guessed on the way, as training says it."""
        told = Told().of(table)
        self.say(f"{table.name}: {rows(len(table))}")
        for need in self.task.needs:
            if need.name in columns.reasons:
                self.say(f"  {need.name}: {columns.reasons[need.name]}")
        told.aloud(self.say)


class _Reading(Settings):
    """What may be laid over the settings that were saved with the model."""

    data: DataSettings = DataSettings()
    """How files are read."""
    explain: ExplainSettings = ExplainSettings()
    """What an explanation shows."""


def load_model(
    path: str | Path,
    *,
    rung: str | None = None,
    settings: Sequence[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Model:
    """Reads a model from a run folder, or from a model folder by itself.

    Args:
        path: A run folder, or a folder with deepen.json.
        rung: A rung of the run; None is the chosen one.
        settings: Words such as `data.bad_rows=drop`, laid over how the training data was read.

    Returns:
        The model.

    Raises:
        DataError: If there is no such run.
        ModelError: If the run has no such rung, or its files are damaged.
        SettingError: If a setting is wrong.
    """
    path = path_of(path, kind=DataError)
    folder = model_folder(path, rung)
    about = read_about(folder)
    # how the training file was written is known of its form, and says nothing certain of another
    known = {"delimiter", "header"} if about.columns.get("form") else set()
    kept = {"data": about.data.model_dump(exclude_unset=True, exclude=known)}
    reading = parse(_Reading, override(kept, list(settings)), where="settings")
    with blaming(folder / "deepen.json", "is damaged"):
        try:
            task = load_task(about.task, about.task_settings).for_labels(about.labels)
        except SettingError as error:
            raise ValueError(str(error)) from None
        columns = with_labels(columns_from_json(about.columns), task, about.labels)
        names = LabelNames(**tuples(about.label_names)) if about.label_names else uneven(about, task, reading.data)
        rung_of = None if about.runtime is not None and task.deep is None else load_rung(about.rung)
    with blaming(folder, "the model can't be read"):
        if rung_of is None or about.runtime is not None:
            assert about.runtime is not None  # noqa: S101 - the rung of an export is read only to know its form
            from deepen.inference.exported import load_export

            form = task.deep or task.form if rung_of is not None and rung_of.deep_form else task.form
            predictor: Predictor = load_export(folder, about.runtime, task, about.labels, form)
        else:
            predictor = rung_of.load(folder, task, about.labels)
    run = None if folder == path else path
    warn(Run(run or folder.parent), say)
    files = {name: digest for name, digest in about.files.items() if name != "README.md"}
    strict = dict(override({}, list(settings)).get("data") or {}).get("bad_rows") == "error"
    mark = fingerprint(about.rung, files)
    more = (say, run, mark, reading.explain, strict, None if run is None else read_refusing(run, about.rung, mark))
    return Model(folder, task, about.rung, about.labels, columns, reading.data, predictor, names, *more)


def _rungs(run: Path) -> dict[str, Callable[[], Predictor]]:
    """The rungs of a run that have a model, from shallow to deep; each is read when it is asked for."""
    rows = open_run(run).ladder.rungs
    there = [row.rung for row in rows if (run / "rungs" / row.rung / "model" / "deepen.json").is_file()]
    return {name: lambda name=name: load_model(run, rung=name).predictor for name in there}  # type: ignore[misc]
