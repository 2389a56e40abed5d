"""What a tuning method leaves on an encoder: what learns, how it is folded into the weights, and how it is saved.

A method is a file of `deepen.tuning` with a value `METHOD`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import Field
from torch import Tensor, nn

from deepen.core.errors import SettingError
from deepen.core.settings import Settings
from deepen.models.encoder import Encoder


class MethodSettings(Settings):
    """What every method has."""

    learning_rate: float | None = Field(default=None, gt=0)
    """The highest rate of what learns in the layers; None is the rung's own."""

    @property
    def positions(self) -> int:
        """How many of the encoder's positions it takes from the texts, with all layers."""
        return 0


@dataclass(frozen=True)
class Adapter:
    """What a method learned, by itself: tensors by the names that they have in the encoder, and PEFT's configuration.

    `config` is None where PEFT has no such method. `base` is the name of the pretrained model; `first_layer` and
    `settings` put the method on it again, and `kept` says that this is needed: it can't be folded into the weights.
    """

    method: str
    base: str
    first_layer: int
    settings: dict[str, Any]
    tensors: dict[str, Tensor]
    config: dict[str, Any] | None = None
    kept: bool = False


class Beside(nn.Module):
    """A module with a small one beside it, whose output of its output is added."""

    def __init__(self, base: nn.Module, added: nn.Module) -> None:
        super().__init__()
        self.base = base
        self.added = added

    @property
    def weight(self) -> Tensor:
        """The module's own, at which T5 looks for the kind of its numbers."""
        return cast(Tensor, self.base.weight)

    def forward(self, x: Tensor) -> Tensor:
        """What the module says, and what the small one adds to it."""
        said = self.base(x)
        return cast(Tensor, said + self.added(said))


class Extra(nn.Module):
    """What a method adds to a network without taking the place of anything."""


def plain_state(network: nn.Module) -> dict[str, Tensor]:
    """The state of a network under the names that it had before anything was put beside its modules."""
    state = network.state_dict()
    learned = tuple(f"{name}." for name, module in network.named_modules() if isinstance(module, Extra))
    state = {name: value for name, value in state.items() if not name.startswith(learned)}
    beside = tuple(name for name, module in network.named_modules() if isinstance(module, Beside))
    for name in beside:
        for key in [key for key in state if key.startswith(f"{name}.")]:
            value, rest = state.pop(key), key.removeprefix(f"{name}.")
            if rest.startswith("base."):
                state[f"{name}.{rest.removeprefix('base.')}"] = value
    return dict(state)


def _nothing() -> None:
    return None


@dataclass
class Attached:
    """A method on an encoder, while it learns.

    Attributes:
        encoder: The encoder; what learns needs a gradient, nothing else does.
        merge: Folds what was learned into the encoder's own weights, after which nothing else is left of it.
        config: PEFT's configuration of it as JSON, asked for before `merge`; None where PEFT has no such method.
        penalty: What is added to the loss of a step; None for nothing.
        after_update: Called with the number of optimizer updates made and to be made, while gradients are still there.
        kept: Whether `merge` can't fold it in, so that it stays beside the weights.
        fold: Makes of what learned the smaller thing that is kept, where the two are not the same.
    """

    encoder: Encoder
    merge: Callable[[], None] = _nothing
    config: Callable[[], dict[str, Any] | None] = field(default=_nothing)
    penalty: Callable[[], Tensor] | None = None
    after_update: Callable[[int, int], None] | None = None
    kept: bool = False
    fold: Callable[[], None] = _nothing

    def __post_init__(self) -> None:
        """Takes what was put on to where the encoder is, and into its mode."""
        self.encoder.to(self.encoder.device).train(self.encoder.training)

    def adapter(self, method: str, base: str, first_layer: int, settings: MethodSettings) -> Adapter:
        """A copy of what was learned, for the pretrained model of this name."""
        self.fold()
        tensors = {_plain(name): p.detach().cpu().clone() for name, p in self._learning()}
        chosen = settings.model_dump(mode="json")
        return Adapter(method, base, first_layer, chosen, tensors, self.config(), self.kept)

    def take(self, tensors: Mapping[str, Tensor]) -> None:
        """Goes on from what was learned before, where it has a place here.

        Args:
            tensors: Those of an `Adapter` of the same method. A number is not written over but replaced, since the
                encoder may share it with others (`twin`).
        """
        for name, parameter in self._learning():
            known = tensors.get(_plain(name))
            if known is not None and known.shape == parameter.shape:
                path, _, last = name.rpartition(".")
                parent: Any = self.encoder.network.get_submodule(path)
                made = nn.Parameter(known.to(parameter.device, copy=True))
                if isinstance(parent, nn.ParameterDict):
                    parent[last] = made
                else:
                    setattr(parent, last, made)

    def _learning(self) -> list[tuple[str, nn.Parameter]]:
        return [(name, p) for name, p in self.encoder.network.named_parameters() if p.requires_grad]


@dataclass(frozen=True)
class Linears:
    """The linear layers of a network that writes, by what they do, and the kind of task as PEFT calls it."""

    by_part: dict[str, list[str]]
    task_type: str

    def of(self, parts: Iterable[str]) -> list[str]:
        """The names of those that do one of these."""
        return [name for part in parts for name in self.by_part[part]]


@dataclass(frozen=True)
class OnWriter:
    """A method for a network that writes, in PEFT's configuration.

    `after_update` is called while gradients are there, with PEFT's model, the configuration, the updates made and those
    to be made.
    """

    config: Any
    after_update: Callable[[Any, Any, int, int], None] | None = None


@dataclass(frozen=True)
class Method:
    """A fine-tuning method.

    Attributes:
        about: What it is; the first line says it to a stranger.
        settings: The class of its settings.
        attach: Puts it on an encoder's layers from a given one on, in place; only what is marked or added learns
            then. What is added changes nothing at first, unless it says otherwise.
        peft: How PEFT puts it on a network that writes; None if it can't be put on one.
    """

    about: str
    settings: type[MethodSettings]
    attach: Callable[[Encoder, int, Any], Attached]
    peft: Callable[[Linears, Any], OnWriter] | None = None


def _plain(name: str) -> str:
    """A name without PEFT's name of the adapter, as in its files."""
    return name.replace(".default", "").replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


def twin(encoder: Encoder) -> Encoder:
    """Another encoder over the same weights: what is put on one is not on the other.

    Args:
        encoder: An encoder whose weights nobody changes any more.

    Returns:
        One with modules of its own that hold the same tensors.
    """
    held = [*encoder.network.parameters(), *encoder.network.buffers()]
    return type(encoder)(copy.deepcopy(encoder.network, {id(tensor): tensor for tensor in held})).eval()


def layer_paths(encoder: Encoder, first_layer: int, parts: tuple[str, ...]) -> str:
    """A pattern of the linear layers that a method is put on, as PEFT wants it.

    Args:
        first_layer: The lowest layer that learns.
        parts: Of `query`, `key`, `value`, `attended`, `up` (with the gate, where there is one), `down`.

    Returns:
        A regular expression that matches whole module paths.
    """
    numbers = "|".join(str(at) for at in range(first_layer, encoder.num_layers))
    layers = encoder.layers[first_layer:]
    paths = dict.fromkeys(path for layer in layers for part in parts for path in encoder.linears(layer, part))
    if not paths:
        raise SettingError(f"this model has no layer of the kinds {', '.join(parts)}: take --tuning full or bitfit")
    return rf"{re.escape(encoder.names.layers)}\.({numbers})\.({'|'.join(map(re.escape, paths))})"


def injected(encoder: Encoder, tuner_type: Any, config: Any) -> tuple[Attached, Any]:
    """Puts a method of PEFT on an encoder.

    Args:
        encoder: Changed in place: linear layers become PEFT's, which hold them; only what those add learns.

    Returns:
        What was attached, and PEFT's own object.
    """
    encoder.requires_grad_(False)
    tuner = tuner_type(encoder.network, config, "default")

    def told() -> dict[str, Any] | None:
        if not encoder.in_peft:
            return None
        found = {key: value for key, value in config.to_dict().items() if value is not None}
        return found | {"peft_type": str(getattr(config.peft_type, "value", config.peft_type))}

    return Attached(encoder, merge=lambda: tuner.merge_and_unload() and None, config=told), tuner


def peft() -> Any:
    """PEFT, or an error that says how to get it.

    Raises:
        SettingError: If it is not installed.
    """
    try:
        import peft as found
    except ImportError:
        raise SettingError("this tuning needs peft: pip install deepen[tuning]") from None
    return found
