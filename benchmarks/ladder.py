"""The ladder on open sets: one `deepen train` each, no option but the files, their columns and the model.

    python benchmarks/ladder.py --data DATA
    python benchmarks/ladder.py --data DATA --models MODELS   # tagging and Chinese sets too: e5-small-zh-en is there
    python benchmarks/ladder.py --data DATA --thorough      # every rung, as evidence for the stopping rule

Sets without a split are split 80/20 by a seeded shuffle into two files. Every cell says how far the chosen rung is
above `lexical` on the test rows, with a paired-bootstrap interval.
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

MOST_LABELS = 20
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


def sets(data: Path, work: Path, models: Path | None) -> dict[str, list[str]]:
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
    train, validation, test = (f"{data}/conll2003/eng.{part}" for part in ("train", "testa", "testb"))
    conll = [train, "--validation", validation, "--test", test]
    english = {
        "sst2": [f"{data}/sst2/train.tsv", "--test", f"{data}/sst2/test.tsv", "--columns", "text=0,label=1"],
        "banking77": [f"{data}/banking77/train.csv", "--test", f"{data}/banking77/test.csv"],
        "mr": [mr[0], "--test", mr[1]],
        "trec": [f"{data}/trec/TREC.train", "--test", f"{data}/trec/TREC.test"],
        "subj": [subj[0], "--test", subj[1]],
        "ag_news_test": [news[0], "--test", news[1], "--columns", "label=0,text=1+2"],
        "conll2003": conll,
    }
    if models is None:
        return english
    e5 = ["--model", str(models / "e5-small-zh-en")]
    with (data / "chnsenticorp_htl" / "ChnSentiCorp_htl_all.csv").open(encoding="utf-8", newline="") as source:
        header, *hotel = [tuple(row) for row in csv.reader(source)]
    hotels = _split([row for row in hotel if row[1].strip()], splits, "chnsenticorp_htl", header)
    msra = _split_blocks(data / "msra_ner_dh" / "dh_msra.txt", splits, "msra", first=20_000)
    weibo = [f"{data}/weibo_ner/weiboNER_2nd_conll.{part}" for part in ("train", "dev", "test")]
    return english | {
        "weibo_ner": [weibo[0], "--validation", weibo[1], "--test", weibo[2], *e5],
        "chnsenticorp_htl": [hotels[0], "--test", hotels[1], *e5],
        "thucnews": [f"{data}/thucnews/dev.txt", "--test", f"{data}/thucnews/test.txt", *e5],
        "msra_ner_dh": [msra[0], "--test", msra[1], *e5],
        "conll2003-e5": [*conll, *e5],
    }


def _split_blocks(path: Path, folder: Path, name: str, *, first: int) -> tuple[str, str]:
    """The first sentences of a column file, shuffled and split 80/20."""
    blocks = [block for block in path.read_text(encoding="utf-8").split("\n\n") if block.strip()][:first]
    random.Random(0).shuffle(blocks)
    cut = len(blocks) * 8 // 10
    paths = (folder / f"{name}-train.txt", folder / f"{name}-test.txt")
    for target, part in zip(paths, (blocks[:cut], blocks[cut:]), strict=True):
        target.write_text("\n\n".join(part) + "\n", encoding="utf-8")
    return str(paths[0]), str(paths[1])


def above_lexical(run: Path, test: str) -> dict[str, object]:
    """The chosen rung against `lexical` on the test rows: a process of its own, so that it costs the climb nothing."""
    program = """
import json, sys
from deepen.evaluation.statistics import paired_bootstrap
from deepen.inference.model import load_model
run, test = sys.argv[1:]
found = []
for rung in (None, "lexical"):
    model = load_model(run, rung=rung)
    part, outputs, _ = model.run(test, columns=None, need_target=True)
    found.append(model.task.statistics(outputs, model.task.targets(part, model.labels)))
gain = paired_bootstrap(*found, model.task.value_of, seed=0)
low, high = gain.interval.low, gain.interval.high
value = float(model.task.value_of(found[1].sum(0, keepdims=True))[0])
print(json.dumps({"lexical": round(value, 4), "gain": round(gain.interval.value, 4),
                  "interval": [round(low, 4), round(high, 4)], "p": round(gain.p_value, 4)}))
"""
    _, _, printed = cells.run([sys.executable, "-c", program, str(run), test])
    found: dict[str, object] = json.loads(printed.strip().splitlines()[-1])
    return found


def main() -> None:
    """Measures what is not measured yet."""
    options_parser = cells.parser(__doc__ or "")
    options_parser.add_argument("--thorough", action="store_true", help="every rung")
    options_parser.add_argument("--models", type=Path, help="the folder that holds e5-small-zh-en")
    options_parser.add_argument("--seed", type=int, default=0)
    options = options_parser.parse_args()
    for name, arguments in sets(options.data, options.work, options.models).items():
        cell = f"ladder-{name}{'-thorough' if options.thorough else ''}-seed{options.seed}"
        if cells.wanted(cell, options):
            climb(cell, [*arguments, *(["--thorough"] if options.thorough else [])], options)


def climb(cell: str, arguments: list[str], options, **more: object) -> Path:
    """One `deepen train` from cold caches, and its cell; `more` belongs to it too."""
    out = options.work / "runs" / cell
    command = [DEEPEN, "train", *arguments, "--out", str(out), "--overwrite", "--json", "--seed", str(options.seed)]
    cache = options.work / "cache" / cell
    shutil.rmtree(cache, ignore_errors=True)
    seconds, peak, printed = cells.run(command, environment={"DEEPEN_CACHE": str(cache)})
    record = json.loads(printed)
    whole = {score["name"]: score for score in record["test"] if score["label"] is None}
    f1 = {score["label"]: round(score["value"], 4) for score in record["test"] if score["name"] == "f1"}
    main_name = next(row["score"]["name"] for row in record["rungs"] if row["score"])
    decides = whole[main_name]
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
    shown = (
        shlex.join(command[1:])
        .replace(str(options.data), "DATA")
        .replace(str(options.work), "WORK")
        .replace(str(options.models), "MODELS")
    )
    cells.write(
        cell,
        command=f"deepen {shown}",
        seed=options.seed,
        value=round(decides["value"], 4),
        n=decides["n"],
        metric=f"test {main_name}",
        interval=[round(decides["low"], 4), round(decides["high"], 4)],
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
        chosen=record["chosen"],
        cheapest_not_worse=record["cheapest_not_worse"],
        rungs=rungs,
        scores={name: round(score["value"], 4) for name, score in whole.items()},
        f1=f1 if len(f1) <= MOST_LABELS else None,
        above_lexical=above_lexical(out, arguments[arguments.index("--test") + 1]),
        **more,
    )
    return out


if __name__ == "__main__":
    main()
