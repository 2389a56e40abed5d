"""What a request must look like: made of what the run's task reads, so that each run says what it wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NotRequired, TypedDict

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from deepen.core.errors import plain_words
from deepen.serving.problems import RefusedError

_KINDS: dict[str, Any] = {
    "text": str,
    "tokens": str | Annotated[list[str], Field(min_length=1)],
    "texts": Annotated[list[str], Field(min_length=1)],
}
_LONGEST_PATH = 12


class Body:
    """The body of a request to one run.

    Args:
        inputs: What the task reads: a name, a kind and whether it may be left out.
        most_rows: Of one request.
    """

    def __init__(self, inputs: Sequence[Mapping[str, Any]], most_rows: int) -> None:
        strict = with_config(ConfigDict(extra="forbid", strict=True))
        kinds = {need["name"]: _KINDS[need["kind"]] for need in inputs}
        fields = {
            need["name"]: NotRequired[kinds[need["name"]]] if need["optional"] else kinds[need["name"]]
            for need in inputs
        }
        row = strict(TypedDict("Row", fields))  # type: ignore[operator, misc]
        rows = Annotated[list[row], Field(min_length=1, max_length=most_rows)]  # type: ignore[valid-type]
        self._adapter: Any = TypeAdapter(strict(TypedDict("Body", {"rows": rows})))  # type: ignore[operator, misc]

    def rows(self, body: bytes) -> list[dict[str, Any]]:
        """The rows of a body.

        Raises:
            RefusedError: 400 if it is no JSON, 422 if it is not as it must be.
        """
        try:
            return list(self._adapter.validate_json(body)["rows"])
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise RefusedError(400, f"the body is not JSON: {first['msg'].removeprefix('Invalid JSON: ')}")
        field = "/".join(str(part)[:60] for part in first["loc"][:_LONGEST_PATH])
        raise RefusedError(422, plain_words(first["msg"]), field=field or None)

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON schema, without references."""
        found: dict[str, Any] = self._adapter.json_schema()
        row = found.pop("$defs", {}).get("Row", {})
        found["properties"]["rows"]["items"] = row
        return found

    def example(self, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """A body to try."""
        said = {"text": "a text", "tokens": "a text", "texts": ["a text", "another"]}
        marked = {"head", "tail"} <= {need["name"] for need in inputs}
        row = {need["name"]: said[need["kind"]] for need in inputs if not need["optional"] or need["kind"] == "texts"}
        return {"rows": [{"text": "the <e1>cat</e1> sat on the <e2>mat</e2>"} if marked else row]}
