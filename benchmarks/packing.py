"""What packing saves: seconds of the processor for one epoch's losses and gradients, packed and padded.

    python benchmarks/packing.py --data DATA --models MODELS

Pairs of libreoffice_help_en_zh as instructions for SmolLM2-135M (MODELS/smollm2), in float32, in steps of 16 rows as
the climb cuts them, turn by turn; the sums of the losses are told too, since they must be the same.
"""

from __future__ import annotations

import csv
import gzip
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cells
import numpy as np
import torch

from deepen.generation.decode import Given, packable

ROWS, STEP, TURNS = 96, 16, 2


def given_of(options: Any, reader: Any) -> Given:
    """Prompts and answers as token ids."""
    path = options.data / "libreoffice_help_en_zh" / "libreoffice_help_en_zh.tsv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        pairs = [row for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if len(row) >= 2]
    drawn = np.random.default_rng(0).choice(len(pairs), ROWS, replace=False)
    prompts = [reader(f"Translation: {pairs[at][0]}\n")["input_ids"] for at in drawn]
    answers = [[*reader(pairs[at][1])["input_ids"], reader.eos_token_id] for at in drawn]
    return Given(prompts, answers, encodes=False, vocabulary=len(reader))


def measured(network: Any, given: Given) -> tuple[float, float]:
    """Seconds of the processor, and the sum of the losses."""
    began, total = time.process_time(), 0.0
    for start in range(0, ROWS, STEP):
        some = np.arange(start, min(ROWS, start + STEP))
        for few in given.batches(some, 4096):
            loss = given.losses(network, some[few]).sum()
            loss.backward()
            total += float(loss.detach())
        network.zero_grad()
    return time.process_time() - began, total


def main() -> None:
    """Measures both ways by turns."""
    made = cells.parser(__doc__ or "")
    made.add_argument("--models", type=Path, required=True, help="the folder with smollm2")
    options = made.parse_args()
    if not cells.wanted("packing-libreoffice", options):
        return
    from transformers import AutoModelForCausalLM, AutoTokenizer

    reader = AutoTokenizer.from_pretrained(options.models / "smollm2")
    network = AutoModelForCausalLM.from_pretrained(options.models / "smollm2", dtype=torch.float32).train()
    padded = given_of(options, reader)
    assert packable(network, padded)  # noqa: S101 - else nothing would be compared
    ways = {"padded": padded, "packed": replace(padded, packed=True)}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, given in ways.items():
            found[name].append(measured(network, given))
    seconds = {name: [round(one[0], 2) for one in some] for name, some in found.items()}
    cells.write(
        "packing-libreoffice",
        command="python benchmarks/packing.py --data DATA --models MODELS",
        seed=0,
        value=round(min(seconds["padded"]) / min(seconds["packed"]), 3),
        n=ROWS,
        unit="times fewer seconds of the processor",
        processor_seconds=seconds,
        losses={name: some[0][1] for name, some in found.items()},
        mean_tokens=float(padded.lengths_N.mean()),
        most_tokens=int(padded.lengths_N.max()),
        warm=True,
    )


if __name__ == "__main__":
    main()
