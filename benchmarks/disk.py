"""How much of a disk 35 small runs take, and what is kept between them.

    python benchmarks/disk.py --data DATA [--work W]

Five draws of 100 rows from each of seven sets, trained as they come. `value` is what the runs take together;
`without_sharing` is what they would take if no run shared a file with another, as in 0.1.0, where runs shared none.
"""

from __future__ import annotations

import csv
import io
import os
import random
import shutil
from pathlib import Path

import cells

import ladder

SETS = {
    "sst2": "sst2/train.tsv",
    "banking77": "banking77/train.csv",
    "trec": "trec/TREC.train",
    "hotels": "chnsenticorp_htl/ChnSentiCorp_htl_all.csv",
    "thucnews": "thucnews/dev.txt",
    "ocnli": "ocnli/dev.txt",
    "sick": "sick/SICK_train.txt",
}
DRAWS, ROWS, FEW = 5, 100, 4
HEADED = ("banking77", "hotels", "sick")


def draw(path: Path, seed: int, out: Path, *, headed: bool, few: bool) -> Path:
    """A file of some rows of another; `few` takes rows with few labels."""
    lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    if path.suffix == ".csv":  # whose cells may have several lines
        with path.open(encoding="utf-8", newline="") as file:
            rows = [[cell.replace("\n", " ") for cell in row] for row in csv.reader(file) if row]
        labels = sorted({row[-1] for row in rows[1:]})[:FEW]  # of 77 labels a hundred rows have one each
        written = io.StringIO()
        csv.writer(written).writerows(row for at, row in enumerate(rows) if not (few and at) or row[-1] in labels)
        lines = written.getvalue().splitlines()
    head, lines = (lines[:1], lines[1:]) if headed else ([], lines)
    picked = random.Random(seed).sample(lines, min(ROWS, len(lines)))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join([*head, *picked]) + "\n", encoding="utf-8")
    return out


def size(*folders: Path, seen: set[int] | None = None) -> int:
    """Bytes on the disk; a file that has several names counts once among what was `seen`."""
    seen = set() if seen is None else seen
    total = 0
    for path in (file for folder in folders for file in folder.rglob("*")):
        about = path.lstat()
        if path.is_file() and about.st_ino not in seen:
            seen.add(about.st_ino)
            total += about.st_blocks * 512
    return total


def main() -> None:
    """Measures what is not measured yet."""
    options = cells.parser(__doc__ or "").parse_args()
    name = "disk-35-runs"
    if not cells.wanted(name, options):
        return
    work = options.work / name
    shutil.rmtree(work, ignore_errors=True)
    seconds = 0.0
    for called, path in SETS.items():
        for seed in range(DRAWS):
            source = options.data / path
            headed, few = called in HEADED, called == "banking77"
            rows = draw(source, seed, work / "rows" / f"{called}-{seed}{source.suffix}", headed=headed, few=few)
            command = [ladder.DEEPEN, "train", str(rows), "--out", str(work / "runs" / rows.stem), "-q"]
            took, _, _ = cells.run(command, environment={"DEEPEN_CACHE": str(work / "cache")})
            seconds += took
    runs = sorted((work / "runs").iterdir())
    alone, together = sum(size(run) for run in runs), size(*runs)
    kept = size(work / "cache", seen={os.lstat(file).st_ino for run in runs for file in run.rglob("*")})
    cells.write(
        name,
        command="python benchmarks/disk.py --data DATA",
        seed=0,
        value=together,
        n=len(runs),
        unit="bytes",
        without_sharing=alone,
        share=round(together / alone, 3),
        cache=kept,
        seconds=round(seconds, 1),
    )


if __name__ == "__main__":
    main()
