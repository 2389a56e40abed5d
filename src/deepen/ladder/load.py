"""A run, ready to answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

from deepen.core.errors import DataError, ModelError, nearest
from deepen.core.files import read_json
from deepen.core.seed import derive
from deepen.core.types import Outputs, Prediction, Score
from deepen.data.columns import Columns, columns_from_json
from deepen.data.labels import LabelNames
from deepen.data.load import load_table
from deepen.data.settings import DataSettings
from deepen.data.table import Part
from deepen.ladder.prepare import load_task
from deepen.ladder.recipe import shelf
from deepen.training.predictor import EncoderPredictor
from deepen.training.task import Predictor, Task


@dataclass(frozen=True)
class Model:
    """A model of a run with what it needs to read new data. Make one with `deepen.load`."""

    folder: Path
    task: Task
    rung: str
    labels: tuple[str, ...]
    columns: Columns
    settings: DataSettings
    predictor: Predictor
    label_names: LabelNames | None = None

    def predict(self, data: Any, *, columns: Mapping[str, str] | None = None) -> list[Prediction]:
        """Answers rows.

        Args:
            data: A path, a DataFrame, or a list of texts or of mappings from column names to values.
            columns: Which columns are the inputs, if they are not called as in the training data.

        Returns:
            One prediction a row, in order.

        Raises:
            DataError: If the data can't be read or lacks a column.
        """
        part, outputs, seconds = self.run(data, columns=columns, need_target=False)
        decoded = self.task.decode(outputs, part, self.labels)
        return [
            Prediction(
                id=example.id,
                output=answer["output"],
                rung=self.rung,
                inputs=example.inputs,
                target=example.target,
                probabilities=answer.get("probabilities"),
                entities=answer.get("entities"),
                num_tokens=num_tokens,
                truncated=truncated,
                seconds=seconds,
            )
            for example, answer, (num_tokens, truncated) in zip(
                part.examples(), decoded, self._sizes(part), strict=True
            )
        ]

    def _sizes(self, part: Part) -> Iterator[tuple[int, bool]]:
        """How many tokens the network reads of each row, and whether something is cut."""
        if not isinstance(self.predictor, EncoderPredictor):
            return repeat((0, False), len(part))
        tokens = self.predictor.tokens(part.table)
        rows_N = part.rows_N
        return zip(tokens.lengths_N[rows_N].tolist(), tokens.truncated_N[rows_N].tolist(), strict=True)

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
        targets = self.task.targets(part, self.labels)
        return self.task.scores(outputs, targets, self.labels, derive(0, "evaluate"))

    def run(self, data: Any, *, columns: Mapping[str, str] | None, need_target: bool) -> tuple[Part, Outputs, float]:
        """Reads rows and computes their outputs.

        Args:
            data: Rows in any form.
            columns: Which columns are what; None as in the training data.
            need_target: Whether every row must have a target.

        Returns:
            The rows, the outputs and the seconds for one row.
        """
        chosen: Any = columns if columns is not None else self._columns_for(data)
        table, _ = load_table(
            data,
            self.task.needs,
            self.settings,
            columns=chosen,
            need_target=need_target,
            label_names=self.label_names,
        )
        part = table.all_rows()
        if need_target:
            self.task.check(part, self.labels)
        began = time.perf_counter()
        outputs = self.predictor.predict(part)
        return part, outputs, (time.perf_counter() - began) / max(1, len(part))

    def _columns_for(self, data: Any) -> Columns | None:
        """A list of plain texts has no columns to look up."""
        plain = isinstance(data, list | tuple) and all(isinstance(row, str) for row in data)
        return None if plain else self.columns


def load_model(path: str | Path, *, rung: str | None = None) -> Model:
    """Reads a model from a run folder, or from a model folder by itself.

    Args:
        path: A run folder, or a folder with deepen.json.
        rung: A rung of the run; None is the chosen one.

    Returns:
        The model.

    Raises:
        DataError: If there is no such run.
        ModelError: If the run has no such rung, or its files are damaged.
    """
    folder = Path(path)
    if rung is not None:
        rungs = folder / "rungs"
        if not (rungs / rung / "model" / "deepen.json").is_file():
            there = (
                [p.name for p in rungs.iterdir() if (p / "model" / "deepen.json").is_file()] if rungs.is_dir() else []
            )
            raise ModelError(f"{path} has no rung '{rung}'; {nearest(rung, there)}")
        folder = rungs / rung / "model"
    elif not (folder / "deepen.json").is_file():
        folder = folder / "model"
    if not (folder / "deepen.json").is_file():
        why = "there is no such folder" if not Path(path).exists() else "it has no finished rung"
        raise DataError(f"{path} is not a run: {why}; `deepen train` makes one")
    about = read_json(folder / "deepen.json")
    try:
        task = load_task(about["task"], about.get("task_settings"))
        labels = tuple(about["labels"])
        predictor = shelf()[about["rung"]].load(folder, task, labels)
        settings = DataSettings(**about["data"])
        columns = columns_from_json(about["columns"])
        names = LabelNames(**_tuples(about["label_names"])) if about.get("label_names") else None
    except (KeyError, TypeError, ImportError, ValueError, AttributeError, IndexError) as error:
        raise ModelError(f"{folder / 'deepen.json'} is damaged: {error}") from None
    return Model(folder, task, about["rung"], labels, columns, settings, predictor, names)


def _tuples(value: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where the record had tuples."""
    pairs = tuple((str(code), str(name)) for code, name in value["mapping"])
    return {"source": value["source"], "names": tuple(value["names"]), "mapping": pairs}
