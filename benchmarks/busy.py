"""The demo's training alone, and beside one busy thread of another program: how many times as long does it take?

Turns of both, each with cold caches; the busy thread counts as fast as it can from before a training until its end.

    python scripts/demo_data.py && python benchmarks/busy.py --data .
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys

import cells

import ladder

NAME, TURNS = "busy-demo", 2


def main() -> None:
    """Measures it, if it is not measured yet."""
    options = cells.parser(__doc__ or "").parse_args()
    if not cells.wanted(NAME, options):
        return
    work = options.work / NAME
    taken: dict[str, list[float]] = {"alone": [], "beside": []}
    for _ in range(TURNS):
        for turn, seconds in taken.items():
            shutil.rmtree(work, ignore_errors=True)
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if turn == "beside" else None
            try:
                command = [ladder.DEEPEN, "train", "--recipe", str(cells.ROOT / "recipes" / "demo.yaml"), "-q"]
                took, _, _ = cells.run(
                    [*command, "--out", str(work / "run")], environment={"DEEPEN_CACHE": str(work / "cache")}
                )
            finally:
                if busy is not None:
                    busy.kill()
                    busy.wait()
            seconds.append(round(took, 1))
            print(turn, seconds[-1], flush=True)
    middle = {turn: statistics.median(seconds) for turn, seconds in taken.items()}
    cells.write(
        NAME,
        command="python benchmarks/busy.py --data .",
        seed=0,
        value=round(middle["beside"] / middle["alone"], 2),
        n=TURNS,
        unit="times as long beside a busy thread",
        seconds=middle["alone"],
        turns=taken,
    )


if __name__ == "__main__":
    main()
