"""A thousand planted near-duplicates in a million rows: how many are found, in what time and memory.

The rows are made from a seed: most are sentences of words with frequencies as in a language, a twentieth fill one of
200 templates, as mails of a shop do. A planted pair is a sentence and itself with 5 % of its characters edited (a third
each replaced, inserted, deleted), far apart in the file. A pair is found if both are in one group. Seconds are those of
a fresh process that reads the CSV into the cache and searches it.

    python benchmarks/near_duplicates.py [--rows 1000000] [--work /tmp/deepen-bench] [--again]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from itertools import accumulate
from pathlib import Path

import cells

NAME = "near_duplicates"
COMMAND = "python benchmarks/near_duplicates.py"
PAIRS, EDITED, SEED = 1_000, 0.05, 0
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SEARCH = """
import json, sys, time
began = time.monotonic()
from deepen.data.load import DataSettings, Need, load_table
from deepen.data.near import NearSettings, near_duplicates
needs = (Need("text", "text"), Need("label", "category"))
table, _ = load_table(sys.argv[1], needs, DataSettings())
read = time.monotonic() - began
groups = near_duplicates([table.all_rows()], NearSettings())
searched = time.monotonic() - began - read
pairs = json.load(open(sys.argv[2]))
near = groups.near_N
found = sum(int(near[i] >= 0 and near[i] == near[j]) for i, j in pairs["planted"])
planted = {row for pair in pairs["planted"] for row in pair}
others = sum(int(near[i] >= 0) for i in range(len(near)) if i not in planted and i % 20)
assert groups.searched
print(json.dumps({"found": found, "others": others, "read": read, "searched": searched}))
"""


def edited(text: str, chance: random.Random) -> str:
    """The text with a share of its characters edited."""
    chars = list(text)
    for at in sorted(chance.sample(range(len(chars)), max(1, round(EDITED * len(chars)))), reverse=True):
        kind = chance.randrange(3)
        if kind == 0:
            chars[at] = chance.choice(LETTERS)
        elif kind == 1:
            chars.insert(at, chance.choice(LETTERS))
        else:
            del chars[at]
    return "".join(chars)


def write_rows(path: Path, num_rows: int) -> list[tuple[int, int]]:
    """Writes the CSV; returns the rows of each planted pair."""
    chance = random.Random(SEED)
    words = ["".join(chance.choices(LETTERS, k=chance.choice((2, 3, 4, 5, 6, 7, 8, 9)))) for _ in range(30_000)]
    weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))
    templates = [chance.choices(words, cum_weights=weights, k=14) for _ in range(200)]
    pairs = min(PAIRS, num_rows // 10)
    places = [row for row in chance.sample(range(num_rows), 3 * pairs) if row % 20][: 2 * pairs]
    planted = [(places[2 * pair], places[2 * pair + 1]) for pair in range(pairs)]
    twins = {max(pair): min(pair) for pair in planted}
    originals = set(twins.values())
    kept: dict[int, str] = {}
    with path.open("w", encoding="utf-8") as out:
        out.write("text,label\n")
        for row in range(num_rows):
            if row in twins:
                text = edited(kept[twins[row]], chance)
            elif row % 20 == 0:
                filled = list(chance.choice(templates))
                filled[3], filled[9] = str(chance.randrange(100_000)), chance.choice(words)
                text = " ".join(filled)
            else:
                text = " ".join(chance.choices(words, cum_weights=weights, k=chance.randint(8, 30)))
            if row in originals:
                kept[row] = text
            out.write(f"{text},{row % 2}\n")
    return planted


def main() -> None:
    """Makes the rows, searches them in a fresh process and writes the cell."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--work", type=Path, default=Path("/tmp/deepen-bench"))
    options.add_argument("--again", action="store_true", help="measure although the cell is there")
    asked = options.parse_args()
    name = NAME if asked.rows == 1_000_000 else f"{NAME}-{asked.rows}"
    if (cells.CELLS / f"{name}.json").is_file() and not asked.again:
        return
    folder = asked.work / name
    folder.mkdir(parents=True, exist_ok=True)
    planted = write_rows(folder / "rows.csv", asked.rows)
    (folder / "pairs.json").write_text(json.dumps({"planted": planted}))
    os.environ["DEEPEN_CACHE"] = str(folder / f"cache-{os.getpid()}")
    seconds, peak, out = cells.run([sys.executable, "-c", SEARCH, str(folder / "rows.csv"), str(folder / "pairs.json")])
    told = json.loads(out.splitlines()[-1])
    recall = told["found"] / len(planted)
    # Wilson's interval
    n, z = len(planted), 1.96
    middle = (recall + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (recall * (1 - recall) / n + z * z / (4 * n * n)) ** 0.5
    cells.write(
        name,
        command=COMMAND + ("" if name == NAME else f" --rows {asked.rows}"),
        seed=SEED,
        value=recall,
        n=n,
        interval=[round(middle - half, 4), round(middle + half, 4)],
        unit="recall of planted pairs",
        rows=asked.rows,
        seconds=round(seconds, 1),
        seconds_reading=round(told["read"], 1),
        seconds_searching=round(told["searched"], 1),
        peak_memory_bytes=peak,
        other_rows_grouped=told["others"],
    )


if __name__ == "__main__":
    main()
