"""Learned vectors on every architecture: packed as padded, as PEFT has them, and each text for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from deepen.core.errors import SettingError
from deepen.models.encoder import Encoder, layout
from deepen.models.load import load_encoder
from deepen.models.prompts import Prompt, peft_config, put_before, to_peft, usual_words
from deepen.tuning import prefix

LENGTHS, NUMBER = [7, 3, 12, 1, 5], 4


def texts(lengths: list[int]) -> Tensor:
    return torch.randint(5, 300, (sum(lengths),), generator=torch.Generator().manual_seed(1))


def attached(folder: Path, kind: str, first_layer: int) -> Encoder:
    encoder = load_encoder(folder).eval()
    with torch.random.fork_rng():
        torch.manual_seed(2)
        if kind == "prefix":
            prefix.attach(encoder, first_layer, prefix.TuningSettings(num_virtual_tokens=NUMBER))
        else:
            put_before(encoder, first_layer, NUMBER)
        with torch.no_grad():
            for parameter in encoder.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.3 * torch.randn_like(parameter))
    return encoder


def run(encoder: Encoder, ids_T: Tensor, lengths: list[int], cut: int = 0) -> Tensor:
    where = layout(torch.tensor(lengths))
    with torch.inference_mode():
        lower_TD = encoder.run(encoder.embed(ids_T, None, where), where, 0, cut)
        return encoder.run(lower_TD, where, cut, encoder.num_layers)


@pytest.mark.parametrize("first_layer", [0, 1, 2])
@pytest.mark.parametrize("kind", ["prefix", "prompt"])
def test_each_text_reads_for_itself(any_network: Path, kind: str, first_layer: int) -> None:
    """Of unequal lengths, of equal ones, and cut below the vectors, which is how the cache is read."""
    encoder, bare = attached(any_network, kind, first_layer), load_encoder(any_network).eval()
    ids_T = texts(LENGTHS)
    found_TD = run(encoder, ids_T, LENGTHS)
    alone = [run(encoder, ids, [len(ids)]) for ids in ids_T.split(LENGTHS)]
    torch.testing.assert_close(found_TD, torch.cat(alone), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(run(encoder, ids_T, LENGTHS, cut=first_layer), found_TD, atol=1e-5, rtol=1e-5)
    same = ids_T[:9]
    torch.testing.assert_close(run(encoder, same.repeat(2), [9, 9])[9:], run(encoder, same, [9]), atol=1e-5, rtol=1e-5)
    assert float((found_TD - run(bare, ids_T, LENGTHS)).abs().max()) > 0.01, "the vectors are read"


@pytest.mark.parametrize("first_layer", [1, 2])
def test_a_prompt_at_the_cut_is_read_as_tokens_are(any_network: Path, first_layer: int) -> None:
    encoder, bare = attached(any_network, "prompt", first_layer), load_encoder(any_network).eval()
    prompt: Any = encoder.layers[first_layer].get_submodule("prompt")
    ids_T, where, longer = texts([6]), layout(torch.tensor([6])), layout(torch.tensor([6 + NUMBER]))
    with torch.inference_mode():
        lower_TD = bare.run(bare.embed(ids_T, None, where), where, 0, first_layer)
        right_TD = bare.run(torch.cat([prompt.vectors, lower_TD]), longer, first_layer, bare.num_layers)[NUMBER:]
    torch.testing.assert_close(run(encoder, ids_T, [6]), right_TD, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["prefix", "prompt"])
def test_peft_says_the_same_of_a_padded_batch(any_network: Path, kind: str) -> None:
    from peft import get_peft_config, get_peft_model

    encoder = attached(any_network, kind, 0)
    if kind == "prefix" and encoder.config.model_type == "distilbert":
        pytest.skip("takes no keys and values from outside")
    if kind == "prompt" and encoder.config.model_type == "electra":
        pytest.skip("its word vectors are narrower than its layers, which PEFT has no place for")
    peft_type = {"prefix": "PREFIX_TUNING", "prompt": "PROMPT_TUNING"}[kind]
    model: Any = get_peft_model(
        load_encoder(any_network).network, get_peft_config(peft_config(encoder, peft_type, NUMBER))
    )
    packed = to_peft({name: p for name, p in encoder.network.named_parameters() if p.requires_grad})
    ids_T, longest = texts(LENGTHS), max(LENGTHS)
    grid, mask = torch.zeros(len(LENGTHS), longest, dtype=torch.int64), torch.zeros(len(LENGTHS), longest)
    grid += encoder.config.pad_token_id
    for row, ids in enumerate(ids_T.split(LENGTHS)):
        grid[row, : len(ids)], mask[row, : len(ids)] = ids, 1
    with torch.no_grad():
        model.prompt_encoder["default"].embedding.weight.copy_(packed["prompt_embeddings"])
        hidden = model.eval()(input_ids=grid, attention_mask=mask).last_hidden_state[:, -longest:]
    right_TD = torch.cat([row[:length] for row, length in zip(hidden, LENGTHS, strict=True)])
    torch.testing.assert_close(run(encoder, ids_T, LENGTHS), right_TD, atol=1e-5, rtol=1e-5)


def test_texts_have_so_many_positions_less(any_network: Path) -> None:
    bare, encoder = load_encoder(any_network), attached(any_network, "prompt", 0)
    assert encoder.num_positions == bare.num_positions - NUMBER
    full = [encoder.num_positions]
    assert run(encoder, texts(full), full).isfinite().all()
    assert attached(any_network, "prefix", 1).num_positions == bare.num_positions, "the cut takes none"
    with pytest.raises(SettingError, match="are too many for an encoder of"):
        usual_words(bare, bare.num_positions // 2 + 1)


def test_a_network_is_folded(any_network: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        encoder = load_encoder(any_network).eval()
        kept = put_before(encoder, 1, NUMBER, 8)
        prompt: Any = encoder.layers[1].get_submodule("prompt")
        assert isinstance(prompt, Prompt)
        assert torch.equal(prompt(), prompt.vectors), "it starts by adding nothing"
        with torch.no_grad():
            prompt.net[2].weight.add_(torch.randn_like(prompt.net[2].weight))
    said, changed = run(encoder, texts(LENGTHS), LENGTHS), prompt().detach().clone()
    assert not torch.equal(changed, prompt.vectors)
    kept.fold()
    assert torch.equal(prompt.vectors, changed)
    assert [name for name, p in encoder.network.named_parameters() if p.requires_grad] == [
        f"{encoder.names.layers}.1.prompt.vectors"
    ]
    torch.testing.assert_close(run(encoder, texts(LENGTHS), LENGTHS), said)
