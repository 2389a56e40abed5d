"""Only the subword tokens that the training and unlabelled rows use, single characters, and the likeliest others.

So many that the file is half as large, but no fewer than 16,000.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from deepen.compression.way import Given, Way, network_of, save_model
from deepen.data.batches import flat_positions
from deepen.data.table import Part
from deepen.finetuning.predictor import EncoderPredictor
from deepen.models.encoder import Encoder
from deepen.models.vocabulary import trim

_FEWEST = 16_000


def make(given: Given, folder: Path) -> None:
    """Writes the model with a table of word vectors for those tokens alone."""
    predictor = network_of(given.model)
    used, times = np.unique(np.concatenate([_read(predictor, part) for part in given.learning]), return_counts=True)
    seen = _read(predictor, given.held)
    network = deepcopy(predictor.network)
    config = network.encoder.config
    before = config.vocab_size
    with TemporaryDirectory() as beside:
        tokenizer, old = trim(
            predictor.tokenizer,
            {predictor.tokenizer.hidden_id: 1} | dict(zip(used.tolist(), times.tolist(), strict=True)),
            Path(beside) / "tokenizer",
            first=(config.pad_token_id or 0) + 1,
            most=max(_FEWEST, _in_half(network.encoder)),
        )
        cut(network.encoder, old)
        save_model(given.model, replace(predictor, network=network, tokenizer=tokenizer), folder)
    lost = int((~np.isin(seen, old)).sum())
    given.say(
        f"  vocabulary: {len(old):,} of {before:,} subword tokens stay; of {len(seen):,} in held-out rows "
        f"{lost:,} ({lost / max(1, len(seen)):.2%}) are read as smaller ones"
    )


def _read(predictor: EncoderPredictor, part: Part) -> np.ndarray:
    """The tokens that are read of some rows."""
    tokens = predictor.tokens(part.table)
    return np.asarray(tokens.ids_T[flat_positions(tokens.offsets_N1, part.rows_N)])


def _in_half(encoder: Encoder) -> int:
    """The tokens whose vectors, of 16 bits, leave the file half as large."""
    words_VD = encoder.network.get_input_embeddings().weight  # type: ignore[operator]
    weights = sum(weight.numel() for weight in encoder.network.parameters())
    return int(2 * (weights / 2 - (weights - words_VD.numel())) / words_VD.shape[1])


def cut(encoder: Encoder, old: list[int]) -> None:
    """Leaves of the word vectors those of these tokens, in this order."""
    network, config = encoder.network, encoder.config
    words_VD = network.get_input_embeddings().weight.detach()  # type: ignore[operator]
    rows = [at for at in old if at < len(words_VD)]
    table = torch.nn.Embedding(len(rows), words_VD.shape[1], device=words_VD.device)
    table.weight = torch.nn.Parameter(words_VD[torch.tensor(rows, device=words_VD.device)], requires_grad=False)
    network.set_input_embeddings(table)  # type: ignore[operator]
    new = {token: at for at, token in enumerate(rows)}
    config.vocab_size = len(rows)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        if getattr(config, name, None) is not None:
            setattr(config, name, new.get(getattr(config, name)))


WAY = Way(order=10, price=2, title="only the subword tokens that the rows use", make=make)
