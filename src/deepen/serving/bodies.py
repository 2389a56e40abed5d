"""What a request must look like: made of what the run's task reads, so that each run says what it wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from deepen.core.errors import plain_words
from deepen.serving.problems import RefusedError

_KINDS: dict[str, Any] = {
    "text": str,
    "tokens": str | Annotated[list[str], Field(min_length=1)],
    "texts": Annotated[list[str], Field(min_length=1)],
}
_ABSENT = Field(default_factory=str)  # never read: what was not given is left out
AnyBody = TypeVar("AnyBody", bound=BaseModel)
AnyAddressed = TypeVar("AnyAddressed", bound="Addressed")
_LONGEST_PATH = 12
_UNREAD = "there is no such part in the body: /docs tells which there are"


class Addressed(BaseModel):
    """A body that names the run that is asked."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str | None = None
    """The run; None is the first."""


def checked(kind: type[AnyBody], body: bytes) -> AnyBody:
    """A body as it must be.

    Args:
        kind: What it must be.
        body: As it came.

    Raises:
        RefusedError: 400 if it is no JSON, 422 if it is not as it must be.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        raise RefusedError(400, f"the body is not JSON: {first['msg'].removeprefix('Invalid JSON: ')}")
    field = "/".join(str(part)[:60] for part in first["loc"][:_LONGEST_PATH])
    unread = first["type"] == "extra_forbidden"
    raise RefusedError(422, _UNREAD if unread else plain_words(first["msg"]), field=field or None)


_WISHES: dict[str, Any] = {
    "explain": (bool, Field(default=False, description="whether to say why: depth, words, analogies")),
    "max_error": (
        float | None,
        Field(default=None, gt=0, lt=1, description="answer so that at most this share of answers is wrong"),
    ),
}


class Body:
    """The body of a request to one run.

    Args:
        inputs: What the task reads: a name, a kind and whether it may be left out.
        most_rows: Of one request.
        wishes: What may be wished of the answers: `explain`, `max_error`.
    """

    def __init__(self, inputs: Sequence[Mapping[str, Any]], most_rows: int, *, wishes: Sequence[str] = ()) -> None:
        how = ConfigDict(extra="forbid", strict=True)
        fields: dict[str, Any] = {
            need["name"]: (_KINDS[need["kind"]], _ABSENT if need["optional"] else ...) for need in inputs
        }
        row = create_model("Row", __config__=how, **fields)
        rows = Annotated[list[row], Field(min_length=1, max_length=most_rows)]
        wished = {name: _WISHES[name] for name in wishes}
        self._body: Any = create_model("Body", __config__=how, rows=(rows, ...), **wished)

    def read(self, body: bytes) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The rows of a body, and what it wishes of the answers.

        Raises:
            RefusedError: 400 if it is no JSON, 422 if it is not as it must be.
        """
        asked = checked(self._body, body)
        wishes = {name: value for name in _WISHES if (value := getattr(asked, name, None))}
        return [row.model_dump(exclude_unset=True) for row in asked.rows], wishes

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON schema, without references."""
        found: dict[str, Any] = self._body.model_json_schema()
        row = found.pop("$defs", {}).get("Row", {})
        found["properties"]["rows"]["items"] = row
        return found

    def example(self, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """A body to try."""
        said = {"text": "a text", "tokens": "a text", "texts": ["a text", "another"]}
        marked = {"head", "tail"} <= {need["name"] for need in inputs}
        row = {need["name"]: said[need["kind"]] for need in inputs if not need["optional"] or need["kind"] == "texts"}
        return {"rows": [{"text": "the <e1>cat</e1> sat on the <e2>mat</e2>"} if marked else row]}
