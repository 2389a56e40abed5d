"""What is sent in bad faith gets a problem and nothing else, and others never notice."""

from __future__ import annotations

import json
import random
import socket
from urllib.parse import urlsplit

import pytest
from tests.serving.conftest import Server, until

ALLOWED = {400, 401, 403, 404, 405, 408, 413, 415, 421, 422, 429}
PATH = "/v1/runs/classification/predict"
GOOD = b'{"rows": [{"text": "a good film"}]}'
BODIES = [
    *(b"", b"{", b"[]", b"null", b'"rows"', b"{}", b'{"rows": []}', b'{"rows": {}}', b'{"rows": [1]}', b"\xff\xfe\x00"),
    *(b'{"rows": [{}]}', b'{"rows": [{"text": 5}]}', b'{"rows": [{"text": null}]}', b'{"rows": [{"text": ["a"]}]}'),
    *(b'{"rows": [{"text": "a", "label": "b"}]}', b'{"rows": [{"text": "a"}], "more": 1}', b'{"rows": [NaN]}'),
    *(b'{"rows": [{"text": "\xc3"}]}', b'{"rows": [{"text": "\\ud800"}]}', b"[" * 20_000, b'{"rows":' * 5_000),
    *(b'{"rows": [' + b'{"text": "a"},' * 1_000 + b'{"text": "a"}]}', b'{"rows": [{"text": 1e999}]}', GOOD + b"x"),
]
KINDS = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=utf-16",
    "",
    "a/b; c",
    "multipart/form-data",
]
PATHS = [
    *("/", "/v1", "/v1/runs/", "/v1/runs/no/predict", "/v1/runs/../../etc/passwd", "/v1/runs/%2e%2e%2fpredict/predict"),
    *("/v1/runs/classification", "/docs/", "/v1/runs/%00/predict", "/v1/runs/" + "a" * 3_000 + "/predict", "/%ff"),
    *("/v1/runs/classification/predict/", "//v1//runs", "/openapi.yaml", "/.env", "/health", "/metrics/../metrics"),
]
KEYS = [
    "",
    "Bearer",
    "Bearer x y",
    "Basic YTpi",
    "Bearer deepen_0_0",
    "Bearer deepen_0123456789abcdef_" + "0" * 64,
    "é",
    "Bearer " + "a" * 9_000,
]


def raw(server: Server, data: bytes, *, patience: float = 20) -> bytes:
    """What comes back for bytes that no client library would send."""
    url = urlsplit(server.url)
    with socket.create_connection((url.hostname, url.port), timeout=patience) as connection:
        connection.sendall(data)
        found = b""
        while chunk := connection.recv(65_536):
            found += chunk
    return found


def test_two_hundred_hostile_requests(server: Server) -> None:
    chance = random.Random(0)
    key = f"Bearer {server.key}"
    asked = [("POST", PATH, {"content-type": "application/json", "authorization": key}, body) for body in BODIES]
    asked += [("POST", PATH, {"content-type": kind, "authorization": key}, GOOD) for kind in KINDS]
    asked += [(way, path, {"authorization": key}, b"") for path in PATHS for way in ("GET", "POST")]
    asked += [
        ("POST", PATH, {"content-type": "application/json", "authorization": word.encode()}, GOOD) for word in KEYS
    ]
    asked += [(way, PATH, {"authorization": key}, b"") for way in ("GET", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH")]
    asked += [
        ("POST", PATH, {"content-type": "application/json", "authorization": key, "content-encoding": "gzip"}, GOOD)
    ]
    while len(asked) < 190:  # bytes of the right request, some of them others
        body = bytearray(GOOD)
        for _ in range(chance.randint(1, 4)):
            body[chance.randrange(len(body) - 3)] = chance.choice(b'{}[]",:\\\x00\xff')
        asked.append(("POST", PATH, {"content-type": "application/json", "authorization": key}, bytes(body)))
    with server.client("none") as client:
        for way, path, headers, body in asked:
            answer = client.request(way, server.url + path, headers=headers, content=body)
            if answer.status_code == 200:  # what was changed may have been a letter of the text
                assert path != PATH or json.loads(body)["rows"], body
                continue
            assert answer.status_code in ALLOWED, (way, path, body[:80], answer.status_code)
            said = answer.json() if answer.content and way != "HEAD" else {"status": answer.status_code, "detail": ""}
            assert said["status"] == answer.status_code
            assert answer.headers["content-type"] == "application/problem+json"
            assert not any(
                word in answer.text for word in ("Traceback", "deepen/", "/tmp", "site-packages", server.key)
            )
    assert server.answers("classification", [{"text": "a good film"}])


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST "
        + PATH.encode()
        + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /v1/runs HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        b"\r\n" * 100 + b"nonsense\r\n\r\n",
    ],
    ids=["tls", "version", "length", "smuggling", "nul", "nonsense"],
)
def test_what_is_no_http(data: bytes, server: Server) -> None:
    answer = raw(server, data)
    assert not answer or b" 4" in answer.split(b"\r\n")[0], answer[:200]


@pytest.mark.services
def test_slow_clients_lose_their_place(server: Server) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.key}\r\n"
    whole = f"{head}Content-Type: application/json\r\nContent-Length: 50\r\n\r\n" + '{"rows"'
    assert raw(server, head.encode()) == b""
    assert raw(server, whole.encode()).startswith(b"HTTP/1.1 408")


def test_what_is_too_large_is_not_read(server: Server) -> None:
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.key}\r\nContent-Type: application/json\r\n"
    )
    assert raw(server, f"{head}Content-Length: 999999999999\r\n\r\n".encode()).startswith(b"HTTP/1.1 413")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    try:
        answer = raw(server, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk * 140)
    except (ConnectionResetError, BrokenPipeError):  # it was closed while we still sent
        answer = b""
    assert not answer or answer.startswith(b"HTTP/1.1 413")
    assert until(lambda: server.status("/health/live") == 200)
