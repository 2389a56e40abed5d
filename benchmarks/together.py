"""Two tunings over one encoder in one process: LoRA on sst2 and on banking77, by `deepen.load_together`.

    python benchmarks/together.py --data DATA

One cell: megabytes of numbers that each model has alone and both have together, how much the process grew by loading
them, and on how many of 500 texts the answers differ from those of each model alone (labels, and the largest change of
a probability). Every measurement is a process of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cells
import train

import tuning

TEXTS = 500
CHILD = """
import json, sys
from pathlib import Path
import psutil
import deepen
me = psutil.Process()
texts, runs = json.loads(Path(sys.argv[1]).read_text()), sys.argv[2:]
deepen.load_together(runs[:1], rung="full")[0].predict(texts[:2])  # libraries and buffers are there from now on
before = me.memory_info().rss
models = deepen.load_together(runs, rung="full") if len(runs) > 1 else [deepen.load(runs[0], rung="full")]
grown = me.memory_info().rss - before
held = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes()
        for m in models for t in [*m.predictor.network.parameters(), *m.predictor.network.buffers()]}
said = [[(p.output, p.probabilities[p.output]) for p in m.predict(texts)] for m in models]
print(json.dumps({"grown": grown, "held": sum(held.values()), "said": said}))
"""


def tuned(name: str, options) -> Path:
    """A run of LoRA on a set's 2,000 rows; that of benchmarks/tuning.py, if it is there."""
    cell = f"tuning-{name}-lora-seed0"
    run = options.work / "runs" / cell
    if not (run / "rungs" / "full" / "model").is_dir():
        given = ("--rungs", "frozen,full", "--tuning", "lora", "--thorough", "--seed", "0")
        train.climbed(cell, tuning.rows_of(name, options), options, *given)
    return run


def main() -> None:
    """Measures it, unless that is done."""
    options = cells.parser(__doc__ or "").parse_args()
    if not cells.wanted("tuning-together", options):
        return
    runs = {name: tuned(name, options) for name in tuning.SETS}
    texts = [row["text"] for name in tuning.SETS for row in train.rows_of(name, options.data)[2][: TEXTS // 2]]
    asked = options.work / "together.json"
    asked.write_text(json.dumps(texts), encoding="utf-8")
    child = [sys.executable, "-c", CHILD, str(asked)]
    alone = {name: json.loads(cells.run([*child, str(run)])[2]) for name, run in runs.items()}
    seconds, peak, out = cells.run([*child, *map(str, runs.values())])
    both = json.loads(out)
    pairs = [
        (one, two)
        for name, said in zip(runs, both["said"], strict=True)
        for one, two in zip(alone[name]["said"][0], said, strict=True)
    ]
    cells.write(
        "tuning-together",
        command="python benchmarks/together.py --data DATA",
        seed=0,
        value=round(both["held"] / 1e6, 2),
        n=len(pairs),
        unit="megabytes of numbers, both together",
        alone_mb={name: round(found["held"] / 1e6, 2) for name, found in alone.items()},
        process_grew_mb={name: round(found["grown"] / 1e6, 1) for name, found in {**alone, "both": both}.items()},
        other_labels=sum(one[0] != two[0] for one, two in pairs),
        largest_change=max(abs(one[1] - two[1]) for one, two in pairs),
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
    )


if __name__ == "__main__":
    main()
