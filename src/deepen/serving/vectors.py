"""Vectors of texts, by the encoder of a run.

Shape legend: B texts, T tokens of all of them, D hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from deepen.data.batches import sorted_batches
from deepen.data.masking import Kind, mask
from deepen.models.encoder import Encoder, layout
from deepen.models.pooling import over_tokens
from deepen.models.tokenizer import Tokenizer
from deepen.serving.answering import LETTERS_A_TOKEN, Row, Served
from deepen.serving.messages import dumps

_BATCH_TOKENS = 2048


def vectors(served: Served) -> Vectors:
    """The job of a model with an encoder."""
    predictor = served.model.predictor
    masked = served.model.settings.masked
    return Vectors(predictor.network.encoder, predictor.tokenizer, masked)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Vectors:
    """A text's vector: the mean of the last hidden states of its tokens, special ones too."""

    encoder: Encoder
    tokenizer: Tokenizer
    masked: tuple[Kind, ...] = ()
    """What is masked in a text before it is read."""

    def __call__(self, rows: Sequence[Row]) -> list[bytes]:
        """`vector`, of `length` 1 or its own, and `truncated`."""
        most = self.tokenizer.max_tokens
        letters = most * LETTERS_A_TOKEN
        texts = [row["text"][:letters] for row in rows]
        texts = [mask(text, kinds=self.masked).text for text in texts] if self.masked else texts
        tokens = self.tokenizer.encode(texts, max_tokens=most)
        starts_B = np.cumsum(tokens.lengths_B) - tokens.lengths_B
        found: list[bytes] = [b""] * len(rows)
        for chosen in sorted_batches(tokens.lengths_B, max_tokens=_BATCH_TOKENS):
            parts = [tokens.ids_T[starts_B[at] : starts_B[at] + tokens.lengths_B[at]] for at in chosen]
            for at, mean_D in zip(chosen, self._means(parts), strict=True):
                vector_D = functional.normalize(mean_D, dim=0) if rows[at]["length"] == "1" else mean_D
                short = bool(tokens.truncated_B[at]) or len(rows[at]["text"]) > letters
                found[at] = dumps({"vector": vector_D.tolist(), "truncated": short})
        return found

    def _means(self, parts: list[np.ndarray]) -> torch.Tensor:
        device = self.encoder.device
        with torch.inference_mode():
            where = layout(torch.tensor([len(part) for part in parts], device=device))
            ids_T = torch.from_numpy(np.concatenate(parts)).to(device)
            hidden_TD = self.encoder.embed(ids_T, None, where)
            hidden_TD = self.encoder.run(hidden_TD, where, 0, self.encoder.num_layers)
            return over_tokens(hidden_TD, where).float().cpu()
