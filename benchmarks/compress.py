"""What compression costs and what it is worth: the table of `deepen compress` on sets, and what its ways must show.

    python benchmarks/compress.py --data DATA --models MODELS                   # all cells
    python benchmarks/compress.py --data DATA --models MODELS --only layers     # cells compress-layers-SET

A cell `compress-WAYS-SET` is a run (rungs frozen and full) made smaller by these ways and judged on the test rows; its
value is the change of the deciding score in points, and `row` the line of the table. `compress-layers-SET` has beside
it how much better these layers are than the same ones trained on the labels without a teacher, as long and from the
same start (`taught_less_alone`, paired). `compress-vocabulary-thucnews` is e5-small-zh-en, value the share of equal
answers. `compress-exits-SET-frozen` is of a run of the rung `frozen`; its `promise` says how many rows leave.
`compress-static-SET` is of such a run too, `compress-static-sst2-top_layers` of one whose upper layers are trained.
`compress-demo` is `--target 4x --max-drop 2` on the demo's run: its value is the larger of both factors.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cells

import ladder

SETS, WAYS = ("sst2", "banking77"), ("int8", "vocabulary", "layers", "exits", "vocabulary,layers,int8")


def trained(name: str, arguments: list[str], options, rungs: str = "frozen,full") -> Path:
    """A run, made once."""
    out = options.work / "runs" / f"compress-{name}"
    if not (out / "report.html").is_file():
        words = ["--out", str(out), "--overwrite", "--rungs", rungs, "--thorough"]
        cells.run([ladder.DEEPEN, "train", *arguments, *words])
    return out


def compressed(run: Path, words: list[str], options) -> tuple[dict, float, int]:
    """The record of a compression, its wall seconds and its peak memory."""
    out = options.work / "runs" / f"{run.name}-small"
    shutil.rmtree(out, ignore_errors=True)
    seconds, peak, printed = cells.run([ladder.DEEPEN, "compress", str(run), *words, "--out", str(out), "--json"])
    return json.loads(printed), seconds, peak


def cell(name: str, run: Path, words: list[str], options, **more) -> None:
    """Compresses a run and writes what came of it."""
    record, seconds, peak = compressed(run, words, options)
    row = record["ways"][-1]
    promise = Path(record["out"]) / "bounds" / "exits.json"
    if promise.is_file():
        more["promise"] = json.loads(promise.read_text())
    change = row["change"]
    value = more.pop("value", None)
    cells.write(
        name,
        command=f"deepen compress RUN {' '.join(words)}",
        seed=0,
        value=round(100 * change["value"], 2) if value is None else value(record),
        n=row["score"]["n"],
        unit="points" if value is None else more.pop("unit"),
        interval=[round(100 * change["low"], 2), round(100 * change["high"], 2)],
        row=row,
        before=record["before"],
        seconds=round(seconds, 1),
        peak_memory_bytes=peak,
        **more,
    )


def without_teacher(run: Path) -> dict:
    """The same layers trained on the labels alone, as long, against those that were taught, on the test rows."""
    from deepen.compression.student import Rows, imitating, learn, spread, with_layers
    from deepen.core.run import open_run
    from deepen.core.seed import derive
    from deepen.data.batches import flat_positions
    from deepen.evaluation.statistics import paired_bootstrap
    from deepen.inference.model import load_model
    from deepen.preparation.reopen import recipe_of, reopened

    opened = open_run(run)
    recipe = recipe_of(opened)
    prepared, missing = reopened(opened, recipe)
    if prepared is None or prepared.rows.test is None:
        raise SystemExit(missing or "there are no test rows")
    model, test, problem = load_model(run), prepared.rows.test, prepared.work.problem
    teacher = model.predictor.network
    kept = spread(teacher.encoder.num_layers, teacher.encoder.num_layers // 2)
    rows, task = Rows.of(model.predictor, [problem.train]), model.task
    place = {row: at for at, row in enumerate(problem.train.rows_N.tolist())}

    def labelled(student):
        import torch

        def loss(batch, inputs):
            at = [place[row] for row in batch[1].tolist()]
            labels = problem.train_targets.labels_M[flat_positions(problem.train_targets.offsets_N1, at)]
            return task.losses(student(inputs), torch.from_numpy(labels)).mean()

        return loss

    stats = {}
    for name in ("taught", "alone"):
        student = with_layers(teacher, kept)
        objective = imitating(student, teacher) if name == "taught" else labelled(student)
        learn(student, rows, objective, seed=derive(recipe.seed, "compress"), title=name)
        from dataclasses import replace

        outputs = replace(model.predictor, network=student).predict(test)
        stats[name] = task.statistics(outputs, task.targets(test, model.labels))
    found = paired_bootstrap(stats["taught"], stats["alone"], task.value_of, seed=0).interval
    return {"taught_less_alone": [round(100 * end, 2) for end in (found.value, found.low, found.high)]}


def main() -> None:
    """Measures what is still to be measured."""
    options = cells.parser(__doc__ or "")
    options.add_argument("--models", type=Path, help="the folder with e5-small-zh-en")
    options.add_argument("--demo", type=Path, help="the run of `make demo`; without it that cell is left out")
    options = options.parse_args()
    sets = ladder.sets(options.data, options.work, options.models)
    for name in SETS:
        for ways in WAYS:
            called = f"compress-{ways.replace(',', '+')}-{name}"
            if cells.wanted(called, options):
                run = trained(name, sets[name], options)
                beside = without_teacher(run) if ways == "layers" else {}
                cell(called, run, ["--ways", ways, "--max-drop", "3"], options, **beside)
        if cells.wanted(f"compress-exits-{name}-frozen", options):
            run = trained(f"{name}-frozen", sets[name], options, "frozen")
            cell(f"compress-exits-{name}-frozen", run, ["--ways", "exits", "--max-drop", "3"], options)
    for name, rungs in (("sst2", "frozen"), ("banking77", "frozen"), ("thucnews", "frozen"), ("sst2", "top_layers")):
        called = f"compress-static-{name}{'' if rungs == 'frozen' else f'-{rungs}'}"
        if name in sets and cells.wanted(called, options):
            run = trained(f"{name}-{rungs}", sets[name], options, "frozen" if rungs == "frozen" else f"frozen,{rungs}")
            cell(called, run, ["--ways", "static", "--max-drop", "10"], options)
    if cells.wanted("compress-layers-conll2003", options):
        run = trained("conll2003", sets["conll2003"], options)
        words = ["--ways", "layers", "--max-drop", "3"]
        cell("compress-layers-conll2003", run, words, options, **without_teacher(run))
    if options.models and cells.wanted("compress-vocabulary-thucnews", options):
        run = trained("thucnews", sets["thucnews"], options, "frozen")

        def equal(record):
            row = record["ways"][0]
            return round(1 - row["flipped"] / row["score"]["n"], 5)

        words = ["--ways", "vocabulary", "--max-drop", "1"]
        cell("compress-vocabulary-thucnews", run, words, options, value=equal, unit="share of equal answers")
    if options.demo and cells.wanted("compress-demo", options):
        words = ["--target", "4x", "--max-drop", "2"]

        def times(record):
            return max(record["ways"][-1]["smaller"], record["ways"][-1]["faster"])

        cell("compress-demo", options.demo, words, options, value=times, unit="times smaller or faster")


if __name__ == "__main__":
    main()
