"""Text that answers: what a trained network gains over the lead sentence, a memory and the untouched network.

    python benchmarks/generation.py --data DATA --models MODELS [--only scitldr]

MODELS has a folder for each model. Every cell is the score of a rung on the test rows, and its paired gain over others.
Rows: the first of the files, so many as `ROWS` says.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import cells

from deepen.core.types import Texts, TextTargets
from deepen.evaluation.statistics import paired_bootstrap
from deepen.evaluation.texts import VALUES, text_statistics
from deepen.shallow.texts import plain_texts

SETS: dict[str, dict[str, Any]] = {
    "scitldr": {
        "task": "summarisation",
        "model": "flan-t5-small",
        "rows": {"train": 800, "validation": 120, "test": 300},
        "score": "rouge1",
        "options": ["--tuning", "lora", "--set", "rungs.full.num_epochs=2", "--set", "model.max_tokens=256"],
    },
    "csl_dev": {
        "task": "summarisation",
        "model": "gemma-3-270m",
        "rows": {"train": 800, "validation": 100, "test": 100},
        "score": "rougeL",
        "options": ["--tuning", "lora", "--set", "rungs.full.num_epochs=1", "--set", "model.max_tokens=256"],
    },
}
RUNGS = ("majority", "lexical", "frozen", "full")


def scitldr(data: Path) -> dict[str, list[dict[str, Any]]]:
    """Abstracts and summaries of one line; several references in dev and test."""
    found = {}
    for split, name in (("train", "train"), ("validation", "dev"), ("test", "test")):
        lines = (data / "scitldr" / f"{name}.jsonl").open(encoding="utf-8")
        rows = [json.loads(line) for line in lines]
        found[split] = [{"document": " ".join(row["source"]), "summary": row["target"]} for row in rows]
    return found


def csl_dev(data: Path) -> dict[str, list[dict[str, Any]]]:
    """Chinese abstracts and titles: 800 rows to learn from, 100 that decide, 100 for the test."""
    lines = (data / "csl_dev" / "ts" / "dev.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    made = [{"document": row[1], "summary": [row[2]]} for row in rows]
    return {"train": made[:800], "validation": made[800:900], "test": made[900:]}


def measure(name: str, options: Any, about: dict[str, Any]) -> None:
    """Trains, answers the test rows with every rung, and writes the cells of a set."""
    folder = options.work / f"generation-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    rows = globals()[name](options.data)
    for split, some in rows.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some[: about["rows"][split]])
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    run, python = folder / "run", [sys.executable, "-m", "deepen"]
    command = [*python, "train", str(folder / "train.jsonl"), "--validation", str(folder / "validation.jsonl")]
    command += ["--task", about["task"], "--model", str(options.models / about["model"]), "--rungs", ",".join(RUNGS)]
    command += [*about["options"], "--out", str(run), "--json"]
    began = time.monotonic()
    seconds, peak, _ = (0.0, 0, "") if (run / "report.html").is_file() else cells.run(command)
    sums, scores = {}, {}
    for rung in RUNGS:
        out = folder / f"{rung}.jsonl"
        if not out.is_file():
            cells.run(
                [*python, "predict", str(run), str(folder / "test.jsonl"), "--rung", rung, "--out", str(out), "-q"]
            )
        answers = [json.loads(line) for line in out.open(encoding="utf-8")]
        texts: Texts = plain_texts([row["output"] for row in answers])
        test = rows["test"][: about["rows"]["test"]]
        right = TextTargets(tuple(row["document"] for row in test), tuple(tuple(row["summary"]) for row in test))
        sums[rung] = text_statistics(texts, right)
        scores[rung] = float(VALUES[about["score"]](sums[rung].sum(0, keepdims=True))[0])
    value_of = VALUES[about["score"]]
    for rung in RUNGS:
        gains = {}
        for other in RUNGS[: RUNGS.index(rung)]:
            gain = paired_bootstrap(sums[rung], sums[other], value_of, seed=0).interval
            gains[other] = [round(gain.value, 4), round(gain.low, 4), round(gain.high, 4)]
        cells.write(
            f"generation/{name}/{rung}".replace("/", "-"),
            command="python benchmarks/generation.py --data DATA --models MODELS",
            seed=0,
            value=round(scores[rung], 4),
            n=len(sums[rung]),
            unit=about["score"],
            gains=gains,
            model=about["model"],
            rows=about["rows"],
            seconds=round(seconds, 1),
            peak_memory_bytes=peak,
        )
    print(f"{name}: {time.monotonic() - began:.0f} s")


def main() -> None:
    """Measures every set that is wanted."""
    made = cells.parser(__doc__ or "")
    made.add_argument("--models", type=Path, required=True, help="a folder with a folder for each model")
    options = made.parse_args()
    for name, about in SETS.items():
        if cells.wanted(f"generation-{name}-full", options):
            measure(name, options, about)


if __name__ == "__main__":
    main()
