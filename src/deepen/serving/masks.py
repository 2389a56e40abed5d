"""`POST /v1/mask`: personal data in texts, under the names that Presidio has for it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from deepen.data.masking import KINDS, Kind
from deepen.serving.bodies import checked
from deepen.serving.front import Front
from deepen.serving.names import MASK
from deepen.serving.problems import RefusedError
from deepen.serving.reading import read_body

_LONGEST = 20_000  # characters: half a second at worst, so that one text does not hold others up


class MaskBody(BaseModel):
    """What is masked."""

    model_config = ConfigDict(extra="forbid", strict=True)

    texts: Annotated[list[Annotated[str, Field(max_length=_LONGEST)]], Field(min_length=1)]
    entities: Annotated[list[Kind], Field(min_length=1)] = list(KINDS)
    """What is looked for."""


async def mask_texts(front: Front, request: Request) -> Response:
    """Masks texts."""
    key = front.door.enter(request, None)
    asked = checked(MaskBody, await read_body(request, front.pool.settings))
    front.allow(key, len(asked.texts), field="texts")
    answered = await front.pool.answer(MASK, [{"text": text, "entities": asked.entities} for text in asked.texts])
    if any(b'"skipped"' in line[:12] for line in answered.answers):
        raise RefusedError(422, "a text can't be masked", field="texts")
    return Response(b'{"items": [' + b", ".join(answered.answers) + b"]}", media_type="application/json")
