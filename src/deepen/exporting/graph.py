"""A network as an ONNX graph over padded sequences: its own layers, traced once, with any number of rows and tokens.

Shape legend: S sequences, L tokens of the longest, D hidden size, F features of a unit, M units, R rows, C outputs.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deepen.core.errors import ModelError, SettingError
from deepen.core.foreign import cause
from deepen.finetuning.predictor import EncoderPredictor
from deepen.models.encoder import Encoder, Layout
from deepen.models.heads.network import Network
from deepen.models.runtimes.form import Form, Runtime

_HIDDEN = -1e9  # added to what attention may not look at: far below all else, and no infinity, whose products are none
_SAMPLE = (4, 9)  # even, as where two sequences make a row; else any size above 1 will do
_OPSET = 20
_LARGEST = (2 << 30) - 1  # bytes
HEAD = "head_"
"""How the names of nodes begin that are not the encoder's."""
_SIZES: dict[str, dict[int, str]] = {
    "input_ids": {0: "sequences", 1: "tokens"},
    "attention_mask": {0: "sequences", 1: "tokens"},
    "token_type_ids": {0: "sequences", 1: "tokens"},
    "spans": {0: "rows"},
    "pairs": {0: "rows"},
    "windows": {0: "rows", 1: "sequences"},
}


class PaddedNetwork(nn.Module):
    """A network that reads a grid with a row a sequence, and padding at its end."""

    def __init__(self, network: Network, runtime: Runtime) -> None:
        super().__init__()
        self.inner, self.runtime = network, runtime
        self.layers = network.encoder.network  # so that its weights are found

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        """The arrays of `Runtime.outputs`, for those of `Runtime.inputs`, each in its order."""
        given = dict(zip(self.runtime.inputs, arrays, strict=True))
        hidden_SLD = _states(self.inner.encoder, given)
        pooling, mask_SL, windows_RS = self.runtime.pooling, given["attention_mask"], given.get("windows")
        if pooling == "ranked":
            unit_SD = nn.functional.normalize(_means(hidden_SLD, mask_SL, None), dim=1)
            return self.inner.head(unit_SD), unit_SD
        if pooling == "units":
            features = hidden_SLD
        elif pooling == "spans":
            named = hidden_SLD.flatten(0, 1).index_select(0, given["spans"].flatten())
            features = named.view(-1, 2 * hidden_SLD.shape[2])
        elif pooling in ("cls", "last"):
            features = _ends(hidden_SLD, mask_SL, windows_RS, pooling == "last")
        elif pooling == "mean":
            features = _means(hidden_SLD, mask_SL, windows_RS)
        else:
            means_SD = _means(hidden_SLD, mask_SL, None)
            u_MD, v_MD = (means_SD.index_select(0, given["pairs"][:, side]) for side in (0, 1))
            features = torch.cat([u_MD, v_MD, (u_MD - v_MD).abs(), u_MD * v_MD], dim=1)
        return (self.inner.head(features if self.inner.hidden is None else self.inner.hidden(features).tanh()),)


def _states(encoder: Encoder, given: dict[str, Tensor]) -> Tensor:
    """The last layer's output."""
    ids_SL, mask_SL = given["input_ids"], given["attention_mask"]
    segments = given.get("token_type_ids")
    num_sequences, longest = ids_SL.shape
    positions_SL = torch.arange(longest)[None, :].expand(num_sequences, longest)
    owners_SL = torch.arange(num_sequences)[:, None].expand(num_sequences, longest)
    if any(getattr(layer, "prefix", None) is not None for layer in encoder.layers):
        mask_S11L = mask_SL.bool()[:, None, None, :]  # which a prefix makes longer
    else:
        mask_S11L = (1.0 - mask_SL.to(torch.float32))[:, None, None, :] * _HIDDEN
    where = Layout(mask_SL.sum(1), owners_SL.flatten(), positions_SL.flatten(), longest, None, mask_S11L)
    hidden = encoder.embed(ids_SL.flatten(), None if segments is None else segments.flatten(), where)
    return encoder.run(hidden, where, 0, encoder.num_layers).view(num_sequences, longest, -1)


def _means(hidden_SLD: Tensor, mask_SL: Tensor, windows_RS: Tensor | None) -> Tensor:
    """The mean over a sequence's tokens, or over those of all windows of a row."""
    mask_SL1 = mask_SL[:, :, None].to(hidden_SLD.dtype)
    sums_SD, counts_S1 = (hidden_SLD * mask_SL1).sum(1), mask_SL1.sum(1)
    return sums_SD / counts_S1 if windows_RS is None else (windows_RS @ sums_SD) / (windows_RS @ counts_S1)


def _ends(hidden_SLD: Tensor, mask_SL: Tensor, windows_RS: Tensor | None, last: bool) -> Tensor:
    """A sequence's first or last token, or their mean over the windows of a row."""
    if last:
        at_S = mask_SL.sum(1) - 1
        chosen_SD = hidden_SLD.gather(1, at_S[:, None, None].expand(-1, 1, hidden_SLD.shape[2])).squeeze(1)
    else:
        chosen_SD = hidden_SLD[:, 0]
    if windows_RS is None:
        return chosen_SD
    return (windows_RS @ chosen_SD) / windows_RS.sum(1, keepdim=True)


def runtime_of(predictor: EncoderPredictor, form: Form, *, reduced: bool) -> Runtime:
    """What the graph of a predictor will read and give; `reduced` integers have 7 bits.

    SettingError, in words that go on from "since", if the network has a part that no graph is made of.
    """
    network, encoder = predictor.network, predictor.network.encoder
    if type(network) is not Network:
        raise SettingError("it answers by filling masks")
    if any(getattr(layer, "prompt", None) is not None for layer in encoder.layers):
        raise SettingError("its tuning puts vectors before each text")
    types = getattr(getattr(encoder.network, "embeddings", None), "token_type_embeddings", None)
    return Runtime(
        form=form,
        pooling=network.pooling,
        width=network.head.out_features,
        segments=types is not None and types.num_embeddings > 1,
        windows=_in_windows(predictor),
        reduced=reduced,
    )


def _in_windows(predictor: EncoderPredictor) -> bool:
    """Whether a long row becomes several sequences that are pooled together: the task's own encoder is tried."""
    if predictor.network.pooling not in ("mean", "cls", "last"):
        return False
    encode = predictor.task.encoder_of(predictor.network.pooling)(predictor.tokenizer, predictor.max_tokens)
    long = " ".join(["a"] * (2 * predictor.max_tokens))
    return len(encode({name: [long] for name in predictor.task.inputs}).lengths_B) > 1


def write_graph(network: Network, runtime: Runtime, path: Path) -> None:
    """Traces a network on the CPU and writes its graph, weights and all, into one file.

    ModelError if it can't be traced, or is too large for one file.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError:
        raise SettingError("an export takes onnx and onnxscript: pip install 'deepen[export]'") from None
    sizes = {name: _SIZES[name] for name in runtime.inputs}
    with torch.no_grad(), silent():
        try:
            program = torch.onnx.export(
                PaddedNetwork(network, runtime).eval(),
                tuple(_sample(name) for name in runtime.inputs),
                input_names=list(runtime.inputs),
                output_names=list(runtime.outputs),
                dynamic_shapes={"arrays": tuple(sizes.values())},
                opset_version=_OPSET,
                dynamo=True,
                verbose=False,
            )
            assert program is not None  # noqa: S101 - only the tracer of old gives none
            model = program.model_proto
        except Exception as error:  # whatever the tracer meets
            raise ModelError(f"the network can't be traced: {cause(_first(error))}") from error
        _strip(model)
        if model.ByteSize() > _LARGEST:
            raise ModelError("the network has more than 2 GB of weights, which one ONNX file can't hold")
        onnx.save_model(model, str(path))


def _strip(model: Any) -> None:
    """Leaves of what the tracer tells of its steps, and of this machine, one word: which nodes are the head's."""
    for node in model.graph.node:
        scopes = next((one.value for one in node.metadata_props if one.key == "namespace"), "")
        if ".head:" in scopes or ".hidden:" in scopes:
            node.name = f"{HEAD}{node.name}"
        node.doc_string = ""
        del node.metadata_props[:]
    model.doc_string = model.graph.doc_string = ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        value.doc_string = ""
        del value.metadata_props[:]


def _first(error: BaseException) -> BaseException:
    """What the tracer met first; what it says itself of that is how to report it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _sample(name: str) -> Tensor:
    """An array of a size above 1, from which the tracer sees which sizes go together."""
    rows = _SAMPLE[0] // 2
    if name in ("spans", "pairs"):
        return torch.arange(2 * rows).view(rows, 2)
    if name == "windows":
        return torch.eye(rows).repeat_interleave(2, 1)
    mask_SL = torch.ones(_SAMPLE, dtype=torch.int64)
    mask_SL[0, _SAMPLE[1] // 2 :] = 0
    return torch.zeros_like(mask_SL) if name == "token_type_ids" else mask_SL


@contextmanager
def silent() -> Iterator[None]:
    """The tracer tells of its steps and warns of its own insides."""
    logs: list[Any] = [logging.getLogger(name) for name in ("", "torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    levels = [log.level for log in logs]
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for log in logs:
                log.setLevel(logging.ERROR)
            yield
        finally:
            for log, level in zip(logs, levels, strict=True):
                log.setLevel(level)
