"""The pages for a person: each is one file that loads nothing, and that may ask this server alone."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from deepen.core.chinese import ON_PAGES, catalogue

_PAGES = {"/": "try.html", "/docs": "docs.html"}
_FILLED = "const ZH = {}, KEYS = false;"


def pages(*, wants_keys: bool) -> dict[str, Callable[[Request], Awaitable[Response]]]:
    """The routes of the pages.

    Args:
        wants_keys: Whether nobody is answered without a key.
    """
    known = {template: chinese for _, template, chinese in catalogue()}
    return {path: _route(_filled(name, known, wants_keys)) for path, name in _PAGES.items()}


def _filled(name: str, known: dict[str, str], wants_keys: bool) -> str:
    text = (files("deepen.serving") / name).read_text(encoding="utf-8")
    words = {said: known[said] for said in map("".join, ON_PAGES.findall(text)) if said in known}
    chinese = json.dumps(words, ensure_ascii=False).replace("<", "\\u003c")
    return text.replace(_FILLED, f"const ZH = {chinese}, KEYS = {json.dumps(wants_keys)};")


def _route(text: str) -> Callable[[Request], Awaitable[Response]]:
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
