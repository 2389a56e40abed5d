"""What a client is told when it gets no answer: problem bodies (RFC 9457), with nothing of this machine in them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from deepen.core.errors import one_line

_LONGEST = 300


class RefusedError(Exception):
    """A request that gets no answer, and what is said instead.

    Args:
        status: Of HTTP.
        detail: Why, in a sentence that holds words of this very request at most.
        field: Where in the body, as in `rows/3/text`.
        after: Seconds after which to try again.
        headers: More of them.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        field: str | None = None,
        after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.field = status, detail, field
        self.headers = dict(headers or {})
        if after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(after)))


def problem(refused: RefusedError) -> JSONResponse:
    """The response."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(refused.status).phrase,
        "status": refused.status,
        "detail": one_line(refused.detail, _LONGEST),
    }
    if refused.field is not None:
        body["field"] = one_line(refused.field, _LONGEST)
    return JSONResponse(
        body, status_code=refused.status, headers=refused.headers, media_type="application/problem+json"
    )
