"""What a climb leaves on disk, and in which form."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.files import write_json, write_jsonl
from deepen.core.types import Interval, Outputs, Prediction, Score, to_json
from deepen.data.columns import columns_to_json
from deepen.data.table import Part
from deepen.ladder.prepare import Prepared
from deepen.training.task import Predictor, Task
from deepen.training.work import Dynamics, Work

_PACKAGES = ("deepen", "torch", "transformers", "tokenizers", "accelerate", "scikit-learn", "numpy", "pyarrow")
_TIMED_ROWS = 100


def write_environment(folder: Path, work: Work, test: Part | None, seed: int) -> None:
    """Writes environment.json: versions, machine, command, seed, data fingerprints, git commit.

    Args:
        folder: The run folder.
        work: The climb.
        test: The test rows.
        seed: The run's seed.
    """
    import torch

    parts = {"train": work.train, "validation": work.validation, "test": test}
    data = {
        name: {"source": part.table.name, "fingerprint": part.table.fingerprint, "rows": len(part)}
        for name, part in parts.items()
        if part is not None
    }
    write_json(
        folder / "environment.json",
        {
            "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
            "machine": {
                "system": platform.platform(),
                "processor": platform.processor() or platform.machine(),
                "threads": torch.get_num_threads(),
                "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            },
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "seed": seed,
            "data": data,
            "model": {"name": work.model.name, "fingerprint": work.model.fingerprint},
            "git_commit": _git_commit(),
        },
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    try:
        out = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return out.stdout.strip() or None


def predictions(
    task: Task, part: Part, outputs: Outputs, *, labels: tuple[str, ...], rung: str, seconds: float, work: Work | None
) -> Iterator[dict[str, Any]]:
    """Outputs as prediction records, streamed.

    Args:
        task: The task, which decodes.
        part: The rows.
        outputs: Their outputs.
        labels: The label table.
        rung: Which rung said it.
        seconds: What one row took.
        work: Gives token counts; None leaves them 0.

    Yields:
        Prediction records as JSON values.
    """
    lengths = truncated = None
    if work is not None:
        tokens = work.tokens(part.table)
        lengths, truncated = tokens.lengths_N[part.rows_N], np.asarray(tokens.truncated_N)[part.rows_N]
    decoded = task.decode(outputs, part, labels)
    for index, (example, answer) in enumerate(zip(part.examples(), decoded, strict=True)):
        yield to_json(
            Prediction(
                id=example.id,
                output=answer["output"],
                rung=rung,
                inputs=example.inputs,
                target=example.target,
                probabilities=answer.get("probabilities"),
                entities=answer.get("entities"),
                num_tokens=int(lengths[index]) if lengths is not None else 0,
                truncated=bool(truncated[index]) if truncated is not None else False,
                seconds=round(seconds, 7),
            )
        )


def write_dynamics(path: Path, part: Part, dynamics: Dynamics) -> None:
    """Writes training.jsonl: margin and loss of every training example in every epoch.

    Args:
        path: Where to.
        part: The training rows, in the order of the arrays.
        dynamics: The arrays.
    """

    def rows() -> Iterator[dict[str, Any]]:
        for epoch, (margins_N, losses_N) in enumerate(zip(dynamics.margins_EN, dynamics.losses_EN, strict=True)):
            for name, margin, loss in zip(part.values("id"), margins_N.tolist(), losses_N.tolist(), strict=True):
                if loss == loss:  # not yet visited in an epoch that was cut short
                    yield {"id": name, "epoch": epoch, "margin": round(margin, 5), "loss": round(loss, 5)}

    write_jsonl(path, rows())


def write_about(folder: Path, *, work: Work, prepared: Prepared, rung: str, data: dict[str, Any]) -> None:
    """Writes deepen.json into a model folder: all that is needed to use it again.

    Args:
        folder: The model folder.
        work: The climb.
        prepared: Which columns of the data were what, and the names of its label codes.
        rung: The rung.
        data: The reading settings that also hold for new data.
    """
    about = {
        "task": work.task.name,
        "rung": rung,
        "task_settings": work.task.settings.model_dump(mode="json") if work.task.settings else None,
        "labels": list(work.labels),
        "columns": columns_to_json(prepared.columns),
        "label_names": vars(prepared.label_names) if prepared.label_names else None,
        "data": data,
        "max_tokens": work.max_tokens,
        "base_model": work.model.name,
        "deepen": _version("deepen"),
    }
    write_json(folder / "deepen.json", about)


def seconds_per_row(predictor: Predictor, part: Part) -> float:
    """Measured seconds for one row, over the first hundred.

    Args:
        predictor: The model.
        part: Rows like those it will see.

    Returns:
        Seconds.
    """
    few = part.take(np.arange(min(_TIMED_ROWS, len(part))))
    began = time.perf_counter()
    predictor.predict(few)
    return (time.perf_counter() - began) / max(1, len(few))


def peak_memory_bytes() -> int:
    """The most memory this process has held so far."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def score_of(scores: list[Score], name: str) -> dict[str, Any]:
    """The overall score of that name as a record."""
    found = next(score for score in scores if score.name == name and score.label is None)
    return to_json(found)


def interval_record(interval: Interval | None) -> dict[str, float] | None:
    """An interval as a record."""
    return None if interval is None else {key: round(value, 6) for key, value in to_json(interval).items()}


def append_metrics(path: Path, rung: str, rows: tuple[dict[str, Any], ...]) -> None:
    """Adds the curve of a rung to metrics.jsonl, in place of what an interrupted climb of it left."""
    kept = []
    if path.is_file():
        kept = [line for line in path.read_text(encoding="utf-8").splitlines() if json.loads(line)["rung"] != rung]
    write_jsonl(path, [*(json.loads(line) for line in kept), *({"rung": rung} | row for row in rows)])
