"""A decoder is asked with a few labelled rows before the question: those most like the row, as many of each label.

Nothing is trained. Climbed only when asked for (`--rungs few_shot`): for every prediction it reads a prompt that is
several times as long as the row.

Shape legend: N rows, E rows to choose from, K rows to try on, C labels.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from deepen.core.errors import SettingError
from deepen.core.seed import derive
from deepen.core.settings import Settings
from deepen.finetuning.forecast import seconds_per_token
from deepen.finetuning.predictor import reader_or_writer
from deepen.generation.writer import writer_of
from deepen.problem import one_label, text_answers
from deepen.problem.climbed import Climbed
from deepen.problem.rung import Rung
from deepen.problem.work import Work
from deepen.prompting.decoder import (
    Prompt,
    PromptedClassifier,
    answer_tokens,
    chat_prompt,
    check_places,
    label_words,
    load_prompted,
    prompted,
    question_about,
    templates,
)
from deepen.prompting.demonstrations import Examples
from deepen.prompting.likelihood import Answers
from deepen.shallow.texts import Memory

_START_SECONDS = 5.0
_PROMPT_TOKENS = 8  # around each text


class RungSettings(Settings):
    """Which rows are shown, and how."""

    earlier: ClassVar = {"words": "verbalizer"}
    shown: int = Field(default=4, ge=1)
    """Rows in a prompt: as many of each label, or one each of the labels with the most similar rows."""
    most_rows: int = Field(default=5_000, ge=1)
    """Of more training rows so many are drawn to choose from, as many of each label; they are saved with the model."""
    trial_rows: int = Field(default=64, ge=0)
    """Training rows, each asked without itself, by which it is decided whether the most similar row comes first or
    last, and what each label's mean score is, which is subtracted (Zhou et al. 2023, arXiv 2309.17249); 0 does
    neither."""
    max_tokens: int = Field(default=128, ge=4)
    """Where texts in a prompt are cut."""
    verbalizer: dict[str, tuple[str, ...]] | None = None
    """Label to what it is called in the answer, the first of them; None, and labels left out, take their names."""
    prompt: str | None = None
    """The prompt, with {examples}, {text}, {labels} and {descriptions}; None takes that of the texts' language in
    prompting/prompts.yaml."""
    example: str | None = None
    """A labelled row in it, with {text} and {label}."""
    chat: bool = False
    """Whether the prompt goes into the model's chat template, if it has one."""


def climb(work: Work, settings: RungSettings, below: Path | None) -> Climbed:
    """Chooses examples among the training rows, and tries on some of them in which order they are shown."""
    problem = work.problem
    if problem.task.writes is not None:
        return _written(work, settings)
    words = label_words(problem, settings.verbalizer, "rungs.few_shot.verbalizer")
    known = templates(problem, words)
    told = [problem.descriptions.get(name, "") for name in problem.labels]
    prompt = question_about(settings.prompt or known["few_shot"], words, told, known["description"])
    check_places(prompt, ("{examples}", "{text}"), "rungs.few_shot.prompt")
    check_places(settings.example or known["example"], ("{text}", "{label}"), "rungs.few_shot.example")
    chat = chat_prompt(work.base.model, prompt) if settings.chat else None
    max_tokens = min(settings.max_tokens, work.base.max_tokens)
    asking = Prompt(chat or prompt, words, max_tokens, settings.example or known["example"], special=chat is None)
    predictor = prompted(work.base, asking)
    chance = np.random.default_rng(derive(work.context.seed, "few_shot"))
    labels_N = problem.train_targets.labels_M
    chosen = _balanced(labels_N, settings.most_rows, chance)
    rows = problem.train.take(chosen)
    examples = Examples(list(one_label.texts(rows)), labels_N[chosen].tolist(), words, settings.shown)
    predictor.examples = examples
    _try(predictor, examples, chance.permutation(len(rows))[: settings.trial_rows])
    return Climbed(predictor, predictor.predict(problem.validation), predictor.num_parameters)


def _written(work: Work, settings: RungSettings) -> Climbed:
    """Where the answer is text: the most similar training rows with their answers stand before the question."""
    if not work.base.model.decodes:
        raise SettingError(f"--rungs few_shot: {work.base.model.name} is no decoder, which goes on from examples")
    rows = work.problem.train
    chosen = np.random.default_rng(derive(work.context.seed, "few_shot")).permutation(len(rows))[: settings.most_rows]
    rows = rows.take(np.sort(chosen))
    shown = min(settings.shown, len(rows))
    writer = writer_of(work, shown=shown, most_tokens=settings.max_tokens)
    writer.memory = Memory(list(rows.values(text_answers.SOURCE)), text_answers.answers(rows))
    return Climbed(writer, writer.predict(work.problem.validation), num_trained_parameters=0)


def _balanced(labels_N: np.ndarray, most: int, chance: np.random.Generator) -> np.ndarray:
    """Places of rows, as many of each label as there are and may be, in order."""
    order = chance.permutation(len(labels_N))
    nth = np.zeros(len(labels_N), np.int64)  # how many of its label come before
    for label in np.unique(labels_N):
        own = order[labels_N[order] == label]
        nth[own] = np.arange(len(own))
    return np.sort(order[np.argsort(nth[order], kind="stable")][:most])


def _try(predictor: PromptedClassifier, examples: Examples, trial_K: np.ndarray) -> None:
    """Puts the most similar example first or last, and labels level, by some of the rows, each without itself."""
    if not len(trial_K):
        return
    texts, labels_K = [examples.texts[at] for at in trial_K], np.array(examples.labels)[trial_K]
    best = -np.inf
    for most_similar_last in (True, False):
        examples.most_similar_last = most_similar_last
        scores_KC = predictor.scores(texts, examples(texts, without=trial_K))
        bias_C = -scores_KC.mean(0)
        levelled_KC = scores_KC + bias_C
        lead = float((levelled_KC[np.arange(len(labels_K)), labels_K] - levelled_KC.max(1)).mean())
        if lead > best:
            best, chosen, predictor.asking.bias = lead, most_similar_last, bias_C.tolist()
    examples.most_similar_last = chosen
    predictor.num_parameters = len(predictor.asking.words) + 1


def forecast(work: Work, settings: RungSettings) -> float | None:
    """Seconds, from the measured speed of a pass: every prompt has the shown rows too."""
    problem = work.problem
    if problem.task.writes is not None:
        return None
    lengths = np.asarray(work.tokens(problem.train.table).lengths_N)[problem.train.rows_N]
    mean = float(np.minimum(lengths, settings.max_tokens).mean()) + _PROMPT_TOKENS
    shown = min(settings.shown, len(problem.train))
    asked_rows = len(problem.validation) + 2 * min(settings.trial_rows, len(problem.train))
    words = label_words(problem, settings.verbalizer, "rungs.few_shot.verbalizer")
    answers = answer_tokens(work.base.model.tokenizer, settings.prompt or templates(problem, words)["few_shot"], words)
    each = len(Answers(tuple(map(tuple, answers))).tails)  # a prompt is read once for each way in which answers begin
    return asked_rows * each * mean * (shown + 1) * seconds_per_token(work) + _START_SECONDS


RUNG = Rung(
    about=__doc__,
    order=16,
    settings=RungSettings,
    suits=lambda work: False,  # it is slow, and training on the rows says more
    climb=climb,
    forecast=forecast,
    load=reader_or_writer(lambda folder, task, labels: load_prompted(folder)),
    writes=True,
)
