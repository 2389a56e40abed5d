"""A network that writes, as a predictor: the model of every rung above `lexical` where the answer is text."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepen.core.errors import SettingError
from deepen.core.seed import derive
from deepen.core.types import Texts
from deepen.data.table import Part, Table
from deepen.data.tokens import TokenTable
from deepen.generation.asking import Asking, Ids, check_prompt, load_asking, save_asking
from deepen.generation.constraints import Constraint, Guide, Guides
from deepen.generation.decode import Given, write
from deepen.generation.general import General, read_general
from deepen.models.generator import load_writer, plain_network, window_of, with_vectors
from deepen.models.save import copy_tokenizer
from deepen.models.tokenizer import Tokenizer, load_tokenizer
from deepen.problem.reading import form_tokens
from deepen.problem.task import Task
from deepen.problem.text_answers import SOURCE, answers
from deepen.problem.work import Work
from deepen.shallow.texts import Memory, load_memory

_MEMORY, _STOPS = "memory.json", "stop_strings"
_LONGEST_SHARE, _ROOM = 0.99, 1.5
_LEAST_SOURCE, _SOME_ROWS = 8, 2000
_FORM_TOKENS = 256  # of an answer held to a form, whose length training answers do not tell


@dataclass
class Writer:
    """Writes an answer to each row. `memory` holds training rows of which the most similar are shown first.

    `guide` is what answers are held to, `guides` makes such ones.
    """

    network: Any
    reader: Any
    tokenizer: Tokenizer
    task: Task
    asking: Asking
    memory: Memory | None = None
    num_parameters: int = 0
    adapter: Any = None
    seconds_per_row: float | None = None
    guide: Guide | None = None
    guides: Guides | None = None

    @property
    def ids(self) -> Ids:
        """What makes token ids."""
        return Ids(self.reader, self.asking)

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return int(self.network.config.vocab_size)

    def tokens(self, table: Table) -> TokenTable:
        """The tokens of each source, made once; what the prompt puts around it is not among them."""
        return form_tokens(self.task, self.task.form, table, self.tokenizer, self.asking.max_tokens)

    def predict(self, part: Part) -> Any:
        """What it writes, as `Texts`, and what the right answers cost it where the rows have some."""
        began = time.perf_counter()
        sources = list(part.values(SOURCE))
        prompts = self.prompts(sources)
        said = self.write(prompts)
        self.seconds_per_row = (time.perf_counter() - began) / max(1, len(part))
        counts_N = np.array([len(ids) for ids in said], np.int64)
        cost_N = self.nats(prompts, said)
        nats_N, scored_N = np.zeros(len(part)), np.zeros(len(part), np.int64)
        if part.table.has_target:
            known = [found[0] if found else None for found in part.values("target")]
            right = self.ids.answers(sources, [text or "" for text in known])
            there_N = np.array([text is not None for text in known])
            scored_N = np.array([len(ids) for ids in right], np.int64) * there_N
            nats_N = self.nats(prompts, right) * there_N
        texts, stopped = self._texts(said)
        return Texts(texts, np.exp(-cost_N / np.maximum(counts_N, 1)), counts_N, stopped, nats_N, scored_N)

    def write(self, prompts: Sequence[list[int]]) -> list[list[int]]:
        """The tokens that it writes after each prompt."""
        self.network.eval()
        how = self.how() | {"max_new_tokens": self.room(max(map(len, prompts), default=0))}
        more: dict[str, Any] = {"tokenizer": self.reader, "guide": self.guide}
        with torch.random.fork_rng():
            torch.manual_seed(derive(self.asking.seed, "writing"))
            return write(self.network, prompts, how, encodes=self.asking.encodes, **more)

    def nats(self, prompts: Sequence[list[int]], answers: Sequence[list[int]]) -> np.ndarray:
        """The log loss of each answer, nats_N."""
        return self.given(prompts, answers).nats(self.network)

    def held(self, constraint: Constraint | None, *, max_new_tokens: int | None = None) -> Writer:
        """The same, whose answers are held to something.

        Args:
            max_new_tokens: Their limit; None is what the longest choice takes, 256 or more for another form, and where
                there is no constraint as it was.

        Raises:
            SettingError: If the tokenizer can't write such answers, or the window does not hold so many tokens.
        """
        how, guide = dict(self.asking.decoding), self.guide
        if constraint is not None:
            self.guides = self.guides or Guides(self.reader, self.vocabulary, self.ids.ends())
            guide = self.guides.make(constraint)
            how["max_new_tokens"] = guide.longest or max(_FORM_TOKENS, how["max_new_tokens"])
            how |= {"min_new_tokens": 0, "no_repeat_ngram_size": 0}  # a form has its own length, and repeats itself
        if max_new_tokens is not None:
            if not 1 <= max_new_tokens < self.window:
                raise SettingError(f"max_new_tokens {max_new_tokens}: the model's window has {self.window:,} tokens")
            how["max_new_tokens"] = max_new_tokens
        stop = () if guide is not None else self.asking.stop
        return replace(self, guide=guide, asking=replace(self.asking, decoding=how, stop=stop))

    @property
    def window(self) -> int:
        """The most tokens that prompt and answer have together, or each with an encoder of its own."""
        return window_of(self.network.config.to_dict())

    def room(self, num_prompt: int) -> int:
        """The most tokens of an answer to a prompt of so many."""
        left = self.window - (0 if self.asking.encodes else num_prompt)
        return max(1, min(int(self.asking.decoding["max_new_tokens"]), left))

    def given(self, prompts: Sequence[list[int]], answers: Sequence[list[int]]) -> Given:
        """Prompts with answers, to be scored or learned from."""
        return Given(prompts, answers, self.asking.encodes, self.vocabulary)

    def prompts(self, sources: Sequence[str], without: Sequence[int | None] | None = None) -> list[list[int]]:
        """What it reads of each source.

        Args:
            without: Of rows that are among those shown: which one each is.
        """
        if self.memory is None or not self.asking.shown:
            return self.ids.prompts(sources)
        near = self.memory.nearest(sources, self.asking.shown, without)
        rows = [
            [(self.ids.cut(self.memory.sources[at]), self.memory.answers[at]) for at in some[::-1]] for some in near
        ]
        return self.ids.prompts(sources, rows)

    def how(self) -> dict[str, Any]:
        """What `generate` is told."""
        pad = self.reader.pad_token_id
        how = self.asking.decoding | {"eos_token_id": self.ids.ends(), "pad_token_id": pad}
        return how | ({_STOPS: list(self.asking.stop)} if self.asking.stop else {})

    def _texts(self, said: Sequence[Sequence[int]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What was written as text, and why it ends."""
        ends, texts, stopped = set(self.ids.ends()), [], []
        how: dict[str, Any] = {"clean_up_tokenization_spaces": False} if self.guide is not None else {}
        for text, ids in zip(self.reader.batch_decode(said, skip_special_tokens=True, **how), said, strict=True):
            why = "end" if ids and ids[-1] in ends else "limit"
            if self.guide is not None:
                texts.append(text)
                stopped.append(why)
                continue
            text = text if self.asking.encodes else text.lstrip()
            for mark in self.asking.stop:
                if mark in text:
                    text, why = text.partition(mark)[0], "stop string"
            texts.append(text.strip())
            stopped.append(why)
        return tuple(texts), tuple(stopped)

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """Nothing: what it writes is not a choice among labels."""

    def save(self, folder: Path) -> None:
        """Writes what plain transformers reads, with the chat template; beside it how the model is asked."""
        folder.mkdir(parents=True, exist_ok=True)
        network = plain_network(self.network)
        # strings that stop it would have to be passed with a tokenizer, which others don't do
        network.generation_config.update(**{name: value for name, value in self.how().items() if name != _STOPS})
        network.save_pretrained(folder)
        copy_tokenizer(self.tokenizer.folder, folder)
        save_asking(self.asking, folder)
        if self.memory is not None:
            self.memory.save(folder)
        if self.adapter is not None:
            self.adapter(folder / "adapter")


def load_written(folder: Path, task: Task, labels: tuple[str, ...]) -> Writer:
    """Reads what `Writer.save` wrote."""
    asking = load_asking(folder)
    network, reader = load_writer(folder)
    network = with_vectors(network, folder / "adapter")
    memory = load_memory(folder) if (folder / _MEMORY).is_file() else None
    return Writer(network, reader, load_tokenizer(folder), task, asking, memory)


def writer_of(
    work: Work, below: Path | None = None, *, trains: bool = False, shown: int = 0, most_tokens: int | None = None
) -> Writer:
    """A network that writes for a climb: the pretrained one, or that of the rung below.

    Args:
        below: The model folder to start from; None is the pretrained model.
        trains: Whether it is going to be trained, and so learns to end its answers.
        shown: How many similar rows are to stand before a question.
        most_tokens: Where sources are cut; None is where the base cuts them.

    Returns:
        The writer.

    Raises:
        SettingError: If prompt and answer do not fit into the model's window.
    """
    model: Any = work.base.model
    network, reader = load_writer(below or model.folder)
    asking = asking_of(work, reader, trains=trains, shown=shown, most_tokens=most_tokens)
    return Writer(network, reader, model.tokenizer, work.problem.task, asking)


def asking_of(
    work: Work, reader: Any, *, trains: bool = False, shown: int = 0, most_tokens: int | None = None
) -> Asking:
    """How a climb asks its model; all that can be wrong about it is found here, before weights are read.

    Args:
        reader: The model's tokenizer.
        trains: As in `writer_of`.
        shown: As there.
        most_tokens: As there.

    Returns:
        The prompt, the way of decoding, and the lengths.

    Raises:
        SettingError: If prompt and answer do not fit into the model's window, or the prompt does not read the row.
    """
    asking = _asking(work, reader, trains=trains, shown=shown)
    asking = replace(asking, max_tokens=min(asking.max_tokens, most_tokens or asking.max_tokens))
    asking = _with_longest(asking, work.problem.train, reader)
    general_of(work, reader, asking)
    return _fitting(asking, work, reader)


def general_of(work: Work, reader: Any, asking: Asking) -> General | None:
    """The text by which forgetting is measured, if one was named."""
    path = getattr(work.problem.task.settings, "general", None)
    return None if path is None else read_general(path, reader, asking, int(work.base.model.config["vocab_size"]))


def _asking(work: Work, reader: Any, *, trains: bool, shown: int) -> Asking:
    task, model = work.problem.task, work.base.model
    writes, chosen = task.writes, task.settings
    if writes is None or chosen is None:
        raise SettingError(f"{task.name} is no task whose answer is text")
    settings: Any = chosen
    encodes = not model.decodes
    chat = bool(settings.chat and not encodes and getattr(reader, "chat_template", None))
    usual = (
        writes.prefixes.get("" if work.base.scratch else model.config["model_type"], "{source}")
        if encodes
        else writes.prompts[work.problem.language]
    )
    prompt = settings.prompt or usual
    check_prompt(prompt, f"tasks.{task.name}.prompt")
    references = answers(work.problem.train)
    stop = settings.stop
    if stop is None:
        lines = any("\n" in text for text in references)
        stop = () if encodes or chat or trains else ("\n\n",) if lines else ("\n",)
    how: dict[str, Any] = {"max_new_tokens": settings.max_new_tokens or 0, "num_beams": settings.num_beams}
    how |= {"do_sample": settings.sample}
    how |= {"temperature": settings.temperature, "top_p": settings.top_p} if settings.sample else {}
    how |= {"length_penalty": settings.length_penalty} if settings.num_beams > 1 else {}
    for name in ("min_new_tokens", "no_repeat_ngram_size"):
        how |= {name: getattr(settings, name)} if getattr(settings, name) else {}
    return Asking(
        task.name, prompt, encodes, chat, writes.turns, work.base.max_tokens, how, stop, shown, work.context.seed
    )


def _with_longest(asking: Asking, train: Part, reader: Any) -> Asking:
    """With the longest answer, where nobody named it: by the training rows."""
    if asking.decoding["max_new_tokens"]:
        return asking
    some = train.take(np.arange(min(_SOME_ROWS, len(train))))
    lengths = [len(ids) for ids in Ids(reader, asking).answers(list(some.values(SOURCE)), answers(some))]
    longest = int(_ROOM * float(np.quantile(lengths, _LONGEST_SHARE))) + 1
    return replace(asking, decoding=asking.decoding | {"max_new_tokens": longest})


def _fitting(asking: Asking, work: Work, reader: Any) -> Asking:
    """With sources cut so that all fits into the window."""
    longest, window = int(asking.decoding["max_new_tokens"]), work.base.model.num_positions
    around = len(Ids(reader, asking).prompts(["a"])[0]) - 1
    rows = 1 + asking.shown
    room = (window - (0 if asking.encodes else longest)) // rows - around - (longest if asking.shown else 0)
    if asking.max_tokens <= room:
        return asking
    if room < _LEAST_SOURCE or work.base.settings.max_tokens is not None:
        times = f", {rows} times" if asking.shown else ""
        raise SettingError(
            f"a prompt is longer than the model's window of {window:,} tokens: a source of {asking.max_tokens:,}, "
            f"{around} around it and an answer of {longest:,}{times}; "
            f"--set model.max_tokens={max(room, _LEAST_SOURCE)} cuts sources"
        )
    return replace(asking, max_tokens=room)
