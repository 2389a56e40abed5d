"""The head of a masked language model: how well chosen words fit at a mask, without the rest of the vocabulary.

Shape legend: R rows, K masks of a row, D hidden size, W pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from deepen.core.errors import ModelError
from deepen.models.encoder import ACTIVATIONS
from deepen.models.weights import forms, tensor_named, weight_files


class _Names(NamedTuple):
    """What an architecture calls the parts of its head; rows that are not there are those of the embeddings."""

    dense: str
    norm: str
    rows: str
    biases: tuple[str, ...]


_BERT = _Names(
    dense="cls.predictions.transform.dense",
    norm="cls.predictions.transform.LayerNorm",
    rows="cls.predictions.decoder.weight",
    biases=("cls.predictions.decoder.bias", "cls.predictions.bias"),
)
_ROBERTA = _Names(
    "lm_head.dense", "lm_head.layer_norm", "lm_head.decoder.weight", ("lm_head.decoder.bias", "lm_head.bias")
)
_DISTILBERT = _Names("vocab_transform", "vocab_layer_norm", "vocab_projector.weight", ("vocab_projector.bias",))
_HEADS = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "distilbert": _DISTILBERT,
}
_EMBEDDINGS = "embeddings.word_embeddings.weight"
_OLD_NAMES = {"weight": "gamma", "bias": "beta"}  # of a norm, in BERT's first files


class Transform(nn.Module):
    """What a masked language model does with a hidden state before it compares it with words."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        kind = config.model_type
        size = int(config.hidden_size)
        self.dense = nn.Linear(size, size)
        self.norm = nn.LayerNorm(size, eps=1e-12 if kind == "distilbert" else float(config.layer_norm_eps))
        own = config.activation if kind == "distilbert" else config.hidden_act
        self.activation = ACTIVATIONS["gelu" if _HEADS[kind] is _ROBERTA else own]

    def forward(self, joined_RF: Tensor) -> Tensor:
        """Vectors whose products with the rows of words are logits; those of a row's masks are joined, F = K * D."""
        states_RKD = joined_RF.view(len(joined_RF), -1, self.dense.in_features)
        return cast(Tensor, self.norm(self.activation(self.dense(states_RKD))).flatten(1))


class MaskedHead:
    """The head of a model folder, of which only the parts that are asked for are read."""

    def __init__(self, folder: Path, config: Any) -> None:
        self.folder, self.config = folder, config
        self.path = weight_files(folder)[0]
        self.names = _HEADS[config.model_type]
        self.known = set(forms(folder))

    def transform(self) -> Transform:
        """The layers before the words.

        Raises:
            ModelError: If a part is missing or has another size.
        """
        made = Transform(self.config)
        parts = {"dense": self.names.dense, "norm": self.names.norm}
        try:
            state = {
                f"{part}.{kind}": tensor_named(
                    self.folder,
                    _first(self.known, f"{name}.{kind}", f"{name}.{_OLD_NAMES[kind]}", where=self.path),
                )
                for part, name in parts.items()
                for kind in ("weight", "bias")
            }
            made.load_state_dict({name: tensor.float() for name, tensor in state.items()})
        except (SafetensorError, OSError, RuntimeError) as error:
            raise ModelError(f"{self.path}: the masked-LM head can't be read: {error}") from None
        return made

    def words(self, pieces_W: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The rows of some pieces of the vocabulary.

        Returns:
            weight_WD and bias_W: a piece's logit is its row times what `transform` gives, plus its bias.

        Raises:
            ModelError: If they are missing.
        """
        try:
            embeddings = next((key for key in sorted(self.known) if key.endswith(_EMBEDDINGS)), _EMBEDDINGS)
            rows = tensor_named(self.folder, _first(self.known, self.names.rows, embeddings, where=self.path))
            bias = tensor_named(self.folder, _first(self.known, *self.names.biases, where=self.path))
            chosen_W = torch.tensor(pieces_W)
            return rows[chosen_W].float(), bias[chosen_W].float()
        except (SafetensorError, OSError, IndexError) as error:
            raise ModelError(f"{self.path}: the masked-LM head can't be read: {error}") from None


def _first(known: set[str], *names: str, where: Path) -> str:
    found = next((name for name in names if name in known), None)
    if found is None:
        raise ModelError(f"{where}: the masked-LM head lacks {names[0]}")
    return found


def has_masked_head(folder: Path, kind: str) -> bool:
    """Whether a model folder holds the head of a masked language model.

    Args:
        kind: Its architecture, as `model_type` in config.json.
    """
    if kind not in _HEADS:
        return False
    return f"{_HEADS[kind].dense}.weight" in forms(folder)
