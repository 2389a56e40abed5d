"""Forty-eight things that a new user expects, each tried by commands on small real rows, with a verdict.

What must be seen is written beside each call. A row is *met* if all of it is seen, *not met* if none of it is or a call
crashes, and *met in part* between. The networks are tiny, so it takes minutes; what cannot be tried here (a GPU, a
hub) is asked for its clear error.

    python benchmarks/expectations.py --data DATA [--only 01,02]
"""

from __future__ import annotations

import shutil
import time
from collections import Counter

import cells
import expected_answers
import expected_first
import expected_python
from calls import Version
from expected import EXPECTATIONS, Stranger
from trial import TINY

NAME = "expectations-48"
MET, PART, NOT = "met", "met in part", "not met"
PARTS = (expected_first, expected_answers, expected_python)  # importing them fills EXPECTATIONS


def verdict(seen: dict[str, bool]) -> str:
    """One word for what was seen."""
    return MET if all(seen.values()) else PART if any(seen.values()) else NOT


def main() -> None:
    """Tries every expectation, prints the table, writes the cell."""
    options = cells.parser(__doc__ or "").parse_args()
    work = (options.work / NAME).resolve()
    shutil.rmtree(work, ignore_errors=True)
    version = Version(cells.ROOT / "src", work / "calls", work / "cache")
    tiny = work / "tiny-model"
    version.python(TINY.replace("FOLDER", repr(str(tiny))).replace("sys.argv[1] if len(sys.argv) > 1 else ", ""))
    first = work / "first.csv"
    first.write_text("text,label\n" + "".join(f"a {word} film {n},{word}\n" for n in range(20) for word in "xy"))
    words = ["train", str(first), "--rungs", "majority,lexical,frozen", "--model", str(tiny), "--out"]
    version.warm([*words, str(work / "first")])
    began, rows = time.monotonic(), []
    for number, (title, tried) in sorted(EXPECTATIONS.items()):
        if options.only and f"{number:02}" not in options.only.split(","):
            continue
        stranger = Stranger(version, options.data.resolve(), work / f"{number:02}", tiny)
        at = time.monotonic()
        try:
            seen = tried(stranger)
        except Exception as error:  # what must be there is not
            seen = {f"{type(error).__name__}: {error}"[:200]: False}
        bad = [" ".join(call.words)[:90] for call in stranger.calls if call.crashed or call.stopped]
        seen |= {f"`{call}` ends well": False for call in bad}
        found = NOT if bad else verdict(seen)
        missing = [what for what, is_seen in seen.items() if not is_seen]
        commands = [" ".join(call.words).replace(str(tiny), "MODEL")[:120] for call in stranger.calls]
        rows.append({"number": number, "title": title, "verdict": found, "missing": missing, "commands": commands})
        print(f"{number:>2} {found:<11} {title:<40} {'; '.join(missing)}  ({time.monotonic() - at:.1f} s)", flush=True)
    version.close()
    counts = Counter(str(row["verdict"]) for row in rows)
    print("  ".join(f"{name} {counts[name]}" for name in (MET, PART, NOT)), f"of {len(rows)}")
    if not options.only:
        cells.write(
            NAME,
            command="python benchmarks/expectations.py --data DATA",
            seed=0,
            value=counts[MET],
            n=len(rows),
            unit="expectations met",
            in_part=counts[PART],
            not_met=counts[NOT],
            open=[row for row in rows if row["verdict"] != MET],
            tried=[{"number": row["number"], "command": next(iter(row["commands"]), "")} for row in rows],
            seconds=round(time.monotonic() - began, 1),
        )


if __name__ == "__main__":
    main()
