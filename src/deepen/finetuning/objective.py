"""What a training step minimises: the log loss of the task, with a share of probability spread, or of what is hard.

Shape legend: M units, C outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from deepen.core.errors import SettingError
from deepen.finetuning.settings import TrainedSettings
from deepen.problem.task import Task


@dataclass(frozen=True)
class Objective:
    """The losses of a task as its settings bend them."""

    task: Task
    settings: TrainedSettings

    def __post_init__(self) -> None:
        """Raises SettingError where a setting is for rows with one label each, and these have not."""
        for name in ("focal", "r_drop"):
            if getattr(self.settings, name) and not self.task.target.smooths:
                raise SettingError(f"{name}: a unit of {self.task.name} is not one choice among labels; leave it at 0")

    def losses(self, logits_MC: Tensor, labels_M: Tensor) -> Tensor:
        """What is minimised of each unit, in nats.

        `focal` is gamma of the focal loss (Lin et al. 2017, section 3.2): a unit with probability p of what is right
        weighs (1 - p)^gamma, so rare and hard ones are not drowned by those that are right already.
        """
        losses_M = self.task.losses(logits_MC, labels_M)
        if not self.task.target.smooths or logits_MC.shape[1] < 2:
            return losses_M
        if self.settings.focal:
            right_M = logits_MC.softmax(-1).gather(1, labels_M.clamp_min(0)[:, None])[:, 0]
            losses_M = (1 - right_M) ** self.settings.focal * losses_M
        if self.settings.label_smoothing:
            spread_M = -nn.functional.log_softmax(logits_MC, -1).mean(-1) * (labels_M >= 0)
            losses_M = (1 - self.settings.label_smoothing) * losses_M + self.settings.label_smoothing * spread_M
        return losses_M


def divergence(first_MC: Tensor, second_MC: Tensor, labels_M: Tensor) -> Tensor:
    """How far two passes with other dropout are apart: the mean of both Kullback-Leibler divergences of a unit.

    Source: R-Drop, Liang et al. 2021, equation 2.
    """
    one, two = (nn.functional.log_softmax(x, -1) for x in (first_MC, second_MC))
    return ((one.exp() - two.exp()) * (one - two)).sum(-1) / 2 * (labels_M >= 0)
