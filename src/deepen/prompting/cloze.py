"""Labels as words in a gap: what a masked language model is asked about a text, and the network that is read so.

What is asked is a pattern with a gap and some words for each label. A label's logit is the mean over its words, and
over the pieces of a word, of what the model's own head gives each piece at its mask, so one linear head says all. A
word of fewer pieces than there are masks leaves the last masks out, as in the training of Schick and Schütze 2021
(https://arxiv.org/abs/2009.07118). These are no log-probabilities over the whole vocabulary: with as many pieces in
every word that cancels out between the labels, and else `centred` makes up for it on average.

Shape legend: C labels, K masks of a row, D hidden size, F = K * D, M rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import yaml
from pydantic import Field
from torch import nn

from deepen.core.errors import ModelError, SettingError, nearest
from deepen.core.files import read_json
from deepen.core.seed import derive
from deepen.core.settings import Settings
from deepen.core.types import Sequences
from deepen.data.table import Part
from deepen.data.tokens import Encode
from deepen.finetuning.predictor import EncoderPredictor, load_predictor, load_reader, reader_of
from deepen.models.heads import masks
from deepen.models.mlm_head import MaskedHead, has_masked_head
from deepen.models.network import Network
from deepen.models.save import FORM
from deepen.models.tokenizer import Tokenizer
from deepen.models.units import BARE_MARKS
from deepen.problem.problem import Problem
from deepen.problem.task import Form, Task
from deepen.problem.work import Work

_SAMPLE = 1000


class ClozeSettings(Settings):
    """What a masked language model is asked."""

    earlier: ClassVar = {"pattern": "template", "words": "verbalizer", "max_pieces": "max_subword_tokens"}
    template: str | None = None
    """A sentence with {} for the text and [MASK] for the gap, as `{} It was [MASK].`; None takes that of the texts'
    language in prompting/cloze.yaml. A text that is too long loses its end, never the template."""
    verbalizer: dict[str, tuple[str, ...]] | None = None
    """Label to the words that fill the gap where it is right. None, and labels left out, take those of
    prompting/cloze.yaml, else the description in the file after --labels or the label's name, if that is a word."""
    max_subword_tokens: int = Field(default=3, ge=1)
    """Of how many subword tokens a description or a name may be for that: each needs a mask."""
    centred: bool = True
    """Whether labels start level: each one's mean logit over up to 1,000 training rows, whose labels are not looked at,
    is subtracted. Some words fit, and some descriptions are near, whatever the text."""


@dataclass(frozen=True)
class Question:
    """What is asked: the pattern, and for each label its words, each as pieces of the vocabulary."""

    cloze: Cloze
    words: Mapping[str, tuple[str, ...]]
    pieces: tuple[tuple[tuple[int, ...], ...], ...]

    def told(self) -> dict[str, Any]:
        """It as settings."""
        return {"template": self.cloze.pattern, "verbalizer": {name: list(words) for name, words in self.words.items()}}


def can_ask(work: Work, settings: ClozeSettings) -> bool:
    """Whether the model has the head of a masked language model, and every label a word."""
    try:
        question_of(work, settings)
    except SettingError:
        return False
    return True


def question_of(work: Work, settings: ClozeSettings) -> Question:
    """What the model of a climb is asked.

    Raises:
        SettingError: If the task has no one label a row, the model no head for it, or a label no word.
    """
    problem = work.problem
    if problem.task.prompts is None:
        raise SettingError("a gap for a word (cloze) is for classification with one label a row")
    if not has_masked_head(work.base.model.folder, str(work.base.model.config["model_type"])):
        raise SettingError(
            f"{work.base.model.name} has no masked-LM head, so no word can be asked for; name a model as it left "
            "pretraining"
        )
    for name in settings.verbalizer or {}:
        if name not in problem.labels:
            raise SettingError(f"verbalizer: '{name}' is no label; {nearest(name, problem.labels)}")
    pattern, known = _default(problem)
    pattern = settings.template or pattern
    Cloze(pattern, 1)
    read = partial(pieces_of, work.base.model.tokenizer, pattern=pattern)
    words = {name: _words(work, settings, name, known, read) for name in problem.labels}
    pieces = tuple(tuple(tuple(read(word)) for word in words[name]) for name in problem.labels)
    for at, own in enumerate(pieces):
        if own in pieces[:at]:
            other = problem.labels[pieces.index(own)]
            raise SettingError(f"verbalizer: the labels '{other}' and '{problem.labels[at]}' have the same words")
    return Question(Cloze(pattern, max(len(word) for own in pieces for word in own)), words, pieces)


def _default(problem: Problem) -> tuple[str, Mapping[str, list[str]]]:
    """The pattern for these texts and labels, and the words that go with it, by names in small letters."""
    known = yaml.safe_load(resources.files("deepen.prompting").joinpath("cloze.yaml").read_text("utf-8"))
    kinds = known[problem.language]
    names = {name.lower() for name in problem.labels}
    kind = next((kind for kind in kinds if names <= set(kind["words"])), kinds[-1])
    return str(kind["pattern"]), kind["words"]


def _words(
    work: Work, settings: ClozeSettings, name: str, known: Mapping[str, list[str]], read: Any
) -> tuple[str, ...]:
    """A label's words, each of which the vocabulary has."""
    given = (settings.verbalizer or {}).get(name)
    if given:
        lacking = next((word for word in given if not read(word)), None)
        if lacking is not None:
            raise SettingError(
                f"verbalizer: the vocabulary of {work.base.model.name} lacks '{lacking}' (label '{name}')"
            )
        return given
    usual = tuple(word for word in known.get(name.lower(), ()) if 0 < len(read(word)) <= settings.max_subword_tokens)
    plain = " ".join(re.sub(r"[_/-]+", " ", name).split())
    for word in (work.problem.descriptions.get(name, ""), plain):
        if not usual and re.search(r"[^\W\d_]", word) and 0 < len(read(word)) <= settings.max_subword_tokens:
            usual = (word,)
    if not usual:
        raise SettingError(
            f"the label '{name}' is no word of up to {settings.max_subword_tokens} subword tokens: give it one in "
            "verbalizer"
        )
    return usual


def question_form(task: Task, cloze: Cloze) -> Form:
    """The rows of a task in the form of a question."""
    about = {"pattern": cloze.pattern, "masks": cloze.num_masks}
    return Form(partial(_encoder, cloze, task.inputs[0]), masks.HEAD, about)


def _encoder(cloze: Cloze, column: str, tokenizer: Tokenizer, max_tokens: int) -> Encode:
    def encode(columns: dict[str, list[Any]]) -> Sequences:
        return cloze.encode(tokenizer, columns[column], max_tokens=max_tokens)

    return encode


def cloze_network(work: Work, question: Question, *, centred: bool) -> Network:
    """The untouched model as one that answers a question.

    Args:
        centred: Whether each label's mean logit over some training rows is subtracted.

    Returns:
        The network; its logits are those of the labels' words at the masks.
    """
    encoder = work.base.model.encoder().eval()
    source = MaskedHead(work.base.model.folder, encoder.config)
    size = work.base.model.hidden_size
    weight_CF = torch.zeros(len(question.pieces), question.cloze.num_masks * size)
    bias_C = torch.zeros(len(question.pieces))
    for label, words in enumerate(question.pieces):
        for pieces in words:
            rows_KD, biases_K = source.words(pieces)
            weight_CF[label, : rows_KD.numel()] += rows_KD.flatten() / (len(pieces) * len(words))
            bias_C[label] += biases_K.mean() / len(words)
    head = nn.Linear(weight_CF.shape[1], weight_CF.shape[0])
    network = Network(encoder, head, masks.HEAD, source.transform().to(encoder.device)).eval()
    with torch.no_grad():
        head.weight.copy_(weight_CF)
        head.bias.copy_(bias_C)
    if centred:
        found_MF = reader_of(work, network, question_form(work.problem.task, question.cloze)).features(_some(work))
        with torch.no_grad():
            head.bias.copy_(-(weight_CF @ torch.from_numpy(found_MF.mean(0))))
    return network


def _some(work: Work) -> Part:
    chance = np.random.default_rng(derive(work.context.seed, "zero_shot"))
    return work.problem.train.take(np.sort(chance.permutation(len(work.problem.train))[:_SAMPLE]))


def load_cloze(folder: Path, task: Task, labels: tuple[str, ...]) -> EncoderPredictor:
    """Reads a saved rung that may have been asked with a gap.

    Raises:
        ModelError: If a file is damaged.
    """
    if not (folder / FORM).is_file():
        return load_predictor(folder, task, labels)
    try:
        about = read_json(folder / FORM)
        cloze = Cloze(str(about["pattern"]), int(about["masks"]))
    except (KeyError, TypeError, ValueError, SettingError) as error:
        raise ModelError(f"{folder / FORM} is damaged: {error}") from None
    return load_reader(folder, task, labels, question_form(task, cloze))


# A text with a gap: a pattern around it, one or more masks in it, and the pieces of the words that may fill them.


TEXT, GAP = "{}", "[MASK]"


@dataclass(frozen=True)
class Cloze:
    """A pattern such as `{} It was [MASK].`, with so many masks at its gap, whatever the tokenizer calls a mask."""

    pattern: str
    num_masks: int

    def __post_init__(self) -> None:
        """Raises SettingError if the pattern has not one place for the text and one gap."""
        if self.pattern.count(TEXT) != 1 or self.pattern.count(GAP) != 1:
            raise SettingError(f"the pattern '{self.pattern}' must have {TEXT} once, for the text, and {GAP} once")

    def encode(self, tokenizer: Tokenizer, texts: Sequence[str], *, max_tokens: int) -> Sequences:
        """Token ids of the pattern with each text in it; its masks are the row's units.

        Args:
            texts: B texts; one that is too long loses its end, so that the whole pattern is read.
            max_tokens: The longest sequence, special tokens included.

        Raises:
            SettingError: If the tokenizer has no mask or takes it for letters, or if there is no room for a text.
        """
        before, after, lead = self._sides(tokenizer)
        room = max_tokens - len(before) - len(after)
        if room < 1:
            raise SettingError(f"the pattern '{self.pattern}' leaves no room for a text in {max_tokens} tokens")
        tokenizer.backend.no_truncation()
        found = tokenizer.backend.encode_batch_fast([lead + text for text in texts], add_special_tokens=False)
        rows = [[*before, *item.ids[:room], *after] for item in found]
        mask = tokenizer.hidden_id  # a text may hold one too: only those of the pattern count
        ahead = [at for at, token in enumerate(before) if token == mask]
        behind = [at - len(after) for at, token in enumerate(after) if token == mask]
        units = [[*ahead, *(len(row) + at for at in behind)] for row in rows]
        return Sequences(
            ids_T=np.array([token for row in rows for token in row], np.int32),
            lengths_B=np.array([len(row) for row in rows], np.int64),
            truncated_B=np.array([len(item.ids) > room for item in found], bool),
            units_M=np.array(units, np.int64).ravel(),
            unit_counts_B=np.full(len(rows), self.num_masks, np.int64),
        )

    def _sides(self, tokenizer: Tokenizer) -> tuple[list[int], list[int], str]:
        """The tokens before and after the text, and the space that goes with its first word."""
        if tokenizer.mask is None:
            raise SettingError("the tokenizer has no mask, so nothing can be asked with a gap")
        ahead, behind = self.pattern.replace(GAP, tokenizer.mask * self.num_masks).split(TEXT)
        first, last = tokenizer.around
        tokenizer.backend.no_truncation()
        inner = [tokenizer.backend.encode(side, add_special_tokens=False).ids for side in (ahead.rstrip(" "), behind)]
        if sum(side.count(tokenizer.hidden_id) for side in inner) != self.num_masks:
            raise SettingError(f"the tokenizer does not read its own mask, {tokenizer.mask}, as one token")
        return [*first, *inner[0]], [*inner[1], *last], " " if ahead.endswith(" ") else ""


def pieces_of(tokenizer: Tokenizer, word: str, pattern: str) -> list[int]:
    """The pieces of a word as they would stand at the gap of a pattern.

    Args:
        pattern: The pattern: whether a space is before its gap matters to most vocabularies.

    Returns:
        Their numbers; none if the vocabulary lacks a part of the word.
    """
    backend = tokenizer.backend
    backend.no_truncation()
    ahead = pattern.partition(GAP)[0]
    spaced = ahead.endswith(" ")
    ids = list(backend.encode(" " * spaced + word.strip(), add_special_tokens=False).ids)
    if ahead and not spaced and ids:  # as in Chinese: it goes on, so nothing marks a word's start
        start = str(backend.id_to_token(ids[0]))
        rest = backend.token_to_id(start[1:]) if start[:1] in BARE_MARKS and len(start) > 1 else None
        ids[:1] = [] if start in BARE_MARKS else [ids[0] if rest is None else rest]
    return [] if tokenizer.unknown_id in ids else ids
