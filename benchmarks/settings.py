"""The settings of the trained rungs on 2,000 rows of sst2 and of trec, each alone beside the defaults.

    python benchmarks/settings.py --data DATA [--seeds 3] [--only settings-trec-fgm]

A cell holds the test accuracy and log loss of `top_layers` and of `full`, both trained with the setting, and their
seconds. What a setting gains is read off by the row `settings-SET-default-seedN` of the same machine.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cells
import train

import tuning

SETS = ("sst2", "trec")
RUNGS = ("top_layers", "full")
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "layer-decay": {"layer_decay": 0.8},
    "label-smoothing": {"label_smoothing": 0.1},
    "dropout": {"dropout": 0.1},
    "r-drop": {"r_drop": 1.0, "dropout": 0.1},
    "fgm": {"fgm": 0.03},
    "l2-to-start": {"l2_to_start": 0.01},
    "average-last": {"average_last": 0.3},
    "focal": {"focal": 2.0},
    "adafactor": {"optimizer": "adafactor", "learning_rate": 3e-3},
    "sgd": {"optimizer": "sgd", "learning_rate": 3e-2},
    "rate-half": {"learning_rate": 8e-5},
    "one-epoch": {"num_epochs": 1},
    "six-epochs": {"num_epochs": 6},
}


def scores_of(run: Path, folder: Path, rung: str) -> dict[str, Any]:
    """Test accuracy with its interval and the log loss of a rung."""
    _, _, out = cells.run([train.DEEPEN, "evaluate", str(run), str(folder / "test.jsonl"), "--rung", rung, "--json"])
    found = {score["name"]: score for score in json.loads(out)["scores"] if score["label"] is None}
    accuracy = found["accuracy"]
    return {
        "accuracy": round(accuracy["value"], 4),
        "interval": [round(accuracy["low"], 4), round(accuracy["high"], 4)],
        "n": accuracy["n"],
        "log_loss": round(found["log_loss"]["value"], 4) if "log_loss" in found else None,
    }


def setting_cell(cell: str, folder: Path, chosen: dict[str, Any], seed: int, options) -> None:
    """One `deepen train` from cold caches, to the top whatever is gained."""
    if not cells.wanted(cell, options):
        return
    words = [
        word for rung in RUNGS for key, value in chosen.items() for word in ("--set", f"rungs.{rung}.{key}={value}")
    ]
    given = ("--rungs", "frozen,top_layers,full", "--seed", str(seed), *words)
    seconds, peak, record, run = train.climbed(cell, folder, options, *given)
    tested = {rung: scores_of(run, folder, rung) for rung in RUNGS}
    rows = {row["rung"]: row for row in record["rungs"]}
    cells.write(
        cell,
        command=f"python benchmarks/settings.py --data DATA --only {cell}",
        seed=seed,
        value=tested["full"]["accuracy"],
        n=tested["full"]["n"],
        metric="test accuracy of full",
        interval=tested["full"]["interval"],
        settings=chosen,
        tested=tested,
        validation={rung: round(rows[rung]["score"]["value"], 4) for rung in rows},
        rung_seconds={rung: rows[rung]["seconds"] for rung in rows},
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
    )


def main() -> None:
    """Measures what is not measured yet."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds a setting has")
    options = parser.parse_args()
    for seed in range(options.seeds):
        for name in SETS:
            folder = tuning.rows_of(name, options)
            for called, chosen in SETTINGS.items():
                setting_cell(f"settings-{name}-{called}-seed{seed}", folder, chosen, seed, options)


if __name__ == "__main__":
    main()
