"""What one `deepen predict --text` costs where the model has no network.

    python benchmarks/first_answer.py --data DATA [--work W]

A run on sst2 that ends at `lexical`; the command is called seven times, the median counts. Wall seconds and CPU seconds
of the whole process, and the heavy libraries that it loaded.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

import cells

import ladder

TURNS = 7
HEAVY = ("torch", "sklearn", "transformers", "accelerate", "peft", "datasets")
PROGRAM = f"""
import sys
from deepen.cli.main import main
sys.argv = ["deepen", "predict", sys.argv[1], "--text", "a fine film"]
try:
    main()
finally:
    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""


def main() -> None:
    """Measures what is not measured yet."""
    options = cells.parser(__doc__ or "").parse_args()
    name = "first-answer-lexical"
    if not cells.wanted(name, options):
        return
    run = options.work / "runs" / name
    train = [ladder.DEEPEN, "train", str(options.data / "sst2" / "train.tsv"), "--rungs", "majority,lexical"]
    cells.run([*train, "--out", str(run), "--overwrite", "-q"])
    wall, cpu = [], []
    for _ in range(TURNS):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run([ladder.DEEPEN, "predict", str(run), "--text", "a fine film"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall.append(time.monotonic() - began)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    said = subprocess.run([sys.executable, "-c", PROGRAM, str(run)], check=True, capture_output=True, text=True)
    cells.write(
        name,
        command="python benchmarks/first_answer.py --data DATA",
        seed=0,
        value=round(statistics.median(wall), 3),
        n=TURNS,
        unit="seconds",
        cpu_seconds=round(statistics.median(cpu), 3),
        heavy=said.stderr.splitlines()[-1],
    )


if __name__ == "__main__":
    main()
