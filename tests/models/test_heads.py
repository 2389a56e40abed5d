"""One suite over every head on the shelf."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from deepen.models.head import Head, Inputs
from deepen.models.load import load_encoder
from deepen.models.mlm_head import Transform
from deepen.models.network import Network, fresh_network
from deepen.models.save import load_network, save_network, shelf

LENGTHS = (4, 3, 5, 6)  # as two rows of two texts, or four of one


def inputs_for(head: Head) -> Inputs:
    """Some rows as the head reads them: with two tokens named in each, if it asks for any."""
    lengths_B = torch.tensor(LENGTHS)
    ids_T = torch.arange(10, 10 + sum(LENGTHS))
    starts_B = torch.cumsum(lengths_B, 0) - lengths_B
    return Inputs(lengths_B, ids_T=ids_T, units_M=torch.stack([starts_B, starts_B + 2], dim=1).flatten())


def network_of(head: Head, folder: Path) -> Network:
    encoder = load_encoder(folder).eval()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = fresh_network(encoder, head, 3)
        if head.states is None:  # as many as there are masks
            size = encoder.hidden_size
            network = Network(encoder, torch.nn.Linear(2 * size, 3), head, Transform(encoder.config))
        torch.nn.init.normal_(network.head.weight)
    return network.eval()


@pytest.mark.parametrize("name", shelf())
def test_it_has_the_shape_of_a_head(name: str) -> None:
    assert shelf()[name].name == name
    for field in dataclasses.fields(Head):
        assert f"{field.name}:" in (Head.__doc__ or ""), f"{field.name} is not explained"


@pytest.mark.parametrize("name", shelf())
def test_it_gives_the_same_logits_when_it_is_read_again(name: str, tiny_model: Path, tmp_path: Path) -> None:
    head = shelf()[name]
    network, inputs = network_of(head, tiny_model), inputs_for(head)
    save_network(network, tmp_path / "out", tokenizer_folder=tiny_model, labels=["a", "b", "c"], max_tokens=20)
    again = load_network(tmp_path / "out")
    with torch.inference_mode():
        assert torch.equal(again(inputs), network(inputs))
        assert network.features(inputs).shape[1] == network.width == again.width
    assert again.kind is head
    assert (tmp_path / "out" / "labels.json").is_file() == head.has_classes
    if head.architecture:
        written = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
        assert written["architectures"][0].endswith(head.architecture)


def test_a_head_that_is_not_on_the_shelf_is_named(tiny_model: Path, tmp_path: Path) -> None:
    from deepen.core.errors import ModelError

    head = dataclasses.replace(shelf()["spans"], name="elsewhere")
    network = network_of(head, tiny_model)
    save_network(network, tmp_path / "out", tokenizer_folder=tiny_model, labels=["a", "b", "c"], max_tokens=20)
    with pytest.raises(ModelError, match="'elsewhere'"):
        load_network(tmp_path / "out")
    assert load_network(tmp_path / "out", head).kind is head
