"""Rows one after the other as one: what they cost and what is learned from them is as by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deepen.generation.decode import Given, answer_losses, packable, packed_losses, packs

Tiny = Callable[..., Path]
CHANCE = np.random.default_rng(0)
PROMPTS = [CHANCE.integers(7, 30, size).tolist() for size in (3, 1, 6, 2)]
ANSWERS = [CHANCE.integers(7, 30, size).tolist() for size in (2, 4, 1, 5)]


def network_of(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder).eval()


@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma3_text", "qwen2", "qwen3"])
def test_packed_is_unpacked(kind: str, tiny_writer: Tiny) -> None:
    network = network_of(tiny_writer(kind))
    assert packable(network, Given(PROMPTS, ANSWERS, encodes=False, vocabulary=40))
    gradients = []
    for losses_BT in (
        answer_losses(network, PROMPTS, ANSWERS, encodes=False),
        packed_losses(network, PROMPTS, ANSWERS),
    ):
        network.zero_grad()
        losses_BT.sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]))
    apart, packed = (
        run(network, PROMPTS, ANSWERS).sum(1)
        for run in (lambda *given: answer_losses(*given, encodes=False), packed_losses)
    )
    assert torch.allclose(apart, packed, atol=1e-5)
    assert torch.allclose(*gradients, atol=1e-5)


def test_what_takes_no_packed_rows_is_seen(tiny_writer: Tiny) -> None:
    from peft import PrefixTuningConfig, get_peft_model

    given = Given(PROMPTS, ANSWERS, encodes=False, vocabulary=40)
    prefixed = get_peft_model(
        network_of(tiny_writer("llama")), PrefixTuningConfig(num_virtual_tokens=2, task_type="CAUSAL_LM")
    )
    assert not packable(prefixed, given)
    assert not packable(network_of(tiny_writer("llama")), replace(given, encodes=True))


def test_a_pack_holds_no_more_than_it_may() -> None:
    cut = list(packs(np.array([4, 3, 5, 9, 1]), 8, lambda places: True))
    assert [places.tolist() for places in cut] == [[0, 1], [2], [3], [4]]
    assert [len(places) for places in packs(np.array([1, 1, 1]), 8, lambda places: len(places) < 3)] == [2, 1]
