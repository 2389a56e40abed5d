"""What masking costs a task: banking77 with personal data in half of its rows, learned as it is and masked.

To every second row a sentence with a mail address, a card, a phone number, an IBAN or an IP address is added. Two
runs of the rungs lexical and frozen learn from the same rows, one with `--mask`; `deepen compare` pairs their answers.

    python benchmarks/masking_cost.py --data DATA [--rows 4000]
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import cells
import masking
import watched

import ladder

NAME = "masking.cost"
SAYINGS = ("Write to {}.", "My details: {}.", "You have {} on file.")
MAKERS = (masking.mail, masking.card, masking.phone_en, masking.bank, masking.ip)


def with_personal(rows: list[watched.Row]) -> list[watched.Row]:
    """Rows, every second with a personal detail."""
    chance = random.Random(0)
    return [
        (f"{text} {chance.choice(SAYINGS).format(chance.choice(MAKERS)(chance))}" if at % 2 else text, label)
        for at, (text, label) in enumerate(rows)
    ]


def main() -> None:
    """Trains both runs and compares them on the test rows."""
    made = cells.parser(__doc__ or "")
    made.add_argument("--rows", type=int, default=4_000, help="the most training rows")
    options = made.parse_args()
    if not cells.wanted(NAME, options):
        return
    folder = options.work / "masking_cost"
    shutil.rmtree(folder, ignore_errors=True)
    files: list[Path] = []
    for part in ("train", "test"):
        rows = watched.shuffled(watched.banking(options.data / "banking77" / f"{part}.csv"))[: options.rows]
        files.append(watched.write(folder / f"{part}.csv", with_personal(rows)))
    for name, more in (("plain", []), ("masked", ["--mask"])):
        command = [ladder.DEEPEN, "train", str(files[0]), "--rungs", "lexical,frozen", "--out", str(folder / name)]
        cells.run([*command, *more, "-q"], environment={"DEEPEN_CACHE": str(folder / "cache")})
    words = [ladder.DEEPEN, "compare", *(str(folder / name) for name in ("plain", "masked")), str(files[1]), "--json"]
    _, _, said = cells.run(words)
    [score] = [one for one in json.loads(said)["scores"] if one["name"] == "accuracy"]
    change = score["difference"]
    cells.write(
        NAME,
        command="python benchmarks/masking_cost.py --data DATA",
        seed=0,
        value=round(100 * change["value"], 2),
        n=min(len(rows), options.rows),
        unit="points of accuracy, masked less plain",
        interval=[round(100 * change[end], 2) for end in ("low", "high")],
        accuracy={"plain": score["a"], "masked": score["b"]},
    )


if __name__ == "__main__":
    main()
