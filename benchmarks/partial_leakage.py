"""What finished runs know without the input that matters, and from memory: `partial_input` and `leakage` on real runs.

    python benchmarks/partial_leakage.py --data DATA --run conll2003=RUN --run sst2=RUN [--again] [--only leakage]

RUN is a finished run on that data set (benchmarks/ladder.py makes them); it is copied first and stays as it is. A cell
holds the score on the hidden form (or on the rows with a twin in training) beside its control, the verdicts, and in
`findings` all that was found.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import cells

DEEPEN = str(Path(sys.executable).with_name("deepen"))
# data set: question: what evidence[0] of the finding says that the cell is about, and the cell's name
WANTED = {
    "conll2003": {"partial_input": ("neighbours", "partial-conll2003-word"), "leakage": ("rows", "leakage-conll2003")},
    "sst2": {"partial_input": ("order", "partial-sst2-shuffled")},
}


def main() -> None:
    """Measures what is not measured yet."""
    made = cells.parser(__doc__ or "")
    made.add_argument("--run", action="append", required=True, metavar="SET=RUN", help="a finished run of a data set")
    options = made.parse_args()
    for named in options.run:
        name, _, run = named.partition("=")
        if name not in WANTED:
            raise SystemExit(f"--run {named}: write one of {', '.join(WANTED)}, =, and the run's folder")
        for question, (about, cell) in WANTED[name].items():
            if cells.wanted(cell, options):
                measure(name, Path(run), question, about, cell, options.work)


def measure(name: str, run: Path, question: str, about: str, cell: str, work: Path) -> None:
    """Asks one question about a copy of a run, from a cold cache."""
    copy, cache = work / f"{cell}-run", work / "cache" / cell
    for folder in (copy, cache):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(run, copy)
    command = [DEEPEN, "diagnose", str(copy), "--questions", question, "--json"]
    seconds, peak, out = cells.run(command, environment={"DEEPEN_CACHE": str(cache)})
    findings: list[dict[str, Any]] = json.loads(out.replace(str(work), "WORK"))["findings"]
    found = next(one for one in findings if about in subjects(one))
    effect = found["effect"]
    cells.write(
        cell,
        command=f"deepen diagnose RUN --questions {question} --json",
        seed=0,
        value=found["observed"]["value"],
        n=found["observed"]["n"],
        interval=[found["observed"]["low"], found["observed"]["high"]],
        metric=f"{found['observed']['name']}, {'without ' if question == 'partial_input' else 'seen '}{about}",
        data=name,
        control=found["control"],
        effect=effect,
        verdict=found["verdict"],
        findings=[{key: value for key, value in one.items() if key != "examples"} for one in findings],
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
    )
    shutil.rmtree(copy)


def subjects(finding: dict[str, Any]) -> list[str]:
    """What a finding is about, as its first piece of evidence says."""
    return [finding["evidence"][0].get(key) for key in ("hidden", "kind")] if finding["evidence"] else []


if __name__ == "__main__":
    main()
