"""Words at a mask get the logits that transformers' own masked language model gives them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.conftest import _OWN, _SMALL
from torch import nn

from deepen.core.errors import ModelError, SettingError
from deepen.models.head import Inputs
from deepen.models.heads import masks
from deepen.models.load import load_encoder, load_pretrained
from deepen.models.mlm_head import MaskedHead, has_masked_head
from deepen.models.network import Network
from deepen.models.tokenizer import load_tokenizer
from deepen.prompting.cloze import Cloze, pieces_of

KINDS = ("bert", "roberta", "xlm-roberta", "camembert", "distilbert")
WORDS = [7, 41, 112]


@pytest.fixture(scope="module")
def masked_folder(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Any:
    """`masked_folder(kind, **config)`: a random masked language model as transformers writes it."""
    from transformers import AutoConfig, AutoModelForMaskedLM

    def make(kind: str, **given: Any) -> Path:
        small = {} if kind != "distilbert" else {"n_layers": 3, "n_heads": 4, "dim": 32, "hidden_dim": 48}
        left = set(_SMALL) - (
            {"hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"} if small else set()
        )
        values = {key: _SMALL[key] for key in left} | small | _OWN.get(kind, {}) | given
        folder = tmp_path_factory.mktemp(f"masked-{kind}")
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = AutoModelForMaskedLM.from_config(AutoConfig.for_model(kind, **values))
            for parameter in network.parameters():  # biases and norms too, so that leaving one out is seen
                nn.init.normal_(parameter, 1.0 if parameter.ndim == 1 else 0.0, 0.2)
        network.eval().save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            shutil.copyfile(tiny_model / name, folder / name)
        return folder

    return make


def ours_and_theirs(folder: Path, texts: list[str], cloze: Cloze) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits of `WORDS` at every mask, by Deepen and by transformers, one text at a time."""
    from transformers import AutoModelForMaskedLM

    encoder = load_encoder(folder).eval()
    source = MaskedHead(folder, encoder.config)
    weight_WD, bias_W = source.words(WORDS)
    head = nn.Linear(cloze.num_masks * encoder.hidden_size, 1)
    network = Network(encoder, head, masks.HEAD, source.transform()).eval()
    found = cloze.encode(load_tokenizer(folder), texts, max_tokens=30)
    assert found.units_M is not None
    starts_B = np.cumsum(found.lengths_B) - found.lengths_B
    units_M = found.units_M + np.repeat(starts_B, cloze.num_masks)
    ids_T = torch.from_numpy(found.ids_T.astype(np.int64))
    inputs = Inputs(torch.from_numpy(found.lengths_B), ids_T=ids_T, units_M=torch.from_numpy(units_M))
    model = AutoModelForMaskedLM.from_pretrained(folder).eval()
    with torch.inference_mode():
        ours = network.features(inputs).view(-1, encoder.hidden_size) @ weight_WD.T + bias_W
        rows = torch.split(ids_T, found.lengths_B.tolist())
        theirs = torch.cat([model(input_ids=row[None]).logits[0] for row in rows])
    return ours, theirs[units_M][:, WORDS]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_masks", [1, 2])
def test_the_logits_are_those_of_transformers(masked_folder: Any, kind: str, num_masks: int) -> None:
    folder = masked_folder(kind)
    assert has_masked_head(folder, kind)
    texts = ["the film was good", "a room", "very bad service again today and here"]
    ours, theirs = ours_and_theirs(folder, texts, Cloze("{} it was [MASK] .", num_masks))
    assert ours.shape == (len(texts) * num_masks, len(WORDS))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert"])
def test_a_head_with_words_of_its_own(masked_folder: Any, kind: str) -> None:
    folder = masked_folder(kind, tie_word_embeddings=False)
    ours, theirs = ours_and_theirs(folder, ["the film", "a bad room"], Cloze("[MASK] : {}", 1))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_old_names_of_a_norm(masked_folder: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(masked_folder("bert"), tmp_path / "old")
    state = load_file(folder / "model.safetensors")
    renamed = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in state.items()
    }
    assert set(renamed) != set(state)
    save_file(renamed, folder / "model.safetensors", {"format": "pt"})
    one, two = (MaskedHead(at, load_encoder(at).config).transform().norm for at in (folder, masked_folder("bert")))
    torch.testing.assert_close(one.weight, two.weight)
    torch.testing.assert_close(one.bias, two.bias)


def test_who_has_no_head(make_network: Any, masked_folder: Any, tmp_path: Path) -> None:
    assert not has_masked_head(make_network("bert"), "bert")
    assert not has_masked_head(make_network("electra"), "electra")
    folder = shutil.copytree(masked_folder("bert"), tmp_path / "cut")
    state = load_file(folder / "model.safetensors")
    del state["cls.predictions.transform.LayerNorm.weight"]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks cls\.predictions\.transform\.LayerNorm\.weight"):
        MaskedHead(folder, load_encoder(folder).config).transform()


def test_a_mask_that_is_read_as_letters_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "letters")
    told = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    told["added_tokens"] = [token for token in told["added_tokens"] if token["content"] != "[MASK]"]
    (folder / "tokenizer.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(SettingError, match=r"does not read its own mask, \[MASK\], as one token"):
        Cloze("{} was [MASK]", 1).encode(load_pretrained(str(folder)).tokenizer, ["film"], max_tokens=20)


def test_the_pattern_is_read_whole_and_only_its_masks_count(tiny_model: Path) -> None:
    tokenizer = load_pretrained(str(tiny_model)).tokenizer
    mask = tokenizer.hidden_id
    cloze = Cloze("the {} was [MASK] today", 2)
    texts = ["film", "[MASK] film", "good " * 80]
    found = cloze.encode(tokenizer, texts, max_tokens=20)
    assert found.units_M is not None
    assert found.truncated_B.tolist() == [False, False, True]
    assert found.lengths_B.max() == 20
    rows = np.split(found.ids_T, np.cumsum(found.lengths_B)[:-1])
    for row, units in zip(rows, found.units_M.reshape(-1, 2), strict=True):
        assert (row[units] == mask).all()
        assert units[1] == units[0] + 1 == len(row) - 3, "before `today` and the last special token"
    whole = tokenizer.backend.encode("the film was [MASK][MASK] today").ids
    assert rows[0].tolist() == whole
    with pytest.raises(SettingError, match="no room"):
        cloze.encode(tokenizer, ["film"], max_tokens=7)
    for wrong in ("[MASK] it", "{} it", "{} {} [MASK]"):
        with pytest.raises(SettingError, match="once"):
            Cloze(wrong, 1)


def _other_vocabulary(kind: str, folder: Path) -> Path:
    """A byte-level or a sentence-piece vocabulary with the mask of its family."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

    words = (
        ["Ġgood", "good", "Ġwas", "film"]
        if kind == "bytes"
        else ["▁good", "good", "▁was", "▁film", "▁", "好", "很", "的"]
    )
    names = ["<s>", "<pad>", "</s>", "<unk>", *words, *("abcdefghijklmnopqrstuvwxyz" if kind == "bytes" else ""), "Ġ"]
    if kind == "bytes":
        merges = [("g", "o"), ("go", "o"), ("goo", "d"), ("Ġ", "good")]
        names += ["go", "goo"]
        tokenizer = Tokenizer(
            models.BPE({name: at for at, name in enumerate(dict.fromkeys(names))}, merges, unk_token="<unk>")
        )
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer = Tokenizer(
            models.Unigram([(name, -1.0 - at) for at, name in enumerate(dict.fromkeys(names))], unk_id=3)
        )
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    ends = [(name, tokenizer.token_to_id(name)) for name in ("</s>", "<s>")]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.parametrize(
    ("kind", "pattern", "word", "pieces"),
    [
        ("bytes", "{} was [MASK].", "good", ["Ġgood"]),
        ("bytes", "[MASK] {}", "good", ["good"]),
        ("pieces", "{} was [MASK].", "good", ["▁good"]),
        ("pieces", "{}很[MASK]的", "好", ["好"]),
        ("pieces", "{}很[MASK]的", "good", ["good"]),
        ("pieces", "{} was [MASK].", "q", []),
    ],
)
def test_a_word_is_read_as_it_stands_in_the_pattern(
    kind: str, pattern: str, word: str, pieces: list[str], tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(_other_vocabulary(kind, tmp_path))
    found = [tokenizer.backend.id_to_token(piece) for piece in pieces_of(tokenizer, word, pattern)]
    assert found == pieces
    encoded = Cloze(pattern, 1).encode(tokenizer, ["film"], max_tokens=20)
    assert encoded.units_M is not None
    assert tokenizer.backend.id_to_token(int(encoded.ids_T[encoded.units_M[0]])) == "<mask>"
