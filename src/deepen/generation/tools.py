"""Functions that a chat may call: told to the model by its chat template, and read out of what it writes.

How a call is written is learned from the template itself, by letting it write one: there is no list of models here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepen.core.errors import SettingError
from deepen.generation.growing import fitting
from deepen.generation.writer import Writer

_NAME, _GIVEN = "deepen_probe", {"key": "value"}
_ASKED = {"role": "user", "content": "a"}
_PROBE = {"type": "function", "function": {"name": _NAME, "arguments": _GIVEN}}
_TOOL = {
    "type": "function",
    "function": {
        "name": _NAME,
        "description": "a",
        "parameters": {"type": "object", "properties": {"key": {"type": "string", "description": "a"}}},
    },
}
Call = tuple[str, dict[str, Any]]
"""A function's name with its arguments."""


@dataclass(frozen=True)
class Calls:
    """How a template writes a call: the last word before its JSON, and under which names the JSON has its two parts.

    `known` are the functions that may be called.
    """

    before: str
    name: str
    arguments: str
    known: frozenset[str]

    def read(self, text: str) -> tuple[str, list[Call]]:
        """What is said before the first call, and the calls; what is no whole call stays what is said."""
        at = text.find(self.before) if self.before else len(text) - len(text.lstrip())
        said, found = text[:at] if at >= 0 else text, []
        while at >= 0 and (at := text.find("{", at)) >= 0:
            try:
                value, at = json.JSONDecoder().raw_decode(text, at)
            except ValueError:
                break
            call = self._call(value)
            if call is None:
                break
            found.append(call)
        return (said.strip(), found) if found else (text, [])

    def _call(self, value: dict[str, Any]) -> Call | None:
        given = value.get(self.arguments, {})
        return (value[self.name], given) if value.get(self.name) in self.known and isinstance(given, dict) else None


def calls_of(writer: Writer, known: Iterable[str]) -> Calls:
    """How a run's template writes calls of these functions.

    Raises:
        SettingError: If it has none, or that knows no tools.
    """
    asking, reader = writer.asking, writer.reader
    if not (asking.chat and asking.turns):
        raise SettingError(f"this run ({asking.task}) has no conversations by a chat template, which tells of tools")
    plain, told = _written(reader, [_ASKED], None, more=True), _written(reader, [_ASKED], [_TOOL], more=True)
    if _NAME not in told or told == plain:
        raise SettingError("the model's chat template knows no tools")
    call = {"role": "assistant", "content": "", "tool_calls": [_PROBE]}
    whole = _written(reader, [_ASKED, call], [_TOOL], more=False)
    after = whole.removeprefix(told)
    at = max(after.find("{"), 0)
    try:
        value, _ = json.JSONDecoder().raw_decode(after, at)
        keys = {str(one): key for key, one in value.items()}
        name, arguments = keys[_NAME], keys[str(_GIVEN)]
    except (ValueError, AttributeError, KeyError):
        raise SettingError("the model's chat template does not mark calls of tools as JSON") from None
    before = (after[:at].split() or [""])[-1]
    ids = reader(before, add_special_tokens=False)["input_ids"]  # answers are read without special tokens
    return Calls(reader.decode(ids, skip_special_tokens=True).strip(), name, arguments, frozenset(known))


def read_tools(writer: Writer, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> list[int]:
    """What a run reads of a conversation with tools, as token ids.

    Raises:
        SettingError: If its template can't take the conversation, or the window does not hold it.
    """
    text = _written(writer.reader, messages, tools, more=True)
    return fitting(writer, writer.reader(text, add_special_tokens=False)["input_ids"])


def _written(reader: Any, messages: Sequence[Mapping[str, Any]], tools: Any, *, more: bool) -> str:
    how = {"tools": tools, "tokenize": False, "add_generation_prompt": more}
    try:
        return str(reader.apply_chat_template(list(messages), **how))
    except Exception as error:  # a template is a program of anybody's, and raises what it likes
        roles = ", ".join(str(message["role"]) for message in messages)
        said = " ".join(str(error).split())[:200]
        raise SettingError(f"the chat template does not take turns of {roles} with tools: {said}") from None
