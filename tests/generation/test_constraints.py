"""Answers held to choices, a regular expression or a schema, by networks of random weights that never write so."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.writers import pairs

import deepen
from deepen.cli.main import main
from deepen.core.errors import DeepenError, SettingError
from deepen.generation.constraints import constraint_of

pytest.importorskip("xgrammar")
Tiny = Callable[..., Path]
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 4},
        "size": {"enum": ["big", "small"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 99},
    },
    "required": ["name", "size", "count"],
    "additionalProperties": False,
}
QUICK = ["data.validation_at_least=4", "tasks.translation.max_new_tokens=4"]
ROWS = [row["source"] for row in pairs(3, 3)]


@pytest.fixture(scope="module")
def runs(tiny_writer: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An untrained decoder that writes bytes, and an encoder-decoder that writes words."""
    found = {}
    for kind in ("qwen2", "t5"):
        folder = tmp_path_factory.mktemp(kind) / "run"
        deepen.train(
            pairs(24), task="translation", model=tiny_writer(kind), rungs="majority,frozen", out=folder, settings=QUICK
        )
        found[kind] = folder
    return found


@pytest.fixture(scope="module")
def decoder(runs: dict[str, Path]) -> Any:
    return deepen.load(runs["qwen2"], rung="frozen")


@pytest.fixture(scope="module")
def coder(runs: dict[str, Path]) -> Any:
    return deepen.load(runs["t5"], rung="frozen")


def test_an_answer_is_one_of_the_choices(decoder: Any, coder: Any) -> None:
    choices = ["le chat", 'a "b"\n\\', "中文"]
    found = decoder.predict(ROWS, choices=choices)
    assert {one.output for one in found} <= {*choices}
    assert {one.stopped for one in found} == {"end"}
    assert {one.output for one in coder.predict(ROWS, choices=["chat", "chien"])} <= {"chat", "chien"}


@pytest.mark.parametrize("regex", [r"[0-9]{3}-[a-z]{2}", r"(oui|non)!?", r"第[一二三]章", r".{4}"])
def test_an_answer_is_a_match(decoder: Any, regex: str) -> None:
    for one in decoder.predict(ROWS, regex=regex):
        assert re.fullmatch(regex, one.output), one


def test_an_answer_is_json_after_a_schema(decoder: Any) -> None:
    for one in decoder.predict(ROWS, json_schema=SCHEMA):
        jsonschema.validate(json.loads(one.output), SCHEMA)
        assert one.stopped == "end"


def test_beams_and_samples_are_held_too(decoder: Any) -> None:
    writer = decoder.predictor
    for how in ({"num_beams": 3, "do_sample": False}, {"num_beams": 1, "do_sample": True, "temperature": 1.0}):
        asking = replace(writer.asking, decoding=writer.asking.decoding | how | {"no_repeat_ngram_size": 1})
        model = replace(decoder, predictor=replace(writer, asking=asking))
        for one in model.predict(ROWS, json_schema=SCHEMA):
            jsonschema.validate(json.loads(one.output), SCHEMA)


def test_an_answer_that_is_cut_is_none(decoder: Any) -> None:
    for one in decoder.predict(ROWS, json_schema=SCHEMA, max_new_tokens=5):
        assert one.output is None
        assert "cut at 5 tokens, before it was whole: --max-new-tokens" in one.skipped
    assert all(one.output for one in decoder.predict(ROWS, json_schema=SCHEMA, max_new_tokens=100))
    # what matches although it is cut is an answer, and `stopped` says so
    assert {one.stopped for one in decoder.predict(ROWS, regex="[a-z]+", max_new_tokens=4)} <= {"limit", "end"}


def test_what_the_grammar_lets_pass_is_read_again(decoder: Any) -> None:
    schema = {"type": "array", "items": {"enum": [1]}, "minItems": 2, "maxItems": 2, "uniqueItems": True}
    for one in decoder.predict(ROWS[:2], json_schema=schema):
        assert one.output is None
        assert one.skipped == "its answer is not what the JSON Schema wants: '[1, 1]'"


def test_a_tokenizer_without_the_words_never_pretends(coder: Any) -> None:
    [one] = coder.predict(ROWS[:1], regex="chat(ours)?x")  # there is a token for the first part, and none to go on
    assert one.output is None
    assert one.skipped.startswith("its answer is not what the regular expression 'chat(ours)?x' wants: 'chat'")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"choices": []}, "give texts to choose from"),
        ({"choices": ["a", ""]}, "none of them empty"),
        ({"regex": "(a"}, "the regular expression '(a' is none: missing ), unterminated subpattern"),
        ({"regex": "(?=a)b"}, "Lookahead is not supported"),
        ({"json_schema": {"type": "objct"}}, "the JSON Schema is none, at $.type: 'objct' is not valid"),
        (
            {"json_schema": {"$ref": "https://example.com/a.json"}},
            "refers to https://example.com/a.json, which is not in it",
        ),
        ({"json_schema": {"$ref": "#/$defs/a"}}, "no answer can be held to the JSON Schema: Cannot find field"),
        ({"regex": "a", "choices": ["a"]}, "one thing at a time: choices or regex"),
        ({"max_new_tokens": 5000}, "the model's window has 128 tokens"),
        ({"json_schema": "nowhere.json"}, "nowhere.json"),
    ],
)
def test_what_can_not_be_is_one_line(decoder: Any, given: dict[str, Any], said: str) -> None:
    with pytest.raises(DeepenError) as found:
        decoder.predict(ROWS, **given)
    assert said in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"choices": ["chat", "Katze"]}, "can't write the choice 'Katze'"),
        ({"json_schema": SCHEMA}, "can't write the beginning of the JSON Schema"),
        ({"regex": "[0-9]"}, "can't write the beginning of the regular expression '[0-9]'"),
    ],
)
def test_what_a_tokenizer_can_not_write_is_said(coder: Any, given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=re.escape(said)):
        coder.predict(ROWS, **given)


def test_a_rung_that_writes_nothing_says_so(runs: dict[str, Path]) -> None:
    with pytest.raises(SettingError, match="the rung majority has none: name another, as in --rung full"):
        deepen.load(runs["t5"], rung="majority").predict(ROWS, choices=["chat"])
    assert deepen.load(runs["t5"], rung="frozen").predict(ROWS, choices=["chat"])[0].output == "chat"


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, decoder: Any) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(SettingError, match=re.escape("pip install 'deepen[structured]'")):
        constraint_of(None, None, {"type": "string"})


def test_on_the_command_line(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["deepen", "predict", str(runs["qwen2"]), "--rung", "frozen", "--text", "the cat", "--json"]

    def ask(*more: str) -> tuple[int, Any]:
        monkeypatch.setattr(sys, "argv", [*words, *more])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, json.loads(capsys.readouterr().out)

    code, found = ask("--choices", "oui, non")
    assert (code, found["predictions"][0]["output"] in ("oui", "non")) == (0, True)
    (tmp_path / "order.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    code, found = ask("--json-schema", str(tmp_path / "order.json"))
    jsonschema.validate(json.loads(found["predictions"][0]["output"]), SCHEMA)
    code, found = ask("--regex", "(")
    assert (code, found["error"]["kind"]) == (2, "SettingError")
    code, found = ask("--regex", "a", "--cascade", "0.99")
    assert (code, "--regex: one run writes such answers" in found["error"]["message"]) == (2, True)
