"""Do the training rows nearest to a text say what the model says?

For every test row the model's answer is set beside the majority label of its nearest training rows in the model's own
representation (of equal counts the nearest row's label wins): how often they agree, and who is right where they don't.

    deepen train DATA/banking77/train.csv --test DATA/banking77/test.csv --out RUN
    python benchmarks/analogies.py --data DATA --run RUN [--rung NAME]
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cells
import numpy as np

NAME = "analogies"
NEIGHBOURS = (1, 3, 10)


def majority(labels_NA: np.ndarray, num_labels: int) -> np.ndarray:
    """The most frequent label of each row's neighbours, who stand nearest first.

    Example:
        >>> majority(np.array([[2, 0, 0], [1, 2, 0]]), 3).tolist()
        [0, 1]
    """
    places = np.arange(len(labels_NA))[:, None]
    counts = np.zeros((len(labels_NA), num_labels))
    np.add.at(counts, (places, labels_NA), 1 - 1e-6 * np.arange(labels_NA.shape[1]))
    return counts.argmax(1)


def measure(run: Path, rung: str | None, test: Path) -> dict[str, Any]:
    """Answers and neighbours of the whole test set."""
    from deepen.api import load
    from deepen.evaluation.statistics import wilson
    from deepen.inference.analogies import nearest
    from deepen.inference.explain import remembered

    model = load(run, rung=rung)
    part = model.read(test, need_target=True)
    targets_N = model.task.targets(part, model.labels).labels_M
    answers_N = model.predictor.predict(part).values_MC.argmax(1)
    began = time.monotonic()
    memory, missing = remembered(model.asked)
    if memory is None:
        raise SystemExit(missing)
    made = time.monotonic() - began
    began = time.monotonic()
    units_NA, _ = nearest(memory, model.predictor.features(part), max(NEIGHBOURS))  # type: ignore[attr-defined]
    labels_NA = memory.labels_K[units_NA]
    rows = {}
    for num in NEIGHBOURS:
        near_N = majority(labels_NA[:, :num], len(model.labels))
        same_N = near_N == answers_N
        apart = np.flatnonzero(~same_N)
        agreed, right = int(same_N.sum()), int((answers_N[apart] == targets_N[apart]).sum())
        low, high = wilson(agreed, len(part))
        rows[str(num)] = {
            "agreement": round(agreed / len(part), 4),
            "interval": [round(low, 4), round(high, 4)],
            "accuracy_of_neighbours": round(float((near_N == targets_N).mean()), 4),
            "accuracy_where_they_agree": round(float((answers_N == targets_N)[same_N].mean()), 4),
            "rows_where_they_disagree": len(apart),
            "model_right_there": right,
            "model_right_there_interval": [round(edge, 4) for edge in wilson(right, len(apart))]
            if len(apart)
            else None,
            "neighbours_right_there": int((near_N[apart] == targets_N[apart]).sum()),
        }
    return {
        "rung": model.rung,
        "n": len(part),
        "training_rows": len(memory.part),
        "accuracy": round(float((answers_N == targets_N).mean()), 4),
        "by_neighbours": rows,
        "seconds_to_remember": round(made, 1),
        "seconds_to_search": round(time.monotonic() - began, 1),
    }


def main() -> None:
    """One cell: banking77."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--run", type=Path, required=True, help="a finished run on banking77")
    parser.add_argument("--rung", help="a rung of the run; else the chosen one")
    options = parser.parse_args()
    name = f"{NAME}-banking77" + (f"-{options.rung}" if options.rung else "")
    if not cells.wanted(name, options):
        return
    began = time.monotonic()
    found = measure(options.run, options.rung, options.data / "banking77" / "test.csv")
    three = found["by_neighbours"]["3"]
    cells.write(
        name,
        command="python benchmarks/analogies.py --data DATA --run RUN"
        + (f" --rung {options.rung}" if options.rung else ""),
        seed=0,
        value=three["agreement"],
        interval=three["interval"],
        unit="share of test rows where the majority of 3 nearest training rows says what the model says",
        seconds=round(time.monotonic() - began, 1),
        **found,
    )


if __name__ == "__main__":
    main()
