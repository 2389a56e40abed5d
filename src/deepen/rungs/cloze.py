"""For few examples per class: a masked language model learns to put the right label's word into a gap beside the text.

Nothing new has to be learned to begin with: the encoder and the head over words that pretraining left say something
already, and the rows make it sharper.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from deepen.finetuning.finetune import climb_trained
from deepen.finetuning.forecast import forecast_trained
from deepen.finetuning.settings import TrainedSettings
from deepen.problem.climbed import Climbed
from deepen.problem.problem import Problem
from deepen.problem.rung import Rung
from deepen.problem.work import Work
from deepen.prompting.cloze import ClozeSettings, can_ask, cloze_network, load_cloze, question_form, question_of

_ROWS_A_LABEL = 30


class RungSettings(TrainedSettings, ClozeSettings):
    """What is asked, and how the encoder and its own head learn the answer."""

    earlier: ClassVar = {"visited_rows": "examples_seen"}

    usual_rate: ClassVar[float] = 4e-5

    examples_seen: int = Field(default=4_000, ge=1)
    """Training examples that go by in all where `num_epochs` is not given: as many epochs as that takes."""
    evaluations_per_epoch: int = Field(default=0, ge=0)
    """How often validation is scored within an epoch; 0 keeps the last weights: of a few rows there are many epochs."""
    max_initial_logit: float = 0.0
    """The largest logit the head may reach at the start; 0 leaves the head as pretraining made it."""


def suits(work: Work) -> bool:
    """Whether a climb takes it by itself: with up to thirty examples per class, where the model has the head for it."""
    return len(work.problem.train) <= _ROWS_A_LABEL * work.problem.num_outputs and can_ask(work, RungSettings())


def climb(work: Work, settings: RungSettings, below: Path | None) -> Climbed:
    """Trains the encoder and its masked-LM head, from the pretrained ones.

    Raises:
        SettingError: If rows do not have one label each, or the model can't be asked for their words.

    Source:
        Schick and Schütze 2021a (https://arxiv.org/abs/2001.07676), without its ensembles and unlabelled rows; 2021b
        (https://arxiv.org/abs/2009.07118) for words of several pieces.
    """
    question = question_of(work, settings)
    network, form = (
        cloze_network(work, question, centred=settings.centred),
        question_form(work.problem.task, question.cloze),
    )
    depth, chosen = work.base.model.num_layers, _with_epochs(work.problem, settings)
    found = climb_trained(work, name="cloze", depth=depth, settings=chosen, below=None, form=form, start=network)
    return replace(found, ran=found.ran | question.told())


def _with_epochs(problem: Problem, settings: RungSettings) -> RungSettings:
    epochs = max(1, round(settings.examples_seen / len(problem.train)))
    return settings.model_copy(update={"num_epochs": settings.num_epochs or epochs})


def forecast(work: Work, settings: RungSettings) -> float | None:
    """Seconds, from the measured speed of the frozen pass."""
    form = question_form(work.problem.task, question_of(work, settings).cloze)
    return forecast_trained(
        work, depth=work.base.model.num_layers, settings=_with_epochs(work.problem, settings), form=form
    )


RUNG = Rung(
    about=__doc__,
    order=19,
    warm_starts=False,  # it reads rows in a form of its own
    self_trainable=True,
    few_shot=True,
    settings=RungSettings,
    suits=suits,
    climb=climb,
    forecast=forecast,
    load=load_cloze,
)
