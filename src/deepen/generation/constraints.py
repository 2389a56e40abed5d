"""Answers held to choices, a regular expression or a JSON Schema: while they are written, and read again when they are.

While a network writes, xgrammar says which tokens may come next. What it does not know of regular expressions and
schemas (`uniqueItems`, `not`) it lets pass, and a limit may cut an answer: so each finished answer is read again, by
`re` and by jsonschema, and one that does not hold is none.

Shape legend: B rows of a batch (or beams), T tokens, V the vocabulary.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deepen.core.errors import SettingError, one_line
from deepen.core.files import read_json
from deepen.core.places import path_of

_WHERE = re.compile(r"^\[[\d:]+\] \S+:\d+: ")  # how a message of xgrammar begins
_ELSEWHERE = re.compile(r'"\$(?:dynamicR|r)ef": "(?!#)([^"]*)"')
_DOT = re.compile(r"(\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|\.")
_SPARE = 2  # tokens: a space before an answer, and what ends it


@dataclass(frozen=True)
class Constraint:
    """What an answer must be: one of `choices`, all of it a match of `regex`, or JSON after `schema`, a JSON text."""

    choices: tuple[str, ...] = ()
    regex: str | None = None
    schema: str | None = None

    def __post_init__(self) -> None:
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except (re.error, RecursionError, OverflowError) as error:
                raise SettingError(f"the regular expression {self.regex!r} is none: {error}") from None
        if self.schema is not None:
            made = _validator(self.schema)
            try:
                made.check_schema(made.schema)
            except _jsonschema().SchemaError as error:
                said = f"the JSON Schema is none, at {error.json_path}: {one_line(error.message, 200)}"
                raise SettingError(said) from None
            if elsewhere := _ELSEWHERE.search(self.schema):
                raise SettingError(
                    f"the JSON Schema refers to {elsewhere[1][:80]}, which is not in it; '#/$defs/...' is"
                )

    def __str__(self) -> str:
        """What is wanted, for messages."""
        if self.choices:
            return "the choices"
        return "the JSON Schema" if self.regex is None else f"the regular expression {self.regex!r}"

    def holds(self, text: str) -> bool:
        """Whether an answer is what it must be, all of it."""
        if self.choices:
            return text in self.choices
        if self.regex is not None:
            return re.fullmatch(self.regex, text) is not None
        try:
            return bool(self._check.is_valid(json.loads(text)))
        except (ValueError, RecursionError):  # no JSON
            return False

    @cached_property
    def _check(self) -> Any:
        return _validator(self.schema or "true")

    def grammar(self, grammars: Any) -> Any:
        """As a grammar, by xgrammar's class of them."""
        if self.choices:
            texts = (json.dumps(text, ensure_ascii=False) for text in self.choices)
            return grammars.from_ebnf(f"root ::= {' | '.join(texts)}")
        if self.regex is not None:  # a dot is no line end for `re`
            return grammars.from_regex(_DOT.sub(lambda found: found[1] or r"[^\n]", self.regex))
        return grammars.from_json_schema(self.schema, any_whitespace=False)


def constraint_of(
    choices: Sequence[str] | None, regex: str | None, json_schema: str | Path | Mapping[str, Any] | None
) -> Constraint | None:
    """What an answer is held to; None where nothing is given.

    Args:
        json_schema: A schema, a file with one, or a class of pydantic.

    Raises:
        DataError: If there is no such file.
        SettingError: If it is more than one of them, or not what it should be, or a package is missing.
    """
    given = [
        name for name, one in (("choices", choices), ("regex", regex), ("JSON Schema", json_schema)) if one is not None
    ]
    if len(given) > 1:
        raise SettingError(f"an answer is held to one thing at a time: {' or '.join(given)}")
    if choices is not None:
        found = (choices,) if isinstance(choices, str) else tuple(dict.fromkeys(choices))
        if not found or not all(isinstance(text, str) and text for text in found):
            raise SettingError("choices: give texts to choose from, none of them empty")
        return Constraint(choices=found)
    if regex is not None:
        return Constraint(regex=regex)
    return None if json_schema is None else Constraint(schema=_schema(json_schema))


def _schema(given: Any) -> str:
    if isinstance(given, str | Path):
        return json.dumps(read_json(path_of(given)))
    made = getattr(given, "model_json_schema", None)
    return json.dumps(given if made is None else made())


def _jsonschema() -> Any:
    try:
        import jsonschema
    except ImportError:
        raise SettingError(_MISSING) from None
    return jsonschema


def _xgrammar() -> Any:
    try:
        import xgrammar
    except ImportError:
        raise SettingError(_MISSING) from None
    return xgrammar


_MISSING = "holding answers to a form takes xgrammar and jsonschema: pip install 'deepen[structured]'"


def _validator(schema: str) -> Any:
    found, library = json.loads(schema), _jsonschema()
    return library.validators.validator_for(found, default=library.Draft202012Validator)(found)


@dataclass(frozen=True)
class Guide:
    """A constraint as a tokenizer can write it.

    Attributes:
        constraint: What is wanted.
        compiled: The same for xgrammar.
        ends: The tokens that end an answer.
        special: Other tokens that are no text, or none that may be in such an answer.
        longest: Tokens within which any answer ends; None where nothing says so.
    """

    constraint: Constraint
    compiled: Any
    ends: tuple[int, ...]
    special: tuple[int, ...]
    longest: int | None

    def start(self, num_given: int) -> Held:
        """What `generate` is handed for one batch of which each row has so many tokens already."""
        return Held(self, num_given)


class Held:
    """Leaves `generate` the tokens that may come next; states belong to what was written: beams may change places."""

    def __init__(self, guide: Guide, num_given: int) -> None:
        self._library, self._guide, self._num_given = _xgrammar(), guide, num_given
        self._states: dict[tuple[int, ...], Any] = {}

    def __call__(self, ids_BT: Tensor, scores_BV: Tensor) -> Tensor:
        """The logits, minus infinity for what may not come."""
        rows = [tuple(row) for row in ids_BT[:, self._num_given :].tolist()]
        self._states = {row: self._state(row) for row in rows}
        info = self._guide.compiled.tokenizer_info
        mask = self._library.allocate_token_bitmask(len(rows), info.vocab_size)
        for at, row in enumerate(rows):
            state = self._states[row]
            if state is not None:
                state.fill_next_token_bitmask(mask, at)
        kept = scores_BV.float().cpu()
        self._library.apply_token_bitmask_inplace(kept, mask)
        kept[:, list(self._guide.special)] = float("-inf")
        over_B = (kept == float("-inf")).all(1)  # the tokenizer can't go on from here
        over_B |= torch.tensor([self._states[row] is None for row in rows])
        kept[over_B] = float("-inf")
        kept[over_B, self._guide.ends[0]] = 0.0
        return kept.to(scores_BV)

    def _state(self, row: tuple[int, ...]) -> Any:
        """Where in the grammar a row is; None if it is over."""
        if not row:
            return self._library.GrammarMatcher(self._guide.compiled)
        before = self._states.get(row[:-1])
        state = None if before is None else before.fork()
        return state if state is not None and state.accept_token(row[-1]) and not state.is_terminated() else None


class Guides:
    """Makes guides for one tokenizer.

    Args:
        reader: As transformers has it.
        vocabulary: How many logits the network gives.
        ends: The tokens that end an answer.
    """

    def __init__(self, reader: Any, vocabulary: int, ends: Sequence[int]) -> None:
        library = _xgrammar()
        self._library, self._reader, self._ends = library, reader, tuple(ends)
        info = library.TokenizerInfo.from_huggingface(reader, vocab_size=vocabulary, stop_token_ids=list(ends))
        self._spaced = bool(info.add_prefix_space)  # such a tokenizer writes a space before the first word
        self._compiler = library.GrammarCompiler(info, max_threads=1, cache_limit_bytes=1 << 28)
        self._words = info.decoded_vocab
        self._special = tuple(at for at in reader.all_special_ids if at < vocabulary and at not in self._ends)

    @cached_property
    def _control(self) -> tuple[int, ...]:
        """Tokens with control characters, which JSON does not have and xgrammar lets into strings of a given length."""
        found = (at for at, word in enumerate(self._words) if min(word, default=32) < 32)
        return tuple(at for at in found if at not in self._ends)

    def make(self, constraint: Constraint) -> Guide:
        """A guide.

        Raises:
            SettingError: If xgrammar does not know a part of it, or the tokenizer can't write it.
        """
        grammars = self._library.Grammar
        try:
            grammar = constraint.grammar(grammars)
            if self._spaced:
                grammar = grammars.concat(grammars.from_regex(" ?"), grammar)
            compiled = self._compiler.compile_grammar(grammar)
        except RuntimeError as error:
            said = one_line(_WHERE.sub("", str(error)), 200)
            raise SettingError(f"no answer can be held to {constraint}: {said}") from None
        self._check(constraint, compiled)
        longest = max((len(text.encode()) for text in constraint.choices), default=None)
        never = self._special if constraint.schema is None else (*self._special, *self._control)
        return Guide(constraint, compiled, self._ends, never, None if longest is None else longest + _SPARE)

    def _check(self, constraint: Constraint, compiled: Any) -> None:
        for text in constraint.choices:
            state = self._library.GrammarMatcher(compiled)
            ids = self._reader(text, add_special_tokens=False)["input_ids"]
            if not all(map(state.accept_token, ids)) or not state.is_completed():
                raise SettingError(f"the model's tokenizer can't write the choice {text[:80]!r}")
        info = compiled.tokenizer_info
        mask = self._library.allocate_token_bitmask(1, info.vocab_size)
        self._library.GrammarMatcher(compiled).fill_next_token_bitmask(mask, 0)
        if not mask.any():
            raise SettingError(f"the model's tokenizer can't write the beginning of {constraint}")
