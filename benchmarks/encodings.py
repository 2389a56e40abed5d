"""Two ways to give Chinese characters to a tokenizer with word-start marks, on weibo_ner.

    python benchmarks/encodings.py --data DATA --models MODELS

`text`: the row is read as a text, and pieces that hold several characters are split without the mark (what Deepen
does). `words`: each character is read as a word by itself, so that most become a bare mark and a piece; the last piece
carries the label. Cells hold the validation entity F1 of `frozen` and of `top_layers`.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import cells

PROGRAM = """
import json, sys
import numpy as np
import deepen.tasks.tagging as tagging
from deepen.core.types import Sequences

def words(tokenizer, texts, places, *, max_tokens):
    backend = tokenizer.backend
    plain, whole = backend.encode("a", add_special_tokens=False).ids, backend.encode("a").ids
    at = next(i for i in range(len(whole)) if whole[i : i + len(plain)] == plain)
    before, after = whole[:at], whole[at + len(plain) :]
    ids, lengths, units, counts = [], [], [], []
    for text, spots in zip(texts, places):
        row, last = list(before), []
        for start, end in spots[: (max_tokens - len(before) - len(after)) // 3]:
            row += backend.encode(text[start:end], add_special_tokens=False).ids or [0]
            last.append(len(row) - 1)
        last += [len(row) - 1] * (len(spots) - len(last))
        row += after
        ids += row
        lengths.append(len(row))
        units += last
        counts.append(len(spots))
    return Sequences(np.asarray(ids, np.int32), np.asarray(lengths), np.zeros(len(counts), bool),
                     units_M=np.asarray(units, np.int64), unit_counts_B=np.asarray(counts))

if sys.argv[1] == "words":
    tagging.encode_units = words
import deepen
run = deepen.train(sys.argv[2], validation=sys.argv[3], model=sys.argv[4], out=sys.argv[5], overwrite=True,
                   rungs=["frozen", "top_layers"])
print(json.dumps([[row["score"]["value"], row["score"]["low"], row["score"]["high"]] for row in run.ladder["rungs"]]))
"""


def main() -> None:
    """Measures what is not measured yet."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--models", type=Path, required=True, help="the folder that holds e5-small-zh-en")
    options = parser.parse_args()
    for how in ("text", "words"):
        name = f"encoding-weibo-{how}"
        if not cells.wanted(name, options):
            continue
        files = [str(options.data / "weibo_ner" / f"weiboNER_2nd_conll.{part}") for part in ("train", "dev")]
        out = options.work / "runs" / name
        command = [sys.executable, "-c", PROGRAM, how, *files, str(options.models / "e5-small-zh-en"), str(out)]
        cache = str(options.work / "cache" / name)
        shutil.rmtree(cache, ignore_errors=True)
        seconds, peak, printed = cells.run(command, environment={"DEEPEN_CACHE": cache})
        frozen, top = json.loads(printed.strip().splitlines()[-1])
        cells.write(
            name,
            command="python benchmarks/encodings.py --data DATA --models MODELS",
            seed=0,
            value=round(top[0], 4),
            n=270,
            metric="validation entity_f1 of top_layers",
            interval=[round(top[1], 4), round(top[2], 4)],
            frozen=round(frozen[0], 4),
            seconds=round(seconds, 1),
            peak_memory_bytes=peak,
        )


if __name__ == "__main__":
    main()
