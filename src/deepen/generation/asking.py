"""What a model reads before it answers, as token ids: the same in training, prediction and service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deepen.core.errors import ModelError, SettingError
from deepen.core.files import read_object, write_json
from deepen.core.foreign import blaming
from deepen.data.turns import turns_of

_FILE = "asking.json"
Shown = Sequence[tuple[str, str]]
"""Sources with their answers that stand before the question."""


@dataclass(frozen=True)
class Asking:
    """How a model is asked and decoded, as it is saved.

    Attributes:
        task: The task's name, for messages.
        prompt: What it reads, with {source} in it.
        encodes: Whether an encoder reads it; a decoder goes on from it.
        chat: Whether the tokenizer's chat template goes around it.
        turns: Whether a source is the turns of a conversation.
        max_tokens: Where a source is cut: at its end, or of turns at the beginning.
        decoding: What transformers' `generate` is told.
        stop: What ends an answer.
        shown: How many similar training rows stand before the question.
        seed: For what is drawn by chance.
    """

    task: str
    prompt: str
    encodes: bool
    chat: bool
    turns: bool
    max_tokens: int
    decoding: dict[str, Any] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    shown: int = 0
    seed: int = 0


def save_asking(asking: Asking, folder: Path) -> None:
    """Writes it into a model folder."""
    write_json(folder / _FILE, asdict(asking))


def load_asking(folder: Path) -> Asking:
    """Reads it again; ModelError if it is damaged."""
    with blaming(folder / _FILE, "is damaged"):
        found = read_object(folder / _FILE)
        return Asking(**found | {"stop": tuple(found["stop"])})


@dataclass(frozen=True)
class Ids:
    """Makes token ids of sources and answers; `tokenizer` is that of transformers."""

    tokenizer: Any
    asking: Asking

    def prompts(self, sources: Sequence[str], shown: Sequence[Shown] | None = None) -> list[list[int]]:
        """What the model reads of each source."""
        examples: Sequence[Shown] = shown if shown is not None else [()] * len(sources)
        texts = [self._text(self.cut(source), some) for source, some in zip(sources, examples, strict=True)]
        if self.asking.encodes:
            return [_closed(ids, self.tokenizer.eos_token_id) for ids in self.tokenizer(texts)["input_ids"]]
        found = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return [[*self.start(), *ids] for ids in found]

    def answers(self, sources: Sequence[str], answers: Sequence[str]) -> list[list[int]]:
        """The tokens of each answer, with the one that ends it; these and no others are learned."""
        end = self.tokenizer.eos_token_id
        if self.asking.encodes:
            return [_closed(ids, end) for ids in self.tokenizer(text_target=list(answers))["input_ids"]]
        if self.asking.chat:
            pairs = zip(sources, answers, strict=True)
            return self._plain([self._closing(self.cut(source), answer) for source, answer in pairs])
        return [[*ids, end] for ids in self._plain(list(answers))]

    def ends(self) -> list[int]:
        """The tokens that end an answer."""
        found = {int(self.tokenizer.eos_token_id)}
        if self.asking.chat:
            found.add(self._plain([self._closing("a", "b")])[0][-1])
        return sorted(found)

    def cut(self, source: str) -> str:
        """A source without what is over the limit."""
        most = self.asking.max_tokens
        if len(source) <= most:  # a token has a character at least
            return source
        places = self.tokenizer(source, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        if len(places) <= most:
            return source
        return source[places[-most][0] :] if self.asking.turns else source[: places[most - 1][1]]

    def plain(self, text: str) -> list[int]:
        """The tokens of a prompt as it stands, with what the tokenizer puts around a text."""
        if self.asking.encodes:
            return _closed(self.tokenizer(text)["input_ids"], self.tokenizer.eos_token_id)
        return [*self._start(), *self._plain([text])[0]]

    def _plain(self, texts: list[str]) -> list[list[int]]:
        found: list[list[int]] = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return found

    def start(self) -> list[int]:
        """The token that begins what a decoder reads, if the tokenizer puts one there and no chat template does."""
        return [] if self.asking.chat or self.asking.encodes else self._start()

    def _start(self) -> list[int]:
        first = self.tokenizer.bos_token_id
        return [first] if first is not None and self.tokenizer("a")["input_ids"][0] == first else []

    def around(self, source: str) -> str:
        """What the model reads of a source, as text."""
        return self._text(source, ())

    def _text(self, source: str, shown: Shown) -> str:
        if self.asking.chat:
            return self._chat(self._messages(source, shown))
        examples = [f"{self._filled(one)}{answer}\n\n" for one, answer in shown]
        return "".join([*examples, self._filled(source)])

    def _filled(self, source: str) -> str:
        return self.asking.prompt.replace("{source}", source)

    def _messages(self, source: str, shown: Shown) -> list[dict[str, str]]:
        turns: list[tuple[str, str]] = []
        for one, answer in shown:
            turns += [("user", self._filled(one)), ("assistant", answer)]
        turns += turns_of(source) if self.asking.turns else [("user", self._filled(source).strip())]
        return [{"role": role, "content": text} for role, text in turns]

    def _chat(self, messages: list[dict[str, str]], *, more: bool = True) -> str:
        try:
            text: str = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=more)
        except Exception as error:  # a template is a program of anybody's, and raises what it likes
            roles = ", ".join(message["role"] for message in messages)
            said = " ".join(str(error).split())[:200]
            raise ModelError(f"the chat template does not take turns of {roles}: {said}{self._without}") from None
        return text

    def _closing(self, source: str, answer: str) -> str:
        """What the chat template makes of an answer: the words, and what ends the turn."""
        messages = self._messages(source, ())
        before = self._chat(messages)
        whole = self._chat([*messages, {"role": "assistant", "content": answer}], more=False)
        after = whole.removeprefix(before).rstrip()
        if not whole.startswith(before) or not after.startswith(answer.strip()):
            raise ModelError(
                f"the chat template writes a turn in another way once it is over, so no answer is marked{self._without}"
            )
        if after == answer.strip():
            raise ModelError(
                f"the chat template does not close a turn, so nothing tells where an answer ends{self._without}"
            )
        return after

    @property
    def _without(self) -> str:
        return f"; --set tasks.{self.asking.task}.chat=false asks without it"


def _closed(ids: list[int], end: int) -> list[int]:
    return ids if ids and ids[-1] == end else [*ids, end]


def check_prompt(prompt: str, where: str) -> None:
    """Raises SettingError if a prompt has no place for the source."""
    if "{source}" not in prompt:
        raise SettingError(f"{where} has no {{source}}, so the model would not read the row: {prompt[:80]!r}")
