"""Cross-validation and all rows against rows held out, on cuts of open sets.

    python benchmarks/small_data.py --data DATA --models MODELS [--whole] [--sizes 100,300,1000] [--only sst2]
    python benchmarks/small_data.py --data DATA --summary

`small-data-SET-N-seedS`: N rows drawn of a set, the rungs lexical and frozen; `small-data-whole-SET-N-seedS`
(`--whole`): the rungs that a climb takes by itself. Both ways one after the other: accuracy on the same test rows,
regret (the best of its own rungs on the test rows less the chosen one), seconds of the whole command and of
the processor.
`small-data-N` and `small-data-whole-N` (`--summary`): means over sets and seeds, with Student's interval over them.
"""

from __future__ import annotations

import csv
import json
import random
import resource
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import cells
import numpy as np
from scipy import stats

import ladder
from deepen.core.run import Run, open_run
from deepen.finetuning.hidden_cache import frozen_pass
from deepen.finetuning.predictor import EncoderPredictor
from deepen.inference.model import load_model
from deepen.preparation.reopen import recipe_of, reopened
from deepen.problem.work import Work

ARMS = {"held_out": "data.cross_validate_below=0", "cross_validated": "data.cross_validate_below=1001"}
TEST_ROWS = 1000
MODELS = {"thucnews": "e5-small-zh-en"}


def lines(path: Path, encoding: str = "utf-8") -> list[str]:
    """The lines of a file that hold something."""
    return [line for line in path.read_text(encoding=encoding).splitlines() if line.strip()]


def rows_of(name: str, data: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Training and test rows of a set: text and label."""
    if name == "sst2":
        train, test = (
            [tuple(one.rsplit("\t", 1)) for one in lines(data / f"sst2/{part}.tsv")] for part in ("train", "test")
        )
    elif name == "trec":
        parts = (lines(data / f"trec/TREC.{part}", "latin-1") for part in ("train", "test"))
        train, test = ([(one.split(" ", 1)[1], one.split(":", 1)[0]) for one in part] for part in parts)
    elif name == "mr":
        whole = [(one.split(" ", 1)[1], one.split(" ", 1)[0]) for one in lines(data / "mr/rt-polarity.all", "latin-1")]
        random.Random(7).shuffle(whole)
        train, test = whole[2000:], whole[:2000]
    else:
        train, test = (
            [tuple(one.rsplit("\t", 1)) for one in lines(data / f"thucnews/{part}.txt")] for part in ("dev", "test")
        )
    random.Random(7).shuffle(test)
    return train, test[:TEST_ROWS]


def write(path: Path, rows: list[tuple[str, str]]) -> str:
    """Rows as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return str(path)


def accuracies(run: Run, work: Work, test: str, rows: int) -> dict[str, float]:
    """The accuracy of every rung's model on the test rows, whose frozen pass is cached.

    Rows with a label that no training row has are wrong whatever is said.
    """
    found = {}
    for row in run.ladder.rungs:
        if row.climbed:
            model = load_model(run.folder, rung=row.rung, settings=["data.bad_rows=drop"])
            part = model.read(test, need_target=True)
            held = ()
            if isinstance(model.predictor, EncoderPredictor) and row.rung in ("frozen", "top_layers"):
                held = (frozen_pass(work, part.table, cut=work.base.first_top_layer),)
            outputs = model.predictor.predict(part, *held)
            right_N = outputs.values_MC.argmax(1) == model.task.targets(part, model.labels).labels_M
            found[row.rung] = float(right_N.sum()) / rows
    return found


def measure(name: str, size: int, seed: int, options: Any) -> None:
    """One cell: both ways on the same rows."""
    cell = f"small-data-{'whole-' if options.whole else ''}{name}-{size}-seed{seed}"
    if not cells.wanted(cell, options):
        return
    train, test = rows_of(name, options.data)
    folder = options.work / "small_data"
    data = write(folder / f"{name}-{size}-{seed}.csv", random.Random(1000 * seed + size).sample(train, size))
    held = write(folder / f"{name}-test.csv", test)
    command = [ladder.DEEPEN, "train", data, "--task", "classification", "--columns", "text=text,label=label"]
    command += ["--seed", str(seed), "--overwrite", "-q"]
    command += ["--model", str(options.models / MODELS[name])] if name in MODELS else []
    command += [] if options.whole else ["--rungs", "majority,lexical,frozen"]
    arms: dict[str, Any] = {}
    for arm, setting in ARMS.items():
        cache = folder / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        asked = [*command, "--set", setting, "--out", str(folder / arm)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds, _, _ = cells.run(asked, environment={"DEEPEN_CACHE": str(cache)})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = open_run(folder / arm)
        prepared, why = reopened(run, recipe_of(run))
        assert prepared is not None, why  # noqa: S101 - it was just trained
        right = accuracies(run, prepared.work, held, len(test))
        arms[arm] = {
            "chosen": run.chosen,
            "test": round(right[run.chosen], 4),
            "regret": round(max(right.values()) - right[run.chosen], 4),
            "rungs": {rung: round(value, 4) for rung, value in right.items()},
            "seconds": round(seconds, 1),
            "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        }
    gain = arms["cross_validated"]["test"] - arms["held_out"]["test"]
    called = f"python benchmarks/small_data.py --data DATA --models MODELS{' --whole' if options.whole else ''}"
    more = {"metric": "accuracy gained on test rows", **arms}
    cells.write(cell, command=called, seed=seed, value=round(gain, 4), n=len(test), **more)


def mean(values: list[float]) -> tuple[float, list[float]]:
    """The mean with Student's 95 % interval."""
    middle, error = float(np.mean(values)), float(stats.sem(values))
    reach = error * float(stats.t.ppf(0.975, len(values) - 1)) if len(values) > 1 else float("nan")
    return round(middle, 4), [round(middle - reach, 4), round(middle + reach, 4)]


def summary() -> None:
    """Means of the cells that are there."""
    groups = defaultdict(list)
    for path in sorted(cells.CELLS.glob("small-data-*-seed*.json")):
        cell = json.loads(path.read_text())
        kind = "whole-" if cell["name"].startswith("small-data-whole-") else ""
        groups[f"small-data-{kind}{cell['name'].rsplit('-', 2)[1]}"].append(cell)
    for name, found in groups.items():
        if len(found) < 2:
            continue
        value, interval = mean([cell["value"] for cell in found])
        regret, regret_interval = mean(
            [cell["cross_validated"]["regret"] - cell["held_out"]["regret"] for cell in found]
        )
        kinds = ("seconds", "processor_seconds")
        sums = {kind: {arm: sum(cell[arm][kind] for cell in found) for arm in ARMS} for kind in kinds}
        cells.write(
            name,
            command="python benchmarks/small_data.py --data DATA --summary",
            seed=0,
            value=value,
            n=len(found),
            metric="accuracy gained on test rows, mean over sets and seeds",
            interval=interval,
            regret_gained=regret,
            regret_interval=regret_interval,
            ratio={kind: round(of["cross_validated"] / of["held_out"], 2) for kind, of in sums.items()},
        )


def main() -> None:
    """Measures what is asked, seed by seed, so that an interrupted benchmark has some of every set."""
    made = cells.parser(__doc__ or "")
    made.add_argument("--models", type=Path, default=Path("models"), help="the folder with e5-small-zh-en")
    made.add_argument("--whole", action="store_true", help="the rungs that a climb takes by itself")
    made.add_argument("--sizes", default="100,300,1000")
    made.add_argument("--seeds", type=int, default=5)
    made.add_argument("--summary", action="store_true", help="the means of what is measured")
    options = made.parse_args()
    if options.summary:
        summary()
        return
    for seed in range(options.seeds):
        for size in map(int, options.sizes.split(",")):
            for name in ("sst2", "trec", "mr", "thucnews"):
                measure(name, size, seed, options)
    summary()


if __name__ == "__main__":
    main()
