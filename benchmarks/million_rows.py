"""Read, split and tokenise a CSV of a million rows: seconds and peak memory of the whole process.

python benchmarks/million_rows.py --data . --rows 1000000
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

import cells

_WORDS = (
    "the a of card pay bank time good bad not very film plot act line slow fast cash fee refund late early help".split()
)


def make(path: Path, rows: int) -> None:
    """A CSV with about 100 characters of text a row, five labels, all rows different."""
    chance = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["text", "label"])
        for number in range(rows):
            text = " ".join(chance.choices(_WORDS, k=chance.randint(8, 30)))
            writer.writerow([f"{text} {number}", f"class {number % 5}"])


def measure(path: str) -> None:
    """What `deepen train` does before the first rung."""
    from deepen.preparation.prepare import prepare
    from deepen.preparation.read import Sources
    from deepen.preparation.recipe import make_recipe

    prepared = prepare(make_recipe({"data": {"path": path}}), Sources(), Path("unused"), say=lambda line: print(line))
    tokens = prepared.work.tokens(prepared.work.problem.train.table)
    print(len(tokens.ids_T), "tokens")


def main() -> None:
    """Makes the file, measures in a process of its own."""
    options_parser = cells.parser(__doc__ or "")
    options_parser.add_argument("--rows", type=int, default=1_000_000)
    options_parser.add_argument("--measure", help="internal")
    options = options_parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    name = f"read-split-tokenise-{options.rows}"
    if not cells.wanted(name, options):
        return
    options.work.mkdir(parents=True, exist_ok=True)
    path = options.work / f"rows-{options.rows}.csv"
    make(path, options.rows)
    command = [sys.executable, __file__, "--data", ".", "--measure", str(path)]
    cache = options.work / "cache" / f"{name}-{random.randrange(1 << 30)}"
    seconds, peak, printed = cells.run(command, environment={"DEEPEN_CACHE": str(cache)})
    cells.write(
        name,
        command=f"python benchmarks/million_rows.py --data . --rows {options.rows}",
        seed=0,
        value=peak,
        unit="bytes, peak memory",
        n=options.rows,
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
        tokens=int(printed.split()[-2]),
    )


if __name__ == "__main__":
    main()
