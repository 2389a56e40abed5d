"""Tiny networks that write, of random weights, and rows to translate word by word."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

WORDS = {
    "the": "le",
    "red": "rouge",
    "blue": "bleu",
    "big": "grand",
    "cat": "chat",
    "dog": "chien",
    "bird": "oiseau",
    "sees": "voit",
    "likes": "aime",
    "a": "un",
    "old": "vieux",
    "house": "maison",
    "tree": "arbre",
    "here": "ici",
}
TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}> {{ message['content'] }} </s> {% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)


def pairs(num_rows: int, seed: int = 0) -> list[dict[str, str]]:
    """Sentences with their translation."""
    chance = random.Random(seed)
    rows = []
    for _ in range(num_rows):
        said = chance.choices(list(WORDS), k=chance.randint(3, 7))
        rows.append({"source": " ".join(said), "target": " ".join(WORDS[word] for word in said)})
    return rows


def _tokenizer(folder: Path, template: str | None, *, by_bytes: bool) -> int:
    """Writes one of words, or of bytes for a kind whose tokenizer transformers makes so whatever the file says."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    marks = ["<pad>", "</s>", "<unk>", "<s>", "<user>", "<assistant>", "<system>"]
    more = "summarize : Translation Summary Answer user assistant . ? ! is it open yes no".split()
    words = [*marks, *dict.fromkeys([*more, *WORDS, *WORDS.values()])]
    words = [*marks, *sorted(pre_tokenizers.ByteLevel.alphabet())] if by_bytes else words
    ids = {word: at for at, word in enumerate(words)}
    made = Tokenizer(models.BPE(ids, []) if by_bytes else models.WordLevel(ids, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel() if by_bytes else pre_tokenizers.WhitespaceSplit()
    if by_bytes:
        made.decoder = decoders.ByteLevel()
    marked = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    reader = PreTrainedTokenizerFast(tokenizer_object=made, additional_special_tokens=marks[4:], **marked)
    reader.chat_template = template
    reader.save_pretrained(folder)
    return len(words)


def _config(kind: str, size: int) -> Any:
    from transformers import CONFIG_MAPPING

    ends = {"pad_token_id": 0, "eos_token_id": 1, "vocab_size": size}
    if kind in ("t5", "mt5"):
        about: dict[str, Any] = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 3, "num_heads": 4}
        about |= {"decoder_start_token_id": 0, "num_decoder_layers": 3}
    elif kind in ("bart", "marian"):
        about = {"d_model": 32, "encoder_layers": 3, "decoder_layers": 3, "max_position_embeddings": 64}
        about |= {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in _SIZES.items()}
        about |= {"decoder_start_token_id": 0, "forced_eos_token_id": None, "bos_token_id": 0}
    else:
        about = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
        about |= {"num_key_value_heads": 2, "max_position_embeddings": 128, "head_dim": 8, "bos_token_id": None}
        about |= {"tie_word_embeddings": True}
    return CONFIG_MAPPING[kind](**about, **ends)


_SIZES = {"ffn_dim": 64, "attention_heads": 4}


def make_writer(folder: Path, kind: str, template: str | None = None) -> None:
    """Writes a network of that kind with a tokenizer, and perhaps a chat template, into a folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    config = _config(kind, _tokenizer(folder, template, by_bytes=kind == "qwen2"))
    maker = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    with torch.random.fork_rng():
        torch.manual_seed(0)
        maker.from_config(config).eval().save_pretrained(folder)
