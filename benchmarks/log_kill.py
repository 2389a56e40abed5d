"""A server that keeps its answers, killed with -9 again and again, its database too: is every answer kept, once?

Four clients ask for 300,000 rows, a thousand in a request, of a run of rung `lexical`. What a client got whole is
acknowledged, and must be in the database after the last server has ended by itself; what it did not get is asked once
more under another text. Before that, requests of one row are timed without the log and with it, in turns; of
that run, or of the one that `--timed` names.

    python benchmarks/log_kill.py --data DATA                  # SQLite
    python benchmarks/log_kill.py --data DATA --postgres       # needs initdb, postgres and psycopg
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cells
import httpx2

from deepen.inference.model import load_model
from deepen.monitoring.record import input_hash
from deepen.monitoring.store import open_store

DEEPEN = str(Path(sys.executable).with_name("deepen"))
QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
CLIENTS, ROWS, PAUSE, KILLS, TIMED = 4, 1_000, 8.0, 4, 2_000
WITHIN = 120.0  # seconds


class Server:
    """`deepen serve` on one port, killed and started anew."""

    def __init__(self, run: Path, *words: str, registry: tuple[str, str] | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1/runs/{run.name}/predict"
        what = [str(run)] if registry is None else ["--registry", registry[0], "--run", registry[1]]
        self.words = [DEEPEN, "serve", *what, "--port", str(port), "--workers", "1", *words]
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it serves."""
        self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout is not None  # noqa: S101 - it was asked for
        for line in self.process.stdout:
            if "serving at" in line:
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return
        raise SystemExit("the server did not start")

    def end(self, number: signal.Signals) -> int:
        """Sends it a signal; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(WITHIN)


class Postgres:
    """A PostgreSQL of its own, on loopback."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="deepen-pg-"))
        self.own: dict[str, Any] = {}
        if os.geteuid() == 0:  # it refuses to run as root
            shutil.chown(self.folder, "postgres")
            self.own = {"user": "postgres"}
        there = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        self.bin = Path(shutil.which("postgres") or (there[-1] if there else "postgres")).resolve().parent
        words = [self.bin / "initdb", "-D", self.folder / "data", "-U", "deepen", "-A", "trust"]
        subprocess.run(words, check=True, **QUIET, **self.own)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://deepen@127.0.0.1:{self.port}/postgres"
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it takes connections."""
        import psycopg

        words = [self.bin / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-k", self.folder]
        self.process = subprocess.Popen([*words, "-c", "listen_addresses=127.0.0.1"], **QUIET, **self.own)
        for _ in range(600):
            with suppress(psycopg.OperationalError), psycopg.connect(self.url):
                return
            if self.process.poll() is not None:  # what the killed one left is still ending
                self.process = subprocess.Popen([*words, "-c", "listen_addresses=127.0.0.1"], **QUIET, **self.own)
            time.sleep(0.1)
        raise SystemExit("PostgreSQL did not start")

    def kill(self) -> None:
        """Ends it as a loss of power would."""
        self.process.kill()
        self.process.wait()

    def remove(self) -> None:
        """Ends it well, and removes it."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


def p99s(run: Path, log: list[str], sentences: list[str]) -> dict[str, list[float]]:
    """Milliseconds of the slowest hundredth of one-row requests, without the log and with it, three turns each."""
    found: dict[str, list[float]] = {"without": [], "with": []}
    servers = {"without": Server(run), "with": Server(run, *log)}
    for turn in range(4):
        for name, server in servers.items():
            taken: list[float] = []

            def ask(number: int, server: Server = server, taken: list[float] = taken) -> None:
                with httpx2.Client(timeout=WITHIN) as client:
                    for at in range(number, TIMED, CLIENTS):
                        began = time.perf_counter()
                        client.post(server.url, json={"rows": [{"text": sentences[at % len(sentences)]}]})
                        taken.append(1000 * (time.perf_counter() - began))

            each(ask)
            if turn:  # the first warms up
                found[name].append(statistics.quantiles(taken, n=100)[98])
    for server in servers.values():
        server.end(signal.SIGTERM)
    return found


def each(what: Any) -> None:
    """Calls a function with the number of each client, in threads."""
    threads = [threading.Thread(target=what, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Asking:
    """Clients that ask until so many rows were acknowledged."""

    def __init__(self, url: str, sentences: list[str], wanted: int) -> None:
        self.url, self.sentences, self.wanted = url, sentences, wanted
        self.acknowledged: list[str] = []
        self.failed = 0
        self._number, self._lock = 0, threading.Lock()

    def ask(self, _: int) -> None:
        """One client."""
        while len(self.acknowledged) < self.wanted:
            with self._lock:
                first, self._number = self._number, self._number + ROWS
            rows = [{"text": f"{at} {self.sentences[at % len(self.sentences)]}"} for at in range(first, first + ROWS)]
            try:
                answer = httpx2.post(self.url, json={"rows": rows}, timeout=WITHIN)
                answer.raise_for_status()
                whole = len(answer.json()["answers"]) == ROWS
            except (httpx2.HTTPError, ValueError):
                whole = False
                time.sleep(0.2)
            with self._lock:
                self.failed += not whole
                if whole:
                    self.acknowledged += map(input_hash, rows)


@contextmanager
def in_background(asking: Asking) -> Iterator[threading.Thread]:
    """Clients at work for as long as this lasts."""
    clients = threading.Thread(target=each, args=(asking.ask,))
    clients.start()
    yield clients
    clients.join()


def main() -> None:
    """Trains, times, kills, counts."""
    options_parser = cells.parser(__doc__ or "")
    options_parser.add_argument("--postgres", action="store_true", help="keep answers in PostgreSQL")
    options_parser.add_argument("--rows", type=int, default=300_000, help="rows to be acknowledged")
    options_parser.add_argument("--timed", type=Path, help="the run whose answers are timed; else the lexical one")
    options = options_parser.parse_args()
    kind = "postgresql" if options.postgres else "sqlite"
    if not cells.wanted(f"log-kill-{kind}", options):
        return
    work = options.work / f"log-kill-{kind}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    run = work / "run"
    train = [DEEPEN, "train", str(options.data / "sst2" / "dev.tsv"), "--columns", "text=0,label=1"]
    subprocess.run([*train, "--rungs", "lexical", "--out", str(run)], check=True, stdout=subprocess.DEVNULL)
    lines = (options.data / "sst2" / "dev.tsv").read_text(encoding="utf-8").splitlines()
    sentences = [re.split(r"\t", line)[0] for line in lines]
    postgres = Postgres() if options.postgres else None
    url = postgres.url if postgres is not None else f"sqlite:///{work / 'log.sqlite'}"
    log = ["--log", url, "--set", f"log_journal={work / 'journal'}", "--set", "waiting_seconds=60"]
    timed = p99s(options.timed or run, log, sentences)
    server = Server(run, *log)
    asking = Asking(server.url, sentences, options.rows)
    began = time.monotonic()
    with in_background(asking) as clients:
        for number in range(KILLS):
            time.sleep(PAUSE)
            if not clients.is_alive():
                raise SystemExit(f"all was asked before kill {number + 1} of {KILLS}: ask for more with --rows")
            if postgres is not None and number % 2:
                postgres.kill()
                time.sleep(3)
                postgres.start()
            else:
                server.end(signal.SIGKILL)
                server.start()
    seconds = time.monotonic() - began
    code = server.end(signal.SIGTERM)
    store = open_store(url)
    kept = Counter(record.input_hash for record in store.read())
    store.close()
    if postgres is not None:
        postgres.remove()
    lost = sum(kept[one] == 0 for one in asking.acknowledged)
    twice = sum(kept[one] > 1 for one in asking.acknowledged)
    without, logging = (statistics.median(timed[name]) for name in ("without", "with"))
    cells.write(
        f"log-kill-{kind}",
        command="python benchmarks/log_kill.py --data DATA"
        + (" --postgres" if options.postgres else "")
        + f" --rows {options.rows}",
        seed=0,
        value=lost,
        metric="acknowledged records that are not in the database",
        n=len(asking.acknowledged),
        kept_twice=twice,
        timed=load_model(options.timed or run).rung,
        kills=KILLS,
        requests_without_answer=asking.failed,
        exit_code=code,
        seconds=round(seconds, 1),
        p99_ms_without_log=round(without, 2),
        p99_ms_with_log=round(logging, 2),
        p99_ms_each={name: [round(one, 2) for one in values] for name, values in timed.items()},
    )


if __name__ == "__main__":
    main()
