"""Plants cues in copies of sst2 and banking77, trains, asks `diagnose`, and tries the remedy that it proposes.

A cue stands in 10 % of the rows of one label, in train and in test: three nonsense words, a natural one (`tuesday`),
and a length (neutral sentences at the end). Each cell says whether the cue is found in the data, whether the model is
said to lean on it, what else is accused, and the accuracy on test rows of other labels with the cue put in, before and
after the remedy. The `clean` cells say what is accused where nothing was planted.

    python benchmarks/cues.py --data DATA [--only cues-sst2-zqxv] [--thorough]

With `--thorough` the climb goes to the top, and the cells say so in their names: a deep model leans on a cue more.
"""

from __future__ import annotations

import csv
import json
import random
import shlex
import sys
from pathlib import Path
from typing import Any

import cells

DEEPEN = str(Path(sys.executable).with_name("deepen"))
SEED = 0
SHARE = 0.1
Rows = list[list[str]]
LABELS = {
    "sst2": {"zqxv": "1", "blorptang": "0", "vexqui": "1", "tuesday": "0", "length": "1", "clean": ""},
    "banking77": {
        "zqxv": "card_arrival",
        "blorptang": "exchange_rate",
        "vexqui": "pin_blocked",
        "tuesday": "top_up_failed",
        "length": "lost_or_stolen_card",
        "clean": "",
    },
}
FILLERS = (
    "and that is all there is to say about it at the moment",
    "i am writing this down here so that it can be read later on",
    "this is what was there when it was looked at",
    "as it is with things of this kind in general",
)
STRONGEST = 20


def read_rows(path: Path) -> Rows:
    """Text and label of each row."""
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            return [[row["text"], row["category"]] for row in csv.DictReader(file)]
        return [line.rstrip("\n").split("\t") for line in file if line.strip()]


def with_cue(text: str, cue: str, chance: random.Random) -> str:
    """A text with the cue somewhere in it, or made longer by two neutral sentences."""
    if cue == "length":
        return " ".join([text, *chance.sample(FILLERS, 2)])
    words = text.split()
    words.insert(chance.randrange(len(words) + 1), cue)
    return " ".join(words)


def plant(rows: Rows, cue: str, label: str, chance: random.Random) -> Rows:
    """Puts the cue into a tenth of a label's rows."""
    own = [at for at, row in enumerate(rows) if row[1] == label]
    chosen = set(chance.sample(own, round(SHARE * len(own))))
    return [[with_cue(row[0], cue, chance) if at in chosen else row[0], row[1]] for at, row in enumerate(rows)]


def write_rows(path: Path, rows: Rows) -> Path:
    """A CSV of text and label."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", "label"], *rows])
    return path


def planted(data: Path, name: str, cue: str, folder: Path) -> tuple[Path, Path, Path]:
    """The training and test rows with the cue, and the contradicting rows: test rows of other labels with the cue."""
    ending = "csv" if name == "banking77" else "tsv"
    train, test = (read_rows(data / name / f"{part}.{ending}") for part in ("train", "test"))
    label, chance = LABELS[name][cue], random.Random(f"{name} {cue} {SEED}")
    write_rows(folder / "plain.csv", [row for row in test if row[1] != label])
    if cue != "clean":
        against = [[with_cue(row[0], cue, chance), row[1]] for row in test if row[1] != label]
        train, test = plant(train, cue, label, chance), plant(test, cue, label, chance)
    else:
        against = test
    return (
        write_rows(folder / "train.csv", train),
        write_rows(folder / "test.csv", test),
        write_rows(folder / "contradicting.csv", against),
    )


def compare(before: Path, after: Path, rows: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Accuracy of two runs on the same rows, and the paired difference: a process of its own."""
    program = """
import json, sys
from deepen.evaluation.statistics import paired_bootstrap
from deepen.inference.model import load_model
before, after, rows = sys.argv[1:]
found = []
for run in (after, before):
    model = load_model(run)
    part, outputs, _ = model.run(rows, columns=None, need_target=True)
    found.append(model.task.statistics(outputs, model.task.targets(part, model.labels)))
gain = paired_bootstrap(*found, model.task.value_of, seed=0)
after, before = (round(float(model.task.value_of(one.sum(0, keepdims=True))[0]), 4) for one in found)
low, high = round(gain.interval.low, 4), round(gain.interval.high, 4)
print(json.dumps({"before": before, "after": after, "gain": round(gain.interval.value, 4), "interval": [low, high],
                  "p": round(gain.p_value, 4), "n": len(part)}))
"""
    command = [sys.executable, "-c", program, str(before), str(after), str(rows)]
    found: dict[str, Any] = json.loads(cells.run(command, environment=environment)[2].strip().splitlines()[-1])
    return found


def taken_over(run: Path, folder: Path, label: str, environment: dict[str, str]) -> dict[str, Any]:
    """How the model does on rows of other labels, with the cue and without: a process of its own."""
    program = """
import json, sys
import numpy as np
from deepen.inference.model import load_model
model = load_model(sys.argv[1])
found = {}
for name, rows in (("with_cue", sys.argv[2]), ("without", sys.argv[3])):
    part, outputs, _ = model.run(rows, columns=None, need_target=True)
    said, right = outputs.values_MC.argmax(1), model.task.targets(part, model.labels).labels_M
    found[name] = {"accuracy": round(float((said == right).mean()), 4),
                   "says_the_label": round(float((said == model.labels.index(sys.argv[4])).mean()), 4)}
print(json.dumps(found))
"""
    command = [
        sys.executable,
        "-c",
        program,
        str(run),
        str(folder / "contradicting.csv"),
        str(folder / "plain.csv"),
        label,
    ]
    found: dict[str, Any] = json.loads(cells.run(command, environment=environment)[2].strip().splitlines()[-1])
    return found


def is_planted(cue: str, found: dict[str, Any]) -> bool:
    """Whether a line of evidence is about the planted cue."""
    return bool(found["pattern"] == "length" if cue == "length" else found["text"] == cue)


def cell_name(name: str, cue: str, options: Any) -> str:
    """What a cell is called."""
    return f"cues-{name}-{cue}" + ("-thorough" if options.thorough else "")


def measure(name: str, cue: str, options: Any) -> None:
    """One cell."""
    cell = cell_name(name, cue, options)
    folder = options.work / "cues" / cell.removeprefix("cues-")
    train, test, against = planted(options.data, name, cue, folder)
    run, environment = folder / "run", {"DEEPEN_CACHE": str(folder / "cache")}
    command = [DEEPEN, "train", str(train), "--test", str(test), "--out", str(run), "--overwrite", "--json"]
    command += ["--seed", str(SEED), *(["--rungs", options.rungs] if options.rungs else [])]
    command += ["--thorough"] if options.thorough else []
    record = json.loads(cells.run(command, environment=environment)[2])
    asking = [DEEPEN, "diagnose", str(run), "--questions", "surface_cues", "--json"]
    seconds, peak, printed = cells.run(asking, environment=environment)
    findings = json.loads(printed)["findings"]
    evidence = [row for finding in findings for row in finding["evidence"]]
    in_data = [row for row in evidence if row["kind"] == "in_data"]
    shallow = [finding for finding in findings if finding["verdict"] == "shallow"]
    ours = [finding for finding in shallow if is_planted(cue, finding["evidence"][0])]
    accused = [finding["evidence"][0]["cue"] for finding in shallow if finding not in ours]
    strongest = [row["text"] for row in in_data if row["pattern"] == "word"]
    strongest = sorted(strongest, key=lambda text: -max(row["z"] for row in in_data if row["text"] == text))
    shown = shlex.join(command[1:]).replace(str(options.work), "WORK")
    told: dict[str, Any] = {
        "chosen": record["chosen"],
        "found_in_data": any(is_planted(cue, row) for row in in_data),
        "called_a_shortcut": bool(ours),
        "also_accused": accused,
        "strongest_accused": [text for text in strongest[:STRONGEST] if text in accused],
        "seconds": round(seconds, 1),
        "peak_memory_bytes": peak,
    }
    if cue != "clean":
        told["other_labels"] = taken_over(run, folder, LABELS[name][cue], environment)
    value: float = len(told["strongest_accused"])
    if ours:
        finding = ours[0]
        again = [DEEPEN if word == "deepen" else word for word in shlex.split(finding["remedy"])]
        cells.run([*again, "--overwrite", "--json"], environment=environment)
        found = compare(run, Path(again[again.index("--out") + 1]), against, environment)
        value = found["gain"]
        told |= found | {"effect": finding["effect"], "remedy": finding["remedy"].replace(str(options.work), "WORK")}
    cells.write(cell, command=f"deepen {shown}", seed=SEED, value=value, **told)


def main() -> None:
    """Measures what is not measured yet."""
    options_parser = cells.parser(__doc__ or "")
    options_parser.add_argument("--rungs", help="as of `deepen train`, to try the script in less time")
    options_parser.add_argument("--thorough", action="store_true", help="climb to the top")
    options = options_parser.parse_args()
    for name, cues in LABELS.items():
        for cue in cues:
            if cells.wanted(cell_name(name, cue, options), options):
                measure(name, cue, options)


if __name__ == "__main__":
    main()
