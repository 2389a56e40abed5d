"""Kill -9 at random moments of a climb, then `--resume`: the scores must be those of a run that was never stopped.

python benchmarks/kill_resume.py --data DATA --kills 10
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cells

DEEPEN = str(Path(sys.executable).with_name("deepen"))


def main() -> None:
    """One undisturbed run, then one that is killed again and again."""
    options_parser = cells.parser(__doc__ or "")
    options_parser.add_argument("--kills", type=int, default=10)
    options_parser.add_argument("--rows", type=int, default=2500, help="rows of sst2 to climb on")
    options = options_parser.parse_args()
    if not cells.wanted("kill-resume", options):
        return
    options.work.mkdir(parents=True, exist_ok=True)
    train = options.work / "kill-train.tsv"
    lines = (options.data / "sst2" / "train.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    train.write_text("".join(lines[: options.rows]), encoding="utf-8")
    common = [DEEPEN, "train", str(train), "--test", str(options.data / "sst2" / "dev.tsv")]
    common += ["--columns", "text=0,label=1", "--thorough", "--json"]
    results = {}
    for name in ("whole", "killed"):
        folder, cache = options.work / f"kill-{name}", options.work / f"kill-cache-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(cache, ignore_errors=True)
        environment = {**os.environ, "DEEPEN_CACHE": str(cache)}
        began = time.monotonic()
        if name == "killed":
            chance = random.Random(0)
            for _ in range(options.kills):
                pause = chance.uniform(0.3, 1.0) * results["whole"]["wall"] / options.kills * 2
                process = subprocess.Popen(
                    [*common, "--out", str(folder), "--resume"],
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                time.sleep(pause)
                process.send_signal(signal.SIGKILL)
                process.wait()
        printed = subprocess.run(
            [*common, "--out", str(folder), *(["--resume"] if name == "killed" else [])],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        results[name] = json.loads(printed) | {"wall": time.monotonic() - began}
    same = results["whole"]["test"] == results["killed"]["test"]
    scores = [[row["score"]["value"] for row in results[name]["rungs"]] for name in results]
    files = [
        (options.work / f"kill-{name}" / "rungs" / results[name]["chosen"] / "predictions-test.jsonl").read_text()
        for name in results
    ]
    answers = [[(r["output"], r["probabilities"]) for r in map(json.loads, text.splitlines())] for text in files]
    cells.write(
        "kill-resume",
        command=f"python benchmarks/kill_resume.py --data DATA --kills {options.kills}",
        seed=0,
        value=bool(same and scores[0] == scores[1]),
        metric="the killed run's scores equal the whole run's",
        n=options.kills,
        predictions_identical=answers[0] == answers[1],
        seconds=round(results["whole"]["wall"], 1),
        seconds_killed=round(results["killed"]["wall"], 1),
        lost_seconds_each=round((results["killed"]["wall"] - results["whole"]["wall"]) / options.kills, 1),
    )


if __name__ == "__main__":
    main()
