"""Exports: do they say the same, on 500 rows of every kind, and how fast are they beside the transformers pipeline?

    python benchmarks/export.py --data DATA --models MODELS                      # cells export-KIND, export-speed-SET
    python benchmarks/export.py --data DATA --models MODELS --only export-speed  # when nothing else runs here

A cell `export-KIND` is a run on some thousand rows, exported in floats and with integers; its value is the largest gap
of a logit in floats. A cell `export-speed-SET` answers test rows by three programs in processes of their own, that take
turns three times, the middle one of each counts: `deepen.load(OUT).predict` with the INT8 export, the lines of the
export's README by ONNX Runtime alone, and `pipeline("text-classification")` with the same weights in torch
(`model.pooling=cls`, which it can read), one by one and in batches of 32. Loading and the first rows are not timed.
Whether the processor has VNNI is in the row: without it integers are no faster. The loss is the accuracy of INT8 less
that of the trained model, paired.
"""

from __future__ import annotations

import csv
import json
import shutil
import statistics
import sys
from pathlib import Path

import cells

import ladder
import tasks

WARM, TURNS, MOST, BATCH = 20, 3, 800, 32
MOST_ROWS = 1500
QUICK = ("--set", "rungs.full.num_epochs=1", "--set", "data.validation_at_least=600", "--thorough", "--rungs")
OURS = """
import json, sys, time
import deepen
folder, path, warm, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
texts = json.load(open(path, encoding="utf-8"))
model = deepen.load(folder, device="cpu")
said = []
for at in range(0, len(texts), size):
    if at >= warm and "began" not in globals():
        began, first = time.perf_counter(), at
    said += [one.output for one in model.predict(texts[at : at + size])]
print(json.dumps([(len(texts) - first) / (time.perf_counter() - began), said]))
"""
ALONE = """
import json, sys, time
import numpy as np, onnxruntime
from tokenizers import Tokenizer
folder, path, warm, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
texts = json.load(open(path, encoding="utf-8"))
tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
tokenizer.enable_truncation(256)
tokenizer.enable_padding()
labels = json.load(open(folder + "/labels.json", encoding="utf-8"))
session = onnxruntime.InferenceSession(folder + "/onnx/model.onnx")
parts = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
said = []
for at in range(0, len(texts), size):
    if at >= warm and "began" not in globals():
        began, first = time.perf_counter(), at
    read = tokenizer.encode_batch(texts[at : at + size])
    feed = {name: np.array([getattr(one, part) for one in read], np.int64) for name, part in parts.items()}
    said += [labels[best] for best in session.run(None, feed)[0].argmax(1)]
print(json.dumps([(len(texts) - first) / (time.perf_counter() - began), said]))
"""
THEIRS = """
import json, sys, time
import torch
from transformers import pipeline
folder, path, warm, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
texts = json.load(open(path, encoding="utf-8"))
answer = pipeline("text-classification", model=folder, device=torch.device("cpu"))
said = [answer(text)[0]["label"] for text in texts[:warm]]
began = time.perf_counter()
if size == 1:
    said += [answer(text)[0]["label"] for text in texts[warm:]]
else:
    said += [one["label"] for one in answer(texts[warm:], batch_size=size)]
print(json.dumps([(len(texts) - warm) / (time.perf_counter() - began), said]))
"""


def fewer(arguments: list[str], most: int, folder: Path) -> list[str]:
    """The words of a training with the first rows of its file, where that is one row a line."""
    source, kept = Path(arguments[0]), list(arguments[1:])
    for option in ("--validation", "--test"):  # rows are held out instead, as many as are compared
        if option in kept:
            del kept[kept.index(option) : kept.index(option) + 2]
    if source.suffix == ".json":
        return [str(source), *kept]
    target = folder / source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    text = source.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
    blocks = source.name in ("eng.train", "TRAIN_FILE.TXT")
    parts = text.split("\n\n" if blocks else "\n")[:most]
    target.write_text(("\n\n" if blocks else "\n").join(parts) + "\n", encoding="utf-8")
    return [str(target), *kept]


def kinds(options) -> dict[str, list[str]]:
    """The words of `deepen train` for each kind."""
    found = tasks.sets(options.data, options.work, options.models)
    more = ladder.sets(options.data, options.work, options.models)
    keywords = tasks.keyword_rows(options.data / "csl_dev" / "kg" / "dev.tsv", most=300)
    many, _ = tasks.halves(keywords, "csl-many", options.work / "splits")
    e5 = ["--model", str(options.models / "e5-small-zh-en"), "--set", "model.max_tokens=64"]
    named = {
        "classification": more["sst2"],
        "score": found["sick-score"],
        "multilabel": [many, "--task", "multilabel", "--set", "data.max_labels=400", *e5],
        "pairs": found["mrpc"],
        "tagging": more["conll2003"],
        "relation": found["semeval"],
        "span_qa": found["xquad-en"],
        "ranking": found["banking77-ranking"],
    }
    return {kind: fewer(words, MOST_ROWS, options.work / "splits" / kind) for kind, words in named.items()}


def trained(name: str, arguments: list[str], options, *words: str) -> Path:
    """A run, made once."""
    out = options.work / "runs" / f"export-{name}"
    if not (out / "report.html").is_file():
        cells.run([ladder.DEEPEN, "train", *arguments, "--out", str(out), "--overwrite", *words])
    return out


def exported(run: Path, form: str, rung: str, options) -> tuple[Path, dict]:
    """An export and its record."""
    out = options.work / "exports" / f"{run.name}-{form}"
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    _, _, printed = cells.run([ladder.DEEPEN, "export", str(run), str(out), "--form", form, "--rung", rung, "--json"])
    return out, json.loads(printed)["parity"]


def compare(kind: str, arguments: list[str], options) -> None:
    """How far the exports of a kind are from the trained model."""
    rung = options.rung
    run = trained(f"{kind}-{rung}", arguments, options, *QUICK, "frozen" if rung == "frozen" else f"frozen,{rung}")
    parity = {form: exported(run, form, rung, options)[1] for form in ("onnx", "onnx-int8")}
    cells.write(
        f"export-{kind}",
        command=f"deepen export RUN OUT --form FORM --rung {rung}",
        seed=0,
        value=parity["onnx"]["largest_gap"],
        n=parity["onnx"]["rows"],
        unit="largest gap of a logit, floats",
        flipped=parity["onnx"]["flipped"],
        integers=parity["onnx-int8"],
        vnni=vnni(),
    )


def vnni() -> bool:
    """Whether the processor adds products of 8-bit integers without overflow."""
    from deepen.models.runtimes.processor import adds_integers_right

    return adds_integers_right()


def speed(name: str, options) -> None:
    """Rows a second of the INT8 export beside the pipeline."""
    arguments = ladder.sets(options.data, options.work, options.models)[name]
    run = trained(f"speed-{name}", arguments, options, "--rungs", "lexical,frozen,full", "--set", "model.pooling=cls")
    out, parity = exported(run, "onnx-int8", "full", options)
    path = options.work / f"export-{name}.json"
    path.write_text(json.dumps(texts(name, options.data)[:MOST]), encoding="utf-8")
    model = str(run / "rungs" / "full" / "model")
    sides = {"deepen": (OURS, str(out)), "onnxruntime": (ALONE, str(out)), "pipeline": (THEIRS, model)}
    rates: dict[str, list[float]] = {}
    said: dict[str, list] = {}
    for size in (1, BATCH):
        for _ in range(TURNS):
            for side, (program, folder) in sides.items():
                printed = cells.run([sys.executable, "-c", program, folder, str(path), str(WARM), str(size)])[2]
                rate, said[side] = json.loads(printed.splitlines()[-1])
                rates.setdefault(f"{side}-{size}", []).append(round(rate, 1))
    middle = {side: statistics.median(turns) for side, turns in rates.items()}
    times = {size: round(middle[f"deepen-{size}"] / middle[f"pipeline-{size}"], 2) for size in (1, BATCH)}
    equal = {side: sum(a == b for a, b in zip(said["pipeline"], found, strict=True)) for side, found in said.items()}
    cells.write(
        f"export-speed-{name}",
        command="python benchmarks/export.py --data DATA --models MODELS --only export-speed",
        seed=0,
        value=times[1],
        n=len(json.loads(path.read_text(encoding="utf-8"))),
        unit="times the rows a second of the transformers pipeline, one by one",
        times_in_batches_of_32=times[BATCH],
        rows_per_second=middle,
        turns=rates,
        equal_answers=equal,
        parity=parity,
        loss=loss(run, out, arguments),
        vnni=vnni(),
    )


def loss(run: Path, out: Path, arguments: list[str]) -> dict:
    """How much accuracy the integers cost on the test rows, paired."""
    from deepen.evaluation.statistics import paired_bootstrap
    from deepen.inference.model import load_model

    test = arguments[arguments.index("--test") + 1]
    found = []
    for model in (load_model(out), load_model(run, rung="full")):
        part, outputs, _ = model.run(test, columns=None, need_target=True)
        found.append(model.task.statistics(outputs, model.task.targets(part, model.labels)))
    gain = paired_bootstrap(*found, model.task.value_of, seed=0)
    interval = [round(gain.interval.low, 4), round(gain.interval.high, 4)]
    return {"value": round(gain.interval.value, 4), "interval": interval, "p": round(gain.p_value, 4), "n": len(part)}


def texts(name: str, data: Path) -> list[str]:
    """The test rows."""
    if name == "sst2":
        lines = (data / "sst2" / "test.tsv").read_text(encoding="utf-8").splitlines()
        return [line.rsplit("\t", 1)[0] for line in lines]
    with (data / name / "test.csv").open(encoding="utf-8", newline="") as source:
        return [row["text"].strip() for row in csv.DictReader(source)]


def main() -> None:
    """Measures what is not measured yet."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--models", type=Path, required=True, help="the folder that holds e5-small-zh-en")
    parser.add_argument("--rung", default="full", help="which rung of the kinds: frozen takes no training")
    options = parser.parse_args()
    for kind, arguments in kinds(options).items():
        if cells.wanted(f"export-{kind}", options):
            compare(kind, arguments, options)
    for name in ("sst2", "banking77"):
        if cells.wanted(f"export-speed-{name}", options):
            speed(name, options)


if __name__ == "__main__":
    main()
