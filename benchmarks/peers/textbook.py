"""The peer: the script that textbooks print. Every text padded to 128, batches of 16, AdamW at 2e-5, five epochs.

It is slow, so 200 steps are timed after 10 that are not, and the five epochs are extrapolated from them; start-up and
tokenising are added as they were measured. Imports nothing of Deepen. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

BEGAN = time.monotonic()

import torch  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

EPOCHS, BATCH, LENGTH, RATE = 5, 16, 128, 2e-5
WARM, TIMED = 10, 200


def main() -> None:
    """Times the steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--model", required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    rows = [json.loads(line) for line in (options.rows / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    tagging = "tokens" in rows[0]
    field = "tokens" if tagging else "text"
    texts = [row[field] for row in rows]
    limits = {"padding": "max_length", "truncation": True, "max_length": LENGTH, "return_tensors": "pt"}
    out = tokenizer(texts, is_split_into_words=tagging, **limits)
    names = sorted({tag for row in rows for tag in (row["tags"] if tagging else [row["label"]])})
    index = {name: i for i, name in enumerate(names)}
    if tagging:
        labels = torch.full_like(out["input_ids"], -100)
        for at, row in enumerate(rows):
            before = None
            for place, word in enumerate(out.word_ids(at)):
                if word is not None and word != before:
                    labels[at, place] = index[row["tags"][word]]
                before = word
    else:
        labels = torch.tensor([index[row["label"]] for row in rows])
    kind = AutoModelForTokenClassification if tagging else AutoModelForSequenceClassification
    model = kind.from_pretrained(options.model, num_labels=len(names), dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    data = TensorDataset(out["input_ids"], out["attention_mask"], labels)
    loader = DataLoader(data, batch_size=BATCH, shuffle=True, drop_last=True)
    prepared = time.monotonic() - BEGAN
    began = 0.0
    for step, (ids, mask, target) in enumerate(loader):
        if step == WARM:
            began = time.monotonic()
        if step == WARM + TIMED:
            break
        optimizer.zero_grad()
        model(input_ids=ids, attention_mask=mask, labels=target).loss.backward()
        optimizer.step()
    per_step = (time.monotonic() - began) / min(TIMED, len(loader) - WARM)
    steps = EPOCHS * -(-len(rows) // BATCH)
    said = {"seconds_per_step": per_step, "steps": steps, "prepared_seconds": prepared}
    print(json.dumps({**said, "extrapolated_seconds": prepared + steps * per_step}), flush=True)


if __name__ == "__main__":
    main()
