"""CTranslate2 in 8-bit integers beside transformers' `generate`: tokens a second, and what it costs the score.

    python benchmarks/export_text.py --data DATA --models MODELS

MODELS has the folder flan-t5-small, tuned by LoRA: SciTLDR (800 abstracts) and multi30k en-de (1,500 pairs). Both sides
answer the same 300 test rows with the same decoding, in turns, three times; the middle one of each counts. `generate`
runs in batches of like length, as `deepen predict` does it. Cells `export-text-SET`; value: times the tokens a second.
"""

from __future__ import annotations

import gzip
import json
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import cells

import generation
import ladder
from deepen.core.types import TextTargets
from deepen.evaluation.statistics import paired_bootstrap
from deepen.evaluation.texts import VALUES, text_statistics
from deepen.shallow.texts import plain_texts

TURNS, TEST = 3, 300
SETS: dict[str, tuple[str, str, int]] = {
    "scitldr": ("summarisation", "rouge1", 800),
    "multi30k": ("translation", "bleu", 1500),
}


def multi30k(data: Path) -> dict[str, list[dict[str, Any]]]:
    """English sentences with their German translation."""
    found = {}
    for split, name in (("train", "train"), ("validation", "val"), ("test", "test_2016_flickr")):
        paths = (data / "multi30k" / f"{name}.{side}.gz" for side in ("en", "de"))
        sides = (gzip.decompress(path.read_bytes()).decode("utf-8").splitlines() for path in paths)
        pairs = zip(*sides, strict=True)
        found[split] = [{"document": one, "summary": [two]} for one, two in pairs]
    return found


def trained(name: str, rows: dict[str, list[dict[str, Any]]], options: Any) -> Path:
    """A run, made once."""
    task, _, most = SETS[name]
    folder = options.work / f"export-text-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    for split, some in rows.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some[: most if split == "train" else 120])
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    if not (folder / "run" / "report.html").is_file():
        words = [
            "--validation",
            str(folder / "validation.jsonl"),
            "--task",
            task,
            "--tuning",
            "lora",
            "--rungs",
            "full",
        ]
        words += ["--columns", "source=document,label=summary", "--set", "rungs.full.num_epochs=2"]
        words += ["--set", "model.max_tokens=256", "--model", str(options.models / "flan-t5-small")]
        cells.run([ladder.DEEPEN, "train", str(folder / "train.jsonl"), *words, "--out", str(folder / "run")])
    return folder / "run"


def measure(name: str, options: Any) -> None:
    """The cell of a set."""
    import deepen

    score = SETS[name][1]
    rows = (multi30k if name == "multi30k" else generation.scitldr)(options.data)
    run, out = trained(name, rows, options), options.work / f"export-text-{name}" / "out"
    shutil.rmtree(out, ignore_errors=True)
    _, _, printed = cells.run([ladder.DEEPEN, "export", str(run), str(out), "--form", "ctranslate2", "--json"])
    test = rows["test"][:TEST]
    sources = [row["document"] for row in test]
    right = TextTargets(tuple(sources), tuple(tuple(row["summary"]) for row in test))
    models = {"generate": deepen.load(run, device="cpu"), "ctranslate2": deepen.load(out)}
    rates: dict[str, list[float]] = {side: [] for side in models}
    sums: dict[str, Any] = {}
    for _ in range(TURNS):
        for side, model in models.items():
            writer = model.predictor
            prompts = writer.prompts(sources)
            began = time.perf_counter()
            said = writer.write(prompts)
            rates[side].append(round(sum(map(len, said)) / (time.perf_counter() - began), 1))
            texts = writer.reader.batch_decode(said, skip_special_tokens=True)
            sums[side] = text_statistics(plain_texts([text.strip() for text in texts]), right)
    middle = {side: statistics.median(turns) for side, turns in rates.items()}
    loss = paired_bootstrap(sums["ctranslate2"], sums["generate"], VALUES[score], seed=0).interval
    cells.write(
        f"export-text-{name}",
        command="python benchmarks/export_text.py --data DATA --models MODELS",
        seed=0,
        value=round(middle["ctranslate2"] / middle["generate"], 2),
        n=len(test),
        unit="times the tokens a second of generate",
        tokens_per_second=middle,
        turns=rates,
        score=score,
        scores={side: round(float(VALUES[score](some.sum(0, keepdims=True))[0]), 4) for side, some in sums.items()},
        change=[round(end, 4) for end in (loss.value, loss.low, loss.high)],
        parity=json.loads(printed)["parity"],
        bytes={
            side: sum(file.stat().st_size for file in (run / "model", out)[at].rglob("*") if file.is_file())
            for at, side in enumerate(models)
        },
    )


def main() -> None:
    """Measures what is not measured yet."""
    made = cells.parser(__doc__ or "")
    made.add_argument("--models", type=Path, required=True, help="the folder with flan-t5-small")
    options = made.parse_args()
    for name in SETS:
        if cells.wanted(f"export-text-{name}", options):
            measure(name, options)


if __name__ == "__main__":
    main()
