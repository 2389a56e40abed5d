"""How much memory a training will take, told before it starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from deepen.finetuning.batches import Feed
from deepen.models.network import Network

_MOMENTS = {"adamw": 2, "sgd": 1, "adafactor": 0}
_FEW = 4


def forecast_bytes(network: Network, feed: Feed) -> int:
    """Peak bytes beside what is loaded already: gradients, moments, best weights and what a backward pass needs.

    What a backward pass needs is counted in a forward pass of a few of the longest rows, and taken by tokens to the
    largest micro-batch.
    """
    settings = feed.settings
    few = np.argsort(feed.lengths_N)[-_FEW:]
    inputs = feed.get(few).inputs.to(network.device)
    kept: dict[int, int] = {p.untyped_storage().data_ptr(): 0 for p in network.parameters()}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept.setdefault(storage.data_ptr(), storage.nbytes())
        held.append(tensor)  # or its place in memory would be given to another
        return tensor

    held: list[torch.Tensor] = []
    training = network.training
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), torch.random.fork_rng():
        network.train()(inputs)
    network.train(training)
    learned = sum(p.numel() for p in network.parameters() if p.requires_grad)
    longest = int(feed.lengths_N.max())
    most = max(longest, min(settings.micro_batch_tokens, feed.batch_tokens + longest, int(feed.lengths_N.sum())))
    return round(sum(kept.values()) * most / float(feed.lengths_N[few].sum())) + 4 * learned * (
        2 + _MOMENTS[settings.optimizer]
    )


def free_bytes(device: torch.device) -> int | None:
    """Bytes that are free where a network is; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def tell_of_memory(network: Network, feed: Feed, *, name: str, say: Callable[[str], None]) -> None:
    """Says it where a rung's training will not fit into memory."""
    need, free = forecast_bytes(network, feed), free_bytes(network.device)
    if free is None or need <= free:
        return
    half = max(1, min(feed.settings.micro_batch_tokens, feed.batch_tokens) // 2)
    say(
        f"  {name}: forecast {need / 1e9:.2f} GB of memory, and {free / 1e9:.2f} GB are free: "
        f"rungs.{name}.micro_batch_tokens={half} or rungs.{name}.activation_checkpointing=true takes less"
    )
