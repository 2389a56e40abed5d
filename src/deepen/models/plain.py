"""An encoder with its head in the files that plain transformers reads: config.json, weights, names of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file

from deepen.core.errors import DataError
from deepen.core.files import read_object, write_json
from deepen.models.adapters import plain_state
from deepen.models.encoder import DECODERS
from deepen.models.heads.network import Network

Problem = Literal["regression", "multi_label_classification"]
FAMILIES = {
    "bert": ("Bert", "bert"),
    "electra": ("Electra", "electra"),
    "roberta": ("Roberta", "roberta"),
    "xlm-roberta": ("XLMRoberta", "roberta"),
    "camembert": ("Camembert", "roberta"),
    "distilbert": ("DistilBert", "distilbert"),
    "llama": ("Llama", "model"),
    "mistral": ("Mistral", "model"),
}
_WITH_POOLER = ("bert", "roberta", "xlm-roberta", "camembert")
"""Those whose ...ForSequenceClassification reads the first token's state."""
# Of the folder on this machine, and of a head that the pretrained model may have had.
_NOT_OURS = ("_name_or_path", "id2label", "label2id", "problem_type", "finetuning_task", "task_specific_params")
# tanh(x * 2^-12) * 2^12 equals x to about 1e-7 for |x| < 2, so BERT's pooler can be made to pass its input through.
_PASS_THROUGH = 2.0**-12


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
    config: dict[str, Any] = network.encoder.config.to_dict()
    for key in _NOT_OURS:
        config.pop(key, None)
    state = plain_state(network.encoder.network)
    kind = config["model_type"]
    config["architectures"] = [f"{FAMILIES[kind][0]}Model"]
    if network.pooling == "cls" and kind in _WITH_POOLER and whole:
        state, config["architectures"] = _for_classification(network, state, kind)
    elif network.pooling == "units":
        state, config["architectures"] = _for_tagging(network, state, kind)
    if whole and not config["architectures"][0].endswith("Model"):
        config["id2label"] = {str(i): label for i, label in enumerate(labels)}
        config["label2id"] = {label: i for i, label in enumerate(labels)}
        if network.pooling == "cls" and problem is not None:
            config["problem_type"] = problem
    if network.pooling != "ranked":  # its outputs are documents, which another table brings with it
        write_json(folder / "labels.json", list(labels))
    write_json(folder / "config.json", config)
    save_file(
        {key: value.detach().contiguous() for key, value in state.items()},
        folder / "model.safetensors",
        {"format": "pt"},
    )


def _for_classification(network: Network, state: dict[str, Any], kind: str) -> tuple[dict[str, Any], list[str]]:
    """The same weights under the names of a ...ForSequenceClassification.

    Its pooler is the hidden layer of the head, or is made to pass its input on.
    """
    head, hidden, width = network.head, network.hidden, network.head.in_features
    prefix = "bert" if kind == "bert" else "roberta"
    state = {key: value for key, value in state.items() if not key.startswith("pooler.")}
    state = {f"{prefix}.{key}": value for key, value in state.items()}
    pooler, out = ("bert.pooler.dense", "classifier") if kind == "bert" else ("classifier.dense", "classifier.out_proj")
    state[f"{pooler}.weight"] = torch.eye(width) * _PASS_THROUGH if hidden is None else hidden.weight
    state[f"{pooler}.bias"] = torch.zeros(width) if hidden is None else hidden.bias
    state[f"{out}.weight"] = head.weight / (_PASS_THROUGH if hidden is None else 1)
    state[f"{out}.bias"] = head.bias
    return state, [f"{FAMILIES[kind][0]}ForSequenceClassification"]


def _for_tagging(network: Network, state: dict[str, Any], kind: str) -> tuple[dict[str, Any], list[str]]:
    """The same weights under the names of a ...ForTokenClassification."""
    name, prefix = FAMILIES[kind]
    state = {f"{prefix}.{key}": value for key, value in state.items() if not key.startswith("pooler.")}
    head = tagging_head(kind)
    state |= {f"{head}.weight": network.head.weight, f"{head}.bias": network.head.bias}
    return state, [f"{name}ForTokenClassification"]


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


def tagging_head(kind: str) -> str:
    """What the head of a ...ForTokenClassification is called."""
    return "score" if kind in DECODERS else "classifier"
