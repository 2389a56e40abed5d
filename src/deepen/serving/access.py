"""Who may come in: by key, or anybody where the server listens to this machine alone."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

from starlette.requests import Request

from deepen.core.errors import DeepenError
from deepen.serving.keys import Key, find, read_keys
from deepen.serving.problems import RefusedError
from deepen.serving.quotas import Quotas

CANARY = "x-deepen-canary"
"""The header by which the server asks itself, with the number of the process that must answer."""
_LOOKED = 0.5  # seconds between two looks at the file of keys
_OWN_NAMES = ("localhost", "127.0.0.1", "[::1]")


class Door:
    """Lets requests in.

    Args:
        path: The file of keys; None lets anybody in.
        local: Whether the server listens to this machine alone. Without keys, requests must then be meant for it: a
            page in a browser could else reach it under a name of its own (DNS rebinding).
    """

    def __init__(self, path: Path | None, *, local: bool) -> None:
        self._path, self._local = path, local
        self._quotas = Quotas()
        self._keys: dict[str, Key] | None = {}
        self._mark: tuple[int, int, int] | None = None
        self._looked = -_LOOKED
        self.own = secrets.token_hex(32)
        """What the server shows when it asks itself; made anew at every start, and known to nobody else."""

    @property
    def wants_keys(self) -> bool:
        """Whether nobody comes in without a key."""
        return self._path is not None

    def slot(self, request: Request) -> int | None:
        """The process that must answer, if the server itself asks."""
        own, slot = request.headers.get("authorization", ""), request.headers.get(CANARY, "")
        if slot and secrets.compare_digest(own.encode(), f"Bearer {self.own}".encode()):
            return int(slot)
        return None

    def enter(self, request: Request, what: str | None, run: str | None = None) -> Key | None:
        """Lets a request in.

        Args:
            what: The scope that it takes; None is any.
            run: The run that it asks.

        Returns:
            The key; None where none is needed.

        Raises:
            RefusedError: 401 without a valid key, 403 if it may not, 429 if too often, 421 for another host's name.
        """
        if self._path is None:
            if self._local and _host(request) not in _OWN_NAMES:
                raise RefusedError(421, "this server answers to this machine alone: ask 127.0.0.1 or localhost")
            return None
        key = self._key(request)
        if what is not None and not key.may(what, run):
            raise RefusedError(403, f"this key has not the scope {what}")
        self._quotas.request(key)
        return key

    def spend(self, key: Key | None, num_rows: int) -> None:
        """Counts rows against a key's quota.

        Raises:
            RefusedError: 429, if they are too many.
        """
        if key is not None:
            self._quotas.rows(key, num_rows)

    def _key(self, request: Request) -> Key:
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        key = find(self._known(), text.strip()) if kind.lower() == "bearer" else None
        if key is None or not key.is_valid(datetime.now(UTC)):
            said = "a valid key is needed, as in the header Authorization: Bearer deepen_..."
            raise RefusedError(401, said, headers={"WWW-Authenticate": "Bearer"})
        return key

    def _known(self) -> dict[str, Key]:
        """The keys as the file has them now; what can't be read lets nobody in."""
        assert self._path is not None  # noqa: S101 - else nobody is asked for a key
        if time.monotonic() - self._looked >= _LOOKED:
            self._looked = time.monotonic()
            try:
                status = self._path.stat()
                mark = (status.st_mtime_ns, status.st_size, status.st_ino)
                if mark != self._mark or self._keys is None:
                    self._keys = {key.id: key for key in read_keys(self._path)}
                    self._mark = mark
            except (OSError, DeepenError):
                self._keys = None
        if self._keys is None:
            raise RefusedError(503, "keys can't be read at the moment", after=5)
        return self._keys


def _host(request: Request) -> str:
    """The name under which a request came, without its port."""
    name = request.headers.get("host", "").lower()
    return name[: name.index("]") + 1] if name.startswith("[") and "]" in name else name.partition(":")[0]
