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
from deepen.evaluation.bounds import threshold
from deepen.evaluation.statistics import bootstrap, f1, paired_bootstrap

OUTSIDE, LEAST_ROWS, UNSEEN = "none_of_these", 50, 20
OPTIONS = "--rungs frozen --none-of-these --set data.validation_at_least=1400"
"""More validation rows than usual: few can't back a promise of 1 %."""
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


def sureness(rows: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """The label with the maximum probability of each row, and the logarithm of what is left to others."""
    best = [max(row["probabilities"].items(), key=lambda pair: pair[1]) for row in rows]
    return np.array([label for label, _ in best]), np.log(1 - np.array([one for _, one in best]) + 1e-6)


def usual(out: Path, rows: list[dict[str, Any]]) -> np.ndarray:
    """What the maximum probability refuses, at the threshold with the same promise on the same validation rows."""
    held = list(read_jsonl(out / "rungs" / "frozen" / "predictions-validation.jsonl"))
    said_N, unsure_N = sureness(held)
    right_N = said_N == np.array([row["target"] for row in held])
    bound = threshold(unsure_N, right_N, "harm", at_most=0.01, thresholds=np.linspace(-14, 0.01, 8001))
    return np.asarray(sureness(rows)[1] >= (np.inf if bound.threshold is None else bound.threshold))


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
        out, answers = folder / "run", folder / "answers.jsonl"
        words = [sys.executable, "-m", "deepen", "train", str(train_csv), *shlex.split(OPTIONS)]
        seconds, peak, _ = run([*words, "--out", str(out), "--overwrite", "--json"])
        run([sys.executable, "-m", "deepen", "predict", str(out), str(test_csv), "--out", str(answers), "--json"])
        rows = list(read_jsonl(answers))
        about = json.loads((out / "bounds" / "none-of-these.json").read_text())["refuses"]
        labels_N = np.array([label for _, label in marked])
        outside_N = labels_N == OUTSIDE
        right_N = (sureness(rows)[0] == labels_N)[~outside_N]
        refused_N = np.array([row["none_of_these"] for row in rows])
        both = (refused_N, usual(out, rows))
        stats = [np.stack([one & outside_N, one, outside_N], axis=1) for one in both]
        kept, kept_usual = ((right_N & ~one[~outside_N]).mean() for one in both)

        def value(sums: np.ndarray) -> np.ndarray:
            return f1(sums[:, 0], sums[:, 1], sums[:, 2])

        found = bootstrap(stats[0], value, seed=0)
        above = paired_bootstrap(stats[0], stats[1], value, seed=0).interval
        write(
            name,
            command=f"deepen train {cell} {OPTIONS}, without {len(unseen)} labels",
            seed=0,
            value=round(found.value, 4),
            n=len(rows),
            interval=[round(found.low, 4), round(found.high, 4)],
            seconds=round(seconds, 1),
            peak_memory_bytes=peak,
            weights=about["weights"],
            chosen=about["chosen"],
            by_probability=round(float(value(stats[1].sum(0, keepdims=True))[0]), 4),
            above_probability=[round(number, 4) for number in (above.value, above.low, above.high)],
            accuracy_known=round(float(right_N.mean()), 4),
            lost_points=round(100 * float(right_N.mean() - kept), 2),
            lost_points_by_probability=round(100 * float(right_N.mean() - kept_usual), 2),
        )


if __name__ == "__main__":
    main()
