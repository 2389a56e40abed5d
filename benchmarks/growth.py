"""How the seconds of the cheap rungs grow with the rows: `lexical` to a million, `frozen` to a hundred thousand.

    python benchmarks/growth.py --data DATA
    python benchmarks/growth.py --data DATA --draw      # docs/growth.svg from the cells

Rows are windows of 8 to 30 words of WikiText-2, the label is the tenth of the text that a window comes from, so words
are as frequent as they really are and there is something to learn. Each size is a process of its own with cold caches;
a cell holds the seconds of the rung itself, from ladder.json.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
import sys
from pathlib import Path

import cells

DEEPEN = str(Path(sys.executable).with_name("deepen"))
SIZES = {"lexical": (10_000, 100_000, 1_000_000), "frozen": (10_000, 30_000, 100_000)}
COMMAND = "python benchmarks/growth.py --data DATA"


def make(path: Path, words: list[str], rows: int, seed: int) -> int:
    """Writes windows of the text; returns how many words they have in all."""
    chance = random.Random(seed)
    total = 0
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["text", "label"])
        for _ in range(rows):
            length, at = chance.randint(8, 30), chance.randrange(len(words) - 30)
            writer.writerow([" ".join(words[at : at + length]), f"tenth {10 * at // len(words)}"])
            total += length
    return total


def measure(rung: str, rows: int, words: list[str], options) -> None:
    """One size of one rung."""
    name = f"growth-{rung}-{rows}"
    if not cells.wanted(name, options):
        return
    folder = options.work / "growth"
    folder.mkdir(parents=True, exist_ok=True)
    total = make(folder / "train.csv", words, rows, 0)
    make(folder / "validation.csv", words, 2000, 1)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    command = [DEEPEN, "train", str(folder / "train.csv"), "--validation", str(folder / "validation.csv")]
    command += ["--rungs", rung, "--set", "data.check=false", "--out", str(folder / "run"), "--overwrite", "--json"]
    if rung == "frozen":
        command += ["--set", "rungs.frozen.keep_layers=false"]
    seconds, peak, printed = cells.run(command, environment={"DEEPEN_CACHE": str(folder / "cache")})
    row = json.loads(printed)["rungs"][0]
    cells.write(
        name,
        command=COMMAND,
        seed=0,
        value=row["seconds"],
        unit="seconds of the rung",
        n=rows,
        words=total,
        microseconds_per_word=round(1e6 * row["seconds"] / total, 2),
        accuracy=round(row["score"]["value"], 4),
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
    )
    shutil.rmtree(folder / "cache", ignore_errors=True)


def draw() -> None:
    """Seconds against words, both in powers of ten, with a line of slope 1 through the smallest size."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "growth"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4))
    for rung, sizes in SIZES.items():
        paths = [cells.CELLS / f"growth-{rung}-{rows}.json" for rows in sizes]
        found = [json.loads(path.read_text()) for path in paths if path.is_file()]
        words, seconds = [row["words"] for row in found], [row["value"] for row in found]
        [line] = axes.plot(words, seconds, "o-", label=rung)
        axes.plot(words, [seconds[0] * w / words[0] for w in words], ":", color=line.get_color(), label="linear")
    axes.set(xscale="log", yscale="log", xlabel="words of the training rows", ylabel="seconds of the rung")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(cells.ROOT / "docs" / "growth.svg", bbox_inches="tight", metadata={"Date": None})


def main() -> None:
    """Measures what is not measured yet."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--draw", action="store_true", help="only draw")
    options = parser.parse_args()
    if not options.draw:
        texts = sorted((options.data / "text_wikitext2").glob("*.txt"))
        words = [word for path in texts for word in path.read_text(encoding="utf-8").split()]
        for rung, sizes in SIZES.items():
            for rows in sizes:
                measure(rung, rows, words, options)
    draw()


if __name__ == "__main__":
    main()
