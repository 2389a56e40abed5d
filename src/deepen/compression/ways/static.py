"""No layers: each subword token gets logits of its own, and a row the mean of those of its tokens.

A token's vector is the mean of the network's states where rows have it, with one more that its word vector tells: how
states follow from word vectors is known by the tokens that rows have, so that the others say something too. A head
learns from the means of these vectors what the whole network says of the rows. It is linear, as the mean is: put on the
vectors before, it leaves a table of logits.

Shape legend: V tokens of the vocabulary, U of them in rows, N rows, T tokens of a batch, E size of a word vector, D
hidden size, C outputs.

Source:
    Gupta and Jaggi 2021, Obtaining Better Static Word Embeddings Using Contextual Embedding Models (means of states).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepen.compression.student import MOST_ROWS, Rows, read, solved_head
from deepen.compression.way import Given, Way, labeller, seal
from deepen.core.progress import progress
from deepen.core.seed import derive
from deepen.data.batches import flat_positions, sorted_batches
from deepen.data.table import Part
from deepen.exporting.graph import runtime_of
from deepen.finetuning.predictor import EncoderPredictor
from deepen.models.runtimes.static import around, save_static

_BATCH_TOKENS = 2048
_HELD = 5  # one row in so many tells the strength of the head, and its states are not in the vectors meanwhile
_OFTEN = 20  # states of a token; more do not make it count more for how states follow from word vectors
_RIDGE = 0.1  # of the mean variance of word vectors


def make(given: Given, folder: Path) -> None:
    """Writes the table with its tokenizer: a model that needs no torch."""
    model, predictor = given.model, labeller(given.model, "static")
    chance = np.random.default_rng(derive(given.seed, "static"))
    parts = given.some(MOST_ROWS, chance)
    order = chance.permutation(sum(map(len, parts)))
    held, learning = order[::_HELD], order[np.arange(len(order)) % _HELD != 0]
    seen = _Seen.of(predictor, parts, held)
    given.say(f"  static: {len(seen.tokens_U):,} subword tokens learn what the network says of {len(order):,} rows")
    words_VE = predictor.network.encoder.network.get_input_embeddings().weight.detach().float().numpy()  # type: ignore[operator]
    features_NF = torch.from_numpy(seen.shares_NU @ seen.vectors(words_VE))
    head = solved_head(features_NF, seen.logits_NC.softmax(1), torch.from_numpy(learning), torch.from_numpy(held))
    table_VC = seen.table(words_VE, head.weight.numpy()) + head.bias.numpy()
    table_VC[around(predictor.tokenizer)] = 0
    folder.mkdir(parents=True)
    save_static(table_VC, folder, model.labels, predictor.tokenizer, max_tokens=predictor.max_tokens)
    seal(model, folder, {"runtime": runtime_of(predictor, "static", reduced=False).model_dump()})


@dataclass(frozen=True)
class _Seen:
    """What the network makes of rows and of their tokens.

    `sums_2UD` and `counts_2U` are of a token's states in the rows to learn from, and in those held out; `shares_NU`
    says which part of a row is which token.
    """

    tokens_U: np.ndarray
    shares_NU: Any
    logits_NC: Tensor
    sums_2UD: np.ndarray
    counts_2U: np.ndarray

    @classmethod
    def of(cls, predictor: EncoderPredictor, parts: Sequence[Part], held: np.ndarray) -> _Seen:
        """Runs the network over rows, of which some are held out."""
        network, rows = predictor.network.eval(), Rows.of(predictor, parts)
        read_T = np.concatenate([one.ids_T[flat_positions(one.offsets_N1, rows_N)] for one, rows_N in rows.parts])
        lengths_N = np.concatenate([one.lengths_N[rows_N] for one, rows_N in rows.parts])
        tokens_U, place_T = np.unique(read_T, return_inverse=True)
        held_N = np.isin(np.arange(len(rows)), held)
        place_T += len(tokens_U) * np.repeat(held_N, lengths_N)
        sums = torch.zeros(2 * len(tokens_U), network.encoder.hidden_size)
        logits_NC, ends = torch.empty(len(rows), network.head.out_features), np.concatenate([[0], np.cumsum(lengths_N)])
        first = 0
        with progress("reading what tokens mean", len(rows)) as advance, torch.inference_mode():
            for at, (one, rows_N) in enumerate(rows.parts):
                for chosen in sorted_batches(np.asarray(one.lengths_N[rows_N]), max_tokens=_BATCH_TOKENS):
                    inputs = rows.inputs((at, rows_N[chosen]), network)
                    [states_TD], logits_NC[first + chosen] = read(network, inputs, [network.encoder.num_layers])
                    sums.index_add_(0, torch.from_numpy(place_T[flat_positions(ends, first + chosen)]), states_TD)
                    advance(len(chosen))
                first += len(rows_N)
        size = (2, len(tokens_U))
        counts = np.bincount(place_T, minlength=2 * len(tokens_U)).reshape(size).astype(np.float32)
        shares_NU = _shares(place_T % len(tokens_U), ends, ~np.isin(tokens_U, around(predictor.tokenizer)))
        return cls(tokens_U, shares_NU, logits_NC, sums.numpy().reshape(*size, -1), counts)

    def vectors(self, words_VE: np.ndarray) -> np.ndarray:
        """What the tokens mean in the rows to learn from, vectors_UD."""
        words_UE, sums_UD, counts_U = words_VE[self.tokens_U], self.sums_2UD[0], self.counts_2U[0]
        slope_ED, start_D = _told(words_UE, sums_UD, counts_U)
        return (sums_UD + words_UE @ slope_ED + start_D) / (counts_U + 1)[:, None]

    def table(self, words_VE: np.ndarray, weight_CD: np.ndarray) -> np.ndarray:
        """What a head without bias says of every token, by all rows, table_VC."""
        sums_UD, counts_U = self.sums_2UD.sum(0), self.counts_2U.sum(0)
        slope_ED, start_D = _told(words_VE[self.tokens_U], sums_UD, counts_U)
        table_VC = words_VE @ (slope_ED @ weight_CD.T) + start_D @ weight_CD.T
        table_VC[self.tokens_U] = (sums_UD @ weight_CD.T + table_VC[self.tokens_U]) / (counts_U + 1)[:, None]
        return table_VC


def _shares(place_T: np.ndarray, ends_N1: np.ndarray, is_word_U: np.ndarray) -> Any:
    """Which part of each row is which token, of those that are words."""
    from scipy.sparse import csr_matrix, diags

    shape = (len(ends_N1) - 1, len(is_word_U))
    times_NU = csr_matrix((is_word_U[place_T].astype(np.float32), place_T, ends_N1), shape=shape)
    return diags(1 / np.maximum(times_NU @ np.ones(shape[1], np.float32), 1)) @ times_NU


def _told(words_UE: np.ndarray, sums_UD: np.ndarray, counts_U: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How the mean state of a token follows from its word vector, by ridge regression: slope_ED and start_D."""
    weights_U1 = np.minimum(counts_U, _OFTEN)[:, None]
    states_UD, total = sums_UD / np.maximum(counts_U, 1)[:, None], weights_U1.sum()
    word_E, state_D = ((weights_U1 * one).sum(0) / total for one in (words_UE, states_UD))
    centred_UE = words_UE - word_E
    square_EE = centred_UE.T @ (weights_U1 * centred_UE)
    ridge_EE = _RIDGE * np.trace(square_EE) / len(square_EE) * np.eye(len(square_EE), dtype=np.float32)
    slope_ED = np.linalg.solve(square_EE + ridge_EE, centred_UE.T @ (weights_U1 * (states_UD - state_D)))
    return slope_ED, state_D - word_E @ slope_ED


WAY = Way(
    order=80, price=4, title="no layers: each subword token has logits, and a row their mean", make=make, asked=True
)
