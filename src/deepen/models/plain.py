"""An encoder with its head in the files that plain transformers reads: config.json, weights, names of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from deepen.core.errors import DataError
from deepen.core.files import read_object, write_json

if TYPE_CHECKING:
    from deepen.models.network import Network

Problem = Literal["regression", "multi_label_classification"]
_ROWS = "ForSequenceClassification"
# Of the folder on this machine, and of a head that the pretrained model may have had.
_NOT_OURS = ("_name_or_path", "id2label", "label2id", "problem_type", "finetuning_task", "task_specific_params")


def save_encoder(
    network: Network, folder: Path, labels: Sequence[str], *, whole: bool = True, problem: Problem | None = None
) -> None:
    """Writes config.json, the encoder's weights, and labels.json with the names of the logits.

    config.json has the names too where plain transformers gives these logits, and only there: elsewhere it would put
    the right names on a head of random numbers.

    Args:
        labels: Label names in the order of the logits.
        whole: Whether the weights are all there is; if not, something is kept beside them that only Deepen puts on.
        problem: What the logits are for, in the words of transformers; None for one label of several.
    """
    from safetensors.torch import save_file

    from deepen.models.adapters import plain_state

    config: dict[str, Any] = network.encoder.config.to_dict()
    for key in _NOT_OURS:
        config.pop(key, None)
    state = once(plain_state(network.encoder.network))
    config["architectures"] = [type(network.encoder.network).__name__]
    found = network.kind.transformers(network, state, whole)
    if found is not None:
        state, config["architectures"] = found[0], [f"{family(network.encoder.network)}{found[1]}"]
    if whole and found is not None:
        config["id2label"] = {str(i): label for i, label in enumerate(labels)}
        config["label2id"] = {label: i for i, label in enumerate(labels)}
        if found[1] == _ROWS and problem is not None:
            config["problem_type"] = problem
    if network.kind.has_classes:
        write_json(folder / "labels.json", list(labels))
    write_json(folder / "config.json", config)
    save_file(
        {key: value.detach().contiguous() for key, value in state.items()},
        folder / "model.safetensors",
        {"format": "pt"},
    )


def once(state: dict[str, Any]) -> dict[str, Any]:
    """Each tensor under the first of its names, as safetensors wants it; transformers ties the others to that."""
    first: dict[tuple[int, Any], str] = {}
    for name, values in state.items():
        where = values.data_ptr()  # 0 where it holds nothing, or is a stand-in for another tensor
        first.setdefault((where, values.shape) if where else (id(values), ()), name)
    return {name: state[name] for name in first.values()}


def family(network: Any) -> str:
    """What the names of transformers' classes of an architecture start with."""
    return type(network).__name__.removesuffix("Model").removesuffix("Encoder")


def token_names(network: Any) -> tuple[str, str] | None:
    """Where the class of transformers that labels tokens has the network and the one layer of its head.

    Returns:
        What both are called in it; None if there is no such class, or its head is more than a layer.
    """
    import torch
    from torch import nn
    from transformers import MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING

    found = MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING.get(type(network.config), None)
    if found is None or found.__name__ != f"{family(network)}ForTokenClassification":
        return None
    with torch.device("meta"):
        made = found(network.config)
    parts = {name: part for name, part in made.named_children() if any(True for _ in part.parameters())}
    own = next((name for name, part in parts.items() if type(part) is type(network)), None)
    heads = [name for name in parts if name != own]
    return (own, heads[0]) if own and len(heads) == 1 and isinstance(parts[heads[0]], nn.Linear) else None


def opens_with(folder: Path) -> str | None:
    """The class of plain transformers that gives the logits of a model folder, with the names of the labels.

    Returns:
        `AutoModelForSequenceClassification`, `AutoModelForTokenClassification`, or None.
    """
    try:
        config = read_object(folder / "config.json") if (folder / "config.json").is_file() else {}
    except DataError:
        return None
    architectures = config.get("architectures") or [""] if "id2label" in config else [""]
    found = [end for end in ("SequenceClassification", "TokenClassification") if str(architectures[0]).endswith(end)]
    return f"AutoModelFor{found[0]}" if found else None
