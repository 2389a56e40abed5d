"""Pairs of texts: does the second say the same as the first? Two columns in, one label out.

python examples/pairs.py [--model FOLDER_OR_HUB_ID]
"""

from __future__ import annotations

import argparse
import random
import tempfile

import deepen

ASKED = {
    "refund": ("how do I get my money back", "can I have a refund"),
    "parcel": ("where is my parcel", "when will it come"),
}


def pairs(num: int) -> list[dict[str, str]]:
    """Rows with two texts and a label."""
    chance = random.Random(0)
    found = []
    for at in range(num):
        one, other = chance.choice(list(ASKED)), chance.choice(list(ASKED))
        texts = chance.choice(ASKED[one]), chance.choice(ASKED[other])
        label = "same" if one == other else "different"
        found.append({"sentence1": f"{texts[0]}, number {at}", "sentence2": texts[1], "label": label})
    return found


def main() -> None:
    """Runs the example."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", help="a pretrained model; else all-MiniLM-L6-v2")
    with tempfile.TemporaryDirectory() as folder:
        run = deepen.train(
            pairs(300),
            task="matching",
            model=options.parse_args().model,
            out=f"{folder}/run",
            rungs=["majority", "lexical", "frozen"],
        )
        print("chosen:", run.chosen)
        asked = {"sentence1": "can I have a refund", "sentence2": "how do I get my money back"}
        for prediction in deepen.load(run.folder).predict([asked]):
            print(prediction.output)


if __name__ == "__main__":
    main()
