"""`/v1/chat/completions` and `/v1/completions`: bodies, streams and errors as the openai client speaks them.

A chat is asked as the run was trained, by its prompt and chat template; a completion reads its prompt as it stands.
Source: https://platform.openai.com/docs/api-reference/chat and /completions; `structured_outputs` as vLLM has it.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from deepen.core.errors import one_line
from deepen.serving.bodies import Addressed
from deepen.serving.front import Front
from deepen.serving.messages import dumps
from deepen.serving.pool import Answered
from deepen.serving.problems import RefusedError

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
_LIMIT = 256  # tokens, for the forecast of what waits, where nobody says one
_LETTERS = 4  # of a token, for the same
_MOST_ANSWERS = 8
_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
Whole = Callable[[Answered], Awaitable[dict[str, Any]]]
_JSON = '{"type": "object", "additionalProperties": true}'


_Word = Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    """A piece of a message."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["text"]
    text: str


class Called(BaseModel):
    """What a call names: a function, and its arguments as JSON."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: _Word
    arguments: str


class Call(BaseModel):
    """A call that an earlier answer made."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    type: Literal["function"] = "function"
    function: Called

    def told(self) -> dict[str, Any]:
        """As a chat template takes it: with the arguments themselves."""
        try:
            given = json.loads(self.function.arguments)
        except ValueError:
            raise RefusedError(422, f"arguments of {self.function.name}: it is no JSON", field="messages") from None
        return {"type": "function", "id": self.id, "function": {"name": self.function.name, "arguments": given}}


class Message(BaseModel):
    """A turn of a conversation; one of the role `tool` is what a function gave."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: Annotated[list[Call], Field(min_length=1)] | None = None
    tool_call_id: str | None = None

    @property
    def turn(self) -> tuple[str, str]:
        """Its role, as a run knows it, and its words."""
        parts = self.content or ""
        text = parts if isinstance(parts, str) else "".join(part.text for part in parts)
        return "system" if self.role == "developer" else self.role, text

    def told(self) -> dict[str, Any]:
        """As a chat template takes it, with calls and what they gave."""
        role, text = self.turn
        more: dict[str, Any] = {"name": self.name, "tool_call_id": self.tool_call_id}
        more |= {"tool_calls": [call.told() for call in self.tool_calls] if self.tool_calls else None}
        return {"role": role, "content": text, **{key: value for key, value in more.items() if value is not None}}


class Function(BaseModel):
    """A function that may be called; its parameters are a JSON Schema."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: _Word
    description: str | None = None
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    strict: Literal[False] | None = None


class Tool(BaseModel):
    """What a chat may call."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["function"]
    function: Function


class Structured(BaseModel):
    """What an answer is held to: one of these."""

    model_config = ConfigDict(extra="forbid", strict=True)

    choice: Annotated[list[_Word], Field(min_length=1)] | None = None
    regex: str | None = None
    json_: dict[str, Any] | None = Field(default=None, alias="json")


class StreamOptions(BaseModel):
    """How a stream ends."""

    model_config = ConfigDict(extra="ignore", strict=True)

    include_usage: bool = False


class _Body(Addressed):
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """None is as the run decodes, 0 the likeliest token."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] | None = None
    stop: _Word | Annotated[list[_Word], Field(max_length=16)] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=_MOST_ANSWERS)] | None = 1
    user: str | None = None
    structured_outputs: Structured | None = None

    def row(self) -> dict[str, Any]:
        """What a model process is asked, without the text."""
        drawn = {"temperature": self.temperature, "top_p": self.top_p, "seed": self.seed}
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        held = self.held()
        if held is not None and stop:
            raise RefusedError(422, "a stop string could cut an answer that is held to a form", field="stop")
        if (self.n or 1) > 1 and self.stream:
            raise RefusedError(422, "several answers are told as a whole: leave out stream", field="n")
        return {"n": self.n or 1, "max_tokens": self.max_tokens, "stop": stop, "sampling": drawn, "held": held}

    def held(self) -> dict[str, Any] | None:
        """What the answer is held to, as `Constraint` takes it."""
        wanted = self.structured_outputs
        if wanted is None:
            return None
        given = {"choices": wanted.choice, "regex": wanted.regex}
        given["schema"] = None if wanted.json_ is None else json.dumps(wanted.json_)
        found = {name: value for name, value in given.items() if value is not None}
        if len(found) != 1:
            raise RefusedError(422, "say one of choice, regex and json", field="structured_outputs")
        return found


class ChatBody(_Body):
    """A conversation of which the next turn is wanted."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    response_format: dict[str, Any] | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto"] | None = None

    def row(self) -> dict[str, Any]:
        """As in any body, with the turns."""
        found = super().row() | {"max_tokens": self.max_completion_tokens or self.max_tokens}
        tools = [] if self.tool_choice == "none" else self.tools or []
        if not tools:
            if any(message.role == "tool" or message.content is None for message in self.messages):
                raise RefusedError(422, "turns that call functions go with tools", field="messages")
            return found | {"messages": [message.turn for message in self.messages]}
        if found["held"] is not None:
            raise RefusedError(422, "an answer that may call functions is held to no form", field="tools")
        if self.messages[-1].role not in ("user", "tool"):
            raise RefusedError(422, "the last message must be the user's, or a function's", field="messages")
        told = [tool.model_dump(exclude_none=True) for tool in tools]
        return found | {"messages": [message.told() for message in self.messages], "tools": told}

    def held(self) -> dict[str, Any] | None:
        """What the answer is held to; `response_format` says it too."""
        wanted = self.response_format or {"type": "text"}
        if wanted.get("type") == "text":
            return super().held()
        if self.structured_outputs is not None:
            raise RefusedError(422, "an answer is held to one thing at a time", field="structured_outputs")
        if wanted.get("type") == "json_object":
            return {"schema": _JSON}
        schema = (
            (wanted.get("json_schema") or {}).get("schema") if isinstance(wanted.get("json_schema"), dict) else None
        )
        if wanted.get("type") != "json_schema" or not isinstance(schema, dict):
            said = "it must be text, json_object, or json_schema with a json_schema that has a schema"
            raise RefusedError(422, said, field="response_format")
        return {"schema": json.dumps(schema)}


class TextBody(_Body):
    """A text that is to be gone on with."""

    prompt: _Word

    def row(self) -> dict[str, Any]:
        """As in any body, with the prompt."""
        return super().row() | {"prompt": self.prompt}


class _Shape:
    """How one answer is told: as a chat or as a text, whole or in parts."""

    def __init__(self, run: str, about: Mapping[str, Any], *, chat: bool) -> None:
        self._chat = chat
        self._head = {
            "id": f"{'chatcmpl' if chat else 'cmpl'}-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": run,
            "system_fingerprint": about["model"],
        }

    def whole(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """The finished answers."""
        kind = "chat.completion" if self._chat else "text_completion"
        choices = [
            self._choice({"message": {"role": "assistant", **_said(one)}} if self._chat else {"text": one["text"]}, one)
            | {"index": at}
            for at, one in enumerate(told["answers"])
        ]
        return {**self._head, "object": kind, "choices": choices, "usage": _usage(told)}

    def part(self, text: str, told: Mapping[str, Any] | None = None, *, first: bool = False) -> bytes:
        """A part of one; `told` goes with the last."""
        role = {"role": "assistant"} if first else {}
        content = {"content": text} if text or first else {}
        if told is not None and "calls" in told:  # of which nothing was told on the way
            content = _said(told, parts=True)
        said: dict[str, Any] = {"delta": {**role, **content}} if self._chat else {"text": text}
        return self._event({"choices": [self._choice(said, told)]})

    def usage(self, told: Mapping[str, Any]) -> bytes:
        """The counts, after the last part."""
        return self._event({"choices": [], "usage": _usage(told)})

    def _event(self, said: dict[str, Any]) -> bytes:
        kind = "chat.completion.chunk" if self._chat else "text_completion"
        return b"data: " + dumps({**self._head, "object": kind, **said}) + b"\n\n"

    @staticmethod
    def _choice(said: dict[str, Any], told: Mapping[str, Any] | None) -> dict[str, Any]:
        reason = None if told is None else "length" if told["stopped"] == "limit" else "stop"
        reason = "tool_calls" if told is not None and told.get("calls") else reason
        return {"index": 0, **said, "finish_reason": reason, "logprobs": None}


def _said(told: Mapping[str, Any], *, parts: bool = False) -> dict[str, Any]:
    """What an answer says, and what it calls."""
    calls = [
        {
            "id": f"call_{secrets.token_hex(12)}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(given, ensure_ascii=False)},
            **({"index": at} if parts else {}),
        }
        for at, (name, given) in enumerate(told.get("calls") or ())
    ]
    return {"content": told["text"] or None, "tool_calls": calls} if calls else {"content": told["text"]}


def _usage(told: Mapping[str, Any]) -> dict[str, int]:
    given, made = told["num_prompt"], sum(one["num_generated"] for one in told["answers"])
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}


async def chat(front: Front, request: Request) -> Response:
    """The next turn of a conversation."""
    return await _completed(front, request, ChatBody)


async def text(front: Front, request: Request) -> Response:
    """What follows a text."""
    return await _completed(front, request, TextBody)


async def _completed(front: Front, request: Request, kind: type[ChatBody] | type[TextBody]) -> Response:
    key, run, asked = await front.opened(request, kind)
    about = front.pool.abouts[run]
    if not about["writes"]:
        said = f"{run} ({about['task']}, rung {about['rung']}) has no network that writes: ask /v1/runs/{run}/predict"
        raise RefusedError(422, said, field="model")
    row = asked.row()
    front.allow(key, row["n"], field="n")
    words = asked.prompt if isinstance(asked, TextBody) else "\n".join(one.turn[1] for one in asked.messages)
    read = len(words.encode()) // _LETTERS + len(dumps(row.get("tools", []))) // _LETTERS
    parts = front.pool.talk(run, row, tokens=read + row["n"] * (row["max_tokens"] or _LIMIT))

    async def whole(answered: Answered) -> dict[str, Any]:
        told = _told(answered)
        if front.log is not None:
            said = [dumps({"output": one["text"]}) for one in told["answers"]]
            rows = [{"source": words}] * len(said)
            await front.log.keep("" if key is None else key.id, run, answered.about, rows, said)
        return told

    shape = _Shape(run, about, chat=kind is ChatBody)
    last = await anext(parts)  # a refusal comes before the first part, and so with a status of its own
    if asked.stream and isinstance(last, str):
        counts = asked.stream_options is not None and asked.stream_options.include_usage
        return StreamingResponse(_stream(shape, last, parts, whole, counts=counts), media_type="text/event-stream")
    async for part in parts:
        last = part
        if isinstance(part, str) and await request.is_disconnected():
            await parts.aclose()
            raise RefusedError(400, "the client has gone")
    assert isinstance(last, Answered)  # noqa: S101 - nothing else comes at the end
    return JSONResponse(shape.whole(await whole(last)))


async def _stream(
    shape: _Shape, first: str, parts: AsyncGenerator[str | Answered], whole: Whole, *, counts: bool
) -> AsyncIterator[bytes]:
    """Parts as messages; where it breaks off, an error in place of the rest."""
    try:
        yield shape.part(first, first=True)
        async for part in parts:
            if isinstance(part, str):
                if part:
                    yield shape.part(part)
                continue
            told = await whole(part)
            yield shape.part("", told["answers"][0])
            if counts:
                yield shape.usage(told)
        yield b"data: [DONE]\n\n"
    except RefusedError as refused:
        yield b"data: " + openai_problem(refused).body + b"\n\n"
    finally:
        await parts.aclose()


def _told(answered: Answered) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(answered.answers[0])
    if "refused" in told:
        raise RefusedError(422, told["refused"], field=told["field"])
    if "skipped" in told:
        raise RefusedError(422, told["skipped"])
    return told


def openai_problem(refused: RefusedError) -> JSONResponse:
    """What a client is told when it gets no answer, with the status that it would have at other addresses."""
    status = refused.status
    said = {
        "message": one_line(refused.detail),
        "type": _KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error"),
        "param": None if refused.field is None else one_line(refused.field),
        "code": _CODES.get(status),
    }
    return JSONResponse({"error": said}, status_code=status, headers=refused.headers)
