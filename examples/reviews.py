"""Train on a CSV file, read the table, answer new texts, and ask how the model gets its score.

    python examples/reviews.py [--model FOLDER_OR_HUB_ID]

The rows are made up, so that nothing is fetched but the model; with rows of your own start at `deepen.train`.
"""

from __future__ import annotations

import argparse
import csv
import random
import tempfile
from pathlib import Path

import deepen

GOOD = ("works well", "arrived early", "is a joy to use", "was worth the price", "lasts for days")
BAD = ("broke at once", "never arrived", "is hard to use", "was far too dear", "lasts an hour")
THINGS = ("phone", "lamp", "kettle", "camera", "printer", "radio", "watch", "charger")


def write_rows(path: Path, num: int) -> None:
    """A table of two columns, text and label."""
    chance = random.Random(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for at in range(num):
            label, said = ("good", GOOD) if at % 2 else ("bad", BAD)
            rows.writerow([f"the {chance.choice(THINGS)} {chance.choice(said)}, order {at}", label])


def main() -> None:
    """Runs the example."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", help="a pretrained model; else all-MiniLM-L6-v2")
    model_name = options.parse_args().model
    with tempfile.TemporaryDirectory() as folder:
        table, out = Path(folder, "reviews.csv"), Path(folder, "run")
        write_rows(table, 400)
        run = deepen.train(table, model=model_name, out=out, rungs=["majority", "lexical", "frozen"])
        for row in run.ladder.rungs:
            print(f"{row.rung:<10} {row.score['value']:.3f}" if row.score else f"{row.rung:<10} {row.reason}")
        model = deepen.load(out)
        for prediction in model.predict(["the kettle broke at once", "this radio is a joy to use"]):
            print(prediction.output, {label: round(p, 3) for label, p in (prediction.probabilities or {}).items()})
        for finding in deepen.diagnose(run, table, questions=["depth"]):
            print(finding.question, finding.verdict)


if __name__ == "__main__":
    main()
