"""A network that writes, run over token ids: answers by transformers' `generate`, and what given answers cost it.

Shape legend: N rows, B rows of a batch, T tokens, V the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from deepen.core.progress import progress

_BATCH_TOKENS = 4096
_BATCH_LOGITS = 1 << 26  # numbers; 256 MB in float32
_NOT_SCORED = -100


def rows_that_fit(vocabulary: int, longest: int) -> int:
    """How many answers of so many tokens may be scored at once: each token has a logit for each of the vocabulary."""
    return max(1, _BATCH_LOGITS // (vocabulary * (longest + 1)))


def batches(lengths_N: Sequence[int], most_tokens: int, most_rows: int = 1 << 30) -> Iterator[np.ndarray]:
    """Places of rows of about the same length, so many that with padding they hold at most `most_tokens`."""
    order = np.argsort(np.asarray(lengths_N), kind="stable")
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and (end + 1 - start) * lengths_N[order[end]] <= most_tokens and end - start < most_rows:
            end += 1
        yield order[start:end]
        start = end


def padded(rows: Sequence[Sequence[int]], fill: int, *, left: bool = False) -> Tensor:
    """Rows as a grid, `fill` after them or before."""
    longest = max(map(len, rows))
    more = ([fill] * (longest - len(row)) for row in rows)
    return torch.tensor([[*pad, *row] if left else [*row, *pad] for row, pad in zip(rows, more, strict=True)])


def answer_losses(network: Any, prompts: Sequence[list[int]], answers: Sequence[list[int]], *, encodes: bool) -> Tensor:
    """The loss of each answer's tokens, with what stands before them; logits are made from the first of them on.

    Returns:
        losses_BT in nats; 0 for what is no token of an answer.
    """
    device = network.device
    if encodes:
        labels_BT = padded(answers, _NOT_SCORED).to(device)
        logits_BTV = network(**_grid(prompts, left=False, device=device), labels=labels_BT, use_cache=False).logits
    else:
        rows = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
        silent = ([_NOT_SCORED] * len(prompt) for prompt in prompts)
        labels = [[*none, *answer] for none, answer in zip(silent, answers, strict=True)]
        first = min(map(len, prompts))
        labels_BT = padded(labels, _NOT_SCORED)[:, first:].to(device)
        given = _grid(rows, left=False, device=device)
        logits_BTV = network(**given, logits_to_keep=labels_BT.shape[1] + 1, use_cache=False).logits[:, :-1]
    flat = functional.cross_entropy(
        logits_BTV.flatten(0, 1).float(), labels_BT.flatten(), ignore_index=_NOT_SCORED, reduction="none"
    )
    return flat.view(labels_BT.shape)


def _grid(rows: Sequence[list[int]], *, left: bool, device: Any) -> dict[str, Tensor]:
    mask = padded([[1] * len(row) for row in rows], 0, left=left)
    return {"input_ids": padded(rows, 0, left=left).to(device), "attention_mask": mask.to(device)}


def nats(
    network: Any, prompts: Sequence[list[int]], answers: Sequence[list[int]], *, encodes: bool, vocabulary: int
) -> np.ndarray:
    """The log loss of each answer, nats_N."""
    found_N = np.zeros(len(prompts))
    lengths = [len(one) + len(two) for one, two in zip(prompts, answers, strict=True)]
    longest = max(map(len, answers), default=1)
    with torch.inference_mode():
        for chosen in batches(lengths, _BATCH_TOKENS, rows_that_fit(vocabulary, longest)):
            some = [prompts[at] for at in chosen], [answers[at] for at in chosen]
            found_N[chosen] = answer_losses(network, *some, encodes=encodes).sum(1).double().cpu().numpy()
    return found_N


def write(
    network: Any, prompts: Sequence[list[int]], how: dict[str, Any], *, encodes: bool, tokenizer: Any = None
) -> list[list[int]]:
    """The tokens that a network writes after each prompt, without what fills up a batch.

    Args:
        how: What `generate` is told; `eos_token_id` lists what ends an answer.
        tokenizer: Where `how` has strings that end one.
    """
    found: list[list[int]] = [[] for _ in prompts]
    ends = set(how["eos_token_id"])
    spent = [len(prompt) + int(how["max_new_tokens"]) for prompt in prompts]
    rows = max(1, _BATCH_TOKENS // (8 * how.get("num_beams", 1)))
    with progress("writing", len(prompts)) as advance, torch.inference_mode():
        for chosen in batches(spent, _BATCH_TOKENS * 2 // how.get("num_beams", 1), rows):
            given = _grid([prompts[at] for at in chosen], left=not encodes, device=network.device)
            more = {"tokenizer": tokenizer} if "stop_strings" in how else {}
            said = network.generate(**given, **how, **more).cpu().tolist()
            start = 1 if encodes else given["input_ids"].shape[1]
            for at, ids in zip(chosen, said, strict=True):
                new = ids[start:]
                end = next((place for place, token in enumerate(new) if token in ends), len(new) - 1)
                found[at] = new[: end + 1]
            advance(len(chosen))
    return found
