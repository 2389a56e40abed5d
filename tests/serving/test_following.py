"""A server follows a registry: good versions take over and lose nothing, bad ones are rolled back."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.contracts.conftest import call
from tests.serving.conftest import QUICK, Server, until
from tests.serving.test_failing import poison
from tests.worlds import WORLDS

import deepen
from deepen.core.files import read_object, sha256_file, write_json
from deepen.registry.place import Place, open_place
from deepen.registry.promotions import current, find, history, promote
from deepen.registry.versions import push

NAME, STAGE = "mood", "production"
ROWS = [{"text": "a good film"}]
HEAD = "2_Dense/model.safetensors"


def release(place: Place, run: Path) -> int:
    """Pushes a run and promotes it; its version."""
    made = push(place, run, name=NAME, by="ada")
    promote(place, made, by="ada")
    return made.version


def spoilt(run: Path, out: Path, spoil: Callable[[Path], None]) -> Path:
    """A copy of a run with another model, sealed as if it had been saved so."""
    model = Path(shutil.copytree(run, out)) / "model"
    for file in [path for path in model.rglob("*") if path.is_file()]:
        content = file.read_bytes()
        file.unlink()  # what runs share is linked, and read-only
        file.write_bytes(content)
    spoil(model)
    about = read_object(model / "deepen.json")
    write_json(model / "deepen.json", about | {"files": {name: sha256_file(model / name) for name in about["files"]}})
    return out


def zero(model: Path) -> None:
    weights = load_file(model / HEAD)
    save_file({name: np.zeros_like(value) for name, value in weights.items()}, model / HEAD)


def other_weights(model: Path) -> None:
    weights = load_file(model / HEAD)
    save_file({name: np.ascontiguousarray(-value) for name, value in weights.items()}, model / HEAD)


def other_tokenizer(model: Path) -> None:
    [path] = model.rglob("tokenizer.json")
    about = json.loads(path.read_text(encoding="utf-8"))
    words = about["model"]["vocab"]
    plain = sorted(word for word in words if word.isalpha())
    words |= dict(zip(plain, [words[word] for word in plain[::-1]], strict=True))
    path.write_text(json.dumps(about), encoding="utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return open_place(str(tmp_path_factory.mktemp("registry")))


@pytest.fixture(scope="module")
def follower(runs: dict[str, Path], place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    release(place, runs["classification"])
    words = ["--registry", place.url, "--run", f"{NAME}@{STAGE}", "--port", "0", "--workers", "1"]
    quick = ["--set", "registry_seconds=0.2", "--set", "canary_seconds=0.3", "--set", "stuck_seconds=30"]
    quick += ["--set", "export=false"]  # test_export.py: each version would be traced before it answers
    log = ["--log", f"sqlite:///{tmp_path_factory.mktemp('log') / 'log.sqlite'}"]
    with Server([*words, *quick, *log]) as server:
        until(lambda: server.status() == 200)
        yield server
        assert server.stop() == 0
        assert "Traceback" not in server.text


def body(server: Server) -> dict[str, Any]:
    with server.client() as client:
        answer = client.post(f"/v1/runs/{NAME}/predict", json={"rows": ROWS})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


SPOILT = [zero, *(pytest.param(spoil, marks=pytest.mark.services) for spoil in (other_weights, other_tokenizer))]


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_version_that_answers_otherwise_than_it_stored_is_rolled_back(
    spoil: Callable[[Path], None], follower: Server, place: Place, runs: dict[str, Path], tmp_path: Path
) -> None:
    before, was = body(follower), current(place, NAME, STAGE)
    bad = release(place, spoilt(runs["classification"], tmp_path / "run", spoil))
    until(lambda: current(place, NAME, STAGE) == was)
    change = history(place, NAME, STAGE)[-1]
    assert (change.action, change.by) == ("rollback", "deepen serve")
    assert f"version {bad}: " in change.why
    assert "otherwise than the run stored" in change.why
    assert body(follower) == before
    assert before["version"] == was
    assert follower.status() == 200


def test_a_good_version_takes_over_and_nothing_is_lost(
    follower: Server, place: Place, tiny_model: Path, tmp_path: Path
) -> None:
    rows = WORLDS["classification"](90)
    how: dict[str, Any] = {"settings": QUICK, "rungs": ["frozen"], "out": tmp_path / "run", "model": tiny_model}
    run = deepen.train(rows, task="classification", **how).folder
    statuses, versions = Counter[int](), Counter[tuple[int, str]]()
    stop = threading.Event()

    def ask() -> None:
        with follower.client() as client:
            while not stop.wait(0.01):  # else asking takes the processor from the version that is starting
                answer = client.post(f"/v1/runs/{NAME}/predict", json={"rows": ROWS * 3})
                statuses[answer.status_code] += 1
                versions[answer.json()["version"], answer.json()["model"]] += 1

    with ThreadPoolExecutor(4) as threads:
        for _ in range(4):
            threads.submit(ask)
        made = release(place, run)
        until(lambda: any(version == made for version, _ in versions))
        stop.set()
    assert set(statuses) == {200}, statuses
    assert len(versions) == 2  # each with a model of its own
    with follower.client() as client:
        counted = client.get("/metrics").text
        assert client.get("/health/ready").json()["versions"] == {NAME: made}
        assert client.get("/v1/runs").json()["runs"][0]["version"] == made
    assert f'deepen_run_version{{run="{NAME}"}} {made}.0' in counted
    assert f'deepen_swaps_total{{result="taken over",run="{NAME}"}} 1.0' in counted


@pytest.mark.services
def test_a_model_that_goes_wrong_while_it_answers_is_rolled_back(
    follower: Server, place: Place, runs: dict[str, Path]
) -> None:
    was = current(place, NAME, STAGE)
    bad = release(place, runs["classification"])
    until(lambda: body(follower)["version"] == bad)
    [pid] = until(lambda: len(follower.pids) == 1 and follower.pids)  # the one before it is ending
    found = find(place, f"{NAME}@{bad}")
    file = Path(place.root) / NAME / str(bad) / found.files[f"model/{HEAD}"].sha256
    if not poison(pid, load_file(file)["linear.weight"].tobytes()):
        pytest.skip("this system does not let a process write to another's memory")
    began = time.monotonic()
    until(lambda: follower.status() == 503)
    print(f"seen after {time.monotonic() - began:.1f} s")
    until(lambda: current(place, NAME, STAGE) == was)
    until(lambda: follower.status() == 200 and body(follower)["version"] == was)
    assert f"{NAME}@{STAGE} is {was} again" in follower.text


def test_what_can_not_be_followed_is_said(runs: dict[str, Path], place: Place) -> None:
    for words, needed in (
        (["--registry", place.url], "go together"),
        (["--run", f"{NAME}@{STAGE}"], "go together"),
        (["--registry", place.url, "--run", "mod@production"], "did you mean 'mood'"),
        (["--registry", place.url, "--run", "mood"], "names no version"),
        ([], "nothing to serve"),
    ):
        answer = call("serve", *words)
        assert answer.code == 2
        assert needed in answer.err, answer.err
