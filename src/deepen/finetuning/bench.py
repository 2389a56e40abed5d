"""What this machine can do with a model: the matmul rate in the model's shapes, and how near to it each rung comes.

Shape legend: T tokens of a batch, D hidden size, U inner size of a layer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from deepen.core.files import fingerprint
from deepen.models.encoder import layout
from deepen.models.head import Inputs
from deepen.models.heads import mean
from deepen.models.load import Pretrained
from deepen.models.network import Network
from deepen.training.optimizer import OptimizerSettings, clip, make_optimizer, parameter_groups
from deepen.tuning import full

_STEPS = 24
_WARM = 4
_MATMULS = 40


def bench(model: Pretrained, *, mean_tokens: int = 25, batch_tokens: int = 1024, seed: int = 0) -> dict[str, Any]:
    """Measures matmul, and a step of each rung on sentences of random tokens: medians, so like is compared with like.

    A rung's share is of the matmul rate just before and after it, since a shared machine is not always equally fast.

    Useful FLOP are 2 (forward) or 6 (training) for each parameter of a layer and each real token, plus attention's;
    padding, embeddings and the optimizer count as nothing.

    Args:
        mean_tokens: The mean length of a sentence; lengths vary from half to twice of it.

    Returns:
        `matmul_gflops`, and a row a rung: tokens/s, useful GFLOP/s, the share of the matmul rate, where the time goes.
    """
    encoder = model.encoder()
    width = encoder.hidden_size
    inner = int(model.config.get("intermediate_size") or model.config.get("hidden_dim") or 4 * width)
    chance = np.random.default_rng(seed)
    lengths = chance.integers(mean_tokens // 2, 2 * mean_tokens, size=max(1, batch_tokens * 4 // (5 * mean_tokens)))
    num_tokens = int(lengths.sum())
    vocabulary = int(model.config["vocab_size"])
    inputs = Inputs(
        torch.from_numpy(lengths.astype(np.int64)), ids_T=torch.from_numpy(chance.integers(0, vocabulary, num_tokens))
    )
    network = Network(encoder, nn.Linear(width, 2), mean.HEAD)
    rows, rates = [], []
    third = max(1, round(encoder.num_layers / 3))
    for rung, depth in (("frozen", 0), ("top_layers", third), ("full", encoder.num_layers)):
        before = _matmul_rate(num_tokens, width, inner)
        row = _rung(network, inputs, depth, lengths)
        rates.append((before + _matmul_rate(num_tokens, width, inner)) / 2)
        rows.append({"rung": rung, **row, "share_of_matmul": round(row["useful_gflops"] / rates[-1], 3)})
    grid = int(lengths.max()) * len(lengths)
    return {
        "model": model.name,
        "key": fingerprint(model.fingerprint, torch.get_num_threads()),
        "threads": torch.get_num_threads(),
        "matmul_gflops": round(max(rates), 1),
        "tokens_per_step": num_tokens,
        "padding_share_avoided": round(1 - num_tokens / grid, 3),
        "rungs": rows,
    }


def _matmul_rate(num_tokens: int, width: int, inner: int) -> float:
    left, right = torch.randn(num_tokens, width), torch.randn(inner, width)
    times = [_timed(lambda: left @ right.T) for _ in range(_MATMULS)]
    return 2 * num_tokens * width * inner / _median(times) / 1e9


def _median(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) // 2]


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _rung(network: Network, inputs: Inputs, depth: int, lengths: np.ndarray) -> dict[str, Any]:
    encoder = network.encoder
    first = encoder.num_layers - depth
    where = layout(inputs.lengths_B)
    assert inputs.ids_T is not None  # noqa: S101 - made so above
    per_layer = sum(p.numel() for p in encoder.layers[0].parameters() if p.ndim > 1)
    attention = 4 * encoder.hidden_size * float((lengths**2).sum()) / float(lengths.sum())
    if depth == 0:
        encoder.eval()
        ids_T = inputs.ids_T
        with torch.inference_mode():
            run = lambda: encoder.run(encoder.embed(ids_T, None, where), where, 0, encoder.num_layers)  # noqa: E731
            seconds = _median([_timed(run) for _ in range(_STEPS)][_WARM:])
        parts = {"forward": seconds}
        flops = encoder.num_layers * (2 * per_layer + attention)
    else:
        full.attach(encoder, first, full.TuningSettings())
        with torch.inference_mode():
            hidden = encoder.run(encoder.embed(inputs.ids_T, None, where), where, 0, first) if first else None
        start = inputs if hidden is None else Inputs(inputs.lengths_B, hidden_TD=hidden.clone(), start=first)
        parts = _training_step(network, start)
        seconds = sum(parts.values())
        flops = depth * 3 * (2 * per_layer + attention)
    num_tokens = float(lengths.sum())
    rate = flops * num_tokens / seconds / 1e9
    return {
        "tokens_per_second": round(num_tokens / seconds),
        "useful_gflops": round(rate, 1),
        "seconds": {name: round(value, 4) for name, value in parts.items()},
    }


def _training_step(network: Network, inputs: Inputs) -> dict[str, float]:
    settings = OptimizerSettings()
    network.encoder.dropout = 0.0
    optimizer = make_optimizer(parameter_groups(network, {}, settings, network.head, 1e-4), settings)
    network.train()
    times: list[dict[str, float]] = []
    labels_M = torch.zeros(len(inputs.lengths_B), dtype=torch.int64)
    for _ in range(_STEPS):
        began = time.perf_counter()
        loss = nn.functional.cross_entropy(network(inputs), labels_M)
        forward = time.perf_counter()
        loss.backward()
        backward = time.perf_counter()
        clip(network.parameters(), settings.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        done = time.perf_counter()
        times.append({"forward": forward - began, "backward": backward - forward, "optimizer": done - backward})
    kept = times[_WARM:]
    return {name: _median([t[name] for t in kept]) for name in kept[0]}
