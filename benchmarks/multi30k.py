"""Multi30k, English to German: a network from random weights with a tokenizer of its own, beside a translation memory.

    python benchmarks/multi30k.py --data DATA [--budget 60m] [--model t5:tiny] [--options "--set rungs.full.patience=5"]

DATA/multi30k has the 29,000 training pairs, the 1,014 that decide, and the 1,000 of the Flickr test of 2016. A cell a
rung: BLEU of sacreBLEU on the test as it stands (cased, not tokenised), with its interval and the gain over the memory.
`--model` with a folder of pretrained weights measures those in the same time.
"""

from __future__ import annotations

import gzip
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import cells
import sacrebleu

from deepen.core.run import Run
from deepen.core.types import TextTargets
from deepen.evaluation.statistics import bootstrap, paired_bootstrap
from deepen.evaluation.texts import VALUES, text_statistics
from deepen.shallow.texts import plain_texts

FILES = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
RUNGS = ("lexical", "full")


def rows(data: Path, name: str) -> list[dict[str, str]]:
    """The pairs of a part."""
    sides = []
    for language in ("en", "de"):
        with gzip.open(data / "multi30k" / f"{name}.{language}.gz", "rt", encoding="utf-8") as lines:
            sides.append([line.rstrip("\n") for line in lines])
    return [{"source": one, "target": two} for one, two in zip(*sides, strict=True)]


def measure(options: Any) -> None:
    """Trains within the budget, answers the test with each rung, and writes the cells."""
    model = Path(options.model).name
    called = model.replace(":", "-")
    folder = options.work / f"multi30k-{called}"
    folder.mkdir(parents=True, exist_ok=True)
    parts = {part: rows(options.data, name) for part, name in FILES.items()}
    for part, some in parts.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some)
        (folder / f"{part}.jsonl").write_text(text, encoding="utf-8")
    run, python = folder / "run", [sys.executable, "-m", "deepen"]
    command = [*python, "train", str(folder / "train.jsonl"), "--validation", str(folder / "validation.jsonl")]
    command += ["--task", "translation", "--model", options.model, "--rungs", f"majority,{','.join(RUNGS)}"]
    command += ["--set", "tasks.translation.num_beams=4", "--budget", options.budget, "--decide-by", "bleu"]
    command += ["--set", f"precision={options.precision}"]
    command += [*shlex.split(options.options), "--out", str(run), "--json"]
    seconds, peak, _ = (0.0, 0, "") if (run / "report.html").is_file() else cells.run(command)
    right = TextTargets(tuple(row["source"] for row in parts["test"]), tuple((row["target"],) for row in parts["test"]))
    value_of, sums = VALUES["bleu"], {}
    row = Run(run).ladder.row("full")
    for rung in RUNGS:
        out = folder / f"{rung}.jsonl"
        asked = ["predict", str(run), str(folder / "test.jsonl"), "--rung", rung, "--out", str(out), "-q"]
        writing, _, _ = cells.run([*python, *asked])
        said = [json.loads(line)["output"] for line in out.open(encoding="utf-8")]
        sums[rung] = text_statistics(plain_texts(said), right)
        bleu = sacrebleu.BLEU()
        own = bleu.corpus_score(said, [[row["target"] for row in parts["test"]]])
        interval = bootstrap(sums[rung], value_of, seed=0)
        gain = paired_bootstrap(sums[rung], sums["lexical"], value_of, seed=0).interval
        cells.write(
            f"multi30k-{called}-{rung}",
            command=f"python benchmarks/multi30k.py --data DATA --model {model} --budget {options.budget}",
            seed=0,
            value=round(own.score, 2),
            n=len(said),
            unit="BLEU",
            interval=[round(100 * interval.low, 2), round(100 * interval.high, 2)],
            gain=[round(100 * number, 2) for number in (gain.value, gain.low, gain.high)],
            precision=options.precision,
            signature=str(bleu.get_signature()),
            parameters=row.num_trained_parameters,
            epochs=(row.won or {}).get("num_epochs"),
            steps=(row.won or {}).get("max_steps"),
            seconds=round(seconds, 1),
            writing_seconds=round(writing, 1),
            peak_memory_bytes=peak,
        )


def main() -> None:
    """Measures it."""
    made = cells.parser(__doc__ or "")
    made.add_argument("--budget", default="60m", help="time for the whole climb")
    made.add_argument("--precision", default="bfloat16", help="float32, on a machine without the instructions")
    made.add_argument("--model", default="t5:tiny", help="t5:tiny, or a folder with pretrained weights")
    made.add_argument("--options", default="", help="more options of deepen train")
    measure(made.parse_args())


if __name__ == "__main__":
    main()
