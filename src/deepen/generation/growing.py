"""One answer to one prompt, told while it is written: what a server streams.

Shape legend: B rows (beams), T tokens.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from deepen.core.errors import SettingError
from deepen.core.seed import derive
from deepen.data.turns import joined_turns
from deepen.generation.writer import Writer

_HALF = "\ufffd"  # what stands for the first bytes of a character


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; with no temperature as the model was saved, with 0 the likeliest."""

    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None

    def how(self) -> dict[str, Any]:
        """As `generate` is told."""
        if self.temperature is None and self.top_p is None:
            return {}
        if self.temperature == 0:
            return {"do_sample": False}
        chosen = {"temperature": self.temperature or 1.0, "top_p": self.top_p or 1.0}
        return {"do_sample": True, "num_beams": 1, "top_k": 0, **chosen}


def drawn(writer: Writer, sampling: Sampling, n: int) -> list[Sampling]:
    """How each of several answers is drawn: with seeds that hang on the first.

    Raises:
        SettingError: If they would all be the same.
    """
    if n > 1 and not (writer.how() | sampling.how()).get("do_sample"):
        raise SettingError("several answers are drawn by chance: give a temperature above 0")
    seeds = [
        derive(sampling.seed, "answer", at) if sampling.seed is not None and at else sampling.seed for at in range(n)
    ]
    return [replace(sampling, seed=seed) for seed in seeds]


@dataclass(frozen=True)
class Grown:
    """An answer, what ended it (`end`, `limit`, `stop string`, `nobody listens`), and how many tokens it has."""

    text: str
    stopped: str
    num_generated: int


@dataclass
class _Growing:
    """Looks at what was written after each token, and says whether it is over."""

    writer: Writer
    num_given: int
    stop: tuple[str, ...]
    trims: bool
    tell: Callable[[str], bool]
    sent: str = ""
    stopped: str | None = None
    ids: list[int] = field(default_factory=list)

    def __call__(self, ids_BT: Tensor, scores: Any, **more: Any) -> Tensor:
        part = ""
        if len(ids_BT) == 1:
            self.ids = ids_BT[0, self.num_given :].tolist()
            text, over = self.text(self.ids)
            self.stopped = "stop string" if over else None
            part = self.part(text if over else self._sure(text))
        if not self.tell(part) and self.stopped is None:
            self.stopped = "nobody listens"
        return torch.full((len(ids_BT),), self.stopped is not None, device=ids_BT.device)

    def text(self, ids: Sequence[int]) -> tuple[str, bool]:
        """Tokens as the text that is shown, and whether a stop string ends it."""
        text = self.writer.reader.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        text = text.lstrip() if self.trims else text
        places = [at for mark in self.stop if (at := text.find(mark)) >= 0]
        text = text[: min(places)] if places else text
        return text, bool(places)

    def _sure(self, text: str) -> str:
        """A text without what may still become something else: half a character, the beginning of a stop string."""
        text = text.rstrip(_HALF)
        text = text.rstrip() if self.trims else text
        long = max((n for mark in self.stop for n in range(1, len(mark)) if text.endswith(mark[:n])), default=0)
        return text[: len(text) - long]

    def part(self, text: str) -> str:
        """What was not told yet of a text."""
        if not text.startswith(self.sent):
            return ""
        part, self.sent = text[len(self.sent) :], text
        return part


def grow(
    writer: Writer,
    prompt: list[int],
    sampling: Sampling,
    *,
    stop: Sequence[str],
    trims: bool,
    tell: Callable[[str], bool],
) -> Grown:
    """Writes one answer.

    Args:
        writer: With the limit, and what answers are held to.
        prompt: Token ids.
        stop: Strings before which an answer ends; those of the writer do so too.
        trims: Whether white space around an answer is none of it.
        tell: Called with each new part of the answer, which may be empty; whether anybody listens.
    """
    how = writer.how() | sampling.how() | {"max_new_tokens": writer.room(len(prompt))}
    how.pop("stop_strings", None)
    trims = trims and writer.guide is None
    num_given = 1 if writer.asking.encodes else len(prompt)
    growing = _Growing(writer, num_given, (*stop, *writer.asking.stop), trims, tell)
    ids = torch.tensor([prompt], device=writer.network.device)
    if writer.guide is not None:
        how["logits_processor"] = [writer.guide.start(num_given)]
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(secrets.randbits(63) if sampling.seed is None else sampling.seed)
        said = writer.network.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), stopping_criteria=[growing], **how
        )
    new = said[0, num_given:].tolist()
    text, over = growing.text(new)
    text = text.rstrip() if trims else text
    tell(growing.part(text))
    ended = "stop string" if over else "end" if new and new[-1] in how["eos_token_id"] else "limit"
    return Grown(text, growing.stopped or ended, len(new))


def read_turns(writer: Writer, turns: Sequence[tuple[str, str]]) -> list[int]:
    """What a run reads of a conversation: asked as it was in training, by its prompt and chat template.

    Raises:
        SettingError: If the run can't read it.
    """
    asking = writer.asking
    if turns[-1][0] != "user" or not turns[-1][1].strip():
        raise SettingError("the last message must be the user's, with words in it")
    if len(turns) > 1 and not asking.turns:
        raise SettingError(f"this run ({asking.task}) answers one message of the user, and no conversation")
    source = joined_turns(turns) if asking.turns else turns[0][1]
    if writer.ids.cut(source) != source:
        raise SettingError(f"it is longer than this run reads: {asking.max_tokens:,} tokens")
    return fitting(writer, writer.prompts([source])[0])


def read_text(writer: Writer, text: str) -> list[int]:
    """What a run reads of a text that is its prompt as it stands.

    Raises:
        SettingError: If it is longer than the window.
    """
    return fitting(writer, writer.ids.plain(text))


def fitting(writer: Writer, prompt: list[int]) -> list[int]:
    """The prompt; SettingError if the window does not hold it."""
    if len(prompt) >= writer.window:
        raise SettingError(f"it has {len(prompt):,} tokens, and the model's window {writer.window:,}")
    return prompt
