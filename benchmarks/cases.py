"""What users of such tools meet, and what an attack found: each situation tried, and the verdict in a table.

The situations of the case folders (case_folders.py reads their files) and rebuilt faults (case_faults.py brings its
own) are run by one version of the source, with tiny networks and cheap rungs. trial.py says what the verdicts mean.

    python benchmarks/cases.py --cases CASES                          # the source beside this script
    python benchmarks/cases.py --cases CASES --deepen OLD/src --only F12 --work /tmp/cases
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections import Counter
from pathlib import Path

import case_faults
import case_folders
import case_folders_more
import case_more
import case_tracebacks
import cells
from calls import Version
from trial import CASES, TINY, VERDICTS, Trial, tried

SEED = 0


def options() -> argparse.Namespace:
    """The words of the command."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--cases", type=Path, required=True, help="the folder with the case folders")
    made.add_argument("--deepen", type=Path, default=cells.ROOT / "src", help="src of the version to try")
    made.add_argument("--work", type=Path, default=Path("/tmp/deepen-bench/cases"), help="a folder for runs and caches")
    made.add_argument("--only", help="only situations whose number starts with one of these, with commas between")
    made.add_argument("--name", default="cases", help="the cell's name")
    made.add_argument("--bad", action="store_true", help="print only what is neither right nor a clear error")
    return made.parse_args()


def main() -> None:
    """Tries every situation, prints the table, writes the cell."""
    asked = options()
    asked.work.mkdir(parents=True, exist_ok=True)
    version = Version(asked.deepen, asked.work / "calls", asked.work / "cache")
    tiny = (asked.work / "tiny-model").resolve()
    first = asked.work / "first.csv"
    first.write_text("text,label\n" + "".join(f"a {word} film {n},{word}\n" for n in range(20) for word in "xy"))
    shutil.rmtree(asked.work / "first", ignore_errors=True)
    version.python(TINY.replace("FOLDER", repr(str(tiny))).replace("sys.argv[1] if len(sys.argv) > 1 else ", ""))
    words = ["train", str(first.resolve()), "--rungs", "majority,lexical,frozen", "--model", str(tiny)]
    version.warm([*words, "--out", str((asked.work / "first").resolve())])
    began, rows = time.monotonic(), []
    starts = tuple((asked.only or "").split(","))
    for number, one in sorted(CASES.items()):
        if not number.startswith(starts):
            continue
        trial = Trial(version, asked.cases, asked.work / "trials" / number, tiny)
        at = time.monotonic()
        verdict, why = tried(trial, one)
        bad = [[*call.words, call.stopped or call.last] for call in trial.calls if call.stopped or call.crashed]
        rows.append({"number": number, "title": one.title, "verdict": verdict, "why": why, "calls": bad})
        if not asked.bad or VERDICTS.index(verdict) > 1:
            print(
                f"{number:<6} {verdict:<12} {one.title[:64]:<64} {why[:150]}  ({time.monotonic() - at:.1f} s)",
                flush=True,
            )
        if VERDICTS.index(verdict) < 2:
            shutil.rmtree(trial.folder, ignore_errors=True)
    version.close()
    counts = Counter(row["verdict"] for row in rows)
    print("  ".join(f"{verdict} {counts[verdict]}" for verdict in VERDICTS), f"of {len(rows)}")
    (asked.work / "table.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    if not asked.only:
        cells.write(
            asked.name,
            command="python benchmarks/cases.py --cases CASES",
            seed=SEED,
            value=counts["RIGHT"] + counts["CLEAR ERROR"],
            n=len(rows),
            unit="situations that are right or end in a clear error",
            verdicts={verdict: counts[verdict] for verdict in VERDICTS},
            others={row["number"]: row["verdict"] for row in rows if VERDICTS.index(row["verdict"]) > 1},
            seconds=round(time.monotonic() - began, 1),
        )


__all__ = ["case_faults", "case_folders", "case_folders_more", "case_more", "case_tracebacks", "main"]

if __name__ == "__main__":
    main()
