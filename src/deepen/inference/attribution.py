"""Which words of a text carried an answer: what each adds to the answer's logit.

An encoder is differentiable, so integrated gradients tell how its logit grows while the words appear out of the mask,
and their sum can be checked. Anything else is asked again with each word hidden in turn.

Shape legend: T tokens of one sequence, D hidden size, W words, S steps, C outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepen.core.errors import SettingError
from deepen.data.table import Part
from deepen.finetuning.hidden_cache import batch_inputs
from deepen.finetuning.predictor import EncoderPredictor
from deepen.models.encoder import layout
from deepen.models.head import Inputs
from deepen.problem.task import Decision, Explainable, Places, Predictor

_FEWEST_STEPS, _MOST_STEPS = 32, 512
_STEP_TOKENS = 4096
_ERROR_SHARE, _ERROR_LOGITS = 0.01, 0.01


@dataclass(frozen=True)
class Attribution:
    """What each word of a text adds to a logit.

    Attributes:
        method: `integrated_gradients` or `leave_one_out`.
        places: Start and end of each word in the text.
        values_W: What each adds, in logits.
        total: What they should add up to; None where that is not defined.
        error: What they add up to, less `total`.
    """

    method: str
    places: Places
    values_W: np.ndarray
    total: float | None = None
    error: float | None = None


def attribute(predictor: Predictor, explain: Explainable, part: Part, decision: Decision) -> Attribution:
    """What each word of a row adds to the logit of an answer.

    Args:
        explain: How the task's answers are taken apart.

    Returns:
        A value for each word; all are 0 where the model does not read the text.

    Raises:
        SettingError: If the model is an encoder and captum is not installed.
    """
    if isinstance(predictor, EncoderPredictor) and predictor.reads_plainly and not predictor.exits:
        return integrated_gradients(predictor, explain, part, decision)
    return leave_one_out(predictor, explain, part, decision)


def leave_one_out(predictor: Predictor, explain: Explainable, part: Part, decision: Decision) -> Attribution:
    """How much of the logit is lost when each word is hidden.

    It misleads where two words say the same: either can be spared, so both get little.

    Args:
        explain: How the task's answers are taken apart.
    """
    places = explain.words(part)
    whole = predictor.predict(part).values_MC[decision.unit, decision.logit]
    less = predictor.predict(explain.without(part, places))
    values_W = whole - less.values_MC[less.offsets_N1[:-1] + decision.unit, decision.logit]
    return Attribution("leave_one_out", places, values_W.astype(np.float64))


def integrated_gradients(
    predictor: EncoderPredictor, explain: Explainable, part: Part, decision: Decision
) -> Attribution:
    """Gradients of the logit, summed along the straight way from a text whose words are hidden to the text.

    A hidden word is the token [MASK] in its place: pretraining taught the encoder that it means "a word, whichever",
    while it was never shown [PAD]. Special tokens stay, so the words share the whole difference. Steps are doubled,
    from 32 up to 512, until the words' sum misses the difference of the logits by at most 1 % of it and 0.01 more. It
    shares out what the answer rests on against hidden words; it is not what the network would say without a word.

    Args:
        explain: How the task's answers are taken apart.

    Returns:
        A value for each word, with the sum's error.

    Raises:
        SettingError: If captum is not installed.

    Source:
        Sundararajan, Taly and Yan 2017, https://arxiv.org/abs/1703.01365, sections 3 and 5
    """
    method = _captum()
    network = predictor.network.eval()
    places, owners_T = explain.owners(predictor.tokenizer, predictor.max_tokens, part)
    inputs, unit, inside = _window(predictor, part, decision.unit)
    owners_T = owners_T[inside]
    assert inputs.ids_T is not None  # noqa: S101 - `batch_inputs` was given no hidden states
    assert len(owners_T) == len(inputs.ids_T)  # noqa: S101 - both follow the task's encoder
    shown = torch.from_numpy(owners_T >= 0).to(inputs.ids_T.device)
    hidden_T = torch.where(shown, torch.full_like(inputs.ids_T, predictor.tokenizer.hidden_id), inputs.ids_T)

    def embedded(ids_T: Tensor) -> Tensor:
        with torch.no_grad():
            return network.encoder.embed(ids_T, inputs.segments_T, layout(inputs.lengths_B))[None]

    def logits(hidden_STD: Tensor) -> Tensor:
        num_steps, num_tokens, _ = hidden_STD.shape
        units = None if unit is None else unit + num_tokens * torch.arange(num_steps, device=hidden_STD.device)
        return network(Inputs(inputs.lengths_B.repeat(num_steps), hidden_TD=hidden_STD.flatten(0, 1), units_M=units))

    text, base = embedded(inputs.ids_T), embedded(hidden_T)
    with torch.no_grad():
        total = float(logits(text)[0, decision.logit] - logits(base)[0, decision.logit])
    num_steps, error = _FEWEST_STEPS // 2, float("inf")
    while abs(error) > _ERROR_SHARE * abs(total) + _ERROR_LOGITS and num_steps < _MOST_STEPS:
        num_steps *= 2
        found = method(logits).attribute(
            text,
            baselines=base,
            target=decision.logit,
            n_steps=num_steps,
            internal_batch_size=max(1, _STEP_TOKENS // text.shape[1]),
        )
        values_T = found[0].detach().sum(1).cpu().double().numpy()
        error = float(values_T.sum()) - total
    values_W = np.bincount(owners_T[owners_T >= 0], values_T[owners_T >= 0], minlength=len(places))
    return Attribution("integrated_gradients", places, values_W, total, error)


def _captum() -> Any:
    try:
        from captum.attr import IntegratedGradients
    except ImportError:
        raise SettingError("explaining an encoder's answer needs captum: pip install deepen[diagnosis]") from None
    return IntegratedGradients


def _window(predictor: EncoderPredictor, part: Part, unit: int) -> tuple[Inputs, int | None, slice]:
    """The one sequence of a row that a unit is read in, the unit's token in it, and where it stands in the row."""
    inputs = batch_inputs(predictor.tokens(part.table), part.rows_N).to(predictor.network.device)
    assert inputs.ids_T is not None  # noqa: S101 - no hidden states were passed
    if inputs.units_M is None:
        return inputs, None, slice(0, len(inputs.ids_T))
    at = int(inputs.units_M[unit])
    ends = torch.cumsum(inputs.lengths_B, 0)
    which = int(torch.searchsorted(ends, at, right=True))
    inside = slice(int(ends[which] - inputs.lengths_B[which]), int(ends[which]))
    segments = None if inputs.segments_T is None else inputs.segments_T[inside]
    window = Inputs(inputs.lengths_B[which : which + 1], ids_T=inputs.ids_T[inside], segments_T=segments)
    return window, at - inside.start, inside
