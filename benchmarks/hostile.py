"""10,000 requests in bad faith to `deepen serve`, with honest ones beside them: is there a 500, a hang, a late answer?

Two honest clients ask a row at a time at a steady pace. In turns of five seconds a process of its own sends hostile
requests (`hostile_inputs.py`) beside them, or leaves them alone, so that both see the same machine. Afterwards a
planted key is looked for in all that the server printed, counted, answered and kept. Loopback only.

    python benchmarks/hostile.py --data . --run RUN [--work /tmp/deepen-bench] [--requests 10000]
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cells
from hostile_inputs import Hostile, Sent

from deepen.serving.keys import create

NAME = "serve-hostile"
SENDERS, A_SECOND, PATIENCE = 8, 100.0, 30.0
HONEST, PAUSE, TURN = 2, 0.02, 5.0  # clients, seconds between two requests, seconds of a turn
refused: Counter[int] = Counter()
SERVER = "from deepen.cli.main import main; main()"


class Server:
    """`deepen serve` with keys and a log that keeps texts; all that it prints is kept."""

    def __init__(self, run: Path, folder: Path, keys: Path) -> None:
        words = ["serve", f"{run}=run", "--port", "0", "--keys", str(keys), "--set", "log_texts=true"]
        words += ["--log", f"sqlite:///{folder / 'log.sqlite'}"]
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", SERVER, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self._read, daemon=True).start()
        while not any("serving at" in line for line in self.lines):
            if self.process.poll() is not None:
                raise SystemExit("".join(self.lines))
            time.sleep(0.1)
        url = urlsplit(
            next(word for line in self.lines for word in line.split() if word.startswith("http")).rstrip(",")
        )
        self.host, self.port = str(url.hostname), int(url.port or 0)

    def _read(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 - it was asked for
        self.lines.extend(self.process.stdout)

    def get(self, path: str, key: str) -> bytes:
        """What is at an address."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        return connection.getresponse().read()


def send(where: tuple[str, int], sent: Sent) -> tuple[str, float, bytes]:
    """Sends bytes, and reads until the server closes.

    Returns:
        The status (`closed` where it said nothing, `hang` where it kept the connection), seconds, and all it said.
    """
    began, said = time.monotonic(), b""
    try:
        with socket.create_connection(where, timeout=PATIENCE) as connection:
            connection.sendall(sent.data)
            if not sent.stays:
                connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(1 << 16):
                said += chunk
    except TimeoutError:
        return "hang", time.monotonic() - began, said
    except OSError:  # it was closed while we still sent
        pass
    last = said.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    status = last.split(b" ", 2)[1].decode() if last.startswith(b"HTTP/") else "closed"
    return status, time.monotonic() - began, said


def attack(where: tuple[str, int], key: str, num: int, told: Any) -> None:
    """Sends so many hostile requests from threads of this process; tells how they were answered."""
    os.nice(10)  # what is measured is the server, not how the two share a processor
    hostile = Hostile("run", key, seed=0)
    requests = [hostile.next() for _ in range(num)]
    answers: Counter[tuple[str, str]] = Counter()
    examples: dict[str, list[Any]] = {"500": [], "hang": [], "leak": []}
    slowest = dict.fromkeys((sent.kind for sent in requests), 0.0)
    secret, lock, began = key.rpartition("_")[2].encode(), threading.Lock(), time.monotonic()
    first = began + 2 * TURN - began % (2 * TURN)

    def one(at: int) -> None:
        turn, into = divmod(at / A_SECOND, TURN)
        time.sleep(max(0.0, first + 2 * TURN * turn + into - time.monotonic()))
        sent = requests[at]
        status, seconds, said = send(where, sent)
        with lock:
            answers[sent.kind, status] += 1
            slowest[sent.kind] = max(slowest[sent.kind], seconds)
            for name in ([status] if status in examples else []) + (["leak"] if secret in said else []):
                examples[name].append([sent.kind, repr(sent.data[:300])])

    with ThreadPoolExecutor(SENDERS * 8) as threads:  # slow clients each hold one for ten seconds
        list(threads.map(one, range(num)))
    found = {"answers": [[*names, count] for names, count in sorted(answers.items())], "slowest": slowest}
    told.send({**found, "examples": examples, "seconds": time.monotonic() - began})


def honest(server: Server, key: str, until: Any) -> tuple[list[float], list[float]]:
    """Milliseconds of the answers to honest clients, until it is time; what is no 200 goes into `refused`.

    Returns:
        Those asked while the others were at it, and those asked while they were not.
    """
    beside: list[float] = []
    alone: list[float] = []

    def client(number: int) -> None:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        for at in range(10_000_000):
            if until():
                return
            taken = beside if time.monotonic() % (2 * TURN) < TURN else alone
            began = time.perf_counter()
            body = json.dumps({"rows": [{"text": f"a good film {number} {at}"}]})
            connection.request("POST", "/v1/runs/run/predict", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                refused[answer.status] += 1
            taken.append(1_000 * (time.perf_counter() - began))
            time.sleep(PAUSE)

    with ThreadPoolExecutor(HONEST) as threads:
        list(threads.map(client, range(HONEST)))
    return beside, alone


def traces(server: Server, key: str, folder: Path) -> list[str]:
    """Where the secret of a key, or half of it, stands that should stand nowhere."""
    secret = key.rpartition("_")[2]
    places = {"printed": "".join(server.lines).encode(), "metrics": server.get("/metrics", key)}
    server.process.send_signal(signal.SIGTERM)
    if server.process.wait(60) != 0:
        raise SystemExit("the server did not end well")
    places |= {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return [name for name, data in places.items() if secret[:32].encode() in data]


def p99(milliseconds: list[float]) -> float:
    """The slowest hundredth begins here."""
    return statistics.quantiles(milliseconds, n=100)[98]


def main() -> None:
    """One cell."""
    options = cells.parser(__doc__ or "")
    options.add_argument("--run", type=Path, required=True, help="a run that reads one text, as of rung lexical")
    options.add_argument("--requests", type=int, default=10_000)
    given = options.parse_args()
    if not cells.wanted(NAME, given):
        return
    folder = given.work / NAME
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    key = create(folder / "keys.json", scopes=["predict", "metrics"]).text
    server = Server(given.run, folder, folder / "keys.json")
    try:
        honest(server, key, iter([False] * 200 + [True] * HONEST).__next__)  # warm
        ours, theirs = multiprocessing.Pipe()
        words = ((server.host, server.port), key, given.requests, theirs)
        attacking = multiprocessing.get_context("spawn").Process(target=attack, args=words)
        attacking.start()
        beside, alone = honest(server, key, lambda: not attacking.is_alive() or ours.poll())
        found = ours.recv()
        attacking.join()
        leaks = traces(server, key, folder)
    finally:
        server.process.kill()
    printed = "".join(server.lines)
    statuses: Counter[str] = Counter()
    for _, status, count in found["answers"]:
        statuses[status] += count
    cells.write(
        NAME,
        command="python benchmarks/hostile.py --data . --run RUN",
        seed=0,
        value=round(p99(beside) / p99(alone), 2),
        n=given.requests,
        unit="p99 of honest answers beside hostile requests, as a multiple of it without them; n counts hostile ones",
        status_500=statuses["500"],
        hangs=statuses["hang"],
        honest_p99_ms={"beside": round(p99(beside), 1), "alone": round(p99(alone), 1)},
        honest_p50_ms={"beside": round(statistics.median(beside), 1), "alone": round(statistics.median(alone), 1)},
        honest_refused={str(status): count for status, count in refused.items()},
        honest_requests=len(beside) + len(alone),
        statuses=dict(sorted(statuses.items())),
        slowest_seconds={name: round(seconds, 2) for name, seconds in found["slowest"].items()},
        key_found_in=leaks,
        tracebacks=printed.count("Traceback"),
        hostile_a_second=round(given.requests / found["seconds"], 1),
        seconds=round(found["seconds"], 1),
    )
    for name, some in found["examples"].items():
        for example in some[:5]:
            print(name, *example)
    if statuses["500"] or statuses["hang"] or refused or leaks or found["examples"]["leak"] or "Traceback" in printed:
        print(printed[-3_000:])
        raise SystemExit(1)


if __name__ == "__main__":
    main()
