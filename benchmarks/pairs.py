"""How far a climb on pairs comes by itself, and what that brings over one that is ended by the gain of `top_layers`.

    python benchmarks/pairs.py --data DATA --models MODELS [--only pairs-mrpc]

The deepest rung reads two texts together, those below it apart. One `deepen train` a set, with no option but the
files, their columns and the model; of afqmc the first 4,000 rows train. Until 0.1.0 a climb ended after `top_layers`
where that gained less than half a point, so one climb shows both: `ended_before` is the best rung below `full` where
it would have ended there, its test score, the seconds without `full`, and the paired difference of the test scores.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cells

import ladder
import tasks

SETS = ("sick-score", "ocnli", "mrpc", "sick-entailment", "afqmc")
AFQMC_ROWS = 4000
COMPARE = """
import json, sys
from deepen.evaluation.statistics import paired_bootstrap
from deepen.inference.model import load_model
run, test, below = sys.argv[1:]
found = []
for rung in (None, below):
    model = load_model(run, rung=rung)
    part, outputs, _ = model.run(test, columns=None, need_target=True)
    found.append(model.task.statistics(outputs, model.task.targets(part, model.labels)))
gain = paired_bootstrap(*found, model.task.value_of, seed=0)
numbers = [gain.interval.value, gain.interval.low, gain.interval.high, gain.p_value]
value = float(model.task.value_of(found[1].sum(0, keepdims=True))[0])
print(json.dumps([round(number, 4) for number in (value, *numbers)]))
"""


def arguments_of(name: str, options) -> list[str]:
    """The words of `deepen train` for a set: those of benchmarks/tasks.py, without a budget."""
    found = tasks.sets(options.data, options.work, options.models)[name]
    if name == "afqmc":
        lines = tasks.lines_of(options.data / "afqmc" / "train.txt")[:AFQMC_ROWS]
        found[0] = tasks.write_lines(options.work / "splits" / f"afqmc-{AFQMC_ROWS}.txt", lines)
    if "--budget" in found:
        at = found.index("--budget")
        del found[at : at + 2]
    return found


def ended_before(cell: dict, run: Path, test: str, options) -> dict | None:
    """What the climb would have come to, had the gain of `top_layers` ended it; None where that was large enough."""
    rungs = {row["rung"]: row for row in json.loads((run / "ladder.json").read_text())["rungs"]}
    if "says nothing of full" not in rungs["top_layers"]["reason"]:
        return None
    full = rungs.pop("full")
    best = max((row for row in rungs.values() if row["score"]), key=lambda row: row["score"]["value"])["rung"]
    environment = {"DEEPEN_CACHE": str(options.work / "cache" / cell["name"])}
    printed = cells.run([sys.executable, "-c", COMPARE, str(run), test, best], environment=environment)[2]
    value, gain, low, high, p = json.loads(printed.strip().splitlines()[-1])
    difference = {"value": gain, "low": low, "high": high, "p": p}
    seconds = round(cell["seconds"] - full["seconds"], 1)
    return {"chosen": best, "value": value, "seconds": seconds, "difference": difference}


def main() -> None:
    """Measures what is not measured yet."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--models", type=Path, required=True, help="the folder that holds e5-small-zh-en")
    options = parser.parse_args()
    options.seed = 0
    for name in SETS:
        cell = f"pairs-{name}"
        if cells.wanted(cell, options):
            arguments = arguments_of(name, options)
            run = ladder.climb(cell, arguments, options)
            path = cells.CELLS / f"{cell}.json"
            made = json.loads(path.read_text())
            made["ended_before"] = ended_before(made, run, arguments[arguments.index("--test") + 1], options)
            path.write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n")
            print(f"  ended before: {made['ended_before']}", flush=True)


if __name__ == "__main__":
    main()
