"""Two versions of the source, the same rows, model, seed and threads: are the answers the same, bit for bit?

Eight sets are cut to every k-th row, so that each climb takes minutes on one thread; the row says how many were left.
Each version trains in processes of its own. Compared are all predictions and all losses that both wrote, without
seconds and without fields that only the newer version has; and what the newer version answers with the older one's run.

    python benchmarks/same_answers.py --data DATA --models MODELS --before OLD/src --after src
    python benchmarks/same_answers.py --data DATA --models MODELS --before OLD/src      # train the older one only
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cells

NAME = "same-answers"
SEED = 0
RUNGS = "majority,lexical,frozen,top_layers"
PROGRAM = "from deepen.cli.main import main; main()"
CLOCKS = {"seconds", "row", "time"}
OF_TARGETS = {"id", "target"}  # `predict` reads no targets any more, and an id is a hash of what is read


def lines_of(path: Path, to: Path, every: int) -> int:
    """Every k-th line that isn't blank."""
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()][::every]
    to.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


def rows_of(path: Path, to: Path, every: int) -> int:
    """Every k-th row of a CSV file, under its header."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    with to.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows[::every]])
    return len(rows[::every])


def blocks_of(path: Path, to: Path, every: int) -> int:
    """Every k-th sentence of a column file."""
    blocks = [block.strip("\n") for block in path.read_text(encoding="utf-8").split("\n\n") if block.strip()]
    blocks = [block for block in blocks if not block.startswith("-DOCSTART-")][::every]
    to.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return len(blocks)


def articles_of(path: Path, to: Path, every: int) -> int:
    """Every k-th paragraph of a file of SQuAD; the test rows are those one after the training rows."""
    made = json.loads(path.read_text(encoding="utf-8"))
    paragraphs = [one for article in made["data"] for one in article["paragraphs"]]
    chosen = paragraphs[int(to.name.startswith("test-")) :: every]
    to.write_text(json.dumps({"data": [{"title": "", "paragraphs": chosen}]}, ensure_ascii=False), encoding="utf-8")
    return sum(len(one["qas"]) for one in chosen)


# cut by, files for train, validation (or none) and test, every how many of train and of the others, more words
SETS: dict[str, tuple[Any, tuple[str, str | None, str], tuple[int, int], list[str]]] = {
    "sst2": (
        lines_of,
        ("train.tsv", None, "test.tsv"),
        (7, 4),
        ["--columns", "text=0,label=1", "--rungs", f"{RUNGS},full"],
    ),
    "banking77": (rows_of, ("train.csv", None, "test.csv"), (5, 6), ["--rungs", RUNGS]),
    "conll2003": (blocks_of, ("eng.train", "eng.testa", "eng.testb"), (9, 8), ["--rungs", RUNGS]),
    "weibo_ner": (
        blocks_of,
        ("weiboNER_2nd_conll.train", "weiboNER_2nd_conll.dev", "weiboNER_2nd_conll.test"),
        (2, 1),
        ["--rungs", RUNGS],
    ),
    "mrpc": (
        lines_of,
        ("msr-para-train.tsv", "msr-para-val.tsv", "msr-para-test.tsv"),
        (3, 1),
        [
            *("--task", "matching", "--columns", "sentence1=#1 String,sentence2=#2 String,label=Quality"),
            *("--rungs", "majority,lexical,frozen"),
        ],
    ),
    "xquad": (articles_of, ("xquad.en.json", None, "xquad.en.json"), (4, 6), ["--rungs", "majority,lexical,frozen"]),
    "finre": (lines_of, ("train.txt", "valid.txt", "test.txt"), (9, 8), ["--rungs", RUNGS]),
}
CHINESE = ("weibo_ner", "finre")


def cut(name: str, data: Path, folder: Path) -> tuple[list[str], int]:
    """Writes the cut files of a set.

    Returns:
        The words of `deepen train` that name them, and the number of training rows.
    """
    how, names, every, more = SETS[name]
    folder.mkdir(parents=True, exist_ok=True)
    words: list[str] = []
    rows = 0
    for option, file, step in zip(("", "--validation", "--test"), names, (every[0], every[1], every[1]), strict=True):
        if file is None:
            continue
        to = folder / (f"test-{file}" if rows and file == names[0] else file)
        num = how(data / name / file, to, step)
        rows = rows or num
        words += [*([option] if option else []), str(to)]
    return [*words, *more], rows


def demo(reviews: Path, folder: Path) -> tuple[list[str], int]:
    """Every second sentence of the demo's file, with its recipe's words."""
    folder.mkdir(parents=True, exist_ok=True)
    num = lines_of(reviews, folder / reviews.name, 2)
    cuts = ["--set", "data.label_cuts=[0.0]", "--set", "data.label_names=[negative, positive]"]
    return [str(folder / reviews.name), "--columns", "text=2,label=1", *cuts, "--rungs", RUNGS], num


def call(source: Path, words: list[str], options: Any, cache: Path) -> None:
    """Runs a command of one version with one thread.

    Raises:
        SystemExit: If it fails.
    """
    paths = [str(source.resolve()), *([str(options.models.resolve())] if options.models else [])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "DEEPEN_CACHE": str(cache)}
    environment |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"deepen {' '.join(words)} ended with {done.returncode}: {done.stderr[-600:]}")


def train(version: str, source: Path, name: str, words: list[str], options: Any) -> Path:
    """A finished run of one version; one that is there is kept."""
    run = options.work / version / name
    if not (run / "model").is_dir() or (version == "after" and options.again):
        shutil.rmtree(run, ignore_errors=True)
        call(source, ["train", *words, "--thorough", "--seed", str(SEED), "--out", str(run)], options, run / "../cache")
    return run


def records(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of records."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def differences(old: list[dict[str, Any]], new: list[dict[str, Any]], passed: set[str] = CLOCKS) -> int:
    """How many records differ in a field that the older one has and that is not passed over."""
    count = abs(len(old) - len(new))
    for one, two in zip(old, new, strict=False):
        count += any(two.get(key, "absent") != value for key, value in one.items() if key not in passed)
    return count


def compare(before: Path, after: Path) -> dict[str, str]:
    """For each file of records that the older run has: `same`, or what differs."""
    found = {}
    for path in sorted(before.rglob("*.jsonl")):
        at = path.relative_to(before)
        if "model" in at.parts:
            continue
        old = records(path)
        if not (after / at).is_file():
            found[str(at)] = "absent"
            continue
        new = records(after / at)
        if at.name == "metrics.jsonl":  # names that only one version measures aren't answers
            names = {record["name"] for record in new} & {record["name"] for record in old}
            old, new = ([row for row in rows if row["name"] in names] for rows in (old, new))
        num = differences(old, new)
        found[str(at)] = f"{num} of {len(old)} differ" if num else "same"
    return found


def reopened(before: Path, options: Any, test: str) -> str:
    """Whether the newer version answers with the older one's run as the older one does."""
    answers = []
    for version, source in (("before", options.before), ("after", options.after)):
        out = options.work / f"answers-{version}.jsonl"
        call(source, ["predict", str(before), test, "--out", str(out)], options, options.work / version / "cache")
        answers.append([record for record in records(out) if "skipped" not in record])
    num = differences(*answers, CLOCKS | OF_TARGETS)
    return f"{num} of {len(answers[0])} differ" if num else "same"


def main() -> None:
    """Trains what is missing, compares what is there."""
    made = cells.parser(__doc__ or "")
    made.add_argument("--before", type=Path, required=True, help="src of the older version")
    made.add_argument("--after", type=Path, help="src of the newer version; without it only the older one trains")
    made.add_argument("--models", type=Path, help="the folder with e5-small-zh-en, and packages that carry models")
    made.add_argument("--reviews", type=Path, help="the demo's file of sentences, as scripts/demo_data.py fetches it")
    options = made.parse_args()
    for name in (*(["demo"] if options.reviews else []), *SETS):
        if options.only and options.only not in name:
            continue
        folder = options.work / "data" / name
        words, rows = demo(options.reviews, folder) if name == "demo" else cut(name, options.data, folder)
        if name in CHINESE:
            words += ["--model", str(options.models / "e5-small-zh-en")]
        began = time.monotonic()
        before = train("before", options.before, name, words, options)
        if options.after is None:
            print(f"{name:<12} {rows:>6} rows, trained in {time.monotonic() - began:.0f} s", flush=True)
            continue
        after = train("after", options.after, name, words, options)
        found = compare(before, after)
        test = words[words.index("--test") + 1] if "--test" in words else words[0]
        found["predict with the older run"] = reopened(before, options, test)
        for what, said in found.items():
            print(f"{name:<12} {what:<52} {said}", flush=True)
        cells.write(
            f"{NAME}-{name}",
            command=f"python benchmarks/same_answers.py --data DATA --only {name}",
            seed=SEED,
            value=sum(said == "same" for said in found.values()),
            n=len(found),
            unit="files of records that are the same bit for bit",
            rows=rows,
            threads=1,
            differ={what: said for what, said in found.items() if said != "same"},
            seconds=round(time.monotonic() - began, 1),
        )


if __name__ == "__main__":
    main()
