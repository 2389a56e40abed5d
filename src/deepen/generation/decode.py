"""A network that writes, run over token ids: answers by transformers' `generate`, and what given answers cost it.

Shape legend: N rows, B rows of a batch, T tokens, V the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from deepen.core.progress import progress
from deepen.generation.constraints import Guide

_BATCH_TOKENS = 4096
_BATCH_LOGITS = 1 << 26  # numbers; 256 MB in float32
_TRIED = 3  # rows
_PACK_TOKENS = 1024  # attention is made for each pair of them, and then left out between rows
_NOT_SCORED = -100
Fits = Callable[[np.ndarray], bool]


def batches(
    lengths_N: Sequence[int] | np.ndarray, most_tokens: int, fits: Fits = lambda places: True
) -> Iterator[np.ndarray]:
    """Places of rows of about the same length, so many that with padding they hold at most `most_tokens`.

    Args:
        fits: Whether rows may be run at once for another reason; one alone always may.
    """
    order = np.argsort(np.asarray(lengths_N), kind="stable")
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and (end + 1 - start) * lengths_N[order[end]] <= most_tokens:
            if not fits(order[start : end + 1]):
                break
            end += 1
        yield order[start:end]
        start = end


def packs(lengths_N: np.ndarray, most_tokens: int, fits: Fits) -> Iterator[np.ndarray]:
    """Places of rows one after the other, so many that they hold at most `most_tokens`."""
    start = 0
    for end in range(1, len(lengths_N) + 1):
        last = end == len(lengths_N)
        if last or lengths_N[start : end + 1].sum() > most_tokens or not fits(np.arange(start, end + 1)):
            yield np.arange(start, end)
            start = end


@dataclass(frozen=True)
class Given:
    """Prompts with answers: what is learned from, or scored.

    `vocabulary` is how many tokens there are, `packed` whether rows go through the network one after the other as one.
    """

    prompts: Sequence[list[int]]
    answers: Sequence[list[int]]
    encodes: bool
    vocabulary: int
    packed: bool = False

    @property
    def lengths_N(self) -> np.ndarray:
        """Tokens of both."""
        return np.array([len(one) + len(two) for one, two in zip(self.prompts, self.answers, strict=True)])

    def batches(self, at_N: np.ndarray, most_tokens: int) -> Iterator[np.ndarray]:
        """Rows that go through the network at once, places among `at_N`."""
        if self.packed:
            yield from packs(self.lengths_N[at_N], min(most_tokens, _PACK_TOKENS), lambda few: self.fits(at_N[few]))
        else:
            yield from batches(self.lengths_N[at_N], most_tokens, lambda few: self.fits(at_N[few]))

    def fits(self, places: np.ndarray) -> bool:
        """Whether the logits of rows fit into memory: each place from the first answer on has one for each token."""
        if self.packed:
            return sum(len(self.answers[at]) for at in places) * self.vocabulary <= _BATCH_LOGITS
        answers = max(len(self.answers[at]) for at in places)
        if not self.encodes:
            first = min(len(self.prompts[at]) for at in places)
            answers = max(len(self.prompts[at]) + len(self.answers[at]) for at in places) - first + 1
        return len(places) * answers * self.vocabulary <= _BATCH_LOGITS

    def losses(self, network: Any, places: np.ndarray, *, smoothing: float = 0.0) -> Tensor:
        """As `answer_losses`, of some rows."""
        some = [self.prompts[at] for at in places], [self.answers[at] for at in places]
        if self.packed:
            return packed_losses(network, *some, smoothing=smoothing)
        return answer_losses(network, *some, encodes=self.encodes, smoothing=smoothing)

    def nats(self, network: Any) -> np.ndarray:
        """The log loss of each answer, nats_N."""
        found_N = np.zeros(len(self.prompts))
        with torch.inference_mode():
            for places in self.batches(np.arange(len(self.prompts)), _BATCH_TOKENS):
                found_N[places] = self.losses(network, places).sum(1).double().cpu().numpy()
        return found_N


def padded(rows: Sequence[Sequence[int]], fill: int, *, left: bool = False) -> Tensor:
    """Rows as a grid, `fill` after them or before."""
    longest = max(map(len, rows))
    more = ([fill] * (longest - len(row)) for row in rows)
    return torch.tensor([[*pad, *row] if left else [*row, *pad] for row, pad in zip(rows, more, strict=True)])


def answer_losses(
    network: Any,
    prompts: Sequence[list[int]],
    answers: Sequence[list[int]],
    *,
    encodes: bool,
    smoothing: float = 0.0,
) -> Tensor:
    """The loss of each answer's tokens, with what stands before them; logits are made from the first of them on.

    Args:
        smoothing: The share of probability spread over all tokens in the target.

    Returns:
        losses_BT in nats; 0 for what is no token of an answer.
    """
    device = network.device
    if encodes:
        labels_BT = padded(answers, _NOT_SCORED).to(device)
        # not by `labels`, of which the network would make a loss of its own over the whole vocabulary
        before_BT = network.prepare_decoder_input_ids_from_labels(labels=labels_BT)
        given = _grid(prompts, left=False, device=device)
        logits_BTV = network(**given, decoder_input_ids=before_BT, use_cache=False).logits
    else:
        rows = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
        silent = ([_NOT_SCORED] * len(prompt) for prompt in prompts)
        labels = [[*none, *answer] for none, answer in zip(silent, answers, strict=True)]
        first = min(map(len, prompts))
        labels_BT = padded(labels, _NOT_SCORED)[:, first:].to(device)
        given = _grid(rows, left=False, device=device)
        logits_BTV = network(**given, logits_to_keep=labels_BT.shape[1] + 1, use_cache=False).logits[:, :-1]
    flat = functional.cross_entropy(
        logits_BTV.flatten(0, 1).float(),
        labels_BT.flatten(),
        ignore_index=_NOT_SCORED,
        reduction="none",
        label_smoothing=smoothing,
    )
    return flat.view(labels_BT.shape)


def packed_losses(
    network: Any, prompts: Sequence[list[int]], answers: Sequence[list[int]], *, smoothing: float = 0.0
) -> Tensor:
    """As `answer_losses` of a decoder, with rows one after the other as one, without padding.

    Positions begin anew with each row, by which transformers keeps attention within rows.
    """
    device = network.device
    rows = [torch.tensor([*prompt, *answer]) for prompt, answer in zip(prompts, answers, strict=True)]
    ends = np.cumsum([len(row) for row in rows])
    before = [torch.arange(end - len(answer), end) - 1 for end, answer in zip(ends, answers, strict=True)]
    logits_TV = network(
        input_ids=torch.cat(rows)[None].to(device),
        position_ids=torch.cat([torch.arange(len(row)) for row in rows])[None].to(device),
        logits_to_keep=torch.cat(before).to(device),
        use_cache=False,
    ).logits[0]
    labels_T = torch.cat([torch.tensor(answer, dtype=torch.long) for answer in answers]).to(device)
    flat_T = functional.cross_entropy(logits_TV.float(), labels_T, reduction="none", label_smoothing=smoothing)
    return torch.nn.utils.rnn.pad_sequence(flat_T.split([len(answer) for answer in answers]), batch_first=True)


def packable(network: Any, given: Given) -> bool:
    """Whether rows one after the other cost a network the same as rows by themselves, by trying it on some."""
    if given.encodes or len(given.prompts) == 1:
        return False
    some = given.prompts[:_TRIED], given.answers[:_TRIED]
    was = network.training
    network.eval()
    try:
        with torch.inference_mode():
            apart, packed = answer_losses(network, *some, encodes=False), packed_losses(network, *some)
    except (TypeError, ValueError, RuntimeError, IndexError):  # what was put beside the network may know no such rows
        return False
    finally:
        network.train(was)
    return torch.allclose(packed.sum(1), apart.sum(1), rtol=1e-4, atol=1e-4)


def _grid(rows: Sequence[list[int]], *, left: bool, device: Any) -> dict[str, Tensor]:
    mask = padded([[1] * len(row) for row in rows], 0, left=left)
    return {"input_ids": padded(rows, 0, left=left).to(device), "attention_mask": mask.to(device)}


def write(
    network: Any,
    prompts: Sequence[list[int]],
    how: dict[str, Any],
    *,
    encodes: bool,
    tokenizer: Any = None,
    guide: Guide | None = None,
) -> list[list[int]]:
    """The tokens that a network writes after each prompt, without what fills up a batch.

    Args:
        how: What `generate` is told; `eos_token_id` lists what ends an answer.
        tokenizer: Where `how` has strings that end one.
        guide: What answers are held to.
    """
    found: list[list[int]] = [[] for _ in prompts]
    ends = set(how["eos_token_id"])
    spent = [len(prompt) + int(how["max_new_tokens"]) for prompt in prompts]
    beams, pad = how.get("num_beams", 1), how["pad_token_id"]
    with progress("writing", len(prompts)) as advance, torch.inference_mode():
        for chosen in batches(spent, 2 * _BATCH_TOKENS // beams):
            given = _grid([prompts[at] for at in chosen], left=not encodes, device=network.device)
            start = 1 if encodes else given["input_ids"].shape[1]
            more = {"tokenizer": tokenizer} if "stop_strings" in how else {}
            more |= {"logits_processor": [guide.start(start)]} if guide is not None else {}
            said = network.generate(**given, **how, **more).cpu().tolist()
            for at, ids in zip(chosen, said, strict=True):
                new = ids[start:]
                end = next((place for place, token in enumerate(new) if token in ends), len(new) - 1)
                found[at] = new[: end + 1]
                while found[at] and found[at][-1] == pad and pad not in ends:  # it was done before others of its batch
                    found[at].pop()
            advance(len(chosen))
    return found
