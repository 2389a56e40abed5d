"""A fabricated run folder: what training would have left, with labels and texts that try to break the page."""

import json
from pathlib import Path

import numpy as np

from deepen.core.types import to_json
from deepen.evaluation.classification import classification_scores

LABELS = ["negative", "<script>alert(1)</script>", "中性 | 一般", "R&D $x_1$ and $y$"]
RUNGS = {
    "majority": (0.0, 0.02, 0),
    "lexical": (1.2, 4.1, 0),
    "frozen": (1.9, 21.0, 1540),
    "top_layers": (2.3, 96.0, 3_550_000),
    "full": (2.9, 410.0, 22_713_988),
}


def logits_for(strength, labels, num_classes, *, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(labels), num_classes))
    logits[np.arange(len(labels)), labels] += strength
    if strength == 0:
        logits[:] = 0
        logits[:, 0] = 1
    return logits * 1.4


def make_run(folder: Path, *, labels=tuple(LABELS), n=600, test=True, seed=0) -> Path:
    labels = list(labels)
    rng = np.random.default_rng(seed)
    gold = {part: rng.integers(0, len(labels), n) for part in ("validation", "test")}
    rows, test_scores, below = [], [], None
    for rung, (strength, seconds, parameters) in RUNGS.items():
        scores = {}
        for part in ("validation", "test"):
            logits = logits_for(strength, gold[part], len(labels), seed=len(rung))
            scores[part] = [to_json(s) for s in classification_scores(logits, gold[part], labels, seed=0)]
            if rung == "full" and (part == "validation" or test):
                write_predictions(folder / "rungs" / rung / f"predictions-{part}.jsonl", logits, gold[part], labels)
        score = scores["validation"][0]
        gain = None if below is None else {"value": score["value"] - below, "low": -0.01, "high": 0.05}
        below = max(score["value"], below or 0)
        row = {"rung": rung, "status": "done", "reason": "", "score": score, "gain": gain, "seconds": seconds}
        row |= {"forecast_seconds": None, "num_trained_parameters": parameters, "peak_memory_bytes": 10**9}
        row |= {"seconds_per_1000_predictions": seconds / 40, "temperature": 1.31, "validation": scores["validation"]}
        row |= {"read_by_others": True, "opens_with": "AutoModelForSequenceClassification"}
        rows.append(row | ({"test": scores["test"]} if test else {}))
        test_scores = scores["test"] if test else []
    rows.append(skipped())
    ladder = {"schema": 1, "run": "runs/reviews it's", "task": "classification", "chosen": "full"}
    ladder |= {"model": "sentence-transformers/all-MiniLM-L6-v2", "cheapest_not_worse": "top_layers", "seconds": 540.3}
    ladder |= {"before": rows[1]["score"] | {"value": 0.402, "low": 0.36, "high": 0.44}, "rungs": rows}
    ladder |= {"test": test_scores, "labels": labels, "stop_reason": "gained +0.1 points over frozen"}
    notes = ["3 of 5,000 texts were cut at 256 tokens", "12 exact duplicates were kept on one side <b>of</b> the split"]
    ladder["data"] = {"train": 5000, "validation": n, "test": n if test else 0, "name": "reviews.csv", "notes": notes}
    ladder["data"]["columns"] = {"text": "longest text, 61 letters on average", "label": "4 distinct values"}
    write(folder / "ladder.json", ladder)
    versions = {"python": "3.11.7", "torch": "2.13.0", "deepen": "0.1.0"}
    environment = {"versions": versions, "machine": {"cpu": "2 cores"}, "seed": 0}
    environment |= {"command": ["deepen", "train", "reviews.csv"], "git_commit": None}
    write(folder / "environment.json", environment)
    return folder


def skipped():
    row = {"rung": "committee", "status": "skipped", "reason": "forecast 15 min is over the budget of 10 min"}
    row |= {"score": None, "gain": None, "seconds": None, "forecast_seconds": 900.0, "num_trained_parameters": None}
    return row | {"peak_memory_bytes": None, "seconds_per_1000_predictions": None}


def write(path: Path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def write_predictions(path: Path, logits, gold, labels):
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = [
        "the <img src=http://evil.example/x onerror=alert(2)> battery lasts two days",
        "屏幕很亮,但是电池不行。" * 40,
    ]
    with path.open("w", encoding="utf-8") as out:
        for i, row in enumerate(probs):
            line = {"id": str(i), "inputs": {"text": texts[i % 2]}, "target": labels[gold[i]]}
            line |= {"output": labels[row.argmax()], "probabilities": dict(zip(labels, row.tolist(), strict=True))}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")


def score(value, low, high, n=600):
    return {"name": "accuracy", "value": value, "n": n, "low": low, "high": high}


def make_finding(question, **parts):
    finding = {"question": question, "verdict": "unclear", "p_value": 0.2}
    finding |= {"observed": score(0.83, 0.81, 0.85), "control": score(0.815, 0.798, 0.834)}
    finding |= {"effect": {"value": 0.015, "low": -0.004, "high": 0.033}, "evidence": [], "examples": []}
    return finding | {"caveat": "It may mislead.", "remedy": ""} | parts


def make_diagnosis():
    """A finding of each verdict; `depth` with evidence of its real form."""
    rows = [("first_right", 0.7, {"rung": "lexical"}), ("first_right", 0.185, {"rung": "full"})]
    rows += [("lost", 0.096, {}), ("never_right", 0.019, {})]
    evidence = [{"kind": kind, **more, "share": share, "low": 0.0, "high": 1.0, "n": 9} for kind, share, more in rows]
    evidence.append({"kind": "length", "n": 590, "correlation": 0.0527, "low": 0.0038, "high": 0.1013})
    shares = {"lexical": 0.64, "full": 0.2}
    evidence += [{"kind": "label", "label": label, "n": 150, "first_right": shares} for label in LABELS]
    depth = make_finding("depth", verdict="deep", evidence=evidence, examples=["3", "4"], p_value=0.0004)
    depth |= {"observed": score(0.886, 0.871, 0.901), "effect": {"value": 0.07, "low": 0.051, "high": 0.09}}
    depth["caveat"] = "The control is the rung `lexical`."
    command = "deepen train --recipe runs/x/recipe.yaml --out runs/x-2 --set augmentation.mask=tuesday"
    cues = [
        make_finding(
            "surface_cues", verdict="shallow", evidence=[{"kind": "cue", "cue": cue, "z": 9.1}], remedy=command
        )
        for cue in ("tuesday", "length")
    ]
    cues[0]["effect"] = {"value": -0.27, "low": -0.31, "high": -0.22}
    nothing = dict.fromkeys(("observed", "control", "effect", "p_value"))
    caveat = "only 3 rows have a near-duplicate in train"
    leakage = make_finding("leakage", verdict="not_applicable", caveat=caveat, **nothing)
    titles = {"depth": "What did each rung add, and for whom?", "surface_cues": "Which cues predict the label?"}
    findings = [depth, *cues, make_finding("partial_input"), leakage]
    return {"where": "test", "n": 600, "titles": titles, "findings": findings}
