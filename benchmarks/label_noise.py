"""Turns 5 % of sst2's training labels round; data_map must name them, and mending what it names may help.

Cells: precision at k (k: how many of the training rows are wrong) by frozen features alone, and with the visits of a
full climb; then the test accuracy of five seeds with the k suspects looked at by somebody who knows (`fixed`: a wrong
label is put right, a right one kept), with the suggestions taken as they are (`suggested`), and with the suspects left
out (`dropped`), each against the noisy data, row by row on the same test rows.

    python benchmarks/label_noise.py --data DATA [--only precision] [--full] [--seeds 5] [--again]
"""

from __future__ import annotations

import csv
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import cells
import numpy as np

NAME = "label_noise"
SHARE = 0.05
FEW = "majority,lexical,frozen"
OTHER = {"0": "1", "1": "0"}


def noisy(data: Path, work: Path, seed: int) -> tuple[Path, dict[int, str]]:
    """A copy of the training file with wrong labels, and the right label of each wrong line."""
    lines = (data / "sst2" / "train.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line.strip()]
    turned = random.Random(f"label_noise {seed}").sample(range(len(rows)), round(SHARE * len(rows)))
    right = {at + 1: rows[at][1] for at in turned}
    for at in turned:
        rows[at][1] = OTHER[rows[at][1]]
    path = work / f"sst2-noisy-{seed}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return path, right


def climb(options: Any, path: Path, out: Path, seed: int, rungs: str | None, **lists: Path) -> Path:
    """A finished run; one that is there is taken as it is."""
    from deepen.api import train

    given = {name: str(file) for name, file in lists.items()}
    columns, test = {"text": "0", "label": "1"}, options.data / "sst2" / "test.tsv"
    if not (out / "report.html").is_file():
        ready = out.exists()
        train(str(path), test=test, columns=columns, rungs=rungs, out=out, seed=seed, overwrite=ready, **given)
    return out


def suspects(run: Path, right: dict[int, str], how: str) -> dict[str, Any]:
    """The k suspects of a run, which of them are wrong, and what was found."""
    from deepen.api import diagnose
    from deepen.diagnosis.case import open_case

    train = open_case(run).train
    assert train is not None  # noqa: S101 - the run was made from this file
    line = dict(zip(train.values("id"), train.values("line"), strict=True))
    wrong = {name: right[at] for name, at in line.items() if at in right}
    for old in run.glob("suspects*.csv"):
        old.unlink()
    words = [f"data_map.max_suspects={len(wrong)}", f"data_map.out_of_fold={how}"]
    [finding] = diagnose(run, questions="data_map", settings=words)
    with (run / "suspects.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return {"rows": rows, "wrong": wrong, "finding": finding, "hits": sum(row["id"] in wrong for row in rows)}


def precision(options: Any, name: str, how: str, rungs: str | None, seed: int = 0) -> None:
    """A cell: the share of the k suspects that are wrong."""
    path, right = noisy(options.data, options.work, seed)
    began = time.monotonic()
    run = climb(options, path, options.work / f"{NAME}-{'few' if rungs else 'full'}-{seed}", seed, rungs)
    trained = time.monotonic()
    found = suspects(run, right, how)
    num, finding = len(found["wrong"]), found["finding"]
    cells.write(
        name,
        command=f"python benchmarks/label_noise.py --data DATA --only {name}",
        seed=seed,
        value=round(found["hits"] / num, 4),
        n=num,
        verdict=finding.verdict,
        share=[finding.observed.value, finding.effect.low, finding.effect.high],
        training_seconds=round(trained - began, 1),
        seconds=round(time.monotonic() - trained, 1),
        unit="fraction",
    )


def answers(run: Path) -> np.ndarray:
    """Whether the chosen model is right about each test row."""
    chosen = json.loads((run / "ladder.json").read_text())["chosen"]
    lines = (run / "rungs" / chosen / "predictions-test.jsonl").read_text(encoding="utf-8").splitlines()
    return np.array([row["output"] == row["target"] for row in map(json.loads, lines)], float)


def lists(found: dict[str, Any], folder: Path) -> dict[str, dict[str, Path]]:
    """The lists for --fix and --drop."""
    known = {row["id"]: found["wrong"].get(row["id"], row["label_given"]) for row in found["rows"]}
    suggested = {row["id"]: row["label"] for row in found["rows"]}
    paths = {}
    for name, labels in (("fixed", known), ("suggested", suggested)):
        paths[name] = folder / f"{name}.csv"
        with paths[name].open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows([["id", "label"], *labels.items()])
    return {
        "fixed": {"fix": paths["fixed"]},
        "suggested": {"fix": paths["suggested"]},
        "dropped": {"drop": paths["fixed"]},
    }


def mended(options: Any, name: str, how: str, rungs: str | None) -> None:
    """Cells: what mending gains on test; the interval resamples seeds and test rows."""
    wanted = [kind for kind in ("fixed", "suggested", "dropped") if cells.wanted(f"{name}_{kind}", options)]
    gains: dict[str, list[np.ndarray]] = {kind: [] for kind in wanted}
    size = "few" if rungs else "full"
    began = time.monotonic()
    for seed in range(options.seeds) if wanted else ():
        path, right = noisy(options.data, options.work, seed)
        run = climb(options, path, options.work / f"{NAME}-{size}-{seed}", seed, rungs)
        given = lists(suspects(run, right, how), run)
        for kind in wanted:
            out = options.work / f"{NAME}-{size}-{how}-{kind}-{seed}"
            better = climb(options, path, out, seed, rungs, **given[kind])
            gains[kind].append(answers(better) - answers(run))
    for kind in wanted:
        gain_SN, chance = np.stack(gains[kind]), np.random.default_rng(0)
        num_seeds, num_rows = gain_SN.shape
        drawn = [
            gain_SN[chance.integers(0, num_seeds, num_seeds)][:, chance.integers(0, num_rows, num_rows)].mean()
            for _ in range(2000)
        ]
        low, high = np.quantile(drawn, [0.025, 0.975])
        cells.write(
            f"{name}_{kind}",
            command=f"python benchmarks/label_noise.py --data DATA --only {name}" + (" --full" if not rungs else ""),
            seed=0,
            value=round(float(gain_SN.mean()), 5),
            n=num_rows,
            interval=[round(float(low), 5), round(float(high), 5)],
            each_seed=[round(float(value), 5) for value in gain_SN.mean(1)],
            significant=bool(low > 0 or high < 0),
            seconds=round(time.monotonic() - began, 1),
        )


def main() -> None:
    """Every cell that is asked for."""
    made = cells.parser(__doc__ or "")
    made.add_argument("--full", action="store_true", help="the cells that need full climbs too")
    made.add_argument("--seeds", type=int, default=5, help="how many seeds of noise are mended")
    options = made.parse_args()
    os.environ.setdefault("DEEPEN_CACHE", str(options.work / "cache" / NAME))
    for how, rungs in (("frozen", FEW), *([("full", None)] if options.full else [])):
        name = f"{NAME}_sst2_precision_{how}"
        if cells.wanted(name, options):
            precision(options, name, how, rungs)
        again = f"{name}_confirmed"  # other flips than those that the ranking was chosen on
        if rungs is None and cells.wanted(again, options):
            precision(options, again, how, rungs, seed=1)
        mended(options, f"{NAME}_sst2_gain_{how}", how, rungs)


if __name__ == "__main__":
    main()
