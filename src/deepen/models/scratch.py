"""A network that writes and knows nothing yet: random weights, and a tokenizer made of the rows it will learn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from deepen.core.errors import ModelError, nearest
from deepen.core.files import cache_dir, fingerprint, replacing
from deepen.core.seal import seal, sealed
from deepen.core.seed import derive

_MOST_TEXTS, _MOST_CHARACTERS = 200_000, 2_000  # that a vocabulary is made of, and of each
_PAD, _END = "<pad>", "</s>"


class Size(NamedTuple):
    """Numbers of a token's vector, heads, numbers inside a layer, and layers, of each side where there are two."""

    width: int
    heads: int
    inner: int
    layers: int


SIZES = {
    "t5:tiny": Size(192, 4, 768, 3),
    "t5:small": Size(384, 6, 1536, 4),
    "llama:tiny": Size(256, 4, 512, 4),
    "llama:small": Size(384, 6, 1024, 8),
}
"""Networks by name; with 8,000 tokens the tiny ones have fewer than 5 million weights, the small ones fewer than 20."""


def is_scratch(name: str) -> bool:
    """Whether a name asks for random weights, as `t5:tiny`.

    Raises:
        ModelError: If there is no such size of the kind.
    """
    kind, colon, _ = name.partition(":")
    if not colon or kind not in {known.partition(":")[0] for known in SIZES}:
        return False
    if name not in SIZES:
        raise ModelError(f"unknown model '{name}'; {nearest(name, SIZES)}")
    return True


def write_scratch(name: str, texts: Sequence[str], *, vocabulary: int, seed: int) -> Path:
    """Makes a network and its tokenizer; equal arguments give equal weights.

    Args:
        name: One of `SIZES`.
        texts: Of what the tokenizer is made: byte pairs (BPE) over bytes, so that it can write any text.
        vocabulary: The most tokens; fewer texts give fewer.

    Returns:
        A folder of the cache that plain transformers opens.
    """
    some = [text[:_MOST_CHARACTERS] for text in texts[:: max(1, len(texts) // _MOST_TEXTS)]]
    folder = cache_dir() / "models" / f"{name.replace(':', '-')}-{fingerprint('scratch', 1, vocabulary, seed, some)}"
    if sealed(folder):
        return folder
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM, AutoModelForSeq2SeqLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    kind, size = name.partition(":")[0], SIZES[name]
    with replacing(folder) as beside:
        num_tokens = _write_tokenizer(some, beside, vocabulary, ends=kind == "t5")
        about = _t5 if kind == "t5" else _llama
        config: Any = CONFIG_MAPPING[kind](vocab_size=num_tokens, pad_token_id=0, eos_token_id=1, **about(size))
        maker = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "scratch"))
            maker.from_config(config).save_pretrained(beside)
        seal(beside)
    return folder


def _t5(size: Size) -> dict[str, Any]:
    return {
        "d_model": size.width,
        "d_kv": size.width // size.heads,
        "d_ff": size.inner,
        "num_layers": size.layers,
        "num_decoder_layers": size.layers,
        "num_heads": size.heads,
        "decoder_start_token_id": 0,
        "tie_word_embeddings": True,
    }


def _llama(size: Size) -> dict[str, Any]:
    return {
        "hidden_size": size.width,
        "intermediate_size": size.inner,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "max_position_embeddings": 2048,
        "bos_token_id": None,
        "tie_word_embeddings": True,
    }


def _write_tokenizer(texts: Sequence[str], folder: Path, vocabulary: int, *, ends: bool) -> int:
    """Writes a tokenizer, and says how many tokens it has; `ends` puts the end after every text, as T5 reads it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[_PAD, _END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    if ends:
        made.post_processor = processors.TemplateProcessing(
            single=f"$A {_END}", pair=f"$A {_END} $B {_END}", special_tokens=[(_END, 1)]
        )
    PreTrainedTokenizerFast(tokenizer_object=made, pad_token=_PAD, eos_token=_END).save_pretrained(folder)
    return made.get_vocab_size()
