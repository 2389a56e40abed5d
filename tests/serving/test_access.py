"""Keys: made, shown once, found, revoked, rotated; and limits that are exact under parallel clients."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.conftest import call
from tests.serving.conftest import Server, until

from deepen.core.errors import DataError, SettingError
from deepen.serving.access import Door
from deepen.serving.keys import create, read_keys, revoke, rotate
from deepen.serving.listening import Place
from deepen.serving.problems import RefusedError

PATH = "/v1/runs/classification/predict"


def ask(server: Server, key: str, path: str = PATH, rows: int = 1) -> int:
    with server.client(key) as client:
        if path != PATH and not path.endswith("predict"):
            return client.get(path).status_code
        return client.post(path, json={"rows": [{"text": "a good film"}] * rows}).status_code


def test_scopes_and_ends(server: Server, keys_file: Path) -> None:
    narrow = create(keys_file, scopes=["predict:classification"])
    wide = create(keys_file, scopes=["predict"])
    past = create(keys_file, scopes=["predict"], expires=timedelta(seconds=-1))
    until(lambda: ask(server, wide.text) == 200)
    assert [ask(server, narrow.text, path) for path in (PATH, "/v1/runs/matching/predict", "/metrics")] == [
        200,
        403,
        403,
    ]
    assert ask(server, past.text) == 401
    assert ask(server, wide.text[:-1] + ("0" if wide.text[-1] != "0" else "1")) == 401
    assert ask(server, wide.text, "/v1/runs/none/predict") == 404
    with server.client(narrow.text) as client:
        assert [run["name"] for run in client.get("/v1/runs").json()["runs"]] == ["classification"]
    newer = rotate(keys_file, wide.key.id, overlap=timedelta(hours=1))
    until(lambda: ask(server, newer.text) == 200)
    assert ask(server, wide.text) == 200
    revoke(keys_file, wide.key.id)
    until(lambda: ask(server, wide.text) == 401)
    assert ask(server, newer.text) == 200


def test_limits_are_exact_under_parallel_clients(server: Server, keys_file: Path) -> None:
    rated = create(keys_file, rate="20/hour")
    counted = create(keys_file, quota=50)
    until(lambda: ask(server, server.key or "") == 200)
    until(lambda: ask(server, counted.text, "/v1/runs") == 200)
    with ThreadPoolExecutor(16) as threads:
        rates = Counter(threads.map(lambda _: ask(server, rated.text), range(60)))
        rows = Counter(threads.map(lambda _: ask(server, counted.text, rows=3), range(40)))
    assert rates == {200: 20, 429: 40}
    assert rows == {200: 16, 429: 24}  # 16 times 3 of 50
    assert ask(server, counted.text, rows=2) == 200
    assert ask(server, counted.text, rows=1) == 429
    with server.client(rated.text) as client:
        refused = client.post(PATH, json={"rows": [{"text": "a"}]})
    assert 0 < int(refused.headers["retry-after"]) <= 3_600


def test_the_file_holds_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = json.loads(call("keys", "create", "--keys", path, "--scope", "predict:a", "--expires", "90d", "--json").out)
    secret = made["key"].rpartition("_")[2]
    assert len(bytes.fromhex(secret)) == 32
    assert secret not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    listed = call("keys", "list", "--keys", path)
    assert made["id"] in listed.out
    assert secret not in listed.out
    again = json.loads(call("keys", "rotate", made["id"], "--keys", path, "--overlap", "2h", "--json").out)
    assert again["scopes"] == ["predict:a"]
    assert call("keys", "revoke", again["id"], "--keys", path).code == 0
    old, new = read_keys(path)
    assert new.revoked
    assert old.family == new.family == old.id
    assert old.expires is not None


@pytest.mark.parametrize(
    "words",
    [
        ("make",),
        ("revoke",),
        ("revoke", "0" * 16),
        ("create", "--scope", "all"),
        ("create", "--quota", "0"),
        ("create", "--rate", "often"),
        ("list", "--rate", "1/second"),
    ],
    ids=" ".join,
)
def test_wrong_words_change_nothing(words: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    create(path)
    before = path.read_bytes()
    call("keys", *words, "--keys", path).failed("SettingError")
    assert path.read_bytes() == before


def test_files_that_let_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(DataError, match="deepen keys create"):
        read_keys(path)
    made = create(path)
    door = Door(path, local=True)
    assert door.enter(_request({"authorization": f"Bearer {made.text}"}), "predict", "a") == made.key
    path.chmod(0o666)
    with pytest.raises(SettingError, match="chmod"):
        read_keys(path)
    path.chmod(0o600)
    path.write_text('{"keys": [{"id": "secret words"}]}')
    with pytest.raises(DataError, match="damaged") as caught:
        read_keys(path)
    assert "secret words" not in str(caught.value)
    with pytest.raises(RefusedError, match="can't be read"):
        Door(path, local=True).enter(_request({"authorization": f"Bearer {made.text}"}), "predict", "a")


def _request(headers: dict[str, str]) -> Any:
    from starlette.requests import Request

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": raw})


def test_without_keys_only_names_of_this_machine_come_in() -> None:
    door = Door(None, local=True)
    for host in ("127.0.0.1:8080", "localhost", "[::1]:80"):
        assert door.enter(_request({"host": host}), "predict", "a") is None
    for host in ("evil.example", "127.0.0.1.evil.example:8080", ""):
        with pytest.raises(RefusedError) as caught:
            door.enter(_request({"host": host}), "predict", "a")
        assert caught.value.status == 421


def test_what_is_not_safe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="--no-keys --i-know"):
        Place(host="0.0.0.0").check()
    said = call("serve", tmp_path, "--host", "0.0.0.0", "--no-keys").failed("SettingError")
    assert "--i-know" in said
    Place(host="0.0.0.0", anybody=True).check()
    with pytest.raises(SettingError, match="two files"):
        Place(certificate=tmp_path / "a").check()
    create(tmp_path / "keys.json")
    Place(host="0.0.0.0", keys=tmp_path / "keys.json").check()
