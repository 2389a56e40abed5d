"""A hub id with a revision, from a server on this machine that answers as the hub does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from deepen.core.errors import ModelError
from deepen.models.find import find

COMMIT = "a" * 40


def _entry(file: Path) -> dict[str, object]:
    return {"type": "file", "path": file.name, "oid": "b" * 40, "size": file.stat().st_size}


class Hub(BaseHTTPRequestHandler):
    """One model, `me/tiny`, with a branch `old`; `me/secret` needs a token, `me/gated` its terms."""

    folder: ClassVar[Path]
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("authorization")))
        if self.path.startswith("/api/models/me/secret") and "right" not in (self.headers.get("authorization") or ""):
            return self._say(401, code="RepoNotFound")
        if self.path.startswith("/api/models/me/gated"):
            return self._say(403, code="GatedRepo")
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/") and not path.endswith(("/old", "/main", f"/{COMMIT}")):
            return self._say(404, code="RevisionNotFound")
        if "/tree/" in path:
            return self._say(200, json.dumps([_entry(file) for file in self.folder.iterdir()]).encode())
        if path.startswith("/api/models/"):
            names = ", ".join(f'{{"rfilename": "{path.name}"}}' for path in self.folder.iterdir())
            return self._say(200, f'{{"id": "me/tiny", "sha": "{COMMIT}", "siblings": [{names}]}}'.encode())
        return self._say(200, (self.folder / path.rsplit("/", 1)[1]).read_bytes())

    do_HEAD = do_GET

    def _say(self, status: int, body: bytes = b"{}", *, code: str = "") -> None:
        self.send_response(status)
        for name, value in (("X-Error-Code", code), ("X-Repo-Commit", COMMIT), ("ETag", f'"{hash(body):x}"')):
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def hub(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    from huggingface_hub import constants

    Hub.folder = tiny_model
    Hub.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield Hub
    server.shutdown()


def test_a_revision_of_a_mirror(hub: type[Hub]) -> None:
    name, folder = find("me/tiny@old")
    assert name == "me/tiny@old"
    assert (folder / "config.json").read_bytes() == (hub.folder / "config.json").read_bytes()
    assert any(path.startswith("/api/models/me/tiny/revision/old") for path, _ in hub.asked)


def test_a_token_of_the_environment(hub: type[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"has no such model, or it is private.* put a token in HF_TOKEN"):
        find("me/secret")
    monkeypatch.setenv("HF_TOKEN", "right")
    assert (find("me/secret")[1] / "config.json").is_file()


def test_what_is_wrong_is_said_with_its_cure(hub: type[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="no such revision of it: after the @ stands a branch"):
        find("me/tiny@gone")
    with pytest.raises(ModelError, match=r"who accept its terms: do that on its page, and put a token in HF_TOKEN"):
        find("me/gated")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9 gave no answer .*HTTPS_PROXY.*HF_ENDPOINT to a mirror"):
        find("me/other")
