"""Every open set as two versions read it: columns, task, number of rows, labels and the sum of all rows.

Each file of the data folder is looked at by processes of their own; what differs is printed, and it is to be argued.

    python benchmarks/same_rows.py --data DATA --before OLD/src --after src
    python benchmarks/same_rows.py --data DATA --before OLD/src --keep record.json        # read once, compare later
    python benchmarks/same_rows.py --data DATA --record record.json --after src
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cells

NAME = "same-rows"
# Reads one file a line of stdin, as `deepen train FILE` would, and prints what it read.
PROGRAM = """
import hashlib, importlib, json, sys
from deepen.core.errors import DeepenError
from deepen.data.load import DataSettings, load_table
from deepen.preparation.read import infer_task
from deepen.preparation.recipe import make_recipe

def read(path):
    recipe = make_recipe({"data": {"path": path}})
    try:
        sources = importlib.import_module("deepen.api")._sources(path, None, None)[0]
        name, why = infer_task(recipe, sources)[:2]
    except DeepenError as error:
        return {"task": f"{type(error).__name__}: {error}"}
    needs = importlib.import_module(f"deepen.tasks.{name}").NEEDS
    try:
        table, columns = load_table(path, needs, DataSettings())
    except DeepenError as error:
        return {"task": name, "error": f"{type(error).__name__}: {error}"}
    rows, targets = hashlib.sha256(), set()
    for example in table.all_rows().examples():
        row = json.dumps([example.inputs, example.target], ensure_ascii=False, sort_keys=True, default=str)
        rows.update(row.encode("utf-8", "replace"))
        held = example.target if isinstance(example.target, list) else [example.target]
        targets.update(str(value) for value in held if len(targets) < 5000)
    return {"task": name, "rows": len(table), "inputs": {k: list(v) for k, v in columns.inputs.items()},
            "target": list(columns.target) if columns.target is not None else None, "sha256": rows.hexdigest(),
            "labels": len(targets), "first_labels": sorted(targets)[:5]}

for line in sys.stdin:
    try:
        found = read(line.rstrip("\\n"))
    except Exception as error:
        found = {"task": f"traceback: {type(error).__name__}: {error}"}
    print(json.dumps(found, ensure_ascii=False), flush=True)
"""


def sources(data: Path) -> list[Path]:
    """Every file of every set that holds rows, and the folders whose files are classes."""
    skipped = {".html", ".md", ".yml", ".png"}
    files = [path for path in sorted(data.glob("*/**/*")) if path.is_file() and path.suffix.lower() not in skipped]
    named = {"LICENSE.txt", "README.txt", "readme.txt"}
    return [path for path in files if path.name not in named and not path.name.startswith(".")]


def read(source: Path, data: Path, work: Path) -> dict[str, Any]:
    """What one version reads, by the path below the data folder."""
    environment = os.environ | {"PYTHONPATH": str(source.resolve()), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    environment["DEEPEN_CACHE"] = str((work / f"cache-{os.getpid()}-{abs(hash(str(source)))}").resolve())
    paths = sources(data)
    given = "".join(f"{path}\n" for path in paths)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=given, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    lines = done.stdout.splitlines()
    return {str(path.relative_to(data)): json.loads(line) for path, line in zip(paths, lines, strict=True)}


def different(before: dict[str, Any], after: dict[str, Any]) -> str:
    """How two records of one file differ, in a few words."""
    keys = [key for key in ("task", "error", "rows", "inputs", "target", "labels") if before.get(key) != after.get(key)]
    said = [f"{key} {str(before.get(key))[:90]} -> {str(after.get(key))[:90]}" for key in keys]
    if not said and before.get("sha256") != after.get("sha256"):
        said.append("the rows themselves")
    return "; ".join(said)


def main() -> None:
    """Reads with both versions, or with one and a record of the other."""
    made = cells.parser(__doc__ or "")
    made.add_argument("--before", type=Path, help="src of the older version")
    made.add_argument("--after", type=Path, help="src of the newer version")
    made.add_argument("--keep", type=Path, help="write what the older version reads here")
    made.add_argument("--record", type=Path, help="what the older version read, as --keep wrote it")
    asked = made.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    before = json.loads(asked.record.read_text()) if asked.record else read(asked.before, asked.data, asked.work)
    if asked.keep:
        asked.keep.write_text(json.dumps(before, ensure_ascii=False, indent=1), encoding="utf-8")
    if asked.after is None:
        print(f"{len(before)} files, {sum('rows' in one for one in before.values())} of them read")
        return
    after = read(asked.after, asked.data, asked.work)
    wrong = {name: said for name, one in before.items() if (said := different(one, after.get(name, {})))}
    for name, said in wrong.items():
        print(f"{name:<60} {said}")
    print(f"{len(before) - len(wrong)} of {len(before)} files are read as before, {len(wrong)} otherwise")
    cells.write(
        NAME,
        command="python benchmarks/same_rows.py --data DATA --before OLD/src --after src",
        seed=0,
        value=len(before) - len(wrong),
        n=len(before),
        unit="files read as before",
        otherwise=wrong,
        seconds=round(time.monotonic() - began, 1),
    )


if __name__ == "__main__":
    main()
