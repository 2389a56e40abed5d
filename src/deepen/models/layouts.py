"""How a head is kept beside its encoder: as modules of sentence-transformers, or in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepen.core.errors import ModelError
from deepen.core.files import read_json, write_json
from deepen.models.head import Head

if TYPE_CHECKING:
    import torch
    from torch import nn

    from deepen.models.encoder import Encoder
    from deepen.models.network import Network

POOLED = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "last": "pooling_mode_lasttoken"}
"""What sentence-transformers calls the ways in which it pools."""


def plain_linear(state: dict[str, torch.Tensor], width: int, kind: type[nn.Linear] | None = None) -> nn.Linear:
    """A layer of these numbers; ValueError if it does not read `width` numbers. None is a plain one."""
    from torch import nn

    made = (kind or nn.Linear)(state["weight"].shape[1], state["weight"].shape[0])
    made.load_state_dict(state)
    if made.in_features != width:
        raise ValueError(f"it is {made.in_features} numbers wide and not {width}")
    return made


def under(prefix: str, module: nn.Module | None) -> dict[str, torch.Tensor]:
    """The numbers of a module, by names that start so."""
    state = module.state_dict() if module is not None else {}
    return {f"{prefix}{key}": value.detach().contiguous() for key, value in state.items()}


def taken(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Takes out what has a name that starts so, without the start."""
    return {key.removeprefix(prefix): state.pop(key) for key in list(state) if key.startswith(prefix)}


# A folder `head/`, which no other tool reads.


def save_apart(network: Network, folder: Path, *, below: str = "hidden.") -> None:
    """A head that no other tool's layout has a place for: its numbers in `head/`, beside a whole encoder.

    Args:
        below: What the names of the layers below the last one start with.
    """
    from safetensors.torch import save_file

    (folder / "head").mkdir(exist_ok=True)
    write_json(folder / "head" / "config.json", {"pooling": network.kind.name, "width": network.head.in_features})
    save_file(under("", network.head) | under(below, network.hidden), folder / "head" / "model.safetensors")


def save_sentences(network: Network, folder: Path) -> None:
    """The same of two texts that are encoded apart: the folder is a sentence encoder for sentence-transformers too."""
    save_apart(network, folder)
    _save_modules(folder, ["", "1_Pooling"], width=network.encoder.hidden_size, pooling="mean")


def read_apart(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """What `save_apart` wrote: what is said about it, and its numbers."""
    from safetensors.torch import load_file

    return read_json(folder / "head" / "config.json"), load_file(folder / "head" / "model.safetensors")


def load_apart(head: Head, encoder: Encoder, folder: Path) -> Network:
    """The network of what `save_apart` wrote.

    Raises:
        ModelError: If a file is damaged.
    """
    from deepen.models.network import Bent, Network

    try:
        _, state = read_apart(folder)
        width = head.width(encoder.hidden_size) // head.sides
        bent = taken("hidden.", state)
        hidden = plain_linear(bent, width, Bent) if bent else None
        return Network(encoder, plain_linear(state, width), head, hidden).eval()
    except Exception as error:
        raise ModelError(f"{folder / 'head'}: the head can't be read: {error}") from None


# Modules of sentence-transformers, whose `encode` gives the logits.


def _save_modules(folder: Path, paths: list[str], *, width: int, pooling: str) -> None:
    """What sentence-transformers reads first: which modules there are, and how hidden states are pooled."""
    kinds = {"": "models.Transformer", "1_Pooling": "models.Pooling"}
    modules = [(path, kinds.get(path, "models.Dense")) for path in paths]
    write_json(
        folder / "modules.json",
        [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.{kind}"}
            for i, (path, kind) in enumerate(modules)
        ],
    )
    write_json(folder / "config_sentence_transformers.json", {"prompts": {}, "default_prompt_name": None})
    modes = {mode: name == pooling for name, mode in POOLED.items()}
    (folder / "1_Pooling").mkdir(exist_ok=True)
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": width} | modes)


def save_dense(network: Network, folder: Path) -> None:
    """The head as modules of sentence-transformers."""
    from safetensors.torch import save_file

    layers: list[tuple[Any, str]] = [(network.head, "linear.Identity")]
    if network.hidden is not None:
        layers.insert(0, (network.hidden, "activation.Tanh"))
    paths = [f"{at}_Dense" for at in range(2, 2 + len(layers))]
    _save_modules(folder, ["", "1_Pooling", *paths], width=network.encoder.hidden_size, pooling=network.kind.name)
    for path, (layer, activation) in zip(paths, layers, strict=True):
        (folder / path).mkdir(exist_ok=True)
        dense = {"in_features": layer.in_features, "out_features": layer.out_features, "bias": True}
        write_json(folder / path / "config.json", dense | {"activation_function": f"torch.nn.modules.{activation}"})
        save_file(under("linear.", layer), folder / path / "model.safetensors")


def load_dense(head: Head, encoder: Encoder, folder: Path) -> Network:
    """The network of what `save_dense` wrote.

    Raises:
        ModelError: If a file is damaged.
    """
    from deepen.models.network import Bent, Network

    paths = [folder / f"{at}_Dense" for at in (2, 3) if (folder / f"{at}_Dense").is_dir()]
    try:
        *hidden, layer = [_load_dense(path, None if path is paths[-1] else Bent) for path in paths]
    except Exception as error:
        raise ModelError(f"{folder / '2_Dense'}: the head can't be read: {error}") from None
    return Network(encoder, layer, head, hidden[0] if hidden else None).eval()


def _load_dense(folder: Path, kind: type[nn.Linear] | None) -> nn.Linear:
    from safetensors.torch import load_file

    dense = read_json(folder / "config.json")
    return plain_linear(taken("linear.", load_file(folder / "model.safetensors")), dense["in_features"], kind)


def head_named(folder: Path) -> str:
    """What the head of a folder in one of these layouts is called.

    Raises:
        ModelError: If what tells it is damaged.
    """
    try:
        if (folder / "head" / "config.json").is_file():
            return str(read_json(folder / "head" / "config.json")["pooling"])
        modes = read_json(folder / "1_Pooling" / "config.json")
        return next((name for name, mode in POOLED.items() if modes.get(mode)), "mean")
    except Exception as error:
        where = "head" if (folder / "head").is_dir() else "2_Dense"
        raise ModelError(f"{folder / where}: the head can't be read: {error}") from None
