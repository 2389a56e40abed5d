"""Texts answered one by one: `model.predict([text])` against the pipeline of transformers, with the same weights.

    python benchmarks/one_by_one.py --data data [--before CHECKOUT]     # after `make demo` has fetched data/demo

A run on the demo's sentences, the rung `frozen` (an encoder with a head, as every rung above it is) with
`model.pooling=cls`, whose model folder AutoModelForSequenceClassification reads, so
that `pipeline("text-classification", model=RUN/model)` has the weights and gives the labels of Deepen; and the same
with the demo's own pooling, `mean`, which the pipeline can't read. Each side is a process of its own, with the threads
that torch takes by itself; the sides take turns three times, and the middle one of each counts. Loading and the first
twenty texts are not timed. `--before` measures another version of Deepen on the same runs.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from pathlib import Path

import cells

import ladder

TEXTS, WARM, TURNS = 300, 20, 3
OURS = """
import json, sys, time
import deepen
run, path, warm = sys.argv[1], sys.argv[2], int(sys.argv[3])
texts = json.load(open(path, encoding="utf-8"))
model = deepen.load(run)
for text in texts[:warm]:
    model.predict([text])
began = time.perf_counter()
said = [model.predict([text])[0].output for text in texts[warm:]]
seconds = time.perf_counter() - began
began = time.perf_counter()
model.predict(texts[warm:])
print(json.dumps([seconds, said, time.perf_counter() - began]))
"""
THEIRS = """
import json, sys, time
import torch
from transformers import pipeline
run, path, warm = sys.argv[1], sys.argv[2], int(sys.argv[3])
texts = json.load(open(path, encoding="utf-8"))
answer = pipeline("text-classification", model=run + "/model", device=torch.device("cpu"))
for text in texts[:warm]:
    answer(text)
began = time.perf_counter()
said = [answer(text)[0]["label"] for text in texts[warm:]]
print(json.dumps([time.perf_counter() - began, said]))
"""


def trained(name: str, rows: Path, words: list[str], options) -> Path:
    """A run of the demo's rows, made once."""
    out = options.work / "runs" / f"one-by-one-{name}"
    if not (out / "report.html").is_file():
        recipe = cells.ROOT / "recipes" / "demo.yaml"
        command = [ladder.DEEPEN, "train", str(rows), "--recipe", str(recipe), "--rungs", "frozen"]
        cells.run([*command, "--out", str(out), "--overwrite", *words])
    return out


def main() -> None:
    """Measures what is not measured yet."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--before", type=Path, help="a checkout of the version to compare with")
    options = parser.parse_args()
    rows = options.data / "demo" / "amazonReviewSnippets_GroundTruth.txt"
    texts = [line.rstrip("\n").split("\t")[2] for line in rows.read_text(encoding="utf-8").splitlines()]
    options.work.mkdir(parents=True, exist_ok=True)
    path = options.work / "one-by-one.json"
    path.write_text(json.dumps(texts[: WARM + TEXTS]), encoding="utf-8")
    for pooling in ("cls", "mean"):
        cell = f"one-by-one-{pooling}"
        if not cells.wanted(cell, options):
            continue
        run = trained(pooling, rows, ["--set", f"model.pooling={pooling}"], options)
        sides = {"deepen": (OURS, {})}
        if pooling == "cls":
            sides["pipeline"] = (THEIRS, {})
        if options.before is not None:
            sides["before"] = (OURS, {"PYTHONPATH": str(options.before / "src")})
        found: dict[str, list] = {name: [] for name in sides}
        for _ in range(TURNS):
            for name, (program, environment) in sides.items():
                command = [sys.executable, "-c", program, str(run), str(path), str(WARM)]
                cache = options.work / "cache-of-a-turn"  # no version may find what it kept the last time
                shutil.rmtree(cache, ignore_errors=True)
                out = cells.run(command, environment={"DEEPEN_CACHE": str(cache), **environment})[2]
                found[name].append(json.loads(out.splitlines()[-1]))
        rates = {name: [round(TEXTS / turn[0], 1) for turn in turns] for name, turns in found.items()}
        middle = {name: statistics.median(each) for name, each in rates.items()}
        equal = {
            name: sum(a == b for a, b in zip(turns[0][1], found["deepen"][0][1], strict=True))
            for name, turns in found.items()
        }
        cells.write(
            cell,
            command="python benchmarks/one_by_one.py --data data",
            seed=0,
            value=middle["deepen"],
            n=TEXTS,
            unit="texts/s one by one, warm",
            texts_per_second=middle,
            turns=rates,
            as_a_list=round(TEXTS / statistics.median(turn[2] for turn in found["deepen"]), 1),
            times_the_pipeline=round(middle["deepen"] / middle["pipeline"], 2) if "pipeline" in middle else None,
            equal_answers=equal,
        )


if __name__ == "__main__":
    main()
