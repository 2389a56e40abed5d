"""The README's two commands in a fresh clone: the first time with downloads and installation, the second time offline.

python benchmarks/commands.py --data .
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import cells


def main() -> None:
    """Measures what is not measured yet."""
    options = cells.parser(__doc__ or "").parse_args()
    clone = options.work / "clone"
    shutil.rmtree(clone, ignore_errors=True)
    options.work.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "-q", str(cells.ROOT), str(clone)], check=True)
    for name in ("demo", "test"):
        for again in ("first", "second"):
            cell = f"make-{name}-{again}"
            if not cells.wanted(cell, options):
                continue
            cache = options.work / "cache" / f"{cell}-{os.getpid()}"
            environment = {"DEEPEN_CACHE": str(cache), **({"PIP_NO_INDEX": "1"} if again == "second" else {})}
            seconds, peak, _ = cells.run(["make", "-C", str(clone), name], environment=environment)
            more = ladder(clone) if name == "demo" else {}
            cells.write(
                cell,
                command=f"make {name}",
                seed=0,
                value=round(seconds, 1),
                unit="seconds",
                seconds=round(seconds, 1),
                peak_memory_bytes=peak,
                state="cold: downloads and installs"
                if again == "first"
                else "installed, no package index, cold caches",
                **more,
            )


def ladder(clone: object) -> dict[str, object]:
    """What the demo's climb found."""
    with open(f"{clone}/runs/demo/ladder.json", encoding="utf-8") as source:
        record = json.load(source)
    rows = {
        row["rung"]: [row["status"], row["score"] and row["score"]["value"], row["gain"], row["seconds"]]
        for row in record["rungs"]
    }
    return {"climb_seconds": record["seconds"], "chosen": record["chosen"], "rungs": rows}


if __name__ == "__main__":
    main()
