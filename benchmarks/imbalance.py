"""A rare label: how many of its rows are found by default, and where --decide-by macro_f1 was asked for.

    python benchmarks/imbalance.py --data DATA [--only imbalance-sst2]

Rows of sst2 at 14 to 1: 2,800 positive and 200 negative training rows, and test rows in the same proportion (of the
test set 900 positive rows and 64 negative, of the development rows none). The climb ends at `frozen`, since what is
asked is where decisions are cut, not how deep the network learns.
"""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import cells

import ladder

TRAIN, TEST = (2800, 200), (900, 64)
WAYS = {"default": [], "decide-by": ["--decide-by", "macro_f1"]}


def rows_of(path: Path) -> list[tuple[str, str]]:
    """Texts with their labels."""
    pairs = (line.rsplit("\t", 1) for line in path.read_text(encoding="utf-8").splitlines())
    return [(text, label) for text, label in pairs]


def rare(rows: list[tuple[str, str]], counts: tuple[int, int], path: Path) -> Path:
    """A file of so many rows with the label 1 and with the label 0, drawn with seed 0."""
    drawn = random.Random(0).sample(rows, len(rows))
    picked: list[tuple[str, str]] = []
    for label, count in zip("10", counts, strict=True):
        picked += [row for row in drawn if row[1] == label][:count]
    random.Random(1).shuffle(picked)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *picked])
    return path


def main() -> None:
    """Measures what is not measured yet."""
    options = cells.parser(__doc__ or "").parse_args()
    folder = options.data / "sst2"
    train = rare(rows_of(folder / "train.tsv"), TRAIN, options.work / "imbalance" / "train.csv")
    test = rare(rows_of(folder / "test.tsv"), TEST, options.work / "imbalance" / "test.csv")
    for way, words in WAYS.items():
        name = f"imbalance-sst2-{way}"
        if not cells.wanted(name, options):
            continue
        out = options.work / "runs" / name
        command = [ladder.DEEPEN, "train", str(train), "--test", str(test), "--rungs", "majority,lexical,frozen"]
        environment = {"DEEPEN_CACHE": str(options.work / "cache" / name)}
        seconds, memory, said = cells.run(
            [*command, "--out", str(out), "--overwrite", "--json", *words], environment=environment
        )
        record = json.loads(said)
        scores = {(score["name"], score["label"]): score for score in record["test"]}
        ladder_of = json.loads((out / "ladder.json").read_text(encoding="utf-8"))
        recall = scores["recall", "0"]
        cells.write(
            name,
            command=f"python benchmarks/imbalance.py --data DATA --only {name}",
            seed=0,
            value=round(recall["value"], 4),
            n=recall["n"],
            unit="recall of the rare label",
            interval=[round(recall["low"], 4), round(recall["high"], 4)],
            precision=round(scores["precision", "0"]["value"], 4),
            accuracy=round(scores["accuracy", None]["value"], 4),
            macro_f1=round(scores["macro_f1", None]["value"], 4),
            chosen=record["chosen"],
            warnings=ladder_of["data"]["warnings"],
            seconds=round(seconds, 1),
            peak_memory_bytes=memory,
        )
        print(name, recall["value"], record["chosen"], ladder_of["data"]["warnings"])


if __name__ == "__main__":
    main()
