"""A model without layers: each subword token has logits of its own, and a row has the mean of those of its tokens.

It is the module `StaticEmbedding` of sentence-transformers, whose `encode` gives the logits. Numpy is all that runs it.

Shape legend: V tokens of the vocabulary, S sequences, L tokens of the longest, R rows, C outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from deepen.core.files import write_json
from deepen.core.foreign import blaming
from deepen.models.arrays import check_shapes, read_arrays
from deepen.models.asked import PROMPTS, keep_prefix
from deepen.models.runtimes.form import Runtime
from deepen.models.tokenizer import Tokenizer

FILE, _TABLE = "model.safetensors", "embedding.weight"


class StaticNetwork:
    """The table, as `OnnxNetwork`: arrays in, arrays out. A token whose logits are all 0 counts for nothing."""

    def __init__(self, folder: Path, runtime: Runtime) -> None:
        self.path, self.runtime = folder / FILE, runtime
        arrays = read_arrays(self.path, {_TABLE: 2})
        self.table_VC = arrays[_TABLE].astype(np.float32)
        check_shapes(self.path, arrays, {_TABLE: (len(self.table_VC), runtime.width)})
        self.counts_V = np.asarray(self.table_VC.any(1), np.float32)

    def run(self, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The logits of each row.

        Args:
            arrays: What it reads, by name, as in `Runtime.inputs`.

        Raises:
            ModelError: If a token is not in the table.
        """
        ids_SL = arrays["input_ids"]
        with blaming(self.path, "the tokenizer beside it knows other tokens"):
            weights_SL = arrays["attention_mask"] * self.counts_V[ids_SL]
            sums_SC = np.einsum("sl,slc->sc", weights_SL, self.table_VC[ids_SL])
        counts_S1 = weights_SL.sum(1, keepdims=True)
        if "windows" in arrays:
            sums_SC, counts_S1 = arrays["windows"] @ sums_SC, arrays["windows"] @ counts_S1
        return [sums_SC / np.maximum(counts_S1, 1)]


def is_static(folder: Path) -> bool:
    """Whether a model folder holds such a table: weights for sentence-transformers, and no network's config.json."""
    there = [(folder / name).is_file() for name in (FILE, "modules.json", "config.json")]
    return there == [True, True, False]


def around(tokenizer: Tokenizer) -> list[int]:
    """The tokens that are no words: those around a text, and what hides a word or fills a grid."""
    added = tokenizer.backend.get_added_tokens_decoder().items()
    return [at for at, token in added if token.special and at != tokenizer.unknown_id]


def save_static(
    table_VC: np.ndarray, folder: Path, labels: Sequence[str], tokenizer: Tokenizer, *, max_tokens: int
) -> None:
    """Writes a table with its tokenizer so that sentence-transformers reads the folder too.

    Args:
        table_VC: Logits of each token; of those that are around a text, zeros.
        folder: An empty folder.
        labels: Label names in the order of the logits.
        tokenizer: Makes the tokens.
        max_tokens: Where texts are cut, with the tokens around them.
    """
    from safetensors.numpy import save_file

    save_file({_TABLE: np.ascontiguousarray(table_VC, np.float16)}, folder / FILE, {"format": "pt"})
    tokenizer.backend.enable_truncation(max_tokens - tokenizer.backend.num_special_tokens_to_add(False))
    tokenizer.backend.save(str(folder / "tokenizer.json"))
    module = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.StaticEmbedding"}
    write_json(folder / "modules.json", [module])
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_tokens, "do_lower_case": False})
    write_json(folder / PROMPTS, {"prompts": {}, "default_prompt_name": None})
    keep_prefix(tokenizer.folder, folder)
    write_json(folder / "labels.json", list(labels))
