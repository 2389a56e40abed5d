"""Named entities: sentences as tokens with tags, trained and asked from Python, without a file.

python examples/entities.py [--model FOLDER_OR_HUB_ID]
"""

from __future__ import annotations

import argparse
import random
import tempfile
from typing import Any

import deepen

# a person or a place: the words beside it decide
NAMES = ("Mara", "Otto", "Paris", "Lin", "Florence", "Austin", "Sydney", "Jun")


def sentences(num: int) -> list[dict[str, Any]]:
    """Rows with tokens and one tag for each, in the scheme IOB2."""
    chance = random.Random(0)
    found = []
    for at in range(num):
        person, place = chance.choice(NAMES), chance.choice(NAMES)
        tokens = [person, *chance.choice(("flew to", "lives in", "writes from")).split(), place, "since", str(at)]
        found.append({"tokens": tokens, "tags": ["B-PER", "O", "O", "B-LOC", "O", "O"]})
    return found


def main() -> None:
    """Runs the example."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", help="a pretrained model; else all-MiniLM-L6-v2")
    with tempfile.TemporaryDirectory() as folder:
        run = deepen.train(
            sentences(300),
            task="tagging",
            model=options.parse_args().model,
            out=f"{folder}/run",
            rungs=["majority", "lexical"],
        )
        print("chosen:", run.chosen)
        for prediction in deepen.load(run.folder).predict(["Sydney flew to Paris since 7"]):
            print(prediction.output)


if __name__ == "__main__":
    main()
