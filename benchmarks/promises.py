"""Promises: are they broken as rarely as they say, and what does a cascade save?

    python benchmarks/promises.py --data DATA --models MODELS                   # cells promises-SET, cascade-SET-SHARE
    python benchmarks/promises.py --data DATA --models MODELS --only cascade    # when nothing else runs here

A cell `promises-SET` takes all held-out rows of a set as the population. Calibration rows are drawn from it with
replacement, 200 times, and each time thresholds are found for agreement of 0.99 and 0.95 with the chosen rung and
for an error of at most 0.05 and 0.1. A promise is broken if the share over the whole population is above what it
allows. The value is the largest share of draws in which one was; 5 % and binomial noise may be. A wish that a draw
can't back is none.

A cell `cascade-SET-SHARE` answers the test rows by the chosen rung alone and by the cascade, in one process, in
turns, three times; the middle one of each counts. Its value is the ratio of the two; what the cascade does besides
(it compares the rows with those that back the promise) is in it. Runs have the rungs `lexical` and `frozen`, or
those of `--rungs`.
"""

from __future__ import annotations

import csv
import shutil
import statistics
import time
from pathlib import Path

import cells
import numpy as np
from scipy.stats import binom

import ladder

DRAWS, CALIBRATION, TURNS, WARM = 200, 1000, 3, 50
SETS = ("sst2", "banking77", "thucnews")
TIMED = ("sst2", "trec", "banking77", "thucnews")
AGREEMENTS, ERRORS = (0.99, 0.95), (0.05, 0.1)


def trained(name: str, options) -> tuple[Path, str]:
    """A run of a set, made once, and its test rows."""
    arguments = ladder.sets(options.data, options.work, options.models)[name]
    out = options.work / "runs" / f"promises-{name}-{options.rungs.replace(',', '-')}"
    at = arguments.index("--test")
    if not (out / "report.html").is_file():
        shutil.rmtree(out, ignore_errors=True)
        words = [*arguments[:at], *arguments[at + 2 :], "--rungs", options.rungs, "--out", str(out)]
        cells.run([ladder.DEEPEN, "train", *words])
    return out, arguments[at + 1]


def held_out(name: str, test: str, options) -> list[str]:
    """All rows that a run of the set has not seen; of sst2 its other held-out file too."""
    return [test, f"{options.data}/sst2/dev.tsv"] if name == "sst2" else [test]


def population(run: Path, name: str, test: str, options):
    """What the cheapest and the chosen rung say of all held-out rows, as rows that could back a promise."""
    from deepen.inference.backing import Backing, confidence
    from deepen.inference.model import load_model

    rungs = ["lexical", load_model(run).rung]
    outputs, sure, targets = [], [], []
    for rung in rungs:
        model = load_model(run, rung=rung)
        said = [
            one for file in held_out(name, test, options) for one in model.answers(model.read(file, need_target=True))
        ]
        outputs.append([one.output for one in said])
        sure.append([confidence(one.output, one.probabilities) for one in said])
        targets = [one.target for one in said]
    return Backing(np.array(outputs, object), np.array(sure), [""] * len(targets), np.array(targets, object)), rungs


def drawn(rows, at_N):
    """Some of the rows, some of them several times."""
    from deepen.inference.backing import Backing

    return Backing(rows.outputs_RN[:, at_N], rows.confidences_RN[:, at_N], [""] * len(at_N), rows.targets_N[at_N])


def promises(name: str, options) -> None:
    """How often promises are broken."""
    from deepen.inference.cascade import agreeing, erring

    began = time.monotonic()
    run, test = trained(name, options)
    rows, rungs = population(run, name, test, options)
    differ_N, wrong_N = rows.outputs_RN[0] != rows.outputs_RN[-1], rows.outputs_RN[-1] != rows.targets_N
    rng = np.random.default_rng(0)
    broken = {
        f"{kind}-{share}": [] for kind, shares in (("cascade", AGREEMENTS), ("error", ERRORS)) for share in shares
    }
    coverage = {wish: [] for wish in broken}
    for _ in range(DRAWS):
        sample = drawn(rows, rng.integers(0, len(rows), CALIBRATION))
        for share in AGREEMENTS:
            bound, most = agreeing(sample, rungs[:1], round(1 - share, 12)), 1 - share
            given_N = rows.confidences_RN[0] >= (np.inf if bound.threshold is None else bound.threshold)
            broken[f"cascade-{share}"].append(bool((given_N & differ_N).mean() > most))
            coverage[f"cascade-{share}"].append(float(given_N.mean()))
        for share in ERRORS:
            bound = erring(sample, share)
            given_N = rows.confidences_RN[-1] >= (np.inf if bound.threshold is None else bound.threshold)
            broken[f"error-{share}"].append(bool(given_N.any() and wrong_N[given_N].mean() > share))
            coverage[f"error-{share}"].append(float(given_N.mean()))
    shares = {wish: float(np.mean(draws)) for wish, draws in broken.items()}
    cells.write(
        f"promises-{name}",
        command="python benchmarks/promises.py --data DATA --models MODELS --only promises",
        seed=0,
        value=round(max(shares.values()), 4),
        n=len(rows),
        unit="largest share of draws in which a promise was broken",
        may_be=float(binom.ppf(0.99, DRAWS, 0.05)) / DRAWS,
        draws=DRAWS,
        calibration_rows=CALIBRATION,
        broken=shares,
        mean_coverage={wish: round(float(np.mean(draws)), 4) for wish, draws in coverage.items()},
        rungs=rungs,
        accuracy=round(float(1 - wrong_N.mean()), 4),
        agreement=round(float(1 - differ_N.mean()), 4),
        seconds=round(time.monotonic() - began, 1),
    )


def texts(test: str) -> list[str]:
    """The texts of the test rows."""
    path = Path(test)
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as source:
            return [row["text"].strip() for row in csv.DictReader(source)]
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if path.suffix == ".test":  # TREC: the label comes first
        return [line.split(" ", 1)[1] for line in lines]
    return [line.rsplit("\t", 1)[0] for line in lines]


def cascade(name: str, share: float, options) -> None:
    """Milliseconds a row of a cascade, by those of the chosen rung alone."""
    from deepen.core.errors import SettingError
    from deepen.inference.cascade import load_cascade
    from deepen.inference.model import load_model

    run, test = trained(name, options)
    rows = texts(test)
    alone = load_model(run)
    try:
        made = load_cascade(run, agreement=share)
    except SettingError as error:
        print(f"cascade-{name}-{share}: {error}", flush=True)
        return
    seconds: dict[str, list[float]] = {"alone": [], "cascade": []}
    said = {}
    for _ in range(TURNS):
        for side, model in (("alone", alone), ("cascade", made)):
            model.predict(rows[:WARM])
            began = time.perf_counter()
            said[side] = model.predict(rows)
            seconds[side].append(time.perf_counter() - began)
    ms = {side: round(1000 * statistics.median(turns) / len(rows), 4) for side, turns in seconds.items()}
    same = np.mean([one.output == other.output for one, other in zip(*said.values(), strict=True)])
    cheap = np.mean([one.answered_by != alone.rung for one in said["cascade"]])
    cells.write(
        f"cascade-{name}-{share}",
        command="python benchmarks/promises.py --data DATA --models MODELS --only cascade",
        seed=0,
        value=round(ms["cascade"] / ms["alone"], 3),
        n=len(rows),
        unit="ms a row, by those of the chosen rung alone",
        ms_a_row=ms,
        answered_by_cheaper_rungs=round(float(cheap), 4),
        answers_that_are_the_same=round(float(same), 4),
        backed_by=made.bound.rows,
        threshold=made.bound.threshold,
        expired=made.bound.expired,
        rung=alone.rung,
    )


def main() -> None:
    """Measures what is not measured yet."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--models", type=Path, required=True, help="the folder that holds e5-small-zh-en")
    parser.add_argument("--rungs", default="lexical,frozen", help="the rungs of the runs")
    options = parser.parse_args()
    for name in SETS:
        if cells.wanted(f"promises-{name}", options):
            promises(name, options)
    for name in TIMED:
        for share in AGREEMENTS:
            if cells.wanted(f"cascade-{name}-{share}", options):
                cascade(name, share, options)


if __name__ == "__main__":
    main()
