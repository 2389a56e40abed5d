"""Whether training in a lower precision is quicker on this machine, by a measurement of seconds."""

from __future__ import annotations

import time

import numpy as np

from deepen.finetuning.hidden_cache import batch_inputs
from deepen.models.device import wait_for
from deepen.models.head import Inputs
from deepen.models.network import Network, fresh_network
from deepen.models.precision import Precision, candidate, multiplying_in
from deepen.problem.work import Work

_LEAST_GAIN = 1.1  # times as quick; less is not worth other numbers
_ROWS, _TIMES, _WARM = 8, 7, 2


def quickest(work: Work) -> Precision:
    """The precision whose training steps take the least time here; float32 unless another is 1.1 times as quick.

    A machine without instructions for a precision is slower in it, so nothing else is asked.

    Args:
        work: A climb: some of its rows are run through the top third of its encoder, forward and backward, for a second
            or a few.
    """
    encoder, form = work.base.model.encoder(), work.form
    network = fresh_network(encoder, form.head, work.problem.num_outputs).train()
    encoder.dropout, first = 0.0, work.base.first_top_layer
    encoder.requires_grad_(False)
    for layer in encoder.layers[first:]:
        layer.requires_grad_(True)
    rows = work.problem.train.rows_N
    some = rows[np.linspace(0, len(rows) - 1, num=min(_ROWS, len(rows))).astype(int)]
    inputs = batch_inputs(work.tokens(work.problem.train.table), some, shares=form.head.shares).to(network.device)
    other = candidate(network.device)
    seconds: dict[Precision, list[float]] = {"float32": [], other: []}
    for _ in range(_TIMES):  # by turns: a machine that others use too is not always equally fast
        for precision, times in seconds.items():
            with multiplying_in(precision, encoder):
                times.append(_step(network, inputs))
    best = {precision: min(times[_WARM:]) for precision, times in seconds.items()}
    return other if best[other] * _LEAST_GAIN <= best["float32"] else "float32"


def _step(network: Network, inputs: Inputs) -> float:
    wait_for(network.device)
    began = time.monotonic()
    network(inputs).square().mean().backward()
    wait_for(network.device)
    return time.monotonic() - began
