"""The peer: a frozen encoder with a logistic regression on its embeddings, which is SetFit without its fine-tuning.

Imports nothing of Deepen. Rows come as JSONL from benchmarks/train.py: {"text", "label"}. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

BEGAN = time.monotonic()

import torch  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402


def main() -> None:
    """Embeds, fits, scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--model", required=True)
    options = parser.parse_args()
    model = SentenceTransformer(options.model, model_kwargs={"dtype": torch.float32})  # as its warning advises
    model.max_seq_length = 256
    parts = {}
    for name in ("train", "validation", "test"):
        text = (options.rows / f"{name}.jsonl").read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.splitlines()]
        embeddings = model.encode([row["text"] for row in rows], show_progress_bar=False)
        parts[name] = (embeddings, [row["label"] for row in rows])
    head = LogisticRegression().fit(*parts["train"])
    scores = {name: float(head.score(*parts[name])) for name in ("validation", "test")}
    print(json.dumps({**scores, "inside_seconds": time.monotonic() - BEGAN}), flush=True)


if __name__ == "__main__":
    main()
