"""Reads a body: of a form that is known, not too large, and not too slowly."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from deepen.serving.problems import RefusedError
from deepen.serving.settings import ServeSettings


async def read_body(request: Request, settings: ServeSettings) -> bytes:
    """The bytes of a JSON body.

    Raises:
        RefusedError: 415 if it is said to be no plain JSON in UTF-8, 413 if it is too large, 408 if it does not come.
    """
    kind, _, more = request.headers.get("content-type", "").partition(";")
    charset = more.strip().lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() != "application/json" or charset not in ("", "utf-8", "utf8"):
        raise RefusedError(415, "the body must be JSON in UTF-8, with Content-Type: application/json")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedError(415, "the body must not be compressed")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and len(length) < 20:
        _check(int(length), settings)
    body = bytearray()
    try:
        async with asyncio.timeout(settings.body_seconds):
            async for chunk in request.stream():
                body += chunk
                _check(len(body), settings)
    except TimeoutError:
        raise RefusedError(408, "the body did not come in time", headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise RefusedError(400, "the client left before its body had come") from None
    return bytes(body)


def _check(num_bytes: int, settings: ServeSettings) -> None:
    if num_bytes > settings.request_bytes:
        said = f"a body may have {settings.request_bytes:,} bytes: send fewer rows at a time"
        raise RefusedError(413, said, headers={"Connection": "close"})
