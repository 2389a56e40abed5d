"""A small random network of many architectures, in a folder as transformers writes it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepen.models.encoder import ARCHITECTURES

_SMALL = {
    "vocab_size": 300,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "initializer_range": 0.2,
    "pad_token_id": 0,
}
_OWN: dict[str, dict[str, Any]] = {
    "electra": {"embedding_size": 16},
    "roberta": {"type_vocab_size": 1},
    "xlm-roberta": {"type_vocab_size": 1},
    "camembert": {"type_vocab_size": 1},
    "llama": {"num_key_value_heads": 2},
    "mistral": {"num_key_value_heads": 2, "sliding_window": None, "head_dim": 6},
    "distilbert": {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48},
}
_T5 = {"d_model": 32, "d_kv": 8, "num_layers": 3, "num_heads": 4, "d_ff": 48}
BY_LAYERS: dict[str, dict[str, Any]] = {  # those that transformers' own layers run
    "modernbert": {"local_attention": 8, "global_attn_every_n_layers": 3},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8}
    | {"type_vocab_size": 0, "share_att_key": True, "norm_rel_ebd": "layer_norm", "position_biased_input": False},
    "mpnet": {"pad_token_id": 1},
    "albert": {"embedding_size": 16},
    "eurobert": {"num_key_value_heads": 2},
    "qwen2": {"num_key_value_heads": 2},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 8},
    "gemma3_text": {"num_key_value_heads": 2, "head_dim": 8, "sliding_window": 6}
    | {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
    "t5": _T5,
    "nomic_bert": {},
}
_OTHER_NAMES = {
    "distilbert": {"hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"},
    "t5": _SMALL.keys() - {"vocab_size", "pad_token_id"},
}
MakeNetwork = Callable[..., Path]


@pytest.fixture(scope="session")
def make_network(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> MakeNetwork:
    """`make_network(architecture, **config)`: the folder of a random network with the tiny world's tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModel

    def make(architecture: str, **given: Any) -> Path:
        own = _OWN.get(architecture) or BY_LAYERS.get(architecture, {})
        taken = _OTHER_NAMES.get(architecture, set())
        special = dict.fromkeys(("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id", "mask_token_id"), 2)
        values = {key: value for key, value in _SMALL.items() if key not in taken} | special | own | given
        folder = tmp_path_factory.mktemp(architecture)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = AutoModel.from_config(AutoConfig.for_model(architecture, **values))
            for parameter in network.parameters():  # biases and norms too, so that leaving one out is seen
                torch.nn.init.normal_(parameter, 1.0 if parameter.ndim == 1 else 0.0, 0.2)
        network.eval().save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            shutil.copyfile(tiny_model / name, folder / name)
        if architecture in BY_LAYERS:  # some have a class of their own, which would not read this vocabulary
            about = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
            about["tokenizer_class"] = "PreTrainedTokenizerFast"
            (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session", params=sorted(ARCHITECTURES))
def any_network(request: pytest.FixtureRequest, make_network: MakeNetwork) -> Path:
    """The folder of a network of each architecture in turn."""
    return make_network(request.param)


@pytest.fixture(scope="session", params=[*sorted(ARCHITECTURES), *BY_LAYERS])
def every_network(request: pytest.FixtureRequest, make_network: MakeNetwork) -> Path:
    """The folder of a network of each architecture in turn, also of those that transformers' own layers run."""
    return make_network(request.param)
