"""When to stop: what each rule would have lost and saved on the sets whose whole ladder is in docs/results.json.

    python benchmarks/regret.py

Reads the rows `ladder-*`; a set counts where `full` ran. Points are of the validation score against the best rung of a
whole climb, seconds are those of `full`.
"""

from __future__ import annotations

import json

import cells

THRESHOLDS = (0.5, 1.0, 2.0, 3.0)


def main() -> None:
    """Prints both tables as markdown."""
    rows = json.loads((cells.ROOT / "docs" / "results.json").read_text())
    found = {}
    for row in rows:
        if row["name"].startswith("ladder-"):
            name = row["name"].removeprefix("ladder-").removesuffix("-seed0")
            rungs = {rung["rung"]: rung for rung in row["rungs"]}
            if rungs["full"]["status"] == "done" or name not in found:
                found[name.removesuffix("-thorough")] = (row, rungs)
    print(
        "| set | frozen over lexical | top_layers over frozen | full over top_layers | chosen |\n|---|---|---|---|---|"
    )
    whole = {}
    for name, (row, rungs) in found.items():
        score = {rung: rungs[rung]["validation"] for rung in rungs}
        steps = [("lexical", "frozen"), ("frozen", "top_layers"), ("top_layers", "full")]
        shown = [
            "not run"
            if score[high] is None
            else f"{100 * (score[high] - score[low]):+.1f} ({rungs[high]['seconds']:.0f} s)"
            for low, high in steps
        ]
        print(f"| {name} | {' | '.join(shown)} | {row['chosen']} |")
        if score["full"] is not None:
            whole[name] = (score, rungs["full"]["seconds"])
    rules = {"always climb": -1e9, **{f"worth {worth:g}": worth for worth in THRESHOLDS}, "stop after top_layers": 1e9}
    print(
        f"\n{len(whole)} sets\n\n| rule | climbs to full | mean regret | most | seconds saved |\n|---|---|---|---|---|"
    )
    for rule, worth in rules.items():
        lost, saved, climbs = [], 0.0, 0
        for score, seconds in whole.values():
            best = max(value for value in score.values() if value is not None)
            goes_on = round(100 * (score["top_layers"] - score["frozen"]), 6) >= worth
            reached = best if goes_on else max(score[rung] for rung in ("lexical", "frozen", "top_layers"))
            lost.append(100 * (best - reached))
            saved += 0.0 if goes_on else seconds
            climbs += goes_on
        print(f"| {rule} | {climbs} | {sum(lost) / len(lost):.2f} | {max(lost):.2f} | {saved:.0f} |")


if __name__ == "__main__":
    main()
