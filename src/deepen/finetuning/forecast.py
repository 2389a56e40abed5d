"""How long a trained rung will take on this machine, told before it starts."""

from __future__ import annotations

import time

import numpy as np
import torch

from deepen.core.files import cache_dir, fingerprint, read_json, write_json
from deepen.data.batches import sorted_batches
from deepen.finetuning.hidden_cache import batch_inputs
from deepen.finetuning.settings import TrainedSettings
from deepen.models.device import chosen_device, describe, wait_for
from deepen.models.encoder import layout
from deepen.models.precision import multiplying_in
from deepen.problem.task import Form
from deepen.problem.work import Work

# A step is a forward pass, a backward pass of twice its work and the optimizer: measured 3.1 to 3.4 forward passes.
_FORWARDS_A_STEP = 3.3
_START_SECONDS = 3.0
_PASSES = 4  # the first one of a process is always slow
_TIMES = 3  # other work may have taken the processor the first time; the lowest counts


def forecast_trained(work: Work, *, depth: int, settings: TrainedSettings, form: Form | None = None) -> float:
    """Seconds that training the top `depth` layers will take, validation included.

    Args:
        form: The form that it reads; None is the first one.

    Returns:
        Seconds.
    """
    problem = work.problem
    tokens = work.tokens(problem.train.table, form)
    lengths_N = np.asarray(tokens.lengths_N[problem.train.rows_N])
    epochs, train_tokens = settings.epochs(len(lengths_N)), float(lengths_N.sum())
    share = depth / work.base.model.num_layers
    evaluations = epochs * settings.evaluations_per_epoch * len(problem.validation) / max(1, len(problem.train))
    passes = _FORWARDS_A_STEP * epochs + evaluations
    return seconds_per_token(work) * train_tokens * share * passes + _START_SECONDS


def seconds_per_token(work: Work) -> float:
    """Measured seconds for one token through all layers, forward: the lowest of the first few times it was asked for.

    Args:
        work: The climb; a few of its training rows are run.

    Returns:
        Seconds.
    """
    tokens, device = work.tokens(work.problem.train.table), chosen_device()
    where_run = torch.get_num_threads() if device.type == "cpu" else describe(device)
    lower = [work.base.precision] if work.base.precision != "float32" else []
    mark = fingerprint("speed", 2, *lower, work.base.model.fingerprint, where_run, int(np.mean(tokens.lengths_N)) // 8)
    path = cache_dir() / "speed" / f"{mark}.json"
    known = read_json(path) if path.is_file() else {"seconds_per_token": float("inf"), "times": 0}
    if known["times"] >= _TIMES:
        return float(known["seconds_per_token"])
    encoder = work.base.model.encoder().train(bool(lower))
    encoder.dropout = 0.0
    batches = sorted_batches(np.asarray(tokens.lengths_N[work.problem.train.rows_N]), max_tokens=2048)
    chosen = [batches[i] for i in np.linspace(0, len(batches) - 1, num=_PASSES).astype(int)]  # few are taken again
    best = float(known["seconds_per_token"])
    with multiplying_in(work.base.precision, encoder), torch.inference_mode():
        for places in chosen:
            inputs = batch_inputs(tokens, work.problem.train.rows_N[places]).to(device)
            where = layout(inputs.lengths_B)
            assert inputs.ids_T is not None  # noqa: S101 - no hidden states were passed
            wait_for(device)
            began = time.monotonic()
            encoder.run(encoder.embed(inputs.ids_T, inputs.segments_T, where), where, 0, encoder.num_layers)
            wait_for(device)
            best = min(best, (time.monotonic() - began) / len(inputs.ids_T))
    write_json(path, {"seconds_per_token": best, "times": known["times"] + 1})
    return best
