"""The ladder on open classification sets: one `deepen train` each, no option but the file and its columns.

    python benchmarks/ladder.py --data DATA
    python benchmarks/ladder.py --data DATA --thorough      # every rung, as evidence for the stopping rule

Sets without a split are split 80/20 by a seeded shuffle into two files.
"""

from __future__ import annotations

import csv
import json
import random
import shlex
import shutil
import sys
from pathlib import Path

import cells

DEEPEN = str(Path(sys.executable).with_name("deepen"))


def _split(rows: list[tuple[str, ...]], folder: Path, name: str, header: tuple[str, ...] | None) -> tuple[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    random.Random(0).shuffle(rows)
    cut = len(rows) * 8 // 10
    paths = (folder / f"{name}-train.csv", folder / f"{name}-test.csv")
    for path, part in zip(paths, (rows[:cut], rows[cut:]), strict=True):
        with path.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows(([header] if header else []) + part)
    return str(paths[0]), str(paths[1])


def sets(data: Path, work: Path) -> dict[str, list[str]]:
    """The arguments of `deepen train` for each set."""
    splits = work / "splits"
    lines = (data / "mr" / "rt-polarity.all").read_text(encoding="utf-8").splitlines()
    mr = _split([tuple(line.split(" ", 1)) for line in lines], splits, "mr", ("label", "text"))
    rows = []
    for label in ("objective", "subjective"):
        text = (data / "subj" / f"subj.{label}").read_text(encoding="utf-8")
        rows += [(line, label) for line in text.splitlines()]
    subj = _split(rows, splits, "subj", ("text", "label"))
    with (data / "ag_news_test" / "test.csv").open(encoding="utf-8", newline="") as source:
        news = _split([tuple(row) for row in csv.reader(source)], splits, "ag_news", None)
    return {
        "sst2": [f"{data}/sst2/train.tsv", "--test", f"{data}/sst2/test.tsv", "--columns", "text=0,label=1"],
        "banking77": [f"{data}/banking77/train.csv", "--test", f"{data}/banking77/test.csv"],
        "mr": [mr[0], "--test", mr[1]],
        "trec": [f"{data}/trec/TREC.train", "--test", f"{data}/trec/TREC.test"],
        "subj": [subj[0], "--test", subj[1]],
        "ag_news_test": [news[0], "--test", news[1], "--columns", "label=0,text=1+2"],
    }


def main() -> None:
    """Measures what is not measured yet."""
    options_parser = cells.parser(__doc__ or "")
    options_parser.add_argument("--thorough", action="store_true", help="every rung")
    options_parser.add_argument("--seed", type=int, default=0)
    options = options_parser.parse_args()
    for name, arguments in sets(options.data, options.work).items():
        cell = f"ladder-{name}{'-thorough' if options.thorough else ''}-seed{options.seed}"
        if not cells.wanted(cell, options):
            continue
        out = options.work / "runs" / cell
        command = [DEEPEN, "train", *arguments, "--out", str(out), "--overwrite", "--json", "--seed", str(options.seed)]
        command += ["--thorough"] if options.thorough else []
        cache = options.work / "cache" / cell
        shutil.rmtree(cache, ignore_errors=True)
        seconds, peak, printed = cells.run(command, environment={"DEEPEN_CACHE": str(cache)})
        record = json.loads(printed)
        accuracy = next(score for score in record["test"] if score["name"] == "accuracy" and score["label"] is None)
        rungs = [
            {
                "rung": row["rung"],
                "status": row["status"],
                "validation": row["score"] and round(row["score"]["value"], 4),
                "gain": row["gain"],
                "seconds": row["seconds"],
                "reason": row["reason"],
            }
            for row in record["rungs"]
        ]
        shown = shlex.join(command[1:]).replace(str(options.data), "DATA").replace(str(options.work), "WORK")
        cells.write(
            cell,
            command=f"deepen {shown}",
            seed=options.seed,
            value=round(accuracy["value"], 4),
            n=accuracy["n"],
            metric="test accuracy",
            interval=[round(accuracy["low"], 4), round(accuracy["high"], 4)],
            seconds=round(seconds, 1),
            peak_memory_bytes=peak,
            chosen=record["chosen"],
            cheapest_not_worse=record["cheapest_not_worse"],
            rungs=rungs,
        )


if __name__ == "__main__":
    main()
