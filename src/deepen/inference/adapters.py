"""Several runs that were tuned from one pretrained encoder: side by side over it, or composed into one model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from deepen.core.errors import DataError, ModelError, SettingError
from deepen.core.files import fingerprint
from deepen.core.places import path_of
from deepen.core.run import Run
from deepen.finetuning.predictor import EncoderPredictor, put_on
from deepen.inference.model import Model, load_model
from deepen.models.adapters import Adapter, twin
from deepen.models.compose import COMPOSITIONS, compose_heads, compose_weights
from deepen.models.device import on
from deepen.models.encoder import Encoder
from deepen.models.load import load_pretrained


def load_together(
    runs: Sequence[str | Path | Run],
    *,
    rung: str | None = None,
    settings: Sequence[str] = (),
    device: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[Model]:
    """The models of runs whose tunings changed one pretrained encoder, which is in memory once.

    Args:
        runs: Runs that were trained with a tuning other than `full`, or their folders.
        rung: A rung of all of them; None is the chosen one of each.
        settings: Words such as `data.bad_rows=drop`, laid over how the training data of each was read.
        device: Where their networks are put: `cpu`, `cuda`, `cuda:N` or `mps`; None is `auto`.

    Returns:
        The models, in order. They answer as each does alone.

    Raises:
        DataError: If there is no such run.
        ModelError: If one has no adapter, or they have different encoders.

    Example:
        >>> mood, topic = deepen.load_together(["runs/mood", "runs/topic"])  # doctest: +SKIP
    """
    with on(device, say):
        models = [load_model(_folder(run), rung=rung, settings=settings, say=say) for run in runs]
        return _over_one(models)


def _over_one(models: list[Model]) -> list[Model]:
    """Puts what each one's adapter holds on twins of one encoder."""
    bases: dict[str, Encoder] = {}
    for model in models:
        adapter, predictor = _adapter(model), model.predictor
        if bases and adapter.base not in bases:
            raise ModelError(f"{model.folder} changes {adapter.base}, and the first one {next(iter(bases))}")
        if not bases:
            bases[adapter.base] = load_pretrained(adapter.base).encoder().eval()
        encoder = twin(bases[adapter.base])
        put_on(encoder, adapter)
        assert isinstance(predictor, EncoderPredictor)  # noqa: S101 - it has an adapter
        predictor.network.encoder = encoder
    return models


def compose(
    runs: Sequence[str | Path | Run],
    *,
    by: str = "sum",
    weights: Sequence[float] | None = None,
    density: float = 0.5,
    rung: str | None = None,
    settings: Sequence[str] = (),
    device: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Model:
    """One model of several runs: what each tuning changed in the encoder is added up, and heads are averaged.

    Good for runs of one task and the same labels that saw different rows, such as one a domain, where the rows are not
    at hand any more: one model that learns from all of them is better (docs/decisions/0019).

    Args:
        runs: Two or more runs, trained with a tuning that can be folded into the weights, or their folders.
        by: `sum`, the changes times their weights; or `ties`, which keeps of each the largest numbers and adds up those
            that have the sign that prevails (Yadav et al. 2023, https://arxiv.org/abs/2306.01708).
        weights: One a run; None is 1 / number of runs for `sum` and 1 for `ties`, which averages by itself.
        density: The share of each tensor's numbers that `ties` keeps.
        rung: A rung of all of them; None is the chosen one of each.
        settings: Words such as `data.bad_rows=drop`, laid over how the training data of each was read.
        device: Where their networks are put: `cpu`, `cuda`, `cuda:N` or `mps`; None is `auto`.

    Returns:
        The model, which reads rows as the first does.

    Raises:
        DataError: If there is no such run.
        ModelError: If one has no adapter, or one that can't be folded, or they differ in encoder, task or labels.
        SettingError: If `by`, `weights` or `density` is wrong.

    Example:
        >>> both = deepen.compose(["runs/films", "runs/hotels"])  # doctest: +SKIP
    """
    if by not in COMPOSITIONS:
        raise SettingError(f"compose by '{by}': it must be {' or '.join(COMPOSITIONS)}")
    if len(runs) < 2:
        raise SettingError("to compose takes two runs or more")
    told = weights if weights is not None else [1 / len(runs) if by == "sum" else 1.0] * len(runs)
    given = np.asarray(told, float)
    if len(given) != len(runs) or not np.isfinite(given).all() or given.min() < 0 or given.sum() == 0:
        raise SettingError(f"weights {list(told)}: give one a run, none below 0, not all 0")
    if not 0 < density < 1:
        raise SettingError(f"density {density}: it must be above 0 and below 1")
    with on(device, say):
        models = [load_model(_folder(run), rung=rung, settings=settings, say=say) for run in runs]
        base = load_pretrained(_adapter(models[0]).base).encoder().eval()
    predictors = [_same(model, models[0]) for model in models]
    first = predictors[0]
    networks = [predictor.network for predictor in predictors]
    first.network.encoder = compose_weights(base, [each.encoder for each in networks], given, by, density)
    compose_heads([each.head for each in networks], given / given.sum())
    first.adapter, first.kept = None, {}
    mark = fingerprint(by, list(given), density, [model.mark for model in models])
    return replace(models[0], predictor=first, run_folder=None, mark=mark)


def _folder(run: str | Path | Run) -> Path:
    return run.folder if isinstance(run, Run) else path_of(run, kind=DataError)


def _adapter(model: Model) -> Adapter:
    adapter = model.predictor.adapter if isinstance(model.predictor, EncoderPredictor) else None
    if adapter is None:
        raise ModelError(f"{model.folder} has no adapter: train it with --tuning lora, or another that is not full")
    return adapter


def _same(model: Model, first: Model) -> EncoderPredictor:
    """The predictor of a model that can be composed with the first one."""
    adapter, predictor, one = _adapter(model), model.predictor, first.predictor
    assert isinstance(predictor, EncoderPredictor)  # noqa: S101 - it has an adapter
    assert isinstance(one, EncoderPredictor)  # noqa: S101 - and so has the first
    if adapter.kept:
        raise ModelError(f"{model.folder}: '{adapter.method}' stays beside the weights and can't be added to others")
    if adapter.base != _adapter(first).base:
        raise ModelError(f"{model.folder} changes {adapter.base}, and the first one {_adapter(first).base}")
    if (model.task.name, model.labels) != (first.task.name, first.labels):
        raise ModelError(f"{model.folder} has another task than {first.folder}, or other labels")
    if predictor.network.hidden is not None or predictor.network.kind != one.network.kind:
        raise ModelError(f"{model.folder} has a head that can't be averaged with that of {first.folder}")
    return predictor
