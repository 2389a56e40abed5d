"""What a line of updates knows: the score of each run on the held-out rows of every update before it.

Held-out rows belong to the stage that brought them: `start`, then `update 1` and so on, by RUN/rows/stages.json.

Source:
    Lopez-Paz and Ranzato 2017, Gradient Episodic Memory for Continual Learning, for backward transfer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from deepen.continual.rows import without_copy
from deepen.core.files import read_object, write_json
from deepen.core.run import Run
from deepen.data.table import Part
from deepen.inference.model import Model
from deepen.preparation.place import ROWS
from deepen.preparation.prepare import Prepared

START, STAGES = "start", "stages.json"


def stages_of(run: Run, prepared: Prepared) -> dict[str, list[str]]:
    """The ids of held-out rows by the stage that brought them; of no update, the test or else the validation rows."""
    path = run.folder / ROWS / STAGES
    if path.is_file():
        return {str(name): [*map(str, ids)] for name, ids in read_object(path).items()}
    held = prepared.rows.test or prepared.work.problem.validation
    return {START: sorted({*map(without_copy, held.values("id"))})}


def with_fresh(stages: Mapping[str, list[str]], fresh: Part | None, forgotten: Collection[str]) -> dict[str, list[str]]:
    """The stages with one more, of the new held-out rows; rows that are forgotten are in none."""
    left = {name: [one for one in ids if one not in forgotten] for name, ids in stages.items()}
    new = sorted({*map(without_copy, fresh.values("id"))}) if fresh is not None and len(fresh) else []
    return left | ({f"update {len(left)}": new} if new else {})


def write_stages(out: Run, stages: Mapping[str, list[str]]) -> None:
    """RUN/rows/stages.json."""
    write_json(out.folder / ROWS / STAGES, dict(stages))


def scores_by_stage(
    model: Model, stages: Mapping[str, Collection[str]], prepared: Prepared, fresh: Part | None
) -> dict[str, float]:
    """The deciding score on the held-out rows of each stage; a stage without a row that the model knows is left out."""
    held = [part for part in (prepared.rows.test, prepared.work.problem.validation, fresh) if part is not None]
    scores = {}
    for name, ids in stages.items():
        parts = [part for part in (_of(one, {*ids}, model) for one in held) if len(part)]
        if parts:
            task, part = model.task, parts[0]
            scores[name] = float(task.score(model.predictor.predict(part), task.targets(part, model.labels)))
    return scores


def _of(part: Part, ids: Collection[str], model: Model) -> Part:
    known = {*model.labels} if model.task.fixed else None
    rows = zip(part.values("id"), part.values("target"), strict=True)
    keep = [
        at
        for at, (name, target) in enumerate(rows)
        if without_copy(name) in ids and (known is None or not isinstance(target, str) or target in known)
    ]
    return part.take(np.array(keep, np.int64))


def backward_transfer(history: list[dict[str, Any]]) -> float | None:
    """What the stages before the last one have gained since they were learned, on average; below 0 is forgotten."""
    last, gained = history[-1]["scores"], []
    for stage in last:
        first = next(one["scores"][stage] for one in history if stage in one["scores"])
        if any(stage in one["scores"] for one in history[:-1]):
            gained.append(last[stage] - first)
    return float(np.mean(gained)) if gained else None
