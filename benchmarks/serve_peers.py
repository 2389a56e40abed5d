"""`deepen serve` beside the transformers pipeline behind FastAPI, LitServe and infinity-emb: the same run's weights.

    python benchmarks/serve_peers.py --data DATA --peers PEERS/bin [--seconds 8]

PEERS is an environment with torch, transformers, fastapi, uvicorn, litserve and `infinity-emb[server,torch]`. All
servers run at once, and only one of them is asked at a time: 1, 8 and 64 clients of wrk (Debian: wrk) send sentences
of sst2's test set, one a request, in turns that go round three times; the middle one of each counts.

Cells: `serve-peers-CLIENTS`, value: requests a second of `deepen serve` by those of the best peer;
`serve-load`: p95 where 64 clients pause so that the load is 70 % of the most; `serve-rows`: rows a second with 8 rows
a request, by those that two processes answer offline with the same export, the generator's share of the processor
taken off; `serve-memory`: growth of all the server's processes from request 10,000 to 200,000. Loopback only.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cells

import ladder

CLIENTS, TURNS, ROWS, LOAD = (1, 8, 64), 3, 8, 0.7
FIRST, LAST = 10_000, 200_000
PEERS = Path(__file__).parent / "peers"
WRK = """
local bodies, at = {}, 0
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
local pause = tonumber(os.getenv("PAUSE"))
local headers = {["Content-Type"] = "application/json"}
math.randomseed(os.time())
function request() at = at % #bodies + 1; return wrk.format("POST", nil, headers, bodies[at]) end
if pause > 0 then function delay() return math.floor(-pause * math.log(1 - math.random())) end end
function done(summary, latency)
  local errors = summary.errors
  local form = 'RESULT {"requests": %d, "micros": %d, "bad": %d, "p50": %.3f, "p95": %.3f, "p99": %.3f}'
  print(string.format(form,
    summary.requests, summary.duration, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, latency:percentile(99) / 1000))
end
"""
OFFLINE = """
import json, sys, time
import deepen
texts = json.load(open(sys.argv[2], encoding="utf-8"))
model = deepen.load(sys.argv[1], device="cpu")
model.predict(texts[:200])
print("ready", flush=True); sys.stdin.readline()
began, rows = time.perf_counter(), 0
while time.perf_counter() - began < float(sys.argv[3]):
    for at in range(0, len(texts), 64):
        rows += len(model.predict(texts[at : at + 64]))
print(rows / (time.perf_counter() - began))
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Side:
    """A server, and how it is asked."""

    def __init__(self, name: str, command: list[str], path: str, body: Any, work: Path, **environment: str) -> None:
        self.name, self.path, self.body, self.work = name, path, body, work
        self.log = (work / f"{name}.log").open("wb")
        everywhere = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"} if name != "deepen" else {}
        self.process = subprocess.Popen(
            command,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **everywhere, **environment},
            start_new_session=True,
            cwd=PEERS,
        )

    def bodies(self, texts: list[str], rows: int) -> Path:
        """A file with a body a line."""
        path = self.work / f"{self.name}-{rows}.jsonl"
        groups = (texts[at : at + rows] for at in range(0, len(texts) - rows + 1, rows))
        path.write_text("".join(json.dumps(self.body(group)) + "\n" for group in groups), encoding="utf-8")
        return path

    def asked(self, texts: list[str], clients: int, seconds: float, *, rows: int = 1, pause: float = 0) -> dict:
        """What wrk measured; `pause` is the mean milliseconds a client waits before its next request."""
        script = self.work / "wrk.lua"
        script.write_text(WRK, encoding="utf-8")
        given = {"BODIES": str(self.bodies(texts, rows)), "PAUSE": str(pause)}
        words = ["wrk", "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", str(script)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        printed = subprocess.run(
            [*words, self.path], env={**os.environ, **given}, capture_output=True, text=True, check=True
        ).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = json.loads(re.search(r"RESULT (.*)", printed)[1])  # type: ignore[index]
        found["seconds"] = found.pop("micros") / 1e6
        found["rate"] = round(found["requests"] / found["seconds"], 1)
        found["generator_cpu"] = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)
        return found

    def wait(self, texts: list[str]) -> None:
        """Until it answers as it should."""
        began = time.monotonic()
        while True:
            try:
                if self.asked(texts, 1, 1)["requests"] > 1 and self.asked(texts, 1, 1)["bad"] == 0:
                    return
            except subprocess.CalledProcessError:
                pass
            if time.monotonic() - began > 240 or self.process.poll() is not None:
                raise SystemExit(f"{self.name} does not answer: {Path(self.log.name).read_text()[-2000:]}")
            time.sleep(1)

    def bytes(self) -> int:
        """Memory of all its processes that is theirs alone, and their part of what they share."""
        total = 0
        told = subprocess.run(
            ["ps", "-o", "pid=", "-g", str(self.process.pid)], capture_output=True, text=True, check=True
        )
        for number in told.stdout.split():
            said = Path(f"/proc/{number}/smaps_rollup").read_text()
            total += int(re.search(r"Pss:\s+(\d+) kB", said)[1]) * 1024  # type: ignore[index]
        return total

    def end(self) -> None:
        """Stops it with all its processes."""
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.log.close()


def started(name: str, run: Path, options: Any) -> Side:
    """A server of this name."""
    port, model = free_port(), str(run / "rungs" / "frozen" / "model")
    root, work, cores = f"http://127.0.0.1:{port}", options.work, len(os.sched_getaffinity(0))
    if name == "deepen":
        words = [ladder.DEEPEN, "serve", f"{run}=sst2", "--port", str(port), "--no-keys"]
        return Side(name, words, f"{root}/v1/runs/sst2/predict", lambda t: {"rows": [{"text": x} for x in t]}, work)
    texts = {"body": lambda t: {"texts": t}, "work": work, "MODEL": model}
    if name == "pipeline":
        words = [str(options.peers / "uvicorn"), "serve_pipeline:app", "--port", str(port), "--workers", str(cores)]
        return Side(name, [*words, "--log-level", "warning"], f"{root}/predict", **texts)
    if name == "litserve":
        words = [str(options.peers / "python"), "serve_litserve.py"]
        return Side(name, words, f"{root}/predict", PORT=str(port), **texts)
    words = [str(options.peers / "infinity_emb"), "v2", "--model-id", model, "--engine", "torch", "--device", "cpu"]
    words += ["--host", "127.0.0.1", "--port", str(port), "--batch-size", "32", "--no-bettertransformer"]
    quiet = {"DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0", "OMP_NUM_THREADS": str(cores)}
    words += ["--served-model-name", "sst2", "--dtype", "float32"]
    return Side(name, words, f"{root}/classify", lambda t: {"model": "sst2", "input": t}, work, **quiet)


def write(name: str, value: float, unit: str, n: int, **more: Any) -> None:
    """A cell."""
    command = "python benchmarks/serve_peers.py --data DATA --peers PEERS/bin"
    cells.write(name, command=command, seed=0, value=value, unit=unit, n=n, cores=os.cpu_count(), **more)


def peers(sides: list[Side], texts: list[str], options: Any) -> None:
    """Requests a second and latency, by the number of clients."""
    for clients in CLIENTS:
        if not cells.wanted(f"serve-peers-{clients}", options):
            continue
        turns: dict[str, list[dict]] = {side.name: [] for side in sides}
        for _ in range(TURNS):
            for side in sides:
                turns[side.name].append(side.asked(texts, clients, options.seconds))
        middle = {name: sorted(found, key=lambda one: one["rate"])[len(found) // 2] for name, found in turns.items()}
        best = max((name for name in middle if name != "deepen"), key=lambda name: middle[name]["rate"])
        write(
            f"serve-peers-{clients}",
            round(middle["deepen"]["rate"] / middle[best]["rate"], 2),
            "times the requests a second of the best peer",
            sum(one["requests"] for found in turns.values() for one in found),
            best_peer=best,
            times={name: round(middle["deepen"]["rate"] / one["rate"], 2) for name, one in middle.items()},
            middle=middle,
            rates={name: [one["rate"] for one in found] for name, found in turns.items()},
        )


def load(side: Side, texts: list[str], options: Any) -> None:
    """p95 at 70 % of the most that it answers."""
    if not cells.wanted("serve-load", options):
        return
    most = side.asked(texts, 64, options.seconds)
    found = side.asked(texts, 64, 2 * options.seconds, pause=1000 * 64 / (LOAD * most["rate"]))
    share = found["rate"] / most["rate"]
    more = {"most": most, "share_of_the_most": round(share, 3), "found": found}
    write("serve-load", found["p95"], "milliseconds, p95 at 70 % load", found["requests"], **more)


def rows(side: Side, texts: list[str], run: Path, options: Any) -> None:
    """Rows a second with several rows a request, beside two processes that answer them offline."""
    if not cells.wanted("serve-rows", options):
        return
    path, cores = options.work / "offline.json", len(os.sched_getaffinity(0))
    path.write_text(json.dumps(texts), encoding="utf-8")
    served, offline = [], []
    for _ in range(TURNS):
        words = [sys.executable, "-c", OFFLINE, str(run / "export"), str(path), str(options.seconds)]
        own = {**os.environ, "OMP_NUM_THREADS": "1", "DEEPEN_THREADS": "1"}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": own}
        both = [subprocess.Popen(words, preexec_fn=_pinned(core), **pipes) for core in range(cores)]
        for one in both:
            one.stdout.readline()  # type: ignore[union-attr]
        for one in both:
            one.stdin.write("go\n")  # type: ignore[union-attr]
            one.stdin.flush()  # type: ignore[union-attr]
        offline.append(sum(float(one.communicate()[0]) for one in both))
        found = side.asked(texts, 8, options.seconds, rows=ROWS)
        left = found["seconds"] * cores - found["generator_cpu"]
        served.append(ROWS * found["requests"] * cores / left)
    value = statistics.median(served) / statistics.median(offline)
    more = {"served": [round(one) for one in served], "offline": [round(one) for one in offline]}
    write("serve-rows", round(value, 3), "of the rows a second offline", len(served), **more)


def _pinned(core: int) -> Any:
    return lambda: os.sched_setaffinity(0, {core})


def memory(side: Side, texts: list[str], options: Any) -> None:
    """Bytes after the first requests and after the last; of three words each, so that there can be so many."""
    if not cells.wanted("serve-memory", options):
        return
    texts = [" ".join(text.split()[:3]) for text in texts]
    asked, seen, rate = 0, [], side.asked(texts, 8, 2)["rate"]
    for most in (FIRST, LAST // 2, LAST):
        while asked < most:
            asked += side.asked(texts, 8, min(30.0, 1 + (most - asked) / rate))["requests"]
        time.sleep(2)
        seen.append(side.bytes())
    more = {"bytes": seen, "at": [FIRST, LAST // 2, LAST]}
    write("serve-memory", round(100 * (seen[-1] / seen[0] - 1), 2), "per cent more memory", asked, **more)


def main() -> None:
    """Measures what is not measured yet."""
    parser = cells.parser(__doc__ or "")
    parser.add_argument("--peers", type=Path, required=True, help="the folder with the peers' programs")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each turn")
    parser.add_argument("--sides", default="deepen,pipeline,litserve,infinity", help="which servers")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    run = options.work / "runs" / "serve-peers"
    if not (run / "report.html").is_file():
        words = ["--columns", "text=0,label=1", "--rungs", "frozen", "--set", "model.pooling=cls"]
        train = [ladder.DEEPEN, "train", f"{options.data}/sst2/train.tsv", *words]
        cells.run([*train, "--out", str(run), "--overwrite"])
    lines = (options.data / "sst2" / "test.tsv").read_text(encoding="utf-8").splitlines()
    texts = [line.rsplit("\t", 1)[0] for line in lines]
    sides: list[Side] = []
    try:
        for name in options.sides.split(","):
            sides.append(started(name, run, options))
            sides[-1].wait(texts)
        own = sides[0]
        if len(sides) > 1:
            peers(sides, texts, options)
        load(own, texts, options)
        rows(own, texts, run, options)
        memory(own, texts, options)
    finally:
        for side in sides:
            side.end()


if __name__ == "__main__":
    main()
