"""Every tuning on the same work: 2,000 rows of sst2 and of banking77, from the head on frozen features, all layers.

    python benchmarks/tuning.py --data DATA [--only tuning-sst2-lora]

A cell holds the test score, the numbers that learn, seconds and peak memory of the whole command, and the size of what
the method learned by itself. `full`, `lora` and `adapter` have three seeds. `tuning-SET-lora-top` is LoRA on the
top third of the layers only, from the cache of the layers below. Validation is the set's own, or 1,000 further rows.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cells
import train

SETS = ("sst2", "banking77")
ROWS = 2000
METHODS = ("full", "bitfit", "lora", "adalora", "ia3", "adapter", "prefix", "soft_prompt", "p_tuning")
THREE_SEEDS = ("full", "lora", "adapter")


def rows_of(name: str, options) -> Path:
    """The first 2,000 of the shuffled training rows, and all validation and test rows."""
    folder = train.write_rows(name, options)
    few = options.work / "tuning" / name
    few.mkdir(parents=True, exist_ok=True)
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    step = len(lines) / ROWS  # spread over the file, which may be sorted
    (few / "train.jsonl").write_text("".join(lines[int(at * step)] for at in range(ROWS)), encoding="utf-8")
    for part in ("validation", "test"):
        shutil.copyfile(folder / f"{part}.jsonl", few / f"{part}.jsonl")
    return few


def tuning_cell(cell: str, folder: Path, method: str, rung: str, seed: int, options) -> None:
    """One `deepen train` from cold caches, of two rungs: `frozen`, and the one that is tuned."""
    if not cells.wanted(cell, options):
        return
    given = ("--rungs", f"frozen,{rung}", "--tuning", method, "--thorough", "--seed", str(seed))
    seconds, peak, record, run = train.climbed(cell, folder, options, *given)
    tuned = record["rungs"][-1]
    scored = [train.DEEPEN, "evaluate", str(run), str(folder / "test.jsonl"), "--rung", rung, "--json"]
    _, _, out = cells.run(scored)
    test = next(score for score in json.loads(out)["scores"] if score["name"] == "accuracy")
    saved = run / "rungs" / rung / "model" / ("model.safetensors" if method == "full" else "adapter")
    files = [saved] if saved.is_file() else list(saved.glob("adapter_model.safetensors"))
    cells.write(
        cell,
        command=f"deepen train ROWS --rungs frozen,{rung} --tuning {method}",
        seed=seed,
        value=round(test["value"], 4),
        n=test["n"],
        metric="test accuracy",
        interval=[round(test["low"], 4), round(test["high"], 4)],
        seconds=round(seconds, 1),
        rung_seconds=tuned["seconds"],
        peak_memory_bytes=peak,
        num_trained_parameters=tuned["num_trained_parameters"],
        validation=round(tuned["score"]["value"], 4),
        saved_mb=round(sum(file.stat().st_size for file in files) / 1e6, 2),
    )


def main() -> None:
    """Measures what is not measured yet."""
    options = cells.parser(__doc__ or "").parse_args()
    for name in SETS:
        folder = rows_of(name, options)
        for method in METHODS:
            for seed in range(3 if method in THREE_SEEDS else 1):
                tuning_cell(f"tuning-{name}-{method}-seed{seed}", folder, method, "full", seed, options)
        tuning_cell(f"tuning-{name}-lora-top-seed0", folder, "lora", "top_layers", 0, options)


if __name__ == "__main__":
    main()
