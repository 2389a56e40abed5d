"""Training speed against the peers that a user would pick instead, on the same rows, machine and model.

    python benchmarks/train.py --data DATA --peers PEERS/bin/python --models MODELS

Cells, one file each: Deepen (the whole `deepen train`, cold caches) and Hugging Face Trainer (whole process, at the
learning rate that is best on validation; its search is not counted), interleaved; SetFit's frozen head and the script
of the textbooks once a set. `--summary` prints ratios.
"""

from __future__ import annotations

import csv
import json
import math
import random
import shutil
import sys
from pathlib import Path

import cells

DEEPEN = str(Path(sys.executable).with_name("deepen"))
HERE = Path(__file__).resolve().parent
RATES = ("5e-5", "1e-4", "2e-4")
SEEDS = {"sst2": (0, 1, 2), "banking77": (0, 1, 2), "conll2003": (0,), "chnsenticorp_htl": (0,)}


def rows_of(name: str, data: Path) -> tuple[list[dict], list[dict], list[dict]]:
    """Train, validation and test rows of a set."""
    if name == "sst2":
        parts = []
        for part in ("train", "dev", "test"):
            lines = (data / "sst2" / f"{part}.tsv").read_text(encoding="utf-8").splitlines()
            parts.append([dict(zip(("text", "label"), line.rsplit("\t", 1), strict=True)) for line in lines])
        return parts[0], parts[1], parts[2]
    if name == "banking77":
        found = []
        for part in ("train", "test"):
            with (data / "banking77" / f"{part}.csv").open(encoding="utf-8", newline="") as source:
                found.append([{"text": row["text"], "label": row["category"]} for row in csv.DictReader(source)])
        train = found[0]
        random.Random(0).shuffle(train)
        return train[1000:], train[:1000], found[1]
    if name == "trec":
        lines = [
            (data / "trec" / f"TREC.{part}").read_text(encoding="latin-1").splitlines() for part in ("train", "test")
        ]
        parted = [[line.split(" ", 1) for line in part] for part in lines]
        found = [[{"text": text, "label": kind.split(":")[0]} for kind, text in part] for part in parted]
        random.Random(0).shuffle(found[0])
        return found[0][1000:], found[0][:1000], found[1]
    if name == "conll2003":
        train, validation, test = (conll(data / "conll2003" / f"eng.{part}") for part in ("train", "testa", "testb"))
        return train, validation, test
    with (data / name / "ChnSentiCorp_htl_all.csv").open(encoding="utf-8", newline="") as source:
        rows = [
            {"text": row["review"], "label": row["label"]} for row in csv.DictReader(source) if row["review"].strip()
        ]
    random.Random(0).shuffle(rows)
    rows = rows[:4000]
    return rows[:2800], rows[2800:3200], rows[3200:]


def conll(path: Path) -> list[dict]:
    """Sentences with IOB2 tags."""
    rows, tokens, tags = [], [], []
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        cells_of = line.split()
        if cells_of and cells_of[0] != "-DOCSTART-":
            tag = cells_of[-1]
            begins = tag.startswith("I-") and (not tags or tags[-1] == "O" or tags[-1][2:] != tag[2:])
            tokens.append(cells_of[0])
            tags.append("B-" + tag[2:] if begins else tag)
        elif tokens:
            rows.append({"tokens": tokens, "tags": tags})
            tokens, tags = [], []
    return rows


def write_rows(name: str, options) -> Path:
    """The rows of a set as JSONL for every contestant."""
    folder = options.work / "train" / name
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in zip(("train", "validation", "test"), rows_of(name, options.data), strict=True):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{part}.jsonl").write_text(text, encoding="utf-8")
    return folder


def model_of(name: str, options) -> str:
    """English sets use the default encoder, the Chinese one a small multilingual encoder."""
    if name == "chnsenticorp_htl":
        return str(options.models / "e5-small-zh-en")
    from deepen.models.find import DEFAULT_MODEL, packaged

    return str(packaged(DEFAULT_MODEL))


def climbed(cell: str, folder: Path, options, *more: str, validation: bool = True) -> tuple[float, int, dict, Path]:
    """One whole `deepen train` of a folder's rows from cold caches: seconds, peak memory, its record and its run."""
    cache, run = options.work / "cache" / cell, options.work / "runs" / cell
    shutil.rmtree(cache, ignore_errors=True)
    command = [DEEPEN, "train", str(folder / "train.jsonl"), "--test", str(folder / "test.jsonl")]
    command += ["--validation", str(folder / "validation.jsonl")] if validation else []
    command += ["--out", str(run), "--overwrite", "--json", *more]
    seconds, peak, printed = cells.run(command, environment={"DEEPEN_CACHE": str(cache)})
    return seconds, peak, json.loads(printed), run


def deepen_cell(name: str, seed: int, folder: Path, options, *more: str, called: str = "", **noted) -> None:
    """One `deepen train` from cold caches, `called` so; `more` are words of the command, `noted` is kept too."""
    cell = called or f"train-{name}-deepen-seed{seed}"
    if not cells.wanted(cell, options):
        return
    given = ("--model", model_of(name, options), "--seed", str(seed))
    seconds, peak, record, _ = climbed(cell, folder, options, *given, *more)
    main = record["rungs"][0]["score"]["name"]
    test = next(score for score in record["test"] if score["name"] == main and score["label"] is None)
    cells.write(
        cell,
        command=f"python benchmarks/{Path(sys.argv[0]).name} --data DATA",
        seed=seed,
        value=round(test["value"], 4),
        n=test["n"],
        metric=f"test {main}",
        interval=[round(test["low"], 4), round(test["high"], 4)],
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
        chosen=record["chosen"],
        rungs={
            row["rung"]: [row["status"], row["score"] and round(row["score"]["value"], 4), row["seconds"]]
            for row in record["rungs"]
        },
        **noted,
    )


def trainer(name: str, folder: Path, rate: str, seed: int, options, *more: str) -> tuple[float, int, dict]:
    """One process of the peer."""
    command = [options.peers, str(HERE / "peers" / "hf_trainer.py"), "--rows", str(folder)]
    command += ["--model", model_of(name, options), "--rate", rate, "--seed", str(seed), *more]
    command += ["--micro", "8"] if name == "chnsenticorp_htl" else []  # 32 texts of 512 tokens took 24 GB and died
    seconds, peak, printed = cells.run(command, environment={"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"})
    return seconds, peak, json.loads(printed.strip().splitlines()[-1])


def peer(script: str, name: str, folder: Path, options) -> tuple[float, int, dict]:
    """One process of a peer that has no settings."""
    command = [options.peers, str(HERE / "peers" / f"{script}.py"), "--rows", str(folder)]
    command += ["--model", model_of(name, options)]
    seconds, peak, printed = cells.run(command, environment={"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"})
    return seconds, peak, json.loads(printed.strip().splitlines()[-1])


def other_cells(name: str, folder: Path, options) -> None:
    """SetFit's frozen head, where there is a text to embed, and the script of the textbooks."""
    shown = "python benchmarks/train.py --data DATA"
    cell = f"train-{name}-setfit-head"
    if name != "conll2003" and cells.wanted(cell, options):
        seconds, peak, out = peer("setfit_head", name, folder, options)
        value, seconds = round(out["test"], 4), round(seconds, 1)
        cells.write(cell, command=shown, seed=0, value=value, seconds=seconds, peak_memory_bytes=peak)
    cell = f"train-{name}-textbook"
    if cells.wanted(cell, options):
        _, peak, out = peer("textbook", name, folder, options)
        value = round(out["extrapolated_seconds"], 1)
        cells.write(
            cell, command=shown, seed=0, value=value, unit="seconds, extrapolated", peak_memory_bytes=peak, **out
        )


def trainer_cell(name: str, seed: int, folder: Path, options) -> None:
    """Hugging Face Trainer at the rate that is best on validation."""
    scores = {}
    for rate in RATES:
        cell = f"train-{name}-trainer-rate{rate}"
        if cells.wanted(cell, options):
            seconds, peak, out = trainer(name, folder, rate, 0, options)
            cells.write(
                cell,
                command="python benchmarks/train.py --data DATA",
                seed=0,
                value=round(out["test"], 4),
                validation=round(out["validation"], 4),
                seconds=round(seconds, 1),
                peak_memory_bytes=peak,
                rate=rate,
            )
        path = cells.CELLS / f"{cell}.json"
        if path.is_file():
            scores[rate] = json.loads(path.read_text())["validation"]
    cell = f"train-{name}-trainer-seed{seed}"
    if not scores or not cells.wanted(cell, options):
        return
    rate = max(scores, key=scores.__getitem__)
    if seed == 0:  # that run is one of the search
        found = json.loads((cells.CELLS / f"train-{name}-trainer-rate{rate}.json").read_text())
        (cells.CELLS / f"{cell}.json").write_text(json.dumps(found | {"name": cell}, indent=1) + "\n")
        return
    seconds, peak, out = trainer(name, folder, rate, seed, options)
    cells.write(
        cell,
        command="python benchmarks/train.py --data DATA",
        seed=seed,
        value=round(out["test"], 4),
        validation=round(out["validation"], 4),
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
        rate=rate,
    )


def against_the_textbook() -> None:
    """How many times longer the script of the textbooks takes, extrapolated, from the cells that are there."""
    ratios = {}
    for name, seeds in SEEDS.items():
        paths = [cells.CELLS / f"train-{name}-deepen-seed{seed}.json" for seed in seeds]
        textbook = cells.CELLS / f"train-{name}-textbook.json"
        if textbook.is_file() and all(path.is_file() for path in paths):
            ours = sum(json.loads(path.read_text())["seconds"] for path in paths) / len(paths)
            ratios[name] = json.loads(textbook.read_text())["value"] / ours
    if ratios:
        whole = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
        print("textbook:", {name: round(ratio, 1) for name, ratio in ratios.items()}, "geometric mean", round(whole, 1))


def summary(options) -> None:
    """Ratios, from the cells that are there."""
    against_the_textbook()
    ratios = []
    for name, seeds in SEEDS.items():
        for seed in seeds:
            paths = [cells.CELLS / f"train-{name}-{who}-seed{seed}.json" for who in ("deepen", "trainer")]
            if all(path.is_file() for path in paths):
                ours, theirs = (json.loads(path.read_text()) for path in paths)
                ratio = theirs["seconds"] / ours["seconds"]
                ratios.append((name, ratio))
                print(
                    f"{name} seed {seed}: deepen {ours['value']:.4f} in {ours['seconds']} s ({ours['chosen']}), "
                    f"trainer {theirs['value']:.4f} in {theirs['seconds']} s, {ratio:.2f} times fewer seconds"
                )
    by_set = {name: [r for n, r in ratios if n == name] for name, _ in ratios}
    means = {name: math.exp(sum(map(math.log, found)) / len(found)) for name, found in by_set.items()}
    if means:
        whole = math.exp(sum(map(math.log, means.values())) / len(means))
        print({name: round(mean, 2) for name, mean in means.items()}, "geometric mean", round(whole, 2))


def main() -> None:
    """Measures what is not measured yet."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--peers", help="the Python of the peers' environment")
    parser.add_argument("--models", type=Path, help="the folder that holds e5-small-zh-en")
    parser.add_argument("--sets", default=",".join(SEEDS))
    parser.add_argument("--seeds", type=int, default=3, help="at most so many")
    parser.add_argument("--summary", action="store_true")
    options = parser.parse_args()
    if not options.summary:
        for name in options.sets.split(","):
            folder = write_rows(name, options)
            for seed in SEEDS[name][: options.seeds]:
                deepen_cell(name, seed, folder, options)
                if options.peers:
                    trainer_cell(name, seed, folder, options)
            if options.peers:
                other_cells(name, folder, options)
    summary(options)


if __name__ == "__main__":
    main()
