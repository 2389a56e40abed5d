"""A smaller model as a run of its own: its answers to the rows of the run it was made of, and what it was made by."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from deepen.core.files import open_to_others, replacing, write_json, write_jsonl
from deepen.core.run import Run
from deepen.core.seed import derive
from deepen.data.table import Part
from deepen.evaluation.promises import FOLDER
from deepen.inference.model import Model
from deepen.ladder.record import as_record, predictions, score_of, seconds_per_row
from deepen.models.plain import opens_with
from deepen.models.runtimes.static import is_static
from deepen.models.save import read_by_others
from deepen.preparation.prepare import Prepared
from deepen.reporting.leave import leave_card, leave_page

RECORD = "compression.json"
_SAME = ("recipe.yaml", "environment.json", "slices.json")  # what holds for both


def leave_run(
    source: Run, model: Model, prepared: Prepared | None, rows: Part, out: Path, *, record: dict[str, Any]
) -> None:
    """Writes a run with one rung, that of the model that was made smaller, or nothing.

    Its validation rows are those of the run it comes from; `rows` stand in where they can't be had.
    """
    parts = {"validation": rows if prepared is None else prepared.work.problem.validation}
    if prepared is not None and prepared.rows.test is not None:
        parts["test"] = prepared.rows.test
    with replacing(out) as beside:
        place = beside / "rungs" / model.rung
        place.mkdir(parents=True)
        shutil.copytree(model.folder, place / "model")
        if (place / "model" / FOLDER).is_dir():  # what the model promises, the run does
            (place / "model" / FOLDER).rename(beside / FOLDER)
        made, scores = Run(beside), {}
        for name, part in parts.items():
            outputs, seconds = model.predictor.predict(part), seconds_per_row(model.predictor, part)
            how: dict[str, Any] = {"labels": model.labels, "rung": model.rung, "seconds": seconds}
            how["predictor"] = model.predictor
            write_jsonl(place / f"predictions-{name}.jsonl", predictions(model.task, part, outputs, **how))
            targets = model.task.targets(part, model.labels)
            scores[name] = model.task.scores(outputs, targets, model.labels, derive(0, "evaluate"))
        for name in _SAME:
            if (source.folder / name).is_file():
                shutil.copyfile(source.folder / name, beside / name)
        row = source.ladder.row(model.rung).but(
            {
                "score": score_of(scores["validation"], model.task.score_name),
                "validation": tuple(map(as_record, scores["validation"])),
                "seconds_per_1000_predictions": round(1000 * seconds_per_row(model.predictor, parts["validation"]), 4),
                "read_by_others": read_by_others(place / "model"),
                "opens_with": opens_with(place / "model"),
                "reason": f"compressed: {', '.join(record['kept'])}",
                "gain": None,
                "network": "static" if is_static(place / "model") else source.ladder.row(model.rung).network,
            }
        )
        changes = {"rungs": (row,), "chosen": model.rung, "cheapest_not_worse": model.rung}
        made.write_ladder(source.ladder.but(changes | {"test": tuple(map(as_record, scores.get("test", ())))}))
        write_json(beside / RECORD, record)
        made.publish(model.rung)
        (beside / "model" / "README.md").unlink(missing_ok=True)
        open_to_others(beside)
    leave_card(Run(out))
    leave_page(Run(out), lambda line: None)
