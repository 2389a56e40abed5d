"""A decoder that is asked for the label of a text: the prompt, what the labels are called in it, and the predictor.

Shape legend: N rows, C labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from torch import Tensor

from deepen.core.errors import ModelError, SettingError, nearest
from deepen.core.files import read_object, write_json
from deepen.core.types import Outputs
from deepen.data.table import Part
from deepen.models.decoder import word_vectors
from deepen.models.encoder import Encoder
from deepen.models.load import Pretrained, load_pretrained
from deepen.models.save import save_decoder
from deepen.models.tokenizer import Tokenizer
from deepen.problem import one_label
from deepen.problem.base import Base
from deepen.problem.problem import Problem
from deepen.prompting.demonstrations import Examples
from deepen.prompting.likelihood import Answers, log_likelihoods

_ASKING, _EXAMPLES, _DECODER = "asking.json", "examples.json", "decoder"
_CHINESE = "\u2e80"
Shown = Sequence[tuple[str, str]]
"""Labelled texts that a prompt shows, as text and what its label is called."""


@dataclass
class Prompt:
    """How a decoder is asked, as it is saved.

    Attributes:
        prompt: What it reads, with {text} and {examples} in it.
        example: A labelled text of {examples}, with {text} and {label}.
        words: What each label is called, in the order of the label table.
        max_tokens: Where texts are cut.
        special: Whether the tokenizer's special tokens are put before the prompt; a chat has its own.
        bias: What is added to each label's score.
        temperature: What scores are divided by.
    """

    prompt: str
    words: tuple[str, ...]
    max_tokens: int
    example: str = ""
    special: bool = True
    bias: list[float] = field(default_factory=list)
    temperature: float = 1.0


@dataclass
class PromptedClassifier:
    """Gives the label whose words the decoder finds likeliest after the prompt, with examples or without."""

    decoder: Encoder
    vectors_VD: Tensor
    tokenizer: Tokenizer
    asking: Prompt
    examples: Examples | None = None
    num_parameters: int = 0

    def predict(self, part: Part) -> Outputs:
        """The calibrated score of each label for each row."""
        found = list(one_label.texts(part))
        scores_NC = self.scores(found, self.examples(found) if self.examples is not None else [()] * len(found))
        bias_C = np.array(self.asking.bias or [0.0] * len(self.asking.words), np.float32)
        values_NC = (scores_NC / self.asking.temperature + bias_C).astype(np.float32)
        return Outputs(values_NC, np.arange(len(found) + 1))

    def scores(self, texts: Sequence[str], examples: Sequence[Shown]) -> np.ndarray:
        """The mean log-probability of each label's words for texts with their examples, not calibrated: scores_NC."""
        asking = self.asking
        prompts = [self._prompt(text, some) for text, some in zip(texts, examples, strict=True)]
        answers = answer_tokens(self.tokenizer, asking.prompt, asking.words)
        limit = int(self.decoder.config.max_position_embeddings) - max(map(len, answers))
        ids = [self._ids(prompt)[-limit:] for prompt in prompts]
        return log_likelihoods(self.decoder.eval(), self.vectors_VD, ids, Answers(tuple(map(tuple, answers))))

    def _prompt(self, text: str, examples: Shown) -> str:
        told = [filled(self.asking.example, {"text": self._cut(one), "label": label}) for one, label in examples]
        return filled(self.asking.prompt, {"text": self._cut(text), "examples": "".join(told)})

    def _cut(self, text: str) -> str:
        """The first tokens of a text."""
        if len(text.encode(errors="replace")) <= self.asking.max_tokens:
            return text
        self.tokenizer.backend.enable_truncation(self.asking.max_tokens)
        found = self.tokenizer.backend.encode(text, add_special_tokens=False)
        self.tokenizer.backend.no_truncation()
        return text[: found.offsets[-1][1]] if found.overflowing else text

    def _ids(self, prompt: str) -> np.ndarray:
        """The tokens of a prompt, without the special ones that end a text."""
        found = self.tokenizer.backend.encode(prompt, add_special_tokens=self.asking.special)
        stop = len(found.ids)
        while stop > 1 and found.special_tokens_mask[stop - 1] and self.asking.special:
            stop -= 1
        return np.array(found.ids[:stop], np.int64)

    def calibrate(self, temperature: float, shift_C: np.ndarray | float = 0.0) -> None:
        """Divides every later score, and shifts it."""
        bias_C = np.array(self.asking.bias or [0.0] * len(self.asking.words))
        self.asking.bias = (bias_C / temperature + shift_C).tolist()
        self.asking.temperature *= temperature

    def save(self, folder: Path) -> None:
        """Writes the decoder, as transformers has it, into `decoder/`, and beside it what it is asked."""
        save_decoder(self.decoder, self.vectors_VD, folder / _DECODER, tokenizer_folder=self.tokenizer.folder)
        write_json(folder / _ASKING, asdict(self.asking))
        if self.examples is not None:
            write_json(folder / _EXAMPLES, asdict(self.examples))


def answer_tokens(tokenizer: Tokenizer, prompt: str, words: Sequence[str]) -> list[list[int]]:
    """The tokens of each label's words as they follow a prompt, where nothing but them may mark a word's start.

    Args:
        prompt: With its places open; what comes after the last of them is before every answer.

    Returns:
        Tokens, at least one for each.
    """
    backend = tokenizer.backend
    backend.no_truncation()
    glue = "" if prompt[-1].isspace() or prompt[-1] >= _CHINESE else " "
    ahead = re.split(r"\{\w+\}", prompt)[-1]
    before = list(backend.encode(ahead, add_special_tokens=False).ids)
    found = []
    for word in words:
        whole = list(backend.encode(f"{ahead}{glue}{word}", add_special_tokens=False).ids)
        goes_on = bool(ahead) and whole[: len(before)] == before and len(whole) > len(before)
        alone = backend.encode(f"{glue}{word}", add_special_tokens=False).ids
        found.append(whole[len(before) :] if goes_on else list(alone))
    return found


def check_places(prompt: str, places: Sequence[str], where: str) -> None:
    """Whether a prompt has the places it needs.

    Args:
        places: Such as `{text}`.

    Raises:
        SettingError: If one is missing.
    """
    for place in places:
        if place not in prompt:
            raise SettingError(f"{where} has no {place}: every row would be asked the same")


def load_prompted(folder: Path) -> PromptedClassifier:
    """Reads what `PromptedClassifier.save` wrote.

    Raises:
        ModelError: If a file is missing or damaged.
    """
    found = load_pretrained(str(folder / _DECODER))
    try:
        values = read_object(folder / _ASKING)
        asking = Prompt(**values | {"words": tuple(values["words"])})
        shown = read_object(folder / _EXAMPLES) if (folder / _EXAMPLES).is_file() else None
        if shown is not None and "likest_last" in shown:  # as 0.1.0 calls it
            shown["most_similar_last"] = shown.pop("likest_last")
        examples = Examples(**shown | {"words": asking.words}) if shown else None
    except (KeyError, TypeError) as error:
        raise ModelError(f"{folder}: what the decoder is asked is damaged: {error}") from None
    decoder = found.encoder().eval()
    return PromptedClassifier(decoder, word_vectors(decoder, found.folder), found.tokenizer, asking, examples)


def is_prompted(folder: Path) -> bool:
    """Whether a model folder holds a decoder that is asked."""
    return (folder / _ASKING).is_file()


def filled(template: str, values: Mapping[str, str]) -> str:
    """A template with its places filled, all at once, so that a text with braces in it stays as it is.

    Args:
        values: What goes into them, by name; others stay.

    Example:
        >>> filled("{text} {label} {x}", {"text": "{label}", "label": "good"})
        '{label} good {x}'
    """
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), template)


def templates(problem: Problem, words: Sequence[str]) -> dict[str, str]:
    """The prompts of the task in the language of the training rows.

    Returns:
        `zero_shot`, `few_shot`, `example` and `description`.

    Raises:
        SettingError: If there is none for the task.
    """
    known = yaml.safe_load(resources.files("deepen.prompting").joinpath("prompts.yaml").read_text("utf-8"))
    if problem.task.prompts is None:
        raise SettingError(f"a decoder can be asked for one label a row, not for {problem.task.name}")
    kinds = known[problem.task.prompts][problem.language].values()
    asked_for = {word.lower() for word in words}
    return next(dict(kind) for kind in kinds if asked_for <= set(kind.get("labels", asked_for)))


def question_about(prompt: str, words: Sequence[str], descriptions: Sequence[str], form: str) -> str:
    r"""A prompt that says what the labels are, and what they mean.

    Args:
        prompt: With {labels} and {descriptions} in it, or without.
        descriptions: What each means; those of labels without one are empty.
        form: How a description is told, with {label} and {description}.

    Returns:
        The prompt, with the places of texts and examples still open.

    Example:
        >>> question_about("{descriptions}{text}", ["good", "bad"], ["It is liked.", ""], "{label}: {description} ")
        'good: It is liked. \n{text}'
    """
    pairs = [{"label": word, "description": told} for word, told in zip(words, descriptions, strict=True) if told]
    told = "".join(filled(form, pair) for pair in pairs)
    return filled(prompt, {"labels": ", ".join(words), "descriptions": f"{told}\n" if told else ""})


def label_words(problem: Problem, chosen: Mapping[str, tuple[str, ...]] | None, where: str) -> tuple[str, ...]:
    """What each label is called when a decoder is asked.

    Args:
        chosen: Label to words, of which the first counts; labels left out, or without any, have their name, with spaces
            for the marks in it.
        where: The setting that `chosen` is of, for errors.

    Returns:
        One a label, in the order of the label table.

    Raises:
        SettingError: If a label has no words, or two have the same.
    """
    for name in chosen or ():
        if name not in problem.labels:
            raise SettingError(f"{where}: '{name}' is no label; {nearest(name, problem.labels)}")
    words = tuple(((chosen or {}).get(name) or (re.sub(r"[\W_]+", " ", name).strip(),))[0] for name in problem.labels)
    bare = [name for name, word in zip(problem.labels, words, strict=True) if not any(map(str.isalpha, word))]
    if bare:
        raise SettingError(f"the label '{bare[0]}' is no word to ask for: name it with --labels FILE, or in {where}")
    if len(set(words)) < len(words):
        raise SettingError(f"two labels have the same words; tell them apart in {where}")
    return words


def chat_prompt(model: Pretrained, template: str) -> str | None:
    """A prompt as the model's chat template has it, up to where the answer begins.

    Returns:
        The prompt; None if the model has no chat template.
    """
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(model.folder), trust_remote_code=False, local_files_only=True)
    if not tokenizer.chat_template:
        return None
    said = [{"role": "user", "content": template}]
    return str(tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True))


def prompted(base: Base, asking: Prompt) -> PromptedClassifier:
    """The climb's decoder, ready to be asked.

    Raises:
        SettingError: If the model is no decoder.
    """
    if not base.model.decodes:
        raise SettingError(
            f"{base.model.name} can't be asked, since it is no decoder: --model HuggingFaceTB/SmolLM2-135M-Instruct can"
        )
    decoder = base.model.encoder().eval()
    return PromptedClassifier(decoder, word_vectors(decoder, base.model.folder), base.model.tokenizer, asking)
