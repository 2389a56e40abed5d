"""The other tasks of an encoder: one `deepen train` each, and for pairs what is left when a side is hidden.

    python benchmarks/tasks.py --data DATA --models MODELS [--only tasks-mrpc]

Pairs, relations, questions about a text and rows with several labels; sets without a split are split 80/20 by a seeded
shuffle (xquad by article). Cells say how far the chosen rung is above `lexical` on the
test rows, with an interval. Long ones with the encoder of twelve layers have a budget, as their commands tell.
`afqmc-top` ends below `full`, `afqmc-longer` has the rate and the visits of `top_layers` that were best on 4,000 rows
of no split, `afqmc-together` more of both for `full` (LOG.md).
"""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from pathlib import Path

import cells

import ladder

SEED = 0


def lines_of(path: Path) -> list[str]:
    """The lines of a file that hold something."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def write_lines(path: Path, lines: list[str]) -> str:
    """A file of lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return str(path)


def halves(rows: list, name: str, folder: Path) -> tuple[str, str]:
    """Rows as JSONL, shuffled and split 80/20."""
    random.Random(SEED).shuffle(rows)
    cut = len(rows) * 8 // 10
    texts = [json.dumps(row, ensure_ascii=False) for row in rows]
    parts = (("train", texts[:cut]), ("test", texts[cut:]))
    train, test = (write_lines(folder / f"{name}-{part}.jsonl", some) for part, some in parts)
    return train, test


def semeval_test(path: Path) -> list[str]:
    """The official test sentences: the file's first three blocks are training sentences too."""
    blocks = path.read_text(encoding="utf-8").replace("\r\n", "\n").split("\n\n")
    kept = [block for block in blocks if block.strip() and int(block.split("\t", 1)[0]) > 8000]
    return "\n\n".join(kept).split("\n")


def keyword_rows(path: Path, most: int = 20) -> list[dict]:
    """Abstracts with those of their keywords that are among the most frequent; others are left out."""
    rows = [line.split("\t") for line in lines_of(path)]
    counts = Counter(word for row in rows for word in set(row[2].split("_")))
    frequent = {word for word, _ in counts.most_common(most)}
    found = [{"text": row[1], "labels": sorted(frequent & set(row[2].split("_")))} for row in rows]
    return [row for row in found if row["labels"]]


def intents(data: Path, folder: Path, examples: int = 5) -> tuple[str, str]:
    """banking77 as ranking: five training examples of an intent are its document, and ask nothing themselves."""
    parts = {}
    for part in ("train", "test"):
        with (data / "banking77" / f"{part}.csv").open(encoding="utf-8", newline="") as source:
            parts[part] = [(row["text"].strip(), row["category"]) for row in csv.DictReader(source)]
    random.Random(SEED).shuffle(parts["train"])
    documents: dict[str, list[str]] = {}
    asked = []
    for text, intent in parts["train"]:
        shown = documents.setdefault(intent, [])
        if len(shown) < examples:
            shown.append(text)
        else:
            asked.append((text, intent))
    paths = []
    for part, rows in (("train", asked), ("test", parts["test"])):
        lines = [json.dumps({"query": text, "answer": " ".join(documents[intent])}) for text, intent in rows]
        paths.append(write_lines(folder / f"banking77-ranking-{part}.jsonl", lines))
    return paths[0], paths[1]


def replies(data: Path, folder: Path) -> tuple[str, str]:
    """kdconv: an utterance and the one that answers it; the dev dialogues train, the first 100 of film/test test."""
    paths = []
    for part, names, most in (("train", ("film/dev", "music/dev", "travel/dev"), 150), ("test", ("film/test",), 100)):
        lines = []
        for name in names:
            for dialogue in json.loads((data / "kdconv" / f"{name}.json").read_text(encoding="utf-8"))[:most]:
                said = [turn["message"] for turn in dialogue["messages"]]
                pairs = zip(said[0::2], said[1::2], strict=False)
                lines += [json.dumps({"query": a, "answer": b}, ensure_ascii=False) for a, b in pairs]
        paths.append(write_lines(folder / f"kdconv-{part}.jsonl", lines))
    return paths[0], paths[1]


def articles(path: Path, name: str, folder: Path) -> tuple[str, str]:
    """A SQuAD file, split 80/20 by article."""
    data = json.loads(path.read_text(encoding="utf-8"))["data"]
    random.Random(SEED).shuffle(data)
    cut = len(data) * 8 // 10
    paths = []
    for part, some in (("train", data[:cut]), ("test", data[cut:])):
        paths.append(folder / f"{name}-{part}.json")
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        paths[-1].write_text(json.dumps({"data": some}, ensure_ascii=False), encoding="utf-8")
    return str(paths[0]), str(paths[1])


def files(train: str, *others: str) -> list[str]:
    """The files of a set as words of the command: training, validation where there is one, and test rows."""
    *validation, test = others
    return [train, *(["--validation", validation[0]] if validation else []), "--test", test]


def sets(data: Path, work: Path, models: Path) -> dict[str, list[str]]:
    """The arguments of `deepen train` for each set."""
    splits, e5 = work / "splits", ["--model", str(models / "e5-small-zh-en")]
    short = [*e5, "--budget", "10m"]
    mrpc = [f"{data}/mrpc/msr-para-{part}.tsv" for part in ("train", "val", "test")]
    sick = [f"{data}/sick/SICK_{part}.txt" for part in ("train", "trial", "test_annotated")]
    semeval = data / "semeval2010_task8"
    finre_train = write_lines(splits / "finre-train.txt", lines_of(data / "finre" / "train.txt")[:8000])
    afqmc_train = write_lines(splits / "afqmc-train.txt", lines_of(data / "afqmc" / "train.txt")[:10_000])
    ocnli = [
        dict(zip(("premise", "hypothesis", "label"), line.split("\t"), strict=True))
        for line in lines_of(data / "ocnli" / "dev.txt")
    ]
    ocnli_parts = halves(ocnli, "ocnli", splits)
    csl = halves(keyword_rows(data / "csl_dev" / "kg" / "dev.tsv"), "csl", splits)
    english, chinese = (
        articles(data / "xquad" / f"xquad.{language}.json", f"xquad-{language}", splits) for language in ("en", "zh")
    )
    semeval_rows = write_lines(splits / "semeval-test.txt", semeval_test(semeval / "TEST_FILE_FULL.TXT"))
    finre = [finre_train, f"{data}/finre/valid.txt", f"{data}/finre/test.txt"]
    pairs, sides = ("--task", "matching", "--columns"), "sentence1=sentence_A,sentence2=sentence_B,label="
    afqmc = [*files(afqmc_train, f"{data}/afqmc/dev.txt"), *pairs, "sentence1=0,sentence2=1,label=2"]
    return {
        "mrpc": [*files(*mrpc), *pairs, "sentence1=#1 String,sentence2=#2 String,label=Quality"],
        "sick-score": [*files(*sick), *pairs, f"{sides}relatedness_score"],
        "sick-entailment": [*files(*sick), *pairs, f"{sides}entailment_judgment"],
        "semeval": files(str(semeval / "TRAIN_FILE.TXT"), semeval_rows),
        "finre": [*files(*finre), "--task", "relation", "--columns", "head=0,tail=1,label=2,text=3", *e5],
        "afqmc": [*afqmc, *e5],
        "afqmc-top": [*afqmc, *e5, "--rungs", "lexical,frozen,top_layers"],
        "afqmc-longer": [
            *(*afqmc, *e5, "--rungs", "lexical,frozen,top_layers"),
            *("--set", "rungs.top_layers.num_epochs=3", "--set", "rungs.top_layers.learning_rate=1e-4"),
        ],
        "afqmc-together": [
            *(*afqmc, *e5, "--rungs", "lexical,frozen,full"),
            *("--set", "rungs.full.num_epochs=4", "--set", "rungs.full.learning_rate=8e-5"),
        ],
        "ocnli": [*files(*ocnli_parts), *pairs, "sentence1=premise,sentence2=hypothesis,label=label", *short],
        "csl-keywords": [*files(*csl), "--task", "multilabel", *e5],
        "banking77-ranking": [*files(*intents(data, splits)), "--task", "ranking"],
        "kdconv-ranking": [*files(*replies(data, splits)), "--task", "ranking", *e5],
        "xquad-en": files(*english),
        "xquad-zh": [*files(*chinese), *e5],
    }


def sides_alone(cell: str, run: Path, options) -> None:
    """What the model and a shallow one say when a side is hidden."""
    command = [ladder.DEEPEN, "diagnose", str(run), "--questions", "partial_input", "--json"]
    seconds, peak, printed = cells.run(command, environment={"DEEPEN_CACHE": str(options.work / "cache" / cell)})
    findings = json.loads(printed)["findings"]
    kept = [{key: one[key] for key in ("verdict", "observed", "control", "effect", "caveat")} for one in findings]
    cells.write(
        f"{cell}-sides",
        command="deepen diagnose RUN --questions partial_input",
        seed=SEED,
        value=[one["observed"] and round(one["observed"]["value"], 4) for one in findings],
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
        findings=kept,
    )


def main() -> None:
    """Measures what is not measured yet."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--models", type=Path, required=True, help="the folder that holds e5-small-zh-en")
    options = parser.parse_args()
    options.seed = SEED
    for name, arguments in sets(options.data, options.work, options.models).items():
        cell = f"tasks-{name}"
        if cells.wanted(cell, options):
            run = ladder.climb(cell, arguments, options)
            if name in ("sick-entailment", "ocnli"):
                sides_alone(cell, run, options)


if __name__ == "__main__":
    main()
