"""What the front and a model process say to each other: a JSON header and lines of JSON, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

_BREAK = b"\n"
KNOWN: dict[str, Any] = {"known": True}
"""Wished of rows whose answers are known: no promise is held against them."""
PART = "part"
"""The key of a message that holds a part of an answer, which is not whole yet."""
STOP: dict[str, Any] = {"stop": True}
"""Told to a process that tells parts to which nobody listens; means nothing to one that does not."""
REFUSED = b'{"refused"'
"""How the answer to a row begins where the whole request can't be answered as it was wished; why is in it."""


def dumps(value: Any) -> bytes:
    """JSON on one line; half a character becomes its number."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", errors="backslashreplace")


def tell(connection: Connection, header: dict[str, Any], lines: Sequence[bytes] = ()) -> None:
    """Sends a message.

    Args:
        connection: The pipe.
        header: What JSON can hold.
        lines: JSON texts without line breaks: answers go to the client as they are, and are not read on the way.

    Raises:
        OSError: If nobody is at the other end.
    """
    connection.send_bytes(_BREAK.join([dumps(header), *lines]))


def hear(connection: Connection) -> tuple[dict[str, Any], list[bytes]]:
    """Waits for a message.

    Returns:
        Header and lines.

    Raises:
        EOFError, OSError: If nobody is at the other end.
    """
    header, *lines = connection.recv_bytes().split(_BREAK)
    return json.loads(header), lines
