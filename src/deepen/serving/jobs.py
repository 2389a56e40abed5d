"""What a model process does for a request: answers, and beside them raw scores, vectors of texts, masked texts.

Shape legend: B texts, T tokens of all of them, D hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from deepen.data.batches import sorted_batches
from deepen.data.masking import mask
from deepen.finetuning.predictor import EncoderPredictor
from deepen.models.encoder import Encoder, layout
from deepen.models.pooling import over_tokens
from deepen.models.tokenizer import Tokenizer
from deepen.serving.answering import LETTERS_A_TOKEN, Row, Served
from deepen.serving.messages import dumps
from deepen.serving.names import MASK, SCORES, VECTORS

_BATCH_TOKENS = 2048
Job = Callable[[Sequence[Row]], list[bytes]]
"""Rows to a JSON object each."""


def jobs(served: Mapping[str, Served]) -> dict[str, Job]:
    """Every job of a process by its name.

    Args:
        served: Models by the names of their runs.

    Returns:
        The jobs; vectors only of runs with an encoder.
    """
    found: dict[str, Job] = {MASK: _masks}
    for run, one in served.items():
        found[run] = one.answers
        found[run + SCORES] = _scores(one)
        if embeds(one):
            predictor = one.model.predictor
            found[run + VECTORS] = Vectors(predictor.network.encoder, predictor.tokenizer)  # type: ignore[attr-defined]
    return found


def embeds(served: Served) -> bool:
    """Whether a model has an encoder that is at hand; that of an export is inside its graph."""
    return isinstance(served.model.predictor, EncoderPredictor)


def _scores(served: Served) -> Job:
    return lambda rows: [dumps(served.scored(row)) for row in rows]


def _masks(rows: Sequence[Row]) -> list[bytes]:
    """The masked `text`, and `entities` with places in the text that came."""
    found = [mask(row["text"], kinds=frozenset(row["entities"])) for row in rows]
    return [
        dumps(
            {
                "text": one.text,
                "entities": [
                    {"entity_type": span.kind, "start": span.start, "end": span.end, "score": 1.0} for span in one.spans
                ],
            }
        )
        for one in found
    ]


@dataclass(frozen=True)
class Vectors:
    """A text's vector: the mean of the last hidden states of its tokens, special ones too."""

    encoder: Encoder
    tokenizer: Tokenizer

    def __call__(self, rows: Sequence[Row]) -> list[bytes]:
        """`vector`, of `length` 1 or its own, and `truncated`."""
        most = self.tokenizer.max_tokens
        letters = most * LETTERS_A_TOKEN
        tokens = self.tokenizer.encode([row["text"][:letters] for row in rows], max_tokens=most)
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
