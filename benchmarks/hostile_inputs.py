"""Requests in bad faith, as bytes: bodies, headers, sizes, encodings, keys, paths. Drawn from a seed."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass

GOOD: dict[str, bytes] = {
    "/v1/runs/RUN/predict": b'{"rows": [{"text": "a good film"}]}',
    "/predict": b'{"inputs": ["a good film", "a bad one"]}',
    "/rerank": b'{"query": "a film", "texts": ["one", "two"]}',
    "/embed": b'{"inputs": "a good film"}',
    "/v1/mask": b'{"texts": ["write to a@b.com"]}',
}
WRONG = [
    *(b"", b"{", b"[]", b"null", b'"rows"', b"{}", b"\xff\xfe\x00", b"[" * 20_000, b'{"rows":' * 5_000, b"0" * 5_000),
    *(b'{"rows": []}', b'{"rows": {}}', b'{"rows": [1]}', b'{"rows": [NaN]}', b'{"rows": [{"text": 1e999}]}'),
    *(b'{"rows": [{"text": null}]}', b'{"rows": [{"text": "\xc3"}]}', b'{"rows": [{"text": "\\ud800"}]}'),
    *(b'{"rows": [' + b'{"text": "a"},' * 1_000 + b'{"text": "a"}]}', b'{"rows": [{"text": "a", "label": "b"}]}'),
    *(b'{"inputs": [[]]}', b'{"inputs": [["a", ["b"]]]}', b'{"inputs": {"a": 1}}', b'{"inputs": "a", "model": 5}'),
    *(b'{"inputs": "a", "truncate": "yes"}', b'{"texts": "a"}', b'{"query": "", "texts": [""]}', b'{"texts": [null]}'),
    *(b'{"texts": ["a"], "entities": []}', b'{"rows": [{"text": "a"}], "explain": 1}', "{}".encode("utf-16")),
]
SLOW_TEXTS = ["1-" * 9_900, "1" * 19_000, "a@" * 9_000, "1.1." * 4_900, "GB82 " * 3_900, "护照" * 9_900 + "1"]
PATHS = [
    *(
        "/",
        "/v1",
        "/v1/runs/",
        "/v1/runs/no/predict",
        "/v1/runs/../../etc/passwd",
        "/v1/runs/%2e%2e%2f/predict",
        "/%ff",
    ),
    *("/docs/", "/v1/runs/%00/predict", "/v1/runs/" + "a" * 3_000 + "/predict", "//v1//runs", "/openapi.yaml", "/.env"),
    *(
        "/v1/runs/RUN%2fpredict",
        "/v1/mask/",
        "/embed?inputs=a",
        "/metrics/../metrics",
        "*",
        "http://elsewhere/",
        "/a b",
    ),
]
METHODS = ["GET", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "HEAD", "CONNECT", "BREW", "get", "PROPFIND"]
KINDS = ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "", "a/b; c", "\xff"]
KEYS = [
    "",
    "Bearer",
    "Bearer x y",
    "Basic YTpi",
    "Bearer deepen_0_0",
    "\xe9",
    "Bearer " + "a" * 9_000,
    "Bearer \t",
    "bearer",
]
HEADERS = [
    *(
        "X: " + "a" * 70_000,
        "\r\n".join(f"X-{at}: a" for at in range(3_000)),
        "Content-Length: 5",
        "Content-Length: -1",
    ),
    *("Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Expect: 100-continue", "Host: elsewhere"),
    *(
        "Upgrade: websocket\r\nConnection: Upgrade",
        "Range: bytes=0-1",
        "X: \x00",
        ": empty",
        "no colon",
        "X-Deepen-Canary: 0",
    ),
    *("Content-Encoding: gzip", "Content-Encoding: br", "Content-Length: 99999999999999999999", "X-Deepen-Canary: x"),
]
NO_HTTP = [
    *(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 100 + b"nonsense\r\n\r\n"),
    *(b"\x00" * 1_000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET\r\n\r\n", b"POST /predict\r\n\r\n", b"a" * 100_000),
]
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b" " * 0x10000 + b"\r\n") * 140 + b"0\r\n\r\n"


@dataclass(frozen=True)
class Sent:
    """What goes over the wire: all of it at once, or a part and then silence."""

    kind: str
    data: bytes
    stays: bool = False


def whole(path: str, body: bytes, key: str, *, method: str = "POST", more: tuple[str, ...] = ()) -> bytes:
    """A request that is whole; the headers in `more` come first."""
    lines = [f"{method} {path} HTTP/1.1", *more, "Host: 127.0.0.1", f"Authorization: {key}"]
    if not any(line.startswith(("Content-Type", "Content-Length", "Transfer")) for line in more):
        lines += ["Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


class Hostile:
    """Draws requests.

    Args:
        run: The name of a run that is served.
        key: A key that opens, which must never be seen again.
        seed: Of the draws.
    """

    def __init__(self, run: str, key: str, seed: int) -> None:
        self.chance, self.key, self.bearer = random.Random(seed), key, f"Bearer {key}"
        self.good = [(path.replace("RUN", run), body) for path, body in GOOD.items()]
        self.run = run
        self.kinds: list[tuple[Callable[[], Sent], int]] = [
            (self.changed, 30), (self.wrong, 20), (self.path, 10), (self.keys, 12), (self.header, 12),
            (self.encoded, 6), (self.no_http, 3), (self.large, 2), (self.slow, 3), (self.planted, 2),
        ]  # fmt: skip

    def next(self) -> Sent:
        """One more."""
        makers, weights = zip(*self.kinds, strict=True)
        return self.chance.choices(makers, weights)[0]()

    def changed(self) -> Sent:
        """The right request, a few bytes of it others."""
        path, body = self.chance.choice(self.good)
        bytes_ = bytearray(body)
        for _ in range(self.chance.randint(1, 4)):
            bytes_[self.chance.randrange(len(bytes_))] = self.chance.choice(b'{}[]",:\\\x00\xff\n0')
        return Sent("changed bytes", whole(path, bytes(bytes_), self.bearer))

    def wrong(self) -> Sent:
        """JSON that is none, or not what is wanted."""
        return Sent("wrong bodies", whole(self.chance.choice(self.good)[0], self.chance.choice(WRONG), self.bearer))

    def path(self) -> Sent:
        """Addresses and ways of asking that are not there."""
        path = self.chance.choice([*PATHS, *(path for path, _ in self.good)]).replace("RUN", self.run)
        return Sent("paths", whole(path, b"", self.bearer, method=self.chance.choice([*METHODS, "POST"])))

    def keys(self) -> Sent:
        """No key, half a key, nearly the key."""
        path, body = self.chance.choice(self.good)
        near = self.bearer[:-1] + ("0" if self.bearer[-1] != "0" else "1")
        return Sent("keys", whole(path, body, self.chance.choice([*KEYS, near, self.bearer[:-9], self.bearer * 2])))

    def header(self) -> Sent:
        """Headers that are too large, too many, doubled, or of other protocols."""
        path, body = self.chance.choice(self.good)
        return Sent("headers", whole(path, body, self.bearer, more=(self.chance.choice(HEADERS),)))

    def encoded(self) -> Sent:
        """Bodies in other forms than they are said to have."""
        path, body = self.chance.choice(self.good)
        body = self.chance.choice([body, gzip.compress(body), body.decode().encode("utf-16"), b"\xef\xbb\xbf" + body])
        return Sent("encodings", whole(path, body, self.bearer, more=(f"Content-Type: {self.chance.choice(KINDS)}",)))

    def no_http(self) -> Sent:
        """Something else altogether."""
        return Sent("no HTTP", self.chance.choice(NO_HTTP))

    def large(self) -> Sent:
        """Texts of a megabyte, texts that patterns are slow on, bodies above the limit."""
        path = f"/v1/runs/{self.run}/predict"
        if self.chance.random() < 0.2:
            head = whole(path, b"", self.bearer).split(b"Content-Length")[0]
            return Sent("sizes", head + CHUNKED)
        if self.chance.random() < 0.5:
            return Sent(
                "sizes",
                whole("/v1/mask", json.dumps({"texts": [self.chance.choice(SLOW_TEXTS)]}).encode(), self.bearer),
            )
        return Sent(
            "sizes", whole(path, json.dumps({"rows": [{"text": "good film " * 100_000}]}).encode(), self.bearer)
        )

    def slow(self) -> Sent:
        """The beginning of a request, and then nothing."""
        path, body = self.chance.choice(self.good)
        data = whole(path, body, self.bearer)
        return Sent("slow clients", data[: self.chance.randrange(1, len(data) - 1)], stays=True)

    def planted(self) -> Sent:
        """The key where no key belongs."""
        places = [
            whole(f"/v1/runs/{self.key}/predict", b"{}", self.bearer),
            whole(f"/predict?key={self.key}", b"{}", self.bearer),
            whole("/predict", json.dumps({"inputs": "a", self.key: 1}).encode(), self.bearer),
            whole("/predict", json.dumps({"inputs": "a", "model": self.key}).encode(), self.bearer),
            whole("/predict", b"{", self.bearer, more=(f"User-Agent: {self.key}", f"Cookie: key={self.key}")),
            whole("/predict", self.key.encode(), self.bearer),
        ]
        return Sent("planted keys", self.chance.choice(places))
