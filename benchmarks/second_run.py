"""A second climb in the same process with another seed: what the cache of hidden states leaves to do.

    python benchmarks/second_run.py --data DATA

banking77, `frozen` and `top_layers`, seed 0 from a cold cache, then seed 1. The cell holds the seconds of the second
`frozen` (reading features and solving the head for 77 classes) and how often a layer below the cut was run again.
"""

from __future__ import annotations

import json
import shutil
import sys

import cells

PROGRAM = """
import json, sys
import deepen
from deepen.models.encoder import Encoder

ran = []
whole = Encoder.run
def counted(self, hidden_TD, where, start, stop):
    ran.append((start, stop, len(hidden_TD)))
    return whole(self, hidden_TD, where, start, stop)
Encoder.run = counted
out = []
for seed in (0, 1):
    ran.clear()
    run = deepen.train(sys.argv[1], test=sys.argv[2], out=f"{sys.argv[3]}-{seed}", overwrite=True, seed=seed,
                       rungs=["frozen", "top_layers"])
    rows = {row["rung"]: row for row in run.ladder["rungs"]}
    lower = sum(tokens for start, stop, tokens in ran if start == 0)
    accuracy = next(score["value"] for score in run.ladder["test"] if score["name"] == "accuracy")
    out.append({"frozen": rows["frozen"]["seconds"], "top_layers": rows["top_layers"]["seconds"],
                "whole": run.ladder["seconds"], "tokens_through_lower_layers": lower, "test": round(accuracy, 4)})
print(json.dumps(out))
"""


def main() -> None:
    """Measures what is not measured yet."""
    options = cells.parser(__doc__ or "").parse_args()
    name = "second-run-banking77"
    if not cells.wanted(name, options):
        return
    cache, runs = options.work / "cache" / name, options.work / "runs" / name
    shutil.rmtree(cache, ignore_errors=True)
    files = [str(options.data / "banking77" / f"{part}.csv") for part in ("train", "test")]
    command = [sys.executable, "-c", PROGRAM, *files, str(runs)]
    seconds, peak, printed = cells.run(command, environment={"DEEPEN_CACHE": str(cache)})
    first, second = json.loads(printed.strip().splitlines()[-1])
    cells.write(
        name,
        command="python benchmarks/second_run.py --data DATA",
        seed=1,
        value=second["frozen"],
        unit="seconds, warm",
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
        first=first,
        second=second,
    )


if __name__ == "__main__":
    main()
