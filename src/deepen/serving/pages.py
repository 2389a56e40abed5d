"""The pages for a person: each is one file that loads nothing, and that may ask this server alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_PAGES = {"/": "try.html", "/docs": "docs.html"}


def pages() -> dict[str, Callable[[Request], Awaitable[Response]]]:
    """The routes of the pages."""
    return {path: _route(name) for path, name in _PAGES.items()}


def _route(name: str) -> Callable[[Request], Awaitable[Response]]:
    text = (files("deepen.serving") / name).read_text(encoding="utf-8")
    allowed = f"script-src 'sha256-{_mark(text, 'script')}'; style-src 'sha256-{_mark(text, 'style')}'"
    closed = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    headers = {
        "Content-Security-Policy": f"default-src 'none'; {allowed}; connect-src 'self'; img-src data:; {closed}",
        "Referrer-Policy": "no-referrer",
    }

    async def page(request: Request) -> Response:
        return HTMLResponse(text, headers=headers)

    return page


def _mark(text: str, name: str) -> str:
    inside = text.partition(f"<{name}>")[2].partition(f"</{name}>")[0]
    return base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
