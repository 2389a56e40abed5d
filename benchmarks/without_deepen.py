"""A run's model folder without Deepen: `SentenceTransformer(folder).encode(text)` against the run's own answers.

    PEERS/bin/python benchmarks/without_deepen.py RUN        # any Python with sentence-transformers, without Deepen

Compares softmax of the logits with the probabilities in the run's predictions on 200 rows and prints the largest
difference.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer


def main() -> None:
    """Prints one JSON line."""
    run = Path(sys.argv[1])
    chosen = json.loads((run / "ladder.json").read_text())["chosen"]
    files = sorted((run / "rungs" / chosen).glob("predictions-*.jsonl"))
    rows = [json.loads(line) for line in files[0].read_text(encoding="utf-8").splitlines()][:200]
    model = SentenceTransformer(str(run / "model"), device="cpu")
    logits = np.asarray(model.encode(["\n".join(row["inputs"].values()) for row in rows], batch_size=32), np.float64)
    labels = json.loads((run / "model" / "config.json").read_text())["id2label"]
    names = [labels[str(i)] for i in range(len(labels))]
    probs = np.array([[row["probabilities"][name] for name in names] for row in rows])
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    worst = float(np.abs(shifted / shifted.sum(1, keepdims=True) - probs).max())
    print(json.dumps({"rows": len(rows), "file": files[0].name, "largest_probability_difference": worst}))


if __name__ == "__main__":
    main()
