"""How far a climb on pairs comes by itself, and what that brings: this version, and one before it.

    python benchmarks/pairs.py --data DATA --models MODELS
    python benchmarks/pairs.py --data DATA --models MODELS --before CHECKOUT   # another version, from its source

The deepest rung reads two texts together, those below it apart. One `deepen train` a set, with no option but the files,
their columns and the model; of afqmc the first 4,000 rows train. Cells of another version end in `-before`.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import cells

import ladder
import tasks

SETS = ("mrpc", "sick-score", "sick-entailment", "afqmc", "ocnli")
AFQMC_ROWS = 4000


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


def main() -> None:
    """Measures what is not measured yet."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--models", type=Path, required=True, help="the folder that holds e5-small-zh-en")
    parser.add_argument("--before", type=Path, help="a checkout of the version to compare with")
    options = parser.parse_args()
    options.seed = 0
    more = {}
    if options.before is not None:
        os.environ["PYTHONPATH"] = str(options.before / "src")
        asked = ["git", "-C", str(options.before), "rev-parse", "--short", "HEAD"]
        more["commit"] = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    for name in SETS:
        cell = f"pairs-{name}{'-before' if options.before is not None else ''}"
        if cells.wanted(cell, options):
            ladder.climb(cell, arguments_of(name, options), options, **more)


if __name__ == "__main__":
    main()
