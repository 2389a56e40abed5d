"""Rows of labels that a run never saw: how many are told, and what that costs the labels that it knows.

banking77 with 20 labels drawn by chance left out of training, and trec with each label in turn that has 50 test rows.
Each run chooses score and threshold without a test row and without a row of those labels: labels held out in turn stand
in. The comparison is the threshold on the maximum probability with the same promise, on the same model: its F1 has a
paired bootstrap interval.

    python benchmarks/none_of_these.py --data DATA
    python benchmarks/cells.py
"""

from __future__ import annotations

import csv
import json
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from cells import parser, run, wanted, write

from deepen.core.files import read_jsonl
from deepen.evaluation.statistics import bootstrap, f1, paired_bootstrap

OUTSIDE, LEAST_ROWS, UNSEEN = "none_of_these", 50, 20
Rows = list[tuple[str, str]]


def banking77(data: Path) -> tuple[Rows, Rows]:
    """Training and test rows."""
    both = []
    for part in ("train", "test"):
        with (data / "banking77" / f"{part}.csv").open(encoding="utf-8", newline="") as file:
            both.append([(row["text"], row["category"]) for row in csv.DictReader(file)])
    return both[0], both[1]


def trec(data: Path) -> tuple[Rows, Rows]:
    """Training and test rows, with the six coarse labels."""
    both = []
    for part in ("TREC.train", "TREC.test"):
        lines = (data / "trec" / part).read_text(encoding="latin-1").splitlines()
        cut = (line.partition(" ") for line in lines if line.strip())
        both.append([(text, label.partition(":")[0]) for label, _, text in cut])
    return both[0], both[1]


def cells(data: Path) -> dict[str, tuple[Rows, Rows, set[str]]]:
    """Rows, and the labels that are never seen, by the name of the cell."""
    train, test = banking77(data)
    labels = sorted({label for _, label in train})
    drawn = np.random.default_rng(0).permutation(len(labels))[:UNSEEN]
    found = {"banking77": (train, test, {labels[at] for at in drawn})}
    train, test = trec(data)
    counts = Counter(label for _, label in test)
    return found | {
        f"trec/{label}": (train, test, {label}) for label, count in sorted(counts.items()) if count >= LEAST_ROWS
    }


def write_rows(path: Path, rows: Rows) -> Path:
    """A CSV with a header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("text", "label"), *rows])
    return path


def measured(folder: Path, train: Path, test: Path, score: str) -> dict[str, Any]:
    """One run with a score: what it answers the test rows, and what that took."""
    out = folder / score
    options = f"--rungs frozen --none-of-these --set none_of_these.score={score}"
    words = [sys.executable, "-m", "deepen", "train", str(train), *shlex.split(options)]
    seconds, peak, _ = run([*words, "--out", str(out), "--overwrite", "--json"])
    answers = folder / f"{score}.jsonl"
    run([sys.executable, "-m", "deepen", "predict", str(out), str(test), "--out", str(answers), "--json"])
    found = list(read_jsonl(answers))
    about = json.loads((out / "bounds" / "none-of-these.json").read_text())["refuses"]
    said = [max(row["probabilities"], key=row["probabilities"].__getitem__) for row in found]
    refused_N = np.array([row["none_of_these"] for row in found])
    return {"seconds": seconds, "peak": peak, "said": said, "refused_N": refused_N, "about": about, "options": options}


def main() -> None:
    """Measures the cells that are missing."""
    options = parser(__doc__ or "").parse_args()
    for cell, (train, test, unseen) in cells(options.data).items():
        name = f"none-of-these/{cell}/oos_f1".replace("/", "-")
        if not wanted(name, options):
            continue
        folder = options.work / "none-of-these" / cell
        train_csv = write_rows(folder / "train.csv", [row for row in train if row[1] not in unseen])
        marked = [(text, OUTSIDE if label in unseen else label) for text, label in test]
        test_csv = write_rows(folder / "test.csv", marked)
        own, usual = (measured(folder, train_csv, test_csv, score) for score in ("auto", "probability"))
        labels = [label for _, label in marked]
        outside_N = np.array([label == OUTSIDE for label in labels])
        right_N = np.array([said == label for said, label in zip(own["said"], labels, strict=True)])[~outside_N]
        answered_N = ~own["refused_N"][~outside_N]
        stats = [np.stack([one["refused_N"] & outside_N, one["refused_N"], outside_N], axis=1) for one in (own, usual)]

        def value(sums: np.ndarray) -> np.ndarray:
            return f1(sums[:, 0], sums[:, 1], sums[:, 2])

        found = bootstrap(stats[0], value, seed=0)
        above = paired_bootstrap(stats[0], stats[1], value, seed=0).interval
        both_N = right_N & answered_N
        write(
            name,
            command=f"deepen train {cell.partition('/')[0]} without {len(unseen)} labels {own['options']}",
            seed=0,
            value=round(found.value, 4),
            n=len(labels),
            interval=[round(found.low, 4), round(found.high, 4)],
            seconds=round(own["seconds"], 1),
            peak_memory_bytes=own["peak"],
            score=own["about"]["score"],
            chosen=own["about"]["chosen"],
            above_probability=[round(number, 4) for number in (above.value, above.low, above.high)],
            accuracy_known=round(float(right_N.mean()), 4),
            accuracy_known_answered=round(float(both_N.mean()), 4),
            lost_points=round(100 * float(right_N.mean() - both_N.mean()), 2),
        )


if __name__ == "__main__":
    main()
