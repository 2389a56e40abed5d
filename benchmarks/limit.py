"""How near the rungs come to what this machine can do, and whether leaving dropout out costs quality.

    python benchmarks/limit.py --data DATA

One cell from `deepen bench`; then `deepen train` on sst2 with the network's own dropout, whose scores stand beside
those of benchmarks/train.py, which has none.
"""

from __future__ import annotations

import json

import cells
import train

DROPOUT = ("--set", "rungs.top_layers.dropout=null", "--set", "rungs.full.dropout=null")


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


def main() -> None:
    """Measures what is not measured yet."""
    options = cells.parser(__doc__ or "").parse_args()
    limit_cell(options)
    folder = train.write_rows("sst2", options)
    for seed in train.SEEDS["sst2"]:
        train.deepen_cell("sst2", seed, folder, options, *DROPOUT, called=f"limit-sst2-dropout-seed{seed}")


if __name__ == "__main__":
    main()
