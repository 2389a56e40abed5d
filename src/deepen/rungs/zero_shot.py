"""No labelled row is learned from: a text gets the label whose description the untouched encoder puts nearest to it.

Or the one whose word a masked language model puts into a gap beside the text; or, of a decoder, the one whose words it
finds likeliest after a question, more so than after a question about nothing.

Climbed only when asked for (`--rungs zero_shot`): with labels at hand, `frozen` costs the same and knows more.

Shape legend: C labels, K templates, D hidden size, N rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from deepen.core.errors import SettingError
from deepen.core.seed import derive
from deepen.finetuning.hidden_cache import frozen_pass, passing_features
from deepen.finetuning.predictor import reader_of
from deepen.models.head import Inputs
from deepen.models.network import Network
from deepen.problem.climbed import Climbed
from deepen.problem.rung import Rung
from deepen.problem.task import Predictor, Task
from deepen.problem.work import Work
from deepen.prompting.cloze import ClozeSettings, can_ask, cloze_network, load_cloze, question_form, question_of
from deepen.prompting.decoder import (
    Prompt,
    chat_prompt,
    check_places,
    is_prompted,
    label_words,
    load_prompted,
    prompted,
    question_about,
    templates,
)
from deepen.prompting.verbalizers import described, told_of, usual_words

_SAMPLE = 1000


class RungSettings(ClozeSettings):
    """How a text is told from its labels' names alone, and what labels are called."""

    form: Literal["auto", "similarity", "cloze", "likelihood"] = "auto"
    """`similarity` compares a text with descriptions, `cloze` asks a masked language model for a word in a gap
    (`template`, `verbalizer`), `likelihood` asks a decoder (`prompt`, `verbalizer`). `auto` is `likelihood` for a
    decoder; else it is `cloze` where `template` or `verbalizer` is set, or the model has the head for it, each label a
    word, and neither `descriptions` nor `templates` is set."""
    descriptions: dict[str, tuple[str, ...]] | None = None
    """Label to one or more sentences that say what it is; None, and labels left out, take the description in the file
    after --labels, those of usual labels in prompting/verbalizers.yaml, or their names."""
    templates: tuple[str, ...] | None = None
    """Sentences with {} for the description, over which a label's vectors are averaged; None takes those of the texts'
    language in prompting/verbalizers.yaml."""
    prompt: str | None = None
    """For a decoder: the question, with {text}, and {labels} or {descriptions} if it is to name or explain them; None
    takes that of the texts' language in prompting/prompts.yaml. A label is called the first of its
    `verbalizer`, or else its name."""
    chat: bool = False
    """For a decoder: whether the question goes into the model's chat template, if it has one (LOG.md)."""
    content_free: tuple[str, ...] = ("N/A", "", "[MASK]")
    """For a decoder: texts about nothing, over which its mean score is subtracted if labels are `centred` (Zhao et al.
    2021, arXiv 2102.09690)."""


def climb(work: Work, settings: RungSettings, below: Path | None) -> Climbed:
    """Reads descriptions and rows with the untouched encoder, or asks it.

    Raises:
        SettingError: If the task has no label a row, a description is of no label, or what is asked can't be.
    """
    if work.problem.task.prompts is None:
        raise SettingError("the rung zero_shot is for classification with one label a row")
    forms = {"similarity": _by_similarity, "cloze": _by_cloze, "likelihood": _by_likelihood}
    return forms[_form(work, settings) if settings.form == "auto" else settings.form](work, settings)


def _form(work: Work, settings: RungSettings) -> str:
    """What `auto` is; what is set for it must hold, or the error says why it can't."""
    if work.base.model.decodes:
        return "likelihood"
    if settings.template is not None or settings.verbalizer is not None:
        return "cloze"
    plain = settings.descriptions is None and settings.templates is None
    return "cloze" if plain and can_ask(work, settings) else "similarity"


def _by_cloze(work: Work, settings: RungSettings) -> Climbed:
    question = question_of(work, settings)
    network, form = (
        cloze_network(work, question, centred=settings.centred),
        question_form(work.problem.task, question.cloze),
    )
    predictor = reader_of(work, network, form)
    predictor.num_parameters = work.problem.num_outputs if settings.centred else 0
    return Climbed(
        predictor=predictor,
        validation=predictor.predict(work.problem.validation),
        num_trained_parameters=predictor.num_parameters,
        ran={"form": "cloze", **question.told()},
    )


def _by_similarity(work: Work, settings: RungSettings) -> Climbed:
    problem = work.problem
    templates = settings.templates or tuple(usual_words(problem.language)["templates"])
    for template in templates:
        check_places(template, ("{}",), "rungs.zero_shot.templates")
    told = described(problem, settings.descriptions)
    bare = [some[0] for some in told if not any(map(str.isalpha, some[0]))]
    if bare:
        work.context.say(
            f"  zero_shot: the label '{bare[0]}' says nothing to compare with; name labels with --labels FILE"
        )
    head = nn.Linear(work.base.model.hidden_size, len(told))
    network = Network(work.base.model.encoder().eval(), head, work.form.head).eval()
    weight_CD = np.stack(
        [_vector(network, work, [t.replace("{}", one) for one in some for t in templates]) for some in told]
    )
    bias_C = np.zeros(len(told), np.float32)
    if settings.centred:
        chance = np.random.default_rng(derive(work.context.seed, "zero_shot"))
        some = problem.train.take(np.sort(chance.permutation(len(problem.train))[:_SAMPLE]))
        bias_C = -weight_CD @ passing_features(work, some).mean(0)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight_CD))
        head.bias.copy_(torch.from_numpy(bias_C))
    predictor = reader_of(work, network)
    held = frozen_pass(work, problem.validation.table, cut=work.base.first_top_layer)
    predictor.num_parameters = len(told) if settings.centred else 0
    said = predictor.predict(problem.validation, held)
    return Climbed(predictor=predictor, validation=said, num_trained_parameters=predictor.num_parameters)


def _by_likelihood(work: Work, settings: RungSettings) -> Climbed:
    """A decoder, asked once about each row."""
    problem = work.problem
    words = label_words(problem, settings.verbalizer, "rungs.zero_shot.verbalizer")
    known, told = (
        templates(problem, words),
        ["; ".join(some) for some in told_of(problem, settings.descriptions)],
    )
    question = question_about(settings.prompt or known["zero_shot"], words, told, known["description"])
    check_places(question, ("{text}",), "rungs.zero_shot.prompt")
    chat = chat_prompt(work.base.model, question) if settings.chat else None
    how = Prompt(chat or question, words, work.base.max_tokens, special=chat is None)
    predictor = prompted(work.base, how)
    if settings.centred:
        nothing = settings.content_free
        how.bias = (-predictor.scores(nothing, [()] * len(nothing)).mean(0)).tolist()
        predictor.num_parameters = len(words)
    return Climbed(predictor, predictor.predict(problem.validation), predictor.num_parameters)


def _vector(network: Network, work: Work, texts: list[str]) -> np.ndarray:
    """The mean of some texts' vectors, of length 1."""
    found = work.base.model.tokenizer.encode(texts, max_tokens=work.base.max_tokens)
    ids_T = torch.from_numpy(found.ids_T.astype(np.int64))
    with torch.inference_mode():
        features_KD = network.features(Inputs(torch.from_numpy(found.lengths_B), ids_T=ids_T).to(network.device))
        mean_D = nn.functional.normalize(features_KD, dim=1).mean(0)
        return np.asarray(nn.functional.normalize(mean_D, dim=0).cpu().numpy())


def load(folder: Path, task: Task, labels: tuple[str, ...]) -> Predictor:
    """Reads the saved rung."""
    if is_prompted(folder):
        return load_prompted(folder)
    return load_cloze(folder, task, labels)


RUNG = Rung(
    about=__doc__,
    order=15,
    always=True,
    warm_starts=True,
    settings=RungSettings,
    suits=lambda work: False,  # there are labels to learn from
    climb=climb,
    load=load,
)
