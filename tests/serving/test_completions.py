"""Chats and completions: by a plain client for every build, and by the openai client where it is installed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.serving.conftest import Server
from tests.writers import TEMPLATE, pairs

import deepen
from deepen.serving.keys import create

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
ASKED = [{"role": "user", "content": "is it open ?"}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
SCHEMA = {
    "type": "object",
    "properties": {"yes": {"type": "boolean"}, "word": {"enum": ["中文", "le chat"]}},
    "required": ["yes", "word"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def chats(tiny_writer: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A decoder of bytes behind a server that lets two requests wait, and a rung that does not write."""
    folder = tmp_path_factory.mktemp("chats")
    rows = [{"context": f"user: {row['source']}", "response": row["target"]} for row in pairs(24)]
    quick = ["data.validation_at_least=4", "tasks.dialogue.max_new_tokens=12"]
    model = tiny_writer("qwen2", template=TEMPLATE)
    about: dict[str, Any] = {"task": "dialogue", "model": model, "settings": quick, "rungs": "majority,frozen"}
    run = deepen.train(rows, out=folder / "run", **about)
    key = create(folder / "keys.json", scopes=["predict"], expires=timedelta(days=1))
    named = [f"{run.folder / 'rungs' / rung / 'model'}={rung}" for rung in ("frozen", "majority")]
    limits = ["export=false", "stuck_seconds=60", "request_seconds=120", "waiting_rows=1", "waiting_seconds=600"]
    words = [*named, "--port", "0", "--workers", "1", "--keys", str(folder / "keys.json")]
    with Server([*words, *(word for limit in limits for word in ("--set", limit))], key.text) as started:
        yield started
        assert started.stop() == 0, started.text


def ask(server: Server, path: str, **body: Any) -> Any:
    with server.client() as client:
        return client.post(path, json={"model": "frozen", **body})


def told(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def events(answer: Any) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_a_chat_is_told_as_a_whole_and_in_parts(chats: Server) -> None:
    whole = told(ask(chats, CHAT, messages=ASKED, max_tokens=9))
    [choice] = whole["choices"]
    assert choice["finish_reason"] == "length"
    usage = whole["usage"]
    assert usage["completion_tokens"] == 9
    assert usage["total_tokens"] == usage["prompt_tokens"] + 9
    more = {"stream": True, "stream_options": {"include_usage": True}}
    answer = ask(chats, CHAT, messages=ASKED, max_tokens=9, **more)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *parts, last, counts = events(answer)
    assert parts[0]["choices"][0]["delta"]["role"] == "assistant"
    said = "".join(part["choices"][0]["delta"].get("content", "") for part in parts)
    assert said == choice["message"]["content"]
    assert last["choices"][0]["finish_reason"] == "length"
    assert counts["usage"] == usage


def test_a_stop_string_ends_a_text_and_is_not_told(chats: Server) -> None:
    asked = {"prompt": "the cat", "temperature": 0, "max_tokens": 12}
    text = told(ask(chats, TEXT, **asked))["choices"][0]["text"]
    stop = text[len(text) // 2 :][:2]
    cut = told(ask(chats, TEXT, **asked, stop=[stop, "never"]))["choices"][0]
    assert (cut["text"], cut["finish_reason"]) == (text[: text.index(stop)], "stop")
    parts = events(ask(chats, TEXT, **asked, stop=stop, stream=True))
    assert "".join(part["choices"][0]["text"] for part in parts) == cut["text"]


def test_what_is_drawn_hangs_on_the_seed(chats: Server) -> None:
    drawn = [
        told(ask(chats, TEXT, prompt="the", temperature=1.5, seed=seed, max_tokens=12))["choices"][0]["text"]
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_several_answers_are_drawn(chats: Server) -> None:
    asked: dict[str, Any] = {"messages": ASKED, "temperature": 1.5, "seed": 1, "max_tokens": 12}
    [one] = told(ask(chats, CHAT, **asked))["choices"]
    found = told(ask(chats, CHAT, **asked, n=3))
    assert [choice["index"] for choice in found["choices"]] == [0, 1, 2]
    texts = [choice["message"]["content"] for choice in found["choices"]]
    assert texts[0] == one["message"]["content"]
    assert len(set(texts)) == 3
    assert found["usage"]["completion_tokens"] > 12
    assert len(told(ask(chats, TEXT, prompt="the", temperature=1.5, n=2, max_tokens=4))["choices"]) == 2


def test_an_answer_is_held_to_a_form(chats: Server) -> None:
    pytest.importorskip("xgrammar")
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
    for stream in (False, True):
        answer = ask(chats, CHAT, messages=ASKED, response_format=form, stream=stream)
        parts = [told(answer)] if not stream else events(answer)
        said = [part["choices"][0].get("message") or part["choices"][0]["delta"] for part in parts]
        found = json.loads("".join(one.get("content") or "" for one in said))
        assert found.keys() == {"yes", "word"}
        assert parts[-1]["choices"][0]["finish_reason"] == "stop"
    cut = told(ask(chats, CHAT, messages=ASKED, response_format=form, max_tokens=3))["choices"][0]
    assert cut["finish_reason"] == "length"
    form = {"choice": ["oui", "non"]}
    assert told(ask(chats, TEXT, prompt="it is", structured_outputs=form))["choices"][0]["text"] in form["choice"]
    broken = ask(chats, CHAT, messages=ASKED, response_format={"type": "json_schema", "json_schema": {}})
    assert broken.json()["error"]["param"] == "response_format"
    form = {"regex": "(?=a)b"}
    assert "Lookahead" in ask(chats, TEXT, prompt="a", structured_outputs=form).json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "status", "kind", "param"),
    [
        (CHAT, {"messages": ASKED, "model": "none"}, 404, "invalid_request_error", "model"),
        (CHAT, {"messages": ASKED, "model": "majority"}, 422, "invalid_request_error", "model"),
        (CHAT, {"messages": []}, 422, "invalid_request_error", "messages"),
        (CHAT, {"messages": [{"role": "assistant", "content": "a"}]}, 422, "invalid_request_error", "messages"),
        (CHAT, {"messages": [{"role": "user", "content": "the " * 200}]}, 422, "invalid_request_error", "messages"),
        (CHAT, {"messages": ASKED, "functions": []}, 422, "invalid_request_error", "functions"),
        (CHAT, {"messages": ASKED, "tools": TOOLS}, 422, "invalid_request_error", "tools"),
        (CHAT, {"messages": [{"role": "tool", "content": "a"}]}, 422, "invalid_request_error", "messages"),
        (CHAT, {"messages": ASKED, "n": 9, "temperature": 1}, 422, "invalid_request_error", "n"),
        (CHAT, {"messages": ASKED, "n": 2}, 422, "invalid_request_error", "n"),
        (CHAT, {"messages": ASKED, "n": 2, "temperature": 1, "stream": True}, 422, "invalid_request_error", "n"),
        (CHAT, {"messages": ASKED, "max_tokens": 5_000}, 422, "invalid_request_error", "max_tokens"),
        (
            TEXT,
            {"prompt": "a", "stop": "b", "structured_outputs": {"regex": "a"}},
            422,
            "invalid_request_error",
            "stop",
        ),
        (TEXT, {"prompt": ""}, 422, "invalid_request_error", "prompt"),
    ],
)
def test_errors_have_the_shape_of_openai(
    chats: Server, path: str, body: dict[str, Any], status: int, kind: str, param: str
) -> None:
    answer = ask(chats, path, **body)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["type"] == kind
    assert error["param"].startswith(param)
    assert error["message"]


def test_nobody_comes_in_without_a_key(chats: Server) -> None:
    with chats.client("deepen_nothing") as client:
        answer = client.post(CHAT, json={"messages": ASKED})
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"


def test_a_full_queue_says_so_and_who_leaves_holds_nobody_up(chats: Server) -> None:
    long = {"prompt": "the cat", "max_tokens": 100, "temperature": 1.0, "seed": 1}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: ask(chats, TEXT, **long), range(6)))
    assert {answer.status_code for answer in answers} == {200, 429}
    full = next(answer for answer in answers if answer.status_code == 429)
    assert full.json()["error"]["code"] == "rate_limit_exceeded"
    assert int(full.headers["retry-after"]) > 0
    with (
        chats.client() as client,
        client.stream("POST", TEXT, json={"model": "frozen", **long, "stream": True}) as left,
    ):
        next(left.iter_lines())
    assert told(ask(chats, TEXT, prompt="the", max_tokens=1))["choices"][0]["finish_reason"]


def test_rows_are_answered_as_ever(chats: Server) -> None:
    [answer] = chats.answers("frozen", [{"source": "is it open ?"}])
    assert isinstance(answer["output"], str)
    assert answer["stopped"] in ("end", "limit")


@pytest.mark.services
def test_the_openai_client(chats: Server) -> None:
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=f"{chats.url}/v1", api_key=chats.key, timeout=120)
    said = client.chat.completions.create(model="frozen", messages=ASKED, max_tokens=9)
    parts = client.chat.completions.create(model="frozen", messages=ASKED, max_tokens=9, stream=True)
    told = "".join(part.choices[0].delta.content or "" for part in parts)
    assert told == said.choices[0].message.content
    several = client.chat.completions.create(model="frozen", messages=ASKED, n=2, temperature=1.0, max_tokens=4)
    assert len(several.choices) == 2
    assert client.completions.create(model="frozen", prompt="中文", max_tokens=2).usage.completion_tokens == 2
    for error, given in (
        (openai.NotFoundError, {"model": "none"}),
        (openai.UnprocessableEntityError, {"model": "frozen", "tools": TOOLS}),
    ):
        with pytest.raises(error):
            client.chat.completions.create(messages=ASKED, **given)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="deepen_nothing").chat.completions.create(model="frozen", messages=ASKED)
