"""What a run keeps to tell rows that belong to none of its labels, and how it tells them.

`inference/none_of_these.py` chooses it. RUN/bounds/ keeps it, so that no training row is needed to answer.

Shape legend: as in `evaluation/none_of_these/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import DataError, ModelError
from deepen.core.files import read_object, replacing, write_json
from deepen.core.foreign import blaming
from deepen.core.ladder import read_ladder
from deepen.core.seed import derive
from deepen.core.types import Outputs, Score
from deepen.data.table import Part
from deepen.evaluation.none_of_these import Kept, Seen, outside_scores, shelf
from deepen.evaluation.promises import NONE_OF_THESE, Bound, bound_file
from deepen.inference.analogies import unit_length
from deepen.models.arrays import read_arrays
from deepen.preparation.none_of_these import outside_of
from deepen.problem.task import Predictor

_REFUSES = "refuses"  # beside what a bound has


@dataclass(frozen=True)
class Refusing:
    """How a run tells rows of none of its labels.

    Attributes:
        weights: What each score of strangeness counts, by its name.
        shift: What is added to their sum.
        threshold: A row that is as strange as this or stranger is refused.
        label: What such rows are called where they have a label.
        model: The mark of the model that it is about.
        chosen: AUROC of each score on the rows that weighed them; empty if none could.
        by: What rows did.
        kept: The training rows that scores compare with.
    """

    weights: dict[str, float]
    shift: float
    threshold: float
    label: str
    model: str
    chosen: dict[str, float]
    by: str
    kept: Kept | None = None

    def strangeness(self, predictor: Predictor, part: Part, outputs: Outputs) -> np.ndarray:
        """How strange each row is; from `threshold` on it is refused."""
        states = None if self.kept is None else states_of(predictor, part)
        numbers_NS = scored(self.weights, Seen(outputs.values_MC, states), self.kept)
        return np.asarray(numbers_NS @ np.array(list(self.weights.values())) + self.shift)

    def scores(self, predictor: Predictor, known: Part, *, seed: int) -> list[Score]:
        """What refusing adds to the scores of labelled rows.

        Args:
            known: The rows of the labels; those of none are in the same table.
        """
        parts = [part for part in (known, outside_of(known.table, self.label)) if len(part)]
        strange_N = np.concatenate([self.strangeness(predictor, part, predictor.predict(part)) for part in parts])
        outside_N = np.arange(len(strange_N)) >= len(known)
        return outside_scores(strange_N, strange_N >= self.threshold, outside_N, seed=derive(seed, NONE_OF_THESE))


def told_unkept(refusing: Refusing | None, what: str, say: Callable[[str], None]) -> None:
    """Says that what is made of a model answers every row, where its run does not."""
    if refusing is not None:
        say(f"  note: {what} answers every row: telling rows of none of the labels stays with the run folder")


def scored(names: Iterable[str], seen: Seen, kept: Kept | None) -> np.ndarray:
    """The scores with these names, numbers_NS."""
    scores = shelf()
    return np.stack([scores[name].of(seen, kept) for name in names], axis=1)


def refused_rows(
    refusing: Refusing | None, predictor: Predictor, part: Part, outputs: Outputs
) -> Sequence[bool | None]:
    """Whether each row looks like none of the labels; None where the run was not asked to tell."""
    if refusing is None:
        return [None] * len(part)
    return [bool(strange >= refusing.threshold) for strange in refusing.strangeness(predictor, part, outputs)]


def states_of(predictor: Any, part: Part) -> Any:
    """States of length 1, rounded as they are kept."""
    found = unit_length(predictor.features(part))
    return found.astype(np.float16).astype(np.float32) if isinstance(found, np.ndarray) else found


def write_refusing(run: Path, refusing: Refusing, bound: Bound) -> None:
    """RUN/bounds/none-of-these.json, and the training rows beside it."""
    path = bound_file(run, NONE_OF_THESE)
    path.with_suffix(".safetensors").unlink(missing_ok=True)
    if refusing.kept is not None:
        from safetensors.numpy import save_file

        states = refusing.kept.states_KF
        arrays = (
            {"states": states.astype(np.float16)}
            if isinstance(states, np.ndarray)
            else {
                "data": states.data,
                "indices": states.indices,
                "indptr": states.indptr,
                "width": np.array([states.shape[1]]),
            }
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path.with_suffix(".safetensors")) as beside:
            logits = refusing.kept.logits_KC.astype(np.float16)
            save_file({"labels": refusing.kept.labels_K, "logits": logits, **arrays}, beside)
    about = {name: value for name, value in vars(refusing).items() if name != "kept"}
    write_json(path, asdict(bound) | {_REFUSES: about})


def read_refusing(run: Path, rung: str, mark: str) -> Refusing | None:
    """What `learn_to_refuse` kept, if it is about the model with this mark.

    Raises:
        ModelError: If it is damaged, or gone from a run that was asked to tell.
    """
    path = bound_file(run, NONE_OF_THESE)
    if not path.is_file():
        asked = False
        with suppress(DataError):  # answers take no ladder; a damaged one is told by what reads it
            ladder = read_ladder(run / "ladder.json")
            asked = ladder.refuses and ladder.chosen == rung
        if asked:
            raise ModelError(
                f"{path} is missing, and without it every row would be answered: copy the whole run folder, or "
                f"take a model that answers every row, which {run / 'model'} is by itself"
            )
        return None
    with blaming(path, "is damaged"):
        found = Refusing(**read_object(path)[_REFUSES])
        weights = {str(name): float(weight) for name, weight in found.weights.items()}
        needs = any(shelf()[name].needs_rows for name in weights)
        shift, least, label = float(found.shift), float(found.threshold), str(found.label)
        found = replace(found, weights=weights, shift=shift, threshold=least, label=label)
    if found.model != mark:
        return None
    if not needs:
        return found
    arrays = read_arrays(path.with_suffix(".safetensors"), {"labels": 1, "logits": 2})
    with blaming(path.with_suffix(".safetensors"), "is damaged"):
        if "states" in arrays:
            states: Any = arrays["states"].astype(np.float32)
        else:
            from scipy.sparse import csr_matrix

            shape = (len(arrays["labels"]), int(arrays["width"][0]))
            states = csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)
        if not states.shape[0] == len(arrays["labels"]) == len(arrays["logits"]):
            raise ValueError("it holds other rows than were saved")
    return replace(found, kept=Kept(states, arrays["logits"].astype(np.float32), arrays["labels"]))
