from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.conftest import MakeNetwork
from torch import Tensor

from deepen.models.encoder import DECODERS, Encoder, layout
from deepen.models.head import Inputs
from deepen.models.load import load_encoder
from deepen.models.network import Network
from deepen.models.save import shelf

UNEQUAL, EQUAL, ONE = [7, 3, 12, 1, 5], [6, 6, 6], [9]


def packed(lengths: list[int], *, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids, segments and lengths of random sequences, end to end."""
    chance = torch.Generator().manual_seed(seed)
    ids_T = torch.randint(5, 300, (sum(lengths),), generator=chance)
    segments_T = torch.cat([(torch.arange(n) > n // 2).long() for n in lengths])
    return ids_T, segments_T, torch.tensor(lengths)


def reference(encoder: Encoder, lengths: list[int], *, segments: bool) -> Tensor:
    """The last hidden states that transformers computes on a padded batch, without those of the padding."""
    ids_T, segments_T, _ = packed(lengths)
    longest, pad = max(lengths), encoder.config.pad_token_id
    grid = torch.full((len(lengths), longest), pad)
    kinds, mask = torch.zeros_like(grid), torch.zeros_like(grid)
    at = 0
    for row, length in enumerate(lengths):
        grid[row, :length] = ids_T[at : at + length]
        kinds[row, :length] = segments_T[at : at + length]
        mask[row, :length] = 1
        at += length
    words: dict[str, Any] = {"token_type_ids": kinds} if segments else {}
    with torch.inference_mode():
        found = encoder.network(input_ids=grid, attention_mask=mask, **words).last_hidden_state
    return torch.cat([found[row, :length] for row, length in enumerate(lengths)])


def knows_pairs(encoder: Encoder) -> bool:
    return getattr(encoder.config, "type_vocab_size", 0) > 1


@pytest.mark.parametrize("lengths", [UNEQUAL, EQUAL, ONE], ids=["unequal", "equal", "one"])
def test_lower_and_upper_equal_the_whole(any_network: Path, lengths: list[int]) -> None:
    encoder = load_encoder(any_network).eval()
    ids_T, segments_T, lengths_B = packed(lengths)
    where = layout(lengths_B)
    segments = segments_T if knows_pairs(encoder) else None
    right_TD = reference(encoder, lengths, segments=segments is not None)
    for cut in range(encoder.num_layers + 1):
        with torch.inference_mode():
            lower_TD = encoder.run(encoder.embed(ids_T, segments, where), where, 0, cut)
            upper_TD = encoder.run(lower_TD, where, cut, encoder.num_layers)
        torch.testing.assert_close(upper_TD, right_TD, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last", "units"])
def test_features(any_network: Path, pooling: Any) -> None:
    encoder = load_encoder(any_network).eval()
    ids_T, _, lengths_B = packed(UNEQUAL)
    units_M = torch.tensor([1, 0, 9, 27])
    network = Network(encoder, torch.nn.Linear(32, 3), shelf()[pooling]).eval()
    hidden_TD = reference(encoder, UNEQUAL, segments=False)
    each = hidden_TD.split(UNEQUAL)
    right = {
        "mean": [x.mean(0) for x in each],
        "cls": [x[0] for x in each],
        "last": [x[-1] for x in each],
        "units": hidden_TD[units_M].unbind(),
    }
    with torch.inference_mode():
        found = network.features(Inputs(lengths_B, ids_T=ids_T, units_M=units_M))
    torch.testing.assert_close(found, torch.stack(list(right[pooling])), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_the_order_of_a_batch_is_irrelevant(any_network: Path, pooling: Any) -> None:
    encoder = load_encoder(any_network).eval()
    network = Network(encoder, torch.nn.Linear(32, 3), shelf()[pooling]).eval()
    ids_T, segments_T, lengths_B = packed(UNEQUAL)
    order = [3, 0, 4, 2, 1]
    ids, kinds = ids_T.split(UNEQUAL), segments_T.split(UNEQUAL)
    turned = Inputs(
        lengths_B[order], ids_T=torch.cat([ids[i] for i in order]), segments_T=torch.cat([kinds[i] for i in order])
    )
    with torch.inference_mode():
        logits_BC = network(Inputs(lengths_B, ids_T=ids_T, segments_T=segments_T))
        torch.testing.assert_close(network(turned), logits_BC[order], atol=1e-5, rtol=1e-5)


def test_cached_hidden_states_give_the_same_logits(any_network: Path) -> None:
    encoder = load_encoder(any_network).eval()
    network = Network(encoder, torch.nn.Linear(32, 3), shelf()["mean"]).eval()
    ids_T, _, lengths_B = packed(UNEQUAL)
    with torch.inference_mode():
        where = layout(lengths_B)
        hidden_TD = encoder.run(encoder.embed(ids_T, None, where), where, 0, 2)
        above = network(Inputs(lengths_B, hidden_TD=hidden_TD, start=2))
        assert torch.equal(above, network(Inputs(lengths_B, ids_T=ids_T)))


def test_dropout_is_the_networks_own_unless_it_is_set(any_network: Path) -> None:
    encoder = load_encoder(any_network).train()
    if encoder.config.model_type in DECODERS:
        assert encoder._probability("attention_probs_dropout_prob", "attention_dropout") == 0.0
        encoder.dropout = 0.1
    assert encoder._probability("hidden_dropout_prob", "dropout") == 0.1
    assert encoder._probability("attention_probs_dropout_prob", "attention_dropout") == 0.1
    ids_T, _, lengths_B = packed(UNEQUAL)
    where = layout(lengths_B)

    def last() -> Tensor:
        return encoder.run(encoder.embed(ids_T, None, where), where, 0, encoder.num_layers)

    with torch.inference_mode():
        assert not torch.equal(last(), last())
        encoder.dropout = 0.0
        assert torch.equal(last(), last())
        torch.testing.assert_close(last(), encoder.eval() and last())


def test_positions_count_from_the_padding_id(make_network: MakeNetwork) -> None:
    encoder = load_encoder(make_network("roberta", pad_token_id=4)).eval()
    ids_T, _, lengths_B = packed(UNEQUAL)
    where = layout(lengths_B)
    with torch.inference_mode():
        found = encoder.run(encoder.embed(ids_T, None, where), where, 0, encoder.num_layers)
    torch.testing.assert_close(found, reference(encoder, UNEQUAL, segments=False), atol=1e-5, rtol=1e-5)


def test_what_the_fast_path_does_not_know_goes_the_other_way(make_network: MakeNetwork) -> None:
    for folder in (make_network("bert", hidden_act="tanh"), make_network("mistral", sliding_window=4)):
        encoder = load_encoder(folder)
        assert not encoder.packed
        with torch.inference_mode():
            ids_T, _, lengths_B = packed(UNEQUAL)
            where = layout(lengths_B)
            found = encoder.run(encoder.embed(ids_T, None, where), where, 0, encoder.num_layers)
        torch.testing.assert_close(found, reference(encoder, UNEQUAL, segments=False), atol=1e-5, rtol=1e-5)
