"""Connections on which no request comes are closed: uvicorn itself waits for one for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


def patient(seconds: float) -> type[HttpToolsProtocol]:
    """A protocol that waits so long for a request's headers."""

    class Patient(HttpToolsProtocol):
        _late: asyncio.TimerHandle | None = None

        def _wait(self, again: bool) -> None:
            if self._late is not None:
                self._late.cancel()
            self._late = self.loop.call_later(seconds, self.transport.close) if again else None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait(True)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._wait(True)

        def on_headers_complete(self) -> None:
            self._wait(False)
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._wait(False)
            super().connection_lost(exc)

    return Patient
