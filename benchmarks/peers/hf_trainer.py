"""The peer: Hugging Face Trainer, set as its documentation recommends. Imports nothing of Deepen.

Dynamic padding, batches grouped by length, batch 32, linear warm-up, 3 epochs. Rows come as JSONL from
benchmarks/train.py: {"text", "label"} or {"tokens", "tags"}. Prints one JSON line: test score, validation score,
seconds inside.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

BEGAN = time.monotonic()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from datasets import Dataset  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)


def read(path: Path) -> list[dict]:
    """Rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """Trains and scores."""
    options = arguments()
    set_seed(options.seed)
    rows = {name: read(options.rows / f"{name}.jsonl") for name in ("train", "validation", "test")}
    tagging = "tokens" in rows["train"][0]
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    if tagging:
        labels = sorted({tag for row in rows["train"] for tag in row["tags"]})
    else:
        labels = sorted({row["label"] for row in rows["train"]})
    index = {label: i for i, label in enumerate(labels)}

    def encode(row: dict) -> dict:
        if not tagging:
            return {**tokenizer(row["text"], truncation=True), "label": index[row["label"]]}
        out = tokenizer(row["tokens"], is_split_into_words=True, truncation=True)
        seen, targets = set(), []
        for word in out.word_ids():
            targets.append(index[row["tags"][word]] if word is not None and word not in seen else -100)
            seen.add(word)
        return {**out, "labels": targets}

    sets = {name: Dataset.from_list(part).map(encode, remove_columns=list(part[0])) for name, part in rows.items()}
    kind = AutoModelForTokenClassification if tagging else AutoModelForSequenceClassification
    names = {"num_labels": len(labels), "id2label": dict(enumerate(labels)), "label2id": index}
    model = kind.from_pretrained(options.model, dtype=torch.float32, **names)
    collator = DataCollatorForTokenClassification(tokenizer) if tagging else DataCollatorWithPadding(tokenizer)
    micro = options.micro or options.batch
    steps = -(-len(rows["train"]) // options.batch) * options.epochs
    settings = TrainingArguments(
        output_dir=str(options.rows / "hf-out"),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=options.batch // micro,
        per_device_eval_batch_size=min(64, 2 * micro),
        learning_rate=options.rate,
        num_train_epochs=options.epochs,
        warmup_steps=round(0.1 * steps),
        weight_decay=0.01,
        lr_scheduler_type="linear",
        train_sampling_strategy="group_by_length",
        eval_strategy="epoch" if not options.max_steps else "no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        logging_steps=10_000,
        max_steps=options.max_steps or -1,
        seed=options.seed,
        use_cpu=True,
    )

    def score(prediction: tuple) -> dict:
        logits, targets = prediction
        return {"score": measure(logits, targets, labels, tagging)}

    trainer = Trainer(
        model=model,
        args=settings,
        train_dataset=sets["train"],
        eval_dataset=sets["validation"],
        data_collator=collator,
        processing_class=tokenizer,
        compute_metrics=score,
    )
    began = time.monotonic()
    trainer.train()
    training = time.monotonic() - began
    out = {"train_seconds": training}
    if not options.max_steps:
        out["validation"] = trainer.evaluate()["eval_score"]
        out["test"] = trainer.evaluate(sets["test"])["eval_score"]
        trainer.save_model(str(options.rows / "hf-model"))
    print(json.dumps({**out, "inside_seconds": time.monotonic() - BEGAN}), flush=True)


def measure(logits: np.ndarray, targets: np.ndarray, labels: list[str], tagging: bool) -> float:
    """Accuracy, or strict entity F1."""
    best = logits.argmax(-1)
    if not tagging:
        return float((best == targets).mean())
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2

    gold = [[labels[t] for t in row if t >= 0] for row in targets]
    said = [
        [labels[b] for b, t in zip(guess, row, strict=True) if t >= 0] for guess, row in zip(best, targets, strict=True)
    ]
    return float(f1_score(gold, said, mode="strict", scheme=IOB2))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument(
        "--micro", type=int, help="rows on the machine at once, where a batch is too much for its memory"
    )
    parser.add_argument("--max-steps", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
