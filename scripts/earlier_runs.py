"""Makes tests/fixtures/runs-VERSION.tar.xz with the version of Deepen that is on the path: what later ones must read.

    PYTHONPATH=EARLIER/src python scripts/earlier_runs.py FOLDER

One small run of each task, tuning and pooling that the version has, a decoder, one that was stopped, one that was
diagnosed, and beside each what it answered. It is run once for a release, and `tests/contracts/test_earlier.py` reads
the archive.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

TUNINGS = "full bitfit lora adalora ia3 adapter prefix soft_prompt p_tuning".split()
TRAIN_ROWS, NEW_ROWS = 120, 12
QUICK = ("rungs.top_layers.num_epochs=1", "rungs.full.num_epochs=1", "data.check=false")


def rows_of(task: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows to learn from, and others."""
    from worlds import WORLDS

    rows = WORLDS[task](TRAIN_ROWS + NEW_ROWS)
    return rows[:TRAIN_ROWS], rows[TRAIN_ROWS:]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> str:
    """Rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def plan() -> dict[str, dict[str, Any]]:
    """What is trained, by the name of the run."""
    from worlds import WORLDS

    found: dict[str, dict[str, Any]] = {}
    for task in WORLDS:
        for tuning in TUNINGS:
            rungs = "majority,lexical,frozen,top_layers" if tuning == "full" else "top_layers"
            found[f"{task}-{tuning}"] = {"task": task, "tuning": tuning, "rungs": rungs}
    for task in ("classification", "multilabel"):
        found[f"{task}-cls"] = {"task": task, "rungs": "frozen,full", "settings": ["model.pooling=cls"]}
    found["decoder-last"] = {"task": "classification", "rungs": "frozen,full", "model": "decoder"}
    found["decoder-lora"] = {"task": "classification", "rungs": "full", "model": "decoder", "tuning": "lora"}
    found["prompted"] = {"task": "classification", "rungs": "zero_shot,few_shot", "model": "decoder"}
    found["contrastive"] = {"task": "classification", "rungs": "majority,contrastive"}
    return found


def main() -> None:
    """Trains, answers, packs."""
    import deepen
    from conftest import tiny_decoder, tiny_model

    folder = Path(sys.argv[1]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sys.argv[1:] = ["FOLDER"]  # the runs record the command
    os.chdir(folder)
    os.environ["DEEPEN_CACHE"] = str(folder / "cache")

    class Factory:
        def mktemp(self, name: str) -> Path:
            made = folder / {"tiny-model": "encoder", "tiny-decoder": "decoder"}[name]
            made.mkdir()
            return made

    tiny_model.__wrapped__(Factory())
    tiny_decoder.__wrapped__(Factory())
    for task in {one["task"] for one in plan().values()}:
        learned, new = rows_of(task)
        write_rows(Path(f"{task}.jsonl"), learned)
        write_rows(Path(f"{task}-new.jsonl"), new)
    for name, about in plan().items():
        given = {"model": "encoder", **about}
        settings = [*QUICK, *given.pop("settings", ())]
        deepen.train(f"{given['task']}.jsonl", out=f"runs/{name}", settings=settings, **given)
        model = deepen.load(f"runs/{name}")
        answers = [deepen.core.types.to_json(one) for one in model.predict(f"{given['task']}-new.jsonl")]
        write_rows(Path(f"runs/{name}.answers.jsonl"), answers)
        print(name, flush=True)
    deepen.diagnose("runs/classification-full")
    stop("classification.jsonl", "runs/stopped")
    name = f"runs-{version('deepen')}.tar.xz"
    (ROOT / "tests" / "fixtures").mkdir(exist_ok=True)
    with tarfile.open(ROOT / "tests" / "fixtures" / name, "w:xz", preset=9) as packed:
        for path in sorted(folder.iterdir()):
            packed.add(path, path.name, filter=plain)


def stop(data: str, out: str) -> None:
    """A run that was interrupted when its second rung was done."""
    import deepen

    def leave(row: dict[str, Any]) -> None:
        if row["rung"] == "lexical":
            raise KeyboardInterrupt

    rungs = "majority,lexical,frozen,top_layers"
    with suppress(KeyboardInterrupt):
        deepen.train(data, out=out, model="encoder", rungs=rungs, settings=QUICK, on_row=leave)


def plain(item: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """No owner and no report page, which is made anew."""
    item.uid = item.gid = 0
    item.uname = item.gname = ""
    keep_cache = not item.name.startswith("cache/") or item.name.split("/")[1:2] in ([], ["tables"])
    return item if keep_cache and not item.name.endswith("report.html") else None


if __name__ == "__main__":
    main()
