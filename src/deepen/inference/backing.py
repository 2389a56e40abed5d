"""The rows that a promise of a run rests on: what its rungs said of the validation rows, and of rows without a label.

Shape legend: R rungs, the one that is asked last at the end; N rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import DataError, SettingError
from deepen.core.files import fingerprint, read_jsonl, write_jsonl
from deepen.core.run import Run
from deepen.data.table import Part
from deepen.evaluation.promises import FOLDER
from deepen.evaluation.shift import Seen, shift
from deepen.inference.model import Model
from deepen.preparation.reopen import recipe_of, reopened
from deepen.preparation.unlabelled import read_unlabelled


@dataclass(frozen=True)
class Backing:
    """Rows with what each rung says of them and how sure it is; without targets where rows have no label."""

    outputs_RN: np.ndarray
    confidences_RN: np.ndarray
    texts: Sequence[str]
    targets_N: np.ndarray | None

    def __len__(self) -> int:
        """The number of rows, N."""
        return len(self.texts)

    def seen(self, rung: int = 0) -> Seen:
        """What incoming rows are compared with: how sure the rung is that is asked first, and the texts."""
        return Seen(self.confidences_RN[rung], self.texts)


def confidence(output: Any, probabilities: Mapping[str, float] | None) -> float:
    """How likely an answer is to be right, by its model.

    Raises:
        SettingError: If the answer is not one label of several.
    """
    if not isinstance(output, str) or output not in (probabilities or {}):
        said = "--cascade and --max-error are for tasks with one label a row"
        raise SettingError(f"{said}, which each have a probability; leave them out")
    return float((probabilities or {})[output])


def texts(part: Part) -> list[str]:
    """All that rows say, as one text each."""
    return [" ".join(map(str, row)) for row in zip(*(part.values(name) for name in part.table.texts), strict=True)]


def validation_rows(run: Run, models: Sequence[Model]) -> Backing:
    """What the models of a run said of its validation rows.

    Args:
        models: Its rungs, the one that is asked last at the end.

    Returns:
        The rows; none if that last one has learned from them (`--refit`, cross-validation).

    Raises:
        DataError: If the run has not kept them, or they are damaged.
    """
    rungs = [model.rung for model in models]
    folds = run.ladder.data is not None and run.ladder.data.folds  # whose answers are those of other models
    if folds or run.ladder.row(rungs[-1]).refitted or (run.ladder.refitted and run.chosen == rungs[-1]):
        return _backing([[] for _ in rungs], targets=[])
    paths = [run.rung(rung) / "predictions-validation.jsonl" for rung in rungs]
    answers, ids = [], []
    for path in paths:
        found = list(read_jsonl(path))
        ids.append([row.get("id") for row in found])
        answers.append([_answer(row, path) for row in found])
    if any(one != ids[0] for one in ids):
        raise DataError(f"{paths[0]} and {paths[-1]} have different rows: one of them is damaged")
    return _backing(answers, targets=[row.get("target") for row in found])


Answer = tuple[str, float, str]
"""What a rung says of a row, how sure it is, and the text."""


def _answer(row: Mapping[str, Any], path: Path) -> Answer:
    inputs = row.get("inputs")
    if not isinstance(inputs, Mapping):
        raise DataError(f"{path} is damaged: a row has no inputs")
    given = " ".join(str(value) for value in inputs.values())
    return str(row.get("output")), confidence(row.get("output"), row.get("probabilities")), given


def _backing(answers: Sequence[Sequence[Answer]], *, targets: Sequence[Any] | None) -> Backing:
    outputs_RN = np.array([[one[0] for one in rows] for rows in answers], object)
    confidences_RN = np.array([[one[1] for one in rows] for rows in answers], float)
    right_N = None if targets is None else np.array(targets, object)
    return Backing(outputs_RN, confidences_RN, [one[2] for one in answers[-1]], right_N)


def unlabelled_rows(run: Run, models: Sequence[Model]) -> Backing | None:
    """What these models said of rows without a label that were given once.

    Returns:
        The rows; None if there were none, or the models have changed since.

    Raises:
        DataError: If the file is damaged.
    """
    path = _unlabelled_file(run, models)
    if not path.is_file():
        return None
    try:
        rows = [(row["text"], row["answers"]) for row in read_jsonl(path)]
        answers = [[(str(said[at][0]), float(said[at][1]), text) for text, said in rows] for at in range(len(models))]
    except (KeyError, IndexError, TypeError, ValueError):
        raise DataError(f"{path} is damaged; --unlabelled FILE writes it again", file=str(path)) from None
    return _backing(answers, targets=None)


def answer_unlabelled(run: Run, models: Sequence[Model], source: Any, say: Callable[[str], None]) -> None:
    """Answers rows without a label by all models, and keeps the answers with the run's bounds.

    Rows that the run has learned from, and those that say nearly the same as a validation row, are left out.

    Args:
        models: As in `validation_rows`.
        source: The rows: a file.
        say: Called with lines for the user.

    Raises:
        DataError: If the rows can't be read, or none is left.
    """
    model = models[-1]
    recipe = recipe_of(run)
    prepared, missing = reopened(run, recipe)
    if prepared is not None:
        labelled = list(prepared.rows.given.values())
        part, notes = read_unlabelled(source, model.task, recipe.data, model.columns, labelled)
    else:
        part = model.read(source, use="answer")
        notes = [f"{part.table.name} may hold rows that the run has learned from, which back no promise: {missing}"]
    for note in notes:
        say(f"  note: {note}")

    def rows() -> Iterator[dict[str, Any]]:
        answers = [model.answers(part) for model in models]
        for text, *said in zip(texts(part), *answers, strict=True):
            yield {"text": text, "answers": [[one.output, confidence(one.output, one.probabilities)] for one in said]}

    write_jsonl(_unlabelled_file(run, models), rows())


def _unlabelled_file(run: Run, models: Sequence[Model]) -> Path:
    return run.folder / FOLDER / f"unlabelled-{fingerprint([model.mark for model in models])}.jsonl"


def pooled(labelled: Backing, unlabelled: Backing | None, say: Callable[[str], None]) -> Backing:
    """Both kinds of rows together if they are alike; else those without a label, which are more like those to come.

    Args:
        labelled: Validation rows; may be none.
        unlabelled: Rows without a label, if any were given.
        say: Called with a line if they are not alike.
    """
    if unlabelled is None:
        return labelled
    why = shift(labelled.seen(), unlabelled.seen())
    if why:
        say(f"  note: the rows without a label differ from the validation rows by {why}: they alone back the promise")
        return unlabelled
    both = [labelled, unlabelled]
    return Backing(
        np.concatenate([one.outputs_RN for one in both], axis=1),
        np.concatenate([one.confidences_RN for one in both], axis=1),
        [*labelled.texts, *unlabelled.texts],
        None,
    )
