"""Failing calls of every command with --json: exactly one object on stdout, and the exit code of the contract.

Sixty calls that a person gets wrong (2), one that is stopped from the keyboard (130), one that meets a bug (1).

    python benchmarks/errors_json.py
    python benchmarks/errors_json.py --deepen OLD/src --work /tmp/errors
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import cells
from calls import Call, Version
from fuzz_inputs import SEEDS

KEYS = {"kind", "message", "file", "line", "column"}
TRAIN = ["train", "good.csv", "--rungs", "majority", "--out", "new"]
PREDICT = ["predict", "run"]
CALLS: tuple[list[str], ...] = (
    # train
    ["train", "nope.csv"],
    ["train"],
    ["train", "empty.csv"],
    ["train", "header.csv"],
    ["train", "binary.bin"],
    ["train", "ragged.csv"],
    ["train", "latin.csv"],
    ["train", "broken.json"],
    ["train", "half.parquet"],
    ["train", "one.csv", "--rungs", "majority"],
    ["train", "good.csv", "--nope"],
    ["train", "good.csv", "--rungs", "nope"],
    ["train", "good.csv", "--task", "nope"],
    ["train", "good.csv", "--task", "tagging", "--rungs", "majority"],
    ["train", "good.csv", "--columns", "text=nope"],
    ["train", "good.csv", "--columns", "text"],
    ["train", "good.csv", "--set", "nope=1"],
    ["train", "good.csv", "--set", "nope"],
    ["train", "good.csv", "--set", "seed=x"],
    ["train", "good.csv", "--set", "data.encoding=nope"],
    ["train", "good.csv", "--model", "nope/at/all", "--rungs", "frozen"],
    ["train", "good.csv", "--model", "empty-folder", "--rungs", "frozen"],
    ["train", "good.csv", "--recipe", "nope.yaml"],
    ["train", "--recipe", "bad.yaml"],
    ["train", "good.csv", "--budget", "soon"],
    ["train", "good.csv", "--seed", "x"],
    ["train", "good.csv", "--worth", "x"],
    ["train", "good.csv", "--tuning", "nope"],
    ["train", "good.csv", "--out", "run", "--rungs", "majority"],
    ["train", "good.csv", "--out", "good.csv", "--rungs", "majority"],
    ["train", "good.csv", "--resume", "--overwrite", "--out", "run"],
    [*TRAIN, "--labels", "nope.tsv"],
    [*TRAIN, "--labels", "binary.bin"],
    [*TRAIN, "--drop", "nope.csv"],
    [*TRAIN, "--fix", "good.csv"],
    [*TRAIN, "--add", "nope.csv"],
    [*TRAIN, "--unlabelled", "nope.txt"],
    [*TRAIN, "--test", "other.csv"],
    [*TRAIN, "--validation", "empty.csv"],
    # evaluate
    ["evaluate", "nope", "good.csv"],
    ["evaluate", "run", "nope.csv"],
    ["evaluate", "run"],
    ["evaluate", "run", "other.csv"],
    ["evaluate", "run", "good.csv", "--rung", "nope"],
    ["evaluate", "empty-folder", "good.csv"],
    # predict
    ["predict"],
    ["predict", "nope", "--text", "x"],
    [*PREDICT, "nope.csv"],
    PREDICT,
    [*PREDICT, "good.csv", "--text", "x"],
    [*PREDICT, "--text", "x", "--out", "p.xlsx"],
    [*PREDICT, "--text", "x", "--out", "good.csv/p.csv"],
    [*PREDICT, "--text", "x", "--rung", "nope"],
    [*PREDICT, "good.csv", "--columns", "text=nope"],
    [*PREDICT, "good.csv", "--set", "data.nope=1"],
    [*PREDICT, "--text", "x", "--adapter", "nope"],
    [*PREDICT, "--text", "x", "--weights", "1,2"],
    ["predict", "damaged", "--text", "x"],
    # check, diagnose, bench, models, no such command
    ["check", "nope.csv"],
    ["check", "good.csv", "--test", "nope.csv"],
    ["check"],
    ["diagnose", "nope"],
    ["diagnose", "run", "--questions", "nope"],
    ["diagnose", "run", "nope.csv"],
    ["models", "--nope"],
    ["bench", "--nope"],
    ["nope"],
)

INTERRUPTED = """
import os, signal, sys, threading, time
def stop():
    time.sleep(0.4)
    os.kill(os.getpid(), signal.SIGINT)
import deepen.cli.main as front
import deepen.api as api
threading.Thread(target=stop, daemon=True).start()
def slow(*a, **k):
    time.sleep(30)
api.check = slow
import deepen
deepen.check = slow
sys.argv = ["deepen", "check", "good.csv", "--json"]
front.main()
"""
A_BUG = """
import sys
import deepen.api as api
import deepen.cli.main as front
def bug(*a, **k):
    raise ZeroDivisionError("planted")
api.check = bug
sys.argv = ["deepen", "check", "good.csv", "--json"]
front.main()
"""


def objects(out: str) -> list[Any]:
    """All JSON values on a stream; a word that is none counts as one that is no object."""
    found, at, decoder = [], 0, json.JSONDecoder()
    while out[at:].strip():
        at += len(out[at:]) - len(out[at:].lstrip())
        try:
            value, at = decoder.raw_decode(out, at)
        except ValueError:
            return [*found, None]
        found.append(value)
    return found


def verdict(call: Call, code: int) -> str:
    """Empty where the call ended as the contract says."""
    found = objects(call.out)
    if call.stopped:
        return f"stopped for its {call.stopped}"
    if call.code != code:
        return f"exit {call.code}: {call.last[:90]}"
    if len(found) != 1 or not isinstance(found[0], dict):
        return f"{len(found)} values on stdout"
    if "findings" in found[0]:  # what a check found stands in its own record
        return "" if any(one["severity"] == "error" for one in found[0]["findings"]) else "a record without an error"
    error = found[0].get("error")
    if not isinstance(error, dict) or set(error) != KEYS:
        return f"an object with {sorted(found[0])}, of an error {sorted(error or ())}"
    if not error["message"] or (code == 2 and "\n" in error["message"].strip()):
        return "a message of several lines, or none"
    return ""


def inputs(folder: Path, version: Version) -> None:
    """The files that the calls name."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "good.csv": SEEDS["table.csv"],
        "empty.csv": b"",
        "header.csv": b"text,label\n",
        "binary.bin": bytes(range(256)) * 20,
        "ragged.csv": b"text,label\n" + b"a,b,c,d\n" * 20 + b"a,b\n" * 20,
        "latin.csv": SEEDS["table.csv"] + b"caf\xe9,good\n",
        "broken.json": b'[{"text": "a", "label": ',
        "half.parquet": SEEDS["rows.parquet"][:300],
        "one.csv": b"text,label\n" + b"".join(b"a film %d,good\n" % n for n in range(30)),
        "other.csv": b"text,label\n" + b"".join(b"a film %d,never seen\n" % n for n in range(30)),
        "bad.yaml": b"data: [\n",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "empty-folder").mkdir(exist_ok=True)
    for run in ("run", "damaged"):
        words = ["train", "good.csv", "--rungs", "majority,lexical", "--out", run, "--overwrite"]
        call = version.call(words, folder=folder) if run == "damaged" else None
        if call is None:
            version.warm(["train", str(folder / "good.csv"), "--rungs", "majority,lexical", "--out", str(folder / run)])
    for path in (folder / "damaged" / "model").glob("*.json"):
        path.unlink()
        path.write_text("{")


def main() -> None:
    """Makes the calls; prints the table and writes the cell."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--deepen", type=Path, default=cells.ROOT / "src", help="src of the version to try")
    made.add_argument(
        "--work", type=Path, default=Path("/tmp/deepen-bench/errors"), help="a folder for inputs and runs"
    )
    made.add_argument("--name", default="errors-json", help="the cell's name")
    made.add_argument("--bad", action="store_true", help="print only what is wrong")
    asked = made.parse_args()
    folder = (asked.work / "calls").resolve()
    version = Version(asked.deepen, asked.work / "version", asked.work / "cache")
    inputs(folder, version)
    rows: list[tuple[str, str]] = []
    for words in CALLS:
        call = version.call([*words, "--json"], folder=folder, limit=60)
        rows.append((" ".join(words), verdict(call, 2)))
    for name, program, code in (("Ctrl-C", INTERRUPTED, 130), ("a planted bug", A_BUG, 1)):
        rows.append((name, verdict(version.python(program, folder=folder, limit=20), code)))
    version.close()
    for words_said, wrong in rows:
        if wrong or not asked.bad:
            print(f"{'WRONG' if wrong else 'right':<6} {words_said[:70]:<70} {wrong}")
    counts = Counter("wrong" if wrong else "right" for _, wrong in rows)
    print(f"{counts['right']} of {len(rows)} calls end in one object and the right code")
    cells.write(
        asked.name,
        command="python benchmarks/errors_json.py",
        seed=0,
        value=counts["right"],
        n=len(rows),
        unit="failing calls with one object on stdout and the right exit code",
        wrong={words_said: wrong for words_said, wrong in rows if wrong},
    )


if __name__ == "__main__":
    main()
