"""How near the rungs come to what this machine can do, and whether leaving dropout out costs quality.

    python benchmarks/limit.py --data DATA

One cell from `deepen bench`; then `deepen train` on sst2 with the network's own dropout, whose scores stand beside
those of benchmarks/train.py, which has none.
"""

from __future__ import annotations

import json
import shutil

import cells
import train

SEEDS = (0, 1, 2)


def limit_cell(options) -> None:
    """The share of the matmul rate in `full`, and where the time goes."""
    if cells.wanted("limit", options):
        seconds, peak, printed = cells.run([train.DEEPEN, "bench", "--json"])
        record = json.loads(printed)
        shares = {row["rung"]: row["share_of_matmul"] for row in record["rungs"]}
        cells.write(
            "limit",
            command="deepen bench --json",
            seed=0,
            value=shares["full"],
            metric="useful FLOP/s of `full` as a share of matmul",
            seconds=round(seconds, 1),
            peak_memory_bytes=peak,
            **record,
        )


def dropout_cell(seed: int, options) -> None:
    """A climb with the network's own dropout in both trained rungs."""
    cell = f"limit-sst2-dropout-seed{seed}"
    if not cells.wanted(cell, options):
        return
    folder = train.write_rows("sst2", options)
    cache = options.work / "cache" / cell
    shutil.rmtree(cache, ignore_errors=True)
    command = [train.DEEPEN, "train", str(folder / "train.jsonl"), "--validation", str(folder / "validation.jsonl")]
    command += ["--test", str(folder / "test.jsonl"), "--seed", str(seed), "--overwrite", "--json"]
    command += ["--out", str(options.work / "runs" / cell)]
    command += ["--set", "rungs.top_layers.dropout=null", "--set", "rungs.full.dropout=null"]
    seconds, peak, printed = cells.run(command, environment={"DEEPEN_CACHE": str(cache)})
    record = json.loads(printed)
    test = next(score for score in record["test"] if score["name"] == "accuracy" and score["label"] is None)
    rungs = {row["rung"]: [row["score"] and round(row["score"]["value"], 4), row["seconds"]] for row in record["rungs"]}
    cells.write(
        cell,
        command="python benchmarks/limit.py --data DATA",
        seed=seed,
        value=round(test["value"], 4),
        n=test["n"],
        interval=[round(test["low"], 4), round(test["high"], 4)],
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
        rungs=rungs,
    )


def main() -> None:
    """Measures what is not measured yet."""
    options = cells.parser(__doc__ or "").parse_args()
    limit_cell(options)
    for seed in SEEDS:
        dropout_cell(seed, options)


if __name__ == "__main__":
    main()
