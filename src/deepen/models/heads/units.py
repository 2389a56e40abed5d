"""The tokens that are named in a row, as the first of each word: a layer that gives each its logits.

`AutoModelForTokenClassification` gives them too, where its head is one layer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deepen.core.errors import ModelError
from deepen.models.head import Grid, Head, Inputs, State
from deepen.models.layouts import load_apart, save_apart
from deepen.models.pooling import named

if TYPE_CHECKING:
    from torch import Tensor

    from deepen.models.encoder import Encoder, Layout
    from deepen.models.network import Network

_LAYOUT = "ForTokenClassification"


def _pool(hidden_TD: Tensor, where: Layout, inputs: Inputs) -> Tensor:
    return named(hidden_TD, inputs)


def _for_tagging(network: Network, state: State, whole: bool) -> tuple[State, str] | None:
    """The same weights under the names of a ...ForTokenClassification."""
    from deepen.models.plain import token_names

    names = token_names(network.encoder.network)
    if names is None:
        return None
    state = {f"{names[0]}.{key}": value for key, value in state.items() if not key.startswith("pooler.")}
    state |= {f"{names[1]}.weight": network.head.weight, f"{names[1]}.bias": network.head.bias}
    return state, _LAYOUT


def _save(network: Network, folder: Path) -> None:
    """It is among the encoder's weights, or where no class of transformers has a place for it, beside them."""
    from deepen.models.plain import token_names

    if token_names(network.encoder.network) is None:
        save_apart(network, folder)


def _in_adapter(network: Network, state: State, config: State) -> tuple[State, State]:
    """The head is among the adapter's `modules_to_save`, as PEFT puts it on an `AutoModelForTokenClassification`."""
    from deepen.models.plain import token_names

    names = token_names(network.encoder.network)
    if names is None:
        return state, config
    family, head = names
    start = "base_model." if "num_virtual_tokens" in config else "base_model.model."
    state = {key.replace("base_model.model.", f"base_model.model.{family}."): x for key, x in state.items()}
    state |= {f"{start}{head}.{key}": value.detach() for key, value in network.head.state_dict().items()}
    config = config | {"modules_to_save": [head], "task_type": "TOKEN_CLS"}
    for key in ("target_modules", "feedforward_modules"):
        if key in config:
            config[key] = rf"{family}\.{config[key]}"
    return state, config


def _load(head: Head, encoder: Encoder, folder: Path) -> Network:
    from safetensors import safe_open
    from torch import nn

    from deepen.models.network import Network
    from deepen.models.plain import token_names

    if (folder / "head").is_dir():
        return load_apart(head, encoder, folder)
    try:
        _, name = token_names(encoder.network) or ("", "classifier")
        with safe_open(folder / "model.safetensors", framework="pt") as file:
            weight, bias = file.get_tensor(f"{name}.weight"), file.get_tensor(f"{name}.bias")
    except Exception as error:
        raise ModelError(f"{folder / 'model.safetensors'}: the head can't be read: {error}") from None
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight, "bias": bias})
    return Network(encoder, layer, head).eval()


HEAD = Head(
    "units",
    _pool,
    _save,
    _load,
    architecture=_LAYOUT,
    transformers=_for_tagging,
    peft=_in_adapter,
    is_units=True,
    grid=Grid(lambda hidden, mask, arrays: hidden, per="token"),
    bends=False,
)
