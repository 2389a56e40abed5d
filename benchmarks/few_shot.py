"""Rungs that need few labels or none.

    python benchmarks/few_shot.py --data DATA --models MODELS --peers PEERS/bin/python [--only few-shot]
    python benchmarks/few_shot.py --data DATA --models MODELS --generator SMOLLM2 --only smollm2

`zero-shot-SET`: the package's descriptions of labels against the untouched encoder, no labelled row learned from;
accuracy on all test rows, with the share of the commonest label beside it.
`few-shot-SET-K-drawN`: K rows a label, drawn anew each time; the whole `deepen train --refit` beside SetFit in an
environment of its own, one after the other. The interval is that of the difference, over the same test rows. With
`--setfit-only` SetFit alone is run and its answers are kept beside the rows, to be compared with later: such a cell has
no seconds of SetFit. sst2 with eight rows a label has twenty draws, since they differ by twenty points.
`...-above-setfit`, `...-above-without`: the mean gain over the draws, with Student's interval over them.
`label-rows-SET-K-drawN`: the same draws with and without rows of what labels are called (`data.label_rows`), and the
interval of the difference; the labels of sst2 are called negative and positive here.
`self-training-sst2-drawN`: 100 labelled rows with and without 5,000 of the rest, whose labels are removed
(`--unlabelled`); the whole `deepen train` both times, and the interval of the difference: of the chosen rung, and of
`lexical`, the cheapest that learns again.
`zero-shot-sst2-smollm2`, `few-shot-sst2-smollm2`: SmolLM2-135M-Instruct is asked about 400 test rows, without and with
the likest of 1,000 training rows before the question.
"""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from pathlib import Path

import cells
import numpy as np
import train
from scipy import stats

import deepen
from deepen.evaluation.statistics import paired_bootstrap

SST2 = {"0": "negative", "1": "positive"}
UNNAMED = ("--set", "data.label_rows=false")


def zero_shot(name: str, rows: list[dict], model: list[str], options) -> None:
    """A climb of one rung: some rows are given again as rows to train on, whose labels it does not look at."""
    cell = f"zero-shot-{name}"
    if not cells.wanted(cell, options):
        return
    folder = options.work / "few_shot" / name
    write(folder, train=rows[::10], validation=rows[1::10], test=rows)
    given = ("--rungs", "zero_shot", "--set", "data.near.threshold=1", *model)
    ran = train.climbed(cell, folder, options, *given)
    scored(cell, "", "accuracy of all rows", rows, ran)


def write(folder: Path, **parts: list[dict]) -> None:
    """The rows of each part as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in parts.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{part}.jsonl").write_text(text, encoding="utf-8")


def scored(cell: str, more: str, metric: str, rows: list[dict], ran: tuple) -> None:
    """A cell of one climb's accuracy on test rows, with the share of the commonest label beside it."""
    seconds, peak, record, _ = ran
    test = next(score for score in record["test"] if score["name"] == "accuracy")
    cells.write(
        cell,
        command=f"python benchmarks/few_shot.py --data DATA --models MODELS{more}",
        seed=0,
        value=round(test["value"], 4),
        n=test["n"],
        metric=metric,
        interval=[round(test["low"], 4), round(test["high"], 4)],
        majority=round(Counter(row["label"] for row in rows).most_common(1)[0][1] / len(rows), 4),
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
    )


def drawn(name: str, size: int, draw: int, options) -> tuple[list[dict], list[dict], list[dict]]:
    """So many training rows of each label, the other training rows, and the test rows."""
    train_rows, _, test = train.rows_of(name, options.data)
    random.Random(draw).shuffle(train_rows)
    counts: Counter = Counter()
    few, rest = [], []
    for row in train_rows:
        counts[row["label"]] += 1
        (few if counts[row["label"]] <= size else rest).append(row)
    return few, rest, test


def few_shot(name: str, size: int, draw: int, options) -> None:
    """Some rows a label, for Deepen and for SetFit."""
    cell = f"few-shot-{name}-{size}-draw{draw}"
    if not cells.wanted(cell, options):
        return
    few, _, test = drawn(name, size, draw, options)
    folder = options.work / "few_shot" / cell
    write(folder, train=few, test=test)
    if options.setfit_only:
        setfit(folder, train.model_of(name, options), draw, options)
        return
    given = ("--refit", "--seed", str(draw), *UNNAMED)  # SetFit is not told what labels are called
    seconds, peak, record, run = train.climbed(cell, folder, options, *given, validation=False)
    ours = right_of(run, record)
    theirs, peer = setfit(folder, train.model_of(name, options), draw, options)
    cells.write(
        cell,
        command="python benchmarks/few_shot.py --data DATA --models MODELS --peers PEERS",
        seed=draw,
        value=round(float(ours.mean()), 4),
        n=len(ours),
        metric="test accuracy",
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
        chosen=record["chosen"],
        rungs={
            row["rung"]: [row["score"] and round(row["score"]["value"], 4), row["seconds"]] for row in record["rungs"]
        },
        setfit={"value": round(float(theirs.mean()), 4)} | peer,
        above_setfit=above(ours, theirs),
    )


def setfit(folder: Path, model: str, draw: int, options) -> tuple[np.ndarray, dict]:
    """Which test rows SetFit has right, and its seconds and memory where they are of this run of the script."""
    kept = folder / "setfit.json"
    if not options.setfit_only and kept.is_file():
        return np.array(json.loads(kept.read_text(encoding="utf-8"))), {"seconds": None, "peak_memory_bytes": None}
    peer = [options.peers, str(Path(__file__).with_name("peers") / "setfit_few.py"), "--rows", str(folder)]
    peer += ["--model", model, "--seed", str(draw)]
    seconds, peak, out = cells.run(peer, environment={"HF_HUB_OFFLINE": "1"})
    right = json.loads(out.strip().splitlines()[-1])["right"]
    if options.setfit_only:
        kept.write_text(json.dumps(right), encoding="utf-8")
    return np.array(right), {"seconds": seconds, "peak_memory_bytes": peak}


def right_of(run: Path, record: dict) -> np.ndarray:
    """Which test rows the chosen model has right."""
    said = (run / "rungs" / record["chosen"] / "predictions-test.jsonl").read_text(encoding="utf-8")
    return np.array([int((row := json.loads(line))["output"] == row["target"]) for line in said.splitlines()])


def above(ours: np.ndarray, theirs: np.ndarray) -> dict:
    """What one model has right more than another of the same rows, with its interval."""
    pairs = [np.stack([right, np.ones(len(right))], axis=1) for right in (ours, theirs)]
    gain = paired_bootstrap(*pairs, lambda sums: sums[:, 0] / sums[:, 1], seed=0).interval
    return {"gain": round(gain.value, 4), "interval": [round(gain.low, 4), round(gain.high, 4)]}


def over_draws(cell: str, key: str, draws: int) -> None:
    """A cell of the mean of a gain over all draws, with Student's interval: draws differ by more than test rows do."""
    files = [cells.CELLS / f"{cell}-draw{draw}.json" for draw in range(draws)]
    if not all(file.is_file() for file in files):
        return
    gains = np.array([json.loads(file.read_text(encoding="utf-8"))[key]["gain"] for file in files])
    half = stats.t.ppf(0.975, draws - 1) * gains.std(ddof=1) / draws**0.5
    cells.write(
        f"{cell}-{key.replace('_', '-')}",
        command="python benchmarks/few_shot.py --data DATA --models MODELS --peers PEERS",
        seed=0,
        value=round(float(gains.mean()), 4),
        n=draws,
        metric="mean gain over the draws",
        interval=[round(float(gains.mean() - half), 4), round(float(gains.mean() + half), 4)],
    )


def self_training(name: str, size: int, more: int, draw: int, options) -> None:
    """Some rows a label, with and without many that have none."""
    cell = f"self-training-{name}-draw{draw}"
    if not cells.wanted(cell, options):
        return
    few, rest, test = drawn(name, size, draw, options)
    folder = options.work / "few_shot" / cell
    write(folder, train=few, test=test, unlabelled=[{"text": row["text"]} for row in rest[:more]])
    found = {}
    for way, given in (("without", ()), ("with", ("--unlabelled", str(folder / "unlabelled.jsonl")))):
        words = ("--seed", str(draw), *given)
        seconds, peak, record, run = train.climbed(f"{cell}-{way}", folder, options, *words, validation=False)
        cheap = right_by(run, "lexical", test)
        found[way] = (seconds, peak, record, right_of(run, record), run, cheap)
    seconds, peak, record, right, run, cheap = found["with"]
    ladder = json.loads((run / "ladder.json").read_text(encoding="utf-8"))
    plain = found["without"]
    cells.write(
        cell,
        command="python benchmarks/few_shot.py --data DATA --models MODELS --only self-training",
        seed=draw,
        value=round(float(right.mean()), 4),
        n=len(right),
        metric="test accuracy with unlabelled rows",
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
        chosen=record["chosen"],
        labelled=ladder["self_training"]["teacher"],
        rungs={row["rung"]: [row.get("self_trained"), row["seconds"]] for row in ladder["rungs"]},
        without={
            "value": round(float(plain[3].mean()), 4),
            "chosen": plain[2]["chosen"],
            "seconds": round(plain[0], 1),
        },
        above_without=above(right, plain[3]),
        lexical={"value": round(float(cheap.mean()), 4), "without": round(float(plain[5].mean()), 4)},
        lexical_above_without=above(cheap, plain[5]),
    )


def label_rows(name: str, size: int, draw: int, options) -> None:
    """Some rows a label, with and without rows of what labels are called."""
    cell = f"label-rows-{name}-{size}-draw{draw}"
    if not cells.wanted(cell, options):
        return
    few, _, test = drawn(name, size, draw, options)
    for row in (*few, *test) if name == "sst2" else ():
        row["label"] = SST2[str(row["label"])]
    folder = options.work / "few_shot" / cell
    write(folder, train=few, test=test)
    words = ("--refit", "--seed", str(draw))
    found = []
    for way, given in (("with", ()), ("without", UNNAMED)):
        seconds, peak, record, run = train.climbed(f"{cell}-{way}", folder, options, *words, *given, validation=False)
        found.append((seconds, peak, record["chosen"], right_of(run, record)))
    (seconds, peak, chosen, right), (other_seconds, _, other_chosen, other_right) = found
    cells.write(
        cell,
        command="python benchmarks/few_shot.py --data DATA --models MODELS --only label-rows",
        seed=draw,
        value=round(float(right.mean()), 4),
        n=len(right),
        metric="test accuracy",
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
        chosen=chosen,
        without={
            "value": round(float(other_right.mean()), 4),
            "chosen": other_chosen,
            "seconds": round(other_seconds, 1),
        },
        above_without=above(right, other_right),
    )


def right_by(run: Path, rung: str, rows: list[dict]) -> np.ndarray:
    """Which rows a rung of a run has right, chosen or not."""
    said = deepen.load(run, rung=rung).predict([row["text"] for row in rows])
    return np.array([int(one.output == str(row["label"])) for one, row in zip(said, rows, strict=True)])


def asked(rung: str, options) -> None:
    """A decoder is asked about 400 test rows of sst2."""
    cell = f"{rung.replace('_', '-')}-sst2-smollm2"
    if not cells.wanted(cell, options):
        return
    chance, parts = random.Random(0), {}
    sizes = {"train": 1000, "validation": 100, "test": 400}
    for (part, size), rows in zip(sizes.items(), train.rows_of("sst2", options.data), strict=True):
        parts[part] = [row | {"label": SST2[str(row["label"])]} for row in chance.sample(rows, size)]
    folder = options.work / "few_shot" / cell
    write(folder, **parts)
    given = ("--rungs", rung, "--model", options.generator, "--set", "data.check=false")
    ran = train.climbed(cell, folder, options, *given)
    scored(cell, " --generator SMOLLM2 --only smollm2", "test accuracy", parts["test"], ran)


def main() -> None:
    """Measures what is not measured yet."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--models", type=Path, required=True, help="the folder that holds e5-small-zh-en")
    parser.add_argument("--peers", help="the Python of the peers' environment; without it, no few-shot cells")
    parser.add_argument("--setfit-only", action="store_true", help="run SetFit alone and keep its answers")
    parser.add_argument("--generator", help="SmolLM2-135M-Instruct: a folder or a hub id; without it, no smollm2 cells")
    options = parser.parse_args()
    for draw in range(5):
        self_training("sst2", 50, 5000, draw, options)
    for key in ("above_without", "lexical_above_without"):
        over_draws("self-training-sst2", key, 5)
    for name, size, draws in (("banking77", 5, 5), ("sst2", 8, 5)):
        for draw in range(draws):
            label_rows(name, size, draw, options)
        over_draws(f"label-rows-{name}-{size}", "above_without", draws)
    for rung in ("zero_shot", "few_shot") if options.generator else ():
        asked(rung, options)
    names = (options.data / "ag_news_test" / "classes.txt").read_text(encoding="utf-8").split("\n")
    with (options.data / "ag_news_test" / "test.csv").open(encoding="utf-8", newline="") as source:
        news = [{"text": f"{row[1]} {row[2]}", "label": names[int(row[0]) - 1].strip()} for row in csv.reader(source)]
    zero_shot("ag_news_test", news, [], options)
    topics = (options.data / "thucnews" / "class.txt").read_text(encoding="utf-8").split()
    lines = (options.data / "thucnews" / "test.txt").read_text(encoding="utf-8").splitlines()
    titles = [line.rsplit("\t", 1) for line in lines if line.strip()]
    rows = [{"text": text, "label": topics[int(code)]} for text, code in titles]
    zero_shot("thucnews", rows, ["--model", str(options.models / "e5-small-zh-en")], options)
    for name, size, draws in (("banking77", 10, 3), ("banking77", 5, 5), ("sst2", 8, 20)) if options.peers else ():
        for draw in range(draws):
            few_shot(name, size, draw, options)
        over_draws(f"few-shot-{name}-{size}", "above_setfit", draws)


if __name__ == "__main__":
    main()
