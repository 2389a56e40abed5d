"""`deepen train --recipe RUN/recipe.yaml` against the run itself: predictions and weights of every rung, bit for bit.

    python benchmarks/replay.py --data DATA

The first 700 rows of sst2, every rung, each time from a cold cache. The cell holds how many rungs are identical.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import cells

from deepen.core.files import read_jsonl, sha256_file

DEEPEN = str(Path(sys.executable).with_name("deepen"))


def left(rung: Path) -> list[object]:
    """What a rung answered and learned; the measured seconds are left out."""
    answers: list[object] = []
    for path in sorted(rung.glob("predictions-*.jsonl")):
        answers += [{key: value for key, value in row.items() if key != "seconds"} for row in read_jsonl(path)]
    weights = sorted((rung / "model").rglob("*.safetensors"))
    return [*answers, *(sha256_file(path) for path in weights)]


def main() -> None:
    """Measures what is not measured yet."""
    options = cells.parser(__doc__ or "").parse_args()
    name = "recipe-replay"
    if not cells.wanted(name, options):
        return
    work = options.work / name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    lines = (options.data / "sst2" / "train.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    train, test = work / "train.tsv", options.data / "sst2" / "dev.tsv"
    train.write_text("".join(lines[:700]), encoding="utf-8")
    first = [str(train), "--test", str(test), "--columns", "text=0,label=1", "--thorough", "--out", str(work / "first")]
    again = ["--recipe", str(work / "first" / "recipe.yaml"), "--out", str(work / "again")]
    seconds = 0.0
    for which, words in (("first", first), ("again", again)):
        environment = {"DEEPEN_CACHE": str(work / f"cache-{which}")}
        seconds += cells.run([DEEPEN, "train", *words, "--json"], environment=environment)[0]
    rungs = [row["rung"] for row in json.loads((work / "first" / "ladder.json").read_text())["rungs"]]
    same = {rung: left(work / "first" / "rungs" / rung) == left(work / "again" / "rungs" / rung) for rung in rungs}
    cells.write(
        name,
        command="python benchmarks/replay.py --data DATA",
        seed=0,
        value=sum(same.values()),
        n=len(same),
        metric="rungs with identical predictions and weights",
        identical=same,
        seconds=round(seconds, 1),
    )


if __name__ == "__main__":
    main()
