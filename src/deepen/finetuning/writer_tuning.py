"""A fine-tuning method on a network that writes: by PEFT, or the weights themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from deepen.core.seed import derive
from deepen.models.adapters import Linears, OnWriter, peft
from deepen.models.generator import WRITERS
from deepen.problem.work import Work

_PARTS = {
    "query": ("q", "q_proj"),
    "key": ("k", "k_proj"),
    "value": ("v", "v_proj"),
    "attended": ("o", "o_proj", "out_proj"),
    "up": ("wi", "wi_0", "wi_1", "fc1", "up_proj", "gate_proj"),
    "down": ("wo", "fc2", "down_proj"),
}


@dataclass(frozen=True)
class Attaching:
    """A method on a network while it learns.

    Attributes:
        network: What is trained.
        done: Folds what was learned into the weights where that can be done; returns the network that answers.
        save: Writes what was learned by itself in PEFT's layout; None where the weights themselves learned.
        after_update: As in `Plan`.
    """

    network: Any
    done: Callable[[], Any]
    save: Callable[[Path], None] | None = None
    after_update: Callable[[int, int], None] | None = None


def attach_to_writer(network: Any, work: Work, *, depth: int | None, name: str, words: bool) -> Attaching:
    """Puts the tuning of a climb on a network that writes.

    Args:
        network: Changed in place.
        depth: How many layers of the decoder learn, from the top; None is all of the network.
        name: The rung's name, for what is drawn by chance.
        words: Whether word vectors learn too, where the weights themselves do.
    """
    tuning, kind = work.base.tuning, WRITERS[network.config.model_type]
    layers = network.get_submodule(kind.layers)
    paths = [f"{kind.layers}.{at}" for at in range(len(layers) - depth, len(layers))] if depth is not None else [""]
    network.requires_grad_(False)
    if tuning.name == "full":
        for path in paths:
            network.get_submodule(path).requires_grad_(True)
        if not words:
            for module in (network.get_input_embeddings(), network.get_output_embeddings()):
                module.requires_grad_(False)
        return Attaching(network, lambda: network)
    assert tuning.peft is not None  # noqa: S101 - `prepare` has looked
    found = peft()
    linears = Linears(_linears(network, paths), "SEQ_2_SEQ_LM" if kind.encodes else "CAUSAL_LM")
    with torch.random.fork_rng():
        torch.manual_seed(derive(work.context.seed, "attach", name))
        method = tuning.peft(linears, tuning.settings)
        made = found.get_peft_model(network, method.config)
    method.config.base_model_name_or_path = work.base.model.name
    return _attached(made, method)


def _linears(network: Any, paths: list[str]) -> dict[str, list[str]]:
    """The linear layers below some modules, by what they do."""
    found: dict[str, list[str]] = {part: [] for part in _PARTS}
    for name, module in network.named_modules():
        below = any(not path or name.startswith(f"{path}.") for path in paths)
        last = name.rpartition(".")[2]
        if below and isinstance(module, nn.Linear):
            for part, names in _PARTS.items():
                if last in names:
                    found[part].append(name)
    return found


def _attached(made: Any, method: OnWriter) -> Attaching:
    tensors: dict[str, Any] = {}
    kept = method.config.is_prompt_learning  # what stands before texts can't be folded into the weights

    def done() -> Any:
        found = peft().get_peft_model_state_dict(made)
        tensors.update({name: value.detach().cpu().clone().contiguous() for name, value in found.items()})
        return made if kept else made.merge_and_unload()

    def save(folder: Path) -> None:
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
        method.config.inference_mode = True
        method.config.save_pretrained(str(folder))

    def after_update(step: int, num_steps: int) -> None:
        if method.after_update is not None:
            method.after_update(made.base_model, method.config, step, num_steps)

    return Attaching(made, done, save, after_update)
