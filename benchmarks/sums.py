"""How good a sum of adapters is: LoRA on Chinese hotel reviews and LoRA on reviews of clothes, by `deepen.compose`.

    python benchmarks/sums.py --data DATA --models MODELS

One cell: accuracy on 1,000 test rows of each domain, of each adapter alone, of their sum, by TIES, and of one adapter
that learned from the rows of both. `above_one_alone` is the sum's gain over what the two adapters have right on
average, over all test rows, with its interval.
"""

from __future__ import annotations

import csv
import itertools
import random
from pathlib import Path

import cells
import numpy as np
import train
from few_shot import above, write

import deepen

DOMAINS = {"hotels": "酒店", "clothes": "衣服"}
ROWS, VALIDATION, TEST = 1500, 500, 1000


def drawn(domain: str, data: Path) -> list[dict]:
    """The rows of a domain, shuffled."""
    with (data / "online_shopping_10_cats" / "online_shopping_10_cats.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["cat"] == domain and row["review"].strip()]
    random.Random(0).shuffle(rows)
    return [{"text": row["review"], "label": row["label"]} for row in rows]


def right(model: deepen.Model, rows: list[dict]) -> np.ndarray:
    """Which rows a model has right."""
    said = model.predict([row["text"] for row in rows])
    return np.array([int(one.output == row["label"]) for one, row in zip(said, rows, strict=True)])


def main() -> None:
    """Measures it, unless that is done."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--models", type=Path, required=True, help="the folder with the models")
    options = parser.parse_args()
    if not cells.wanted("tuning-sums", options):
        return
    given = ("--rungs", "frozen,full", "--tuning", "lora", "--thorough")
    parts, runs = {}, {}
    for name, domain in DOMAINS.items():
        rows = drawn(domain, options.data)
        parts[name] = [rows[low:high] for low, high in itertools.pairwise(np.cumsum([0, ROWS, VALIDATION, TEST]))]
    parts["both"] = [[*one, *two] for one, two in zip(*parts.values(), strict=True)]
    for name, (learned, held, test) in parts.items():
        folder = options.work / "sums" / name
        write(folder, train=learned, validation=held, test=test)
        model = train.model_of("chnsenticorp_htl", options)
        runs[name] = train.climbed(f"tuning-sums-{name}", folder, options, *given, "--model", model)[-1]
    models = {name: deepen.load(run, rung="full") for name, run in runs.items()}
    two = [runs[name] for name in DOMAINS]
    models |= {by: deepen.compose(two, by=by, rung="full") for by in ("sum", "ties")}
    found = {name: {domain: right(model, parts[domain][2]) for domain in DOMAINS} for name, model in models.items()}
    alone = np.concatenate([np.mean([found[name][domain] for name in DOMAINS], axis=0) for domain in DOMAINS])
    summed = {by: np.concatenate([found[by][domain] for domain in DOMAINS]) for by in ("sum", "ties", "both")}
    cells.write(
        "tuning-sums",
        command="python benchmarks/sums.py --data DATA --models MODELS",
        seed=0,
        value=round(float(summed["sum"].mean()), 4),
        n=len(summed["sum"]),
        metric="accuracy of the sum on test rows of both domains",
        accuracy={
            name: {domain: round(float(one.mean()), 4) for domain, one in said.items()} for name, said in found.items()
        },
        above_one_alone=above(summed["sum"], alone),
        above_ties=above(summed["sum"], summed["ties"]),
        above_one_of_both=above(summed["sum"], summed["both"]),
    )


if __name__ == "__main__":
    main()
