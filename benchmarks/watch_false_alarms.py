"""How often a window raises an alarm where nothing has changed: 1,000 windows of 500 rows that the reference never saw.

python benchmarks/watch_false_alarms.py --data DATA --models MODELS      # cells watch-false-alarms-SET
"""

from __future__ import annotations

import time
from pathlib import Path

import cells
import numpy as np
import watched

WINDOWS, ROWS, BUDGET = 1000, 500, 0.05


def false_alarms(name: str, options) -> None:
    """The share of windows with an alarm, by all signals together and by each alone."""
    from deepen.watching.budget import Watcher
    from deepen.watching.kept import reference_of
    from deepen.watching.reading import open_watched

    began = time.monotonic()
    run, pool = watched.sets(options)[name]()
    opened = open_watched(run, print)
    watcher = Watcher(reference_of(opened), ROWS)
    rows = opened.file(watched.write(options.work / name / "pool.csv", pool[:10000]), None)
    rng = np.random.default_rng(1)
    seen = watcher.view(rows)
    judged = [watcher.judge(seen, rng.choice(len(rows), ROWS, replace=False)) for _ in range(WINDOWS)]
    cells.write(
        f"watch-false-alarms-{name}",
        command="python benchmarks/watch_false_alarms.py --data DATA --models MODELS",
        seed=1,
        value=float(np.mean([one.p_value <= BUDGET for one in judged])),
        n=WINDOWS,
        unit="share of windows with an alarm",
        pool_rows=len(rows),
        signals={each: float(np.mean([one.p_values[each] <= BUDGET for one in judged])) for each in watcher.lenses},
        seconds=round(time.monotonic() - began, 1),
    )


if __name__ == "__main__":
    made = cells.parser(__doc__)
    made.add_argument("--models", type=Path, required=True, help="the folder with the pretrained models")
    chosen = made.parse_args()
    for each in watched.sets(chosen):
        if cells.wanted(f"watch-false-alarms-{each}", chosen):
            false_alarms(each, chosen)
