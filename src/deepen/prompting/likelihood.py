"""How likely a decoder finds each of a few answers after a prompt.

Shape legend: N prompts, C answers, S sequences (a prompt with a tail), T tokens of a batch, D hidden size, V words
of the vocabulary, P places whose next word is scored, Q words of answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deepen.core.progress import progress
from deepen.data.batches import sorted_batches
from deepen.models.encoder import Encoder, layout

_BATCH_TOKENS = 2048
_SCORED_PLACES = 128  # at a time: each takes a number for every word of the vocabulary


@dataclass(frozen=True)
class Answers:
    """Answers as tokens, and the runs of tokens that a prompt must be followed by so that all of them can be scored.

    Answers of one token need nothing after the prompt; those that begin alike share what they have in common.
    """

    tokens: tuple[tuple[int, ...], ...]

    @property
    def tails(self) -> tuple[tuple[int, ...], ...]:
        """What follows the prompt, in K sequences."""
        found = sorted({answer[:-1] for answer in self.tokens})
        return tuple(
            tail for tail, after in zip(found, [*found[1:], ()], strict=True) if after[: len(tail)] != tail or not after
        )


def log_likelihoods(
    decoder: Encoder, vectors_VD: Tensor, prompts: Sequence[np.ndarray], answers: Answers
) -> np.ndarray:
    """The mean log-probability of each answer's tokens after each prompt.

    Args:
        vectors_VD: What its last state is multiplied by to score words.
        prompts: The tokens of N prompts, each at least one.
        answers: C answers, each of at least one token.

    Returns:
        scores_NC, in nats for a token.
    """
    tails = answers.tails
    owner_C = [next(k for k, tail in enumerate(tails) if tail[: len(a) - 1] == a[:-1]) for a in answers.tokens]
    lengths_S = np.array([len(prompt) + len(tail) for prompt in prompts for tail in tails])
    scores_NC, device = np.zeros((len(prompts), len(answers.tokens)), np.float32), decoder.device
    with progress("asking", len(lengths_S)) as advance, torch.inference_mode():
        for chosen in sorted_batches(lengths_S, max_tokens=_BATCH_TOKENS):
            asked = [(prompts[at // len(tails)], tails[at % len(tails)]) for at in chosen]
            places = [np.arange(len(prompt) - 1, len(prompt) + len(tail)) for prompt, tail in asked]
            ids = np.concatenate([np.concatenate([p, np.array(t, np.int64)]) for p, t in asked])
            ids_T = torch.from_numpy(ids).to(device)
            lengths = lengths_S[chosen]
            starts = np.cumsum(lengths) - lengths
            where = layout(torch.from_numpy(lengths).to(device))
            hidden_TD = decoder.run(decoder.embed(ids_T, None, where), where, 0, decoder.num_layers)
            scored_P = np.concatenate([s + p for s, p in zip(starts, places, strict=True)])
            states_PD = hidden_TD[torch.from_numpy(scored_P).to(device)]
            first = np.cumsum([len(p) for p in places]) - [len(p) for p in places]
            words = [
                (int(at) // len(tails), c, first[i] + n, token)
                for i, at in enumerate(chosen)
                for c, answer in enumerate(answers.tokens)
                if owner_C[c] == at % len(tails)
                for n, token in enumerate(answer)
            ]
            rows_Q, which_Q, places_Q, tokens_Q = (np.array(column) for column in zip(*words, strict=True))
            asked_Q = (torch.from_numpy(column).to(device) for column in (places_Q, tokens_Q))
            found_Q = _word_scores(states_PD, vectors_VD, *asked_Q)
            np.add.at(scores_NC, (rows_Q, which_Q), found_Q)
            advance(len(chosen))
    return scores_NC / np.array([len(answer) for answer in answers.tokens], np.float32)


def _word_scores(states_PD: Tensor, vectors_VD: Tensor, places_Q: Tensor, tokens_Q: Tensor) -> np.ndarray:
    """The log-probability of each word at its place."""
    total_P = torch.cat([(some @ vectors_VD.T).logsumexp(1) for some in states_PD.split(_SCORED_PLACES)])
    logits_Q = (states_PD[places_Q] * vectors_VD[tokens_Q]).sum(1)
    return np.asarray((logits_Q - total_P[places_Q]).cpu().numpy())
