"""Functions that a chat may call: how a template writes calls is learned from it, and read out of answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.writers import TEMPLATE, pairs

import deepen
from deepen.core.errors import SettingError
from deepen.generation.growing import Grown
from deepen.generation.tools import Calls, calls_of, read_tools
from deepen.inference.model import Model
from deepen.serving.completions import ChatBody, _Shape
from deepen.serving.messages import PART, hear
from deepen.serving.problems import RefusedError
from deepen.serving.talking import talk

TURNS = (
    "{% for message in messages %}<{{ message['role'] }}> {{ message['content'] }}"
    "{% for call in message.tool_calls or [] %}{{ CALL }}{% endfor %} </s> {% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)
TOLD = "{% if tools %}<system> {{ tools | tojson }} </s> {% endif %}"
CALL = "{'name': call.function.name, 'arguments': call.function.arguments} | tojson"
TAGGED = TOLD + TURNS.replace("{{ CALL }}", "\n<tool_call>\n{{ " + CALL + " }}\n</tool_call>")
BARE = TOLD + TURNS.replace("{{ CALL }}", "{{ " + CALL.replace("'arguments'", "'parameters'") + " }}")
SILENT = TOLD + TURNS.replace("{{ CALL }}", "{{ call.function.name }}")
WEATHER = {"name": "weather", "description": "of a city", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": WEATHER}]
CALLED = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'
ASKED = {"role": "user", "content": "is it open ?"}


@pytest.fixture(scope="module")
def chatting(tiny_writer: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A decoder of bytes, untrained."""
    rows = [{"context": f"user: {row['source']}", "response": row["target"]} for row in pairs(24)]
    quick = ["tasks.dialogue.max_new_tokens=4"]
    about: dict[str, Any] = {"task": "dialogue", "rungs": "majority,frozen", "settings": quick}
    folder = tmp_path_factory.mktemp("tools")
    model = shutil.copytree(tiny_writer("qwen2", template=TAGGED), folder / "model")
    config = json.loads((model / "config.json").read_text(encoding="utf-8")) | {"max_position_embeddings": 1024}
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    run = deepen.train(rows, validation=rows[:4], model=model, out=folder / "run", **about)
    return deepen.load(run.folder, rung="frozen")


def writer_with(chatting: Model, template: str) -> Any:
    reader = chatting.predictor.reader
    reader.chat_template = template
    return chatting.predictor


@pytest.mark.parametrize(
    ("template", "found"), [(TAGGED, ("<tool_call>", "name", "arguments")), (BARE, ("", "name", "parameters"))]
)
def test_a_template_shows_how_it_writes_calls(chatting: Model, template: str, found: tuple[str, str, str]) -> None:
    calls = calls_of(writer_with(chatting, template), ["weather"])
    assert (calls.before, calls.name, calls.arguments) == found


@pytest.mark.parametrize(
    ("template", "said"),
    [(TEMPLATE, "knows no tools"), (SILENT, "does not mark calls"), (TOLD + "{{ 1 / 0 }}", "does not take turns")],
)
def test_a_template_that_can_not_is_refused(chatting: Model, template: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        calls_of(writer_with(chatting, template), ["weather"])


def test_calls_are_read_out_of_answers() -> None:
    calls = Calls("<tool_call>", "name", "arguments", frozenset({"weather"}))
    rome = ("weather", {"city": "Rome"})
    assert calls.read(f"I look.\n{CALLED}\n{CALLED}") == ("I look.", [rome, rome])
    for text in ("no call", "<tool_call> {broken", CALLED.replace("weather", "unknown"), CALLED.replace("{", "[")):
        assert calls.read(text) == (text, [])
    bare = Calls("", "name", "parameters", frozenset({"weather"}))
    assert bare.read(' {"name": "weather", "parameters": {}}') == ("", [("weather", {})])
    assert bare.read('so {"name": "weather"') == ('so {"name": "weather"', [])


def test_a_conversation_with_calls_is_read_by_the_template(chatting: Model) -> None:
    writer = writer_with(chatting, TAGGED)
    given: dict[str, Any] = {"model": "a", "tools": TOOLS, "messages": [ASKED]}
    call: dict[str, Any] = {
        "id": "1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
    }
    given["messages"] += [{"role": "assistant", "content": None, "tool_calls": [call]}]
    given["messages"] += [{"role": "tool", "tool_call_id": "1", "content": "rain"}]
    row = ChatBody(**given).row()
    text = writer.reader.decode(read_tools(writer, row["messages"], row["tools"]))
    assert CALLED in text
    assert "of a city" in text
    assert text.endswith("<tool> rain </s> <assistant> ")
    call["function"] = {"name": "weather", "arguments": "{"}
    broken = ChatBody(**given)
    with pytest.raises(RefusedError, match="no JSON"):
        broken.row()


def test_a_chat_calls_a_function(chatting: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def grow(writer: Any, prompt: list[int], sampling: Any, *, tell: Any, **how: Any) -> Grown:
        assert tell(CALLED)
        return Grown(CALLED, "end", 30)

    monkeypatch.setattr("deepen.serving.talking.grow", grow)  # a network this small learns no JSON
    writer_with(chatting, TAGGED)
    row = ChatBody(model="a", messages=[ASKED], tools=TOOLS, max_tokens=90).row()
    here, there = Pipe()
    served: Any = SimpleNamespace(model=chatting)
    told = json.loads(talk(served, here, row))
    [answer] = told["answers"]
    assert (answer["text"], answer["calls"]) == ("", [["weather", {"city": "Rome"}]])
    assert not any(part.get(PART) for part in heard(there))
    shape = _Shape("a", {"model": "b"}, chat=True)
    [choice] = shape.whole(told)["choices"]
    assert choice["finish_reason"] == "tool_calls"
    [call] = choice["message"]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("weather", {"city": "Rome"})
    [last] = json.loads(shape.part("", answer).removeprefix(b"data: "))["choices"]
    assert last["delta"]["tool_calls"][0]["index"] == 0
    refused = json.loads(talk(served, here, row | {"messages": [{"role": "user", "content": "a" * 5000}]}))
    assert refused["field"] == "messages"


def heard(connection: Any) -> list[dict[str, Any]]:
    found = []
    while connection.poll():
        found.append(hear(connection)[0])
    return found
