"""A server under load: its model processes are killed, stopped, poisoned, its versions swapped and rolled back.

    python benchmarks/serve_kills.py --data DATA [--seconds 180] [--only kills|swaps|faults]

Eight clients ask one row at a time of runs of rung `lexical` on sst2, by two model processes; a registry in a folder.
Every answer is held against what the same version gave offline.

- kills: `kill -9` of a model process every 20 s, in turns; requests that got neither an answer nor 503 are counted.
- swaps: promotion and rollback in turns; requests that got no answer are counted.
- faults: a stopped process, and weights that are written over in memory: seconds until it is out of service.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cells
import httpx2
from log_kill import DEEPEN, Server
from safetensors.numpy import load_file

import deepen
from deepen.registry.place import open_place
from deepen.registry.promotions import promote, rollback
from deepen.registry.versions import push

CLIENTS, KILL_SECONDS, SWAP_SECONDS, WITHIN = 8, 20.0, 10.0, 60.0
NAME = "mood"


class Load:
    """Clients that ask until they are told to stop, and what became of each request."""

    def __init__(self, url: str, sentences: list[str], wanted: dict[int | None, list[Any]]) -> None:
        self.url, self.sentences, self.wanted = url, sentences, wanted
        self.statuses: Counter[str] = Counter()
        self.versions: Counter[int | None] = Counter()
        self.wrong = 0
        self.milliseconds: list[float] = []
        self._stop = threading.Event()

    def ask(self, number: int) -> None:
        """One client."""
        with httpx2.Client(timeout=WITHIN) as client:
            while not self._stop.is_set():
                number = (number + CLIENTS) % len(self.sentences)
                began = time.perf_counter()
                try:
                    answer = client.post(self.url, json={"rows": [{"text": self.sentences[number]}]})
                except httpx2.HTTPError as error:
                    self.statuses[type(error).__name__] += 1
                    continue
                self.milliseconds.append(1000 * (time.perf_counter() - began))
                self.statuses[str(answer.status_code)] += 1
                if answer.status_code == 200:
                    told = answer.json()
                    version = told.get("version")
                    self.versions[version] += 1
                    self.wrong += told["answers"][0]["output"] != self.wanted[version][number]
                else:
                    time.sleep(0.05)

    @contextmanager
    def on(self) -> Iterator[None]:
        """Clients at work for as long as this lasts."""
        threads = [threading.Thread(target=self.ask, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def record(self) -> dict[str, Any]:
        """For a cell."""
        slow = statistics.quantiles(self.milliseconds, n=100)
        return {
            "n": sum(self.statuses.values()),
            "statuses": dict(self.statuses),
            "wrong_answers": self.wrong,
            "p50_ms": round(slow[49], 2),
            "p99_ms": round(slow[98], 2),
        }


def model_processes(server: Server) -> list[int]:
    """Their ids."""
    words = ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(server.process.pid)]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return sorted(int(line.split()[0]) for line in told.splitlines() if "spawn_main" in line)


def status(server: Server, path: str = "/health/ready") -> int:
    """Of a page."""
    return int(httpx2.get(server.url.partition("/v1/")[0] + path, timeout=WITHIN).status_code)


def until(what: Callable[[], bool]) -> float:
    """Seconds until something holds."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > WITHIN:
            raise SystemExit("what was waited for did not come")
        time.sleep(0.02)
    return time.monotonic() - began


def kills(run: Path, load_of: Callable[[str], Load], seconds: float) -> dict[str, Any]:
    """A model process dies every 20 s."""
    server = Server(run, "--workers", "2")
    load, num, turn = load_of(server.url), 0, KILL_SECONDS
    with load.on():
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            time.sleep(min(turn, max(0.0, ends - time.monotonic())))
            there = model_processes(server)
            if time.monotonic() < ends and there:
                os.kill(there[num % len(there)], signal.SIGKILL)
                num += 1
    code = server.end(signal.SIGTERM)
    lost = sum(times for status, times in load.statuses.items() if status not in ("200", "503"))
    return {"value": lost, "metric": "requests with neither an answer nor 503", "kills": num, "exit_code": code} | (
        load.record()
    )


def swaps(runs: list[Path], load_of: Callable[[str], Load], seconds: float, folder: Path) -> dict[str, Any]:
    """Another version is promoted, and the one before it comes back, in turns."""
    place = open_place(str(folder))
    first, second = (push(place, run, name=NAME, by="benchmark") for run in runs)
    promote(place, first, by="benchmark")
    server = Server(Path(NAME), "--workers", "2", registry=(place.url, f"{NAME}@production"))
    load, num, version = load_of(server.url), 0, first.version
    taken: list[float] = []
    with load.on():
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            time.sleep(SWAP_SECONDS)
            if num % 2:
                rollback(place, NAME, by="benchmark")
            else:
                promote(place, second, by="benchmark")
            version = first.version if num % 2 else second.version
            before = load.versions[version]
            taken.append(until(lambda before=before, version=version: load.versions[version] > before))  # type: ignore[misc]
            num += 1
    code = server.end(signal.SIGTERM)
    lost = sum(times for status, times in load.statuses.items() if status != "200")
    more = {"swaps": num, "seconds_until_the_first_answer": [round(one, 1) for one in taken], "exit_code": code}
    return {"value": lost, "metric": "requests without an answer", **more} | load.record()


def faults(run: Path, load_of: Callable[[str], Load]) -> dict[str, Any]:
    """Seconds until the server is not ready, or has ended the process, after one was stopped and one was poisoned.

    Wrong answers are those of the poisoned one until then.
    """
    server = Server(run, "--workers", "2")
    load, seen = load_of(server.url), {}
    weights = load_file(run / "model" / "model.safetensors")
    largest = max(weights.values(), key=lambda array: array.nbytes).tobytes()
    with load.on():
        for name, plant in {"stopped": _stop, "poisoned": lambda pid: poison(pid, largest)}.items():
            until(lambda: status(server) == 200 and len(model_processes(server)) == 2)
            time.sleep(5)
            pid = model_processes(server)[0]
            plant(pid)
            seen[name] = round(until(lambda pid=pid: status(server) == 503 or pid not in model_processes(server)), 2)  # type: ignore[misc]
    server.end(signal.SIGTERM)
    worst = max(seen.values())
    return {
        "value": worst,
        "unit": "seconds",
        "metric": "until out of service, the slowest",
        "each": seen,
    } | load.record()


def _stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


def poison(pid: int, pattern: bytes) -> None:
    """Writes zeros over every copy of some bytes in a process, as a fault of memory might."""
    found = 0
    with (
        suppress(OSError),  # it is seen, and the process ended, before this comes to its end
        open(f"/proc/{pid}/maps") as maps,
        open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory,
    ):
        for line in maps:
            where, rights, *_ = line.split()
            start, end = (int(number, 16) for number in where.split("-"))
            if not rights.startswith("rw") or "[v" in line:
                continue
            memory.seek(start)
            at = (held := memory.read(end - start)).find(pattern)
            while at >= 0:
                memory.seek(start + at)
                memory.write(bytes(len(pattern)))
                found, at = found + 1, held.find(pattern, at + len(pattern))
    if not found:
        raise SystemExit("the weights were not found in the process")


def main() -> None:
    """Trains two runs, and does what is not measured yet."""
    options_parser = cells.parser(__doc__ or "")
    options_parser.add_argument("--seconds", type=float, default=180.0, help="of load, for kills and for swaps")
    options = options_parser.parse_args()
    work = options.work / "serve-kills"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    runs = []
    for number, file in enumerate(("dev.tsv", "test.tsv"), 1):
        runs.append(work / f"{NAME}{number}")
        train = [DEEPEN, "train", str(options.data / "sst2" / file), "--columns", "text=0,label=1"]
        train += ["--rungs", "lexical", "--out", str(runs[-1])]
        subprocess.run(train, check=True, stdout=subprocess.DEVNULL)
    lines = (options.data / "sst2" / "dev.tsv").read_text(encoding="utf-8").splitlines()
    sentences = [sentence for line in lines if (sentence := re.split(r"\t", line)[0]).strip()]
    offline = [[one.output for one in deepen.load(run).predict(sentences)] for run in runs]
    wanted: dict[int | None, list[Any]] = {None: offline[0], 1: offline[0], 2: offline[1]}

    def load_of(url: str) -> Load:
        return Load(url, sentences, wanted)

    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "kills": lambda: kills(runs[0], load_of, options.seconds),
        "swaps": lambda: swaps(runs, load_of, options.seconds, work / "registry"),
        "faults": lambda: faults(runs[0], load_of),
    }
    for name, part in parts.items():
        if cells.wanted(f"serve-{name}", options):
            began = time.monotonic()
            found = part()
            command = f"python benchmarks/serve_kills.py --data DATA --seconds {options.seconds:g} --only {name}"
            seconds = round(time.monotonic() - began, 1)
            cells.write(f"serve-{name}", command=command, seed=0, clients=CLIENTS, seconds=seconds, **found)


if __name__ == "__main__":
    main()
