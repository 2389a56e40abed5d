"""Where a server listens, and with what: address, keys, TLS, and uvicorn set so that it keeps quiet."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import uvicorn

from deepen.core.errors import SettingError
from deepen.serving.keys import read_keys
from deepen.serving.patience import patient
from deepen.serving.settings import ServeSettings


@dataclass(frozen=True)
class Place:
    """Where a server listens, and who may ask it.

    Attributes:
        host: An address of this machine.
        port: 0 takes any that is free.
        keys: The file of keys; None lets anybody ask.
        anybody: Whether it was said that no key is wanted, and that this is known to be open to a network.
        certificate, private_key: Files for TLS, both or none.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    keys: Path | None = None
    anybody: bool = False
    certificate: Path | None = None
    private_key: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def check(self) -> None:
        """Whether that can be.

        Raises:
            DataError: If the file of keys is not there, or damaged.
            SettingError: If it is not safe, or half of TLS is missing.
        """
        if self.keys is not None:
            read_keys(self.keys)
        elif not self.is_local and not self.anybody:
            said = f"--host {self.host} lets others than this machine ask, and nobody needs a key"
            raise SettingError(f"{said}: name --keys FILE (`deepen keys create` makes it), or say --no-keys --i-know")
        if (self.certificate is None) != (self.private_key is None):
            raise SettingError("TLS takes two files: --tls-certificate and --tls-key")
        for path in (self.certificate, self.private_key):
            if path is not None and not path.is_file():
                raise SettingError(f"{path} is not there: TLS takes a certificate and its key, as files in PEM")
        if not 0 <= self.port < 1 << 16:
            raise SettingError(f"port {self.port}: it must be between 0 and 65535")


@dataclass
class Listening:
    """The socket, before anything slow is done: a port that is taken is said at once."""

    place: Place
    socket: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        try:
            family = socket.getaddrinfo(self.place.host, self.place.port, type=socket.SOCK_STREAM)[0][0]
            # asyncio sends at once (TCP_NODELAY) only where a socket says that it is TCP; else each answer waits 40 ms
            self.socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((self.place.host, self.place.port))
        except OSError as error:
            why = error.strerror or str(error)
            raise SettingError(f"can't listen at {self.place.host} port {self.place.port}: {why}") from None

    @property
    def own_address(self) -> tuple[str, int]:
        """Where the server reaches itself."""
        host, port = self.socket.getsockname()[:2]
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port

    @property
    def url(self) -> str:
        """Where others reach it."""
        host = f"[{self.place.host}]" if ":" in self.place.host else self.place.host
        return f"{'http' if self.place.certificate is None else 'https'}://{host}:{self.own_address[1]}"


class _Server(uvicorn.Server):
    """Stops when it is told to, and leaves signals to others."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(app: Any, place: Place, settings: ServeSettings) -> uvicorn.Server:
    """A server that is not started.

    Raises:
        SettingError: If the files for TLS are none.
    """
    config = uvicorn.Config(
        app,
        http=patient(settings.body_seconds),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # a request that is no HTTP is no news
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.connections,
        timeout_graceful_shutdown=round(settings.request_seconds),
        ssl_certfile=place.certificate,
        ssl_keyfile=place.private_key,
    )
    try:
        config.load()
    except (ssl.SSLError, OSError) as error:
        said = f"{place.certificate} and {place.private_key} are no certificate and its key in PEM"
        raise SettingError(f"{said}: {error.strerror or type(error).__name__}") from None
    return _Server(config)
