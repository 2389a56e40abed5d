"""Data sets cut for the watching benchmarks: rows to learn from, a reference, and a pool that the run never saw."""

from __future__ import annotations

import csv
import random
import shutil
import sys
from pathlib import Path

import cells

DEEPEN = str(Path(sys.executable).parent / "deepen")
Row = tuple[str, ...]


def shopping(data: Path, categories: tuple[str, ...] | None = None) -> list[Row]:
    """Reviews with their sentiment; of some categories, or of all."""
    with (data / "online_shopping_10_cats" / "online_shopping_10_cats.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row["review"] or "").strip()]
    return [(row["review"], row["label"]) for row in rows if categories is None or row["cat"] in categories]


def tsv(path: Path) -> list[Row]:
    """Lines of a text, a tab and a label."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(text, label) for text, _, label in (line.rpartition("\t") for line in lines) if text.strip()]


def pairs(path: Path) -> list[Row]:
    """Lines of two texts and a label, with a tab between them; the label is the last."""
    return [tuple(line.split("\t")) for line in path.read_text(encoding="utf-8").splitlines() if line.count("\t") == 2]


def banking(path: Path) -> list[Row]:
    """Questions to a bank with their intent."""
    with path.open(encoding="utf-8") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def hotels(data: Path) -> list[Row]:
    """Reviews of hotels with their sentiment."""
    with (data / "chnsenticorp_htl" / "ChnSentiCorp_htl_all.csv").open(encoding="utf-8") as file:
        return [(row["review"], row["label"]) for row in csv.DictReader(file) if (row["review"] or "").strip()]


def shuffled(rows: list[Row], seed: int = 0) -> list[Row]:
    """Rows without repetition, in an order of chance."""
    rows = list(dict.fromkeys(rows))
    random.Random(seed).shuffle(rows)
    return rows


def write(path: Path, rows: list[Row]) -> Path:
    """Writes a CSV with a header; the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("text", "label") if len(rows[0]) == 2 else ("text1", "text2", "label"), *rows])
    return path


def run(name: str, train: list[Row], reference: list[Row], options, *, rungs: str, model: str) -> Path:
    """A run whose held-out rows are `reference`, trained once."""
    out = options.work / "runs" / f"watch-{name}"
    if not (out / "report.html").is_file():
        shutil.rmtree(out, ignore_errors=True)
        files = [
            str(write(options.work / name / f"{part}.csv", rows))
            for part, rows in (("train", train), ("reference", reference))
        ]
        words = [files[0], "--validation", files[1], "--rungs", rungs, "--model", f"{options.models}/{model}"]
        cells.run([DEEPEN, "train", *words, "--out", str(out)])
    return out


ENGLISH, CHINESE = "all-MiniLM-L6-v2", "e5-small-zh-en"


def sets(options) -> dict[str, tuple[Path, list[Row]]]:
    """Each set's run and its pool, made when asked for."""
    data = options.data

    def thucnews():
        rows = shuffled([*tsv(data / "thucnews" / "dev.txt"), *tsv(data / "thucnews" / "test.txt")])
        return run("thucnews", rows[:5000], rows[5000:10000], options, rungs="lexical", model=CHINESE), rows[10000:]

    def shop():
        rows = shuffled(shopping(data))
        made = run("shopping", rows[:6000], rows[6000:11000], options, rungs="lexical", model=CHINESE)
        return made, rows[11000:41000]

    def afqmc():
        rows = shuffled([*pairs(data / "afqmc" / "train.txt"), *pairs(data / "afqmc" / "dev.txt")])
        return run("afqmc", rows[:6000], rows[6000:11000], options, rungs="lexical", model=CHINESE), rows[11000:]

    def sst2():
        rows = shuffled(
            [*tsv(data / "sst2" / "train.tsv"), *tsv(data / "sst2" / "dev.tsv"), *tsv(data / "sst2" / "test.tsv")]
        )
        made = run("sst2", rows[:4000], rows[4000:6500], options, rungs="lexical,frozen", model=ENGLISH)
        return made, rows[6500:]

    def banking77():
        rows = shuffled([*banking(data / "banking77" / "train.csv"), *banking(data / "banking77" / "test.csv")])
        made = run("banking77", rows[:6000], rows[6000:9000], options, rungs="lexical,frozen", model=ENGLISH)
        return made, rows[9000:]

    return {"thucnews": thucnews, "online_shopping_10_cats": shop, "afqmc": afqmc, "sst2": sst2, "banking77": banking77}


NEW_INTENTS = 20
"""Intents of banking77 that its run never saw: the first half to develop with, the second to report."""


def harm_sets(options) -> dict[str, tuple[Path, list[Row]]]:
    """As `sets`, for what an alarm means: trec and sst2 to develop with, the others to report."""
    data = options.data

    def made(name: str, rows: list[Row], *, model: str = ENGLISH):
        rows = shuffled(rows)
        name = f"harm-{name}-{options.rungs}"
        return run(name, rows[:1500], rows[1500:3000], options, rungs=options.rungs, model=model), rows[3000:]

    def thucnews():
        return made("thucnews", tsv(data / "thucnews" / "dev.txt"), model=CHINESE)

    def trec():
        lines = [line for part in ("train", "test") for line in (data / "trec" / f"TREC.{part}").open(encoding="utf-8")]
        return made(
            "trec", [(text, kind.split(":")[0]) for kind, _, text in (one.strip().partition(" ") for one in lines)]
        )

    def sst2():
        return made("sst2", [row for part in ("train", "dev", "test") for row in tsv(data / "sst2" / f"{part}.tsv")])

    def subj():
        halves = ("objective", "subjective")
        lines = [(data / "subj" / f"subj.{half}").read_text(encoding="utf-8").splitlines() for half in halves]
        return made("subj", [(line, half) for half, part in zip(halves, lines, strict=True) for line in part if line])

    def banking77():
        known, pool, _ = new_intents(options)
        return known, pool

    def hotel():
        return made("chnsenticorp_htl", hotels(data), model=CHINESE)

    return {"trec": trec, "sst2": sst2, "subj": subj, "banking77": banking77, "thucnews": thucnews, "hotels": hotel}


def new_intents(options) -> tuple[Path, list[Row], dict[str, list[Row]]]:
    """A run that never saw some intents of banking77, traffic of the others, and the rows of each of those."""
    data = options.data / "banking77"
    rows = shuffled([*banking(data / "train.csv"), *banking(data / "test.csv")])
    new = random.Random(0).sample(sorted({label for _, label in rows}), NEW_INTENTS)
    old = [row for row in rows if row[1] not in new]
    made = run(f"intents-{options.rungs}", old[:3000], old[3000:5500], options, rungs=options.rungs, model=ENGLISH)
    return made, old[5500:], {one: [row for row in rows if row[1] == one] for one in new}
