"""One measurement, one file: benchmarks write cells, and this script collects them into docs/results.json.

An interrupted benchmark goes on: a cell that is there is not measured again unless `--again` is said.

    python benchmarks/cells.py            # collect benchmarks/cells/*.json into docs/results.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CELLS = ROOT / "benchmarks" / "cells"


def parser(about: str) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, required=True, help="the folder with the data sets, one folder a set")
    made.add_argument("--work", type=Path, default=Path("/tmp/deepen-bench"), help="a folder for runs and caches")
    made.add_argument("--again", action="store_true", help="measure cells that are there already")
    made.add_argument("--only", help="only cells whose name contains this")
    return made


def wanted(name: str, options: argparse.Namespace) -> bool:
    """Whether a cell is still to be measured."""
    return (not options.only or options.only in name) and (options.again or not (CELLS / f"{name}.json").is_file())


def run(
    command: list[str], *, environment: dict[str, str] | None = None, given: str | None = None
) -> tuple[float, int, str]:
    """Runs a process to its end; `given` is what it reads on stdin.

    Returns:
        Wall seconds of the whole process, its peak memory in bytes, and what it printed on stdout.
    """
    began = time.monotonic()
    with subprocess.Popen(
        command,
        stdin=None if given is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        if process.stdin is not None:
            process.stdin.write(given or "")
            process.stdin.close()
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if process.returncode:
        raise SystemExit(f"{shlex.join(command)} ended with {process.returncode}")
    return seconds, usage.ru_maxrss * 1024, out


FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def flags() -> list[str]:
    """Which of the processor's instructions it has that decide how fast networks run; none where it does not say."""
    try:
        known = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return []
    return [flag for flag in FLAGS if flag in known]


def write(name: str, *, command: str, seed: int, value: Any, n: int | None = None, **more: Any) -> None:
    """Writes a cell.

    Args:
        name: The cell's name, also its file's.
        command: What was run, with the data folder as DATA.
        seed: The seed.
        value: The number.
        n: How many examples it was measured on.
        more: interval, unit, seconds, peak_memory_bytes and what else belongs to the number.
    """
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    machine: dict[str, Any] = {"cpu_flags": flags()}
    machine["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    cell = {"name": name, "value": value, "n": n, "seed": seed, "command": command, "commit": commit.stdout.strip()}
    CELLS.mkdir(parents=True, exist_ok=True)
    path = CELLS / f"{name}.json"
    path.write_text(json.dumps({**cell, **machine, **more}, ensure_ascii=False, indent=1) + "\n")
    print(f"{name}: {value}  {more.get('interval', '')} {more.get('seconds', '')}", flush=True)


def collect() -> None:
    """Lays the cells over the rows of docs/results.json, by name."""
    target = ROOT / "docs" / "results.json"
    rows = {row["name"]: row for row in (json.loads(target.read_text()) if target.is_file() else [])}
    rows |= {row["name"]: row for row in (json.loads(path.read_text()) for path in CELLS.glob("*.json"))}
    target.write_text(json.dumps([rows[name] for name in sorted(rows)], ensure_ascii=False, indent=1) + "\n")
    print(f"{len(rows)} rows in docs/results.json")


if __name__ == "__main__":
    collect()
