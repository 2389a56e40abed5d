"""One suite for every architecture: it is cut right, every tuning goes on it, and other tools read what is saved."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.conftest import BY_LAYERS, MakeNetwork
from tests.models.test_encoder import UNEQUAL, packed
from tests.models.test_save import LABELS, logits, network_of
from torch import Tensor

from deepen import tuning
from deepen.core.errors import ModelError, SettingError
from deepen.core.shelf import values
from deepen.finetuning.predictor import put_on
from deepen.models.adapters import Adapter, Method
from deepen.models.any_encoder import AnyEncoder
from deepen.models.encoder import Encoder, layout
from deepen.models.head import Inputs
from deepen.models.linears import PARTS
from deepen.models.load import load_encoder, load_pretrained
from deepen.models.save import load_adapter, load_network, save_adapter, save_network

METHODS = values(tuning, Method)
NO_BIAS = ("llama", "mistral", "modernbert", "eurobert", "qwen3", "gemma3_text", "t5")


def plainly(folder: Path) -> torch.nn.Module:
    """The network as plain transformers reads it."""
    from transformers import AutoModel, T5EncoderModel

    kind = json.loads((folder / "config.json").read_text())["model_type"]
    return (T5EncoderModel if kind == "t5" else AutoModel).from_pretrained(folder).eval()


def whole(encoder: Encoder, lengths: list[int]) -> Tensor:
    ids_T, _, lengths_B = packed(lengths)
    where = layout(lengths_B)
    return encoder.run(encoder.embed(ids_T, None, where), where, 0, encoder.num_layers)


def test_cut_anywhere_it_is_the_network_of_transformers(every_network: Path) -> None:
    """And which path ran: the fast one takes what it took before, and nothing else."""
    encoder, kind = load_encoder(every_network).eval(), load_pretrained(str(every_network)).config["model_type"]
    assert encoder.packed == (kind not in BY_LAYERS) == (not isinstance(encoder, AnyEncoder))
    ids_T, _, lengths_B = packed(UNEQUAL)
    grid, mask = torch.full((len(UNEQUAL), max(UNEQUAL)), encoder.config.pad_token_id), torch.zeros(5, 12)
    for row, ids in enumerate(ids_T.split(UNEQUAL)):
        grid[row, : len(ids)], mask[row, : len(ids)] = ids, 1
    where = layout(lengths_B)
    with torch.inference_mode():
        right = plainly(every_network)(input_ids=grid, attention_mask=mask.long())[0][mask.bool()]
        for cut in range(encoder.num_layers + 1):
            lower_TD = encoder.run(encoder.embed(ids_T, None, where), where, 0, cut)
            upper_TD = encoder.run(lower_TD, where, cut, encoder.num_layers)
            torch.testing.assert_close(upper_TD, right, atol=1e-5, rtol=1e-5)
        for ids, rows in zip(ids_T.split(UNEQUAL), right.split(UNEQUAL), strict=True):
            alone = layout(torch.tensor([len(ids)]))
            found = encoder.run(encoder.embed(ids, None, alone), alone, 0, encoder.num_layers)
            torch.testing.assert_close(found, rows, atol=1e-5, rtol=1e-5)


def test_every_tuning_goes_on_and_comes_back(every_network: Path, tmp_path: Path) -> None:
    """Its gradient reaches all that learns, and what it learned says the same on the pretrained model again."""
    ids_T, _, lengths_B = packed(UNEQUAL)
    where, pretrained = layout(lengths_B), load_encoder(every_network)
    kind = pretrained.config.model_type
    for part in PARTS:
        assert all(pretrained.linears(layer, part) for layer in pretrained.layers), part
    with torch.inference_mode():
        lower_TD = pretrained.run(pretrained.embed(ids_T, None, where), where, 0, 1)
    for name, method in METHODS.items():
        encoder = deepcopy(pretrained)
        if name == "bitfit" and kind in NO_BIAS:
            with pytest.raises(SettingError, match="have no biases"):
                method.attach(encoder, 1, method.settings())
            continue
        attached = method.attach(encoder, 1, method.settings())
        encoder.run(lower_TD.clone(), where, 1, 3).square().sum().backward()
        learning = {path: p for path, p in encoder.network.named_parameters() if p.requires_grad}
        assert learning, name
        assert all(f"{encoder.names.layers}.{at}." not in path for path in learning for at in (0,)), name
        assert [path for path, p in learning.items() if p.grad is None] == [], name
        with torch.no_grad():
            for parameter in learning.values():
                parameter.add_(0.02)
        adapter = attached.adapter(name, "base", 1, method.settings())
        with torch.inference_mode():
            right = encoder.eval().run(lower_TD, where, 1, 3)
            attached.merge()
            torch.testing.assert_close(encoder.run(lower_TD, where, 1, 3), right, atol=2e-5, rtol=1e-4)
            again = deepcopy(pretrained)
            put_on(again, adapter)
            torch.testing.assert_close(again.eval().run(lower_TD, where, 1, 3), right, atol=2e-5, rtol=1e-4)


def test_other_tools_read_what_is_saved(every_network: Path, tmp_path: Path) -> None:
    from peft import PeftModel
    from sentence_transformers import SentenceTransformer

    network, out = network_of(every_network, "mean"), tmp_path / "model"
    save_network(network, out, tokenizer_folder=every_network, labels=LABELS, max_tokens=20)
    right = logits(network, out, max_tokens=20)
    texts = ["good film", "not bad at all , and the battery looks fine", "awful", "the " * 60, "Ünknown 词 !?"]
    reader = SentenceTransformer(str(out), device="cpu")
    if network.encoder.config.model_type == "qwen2":  # its own class of tokenizers can't read the tiny vocabulary
        ids_T, _, _ = packed([9])
        found = reader({"input_ids": ids_T[None], "attention_mask": torch.ones(1, 9, dtype=torch.int64)})
        found = found["sentence_embedding"].detach().numpy()
        right = network(Inputs(torch.tensor([9]), ids_T=ids_T)).detach().numpy()
    else:
        found = reader.encode(texts, batch_size=2)
    np.testing.assert_allclose(found, right, atol=1e-5)
    again = load_network(out)
    assert again.encoder.packed == network.encoder.packed
    np.testing.assert_array_equal(*(logits(each, out, max_tokens=20) for each in (again, network)))

    method = METHODS["lora"]
    encoder = load_encoder(every_network).eval()
    attached = method.attach(encoder, 1, method.settings())
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * parameter.requires_grad)
    adapter: Adapter = attached.adapter("lora", str(every_network), 1, method.settings())
    save_adapter(network, adapter, out / "adapter", tokenizer_folder=every_network, max_tokens=20)
    read = load_adapter(out)
    assert read is not None
    assert all(torch.equal(tensor, adapter.tensors[name]) for name, tensor in read.tensors.items())
    if (out / "adapter" / "adapter_config.json").is_file():
        tuned = PeftModel.from_pretrained(plainly(every_network), str(out / "adapter")).eval()
        ids_T, _, _ = packed([9])
        with torch.inference_mode():
            theirs = tuned(input_ids=ids_T[None], attention_mask=torch.ones(1, 9, dtype=torch.int64))[0][0]
        torch.testing.assert_close(theirs, whole(encoder, [9]), atol=2e-5, rtol=1e-4)
    else:
        assert encoder.config.model_type == "albert", "whose layers PEFT finds shared"


@pytest.mark.parametrize("kind", ["mpnet", "modernbert", "t5"])
def test_a_head_on_words(make_network: MakeNetwork, kind: str, tmp_path: Path) -> None:
    """In a class of transformers where its head is one layer, else beside the encoder."""
    from transformers import AutoModelForTokenClassification

    folder = make_network(kind)
    network = network_of(folder, "units")
    save_network(network, tmp_path, tokenizer_folder=folder, labels=LABELS, max_tokens=20)
    again = load_network(tmp_path)
    assert torch.equal(again.head.weight, network.head.weight)
    ids_T, _, _ = packed([9])
    with torch.inference_mode():
        right = network.head(whole(network.encoder, [9]))
        torch.testing.assert_close(again.head(whole(again.encoder, [9])), right, atol=1e-6, rtol=0)
        if kind == "modernbert":
            assert (tmp_path / "head").is_dir()
            return
        tagger, report = AutoModelForTokenClassification.from_pretrained(tmp_path, output_loading_info=True)
        assert not report["missing_keys"]
        mask = torch.ones(1, 9, dtype=torch.int64)
        found = tagger.eval()(input_ids=ids_T[None], attention_mask=mask).logits[0]
    torch.testing.assert_close(found, right, atol=1e-5, rtol=1e-4)


def test_dropout_is_what_was_chosen(make_network: MakeNetwork) -> None:
    encoder = load_encoder(make_network("mpnet")).train()
    with torch.inference_mode():
        assert not torch.equal(whole(encoder, UNEQUAL), whole(encoder, UNEQUAL))
        encoder.dropout = 0.0
        assert torch.equal(whole(encoder, UNEQUAL), whole(encoder, UNEQUAL))


def test_a_network_that_can_not_be_cut_is_refused(make_network: MakeNetwork) -> None:
    """Its second layer reads, besides what the first one says, the words again."""
    with pytest.raises(ModelError, match="gives other numbers than as a whole"):
        load_encoder(make_network("deberta-v2", conv_kernel_size=3))
