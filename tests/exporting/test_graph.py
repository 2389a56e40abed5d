"""A grid with padding says what tokens end to end say: every way to pool, every architecture, sizes never traced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.worlds import some
from torch import nn

import deepen
from deepen.core.errors import ModelError
from deepen.exporting.graph import PaddedNetwork, runtime_of, write_graph
from deepen.models.decoder import Decoder
from deepen.models.encoder import Encoder
from deepen.models.head import Head, Inputs, flat_layer
from deepen.models.network import Bent, Network, fresh_network
from deepen.models.runtimes.form import FILE, Runtime
from deepen.models.runtimes.onnx import OnnxNetwork
from deepen.models.runtimes.padded import FlatBatch, padded, sequences
from deepen.models.save import shelf

SIZES: dict[str, Any] = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZES |= {"intermediate_size": 24, "max_position_embeddings": 40, "pad_token_id": 1, "initializer_range": 0.3}
HEADS = [head for head in shelf().values() if head.grid is not None]


def _encoder(kind: str) -> Encoder:
    import transformers

    torch.manual_seed(0)
    if kind == "distilbert":
        sizes = {"vocab_size": 50, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}
        made = transformers.DistilBertModel(transformers.DistilBertConfig(**sizes, max_position_embeddings=40))
    elif kind == "llama":
        made = transformers.LlamaModel(transformers.LlamaConfig(**SIZES, num_key_value_heads=1))
    else:
        config = transformers.CONFIG_MAPPING[kind](**SIZES)
        extra = {} if kind == "electra" else {"add_pooling_layer": False}
        made = transformers.MODEL_MAPPING[type(config)](config, **extra)
    return (Decoder if kind == "llama" else Encoder)(made.eval()).eval()


def _network(encoder: Encoder, head: Head, *, hidden: bool = False) -> Network:
    torch.manual_seed(1)
    network = fresh_network(encoder, head, 3)
    if head.build is flat_layer:
        nn.init.normal_(network.head.weight)
        nn.init.normal_(network.head.bias)
    if hidden:
        network.hidden = Bent(network.width, network.width)
    return network.eval()


def _inputs(head: Head, lengths: list[int], *, segments: bool, windows: list[int] | None = None) -> Inputs:
    torch.manual_seed(2)
    lengths_B = torch.tensor(lengths)
    units = None
    if head.is_units or head.name == "spans":
        starts = torch.cumsum(lengths_B, 0) - lengths_B
        units = torch.cat(
            [torch.tensor([int(at), int(at) + length - 1]) for at, length in zip(starts, lengths, strict=True)]
        )
    return Inputs(
        lengths_B,
        ids_T=torch.randint(2, 50, (sum(lengths),)),
        segments_T=torch.randint(0, 2, (sum(lengths),)) if segments else None,
        units_M=units,
        windows_R=torch.tensor(windows) if windows else None,
        again_S=torch.tensor([1, 0, 1, 1]) if head.shares else None,
    )


def _flat(inputs: Inputs) -> FlatBatch:
    """The same without torch, as an export reads it."""
    parts = {name: getattr(inputs, name) for name in ("ids_T", "segments_T", "units_M", "windows_R", "again_S")}
    arrays = {name: None if part is None else part.numpy() for name, part in parts.items()}
    return FlatBatch(np.arange(len(inputs.ids_T)), inputs.lengths_B.numpy(), **arrays)


def _runtime(network: Network, *, segments: bool, windows: bool = False) -> Runtime:
    grid = network.kind.grid
    assert grid is not None
    how: dict[str, Any] = {"segments": segments, "windows": windows, "per": grid.per, "named": grid.named}
    return Runtime(form="onnx", width=network.head.out_features, **how)


def _expected(network: Network, inputs: Inputs) -> list[np.ndarray]:
    if network.kind.sides == 1:
        return [network(inputs).numpy()]
    queries, documents = network.features(inputs).chunk(2, dim=1)
    return [network.head(queries).numpy(), documents.numpy()]


def _chosen(found: list[Any], inputs: Inputs, runtime: Runtime, slots_T: np.ndarray) -> list[np.ndarray]:
    arrays = [np.asarray(array) for array in found]
    if runtime.per == "token":
        assert inputs.units_M is not None
        return [arrays[0].reshape(-1, runtime.width)[slots_T[inputs.units_M.numpy()]]]
    if runtime.per == "text":
        return [array[sequences(_flat(inputs))[side::2]] for side, array in enumerate(arrays)]
    return arrays


@pytest.mark.parametrize("kind", ["bert", "electra", "roberta", "distilbert", "llama"])
@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_padding_changes_nothing(kind: str, head: Head) -> None:
    network, segments = _network(_encoder(kind), head, hidden=head.name in ("cls", "pair")), kind in ("bert", "electra")
    runtime = _runtime(network, segments=segments)
    for lengths in ([5, 9], [1, 1], [3, 12]):
        inputs = _inputs(head, lengths, segments=segments)
        arrays, slots_T = padded(_flat(inputs), runtime.inputs)
        with torch.no_grad():
            given = [torch.from_numpy(arrays[name]) for name in runtime.inputs]
            found = _chosen(list(PaddedNetwork(network, runtime)(*given)), inputs, runtime, slots_T)
            for one, other in zip(found, _expected(network, inputs), strict=True):
                np.testing.assert_allclose(one, other, atol=2e-6)


@pytest.mark.parametrize("head", [head for head in HEADS if head.is_row], ids=lambda head: head.name)
def test_windows_are_pooled_together(head: Head) -> None:
    network = _network(_encoder("bert"), head)
    runtime = _runtime(network, segments=True, windows=True)
    inputs = _inputs(head, [5, 9, 2, 7], segments=False, windows=[1, 3])
    arrays, _ = padded(_flat(inputs), runtime.inputs)
    with torch.no_grad():
        [found] = PaddedNetwork(network, runtime)(*(torch.from_numpy(arrays[name]) for name in runtime.inputs))
        np.testing.assert_allclose(found.numpy(), network(inputs).numpy(), atol=2e-6)


@pytest.mark.parametrize(("kind", "name", "windows"), [("roberta", "cls", True), ("llama", "last", False)])
def test_the_file_says_what_the_network_says(kind: str, name: str, windows: bool, tmp_path: Path) -> None:
    """What no run of the other tests has: another architecture, a decoder, a row in windows."""
    pytest.importorskip("onnxscript")
    head = shelf()[name]
    network = _network(_encoder(kind), head)
    runtime = _runtime(network, segments=False, windows=windows)
    (tmp_path / FILE).parent.mkdir()
    write_graph(network, runtime, tmp_path / FILE)
    exported = OnnxNetwork(tmp_path, runtime)
    for lengths, parts in (([1], [1]), ([4, 9, 2], [1, 2]), ([3] * 7, [7]), ([20], [1])):
        inputs = _inputs(head, lengths, segments=False, windows=parts if windows else None)
        arrays, _ = padded(_flat(inputs), runtime.inputs)
        with torch.no_grad():
            np.testing.assert_allclose(exported.run(arrays)[0], network(inputs).numpy(), atol=1e-5)
    with pytest.raises(ModelError, match="the graph can't be run"):
        exported.run({"input_ids": np.full((1, 2), 10**6), "attention_mask": np.ones((1, 2), np.int64)})
    with pytest.raises(ModelError, match=r"gives logits, and deepen.json tells of queries, documents"):
        OnnxNetwork(tmp_path, runtime.model_copy(update={"per": "text", "windows": windows}))


@pytest.mark.parametrize("tuning", some(["prefix", "adapter"], "prefix"))
def test_what_stays_beside_the_weights_is_in_the_graph(tuning: str, run_of: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    run = run_of("classification", tuning=tuning)
    found = deepen.export(run, tmp_path / "out", rung="full")
    assert found.parity.largest_gap < 1e-4
    assert found.parity.flipped == 0
    texts = ["the film was lovely", "a broken phone"]
    trained, exported = deepen.load(run, rung="full").predict(texts), deepen.load(tmp_path / "out").predict(texts)
    assert [one.output for one in trained] == [one.output for one in exported]


def test_long_rows_are_known_by_their_windows(run_of: Any) -> None:
    for setting, expected in (("windows", True), ("ends", False)):
        model: Any = deepen.load(run_of("classification", f"tasks.classification.long={setting}"), rung="full")
        assert runtime_of(model.predictor, "onnx", reduced=False).windows is expected
