"""Processes that die, hang or answer wrongly are seen and replaced; what was asked meanwhile is answered or told."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from tests.serving.conftest import Server, until

from deepen.serving.pace import Pace
from deepen.serving.problems import RefusedError
from deepen.serving.settings import ServeSettings
from deepen.serving.waiting import Piece, Waiting


def test_a_killed_process_loses_nothing(server: Server) -> None:
    until(lambda: len(server.pids) == 2 and server.status() == 200)
    first = server.pids[0]
    statuses: Counter[int] = Counter()
    stop = threading.Event()

    def ask(number: int) -> None:
        with server.client() as client:
            while not stop.is_set():
                rows = [{"text": f"a good film {number}"}] * 4
                statuses[client.post("/v1/runs/classification/predict", json={"rows": rows}).status_code] += 1

    with ThreadPoolExecutor(4) as threads:
        for number in range(4):
            threads.submit(ask, number)
        until(lambda: statuses[200] > 20)
        os.kill(first, signal.SIGKILL)
        until(lambda: first not in server.pids and len(server.pids) == 2)
        stop.set()
    assert set(statuses) <= {200, 503}, statuses
    assert statuses[503] == 0, statuses  # the other process was there
    assert "is replaced" in server.text
    until(lambda: server.status() == 200)


@pytest.mark.services
def test_a_poisoned_model_is_seen(server: Server, runs: dict[str, Path]) -> None:
    """Weights are written over in the memory of a running process, as a fault of memory would."""
    until(lambda: len(server.pids) == 2 and server.status() == 200)
    head = load_file(runs["classification"] / "model" / "2_Dense" / "model.safetensors")
    pattern = head["linear.weight"].tobytes()
    pid = server.pids[0]
    if not poison(pid, pattern):
        pytest.skip("this system does not let a process write to another's memory, or the weights lie there otherwise")
    began = time.monotonic()
    until(lambda: server.status() == 503 or pid not in server.pids)
    print(f"seen after {time.monotonic() - began:.1f} s")
    until(lambda: "answers otherwise than it should" in server.text)
    until(lambda: len(server.pids) == 2 and pid not in server.pids and server.status() == 200)


def poison(pid: int, pattern: bytes) -> int:
    """Writes zeros over every copy of some bytes in a process; how many there were."""
    num = 0
    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            for line in maps:
                where, rights, *_ = line.split()
                start, end = (int(number, 16) for number in where.split("-"))
                if not rights.startswith("rw") or "[v" in line:
                    continue
                try:
                    memory.seek(start)
                    held = memory.read(end - start)
                except (OSError, ValueError):
                    continue
                at = held.find(pattern)
                while at >= 0:
                    memory.seek(start + at)
                    memory.write(bytes(len(pattern)))
                    num += 1
                    at = held.find(pattern, at + len(pattern))
    except OSError:  # not allowed; or it was seen, and ended before this did
        return num
    return num


def test_nothing_secret_was_printed_or_counted(server: Server, keys_file: Path) -> None:
    with server.client() as client:
        counted = client.get("/metrics").text
    secret = (server.key or "").rpartition("_")[2]
    for text in (server.text, counted, keys_file.read_text()):
        assert secret not in text
    assert "a good film" not in server.text + counted
    assert 'deepen_canaries_total{result="agrees",run="classification"}' in counted
    assert "deepen_request_seconds_bucket" in counted


def certificate(folder: Path) -> tuple[Path, Path] | None:
    """A certificate for this machine, where openssl is at hand."""
    if shutil.which("openssl") is None:
        return None
    pem, key = folder / "server.pem", folder / "server.key"
    words = f"req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -out {pem} -keyout {key}"
    subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    return pem, key


@pytest.mark.services
def test_a_stuck_process_is_seen_and_sigterm_drains(runs: dict[str, Path], tmp_path: Path) -> None:
    made = certificate(tmp_path)
    tls = ["--tls-certificate", str(made[0]), "--tls-key", str(made[1])] if made else []
    folder = runs["multilabel"]
    with Server([str(folder), "--port", "0", "--workers", "1", "--set", "stuck_seconds=3", *tls]) as server:
        assert server.url.startswith("https://" if made else "http://")
        until(lambda: server.status() == 200)
        [pid] = server.pids
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        until(lambda: server.status() == 503)
        until(lambda: "no answer in time; it is replaced" in server.text)
        print(f"seen after {time.monotonic() - began:.1f} s")
        assert server.status("/health/live") == 200
        until(lambda: server.status() == 200 and server.pids != [pid])

        rows = [{"text": f"the food was tasty {at}"} for at in range(200)]
        with ThreadPoolExecutor(4) as threads:
            asked = [threads.submit(server.answers, "multilabel", rows) for _ in range(4)]
            time.sleep(0.2)
            code = server.stop()
            assert [len(one.result()) for one in asked] == [200] * 4
        assert code == 0, server.text
        assert "Traceback" not in server.text
        assert server.pids == []


def test_a_run_that_answers_otherwise_than_it_stored_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    from deepen.core.errors import ModelError
    from deepen.serving.answering import open_served
    from deepen.serving.known import known_rows

    folder = Path(shutil.copytree(runs["multilabel"], tmp_path / "run"))
    assert known_rows(folder, open_served(folder)).stored
    stored = folder / "rungs" / "lexical" / "predictions-validation.jsonl"
    stored.write_text(stored.read_text().replace("0.9", "0.1"))
    with pytest.raises(ModelError, match="otherwise than the run stored"):
        known_rows(folder, open_served(folder))


async def _full() -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    waiting = Waiting(["a", "b"], 1, ServeSettings(waiting_rows=10))
    waiting.check(1_000)  # nobody waits, so there is room for any request
    for run in ("a", "b", "a"):
        waiting.put(Piece(run, [{}] * 3, 30, loop.create_future()))
    with pytest.raises(RefusedError) as caught:
        waiting.check(2)
    assert caught.value.status == 429
    assert int(caught.value.headers["Retry-After"]) >= 1
    assert [piece.run for piece in await waiting.take(0)] == ["a", "a"]
    assert [piece.run for piece in await waiting.take(0)] == ["b"]
    assert waiting.num_rows == 0


def test_a_queue_that_is_full_says_when_to_come_again() -> None:
    import asyncio

    asyncio.run(_full())


def test_batches_are_as_long_as_they_may_take() -> None:
    pace = Pace()
    for _ in range(50):
        pace.learn(10, 0.006)
        pace.learn(500, 0.055)
    assert pace.seconds(1_000) == pytest.approx(0.105, rel=0.01)
    assert pace.tokens_within(0.1) == pytest.approx(950, rel=0.01)
