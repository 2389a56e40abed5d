"""The peer: SetFit as its documentation trains it, 20 pairs a row and side, batches of 16, one epoch.

Imports nothing of Deepen. Rows come as JSONL from benchmarks/few_shot.py: {"text", "label"}. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

BEGAN = time.monotonic()

from datasets import Dataset  # noqa: E402
from setfit import SetFitModel, Trainer, TrainingArguments  # noqa: E402


def main() -> None:
    """Trains, scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    parts = {}
    for name in ("train", "test"):
        text = (options.rows / f"{name}.jsonl").read_text(encoding="utf-8")
        parts[name] = [json.loads(line) for line in text.splitlines()]
    labels = sorted({row["label"] for row in parts["train"]})
    model = SetFitModel.from_pretrained(options.model, labels=labels)
    chosen = TrainingArguments(
        batch_size=16,
        num_epochs=1,
        num_iterations=20,
        seed=options.seed,
        output_dir=str(options.rows / "setfit"),
        save_strategy="no",
        report_to="none",
    )
    Trainer(model=model, args=chosen, train_dataset=Dataset.from_list(parts["train"])).train()
    said = model.predict([row["text"] for row in parts["test"]])
    right = [int(str(one) == row["label"]) for one, row in zip(said, parts["test"], strict=True)]
    seconds = time.monotonic() - BEGAN
    print(json.dumps({"test": sum(right) / len(right), "right": right, "inside_seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
