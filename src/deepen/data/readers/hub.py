"""Data sets of the Hugging Face hub, by name."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

from deepen.core.errors import DataError
from deepen.data.readers.parquet_arrow import from_dataset
from deepen.data.source import Source, clip, listed

_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?(:[\w.-]+)?")
_FILE = re.compile(r"\.(csv|tsv|tab|txt|json|jsonl|ndjson|parquet|arrow|gz|zip|xlsx?|data|all|yaml)$")


def looks_like_hub_name(text: str) -> bool:
    """Whether a text that is no path may be a name on the hub; not with a file's ending or a folder that is there."""
    if not _NAME.fullmatch(text) or text.startswith(".") or _FILE.search(text.lower()):
        return False
    return "/" not in text or not Path(text).parent.is_dir()


def open_hub(name: str, no_path: str) -> tuple[Source, str]:
    """A data set of the hub (`name:split` if not train), or the copy here without a connection; and a key for it."""
    repository, _, split = name.partition(":")
    try:
        import datasets
    except ImportError:
        raise DataError(f"{name}{no_path}; a data set of the hub needs the package 'datasets'") from None
    try:
        with _no_waiting(datasets) as offline:
            found = datasets.load_dataset(repository)
    except Exception as error:  # the hub's client raises two dozen kinds, and none of them is a bug of ours
        said = clip((str(error).splitlines() or [type(error).__name__])[0], 120)
        where = "no copy from the hub is here and there is no connection"
        where = where if offline else f"not on the hub either: {said}"
        raise DataError(f"{name}{no_path}; {where}") from None
    splits = [str(part) for part in found]
    chosen = split or ("train" if "train" in splits else splits[0])
    if chosen not in splits:
        raise DataError(f"{name} has no split '{chosen}'; it has {listed(splits)}")
    return from_dataset(found[chosen], name)


@contextmanager
def _no_waiting(datasets: ModuleType) -> Iterator[bool]:
    """Tells the client that it is offline if the hub's address can't be found; it would try for half a minute."""
    import huggingface_hub.constants as constants

    offline = bool(constants.HF_HUB_OFFLINE) or not _is_known(urlsplit(constants.ENDPOINT).hostname or "")
    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = offline
    try:
        yield offline
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


def _is_known(host: str) -> bool:
    if os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"):
        return True  # the proxy finds the address
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True
