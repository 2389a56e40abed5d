"""The file of keys: who may ask what, how often, until when. It holds hashes, so nobody can take a key from it.

A key is `deepen_ID_SECRET`: it is found by its id, and its secret has 256 random bits, so a plain SHA-256 can't be
guessed back. It is shown once, when it is made.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from deepen.core.errors import DataError, SettingError, nearest
from deepen.core.files import read_object, replacing, writing
from deepen.core.settings import parse

fcntl: Any  # Windows has none: two changes at the same moment are not kept apart there
try:
    import fcntl
except ImportError:
    fcntl = None

_KEY = re.compile(r"deepen_([0-9a-f]{16})_([0-9a-f]{64})")
_SCOPE = re.compile(r"predict(:[A-Za-z0-9._-]{1,100})?|metrics")
_WRITABLE_BY_OTHERS = 0o022


class Key(BaseModel):
    """A key without its secret. Keys that came of one by rotation have its `family`, and share its quota."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    family: str
    sha256: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None = None
    rate: str | None = None
    quota: int | None = None
    revoked: bool = False

    def is_valid(self, now: datetime) -> bool:
        """Whether it opens anything at this time."""
        return not self.revoked and (self.expires is None or now < self.expires)

    def may(self, what: str, run: str | None = None) -> bool:
        """Whether its scopes allow it: `predict` any run, or this one; `metrics`."""
        return what in self.scopes or (run is not None and f"{what}:{run}" in self.scopes)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: tuple[Key, ...] = ()


class New(NamedTuple):
    """A key that was just made, with the text that opens, which nobody sees again."""

    key: Key
    text: str


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys of a file.

    Raises:
        DataError: If it is not there, or damaged.
        SettingError: If others than its owner may write to it.
    """
    if not path.is_file():
        raise DataError(f"{path} is not there: `deepen keys create --keys {path}` makes it")
    if path.stat().st_mode & _WRITABLE_BY_OTHERS:
        raise SettingError(f"{path} can be written by others than its owner, who could let themselves in: chmod 600 it")
    try:
        return parse(_File, read_object(path), where=str(path)).keys
    except SettingError:  # what it says holds what is in the file
        raise DataError(f"{path} is damaged, or no file of keys", file=str(path)) from None


def create(
    path: Path,
    *,
    scopes: Sequence[str] = ("predict",),
    expires: timedelta | None = None,
    rate: str | None = None,
    quota: int | None = None,
) -> New:
    """Makes a key, and the file if there is none.

    Args:
        scopes: `predict`, `predict:NAME` for one run, `metrics`.
        expires: After which time it opens nothing; None is never.
        rate: Requests, as in `100/minute`.
        quota: Rows a day.

    Raises:
        DataError: If the file is damaged.
        SettingError: If a scope, a rate or a quota is none.
    """
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise SettingError(f"scope '{scope[:60]}': it must be predict, predict:NAME of a run, or metrics")
    if rate is not None:
        _check_rate(rate)
    if quota is not None and quota < 1:
        raise SettingError(f"quota {quota}: rows a day must be 1 or more")
    with _changing(path) as keys:
        made = _made(None, tuple(scopes), (rate, quota), None if expires is None else _now() + expires)
        keys.append(made.key)
    return made


def revoke(path: Path, name: str) -> Key:
    """Ends a key at once.

    Raises:
        DataError: If the file is not there, or damaged.
        SettingError: If there is no such key.
    """
    with _changing(path, there=True) as keys:
        at = _place(keys, name)
        keys[at] = keys[at].model_copy(update={"revoked": True})
    return keys[at]


def rotate(path: Path, name: str, *, overlap: timedelta) -> New:
    """Makes a key that may what another one may; the old one still opens for a while.

    Args:
        overlap: For how long.

    Raises:
        DataError: If the file is not there, or damaged.
        SettingError: If there is no such key, or it is not valid any more.
    """
    with _changing(path, there=True) as keys:
        at, now = _place(keys, name), _now()
        old = keys[at]
        if not old.is_valid(now):
            raise SettingError(f"key {name} opens nothing any more: `deepen keys create --keys {path}` makes another")
        ends = now + overlap if old.expires is None else min(old.expires, now + overlap)
        keys[at] = old.model_copy(update={"expires": ends})
        made = _made(old.family, old.scopes, (old.rate, old.quota), old.expires)
        keys.append(made.key)
    return made


def find(keys: dict[str, Key], text: str) -> Key | None:
    """The key that a text opens, valid or not; None if it opens none.

    Args:
        keys: By id.
        text: What a client sent.
    """
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    key = keys.get(match[1])
    digest = hashlib.sha256(match[2].encode()).hexdigest()
    same = hmac.compare_digest(digest, key.sha256 if key is not None else "0" * len(digest))
    return key if same else None


def _made(
    family: str | None, scopes: tuple[str, ...], limits: tuple[str | None, int | None], expires: datetime | None
) -> New:
    name, secret = secrets.token_hex(8), secrets.token_hex(32)
    about: dict[str, Any] = {"rate": limits[0], "quota": limits[1], "expires": expires, "created": _now()}
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return New(Key(id=name, family=family or name, sha256=digest, scopes=scopes, **about), f"deepen_{name}_{secret}")


def _check_rate(rate: str) -> None:
    try:
        from limits import parse as parse_rate
    except ImportError:
        raise SettingError("rates take the extra serve: pip install 'deepen[serve]'") from None
    try:
        parse_rate(rate)
    except ValueError:
        raise SettingError(f"rate '{rate[:60]}': write it as in 10/second, 100/minute or 5000/hour") from None


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _place(keys: list[Key], name: str) -> int:
    known = [key.id for key in keys]
    if name not in known:
        raise SettingError(f"there is no key '{name[:60]}'; {nearest(name, known)}")
    return known.index(name)


@contextmanager
def _changing(path: Path, *, there: bool = False) -> Iterator[list[Key]]:
    """The keys, to be changed; written when that is done. Others who change them wait."""
    if there:
        read_keys(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f".{path.name}.lock").open("w")
    with lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        keys = list(read_keys(path)) if path.exists() else []
        yield keys
        with replacing(path) as beside:
            beside.touch(mode=0o600)
            beside.write_text(_File(keys=tuple(keys)).model_dump_json(indent=2) + "\n", encoding="utf-8")
